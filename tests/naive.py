"""Literal twins of the fast paths: slow, readable, and independent of them down to Python's own integers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from iterorder.orders import Window

LOW = 0xFFFFFFFF


# --------------------------------------------------------------------------------------------------------------- noise


def philox(block: int, replica: int, stream: int, seed: int) -> tuple[int, int, int, int]:
    """Philox4x32-10 as its authors wrote it: key = seed, counter = (block low, block high, replica, stream)."""
    c0, c1, c2, c3 = block & LOW, block >> 32, replica, stream
    k0, k1 = seed & LOW, seed >> 32
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & LOW, (p0 >> 32) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + 0x9E3779B9) & LOW, (k1 + 0xBB67AE85) & LOW
    return c0, c1, c2, c3


def step_word(seed, replica, step, slot, words_per_step) -> int:
    """Word `slot` of a step that reads `words_per_step` of them."""
    if words_per_step == 1:
        return philox(step // 4, replica, 0, seed)[step % 4]
    if words_per_step == 2:
        return philox(step // 2, replica, 0, seed)[2 * (step % 2) + slot]
    return philox(step, replica, slot // 4, seed)[slot % 4]


def fair_bit(seed, replica, step) -> int:
    bits = "".join(f"{word:032b}" for word in philox(step // 128, replica, 0, seed))
    return int(bits[step % 128])


def index(seed, replica, step, n, probabilities=None) -> int:
    if probabilities is not None:
        word = step_word(seed, replica, step, 0, 1)
        cumulated, total = 0.0, 0
        for p in probabilities[:-1]:
            cumulated += p
            total += word >= round(2**32 * cumulated)
        return total
    if n == 2:
        return fair_bit(seed, replica, step)
    return step_word(seed, replica, step, 0, 1) * n >> 32


def uniform(high: int, low: int) -> float:
    return ((high >> 5) * 2**26 + (low >> 6)) / 2**53


def fresh_draw(noise, count, n_items, seed, replica, step) -> list[float]:
    """Uniforms, normals by Box and Muller, or an index and normals from words of their own."""
    if noise == "uniform":
        return [uniform(*(step_word(seed, replica, step, 2 * j + k, 2 * count) for k in (0, 1))) for j in range(count)]
    purpose, found = (0, []) if noise == "normal" else (3 << 24, [index(seed, replica, step, n_items)])
    for pair in range((count + 1) // 2):
        words = philox(step, replica, purpose + pair, seed)
        radius = math.sqrt(-2.0 * math.log1p(-uniform(*words[:2])))
        angle = 2.0 * math.pi * uniform(*words[2:])
        found += [radius * math.cos(angle), radius * math.sin(angle)][: count - 2 * pair]
    return found


def batch(seed, replica, step, n, size) -> list[int]:
    return distinct([step_word(seed, replica, step, slot, size) for slot in range(size)], n)


def distinct(words, n) -> list[int]:
    """Floyd's algorithm, one word a point: of a point that is there already, the last that the slot may take."""
    points: list[int] = []
    for slot, word in enumerate(words):
        last = n - len(words) + slot
        point = word * (last + 1) >> 32
        points.append(last if point in points else point)
    return points


def permutation(seed, replica, epoch, n) -> list[int]:
    return fisher_yates(seed, replica, epoch, n) if n <= 4096 else feistel(seed, replica, epoch, n)


