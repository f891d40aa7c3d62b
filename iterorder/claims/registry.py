"""What a claim is to `check_theory`: an identifier, a statement, a function, and how many tests it may spend."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from iterorder.claims.judge import Judge
from iterorder.claims.table import ClaimRow

#: The chance that the whole table raises a false alarm; every statistical test has an equal share of it.
TOTAL_LEVEL = 1e-3
#: How many times the replicas of "quick" a run with "full" has.
FULL_FACTOR = 16


@dataclass(frozen=True)
class Claim:
    """A claim of theory.md and how it is checked.

    Attributes
    ----------
    id : str
        C1, C2, …
    statement : str
        One line.
    tests : int
        The statistical tests that `check` makes, controls included: static, so that the levels add up by construction.
    check : callable
        ``check(seed, effort, judge) -> list of ClaimRow``, pure; the judge has the level of one test, and the backend.
    """

    id: str
    statement: str
    tests: int
    check: Callable[[int, str, Judge], list[ClaimRow]]

    def __repr__(self) -> str:
        return f"Claim({self.id}: {self.statement})"


def stream(seed: int, claim: str, part: str) -> int:
    """A seed for one part of one claim, by its name: no two parts meet the same noise, whichever of them run.

    Examples
    --------
    >>> stream(0, "C1", "fern") == stream(0, "C1", "fern"), stream(0, "C1", "fern") == stream(0, "C2", "fern")
    (True, False)
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(int(claim.removeprefix("C")), zlib.crc32(part.encode())))
    return int(sequence.generate_state(1, np.uint64)[0])


def replicas(effort: str, quick: int) -> int:
    """The number of replicas: `quick`, or sixteen times as many."""
    return quick * FULL_FACTOR if effort == "full" else quick
