"""How much the order of an epoch's steps matters, and what the epoch's reversal takes away of it.

With T_i = id − h g_i, an epoch in the order σ is T_σ = T_σ(n)∘…∘T_σ(1). Its expansion is

    T_σ = id − h Σ g_i + h² Σ_{i before j} H_j g_i + O(h³),

so that an order and its reversal σ̄ differ by h² times a sum of Lie brackets, while ½(T_σ + T_σ̄) and T_σ̄∘T_σ depend on
the order only from h³ on: in each of them every pair comes in both orders equally often.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from iterorder.maps.base import RandomMaps
from iterorder.maps.descent import SGDMaps
from iterorder.neighbours.notes import Entry, as_sgd, note
from iterorder.validation import as_float, as_int


def epoch(maps: SGDMaps, order: np.ndarray, x: np.ndarray) -> np.ndarray:
    """One step of batch size 1 with each item, in an order, from x of shape (d,)."""
    for item in order:
        x = x - maps.step_size * maps.gradients(x)[item]
    return x


def summed_brackets(maps: SGDMaps, order: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(T_σ − T_σ̄)/h² for h → 0: the sum of H_j g_i − H_i g_j over the pairs with i before j.

    Since Σ_{i before j} H_j g_i needs each Hessian once, it costs n of them and not n².
    """
    slopes, total, before = maps.gradients(x), np.zeros(maps.dim), np.zeros(maps.dim)
    whole = slopes[order].sum(axis=0)
    for item in order:
        after = whole - before - slopes[item]
        total += maps.hessian(x, item) @ (before - after)
        before += slopes[item]
    return total


def palindromes(first: np.ndarray, second: np.ndarray, step_size: float) -> np.ndarray:
    """T_1T_2T_2T_1 − T_2T_1T_1T_2 for two affine gradient fields, as a matrix; without a remainder.

    With fields A and B as matrices on (x, 1), T_1 = 1 − hA and T_2 = 1 − hB, expanding both products gives

        −h³ [[A, B], A + B] + h⁴ (ABBA − BAAB):

    the terms of order h² are equal, AB + BA among them, and those of order h³ are the two double commutators
    AB² − 2BAB + B²A and A²B − 2ABA + BA², the second with a minus sign.

    Parameters
    ----------
    first, second : ndarray, shape (D, D)
        Their last rows are zero.
    step_size : float
        h of both maps T = I − h·(field).

    Returns
    -------
    ndarray, shape (D, D)
        The difference of the two compositions, of order h³.

    Examples
    --------
    >>> a, b, h = np.array([[1.0, 0.5], [0.0, 0.0]]), np.array([[3.0, -1.0], [0.0, 0.0]]), 0.1
    >>> one, other = np.eye(2) - h * a, np.eye(2) - h * b
    >>> bool(np.allclose(palindromes(a, b, h), one @ other @ other @ one - other @ one @ one @ other, atol=1e-15))
    True
    """
    commutator = first @ second - second @ first
    both = first + second
    third = commutator @ both - both @ commutator
    return -(step_size**3) * third + step_size**4 * (first @ second @ second @ first - second @ first @ first @ second)


def bracket_scores(maps: SGDMaps, x) -> np.ndarray:
    """Which of two items had better come last: s_ij = ⟨∇L(x), H_i g_j − H_j g_i⟩, shape (n, n), L the mean loss.

    L(T_i T_j x) − L(T_j T_i x) = h² s_ij + O(h³): where s_ij < 0, item i after item j gives the smaller loss. Exact for
    quadratic losses when ∇L is taken half way between the two ends, since F(a) − F(b) = ⟨∇F(½(a+b)), a − b⟩ for
    quadratic F. A pairwise score by the bracket is the idea of arXiv 2606.24993; the identity is derived here.
    """
    slopes = maps.gradients(x)
    mean = slopes.mean(axis=0)
    pushed = np.stack([maps.hessian(x, item) @ mean for item in range(len(slopes))])  # Hessians are symmetric
    scores = pushed @ slopes.T
    return scores - scores.T


