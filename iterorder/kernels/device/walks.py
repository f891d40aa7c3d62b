"""Walks of a state through its maps: which item each step meets, in ascending or in descending order of the steps.

A walk is ``walk(x, begin, end, row, replica, draws, maps)``: the state after the maps begin … end − 1, of which the
last is applied first where they descend. The words of noise are drawn when they are needed and stay in registers.
Permutations alone are kept in memory, one for each row of states.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from iterorder import noise
from iterorder.kernels import draw_tables
from iterorder.kernels.device import fresh_draws
from iterorder.kernels.device.compilers import (
    below,
    device_function,
    feistel_round,
    has_bit,
    philox,
    place_in_team,
    wait_for_team,
)
from iterorder.kernels.device.images import Image
from iterorder.kernels.device.states import tuple_of, written
from iterorder.kernels.device.words import slot_word, word_at

SHUFFLE_STREAM = np.uint64(noise.SHUFFLE << noise.PURPOSE_SHIFT)
FEISTEL_STREAM = np.uint64(noise.FEISTEL << noise.PURPOSE_SHIFT)
ZERO, ONE, TWO, THREE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
FOUR, FIVE, SEVEN = np.uint64(4), np.uint64(5), np.uint64(7)
LAST_BIT, BLOCK_BITS, LOW = np.uint64(31), np.uint64(128), np.uint64(0xFFFFFFFF)
#: Batches of at most so many points stay in registers.
FEW_POINTS = 16


class Draws(NamedTuple):
    """The law of the draws, as kernels read it (`draw_tables.Draws` says what the first are).

    Column r of `permutations` is that of the epoch ``epochs[r] − 1`` of row r of the states, or a batch of it.
    """

    n_items: np.uint64
    batch_size: np.uint64
    per_epoch: np.uint64
    thresholds: Any
    guide: Any
    rows: np.uint64
    columns: np.uint64
    key_low: np.uint64
    key_high: np.uint64
    permutations: Any
    epochs: Any


@lru_cache(maxsize=256)
def walk_of(kind: int, batch_size: int, image: Image, descending: bool):
    """The walk for a kind of draws (`draw_tables.PACKED_BITS` …)."""
    if kind in (draw_tables.PACKED_BITS, draw_tables.BITS):
        return _bit_walk(_single(image), descending)
    if kind in (draw_tables.INDEX, draw_tables.WEIGHTED):
        return _word_walk(_single(image), _below_n if kind == draw_tables.INDEX else _reached, descending)
    if kind == draw_tables.BATCH:
        apply = _few_points(batch_size, image) if batch_size <= FEW_POINTS else _many_points(image)
        return _step_walk(apply, descending)
    if kind == draw_tables.CYCLIC:
        return _step_walk(_in_turn(image), descending)
    if kind == draw_tables.FISHER_YATES:
        return _step_walk(_shuffled(image), descending)
    if kind == draw_tables.FEISTEL:
        return _epoch_walk(_over_batch(image, permuted), descending)
    return _step_walk(fresh_draws.of_step(kind, batch_size, image), descending)


def _single(image: Image):
    """A step with one item."""
    begun, finish = image.first, image.finish

    @device_function
    def apply(x, item, step, maps):
        return finish(begun(x, item, maps), x, step, maps)

    return apply


def _plus(descending: bool):
    """The step that is met `k` after a step."""

    @device_function
    def later(step, k):
        return step - k if descending else step + k

    return later


# ------------------------------------------------------------------------------------------------- one word for a step


@device_function
def _below_n(draws, word):
    return below(word, draws.n_items)


@device_function
def _reached(draws, word):
    """How many of the thresholds a word reaches, from the number of those that its leading bits reach."""
    shift = np.uint64(32) - np.uint64(draws.guide[0])
    item = np.uint64(draws.guide[ONE + (word >> shift)])
    while item < np.uint64(draws.thresholds.size) and word >= draws.thresholds[item]:
        item += ONE
    return item


def _word_walk(apply, item_of, descending: bool):
    """A block of noise serves four steps."""
    later = _plus(descending)

    @device_function
    def walk(x, begin, end, row, replica, draws, maps):
        left = end - begin
        while left > ZERO:
            step = begin + left - ONE if descending else end - left
            w0, w1, w2, w3 = philox(step >> TWO, replica, ZERO, draws.key_low, draws.key_high)
            place = step & THREE
            if descending:
                w0, w1, w2, w3, place = w3, w2, w1, w0, THREE - place
            if place == ZERO and left > THREE:
                x = apply(x, item_of(draws, w0), step, maps)
                x = apply(x, item_of(draws, w1), later(step, ONE), maps)
                x = apply(x, item_of(draws, w2), later(step, TWO), maps)
                x = apply(x, item_of(draws, w3), later(step, THREE), maps)
                left -= FOUR
            else:
                x = apply(x, item_of(draws, word_at(place, w0, w1, w2, w3)), step, maps)
                left -= ONE
        return x

    return walk


# -------------------------------------------------------------------------------------------------- one bit for a step


def _bit_walk(apply, descending: bool):
    """Two equally likely maps: a block of noise serves 128 steps, the first with the top bit of word 0."""
    later, first_bit, top = _plus(descending), BLOCK_BITS - ONE if descending else ZERO, LAST_BIT
    lines = ["for _ in range(4):"]  # a byte of the word at a time, the next in its place
    for k in range(8):
        bit = f"ONE if has_bit(word, np.uint64({k if descending else 31 - k})) else ZERO"
        lines.append(f"    x = apply(x, {bit}, later(step, np.uint64({k})), maps)")
    lines.append(f"    word, step = word {'>>' if descending else '<<'} EIGHT, later(step, EIGHT)")
    known: dict = {"apply": apply, "later": later, "has_bit": has_bit, "ZERO": ZERO, "ONE": ONE, "EIGHT": np.uint64(8)}
    whole_word = written("whole_word", "x, word, step, maps", [*lines, "return x"], **known)

    @device_function
    def walk(x, begin, end, row, replica, draws, maps):
        left = end - begin
        while left > ZERO:
            step = begin + left - ONE if descending else end - left
            w0, w1, w2, w3 = philox(step >> SEVEN, replica, ZERO, draws.key_low, draws.key_high)
            place = step & (BLOCK_BITS - ONE)
            if place == first_bit and left >= BLOCK_BITS:
                if descending:
                    w0, w1, w2, w3 = w3, w2, w1, w0
                for k in range(4):
                    x = whole_word(x, w0, later(step, np.uint64(32 * k)), maps)
                    w0, w1, w2 = w1, w2, w3
                left -= BLOCK_BITS
            else:
                word = word_at(place >> FIVE, w0, w1, w2, w3)
                x = apply(x, (word >> (top - (place & top))) & ONE, step, maps)
                left -= ONE
        return x

    return walk


# ------------------------------------------------------------------------------------------------------ items by step


def _step_walk(apply, descending: bool):
    """One step after the other: ``apply(x, step, row, replica, draws, maps)``."""

    @device_function
    def walk(x, begin, end, row, replica, draws, maps):
        left = end - begin
        while left > ZERO:
            step = begin + left - ONE if descending else end - left
            x = apply(x, step, row, replica, draws, maps)
            left -= ONE
        return x

    return walk


@device_function
def floyd(word, slot, draws):
    """A point for a slot, and the one that it takes in place of one that the batch has."""
    last = draws.n_items - draws.batch_size + slot
    return below(word, (last + ONE) & LOW), last


def _few_points(size: int, image: Image):
    """Batches whose points are written out, so that they stay in registers."""
    lines = []
    for slot in range(size):
        if size == 2 and slot == 0:
            lines.append("w = philox(step >> ONE, replica, ZERO, draws.key_low, draws.key_high)")
            lines.append("w = (w[2], w[3], w[2], w[3]) if step & ONE == ONE else w")
        elif slot % 4 == 0:
            lines.append(f"w = philox(step, replica, np.uint64({slot // 4}), draws.key_low, draws.key_high)")
        lines.append(f"p{slot}, last = floyd(w[{slot % 4}], np.uint64({slot}), draws)")
        taken = " or ".join(f"p{slot} == p{earlier}" for earlier in range(slot))
        if taken:
            lines.append(f"p{slot} = last if {taken} else p{slot}")
    names: dict = {"philox": philox, "floyd": floyd, "ZERO": ZERO, "ONE": ONE, "joined": image.joined}
    rounds = [image] if image.rest is None else [image, image.rest]
    for k, part in enumerate(rounds):
        lines.append(f"total = first{k}(x, p0, maps)")
        lines += [f"total = more{k}(total, x, p{slot}, maps)" for slot in range(1, size)]
        lines.append(f"made{k} = finish{k}(total, x, step, maps)")
        names |= {f"first{k}": part.first, f"more{k}": part.more, f"finish{k}": part.finish}
    lines.append("return made0" if image.rest is None else "return joined(made0, made1)")
    return written(f"batch_of_{size}", "x, step, row, replica, draws, maps", lines, **names)


def _in_turns(image: Image, made):
    """``made(row, at, replica, draws)`` by one thread for its team, which waits before and after."""
    if image.states.team == 1:
        return made

    @device_function
    def made_for_team(row, at, replica, draws):
        wait_for_team()
        if place_in_team() == 0:
            made(row, at, replica, draws)
        wait_for_team()

    return made_for_team


@device_function
def points_in_memory(row, step, replica, draws):
    """Floyd's algorithm for a batch of any size."""
    points = draws.permutations
    for slot in range(ZERO, draws.batch_size):
        point, last = floyd(slot_word(step, np.uint64(slot), replica, draws), np.uint64(slot), draws)
        for earlier in range(ZERO, slot):
            if points[np.uint64(earlier), row] == point:
                point = last
                break  # the last one is not among them: all before were drawn below it
        points[np.uint64(slot), row] = point


