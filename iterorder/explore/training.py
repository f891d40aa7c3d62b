"""Runs of training from a folder that the command line names: loss and ‖Δθ‖, never one without the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from iterorder.errors import InvalidInputError

#: Points of a curve that are sent; longer ones are thinned.
MOST_POINTS = 2000


def training_runs(folder: Path) -> list[dict]:
    """Name, order, saved steps, loss and moves (the first start and sequence) of each run in a folder or one below.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    from iterorder.networks.run import RESULT, runs_in

    runs = runs_in(folder)
    if not runs:
        raise InvalidInputError(f"--run {folder}: no {RESULT} there or one folder below: give that of iterorder train")
    found = []
    for name, run in runs:
        thin = slice(None, None, max(1, len(run.save_steps) // MOST_POINTS))
        loss = run.observables.get("loss", np.full(run.moves.shape, np.nan))
        found.append(
            {
                "name": name,
                "order": str(run.order),
                "steps": run.save_steps[thin].tolist(),
                "loss": np.asarray(loss)[0, 0, thin].tolist(),
                "moves": run.moves[0, 0, thin].tolist(),
            }
        )
    return found
