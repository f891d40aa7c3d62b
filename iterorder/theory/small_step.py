"""The stationary law of SGD for small step sizes: the minimiser of the mean loss, and the O(h) covariance around it."""

from __future__ import annotations

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.maps.descent import SGDMaps
from iterorder.maps.linear_regression import LinearRegressionSGD
from iterorder.maps.logistic_regression import LogisticRegressionSGD, slopes_at
from iterorder.maps.quadratic import QuadraticSGD

EPS = float(np.finfo(np.float64).eps)
#: Damped Newton steps: twenty halve the distance to the minimum often enough, and the rest converge quadratically.
MAX_NEWTON_STEPS = 100
MAX_HALVINGS = 50


def minimizer(maps: SGDMaps) -> np.ndarray:
    """The minimiser θ* of the mean loss.

    Parameters
    ----------
    maps : QuadraticSGD, LinearRegressionSGD or LogisticRegressionSGD

    Returns
    -------
    ndarray, shape (d,)
        To rounding: by a linear solve, or Newton's method for logistic regression.

    Raises
    ------
    InvalidInputError
        If the mean loss has no minimiser or more than one: indefinite or singular curvature, or classes that a
        hyperplane separates, without ridge.

    Examples
    --------
    >>> minimizer(QuadraticSGD([1.0, 3.0], [0.0, 1.0], 0.1))
    array([0.75])
    """
    if isinstance(maps, LogisticRegressionSGD):
        return _logistic_minimizer(maps)
    hessian = mean_hessian(maps, np.zeros(maps.dim))
    _check_convex(hessian)
    return np.linalg.solve(hessian, -maps.gradients(np.zeros(maps.dim)).mean(axis=0))


def mean_hessian(maps: SGDMaps, x) -> np.ndarray:
    """The Hessian of the mean loss at x, shape (d, d).

    Raises
    ------
    InvalidInputError
        If the maps are not steps of SGD on known losses.
    """
    if isinstance(maps, QuadraticSGD):
        return maps.curvatures.mean(axis=0)
    if isinstance(maps, LinearRegressionSGD):
        hessian = maps.features.T @ maps.features / len(maps.features)
    elif isinstance(maps, LogisticRegressionSGD):
        slopes = _slopes(maps, x)
        hessian = (maps.features * (slopes * (1.0 - slopes))[:, None]).T @ maps.features / len(maps.features)
    else:
        raise InvalidInputError(
            f"maps is a {type(maps).__name__}: give QuadraticSGD, LinearRegressionSGD or LogisticRegressionSGD"
        )
    return 0.5 * (hessian + hessian.T) + maps.ridge * np.eye(maps.dim)


def small_step_covariance(maps: SGDMaps) -> np.ndarray:
    """The stationary covariance to first order in the step size h (C9).

    C solves H C + C H = h·S, with H the mean Hessian at the minimiser θ* and S the covariance of the gradient of one
    step at θ*: for batches of B distinct points of n, (n−B)/(B(n−1)) times the covariance over the points.

    Parameters
    ----------
    maps : QuadraticSGD, LinearRegressionSGD or LogisticRegressionSGD
        With ``sampling="iid"``: reshuffling has a covariance of higher order, the cyclic order none.

    Returns
    -------
    ndarray, shape (d, d)

    Raises
    ------
    InvalidInputError
        If the sampling is another, or the mean loss has no single minimiser.

    References
    ----------
    .. [1] Mandt, Hoffman, Blei (2017), Stochastic gradient descent as approximate Bayesian inference, JMLR 18(134).

    Examples
    --------
    >>> small_step_covariance(QuadraticSGD([1.0, 1.0], [0.0, 1.0], 0.08))  # h/8; exactly h/(4(2−h))
    array([[0.01]])
    """
    if maps.sampling_law.kind != "iid":
        raise InvalidInputError(f"maps has sampling={maps.sampling_law.kind!r}: give maps with sampling='iid'")
    return small_step_spread(maps, minimizer(maps))


def small_step_spread(maps: SGDMaps, centre) -> np.ndarray:
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


def small_step_bias(maps: SGDMaps) -> np.ndarray:
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
    >>> small_step_bias(QuadraticSGD([1.0, 3.0], [0.0, 1.0], 0.1))
    array([0.])
    """
    covariance = small_step_covariance(maps)
    if not isinstance(maps, LogisticRegressionSGD):
        return np.zeros(maps.dim)
    centre = minimizer(maps)
    slopes = _slopes(maps, centre)  # log(1+e^(−z)) has the third derivative σ(z)σ(−z)(σ(−z) − σ(z))
    thirds = maps.labels * slopes * (1.0 - slopes) * (2.0 * slopes - 1.0)
    along = np.einsum("nd,nd->n", maps.features @ covariance, maps.features)
    return -0.5 * np.linalg.solve(mean_hessian(maps, centre), (thirds * along) @ maps.features / len(thirds))


def _slopes(maps: LogisticRegressionSGD, x) -> np.ndarray:
    """σ(−y aᵀx) of every point."""
    return slopes_at(maps.labels * (maps.features @ x))


def _check_convex(hessian) -> None:
    values = np.linalg.eigvalsh(hessian)
    if values[0] <= len(values) * EPS * max(abs(values[0]), values[-1]):
        raise InvalidInputError(
            f"the smallest curvature of the mean loss of maps is {values[0]:.3g}: it has no single minimiser "
            "(give ridge > 0, or more points than dimensions)"
        )


def _logistic_minimizer(maps: LogisticRegressionSGD) -> np.ndarray:
    """Damped Newton on the convex mean loss, until the gradient is at its rounding level or stops to fall."""
    x = np.zeros(maps.dim)
    loss, gradient = _logistic_loss(maps, x), maps.gradients(x).mean(axis=0)
    for _ in range(MAX_NEWTON_STEPS):
        if not maps.ridge and (maps.labels * (maps.features @ x)).min() > 0.0:
            raise InvalidInputError("a hyperplane separates the labels of maps: without ridge > 0 no minimiser exists")
        hessian = mean_hessian(maps, x)
        _check_convex(hessian)
        direction = np.linalg.solve(hessian, -gradient)
        if np.linalg.norm(direction) <= EPS * np.linalg.norm(x):
            return x
        # Rounding of the mean gradient: its terms are of the size of the features.
        scale = np.abs(maps.features).max() + maps.ridge * np.abs(x).max()
        for halving in range(MAX_HALVINGS):
            candidate = x + direction * 0.5**halving
            trial_loss, trial_gradient = _logistic_loss(maps, candidate), maps.gradients(candidate).mean(axis=0)
            smaller = np.linalg.norm(trial_gradient) < np.linalg.norm(gradient)
            # The loss decides far away; near the minimum it is flat to rounding, and the gradient decides.
            if trial_loss < loss or (smaller and trial_loss <= loss + 4.0 * EPS * abs(loss)):
                break
        else:
            if np.linalg.norm(gradient) <= maps.dim * len(maps.features) * EPS * scale:
                return x
            break
        x, loss, gradient = candidate, trial_loss, trial_gradient
    raise InvalidInputError(
        "Newton's method found no minimiser of the mean loss of maps: classes nearly separate (give a larger ridge)"
    )


def _logistic_loss(maps: LogisticRegressionSGD, x) -> float:
    margins = maps.labels * (maps.features @ x)
    return float(np.logaddexp(0.0, -margins).mean() + 0.5 * maps.ridge * x @ x)
