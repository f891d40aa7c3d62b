"""Rate of an exponential decay or growth, with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from iterorder.arrays import as_array, own_array
from iterorder.convergence import curvature
from iterorder.convergence.coupling import CouplingDistance
from iterorder.convergence.fit_window import EPS, Curve, FitWindow, fit_window
from iterorder.convergence.norms import mean_and_variance
from iterorder.convergence.resampling import resampled_error, slope_weights
from iterorder.drawn import drawn_by
from iterorder.errors import InvalidInputError
from iterorder.records import Recorded
from iterorder.shown import ShownByFacts
from iterorder.types import ArrayLike, DTypeLike, FloatArray, IntArray
from iterorder.validation import as_float, read_only

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The largest number of a step, and of steps.
LAST_STEP = int(np.iinfo(np.int64).max)
# The 1 % point of n(ρ−1) for the residuals of a random walk about a fitted line (Fuller 1976, table 8.5.1).
RANDOM_WALK_REJECTED = 29.5


@dataclass(frozen=True, repr=False)
class Rate(ShownByFacts, Recorded):
    """Exponential rate of a distance: distance ~ exp(rate·n).

    Attributes
    ----------
    rate : float
        Per step; negative where the distance decays.
    low, high : float
        Interval for the rate: `interval` says what it covers.
    first, last : int
        The steps between which the line was fitted.
    standard_error : float
        Of `rate`, by the source that `interval` names.
    interval : {"replicas", "residuals"}
        From resampling replicas: the error of a Monte Carlo mean. From the residuals about the line: the scatter of
        one curve, see `fit_rate`.
    stopped_by : {"end", "zero", "not finite", "rounding", "plateau", "saturation", "monte carlo"}
        What the curve met after `last`.
    curved : bool
        Whether the slopes in both halves of the fit differ by more than a quarter of their mean, and by far more than
        chance makes them: the curve is no exponential, such as 1/n, and `rate` is its slope at these steps only.
    steps, distance : ndarray, shape (n,)
        The curve that it was fitted to.
    """

    rate: float
    low: float
    high: float
    first: int
    last: int
    standard_error: float
    interval: str
    stopped_by: str
    curved: bool = False
    steps: IntArray = field(default_factory=lambda: np.empty(0, np.int64), repr=False, compare=False)
    distance: FloatArray = field(default_factory=lambda: np.empty(0), repr=False, compare=False)

    def __format__(self, spec: str) -> str:
        """The rate by a format for numbers; without one as `str`."""
        return format(self.rate, spec) if spec else str(self)

    def _facts(self) -> dict[str, str]:
        found = {
            "rate": f"{self.rate:.6g}",
            "low": f"{self.low:.4g}",
            "high": f"{self.high:.4g}",
            "interval": repr(self.interval),
            "steps": f"{self.first}…{self.last}",
            "stopped_by": repr(self.stopped_by),
        }
        return found | ({"curved": "True"} if self.curved else {})

    def __float__(self) -> float:
        return self.rate

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> FloatArray:
        """The rate, as `float` gives it: an array of rates is one of floats."""
        return own_array(self.rate, dtype, copy)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve and the line that was fitted to it, on a logarithmic axis.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            New ones by pyplot if there are none.

        Returns
        -------
        matplotlib Axes
            Shaded over the steps of the fit. `CouplingDistance.plot` has the errors of the curve and the slopes that
            theory knows.

        Examples
        --------
        >>> n = np.arange(30)
        >>> fit_rate(n, 5.0 * 0.5**n).plot().get_yscale()
        'log'
        """
        return drawn_by("rates", self, ax)


