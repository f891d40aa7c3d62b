"""SGD with the state of its optimiser: momentum, weight decay and a step size that changes with the step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.forms import Stateful
from iterorder.maps.base import RandomMaps
from iterorder.maps.descent import SGDMaps
from iterorder.maps.family import family, family_of
from iterorder.types import ArrayLike, DrawSeed, FloatArray, IntArray
from iterorder.validation import MAX_STEPS, as_float, as_floats, as_int, as_integers, read_only

SCHEDULES = ("constant", "linear", "cosine")
#: The longest schedule: its step sizes are kept in memory (80 MB).
MAX_HORIZON = 10_000_000


@family
@dataclass(frozen=True, eq=False)
class Optimizer(RandomMaps):
    """SGD with heavy-ball momentum, weight decay and a step-size schedule: the optimiser's memory is part of the state.

    The state is (x, v) with the velocity v, or x alone without momentum. Step k, counted from 0, of step size h_k::

        v → momentum·v + ∇L(x)
        x → (1 − h_k·weight_decay)·x − h_k·v    (the new v)

    The step size belongs to the map: backward composition applies the map of step 0 last, with the step size h_0.

    Parameters
    ----------
    maps : QuadraticSGD, LinearRegressionSGD, LogisticRegressionSGD or LinearModelSGD
        Gives the losses, the batches and the step size h.
    momentum : float in [0, 1)
        How much of the velocity is kept at each step; with zero the state is x alone.
    weight_decay : float ≥ 0
        Decoupled from the gradient: it does not enter the velocity. Without momentum the same as a ridge.
    schedule : "constant", "linear", "cosine" or array_like, shape (N,)
        h_k/h: 1; 1 − k/N; ½(1 + cos(πk/N)); or the numbers ≥ 0 that are given. Linear and cosine end at zero after N
        steps; given numbers go on with the last.
    horizon : int, for "linear" and "cosine"
        The N of the schedule.

    Attributes
    ----------
    step_sizes : ndarray, shape (N + 1,), (N,) or (1,)
        The h_k; later steps have the last.

    Raises
    ------
    InvalidInputError
        If an argument is not as described, or `maps` is another family or an optimiser already.

    Notes
    -----
    A draw is that of `maps`. Where the step size changes, the step number comes first: an array (k, item, …). Then the
    maps are no longer equally distributed: forward and backward iterates have different laws, there is no stationary
    law, and `theory` and `stationary_sample` say so. The velocity is a sum of gradients, not of moves: a change of the
    step size leaves it as it is.

    References
    ----------
    .. [1] Polyak (1964), Some methods of speeding up the convergence of iteration methods.
    .. [2] Loshchilov, Hutter (2019), Decoupled weight decay regularization, ICLR.

    Examples
    --------
    >>> from iterorder.maps import QuadraticSGD
    >>> maps = Optimizer(QuadraticSGD([1.0], [0.0], 0.5), momentum=0.5)
    >>> maps.apply(maps.start([1.0]), 0)  # v = 1, x = 1 − ½
    array([0.5, 1. ])
    >>> decaying = Optimizer(QuadraticSGD([1.0], [0.0], 0.5), schedule="linear", horizon=4)
    >>> decaying.step_sizes, decaying.draw(0, 0, 3)
    (array([0.5  , 0.375, 0.25 , 0.125, 0.   ]), array([3, 0]))
    """

    maps: SGDMaps
    momentum: float = field(default=0.0, kw_only=True)
    weight_decay: float = field(default=0.0, kw_only=True)
    schedule: str | FloatArray = field(default="constant", kw_only=True)
    horizon: int | None = field(default=None, kw_only=True)

    if TYPE_CHECKING:  # whatever becomes an array is accepted

        def __init__(
            self,
            maps: SGDMaps,
            *,
            momentum: float = 0.0,
            weight_decay: float = 0.0,
            schedule: str | ArrayLike = "constant",
            horizon: int | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        family_of("maps", self.maps, SGDMaps)
        momentum = as_float("momentum", self.momentum, low=0.0)
        if not momentum < 1.0:
            raise InvalidInputError(f"momentum is {momentum!r}: give a number in [0, 1), such as 0.9")
        schedule, horizon = _as_schedule(self.schedule, self.horizon)
        object.__setattr__(self, "momentum", momentum)
        object.__setattr__(self, "weight_decay", as_float("weight_decay", self.weight_decay, low=0.0))
        object.__setattr__(self, "schedule", schedule)
        object.__setattr__(self, "horizon", horizon)
        object.__setattr__(self, "sampling_law", self.maps.sampling_law)

    @property
    def coordinate_names(self) -> tuple[str, ...] | None:
        """Those of the maps, and then of the velocities."""
        names = self.maps.coordinate_names
        if names is None or self.dim == len(names):
            return names
        return (*names, *(f"velocity of {name}" for name in names))

    @property
    def dim(self) -> int:
        """The dimension of the state: that of x, twice with momentum."""
        return self.maps.dim * (2 if self.momentum else 1)

    @cached_property
    def step_sizes(self) -> FloatArray:
        """The step sizes h_k; later steps have the last."""
        return read_only(self.maps.step_size * _factors(self.schedule, self.horizon))

    @cached_property
    def time_homogeneous(self) -> bool:
        """Whether all steps have the same step size."""
        return bool((self.step_sizes == self.step_sizes[0]).all())

    def form(self) -> Stateful:
        """The gradients of the losses, and what the optimiser adds."""
        inner = self.maps
        return Stateful(inner.gradient_form(), inner.ridge, self.momentum, self.weight_decay, self.step_sizes)

    def start(self, x: ArrayLike) -> FloatArray:
        """The state at x with velocity zero, shape (..., dim) for x of shape (..., maps.dim)."""
        x = self.maps._states(x)
        return np.concatenate([x, np.zeros_like(x)], axis=-1) if self.momentum else x

    def position(self, states: ArrayLike) -> FloatArray:
        """The x of states of shape (..., dim), shape (..., maps.dim)."""
        return self._states(states)[..., : self.maps.dim]

    def draw(self, seed: DrawSeed, replica: int, step: int) -> int | IntArray:
        """The item of a step (int), or its items; behind the step number where the step size changes."""
        drawn = self.sampling_law.draw(seed, replica, step)
        return drawn if self.time_homogeneous else np.append(np.int64(step), drawn)

    def apply(self, x: ArrayLike, draw: ArrayLike) -> FloatArray:
        """The new (x, v), or the new x, shape (..., dim) as x."""
        states = self._states(x)
        step_size, items = self._split(draw)
        return self._step(states, self.maps.gradient(self.position(states), items), step_size)

    def images(self, x: FloatArray) -> FloatArray:
        """The images of one state for each item alone, shape (n_items, dim), by the step size of step 0."""
        slopes = self.maps.gradients(x[: self.maps.dim])
        return self._step(np.broadcast_to(x, (len(slopes), self.dim)), slopes, float(self.step_sizes[0]))

    def _step(self, states: FloatArray, slopes: FloatArray, step_size: float) -> np.ndarray:
        """The states after a step with these gradients."""
        place = states[..., : self.maps.dim]
        velocity = slopes + self.momentum * states[..., self.maps.dim :] if self.momentum else slopes
        moved = (1.0 - step_size * self.weight_decay) * place - step_size * velocity
        return np.concatenate([moved, velocity], axis=-1) if self.momentum else moved

    @property
    def bound_argument(self) -> str:
        """That of the losses."""
        return self.maps.bound_argument

    @property
    def unbounded(self) -> str:
        """Why there is no Lipschitz constant, of the losses."""
        return self.maps.unbounded

    @property
    def smaller_steps(self) -> str:
        """What to try where the maps do not contract, by the losses."""
        return self.maps.smaller_steps

    @property
    def item_places(self) -> FloatArray:
        """Those of the losses, at rest."""
        return self.start(self.maps.item_places)

    @property
    def holds_functions(self) -> bool:
        """Whether the losses are of a user's code."""
        return self.maps.holds_functions

    def lipschitz(self, draw: ArrayLike) -> float | None:
        """The largest norm of [[1 − h·(weight_decay + λ), −h·momentum], [λ, momentum]] over the curvatures λ of a draw.

        The norm is convex in λ, so that the ends of their range decide; None where they have no bound.
        """
        step_size, items = self._split(draw)
        return self._largest_norm(self.maps.curvature_range(items), (step_size,))

    @property
    def lipschitz_max(self) -> float | None:
        """The same over all draws and step sizes."""
        return self._largest_norm(self.maps.curvature_range(), (self.step_sizes.min(), self.step_sizes.max()))

    def _largest_norm(self, curvatures: tuple[float, float], step_sizes: Sequence[float]) -> float | None:
        if not np.isfinite(curvatures).all():
            return None
        kept = [(1.0 - h * (self.weight_decay + c), h, c) for h in step_sizes for c in curvatures]
        if not self.momentum:
            return max(abs(keep) for keep, _, _ in kept)
        blocks = [[[keep, -h * self.momentum], [c, self.momentum]] for keep, h, c in kept]
        return float(np.linalg.norm(blocks, 2, axis=(1, 2)).max())

    def _split(self, draw: ArrayLike) -> tuple[float, ArrayLike]:
        """The step size and the items of a draw."""
        if self.time_homogeneous:
            return float(self.step_sizes[0]), draw
        wanted = "give an array of the step number and the items"
        numbers = as_integers("draw", draw, wanted)
        if numbers.size < 2:
            raise InvalidInputError(f"draw is {draw!r}: {wanted}")
        step = as_int("the step number of draw", int(numbers[0]), low=0, high=MAX_STEPS)
        return float(self.step_sizes[min(step, len(self.step_sizes) - 1)]), numbers[1:]


