"""Bodies lifted to eight lanes: the bits of the engine for single numbers, whatever the body does and meets."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numba
import numpy as np
import pytest

import iterorder as ito
from iterorder.kernels import blocks, compiled
from iterorder.kernels.custom import compiled_body, custom_steps, layout_of
from iterorder.kernels.lifted import address_of_images, lifted_body, lifted_steps
from iterorder.maps.gaussian_regression import gaussian_step

LANES, N_MAPS = 64, 7
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.5, 1e-310, 1e300, -1e300, np.inf, -np.inf, np.nan]
TABLE = np.random.default_rng(4).normal(size=(N_MAPS, 3))
PARAMS = (0.75, 3, TABLE, np.arange(1.0, 9.0), np.arange(N_MAPS))


def engines(maps, dtype):
    """The two compiled steps of maps, and the arguments for them; the lifted one is None where there is none."""
    dtype = np.dtype(dtype)
    body = getattr(maps, "body", gaussian_step)
    noise = getattr(maps, "noise", "normal")
    rows = 1 if noise == "index" else maps.sampling_law.count + (noise == "index+normal")
    layout = layout_of(maps.params)
    kinds = maps.dim, noise, layout, dtype
    system = compiled.systems.system_of(maps, dtype)
    scratch = blocks.new_scratch(system, compiled.systems.draws_of(system, maps.sampling_law, 0), LANES, shared=False)
    scalar, lifted = compiled_body(body, *kinds), lifted_body(body, *kinds)
    single = custom_steps(scalar, maps.dim, noise, rows, layout)
    many = None
    if lifted is not None:
        many = lifted_steps(lifted, maps.dim, noise, rows, layout, dtype)
        system.parameters[-1] = address_of_images(scalar, maps.dim, noise, rows, layout, dtype)
    return SimpleNamespace(single=single, many=many, system=system, scratch=scratch, rows=rows, noise=noise)


def states_after(found, steps, seed):
    """Where states with all kinds of numbers are after three steps of one engine."""
    rng = np.random.default_rng(seed)
    states, drawn = found.scratch.states, found.scratch.drawn
    numbers = rng.normal(size=states.shape) * 3.0
    some = rng.random(states.shape) < 0.3
    numbers[some] = rng.choice(SPECIAL, some.sum())
    with np.errstate(over="ignore"):
        states[...] = numbers
    rows = drawn[: 3 * found.rows]
    if found.noise == "normal":
        rows[...] = rng.normal(size=rows.shape).view(np.uint64)
    else:
        rows[...] = rng.random(rows.shape).view(np.uint64)
    if found.noise.startswith("index"):
        rows[:: found.rows] = rng.integers(0, N_MAPS, rows[:: found.rows].shape)
    steps(found.system, found.scratch, 0, 3, 1, 0)
    return states.copy()


def assert_same_bits(maps, dtype, seeds=(0, 1)):
    found = engines(maps, dtype)
    assert found.many is not None, "this body should be lifted"
    for seed in seeds:
        single, many = (states_after(found, steps, seed) for steps in (found.single, found.many))
        np.testing.assert_array_equal(np.isnan(single), np.isnan(many))
        bits = f"u{single.itemsize}"
        number = ~np.isnan(single)
        np.testing.assert_array_equal(single.view(bits)[number], many.view(bits)[number])


def arithmetic(x, draw, params, out):
    a, b = x[0], x[1]
    out[0] = -a + +b * 2 - 3 / (1 + abs(b)) + a**3 + b**2 + a**-1 + (a > b) * 0.5
    out[1] = min(a, b, 0.25) + max(b, 1, a) + math.copysign(2.0, a) + math.sqrt(abs(b)) + math.fabs(a)
    out[2] = a // 0.3 + b % 0.7 + math.floor(draw[0] * 9) + int(draw[0] * 5) % 3 + round(draw[0] * 3) + (not a < b)


def functions(x, draw, params, out):
    out[0] = math.tanh(x[0]) + math.exp(-abs(x[1])) + math.log(abs(x[2])) + math.hypot(x[0], 1.0)
    out[1] = np.sin(x[1]) + math.cos(x[0]) + np.maximum(x[0], x[2]) + np.sqrt(draw[0]) + x[1] ** 0.5 + np.abs(x[2])
    out[2] = math.atan2(x[0], x[1]) + math.pow(draw[0], 1.5) + 2 ** draw[0] + math.log1p(draw[0]) + math.erf(x[2])


def branches(x, draw, params, out):
    if x[0] < -1.0:
        y, z = -1.0, 1
    elif x[0] > 1.0 and (draw[0] < 0.5 or x[1] != x[1]):
        y = x[1]
        z = 2
        y += 0.5
    else:
        y, z = x[0], 3
        if not -0.5 < x[2] < 0.5:
            t = 2.0 * y
            y = t - z
    out[0] = y + z
    out[1] = x[1] if x[1] > x[2] else (0.0 if draw[0] < 0.3 else x[2])
    out[2] = 0.0
    if draw[0] < 0.7:
        out[2] += x[2]
        for k in range(3):
            if k == 1:
                out[2] -= x[k - 1]
            elif x[k] > 0:
                out[2] *= 0.5


def leaves_out(x, draw, params, out):
    out[0] = 0.5 * x[0]
    if draw[0] < 0.5:
        out[1] = x[1]
    if x[2] < 0.0:
        out[2] = 1.0
        return
    out[2] = -1.0
    if x[1] > 0.0:
        return
    out[0] = 7.0


def loops(x, draw, params, out):
    total, largest = 0.0, x[0]
    for k in range(len(x)):
        total += params[3][k] * x[k]
        if x[k] > largest:
            largest = x[k]
    k = 0
    while k < params[1]:
        total -= k
        k += 1
        if k == 2:
            break
    for k in range(x.size):
        out[k] = total / params[0] if k % 2 else largest - x[k - 1]


@numba.njit
def clipped(value, low=-1.0, high=1.0):
    if value < low:
        return low
    if value > high:
        return high
    return value


@numba.njit
def inverse(value):
    """In Python's sense of division: a zero raises, and that lane is NaN."""
    return 1.0 / value


