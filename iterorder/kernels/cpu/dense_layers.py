"""Layers of a network for many replicas: images, slopes of what lies below, and changes of weights.

Tables are two-dimensional: what belongs to replica r stands in rows r·n … r·n + n − 1, or once for all replicas that
share it. Along a row of images and slopes stand the items of a batch, as many as fill whole registers; slopes of those
that no item has are zero. Every number is a sum in a fixed order, so the bits of a replica depend on nothing beside it.
"""

from __future__ import annotations

from functools import cache

from iterorder.kernels.cpu.bodies import exp, mathematics
from iterorder.kernels.cpu.lane_conversions import to_float64, to_type_of
from iterorder.kernels.cpu.lanes import load, splat, store, where
from iterorder.kernels.cpu.loads import store_columns
from iterorder.kernels.cpu.profile import PROFILE
from iterorder.kernels.cpu.sums import multiple
from iterorder.kernels.cpu.tiles import (
    lanes_below,
    lanes_in,
    load_tile,
    load_tile_part,
    plus_outer,
    plus_outer_along,
    repeated,
    spread_tile,
    store_tile_part,
    sum_of_lanes,
    zeros_along,
)
from iterorder.kernels.targets import jit_entry, jit_inline

tanh = mathematics.tanh
#: Activations of a layer, by number.
IDENTITY, RELU, TANH = 0, 1, 2
#: Rows of the tallest tile: eight sums of a vector each hide the latency of a multiply-add, in registers of 64 bytes.
TALLEST = 8 if PROFILE.register_bytes == 64 else 4


# ------------------------------------------------------------------------------------------------------ forward pass


@cache
def _images_of(count: int):
    @jit_inline
    def images(weight, bias, replica, first, inputs, start, out):
        """Rows first … first + count − 1 of bias + W·inputs of a replica."""
        at, zero = replica * bias.shape[1] + first, zeros_along(out)
        for item in range(0, out.shape[1], lanes_in(zero)):
            tile = spread_tile(bias, replica, first, zero, count)
            for i in range(weight.shape[1]):
                tile = plus_outer(tile, weight, at, i, load(inputs, start + i, item, zero))
            store_columns(tile, out, at, item)

    return images


_tall_images, _two_images, _one_image = (_images_of(count) for count in (TALLEST, 2, 1))


@jit_entry
def forward(weight, bias, inputs, shared, activation, out):
    """out ← σ(W·inputs + b) of each replica.

    Parameters
    ----------
    weight : ndarray, shape (R·outputs, inputs)
        W, a row for each output of each replica.
    bias : ndarray, shape (R, outputs)
        b.
    inputs : ndarray, shape (inputs, items), one of all replicas where `shared`, or (R·inputs, items)
        What the layer is given, a column for each item.
    activation : {IDENTITY, RELU, TANH}
        σ.
    out : ndarray, shape (R·outputs, items)
        Items fill whole registers.
    """
    replicas, outputs = bias.shape
    for replica in range(replicas):
        start, row = 0 if shared else replica * weight.shape[1], 0
        while row + TALLEST <= outputs:
            _tall_images(weight, bias, replica, row, inputs, start, out)
            row += TALLEST
        while row + 2 <= outputs:
            _two_images(weight, bias, replica, row, inputs, start, out)
            row += 2
        if row < outputs:
            _one_image(weight, bias, replica, row, inputs, start, out)
        if activation != IDENTITY:
            _activate(out, replica * outputs, (replica + 1) * outputs, activation)


@jit_inline
def _activate(table, first, last, activation):
    zero = zeros_along(table)
    for row in range(first, last):
        for item in range(0, table.shape[1], lanes_in(zero)):
            x = load(table, row, item, zero)
            # A comparison with NaN is false: it stays.
            image = where(x < zero, zero, x) if activation == RELU else to_type_of(tanh(to_float64(x)), x)
            store(image, table, row, item)


