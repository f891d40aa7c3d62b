"""How fast iterates meet, and whether a path tends to a point or to a distribution."""

from iterorder.convergence.coupling import CouplingDistance, coupling_distance
from iterorder.convergence.diagnosis import Diagnosis, Evidence, diagnose
from iterorder.convergence.rates import Rate, fit_rate

__all__ = ["CouplingDistance", "Diagnosis", "Evidence", "Rate", "coupling_distance", "diagnose", "fit_rate"]
