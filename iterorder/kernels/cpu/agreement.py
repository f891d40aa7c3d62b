"""Whether a user's map, compiled, gives the numbers that it gives in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from iterorder.errors import MapCompilationError
from iterorder.forms import Body
from iterorder.kernels.cpu.body_steps import memory_of
from iterorder.kernels.cpu.images import checked_images

# Compiled code contracts and reorders nothing: only the functions of its mathematics library may differ, by units in
# the last place of numbers that may be far larger than the image. Half of the digits tell that from another meaning.
ROUNDING = float(np.sqrt(np.finfo(np.float64).eps))


class TrialRun(Protocol):
    """A run in plain Python: a state, a draw and what the step made of them."""

    @property
    def x(self) -> np.ndarray: ...
    @property
    def draw(self) -> Any: ...
    @property
    def out(self) -> np.ndarray: ...


def check_agrees(form: Body, runs: Sequence[TrialRun], step) -> None:
    """Hold the compiled body against the trial runs in plain Python; states where Python raised are left out.

    Raises
    ------
    MapCompilationError
        If the body cannot be compiled, or an entry of out differs by more than rounding or is a number in one of the
        two only.
    """
    kernel, memory = checked_images(form), memory_of(form.params)
    for run in runs:
        images = np.full((1, form.dim), np.nan)
        kernel(run.x[None, :].copy(), 1, _words(run.draw, form.noise), memory, images)
        place = _difference(run, images[0])
        if place is not None:
            raise _disagreement(step, run, images[0], place)


def _words(draw, noise: str) -> np.ndarray:
    """A draw as the kernels hold it: 64-bit words, shape (slots, 1)."""
    values = np.array([draw[k] for k in range(len(draw))], np.int64 if noise == "index" else np.float64)
    words = values.view(np.int64).copy()
    if noise == "index+normal":
        words[0] = draw[0]
    return words[:, None]


def _difference(run: TrialRun, image: np.ndarray) -> int | None:
    """The first entry that differs by more than rounding of the numbers that went in and came out."""
    plain = run.out
    finite = [np.abs(values[np.isfinite(values)]) for values in (plain, run.x)]
    scale = max(float(values.max(initial=0.0)) for values in finite)
    with np.errstate(invalid="ignore"):
        same = (plain == image) | (np.isnan(plain) & np.isnan(image)) | (np.abs(plain - image) <= ROUNDING * scale)
    return None if same.all() else int(np.argmin(same))


def _disagreement(step, run: TrialRun, image: np.ndarray, k: int) -> MapCompilationError:
    shown = [run.draw[place] for place in range(min(len(run.draw), 4))]
    numbers = ", ".join(f"{float(value):.6g}" for value in shown) + (", …" if len(run.draw) > 4 else "")
    return MapCompilationError.of(
        step,
        f"gives another number when compiled: out[{k}] is {image[k]:.17g}, and {run.out[k]:.17g} in plain Python "
        f"(x[{k}] = {run.x[k]:.6g}, draw = [{numbers}])",
        "compiled integers wrap around at 64 bits, and an integer to a negative integer power is 0 or 1: write floats, "
        "such as 2.0**-1; and the function must not draw or remember anything itself",
    )
