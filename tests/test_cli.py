"""The command: exit status, table, JSON file, interruption."""

from __future__ import annotations

import io
import json
import math
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from iterorder import claims, cli, files
from iterorder._version import __version__
from iterorder.claims import Claim, ClaimRow, check_theory
from iterorder.cli.status import StatusLine

ROOT = Path(__file__).resolve().parents[1]
# The cheapest claim: no simulation kernels.
CHEAP = "C22"
FULL = Path("/dev/full")


@pytest.fixture
def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def replace_claim(monkeypatch, check, tests=0):
    """Put another function in the place of the cheapest claim."""
    monkeypatch.setitem(claims.CLAIMS, CHEAP, Claim(CHEAP, "a stand-in", tests, check))


def row(measured, **options):
    return ClaimRow.compared(CHEAP, "a system", "a number", 1.0, measured, 0.1, **options)


def test_version(capsys):
    assert cli.main(["--version"]) == cli.OK
    assert capsys.readouterr().out == f"iterorder {__version__}\n"


def test_passing_claim(capsys):
    assert cli.main(["check", CHEAP, "--seed", "3"]) == cli.OK
    out, err = capsys.readouterr()
    for heading in ("claim", "system", "predicted", "measured", "uncertainty", "verdict"):
        assert heading in out
    assert "double well" in out
    assert "pass: rejected" in out
    assert "seed 3" in out
    assert err == ""  # no live line where the stream is no terminal


def test_claims_may_be_written_small(capsys):
    assert cli.main(["check", CHEAP.lower()]) == cli.OK


def test_module_is_the_command(environment):
    result = subprocess.run(
        [sys.executable, "-m", "iterorder", "check", CHEAP],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == cli.OK, result.stderr
    assert "0 fail" in result.stdout


def test_failing_claim(monkeypatch, capsys, tmp_path):
    replace_claim(monkeypatch, lambda seed, effort, judge: [row(1.0), row(2.0)])
    file = tmp_path / "table.json"
    assert cli.main(["check", CHEAP, "--json", str(file)]) == cli.FAILED
    assert "1 fail" in capsys.readouterr().out
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content["passed"] is False
    assert [entry["verdict"] for entry in content["rows"]] == ["pass", "fail"]


def test_control_that_is_not_rejected_fails(monkeypatch, capsys):
    replace_claim(monkeypatch, lambda seed, effort, judge: [row(1.0, control=True)])
    assert cli.main(["check", CHEAP]) == cli.FAILED
    assert "fail: not rejected" in capsys.readouterr().out


def test_skipped_rows_do_not_fail(monkeypatch, capsys):
    replace_claim(monkeypatch, lambda seed, effort, judge: [ClaimRow.skipped(CHEAP, "data", "not installed")])
    assert cli.main(["check", CHEAP]) == cli.OK
    out = capsys.readouterr().out
    assert "not installed" in out
    assert "1 skipped" in out


def test_json_holds_the_table(tmp_path, capsys):
    file = tmp_path / "table.json"
    assert cli.main(["check", CHEAP, "--json", str(file), "--seed", "5"]) == cli.OK
    assert json.loads(file.read_text(encoding="utf-8")) == check_theory([CHEAP], seed=5).to_dict()
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "C99"], "C99"),
        (["check", "C22", "--seed", "-1"], "seed"),
        (["check", "C22", "--seed", str(2**64)], "seed"),
        (["check", "C22", "--seed", "1.5"], "--seed"),
        (["check", "C22", "--effort", "heroic"], "--effort"),
        (["check", "C22", "--json", "no/such/folder/table.json"], "--json"),
        (["check", "C22", "--json", "."], "--json"),
        (["draw"], "draw"),
    ],
)
def test_wrong_arguments(arguments, message, capsys, monkeypatch):
    replace_claim(monkeypatch, lambda seed, effort, judge: pytest.fail("refused only after the work"))
    assert cli.main(arguments) == cli.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_an_unknown_claim_is_shown_as_typed(capsys):
    assert cli.main(["check", "c1", "C1x"]) == cli.USAGE
    assert "CLAIM holds 'C1x': give some of C1" in capsys.readouterr().err


def test_unknown_claim_lists_the_known_ones(capsys):
    cli.main(["check", "C99"])
    assert ", ".join(claims.CLAIMS) in capsys.readouterr().err


