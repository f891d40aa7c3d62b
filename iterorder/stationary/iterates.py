"""Iterates that each stop at a step of their own."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from iterorder.device_arrays import to_numpy
from iterorder.errors import DivergenceError
from iterorder.kernels.backends import backend_named
from iterorder.kernels.problem import Place, Problem
from iterorder.maps.base import RandomMaps
from iterorder.progress import Report
from iterorder.simulate import simulate


def settling_order(maps: RandomMaps) -> Literal["forward", "backward"]:
    """The order in which iterates at epoch ends converge to a point whose law is that of SGD at epoch ends.

    Backward, where epochs are as likely in either order. A cycle has one order: its backward iterates go to the fixed
    point of T_1∘…∘T_N (claim C13), which is another one for N ≥ 3, and may run away where those of T_N∘…∘T_1 converge.
    """
    return "forward" if maps.sampling_law.kind == "cyclic" else "backward"


def iterates_to(maps, start, n_steps, seed, report: Report | None = None, backend: str = "cpu") -> Any:
    """The iterate of sample r after n_steps[r] steps under the maps of replica r, shape (n, d), on its backend.

    In the settling order; in a cycle, where all replicas meet the same maps, n_steps is one number for all samples.
    """
    n_steps = np.ascontiguousarray(n_steps, np.int64)
    if settling_order(maps) == "forward":
        length = int(n_steps.max())
        assert (n_steps == length).all(), "replicas of a cycle differ"
        one = simulate(maps, np.asarray(start), length, order="forward", seed=seed, backend=backend, progress=report)
        return one.states[:, 0].repeat(len(n_steps), axis=0)
    starts = np.ascontiguousarray(np.broadcast_to(start, (len(n_steps), maps.dim)))
    problem = Problem(maps.form(), maps.sampling_law, seed, Place(), starts, np.array([n_steps.max()]))
    points = backend_named(backend).backward_to(problem, n_steps, report)
    gone = to_numpy(~np.isfinite(points).all(axis=1))
    if gone.any():
        advice = maps.smaller_steps
        raise DivergenceError(
            f"{int(gone.sum())} of {len(points)} samples left the finite numbers, the first of them sample "
            f"{int(gone.argmax())}: start nearer to the law{advice and f', or give {advice}'}"
        )
    return points
