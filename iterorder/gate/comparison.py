"""Rates held against a baseline, and what a comparison could have seen."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass

from iterorder.gate.rates import MeasuredRate, Unfitted, allowed_difference, detectable

#: Verdicts that let a system through. A new one is no regression; one that is gone is not checked any more.
PASSING = ("same", "faster", "new", "none")
#: All of them, in the order of the summary.
VERDICTS = ("same", "changed", "faster", "slower", "failed", "gone", "new", "none", "unexpected")


@dataclass(frozen=True)
class Comparison:
    """A rate beside that of the baseline.

    Attributes
    ----------
    system : str
        Its name in the file of systems.
    before, now : MeasuredRate, Unfitted or None
        Of the baseline, and as measured; None where a side does not have the system.
    allowed : float
        The largest difference at the level of the test, with what `rtol` adds.
    one_sided : bool
        Whether only a slower rate fails.
    expect_none : bool
        Whether the system is to have no rate.
    """

    system: str
    before: MeasuredRate | None
    now: MeasuredRate | Unfitted | None
    allowed: float
    one_sided: bool = False
    expect_none: bool = False

    @property
    def verdict(self) -> str:
        """Whether the rate is the "same" or has "changed"; one-sided "slower", or "faster", which passes.

        A system that only the baseline has is "gone", one that only the present has is "new", and where no rate could
        be fitted it "failed". One that is to have no rate has "none", also where it cannot be told from zero or
        belongs to a curve that is no exponential, or an "unexpected" one.
        """
        if self.now is None:
            return "gone"
        if self.expect_none:
            return "none" if isinstance(self.now, Unfitted) or self.now.absent else "unexpected"
        if isinstance(self.now, Unfitted):
            return "failed"
        if self.before is None:
            return "new"
        difference = self.now.rate - self.before.rate
        if abs(difference) <= self.allowed:
            return "same"
        if not self.one_sided:
            return "changed"
        return "slower" if difference > 0.0 else "faster"

    @property
    def passed(self) -> bool:
        """Whether the gate lets it through."""
        return self.verdict in PASSING

    @property
    def detectable_difference(self) -> float:
        """The difference that this comparison finds with a chance of 9 in 10; NaN where there are no two rates."""
        if self.before is None or not isinstance(self.now, MeasuredRate):
            return math.nan
        return detectable(self.before, self.now, self.allowed)

    @property
    def detectable(self) -> float:
        """The same as a share of the rate before; NaN where that cannot be told from zero."""
        if self.before is None or self.before.vanishes:
            return math.nan
        return self.detectable_difference / abs(self.before.rate)

    def to_dict(self) -> dict[str, object]:
        """For JSON: what does not exist is None."""
        compared = self.before is not None and isinstance(self.now, MeasuredRate)
        return {
            "system": self.system,
            "verdict": self.verdict,
            "passed": self.passed,
            "before": None if self.before is None else asdict(self.before),
            "now": None if self.now is None else asdict(self.now),
            "allowed_difference": self.allowed if compared else None,
            "detectable_difference": self.detectable_difference if compared else None,
            "detectable_change": None if math.isnan(self.detectable) else self.detectable,
        }


def compare(
    before: list[MeasuredRate],
    now: list[MeasuredRate | Unfitted],
    *,
    rtol: float = 0.0,
    one_sided: bool = False,
    expect_none: Collection[str] = (),
) -> list[Comparison]:
    """Each system of either list. Differences are tested at equal shares of the level of a comparison.

    Parameters
    ----------
    before, now : list
        What the baseline holds, and what was measured: `MeasuredRate` or `Unfitted`.
    rtol : float
        A true change of a rate within this share of it is the same: it adds to what the test allows, so that the
        chance of a false alarm holds for each of them.
    one_sided : bool
        Whether only a slower rate fails.
    expect_none : names of systems that are to have no rate
        A rate of theirs fails the comparison.
    """
    old, new = {rate.system: rate for rate in before}, {rate.system: rate for rate in now}
    names = list(dict.fromkeys([*old, *new]))
    rows = []
    for name in names:
        first, second = old.get(name), new.get(name)
        allowed = 0.0
        if first is not None and isinstance(second, MeasuredRate):
            allowed = allowed_difference(first, second, len(names), one_sided) + rtol * abs(first.rate)
        rows.append(Comparison(name, first, second, allowed, one_sided, name in expect_none))
    return rows
