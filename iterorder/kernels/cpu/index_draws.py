"""Draws of a block of replicas: the rows of the table that each step of each lane uses.

A chunk of steps is drawn at once into an array of shape (rows, lanes): row t·size + s holds slot s of step t of the
chunk. Packed bits stay words: row w holds the bits of steps 32w … 32w + 31, the first on top of the low 32 bits.
"""

from __future__ import annotations

import numpy as np

from iterorder import noise
from iterorder.kernels.bodies.philox import LOW
from iterorder.kernels.cpu.bodies import below, feistel_round, philox
from iterorder.kernels.cpu.lane_conversions import widened
from iterorder.kernels.cpu.lane_groups import fill_over_lanes
from iterorder.kernels.cpu.lanes import LANES, any_lane, counting, element, load, splat, store, where
from iterorder.kernels.targets import jit, jit_inline
from iterorder.noise import FEISTEL_ROUNDS

SHUFFLE_STREAM = np.uint64(noise.SHUFFLE << noise.PURPOSE_SHIFT)
FEISTEL_STREAM = np.uint64(noise.FEISTEL << noise.PURPOSE_SHIFT)
ZERO, ONE, TWO, THREE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
FIVE, SEVEN = np.uint64(5), np.uint64(7)
# Up to this size a batch looks through its own points for a repetition, in all lanes at once; above, it marks them.
SMALL_BATCH = 32
# Up to this many thresholds are compared one after the other, in all lanes at once; above, each lane searches.
FEW_THRESHOLDS = 16
# Lanes whose permutations are walked together: one walk waits for a long chain of multiplications.
WIDE = 64


@jit_inline
def _store_four(w0, w1, w2, w3, rows, first, lane):
    """The words of a block, or what was made of them, in four rows from `first` on."""
    store(w0, rows, first, lane)
    store(w1, rows, first + 1, lane)
    store(w2, rows, first + 2, lane)
    store(w3, rows, first + 3, lane)


# Every function that `compiled.FILL` lists fills the draws of steps base + first … base + last − 1 for every lane. Its
# arguments:
#
# draws : Draws
# drawn : uint64 array, shape (rows, lanes)
# shuffle : Shuffle
#     The permutations of the epoch in flight, one a lane; kept between calls.
# replica, stride : uint64
#     Lane j reads the noise of replica + j·stride.
# base : uint64
#     The first step of the chunk, a multiple of its length. Whole Philox blocks are drawn.
# first, last : int
#     Steps of the chunk.


@jit_inline
def as_it_is(draws, word):
    """A word of 32 fair bits, or one that is looked up later."""
    return word


@jit_inline
def below_n(draws, word):
    """An index below n."""
    return below(word, draws.n_items & LOW)


