"""`sweep`: a measure at every point of a grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from iterorder._version import __version__
from iterorder.errors import BackendUnavailableError, InvalidInputError
from iterorder.files import as_path
from iterorder.log import detail, say
from iterorder.maps.base import RandomMaps
from iterorder.progress import Progress, as_progress, reported
from iterorder.shown import a_kind
from iterorder.sweeps.cells import Cells
from iterorder.sweeps.driver import Driver
from iterorder.sweeps.engines.base import Engine
from iterorder.sweeps.grid import Grid, GridLike
from iterorder.sweeps.identity import canonical, described_function
from iterorder.sweeps.ledger import Ledger
from iterorder.sweeps.measures import Measures, as_measures
from iterorder.sweeps.provenance import provenance
from iterorder.sweeps.results import Sweep, open_sweep
from iterorder.types import PathLike, Seed
from iterorder.validation import as_choice, as_float, as_int, as_seed

ENGINES = ("serial", "processes", "dask")
#: The most workers that are started here, and cells of a sweep.
MOST_WORKERS, MOST_CELLS = 4096, 10**8


def sweep(
    make_maps: Callable[..., RandomMaps],
    grid: GridLike,
    measure: Measures,
    *,
    seed: Seed,
    folder: PathLike,
    engine: str = "serial",
    workers: int | None = None,
    scheduler: str | None = None,
    block_seconds: float = 0.5,
    split_replicas: int | None = None,
    retry: bool | Iterable[str] = False,
    durable: bool = False,
    progress: Progress = True,
) -> Sweep:
    """Measure systems at every point of a grid, on one process or many, and lose nothing.

    Every result is a row of one SQLite file in `folder`. A sweep that was interrupted goes on where it stopped when it
    is called again, and one that is finished is only opened. Results are the same, bit for bit, on every engine and
    for any number of workers of one kind of processor.

    Parameters
    ----------
    make_maps : function
        Called with the parameters of a point that it has names for; returns the maps.
    grid : dict of str to list, or list of dict
        The product of lists of values, or a list of points. A key that is a tuple of names has a list of tuples: values
        that go together. Values are numbers, words, truth values, None, `Window` or lists of them. A parameter that
        `make_maps` has no name for is an option of the measure, such as ``order`` or ``n_steps``; ``seed_block`` gives
        the cells of each of its numbers an independent seed. All other cells have the seed of the sweep.
    measure : str, list, dict, function or ByReplicas
        Names of registered measures (`iterorder.sweeps.MEASURES`), a dict of them to their options, or a function of
        the maps and a seed that returns a dict of numbers, arrays of fixed shape, or `Estimate`.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the measures; a generator is advanced by one draw.
    folder : path-like
        Made if it is not there. One folder for one sweep.
    engine : {"serial", "processes", "dask"}
        This process; new processes on this machine; Dask. For Dask's local cluster a script needs
        ``if __name__ == "__main__":``.
    workers : int, optional
        Processes on this machine; one for each core by default.
    scheduler : str, optional
        The address of a Dask scheduler, such as "tcp://host:8786", whose workers are used instead.
    block_seconds : float > 0
        A task has cells for about so long.
    split_replicas : int, optional
        Cells of more replicas than this are computed in parts of so many, where the measure allows it (`ByReplicas`
        and the registered "final_law", "wasserstein_to_theory" and "risk"). The results stay the same.
    retry : bool or list of str
        True: compute cells with errors again; or only those of some kinds, such as ``["MemoryError"]``.
    durable : bool
        Wait for the disk at each block, so that nothing is lost when the power fails, either.
    progress : bool or function
        As in `iterorder.simulate`; the share is that of the cells.

    Returns
    -------
    Sweep
        The results, read from the folder.

    Raises
    ------
    InvalidInputError
        If an argument is not as described, or the folder has another sweep: the message says what differs.
    LedgerError
        If the folder cannot be written to, the disk is full, or the file is damaged.
    EngineError
        If the scheduler has gone, or no worker can compute. What was finished is kept, as after Ctrl-C.
    BackendUnavailableError
        If Dask is not installed.

    Notes
    -----
    An error in a cell is a row with its message and the line of your code that it came through (`Sweep.failed`); it
    stops nothing, and a line on standard error tells how many there were. Clients that share a folder share
    the work: each claims blocks for thirty seconds, and renews its claims. A second result of a cell is compared with
    the first, and a difference reported (`Sweep.irreproducible`). Every result has a checksum; a cell whose bytes have
    changed is computed again when the sweep is called.

    Examples
    --------
    >>> import tempfile
    >>> from iterorder import gallery
    >>> grid = {"h": [0.3, 0.5], "order": ["forward", "backward"]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = sweep(gallery.two_point_quadratic, grid, "diagnosis", seed=1, folder=folder)
    ...     print(found.to_xarray().verdict.values.tolist())  # 0 a point, 1 a distribution
    [[1, 0], [1, 0]]
    """
    if not callable(make_maps):
        raise InvalidInputError(f"make_maps is {a_kind(make_maps)}: give a function that returns maps")
    cells = Cells(make_maps, _checked_grid(grid), as_measures(measure), as_seed(seed))
    found = work_off(
        cells,
        {"maps": described_function(make_maps)},
        folder=as_path(folder),
        engine=as_choice("engine", engine, ENGINES),
        workers=None if workers is None else as_int("workers", workers, low=1, high=MOST_WORKERS),
        scheduler=as_address(scheduler, engine),
        block_seconds=as_float("block_seconds", block_seconds, low=0.0, strict=True),
        split=None if split_replicas is None else as_int("split_replicas", split_replicas, low=1, high=2**32),
        retry=as_kinds(retry),
        durable=bool(durable),
        progress=as_progress(progress),
    )
    _tell_failures(found)
    return found


def work_off(
    cells: Cells,
    system: dict[str, Any],
    *,
    folder: Path,
    engine: str,
    workers: int | None,
    scheduler: str | None,
    block_seconds: float,
    split: int | None,
    retry: list[str] | bool,
    durable: bool,
    progress: Progress,
    extra: dict[str, str] | None = None,
) -> Sweep:
    """Work a sweep off; `system` says what the maps are, `extra` are more rows of the table `run`."""
    notes = {name: note for measure in cells.measures for name, note in measure.notes.items()}
    about = {**provenance(), "notes": canonical(notes), **(extra or {})}
    with Ledger.open(folder, configuration(cells, system), len(cells.grid), durable=durable, extra=about) as ledger:
        ledger.verify()
        ledger.release_dead()
        if retry:
            ledger.retry(None if retry is True else retry)
        if ledger.anything_open():
            detail(f"sweep {folder}: {ledger.counts().open} of {len(cells.grid)} cells are open, engine {engine}")
            with reported(progress, "sweep") as report:
                worker = _started(engine, cells, workers, scheduler)
                try:
                    Driver(ledger, cells, worker, block_seconds=block_seconds, split=split).run(report)
                except KeyboardInterrupt:
                    counts = ledger.counts()
                    kept = counts.done + counts.failed
                    say(f"iterorder: {kept} of {counts.total} cells are kept in {folder}: the same call goes on")
                    raise
                finally:
                    worker.close()
    return open_sweep(folder)


def _tell_failures(found: Sweep) -> None:
    """One line where cells have failed, as nobody looks for errors that nothing tells of."""
    if failed := found.failed:
        first, total = failed[0], len(found.grid)
        cells = "cell" if total == 1 else "cells"
        say(
            f"iterorder: {len(failed)} of {total} {cells} failed, the first with {first.kind}: {first.message}; see "
            ".failed of the sweep"
        )


def configuration(cells: Cells, system: dict[str, Any]) -> dict[str, Any]:
    """What decides the results of a sweep."""
    return {
        "grid": cells.grid.description(),
        "measure": [measure.description() for measure in cells.measures],
        "seed": cells.seed,
        "version": __version__,
        **system,
    }


def _started(engine: str, cells: Cells, workers: int | None, scheduler: str | None) -> Engine:
    if engine == "serial":
        from iterorder.sweeps.engines.serial import Serial

        return Serial(cells)
    if engine == "processes":
        from iterorder.sweeps.engines.processes import Processes

        return Processes(cells, workers)
    try:
        from iterorder.sweeps.engines.dask import Dask
    except ImportError as error:
        reason = "Dask is not installed: pip install iterorder[sweep]"
        raise BackendUnavailableError(f"engine='dask': {reason}") from error
    return Dask(cells, workers, scheduler)


def _checked_grid(grid: Any) -> Grid:
    found = Grid.of(grid)
    if len(found) > MOST_CELLS:
        raise InvalidInputError(f"grid has {len(found):,} points: give at most {MOST_CELLS:,}, or several sweeps")
    return found


def as_address(scheduler: Any, engine: str) -> str | None:
    """The address of a scheduler, which only one engine has."""
    if scheduler is None:
        return None
    if engine != "dask":
        raise InvalidInputError(f"scheduler is {scheduler!r} with engine={engine!r}: give engine='dask'")
    if not isinstance(scheduler, str) or "://" not in scheduler:
        raise InvalidInputError(f"scheduler is {scheduler!r}: give its address, such as 'tcp://host:8786'")
    return scheduler


def as_kinds(retry: Any) -> list[str] | bool:
    """The kinds of errors that are tried again."""
    if isinstance(retry, bool):
        return retry
    kinds = [retry] if isinstance(retry, str) else list(retry)
    if not all(isinstance(kind, str) and kind for kind in kinds):
        raise InvalidInputError(f"retry is {retry!r}: give True, or names of errors such as ['MemoryError']")
    return kinds
