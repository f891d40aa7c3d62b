"""Maps that a user writes: what the function may do, what it is told when it does something else, and its bits."""

from __future__ import annotations

import math
import pickle
import re

import numba
import numpy as np
import pytest

import iterorder as ito

TABLE = [1.0, 2.0]
ARRAY = np.array([1.0, 2.0])
FACTOR = 0.5


def helper(value):
    return 2.0 * value


@numba.njit
def compiled_helper(value):
    return 0.5 * value


def half(x, draw, params, out):
    out[0] = FACTOR * x[0] + draw[0]


def allocates(x, draw, params, out):
    moved = np.zeros(2)
    moved[0] = x[0]
    out[0] = moved[0] + draw[0]


def calls_a_helper(x, draw, params, out):
    out[0] = helper(x[0])


def reads_a_list(x, draw, params, out):
    out[0] = TABLE[0] * x[0]


def reads_an_array(x, draw, params, out):
    out[0] = ARRAY[0] * x[0]


def writes_nothing(x, draw, params, out):
    y = x[0] + draw[0]  # noqa: F841


def writes_half(x, draw, params, out):
    out[1] = x[0]


def changes_x(x, draw, params, out):
    x[0] = 1.0
    out[0] = 0.0


def returns(x, draw, params, out):
    out[0] = x[0]
    return out


def raises(x, draw, params, out):
    if x[0] > 100.0:
        raise ValueError("too far")
    out[0] = x[0]


def asserts(x, draw, params, out):
    assert x[0] < 100.0
    out[0] = x[0]


def forgets_the_index(x, draw, params, out):
    out[0] = 0.5 * x + draw[0]


def wrong_shape(x, draw, params, out):
    out[:] = np.ones(3)


def beyond_the_end(x, draw, params, out):
    out[3] = x[0]


def misspelt(x, draw, params, out):
    out[0] = x[0] + unknown_name  # noqa: F821


def draws_itself(x, draw, params, out):
    out[0] = x[0] + np.random.default_rng().normal()


def draws_from_numpy(x, draw, params, out):
    out[0] = x[0] + np.random.normal()  # noqa: NPY002


def too_few(x, out):
    out[0] = x[0]


def changes_its_type(x, draw, params, out):
    text = "a" if draw[0] < 2.0 else x[0]
    out[0] = x[0] if text == "a" else 0.0


def catches(x, draw, params, out):
    try:
        out[0] = 1.0 / x[0]
    except ZeroDivisionError:
        out[0] = 0.0


def imports(x, draw, params, out):
    import math as functions

    out[0] = functions.sin(x[0])


def counts(x, draw, params, out):
    global FACTOR
    FACTOR = FACTOR + 1.0
    out[0] = FACTOR * x[0]


def make_remembering():
    last = 0.0

    def remembers(x, draw, params, out):
        nonlocal last
        last = x[0]
        out[0] = last

    return remembers


remembers = make_remembering()


def prints(x, draw, params, out):
    print(x[0])
    out[0] = 0.5 * x[0]


def adds_arrays(x, draw, params, out):
    y = 0.5
    out[:] = y * x + draw


def integer_power(x, draw, params, out):
    k = -1
    out[0] = x[0] + 2**k


def wraps_around(x, draw, params, out):
    out[0] = x[0] + params[0] * params[0] * 1e-20


