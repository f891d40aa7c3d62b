"""What every random-map system passes, whatever its family."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import iterorder as ito
from iterorder.sampling import FreshNoise
from tests import naive

EPS = np.finfo(np.float64).eps
SEED = 0x9E3779B97F4A7C15


def check_maps(maps) -> None:
    """The whole contract for one system."""
    check_is_frozen(maps)
    check_draws(maps)
    check_apply(maps)
    check_lipschitz(maps)


def check_is_frozen(maps) -> None:
    """A frozen dataclass with identity comparison and private read-only arrays."""
    assert dataclasses.is_dataclass(maps)
    assert maps != dataclasses.replace(maps)
    assert len({maps, maps, dataclasses.replace(maps)}) == 2
    for field in dataclasses.fields(maps):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(maps, field.name, None)
        values = getattr(maps, field.name)
        for value in values if isinstance(values, tuple) else (values,):
            if not isinstance(value, np.ndarray):
                continue
            with pytest.raises(ValueError, match="read-only"):
                value[...] = 0


def check_draws(maps) -> None:
    """Draws are those of the documented layout: they depend on the sampling law alone, never on the family."""
    law = maps.sampling_law
    n, size = law.n_items, law.batch_size
    for replica, step in [(0, 0), (0, 1), (3, 7), (2**32 - 1, 12345), (1, 2**40 + 3)]:
        draw = maps.draw(SEED, replica, step)
        if isinstance(law, FreshNoise):
            check_fresh_draw(law, draw, replica, step)
            continue
        epoch, position = divmod(step, n // size)
        if law.kind == "cyclic":
            expected = list(range(position * size, (position + 1) * size))
        elif law.kind == "reshuffle":
            expected = naive.permutation(SEED, replica, epoch, n)[position * size : (position + 1) * size]
        elif size > 1:
            expected = naive.batch(SEED, replica, step, n, size)
        else:
            expected = [naive.index(SEED, replica, step, n, law.probabilities)]
        if not maps.time_homogeneous:
            assert draw[0] == step
            draw = draw[1:] if size > 1 else int(draw[1])
        assert np.atleast_1d(draw).tolist() == expected
        assert isinstance(draw, int) == (size == 1)
        assert len(set(expected)) == size


def check_fresh_draw(law, draw, replica, step) -> None:
    """Uniforms and index to the bit; normals within four roundings of numbers up to 8.6, from other functions."""
    expected = naive.fresh_draw(law.noise, law.count, law.n_items, SEED, replica, step)
    assert draw.shape == (len(expected),)
    exact = {"uniform": law.count, "normal": 0, "index+normal": 1}[law.noise]
    assert draw[:exact].tolist() == expected[:exact]
    np.testing.assert_allclose(draw[exact:], expected[exact:], rtol=0, atol=4 * 8.6 * EPS)


def check_apply(maps) -> None:
    """Shapes: one state, many states; float32 in, float32-sized error; wrong input is refused."""
    rng = np.random.default_rng(1)
    x, draw = rng.normal(size=(4, 2, maps.dim)), maps.draw(SEED, 0, 5)
    images = maps.apply(x, draw)
    assert images.shape == x.shape
    # One state at a time sums in the same order up to the reordering inside a matrix product.
    scale = np.abs(images).max() + np.abs(x).max()
    np.testing.assert_allclose(maps.apply(x[1, 1], draw), images[1, 1], atol=64 * maps.dim * EPS * scale)
    if isinstance(maps.sampling_law, FreshNoise):
        check_bad_states(maps, draw)
        for bad in ("0", [0.5] * (len(draw) + 1), np.full(len(draw), np.nan)):
            with pytest.raises(ito.InvalidInputError, match="draw"):
                maps.apply(x, bad)
        return
    first = [] if maps.time_homogeneous else [0]  # the number of the step
    expected = np.array([maps.apply(x[0, 0], [*first, i]) for i in range(maps.sampling_law.n_items)])
    scale = np.abs(expected).max() + np.abs(x).max()
    np.testing.assert_allclose(maps.images(x[0, 0]), expected, rtol=0, atol=64 * maps.dim * EPS * scale)
    check_bad_states(maps, draw)
    for bad in (-1, maps.sampling_law.n_items, 0.5, "0"):
        with pytest.raises(ito.InvalidInputError, match="draw"):
            maps.apply(x, bad if maps.time_homogeneous else [0, bad])


def check_bad_states(maps, draw) -> None:
    """States of another shape or type."""
    for bad in (np.zeros(maps.dim + 1), np.zeros(maps.dim, complex), np.zeros(maps.dim, object), "x"):
        with pytest.raises(ito.InvalidInputError, match="x has"):
            maps.apply(bad, draw)


def check_lipschitz(maps) -> None:
    """No pair of states is stretched by more than the bound of its draw, and no draw has more than the maximum."""
    rng = np.random.default_rng(2)
    largest = maps.lipschitz_max
    for step in range(20):
        draw = maps.draw(SEED, 1, step)
        bound = maps.lipschitz(draw)
        if bound is None:
            assert largest is None
            continue
        # Directions of the extreme singular vectors are among them for affine maps by sheer number in low dimension.
        x, y = rng.normal(size=(2, 200, maps.dim))
        before = np.linalg.norm(x - y, axis=1)
        after = np.linalg.norm(maps.apply(x, draw) - maps.apply(y, draw), axis=1)
        rounding = 64 * maps.dim * EPS * (np.abs(x).max() + np.abs(maps.apply(x, draw)).max())
        assert (after <= bound * before + rounding).all()
        assert largest is None or bound <= largest * (1 + 64 * maps.dim * EPS)
