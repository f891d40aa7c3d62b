"""The mean contraction of a step over the moment p, between the Lyapunov exponent and the largest constant."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.plot.axes import axes_for
from iterorder.plotting import ORDER_COLORS
from iterorder.theory.theory import Theory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Moments that are drawn.
MOMENTS = np.concatenate([np.linspace(1.0, 4.0, 13), np.linspace(4.5, 8.0, 8)])


def draw(theory: Theory, ax) -> Axes:
    """See `Theory.plot`."""
    found = [theory.contraction(float(p)) for p in MOMENTS]
    known = [(p, estimate) for p, estimate in zip(MOMENTS, found, strict=True) if estimate is not None]
    exponent, radius, largest = theory.lyapunov_exponent, theory.mean_square_radius, theory.lipschitz_max
    if not known and exponent is None:
        reason = theory.reasons.get("lipschitz_max") or "no contraction and no Lyapunov exponent is known"
        raise InvalidInputError(f"there is nothing to draw: {reason}")
    with axes_for(ax, columns=2) as axes:
        axes.axhline(1.0, color=ORDER_COLORS["floor"], linewidth=0.8)
        if known:
            moments = [p for p, _ in known]
            axes.plot(moments, [float(r) for _, r in known], color=ORDER_COLORS["forward"], label=r"$r_p$ of one step")
            low, high = ([getattr(r, end) for _, r in known] for end in ("low", "high"))
            axes.fill_between(moments, low, high, color=ORDER_COLORS["forward"], alpha=0.25, linewidth=0.0)
        if exponent is not None:
            style: dict = {"color": ORDER_COLORS["theory"], "linewidth": 0.9}
            axes.axhline(math.exp(float(exponent)), label=r"$\exp(\gamma)$, $\gamma$ the Lyapunov exponent", **style)
        if radius is not None and theory.maps.sampling_law.kind == "iid":
            place = [2.0], [math.sqrt(float(radius))]
            label = r"$\sqrt{\rho}$, $\rho$ the growth of mean squares"
            axes.plot(*place, "o", color=ORDER_COLORS["backward"], label=label)
        if largest is not None:
            style = {"color": ORDER_COLORS["anchored"], "linewidth": 0.9, "linestyle": "--"}
            axes.axhline(float(largest), label="largest Lipschitz constant", **style)
        if theory.tail_index is not None and 0.0 < float(theory.tail_index) <= MOMENTS[-1]:
            style = {"color": ORDER_COLORS["sliding"], "linewidth": 0.9, "linestyle": ":"}
            axes.axvline(float(theory.tail_index), label=r"tail index $\kappa$", **style)
        axes.set(xlabel="moment $p$", ylabel="factor a step", xlim=(0.0, MOMENTS[-1]))
    return axes
