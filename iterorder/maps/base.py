"""What every random-map system offers."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from iterorder.arrays import as_array
from iterorder.errors import InvalidInputError
from iterorder.forms import Form
from iterorder.sampling import Sampling
from iterorder.shown import fields_shown
from iterorder.types import ArrayLike, DrawSeed, FloatArray, IntArray
from iterorder.validation import as_float

NO_BOUND = "no Lipschitz constant is known for these maps: give a bound"


class RandomMaps(ABC):
    """A family of maps T_ξ on R^d and the law of ξ.

    Attributes
    ----------
    dim : int
        The dimension d of the state.
    sampling_law : Sampling
        How a step draws its items.
    """

    sampling_law: Sampling  # or FreshNoise, which has no epochs

    #: What the user gave as a bound of the Lipschitz constants: a number, a function of the draw, or nothing.
    lipschitz_bound: Callable[..., Any] | float | None = None
    #: Whether `lipschitz_of_each` works on arrays: then many draws cost little more than one.
    bounds_at_once: ClassVar[bool] = False

    #: The function of the gallery that made the maps, and its arguments; None of other maps.
    origin: tuple[str, dict[str, float]] | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__repr__" not in cls.__dict__:
            # In the class itself, where its dataclass decorator leaves it in place: its own would print whole arrays.
            cls.__repr__ = RandomMaps.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return fields_shown(self) if dataclasses.is_dataclass(self) else f"{type(self).__name__}(dim={self.dim})"

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What pickle restores: arrays come back writable, and are closed again."""
        self.__dict__.update(state)
        for holder in (self, self.sampling_law):
            for value in vars(holder).values():
                for array in value if isinstance(value, tuple) else (value,):
                    if isinstance(array, np.ndarray):
                        array.setflags(write=False)

    @property
    @abstractmethod
    def dim(self) -> int:
        """The dimension of the state."""

    @property
    def coordinate_names(self) -> tuple[str, ...] | None:
        """Names of the coordinates of the state, such as those of the columns that a user gave; None without."""
        return None

    @property
    def time_homogeneous(self) -> bool:
        """Whether the map that a draw of items gives is the same at every step: not where the step size changes."""
        return True

    @property
    def bound_argument(self) -> str:
        """The argument of the user on which Lipschitz constants rest; empty where they are derived."""
        return ""

    @property
    def bound_given(self) -> bool:
        """Whether Lipschitz constants rest on a number of the user, which can be tried and not proved."""
        return bool(self.bound_argument)

    @property
    def unbounded(self) -> str:
        """Why there is no Lipschitz constant of all maps; empty where there is one."""
        return "" if self.lipschitz_max is not None else NO_BOUND

    @property
    def smaller_steps(self) -> str:
        """What to try where the maps do not contract; empty without a step size."""
        return ""

    @property
    def item_places(self) -> FloatArray:
        """States at which single items of the data would be met, shape (k, dim), from which other laws may be seen."""
        return np.empty((0, self.dim))

    @property
    def other_nans(self) -> str:
        """What makes states NaN beside growth, and how to see it; empty where nothing does."""
        return ""

    @property
    def holds_functions(self) -> bool:
        """Whether a user's code is part of the maps: no file keeps that."""
        return False

    @property
    def code(self) -> dict[str, str] | None:
        """What tells one user's function from another in a file that does not hold it; None of a family's own maps."""
        return None

    @property
    def law(self) -> Any:
        """The exact stationary law of a gallery system: with ppf, cdf and rvs, or moments; None where none is known."""
        make = getattr(self, "_law", None)
        return None if make is None else make()

    def form(self) -> Form:
        """What the maps are as numbers: what kernels and theory read."""
        raise TypeError(f"{type(self).__name__} has no form: kernels and theory know nothing of these maps")

    @abstractmethod
    def apply(self, x: ArrayLike, draw: ArrayLike) -> FloatArray:
        """The literal map: T_draw(x), shape (..., dim) as x."""

    def images(self, x: FloatArray) -> FloatArray:
        """T_i(x) of one state for each item i alone, shape (n_items, dim)."""
        return np.array([self.apply(x, i) for i in range(self.sampling_law.n_items)])

    @abstractmethod
    def lipschitz(self, draw: ArrayLike) -> float | None:
        """Upper bound of the Lipschitz constant of T_draw in the Euclidean norm; None where none is known."""

    def lipschitz_of_each(self, draws: Sequence[Any] | IntArray) -> FloatArray:
        """`lipschitz` of many draws, shape (M,); NaN where none is known."""
        return np.array([self.lipschitz(draw) for draw in draws], np.float64)

    @property
    @abstractmethod
    def lipschitz_max(self) -> float | None:
        """Upper bound of the Lipschitz constants of all maps that can be drawn; None where none is known."""

    def draw(self, seed: DrawSeed, replica: int, step: int) -> int | IntArray:
        """The draw that `simulate` uses.

        Parameters
        ----------
        seed : int in [0, 2⁶⁴) or SeedSequence
            That of the run (`Trajectory.seed`). No generator: the draw is a function of its arguments.
        replica : int in [0, 2³²)
            The number of the path, as `simulate` counts them from ``first_replica`` on.
        step : int
            Counted from 0: ``draw(seed, replica, 0)`` is ξ_1.

        Returns
        -------
        int or ndarray of int64, shape (batch_size,)
            The index of the item, or those of a batch.
        """
        return self.sampling_law.draw(seed, replica, step)

    def _items(self, draw: ArrayLike) -> np.ndarray:
        """The indices of a draw, checked, shape (batch_size,)."""
        n = self.sampling_law.n_items
        items = np.atleast_1d(as_array("draw", draw))
        if items.dtype.kind not in "iu" or items.ndim != 1 or items.size == 0:
            raise InvalidInputError(f"draw is {draw!r}: give an index in [0, {n}) or an array of them")
        if items.min() < 0 or items.max() >= n:
            raise InvalidInputError(f"draw is {draw!r}: every index must lie in [0, {n})")
        return items.astype(np.int64)

    def _states(self, x: ArrayLike) -> np.ndarray:
        """States as a float array with last axis `dim`; not checked for finiteness: diverged states are data."""
        array = as_array("x", x)
        if array.dtype.kind not in "fiub" or array.ndim == 0 or array.shape[-1] != self.dim:
            raise InvalidInputError(f"x has shape {array.shape} and dtype {array.dtype}: give reals (..., {self.dim})")
        return array.astype(np.float64) if array.dtype.kind != "f" else array


def form_of(maps: RandomMaps) -> Form | None:
    """What maps are as numbers; None of those that say nothing."""
    return None if type(maps).form is RandomMaps.form else maps.form()


def as_step_size(value: Any, name: str = "step_size") -> float:
    """A step size: positive and finite."""
    return as_float(name, value, low=0.0, strict=True)
