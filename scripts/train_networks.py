"""Train networks in both orders and draw: python scripts/train_networks.py NAME [--order …] [--max-seconds …].

As `iterorder train`, with the figure of three panels. What is finished is kept in a folder beside the figures, and the
same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from _common import REPORTS, ROOT
from _networks import draw_experiment

from iterorder.cli.train import RUNS, add_options, print_numbers, trained
from iterorder.errors import IterorderError
from iterorder.networks.settings import preset_names


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment, print its numbers and draw its figure; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Train networks forward and backward.", epilog="Presets: " + ", ".join(preset_names())
    )
    add_options(parser)
    parser.add_argument(
        "--figures", type=Path, default=REPORTS, help="where the figure goes (default: reports/figures/)"
    )
    parser.set_defaults(out=ROOT / RUNS)
    options = parser.parse_args(arguments)
    try:
        found = trained(options)
    except IterorderError as error:
        print(f"train_networks: {error}", file=sys.stderr)
        return 2
    print_numbers(found)
    if options.order is None and any(run.done.any() for run in found.runs.values()):
        for file in draw_experiment(found, options.figures):
            print(file.name)
    if not found.complete:
        print("the time was over: the same command goes on, and the figure is a coarse one until then")
    return 0


if __name__ == "__main__":
    sys.exit(main())
