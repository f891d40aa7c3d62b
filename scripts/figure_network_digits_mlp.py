"""A network in both orders: a smooth loss curve whose neighbours are far apart, beside a control that settles."""

from __future__ import annotations

from pathlib import Path

from _common import main
from _networks import draw_experiment

from iterorder.networks.experiment import experiment
from iterorder.networks.settings import preset
from iterorder.progress import Report

NAME = "digits-mlp"


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files; the effort changes nothing."""
    return draw_experiment(experiment(preset(NAME), report=report), folder)


if __name__ == "__main__":
    main(draw, __doc__)
