"""Philox4x32-10 and the numbers made from its words, for one replica or one in each lane: one body for every target.

Every integer is a uint64 that holds a value below 2³² (products stay below 2⁶⁴; between rounds the low halves alone
count), so that nothing relies on wrap-around, which NumPy, Numba and CUDA treat differently. The layout of the counter
is documented in `iterorder.noise`. Masks that change nothing tell the compiler that a product of two 32-bit numbers,
one instruction a vector, is enough.

References
----------
.. [1] Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC11.
"""

from __future__ import annotations

import numpy as np

from iterorder.kernels.bodies.primitives import where

MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)

MIX, SHIFT_15 = np.uint64(0x846CA68B), np.uint64(15)


def philox(block, replica, stream, key_low, key_high):
    """The four words of counter (block low, block high, replica, stream).

    Of the first rounds, numbers that are the same in all lanes stay numbers: where one block serves all, lanes differ
    by their replica alone, and that takes three rounds to reach every word.
    """
    k0, k1 = key_low & LOW, key_high & LOW
    a0, a1, a2, a3 = philox_round(block, block >> HALF, replica, stream, k0, k1)
    k0, k1 = (k0 + WEYL_0) & LOW, (k1 + WEYL_1) & LOW
    b0, b1, b2, b3 = philox_round(a0, a1, a2, a3, k0, k1)
    k0, k1 = (k0 + WEYL_0) & LOW, (k1 + WEYL_1) & LOW
    c0, c1, c2, c3 = philox_round(b0, b1, b2, b3, k0, k1)
    for _ in range(7):
        k0, k1 = (k0 + WEYL_0) & LOW, (k1 + WEYL_1) & LOW
        c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    return c0 & LOW, c1 & LOW, c2 & LOW, c3 & LOW


def philox_round(c0, c1, c2, c3, k0, k1):
    """One round; of every word the low half counts."""
    p0, p1 = MULTIPLIER_0 * (c0 & LOW), MULTIPLIER_1 * (c2 & LOW)
    return (p1 >> HALF) ^ (c1 ^ k0), p1, (p0 >> HALF) ^ (c3 ^ k1), p0


def below(word, n):
    """An integer in [0, n) from a 32-bit word: the high half of word·n, each value within 2⁻³² of probability 1/n."""
    return (word * n) >> HALF


def feistel_round(half, other, side, key):
    """`half` after one round of the keyed permutation of cells (half, other): below `side`, as before.

    The round function is a keyed 32-bit product, its halves mixed, and another product of which the high bits count.
    """
    x = ((other & LOW) * WEYL_0 + key) & LOW
    x = ((x ^ (x >> SHIFT_15)) * MIX) & LOW
    total = half + below(x, side & LOW)
    return where(total >= side, total - side, total)
