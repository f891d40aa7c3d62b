"""Every kernel that the backend of a GPU launches, with the types of its arguments, where there is no GPU.

The backend itself packs, chooses and launches for the systems of the tests and some more; what it would launch is
written down instead. So nothing is forgotten that it can choose, and what it cannot do is seen. A process that has
imported this module is of no other use: NumPy stands in for CuPy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

# ruff: noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1]))
_stand_in = ModuleType("cupy")
vars(_stand_in).update(vars(np), cuda=SimpleNamespace(memory=SimpleNamespace(OutOfMemoryError=MemoryError)))
sys.modules["cupy"] = _stand_in

import numba.cuda.codegen
import numba.cuda.dispatcher
from numba.cuda.typing.typeof import typeof

import iterorder as ito
from iterorder.errors import MapCompilationError
from iterorder.kernels.cpu.profile import AVX512
from iterorder.kernels.device import arrays, launches
from iterorder.kernels.device.backend import Cuda
from iterorder.kernels.problem import Place, Problem
from tests.systems import EVERY, FEW, affine, logistic, model, quadratic, regression

#: Compute capabilities: A100, and H100 or H200.
CAPABILITIES = ((8, 0), (9, 0))
LANES, ROWS = AVX512.max_lane_dim_affine, AVX512.max_lane_dim_rows
#: What needs the most registers: the widest states of a thread, alone and with a velocity; and the sizes of benchmarks.
WIDEST = {
    f"affine d={LANES}": lambda: affine(LANES),
    f"quadratic d={LANES} batch": lambda: quadratic(LANES, batch_size=2),
    f"optimizer quadratic d={LANES} batch": lambda: ito.Optimizer(quadratic(LANES, batch_size=2), momentum=0.4),
    f"linear d={ROWS}": lambda: regression(ROWS),
    f"logistic d={ROWS}": lambda: logistic(ROWS),
    f"huber d={ROWS} batch": lambda: model(ROWS, "huber", batch_size=3),
    f"optimizer logistic d={ROWS} batch": lambda: ito.Optimizer(logistic(ROWS, batch_size=2), momentum=0.4),
    "poisson d=8": lambda: ito.LinearModelSGD(np.eye(8), np.ones(8), 0.1, loss="poisson"),
    "log-cosh d=8": lambda: model(8, "log-cosh"),
    "linear d=10": lambda: regression(10),
    "logistic d=10": lambda: logistic(10),
    "linear d=100": lambda: regression(100),
    "logistic d=100": lambda: logistic(100),
}


class DeviceKernel(NamedTuple):
    """A kernel with the types of its arguments, by the name of the first system for which it is launched."""

    system: str
    order: str
    dtype: str
    dim: int
    own_functions: bool
    dispatcher: Any
    types: tuple

    @property
    def name(self) -> str:
        """That of its line."""
        kernel = self.dispatcher.py_func.__name__
        return f"{self.system}, {self.order if kernel in ('forward', 'backward') else kernel}, {self.dtype}"


#: How each order is run; `locate` follows where a state leaves the finite numbers, of which it is told here.
ORDERS: dict[str, Callable[[Problem], Any]] = {
    "forward": lambda problem: Cuda().forward(problem),
    "backward": lambda problem: Cuda().backward(problem),
    "all backward": lambda problem: Cuda().backward(problem.saving(np.arange(200))),
    "window": lambda problem: Cuda().window(problem, 3),
    "backward_to": lambda problem: Cuda().backward_to(problem, np.array([2, 5])),
}


def without_device() -> None:
    """Let numba-cuda compile for a capability without asking a driver for one."""
    device = SimpleNamespace(compute_capability=CAPABILITIES[0])
    numba.cuda.dispatcher.get_current_device = lambda: device
    numba.cuda.codegen.devices = SimpleNamespace(get_context=lambda: SimpleNamespace(device=device))


def systems() -> Iterator[tuple[str, Any, str]]:
    """Those of the tests, and the widest, by name and type of float: in float32 one for each path through the code."""
    widest = {name: make() for name, make in WIDEST.items()}
    yield from ((name, maps, "float64") for name, maps in (EVERY | widest).items())
    yield from ((name, maps, "float32") for name, maps in ({name: EVERY[name] for name in FEW} | widest).items())


def every_kernel(missing: dict[str, str] | None = None) -> list[DeviceKernel]:
    """All kernels for `systems`, each once; `missing` gets the systems that have none, with the reason."""
    found: dict[tuple, DeviceKernel] = {}
    missing = {} if missing is None else missing
    for name, maps, dtype in systems():
        try:
            for kernel in _launched(name, maps, dtype):
                found.setdefault((kernel.dispatcher, kernel.types), kernel)
        except (TypeError, ValueError, MapCompilationError) as error:
            missing[name] = str(error).splitlines()[0]
    return list(found.values())


def _launched(name: str, maps, dtype: str) -> Iterator[DeviceKernel]:
    """What is launched in all orders; a kernel's flags are set, as if every state had left the finite numbers."""
    starts, saves = np.zeros((2, maps.dim), dtype), np.array([0, 1, 4, 9], np.int64)
    problem = Problem(maps.form(), maps.sampling_law, 1, Place(2, 1, 5), starts, saves)
    written: list[DeviceKernel] = []

    def launch(dispatcher, n_threads, team, *arguments):
        for flags in arguments:
            if isinstance(flags, np.ndarray) and flags.dtype == bool:
                flags[:] = True
        types = tuple(typeof(argument) for argument in arguments)
        written.append(DeviceKernel(name, order, dtype, maps.dim, maps.holds_functions, dispatcher, types))

    # The three places at which the backend meets a device.
    launches.launch, launches.tell = launch, lambda report, share: None
    arrays.free_bytes = lambda: 2**30
    for order, run in ORDERS.items():  # noqa: B007  (`launch` reads it)
        run(problem)
    yield from written
