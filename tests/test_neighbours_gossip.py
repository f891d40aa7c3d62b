"""Gossip averaging: spectra in closed form, the exact decay on the complete graph, and bounds of the rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.errors import InvalidInputError
from iterorder.neighbours import gossip

EPS = np.finfo(float).eps


def literal_maps(graph, n, weight):
    """Every W_e on all nodes, entry by entry."""
    found = []
    for i, j in gossip.edges(graph, n):
        matrix = np.eye(n)
        matrix[i, i] = matrix[j, j] = 1 - weight
        matrix[i, j] = matrix[j, i] = weight
        found.append(matrix)
    return np.array(found)


@given(st.sampled_from(gossip.GRAPHS), st.integers(3, 12), st.floats(0.05, 0.95))
def test_spectra_of_the_literal_matrices(graph, n, weight):
    maps = literal_maps(graph, n, weight)
    mean = maps.mean(axis=0)
    square = np.mean([w.T @ w for w in maps], axis=0)
    tolerance = 16 * n * len(maps) * EPS
    expected = np.eye(n) - weight * gossip.laplacian(graph, n) / len(maps)
    assert mean == pytest.approx(expected, rel=0, abs=tolerance)
    # The largest eigenvalue is that of consensus, one; the next is the bound.
    assert np.linalg.eigvalsh(square)[-2] == pytest.approx(gossip.bound(graph, n, weight), rel=0, abs=tolerance)
    # A wrong target: the second eigenvalue of E[W], squared.
    wrong = (1 - weight * gossip.spectral_gap(graph, n) / len(maps)) ** 2
    assert abs(np.linalg.eigvalsh(square)[-2] - wrong) > 100 * tolerance
    # In coordinates of the disagreement the maps are the same.
    basis = gossip.disagreement(n)
    assert basis.T @ basis == pytest.approx(np.eye(n - 1), rel=0, abs=tolerance)
    assert gossip.gossip(graph=graph, n_nodes=n, weight=weight).matrices == pytest.approx(
        basis.T @ maps @ basis, rel=0, abs=tolerance
    )


@pytest.mark.parametrize("weight", [0.5, 0.3])
def test_on_the_complete_graph_the_bound_is_met_from_every_start(weight):
    n = 7
    maps = gossip.gossip(graph="complete", n_nodes=n, weight=weight)
    start = np.linspace(-1, 2, n - 1)
    once = np.mean([np.sum((a @ start) ** 2) for a in maps.matrices])
    factor = 1 - 4 * weight * (1 - weight) / (n - 1)
    assert once / np.sum(start**2) == pytest.approx(factor, rel=64 * n * EPS)
    radius = ito.theory(maps).mean_square_radius
    assert radius.value == pytest.approx(factor, rel=n**4 * EPS)
    # On a path the start matters, and the bound is not met.
    path = gossip.gossip(graph="path", n_nodes=n, weight=weight)
    assert ito.theory(path).mean_square_radius.value < gossip.bound("path", n, weight) - 1e-3


@pytest.mark.parametrize("graph", gossip.GRAPHS)
def test_the_almost_sure_rate_stays_below_the_gap(graph):
    maps = gossip.gossip(graph=graph, n_nodes=5, weight=0.4)
    rate = ito.theory(maps, seed=1).lyapunov_exponent
    radius = ito.theory(maps).mean_square_radius.value
    # Jensen: 2γ ≤ log ρ(E[W⊗W]) ≤ log of the second eigenvalue of E[WᵀW]; four standard errors for the estimate.
    assert 2 * (rate.value - 4 * rate.standard_error) <= math.log(radius)
    assert radius <= gossip.bound(graph, 5, 0.4) * (1 + 5**4 * EPS)
    # No mean square shrinks faster than the square of the mean.
    assert radius >= (1 - 0.4 * gossip.spectral_gap(graph, 5) / len(gossip.edges(graph, 5))) ** 2 - 5**4 * EPS
    # A wrong target: the rate of the mean, which is no bound of γ from below either.
    mean = math.log(1 - 0.4 * gossip.spectral_gap(graph, 5) / len(gossip.edges(graph, 5)))
    assert abs(rate.value - mean) > 4 * rate.standard_error


@pytest.mark.parametrize("arguments", [{"graph": "torus"}, {"n_nodes": 2}, {"weight": 1.0}, {"weight": 0.0}])
def test_errors_name_the_argument(arguments):
    with pytest.raises(InvalidInputError, match=next(iter(arguments))):
        gossip.gossip(**arguments)
