"""What `stationary_sample` returns."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from iterorder.arrays import own_array
from iterorder.device_arrays import to_numpy
from iterorder.drawn import drawn_by
from iterorder.maps import RandomMaps
from iterorder.shown import call, shown, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class StationarySample:
    """Draws from the stationary law; ``points[r]`` is within ``error_bound[r]`` of an exact one, if that is a number.

    Attributes
    ----------
    points : ndarray, shape (n, d)
        Sample r is the backward iterate after ``n_steps[r]`` steps of replica r: that of `simulate`, bit for bit. With
        backend="cuda" and a bound, an array of CuPy.
    error_bound : ndarray, shape (n,)
        Euclidean, rounding included. NaN with the certificate "coalescence", which bounds nothing.
    n_steps : ndarray of int64, shape (n,)
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
    maps : RandomMaps
    """

    points: np.ndarray
    error_bound: np.ndarray
    n_steps: np.ndarray
    certificate: str
    spread: np.ndarray
    rests_on: str
    seed: int
    maps: RandomMaps = field(repr=False)

    def __repr__(self) -> str:
        given = ", given lipschitz" if self.rests_on == "lipschitz given" else ""
        evidence = self.certificate == "coalescence"
        largest = shown(float((self.spread if evidence else self.error_bound).max()))
        facts = {
            "points": str(self.points.shape),
            "certificate": f"{self.certificate!r}{given}",
            "spread" if evidence else "error_bound": f"at most {largest}",
            "n_steps": span(self.n_steps),
            "seed": str(self.seed),
            "maps": repr(self.maps),
        }
        return call("StationarySample", facts)

    def __array__(self, dtype=None, copy: bool | None = None) -> np.ndarray:
        """The points, for NumPy and what reads arrays as it does."""
        return own_array(to_numpy(self.points), dtype, copy)

    def to_numpy(self) -> StationarySample:
        """The same with its points in main memory; itself where they are there."""
        if isinstance(self.points, np.ndarray):
            return self
        return dataclasses.replace(self, points=to_numpy(self.points))

    def plot(self, ax: Axes | None = None, *, kind: str | None = None, coordinates=(0, 1), bins=None) -> Axes:
        """Draw the points: a histogram beside the exact law, or two coordinates with an ellipse.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            New ones by pyplot if there are none.
        kind : {"density", "scatter"}, optional
            By default a histogram on the line and points elsewhere.
        coordinates : int or two ints
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
