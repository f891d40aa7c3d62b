"""`backend_info` and `iterorder doctor`: what is installed, and what can compute."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys

import pytest

import iterorder as ito
from iterorder import cli, resources
from iterorder.kernels.cpu import profile
from iterorder.kernels.device import availability
from tests.test_availability import CASES, Imagined


class WithGpus(Imagined):
    """Two GPUs, as CuPy tells of them."""

    count = 2

    def device(self, number):
        return availability.Device(f"GPU {number}", 80 * 10**9, "9.0")


@pytest.fixture
def usable(monkeypatch):
    monkeypatch.setattr(availability, "MACHINE", WithGpus(count=2))


def without(monkeypatch, reason):
    monkeypatch.setattr(availability, "MACHINE", WithGpus(**CASES[reason][0]))


def test_this_process_is_described():
    info = ito.backend_info()
    assert info["iterorder"] == ito.__version__
    assert info["packages"]["numpy"] == importlib.metadata.version("numpy")
    assert (info["threads"], info["memory"]) == (resources.threads(), resources.memory())
    assert info["processor"]["profile"] == ("AVX512" if profile.PROFILE == profile.AVX512 else "NARROW")
    assert ("avx512f" in info["processor"]["features"]) == (info["processor"]["profile"] == "AVX512")
    assert info["cpu"] == {"usable": True, "reason": None, "message": None, "remedy": None}
    found = availability.obstacle()
    assert info["cuda"]["reason"] == (found.reason if found else None)
    assert json.loads(json.dumps(info)) == info
    assert isinstance(info, dict)


def test_devices_are_listed_where_cuda_can_be_used(usable):
    info = ito.backend_info()
    cuda = info["cuda"]
    assert cuda["usable"]
    assert cuda["driver"] == "13.0"
    assert [device["name"] for device in cuda["devices"]] == ["GPU 0", "GPU 1"]
    text = repr(info)
    assert "cuda        usable\n" in text
    assert "GPU 1, 80.0 GB, compute capability 9.0" in text


@pytest.mark.parametrize("reason", CASES)
def test_the_reason_and_the_remedy_are_shown(reason, monkeypatch):
    without(monkeypatch, reason)
    info = ito.backend_info()
    _, said, remedy = CASES[reason]
    assert info["cuda"]["reason"] == reason
    assert info["cuda"]["devices"] == []
    assert f"cuda        not usable, {reason}: " in repr(info)
    assert said in repr(info)
    assert info["cuda"]["remedy"].endswith(remedy)
    assert f"\n            {info['cuda']['remedy']}" in repr(info)


def test_the_simulator_is_named(monkeypatch):
    monkeypatch.setattr(availability, "MACHINE", Imagined(variables={availability.SIMULATOR: "1"}, missing=("cupy",)))
    info = ito.backend_info()
    assert (info["cuda"]["usable"], info["cuda"]["simulated"], info["cuda"]["driver"]) == (True, True, None)
    assert "usable, in the simulator" in repr(info)


def test_the_status_is_that_of_the_backend(monkeypatch, capsys):
    without(monkeypatch, "no-device")
    assert cli.main(["doctor"]) == cli.OK
    assert cli.main(["doctor", "--backend", "cuda"]) == cli.FAILED
    monkeypatch.setattr(availability, "MACHINE", WithGpus())
    assert cli.main(["doctor", "--backend", "cuda"]) == cli.OK
    assert "compute capability" in capsys.readouterr().out


def test_json_goes_to_standard_output_alone_or_to_a_file(usable, capsys, tmp_path):
    assert cli.main(["doctor", "--json"]) == cli.OK
    assert json.loads(capsys.readouterr().out) == ito.backend_info()
    file = tmp_path / "doctor.json"
    assert cli.main(["doctor", "--json", str(file)]) == cli.OK
    assert capsys.readouterr().out.startswith("iterorder ")
    assert json.loads(file.read_text(encoding="utf-8")) == ito.backend_info()
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--backend", "gpu"], "--backend"), (["--json", "no/such/folder/doctor.json"], "--json"), (["C1"], "C1")],
)
def test_wrong_arguments(arguments, message, capsys):
    assert cli.main(["doctor", *arguments]) == cli.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


def test_without_a_compiler_the_processor_cannot_be_used():
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-m", "iterorder", "doctor"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == cli.FAILED, result.stderr
    assert "not usable, compiler-disabled: backend is 'cpu': NUMBA_DISABLE_JIT" in result.stdout
