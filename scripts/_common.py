"""What the figure scripts share: the logistic regression, a projection, the last look, and the command line."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from _referee import faults
from matplotlib.figure import Figure

from iterorder import Estimate, LogisticRegressionSGD, plotting
from iterorder.datasets import breast_cancer
from iterorder.maps.descent import SGDMaps
from iterorder.progress import reported
from iterorder.validation import EFFORTS

ROOT = Path(__file__).resolve().parents[1]
#: Where figures go unless another folder is given, wherever the command is run from: git does not see it.
REPORTS = ROOT / "reports" / "figures"
#: The figures of the README and of the documentation, which `make figures` draws again.
COMMITTED = ROOT / "figures"


def cancer_logistic() -> LogisticRegressionSGD:
    """SGD with batch size 1 on the ridge logistic loss of the breast cancer data.

    The step size is the largest round one for which every single map contracts: 2/(ridge + max ‖a‖²/4) = .0189.
    """
    features, labels = breast_cancer()
    return LogisticRegressionSGD(features, labels, 0.015, ridge=0.1)


#: Measurements of the cell nuclei that are not nearly functions of each other: mean radius, texture, smoothness,
#: symmetry, fractal dimension.
FEW_FEATURES = (0, 1, 4, 8, 9)


def few_features_logistic() -> LogisticRegressionSGD:
    """The same with five features, whose slowest direction is well separated.

    With all thirty the smallest curvatures crowd just above the ridge, and rates approach γ only after far more steps
    than double precision can follow.
    """
    features, labels = breast_cancer()
    return LogisticRegressionSGD(features[:, FEW_FEATURES], labels, 0.1, ridge=0.1)


def described(maps: SGDMaps) -> dict[str, object]:
    """The settings of a system for a sidecar."""
    settings = ("step_size", "ridge", "batch_size", "sampling")
    # What the family is made from: a family without a ridge has one of zero as an attribute.
    given = {field.name for field in dataclasses.fields(maps)}  # type: ignore[arg-type]
    return {"family": type(maps).__name__} | {name: getattr(maps, name) for name in settings if name in given}


def number(estimate: Estimate | None) -> float:
    """The value of an estimate that must exist."""
    if estimate is None:
        raise ValueError("theory knows no such number for this system")
    return estimate.value


def principal_direction(points: np.ndarray) -> np.ndarray:
    """The unit vector of largest variance of a cloud (n, d); its largest component is positive."""
    _, vectors = np.linalg.eigh(np.cov(points.T))
    direction = vectors[:, -1]
    return direction * np.sign(direction[np.abs(direction).argmax()])


def save_figure(
    figure: Figure, folder: str | Path, name: str, *, parameters: Mapping, seed: int, data: Mapping[str, object]
) -> list[Path]:
    """As `iterorder.plotting.save_figure`, after a last look: a figure that a referee would send back is an error."""
    if found := faults(figure):
        raise ValueError("\n  ".join([f"the figure {name} is not fit to be printed:", *found]))
    return plotting.save_figure(figure, folder, name, parameters=parameters, seed=seed, data=data)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of every script that draws."""
    parser.add_argument("--effort", choices=EFFORTS, default="quick", help="full: more replicas (default: quick)")
    parser.add_argument("--folder", type=Path, default=REPORTS, help="where the files go (default: reports/figures/)")


def drawn(draw: Callable[..., list[Path]], title: str, effort: str, folder: Path) -> list[Path]:
    """The files of one figure; a script that takes `report` tells how far it is, in a terminal and in a log."""
    with reported(True, title) as report:
        if report is not None:  # a bar is there from the start
            report(0.0)
        more = {"report": report} if "report" in inspect.signature(draw).parameters else {}
        return draw(effort, folder, **more)


def main(draw: Callable[..., list[Path]], description: str | None) -> None:
    """Run one script alone."""
    parser = argparse.ArgumentParser(description=description)
    add_options(parser)
    arguments = parser.parse_args()
    for file in drawn(draw, Path(sys.argv[0]).stem, arguments.effort, arguments.folder):
        print(file.name)
