"""Zeroth-order SGD on quadratics: what not knowing the direction costs, over the dimension (preset zeroth_order).

(a) The step size at which the mean square loses stability, found by `ito.stability_boundary` (dots) and in closed form
(lines), with equal curvatures and with curvatures from 1 down to 1/30; dashed, that of gradient descent. (b) The
spectral radius of the second moments with equal curvatures, and 1 − 2h + (d + 2)h².
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import main
from _neighbours import columns, saved, swept
from matplotlib.figure import Figure

from iterorder import stability_boundary
from iterorder.neighbours import zeroth_order as zeroth
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report

NAME = "zeroth_order"
COLORS = ("floor", "forward", "anchored", "decay", "backward")
CONDITIONS = {1.0: ("forward", "equal curvatures"), 30.0: ("backward", "curvatures from 1 to 1/30")}


def boundaries(dims: np.ndarray, condition: float) -> np.ndarray:
    """Where the library finds the end of mean-square stability."""

    def found(dim: int) -> float:
        top = 1.0 - 2.0**-10  # from 1/λ_max on nothing is stable
        make = [lambda h: zeroth.zeroth_order(step_size=h, dim=dim, condition=condition)]
        return stability_boundary(make[0], 0.01, top).value

    return np.array([found(int(dim)) for dim in dims])


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    table = swept(NAME, report)
    dims, sizes = table.dim.values, table.step_size.values
    data = columns(table)
    with house_style():
        figure = Figure(figsize=(PAGE, 2.9))
        left, right = figure.subplots(1, 2)
        for condition, (name, label) in CONDITIONS.items():
            data[f"boundary_{condition:g}"] = boundaries(dims, condition)
            exact = [zeroth.boundary(zeroth.eigenvalues(int(d), condition)) for d in dims]
            left.loglog(dims, exact, color=ORDER_COLORS[name])
            left.loglog(
                dims,
                data[f"boundary_{condition:g}"],
                "o",
                color=ORDER_COLORS[name],
                ms=4.0,
                label=label,
            )
        left.axhline(2.0, color=ORDER_COLORS["theory"], ls="--", lw=1.0, label="gradient descent")
        left.set(xlabel="dimension $d$", ylabel="largest stable step size $h$")
        left.legend(loc="lower left")
        panel_title(left, "a", "the boundary over the dimension")
        fine = np.geomspace(sizes[0], sizes[-1], 200)
        for dim, name in zip(dims, COLORS, strict=True):
            right.plot(fine, 1.0 - 2.0 * fine + (dim + 2) * fine**2, color=ORDER_COLORS[name], lw=1.0)
            right.plot(
                sizes, table.mean_square_radius.sel(dim=dim), "o", color=ORDER_COLORS[name], ms=3.0, label=f"$d={dim}$"
            )
        right.axhline(1.0, color=ORDER_COLORS["theory"], lw=0.8)
        right.set(xscale="log", xlabel="step size $h$", ylabel="spectral radius", ylim=(0.6, 1.6))
        right.legend(loc="lower left", ncols=2)
        panel_title(right, "b", "second moments, equal curvatures")
        return saved(figure, folder, NAME, effort, data)


if __name__ == "__main__":
    main(draw, __doc__)
