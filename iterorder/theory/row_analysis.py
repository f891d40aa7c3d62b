"""What is known about SGD on a linear model whose loss is not quadratic."""

from __future__ import annotations

import contextlib
from functools import cached_property

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.estimate import Estimate
from iterorder.lengths import euclidean_norm
from iterorder.maps.rows import RowMaps
from iterorder.theory.analysis import NOT_AFFINE, Analysis
from iterorder.theory.row_cycle import RowCycle, only_cycle
from iterorder.theory.small_step import minimizer
from iterorder.theory.undefined import Undefined

EPS = float(np.finfo(np.float64).eps)


class RowAnalysis(Analysis):
    """SGD on a linear model: the exponent along the chain and the cycle; a law in closed form only if it is a point."""

    maps: RowMaps

    def mean(self) -> np.ndarray:
        """The common fixed point of contracting maps."""
        self._refuse_cyclic()
        return self._point_or(
            "small_step_covariance and minimizer, from iterorder.theory.small_step, give it for small steps"
        )

    def covariance(self) -> np.ndarray:
        """Zero for the common fixed point of contracting maps."""
        self._refuse_cyclic()
        point = self._point_or(
            "small_step_covariance, from iterorder.theory.small_step, gives it to first order in the step size"
        )
        return np.zeros((len(point), len(point)))

    def tail_index(self) -> Estimate:
        """None: the law, or the gradient of the loss without ridge, is bounded, or nothing is known."""
        loss = self.maps.loss
        if loss.bounded:
            raise Undefined(f"no stationary law has a power tail: the gradient of the {loss.name} loss is bounded")
        self._refuse_bounded_law()
        gradient = f"the gradient of the {loss.name} loss"
        why = f"no bound of {gradient} is known" if self.maps.holds_functions else f"{gradient} has no bound"
        raise Undefined(f"the tail is not known: {why}")

    def common_fixed_point(self) -> np.ndarray:
        """The minimiser of the mean loss, if it minimises the loss of every step."""
        try:
            point = minimizer(self.maps)
        except InvalidInputError as error:
            raise Undefined(f"the maps have no common fixed point: {error}") from None
        size, n = self.sampling.batch_size, self.sampling.n_items
        slopes = self.maps.gradients(point)
        if self.sampling.kind == "cyclic" or size == n:
            used = slopes[: self.sampling.batches_per_epoch * size]
            slopes = used.reshape(-1, size, self.maps.dim).mean(axis=1)
        largest = float(euclidean_norm(slopes).max())
        # Rounding of a mean of n gradients, which are of the size of the gradients at the origin at most.
        scale = float(euclidean_norm(self.maps.gradients(np.zeros(self.maps.dim))).max())
        if not largest <= n * self.maps.dim * EPS * scale:
            raise Undefined(
                f"the maps have no common fixed point: the largest gradient of one at the minimiser is {largest:.3g}"
            )
        return point

    def cycle(self) -> np.ndarray:
        """By Newton's method."""
        self._refuse_random_order()
        return self._cycle.states

    @cached_property
    def exponent(self) -> Estimate:
        """The Lyapunov exponent; in a fixed order that of the cycle."""
        if self.sampling.kind == "cyclic":
            with contextlib.suppress(Undefined):
                return Estimate.of(self._cycle.exponent)
        return super().exponent

    def _spectrum(self, k: int) -> tuple[Estimate, ...]:
        if self.sampling.kind == "cyclic":
            with contextlib.suppress(Undefined):
                return tuple(Estimate.of(value) for value in (self._cycle.exponent, *self._cycle.spectrum[1:])[:k])
        return super()._spectrum(k)

    @cached_property
    def _cycle(self) -> RowCycle:
        return only_cycle(self.maps, seed=self.seed, backend=self.backend)

    def _point_or(self, alternative: str) -> np.ndarray:
        bound = self.maps.lipschitz_max
        if bound is not None and bound < 1.0:
            with contextlib.suppress(Undefined):
                return self.common_fixed_point()
        try:
            minimizer(self.maps)
        except InvalidInputError as error:  # then there is nothing to refer to
            raise Undefined(f"{NOT_AFFINE}; {error}") from None
        raise Undefined(f"{NOT_AFFINE}; {alternative}")
