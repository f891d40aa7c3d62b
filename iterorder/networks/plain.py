"""`PlainModel`: a step function of any framework, one replica at a time."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.networks.model import ArrayStates, State, n_replicas_of
from iterorder.shown import a_kind
from iterorder.types import ArrayLike, FloatArray, IntArray, Seed
from iterorder.validation import as_int, as_seed

#: How the functions of a user are called.
CALLS = {"step": ("state", "items", "k"), "start": ("seed", "start"), "observe": ("state",)}


class PlainModel(ArrayStates):
    """A step that somebody else wrote, as a model.

    Parameters
    ----------
    step : callable
        ``step(state, items, k) -> state``: a pure function of a dict of arrays, those of one replica without an axis
        for it, the indices of a batch, and the number of the step. Whatever can become a NumPy array may come back,
        such as arrays of JAX.
    start : callable
        ``start(seed, start) -> state``: the first state, a function of two integers.
    n_items : int
        Items of the training set.
    observe : callable
        ``observe(state) -> {name: number}``.
    digest : str
        What tells this step and its data from others: nothing can be read out of a function. Change it with the code,
        or a folder of older code is continued.
    parameters : list of str, optional
        The names that make up the position; default: all arrays of floats.

    Raises
    ------
    InvalidInputError
        If an argument is not as described, a function takes other arguments or returns something else, or a step
        changes names, shapes or types of the state.

    Examples
    --------
    >>> from iterorder.networks import train
    >>> targets = np.arange(10.0)
    >>> model = PlainModel(
    ...     lambda state, items, k: {"x": 0.9 * state["x"] + 0.1 * targets[items].mean()},
    ...     lambda seed, start: {"x": np.zeros(1)},
    ...     n_items=10,
    ...     observe=lambda state: {"x": float(state["x"][0])},
    ...     digest="mean of targets, 1",
    ... )
    >>> run = train(model, batch_size=2, n_steps=300, order="backward", save_steps=[299, 300], seed=1)
    >>> bool(run.moves[0, 0, 0] < 1e-12)
    True
    """

    side_by_side = False
    device = "cpu"

    def __init__(
        self,
        step: Callable[[State, IntArray, int], State],
        start: Callable[[int, int], State],
        *,
        n_items: int,
        observe: Callable[[State], dict[str, float]],
        digest: str,
        parameters: Sequence[str] | None = None,
    ) -> None:
        for name, value in (("step", step), ("start", start), ("observe", observe)):
            if not callable(value):
                raise InvalidInputError(f"{name} is {a_kind(value)}: give a function")
            _check_takes(name, value)
        if not isinstance(digest, str) or not digest:
            raise InvalidInputError(f"digest is {digest!r}: give a text that tells this step and its data from others")
        self.n_items = as_int("n_items", n_items, low=1, high=2**31 - 1)
        self._step, self._start, self._observe, self._digest = step, start, observe, digest
        first = _arrays(start(0, 0), "start")
        floats = [name for name, array in first.items() if array.dtype.kind == "f"]
        self.parameters = floats if parameters is None else list(parameters)
        if missing := [name for name in self.parameters if name not in first] or ([] if self.parameters else ["any"]):
            raise InvalidInputError(f"parameters names {missing[0]!r}: the state has {', '.join(first)}")
        _numbers(observe(dict(first)))
        self._bytes = 2 * sum(array.nbytes for array in first.values())

    def start(self, n_replicas: int, *, seed: Seed, start: int = 0) -> State:
        """`n_replicas` times the start of that number."""
        n_replicas = as_int("n_replicas", n_replicas, low=1, high=2**31 - 1)
        one = _arrays(self._start(as_seed(seed), int(start)), "start")
        return {name: np.repeat(array[None], n_replicas, axis=0) for name, array in one.items()}

    def step(self, state: State, items: ArrayLike, k: int | IntArray) -> State:
        """The map of step k, for one replica after the other."""
        items, replicas = np.asarray(items), n_replicas_of(state)
        steps = np.broadcast_to(k, replicas)
        rows = []
        for r in range(replicas):
            before = {name: array[r] for name, array in state.items()}
            after = _arrays(self._step(before, items[r] if items.ndim == 2 else items, int(steps[r])), "step")
            _check_same(before, after)
            rows.append(after)
        return {name: np.stack([row[name] for row in rows]) for name in state}

    def position(self, state: State) -> FloatArray:
        """The parameters of each replica, shape (R, P)."""
        return np.concatenate([state[name].reshape(n_replicas_of(state), -1) for name in self.parameters], axis=1)

    def observe(self, state: State) -> dict[str, FloatArray]:
        """What the function of the user sees of each replica."""
        rows = ({name: array[r] for name, array in state.items()} for r in range(n_replicas_of(state)))
        seen = [_numbers(self._observe(row)) for row in rows]
        return {name: np.array([one[name] for one in seen]) for name in seen[0]}

    def digest(self) -> str:
        """The text of the user."""
        return f"iterorder.plain/1 {self._digest}"

    def bytes_per_replica(self) -> int:
        """The state, before and after a step."""
        return self._bytes


def _check_takes(name: str, function: Callable[..., object]) -> None:
    """Refuse a function that cannot be called with what it will get; of some the arguments cannot be known."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*CALLS[name])
    except TypeError as error:
        raise InvalidInputError(
            f"{name} takes {signature}, and is called as {name}({', '.join(CALLS[name])}): {error}"
        ) from None


def _numbers(seen: object) -> dict[str, float]:
    """What `observe` of one replica returned, as floats."""
    if not isinstance(seen, dict) or not seen:
        raise InvalidInputError(f"observe returned {a_kind(seen)}: return a dict of numbers, {{name: number}}")
    numbers = {}
    for name, value in seen.items():
        array = np.asarray(value)
        if array.size != 1 or array.dtype.kind not in "fiub":
            raise InvalidInputError(
                f"observe returned {name!r} of shape {array.shape} and dtype {array.dtype}: return one real number for "
                "each name, such as a norm or an entry"
            )
        numbers[name] = float(array.item())
    return numbers


def _arrays(state: object, name: str) -> dict[str, np.ndarray]:
    if not isinstance(state, dict) or not state:
        raise InvalidInputError(f"{name} returned {a_kind(state)}: return a dict of arrays, the state of one replica")
    return {key: np.asarray(value) for key, value in state.items()}


def _check_same(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> None:
    """Refuse a step that returns another kind of state."""
    for name in {**before, **after}:
        if name not in after or name not in before:
            raise InvalidInputError(f"step returned {', '.join(after)}: return the whole state, {', '.join(before)}")
        old, new = before[name], after[name]
        if old.shape != new.shape or old.dtype != new.dtype:
            raise InvalidInputError(
                f"step returned {name} of shape {new.shape} and dtype {new.dtype}: it was {old.shape} and {old.dtype}"
            )
