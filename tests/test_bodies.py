"""The scalar mathematics of kernels in plain Python: one text for every target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterorder import noise
from iterorder.kernels.bodies import exponential, normals, philox, primitives
from iterorder.kernels.cpu import bodies as compiled
from iterorder.kernels.cpu.lanes import LANES, load, splat, store
from iterorder.kernels.targets import jit_entry, load_bodies
from tests.kernel_calls import for_python

WORDS = st.integers(0, 2**32 - 1)
EPS = float(np.finfo(np.float64).eps)


def as_words(*values):
    return [np.uint64(value) for value in values]


@given(st.integers(0, 2**62), WORDS, WORDS, WORDS, WORDS)
def test_philox_is_that_of_the_noise(block, replica, stream, key_low, key_high):
    found = philox.philox(*as_words(block, replica, stream, key_low, key_high))
    expected = noise.words(key_low + (key_high << 32), block, replica, stream)
    assert [int(word) for word in found] == expected.tolist()


@given(WORDS, WORDS, WORDS, WORDS)
def test_uniforms_and_normals_are_those_of_the_kernels(a, b, c, d):
    """In plain Python, on arrays, and compiled: the bits of one text."""
    words = as_words(a, b, c, d)
    assert normals.uniform(*words[:2]) == for_python(compiled.uniform)(*words[:2])
    plain = normals.normal_pair(*words)
    np.testing.assert_array_equal(plain, for_python(compiled.normal_pair)(*words))
    many = normals.normal_pair(*(np.array([word, word]) for word in words))
    np.testing.assert_array_equal([pair[1] for pair in many], plain)


@given(st.floats(-708.0, 709.0))
def test_exp_has_two_roundings_more_in_plain_python(x):
    """A multiply-add is two roundings there: within two ulp of the library's, a kernel within one and a half."""
    np.testing.assert_allclose(exponential.exp(x), np.exp(x), rtol=4 * EPS)


@pytest.mark.parametrize("name", ["exp", "log"])
def test_a_body_does_the_same_in_every_lane(name):
    body, x = getattr(compiled, name), np.linspace(0.1, 20.0, LANES)[None, :].copy()
    found = np.empty_like(x)

    @jit_entry
    def run(x, found):
        store(body(load(x, 0, 0, splat(0.0, LANES))), found, 0, 0)

    run(x, found)
    np.testing.assert_array_equal(found[0], [for_python(body)(value) for value in x[0]])


def test_a_target_replaces_the_primitives_and_nothing_else():
    """A target that counts what it is asked for; the bodies themselves are left as they are."""
    asked = []

    class Counting:
        def __getattr__(self, name):
            def primitive(*arguments):
                asked.append(name)
                return getattr(primitives, name)(*arguments)

            return primitive

    loaded = load_bodies(lambda function: function, Counting())
    assert {"philox", "below", "feistel_round", "uniform", "log", "normal_pair", "exp"} <= set(loaded)
    assert "where" not in loaded
    words = as_words(1, 2, 3, 4)
    np.testing.assert_array_equal(loaded["normal_pair"](*words), normals.normal_pair(*words))
    assert {"where", "as_bits", "from_bits", "sqrt", "to_float"} <= set(asked)
    asked.clear()
    normals.normal_pair(*words)
    assert asked == []
