"""Draws of a block of replicas: the rows of the table that each step of each lane uses."""

from __future__ import annotations

import numpy as np

from iterorder import noise
from iterorder.kernels import systems
from iterorder.kernels.philox import FEISTEL_ROUNDS, HALF, below, feistel, philox
from iterorder.kernels.targets import jit

SHUFFLE_STREAM = np.uint64(noise.SHUFFLE << noise.PURPOSE_SHIFT)
FEISTEL_STREAM = np.uint64(noise.FEISTEL << noise.PURPOSE_SHIFT)
ZERO, ONE, TWO, THREE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
SEVEN, BITS = np.uint64(7), np.uint64(127)
# Up to this size a batch looks through its own points for a repetition; above, it marks them in an array.
SMALL_BATCH = 32


@jit
def fill_index(draws, index, shuffle, replica, replica_stride, first_step, count):
    """Draw the items of steps first_step … first_step+count−1 for every lane.

    Parameters
    ----------
    draws : Draws
    index : uint32 array, shape (chunk, batch_size, lanes)
        Filled in its first `count` rows.
    shuffle : Shuffle
        The permutations of the epoch in flight, one a lane; kept between calls.
    replica, replica_stride : uint64
        Lane j reads the noise of replica + j·replica_stride.
    first_step : uint64
    count : int
    """
    if draws.kind == systems.FAIR_BIT:
        _fair_bits(draws, index, replica, replica_stride, first_step, count)
    elif draws.kind == systems.INDEX:
        _indices(draws, index, replica, replica_stride, first_step, count)
    elif draws.kind == systems.WEIGHTED:
        _indices(draws, index, replica, replica_stride, first_step, count)
        _apply_thresholds(draws.thresholds, index, count)
    elif draws.kind == systems.BATCH:
        _batches(draws, index, shuffle, replica, replica_stride, first_step, count)
    else:
        _epochs(draws, index, shuffle, replica, replica_stride, first_step, count)


@jit
def _fair_bits(draws, index, replica, replica_stride, first_step, count):
    """A word gives 32 steps, its top bit first: the words of all lanes, then one loop over the lanes for each bit."""
    row = 0
    while row < count:
        step = first_step + np.uint64(row)
        bit = np.int64(step & BITS)
        used = min(32 - bit % 32, count - row)
        for j in range(index.shape[2]):
            r = replica + np.uint64(j) * replica_stride
            w0, w1, w2, w3 = philox(step >> SEVEN, r, ZERO, draws.key_low, draws.key_high)
            first_half = w0 if bit < 32 else w1
            second_half = w2 if bit < 96 else w3
            index[row, 0, j] = first_half if bit < 64 else second_half
        # The first row holds the words until it takes its own bit, last of all.
        for s in range(used - 1, -1, -1):
            shift = np.uint32(31 - (bit + s) % 32)
            for j in range(index.shape[2]):
                index[row + s, 0, j] = (index[row, 0, j] >> shift) & np.uint32(1)
        row += used


@jit
def _indices(draws, index, replica, replica_stride, first_step, count):
    """One word a step: the index below n, or the word itself where thresholds follow."""
    n = draws.n_items if draws.kind == systems.INDEX else ONE << HALF
    row = 0
    while row < count:
        step = first_step + np.uint64(row)
        first = np.int64(step & THREE)
        used = min(4 - first, count - row)
        if used == 4:
            for j in range(index.shape[2]):
                r = replica + np.uint64(j) * replica_stride
                w0, w1, w2, w3 = philox(step >> TWO, r, ZERO, draws.key_low, draws.key_high)
                index[row, 0, j] = below(w0, n)
                index[row + 1, 0, j] = below(w1, n)
                index[row + 2, 0, j] = below(w2, n)
                index[row + 3, 0, j] = below(w3, n)
        else:
            for j in range(index.shape[2]):
                r = replica + np.uint64(j) * replica_stride
                four = philox(step >> TWO, r, ZERO, draws.key_low, draws.key_high)
                for s in range(used):
                    index[row + s, 0, j] = below(four[first + s], n)
        row += used


@jit
def _apply_thresholds(thresholds, index, count):
    """From words to items: the number of thresholds that the word reaches."""
    for row in range(count):
        for j in range(index.shape[2]):
            word = np.uint64(index[row, 0, j])
            low, high = 0, thresholds.size
            while low < high:
                middle = (low + high) // 2
                if word >= thresholds[middle]:
                    low = middle + 1
                else:
                    high = middle
            index[row, 0, j] = low


