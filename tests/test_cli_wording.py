"""The command speaks of its options, of files and of other commands, never of Python."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import iterorder as ito
from iterorder import cli
from iterorder.cli.wording import as_typed
from tests.cli_files import write_files

#: Calls, attributes and arguments of the library, which nobody who types a command has at hand.
PYTHON = re.compile(
    r"`(?!iterorder |--|make )[^`]+`|\bito\.|\btheory\(|\.trajectory|\bstationary_sample\b|\bx0\b"
    r"|(?<![-\w])(?:tol|rtol)\b"
    r"|\b(?:n_steps|n_samples|max_steps|order|backend|dtype|noise|engine|progress)\b="
)
EXPANDING = """
import iterorder as ito

SYSTEMS = {"line": ito.AffineMaps([[[2.0]]], [[1.0]]), "noisy": ito.gallery.ar1(1.5, 1.0)}
"""
#: Commands that fail, each for a reason of its own.
FAILING = (
    "simulate two_point_quadratic --step-size 5 --steps 2000",
    "simulate two_point_quadratic --step-size 3 --steps 9 --tol 0.1 --order backward",
    "simulate ar1 --set a=0.5 --set sigma=1 --steps 9 --tol 0.1 --order backward",
    "simulate ar1 --set a=1.5 --set sigma=1 --steps 9 --tol 0.1 --order backward",
    "simulate --data normal --loss poisson --step-size 0.1 --steps 9 --tol 0.1 --order backward",
    "simulate sierpinski --steps 1e12 --save-steps all --replicas 1000",
    "simulate sierpinski --steps 9 --dtype float32 --start 1e300,0",
    "simulate line --systems expanding.py --steps 5000",
    "sample two_point_quadratic --step-size 5 --samples 9",
    "sample two_point_quadratic --step-size 0.3 --samples 9 --tol 1e-30",
    "sample two_point_quadratic --step-size 0.001 --samples 9 --max-steps 9",
    "sample reflected_walk --samples 9 --max-steps 5",
    "sample cyclic_walk --set N=5 --samples 9 --max-steps 999",
    "sample noisy --systems expanding.py --samples 9",
    "sample line --systems expanding.py --samples 9",
    "rates --against nothing.json",
    "rates --against empty.toml",
    "check C99",
    "check --systems empty.toml",
    "sweep status",
    "sweep resume nothing",
    "sweep nothing",
    "sweep empty.toml",
    "train nothing",
    "train empty.toml",
    "report nothing",
    "report .",
    "figures nothing",
    "doctor --threads 0",
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_files(tmp_path)
    (tmp_path / "expanding.py").write_text(EXPANDING, encoding="utf-8")
    (tmp_path / "empty.toml").touch()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", FAILING)
def test_errors_speak_of_options_and_files(command, capsys, folder):
    assert cli.main(command.split()) in (cli.USAGE, cli.FAILED)
    told = capsys.readouterr().err.partition("iterorder: ")[2]
    assert told
    assert not PYTHON.search(told), told


def test_the_pattern_finds_what_it_is_for():
    for said in (
        "the error's .trajectory holds",
        "look at theory(maps).law",
        "give tol=0",
        "call `sweep`",
        "another x0",
    ):
        assert PYTHON.search(said)


def test_what_only_python_has_is_a_note_of_the_error():
    maps = ito.gallery.two_point_quadratic(5.0)
    with pytest.raises(ito.DivergenceError) as caught:
        ito.simulate(maps, [0.0], 2000, seed=0)
    assert caught.value.__notes__ == ["the error's .trajectory holds the saved steps, with NaN from there"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("a sure certificate is needed", "a sure certificate is needed"),
        ("a is nan: give a number", "--set a is nan: give a number"),
        ("a[0] is nan", "--set a[0] is nan"),
    ],
)
def test_an_article_is_no_argument(said, told):
    assert as_typed(said, {"a": "--set a"}, frozenset({"a"})) == told


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_a_stream_that_is_closed_from_the_start_stops_nothing(stream, tmp_path):
    number = {"stdin": 0, "stdout": 1, "stderr": 2}[stream]
    words = f"{sys.executable} -m iterorder simulate sierpinski --steps 5 --json {tmp_path / 'x.json'} {number}>&-"
    found = subprocess.run(words, shell=True, capture_output=True, text=True, check=False)
    assert found.returncode == 0
    assert "Traceback" not in found.stderr
    assert (tmp_path / "x.json").stat().st_size > 0


def test_an_error_is_not_printed_as_a_result_where_its_stream_is_closed():
    words = f"{sys.executable} -m iterorder simulate sierpinski --steps -1 2>&-"
    found = subprocess.run(words, shell=True, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (cli.USAGE, "")
