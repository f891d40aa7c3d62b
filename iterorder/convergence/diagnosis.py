"""Whether paths settle on a point, keep moving in a steady law, or leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.convergence import windows
from iterorder.convergence.amplification import amplification
from iterorder.convergence.fit_window import EPS
from iterorder.convergence.norms import path_diameters
from iterorder.convergence.replica_blocks import Ensemble
from iterorder.convergence.steadiness import SAME_ATOM, growth_interval, steadiness
from iterorder.convergence.verdict import POINT_RATIO, Measured, verdict
from iterorder.device_arrays import along_steps, to_numpy
from iterorder.drawn import drawn_by
from iterorder.html import facts_html
from iterorder.lengths import euclidean_norm
from iterorder.maps import RandomMaps
from iterorder.orders import Order
from iterorder.progress import Progress, Report, as_progress, part, reported
from iterorder.records import Recorded
from iterorder.shown import ShownByFacts, shown, span
from iterorder.types import ArrayLike, BoolArray, FloatArray, IntArray, Seed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROUNDING_UNITS = 64
# Two points in the early window (n/4, n/2].
MIN_STEPS = 8


@dataclass(frozen=True, eq=False, repr=False)
class Evidence(ShownByFacts, Recorded):
    """What a diagnosis rests on.

    Attributes
    ----------
    early_diameter, late_diameter : float
        Medians over the replicas of the diameter of the path over (n/4, n/2] and (n/2, n]; inf where at least half of
        the paths left the finite numbers.
    ratio : float
        Late over early; NaN for 0/0.
    ratio_low, ratio_high : float
        Interval for the median over the replicas of late over early diameter, from order statistics: it misses with a
        chance of at most 10⁻³. From 0 to inf where the replicas are too few.
    moves_ratio : float
        Late over early moves of single steps, each the median over the replicas of the mean length of the third
        differences of states that follow each other (lower ones in windows of fewer than four steps): they leave what
        is drawn at every step, and of a smooth approach next to nothing. Zero where the late ones are at rounding, and
        NaN for 0/0 above it.
    scale : float
        Size of the states: the largest on a path, median over the replicas.
    amplification : float
        How many roundings of one step can add up in a path at rest: 1, or, where the late diameter is above one
        rounding and within what contraction can make of it, the sum Σ_k d_k/d_0 for the distance d_k of two starts
        under the same maps, measured where the paths have come to. It is 1/h for a contraction 1−h, and 1 where the
        two starts do not meet.
    p_value : float
        Of equal laws at `compared_steps`: the smallest of a Kolmogorov–Smirnov test of each coordinate and a rank-sum
        test of its distances from the median, corrected for their number, on disjoint random halves of the replicas.
        NaN where so few replicas can never reach the level of 10⁻³.
    diverged_fraction : float
        Replicas that left the finite numbers.
    early_steps, late_steps : ndarray of int64
        The saved steps of the two windows.
    compared_steps : tuple of two ints
        About n/2, and n: apart by a number without small factors, as a law that goes round a short cycle would pass
        for steady at the same phase. Reshuffling: a whole number of epochs apart. Cyclic order: not so.
    reason : str
        A sentence that says which rule led to the verdict.
    """

    early_diameter: float
    late_diameter: float
    ratio: float
    ratio_low: float
    ratio_high: float
    moves_ratio: float
    scale: float
    amplification: float
    p_value: float
    diverged_fraction: float
    early_steps: IntArray
    late_steps: IntArray
    compared_steps: tuple[int, int]
    reason: str

    def _facts(self) -> dict[str, str]:
        return {
            "early_diameter": f"{shown(self.early_diameter)} (steps {span(self.early_steps)})",
            "late_diameter": f"{shown(self.late_diameter)} (steps {span(self.late_steps)})",
            "moves_ratio": shown(self.moves_ratio),
            "p_value": f"{shown(self.p_value)} (steps {self.compared_steps[0]} and {self.compared_steps[1]})",
            "diverged_fraction": shown(self.diverged_fraction),
            "reason": repr(self.reason),
        }


@dataclass(frozen=True, eq=False)
class Diagnosis(Recorded):
    """The verdict on a system and an order.

    Attributes
    ----------
    verdict : {"point", "distribution", "diverges", "inconclusive"}
        What paths do: settle on a point, keep moving in a steady law, leave the finite numbers, or none of it for sure.
    evidence : Evidence
        The numbers that the verdict was read from.
    """

    verdict: str
    evidence: Evidence

    def __repr__(self) -> str:
        return f"Diagnosis({self.verdict!r}: {self.evidence.reason})"

    def _repr_html_(self) -> str:
        return facts_html("Diagnosis", {"verdict": self.verdict, **self.evidence._facts()})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the late diameter of the paths in units of the early one, with its interval, beside the rule.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            New ones by pyplot if there are none.

        Returns
        -------
        matplotlib Axes
            Shaded where the rule says point, distribution (if the law is steady as well) and diverges. An arrow stands
            for a ratio outside of the picture.
        """
        return drawn_by("diagnoses", self, ax)


