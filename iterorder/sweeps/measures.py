"""What is measured in a cell: registered measures by name with their options, or a function of a user."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.maps.base import RandomMaps
from iterorder.shown import a_kind
from iterorder.sweeps.grid import as_plain, as_value
from iterorder.sweeps.identity import described_function

#: The measure of networks.
TRAINING = "training"


@dataclass(frozen=True)
class ByReplicas:
    """A measure whose replicas can be computed in parts, on several workers, with the same bits.

    Parameters
    ----------
    part : function(maps, seed, first, count, **options) -> dict of arrays
        What is kept of the replicas [first, first + count): the first axis of each array is that of the replicas.
    join : function(maps, seed, arrays, **options) -> dict of numbers or arrays
        The result, from the arrays of all replicas.
    n_replicas : int
        Their number, unless a grid or the options have ``n_replicas``.

    Examples
    --------
    >>> from iterorder import simulate
    >>> def states(maps, seed, first, count):
    ...     run = simulate(maps, [0.0], 50, n_replicas=count, first_replica=first, seed=seed)
    ...     return {"x": run.states[:, 0, 0]}
    >>> def spread(maps, seed, arrays):
    ...     return {"variance": arrays["x"].var()}
    >>> measure = ByReplicas(states, spread, n_replicas=1000)
    """

    part: Callable[..., dict[str, Any]]
    join: Callable[..., dict[str, Any]]
    n_replicas: int


OneMeasure: TypeAlias = str | ByReplicas | Callable[..., Mapping[str, Any]]
Measures: TypeAlias = OneMeasure | Sequence[OneMeasure] | Mapping[str, Mapping[str, Any]]
"""What `sweep` measures: a name, a function or `ByReplicas`, a list of these, or a dict of names to options."""


@dataclass(frozen=True)
class Measure:
    """A measure and its options.

    Attributes
    ----------
    name : str
        That of a registered measure, or of the function.
    function : function of (maps, seed, **options), or ByReplicas
        What computes it.
    options : dict
        What the user gave; a parameter of the grid with the name of an option replaces it in its cells.
    registered : bool
        Whether the name alone says what it computes.
    notes : dict of str to dict
        Attributes of the variables: ``long_name``, ``units``, ``dims``.
    """

    name: str
    function: Any
    options: dict[str, Any] = field(default_factory=dict)
    registered: bool = False
    notes: Mapping[str, dict[str, str]] = field(default_factory=dict)

    @property
    def accepts(self) -> frozenset[str]:
        """The names of the options."""
        return _option_names(self.function)

    def given(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """The options at a point of the grid."""
        return {**self.options, **{name: value for name, value in point.items() if name in self.accepts}}

    def values(self, maps: RandomMaps, seed: int, point: Mapping[str, Any]) -> dict[str, Any]:
        """What is measured at a point."""
        if self.registered and self.name != TRAINING and not isinstance(maps, RandomMaps):
            raise InvalidInputError(f"measure {self.name!r} is of random maps, and a network has measure {TRAINING!r}")
        if isinstance(self.function, ByReplicas):
            return self.join(maps, seed, point, self.part(maps, seed, point, 0, self.replicas(point)))
        with self._told():
            return self.function(maps, seed, **self.given(point))

    def _told(self) -> AbstractContextManager[Any]:
        """Registered measures say of an unstable cell that it is one; NumPy would warn of it without naming it."""
        return np.errstate(over="ignore", invalid="ignore") if self.registered else nullcontext()

    def replicas(self, point: Mapping[str, Any]) -> int:
        """How many replicas can be computed in parts; 0 where they cannot."""
        if not isinstance(self.function, ByReplicas):
            return 0
        return int(self.given(point).get("n_replicas", self.function.n_replicas))

    def part(self, maps: RandomMaps, seed: int, point: Mapping[str, Any], first: int, count: int) -> dict[str, Any]:
        """Arrays of some replicas."""
        with self._told():
            return self.function.part(maps, seed, first, count, **_taken_by(self.function.part, self.given(point)))

    def join(self, maps: RandomMaps, seed: int, point: Mapping[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
        """What is measured, from the arrays of all replicas."""
        with self._told():
            return self.function.join(maps, seed, arrays, **_taken_by(self.function.join, self.given(point)))

    def description(self) -> dict[str, Any]:
        """What a file keeps of it."""
        options = {key: as_plain(value) for key, value in sorted(self.options.items())}
        if self.registered:
            return {"name": self.name, "options": options}
        if isinstance(self.function, ByReplicas):
            both = {"part": described_function(self.function.part), "join": described_function(self.function.join)}
            return {"name": self.name, "options": options, "replicas": self.function.n_replicas, **both}
        return {"name": self.name, "options": options, "function": described_function(self.function)}


def _taken_by(function: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """The options that one of the two functions has names for."""
    return {name: value for name, value in options.items() if name in _option_names(function)}


@cache
def _option_names(function: Any) -> frozenset[str]:
    """The keywords of a function of (maps, seed, **options)."""
    if isinstance(function, ByReplicas):
        skipped = {"maps", "seed", "first", "count", "arrays"}
        both = _option_names(function.part) | _option_names(function.join)
        return (both | {"n_replicas"}) - skipped
    parameters = list(inspect.signature(function).parameters.values())
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return frozenset(p.name for k, p in enumerate(named) if k >= 2 or p.kind is p.KEYWORD_ONLY)


def as_measures(measure: Measures) -> tuple[Measure, ...]:
    """The measures that a user gave.

    Parameters
    ----------
    measure : str, function, ByReplicas, list of these, or dict of str to dict
        A dict has names of registered measures and their options.

    Raises
    ------
    InvalidInputError
        If a name is not registered, an option unknown, or the function cannot be called with maps and a seed.
    """
    if isinstance(measure, Mapping):
        return tuple(_named(name, options) for name, options in _some(measure).items())
    if isinstance(measure, (list, tuple)):
        return tuple(found for item in _some(measure) for found in as_measures(item))
    if isinstance(measure, str):
        return (_named(measure, {}),)
    if isinstance(measure, ByReplicas):
        return (Measure(getattr(measure.join, "__qualname__", "measure"), measure),)
    if callable(measure):
        _check_signature(measure)
        return (Measure(getattr(measure, "__qualname__", type(measure).__name__), measure),)
    raise InvalidInputError(
        f"measure is {a_kind(measure)}: give the name of a measure, several names, or a function of maps and a seed"
    )


def _some(measures: Any) -> Any:
    if len(measures) == 0:
        raise InvalidInputError("measure is empty: give at least one")
    return measures


def _check_signature(function: Callable[..., Any]) -> None:
    try:
        inspect.signature(function).bind("maps", 0)
    except (TypeError, ValueError) as error:
        name = getattr(function, "__qualname__", repr(function))
        raise InvalidInputError(
            f"measure {name} cannot be called as measure(maps, seed): {error}; other arguments, also those that are "
            "parameters of the grid, need defaults, such as order='forward'"
        ) from None


def _named(name: str, options: Mapping[str, Any]) -> Measure:
    from iterorder.sweeps.registered import MEASURES

    entry = MEASURES.get(name) if isinstance(name, str) else None
    if entry is None:
        raise InvalidInputError(f"measure {name!r} is not known: give one of {', '.join(map(repr, MEASURES))}")
    if not isinstance(options, Mapping):
        raise InvalidInputError(f"measure[{name!r}] is {a_kind(options)}: give a dict of its options")
    known = _option_names(entry.function)
    for option in options:
        if option not in known:
            raise InvalidInputError(
                f"measure {name!r} has no option {option!r}: give one of {', '.join(map(repr, sorted(known)))}"
            )
    checked = {option: as_value(f"measure[{name!r}][{option!r}]", value) for option, value in options.items()}
    return Measure(name, entry.function, checked, True, entry.notes)
