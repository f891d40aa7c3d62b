"""What a simulation returns, and its file."""

from __future__ import annotations

import dataclasses
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from iterorder import maps as families
from iterorder._version import __version__
from iterorder.errors import BackendUnavailableError, InvalidInputError
from iterorder.files import whole_file
from iterorder.maps import RandomMaps
from iterorder.orders import Order, Window

if TYPE_CHECKING:
    import xarray

SCHEMA = "iterorder.trajectory/1"

# What rebuilds a family of maps: its arrays, then its scalars.
_ARRAYS = {
    "AffineMaps": ("matrices", "offsets", "probabilities"),
    "QuadraticSGD": ("curvatures", "minimizers"),
    "LinearRegressionSGD": ("features", "targets"),
    "LogisticRegressionSGD": ("features", "labels"),
}
_SCALARS = {
    "AffineMaps": ("sampling",),
    "QuadraticSGD": ("step_size", "batch_size", "sampling"),
    "LinearRegressionSGD": ("step_size", "ridge", "batch_size", "sampling"),
    "LogisticRegressionSGD": ("step_size", "ridge", "batch_size", "sampling"),
}


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Saved states of an ensemble of replicas.

    Attributes
    ----------
    states : ndarray, shape (n_replicas, n_saved, dim)
        NaN from the step at which a replica diverged.
    save_steps : ndarray of int64, shape (n_saved,)
        Numbers of steps of this run after which the states were saved.
    diverged_at : ndarray of int64, shape (n_replicas,)
        −1 where finite. Forward: the first step of this run with a non-finite state; other orders: the first saved one.
    error_bound : ndarray, shape (n_replicas, n_saved)
        Bound of the Euclidean error that `tol` allowed; zero where exact (up to rounding).
    order : "forward", "backward" or Window
    seed : int
    maps : RandomMaps or None
        None for a loaded trajectory of custom maps.
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

    def to_xarray(self) -> xarray.Dataset:
        """The same data with named axes (replica, step, dim).

        Raises
        ------
        BackendUnavailableError
            If xarray is not installed.
        """
        try:
            import xarray
        except ImportError as error:
            reason = "xarray is not installed: pip install iterorder[store]"
            raise BackendUnavailableError(f"to_xarray: {reason}", reason) from error
        return xarray.Dataset(
            {
                "states": (("replica", "step", "dim"), self.states),
                "diverged_at": (("replica",), self.diverged_at),
                "error_bound": (("replica", "step"), self.error_bound),
            },
            coords={
                "replica": self.first_replica + np.arange(len(self.states)),
                "step": self.save_steps,
            },
            attrs={"order": str(self.order), "seed": str(self.seed), "noise": self.noise, "version": __version__},
        )

    def save(self, path) -> None:
        """Write everything to one .npz file (no pickle): first under a temporary name, then renamed.

        Parameters
        ----------
        path : str or path-like
            Used as it is; an existing file is replaced.
        """
        path = Path(path)
        arrays = {
            "states": self.states,
            "save_steps": self.save_steps,
            "diverged_at": self.diverged_at,
            "error_bound": self.error_bound,
        }
        family = type(self.maps).__name__ if self.maps is not None else None
        header = {
            "schema": SCHEMA,
            "version": __version__,
            "order": self.order if isinstance(self.order, str) else dataclasses.asdict(self.order),
            "seed": self.seed,
            "first_step": self.first_step,
            "first_replica": self.first_replica,
            "noise": self.noise,
            "family": family,
            "parameters": {name: getattr(self.maps, name) for name in _SCALARS.get(family or "", ())},
        }
        for name in _ARRAYS.get(family or "", ()):
            if getattr(self.maps, name) is not None:
                arrays[f"maps_{name}"] = getattr(self.maps, name)
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        with whole_file(path) as file:
            np.savez(file, allow_pickle=False, header=text, **arrays)


# What NumPy, zipfile and json raise for bytes that are not what they should be.
_UNREADABLE = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error),
)


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
    path = Path(path)
    advice = "give a file that Trajectory.save wrote"
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile) or "header" not in file.files:
                raise InvalidInputError(f"{path} holds no iterorder trajectory: {advice}")
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop("header").tobytes())
        if header["schema"] != SCHEMA:
            raise InvalidInputError(f"{path} has schema {header['schema']!r}: this version reads {SCHEMA!r}")
        return _from_parts(header, arrays)
    except InvalidInputError:
        raise
    except _UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:  # missing, not permitted: these speak for themselves
            raise
        raise InvalidInputError(f"{path} is cut or no trajectory ({error}): {advice}") from error


def _from_parts(header: dict, arrays: dict[str, np.ndarray]) -> Trajectory:
    order = header["order"] if isinstance(header["order"], str) else Window(**header["order"])
    maps = None
    if header["family"] in _ARRAYS:
        given = {name[len("maps_") :]: array for name, array in arrays.items() if name.startswith("maps_")}
        maps = getattr(families, header["family"])(**given, **header["parameters"])
    states, save_steps = arrays["states"], arrays["save_steps"]
    if states.ndim != 3 or states.shape[1] != len(save_steps):
        raise ValueError(f"states {states.shape} do not match {len(save_steps)} saved steps")
    return Trajectory(
        states,
        save_steps,
        arrays["diverged_at"],
        arrays["error_bound"],
        order,
        header["seed"],
        maps,
        header["first_step"],
        header["first_replica"],
        header["noise"],
    )
