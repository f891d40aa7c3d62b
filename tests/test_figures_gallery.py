"""The plotted numbers of the gallery against exact laws and rates: those in figures/, and a part drawn afresh."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

import iterorder

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

pytest.importorskip("sklearn")

import _gallery as gallery  # noqa: E402
import figure_gallery  # noqa: E402

SYSTEMS = {system.name: system for system in gallery.systems()}
LINE = [name for name, system in SYSTEMS.items() if system.cdf is not None]
PLANE = [name for name, system in SYSTEMS.items() if system.directions is not None]
#: Exact means E‖Xₙ − Yₙ‖ = d·rate^n, and the rates.
EQUALITIES = {
    "two_point_quadratic": math.log(1 / 3),
    "bernoulli_convolution": -0.5 * math.log(2),
    "ar1": math.log(0.8),
    "arcsine": -math.log(2),
    "vervaat": -math.log(2),
    "sierpinski": -math.log(2),
}
#: Probability 7·10⁻⁶ each under a normal law; of Pearson's statistic the same level.
Z, LEVEL = 4.5, 7e-6
#: The sidecars keep six significant digits.
DIGITS = 1e-5


def sidecar(name: str) -> dict:
    return json.loads((ROOT / "figures" / f"gallery_{name}.json").read_text(encoding="utf-8"))


def test_every_section_has_its_figure_and_every_figure_its_section():
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    drawn = {path.stem.removeprefix("gallery_") for path in (ROOT / "figures").glob("gallery_*.png")}
    assert drawn == set(SYSTEMS)
    assert all(f"figures/gallery_{name}.png" in page for name in SYSTEMS)


@pytest.mark.parametrize("name", SYSTEMS)
def test_files_are_small_and_say_how_they_were_made(name):
    assert (ROOT / "figures" / f"gallery_{name}.png").stat().st_size < 200_000
    record = sidecar(name)
    assert record["figure"] == f"gallery_{name}"
    assert {"effort", "samples", "made", "coupled", "x0", "y0"} <= record["parameters"].keys()


def misfit(counts: np.ndarray, probabilities: np.ndarray) -> float:
    """Pearson's statistic over its allowed value; bins that expect less than ten are put together."""
    expected = counts.sum() * probabilities / probabilities.sum()
    rare = expected < 10
    counts, expected = (np.append(x[~rare], x[rare].sum()) for x in (counts, expected))
    seen = expected > 0
    statistic = ((counts[seen] - expected[seen]) ** 2 / expected[seen]).sum()
    return float(statistic / chi2.ppf(1 - LEVEL, max(int(seen.sum()) - 1, 1)))


@pytest.mark.parametrize("name", LINE)
def test_samples_have_the_exact_law(name):
    law, system = sidecar(name)["data"]["law"], SYSTEMS[name]
    edges, counts = np.array(law["edges"]), np.array(law["counts"])
    probabilities = np.diff(system.cdf(edges))
    if name == "two_point_quadratic":  # an interval of the Cantor set ends on an edge: within rounding of either bin
        counts, probabilities = (x.reshape(3, -1).sum(axis=1) for x in (counts, probabilities))
    # Of points in the bins: less than one in a thousand is beyond the edges.
    assert counts.sum() >= 0.999 * sidecar(name)["parameters"]["samples"]
    assert misfit(counts, probabilities) < 1
    tilted = probabilities * np.linspace(0.8, 1.2, len(probabilities))
    assert misfit(counts, tilted) > 1


@pytest.mark.parametrize("name", PLANE)
def test_clouds_have_the_exact_moments(name):
    law, count = sidecar(name)["data"]["law"], sidecar(name)["parameters"]["samples"]
    mean, covariance = np.array(law["exact_mean"]), np.array(law["exact_covariance"])
    error = np.sqrt(np.diag(covariance) / count)
    assert (np.abs(np.array(law["mean"]) - mean) < Z * error).all()
    assert not (np.abs(np.array(law["mean"]) - mean - 0.05 * np.sqrt(np.diag(covariance))) < Z * error).any()
    ratio = np.trace(law["covariance"]) / np.trace(covariance)
    # The variance of a square is at most some times that of a normal one; a tenth off is far outside.
    assert ratio == pytest.approx(1.0, abs=Z * math.sqrt(8 / count))


