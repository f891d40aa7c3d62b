"""The backend of a GPU: as many replicas at a time as fit into its memory, in runs of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from iterorder.device_arrays import shown_bytes, to_numpy
from iterorder.errors import BackendUnavailableError, InvalidInputError
from iterorder.kernels.algorithm import is_carried, work
from iterorder.kernels.device import arrays
from iterorder.kernels.device.arrays import xp
from iterorder.kernels.device.long_states import is_long
from iterorder.kernels.device.run import Packed, Run
from iterorder.kernels.device.workspace import each_replica
from iterorder.kernels.problem import Out, Problem
from iterorder.progress import Report, part

#: Share of the free memory that a run may take.
USABLE = 0.8
#: The process in which a device was first used here.
_home: list[int] = []


class Cuda:
    """numba-cuda's kernels on CuPy's arrays; `kernels.backends.Backend` says what each method does.

    Parameters
    ----------
    chunk : int, optional
        Replicas at a time; as many as fit unless it is given, and fewer where they turn out not to fit.
    """

    def __init__(self, chunk: int | None = None) -> None:
        _check_process()
        self.chunk = chunk

    def forward(self, problem: Problem, report: Report | None = None) -> Out:
        """A piece of steps at a time; one in which a row leaves the finite numbers is looked through once more."""
        return self._run(problem, Run.forward, 1, report)

    def backward(self, problem: Problem, report: Report | None = None, chosen: str | None = None) -> Out:
        """By "each", a row for each saved iterate of which neighbours meet a map together, or by "incremental"."""
        chosen = chosen or _algorithm(problem)
        if chosen == "incremental":
            return self._run(problem, Run.incremental, problem.form.dim, report)
        return self._run(problem, Run.backward, len(problem.saves), report)

    def backward_work(self, problem: Problem) -> int:
        """That of the algorithm that `backward` chooses."""
        return work(_algorithm(problem), problem.form, problem.saves)

    def window(self, problem: Problem, width: int, report: Report | None = None) -> Out:
        """Each replica goes forward once."""
        return self._run(problem, lambda run, report: run.window(width, report), 1, report, len(problem.saves))

    def backward_to(self, problem: Problem, lengths: np.ndarray, report: Report | None = None) -> Any:
        """Bit for bit what `backward` saves after so many steps."""
        last = problem.saving(np.array([np.max(lengths)], np.int64))
        method = lambda run, report: run.backward_to(lengths[run.part], report)  # noqa: E731
        return self._run(last, method, 1, report).states[:, 0]

    def joined(self, first: Any, second: Any) -> Any:
        """In memory of its own, for which both are kept."""
        try:
            return xp.concatenate([first, second], axis=1)
        except arrays.OutOfMemory as error:
            n, dim = first.shape[::2]
            raise _no_room(n, first.shape[1] + second.shape[1], dim, first.dtype.itemsize) from error

    def _run(self, problem: Problem, method: Callable, rows: int, report: Report | None, states: int = 0) -> Out:
        """A method for some replicas at a time, with `rows` rows for each and `states` more; results in one place."""
        total = len(problem.x0)
        out, packed, each = self._room_for_results(problem), _packed(problem), each_replica(problem, rows, states)
        size = self.chunk or max(1, int(USABLE * arrays.free_bytes()) // each)
        first = 0
        while first < total:
            last = min(first + size, total)
            if _fits(method, packed, slice(first, last), out, part(report, first / total, last / total)):
                first = last
                continue
            arrays.release()
            if self.chunk or size == 1:
                raise _too_large(each, min(size, total))
            size = max(1, min(size, total) // 2)
        return Out(out.states, to_numpy(out.diverged))

    def _room_for_results(self, problem: Problem) -> Out:
        n, dim = problem.x0.shape
        saved, kind = len(problem.saves), problem.x0.dtype
        try:
            return Out(xp.empty((n, saved, dim), kind), xp.full(n, -1, np.int64))
        except arrays.OutOfMemory as error:
            raise _no_room(n, saved, dim, kind.itemsize) from error


def _no_room(n: int, saved: int, dim: int, number: int) -> InvalidInputError:
    needed = number * n * saved * dim + 8 * n
    return InvalidInputError(
        f"the result takes {shown_bytes(needed)} ({n} replicas × {saved} saved steps × {dim} numbers), and "
        f"{shown_bytes(arrays.free_bytes())} of the GPU's memory are free: lower n_replicas, or give fewer save_steps"
    )


def _packed(problem: Problem) -> Packed:
    """The problem with the tables of its maps on the device."""
    try:
        return Packed(problem)
    except arrays.OutOfMemory as error:
        raise InvalidInputError(
            f"maps have more data than the GPU's memory holds, of which {shown_bytes(arrays.free_bytes())} are free: "
            "free some of it, or give backend='cpu'"
        ) from error


def _fits(method: Callable, packed: Packed, part: slice, out: Out, report: Report | None) -> bool:
    """Run a method for some replicas; whether there was memory for it. What it had is free when this returns."""
    try:
        method(Run(packed, part, out), report)
    except arrays.OutOfMemory:
        return False
    return True


def _algorithm(problem: Problem) -> str:
    """That of the processor, but where rows of P would be as long as states that stay in memory."""
    carried = is_carried(problem.form, problem.saves) and not is_long(problem.form.dim, problem.x0.dtype)
    return "incremental" if carried else "each"


def _too_large(each: int, size: int) -> InvalidInputError:
    free = arrays.free_bytes()
    fits = min(int(USABLE * free) // each, size // 2)
    advice = f"give chunk={fits}" if fits else "free memory of the GPU, or give fewer save_steps or items"
    return InvalidInputError(
        f"chunk of {size} replicas takes about {shown_bytes(size * each)} of the GPU's memory beside its results, and "
        f"{shown_bytes(free)} are free: {advice}"
    )


def _check_process() -> None:
    """A driver that a process has started cannot be used by the processes that are forked from it."""
    if not _home:
        _home.append(os.getpid())
    if _home[0] != os.getpid():
        raise BackendUnavailableError(
            "backend is 'cuda': the GPU was used before this process was forked, and CUDA is of no use in a fork: "
            "start processes by multiprocessing.get_context('spawn')",
            "forked",
        )
