"""The distance of two starts under the same maps, with its rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from iterorder.convergence.coupling import CouplingDistance
from iterorder.convergence.rates import Rate, fit_rate
from iterorder.errors import InvalidInputError
from iterorder.plot.axes import DEVIATIONS, axes_for
from iterorder.plot.rates import draw_fit
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
    with axes_for(ax, columns=1) as axes:
        color = ORDER_COLORS["coupling"]
        axes.set_yscale("log")
        least = distance[seen].min()
        low, high = np.maximum(distance - error, 0.3 * least), distance + error
        axes.fill_between(steps, low, high, where=seen, color=color, alpha=0.25, linewidth=0.0)
        axes.plot(steps[seen], distance[seen], color=color, label="distance, ± 2 standard errors")
        if fitted is not None:
            draw_fit(axes, fitted)
        for slope, style, label in _known(theory, coupling.p) if theory is not None else ():
            _draw_slope(axes, coupling, slope, style, label)
        mean = r"\sup\,\|x_n-y_n\|" if np.isinf(coupling.p) else _power(coupling.p)
        axes.set(xlabel="step $n$", ylabel=f"${mean}$")
    return axes


def _fit(coupling: CouplingDistance) -> Rate | None:
    """None where the curve has no part to fit a line to."""
    try:
        return fit_rate(coupling)
    except InvalidInputError:
        return None


def _known(theory: Theory, p: float) -> list[tuple[float, str, str]]:
    """Slopes that theory knows, each with its line and what it is: that of p = 2 in the long run, and of a path."""
    found = []
    radius, exponent = theory.mean_square_radius, theory.lyapunov_exponent
    # The radius is that of independent steps: (E‖x_n − y_n‖²)^½ falls as its root.
    if p == 2 and radius is not None and float(radius) > 0.0 and theory.maps.sampling_law.kind == "iid":
        found.append((0.5 * math.log(float(radius)), "-", "mean squares in the long run"))
    if exponent is not None:
        found.append((float(exponent), ":" if found else "-", "Lyapunov exponent"))
    return found


def _draw_slope(ax: Axes, coupling: CouplingDistance, slope: float, style: str, label: str) -> None:
    """A line of that slope, through the first distance, as far as the picture goes."""
    first = np.flatnonzero(coupling.distance > 0.0)[0]
    with np.errstate(over="ignore", under="ignore"):
        line = coupling.distance[first] * np.exp(slope * (coupling.steps - coupling.steps[first]))
    low, high = ax.get_ylim()
    shown = (line > max(low, 0.0)) & (line < np.inf)
    color, label = ORDER_COLORS["theory"], f"{label}: {slope:.4g}"
    ax.plot(coupling.steps[shown], line[shown], style, color=color, linewidth=0.8, label=label)
    ax.set_ylim(low, high)


def _power(p: float) -> str:
    if p == 1:
        return r"E\,\|x_n-y_n\|"
    return rf"(E\,\|x_n-y_n\|^{{{p:g}}})^{{1/{p:g}}}"
