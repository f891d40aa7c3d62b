"""`continuation` along parameters whose laws, folds and exponents are known."""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pytest

import iterorder as ito
from iterorder.theory import growth

SEED = 20261128
FOLD = 2.0 / (3.0 * math.sqrt(3.0))


@pytest.fixture(autouse=True)
def short_runs(monkeypatch):
    """The least that exponents take: their signs, and values that do not depend on the path, are enough here."""
    for effort in ("brief", "quick"):
        monkeypatch.setitem(growth.WORK, effort, 2e7)


def ar1(a: float) -> ito.CustomMaps:
    return ito.gallery.ar1(a, 1.0)


def test_variance_of_ar1():
    """1/(1 − a²), to 3.9 standard errors √(2/n) of a normal law's variance; that of a 10 % larger is rejected."""
    n = 20_000
    found = ito.continuation(ar1, [0.0, 0.5, 0.9], x0=[0.0], n_steps=300, n_replicas=n, seed=SEED)
    ratio = found.standard_deviation[:, 0] ** 2 * (1.0 - found.values**2)
    assert (np.abs(ratio - 1.0) < 3.9 * np.sqrt(2.0 / n)).all()
    assert (np.abs(ratio * 1.1 - 1.0) > 3.9 * np.sqrt(2.0 / n)).all()
    assert (np.abs(found.mean[:, 0]) < 3.9 * found.standard_deviation[:, 0] / np.sqrt(n)).all()
    np.testing.assert_array_equal(found.quantiles[:, 2], np.median(found.states, axis=1))
    assert (found.sure_modes == 1).all()
    assert found.lyapunov_exponent[0].value == -math.inf
    for a, exponent in zip(found.values[1:], found.lyapunov_exponent[1:], strict=True):
        assert exponent.value == pytest.approx(math.log(a), rel=1e-12)  # differences of a map that is affine
    assert found.mean_square_stable == (None, None, None)
    assert "not known to be affine" in found.reasons[0]["mean_square_stable"]


def test_support_and_loss_of_two_points():
    """[0, 1] for h ≤ 1, two atoms at h = 1; at h = 2 mean squares and paths are lost together: |1 − h| = 1."""
    steps = [0.25, 0.5, 1.0, 1.5, 2.5]
    found = ito.continuation(ito.gallery.two_point_quadratic, steps, x0=[0.5], n_steps=2000, seed=SEED)
    assert ((found.states[:3] >= 0.0) & (found.states[:3] <= 1.0)).all()
    assert found.states[3].min() < 0.0
    assert found.sure_modes[:, 0].tolist() == [1, 1, 2, 1, 0]
    assert found.mean_square_stable == (True, True, True, True, False)
    assert found.lyapunov_exponent[4].value == pytest.approx(math.log(1.5))
    assert found.mean_square.tolist() == found.dynamical.tolist() == [[1.5, 2.5]]
    assert found.phenomenological.tolist() == [[0.5, 1.0], [1.0, 1.5]]
    assert found.diverged.tolist() == [0.0, 0.0, 0.0, 0.0, 1.0]
    assert np.isnan(found.mean[-1]).all()
    assert np.isnan(found.quantiles[-1]).all()
    assert found.least_modes[-1, 0] == 0


def test_mean_squares_are_lost_before_paths():
    """Least squares on fresh normal data: E(1 − hg²)² = 1 at h = 2/3, E log|1 − hg²| = 0 at h = 2.42."""
    steps = [0.6, 0.7, 2.4, 2.45]
    found = ito.continuation(
        lambda h: ito.GaussianRegressionSGD([1.0], 1.0, h), steps, x0=[0.0], n_steps=200, n_replicas=50, seed=SEED
    )
    assert found.mean_square.tolist() == [[0.6, 0.7]]
    assert found.dynamical.tolist() == [[2.4, 2.45]]


