"""Pictures of results: what is drawn are their numbers, on axes that say what they are."""

from __future__ import annotations

import math
import sys
import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image

import iterorder as ito
from iterorder.claims.table import ClaimRow, ClaimTable
from iterorder.plot import animation
from iterorder.plot.rates import in_equal_digits
from iterorder.plot.tables import FARTHEST, deviation
from iterorder.plotting import ORDER_COLORS, order_color

AR1 = ito.gallery.ar1(0.8, 1.0)


def run(maps=AR1, order="forward", replicas=5, steps=20, save_steps="all", **options):
    start = np.zeros(maps.dim) + 3.0
    return ito.simulate(maps, start, steps, order=order, n_replicas=replicas, seed=1, save_steps=save_steps, **options)


def check_axes(axes) -> None:
    """Labels on both axes, and a picture that can be drawn."""
    assert axes.get_xlabel()
    assert axes.get_ylabel() or not axes.get_yticks().size or axes.get_yticklabels()
    axes.figure.canvas.draw()


def colors(axes) -> set[str]:
    from matplotlib.colors import to_hex

    return {to_hex(line.get_color()).upper() for line in axes.lines}


# ------------------------------------------------------------------------------------------------------- trajectories


@pytest.mark.parametrize("order", ["forward", "backward", ito.Window(width=5), ito.Window(start=5)])
def test_paths_are_the_states_in_the_colour_of_their_order(order):
    trajectory = run(order=order)
    axes = trajectory.plot()
    check_axes(axes)
    assert colors(axes) == {order_color(order).upper()}
    for r, line in enumerate(axes.lines):
        np.testing.assert_array_equal(line.get_xydata(), np.column_stack([np.arange(21), trajectory.states[r, :, 0]]))


def test_of_many_replicas_the_bands_are_quantiles():
    trajectory = run(replicas=400)
    axes = trajectory.plot()
    check_axes(axes)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), np.median(trajectory.states[:, :, 0], axis=0))
    inner = axes.collections[1].get_paths()[0].vertices[:, 1]
    last = np.quantile(trajectory.states[:, -1, 0], [0.25, 0.75])
    assert inner.min() <= last[0]
    assert inner.max() >= last[1]


def test_increments_are_lengths_of_moves_on_a_logarithmic_axis():
    trajectory = run(order="backward", replicas=60)
    axes = trajectory.plot(kind="increments")
    check_axes(axes)
    moves = np.linalg.norm(np.diff(trajectory.states, axis=1), axis=2)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), np.median(moves, axis=0))
    assert axes.get_yscale() == "log"
    assert "Z_{n+1}-Z_n" in axes.get_ylabel()
    with pytest.raises(ito.InvalidInputError, match="no two saved steps follow each other: give save_steps='all'"):
        run(save_steps=[4, 8]).plot(kind="increments")
    still = ito.AffineMaps([[[1.0]]], [[0.0]])
    with pytest.raises(ito.InvalidInputError, match="nothing moves"):
        run(still).plot(kind="increments")


def test_the_density_stands_beside_the_law_where_it_is_known():
    trajectory = run(replicas=500, save_steps=None)
    axes = trajectory.plot(bins=[-4.0, -1.0, 0.0, 2.0, 6.0])
    check_axes(axes)
    measured, exact = axes.patches
    heights, edges, _ = measured.get_data()
    counts, _ = np.histogram(trajectory.states[:, -1, 0], edges)
    np.testing.assert_allclose(heights, counts / (500 * np.diff(edges)))  # as the law, of which all is not shown either
    assert measured.get_label().endswith(f"{1.0 - counts.sum() / 500:.1%} of them outside")
    np.testing.assert_allclose(exact.get_data().values, np.diff(AR1.law.cdf(edges)) / np.diff(edges))
    unknown = ito.QuadraticSGD([1.0, 2.0], [0.0, 1.0], 0.3)
    assert len(run(unknown, replicas=100, save_steps=None).plot().patches) == 1


def test_points_of_the_plane_have_equal_axes():
    trajectory = run(ito.gallery.sierpinski(), replicas=100, save_steps=None)
    axes = trajectory.plot()
    check_axes(axes)
    assert axes.get_aspect() == 1.0
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), trajectory.states[:, -1])