@jit
def _batches(draws, index, shuffle, replica, replica_stride, first_step, count):
    """Floyd's algorithm: words first, in lanes, then the points of each lane in turn."""
    size = index.shape[1]
    n = np.int64(draws.n_items)
    for row in range(count):
        step = first_step + np.uint64(row)
        _batch_words(draws, index[row], replica, replica_stride, step)
        for j in range(index.shape[2]):
            if size <= SMALL_BATCH:
                _distinct_by_search(index[row, :, j], n)
            else:
                _distinct_by_marks(index[row, :, j], n, shuffle.marks)


@jit
def _batch_words(draws, words, replica, replica_stride, step):
    """The words of one step for every lane: slot s of lane j in words[s, j]."""
    size, lanes = words.shape
    for j in range(lanes):
        r = replica + np.uint64(j) * replica_stride
        if size == 2:
            w0, w1, w2, w3 = philox(step >> ONE, r, ZERO, draws.key_low, draws.key_high)
            odd = step & ONE == ONE
            words[0, j] = w2 if odd else w0
            words[1, j] = w3 if odd else w1
        else:
            for group in range((size + 3) // 4):
                four = philox(step, r, np.uint64(group), draws.key_low, draws.key_high)
                for s in range(min(4, size - 4 * group)):
                    words[4 * group + s, j] = four[s]


@jit
def _distinct_by_search(slots, n):
    size = slots.size
    for slot in range(size):
        last = n - size + slot
        point = below(np.uint64(slots[slot]), np.uint64(last + 1))
        for earlier in range(slot):
            if slots[earlier] == point:
                point = np.uint64(last)
                break
        slots[slot] = point


@jit
def _distinct_by_marks(slots, n, marks):
    """The same with a mark per point: `marks` holds zeros before and after."""
    size = slots.size
    for slot in range(size):
        last = n - size + slot
        point = np.int64(below(np.uint64(slots[slot]), np.uint64(last + 1)))
        if marks[point] != 0:
            point = last
        marks[point] = 1
        slots[slot] = point
    for slot in range(size):
        marks[slots[slot]] = 0


@jit
def _epochs(draws, index, shuffle, replica, replica_stride, first_step, count):
    """Reshuffled and cyclic sampling: position within the epoch, then the permutation of that epoch."""
    size = np.uint64(index.shape[1])
    per_epoch = draws.n_items // size
    for row in range(count):
        step = first_step + np.uint64(row)
        epoch = step // per_epoch
        start = (step % per_epoch) * size
        if draws.kind != systems.CYCLIC and (shuffle.epoch[0] != epoch or shuffle.epoch[1] != replica + ONE):
            _new_epoch(draws, shuffle, replica, replica_stride, epoch, index.shape[2])
        for slot in range(index.shape[1]):
            position = start + np.uint64(slot)
            for j in range(index.shape[2]):
                if draws.kind == systems.FISHER_YATES:
                    index[row, slot, j] = shuffle.items[j, position]
                elif draws.kind == systems.FEISTEL:
                    index[row, slot, j] = _walk(position, draws, shuffle.keys[j])
                else:
                    index[row, slot, j] = position


@jit
def _new_epoch(draws, shuffle, replica, replica_stride, epoch, lanes):
    """Permutations (or their keys) of an epoch for every lane; remembers the epoch and the first replica + 1."""
    for j in range(lanes):
        r = replica + np.uint64(j) * replica_stride
        if draws.kind == systems.FISHER_YATES:
            _fisher_yates(shuffle.items[j], r, epoch, draws.key_low, draws.key_high)
        else:
            for group in range(FEISTEL_ROUNDS // 4):
                four = philox(epoch, r, FEISTEL_STREAM + np.uint64(group), draws.key_low, draws.key_high)
                for s in range(4):
                    shuffle.keys[j, 4 * group + s] = four[s]
    shuffle.epoch[0] = epoch
    shuffle.epoch[1] = replica + ONE


@jit
def _fisher_yates(items, replica, epoch, key_low, key_high):
    n = items.size
    for k in range(n):
        items[k] = k
    for group in range((n + 2) // 4):
        four = philox(epoch, replica, SHUFFLE_STREAM + np.uint64(group), key_low, key_high)
        for s in range(min(4, n - 1 - 4 * group)):
            last = n - 1 - (4 * group + s)
            other = below(four[s], np.uint64(last + 1))
            items[last], items[other] = items[other], items[last]


@jit
def _walk(item, draws, keys):
    """Image of an item of [0, n): images outside are mapped again until they fall inside."""
    image = feistel(item, draws.half_bits, keys)
    while image >= draws.n_items:
        image = feistel(image, draws.half_bits, keys)
    return image
