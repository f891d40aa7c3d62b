"""What the steps of SGD on known losses have in common."""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np

from iterorder.forms import Affine, Rows
from iterorder.maps.base import RandomMaps
from iterorder.types import ArrayLike, FloatArray


class SGDMaps(RandomMaps):
    """Steps x → x − h·∇L(x) of a step size h on the mean loss L of a batch.

    A family gives the gradients of its losses and the range of their curvature; the rest follows.
    """

    step_size: float
    batch_size: int

    #: Factor of ½‖x‖² that is added to every loss.
    ridge: float = 0.0

    def gradient_form(self) -> Affine | Rows:
        """The items whose mean, with ridge·x, is the gradient of a batch."""
        raise TypeError(f"{type(self).__name__} has no form of its gradients")

    @property
    def smaller_steps(self) -> str:
        """What to try where the maps do not contract."""
        return "a smaller step size"

    @abstractmethod
    def gradient(self, x: ArrayLike, draw: ArrayLike) -> FloatArray:
        """The gradient at x of the mean loss of a draw, shape (..., dim) as x."""

    @abstractmethod
    def gradients(self, x: FloatArray) -> FloatArray:
        """The gradients at one x of the losses of all items, shape (n_items, dim)."""

    def hessian(self, x: FloatArray, item: int) -> FloatArray:
        """The second derivative at x of the loss of one item, shape (dim, dim)."""
        raise TypeError(f"{type(self).__name__} has no second derivatives")

    def mean_hessian(self, x: FloatArray) -> FloatArray:
        """The second derivative at x of the mean loss, shape (dim, dim)."""
        return np.mean([self.hessian(x, item) for item in range(self.sampling_law.n_items)], axis=0)

    @abstractmethod
    def curvature_range(self, draw: ArrayLike | None = None) -> tuple[float, float]:
        """Bounds of the eigenvalues of the Hessian anywhere: for the mean loss of a draw, or of every draw (None)."""

    def apply(self, x: ArrayLike, draw: ArrayLike) -> FloatArray:
        """x − h·(gradient of the mean loss of the draw), shape (..., dim) as x."""
        x = self._states(x)
        return x - self.step_size * self.gradient(x, draw)

    def images(self, x: FloatArray) -> FloatArray:
        """The steps from x on the loss of each item alone, shape (n_items, dim)."""
        return x - self.step_size * self.gradients(x)

    def lipschitz(self, draw: ArrayLike) -> float | None:
        """max |1 − h·curvature| over the curvatures of the draw: the best constant where the loss is quadratic.

        None where the curvature has no bound.
        """
        return largest_factor(*self.curvature_range(draw), self.step_size)

    @property
    def lipschitz_max(self) -> float | None:
        """The same over the curvatures of all draws: the Hessian of a batch is a mean of those of its items."""
        return largest_factor(*self.curvature_range(), self.step_size)


def largest_factor(low: float, high: float, step_size: float) -> float | None:
    """Lipschitz constant of x − h∇L where the curvature of L lies in [low, high]: max |1 − h·curvature|, if finite."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    return max(abs(1.0 - step_size * low), abs(1.0 - step_size * high))
