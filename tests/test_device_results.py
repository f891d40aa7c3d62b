"""``backend="cuda"`` from end to end in the simulator: everything that rests on a simulation, and what comes back.

Needs a process in which NUMBA_ENABLE_CUDASIM is 1 from the start, as `test_device` does.
"""

from __future__ import annotations

import multiprocessing
import os
from types import SimpleNamespace

import numpy as np
import pytest

import iterorder as ito
from iterorder import device_arrays
from tests.strict_arrays import OutOfMemoryError, StrictArray, as_kernel_arguments, strict

if os.environ.get("NUMBA_ENABLE_CUDASIM") != "1":
    pytest.skip("needs NUMBA_ENABLE_CUDASIM=1", allow_module_level=True)

from iterorder.kernels.device import arrays, backend, run

TWO = ito.gallery.two_point_quadratic(0.3)
FERN = ito.gallery.barnsley_fern()


@pytest.fixture(params=["NumPy", "a stand-in for CuPy"])
def library(request, monkeypatch):
    """The arrays of the simulator, or arrays that never become NumPy's by themselves."""
    if request.param == "NumPy":
        return np
    for module in (arrays, backend, run):
        monkeypatch.setattr(module, "xp", strict)
    monkeypatch.setattr(run, "argument", as_kernel_arguments)
    monkeypatch.setattr(device_arrays, "cupy", lambda: strict)
    return strict


ORDERS = {
    "forward": "forward",
    "backward": "backward",
    "sliding": ito.Window(width=3),
    "anchored": ito.Window(start=4),
}


@pytest.mark.parametrize("saves", ["all", [2, 9]])
@pytest.mark.parametrize("order", ORDERS.values(), ids=list(ORDERS))
def test_states_are_the_processors(library, order, saves):
    how: dict = {"order": order, "n_replicas": 3, "seed": 5, "save_steps": saves, "first_step": 2}
    for maps in (TWO, FERN, ito.gallery.double_well(0.1, 0.2)):
        start = np.full(maps.dim, 0.25)
        found, expected = ito.simulate(maps, start, 9, backend="cuda", **how), ito.simulate(maps, start, 9, **how)
        assert isinstance(found.states, library.ndarray)
        assert isinstance(found.diverged_at, np.ndarray)
        np.testing.assert_array_equal(found.to_numpy().states, expected.states)
        np.testing.assert_array_equal(np.asarray(found), expected.states)
    other = ito.simulate(maps, start, 9, backend="cuda", **{**how, "seed": 6})
    assert (other.to_numpy().states != expected.states).any()


def test_starts_of_the_gpu_and_of_main_memory(library, tmp_path):
    """One for all, or one each; a cut run saves time, and a file holds NumPy's arrays."""
    starts = np.linspace(-1.0, 1.0, 4)[:, None]
    expected = ito.simulate(TWO, starts, 30, order="backward", n_replicas=4, seed=1, tol=1e-3)
    given = starts if library is np else StrictArray(starts)
    found = ito.simulate(TWO, given, 30, order="backward", n_replicas=4, seed=1, tol=1e-3, backend="cuda")
    np.testing.assert_array_equal(found.to_numpy().states, expected.states)
    assert found.error_bound.max() > 0.0
    found.save(tmp_path / "run.npz")
    np.testing.assert_array_equal(ito.load(tmp_path / "run.npz").states, expected.states)
    np.testing.assert_array_equal(found.to_xarray().states.values, expected.states)


def test_what_rests_on_simulations_is_the_processors(library):
    how: dict = {"n_replicas": 12, "seed": 3}
    run: dict = {"order": "backward", **how}
    expected = ito.coupling_distance(TWO, [0.5], [1.0], 8, **run)
    for start in ([0.5], [0.5] if library is np else StrictArray([0.5])):
        found = ito.coupling_distance(TWO, start, [1.0], 8, backend="cuda", **run)
        np.testing.assert_array_equal(found.per_replica, expected.per_replica)
        np.testing.assert_array_equal(found.scale, expected.scale)
    found = [ito.diagnose(FERN, [0.0, 0.0], 24, order="forward", backend=name, **how) for name in ("cpu", "cuda")]
    assert found[0].verdict == found[1].verdict
    assert found[0].evidence.late_diameter == pytest.approx(found[1].evidence.late_diameter, rel=1e-14)
    samples = [ito.stationary_sample(TWO, 6, seed=2, backend=name) for name in ("cpu", "cuda")]
    np.testing.assert_array_equal(samples[0].points, samples[1].to_numpy().points)
    np.testing.assert_array_equal(samples[0].error_bound, samples[1].error_bound)
    assert repr(samples[1]) == repr(samples[0])


def halve(x, draw, params, out):
    """Half way to a random point."""
    out[0] = 0.5 * (x[0] + draw[0])


def test_a_sample_by_coalescence_is_the_processors(monkeypatch):
    """With short searches for what speaks against it: the simulator takes a millisecond for a step."""
    for place, value in (
        ("coalescence.PROBE_STEPS", 32),
        ("coalescence.PROBE_REPLICAS", 4),
        ("reasons.SETTLE", 32),
        ("reasons.REPLICAS", 4),
        ("far_laws.EARLIEST", 64),
    ):
        monkeypatch.setattr(f"iterorder.stationary.{place}", value)
    maps = ito.CustomMaps(halve, dim=1)
    samples = [ito.stationary_sample(maps, 2, seed=2, tol=1e-3, backend=name) for name in ("cpu", "cuda")]
    np.testing.assert_array_equal(samples[0].points, samples[1].points)


