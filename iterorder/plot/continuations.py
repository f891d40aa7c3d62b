"""A bifurcation diagram: the law of a coordinate over a parameter, and where it changes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.laws.continued import Continuation
from iterorder.plot.axes import as_coordinate, axes_for, component
from iterorder.plot.grids import edges_of, is_geometric
from iterorder.plotting import ORDER_COLORS
from iterorder.validation import as_floats, as_int

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Most cells of the density unless they are given: as many as twice the root of the number of replicas.
CELLS = 120
#: The share of the states at either side that no axis makes room for, and how many times as wide as a quarter of those
#: that are no points a law is that leaves no room for the others: one that is about to diverge, say.
OUTSIDE, WIDE = 0.005, 10.0
#: A law that is narrower than this share of its states is a point, and no measure of what is wide.
POINT = 1e-9
#: The room above and below what is shown, as a share of it.
MARGIN = 0.05
#: Colours of values that rise and of those that fall.
BRANCHES = {True: ("forward", "rising values"), False: ("backward", "falling values")}
#: Bands between values, their colours and what they mean.
BANDS = {
    "phenomenological": ("coupling", "modes change (P)"),
    "dynamical": ("anchored", "exponent changes sign (D)"),
    "mean_square": ("floor", "mean squares change stability"),
}


def draw(found: Continuation, ax, *, coordinate, bins, limits) -> Axes:
    """See `Continuation.plot`."""
    dim = found.states.shape[-1]
    chosen = as_coordinate("coordinate", coordinate, dim, found.maps[0])
    few = max(1, min(CELLS, round(2.0 * math.sqrt(found.states.shape[1]))))
    cells = few if bins is None else as_int("bins", bins, low=1, high=2**16)
    states = found.states[:, :, chosen]
    edges = np.linspace(*(_limits(states) if limits is None else _given(limits)), cells + 1)
    with axes_for(ax, columns=2) as axes:
        for visits, rising in branches(found.values):
            role, label = BRANCHES[rising]
            _draw_density(axes, found.values[visits], states[visits], edges, ORDER_COLORS[role])
            _draw_quantiles(axes, found, visits, chosen, ORDER_COLORS[role], label)
        for name, (role, label) in BANDS.items():
            for k, (a, b) in enumerate(np.sort(getattr(found, name), axis=1)):
                axes.axvspan(a, b, color=ORDER_COLORS[role], alpha=0.25, linewidth=0.0, label=label if k == 0 else None)
        if is_geometric(np.unique(found.values)):
            axes.set_xscale("log")
        axes.set(xlabel="parameter", ylabel=component("x", chosen, dim, found.maps[0]), ylim=(edges[0], edges[-1]))
    return axes


def branches(values: np.ndarray) -> list[tuple[np.ndarray, bool]]:
    """Runs of visits in which the parameter rises, or falls, and whether it does; a turning point ends the first.

    Of values that stand still the last visit is taken.

    Examples
    --------
    >>> [(visits.tolist(), rising) for visits, rising in branches(np.array([0.0, 1.0, 2.0, 2.0, 1.0, 0.0]))]
    [([0, 1, 3], True), ([4, 5], False)]
    """
    kept = np.flatnonzero(np.append(np.diff(values) != 0.0, True))
    directions = np.diff(values[kept]) > 0.0
    if len(directions) == 0:
        return [(kept, True)]
    turns = np.flatnonzero(directions[1:] != directions[:-1]) + 2
    rising = [bool(directions[0]), *(bool(directions[turn - 1]) for turn in turns)]
    return list(zip(np.split(kept, turns), rising, strict=True))


def _limits(states: np.ndarray) -> tuple[float, float]:
    """Room for all states but the outermost of each value, and but for laws that are wider by far than others."""
    seen = [np.quantile(row[np.isfinite(row)], [OUTSIDE, 1.0 - OUTSIDE]) for row in states if np.isfinite(row).any()]
    if not seen:
        raise InvalidInputError("there is no finite state to draw: every replica has diverged at every value")
    lows, highs = np.array(seen).T
    widths = highs - lows
    sizes = np.abs(seen).max(axis=1)
    wide = widths[widths > POINT * np.maximum(sizes, np.median(sizes))]
    usual = widths <= (WIDE * float(np.quantile(wide, 0.25)) if len(wide) else np.inf)
    low, high = float(lows[usual].min()), float(highs[usual].max())
    room = MARGIN * (high - low) or max(1.0, abs(low)) * MARGIN
    return low - room, high + room


def _given(limits) -> tuple[float, float]:
    low, *others = as_floats("limits", limits, ndim=(1,)).tolist()
    if len(others) != 1 or not low < others[0]:
        raise InvalidInputError(f"limits is {limits!r}: give two numbers, the lower first")
    return low, others[0]


def _draw_density(ax: Axes, values: np.ndarray, states: np.ndarray, edges: np.ndarray, color: str) -> None:
    """The shares of the states in each cell, in units of the largest at the same value: white is transparent."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    counts = np.array([np.histogram(row[np.isfinite(row)], edges)[0] for row in states], float)
    shades = LinearSegmentedColormap.from_list("law", [(*to_rgb(color), 0.0), (*to_rgb(color), 0.9)])
    shares = counts / np.maximum(counts.max(axis=1, keepdims=True), 1.0)
    ax.pcolormesh(edges_of(values), edges, shares.T, cmap=shades, vmin=0.0, vmax=1.0, rasterized=True)


def _draw_quantiles(ax: Axes, found: Continuation, visits: np.ndarray, coordinate: int, color: str, label: str) -> None:
    """The mean, which does not jump between modes as the median does, and the outermost quantiles.

    Not a mean beyond them, which a few states carry: that of a law without a second moment, say.
    """
    values, mean = found.values[visits], found.mean[visits, coordinate]
    ends = sorted({int(found.probabilities.argmin()), int(found.probabilities.argmax())})
    if len(ends) == 2:
        low, high = (found.quantiles[visits, k, coordinate] for k in ends)
        mean = np.where((low <= mean) & (mean <= high), mean, np.nan)
    ax.plot(values, mean, color=color, linewidth=1.2, label=f"{label}: mean")
    for k in ends:
        style: dict = {"color": color, "linewidth": 0.7, "linestyle": "--"}
        if k == ends[0]:
            style["label"] = "quantiles " + " and ".join(f"{found.probabilities[end]:g}" for end in ends)
        ax.plot(values, found.quantiles[visits, k, coordinate], **style)
