"""What the command's exit status says: the one place, for its help, its documentation and its errors."""

from __future__ import annotations

from types import MappingProxyType

from iterorder.errors import DivergenceError, EngineError, NotContractiveError

OK, FAILED, USAGE, GONE, INTERRUPTED = 0, 1, 2, 3, 130
#: As a shell tells of a program that SIGPIPE ended: 128 and its number.
CLOSED = 141

#: In the words of the help and of docs/api/command-line.md.
MEANINGS = MappingProxyType(
    {
        OK: "all is well",
        FAILED: "the answer is no: a claim failed, a rate changed, cells ended with errors, all replicas diverged, "
        "there is no certificate, doctor finds that the backend cannot be used",
        USAGE: "wrong arguments, a package or a device that is missing, or a file that cannot be read or written",
        GONE: "what computes a sweep has gone, such as a scheduler: what was finished is kept, start again",
        INTERRUPTED: "interrupted; what was finished is kept where the command keeps anything",
        CLOSED: "the reader of a pipe has gone, such as head, before all was printed",
    }
)


def of_error(error: Exception) -> int:
    """The exit status of an error that the library raises on purpose."""
    if isinstance(error, EngineError):
        return GONE
    return FAILED if isinstance(error, (DivergenceError, NotContractiveError)) else USAGE
