"""`iterorder train`: estimates before, the seed, the numbers as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from iterorder import cli
from iterorder.errors import InvalidInputError
from iterorder.networks import cost, data
from iterorder.networks.cost import estimate_experiment
from iterorder.networks.experiment import experiment
from iterorder.networks.settings import preset
from tests.cli_files import write_files


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cost, "SAMPLE_SECONDS", 0.01)
    write_files(tmp_path)
    return tmp_path


@pytest.fixture
def small(folder):
    settings = preset("my_network.toml")
    images = settings.images()
    return settings, settings.make_model(images), images


def test_planned_steps_are_those_that_are_made(small):
    settings, model, images = small
    stages, size = estimate_experiment(settings, model, images)
    planned = {stage.name: stage.steps for stage in stages}
    found = experiment(settings, images=images)
    made = {name: run.gradients[-1] for name, run in found.runs.items()}
    made |= {f"control, {name}": run.gradients[-1] for name, run in found.controls.items()}
    made |= {f"sequences, {name}": run.gradients[-1] * 12 for name, run in found.sequences.items()}
    made |= {name: baseline.gradients[-1] for name, baseline in found.baselines.items()}
    # A block of iterates carries one more, its neighbour in the next block: some percent.
    assert planned.keys() == made.keys()
    for name, steps in made.items():
        assert steps <= planned[name] <= 1.2 * steps, name
    assert all(stage.seconds > 0 for stage in stages)
    assert size > model.bytes_per_replica()
    alone, _ = estimate_experiment(settings, model, images, order="backward")
    assert [(stage.name, stage.steps) for stage in alone] == [("backward", planned["backward"])]


def test_a_dry_run_tells_and_trains_nothing(folder, capsys):
    before = set(folder.iterdir())
    assert cli.main(["train", "my_network.toml", "--dry-run", "--out", "runs", "--json", "-"]) == cli.OK
    told = json.loads(capsys.readouterr().out)
    assert told["seconds"] == pytest.approx(sum(run["seconds"] for run in told["runs"]), rel=1e-12)
    assert told["preset"] == "my_network"
    assert set(folder.iterdir()) == before


def test_a_seed_replaces_that_of_the_preset(folder, capsys):
    def losses(*more) -> float:
        command = ["train", "my_network.toml", "--order", "forward", "--quiet", "--json", "-"]
        assert cli.main([*command, *more]) == cli.OK
        told = json.loads(capsys.readouterr().out)
        (row,) = told["rows"]
        assert row["run"] == "forward"
        return row["test_loss"]

    own = losses("--out", "runs")
    assert losses("--out", "same", "--seed", "1") == own
    assert losses("--folder", "other", "--seed", "2") != own  # the old spelling
    refused = ["train", "my_network.toml", "--order", "forward", "--quiet", "--out", "runs", "--seed", "2"]
    assert cli.main(refused) == cli.USAGE
    assert "runs" in capsys.readouterr().err


def test_the_table_and_json_have_the_same_numbers(folder, capsys):
    command = ["train", "my_network.toml", "--quiet", "--out", "runs", "--json", "numbers.json"]
    assert cli.main(command) == cli.OK
    out, told = capsys.readouterr().out, json.loads(Path("numbers.json").read_text())
    assert [row["run"] for row in told["rows"]] == [
        "forward",
        "backward",
        "tail average",
        "linear decay",
        "control, forward",
        "control, backward",
    ]
    for row in told["rows"]:
        if row["test_loss"] is not None:
            assert np.isfinite(row["test_loss"])
            assert f"{row['test_loss']:.4f}" in out


def test_a_dry_run_fetches_nothing(folder, capsys, monkeypatch):
    """Data that are nowhere are told; the run itself would fetch them."""

    def fetched(*arguments):
        raise AssertionError("something was fetched")

    monkeypatch.setattr(data, "_fetched", fetched)
    monkeypatch.setattr(data, "cache_folder", lambda: folder / "cache")
    monkeypatch.setattr(data, "DEBIAN", folder / "nowhere")
    assert cli.main(["train", "fashion-mlp", "--dry-run"]) == cli.USAGE
    assert "allow the download" in capsys.readouterr().err
    with pytest.raises(AssertionError, match="was fetched"):
        preset("fashion-mlp").images()


def test_a_folder_that_nothing_is_read_from_is_told(tmp_path):
    with pytest.raises(InvalidInputError, match="leave out the folder"):
        preset("digits-mlp").images(tmp_path)
