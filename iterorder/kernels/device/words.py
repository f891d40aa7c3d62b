"""Words of a block of noise by their place."""

from __future__ import annotations

import numpy as np

from iterorder.kernels.device.compilers import device_function, philox

ZERO, TWO, THREE = np.uint64(0), np.uint64(2), np.uint64(3)


@device_function
def word_at(place, w0, w1, w2, w3):
    """Word 0, 1, 2 or 3."""
    low = w0 if place == ZERO else w1
    high = w2 if place == TWO else w3
    return low if place < TWO else high


@device_function
def slot_word(step, slot, replica, draws):
    """The word of a slot of a batch of three or more: four slots share a block."""
    w0, w1, w2, w3 = philox(step, replica, slot >> TWO, draws.key_low, draws.key_high)
    return word_at(slot & THREE, w0, w1, w2, w3)
