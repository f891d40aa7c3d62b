"""Noise is a function of its index: counter-based words, and the numbers made from them.

Every random number of iterorder is read from Philox4x32-10 [1]_ at a known place. Nothing is stored and nothing is
drawn in sequence, so any order of the maps, any chunk of replicas and any device read the same integers.

The word layout (frozen by a test)
----------------------------------
::

    key      (seed low 32 bits, seed high 32 bits)
    counter  (block low, block high, replica, stream)
    stream   purpose · 2²⁴ + group

=========== ================================= ======== ================== =========================================
purpose     what it feeds                     block    group              words of step t
=========== ================================= ======== ================== =========================================
0 `DRAW`    two equally likely maps           t // 128 0                  bit t mod 128, top bit of word 0 first
0 `DRAW`    1 word a step                     t // 4   0                  word t mod 4
0 `DRAW`    2 words a step                    t // 2   0                  words 2·(t mod 2) + slot
0 `DRAW`    3 or more words a step            t        slot // 4          word slot mod 4
1 `SHUFFLE` Fisher–Yates, at most 4096 items  epoch    swap // 4          word swap mod 4, swap 0 is the last item's
2 `FEISTEL` round keys, more than 4096 items  epoch    round // 4         word round mod 4
3 `NORMALS` normals beside an index           t        pair               all four make a pair
4 `START`   weights of start s (as replica)   j // 2   0                  words 2·(j mod 2) + 0, 1 make uniform j
4 `START`   a seed for other initialisers     0        1                  words 0 (low) and 1 (high)
5 `AUGMENT` how an image of a batch is moved  t        slot               words 0, 1: rows, columns; top bit of 2: flip
6 `DROPOUT` which units a step drops          t        entry // 4         word entry mod 4
=========== ================================= ======== ================== =========================================

- index below n: the high half of word·n. Each probability is within 2⁻³² of 1/n (a relative bias below n·2⁻³²).
- index with probabilities p: the number of thresholds round(2³²·(p_0+…+p_k)), k < n−1, that the word reaches. Each
  probability is within 2⁻³² of p; a map of probability zero is never drawn.
- batch of B distinct points of n: Floyd's algorithm [2]_, one word a slot; slot s draws below n−B+s+1 and takes
  n−B+s itself if that point is already in the batch.
- uniform in [0, 1): two words, (⌊w_0/2⁵⌋·2²⁶ + ⌊w_1/2⁶⌋)·2⁻⁵³.
- normals: Box–Muller, four words for a pair: √(−2 log(1−u_0))·(cos, sin)(2πu_1); none exceeds 8.58. The logarithm and
  the circle are polynomials in plain multiplications and additions: kernels get the same bits.
- permutation of an epoch: Fisher–Yates from the last item down for n ≤ 4096; above, a keyed Feistel network of ten
  rounds on a rectangle of a·b ≥ n cells [3]_ (`feistel_sides`): rounds add to the row and to the column in turn, modulo
  a and b. A cell at or beyond n, one of at most a − 1, is walked along its cycle.

References
----------
.. [1] Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC11.
.. [2] Bentley, Floyd (1987), A sample of brilliance, Communications of the ACM 30(9).
.. [3] Black, Rogaway (2002), Ciphers with arbitrary finite domains, CT-RSA.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.validation import MAX_STEPS, as_int, as_key

DRAW, SHUFFLE, FEISTEL, NORMALS, START, AUGMENT, DROPOUT = range(7)
PURPOSE_SHIFT = 24
MAX_WORDS_PER_STEP = 2 ** (PURPOSE_SHIFT + 2)
FISHER_YATES_MAX = 4096
FEISTEL_ROUNDS = 10
MAX_REPLICAS = 2**32

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def words(seed, block, replica, stream=0) -> np.ndarray:
    """The four 32-bit words of Philox4x32-10 at a counter.

    Parameters
    ----------
    seed : int in [0, 2⁶⁴)
        The key.
    block : array_like of int in [0, 2⁶⁴)
        Low 64 bits of the counter: which group of four words.
    replica, stream : array_like of int in [0, 2³²)
        High bits of the counter: the path, and what the words are for.

    Returns
    -------
    ndarray of uint64, shape (..., 4)
        Values below 2³²; the leading axes are those of the arguments, broadcast.

    Examples
    --------
    >>> [hex(int(w)) for w in words(0, 0, 0)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    seed = as_key(seed)
    block, replica, stream = (np.asarray(v, np.uint64) for v in (block, replica, stream))
    c0, c1, c2, c3 = np.broadcast_arrays(block & _LOW, block >> _HALF, replica, stream)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ np.uint64(k0), p1 & _LOW, (p0 >> _HALF) ^ c3 ^ np.uint64(k1), p0 & _LOW
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1)


