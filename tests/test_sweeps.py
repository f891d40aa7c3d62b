"""Sweeps on one process: results against a plain loop, errors as rows, resuming, and what is refused."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import iterorder as ito
from iterorder.errors import InvalidInputError
from iterorder.estimate import Estimate
from iterorder.neighbours import MEASURES as OF_NEIGHBOURS
from iterorder.networks import train
from iterorder.sweeps import MEASURES
from iterorder.sweeps.cells import block_seed, fitted, packed, unpacked
from iterorder.sweeps.identity import described_function, differences
from iterorder.sweeps.measures import ByReplicas
from iterorder.sweeps.training import network
from tests.sweep_systems import GRID, SPLIT, counted, moments, naive_sweep, tiny, two_points

QUIET = {"progress": False}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    return ito.sweep(two_points, GRID, moments, seed=3, folder=tmp_path_factory.mktemp("swept"), **QUIET)


def test_results_are_those_of_a_loop(swept):
    naive = naive_sweep(two_points, GRID, moments, 3, ["h"], ["order", "n_steps"])
    table = swept.to_xarray()
    assert table.sizes == {"h": 4, "order": 2, "n_steps": 3, "levels_0": 3}
    for (h, order, n_steps), expected in naive.items():
        cell = table.sel(h=h, order=order, n_steps=n_steps)
        if isinstance(expected, Exception):
            assert not cell.done
            assert np.isnan(cell["mean"])
            continue
        assert cell.done
        for name, value in expected.items():
            assert np.array_equal(cell[name], value), (h, order, n_steps, name)
            assert cell[name].dtype.kind == np.asarray(value).dtype.kind


def test_errors_are_rows_with_their_message(swept):
    assert len(swept.failed) == 6
    assert {cell.point["h"] for cell in swept.failed} == {0.95}
    (told,) = {(cell.kind, cell.message) for cell in swept.failed}
    assert told[0] == "ValueError"
    file, line = re.fullmatch(r"the step size is too large \((\w+\.py):(\d+)\)", told[1]).groups()
    assert "raise ValueError" in (Path(__file__).parent / file).read_text().splitlines()[int(line) - 1]
    assert np.array_equal(swept.done, np.arange(24).reshape(4, 2, 3) < 18)
    assert "done=18 of 24, failed=6" in repr(swept)


def test_provenance_is_kept(swept):
    table = swept.to_xarray()
    assert table.attrs["version"] == ito.__version__
    assert table.attrs["seed"] == "3"
    assert {"processor", "packages", "python", "digest"} <= table.attrs.keys()
    assert ito.open_sweep(swept.folder).to_xarray().identical(table)


def test_a_finished_sweep_is_only_opened_and_an_interrupted_one_goes_on(tmp_path):
    calls = tmp_path / "calls"

    class Stop(Exception):
        pass

    def stop_half_way(share):
        if share >= 0.5:
            raise Stop

    grid = {"h": np.linspace(0.1, 0.5, 10).tolist(), "file": [str(calls)]}
    folder = tmp_path / "sweep"
    how = {"seed": 0, "folder": folder, "block_seconds": 1e-9}  # a cell each
    with pytest.raises(Stop):
        ito.sweep(two_points, grid, counted, progress=lambda share: stop_half_way(share), **how)
    some = ito.open_sweep(folder)
    before = int(some.done.sum())
    assert 0 < before < 10
    for _ in range(2):
        whole = ito.sweep(two_points, grid, counted, progress=False, **how)
        assert whole.done.all()
    lines = calls.read_text().split()
    assert sorted(map(float, lines)) == sorted(grid["h"])  # each cell once, whatever was interrupted


def test_another_configuration_is_refused_with_what_differs(tmp_path):
    ito.sweep(two_points, {"h": [0.1, 0.2]}, tiny, seed=0, folder=tmp_path, **QUIET)

    def other(maps, seed):
        return {"value": maps.step_size * 3.0, "square": maps.step_size**2}

    for grid, measure, seed, told in (
        ({"h": [0.1, 0.3]}, tiny, 0, r"grid\[0\].values\[1\]\[0\]: 0.2 in the folder, 0.3 now"),
        ({"h": [0.1, 0.2]}, tiny, 1, "seed: 0 in the folder, 1 now"),
        ({"h": [0.1, 0.2]}, other, 0, r"function: `tiny` in the folder, `test_.*other` now"),
    ):
        with pytest.raises(InvalidInputError, match=told):
            ito.sweep(two_points, grid, measure, seed=seed, folder=tmp_path, **QUIET)
    assert ito.sweep(two_points, {"h": [0.1, 0.2]}, tiny, seed=0, folder=tmp_path, **QUIET).done.all()


def test_retry_by_kind(tmp_path):
    flag = tmp_path / "flag"

    def fragile(maps, seed, *, broken=str(flag)):
        if not flag.exists():
            raise MemoryError("no room") if maps.step_size < 0.15 else OSError("no disk")
        return {"value": maps.step_size}

    grid, how = {"h": [0.1, 0.2]}, {"seed": 0, "folder": tmp_path / "sweep", **QUIET}
    assert [cell.kind for cell in ito.sweep(two_points, grid, fragile, **how).failed] == ["MemoryError", "OSError"]
    flag.touch()
    assert len(ito.sweep(two_points, grid, fragile, **how).failed) == 2  # errors stay
    assert [cell.kind for cell in ito.sweep(two_points, grid, fragile, retry=["MemoryError"], **how).failed] == [
        "OSError"
    ]
    assert ito.sweep(two_points, grid, fragile, retry=True, **how).done.all()


def test_cells_of_other_shapes_are_errors(tmp_path):
    def growing(maps, seed):
        return {"a": np.zeros(2 if maps.step_size < 0.25 else 3)}

    found = ito.sweep(two_points, {"h": [0.1, 0.2, 0.3]}, growing, seed=0, folder=tmp_path, **QUIET)
    assert found.done.tolist() == [True, True, False]
    assert "a float(3,), and the first cell has a float(2,)" in found.failed[0].message


def test_a_sweep_in_which_everything_fails_ends_and_says_so(tmp_path, capsys):
    def failing(maps, seed):
        raise ValueError("never")

    found = ito.sweep(two_points, {"h": np.linspace(0.1, 0.5, 50)}, failing, seed=0, folder=tmp_path, **QUIET)
    assert len(found.failed) == 50
    said = r"iterorder: 50 of 50 cells failed, the first with ValueError: never \(test_sweeps\.py:\d+\); see \.failed"
    assert re.match(said, capsys.readouterr().err)
    ito.sweep(two_points, {"h": [0.1]}, tiny, seed=0, folder=tmp_path / "right", **QUIET)
    assert capsys.readouterr().err == ""  # the control: where nothing fails nothing is said
    assert list(found.to_xarray().data_vars) == ["done"]


def test_seed_blocks_are_independent_and_other_cells_are_coupled(tmp_path):
    seen = ito.sweep(
        two_points,
        {"h": [0.1, 0.2], "seed_block": [0, 1]},
        lambda maps, seed: {"low": seed % 2**32, "high": seed >> 32},
        seed=5,
        folder=tmp_path,
        **QUIET,
    ).to_xarray()
    seeds = (seen.low + seen.high * 2**32).values
    assert (seeds[0] == seeds[1]).all()
    assert len({block_seed(5, block) for block in (None, 0, 1, 2)}) == 4


@pytest.mark.parametrize("split", [1, 300, 999, 1000, 5000])
def test_splits_of_the_replicas_have_the_same_bits(tmp_path, split):
    grid = {"h": [0.1, 0.4], "n_steps": [3, 30]}
    whole = ito.sweep(two_points, grid, SPLIT, seed=1, folder=tmp_path / "whole", **QUIET)
    if split == 1:
        grid |= {"n_replicas": [7]}
        whole = ito.sweep(two_points, grid, SPLIT, seed=1, folder=tmp_path / "few", **QUIET)
    parts = ito.sweep(two_points, grid, SPLIT, seed=1, folder=tmp_path / "parts", split_replicas=split, **QUIET)
    assert parts.to_xarray().drop_attrs().identical(whole.to_xarray().drop_attrs())
    assert parts.done.all()


def test_estimates_are_two_numbers_and_none_is_nan():
    layout, data = packed({"x": ito.Estimate.from_mean(1.0, 0.5), "y": None})
    assert [name for name, *_ in json.loads(layout)] == ["x", "x_error", "y"]
    found = unpacked(layout, data)
    assert (found["x"], found["x_error"]) == (1.0, 0.5)
    assert np.isnan(found["y"])


def test_whole_numbers_become_floats_where_the_first_cell_had_one():
    from iterorder.sweeps.cells import Outcome

    first, (layout, data) = packed({"x": 0.5})[0], packed({"x": 2})
    turned = fitted(Outcome(1, 0.0, layout, data, "", ""), first)
    assert unpacked(turned.layout, turned.data)["x"] == 2.0
    wrong = fitted(Outcome(1, 0.0, first, packed({"x": 0.5})[1], "", ""), layout)
    assert wrong.error == "InvalidInputError"


@pytest.mark.parametrize("returned", [3.0, {}, {"x": "word"}, {"no name": 1.0}, {"x": object()}, {"x": 1j}])
def test_what_is_no_table_of_numbers_is_an_error_row(tmp_path, returned):
    found = ito.sweep(two_points, {"h": [0.1]}, lambda maps, seed: returned, seed=0, folder=tmp_path, **QUIET)
    assert found.failed[0].kind == "InvalidInputError"
    assert "the measure returned" in found.failed[0].message


def regression(step_size, ridge=0.1):
    rng = np.random.default_rng(0)
    return ito.LinearRegressionSGD(rng.normal(size=(30, 2)), rng.normal(size=30), step_size, ridge=ridge)


@pytest.mark.parametrize("name", [name for name in MEASURES if name not in {*OF_NEIGHBOURS, "training"}])
def test_registered_measures_run_and_are_described(tmp_path, name):
    options = {"n_samples": 50, "tol": 1e-3} if name == "stationary_sample" else {}
    found = ito.sweep(regression, {"step_size": [0.01, 0.05]}, {name: options}, seed=0, folder=tmp_path, **QUIET)
    assert found.failed == []
    for variable in found.variables:
        assert {"long_name", "units"} <= variable.attributes.keys(), variable.name
        assert not variable.dims or set(variable.dims) <= {"dim", "level"}


def test_a_network_is_trained_in_every_cell(tmp_path):
    """By the numbers of `train`; other measures, and training of other systems, are rows with errors."""
    options = {"n_steps": 60, "n_sequences": 2, "stride": 5, "batch_size": 8}
    grid = {"step_size": [0.05, 0.2], "order": ["forward", "backward"]}
    found = ito.sweep(network, grid, {"training": options}, seed=3, folder=tmp_path / "a", **QUIET)
    assert found.failed == []
    saves = np.arange(60, 40, -5)[::-1]
    run = train(
        network(step_size=0.2),
        batch_size=8,
        n_steps=60,
        order="backward",
        save_steps=np.union1d(saves, saves - 1),
        n_sequences=2,
        seed=3,
    )
    table = found.to_xarray().sel(step_size=0.2, order="backward")
    late = run.late()
    assert late.steps.tolist() == [44, 45, 49, 50, 54, 55, 59, 60]
    names = ("loss", "loss_within", "loss_between", "move")
    assert [float(table[name]) for name in names] == [late.mean, late.mean_within, late.between, late.move]
    for variable in found.variables:
        assert {"long_name", "units"} <= variable.attributes.keys()
    other = ito.sweep(network, {"step_size": [0.1]}, "rate", seed=0, folder=tmp_path / "b", **QUIET)
    assert "a network has measure 'training'" in other.failed[0].message
    maps = ito.sweep(regression, {"step_size": [0.1]}, "training", seed=0, folder=tmp_path / "c", **QUIET)
    assert "training is of a network" in maps.failed[0].message


def test_registered_measures_say_what_the_library_says(tmp_path):
    """Each by the function that it stands for."""
    maps, seed = regression(0.05), 4
    names = ["rate", "diagnosis", "stability", "lyapunov", "risk"]
    sweeps = {
        name: ito.sweep(regression, [{"step_size": 0.05}], name, seed=seed, folder=tmp_path / name, **QUIET)
        for name in [*names, "final_law", "wasserstein_to_theory"]
    }
    of = {name: found.to_xarray().isel(point=0) for name, found in sweeps.items()}
    coupling = ito.coupling_distance(maps, [0, 0], [1, 1], 400, order="backward", n_replicas=400, seed=seed, p=1)
    assert of["rate"].rate == ito.fit_rate(coupling).rate
    diagnosis = ito.diagnose(maps, [0, 0], 1000, order="forward", n_replicas=50, seed=seed)
    assert of["diagnosis"].verdict.attrs["flag_meanings"].split()[int(of["diagnosis"].verdict)] == diagnosis.verdict
    known = ito.theory(maps, seed=seed)
    assert of["lyapunov"].lyapunov_exponent == known.lyapunov_exponent.value
    assert of["stability"].mean_square_radius == known.mean_square_radius.value
    states = ito.simulate(maps, [0, 0], 1000, n_replicas=1000, seed=seed).states[:, 0]
    assert np.array_equal(of["final_law"]["mean"], states.mean(axis=0))
    best = ito.minimizer(maps)
    curvature = maps.features.T @ maps.features / 30 + 0.1 * np.eye(2)
    excess = 0.5 * np.einsum("ri,ij,rj->r", states - best, curvature, states - best)
    np.testing.assert_allclose(of["risk"].risk, excess.mean(), rtol=1e-9)
    # Of 1000 draws the distance is that of sampling; at a start that is not forgotten it is far above.
    assert of["wasserstein_to_theory"].wasserstein < 3 * of["wasserstein_to_theory"].noise_floor
    near = ito.sweep(
        regression,
        [{"step_size": 0.05}],
        {"wasserstein_to_theory": {"n_steps": 5, "x0": 3.0}},
        seed=seed,
        folder=tmp_path / "near",
        **QUIET,
    ).to_xarray()
    assert float(near.wasserstein[0]) > 10 * float(near.noise_floor[0])


def test_several_measures_share_the_cells(tmp_path):
    table = ito.sweep(regression, {"step_size": [0.05]}, ["stability", "lyapunov"], seed=0, folder=tmp_path, **QUIET)
    assert {v.name for v in table.variables} >= {"mean_square_radius", "lyapunov_exponent"}
    clash = ito.sweep(
        regression, {"step_size": [0.05]}, ["diagnosis", "final_law"], seed=0, folder=tmp_path / "clash", **QUIET
    )
    assert "two measures give 'diverged'" in clash.failed[0].message


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"grid": {}}, "grid is empty"),
        ({"grid": {"h": []}}, "grid\\['h'\\] is empty"),
        ({"grid": {"h": 0.1}}, r"give a list of values, \[0.1\]"),
        ({"grid": {"h": [0.1], "width": [3]}}, "'width', which neither make_maps nor the measure takes"),
        ({"grid": {"h": [float("nan")]}}, "finite"),
        ({"grid": {"h": [object()]}}, "make other things in make_maps"),
        ({"grid": [{"h": 0.1}, {"g": 0.1}]}, "same names"),
        ({"measure": "rates"}, "measure 'rates' is not known"),
        ({"measure": {"rate": {"steps": 3}}}, "no option 'steps'"),
        ({"measure": []}, "empty"),
        ({"measure": lambda maps: 0}, "measure\\(maps, seed\\)"),
        ({"make_maps": 3}, "make_maps is an int"),
        ({"engine": "threads"}, "'serial', 'processes', 'dask'"),
        ({"workers": 0}, "workers"),
        ({"block_seconds": 0}, "block_seconds"),
        ({"scheduler": "tcp://x:1"}, "engine='dask'"),
        ({"engine": "dask", "scheduler": "x"}, "tcp://host:8786"),
        ({"retry": [3]}, "retry"),
        ({"seed": -1}, "seed"),
        ({"progress": 3}, "progress"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_written(tmp_path, change, told):
    arguments = {"make_maps": two_points, "grid": {"h": [0.1]}, "measure": tiny, "seed": 0, "folder": tmp_path / "f"}
    arguments |= QUIET | change
    with pytest.raises(InvalidInputError, match=told):
        ito.sweep(arguments.pop("make_maps"), arguments.pop("grid"), arguments.pop("measure"), **arguments)
    assert not (tmp_path / "f").exists()


def test_the_digest_of_a_function_is_of_what_it_computes():
    def made(number):
        def inner(maps, seed):
            return {"x": number}

        return inner

    assert described_function(made(1)) == described_function(made(1))
    assert described_function(made(1)) != described_function(made(2))
    assert described_function(functools.partial(made, 1)) != described_function(functools.partial(made, 2))
    array = np.arange(3.0)
    same, other = array.copy(), array + 1
    assert described_function(made(array)) == described_function(made(same))
    assert described_function(made(array)) != described_function(made(other))
    maps = [ito.gallery.two_point_quadratic(h) for h in (0.1, 0.1, 0.2)]
    told = [described_function(made(m)) for m in maps]
    assert told[0] == told[1] != told[2]


class Held:
    """An object of a user."""

    def __init__(self, value, step=1.0) -> None:
        self.value, self.step = value, step

    @property
    def twice(self):
        return 2.0 * self.value


@pytest.mark.parametrize(
    "hold",
    [
        lambda number: pytest.importorskip("pandas").Series([1.0, number]),
        lambda number: pytest.importorskip("pandas").DataFrame({"age": [1.0, number], "sex": ["f", "m"]}),
        lambda number: np.array([number, "text"], object),
        lambda number: SimpleNamespace(step=number),
        lambda number: Held(number),
        lambda number: {"deep": [{"er": (Held(number),)}]},
    ],
    ids=["series", "frame", "object array", "namespace", "own object", "nested"],
)
def test_objects_that_a_measure_reads_are_part_of_it(hold):
    """Another table behind the same name is another sweep: old results would be given for it."""

    def reading(held):
        return lambda maps, seed: {"v": held}

    assert described_function(reading(hold(2.0))) == described_function(reading(hold(2.0)))
    assert described_function(reading(hold(2.0))) != described_function(reading(hold(3.0)))


def test_methods_of_a_users_class_are_part_of_a_measure():
    def measure_of(factor):
        class Scaled:
            def of(self, x):
                return factor * x

            @functools.cached_property
            def kept(self):
                return factor

        return lambda maps, seed: {"v": Scaled().of(1.0)}

    assert described_function(measure_of(2.0)) == described_function(measure_of(2.0))
    assert described_function(measure_of(2.0)) != described_function(measure_of(3.0))


def test_what_has_no_content_counts_by_its_name(tmp_path):
    with open(tmp_path / "log", "w") as file:
        assert described_function(lambda maps, seed: {"v": file})["digest"]


def test_a_changed_measure_is_told_in_words(tmp_path):
    for factor, told in ((1.0, ""), (1.0, ""), (2.0, "(the code of `.*spread`, or what it reads, has changed)")):

        def spread(maps, seed):
            return {"value": factor * maps.step_size}  # noqa: B023 (called in the round that it is of)

        with pytest.raises(InvalidInputError, match=told) if told else contextlib.nullcontext():
            ito.sweep(two_points, {"h": [0.1]}, spread, seed=0, folder=tmp_path, **QUIET)


def test_an_interrupt_tells_what_is_kept(tmp_path, capsys):
    def stopped(maps, seed):
        if maps.step_size > 0.25:
            raise KeyboardInterrupt
        return {"value": maps.step_size}

    with pytest.raises(KeyboardInterrupt):
        ito.sweep(two_points, {"h": [0.1, 0.2, 0.3]}, stopped, seed=0, folder=tmp_path, **QUIET)
    assert capsys.readouterr().err == f"iterorder: 2 of 3 cells are kept in {tmp_path}: the same call goes on\n"


def test_differences_name_the_place():
    before, now = {"a": {"b": [1, 2, 3, 4, 5]}}, {"a": {"b": [9, 9, 9, 9, 5]}, "c": 1}
    assert differences(before, now) == [
        "a.b[0]: 1 in the folder, 9 now",
        "a.b[1]: 2 in the folder, 9 now",
        "a.b[2]: 3 in the folder, 9 now",
        "and 1 more in a.b",
        "c: null in the folder, 1 now",
    ]


def test_no_sweep_in_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no sweep"):
        ito.open_sweep(tmp_path)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"done": 7.0, "b": 1.0}, "'done', which is that of the cells that are done"),
        ({"h": 7.0}, "'h', which is that of a parameter of the grid"),
        ({"s": 2**63 + 11}, r"9223372036854775819 as 's', and whole numbers are kept up to 2⁶³ − 1"),
        ({"s": np.array([1, 2**64 - 1], np.uint64)}, "18446744073709551615 as 's'"),
    ],
)
def test_what_no_table_could_hold_is_refused(tmp_path, found, said):
    """The first was lost, the second read by nobody, the others wrapped to negative numbers."""
    swept = ito.sweep(two_points, {"h": [0.1]}, lambda maps, seed: found, seed=0, folder=tmp_path, **QUIET)
    assert said in swept.failed[0].message
    # The control: neighbours of those numbers, and other names.
    kept = {"done_": 7.0, "s": 2**63 - 1, "t": np.array([5], np.uint64)}
    swept = ito.sweep(two_points, {"h": [0.1]}, lambda maps, seed: kept, seed=0, folder=tmp_path / "kept", **QUIET)
    assert swept.to_xarray().s.values.tolist() == [2**63 - 1]
    assert swept.to_xarray().t.values.tolist() == [[5]]


def test_an_array_that_does_not_exist_is_nan_in_every_entry(tmp_path):
    """None, as `theory` has where a system has no covariance; where the first cell has it the shape is not known."""

    def measure(maps, seed):
        return {"covariance": None if maps.step_size == 0.2 else np.eye(2)}

    found = ito.sweep(two_points, {"h": [0.1, 0.2]}, measure, seed=0, folder=tmp_path / "last", **QUIET)
    values = found.to_xarray().covariance.values
    assert np.array_equal(values[0], np.eye(2))
    assert np.isnan(values[1]).all()
    found = ito.sweep(two_points, {"h": [0.2, 0.1]}, measure, seed=0, folder=tmp_path / "first", **QUIET)
    assert "such as None, where this one has an array" in found.failed[0].message


@pytest.mark.parametrize("x0", [[1.0, 2.0], (1.0, 2.0)])
def test_registered_measures_start_anywhere(tmp_path, x0):
    def maps(h):
        return ito.LinearRegressionSGD([[1.0, 2.0], [0.5, -1.0]], [1.0, 0.0], h)

    measure = {"final_law": {"n_steps": 0, "n_replicas": 3, "x0": x0}}
    found = ito.sweep(maps, {"h": [0.1]}, measure, seed=0, folder=tmp_path, **QUIET)
    assert found.to_xarray()["mean"].values.tolist() == [[1.0, 2.0]]
    measure["final_law"]["x0"] = [1.0, 2.0, 3.0]
    found = ito.sweep(maps, {"h": [0.1]}, measure, seed=0, folder=tmp_path / "wrong", **QUIET)
    assert "x0 has 3 numbers and the state 2" in found.failed[0].message


def test_the_table_of_measures_is_that_of_the_library():
    """Names, options with their defaults, and variables, as docs/scaling.md has them."""
    text = (Path(__file__).parents[1] / "docs" / "scaling.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if re.match(r"\| `\w+` \| `", line)]
    told = {re.findall(r"`(\w+)`", name)[0]: (options, variables) for name, options, variables in rows}
    assert set(MEASURES) - set(told) == set(OF_NEIGHBOURS)
    assert all(f"`{name}`" in text for name in MEASURES)
    for name, (options, variables) in told.items():
        function, notes = MEASURES[name]
        defaults = {}
        for part in (function.part, function.join) if isinstance(function, ByReplicas) else (function,):
            keywords = [p for p in inspect.signature(part).parameters.values() if p.kind is p.KEYWORD_ONLY]
            defaults |= {keyword.name: keyword.default for keyword in keywords}
        if isinstance(function, ByReplicas):
            defaults["n_replicas"] = function.n_replicas
        listed = {f"{key}={value!r}".replace("'", '"') for key, value in defaults.items()}
        assert listed == set(re.findall(r"`(.+?)`", options)), name
        assert set(notes) <= set(re.findall(r"`(\w+)`", variables)), name


def test_unstable_cells_of_registered_measures_warn_of_nothing(tmp_path):
    """NumPy's warnings named no cell; a measure of one's own keeps them."""
    grid, measures = {"h": [0.1, 40.0]}, {"risk": {"n_steps": 80}, "final_law": {"n_steps": 80}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ito.sweep(ito.gallery.two_point_quadratic, grid, measures, seed=0, folder=tmp_path / "a", **QUIET)
    assert found.done.all()
    squares = {"x": lambda maps, seed: {"x": np.square(np.float64(1e200))}}
    with pytest.warns(RuntimeWarning, match="overflow"):
        ito.sweep(ito.gallery.two_point_quadratic, grid, squares["x"], seed=0, folder=tmp_path / "b", **QUIET)


def test_the_error_of_an_estimate_has_a_name_too(tmp_path):
    """An `Estimate` is two variables, and the second may be that of a parameter."""

    def measure(maps, seed, x_error=0.0):
        return {"x": Estimate.of(1.0)}

    found = ito.sweep(two_points, {"h": [0.1], "x_error": [1.0]}, measure, seed=0, folder=tmp_path, **QUIET)
    assert "'x_error', which is that of a parameter of the grid" in found.failed[0].message
