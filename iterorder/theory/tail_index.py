"""The power of the tail of a stationary law in one dimension: Kesten's equation."""

from __future__ import annotations

import math

import numpy as np

from iterorder.theory.undefined import Undefined

#: Newton's method on a convex function converges quadratically from its side; the first steps may halve the distance.
MAX_NEWTON_STEPS = 200


def tail_index(log_moduli, weights) -> float:
    """The κ > 0 with E|a|^κ = 1: P(|Z| > t) falls like t^(−κ) for Z = aZ' + b (C8).

    Goldie's constant-factor form C·t^(−κ) needs log|a| to be non-lattice; on a lattice the factor oscillates between
    two constants, with the same κ.

    Parameters
    ----------
    log_moduli : ndarray, shape (m,)
        log|a_i|; −inf where a_i = 0.
    weights : ndarray, shape (m,)
        Probabilities, all positive.

    Raises
    ------
    Undefined
        If E log|a| ≥ 0 (no stationary law), or no |a_i| exceeds one (no power tail).

    References
    ----------
    .. [1] Kesten (1973), Random difference equations and renewal theory for products of random matrices.
    .. [2] Goldie (1991), Implicit renewal theory and tails of solutions of random equations.

    Examples
    --------
    >>> round(tail_index(np.log([2.0, 0.25]), np.array([0.5, 0.5])), 12)  # (2^κ + 4^(−κ))/2 = 1: 2^κ is golden
    0.694241913631
    """
    log_moduli = np.asarray(log_moduli, np.float64)
    if weights @ log_moduli >= 0.0:
        raise Undefined("there is no stationary law with a tail: E log|a| is not negative")
    top = float(log_moduli.max())
    if top <= 0.0:
        raise Undefined("the stationary law has no power tail: no linear part exceeds one in modulus")
    finite = np.isfinite(log_moduli)
    logs, weights = log_moduli[finite], weights[finite]
    # f(κ) = log E|a|^κ is convex and below zero for small κ > 0; where the largest term alone reaches one, f ≥ 0,
    # and from there Newton's method decreases to the root.
    kappa = -math.log(weights[logs == top].sum()) / top
    if not math.isfinite(kappa):
        raise Undefined(f"the power of the tail exceeds the range of floating point: the largest log|a| is {top:.3g}")
    for _ in range(MAX_NEWTON_STEPS):
        terms = weights * np.exp(kappa * (logs - top))
        value = kappa * top + math.log(terms.sum())
        step = value / float(terms @ logs / terms.sum())
        if not step > kappa * np.finfo(np.float64).eps:
            break
        kappa -= step
    return kappa