def _over_batch(image: Image, item_of):
    """A step over a batch whose items are found one by one: ``item_of(position, where, draws)``."""
    if image.rest is not None:
        return _in_two_rounds(_over_batch(image._replace(rest=None), item_of), _over_batch(image.rest, item_of), image)
    begun, more, finish = image.first, image.more, image.finish

    @device_function
    def apply(x, start, where, step, draws, maps):
        total = begun(x, item_of(start, where, draws), maps)
        for slot in range(ONE, draws.batch_size):
            total = more(total, x, item_of(start + np.uint64(slot), where, draws), maps)
        return finish(total, x, step, maps)

    return apply


def _in_two_rounds(begin, end, image: Image):
    joined = image.joined

    @device_function
    def apply(x, start, where, step, draws, maps):
        made = begin(x, start, where, step, draws, maps)
        return joined(made, end(x, start, where, step, draws, maps))

    return apply


@device_function
def in_memory(position, row, draws):
    """The item that a row keeps at a position."""
    return np.uint64(draws.permutations[position, row])


@device_function
def as_they_stand(position, row, draws):
    """The item of that number."""
    return position


def _many_points(image: Image):
    """Larger batches, whose points are kept in the memory of permutations."""
    over_batch, draw = _over_batch(image, in_memory), _in_turns(image, points_in_memory)

    @device_function
    def apply(x, step, row, replica, draws, maps):
        draw(row, step, replica, draws)
        return over_batch(x, ZERO, row, step, draws, maps)

    return apply


