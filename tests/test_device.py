"""The kernels for GPUs in the simulator: the integers and the floats of the processor, to the bit.

They need a process in which NUMBA_ENABLE_CUDASIM is 1 from the start: `.ci/run` starts one.
"""

from __future__ import annotations

import ast
import os
import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import iterorder as ito
from iterorder.kernels.cpu.backend import Cpu
from iterorder.kernels.cpu.profile import AVX512
from iterorder.kernels.problem import Place, Problem
from iterorder.progress import Report
from iterorder.sampling import FreshNoise
from tests import naive
from tests.systems import EVERY, FEW, quadratic

if os.environ.get("NUMBA_ENABLE_CUDASIM") != "1":
    pytest.skip("needs NUMBA_ENABLE_CUDASIM=1", allow_module_level=True)

from iterorder.kernels.device import arrays, compilers, launches, long_states, walks
from iterorder.kernels.device.backend import Cuda
from iterorder.kernels.device.images import image_of
from iterorder.kernels.device.increments import increment_of
from iterorder.kernels.device.packing import differing
from iterorder.kernels.device.states import thread_states
from iterorder.kernels.device.team_states import halves_first, team_states

SEED, DEVICE = 0x9E3779B97F4A7C15, Path(compilers.__file__).parent
SAVES, PLACE = np.array([0, 1, 4, 9], np.int64), Place(2, 1, 5)
#: Matrices of many rows take the simulator minutes, in float32 from d = 13 on a quarter of one.
LONG = {"affine d=105", "optimizer quadratic d=20 batch", "quadratic d=20 batch"}
LONG_TWICE = {"affine d=13"}
KNOWN = [name for name in EVERY if name not in LONG]
#: Every system in float64, and in float32 one for each path through the code.
CASES = [*((name, "float64") for name in KNOWN), *((name, "float32") for name in FEW if name not in LONG | LONG_TWICE)]


def problem(maps, dtype="float64", saves=SAVES, replicas=2, place=PLACE):
    starts = np.linspace(-1.0, 1.0, replicas * maps.dim).reshape(replicas, maps.dim).astype(dtype)
    return Problem(maps.form(), maps.sampling_law, SEED, place, starts, np.asarray(saves, np.int64))


