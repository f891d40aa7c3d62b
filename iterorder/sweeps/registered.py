"""The measures that a sweep knows by name: each a function of maps, a seed and options that returns numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from iterorder.convergence import coupling_distance, diagnose, fit_rate
from iterorder.errors import DivergenceError, InvalidInputError
from iterorder.maps.base import RandomMaps
from iterorder.maps.descent import SGDMaps
from iterorder.maps.optimizer import Optimizer
from iterorder.maps.rows import RowMaps
from iterorder.neighbours import MEASURES as OF_NEIGHBOURS
from iterorder.orders import BACKWARD, FORWARD, Order
from iterorder.simulate import simulated
from iterorder.stationary import stationary_sample
from iterorder.sweeps.measures import TRAINING, ByReplicas
from iterorder.sweeps.training import training
from iterorder.theory import minimizer, theory
from iterorder.trajectory import LEFT
from iterorder.validation import as_floats
from iterorder.wasserstein import wasserstein, wasserstein_1d_to

#: A number for each coordinate, or one for all.
Start: TypeAlias = float | Sequence[float]
#: The verdicts of `diagnose` by their codes.
VERDICTS = ("point", "distribution", "diverges", "inconclusive")
#: Samples of the law itself whose mean distance from it is the noise floor.
FLOOR_SAMPLES = 8
#: Shares below which the quantiles of `final_law` lie.
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


class Registered(NamedTuple):
    """A measure that has a name, and what its variables are."""

    function: Callable[..., dict[str, Any]] | ByReplicas
    notes: Mapping[str, dict[str, Any]]


def starts_at(maps: RandomMaps, x0, name: str = "x0") -> np.ndarray:
    """A state, with the same number in each coordinate where one is given; velocities start at zero."""
    if isinstance(maps, Optimizer):
        return maps.start(starts_at(maps.maps, x0, name))
    start = as_floats(name, x0, ndim=(0, 1))
    if start.ndim and len(start) != maps.dim:
        raise InvalidInputError(
            f"{name} has {len(start)} numbers and the state {maps.dim}: give one number, or one for each"
        )
    return np.broadcast_to(start, (maps.dim,)).copy()


def final_states(
    maps: RandomMaps,
    seed: int,
    first: int,
    count: int,
    *,
    order: Order = FORWARD,
    n_steps: int = 1000,
    x0: Start = 0.0,
    backend: str = "cpu",
) -> dict[str, np.ndarray]:
    """The states of some replicas after `n_steps`, NaN where they left the finite numbers."""
    how: dict[str, Any] = {"order": order, "n_replicas": count, "first_replica": first, "seed": seed}
    try:
        run = simulated(maps, starts_at(maps, x0), n_steps, backend=backend, **how)
    except DivergenceError as error:  # here that is data
        if error.trajectory is None:
            raise
        run = error.trajectory
    return {"states": run.states[:, 0]}


def law_of_states(maps: RandomMaps, seed: int, arrays: dict[str, np.ndarray], *, levels=LEVELS) -> dict[str, Any]:
    """Mean, variance and quantiles of each coordinate over the replicas that stayed finite."""
    states = arrays["states"]
    finite = states[np.isfinite(states).all(axis=1)]
    nothing = np.full(maps.dim, np.nan)
    some = len(finite) > 0
    return {
        "mean": finite.mean(axis=0) if some else nothing,
        "variance": finite.var(axis=0) if some else nothing,
        "quantiles": np.quantile(finite, levels, axis=0) if some else np.full((len(levels), maps.dim), np.nan),
        "diverged": 1.0 - len(finite) / len(states),
    }


def distance_to_theory(
    maps: RandomMaps, seed: int, arrays: dict[str, np.ndarray], *, p: float = 2.0, backend: str = "cpu"
) -> dict[str, Any]:
    """W_p to the exact law where the maps know it, else W_2 of Gaussians with the moments of both.

    The floor is the mean distance of as large samples from that very law.
    """
    states, law = arrays["states"], maps.law
    if not np.isfinite(states).all():
        return {"wasserstein": math.inf, "noise_floor": math.nan}
    noise = np.random.default_rng(seed)
    if law is not None and hasattr(law, "ppf"):
        distance = wasserstein_1d_to(states[:, 0], law, p)
        samples = np.asarray(law.ppf(noise.random((len(states), FLOOR_SAMPLES))))
        return {"wasserstein": distance, "noise_floor": float(np.mean(wasserstein_1d_to(samples, law, p)))}
    if p != 2.0:
        raise InvalidInputError(f"p is {p:g}: without an exact law only p = 2 has a formula")
    known = theory(maps, seed=seed, backend=backend, only=("mean", "covariance"))
    if known.mean is None or known.covariance is None:
        missing = "mean" if known.mean is None else "covariance"
        raise InvalidInputError(f"the maps have no stationary {missing}: {known.reasons.get(missing, '')}")
    target = sample_with_moments(known.mean, known.covariance)
    factor = (target - known.mean)[: maps.dim].T / math.sqrt(maps.dim)
    floor = [
        wasserstein(known.mean + noise.normal(size=states.shape) @ factor.T, target, 2, method="gaussian")
        for _ in range(FLOOR_SAMPLES)
    ]
    return {"wasserstein": wasserstein(states, target, 2, method="gaussian"), "noise_floor": float(np.mean(floor))}


def sample_with_moments(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """2d points, mean ± √d·(a column of a root of the covariance): their mean and covariance (divisor 2d) are these."""
    values, vectors = np.linalg.eigh(covariance)
    columns = (vectors * np.sqrt(np.maximum(values, 0.0))).T * math.sqrt(len(mean))
    return np.concatenate([mean + columns, mean - columns])


def rate(
    maps: RandomMaps,
    seed: int,
    *,
    order: Order = BACKWARD,
    n_steps: int = 400,
    n_replicas: int = 400,
    x0: Start = 0.0,
    y0: Start = 1.0,
    p: float = 1.0,
    backend: str = "cpu",
) -> dict[str, Any]:
    """The rate per step at which two starts approach each other."""
    starts = starts_at(maps, x0), starts_at(maps, y0, "y0")
    how: dict[str, Any] = {"order": order, "n_replicas": n_replicas, "seed": seed}
    found = fit_rate(coupling_distance(maps, *starts, n_steps, p=p, backend=backend, **how))
    return {"rate": found.rate, "rate_low": found.low, "rate_high": found.high, "rate_curved": found.curved}


def diagnosis(
    maps: RandomMaps,
    seed: int,
    *,
    order: Order = FORWARD,
    n_steps: int = 1000,
    n_replicas: int = 50,
    x0: Start = 0.0,
    backend: str = "cpu",
) -> dict[str, Any]:
    """Whether paths settle on a point, keep moving in a steady law, or diverge."""
    how: dict[str, Any] = {"order": order, "n_replicas": n_replicas, "seed": seed}
    found = diagnose(maps, starts_at(maps, x0), n_steps, backend=backend, **how)
    return {
        "verdict": VERDICTS.index(found.verdict),
        "diameter_ratio": found.evidence.ratio,
        "late_diameter": found.evidence.late_diameter,
        "p_value": found.evidence.p_value,
        "diverged": found.evidence.diverged_fraction,
    }


def stability(maps: RandomMaps, seed: int, *, effort: str = "quick", backend: str = "cpu") -> dict[str, Any]:
    """What bounds the moments: NaN where a number does not exist or is not known."""
    known = theory(maps, seed=seed, effort=effort, backend=backend, only=("mean_square_radius", "lipschitz_max"))
    radius = math.nan if known.mean_square_radius is None else known.mean_square_radius.value
    lipschitz = math.nan if known.lipschitz_max is None else known.lipschitz_max.value
    return {"mean_square_radius": radius, "mean_square_stable": radius < 1.0, "lipschitz_max": lipschitz}


def lyapunov(maps: RandomMaps, seed: int, *, effort: str = "quick", backend: str = "cpu") -> dict[str, Any]:
    """The growth rate per step of a small difference."""
    known = theory(maps, seed=seed, effort=effort, backend=backend, only="lyapunov_exponent")
    if known.lyapunov_exponent is None:
        raise InvalidInputError(f"no Lyapunov exponent is known: {known.reasons.get('lyapunov_exponent', '')}")
    return {"lyapunov_exponent": known.lyapunov_exponent}


def risk_of_states(maps: RandomMaps, seed: int, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The mean over the replicas of the excess mean loss, and its standard error."""
    states = arrays["states"]
    losses = maps.maps if isinstance(maps, Optimizer) else maps
    if not isinstance(losses, SGDMaps):
        raise InvalidInputError(f"risk is the excess loss of SGD, and {type(maps).__name__} has no loss")
    excess = _excess(losses, states[:, : losses.dim])
    excess = np.where(np.isfinite(excess), excess, np.inf)
    error = float(excess.std() / math.sqrt(len(excess))) if np.isfinite(excess).all() else math.nan
    return {"risk": float(excess.mean()), "risk_error": error}


