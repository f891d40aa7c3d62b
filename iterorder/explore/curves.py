"""Curves over the step: highlighted paths, increments and the coupling of two starts, and rates of the theory."""

from __future__ import annotations

import numpy as np

from iterorder.convergence.coupling import coupling_distance
from iterorder.errors import DivergenceError
from iterorder.estimate import Estimate
from iterorder.explore.frames import LINE, Scene
from iterorder.orders import FORWARD
from iterorder.simulate import simulate

#: Replicas whose paths are drawn, and those that means are taken over: less where states are long.
PATHS, MEASURED, MEASURED_LONG, LONG = 3, 256, 32, 16
#: Roundings, relative to the scale of a number, that its last step may have left.
ROUNDING = 64 * float(np.finfo(float).eps)


def curves(seen: Scene) -> dict:
    """Paths (order, replica, coordinate, step), root-mean-square increments and coupling distances of a view."""
    view = seen.view
    measured = MEASURED if seen.maps.dim <= LONG else MEASURED_LONG
    how: dict = {"n_replicas": measured, "seed": view.seed, "backend": "cpu"}
    found: dict = {"paths": [], "increments": []}
    for order in (FORWARD, view.composition):
        run = simulate(seen.maps, seen.start, view.steps, order=order, save_steps="all", **how)
        shown = run.states[:PATHS][..., list(seen.coordinates)]
        found["paths"].append(shown.transpose(0, 2, 1).tolist())
        moved = np.linalg.norm(np.diff(run.states, axis=1), axis=2)
        found["increments"].append(np.sqrt(np.mean(moved * moved, axis=0)).tolist())
    try:
        coupling = coupling_distance(seen.maps, seen.start, seen.start + 1.0, view.steps, order=FORWARD, **how)
        found["coupling"] = coupling.distance.tolist()
    except DivergenceError:
        found["coupling"] = None
    return found


def law_counts(seen: Scene) -> list[float] | None:
    """Probabilities of the bins under the exact stationary law, on the line; None where it is not known."""
    law = getattr(seen.maps, "law", None)
    if law is None or len(seen.coordinates) > 1 or seen.maps.dim > 1 or not hasattr(law, "cdf"):
        return None
    low, high = seen.ranges[0]
    edges = np.linspace(low, high, LINE + 1)
    return np.diff([float(law.cdf(edge)) for edge in edges]).tolist()


def known(seen: Scene) -> dict:
    """The theory of a view: numbers as they are printed, and rates that lines are drawn with."""
    from iterorder.theory import theory

    found = theory(seen.maps, backend="cpu")
    rows = []
    for name, title in (
        ("lyapunov_exponent", "Lyapunov exponent"),
        ("lipschitz_max", "largest Lipschitz constant"),
        ("mean_square_radius", "mean-square radius"),
        ("tail_index", "tail index"),
    ):
        value = getattr(found, name)
        if value is not None:
            rows.append([title, _told(value)])
    spread = None if found.covariance is None else np.sqrt(np.diag(found.covariance))
    if found.mean is not None:
        scale = float(np.abs(found.mean).max() if spread is None else spread.max())
        rows.append(["stationary mean", ", ".join(f"{_clean(found.mean[k], scale):.6g}" for k in seen.coordinates)])
    if spread is not None:
        rows.append(["stationary sd", ", ".join(f"{spread[k]:.6g}" for k in seen.coordinates)])
    rate = found.lyapunov_exponent
    radius = found.mean_square_radius
    epoch = seen.maps.sampling_law.kind != "iid"  # whose radius is that of several steps
    return {
        "rows": rows,
        "rate": None if rate is None else _clean(float(rate)),
        "mean_square_rate": None if radius is None or epoch or float(radius) <= 0 else 0.5 * np.log(float(radius)),
    }


def _told(value: Estimate) -> str:
    """An estimate to six digits; what is rounding alone is zero in its value, and left out as its error."""
    number, error = _clean(value.value), _clean(value.standard_error, 1.0 + abs(value.value))
    return f"{number:.6g} ± {error:.2g}" if error > 0.0 else f"{number:.6g}"


def _clean(value: float, scale: float = 1.0) -> float:
    return 0.0 if abs(value) <= ROUNDING * scale else value
