"""What a referee objects to: each fault is found in a figure that has it, and not in its neighbour that has not.

Figures that are cheap to measure are drawn whole; scripts/_common.py looks at all the others whenever they are drawn.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from iterorder.plotting import house_style

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "benchmarks")]

import _common  # noqa: E402
import _networks  # noqa: E402
import figure as benchmark_figure  # noqa: E402
from _referee import faults  # noqa: E402

from iterorder.networks.settings import preset  # noqa: E402


@pytest.fixture
def panel():
    """A panel that nobody objects to: labels, a line with a colour, markers inside."""
    with house_style():
        figure = Figure(figsize=(3.4, 2.5))
        axes = figure.add_subplot()
        axes.plot([0, 1, 2], [1, 10, 3], "o-", color="black", ms=4)
        axes.set(xlabel="steps $n$", ylabel="distance", xlim=(-1, 3), ylim=(0, 20))
        yield axes


def found(axes) -> str:
    return "\n".join(faults(axes.figure))


def test_nothing_is_found_in_a_sound_panel(panel):
    assert faults(panel.figure) == []


def test_a_second_axis(panel):
    panel.twinx().set_ylabel("exact")
    assert "a second axis" in found(panel)


def test_an_axis_without_a_label_and_one_with_two_quantities(panel):
    panel.set(xlabel="", ylabel="seconds, or MB")
    assert "the x axis has no label" in found(panel)
    assert "two quantities" in found(panel)


def test_a_label_of_a_shared_axis_is_enough():
    figure = Figure(figsize=(5, 3), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes in (left, right):
        axes.set_xlabel("steps")
    assert len(faults(figure)) == 2  # of both panels, for the axis that they share
    left.set_ylabel("distance")
    assert faults(figure) == []


def test_bars_on_a_logarithmic_axis(panel):
    panel.bar([0, 1], [3, 4], color="grey")
    assert faults(panel.figure) == []
    panel.set(yscale="log", ylim=(1, 20))
    assert "bars on a logarithmic axis" in found(panel)


def test_a_histogram_on_a_logarithmic_axis(panel):
    panel.stairs([3, 4], [0, 1, 2], fill=True, color="grey")
    assert faults(panel.figure) == []
    panel.set(yscale="log", ylim=(1, 20))
    assert "a filled histogram on a logarithmic axis" in found(panel)


def test_markers_on_the_edge(panel):
    panel.set_xlim(0, 3)
    assert "are cut by the edge of the panel" in found(panel)
    panel.lines[0].set_marker("None")
    assert faults(panel.figure) == []


def test_text_over_data(panel):
    text = panel.text(1.0, 10.0, "label", ha="center", va="center")
    assert "'label' covers data" in found(panel)
    text.set_position((2.0, 17.0))
    assert faults(panel.figure) == []
    panel.axhline(17.0, color="black")
    assert "'label' covers data" in found(panel)


def test_text_over_an_axis(panel):
    text = panel.text(-0.9, 17.0, "label")
    assert faults(panel.figure) == []
    text.set_ha("center")
    assert "'label' crosses an axis" in found(panel)


def test_a_box_around_text_that_hides_data(panel):
    text = panel.text(1.0, 14.0, "label", ha="center", va="center")
    assert faults(panel.figure) == []
    text.set_bbox({"facecolor": "white", "pad": 40.0})
    assert "'label' covers data" in found(panel)


def test_a_legend_over_data(panel):
    panel.lines[0].set_label("distance")
    panel.legend(loc="center")
    assert "'the legend' covers data" in found(panel)
    panel.legend(loc="upper right")
    assert faults(panel.figure) == []


def test_points_under_text_are_seen_and_points_beside_it_are_not(panel):
    panel.text(2.0, 17.0, "label", ha="center", va="center")
    panel.scatter([0.0], [17.0], color="grey")
    assert faults(panel.figure) == []
    panel.scatter([2.0], [17.0], color="grey")
    assert "'label' covers data" in found(panel)


@pytest.mark.parametrize("names", [("$x_1$", "$x_2$"), ("along $v_1$", "along $v_2$")])
def test_a_stretched_plane(panel, names):
    panel.set(xlabel=names[0], ylabel=names[1])
    assert "the units of a plane are unequal" in found(panel)
    panel.set_aspect("equal", adjustable="datalim")
    assert "unequal" not in found(panel)


def test_a_colour_that_was_not_chosen(panel):
    panel.plot([0, 1], [5, 6])
    assert "default colours" in found(panel)


def test_what_is_too_wide_or_too_small_for_paper(panel):
    panel.tick_params(labelsize=4)
    assert "letters of 4 points" in found(panel)
    panel.figure.set_figwidth(10)
    assert "wider than a page" in found(panel)


def test_titles_on_each_other_and_cut_ones():
    with house_style():
        figure = Figure(figsize=(4, 2))
        for axes in figure.subplots(1, 2):
            axes.set(xlabel="steps", ylabel="distance", title="longer than its panel is wide, and so over the next")
        text = "\n".join(faults(figure))
    assert "are on each other" in text
    assert "is cut by the edge of the figure" in text


def test_a_figure_with_a_fault_is_not_written(panel, tmp_path):
    how = {"parameters": {}, "seed": 0, "data": {"x": [1]}}
    panel.set_ylabel("")
    with pytest.raises(ValueError, match=r"the figure panel is not fit to be printed:\n.*the y axis has no label"):
        _common.save_figure(panel.figure, tmp_path, "panel", **how)
    assert not any(tmp_path.iterdir())
    panel.set_ylabel("distance")
    assert len(_common.save_figure(panel.figure, tmp_path, "panel", **how)) == 3


# ----------------------------------------------------------------------------------------------------- whole figures


@pytest.mark.parametrize("name", ["stability", "restrained", "slow_and_never", "losses", "order_of_steps"])
def test_figures_that_are_cheap_pass_as_they_are_drawn(name, tmp_path):
    files = importlib.import_module(f"figure_{name}").draw("quick", tmp_path)
    assert [file.suffix for file in files] == [".png", ".pdf", ".json"]


def kept(name: str) -> dict:
    return json.loads((ROOT / "figures" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["network_contraction", "network_restrained", "phase_diagram"])
def test_figures_pass_as_they_are_drawn_from_what_is_kept_beside_them(name, tmp_path):
    record = kept(name)
    data = {key: np.array(value) for key, value in record["data"].items()}
    files = importlib.import_module(f"figure_{name}").draw_numbers(data, record["parameters"], tmp_path)
    drawn = json.loads(files[2].read_text(encoding="utf-8"))
    assert drawn == record


@pytest.mark.parametrize("name", ["digits-mlp", "fashion-mlp"])
def test_experiments_pass_as_they_are_drawn_from_what_is_kept_beside_them(name, tmp_path):
    record = kept(f"network_{name.replace('-', '_')}")
    data = {key: np.array(value, dtype=float) for key, value in record["data"].items()}
    assert len(_networks.draw_numbers(preset(name), data, record["parameters"], tmp_path)) == 3


def test_the_figure_of_a_benchmark_has_no_fault():
    record = kept("benchmark")
    with house_style():
        assert faults(benchmark_figure.figure_of(record["data"], record["parameters"]["rounds"])) == []
