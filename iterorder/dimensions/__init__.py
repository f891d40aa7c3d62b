"""How much room a stationary law takes: dimensions of samples, and the bound by exponents and entropy."""

from iterorder.dimensions.estimated import DimensionEstimate, dimension
from iterorder.dimensions.lyapunov import lyapunov_dimension

__all__ = ["DimensionEstimate", "dimension", "lyapunov_dimension"]
