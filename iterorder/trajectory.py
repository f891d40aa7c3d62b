"""What a simulation returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.archive import maps_of, maps_shown, with_maps, write_result
from iterorder.arrays import own_array
from iterorder.device_arrays import to_numpy
from iterorder.drawn import drawn_by
from iterorder.errors import InvalidInputError
from iterorder.labelled import attributes_of, frame, inference_data, labels_of, state_columns
from iterorder.maps import RandomMaps
from iterorder.noise import MAX_REPLICAS
from iterorder.optional import imported
from iterorder.orders import FORWARD, Order, Window, as_order
from iterorder.shown import ShownByFacts, shape_shown, shown, span
from iterorder.types import DTypeLike, FloatArray, IntArray, PathLike
from iterorder.validation import MAX_STEPS, as_choice, as_int, as_seed

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes

#: The shortest chain for which ArviZ tells an effective sample size.
FEWEST_DRAWS = 4
#: What a replica that diverged did, in words for tables.
LEFT = "left the finite numbers (infinite or NaN)"
SCHEMA = "iterorder.trajectory/1"


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory(ShownByFacts):
    """Saved states of an ensemble of replicas.

    Attributes
    ----------
    states : ndarray, shape (n_replicas, n_saved, dim)
        NaN from the step at which a replica diverged. With backend="cuda" an array of CuPy, which others take over by
        DLPack without a copy.
    save_steps : ndarray of int64, shape (n_saved,)
        Numbers of steps of this run after which the states were saved.
    diverged_at : ndarray of int64, shape (n_replicas,)
        −1 where finite. Forward: the first step of this run with a non-finite state; other orders: the first saved one.
    error_bound : ndarray, shape (n_replicas, n_saved)
        Bound of the Euclidean error of what `tol` has cut, rounding included (of maps and losses that a user wrote an
        estimate of it). Zero of what was not cut, which is exact but for rounding: the Notes of `simulate` have its
        formula for affine maps.
    order : "forward", "backward" or Window
        The order in which the maps were composed.
    seed : int
        The integer that was used, also where a generator was given.
    maps : RandomMaps or None
        None for a loaded trajectory of maps, or of a loss, that a user wrote.
    first_step, first_replica : int
        Where the run started in the noise.
    noise : {"independent", "shared"}
        Whether replicas met maps of their own, or all those of replica 0.
    x0 : ndarray, shape (dim,) or (n_replicas, dim), or None
        Where the replicas started: one state where it was the same for all. None in files of earlier versions.
    """

    states: FloatArray
    save_steps: IntArray
    diverged_at: IntArray
    error_bound: FloatArray
    order: Order
    seed: int
    maps: RandomMaps | None
    first_step: int = 0
    first_replica: int = 0
    noise: str = "independent"
    x0: FloatArray | None = None

    def _facts(self) -> dict[str, str]:
        facts = {
            "states": shape_shown(self.states.shape, self.states.dtype),
            "save_steps": span(self.save_steps),
            "order": repr(self.order),
            "seed": str(self.seed),
            "maps": maps_shown(self.maps),
        }
        if (gone := int((self.diverged_at >= 0).sum())) > 0:
            facts["diverged"] = f"{gone} of {len(self.diverged_at)}"
        if self.error_bound.any():
            facts["error_bound"] = f"at most {shown(float(self.error_bound.max()))}"
        if self.noise != "independent":
            facts["noise"] = repr(self.noise)
        facts |= {name: str(getattr(self, name)) for name in ("first_step", "first_replica") if getattr(self, name)}
        return facts

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> FloatArray:
        """The states, for NumPy and what reads arrays as it does."""
        return own_array(to_numpy(self.states), dtype, copy)

    def to_numpy(self) -> Trajectory:
        """The same with its states in main memory; itself where they are there."""
        if isinstance(self.states, np.ndarray):
            return self
        return dataclasses.replace(
            self, states=to_numpy(self.states), x0=None if self.x0 is None else to_numpy(self.x0)
        )

    def to_xarray(self, *, names: Sequence[str] | None = None) -> xarray.Dataset:
        """The same data with named axes (replica, step, dim).

        Parameters
        ----------
        names : list of str, optional
            Of the coordinates, one for each. By default those of the columns, where the features of the maps were a
            table of pandas or polars; else numbers from 0 on.

        Returns
        -------
        xarray.Dataset
            With ``states``; ``diverged_at`` where a replica did, and ``error_bound`` where there is one. Attributes say
            how it was made: order, seed, noise, first_step, x0 where there is one start, and of the maps family, digest
            and repr, with step_size, ridge, batch_size and sampling where they have them.

        Raises
        ------
        BackendUnavailableError
            If xarray is not installed.
        InvalidInputError
            If there are not as many different names as coordinates.

        Examples
        --------
        >>> import iterorder as ito
        >>> run = ito.simulate(ito.gallery.sierpinski(), [0.0, 0.0], 9, n_replicas=5, seed=0)
        >>> data = run.to_xarray(names=["east", "north"])
        >>> data.states.sel(dim="north", step=9).shape, list(data.data_vars)
        ((5,), ['states'])
        """
        xarray = imported("xarray", extra="store", use="to_xarray")
        variables: dict[str, Any] = {"states": (("replica", "step", "dim"), to_numpy(self.states))}
        if (self.diverged_at >= 0).any():
            variables["diverged_at"] = (("replica",), self.diverged_at)
        if self.error_bound.any():
            variables["error_bound"] = (("replica", "step"), self.error_bound)
        labels = labels_of(self.maps, self.states.shape[-1], names)
        coordinates = {"replica": self._replicas, "step": self.save_steps, "dim": labels}
        return xarray.Dataset(variables, coordinates, self._attributes)

    def to_dataframe(self, *, names: Sequence[str] | None = None) -> pandas.DataFrame:
        """The states as a table of pandas: a row for each replica and saved step, a column for each coordinate.

        Parameters
        ----------
        names : list of str, optional
            Of the columns, as in `to_xarray`; without any they are x0, x1, ….

        Raises
        ------
        BackendUnavailableError
            If pandas is not installed.
        InvalidInputError
            If there are not as many different names as coordinates.

        Examples
        --------
        >>> import iterorder as ito
        >>> run = ito.simulate(ito.gallery.sierpinski(), [0.0, 0.0], 9, n_replicas=5, save_steps=[3, 9], seed=0)
        >>> table = run.to_dataframe()
        >>> table.shape, list(table.index.names), list(table.columns)
        ((10, 2), ['replica', 'step'], ['x0', 'x1'])
        """
        labels = labels_of(self.maps, self.states.shape[-1], names)
        columns = state_columns(labels, to_numpy(self.states))
        return frame(columns, {"replica": self._replicas, "step": self.save_steps})

    def to_arviz(self, *, burn_in: int = 0, names: Sequence[str] | None = None) -> Any:
        """Forward paths as chains of ArviZ, each replica one, for its effective sample sizes and diagnostics.

        Parameters
        ----------
        burn_in : int
            Saved states up to this step are left out: they remember the start.
        names : list of str, optional
            Of the coordinates, as in `to_xarray`.

        Returns
        -------
        arviz.InferenceData or xarray.DataTree
            As the installed ArviZ wants it, with the variable ``x`` of the group ``posterior``: ``arviz.ess`` of it
            tells how many independent draws the path is worth, in saved states.

        Raises
        ------
        BackendUnavailableError
            If ArviZ is not installed.
        InvalidInputError
            If the order is not forward (other iterates are no Markov chain), if replicas share their maps, if a state
            is not finite, or if fewer than four saved states are left.

        Examples
        --------
        >>> import iterorder as ito
        >>> run = ito.simulate(ito.gallery.ar1(0.9, 1.0), [0.0], 500, n_replicas=4, save_steps="all", seed=0)
        >>> import arviz  # doctest: +SKIP
        >>> float(arviz.ess(run.to_arviz(burn_in=50)).x[0]) < 4 * 450  # doctest: +SKIP
        True
        """
        kept = self.save_steps > as_int("burn_in", burn_in, low=0, high=MAX_STEPS)
        states = to_numpy(self.states)[:, kept]
        if self.order != FORWARD or self.noise != "independent":
            raise InvalidInputError(
                f"the run has order={self.order!r} and noise={self.noise!r}, and only in forward order with "
                "independent noise are replicas Markov chains: simulate that, or take stationary_sample"
            )
        if states.shape[1] < FEWEST_DRAWS or not np.isfinite(states).all():
            gone = int((self.diverged_at >= 0).sum())
            raise InvalidInputError(
                f"after burn_in={burn_in} there are {states.shape[1]} saved states, and {gone} replicas diverged: at "
                f"least {FEWEST_DRAWS} finite states of each are needed, as with save_steps='all'"
            )
        labels = labels_of(self.maps, self.states.shape[-1], names)
        return inference_data(states, self.save_steps[kept], labels, self._attributes)

    @property
    def _replicas(self) -> np.ndarray:
        return self.first_replica + np.arange(len(self.states))

    @property
    def _attributes(self) -> dict[str, Any]:
        """How the run was made. The seed is text: files of NetCDF hold integers of 63 bits."""
        start = {} if self.x0 is None or self.x0.ndim > 1 else {"x0": to_numpy(self.x0)}
        return {
            "order": str(self.order),
            "seed": str(self.seed),
            "noise": self.noise,
            "first_step": self.first_step,
            **start,
            **attributes_of(self.maps),
        }

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: str | None = None,
        coordinate: int | str = 0,
        replicas: int | None = None,
        bins: int | Sequence[float] | None = None,
    ) -> Axes:
        """Draw the states.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            New ones by pyplot if there are none.
        kind : {"paths", "cloud", "increments", "density", "scatter"}, optional
            A coordinate of each replica over the step; bands that hold half and nine tenths of the replicas; the length
            of each move, which needs saved steps that follow each other; a histogram of the last saved step beside
            the stationary law, where that is known; the first two coordinates of the last saved step. By default paths
            of few replicas and the cloud of many; of one saved step its density or, in the plane, its points.
        coordinate : int or str
            Of the states, counted from 0, or by the name that the maps have for it.
        replicas : int, optional
            How many paths are drawn: at most 50 by default.
        bins : int or sequence, optional
            Of the histogram, as NumPy takes them.

        Returns
        -------
        matplotlib Axes
            Those that were drawn on.

        Raises
        ------
        InvalidInputError
            If the trajectory does not have what the kind needs; the message says what to give to `simulate`.

        Examples
        --------
        >>> import iterorder as ito
        >>> run = ito.simulate(ito.gallery.ar1(0.9, 1.0), [5.0], 40, n_replicas=10, save_steps="all", seed=0)
        >>> run.plot().get_xlabel()
        'step $n$'
        """
        options: dict[str, Any] = {"kind": kind, "coordinate": coordinate, "replicas": replicas, "bins": bins}
        return drawn_by("trajectories", self, ax, **options)

    def save(self, path: PathLike) -> None:
        """Write everything to one .npz file (no pickle): first under a temporary name, then renamed.

        `iterorder.load` reads it. Maps are kept whole, those of the gallery by name and numbers; of custom maps a name
        and a digest of the source are kept, no code: they load as None.

        Parameters
        ----------
        path : str or path-like
            Used as it is, with any suffix or none but those of other formats; an existing file is replaced.

        Raises
        ------
        InvalidInputError
            If the suffix is that of another format, such as .nc or .csv, or there is no such folder.
        NotWrittenError
            If the system refuses, for want of room or of rights.
        """
        about, of_maps = with_maps(self.maps)
        header = {
            "schema": SCHEMA,
            "order": self.order if isinstance(self.order, str) else dataclasses.asdict(self.order),
            **{name: getattr(self, name) for name in ("seed", "first_step", "first_replica", "noise")},
            **about,
        }
        arrays = {name: getattr(self, name) for name in ("save_steps", "diverged_at", "error_bound")}
        arrays |= {"states": to_numpy(self.states), **of_maps}
        if self.x0 is not None:
            arrays["x0"] = to_numpy(self.x0)
        write_result(path, header, arrays, shown="run.states")

    @classmethod
    def _of_parts(cls, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Trajectory:
        """What a file holds."""
        run = cls(
            arrays["states"],
            arrays["save_steps"],
            arrays["diverged_at"],
            arrays["error_bound"],
            as_order(header["order"] if isinstance(header["order"], str) else Window(**header["order"])),
            as_seed(header["seed"]),
            maps_of(header, arrays),
            as_int("first_step", header["first_step"], low=0, high=MAX_STEPS),
            as_int("first_replica", header["first_replica"], low=0, high=MAX_REPLICAS),
            as_choice("noise", header["noise"], ("independent", "shared")),
            arrays.get("x0"),
        )
        _check_shapes(run)
        return run


def kept_start(starts: FloatArray) -> FloatArray:
    """Starts (n_replicas, dim) as a trajectory keeps them: one of them where all are the same.

    Of those on a GPU that is told by how they lie in its memory, as looking at them would wait for it.
    """
    same = bool((starts == starts[0]).all()) if isinstance(starts, np.ndarray) else starts.strides[0] == 0
    return starts[0].copy() if same else starts


def _check_shapes(run: Trajectory) -> None:
    """Refuse arrays that do not belong together."""
    replicas, saved = run.diverged_at.shape[0], run.save_steps.shape[0]
    dim = run.states.shape[-1] if run.maps is None else run.maps.dim
    expected = {
        "states": ("f", (replicas, saved, dim)),
        "save_steps": ("i", (saved,)),
        "diverged_at": ("i", (replicas,)),
        "error_bound": ("f", (replicas, saved)),
    }
    for name, (kind, shape) in expected.items():
        array = getattr(run, name)
        if array.dtype.kind != kind or array.shape != shape:
            raise ValueError(f"{name} has dtype {array.dtype} and shape {array.shape}, not {shape}")
    if run.x0 is not None and (run.x0.dtype.kind != "f" or run.x0.shape not in ((dim,), (replicas, dim))):
        raise ValueError(f"x0 has dtype {run.x0.dtype} and shape {run.x0.shape}, not ({dim},) or ({replicas}, {dim})")
    if replicas == 0 or saved == 0 or (np.diff(run.save_steps) <= 0).any() or run.save_steps[0] < 0:
        raise ValueError("save_steps do not increase from 0 on")
