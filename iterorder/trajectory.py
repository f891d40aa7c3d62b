"""What a simulation returns, and its file."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from iterorder._version import __version__
from iterorder.arrays import own_array
from iterorder.device_arrays import to_numpy
from iterorder.drawn import drawn_by
from iterorder.errors import InvalidInputError
from iterorder.files import as_path, whole_file
from iterorder.maps import RandomMaps
from iterorder.maps.described import described, rebuilt
from iterorder.noise import MAX_REPLICAS
from iterorder.optional import imported
from iterorder.orders import Order, Window, as_order
from iterorder.shown import call, shown, span
from iterorder.validation import MAX_STEPS, as_choice, as_int, as_seed

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

SCHEMA = "iterorder.trajectory/1"
#: How a file of another kind begins, and what it is.
MAGIC = {
    b"\x93NUMPY": "a single array, a .npy file",
    b"\x89HDF": "an HDF5 or NetCDF file",
    b"CDF": "a NetCDF file",
    b"PAR1": "a Parquet file",
    b"\x80": "a pickle, and those are never loaded",
}
#: Suffixes that say another format, and what writes it.
FOREIGN = {
    **dict.fromkeys((".nc", ".nc4", ".cdf", ".h5", ".hdf5"), "run.to_xarray().to_netcdf(path)"),
    ".zarr": "run.to_xarray().to_zarr(path)",
    ".npy": "np.save(path, run.states)",
    ".mat": "scipy.io.savemat(path, {'states': run.states})",
    **dict.fromkeys((".pkl", ".pickle"), "pickle.dump(run, file)"),
    **dict.fromkeys((".csv", ".tsv", ".txt"), "run.to_xarray().to_dataframe().to_csv(path)"),
    ".json": "run.to_xarray().to_dataframe().to_json(path)",
    ".parquet": "run.to_xarray().to_dataframe().to_parquet(path)",
    **dict.fromkeys((".feather", ".arrow"), "run.to_xarray().to_dataframe().reset_index().to_feather(path)"),
    ".xlsx": "run.to_xarray().to_dataframe().to_excel(path)",
}


@dataclass(frozen=True, eq=False)
class Trajectory:
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
        Bound of the Euclidean error that `tol` allowed, zero where exact. Rounding comes on top, as in every run:
        the Notes of `simulate` have its formula for affine maps.
    order : "forward", "backward" or Window
    seed : int
    maps : RandomMaps or None
        None for a loaded trajectory of custom maps, or of a loss that a user gave.
    first_step, first_replica : int
        Where the run started in the noise.
    noise : {"independent", "shared"}
    """

    states: np.ndarray
    save_steps: np.ndarray
    diverged_at: np.ndarray
    error_bound: np.ndarray
    order: Order
    seed: int
    maps: RandomMaps | None
    first_step: int = 0
    first_replica: int = 0
    noise: str = "independent"

    def __repr__(self) -> str:
        facts = {
            "states": f"{self.states.shape} {self.states.dtype}",
            "save_steps": span(self.save_steps),
            "order": repr(self.order),
            "seed": str(self.seed),
            "maps": repr(self.maps),
        }
        if (gone := int((self.diverged_at >= 0).sum())) > 0:
            facts["diverged"] = f"{gone} of {len(self.diverged_at)}"
        if self.error_bound.any():
            facts["error_bound"] = f"at most {shown(float(self.error_bound.max()))}"
        if self.noise != "independent":
            facts["noise"] = repr(self.noise)
        facts |= {name: str(getattr(self, name)) for name in ("first_step", "first_replica") if getattr(self, name)}
        return call("Trajectory", facts)

    def __array__(self, dtype=None, copy: bool | None = None) -> np.ndarray:
        """The states, for NumPy and what reads arrays as it does."""
        return own_array(to_numpy(self.states), dtype, copy)

    def to_numpy(self) -> Trajectory:
        """The same with its states in main memory; itself where they are there."""
        if isinstance(self.states, np.ndarray):
            return self
        return dataclasses.replace(self, states=to_numpy(self.states))

    def to_xarray(self) -> xarray.Dataset:
        """The same data with named axes (replica, step, dim).

        Raises
        ------
        BackendUnavailableError
            If xarray is not installed.
        """
        xarray = imported("xarray", extra="store", use="to_xarray")
        return xarray.Dataset(
            {
                "states": (("replica", "step", "dim"), to_numpy(self.states)),
                "diverged_at": (("replica",), self.diverged_at),
                "error_bound": (("replica", "step"), self.error_bound),
            },
            coords={
                "replica": self.first_replica + np.arange(len(self.states)),
                "step": self.save_steps,
            },
            attrs={"order": str(self.order), "seed": str(self.seed), "noise": self.noise, "version": __version__},
        )

    def plot(
        self, ax: Axes | None = None, *, kind: str | None = None, coordinate: int = 0, replicas=None, bins=None
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
        coordinate : int
            Of the states, counted from 0.
        replicas : int, optional
            How many paths are drawn: at most 50 by default.
        bins : int or sequence, optional
            Of the histogram, as NumPy takes them.

        Returns
        -------
        matplotlib Axes

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
        options: dict = {"kind": kind, "coordinate": coordinate, "replicas": replicas, "bins": bins}
        return drawn_by("trajectories", self, ax, **options)

    def save(self, path) -> None:
        """Write everything to one .npz file (no pickle): first under a temporary name, then renamed.

        Of custom maps the name and a digest of the source are kept, no code: they load as None.

        Parameters
        ----------
        path : str or path-like
            Used as it is, with any suffix or none but those of other formats; an existing file is replaced.

        Raises
        ------
        InvalidInputError
            If the suffix is that of another format, such as .nc or .csv, or there is no such folder.
        """
        path = as_path(path)
        if path.suffix.lower() in FOREIGN:
            raise InvalidInputError(
                f"path {path} has the suffix of another format, and what is written is a .npz file: give a name that "
                f"ends with .npz, or write {FOREIGN[path.suffix.lower()]}"
            )
        arrays = {
            "states": to_numpy(self.states),
            "save_steps": self.save_steps,
            "diverged_at": self.diverged_at,
            "error_bound": self.error_bound,
        }
        description: dict = {"family": None, "parameters": {}}
        if self.maps is not None and not self.maps.holds_functions:
            description, given = described(self.maps, "maps_")
            arrays |= given
        header = {
            "schema": SCHEMA,
            "version": __version__,
            "order": self.order if isinstance(self.order, str) else dataclasses.asdict(self.order),
            "seed": self.seed,
            "first_step": self.first_step,
            "first_replica": self.first_replica,
            "noise": self.noise,
            "custom": None if self.maps is None else self.maps.code,
            **description,
        }
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        with whole_file(path) as file:
            np.savez(file, allow_pickle=False, header=text, **arrays)


def load(path) -> Trajectory:
    """Read a trajectory that `Trajectory.save` wrote.

    Parameters
    ----------
    path : str or path-like

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InvalidInputError
        If the file is cut, is no trajectory, or comes from a newer schema.
    """
    path = as_path(path)
    with open(path, "rb") as file:  # missing, a folder, not permitted: these errors speak for themselves
        try:
            header, arrays = _read(file)
            return _from_parts(header, arrays)
        except Exception as error:  # damaged bytes make NumPy, zipfile and json raise nearly anything
            # NumPy advises to unpickle what it cannot read, which would run whatever code the file holds.
            pickled = "allow_pickle" in str(error)
            reason = "it holds pickled objects, which are never loaded" if pickled else error
            raise InvalidInputError(
                f"{path} is cut or no trajectory ({reason}): give a file that Trajectory.save wrote"
            ) from (None if pickled else error)


def _read(file) -> tuple[dict, dict[str, np.ndarray]]:
    start = file.read(8)
    file.seek(0)
    if not start.startswith(b"PK"):
        known = (name for magic, name in MAGIC.items() if start.startswith(magic))
        raise ValueError(f"it is {next(known, 'no .npz file')}" if start else "it is empty")
    with np.load(file, allow_pickle=False) as content:
        if "header" not in content.files:
            raise ValueError("it has no header")
        arrays = {name: content[name] for name in content.files}
    header = json.loads(arrays.pop("header").tobytes())
    if header["schema"] != SCHEMA:
        raise ValueError(f"schema {header['schema']!r}, this version reads {SCHEMA!r}")
    return header, arrays


def _from_parts(header: dict, arrays: dict[str, np.ndarray]) -> Trajectory:
    order = as_order(header["order"] if isinstance(header["order"], str) else Window(**header["order"]))
    maps = None if header["family"] is None else rebuilt(header, arrays, "maps_")
    trajectory = Trajectory(
        arrays["states"],
        arrays["save_steps"],
        arrays["diverged_at"],
        arrays["error_bound"],
        order,
        as_seed(header["seed"]),
        maps,
        as_int("first_step", header["first_step"], low=0, high=MAX_STEPS),
        as_int("first_replica", header["first_replica"], low=0, high=MAX_REPLICAS),
        as_choice("noise", header["noise"], ("independent", "shared")),
    )
    _check_shapes(trajectory)
    return trajectory


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
    if replicas == 0 or saved == 0 or (np.diff(run.save_steps) <= 0).any() or run.save_steps[0] < 0:
        raise ValueError("save_steps do not increase from 0 on")