def test_diverged_replicas_leave_gaps():
    maps = ito.AffineMaps([[[1e20]], [[1e-20]]], [[0.0], [0.0]])
    trajectory = run(maps, replicas=60, steps=100)
    assert 0 < (trajectory.diverged_at >= 0).sum() < 60
    check_axes(trajectory.plot())


def test_axes_that_are_given_are_drawn_on_and_no_figure_is_made():
    axes = pyplot.figure().subplots(1, 2)[1]
    path = np.random.default_rng(0).normal(size=2000)
    others = (ito.stationarity_test(path), ito.dimension(path), ito.fit_rate(np.arange(9), 0.5 ** np.arange(9)))
    for result in (run(), run(replicas=100), ito.stationary_sample(AR1, 50, seed=0), *others):
        assert result.plot(ax=axes) is axes
    assert len(pyplot.get_fignums()) == 1
    with pytest.raises(ito.InvalidInputError, match="ax is a str: give matplotlib Axes"):
        run().plot(ax="here")


def test_a_picture_leaves_the_settings_of_the_user_alone():
    with pyplot.rc_context({"font.size": 23.0}):
        run().plot()
        assert pyplot.rcParams["font.size"] == 23.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "path"}, "kind is 'path': give one of 'paths', 'cloud'"),
        ({"coordinate": 1}, r"coordinate is 1: give an integer in \[0, 0\]"),
        ({"kind": "paths", "replicas": 6}, r"replicas is 6: give an integer in \[1, 5\]"),
        ({"kind": "scatter"}, "the states are numbers: give kind='density'"),
    ],
)
def test_what_cannot_be_drawn_is_told(options, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        run().plot(**options)


# ------------------------------------------------------------------------------------------------------ other results


def test_a_coupling_is_drawn_with_its_rate_and_the_exponent():
    coupling = ito.coupling_distance(AR1, [0.0], [1.0], 40, order="forward", n_replicas=8, seed=0)
    axes = coupling.plot(theory=ito.theory(AR1))
    check_axes(axes)
    distance, rate, exponent = axes.lines
    np.testing.assert_array_equal(distance.get_ydata(), coupling.distance)
    for line in (rate, exponent):
        slope = np.polyfit(line.get_xdata(), np.log(line.get_ydata()), 1)[0]
        assert slope == pytest.approx(math.log(0.8), rel=1e-6)  # six digits: a fit of forty steps that round to eps
    assert len(coupling.plot(rate=False).lines) == 1
    with pytest.raises(ito.InvalidInputError, match="theory is a float: give what"):
        coupling.plot(theory=0.8)
    equal = ito.coupling_distance(AR1, [1.0], [1.0], 40, order="forward", n_replicas=8, seed=0)
    with pytest.raises(ito.InvalidInputError, match="no distance above zero"):
        equal.plot()


def test_beside_mean_squares_stands_their_slope_and_each_line_says_what_it_is():
    maps = ito.AffineMaps([[[0.2]], [[0.9]]], [[1.0], [-1.0]])
    known, how = ito.theory(maps), {"order": "forward", "n_replicas": 4000, "seed": 0}
    slopes = {"mean squares": 0.5 * math.log((0.2**2 + 0.9**2) / 2), "Lyapunov": 0.5 * math.log(0.2 * 0.9)}
    for p, names in ((2, ["mean squares", "Lyapunov"]), (1, ["Lyapunov"])):
        coupling = ito.coupling_distance(maps, [0.0], [1.0], 10, p=p, **how)
        axes = coupling.plot(theory=known)
        lines = {line.get_label(): line for line in axes.lines[2:]}
        assert [next(name for name in slopes if label.startswith(name)) for label in lines] == names
        for label, line in lines.items():
            slope = np.polyfit(line.get_xdata(), np.log(line.get_ydata()), 1)[0]
            name = next(name for name in slopes if label.startswith(name))
            assert slope == pytest.approx(slopes[name], rel=1e-9)
            assert label.endswith(f": {slopes[name]:.4g}")
    # The distance of p = 2 keeps to the former; the latter, which is steeper by .3, is the wrong one.
    fitted = ito.fit_rate(ito.coupling_distance(maps, [0.0], [1.0], 10, **how)).rate
    assert abs(fitted - slopes["mean squares"]) < 0.2 * abs(fitted - slopes["Lyapunov"])


def test_values_and_ends_of_intervals_have_the_same_digits():
    assert in_equal_digits(-0.041512, -0.0439, -0.039) == ("-0.0415", "-0.0439", "-0.0390")
    assert in_equal_digits(-12.3, -20.0, 5.0) == ("-12", "-20", "5")
    assert in_equal_digits(-0.5, -0.5, -0.5) == ("-0.5000",) * 3
    assert in_equal_digits(0.0, 0.0, 0.0) == ("0.000",) * 3


def test_legends_stay_inside_axes_that_were_given():
    coupling = ito.coupling_distance(AR1, [0.0], [1.0], 40, order="forward", n_replicas=8, seed=0)
    results = (coupling, ito.theory(AR1), ito.stationary_sample(AR1, 50, seed=0), run(replicas=100))
    for result in results:
        figure, grid = pyplot.subplots(2, 2)
        axes = result.plot(ax=grid[1, 0])
        figure.canvas.draw()
        inside, own = axes.get_legend().get_window_extent(), axes.get_window_extent()
        assert own.y0 <= inside.y0 <= inside.y1 <= own.y1
        figure.tight_layout()
        assert axes.get_window_extent().width > 0.75 * own.width  # a layout has not made room for it
        alone = result.plot()  # the control: above its own
        alone.figure.canvas.draw()
        assert alone.get_legend().get_window_extent().y0 >= alone.get_window_extent().y1


@pytest.mark.parametrize("order", ["forward", "backward"])
@pytest.mark.parametrize("kind", ["cloud", "increments"])
def test_no_legend_covers_the_bands_of_axes_that_were_given(order, kind):
    """As in the documented figure; forward increments fill their axes, so that room is made above them."""
    trajectory = ito.simulate(
        ito.gallery.ar1(0.9, 1.0), [8.0], 60, order=order, n_replicas=500, save_steps="all", seed=0
    )
    figure, grid = pyplot.subplots(2, 2, figsize=(9, 6), layout="constrained")
    axes = trajectory.plot(grid[1, 0], kind=kind)
    figure.canvas.draw()
    box = axes.get_legend().get_window_extent()
    for band in axes.collections:
        assert not any(path.transformed(axes.transData).intersects_bbox(box) for path in band.get_paths())
    assert not axes.get_legend().get_frame_on()


def test_coordinates_have_the_names_of_columns():
    features = np.random.default_rng(0).normal(size=(30, 2))
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(features, columns=["age", "dose $"])
    maps = ito.LinearRegressionSGD(table, features.sum(axis=1), 0.1, ridge=0.1)
    paths = run(maps)
    assert paths.plot(coordinate="dose $").get_ylabel() == r"$X_n$, dose \$"
    np.testing.assert_array_equal(paths.plot(coordinate="age").lines[0].get_ydata(), paths.states[0, :, 0])
    sample = ito.stationary_sample(maps, 50, seed=0).plot(coordinates=("dose $", 0))
    assert (sample.get_xlabel(), sample.get_ylabel()) == (r"$x$, dose \$", "$x$, age")
    assert ito.plot.attractor(maps, 5000, coordinates=("dose $", "age")).get_ylabel() == "$x$, age"
    sample.figure.canvas.draw()
    with pytest.raises(ito.InvalidInputError, match="coordinate is 'dos': give one of 'age', 'dose"):
        paths.plot(coordinate="dos")
    with pytest.raises(ito.InvalidInputError, match="coordinate is 'age', and the coordinates have no names"):
        run().plot(coordinate="age")


def test_a_sample_is_drawn_with_its_law_or_its_ellipse():
    line = ito.stationary_sample(AR1, 300, seed=0).plot()
    check_axes(line)
    assert len(line.patches) == 2
    maps = ito.gallery.sierpinski()
    sample = ito.stationary_sample(maps, 300, seed=0)
    plane = sample.plot()
    check_axes(plane)
    # Two standard deviations: every point of the curve has Mahalanobis length 2.
    for curve, mean, covariance in zip(
        plane.lines,
        (sample.points.mean(axis=0), maps.law.mean),
        (np.cov(sample.points.T), maps.law.covariance),
        strict=True,
    ):
        away = curve.get_xydata() - mean
        lengths = np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)
        np.testing.assert_allclose(lengths, 4.0, rtol=1e-9)
    assert sample.plot(kind="density", coordinates=1).get_xlabel() == "$x$, coordinate 1"


