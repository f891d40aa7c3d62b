"""What a run returns: its file, its xarray form; interruption and memory."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
import traceback

import numpy as np
import pytest

import iterorder as ito
from tests.systems import SYSTEMS

SAVED = ["two-point", "fern", "affine d=2 reshuffle", "linear d=3 batch 2", "logistic d=3 reshuffle"]


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("order", ["forward", "backward", ito.Window(3), ito.Window(start=2)], ids=str)
def test_save_and_load(name, order, tmp_path):
    maps = SYSTEMS[name]
    run = ito.simulate(
        maps, np.zeros(maps.dim), 6, order=order, n_replicas=2, seed=2**64 - 1, save_steps=[2, 6], first_step=5,
        first_replica=3,
    )  # fmt: skip
    path = tmp_path / "run without suffix"
    run.save(path)
    assert os.listdir(tmp_path) == [path.name]
    back = ito.load(path)
    for field in ("states", "save_steps", "diverged_at", "error_bound"):
        np.testing.assert_array_equal(getattr(back, field), getattr(run, field))
    assert (back.order, back.seed, back.first_step, back.first_replica) == (order, 2**64 - 1, 5, 3)
    assert type(back.maps) is type(maps)
    # The maps are whole: the run goes on from the file.
    more = ito.simulate(back.maps, back.states[:, -1], 3, n_replicas=2, seed=back.seed)
    again = ito.simulate(maps, run.states[:, -1], 3, n_replicas=2, seed=run.seed)
    np.testing.assert_array_equal(more.states, again.states)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "run.npz"
    ito.simulate(SYSTEMS["fern"], [0.0, 0.0], 5, n_replicas=3, seed=1, save_steps="all").save(path)
    return path


@pytest.mark.parametrize("keep", [0, 1, 10, 100, 0.5, 0.9, 0.999])
def test_a_cut_file_is_refused(saved, keep):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(keep * len(content)) if keep < 1 else keep])
    with pytest.raises(ito.InvalidInputError, match=r"run\.npz"):
        ito.load(saved)


def test_a_changed_byte_is_noticed(saved):
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 0xFF
    saved.write_bytes(content)
    with pytest.raises(ito.InvalidInputError, match="cut or no result"):
        ito.load(saved)


def test_foreign_files_are_refused(tmp_path):
    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, states=np.zeros(3))
    with pytest.raises(ito.InvalidInputError, match="no result"):
        ito.load(foreign)
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(ito.InvalidInputError, match="no result"):
        ito.load(tmp_path / "array.npy")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ito.InvalidInputError, match="no result"):
        ito.load(tmp_path / "text")
    with pytest.raises(FileNotFoundError):
        ito.load(tmp_path / "nothing.npz")
    newer = tmp_path / "newer.npz"
    header = np.frombuffer(json.dumps({"schema": "iterorder.trajectory/99"}).encode(), np.uint8)
    np.savez(newer, header=header)
    with pytest.raises(ito.InvalidInputError, match=r"schema 'iterorder.trajectory/99'"):
        ito.load(newer)


def test_pickled_objects_are_never_loaded(tmp_path):
    path = tmp_path / "pickle.npz"
    np.savez(path, header=np.array([{"schema": "iterorder.trajectory/1"}], object))
    with pytest.raises(ito.InvalidInputError):
        ito.load(path)


def text_of(error):
    """What a user sees of an error, its causes included."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "it is empty"),
        (lambda path: path.write_text("hello"), r"it is no \.npz file"),
        (lambda path: np.save(path.open("wb"), np.zeros(3)), r"a single array, a \.npy file"),
        (lambda path: np.save(path.open("wb"), np.array([{}], object)), r"a single array, a \.npy file"),
        (lambda path: path.write_bytes(pickle.dumps({"states": 1})), "a pickle, and those are never loaded"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"), "an HDF5 or NetCDF file"),
        (lambda path: path.write_bytes(b"PK\x05\x06" + bytes(18)), "it has no header"),
        (
            lambda path: np.savez(path, header=np.array([{}], object)),
            "it holds pickled objects, which are never loaded",
        ),
        (lambda path: np.savez(path, other=np.array([{}], object)), "it has no header"),
    ],
)
def test_no_foreign_file_brings_the_advice_to_unpickle(tmp_path, write, message):
    """NumPy's own words for most of these are to set allow_pickle, which runs what the file holds."""
    path = tmp_path / "foreign.npz"
    write(path)
    with pytest.raises(ito.InvalidInputError, match=message) as caught:
        ito.load(path)
    assert "allow_pickle" not in str(caught.value)
    assert "allow_pickle=True" not in text_of(caught.value)


