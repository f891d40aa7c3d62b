"""What a map reads from outside is as it was when the maps were made, for the compiler and for Python alike."""

from __future__ import annotations

import math
import pickle
import types
from math import sqrt

import numba
import numpy as np
import pytest

import iterorder as ito
from iterorder.maps.kept_functions import with_outside
from iterorder.maps.outside import read_outside

FACTOR = 1.0
TABLE = np.array([0.5, 0.5])
ROWS = (TABLE, 2.0)
FLAG = None
turn = math.sin
settings = types.ModuleType("settings")
settings.factor = 1.0
settings.deep = types.ModuleType("deep")
settings.deep.factor = 1.0
settings.table = TABLE


@numba.njit
def scaled(value):
    return FACTOR * value


@numba.njit
def scaled_further(value):
    return scaled(value) + 0.0


@numba.njit
def power(value, n):
    return value if n == 0 else FACTOR * power(value, n - 1)


@numba.njit("float64(float64)")
def scaled_as_declared(value):
    return FACTOR * value


@numba.njit
def by_table(value):
    return TABLE[0] * value


@numba.vectorize
def scaled_entries(value):
    return FACTOR * value


@numba.cfunc("float64(float64)")
def scaled_in_c(value):
    return FACTOR * value


def plain(value):
    return FACTOR * value


def reads_a_global(x, draw, params, out):
    out[0] = FACTOR * x[0]


def reads_an_attribute(x, draw, params, out):
    out[0] = settings.factor * x[0]


def reads_a_deep_attribute(x, draw, params, out):
    out[0] = settings.deep.factor * x[0]


def reads_through_a_helper(x, draw, params, out):
    out[0] = scaled(x[0])


def reads_through_two_helpers(x, draw, params, out):
    out[0] = scaled_further(x[0])


def reads_through_a_recursion(x, draw, params, out):
    out[0] = power(x[0], 2)


def reads_through_a_signature(x, draw, params, out):
    out[0] = scaled_as_declared(x[0])


@numba.njit
def turned(value):
    return turn(value)


@numba.vectorize
def root(value):
    return sqrt(value) + math.pi


def calls_what_reads_functions_alone(x, draw, params, out):
    out[0] = root(2.0) * x[0]


def reads_inside(x, draw, params, out):
    def inner(value):
        return FACTOR * value

    out[0] = inner(x[0])


def set_everywhere(value):
    global FACTOR
    FACTOR = settings.factor = settings.deep.factor = value


READERS = [
    reads_a_global,
    reads_an_attribute,
    reads_a_deep_attribute,
    reads_through_a_helper,
    reads_through_two_helpers,
    reads_through_a_signature,
    reads_inside,
]


@pytest.fixture(autouse=True)
def _one_again():
    yield
    set_everywhere(1.0)


@pytest.mark.parametrize("step", READERS)
def test_a_sweep_over_a_global_makes_different_maps(step):
    """Maps x → k·x for k = 2 and 3: k³ after three steps, whatever k is by then."""
    swept = {}
    for k in (2.0, 3.0):
        set_everywhere(k)
        swept[k] = ito.CustomMaps(step, dim=1)
    set_everywhere(7.0)
    for k, maps in swept.items():
        assert maps.apply([1.0], [0.5]).item() == k
        if step in (reads_a_global, reads_an_attribute, reads_through_two_helpers):  # each takes a second
            assert ito.simulate(maps, [1.0], 3, seed=0).states.item() == k**3


def test_what_is_compiled_later_is_of_the_same_time():
    """Single precision is compiled when it is first asked for."""
    set_everywhere(2.0)
    maps = ito.CustomMaps(reads_a_global, dim=1)
    set_everywhere(3.0)
    assert ito.simulate(maps, [1.0], 3, seed=0, dtype="float32").states.item() == 8.0


def test_a_function_that_calls_itself_calls_what_was_kept():
    set_everywhere(2.0)
    kept = with_outside(reads_through_a_recursion, read_outside(reads_through_a_recursion))
    power(1.0, 2)  # compiled with 2, and for good
    set_everywhere(3.0)
    again = with_outside(reads_through_a_recursion, read_outside(reads_through_a_recursion))
    for function, image in ((kept, 4.0), (again, 9.0), (reads_through_a_recursion, 4.0)):
        out = np.zeros(1)
        function(np.ones(1), None, (), out)
        assert out[0] == image


