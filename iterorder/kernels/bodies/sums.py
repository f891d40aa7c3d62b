"""Sums and products of tuples of numbers in the order of their roundings, for whatever writes them out.

A compiler may not, and must not, reorder a sum by itself: the order is the result. It stands here once, and is written
in instructions of LLVM (`kernels.cpu.sums`) or as text (`kernels.device.written_out`) by an `Arithmetic`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

#: Chains of multiply-adds of a sum: few and long beside other replicas, several and short within one state.
LANE_CHAINS, ROW_CHAINS = 2, 5


class Addition(Protocol):
    """The sum of two numbers, or of whatever stands for them."""

    def sum_of(self, a, b) -> Any:
        """a + b."""
        ...


class Arithmetic(Addition, Protocol):
    """The three operations that sums are made of, on whatever stands for a number."""

    def product(self, a, b) -> Any:
        """a·b."""
        ...

    def product_added(self, a, b, c) -> Any:
        """a·b + c, one rounding where the target has the instruction."""
        ...


def chained(write: Arithmetic, a: Sequence, x: Sequence, start, chains: int, others=None):
    """start + Σ a·x: term k is added to chain k mod `chains`, the first of which begins with `start`.

    The others begin with their first term, and those without one are left out; or all begin with a zero, `others`.
    """
    sums = [start, *[others] * (chains - 1)]
    for k, (factor, number) in enumerate(zip(a, x, strict=True)):
        add_product(write, sums, k, factor, number)
    return added_inwards(write, sums)


def add_product(write: Arithmetic, sums: list, k: int, factor, number) -> None:
    """Add term k to its chain, which the first of its terms begins."""
    chain = k % len(sums)
    known = sums[chain]
    sums[chain] = write.product(factor, number) if known is None else write.product_added(factor, number, known)


def added_inwards(write: Addition, sums: list):
    """The sum of the chains that have begun: the last is added to the first, the one before to the second, …."""
    values = [value for value in sums if value is not None]
    while len(values) > 1:
        n = len(values)
        values = [
            write.sum_of(values[k], values[n - 1 - k]) if k < n - 1 - k else values[k] for k in range((n + 1) // 2)
        ]
    return values[0]


def plus_multiple(write: Arithmetic, x: Sequence, factor, a: Sequence) -> list:
    """x + factor·a."""
    return [write.product_added(factor, move, number) for move, number in zip(a, x, strict=True)]


def multiple(write: Arithmetic, factor, x: Sequence) -> list:
    """factor·x."""
    return [write.product(factor, number) for number in x]


def plus(write: Arithmetic, x: Sequence, y: Sequence) -> list:
    """x + y."""
    return [write.sum_of(*pair) for pair in zip(x, y, strict=True)]


def affine_image(write: Arithmetic, augmented: Sequence, x: Sequence) -> list:
    """A x + b, `augmented` the rows of (A | b): one chain a coordinate, which begins with b."""
    d = len(x)
    rows = [augmented[k * (d + 1) : (k + 1) * (d + 1)] for k in range(d)]
    return [chained(write, row[:d], x, row[d], 1) for row in rows]


def linear_image(write: Arithmetic, row: Sequence, augmented: Sequence) -> list:
    """row·A, `augmented` the rows of (A | b), of which b is left out."""
    d = len(row)
    return by_columns(write, row, [augmented[k :: d + 1] for k in range(d)])


def by_columns(write: Arithmetic, row: Sequence, columns: Sequence[Sequence]) -> list:
    """row·A for some columns of A."""
    return [chained(write, row[1:], column[1:], write.product(row[0], column[0]), 1) for column in columns]


def offsets(augmented: Sequence, d: int) -> list:
    """b, `augmented` the rows of (A | b)."""
    return list(augmented[d :: d + 1])
