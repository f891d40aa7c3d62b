"""`iterorder rates`: measured, saved, held against a baseline, and what such a comparison can find."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

import iterorder as ito
from iterorder import files
from iterorder.cli import main, rates_view
from iterorder.cli.command import _parser
from iterorder.cli.rates_view import _tests
from iterorder.gate import baseline, rates
from iterorder.gate.comparison import compare
from iterorder.gate.systems_file import Entry, own_systems


def quadratic(h) -> list[Entry]:
    return [Entry("quadratic", ito.QuadraticSGD([1.0, 2.0], [0.0, 1.0], h), np.zeros(1))]


def test_known_rates_are_inside_their_intervals(monkeypatch):
    """The mean distance decays like (E|a|)^n: ½(1.2 + 0.3) for the map that expands, ½ for arcsine and vervaat."""
    exact = {"two-point quadratic, h=0.3": 0.7, "arcsine": 0.5, "vervaat": 0.5, "a map that expands": 0.75}
    monkeypatch.setitem(rates.SOUGHT, "quick", 0.2)  # fewer replicas
    for rate in rates.measure(own_systems(), seed=3):
        if rate.system in exact:
            # Twice the 95 % interval.
            assert abs(rate.rate - math.log(exact[rate.system])) <= rate.high - rate.low


def test_the_same_code_passes_and_another_rate_does_not(tmp_path):
    before = rates.measure(quadratic(0.3), seed=0)
    again = rates.measure(quadratic(0.3), seed=1)
    assert [row.verdict for row in compare(before, again)] == ["same"]
    slower = rates.measure(quadratic(0.25), seed=1)
    assert [row.verdict for row in compare(before, slower)] == ["changed"]
    other = [dataclasses.replace(again[0], system="another")]
    rows = compare(before, other)
    assert [(row.verdict, row.passed) for row in rows] == [("gone", False), ("new", True)]
    rows = compare(before, [rates.Unfitted("quadratic", "why"), rates.Unfitted("another", "why")])
    assert [(row.verdict, row.passed) for row in rows] == [("failed", False), ("failed", False)]


def test_false_alarms_are_as_rare_as_stated():
    """Forty comparisons at a level of 10⁻³ each: two alarms have a chance of 8e−4."""
    baseline = rates.measure(quadratic(0.4), seed=1000)
    verdicts = [compare(baseline, rates.measure(quadratic(0.4), seed=seed))[0].verdict for seed in range(40)]
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


TWO_SLOPES = ito.AffineMaps([[[0.3]], [[0.9]]], [[1.0], [0.0]])


def slower(share) -> list[Entry]:
    """The mean slope .6, and a rate that is smaller by a share of it."""
    matrices = TWO_SLOPES.matrices * 0.6**-share
    return [Entry("one", ito.AffineMaps(matrices, TWO_SLOPES.offsets), np.zeros(1))]


def test_replicas_are_as_many_as_a_change_of_five_per_cent_needs():
    """Measured over 100 seeds, five systems to a comparison: ±5 % found in 93 to 99 % in each of three systems."""
    rate = rates.measure(slower(0.0), seed=0)[0]
    finds = compare([rate], [rate])[0].detectable
    assert 0.5 * rates.SOUGHT["quick"] < finds < 1.1 * rates.SOUGHT["quick"]
    # Where all slopes are equal the first measurement is enough.
    assert rates.measure(quadratic(0.3), seed=0)[0].replicas > rates.REPLICAS
    equal = [Entry("equal", ito.gallery.two_point_quadratic(0.3), np.zeros(1))]
    assert rates.measure(equal, seed=0)[0].replicas == rates.REPLICAS
    now = [rates.measure(slower(0.05), seed=seed)[0] for seed in range(1, 9)]
    found = [compare([rate], [other])[0].verdict == "changed" for other in now]
    # Of eight with a chance of .9 each fewer than five are found once in 200 times.
    assert sum(found) >= 5
    # The control: 400 replicas, as before, find next to none of these.
    blunt = [dataclasses.replace(other, low=other.rate - 0.1, high=other.rate + 0.1) for other in now]
    assert not any(compare([rate], [other])[0].verdict == "changed" for other in blunt)


def test_progress_is_of_the_numbers_of_the_plan(monkeypatch):
    """A system of 20 dimensions takes more numbers at first than more replicas may: all of its share is that."""
    monkeypatch.setattr(rates, "REPLICAS", 40)
    monkeypatch.setitem(rates.NUMBERS, "quick", 19 * 40 * rates.STEPS)
    wide = ito.QuadraticSGD(np.broadcast_to(np.eye(20), (2, 20, 20)), np.eye(20)[:2], 0.05)
    systems = [*quadratic(0.3), Entry("wide", wide, np.zeros(20))]
    first, most = rates.REPLICAS * rates.STEPS, rates.NUMBERS["quick"]
    shares = []
    rates.measure(systems, seed=0, progress=shares.append)
    assert shares == sorted(set(shares))
    assert shares[-1] == 1.0
    # Where the first system ends, and the first of two starts of its first measurement.
    total = first + 2 * most + 20 * first
    assert (first + 2 * most) / total in shares
    assert min(shares) == pytest.approx(0.5 * first / total)


def known(name, rate, error):
    return rates.MeasuredRate(name, rate, rate - 1.96 * error, rate + 1.96 * error, 5, 10, "end")


def test_tolerance_and_side_of_a_comparison():
    before = [known("one", -1.0, 1e-3)]
    for now, rtol, one_sided, verdict in (
        (-0.95, 0.0, False, "changed"),
        (-1.05, 0.0, False, "changed"),
        (-0.95, 0.05, False, "same"),
        (-0.947, 0.05, False, "same"),
        (-0.9, 0.05, False, "changed"),
        (-0.95, 0.0, True, "slower"),
        (-1.05, 0.0, True, "faster"),
        (-1.05, 0.05, True, "same"),
    ):
        (row,) = compare(before, [known("one", now, 1e-3)], rtol=rtol, one_sided=one_sided)
        assert row.verdict == verdict
        assert row.passed == (verdict in ("same", "faster"))
    # What is found in 9 cases of 10: the quantiles of 1 − 10⁻³/2 and of .9, and the tolerance.
    (row,) = compare(before, before, rtol=0.05)
    assert row.detectable == pytest.approx(0.05 + (3.2905 + 1.2816) * math.sqrt(2) * 1e-3, rel=1e-4)


def test_what_a_test_finds_and_how_often_it_is_wrong():
    """10⁻³ of alarms and 9 in 10 of the changes that it says it finds, drawn from the normal law of the estimates."""
    generator = np.random.default_rng(1)
    draws = generator.standard_normal((4000, 2)) * 0.01
    finds = compare([known("one", -1.0, 0.01)], [known("one", -1.0, 0.01)])[0].detectable
    alarms = found = 0
    for first, second in draws:
        before = [known("one", -1.0 + first, 0.01)]
        alarms += compare(before, [known("one", -1.0 + second, 0.01)])[0].verdict == "changed"
        found += compare(before, [known("one", -1.0 + second + finds, 0.01)])[0].verdict == "changed"
    # 4 expected, more than 14 once in 10⁴ times; 3600 expected, standard deviation 19.
    assert alarms <= 14
    assert abs(found - 3600) <= 4 * 19


def test_a_measurement_tells_what_a_comparison_of_all_its_systems_finds():
    """The level is shared: of ten systems less is found than of one, and as much as two such measurements give."""
    now = [known(f"{k}", -1.0, 0.01) for k in range(10)]
    alone, shared = (_tests(compare([], some), compared=False)["0"].detectable for some in (now[:1], now))
    assert alone == compare(now[:1], now[:1])[0].detectable
    assert shared == compare(now, now)[0].detectable > alone
    assert _tests(compare(now, now), compared=True)["0"].detectable == shared


def test_a_system_that_is_to_have_no_rate(tmp_path, capsys):
    baseline_file, systems = tmp_path / "baseline.json", tmp_path / "systems.py"
    systems.write_text(ONE + "SYSTEMS['walk'] = ito.gallery.cyclic_walk(5)\n")
    common = ["rates", "--systems", str(systems)]
    assert main([*common, "--expect-none", "walk", "--save", str(baseline_file)]) == 0
    assert "walk has no rate, as is expected" in capsys.readouterr().out
    assert main([*common, "--expect-none", "walk", "--against", str(baseline_file)]) == 0
    assert "1 same, 0 changed, 1 none" in " ".join(capsys.readouterr().out.split())
    # The controls: without the option, and of a system that has a rate.
    assert main([*common, "--against", str(baseline_file)]) == 1
    assert main([*common, "--expect-none", "walk", "--expect-none", "one"]) == 1
    assert main([*common, "--expect-none", "walk", "--expect-none", "one", "--against", str(baseline_file)]) == 1
    assert "1 unexpected" in " ".join(capsys.readouterr().out.split())
    assert main([*common, "--expect-none", "other"]) == 2
    assert "--expect-none 'other' is no system: give one of 'one', 'walk'" in capsys.readouterr().err


WALKS = """
def step(x, draw, params, out):
    out[0] = x[0] + draw[0] - 0.5

