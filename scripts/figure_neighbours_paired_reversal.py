"""How much the order of an epoch's steps matters, alone and beside its reversal: h² and h³ (preset paired_reversal).

Twelve points of a regression, one epoch from one start in 64 random orders. An order and its reversal end h² times a
sum of Lie brackets apart; the mean of both ends, and an epoch followed by its reversal, depend on the order from h³ on.
Panel (c): how often the bracket of two items tells which of their two orders ends with the smaller mean loss.
"""

from __future__ import annotations

from pathlib import Path

from _common import main
from _neighbours import columns, saved, swept
from matplotlib.figure import Figure

from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report

NAME = "paired_reversal"
SHOWN = {
    "reversed_order": ("order against its reversal", "forward", "o"),
    "reversed_remainder": ("… less $h^2$ times the brackets", "coupling", "s"),
    "mean_of_pair": ("mean of an order and its reversal", "anchored", "^"),
    "paired_epochs": ("an epoch, then its reversal", "backward", "D"),
}


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    table = swept(NAME, report)
    steps = table.step_size.values
    with house_style():
        figure = Figure(figsize=(PAGE, 2.9))
        left, middle, right = figure.subplots(1, 3)
        families = {"LinearRegressionSGD": "least squares", "LogisticRegressionSGD": "logistic regression"}
        for axes, letter, (family, title) in zip((left, middle), "ab", families.items(), strict=True):
            cells = table.sel(family=family)
            axes.loglog(steps, cells.predicted, color=ORDER_COLORS["theory"], lw=1.0, label="$h^2$ times the brackets")
            for name, (label, color, marker) in SHOWN.items():
                axes.loglog(steps, cells[name], marker, color=ORDER_COLORS[color], ms=3.0, label=label)
            cubic = cells.mean_of_pair.values[0] * (steps / steps[0]) ** 3
            axes.loglog(steps, cubic, ":", color=ORDER_COLORS["floor"], lw=1.0, label="slope 3")
            axes.set(xlabel="step size $h$")
            panel_title(axes, letter, title)
        left.set_ylabel("distance of the ends of epochs (rms)")
        for (family, label), style in zip(families.items(), ("-", "--"), strict=True):
            share = table.score_agreement.sel(family=family)
            right.semilogx(steps, share, style, color=ORDER_COLORS["coupling"], label=label)
        right.axhline(0.5, color=ORDER_COLORS["floor"], lw=0.8)
        right.text(steps[0], 0.51, "guessing")
        right.set(xlabel="step size $h$", ylabel="share of pairs", ylim=(0.45, 1.02))
        right.legend(loc="center left")
        panel_title(right, "c", "the score of a pair is right")
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return saved(figure, folder, NAME, effort, columns(table))


if __name__ == "__main__":
    main(draw, __doc__)
