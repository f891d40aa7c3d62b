"""States of one replica a thread that stay in memory: of users' functions in many dimensions.

The memory of a state is twice its size: behind the state stands the image that is being written. What walks carry is a
tuple of that memory, as compiled functions return no views of arrays.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from iterorder.kernels.device.compilers import device_function, isfinite


class MemoryStates:
    """As `states.ThreadStates`, of which these are the parts that walks and kernels need."""

    team, columns_first = 1, True

    def __init__(self, dim: int) -> None:
        self.dim = self.spare = dim
        self.load, self.keep, self.save, self.all_finite = _in_place(dim)

    def image_by(self, function, dtype: np.dtype):
        """``(x, draw, maps)``: what a function writes that takes arrays."""
        dim, nan = self.dim, dtype.type(np.nan)

        @device_function
        def image(x, draw, maps):
            state, out = x[0][:dim], x[0][dim:]
            for k in range(dim):
                out[k] = nan
            done = function(state, draw, maps.given, out)
            for k in range(dim):
                state[k] = out[k] if done else nan
            return x

        return image


def _in_place(dim: int):
    @device_function
    def load(states, row, lane):
        return (states[row],)

    @device_function
    def keep(x, states, row, lane):
        """It is there."""

    @device_function
    def save(x, starts, states, row, saved, lane):
        for k in range(dim):
            states[row, saved, k] = x[0][k]

    @device_function
    def all_finite(x):
        found = True
        for k in range(dim):
            found = found and isfinite(x[0][k])
        return found

    return load, keep, save, all_finite


@cache
def memory_states(dim: int) -> MemoryStates:
    """The functions for states of `dim` numbers."""
    return MemoryStates(dim)
