"""Arguments of any library: arrays that are read as they are meant or refused by name, and seeds."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import iterorder as ito
from iterorder.arrays import as_array
from iterorder.validation import as_float, as_floats, as_int, as_power, as_seed

MASKED = np.ma.masked_array([1.0, 2.0, 999.0], [0, 0, 1])
UNMASKED = np.ma.masked_array([1.0, 2.0, 3.0], [0, 0, 0])
TWO = ito.gallery.two_point_quadratic(0.3)


class ByArray:
    """What offers ``__array__`` alone, as the arrays of pandas, polars, JAX and PyTorch do."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)


class ByDlpack:
    """What offers DLPack alone."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class OnDevice:
    """An array of CuPy: in the memory of a device, which no conversion leaves by itself."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __dlpack_device__(self):
        return (2, 0)

    def get(self):
        return np.ones(2)


class TensorOnDevice:
    """A tensor of PyTorch there."""

    requires_grad = False

    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy.")

    def __dlpack_device__(self):
        return (2, 0)

    def cpu(self):
        return np.ones(2)


class WithGradient:
    """A tensor that belongs to a graph."""

    requires_grad = True

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def __dlpack_device__(self):
        return (1, 0)


class HasPoints:
    """A result, given where its numbers are meant."""

    points = np.ones((3, 1))


# --------------------------------------------------------------------------------------------------------------- masks

USES = {
    "wasserstein_1d": lambda a: ito.wasserstein_1d(a, [1.0, 2.0]),
    "wasserstein_1d v": lambda a: ito.wasserstein_1d([1.0, 2.0], a),
    "wasserstein_1d weights": lambda a: ito.wasserstein_1d([1.0, 2.0, 3.0], [0.0], u_weights=a),
    "wasserstein_1d_to": lambda a: ito.wasserstein_1d_to(a, ito.gallery.arcsine().law),
    "wasserstein": lambda a: ito.wasserstein(a[:, None], [[0.0]]),
    "wasserstein_estimate": lambda a: ito.wasserstein_estimate(a, [0.0, 1.0]),
    "x0": lambda a: ito.simulate(TWO, a[:, None], 1, n_replicas=3, seed=0),
    "save_steps": lambda a: ito.simulate(TWO, [0.0], 9, seed=0, save_steps=a.astype(int)),
    "coupling save_steps": lambda a: ito.coupling_distance(
        TWO, [0.0], [1.0], 9, order="forward", n_replicas=2, seed=0, save_steps=a.astype(int)
    ),
    "y0": lambda a: ito.coupling_distance(TWO, [0.0], a[:, None], 2, order="forward", n_replicas=3, seed=0),
    "stationary x0": lambda a: ito.stationary_sample(ito.gallery.barnsley_fern(), 2, seed=0, x0=a[1:]),
    "fit_rate": lambda a: ito.fit_rate([0, 1, 2], a),
    "fit_rate steps": lambda a: ito.fit_rate(a, [1.0, 0.5, 0.25]),
    "matrices": lambda a: ito.AffineMaps(a[:, None, None], [[0.0]] * 3),
    "offsets": lambda a: ito.AffineMaps([[[0.5]]] * 3, a[:, None]),
    "probabilities": lambda a: ito.AffineMaps([[[0.5]]] * 3, [[0.0]] * 3, probabilities=a),
    "curvatures": lambda a: ito.QuadraticSGD(a, [0.0, 1.0, 2.0], 0.1),
    "minimizers": lambda a: ito.QuadraticSGD([1.0, 1.0, 1.0], a, 0.1),
    "features": lambda a: ito.LinearRegressionSGD(a[:, None], [0.0, 1.0, 2.0], 0.1),
    "targets": lambda a: ito.LinearRegressionSGD([[1.0]] * 3, a, 0.1),
    "labels": lambda a: ito.LogisticRegressionSGD([[1.0]] * 3, a, 0.1),
    "eigenvalues": lambda a: ito.GaussianRegressionSGD(a, 0.1, 0.1),
    "schedule": lambda a: ito.Optimizer(TWO, schedule=a),
    "params": lambda a: ito.CustomMaps(with_params, dim=1, params=(a,)),
    "x of apply": lambda a: TWO.apply(a[:, None], 0),
    "draw of apply": lambda a: ito.GaussianRegressionSGD([1.0, 1.0], 0.1, 0.1).apply([0.0, 0.0], a),
    "items of apply": lambda a: TWO.apply([0.0], a.astype(int)),
    "box": lambda a: ito.estimate_lipschitz(TWO, a[1:], seed=0),
    "bracket": lambda a: ito.lie_bracket(TWO, 0, 1, a[2:]),
    "quantiles": lambda a: ito.gallery.bernoulli_convolution(0.3).law.ppf(a),
    "points of a cdf": lambda a: ito.gallery.vervaat().law.cdf(a),
    "a list": lambda a: ito.wasserstein_1d([[1.0, 2.0, 3.0], a], [[1.0, 2.0, 3.0]]),
}