@pytest.mark.parametrize(
    ("step", "dim", "message"),
    [
        (allocates, 1, "allocates memory"),
        (calls_a_helper, 1, "decorate the function helper with @numba.njit"),
        (reads_a_list, 1, "reads the list 'TABLE' from outside"),
        (reads_an_array, 1, "reads the ndarray 'ARRAY' from outside"),
        (writes_nothing, 1, r"does not write out\[0\]"),
        (writes_half, 2, r"does not write out\[0\] \(1 entries of 2\)"),
        (changes_x, 1, "writes to x, draw or params"),
        (returns, 1, "returns a ndarray"),
        (raises, 1, "raises an exception"),
        (asserts, 1, "raises an exception"),
        (wrong_shape, 1, "fails in plain Python: ValueError"),
        (forgets_the_index, 2, r"fails in plain Python: ValueError(.|\n)*hint: .*write x\[0\]"),
        (beyond_the_end, 1, "IndexError"),
        (misspelt, 1, "NameError: name 'unknown_name'"),
        (draws_itself, 1, "draws random numbers itself"),
        (draws_from_numpy, 1, "draws random numbers itself"),
        (too_few, 1, r"takes \(x, out\)"),
        (changes_its_type, 1, "cannot be compiled"),
        (catches, 1, r"has a try or a with block(.|\n)*hint: test beforehand"),
        (imports, 1, r"imports 'math' inside(.|\n)*hint: write the import above"),
        (counts, 1, r"changes the global variable 'FACTOR'(.|\n)*hint: .*in the state x"),
        (remembers, 1, r"changes the nonlocal variable 'last'(.|\n)*hint: .*in the state x"),
        (prints, 1, r"prints, in every step(.|\n)*hint: .*maps\.apply"),
        (adds_arrays, 2, r"allocates memory(.|\n)*hint: arithmetic of whole arrays"),
        (integer_power, 1, r"another number when compiled: out\[0\] is (.|\n)*negative integer power"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_a_hint(step, dim, message):
    with pytest.raises(ito.MapCompilationError, match=message) as caught:
        ito.CustomMaps(step, dim=dim)
    text = str(caught.value)
    assert step.__name__ in text
    assert "test_custom.py:" in text
    assert "hint: " in text


def test_the_line_is_that_of_the_mistake():
    first = calls_a_helper.__code__.co_firstlineno
    with pytest.raises(ito.MapCompilationError, match=f"test_custom.py:{first + 1}") as caught:
        ito.CustomMaps(calls_a_helper, dim=1)
    assert isinstance(caught.value.__cause__, numba.core.errors.NumbaError)
    first = allocates.__code__.co_firstlineno
    with pytest.raises(ito.MapCompilationError, match=f"test_custom.py:{first + 1}"):
        ito.CustomMaps(allocates, dim=1)


@pytest.mark.parametrize(
    ("step", "line"),
    [(adds_arrays, 2), (catches, 2), (imports, 1), (counts, 2), (remembers, 2), (prints, 1), (raises, 2), (asserts, 1)],
)
def test_the_line_of_what_is_refused(step, line):
    with pytest.raises(ito.MapCompilationError) as caught:
        ito.CustomMaps(step, dim=2 if step is adds_arrays else 1, noise_dim=2)
    assert f"test_custom.py:{step.__code__.co_firstlineno + line})" in str(caught.value)


def clips(x, draw, params, out):
    y = 0.5 * x[0]
    out[0] = np.clip(y, -1.0, 1.0)


def clips_an_array(x, draw, params, out):
    y = 0.5
    out[:] = np.clip(x, -y, y)


def multiplies(x, draw, params, out):
    i = 1
    out[:] = params[0][i] @ x


def converts(x, draw, params, out):
    y = 0.5
    out[0] = float(str(y))


def takes_a_norm(x, draw, params, out):
    if x[0] > 100.0:
        out[0] = 0.0
    else:
        for _ in range(2):
            out[0] = x[0]
            out[0] += np.linalg.norm(x)
    out[0] += 1.0


def keeps_a_dictionary(x, draw, params, out):
    scale = 0.5

    while scale < 0.4:
        scale *= 2.0
    found = {"a": scale}
    out[0] = found["a"] * x[0]


@numba.njit
def formats(x, draw, params, out):
    half = 0.5 * x[0]
    out[0] = float(f"{half}")


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (clips, 2),
        (clips_an_array, 2),
        (multiplies, 2),
        (converts, 2),
        (takes_a_norm, 6),
        (keeps_a_dictionary, 5),
        (formats, 3),  # counted from the decorator
    ],
)
def test_the_line_of_what_does_not_compile(step, line):
    """Numba names the def, or nothing; a mutant that repeats that is told by the line."""
    plain = getattr(step, "py_func", step)
    with pytest.raises(ito.MapCompilationError, match=r"cannot be compiled|allocates memory") as caught:
        ito.CustomMaps(step, dim=2 if step in (clips_an_array, multiplies) else 1, params=(np.ones((2, 2, 2)),))
    assert f"test_custom.py:{plain.__code__.co_firstlineno + line})" in str(caught.value)


def test_the_line_inside_of_a_closure():
    half = 0.5

    def body(x, draw, params, out):
        scale = half
        out[0] = float(str(scale * x[0]))

    with pytest.raises(ito.MapCompilationError, match=f"test_custom.py:{body.__code__.co_firstlineno + 2}"):
        ito.CustomMaps(body, dim=1)


@numba.njit
def clipped(value):
    return np.clip(value, 0.0, 1.0)


def test_the_fault_of_a_helper_is_told_at_its_call():
    def body(x, draw, params, out):
        y = 0.5 * x[0]
        out[0] = clipped(y)

    line = body.__code__.co_firstlineno + 2
    message = rf"test_custom.py:{line}\) calls a function that cannot be compiled: Unknown attribute(.|\n)*min\(max\("
    with pytest.raises(ito.MapCompilationError, match=message):
        ito.CustomMaps(body, dim=1)


def test_without_a_source_the_function_is_named():
    names = {}
    exec("def typed(x, draw, params, out):\n    y = 0.5\n    out[0] = float(str(y))\n", names)
    with pytest.raises(ito.MapCompilationError, match=r"'typed' \(<string>:1\) cannot be compiled"):
        ito.CustomMaps(names["typed"], dim=1)


@pytest.mark.parametrize(
    ("value", "sentence", "advice"),
    [
        # The call stood two lines below the sentence that was shown.
        ("math.hypot(x[0], x[0], 1.0)", r"No implementation of hypot\(float64, float64, float64\)", "use numbers"),
        # Nothing is written: the type of x alone says readonly.
        ("abs(x)[0]", r"No implementation of abs\(readonly array\(float64, 1d, C\)\)", "use numbers"),
        ("math.dist(x, x)", "Unknown attribute 'dist' of module math", "use numbers"),
    ],
)
def test_the_sentence_names_the_call_and_no_file_of_python(value, sentence, advice):
    names = {"math": math}
    exec(f"def typed(x, draw, params, out):\n    out[0] = {value}\n", names)
    with pytest.raises(ito.MapCompilationError, match=rf"compiled: {sentence}\n  hint: {advice}"):
        ito.CustomMaps(names["typed"], dim=1)


def test_integers_that_wrap_around_are_found():
    """2⁷⁰ in plain Python, 0 in 64 bits."""
    with pytest.raises(ito.MapCompilationError, match=r"another number when compiled(.|\n)*wrap around"):
        ito.CustomMaps(wraps_around, dim=1, params=(2**35,))
    assert ito.CustomMaps(wraps_around, dim=1, params=(2**30,)).dim == 1


def test_both_numbers_of_a_disagreement_are_shown():
    with pytest.raises(ito.MapCompilationError) as caught:
        ito.CustomMaps(integer_power, dim=1)
    compiled, plain = (
        float(number) for number in re.findall(r"(?:is|and) (-?[\d.e-]+)(?:,| in plain)", str(caught.value))
    )
    assert plain - compiled == pytest.approx(0.5)


def test_agreement_allows_for_rounding_and_what_python_raises():
    """Functions of the library to the last places, numbers that are not finite in both, and x/0 in Python's floats."""

    def allowed(x, draw, params, out):
        out[0] = math.exp(draw[0]) + math.sin(x[0]) ** 3 + math.log1p(draw[1]) + 1.0 / float(int(2 * draw[0]))
        out[1] = math.inf if draw[1] < 0.5 else -math.inf
        out[2] = math.inf - math.inf if draw[1] < 0.5 else x[2] ** 0.3 + math.gamma(1.0 + draw[0])

    assert ito.CustomMaps(allowed, dim=3, noise_dim=2).dim == 3


def test_agreement_sees_every_kind_of_draw_and_parameter():
    def body(x, draw, params, out):
        out[0] = params[0] * x[1] + draw[len(draw) - 1]
        out[1] = params[1][draw[0] % 3 if params[2] == 7 else 0] - draw[0]

    for noise in ("index", "index+normal"):
        maps = ito.CustomMaps(body, dim=2, noise=noise, n_maps=5, params=(0.5, [1.0, 2.0, 3.0], 7))
        assert maps.params[2] == 7


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        (lambda draw: None, r"lipschitz\(draw\) is None.* for the draw \[0\.\d+\]"),
        (lambda draw: -draw[0], r"lipschitz\(draw\) is -0\.\d+: .* for the draw \[0\.\d+\]"),
        (lambda draw: math.nan, r"lipschitz\(draw\) is nan: .* for the draw"),
        (lambda draw: draw, r"lipschitz\(draw\) is array.* for the draw"),
        (lambda: 0.5, r"lipschitz, the function .* fails for the draw \[0\.\d+\]: TypeError"),
        (lambda draw: unknown_name, r"lipschitz, the function .* fails for the draw .*: NameError"),  # noqa: F821
        (lambda draw: draw[3], r"lipschitz, the function .* fails for the draw .*: IndexError"),
    ],
)
def test_a_lipschitz_function_is_tried_when_maps_are_made(bound, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.CustomMaps(half, dim=1, lipschitz=bound)


def test_a_tolerance_without_a_bound_asks_for_one():
    with pytest.raises(ito.NotContractiveError, match=r"no bound of all Lipschitz constants .*lipschitz=…"):
        ito.simulate(ito.CustomMaps(half, dim=1), [0.0], 10, order="backward", seed=0, tol=1e-6)
    with pytest.raises(ito.NotContractiveError, match=r"of CustomMaps is 1\.0\d*: .*lipschitz= below one"):
        ito.simulate(ito.gallery.reflected_walk(), [0.0], 10, order="backward", seed=0, tol=1e-6)
    with pytest.raises(ito.NotContractiveError, match=r"give tol=0 \(exact\), a smaller step size$"):
        ito.simulate(ito.gallery.two_point_quadratic(2.0), [0.0], 10, order="backward", seed=0, tol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 0}, "dim"),
        ({"noise": "poisson"}, "noise is 'poisson'"),
        ({"noise": "index"}, "n_maps is missing with noise='index': give n_maps="),
        ({"noise": "index+normal"}, "n_maps is missing"),
        ({"n_maps": 3}, "n_maps is 3"),
        ({"noise": "index", "n_maps": 2, "noise_dim": 2}, "noise_dim is 2"),
        ({"noise_dim": 0}, "noise_dim"),
        ({"params": np.ones(3)}, "params is a ndarray"),
        ({"params": (True,)}, r"params\[0\] is True"),
        ({"params": (1.0, ["a"])}, r"params\[1\] has dtype"),
        ({"params": ([[1.0], [1.0, 2.0]],)}, r"params\[0\] is not a rectangular array"),
        ({"lipschitz": -1.0}, "lipschitz is -1.0"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.CustomMaps(half, **{"dim": 1, **options})


def test_something_else_than_a_function_is_refused():
    with pytest.raises(ito.MapCompilationError, match="step is a str"):
        ito.CustomMaps("x + 1", dim=1)


def test_compiled_and_plain_bodies_have_the_same_bits():
    """Products, sums and square roots are rounded alike; nothing is fused or reordered."""

    def body(x, draw, params, out):
        for k in range(3):
            out[k] = params[0][k] * x[(k + 1) % 3] + math.sqrt(draw[k]) - params[1] * x[k] * x[k]

    maps = ito.CustomMaps(body, dim=3, noise_dim=3, params=([0.3, 0.4, 0.5], 0.01))
    run = ito.simulate(maps, np.zeros(3), 40, n_replicas=3, seed=4, save_steps="all")
    for r in range(3):
        x = np.zeros(3)
        for n in range(40):
            x = maps.apply(x, maps.draw(4, r, n))
            np.testing.assert_array_equal(run.states[r, n + 1], x)


def test_a_divergence_tells_what_else_gives_nan():
    def logarithm(x, draw, params, out):
        out[0] = math.log(x[0])

    def beyond(x, draw, params, out):
        out[0] = x[0] + params[0][int(x[0])]

    for body in (logarithm, beyond):
        maps = ito.CustomMaps(body, dim=1, params=(np.ones(3),))
        for order in ("forward", "backward"):
            with pytest.raises(
                ito.DivergenceError, match=r"expand less; an index out of range .*maps\.apply\(x, draw\)"
            ):
                ito.simulate(maps, [2.0], 9, order=order, seed=1)
    with pytest.raises(IndexError, match="out of bounds"):
        maps.apply([3.0], maps.draw(0, 0, 0))
    with pytest.raises(ito.DivergenceError) as other:  # the control: affine maps have no such mistakes
        ito.simulate(ito.AffineMaps([[[2.0]]], [[0.0]]), [1.0], 2000, seed=1)
    assert "out of range" not in str(other.value)


def test_an_index_out_of_range_is_a_diverged_path_and_touches_no_memory():
    def far(x, draw, params, out):
        k = int(abs(x[0]) * 1e9) if abs(x[0]) > 5.0 else 0
        out[0] = 2.0 * x[0] + 0.0 * params[0][k]

    run = ito.simulate(
        ito.CustomMaps(far, dim=1, params=([1.0, 2.0],)), [[0.0], [1.0]], 6, n_replicas=2, seed=1, save_steps="all"
    )
    assert run.diverged_at.tolist() == [-1, 4]
    assert run.states[1, :4, 0].tolist() == [1.0, 2.0, 4.0, 8.0]


def test_entries_of_a_draw_count_from_both_ends():
    def body(x, draw, params, out):
        for k in range(4):
            out[k] = draw[k - 4]

    maps = ito.CustomMaps(body, dim=4, noise="index+normal", noise_dim=3, n_maps=9)
    states = ito.simulate(maps, np.zeros(4), 1, n_replicas=5, seed=2).states[:, 0]
    for r in range(5):
        np.testing.assert_array_equal(states[r], maps.draw(2, r, 0))
        np.testing.assert_array_equal(states[r], maps.apply(np.zeros(4), maps.draw(2, r, 0)))


def test_a_constant_that_changes_makes_other_maps():
    factor = 2.0

    def body(x, draw, params, out):
        out[0] = factor * x[0]

    two = ito.simulate(ito.CustomMaps(body, dim=1), [1.0], 3, seed=1).states
    factor = 3.0
    three = ito.simulate(ito.CustomMaps(body, dim=1), [1.0], 3, seed=1).states
    assert (two.item(), three.item()) == (8.0, 27.0)


def test_bounds_by_index_and_normals_see_the_index():
    bounds = [0.8, 0.5, 0.2]

    def body(x, draw, params, out):
        out[0] = params[0][draw[0]] * x[0] + draw[1]

    maps = ito.CustomMaps(
        body, dim=1, noise="index+normal", n_maps=3, params=(bounds,), lipschitz=lambda draw: (0.8, 0.5, 0.2)[draw[0]]
    )
    for step in range(5):
        draw = maps.draw(1, 0, step)
        assert maps.lipschitz(draw) == bounds[int(draw[0])]
    sample = ito.stationary_sample(maps, 200, seed=1)
    assert sample.certificate == "probability"
    assert sample.n_steps.min() < sample.n_steps.max()


def test_gallery_maps_can_be_sent_to_another_process():
    for maps in (ito.gallery.ar1(0.5, 1.0), ito.gallery.two_point_quadratic(0.5), ito.gallery.sierpinski()):
        again = pickle.loads(pickle.dumps(maps))
        x0 = np.full(maps.dim, 0.3)
        states = [ito.simulate(one, x0, 20, seed=1).states for one in (maps, again)]
        np.testing.assert_array_equal(*states)
        assert type(again.law) is type(maps.law)


def test_functions_that_numba_compiled_can_be_used_and_given():
    def body(x, draw, params, out):
        out[0] = compiled_helper(x[0]) + draw[0]

    plain, given = ito.CustomMaps(body, dim=1), ito.CustomMaps(numba.njit(body), dim=1)
    runs = [ito.simulate(maps, [0.0], 20, seed=1).states for maps in (plain, given)]
    np.testing.assert_array_equal(*runs)


def test_division_by_zero_and_nan_are_no_mistakes_until_a_path_meets_them():
    def inverse(x, draw, params, out):
        out[0] = 1.0 / (draw[0] - 0.0) if draw[0] > 0.5 else 1.0 / (x[0] - x[0])

    maps = ito.CustomMaps(inverse, dim=1)
    with pytest.raises(ito.DivergenceError, match="all 4 replicas left the finite numbers"):
        ito.simulate(maps, [1.0], 200, n_replicas=4, seed=1)


def test_what_a_branch_leaves_out_is_not_a_number():
    def sometimes(x, draw, params, out):
        if draw[0] < 0.99:
            out[0] = 0.5 * x[0]

    maps = ito.CustomMaps(sometimes, dim=1)
    run = ito.simulate(maps, [1.0], 20, n_replicas=100, seed=2)
    first = [next((n for n in range(20) if maps.draw(2, r, n)[0] >= 0.99), -2) + 1 for r in range(100)]
    assert run.diverged_at.tolist() == first
    assert 0 < (run.diverged_at >= 0).sum() < 100


def test_maps_with_as_many_items_meet_the_same_indices():
    def pick(x, draw, params, out):
        out[0] = params[0][draw[0]] * x[0] + params[1][draw[0]]

    slopes, offsets = np.linspace(-0.5, 0.5, 7), np.arange(7.0)
    custom = ito.CustomMaps(pick, dim=1, noise="index", n_maps=7, params=(slopes, offsets), lipschitz=0.5)
    affine = ito.AffineMaps(slopes[:, None, None], offsets[:, None])
    for order in ("forward", "backward", ito.Window(5)):
        runs = [
            ito.simulate(maps, [0.3], 60, order=order, n_replicas=9, seed=5, save_steps="all").states
            for maps in (custom, affine)
        ]
        # 60 steps of three roundings of numbers up to 12, each halved by every further step.
        np.testing.assert_allclose(*runs, rtol=0, atol=6 * 12 * np.finfo(float).eps)
    assert custom.lipschitz_max == 0.5
    bounds = ito.CustomMaps(pick, dim=1, noise="index", n_maps=7, params=(slopes, offsets), lipschitz=lambda i: i / 14)
    assert bounds.lipschitz_max == 6 / 14


def test_a_trajectory_of_custom_maps_holds_no_code(tmp_path):
    def half(x, draw, params, out):
        out[0] = params[0] * x[0] + draw[0]

    maps = ito.CustomMaps(half, dim=1, noise="normal", params=(0.5,))
    run = ito.simulate(maps, [0.0], 10, n_replicas=3, seed=1, save_steps="all")
    run.save(tmp_path / "run.npz")
    loaded = ito.load(tmp_path / "run.npz")
    assert loaded.maps is None
    np.testing.assert_array_equal(loaded.states, run.states)
    with np.load(tmp_path / "run.npz") as file:
        assert maps.digest in file["header"].tobytes().decode()


def test_gaussian_maps_come_back_from_a_file(tmp_path):
    maps = ito.GaussianRegressionSGD([1.0, 0.5], 0.1, 0.2)
    run = ito.simulate(maps, [0.0, 0.0], 10, seed=1)
    run.save(tmp_path / "run.npz")
    again = ito.simulate(ito.load(tmp_path / "run.npz").maps, [0.0, 0.0], 10, seed=1)
    np.testing.assert_array_equal(again.states, run.states)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(([-1.0], 0.1, 0.1), "eigenvalues"), (([1.0], -0.1, 0.1), "noise_std"), (([1.0], 0.1, 0.0), "step_size")],
)
def test_bad_gaussian_maps_are_refused(arguments, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.GaussianRegressionSGD(*arguments)


def test_images_under_every_index_are_those_of_apply():
    """Of a million maps, whose first moves a certificate asks for: compiled, as plain Python takes ten seconds."""

    def step(x, draw, params, out):
        out[0] = 0.5 * x[0] + 1e-6 * draw[0]
        out[1] = x[0] if draw[0] % 2 else x[1]

    maps = ito.CustomMaps(step, dim=2, noise="index", n_maps=10**6)
    x = np.array([0.25, -3.0])
    images = maps.images(x)
    assert images.shape == (10**6, 2)
    for index in (0, 1, 77_777, 999_999):
        np.testing.assert_array_equal(images[index], maps.apply(x, index))
    assert (images[0] != images[1]).all()


def test_hints_call_the_function_and_its_arguments_by_their_names():
    weights = [0.5]

    def heat(state, noise, numbers, new):
        new[0] = weights[0] * state[0]

    def three(x, draw, out):
        out[0] = x[0]

    def typo(state, noise, numbers, new):
        new[0] = sttae[0]  # noqa: F821

    hints = {
        heat: "CustomMaps(heat, ..., params=(weights,)), and read numbers[0]",
        three: "three(x, draw, params, out)",
        typo: "typo(state, noise, numbers, new)",
    }
    for function, hint in hints.items():
        with pytest.raises(ito.MapCompilationError, match=re.escape(hint)):
            ito.CustomMaps(function, dim=1)
    with pytest.raises(
        ito.MapCompilationError, match=re.escape(": step(x, draw, params, out)")
    ):  # a lambda has no name
        ito.CustomMaps(lambda x, draw, params: None, dim=1)
