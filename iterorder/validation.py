"""Checks of arguments: one place for the rules, one style for the messages."""

from __future__ import annotations

import math
import numbers
import operator

import numpy as np

from iterorder.errors import InvalidInputError

MAX_STEPS = 2**62
MAX_SEED = 2**64 - 1


def as_floats(name: str, value, *, ndim: tuple[int, ...] | None = None, allow_empty: bool = False) -> np.ndarray:
    """`value` as a finite float64 array; integers and booleans are converted, everything else is refused."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # ragged nested lists
        raise InvalidInputError(f"{name} is not a rectangular array ({error}): give rows of equal length") from error
    if array.dtype.kind not in "fiub":
        raise InvalidInputError(f"{name} has dtype {array.dtype}: give real numbers (floats or integers)")
    array = array.astype(np.float64)
    if ndim is not None and array.ndim not in ndim:
        wanted = " or ".join(str(k) for k in ndim)
        raise InvalidInputError(f"{name} has shape {array.shape}: give an array with {wanted} axes")
    if array.size == 0 and not allow_empty:
        raise InvalidInputError(f"{name} is empty, shape {array.shape}: give at least one value")
    bad = ~np.isfinite(array)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        place = f"{name}[{', '.join(map(str, where))}]" if where else name
        raise InvalidInputError(f"{place} is {array[where]}: every value must be finite ({int(bad.sum())} are not)")
    return array


def as_float(name: str, value, *, low: float = -math.inf, strict: bool = False) -> float:
    """A finite real number above `low` (at or above it unless `strict`)."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    try:
        finite = isinstance(value, numbers.Real) and math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        finite = False
    if not finite:
        raise InvalidInputError(f"{name} is {_shown(value)}: give a finite real number")
    number = float(value)
    if number < low or (strict and number == low):
        raise InvalidInputError(f"{name} is {number!r}: give a number {'above' if strict else 'of at least'} {low:g}")
    return number


def _shown(value) -> str:
    """A value as text; Python refuses to print integers of some thousand digits."""
    if isinstance(value, int) and abs(value) > 10**100:
        return f"an integer of {value.bit_length()} bits"
    return repr(value)


def as_int(name: str, value, *, low: int, high: int) -> int:
    """An integer in [low, high]; booleans and floats are refused."""
    if isinstance(value, (bool, np.bool_)):
        raise InvalidInputError(f"{name} is {value!r}: give an integer, not a truth value")
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidInputError(f"{name} is {value!r}: give an integer in [{low}, {high}]") from None
    if not low <= number <= high:
        raise InvalidInputError(f"{name} is {_shown(number)}: give an integer in [{low}, {high}]")
    return number


def as_seed(seed) -> int:
    """The 64-bit Philox key: an int in [0, 2⁶⁴), or a numpy SeedSequence that generates one."""
    if isinstance(seed, np.random.SeedSequence):
        return int(seed.generate_state(1, np.uint64)[0])
    return as_int("seed", seed, low=0, high=MAX_SEED)


def as_choice(name: str, value, choices: tuple[str, ...]) -> str:
    """One of the words in `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise InvalidInputError(f"{name} is {value!r}: give one of {', '.join(repr(c) for c in choices)}")
    return value


def read_only(array: np.ndarray) -> np.ndarray:
    """A contiguous private copy that cannot be written to."""
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy
