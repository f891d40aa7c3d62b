"""Systems of a user's file, and `iterorder check --systems`: the general claims on them."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest

import iterorder as ito
from iterorder.cli import main
from iterorder.gate import general
from iterorder.gate.systems_file import systems_of_file

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


# -------------------------------------------------------------------------------------------------------------- systems


def test_systems_come_from_a_file(file):
    found = systems_of_file(file)
    assert [entry.name for entry in found] == ["ar", "fractal", "reshuffled"]
    assert found[1].x0.tolist() == [0.1, 0.2]


def neighbour_of(folder, h, package=False):
    """A folder whose systems import what lies beside them."""
    folder.mkdir()
    beside = folder / "steps" / "__init__.py" if package else folder / "steps.py"
    beside.parent.mkdir(exist_ok=True)
    beside.write_text(f"H = {h}\n")
    path = folder / "systems.py"
    path.write_text(
        "import iterorder as ito\nimport steps\nSYSTEMS = {'a': ito.gallery.two_point_quadratic(steps.H)}\n"
    )
    return path


@pytest.mark.parametrize("package", [False, True])
def test_systems_import_their_neighbours_and_leave_nothing(tmp_path, monkeypatch, package):
    """As under `python d/systems.py`, whatever the working folder; two folders may have neighbours of one name."""
    first, second = neighbour_of(tmp_path / "a", 0.25, package), neighbour_of(tmp_path / "b", 0.5, package)
    searched = list(sys.path)
    for path, slope in ((first, 0.75), (second, 0.5), (first, 0.75)):
        assert systems_of_file(path)[0].maps.lipschitz_max == slope
        assert sys.path == searched
        assert "steps" not in sys.modules
    monkeypatch.chdir(tmp_path / "a")
    assert systems_of_file("systems.py")[0].maps.lipschitz_max == 0.75


def test_a_file_that_fails_leaves_nothing_either(tmp_path):
    path = neighbour_of(tmp_path / "a", 0.25)
    path.write_text("import steps\n1 / 0\n")
    searched = list(sys.path)
    with pytest.raises(ito.InvalidInputError, match="line 2, fails: ZeroDivisionError"):
        systems_of_file(path)
    assert sys.path == searched
    assert "steps" not in sys.modules


def test_a_package_without_init_is_left_to_nobody_either(tmp_path, monkeypatch):
    """Python looks up where its parts lie along sys.path, and finds others where the folder is searched no more."""
    for name, h in (("a", 0.25), ("b", 0.5)):
        (tmp_path / name / "parts").mkdir(parents=True)
        (tmp_path / name / "parts" / "inner.py").write_text(f"H = {h}\n")
        (tmp_path / name / "systems.py").write_text(
            "import iterorder as ito\nfrom parts import inner\n"
            "SYSTEMS = {'a': ito.gallery.two_point_quadratic(inner.H)}\n"
        )
    monkeypatch.syspath_prepend(str(tmp_path / "a"))
    for name, slope in (("b", 0.5), ("a", 0.75), ("b", 0.5)):
        assert systems_of_file(tmp_path / name / "systems.py")[0].maps.lipschitz_max == slope
        assert not {"parts", "parts.inner"} & set(sys.modules)


def test_modules_from_elsewhere_stay(tmp_path):
    """A module from an environment below the folder is imported once in a process: compiled ones cannot be twice."""
    path = neighbour_of(tmp_path / "a", 0.25)
    library = tmp_path / "a" / "environment" / "lib"
    library.mkdir(parents=True)
    (library / "installed_thing.py").write_text("")
    path.write_text(f"import sys\nsys.path.append({str(library)!r})\nimport installed_thing\n" + path.read_text())
    systems_of_file(path)
    assert sys.modules.pop("installed_thing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "wrong.py defines no SYSTEMS"),
        ("x = 1\nSYSTEMS = []", "wrong.py, line 2, has SYSTEMS that is an empty list"),
        ("SYSTEMS: dict = {}", "wrong.py, line 1, has SYSTEMS that is an empty dict"),
        ("def f():\n    1 / 0\nf()", "wrong.py, line 2, fails: ZeroDivisionError"),
        ("import iterorder\nx = (", "wrong.py, line 2, fails: SyntaxError"),
        ("import sys\nsys.exit(0)", "wrong.py, line 2, fails: SystemExit: 0"),
        ("import no_such_module", "wrong.py, line 1, fails: ModuleNotFoundError"),
        ("SYSTEMS = {\n 'b':\n 2,\n 'a': 3}", "wrong.py, line 2, has no system in SYSTEMS['b']: maps is an int"),
        ("SYSTEMS = dict(a=3)", "wrong.py, line 1, has no system in SYSTEMS['a']: maps is an int"),
        (
            "import iterorder as ito\nSYSTEMS = {'a': (ito.gallery.sierpinski(), [0.0])}",
            "line 2, has no system in SYSTEMS['a']: x0 of 'a' has shape",
        ),
        ("import iterorder as ito\nSYSTEMS = {'a': ito.gallery.cyclic_walk(1)}", "wrong.py, line 2, fails: N is 1"),
        # In a baseline both would be "3", and one of them lost.
        ("SYSTEMS = {\n 3: 1,\n '3': 2}", "wrong.py, line 3, has two systems that are called '3'"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, capsys, text, message):
    path = tmp_path / "wrong.py"
    path.write_text(text)
    assert main(["check", "--systems", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_all_wrong_entries_of_a_file_are_told_at_once(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text("SYSTEMS = {\n 'a': 3,\n 'b': 'x',\n}", encoding="utf-8")
    with pytest.raises(ito.InvalidInputError) as told:
        systems_of_file(path)
    assert [line.partition(" has ")[0] for line in str(told.value).splitlines()] == [
        f"{path}, line 2,",
        f"{path}, line 3,",
    ]


def test_a_missing_file_and_claims_beside_it_are_refused(tmp_path, file, capsys):
    assert main(["check", "--systems", str(tmp_path / "none.py")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["check", "--systems", str(tmp_path)]) == 2
    assert "is a folder: give a Python file" in capsys.readouterr().err
    assert main(["check", "C1", "--systems", str(file)]) == 2
    assert "beside --systems" in capsys.readouterr().err


def test_own_systems_pass_the_general_claims(file, tmp_path, capsys):
    assert main(["check", "--systems", str(file), "--json", str(tmp_path / "table.json")]) == 0
    rows = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert {(row["claim"], row["system"].partition(":")[0]) for row in rows} >= {("C1", "ar"), ("C4", "fractal")}
    assert "C5" in {row["claim"] for row in rows}
    assert "0 fail" in capsys.readouterr().out


NOT_SETTLING = """
import iterorder as ito

