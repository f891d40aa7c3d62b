"""`iterorder sweep`: the sweep of a TOML file, how far one is, and going on with one."""

from __future__ import annotations

import argparse
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from iterorder.cli import output
from iterorder.cli.options import add_command, add_out
from iterorder.errors import BackendUnavailableError, InvalidInputError
from iterorder.presets import preset_names, preset_path, preset_title

if TYPE_CHECKING:
    from iterorder.sweeps.configuration import Configuration
    from iterorder.sweeps.ledger import Counts
    from iterorder.sweeps.planning import Plan
    from iterorder.sweeps.results import Sweep

EXAMPLES = (
    "iterorder sweep phase.toml --dry-run",
    "iterorder sweep phase.toml --engine processes --workers 2 --json phase.json",
    "iterorder sweep paired_reversal --out reports",
    "iterorder sweep status phase",
    "iterorder sweep resume phase --retry MemoryError",
)
#: Kinds of errors that `status` shows.
SHOWN = 5


def add_to(commands) -> None:
    """The arguments of the command."""
    sweep = add_command(
        commands,
        "sweep",
        run=run,
        help="measure systems over a grid of parameters, and lose nothing",
        description="Work off the sweep of a TOML file, tell how far one is, or go on with one. A sweep that was "
        "interrupted goes on where it stopped. The seed stands in the file.",
        examples=EXAMPLES,
        options=("dry-run",),
        fails="cells have ended with errors",
    )
    sweep.set_defaults(by_hand={"preset": "PRESET"})
    sweep.epilog = f"{sweep.epilog}\n\npresets:\n{listed_presets()}"
    sweep.add_argument(
        "what",
        nargs="+",
        metavar="CONFIG.toml | PRESET | status FOLDER | resume FOLDER",
        help="what to do, and with what",
    )
    add_out(sweep, "the folder below which a sweep lies", metavar="FOLDER", default=Path())
    sweep.add_argument("--engine", choices=("serial", "processes", "dask"), help="default: that of the file, or serial")
    sweep.add_argument("--workers", type=int, metavar="N", help="processes on this machine; default: one a core")
    sweep.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler, such as tcp://host:8786")
    sweep.add_argument("--retry", action="append", metavar="KIND", help="errors to try again, or: all; may be repeated")


def listed_presets() -> str:
    """A line for each preset: its name and what it is."""
    width = max(map(len, preset_names()), default=0)
    return "\n".join(f"  {name:<{width}}  {preset_title(name)}" for name in preset_names())


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    output.check_targets(json=arguments.json)
    word, *rest = arguments.what
    try:
        if word in ("status", "resume") and len(rest) == 1:
            folder = Path(rest[0])
            return _status(folder, arguments) if word == "status" else _resume(folder, arguments)
        if word in ("status", "resume") and not rest:
            raise InvalidInputError(f"{word} is given without a folder: give sweep {word} FOLDER, that of the sweep")
        if rest:
            raise InvalidInputError(
                f"sweep has the words {' '.join(map(repr, arguments.what))}: give CONFIG.toml, a preset, status FOLDER "
                "or resume FOLDER"
            )
        return _work(_file_of(word), arguments)
    except FileNotFoundError as error:
        if error.filename is not None:
            raise InvalidInputError(f"no such file: {error.filename}; give the TOML file of a sweep") from None
        raise InvalidInputError(str(error)) from None


def _file_of(word: str) -> Path:
    """A file of one's own, or that of a preset; a name without .toml that is neither is told the presets."""
    path = Path(word)
    return path if path.suffix == ".toml" or path.is_file() else preset_path(word)


def _work(path: Path, arguments: argparse.Namespace) -> int:
    configuration = _modules().read_configuration(path)
    folder = configuration.folder_in(arguments.out)
    if arguments.dry_run:
        return _plan(configuration, folder, arguments)
    return _run(configuration, folder, arguments)


def _resume(folder: Path, arguments: argparse.Namespace) -> int:
    _modules()
    from iterorder.sweeps.from_file import kept_configuration

    return _run(kept_configuration(folder), folder, arguments)


def _modules():
    try:
        from iterorder.sweeps import configuration
    except ImportError as error:
        reason = "msgspec is not installed: pip install iterorder[sweep]"
        raise BackendUnavailableError(f"iterorder sweep: {reason}", reason) from error
    return configuration


def _run(configuration: Configuration, folder: Path, arguments: argparse.Namespace) -> int:
    from iterorder.sweeps.from_file import run_configuration

    kinds = arguments.retry or []
    found = run_configuration(
        configuration,
        folder,
        engine=arguments.engine or ("dask" if arguments.scheduler else None),
        workers=arguments.workers,
        scheduler=arguments.scheduler,
        retry="all" in kinds or kinds,
        progress=True,
    )
    return _tell(found, arguments)


