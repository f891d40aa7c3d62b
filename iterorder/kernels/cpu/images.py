"""The images of many states under a map that a user wrote, draws given: what differences are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numba import njit

from iterorder import noise
from iterorder.forms import Body
from iterorder.kernels.cpu.attempt import succeeds
from iterorder.kernels.cpu.body_steps import (
    check_compiles,
    draw_view,
    layout_of,
    memory_of,
    parameters_at,
    row_view,
    unwritable,
)
from iterorder.kernels.targets import OPTIONS
from iterorder.sampling import FreshNoise, Sampling


def images_of(form: Body) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The function (states, words) → images, shapes (R, k, d), (slots, R) and (R, k, d).

    Column r of the words is the draw that all k states of replica r meet, as `words_of` holds it. An image that is no
    number, as in a simulation, is NaN.
    """
    body, memory = check_compiles(form), memory_of(form.params)

    def images(states, words) -> np.ndarray:
        kernel = images_kernel(body, form.dim, form.noise, len(words), layout_of(form.params))
        rows = np.ascontiguousarray(states, np.float64).reshape(-1, form.dim)
        found = np.empty_like(rows)
        kernel(rows, states.shape[1], np.ascontiguousarray(words), memory, found)
        return found.reshape(states.shape)

    return images


def words_of(law: Sampling | FreshNoise, seed: int, replicas: np.ndarray, first: int, count: int) -> np.ndarray:
    """The draws that `simulate` meets in steps first … first + count − 1, as 64-bit words, shape (steps, slots, R)."""
    steps = np.arange(first, first + count)[:, None]
    if not isinstance(law, FreshNoise):
        return noise.indices(seed, replicas, steps, law.n_items).astype(np.int64)[:, None]
    draws = law.draws(seed, replicas, steps)  # (steps, R, slots)
    words = np.ascontiguousarray(np.swapaxes(draws, 1, 2)).view(np.int64)
    if law.noise == "index+normal":
        words[:, 0] = draws[:, :, 0]
    return words


@lru_cache(maxsize=256)
def images_kernel(body, dim: int, noise: str, rows: int, layout: tuple):
    """The body on many states (M, d) and draws (rows, M/states_per_draw), called from Python."""
    draw, parameters = draw_view(noise), parameters_at(layout)

    @njit(**OPTIONS)
    def images(states, states_per_draw, words, memory, found):
        given = parameters(memory)
        for row in range(states.shape[0]):
            # Views that own no memory, as in the steps of a block: nothing here counts references.
            x, image = unwritable(row_view(states, row, dim)), row_view(found, row, dim)
            for k in range(dim):
                image[k] = np.nan  # what a branch leaves out is not a number
            if not succeeds(body, x, draw(words, 0, row // states_per_draw, rows), given, image):
                for k in range(dim):
                    image[k] = np.nan

    return images
