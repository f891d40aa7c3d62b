"""Exports and diagrams of sweeps, against the table that is read at once."""

from __future__ import annotations

import json

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex

import iterorder as ito
from iterorder.errors import InvalidInputError
from iterorder.plot.grids import is_geometric
from iterorder.sweeps import exports
from iterorder.sweeps.drawing import INFINITE_COLOR, MISSING_COLOR
from tests.sweep_systems import GRID, moments, tiny, two_points

QUIET = {"progress": False}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    return ito.sweep(two_points, GRID, moments, seed=3, folder=tmp_path_factory.mktemp("swept"), **QUIET)


@pytest.mark.parametrize("rows", [1, 5, 2**16])
def test_parquet_has_the_table(swept, tmp_path, monkeypatch, rows):
    import pyarrow.parquet as pq

    monkeypatch.setattr(exports, "ROWS", rows)
    swept.to_parquet(tmp_path / "x.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]
    found = pq.read_table(tmp_path / "x.parquet")
    table = swept.to_xarray()
    assert found.num_rows == 24
    for row in found.to_pylist():
        cell = table.sel(h=row["h"], order=row["order"], n_steps=row["n_steps"])
        assert row["done"] == bool(cell.done)
        if not row["done"]:
            assert row["mean"] is None
            assert row["levels"] is None
            assert row["error"] == "ValueError"
            continue
        assert row["error"] is None
        assert row["mean"] == float(cell["mean"])
        assert row["above"] == int(cell.above)
        assert row["low"] is bool(cell.low)
        assert row["levels"] == cell["levels"].values.tolist()
    assert found.schema.metadata[b"iterorder:seed"] == b"3"


@pytest.mark.parametrize("chunk", [1, 30, 100, 2**22])
def test_zarr_has_the_table_in_chunks_of_any_size(swept, tmp_path, monkeypatch, chunk):
    import zarr

    monkeypatch.setattr(exports, "CHUNK_BYTES", chunk)
    swept.to_zarr(tmp_path / "x.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]
    group = zarr.open_group(tmp_path / "x.zarr", mode="r", zarr_format=3)
    table = swept.to_xarray()
    for name in table.data_vars:
        array = group[name]
        assert np.array_equal(array[:], table[name].values, equal_nan=array.dtype.kind == "f"), name
        assert array.metadata.dimension_names == table[name].dims
        assert array.dtype != object
        codecs = json.loads((tmp_path / "x.zarr" / name / "zarr.json").read_text())["codecs"]
        assert codecs[-1]["name"] == "crc32c"
    words = json.loads(group["order"].attrs["flag_meanings"])
    assert [words[k] for k in group["order"][:]] == ["forward", "backward"]
    assert group.attrs["seed"] == "3"


def test_a_flipped_bit_in_zarr_is_an_error(swept, tmp_path):
    import zarr

    swept.to_zarr(tmp_path / "x.zarr")
    chunk = next(path for path in (tmp_path / "x.zarr" / "mean" / "c").rglob("*") if path.is_file())
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(Exception, match="checksum"):
        zarr.open_group(tmp_path / "x.zarr", mode="r", zarr_format=3)["mean"][:]


def test_xarray_reads_the_group(swept, tmp_path):
    import xarray

    swept.to_zarr(tmp_path / "x.zarr")
    found = xarray.open_zarr(tmp_path / "x.zarr", zarr_format=3, consolidated=False, chunks=None)
    assert np.array_equal(found["mean"].values, swept.to_xarray()["mean"].values, equal_nan=True)
    assert found["mean"].dims == ("h", "order", "n_steps")


def test_an_interrupted_export_leaves_nothing(swept, tmp_path, monkeypatch):
    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(exports, "slabs", broken)
    for export, name in ((swept.to_zarr, "x.zarr"), (swept.to_parquet, "x.parquet")):
        with pytest.raises(KeyboardInterrupt):
            export(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_names_that_clash_and_folders_that_are_there(tmp_path):
    found = ito.sweep(
        two_points, {"h": [0.1]}, lambda maps, seed: {"error": 1.0}, seed=0, folder=tmp_path / "sweep", **QUIET
    )
    with pytest.raises(InvalidInputError, match="'error' is a column of every such table"):
        found.to_parquet(tmp_path / "x")
    found = ito.sweep(two_points, {"h": [0.1]}, tiny, seed=0, folder=tmp_path / "other", **QUIET)
    with pytest.raises(InvalidInputError, match="is there already"):
        found.to_zarr(tmp_path)
    with pytest.raises(InvalidInputError, match="no folder"):
        found.to_zarr(tmp_path / "no" / "x")


def test_diagrams_show_the_cells(tmp_path):
    grid = {"h": [0.01, 0.1, 0.9], "order": ["forward", "backward"], "n_steps": [100, 200]}
    found = ito.sweep(
        lambda h: two_points(h), grid, {"diagnosis": {"n_replicas": 30}}, seed=0, folder=tmp_path / "a", **QUIET
    )
    axes = found.plot("h", "order", color="verdict", facet="n_steps")
    assert [panel.get_title() for panel in axes] == ["n_steps = 100", "n_steps = 200"]
    for k, panel in enumerate(axes):
        drawn = panel.collections[0].get_array()
        expected = found.to_xarray().verdict.isel(n_steps=k).transpose("order", "h")
        assert np.array_equal(np.asarray(drawn).reshape(2, 3), expected)
        assert panel.get_xscale() == "log"
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["forward", "backward"]
    words = [label.get_text() for label in axes[-1].figure.axes[-1].get_yticklabels()]
    assert words == ["point", "distribution", "diverges", "inconclusive"]
    # A notebook shows the figures of pyplot, in the style of the house, whatever the settings of the user are.
    assert axes[0].figure.number in pyplot.get_fignums()
    with pyplot.rc_context({"axes.labelsize": 30}):
        assert found.plot("h", "order", color="verdict", facet="n_steps")[0].xaxis.label.get_size() < 12
    pyplot.close("all")


def test_cells_without_a_result_are_masked(swept, tmp_path):
    found = ito.sweep(two_points, {"h": GRID["h"], "n_steps": [1, 5]}, moments, seed=3, folder=tmp_path, **QUIET)
    (axes,) = found.plot("h", "n_steps", color="mean")
    mask = np.ma.getmaskarray(axes.collections[0].get_array()).reshape(2, 4)
    assert mask.tolist() == [[False, False, False, True]] * 2
    assert to_hex(axes.get_facecolor()) == MISSING_COLOR
    (line,) = found.plot("h", color="mean", facet="n_steps")[0].lines
    assert np.isnan(line.get_ydata()[-1])


@pytest.mark.parametrize(
    ("numbers", "limits", "is_logarithmic"),
    [
        ([0.0, 0.0, 0.0, 0.0], (0.0, 1.0), False),
        ([-2.0, -2.0, -2.0, -2.0], (-2.0, 0.0), False),
        ([0.0, 0.5, 0.7, 1.0], (0.0, 1.0), False),
        ([1e-3, 1.0, 2.0, 1e60], (1e-3, 1e60), True),
        ([0.0, 1.0, 2.0, 1e60], (0.0, 1e60), True),
        ([-1.0, 1.0, 2.0, 1e60], (-1.0, 1e60), False),
        ([1.0, 2.0, 3.0, np.inf], (1.0, 3.0), False),
    ],
)
def test_all_panels_have_the_scale_of_the_bar(tmp_path, numbers, limits, is_logarithmic):
    """One diverging cell leaves the others their colours, and one value is not spread over what rounding shows."""
    grid = {"h": [0.1, 0.2], "s": [0, 1], "facet": [0, 1]}

    def maps_of(h, s, facet):
        return ito.AffineMaps([[[h]]], [[2.0 * s + facet]])

    def measured(maps, seed):
        return {"x": numbers[int(maps.offsets[0, 0])]}

    found = ito.sweep(maps_of, grid, measured, seed=0, folder=tmp_path, **QUIET)
    panels = found.plot("h", "s", color="x", facet="facet")
    panels[0].figure.canvas.draw()
    images = [panel.collections[0] for panel in panels]
    assert [image.get_clim() for image in images] == [limits] * 2
    half = images[0].norm(np.mean(limits))
    assert (half > 0.9) if is_logarithmic else (half == pytest.approx(0.5))
    line = found.plot("h", color="x", facet=["s", "facet"])[0]
    assert (line.get_yscale() != "linear") == is_logarithmic


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"x": "g", "y": "order"}, "'g' is no parameter"),
        ({"x": "h", "y": "h"}, "twice"),
        ({"x": "h", "y": "order"}, "also depends on 'n_steps'"),
        ({"x": "h", "y": "order", "facet": "n_steps", "color": "levels"}, "also depends on 'levels_0'"),
        ({"x": "h", "y": "order", "facet": "n_steps", "color": "nothing"}, "color is 'nothing'"),
        ({"x": "h", "y": "order", "facet": "n_steps", "ax": np.empty(2, object)}, "3 panels"),
    ],
)
def test_wrong_arguments_of_a_diagram(swept, arguments, told):
    with pytest.raises(InvalidInputError, match=told):
        swept.plot(**{"color": "mean", **arguments})


