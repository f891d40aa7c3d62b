"""The memory that a run takes on a device beside its results."""

from __future__ import annotations

from iterorder.kernels import draw_tables
from iterorder.kernels.device.walks import FEW_POINTS
from iterorder.kernels.problem import Problem

#: Of a row: its state and copies of it, and what says how far it is.
COPIES, MARKS = 4, 40


def each_replica(problem: Problem, rows: int, states: int = 0) -> int:
    """Bytes for each replica that has so many rows of states, and so many saved states beside its results."""
    law, dim, saved = problem.law, problem.x0.shape[1], len(problem.saves)
    # Behind a state stand its total and its image, or in a row of increments its entry of Q.
    numbers = problem.x0.dtype.itemsize * 3 * (dim + 1)
    # What is looked through at the end: of each saved state whether it is finite, and where it is not.
    kept = states * dim * problem.x0.dtype.itemsize + saved * (2 * dim + 7)
    return kept + rows * (COPIES * numbers + MARKS + kept_bytes(draw_tables.draws_of(problem.form, law, 0)))


def kept_bytes(draws: draw_tables.Draws) -> int:
    """Bytes of the items that each row keeps: a permutation, or a batch of many points."""
    kept, kind = kept_items(draws)
    return kept * int(kind.removeprefix("uint")) // 8


def kept_items(draws: draw_tables.Draws) -> tuple[int, str]:
    """How many items a row keeps, and as which type."""
    if draws.kind == draw_tables.FISHER_YATES:
        return int(draws.n_items), "uint16"
    if draws.kind == draw_tables.BATCH and draws.batch_size > FEW_POINTS:
        return draws.batch_size, "uint32"
    return 0, "uint32"
