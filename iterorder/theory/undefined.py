"""The exception that carries why a number of the theory does not exist."""

from __future__ import annotations

from iterorder.errors import IterorderError


class Undefined(IterorderError):
    """A quantity does not exist for this system, or no formula for it is known; the message is a full sentence.

    Raised by the parts that `iterorder.theory.theory` calls, which turns it into None with a reason.
    """


class NoLawReachedError(Undefined):
    """There is no stationary law because states, or products of linear parts, leave every bound: an unstable system."""


class NoMinimizerError(Undefined):
    """The losses have no minimiser, around which alone a stationary law could lie: states drift off for ever."""
