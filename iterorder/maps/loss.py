"""A loss of linear models: its slope, and what is known of it.

A loss ℓ(z, target) of the margin z = aᵀx gives the steps x → x − h·(mean over a batch of ℓ′(aᵀx, target)·a + ridge·x).
Its functions are plain Python of numbers. Kernels compile the slope; everything else is applied to arrays here.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import FunctionType, MappingProxyType
from typing import Any

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.forms import Slope
from iterorder.maps.kept_functions import with_outside
from iterorder.maps.loss_trial import check_loss, try_functions
from iterorder.maps.on_arrays import on_arrays
from iterorder.maps.outside import Outside, read_outside
from iterorder.maps.parameters import params_of
from iterorder.maps.trial import check_body
from iterorder.roles import of_loss
from iterorder.shown import call, shown
from iterorder.types import ArrayLike, FloatArray, LossFunction
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
        functions are allowed; it is compiled, where that can be for several margins at once: not with a loop that z
        ends.
    curvature : function, optional
        ``curvature(z, target, params)``, the derivative of the slope: for tangent maps, Hessians and the theory of
        small steps.
    curvature_range : tuple (low, high), optional
        Bounds of the curvature for every margin and target; ``inf`` where there is none. Sure certificates rest on it.
    least_target : float, optional
        The smallest target that the loss is for: data with a smaller one are refused. Default: any number is a target.
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
    range, not prove them: they are tried on margins between −8 and 8 and some targets, from `least_target` on. Where a
    slope has a kink either one-sided curvature is right.

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
    #: Whether the slope is known to be bounded, and the smallest target that it is for.
    bounded = False
    least_target: float = -math.inf
    parameters: Mapping[str, float] | None = None
    params: tuple[Any, ...]
    curvature_range: tuple[float, float] | None
    _given: dict[str, FunctionType]
    _outside: dict[str, Outside]

    def __init__(
        self,
        slope: LossFunction,
        *,
        curvature: LossFunction | None = None,
        curvature_range: Sequence[float] | None = None,
        least_target: float | None = None,
        value: LossFunction | None = None,
        third: LossFunction | None = None,
        params: Sequence[Any] = (),
    ) -> None:
        given = {"slope": slope, "curvature": curvature, "value": value, "third": third}
        plain: dict[str, Any] = {
            what: getattr(f, "py_func", f) for what, f in given.items() if f is not None or what == "slope"
        }
        vars(self).update(
            params=params_of(params),
            curvature_range=None if curvature_range is None else as_range(curvature_range),
            least_target=-math.inf if least_target is None else as_float("least_target", least_target),
            _given=plain,
            _outside={what: check_body(f, of_loss(what)) for what, f in plain.items()},
        )
        try_functions(self)
        check_loss(self)
        # Only a compiler needs Numba.
        from iterorder.kernels.cpu.slopes import check_compiles

        check_compiles(self.form)

    @classmethod
    def named(cls, name: str, **parameters: float) -> Loss:
        """A known loss with other parameters: a key of `iterorder.losses.LOSSES`, and what its function there takes.

        Examples
        --------
        >>> Loss.named("huber", delta=0.5).slopes(np.array([0.25, 2.0]), 0.0).tolist()
        [0.25, 0.5]
        """
        from iterorder.maps.losses import LOSSES

        make = LOSSES[as_choice("loss", name, tuple(LOSSES))]
        known = tuple(inspect.signature(make).parameters)
        for given in parameters:
            if given not in known:
                raise InvalidInputError(
                    f"the loss {name!r} has no parameter {given!r}: {f'give {known}' if known else 'it has none'}"
                )
        return make(**parameters)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} of a loss cannot be changed: make another one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name} of a loss cannot be deleted")

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse other mathematics under the name of a loss: kernels read the functions that were given."""
        super().__init_subclass__(**options)
        changed = [name for name in vars(cls) if name in vars(Loss) and not name.startswith("__")]
        if changed and not cls.__module__.startswith("iterorder."):
            raise InvalidInputError(f"{cls.__name__} changes {changed[0]!r} of Loss: give the functions to Loss(…)")

    def __getstate__(self) -> dict[str, Any]:
        """What pickle keeps: functions by their names, and the numbers that they read from outside."""
        for what, function in self._given.items():
            if "<" in function.__qualname__:
                raise InvalidInputError(
                    f"{what} of the loss is {function.__qualname__!r}, which no other process finds: give a function "
                    "of a module where the loss is to be pickled"
                )
        return {name: value for name, value in vars(self).items() if name != "_functions"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def __deepcopy__(self, memo: dict[str, Any]) -> Loss:
        """Itself, as nothing of it changes."""
        return self

    @cached_property
    def _functions(self) -> dict[str, Function]:
        """The functions with what they read from outside when the loss was made."""
        outside = self._outside
        return {what: with_outside(f, read_outside(f, outside[what])) for what, f in self._given.items()}

    def __repr__(self) -> str:
        if self.parameters is not None:
            return call(self.name, {name: shown(value) for name, value in self.parameters.items()})
        return f"Loss({self._given['slope'].__qualname__})"

    @property
    def form(self) -> Slope:
        """The slope as kernels read it."""
        return Slope(self._functions["slope"], self.params)

    def has(self, what: str) -> bool:
        """Whether "slope", "curvature", "value" or "third" is known."""
        return what in self._given

    def functions(self) -> dict[str, Function]:
        """Those that were given, by what they are, with what they read from outside when the loss was made."""
        return dict(self._functions)

    def slopes(self, margins: ArrayLike, targets: ArrayLike) -> FloatArray:
        """ℓ′ of arrays of margins and targets, shape of the margins."""
        return self._of("slope", margins, targets)

    def curvatures(self, margins: ArrayLike, targets: ArrayLike) -> FloatArray:
        """ℓ″, shape of the margins."""
        return self._of("curvature", margins, targets)

    def thirds(self, margins: ArrayLike, targets: ArrayLike) -> FloatArray:
        """ℓ‴, shape of the margins."""
        return self._of("third", margins, targets)

    def values(self, margins: ArrayLike, targets: ArrayLike) -> FloatArray:
        """ℓ, shape of the margins."""
        return self._of("value", margins, targets)

    def _of(self, what: str, margins: ArrayLike, targets: ArrayLike) -> np.ndarray:
        if not self.has(what):
            raise InvalidInputError(f"the loss {self!r} has no {what}: give {what}= to Loss")
        return on_arrays(self._functions[what])(margins, targets, self.params)


class FoldedLoss(Loss):
    """A loss of one number u: the residual z − target, or the signed margin target·z with targets −1 and 1.

    `slope(u, factor, params)` is the slope times a factor, in the order of its roundings; the others take (u, params).
    """

    _exact: bool
    _linear: bool

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
        linear: bool = False,
        **parameters: float,
    ) -> None:
        functions = {"slope": slope, "value": value, "curvature": curvature, "third": third}
        vars(self).update(
            name=name,
            kind=kind,
            parameters=MappingProxyType(parameters),
            bounded=bounded,
            params=tuple(parameters.values()),
            curvature_range=curvature_range,
            _exact=exact,
            _linear=linear,
            _given=functions,
            _functions=functions,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """By its name: pickles see no functions of this file."""
        return _made, (self.name, dict(self.parameters or {}))

    @property
    def form(self) -> Slope:
        """The slope of u, which rows carry folded."""
        slope = self._functions["slope"]
        return Slope(slope, self.params, folded=True, linear=self._linear, exact=self._exact)

    def _of(self, what: str, margins: ArrayLike, targets: ArrayLike) -> np.ndarray:
        signed = self.kind == SIGNED
        u = np.multiply(targets, margins) if signed else np.subtract(margins, targets)
        function = on_arrays(self._functions[what])
        if what == "slope":
            return function(u, 1.0, self.params) * (targets if signed else 1.0)
        # Labels are signs: an odd number of derivatives keeps one.
        return function(u, self.params) * (targets if signed and what == "third" else 1.0)


class FreeLoss(Loss):
    """A known loss of margins and targets: what a user would give to `Loss`, with a name and named parameters."""

    def __init__(
        self, name: str, *functions: Function, parameters: Mapping[str, float] | None = None, **given: Any
    ) -> None:
        parameters = dict(parameters or {})
        super().__init__(*functions, params=tuple(parameters.values()), **given)
        vars(self).update(name=name, parameters=MappingProxyType(parameters))

    def __reduce__(self) -> tuple[Any, ...]:
        """By its name."""
        return _made, (self.name, dict(self.parameters or {}))


def _made(name: str, parameters: dict[str, float]) -> Loss:
    return Loss.named(name, **parameters)


def as_range(value: Any) -> tuple[float, float]:
    """A range of curvatures, whose ends may be infinite."""
    try:
        low, high = (float(end) for end in value)
    except (TypeError, ValueError):
        raise InvalidInputError(f"curvature_range is {value!r}: give two numbers (low, high)") from None
    if not low <= high:
        raise InvalidInputError(f"curvature_range is {value!r}: give low <= high, and inf where there is no bound")
    return low, high
