"""Every preset: it loads, a dry run of it fails nowhere, and it has a figure of its own, a test and a section."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import iterorder.cli as cli
from iterorder.neighbours import MEASURES, SYSTEMS
from iterorder.presets import preset_names, preset_path, preset_title
from iterorder.sweeps import planning
from iterorder.sweeps.configuration import read_configuration

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "explanation" / "neighbours.md").read_text(encoding="utf-8")
#: Bytes that a figure may have.
MOST_BYTES = 400_000


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_runs_and_names_its_own_folder(name, monkeypatch):
    monkeypatch.setattr(planning, "SAMPLED", 2)
    configuration = read_configuration(preset_path(name))
    assert configuration.file.folder == name
    plan = planning.planned(configuration.cells)
    assert plan.sampled > 0
    assert plan.messages == ()


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_has_a_figure_a_test_and_a_section(name):
    """The figure's sidecar has the preset as it is now: one that was changed must be drawn again."""
    figure = f"neighbours_{name}"
    assert (ROOT / "scripts" / f"figure_{figure}.py").is_file()
    files = [ROOT / "figures" / f"{figure}.{kind}" for kind in ("png", "pdf", "json")]
    assert all(0 < file.stat().st_size < MOST_BYTES for file in files)
    sidecar = json.loads(files[-1].read_text(encoding="utf-8"))
    assert sidecar["parameters"]["configuration"] == preset_path(name).read_text(encoding="utf-8")
    assert (ROOT / "tests" / f"test_{figure}.py").is_file()
    assert f"`{name}`" in PAGE
    assert f"figures/{figure}.png" in PAGE


def test_every_measure_and_system_of_a_neighbour_is_in_a_preset():
    texts = "\n".join(preset_path(name).read_text(encoding="utf-8") for name in preset_names())
    for name in MEASURES:
        assert re.search(rf"\b{name}\b", texts), name
    for name in SYSTEMS:
        assert f'"neighbours.{name}"' in texts, name


def test_the_command_takes_a_preset_and_lists_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(planning, "SAMPLED", 1)
    name = preset_names()[0]
    assert cli.main(["sweep", name, "--dry-run"]) == cli.OK
    assert name in capsys.readouterr().out
    assert cli.main(["sweep", "--help"]) == cli.OK
    told = capsys.readouterr().out
    assert all(f"{name} " in told and preset_title(name) in told for name in preset_names())
    assert cli.main(["sweep", "no_preset"]) == cli.USAGE
    assert f"give one of {name}" in capsys.readouterr().err
    # A file of that name is taken before the preset; the control is a file that is no sweep.
    (tmp_path / name).write_text("seed = 0")
    assert cli.main(["sweep", name, "--dry-run"]) == cli.USAGE
    assert list(tmp_path.iterdir()) == [tmp_path / name]
