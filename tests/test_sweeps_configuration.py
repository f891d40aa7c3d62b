"""Configuration files: what they make, what is refused with file, line and key, and what never leaves the folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import iterorder as ito
from iterorder import cli
from iterorder.cli.sweep import _to_go_on
from iterorder.errors import InvalidInputError
from iterorder.sweeps.configuration import parsed
from iterorder.sweeps.file_lines import line_of
from iterorder.sweeps.from_file import kept_configuration, run_configuration
from iterorder.sweeps.planning import planned
from iterorder.sweeps.systems import FAMILIES, make_system, names_of
from tests.sweep_systems import tiny, two_points

TEXT = """
seed = 5
folder = "small"
measure = ["stability"]  # comment = "no key"

[maps]
family = "LinearRegressionSGD"
data = "normal"
n_points = 20
dim = 1

[grid]
step_size = { from = 0.01, to = 1.0, count = 3, scale = "log" }
sampling = [
  "iid",
]

[[together]]
batch_size = [1, 2]
ridge = [0.0, 0.1]
"""


def test_a_file_makes_the_sweep_that_its_numbers_say(tmp_path):
    made = parsed(TEXT, "x.toml")
    found = run_configuration(made, tmp_path / "small", progress=False)
    assert found.grid.shape == (3, 1, 2)
    assert found.failed == []
    table = found.to_xarray()
    np.testing.assert_allclose(table.step_size, [0.01, 0.1, 1.0])
    maps = make_system(
        "LinearRegressionSGD", data="normal", n_points=20, dim=1, step_size=found.grid.column("step_size")[1],
        ridge=0.1, batch_size=2, sampling="iid",
    )  # fmt: skip
    expected = ito.theory(maps, seed=5).mean_square_radius.value
    assert table.mean_square_radius.isel(step_size=1, sampling=0, batch_size=1) == expected
    again = run_configuration(kept_configuration(tmp_path / "small"), tmp_path / "small", progress=False)
    assert again.to_xarray().identical(table)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("seed = 5", "seed = -1", "x.toml:2: seed: seed is -1"),
        ("seed = 5", 'seed = "5"', "x.toml:2: seed: Expected `int`, got `str`"),
        ("seed = 5", "seeds = 5", "x.toml:2: seeds: unknown key"),
        ("seed = 5", "seed = 5 5", "x.toml:2: no TOML"),
        ('measure = ["stability"]', 'measure = ["stabilty"]', "x.toml:4: measure.*: measure 'stabilty' is not known"),
        ('measure = ["stability"]', 'measure = {rate = {steps = 3}}', "x.toml:4: measure.*no option 'steps'"),
        ('family = "LinearRegressionSGD"', 'family = "os.system"', "x.toml:7: family: 'os.system' is no family"),
        ('data = "normal"', 'data = "../secret"', "x.toml:8: data: data is '../secret'"),
        ("n_points = 20", "points = 20", "x.toml:9: maps.points: no parameter of LinearRegressionSGD"),
        ("dim = 1", "dim = 0", "x.toml:10: dim: dim is 0"),
        ('from = 0.01', 'from = -0.01', "x.toml:13: grid.*: .*from -0.01 to 1 has no logarithms"),
        ("count = 3", "count = 0", "x.toml:13: grid.*count is 0"),
        ("count = 3", "number = 3", "x.toml:13: grid.step_size.number: unknown key"),
        ("step_size = {", "stepsize = {", "x.toml:13: stepsize: no parameter of LinearRegressionSGD"),
        ('"iid"', '"random"', "x.toml:14: sampling: sampling is 'random'"),
        ("batch_size = [1, 2]", "batch_size = [1]", "x.toml:.*lists of different lengths"),
        ("batch_size = [1, 2]", "batch_size = [1, 200]", "x.toml:19: batch_size: batch_size is 200"),
        ("ridge = [0.0, 0.1]", "ridge = [0.0, nan]", "x.toml:.*finite"),
        ("[[together]]", "[[points]]", "x.toml:.*points stand beside grid"),
    ],
)  # fmt: skip
def test_errors_name_file_line_and_key(old, new, told):
    assert old in TEXT
    with pytest.raises(InvalidInputError, match=told):
        parsed(TEXT.replace(old, new), "x.toml")


def test_all_faults_of_a_file_are_told_at_once():
    with pytest.raises(InvalidInputError) as told:
        parsed('sed = 5\nengine = "fast"\n[grid]\nstep_size = 0.5\nridge = {from = 0, to = 1}\n', "x.toml")
    lines = str(told.value).splitlines()
    assert [line.partition(" ")[0] for line in lines] == [
        "x.toml:1:",
        *["x.toml:"] * 3,
        "x.toml:4:",
        "x.toml:5:",
        "x.toml:2:",
    ]
    for word in ("sed: unknown key", "lacks seed", "lacks measure", "lacks folder", "grid.step_size", "lacks count"):
        assert word in str(told.value)


def test_all_faults_of_values_are_told_at_once():
    wrong = {"seed = 5": "seed = -1", '["stability"]': '["stabilty"]', "n_points": "points", "dim = 1": "dims = 1"}
    text = TEXT
    for old, new in wrong.items():
        text = text.replace(old, new)
    with pytest.raises(InvalidInputError) as told:
        parsed(text, "x.toml")
    places = [line.split(": ")[0] for line in str(told.value).splitlines()]
    assert places == ["x.toml:4", "x.toml:2", "x.toml:9", "x.toml:10"]


def test_a_file_without_a_family_says_so():
    with pytest.raises(InvalidInputError, match=r"x\.toml:6: maps\.family: lacks family: give one of Affine"):
        parsed(TEXT.replace('family = "LinearRegressionSGD"\n', ""), "x.toml")


@pytest.mark.parametrize("folder", ["/etc/x", "..", "../x", "a/../../x", "", ".", "link/x"])
def test_a_sweep_does_not_leave_the_output_folder(tmp_path, folder):
    out = tmp_path / "out"
    out.mkdir()
    (out / "link").symlink_to(tmp_path)
    made = parsed(TEXT.replace('"small"', json.dumps(folder)), "x.toml")
    with pytest.raises(InvalidInputError, match=r"x\.toml:\d+: folder: .* leaves the output folder"):
        made.folder_in(out)
    assert parsed(TEXT, "x.toml").folder_in(out) == (out / "small").resolve()


def test_families_are_made_by_their_names():
    for family in FAMILIES:
        assert names_of(family) or family in (
            "gallery.sierpinski",
            "gallery.barnsley_fern",
            "gallery.arcsine",
            "gallery.vervaat",
            "gallery.reflected_walk",
        )
    heavy = make_system("QuadraticSGD", curvatures=[1.0, 2.0], minimizers=[0.0, 1.0], step_size=0.1, momentum=0.5)
    assert isinstance(heavy, ito.Optimizer)
    labels = make_system("LogisticRegressionSGD", data="normal", step_size=0.1).labels
    assert set(np.unique(labels)) == {-1.0, 1.0}
    with pytest.raises(InvalidInputError, match="condition is an option of data = 'normal'"):
        make_system("LinearRegressionSGD", data="diabetes", condition=2.0, step_size=0.1)
    with pytest.raises(InvalidInputError, match="cannot be made"):
        make_system("LinearRegressionSGD", data="normal")


def test_lines_of_keys():
    assert line_of(TEXT, ["grid", "sampling"]) == 14
    assert line_of(TEXT, ["together", "ridge"]) == 20
    assert line_of(TEXT, ["grid", "step_size", "scale"]) == 13
    assert line_of(TEXT, ["maps", "unknown"]) == 6
    assert line_of(TEXT, ["nothing"]) is None


def test_a_plan_tells_cells_and_bytes():
    plan = planned(parsed(TEXT, "x.toml").cells)
    assert (plan.cells, plan.sampled, plan.failed) == (6, 6, 0)
    assert plan.result_bytes == 8 + 1 + 8
    assert plan.seconds == pytest.approx(6 * plan.seconds_each)
    assert plan.file_bytes > 6 * 17


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(TEXT)
    return tmp_path


def test_the_command_plans_works_tells_and_goes_on(here, capsys):
    assert cli.main(["sweep", "small.toml", "--dry-run", "--json", "plan.json"]) == cli.OK
    assert json.loads((here / "plan.json").read_text())["cells"] == 6
    assert "work:" in capsys.readouterr().out
    assert not (here / "small").exists()
    assert cli.main(["sweep", "small.toml", "--quiet"]) == cli.OK
    assert "6 of 6 cells are done" in capsys.readouterr().out
    assert cli.main(["sweep", "status", "small", "--json", "status.json"]) == cli.OK
    assert json.loads((here / "status.json").read_text())["done"] == 6
    (here / "small.toml").unlink()
    assert cli.main(["sweep", "resume", "small", "--quiet", "--workers", "1", "--engine", "processes"]) == cli.OK


def test_the_advice_to_go_on_is_one_that_works(here):
    ito.sweep(two_points, {"h": [0.1]}, tiny, seed=0, folder="python", progress=False)
    assert _to_go_on(Path("python")).startswith("call ito.sweep again")
    assert cli.main(["sweep", "small.toml", "--quiet"]) == cli.OK
    assert _to_go_on(Path("small")) == "iterorder sweep resume small"


def test_failed_cells_are_exit_status_one(here, capsys):
    text = TEXT.replace('measure = ["stability"]', 'measure = "final_law"').replace("to = 1.0", "to = 1000.0")
    (here / "small.toml").write_text(text.replace('"final_law"', "{stationary_sample = {n_samples = 5}}"))
    assert cli.main(["sweep", "small.toml", "--quiet"]) == cli.FAILED
    told = capsys.readouterr().out
    assert "NotContractiveError, the first at step_size=" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["missing.toml"], "no such file: missing.toml"),
        (["small.toml", "more"], "give CONFIG.toml, a preset, status FOLDER or resume FOLDER"),
        (["status", "nowhere"], "no sweep in nowhere"),
        (["resume", "python"], "made from Python"),
        (["small.toml", "--workers", "0"], "workers"),
        (["small.toml", "--scheduler", "x"], "tcp://host:8786"),
        (["small.toml", "--json", "no/folder/x"], "--json"),
    ],
)
def test_wrong_arguments_of_the_command(here, capsys, arguments, told):
    ito.sweep(two_points, {"h": [0.1]}, tiny, seed=0, folder="python", progress=False)
    assert cli.main(["sweep", *arguments]) == cli.USAGE
    assert told in capsys.readouterr().err
    assert not (here / "small").exists()


def test_a_scheduler_that_is_gone_is_exit_status_three(here, capsys, monkeypatch):
    import dask
    import distributed  # noqa: F401

    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        assert cli.main(["sweep", "small.toml", "--quiet", "--scheduler", "tcp://127.0.0.1:1"]) == cli.GONE
    assert "no scheduler answers" in capsys.readouterr().err


def test_a_file_trains_networks_of_a_preset(tmp_path):
    text = """
seed = 1
folder = "nets"
measure = { training = { n_steps = 30, n_sequences = 2, stride = 5 } }

[maps]
family = "network"
hidden = [8]

[grid]
step_size = [0.05, 0.1]
order = ["forward", "backward"]
"""
    found = run_configuration(parsed(text, "nets.toml"), tmp_path / "nets", progress=False)
    assert found.failed == []
    assert found.grid.shape == (2, 2)
    with pytest.raises(InvalidInputError, match="no parameter of network"):
        parsed(text.replace("hidden", "layers"), "nets.toml")
    with pytest.raises(InvalidInputError, match=r"name is '\.\./own': give one of"):
        parsed(text.replace("hidden = [8]", 'name = "../own"'), "nets.toml")
