"""Points of a stationary law."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iterorder.device_arrays import to_numpy
from iterorder.maps.laws import MomentLaw
from iterorder.plot.axes import (
    SIZE,
    SQUARE,
    as_coordinate,
    axes_for,
    component,
    draw_ellipse,
    draw_exact,
    draw_histogram,
    draw_points,
)
from iterorder.plotting import ORDER_COLORS
from iterorder.stationary.result import StationarySample
from iterorder.validation import as_choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("density", "scatter")


def draw(sample: StationarySample, ax, *, kind: str | None, coordinates, bins) -> Axes:
    """See `StationarySample.plot`."""
    points = to_numpy(sample.points)
    dim = points.shape[1]
    kind = KINDS[dim > 1] if kind is None else as_choice("kind", kind, KINDS if dim > 1 else KINDS[:1])
    given = [coordinates] if isinstance(coordinates, str) or np.ndim(coordinates) == 0 else list(coordinates)
    chosen = [as_coordinate("coordinates", k, dim, sample.maps) for k in given[: 1 + (kind == "scatter")]]
    with axes_for(ax, SQUARE if kind == "scatter" else SIZE, columns=1) as axes:
        color, law = ORDER_COLORS["backward"], getattr(sample.maps, "law", None)
        label = f"{len(points)} points, certificate: {sample.certificate}"
        if kind == "density":
            edges = draw_histogram(axes, points[:, chosen[0]], bins, color, label)
            if dim == 1:
                draw_exact(axes, law, edges)
            axes.set(xlabel=component("x", chosen[0], dim, sample.maps), ylabel="density")
        else:
            plane = points[:, chosen]
            draw_points(axes, plane, color, label)
            style: dict = {"color": color, "linewidth": 1.0}
            draw_ellipse(axes, plane.mean(axis=0), np.cov(plane.T), "2 standard deviations", **style)
            if isinstance(law, MomentLaw):
                style = {"color": ORDER_COLORS["theory"], "linewidth": 0.9, "linestyle": "--"}
                draw_ellipse(axes, law.mean[chosen], law.covariance[np.ix_(chosen, chosen)], "the same, exact", **style)
            axes.set(
                xlabel=component("x", chosen[0], dim, sample.maps), ylabel=component("x", chosen[1], dim, sample.maps)
            )
    return axes
