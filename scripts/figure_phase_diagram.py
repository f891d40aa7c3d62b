"""What becomes of SGD with a step size and a batch size, in both orders: a phase diagram by `iterorder sweep`.

Least squares and ridge logistic regression on 64 points of the plane, the sweep of figures/phase_diagram.toml. Forward
paths tend to a distribution, the same maps backward to a point, up to the step sizes at which they diverge; a batch of
all points leaves nothing to chance, and forward paths settle too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from _common import main, save_figure
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from iterorder import stability_boundary
from iterorder.plot.grids import edges_of
from iterorder.plotting import COLUMN, ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report, part
from iterorder.sweeps.cells import Cells
from iterorder.sweeps.configuration import Configuration, read_configuration
from iterorder.sweeps.entry import work_off
from iterorder.sweeps.grid import Axis, Grid
from iterorder.sweeps.registered import VERDICTS
from iterorder.sweeps.results import Sweep

ROOT = Path(__file__).resolve().parents[1]
CONFIGURATION = ROOT / "figures" / "phase_diagram.toml"
#: With effort="quick" every so many values of the two sizes.
THIN = {"batch_size": 5, "step_size": 5}
COLORS = {
    "point": ORDER_COLORS["backward"],
    "distribution": ORDER_COLORS["forward"],
    "diverges": "#444444",
    "inconclusive": ORDER_COLORS["decay"],
}
#: Of least squares (C7), and how they are drawn.
BOUNDARIES = {"mean-square": "-", "almost-sure": "--"}
TITLES = {
    ("LinearRegressionSGD", "forward"): "least squares, forward",
    ("LinearRegressionSGD", "backward"): "least squares, backward",
    ("LogisticRegressionSGD", "forward"): "logistic, forward",
    ("LogisticRegressionSGD", "backward"): "logistic, backward",
}


def swept(configuration: Configuration, effort: str, temporary: Path, report: Report | None) -> Sweep:
    """All cells in reports/, where an interrupted sweep goes on; for effort="quick" fewer of them, in this process."""
    how: dict = {"scheduler": None, "block_seconds": 0.5, "split": None, "retry": False, "durable": False}
    if effort == "full":
        folder = configuration.folder_in(ROOT / "reports")
        how |= {"engine": "processes", "workers": None, "folder": folder, "progress": report}
        return work_off(configuration.cells, configuration.system, **how)
    how |= {"engine": "serial", "workers": None, "folder": temporary / "sweep", "progress": report}
    return work_off(thinned(configuration.cells), configuration.system, **how)


def thinned(cells: Cells) -> Cells:
    """The same sweep at fewer sizes."""
    axes = [Axis(a.names, a.values[:: THIN.get(a.dim, 1)], a.dim) for a in cells.grid.axes]
    return Cells(cells.make_maps, Grid(tuple(axes)), cells.measures, cells.seed)


def numbers(effort: str, report: Report | None = None) -> dict[str, np.ndarray]:
    """Verdicts (family, order, batch size, step size), −1 where there is none, and the boundaries of least squares."""
    configuration = read_configuration(CONFIGURATION)
    with tempfile.TemporaryDirectory() as temporary:
        table = swept(configuration, effort, Path(temporary), part(report, 0.0, 0.95)).to_xarray()
    order = ("family", "order", "batch_size", "step_size")
    verdicts = np.where(table.done, table.verdict, -1)
    verdicts = table.verdict.copy(data=verdicts).transpose(*order).values
    sizes = table.batch_size.values
    return {
        "verdict": verdicts.astype(int),
        "batch_size": sizes,
        "step_size": table.step_size.values,
        "mean_square": boundaries(configuration, sizes, "mean-square"),
        "almost_sure": boundaries(configuration, sizes, "almost-sure"),
    }


def boundaries(configuration: Configuration, sizes: np.ndarray, kind: str) -> np.ndarray:
    """The largest stable step size of least squares for each batch size (C7)."""
    make = partial(configuration.cells.make_maps, family="LinearRegressionSGD")

    def boundary(size: int) -> float:
        return stability_boundary(lambda h: make(step_size=h, batch_size=size), 0.02, 30.0, kind=kind).value

    return np.array([boundary(int(size)) for size in sizes])


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    parameters = {"effort": effort, "configuration": CONFIGURATION.read_text(encoding="utf-8")}
    return draw_numbers(numbers(effort, report), parameters, folder)


def draw_numbers(data: dict[str, np.ndarray], parameters: Mapping[str, object], folder: str | Path) -> list[Path]:
    """The four panels and what colours and lines mean."""
    with house_style():
        figure = Figure(figsize=(PAGE, 1.3 * COLUMN))
        panels = figure.subplots(2, 2, sharex=True, sharey=True)
        for letter, axes, (name, title) in zip("abcd", panels.ravel(), TITLES.items(), strict=True):
            draw_panel(axes, data, name)
            panel_title(axes, letter, title)
        for axes in panels[:, 0]:
            axes.set_ylabel("step size $h$")
        for axes in panels[-1]:
            axes.set_xlabel("batch size, of 64 points")
        handles: list[Patch | Line2D] = [Patch(color=color, label=word) for word, color in COLORS.items()]
        handles += [
            Line2D([], [], color="black", ls=line, lw=1.0, label=f"{name} boundary, theory")
            for name, line in BOUNDARIES.items()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
        return save_figure(figure, folder, "phase_diagram", parameters=parameters, seed=0, data=data)


def draw_panel(axes, data: dict[str, np.ndarray], name: tuple[str, str]) -> None:
    """The verdicts of one family and order, each batch size as wide as any other."""
    family, order = list(TITLES).index(name) // 2, list(TITLES).index(name) % 2
    verdicts, sizes = data["verdict"][family, order], data["batch_size"]
    places = np.arange(len(sizes))
    colors = ListedColormap([COLORS[word] for word in VERDICTS])
    axes.pcolormesh(
        edges_of(places),
        edges_of(data["step_size"]),
        np.ma.masked_less(verdicts.T, 0),
        cmap=colors,
        norm=BoundaryNorm(np.arange(len(VERDICTS) + 1) - 0.5, len(VERDICTS)),
        rasterized=True,
    )
    if family == 0:
        for boundary, line in BOUNDARIES.items():
            values = data[boundary.replace("-", "_")]
            axes.plot(places, values, color="white", lw=2.4)  # an edge, so that it is seen on every colour
            axes.plot(places, values, color="black", lw=1.0, ls=line)
    axes.set_xticks(places, [str(size) for size in sizes])
    axes.set_yscale("log")
    axes.set_ylim(data["step_size"].min(), data["step_size"].max())


if __name__ == "__main__":
    main(draw, __doc__)