def test_numpy_gives_that_advice(tmp_path):
    """The control: the words that must not come."""
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match="allow_pickle"):
        np.load(tmp_path / "text")


@pytest.mark.parametrize("name", ["run.nc", "run.NC", "run.zarr", "run.csv", "run.npy", "run.pkl", "run.h5"])
def test_a_suffix_of_another_format_is_refused(name, tmp_path):
    run = ito.simulate(SYSTEMS["fern"], [0.0, 0.0], 2, seed=1)
    with pytest.raises(ito.InvalidInputError, match=rf"{name} has the suffix of another format.*ends with \.npz, or"):
        run.save(tmp_path / name)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("name", ["noext", "run.npz", "h=0.25", "run.2026-01-31", ".hidden"])
def test_other_names_are_used_as_they_are(name, tmp_path):
    run = ito.simulate(SYSTEMS["fern"], [0.0, 0.0], 2, seed=1)
    run.save(str(tmp_path / name))
    assert os.listdir(tmp_path) == [name]
    np.testing.assert_array_equal(ito.load(tmp_path / name).states, run.states)


@pytest.mark.parametrize("path", [None, 5, ["run.npz"]])
def test_what_is_no_path_is_named(path):
    run = ito.simulate(SYSTEMS["fern"], [0.0, 0.0], 2, seed=1)
    for use in (run.save, ito.load):
        with pytest.raises(ito.InvalidInputError, match="path is "):
            use(path)


def test_a_trajectory_is_its_states_to_numpy():
    run = ito.simulate(SYSTEMS["fern"], [0.0, 0.0], 5, n_replicas=3, seed=1, save_steps=[1, 5], dtype="float32")
    np.testing.assert_array_equal(np.asarray(run), run.states)
    assert np.asarray(run).dtype == np.float32
    assert np.asarray(run, np.float64).dtype == np.float64
    assert not np.shares_memory(np.array(run), run.states)
    np.testing.assert_array_equal(np.mean(run, axis=0), run.states.mean(axis=0))
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        assert np.shares_memory(np.asarray(run), run.states)
        assert np.shares_memory(np.array(run, copy=False), run.states)
        with pytest.raises(ValueError, match="copy"):
            np.array(run, dtype=np.float64, copy=False)


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    content = saved.read_bytes()

    def broken(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", broken)
    run = ito.simulate(SYSTEMS["fern"], [0.0, 0.0], 5, seed=1)
    with pytest.raises(KeyboardInterrupt):
        run.save(saved)
    assert saved.read_bytes() == content
    assert os.listdir(saved.parent) == [saved.name]


def test_to_xarray_names_the_axes():
    pytest.importorskip("xarray")
    run = ito.simulate(SYSTEMS["fern"], [0.0, 0.0], 5, n_replicas=3, seed=1, save_steps=[1, 5], first_replica=7)
    data = run.to_xarray()
    assert data["states"].dims == ("replica", "step", "dim")
    np.testing.assert_array_equal(data["states"].sel(step=5, replica=8), run.states[1, 1])


def test_to_xarray_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    run = ito.simulate(SYSTEMS["fern"], [0.0, 0.0], 5, seed=1)
    with pytest.raises(ito.BackendUnavailableError, match=r"iterorder\[store\]"):
        run.to_xarray()


def run_script(script, **options):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        **options,
    )  # fmt: skip