def test_an_exponent_that_may_be_zero_has_no_sign():
    found = ito.continuation(
        ito.gallery.two_point_quadratic, [0.5, 1.5, 2.5], x0=[0.5], n_steps=9, n_replicas=2, seed=0
    )
    low, _, high = found.lyapunov_exponent
    unsure = dataclasses.replace(found, lyapunov_exponent=(low, ito.Estimate.from_mean(0.1, 0.1), high))
    assert unsure.dynamical.tolist() == [[0.5, 2.5]]
    surer = dataclasses.replace(found, lyapunov_exponent=(low, ito.Estimate.from_mean(0.1, 0.01), high))
    assert surer.dynamical.tolist() == [[0.5, 1.5]]
    assert dataclasses.replace(found, lyapunov_exponent=(low, None, None)).dynamical.size == 0


def _pitchfork(x, draw, params, out):
    out[0] = x[0] + 0.05 * (params[0] * x[0] - x[0] * x[0] * x[0]) + 0.05 * draw[0]


def pitchfork(a: float) -> ito.CustomMaps:
    return ito.CustomMaps(_pitchfork, dim=1, noise="normal", params=(a,))


def test_additive_noise_destroys_a_pitchfork():
    """dx = (ax − x³)dt + noise: two modes, at ±√a, for a > 0, and a negative exponent for all a.

    Crauel and Flandoli (1998): a phenomenological bifurcation that is no dynamical one.
    """
    found = ito.continuation(pitchfork, [-1.0, 1.0], x0=[0.0], n_steps=2000, n_replicas=600, seed=SEED)
    assert found.least_modes[:, 0].tolist() == found.sure_modes[:, 0].tolist() == [1, 2]
    # Evidence goes on from what is sure, to modes that are smaller: here those of a = ¼.
    shallow = ito.continuation(pitchfork, [0.25], x0=[0.0], n_steps=2000, seed=SEED)
    assert (shallow.sure_modes[0, 0], shallow.least_modes[0, 0]) == (1, 2)
    assert found.quantiles[1, 1, 0] < -0.5
    assert found.quantiles[1, 3, 0] > 0.5
    assert all(exponent.high < 0.0 for exponent in found.lyapunov_exponent)
    assert found.phenomenological.tolist() == [[-1.0, 1.0]]
    assert found.dynamical.shape == (0, 2)


# -------------------------------------------------------------------------------------------------------- hysteresis


def _tilted(x, draw, params, out):
    out[0] = x[0] - 0.1 * (x[0] * x[0] * x[0] - x[0] - params[0] - params[1] * (2.0 * draw[0] - 1.0))


def test_a_saddle_and_a_node_meet_at_the_fold_on_both_ways():
    """x³ − x = s has its folds at s = ±2/(3√3); with a force of at most b, wells hold for |s| < fold − b.

    Beyond fold + b none is left in the well that is gone. Both are sure for every replica: no level.
    """
    force = 0.02
    rising = np.arange(-0.6, 0.61, 0.1)
    values = np.concatenate([rising, rising[::-1]])
    found = ito.continuation(
        lambda s: ito.CustomMaps(_tilted, dim=1, params=(s, force)), values, x0=[-1.0], n_steps=400, n_replicas=200,
        seed=SEED,
    )  # fmt: skip
    right = found.states[:, :, 0] > 0.0
    up, down = right[: len(rising)], right[len(rising) :]
    assert not up[rising < FOLD - force].any()
    assert up[rising > FOLD + force].all()
    assert down[rising[::-1] > -(FOLD - force)].all()
    assert not down[rising[::-1] < -(FOLD + force)].any()
    # The wrong target, paths that are not followed: there is one branch, and no way to tell up from down.
    fresh = ito.continuation(
        lambda s: ito.CustomMaps(_tilted, dim=1, params=(s, force)), [0.0, 0.6, 0.0], x0=[-1.0], n_steps=400,
        n_replicas=200, follow=False, seed=SEED,
    )  # fmt: skip
    assert (fresh.states[0] == fresh.states[2]).all()
    assert (fresh.states[0] < 0.0).all()


def test_the_double_well_of_two_tilts_forgets_its_side_above_the_fold():
    """All stay in their well up to the fold, half are in each after a visit far beyond it, and those stay there."""
    values = [0.2, 0.38, 1.5, 0.38, 0.2]
    found = ito.continuation(
        lambda s: ito.gallery.double_well(0.1, s), values, x0=[-1.0], n_steps=2000, n_replicas=400, seed=SEED
    )
    left = (found.states[:, :, 0] < 0.0).mean(axis=1)
    assert left[:2].tolist() == [1.0, 1.0]
    # Once it has passed the barrier often, either side is as likely: 3.9 standard errors of a share of 400.
    assert (np.abs(left[2:] - 0.5) < 3.9 * 0.5 / math.sqrt(400)).all()
    assert left[3] == left[4]
    assert found.sure_modes[:, 0].tolist()[0] == 1
    assert found.sure_modes[-1, 0] >= 2


