"""Risk at equal numbers of gradients: backward, forward, tail-averaged forward, linearly decaying step size (C15).

One iterate after n steps costs n gradients in either order. With independent batches both orders have the same law at
every n (C1), so their risks coincide in expectation and level off at the stationary risk: the backward limit is a draw
from the stationary law, settled but no more accurate. Averaging the second half of a forward path, or letting the step
size decay, does better with the same gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import main, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterorder import LinearRegressionSGD, Optimizer, QuadraticSGD, simulate
from iterorder.datasets import diabetes
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report
from iterorder.theory.small_step import mean_hessian, minimizer

SEED = 23
METHODS = ("backward", "forward", "average", "decay")
LABELS = {
    "backward": "backward $Z_n$",
    "forward": "forward $X_n$",
    "average": "forward, mean of $X_k$, $n/2<k\\leq n$",
    "decay": "forward, step size $h(1-k/n)$",
}
MARKERS = {"backward": "D", "forward": "o", "average": "s", "decay": "^"}
#: Steps times replicas that are held in memory at once.
CHUNK_DRAWS = 2**20

Regression = QuadraticSGD | LinearRegressionSGD


@dataclass(frozen=True, eq=False)
class Problem:
    """A system with its risk, E (x−θ*)ᵀW(x−θ*) in expectation over replicas.

    Attributes
    ----------
    name : str
    maps : QuadraticSGD or LinearRegressionSGD
    start : ndarray, shape (d,)
    weight : ndarray, shape (d, d)
        The matrix W.
    counts : ndarray of int
        The numbers of gradients n.
    replicas : dict
        For each effort.
    """

    name: str
    maps: Regression
    start: np.ndarray
    weight: np.ndarray
    counts: np.ndarray
    replicas: dict[str, int]


def scalar_problem() -> Problem:
    """SGD on (x±1)²/2, whose minimisers have unit variance: E x² tends to h/(2−h)."""
    maps = QuadraticSGD(np.ones(2), np.array([-1.0, 1.0]), 0.3)

    counts = np.array([1, 2, 4, 9, 19, 38, 75, 150, 300, 600, 1200])
    return Problem("scalar", maps, np.array([3.0]), np.eye(1), counts, {"quick": 4000, "full": 40_000})


def diabetes_problem() -> Problem:
    """Batch-1 linear regression from the origin; the risk is the excess of the mean loss."""
    maps = LinearRegressionSGD(*diabetes(), 0.05)

    weight = 0.5 * mean_hessian(maps, np.zeros(maps.dim))
    counts = 2 ** np.arange(2, 16)
    return Problem("diabetes", maps, np.zeros(maps.dim), weight, counts, {"quick": 256, "full": 2048})


def risk_of(problem: Problem, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean risk of states (replica, n, d) and its standard error, each of shape (n,)."""
    error = states - minimizer(problem.maps)
    values = np.einsum("rni,ij,rnj->rn", error, problem.weight, error)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def chunks(last: int, replicas: int) -> list[tuple[int, int]]:
    """The steps from 0 to `last` in pieces (first, length) that fit in memory."""
    length = max(1, CHUNK_DRAWS // replicas)
    return [(first, min(length, last - first)) for first in range(0, last, length)]


def tail_averages(problem: Problem, replicas: int) -> np.ndarray:
    """Means of the forward states after n/2, …, n steps, shape (replica, n, d): from running sums along the path."""
    counts = problem.counts
    wanted = np.unique(np.concatenate([counts, counts // 2]))
    state = np.broadcast_to(problem.start, (replicas, problem.maps.dim))
    total, sums = np.zeros(state.shape), {0: np.zeros(state.shape)}
    for first, length in chunks(int(counts[-1]), replicas):
        run = simulate(problem.maps, state, length, n_replicas=replicas, seed=SEED, save_steps="all", first_step=first)
        running = total[:, None] + np.cumsum(run.states[:, 1:], axis=1)
        inside = wanted[(wanted > first) & (wanted <= first + length)]
        sums |= {int(n): running[:, n - first - 1].copy() for n in inside}
        state, total = run.states[:, -1], running[:, -1]
    return np.stack([(sums[n] - sums[n // 2]) / (n - n // 2) for n in counts.tolist()], axis=1)


def decayed_iterates(problem: Problem, replicas: int) -> np.ndarray:
    """The last state of runs of n steps with step sizes h(1−k/n), k = 0 … n−1, shape (replica, n, d).

    Every n needs a run of its own; all meet the same items, those of the forward path.
    """
    runs = []
    for n in problem.counts.tolist():
        maps = Optimizer(problem.maps, schedule="linear", horizon=n)
        runs.append(simulate(maps, problem.start, n, n_replicas=replicas, seed=SEED).states)
    return np.concatenate(runs, axis=1)


def measured_risks(problem: Problem, replicas: int) -> dict[str, np.ndarray]:
    """Risk and standard error for each n and method, shape (2, n)."""
    last = int(problem.counts[-1])
    risks = {}
    for order in ("backward", "forward"):
        run = simulate(
            problem.maps,
            problem.start,
            last,
            order=order,
            n_replicas=replicas,
            seed=SEED,
            save_steps=problem.counts,
        )
        risks[order] = np.array(risk_of(problem, run.states))
    risks["average"] = np.array(risk_of(problem, tail_averages(problem, replicas)))
    risks["decay"] = np.array(risk_of(problem, decayed_iterates(problem, replicas)))
    return risks


def exact_risk(problem: Problem, counts: np.ndarray) -> np.ndarray:
    """The risk of X_n and of Z_n, by the recursion of the first two moments of δ_n = x_n − θ*.

    δ' = A δ + r with E r = 0: E δ'δ'ᵀ = E A δδᵀ Aᵀ + E[A δ rᵀ] + E[r δᵀAᵀ] + E rrᵀ, one linear map of (1, E δ, E δδᵀ).
    """
    maps, dim = problem.maps, problem.maps.dim
    centre, identity = minimizer(maps), np.eye(dim)
    r = -maps.step_size * maps.gradients(centre)
    # Column j of A_i − I is what the gradient gains from a unit step along axis j.
    linear = identity - maps.step_size * np.stack(
        [maps.gradients(centre + axis) - maps.gradients(centre) for axis in identity], axis=2
    )
    cross = np.einsum("nij,nk->ikj", linear, r) / len(r)
    size = 1 + dim + dim**2
    operator = np.zeros((size, size))
    operator[0, 0] = 1.0
    operator[1 : dim + 1, 1 : dim + 1] = linear.mean(axis=0)
    operator[dim + 1 :, 0] = (r.T @ r / len(r)).ravel()
    operator[dim + 1 :, 1 : dim + 1] = (cross + np.swapaxes(cross, 0, 1)).reshape(dim**2, dim)
    operator[dim + 1 :, dim + 1 :] = np.einsum("nij,nkl->ikjl", linear, linear).reshape(dim**2, dim**2) / len(r)
    delta = problem.start - centre
    moments = np.concatenate([[1.0], delta, np.outer(delta, delta).ravel()])
    return np.array(
        [np.linalg.matrix_power(operator, int(n))[dim + 1 :] @ moments @ problem.weight.ravel() for n in counts]
    )


def average_rate(problem: Problem) -> float:
    """The c of the asymptotic risk c/n of an average of n iterates [1]_: tr(W H⁻¹SH⁻¹), S the gradients' covariance.

    References
    ----------
    .. [1] Polyak, Juditsky (1992), Acceleration of stochastic approximation by averaging, SIAM J. Control Optim. 30(4).
    """
    centre = minimizer(problem.maps)
    inverse = np.linalg.inv(mean_hessian(problem.maps, centre))
    at_minimum = problem.maps.gradients(centre)
    return float(np.trace(problem.weight @ inverse @ (at_minimum.T @ at_minimum / len(at_minimum)) @ inverse))


def draw_problem(axes: Axes, problem: Problem, replicas: int) -> dict[str, object]:
    """Measured risks with two standard errors, and the exact one of both orders; returns the plotted numbers."""
    counts, risks = problem.counts, measured_risks(problem, replicas)
    fine = np.unique(np.geomspace(1, counts[-1], 60).astype(int))
    exact, rate = exact_risk(problem, fine), average_rate(problem)
    axes.loglog(fine, exact, color=ORDER_COLORS["theory"], lw=1.0, zorder=1, label="exact, either order")
    label = "mean of all $n$, asymptotically (Polyak, Juditsky)"
    axes.loglog(fine, rate / fine, ":", color=ORDER_COLORS["floor"], lw=1.0, zorder=0, label=label)
    for name in METHODS:
        mean, error = risks[name]
        # Forward as a ring around the backward marker: where they coincide both are seen.
        ring, joined, color = name == "forward", name in ("average", "decay"), ORDER_COLORS[name]
        axes.errorbar(
            counts,
            mean,
            2.0 * error,
            label=LABELS[name],
            color=color,
            marker=MARKERS[name],
            ms=6.0 if ring else 3.2,
            mfc="none" if ring else color,
            mew=1.0 if ring else 0.0,
            ls="-" if joined else "none",
            lw=0.9,
            elinewidth=0.8,
        )
    plateau = f"backward and forward: one law,\none risk, tending to {exact[-1]:.4f}"
    axes.text(1.0, 1.8 * exact[-1], plateau, ha="right", va="bottom", transform=axes.get_yaxis_transform())
    axes.set(xlabel="gradients $n$", xlim=(0.8 * fine[0], 1.3 * fine[-1]))
    return {
        "gradients": counts,
        **{f"{name}_risk": risks[name][0] for name in METHODS},
        **{f"{name}_error": risks[name][1] for name in METHODS},
        "exact_gradients": fine,
        "exact_risk": exact,
        "average_rate": rate,
    }


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    problems = (scalar_problem(), diabetes_problem())
    with house_style():
        figure = Figure(figsize=(PAGE, 3.3))
        axes = figure.subplots(1, 2)
        data = {}
        for done, (panel, problem) in enumerate(zip(axes, problems, strict=True), 1):
            data[problem.name] = draw_problem(panel, problem, problem.replicas[effort])
            if report is not None:
                report(done / len(problems))
        axes[0].set_ylabel(r"risk $E\,(x-\theta^{\ast})^2$")
        axes[1].set_ylabel(r"excess risk $E\,L(x)-L(\theta^{\ast})$")
        panel_title(axes[0], "a", "two losses, $(x\\pm 1)^2/2$", "step size $h=0.3$, minimiser $\\theta^{\\ast}=0$")
        system = "$h=0.05$; $L$ the mean loss, $\\theta^{\\ast}$ its minimiser"
        panel_title(axes[1], "b", "linear regression, diabetes data", system)
        title = "bars: ± 2 standard errors, mostly within the markers"
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, title=title, title_fontsize=7
        )
        parameters = {
            "effort": effort,
            **{
                problem.name: {
                    "step_size": problem.maps.step_size,
                    "x0": problem.start,
                    "n_replicas": problem.replicas[effort],
                }
                for problem in problems
            },
        }
        return save_figure(figure, folder, "risk", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
