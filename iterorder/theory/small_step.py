"""The stationary law of SGD for small step sizes: the minimiser of the mean loss, and the O(h) covariance around it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.lengths import euclidean_norm
from iterorder.maps.descent import SGDMaps
from iterorder.maps.loss import SIGNED
from iterorder.maps.rows import RowMaps
from iterorder.shown import a_kind
from iterorder.types import FloatArray

EPS = float(np.finfo(np.float64).eps)
#: Newton steps from where a library's minimiser has stopped: a few reach rounding.
MAX_NEWTON_STEPS = 20
#: Steps of that minimiser.
MAX_STEPS = 1000


def minimizer(maps: SGDMaps) -> FloatArray:
    """The minimiser θ* of the mean loss.

    Parameters
    ----------
    maps : steps of SGD
        With a curvature that is known.

    Returns
    -------
    ndarray, shape (d,)
        To rounding: by a linear solve for quadratic losses, else by Newton's method.

    Raises
    ------
    InvalidInputError
        If the maps are no such steps, or the mean loss has no minimiser or more than one: indefinite or singular
        curvature, or classes that a hyperplane separates, without ridge.

    Examples
    --------
    >>> from iterorder.maps import QuadraticSGD
    >>> minimizer(QuadraticSGD([1.0, 3.0], [0.0, 1.0], 0.1))
    array([0.75])
    """
    return _minimizer(maps, anywhere=False)


def near_minimizer(maps: SGDMaps) -> FloatArray:
    """A minimiser, or a local one where the mean loss may have several: a start of chains."""
    return _minimizer(maps, anywhere=True)


def _minimizer(maps: SGDMaps, anywhere: bool) -> np.ndarray:
    maps = _as_descent(maps)
    if maps.gradient_form().is_affine:
        _check_rows_span(maps)
        hessian = mean_hessian(maps, np.zeros(maps.dim))
        _check_convex(hessian)
        return np.linalg.solve(hessian, -maps.gradients(np.zeros(maps.dim)).mean(axis=0))
    assert isinstance(maps, RowMaps)
    if not anywhere:
        _check_one_minimum(maps)
    return _minimizer_along_rows(maps)


def mean_hessian(maps: SGDMaps, x: FloatArray) -> FloatArray:
    """The Hessian of the mean loss at x, shape (d, d).

    Raises
    ------
    InvalidInputError
        If the maps are not steps of SGD on losses whose curvature is known.
    """
    return _as_descent(maps).mean_hessian(x)


def _as_descent(maps: object) -> SGDMaps:
    if not isinstance(maps, SGDMaps):
        raise InvalidInputError(
            f"maps is {a_kind(maps)}: give steps of SGD, such as LinearRegressionSGD or LinearModelSGD"
        )
    return maps


def small_step_covariance(maps: SGDMaps) -> FloatArray:
    """The stationary covariance to first order in the step size h (C9).

    C solves H C + C H = h·S, with H the mean Hessian at the minimiser θ* and S the covariance of the gradient of one
    step at θ*: for batches of B distinct points of n, (n−B)/(B(n−1)) times the covariance over the points.

    Parameters
    ----------
    maps : steps of SGD
        With ``sampling="iid"``: reshuffling has a covariance of higher order, the cyclic order none.

    Returns
    -------
    ndarray, shape (d, d)
        Symmetric, proportional to h.

    Raises
    ------
    InvalidInputError
        If the maps are no such steps, the sampling is another, the mean loss has no single minimiser, or no curvature
        is known.

    References
    ----------
    .. [1] Mandt, Hoffman, Blei (2017), Stochastic gradient descent as approximate Bayesian inference, JMLR 18(134).

    Examples
    --------
    >>> from iterorder.maps import QuadraticSGD
    >>> small_step_covariance(QuadraticSGD([1.0, 1.0], [0.0, 1.0], 0.08))  # h/8; exactly h/(4(2−h))
    array([[0.01]])
    """
    maps = _as_descent(maps)
    if maps.sampling_law.kind != "iid":
        raise InvalidInputError(f"maps has sampling={maps.sampling_law.kind!r}: give maps with sampling='iid'")
    return small_step_spread(maps, minimizer(maps))


def small_step_spread(maps: SGDMaps, centre: FloatArray) -> FloatArray:
    """The covariance of `small_step_covariance` around a minimiser that is known, whatever the sampling."""
    n, size = maps.sampling_law.n_items, maps.sampling_law.batch_size
    noise = maps.gradients(centre)
    noise = noise - noise.mean(axis=0)
    share = (n - size) / (size * (n - 1)) if n > 1 else 0.0
    covariance = share * (noise.T @ noise) / n
    values, vectors = np.linalg.eigh(mean_hessian(maps, centre))
    rotated = vectors.T @ covariance @ vectors
    spread = vectors @ (maps.step_size * rotated / (values[:, None] + values)) @ vectors.T
    return 0.5 * (spread + spread.T)


def small_step_bias(maps: SGDMaps) -> FloatArray:
    """The stationary mean less the minimiser, to first order in the step size (C10), shape (d,).

    −½ H⁻¹ f‴[C]: H the mean Hessian at the minimiser, C that of `small_step_covariance` and f‴[C]_i = Σ_jk f_ijk C_jk.
    In one dimension −h f‴ E g²/(4 f″²). Zero for quadratic losses.

    Raises
    ------
    InvalidInputError
        As `small_step_covariance` does.

    References
    ----------
    .. [1] Dieuleveut, Durmus, Bach (2020), Bridging the gap between constant step size SGD and Markov chains, Annals of
       Statistics 48(3).

    Examples
    --------
    >>> from iterorder.maps import QuadraticSGD
    >>> small_step_bias(QuadraticSGD([1.0, 3.0], [0.0, 1.0], 0.1))
    array([0.])
    """
    covariance = small_step_covariance(maps)
    if maps.gradient_form().is_affine:
        return np.zeros(maps.dim)
    assert isinstance(maps, RowMaps)
    centre = minimizer(maps)
    thirds = maps.loss.thirds(maps.features @ centre, maps.outcomes)
    along = np.einsum("nd,nd->n", maps.features @ covariance, maps.features)
    return -0.5 * np.linalg.solve(mean_hessian(maps, centre), (thirds * along) @ maps.features / len(thirds))


def _check_rows_span(maps: SGDMaps) -> None:
    """Along what no row sees a loss without ridge is flat: where a search would end there is up to rounding."""
    features = getattr(maps, "features", None)
    if features is None or getattr(maps, "ridge", 0.0) != 0.0:
        return
    values, d = np.linalg.svd(features / (np.abs(features).max() or 1.0), compute_uv=False), features.shape[1]
    rank = int((values**2 > d * EPS * values[0] ** 2).sum())
    if rank < d:
        raise InvalidInputError(
            f"the rows of maps span {rank} of {d} directions, and along the others the mean loss is flat: it has no "
            "single minimiser (give ridge > 0, or leave out columns that are combinations of others)"
        )


def _check_convex(hessian: FloatArray) -> None:
    values = np.linalg.eigvalsh(hessian)
    if values[0] <= len(values) * EPS * max(abs(values[0]), values[-1]):
        raise InvalidInputError(
            f"the smallest curvature of the mean loss of maps is {values[0]:.3g}: it has no single minimiser "
            "(give ridge > 0)"
        )


def _minimizer_along_rows(maps: RowMaps) -> np.ndarray:
    """By a library's trust-region method, or a root of the gradient where no value is known; then Newton's steps."""
    from scipy import optimize

    _check_has_minimizer(maps)
    _check_rows_span(maps)

    def gradient(x: FloatArray) -> FloatArray:
        return maps.gradients(x).mean(axis=0)

    origin, hessian = np.zeros(maps.dim), lambda x: mean_hessian(maps, x)
    with np.errstate(all="ignore"):  # far out values overflow, and are not taken
        if maps.loss.has("value"):
            options = {"gtol": 1e3 * EPS * _gradient_scale(maps, origin), "maxiter": MAX_STEPS}
            try:
                x = optimize.minimize(
                    lambda x: _mean_loss(maps, x),
                    origin,
                    jac=gradient,
                    hess=hessian,
                    method="trust-exact",
                    options=options,
                ).x
            except ValueError as error:  # of the linear algebra below it, when the loss is infinite at the origin
                raise InvalidInputError(
                    "the mean loss of maps, or its gradient, overflows near the origin: give targets in a larger unit"
                ) from error
        else:
            x = optimize.root(gradient, origin, jac=hessian).x
    x = _polished(gradient, hessian, x)
    largest = float(np.abs(gradient(x)).max())
    if not largest <= maps.dim * len(maps.features) * EPS * _gradient_scale(maps, x):
        raise InvalidInputError(
            f"no minimiser of the mean loss of maps was found, a gradient of {largest:.3g} is left: the loss may have "
            "none, as with classes that nearly separate (give a larger ridge)"
        )
    _check_convex(hessian(x))
    return x


def _check_one_minimum(maps: RowMaps) -> None:
    """Refuse a mean loss that may have several: where nothing is known of the curvature a minimum is trusted."""
    low = (maps.loss.curvature_range or (0.0, 0.0))[0]
    needed = -low * float(np.linalg.norm(maps.features, 2)) ** 2 / len(maps.features) if low < 0.0 else 0.0
    if needed > maps.ridge:
        advice = f"give a ridge of at least {needed:.3g}, or a convex loss"
        if not math.isfinite(needed):  # which no ridge makes up for
            advice = "give a convex loss, or one whose curvature_range begins at a number (from a least_target= on)"
        raise InvalidInputError(
            f"the mean loss of maps may have several minimisers, as curvatures down to {low:.3g} are possible: {advice}"
        )


def _polished(
    gradient: Callable[[FloatArray], FloatArray], hessian: Callable[[FloatArray], FloatArray], x: FloatArray
) -> np.ndarray:
    """Newton's steps as long as they make the gradient smaller."""
    slope = gradient(x)
    for _ in range(MAX_NEWTON_STEPS):
        try:
            candidate = x - np.linalg.solve(hessian(x), slope)
        except np.linalg.LinAlgError:
            break
        new = gradient(candidate)
        if not euclidean_norm(new) < euclidean_norm(slope):
            break
        x, slope = candidate, new
    return x