def _words(steps: int, made):
    """The fill of draws of which a block of noise serves so many steps; ``made(draws, word)`` is what is stored."""

    def draw_of(width: int):
        @jit_inline
        def draw(draws, drawn, replica, stride, base, first, last, lane):
            replicas = counting(replica + np.uint64(lane) * stride, stride, width)
            for block in range(first // steps, (last + steps - 1) // steps):
                index = base // np.uint64(steps) + np.uint64(block)
                w0, w1, w2, w3 = philox(index, replicas, ZERO, draws.key_low, draws.key_high)
                w0, w1, w2, w3 = made(draws, w0), made(draws, w1), made(draws, w2), made(draws, w3)
                _store_four(w0, w1, w2, w3, drawn, 4 * block, lane)

        return draw

    return fill_over_lanes(draw_of)


#: Words of 32 fair bits; one index below n a step; one word a step.
packed_bits, indices, _one_a_step = _words(128, as_it_is), _words(4, below_n), _words(4, as_it_is)


@jit
def bits(draws, drawn, shuffle, replica, stride, base, first, last):
    """One fair bit a step: a word gives 32 of them."""
    for group in range(first // 32, (last + 31) // 32):
        step = base + np.uint64(32 * group)
        for lane in range(0, drawn.shape[1], LANES):
            replicas = counting(replica + np.uint64(lane) * stride, stride, LANES)
            w0, w1, w2, w3 = philox(step >> SEVEN, replicas, ZERO, draws.key_low, draws.key_high)
            quarter = (step >> FIVE) & THREE
            low, high = (w0, w1) if quarter < TWO else (w2, w3)
            word = low if quarter & ONE == ZERO else high
            for row in range(max(first, 32 * group), min(last, 32 * group + 32)):
                store((word >> np.uint64(31 - row % 32)) & ONE, drawn, row, lane)


@jit
def weighted(draws, drawn, shuffle, replica, stride, base, first, last):
    """One word a step; its item is the number of thresholds that the word reaches."""
    _one_a_step(draws, drawn, shuffle, replica, stride, base, first, last)
    first_row, last_row = first // 4 * 4, (last + 3) // 4 * 4
    if draws.thresholds.size <= FEW_THRESHOLDS:
        _reached(draws, drawn, first_row, last_row)
    else:
        _searched(draws.thresholds, draws.guide, drawn, first_row, last_row)


@jit
def _reached(draws, drawn, first_row, last_row):
    zero = splat(ZERO, LANES)
    for row in range(first_row, last_row):
        for lane in range(0, drawn.shape[1], LANES):
            store(reached(draws, load(drawn, row, lane, zero)), drawn, row, lane)


@jit_inline
def reached(draws, word):
    """How many of the thresholds a word reaches."""
    one, zero = splat(ONE, LANES), splat(ZERO, LANES)
    item = zero
    for i in range(draws.thresholds.size):
        item = item + where(word >= draws.thresholds[i], one, zero)
    return item


@jit
def _searched(thresholds, guide, drawn, first_row, last_row):
    """From the number of thresholds at or below the word's leading bits, one by one."""
    shift = np.uint64(32) - np.uint64(guide[0])
    for row in range(first_row, last_row):
        for lane in range(drawn.shape[1]):
            word = drawn[row, lane]
            item = np.uintp(guide[np.uintp(1) + np.uintp(word >> shift)])
            while item < np.uintp(thresholds.size) and word >= thresholds[item]:
                item += np.uintp(1)
            drawn[row, lane] = item


@jit
def batches(draws, drawn, shuffle, replica, stride, base, first, last):
    """Floyd's algorithm: the words of a step, then its points."""
    size = draws.batch_size
    if size == 2:  # a block serves two steps
        for block in range(first // 2, (last + 1) // 2):
            index = (base >> ONE) + np.uint64(block)
            for lane in range(0, drawn.shape[1], LANES):
                replicas = counting(replica + np.uint64(lane) * stride, stride, LANES)
                w0, w1, w2, w3 = philox(index, replicas, ZERO, draws.key_low, draws.key_high)
                _store_four(w0, w1, w2, w3, drawn, 4 * block, lane)
        first, last = first // 2 * 2, (last + 1) // 2 * 2
    else:
        for row in range(first, last):
            for lane in range(0, drawn.shape[1], LANES):
                replicas = counting(replica + np.uint64(lane) * stride, stride, LANES)
                batch_words(draws, drawn, row * size, lane, base + np.uint64(row), replicas)
    n = np.int64(draws.n_items)
    for row in range(first, last):
        if size <= SMALL_BATCH:
            for lane in range(0, drawn.shape[1], LANES):
                distinct_by_search(drawn, row * size, size, n, lane)
        else:
            for lane in range(drawn.shape[1]):
                _distinct_by_marks(drawn, row * size, size, n, lane, shuffle.marks)


@jit_inline
def batch_words(draws, drawn, first_slot, lane, step, replicas):
    """The words of one step: four a block."""
    size = draws.batch_size
    for slot in range(0, size, 4):
        w0, w1, w2, w3 = philox(step, replicas, np.uint64(slot // 4), draws.key_low, draws.key_high)
        store(w0, drawn, first_slot + slot, lane)
        if slot + 1 < size:
            store(w1, drawn, first_slot + slot + 1, lane)
        if slot + 2 < size:
            store(w2, drawn, first_slot + slot + 2, lane)
        if slot + 3 < size:
            store(w3, drawn, first_slot + slot + 3, lane)


@jit_inline
def distinct_by_search(drawn, first_slot, size, n, lane):
    """A point that the batch already has is replaced by the last of the points that the slot may take.

    Of any size: `batch_draws.distinct` is written out for one.
    """
    like = splat(ZERO, LANES)
    for slot in range(first_slot, first_slot + size):
        last = np.uint64(n - size + slot - first_slot)
        point = below(load(drawn, slot, lane, like) & LOW, (last + ONE) & LOW)
        taken = point != point
        for earlier in range(first_slot, slot):
            taken = taken | (load(drawn, earlier, lane, like) == point)
        store(where(taken, splat(last, LANES), point), drawn, slot, lane)


@jit
def _distinct_by_marks(drawn, first_slot, size, n, lane, marks):
    """The same with a mark per point: `marks` holds zeros before and after."""
    for slot in range(first_slot, first_slot + size):
        last = n - size + slot - first_slot
        point = np.int64(below(drawn[slot, lane], np.uint64(last + 1)))
        if marks[point] != 0:
            point = last
        marks[point] = 1
        drawn[slot, lane] = point
    for slot in range(first_slot, first_slot + size):
        marks[np.int64(drawn[slot, lane])] = 0


@jit
def cyclic(draws, drawn, shuffle, replica, stride, base, first, last):
    """The points in their order, the same in every lane."""
    size = np.uint64(draws.batch_size)
    per_epoch = draws.n_items // size
    for row in range(first, last):
        start = (base + np.uint64(row)) % per_epoch * size
        for slot in range(draws.batch_size):
            for lane in range(0, drawn.shape[1], LANES):
                store(splat(start + np.uint64(slot), LANES), drawn, row * draws.batch_size + slot, lane)


@jit
def shuffled(draws, drawn, shuffle, replica, stride, base, first, last):
    """Reshuffling of at most 4096 points: a stored permutation a lane and epoch."""
    size = np.uint64(draws.batch_size)
    per_epoch, n = draws.n_items // size, np.int64(draws.n_items)
    for row in range(first, last):
        step = base + np.uint64(row)
        epoch, start = step // per_epoch, np.int64(step % per_epoch * size)
        if _is_new_epoch(shuffle, epoch, replica):
            for lane in range(0, drawn.shape[1], LANES):
                replicas = counting(replica + np.uint64(lane) * stride, stride, LANES)
                _fisher_yates(draws, shuffle, lane, replicas, epoch)
        for slot in range(draws.batch_size):
            for lane in range(0, drawn.shape[1], LANES):
                items = load(shuffle.items, lane // LANES * n + start + slot, 0, splat(ZERO, LANES))
                store(widened(items), drawn, row * draws.batch_size + slot, lane)


@jit_inline
def _is_new_epoch(shuffle, epoch, replica):
    """Whether the permutations belong to another epoch or another block of replicas; notes the new ones."""
    new = shuffle.epoch[0] != epoch or shuffle.epoch[1] != replica + ONE
    shuffle.epoch[0] = epoch
    shuffle.epoch[1] = replica + ONE
    return new


@jit_inline
def _fisher_yates(draws, shuffle, first_lane, replicas, epoch):
    """Permutations of eight lanes: words in vectors, exchanges in each lane in turn."""
    items, others = shuffle.items, shuffle.workspace
    n = np.int64(draws.n_items)
    start = first_lane // LANES * n
    for k in range(n):
        for i in range(LANES):
            items[start + k, i] = k
    for done in range(0, n - 1, 4):
        stream = SHUFFLE_STREAM + np.uint64(done // 4)
        w0, w1, w2, w3 = philox(epoch, replicas, stream, draws.key_low, draws.key_high)
        left = np.uint64(n - done)
        store(below(w0, left), others, 0, 0)
        store(below(w1, (left - ONE) & LOW), others, 1, 0)
        store(below(w2, (left - TWO) & LOW), others, 2, 0)
        store(below(w3, (left - TWO - ONE) & LOW), others, 3, 0)
        for s in range(4 if n - 1 - done > 4 else n - 1 - done):
            end = start + n - 1 - done - s
            for i in range(LANES):
                other = start + element(others, s, i)
                items[np.uintp(end), np.uintp(i)], items[np.uintp(other), np.uintp(i)] = (
                    element(items, other, i),
                    element(items, end, i),
                )


@jit
def permuted(draws, drawn, shuffle, replica, stride, base, first, last):
    """Reshuffling of more points: a keyed permutation, computed where it is needed."""
    size = np.uint64(draws.batch_size)
    per_epoch = draws.n_items // size
    for row in range(first, last):
        step = base + np.uint64(row)
        epoch, start = step // per_epoch, step % per_epoch * size
        if _is_new_epoch(shuffle, epoch, replica):
            for lane in range(0, drawn.shape[1], LANES):
                replicas = counting(replica + np.uint64(lane) * stride, stride, LANES)
                _round_keys(draws, shuffle, lane, replicas, epoch)
        for slot in range(draws.batch_size):
            position, target = start + np.uint64(slot), row * draws.batch_size + slot
            place, other = position // draws.columns, position % draws.columns
            wide = drawn.shape[1] // WIDE * WIDE
            for lane in range(0, wide, WIDE):
                store(_walk(draws, shuffle.keys, lane, splat(place, WIDE), splat(other, WIDE)), drawn, target, lane)
            for lane in range(wide, drawn.shape[1], LANES):
                store(_walk(draws, shuffle.keys, lane, splat(place, LANES), splat(other, LANES)), drawn, target, lane)


@jit_inline
def _round_keys(draws, shuffle, lane, replicas, epoch):
    for group in range((FEISTEL_ROUNDS + 3) // 4):
        stream = FEISTEL_STREAM + np.uint64(group)
        w0, w1, w2, w3 = philox(epoch, replicas, stream, draws.key_low, draws.key_high)
        _store_four(w0, w1, w2, w3, shuffle.keys, 4 * group, lane)


@jit_inline
def _walk(draws, keys, lane, row, column):
    """Images of cells: one beyond the last item is mapped again until it is not."""
    image = row
    outside = image == image
    while any_lane(outside):
        for r in range(0, FEISTEL_ROUNDS, 2):
            row = feistel_round(row, column, draws.rows, load(keys, r, lane, image))
            column = feistel_round(column, row, draws.columns, load(keys, r + 1, lane, image))
        image = where(outside, (row & LOW) * draws.columns + column, image)
        outside = image >= draws.n_items
    return image
