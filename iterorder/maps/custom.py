"""Random maps that a user writes as a plain Python function."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.forms import Body, IndexAndNormals
from iterorder.maps.base import RandomMaps
from iterorder.maps.family import family
from iterorder.maps.kept_functions import with_outside
from iterorder.maps.outside import Outside, body_of, read_outside
from iterorder.maps.parameters import law_of, params_of
from iterorder.maps.trial import check_body, try_body
from iterorder.sampling import FreshNoise
from iterorder.shown import shown
from iterorder.types import ArrayLike, FloatArray, IntArray, Step
from iterorder.validation import as_choice, as_float, as_floats, as_int

if TYPE_CHECKING:
    from collections.abc import Sequence

NOISES = ("uniform", "normal", "index", "index+normal")
MAX_DIM = 2**20
# Draws on which a function is tried.
TRIALS = 16


@family
@dataclass(frozen=True, eq=False, init=False, repr=False)
class CustomMaps(RandomMaps):
    """Maps x → T_ξ(x) written as a plain Python function of numbers and loops, compiled for the machine.

    The function ``step(x, draw, params, out)`` reads the state x, shape (dim,), and writes T_ξ(x) into every entry of
    `out`. It may use numbers, loops, branches, the functions of `math` and NumPy on numbers, constants, and functions
    compiled with `numba.njit`. It may not allocate arrays, raise or catch exceptions, print, import, change variables
    outside, or read lists and arrays from there: those belong into `params`.

    Parameters
    ----------
    step : function
        Tried in plain Python first, then compiled; both when the maps are made, and the numbers are compared.
    dim : int ≥ 1
        The dimension of the state: the length of ``x`` and ``out``.
    noise : {"uniform", "normal", "index", "index+normal"}
        What `draw` holds: `noise_dim` uniforms in [0, 1); as many standard normals; one integer in [0, n_maps) as
        ``draw[0]``; the integer first and then `noise_dim` normals.
    noise_dim : int ≥ 1
        How many floats a draw holds, beside the index.
    n_maps : int, with an index
        From how many the index is drawn, uniformly.
    params : tuple of array_like or numbers
        Handed to the function as it is: arrays of floats (float64) or of integers (int64), read-only copies.
    lipschitz : float, function of the draw, or None
        An upper bound of the Lipschitz constants, or of that of each map; with noise="index" the function is given the
        index itself. Certificates rest on it. A number is taken as it is here: `stationary_sample` tries it on pairs of
        states before it is used, and `estimate_lipschitz` measures one.

    Attributes
    ----------
    lipschitz_bound : float, function or None
        As it was given.
    digest : str
        Of the source of `step`, for files that hold no code.
    engine : str
        What makes steps fast or slow: "8 replicas at once", "up to 32 replicas at once" where a step waits for its own
        results, or "one replica at a time" and why. Numbers are the same.

    Raises
    ------
    MapCompilationError
        If the function cannot be run or compiled, or gives other numbers when compiled; the message names the file,
        the line and what to do.
    InvalidInputError
        If another argument is not as described.

    Notes
    -----
    Draws depend on the seed, the replica, the step and `n_maps` alone: an `AffineMaps` with as many maps meets the same
    indices. An entry of `out` that a branch leaves unwritten becomes NaN, and so does the whole state where an index is
    out of range. What `step` and a function given as `lipschitz` read from outside (numbers, functions, and those of
    compiled functions that they call) is as it was when the maps were made, in kernels and in `apply`: a sweep over a
    global variable gives different maps, and later changes reach none of them. Integers wrap around at 64 bits, and an
    integer to a negative integer power is 0 or 1: write floats. The functions exp, log, tanh, sin and cos of `math` and
    NumPy are the package's own when compiled, within two units in the last place. Error bounds of certified samples
    take a step to round like dim + 9 operations on numbers of the size of the state.

    Examples
    --------
    Half way towards a random point of [0, 1):

    >>> def step(x, draw, params, out):
    ...     out[0] = 0.5 * (x[0] + draw[0])
    >>> maps = CustomMaps(step, dim=1, lipschitz=0.5)
    >>> maps.apply([0.0], maps.draw(0, 0, 0)).round(6)
    array([0.199523])
    """

    step: FunctionType
    noise: str
    noise_dim: int
    n_maps: int | None
    params: tuple[Any, ...]

    if TYPE_CHECKING:
        _dim: int
        _outside: Outside
        _outside_bound: Outside | None
    else:  # two more arguments, whose names the base class gives to a property and to a method
        dim: int
        lipschitz: Callable | float | None

    def __init__(
        self,
        step: Step,
        *,
        dim: int,
        noise: str = "uniform",
        noise_dim: int = 1,
        n_maps: int | None = None,
        params: Sequence[Any] = (),
        lipschitz: Callable[[Any], float | None] | float | None = None,
    ) -> None:
        step = getattr(step, "py_func", step)  # what numba.njit made of it
        outside = check_body(step)
        assert isinstance(step, FunctionType)
        dim = as_int("dim", dim, low=1, high=MAX_DIM)
        noise = as_choice("noise", noise, NOISES)
        law = law_of(noise, noise_dim, n_maps)
        fields = {
            "step": step,
            "_outside": outside,
            "_dim": dim,
            "noise": noise,
            "noise_dim": law.count if isinstance(law, FreshNoise) else 1,
            "n_maps": law.n_items or None,
            "params": params_of(params),
            "body": with_outside(step, outside),
            **_bound(lipschitz),
            "sampling_law": law,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        draws = [self.draw(0, 0, trial) for trial in range(TRIALS)]
        runs = try_body(self.body, dim, [self._draw_for_body(draw) for draw in draws], self.params)
        self._try_bound(draws)
        # Only a compiler needs Numba.
        from iterorder.kernels.cpu.agreement import check_agrees

        check_agrees(self.form(), runs, self.step)

    def _try_bound(self, draws: list[Any]) -> None:
        """Call a function given as `lipschitz` on some draws."""
        if not callable(self.lipschitz_bound):
            return
        name = getattr(self.lipschitz_bound, "__qualname__", "lipschitz")
        for draw in draws:
            shown = np.asarray(draw).tolist()
            try:
                self.lipschitz(draw)
            except InvalidInputError as error:
                raise InvalidInputError(
                    f"{error} (from {name!r} for the draw {shown}): return an upper bound"
                ) from None
            except Exception as error:
                raise InvalidInputError(
                    f"lipschitz, the function {name!r}, fails for the draw {shown}: {type(error).__name__}: {error}; "
                    "give a function of one draw that returns an upper bound, a number, or None"
                ) from error

    def __repr__(self) -> str:
        name = getattr(self.step, "__qualname__", "step")
        facts = [name, f"dim={self.dim}", f"noise={self.noise!r}"]
        if self.params:
            facts.append(f"params=({', '.join(map(shown, self.params))})")
        if self.lipschitz_bound is not None:
            bound = getattr(self.lipschitz_bound, "__qualname__", None) or shown(self.lipschitz_bound)
            facts.append(f"lipschitz={bound}")
        return f"CustomMaps({', '.join(facts)})"

    def __getstate__(self) -> dict[str, Any]:
        """What pickle keeps: the function by its name, and the numbers that it read from outside."""
        return {name: value for name, value in vars(self).items() if name not in ("body", "kept_bound")}

    @cached_property
    def body(self) -> Callable[..., Any]:
        """The function `step` with all that it read from outside when the maps were made."""
        return with_outside(self.step, read_outside(self.step, self._outside))  # after pickle; else it is there

    @cached_property
    def kept_bound(self) -> Callable[..., Any] | float | None:
        """What was given as `lipschitz`, a function with all that it read from outside when the maps were made."""
        if self._outside_bound is None:
            return self.lipschitz_bound
        plain = body_of(self.lipschitz_bound)
        assert plain is not None
        return with_outside(plain, read_outside(plain, self._outside_bound))

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return self._dim

    def form(self) -> Body:
        """The function, with what it read from outside when the maps were made."""
        return Body(self.body, self.dim, self.noise, self.noise_dim, self.params)

    def lipschitz(self, draw: ArrayLike) -> float | None:
        """The upper bound that was given for T_draw; None if none was."""
        bound = self.kept_bound
        if not callable(bound):
            return bound
        seen = self._draw_for_body(draw) if self.noise == "index+normal" else draw
        return as_float("lipschitz(draw)", bound(seen), low=0.0)

    def lipschitz_of_each(self, draws: Sequence[Any] | IntArray) -> FloatArray:
        """The upper bounds that were given, shape (M,); NaN where none was."""
        if callable(self.lipschitz_bound):
            return super().lipschitz_of_each(draws)
        return np.full(len(draws), self.lipschitz_bound, np.float64)

    @property
    def bound_argument(self) -> str:
        """`lipschitz`, where it was given."""
        return "" if self.lipschitz_bound is None else "lipschitz"

    @property
    def unbounded(self) -> str:
        """Why there is no Lipschitz constant of all maps; empty where there is one."""
        if self.lipschitz_max is not None:
            return ""
        return (
            f"no bound of all Lipschitz constants of {self!r} is known: give a bound by CustomMaps(…, lipschitz=…), a "
            "number below one (or, with noise='index', a function of the index)"
        )

    @property
    def holds_functions(self) -> bool:
        """True: the step."""
        return True

    @property
    def code(self) -> dict[str, str]:
        """The name of the step, and a digest of its source."""
        return {"step": self.step.__qualname__, "digest": self.digest}

    @property
    def lipschitz_max(self) -> float | None:
        """The number that was given, or the largest of the bounds of finitely many maps; None where none is known."""
        bound = self.lipschitz_bound
        if not callable(bound):
            return bound
        if self.noise != "index":
            return None
        return self._largest_bound

    @cached_property
    def _largest_bound(self) -> float:
        return max(self.lipschitz(i) or 0.0 for i in range(self.sampling_law.n_items))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the source of `step` (of its bytecode, where there is no source)."""
        try:
            code = inspect.getsource(self.step).encode()
        except (OSError, TypeError):
            code = self.step.__code__.co_code
        return hashlib.sha256(code).hexdigest()

    @property
    def engine(self) -> str:
        """How many replicas a step works on at once, or that it is one at a time and why."""
        from iterorder.kernels.cpu.lift.steps import engine_of

        return engine_of(self.form())

    @property
    def other_nans(self) -> str:
        """Mistakes that compiled code tells by NaN alone."""
        return (
            "an index out of range and a number outside of a function's domain, as in log(-1), give NaN too: "
            "maps.apply(x, draw) raises the error of the index, and gives NaN at the number"
        )

    def apply(self, x: ArrayLike, draw: ArrayLike) -> FloatArray:
        """T_draw(x) by the function in plain Python, shape (..., dim) as x."""
        x = self._states(x)
        images = np.empty_like(x)
        drawn = self._draw_for_body(self._checked_draw(draw))
        with np.errstate(all="ignore"):
            for place in np.ndindex(x.shape[:-1]):
                out = np.full(self.dim, np.nan, x.dtype)
                try:
                    self.body(x[place].copy(), drawn, self.params, out)
                except ArithmeticError:  # what Python raises where compiled code gives inf or NaN
                    out[:] = np.nan
                except ValueError as error:
                    if "math domain error" not in str(error):
                        raise
                    out[:] = np.nan
                images[place] = out
        return images

    def images(self, x: FloatArray) -> FloatArray:
        """T_i(x) of one state for each index alone, shape (n_maps, dim); compiled, as there may be millions."""
        from iterorder.kernels.cpu.images import images_of

        items = np.arange(self.sampling_law.n_items)
        states = np.broadcast_to(np.asarray(x, np.float64), (len(items), 1, self.dim))
        return images_of(self.form())(states, items[None])[:, 0]

    def _checked_draw(self, draw: ArrayLike) -> np.ndarray:
        if self.noise == "index":
            items = self._items(draw)
            if len(items) != 1:
                raise InvalidInputError(f"draw is {draw!r}: one index is drawn at a time")
            return items
        wanted = self.noise_dim + (self.noise == "index+normal")
        values = as_floats("draw", draw)
        if values.shape != (wanted,):
            raise InvalidInputError(f"draw is {draw!r}: give {wanted} numbers")
        if self.noise == "index+normal":
            self._items(int(values[0]))
        return values

    def _draw_for_body(self, draw: ArrayLike) -> Any:
        if self.noise == "index":
            return np.atleast_1d(np.asarray(draw, np.int64))
        return IndexAndNormals(np.asarray(draw)) if self.noise == "index+normal" else draw


def _bound(lipschitz: Any) -> dict[str, object]:
    """What was given as a bound, what it reads from outside, and the function with that."""
    owner = getattr(lipschitz, "__self__", None)
    if isinstance(owner, CustomMaps):  # the method of other maps stands for what they were given
        return {name: getattr(owner, name) for name in ("lipschitz_bound", "_outside_bound", "kept_bound")}
    if lipschitz is not None and not callable(lipschitz):
        lipschitz = as_float("lipschitz", lipschitz, low=0.0)
    plain = body_of(lipschitz)
    if plain is None:
        return {"lipschitz_bound": lipschitz, "_outside_bound": None, "kept_bound": lipschitz}
    outside = read_outside(plain)
    return {"lipschitz_bound": lipschitz, "_outside_bound": outside, "kept_bound": with_outside(plain, outside)}
