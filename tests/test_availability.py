"""Each thing that can keep CUDA from being used has a word of its own, a sentence, and what to do about it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

import iterorder as ito
from iterorder.errors import BackendUnavailableError
from iterorder.kernels.device import availability
from iterorder.kernels.device.availability import DeviceError, Machine, is_simulated, obstacle, require


class Imagined(Machine):
    """A machine on which CUDA 13 works, but for what is said."""

    def __init__(self, **differences) -> None:
        self.variables: dict[str, str] = differences.pop("variables", {})
        self.modules: dict[str, object] = differences.pop("modules", {})
        self.missing: tuple[str, ...] = differences.pop("missing", ())
        self.numpy, self.driver, self.runtime, self.count = (2, 5), 13000, 13020, 1
        self.cupy_error: Exception | None = None
        self.asked: list[str] = []
        vars(self).update(differences)

    def variable(self, name):
        return self.variables.get(name, "")

    def loaded(self, module):
        return self.modules.get(module)

    def installed(self, module):
        self.asked.append(module)
        return module not in self.missing

    def numpy_version(self):
        return self.numpy

    def cupy(self):
        self.asked.append("import cupy")
        if self.cupy_error:
            raise self.cupy_error

    def library(self, name):
        return "" if name in self.missing else f"lib{name}.so.4"

    def has_driver(self):
        return self.driver > 0

    def driver_version(self):
        return self.driver

    def runtime_version(self):
        return self.runtime

    def devices(self):
        if isinstance(self.count, Exception):
            raise self.count
        return self.count


def numba_said(simulating):
    return SimpleNamespace(config=SimpleNamespace(ENABLE_CUDASIM=simulating))


ASKED = {availability.SIMULATOR: "1"}
#: What differs, the word, what the sentence names, and the line that helps.
CASES = {
    "cupy-missing": ({"missing": ("cupy",)}, "CuPy is not installed", "pip install 'iterorder[cuda13]'"),
    "compiler-missing": (
        {"missing": ("numba_cuda",)},
        "numba-cuda, is not installed",
        "pip install 'iterorder[cuda13]'",
    ),
    "numpy-too-new": ({"numpy": (2, 6)}, "NumPy is 2.6", "pip install 'numpy<2.6'"),
    "cupy-broken": (
        {"cupy_error": ImportError("\nlibnvrtc.so.13: cannot open\nmore")},
        "ImportError: libnvrtc.so.13: cannot open)",
        "pip install --force-reinstall 'iterorder[cuda13]'",
    ),
    "libnvvm-missing": ({"missing": ("nvvm",)}, "libnvvm", "pip install 'iterorder[cuda13]'"),
    "no-driver": ({"driver": 0, "count": 0}, "no NVIDIA driver", "nvidia-smi"),
    "driver-too-old": (
        {"driver": 12080},
        "runs CUDA up to 12.8, and CuPy is made for 13.2",
        "pip uninstall cupy-cuda13x; pip install 'iterorder[cuda12]'",
    ),
    "no-device": (
        {"count": 0, "variables": {"CUDA_VISIBLE_DEVICES": "7"}},
        "CUDA_VISIBLE_DEVICES is '7'",
        "nvidia-smi",
    ),
    "simulator-too-late": (
        {"variables": ASKED, "modules": {"numba": numba_said(0)}},
        "NUMBA_ENABLE_CUDASIM was set to '1' after Numba was imported",
        "NUMBA_ENABLE_CUDASIM=1 python …",
    ),
}


def on(monkeypatch, **differences) -> Imagined:
    machine = Imagined(**differences)
    monkeypatch.setattr(availability, "MACHINE", machine)
    return machine


def test_nothing_is_in_the_way_of_a_machine_that_has_everything(monkeypatch):
    on(monkeypatch)
    assert obstacle() is None
    require()


@pytest.mark.parametrize("reason", CASES)
def test_each_obstacle_has_its_own_word_sentence_and_line(reason, monkeypatch):
    differences, said, remedy = CASES[reason]
    on(monkeypatch, **differences)
    with pytest.raises(BackendUnavailableError, match=re.escape(said)) as caught:
        require()
    assert caught.value.reason == reason
    assert str(caught.value).startswith("backend is 'cuda': ")
    assert str(caught.value).endswith(remedy)


@pytest.mark.parametrize("reason", CASES)
def test_each_word_is_documented(reason):
    assert f'"{reason}"' in BackendUnavailableError.__doc__


def test_what_is_needed_first_is_told_first(monkeypatch):
    everything = {"missing": ("cupy", "numba_cuda", "nvvm"), "numpy": (3, 0), "driver": 0, "count": 0}
    told = []
    while (found := _obstacle_of(monkeypatch, everything)) is not None:
        told.append(found.reason)
        mended = {"cupy-missing": ("numba_cuda", "nvvm"), "compiler-missing": ("nvvm",), "libnvvm-missing": ()}
        fixes = {"numpy-too-new": {"numpy": (2, 0)}, "no-driver": {"driver": 13000}, "no-device": {"count": 2}}
        everything |= fixes.get(found.reason, {"missing": mended.get(found.reason, ())})
    assert told == ["no-driver", "cupy-missing", "compiler-missing", "numpy-too-new", "libnvvm-missing", "no-device"]


def test_a_missing_package_is_told_beside_a_missing_driver(monkeypatch):
    """Who installs CuPy and then reads of the driver has been told too late."""
    assert "CuPy is missing" in _obstacle_of(monkeypatch, {"driver": 0, "missing": ("cupy",)}).message
    assert "CuPy" not in _obstacle_of(monkeypatch, {"driver": 0}).message


@pytest.mark.parametrize("there", [True, False])
def test_the_library_of_the_driver_is_asked_for_by_its_name(there, monkeypatch):
    asked = []

    def load(name):
        asked.append(name)
        if not there:
            raise OSError("cannot open shared object file")

    monkeypatch.setattr(availability.ctypes, "CDLL", load)
    assert Machine().has_driver() == there
    assert asked[0] in ("libcuda.so.1", "nvcuda.dll")


def _obstacle_of(monkeypatch, differences):
    on(monkeypatch, **differences)
    return obstacle()


def test_nothing_is_imported_before_all_of_it_is_there(monkeypatch):
    """A package that is too new for another may fail in its own words when it is imported."""
    for differences in ({"missing": ("numba_cuda",)}, {"numpy": (2, 6)}):
        machine = on(monkeypatch, **differences)
        assert obstacle() is not None
        assert "import cupy" not in machine.asked


@pytest.mark.parametrize(
    ("error", "reason", "said"),
    [
        (DeviceError("cudaErrorInsufficientDriver: driver is insufficient", 35), "driver-too-old", "up to 13.0"),
        (DeviceError("cudaErrorNoDevice: no CUDA-capable device", 100), "no-device", "shows no GPU"),
        (DeviceError("cudaErrorSystemNotReady: system not yet initialized", 802), "no-device", "SystemNotReady"),
        (DeviceError("cudaErrorInitializationError: initialization error", 3), "forked", "forked"),
    ],
)
def test_what_the_runtime_answers_is_told(error, reason, said, monkeypatch):
    on(monkeypatch, count=error)
    found = obstacle()
    assert found.reason == reason
    assert said in found.message


def test_a_driver_before_cuda_12_needs_a_newer_one(monkeypatch):
    on(monkeypatch, driver=11080, runtime=12090)
    found = obstacle()
    assert found.reason == "driver-too-old"
    assert "from 525 on" in found.message
    assert "pip" not in found.remedy


@pytest.mark.parametrize(
    ("variables", "modules", "simulated", "late"),
    [
        ({}, {}, False, False),
        (ASKED, {}, True, False),
        ({availability.SIMULATOR: "0"}, {}, False, False),
        (ASKED, {"numba": numba_said(1)}, True, False),
        (ASKED, {"numba": numba_said(0)}, False, True),
        ({}, {"numba": numba_said(1)}, True, True),
        # Numba reads the variable again when it compiles: what numba.cuda was imported as goes before.
        (ASKED, {"numba": numba_said(1), "numba.cuda": object()}, False, True),
        (ASKED, {"numba.cuda": object(), "numba.cuda.simulator_init": object()}, True, False),
        ({}, {availability.HUB: SimpleNamespace(SIMULATED=True)}, True, False),
        (ASKED, {availability.HUB: SimpleNamespace(SIMULATED=False)}, False, True),
    ],
)
def test_the_simulator_is_chosen_before_numba_is_imported(variables, modules, simulated, late, monkeypatch):
    on(monkeypatch, variables=variables, modules=modules)
    assert is_simulated() == simulated
    found = obstacle()
    assert (found is not None and found.reason == "simulator-too-late") == late


def test_a_machine_that_can_be_used_is_asked_once_and_one_that_cannot_each_time(monkeypatch):
    asked = []
    machine = on(monkeypatch, driver=0)
    machine.driver = 13000
    monkeypatch.setattr(machine, "has_driver", lambda: asked.append(1) or len(asked) >= 3)
    for _ in range(2):
        with pytest.raises(BackendUnavailableError, match="no NVIDIA driver"):
            require()
    for _ in range(4):
        require()
    assert len(asked) == 3


def test_the_simulator_needs_nothing_else(monkeypatch):
    bare: dict = {"missing": ("cupy", "numba_cuda", "nvvm"), "numpy": (3, 0), "driver": 0}
    on(monkeypatch, variables=ASKED, **bare)
    require()
    on(monkeypatch, **bare)
    with pytest.raises(BackendUnavailableError, match="no NVIDIA driver"):
        require()


def test_this_machine_is_told_apart_without_a_compiler():
    """In a process of its own; whatever is true here is one of the documented answers, and Numba is not imported."""
    code = (
        "import sys; from iterorder.kernels.device.availability import obstacle; found = obstacle(); "
        "print('numba' in sys.modules, found.reason if found else 'usable')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    compiled, reason = result.stdout.split()
    assert compiled == "False"
    assert reason in {*CASES, "usable"}


def test_a_variable_set_after_the_first_simulation_is_too_late():
    code = (
        "import os, iterorder as ito; ito.simulate(ito.gallery.ar1(0.5, 1.0), [0.0], 3, seed=1); "
        "os.environ['NUMBA_ENABLE_CUDASIM'] = '1'\n"
        "from iterorder.kernels.device.availability import obstacle; print(obstacle().reason)"
    )
    environment = {name: value for name, value in os.environ.items() if name != availability.SIMULATOR}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["simulator-too-late"]


def test_what_is_advised_to_install_exists_and_has_a_ceiling():
    """Kernels lean on inner parts of numba-cuda; CuPy is of the same CUDA."""
    file = Path(__file__).parents[1] / "pyproject.toml"
    extras = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for version in ("12", "13"):
        assert extras[f"cuda{version}"] == [
            f"cupy-cuda{version}x>=14",
            f"numba-cuda[cu{version}]>=0.30.4,<0.31",
        ]
    assert "cuda13" in availability.INSTALL
    assert "cuda12" in availability.OLDER


def test_other_packages_have_one_word():
    assert ito.BackendUnavailableError("x").reason == "package-missing"
