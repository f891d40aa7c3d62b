"""The compiled layers of networks against sums in NumPy: to the roundings of their terms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterorder.kernels.cpu import dense_layers as dense
from iterorder.kernels.cpu.packing import padded

ACTIVATIONS = {dense.IDENTITY: lambda z: z, dense.RELU: lambda z: np.maximum(z, 0.0), dense.TANH: np.tanh}


class Case(NamedTuple):
    """Weights (R, outputs, inputs), biases (R, outputs), and what meets them (R, inputs or outputs, items)."""

    weight: np.ndarray
    bias: np.ndarray
    inputs: np.ndarray
    slopes: np.ndarray


@st.composite
def cases(draw) -> Case:
    replicas, outputs, inputs, items = (draw(st.integers(1, most)) for most in (3, 19, 37, 21))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    shapes = [(outputs, inputs), (outputs,), (inputs, items), (outputs, items)]
    return Case(*(rng.normal(size=(replicas, *shape)).astype(dtype) for shape in shapes))


def table(array: np.ndarray) -> np.ndarray:
    """Replicas one below the other, the last axis filled up with zeros to whole registers."""
    wide = np.zeros((*array.shape[:-1], padded(array.shape[-1], array.dtype)), array.dtype)
    wide[..., : array.shape[-1]] = array
    return wide.reshape(-1, wide.shape[-1])


def flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, array.shape[-1]).copy()


def product(a: np.ndarray, b: np.ndarray, added: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a @ b + added in double precision, and the most that the roundings of such a sum in their type can change."""
    exact = [np.asarray(array, np.float64) for array in (a, b, added)]
    terms = np.abs(exact[0]) @ np.abs(exact[1]) + np.abs(exact[2])
    return exact[0] @ exact[1] + exact[2], (2 * a.shape[-1] + 4) * np.finfo(a.dtype).eps * terms


def agrees(found: np.ndarray, exact: np.ndarray, bound: np.ndarray) -> bool:
    return bool((np.abs(found - exact) <= bound).all())


@given(cases(), st.sampled_from(sorted(ACTIVATIONS)), st.booleans())
def test_images_of_a_layer(case, activation, shared):
    met = case.inputs[:1] if shared else case.inputs
    out = np.empty((case.bias.size, padded(met.shape[2], met.dtype)), met.dtype)
    dense.forward(flat(case.weight), case.bias, table(met), shared, activation, out)
    found = out.reshape(*case.bias.shape, -1)[:, :, : met.shape[2]]
    exact, bound = product(case.weight, met, case.bias[:, :, None])
    # Activations have slopes of at most one, and are right to eight units of one.
    assert agrees(found, ACTIVATIONS[activation](exact), bound + 8 * np.finfo(met.dtype).eps)
    assert not agrees(found, ACTIVATIONS[activation](exact) + 2.0**-6, bound + 8 * np.finfo(met.dtype).eps)


@given(cases(), st.sampled_from([dense.RELU, dense.TANH]), st.sampled_from([1.0, 0.75]))
def test_slopes_of_what_is_below(case, activation, kept):
    rng, items = np.random.default_rng(0), case.slopes.shape[2]
    images = ACTIVATIONS[activation](rng.normal(size=case.inputs.shape)).astype(case.weight.dtype)
    out = np.empty((images.shape[0] * images.shape[1], padded(items, images.dtype)), images.dtype)
    dense.backward(
        flat(case.weight), table(case.slopes), table(images), activation, images.dtype.type(kept), items, out
    )
    slopes, bound = product(case.weight.swapaxes(1, 2), case.slopes, np.zeros(1))
    derivative = (images > 0) if activation == dense.RELU else 1.0 - (kept * images.astype(np.float64)) ** 2
    found = out.reshape(*images.shape[:2], -1)
    # The derivative of tanh has three roundings of numbers below two.
    bound = bound + 8 * np.finfo(images.dtype).eps * np.abs(slopes)
    assert agrees(found[:, :, :items], slopes * derivative, bound)
    assert not found[:, :, items:].any()
    assert not agrees(found[:, :, :items], slopes * derivative + 2.0**-6, bound)


