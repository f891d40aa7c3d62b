"""Increasing maps of an interval: the intervals that no path leaves, and the number of ergodic laws."""

from __future__ import annotations

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.maps.base import RandomMaps
from iterorder.sampling import FreshNoise
from iterorder.shown import a_kind
from iterorder.theory.step_draws import all_steps
from iterorder.types import FloatArray
from iterorder.validation import as_float, as_int

EPS = float(np.finfo(np.float64).eps)
#: Ends of intervals of which neither differences nor roundings leave the range of floating point.
SMALLEST, LARGEST = 1e-280, 1e300
#: Points of the grid on which fixed points are looked for.
POINTS = 2001
#: E log of slopes that is computed from differences is zero below this.
UNDECIDED = 1e-6
#: Most values of the maps that are computed on the grid.
MAX_VALUES = 2**26


def ergodic_intervals(maps: RandomMaps, low: float, high: float, *, n_points: int = POINTS) -> FloatArray:
    """The minimal invariant intervals of finitely many increasing maps in one dimension: one for each ergodic law.

    With T_min and T_max the smallest and the largest image of a point, [l, u] is invariant iff T_min(l) ≥ l and
    T_max(u) ≤ u. In a minimal one the largest images lead from l to u, and the smallest from u to l; then the maps
    split [1]_: the law on it is unique, and approached geometrically. Elsewhere paths are transient, but for one case:
    beside a point p that all maps fix, paths may neither leave [p, u] nor reach p. Where they are driven away from p,
    E log of the slopes at p being positive, there is a law on (p, u], too.

    Parameters
    ----------
    maps : RandomMaps
        Of dimension one, with finitely many increasing maps, drawn independently.
    low, high : float
        An invariant interval: no map leads out of it.
    n_points : int
        Fixed points of T_min and T_max are looked for between this many points. Two that lie between neighbours, as
        just beyond a bifurcation, are missed.

    Returns
    -------
    ndarray, shape (k, 2)
        The ends of the k intervals, increasing; k is the number of ergodic laws on [low, high]. Equal ends are a common
        fixed point p, and another interval that ends there stands for a law without p.

    Raises
    ------
    InvalidInputError
        If the dimension is not one, the noise is continuous or goes by epochs, a map falls somewhere on the interval or
        leads out of it, extreme images fix a whole stretch, or the slopes at a common fixed point decide nothing.

    References
    ----------
    .. [1] Dubins, Freedman (1966), Invariant probabilities for certain Markov processes, Ann. Math. Statist. 37(4).
    .. [2] Shirokoff, Zaleski (2024), arXiv 2409.12243.

    Examples
    --------
    Two losses (x²−1)²/4 ± s·x: two laws below s = 2/(3√3) = 0.385, and one above.

    >>> from iterorder.maps import gallery
    >>> [len(ergodic_intervals(gallery.double_well(0.1, s), -1.5, 1.5)) for s in (0.2, 0.5)]
    [2, 1]
    >>> ergodic_intervals(gallery.two_point_quadratic(0.3), -1.0, 2.0).round(12)
    array([[0., 1.]])
    """
    low, high = as_float("low", low), as_float("high", high)
    if not low < high:
        raise InvalidInputError(f"low is {low!r} and high is {high!r}: give low < high")
    if not SMALLEST <= max(-low, high) <= LARGEST:
        raise InvalidInputError(
            f"low is {low!r} and high is {high!r}: give an interval of numbers between {SMALLEST:g} and {LARGEST:g}, "
            "in another unit"
        )
    n_points = as_int("n_points", n_points, low=3, high=10**7)
    _check(maps, n_points)
    grid = np.linspace(low, high, n_points)
    images = _images(maps, grid)
    _check_increasing_into(images, grid, maps)
    smallest, largest = _Envelope(maps, grid, images, -1), _Envelope(maps, grid, images, 1)
    found = {_settled(bottom, smallest, largest) for bottom in smallest.fixed_points}
    settled = [interval for interval in found if interval is not None]
    if not settled:  # an invariant interval has a law: continuous maps keep one
        raise InvalidInputError(
            f"no fixed point of the extreme images was found on {n_points} points of [{low:.6g}, {high:.6g}]: give "
            "more n_points, or continuous maps"
        )
    beside = [law for low, high in settled if low == high for law in _beside(low, smallest, largest)]
    return np.array(sorted(settled + beside)).reshape(-1, 2)


class _Envelope:
    """T_min (side −1) or T_max (side 1) with its fixed points on the grid."""

    def __init__(self, maps: RandomMaps, grid: FloatArray, images: FloatArray, side: int) -> None:
        self.maps, self.side = maps, side
        # Two fixed points within a cell of the grid are not told apart; a computed one is known far better.
        self.same = 1e-3 * float(grid[1] - grid[0])
        self.rounding = 64.0 * EPS * (np.abs(grid).max() + np.abs(images).max())
        moves = _extreme(maps, images, side) - grid
        moves[np.abs(moves) <= self.rounding] = 0.0
        self.fixed_points = self._between(grid, moves)

    def move(self, x: float) -> float:
        """The extreme image of x less x."""
        return float(_extreme(self.maps, _images(self.maps, np.array([x])), self.side)[0] - x)

    def _between(self, grid: FloatArray, moves: FloatArray) -> np.ndarray:
        from scipy.optimize import brentq

        fixed = moves == 0.0
        if (stretch := np.flatnonzero(fixed[:-1] & fixed[1:])).size:
            k = stretch[0]
            raise InvalidInputError(
                f"the {'largest' if self.side > 0 else 'smallest'} images fix every point near {grid[k]:.6g}: where a "
                "stretch stays as it is, laws are not counted"
            )
        at = list(grid[fixed])
        unit, xtol = float(np.abs(moves).max()), 4.0 * EPS * float(np.abs(grid).max())
        for k in np.flatnonzero(np.sign(moves[:-1]) * np.sign(moves[1:]) < 0.0):
            # In units of the moves: the solver multiplies them.
            at.append(brentq(lambda x: self.move(x) / unit, grid[k], grid[k + 1], xtol=xtol, rtol=4.0 * EPS))
        return np.array(sorted(at))

    def reached(self, x: float) -> float | None:
        """Where the images of x tend to: x itself, where its extreme image is not beyond; None where none was found."""
        distances = np.abs(self.fixed_points - x)
        if distances.size and distances.min() <= self.same:
            return float(self.fixed_points[distances.argmin()])
        if self.side * self.move(x) <= self.rounding:
            return x
        beyond = self.fixed_points[self.side * (self.fixed_points - x) > 0.0]
        return float(beyond.min() if self.side > 0 else beyond.max()) if beyond.size else None


