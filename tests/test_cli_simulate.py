"""`iterorder simulate` and the systems that it and `sample` take: the states are those of the library, to the bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder import cli
from iterorder.cli.data_files import read_data
from iterorder.cli.order_option import as_order, as_save_steps
from iterorder.trajectory import Trajectory
from tests.cli_files import points, write_files

RUN = ["--steps", "60", "--replicas", "9", "--seed", "4", "--quiet"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    return tmp_path


def states_of(*command: str) -> np.ndarray:
    """What the command writes."""
    assert cli.main(["simulate", *command, *RUN, "--out", "run.npz"]) == cli.OK
    return ito.load("run.npz").states


def expected(maps, x0=None, **options) -> np.ndarray:
    start = np.zeros(maps.dim) if x0 is None else x0
    return ito.simulate(maps, start, 60, n_replicas=9, seed=4, **options).states


# -------------------------------------------------------------------------------------------------------------- systems


def test_systems_of_the_gallery_and_families(folder):
    assert np.array_equal(
        states_of("two_point_quadratic", "--step-size", "0.3"), expected(ito.gallery.two_point_quadratic(0.3))
    )
    assert np.array_equal(states_of("ar1", "--set", "a=0.5", "--set", "sigma=2"), expected(ito.gallery.ar1(0.5, 2.0)))
    given_values = ["--set", "eigenvalues=[1,0.5]", "--set", "noise_std=1", "--step-size", "0.1", "--start=-1,2"]
    fresh = ito.GaussianRegressionSGD([1.0, 0.5], noise_std=1.0, step_size=0.1)
    assert np.array_equal(states_of("GaussianRegressionSGD", *given_values), expected(fresh, [-1.0, 2.0]))


def test_data_with_a_loss_are_the_same_from_both_kinds_of_files(folder):
    features, targets = points()
    options = {"batch_size": 4, "ridge": 0.1, "sampling": "reshuffle"}
    maps = ito.LinearModelSGD(features, targets, 0.05, loss="huber", **options)
    more = ["--loss", "huber", "--step-size", "0.05", "--batch-size", "4", "--ridge", "0.1", "--sampling", "reshuffle"]
    for file in ("points.csv", "points.npz"):
        assert np.array_equal(states_of("--data", file, *more), expected(maps))
    plain = ito.LinearRegressionSGD(features, targets, 0.05)
    assert np.array_equal(states_of("--data", "points.csv", "--step-size", "0.05"), expected(plain))  # squared
    heavy = ito.Optimizer(plain, momentum=0.5)
    command = ["--data", "points.csv", "--step-size", "0.05", "--set", "momentum=0.5"]
    assert np.array_equal(states_of(*command), expected(heavy))
    other = ito.LinearRegressionSGD(np.column_stack([features[:, 1:], targets]), features[:, 0], 0.05)
    assert np.array_equal(states_of("--data", "points.csv", "--step-size", "0.05", "--target", "a"), expected(other))


def test_labels_of_logistic_regression(folder):
    features, targets = points()
    labels = np.where(targets > 0, 1.0, -1.0)
    np.savez("labels.npz", X=features, y=labels)
    maps = ito.LogisticRegressionSGD(features, labels, 0.1, ridge=0.01)
    command = ["LogisticRegressionSGD", "--data", "labels.npz", "--step-size", "0.1", "--ridge", "0.01"]
    assert np.array_equal(states_of(*command), expected(maps))


def test_systems_of_a_python_file(folder):
    assert np.array_equal(
        states_of("line", "--systems", "my_systems.py"), expected(ito.gallery.two_point_quadratic(0.5), [0.25])
    )
    assert states_of("spiral", "--systems", "my_systems.py").shape == (9, 1, 2)
    (folder / "one.py").write_text("import iterorder as ito\nSYSTEMS = {'only': ito.gallery.sierpinski()}\n")
    assert np.array_equal(states_of("--systems", "one.py"), expected(ito.gallery.sierpinski()))


# ------------------------------------------------------------------------------------------------------------ run


@pytest.mark.parametrize(
    ("text", "order"),
    [("backward", "backward"), ("sliding:7", ito.Window(7)), ("anchored:20", ito.Window(start=20))],
)
def test_orders_and_saved_steps(folder, text, order):
    found = states_of("sierpinski", "--order", text, "--save-steps", "every:25", "--dtype", "float32")
    steps = [0, 25, 50, 60]
    assert found.dtype == np.float32
    assert np.array_equal(found, expected(ito.gallery.sierpinski(), order=order, save_steps=steps, dtype="float32"))


def test_a_run_is_split_and_goes_on(folder):
    whole = states_of("sierpinski")
    options = ["--steps", "60", "--seed", "4", "--quiet", "--out", "part.npz"]
    for first, count in ((0, 4), (4, 5)):
        command = ["sierpinski", "--replicas", str(count), "--first-replica", str(first), *options]
        assert cli.main(["simulate", *command]) == cli.OK
        assert np.array_equal(ito.load("part.npz").states, whole[first : first + count])
    kept = states_of("sierpinski", "--checkpoint", "kept")
    assert np.array_equal(kept, whole)
    assert list((folder / "kept").iterdir())


def test_the_summary_is_that_of_the_states(folder, capsys):
    command = ["simulate", "ar1", "--set", "a=0.5", "--set", "sigma=1", *RUN, "--save-steps", "all", "--out", "run.npz"]
    assert cli.main([*command, "--json", "-"]) == cli.OK
    told = json.loads(capsys.readouterr().out)
    states = ito.load("run.npz").states
    assert len(told["steps"]) == 12  # of 61
    assert (told["steps"][0]["step"], told["steps"][-1]["step"]) == (0, 60)
    for row in told["steps"]:
        here = states[:, row["step"], 0]
        # Means of nine numbers, in another order of summation.
        bound = 16 * np.finfo(float).eps * np.abs(here).max()
        assert row["mean"] == pytest.approx([here.mean()], abs=bound)
        assert row["std"] == pytest.approx([here.std(ddof=1)], abs=bound)
        assert row["finite"] == 9
    assert told["out"] == "run.npz"
    assert cli.main(command) == cli.OK
    out = capsys.readouterr().out
    assert f"{states[:, 60].mean():.6g}" in out
    assert "written to run.npz" in out


def test_replicas_that_diverge_are_counted_and_all_of_them_are_status_one(folder, capsys):
    command = ["simulate", "--data", "points.csv", "--steps", "2000", "--quiet", "--out", "run.npz"]
    assert cli.main([*command, "--step-size", "30"]) == cli.FAILED
    assert "left the finite numbers" in capsys.readouterr().err
    assert not Path("run.npz").exists()
    (folder / "some.py").write_text(
        "import iterorder as ito\n"
        "def step(x, draw, params, out):\n"
        "    out[0] = 1e300 * (1.0 + abs(x[0])) if draw[0] < 0.01 else 0.5 * x[0]\n"
        "SYSTEMS = {'some': ito.CustomMaps(step, dim=1)}\n"
    )
    run = ["simulate", "--systems", "some.py", "--steps", "100", "--replicas", "400", "--quiet", "--json", "some.json"]
    assert cli.main(run) == cli.OK
    told = json.loads(Path("some.json").read_text())
    assert 0 < told["diverged"] < 400
    assert told["steps"][-1]["finite"] == 400 - told["diverged"]


def test_a_dry_run_tells_and_writes_nothing(folder, capsys):
    command = ["simulate", "sierpinski", "--steps", "1e9", "--replicas", "50", "--save-steps", "every:500000000"]
    before = set(folder.iterdir())
    assert cli.main([*command, "--dry-run", "--out", "run.npz", "--checkpoint", "kept", "--json", "-"]) == cli.OK
    told = json.loads(capsys.readouterr().out)
    assert told["bytes"] == 50 * 3 * (2 * 8 + 8) + 3 * 8
    assert told["seconds"] > 0
    assert told["dry_run"] is True
    assert set(folder.iterdir()) == before
    assert cli.main([*command, "--dry-run"]) == cli.OK
    assert "nothing was run" in capsys.readouterr().out


# --------------------------------------------------------------------------------------------------------------- errors

RUNS = "sierpinski --steps 9"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("two_point_quadratic --steps 9", "two_point_quadratic is not wholly given: add --step-size"),
        ("two_point_quadratic --steps 9 --step-size -1", "--step-size is -1.0: give a number above 0"),
        ("sierpinski --steps 9 --step-size 0.1", "--step-size is no parameter of sierpinski: it has no parameters"),
        ("sierpinski --steps -1", "--steps is -1"),
        ("sierpinski --steps 1.5", "--steps is 1.5"),
        ("sierpinski --steps x", "--steps is 'x': give a number"),
        (f"{RUNS} --order sliding", "--order 'sliding' has no number: give such as sliding:60"),
        (f"{RUNS} --order sliding:0", "--order 'sliding:0': width is 0"),
        (f"{RUNS} --save-steps 5,50", "--save-steps holds 50: every step must lie in [0, 9]"),
        (f"{RUNS} --save-steps often", "--save-steps 'often' is not known"),
        (f"{RUNS} --start 1", "--start 1 has 1 numbers: give 2"),
        (f"{RUNS} --start a,b", "--start 'a,b' is no list of numbers"),
        (f"{RUNS} --start nan,1", "--start[0] is nan"),
        (f"{RUNS} --out run.csv", "--out run.csv has another suffix"),
        (f"{RUNS} --out no/run.npz", "--out no/run.npz is in"),
        (f"{RUNS} --out a.npz --json a.npz", "--json a.npz is the file of --out"),
        (f"{RUNS} --backend gpu", "--backend is 'gpu'"),
        (f"{RUNS} --replicas 0", "--replicas is 0"),
        (f"{RUNS} --data points.csv", "--data points.csv is no option of sierpinski"),
        (f"{RUNS} --systems my_systems.py", "SYSTEM 'sierpinski' is not in my_systems.py: give one of spiral, line"),
        ("spirall --systems my_systems.py --steps 9", "did you mean 'spiral'?"),
        ("spiral --systems my_systems.py --steps 9 --ridge 1", "--ridge 1 is given beside --systems"),
        ("--systems my_systems.py --steps 9", "my_systems.py has 2 systems: give the name of one, spiral, line"),
        ("--systems none.py --steps 9", "no such file: none.py"),
        ("--steps 9", "no system is given"),
        ("--steps 9 --data points.csv", "is not wholly given: add --step-size"),
        ("--steps 9 --data points.csv --step-size 0.1 --loss hubber", "did you mean 'huber'?"),
        ("--steps 9 --data points.csv --step-size 0.1 --sampling reshufle", "did you mean 'reshuffle'?"),
        ("--steps 9 --data points.csv --step-size 0.1 --target d", "--target 'd' is no column of points.csv"),
        ("--steps 9 --data points.npz --step-size 0.1 --target d", "--target d is an option of a CSV file"),
        ("--steps 9 --data points.csv --step-size 0.1 --batch-size 99", "--batch-size is 99"),
        ("--steps 9 --data diabetis --step-size 0.1", "did you mean 'diabetes'?"),
        ("--steps 9 --data none.csv --step-size 0.1", "--data none.csv is no file"),
        ("--steps 9 --data points.csv --step-size 0.1 --set h", "--set 'h' is no NAME=VALUE"),
        ("--steps 9 --data points.csv --step-size 0.1 --set momentun=0.5", "did you mean 'momentum'?"),
        ("--steps 9 --data points.csv --step-size 0.1 --set momentum=5", "--set momentum is 5.0"),
        ("--steps 9 --data points.csv --step-size 0.1 --set step_size=1", "is given beside --step-size"),
        ("--steps 9 --data points.csv --step-size 0.1 --set dim=3", "--set dim is an option of --data normal"),
        ("LinearModelSGD --steps 9 --step-size 0.1", "LinearModelSGD has no data: give --data"),
        ("sierpinski --steps 9 --target y", "--target y is given without --data"),
    ],
)
def test_errors_name_the_option_show_the_value_and_write_nothing(folder, capsys, monkeypatch, command, told):
    before = set(folder.iterdir())
    assert cli.main(["simulate", *command.split()]) == cli.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert "Traceback" not in err
    assert {path for path in folder.iterdir() if path.name != "__pycache__"} == before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2\n3,x\n", "line 3, column 2 (b), is 'x': give a finite number"),
        ("1,2\n3\n", "line 2, has 1 in place of 2 columns"),
        ("a,b\n", "has no numbers"),
        ("", "has no numbers"),
        ("1\n2\n", "has one column"),
        ("1,2\n3,nan\n", "line 2, column 2, is 'nan'"),
        ('a,y\n"1",2\n"3\n",\n', "line 4, column 2 (y), is ''"),
        ("\x00\xff", "is no CSV file"),
    ],
)
def test_data_that_cannot_be_read(tmp_path, content, told):
    path = tmp_path / "bad.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ito.InvalidInputError) as caught:
        read_data(path)
    assert told in str(caught.value)


def test_pickled_and_other_archives_are_refused(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, features=np.array([{}], dtype=object), targets=[1.0])
    with pytest.raises(ito.InvalidInputError, match="pickled objects"):
        read_data(path)
    np.savez(path, A=[1.0])
    with pytest.raises(ito.InvalidInputError, match="has the arrays A: give features"):
        read_data(path)
    np.savez(path, X=[1.0, 2.0], y=[1.0])
    with pytest.raises(ito.InvalidInputError, match="features of shape"):
        read_data(path)
    path.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ito.InvalidInputError, match="is no NPZ file"):
        read_data(path)


# ----------------------------------------------------------------------------------------------------------- properties

ROWS = st.integers(2, 5).flatmap(
    lambda width: st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=width, max_size=width),
        min_size=1,
        max_size=6,
    )
)


@given(ROWS, st.booleans(), st.data())
def test_numbers_come_back_from_csv_to_the_last_digit(tmp_path_factory, rows, named, data):
    path, width = tmp_path_factory.mktemp("csv") / "data.csv", len(rows[0])
    column = data.draw(st.integers(0, width - 1)) if named else width - 1
    head = ",".join(f"c{k}" for k in range(width)) + "\n" if named else ""
    path.write_text(head + "".join(",".join(map(repr, row)) + "\n" for row in rows))
    features, targets = read_data(path, f"c{column}" if named else None)
    table = np.array(rows)
    assert np.array_equal(targets, table[:, column])
    assert np.array_equal(features, np.delete(table, column, axis=1))


@given(st.integers(1, 2**62), st.integers(0, 2**62))
def test_orders_are_read_as_they_are_written(width, start):
    assert as_order(f"sliding:{width}") == ito.Window(width)
    assert as_order(f"anchored:{start}") == ito.Window(start=start)


@given(st.integers(1, 500), st.integers(1, 600))
def test_saved_steps_at_a_stride_are_its_multiples_and_the_last(n_steps, stride):
    found = as_save_steps(f"every:{stride}", n_steps)
    assert found == [n for n in range(n_steps + 1) if n % stride == 0 or n == n_steps]


def test_nothing_says_that_a_file_was_written_which_was_not(tmp_path, capsys, monkeypatch):
    def full(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Trajectory, "save", full)
    out = tmp_path / "run.npz"
    assert cli.main(["simulate", "sierpinski", "--steps", "5", "--out", str(out)]) == cli.USAGE
    told = capsys.readouterr()
    assert "written to" not in told.out
    assert "No space left" in told.err
