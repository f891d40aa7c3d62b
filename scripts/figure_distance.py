"""Distance to the stationary law: what a sample sees, and what a coupling sees below the sampling floor.

Forward and backward have the same law at every n, so their distances agree. The empirical W_1 stops at its noise floor;
the synchronous coupling with a stationary chain bounds W_1 from above down to rounding. In several dimensions both are
those of one coordinate: the same quantity on the same axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _common import described, few_features_logistic, main, number, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import uniform

from iterorder import gallery, simulate
from iterorder.maps.descent import SGDMaps
from iterorder.orders import BACKWARD, FORWARD
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report
from iterorder.theory import theory
from iterorder.wasserstein import wasserstein_1d, wasserstein_1d_to, wasserstein_estimate

SEED = 21
STEP_SIZE = 0.5
LINE_REPLICAS = {"quick": 20_000, "full": 200_000}
LOGISTIC_REPLICAS = {"quick": 10_000, "full": 100_000}
COUPLED = {"quick": 1000, "full": 10_000}
#: Independent samples of so many replicas: their mean is drawn, with the least and the largest of them.
SAMPLES = 10
# Fifteen decades, down to rounding.
LINE_STEPS, LOGISTIC_STEPS = 50, 2500
# The start is forgotten: exp(γ·1500) is 1e-9.
BURN_IN = 1500


@dataclass(frozen=True, eq=False)
class Curves:
    """Everything in one panel.

    Attributes
    ----------
    sampled_at : ndarray, shape (m,)
    sampled : dict of str to ndarray, shape (SAMPLES, m)
        W_1 of each sample, for both orders.
    floor : float
        W_1 between a sample of the stationary law and that law, or its reference sample.
    coupled_at : ndarray, shape (n,)
    coupled, coupled_error : ndarray, shape (n,)
        Mean distance of the coupled chains and its standard error.
    bound : ndarray, shape (n,)
        By a sure or a mean contraction.
    theory : ndarray, shape (n,), or None
        The line of the asymptotic rate.
    """

    sampled_at: np.ndarray
    sampled: dict[str, np.ndarray]
    floor: float
    coupled_at: np.ndarray
    coupled: np.ndarray
    coupled_error: np.ndarray
    bound: np.ndarray
    theory: np.ndarray | None

    def as_data(self) -> dict[str, object]:
        """The plotted numbers by name."""
        return dict(vars(self))


def coupled(maps: SGDMaps, x0, y0: np.ndarray, steps: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Mean of |v·(X_n − Y_n)| under the same maps and its standard error, shape (2, n); a chain a row of y0."""
    chains = [
        simulate(maps, start, int(steps[-1]), n_replicas=len(y0), seed=SEED + 1, save_steps=steps).states @ direction
        for start in (np.asarray(x0), y0)
    ]
    distances = np.abs(chains[0] - chains[1])
    return np.stack([distances.mean(axis=0), distances.std(axis=0, ddof=1) / np.sqrt(len(y0))])


def samples(maps: SGDMaps, x0, order: str, size: int, steps: np.ndarray) -> Iterator[np.ndarray]:
    """Independent samples of states, each of shape (size, n, dim)."""
    for place in range(SAMPLES):
        yield simulate(
            maps,
            x0,
            int(steps[-1]),
            order=order,
            n_replicas=size,
            seed=SEED,
            save_steps=steps,
            first_replica=place * size,
        ).states


def two_point_curves(effort: str) -> Curves:
    """h = ½ from 0: the law is uniform, and W_1 is ½(1−h)^n exactly (C5)."""
    maps, n_replicas = gallery.two_point_quadratic(STEP_SIZE), LINE_REPLICAS[effort]
    steps, early = np.arange(0, LINE_STEPS + 1), np.arange(0, 25, 2)
    sampled = {
        order: np.array(
            [
                [wasserstein_1d_to(x, uniform()) for x in states[:, :, 0].T]
                for states in samples(maps, [0.0], order, n_replicas, early)
            ]
        )
        for order in (FORWARD, BACKWARD)
    }
    # Exact: y0 is spread evenly over the uniform law.
    y0 = (np.arange(n_replicas) + 0.5)[:, None] / n_replicas
    distance, error = coupled(maps, [0.0], y0, steps, np.ones(1))
    rate = number(theory(maps).contraction(1))
    return Curves(
        sampled_at=early,
        sampled=sampled,
        # E∫|F_R − F| with F_R(x) ≈ normal of variance F(1−F)/R: √(2/(πR))·∫√(x(1−x)) dx.
        floor=np.sqrt(2 / np.pi / n_replicas) * np.pi / 8,
        coupled_at=steps,
        coupled=distance,
        coupled_error=error,
        bound=0.5 * rate**steps,
        theory=None,
    )