def test_a_heavy_tail_leaves_its_bars_to_be_seen():
    """κ = 1.2: one point in a hundred is left out, and told; a normal law keeps all, and bins that are given too."""
    maps = ito.AffineMaps([[[1.6]], [[0.5]], [[0.3]]], [[1.0], [-1.0], [2.0]])
    sample = ito.stationary_sample(maps, 5000, seed=1, tol=1e-3)
    (bars,) = sample.plot().patches
    heights, edges, _ = bars.get_data()
    inside = (sample.points >= edges[0]) & (sample.points <= edges[-1])
    assert 0.985 < inside.mean() < 0.995
    assert heights @ np.diff(edges) == pytest.approx(inside.mean())
    assert "1.0% of them outside" in bars.get_label()
    assert edges[-1] - edges[0] < 0.2 * np.ptp(sample.points)
    normal, given = ito.stationary_sample(AR1, 5000, seed=1).plot().patches[0], sample.plot(bins=50).patches[0]
    for whole in (normal, given):
        assert "outside" not in whole.get_label()
        heights, edges, _ = whole.get_data()
        assert heights @ np.diff(edges) == pytest.approx(1.0)


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_a_diagnosis_shows_the_ratio_inside_its_zone(order):
    diagnosis = ito.diagnose(AR1, [0.0], 60, order=order, n_replicas=60, seed=0)
    axes = diagnosis.plot()
    axes.figure.canvas.draw()
    point = axes.lines[-1].get_xdata()[0]
    assert point == pytest.approx(max(diagnosis.evidence.ratio, 1e-3))
    assert diagnosis.verdict in axes.get_title(loc="left")


