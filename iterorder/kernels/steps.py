"""The steps of the families on a block of states: the mathematics of the maps, once for every order.

A block holds the states of some lanes: replicas, or backward iterates of one replica. In the lane layout it has shape
(dim, lanes) and a vector holds one coordinate of several lanes; in the row layout it has shape (lanes, stride) and a
vector holds several coordinates of one lane. The roundings of a lane never depend on the other lanes.

Loops over lanes count in unsigned integers: a signed index might be negative, and the test for that would keep the
compiler from using vectors.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from iterorder.kernels import systems
from iterorder.kernels.targets import jit, jit_inline, madd
from iterorder.kernels.vector import dot, exp, gather_columns, shrink_and_move

# Lanes that are gathered at once; the number of lanes of a block is a multiple.
GROUP = np.uintp(8)


# ---------------------------------------------------------------------------------------------------- affine families


@jit
def _affine_line(system, scratch, start, stop, direction, first_lane):
    """One dimension: slope and offset of every lane, then one multiply-add."""
    table, index, x, columns, image = system.table, scratch.drawn, scratch.states, scratch.columns, scratch.image
    size, first, lanes = index.shape[1], np.uintp(first_lane), np.uintp(index.shape[2])
    for row in range(start, stop, direction):
        for b in range(size):
            for j in range(first, lanes):
                item = index[row, b, j]
                columns[0, j] = table[item, 0]
                columns[1, j] = table[item, 1]
            if b == 0:
                for j in range(first, lanes):
                    image[0, j] = madd(columns[0, j], x[0, j], columns[1, j])
            else:
                for j in range(first, lanes):
                    image[0, j] += madd(columns[0, j], x[0, j], columns[1, j])
        for j in range(first, lanes):
            x[0, j] = system.scale * image[0, j]


@jit
def _affine_pair(system, scratch, start, stop, direction, first_lane):
    """Two maps on the line: a choice between two slopes and two offsets, nothing to look up."""
    drawn, x = scratch.drawn, scratch.states
    slope0, offset0 = system.table[0, 0], system.table[0, 1]
    slope1, offset1 = system.table[1, 0], system.table[1, 1]
    first, lanes = np.uintp(first_lane), np.uintp(drawn.shape[2])
    for row in range(start, stop, direction):
        for j in range(first, lanes):
            second = drawn[row, 0, j] != 0
            x[0, j] = madd(slope1 if second else slope0, x[0, j], offset1 if second else offset0)


@jit
def _affine_lanes(system, scratch, start, stop, direction, first_lane):
    table, index, x, columns, image = system.table, scratch.drawn, scratch.states, scratch.columns, scratch.image
    d = system.dim
    size, first, lanes = index.shape[1], np.uintp(first_lane), np.uintp(index.shape[2])
    for row in range(start, stop, direction):
        for b in range(size):
            for j in range(first, lanes, GROUP):
                gather_columns(table, index, row * size + b, j, columns)
            for k in range(d):
                sums = d * d + k  # the offset, to which the products are added
                for m in range(d):
                    for j in range(first, lanes):
                        columns[sums, j] = madd(columns[k * d + m, j], x[m, j], columns[sums, j])
                if b == 0:
                    for j in range(first, lanes):
                        image[k, j] = columns[sums, j]
                else:
                    for j in range(first, lanes):
                        image[k, j] += columns[sums, j]
        for k in range(d):
            for j in range(first, lanes):
                x[k, j] = system.scale * image[k, j]


@jit
def _affine_rows(system, scratch, start, stop, direction, first_lane):
    table, index, x, image = system.table, scratch.drawn, scratch.states, scratch.image
    d, stride = system.dim, system.stride
    size, first, lanes = index.shape[1], np.uintp(first_lane), np.uintp(index.shape[2])
    for row in range(start, stop, direction):
        for j in range(first, lanes):
            for b in range(size):
                item = index[row, b, j]
                for k in range(d):
                    value = dot(table, item, k * stride, x, j, stride) + table[item, d * stride + k]
                    image[0, k] = value if b == 0 else image[0, k] + value
            for k in range(d):
                x[j, k] = system.scale * image[0, k]


# ------------------------------------------------------------------------------------------------ regression families


@jit_inline
def _moves(system, moves, b, first, lanes):
    """From z = aᵀx (+ constant) to the coefficient of a in the step, for each lane."""
    if not system.logistic:
        scale = -system.scale
        for j in range(first, lanes):
            moves[b, j] *= scale
    else:
        scale = np.float64(system.scale)
        for j in range(first, lanes):
            moves[b, j] = scale / (1.0 + exp(np.float64(moves[b, j])))


@jit_inline
def _shrink(system, x, first, lanes):
    if system.shrink != 1.0:
        for k in range(system.dim):
            for j in range(first, lanes):
                x[k, j] *= system.shrink


@jit
def _regression_lanes(system, scratch, start, stop, direction, first_lane):
    table, index, x, columns, moves = system.table, scratch.drawn, scratch.states, scratch.columns, scratch.moves
    d = system.dim
    size, first, lanes = index.shape[1], np.uintp(first_lane), np.uintp(index.shape[2])
    for row in range(start, stop, direction):
        for b in range(size):
            for j in range(first, lanes, GROUP):
                gather_columns(table, index, row * size + b, j, columns)
            for j in range(first, lanes):
                moves[b, j] = columns[d, j]
            for k in range(d):
                for j in range(first, lanes):
                    moves[b, j] = madd(columns[k, j], x[k, j], moves[b, j])
            _moves(system, moves, b, first, lanes)
        _shrink(system, x, first, lanes)
        for b in range(size):
            if size > 1:
                for j in range(first, lanes, GROUP):
                    gather_columns(table, index, row * size + b, j, columns)
            for k in range(d):
                for j in range(first, lanes):
                    x[k, j] = madd(moves[b, j], columns[k, j], x[k, j])


@jit
def _shared_regression_lanes(system, scratch, start, stop, direction, first_lane):
    """`_regression_lanes` with the same item in every lane: its row is broadcast instead of gathered."""
    table, index, x, moves = system.table, scratch.drawn, scratch.states, scratch.moves
    d = system.dim
    size, first, lanes = index.shape[1], np.uintp(first_lane), np.uintp(index.shape[2])
    for row in range(start, stop, direction):
        for b in range(size):
            item = index[row, b, 0]
            constant = table[item, d]
            for j in range(first, lanes):
                moves[b, j] = constant
            for k in range(d):
                a = table[item, k]
                for j in range(first, lanes):
                    moves[b, j] = madd(a, x[k, j], moves[b, j])
            _moves(system, moves, b, first, lanes)
        _shrink(system, x, first, lanes)
        for b in range(size):
            item = index[row, b, 0]
            for k in range(d):
                a = table[item, k]
                for j in range(first, lanes):
                    x[k, j] = madd(moves[b, j], a, x[k, j])


@jit
def _regression_rows(system, scratch, start, stop, direction, first_lane):
    table, index, x, moves = system.table, scratch.drawn, scratch.states, scratch.moves
    stride = system.stride
    size, first, lanes = index.shape[1], np.uintp(first_lane), np.uintp(index.shape[2])
    for row in range(start, stop, direction):
        for b in range(size):
            for j in range(first, lanes):
                item = index[row, b, j]
                moves[b, j] = dot(table, item, 0, x, j, stride) + table[item, stride]
            _moves(system, moves, b, first, lanes)
        for b in range(size):
            shrink = system.shrink if b == 0 else x.dtype.type(1.0)
            for j in range(first, lanes):
                shrink_and_move(x, j, shrink, moves[b, j], table, index[row, b, j], stride)


# --------------------------------------------------------------------------------------------------- choice of the step


def apply_steps(system, scratch, start, stop, direction, first_lane):
    """Apply the maps drawn in rows start, start+direction, … before stop of the index to a block of states.

    A whole chunk at a time: a call costs as much as a step, for the reference counts of its arrays. Compiled code only.

    Parameters
    ----------
    system : System
        Its class decides at compile time which step is used.
    scratch : Scratch
        ``scratch.states`` is the block, shape (dim, lanes) or (lanes, stride); ``scratch.drawn`` holds the draws.
    start, stop, direction : int
        As in range(); direction is 1 or −1.
    first_lane : int
        A multiple of eight; lanes below are left alone.
    """


def apply_shared_steps(system, scratch, start, stop, direction, first_lane):
    """`apply_steps` where every lane meets the maps of lane 0: the same roundings, and no data to gather."""


_STEPS = {
    systems.AffineLine: _affine_line,
    systems.AffinePair: _affine_pair,
    systems.AffineLanes: _affine_lanes,
    systems.AffineRows: _affine_rows,
    systems.RegressionLanes: _regression_lanes,
    systems.RegressionRows: _regression_rows,
}
_SHARED_STEPS = {**_STEPS, systems.RegressionLanes: _shared_regression_lanes}


@overload(apply_steps)
def _choose_steps(system, scratch, start, stop, direction, first_lane):
    return _call(_STEPS[system.instance_class])


@overload(apply_shared_steps)
def _choose_shared_steps(system, scratch, start, stop, direction, first_lane):
    return _call(_SHARED_STEPS[system.instance_class])


def _call(step):
    def call(system, scratch, start, stop, direction, first_lane):
        step(system, scratch, start, stop, direction, first_lane)

    return call
