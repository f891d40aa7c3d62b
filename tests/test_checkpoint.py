"""Runs in pieces: the bits of one run, after any interruption, and costs before."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import iterorder as ito
from iterorder import checkpoint
from iterorder.errors import DivergenceError, InvalidInputError

ROOT = Path(__file__).resolve().parents[1]
RNG = np.random.default_rng(0)
LINEAR = ito.LinearRegressionSGD(RNG.normal(size=(20, 3)), RNG.normal(size=20), 0.1, batch_size=2)
LOGISTIC = ito.LogisticRegressionSGD(RNG.normal(size=(20, 3)), RNG.integers(0, 2, 20), 0.3, ridge=0.1)
SYSTEMS = {
    "linear": LINEAR,
    "logistic": LOGISTIC,
    "reshuffled": ito.LogisticRegressionSGD(LOGISTIC.features, LOGISTIC.labels, 0.3, ridge=0.1, sampling="reshuffle"),
    "momentum": ito.Optimizer(LINEAR, momentum=0.5),
    "custom": ito.gallery.vervaat(),
    "scheduled": ito.Optimizer(LOGISTIC, schedule="linear", horizon=80),
}
ORDERS = ["forward", "backward", ito.Window(7), ito.Window(start=30)]


def equal(first: ito.Trajectory, second: ito.Trajectory) -> bool:
    names = ("states", "save_steps", "diverged_at", "error_bound")
    return all(np.array_equal(getattr(first, n), getattr(second, n), equal_nan=True) for n in names)


class Stop(Exception):
    """Ends a run in the middle."""


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of a few steps or replicas, however fast they are."""
    monkeypatch.setattr(checkpoint, "FIRST", 0.01)
    sizes = itertools.cycle([1, 7, 16, 3])
    monkeypatch.setattr(checkpoint, "_next_size", lambda size, spent: next(sizes))


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("name", list(SYSTEMS))
@pytest.mark.parametrize("saves", [None, "all", [0, 3, 40, 80]], ids=["last", "all", "some"])
def test_pieces_have_the_bits_of_one_run(tmp_path, small_pieces, name, order, saves):
    maps, n_replicas = SYSTEMS[name], 21
    how = {"order": order, "n_replicas": n_replicas, "seed": 4, "save_steps": saves}
    whole = ito.simulate(maps, np.zeros(maps.dim), 80, **how)
    pieces = ito.simulate(maps, np.zeros(maps.dim), 80, checkpoint=tmp_path, **how)
    assert equal(whole, pieces)
    assert equal(whole, ito.simulate(maps, np.zeros(maps.dim), 80, checkpoint=tmp_path, **how))  # nothing is left to do
    assert pieces.maps is maps


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_every_interruption_leaves_the_same_run(tmp_path, small_pieces, monkeypatch, order):
    """An exception in front of each write, and another call that goes on."""
    how = {"order": order, "n_replicas": 12, "seed": 1, "save_steps": [5, 40], "noise": "independent"}
    whole = ito.simulate(LOGISTIC, np.zeros(3), 40, **how)
    write, tried = checkpoint._write, 0
    for k in range(100):
        left = [k]

        def interrupted(file, left=left, **arrays):
            left[0] -= 1
            if left[0] < 0:
                raise Stop
            write(file, **arrays)

        monkeypatch.setattr(checkpoint, "_write", interrupted)
        folder = tmp_path / str(k)
        try:
            ito.simulate(LOGISTIC, np.zeros(3), 40, checkpoint=folder, **how)
        except Stop:
            tried += 1
        else:
            break
        monkeypatch.setattr(checkpoint, "_write", write)
        assert equal(ito.simulate(LOGISTIC, np.zeros(3), 40, checkpoint=folder, **how), whole)
    assert tried >= 2


def test_shared_noise_first_steps_and_float32(tmp_path, small_pieces):
    starts = RNG.normal(size=(9, 3))
    for k, order in enumerate(ORDERS):
        how = {
            "order": order,
            "n_replicas": 9,
            "seed": 1,
            "save_steps": [10, 30],
            "noise": "shared",
            "first_step": 5,
            "first_replica": 2,
            "dtype": "float32",
        }
        pieces = ito.simulate(LINEAR, starts, 30, checkpoint=tmp_path / str(k), **how)
        assert equal(ito.simulate(LINEAR, starts, 30, **how), pieces)
        assert pieces.states.dtype == np.float32


