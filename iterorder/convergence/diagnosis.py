"""Whether paths settle on a point, keep moving in a steady law, or leave."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from iterorder.convergence.fit_window import EPS
from iterorder.convergence.norms import euclidean_norm, path_diameters
from iterorder.convergence.replica_blocks import run_in_blocks
from iterorder.maps import RandomMaps
from iterorder.orders import Order, as_order
from iterorder.request import as_replicas, as_starts, as_system
from iterorder.shown import call, shown, span
from iterorder.validation import MAX_STEPS, as_int, as_seed

# The rule of the public contract. Ratios of the late to the early diameter:
POINT_RATIO, MOVING_RATIO, DIVERGING_RATIO = 0.75, 0.9, 10.0
DIVERGED_SHARE = 0.5
STEADY_LEVEL = 1e-3
ROUNDING_UNITS = 64
#: The reason that stands for a law that still moves, where it always will.
CYCLE = (
    "the late diameter is {ratio:.3g} times the early one, and in cyclic order the law goes round with the epoch: a "
    "path that has settled on the cycle, theory(maps).cycle, is neither a point nor a steady law"
)
# Saved steps of one window: all pairs of them are compared.
WINDOW_POINTS = 256
# Two points in the early window (n/4, n/2].
MIN_STEPS = 8


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a diagnosis rests on.

    Attributes
    ----------
    early_diameter, late_diameter : float
        Medians over the replicas of the diameter of the path over (n/4, n/2] and (n/2, n]; inf where at least half of
        the paths left the finite numbers.
    ratio : float
        Late over early; NaN for 0/0.
    scale : float
        Size of the states (the largest on a path, median over the replicas), times the number of roundings that can
        add up: a contraction 1−h stalls at eps/h, and it can only have got there by step n/2 if 1/h < n/(2·log(1/eps)).
    p_value : float
        Of equal laws at `compared_steps`: Kolmogorov–Smirnov for each coordinate, times the dimension, on disjoint
        halves of the replicas. NaN where so few replicas can never reach the level of 10⁻³, or one has no finite half.
    diverged_fraction : float
        Replicas that left the finite numbers.
    early_steps, late_steps : ndarray of int64
        The saved steps of the two windows.
    compared_steps : tuple of two ints
        About n/2, and n. Reshuffling: a whole number of epochs apart. Cyclic order: not so, as the law goes round.
    reason : str
        A sentence that says which rule led to the verdict.
    """

    early_diameter: float
    late_diameter: float
    ratio: float
    scale: float
    p_value: float
    diverged_fraction: float
    early_steps: np.ndarray
    late_steps: np.ndarray
    compared_steps: tuple[int, int]
    reason: str

    def __repr__(self) -> str:
        facts = {
            "early_diameter": f"{shown(self.early_diameter)} (steps {span(self.early_steps)})",
            "late_diameter": f"{shown(self.late_diameter)} (steps {span(self.late_steps)})",
            "p_value": f"{shown(self.p_value)} (steps {self.compared_steps[0]} and {self.compared_steps[1]})",
            "diverged_fraction": shown(self.diverged_fraction),
            "reason": repr(self.reason),
        }
        return call("Evidence", facts)


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """The verdict on a system and an order.

    Attributes
    ----------
    verdict : {"point", "distribution", "diverges", "inconclusive"}
    evidence : Evidence
    """

    verdict: str
    evidence: Evidence

    def __repr__(self) -> str:
        return f"Diagnosis({self.verdict!r}: {self.evidence.reason})"