def far(x, draw, params, out):
    out[0] = 3.0 * x[0] + draw[0]

SYSTEMS = {
    "walk": ito.gallery.cyclic_walk(5),
    "growing": ito.AffineMaps([[[1.3]], [[1.2]]], [[1.0], [0.0]]),
    "far": ito.CustomMaps(far, dim=1),
    "good": ito.gallery.two_point_quadratic(0.5),
}
"""


def test_systems_that_never_settle_fail_and_say_how(tmp_path, capsys):
    path = tmp_path / "walk.py"
    path.write_text(NOT_SETTLING)
    assert main(["check", "--systems", str(path), "--json", str(tmp_path / "table.json")]) == 1
    rows = json.loads((tmp_path / "table.json").read_text())["rows"]
    verdicts = {(row["system"].partition(":")[0], row["claim"]): row["verdict"] for row in rows}
    assert {key for key, verdict in verdicts.items() if verdict == "fail"} == {
        ("walk", "C2"),
        ("growing", "C2"),
        ("far", "C2"),
    }
    # The walk keeps a law, though its backward iterates do not settle; a system that expands has none to keep.
    assert verdicts["walk", "C3"] == verdicts["walk", "C4"] == "pass"
    assert verdicts["growing", "C3"] == verdicts["growing", "C4"] == "skipped"
    out = " ".join(capsys.readouterr().out.split())
    assert "C2 fails for walk: backward iterates go on moving" in out
    assert "C2 fails for growing: the system expands: its forward moves grow" in out
    assert "C2 fails for far: the system expands, all 2000 replicas left the finite numbers" in out
    assert "3 fail, 3 skipped" in out  # C3 and C4 of the one, C5 of the maps without a bound
    assert "controls" not in out


ORDERED = """
import iterorder as ito