def test_diverged_replicas_stay_lost(tmp_path, small_pieces):
    """With the step of the first number that is none, in whatever piece that was."""

    def step(x, draw, params, out):
        out[0] = x[0] * x[0]

    maps = ito.CustomMaps(step, dim=1)
    starts = np.array([[0.5], [3.0], [1.01], [0.9]])
    how = {"n_replicas": 4, "seed": 0, "save_steps": "all"}
    for k, order in enumerate(("forward", "backward")):
        whole = ito.simulate(maps, starts, 30, order=order, **how)
        pieces = ito.simulate(maps, starts, 30, order=order, checkpoint=tmp_path / str(k), **how)
        assert (whole.diverged_at >= 0).tolist() == [False, True, True, False]
        assert equal(whole, pieces)
    with pytest.raises(DivergenceError) as stop:
        ito.simulate(maps, starts[1:3], 30, n_replicas=2, seed=0, checkpoint=tmp_path / "all")
    assert np.isnan(stop.value.trajectory.states).all()


def test_certified_runs(tmp_path, small_pieces):
    maps = ito.gallery.two_point_quadratic(0.5)
    how = {"order": "backward", "n_replicas": 30, "seed": 0, "save_steps": [10, 90], "tol": 1e-6}
    whole = ito.simulate(maps, [0.0], 90, **how)
    assert equal(whole, ito.simulate(maps, [0.0], 90, checkpoint=tmp_path, **how))
    assert whole.error_bound.max() > 0


def test_damaged_pieces_are_computed_again(tmp_path, small_pieces):
    how = {"order": "backward", "n_replicas": 30, "seed": 0}
    whole = ito.simulate(LINEAR, np.zeros(3), 50, checkpoint=tmp_path, **how)
    pieces = sorted(tmp_path.glob("replicas-*.npz"))
    assert len(pieces) > 2
    pieces[1].write_bytes(pieces[1].read_bytes()[:-30])
    assert equal(ito.simulate(LINEAR, np.zeros(3), 50, checkpoint=tmp_path, **how), whole)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 1}, "seed: 0 there, 1 now"),
        ({"order": "backward"}, "order"),
        ({"n_steps": 51}, "n_steps: 50 there, 51 now"),
        ({"x0": np.ones(3)}, "x0_digest"),
        ({"maps": ito.LinearRegressionSGD(LINEAR.features, LINEAR.targets, 0.2, batch_size=2)}, "maps_digest"),
        ({"maps": LOGISTIC}, "maps: LinearRegressionSGD there, LogisticRegressionSGD now"),
    ],
)
def test_pieces_of_another_run_are_refused(tmp_path, change, told):
    arguments = {"maps": LINEAR, "x0": np.zeros(3), "n_steps": 50, "order": "forward", "seed": 0}
    ito.simulate(**arguments, checkpoint=tmp_path)
    with pytest.raises(InvalidInputError, match=told):
        ito.simulate(**arguments | change, checkpoint=tmp_path)


def test_folders_with_other_files_are_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InvalidInputError, match=r"thesis\.tex"):
        ito.simulate(LINEAR, np.zeros(3), 5, seed=0, checkpoint=tmp_path)


def test_a_killed_process_goes_on(tmp_path):
    code = textwrap.dedent("""
        import sys
        import iterorder as ito
        from iterorder import checkpoint
        checkpoint.PIECE_SECONDS = 0.02
        run = ito.simulate(ito.gallery.two_point_quadratic(0.5), [0.0], 20_000_000, n_replicas=64, seed=3,
                           checkpoint=sys.argv[1])
    """)
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    states, deadline = tmp_path / "run" / checkpoint.STATES, time.monotonic() + 100
    while not states.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    maps = ito.gallery.two_point_quadratic(0.5)
    how = {"n_replicas": 64, "seed": 3}
    with np.load(states) as kept:
        assert 0 < kept["done"] < 20_000_000
    again = ito.simulate(maps, [0.0], 20_000_000, checkpoint=tmp_path / "run", **how)
    assert equal(again, ito.simulate(maps, [0.0], 20_000_000, **how))


def test_the_file_of_a_run_is_json_and_arrays(tmp_path):
    ito.simulate(LINEAR, np.zeros(3), 5, seed=0, checkpoint=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["forward.npz", "run.json"]
    assert json.loads((tmp_path / "run.json").read_text())["seed"] == 0


def test_costs_count_bytes_and_grow_with_the_work():
    maps = ito.gallery.two_point_quadratic(0.5)
    small, large = (ito.estimate_cost(maps, n, n_replicas=100) for n in (10**8, 10**10))
    assert small.bytes == large.bytes == 100 * (8 + 8) + 8
    assert large.seconds > 10 * small.seconds  # a hundred times the steps
    all_steps = ito.estimate_cost(maps, 999, n_replicas=10, save_steps="all", order="backward")
    assert all_steps.bytes == 10 * 1000 * 16 + 8000
    for order in ORDERS:
        assert ito.estimate_cost(LOGISTIC, 3000, n_replicas=10, save_steps="all", order=order).seconds > 0
    with pytest.raises(InvalidInputError, match="n_steps"):
        ito.estimate_cost(maps, -1)