def fit_rate(steps: ArrayLike | CouplingDistance, distance: ArrayLike | None = None, *, level: float = 0.95) -> Rate:
    """Rate per step of a distance: the slope of its logarithm in late steps, above every floor.

    Called as ``fit_rate(coupling)`` or ``fit_rate(steps, distance)``.

    Parameters
    ----------
    steps : CouplingDistance, or array_like of int, shape (n,)
        Increasing numbers of steps, below 2⁶³ in size and in span.
    distance : array_like, shape (n,), optional
        Not negative; zeros and values that are not finite end the curve. Those of float32 and float16 are taken as
        rounded to it. Only with an array of steps.
    level : float in (0, 1)
        Of the interval.

    Returns
    -------
    Rate
        The slope with its interval, the steps that it was fitted to, and why the fit ends there.

    Raises
    ------
    InvalidInputError
        If an argument is not as described, or fewer than three points are usable: the message names the floor.

    See Also
    --------
    coupling_distance : measures the distance of two starts.

    Notes
    -----
    Usable are the points before the first that

    - is zero (the starts have met) or not finite;
    - is not 2¹⁰ times above its rounding, 4·eps·scale a step and carried on by the maps: eps·scale/h for a
      contraction 1−h. For bare arrays the largest distance so far stands for the scale: the states are at least half
      as large;
    - is not 8 times away from a plateau on which the curve ends. Any plateau of a bare array counts, as a sampling
      floor cannot be told from a true stall; of a coupling one that growth ends on, or one below √eps·scale. A curve
      that is a line up to its rounding has none: one that is constant but for its last bits has the rate zero;
    - is a Monte Carlo mean with a relative standard error above (4·n_replicas)^(−1/3), for the p-th powers (C5): the
      products of slopes are skew, and beyond it their mean stops being close to normal.

    The line is fitted by least squares to the second half of these steps. For p = inf the largest of the replicas is
    fitted as it is, and no stop is known: after a few steps it is below that of all maps.

    *What the interval is about*: the slope in these steps. The rate in the long run may lie outside of it: the part of
    a second rate ρ₂ beside the slowest one ρ₁, both as factors a step, falls as (ρ₂/ρ₁)ⁿ, and one so near that this has
    not gone in the steps at hand cannot be told from the first. In a regression whose second-moment operator has the
    eigenvalues .9204, .9147 and .911, 300 steps of 2000 replicas gave a slope of −.0438, where the long run has
    ½·log .9204 = −.0415: the 95 % interval missed it in 20 of 20 seeds. Where `iterorder.theory` knows
    ``mean_square_radius`` (for p = 2, independent draws) compare with half its logarithm.

    *Interval from replicas*: Student's, of the standard error over 400 bootstrap resamples of the replicas (always the
    same ones), widened by what rounding can do to the slope. A resample is fitted to the steps that its own Monte Carlo
    means allow: chance also decides where the data stop. The 95 % interval covered the rate in 94.9 to 98.5 % of 1000
    seeds in each of 13 settings: products of slopes from {.3, .9}, {.7, .95} or uniform on [0, 1], least squares in the
    plane with fresh data, 30 to 6400 replicas, p of 1 and 2. With the steps held fast it was 92 to 96 %. Most of those
    that miss lie below the rate where replicas are few. It is less where a few replicas carry the mean from the first
    step on, which skewness as of lognormal products does not foresee: 89 % for slopes of 3 with a chance of 1 % and .8
    otherwise, 400 replicas. And where nine seeds in ten have too few steps for a rate, the others are a choice of
    chance: of 88 among 1000 seeds that had one (lognormal slopes with σ = ½, p = 2, 200 replicas) half missed it. One
    replica, or p = inf (the bootstrap of a maximum is inconsistent), falls back to residuals.

    *Curves that are no exponential*, such as 1/n, have slopes, and narrow intervals for them, that belong to the steps
    of the fit only: `curved` tells so. Of 70 797 exponentials with scatter or a plateau (200 seeds, r of .5 to .999, 40
    to 600 points) none was called curved whose rate was within a tenth of the truth, and none of 2350 couplings.

    *Interval from residuals*: Student's, for residuals that follow a first-order autoregression, random walk
    included: a random walk is assumed unless the residuals reject it at 1 %, which takes some thirty points; below,
    the interval is wide. It is widened by rounding too. It covers the scatter of one curve: an error that all points
    share, such as that of a Monte Carlo mean at its last steps, is only seen as far as it looks like a random walk.

    Examples
    --------
    >>> import math
    >>> import numpy as np
    >>> n = np.arange(30)
    >>> rate = fit_rate(n, 5.0 * 0.5**n)
    >>> round(float(rate) / math.log(2), 12)
    -1.0
    >>> rate.first, rate.last, rate.interval
    (15, 29, 'residuals')
    """
    level = as_float("level", level)
    if not 0 < level < 1:
        raise InvalidInputError(f"level is {level:g}: give a number inside (0, 1)")
    if not isinstance(steps, CouplingDistance):
        return _fit_arrays(steps, distance, level)
    if distance is not None:
        raise InvalidInputError("distance is given beside a CouplingDistance: give fit_rate(coupling) alone")
    return _fit_coupling(steps, level)