def row(measured, *, relation="=", control=False, uncertainty=0.1):
    return ClaimRow.compared("C1", "a system", "x", 1.0, measured, uncertainty, relation=relation, control=control)


def test_rows_of_claims_stand_at_their_deviations():
    rows = (row(1.05), row(2.0, control=True), row(1.5), row(1e9, control=True))
    axes = ClaimTable(rows, 0, "quick").plot()
    check_axes(axes)
    found = {line.get_marker(): line.get_xdata().tolist() for line in axes.lines}
    assert found["o"] == pytest.approx([0.5])
    assert found["D"] == pytest.approx([10.0])
    assert found["X"] == pytest.approx([5.0])
    assert found[">"] == [FARTHEST]
    assert deviation(row(0.9, relation="≥")) == pytest.approx(1.0)
    assert deviation(row(1.0, uncertainty=0.0)) == 0.0
    assert deviation(row(1.5, uncertainty=0.0)) == FARTHEST
    with pytest.raises(ito.InvalidInputError, match="no row that was measured"):
        ClaimTable((), 0, "quick").plot()


def test_theory_is_a_curve_between_its_ends():
    theory = ito.theory(ito.QuadraticSGD([1.0, 2.0], [0.0, 1.0], 0.9))
    axes = theory.plot()
    check_axes(axes)
    curve = next(line for line in axes.lines if len(line.get_xdata()) > 2)
    at = dict(zip(curve.get_xdata().tolist(), curve.get_ydata().tolist(), strict=True))
    # Slopes 0.1 and −0.8, each with probability one half.
    assert at[2.0] == pytest.approx(math.sqrt((0.1**2 + 0.8**2) / 2))
    assert at[1.0] == pytest.approx(0.45)
    heights = {float(line.get_ydata()[0]) for line in axes.lines if len(line.get_xdata()) == 2}
    assert any(height == pytest.approx(0.8) for height in heights)
    assert any(height == pytest.approx(math.sqrt(0.08)) for height in heights)


def test_basins_on_the_line_are_probabilities_with_their_intervals():
    found = ito.basins(ito.gallery.double_well(0.1, 0.2), [1.0, -1.0, 0.0], n_steps=200, n_replicas=50, seed=0)
    axes = found.plot()
    check_axes(axes)
    for k, container in enumerate(axes.containers):
        line, _, (bars,) = container
        order = [1, 2, 0]
        np.testing.assert_array_equal(line.get_xydata(), np.column_stack([[-1, 0, 1], found.probability[order, k]]))
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(ends, np.column_stack([found.low[order, k], found.high[order, k]]), atol=1e-12)
    square = ito.basins(ito.CustomMaps(_square, dim=1), [0.5, 2.0], n_steps=50, n_replicas=20, seed=0).plot()
    assert next(text.get_text() for text in square.get_legend().get_texts()) == "diverged"


