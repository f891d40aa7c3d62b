"""What came of a sweep, read from its file: masks, tables with named dimensions, and exports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iterorder.errors import InvalidInputError
from iterorder.files import as_path
from iterorder.optional import imported
from iterorder.orders import Window
from iterorder.request import check_memory
from iterorder.shown import ShownByFacts
from iterorder.sweeps.cells import unpacked
from iterorder.sweeps.grid import Grid
from iterorder.sweeps.ledger import Ledger
from iterorder.sweeps.variables import Variable
from iterorder.types import BoolArray, PathLike

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes

#: Cells of a sweep that shows how many of them have which word: reading more takes longer than a glance.
COUNTED = 10_000
#: Rows of the table `run` that tell where the results come from.
PROVENANCE = ("version", "python", "packages", "processor", "system", "commit", "begun", "digest")


class FailedCell(NamedTuple):
    """A cell that ended with an error."""

    cell: int
    point: dict[str, Any]
    kind: str
    message: str


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(ShownByFacts):
    """A sweep in its folder. Everything is read from the file when it is asked for.

    Attributes
    ----------
    folder : Path
        Where its file is.
    grid : Grid
        The points, cell by cell.
    seed : int
        The integer that was used.
    provenance : dict of str to str
        Versions, processor, the commit of the folder that the sweep was started in, when it was begun, and the digest
        of its configuration.
    """

    folder: Path
    grid: Grid
    seed: int
    provenance: dict[str, str]

    def _facts(self) -> dict[str, str]:
        with Ledger.read(self.folder) as ledger:
            counts = ledger.counts()
        shape = " × ".join(f"{dim} {n}" for dim, n in zip(self.grid.dims, self.grid.shape, strict=True))
        facts = {"folder": str(self.folder), "grid": shape, "done": f"{counts.done} of {counts.total}"}
        if counts.failed:
            facts["failed"] = str(counts.failed)
        if counts.total <= COUNTED:
            from iterorder.sweeps.words import counts_shown, word_counts

            facts |= {name: counts_shown(found) for name, found in word_counts(self).items()}
        return facts

    @property
    def done(self) -> BoolArray:
        """Where there are results: bool, of the grid's shape."""
        found = np.zeros(len(self.grid), bool)
        with Ledger.read(self.folder) as ledger:
            for row in ledger.rows():
                found[row.cell] = row.result is not None
        return found.reshape(self.grid.shape)

    @property
    def failed(self) -> list[FailedCell]:
        """The cells that ended with an error, with their points and messages."""
        with Ledger.read(self.folder) as ledger:
            errors = ledger.errors()
        return [FailedCell(cell, self.grid.point(cell), kind, text) for cell, (kind, text) in errors.items()]

    @property
    def irreproducible(self) -> list[int]:
        """Cells that were computed twice with different results: the numbers of their points in the grid."""
        with Ledger.read(self.folder) as ledger:
            return ledger.irreproducible()

    @property
    def seconds(self) -> float:
        """The time that all finished cells took, on whatever computed them."""
        with Ledger.read(self.folder) as ledger:
            return sum(row.seconds for row in ledger.rows())

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What a cell has; nothing before the first result."""
        with Ledger.read(self.folder) as ledger:
            layout, notes = ledger.value("layout"), json.loads(ledger.value("notes") or "{}")
        return tuple(Variable.described(entry, notes) for entry in json.loads(layout or "[]"))

    def cells(self, variables: tuple[Variable, ...]) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
        """The number and the arrays of each cell with a result, in order."""
        layout = json.dumps([[v.name, v.dtype.str, list(v.shape)] for v in variables], separators=(",", ":"))
        with Ledger.read(self.folder) as ledger:
            for row in ledger.rows():
                if row.result is not None:
                    yield row.cell, unpacked(layout, row.result)

    def to_xarray(self) -> xarray.Dataset:
        """All results with named dimensions: those of the grid, then those of each variable.

        Returns
        -------
        xarray.Dataset
            With the parameters as coordinates, the mask ``done``, units and names as attributes, and where it all comes
            from. Where nothing is done floats are NaN, integers −2⁶³ and truth values False.

        Raises
        ------
        BackendUnavailableError
            If xarray is not installed.
        InvalidInputError
            If it would not fit into half of the memory: `to_zarr` and `to_parquet` need no more than a chunk.
        """
        xarray = imported("xarray", extra="sweep", use="to_xarray")
        variables, total = self.variables, len(self.grid)
        each = sum(v.dtype.itemsize * int(np.prod(v.shape)) for v in variables)
        check_memory(total * (each + 1), f"{total} cells × {each} bytes; to_zarr and to_parquet write larger ones")
        arrays = {v.name: v.empty((total,)) for v in variables}
        done = np.zeros(total, bool)
        for cell, found in self.cells(variables):
            done[cell] = True
            for name, value in found.items():
                arrays[name][cell] = value
        shape, dims = self.grid.shape, self.grid.dims
        data: dict[str, Any] = {
            v.name: (dims + v.dims, arrays[v.name].reshape(shape + v.shape), v.attributes) for v in variables
        }
        data["done"] = (dims, done.reshape(shape), {"long_name": "whether the cell has a result"})
        return xarray.Dataset(data, self.coordinates(), self.attributes())

    def to_dataframe(self) -> pandas.DataFrame:
        """All results as a table of pandas: that of `to_xarray`, a row for each place of all its dimensions.

        Where all variables are numbers these are the points of the grid. An array in a cell adds its dimensions to the
        index, and numbers beside it are repeated along them: ``to_xarray()[["mean"]].to_dataframe()`` is the table of
        some variables alone. Codes are words there, such as the verdicts of measure "diagnosis": a categorical column.

        Raises
        ------
        BackendUnavailableError
            If xarray is not installed.
        InvalidInputError
            If it would not fit into half of the memory.
        """
        pandas = imported("pandas", extra="sweep", use="to_dataframe")
        table = self.to_xarray().to_dataframe()
        for variable in self.variables:
            if variable.words and variable.dtype.kind == "i":
                codes = table[variable.name].to_numpy()
                known = np.where((codes >= 0) & (codes < len(variable.words)), codes, -1)
                table[variable.name] = pandas.Categorical.from_codes(known, list(variable.words))
        return table

    def to_parquet(self, path: PathLike) -> None:
        """Write a table with a row for each cell: parameters, ``done``, errors and variables, arrays as lists.

        Codes are words, as in `to_dataframe`.

        Written a part at a time under a temporary name, then renamed; its pages have checksums.

        Parameters
        ----------
        path : path-like
            Of the file; an existing one is replaced.

        Raises
        ------
        BackendUnavailableError
            If pyarrow is not installed.
        InvalidInputError
            If there is no such folder, or a parameter has the name of a variable.
        """
        from iterorder.sweeps.exports import write_parquet

        write_parquet(self, as_path(path))

    def to_zarr(self, path: PathLike) -> None:
        """Write a Zarr group of version 3 with named dimensions, in large chunks with checksums.

        One chunk is in memory at a time. Written to a temporary folder, then renamed. Words are codes, their meanings
        an attribute, in JSON. Where nothing is done are fill values, as in `to_xarray`: the array ``done`` tells.
        ``xarray.open_zarr(path, zarr_format=3, consolidated=False)`` reads it.

        Parameters
        ----------
        path : path-like
            Of a new folder.

        Raises
        ------
        BackendUnavailableError
            If zarr is not installed.
        InvalidInputError
            If the folder is there already, or a parameter has the name of a variable.
        """
        from iterorder.sweeps.exports import write_zarr

        write_zarr(self, as_path(path))

    def plot(
        self,
        x: str,
        y: str | None = None,
        *,
        color: str | None = None,
        facet: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        ax: Axes | Sequence[Axes] | None = None,
    ) -> NDArray[np.object_]:
        """Draw a variable over one or two parameters.

        Parameters
        ----------
        x, y : str
            Parameters of the grid. Without `y` a line of the variable over `x`.
        color : str, optional
            The variable, or "done"; the first one by default.
        facet : str or list of str, optional
            A parameter with a panel for each of its values; several, with a panel for each combination.
        at : dict, optional
            Values of other parameters at which they are held: ``{"batch_size": 4}``. With a list of values only those
            of a facet are drawn.
        ax : matplotlib Axes, or one for each panel, optional
            New ones by pyplot if there are none.

        Returns
        -------
        ndarray of Axes
            A panel each. Cells without a result are grey, infinite ones have the colour of the pointed end of the
            scale. Evenly spaced logarithms make a logarithmic axis, a few numbers in no even steps have cells of one
            size. Codes and truth values have a colour each, with their words beside it.

        Raises
        ------
        InvalidInputError
            If a name or a value is not known, or the variable depends on more parameters than are drawn.
        """
        from iterorder.sweeps.diagram import Diagram
        from iterorder.sweeps.drawing import draw

        return draw(self, Diagram.of(x, y, color, facet, at), ax)

    def coordinates(self) -> dict[str, tuple[tuple[str, ...], NDArray[Any]]]:
        """The parameters along the axes."""
        return {name: ((axis.dim,), as_coordinate(axis.column(name))) for axis in self.grid.axes for name in axis.names}

    def attributes(self) -> dict[str, str]:
        """Where the results come from: texts, as no file format has integers of 64 bits without a sign."""
        return {"seed": str(self.seed), **self.provenance}


def as_coordinate(values: list[Any]) -> NDArray[Any]:
    """The values of a parameter as an array of numbers or words."""
    if all(isinstance(value, bool) for value in values):
        return np.array(values)
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return np.array(values)
    return np.array([value if isinstance(value, str) else _word(value) for value in values], dtype=np.str_)


def _word(value: object) -> str:
    return repr(value) if isinstance(value, (Window, tuple)) else str(value)


def open_sweep(folder: PathLike) -> Sweep:
    """The sweep in a folder: finished or not, also while it is worked on.

    Parameters
    ----------
    folder : path-like
        The one that was given to `sweep`.

    Returns
    -------
    Sweep
        Its results so far.

    Raises
    ------
    FileNotFoundError
        If there is none.
    InvalidInputError
        If the file is no sweep of this version.
    LedgerError
        If it is damaged.
    """
    folder = as_path(folder)
    with Ledger.read(folder) as ledger:
        rows = ledger.values()
    try:
        configuration = json.loads(rows["configuration"])
        grid, seed = Grid.described(configuration["grid"]), int(configuration["seed"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(f"{folder} has no sweep that can be read ({error}): give a folder of `sweep`") from None
    return Sweep(folder, grid, seed, {name: rows[name] for name in PROVENANCE if rows.get(name)})