def diagnose(maps, x0, n_steps: int, *, order: Order, n_replicas: int, seed) -> Diagnosis:
    """Tell whether paths settle on a point, keep moving in a steady law, or diverge.

    Parameters
    ----------
    maps : RandomMaps
    x0 : array_like, shape (dim,) or (n_replicas, dim)
    n_steps : int in [8, 2⁶²]
    order : {"forward", "backward"} or Window
    n_replicas : int ≥ 1
        At least 14 for the verdict "distribution" in one dimension; a hundred or more to tell laws apart.
    seed : int in [0, 2⁶⁴) or numpy SeedSequence

    Returns
    -------
    Diagnosis

    Raises
    ------
    InvalidInputError
        If an argument is not as described; the message shows it.

    Notes
    -----
    D1 and D2 are the median diameters of the paths over (n/4, n/2] and (n/2, n]. In this order:

    - "diverges" if at least half of the replicas left the finite numbers;
    - "point" if D2 ≤ 64·eps·scale: at rounding;
    - "diverges" if D2/D1 > 10;
    - "point" if D2/D1 ≤ .75;
    - "distribution" if D2/D1 ≥ .9 and the laws at n/2 and n are not told apart at 10⁻³;
    - "inconclusive" otherwise: a slow system has not settled and its law still moves. Give more steps.

    In cyclic order the law of forward paths goes round a cycle (C13), which is neither a point nor a steady law: such a
    run is "inconclusive" however long it is, and its reason says so.

    It is a rule about the steps it saw, not a proof: a forward path that still approaches its law from a distant
    start shrinks like one that settles. Give n_steps well beyond the transient.

    Windows of more than 256 steps are sampled, one step at random in each of 256 equal parts (always the same): a
    regular stride could meet a cycle at one phase only. Every random-map system that contracts on average settles
    backward (C2) and keeps moving forward (C3), unless all maps share a fixed point (C14).

    References
    ----------
    .. [1] Diaconis, Freedman (1999), Iterated random functions, SIAM Review 41(1).

    Examples
    --------
    >>> from iterorder import gallery
    >>> maps = gallery.two_point_quadratic(0.3)
    >>> for order in ("forward", "backward"):
    ...     print(order, diagnose(maps, [0.0], 200, order=order, n_replicas=50, seed=1).verdict)
    forward distribution
    backward point
    """
    maps, n_replicas, order, seed = as_system(maps), as_replicas(n_replicas), as_order(order), as_seed(seed)
    n_steps = as_int("n_steps", n_steps, low=MIN_STEPS, high=MAX_STEPS)
    starts = as_starts("x0", x0, n_replicas, maps.dim)
    compared = (_comparison_step(maps, n_steps), n_steps)
    steps = _saved_steps(n_steps, compared)
    measured = _measure(maps, starts, steps, compared, order=order, seed=seed)
    return _judge(measured, steps, compared, goes_round=_goes_round(maps))


# ----------------------------------------------------------------------------------------------------------- measuring


@dataclass(frozen=True, eq=False)
class _Measured:
    """Of every replica: diameters of both windows (2, n), size (n,), compared states (2, n, dim), whether diverged."""

    diameters: np.ndarray
    size: np.ndarray
    compared: np.ndarray
    diverged: np.ndarray


def _measure(maps, starts, steps, compared, *, order, seed) -> _Measured:
    n_replicas, dim = starts.shape
    n_steps = compared[1]
    result = _Measured(
        np.empty((2, n_replicas)), np.empty(n_replicas), np.empty((2, n_replicas, dim)), np.empty(n_replicas, bool)
    )
    windows = _early(steps, n_steps), _late(steps, n_steps)
    places = np.searchsorted(steps, compared)
    blocks = run_in_blocks(maps, (starts,), n_steps, order=order, seed=seed, save_steps=steps, n_saved=len(steps))
    for block, (run,) in blocks:
        for window, diameters in zip(windows, result.diameters, strict=True):
            diameters[block] = path_diameters(run.states[:, window])
        result.size[block] = euclidean_norm(run.states).max(axis=1)
        result.compared[:, block] = run.states[:, places].swapaxes(0, 1)
        result.diverged[block] = run.diverged_at >= 0
    return result


