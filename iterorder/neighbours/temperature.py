"""The stationary law of small steps as a function of one number, the temperature h/B, and where that ends.

For least squares with batches of B distinct points of n the covariance C of the stationary law solves, exactly,

    H C + C H = h (S_B + E[H_B C H_B]),

H_B the Hessian of a batch, H its mean, S_B the covariance of a batch's gradient at the minimiser: the expansion of
C = E[(I − hH_B) C (I − hH_B)] + h² S_B, in which the cross terms vanish. A mean over B distinct points has the
covariance of one point times (n−B)/(B(n−1)), so that with T = h(n−B)/(B(n−1))

    C = T K + T h K_h + T² K_T + O(T (h + T)²),
    H K + K H = S,   H K_h + K_h H = H K H,   H K_T + K_T H = E[H_i K H_i] − H K H.

To first order C depends on T alone, and T is h/B for B ≪ n; the first departure depends on h and T apart.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.maps.base import RandomMaps
from iterorder.maps.descent import SGDMaps
from iterorder.neighbours.notes import Entry, as_sgd, item_maps, note
from iterorder.theory import minimizer


class Expansion(NamedTuple):
    """The matrices K, K_h and K_T, each of shape (d, d)."""

    first: np.ndarray
    step: np.ndarray
    noise: np.ndarray


def temperature_of(step_size: float, batch_size: int, n_items: int) -> float:
    """h(n−B)/(B(n−1)): what the step and a batch of distinct points make of the noise.

    Examples
    --------
    >>> temperature_of(0.1, 1, 64), temperature_of(0.1, 64, 64)
    (0.1, 0.0)
    """
    if n_items == 1:
        return 0.0
    return step_size * (n_items - batch_size) / (batch_size * (n_items - 1))


def expansion(maps: SGDMaps) -> Expansion:
    """The three matrices, for quadratic losses.

    Raises
    ------
    InvalidInputError
        If the losses are not quadratic.
    """
    from scipy.linalg import solve_continuous_lyapunov

    hessians = item_maps(maps)[:, :, :-1]
    mean = hessians.mean(axis=0)
    gradients = maps.gradients(minimizer(maps))

    def solved(right: np.ndarray) -> np.ndarray:
        return solve_continuous_lyapunov(mean, right)

    first = solved(gradients.T @ gradients / len(gradients))
    own = mean @ first @ mean
    noise = np.einsum("nij,jk,nkl->il", hessians, first, hessians) / len(hessians) - own
    return Expansion(first, solved(own), solved(noise))


def covariance(maps: SGDMaps) -> np.ndarray:
    """The stationary covariance of quadratic losses, by the equation above; NaN where there is none.

    The same as ``theory(maps).covariance``, which finds it from the matrices of the maps, without the rest of `theory`.
    """
    hessians, size = item_maps(maps)[:, :, :-1], maps.sampling_law.batch_size
    count, dim = len(hessians), maps.dim
    left = temperature_of(1.0, size, count)
    mean, one = hessians.mean(axis=0), np.eye(dim)
    of_one = np.einsum("nij,nkl->ikjl", hessians, hessians).reshape(dim**2, dim**2) / count
    of_batch = np.kron(mean, mean) + left * (of_one - np.kron(mean, mean))  # C → E[H_B C H_B] on rows of C
    gained = np.kron(mean, one) + np.kron(one, mean) - maps.step_size * of_batch
    if not np.abs(np.linalg.eigvals(np.eye(dim**2) - maps.step_size * gained)).max() < 1.0:
        return np.full((dim, dim), np.nan)
    gradients = maps.gradients(minimizer(maps))
    noise = left * gradients.T @ gradients / count
    return np.linalg.solve(gained, maps.step_size * noise.ravel()).reshape(dim, dim)


def temperature_collapse(maps: RandomMaps, seed: int) -> dict[str, Any]:
    """The stationary variance in units of the temperature, beside its limit and its first departure.

    Parameters
    ----------
    maps : steps of SGD on quadratic losses, with sampling="iid"
        Whose stationary variance is computed, exactly.
    seed : int
        Not used: everything is exact.

    Returns
    -------
    dict
        ``temperature``: T; ``ratio``: h/B; ``variance``: tr C; ``departure``: tr C/(T tr K) − 1, and ``predicted`` what
        the expansion gives of it, (h tr K_h + T tr K_T)/tr K. NaN where there is no stationary variance, or no noise.
    """
    steps = as_sgd(maps, "temperature_collapse")
    if steps.sampling_law.kind != "iid":
        raise InvalidInputError(f"sampling is {steps.sampling_law.kind!r}: give maps with sampling='iid'")
    size = steps.sampling_law.batch_size
    temperature = temperature_of(steps.step_size, size, steps.sampling_law.n_items)
    terms = expansion(steps)
    unit = np.trace(terms.first)
    variance = float(np.trace(covariance(steps)))
    with np.errstate(invalid="ignore", divide="ignore"):
        departure = float(np.divide(variance, temperature * unit)) - 1.0
    return {
        "temperature": temperature,
        "ratio": steps.step_size / size,
        "variance": variance,
        "departure": departure,
        "predicted": (steps.step_size * np.trace(terms.step) + temperature * np.trace(terms.noise)) / unit,
    }


MEASURE = Entry(
    temperature_collapse,
    {
        "temperature": note("step size over batch size, for batches of distinct points", "units of the step size"),
        "ratio": note("step size over batch size", "units of the step size"),
        "variance": note("trace of the stationary covariance", "(units of the state)²"),
        "departure": note("relative difference from the law of small steps"),
        "predicted": note("its first order"),
    },
)
