"""`StepModel`: what a network must offer to be trained in any order, and what arrays give it for nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from iterorder.device_arrays import to_numpy
from iterorder.errors import InvalidInputError
from iterorder.networks.step_noise import StepNoise
from iterorder.sampling import Sampling
from iterorder.shown import a_kind
from iterorder.types import ArrayLike, IntArray

State: TypeAlias = dict[str, Any]
"""Everything that the map acts on, by name: parameters, velocity, moments, counters, running statistics.

Each array has a leading axis of replicas; the arrays may be those of NumPy, CuPy or PyTorch.
"""


@runtime_checkable
class StepModel(Protocol):
    """One step of training for many replicas side by side: a random map on the whole state.

    A state is a flat dict of arrays with a leading replica axis. Momentum, the moments and counter of Adam, and running
    statistics are part of it: without them the map would not be a function of its state, and no order but the forward
    one could be composed.

    Attributes
    ----------
    n_items : int
        Items of the training set, of which a batch holds some indices.

    Notes
    -----
    Three methods more are used where a model has them: ``advance(state, items, k)``, which is `step` that may write to
    the state it is given; ``placed(state)``, the state on the model's device from NumPy arrays; and
    ``hessian_products``, for curvatures (`MLP.hessian_products`). An attribute ``side_by_side``, true where steps may
    run in several threads at once, one ``device``, its name, and one ``step_sizes``, the step size of each step, are
    looked for too: a model whose step sizes differ is one with a schedule. Where an attribute ``draws_noise`` is true,
    `step` and ``advance`` get one argument more, ``step_noise``: a `StepNoise`, the place of random numbers. Where one
    ``many_side_by_side`` is true, a step of thousands of replicas takes hardly longer than one of a few, as on a GPU,
    and so many iterates are carried side by side. Where a class has ``advance_many(state, items, steps)``, which takes
    several steps of shape (S,) one after the other, ``steps_at_once(n_replicas, batch_size)`` says how many it should
    be given: a subclass that changes ``advance`` answers 1.
    """

    n_items: int

    def start(self, n_replicas: int, *, seed: int, start: int) -> State:
        """`n_replicas` times θ_0 of start number `start`: a function of the seed and that number."""
        ...

    def step(self, state: State, items: IntArray, k: int | IntArray) -> State:
        """The map of step k, which leaves `state` as it is.

        `items` has shape (B,), one batch for all replicas, or (R, B); k is an int or has shape (R,), for schedules.
        """
        ...

    def take(self, state: State, rows: Sequence[int] | IntArray) -> State:
        """A copy of some replicas, in the order of `rows`."""
        ...

    def join(self, first: State, second: State) -> State:
        """The replicas of both, one after the other."""
        ...

    def position(self, state: State) -> NDArray[Any]:
        """The parameters θ of each replica, without what else the state holds, shape (R, P)."""
        ...

    def observe(self, state: State) -> dict[str, NDArray[Any]]:
        """What is recorded of each replica, by name, each of shape (R,)."""
        ...

    def digest(self) -> str:
        """Of everything that changes the numbers: data, sizes, step size; the same in every process."""
        ...

    def bytes_per_replica(self) -> int:
        """Bytes of one replica while it is stepped: its state, and what a step of it needs beside."""
        ...


def load_of(model: StepModel) -> tuple[int, bool]:
    """What decides how many iterates go side by side: bytes of a replica, and whether thousands cost as few do."""
    return model.bytes_per_replica(), bool(getattr(model, "many_side_by_side", False))


class ArrayStates:
    """`take` and `join` of states whose arrays are NumPy's or CuPy's, and the law of the batches."""

    n_items: int
    xp: Any = np

    def take(self, state: State, rows: ArrayLike) -> State:
        """A copy of some replicas, in the order of `rows`."""
        index = self.xp.asarray(np.asarray(rows, np.intp))
        return {name: array[index] for name, array in state.items()}

    def join(self, first: State, second: State) -> State:
        """The replicas of both, one after the other."""
        return {name: self.xp.concatenate([array, second[name]]) for name, array in first.items()}

    def placed(self, state: Mapping[str, NDArray[Any]]) -> State:
        """A state on the device of the model, from arrays of NumPy."""
        return {name: self.xp.asarray(array) for name, array in state.items()}

    def sampling(self, batch_size: int, sampling: str = "iid") -> Sampling:
        """The law of the batches: its ``draw(seed, sequence, step)`` are the items of a step, counted from 0."""
        return sampling_of(self, batch_size, sampling)


def sampling_of(model: StepModel | ArrayStates, batch_size: int, sampling: str) -> Sampling:
    """The law of the batches of any model."""
    return Sampling.validated(model.n_items, batch_size=batch_size, kind=sampling)


def as_model(model: StepModel) -> StepModel:
    """A model that has all that `StepModel` asks for."""
    wanted = ("n_items", "start", "step", "take", "join", "position", "observe", "digest", "bytes_per_replica")
    if isinstance(model, type) or (missing := [name for name in wanted if not hasattr(model, name)]):
        lacks = "" if isinstance(model, type) else f" without {', '.join(missing)}"
        raise InvalidInputError(
            f"model is {a_kind(model)}{lacks}: give an MLP, a TorchModel, a PlainModel, or an object with all methods "
            "of iterorder.networks.StepModel"
        )
    return model


def is_scheduled(model: StepModel) -> bool:
    """Whether the map depends on the number of the step, as far as a model tells: by ``step_sizes`` that differ."""
    sizes = np.asarray(getattr(model, "step_sizes", ()))
    return bool((sizes != sizes[:1]).any())


def advancing(model: StepModel, seed: int) -> Callable[..., State]:
    """``advance(state, items, k, sequence)``: the step that may write to its state, where the model has one.

    `sequence` is that of the batches, an int or of shape (R,): with the seed and k it is the place of noise that the
    step draws beside its batch. What follows is passed on.
    """
    method: Callable[..., State] = getattr(model, "advance", model.step)
    if getattr(model, "draws_noise", False):
        return lambda state, items, k, sequence, *more: method(
            state, items, k, *more, step_noise=StepNoise(seed, sequence, k)
        )
    return lambda state, items, k, sequence, *more: method(state, items, k, *more)


def steps_at_once(model: StepModel, n_replicas: int, batch_size: int) -> int:
    """How many steps ``advance_many`` of a model should be given; 1 where it has none.

    Its class must have it: what wraps a model, and hands on what it does not know, means its own ``advance``.
    """
    if not (hasattr(type(model), "advance_many") and hasattr(type(model), "steps_at_once")):
        return 1
    return model.steps_at_once(n_replicas, batch_size)  # type: ignore[attr-defined]


def on_host(array: Any) -> np.ndarray:
    """An array of NumPy, of what may lie on a device."""
    return to_numpy(array.detach() if hasattr(array, "detach") else array)


def n_replicas_of(state: State) -> int:
    """The length of the leading axis."""
    return len(next(iter(state.values())))