def test_divergence_and_its_trajectory(library):
    maps = ito.AffineMaps([[[40.0]], [[50.0]]], [[1.0], [0.0]])
    with pytest.raises(ito.DivergenceError, match="between steps") as found:
        ito.simulate(maps, [1.0], 300, n_replicas=3, seed=1, save_steps=[2, 300], backend="cuda")
    assert np.isfinite(found.value.trajectory.to_numpy().states[:, 0]).all()
    with pytest.raises(ito.DivergenceError, match="all 2 replicas"):
        ito.coupling_distance(maps, [1.0], [2.0], 300, order="forward", n_replicas=2, seed=1, backend="cuda")


def test_chunks_have_the_same_bits_and_are_halved_where_memory_ends(library, monkeypatch):
    how: dict = {"n_replicas": 9, "seed": 4, "save_steps": [3, 7], "order": "backward"}
    expected = ito.simulate(TWO, [0.5], 7, **how).states
    for chunk in (1, 4, 100):
        found = ito.simulate(TWO, [0.5], 7, backend="cuda", chunk=chunk, **how)
        np.testing.assert_array_equal(found.to_numpy().states, expected)
    sizes = []
    whole = run.Run.backward

    def scarce(self, report=None):
        sizes.append(self.n)
        if self.n > 2:
            raise OutOfMemoryError
        whole(self, report)

    monkeypatch.setattr(run.Run, "backward", scarce)
    monkeypatch.setattr(run.Run, "incremental", scarce)
    found = ito.simulate(TWO, [0.5], 7, backend="cuda", **how)
    np.testing.assert_array_equal(found.to_numpy().states, expected)
    assert sizes == [9, 4, 2, 2, 2, 2, 1]
    with pytest.raises(ito.InvalidInputError, match=r"chunk of 5 replicas takes about .* are free: give chunk=\d+"):
        ito.simulate(TWO, [0.5], 7, backend="cuda", chunk=5, **how)


def test_a_result_that_does_not_fit_says_how_large_it_is(monkeypatch):
    def exhausted(*shape):
        raise OutOfMemoryError

    monkeypatch.setattr(backend.xp, "empty", exhausted)
    with pytest.raises(ito.InvalidInputError, match=r"the result takes .* \(2 replicas × 1 saved steps × 1 numbers\)"):
        ito.simulate(TWO, [0.5], 7, n_replicas=2, seed=1, backend="cuda")


def test_an_anchored_run_that_does_not_fit_is_no_error_of_the_library(monkeypatch):
    """Its two runs fit, and both together do not."""
    whole = np.concatenate

    def exhausted(arrays, axis=0):
        if axis == 1 and arrays[0].ndim == 3:
            raise OutOfMemoryError
        return whole(arrays, axis=axis)

    monkeypatch.setattr(backend.xp, "concatenate", exhausted)
    how: dict = {"order": ito.Window(start=3), "save_steps": [1, 4, 7], "n_replicas": 2}
    with pytest.raises(ito.InvalidInputError, match=r"the result takes .* \(2 replicas × 3 saved steps × 1 numbers\)"):
        ito.simulate(TWO, [0.5], 7, seed=1, backend="cuda", **how)


def test_data_that_do_not_fit_are_named(monkeypatch):
    def exhausted(problem):
        raise OutOfMemoryError

    monkeypatch.setattr(backend, "Packed", exhausted)
    with pytest.raises(ito.InvalidInputError, match=r"maps have more data .* are free"):
        ito.simulate(TWO, [0.5], 7, n_replicas=2, seed=1, backend="cuda")


def _forked(queue) -> None:
    try:
        ito.simulate(TWO, [0.5], 3, seed=1, backend="cuda")
    except ito.BackendUnavailableError as error:
        queue.put((error.reason, str(error)))
    else:
        queue.put(("none", ""))


def test_a_fork_of_a_process_that_used_the_gpu_is_told_so():
    ito.simulate(TWO, [0.5], 3, seed=1, backend="cuda")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_forked, args=(queue,))
    child.start()
    reason, message = queue.get(timeout=60)
    child.join()
    assert reason == "forked"
    assert "spawn" in message


def test_a_destroyed_stream_is_an_error(monkeypatch):
    """CuPy gives CUDA's number back and raises nothing: 400 is an invalid handle, 600 a stream that works."""
    monkeypatch.setattr(strict.cuda, "get_current_stream", lambda: SimpleNamespace(ptr=7), raising=False)
    monkeypatch.setattr(arrays, "xp", strict)
    for status in (0, 600):
        monkeypatch.setattr(strict.cuda.runtime, "streamQuery", lambda stream, status=status: status, raising=False)
        assert arrays.current_stream() == 7
    monkeypatch.setattr(strict.cuda.runtime, "streamQuery", lambda stream: 400, raising=False)
    with pytest.raises(ito.InvalidInputError, match=r"stream cannot be used .CUDA.s error 400"):
        arrays.current_stream()


@pytest.mark.parametrize("wrong", [0, -3, 1.5, "many"])
def test_chunk_is_checked_on_every_backend(wrong):
    for name in ("cpu", "cuda"):
        with pytest.raises(ito.InvalidInputError, match="chunk"):
            ito.simulate(TWO, [0.5], 3, seed=1, backend=name, chunk=wrong)


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_a_checkpoint_keeps_what_the_gpu_computed(library, order, tmp_path):
    how: dict = {"order": order, "n_replicas": 3, "seed": 5, "save_steps": [2, 9]}
    given = np.array([0.25]) if library is np else StrictArray([0.25])
    expected = ito.simulate(TWO, [0.25], 9, **how).states
    for _ in range(2):  # the second finds the pieces of the first
        found = ito.simulate(TWO, given, 9, backend="cuda", checkpoint=tmp_path / "run", **how)
        np.testing.assert_array_equal(found.states, expected)
