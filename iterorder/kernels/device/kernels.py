"""What is launched: rows of states through their maps, forward with saved steps, or backward.

A row belongs to a replica: each to its own, or several rows of one. Its state is worked on by a team of threads, one or
eight. Long runs are cut into pieces, between which the states lie in memory.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from iterorder.kernels.device.compilers import SIMULATED, cuda, device_function, kernel
from iterorder.kernels.device.images import Image

ONE = np.uint64(1)


class Rows(NamedTuple):
    """Where the rows of a launch read their noise: row r is replica first_replica + (r // share)·stride."""

    first_replica: np.uint64
    stride: np.uint64
    share: np.uint64
    first_step: np.uint64


@device_function
def replica_of(rows, row):
    """The replica whose noise a row reads."""
    return rows.first_replica + row // rows.share * rows.stride


if SIMULATED:

    @device_function
    def quiet():
        """Overflow of a diverging state is data."""
        np.seterr(all="ignore")

else:

    @device_function
    def quiet():
        """Nothing warns on a device."""


@device_function
def row_and_lane(team):
    """The row that a thread works on, and its place in the team of the row; blocks hold whole teams."""
    thread = np.uint64(cuda.grid(1))
    return thread // team, thread % team


@lru_cache(maxsize=256)
def forward_kernel(image: Image, walk):
    """Rows from step `reached` on through the targets of a piece, of which the first `n_saved` are saved."""
    states, team = image.states, np.uint64(image.states.team)
    load, keep, save, all_finite = states.load, states.keep, states.save, states.all_finite

    @kernel
    def forward(rows, draws, maps, starts, current, reached, targets, n_saved, saved, found, left):
        quiet()
        row, lane = row_and_lane(team)
        if row < current.shape[0]:
            x, replica, step = load(current, row, lane), replica_of(rows, row), reached
            for s in range(targets.size):
                target = np.uint64(targets[s])
                x = walk(x, rows.first_step + step, rows.first_step + target, row, replica, draws, maps)
                step = target
                if s < n_saved:
                    save(x, starts, found, row, saved + s, lane)
            keep(x, current, row, lane)
            if not all_finite(x):
                left[row] = True

    return forward


@lru_cache(maxsize=256)
def locating_kernel(image: Image, walk):
    """The step after which each row leaves the finite numbers: a piece again, one step at a time."""
    states, team = image.states, np.uint64(image.states.team)
    load, all_finite = states.load, states.all_finite

    @kernel
    def locate(rows, draws, maps, which, current, reached, target, diverged):
        quiet()
        row, lane = row_and_lane(team)
        if row < current.shape[0]:
            x, replica, step = load(current, row, lane), replica_of(rows, np.uint64(which[row])), reached
            while step < target and all_finite(x):
                x = walk(x, rows.first_step + step, rows.first_step + step + ONE, row, replica, draws, maps)
                step += ONE
            if not all_finite(x):
                diverged[row] = step

    return locate


@lru_cache(maxsize=256)
def backward_kernel(image: Image, walk):
    """Rows through maps end − 1, …, begin, each from its own length on: shorter ones wait at their start."""
    states, team = image.states, np.uint64(image.states.team)
    load, keep = states.load, states.keep

    @kernel
    def backward(rows, draws, maps, current, lengths, begin, end):
        quiet()
        row, lane = row_and_lane(team)
        if row < current.shape[0]:
            first, last = rows.first_step + begin, rows.first_step + min(np.uint64(lengths[row]), end)
            if last > first:
                x = load(current, row, lane)
                keep(walk(x, first, last, row, replica_of(rows, row), draws, maps), current, row, lane)

    return backward
