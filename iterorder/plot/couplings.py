"""The distance of two starts under the same maps, with its rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iterorder.convergence.coupling import CouplingDistance
from iterorder.convergence.rates import Rate, fit_rate
from iterorder.errors import InvalidInputError
from iterorder.plot.axes import DEVIATIONS, axes_for, legend_above
from iterorder.plotting import ORDER_COLORS
from iterorder.shown import a_kind
from iterorder.theory.theory import Theory

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(coupling: CouplingDistance, ax, *, rate: bool, theory) -> Axes:
    """See `CouplingDistance.plot`."""
    if theory is not None and not isinstance(theory, Theory):
        raise InvalidInputError(f"theory is {a_kind(theory)}: give what iterorder.theory returns")
    steps, distance, error = coupling.steps, coupling.distance, DEVIATIONS * coupling.standard_error
    seen = distance > 0.0
    if not seen.any():
        raise InvalidInputError("there is no distance above zero to draw: the starts are equal, or they have diverged")
    fitted = _fit(coupling) if rate else None
    with axes_for(ax) as axes:
        color = ORDER_COLORS["coupling"]
        axes.set_yscale("log")
        least = distance[seen].min()
        low, high = np.maximum(distance - error, 0.3 * least), distance + error
        axes.fill_between(steps, low, high, where=seen, color=color, alpha=0.25, linewidth=0.0)
        axes.plot(steps[seen], distance[seen], color=color, label="distance, ± 2 standard errors")
        if fitted is not None:
            _draw_rate(axes, coupling, fitted)
        if theory is not None and theory.lyapunov_exponent is not None:
            _draw_exponent(axes, coupling, float(theory.lyapunov_exponent))
        mean = r"\sup\,\|X_n-Y_n\|" if np.isinf(coupling.p) else _power(coupling.p)
        axes.set(xlabel="step $n$", ylabel=f"${mean}$")
        legend_above(axes)
    return axes


def _fit(coupling: CouplingDistance) -> Rate | None:
    """None where the curve has no part to fit a line to."""
    try:
        return fit_rate(coupling)
    except InvalidInputError:
        return None


def _draw_rate(ax: Axes, coupling: CouplingDistance, rate: Rate) -> None:
    inside = (coupling.steps >= rate.first) & (coupling.steps <= rate.last) & (coupling.distance > 0.0)
    steps, logs = coupling.steps[inside], np.log(coupling.distance[inside])
    line = np.exp(logs.mean() + rate.rate * (steps - steps.mean()))
    label = f"rate {rate.rate:.4g} a step, in [{rate.low:.4g}, {rate.high:.4g}]"
    ax.plot(steps, line, color=ORDER_COLORS["average"], linestyle="--", label=label)


def _draw_exponent(ax: Axes, coupling: CouplingDistance, exponent: float) -> None:
    """A line of that slope, through the first distance, as far as the picture goes."""
    first = np.flatnonzero(coupling.distance > 0.0)[0]
    with np.errstate(over="ignore", under="ignore"):
        line = coupling.distance[first] * np.exp(exponent * (coupling.steps - coupling.steps[first]))
    low, high = ax.get_ylim()
    shown = (line > max(low, 0.0)) & (line < np.inf)
    ax.plot(coupling.steps[shown], line[shown], color=ORDER_COLORS["theory"], linewidth=0.8, label="Lyapunov exponent")
    ax.set_ylim(low, high)


def _power(p: float) -> str:
    if p == 1:
        return r"E\,\|X_n-Y_n\|"
    return rf"(E\,\|X_n-Y_n\|^{{{p:g}}})^{{1/{p:g}}}"
