"""Python's min, max and abs for kernels, where one of two numbers may be a vector of lanes."""

from __future__ import annotations

from iterorder.kernels.bodies.primitives import alike, where


def smaller(a, b):
    """Python's min of two."""
    a, b = alike(a, b), alike(b, a)
    return where(b < a, b, a)


def larger(a, b):
    """Python's max of two."""
    a, b = alike(a, b), alike(b, a)
    return where(b > a, b, a)


def size(x):
    """Python's abs, but for the sign of a zero."""
    return larger(x, x * -1.0)