@jit_entry
def softmax_slopes(logits, labels, scale, n_items):
    """logits ← scale·(p − y), p their softmax and y the unit vectors of the labels; zero behind the last item.

    Parameters
    ----------
    logits : ndarray, shape (R·classes, items)
        Replaced by the slopes.
    labels : ndarray of int, shape (1, n_items), of all replicas, or (R, n_items)
        The class of each item.
    scale : ndarray, shape (R,)
        A factor for each replica, such as a step size over the items of a batch.
    n_items : int
        So many columns are items.
    """
    replicas, zero = len(scale), zeros_along(logits)
    classes, own = logits.shape[0] // replicas, len(labels) > 1
    for replica in range(replicas):
        first, last = replica * classes, (replica + 1) * classes
        for item in range(0, logits.shape[1], lanes_in(zero)):
            _softmax(logits, first, last, item, zero)
        for slot in range(n_items):
            logits[first + labels[replica if own else 0, slot], slot] -= scale.dtype.type(1)
        for row in range(first, last):
            for item in range(0, logits.shape[1], lanes_in(zero)):
                slope = load(logits, row, item, zero) * scale[replica]
                store(where(lanes_below(n_items, item, zero), slope, zero), logits, row, item)


@jit_inline
def _softmax(logits, first, last, item, zero):
    top, total = load(logits, first, item, zero), zero
    for row in range(first + 1, last):
        z = load(logits, row, item, zero)
        top = where(z > top, z, top)
    for row in range(first, last):
        z = load(logits, row, item, zero) - top
        e = to_type_of(exp(to_float64(z)), z)
        total = total + e
        store(e, logits, row, item)
    for row in range(first, last):
        store(load(logits, row, item, zero) / total, logits, row, item)


# ----------------------------------------------------------------------------------------------------- backward pass


@cache
def _slopes_of(count: int):
    @jit_inline
    def slopes(weight, outputs, replica, first, above, out):
        """Rows first … first + count − 1 of Wᵀ·above of a replica."""
        at, start, zero = replica * weight.shape[1] + first, replica * outputs, zeros_along(out)
        for item in range(0, out.shape[1], lanes_in(zero)):
            tile = repeated(zero, count)
            for o in range(start, start + outputs):
                tile = plus_outer_along(tile, weight, o, first, load(above, o, item, zero))
            store_columns(tile, out, at, item)

    return slopes


_tall_slopes, _two_slopes, _one_slope = (_slopes_of(count) for count in (TALLEST, 2, 1))


@jit_entry
def backward(weight, above, images, activation, kept, n_items, out):
    """out ← (Wᵀ·above)·σ′ of each replica, σ′ from the images of the layer below; zero behind the last item.

    Parameters
    ----------
    weight : ndarray, shape (R·outputs, inputs)
        W of the layer above.
    above : ndarray, shape (R·outputs, items)
        Slopes of what the layer gives.
    images : ndarray, shape (R·inputs, items)
        What the layer was given.
    activation : {RELU, TANH}
        That of the layer below.
    kept : float
        The share of units that dropout keeps, by which the images were divided.
    n_items : int
        So many columns are items.
    out : ndarray, shape (R·inputs, items)
        The slopes of the layer below, before its activation.
    """
    inputs = weight.shape[1]
    replicas = out.shape[0] // inputs
    outputs = weight.shape[0] // replicas
    for replica in range(replicas):
        row = 0
        while row + TALLEST <= inputs:
            _tall_slopes(weight, outputs, replica, row, above, out)
            row += TALLEST
        while row + 2 <= inputs:
            _two_slopes(weight, outputs, replica, row, above, out)
            row += 2
        if row < inputs:
            _one_slope(weight, outputs, replica, row, above, out)
        _times_derivative(out, replica * inputs, (replica + 1) * inputs, images, activation, kept, n_items)