def _check_has_minimizer(maps: RowMaps) -> None:
    """Refuse labels that a hyperplane separates, by a linear program: without a ridge the loss falls along its normal.

    The loss of a signed margin falls for ever where its slope is negative everywhere, as the logistic one is.
    """
    if maps.ridge or maps.loss.kind != SIGNED or not maps.loss.slopes(np.array([1e2]), np.array([1.0]))[0] < 0.0:
        return
    from scipy.optimize import linprog

    signed = maps.outcomes[:, None] * maps.features
    signed = signed / np.maximum(euclidean_norm(signed)[:, None], np.finfo(np.float64).tiny)
    # The largest mean margin in the unit box among directions that are on the wrong side of no point.
    found = linprog(-signed.mean(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1.0, 1.0))
    if found.status == 0 and -found.fun > len(signed) * maps.dim * EPS:
        raise InvalidInputError("a hyperplane separates the labels of maps: without ridge > 0 no minimiser exists")


def _gradient_scale(maps: RowMaps, x: FloatArray) -> float:
    """The size of the terms of a mean gradient: of those at the origin, where slopes are of the size of the targets."""
    largest = np.abs(maps.features).max() * max(1.0, float(np.abs(maps.slopes(x)).max()))
    return float(largest + maps.ridge * np.abs(x).max())


def _mean_loss(maps: RowMaps, x: FloatArray) -> float:
    return float(maps.loss.values(maps.features @ x, maps.outcomes).mean() + 0.5 * maps.ridge * x @ x)