def _fit_coupling(coupling: CouplingDistance, level: float) -> Rate:
    n_replicas, p = len(coupling.per_replica), coupling.p
    curve = Curve(
        coupling.steps,
        coupling.distance,
        coupling.scale,
        mean_and_variance(coupling.per_replica, p)[1],
        n_replicas,
        math.sqrt(EPS),
    )
    window = fit_window(curve)
    if n_replicas == 1 or math.isinf(p):
        return _with_residuals(curve, window, level)
    weights = slope_weights(curve.steps[window.first : window.end])
    error, n_groups = resampled_error(coupling.steps, coupling.per_replica, p, window)
    return _rate(curve, window, level, weights, error, n_groups - 1, "replicas")


def _fit_arrays(steps: ArrayLike, distance: ArrayLike | None, level: float) -> Rate:
    if distance is None:
        raise InvalidInputError("distance is missing: give fit_rate(steps, distance) or fit_rate(coupling)")
    steps, (distance, stored) = _as_steps(steps), _as_distances(distance)
    if steps.shape != distance.shape:
        raise InvalidInputError(f"steps has shape {steps.shape} and distance {distance.shape}: give one for each step")
    largest = np.fmax.accumulate(np.where(np.isfinite(distance), distance, 0.0))
    curve = Curve(steps, distance, largest, stored=stored)
    return _with_residuals(curve, fit_window(curve), level)


def _with_residuals(curve: Curve, window: FitWindow, level: float) -> Rate:
    part = slice(window.first, window.end)
    weights = slope_weights(curve.steps[part])
    error = _residual_error(curve.steps[part], np.log(curve.distance[part]), weights)
    return _rate(curve, window, level, weights, error, len(weights) - 2, "residuals")


def _rate(
    curve: Curve, window: FitWindow, level: float, weights: FloatArray, error: float, freedom: int, interval: str
) -> Rate:
    """The line's slope with Student's interval, widened by the rounding of every point."""
    from scipy.special import stdtrit

    part = slice(window.first, window.end)
    rate = float(weights @ np.log(curve.distance[part]))
    reach = float(stdtrit(freedom, 0.5 + 0.5 * level)) * error + float(np.abs(weights) @ window.rounding)
    first, last = int(curve.steps[window.first]), int(curve.steps[window.end - 1])
    curved = _is_curved(curve.steps[part], np.log(curve.distance[part]), window, error, interval)
    return Rate(
        rate,
        rate - reach,
        rate + reach,
        first,
        last,
        error,
        interval,
        window.stopped_by,
        curved,
        steps=read_only(curve.steps),
        distance=read_only(curve.distance),
    )


def _is_curved(steps: np.ndarray, logs: np.ndarray, window: FitWindow, error: float, interval: str) -> bool:
    if not curvature.enough_points(steps):
        return False
    first, second = curvature.half_weights(steps)
    # The bend itself is among the residuals; replicas tell of their scatter without it.
    scatter = _residual_error(steps, logs, second - first) if interval == "residuals" else 0.0
    return curvature.is_curved(steps, logs, window, scatter=scatter, error=error)


# ------------------------------------------------------------------------------------------------ error from residuals


