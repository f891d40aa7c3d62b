"""Bodies lifted to several lanes: the bits of the engine for single numbers, whatever the body does and meets."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

import iterorder as ito
from iterorder.kernels.cpu import compiled, lane_blocks, profile
from iterorder.kernels.cpu.body_steps import body_of, custom_steps, layout_of
from iterorder.kernels.cpu.lift.steps import lifted_body, lifted_steps, repeat_addresses
from iterorder.kernels.cpu.packing import pack
from iterorder.kernels.draw_tables import draws_of
from iterorder.maps.gaussian_regression import gaussian_step
from tests.kernel_calls import call_compiled

N_MAPS = 7
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.5, 1e-310, 1e300, -1e300, np.inf, -np.inf, np.nan]
TABLE = np.random.default_rng(4).normal(size=(N_MAPS, 3))
#: Groups of lanes that are worked on at once; one more is worked on alone.
GROUPS = 4
PARAMS = (0.75, 3, TABLE, np.arange(1.0, 9.0), np.arange(N_MAPS))


def engines(maps, dtype):
    """The two compiled steps of maps, and the arguments for them; the lifted one is None where there is none."""
    dtype = np.dtype(dtype)
    body = getattr(maps, "body", gaussian_step)
    noise = getattr(maps, "noise", "normal")
    rows = 1 if noise == "index" else maps.sampling_law.count + (noise == "index+normal")
    layout = layout_of(maps.params)
    form = maps.form()
    system, draws = pack(form, dtype), draws_of(form, maps.sampling_law, 0)
    scratch = lane_blocks.new_scratch(system, draws, 8 * GROUPS + 8, shared=False)
    kinds = body, maps.dim, noise, rows, layout, dtype
    single, lifted = custom_steps(body_of(body), maps.dim, noise, rows, layout), lifted_body(*kinds).body
    many = None
    if lifted is not None:
        many = lifted_steps(lifted, maps.dim, noise, rows, layout, GROUPS)
        system.parameters[-2:] = repeat_addresses(*kinds)
    return SimpleNamespace(single=single, many=many, system=system, scratch=scratch, rows=rows, noise=noise)


def states_after(found, steps, seed):
    """Where states with all kinds of numbers are after three steps of one engine."""
    rng = np.random.default_rng(seed)
    states, drawn = found.scratch.states, found.scratch.drawn
    numbers = rng.normal(size=states.shape) * 3.0
    some = rng.random(states.shape) < 0.7
    numbers[some] = rng.choice(SPECIAL, some.sum())
    numbers[:2, :4] = [[0.0, -0.0, 0.0, -0.0], [-0.0, 0.0, 0.0, -0.0]]
    with np.errstate(over="ignore"):
        states[...] = numbers
    rows = drawn[: 3 * found.rows]
    if found.noise == "normal":
        rows[...] = rng.normal(size=rows.shape).view(np.uint64)
    else:
        rows[...] = rng.random(rows.shape).view(np.uint64)
    if found.noise.startswith("index"):
        rows[:: found.rows] = rng.integers(0, N_MAPS, rows[:: found.rows].shape)
    call_compiled(steps, found.system, found.scratch, 0, 3, 1, 0)
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


def signs(x, draw, params, out):
    """Which zero it is, and which of two equal numbers."""
    out[0] = min(x[0], x[1])
    out[1] = max(x[1], x[2], x[0])
    out[2] = -x[2]


def one_name_on_both_ways(x, draw, params, out):
    """What one way makes of a name is not what the other reads."""
    u, v = x[1], 0.5
    if x[0] > 0.0:
        u = u + 1.0
        out[0] = u
    else:
        v = 2.0 * u
        out[0] = v - u
    out[1] = v
    out[2] = x[2] if x[2] < 1.0 else v


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
    (signs, UNIFORM),
    (one_name_on_both_ways, UNIFORM),
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


# All in float64, and every third in float32: to compile one takes seconds.
BODIES = [*((*body, "float64") for body in LIFTED), *((*body, "float32") for body in LIFTED[::3])]


@pytest.mark.parametrize(("step", "options", "dtype"), BODIES, ids=[f"{step.__name__}-{d}" for step, _, d in BODIES])
def test_lifted_steps_have_the_bits_of_single_ones(step, options, dtype):
    assert_same_bits(unchecked(step, **options), dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_gaussian_step_is_lifted(dtype):
    assert_same_bits(ito.GaussianRegressionSGD([1.0, 0.5, 0.2], 0.3, 0.2), dtype)


def many_functions(x, draw, params, out):
    """What the package has itself, far from zero too, and what only the C library has."""
    for k in range(3):
        out[k] = math.sin(x[k]) + np.cos(x[k] * 1e5) + math.tanh(x[k]) * np.exp(x[k]) + math.log(x[k]) + math.atan(x[k])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_functions_are_the_same_in_both_engines_everywhere(dtype):
    assert_same_bits(unchecked(many_functions, **UNIFORM), dtype)


def test_functions_of_math_and_numpy_are_the_packages_own():
    """And within a few units of those of Python, in float64."""

    def body(x, draw, params, out):
        out[0] = math.exp(draw[0]) - np.exp(draw[0])
        out[1] = math.sin(x[0] + draw[0]) * math.exp(draw[0])

    maps = ito.CustomMaps(body, dim=2)
    run = ito.simulate(maps, [0.3, 0.0], 30, n_replicas=5, seed=3, save_steps="all")
    assert not run.states[:, 1:, 0].any()
    for r in range(5):
        state = run.states[r, 12]
        plain = maps.apply(state, maps.draw(3, r, 12))
        # Two functions within 1 and 1.5 units, one product, of factors up to e.
        np.testing.assert_allclose(run.states[r, 13], plain, rtol=0, atol=4 * math.e * np.finfo(float).eps)


# -------------------------------------------------------------------------------------------------- what is not lifted


def searches(x, draw, params, out):
    y = x[0]
    while abs(y) > 0.5:
        y *= 0.5
    for k in range(3):
        out[k] = y


def stops(x, draw, params, out):
    out[0], out[1], out[2] = 0.0, 0.0, 0.0
    for k in range(3):
        if x[k] > 0:
            break
        out[k] = 1.0


def counts_to_a_draw(x, draw, params, out):
    total = 0.0
    for k in range(int(draw[0] * 3)):
        total += x[k]
    for k in range(3):
        out[k] = total


def reads_what_one_way_sets(x, draw, params, out):
    if draw[0] < 2.0:
        y = x[0]
    for k in range(3):
        out[k] = y


@numba.njit(fastmath=True)
def quick(value):
    return value * 3.0 + 1.0


def calls_a_quick_one(x, draw, params, out):
    for k in range(3):
        out[k] = quick(x[k])


REASONS = {
    searches: "repeats a loop in some lanes only",
    stops: "leaves a loop in some lanes only",
    counts_to_a_draw: "range",
    reads_what_one_way_sets: "y is set on one way only",
    calls_a_quick_one: "quick has fastmath",
}


@pytest.mark.parametrize("step", REASONS)
def test_other_bodies_run_one_replica_at_a_time(step):
    maps = unchecked(step, **UNIFORM)
    assert engines(maps, "float64").many is None
    assert re.fullmatch(f"one replica at a time: .*{REASONS[step]}.*", maps.engine)
    run = ito.simulate(maps, [[0.3, -2.0, 0.7], [-5.0, 1.0, -1.0]], 5, n_replicas=2, seed=1)
    for r in range(2):
        x = [[0.3, -2.0, 0.7], [-5.0, 1.0, -1.0]][r]
        for n in range(5):
            x = maps.apply(x, maps.draw(1, r, n))
        np.testing.assert_array_equal(run.states[r, 0], x)


def waits(x, draw, params, out):
    for k in range(3):
        out[k] = math.tanh(x[k]) + draw[k]


def hurries(x, draw, params, out):
    for k in range(len(x)):
        out[k] = 0.5 * x[k] + draw[k]


@pytest.mark.parametrize("lane_groups", [1, 2, 4])
@pytest.mark.parametrize(("step", "dim", "wide"), [(waits, 3, True), (hurries, 3, False), (hurries, 2, True)])
def test_the_engine_says_for_how_many_replicas_steps_are_made(step, dim, wide, lane_groups, monkeypatch):
    maps, made = ito.CustomMaps(step, dim=dim, noise_dim=dim), []
    monkeypatch.setattr(profile, "PROFILE", profile.PROFILE._replace(lane_groups=lane_groups))

    def steps(*arguments):
        made.append(arguments[-1])
        return lifted_steps(*arguments)

    monkeypatch.setattr(compiled, "lifted_steps", steps)
    monkeypatch.setattr(compiled, "_body_addresses", compiled._body_addresses.__wrapped__)
    ito.simulate(maps, np.zeros(dim), 2, n_replicas=40, seed=1)
    assert made == [lane_groups if wide else 1]
    assert maps.engine == ("8 replicas at once" if made == [1] else f"up to {8 * made[0]} replicas at once")


def test_without_its_text_a_body_of_plain_arithmetic_is_lifted_and_one_with_branches_is_not():
    names = {}
    exec("def plain(x, draw, params, out):\n    for k in range(3):\n        out[k] = 0.5 * x[k] + draw[0]\n", names)
    exec(
        "def either(x, draw, params, out):\n    for k in range(3):\n        out[k] = x[k] if draw[0] < .5 else 1.0\n",
        names,
    )
    assert_same_bits(unchecked(names["plain"], **UNIFORM), "float64")
    either = unchecked(names["either"], **UNIFORM)
    assert engines(either, "float64").many is None
    assert either.engine == (
        "one replica at a time: branches on numbers that differ between replicas, and its text, which would make "
        "choices of them, cannot be read (typed at a prompt, or made by exec): define it in a file"
    )


@pytest.mark.parametrize("with_text", [True, False])
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("for k in range(int(draw[0] * 3)): out[k] = x[k]", "uses range of numbers that differ between replicas"),
        ("out[0] = x.sum()", "(uses sum of|does something with) numbers that differ between replicas"),
        ("while x[0] > out[0]: out[0] += 1.0", "in some lanes only|branches on numbers .* define it in a file"),
    ],
)
def test_the_reason_is_one_whole_sentence(line, reason, with_text, tmp_path):
    """Numba's message has many lines, and the first of them ends where the call would follow."""
    text, file, names = f"def body(x, draw, params, out):\n    {line}\n", tmp_path / f"body{with_text}.py", {}
    if with_text:
        file.write_text(text)
    exec(compile(text, str(file), "exec"), names)
    engine = unchecked(names["body"], **UNIFORM).engine
    assert re.fullmatch(rf"one replica at a time: [^\n]*({reason})[^\n:]*", engine), engine
    assert "signature" not in engine
    assert "Varying" not in engine


