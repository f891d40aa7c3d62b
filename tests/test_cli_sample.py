"""`iterorder sample`: the points are those of the library, with what the certificate says of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import iterorder as ito
from iterorder import cli
from iterorder.cli import figures
from iterorder.stationary.cost import estimate_sample_cost
from tests.cli_files import write_files

AR1 = ["sample", "ar1", "--set", "a=0.5", "--set", "sigma=1", "--samples", "200", "--seed", "3", "--quiet"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def sample():
    return ito.stationary_sample(ito.gallery.ar1(0.5, 1.0), 200, seed=3)


def test_both_files_hold_the_sample_to_the_bit(folder, sample):
    assert cli.main([*AR1, "--out", "a.csv"]) == cli.OK
    with open("a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["x0", "error_bound", "n_steps"]
    assert [float(row["x0"]) for row in rows] == sample.points[:, 0].tolist()
    assert [float(row["error_bound"]) for row in rows] == sample.error_bound.tolist()
    assert [int(row["n_steps"]) for row in rows] == sample.n_steps.tolist()
    assert cli.main([*AR1, "--out", "a.npz"]) == cli.OK
    with np.load("a.npz", allow_pickle=False) as content:
        assert np.array_equal(content["points"], sample.points)
        assert np.array_equal(content["error_bound"], sample.error_bound)
        about = json.loads(content["header"].tobytes())
    assert (about["certificate"], about["seed"]) == (sample.certificate, 3)


def test_the_certificate_the_bound_and_the_summary_are_told(folder, sample, capsys):
    assert cli.main([*AR1, "--json", "-"]) == cli.OK
    told = json.loads(capsys.readouterr().out)
    assert told["certificate"] == sample.certificate
    assert told["rests_on"] == sample.rests_on
    assert told["error_bound"] == sample.error_bound.max()
    assert told["n_steps"] == [sample.n_steps.min(), sample.n_steps.max()]
    assert told["mean"] == [sample.points.mean()]
    assert told["quantiles"]["0.5"] == [np.median(sample.points)]
    assert told["spread"] is None  # NaN, which JSON has not
    assert cli.main(AR1) == cli.OK
    out = capsys.readouterr().out
    assert f"certificate: {sample.certificate}, rests on {sample.rests_on}" in out
    assert f"within {sample.error_bound.max():.3g} of an exact draw" in out


def test_evidence_is_called_evidence(folder, capsys):
    command = ["sample", "reflected_walk", "--samples", "20", "--tol", "1e-2", "--quiet", "--out", "walk.csv"]
    assert cli.main(command) == cli.OK
    out = capsys.readouterr().out
    assert "certificate: coalescence, rests on starts that met" in out
    assert "evidence only, no bound" in out
    assert Path("walk.csv").read_text().startswith("x0,spread,n_steps\n")


def test_no_certificate_is_status_one_and_writes_nothing(folder, capsys):
    before = set(folder.iterdir())
    assert cli.main(["sample", "cyclic_walk", "--set", "N=5", "--out", "walk.csv", "--quiet"]) == cli.FAILED
    assert "no sample can be certified" in capsys.readouterr().err
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--samples", "0"], "--samples is 0"),
        (["--tol", "-1"], "--tol is -1.0"),
        (["--failure-probability", "2"], "--failure-probability is 2.0"),
        (["--max-steps", "0"], "--max-steps is 0"),
        (["--out", "a.txt"], "--out a.txt has the suffix '.txt'"),
        (["--out", "."], "--out . is a folder"),
    ],
)
def test_wrong_arguments(folder, capsys, arguments, told):
    assert cli.main(["sample", "sierpinski", *arguments]) == cli.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err


def test_a_dry_run_tells_and_writes_nothing(folder, capsys):
    before = set(folder.iterdir())
    assert cli.main([*AR1, "--dry-run", "--out", "a.csv", "--json", "-"]) == cli.OK
    told = json.loads(capsys.readouterr().out)
    assert told["bytes"] == 200 * 8 * 4
    assert told["seconds"] > 0
    assert set(folder.iterdir()) == before


def test_an_estimate_grows_with_the_samples_alone(monkeypatch):
    """From pieces of a pretended cost of 1 s and 2 ms a sample; a line through the origin would be far off."""
    clock = [0.0]

    def pretended(maps, count, **_):
        clock[0] += 1.0 + 0.002 * count

    monkeypatch.setattr("iterorder.stationary.cost.stationary_sample", pretended)
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    monkeypatch.setattr("iterorder.stationary.cost.SAMPLE_SECONDS", 1.2)
    found = estimate_sample_cost(ito.gallery.sierpinski(), 10**6, seed=0)
    assert found.seconds == pytest.approx(1.0 + 0.002 * 10**6, rel=1e-9)
    assert found.bytes == 10**6 * 8 * 5
    assert estimate_sample_cost(ito.gallery.sierpinski(), 10, seed=0).seconds == pytest.approx(1.02, rel=1e-9)


def test_an_interruption_while_writing_leaves_the_old_file(folder, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    Path("a.npz").write_text("old")
    monkeypatch.setattr(np, "savez", interrupted)
    before = set(folder.iterdir())
    assert cli.main([*AR1, "--out", "a.npz"]) == cli.INTERRUPTED
    assert "interrupted" in capsys.readouterr().err
    assert set(folder.iterdir()) == before
    assert Path("a.npz").read_text() == "old"


# -------------------------------------------------------------------------------------------------------------- figures


def test_figures_are_drawn_in_a_clone(folder, capsys):
    assert cli.main(["figures", "one_path", "--out", "drawn", "--json", "-", "--quiet"]) == cli.OK
    told = json.loads(capsys.readouterr().out)
    assert list(told["files"]) == ["one_path"]
    assert all(Path(name).is_file() for name in told["files"]["one_path"])


def test_outside_of_a_clone_the_command_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(figures, "HOME", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["figures", "one_path"]) == cli.USAGE
    assert "not installed with the package: clone its repository" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert figures.known_figures() == []


def test_a_package_that_was_copied_finds_the_clone_that_it_is_run_in(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(figures, "HOME", tmp_path)
    monkeypatch.chdir(Path(figures.__file__).resolve().parents[2] / "scripts")
    assert cli.main(["figures", "--list"]) == cli.OK
    assert "one_path" in capsys.readouterr().out.split()


def test_scripts_of_another_project_are_not_run(tmp_path, monkeypatch):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "make_figures.py").write_text("raise SystemExit", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n', encoding="utf-8")
    monkeypatch.setattr(figures, "HOME", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert figures.known_figures() == []


def test_a_dry_run_refuses_what_the_run_would(folder, capsys):
    """With the same words, that are of samples and not of replicas."""
    large = [*AR1, "--samples", "4e9"]
    told = []
    for more in (["--dry-run"], []):
        assert cli.main([*large, *more]) == cli.USAGE
        told.append(capsys.readouterr().err)
    assert told[0] == told[1]
    assert "lower --samples" in told[0]
