"""A view: every control of the page, as the fragment of its address."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.orders import BACKWARD, Order, Window, as_order
from iterorder.validation import as_float, as_floats, as_int

#: Longest fragment that is read.
MAX_QUERY = 2000
#: The most that a frame may cost: replicas times steps, some tens of milliseconds in one dimension.
MAX_STEPS, MAX_REPLICAS = 500, 1_000_000


@dataclass(frozen=True)
class View:
    """All controls.

    Attributes
    ----------
    system : str
        A name of `systems.SYSTEMS`, "file", or "csv:" and the digest of a table.
    step_size, batch_size, ridge, sampling, loss
        Of SGD on rows of data; `step_size` also of other systems that have one.
    lam, a, sigma, N, s
        Of systems of the gallery.
    order : str
        Beside forward: "backward", "window:WIDTH" or "anchored:START".
    replicas, seed, steps : int
        How many paths, the key of their noise, and their length.
    start : float or tuple of float
        Every coordinate of x0, or one number for each.
    first, second : int
        Coordinates that are drawn, from 0.

    Examples
    --------
    >>> View.from_query("system=ar1&a=0.5").query
    'system=ar1&a=0.5'
    """

    system: str = "two_point_quadratic"
    step_size: float = 0.3
    batch_size: int = 1
    ridge: float = 0.0
    sampling: str = "iid"
    loss: str = "squared"
    lam: float = 0.5
    a: float = 0.9
    sigma: float = 1.0
    N: int = 5
    s: float = 0.2
    order: str = BACKWARD
    replicas: int = 100_000
    seed: int = 1
    steps: int = 100
    start: float | tuple[float, ...] = 0.0
    first: int = 0
    second: int = 1

    def __post_init__(self) -> None:
        as_int("replicas", self.replicas, low=1, high=MAX_REPLICAS)
        as_int("steps", self.steps, low=2, high=MAX_STEPS)
        as_int("seed", self.seed, low=0, high=2**64 - 1)
        as_int("batch_size", self.batch_size, low=1, high=2**31)
        as_int("N", self.N, low=2, high=2**31)
        as_int("first", self.first, low=0, high=10_000)
        as_int("second", self.second, low=0, high=10_000)
        for name in ("step_size", "ridge", "lam", "a", "sigma", "s"):
            as_float(name, getattr(self, name))
        object.__setattr__(self, "start", _one_or_each(self.start))
        _ = self.composition

    @property
    def composition(self) -> Order:
        """The order beside forward, as `simulate` takes it."""
        kind, _, number = self.order.partition(":")
        if kind in ("window", "anchored"):
            try:
                return Window(int(number)) if kind == "window" else Window(start=int(number))
            except ValueError as error:
                raise InvalidInputError(f"order is {self.order!r}: {error}") from None
        return as_order(self.order)

    def starts(self, dim: int) -> np.ndarray:
        """The start in `dim` coordinates.

        Raises
        ------
        InvalidInputError
            If it has another number of them.
        """
        if isinstance(self.start, tuple) and len(self.start) != dim:
            numbers = "one number" if dim == 1 else f"one number for all coordinates, or {dim} with commas between them"
            raise InvalidInputError(
                f"start has {len(self.start)} numbers, the maps have dimension {dim}: give {numbers}"
            )
        return np.broadcast_to(np.asarray(self.start, dtype=float), (dim,)).copy()

    def coordinates(self, dim: int) -> tuple[int, ...]:
        """The coordinates that are drawn: one on the line and where both are the same, else two.

        Raises
        ------
        InvalidInputError
            If the maps do not have them.
        """
        for name, least in (("first", 1), ("second", 2)):  # on the line the second is not looked at
            given = getattr(self, name)
            if given >= max(dim, least):
                accepted = "0" if dim == 1 else f"a number from 0 to {dim - 1}"
                raise InvalidInputError(f"{name} is {given}, but the maps have dimension {dim}: give {accepted}")
        return (self.first,) if dim == 1 or self.first == self.second else (self.first, self.second)

    @property
    def given(self) -> dict[str, Any]:
        """The controls that are not default."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if value != DEFAULTS[name]}

    @property
    def query(self) -> str:
        """What is not default, as the fragment of an address."""
        return urlencode({name: _written(value) for name, value in self.given.items()}, safe=":,")

    @classmethod
    def from_query(cls, text: str) -> View:
        """The view of a fragment.

        Raises
        ------
        InvalidInputError
            If it is too long, names what is no control, or a value is not accepted.
        """
        if len(text) > MAX_QUERY:
            raise InvalidInputError(f"the link has {len(text)} characters: at most {MAX_QUERY} are read")
        values: dict = {}
        for name, value in parse_qsl(text.lstrip("#?"), keep_blank_values=True):
            if name not in DEFAULTS:
                raise InvalidInputError(f"the link sets {name!r}: give some of {', '.join(DEFAULTS)}")
            values[name] = _read(name, value)
        return cls(**values)

    def changed(self, **controls: Any) -> View:
        """The view with other values of some controls; an order may be a `Window`, a start an array.

        Raises
        ------
        InvalidInputError
            If a name is no control, or a value is not accepted.
        """
        order = controls.get("order")
        if isinstance(order, Window):
            controls["order"] = f"window:{order.width}" if order.start is None else f"anchored:{order.start}"
        for name, value in controls.items():
            if name not in DEFAULTS:
                raise InvalidInputError(f"{name} is no control: give some of {', '.join(DEFAULTS)}")
            if isinstance(DEFAULTS[name], str) and not isinstance(value, str):
                raise InvalidInputError(f"{name} is {value!r}: give a text, such as {DEFAULTS[name]!r}")
        return replace(self, **controls)


DEFAULTS: dict[str, Any] = {item.name: item.default for item in fields(View)}


def _one_or_each(start: Any) -> float | tuple[float, ...]:
    """A number, or a tuple of several."""
    numbers = as_floats("start", start, ndim=(0, 1)).ravel().tolist()
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_written, value))
    return str(value).removesuffix(".0")


def _read(name: str, text: str):
    if name == "start":
        numbers = [_number(name, each, float, "a number, or one for each coordinate: 1,-2") for each in text.split(",")]
        return tuple(numbers)
    kind = type(DEFAULTS[name])
    if kind is str:
        return text
    return _number(name, text, kind, "a whole number" if kind is int else "a number")


def _number(name: str, text: str, kind: type, accepted: str):
    try:
        number = kind(text)
    except ValueError:
        raise InvalidInputError(f"{name} is {text!r}: give {accepted}") from None
    if not math.isfinite(number):
        raise InvalidInputError(f"{name} is {text!r}: give a finite number")
    return number
