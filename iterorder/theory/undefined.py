"""The exception that carries why a number of the theory does not exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from iterorder.errors import IterorderError

Value = TypeVar("Value")


class Undefined(IterorderError):
    """A quantity does not exist for this system, or no formula for it is known; the message is a full sentence.

    Raised by the parts that `iterorder.theory.theory` calls, which turns it into None with a reason.
    """


class NoLawReachedError(Undefined):
    """There is no stationary law because states, or products of linear parts, leave every bound: an unstable system."""


class NoMinimizerError(Undefined):
    """The losses have no minimiser, around which alone a stationary law could lie: states drift off for ever."""


def value_or_reason(compute: Callable[[], Value]) -> tuple[Value | None, str]:
    """What is computed and no reason, or None and a sentence that says why there is nothing."""
    try:
        # Entries near the end of the range of floating point overflow in products: infinities are caught below.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            value = compute()
        if not isinstance(value, np.ndarray) or np.isfinite(value).all():
            return value, ""
        return None, "the solution exceeds the range of floating point"
    except Undefined as undefined:
        return None, str(undefined)
    except np.linalg.LinAlgError as error:
        return None, f"a linear solver failed, on entries far too large or too small: {error}"
