"""What a referee would object to in a figure, as far as a program sees it: every figure passes before it is written.

A second axis beside the first, axes without a label, bars on a logarithmic axis, markers that an axis cuts in half,
text over data or over other text, planes drawn with unequal units, colours that were not chosen, and what is too wide
or too small for paper.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import TABLEAU_COLORS, to_hex
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from iterorder.plotting import PAGE

#: Of letters on paper, in points; exponents are smaller.
SMALLEST_LETTERS = 6.0
#: Pixels by which extents may be off: letters are hinted, and boxes around text have a margin.
MARGIN = 1.5
#: Of a marker's radius that an axis may hide: less is not seen.
HIDDEN = 0.25
#: Of two coordinates of one plane: labels that differ in their digit alone.
DIGIT = re.compile(r"[12]")
#: An axis has one quantity: "seconds, or MB" has two.
TWO_QUANTITIES = re.compile(r"\bor\b")
DEFAULT_COLORS = frozenset(to_hex(color) for color in TABLEAU_COLORS.values())


def faults(figure: Figure) -> list[str]:
    """What is wrong with a figure, in words; nothing if it may be written."""
    figure.draw_without_rendering()
    panels = [axes for axes in figure.axes if axes.get_visible() and axes.axison]
    found = list(_size(figure))
    found += [f"{_name(a)}: a second axis on the same panel" for a, b in combinations(panels, 2) if _same_place(a, b)]
    for axes in panels:
        found += [f"{_name(axes)}: {fault}" for fault in _faults_of_panel(axes)]
    return found + list(_texts_on_texts(figure))


def _faults_of_panel(axes: Axes) -> Iterator[str]:
    yield from _labels(axes)
    yield from _log_bars(axes)
    yield from _cut_markers(axes)
    yield from _covered_data(axes)
    yield from _stretched(axes)
    for line in axes.lines:
        if np.size(line.get_xydata()) and to_hex(line.get_color()) in DEFAULT_COLORS:
            yield "a line has one of Matplotlib's default colours: give it one with a meaning"


def _name(axes: Axes) -> str:
    return next((title for title in (axes.get_title("left"), axes.get_title()) if title), axes.get_ylabel() or "panel")


def _size(figure: Figure) -> Iterator[str]:
    if figure.get_figwidth() > PAGE:
        yield f"{figure.get_figwidth():g} inches are wider than a page of {PAGE:g}: letters shrink on paper"
    for text in _texts(figure):
        size = text.get_fontproperties().get_size_in_points()
        if size < SMALLEST_LETTERS:
            yield f"{text.get_text()!r}: letters of {size:g} points"


def _texts(figure: Figure) -> list[Text]:
    """Everything written, but for labels of ticks outside of the limits, which are made and not drawn."""
    unseen = {label for axes in figure.axes for label in _labels_out_of_view(axes)}
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in unseen]


def _labels_out_of_view(axes: Axes) -> Iterator[Text]:
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not (axes.axison and axes.get_visible() and low <= tick.get_loc() <= high):
                yield from (tick.label1, tick.label2)


def _same_place(one: Axes, other: Axes) -> bool:
    return np.allclose(one.get_position().bounds, other.get_position().bounds, atol=1e-6)


def _labels(axes: Axes) -> Iterator[str]:
    if hasattr(axes, "_colorbar"):
        if not (axes.get_xlabel() or axes.get_ylabel()):
            yield "a colour bar without a label"
        return
    for name, group in (("x", axes.get_shared_x_axes()), ("y", axes.get_shared_y_axes())):
        labels = [getattr(other, f"get_{name}label")() for other in group.get_siblings(axes)]
        if not any(labels):
            yield f"the {name} axis has no label"
        if any(TWO_QUANTITIES.search(label) for label in labels):
            yield f"the {name} axis has two quantities: {labels}"


def _log_bars(axes: Axes) -> Iterator[str]:
    """The length of a bar means nothing where there is no zero."""
    for bars in (c for c in axes.containers if isinstance(c, BarContainer)):
        if (axes.get_yscale() if bars.orientation == "vertical" else axes.get_xscale()) == "log":
            yield "bars on a logarithmic axis: draw dots"
    for stairs in (p for p in axes.patches if isinstance(p, StepPatch) and p.get_fill()):
        if (axes.get_yscale() if stairs.orientation == "vertical" else axes.get_xscale()) == "log":
            yield "a filled histogram on a logarithmic axis"


def _cut_markers(axes: Axes) -> Iterator[str]:
    """Markers whose centre is in view and whose edge is not."""
    box, pixels = axes.bbox, axes.figure.dpi / 72.0
    for line in axes.lines:
        if line.get_marker() in ("None", None, "", " ") or not line.get_clip_on():
            continue
        radius = 0.5 * line.get_markersize() * pixels * (0.5 if line.get_marker() == "." else 1.0)
        points = _pixels(line)[:: 1 if line.get_markevery() is None else line.get_markevery()]
        inside = _within(points, box, 0.5)
        if (inside & ~_within(points, box, -(1.0 - HIDDEN) * radius)).any():
            yield f"markers of {line.get_label()!r} are cut by the edge of the panel"


def _within(points: np.ndarray, box: Bbox, margin: float) -> np.ndarray:
    low, high = np.array([box.x0, box.y0]) - margin, np.array([box.x1, box.y1]) + margin
    return np.all((points >= low) & (points <= high), axis=1, keepdims=True)[:, 0]


def _pixels(line: Line2D) -> np.ndarray:
    with np.errstate(all="ignore"):  # logarithms of zeros are not drawn
        points = line.get_transform().transform(np.asarray(line.get_xydata(), dtype=float))
    return points[np.isfinite(points).all(axis=1)]


def _covered_data(axes: Axes) -> Iterator[str]:
    """Text and legends on lines, points and axes."""
    written = [(text.get_text(), (text.get_bbox_patch() or text).get_window_extent()) for text in axes.texts]
    if (legend := axes.get_legend()) is not None:
        written.append(("the legend", legend.get_window_extent()))
    for name, extent in written:
        spines = (("left", extent.x0, axes.bbox.x0, extent.x1), ("bottom", extent.y0, axes.bbox.y0, extent.y1))
        if any(axes.spines[side].get_visible() and a < at - MARGIN and at + MARGIN < b for side, a, at, b in spines):
            yield f"{name!r} crosses an axis"
        box = Bbox.from_extents(extent.x0 + MARGIN, extent.y0 + MARGIN, extent.x1 - MARGIN, extent.y1 - MARGIN)
        if any(_covers(box, line) for line in axes.lines) or any(
            _within(_offsets(points), box, 0.0).any()
            for points in axes.collections
            if isinstance(points, PathCollection)
        ):
            yield f"{name!r} covers data"


def _offsets(points: PathCollection) -> np.ndarray:
    return np.asarray(points.get_offset_transform().transform(np.ma.filled(points.get_offsets(), np.nan)))


def _covers(box: Bbox, line: Line2D) -> bool:
    points = _pixels(line) if line.get_visible() else np.empty((0, 2))
    if line.get_linestyle() in ("None", "", " "):
        return bool(_within(points, box, 0.0).any())
    return len(points) > 1 and bool(Path(points).intersects_bbox(box, filled=False))


def _stretched(axes: Axes) -> Iterator[str]:
    x, y = axes.get_xlabel(), axes.get_ylabel()
    of_one_plane = x != y and DIGIT.search(x) is not None and DIGIT.sub("", x) == DIGIT.sub("", y)
    if of_one_plane and axes.get_aspect() != 1.0:
        yield "the units of a plane are unequal: set_aspect('equal')"


def _texts_on_texts(figure: Figure) -> Iterator[str]:
    canvas = figure.bbox
    boxes = [(text.get_text(), text.get_window_extent()) for text in _texts(figure)]
    for name, box in boxes:
        if box.x0 < -MARGIN or box.y0 < -MARGIN or box.x1 > canvas.x1 + MARGIN or box.y1 > canvas.y1 + MARGIN:
            yield f"{name!r} is cut by the edge of the figure"
    for (one, a), (other, b) in combinations(boxes, 2):
        if min(a.x1, b.x1) - max(a.x0, b.x0) > MARGIN and min(a.y1, b.y1) - max(a.y0, b.y0) > MARGIN:
            yield f"{one!r} and {other!r} are on each other"
