"""The losses of linear models that are known by name, each function written once.

Plain Python of numbers: kernels compile the slopes, `Loss` applies all of them to arrays. A new loss is its functions
and an entry in `LOSSES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

from iterorder.errors import InvalidInputError
from iterorder.kernels.bodies.exponential import exp
from iterorder.maps.loss import RESIDUAL, SIGNED, FoldedLoss, FreeLoss, Loss
from iterorder.validation import as_float

# ---------------------------------------------------------------------------------------------- functions of one number


def _nothing(u, params):
    return 0.0


def _squared(u, factor, params):
    return u * factor


def _squared_value(u, params):
    return 0.5 * u * u


def _one(u, params):
    return 1.0


def _logistic(u, factor, params):  # exp of `bodies` overflows nowhere
    return -factor / (1.0 + exp(u))


def _logistic_value(u, params):
    return max(-u, 0.0) + math.log1p(math.exp(-abs(u)))


def _logistic_curvature(u, params):
    e = math.exp(-abs(u))
    return e / ((1.0 + e) * (1.0 + e))


def _logistic_third(u, params):
    e = math.exp(-abs(u))
    return -math.tanh(0.5 * u) * e / ((1.0 + e) * (1.0 + e))


def _huber(u, factor, params):
    return min(max(u, -params[0]), params[0]) * factor


def _huber_value(u, params):
    cut = min(max(u, -params[0]), params[0])
    return cut * (u - 0.5 * cut)


def _huber_curvature(u, params):
    return 1.0 * (abs(u) <= params[0]) + (u - u)


def _squared_hinge(u, factor, params):
    return max(1.0 - u, 0.0) * -factor


def _squared_hinge_value(u, params):
    return 0.5 * max(1.0 - u, 0.0) * max(1.0 - u, 0.0)


def _squared_hinge_curvature(u, params):
    return 1.0 * (u < 1.0) + (u - u)


def _smoothed_quantile(u, factor, params):
    return (0.5 - params[0] + 0.5 * min(max(u / params[1], -1.0), 1.0)) * factor


def _smoothed_quantile_value(u, params):
    cut = min(max(u / params[1], -1.0), 1.0)
    return (0.5 - params[0]) * u + 0.5 * cut * (u - 0.5 * params[1] * cut) + 0.25 * params[1]


def _smoothed_quantile_curvature(u, params):
    return 0.5 / params[1] * (abs(u) <= params[1]) + (u - u)


def _log_cosh(u, factor, params):
    return math.tanh(u) * factor


def _log_cosh_value(u, params):
    return abs(u) + math.log1p(math.exp(-2.0 * abs(u))) - math.log(2.0)


def _log_cosh_curvature(u, params):
    e = math.exp(-2.0 * abs(u))
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


def _log_cosh_third(u, params):
    e = math.exp(-2.0 * abs(u))
    return -8.0 * math.tanh(u) * e / ((1.0 + e) * (1.0 + e))


def _poisson(z, target, params):
    return math.exp(z) - target


def _poisson_value(z, target, params):
    return math.exp(z) - target * z


def _poisson_curvature(z, target, params):
    return math.exp(z)


# --------------------------------------------------------------------------------------------------------- known losses

SQUARED = FoldedLoss("squared", RESIDUAL, _squared, _squared_value, _one, _nothing, (1.0, 1.0), exact=True, linear=True)
LOGISTIC = FoldedLoss(
    "logistic", SIGNED, _logistic, _logistic_value, _logistic_curvature, _logistic_third, (0.0, 0.25), bounded=True
)


__all__ = ["LOSSES", "huber", "log_cosh", "poisson", "smoothed_quantile", "squared_hinge"]


def __dir__() -> list[str]:
    return __all__


def huber(delta: float = 1.0) -> Loss:
    """½u² up to |u| = δ, and δ(|u| − δ/2) above, of the residual u."""
    delta = as_float("delta", delta, low=0.0, strict=True)
    functions = _huber, _huber_value, _huber_curvature, _nothing
    return FoldedLoss("huber", RESIDUAL, *functions, (0.0, 1.0), exact=True, bounded=True, delta=delta)


def squared_hinge() -> Loss:
    """½max(1 − u, 0)² of the signed margin u."""
    functions = _squared_hinge, _squared_hinge_value, _squared_hinge_curvature, _nothing
    return FoldedLoss("squared-hinge", SIGNED, *functions, (0.0, 1.0), exact=True)


def smoothed_quantile(level: float = 0.5, width: float = 1.0) -> Loss:
    """The quantile loss of a level τ, convolved with the uniform density on [−width, width]: its slope is a ramp."""
    level = as_float("level", level, low=0.0)
    if not level <= 1.0:
        raise InvalidInputError(f"level is {level!r}: give a number in [0, 1]")
    width = as_float("width", width, low=0.0, strict=True)
    if not math.isfinite(0.5 / width):
        raise InvalidInputError(f"width is {width!r}: the curvature 0.5/width must be a number, give a larger one")
    functions = _smoothed_quantile, _smoothed_quantile_value, _smoothed_quantile_curvature, _nothing
    return FoldedLoss(
        "smoothed-quantile",
        RESIDUAL,
        *functions,
        (0.0, 0.5 / width),
        exact=True,
        bounded=True,
        level=level,
        width=width,
    )


def log_cosh() -> Loss:
    """log cosh u of the residual u."""
    functions = _log_cosh, _log_cosh_value, _log_cosh_curvature, _log_cosh_third
    return FoldedLoss("log-cosh", RESIDUAL, *functions, (0.0, 1.0), bounded=True)


def poisson() -> Loss:
    """e^z − target·z, for counts: its curvature has no upper bound."""
    return FreeLoss(
        "poisson",
        _poisson,
        value=_poisson_value,
        curvature=_poisson_curvature,
        third=_poisson_curvature,
        curvature_range=(0.0, math.inf),
        least_target=0.0,
    )


LOSSES: dict[str, Callable[..., Loss]] = {
    "squared": lambda: SQUARED,
    "logistic": lambda: LOGISTIC,
    "huber": huber,
    "squared-hinge": squared_hinge,
    "smoothed-quantile": smoothed_quantile,
    "log-cosh": log_cosh,
    "poisson": poisson,
}


def as_loss(value: Any) -> Loss:
    """A loss, by itself or by its name."""
    if isinstance(value, Loss):
        return value
    if isinstance(function := getattr(value, "py_func", value), FunctionType):
        name = function.__name__
        known = next((key for key, make in LOSSES.items() if make is function), None)
        if known is None:
            own = name if name.isidentifier() else "slope"
            raise InvalidInputError(f"loss is the function {name}, not a loss: wrap it: ito.Loss({own})")
        advice = f"call it: {name}()" if name.isidentifier() else f"give its name, {known!r}"
        raise InvalidInputError(f"loss is the function that makes {known!r}, not a loss: {advice}")
    return Loss.named(value)
