"""Results with names on their axes: data sets of xarray, tables of pandas, chains of ArviZ."""

from __future__ import annotations

import sys
import warnings
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import iterorder as ito

FEATURES = np.random.default_rng(1).normal(size=(30, 3))
TARGETS = FEATURES @ [1.0, -1.0, 0.5]
NAMES = ["age", "bmi", "<script>"]


class Table:
    """What every table of columns offers, without a package."""

    def __init__(self, values, columns) -> None:
        self.values, self.columns = values, columns

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


def regression(features=None, **options):
    features = Table(FEATURES, NAMES) if features is None else features
    return ito.LinearRegressionSGD(features, TARGETS, 0.05, ridge=0.1, **options)


def simulated(maps, **options):
    arguments = {"n_replicas": 4, "save_steps": [2, 5], "seed": 2**63 + 1, "first_replica": 7} | options
    return ito.simulate(maps, np.zeros(maps.dim), 5, **arguments)


def test_names_of_columns_are_kept_on_the_maps():
    assert regression().coordinate_names == tuple(NAMES)
    assert regression(FEATURES).coordinate_names is None
    assert regression(Table(FEATURES, ["a", "a", "b"])).coordinate_names is None  # two of one name tell nothing
    assert regression(Table(FEATURES, 3)).coordinate_names is None
    momentum = ito.Optimizer(regression(), momentum=0.5)
    assert momentum.coordinate_names == (*NAMES, *(f"velocity of {name}" for name in NAMES))
    assert ito.Optimizer(regression()).coordinate_names == tuple(NAMES)
    np.testing.assert_array_equal(simulated(regression()).states, simulated(regression(FEATURES)).states)


def test_frames_of_pandas_give_names():
    pandas = pytest.importorskip("pandas")
    maps = regression(pandas.DataFrame(FEATURES, columns=NAMES))
    assert maps.coordinate_names == tuple(NAMES)
    np.testing.assert_array_equal(maps.features, FEATURES)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        (ito.LinearRegressionSGD, "targets"),
        (ito.LogisticRegressionSGD, "labels"),
        (lambda *given: ito.LinearModelSGD(*given, loss="huber"), "targets"),
        (
            lambda features, labels, _: ito.networks.MLP(features, labels.astype(int), hidden=(2,), step_size=0.1),
            "labels",
        ),
    ],
)
def test_rows_of_another_index_are_refused(family, name):
    pandas = pytest.importorskip("pandas")
    features = pandas.DataFrame(FEATURES, columns=NAMES, index=[f"p{k}" for k in range(30)])
    targets = pandas.Series((TARGETS > 0.0).astype(float), index=features.index)
    family(features, targets, 0.1)  # the control: the same index
    family(features, targets.to_numpy(), 0.1)  # and numbers without one
    family(features.to_numpy(), targets[::-1], 0.1)
    with pytest.raises(ito.InvalidInputError, match=rf"the index of {name} .* give {name}\.loc\[features\.index\]"):
        family(features, targets[::-1], 0.1)
    with pytest.raises(ito.InvalidInputError, match=rf"features: give {name}\.to_numpy\(\)"):  # other labels
        family(features, targets.reset_index(drop=True), 0.1)


def test_starts_have_the_names_of_the_coordinates_in_their_order():
    pandas = pytest.importorskip("pandas")
    maps, start = regression(), pandas.Series([1.0, 2.0, 3.0], index=NAMES)
    run = ito.simulate(maps, start, 0, seed=1)
    np.testing.assert_array_equal(run.states[0, 0], start)
    for given in (start[::-1], pandas.DataFrame([start[::-1]])):
        with pytest.raises(ito.InvalidInputError, match=r"x0 has the names <script>, bmi, age, .* give x0\[\['age', "):
            ito.simulate(maps, given, 3, seed=1)
    other = start.rename({"age": "year"})
    with pytest.raises(ito.InvalidInputError, match=r"give those names, or y0\.to_numpy"):
        ito.coupling_distance(maps, start, other, 3, order="forward", n_replicas=2, seed=1)
    ito.simulate(maps, start.reset_index(drop=True), 3, seed=1)  # numbers name nothing
    ito.simulate(regression(FEATURES), start[::-1], 3, seed=1)  # nor have these maps names


