"""All backward iterates of affine systems in one pass: Z_n is carried together with its linear part P_n.

Z_(n+1) = Z_n + P_n (T(x0) − x0) and P_(n+1) = P_n A for the next map T(x) = A x + b: the newest map is innermost, so it
only ever multiplies from the right. For regression A = shrink·I − scale·Σ a aᵀ, and both updates need just u = P a.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from iterorder.kernels import systems
from iterorder.kernels.blocks import chunk_ends
from iterorder.kernels.draws import fill_index
from iterorder.kernels.targets import jit, jit_inline, madd

# Once every entry of P is this small, P and Z are left alone: subnormal numbers would be slow and inexact. A move m
# from then on would change Z by less than d·2⁻⁹⁶⁰·|m| (float32: d·2⁻¹⁰⁰·|m|), far below the rounding of Z wherever Z
# and the moves are of comparable size. (Only a later product above 2⁹⁰⁰ or 2⁶⁰ could have brought it back.)
NEGLIGIBLE, NEGLIGIBLE_SINGLE = 2.0**-960, 2.0**-100


@jit
def incremental(system, draws, scratch, replica, replica_stride, first_step, x0, saves, states, control):
    """Z_n of every replica for each n in `saves` (increasing), at the cost of max(saves) steps."""
    lanes = scratch.drawn.shape[2]
    for first in range(0, x0.shape[0], lanes):
        last = min(first + lanes, x0.shape[0])
        base = replica + np.uint64(first) * replica_stride
        if not _run_block(
            system, draws, scratch, base, replica_stride, first_step, x0[first:last], saves, states[first:last], control
        ):
            return


@jit
def _run_block(system, draws, scratch, replica, replica_stride, first_step, x0, saves, states, control):
    """One block of replicas, a chunk of draws at a time; within a chunk one replica after the other."""
    chunk = scratch.drawn.shape[0]
    d = system.dim
    dtype = x0.dtype.type
    iterates = x0.copy()
    # Transposed, so that the inner loops run along contiguous numbers: linear[lane, k, i] = P[i, k].
    linear = np.zeros((x0.shape[0], d, d), x0.dtype)
    for j in range(x0.shape[0]):
        for k in range(d):
            linear[j, k, k] = dtype(1.0)
    products = np.zeros((d + 1, d), x0.dtype)
    move = np.zeros(d, x0.dtype)
    begin, end, saved = first_step, first_step + np.uint64(saves[-1]), 0
    saved = _save(iterates, saves, saved, 0, states)
    while begin < end:
        if control.stop[0] != 0:
            return False
        start, count = chunk_ends(begin, end, chunk, False)
        fill_index(draws, scratch.drawn, scratch.shuffle, replica, replica_stride, start, count)
        done = np.int64(start - first_step)
        for j in range(x0.shape[0]):
            frozen = _largest(linear[j]) < (NEGLIGIBLE if x0.itemsize == 8 else NEGLIGIBLE_SINGLE)
            s = saved
            for row in range(count):
                if not frozen:
                    extend(system, scratch.drawn, row, j, x0[j], iterates[j], linear[j], products, move)
                if s < saves.size and saves[s] == done + row + 1:
                    for k in range(d):
                        states[j, s, k] = iterates[j, k]
                    s += 1
        while saved < saves.size and saves[saved] <= done + count:
            saved += 1
        begin = start + np.uint64(count)
        control.done[control.slot] += count * scratch.drawn.shape[2]
    return True


@jit_inline
def _save(iterates, saves, saved, done, states):
    if saves[saved] == done:
        for j in range(iterates.shape[0]):
            for k in range(iterates.shape[1]):
                states[j, saved, k] = iterates[j, k]
        saved += 1
    return saved


@jit_inline
def _largest(matrix):
    """The largest magnitude; NaN compares false, so a diverged replica is never taken for negligible."""
    largest = matrix.dtype.type(0.0)
    for k in range(matrix.shape[0]):
        for i in range(matrix.shape[1]):
            size = abs(matrix[k, i])
            largest = size if not size <= largest else largest
    return largest


@jit_inline
def _add_product(z, linear, vector, factor):
    """z ← z + factor·P·vector."""
    for k in range(vector.size):
        weight = factor * vector[k]
        for i in range(z.size):
            z[i] = madd(weight, linear[k, i], z[i])


@jit
def _extend_affine(system, index, row, lane, x0, z, linear, product, move):
    """One step of a general affine family: d² numbers of A and d³ products a map, averaged over the batch."""
    table, d, stride, one = system.table, system.dim, system.stride, x0.dtype.type(1.0)
    size = index.shape[1]
    for k in range(d):
        move[k] = -x0[k]
        for i in range(d):
            product[k, i] = 0
    for b in range(size):
        item = index[row, b, lane]
        for k in range(d):
            value = table[item, d * stride + k]
            for m in range(d):
                value = madd(table[item, k * stride + m], x0[m], value)
            move[k] = madd(system.scale, value, move[k])
            for m in range(d):
                entry = system.scale * table[item, k * stride + m]
                for i in range(d):
                    product[m, i] = madd(entry, linear[k, i], product[m, i])
    _add_product(z, linear, move, one)
    for k in range(d):
        for i in range(d):
            linear[k, i] = product[k, i]


@jit
def _extend_regression(system, index, row, lane, x0, z, linear, products, move):
    """One step of linear regression: rank-one updates, 4d² flops a row of the batch.

    All moves of a batch use the old P, so the rows of the batch are visited twice when there is more than one.
    """
    table, d, one = system.table, system.dim, x0.dtype.type(1.0)
    size = index.shape[1]
    if system.shrink != one:
        _add_product(z, linear, x0, system.shrink - one)
    if size == 1:
        item = index[row, 0, lane]
        _product_with_row(table, item, linear, products[0])
        residual = _residual(table, item, system.stride, x0)
        _rank_one(system, table, item, residual, z, linear, products[0], system.shrink)
        return
    # P·(I − scale·Σ a aᵀ) needs P·a of the old P for every row: keep a copy of P.
    for k in range(d):
        for i in range(d):
            products[k, i] = linear[k, i]
    for b in range(size):
        item = index[row, b, lane]
        _product_with_row(table, item, products, products[d])
        residual = _residual(table, item, system.stride, x0)
        shrink = system.shrink if b == 0 else one
        _rank_one(system, table, item, residual, z, linear, products[d], shrink)


@jit_inline
def _residual(table, item, stride, x0):
    """aᵀx0 − b."""
    residual = table[item, stride]
    for k in range(x0.size):
        residual = madd(table[item, k], x0[k], residual)
    return residual


@jit_inline
def _product_with_row(table, item, linear, u):
    """u ← P a."""
    for i in range(u.size):
        u[i] = 0
    for k in range(linear.shape[1]):
        a = table[item, k]
        for i in range(u.size):
            u[i] = madd(a, linear[k, i], u[i])


@jit_inline
def _rank_one(system, table, item, residual, z, linear, u, shrink):
    """z ← z − scale·residual·u and P ← shrink·P − scale·u aᵀ."""
    weight = -system.scale * residual
    for i in range(z.size):
        z[i] = madd(weight, u[i], z[i])
    for k in range(z.size):
        weight = -system.scale * table[item, k]
        for i in range(z.size):
            linear[k, i] = madd(weight, u[i], shrink * linear[k, i])


def extend(system, index, row, lane, x0, z, linear, products, move):
    """One more map, in place: z ← z + P(T(x0) − x0), P ← P A. Chosen by the class of `system`; compiled code only."""


@overload(extend)
def _choose_extension(system, index, row, lane, x0, z, linear, products, move):
    regression = system.instance_class in (systems.RegressionLanes, systems.RegressionRows)
    body = _extend_regression if regression else _extend_affine

    def call(system, index, row, lane, x0, z, linear, products, move):
        body(system, index, row, lane, x0, z, linear, products, move)

    return call
