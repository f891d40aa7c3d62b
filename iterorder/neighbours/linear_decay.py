"""Risks at equal numbers of gradients, exactly: backward, the tail average, linear decay and its refinement.

For quadratic losses and single points drawn independently the error e = x − θ* moves by e' = e − h_k (H_i e + g_i),
g_i the gradient at θ*, whose mean is zero. Then E e eᵀ and E e follow from one step to the next by a linear map, for
any step sizes h_k, and E[e_l | e_k] = A^(l−k) e_k with A = I − hH gives the covariances that an average needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.maps.base import RandomMaps
from iterorder.maps.descent import SGDMaps
from iterorder.neighbours.notes import Entry, as_sgd, item_maps, note
from iterorder.theory import minimizer
from iterorder.validation import as_float, as_int


class Moments:
    """The second moments of (e, 1) along runs of SGD from one start, shape (d+1, d+1) each.

    Parameters
    ----------
    maps : steps of SGD on quadratic losses, one point each, drawn independently
        Their second moments are propagated exactly.
    start : ndarray, shape (d,)
        Where all runs begin.
    """

    def __init__(self, maps: SGDMaps, start: np.ndarray) -> None:
        dim, centre = maps.dim, minimizer(maps)
        fields = item_maps(maps)
        fields[:, :, -1] = maps.gradients(centre)
        self.fields = np.concatenate([fields, np.zeros((len(fields), 1, dim + 1))], axis=1)
        self.mean = self.fields.mean(axis=0)
        self.mean[:, -1] = 0.0  # the mean gradient at the minimiser, but for rounding
        pairs = np.einsum("nij,nkl->ikjl", self.fields, self.fields) / len(fields)
        self.squares = pairs.reshape((dim + 1) ** 2, (dim + 1) ** 2)
        lifted = np.append(start - centre, 1.0)
        self.start = np.outer(lifted, lifted)

    @property
    def hessian(self) -> np.ndarray:
        """Of the mean loss, shape (d, d)."""
        return self.mean[:-1, :-1]

    def gradients(self, moment: np.ndarray) -> np.ndarray:
        """E g gᵀ of a random point's gradient, bordered by zeros."""
        return (self.squares @ moment.ravel()).reshape(moment.shape)

    def along(self, steps: np.ndarray) -> np.ndarray:
        """The moments after 0, 1, …, n steps of sizes `steps`, shape (n+1, d+1, d+1)."""
        found = [self.start]
        for step in steps:
            now = found[-1]
            drift = self.mean @ now
            found.append(now - step * (drift + drift.T) + step**2 * self.gradients(now))
        return np.array(found)

    def risk(self, moment: np.ndarray) -> float:
        """The mean excess of the mean loss, ½ E eᵀHe."""
        return 0.5 * float(np.sum(self.hessian * moment[:-1, :-1]))

    def average(self, moments: np.ndarray, step: float) -> np.ndarray:
        """The moment of the mean of errors that follow each other with constant steps, bordered by zeros."""
        count, dim = len(moments), len(self.hessian)
        linear, powers = np.eye(dim) - step * self.hessian, np.zeros((dim, dim))
        total = np.zeros((dim, dim))
        for moment in moments[::-1, :-1, :-1]:
            cross = powers @ moment  # powers = A + A² + … over the errors that come later
            total += moment + cross + cross.T
            powers = linear + linear @ powers
        return np.pad(total / count**2, (0, 1))


def linear_steps(step_size: float, count: int) -> np.ndarray:
    """h(1 − k/n), k = 0 … n−1: those of ``Optimizer(schedule="linear", horizon=n)``."""
    return step_size * (1.0 - np.arange(count) / count)


def refined_steps(step_size: float, squares: np.ndarray) -> np.ndarray:
    """Step sizes h_k ∝ w_k Σ_{p ≥ k} w_p with w_k = 1/E‖g_k‖², the largest of them h.

    A schedule from gradient norms in the spirit of arXiv 2310.07831, of which the abstract was read: where the norms
    are constant it is linear decay. The rule is written for exact expectations here; the paper's smoothing has no
    place.

    Examples
    --------
    >>> refined_steps(0.4, np.ones(4))
    array([0.4, 0.3, 0.2, 0.1])
    """
    weights = 1.0 / squares
    found = weights * np.cumsum(weights[::-1])[::-1]
    return step_size * found / found.max()


def schedule_risk(maps: RandomMaps, seed: int, *, n_steps: int = 100, x0: float = 1.0) -> dict[str, Any]:
    """The expected excess loss after n gradients of single points, by four methods.

    Parameters
    ----------
    maps : steps of SGD on quadratic losses, batch_size=1, sampling="iid"
        Give the losses, and the step size of the constant run.
    seed : int
        Not used: everything is exact.
    n_steps : int ≥ 2
        Gradients that each method may spend.
    x0 : float
        Each coordinate of the start.

    Returns
    -------
    dict
        ``risk_backward`` of the last iterate with a constant step, in either order (C1); ``risk_average`` of the mean
        of the iterates after n/2 of them; ``risk_linear``; ``risk_refined``, from the norms along the constant run.
    """
    steps = as_sgd(maps, "schedule_risk")
    law = steps.sampling_law
    if law.kind != "iid" or law.batch_size != 1:
        raise InvalidInputError("the maps have batches or another sampling: give batch_size=1 and sampling='iid'")
    n_steps = as_int("n_steps", n_steps, low=2, high=10**6)
    moments = Moments(steps, np.full(steps.dim, as_float("x0", x0)))
    constant = moments.along(np.full(n_steps, steps.step_size))
    squares = np.array([np.trace(moments.gradients(moment)) for moment in constant[:-1]])
    linear, refined = linear_steps(steps.step_size, n_steps), refined_steps(steps.step_size, squares)
    return {
        "risk_backward": moments.risk(constant[-1]),
        "risk_average": moments.risk(moments.average(constant[n_steps // 2 + 1 :], steps.step_size)),
        "risk_linear": moments.risk(moments.along(linear)[-1]),
        "risk_refined": moments.risk(moments.along(refined)[-1]),
    }


MEASURE = Entry(
    schedule_risk,
    {
        "risk_backward": note("mean excess loss of the last iterate, in either order", "units of the loss"),
        "risk_average": note("mean excess loss of the average of the second half", "units of the loss"),
        "risk_linear": note("mean excess loss with linear decay", "units of the loss"),
        "risk_refined": note("mean excess loss with steps refined by gradient norms", "units of the loss"),
    },
)