def test_columns_that_are_no_numbers_are_named():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"age": [1.0, 2.0], "sex": ["f", "m"]}).astype(object)
    with pytest.raises(ito.InvalidInputError, match=r"features\[0, 1\] is 'f', in the column 'sex'"):
        ito.LinearRegressionSGD(table, [0.0, 1.0], 0.1)
    with pytest.raises(ito.InvalidInputError, match=r"with 1 axis, such as its one column, targets\.squeeze\(\)"):
        ito.LinearRegressionSGD(table[["age"]].astype(float), table[["age"]].astype(float), 0.1)


def test_a_data_set_has_names_and_says_how_it_was_made(tmp_path):
    pytest.importorskip("xarray")
    maps = regression()
    run = simulated(maps)
    data = run.to_xarray()
    assert list(data.data_vars) == ["states"]  # nothing diverged, nothing was cut
    assert data.dim.values.tolist() == NAMES
    np.testing.assert_array_equal(data.states.sel(replica=8, step=5, dim="bmi"), run.states[1, 1, 1])
    assert data.attrs["family"] == "LinearRegressionSGD"
    assert data.attrs["step_size"] == 0.05
    assert data.attrs["seed"] == str(2**63 + 1)
    assert data.attrs["digest"] == simulated(regression(FEATURES)).to_xarray().attrs["digest"]
    assert data.attrs["digest"] != simulated(regression(FEATURES + 1e-9)).to_xarray().attrs["digest"]
    run.save(tmp_path / "run.npz")
    assert ito.load(tmp_path / "run.npz").to_xarray().identical(data)
    given = run.to_xarray(names=["a", "b", "c"])
    assert given.dim.values.tolist() == ["a", "b", "c"]
    assert simulated(regression(FEATURES)).to_xarray().dim.values.tolist() == [0, 1, 2]
    for told in (data, simulated(ito.Optimizer(maps, momentum=0.5)).to_xarray()):
        settings = {name: told.attrs[name] for name in ("step_size", "ridge", "batch_size", "sampling")}
        assert settings == {"step_size": 0.05, "ridge": 0.1, "batch_size": 1, "sampling": "iid"}


def test_what_diverged_and_what_was_cut_is_told():
    pytest.importorskip("xarray")
    cut = simulated(regression(), order="backward", tol=1e-3, save_steps=[5])
    wild = ito.simulate(
        ito.gallery.double_well(0.5, 0.1), [[0.1], [50.0]], 20, n_replicas=2, seed=1, noise="shared", save_steps="all"
    )
    assert ("error_bound" in cut.to_xarray()) == bool(cut.error_bound.any())
    assert list(wild.to_xarray().data_vars) == ["states", "diverged_at"]
    assert wild.to_xarray().attrs["family"] == "CustomMaps"
    assert "step_size" not in wild.to_xarray().attrs


@pytest.mark.parametrize("names", [["a"], ["a", "a", "b"], ["a", "b", 3], "abc"])
def test_names_that_do_not_fit_are_refused(names):
    pytest.importorskip("xarray")
    with pytest.raises(ito.InvalidInputError, match="give 3 different strings"):
        simulated(regression()).to_xarray(names=names)


def test_tables_of_states_are_long():
    pytest.importorskip("pandas")
    run = simulated(regression())
    table = run.to_dataframe()
    assert list(table.columns) == NAMES
    assert table.index.names == ["replica", "step"]
    np.testing.assert_array_equal(table.loc[(9, 2)], run.states[2, 0])
    np.testing.assert_array_equal(table.xs(5, level="step"), run.states[:, 1])
    assert list(simulated(regression(FEATURES)).to_dataframe().columns) == ["x0", "x1", "x2"]