# --------------------------------------------------------------------------------------------------- what is followed


def test_laws_are_followed_or_not():
    """By the bits of `simulate`: a run that goes on with the next noise, or one from x0 with the same."""
    starts = np.array([-1.0, 1.0])[:, None]
    run: dict = {"n_replicas": 2, "seed": SEED}
    first, second = (ito.gallery.double_well(0.1, tilt) for tilt in (0.2, 0.3))
    made = {0.2: first, 0.3: second}
    followed = ito.continuation(made.get, [0.2, 0.3], x0=starts, n_steps=50, **run)
    fresh = ito.continuation(made.get, [0.2, 0.3], x0=starts, n_steps=50, follow=False, **run)
    begun = ito.simulate(first, starts, 50, **run).states[:, 0]
    gone_on = ito.simulate(second, begun, 50, first_step=50, **run).states[:, 0]
    assert (followed.states == np.stack([begun, gone_on])).all()
    assert (fresh.states == np.stack([begun, ito.simulate(second, starts, 50, **run).states[:, 0]])).all()
    # One value twice is one run of twice as many steps; with the same noise again it would be another.
    twice = ito.continuation(made.get, [0.2, 0.2], x0=starts, n_steps=50, **run)
    assert (twice.states[1] == ito.simulate(first, starts, 100, **run).states[:, 0]).all()
    assert (twice.states[1] != ito.simulate(first, begun, 50, **run).states[:, 0]).any()


def test_replicas_that_diverged_begin_again():
    maps = ito.gallery.two_point_quadratic
    found = ito.continuation(maps, [0.5, 2.5, 0.5], x0=[0.25], n_steps=1800, n_replicas=3, seed=SEED)
    assert found.diverged.tolist() == [0.0, 1.0, 0.0]
    again = ito.simulate(maps(0.5), [0.25], 1800, n_replicas=3, first_step=3600, seed=SEED)
    assert (found.states[2] == again.states[:, 0]).all()


def test_a_share_of_the_replicas_diverges():
    starts = np.where(np.arange(200) < 150, 0.1, 50.0)[:, None]
    found = ito.continuation(
        lambda s: ito.gallery.double_well(0.5, s), [0.1], x0=starts, n_steps=50, n_replicas=200, seed=SEED
    )
    assert found.diverged.tolist() == [0.25]
    kept = found.states[0, :150, 0]
    assert found.mean[0, 0] == kept.mean()
    assert found.quantiles[0, 2, 0] == np.median(kept)
    assert found.lyapunov_exponent[0] is not None


def _two_slopes(x, draw, params, out):
    out[0] = 0.1 * draw[0] - 1.0 + params[0] * (x[0] + 1.0) if x[0] < 0.0 else 0.1 * draw[0] + 1.0 + 0.25 * (x[0] - 1.0)


def test_the_exponent_is_that_of_the_law_that_is_followed():
    """Contraction by a half on the left, by a quarter on the right; the theory starts on both, and has no number."""
    maps = ito.CustomMaps(_two_slopes, dim=1, params=(0.5,))
    assert ito.theory(maps).lyapunov_exponent is None
    for side, slope in ((-1.0, 0.5), (1.0, 0.25)):
        found = ito.continuation(lambda _: maps, [0.0], x0=[side], n_steps=100, n_replicas=100, seed=SEED)
        assert found.lyapunov_exponent[0].value == pytest.approx(math.log(slope), abs=1e-6)
        assert found.reasons[0].keys() == {"mean_square_stable"}
    # Starts of two kinds one after the other, of which the first alone would be one law.
    both = np.repeat([-1.0, 1.0], 500)[:, None]
    found = ito.continuation(lambda _: maps, [0.0], x0=both, n_steps=100, seed=SEED)
    assert found.lyapunov_exponent == (None,)
    assert "several stationary laws" in found.reasons[0]["lyapunov_exponent"]


