"""Wasserstein distances between samples. Always W_p, never its p-th power.

The empirical W_p of n points cannot see below its floor, n^(−1/2) in one dimension at best;
`estimate.wasserstein_estimate` reports it beside the distance.
"""

from __future__ import annotations

from typing import Any

from iterorder.device_arrays import is_on_device, received
from iterorder.errors import InvalidInputError
from iterorder.tables import check_same_rows
from iterorder.types import ArrayLike, FloatArray, FloatOrArray, Seed
from iterorder.validation import as_choice, as_float, as_floats, as_int, as_power, as_seed
from iterorder.wasserstein import on_device, transport
from iterorder.wasserstein.exact import exact_distance
from iterorder.wasserstein.sinkhorn import sinkhorn_distance
from iterorder.wasserstein.sorted_samples import (
    as_samples,
    distances_between_columns,
)
from iterorder.wasserstein.weighted_samples import weighted_distances_between_columns

__all__ = ["wasserstein", "wasserstein_1d"]

METHODS = ("exact", "sliced", "sinkhorn", "gaussian")
DEFAULT_PROJECTIONS = 200
# Of the mean cost: blurs the plan by about a fifth of the typical distance.
DEFAULT_REGULARISATION = 0.05


def wasserstein_1d(
    u: ArrayLike, v: ArrayLike, p: float = 1, *, u_weights: ArrayLike | None = None, v_weights: ArrayLike | None = None
) -> FloatOrArray:
    """Wasserstein distance W_p between two samples on the line.

    Exact for the empirical measures, by sorting: O((n+m) log(n+m)) time. Samples of different sizes are matched level
    by level, in integers, so that no level is rounded. Weights that are no integers are matched by what is left of each
    point, with twice the digits of a float, and in whole numbers where these could be too few (some ten microseconds
    a point): a small weight counts in full on either side and in the middle. The two samples are sorted on two threads;
    where both live on a GPU and have no weights, there, with the same answer up to the rounding of sums.

    Parameters
    ----------
    u : array_like, shape (n,) or (n, k)
        Sample points; with two axes each column is one sample.
    v : array_like, shape (m,) or (m, k)
        The other sample, with as many axes and columns.
    p : float >= 1 or inf
        Order of the distance; inf is the largest difference of the quantile functions.
    u_weights, v_weights : array_like, shape (n,), (m,), optional
        Nonnegative, normalised to sum one, common to all columns. Default: equal weights.

    Returns
    -------
    float or ndarray, shape (k,)
        In the units of ``u`` (the distance, not its p-th power), with a relative error of at most about (n+m)·2⁻⁵²;
        inf only where the distance is above the largest float. For p = inf with weights that are not integers,
        levels shorter than (n+m)·2⁻⁵² are taken for rounding, unless they hold a quarter of the mass of a point.

    Raises
    ------
    InvalidInputError
        If p < 1, shapes disagree, weights are negative or sum to zero, or a value is not finite; the message shows the
        value.

    See Also
    --------
    wasserstein : several dimensions.
    wasserstein_estimate : with an interval and the noise floor.
    ot.wasserstein_1d : the p-th power of this distance.

    References
    ----------
    .. [1] Villani (2003), Topics in Optimal Transportation, Theorem 2.18.

    Examples
    --------
    >>> wasserstein_1d([0, 1], [3, 4])
    3.0
    >>> wasserstein_1d([0, 1], [0, 1, 1], p=2, v_weights=[2, 1, 1])
    0.0
    >>> wasserstein_1d([0, 1], [0], u_weights=[1, 1e-20])
    1e-20
    """
    p = as_power(p)
    weighted = u_weights is not None or v_weights is not None
    for name, x, weights in (("u", u, u_weights), ("v", v, v_weights)):
        check_same_rows(x, f"{name}_weights", weights, of=name)
    there = is_on_device(u) and is_on_device(v) and not weighted
    u, v = (received(name, x, (1, 2)) if there else as_samples(name, x) for name, x in (("u", u), ("v", v)))
    if u.shape[1:] != v.shape[1:]:
        raise InvalidInputError(
            f"u has shape {u.shape} and v {v.shape}: give samples (n,) and (m,), or columns (n, k) and (m, k)"
        )
    if weighted:
        distances = weighted_distances_between_columns(u, v, u_weights, v_weights, p)
    else:
        distances = (on_device.distances if there else distances_between_columns)(u, v, p)
    return distances if u.ndim == 2 else float(distances[0])