def _in_turn(image: Image):
    """The items in their order."""
    over_batch = _over_batch(image, as_they_stand)

    @device_function
    def apply(x, step, row, replica, draws, maps):
        return over_batch(x, step % draws.per_epoch * draws.batch_size, row, step, draws, maps)

    return apply


# -------------------------------------------------------------------------------------------------------- permutations


@device_function
def fisher_yates(row, epoch, replica, draws):
    """The permutation of an epoch, from the last item down."""
    items, n = draws.permutations, draws.n_items
    draws.epochs[row] = epoch + ONE
    for k in range(ZERO, n):
        items[np.uint64(k), row] = k
    for done in range(ZERO, n - ONE, FOUR):
        w0, w1, w2, w3 = philox(
            epoch, replica, SHUFFLE_STREAM + (np.uint64(done) >> TWO), draws.key_low, draws.key_high
        )
        for s in range(ZERO, min(FOUR, n - ONE - np.uint64(done))):
            left = n - np.uint64(done) - np.uint64(s)
            other, end = below(word_at(np.uint64(s), w0, w1, w2, w3), left), left - ONE
            items[end, row], items[other, row] = items[other, row], items[end, row]


def _shuffled(image: Image):
    """Reshuffling of few items, whose permutation is kept."""
    over_batch, shuffle = _over_batch(image, in_memory), _in_turns(image, fisher_yates)

    @device_function
    def apply(x, step, row, replica, draws, maps):
        epoch, start = step // draws.per_epoch, step % draws.per_epoch * draws.batch_size
        if draws.epochs[row] != epoch + ONE:
            shuffle(row, epoch, replica, draws)
        return over_batch(x, start, row, step, draws, maps)

    return apply


def _written_permutation():
    """The keys of an epoch as a tuple, and the image of a place under the rounds."""
    rounds, lines = noise.FEISTEL_ROUNDS, []
    for group in range(0, rounds, 4):
        names = ", ".join(f"w{group + k}" for k in range(4))
        stream = f"FEISTEL_STREAM + np.uint64({group // 4})"
        lines.append(f"{names} = philox(epoch, replica, {stream}, draws.key_low, draws.key_high)")
    lines.append(f"return {tuple_of([f'w{k}' for k in range(rounds)])}")
    known: dict = {"philox": philox, "FEISTEL_STREAM": FEISTEL_STREAM}
    keys = written("round_keys", "epoch, replica, draws", lines, **known)
    steps = []
    for k in range(0, rounds, 2):
        steps.append(f"row = feistel_round(row, column, draws.rows, k[{k}])")
        steps.append(f"column = feistel_round(column, row, draws.columns, k[{k + 1}])")
    steps.append("return row, column")
    return keys, written("rounds", "row, column, k, draws", steps, feistel_round=feistel_round)


round_keys, rounds = _written_permutation()


@device_function
def permuted(position, keys, draws):
    """The item at a position: a cell beyond the last item is mapped again until it is not."""
    row, column = position // draws.columns, position % draws.columns
    item = draws.n_items
    while item >= draws.n_items:
        row, column = rounds(row, column, keys, draws)
        item = row * draws.columns + column
    return item


def _epoch_walk(over_batch, descending: bool):
    """Reshuffling of many items, each found by a permutation with the keys of an epoch."""

    @device_function
    def walk(x, begin, end, row, replica, draws, maps):
        left = end - begin
        epoch = (end - ONE if descending else begin) // draws.per_epoch
        keys = round_keys(epoch, replica, draws)
        while left > ZERO:
            step = begin + left - ONE if descending else end - left
            if step // draws.per_epoch != epoch:
                epoch = step // draws.per_epoch
                keys = round_keys(epoch, replica, draws)
            x = over_batch(x, step % draws.per_epoch * draws.batch_size, keys, step, draws, maps)
            left -= ONE
        return x

    return walk