@pytest.mark.parametrize(("names", "told"), [(["replica", "a", "b"], "replica"), (["a", "b", "step"], "step")])
def test_names_of_the_index_are_refused_as_those_of_columns(names, told):
    pytest.importorskip("pandas")
    with pytest.raises(ito.InvalidInputError, match=f"a coordinate has the name '{told}', as has a level of the index"):
        simulated(regression()).to_dataframe(names=names)
    with pytest.raises(ito.InvalidInputError, match=f"'{told}'"):  # those of a table of the user's, too
        simulated(regression(Table(FEATURES, names))).to_dataframe()
    assert len(simulated(regression()).to_dataframe(names=["a", "b", "steps"]).reset_index()) == 8


def test_the_other_results_are_tables_too(tmp_path):
    pytest.importorskip("pandas")
    pytest.importorskip("xarray")
    sample = ito.stationary_sample(ito.gallery.sierpinski(), 20, seed=0)
    np.testing.assert_array_equal(sample.to_dataframe(names=["u", "v"])["v"], sample.points[:, 1])
    assert set(sample.to_xarray().data_vars) == {"points", "n_steps", "error_bound"}
    coupling = ito.coupling_distance(
        ito.gallery.two_point_quadratic(0.5), [0.0], [1.0], 10, order="forward", n_replicas=5, seed=0
    )
    np.testing.assert_array_equal(coupling.to_dataframe().loc[3, "distance"], coupling.distance[3])
    np.testing.assert_array_equal(coupling.to_xarray().per_replica.sel(step=3), coupling.per_replica[:, 3])
    claims = ito.check_theory(["C22"])
    assert claims.to_dataframe()["measured"].tolist() == [row.measured for row in claims.rows]
    model = ito.networks.MLP(FEATURES, np.arange(30) % 2, hidden=(3,), step_size=0.1)
    training = ito.networks.train(model, batch_size=5, n_steps=4, save_steps=[2, 4], n_sequences=2, seed=0)
    table = training.to_dataframe()
    for name, values in training.observables.items():
        assert table.loc[(0, 1, 4), name] == values[0, 1, 1]
    swept = ito.sweep(
        lambda h: ito.gallery.two_point_quadratic(h), {"h": [0.2, 0.4]}, "lyapunov", folder=tmp_path / "sweep", seed=0,
        progress=False,
    )  # fmt: skip
    assert swept.to_dataframe().index.tolist() == [0.2, 0.4]


def test_missing_packages_are_named(monkeypatch):
    for module in ("pandas", "xarray", "arviz"):
        monkeypatch.setitem(sys.modules, module, None)
    run = simulated(regression(), save_steps="all")
    for method, extra in ((run.to_dataframe, "store"), (run.to_xarray, "store"), (run.to_arviz, "analysis")):
        with pytest.raises(ito.BackendUnavailableError, match=rf"pip install iterorder\[{extra}\]"):
            method()


# -------------------------------------------------------------------------------------------------------------- ArviZ

AR = ito.gallery.ar1(0.9, 1.0)


def chains():
    return ito.simulate(AR, [0.0], 4000, n_replicas=4, save_steps="all", seed=3)


def test_effective_sample_sizes_are_those_of_the_theory():
    """Of an AR(1) path of n states the mean has the variance of n(1 − a)/(1 + a) independent ones.

    ArviZ estimates the integrated autocorrelation time, 19 here. The relative error of such an estimate from N states
    with a window of M lags is about sqrt((4M + 2)/N) (Sokal 1997); M ≤ 6·19 gives .17, of which the test allows three.
    """
    pytest.importorskip("xarray")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arviz = pytest.importorskip("arviz")
        path = float(np.ravel(arviz.ess(chains().to_arviz(burn_in=100)).x)[0])
        points = ito.stationary_sample(AR, 1000, seed=0).to_arviz(names=["level"])
        free = float(np.ravel(arviz.ess(points).x)[0])
    expected = 4 * 3900 * 0.1 / 1.9
    assert 1 - 3 * 0.17 < path / expected < 1 + 3 * 0.17
    assert path < 0.2 * 4 * 3900  # the wrong target: as many as there are states
    assert free > 0.5 * 1000  # independent points are worth about their number
    assert points.posterior.dim.values.tolist() == ["level"]