def test_compilers_by_themselves_read_once():
    """The control: one compiled function for all values of a global."""
    set_everywhere(2.0)
    compiled = numba.njit(plain)
    seen = [compiled(1.0)]
    set_everywhere(3.0)
    assert [*seen, compiled(1.0), plain(1.0)] == [2.0, 2.0, 3.0]


def test_equal_values_share_what_is_compiled():
    first, again = (ito.CustomMaps(reads_through_a_helper, dim=1) for _ in range(2))
    set_everywhere(2.0)
    other = ito.CustomMaps(reads_through_a_helper, dim=1)
    assert first.body is again.body is not other.body
    assert first.step is other.step is reads_through_a_helper


def test_functions_and_absent_values_are_kept_too(monkeypatch):
    def body(x, draw, params, out):
        out[0] = turn(x[0]) if FLAG is None else 0.0

    maps = ito.CustomMaps(body, dim=1)
    monkeypatch.setitem(globals(), "turn", math.cos)
    cosine = ito.CustomMaps(body, dim=1)
    monkeypatch.setitem(globals(), "FLAG", 1.0)
    zero = ito.CustomMaps(body, dim=1)
    images = [ito.simulate(one, [0.5], 1, seed=0).states.item() for one in (maps, cosine, zero)]
    np.testing.assert_allclose(images, [math.sin(0.5), math.cos(0.5), 0.0], rtol=4 * np.finfo(float).eps)
    assert [one.apply([0.5], [0.5]).item() for one in (maps, cosine, zero)] == [math.sin(0.5), math.cos(0.5), 0.0]


def test_a_function_that_a_helper_reads_is_kept(monkeypatch):
    def body(x, draw, params, out):
        out[0] = turned(x[0])

    sine = ito.CustomMaps(body, dim=1)
    monkeypatch.setitem(globals(), "turn", math.cos)
    cosine = ito.CustomMaps(body, dim=1)
    images = [one.apply([0.5], [0.5]).item() for one in (sine, cosine)]
    np.testing.assert_allclose(images, [math.sin(0.5), math.cos(0.5)], rtol=4 * np.finfo(float).eps)


@pytest.mark.parametrize("kind", [float, np.float64, np.float32, int])
def test_numbers_of_every_type_are_kept(kind):
    """NumPy's numbers name the package that they come from, as its functions do."""
    set_everywhere(kind(2))
    maps = ito.CustomMaps(reads_through_a_helper, dim=1)
    set_everywhere(kind(3))
    assert [
        maps.apply([1.0], [0.5]).item(),
        ito.CustomMaps(reads_through_a_helper, dim=1).apply([1.0], [0.5]).item(),
    ] == [
        2.0,
        3.0,
    ]


def test_what_reads_functions_of_settled_packages_alone_is_used_as_it_is():
    """The control of the refusals."""
    maps = ito.CustomMaps(calls_what_reads_functions_alone, dim=1)
    assert maps.apply([1.0], [0.5]).item() == pytest.approx(math.sqrt(2.0) + math.pi)


def test_a_variable_of_an_enclosing_function_is_kept():
    def make(k):
        def body(x, draw, params, out):
            out[0] = k * x[0]

        def change(value):
            nonlocal k
            k = value

        return ito.CustomMaps(body, dim=1), change

    maps, change = make(2.0)
    change(3.0)
    assert maps.apply([1.0], [0.5]).item() == ito.simulate(maps, [1.0], 1, seed=0).states.item() == 2.0


@pytest.mark.parametrize("step", [reads_a_global, reads_a_deep_attribute, reads_through_two_helpers])
def test_a_pickled_copy_has_the_numbers_of_its_time(step):
    set_everywhere(2.0)
    text = pickle.dumps(ito.CustomMaps(step, dim=1))
    set_everywhere(3.0)
    maps = pickle.loads(text)
    assert maps.apply([1.0], [0.5]).item() == 2.0
    assert ito.simulate(maps, [1.0], 3, seed=0).states.item() == 8.0


