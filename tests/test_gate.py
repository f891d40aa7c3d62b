"""`iterorder check --systems` and `iterorder rates`: a user's own systems, and rates held against a baseline."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

import iterorder as ito
from iterorder.cli import main
from iterorder.gate import rates
from iterorder.gate.systems_file import Entry, own_systems, systems_of_file

GOOD = """
import iterorder as ito

def step(x, draw, params, out):
    out[0] = 0.6 * x[0] + draw[0]

SYSTEMS = {
    "ar": ito.CustomMaps(step, dim=1, noise="normal", lipschitz=0.6),
    "fractal": (ito.gallery.sierpinski(), [0.1, 0.2]),
    "reshuffled": ito.QuadraticSGD([1.0, 2.0, 0.5], [0.0, 1.0, -1.0], 0.3, sampling="reshuffle"),
}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "systems.py"
    path.write_text(GOOD)
    return path


def quadratic(h) -> list[Entry]:
    return [Entry("quadratic", ito.QuadraticSGD([1.0, 2.0], [0.0, 1.0], h), np.zeros(1))]


# -------------------------------------------------------------------------------------------------------------- systems


def test_systems_come_from_a_file(file):
    found = systems_of_file(file)
    assert [entry.name for entry in found] == ["ar", "fractal", "reshuffled"]
    assert found[1].x0.tolist() == [0.1, 0.2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "defines no systems"),
        ("SYSTEMS = []", "defines no systems"),
        ("1 / 0", "ZeroDivisionError"),
        ("SYSTEMS = {'a': 3}", "maps is a int"),
        ("import iterorder as ito\nSYSTEMS = {'a': (ito.gallery.sierpinski(), [0.0])}", "x0 of 'a' has shape"),
        ("import iterorder as ito\nSYSTEMS = {'a': ito.gallery.cyclic_walk(1)}", "N is 1"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, capsys, text, message):
    path = tmp_path / "wrong.py"
    path.write_text(text)
    assert main(["check", "--systems", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_file_and_claims_beside_it_are_refused(tmp_path, file, capsys):
    assert main(["check", "--systems", str(tmp_path / "none.py")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["check", "C1", "--systems", str(file)]) == 2
    assert "beside --systems" in capsys.readouterr().err


def test_own_systems_pass_the_general_claims(file, tmp_path, capsys):
    assert main(["check", "--systems", str(file), "--json", str(tmp_path / "table.json")]) == 0
    rows = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert {(row["claim"], row["system"].partition(":")[0]) for row in rows} >= {("C1", "ar"), ("C4", "fractal")}
    assert "C5" in {row["claim"] for row in rows}
    assert "0 fail" in capsys.readouterr().out


def test_a_system_that_never_settles_fails(tmp_path, capsys):
    path = tmp_path / "walk.py"
    path.write_text("import iterorder as ito\nSYSTEMS = {'walk': ito.gallery.cyclic_walk(5)}")
    assert main(["check", "--systems", str(path)]) == 1
    assert "fail" in capsys.readouterr().out


# ---------------------------------------------------------------------------------------------------------------- rates


def test_known_rates_are_inside_their_intervals():
    """The mean distance decays like (E|a|)^n: ½(1.2 + 0.3) for the map that expands, ½ for arcsine and vervaat."""
    exact = {"two-point quadratic, h=0.3": 0.7, "arcsine": 0.5, "vervaat": 0.5, "a map that expands": 0.75}
    for rate in rates.measure(own_systems(), seed=3):
        if rate.system in exact:
            # Twice the 95 % interval.
            assert abs(rate.rate - math.log(exact[rate.system])) <= rate.high - rate.low


def test_the_same_code_passes_and_another_rate_does_not(tmp_path):
    before = rates.measure(quadratic(0.3), seed=0)
    again = rates.measure(quadratic(0.3), seed=1)
    assert [row.verdict for row in rates.compare(before, again)] == ["same"]
    slower = rates.measure(quadratic(0.25), seed=1)
    assert [row.verdict for row in rates.compare(before, slower)] == ["changed"]
    other = [dataclasses.replace(again[0], system="another")]
    assert [row.verdict for row in rates.compare(before, other)] == ["missing", "missing"]


def test_false_alarms_are_as_rare_as_stated():
    """Forty comparisons at a level of 10⁻³ each: two alarms have a chance of 8e−4."""
    baseline = rates.measure(quadratic(0.4), seed=1000)
    verdicts = [rates.compare(baseline, rates.measure(quadratic(0.4), seed=seed))[0].verdict for seed in range(40)]
    assert verdicts.count("changed") <= 1


def test_the_command_saves_and_compares(tmp_path, capsys):
    baseline = tmp_path / "baseline.json"
    systems = tmp_path / "systems.py"
    systems.write_text("import iterorder as ito\nSYSTEMS = {'one': ito.QuadraticSGD([1.0, 2.0], [0.0, 1.0], 0.3)}")
    common = ["--systems", str(systems)]
    assert main(["rates", "--save", str(baseline), *common]) == 0
    assert main(["rates", "--against", str(baseline), *common]) == 0
    out = capsys.readouterr().out
    assert "same" in out
    assert "seeds 0 and 1" in " ".join(out.split())
    systems.write_text("import iterorder as ito\nSYSTEMS = {'one': ito.QuadraticSGD([1.0, 2.0], [0.0, 1.0], 0.2)}")
    assert main(["rates", "--against", str(baseline), *common]) == 1
    assert "changed" in capsys.readouterr().out
    assert main(["rates", *common]) == 0


@pytest.mark.parametrize(
    "text", ["{", "{}", '{"schema": "x"}', '{"schema": "iterorder.rates/1", "seed": 0, "rates": [{"system": 1}]}']
)
def test_a_wrong_baseline_is_refused(tmp_path, capsys, text):
    path = tmp_path / "baseline.json"
    path.write_text(text)
    assert main(["rates", "--against", str(path)]) == 2
    assert "is no baseline" in capsys.readouterr().err


def test_a_rate_that_cannot_be_fitted_is_named(tmp_path, capsys):
    path = tmp_path / "walk.py"
    path.write_text("import iterorder as ito\nSYSTEMS = {'walk': ito.gallery.cyclic_walk(5)}")
    assert main(["rates", "--systems", str(path)]) in (0, 2)
    captured = capsys.readouterr()
    assert "walk" in captured.out + captured.err
