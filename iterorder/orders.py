"""The orders in which maps are composed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from iterorder.errors import InvalidInputError
from iterorder.validation import MAX_STEPS, as_int, did_you_mean

FORWARD, BACKWARD = "forward", "backward"


@dataclass(frozen=True)
class Window:
    """Forward first, backward over the last maps.

    Exactly one of the two is given.

    Parameters
    ----------
    width : int ≥ 1, optional
        Sliding: V_n is forward to n − width, then the last `width` maps backward. V_n is the backward iterate for
        n ≤ width, and the forward iterate for width = 1.
    start : int ≥ 0, optional
        Anchored: A_n is forward to `start`, then backward from there. A_n is the forward iterate for n ≤ start, and
        the backward iterate for start = 0. Counted from the first step of the run.

    Examples
    --------
    >>> Window(60)
    Window(width=60)
    >>> Window(start=100)
    Window(start=100)
    """

    width: int | None = None
    start: int | None = None

    def __post_init__(self) -> None:
        if (self.width is None) == (self.start is None):
            raise InvalidInputError(
                f"Window(width={self.width!r}, start={self.start!r}): give a width (sliding) or a start (anchored)"
            )
        if self.width is not None:
            object.__setattr__(self, "width", as_int("width", self.width, low=1, high=MAX_STEPS))
        else:
            object.__setattr__(self, "start", as_int("start", self.start, low=0, high=MAX_STEPS))

    def __repr__(self) -> str:
        return f"Window(width={self.width})" if self.start is None else f"Window(start={self.start})"


Order: TypeAlias = str | Window
"""An order of composition: "forward", "backward", or a `Window`."""

#: Words for the orders between, as the command and the papers have them, and what they are here.
WINDOWS = {"anchored": "iterorder.Window(start=m)", "sliding": "iterorder.Window(width)"}

#: How the command and the explorer begin an order with a number, and how the object does.
SPELLED = {"window": "Window(", "sliding": "Window(", "anchored": "Window(start="}


def as_order(order: object) -> Order:
    """An order as a user gave it, checked."""
    if isinstance(order, Window) or (isinstance(order, str) and order in (FORWARD, BACKWARD)):
        return order
    if isinstance(order, str) and order in WINDOWS:
        raise InvalidInputError(f"order is {order!r}: that order is {WINDOWS[order]}, give such an object")
    kind, _, size = order.partition(":") if isinstance(order, str) else ("", "", "")
    if kind in SPELLED and size.isdecimal():
        raise InvalidInputError(f"order is {order!r}: did you mean the object iterorder.{SPELLED[kind]}{size})?")
    raise InvalidInputError(
        f"order is {order!r}: give 'forward', 'backward', Window(width) or Window(start=m)"
        f"{did_you_mean(order, (FORWARD, BACKWARD))}"
    )