def _excess(maps: SGDMaps, states: np.ndarray) -> np.ndarray:
    """The mean loss of the data at states (R, d) above the least one, shape (R,)."""
    best = minimizer(maps)
    if isinstance(maps, RowMaps):
        if not maps.loss.has("value"):
            raise InvalidInputError(f"the loss {maps.loss!r} has no value: give value= to Loss")
        return np.array([_mean_loss(maps, x) for x in states]) - _mean_loss(maps, best)
    curvature = maps.mean_hessian(best)  # of quadratic losses, the same everywhere
    return 0.5 * np.einsum("ri,ij,rj->r", states - best, curvature, states - best)


def _mean_loss(maps: RowMaps, x: np.ndarray) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        margins = maps.features @ x
        return float(maps.loss.values(margins, maps.outcomes).mean() + 0.5 * maps.ridge * (x @ x))


def stationary(
    maps: RandomMaps, seed: int, *, n_samples: int = 1000, tol: float = 1e-6, backend: str = "cpu"
) -> dict[str, Any]:
    """Moments of a certified sample of the stationary law, and how far it had to look back."""
    sample = stationary_sample(maps, n_samples, seed=seed, tol=tol, backend=backend).to_numpy()
    return {
        "stationary_mean": sample.points.mean(axis=0),
        "stationary_variance": sample.points.var(axis=0),
        "stationary_error": float(sample.error_bound.max()),
        "stationary_steps": int(sample.n_steps.max()),
    }