def _settled(bottom: float, smallest: _Envelope, largest: _Envelope) -> tuple[float, float] | None:
    """The minimal invariant interval that paths from a fixed point of T_min end in."""
    for _ in range(len(smallest.fixed_points) + 1):
        top = largest.reached(bottom)
        back = None if top is None else smallest.reached(top)
        if top is None or back is None:
            return None
        if back == bottom:
            return bottom, top
        bottom = back
    return None


def _beside(point: float, smallest: _Envelope, largest: _Envelope) -> list[tuple[float, float]]:
    """The laws on intervals that end at a common fixed point, which paths leave and come back to but never reach."""
    laws = []
    for outer, inner in ((largest, smallest), (smallest, largest)):
        near = point + outer.side * outer.same
        outward, inward = outer.side * outer.move(near), -outer.side * inner.move(near)
        if not (outward > outer.rounding and inward > inner.rounding):
            continue
        end = outer.reached(near + outer.side * outer.same)
        if end is None or inner.reached(end) != point:
            continue
        growth = _growth(outer.maps, point, near)
        if abs(growth) < UNDECIDED:
            raise InvalidInputError(
                f"all maps fix {point:.6g}, and E log of their slopes there is zero to rounding: whether there is "
                "another law beside it is not decided"
            )
        if growth > 0.0:
            laws.append((min(point, end), max(point, end)))
    return laws


def _growth(maps: RandomMaps, point: float, near: float) -> float:
    """E log of the one-sided slopes at a common fixed point, over the draws of one step."""
    listed = all_steps(maps.sampling_law)
    if listed is None:
        raise InvalidInputError(
            f"all maps fix {point:.6g}, and the batches are too many for E log of their slopes there: whether there is "
            "another law beside it is not decided"
        )
    rows, weights = listed
    places = np.array([[point], [near]])
    images = np.array([maps.apply(places, row if len(row) > 1 else int(row[0]))[:, 0] for row in rows])
    slopes = np.abs(images[:, 1] - images[:, 0]) / abs(near - point)
    with np.errstate(divide="ignore"):
        return float(weights @ np.log(slopes))


def _check(maps: RandomMaps, n_points: int) -> None:
    if not isinstance(maps, RandomMaps):
        raise InvalidInputError(f"maps is {a_kind(maps)}: give a system of random maps")
    if maps.dim != 1:
        raise InvalidInputError(f"maps has dimension {maps.dim}: invariant intervals are found in one dimension")
    law = maps.sampling_law
    if isinstance(law, FreshNoise) or law.kind != "iid" or not maps.time_homogeneous:
        kind = law.noise if isinstance(law, FreshNoise) else law.kind
        raise InvalidInputError(f"maps has {kind} noise: give finitely many maps that are drawn independently")
    if n_points * law.n_items > MAX_VALUES:
        most = MAX_VALUES // law.n_items
        raise InvalidInputError(f"n_points is {n_points} for {law.n_items} maps: give at most {most}")


def _images(maps: RandomMaps, x: np.ndarray) -> np.ndarray:
    """T_i(x) of every item that is drawn, shape (n_items, points)."""
    drawn = np.flatnonzero(maps.sampling_law.weights > 0.0)
    return np.array([maps.apply(x[:, None], int(i))[:, 0] for i in drawn])


def _extreme(maps: RandomMaps, images: np.ndarray, side: int) -> np.ndarray:
    """The smallest or largest image under a batch: the mean of the smallest or largest of single items."""
    size = maps.sampling_law.batch_size
    if size == 1:
        return images.min(axis=0) if side < 0 else images.max(axis=0)
    ordered = np.sort(images, axis=0)
    return (ordered[:size] if side < 0 else ordered[-size:]).mean(axis=0)


def _check_increasing_into(images: np.ndarray, grid: np.ndarray, maps: RandomMaps) -> None:
    rounding = 64.0 * EPS * (np.abs(grid).max() + np.abs(images).max())
    if not np.isfinite(images).all():
        raise InvalidInputError("a map leads out of the finite numbers between low and high: give a smaller interval")
    falls = np.diff(images, axis=1) < -rounding
    if falls.any():
        place, k = np.argwhere(falls)[0]
        item = np.flatnonzero(maps.sampling_law.weights > 0.0)[place]
        raise InvalidInputError(
            f"map {item} falls between {grid[k]:.6g} and {grid[k + 1]:.6g}: only increasing maps are monotone; "
            "give a smaller interval or step size"
        )
    lowest, highest = float(images[:, 0].min()), float(images[:, -1].max())
    if lowest < grid[0] - rounding or highest > grid[-1] + rounding:
        raise InvalidInputError(
            f"maps lead out of [{grid[0]:.6g}, {grid[-1]:.6g}], to {lowest:.6g} and {highest:.6g}: "
            "give an interval that none of them leaves"
        )