def _square(x, draw, params, out):
    out[0] = x[0] * x[0]


def _quarters(x, draw, params, out):
    out[0] = math.copysign(1.0, x[0])
    out[1] = 0.5 * x[1]


def test_starts_of_the_plane_have_the_colours_of_their_laws():
    starts = [[-2.0, 0.0], [-1.0, 1.0], [3.0, 0.0]]
    found = ito.basins(ito.CustomMaps(_quarters, dim=2), starts, n_steps=100, n_replicas=4, seed=0)
    axes = found.plot()
    check_axes(axes)
    assert axes.get_aspect() == 1.0
    drawn = [points.get_offsets().tolist() for points in axes.collections]
    assert starts[:2] in drawn
    assert starts[2:] in drawn
    assert found.plot(coordinates=(1, 0)).get_xlabel() == "$x$, coordinate 1"
    with pytest.raises(ito.InvalidInputError, match="give two different ones"):
        found.plot(coordinates=(0, 0))


@pytest.mark.parametrize("kind", ["wasserstein", "fluctuation-dissipation"])
def test_a_test_of_stationarity_shows_its_parts_and_what_is_allowed(kind):
    path = ito.simulate(AR1, [500.0], 6399, seed=1, save_steps="all")
    test = ito.stationarity_test(path, kind=kind)
    axes = test.plot()
    check_axes(axes)
    assert any(np.array_equal(line.get_ydata(), test.parts) for line in axes.lines)
    if kind == "wasserstein":
        assert axes.lines[-1].get_ydata()[0] == test.critical < test.parts.max()
    else:
        low, high = axes.patches[0].get_y(), axes.patches[0].get_y() + axes.patches[0].get_height()
        assert not low <= 0.0 <= high  # it is rejected


@pytest.mark.parametrize("kind", ["correlation", "box"])
def test_a_dimension_is_the_slope_in_the_shaded_part(kind):
    found = ito.dimension(ito.stationary_sample(ito.gallery.sierpinski(), 5000, seed=0), kind=kind)
    axes = found.plot()
    check_axes(axes)
    points, line = axes.lines
    used = (found.scales >= found.finest) & (found.scales <= found.coarsest)
    assert 0 < used.sum() < len(used)
    for drawn, tolerance in ((points, 1e-9), (line, 1e-9)):
        logs = np.log(drawn.get_xydata()[used])
        assert abs(np.polyfit(*logs.T, 1)[0]) == pytest.approx(found.value, rel=tolerance)
    shade = axes.patches[0]
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == pytest.approx((found.finest, found.coarsest))
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_a_rate_draws_the_curve_that_it_was_fitted_to():
    steps = np.arange(40)
    rate = ito.fit_rate(steps, np.where(steps < 35, 3.0 * 0.5**steps, 0.0))
    axes = rate.plot()
    check_axes(axes)
    curve, line = axes.lines
    np.testing.assert_array_equal(curve.get_xydata(), np.column_stack([steps, 3.0 * 0.5**steps])[:35])
    assert [line.get_xdata()[0], line.get_xdata()[-1]] == [rate.first, rate.last]
    assert np.polyfit(line.get_xdata(), np.log(line.get_ydata()), 1)[0] == pytest.approx(rate.rate)


# ------------------------------------------------------------------------------------------------------- continuations


def continued(values, **options):
    return ito.continuation(
        ito.gallery.two_point_quadratic, values, x0=[0.5], n_steps=2000, n_replicas=400, seed=1, **options
    )