@pytest.mark.parametrize("name", EQUALITIES)
def test_fitted_rates_are_the_exact_ones(name):
    fit = sidecar(name)["data"]["fit"]
    assert fit["rate"] == pytest.approx(EQUALITIES[name], abs=Z * fit["standard_error"] + DIGITS)
    assert fit["rate"] != pytest.approx(1.2 * EQUALITIES[name], abs=Z * fit["standard_error"] + DIGITS)


def test_typical_paths_decay_with_the_lyapunov_exponent():
    for name, exponent in (("vervaat", -1.0), ("arcsine", -1.0), ("gaussian_regression", -0.416992)):
        coupling = sidecar(name)["data"]["coupling"]
        n, median = np.array(coupling["steps"]), np.array(coupling["median"])
        some = (n >= 5) & (median > 1e-12)
        slope = np.polyfit(n[some], np.log(median[some]), 1)[0]
        # A median of 2000 sums of logarithms of standard deviation near one.
        assert slope == pytest.approx(exponent, rel=0.03), name
        assert slope != pytest.approx(-math.log(2), rel=0.03), name


def test_bounds_lie_above_what_they_bound():
    for name in ("barnsley_fern", "double_well", "least_squares"):
        data = sidecar(name)["data"]
        n = np.array(data["coupling"]["steps"])
        trusted = n <= data["fit"]["last"]
        mean, bound = (np.array(data["coupling"][key])[trusted] for key in ("mean", "known_mean"))
        assert (mean <= bound * (1 + 1e-9)).all(), name


def test_the_slow_walk_decays_like_one_over_n_and_the_cyclic_one_not_at_all():
    coupling = sidecar("reflected_walk")["data"]["coupling"]
    n, mean = np.array(coupling["steps"]), np.array(coupling["mean"])
    count = sidecar("reflected_walk")["parameters"]["coupled"]
    # Beta(1, n) has a standard deviation below its mean.
    assert (np.abs(mean * (n + 1) - 1) < Z / math.sqrt(count)).all()
    assert min(sidecar("cyclic_walk")["data"]["coupling"]["low"]) == 1.0


def test_the_interval_of_the_double_well_is_invariant_and_contracting():
    (low, high), contraction = gallery.well_interval()
    maps = SYSTEMS["double_well"].maps
    x = np.linspace(low, high, 1001)[:, None]
    rounding = 8 * np.finfo(float).eps
    for draw in (0, 1):
        images = maps.apply(x, draw)[:, 0]
        assert images.min() >= low - rounding
        assert images.max() <= high + rounding
        assert (np.abs(np.diff(images)) <= contraction * np.diff(x[:, 0]) + rounding).all()
    assert contraction < 0.87


def test_tail_has_its_index():
    law = sidecar("gaussian_regression")["data"]["law"]
    t, share = np.log(law["t"]), np.log(law["share"])
    some = (share < math.log(3e-2)) & (share > math.log(1e-3))
    slope = -np.polyfit(t[some], share[some], 1)[0]
    # Fifty to fifteen hundred of 50,000 points.
    assert slope == pytest.approx(law["kappa"], rel=0.15)
    assert law["kappa"] == pytest.approx(1.0908, abs=5e-5)


def test_the_script_draws_what_is_committed(tmp_path):
    system = SYSTEMS["two_point_quadratic"]
    files = figure_gallery.draw_system(system, figure_gallery.measure(system, "quick"), "quick", tmp_path)
    drawn = json.loads(files[2].read_text(encoding="utf-8"))
    assert drawn["version"] == iterorder.__version__
    recorded = sidecar("two_point_quadratic")["data"]
    assert drawn["data"]["law"]["counts"] == recorded["law"]["counts"]
    for order in ("forward", "backward"):
        np.testing.assert_allclose(drawn["data"]["path"][order], recorded["path"][order], rtol=DIGITS, atol=1e-12)
