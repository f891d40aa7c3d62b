"""Why CUDA cannot be used here, where it cannot.

What cannot be installed by pip is asked for first, then the packages in the order of their use, and no compiler is
imported for it: `numba.cuda` without numba-cuda is another, older compiler, and in the simulator there is nothing to
ask.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import sys
from functools import cache
from typing import Any, NamedTuple

from iterorder.errors import BackendUnavailableError

#: The first release of NumPy that neither CuPy 14 nor Numba 0.68 was made for.
NUMPY_BELOW = (2, 6)
SIMULATOR = "NUMBA_ENABLE_CUDASIM"
HUB = "iterorder.kernels.device.compilers"
#: CUDA's numbers of "no device" and "the driver is older than the libraries", as its runtime counts errors.
NO_DEVICE, OLD_DRIVER = 100, 35
#: What it answers in the fork of a process that has started it.
NOT_INITIALIZED = 3

INSTALL = "pip install 'iterorder[cuda13]'"
#: Of the other extra: CUDA 13 runs on drivers from 580 on.
OLDER = "cuda12 in place of cuda13 for drivers before 580"
SHOW_DRIVER = "nvidia-smi"


class Obstacle(NamedTuple):
    """Why CUDA cannot be used: a word for programs, a sentence, and a line for the shell that helps or shows more."""

    reason: str
    message: str
    remedy: str


class Device(NamedTuple):
    """A GPU: its name, bytes of memory, and what NVIDIA calls its compute capability."""

    name: str
    memory: int
    compute_capability: str


class DeviceError(Exception):
    """What CUDA's runtime answered in place of a number of devices."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Machine:
    """What is asked of the machine and of this process: tests put another one in its place."""

    def variable(self, name: str) -> str:
        """A variable of the environment; empty where it is not set."""
        return os.environ.get(name, "")

    def loaded(self, module: str) -> Any:
        """A module that has been imported, or None."""
        return sys.modules.get(module)

    def installed(self, module: str) -> bool:
        """Whether a top-level module is there to be imported."""
        return importlib.util.find_spec(module) is not None

    def numpy_version(self) -> tuple[int, int]:
        """Of NumPy."""
        major, minor = importlib.import_module("numpy").__version__.split(".")[:2]
        return int(major), int(minor)

    def cupy(self) -> Any:
        """CuPy; an exception says why it cannot be imported."""
        return importlib.import_module("cupy")

    def library(self, name: str) -> str:
        """The path of one of CUDA's libraries, as numba-cuda will find it; empty where it is not there."""
        try:
            found = importlib.import_module("cuda.pathfinder").load_nvidia_dynamic_lib(name)
        except (ImportError, RuntimeError):  # of which the pathfinder's own errors are kinds
            return ""
        return str(found.abs_path)

    def has_driver(self) -> bool:
        """Whether the library of NVIDIA's driver can be loaded, which needs none of the packages and starts nothing."""
        try:
            ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        except OSError:
            return False
        return True

    def driver_version(self) -> int:
        """The newest CUDA that the driver runs, 13000 for 13.0; 0 without a driver."""
        return int(self.cupy().cuda.runtime.driverGetVersion())

    def runtime_version(self) -> int:
        """The CUDA that CuPy was made for."""
        return int(self.cupy().cuda.runtime.runtimeGetVersion())

    def devices(self) -> int:
        """How many there are; a `DeviceError` where the driver does not say."""
        runtime = self.cupy().cuda.runtime
        try:
            return int(runtime.getDeviceCount())
        except runtime.CUDARuntimeError as error:
            raise DeviceError(str(error), int(error.status)) from error

    def device(self, number: int) -> Device:
        """One of them; asking makes no context on it."""
        known = self.cupy().cuda.runtime.getDeviceProperties(number)
        name, capability = known["name"], f"{known['major']}.{known['minor']}"
        return Device(name.decode() if isinstance(name, bytes) else name, int(known["totalGlobalMem"]), capability)


#: The one that is asked.
MACHINE = Machine()


def is_simulated() -> bool:
    """Whether kernels of this process run in Numba's simulator of a GPU, which is settled when Numba is imported."""
    if (hub := MACHINE.loaded(HUB)) is not None:
        return bool(hub.SIMULATED)
    if MACHINE.loaded("numba.cuda") is not None:
        return MACHINE.loaded("numba.cuda.simulator_init") is not None
    if (numba := MACHINE.loaded("numba")) is not None:
        return bool(numba.config.ENABLE_CUDASIM)
    return _is_asked_for()


def _is_asked_for() -> bool:
    return MACHINE.variable(SIMULATOR).strip() not in ("", "0")


def driver_and_devices() -> tuple[str | None, list[Device]]:
    """The newest CUDA that the driver runs, and the GPUs that can be used; (None, []) where CuPy cannot be asked."""
    if is_simulated() or (_no_driver() or _packages()) is not None:
        return None, []
    version = MACHINE.driver_version()
    shown = shown_version(version) if version else None
    return shown, [] if obstacle() is not None else [MACHINE.device(k) for k in range(MACHINE.devices())]


