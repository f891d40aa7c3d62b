"""The exceptions of iterorder: each names the argument, shows the value and says what to try."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from iterorder.trajectory import Trajectory


class IterorderError(Exception):
    """Base of every error that iterorder raises on purpose."""


class InvalidInputError(IterorderError, ValueError):
    """An argument has a wrong shape, type or value; the message shows it and says what is accepted."""


class NotContractiveError(IterorderError):
    """A certificate was asked for that the random-map system does not have."""


class DivergenceError(IterorderError):
    """Every replica left the finite numbers.

    Attributes
    ----------
    trajectory : Trajectory
        What was computed; ``trajectory.diverged_at`` tells when each replica diverged.
    """

    def __init__(self, message: str, trajectory: Trajectory | None = None):
        super().__init__(message)
        self.trajectory = trajectory


class AccuracyError(IterorderError):
    """A number cannot be had as accurate as it is documented, or not within the time that it may take."""


class LedgerError(IterorderError, RuntimeError):
    """The file of a sweep cannot be read or written, or is damaged; the message says what to do."""


class EngineError(IterorderError, RuntimeError):
    """What computes a sweep has gone, such as a scheduler; what was finished is kept."""


class MapCompilationError(IterorderError, TypeError):
    """A user's map, or the slope of a loss, could not be compiled for the target."""

    @classmethod
    def of(
        cls, step: Callable, reason: str, hint: str, line: int | None = None, called: str = "map"
    ) -> MapCompilationError:
        """The error that names the function, its file and line, the reason in one line and what to do."""
        code = getattr(step, "__code__", None)
        place = "" if code is None else f" ({code.co_filename}:{line or code.co_firstlineno})"
        name = getattr(step, "__qualname__", repr(step))
        return cls(f"the {called} {name!r}{place} {reason}\n  hint: {hint}")


class BackendUnavailableError(IterorderError, RuntimeError):
    """An optional backend or dependency is missing.

    Attributes
    ----------
    reason : str
        Why it cannot be used, and what to install or set.
    """

    def __init__(self, message: str, reason: str = ""):
        super().__init__(message)
        self.reason = reason or message