def test_chains_keep_their_places_and_attributes(monkeypatch):
    """In the form of ArviZ from version 1 on, which has no InferenceData, though 1.3 answers who asks for it."""
    xarray = pytest.importorskip("xarray")
    if not hasattr(xarray, "DataTree"):
        pytest.skip("xarray has DataTree from 2024.10 on")
    arviz = ModuleType("arviz")
    arviz.__getattr__ = lambda name: pytest.fail(f"arviz was asked for {name}")  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "arviz", arviz)
    run = chains()
    tree = run.to_arviz(burn_in=10)
    assert isinstance(tree, xarray.DataTree)
    chain = tree["posterior"]
    assert chain["x"].dims == ("chain", "draw", "dim")
    np.testing.assert_array_equal(chain["x"].sel(draw=11, chain=2), run.states[2, 11])
    assert chain.attrs["order"] == "forward"


def test_before_version_1_chains_are_an_inference_data(monkeypatch):
    pytest.importorskip("xarray")
    monkeypatch.setitem(sys.modules, "arviz", SimpleNamespace(InferenceData=lambda **groups: groups))
    (posterior,) = chains().to_arviz(burn_in=10).values()
    assert posterior["x"].dims == ("chain", "draw", "dim")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"order": "backward"}, "order='backward'"),
        ({"noise": "shared"}, "noise='shared'"),
        ({"save_steps": [5]}, "1 saved states"),
    ],
)
def test_what_is_no_chain_is_refused(options, said):
    run = simulated(regression(), **{"save_steps": "all", **options})
    with pytest.raises(ito.InvalidInputError, match=said):
        run.to_arviz()


def test_an_index_counts_wherever_two_tables_meet():
    """Values in another order of rows are refused by test sets and weights too; the same order is taken."""
    pandas = pytest.importorskip("pandas")
    features = pandas.DataFrame(np.arange(12.0).reshape(6, 2))
    labels = pandas.Series(np.arange(6) % 2)
    turned = labels.iloc[::-1]
    model = {"features": features, "labels": labels, "hidden": (), "step_size": 0.1}
    ito.networks.MLP(**model, test=(features, labels))
    with pytest.raises(ito.InvalidInputError, match=r"index of test\[1\] is not that of test\[0\]"):
        ito.networks.MLP(**model, test=(features, turned))
    points, weights = pandas.Series([0.0, 1.0, 5.0]), pandas.Series([1.0, 2.0, 3.0])
    assert ito.wasserstein_1d(points, [0.0], u_weights=weights) == pytest.approx(17.0 / 6.0)
    with pytest.raises(ito.InvalidInputError, match=r"index of u_weights is not that of u: give u_weights\.loc"):
        ito.wasserstein_1d(points, [0.0], u_weights=weights.iloc[::-1])
    with pytest.raises(ito.InvalidInputError, match="index of u_weights is not that of u"):
        ito.wasserstein_1d_to(points, ito.gallery.two_point_quadratic(0.5).law, u_weights=weights.iloc[::-1])
    with pytest.raises(ito.InvalidInputError, match="index of v_weights is not that of v"):
        ito.wasserstein_1d([0.0], points, v_weights=weights.iloc[::-1])


def test_the_start_is_told_where_there_is_one(tmp_path):
    """Runs of equal maps and noise from other starts were told apart by nothing in a file."""
    maps = ito.gallery.sierpinski()
    one = ito.simulate(maps, [0.5, 0.25], 3, n_replicas=2, seed=0).to_xarray()
    assert one.attrs["x0"].tolist() == [0.5, 0.25]
    other = ito.simulate(maps, [0.0, 0.25], 3, n_replicas=2, seed=0).to_xarray()
    assert not one.drop_vars("states").identical(other.drop_vars("states"))
    assert "x0" not in ito.simulate(maps, np.eye(2), 3, n_replicas=2, seed=0).to_xarray().attrs
    xarray = pytest.importorskip("xarray")
    for engine in ("scipy", "h5netcdf", "netcdf4"):
        try:
            one.to_netcdf(tmp_path / "run.nc", engine=engine)
        except (ValueError, ImportError):
            continue
        assert xarray.open_dataset(tmp_path / "run.nc", engine=engine).attrs["x0"].tolist() == [0.5, 0.25]