losses = dict(curvatures=[1.0, 2.0, 0.5], minimizers=[0.0, 1.0, -1.0], step_size=0.3)
SYSTEMS = {
    "cyclic": ito.QuadraticSGD(**losses, sampling="cyclic"),
    "schedule": ito.Optimizer(ito.QuadraticSGD(**losses), schedule="cosine", horizon=5000),
    "reshuffle": ito.QuadraticSGD(**losses, sampling="reshuffle"),
}
"""


def test_maps_in_an_order_of_their_own_keep_no_law_of_both_orders(tmp_path, capsys):
    """Read backward, cyclic order is another order (C13), and a schedule another schedule: no failure of the system."""
    path = tmp_path / "ordered.py"
    path.write_text(ORDERED)
    assert main(["check", "--systems", str(path), "--json", str(tmp_path / "table.json")]) == 0
    rows = json.loads((tmp_path / "table.json").read_text())["rows"]
    verdicts = {(row["system"].partition(":")[0], row["claim"]): row["verdict"] for row in rows}
    for name in ("cyclic", "schedule"):
        assert {verdicts[name, claim] for claim in ("C1", "C3", "C4")} == {"skipped"}
    assert verdicts["cyclic", "C2"] == "pass"
    # The control: with reshuffling the laws agree at the ends of epochs, and all is tested.
    assert {verdicts["reshuffle", claim] for claim in ("C1", "C2", "C3", "C4")} == {"pass"}
    out = " ".join(capsys.readouterr().out.split())
    assert "in cyclic order the law goes round" in out
    assert "the step size changes with the step" in out


SHARED = """
import iterorder as ito

def root(x, draw, params, out):
    out[0] = 1.0 + (0.3 + 0.5 * draw[0]) * (x[0] - 1.0)

third = [[-0.5, -(0.75**0.5)], [0.75**0.5, -0.5]]
SYSTEMS = {
    "one minimiser": ito.QuadraticSGD([1.0, 0.5], [2.0, 2.0], 0.1),
    "from it": (ito.QuadraticSGD([1.0, 0.5], [2.0, 2.0], 0.1), [2.0]),
    "program": ito.CustomMaps(root, dim=1),
    "slow": ito.QuadraticSGD([1.0, 0.5], [2.0, 2.0], 0.001),
    "turns": (ito.AffineMaps([[[1.0, 0.0], [0.0, 1.0]], third], [[0.0, 0.0], [0.0, 0.0]]), [1.0, 0.0]),
    "two minimisers": ito.QuadraticSGD([1.0, 0.5], [2.0, 1.0], 0.1),
}
"""


def test_maps_that_share_a_fixed_point_settle_in_both_orders(tmp_path, capsys):
    """Interpolation (C14): forward moves go to zero, and backward ones may not be held against them."""
    path = tmp_path / "shared.py"
    path.write_text(SHARED)
    assert main(["check", "--systems", str(path), "--json", str(tmp_path / "table.json")]) == 1
    rows = json.loads((tmp_path / "table.json").read_text())["rows"]
    verdicts = {(row["system"].partition(":")[0], row["claim"]): row["verdict"] for row in rows}
    for name in ("one minimiser", "from it", "program"):
        assert (verdicts[name, "C2"], verdicts[name, "C3"]) == ("pass", "skipped")
    assert verdicts["slow", "C2"] == "pass"  # which takes 40 times the steps of the others
    # The controls: no contraction at all, and minimisers that differ.
    assert verdicts["turns", "C2"] == "fail"
    assert verdicts["two minimisers", "C2"] == verdicts["two minimisers", "C3"] == "pass"
    out = " ".join(capsys.readouterr().out.split())
    assert "times the way from their start" in out
    assert "share a fixed point" in out


SLOW = """
import iterorder as ito

