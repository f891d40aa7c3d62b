"""An observable of a training over the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.networks.run import TrainingRun
from iterorder.plot.axes import axes_for
from iterorder.plotting import order_color
from iterorder.validation import as_choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(run: TrainingRun, ax, *, observable: str) -> Axes:
    """See `TrainingRun.plot`."""
    name = as_choice("observable", observable, (*run.observables, "move"))
    values = run.moves if name == "move" else run.observables[name]
    if name == "move" and not run.has_neighbours:
        raise InvalidInputError(
            "observable is 'move', and no step is saved beside the next one: train with pairs=True, or with "
            "save_steps='all'"
        )
    lines = values.reshape(-1, len(run.save_steps))
    # On axes of others the label tells how far this one is, in a legend of theirs.
    with axes_for(ax, columns=int(bool(run.reached) and ax is None)) as axes:
        for i, line in enumerate(lines):
            known = np.isfinite(line)
            label = ", ".join(filter(None, (str(run.order), run.reached))) if i == 0 else None
            axes.plot(run.save_steps[known], line[known], color=order_color(run.order), linewidth=0.8, label=label)
        if run.reached and np.isfinite(lines).any():  # the axis is that of the whole run
            axes.update_datalim([(step, 0.0) for step in run.save_steps[[0, -1]]], updatey=False)
            axes.autoscale_view()
        axes.set(xlabel="step $n$", ylabel=r"$\|\theta_{n+1}-\theta_n\|$" if name == "move" else name)
    return axes
