"""The phase diagram: what its file holds against the theory, and the sweep that it is drawn from."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import iterorder as ito
from iterorder.sweeps.cells import Part
from iterorder.sweeps.registered import VERDICTS

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import figure_phase_diagram as figure  # noqa: E402

SIDECAR = json.loads((ROOT / "figures" / "phase_diagram.json").read_text(encoding="utf-8"))
DATA = {name: np.array(values) for name, values in SIDECAR["data"].items()}
POINT, DISTRIBUTION, DIVERGES, _ = range(4)


@pytest.fixture(scope="module")
def configuration():
    return figure.read_configuration(figure.CONFIGURATION)


def test_the_file_is_that_of_the_committed_configuration(configuration):
    assert SIDECAR["parameters"]["configuration"] == figure.CONFIGURATION.read_text(encoding="utf-8")
    assert DATA["verdict"].shape == (2, 2, 16, 40)
    assert DATA["verdict"].size == len(configuration.cells.grid) >= 2500
    assert DATA["verdict"].min() >= 0  # no cell is missing


@pytest.mark.parametrize("order", [0, 1])
def test_least_squares_diverges_where_the_theory_says(order):
    """Away from the boundaries (C7), in both orders; a boundary twice as high, the control, is contradicted."""
    h, verdicts = DATA["step_size"][None], DATA["verdict"][0, order]
    stable, unstable = h < 0.9 * DATA["mean_square"][:, None], h > 1.2 * DATA["almost_sure"][:, None]
    assert stable.sum() > 300
    assert unstable.sum() > 200
    assert (verdicts[stable] != DIVERGES).all()
    assert (verdicts[unstable] == DIVERGES).all()
    assert (verdicts[h < 2.0 * DATA["mean_square"][:, None]] == DIVERGES).any()


def test_backward_settles_and_forward_moves():
    """Where least squares is stable (C2, C3); a batch of all points is the same map at each step, and settles too."""
    stable = DATA["step_size"][None] < 0.9 * DATA["mean_square"][:, None]
    forward, backward = (DATA["verdict"][0, order][stable] for order in (0, 1))
    assert (backward == POINT).all()
    some = stable[:-1]
    assert not (DATA["verdict"][0, 0][:-1][some] == POINT).any()
    assert (DATA["verdict"][0, 0][-1][stable[-1]] == POINT).all()
    assert (forward == DISTRIBUTION).mean() > 0.5


def test_cells_of_the_file_are_computed_again(configuration):
    """Three cells, far apart, have the verdict that was kept."""
    cells, flat = configuration.cells, DATA["verdict"].ravel()
    for cell in (15, 700, 1400):
        point = cells.grid.point(cell)
        maps = cells.maps_of(cell)
        found = ito.diagnose(maps, np.zeros(2), 1500, order=point["order"], n_replicas=32, seed=0).verdict
        assert VERDICTS[flat[cell]] == found
        assert not cells.compute(Part(cell)).error


def test_a_thinner_diagram_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(figure, "THIN", {"batch_size": 15, "step_size": 13})
    monkeypatch.setattr(figure, "boundaries", lambda configuration, sizes, kind: np.ones(len(sizes)))
    files = figure.draw("quick", tmp_path)
    assert sorted(file.suffix for file in files) == [".json", ".pdf", ".png"]
    thin = np.array(json.loads((tmp_path / "phase_diagram.json").read_text())["data"]["verdict"])
    assert np.array_equal(thin, DATA["verdict"][:, :, ::15, ::13])
