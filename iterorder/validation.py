"""Checks of arguments: one place for the rules, one style for the messages."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from iterorder.arrays import as_array, first_other, place_in
from iterorder.errors import InvalidInputError
from iterorder.shown import a_kind

MAX_STEPS = 2**62
# Up to here floats hold all integers.
EXACT = 2**53
EFFORTS = ("quick", "full")
MAX_SEED = 2**64 - 1


def as_floats(
    name: str, value: Any, *, ndim: tuple[int, ...] | None = None, shape: str = "", allow_empty: bool = False
) -> np.ndarray:
    """`value` as a finite float64 array; integers and booleans are converted, everything else is refused.

    `shape` says what the axes are, where that is more than how many there are.
    """
    array = as_array(name, value)
    if array.dtype.kind not in "fiub":
        raise InvalidInputError(
            f"{name} has dtype {array.dtype}{first_other(name, array, value)}: give real numbers (floats or integers)"
        )
    array = array.astype(np.float64)
    if ndim is not None and array.ndim not in ndim:
        wanted = " or ".join(str(k) for k in ndim)
        column = f", such as its one column, {name}.squeeze()" if ndim == (1,) and array.shape[1:] == (1,) else ""
        column = f", such as a single column, {name}[:, None]" if ndim == (2,) and array.ndim == 1 else column
        axes = "axis" if wanted == "1" else "axes"
        described = shape or f"an array with {wanted} {axes}{column}"
        raise InvalidInputError(f"{name} has shape {array.shape}: give {described}")
    if array.size == 0 and not allow_empty:
        raise InvalidInputError(f"{name} is empty, shape {array.shape}: give at least one value")
    bad = ~np.isfinite(array)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidInputError(
            f"{place_in(name, where)} is {array[where]}: every value must be finite ({int(bad.sum())} are not)"
        )
    return array


def as_integers(name: str, value: Any, accepted: str) -> np.ndarray:
    """`value` as a non-empty array of integers with one axis, of their own type; `accepted` ends the message.

    Booleans and floats are refused, whole ones too: a step of 2.0 is more often a mistake than meant.
    """
    array = as_array(name, value)
    if array.dtype.kind not in "iu" or array.ndim != 1 or array.size == 0:
        raise InvalidInputError(f"{name} has dtype {array.dtype} and shape {array.shape}: {accepted}")
    return array


def _scalar(name: str, value: Any) -> Any:
    """What an array without axes holds, of any library; everything else as it is."""
    if isinstance(value, np.generic) or not hasattr(value, "__array__"):
        return value
    array = as_array(name, value)
    return value if array.ndim else array[()]


def as_float(name: str, value: Any, *, low: float = -math.inf, strict: bool = False) -> float:
    """A finite real number above `low` (at or above it unless `strict`)."""
    value = _scalar(name, value)
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


def as_level(value: Any, name: str = "level") -> float:
    """A probability that is neither zero nor one."""
    number = as_float(name, value)
    if not 0.0 < number < 1.0:
        raise InvalidInputError(f"{name} is {number!r}: give a number in (0, 1)")
    return number


def as_power(value: Any) -> float:
    """The power p of a mean or a distance: a number of at least 1, or infinity for the largest."""
    value = _scalar("p", value)
    try:
        power = float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else math.nan
    except OverflowError:  # an integer beyond every float
        power = math.nan
    if not power >= 1.0:
        raise InvalidInputError(f"p is {_shown(value)}: give a number of at least 1, or inf for the largest")
    return power


def _shown(value: Any) -> str:
    """A value as text; Python refuses to print integers of some thousand digits."""
    if isinstance(value, int) and abs(value) > 10**100:
        return f"an integer of {value.bit_length()} bits"
    return repr(value)


def as_int(name: str, value: Any, *, low: int, high: int) -> int:
    """An integer in [low, high], or a whole float as 1e5 that is exact; booleans and other numbers are refused."""
    value = _scalar(name, value)
    if isinstance(value, (float, np.floating)) and float(value).is_integer() and abs(float(value)) <= EXACT:
        value = int(value)
    if isinstance(value, (bool, np.bool_)):
        raise InvalidInputError(f"{name} is {value!r}: give an integer, not a truth value")
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidInputError(f"{name} is {value!r}: give an integer in [{low}, {high}]") from None
    if not low <= number <= high:
        raise InvalidInputError(f"{name} is {_shown(number)}: give an integer in [{low}, {high}]")
    return number


def as_seed(seed: Any) -> int:
    """The 64-bit Philox key of what a user gave as `seed`.

    An int in [0, 2⁶⁴) is the key. A numpy SeedSequence, of any number of words, generates one, the same every time:
    ``generate_state(1, uint64)[0]``. A numpy Generator, BitGenerator or RandomState gives the next 64 bits that it
    draws, and so is advanced by one draw: the next call gets another key.
    """
    if isinstance(seed, np.random.bit_generator.ISeedSequence):
        return int(seed.generate_state(1, np.uint64)[0])
    if isinstance(seed, np.random.BitGenerator):
        seed = np.random.Generator(seed)
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(2**64, dtype=np.uint64))
    if isinstance(seed, np.random.RandomState):
        return int(seed.randint(2**64, dtype=np.uint64))
    try:
        if isinstance(_scalar("seed", seed), (float, np.floating)):
            raise InvalidInputError(f"seed is {seed!r}: give an integer in [0, {MAX_SEED}]")
        return as_int("seed", seed, low=0, high=MAX_SEED)
    except InvalidInputError as error:
        raise InvalidInputError(
            f"{error}; a numpy.random.SeedSequence and a numpy.random.Generator are seeds too"
        ) from None


def as_key(seed: Any) -> int:
    """The seed of one draw, which is a function of its arguments: no generator, which changes with each call."""
    if isinstance(seed, (np.random.Generator, np.random.BitGenerator, np.random.RandomState)):
        raise InvalidInputError(
            f"seed is {a_kind(seed)}, which gives another seed at each call, and a draw is a function of its "
            "arguments: give an integer in [0, 2⁶⁴) or a numpy.random.SeedSequence, such as that of the run (its .seed)"
        )
    return as_seed(seed)


def as_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """One of the words in `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise InvalidInputError(
            f"{name} is {value!r}: give one of {', '.join(map(repr, choices))}{did_you_mean(value, choices)}"
        )
    return value


def as_names(name: str, value: Any, choices: tuple[str, ...]) -> tuple[str, ...]:
    """One or several of the words in `choices`.

    Examples
    --------
    >>> as_names("only", "mean", ("mean", "cycle")), as_names("only", ["cycle", "mean"], ("mean", "cycle"))
    (('mean',), ('cycle', 'mean'))
    """
    if isinstance(value, str):
        value = (value,)
    elif not isinstance(value, Iterable):
        raise InvalidInputError(f"{name} is {value!r}: give names among {', '.join(map(repr, choices))}")
    return tuple(as_choice(f"{name}[{k}]", item, choices) for k, item in enumerate(value))


def did_you_mean(value: object, names: Collection[str]) -> str:
    """The end of a message about a word that is not known; empty where none of the `names` is near it.

    Examples
    --------
    >>> did_you_mean("reshufle", ("iid", "reshuffle", "cyclic")), did_you_mean("gpu", ("cpu", "cuda"))
    ("; did you mean 'reshuffle'?", '')
    """
    from difflib import get_close_matches  # which nobody needs who makes no mistake

    if not isinstance(value, str):
        return ""
    if same := next((name for name in names if name.casefold() == value.casefold()), ""):
        return f"; did you mean {same!r}?"
    if len(value) < 3:
        return ""
    # At .6, the usual border, three letters of which two are others' are near: cpu for gpu.
    near = [name for name in names if name.startswith(value)] or get_close_matches(value, list(names), n=1, cutoff=0.7)
    return f"; did you mean {near[0]!r}?" if near else ""


def as_effort(value: Any) -> str:
    """How much a computation may spend: "quick" or "full"."""
    return as_choice("effort", value, EFFORTS)


def read_only(array: np.ndarray) -> np.ndarray:
    """A contiguous private copy that cannot be written to."""
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy


def check_none(faults: Iterable[object]) -> None:
    """Refuse what has faults, with all of them, a line each: a file is mended at once."""
    if messages := list(dict.fromkeys(map(str, faults))):
        raise InvalidInputError("\n".join(messages))
