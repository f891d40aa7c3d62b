"""Where starts end: the probability of each law over the line, or starts of the plane in the colours of their laws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iterorder.laws.ended import Basins
from iterorder.plot.axes import SIZE, SQUARE, axes_for, component, draw_points, two_coordinates
from iterorder.plotting import ORDER_COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours and markers of the laws, the most frequent first; of the others together; and of what diverged.
LAWS = (("forward", "o"), ("backward", "s"), ("anchored", "^"), ("sliding", "D"), ("decay", "v"), ("average", "P"))
OTHERS, DIVERGED = ("floor", "."), ("theory", "x")
#: How dark a start is of whose replicas hardly more ended in its law than in others.
PALEST = 0.25


def draw(found: Basins, ax, *, coordinates) -> Axes:
    """See `Basins.plot`."""
    dim = found.starts.shape[1]
    chosen = [0] if dim == 1 else two_coordinates(coordinates, dim, found.maps)
    with axes_for(ax, SIZE if dim == 1 else SQUARE, columns=2) as axes:
        if dim == 1:
            _draw_probabilities(axes, found)
            axes.set(xlabel=component("x_0", 0, 1, found.maps), ylabel="probability", ylim=(-0.03, 1.03))
        else:
            _draw_starts(axes, found, chosen)
            axes.set_aspect("equal", adjustable="datalim")
            labels = [component("x", k, dim, found.maps) for k in chosen]
            axes.set(**{f"{axis}label": label for axis, label in zip("xy", labels, strict=True)})
    return axes


def _draw_probabilities(ax: Axes, found: Basins) -> None:
    order = np.argsort(found.starts[:, 0], kind="stable")
    starts = found.starts[order, 0]
    for k, (role, marker) in enumerate(LAWS[: found.n_laws]):
        value, low, high = (ends[order, k] for ends in (found.probability, found.low, found.high))
        reach, label = np.maximum([value - low, high - value], 0.0), f"law about {found.points[k].mean():.3g}"
        style: dict = {"color": ORDER_COLORS[role], "markersize": 3.5, "linewidth": 0.8, "elinewidth": 0.8}
        ax.errorbar(starts, value, reach, marker=marker, label=label, **style)
    rest = {
        f"{found.n_laws - len(LAWS)} other laws": (found.probability[order, len(LAWS) :].sum(axis=1), OTHERS),
        "diverged": (found.diverged[order], DIVERGED),
    }
    for label, (share, (role, marker)) in rest.items():
        if share.any():
            ax.plot(starts, share, marker=marker, color=ORDER_COLORS[role], linewidth=0.8, markersize=3.5, label=label)


def _draw_starts(ax: Axes, found: Basins, chosen: list[int]) -> None:
    from matplotlib.colors import to_rgb

    starts = found.starts[:, chosen]
    shares = np.concatenate([found.probability, found.diverged[:, None]], axis=1)
    most = shares.argmax(axis=1)
    gone = most == found.n_laws
    groups = [(f"law {k + 1}", most == k, *LAWS[k]) for k in range(min(found.n_laws, len(LAWS)))]
    groups += [("other laws", (most >= len(LAWS)) & ~gone, *OTHERS), ("diverged", gone, *DIVERGED)]
    size = float(np.clip(3000.0 / len(starts), 4.0, 36.0))
    for k, (label, members, role, marker) in enumerate(groups):
        color = ORDER_COLORS[role]
        if k < min(found.n_laws, len(LAWS)):
            draw_points(ax, found.points[k][:, chosen], color)
        if members.any():
            alpha = PALEST + (1.0 - PALEST) * shares[members].max(axis=1)
            shades = [(*to_rgb(color), one) for one in alpha]
            x, y = starts[members].T
            # Coloured one by one the points give a legend their first shade: an empty group has the full one.
            ax.scatter(x, y, s=size, c=shades, marker=marker, linewidths=0.7 if marker == "x" else 0.0)
            ax.scatter([], [], s=20.0, color=color, marker=marker, label=f"starts of {label}")