def _early(steps: np.ndarray, n_steps: int) -> np.ndarray:
    return (steps > n_steps // 4) & (steps <= n_steps // 2)


def _late(steps: np.ndarray, n_steps: int) -> np.ndarray:
    return steps > n_steps // 2


def _saved_steps(n_steps: int, compared: tuple[int, int]) -> np.ndarray:
    """The steps of both windows that are looked at, and those where laws are compared."""
    quarter, half = n_steps // 4, n_steps // 2
    chosen = [*_some_steps(quarter, half), *_some_steps(half, n_steps), *compared]
    return np.unique(np.array(chosen, np.int64))


def _some_steps(low: int, high: int) -> list[int]:
    """All steps of (low, high], or a random one in each of `WINDOW_POINTS` equal parts."""
    if high - low <= WINDOW_POINTS:
        return list(range(low + 1, high + 1))
    edges = [low + (high - low) * part // WINDOW_POINTS for part in range(WINDOW_POINTS + 1)]
    generator = np.random.default_rng(0)
    return [int(generator.integers(a, b)) + 1 for a, b in pairwise(edges)]


def _comparison_step(maps: RandomMaps, n_steps: int) -> int:
    """The step near n/2 whose law is compared with that at n.

    Reshuffling is steady from epoch to epoch only (C1), so the steps are whole epochs apart. In cyclic order the law
    goes round a cycle (C13): at the same phase it would pass for steady.
    """
    law, half = maps.sampling_law, n_steps // 2
    epoch = law.batches_per_epoch
    if law.kind == "reshuffle":
        same_phase = n_steps - epoch * max(1, round((n_steps - half) / epoch))
        return same_phase if same_phase > 0 else half
    if law.kind == "cyclic" and epoch > 1 and (n_steps - half) % epoch == 0:
        return half - 1
    return half


# ------------------------------------------------------------------------------------------------------------- judging


def _goes_round(maps: RandomMaps) -> bool:
    """Whether the law of forward paths goes round with the epoch and is never steady (C13)."""
    law = maps.sampling_law
    return law.kind == "cyclic" and law.batches_per_epoch > 1


def _judge(measured: _Measured, steps: np.ndarray, compared: tuple[int, int], *, goes_round: bool) -> Diagnosis:
    n_steps = compared[1]
    early, late = (float(np.median(diameters)) for diameters in measured.diameters)
    finite_sizes = np.where(np.isnan(measured.size), np.inf, measured.size)
    scale = float(np.median(finite_sizes)) * max(1.0, n_steps / (2.0 * math.log(1.0 / EPS)))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.float64(late) / np.float64(early))
    p_value = _steadiness(measured.compared, ROUNDING_UNITS * EPS * scale)
    diverged = float(measured.diverged.mean())
    verdict, reason = _verdict(late, ratio, scale, p_value, diverged)
    if goes_round and verdict == "inconclusive" and ratio >= MOVING_RATIO:
        reason = CYCLE.format(ratio=ratio)
    early_steps, late_steps = steps[_early(steps, n_steps)], steps[_late(steps, n_steps)]
    evidence = Evidence(early, late, ratio, scale, p_value, diverged, early_steps, late_steps, compared, reason)
    return Diagnosis(verdict, evidence)


def _verdict(late: float, ratio: float, scale: float, p_value: float, diverged: float) -> tuple[str, str]:
    if diverged >= DIVERGED_SHARE:
        return "diverges", f"{diverged:.0%} of the replicas left the finite numbers"
    rounding = ROUNDING_UNITS * EPS * scale
    if late <= rounding:
        return "point", f"the late diameter {late:.3g} is at rounding ({rounding:.3g})"
    change = f"the late diameter is {ratio:.3g} times the early one"
    if ratio > DIVERGING_RATIO or math.isinf(late):
        return "diverges", f"{change} (above {DIVERGING_RATIO:g})"
    if ratio <= POINT_RATIO:
        return "point", f"{change} (at most {POINT_RATIO:g})"
    if not ratio >= MOVING_RATIO:
        return "inconclusive", f"{change}, between {POINT_RATIO:g} and {MOVING_RATIO:g}: give more steps"
    if math.isnan(p_value):
        return "inconclusive", f"{change}, but there are too few finite replicas to test whether the law is steady"
    if p_value < STEADY_LEVEL:
        return "inconclusive", f"{change}, but the law still moves (p = {p_value:.2g}): give more steps"
    return "distribution", f"{change} and the law is steady (p = {p_value:.2g})"


def _steadiness(compared: np.ndarray, rounding: float) -> float:
    """p-value of equal laws at two steps: the smallest of the coordinates' two-sample tests, times their number.

    The two states of one replica depend on each other, so even replicas are taken at the one step and odd ones at the
    other. A diverged state counts as beyond all others.

    Parameters
    ----------
    compared : ndarray, shape (2, n_replicas, dim)
    rounding : float
        Neighbours this close are taken for equal.

    Returns
    -------
    float
        NaN where the smallest possible p-value, 2·dim/C(2k, k) for halves of k, is above the level.
    """
    from scipy.stats import ks_2samp

    _, n_replicas, dim = compared.shape
    half = n_replicas // 2
    # The binomial coefficient of a large sample is a number of thousands of digits.
    smallest = 2.0 * dim / math.comb(2 * min(half, 100), min(half, 100))
    if smallest > STEADY_LEVEL:
        return math.nan
    pooled = np.concatenate([compared[0, 0 : 2 * half : 2], compared[1, 1 : 2 * half : 2]])
    ranks = [_ranks(np.where(np.isnan(pooled[:, k]), np.inf, pooled[:, k]), rounding) for k in range(dim)]
    return min(1.0, dim * min(float(ks_2samp(rank[:half], rank[half:]).pvalue) for rank in ranks))


def _ranks(values: np.ndarray, rounding: float) -> np.ndarray:
    """The rank of each value; neighbours within rounding share one.

    The atoms of a law on finitely many points drift apart by rounding, which ranks alone would tell apart.
    """
    order = np.argsort(values)
    with np.errstate(invalid="ignore"):
        rises = np.diff(values[order]) > rounding
    ranks = np.empty(len(values), np.int64)
    ranks[order] = np.concatenate([[0], np.cumsum(rises)])
    return ranks
