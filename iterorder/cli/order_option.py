"""`--order` and `--save-steps`, as they are typed."""

from __future__ import annotations

from iterorder.errors import InvalidInputError
from iterorder.orders import BACKWARD, FORWARD, Order, Window
from iterorder.validation import did_you_mean

SLIDING, ANCHORED = "sliding", "anchored"
ORDERS = (FORWARD, BACKWARD, f"{SLIDING}:W", f"{ANCHORED}:M")


def as_order(text: str) -> Order:
    """The order that a text names.

    Examples
    --------
    >>> as_order("backward"), as_order("sliding:60"), as_order("anchored:100")
    ('backward', Window(width=60), Window(start=100))
    """
    kind, colon, size = text.partition(":")
    if kind in (FORWARD, BACKWARD) and not colon:
        return kind
    if kind not in (SLIDING, ANCHORED):
        meant = did_you_mean(kind, (FORWARD, BACKWARD, SLIDING, ANCHORED))
        raise InvalidInputError(f"--order {text!r} is not known: give one of {', '.join(ORDERS)}{meant}")
    if not size.isdecimal():
        raise InvalidInputError(f"--order {text!r} has no number: give such as {kind}:60")
    try:
        return Window(int(size)) if kind == SLIDING else Window(start=int(size))
    except InvalidInputError as error:
        raise InvalidInputError(f"--order {text!r}: {error}") from None


def as_save_steps(text: str | None, n_steps: int) -> list[int] | str | None:
    """What `simulate` takes: "all", numbers, or None for the last step.

    Examples
    --------
    >>> as_save_steps("every:40", 100), as_save_steps("10,100", 100), as_save_steps("all", 100)
    ([0, 40, 80, 100], [10, 100], 'all')
    """
    if text is None or text == "all":
        return text
    every, colon, stride = text.partition(":")
    if every == "every" and colon and stride.isdecimal() and int(stride) > 0:
        return sorted({*range(0, n_steps + 1, int(stride)), n_steps})
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise InvalidInputError(f"--save-steps {text!r} is not known: give all, every:10 or 10,100,1000") from None