def fisher_yates(seed, replica, epoch, n) -> list[int]:
    items = list(range(n))
    for swap, last in enumerate(range(n - 1, 0, -1)):
        word = philox(epoch, replica, (1 << 24) + swap // 4, seed)[swap % 4]
        other = word * (last + 1) >> 32
        items[last], items[other] = items[other], items[last]
    return items


def feistel(seed, replica, epoch, n) -> list[int]:
    first = 2
    while first**2 < n:
        first += 2
    rows = min((r for r in range(first, 5 * first // 4 + 1, 2)), key=lambda r: r * math.ceil(n / r), default=first)
    columns = math.ceil(n / rows)
    keys = [philox(epoch, replica, (2 << 24) + r // 4, seed)[r % 4] for r in range(10)]

    def mixed(half, key):
        x = (half * 0x9E3779B9 + key) % 2**32
        return (x ^ x >> 15) * 0x846CA68B % 2**32

    def network(cell):
        row, column = divmod(cell, columns)
        for r in range(0, 10, 2):
            row = (row + (mixed(column, keys[r]) * rows >> 32)) % rows
            column = (column + (mixed(row, keys[r + 1]) * columns >> 32)) % columns
        return row * columns + column

    images = []
    for item in range(n):
        image = network(item)
        while image >= n:
            image = network(image)
        images.append(image)
    return images


# -------------------------------------------------------------------------------------------------------------- orders


def iterate(maps, x0, n, *, order, seed, replica=0, first_step=0) -> np.ndarray:
    """The state after n steps of one replica: `maps.apply` to `maps.draw`, in the order of the definition."""

    def compose(x, steps):
        for step in steps:
            x = maps.apply(x, maps.draw(seed, replica, first_step + step))
        return x

    x = np.asarray(x0, np.float64)
    if order == "forward":
        return compose(x, range(n))
    if order == "backward":
        return compose(x, reversed(range(n)))
    assert isinstance(order, Window)
    turn = max(n - order.width, 0) if order.width is not None else min(order.start, n)
    return compose(compose(x, range(turn)), reversed(range(turn, n)))


def forward_path(maps, x0, n, *, seed, replica=0) -> np.ndarray:
    """X_0 … X_n of one replica, shape (n + 1, dim); overflow goes on as infinities and NaN."""
    path = [np.asarray(x0, np.float64)]
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(n):
            path.append(maps.apply(path[-1], maps.draw(seed, replica, step)))
    return np.array(path)


def trajectory(maps, x0, save_steps, *, order, seed, n_replicas=1, first_replica=0, first_step=0) -> np.ndarray:
    """States of every replica after each of the saved steps, shape (n_replicas, saves, dim)."""
    starts = np.broadcast_to(x0, (n_replicas, maps.dim))
    place = {"order": order, "seed": seed, "first_step": first_step}
    return np.array(
        [
            [iterate(maps, starts[r], n, replica=first_replica + r, **place) for n in save_steps]
            for r in range(n_replicas)
        ]
    )


# ---------------------------------------------------------------------------------------------------- vector primitives


def madd(a: float, b: float, c: float, fused: bool) -> float:
    """a·b + c in one rounding (computed with exact fractions) or in two."""
    return float(Fraction(a) * Fraction(b) + Fraction(c)) if fused else a * b + c


def chained_sum(a, x, start, chains: int, fused: bool) -> float:
    """start + Σ a·x: term k in chain k mod `chains`, the first begins with start; the last is added to the first."""
    sums = [start] + [None] * (chains - 1)
    for k, (factor, number) in enumerate(zip(a, x, strict=True)):
        previous = sums[k % chains]
        sums[k % chains] = factor * number if previous is None else madd(factor, number, previous, fused)
    sums = [value for value in sums if value is not None]
    while len(sums) > 1:
        pairs = [(sums[k], sums[-1 - k]) for k in range(len(sums) // 2)]
        middle = [sums[len(sums) // 2]] if len(sums) % 2 else []
        sums = [low + high for low, high in pairs] + middle
    return sums[0]


def partial_sums(a, x, start, lanes: int, fused: bool) -> list[float]:
    """Lane i sums the terms i, i + lanes, …; the start enters lane 0; lanes are folded in halves down to eight."""
    sums = [chained_sum(a[i::lanes], x[i::lanes], start if i == 0 else 0.0, 5, fused) for i in range(lanes)]
    while len(sums) > 8:
        half = len(sums) // 2
        sums = [low + high for low, high in zip(sums[:half], sums[half:], strict=True)]
    return sums


def sum_of_neighbours(values) -> float:
    """((s0+s1)+(s2+s3)) + ((s4+s5)+(s6+s7))."""
    values = list(values)
    while len(values) > 1:
        values = [low + high for low, high in zip(values[::2], values[1::2], strict=True)]
    return values[0]


def affine_image(matrix, offset, x, fused: bool) -> list[float]:
    """A x + b, one chain a coordinate, which begins with b."""
    return [chained_sum(row, x, b, 1, fused) for row, b in zip(matrix, offset, strict=True)]


# ------------------------------------------------------------------------------------------------ backward increments


def carried_affine(table, batches, x0, fused: bool) -> list[list[float]]:
    """Z_1, Z_2, … of x → A x + b, each (A | b) a mean over a batch of those in a table.

    Q ← Q + P b, P ← P A; Z = P x0 + Q.
    """
    d = len(x0)
    linear, offset, found = np.eye(d).tolist(), [0.0] * d, []
    for items in batches:
        rows = table[items[0]].tolist()
        for item in items[1:]:
            rows = [
                [a + b for a, b in zip(*both, strict=True)] for both in zip(rows, table[item].tolist(), strict=True)
            ]
        if len(items) > 1:
            rows = [[1.0 / len(items) * number for number in row] for row in rows]
        columns = list(zip(*rows, strict=True))
        offset = [chained_sum(p, columns[d], q, 2, fused) for p, q in zip(linear, offset, strict=True)]
        linear = [[chained_sum(p[1:], a[1:], p[0] * a[0], 1, fused) for a in columns[:d]] for p in linear]
        found.append([chained_sum(p, x0, q, 2, fused) for p, q in zip(linear, offset, strict=True)])
    return found


def carried_regression(table, batches, x0, shrink: float, scale: float, fused: bool) -> list[list[float]]:
    """Z_1, Z_2, … of x → shrink·x − scale·Σ (aᵀx + c)·a over a batch of the rows (a, c) of a table.

    With u = −scale·P a, by the P before the step: Q ← Q + u·c, P ← shrink·P + u·aᵀ, item after item; Z = P x0 + Q.
    """
    d = len(x0)
    linear, offset, found = np.eye(d).tolist(), [0.0] * d, []
    for items in batches:
        for i, p in enumerate(linear):
            linear[i] = [shrink * number for number in p]
            for item in items:
                *a, c = table[item].tolist()
                u = chained_sum(a, p, 0.0, 2, fused) * -scale
                offset[i] = madd(u, c, offset[i], fused)
                linear[i] = [madd(u, factor, number, fused) for factor, number in zip(a, linear[i], strict=True)]
        found.append([chained_sum(p, x0, q, 2, fused) for p, q in zip(linear, offset, strict=True)])
    return found


# ----------------------------------------------------------------------------------------------------------- optimisers


def schedule(kind, horizon, step) -> float:
    """The factor of the step size at a step."""
    if isinstance(kind, np.ndarray):
        return float(kind[min(step, len(kind) - 1)])
    if kind == "constant":
        return 1.0
    if kind == "linear":
        return 1.0 - min(step, horizon) / horizon
    if kind == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * min(step, horizon) / horizon))
    raise ValueError(kind)


def optimizer_step(state, slopes, step_size, momentum, weight_decay) -> list[float]:
    """Heavy ball and weight decay, number by number; the state ends with the velocity where there is momentum."""
    d = len(slopes)
    velocity = [momentum * state[d + k] + slopes[k] if momentum else slopes[k] for k in range(d)]
    place = [(1.0 - step_size * weight_decay) * state[k] - step_size * velocity[k] for k in range(d)]
    return place + velocity if momentum else place