def test_modes_of_replicas_that_have_met():
    """A common minimum: what is left are roundings, and the law is one point."""
    maps = ito.QuadraticSGD([1.0, 2.0], [1 / 3, 1 / 3], 0.3)
    found = ito.continuation(
        lambda _: maps, [0.0], x0=np.linspace(-1, 1, 50)[:, None], n_steps=500, n_replicas=50, seed=0
    )
    assert found.sure_modes.tolist() == found.least_modes.tolist() == [[1]]


# ------------------------------------------------------------------------------------------------ shown and exported


@pytest.fixture(scope="module")
def plane():
    """Sierpinski's maps with a contraction that changes, up and down again."""

    def maps(r: float) -> ito.AffineMaps:
        return ito.AffineMaps(np.tile(r * np.eye(2), (3, 1, 1)), [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])

    return ito.continuation(maps, [0.2, 0.5, 1.5, 0.5], x0=[0.0, 0.0], n_steps=60, n_replicas=100, seed=SEED)


def test_a_result_is_one_line_and_a_table(plane):
    text = repr(plane)
    assert text.startswith("Continuation(values=4 in 0.2…1.5, states=<shape 4×100×2>, follow=True, n_steps=60, ")
    assert "dynamical=0.5…1.5, 1.5…0.5" in text
    assert "mean_square=0.5…1.5, 1.5…0.5" in text
    assert "\n" not in text
    assert "<table>" in plane._repr_html_()
    with pytest.raises(ValueError, match="read-only"):
        plane.states[0] = 0.0


def test_tables_hold_the_numbers(plane):
    pytest.importorskip("pandas")
    pytest.importorskip("xarray")
    table = plane.to_dataframe(names=["east", "north"])
    assert table.loc[(1, "north"), "mean"] == plane.mean[1, 1]
    assert table.loc[(3, "east"), "quantile 0.95"] == plane.quantiles[3, 4, 0]
    assert table["value"].tolist() == np.repeat(plane.values, 2).tolist()
    assert table["mean_square_stable"].tolist() == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]
    data = plane.to_xarray()
    assert (data.states.values == plane.states).all()
    assert float(data.quantiles.sel(visit=1, probability=0.5, dim=0)) == plane.quantiles[1, 2, 0]
    assert data.lyapunov_exponent.values.tolist() == [exponent.value for exponent in plane.lyapunov_exponent]
    assert data.attrs["seed"] == str(SEED)
    assert data.attrs["family"] == "AffineMaps"


def test_progress_goes_from_the_states_to_the_end():
    shares: list[float] = []
    ito.continuation(ar1, [0.1, 0.5], x0=[0.0], n_steps=3, n_replicas=2, seed=0, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert 0.5 in shares


def dimension_two_above(a: float) -> ito.RandomMaps:
    return ito.gallery.sierpinski() if a > 0.4 else ito.gallery.arcsine()


def reshuffled(_: float) -> ito.RandomMaps:
    return ito.QuadraticSGD([1.0, 2.0], [0.0, 1.0], 0.1, sampling="reshuffle")


def scheduled(_: float) -> ito.RandomMaps:
    return ito.Optimizer(ito.QuadraticSGD([1.0, 2.0], [0.0, 1.0], 0.1), schedule=[0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"values": []}, "values is empty"),
        ({"values": [0.1, np.nan]}, r"values\[1\] is nan"),
        ({"level": 2.0}, "level is 2.0"),
        ({"n_replicas": 1}, "n_replicas is 1"),
        ({"n_steps": 0}, "n_steps is 0"),
        ({"x0": [0.0, 1.0]}, "x0 has shape"),
        ({"quantiles": [0.5, 1.5]}, r"quantiles is \[0\.5, 1\.5\]: give probabilities"),
        ({"make_maps": dimension_two_above}, "dimension 2 for the parameter 0.5, and of dimension 1 for 0.1"),
        ({"make_maps": reshuffled}, "n_steps is 3, and an epoch has 2 steps"),
        ({"make_maps": scheduled}, "step size changes with the step"),
        ({"make_maps": lambda a: a}, "make_maps returns a float for the parameter 0.1"),
        ({"make_maps": lambda: None}, "give a function of the parameter"),
        ({"progress": 3}, "progress is 3"),
    ],
)
def test_errors(arguments, words):
    given = {"make_maps": ar1, "values": [0.1, 0.5], "x0": [0.0], "n_steps": 3, "seed": 0}
    given |= arguments
    with pytest.raises(ito.InvalidInputError, match=words):
        ito.continuation(given.pop("make_maps"), given.pop("values"), **given)


