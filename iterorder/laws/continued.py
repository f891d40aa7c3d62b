"""What `continuation` returns: the laws over a parameter, and where they change."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.archive import maps_of, with_maps, write_result
from iterorder.drawn import drawn_by
from iterorder.estimate import Estimate
from iterorder.labelled import attributes_of, frame, labels_of
from iterorder.maps import RandomMaps
from iterorder.optional import imported
from iterorder.shown import ShownByFacts, shape_shown, shown, span
from iterorder.types import FloatArray, IntArray, PathLike
from iterorder.validation import MAX_STEPS, as_int, as_level, as_seed

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes

SCHEMA = "iterorder.continuation/1"
#: What a file holds as arrays, and in its header.
ARRAYS = (
    *("values", "states", "mean", "standard_deviation", "quantiles", "probabilities"),
    *("diverged", "least_modes", "sure_modes"),
)
WORDS = ("mean_square_stable", "reasons", "level", "follow", "n_steps", "seed")


@dataclass(frozen=True, eq=False, repr=False)
class Continuation(ShownByFacts):
    """The laws of a system over the values of a parameter, in the order in which they were visited.

    What is said of the states is said of those that are finite; NaN, and no mode, where none is.

    Attributes
    ----------
    values : ndarray, shape (n_values,)
        Of the parameter, in the order in which they were visited.
    states : ndarray, shape (n_values, n_replicas, d)
        After `n_steps` steps with each value; NaN where a replica has diverged.
    mean, standard_deviation : ndarray, shape (n_values, d)
        Of each coordinate.
    quantiles : ndarray, shape (n_values, n_probabilities, d)
        Of each coordinate, at `probabilities`.
    probabilities : ndarray, shape (n_probabilities,)
        Those of the quantiles.
    diverged : ndarray, shape (n_values,)
        The share of the replicas that left the finite numbers.
    mean_square_stable : tuple of bool or None
        Whether second moments of differences shrink, as `Theory.mean_square_stable`; None where that is not known.
    lyapunov_exponent : tuple of Estimate or None
        As `Theory.lyapunov_exponent`, with a tenth of its effort; of `CustomMaps` along paths that go on from `states`,
        so that of several laws it is the one that is followed. None where no number was found.
    least_modes : ndarray of int, shape (n_values, d)
        The least number of modes of each coordinate, from ``sure_modes`` on, that Silverman's test does not reject; 9
        is not tried. Evidence, which `continuation` tells the worth of.
    sure_modes : ndarray of int, shape (n_values, d)
        What the number of modes is at least: all together, but for a probability of at most `level`.
    reasons : tuple of dict of str to str
        A sentence for each ``mean_square_stable`` and ``lyapunov_exponent`` that is None.
    level : float
        Of the modes, all values and coordinates together.
    follow : bool
        Whether each value started from the states of the value before.
    n_steps : int
        With each value.
    seed : int
        Of the noise.
    maps : tuple of RandomMaps or None
        The system with each value; None, in a loaded result, of maps that a user wrote.
    """

    values: FloatArray
    states: FloatArray
    mean: FloatArray
    standard_deviation: FloatArray
    quantiles: FloatArray
    probabilities: FloatArray
    diverged: FloatArray
    mean_square_stable: tuple[bool | None, ...]
    lyapunov_exponent: tuple[Estimate | None, ...]
    least_modes: IntArray
    sure_modes: IntArray
    reasons: tuple[dict[str, str], ...]
    level: float
    follow: bool
    n_steps: int
    seed: int
    maps: tuple[RandomMaps | None, ...] = field(repr=False)

    @property
    def phenomenological(self) -> FloatArray:
        """Neighbouring values between which ``sure_modes`` changes, shape (n, 2): P-bifurcations of Arnold [1]_.

        That a law has more modes than before is sure there; that it has fewer is not, as no sample bounds their number
        from above.
        """
        return self._changes([tuple(row) if all(row) else None for row in self.sure_modes.tolist()])

    @property
    def dynamical(self) -> FloatArray:
        """Neighbouring values between which the sign of the Lyapunov exponent changes, shape (n, 2): D-bifurcations.

        Arnold [1]_ has further ones. Values whose interval holds zero are passed over.
        """
        return self._changes([_sign(exponent) for exponent in self.lyapunov_exponent])

    @property
    def mean_square(self) -> FloatArray:
        """Neighbouring values between which stability in the mean square changes, shape (n, 2)."""
        return self._changes(self.mean_square_stable)

    def _changes(self, kinds: Sequence[Hashable]) -> np.ndarray:
        """Pairs of neighbours, among those whose kind is known, of different kinds."""
        known = [k for k, kind in enumerate(kinds) if kind is not None]
        pairs = [(a, b) for a, b in pairwise(known) if kinds[a] != kinds[b]]
        return self.values[np.array(pairs, np.intp).reshape(-1, 2)]

    def _facts(self) -> dict[str, str]:
        facts = {
            "values": f"{len(self.values)} in {span(self.values)}",
            "states": shape_shown(self.states.shape),
            "follow": str(self.follow),
            "n_steps": str(self.n_steps),
            "sure_modes": span(self.sure_modes),
            "least_modes": span(self.least_modes),
        }
        if self.diverged.any():
            facts["diverged"] = f"at most {self.diverged.max():.1%} of the replicas"
        for name in ("phenomenological", "dynamical", "mean_square"):
            if len(pairs := getattr(self, name)):
                facts[name] = ", ".join(f"{shown(a)}…{shown(b)}" for a, b in pairs)
        return {**facts, "level": shown(self.level), "seed": str(self.seed)}

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
        arrays = {name: getattr(self, name) for name in ARRAYS}
        systems = []
        for k, maps in enumerate(self.maps):
            about, of_maps = with_maps(maps, f"maps{k}_")
            systems.append(about)
            arrays |= of_maps
        header = {"schema": SCHEMA, "systems": systems, **{name: getattr(self, name) for name in WORDS}}
        header["lyapunov_exponent"] = [None if one is None else asdict(one) for one in self.lyapunov_exponent]
        write_result(path, header, arrays, shown="found.states")

    @classmethod
    def _of_parts(cls, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Continuation:
        """What a file holds."""
        exponents = [None if one is None else Estimate(**one) for one in header["lyapunov_exponent"]]
        found = cls(
            **{name: arrays[name] for name in ARRAYS},
            mean_square_stable=tuple(header["mean_square_stable"]),
            lyapunov_exponent=tuple(exponents),
            reasons=tuple(header["reasons"]),
            level=as_level(header["level"]),
            follow=bool(header["follow"]),
            n_steps=as_int("n_steps", header["n_steps"], low=1, high=MAX_STEPS),
            seed=as_seed(header["seed"]),
            maps=tuple(maps_of(about, arrays, f"maps{k}_") for k, about in enumerate(header["systems"])),
        )
        visits = {len(array) for name in ARRAYS if name != "probabilities" for array in [getattr(found, name)]}
        if visits != {len(found.maps)} or found.states.ndim != 3:
            raise ValueError(f"states has shape {found.states.shape}, and there are {len(found.maps)} systems")
        return found

    def to_xarray(self, *, names: Sequence[str] | None = None) -> xarray.Dataset:
        """The same data with named axes (visit, replica, dim); ``value`` says what was visited.

        Parameters
        ----------
        names : list of str, optional
            Of the coordinates, as in `Trajectory.to_xarray`.

        Raises
        ------
        BackendUnavailableError
            If xarray is not installed.
        """
        xarray = imported("xarray", extra="store", use="to_xarray")
        each = ("visit", "dim")
        variables: dict[str, Any] = {
            "states": (("visit", "replica", "dim"), self.states),
            "quantiles": (("visit", "probability", "dim"), self.quantiles),
            **{name: (each, getattr(self, name)) for name in PER_COORDINATE},
            **{name: (("visit",), column) for name, column in self._per_visit.items()},
        }
        coordinates = {
            "visit": np.arange(len(self.values)),
            "value": (("visit",), self.values),
            "probability": self.probabilities,
            "dim": labels_of(self.maps[0], self.states.shape[-1], names),
        }
        how = {"follow": int(self.follow), "n_steps": self.n_steps, "level": self.level, "seed": str(self.seed)}
        known = {name: about for name, about in attributes_of(self.maps[0]).items() if name in ("version", "family")}
        return xarray.Dataset(variables, coordinates, {**how, **known})

    def to_dataframe(self, *, names: Sequence[str] | None = None) -> pandas.DataFrame:
        """A table of pandas: a row for each visited value and coordinate, without the states.

        Parameters
        ----------
        names : list of str, optional
            Of the coordinates, as in `Trajectory.to_xarray`.

        Raises
        ------
        BackendUnavailableError
            If pandas is not installed.
        """
        dim = self.states.shape[-1]
        columns = {"value": np.repeat(self.values, dim)}
        columns |= {name: getattr(self, name).ravel() for name in PER_COORDINATE}
        columns |= {f"quantile {p:g}": self.quantiles[:, k].ravel() for k, p in enumerate(self.probabilities)}
        columns |= {name: np.repeat(column, dim) for name, column in self._per_visit.items()}
        labels = np.asarray(labels_of(self.maps[0], dim, names))
        return frame(columns, {"visit": np.arange(len(self.values)), "dim": labels})

    @property
    def _per_visit(self) -> dict[str, np.ndarray]:
        """Columns of numbers: what is not known is NaN."""
        exponents = [
            (np.nan,) * 3 if found is None else (found.value, found.low, found.high) for found in self.lyapunov_exponent
        ]
        stable = [np.nan if known is None else float(known) for known in self.mean_square_stable]
        names = "lyapunov_exponent", "lyapunov_exponent_low", "lyapunov_exponent_high"
        columns = dict(zip(names, np.array(exponents).T, strict=True))
        return {"diverged": self.diverged, "mean_square_stable": np.array(stable), **columns}

    def plot(
        self,
        ax: Axes | None = None,
        *,
        coordinate: int | str = 0,
        bins: int | None = None,
        limits: tuple[float, float] | None = None,
    ) -> Axes:
        """Draw a bifurcation diagram: the law of one coordinate over the parameter.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            New ones by pyplot if there are none.
        coordinate : int or str
            Of the states, counted from 0.
        bins : int, optional
            Cells of the density: by default as many as twice the root of the number of replicas, 120 at most.
        limits : pair of floats, optional
            What is shown of the coordinate. By default all states but the outermost 200th at either side of each
            value; no room is made for laws ten times as wide as those at half of the values.

        Returns
        -------
        matplotlib Axes
            The darker, the more states: in units of the densest cell at the same value. Values that rise are blue,
            those that fall orange; lines are the mean and the outermost quantiles. Bands tell between which values
            the number of modes changes that is sure, the sign of the Lyapunov exponent, and stability in the mean
            square.

        Raises
        ------
        InvalidInputError
            If no state is finite, or an argument is not as described.

        Examples
        --------
        >>> import iterorder as ito
        >>> steps = [0.25, 0.5, 1.0, 1.5]
        >>> found = ito.continuation(ito.gallery.two_point_quadratic, steps, x0=[0.0], n_steps=100, seed=0)
        >>> found.plot().get_xlabel()
        'parameter'
        """
        return drawn_by("continuations", self, ax, coordinate=coordinate, bins=bins, limits=limits)


#: Fields with a number for each value and coordinate.
PER_COORDINATE = ("mean", "standard_deviation", "least_modes", "sure_modes")


def _sign(exponent: Estimate | None) -> int | None:
    """The sign, where the interval does not hold zero."""
    if exponent is None or not (exponent.high < 0.0 or exponent.low > 0.0):
        return None
    return 1 if exponent.low > 0.0 else -1
