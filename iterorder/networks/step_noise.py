"""Noise of a step beside its batch, as a function of (seed, sequence, step): what dropout and augmentation read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iterorder.errors import InvalidInputError
from iterorder.types import ArrayLike, IntArray


@dataclass(frozen=True, eq=False)
class StepNoise:
    """Where a step that draws random numbers reads them.

    Attributes
    ----------
    seed : int in [0, 2⁶⁴)
        The key of the noise, that of the run.
    sequence, step : int, or array_like of int, shape (R,)
        One for all replicas, or one for each. Replicas that meet the same step of the same sequence meet the same map,
        whichever order they are in.

    Examples
    --------
    >>> from iterorder import noise
    >>> StepNoise(1, 0, 7).words(noise.DROPOUT, 6).shape
    (6,)
    >>> StepNoise(1, 0, [7, 6, 5]).words(noise.DROPOUT, 6).shape
    (3, 6)
    """

    seed: int
    sequence: ArrayLike
    step: ArrayLike

    @property
    def is_shared(self) -> bool:
        """Whether all replicas meet the same map."""
        return np.ndim(self.sequence) == 0 and np.ndim(self.step) == 0

    def words(self, purpose: int, count: int) -> NDArray[np.uint64]:
        """The words of a purpose, shape (count,) or (R, count)."""
        from iterorder.kernels.cpu.purpose_words import purpose_words

        return purpose_words(self.seed, self.sequence, self.step, purpose, count)


def check_step_noise(model: Any, step_noise: StepNoise | None) -> None:
    """A model that draws random numbers must be told where they are."""
    if step_noise is None and model.draws_noise:
        raise InvalidInputError(
            "step_noise is missing: the steps of this model draw random numbers (dropout or augmentation), give "
            "StepNoise(seed, sequence, step)"
        )


def items_of_replicas(items: IntArray, step_noise: StepNoise | None, n_replicas: int) -> IntArray:
    """The items, for each replica its own where the noise is not shared."""
    if step_noise is None or step_noise.is_shared or items.ndim == 2:
        return items
    return np.broadcast_to(items, (n_replicas, len(items)))
