"""The words of a purpose for many replicas, by the compiled generator."""

from __future__ import annotations

import numpy as np

from iterorder import noise
from iterorder.kernels.cpu.bodies import philox
from iterorder.kernels.cpu.lanes import LANES, counting, splat, store
from iterorder.kernels.targets import check_compiler, jit_entry
from iterorder.validation import as_int

ONE = np.uint64(1)


def purpose_words(seed, replica, step, purpose: int, count: int) -> np.ndarray:
    """What `noise.purpose_words` gives for the same arguments."""
    check_compiler()
    count = as_int("count", count, low=1, high=noise.MAX_WORDS_PER_STEP)
    key = noise.as_key(seed)
    replica, step = np.broadcast_arrays(np.asarray(replica, np.uint64), np.asarray(step, np.uint64))
    # Whole groups of eight blocks are drawn, four words each.
    found = np.empty((step.size, -(-count // (4 * LANES)) * 4 * LANES), np.uint64)
    first = np.uint64(purpose << noise.PURPOSE_SHIFT)
    low, high = np.uint64(key & 0xFFFFFFFF), np.uint64(key >> 32)
    _fill(low, high, replica.ravel(), step.ravel(), first, np.empty((4, LANES), np.uint64), found)
    return found[:, :count].reshape(*step.shape, count)


@jit_entry
def _fill(key_low, key_high, replicas, steps, first, scratch, out):
    for row in range(out.shape[0]):
        for group in range(out.shape[1] // (4 * LANES)):
            streams = counting(first + np.uint64(group * LANES), ONE, LANES)
            words = philox(steps[row], splat(replicas[row], LANES), streams, key_low, key_high)
            store(words[0], scratch, 0, 0)
            store(words[1], scratch, 1, 0)
            store(words[2], scratch, 2, 0)
            store(words[3], scratch, 3, 0)
            at = group * 4 * LANES
            for lane in range(LANES):
                for word in range(4):
                    out[row, at + 4 * lane + word] = scratch[word, lane]
