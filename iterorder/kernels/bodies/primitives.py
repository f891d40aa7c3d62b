"""What bodies are made of beside operators, for numbers and arrays in Python; every target has its own."""

from __future__ import annotations

import numpy as np


def where(condition, yes, no):
    """`yes` where the condition holds, `no` elsewhere."""
    return np.where(condition, yes, no)


def madd(a, b, c):
    """a·b + c; two roundings here, one where a target has the instruction."""
    return a * b + c


def alike(value, example):
    """A number that stands for as many as the example has."""
    return value


def as_bits(x):
    """The bits of float64 as uint64."""
    return np.asarray(x, np.float64).view(np.uint64)


def from_bits(x):
    """The float64 with the bits of uint64."""
    return np.asarray(x, np.uint64).view(np.float64)


def to_float(x):
    """Integers below 2⁵³ as float64."""
    return np.asarray(x).astype(np.float64)


def sqrt(x):
    """The rounded square root."""
    return np.sqrt(x)