def logistic_curves(effort: str) -> Curves:
    """Breast cancer data from 0, along v, the direction of the stationary mean; each sample has its own reference."""
    maps, n_replicas, n_coupled = few_features_logistic(), LOGISTIC_REPLICAS[effort], COUPLED[effort]
    x0 = np.zeros(maps.dim)
    # Other noise than the chains that are measured.
    reference = simulate(maps, x0, BURN_IN, n_replicas=4 * n_replicas * SAMPLES, seed=SEED + 2).states[:, 0]
    direction = reference.mean(axis=0) / np.linalg.norm(reference.mean(axis=0))
    references = (reference @ direction).reshape(SAMPLES, 4 * n_replicas)
    early = np.arange(0, 1001, 50)
    sampled = {
        order: np.array(
            [
                [wasserstein_1d(x, beside) for x in (states @ direction).T]
                for states, beside in zip(samples(maps, x0, order, n_replicas, early), references, strict=True)
            ]
        )
        for order in (FORWARD, BACKWARD)
    }
    floor = wasserstein_estimate(references[0, :n_replicas], references[1], n_bootstrap=20).noise_floor
    steps = np.arange(0, LOGISTIC_STEPS + 1, 25)
    distance, error = coupled(maps, x0, reference[:n_coupled], steps, direction)
    known = theory(maps)
    middle = len(steps) // 2
    start = np.linalg.norm(x0 - reference, axis=1).mean()
    return Curves(
        sampled_at=early,
        sampled=sampled,
        floor=floor,
        coupled_at=steps,
        coupled=distance,
        coupled_error=error,
        # Of norms, and so of one coordinate.
        bound=start * number(known.lipschitz_max) ** steps,
        # The exponent says nothing about the level: the line passes through the middle of the coupling.
        theory=distance[middle] * np.exp(number(known.lyapunov_exponent) * (steps - steps[middle])),
    )


def draw_curves(axes: Axes, curves: Curves, coupling: str, bound: str) -> None:
    """One panel; `coupling` and `bound` name the wide and the dotted line."""
    color, n = ORDER_COLORS, curves.coupled_at
    # Side by side, as they agree: a quarter of the way to the next.
    shift = 0.125 * (curves.sampled_at[1] - curves.sampled_at[0])
    for order, marker, size, side in ((FORWARD, "o", 3.6, -shift), (BACKWARD, "x", 3.4, shift)):
        values = curves.sampled[order]
        middle = values.mean(axis=0)
        # At the start all are equal, and their mean is so to rounding.
        ends = np.maximum([middle - values.min(axis=0), values.max(axis=0) - middle], 0.0)
        how: dict[str, Any] = {"ms": size, "mfc": "none", "color": color[order], "elinewidth": 0.8, "ls": "none"}
        axes.errorbar(curves.sampled_at + side, middle, ends, marker=marker, label=f"$W_1$ of samples, {order}", **how)
    reach = 1.5 * curves.sampled_at[-1]
    axes.plot([0, reach], [curves.floor] * 2, color=color["floor"], lw=0.9, label="noise floor of $W_1$")
    # Below the markers: forward and backward must stay visible where all three agree.
    axes.plot(n, curves.coupled, color=color["coupling"], lw=2.2, zorder=1.5, label=coupling)
    error = 2.0 * curves.coupled_error
    least = np.maximum(curves.coupled - error, np.finfo(float).tiny)
    axes.fill_between(n, least, curves.coupled + error, color=color["coupling"], alpha=0.3, lw=0)
    axes.plot(n, curves.bound, color=color["theory"], lw=0.9, ls=":", label=bound)
    if curves.theory is not None:
        rate = r"$\propto e^{\gamma n}$, $\gamma$ Lyapunov exponent"
        axes.plot(n, curves.theory, color=color["theory"], lw=0.9, ls="--", label=rate)
    margin = 0.025 * n[-1]
    axes.set(yscale="log", xlabel="steps $n$", xlim=(-margin, n[-1] + margin), ylim=(1e-20, 10))
    axes.legend(loc="lower left", borderaxespad=0.2, labelspacing=0.2)


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    two_point = two_point_curves(effort)
    if report is not None:
        report(0.5)
    logistic = logistic_curves(effort)
    cancer = few_features_logistic()
    with house_style():
        figure = Figure(figsize=(PAGE, 3.1))
        left, right = figure.subplots(1, 2)
        draw_curves(left, two_point, r"coupling $E\,|X_n-Y_n|$, $Y_0\sim\pi$", r"exact $\frac{1}{2}(1-h)^n$")
        contraction = number(theory(cancer).lipschitz_max)
        draw_curves(
            right,
            logistic,
            r"coupling $E\,|v\cdot(X_n-Y_n)|$, $Y_0\sim\pi$",
            rf"sure bound ${contraction:.4g}^n\,E\|x_0-Y_0\|$",
        )
        seen = "samples stop at their floor, coupling goes on"
        panel_title(left, "a", seen, "two quadratics, $h=1/2$")
        panel_title(
            right, "b", "the same on real data, along the mean $v$", "logistic regression, breast cancer, 5 features"
        )
        left.set_ylabel(r"distance to the stationary law $\pi$")
        right.set_ylabel(r"distance to $\pi$ along $v$")
        figure.supxlabel(
            f"markers: mean of {SAMPLES} samples, bars from the least to the largest; shaded: ± 2 standard errors",
            fontsize=7,
        )
        parameters = {
            "effort": effort,
            "samples": SAMPLES,
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
