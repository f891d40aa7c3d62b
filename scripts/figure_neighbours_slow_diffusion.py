"""A walk whose next step costs ever more comes as far as log n, in both orders (preset slow_diffusion).

Maps x → x + 1 with probability a^(−x). (a) The mean distance of 2000 replicas, forward and backward, and that of the
exact law. (b) The mean of a^X, which grows by a − 1 at each step.
"""

from __future__ import annotations

from pathlib import Path

from _common import main
from _neighbours import columns, saved, swept
from matplotlib.figure import Figure

from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report

NAME = "slow_diffusion"
MARKERS = {"forward": ("o", 5.5, "none"), "backward": ("D", 2.5, ORDER_COLORS["backward"])}


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    table = swept(NAME, report)
    with house_style():
        figure = Figure(figsize=(PAGE, 2.9))
        left, right = figure.subplots(1, 2)
        for base in table.base.values:
            for order, (marker, size, face) in MARKERS.items():
                cells = table.sel(base=base, order=order)
                style = {"ls": "none", "marker": marker, "ms": size, "mfc": face, "color": ORDER_COLORS[order]}
                named = order if base == table.base.values[0] else None
                left.errorbar(table.n_steps, cells.distance, 2 * cells.distance_error, label=named, **style)
                right.errorbar(table.n_steps, cells.power, 2 * cells.power_error, **style)
            left.plot(table.n_steps, cells.exact, color=ORDER_COLORS["theory"], lw=0.9, zorder=0)
            right.plot(table.n_steps, cells.exact_power, color=ORDER_COLORS["theory"], lw=0.9, zorder=0)
            left.text(11500, cells.exact.values[-1], f"$a={base:g}$", va="center")
        left.set(xscale="log", xlabel="steps $n$", ylabel="mean distance", xlim=(0.8, 4e4))
        right.set(xscale="log", yscale="log", xlabel="steps $n$", ylabel="mean of $a^{X_n}$")
        left.legend()
        panel_title(left, "a", "the distance is a logarithm")
        panel_title(right, "b", "exactly $1+(a-1)n$")
        return saved(figure, folder, NAME, effort, columns(table))


if __name__ == "__main__":
    main(draw, __doc__)