def order_sensitivity(maps: RandomMaps, seed: int, *, n_orders: int = 32, x0: float = 1.0) -> dict[str, Any]:
    """Distances between the ends of epochs in random orders, as root mean squares over `n_orders` of them.

    Parameters
    ----------
    maps : steps of SGD
        Whose items are visited once an epoch, in random orders.
    seed : int
        Of the orders.
    n_orders : int ≥ 2
        Over how many the root mean squares are taken.
    x0 : float
        Each coordinate of the start.

    Returns
    -------
    dict
        ``reversed_order``: between an order and its reversal; ``predicted``: h² times the summed brackets;
        ``reversed_remainder``: what is left between these two; ``mean_of_pair`` and ``paired_epochs``: between the mean
        ½(T_σ + T_σ̄), or T_σ̄∘T_σ, of two independent orders; ``score_agreement``: the share of pairs of items for which
        the bracket's score tells which order of two steps ends with the smaller mean loss.

    Notes
    -----
    That reversal takes the sensitivity from h² to h³ is said in the abstract of arXiv 2604.00260; the expansion above
    is ours and needs no more than two derivatives of the gradients.
    """
    steps = as_sgd(maps, "order_sensitivity")
    n_orders = as_int("n_orders", n_orders, low=2, high=10**6)
    start = np.full(maps.dim, as_float("x0", x0))
    random, count = np.random.default_rng(seed), steps.sampling_law.n_items
    ends, backs, pairs, brackets = [], [], [], []
    for _ in range(n_orders):
        order = random.permutation(count)
        ends.append(epoch(steps, order, start))
        backs.append(epoch(steps, order[::-1], start))
        pairs.append(epoch(steps, order[::-1], ends[-1]))
        brackets.append(steps.step_size**2 * summed_brackets(steps, order, start))
    apart, predicted = np.array(ends) - np.array(backs), np.array(brackets)
    return {
        "reversed_order": _size(apart),
        "predicted": _size(predicted),
        "reversed_remainder": _size(apart - predicted),
        "mean_of_pair": _size(_neighbours((np.array(ends) + np.array(backs)) / 2.0)),
        "paired_epochs": _size(_neighbours(np.array(pairs))),
        "score_agreement": _agreement(steps, start),
    }


def _neighbours(points: np.ndarray) -> np.ndarray:
    """Differences of independent points."""
    return points[1::2] - points[: len(points) - 1 : 2]


def _size(differences: np.ndarray) -> float:
    return float(np.sqrt((differences**2).sum(axis=1).mean()))


def _agreement(maps: SGDMaps, x: np.ndarray) -> float:
    scores, step, count = bracket_scores(maps, x), maps.step_size, maps.sampling_law.n_items
    once = x - step * maps.gradients(x)
    # Row j of `twice[i]` is T_i T_j x.
    twice = np.stack([[y - step * maps.gradients(y)[i] for y in once] for i in range(count)])
    change = _mean_change(maps, x, twice)
    above = np.triu_indices(count, 1)
    return float((np.sign((change - change.T)[above]) == np.sign(scores[above])).mean())


def _mean_change(maps: SGDMaps, x: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """L(end) − L(x) for ends (n, n, d), by Simpson's rule: exact for polynomials up to degree four."""
    found = np.empty(ends.shape[:2])
    for place in np.ndindex(*found.shape):
        move = ends[place] - x
        slopes = [maps.gradients(x + share * move).mean(axis=0) @ move for share in (0.0, 0.5, 1.0)]
        found[place] = (slopes[0] + 4.0 * slopes[1] + slopes[2]) / 6.0
    return found


MEASURE = Entry(
    order_sensitivity,
    {
        "reversed_order": note("distance of the ends of an epoch and of its reversal", "units of the state"),
        "predicted": note("h² times the summed Lie brackets", "units of the state"),
        "reversed_remainder": note("what the brackets leave of that distance", "units of the state"),
        "mean_of_pair": note("distance of the means of an epoch and its reversal, of two orders", "units of the state"),
        "paired_epochs": note("distance of an epoch followed by its reversal, of two orders", "units of the state"),
        "score_agreement": note("share of pairs whose better order the bracket tells"),
    },
)
