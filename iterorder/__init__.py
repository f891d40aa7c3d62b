"""Random maps composed forward and backward: fast, exact, and checked against the theory.

The public names and nothing else; Numba, SciPy and Matplotlib are imported when they are first needed.
"""

from iterorder._version import __version__
from iterorder.errors import (
    BackendUnavailableError,
    DivergenceError,
    InvalidInputError,
    IterorderError,
    MapCompilationError,
    NotContractiveError,
)
from iterorder.estimate import Estimate
from iterorder.maps import AffineMaps, LinearRegressionSGD, LogisticRegressionSGD, QuadraticSGD, gallery
from iterorder.orders import Window
from iterorder.simulate import simulate
from iterorder.trajectory import Trajectory, load

__all__ = [
    "AffineMaps",
    "BackendUnavailableError",
    "DivergenceError",
    "Estimate",
    "InvalidInputError",
    "IterorderError",
    "LinearRegressionSGD",
    "LogisticRegressionSGD",
    "MapCompilationError",
    "NotContractiveError",
    "QuadraticSGD",
    "Trajectory",
    "Window",
    "__version__",
    "gallery",
    "load",
    "simulate",
]