def test_ctrl_c_is_heard_in_a_long_run():
    """One replica for 10¹² steps would take hours; the interrupt ends it at once and the process lives on."""
    process = run_script("""
        import signal
        import iterorder as ito
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job would inherit "ignore"
        maps = ito.gallery.two_point_quadratic(0.3)
        ito.simulate(maps, [0.5], 10, seed=1)
        try:
            print("running", flush=True)
            ito.simulate(maps, [0.5], 10**12, seed=1)
        except KeyboardInterrupt:
            print("interrupted", ito.simulate(maps, [0.5], 10, seed=1).states.shape, flush=True)
        """)
    try:
        assert process.stdout.readline() == "running\n"
        # The signal may come before the run starts, which is as good a place.
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (out, process.returncode) == ("interrupted (1, 1, 1)\n", 0), error


def test_ctrl_c_at_any_moment_leaves_no_thread_at_work():
    """Interrupts that come while threads are being given their work: none may go on behind the interpreter's back."""
    process = run_script("""
        import signal
        import iterorder as ito
        signal.signal(signal.SIGINT, signal.default_int_handler)
        maps = ito.gallery.two_point_quadratic(0.3)
        ito.simulate(maps, [0.5], 10, n_replicas=2000, seed=1)
        for interrupt in range(16):
            try:
                print("running", flush=True)
                ito.simulate(maps, [0.5], 10**12, n_replicas=512, seed=1)
            except KeyboardInterrupt:
                print("interrupted", flush=True)
        """)
    try:
        for interrupt in range(16):
            assert process.stdout.readline() == "running\n"
            time.sleep(2e-4 * interrupt)
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "interrupted\n"
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, error


MEMORY_SCRIPT = """
    import resource
    import numpy as np
    import iterorder as ito
    rng = np.random.default_rng(0)
    maps = ito.LinearRegressionSGD(rng.normal(size=(1000, 10)), rng.normal(size=1000), 0.01)
    ito.simulate(maps, np.zeros(10), 10, n_replicas=64, seed=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ito.simulate(maps, np.zeros(10), {n_steps}, n_replicas=10_000, seed=1)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """


def test_memory_does_not_grow_with_the_steps():
    """10⁴ replicas of a 10-dimensional regression: far below 200 MB above the data, however many steps."""
    used = []
    for n_steps in (200, 5000):
        process = run_script(MEMORY_SCRIPT.format(n_steps=n_steps))
        out, error = process.communicate(timeout=300)
        assert process.returncode == 0, error
        used.append(int(out) / 1024)
    # In MB: the states and their copies are 10⁴·10·8 bytes each; the threads' scratch memory is a few more.
    assert max(used) < 50
    assert used[1] < used[0] + 10


def test_a_trajectory_keeps_where_it_started(tmp_path):
    maps = ito.gallery.sierpinski()
    for starts in ([0.25, 0.5], [[0.25, 0.5], [0.0, 1.0], [0.5, 0.5]]):
        run = ito.simulate(maps, starts, 5, n_replicas=3, seed=0)
        assert np.array_equal(run.x0, starts)
        run.save(tmp_path / "run.npz")
        assert np.array_equal(ito.load(tmp_path / "run.npz").x0, starts)
    kept = ito.simulate(maps, [0.25, 0.5], 5, n_replicas=3, seed=0, checkpoint=tmp_path / "checkpoint")
    assert kept.x0.tolist() == [0.25, 0.5]


def test_files_without_a_start_load(tmp_path):
    run = dataclasses.replace(ito.simulate(ito.gallery.sierpinski(), [0.0, 0.0], 5, seed=0), x0=None)
    run.save(tmp_path / "run.npz")
    assert ito.load(tmp_path / "run.npz").x0 is None


def test_a_start_of_another_shape_is_refused(tmp_path):
    run = ito.simulate(ito.gallery.sierpinski(), [0.0, 0.0], 5, n_replicas=3, seed=0)
    dataclasses.replace(run, x0=np.zeros((2, 2))).save(tmp_path / "run.npz")
    with pytest.raises(ito.InvalidInputError, match="x0 has dtype"):
        ito.load(tmp_path / "run.npz")
