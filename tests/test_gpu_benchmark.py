"""`make test-gpu` and `make benchmark-gpu`, where there is no GPU: what they say, and each row at a toy size."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import iterorder as ito
from iterorder.kernels.device import availability
from tests import systems

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "gpu.py"


def run(*arguments, **variables):
    environment = {name: value for name, value in os.environ.items() if name != availability.SIMULATOR} | variables
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [(), ("--equality",)])
def test_without_a_gpu_one_line_says_why(arguments, tmp_path):
    if availability.obstacle() is None and not availability.is_simulated():
        pytest.skip("there is a GPU")
    file = tmp_path / "gpu.json"
    result = run(*arguments, "--out", str(file), CUDA_VISIBLE_DEVICES="")
    assert result.returncode == 3
    assert result.stdout == ""
    assert result.stderr.startswith("no GPU to be used, ")
    assert result.stderr.count("\n") == 1
    assert not file.exists()


def test_every_row_works_at_toy_sizes(tmp_path):
    """In the simulator: bits, and each speed with its variants; JAX where it is installed."""
    file = tmp_path / "gpu.json"
    result = run("--out", str(file), NUMBA_ENABLE_CUDASIM="1")
    assert result.returncode == 0, result.stdout + result.stderr
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content["failed"] == content["left out"] == []
    assert all(row["identical"] for row in content["equality"])
    assert {row["work"].split(", ")[-1] for row in content["equality"]} == {"float64", "float32"}
    assert content["machine"]["simulated"]
    assert content["machine"]["date"]
    for row in content["speed"]:
        assert row["speeds"]["cuda"]["median"] > 0
        assert any(name.startswith("cpu") for name in row["ratios"])
        assert "JAX tuned" in {*row["ratios"], *row["skipped"]}
    assert len(content["speed"]) == 9
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("setting", ["", " momentum", " dropout", " together"])
def test_rows_of_networks_work_and_refuse_what_is_more_than_rounding(setting, monkeypatch):
    """With the processor in the place of the GPU; the wrong target: single precision beside double."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import gpu_networks

    found = gpu_networks.compared(setting, "backward", "float64", backend="cpu")
    assert found["as expected"]
    assert 0.0 == found["largest difference"] < found["allowed difference"]
    plain = gpu_networks.model

    def single(width, backend, **how):
        return plain(width, "cpu", **how | ({"dtype": "float32"} if backend == "cuda" else {}))

    monkeypatch.setattr(gpu_networks, "model", single)
    assert not gpu_networks.compared(setting, "forward", "float64")["as expected"]


def test_speed_of_networks_is_that_of_all_steps(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import gpu_networks

    row = gpu_networks.measured(64, backend="cpu", n_steps=30)
    assert row["speeds"]["cuda"]["median"] == pytest.approx(30 * 31 / 2e6 / row["speeds"]["cuda"]["seconds"][0])


def test_the_committed_numbers_are_of_a_gpu_and_the_readme_shows_them(monkeypatch):
    """Bits of systems in every order, and no row that failed or was left out. A system may be newer than the file."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import update_readme

    files = [ROOT / "benchmarks" / name for name in ("gpu.json", "gpu_equality.json")]
    speed, equality = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    for content in (speed, equality):
        assert content["machine"]["cuda"]["usable"]
        assert not content["machine"]["simulated"]
        assert content["failed"] == content["left out"] == []
        assert all(row["as expected"] for row in content["equality"])
    runs = {row["work"]: row["identical"] for row in equality["equality"] if not row["work"].startswith("MLP")}
    assert {work.split(", ")[0] for work in runs} <= set(systems.EVERY)
    assert {work.split(", ")[0] for work, identical in runs.items() if not identical} == {
        name for name in systems.EVERY if "bent" in name
    }
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert update_readme.gpu_block(speed) in readme
    count = sum(runs.values())
    assert f"of {len(runs)} runs, {count} have the bits of the processor; {len(runs) - count}," in readme


def test_what_there_is_no_time_for_is_said(tmp_path):
    """Where no bit was compared, all is not well."""
    file = tmp_path / "gpu.json"
    result = run("--out", str(file), "--seconds", "0", "--equality", NUMBA_ENABLE_CUDASIM="1")
    assert result.returncode == 1
    assert "left out for want of time: two-point, forward, float64" in result.stdout
    assert json.loads(file.read_text(encoding="utf-8"))["equality"] == []


@pytest.mark.parametrize("name", ["bent d=3", "bent d=20 batch", "optimizer bent d=18 batch"])
def test_functions_of_another_library_differ_by_less_than_is_allowed(name, monkeypatch):
    """Three units more in each arctangent; the bound refuses one that is right in single precision alone."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import gpu_equality

    maps, n = systems.EVERY[name], 12
    units = gpu_equality.units_of_a_step(maps)
    assert units > 0
    allowed = gpu_equality.allowed_difference(units, maps.lipschitz_max, n) * np.finfo(float).eps
    states = [moved(maps, eps, n) for eps in (0.0, 3 * np.finfo(float).eps, np.finfo(np.float32).eps)]
    scale = max(1.0, np.abs(states[0]).max())
    assert 0.0 < np.abs(states[1] - states[0]).max() <= allowed * scale
    assert np.abs(states[2] - states[0]).max() > allowed * scale


def moved(maps, eps, n):
    """Iterates where each arctangent is off by a relative eps."""

    def slope(z, target, params):
        u = z - target
        return params[0] + math.atan(u - params[0]) * (1.0 + params[1]) if u > params[0] else max(u, -params[0])

    def off(inner):
        return dataclasses.replace(inner, loss=ito.Loss(slope, curvature_range=(0.0, 1.0), params=(0.5, eps)))

    given = dataclasses.replace(maps, maps=off(maps.maps)) if isinstance(maps, ito.Optimizer) else off(maps)
    return ito.simulate(given, np.zeros(maps.dim), n, n_replicas=200, seed=3).states


def test_systems_whose_functions_are_the_packages_own_must_be_identical(monkeypatch):
    """Sines, exponentials and whatever calls nothing have the same bits."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import gpu_equality

    called = {name for name, maps in systems.EVERY.items() if gpu_equality.units_of_a_step(maps)}
    assert called == {name for name in systems.EVERY if "bent" in name}
