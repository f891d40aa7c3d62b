"""Random maps composed forward and backward: fast, exact, and checked against the theory.

The public names and nothing else; Numba, SciPy and Matplotlib are imported when they are first needed.
"""

from iterorder._version import __version__
from iterorder.claims import ClaimRow, ClaimTable, check_theory
from iterorder.convergence import CouplingDistance, Diagnosis, Rate, coupling_distance, diagnose, fit_rate
from iterorder.errors import (
    BackendUnavailableError,
    DivergenceError,
    InvalidInputError,
    IterorderError,
    MapCompilationError,
    NotContractiveError,
)
from iterorder.estimate import Estimate
from iterorder.maps import AffineMaps, LinearRegressionSGD, LogisticRegressionSGD, QuadraticSGD, RandomMaps, gallery
from iterorder.orders import Window
from iterorder.simulate import simulate
from iterorder.theory import Theory, theory
from iterorder.trajectory import Trajectory, load
from iterorder.wasserstein import (
    DistanceEstimate,
    wasserstein,
    wasserstein_1d,
    wasserstein_1d_to,
    wasserstein_estimate,
)

__all__ = [
    "AffineMaps",
    "BackendUnavailableError",
    "ClaimRow",
    "ClaimTable",
    "CouplingDistance",
    "Diagnosis",
    "DistanceEstimate",
    "DivergenceError",
    "Estimate",
    "InvalidInputError",
    "IterorderError",
    "LinearRegressionSGD",
    "LogisticRegressionSGD",
    "MapCompilationError",
    "NotContractiveError",
    "QuadraticSGD",
    "RandomMaps",
    "Rate",
    "Theory",
    "Trajectory",
    "Window",
    "__version__",
    "check_theory",
    "coupling_distance",
    "diagnose",
    "fit_rate",
    "gallery",
    "load",
    "simulate",
    "theory",
    "wasserstein",
    "wasserstein_1d",
    "wasserstein_1d_to",
    "wasserstein_estimate",
]
