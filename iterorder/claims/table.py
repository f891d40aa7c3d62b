"""The rows and the table that the claims fill."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from iterorder._version import __version__
from iterorder.drawn import drawn_by
from iterorder.files import plain
from iterorder.html import notebook_html
from iterorder.labelled import frame

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

PASS, FAIL, SKIPPED = "pass", "fail", "skipped"
CLAIM, CONTROL = "claim", "control"
RELATIONS = ("=", "≤", "≥")
#: The headings of `ClaimRow.cells`.
COLUMNS = ("claim", "system", "predicted", "measured", "uncertainty", "verdict")


@dataclass(frozen=True)
class ClaimRow:
    """One comparison of a measured number with what a claim predicts.

    Attributes
    ----------
    claim : str
        C1, C2, … of theory.md.
    system : str
        The random maps that were simulated, in words.
    predicted : float
        What the theory says.
    measured : float
        NaN where the row was skipped.
    uncertainty : float
        The largest deviation from the prediction that the comparison allows: a quantile of the sampling error at the
        row's `level`, or a derived bound of truncation and rounding where `level` is zero.
    verdict : {"pass", "fail", "skipped"}
        A *control* passes when its comparison fails: its prediction is wrong, and has to be rejected.
    quantity : str
        What is predicted and measured.
    relation : {"=", "≤", "≥"}
        How the measured number is to stand to the predicted one.
    kind : {"claim", "control"}
        Whether the row confirms a prediction, or shows that a wrong one is rejected.
    level : float
        The probability with which the row fails although the theory holds; zero for deterministic comparisons.
    note : str
        Why a row was skipped, or what to keep in mind.
    """

    claim: str
    system: str
    predicted: float
    measured: float
    uncertainty: float
    verdict: str
    quantity: str = ""
    relation: str = "="
    kind: str = CLAIM
    level: float = 0.0
    note: str = ""

    def __repr__(self) -> str:
        return f"ClaimRow({', '.join(cell for cell in self.cells() if cell)})"

    @classmethod
    def compared(
        cls,
        claim: str,
        system: str,
        quantity: str,
        predicted: float,
        measured: float,
        uncertainty: float,
        *,
        relation: str = "=",
        control: bool = False,
        level: float = 0.0,
        note: str = "",
    ) -> ClaimRow:
        """The row of a comparison, judged.

        Examples
        --------
        >>> ClaimRow.compared("C3", "a walk", "mean square increment", 0.5, 0.52, 0.03).verdict
        'pass'
        >>> ClaimRow.compared("C3", "a walk", "mean square increment", 0.5, 0.52, 0.03, control=True).verdict
        'fail'
        """
        predicted, measured, uncertainty = float(predicted), float(measured), float(uncertainty)
        agrees = _agrees(predicted, measured, uncertainty, relation)
        # A number that does not exist neither confirms a claim nor rejects a control.
        known = math.isfinite(predicted) and math.isfinite(measured) and math.isfinite(uncertainty)
        verdict = PASS if known and agrees != control else FAIL
        kind = CONTROL if control else CLAIM
        return cls(claim, system, predicted, measured, uncertainty, verdict, quantity, relation, kind, level, note)

    @classmethod
    def skipped(cls, claim: str, system: str, reason: str) -> ClaimRow:
        """A row that could not be measured here; it is no failure."""
        return cls(claim, system, math.nan, math.nan, math.nan, SKIPPED, note=reason)

    def cells(self) -> tuple[str, str, str, str, str, str]:
        """The row as text under `COLUMNS`."""
        name = f"{self.claim} control" if self.kind == CONTROL else self.claim
        if self.verdict == SKIPPED:
            return name, f"{self.system}: {self.note}", "", "", "", SKIPPED
        verdict = self.verdict
        if self.kind == CONTROL:
            verdict = "pass: rejected" if self.verdict == PASS else "fail: not rejected"
        sign = "" if self.relation == "=" else f"{self.relation} "
        return (
            name,
            f"{self.system}: {self.quantity}",
            f"{sign}{self.predicted:.5g}",
            f"{self.measured:.5g}",
            f"± {self.uncertainty:.2g}",
            verdict,
        )


def _agrees(predicted: float, measured: float, uncertainty: float, relation: str) -> bool:
    if relation == "≤":
        return measured <= predicted + uncertainty
    if relation == "≥":
        return measured >= predicted - uncertainty
    if relation != "=":
        raise ValueError(f"relation is {relation!r}: give one of {', '.join(RELATIONS)}")
    return abs(measured - predicted) <= uncertainty


@dataclass(frozen=True)
class ClaimTable:
    """The rows of a run of `check_theory`.

    Attributes
    ----------
    rows : tuple of ClaimRow
        The comparisons, claim by claim.
    seed : int
        That of the run: the same one gives the same rows.
    effort : {"quick", "full"}
        How much was simulated, as in `check_theory`.
    """

    rows: tuple[ClaimRow, ...]
    seed: int
    effort: str

    @property
    def passed(self) -> bool:
        """True when no row failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[ClaimRow, ...]:
        """The rows that failed."""
        return self._with(FAIL)

    @property
    def skipped(self) -> tuple[ClaimRow, ...]:
        """The rows that could not be measured here."""
        return self._with(SKIPPED)

    @property
    def level(self) -> float:
        """Bound of the probability that any row fails although the theory holds: the sum of the rows' levels."""
        return math.fsum(row.level for row in self.rows)

    def __repr__(self) -> str:
        return f"ClaimTable({self.summary()})"

    def _repr_html_(self) -> str:
        return notebook_html("ClaimTable", (row.cells() for row in self.rows), COLUMNS, self.summary())

    def _with(self, verdict: str) -> tuple[ClaimRow, ...]:
        return tuple(row for row in self.rows if row.verdict == verdict)

    def summary(self) -> str:
        """One line: how many rows passed, how many are controls, and the chance of a false alarm."""
        passed = self._with(PASS)
        controls = sum(row.kind == CONTROL for row in passed)
        told = f" ({controls} of them controls, rejected as they must be)" if controls else ""
        parts = [f"{len(passed)} rows pass{told}"]
        parts += [f"{len(self.failures)} fail"]
        parts += [f"{len(self.skipped)} skipped"] if self.skipped else []
        return (
            ", ".join(parts) + f"; chance of a false alarm at most {self.level:.1g} (seed {self.seed}, {self.effort})"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how far each measured number is from the predicted one, in units of the deviation that is allowed.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            New ones by pyplot if there are none.

        Returns
        -------
        matplotlib Axes
            A line of dots for each claim, on an axis that is logarithmic beyond 2. Open diamonds are controls: their
            predictions are wrong, so they must be outside. Of a relation ≤ or ≥ the wrong side is the right one of
            the picture.
        """
        return drawn_by("tables", self, ax)

    def to_dict(self) -> dict[str, object]:
        """The table for JSON: numbers that do not exist are None.

        Examples
        --------
        >>> sorted(ClaimTable((), 0, "quick").to_dict())
        ['effort', 'level', 'passed', 'rows', 'seed', 'version']
        """
        return {
            "version": __version__,
            "seed": self.seed,
            "effort": self.effort,
            "passed": self.passed,
            "level": self.level,
            "rows": [plain(asdict(row)) for row in self.rows],
        }

    def to_dataframe(self) -> pandas.DataFrame:
        """The table for pandas: a row for each `ClaimRow`, a column for each of its attributes.

        Raises
        ------
        BackendUnavailableError
            If pandas is not installed.
        """
        columns = {item.name: [getattr(row, item.name) for row in self.rows] for item in fields(ClaimRow)}
        return frame(columns, {"row": np.arange(len(self.rows))})

    def __str__(self) -> str:
        return "\n".join([*_aligned([COLUMNS, *(row.cells() for row in self.rows)]), self.summary()])


def _aligned(lines: Iterable[tuple[str, ...]]) -> list[str]:
    lines = list(lines)
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
