"""Short texts of values for the reprs of results: shapes and main facts, never whole arrays."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod

import numpy as np

from iterorder.html import facts_html

#: Arrays of no more numbers are shown as they are.
FEW = 3


def shown(value) -> str:
    """A value in a few characters: numbers to six digits, arrays by their shape unless they are tiny.

    Examples
    --------
    >>> shown(np.zeros((442, 10))), shown(np.array([0.5, 0.25])), shown(np.eye(1)), shown(0.1), shown("iid")
    ('<shape 442×10>', '[0.5, 0.25]', '[[1]]', '0.1', "'iid'")
    """
    if isinstance(value, np.ndarray):
        return _nested(value.tolist()) if 0 < value.size <= FEW else shape_shown(value.shape)
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.6g}"
    return repr(value)


def _nested(values) -> str:
    """Numbers in lists of lists."""
    return f"[{', '.join(map(_nested, values))}]" if isinstance(values, list) else shown(values)


def shape_shown(shape: tuple[int, ...], kind: object = None) -> str:
    """A shape, and a type of numbers, so that nobody takes them for values.

    Examples
    --------
    >>> shape_shown((442, 10)), shape_shown((5, 1, 2), np.dtype("float32"))
    ('<shape 442×10>', '<shape 5×1×2, float32>')
    """
    return f"<shape {'×'.join(map(str, shape))}{'' if kind is None else f', {kind}'}>"


def a_kind(value) -> str:
    """The type of a value with its article, for errors.

    Examples
    --------
    >>> a_kind(3), a_kind([]), a_kind(object())
    ('an int', 'a list', 'an object')
    """
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in tuple('aeio') else 'a'} {name}"


def call(name: str, facts: dict[str, str]) -> str:
    """``name(key=fact, …)``."""
    return f"{name}({', '.join(f'{key}={fact}' for key, fact in facts.items())})"


def fields_shown(instance) -> str:
    """The repr of a dataclass whose arrays are shown by their shapes; what is None, or zero by default, is left out."""
    facts = {
        item.name: shown(value)
        for item in dataclasses.fields(instance)
        if item.repr
        and (value := getattr(instance, item.name)) is not None
        and not (isinstance(value, float) and value == item.default == 0.0)
    }
    return call(type(instance).__name__, facts)


class ShownByFacts:
    """A result that shows a few facts about itself: as a line in a terminal, as a table in a notebook."""

    @abstractmethod
    def _facts(self) -> dict[str, str]:
        """Texts by their names, in the order in which they are shown."""

    def __repr__(self) -> str:
        return call(type(self).__name__, self._facts())

    def _repr_html_(self) -> str:
        return facts_html(type(self).__name__, self._facts())


def interval_shown(low: float, high: float) -> str:
    """The ends of an interval, to four digits.

    Examples
    --------
    >>> interval_shown(-0.0390955, float("inf"))
    '[-0.0391, inf]'
    """
    return f"[{low:.4g}, {high:.4g}]"


def span(values: np.ndarray) -> str:
    """The smallest and the largest number, or the one that all are; "nothing" where none is finite.

    Examples
    --------
    >>> span(np.array([3, 1, 2])), span(np.array([2.5, 2.5, np.nan]))
    ('1…3', '2.5')
    """
    values = np.asarray(values)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return "nothing finite"
    low, high = finite.min().item(), finite.max().item()
    return shown(low) if low == high else f"{shown(low)}…{shown(high)}"
