"""The types that signatures name: what functions take, and the arrays that they return.

Everything that takes an array takes what NumPy makes one of: lists, arrays of other libraries, tables.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = [
    "ArrayLike",
    "BoolArray",
    "DTypeLike",
    "DrawSeed",
    "FloatArray",
    "FloatOrArray",
    "IntArray",
    "LossFunction",
    "PathLike",
    "SaveSteps",
    "Seed",
    "Step",
]

FloatArray: TypeAlias = NDArray[np.float64]
"""An array of floats; where a ``dtype`` asks for float32 too, which type checkers take for the same."""

IntArray: TypeAlias = NDArray[np.int64]
"""An array of integers, such as steps or the indices of a batch: int64."""

FloatOrArray: TypeAlias = float | Any
"""A float, or an array of floats where several were asked for; type checkers take it for a float."""

BoolArray: TypeAlias = NDArray[np.bool_]
"""An array of truth values."""

DrawSeed: TypeAlias = int | np.integer[Any] | np.random.SeedSequence
"""The seed of one draw: an integer in [0, 2⁶⁴), or a sequence that generates one."""

Seed: TypeAlias = DrawSeed | np.random.Generator | np.random.BitGenerator | np.random.RandomState
"""The seed of a run: an integer in [0, 2⁶⁴), a sequence that generates one, or a generator, which is advanced."""

SaveSteps: TypeAlias = ArrayLike | Literal["all"] | None
"""The steps whose states are kept: increasing integers, "all" of them, or None for the last."""

PathLike: TypeAlias = str | os.PathLike[str]
"""The name of a file or a folder."""

Step: TypeAlias = Callable[[Any, Any, Any, Any], None]
"""A step of one's own, ``step(x, draw, params, out)``, which writes the image of x into ``out``."""

LossFunction: TypeAlias = Callable[[float, float, Any], float]
"""A function of a loss, ``f(z, target, params)``: of a margin, a target and the parameters of the loss."""
