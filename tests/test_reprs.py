"""Results print their shapes and main facts in a few lines, never whole arrays."""

from __future__ import annotations

import numpy as np
import pytest

import iterorder as ito
from tests.systems import EVERY

DATA = np.random.default_rng(0).normal(size=(442, 10))
REGRESSION = ito.LinearRegressionSGD(DATA, DATA[:, 0], 0.001)
TWO_POINT = ito.gallery.two_point_quadratic(0.5)


def test_families_show_the_shapes_of_their_data():
    assert repr(REGRESSION) == (
        "LinearRegressionSGD(features=(442, 10), targets=(442,), step_size=0.001, batch_size=1, sampling='iid')"
    )
    assert "ridge=0.5" in repr(ito.LinearRegressionSGD(DATA, DATA[:, 0], 0.001, ridge=0.5))
    assert repr(ito.GaussianRegressionSGD([1.0, 0.5], 1.0, 0.1)) == (
        "GaussianRegressionSGD(eigenvalues=(2,), noise_std=1, step_size=0.1)"
    )
    # What is None is left out, and what has its own keeps it.
    assert repr(ito.gallery.sierpinski()) == "AffineMaps(matrices=(3, 2, 2), offsets=(3, 2), sampling='iid')"
    assert "probabilities=(4,)" in repr(ito.gallery.barnsley_fern())
    assert repr(ito.gallery.ar1(0.5, 1.0)) == "CustomMaps(_ar1, dim=1, noise='normal')"


def test_laws_of_the_gallery_show_their_parameters():
    assert repr(ito.gallery.two_point_quadratic(0.3).law) == "BinaryLaw(lam=0.7, low=0, high=0.3)"
    assert repr(ito.gallery.bernoulli_convolution(0.25).law) == "CantorLaw(lam=0.25, low=-1, high=1)"
    assert repr(ito.gallery.vervaat().law) == "DickmanLaw()"
    assert repr(ito.gallery.barnsley_fern().law).startswith("MomentLaw(mean=[")


def test_a_law_without_quantiles_is_named_and_its_sample_is_advised():
    law = ito.gallery.two_point_quadratic(0.3).law
    with pytest.raises(
        ito.InvalidInputError, match=r"distribution is BinaryLaw\(lam=0\.7.*wasserstein_1d\(u, law\.rvs"
    ):
        ito.wasserstein_1d_to([0.5], law)
    with pytest.raises(ito.InvalidInputError, match=r"MomentLaw.*norm\(\)$"):  # the control: nothing to draw from
        ito.wasserstein_1d_to([0.5], ito.gallery.sierpinski().law)


@pytest.mark.parametrize("name", EVERY)
def test_every_family_has_one_line(name):
    text = repr(EVERY[name])
    assert text.startswith(type(EVERY[name]).__name__ + "(")
    assert "\n" not in text
    assert "array" not in text
    assert len(text) <= (250 if isinstance(EVERY[name], ito.Optimizer) else 160)  # that shows two families


def test_a_trajectory_tells_what_was_run():
    run = ito.simulate(TWO_POINT, [0.5], 100, n_replicas=30, seed=7, save_steps="all")
    assert repr(run) == (
        "Trajectory(states=(30, 101, 1) float64, save_steps=0…100, order='forward', seed=7, "
        "maps=QuadraticSGD(curvatures=(2, 1, 1), minimizers=(2, 1), step_size=0.5, batch_size=1, sampling='iid'))"
    )
    cut = ito.simulate(TWO_POINT, [0.5], 100, order="backward", n_replicas=3, seed=7, tol=1e-6, first_step=5)
    assert "save_steps=100," in repr(cut)
    assert "error_bound=at most " in repr(cut)
    assert "first_step=5" in repr(cut)
    wild = ito.simulate(
        ito.gallery.double_well(0.5, 0.1), [[0.1], [50.0]], 20, n_replicas=2, seed=1, noise="shared", save_steps="all"
    )
    assert "diverged=1 of 2, noise='shared'" in repr(wild)


def test_a_sample_and_a_coupling_tell_their_main_facts():
    sample = ito.stationary_sample(TWO_POINT, 50, seed=0)
    assert repr(sample).startswith("StationarySample(points=(50, 1), certificate='sure', error_bound=at most ")
    assert f"n_steps={sample.n_steps[0]}, seed=0, maps=QuadraticSGD(" in repr(sample)
    coupling = ito.coupling_distance(TWO_POINT, [0.0], [1.0], 10, order="forward", n_replicas=5, seed=0)
    # Both maps halve the distance.
    assert repr(coupling) == "CouplingDistance(steps=0…10, distance=1 → 0.000976562, n_replicas=5, p=2)"


def test_theory_and_a_diagnosis_say_what_is_known():
    text = repr(ito.theory(ito.LinearRegressionSGD(DATA, np.sin(np.arange(442.0)), 0.001)))
    assert text.startswith("Theory of LinearRegressionSGD(features=(442, 10)")
    assert "covariance=(10, 10)" in text
    assert "not known, see .reasons: " in text
    assert "array" not in text
    assert len(text.splitlines()) <= 14
    assert "mean=[0.5]" in repr(ito.theory(TWO_POINT))
    found = ito.diagnose(TWO_POINT, [0.0], 200, order="backward", n_replicas=50, seed=1)
    assert repr(found) == f"Diagnosis('point': {found.evidence.reason})"
    assert len(repr(found.evidence)) <= 400
    assert "steps 51…100" in repr(found.evidence)