def _note(text: str, units: str = "1", dims: tuple[str, ...] = (), **more) -> dict[str, Any]:
    return {"long_name": text, "units": units, "dims": dims, **more}


_STATE = "units of the state"
_CODES: dict[str, Any] = {"flag_values": list(range(len(VERDICTS))), "flag_meanings": " ".join(VERDICTS)}
#: The registered measures by their names.
MEASURES: Mapping[str, Registered] = MappingProxyType(
    {
        "final_law": Registered(
            ByReplicas(final_states, law_of_states, 1000),
            {
                "mean": _note("mean over the finite replicas", _STATE, ("dim",)),
                "variance": _note("variance over the finite replicas", f"({_STATE})²", ("dim",)),
                "quantiles": _note("quantiles over the finite replicas", _STATE, ("level", "dim")),
                "diverged": _note(f"share of replicas that {LEFT}"),
            },
        ),
        "wasserstein_to_theory": Registered(
            ByReplicas(final_states, distance_to_theory, 1000),
            {
                "wasserstein": _note("Wasserstein distance to the stationary law", _STATE),
                "noise_floor": _note("mean distance of as large samples from that law", _STATE),
            },
        ),
        "rate": Registered(
            rate,
            {
                "rate": _note("rate of the coupling distance", "1/step"),
                "rate_low": _note("lower end of the 95 % interval", "1/step"),
                "rate_high": _note("upper end of the 95 % interval", "1/step"),
                "rate_curved": _note("whether the distance is no exponential"),
            },
        ),
        "diagnosis": Registered(
            diagnosis,
            {
                "verdict": _note("verdict on the paths", **_CODES),
                "diameter_ratio": _note("late over early diameter of a path"),
                "late_diameter": _note("diameter of a path over its second half", _STATE),
                "p_value": _note("of equal laws at n/2 and n"),
                "diverged": _note(f"share of replicas that {LEFT}; huge finite ones have not"),
            },
        ),
        "stability": Registered(
            stability,
            {
                "mean_square_radius": _note("spectral radius of C → E[A C Aᵀ]"),
                "mean_square_stable": _note("whether that radius is below one"),
                "lipschitz_max": _note("bound of the Lipschitz constants"),
            },
        ),
        "lyapunov": Registered(
            lyapunov,
            {
                "lyapunov_exponent": _note("Lyapunov exponent", "1/step"),
                "lyapunov_exponent_error": _note("standard error, 0 where exact", "1/step"),
            },
        ),
        "risk": Registered(
            ByReplicas(final_states, risk_of_states, 1000),
            {
                "risk": _note("mean excess loss", "units of the loss"),
                "risk_error": _note("standard error of the mean", "units of the loss"),
            },
        ),
        TRAINING: Registered(
            training,
            {
                "loss": _note("mean over the last third of the steps and the sequences", "units of the loss"),
                "loss_within": _note("standard deviation over the steps, mean over the sequences", "units of the loss"),
                "loss_between": _note("standard deviation of the sequences' means", "units of the loss"),
                "move": _note("median distance of neighbouring iterates", "units of the parameters"),
            },
        ),
        "stationary_sample": Registered(
            stationary,
            {
                "stationary_mean": _note("mean of a certified sample", _STATE, ("dim",)),
                "stationary_variance": _note("variance of a certified sample", f"({_STATE})²", ("dim",)),
                "stationary_error": _note("largest error bound of the sample", _STATE),
                "stationary_steps": _note("most steps of a sample", "step"),
            },
        ),
        **{name: Registered(*entry) for name, entry in OF_NEIGHBOURS.items()},
    }
)
