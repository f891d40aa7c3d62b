"""Whether the derivatives of a loss that were given are those of its slope, as far as differences can tell."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from iterorder.errors import InvalidInputError, MapCompilationError
from iterorder.roles import of_loss

if TYPE_CHECKING:
    from iterorder.maps.loss import Loss

EPS = float(np.finfo(np.float64).eps)
#: Where derivatives are tried: margins that are no usual place of a kink, and targets of labels and of counts. For a
#: loss with a least target they are shifted to begin there.
MARGINS = np.linspace(-8.0, 8.0, 65) + 0.01234567
TARGETS, LABELS = np.array([-1.0, 0.0, 1.0, 2.5]), np.array([-1.0, 1.0])
#: Step of a difference: what it leaves out is of the order of the step, and rounding of eps/step.
STEP = EPS ** (1.0 / 3.0)
#: Share of a derivative by which a difference may be off, beyond what it leaves out and rounding.
SHARE = 1e-3
#: Roundings of a function in units in the last place of the numbers that it adds up.
ULPS = 64.0


def check_loss(loss: Loss) -> None:
    """Hold value, curvature and third derivative against differences, and the curvature against its range.

    Raises
    ------
    InvalidInputError
        With the margin and the target of the largest disagreement.
    """
    z, target = (grid.ravel() for grid in np.meshgrid(MARGINS, _targets(loss)))
    slopes = loss.slopes(z, target)
    if not np.isfinite(slopes).any():
        raise InvalidInputError("slope gives no finite number for margins from -8 to 8: give a derivative of the loss")
    if loss.has("value"):
        _hold(loss.values, loss.slopes, "slope", "value", z, target)
    if loss.has("curvature"):
        _hold(loss.slopes, loss.curvatures, "curvature", "slope", z, target)
    if loss.has("third"):
        _hold(loss.curvatures, loss.thirds, "third", "curvature", z, target)
    if loss.curvature_range is not None:
        _hold_range(loss, z, target)


def _targets(loss: Loss) -> np.ndarray:
    if loss.kind == "signed":
        return LABELS
    return TARGETS if loss.least_target == -np.inf else loss.least_target + (TARGETS - TARGETS[0])


def try_functions(loss: Loss) -> None:
    """Call every function in plain Python: most mistakes are found here, with Python's own messages."""
    target = max(1.0, loss.least_target)
    for what, function in loss.functions().items():
        try:
            value = function(0.25, target, loss.params)
        except Exception as error:
            role = of_loss(what)
            if "read-only" in str(error):
                raise MapCompilationError.of(
                    function, "writes to params", role.no_writing, called=role.called
                ) from error
            if isinstance(error, (ArithmeticError, ValueError)):
                continue  # a number outside of its domain, perhaps
            raise MapCompilationError.of(
                function,
                f"fails in plain Python: {type(error).__name__}: {error}",
                f"run it by hand: {function.__name__}(0.25, {target:g}, params) with the numbers and arrays of params=",
                called=role.called,
            ) from error
        if not isinstance(value, (numbers.Real, np.bool_)):
            raise MapCompilationError.of(
                function,
                f"returns {value!r}, a {type(value).__name__}",
                "return one number, of one margin and target",
                called=of_loss(what).called,
            )


class _Differences(NamedTuple):
    """Forward, backward and central differences, and by how much they may be off: one is right beside a kink."""

    forward: np.ndarray
    backward: np.ndarray
    central: np.ndarray
    room: np.ndarray


def _differences(function, z, target) -> _Differences:
    step = STEP * np.maximum(1.0, np.abs(z))
    before, here, after = (function(z + shift * step, target) for shift in (-1.0, 0.0, 1.0))
    with np.errstate(invalid="ignore"):
        forward, backward, central = (after - here) / step, (here - before) / step, (after - before) / (2.0 * step)
        largest = np.maximum(np.abs(forward), np.abs(backward))
        # The scale is that of the function itself: half a loss has half the room.
        added = np.max(np.abs([before, here, after]), axis=0) + largest * (np.abs(z) + np.abs(target))
        room = np.abs(forward - backward) + ULPS * EPS * added / step + SHARE * largest
    return _Differences(forward, backward, central, room)


def _hold(function, derivative, name: str, of: str, z, target) -> None:
    given, found = derivative(z, target), _differences(function, z, target)
    with np.errstate(invalid="ignore"):
        errors = np.min([np.abs(given - one) for one in (found.forward, found.backward, found.central)], axis=0)
        excess = errors - found.room
    excess = np.where(np.isfinite(excess), excess, -np.inf)
    worst = int(np.argmax(excess))
    if excess[worst] > 0.0:
        raise InvalidInputError(
            f"{name} is {given[worst]:.6g} at z = {z[worst]:.6g}, target = {target[worst]:g}, and differences of the "
            f"{of} give {found.central[worst]:.6g}: give the derivative of the {of}"
        )


def _hold_range(loss: Loss, z, target) -> None:
    low, high = loss.curvature_range or (-np.inf, np.inf)
    if loss.has("curvature"):  # which was held against differences
        smallest = largest = loss.curvatures(z, target)
        room = ULPS * EPS * np.abs(largest)
    else:
        found = _differences(loss.slopes, z, target)
        smallest, largest = np.minimum(found.forward, found.backward), np.maximum(found.forward, found.backward)
        room = found.room
    for outside, seen in ((low - smallest - room, smallest), (largest - high - room, largest)):
        excess = np.where(np.isfinite(seen), outside, -np.inf)
        worst = int(np.argmax(excess))
        if excess[worst] > 0.0:
            free = loss.kind == "free" and loss.least_target == -np.inf
            also = ", or the least_target= from which they hold" if free and target[worst] < 0.0 else ""
            raise InvalidInputError(
                f"curvature_range is ({low:g}, {high:g}), and at z = {z[worst]:.6g}, target = {target[worst]:g} the "
                f"curvature is {seen[worst]:.6g}: give bounds for every margin and target{also}"
            )
