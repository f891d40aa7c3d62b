"""The real data: standardised, and with the time scales that the claims and the figures rely on (theory.md, law 7)."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.optimize import brentq

from iterorder import datasets
from iterorder.errors import BackendUnavailableError

pytest.importorskip("sklearn")


@pytest.mark.parametrize(("load", "shape"), [(datasets.diabetes, (442, 10)), (datasets.breast_cancer, (569, 30))])
def test_features_are_standardised(load, shape):
    features, targets = load()
    assert features.shape == shape
    assert targets.shape == shape[:1]
    assert features.dtype == targets.dtype == np.float64
    rounding = 4 * np.finfo(float).eps * len(features)
    np.testing.assert_allclose(features.mean(axis=0), 0.0, atol=rounding)
    np.testing.assert_allclose(features.std(axis=0), 1.0, atol=rounding)


def test_targets_of_diabetes_are_standardised():
    _, targets = datasets.diabetes()
    np.testing.assert_allclose([targets.mean(), targets.std()], [0.0, 1.0], atol=1e-13)


def test_labels_of_breast_cancer_are_signs():
    _, labels = datasets.breast_cancer()
    assert {float(label): int((labels == label).sum()) for label in np.unique(labels)} == {-1.0: 212, 1.0: 357}


@pytest.mark.parametrize("load", [datasets.diabetes, datasets.breast_cancer])
def test_arrays_cannot_be_written_to(load):
    for array in load():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_smallest_curvature_of_diabetes():
    features, _ = datasets.diabetes()
    assert np.linalg.eigvalsh(features.T @ features / len(features))[0] == pytest.approx(0.0086, abs=5e-5)


def test_mean_square_boundary_of_diabetes():
    """The step size at which the radius of E[(I−haaᵀ)⊗²] reaches one: .143."""
    features, _ = datasets.diabetes()
    n, d = features.shape
    curvature = features.T @ features / n
    drift = np.kron(curvature, np.eye(d)) + np.kron(np.eye(d), curvature)
    squares = np.einsum("ni,nj->nij", features, features).reshape(n, d * d)
    fourth = squares.T @ squares / n
    boundary = brentq(lambda h: np.linalg.eigvalsh(h * fourth - drift)[-1], 0.05, 0.5)
    assert boundary == pytest.approx(0.143, abs=5e-4)


def test_largest_row_of_breast_cancer():
    features, _ = datasets.breast_cancer()
    assert (features**2).sum(axis=1).max() == pytest.approx(422, abs=0.5)


@pytest.mark.parametrize("load", [datasets.diabetes, datasets.breast_cancer])
def test_missing_scikit_learn_is_said_with_what_to_install(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(BackendUnavailableError, match=r"pip install iterorder\[data\]") as caught:
        load()
    assert caught.value.reason == "package-missing"
