"""Distance to the stationary law: what a sample sees, and what a coupling sees below the sampling floor.

Forward and backward have the same law at every n, so their distances agree. The empirical W_1 stops at its noise floor;
the synchronous coupling with a stationary chain bounds W_1 from above down to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import described, few_features_logistic, main, number
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import uniform

from iterorder import gallery, simulate
from iterorder.convergence import coupling_distance
from iterorder.orders import BACKWARD, FORWARD
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title, save_figure
from iterorder.progress import Report
from iterorder.theory import theory
from iterorder.wasserstein import wasserstein_1d_to, wasserstein_estimate

SEED = 21
STEP_SIZE = 0.5
LINE_REPLICAS = {"quick": 20_000, "full": 200_000}
LOGISTIC_REPLICAS = {"quick": 10_000, "full": 100_000}
COUPLED = {"quick": 1000, "full": 10_000}
# Fifteen decades, down to rounding.
LINE_STEPS, LOGISTIC_STEPS = 50, 2500
# The start is forgotten: exp(γ·1500) is 1e-9.
BURN_IN = 1500


@dataclass(frozen=True, eq=False)
class Curves:
    """Everything in one panel; `theory` is the line through the asymptotic rate, `bound` a sure or mean contraction."""

    sampled_at: np.ndarray
    sampled: dict[str, np.ndarray]
    floor: float
    coupled_at: np.ndarray
    coupled: np.ndarray
    bound: np.ndarray
    theory: np.ndarray | None

    def as_data(self) -> dict[str, object]:
        """The plotted numbers by name."""
        return dict(vars(self))


def two_point_curves(effort: str) -> Curves:
    """h = ½ from 0: the law is uniform, and W_1 is ½(1−h)^n exactly (C5)."""
    maps, n_replicas = gallery.two_point_quadratic(STEP_SIZE), LINE_REPLICAS[effort]
    steps = np.arange(0, LINE_STEPS + 1)
    sampled = {}
    for order in (FORWARD, BACKWARD):
        run = simulate(maps, [0.0], 24, order=order, n_replicas=n_replicas, seed=SEED, save_steps=np.arange(0, 25, 2))
        sampled[order] = np.array([wasserstein_1d_to(states, uniform()) for states in run.states[:, :, 0].T])
    # Exact: y0 is spread evenly over the uniform law.
    y0 = (np.arange(n_replicas) + 0.5)[:, None] / n_replicas
    coupling = coupling_distance(
        maps, [0.0], y0, LINE_STEPS, order=FORWARD, n_replicas=n_replicas, seed=SEED + 1, p=1, save_steps=steps
    )
    rate = number(theory(maps).contraction(1))
    return Curves(
        sampled_at=np.arange(0, 25, 2),
        sampled=sampled,
        # E∫|F_R − F| with F_R(x) ≈ normal of variance F(1−F)/R: √(2/(πR))·∫√(x(1−x)) dx.
        floor=np.sqrt(2 / np.pi / n_replicas) * np.pi / 8,
        coupled_at=steps,
        coupled=coupling.distance,
        bound=0.5 * rate**steps,
        theory=None,
    )


def logistic_curves(effort: str) -> Curves:
    """Breast cancer data from 0; samples are compared along v, the direction of the stationary mean."""
    maps, n_replicas, n_coupled = few_features_logistic(), LOGISTIC_REPLICAS[effort], COUPLED[effort]
    x0 = np.zeros(maps.dim)
    # Other noise than the chains that are measured.
    stationary = simulate(maps, x0, BURN_IN, n_replicas=4 * n_replicas, seed=SEED + 2).states[:, 0]
    direction = stationary.mean(axis=0) / np.linalg.norm(stationary.mean(axis=0))
    reference = stationary @ direction
    early = np.arange(0, 1001, 50)
    sampled, floor = {}, np.nan
    for order in (FORWARD, BACKWARD):
        run = simulate(maps, x0, int(early[-1]), order=order, n_replicas=n_replicas, seed=SEED, save_steps=early)
        estimates = [wasserstein_estimate(x, reference, n_bootstrap=20) for x in (run.states @ direction).T]
        sampled[order] = np.array([estimate.value for estimate in estimates])
        floor = estimates[-1].noise_floor
    steps = np.arange(0, LOGISTIC_STEPS + 1, 25)
    y0 = stationary[:n_coupled]
    coupling = coupling_distance(
        maps, x0, y0, LOGISTIC_STEPS, order=FORWARD, n_replicas=n_coupled, seed=SEED + 1, p=1, save_steps=steps
    )
    known = theory(maps)
    middle = len(steps) // 2
    return Curves(
        sampled_at=early,
        sampled=sampled,
        floor=floor,
        coupled_at=steps,
        coupled=coupling.distance,
        bound=coupling.distance[0] * number(known.lipschitz_max) ** steps,
        # The exponent says nothing about the level: the line passes through the middle of the coupling.
        theory=coupling.distance[middle] * np.exp(number(known.lyapunov_exponent) * (steps - steps[middle])),
    )


def draw_curves(axes: Axes, curves: Curves, sample: str, bound: str) -> None:
    """One panel; `sample` and `bound` name the points and the dotted line."""
    color = ORDER_COLORS
    for order, marker, size in ((FORWARD, "o", 5.0), (BACKWARD, "x", 3.5)):
        values, label = curves.sampled[order], f"{sample}, {order}"
        axes.plot(curves.sampled_at, values, marker, ms=size, mfc="none", color=color[order], label=label)
    reach = 1.5 * curves.sampled_at[-1]
    axes.plot([0, reach], [curves.floor] * 2, color=color["floor"], lw=0.9, label="its noise floor")
    coupling = r"coupling $E\|X_n-Y_n\|$, $Y_0\sim\pi$"
    # Below the markers: forward and backward must stay visible where all three agree.
    axes.plot(curves.coupled_at, curves.coupled, color=color["coupling"], lw=2.2, zorder=1.5, label=coupling)
    axes.plot(curves.coupled_at, curves.bound, color=color["theory"], lw=0.9, ls=":", label=bound)
    if curves.theory is not None:
        rate = r"rate $e^{\gamma n}$"
        axes.plot(curves.coupled_at, curves.theory, color=color["theory"], lw=0.9, ls="--", label=rate)
    axes.set(yscale="log", xlabel="steps $n$", xlim=(0, curves.coupled_at[-1]), ylim=(1e-17, 10))
    axes.legend(loc="lower left", borderaxespad=0.2, labelspacing=0.35)


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    two_point = two_point_curves(effort)
    if report is not None:
        report(0.5)
    logistic = logistic_curves(effort)
    cancer = few_features_logistic()
    with house_style():
        figure = Figure(figsize=(PAGE, 2.7))
        left, right = figure.subplots(1, 2)
        draw_curves(left, two_point, "$W_1$ of samples", r"exact $\frac{1}{2}(1-h)^n$")
        draw_curves(right, logistic, "$W_1$ along $v$", r"sure bound $c^n\,E\|x_0-Y_0\|$")
        seen = "samples stop at their floor, coupling goes on"
        panel_title(left, "a", seen, "two quadratics, $h=1/2$")
        panel_title(right, "b", "the same on real data", "logistic regression, breast cancer, 5 features")
        left.set_ylabel("distance to the stationary law")
        parameters = {
            "effort": effort,
            "two_point": {"step_size": STEP_SIZE, "replicas": LINE_REPLICAS[effort], "x0": 0.0},
            "logistic": described(cancer)
            | {
                "replicas": LOGISTIC_REPLICAS[effort],
                "coupled": COUPLED[effort],
                "x0": 0.0,
                "v": "unit vector along the stationary mean",
            },
        }
        data = {"two_point": two_point.as_data(), "logistic": logistic.as_data()}
        return save_figure(figure, folder, "distance", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