def test_which_numbers_are_evenly_spaced_in_their_logarithms():
    assert is_geometric(np.geomspace(0.01, 1, 7))
    assert is_geometric(np.array([1, 2, 4, 8, 16]))
    assert not is_geometric(np.linspace(0.01, 1, 7))
    assert not is_geometric(np.geomspace(1, 2, 7))
    assert not is_geometric(np.array([-1.0, 1.0, 2.0]))


def test_infinite_cells_are_not_those_without_a_result(tmp_path):
    """One cell is infinite, one does not exist, one has failed; uneven numbers have cells of one size."""

    def measure(maps, seed, size=1):
        if size == 40 and maps.step_size == 0.2:
            raise ValueError("no")
        value = np.inf if size == 4 and maps.step_size == 0.1 else None if size == 1 else 2.0
        return {"value": value}

    grid = {"h": [0.1, 0.2], "size": [1, 4, 40]}
    found = ito.sweep(two_points, grid, measure, seed=0, folder=tmp_path, **QUIET)
    (axes,) = found.plot("h", "size", color="value")
    drawn = axes.collections[0].get_array().reshape(3, 2)
    assert np.ma.getmaskarray(drawn).tolist() == [[True, True], [False, False], [False, True]]
    colors = [to_hex(axes.collections[0].to_rgba(drawn)[k, 0]) for k in (1, 2)]
    assert colors[0] == INFINITE_COLOR != colors[1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "4", "40"]
    assert axes.get_ylim() == (-0.5, 2.5)
    assert axes.figure.axes[-1].get_ylabel() == "value"