def with_params(x, draw, params, out):
    out[0] = params[0][0] * x[0]


@pytest.mark.parametrize("use", USES)
def test_a_mask_is_never_dropped(use):
    """A masked entry would be read as what stands below the mask; without one the array is plain data."""
    with pytest.raises(ito.InvalidInputError, match=r"is a masked array with 1 of \d entries masked.*\.filled\("):
        USES[use](MASKED)


def test_a_masked_array_without_a_masked_entry_is_data():
    assert ito.wasserstein_1d(UNMASKED, [1.0, 2.0, 5.0]) == pytest.approx(2 / 3)
    assert type(as_floats("u", UNMASKED)) is np.ndarray
    # The control: what the mask was dropped for (the 332.5).
    assert ito.wasserstein_1d(MASKED.data, [1.0, 2.0]) > 300.0


@pytest.mark.parametrize("read", [as_float, lambda name, value: as_int(name, value, low=0, high=9)])
def test_a_masked_number_is_refused(read):
    with pytest.raises(ito.InvalidInputError, match="p is masked: give a number"):
        read("p", np.ma.masked_array(5, True))
    assert read("p", np.ma.masked_array(5, False)) == 5


# ------------------------------------------------------------------------------------------------------ other libraries


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_arrays_of_other_libraries_are_read(values):
    for wrapped in (ByArray(values), ByDlpack(values)):
        np.testing.assert_array_equal(as_floats("x0", wrapped), values)


def test_pandas_and_xarray_are_read():
    pandas, xarray = pytest.importorskip("pandas"), pytest.importorskip("xarray")
    for given_ in (pandas.Series([1, 2], dtype="Int64"), xarray.DataArray([1.0, 2.0]), pandas.Index([1.0, 2.0])):
        np.testing.assert_array_equal(as_floats("u", given_), [1.0, 2.0])
    with pytest.raises(ito.InvalidInputError, match=r"u\[1\] is (nan|<NA>)"):
        as_floats("u", pandas.Series([1, None, 3], dtype="Int64"))
    with pytest.raises(ito.InvalidInputError, match="u has dtype datetime64"):
        as_floats("u", pandas.to_datetime(["2020-01-01"]))
    with pytest.raises(ito.InvalidInputError, match="u has dtype object"):
        as_floats("u", pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}))


@given(st.lists(st.one_of(st.integers(-(2**80), 2**80), st.floats(-1e30, 1e30), st.booleans()), min_size=1))
def test_numbers_of_python_in_objects_are_numbers(values):
    """Nullable integers of pandas before 2.2, and integers of any size in lists: wherever floats are accepted."""
    expected = [float(value) for value in values]
    for given_ in (ByArray(np.array(values, object)), values):
        np.testing.assert_array_equal(as_floats("x0", given_), expected)
    with pytest.raises(ito.InvalidInputError, match="x0 has dtype object: "):
        as_floats("x0", np.array(values, object))
    with pytest.raises(ito.InvalidInputError, match=rf"object \(x0\[{len(values)}\] is Fraction\(1, 3\)\)"):
        as_floats("x0", [*values, Fraction(1, 3)])


def test_nullable_integers_are_steps():
    steps = ByArray(np.array([1, 3], object))
    assert ito.simulate(TWO, [0.0], 3, seed=0, save_steps=steps).save_steps.tolist() == [1, 3]
    with pytest.raises(ito.InvalidInputError, match="save_steps has dtype float64"):
        ito.simulate(TWO, [0.0], 3, seed=0, save_steps=ByArray(np.array([1, 2.5], object)))


def test_integers_beyond_every_float_are_refused_by_name():
    with pytest.raises(ito.InvalidInputError, match="u holds an integer beyond every float"):
        ito.wasserstein_1d([10**400], [0])
    for measure in (
        lambda p: ito.wasserstein_1d([0], [1], p),
        lambda p: ito.coupling_distance(TWO, [0.0], [1.0], 3, order="forward", n_replicas=2, seed=0, p=p),
        lambda p: ito.theory(TWO).contraction(p),
    ):
        with pytest.raises(ito.InvalidInputError, match="p is an integer of 1329 bits: give a number of"):
            measure(10**400)


