"""Trajectories and stationary samples that were saved."""

from __future__ import annotations

import itertools
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from iterorder.labelled import labels_of
from iterorder.loading import load
from iterorder.report.document import Part, Section, Table, drawn, facts, known
from iterorder.saved_moments import moments_at
from iterorder.shown import span
from iterorder.stationary.result import SCHEMA as OF_SAMPLES
from iterorder.stationary.result import StationarySample
from iterorder.trajectory import LEFT, Trajectory
from iterorder.trajectory import SCHEMA as OF_TRAJECTORIES

#: Coordinates whose moments are shown.
COORDINATES = 12


def saved_results(folder: Path) -> Iterator[Section]:
    """One section for each file of `Trajectory.save` and `StationarySample.save`."""
    for path in sorted(folder.glob("*.npz")):
        kind = _kind(path)
        if kind == _without_number(OF_TRAJECTORIES):
            run = load(path)
            seen = f"States of {len(run.states)} replicas, order {run.order}"
            parts = [*_parts(run, seen, _of_trajectory(run)), _last_states(run)]
            yield Section(f"Trajectory {path.stem}", parts, "trajectory")
        elif kind == _without_number(OF_SAMPLES):
            sample = load(path)
            seen = f"{len(sample.points)} draws from the stationary law"
            yield Section(f"Sample {path.stem}", list(_parts(sample, seen, _of_sample(sample))), "sample")


def _kind(path: Path) -> str:
    """What a file says that it is; empty where it says nothing."""
    try:
        with np.load(path, allow_pickle=False) as content:
            return _without_number(str(json.loads(content["header"].tobytes())["schema"]))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return ""


def _without_number(schema: str) -> str:
    """Of whatever version: one that is too new is told so when it is loaded."""
    return schema.partition("/")[0]


def _parts(result: Trajectory | StationarySample, seen: str, told: Table) -> Iterator[Part]:
    from matplotlib.figure import Figure

    from iterorder.plotting import PAGE, house_style

    with house_style():
        figure = Figure(figsize=(0.8 * PAGE, 0.45 * PAGE))
        result.plot(figure.subplots())
        yield drawn(figure, seen)
    yield told


def _of_trajectory(run: Trajectory) -> Table:
    replicas, saved, dim = run.states.shape
    gone = int((run.diverged_at >= 0).sum())
    return facts(
        {
            **_maps(run),
            "order": str(run.order),
            "replicas": replicas,
            "dimension": dim,
            "saved steps": f"{saved}: {span(run.save_steps)}",
            "seed": str(run.seed),
            "noise": run.noise,
            "first step": run.first_step,
            "first replica": run.first_replica,
            "diverged": f"{gone} of {replicas} {LEFT}" if gone else "none",
            "type": str(run.states.dtype),
            "largest Lipschitz constant": None if run.maps is None else run.maps.lipschitz_max,
            "error bound": float(run.error_bound.max()) or None,
        }
    )


def _last_states(run: Trajectory) -> Table:
    """Where each coordinate began, and its mean and standard deviation over the replicas at the end."""
    last = moments_at(run, len(run.save_steps) - 1)
    names = [str(label) if isinstance(label, str) else f"x{label}" for label in labels_of(run.maps, len(last.mean))]
    starts = [""] * len(names) if run.x0 is None else [span(column) for column in np.atleast_2d(run.x0).T]
    heads = ("coordinate", "start", f"mean at step {last.step:,}", "standard deviation")
    rows = zip(names, starts, map(known, last.mean), map(known, last.std), strict=True)
    more = [("…", "", "", "")] if len(names) > COORDINATES else []
    return Table(heads, [*itertools.islice(rows, COORDINATES), *more])


def _of_sample(sample: StationarySample) -> Table:
    evidence = sample.certificate == "coalescence"
    name, errors = ("spread of the starts", sample.spread) if evidence else ("error bound", sample.error_bound)
    return facts(
        {
            **_maps(sample),
            "certificate": sample.certificate,
            "rests on": sample.rests_on,
            "draws": len(sample.points),
            "dimension": sample.points.shape[1],
            name: f"at most {float(errors.max()):.3g}",
            "steps": span(sample.n_steps),
            "seed": str(sample.seed),
        }
    )


def _maps(result: Trajectory | StationarySample) -> dict[str, Any]:
    return {"maps": repr(result.maps) if result.maps is not None else "custom, of which no code is kept"}