def reads_a_table_in_a_tuple(x, draw, params, out):
    out[0] = ROWS[0][0] * x[0]


def reads_a_table_of_a_module(x, draw, params, out):
    out[0] = settings.table[0] * x[0]


def reads_a_table_inside(x, draw, params, out):
    def inner(value):
        return TABLE[0] * value

    out[0] = inner(x[0])


def reads_a_table_through_a_helper(x, draw, params, out):
    out[0] = by_table(x[0])


def calls_a_plain_function(x, draw, params, out):
    out[0] = plain(x[0])


def calls_a_vectorised_function(x, draw, params, out):
    out[0] = scaled_entries(x[0])


def calls_a_c_function(x, draw, params, out):
    out[0] = scaled_in_c(x[0])


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (reads_a_table_in_a_tuple, "reads the tuple 'ROWS' from outside"),
        (reads_a_table_of_a_module, r"reads the ndarray 'settings\.table' from outside"),
        (reads_a_table_inside, "reads the ndarray 'TABLE' from outside"),
        (reads_a_table_through_a_helper, r"reads the ndarray 'by_table\.TABLE' from outside"),
        (calls_a_plain_function, r"calls 'plain', which reads 'FACTOR' (.|\n)*@numba\.njit"),
        (calls_a_vectorised_function, r"calls 'scaled_entries', which reads 'FACTOR'"),
        (calls_a_c_function, r"calls 'scaled_in_c', which reads 'FACTOR'"),
    ],
)
def test_what_cannot_be_kept_is_refused(step, message):
    with pytest.raises(ito.MapCompilationError, match=message):
        ito.CustomMaps(step, dim=1)


def test_a_bound_reads_what_it_read_when_the_maps_were_made():
    slopes = [0.5, 0.25]

    def through(i):
        return slopes[i] * FACTOR

    def body(x, draw, params, out):
        out[0] = 0.1 * x[0]

    maps = ito.CustomMaps(body, dim=1, noise="index", n_maps=2, lipschitz=lambda i: through(i))
    slopes[0] = 99.0
    set_everywhere(3.0)
    assert (maps.lipschitz(0), maps.lipschitz_max) == (0.5, 0.5)
    assert maps.lipschitz_bound(0) == 3.0 * 99.0  # as it was given
    inherited = ito.CustomMaps(body, dim=1, noise="index", n_maps=2, lipschitz=maps.lipschitz)
    assert inherited.lipschitz_max == 0.5


def test_a_compiled_bound_is_that_of_its_time():
    """Fresh noise: the bound is compiled for the products that a sample needs."""

    def body(x, draw, params, out):
        out[0] = 0.25 * x[0] + draw[0]

    def sample(k):
        set_everywhere(k)
        maps = ito.CustomMaps(body, dim=1, lipschitz=lambda draw: FACTOR * 0.25 + 0.0 * draw[0])
        set_everywhere(3.9)  # a bound of 0.975: fifty times as many steps
        return ito.stationary_sample(maps, 20, seed=1)

    assert sample(1.0).n_steps.max() < sample(2.0).n_steps.max() < 60


def test_what_an_enclosing_function_is_still_to_make_is_no_hindrance():
    def bound(draw):
        return later

    assert read_outside(bound).values == {}
    later = 0.5
    assert with_outside(bound, read_outside(bound))(None) == later


def test_functions_in_a_circle_are_refused():
    def even(i):
        return FACTOR if i == 0 else odd(i - 1)

    def odd(i):
        return 0.0 if i == 0 else even(i - 1)

    with pytest.raises(ito.InvalidInputError, match="call each other"):
        ito.CustomMaps(reads_a_global, dim=1, noise="index", n_maps=2, lipschitz=even)


def test_a_function_made_anew_is_the_same_function():
    made = with_outside(reads_a_global, read_outside(reads_a_global))
    assert made.__code__ is reads_a_global.__code__
    assert (made.__qualname__, made.__module__) == (reads_a_global.__qualname__, __name__)
    assert set(made.__globals__) == {"__builtins__", "__name__", "FACTOR"}
