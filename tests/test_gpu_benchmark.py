"""`make test-gpu` and `make benchmark-gpu`, where there is no GPU: what they say, and each row at a toy size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from iterorder.kernels.device import availability

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


def test_what_there_is_no_time_for_is_said(tmp_path):
    """Where no bit was compared, all is not well."""
    file = tmp_path / "gpu.json"
    result = run("--out", str(file), "--seconds", "0", "--equality", NUMBA_ENABLE_CUDASIM="1")
    assert result.returncode == 1
    assert "left out for want of time: two-point, forward, float64" in result.stdout
    assert json.loads(file.read_text(encoding="utf-8"))["equality"] == []