SYSTEMS["steps"] = ito.CustomMaps(step, dim=1)
SYSTEMS["coin"] = ito.AffineMaps([[[1.0]], [[1.0]]], [[-1.0], [1.0]])

def harmonic(x, draw, params, out):
    out[0] = x[0] / (1.0 + x[0]) + 0.0 * draw[0]

SYSTEMS["reflected"] = ito.gallery.reflected_walk()
SYSTEMS["harmonic"] = ito.CustomMaps(harmonic, dim=1)
"""


def test_a_rate_that_cannot_be_told_from_zero_is_none(tmp_path, capsys):
    """A walk keeps starts apart and is fitted a rate of zero; starts that approach as 1/n have none either."""
    baseline_file, systems = tmp_path / "baseline.json", tmp_path / "systems.py"
    systems.write_text(ONE + WALKS)
    common = ["rates", "--systems", str(systems), "--format", "github"]
    expected = ["--expect-none", "steps", "--expect-none", "coin", "--expect-none", "harmonic"]
    expected += ["--expect-none", "reflected"]
    assert main([*common, *expected, "--save", str(baseline_file)]) == 0
    out = capsys.readouterr().out
    assert "coin has no rate, as is expected: it cannot be told from zero" in " ".join(out.split())
    assert "harmonic has no rate, as is expected: the distance does not fall exponentially" in " ".join(out.split())
    assert "1 rates per step, 4 without one" in out
    assert "is expected to have none" not in out
    assert "::" not in out
    assert main([*common, *expected, "--against", str(baseline_file)]) == 0
    assert "1 same, 0 changed, 4 none" in " ".join(capsys.readouterr().out.split())
    # The controls: without the option it is warned of, and a system that has a rate fails.
    assert main([*common]) == 0
    assert "::warning" in capsys.readouterr().out
    assert main([*common, *expected, "--expect-none", "one"]) == 1
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("::"))
    assert line.startswith("::error")
    assert "one has a rate, -0." in line


def test_what_a_failed_gate_measured_is_kept(tmp_path, capsys):
    first, second, table = tmp_path / "first.json", tmp_path / "second.json", tmp_path / "table.json"
    systems = tmp_path / "systems.py"
    systems.write_text(ONE)
    common = ["rates", "--systems", str(systems)]
    assert main([*common, "--save", str(first), "--json", str(table)]) == 0
    content = json.loads(table.read_text())
    assert content["passed"] is True
    assert content["rates"] == json.loads(first.read_text())["rates"]
    assert content["without_rate"] == []
    systems.write_text(ONE.replace("0.3)", "0.2)"))
    options = ["--against", str(first), "--save", str(second), "--json", str(table), "--format", "github"]
    capsys.readouterr()
    assert main([*common, *options]) == 1
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("::"))
    assert line.startswith(f"::error file={systems.as_posix()},line=2,title=iterorder rates::one: the rate was -")
    assert json.loads(second.read_text())["seed"] == 1
    content = json.loads(table.read_text())
    (row,) = content["rows"]
    assert (content["passed"], content["baseline_seed"], content["seed"]) == (False, 0, 1)
    assert (row["verdict"], row["passed"]) == ("changed", False)
    assert row["now"]["rate"] == json.loads(second.read_text())["rates"][0]["rate"]
    assert 0 < row["detectable_change"] < 0.1
    # The next comparison goes on with another seed.
    assert main([*common, "--against", str(second), "--one-sided", "--rtol", "0.1"]) == 0
    assert "seeds 1 and 2" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "0"], "--seed 0 is that of the baseline"),
        (["--save", "BASELINE"], "is the baseline of --against"),
        (["--json", "BASELINE"], "is the baseline of --against"),
        (["--rtol", "-0.1"], "--rtol is -0.1"),
        (["--rtol", "nan"], "--rtol is nan"),
    ],
)
def test_a_comparison_that_would_deceive_is_refused(tmp_path, capsys, options, message):
    path, systems = tmp_path / "baseline.json", tmp_path / "systems.py"
    baseline.save(path, [known("one", -1.0, 0.1)], seed=0, effort="quick")
    systems.write_text(ONE)
    saved = path.read_bytes()
    given = [str(path) if option == "BASELINE" else option for option in options]
    assert main(["rates", "--systems", str(systems), "--against", str(path), *given]) == 2
    assert message in capsys.readouterr().err
    assert path.read_bytes() == saved


@pytest.mark.parametrize("option", [["--rtol", "0.1"], ["--one-sided"]])
def test_options_of_a_comparison_need_one(capsys, option):
    assert main(["rates", *option]) == 2
    assert f"{option[0]} is given without --against" in capsys.readouterr().err


def test_one_file_for_two_things_is_refused(tmp_path, capsys):
    path = str(tmp_path / "x.json")
    assert main(["rates", "--save", path, "--json", path]) == 2
    assert "is the file of --save" in capsys.readouterr().err


def test_a_full_disk_loses_no_table(tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError("no space left on device")

    systems = tmp_path / "systems.py"
    systems.write_text(ONE)
    monkeypatch.setattr(files, "write_json", full)
    monkeypatch.setattr(baseline, "save", full)
    targets = ["--save", str(tmp_path / "a.json"), "--json", str(tmp_path / "b.json")]
    assert main(["rates", "--systems", str(systems), *targets]) == 2
    out, err = capsys.readouterr()
    assert "1 rates per step" in out
    assert err.count("no space left") == 2
    assert main(["check", "--systems", str(systems), "--json", str(tmp_path / "b.json")]) == 2
    out, err = capsys.readouterr()
    assert "0 fail" in out
    assert "no space left" in err


@pytest.mark.parametrize(
    "text", ["{", "{}", '{"schema": "x"}', '{"schema": "iterorder.rates/1", "seed": 0, "rates": [{"system": 1}]}']
)
def test_a_wrong_baseline_is_refused(tmp_path, capsys, text):
    path = tmp_path / "baseline.json"
    path.write_text(text)
    assert main(["rates", "--against", str(path)]) == 2
    assert "is no baseline" in capsys.readouterr().err


ONE = "import iterorder as ito\nSYSTEMS = {'one': ito.QuadraticSGD([1.0, 2.0], [0.0, 1.0], 0.3)}\n"
TWO = ONE + "SYSTEMS['two'] = ito.gallery.two_point_quadratic(0.5)\n"


def test_a_new_system_is_shown_and_one_that_is_gone_fails(tmp_path, capsys):
    baseline, systems = tmp_path / "baseline.json", tmp_path / "systems.py"
    for saved, present, status, told in ((ONE, TWO, 0, "1 new"), (TWO, ONE, 1, "1 gone")):
        systems.write_text(saved)
        assert main(["rates", "--save", str(baseline), "--systems", str(systems)]) == 0
        systems.write_text(present)
        capsys.readouterr()
        assert main(["rates", "--against", str(baseline), "--systems", str(systems)]) == status
        out = capsys.readouterr().out
        assert f"1 same, 0 changed, {told}" in " ".join(out.split())
        (row,) = (line for line in out.splitlines() if line.strip().startswith("two"))
        assert row.split()[-1] == told[2:]


def test_a_missing_baseline_says_how_to_write_one(tmp_path, capsys):
    assert main(["rates", "--against", str(tmp_path / "none.json")]) == 2
    error = capsys.readouterr().err
    assert f"there is no baseline {tmp_path / 'none.json'}" in error
    assert f"the same command with --save {tmp_path / 'none.json'} in place of --against" in error
    assert "Errno" not in error
    assert main(["rates", "--against", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "is a folder: give the file" in error
    assert "Errno" not in error


def test_a_cut_baseline_is_told_with_its_line(tmp_path, capsys):
    cut = tmp_path / "cut.json"
    cut.write_text('{\n "schema": "x",\n "rates": [', encoding="utf-8")
    assert main(["rates", "--against", str(cut)]) == 2
    error = capsys.readouterr().err
    assert "is cut or no JSON, line 3" in error
    assert "Expecting" not in error


def test_a_rate_that_is_not_negative_is_warned_of(tmp_path, capsys):
    baseline, systems = tmp_path / "baseline.json", tmp_path / "systems.py"
    systems.write_text(ONE + "SYSTEMS['grows'] = ito.AffineMaps([[[1.3]], [[1.2]]], [[1.0], [0.0]])\n")
    assert main(["rates", "--save", str(baseline), "--systems", str(systems)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    # log 1.25, the mean slope.
    assert "warning: grows: the rate is +0.223, not negative" in out
    assert out.count("warning:") == 1
    assert main(["rates", "--against", str(baseline), "--systems", str(systems)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "warning: grows: the rate is +0.223, not negative: starts do not approach in the mean (in the" in out
    assert out.count("warning:") == 1
    systems.write_text(ONE + "SYSTEMS['grows'] = ito.AffineMaps([[[0.3]], [[0.2]]], [[1.0], [0.0]])\n")
    assert main(["rates", "--against", str(baseline), "--systems", str(systems)]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "warning: grows: in the baseline, the rate is +0.223, not negative" in out
    assert out.count("warning:") == 1


ZERO = ONE + "SYSTEMS['walk'] = ito.AffineMaps([[[1.0]], [[1.0]]], [[0.1], [-0.1]])\n"


def test_of_a_rate_that_vanishes_differences_are_told_and_no_shares(tmp_path, capsys):
    """A share of a rate that is zero up to rounding is a quotient of roundings: 1.8e+11 % was printed for it."""
    saved, table, systems = (tmp_path / name for name in ("baseline.json", "table.json", "systems.py"))
    systems.write_text(ZERO)
    common = ["rates", "--systems", str(systems), "--json", str(table)]
    assert main([*common, "--save", str(saved)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "warning: walk: the rate is" in out
    assert "cannot be told from zero" in out
    assert "may pass unnoticed" not in out
    walk = json.loads(saved.read_text())["rates"][1]
    assert walk["replicas"] == rates.REPLICAS  # more would find nothing
    assert main([*common, "--against", str(saved)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert out.count("warning: walk:") == 1
    (cells,) = re.findall(r" walk (.*?) same", out)
    assert "%" not in cells
    one, walk = json.loads(table.read_text())["rows"]
    for row in (one, walk):
        assert 0.0 < row["allowed_difference"] < row["detectable_difference"] < 0.1
    assert walk["detectable_change"] is None
    assert one["detectable_change"] == pytest.approx(one["detectable_difference"] / abs(one["before"]["rate"]))
    assert re.search(r"±\d\S* % +\d\S* % +same", out)  # the control: shares of the other


def test_the_sign_of_a_rounding_decides_nothing():
    for rate, warned in ((1e-19, True), (-1e-19, True), (0.0, True), (-1e-3, True), (-1.0, False)):
        measured = known("one", rate, 1e-2)
        assert measured.vanishes == warned
        assert ("cannot be told from zero" in measured.warning) == warned
        (row,) = compare([measured], [measured])
        assert math.isnan(row.detectable) == warned
        assert row.to_dict()["allowed_difference"] == row.allowed > 0.0
    assert "not negative" in known("one", 1.0, 1e-2).warning


def test_slow_systems_are_compared_like_others():
    """Rates near 10⁻⁸, where 10⁻⁹ was once allowed for rounding: a change of ±5 % passed."""
    measured = []
    for h in (1e-8, 1.05e-8):
        maps = ito.AffineMaps(2 * [[[1.0 - h]]], [[0.0], [1e-8]])
        measured += rates.measure([Entry("slow", maps, np.zeros(1))], seed=0)
    assert compare(measured[:1], measured[:1])[0].verdict == "same"
    assert compare(measured[:1], measured[1:])[0].verdict == "changed"
    assert measured[0].replicas == rates.REPLICAS


def test_a_rate_that_cannot_be_fitted_stops_no_other(tmp_path, capsys):
    baseline, systems = tmp_path / "baseline.json", tmp_path / "systems.py"
    systems.write_text(TWO.replace("SYSTEMS = {", "SYSTEMS = {'walk': ito.gallery.cyclic_walk(5), "))
    assert main(["rates", "--save", str(baseline), "--systems", str(systems)]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "walk has no rate: the distance has 0 usable points" in out
    assert "2 rates per step, 1 without one" in out
    assert [rate["system"] for rate in json.loads(baseline.read_text())["rates"]] == ["one", "two"]
    assert main(["rates", "--against", str(baseline), "--systems", str(systems)]) == 1
    assert "2 same, 0 changed, 1 failed" in " ".join(capsys.readouterr().out.split())


def test_of_a_system_that_expands_no_option_is_asked_for_that_the_command_has_not(tmp_path, capsys):
    """The messages spoke of n_steps and of the error's trajectory, neither of which is to be had there."""
    systems = tmp_path / "systems.py"
    systems.write_text(
        "import iterorder as ito\nSYSTEMS = {'maps': ito.AffineMaps([[[200.0]]], [[1.0]]),\n"
        " 'descent': ito.QuadraticSGD([1.0, 20.0], [0.0, 1.0], 3.5), 'fine': ito.gallery.two_point_quadratic(0.5)}\n"
    )
    assert main(["rates", "--systems", str(systems)]) == 1
    out = " ".join(capsys.readouterr().out.split())
    # 200^134 is the first power beyond every float.
    assert re.search("maps has no rate: all 400 .* at step 134, where the system expands .*: take maps that", out)
    assert re.search("descent has no rate: .* the system expands .*: take a smaller step size 1 rate", out)
    assert "n_steps" not in out
    assert "trajectory" not in out
    assert "fine has no rate" not in out


