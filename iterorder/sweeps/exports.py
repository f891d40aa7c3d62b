"""Sweeps as Parquet files and Zarr groups, written a part at a time: no more than one part is in memory."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from iterorder.errors import BackendUnavailableError, InvalidInputError
from iterorder.files import check_place, whole_file, writing
from iterorder.sweeps.results import Sweep
from iterorder.sweeps.variables import MISSING, Variable

#: Rows of a part of a Parquet file, and bytes of a chunk of a Zarr array.
ROWS, CHUNK_BYTES = 2**16, 2**22


class Slab(NamedTuple):
    """Cells [first, last) of a sweep: which have a result, and their arrays."""

    first: int
    last: int
    done: np.ndarray
    arrays: dict[str, np.ndarray]


def slabs(sweep: Sweep, variables: tuple[Variable, ...], size: int, within: int | None = None) -> Iterator[Slab]:
    """The cells of a sweep in slabs of a size, those without results too, cut at multiples of `within`."""
    found = sweep.cells(variables)
    following = next(found, None)
    total = len(sweep.grid)
    within = within or total
    starts = (first for begin in range(0, total, within) for first in range(begin, min(begin + within, total), size))
    for first in starts:
        last = min(first + size, (first // within + 1) * within, total)
        done = np.zeros(last - first, bool)
        arrays = {v.name: v.empty((last - first,)) for v in variables}
        while following is not None and following[0] < last:
            cell, values = following
            done[cell - first] = True
            for name, value in values.items():
                arrays[name][cell - first] = value
            following = next(found, None)
        yield Slab(first, last, done, arrays)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to write to, beside `path` until the block ends, then renamed to it; nothing is left after an error."""
    if path.exists():
        raise InvalidInputError(f"path {path} is there already: give the name of a new folder, or remove it")
    check_place(path)
    temporary = path.with_name(f".{os.getpid()}-{path.name}.part")
    with writing(path):
        try:
            yield temporary
            os.rename(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


# -------------------------------------------------------------------------------------------------------------- Parquet


def write_parquet(sweep: Sweep, path: Path) -> None:
    """A row for each cell: parameters, the mask, errors, and the variables; arrays as lists of their numbers."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise _missing("to_parquet", "pyarrow") from error
    variables, errors = sweep.variables, {cell.cell: cell for cell in sweep.failed}
    _check_names(sweep, variables, ("cell", "done", "error", "message"))
    writer = None
    with whole_file(path) as file:
        try:
            for slab in slabs(sweep, variables, _rows(variables)):
                table = pa.table(_columns(pa, sweep, variables, errors, slab))
                if writer is None:
                    about = {"seed": str(sweep.seed), **sweep.provenance}
                    schema = table.schema.with_metadata({f"iterorder:{k}": v for k, v in about.items()})
                    writer = pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True)
                writer.write_table(table.cast(writer.schema))
        finally:
            if writer is not None:
                writer.close()


def _rows(variables: tuple[Variable, ...]) -> int:
    """Rows of a part: fewer where a cell has large arrays."""
    each = sum(v.dtype.itemsize * math.prod(v.shape) for v in variables)
    return max(1, min(ROWS, 16 * CHUNK_BYTES // max(1, each)))


def _columns(pa, sweep: Sweep, variables, errors, slab: Slab) -> dict[str, Any]:
    cells = range(slab.first, slab.last)
    places = np.unravel_index(np.arange(slab.first, slab.last), sweep.grid.shape)
    columns: dict[str, Any] = {"cell": pa.array(np.arange(slab.first, slab.last))}
    coordinates = sweep.coordinates()
    for axis, k in zip(sweep.grid.axes, places, strict=True):
        for name in axis.names:
            columns[name] = pa.array(coordinates[name][1][k])
    columns["done"] = pa.array(slab.done)
    columns["error"] = pa.array([errors[cell].kind if cell in errors else None for cell in cells], pa.string())
    columns["message"] = pa.array([errors[cell].message if cell in errors else None for cell in cells], pa.string())
    for v in variables:
        flat = slab.arrays[v.name].reshape(slab.last - slab.first, -1)
        if v.shape:
            values = pa.array(flat.ravel())
            columns[v.name] = pa.FixedSizeListArray.from_arrays(values, flat.shape[1], mask=pa.array(~slab.done))
        elif v.words and v.dtype.kind == "i":
            codes = pa.array(flat[:, 0], mask=~slab.done)
            columns[v.name] = pa.DictionaryArray.from_arrays(codes.cast(pa.int32()), list(v.words))
        else:
            columns[v.name] = pa.array(flat[:, 0], mask=~slab.done)
    return columns


# ----------------------------------------------------------------------------------------------------------------- Zarr


def write_zarr(sweep: Sweep, path: Path) -> None:
    """A Zarr group of version 3, with an array for each variable, the mask ``done``, and the parameters.

    Chunks are large and have a checksum; words are codes with their meanings, as no format has settled on words.
    """
    try:
        import zarr
    except ImportError as error:
        raise _missing("to_zarr", "zarr") from error
    variables, shape = sweep.variables, sweep.grid.shape
    _check_names(sweep, variables, ("done",))
    inner = _inner_axis(shape, max((v.dtype.itemsize * math.prod(v.shape) for v in variables), default=1))
    per_row = math.prod(shape[inner.axis + 1 :])
    with whole_folder(path) as folder:
        group = zarr.open_group(folder, mode="w-", zarr_format=3, attributes=dict[str, Any](sweep.attributes()))
        for name, (dims, values) in sweep.coordinates().items():
            _coordinate(zarr, group, name, dims, values)
        mask = Variable("done", np.dtype(bool), (), (), {"long_name": "whether the cell has a result"})
        arrays = {}
        for v in (*variables, mask):
            chunks = (*(1,) * inner.axis, inner.rows, *shape[inner.axis + 1 :], *v.shape)
            arrays[v.name] = group.create_array(
                v.name,
                shape=shape + v.shape,
                chunks=tuple(max(1, n) for n in chunks),
                dtype=v.dtype,
                fill_value=MISSING[v.dtype.kind],
                compressors=_checked_codecs(zarr),
                dimension_names=sweep.grid.dims + v.dims,
                attributes=v.attributes,
            )
        # A slab is one chunk: rows along one axis, up to its end, with all of the axes inside of it.
        for slab in slabs(sweep, variables, inner.rows * per_row, shape[inner.axis] * per_row):
            place, rows = np.unravel_index(slab.first, shape), (slab.last - slab.first) // per_row
            start = int(place[inner.axis])
            where: Any = (*(int(p) for p in place[: inner.axis]), slice(start, start + rows))
            for name, values in {**slab.arrays, "done": slab.done}.items():
                arrays[name][where] = values.reshape((rows, *shape[inner.axis + 1 :], *values.shape[1:]))


class Inner(NamedTuple):
    """How chunks lie: single places along the first axes, so many rows along `axis`, all of the axes behind it."""

    axis: int
    rows: int


def _inner_axis(shape: tuple[int, ...], each: int) -> Inner:
    """Chunks of about `CHUNK_BYTES` of the largest variable, of cells that follow each other."""
    axis, inside = len(shape) - 1, each
    while axis > 0 and inside * shape[axis] <= CHUNK_BYTES:
        inside *= shape[axis]
        axis -= 1
    return Inner(axis, max(1, min(shape[axis], CHUNK_BYTES // max(1, inside))))


def _checked_codecs(zarr) -> list:
    return [zarr.codecs.ZstdCodec(level=3), zarr.codecs.Crc32cCodec()]


def _coordinate(zarr, group, name: str, dims: tuple[str, ...], values: np.ndarray) -> None:
    attributes: dict[str, Any] = {}
    if values.dtype.kind == "U":
        words, values = np.unique(values, return_inverse=True)
        attributes = {"flag_values": list(range(len(words))), "flag_meanings": json.dumps(words.tolist())}
    group.create_array(
        name,
        data=np.ascontiguousarray(values),
        chunks=values.shape,
        compressors=_checked_codecs(zarr),
        dimension_names=dims,
        attributes=attributes,
    )


def _check_names(sweep: Sweep, variables: tuple[Variable, ...], own: tuple[str, ...]) -> None:
    """Of sweeps of older versions a variable may have the name of a parameter too."""
    for name in (variable.name for variable in variables):
        if name in own:
            raise InvalidInputError(f"{name!r} is a column of every such table: let the measure name it otherwise")
        if name in sweep.grid.names:
            raise InvalidInputError(f"{name!r} is both a parameter and a variable: let the measure name it otherwise")


def _missing(what: str, package: str) -> BackendUnavailableError:
    reason = f"{package} is not installed: pip install iterorder[sweep]"
    return BackendUnavailableError(f"{what}: {reason}")
