"""Iterates that each stop at a step of their own, and what rounding may have done to them."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from iterorder.device_arrays import to_numpy
from iterorder.errors import DivergenceError
from iterorder.kernels.backends import backend_named
from iterorder.kernels.problem import Place, Problem
from iterorder.maps.base import RandomMaps
from iterorder.progress import Report
from iterorder.simulate import simulate
from iterorder.stationary.products import epoch_of

EPS = float(np.finfo(np.float64).eps)
# Share of the tolerance that the truncation may use; the rest is for rounding.
TRUNCATION = 0.5


class RoundingError(Exception):
    """Rounding alone may exceed the tolerance; the message is for the user."""


def rounding_of(maps, sizes, contraction: float, tol: float):
    """Rounding of the steps of an epoch, each of about d + batch operations, and what later maps leave of it.

    Of maps that a user wrote it is an estimate: their operations are not known.
    """
    law = maps.sampling_law
    one = 4.0 * epoch_of(maps) * (maps.dim + law.batch_size + 8) * EPS * sizes
    total = one / (1.0 - contraction) if contraction < 1.0 else np.full_like(one, math.inf)
    worst = float(np.max(total))
    if worst > (1.0 - TRUNCATION) * tol:
        raise RoundingError(
            f"tol is {tol:g}, but rounding alone can move a sample of size {float(np.max(sizes)):.3g} by {worst:.2g}: "
            f"give tol of at least {2.0 * worst:.1g}"
        )
    return total


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