def test_a_saved_continuation_comes_back(tmp_path):
    """Maps of the gallery with it; those of a user are None."""
    found = ito.continuation(ito.gallery.two_point_quadratic, [0.5, 0.8, 2.5], x0=[0.5], n_steps=300, seed=SEED)
    found.save(tmp_path / "laws.npz")
    back = ito.load(tmp_path / "laws.npz")
    for item in dataclasses.fields(found):
        first, second = getattr(found, item.name), getattr(back, item.name)
        if isinstance(first, np.ndarray):
            np.testing.assert_array_equal(first, second)
        elif item.name != "maps":
            assert repr(first) == repr(second)
    assert repr(back) == repr(found)
    assert [maps.step_size for maps in back.maps] == [0.5, 0.8, 2.5]
    own = ito.continuation(pitchfork, [-1.0, 1.0], x0=[0.0], n_steps=20, n_replicas=50, seed=SEED)
    own.save(tmp_path / "own.npz")
    loaded = ito.load(tmp_path / "own.npz")
    assert loaded.maps == (None, None)
    assert loaded.to_xarray().sizes["replica"] == 50
    with pytest.raises(ito.InvalidInputError, match="to_netcdf"):
        own.save(tmp_path / "own.nc")


def logistic(x, draw, params, out):
    out[0] = params[0] * x[0] * (1.0 - x[0])


def logistic_maps(r):
    return ito.CustomMaps(logistic, dim=1, params=(r,))


def literal_exponent(r, n_steps=100_000) -> tuple[float, float]:
    """The mean log of |r(1 − 2x)| along one long path, and five standard errors from its fifty parts."""
    x, logs = 0.3, []
    for step in range(-1000, n_steps):
        if step >= 0:
            logs.append(math.log(abs(r * (1.0 - 2.0 * x))))
        x = r * x * (1.0 - x)
    parts = np.array(logs).reshape(50, -1).mean(axis=1)
    return float(parts.mean()), 5.0 * float(parts.std(ddof=1)) / math.sqrt(50)


@pytest.mark.parametrize("r", [3.92, 3.76, 3.98])
def test_the_exponent_of_replicas_that_are_one_path_is_that_of_the_law(r):
    """Maps that draw nothing, from one start: some hundred steps of one path had been taken for a thousand paths."""
    with pytest.warns(RuntimeWarning, match="1000 replicas are one path"):
        found = ito.continuation(logistic_maps, [r], x0=[0.3], n_steps=1000, seed=0)
    assert (found.states == found.states[:, :1]).all()  # one path
    (exponent,), (exact, error) = found.lyapunov_exponent, literal_exponent(r)
    assert exponent.low - error <= exact <= exponent.high + error
    assert exponent.high - exponent.low < 0.01
    spread = np.random.default_rng(0).uniform(size=(1000, 1))  # the control, without a warning
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        apart = ito.continuation(logistic_maps, [r], x0=spread, n_steps=1000, seed=0).lyapunov_exponent[0]
    assert abs(apart.value - exponent.value) < 5.0 * math.hypot(apart.standard_error, exponent.standard_error)


def test_one_path_that_has_settled_is_the_law():
    """On a fixed point, also on one that is not stable, where paths a little apart would leave."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stable = ito.continuation(logistic_maps, [2.5], x0=[0.3], n_steps=1000, seed=0).lyapunov_exponent[0]
        unstable = ito.continuation(logistic_maps, [3.9], x0=[0.0], n_steps=10, seed=0).lyapunov_exponent[0]
    assert stable.value == pytest.approx(-math.log(2.0), abs=1e-6)
    assert unstable.value == pytest.approx(math.log(3.9), abs=1e-6)