SYSTEMS = {
    "small steps": ito.gallery.two_point_quadratic(0.001),
    "slopes of .999": ito.AffineMaps([[[0.999]], [[0.999]]], [[1.0], [0.0]]),
    "reshuffled": ito.QuadraticSGD([1.0, 2.0, 0.5], [0.0, 1.0, 5.0], 0.001, sampling="reshuffle"),
    "too slow": ito.gallery.two_point_quadratic(1e-7),
    "isometries": ito.AffineMaps([[[1.0]], [[1.0]]], [[1.0], [-1.0]]),
}
"""


def test_slow_systems_get_the_steps_that_they_take(tmp_path):
    """With 400 steps each of them failed C2, and C3 with it, for no fault of its own."""
    path, table = tmp_path / "slow.py", tmp_path / "table.json"
    path.write_text(SLOW)
    assert main(["check", "--systems", str(path), "--json", str(table)]) == 1
    rows = json.loads(table.read_text())["rows"]
    verdicts = {(row["system"].partition(":")[0], row["claim"]): row["verdict"] for row in rows}
    for name in ("small steps", "slopes of .999", "reshuffled"):
        assert {verdicts[name, f"C{k}"] for k in (1, 2, 3, 4)} == {"pass"}, name
    # What would take minutes is said to, and what holds at every n is tested all the same.
    assert [verdicts["too slow", f"C{k}"] for k in range(1, 6)] == ["pass", *3 * ["skipped"], "pass"]
    reasons = [row["note"] for row in rows if row["verdict"] == "skipped" and row["claim"] != "C5"]
    assert all("exponent of -1e-07 a step it settles in 3e+08 steps, more than the 1" in reason for reason in reasons)
    # The control: no number of steps makes a walk settle.
    assert verdicts["isometries", "C2"] == "fail"


def test_the_steps_of_a_check_follow_from_the_exponent():
    """e^(γn) is what is left of a start that is as far away as it may be: no more steps than that takes."""
    for slope in (0.9, 0.99, 0.999):
        maps = ito.AffineMaps([[[slope]]], [[1.0]])
        n, reason = general._steps(ito.theory(maps), 2000, maps)
        assert reason == ""
        left = slope**n * general.AWAY / abs(math.log(slope))
        assert left <= general.SETTLED
        assert n == general.LONG or left > 0.99 * general.SETTLED * slope
    walk = ito.gallery.reflected_walk()
    assert general._steps(ito.theory(walk), 2000, walk) == (general.LONG, "")  # an exponent of zero asks for nothing


def test_the_second_start_is_as_far_away_as_the_first(tmp_path, capsys):
    path = tmp_path / "far.py"
    path.write_text(
        "import iterorder as ito\nquadratic = ito.gallery.two_point_quadratic(0.3)\n"
        "SYSTEMS = {str(x): (quadratic, [x]) for x in (0.0, 0.5, -3.0, 1e20, -1e100, 1e308)}\n"
    )
    entries = systems_of_file(path)
    assert [entry.other_start[0] for entry in entries[:4]] == [1.0, 1.5, 0.0, 2e20]
    assert all(np.isfinite(entry.other_start).all() for entry in entries)
    assert entries[3].x0[0] + 1.0 == entries[3].x0[0]  # the control: what it was
    assert main(["rates", "--systems", str(path)]) == 0
    assert "6 rates per step" in capsys.readouterr().out
    assert main(["check", "--systems", str(path)]) == 1  # 800 steps do not forget 10³⁰⁸
    assert "C2 fails for 1e+308: backward iterates go on moving" in " ".join(capsys.readouterr().out.split())


def test_advice_on_systems_that_expand_fits_them(tmp_path, capsys):
    path = tmp_path / "expand.py"
    path.write_text(
        "import iterorder as ito\nSYSTEMS = {'maps': ito.AffineMaps([[[1e30]]], [[1.0]]),\n"
        " 'descent': ito.LinearRegressionSGD([[1.0], [2.0]], [0.0, 1.0], 9.0)}\n"
    )
    assert main(["check", "--systems", str(path), "--format", "github"]) == 1
    first, second = (line for line in capsys.readouterr().out.splitlines() if line.startswith("::error"))
    assert "step size" not in first
    assert second.endswith("; take a smaller step size or a ridge")


def test_a_few_replicas_that_leave_stop_no_check(tmp_path, capsys):
    """Slopes of 10²⁰⁰, once in 2000 steps: the law is there (γ < 0), and floats cannot hold all of it."""
    path, table = tmp_path / "rare.py", tmp_path / "table.json"
    path.write_text(
        "import iterorder as ito\nmaps = ito.AffineMaps([[[1e200]], [[0.5]]], [[0.0], [1.0]], [0.0005, 0.9995])\n"
        "half = ito.AffineMaps([[[1e200]], [[0.5]]], [[0.0], [1.0]], [0.01, 0.99])\n"
        "SYSTEMS = {'rare': maps, 'half': half}\n"
    )
    assert main(["check", "--systems", str(path), "--json", str(table)]) == 1
    rows = json.loads(table.read_text())["rows"]
    verdicts = {(row["system"].partition(":")[0], row["claim"]): row["verdict"] for row in rows}
    assert {verdicts["rare", f"C{k}"] for k in (1, 2, 3, 4)} == {"pass"}
    assert verdicts["rare", "C5"] == "skipped"
    # The control: where nearly all replicas have left, nothing settles.
    assert verdicts["half", "C2"] == "fail"
    assert "C2 fails for half: " in " ".join(capsys.readouterr().out.split())


def test_a_bound_that_nobody_gave_skips_c5_with_the_reason(tmp_path, capsys):
    path, table = tmp_path / "plain.py", tmp_path / "table.json"
    path.write_text(
        "import iterorder as ito\ndef step(x, draw, params, out):\n    out[0] = 0.5 * (x[0] + draw[0])\n"
        "data = ([1.0, 2.0], [0.0, 1.0], 0.1)\n"
        "SYSTEMS = {'plain': ito.CustomMaps(step, dim=1), 'bound': ito.CustomMaps(step, dim=1, lipschitz=0.5),\n"
        "    'epochs': ito.QuadraticSGD(*data, sampling='reshuffle'),\n"
        "    'schedule': ito.Optimizer(ito.QuadraticSGD(*data), schedule='linear', horizon=10**6)}\n"
    )
    main(["check", "--systems", str(path), "--json", str(table)])
    rows = {
        row["system"].partition(":")[0]: row for row in json.loads(table.read_text())["rows"] if row["claim"] == "C5"
    }
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "plain": "skipped",
        "bound": "pass",
        "epochs": "skipped",
        "schedule": "skipped",
    }
    assert "not tested, as no bound of all Lipschitz constants" in rows["plain"]["note"]
    assert "not independent" in rows["epochs"]["note"]
    assert "changes with the step" in rows["schedule"]["note"]
    assert "as no bound of all Lipschitz constants" in " ".join(capsys.readouterr().out.split())


def test_a_gap_parts_systems_not_rows(file, capsys):
    assert main(["check", "--systems", str(file)]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    first, last = (k for k, line in enumerate(lines) if line.startswith(("claim", "uncertainty")))
    # One line under the headings, a gap after each of three systems.
    assert sum(not line for line in lines[first:last]) == 3