def test_what_is_left_of_a_masked_array_keeps_its_axes():
    rows = np.ma.masked_array([[0.0, 1.0], [2.0, 999.0], [3.0, 4.0]], [[0, 0], [0, 1], [0, 0]])
    with pytest.raises(ito.InvalidInputError, match=r"give its whole rows, np\.ma\.compress_rows\(u\), or u\.filled"):
        ito.wasserstein(rows, rows.data)
    assert ito.wasserstein(np.ma.compress_rows(rows), [[0.0, 1.0], [3.0, 4.0]]) == 0.0
    # The control: the advice for one axis makes a sample on the line of it.
    assert rows.compressed().shape == (5,)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (sparse.csr_matrix(np.eye(2)), r"u is a sparse csr_matrix of shape \(2, 2\): .*u\.toarray\(\)"),
        (sparse.coo_array(np.eye(2)), r"u is a sparse coo_array .*u\.toarray\(\)"),
        (WithGradient(), r"u is a tests\.WithGradient .*u\.detach\(\)"),
        ({1.0, 2.0}, "u is a set: give an array or a list of numbers$"),
        ((k for k in range(3)), "u is a generator: give an array or a list of numbers$"),
        (None, "u is a NoneType: give an array or a list of numbers$"),
        (np.array([1.0, None]), "u has dtype object"),
        (HasPoints(), r"u is a HasPoints: give an array or a list of numbers, such as u\.points"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(value, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.wasserstein_1d(value, [1.0, 2.0])
    with pytest.raises(ito.InvalidInputError, match=re.sub(r"\bu\b", "x0", message)):
        ito.simulate(TWO, value, 1, seed=0)


@pytest.mark.parametrize("value", [OnDevice(), TensorOnDevice()])
def test_numbers_of_a_gpu_are_copied_but_a_start_says_where_it_is(value):
    """Data are used on both sides; a start tells on which side the run was meant to be."""
    assert ito.wasserstein_1d(value, [1.0, 2.0]) == 0.5
    with pytest.raises(ito.InvalidInputError, match=r"x0 is an? \w+ in the memory of a GPU, .* backend='cuda'"):
        ito.simulate(TWO, value, 1, seed=0)


def test_numbers_without_axes_are_numbers():
    assert as_float("tol", ByArray(0.5)) == 0.5
    assert as_int("n", ByArray(3), low=0, high=9) == 3
    for value in (ByArray([0.5]), ByArray(0.5j), ByArray("a")):
        with pytest.raises(ito.InvalidInputError, match="tol is"):
            as_float("tol", value)


def test_whole_floats_are_integers_but_no_seeds():
    for value in (1e5, np.float32(8.0), ByArray(3.0), float(2**53)):
        number = as_int("n", value, low=0, high=2**62)
        assert type(number) is int
        assert number == float(getattr(value, "values", value))
    for value in (2.5, np.nan, np.inf, 2.0**54, "3", 2j):  # beyond 2⁵³ neighbours share a float
        with pytest.raises(ito.InvalidInputError, match=r"n is .*: give an integer in \[0, "):
            as_int("n", value, low=0, high=2**62)
    with pytest.raises(ito.InvalidInputError, match=r"n is -1: give"):
        as_int("n", -1.0, low=0, high=9)
    assert ito.simulate(TWO, [0.0], 1e1, n_replicas=1e1, seed=1).states.shape[0] == 10
    with pytest.raises(ito.InvalidInputError, match=r"seed is 1\.0: give an integer"):
        as_seed(1.0)


def test_a_power_is_a_number_of_at_least_one_or_infinity():
    for value in (1, 1.5, np.float32(1.5), Fraction(3, 2), np.array(1.5), np.inf, 10**300):
        assert as_power(value) == float(value)
    for value in (0.5, np.nan, True, np.True_, "2", None, [2.0], np.array([2.0]), 2j, 10**400, -np.inf):
        with pytest.raises(ito.InvalidInputError, match=r"^p is .*: give a number of at least 1, or inf"):
            as_power(value)


@pytest.mark.parametrize(
    "use",
    [
        lambda p: ito.wasserstein_1d([0.0], [1.0], p),
        lambda p: ito.wasserstein([[0.0, 1.0]], [[1.0, 0.0]], p),
        lambda p: ito.theory(TWO).contraction(p),
        lambda p: ito.coupling_distance(TWO, [0.0], [1.0], 2, order="forward", n_replicas=2, seed=1, p=p),
    ],
)
def test_every_power_is_read_in_one_way(use):
    with pytest.raises(ito.InvalidInputError, match="p is an integer of 1329 bits"):
        use(10**400)


def test_a_plain_array_is_not_copied_to_be_looked_at():
    array = np.arange(3.0)
    assert as_array("u", array) is array


# --------------------------------------------------------------------------------------------------------------- seeds


def test_a_generator_gives_one_word_and_goes_on():
    generator, twin = np.random.default_rng(5), np.random.default_rng(5)
    first, second = as_seed(generator), as_seed(generator)
    words = [int(twin.integers(2**64, dtype=np.uint64)) for _ in range(2)]
    assert [first, second] == words
    assert first != second
    # All 64 bits are drawn: of 64 seeds, each bit is 0 in some and 1 in others (missed with probability 2⁻⁵⁷).
    seeds = np.array([as_seed(generator) for _ in range(64)], np.uint64)
    assert np.bitwise_and.reduce(seeds) == 0
    assert np.bitwise_or.reduce(seeds) == 2**64 - 1


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.PCG64, np.random.MT19937, np.random.Philox])
def test_other_generators_are_advanced_too(make):
    generator = make(3)
    assert as_seed(generator) != as_seed(generator)
    assert as_seed(make(3)) == as_seed(make(3)) != as_seed(make(4))