def test_a_text_that_was_edited_is_not_believed(tmp_path):
    """The function that runs counts, not what its file says now."""
    file = tmp_path / "edited.py"
    text = "def body(x, draw, params, out):\n    for k in range(3):\n        out[k] = x[k] if draw[0] < 0.5 else 1.0\n"
    file.write_text(text.replace("1.0", "3.0"))
    names = {}
    exec(compile(text, str(file), "exec"), names)
    assert engines(unchecked(names["body"], **UNIFORM), "float64").many is None


# ------------------------------------------------------------------------------------------------------- random bodies

LEAVES = ["x[0]", "x[1]", "x[2]", "draw[0]", "params[0]", "params[1]", "a", "b", "1.0", "2", "-0.5", "0.0"]
ONE = [
    "-{}",
    "abs({})",
    "({}) ** 2",
    "({}) ** 3",
    "math.sqrt(abs({}))",
    "math.tanh({})",
    "math.exp({})",
    "+{}",
    "np.sin({})",
]
TWO = ["({} + {})", "({} - {})", "({} * {})", "({} / {})", "min({}, {})", "max({}, {})", "math.copysign(1.0 * {}, {})"]


def joined(parts):
    return [line for part in parts for line in part]


def expressions(depth):
    if depth == 0:
        return st.sampled_from(LEAVES)
    inner = expressions(depth - 1)
    return st.one_of(
        st.sampled_from(LEAVES),
        st.builds(str.format, st.sampled_from(ONE), inner),
        st.builds(str.format, st.sampled_from(TWO), inner, inner),
        st.builds("({} if {} else {})".format, inner, conditions(depth - 1), inner),
    )


