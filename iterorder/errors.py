"""The exceptions of iterorder: each names the argument, shows the value and says what to try."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from iterorder.trajectory import Trajectory
    from iterorder.types import PathLike


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
        What was computed; ``trajectory.diverged_at`` tells when each replica diverged. Of `networks.train`, the run.
    """

    def __init__(self, message: str, trajectory: Trajectory | None = None, *, holds: str = "") -> None:
        super().__init__(message)
        self.trajectory = trajectory
        if holds:  # beside the message, which a command shows to those who do not write Python
            self.add_note(f"the error's .trajectory holds {holds}")


class AccuracyError(IterorderError):
    """A number cannot be had as accurate as it is documented, or not within the time that it may take."""


class NotWrittenError(IterorderError, OSError):
    """A file or a folder cannot be written; the message has its path, the reason, and what to do.

    Attributes
    ----------
    errno : int or None
        The number of the system's error, as of every OSError.
    """

    @classmethod
    def of(cls, path: PathLike, error: OSError) -> NotWrittenError:
        """An error of the system, in our words."""
        advice = "give a path that can be written to"
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            advice = "make room, or give a path on another disk"
        elif error.errno == errno.ENAMETOOLONG:
            advice = "give a shorter name"
        found = cls(f"{path} cannot be written ({error.strerror or error}): {advice}")
        found.errno = error.errno
        return found


class LedgerError(IterorderError, RuntimeError):
    """The file of a sweep cannot be read or written, or is damaged; the message says what to do."""


class EngineError(IterorderError, RuntimeError):
    """What computes a sweep has gone, such as a scheduler; what was finished is kept."""


class MapCompilationError(IterorderError, TypeError):
    """A user's map, or the slope of a loss, could not be compiled for the target."""

    @classmethod
    def of(
        cls, step: Callable[..., Any], reason: str, hint: str, line: int | None = None, called: str = "map"
    ) -> MapCompilationError:
        """The error that names the function, its file and line, the reason in one line and what to do."""
        code = getattr(step, "__code__", None)
        place = "" if code is None else f" ({code.co_filename}:{line or code.co_firstlineno})"
        name = getattr(step, "__qualname__", repr(step))
        return cls(f"the {called} {name!r}{place} {reason}\n  hint: {hint}")


class BackendUnavailableError(IterorderError, RuntimeError):
    """An optional backend or dependency is missing; the message ends with what to install or set.

    Attributes
    ----------
    reason : str
        One word for programs. Of packages for everything but GPUs "package-missing", and where NUMBA_DISABLE_JIT is
        set "compiler-disabled". Of ``backend="cuda"``, in the order in which it is asked:

        - "simulator-too-late": NUMBA_ENABLE_CUDASIM was changed after Numba was imported;
        - "cupy-missing", "compiler-missing": CuPy or numba-cuda is not installed;
        - "numpy-too-new": NumPy is newer than both were made for;
        - "cupy-broken": CuPy is installed and cannot be imported;
        - "libnvvm-missing": the library with which numba-cuda compiles is not found;
        - "no-driver", "driver-too-old": of NVIDIA's driver;
        - "no-device": the driver shows no GPU to this process;
        - "no-checks": numba-cuda does not check indices, which maps of users need;
        - "forked": the GPU was used before this process was forked.

    Notes
    -----
    `iterorder.backend_info` tells the same without an error.
    """

    def __init__(self, message: str, reason: str = "package-missing") -> None:
        super().__init__(message)
        self.reason = reason
