"""The plotted numbers of the figures against the theory: limit_law, real_data, cyclic, risk, and those of C7 to C20.

The sidecars are those in figures/, so that what is tested is what is shown; parts that are cheap are also drawn afresh.
Every statistical test allows a z of `Z` (probability 7·10⁻⁶ each under a normal law) and has a wrong target near the
right one that it must reject.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import iterorder
from iterorder.theory.families import analyse

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import figure_cyclic as cyclic  # noqa: E402
import figure_limit_law as limit_law  # noqa: E402
import figure_losses as losses  # noqa: E402
import figure_real_data as real_data  # noqa: E402
import figure_risk as risk  # noqa: E402

NAMES = (
    "limit_law",
    "real_data",
    "cyclic",
    "risk",
    "stability",
    "order_of_steps",
    "slow_and_never",
    "restrained",
    "losses",
)
Z = 4.5
#: Of the band around an empirical distribution function, in tests.
LEVEL = 1e-6
#: The sidecars keep six significant digits.
DIGITS = 1e-5


def sidecar(name: str) -> dict:
    return json.loads((ROOT / "figures" / f"{name}.json").read_text(encoding="utf-8"))


def numbers(name: str, part: str | None = None) -> dict:
    data = sidecar(name)["data"]
    return data if part is None else data[part]


def agree(value, error, target) -> np.ndarray:
    return np.abs(np.asarray(value) - target) <= Z * np.asarray(error)


# ---------------------------------------------------------------------------------------------------------- the files


@pytest.mark.parametrize("name", NAMES)
def test_files_are_complete_small_and_portable(name):
    for suffix, limit in (("png", 400), ("pdf", 500), ("json", 300)):
        content = (ROOT / "figures" / f"{name}.{suffix}").read_bytes()
        assert 0 < len(content) < 1000 * limit
        assert str(ROOT).encode() not in content
    with Image.open(ROOT / "figures" / f"{name}.png") as image:
        assert image.width > 1000
    record = sidecar(name)
    assert record["figure"] == name
    assert isinstance(record["version"], str)
    assert isinstance(record["seed"], int)
    assert record["parameters"]["effort"] in ("quick", "full")


def test_a_script_draws_what_is_committed(tmp_path):
    files = cyclic.draw("quick", tmp_path)
    assert [file.suffix for file in files] == [".png", ".pdf", ".json"]
    drawn = json.loads(files[2].read_text(encoding="utf-8"))
    assert drawn["version"] == iterorder.__version__
    for name, values in numbers("cyclic").items():
        # Distances near rounding depend on the machine.
        np.testing.assert_allclose(drawn["data"][name], values, rtol=DIGITS, atol=1e-12, err_msg=name)


# ----------------------------------------------------------------------------------------------------------- limit law


def histogram_distance(part: dict, cdf) -> float:
    """Sup |F_R − F| over the edges of the bins: at most the one over all points, which the band bounds."""
    counts = np.array(part["counts"])
    empirical = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
    return float(np.abs(empirical - cdf(np.array(part["edges"]))).max())


@pytest.mark.parametrize("law", limit_law.line_laws(), ids=lambda law: law.name)
def test_histograms_of_backward_limits_have_the_exact_law(law):
    part, replicas = numbers("limit_law", law.name), sidecar("limit_law")["parameters"]["n_replicas"]
    assert sum(part["counts"]) == replicas  # no limit outside [0, 1]
    band = limit_law.dkw_band(replicas, LEVEL)
    assert histogram_distance(part, law.cdf) <= part["kolmogorov_distance"] + DIGITS
    assert part["kolmogorov_distance"] < band
    assert histogram_distance(part, lambda x: law.cdf(x) ** 1.03) > band


@pytest.mark.parametrize("law", limit_law.line_laws(), ids=lambda law: law.name)
def test_fresh_limits_pass_and_the_other_law_fails(law):
    replicas = 20_000
    sample = limit_law.backward_limits(law.maps, limit_law.STEPS["line"], replicas)[:, 0]
    other = next(x for x in limit_law.line_laws() if x.name != law.name)
    band = limit_law.dkw_band(replicas, LEVEL)
    assert limit_law.kolmogorov_distance(sample, law.cdf) < band < limit_law.kolmogorov_distance(sample, other.cdf)


def test_cantor_cdf_is_self_similar():
    # Dyadic points: x/3 is one rounding away, and the staircase is Hölder of order log 2/log 3.
    x = np.arange(0, 257) / 256
    rounding = np.finfo(float).eps ** (np.log(2) / np.log(3))
    assert np.abs(limit_law.cantor_cdf(x / 3) - limit_law.cantor_cdf(x) / 2).max() < rounding
    assert np.abs(limit_law.cantor_cdf((x + 2) / 3) - (1 + limit_law.cantor_cdf(x)) / 2).max() < 2 * rounding
    assert np.abs(limit_law.cantor_cdf(1 - x) + limit_law.cantor_cdf(x) - 1).max() < 2 * rounding


def test_staircase_corners_lie_on_the_cantor_cdf():
    corners, heights = limit_law.staircase(limit_law.STAIRCASE_LEVEL)
    # Each corner is rounded a few times; the power turns that into an error of the height.
    rounding = (limit_law.STAIRCASE_LEVEL * np.finfo(float).eps) ** (np.log(2) / np.log(3))
    assert np.abs(limit_law.cantor_cdf(corners) - heights).max() < rounding


@pytest.mark.parametrize(
    ("name", "mean", "covariance"),
    [
        ("sierpinski", [0.5, np.sqrt(0.75) / 3], np.eye(2) / 18),
        ("fern", [0.796833, 6.167579], [[1.436309, 1.297832], [1.297832, 6.249628]]),
    ],
)
def test_plane_laws_have_the_exact_moments(name, mean, covariance):
    part, replicas = numbers("limit_law", name), sidecar("limit_law")["parameters"]["n_replicas"]
    assert sum(part["counts"]) == replicas
    np.testing.assert_allclose(part["exact_mean"], mean, rtol=DIGITS)
    np.testing.assert_allclose(part["exact_covariance"], covariance, rtol=DIGITS, atol=1e-12)
    errors = np.sqrt(np.diag(covariance) / replicas)
    assert agree(part["mean"], errors, mean).all()
    assert not agree(part["mean"], errors, 1.02 * np.array(mean)).any()
    value, error = part["covariance_trace_and_error"]
    assert agree(value, error, np.trace(covariance))
    assert not agree(value, error, 1.03 * np.trace(covariance))


def test_sierpinski_limits_avoid_the_middle_triangle():
    part = numbers("limit_law", "sierpinski")
    columns, rows = np.divmod(np.array(part["occupied"]), part["cells"][1])
    # Middles of cells in units of the grid; the open middle triangle is empty, less one cell at its edges.
    x, y = (columns + 0.5) / part["cells"][0], (rows + 0.5) / part["cells"][1]
    assert not ((y < 0.5 - 1 / 64) & (np.abs(x - 0.5) < y / 2 - 1 / 64)).any()


# ----------------------------------------------------------------------------------------------------------- real data


@pytest.fixture(scope="module")
def studies():
    return {study.name: study for study in real_data.studies()}


def test_diabetes_spread_is_the_exact_one(studies):
    study, spread = studies["diabetes"], numbers("real_data", "diabetes")["spread"]
    sizes = np.array(spread["step_sizes"])
    exact = [np.trace(real_data.exact_covariance(study.maps_at(h))) for h in sizes]
    assert agree(spread["spread"], spread["error"], exact).all()
    assert not agree(spread["spread"][-1], spread["error"][-1], spread["slope"] * sizes[-1])  # O(h) is not enough there
    limits, error = spread["backward_limits_spread_and_error"]
    target = np.trace(real_data.exact_covariance(study.maps_at(study.step_size)))
    assert agree(limits, error, target)
    assert not agree(limits, error, 1.3 * target)
    assert spread["mean_square_boundary"] == pytest.approx(0.143, abs=5e-4)


def test_breast_cancer_spread_tends_to_the_order_h_line(studies):
    spread = numbers("real_data", "breast_cancer")["spread"]
    ratio = np.array(spread["spread"]) / (spread["slope"] * np.array(spread["step_sizes"]))
    error = np.array(spread["error"]) / (spread["slope"] * np.array(spread["step_sizes"]))
    assert agree(ratio[0], error[0], 1.0)
    assert not agree(ratio[0], error[0], 1.25)
    # The remainder is O(h²): of the largest step sizes the ratio leaves one by less than a tenth.
    assert (np.abs(ratio - 1.0) < 0.1 + Z * error).all()


@pytest.mark.parametrize("name", ["diabetes", "breast_cancer"])
def test_cloud_has_the_covariance_of_its_ellipse(name):
    part = numbers("real_data", name)
    limits, plane = np.array(part["limits"]), np.array(part["covariance_plane"])
    for axis in (0, 1):
        squares = limits[:, axis] ** 2
        error = squares.std() / np.sqrt(len(squares))
        assert agree(squares.mean(), error, plane[axis, axis])
        assert not agree(squares.mean(), error, 1.7 * plane[axis, axis])


@pytest.mark.parametrize("name", ["diabetes", "breast_cancer"])
def test_backward_paths_settle_and_forward_paths_move(name):
    part = numbers("real_data", name)
    backward, forward = (np.array(part[order])[:, -40:] for order in ("backward", "forward"))
    assert (np.ptp(backward, axis=1) < 0.2 * np.ptp(forward, axis=1)).all()
    deviations = np.sqrt(np.diag(part["covariance_plane"]))
    assert (np.ptp(backward, axis=1) < 0.3 * deviations).all()


# -------------------------------------------------------------------------------------------------------------- cyclic


def test_cycle_and_backward_point_are_fixed_by_the_maps():
    maps, data = cyclic.five_losses(), numbers("cyclic")
    cycle, point = np.array(data["cycle"]), np.array(data["backward_point"])
    for k in range(len(cycle)):
        np.testing.assert_allclose(maps.apply(cycle[k - 1], k), cycle[k], rtol=DIGITS, atol=DIGITS)
    inwards, outwards = point, point
    for k in range(len(cycle)):
        inwards, outwards = maps.apply(inwards, len(cycle) - 1 - k), maps.apply(outwards, k)
    np.testing.assert_allclose(inwards, point, rtol=DIGITS, atol=DIGITS)
    assert np.linalg.norm(outwards - point) > 0.1  # the other order has another fixed point
    assert np.linalg.norm(cycle - point, axis=1).min() > 0.1


def test_both_orders_reach_their_limits_at_the_rate_of_the_epoch():
    data = numbers("cyclic")
    epochs = np.arange(2, cyclic.EPOCHS + 1)
    for order in ("forward", "backward"):
        distance = np.array(data[f"distance_{order}"])[epochs * len(data["cycle"])]
        slope = np.polyfit(epochs, np.log(distance), 1)[0]
        # The second eigenvalue of the epoch's map bends the first epochs.
        assert slope == pytest.approx(np.log(data["rate_per_epoch"]), rel=0.02)
    assert min(data["distance_forward_to_point"][-20:]) > 0.1


# ---------------------------------------------------------------------------------------------------------------- risk


def linear_risk(weights: np.ndarray, bias: float) -> float:
    """E (bias + Σ w_t c_t)² for independent c_t of mean zero and variance one."""
    return bias**2 + float((weights**2).sum())


def expected_scalar_risks(n: int) -> dict[str, float]:
    """Closed forms for the scalar quadratic: every estimate is a weighted sum of the n drawn minimisers."""
    problem = risk.scalar_problem()
    h, start = problem.maps.step_size, float(problem.start[0])
    r, age = 1.0 - h, np.arange(n)
    forward = linear_risk(h * r**age, r**n * start)
    kept = np.arange(n // 2 + 1, n + 1)
    # Minimiser t enters X_k, k ≥ t, with weight h r^(k−t).
    ages = kept[:, None] - np.arange(1, n + 1)
    mean_weights = np.where(ages >= 0, h * r ** np.maximum(ages, 0), 0.0).mean(axis=0)
    sizes = h * (1.0 - age / n)
    later = np.append(np.cumprod((1.0 - sizes)[::-1])[::-1], 1.0)
    return {
        "backward": forward,
        "forward": forward,
        "average": linear_risk(mean_weights, (r**kept).mean() * start),
        "decay": linear_risk(sizes * later[1:], later[0] * start),
    }


@pytest.mark.parametrize("method", risk.METHODS)
def test_scalar_risks_are_the_closed_forms(method):
    data = numbers("risk", "scalar")
    targets = np.array([expected_scalar_risks(n)[method] for n in data["gradients"]])
    value, error = np.array(data[f"{method}_risk"]), np.array(data[f"{method}_error"])
    # After one step both minimisers give one of two values, and the normal approximation is good from a few on.
    assert agree(value, error, targets).all()
    assert not agree(value[-1], error[-1], 1.25 * targets[-1])


def test_both_orders_have_one_risk_and_the_baselines_do_better():
    data = numbers("risk", "scalar")
    at = data["gradients"].index(600)
    assert expected_scalar_risks(600)["backward"] == pytest.approx(0.3 / 1.7)
    assert expected_scalar_risks(600)["average"] == pytest.approx(0.0033, abs=5e-5)  # theory.md, C15
    for name in ("scalar", "diabetes"):
        part = numbers("risk", name)
        difference = np.subtract(part["backward_risk"], part["forward_risk"])
        error = np.add(part["backward_error"], part["forward_error"])  # they share their maps: the sum is a bound
        assert agree(difference, error, 0.0).all()
        for method in ("average", "decay"):
            assert part[f"{method}_risk"][-1] < 0.1 * part["backward_risk"][-1]
    assert data["average_risk"][at] < data["decay_risk"][at] < data["backward_risk"][at]


def test_diabetes_risk_of_both_orders_is_the_recursion_of_moments():
    part, problem = numbers("risk", "diabetes"), risk.diabetes_problem()
    exact = risk.exact_risk(problem, np.array(part["gradients"]))
    for order in ("backward", "forward"):
        value, error = np.array(part[f"{order}_risk"]), np.array(part[f"{order}_error"])
        assert agree(value, error, exact).all()
        assert not agree(value[-1], error[-1], 1.4 * exact[-1])


def test_exact_risk_tends_to_the_stationary_covariance():
    problem = risk.diabetes_problem()
    covariance = analyse(problem.maps, seed=0, effort="quick").covariance()
    limit = risk.exact_risk(problem, np.array([2**20]))[0]
    assert limit == pytest.approx(np.trace(problem.weight @ covariance), rel=1e-9)
    start = risk.exact_risk(problem, np.array([0]))[0]
    delta = problem.start - risk.minimizer(problem.maps)
    assert start == pytest.approx(delta @ problem.weight @ delta, rel=1e-12)


@pytest.mark.parametrize("make", [risk.scalar_problem, risk.diabetes_problem])
def test_decaying_step_sizes_are_the_maps_of_smaller_steps(make, monkeypatch):
    monkeypatch.setattr(risk, "CHUNK_DRAWS", 10)  # five steps of two replicas
    problem = replace(make(), counts=np.array([1, 3, 8]))
    replicas = 2
    states = risk.decayed_iterates(problem, replicas)
    for replica in range(replicas):
        for place, n in enumerate(problem.counts.tolist()):
            x = problem.start
            for k in range(n):
                maps = replace(problem.maps, step_size=problem.maps.step_size * (1 - k / n))
                x = maps.apply(x, maps.draw(risk.SEED, replica, k))
            np.testing.assert_allclose(states[replica, place], x, rtol=1e-12, atol=1e-14)


def test_tail_averages_are_means_of_the_forward_path(monkeypatch):
    monkeypatch.setattr(risk, "CHUNK_DRAWS", 600)  # 200 steps of three replicas
    problem = replace(risk.scalar_problem(), counts=np.array([1, 2, 180, 200, 201, 777]))
    last = int(problem.counts[-1])
    run = iterorder.simulate(problem.maps, problem.start, last, n_replicas=3, seed=risk.SEED, save_steps="all")
    means = [run.states[:, n // 2 + 1 : n + 1].mean(axis=1) for n in problem.counts.tolist()]
    # Sums of some hundred numbers of order one, in another order.
    bound = last * np.finfo(float).eps * np.abs(run.states).max()
    assert np.abs(risk.tail_averages(problem, 3) - np.stack(means, axis=1)).max() < bound


# --------------------------------------------------------------------------------------- stability, orders, slow, bits


def test_boundaries_meet_for_the_full_batch_and_tails_have_their_slope():
    data = numbers("stability")
    lower, upper = np.array(data["mean_square"]), np.array(data["almost_sure"])
    assert (lower[:-1] < upper[:-1]).all()
    assert lower[-1] == pytest.approx(upper[-1], rel=DIGITS)  # gradient descent: one map
    assert (np.diff(lower) > 0).all()
    for h in (1.0, 1.5):
        t, share = np.log(data[f"t_{h}"]), np.log(data[f"share_{h}"])
        some = (share < np.log(1e-2)) & (share > np.log(5e-4))
        slope = -np.polyfit(t[some], share[some], 1)[0]
        # Ten thousandths of 100,000 samples: the slope is known to some 3 %, and still curved by as much.
        assert slope == pytest.approx(data[f"kappa_{h}"], rel=0.15)
        assert slope != pytest.approx(2.0, rel=0.15)


def test_orders_of_steps_have_their_powers():
    data = numbers("order_of_steps")
    h = np.log(data["step_sizes"])[:5]
    for name, power in (("swapped", 2.0), ("without_bracket", 3.0), ("palindromes", 3.0)):
        assert np.polyfit(h, np.log(data[name])[:5], 1)[0] == pytest.approx(power, abs=0.05)
    for sampling in ("iid", "reshuffle"):
        exact = np.interp(
            np.log(data["simulated_step_sizes"]), np.log(data["step_sizes"]), np.log(data[f"variance_{sampling}"])
        )
        # A variance of 10,000 nearly normal values, read off between logarithmic grid points.
        np.testing.assert_allclose(np.log(data[f"simulated_{sampling}"]), exact, atol=Z * np.sqrt(2e-4) + 0.05)
    assert data["variance_reshuffle"][0] < 1e-3 * data["variance_iid"][0]


def test_gaps_are_those_of_the_beta_law():
    data = numbers("slow_and_never")
    n, gap = np.array(data["steps"]), np.array(data["gap"])
    # Beta(1, n) has a standard deviation below its mean; 20,000 replicas.
    assert (np.abs(gap * (n + 1) - 1) < Z / np.sqrt(20_000)).all()
    assert (np.abs(gap * (n + 2) - 1) > Z / np.sqrt(20_000)).any()
    walk = np.array(data["backward"])
    assert (np.diff(walk[-30:]) != 0).any()
    ends = np.array(data["wells"])[:, -1]
    assert set(np.sign(ends)) == {-1.0, 1.0}


def test_norms_settle_and_last_bits_grow_where_maps_expand():
    data = numbers("restrained")
    for name, values in data.items():
        if name.startswith(("small", "large")):
            assert values[-1] == pytest.approx(1.0, abs=1e-3), name
    for order in ("forward", "backward"):
        assert max(data[f"contracting_{order}"]) < 1e-14
        assert max(data[f"expanding_{order}"]) > 0.5


# --------------------------------------------------------------------------------------------------------------- losses


def test_bounded_losses_are_not_pulled_by_outliers():
    """The mean of the data lies a tenth of the distance of the outliers away; the median does not."""
    data = numbers("losses")
    medians = {name: float(np.median(data[f"law_{name}"])) for name in losses.NAMES}
    for name in losses.NAMES:
        slopes, loss = np.array(data[f"slope_{name}"]), iterorder.Loss.named(name)
        if loss.curvature_range[0] >= 0.0:
            assert (np.diff(slopes) >= 0.0).all()  # convex losses
        if loss.bounded:
            assert medians[name] < 0.5 < medians["squared"]


def test_the_figure_of_losses_names_each_that_has_a_residual():
    """A loss was added and the figure was not drawn again: scripts/make_figures.py losses."""
    data = numbers("losses")
    drawn = {name.partition("_")[2] for name in data if name.startswith(("law_", "slope_"))}
    assert drawn == set(losses.NAMES)
    assert {"squared", "huber"} <= drawn
