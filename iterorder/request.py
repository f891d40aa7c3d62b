"""What is asked of `simulate`, checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from iterorder import resources
from iterorder.device_arrays import is_on_device, namespace_of, received
from iterorder.errors import InvalidInputError
from iterorder.kernels.backends import as_backend
from iterorder.maps import RandomMaps
from iterorder.maps.family import FAMILIES, family_of
from iterorder.noise import MAX_REPLICAS
from iterorder.orders import Order, as_order
from iterorder.progress import Progress, as_progress
from iterorder.shown import a_kind
from iterorder.tables import check_coordinates
from iterorder.types import ArrayLike, DTypeLike, SaveSteps, Seed
from iterorder.validation import MAX_STEPS, as_choice, as_float, as_floats, as_int, as_integers, as_seed, did_you_mean

#: Bytes that every machine has: the compiler alone takes a hundred times as many.
SMALL_RESULT = 2**20
#: A function that makes maps of one number, for messages.
SUCH_A_MAKER = "lambda h: LinearRegressionSGD(features, targets, h)"


@dataclass(frozen=True, eq=False)
class Request:
    """A checked request: arrays have their final shapes and types."""

    maps: RandomMaps
    x0: np.ndarray
    order: Order
    seed: int
    save_steps: np.ndarray
    noise: str
    first_step: int
    first_replica: int
    backend: str
    tol: float
    chunk: int | None
    progress: Progress


def checked_request(
    maps: RandomMaps,
    x0: ArrayLike,
    n_steps: int,
    *,
    order: Order,
    n_replicas: int,
    seed: Seed,
    save_steps: SaveSteps,
    noise: str,
    first_step: int,
    first_replica: int,
    backend: str,
    dtype: DTypeLike,
    tol: float,
    chunk: int | None,
    progress: Progress,
) -> Request:
    """The arguments of `simulate`, or an error that names the first that cannot be used."""
    backend = as_backend(backend)
    maps = as_system(maps)
    n_steps = as_int("n_steps", n_steps, low=0, high=MAX_STEPS)
    n_replicas = as_replicas(n_replicas)
    first_step = as_int("first_step", first_step, low=0, high=MAX_STEPS - n_steps)
    noise = as_choice("noise", noise, ("independent", "shared"))
    last_start = MAX_REPLICAS - (n_replicas if noise == "independent" else 1)
    kind = _as_dtype(dtype)
    if isinstance(save_steps, str):  # before the steps themselves take memory
        if save_steps != "all":
            raise InvalidInputError(f"save_steps is {save_steps!r}: give increasing integers, 'all' or None")
        _check_result(n_replicas, n_steps + 1, maps.dim, kind, backend)
    saves = as_save_steps(save_steps, n_steps)
    _check_result(n_replicas, len(saves), maps.dim, kind, backend)
    return Request(
        maps=maps,
        x0=_in_precision(as_starts("x0", x0, n_replicas, maps, backend), kind, backend),
        order=as_order(order),
        seed=as_seed(seed),
        save_steps=saves,
        noise=noise,
        first_step=first_step,
        first_replica=as_int("first_replica", first_replica, low=0, high=last_start),
        backend=backend,
        tol=as_float("tol", tol, low=0.0),
        chunk=None if chunk is None else as_int("chunk", chunk, low=1, high=MAX_REPLICAS),
        progress=as_progress(progress),
    )


def _check_result(n_replicas: int, n_saves: int, dim: int, kind: np.dtype, backend: str) -> None:
    """Whether the result fits into memory; that of a GPU says so itself, when it is asked for the room."""
    parts = f"{n_replicas} replicas × {n_saves} saved steps × {dim} numbers"
    here = n_saves * dim * kind.itemsize if backend == "cpu" else 8  # the step at which a replica diverged
    check_memory(8 * n_saves + n_replicas * here, parts)


def _as_dtype(dtype: DTypeLike) -> np.dtype:
    try:
        kind = np.dtype("object" if dtype is None else dtype)
    except (TypeError, SyntaxError, ValueError):
        kind = np.dtype(object)
    if kind not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise InvalidInputError(
            f"dtype is {dtype!r}: give 'float64' or 'float32'{did_you_mean(dtype, ('float64', 'float32'))}"
        )
    return kind


def as_save_steps(save_steps: SaveSteps, n_steps: int) -> np.ndarray:
    if save_steps is None:
        return np.array([n_steps], np.int64)
    if isinstance(save_steps, str):
        return np.arange(n_steps + 1, dtype=np.int64)
    steps = as_integers("save_steps", save_steps, "give increasing integers, 'all' or None")
    outside = (steps < 0) | (steps > n_steps)
    if outside.any():
        raise InvalidInputError(f"save_steps holds {steps[outside][0]}: every step must lie in [0, {n_steps}]")
    steps = steps.astype(np.int64)
    if (falls := np.flatnonzero(np.diff(steps) <= 0)).size:
        i = int(falls[0])
        raise InvalidInputError(f"save_steps has {steps[i]} before {steps[i + 1]}: give strictly increasing steps")
    return steps


def as_system(maps: Any) -> RandomMaps:
    """A random-map system that the kernels know; a subclass that changes what they compute is refused."""
    family_of("maps", maps)
    return maps


def as_maps(maps: object, name: str = "maps") -> RandomMaps:
    """A random-map system of any family, those that the kernels do not know included; but no changed one of a known."""
    if not isinstance(maps, RandomMaps):
        raise InvalidInputError(f"{name} is {a_kind(maps)}: give a system of random maps, such as AffineMaps")
    if isinstance(maps, tuple(FAMILIES.values())):
        family_of(name, maps)
    return maps


def check_maker(make_maps: Callable[..., Any], of: str) -> None:
    """Whether `make_maps` can be called with one number; `of` says what that is."""
    try:
        inspect.signature(make_maps).bind(1.0)
    except TypeError as error:
        reason = f" ({error})" if callable(make_maps) else ""
        raise InvalidInputError(
            f"make_maps is {make_maps!r}{reason}: give a function of {of}, such as {SUCH_A_MAKER}"
        ) from None
    except ValueError:  # a callable that has no signature to look at
        return


def made_maps(make_maps: Callable[[float], RandomMaps], value: float, of: str) -> RandomMaps:
    """What `make_maps` makes of a number, if those are maps."""
    maps = make_maps(value)
    if not isinstance(maps, RandomMaps):
        raise InvalidInputError(
            f"make_maps returns {a_kind(maps)} for {of} {value:.6g}: give a function that returns maps, such as "
            f"{SUCH_A_MAKER}"
        )
    return as_maps(maps, f"make_maps({of.removeprefix('the ')})")


def as_replicas(n_replicas: int) -> int:
    """A number of replicas."""
    return as_int("n_replicas", n_replicas, low=1, high=MAX_REPLICAS)


def as_starts(name: str, value: Any, n_replicas: int, maps: RandomMaps, backend: str = "cpu") -> Any:
    """One start for all replicas or one for each, as a read-only array of shape (n_replicas, dim).

    Those that live in the memory of a GPU stay there.
    """
    dim = maps.dim
    if not is_on_device(value):
        array = as_floats(name, value)
    elif backend == "cpu":
        raise InvalidInputError(
            f"{name} is {a_kind(value)} in the memory of a GPU, and backend is 'cpu': give backend='cuda', or a copy "
            "in main memory"
        )
    else:
        array = received(name, value)
    if array.shape not in ((dim,), (n_replicas, dim)):
        raise InvalidInputError(
            f"{name} has shape {array.shape}: give ({dim},) for one start or ({n_replicas}, {dim}) for one a replica"
            + (f", or n_replicas={array.shape[0]}" if array.ndim == 2 and array.shape[1] == dim else "")
        )
    check_coordinates(name, value, maps.coordinate_names)
    return namespace_of(array).broadcast_to(array, (n_replicas, dim))


def _in_precision(starts: Any, kind: np.dtype, backend: str) -> Any:
    """The starts as a contiguous array that kernels read; for a GPU one start of all replicas is sent once."""
    xp, once = namespace_of(starts), backend == "cuda" and starts.strides[0] == 0
    with np.errstate(over="ignore"):
        array = xp.array(starts[:1] if once else starts, dtype=kind, order="C")
    if not np.isfinite(array).all():
        raise InvalidInputError(
            f"x0 holds {float(np.abs(starts).max()):g}, which is not finite in {kind}: use dtype='float64'"
        )
    return xp.broadcast_to(array, starts.shape) if once else array


def check_memory(size: int, parts: str, advice: str = "lower n_replicas, or give fewer save_steps") -> None:
    """Refuse a result of `size` bytes, described by `parts`, beyond half the memory of the machine."""
    if size < SMALL_RESULT:  # asking takes as long as a small simulation
        return
    memory = resources.memory()
    if size > memory // 2:
        raise InvalidInputError(
            f"the result would take {size / 2**30:,.1f} GiB ({parts}), and half the memory is "
            f"{memory / 2**31:,.1f} GiB: {advice}"
        )