def _status(folder: Path, arguments: argparse.Namespace) -> int:
    from iterorder.sweeps import open_sweep

    return _tell(open_sweep(folder), arguments)


def _tell(found: Sweep, arguments: argparse.Namespace) -> int:
    """What has come of a sweep so far, as a table and as JSON."""
    from iterorder.sweeps.ledger import Ledger
    from iterorder.sweeps.words import word_counts

    with Ledger.read(found.folder) as ledger:
        counts = ledger.counts()
    failed = found.failed
    kinds, words = Counter(cell.kind for cell in failed), word_counts(found)
    content = {
        "folder": str(found.folder),
        "cells": counts.total,
        "done": counts.done,
        "failed": counts.failed,
        "in_work": counts.leased,
        "open": counts.open,
        "cell_seconds": found.seconds,
        "errors": dict(kinds),
        "irreproducible": found.irreproducible,
        "variables": [variable.name for variable in found.variables],
        "words": words,
        **found.provenance,
    }
    output.deliver(arguments, content, lambda: _show(found, counts, kinds, words))
    return output.FAILED if counts.failed else output.OK


def _show(found: Sweep, counts: Counts, kinds: Counter[str], words: dict[str, dict[str, int]]) -> None:
    from iterorder.sweeps.words import counts_shown

    console, firsts = output.console(), {cell.kind: cell for cell in reversed(found.failed)}
    shape = " × ".join(f"{dim} {n}" for dim, n in zip(found.grid.dims, found.grid.shape, strict=True))
    console.print(f"{found.folder}: {counts.done} of {counts.total} cells are done ({shape})", markup=False)
    if counts.open:
        console.print(f"{counts.open} are open, {counts.leased} of them in work: {_to_go_on(found.folder)}")
    if found.irreproducible:
        console.print(
            f"{len(found.irreproducible)} cells had another result the second time: {found.irreproducible[:5]}"
        )
    for kind, count in kinds.most_common(SHOWN):
        point = ", ".join(f"{name}={value}" for name, value in firsts[kind].point.items())
        console.print(f"{count} × {kind}, the first at {point}: {firsts[kind].message}", markup=False, highlight=False)
    for name, of_words in words.items():
        console.print(f"{name}: {counts_shown(of_words)}", markup=False, highlight=False)
    console.print(f"{found.seconds:.1f} s of work in the cells", style="dim")


def _to_go_on(folder: Path) -> str:
    """What goes on with a sweep: the functions of one that was made from Python are in no file."""
    from iterorder.sweeps.ledger import TOML, Ledger

    with Ledger.read(folder) as ledger:
        of_file = ledger.value(TOML) is not None
    return f"iterorder sweep resume {folder}" if of_file else "call ito.sweep again, as it was made from Python"


def _plan(configuration: Configuration, folder: Path, arguments: argparse.Namespace) -> int:
    from iterorder import resources
    from iterorder.sweeps.planning import planned

    plan = planned(configuration.cells)
    workers = arguments.workers or configuration.file.workers or resources.threads()
    free = shutil.disk_usage(_existing(folder)).free
    content = {
        "folder": str(folder),
        "cells": plan.cells,
        "sampled": plan.sampled,
        "failed_in_sample": plan.failed,
        "seconds_each": plan.seconds_each,
        "work_seconds": plan.seconds,
        "workers": workers,
        "result_bytes": plan.result_bytes,
        "file_bytes": plan.file_bytes,
        "free_bytes": free,
        "peak_bytes": plan.peak_bytes,
        "errors": list(plan.messages),
    }

    def show() -> None:
        for line in _plan_lines(plan, folder, workers, free):
            output.console().print(line, markup=False, highlight=False)

    output.deliver(arguments, content, show)
    return output.OK


def _plan_lines(plan: Plan, folder: Path, workers: int, free: int) -> list[str]:
    lines = [
        f"{plan.cells} cells, to be kept in {folder}",
        f"work: {plan.seconds:.3g} s, from {plan.sampled} cells of {plan.seconds_each:.3g} s on average; "
        f"{plan.seconds / workers:.3g} s on {workers} workers, at best",
        f"file: {plan.file_bytes / 2**20:.3g} MiB of {free / 2**30:.3g} GiB that are free",
    ]
    if plan.peak_bytes:
        lines.append(f"memory: {plan.peak_bytes / 2**20:.0f} MiB a worker, from these cells")
    return [*lines, *(f"{plan.failed} of {plan.sampled} cells failed: {message}" for message in plan.messages)]


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next((place for place in (folder, *folder.parents) if place.exists()), Path())