def test_a_run_says_which_seed_it_drew():
    run = ito.simulate(TWO, [0.0], 20, n_replicas=3, seed=np.random.default_rng(5))
    again = ito.simulate(TWO, [0.0], 20, n_replicas=3, seed=run.seed)
    np.testing.assert_array_equal(run.states, again.states)
    assert run.seed == as_seed(np.random.default_rng(5))


def test_a_sequence_of_many_words_gives_its_first():
    sequence = np.random.SeedSequence([1, 2**80, 3], spawn_key=(4,))
    assert as_seed(sequence) == as_seed(sequence) == sequence.generate_state(1, np.uint64)[0]


@pytest.mark.parametrize("seed", [None, 1.5, "1", -1, 2**64, [1], np.random])
def test_what_is_no_seed_is_told_what_is(seed):
    with pytest.raises(
        ito.InvalidInputError, match=r"seed is .*SeedSequence and a numpy\.random\.Generator are seeds too"
    ):
        ito.simulate(TWO, [0.0], 1, seed=seed)


@pytest.mark.parametrize("maps", [TWO, ito.GaussianRegressionSGD([1.0], 0.1, 0.1)], ids=["items", "floats"])
def test_a_draw_is_a_function_so_no_generator(maps):
    with pytest.raises(ito.InvalidInputError, match="seed is a Generator, which gives another seed at each call"):
        maps.draw(np.random.default_rng(1), 0, 0)


def test_one_axis_too_few_says_how_to_add_it():
    with pytest.raises(ito.InvalidInputError, match=r"features has shape \(3,\): .*features\[:, None\]"):
        as_floats("features", np.ones(3), ndim=(2,))


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: ito.simulat, "module 'iterorder' has no attribute 'simulat'; did you mean 'simulate'"),
        (
            lambda: ito.gallery.sierpinsky,
            "gallery' has no attribute 'sierpinsky'; did you mean 'sierpinski'",
        ),
        (lambda: ito.nothing_like_it, "module 'iterorder' has no attribute 'nothing_like_it'$"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_one_that_is(ask, told):
    with pytest.raises(AttributeError, match=told):
        ask()
    assert not hasattr(ito, "__wrapped__")


def test_starts_for_so_many_replicas_tell_how_to_ask_for_them():
    with pytest.raises(ito.InvalidInputError, match=r"give \(1,\) for one start or \(1000, 1\) .*, or n_replicas=200$"):
        ito.simulate(ito.gallery.ar1(0.5, 1.0), np.zeros((200, 1)), 3, n_replicas=1000, seed=1)
    with pytest.raises(ito.InvalidInputError, match=r"for one a replica$"):
        ito.simulate(ito.gallery.ar1(0.5, 1.0), np.zeros((200, 2)), 3, n_replicas=1000, seed=1)