def require() -> None:
    """Raise a `BackendUnavailableError` where ``backend="cuda"`` cannot be had, and otherwise do nothing."""
    _require(MACHINE, os.getpid())


@cache
def _require(machine: Machine, process: int) -> None:
    """A machine is asked until nothing is in the way, and then no more: a fork is another process."""
    found = obstacle()
    if found is not None:
        raise BackendUnavailableError(f"backend is 'cuda': {found.message}: {found.remedy}", found.reason)


def obstacle() -> Obstacle | None:
    """The first thing that is in the way; None where CUDA, or its simulator, can be used."""
    if (found := _simulator()) is not None or is_simulated():
        return found
    return _no_driver() or _packages() or _driver()


def _simulator() -> Obstacle | None:
    if _is_asked_for() == is_simulated() or (is_simulated() and MACHINE.loaded(HUB) is not None):
        return None
    what = f"{SIMULATOR} was set to {MACHINE.variable(SIMULATOR)!r} after Numba was imported, which reads it once"
    return Obstacle("simulator-too-late", what, f"start Python anew: {SIMULATOR}=1 python …")


def _no_driver() -> Obstacle | None:
    """What no package helps without."""
    if MACHINE.has_driver():
        return None
    what = "there is no NVIDIA driver, or this process does not see it (in a container: give it the GPU)"
    beside = "" if MACHINE.installed("cupy") else f"; beside it, CuPy is missing ({INSTALL}, {OLDER})"
    return Obstacle("no-driver", what + beside, SHOW_DRIVER)


def _packages() -> Obstacle | None:
    """What pip installs, before any of it is imported; CuPy is the first that is."""
    if not MACHINE.installed("cupy"):
        return Obstacle("cupy-missing", f"CuPy is not installed ({OLDER})", INSTALL)
    if not MACHINE.installed("numba_cuda"):
        return Obstacle("compiler-missing", f"the compiler, numba-cuda, is not installed ({OLDER})", INSTALL)
    if (version := MACHINE.numpy_version()) >= NUMPY_BELOW:
        limit = ".".join(map(str, NUMPY_BELOW))
        what = f"NumPy is {'.'.join(map(str, version))}, newer than CuPy and numba-cuda are made for"
        return Obstacle("numpy-too-new", what, f"pip install 'numpy<{limit}'")
    try:
        MACHINE.cupy()
    except Exception as error:  # of a library that it cannot load, of any type
        what = f"CuPy is installed and cannot be imported ({type(error).__name__}: {_line(error)})"
        return Obstacle("cupy-broken", what, f"pip install --force-reinstall{INSTALL.removeprefix('pip install')}")
    if not MACHINE.library("nvvm"):
        what = f"libnvvm, with which numba-cuda compiles, is neither installed by pip nor in CUDA_HOME ({OLDER})"
        return Obstacle("libnvvm-missing", what, INSTALL)
    return None


def _driver() -> Obstacle | None:
    """Whether what only an administrator installs is new enough, and sees a device."""
    driver, runtime = MACHINE.driver_version(), MACHINE.runtime_version()
    if driver // 1000 < runtime // 1000:
        return _old_driver(driver, runtime)
    try:
        count = MACHINE.devices()
    except DeviceError as error:
        if error.status == OLD_DRIVER:
            return _old_driver(driver, runtime)
        if error.status == NOT_INITIALIZED:
            what = "CUDA was started before this process was forked, and is of no use in a fork"
            return Obstacle("forked", what, "start processes by multiprocessing.get_context('spawn')")
        said = "" if error.status == NO_DEVICE else f" ({_line(error)})"
        return _no_device(said)
    return None if count > 0 else _no_device("")


def _old_driver(driver: int, runtime: int) -> Obstacle:
    what = f"the driver runs CUDA up to {shown_version(driver)}, and CuPy is made for {shown_version(runtime)}"
    if driver >= 12000 and runtime >= 13000:
        what, remedy = f"{what}; a driver from 580 on helps as well", "pip install 'iterorder[cuda12]'"
        return Obstacle("driver-too-old", what, f"pip uninstall cupy-cuda13x; {remedy}")
    return Obstacle("driver-too-old", f"{what}; install a newer driver (CUDA 12 takes one from 525 on)", SHOW_DRIVER)


def _no_device(said: str) -> Obstacle:
    hidden = MACHINE.variable("CUDA_VISIBLE_DEVICES")
    note = f"; CUDA_VISIBLE_DEVICES is {hidden!r}" if hidden else ""
    return Obstacle("no-device", f"the driver is there and shows no GPU to this process{said}{note}", SHOW_DRIVER)


def shown_version(number: int) -> str:
    """CUDA's way of counting: 13020 is 13.2."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _line(error: Exception) -> str:
    """The first line that says something."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
