"""Random maps composed forward and backward: fast, exact, and checked against the theory.

The public names and nothing else; Numba, SciPy and Matplotlib are imported when they are first needed.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from iterorder._version import __version__
from iterorder.errors import (
    AccuracyError,
    BackendUnavailableError,
    DivergenceError,
    EngineError,
    InvalidInputError,
    IterorderError,
    LedgerError,
    MapCompilationError,
    NotContractiveError,
    NotWrittenError,
)
from iterorder.estimate import Estimate
from iterorder.loading import load
from iterorder.maps import (
    AffineMaps,
    CustomMaps,
    GaussianRegressionSGD,
    LinearModelSGD,
    LinearRegressionSGD,
    LogisticRegressionSGD,
    Loss,
    Optimizer,
    QuadraticSGD,
    RandomMaps,
    gallery,
    losses,
)
from iterorder.orders import Window
from iterorder.simulate import simulate
from iterorder.theory import (
    Theory,
    ergodic_intervals,
    estimate_lipschitz,
    lie_bracket,
    minimizer,
    small_step_covariance,
    stability_boundary,
    theory,
)
from iterorder.trajectory import Trajectory
from iterorder.wasserstein import (
    DistanceEstimate,
    wasserstein,
    wasserstein_1d,
    wasserstein_1d_to,
    wasserstein_estimate,
)

if TYPE_CHECKING:
    from iterorder import networks, plot
    from iterorder.claims import ClaimRow, ClaimTable, check_theory
    from iterorder.convergence import CouplingDistance, Diagnosis, Rate, coupling_distance, diagnose, fit_rate
    from iterorder.cost import Cost, estimate_cost
    from iterorder.dimensions import DimensionEstimate, dimension, lyapunov_dimension
    from iterorder.installation import BackendInfo, backend_info
    from iterorder.laws import Basins, Continuation, StationarityTest, basins, continuation, stationarity_test
    from iterorder.stationary import StationarySample, stationary_sample
    from iterorder.sweeps import Sweep, open_sweep, sweep

__all__ = [
    "AccuracyError",
    "AffineMaps",
    "BackendInfo",
    "BackendUnavailableError",
    "Basins",
    "ClaimRow",
    "ClaimTable",
    "Continuation",
    "Cost",
    "CouplingDistance",
    "CustomMaps",
    "Diagnosis",
    "DimensionEstimate",
    "DistanceEstimate",
    "DivergenceError",
    "EngineError",
    "Estimate",
    "GaussianRegressionSGD",
    "InvalidInputError",
    "IterorderError",
    "LedgerError",
    "LinearModelSGD",
    "LinearRegressionSGD",
    "LogisticRegressionSGD",
    "Loss",
    "MapCompilationError",
    "NotContractiveError",
    "NotWrittenError",
    "Optimizer",
    "QuadraticSGD",
    "RandomMaps",
    "Rate",
    "StationarityTest",
    "StationarySample",
    "Sweep",
    "Theory",
    "Trajectory",
    "Window",
    "__version__",
    "backend_info",
    "basins",
    "check_theory",
    "continuation",
    "coupling_distance",
    "diagnose",
    "dimension",
    "ergodic_intervals",
    "estimate_cost",
    "estimate_lipschitz",
    "fit_rate",
    "gallery",
    "lie_bracket",
    "load",
    "losses",
    "lyapunov_dimension",
    "minimizer",
    "networks",
    "open_sweep",
    "plot",
    "simulate",
    "small_step_covariance",
    "stability_boundary",
    "stationarity_test",
    "stationary_sample",
    "sweep",
    "theory",
    "wasserstein",
    "wasserstein_1d",
    "wasserstein_1d_to",
    "wasserstein_estimate",
]


# Half of the package, which a simulation does without: imported when it is first asked for.
_LATER = {
    "networks": "networks",
    "plot": "plot",
    **dict.fromkeys(("StationarySample", "stationary_sample"), "stationary"),
    **dict.fromkeys(("DimensionEstimate", "dimension", "lyapunov_dimension"), "dimensions"),
    **dict.fromkeys(("BackendInfo", "backend_info"), "installation"),
    **dict.fromkeys(
        ("Basins", "Continuation", "StationarityTest", "basins", "continuation", "stationarity_test"), "laws"
    ),
    **dict.fromkeys(("Cost", "estimate_cost"), "cost"),
    **dict.fromkeys(("Sweep", "open_sweep", "sweep"), "sweeps"),
    **dict.fromkeys(("ClaimRow", "ClaimTable", "check_theory"), "claims"),
    **dict.fromkeys(
        ("CouplingDistance", "Diagnosis", "Rate", "coupling_distance", "diagnose", "fit_rate"), "convergence"
    ),
}


if not TYPE_CHECKING:  # a checker knows the names above, and is to tell those that do not exist

    def __getattr__(name: str):
        if name in _LATER.values():
            return import_module(f"iterorder.{name}")
        if name not in _LATER:
            from iterorder.validation import did_you_mean

            hint = "" if name.startswith("_") else did_you_mean(name, __all__)
            raise AttributeError(f"module 'iterorder' has no attribute {name!r}{hint}", name=name)
        value = globals()[name] = getattr(import_module(f"iterorder.{_LATER[name]}"), name)
        return value


def __dir__() -> list[str]:
    return __all__