@jit_inline
def _times_derivative(table, first, last, images, activation, kept, n_items):
    zero = zeros_along(table)
    one = splat(table.dtype.type(1), zero)
    for row in range(first, last):
        for item in range(0, table.shape[1], lanes_in(zero)):
            image = load(images, row, item, zero)
            if activation == RELU:
                derivative = where(image > zero, one, zero)
            else:
                image = image * kept
                derivative = one - image * image
            slope = load(table, row, item, zero) * derivative
            store(where(lanes_below(n_items, item, zero), slope, zero), table, row, item)


# ------------------------------------------------------------------------------------------------- changes of weights


@cache
def _changes_of(count: int):
    @jit_inline
    def change(weight, at, slopes, rows, start, n_items, keeps, keep):
        """Rows at … at + count − 1 of keep·W + slopes·rows of a replica."""
        inputs, zero = weight.shape[1], zeros_along(weight)
        whole = inputs - inputs % lanes_in(zero)
        for i in range(0, whole, lanes_in(zero)):
            tile = load_tile(weight, at, i, zero, count)
            if keeps:
                tile = multiple(keep, tile)
            for item in range(n_items):
                tile = plus_outer(tile, slopes, at, item, load(rows, start + item, i, zero))
            store_columns(tile, weight, at, i)
        if whole < inputs:
            there = lanes_below(inputs, whole, zero)
            tile = load_tile_part(weight, at, whole, there, zero, count)
            if keeps:
                tile = multiple(keep, tile)
            for item in range(n_items):
                tile = plus_outer(tile, slopes, at, item, load(rows, start + item, whole, zero))
            store_tile_part(tile, weight, at, whole, there)

    return change


_tall_change, _two_changes, _one_change = (_changes_of(count) for count in (TALLEST, 2, 1))


@jit_entry
def change(weight, bias, slopes, rows, shared, n_items, keeps, keep):
    """W ← keep·W + slopes·rows and b ← keep·b + the sums of slopes, of each replica.

    Parameters
    ----------
    weight : ndarray, shape (R·outputs, inputs)
        W, changed in place, or what else moves like it: a velocity.
    bias : ndarray, shape (R, outputs)
        b, changed in place.
    slopes : ndarray, shape (R·outputs, items)
        Zero behind the last item.
    rows : ndarray, shape (n_items, columns), of all replicas where `shared`, or (R·n_items, columns)
        The inputs of each item, in columns that fill whole registers.
    n_items : int
        So many columns of slopes are items.
    keeps : bool
        Whether to multiply at all.
    keep : ndarray, shape (R,)
        A factor for each replica.
    """
    replicas, outputs = bias.shape
    for replica in range(replicas):
        start, row, at = 0 if shared else replica * n_items, 0, replica * outputs
        while row + TALLEST <= outputs:
            _tall_change(weight, at + row, slopes, rows, start, n_items, keeps, keep[replica])
            row += TALLEST
        while row + 2 <= outputs:
            _two_changes(weight, at + row, slopes, rows, start, n_items, keeps, keep[replica])
            row += 2
        if row < outputs:
            _one_change(weight, at + row, slopes, rows, start, n_items, keeps, keep[replica])
        zero = zeros_along(slopes)
        for o in range(outputs):
            total = load(slopes, at + o, 0, zero)
            for item in range(lanes_in(zero), slopes.shape[1], lanes_in(zero)):
                total = total + load(slopes, at + o, item, zero)
            kept = keep[replica] * bias[replica, o] if keeps else bias[replica, o]
            bias[replica, o] = kept + sum_of_lanes(total)


@jit_entry
def transpose(source, rows, columns, out_rows, out):
    """out[r·out_rows + j, i] ← source[r·rows + i, j] for i < rows, j < columns and each r that `source` has."""
    for r in range(source.shape[0] // rows):
        for j in range(columns):
            for i in range(rows):
                out[r * out_rows + j, i] = source[r * rows + i, j]
