"""Losses of linear models: the slope of a loss and what is known of it, each written once.

A loss ℓ(z, target) of the margin z = aᵀx gives the steps x → x − h·(mean over a batch of ℓ′(aᵀx, target)·a + ridge·x).
Its functions are plain Python of numbers. Kernels compile the slope; everything else is applied to arrays here.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.forms import Slope
from iterorder.maps.loss_trial import check_loss
from iterorder.maps.on_arrays import on_arrays
from iterorder.maps.outside import with_outside
from iterorder.maps.parameters import params_of
from iterorder.maps.trial import check_body
from iterorder.shown import call, shown
from iterorder.validation import as_choice, as_float

Function = Callable[..., Any]
#: How a target enters: through z − target, through its sign as target·z, or as the function says.
RESIDUAL, SIGNED, FREE = "residual", "signed", "free"


class Loss:
    """A loss of linear models, by its slope as a function of the margin z = aᵀx.

    Parameters
    ----------
    slope : function
        ``slope(z, target, params)``, the derivative in z: numbers in, a number out. Conditions, ``math`` and helper
        functions are allowed; it is compiled, and without branches that depend on z it runs on vectors.
    curvature : function, optional
        ``curvature(z, target, params)``, the derivative of the slope: for tangent maps, Hessians and the theory of
        small steps.
    curvature_range : tuple (low, high), optional
        Bounds of the curvature for every margin and target; ``inf`` where there is none. Sure certificates rest on it.
    value : function, optional
        ``value(z, target, params)``, the loss itself.
    third : function, optional
        The derivative of the curvature: for the bias of small steps.
    params : sequence of numbers and arrays
        What the functions find in `params`.

    Raises
    ------
    InvalidInputError
        If a derivative that is given disagrees with differences of the function before, or leaves the range: with the
        margin and the target where it does.

    MapCompilationError
        If a function is no plain function of three arguments, or the slope does not compile: with the line and the
        reason.

    Notes
    -----
    What the functions read from outside is as it was when the loss was made. Differences can refute a derivative or a
    range, not prove them: they are tried on margins between −8 and 8 and some targets. Where a slope has a kink either
    one-sided curvature is right.

    Examples
    --------
    >>> def slope(z, target, params):
    ...     return math.tanh((z - target) / params[0])
    >>> loss = Loss(slope, curvature_range=(0.0, 0.5), params=(2.0,))
    >>> loss.slopes(np.array([0.0, 1.0]), np.array([0.0, -1.0])).round(6).tolist()
    [0.0, 0.761594]
    """

    name = "custom"
    kind = FREE
    #: Whether the slope is known to be bounded.
    bounded = False
    parameters: dict[str, float] | None = None

    def __init__(
        self,
        slope: Function,
        *,
        curvature: Function | None = None,
        curvature_range: Sequence[float] | None = None,
        value: Function | None = None,
        third: Function | None = None,
        params: Sequence = (),
    ) -> None:
        self.params = params_of(params)
        self.curvature_range = None if curvature_range is None else as_range(curvature_range)
        given = {"slope": slope, "curvature": curvature, "value": value, "third": third}
        self._functions: dict[str, Function] = {
            what: _kept(what, f) for what, f in given.items() if f is not None or what == "slope"
        }
        check_loss(self)
        # Only a compiler needs Numba.
        from iterorder.kernels.cpu.slopes import check_compiles

        check_compiles(self.form)

    @classmethod
    def named(cls, name: str, **parameters: float) -> Loss:
        """A known loss with other parameters: "huber" has delta, "smoothed-quantile" level and width.

        Examples
        --------
        >>> Loss.named("huber", delta=0.5).slopes(np.array([0.25, 2.0]), 0.0).tolist()
        [0.25, 0.5]
        """
        make = LOSSES[as_choice("loss", name, tuple(LOSSES))]
        known = tuple(inspect.signature(make).parameters)
        for given in parameters:
            if given not in known:
                raise InvalidInputError(
                    f"the loss {name!r} has no parameter {given!r}: {f'give {known}' if known else 'it has none'}"
                )
        return make(**parameters)

    def __repr__(self) -> str:
        if self.parameters is not None:
            return call(self.name, {name: shown(value) for name, value in self.parameters.items()})
        return f"Loss({getattr(self._functions['slope'], '__qualname__', 'slope')})"

    @property
    def form(self) -> Slope:
        """The slope as kernels read it."""
        return Slope(self._functions["slope"], self.params)

    def has(self, what: str) -> bool:
        """Whether "slope", "curvature", "value" or "third" is known."""
        return what in self._functions

    def slopes(self, margins, targets) -> np.ndarray:
        """ℓ′ of arrays of margins and targets, shape of the margins."""
        return self._of("slope", margins, targets)

    def curvatures(self, margins, targets) -> np.ndarray:
        """ℓ″, shape of the margins."""
        return self._of("curvature", margins, targets)

    def thirds(self, margins, targets) -> np.ndarray:
        """ℓ‴, shape of the margins."""
        return self._of("third", margins, targets)

    def values(self, margins, targets) -> np.ndarray:
        """ℓ, shape of the margins."""
        return self._of("value", margins, targets)

    def _of(self, what: str, margins, targets) -> np.ndarray:
        if what not in self._functions:
            raise InvalidInputError(f"the loss {self!r} has no {what}: give {what}= to Loss")
        return on_arrays(self._functions[what])(margins, targets, self.params)


class FoldedLoss(Loss):
    """A loss of one number u: the residual z − target, or the signed margin target·z with targets −1 and 1.

    `slope(u, factor, params)` is the slope times a factor, in the order of its roundings; the others take (u, params).
    """

    def __init__(
        self,
        name: str,
        kind: str,
        slope: Function,
        value: Function,
        curvature: Function,
        third: Function,
        curvature_range: tuple[float, float],
        *,
        exact: bool = False,
        bounded: bool = False,
        **parameters: float,
    ) -> None:
        self.name, self.kind, self.parameters, self._exact, self.bounded = name, kind, parameters, exact, bounded
        self.params, self.curvature_range = tuple(parameters.values()), curvature_range
        self._functions: dict[str, Function] = {"slope": slope, "value": value, "curvature": curvature, "third": third}

    @property
    def form(self) -> Slope:
        """The slope of u, which rows carry folded."""
        slope = self._functions["slope"]
        return Slope(slope, self.params, folded=True, linear=slope is _squared, exact=self._exact)

    def _of(self, what: str, margins, targets) -> np.ndarray:
        signed = self.kind == SIGNED
        u = np.multiply(targets, margins) if signed else np.subtract(margins, targets)
        function = on_arrays(self._functions[what])
        if what == "slope":
            return function(u, 1.0, self.params) * (targets if signed else 1.0)
        # Labels are signs: an odd number of derivatives keeps one.
        return function(u, self.params) * (targets if signed and what == "third" else 1.0)


def _kept(what: str, function) -> FunctionType:
    """The plain function, with what it reads from outside as it is now."""
    plain = getattr(function, "py_func", function)
    return with_outside(plain, check_body(plain, (what, "z, target, params", "Loss")))


def as_range(value) -> tuple[float, float]:
    """A range of curvatures, whose ends may be infinite."""
    try:
        low, high = (float(end) for end in value)
    except (TypeError, ValueError):
        raise InvalidInputError(f"curvature_range is {value!r}: give two numbers (low, high)") from None
    if not low <= high:
        raise InvalidInputError(f"curvature_range is {value!r}: give low <= high, and inf where there is no bound")
    return low, high


# ---------------------------------------------------------------------------------------------- functions of one number


def _nothing(u, params):
    return 0.0


def _squared(u, factor, params):
    return u * factor


def _squared_value(u, params):
    return 0.5 * u * u


def _one(u, params):
    return 1.0


def _logistic(u, factor, params):
    return -factor / (1.0 + math.exp(u))


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
    return 1.0 * (abs(u) <= params[0])


def _squared_hinge(u, factor, params):
    return max(1.0 - u, 0.0) * -factor


def _squared_hinge_value(u, params):
    return 0.5 * max(1.0 - u, 0.0) * max(1.0 - u, 0.0)


def _squared_hinge_curvature(u, params):
    return 1.0 * (u < 1.0)


def _smoothed_quantile(u, factor, params):
    return (0.5 - params[0] + 0.5 * min(max(u / params[1], -1.0), 1.0)) * factor


def _smoothed_quantile_value(u, params):
    cut = min(max(u / params[1], -1.0), 1.0)
    return (0.5 - params[0]) * u + 0.5 * cut * (u - 0.5 * params[1] * cut) + 0.25 * params[1]


def _smoothed_quantile_curvature(u, params):
    return 0.5 / params[1] * (abs(u) <= params[1])


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

SQUARED = FoldedLoss("squared", RESIDUAL, _squared, _squared_value, _one, _nothing, (1.0, 1.0), exact=True)
LOGISTIC = FoldedLoss(
    "logistic", SIGNED, _logistic, _logistic_value, _logistic_curvature, _logistic_third, (0.0, 0.25), bounded=True
)


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
    return _named(
        Loss(
            _poisson,
            value=_poisson_value,
            curvature=_poisson_curvature,
            third=_poisson_curvature,
            curvature_range=(0.0, math.inf),
        ),
        "poisson",
    )


def _named(loss: Loss, name: str) -> Loss:
    loss.name, loss.parameters = name, {}
    return loss


LOSSES: dict[str, Callable[..., Loss]] = {
    "squared": lambda: SQUARED,
    "logistic": lambda: LOGISTIC,
    "huber": huber,
    "squared-hinge": squared_hinge,
    "smoothed-quantile": smoothed_quantile,
    "log-cosh": log_cosh,
    "poisson": poisson,
}


def as_loss(value) -> Loss:
    """A loss, by itself or by its name."""
    if isinstance(value, Loss):
        return value
    return Loss.named(value)
