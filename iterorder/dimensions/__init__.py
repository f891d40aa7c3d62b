"""How much room a stationary law takes: dimensions of samples, and the bound by exponents and entropy."""

from iterorder.dimensions.estimated import dimension
from iterorder.dimensions.lyapunov import lyapunov_dimension

__all__ = ["dimension", "lyapunov_dimension"]
