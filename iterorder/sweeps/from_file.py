"""Runs and resumes the sweep of a configuration file."""

from __future__ import annotations

from pathlib import Path

from iterorder.errors import InvalidInputError
from iterorder.progress import Progress
from iterorder.sweeps.configuration import Configuration, parsed
from iterorder.sweeps.entry import as_address, as_kinds, work_off
from iterorder.sweeps.ledger import TOML, Ledger
from iterorder.sweeps.results import Sweep
from iterorder.validation import as_choice, as_float, as_int


def run_configuration(
    configuration: Configuration,
    folder: Path,
    *,
    engine: str | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    retry: list[str] | bool = False,
    progress: Progress = True,
) -> Sweep:
    """Work off the sweep of a file in a folder; what is given here is taken before what stands in the file."""
    from iterorder.sweeps.entry import ENGINES, MOST_WORKERS

    file = configuration.file
    scheduler = file.scheduler if scheduler is None else scheduler
    engine = as_choice("engine", engine or file.engine, ENGINES)
    workers = file.workers if workers is None else workers
    split = file.split_replicas
    return work_off(
        configuration.cells,
        configuration.system,
        folder=folder,
        engine=engine,
        workers=None if workers is None else as_int("workers", workers, low=1, high=MOST_WORKERS),
        scheduler=as_address(scheduler, engine),
        block_seconds=as_float("block_seconds", file.block_seconds, low=0.0, strict=True),
        split=None if split is None else as_int("split_replicas", split, low=1, high=2**32),
        retry=as_kinds(retry),
        durable=file.durable,
        progress=progress,
        extra={TOML: configuration.text},
    )


def kept_configuration(folder: Path) -> Configuration:
    """The configuration that a sweep in a folder was made from.

    Raises
    ------
    FileNotFoundError
        If there is no sweep.
    InvalidInputError
        If it was made from Python, whose functions no file keeps.
    """
    with Ledger.read(folder) as ledger:
        text = ledger.value(TOML)
    if text is None:
        raise InvalidInputError(
            f"{folder} has a sweep that was made from Python: call `sweep` again with the same arguments to go on"
        )
    return parsed(text, f"{folder} (its configuration)")
