"""The variables of a sweep: what each is, the range of its numbers, or how many cells have which of its words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from iterorder.report.document import Table

if TYPE_CHECKING:
    from iterorder.sweeps.results import Sweep
    from iterorder.sweeps.variables import Variable


def tables(found: Sweep) -> Iterator[Table]:
    """One for variables that are numbers, one for those that are words; none where there are no such variables."""
    from iterorder.sweeps.words import counts_shown, word_counts

    if numbers := [variable for variable in found.variables if not variable.words]:
        yield Table(("variable", "what it is", "least", "median", "largest", "cells"), _ranges(found, numbers))
    if words := word_counts(found):
        named = {variable.name: variable for variable in found.variables}
        rows = [
            (name, _meaning(named[name]), counts_shown(counts), sum(counts.values())) for name, counts in words.items()
        ]
        yield Table(("variable", "what it is", "in how many cells", "cells"), rows)


def _ranges(found: Sweep, variables: list[Variable]) -> list[list[object]]:
    table = found.to_xarray()
    done = np.asarray(table["done"])
    rows: list[list[object]] = []
    for variable in variables:
        values = np.asarray(table[variable.name], float)[done]
        cells = np.isfinite(values).reshape(len(values), -1).all(axis=1).sum()
        finite = values[np.isfinite(values)]
        ends = [float(np.min(finite)), float(np.median(finite)), float(np.max(finite))] if finite.size else [""] * 3
        rows.append([variable.name, _meaning(variable), *ends, int(cells)])
    return rows


def _meaning(variable: Variable) -> str:
    """What its measure says of it: nothing of one that a user wrote."""
    units = variable.attributes.get("units", "1")
    about = [variable.attributes.get("long_name", ""), "" if units == "1" else units]
    if variable.shape:
        about.append(f"{' × '.join(map(str, variable.shape))} numbers a cell")
    return ", ".join(filter(None, about))