def wasserstein(
    u: ArrayLike,
    v: ArrayLike,
    p: float = 2,
    *,
    method: str = "exact",
    n_projections: int = DEFAULT_PROJECTIONS,
    regularisation: float | None = None,
    seed: Seed = 0,
) -> float:
    """Wasserstein distance W_p between two samples of points in d dimensions, Euclidean costs.

    Samples that both live on a GPU stay there for "sliced", "gaussian" and points on the line.

    Parameters
    ----------
    u : array_like, shape (n, d) or (n,)
        Sample points, a row each; with one axis d = 1.
    v : array_like, shape (m, d) or (m,)
        The other sample, of the same dimension.
    p : float >= 1 or inf
        Order of the distance; inf for method "sliced", and for "exact" in one dimension.
    method : {"exact", "sliced", "sinkhorn", "gaussian"}
        "exact": the distance of the empirical measures. One dimension: sorting. Several: a linear program over n·m
        pairs (POT; without it SciPy's assignment solver, for equal sizes), about n³ time and 40·n·m bytes. Its plan is
        proven by a dual solution: the relative error is at most 2⁻²⁶, with ordinary samples 2⁻⁴⁰, however many decades
        the distances span; what cannot be proven is an error.
        "sliced": (mean of W_p^p over projections on random directions)^(1/p), a lower bound of W_p that grows like
        d^(−1/2) of it; n log n time. Projections round: the *absolute* error is about (d+n+m)·2⁻⁴⁸ of the largest
        coordinate, so one far point in both samples hides what is 10¹⁴ times smaller.
        "sinkhorn": cost of the plan blurred by entropy, to the power 1/p: an upper bound of "exact" that does not
        vanish for equal samples, about n² time. The plan is rounded to the samples' masses, and its cost and entropy
        together are proven to be within 2⁻²⁰ of the cost of the least.
        "gaussian": p = 2 only, W_2 between the Gaussians with the samples' means and covariances (divisor n), a lower
        bound of W_2. The *absolute* error is that of "sliced", as a far point moves mean and covariance.
    n_projections : int
        Directions of "sliced".
    regularisation : float > 0, optional
        Entropy of "sinkhorn" as a fraction of the mean cost, 0.05 by default; small values take longer.
    seed : int, SeedSequence or Generator
        Of the directions of "sliced".

    Returns
    -------
    float
        In the units of ``u`` (the distance, not its p-th power).

    Raises
    ------
    InvalidInputError
        If an argument has a wrong shape or value, the pairs do not fit into memory, "exact" could not prove its plan,
        or "sinkhorn" could not prove its plan, as with a very small ``regularisation``.
    BackendUnavailableError
        If "exact" needs POT and it is not installed.

    References
    ----------
    .. [1] Villani (2003), Topics in Optimal Transportation. The methods' sources are in `transport`.

    Examples
    --------
    >>> square = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> wasserstein(square, [[x + 3, y + 4] for x, y in square])
    5.0
    """
    p = as_power(p)
    method = as_choice("method", method, METHODS)
    there = is_on_device(u) and is_on_device(v) and (method in ("sliced", "gaussian") or _is_line(u))
    u, v = as_points(u, v, there=there)
    n_projections = as_int("n_projections", n_projections, low=1, high=10**9)
    seed = as_seed(seed)
    if regularisation is not None:
        regularisation = as_float("regularisation", regularisation, low=0, strict=True)
        if method != "sinkhorn":
            raise InvalidInputError(
                f"regularisation is {regularisation:g}: it belongs to method='sinkhorn', not {method!r}"
            )
    if method == "gaussian" and p != 2:
        raise InvalidInputError(f"p is {p:g}: method='gaussian' is for p=2")
    if u.shape[1] == 1 and method in ("exact", "sliced"):  # the only direction of the line is the line
        return float((on_device.distances if there else distances_between_columns)(u, v, p)[0])
    u, v, scale = transport.rescaled(u, v)
    if method == "exact":
        return scale * exact_distance(u, v, p)
    if method == "sliced":
        sliced = on_device.sliced_distance if there else transport.sliced_distance
        return scale * sliced(u, v, p, n_projections, seed)
    if method == "gaussian":
        return scale * transport.gaussian_distance(u, v)
    return scale * sinkhorn_distance(u, v, p, regularisation or DEFAULT_REGULARISATION)


def _is_line(points: Any) -> bool:
    """Whether points that live on a GPU have one coordinate."""
    return points.ndim == 1 or points.shape[1:] == (1,)


def as_points(u: ArrayLike, v: ArrayLike, *, there: bool = False) -> tuple[FloatArray, FloatArray]:
    """Both samples as finite float arrays (n, d) and (m, d); on the GPU where they are `there`, in main memory else."""
    given = (("u", u), ("v", v))
    both = [received(name, x, (1, 2)) if there else as_floats(name, x, ndim=(1, 2)) for name, x in given]
    first, second = (points.reshape(len(points), -1) for points in both)
    if first.shape[1] != second.shape[1]:
        raise InvalidInputError(
            f"u has {first.shape[1]} coordinates and v {second.shape[1]}: give points of one dimension"
        )
    return first, second
