"""What a diagram of a sweep shows: which parameters are its axes, which have panels, and where the others are held."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iterorder.errors import InvalidInputError
from iterorder.shown import shown
from iterorder.sweeps.grid import as_value
from iterorder.sweeps.results import Sweep

if TYPE_CHECKING:
    import xarray

#: Values of a parameter that an error shows.
SHOWN = 8


@dataclass(frozen=True)
class Diagram:
    """The arguments of `Sweep.plot`."""

    x: str
    y: str | None
    color: str | None
    facets: tuple[str, ...]
    at: Mapping[str, Any]

    @classmethod
    def of(
        cls, x: str, y: str | None, color: str | None, facet: str | Sequence[str] | None, at: Mapping[str, Any] | None
    ) -> Diagram:
        """As a user gives them."""
        facets = () if facet is None else (facet,) if isinstance(facet, str) else tuple(facet)
        return cls(x, y, color, facets, {} if at is None else at)

    @property
    def drawn(self) -> tuple[str, ...]:
        """The parameters that run along axes or over panels."""
        return tuple(name for name in (self.x, self.y) if name is not None) + self.facets

    def panels(self, sweep: Sweep) -> list[tuple[str, xarray.Dataset]]:
        """The table of each panel, with its title; what runs along axes rises.

        Raises
        ------
        InvalidInputError
            If a parameter or a value is not known, or one is left that is not drawn.
        """
        self._check_names(sweep)
        table = sweep.to_xarray()
        for name, values in self.at.items():
            table = table.isel({sweep.grid.axis_of(name).dim: _places(sweep, name, values)})
        for name in self.drawn[: len(self.drawn) - len(self.facets)]:
            if table[name].dtype.kind in "iuf":
                table = table.sortby(name)
        dims = [sweep.grid.axis_of(name).dim for name in self.drawn]
        table = table.squeeze([dim for dim, size in table.sizes.items() if size == 1 and dim not in dims])
        of_facets = dims[len(dims) - len(self.facets) :]
        places = itertools.product(*(range(table.sizes[dim]) for dim in of_facets))
        return [self._panel(table, dict(zip(of_facets, place, strict=True))) for place in places]

    def _panel(self, table: xarray.Dataset, place: dict[str, int]) -> tuple[str, xarray.Dataset]:
        panel = table.isel(place)
        return ", ".join(f"{name} = {_value_shown(panel[name].values[()])}" for name in self.facets), panel

    def _check_names(self, sweep: Sweep) -> None:
        names = [*self.drawn, *(name for name, values in self.at.items() if name not in self.facets)]
        for k, name in enumerate(names):
            if name not in sweep.grid.names or name in names[:k]:
                known = ", ".join(map(repr, sweep.grid.names))
                raise InvalidInputError(f"{name!r} is no parameter of the sweep, or given twice: give {known}")
        dims = [sweep.grid.axis_of(name).dim for name in names]
        if len(set(dims)) < len(dims):
            raise InvalidInputError(f"{' and '.join(map(repr, names))} lie on one axis of the grid: give others")


def _places(sweep: Sweep, name: str, values: Any) -> list[int] | int:
    """Where one value, or each of a list, stands on the axis of its parameter."""
    column = sweep.grid.column(name)
    wanted = list(values) if isinstance(values, list) else [values]
    for value in wanted:
        if as_value(f"at[{name!r}]", value) not in column:
            some = ", ".join(map(shown, column[:SHOWN])) + (", …" if len(column) > SHOWN else "")
            raise InvalidInputError(f"at[{name!r}] is {value!r}: give one of {some}, as they stand in the grid")
    places = [column.index(as_value(name, value)) for value in wanted]
    return places if isinstance(values, list) else places[0]


def _value_shown(value: object) -> str:
    """Of words no quotes, of numbers as many digits as tell them apart."""
    return value if isinstance(value, str) else f"{value:.4g}" if isinstance(value, float) else str(value)