def test_the_workflow_of_the_how_to_is_complete():
    """It parses, keeps the kernels where Numba writes them, and runs commands that the parser knows."""
    yaml = pytest.importorskip("yaml")
    page = (Path(__file__).parents[1] / "docs" / "how-to" / "guard-rates.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    workflow = yaml.safe_load(text)
    assert set(workflow) == {"name", True, "jobs"}  # YAML reads the key "on" as true
    (job,) = workflow["jobs"].values()
    (kept,) = (step["with"]["path"] for step in job["steps"] if "actions/cache" in step.get("uses", ""))
    assert job["env"]["NUMBA_CACHE_DIR"].endswith(f"/{kept}")
    assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    commands = [step["run"].split() for step in job["steps"] if step.get("run", "").startswith("iterorder")]
    assert [words[1] for words in commands] == ["check", "rates"]
    for words in commands:
        _parser().parse_args(words[1:])
    with pytest.raises(SystemExit):  # the control
        _parser().parse_args([*commands[1][1:], "--no-such-option"])


@pytest.mark.parametrize(("difference", "shown"), [(9e-10, "unchanged"), (0.0, "unchanged"), (-0.05, "-5 %")])
def test_a_change_within_its_noise_is_printed_as_none(difference, shown):
    before, now = known("a", -1.0, 0.005), known("a", -1.0 - difference, 0.005)
    assert rates_view._change(before, now) == shown


def test_shares_of_rounding_are_not_printed_digit_by_digit():
    assert rates_view._relative(9.3e-10, known("a", -1.0, 0.0)) == "<0.01 %"
    assert rates_view._relative(0.0213, known("a", -1.0, 0.0), "+") == "+2.1 %"
