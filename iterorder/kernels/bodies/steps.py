"""The image of a state under a map, written once for every target.

A state, and a row of data, is a tuple of numbers, or of vectors that hold the numbers of several replicas; what works
on them comes with a target's `States`. Each function here makes one of compiled code: dimension and slope are part of
it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Vectors(Protocol):
    """What a target offers for vectors, tuples of numbers or whatever holds them."""

    @property
    def inline(self) -> Callable:
        """What compiled code is made by."""
        ...

    @property
    def dot(self) -> Any:
        """``(a, x, start)``."""
        ...

    @property
    def plus_multiple(self) -> Any:
        """``(x, factor, a)``."""
        ...


class States(Vectors, Protocol):
    """What a target offers for tuples of numbers, by the names and in the order of `bodies.sums`."""

    @property
    def multiple(self) -> Any:
        """``(factor, x)``."""
        ...

    @property
    def affine_image(self) -> Any:
        """``(a, x)``."""
        ...

    @property
    def madd(self) -> Any:
        """``(a, b, c)``."""
        ...


class Slope(Protocol):
    """φ, compiled."""

    @property
    def apply(self) -> Any:
        """``(z, c, factor, given)``: the factor times φ."""
        ...

    @property
    def folded(self) -> bool:
        """Whether the target stands in the row; else it is c, and no part of the margin z."""
        ...


def row_added(target: Vectors, dim: int, slope: Slope):
    """``(total, x, a, factor, given, zero)``: the total with factor·φ(aᵀx + c)·a for a row (a, c) of data."""
    dot, plus_multiple, folded, move_along = target.dot, target.plus_multiple, slope.folded, slope.apply

    @target.inline
    def added(total, x, a, factor, given, zero):
        z = dot(a, x, a[dim] if folded else zero)
        return plus_multiple(total, move_along(z, a[dim], factor, given), a)

    return added


def affine_added(target: States):
    """``(total, x, a, weight)``: the total with weight·(A x + b), `a` the rows of (A | b)."""
    affine_image, plus_multiple = target.affine_image, target.plus_multiple

    @target.inline
    def added(total, x, a, weight):
        return plus_multiple(total, weight, affine_image(a, x))

    return added


def velocity_begun(target: States, momentum: bool):
    """``(x, v, ridge, friction)``: friction·v + ridge·x, to which the gradients of a batch are added."""
    multiple, plus_multiple = target.multiple, target.plus_multiple

    @target.inline
    def begun(x, v, ridge, friction):
        return plus_multiple(multiple(friction, v), ridge, x) if momentum else multiple(ridge, x)

    return begun


def position_moved(target: States):
    """``(x, v, h, decay, one)``: (1 − h·decay)·x − h·v."""
    multiple, plus_multiple = target.multiple, target.plus_multiple

    @target.inline
    def moved(x, v, h, decay, one):
        return plus_multiple(multiple(one - h * decay, x), -h, v)

    return moved


def regression_extended(target: States):
    """``(p, q, new, a, c, factor, zero)``: row p of P and its offset q after one row of data, for linear regression.

    ``new`` is what has become of p by the rows of the batch before it.
    """
    dot, plus_multiple, madd = target.dot, target.plus_multiple, target.madd

    @target.inline
    def extended(p, q, new, a, c, factor, zero):
        u = dot(a, p, zero) * factor
        return plus_multiple(new, u, a), madd(u, c, q)

    return extended