def test_interruption_leaves_the_old_file(monkeypatch, capsys, tmp_path):
    def interrupted(seed, effort, judge):
        raise KeyboardInterrupt

    replace_claim(monkeypatch, interrupted)
    file = tmp_path / "table.json"
    file.write_text("old", encoding="utf-8")
    assert cli.main(["check", CHEAP, "--json", str(file)]) == cli.INTERRUPTED
    assert "interrupted" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "table.json"
    files.write_json(file, {"a": 1})
    with pytest.raises(TypeError):
        files.write_json(file, {"a": [1, 2, 3], "b": object()})
    assert json.loads(file.read_text(encoding="utf-8")) == {"a": 1}
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
def test_a_pipe_is_written_to_and_a_link_stays_one(tmp_path, capsys):
    """Renamed over, ``/dev/null`` would be a file for all processes of a container, whose user is root."""
    pipe, link = tmp_path / "pipe", tmp_path / "link.json"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_text, encoding="utf-8")
        assert cli.main(["check", CHEAP, "--json", str(pipe)]) == cli.OK
        assert json.loads(read.result(timeout=60))["rows"]
    assert pipe.is_fifo()
    link.symlink_to(tmp_path / "file.json")  # which is not there yet
    for number in (1, 2):
        files.write_json(link, {"a": number})
        assert link.is_symlink()
        assert json.loads((tmp_path / "file.json").read_text(encoding="utf-8")) == {"a": number}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.json", "link.json", "pipe"]
    # The control: a name that is none of these is replaced as a whole.
    assert [files.is_stream(path) for path in (pipe, link, tmp_path, tmp_path / "none", Path(os.devnull))] == [
        True,
        False,
        False,
        False,
        True,
    ]


def test_full_disk_is_a_message_after_the_table(monkeypatch, capsys, tmp_path):
    def full(path, content):
        raise OSError("no space left on device")

    monkeypatch.setattr(files, "write_json", full)
    assert cli.main(["check", CHEAP, "--json", str(tmp_path / "table.json")]) == cli.USAGE
    out, err = capsys.readouterr()
    assert "double well" in out
    assert "no space left" in err


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_control_c(environment, tmp_path):
    file = tmp_path / "table.json"
    code = f"""
import sys, time
from iterorder import claims, cli

def slow(seed, effort, judge):
    print("ready", flush=True)
    time.sleep(60)

claims.CLAIMS[{CHEAP!r}] = claims.Claim({CHEAP!r}, "slow", 0, slow)
sys.exit(cli.main(["check", {CHEAP!r}, "--json", {str(file)!r}]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == cli.INTERRUPTED
    assert "interrupted" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe")
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["check", CHEAP], cli.CLOSED),
        (["check", CHEAP, "--json", "-"], cli.CLOSED),
        (["--help"], cli.CLOSED),
        (["check", CHEAP, "--json", os.devnull, "--seed", "x"], cli.USAGE),  # nothing is printed there
    ],
)
def test_reader_that_leaves(arguments, status, environment):
    process = subprocess.Popen(
        [sys.executable, "-m", "iterorder", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=60) == status
    assert bool(err) == (status == cli.USAGE)


@pytest.mark.skipif(not FULL.exists(), reason="needs a full device")
@pytest.mark.parametrize("arguments", [["check", CHEAP], ["check", CHEAP, "--json", "-"], ["--help"]])
def test_standard_output_on_a_full_disk_is_named(arguments, environment):
    with FULL.open("w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "iterorder", *arguments]
        found = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert found.returncode == cli.USAGE
    assert found.stderr == (
        "iterorder: standard output cannot be written (No space left on device): make room, or give a path on another "
        "disk\n"
    )


def test_live_line_on_a_terminal_is_erased(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with StatusLine() as status:
        status.show("C1", 0, 2, 0)
        status.show("C2", 1, 2, 1)
    lines = stream.getvalue().split("\r")
    assert re.search(r"checking C2  1/2 claims, 1 failures", lines[2])
    assert lines[-1] == "\x1b[K"


def test_a_log_gets_sparse_lines(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with StatusLine() as status:
        for second in range(100):
            clock[0] = float(second)
            status.show(f"C{second}", second, 100, 0)
    lines = stream.getvalue().splitlines()
    # From ten seconds on, each a third of the time later: ten of a hundred, whole and without escapes.
    assert lines[0] == "checking C10  10/100 claims, 0 failures, 10 s"
    assert len(lines) == pytest.approx(1 + math.log(99 / 10) / math.log(1.3), abs=2)
    assert "\x1b" not in stream.getvalue()


def test_failures_become_annotations(monkeypatch, capsys):
    replace_claim(monkeypatch, lambda seed, effort, judge: [row(1.0), row(2.0, note="100 % wrong")])
    assert cli.main(["check", CHEAP, "--format", "github"]) == cli.FAILED
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("::"))
    assert line == (
        f"::error title={CHEAP} fails for a system::{CHEAP}, a number: measured 2, predicted 1; 100 %25 wrong"
    )


def test_terminal_without_the_letters(environment):
    result = subprocess.run(
        [sys.executable, "-m", "iterorder", "check", CHEAP],
        env={**environment, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert result.returncode == cli.OK, result.stderr.decode()
