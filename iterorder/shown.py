"""Short texts of values for the reprs of results: shapes and main facts, never whole arrays."""

from __future__ import annotations

import dataclasses

import numpy as np

#: Arrays of no more numbers are shown as they are.
FEW = 3


def shown(value) -> str:
    """A value in a few characters: numbers to six digits, arrays by their shape unless they are tiny.

    Examples
    --------
    >>> shown(np.zeros((442, 10))), shown(np.array([0.5, 0.25])), shown(0.1), shown("iid")
    ('(442, 10)', '[0.5, 0.25]', '0.1', "'iid'")
    """
    if isinstance(value, np.ndarray):
        if value.ndim == 1 and value.size <= FEW:
            return f"[{', '.join(shown(number) for number in value.tolist())}]"
        return str(value.shape)
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.6g}"
    return repr(value)


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
        item.name: str(value.shape) if isinstance(value, np.ndarray) else shown(value)
        for item in dataclasses.fields(instance)
        if item.repr
        and (value := getattr(instance, item.name)) is not None
        and not (isinstance(value, float) and value == item.default == 0.0)
    }
    return call(type(instance).__name__, facts)


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
