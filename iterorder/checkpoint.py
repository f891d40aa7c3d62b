"""Long runs that go on after a kill: forward runs by steps, the others by blocks of replicas, each kept in a file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from iterorder._version import __version__
from iterorder.device_arrays import to_numpy
from iterorder.errors import InvalidInputError
from iterorder.files import as_path, make_folder, whole_file, write_json
from iterorder.log import detail
from iterorder.maps.digest import digest_of
from iterorder.orders import FORWARD
from iterorder.progress import Report, part, reported
from iterorder.request import Request
from iterorder.trajectory import Trajectory, kept_start

#: The file that says whose run a folder has, and that of a forward run's states.
ABOUT, STATES = "run.json", "forward.npz"
#: Seconds after which what was computed is written, and how much longer a piece may be than the one before.
PIECE_SECONDS, GROWTH = 20.0, 4
#: The share of the work that the first piece has.
FIRST = 1 / 4096

#: Runs a request, and returns what it has also where all replicas diverged.
Execute = Callable[[Request], Trajectory]


def in_pieces(request: Request, folder, execute: Execute) -> Trajectory:
    """The trajectory of a request, from the pieces in a folder and those that it lacks, bit for bit that of one run.

    Its states are in main memory, whatever computes them.

    Raises
    ------
    InvalidInputError
        If the folder has the pieces of another run; the message says what differs.
    """
    folder, request = as_path(folder), dataclasses.replace(request, x0=to_numpy(request.x0))
    _claim(folder, _description(request))
    with reported(request.progress, str(request.order)) as report:
        if request.order == FORWARD:
            return _by_steps(request, folder / STATES, execute, report)
        return _by_replicas(request, folder, execute, report)


# ------------------------------------------------------------------------------------------------------- whose pieces


def _claim(folder: Path, description: dict) -> None:
    make_folder(folder, "checkpoint")
    file = folder / ABOUT
    if not file.exists():
        if other := next(folder.iterdir(), None):
            raise InvalidInputError(f"checkpoint {folder} is a folder with {other.name}: give a new or an empty one")
        write_json(file, description)
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InvalidInputError(f"checkpoint {folder} cannot be read ({error}): give a new folder") from None
    if changed := [name for name in description if before.get(name) != description[name]]:
        told = "; ".join(f"{name}: {before.get(name)} there, {description[name]} now" for name in changed)
        raise InvalidInputError(f"checkpoint {folder} has the pieces of another run ({told}): give another folder")


def _description(request: Request) -> dict:
    """What decides the bits of a run."""
    return {
        "version": __version__,
        "maps": type(request.maps).__name__,
        "maps_digest": digest_of(request.maps),
        "x0_digest": hashlib.sha256(request.x0.tobytes()).hexdigest(),
        "shape": [*request.x0.shape],
        "dtype": str(request.x0.dtype),
        "order": str(request.order),
        "seed": request.seed,
        "save_steps_digest": hashlib.sha256(request.save_steps.tobytes()).hexdigest(),
        "n_steps": int(request.save_steps[-1]),
        "noise": request.noise,
        "first_step": request.first_step,
        "first_replica": request.first_replica,
        "backend": request.backend,
        "tol": request.tol,
    }


# ---------------------------------------------------------------------------------------------------------- by steps


def _by_steps(request: Request, file: Path, execute: Execute, report: Report | None) -> Trajectory:
    """Forward: a piece goes on from the states at the end of the one before."""
    saves, n_steps = request.save_steps, int(request.save_steps[-1])
    states = np.full((len(request.x0), len(saves), request.x0.shape[1]), np.nan, request.x0.dtype)
    diverged = np.full(len(request.x0), -1, np.int64)
    done, current = 0, request.x0
    if (kept := _read(file)) is not None:
        done, current, diverged = int(kept["done"]), kept["current"], kept["diverged"].copy()
        states[:, : int(kept["saved"])] = kept["states"]
        detail(f"checkpoint {file}: goes on after step {done:,}")
    size = max(1, math.ceil(n_steps * FIRST))
    while done < n_steps or (done == 0 and not file.exists()):
        begin, end, start = done, min(done + size, n_steps), time.monotonic()
        inside = (saves > done) & (saves <= end) if done else saves <= end
        piece = dataclasses.replace(
            request,
            x0=current,
            first_step=request.first_step + done,
            save_steps=np.unique(np.append(saves[inside] - done, end - done)),
            progress=part(report, done / max(1, n_steps), end / max(1, n_steps)),
        )
        run = execute(piece).to_numpy()
        gone = diverged >= 0
        # A start that is no number may come back as one, by a comparison in a map: it was lost for good.
        run_states = np.where(gone[:, None, None], np.nan, run.states)
        states[:, inside] = run_states[:, : int(inside.sum())]
        diverged = np.where(gone | (run.diverged_at < 0), diverged, run.diverged_at + done)
        current, done = np.ascontiguousarray(run_states[:, -1]), end
        saved = int((saves <= done).sum())
        _write(file, done=done, saved=saved, current=current, diverged=diverged, states=states[:, :saved])
        detail(f"checkpoint {file}: {done:,} of {n_steps:,} steps")
        size = _next_size(max(1, end - begin), time.monotonic() - start)
    return _trajectory(request, states, diverged, np.zeros(states.shape[:2]))


def _next_size(size: int, spent: float) -> int:
    return max(1, min(GROWTH * size, int(size * PIECE_SECONDS / max(spent, 1e-3))))


# ------------------------------------------------------------------------------------------------------- by replicas


def _by_replicas(request: Request, folder: Path, execute: Execute, report: Report | None) -> Trajectory:
    """Other orders: replicas do not know of each other, unless they share their noise."""
    count, saves = len(request.x0), request.save_steps
    states = np.full((count, len(saves), request.x0.shape[1]), np.nan, request.x0.dtype)
    diverged, bounds = np.full(count, -1, np.int64), np.zeros((count, len(saves)))
    first, size = 0, max(1, math.ceil(count * FIRST))
    while first < count:
        file = folder / f"replicas-{first}.npz"
        if (kept := _read(file)) is None:
            last, start = min(first + size, count), time.monotonic()
            moved = 0 if request.noise == "shared" else first
            piece = dataclasses.replace(
                request,
                x0=np.ascontiguousarray(request.x0[first:last]),
                first_replica=request.first_replica + moved,
                progress=part(report, first / count, last / count),
            )
            run = execute(piece).to_numpy()
            kept = {"states": run.states, "diverged": run.diverged_at, "bounds": np.array(run.error_bound)}
            _write(file, **kept)
            size = _next_size(last - first, time.monotonic() - start)
            detail(f"checkpoint {file}: replicas to {last:,} of {count:,}")
        else:
            detail(f"checkpoint {file}: was there")
        block = slice(first, first + len(kept["states"]))
        states[block], diverged[block], bounds[block] = kept["states"], kept["diverged"], kept["bounds"]
        first = block.stop
    return _trajectory(request, states, diverged, bounds)


def _trajectory(request: Request, states, diverged, bounds) -> Trajectory:
    return Trajectory(
        states=states,
        save_steps=request.save_steps,
        diverged_at=diverged,
        error_bound=bounds,
        order=request.order,
        seed=request.seed,
        maps=request.maps,
        first_step=request.first_step,
        first_replica=request.first_replica,
        noise=request.noise,
        x0=kept_start(request.x0),
    )


def _write(file: Path, **arrays) -> None:
    with whole_file(file) as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def _read(file: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a piece; none where it is missing or damaged: it is computed again."""
    try:
        with np.load(file, allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
