"""The numbers of an optimiser as kernels read them: one array, the same for every backend."""

from __future__ import annotations

import numpy as np

from iterorder.forms import Stateful

# Where they stand; the step sizes of steps 0, 1, … follow, and the last goes on.
MOMENTUM, WEIGHT_DECAY, RIDGE, ITEM_WEIGHT, STEP_SIZES = range(5)


def optimizer_numbers(form: Stateful) -> np.ndarray:
    """Momentum, decay, ridge, the weight of an item in the mean of a batch, and the step sizes."""
    numbers = (form.momentum, form.weight_decay, form.ridge, 1.0 / form.gradient.batch_size)
    return np.concatenate([numbers, form.step_sizes])