def test_a_bifurcation_diagram_has_the_states_in_its_cells_and_bands_where_laws_change():
    values = [0.5, 1.0, 1.5, 2.5]
    found = continued(values)
    axes = found.plot(bins=10, limits=(0.0, 1.0))
    check_axes(axes)
    mesh = axes.collections[0]
    counts = np.array([np.histogram(row, np.linspace(0.0, 1.0, 11))[0] for row in found.states[:3, :, 0]])
    shares = mesh.get_array().reshape(10, 4)
    np.testing.assert_allclose(shares[:, :3], (counts / counts.max(axis=1, keepdims=True)).T)
    assert not shares[:, 3].any()  # all have diverged
    mean, low, high = (line.get_ydata() for line in axes.lines)
    np.testing.assert_allclose(mean[:3], np.mean(found.states[:3, :, 0], axis=1))
    np.testing.assert_array_equal([low, high], found.quantiles[:, [0, 4], 0].T)
    bands = {(float(band.get_x()), float(band.get_x() + band.get_width())): band.get_label() for band in axes.patches}
    assert bands[0.5, 1.0].startswith("modes")
    assert set(bands) == {(0.5, 1.0), (1.0, 1.5), (1.5, 2.5)}


def test_a_way_back_has_a_colour_of_its_own():
    found = continued([0.25, 0.5, 0.75, 0.75, 0.5, 0.25])
    axes = found.plot()
    check_axes(axes)
    assert colors(axes) == {order_color("forward").upper(), order_color("backward").upper()}
    rising, falling = (line for line in axes.lines if "mean" in line.get_label())
    assert rising.get_xdata().tolist() == [0.25, 0.5, 0.75]
    assert falling.get_xdata().tolist() == [0.5, 0.25]
    assert rising.get_ydata()[2] == found.mean[3, 0]  # the last visit of a value that is visited twice
    assert continued(np.geomspace(0.01, 1.0, 5)).plot().get_xscale() == "log"


def logistic_map(x, draw, params, out):
    out[0] = params[0] * x[0] * (1.0 - x[0])


