"""What a family of maps is, as numbers: the form that kernels, certificates and theory ask for in place of its class.

No padding, no compiler and no device: a backend lays a form out as it needs it. A family says its form in
`RandomMaps.form`; whoever needs to know whether maps are affine, or which loss they descend, asks the form.
"""

from __future__ import annotations

import hashlib
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType

import numpy as np

#: The attribute of a function in a form that nothing can change any more: what it computes, as a digest that is the
#: same in every process, "" where that cannot be told. Compiled kernels are kept under it.
FINGERPRINT = "_iterorder_fingerprint"


def is_compiled(value) -> bool:
    """Whether this is a function of numba.njit; what vectorize, cfunc and others make is another matter."""
    return hasattr(value, "py_func") and hasattr(value, "targetoptions")


def name_apart(function: FunctionType) -> None:
    """Let what is compiled of a function have a name of its own.

    Compilers call what they make by the name of the function and count those that share it, anew in every process: of
    two with one name that come from disk one would be called in place of the other.
    """
    if found := getattr(function, FINGERPRINT, ""):
        digest = hashlib.sha256(found.encode()).hexdigest()[:16]
        function.__qualname__ = f"{function.__name__}_{digest}"


@dataclass(frozen=True, eq=False)
class Slope:
    """The slope φ of a loss of a linear model, as a function of numbers that is compiled for every target.

    Attributes
    ----------
    function : function
        ``function(u, factor, params)``, φ times a factor, of the folded margin u; or ``function(z, target, params)``.
    params : tuple of numbers and ndarrays
        What the function finds in `params`.
    folded : bool
        The target stands in the row: in its constant, where the loss is one of the residual, or in its sign.
    linear : bool
        φ(u) = u.
    exact : bool
        Made of operations that float32 has as well; others are computed in float64 for float32 states.
    """

    function: Callable
    params: tuple = ()
    folded: bool = False
    linear: bool = False
    exact: bool = False


@dataclass(frozen=True, eq=False)
class Affine:
    """x → the mean over a batch of A x + b.

    Attributes
    ----------
    matrices : ndarray, shape (m, d, d)
        The linear parts A of the items.
    offsets : ndarray, shape (m, d)
        The b of the items.
    batch_size : int
        Items of a step, whose images are averaged.
    """

    matrices: np.ndarray
    offsets: np.ndarray
    batch_size: int = 1

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return self.offsets.shape[1]

    @property
    def is_affine(self) -> bool:
        """Whether x → T(x) − T(0) is linear."""
        return True


@dataclass(frozen=True, eq=False)
class Rows:
    """x → shrink·x − scale·Σ φ(aᵀx + c)·a over the rows (a, c) of a batch, φ the slope of the loss.

    Attributes
    ----------
    rows : ndarray, shape (n, d)
        a; with the label as its sign where the loss is one of label times margin.
    constants : ndarray, shape (n,)
        c; minus the target where the loss is one of the residual.
    slope : Slope
        φ; where the targets are not folded into the rows, c is the target and not part of the margin.
    shrink, scale : float
        1 − h·ridge and h divided by the batch size.
    batch_size : int
        Rows of a step.
    """

    rows: np.ndarray
    constants: np.ndarray
    slope: Slope
    shrink: float
    scale: float
    batch_size: int = 1

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return self.rows.shape[1]

    @property
    def is_affine(self) -> bool:
        """Whether x → T(x) − T(0) is linear."""
        return self.slope.linear


@dataclass(frozen=True, eq=False)
class Body:
    """A step that is written as a function of one state: ``step(x, draw, params, out)``.

    Attributes
    ----------
    step : function
        Plain Python of numbers and loops; it writes the image of x to ``out``.
    dim : int
        The dimension of the state.
    noise : {"uniform", "normal", "index", "index+normal"}
        What a draw holds, as in `CustomMaps`.
    noise_dim : int
        Floats of a draw, or the one index.
    params : tuple of numbers and ndarrays
        What the function finds in `params`.
    """

    step: Callable
    dim: int
    noise: str
    noise_dim: int
    params: tuple

    @property
    def is_affine(self) -> bool:
        """Whether x → T(x) − T(0) is linear; not known of a function."""
        return False


class IndexAndNormals:
    """A draw whose entry 0 is the index, a Python int, and whose other entries are floats: what compiled bodies see."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __getitem__(self, k):
        return int(self._values[0]) if isinstance(k, numbers.Integral) and k == 0 else self._values[k]

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, eq=False)
class Stateful:
    """v → momentum·v + g(x), x → (1 − h_k·weight_decay)·x − h_k·v with the new v; without momentum the state is x.

    Attributes
    ----------
    gradient : Affine or Rows
        Whose items make g: the mean of A x + b, or ridge·x + the mean of φ(aᵀx + c)·a.
    ridge, momentum, weight_decay : float
        The numbers of the formula; ridge is part of g.
    step_sizes : ndarray, shape (N,)
        h_k; later steps have the last.
    """

    gradient: Affine | Rows
    ridge: float
    momentum: float
    weight_decay: float
    step_sizes: np.ndarray

    @property
    def dim(self) -> int:
        """The dimension of the state, that of x or twice as many."""
        return self.gradient.dim * (2 if self.momentum else 1)

    @property
    def is_affine(self) -> bool:
        """Whether x → T(x) − T(0) is linear."""
        return self.gradient.is_affine


Form = Affine | Rows | Body | Stateful
