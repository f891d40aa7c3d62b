"""What `stationary_sample` returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.archive import maps_of, maps_shown, with_maps, write_result
from iterorder.arrays import own_array
from iterorder.device_arrays import to_numpy
from iterorder.drawn import drawn_by
from iterorder.labelled import attributes_of, frame, inference_data, labels_of, state_columns
from iterorder.maps import RandomMaps
from iterorder.optional import imported
from iterorder.shown import ShownByFacts, shape_shown, shown, span
from iterorder.types import DTypeLike, FloatArray, IntArray, PathLike
from iterorder.validation import as_choice, as_seed

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes

SCHEMA = "iterorder.sample/1"
CERTIFICATES = ("sure", "probability", "coalescence")
#: What a file holds: words and numbers of its header, and arrays.
WORDS, ARRAYS = ("certificate", "rests_on", "seed"), ("points", "error_bound", "n_steps", "spread")


@dataclass(frozen=True, eq=False, repr=False)
class StationarySample(ShownByFacts):
    """Draws from the stationary law; ``points[r]`` is within ``error_bound[r]`` of an exact one, if that is a number.

    Attributes
    ----------
    points : ndarray, shape (n, d)
        Sample r is the backward iterate (with cyclic sampling the forward one) after ``n_steps[r]`` steps of replica
        r: that of `simulate`, bit for bit. With backend="cuda" and a bound, an array of CuPy.
    error_bound : ndarray, shape (n,)
        Euclidean, rounding included. NaN with the certificate "coalescence", which bounds nothing.
    n_steps : ndarray of int64, shape (n,)
        How many maps each sample is composed of.
    certificate : {"sure", "probability", "coalescence"}
        How far the bounds hold: always; each but for a probability of at most `failure_probability`; or there are none,
        only evidence.
    spread : ndarray, shape (n,)
        With "coalescence", the largest distance between the iterates from the starts that were tried, as
        computed; else NaN. Other starts between these may end farther away, where maps fold.
    rests_on : {"lipschitz known", "lipschitz given", "moments", "starts that met"}
        What the certificate rests on: Lipschitz constants that the library derives; constants that the user gave, which
        were tried but not proved; exact or estimated second moments; distant starts that have met.
    seed : int
        The integer that was used: `simulate` with it meets the same maps.
    maps : RandomMaps or None
        None for a loaded sample of maps, or of a loss, that a user wrote.
    """

    points: FloatArray
    error_bound: FloatArray
    n_steps: IntArray
    certificate: str
    spread: FloatArray
    rests_on: str
    seed: int
    maps: RandomMaps | None = field(repr=False)

    def _facts(self) -> dict[str, str]:
        given = ", given lipschitz" if self.rests_on == "lipschitz given" else ""
        evidence = self.certificate == "coalescence"
        largest = shown(float((self.spread if evidence else self.error_bound).max()))
        return {
            "points": shape_shown(self.points.shape),
            "certificate": f"{self.certificate!r}{given}",
            "spread" if evidence else "error_bound": f"at most {largest}",
            "n_steps": span(self.n_steps),
            "seed": str(self.seed),
            "maps": maps_shown(self.maps),
        }

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> FloatArray:
        """The points, for NumPy and what reads arrays as it does."""
        return own_array(to_numpy(self.points), dtype, copy)

    def to_numpy(self) -> StationarySample:
        """The same with its points in main memory; itself where they are there."""
        if isinstance(self.points, np.ndarray):
            return self
        return dataclasses.replace(self, points=to_numpy(self.points))

    def to_xarray(self, *, names: Sequence[str] | None = None) -> xarray.Dataset:
        """The same data with named axes (sample, dim).

        Parameters
        ----------
        names : list of str, optional
            Of the coordinates, as in `Trajectory.to_xarray`.

        Returns
        -------
        xarray.Dataset
            With ``points``, ``n_steps``, and ``error_bound`` or, where the certificate is evidence, ``spread``.

        Raises
        ------
        BackendUnavailableError
            If xarray is not installed.
        """
        xarray = imported("xarray", extra="store", use="to_xarray")
        told = "spread" if self.certificate == "coalescence" else "error_bound"
        labels = labels_of(self.maps, self.points.shape[-1], names)
        return xarray.Dataset(
            {
                "points": (("sample", "dim"), to_numpy(self.points)),
                "n_steps": (("sample",), self.n_steps),
                told: (("sample",), getattr(self, told)),
            },
            {"sample": np.arange(len(self.n_steps)), "dim": labels},
            self._attributes,
        )

    def to_dataframe(self, *, names: Sequence[str] | None = None) -> pandas.DataFrame:
        """The points as a table of pandas: a row for each, a column for each coordinate.

        Parameters
        ----------
        names : list of str, optional
            Of the columns, as in `Trajectory.to_dataframe`.

        Raises
        ------
        BackendUnavailableError
            If pandas is not installed.
        """
        labels = labels_of(self.maps, self.points.shape[-1], names)
        return frame(state_columns(labels, to_numpy(self.points)), {"sample": np.arange(len(self.n_steps))})

    def to_arviz(self, *, names: Sequence[str] | None = None) -> Any:
        """The points as one chain of ArviZ. They are independent: its effective sample size is about their number.

        Parameters
        ----------
        names : list of str, optional
            Of the coordinates, as in `Trajectory.to_xarray`.

        Returns
        -------
        arviz.InferenceData or xarray.DataTree
            As the installed ArviZ wants it, with the variable ``x`` of the group ``posterior``.

        Raises
        ------
        BackendUnavailableError
            If ArviZ is not installed.
        """
        labels = labels_of(self.maps, self.points.shape[-1], names)
        points = to_numpy(self.points)[None]
        return inference_data(points, np.arange(len(self.n_steps)), labels, self._attributes)

    @property
    def _attributes(self) -> dict[str, Any]:
        return {
            "certificate": self.certificate,
            "rests_on": self.rests_on,
            "seed": str(self.seed),
            **attributes_of(self.maps),
        }

    def save(self, path: PathLike) -> None:
        """Write everything to one .npz file, as `Trajectory.save` does; `iterorder.load` reads it.

        Parameters
        ----------
        path : str or path-like
            The name of the file, which is written as it is.

        Raises
        ------
        InvalidInputError
            If the suffix is that of another format, such as .nc or .csv, or there is no such folder.
        NotWrittenError
            If the system refuses, for want of room or of rights.
        """
        about, of_maps = with_maps(self.maps)
        header = {"schema": SCHEMA, **{name: getattr(self, name) for name in WORDS}, **about}
        arrays = {name: to_numpy(getattr(self, name)) for name in ARRAYS}
        write_result(path, header, {**arrays, **of_maps}, shown="sample.points")

    @classmethod
    def _of_parts(cls, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> StationarySample:
        """What a file holds."""
        maps, points = maps_of(header, arrays), arrays["points"]
        if points.ndim != 2 or points.dtype.kind != "f" or (maps is not None and points.shape[1] != maps.dim):
            raise ValueError(f"points has shape {points.shape} and dtype {points.dtype}")
        for name, kind in {"error_bound": "f", "n_steps": "i", "spread": "f"}.items():
            array = arrays[name]
            if array.shape != points.shape[:1] or array.dtype.kind != kind:
                raise ValueError(f"{name} has shape {array.shape} and dtype {array.dtype} beside {len(points)} points")
        return cls(
            **{name: arrays[name] for name in ARRAYS},
            certificate=as_choice("certificate", header["certificate"], CERTIFICATES),
            rests_on=str(header["rests_on"]),
            seed=as_seed(header["seed"]),
            maps=maps,
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: str | None = None,
        coordinates: int | str | Sequence[int | str] = (0, 1),
        bins: int | Sequence[float] | None = None,
    ) -> Axes:
        """Draw the points: a histogram beside the exact law, or two coordinates with an ellipse.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            New ones by pyplot if there are none.
        kind : {"density", "scatter"}, optional
            By default a histogram on the line and points elsewhere.
        coordinates : int, str, or two of them
            Those that are drawn, counted from 0.
        bins : int or sequence, optional
            Of the histogram, as NumPy takes them.

        Returns
        -------
        matplotlib Axes
            The ellipse shows two standard deviations of the points in each direction; a dashed one those of the law,
            where a system of the gallery knows them.

        Examples
        --------
        >>> import iterorder as ito
        >>> sample = ito.stationary_sample(ito.gallery.sierpinski(), 500, seed=0)
        >>> sample.plot().get_xlabel()
        '$x$, coordinate 0'
        """
        return drawn_by("samples", self, ax, kind=kind, coordinates=coordinates, bins=bins)