def test_a_law_that_is_about_to_diverge_leaves_room_for_the_others():
    found = continued([0.5, 1.0, 1.5, 2.5])
    wild = ito.continuation(ito.gallery.two_point_quadratic, [0.5, 1.0, 2.5], x0=[0.5], n_steps=60, seed=1)
    assert np.ptp(wild.states[2]) > 1e6
    for result in (found, wild):
        low, high = result.plot().get_ylim()
        assert -2.0 < low < 0.0
        assert 1.0 < high < 3.0
    assert wild.plot(limits=(-1e9, 1e9)).get_ylim() == (-1e9, 1e9)
    # A third of these laws are points, to rounding, which say nothing of what is wide.
    values, starts = np.linspace(2.5, 3.9, 14), np.linspace(0.1, 0.9, 400)[:, None]
    options: dict = {"x0": starts, "n_steps": 2000, "n_replicas": 400, "seed": 0}
    ways = ito.continuation(lambda r: ito.CustomMaps(logistic_map, dim=1, params=(r,)), values, **options)
    low, high = ways.plot().get_ylim()
    assert low < np.nanmin(ways.states)
    assert np.nanmax(ways.states) < high
    # Beyond h = 0.6 the second moment is infinite, and a few states carry the mean; more than half of the laws are so.
    heavy = ito.continuation(
        lambda h: ito.GaussianRegressionSGD([1.0], 1.0, h), np.linspace(0.1, 3.0, 16), x0=[0.3], n_steps=500, seed=0
    ).plot()
    assert max(np.abs(heavy.get_ylim())) < 100.0
    mean, low, high = (line.get_ydata() for line in heavy.lines)
    assert np.isnan(mean).any()
    assert ((low <= mean) & (mean <= high))[np.isfinite(mean)].all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coordinate": 1}, r"coordinate is 1: give an integer in \[0, 0\]"),
        ({"limits": (1.0, 0.0)}, r"limits is \(1.0, 0.0\): give two numbers, the lower first"),
        ({"bins": 0}, "bins is 0"),
    ],
)
def test_what_is_no_bifurcation_diagram_is_told(options, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        continued([0.5]).plot(**options)


def test_without_a_finite_state_there_is_no_diagram():
    gone = ito.continuation(ito.gallery.two_point_quadratic, [2.5], x0=[0.5], n_steps=3000, n_replicas=2, seed=1)
    with pytest.raises(ito.InvalidInputError, match="every replica has diverged at every value"):
        gone.plot()


# ---------------------------------------------------------------------------------------------- attractors, animations


def test_an_attractor_is_a_density_with_square_cells():
    axes = ito.plot.attractor(ito.gallery.barnsley_fern(), 20_000, seed=2)
    check_axes(axes)
    assert axes.get_aspect() == 1.0
    mesh = axes.collections[0]
    assert mesh.get_array().sum() == 20_000
    width, height = np.ptp(mesh.get_coordinates().reshape(-1, 2), axis=0)
    rows, columns = mesh.get_array().shape
    assert width / columns == pytest.approx(height / rows, rel=1.0 / min(rows, columns))
    points = ito.plot.attractor(ito.gallery.sierpinski(), 1000, kind="points").collections[0].get_offsets()
    assert len(points) == 1000
    # Every point of the triangle is above its base and below both sides.
    assert (points[:, 1] >= 0.0).all()
    assert (points[:, 1] <= math.sqrt(3) * np.minimum(points[:, 0], 1 - points[:, 0]) + 1e-12).all()


def test_an_attractor_on_the_line_is_a_histogram_beside_its_law():
    axes = ito.plot.attractor(AR1, 3000)
    check_axes(axes)
    assert len(axes.patches) == 2


def test_coordinates_of_an_attractor_are_two_different_ones():
    maps = ito.GaussianRegressionSGD([1.0, 0.5, 0.2], 0.3, 0.2)
    axes = ito.plot.attractor(maps, 2000, coordinates=(2, 0))
    assert axes.get_xlabel() == "$x$, coordinate 2"
    for wrong in ((1, 1), (0,)):
        with pytest.raises(ito.InvalidInputError, match="give two different ones"):
            ito.plot.attractor(maps, 2000, coordinates=wrong)


class Films:
    """Where the axes stand in each frame, and their labels."""

    def __init__(self, monkeypatch):
        self.places: list[tuple[float, ...]] = []
        self.labels: set[tuple[str, str]] = set()
        grab = animation._writer

        def watched(path, fps):
            writer = grab(path, fps)
            write = writer.grab_frame

            def grab_frame(**options):
                write(**options)
                (axes,) = writer.fig.axes
                self.places.append(axes.get_window_extent().bounds)
                self.labels.add((axes.get_xlabel(), axes.get_ylabel()))

            writer.grab_frame = grab_frame
            return writer

        monkeypatch.setattr(animation, "_writer", watched)


@pytest.mark.parametrize("order", ["forward", "backward", ito.Window(width=5), ito.Window(start=105)])
@pytest.mark.parametrize("maps", [AR1, ito.gallery.sierpinski(), ito.gallery.barnsley_fern()])
def test_axes_of_a_film_stand_still(maps, order, tmp_path, monkeypatch):
    films = Films(monkeypatch)
    trajectory = run(maps, order, replicas=50, save_steps=[0, 1, 9, 10, 99, 100], steps=100)
    ito.plot.animate(trajectory, tmp_path / "a.gif")
    assert len(films.places) == 6
    assert len(set(films.places)) == 1


def test_films_and_attractors_have_the_names_of_columns(tmp_path, monkeypatch):
    pandas = pytest.importorskip("pandas")
    features = np.random.default_rng(0).normal(size=(30, 2))
    table = pandas.DataFrame(features, columns=["age", "dose"])
    maps = ito.LinearRegressionSGD(table, features.sum(axis=1), 0.1, ridge=0.1)
    films = Films(monkeypatch)
    ito.plot.animate(run(maps, replicas=20, steps=2), tmp_path / "a.gif")
    assert films.labels == {("$X_n$, age", "$X_n$, dose")}
    assert ito.plot.attractor(maps, 5000).get_ylabel() == "$x$, dose"


def test_the_scale_of_a_density_says_how_many_points_there_are():
    axes = ito.plot.attractor(ito.gallery.sierpinski(), 4000, colorbar=True)
    picture, bar = axes.figure.axes
    assert picture is axes
    assert axes.get_aspect() == 1.0
    assert bar.get_ylabel() == "points in a cell, of 4,000"
    assert len(ito.plot.attractor(ito.gallery.sierpinski(), 4000).figure.axes) == 1


def test_an_attractor_of_maps_that_may_not_contract_warns_and_says_what_is_missing():
    still = ito.AffineMaps([np.eye(2)], [[1.0, 0.0]])
    with pytest.warns(RuntimeWarning, match="one map stretches by 1, and the Lyapunov exponent is 0"):
        ito.plot.attractor(still, 2000, burn_in=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # on average, without a bound of each map
        ito.plot.attractor(ito.GaussianRegressionSGD([1.0, 0.5], 0.3, 0.2), 2000)
    growing = ito.AffineMaps([2.0 * np.eye(2)], [[1.0, 0.0]])
    with pytest.raises(ito.DivergenceError, match=r"all 2000 paths .* of which burn_in are 3000"):
        ito.plot.attractor(growing, 2000, burn_in=3000)
    with pytest.raises(ito.InvalidInputError, match="lower n_points"):
        ito.plot.attractor(still, 2**40)


@pytest.mark.parametrize("maps", [AR1, ito.gallery.sierpinski()])
def test_an_animation_has_a_frame_for_each_saved_step(maps, tmp_path):
    shares = []
    path = ito.plot.animate(run(maps, replicas=50, steps=6), tmp_path / "a.gif", every=2, progress=shares.append)
    with Image.open(path) as film:
        assert film.n_frames == 4
        first = film.convert("RGB").tobytes()
        film.seek(3)
        assert film.convert("RGB").tobytes() != first
    assert shares[-1] == 1.0
    assert list(tmp_path.iterdir()) == [path]


def test_an_animation_that_fails_leaves_nothing(tmp_path, monkeypatch):
    with pytest.raises(ito.InvalidInputError, match=r"give a name that ends in \.gif or \.mp4"):
        ito.plot.animate(run(), tmp_path / "a.avi")
    with pytest.raises(ito.InvalidInputError, match="one saved step"):
        ito.plot.animate(run(save_steps=None), tmp_path / "a.gif")
    with pytest.raises(ito.InvalidInputError, match="which is no folder"):
        ito.plot.animate(run(), tmp_path / "nowhere" / "a.gif")
    with pytest.raises(ito.InvalidInputError, match="trajectory is an int"):
        ito.plot.animate(3, tmp_path / "a.gif")
    monkeypatch.setitem(matplotlib.rcParams, "animation.ffmpeg_path", str(tmp_path / "none"))
    with pytest.raises(ito.BackendUnavailableError, match=r"set matplotlib.rcParams\['animation.ffmpeg_path'\]"):
        ito.plot.animate(run(), tmp_path / "a.mp4")

    def stop(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ito.plot.animate(run(), tmp_path / "a.gif", progress=stop)
    assert list(tmp_path.iterdir()) == []


#: In place of ffmpeg: keeps what it is sent, or ends as ffmpeg does where it cannot write.
ENCODER = """#!{python}
import sys
if len(sys.argv) > 2:  # not asked whether it is there
    sent = sys.stdin.buffer.read()
    if {status} == 0:
        open(sys.argv[-1], "wb").write(b"%d" % len(sent))
    sys.exit({status})
"""


@pytest.mark.parametrize("status", [0, 254])
def test_films_are_sent_to_the_encoder_that_matplotlib_is_told(status, tmp_path, monkeypatch):
    """Frames of four bytes a dot; where the encoder fails nothing is left, and the error names the file."""
    encoder = tmp_path / "encoder"
    encoder.write_text(ENCODER.format(python=sys.executable, status=status))
    encoder.chmod(0o755)
    monkeypatch.setitem(matplotlib.rcParams, "animation.ffmpeg_path", str(encoder))
    film, before = tmp_path / "a.mp4", set(tmp_path.iterdir())
    if status:
        with pytest.raises(ito.NotWrittenError, match=r"a\.mp4 cannot be written: ffmpeg ended with status 254"):
            ito.plot.animate(run(), film)
        assert set(tmp_path.iterdir()) == before
        return
    trajectory = run()
    ito.plot.animate(trajectory, film)
    width, height = (round(inches * animation.RESOLUTION) for inches in (4.0, 3.4))
    assert int(film.read_bytes()) == 4 * width * height * len(trajectory.save_steps)
    assert set(tmp_path.iterdir()) == {*before, film}


def test_every_order_and_role_has_a_colour_of_its_own():
    assert len(set(ORDER_COLORS.values())) == len(ORDER_COLORS)


def test_importing_the_package_imports_no_matplotlib():
    import subprocess
    import sys

    code = "import sys, iterorder as ito; dir(ito.plot); print('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