def _residual_error(steps: np.ndarray, logs: np.ndarray, weights: np.ndarray) -> float:
    """Standard error of Σ w_i log(distance_i), the slope or a difference of slopes, from residuals r about the line.

    They follow r_i = ρ·r_(i−1) + innovation, ρ = 1 included.
    The error is Σ w_i r_i = Σ_j g_j·innovation_j with g_j = Σ_(i≥j) ρ^(i−j) w_i, and r_0 in place of the
    first innovation. As Σw = 0, a random walk needs no variance of its start.
    """
    from scipy.signal import lfilter

    n, x = len(logs), (steps - steps[0]).astype(np.float64)
    residuals = logs - logs.mean() - (slope_weights(steps) @ logs) * (x - x.mean())
    correlation = _autocorrelation(residuals)
    innovations = residuals[1:] - correlation * residuals[:-1]
    stationary = 1.0 - correlation**2
    variance = (innovations @ innovations + stationary * residuals[0] ** 2) / (n - 2)
    gains = lfilter([1.0], [1.0, -correlation], weights[::-1])[::-1]
    from_start = gains[0] ** 2 / stationary if stationary > 0 else 0.0
    return math.sqrt(variance * float(gains[1:] @ gains[1:] + from_start))


def _autocorrelation(residuals: np.ndarray) -> float:
    """An upper estimate of the correlation of neighbours, in [0, 1]; 1 unless a random walk is rejected.

    The estimate from n residuals about a line is too low by (2+4ρ)/n on average [1]_, and one standard error
    √((1−ρ²)/n) is added: too high an estimate makes the interval wide, too low a one makes it wrong.

    References
    ----------
    .. [1] Kendall (1954), Note on bias in the estimation of autocorrelation, Biometrika 41.
    """
    n, power = len(residuals), float(residuals @ residuals)
    if power == 0.0:
        return 1.0
    measured = float(residuals[1:] @ residuals[:-1]) / power
    if n * (1.0 - measured) < RANDOM_WALK_REJECTED:
        return 1.0
    unbiased = measured + (2.0 + 4.0 * measured) / n
    return min(max(unbiased + math.sqrt(max(1.0 - unbiased**2, 0.0) / n), 0.0), 1.0)


# ---------------------------------------------------------------------------------------------------------- bare arrays


def _as_steps(steps: ArrayLike) -> np.ndarray:
    """Increasing int64 steps whose differences are int64 as well."""
    array = _as_numbers("steps", steps, "give increasing integers, or a CouplingDistance")
    if (strange := array[~(np.isfinite(array) & (array == np.floor(array)))]).size:
        raise InvalidInputError(f"steps holds {strange[0]}: give increasing integers, or a CouplingDistance")
    # Compared before they are converted, which would wrap.
    if (falls := np.flatnonzero(array[1:] <= array[:-1])).size:
        i = int(falls[0])
        raise InvalidInputError(f"steps has {array[i]} before {array[i + 1]}: give strictly increasing steps")
    ends = [int(end) for end in array[[0, -1]]] if array.size else [0, 0]
    if ends[0] < -LAST_STEP or ends[1] > LAST_STEP or ends[1] - ends[0] > LAST_STEP:
        raise InvalidInputError(f"steps goes from {array[0]} to {array[-1]}: give integers below 2⁶³, in span as well")
    return array.astype(np.int64)


def _as_distances(distance: ArrayLike) -> tuple[np.ndarray, float]:
    """Distances that are not negative, and the relative rounding of those in fewer digits than ours."""
    array = _as_numbers("distance", distance, "give one real number for each step")
    eps = float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0
    with np.errstate(over="ignore"):  # a wider float than ours: one that overflows ends the curve
        array = array.astype(np.float64)
    if (array < 0).any():
        i = int((array < 0).argmax())
        raise InvalidInputError(f"distance[{i}] is {array[i]}: a distance is at least 0")
    return array, eps if eps > EPS else 0.0


def _as_numbers(name: str, values: ArrayLike, accepted: str) -> np.ndarray:
    """One axis of real numbers, finite or not: a distance that overflowed is data."""
    array = as_array(name, values)
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise InvalidInputError(f"{name} has dtype {array.dtype} and shape {array.shape}: {accepted}")
    return array
