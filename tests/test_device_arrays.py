"""Numbers in the memory of a GPU, without one: what is computed there, and what comes back on purpose."""

from __future__ import annotations

import numpy as np
import pytest

import iterorder as ito
from iterorder import device_arrays
from iterorder.convergence.norms import path_diameters
from iterorder.convergence.windows import roughness
from iterorder.lengths import euclidean_norm
from tests.strict_arrays import StrictArray, strict

EPS = float(np.finfo(np.float64).eps)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    """The stand-in for CuPy."""
    monkeypatch.setattr(device_arrays, "cupy", lambda: strict)


def cloud(n, d=None, seed=0):
    return np.random.default_rng(seed).standard_t(3, size=n if d is None else (n, d))


def test_the_stand_in_refuses_what_cupy_refuses():
    on_gpu = StrictArray(np.ones(3))
    for wrong in (lambda: np.asarray(on_gpu), lambda: on_gpu + np.ones(3), lambda: np.maximum(np.ones(3), on_gpu)):
        with pytest.raises(TypeError):
            wrong()
    assert isinstance(on_gpu + 1.0, StrictArray)
    assert isinstance(np.sort(on_gpu), StrictArray)


@pytest.mark.parametrize("p", [1, 2, 3.5, np.inf])
@pytest.mark.parametrize("sizes", [(40, 40), (40, 60), (7, 30), (1, 5)])
def test_distances_on_the_line_are_those_of_main_memory(p, sizes):
    """Only sums round otherwise: of n + m terms, each side by (n + m)·eps of it."""
    u, v = cloud(sizes[0]), 0.5 + cloud(sizes[1], seed=1)
    found = ito.wasserstein_1d(StrictArray(u), StrictArray(v), p)
    assert isinstance(found, float)
    assert found == pytest.approx(ito.wasserstein_1d(u, v, p), rel=2 * (sum(sizes) + 8) * EPS)
    assert found != pytest.approx(ito.wasserstein_1d(u, v + 1e-6, p), rel=1e-9)


def test_columns_and_far_points():
    u, v = cloud(30, 3), cloud(45, 3, seed=2)
    found = ito.wasserstein_1d(StrictArray(u), StrictArray(v), 2)
    np.testing.assert_allclose(found, ito.wasserstein_1d(u, v, 2), rtol=200 * EPS)
    far = np.array([-1.7e308, 0.0]), np.array([1.7e308, 0.0])
    assert ito.wasserstein_1d(*map(StrictArray, far), 1) == ito.wasserstein_1d(*far, 1)


@pytest.mark.parametrize(("method", "p"), [("sliced", 1), ("sliced", 2), ("gaussian", 2)])
@pytest.mark.parametrize("scale", [1.0, 1e200, 1e-200])
def test_distances_in_several_dimensions_are_those_of_main_memory(method, p, scale):
    u, v = scale * cloud(50, 4), scale * (0.3 + cloud(70, 4, seed=1))
    found = ito.wasserstein(StrictArray(u), StrictArray(v), p, method=method)
    # The documented absolute error of both: (d + n + m)·2⁻⁴⁸ of the largest coordinate.
    assert abs(found - ito.wasserstein(u, v, p, method=method)) <= 124 * 2.0**-48 * max(
        np.abs(u).max(), np.abs(v).max()
    )


def test_what_is_done_in_main_memory_takes_copies():
    u, v = cloud(12, 2), cloud(12, 2, seed=1)
    assert ito.wasserstein(StrictArray(u), StrictArray(v), 2) == ito.wasserstein(u, v, 2)
    assert ito.wasserstein_1d(StrictArray(u[:, 0]), v[:, 0]) == ito.wasserstein_1d(u[:, 0], v[:, 0])
    weights = np.arange(1.0, 13.0)
    expected = ito.wasserstein_1d(u[:, 0], v[:, 0], u_weights=weights)
    assert ito.wasserstein_1d(StrictArray(u[:, 0]), StrictArray(v[:, 0]), u_weights=weights) == expected
    maps = ito.LinearRegressionSGD(StrictArray(u), StrictArray(v[:, 0]), 0.1)
    np.testing.assert_array_equal(maps.features, u)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (StrictArray(np.array([1.0, np.nan, 2.0])), r"u\[1\] is nan"),
        (StrictArray(np.array([1j])), "real numbers"),
        (StrictArray(np.empty(0)), "empty"),
        (StrictArray(np.ones((2, 2, 2))), "1 or 2 axes"),
        (StrictArray(np.ones(2), device=3), r"GPU 3, and GPU 0 is in use.*Device\(3\)"),
    ],
)
def test_samples_that_cannot_be_used_are_named(value, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.wasserstein_1d(value, StrictArray(np.ones(2)))


class Pinned:
    """A tensor in main memory that CUDA has pinned."""

    def __dlpack_device__(self):
        return (3, 0)

    def __dlpack__(self, **options):
        return np.ones(2).__dlpack__()


class OfAGraph:
    """A tensor of PyTorch on a GPU that belongs to the graph of a gradient: its interface raises."""

    @property
    def __cuda_array_interface__(self):
        raise RuntimeError("Can't get __cuda_array_interface__ on Variable that requires grad.")

    def __dlpack_device__(self):
        return (2, 0)

    def __dlpack__(self, **options):
        raise BufferError("Can't export tensors that require gradient")


def test_what_is_no_array_of_a_gpu_is_none():
    assert not device_arrays.is_on_device(Pinned())
    assert device_arrays.is_on_device(StrictArray([1.0]))
    assert device_arrays.is_on_device(OfAGraph())


def test_what_cupy_cannot_take_over_is_named(monkeypatch):
    def refuse(value):
        return value.__dlpack__()

    monkeypatch.setattr(strict, "from_dlpack", refuse)
    with pytest.raises(ito.InvalidInputError, match=r"u is an? OfAGraph that CuPy cannot take over .Can't export"):
        ito.wasserstein_1d(OfAGraph(), StrictArray([1.0]))


def test_a_start_on_a_gpu_is_no_start_for_the_processor():
    maps = ito.gallery.two_point_quadratic(0.3)
    for start in (lambda: ito.simulate(maps, StrictArray([0.0]), 3, seed=1),):
        with pytest.raises(ito.InvalidInputError, match=r"x0 is .* in the memory of a GPU, .* backend='cuda'"):
            start()
    with pytest.raises(ito.InvalidInputError, match="y0 is"):
        ito.coupling_distance(maps, [0.0], StrictArray([1.0]), 3, order="forward", n_replicas=2, seed=1)


def test_lengths_diameters_and_moves_are_those_of_main_memory():
    paths = cloud(6, 2 * 20, seed=3).reshape(6, 20, 2)
    paths[4, 7] = np.inf
    steps = np.arange(20)
    for function in (
        lambda x: euclidean_norm(x),
        path_diameters,
        lambda x: path_diameters(x[:, :, :1]),
        lambda x: roughness(x, steps, 3),
    ):
        found = function(StrictArray(paths))
        assert isinstance(found, StrictArray)
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(found.get(), function(paths), rtol=8 * EPS)
