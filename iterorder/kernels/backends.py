"""What computes: a backend runs every order of composition for every form of maps."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from iterorder.kernels.problem import Out, Problem
from iterorder.progress import Report
from iterorder.validation import as_choice

BACKENDS = ("cpu", "cuda")


class Backend(Protocol):
    """Runs of a problem. All report their share of the maps that they apply, and give the same bits on any split.

    States are arrays of the backend, NumPy's or CuPy's; what else comes back is NumPy's.
    """

    def forward(self, problem: Problem, report: Report | None = None) -> Out:
        """The forward iterates, with the step at which each replica left the finite numbers."""
        ...

    def backward(self, problem: Problem, report: Report | None = None) -> Out:
        """The backward iterates, by the cheapest algorithm that the form and the saved steps allow."""
        ...

    def backward_work(self, problem: Problem) -> int:
        """The maps that `backward` applies for each replica, in units of the time of one."""
        ...

    def window(self, problem: Problem, width: int, report: Report | None = None) -> Out:
        """Forward up to the last `width` steps before each saved one, then those backward."""
        ...

    def backward_to(self, problem: Problem, lengths: np.ndarray, report: Report | None = None) -> np.ndarray:
        """The backward iterate of replica r after lengths[r] steps, shape (replicas, dim), NaN where not finite."""
        ...

    def joined(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """States saved by two runs of the same replicas, those of the first run first."""
        ...


def as_backend(name) -> str:
    """The name of a backend that can be used here; a `BackendUnavailableError` says why another cannot."""
    name = as_choice("backend", name, BACKENDS)
    if name == "cuda":
        from iterorder.kernels.device.availability import require

        require()
    return name


def backend_named(name: str, chunk: int | None = None) -> Backend:
    """The backend of a name that `as_backend` has let pass; `chunk` replicas at a time on a GPU.

    Numba takes longer to import than the rest of iterorder together: only a simulation pays for it.
    """
    if as_backend(name) == "cuda":
        from iterorder.kernels.device.backend import Cuda

        return Cuda(chunk)
    from iterorder.kernels.cpu.backend import Cpu

    return Cpu()
