"""How a measured number is held against a prediction: every comparison with its level or its derived bound.

Each method returns a row. With ``control=True`` the prediction is known to be wrong and the row passes when it is
rejected; sample sizes are such that the chance of missing it is far below the level, which the row spends all the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from iterorder.claims.table import ClaimRow
from iterorder.errors import BackendUnavailableError

EPS = float(np.finfo(np.float64).eps)
#: From this sample size on the two-sample form of the Dvoretzky–Kiefer–Wolfowitz inequality has the constant 2 [2].
MIN_TWO_SAMPLE = 458
#: The measured skewness times this is taken for the true one.
SKEWNESS_MARGIN = 2.0


@dataclass(frozen=True)
class Judge:
    """Makes the rows of one claim.

    Parameters
    ----------
    claim : str
        Its number, such as "C5": the first cell of every row.
    level : float
        Of each statistical test.
    backend : str
        Of the simulations that are judged.

    References
    ----------
    .. [1] Massart (1990), The tight constant in the Dvoretzky–Kiefer–Wolfowitz inequality, Annals of Probability 18(3).
    .. [2] Wei, Dudley (2012), Two-sample Dvoretzky–Kiefer–Wolfowitz inequalities, Statistics & Probability Letters 82.
    """

    claim: str
    level: float
    backend: str = "cpu"

    def compare(
        self, system, quantity, predicted, measured, bound, *, relation="=", control=False, note=""
    ) -> ClaimRow:
        """A deterministic comparison: `bound` is derived from truncation and rounding, no level is spent."""
        return ClaimRow.compared(
            self.claim, system, quantity, predicted, measured, bound, relation=relation, control=control, note=note
        )

    def test(self, system, quantity, predicted, measured, allowed, *, relation="=", control=False, note="") -> ClaimRow:
        """A comparison whose `allowed` deviation was computed at this judge's level."""
        return ClaimRow.compared(
            self.claim,
            system,
            quantity,
            predicted,
            measured,
            allowed,
            relation=relation,
            control=control,
            level=self.level,
            note=note,
        )

    def mean(
        self, system, quantity, predicted, samples, *, error=0.0, bias=0.0, relation="=", control=False, note=""
    ) -> ClaimRow:
        """Student's test of the mean of independent samples, shape (R,).

        Parameters
        ----------
        predicted : float
            What the mean is by the theory.
        error : float
            Standard error of the prediction itself.
        bias : float
            Bound of truncation and rounding in the samples.
        """
        samples = np.asarray(samples, np.float64)
        spread = math.hypot(float(samples.std(ddof=1)) / math.sqrt(len(samples)), error)
        skew, count = skewness(samples), len(samples)
        if relation == "=":
            quantile = mean_quantile(self.level, skew, count)
        else:  # the dangerous side of "≤" is a mean that is too high, that of "≥" one that is too low
            quantile = upper_quantile(self.level, skew if relation == "≤" else -skew, count)
        allowed = quantile * spread + bias
        return self.test(
            system, quantity, predicted, samples.mean(), allowed, relation=relation, control=control, note=note
        )

    def means(self, system, quantity, predicted, samples, *, bias=0.0, control=False, note="") -> ClaimRow:
        """The same for k means at once, samples (R, k): the largest deviation in standard errors."""
        samples = np.asarray(samples, np.float64)
        count, tests = samples.shape
        spread = samples.std(axis=0, ddof=1) / math.sqrt(count)
        deviation = np.maximum(np.abs(samples.mean(axis=0) - predicted) - bias, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            score = np.where(deviation > 0.0, deviation / spread, 0.0)
        skew = max(abs(skewness(column)) for column in samples.T)
        allowed = mean_quantile(self.level / tests, skew, count)
        return self.test(system, quantity, 0.0, score.max(), allowed, control=control, note=note)

    def same_law(self, system, quantity, u, v, *, rounding=0.0, control=False, note="") -> ClaimRow:
        """Two-sample Kolmogorov–Smirnov test of every column of u and v, shapes (R, k).

        The critical value is the Dvoretzky–Kiefer–Wolfowitz bound [2]_: valid for every law, atoms included.

        Parameters
        ----------
        rounding : float
            Values of both samples may be off by half of this: atoms that differ by rounding count as equal.
        """
        count, tests = u.shape
        if v.shape != u.shape or count < MIN_TWO_SAMPLE:
            raise ValueError(f"samples {u.shape}, {v.shape}: two equal shapes with at least {MIN_TWO_SAMPLE} rows")
        gap = max(cdf_gap(u[:, k], v[:, k], rounding) for k in range(tests))
        critical = math.sqrt(math.log(2.0 * tests / self.level) / count)
        return self.test(system, quantity, 0.0, gap, critical, control=control, note=note)

    def law(self, system, quantity, sample, cdf, *, rounding=0.0, control=False, note="") -> ClaimRow:
        """Kolmogorov–Smirnov test of a sample (R,) against a law, with Massart's critical value [1]_."""
        critical = math.sqrt(math.log(2.0 / self.level) / (2.0 * len(sample)))
        gap = cdf_gap_to(sample, cdf, rounding)
        return self.test(system, quantity, 0.0, gap, critical, control=control, note=note)

    def transport_allowance(self, count: int, width: float, samples: int = 1) -> float:
        """How far W_1 to (between) empirical measures of a law on an interval may be from W_1 to (between) the laws.

        W_1 of R points to their own law on an interval of length L has a mean of at most L/(2√R), as ∫√(F(1−F)) ≤ L/2,
        and moves by at most L/R with one point: McDiarmid's inequality gives the deviation at this judge's level.
        """
        return samples * width * (0.5 + math.sqrt(math.log(samples / self.level) / 2.0)) / math.sqrt(count)

    def where_available(self, system: str, rows: Callable[[], list[ClaimRow]]) -> list[ClaimRow]:
        """The rows, or one that says why they were skipped where an optional dependency is missing."""
        try:
            return rows()
        except BackendUnavailableError as error:
            return [ClaimRow.skipped(self.claim, system, str(error))]


def skewness(samples: np.ndarray) -> float:
    """Third standardised moment, shape (R,); zero for a constant."""
    deviations = samples - samples.mean()
    variance = float((deviations**2).mean())
    # A spread below rounding is none.
    if variance <= (EPS * float(np.abs(samples).max())) ** 2:
        return 0.0
    return float((deviations**3).mean()) / variance**1.5


def mean_quantile(level: float, skew: float, count: int) -> float:
    """Two-sided critical value of (mean − true mean)/(standard error) for `count` samples of a given skewness.

    Examples
    --------
    >>> round(mean_quantile(0.05, 0.0, 10**6), 3), mean_quantile(1e-6, 30.0, 100)
    (1.96, inf)
    """
    return _adverse_quantile(0.5 * level, abs(skew), count)


def upper_quantile(level: float, skew: float, count: int) -> float:
    """One-sided critical value: (mean − true mean)/(standard error) exceeds it with probability `level`.

    Positive skewness makes large means come with large standard errors, and this side safer: only negative skewness
    counts.

    Examples
    --------
    >>> round(upper_quantile(0.025, 30.0, 10**6), 3)
    1.96
    """
    return _adverse_quantile(level, max(-skew, 0.0), count)


def _adverse_quantile(level: float, skew: float, count: int) -> float:
    """Student's quantile z, stretched for the side that the skewness s ≥ 0 makes more likely, by Hall's transformation.

    T + gT²/3 + g²T³/27 with g = s/√R is normal to second order [1]_ (its constant g/6, below one percent of z here, is
    on the safe side for one of the two): it reaches −z at T = −(3/g)(1 − (1−gz)^⅓). Infinite where that is no longer
    monotone, gz > 1: the mean of so few samples of so skew a law cannot be tested at this level. The measured skewness
    is multiplied by `SKEWNESS_MARGIN`, as samples without their largest values underestimate it with the mean.

    References
    ----------
    .. [1] Hall (1992), On the removal of skewness by transformation, Journal of the Royal Statistical Society B 54(1).
    """
    from scipy.special import stdtrit

    z = -float(stdtrit(count - 1, level))
    stretch = SKEWNESS_MARGIN * skew / math.sqrt(count)
    if stretch * z > 1.0:
        return math.inf
    if stretch * z < 1e-6:  # the difference below would cancel; the stretch is 1 + gz/3
        return z * (1.0 + stretch * z / 3.0)
    return 3.0 / stretch * (1.0 - math.cbrt(1.0 - stretch * z))


def cdf_gap(u: np.ndarray, v: np.ndarray, rounding: float = 0.0) -> float:
    """sup_x |F_u(x) − F_v(x)|, where values that differ by at most `rounding` count as equal.

    Never above the gap of the samples that were rounded by at most half of `rounding`.

    Examples
    --------
    >>> cdf_gap(np.array([0.0, 1.0]), np.array([1e-9, 2.0]), 1e-8)
    0.5
    """
    return max(_excess(u, v, rounding), _excess(v, u, rounding))


def _excess(u, v, rounding) -> float:
    """sup_x F_u(x) − F_v(x + rounding), reached at a point of u."""
    u, v = np.sort(u), np.sort(v)
    below_u = np.searchsorted(u, u, side="right") / len(u)
    below_v = np.searchsorted(v, u + rounding, side="right") / len(v)
    return float((below_u - below_v).max())


def cdf_gap_to(sample: np.ndarray, cdf: Callable, rounding: float = 0.0) -> float:
    """sup_x |F_sample(x) − F(x)| for a law's `cdf`, points known to `rounding`.

    Examples
    --------
    >>> cdf_gap_to(np.array([0.5]), lambda x: x)
    0.5
    """
    points = np.sort(sample)
    ranks = np.arange(1, len(points) + 1) / len(points)
    above = ranks - cdf(points + rounding)
    below = cdf(points - rounding) - (ranks - 1.0 / len(points))
    return float(max(above.max(), below.max()))