@given(cases(), st.booleans(), st.booleans())
def test_changes_of_weights_and_biases(case, shared, keeps):
    dtype, items = case.weight.dtype, case.slopes.shape[2]
    keep = np.linspace(0.5, 0.9, len(case.weight)).astype(dtype)
    rows = (case.inputs[:1] if shared else case.inputs).swapaxes(1, 2)
    weight, bias = flat(case.weight), case.bias.copy()
    dense.change(weight, bias, table(case.slopes), table(rows), shared, items, keeps, keep)
    factor = keep.astype(np.float64)[:, None, None] if keeps else 1.0
    exact, bound = product(case.slopes, rows, factor * case.weight)
    assert agrees(weight.reshape(case.weight.shape), exact, bound)
    assert not agrees(weight.reshape(case.weight.shape), exact + 2.0**-6, bound)
    exact, bound = product(case.slopes, np.ones((1, items, 1), dtype), factor * case.bias[:, :, None])
    assert agrees(bias, exact[:, :, 0], bound[:, :, 0])


@given(cases(), st.booleans())
def test_slopes_of_the_loss(case, own):
    rng, (replicas, classes, items) = np.random.default_rng(0), case.slopes.shape
    dtype, scale = case.slopes.dtype, np.linspace(-0.5, 0.25, replicas).astype(case.slopes.dtype)
    labels = rng.integers(0, classes, (replicas if own else 1, items))
    logits = table(case.slopes)
    dense.softmax_slopes(logits, labels, scale, items)
    z = case.slopes.astype(np.float64)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    exact = scale.astype(np.float64)[:, None, None] * (p - np.eye(classes)[labels].swapaxes(1, 2))
    # An exponent is off by its own last place, the exponential by an ulp, the sum and its quotient by one a term.
    bound = (np.ptp(z) + classes + 8) * np.finfo(dtype).eps * np.abs(scale[:, None, None])
    found = logits.reshape(replicas, classes, -1)
    assert agrees(found[:, :, :items], exact, bound)
    assert not found[:, :, items:].any()
    assert not agrees(found[:, :, :items], exact + 2.0**-6, bound)


@given(cases())
def test_bits_of_a_row_do_not_depend_on_where_it_stands(case):
    """Rows are worked on in tiles of several heights, of any replica."""
    items, keep = case.slopes.shape[2], np.ones(len(case.weight), case.weight.dtype)
    turned = Case(*(np.roll(array, 1, axis=1) for array in (case.weight, case.bias)), case.inputs, case.slopes)
    found = []
    for weight, bias, slopes in (
        (case.weight, case.bias, case.slopes),
        (turned.weight, turned.bias, np.roll(case.slopes, 1, axis=1)),
    ):
        out = np.empty((bias.size, padded(items, bias.dtype)), bias.dtype)
        dense.forward(flat(weight), bias, table(case.inputs), False, dense.RELU, out)
        changed, moved = flat(weight), bias.copy()
        dense.change(changed, moved, table(slopes), table(case.inputs.swapaxes(1, 2)), False, items, False, keep)
        found.append([array.reshape(*bias.shape, -1) for array in (out, changed, moved)])
    for first, second in zip(*found, strict=True):
        assert (np.roll(first, 1, axis=1) == second).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_replica_that_diverges_stays_by_itself_and_is_seen(dtype):
    rng = np.random.default_rng(1)
    weight, bias = rng.normal(size=(3, 5, 7)).astype(dtype), np.zeros((3, 5), dtype)
    weight[1, 2, 3] = np.inf
    inputs = rng.normal(size=(3, 7, 4)).astype(dtype)
    logits = np.empty((15, padded(4, dtype)), dtype)
    dense.forward(flat(weight), bias, table(inputs), False, dense.RELU, logits)
    dense.softmax_slopes(logits, np.zeros((1, 4), int), np.ones(3, dtype), 4)
    below = np.empty((21, padded(4, dtype)), dtype)
    dense.backward(flat(weight), logits, table(inputs), dense.RELU, dtype(1), 4, below)
    found = logits.reshape(3, 5, -1)
    assert np.isfinite(found[[0, 2]]).all()
    assert np.isnan(found[1, :, :4]).any()
    assert np.isfinite(below.reshape(3, 7, -1)[[0, 2]]).all()
    assert not below[:, 4:].any()


def test_transposed_tables():
    source = np.arange(2 * 3 * 4.0).reshape(6, 4)
    out = np.zeros((2 * 3, 8))
    dense.transpose(source, 3, 3, 3, out)
    assert (out.reshape(2, 3, 8)[:, :, :3] == source.reshape(2, 3, 4)[:, :, :3].swapaxes(1, 2)).all()
    assert not out[:, 3:].any()
