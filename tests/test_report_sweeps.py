"""Sweeps as their readers see them: words in place of codes, what a variable is, and panels over more than two axes."""

from __future__ import annotations

import numpy as np
import pytest

import iterorder as ito
from iterorder import cli
from iterorder.report import sweep_diagrams, write_report
from iterorder.sweeps.grid import Grid
from iterorder.sweeps.words import word_counts

QUIET = {"progress": False}
WORDS = ("point", "distribution", "diverges", "inconclusive")


def settled(maps, seed):
    """A truth value and a number."""
    return {"fine": maps.step_size < 0.3, "double": 2.0 * maps.step_size}


def two_points(h, **ignored):
    return ito.gallery.two_point_quadratic(h)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Four cells: backward both settle on a point, forward one keeps moving and of the other too little is known."""
    grid = {"h": [0.3, 0.1], "order": ["forward", "backward"]}
    measures = {"diagnosis": {"n_replicas": 30, "n_steps": 200}}
    return ito.sweep(two_points, grid, measures, seed=0, folder=tmp_path_factory.mktemp("verdicts"), **QUIET)


def text_of(sweep) -> str:
    return write_report(sweep.folder).read_text(encoding="utf-8")


def test_a_table_has_words_in_place_of_codes(verdicts):
    codes = verdicts.to_xarray().verdict
    table = verdicts.to_dataframe()
    assert list(table.verdict.cat.categories) == list(WORDS)
    assert list(table.verdict) == [WORDS[code] for code in codes.values.ravel()]
    assert set(table.verdict) == {"point", "distribution", "inconclusive"}


def test_a_cell_without_a_result_has_no_word(tmp_path):
    def failing(h):
        if h > 0.5:
            raise ValueError("too large")
        return two_points(h)

    grid, measures = {"h": [0.2, 0.9]}, {"diagnosis": {"n_replicas": 30, "n_steps": 200}}
    found = ito.sweep(failing, grid, measures, seed=0, folder=tmp_path, **QUIET)
    assert found.to_dataframe().verdict.isna().tolist() == [False, True]
    assert sum(word_counts(found)["verdict"].values()) == 1


def test_parquet_has_the_words_too(verdicts, tmp_path):
    import pyarrow.parquet as pq

    verdicts.to_parquet(tmp_path / "x.parquet")
    rows = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert [row["verdict"] for row in rows] == list(verdicts.to_dataframe().verdict)


def test_a_report_counts_words_and_says_what_each_variable_is(verdicts):
    told = text_of(verdicts)
    assert "point 2, distribution 1, inconclusive 1" in told
    assert "share of replicas that left the finite numbers (infinite or NaN)" in told
    row = next(part for part in told.split("<tr>") if ">verdict<" in part)
    assert row.count('class="number"') == 1  # how many cells, and no mean of codes


def test_truth_values_are_counted(tmp_path):
    found = ito.sweep(two_points, {"h": [0.1, 0.2, 0.9]}, settled, seed=0, folder=tmp_path, **QUIET)
    assert word_counts(found) == {"fine": {"no": 1, "yes": 2}}
    assert "no 1, yes 2" in text_of(found)


def test_the_command_and_the_repr_count_words(verdicts, capsys):
    assert cli.main(["sweep", "status", str(verdicts.folder)]) == cli.OK
    assert "verdict: point 2, distribution 1, inconclusive 1" in capsys.readouterr().out
    assert "point 2, distribution 1, inconclusive 1" in verdicts._repr_html_()


def test_lines_and_images_of_words_are_labelled_by_them(verdicts):
    (line,) = verdicts.plot("h", color="verdict", at={"order": "forward"})
    assert [label.get_text() for label in line.get_yticklabels()] == list(WORDS)
    (image,) = verdicts.plot("h", "order", color="verdict")
    assert [label.get_text() for label in image.figure.axes[-1].get_yticklabels()] == list(WORDS)


def test_values_of_an_axis_may_fall_or_stand_in_any_order(verdicts, tmp_path):
    (line,) = verdicts.plot("h", color="late_diameter", at={"order": "forward"})
    assert line.lines[0].get_xdata().tolist() == [0.1, 0.3]
    grid = {"h": [0.2, 0.1, 0.3], "order": ["forward", "backward"]}
    found = ito.sweep(two_points, grid, settled, seed=0, folder=tmp_path, **QUIET)
    drawn = found.plot("h", "order", color="double")[0].collections[0].get_array()
    assert np.asarray(drawn).reshape(2, 3)[0].tolist() == [0.2, 0.4, 0.6]


@pytest.fixture(scope="module")
def three_axes(tmp_path_factory):
    grid = {"h": [0.1, 0.2, 0.3, 0.4], "copy": [0, 1], "name": ["a", "b", "c"]}
    return ito.sweep(two_points, grid, settled, seed=0, folder=tmp_path_factory.mktemp("three"), **QUIET)


def test_panels_of_several_parameters_have_each_combination(three_axes):
    panels = three_axes.plot("h", color="double", facet=["copy", "name"])
    titles = [panel.get_title() for panel in panels]
    assert titles == [f"copy = {copy}, name = {name}" for copy in (0, 1) for name in "abc"]
    some = three_axes.plot("h", color="double", facet="name", at={"copy": 1, "name": ["a", "c"]})
    assert [panel.get_title() for panel in some] == ["name = a", "name = c"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"x": "h"}, "'double' also depends on 'copy', 'name': give it as facet, or one value as at={'copy': 0}"),
        ({"x": "h", "at": {"copy": 7}}, r"at\['copy'\] is 7: give one of 0, 1"),
        ({"x": "h", "at": {"kopy": 0}}, "'kopy' is no parameter"),
        ({"x": "h", "y": "copy", "at": {"copy": 0}, "facet": "name"}, "given twice"),
    ],
)
def test_a_diagram_of_more_axes_says_what_it_lacks(three_axes, arguments, told):
    with pytest.raises(ito.InvalidInputError, match=told):
        three_axes.plot(**{"color": "double", **arguments})


def test_a_report_draws_panels_over_the_axes_that_a_diagram_has_not(three_axes):
    told = text_of(three_axes)
    assert "double over h and name, for each copy" in told
    assert told.count("<img") == 2
    assert "There are at most" not in told


def test_a_report_of_four_axes_draws_panels_of_two(tmp_path):
    grid = {"h": [0.1, 0.2, 0.3, 0.4], "copy": [0, 1], "name": ["a", "b", "c"], "again": [0, 1]}
    found = ito.sweep(two_points, grid, settled, seed=0, folder=tmp_path, **QUIET)
    assert "double over h and name, for each copy and again" in text_of(found)


def test_a_report_says_which_values_have_no_panel(tmp_path):
    grid = {"h": [0.01 * k for k in range(1, 17)], "copy": list(range(16)), "name": [f"n{k}" for k in range(15)]}
    found = ito.sweep(two_points, grid, settled, seed=0, folder=tmp_path, **QUIET)
    told = text_of(found)
    assert "double over h and copy, for each name" in told
    assert "at most 12 panels, and they show of name 12 of 15 values (n0, n1, " in told
    assert "ito.open_sweep(folder).plot(…, at={&#x27;name&#x27;: …})" in told


def test_panels_are_shared_out_and_what_has_none_is_held_in_the_middle():
    grid = Grid.of({"x": [*range(20)], "y": [*range(19)], "a": [0, 1], "b": [0, 1, 2], "c": [0, 1, 2], "d": [5, 6, 7]})
    layout = sweep_diagrams._layout(list(grid.axes))
    assert (layout.x.dim, layout.y.dim, layout.facets) == ("x", "y", ["a", "b", "c"])
    assert layout.panels == sweep_diagrams.PANELS
    assert layout.at == {"c": [0, 2], "d": 6}


def test_the_axis_across_is_one_of_numbers():
    layout = sweep_diagrams._layout(list(Grid.of({"name": list("abcdef"), "h": [0.1, 0.2]}).axes))
    assert (layout.x.dim, layout.y.dim) == ("h", "name")
