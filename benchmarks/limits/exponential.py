"""Coefficients of exp on |r| <= log(2)/2 for kernels_avx2.c: 1 + r + r^2 p(r), p of degree 9 at Chebyshev nodes."""

from decimal import Decimal, getcontext
from math import cos, pi

getcontext().prec = 60
HALF, N = Decimal(2).ln() / 2, 10


def target(r):
    """(e^r - 1 - r) / r^2 by its series."""
    term, total, k = Decimal(1) / 2, Decimal(0), 2
    while abs(term) > Decimal(10) ** -55:
        total += term
        k += 1
        term = term * r / k
    return total


nodes = [HALF * Decimal(cos(pi * (2 * i + 1) / (2 * N))) for i in range(N)]
divided = [target(x) for x in nodes]
for level in range(1, N):
    for i in range(N - 1, level - 1, -1):
        divided[i] = (divided[i] - divided[i - 1]) / (nodes[i] - nodes[i - level])
poly = [Decimal(0)] * N
for i in range(N - 1, -1, -1):
    shifted = [Decimal(0), *poly[:-1]]
    poly = [s - nodes[i] * p for s, p in zip(shifted, poly, strict=False)]
    poly[0] += divided[i]
print("/* 1 + r + E2 r^2 + ... + E11 r^11: exp on |r| <= log(2)/2; written by exponential.py */")
for k, c in enumerate(poly):
    print(f"#define E{k + 2} {float(c)!r}")