def step_words(seed, replica, step, count) -> np.ndarray:
    """The `count` words that step `step` of a replica draws from.

    Parameters
    ----------
    seed : int in [0, 2⁶⁴)
        The key.
    replica, step : array_like of int, broadcast against each other
        Whose words: the path, and the step of it from 0.
    count : int in [1, 2²⁶]
        How many words.

    Returns
    -------
    ndarray of uint64, shape (..., count)
        Values below 2³²; the leading axes are those of replica and step.

    Examples
    --------
    >>> step_words(0, 0, np.arange(4), 1).shape
    (4, 1)
    """
    count = as_int("count", count, low=1, high=MAX_WORDS_PER_STEP)
    replica, step = np.broadcast_arrays(np.asarray(replica, np.uint64), np.asarray(step, np.uint64))
    if count <= 2:
        steps_per_block = np.uint64(4 // count)
        four = words(seed, step // steps_per_block, replica)
        lanes = (step % steps_per_block)[..., None] * np.uint64(count) + np.arange(count, dtype=np.uint64)
        return np.take_along_axis(four, lanes.astype(np.intp), axis=-1)
    return purpose_words(seed, replica, step, DRAW, count)


def purpose_words(seed, replica, step, purpose, count) -> np.ndarray:
    """Words 0 … `count` − 1 of a purpose whose block is the step, four to a group.

    Parameters
    ----------
    seed : int in [0, 2⁶⁴)
        The key.
    replica, step : array_like of int, broadcast against each other
        Whose words: the path, and the step of it from 0.
    purpose : int
        `DRAW` (of more than two words), `AUGMENT` or `DROPOUT`.
    count : int in [1, 2²⁶]
        How many words.

    Returns
    -------
    ndarray of uint64, shape (..., count)
        Values below 2³²; the leading axes are those of replica and step.

    Examples
    --------
    >>> purpose_words(0, 0, [3, 4], DROPOUT, 5).shape
    (2, 5)
    """
    count = as_int("count", count, low=1, high=MAX_WORDS_PER_STEP)
    replica, step = np.broadcast_arrays(np.asarray(replica, np.uint64), np.asarray(step, np.uint64))
    groups = np.arange((count + 3) // 4) + (purpose << PURPOSE_SHIFT)
    return words(seed, step[..., None], replica[..., None], groups).reshape(*step.shape, -1)[..., :count]


def fair_bits(seed, replica, step) -> np.ndarray:
    """The bit of each step: 0 or 1 with probability one half, 128 to a block, top bit of word 0 first.

    Examples
    --------
    >>> fair_bits(0, 0, np.arange(8)).tolist()
    [0, 1, 1, 0, 0, 1, 1, 0]
    """
    replica, step = np.broadcast_arrays(np.asarray(replica, np.uint64), np.asarray(step, np.uint64))
    four = words(seed, step >> np.uint64(7), replica)
    bit = step & np.uint64(127)
    word = np.take_along_axis(four, (bit >> np.uint64(5)).astype(np.intp)[..., None], axis=-1)[..., 0]
    return ((word >> (np.uint64(31) - (bit & np.uint64(31)))) & np.uint64(1)).astype(np.int64)


def thresholds(probabilities) -> np.ndarray:
    """The integers that a word is compared with: round(2³²·cumulated probability), without the last, shape (m−1,)."""
    cumulated = np.cumsum(np.asarray(probabilities, np.float64))
    return np.minimum(np.rint(cumulated[:-1] / cumulated[-1] * 2.0**32), 2.0**32).astype(np.uint64)


def indices(seed, replica, step, n, probabilities=None) -> np.ndarray:
    """The map drawn at each step, in [0, n), independent over replicas and steps.

    Parameters
    ----------
    seed : int in [0, 2⁶⁴)
        The key.
    replica, step : array_like of int, broadcast against each other
        Whose index: the path, and the step of it from 0.
    n : int in [1, 2³¹)
        From how many maps is drawn.
    probabilities : array_like, shape (n,), optional
        Default: equal.

    Returns
    -------
    ndarray of int64
        One index for each replica and step, of their shape.

    Examples
    --------
    >>> indices(0, 0, np.arange(6), 10).tolist()
    [3, 8, 7, 6, 9, 3]
    """
    if probabilities is None:
        if n == 2:
            return fair_bits(seed, replica, step)
        word = step_words(seed, replica, step, 1)[..., 0]
        return ((word * np.uint64(n)) >> _HALF).astype(np.int64)
    word = step_words(seed, replica, step, 1)[..., 0]
    return np.searchsorted(thresholds(probabilities), word, side="right").astype(np.int64)


def batch(seed, replica, step, n, size) -> np.ndarray:
    """The `size` distinct points of [0, n) that one step of one replica draws: Floyd's algorithm.

    Every set of that size has the same probability up to the bias of each slot (2⁻³²); the order inside is not random.

    Examples
    --------
    >>> batch(0, 0, 0, 10, 3).tolist()
    [3, 7, 9]
    """
    slot_words = step_words(seed, replica, step, size)
    points = np.empty(size, np.int64)
    seen = set()
    for slot, word in enumerate(slot_words):
        last = n - size + slot
        point = int(word) * (last + 1) >> 32
        points[slot] = last if point in seen else point
        seen.add(int(points[slot]))
    return points


def uniforms(seed, replica, step, count=1) -> np.ndarray:
    """Uniforms in [0, 1) of 53 bits, shape (..., count): slot j reads words 2j and 2j+1 of its step.

    Examples
    --------
    >>> uniforms(0, 0, 0, 2).round(6).tolist()
    [0.399046, 0.735713]
    """
    return _uniform_pairs(step_words(seed, replica, step, 2 * count))


def start_uniforms(seed, start, count) -> np.ndarray:
    """The uniforms in [0, 1) that start weights are made of, shape (count,); each start has its own.

    Examples
    --------
    >>> start_uniforms(0, 0, 3).round(6).tolist()
    [0.719251, 0.391494, 0.064602]
    """
    blocks = np.arange((count + 1) // 2)
    return _uniform_pairs(words(seed, blocks, start, START << PURPOSE_SHIFT).reshape(-1))[:count]


def start_seed(seed, start) -> int:
    """The 64-bit seed of a start for initialisers that are not the package's own.

    Examples
    --------
    >>> start_seed(0, 0) != start_seed(0, 1)
    True
    """
    word = words(seed, 0, start, (START << PURPOSE_SHIFT) + 1)
    return int(word[0]) | int(word[1]) << 32


def _uniform_pairs(pair):
    """Uniforms from pairs of words along the last axis."""
    high, low = pair[..., 0::2] >> np.uint64(5), pair[..., 1::2] >> np.uint64(6)
    return (high * np.uint64(1 << 26) + low) * 2.0**-53


def normals(seed, replica, step, count=1) -> np.ndarray:
    """Standard normals, shape (..., count), by Box–Muller: four words make a pair.

    Examples
    --------
    >>> normals(0, 0, np.arange(3), 2).shape
    (3, 2)
    """
    pairs = (count + 1) // 2
    return _box_muller(uniforms(seed, replica, step, 2 * pairs), count)


def normals_beside_index(seed, replica, step, count=1) -> np.ndarray:
    """The normals of a step that also draws an index, shape (..., count): words of their own.

    Examples
    --------
    >>> normals_beside_index(0, 0, 0, 3).shape
    (3,)
    """
    replica, step = np.broadcast_arrays(np.asarray(replica, np.uint64), np.asarray(step, np.uint64))
    pairs = np.arange((count + 1) // 2) + (NORMALS << PURPOSE_SHIFT)
    four = words(seed, step[..., None], replica[..., None], pairs)
    return _box_muller(_uniform_pairs(four.reshape(*step.shape, -1)), count)


def _box_muller(uniform, count):
    """Normals from uniforms, a pair from each pair, shape (..., count)."""
    radius = np.sqrt(-2.0 * _log(1.0 - uniform[..., 0::2]))
    cosine, sine = _circle(uniform[..., 1::2])
    normal = np.stack([radius * cosine, radius * sine], axis=-1)
    return normal.reshape(*normal.shape[:-2], -1)[..., :count]


# Coefficients of fdlibm's log, sin and cos, in the order of the powers.
LOG_SERIES = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)
SINE_SERIES = (
    -1.66666666666666324348e-01,
    8.33333333332248946124e-03,
    -1.98412698298579493134e-04,
    2.75573137070700676789e-06,
    -2.50507602534068634195e-08,
    1.58969099521155010221e-10,
)
COSINE_SERIES = (
    4.16666666666666019037e-02,
    -1.38888888888741095749e-03,
    2.48015872894767294178e-05,
    -2.75573143513906633035e-07,
    2.08757232129817482790e-09,
    -1.13596475577881948265e-11,
)
# log 2 in two parts; the first has 32 trailing zero bits, so that n·LN2_HIGH is exact for |n| < 2¹¹.
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# Adding 1.5·2⁵² rounds to an integer, which then stands in the low bits of the sum.
ROUND = 6755399441055744.0


def _log(x):
    """log x of positive normal floats, within an ulp: x = 2^k·(1 + f) with 1 + f from √½ to √2, and a series in f."""
    bits = np.asarray(x, np.float64).view(np.uint64)
    k = (bits >> np.uint64(52)).astype(np.float64) - 1023.0
    m = ((bits & np.uint64(0xFFFFFFFFFFFFF)) | np.uint64(0x3FF0000000000000)).view(np.float64)
    large = m > 1.4142135623730951
    k, m = np.where(large, k + 1.0, k), np.where(large, 0.5 * m, m)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    c = LOG_SERIES
    odd = w * (c[1] + w * (c[3] + w * c[5]))
    even = z * (c[0] + w * (c[2] + w * (c[4] + w * c[6])))
    half = 0.5 * f * f
    return k * LN2_HIGH - ((half - (s * (half + (odd + even)) + k * LN2_LOW)) - f)


def _circle(u):
    """cos 2πu and sin 2πu for u in [0, 1): series on an eighth of the circle, within an ulp of the rounded angle."""
    shifted = 4.0 * u + ROUND
    quarter = shifted - ROUND
    n = shifted.view(np.uint64)
    r = (4.0 * u - quarter) * 1.5707963267948966
    z = r * r
    a, b = SINE_SERIES, COSINE_SERIES
    sine = r + (r * z) * (a[0] + z * (a[1] + z * (a[2] + z * (a[3] + z * (a[4] + z * a[5])))))
    cosine = 1.0 - 0.5 * z + (z * z) * (b[0] + z * (b[1] + z * (b[2] + z * (b[3] + z * (b[4] + z * b[5])))))
    odd = (n & np.uint64(1)) != 0
    x, y = np.where(odd, sine, cosine), np.where(odd, cosine, sine)
    x = np.where(((n + np.uint64(1)) & np.uint64(2)) != 0, -x, x)
    return x, np.where((n & np.uint64(2)) != 0, -y, y)


def permutation(seed, replica, epoch, n) -> np.ndarray:
    """The random permutation of [0, n) that a replica follows in an epoch, shape (n,).

    Examples
    --------
    >>> permutation(0, 0, 0, 6).tolist()
    [4, 5, 2, 1, 0, 3]
    """
    n = as_int("n", n, low=1, high=2**31 - 1)
    epoch = as_int("epoch", epoch, low=0, high=MAX_STEPS)
    if n <= FISHER_YATES_MAX:
        return _fisher_yates(seed, replica, epoch, n)
    return feistel(np.arange(n), seed, replica, epoch, n)


def _fisher_yates(seed, replica, epoch, n):
    items = np.arange(n)
    groups = np.arange((n + 2) // 4)
    swap_words = words(seed, epoch, replica, groups + (SHUFFLE << PURPOSE_SHIFT)).reshape(-1)
    for swap in range(n - 1):
        last = n - 1 - swap
        other = int(swap_words[swap]) * (last + 1) >> 32
        items[last], items[other] = items[other], items[last]
    return items


def feistel(items, seed, replica, epoch, n) -> np.ndarray:
    """Images of `items` under the keyed permutation of [0, n): random access to one entry of an epoch's permutation.

    Examples
    --------
    >>> sorted(feistel(np.arange(5000), 0, 0, 0, 5000).tolist()) == list(range(5000))
    True
    """
    sides = feistel_sides(n)
    groups = np.arange((FEISTEL_ROUNDS + 3) // 4)
    keys = words(seed, epoch, replica, groups + (FEISTEL << PURPOSE_SHIFT)).reshape(-1)[:FEISTEL_ROUNDS]
    image = _feistel_network(np.asarray(items, np.uint64), sides, keys)
    while (outside := image >= n).any():
        image = np.where(outside, _feistel_network(image, sides, keys), image)
    return image.astype(np.int64)


def feistel_sides(n: int) -> tuple[int, int]:
    """Rows and columns of the rectangle whose cells a Feistel network permutes.

    Of the even numbers of rows from √n to 5/4·√n, the first that wastes the least cells. (A round that adds an odd
    number to an even number of rows is an odd permutation.)
    """
    first = math.isqrt(n - 1) + 1
    first += first % 2
    rows = np.arange(first, max(first, 5 * first // 4) + 1, 2)
    columns = -(-n // rows)
    best = (rows * columns).argmin()
    return int(rows[best]), int(columns[best])


def _feistel_network(cells, sides, keys):
    rows, columns = (np.uint64(side) for side in sides)
    row, column = cells // columns, cells % columns
    for key_of_row, key_of_column in keys.reshape(-1, 2):
        row = (row + ((_mixed(column, key_of_row) * rows) >> _HALF)) % rows
        column = (column + ((_mixed(row, key_of_column) * columns) >> _HALF)) % columns
    return row * columns + column


def _mixed(half, key):
    """The round function, of which the high bits count: a keyed 32-bit product, its halves mixed, and another."""
    x = (half * np.uint64(0x9E3779B9) + key) & _LOW
    return ((x ^ (x >> np.uint64(15))) * np.uint64(0x846CA68B)) & _LOW


def check_words_per_step(name: str, count: int) -> None:
    """Refuse a draw that would leave the counter of its step."""
    if count > MAX_WORDS_PER_STEP:
        raise InvalidInputError(f"{name} is {count}: one step can draw at most {MAX_WORDS_PER_STEP} words")