def _as_schedule(schedule: Any, horizon: int | None) -> tuple[str | np.ndarray, int | None]:
    known = ", ".join(repr(name) for name in SCHEDULES)
    named = isinstance(schedule, str)
    if named and schedule not in SCHEDULES:
        raise InvalidInputError(f"schedule is {schedule!r}: give {known}, or an array of factors")
    if named and schedule != "constant":
        if horizon is None:
            raise InvalidInputError(
                f"schedule is {schedule!r} without a horizon: give horizon=, the steps that it takes"
            )
        return schedule, as_int("horizon", horizon, low=1, high=MAX_HORIZON)
    if horizon is not None:
        raise InvalidInputError(f"horizon is {horizon!r}: it is for schedule='linear' and 'cosine' only")
    if named:
        return schedule, None
    factors = as_floats("schedule", schedule, ndim=(1,))
    if not 1 <= len(factors) <= MAX_HORIZON:
        raise InvalidInputError(f"schedule has {len(factors)} numbers: give 1 to {MAX_HORIZON}, or one of {known}")
    if (factors < 0.0).any():
        worst = int(factors.argmin())
        raise InvalidInputError(f"schedule[{worst}] is {factors[worst]}: factors of the step size are at least 0")
    return read_only(factors), None


def _factors(schedule: str | np.ndarray, horizon: int | None) -> np.ndarray:
    """h_k/h of the steps before the last number goes on for ever."""
    if isinstance(schedule, np.ndarray):
        return schedule
    if horizon is None:
        return np.ones(1)
    share = np.arange(horizon + 1) / horizon
    return 1.0 - share if schedule == "linear" else 0.5 * (1.0 + np.cos(np.pi * share))