def calls(x, draw, params, out):
    for k in range(3):
        out[k] = clipped(x[k]) + clipped(x[k - 1], high=0.5) + clipped(draw[0] * params[0])


def divides(x, draw, params, out):
    out[0] = inverse(x[0])
    out[1] = 0.5 * x[1]
    out[2] = x[0]


def table(x, draw, params, out):
    i = draw[0]
    row = params[2][i]
    total = 0.0
    for k in range(len(row)):
        total += row[k] * x[k] + params[2][i, k]
    for k in range(3):
        out[k] = x[k] - params[0] * total * params[2][draw[0]][k] + params[4][i] + params[3][i % 2 + 1]


def scatters(x, draw, params, out):
    for k in range(3):
        out[k] = 0.5 * x[k]
    out[draw[0] % 3] += x[(draw[0] + 1) % 3]
    if draw[0] % 2 == 0:
        out[-1] = params[2][draw[0], draw[0] % 3]


def beyond(x, draw, params, out):
    """Where x is large, or not a number, an index is out of range: that lane is NaN, and no other."""
    k = int(abs(x[0]) * 4.0) if abs(x[0]) < 1e6 else 1000
    out[0] = 0.5 * x[0] + params[3][k]
    out[1] = params[3][0 if x[1] > 0 else -1]
    out[2] = x[2] if abs(x[2]) < 2 else params[3][k - 1]


def mixed(x, draw, params, out):
    for k in range(3):
        out[k] = params[2][draw[0], k] * x[k] + draw[1] + draw[len(draw) - 1] + draw[k - 3] + draw[0] / 4


UNIFORM = {"noise": "uniform"}
INDEX = {"noise": "index", "n_maps": N_MAPS}
BOTH = {"noise": "index+normal", "n_maps": N_MAPS, "noise_dim": 2}
LIFTED = [
    (arithmetic, UNIFORM),
    (functions, UNIFORM),
    (branches, UNIFORM),
    (leaves_out, UNIFORM),
    (loops, {"noise": "normal"}),
    (calls, UNIFORM),
    (divides, UNIFORM),
    (table, INDEX),
    (scatters, INDEX),
    (beyond, UNIFORM),
    (mixed, BOTH),
]


def unchecked(step, **options):
    """Maps without the trial runs, in which a body may not fail."""
    maps = ito.CustomMaps(lambda_free, dim=3, params=PARAMS, **options)
    object.__setattr__(maps, "body", step)
    return maps


def lambda_free(x, draw, params, out):
    for k in range(3):
        out[k] = x[k]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("step", "options"), LIFTED, ids=[step.__name__ for step, _ in LIFTED])
def test_lifted_steps_have_the_bits_of_single_ones(step, options, dtype):
    assert_same_bits(unchecked(step, **options), dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_gaussian_step_is_lifted(dtype):
    assert_same_bits(ito.GaussianRegressionSGD([1.0, 0.5, 0.2], 0.3, 0.2), dtype)
