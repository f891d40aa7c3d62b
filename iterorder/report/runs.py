"""Trajectories that were saved."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from iterorder.loading import load
from iterorder.report.document import Part, Section, drawn, facts
from iterorder.shown import span
from iterorder.trajectory import SCHEMA, Trajectory

#: The schema without its number.
KIND = SCHEMA.partition("/")[0]


def trajectories(folder: Path) -> Iterator[Section]:
    """One section for each file of `Trajectory.save`."""
    for path in sorted(folder.glob("*.npz")):
        if _is_one(path):
            yield Section(f"Trajectory {path.stem}", list(_parts(load(path))))


def _is_one(path: Path) -> bool:
    """Whether a file says that it is a trajectory."""
    try:
        with np.load(path, allow_pickle=False) as content:
            return str(json.loads(content["header"].tobytes())["schema"]).startswith(KIND)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return False


def _parts(run: Trajectory) -> Iterator[Part]:
    from matplotlib.figure import Figure

    from iterorder.plotting import PAGE, house_style

    with house_style():
        figure = Figure(figsize=(0.8 * PAGE, 0.45 * PAGE))
        run.plot(figure.subplots())
        yield drawn(figure, f"States of {len(run.states)} replicas, order {run.order}")
    replicas, saved, dim = run.states.shape
    yield facts(
        {
            "maps": repr(run.maps) if run.maps is not None else "custom, of which no code is kept",
            "order": str(run.order),
            "replicas": replicas,
            "dimension": dim,
            "saved steps": f"{saved}: {span(run.save_steps)}",
            "seed": str(run.seed),
            "noise": run.noise,
            "first step": run.first_step,
            "first replica": run.first_replica,
            "diverged": int((run.diverged_at >= 0).sum()),
            "type": str(run.states.dtype),
        }
    )
