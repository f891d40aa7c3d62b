"""The images of many states under a map that a user wrote, draws given: what differences are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from iterorder import noise
from iterorder.forms import Body
from iterorder.kernels.cpu.attempt import succeeds
from iterorder.kernels.cpu.body_steps import (
    body_of,
    check_compiles,
    draw_view,
    layout_of,
    memory_of,
    parameters_at,
    row_view,
    unwritable,
)
from iterorder.kernels.targets import is_compiled_for, jit_entry
from iterorder.sampling import FreshNoise, Sampling


def images_of(form: Body) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The function (states, words) → images, shapes (R, k, d), (slots, R) and (R, k, d).

    Column r of the words is the draw that all k states of replica r meet, as `words_of` holds it. An image that is no
    number, as in a simulation, is NaN.
    """
    kernel, memory = checked_images(form), memory_of(form.params)

    def images(states, words) -> np.ndarray:
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


def checked_images(form: Body):
    """The kernel of the images of a form, in float64; a body that cannot be compiled is a `MapCompilationError`.

    A kernel that is on disk was made of a body without fault.
    """
    rows = form.noise_dim + (form.noise == "index+normal")
    kernel = images_kernel(form.step, form.dim, form.noise, rows, layout_of(form.params))
    if not is_compiled_for(kernel, *images_arguments(form.dim, rows, np.float64)):
        check_compiles(form)
    return kernel


def images_arguments(dim: int, rows: int, dtype) -> tuple:
    """Arguments of the types that an images kernel takes."""
    states = np.zeros((1, dim), dtype)
    return states, 1, np.zeros((rows, 1), np.int64), np.zeros(1, np.int64), states


@lru_cache(maxsize=256)
def images_kernel(step, dim: int, noise: str, rows: int, layout: tuple):
    """The step on many states (M, d) and draws (rows, M/states_per_draw), called from Python."""
    body, draw, parameters = body_of(step), draw_view(noise), parameters_at(layout)

    @jit_entry
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
