"""Draw the figures: python scripts/make_figures.py [NAMES] [--effort quick|full], into reports/figures/.

Those of the README and of the documentation, in figures/, are drawn again by --committed, which `make figures` gives:
each with the effort that is written beside it. A figure is a file figure_NAME.py in this folder with a function
``draw(effort, folder) -> list[Path]``; nothing else lists them. One that takes long also has a keyword ``report``,
which is called with the finished share.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
if str(SCRIPTS) not in sys.path:  # when imported from elsewhere
    sys.path.insert(0, str(SCRIPTS))

from _common import COMMITTED, add_options, drawn  # noqa: E402

PREFIX = "figure_"


def names() -> list[str]:
    """The figures that can be drawn, in alphabetical order."""
    return sorted(file.stem.removeprefix(PREFIX) for file in SCRIPTS.glob(f"{PREFIX}*.py"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the named figures, all of them by default; returns the exit status."""
    known = names()
    parser = argparse.ArgumentParser(description="Draw the figures.", epilog="Figures: " + ", ".join(known))
    parser.add_argument("names", nargs="*", metavar="NAME", help="figures to draw (default: all)")
    parser.add_argument("--list", action="store_true", help="print the names of the figures and stop")
    parser.add_argument(
        "--committed", action="store_true", help="draw into figures/, with the effort of the files that are there"
    )
    add_options(parser)
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(known))
        return 0
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no figure named {', '.join(map(repr, unknown))}: choose from {', '.join(known)}")
    chosen = list(dict.fromkeys(options.names)) or known
    if options.committed:
        draw_all({name: recorded_effort(name) for name in chosen}, COMMITTED)
    else:
        draw_all(dict.fromkeys(chosen, options.effort), options.folder)
    return 0


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def recorded_effort(name: str, folder: Path = COMMITTED) -> str:
    """The effort with which the figures of a script were drawn last; "quick" where none is told."""
    for file in (*folder.glob(f"{name}.json"), *sorted(folder.glob(f"{name}_*.json"))):
        if effort := json.loads(file.read_text(encoding="utf-8"))["parameters"].get("effort"):
            return effort
    return "quick"


def draw_all(efforts: Mapping[str, str], folder: Path, tell: Callable[[str], object] = say) -> dict[str, list[Path]]:
    """Draw the figures that have an effort, one after the other: a line for each, and progress on standard error.

    Returns the files by the names of the figures.
    """
    drawn_files: dict[str, list[Path]] = {}
    width, begin = max(map(len, efforts)), time.perf_counter()
    for number, (name, effort) in enumerate(efforts.items(), 1):
        start, place = time.perf_counter(), f"[{number}/{len(efforts)}]"
        files = drawn(importlib.import_module(PREFIX + name).draw, f"{place} {name}", effort, folder)
        drawn_files[name] = files
        sizes = dict.fromkeys((file.suffix for file in files), 0)  # a script may draw several figures
        for file in files:
            sizes[file.suffix] += file.stat().st_size
        written = ", ".join(f"{suffix[1:]} {size / 1000:.0f} kB" for suffix, size in sizes.items())
        tell(f"{place} {name:<{width}} {time.perf_counter() - start:6.1f} s  ({written})")
    tell(f"{len(efforts)} figures in {time.perf_counter() - begin:.1f} s")
    return drawn_files


if __name__ == "__main__":
    sys.exit(main())