def test_launches_grow_until_they_take_their_time(monkeypatch):
    """A clock that stands still but for what a launch takes: a microsecond a step, and the first ten seconds more."""
    now = [0.0]
    monkeypatch.setattr(launches, "SIMULATED", False)
    monkeypatch.setattr(launches, "WORK_OF_LAUNCH", 1)
    monkeypatch.setattr(launches, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    pace, taken = launches.Pace(3, 11), []
    for piece in launches.pieces(np.array([0, 100, 10**6]), pace):
        with pace.launching(piece.end - piece.begin):
            now[0] += 1e-6 * (piece.end - piece.begin) + (10.0 if not taken else 0.0)
        taken.append(piece.end - piece.begin)
    # The first at the guess of 64 steps, which may be wrong by eight at a time; the last is what is left.
    assert taken[:6] == [0, 64, 36, 64 * 8**2, 64 * 8**3, 250_000]
    assert sum(taken) == 10**6
    # As in a backward run, whose rows begin one after the other: a step of 10⁻⁸ seconds becomes one of 10⁻⁵.
    pace, done, longest = launches.Pace(3, 11), 0, 0.0
    while done < 10**6:
        count = min(pace.steps, 10**6 - done)
        took = 1e-8 * count if done < 500_000 else 1e-5 * count
        with pace.launching(count):
            now[0] += took
        done, longest = done + count, max(longest, took if done > 800_000 else 0.0)
    assert longest <= 1.01 * launches.SECONDS_OF_LAUNCH


def test_of_two_short_rows_the_numbers_that_differ_in_a_bit_are_chosen():
    """Others are read once, and a zero is not its negative."""
    form = ito.AffineMaps([[[0.5]], [[0.5]]], [[0.0], [-0.0]]).form()
    assert differing(form, "float64") == (False, True)
    found = [
        ito.simulate(
            ito.AffineMaps([[[0.5]], [[-0.5]]], [[0.0], [-0.0]]), [-0.0], 150, n_replicas=3, seed=SEED, backend=backend
        ).states.view(np.uint64)
        for backend in ("cpu", "cuda")
    ]
    np.testing.assert_array_equal(found[1], found[0])
    assert len(np.unique(found[0])) == 2
    assert differing(quadratic(3, m=2).form(), "float64") is not None
    assert differing(quadratic(3, m=3).form(), "float64") is None  # not two
    assert differing(quadratic(4, m=2).form(), "float64") is None  # not short


def test_that_few_replicas_leave_a_gpu_idle_is_no_matter_for_a_warning(monkeypatch):
    """Numba-cuda says so of each launch, in bold where colours can be had; other warnings of a launch are heard."""

    class Kernel:
        def __getitem__(self, configuration):
            warnings.warn("\x1b[1mGrid size 2 will likely result in GPU under-utilization.\x1b[0m", stacklevel=1)
            warnings.warn("another", stacklevel=1)
            return launched.append

    launched: list = []
    monkeypatch.setattr(launches, "SIMULATED", False)
    monkeypatch.setattr(launches.arrays, "current_stream", int)
    monkeypatch.setattr(launches, "cuda", SimpleNamespace(external_stream=lambda stream: stream))
    with pytest.warns(UserWarning, match="another") as told:
        launches.launch(Kernel(), 2, 1, "argument")
    assert launched == ["argument"]
    assert [str(warning.message) for warning in told] == ["another"]


@pytest.fixture(autouse=True)
def widest_profile(monkeypatch):
    """The order in which the processor adds along rows is that of its widest profile."""
    monkeypatch.setattr("iterorder.kernels.cpu.profile.PROFILE", AVX512)


RUNS = {
    "forward": lambda backend, p: backend.forward(p).states,
    "backward": lambda backend, p: backend.backward(p, None, "each").states,
    "window": lambda backend, p: backend.window(p, 3).states,
    "backward_to": lambda backend, p: backend.backward_to(p, np.array([2, 5])),
}


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_every_order_has_the_bits_of_the_processor(name, dtype):
    """Draws of every kind, every loss, optimisers, one thread a state and eight; another seed has other bits."""
    given = problem(EVERY[name], dtype)
    for order, run in RUNS.items():
        np.testing.assert_array_equal(run(Cuda(), given), run(Cpu(), given), err_msg=order)
    law = EVERY[name].sampling_law
    if isinstance(law, FreshNoise) or (law.kind != "cyclic" and law.batch_size < law.n_items):
        other = Problem(given.form, given.law, SEED + 1, given.place, given.x0, given.saves)
        assert (RUNS["forward"](Cuda(), other) != RUNS["forward"](Cpu(), given)).any()


CARRIED = [case for case in CASES if EVERY[case[0]].form().is_affine and "optimizer" not in case[0]]


@pytest.mark.parametrize(("name", "dtype"), CARRIED)
def test_increments_have_the_bits_of_the_processor(name, dtype):
    """Rows of P in threads and in teams, single points and batches; the iterates by themselves have other bits."""
    dim = EVERY[name].dim  # of which a thread of Python has each row, and eight threads above d = 16
    given = problem(EVERY[name], dtype, saves=[0, 2] if dim >= 64 else [0, 1, 4], replicas=2 if dim < 12 else 1)
    found, expected = (backend.backward(given, None, "incremental") for backend in (Cuda(), Cpu()))
    np.testing.assert_array_equal(found.states, expected.states)
    np.testing.assert_array_equal(found.diverged, expected.diverged)


@pytest.mark.parametrize("options", [{"batch_size": 3}, {"batch_size": 17}, {"batch_size": 2, "sampling": "reshuffle"}])
def test_a_mean_of_matrices_that_registers_do_not_hold_is_made_in_halves(options):
    """Points of a batch in registers, in memory, and of a permutation; a batch of one more has other bits."""
    maps, other = quadratic(12, 18, **options), quadratic(12, 18, batch_size=options["batch_size"] + 1)
    assert increment_of(maps.form(), np.dtype(np.float64)).rest is not None
    assert increment_of(maps.form(), np.dtype(np.float32)).rest is None
    given = problem(maps)
    found = Cuda().backward(given, None, "incremental").states
    np.testing.assert_array_equal(found, Cpu().backward(given, None, "incremental").states)
    assert (found != Cpu().backward(problem(other), None, "incremental").states).any()


@pytest.mark.parametrize("name", ["two-point", "linear d=2 large batch", "affine feistel", "linear of two points"])
@pytest.mark.parametrize("first", [0, 125, 2**40 + 3])
def test_words_that_serve_many_steps_are_cut_anywhere(name, first):
    """Blocks of 128 and of four steps, begun and left in the middle, upward and downward."""
    given = problem(EVERY[name], saves=[1, 130, 140], place=Place(2**32 - 2, 1, first))
    for order in ("forward", "backward"):
        np.testing.assert_array_equal(RUNS[order](Cuda(), given), RUNS[order](Cpu(), given), err_msg=order)


def test_shared_noise_and_pieces_change_nothing(monkeypatch):
    given = problem(EVERY["linear d=10 ridge"], saves=[0, 70, 90, 200], place=Place(0, 0, 3), replicas=3)
    whole = {order: run(Cpu(), given) for order, run in RUNS.items() if order != "backward_to"}
    monkeypatch.setattr(launches, "WORK_OF_LAUNCH", 1)  # 64 steps a launch
    monkeypatch.setattr(arrays, "free_bytes", lambda: 1)  # one replica at a time
    assert [piece.end for piece in launches.pieces(given.saves, launches.Pace(3, 11))] == [0, 64, 90, 154, 200]
    for order, expected in whole.items():
        np.testing.assert_array_equal(RUNS[order](Cuda(), given), expected, err_msg=order)


def test_the_step_at_which_a_replica_leaves_is_the_processors():
    maps = ito.AffineMaps([[[40.0]], [[0.5]]], [[1.0], [0.0]])
    starts = np.array([[0.0], [1e300], [-1e250]])
    saves = np.arange(0, 60, 7)
    given = Problem(maps.form(), maps.sampling_law, SEED, Place(), starts, saves)
    found, expected = Cuda().forward(given), Cpu().forward(given)
    assert (expected.diverged >= 0).any()
    np.testing.assert_array_equal(found.diverged, expected.diverged)
    np.testing.assert_array_equal(found.states, expected.states)
    found, expected = Cuda().backward(given), Cpu().backward(given)
    np.testing.assert_array_equal(found.diverged, expected.diverged)


def reach(x, draw, params, out):
    """An entry of a table that is not there for large states."""
    for k in range(len(x)):
        out[k] = 1.5 * x[k] + params[0][int(x[k]) if abs(x[k]) > 5.0 else -1 - draw[0]]


@pytest.mark.parametrize("dim", [2, 20])
def test_an_index_out_of_range_gives_no_number(dim):
    """As on the processor: NaN from the step on at which it is met, wherever states are kept; others go on."""
    maps = ito.CustomMaps(reach, dim=dim, noise="index", n_maps=3, params=([1.0, 0.0, -0.5],))
    given = problem(maps, saves=[1, 2, 5], replicas=12)
    found, expected = Cuda().forward(given), Cpu().forward(given)
    np.testing.assert_array_equal(found.diverged, expected.diverged)
    assert len(set(expected.diverged.tolist())) > 1
    for order, run in RUNS.items():
        if order == "backward_to":
            continue
        np.testing.assert_array_equal(run(Cuda(), given), run(Cpu(), given), err_msg=order)


def test_states_in_memory_are_cut_anywhere(monkeypatch):
    given = problem(EVERY["gaussian d=20"], saves=[0, 70, 90, 200], replicas=3)
    whole = {order: run(Cpu(), given) for order, run in RUNS.items() if order != "backward_to"}
    monkeypatch.setattr(launches, "WORK_OF_LAUNCH", 1)
    monkeypatch.setattr(arrays, "free_bytes", lambda: 1)
    for order, expected in whole.items():
        np.testing.assert_array_equal(RUNS[order](Cuda(), given), expected, err_msg=order)


def test_progress_ends_at_the_whole():
    told: list[float] = []
    given = problem(EVERY["two-point"], saves=[5, 9])
    for run in (Cuda().forward, Cuda().backward, lambda p, report: Cuda().window(p, 2, report)):
        told.clear()
        run(given, Report(told.append))
        assert told[-1] == 1.0
        assert told == sorted(told)


@pytest.mark.parametrize("dim", [1, 2, 3, 7])
def test_sums_in_registers_have_the_roundings_of_their_twin(dim):
    rng = np.random.default_rng(dim)
    a, x, start = rng.normal(size=dim), rng.normal(size=dim), rng.normal()
    dot = thread_states(dim, np.dtype(np.float64)).dot
    assert dot(tuple(a), tuple(x), start) == naive.chained_sum(a, x, start, 2, fused())


def fused() -> bool:
    """Whether a·b + c is one rounding here."""
    return compilers.madd(1.0 + 2.0**-30, 1.0 + 2.0**-30, -1.0 - 2.0**-29) == 2.0**-60


def test_only_the_hub_imports_the_compiler_for_gpus():
    """Nothing else of the package names numba.cuda, and no file of a device writes a body's mathematics again."""
    package = DEVICE.parents[1]
    importing = set()
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [f"{node.module}.{n.name}" for n in node.names] if isinstance(node, ast.ImportFrom) else []
            if any(re.match(r"numba\.cuda|numba_cuda|cupy", name) for name in names):
                importing.add(file.name)
    assert importing == {"compilers.py"}


def test_kernels_are_the_same_objects_for_maps_that_compile_to_the_same():
    one, other = EVERY["linear d=1"].form(), ito.LinearRegressionSGD([[1.0], [2.0]] * 4, [0.0, 1.0] * 4, 0.1).form()
    double = np.dtype(np.float64)
    assert image_of(one, double) is image_of(other, double)
    assert walks.walk_of(2, 1, image_of(one, double), True) is walks.walk_of(2, 1, image_of(other, double), True)
    assert team_states(20, double, halves_first) is not team_states(20, double)


def long_system(kind: str, dim: int):
    """Systems with states that a team keeps in memory."""
    rng = np.random.default_rng(dim)
    features, targets = rng.normal(size=(4, dim)) / np.sqrt(dim), rng.normal(size=4)
    if kind == "linear":
        return ito.LinearRegressionSGD(features, targets, 0.3, batch_size=2, ridge=0.1)
    if kind == "logistic":
        return ito.LogisticRegressionSGD(features, np.sign(targets), 0.5)
    if kind == "momentum":
        return ito.Optimizer(ito.LinearRegressionSGD(features, targets, 0.3), momentum=0.4, weight_decay=0.1)
    roots = rng.normal(size=(2, dim, dim)) / dim
    quadratic = ito.QuadraticSGD(roots @ roots.swapaxes(1, 2), rng.normal(size=(2, dim)), 0.2, batch_size=2)
    return quadratic if kind == "quadratic" else ito.Optimizer(quadratic, weight_decay=0.2)


LONG_STATES = [("linear", 45), ("linear", 130), ("logistic", 129), ("momentum", 121)]


@pytest.mark.parametrize(
    ("kind", "dim", "dtype"),
    [*((*state, dtype) for state in LONG_STATES for dtype in ("float64", "float32")), ("quadratic", 17, "float64")],
)
def test_states_in_memory_of_a_team_have_the_bits_of_the_processor(kind, dim, dtype, monkeypatch):
    """As they are from d = 241 on, here with a lower border; five chains, whole groups and rests."""
    monkeypatch.setattr(long_states, "MOST_IN_REGISTERS", 1)
    given = problem(long_system(kind, dim), dtype, saves=[0, 2, 3])
    for order, run in RUNS.items():
        np.testing.assert_array_equal(run(Cuda(), given), run(Cpu(), given), err_msg=order)


def test_the_border_of_states_in_memory():
    assert [long_states.is_long(dim, np.dtype(np.float64)) for dim in (240, 241)] == [False, True]