def conditions(depth):
    value = expressions(depth)
    compared = st.one_of(
        st.builds("{} {} {}".format, value, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), value),
        st.builds("{} < {} <= {}".format, value, value, value),
    )
    return st.one_of(
        compared,
        st.builds("not ({})".format, compared),
        st.builds("({}) {} ({})".format, compared, st.sampled_from(["and", "or"]), compared),
    )


def statements(depth):
    """Lines of text, indented by four more for every branch around them."""
    name, value = st.sampled_from(["a", "b", "out[0]", "out[1]", "out[2]"]), expressions(2)
    simple = st.builds(
        lambda name, sign, value: [f"{name} {sign} {value}"], name, st.sampled_from(["=", "=", "+=", "*="]), value
    )
    if depth == 0:
        return simple
    inner = st.lists(statements(depth - 1), min_size=1, max_size=3).map(joined)

    def branch(condition, yes, no):
        lines = [f"if {condition}:", *("    " + line for line in yes)]
        return lines + (["else:", *("    " + line for line in no)] if no else [])

    loop = st.builds(lambda lines: ["for k in range(3):", *("    " + line for line in lines)], inner)
    return st.one_of(simple, st.builds(branch, conditions(1), inner, st.one_of(st.just([]), inner)), loop)


@settings(
    max_examples=4,  # each is compiled twice, and a shorter one that fails would take minutes to find
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(parts=st.lists(statements(2), min_size=4, max_size=9), dtype=st.sampled_from(["float64", "float32"]))
def test_random_bodies_have_the_same_bits(parts, dtype, tmp_path_factory):
    lines = ["a, b = x[0], draw[0]", "out[0], out[1], out[2] = x[1], x[2], 0.0", *joined(parts)]
    file = tmp_path_factory.mktemp("bodies") / "body.py"
    file.write_text("def body(x, draw, params, out):\n" + "".join(f"    {line}\n" for line in lines))
    names = {"math": math, "np": np}
    exec(compile(file.read_text(), str(file), "exec"), names)
    note(file.read_text())
    assert_same_bits(unchecked(names["body"], **UNIFORM), dtype, seeds=range(4))
