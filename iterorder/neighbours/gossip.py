"""Gossip averaging: two neighbours on a graph meet at random and move towards each other.

For an edge e = (i, j), drawn uniformly from |E| of them, and a weight w the map is W_e = I − w (e_i − e_j)(e_i − e_j)ᵀ:
w = ½ sets both to their mean. It keeps the sum of the values, and consensus x_1 = … = x_n is fixed by every map, so
both orders of composition end there. With the graph's Laplacian L = Σ_e (e_i − e_j)(e_i − e_j)ᵀ,

    E[W] = I − (w/|E|) L,        E[WᵀW] = I − (2w(1 − w)/|E|) L,

the second since (e_i − e_j)(e_i − e_j)ᵀ squared is twice itself. With the spectral gap λ₂ of L, the second-smallest
eigenvalue, and 0 < w < 1, the disagreement δ = x − mean(x) obeys

    E‖δ_n‖² ≤ (1 − 2w(1 − w) λ₂/|E|)ⁿ ‖δ_0‖²,    and so does its almost sure rate: 2γ ≤ log(1 − 2w(1 − w) λ₂/|E|).

On the complete graph L is n times the identity there, and the first is an equality for every start. The matrices are
those of randomised gossip (Boyd, Ghosh, Prabhakar, Shah 2006); the lines above derive what is used here.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.maps import AffineMaps
from iterorder.validation import as_choice, as_float, as_int

GRAPHS = ("path", "ring", "star", "complete")


def edges(graph: str, n_nodes: int) -> np.ndarray:
    """The edges of a graph, shape (number, 2).

    Examples
    --------
    >>> edges("star", 4).tolist()
    [[0, 1], [0, 2], [0, 3]]
    """
    graph = as_choice("graph", graph, GRAPHS)
    n_nodes = as_int("n_nodes", n_nodes, low=3, high=200)
    nodes = np.arange(n_nodes)
    if graph == "complete":
        return np.argwhere(np.triu(np.ones((n_nodes, n_nodes)), 1))
    if graph == "star":
        return np.stack([np.zeros(n_nodes - 1, int), nodes[1:]], axis=1)
    pairs = np.stack([nodes, (nodes + 1) % n_nodes], axis=1)
    return pairs if graph == "ring" else pairs[:-1]


def laplacian(graph: str, n_nodes: int) -> np.ndarray:
    """The sum of (e_i − e_j)(e_i − e_j)ᵀ over the edges, shape (n, n)."""
    differences = _differences(graph, n_nodes)
    return differences.T @ differences


def _differences(graph: str, n_nodes: int) -> np.ndarray:
    pairs = edges(graph, n_nodes)
    found = np.zeros((len(pairs), n_nodes))
    found[np.arange(len(pairs)), pairs[:, 0]], found[np.arange(len(pairs)), pairs[:, 1]] = 1.0, -1.0
    return found


def spectral_gap(graph: str, n_nodes: int) -> float:
    """λ₂ of the Laplacian, in closed form.

    Path 2 − 2cos(π/n), ring 2 − 2cos(2π/n), star 1, complete graph n.

    Examples
    --------
    >>> spectral_gap("complete", 7)
    7.0
    """
    graph, n = as_choice("graph", graph, GRAPHS), as_int("n_nodes", n_nodes, low=3, high=200)
    return {
        "path": 2.0 - 2.0 * math.cos(math.pi / n),
        "ring": 2.0 - 2.0 * math.cos(2.0 * math.pi / n),
        "star": 1.0,
        "complete": float(n),
    }[graph]


def bound(graph: str, n_nodes: int, weight: float = 0.5) -> float:
    """The second eigenvalue of E[WᵀW], 1 − 2w(1 − w) λ₂/|E|: what E‖δ‖² shrinks by in a step, at least."""
    return 1.0 - 2.0 * weight * (1.0 - weight) * spectral_gap(graph, n_nodes) / len(edges(graph, n_nodes))


def gossip(*, graph: str = "ring", n_nodes: int = 8, weight: float = 0.5) -> AffineMaps:
    """Gossip on a graph, in coordinates of the disagreement: the state is Qᵀx, shape (n − 1,).

    Parameters
    ----------
    graph : {"path", "ring", "star", "complete"}
        Which nodes are neighbours; an edge is drawn uniformly at each step.
    n_nodes : int in [3, 200]
        n, of the graph.
    weight : float in (0, 1)
        Of the move towards each other; ½ is the mean of both.

    Raises
    ------
    InvalidInputError
        If an argument is none of these.

    Examples
    --------
    >>> gossip(graph="complete", n_nodes=5).dim
    4
    """
    weight = as_float("weight", weight, low=0.0, strict=True)
    if not weight < 1.0:
        raise InvalidInputError(f"weight is {weight:g}: from 1 on neighbours no longer come nearer; give one below 1")
    basis = disagreement(n_nodes)
    moved = _differences(graph, n_nodes) @ basis
    matrices = np.eye(n_nodes - 1) - weight * moved[:, :, None] * moved[:, None, :]
    return AffineMaps(matrices, np.zeros((len(matrices), n_nodes - 1)))


def disagreement(n_nodes: int) -> np.ndarray:
    """An orthonormal basis Q of the vectors whose sum is zero, shape (n, n − 1): Helmert's contrasts."""
    n_nodes = as_int("n_nodes", n_nodes, low=3, high=200)
    basis = np.zeros((n_nodes, n_nodes - 1))
    for k in range(1, n_nodes):
        basis[:k, k - 1], basis[k, k - 1] = 1.0, -k
        basis[:, k - 1] /= math.sqrt(k * (k + 1))
    return basis