def diagnose(
    maps: RandomMaps,
    x0: ArrayLike,
    n_steps: int,
    *,
    order: Order,
    n_replicas: int,
    seed: Seed,
    backend: str = "cpu",
    progress: Progress = False,
) -> Diagnosis:
    """Tell whether paths settle on a point, keep moving in a steady law, or diverge.

    Parameters
    ----------
    maps : RandomMaps
        The system.
    x0 : array_like, shape (dim,) or (n_replicas, dim)
        One start for all paths, or one for each.
    n_steps : int in [8, 2⁶²]
        The length of a path. Its second quarter is compared with its second half, so that it should be long beside the
        transient.
    order : "forward", "backward" or Window
        The order in which the maps are composed, as in `simulate`: the verdict may depend on it.
    n_replicas : int ≥ 1
        At least 14 for the verdict "distribution" in one dimension, some thirty where diameters differ much from path
        to path, as those of normal laws do; a hundred or more to tell laws apart.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the maps; a generator is advanced by one draw.
    backend : {"cpu", "cuda"}
        Where the paths are simulated, as in `simulate`.
    progress : bool or function
        True: show how far the simulation is (a bar in a terminal or a notebook, sparse lines on standard error
        elsewhere). A function is called with the finished share, up to 1; an exception that it raises ends the run.

    Returns
    -------
    Diagnosis
        The verdict, and the evidence for it.

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
    - "point" if D2/D1 ≤ .75 and moves of single steps shrink with the diameters: their ratio is at most √(D2/D1);
    - "distribution" if .9 ≤ D2/D1 ≤ 1.1, an interval for the median of that ratio over the replicas, at 10⁻³, lies
      between what a point (.75) and a walk (√2) have, and the laws at n/2 and n are not told apart at 10⁻³;
    - "inconclusive" otherwise: a slow system has not settled and its law still moves. Give more steps.

    The diameter of a walk grows with the square root of the window, so D2/D1 tends to √2, and at most one walk in two
    thousand is called a distribution however few its replicas are. A steady law whose memory is not short beside n has
    a D2 above D1 as well, by the logarithm of the window if it is normal: it is "inconclusive" until n is some hundred
    times its memory.

    A slow contraction x → (1−h)x stalls where its roundings add up, at eps·scale/h. Where D2 is above 64·eps·scale and
    within n times it, two near starts are therefore run from where the paths have come to, and D2 is held against
    64·eps·scale·Σ_k d_k/d_0 of their distances d_k if they meet. A law narrower than that, with moves of less than some
    90/√h units in the last place, is called a point: it cannot be told from rounding.

    In cyclic order the law of forward paths goes round a cycle (C13), which is neither a point nor a steady law: such a
    run is "inconclusive" however long it is, and its reason says so. So is that of a walk that is at even places after
    even numbers of steps, with as many replicas as it takes to tell even places from odd ones.

    The scale is that of the whole state: beside a coordinate of 10⁹, moves of 10⁻⁶ in another are rounding. Give
    coordinates in units in which they are alike.

    A forward path that still approaches its law from a distant start shrinks like one that settles, but what is drawn
    at every step stays as large as it is: such a run is "inconclusive". It is a rule about the steps it saw, not a
    proof: where the draws act in proportion to the distance from the law, and this distance is far above the width of
    the law up to the end of the run, nothing tells the approach from one to a point. Nor does it where the paths move
    once in many steps only. Give n_steps well beyond the transient.

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
    ...     print(order, diagnose(maps, [0.0], 1000, order=order, n_replicas=50, seed=1).verdict)
    forward distribution
    backward point
    """
    how: dict[str, Any] = {"order": order, "n_replicas": n_replicas, "seed": seed, "backend": backend}
    ensemble = Ensemble.checked(maps, {"x0": x0}, n_steps, least=MIN_STEPS, **how)
    n_steps, progress = ensemble.n_steps, as_progress(progress)
    compared = (windows.comparison_step(maps, n_steps), n_steps)
    steps = windows.saved_steps(n_steps, compared)
    with reported(progress, "diagnosis") as report:
        paths = _run(ensemble, steps, compared, part(report, 0.0, 0.5))
        early, late = (float(np.median(diameters)) for diameters in paths.diameters)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = float(np.float64(late) / np.float64(early))
        scale = float(np.median(np.where(np.isnan(paths.size), np.inf, paths.size)))
        one, sums = ROUNDING_UNITS * EPS * scale, 1.0
        if one < late <= one * n_steps and not ratio <= POINT_RATIO:
            near: dict[str, Any] = {
                "seed": ensemble.seed,
                "backend": ensemble.backend,
                "progress": part(report, 0.5, 1.0),
            }
            sums = amplification(maps, paths.compared[1], n_steps // 2, **near)
    p_value = steadiness(paths.compared, min(one * n_steps, SAME_ATOM * late))
    growth, diverged = growth_interval(paths.diameters), float(paths.diverged.mean())
    moves = _moves_ratio(paths.moves, one)
    found = Measured(late, ratio, growth, one * sums, p_value, diverged, _goes_round(maps), moves)
    word, reason = verdict(found)
    evidence = Evidence(
        early_diameter=early,
        late_diameter=late,
        ratio=ratio,
        ratio_low=growth[0],
        ratio_high=growth[1],
        moves_ratio=moves,
        scale=scale,
        amplification=sums,
        p_value=p_value,
        diverged_fraction=diverged,
        early_steps=steps[windows.early(steps, n_steps)],
        late_steps=steps[windows.late(steps, n_steps)],
        compared_steps=compared,
        reason=reason,
    )
    return Diagnosis(word, evidence)


@dataclass(frozen=True, eq=False)
class _Paths:
    """Of every replica: diameters and moves of both windows (2, n), size (n,), compared states (2, n, dim), ends."""

    diameters: FloatArray
    moves: FloatArray
    size: FloatArray
    compared: FloatArray
    diverged: BoolArray


def _run(ensemble: Ensemble, steps: IntArray, compared: tuple[int, int], progress: Report | None) -> _Paths:
    n_replicas, n_steps, dim = ensemble.n_replicas, ensemble.n_steps, ensemble.maps.dim
    result = _Paths(
        np.empty((2, n_replicas)),
        np.empty((2, n_replicas)),
        np.empty(n_replicas),
        np.empty((2, n_replicas, dim)),
        np.empty(n_replicas, bool),
    )
    chosen = windows.early(steps, n_steps), windows.late(steps, n_steps)
    order_of_moves = min(windows.DIFFERENCE, n_steps // 2 - n_steps // 4 - 1)
    places = np.searchsorted(steps, compared)
    for block, (run,) in ensemble.in_blocks(steps, len(steps), progress):
        for window, diameters, moves in zip(chosen, result.diameters, result.moves, strict=True):
            states = along_steps(run.states, window)
            diameters[block] = to_numpy(path_diameters(states))
            moves[block] = to_numpy(windows.roughness(states, steps[window], order_of_moves))
        result.size[block] = to_numpy(euclidean_norm(run.states).max(axis=1))
        result.compared[:, block] = to_numpy(along_steps(run.states, places)).swapaxes(0, 1)
        result.diverged[block] = run.diverged_at >= 0
    return result


def _moves_ratio(moves: np.ndarray, rounding: float) -> float:
    """Late over early moves of both windows (2, n), replicas that left the finite numbers beyond all others."""
    early, late = np.median(np.where(np.isnan(moves), np.inf, moves), axis=1)
    if late <= rounding:
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(late / early)


def _goes_round(maps: RandomMaps) -> bool:
    """Whether the law of forward paths goes round with the epoch and is never steady (C13)."""
    law = maps.sampling_law
    return law.kind == "cyclic" and law.batches_per_epoch > 1
