"""What all commands share: help with examples that run, options, exit statuses, errors, completion."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import numba
import pytest

from iterorder import cli, errors, log, progress, resources
from iterorder.cli import exit_status
from iterorder.cli.command import COMMANDS, _parser
from iterorder.cli.completion import SHELLS, script
from iterorder.cli.wording import as_typed, options_of
from iterorder.files import plain
from iterorder.validation import did_you_mean
from tests.cli_files import write_files

ROOT = Path(__file__).resolve().parents[1]
NAMES = [module.__name__.rpartition(".")[2] for module in COMMANDS]
#: Commands that stay until they are interrupted: their own tests run them.
THAT_STAY = {"explore"}
#: What examples need that another command makes.
PREPARING = {"report": ("iterorder sweep phase.toml",)}
CHEAP = ["simulate", "sierpinski", "--steps", "10"]


def parsers() -> dict:
    """The parser of each command."""
    action = next(action for action in _parser()._actions if action.dest == "COMMAND" or action.choices)
    return dict(action.choices)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    return tmp_path


# --------------------------------------------------------------------------------------------------- help and statuses


def test_the_bare_command_is_its_help(capsys):
    assert cli.main([]) == cli.OK
    out, err = capsys.readouterr()
    assert err == ""
    for name in NAMES:
        assert re.search(rf"^    {name}\b", out, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_help_has_examples_statuses_and_the_common_options(name, capsys):
    assert cli.main([name, "--help"]) == cli.OK
    out = capsys.readouterr().out
    for word in ("examples:", "exit status:", "--json", "--threads", "--quiet", "--verbose"):
        assert word in out
    assert re.search(rf"^  iterorder {name}\b", out, re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in THAT_STAY])
def test_examples_of_the_help_run(name, folder, capsys):
    """One after the other: some read what those above have written."""
    examples = [*PREPARING.get(name, ()), *parsers()[name].get_default("examples")]
    for example in examples:
        program, command, *rest = shlex.split(example)
        assert program == "iterorder"
        assert cli.main([command, *rest]) == cli.OK, f"{example}\n{capsys.readouterr().err}"
        assert capsys.readouterr().out.strip()


def test_statuses_are_documented_in_the_same_words(capsys):
    page = (ROOT / "docs" / "api" / "command-line.md").read_text(encoding="utf-8")
    rows = {int(a): b for a, b in re.findall(r"^\| (\d+) \| (.*?) \|$", page, re.MULTILINE)}
    assert rows == dict(exit_status.MEANINGS)
    cli.main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert all(f"{status} {meaning}" in told for status, meaning in exit_status.MEANINGS.items())


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInputError("x"), cli.USAGE),
        (errors.BackendUnavailableError("x"), cli.USAGE),
        (errors.LedgerError("x"), cli.USAGE),
        (errors.DivergenceError("x"), cli.FAILED),
        (errors.NotContractiveError("x"), cli.FAILED),
        (errors.EngineError("x"), cli.GONE),
        (PermissionError("x"), cli.USAGE),
    ],
)
def test_errors_have_their_status(error, status, monkeypatch, capsys):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr(sys.modules["iterorder.simulate"], "simulate", fails)  # the package has the function
    assert cli.main(CHEAP) == status
    assert capsys.readouterr() == ("", "iterorder: x\n")


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_in_the_documentation(name):
    """Those of several commands once, the others with their command."""
    page = (ROOT / "docs" / "api" / "command-line.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## ([^\n]+)$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    everywhere = sections["Options of several commands"]
    told = sections[f"iterorder {name}"] + (sections["Systems"] if name in ("simulate", "sample") else "")
    for action in parsers()[name]._actions:
        spellings = [option for option in action.option_strings if option.startswith("--") and option != "--help"]
        assert not spellings or any(f"`{option}" in told + everywhere for option in spellings), spellings


# -------------------------------------------------------------------------------------------------------------- options


def test_json_to_standard_output_is_all_that_is_printed(folder, capsys):
    for command in (
        CHEAP,
        ["sample", "sierpinski", "--samples", "10"],
        ["check", "C22"],
        ["doctor"],
        ["figures", "--list"],
    ):
        assert cli.main([*command, "--json", "-"]) == cli.OK
        assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


def test_strict_json_has_no_nan():
    nan = float("nan")
    assert plain({"a": [nan, 1.0], "b": (float("inf"),), "c": None, "d": True}) == {
        "a": [None, 1.0],
        "b": [None],
        "c": None,
        "d": True,
    }


def test_threads_hold_for_the_command_alone(monkeypatch, capsys):
    most = numba.config.NUMBA_NUM_THREADS
    before, seen = numba.get_num_threads(), []
    monkeypatch.setattr(
        "iterorder.installation.backend_info", lambda: seen.append(resources.threads()) or {"cpu": {"usable": True}}
    )
    assert cli.main(["doctor", "--threads", "1"]) == cli.OK
    assert (seen, numba.get_num_threads()) == ([1], before)
    assert cli.main(["doctor", "--threads", str(most + 1)]) == cli.USAGE
    assert f"--threads is {most + 1}: give an integer in [1, {most}]" in capsys.readouterr().err
    assert seen == [1]


def test_threads_of_a_new_process_are_those_of_numba():
    code = (
        "import os, sys; from iterorder import resources\n"
        "with resources.limited_to(1):\n"
        "    inside = resources.threads(); import numba; print(inside, numba.get_num_threads())\n"
        "print('NUMBA_NUM_THREADS' in os.environ)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1", "1", "False"]


def test_bits_do_not_depend_on_threads(capsys):
    texts = []
    for threads in ("1", str(numba.config.NUMBA_NUM_THREADS)):
        command = ["simulate", "arcsine", "--steps", "300", "--replicas", "999", "--threads", threads, "--json", "-"]
        assert cli.main(command) == cli.OK
        texts.append({**json.loads(capsys.readouterr().out), "seconds": 0})
    assert texts[0] == texts[1]


def test_quiet_and_verbose(folder, capsys):
    assert cli.main([*CHEAP, "--quiet"]) == cli.OK
    assert capsys.readouterr().err == ""
    assert cli.main([*CHEAP, "--verbose", "--out", "run.npz"]) == cli.OK
    err = capsys.readouterr().err
    for told in (
        "iterorder: version ",
        "threads",
        "system sierpinski: AffineMaps",
        "--out: wrote run.npz",
        "exit status 0",
    ):
        assert told in err
    assert cli.main([*CHEAP, "--verbose", "--quiet"]) == cli.USAGE
    assert "--quiet is given beside --verbose" in capsys.readouterr().err


def test_quiet_shows_no_progress_but_calls_functions(monkeypatch, capsys):
    monkeypatch.setattr(progress, "FIRST_LINE", 0.0)
    told = []
    with log.speaking(log.QUIET):
        with progress.reported(True, "work") as report:
            assert report is None
        with progress.reported(told.append, "work") as report:
            report(0.5)
        log.say("a line")
    assert (told, capsys.readouterr().err) == ([0.5, 1.0], "")
    with progress.reported(True, "work") as report:  # the control
        report(0.5)
    log.say("a line")
    assert "work: 50%" in (err := capsys.readouterr().err)
    assert "a line" in err


def test_another_thread_speaks_as_usual(capsys):
    with log.speaking(log.QUIET):
        thread = threading.Thread(target=log.say, args=["from a thread"])
        thread.start()
        thread.join()
    assert capsys.readouterr().err == "from a thread\n"


# --------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["simulat"], "did you mean 'simulate'?"),
        ([*CHEAP, "--sed", "3"], "unrecognized arguments: --sed 3; did you mean '--seed'?"),
        (["check", "--effort", "ful"], "did you mean 'full'?"),
        (["completion", "bsh"], "did you mean 'bash'?"),
        (["figures", "one_pathh"], "did you mean 'one_path'?"),
        (["train", "digits-mpl"], "did you mean 'digits-mlp'?"),
        (["simulate", "sierpinsky", "--steps", "1"], "did you mean 'sierpinski'?"),
        (["rates", "--systems", "s.py", "--sav", "k.json"], "arguments: --sav k.json; did you mean '--save'?"),
        (["rates", "--syst", "s.py"], "arguments: --syst s.py; did you mean '--systems'?"),
        (["rates", "s.py"], "did you mean --systems s.py?"),
        (["check", "C99"], "CLAIM holds 'C99'"),
        (["train", "nope"], "NAME is 'nope'"),
        (["simulate", "sierpinski"], "iterorder: missing: --steps; see iterorder simulate --help"),
        (["simulate", "sierpinski", "--steps", "x"], "iterorder: --steps is 'x': give a number"),
        (["doctor", "--threads", "1.5"], "iterorder: --threads is '1.5': give an integer"),
        ([*CHEAP, "--seed"], "iterorder: --seed has no value"),
        ([*CHEAP, "--order", "bakward"], "did you mean 'backward'?"),
        ([*CHEAP, "--seed", str(2**64)], "iterorder: --seed '18446744073709551616' is no seed"),
    ],
)
def test_what_was_perhaps_meant(arguments, told, capsys):
    assert cli.main(arguments) == cli.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert err.count("\n") == 1


def test_nothing_is_suggested_that_is_far():
    assert did_you_mean("gpu", ["cpu", "cuda"]) == ""
    assert did_you_mean("two_point", ["sierpinski", "two_point_quadratic"]) == "; did you mean 'two_point_quadratic'?"
    assert did_you_mean(3, ["3"]) == ""


OPTIONS = {"n_steps": "--steps", "save_steps": "--save-steps", "tol": "--tol", "order": "--order", "lam": "--set lam"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("n_steps is -1: give more", "--steps is -1: give more"),
        ("save_steps[2] is 5: give fewer", "--save-steps[2] is 5: give fewer"),
        ("lam is 2.0: give less", "--set lam is 2.0: give less"),
        ("tol is 0.1: give tol=0 or order='forward'", "--tol is 0.1: give --tol 0 or --order forward"),
        ("tol and order, not n_steps: lower n_steps.", "--tol and order, not --steps: lower --steps."),
        # Neither a file, a quoted word nor the repr of maps is an option.
        ("n_steps.toml, a/n_steps, 'n_steps', Maps(n_steps=3)", "n_steps.toml, a/n_steps, 'n_steps', Maps(n_steps=3)"),
        ("order is what a file says", "order is what a file says"),
        ("ordered tolerances, my_n_steps", "ordered tolerances, my_n_steps"),
    ],
)
def test_arguments_are_named_as_they_are_typed(said, told):
    given = frozenset(OPTIONS) - ({"order"} if "file says" in said else set())
    assert as_typed(said, OPTIONS, given) == told
    assert as_typed(said, {}, frozenset()) == said


BAD_VALUES = (
    "simulate sierpinski --steps -1",
    "simulate sierpinski --steps 9 --replicas 0",
    "simulate sierpinski --steps 9 --first-step -1",
    "simulate sierpinski --steps 9 --tol -1",
    "simulate sierpinski --steps 9 --save-steps 10",
    "simulate sierpinski --steps 9 --backend gpu",
    "simulate two_point_quadratic --steps 9 --step-size -1",
    "simulate bernoulli_convolution --steps 9 --set lam=[1]",
    "simulate --data normal --step-size 0.1 --batch-size 0 --steps 9",
    "simulate --data normal --step-size 0.1 --sampling random --steps 9",
    "sample sierpinski --samples 0",
    "sample sierpinski --max-steps 0",
    "sample sierpinski --failure-probability 2",
    "sample sierpinski --start 1",
    "rates --rtol -1",
    "rates --backend gpu",
    "check --backend gpu",
    "train digits-mlp --max-seconds -1",
    "sweep phase.toml --workers 0",
    "doctor --threads 0",
)


@pytest.mark.parametrize("command", BAD_VALUES)
def test_errors_name_the_option_that_was_typed(command, capsys, folder):
    """It stands first, and no name of Python's stands anywhere."""
    words = command.split()
    at_fault = next(word for word, value in pairwise(words) if value in WRONG)
    assert cli.main(words) == cli.USAGE
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"iterorder: {at_fault} ")
    assert "_" not in re.sub(r"two_point_quadratic|bernoulli_convolution", "", told)


WRONG = ("-1", "0", "10", "gpu", "lam=[1]", "random", "2", "1")


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_told_by_one_name(name):
    """That of an argument of the library, if it is one: no two options share it."""
    parser = parsers()[name]
    options = options_of(parser)
    flags = [action for action in parser._actions if action.option_strings and action.dest != "help"]
    assert len(set(options.values())) == len(options) == len(flags)


# ----------------------------------------------------------------------------------------------------------- completion


def completed(text: str, words: list[str], folder: Path) -> list[str]:
    """What bash offers for the last of the words."""
    (folder / "completion.bash").write_text(text)
    ask = f"""
source completion.bash
COMP_WORDS=({" ".join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}; COMP_LINE="${{COMP_WORDS[*]}}"
COMP_POINT=${{#COMP_LINE}}; COMPREPLY=()
$(complete -p iterorder | sed -E 's/.*-F ([^ ]+).*/\\1/') iterorder "${{COMP_WORDS[COMP_CWORD]}}" ""
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    result = subprocess.run(["bash", "-c", ask], cwd=folder, capture_output=True, text=True, check=True)
    return [line.strip() for line in result.stdout.splitlines() if line.strip()]


@pytest.mark.skipif(shutil.which("bash") is None, reason="has no bash")
def test_bash_completes_commands_options_names_and_files(folder):
    text = script("bash")
    (folder / "completion.bash").write_text(text)
    subprocess.run(["bash", "-n", "completion.bash"], cwd=folder, check=True)
    assert set(completed(text, ["iterorder", ""], folder)) == set(NAMES)
    assert completed(text, ["iterorder", "sim"], folder) == ["simulate"]
    assert "--step-size" in completed(text, ["iterorder", "simulate", "--st"], folder)
    assert completed(text, ["iterorder", "simulate", "two"], folder) == ["two_point_quadratic"]
    assert completed(text, ["iterorder", "simulate", "--loss", "hub"], folder) == ["huber"]
    assert completed(text, ["iterorder", "check", "--effort", ""], folder) == ["quick", "full"]
    assert "points.csv" in completed(text, ["iterorder", "simulate", "--data", "poi"], folder)


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_of_all_shells_name_every_command(shell, capsys):
    assert cli.main(["completion", shell]) == cli.OK
    text = capsys.readouterr().out
    assert all(re.search(rf"\b{name}\b", text) for name in NAMES)
    assert "--threads" in text or "-l threads" in text
    if (program := shutil.which(shell)) is not None:
        checked = subprocess.run([program, "-n"], input=text, text=True, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr


def test_completion_changes_nothing_of_the_command(capsys):
    script("bash")
    assert cli.main(["simulate", "no_such", "--steps", "1"]) == cli.USAGE
    assert "SYSTEM 'no_such' is not known" in capsys.readouterr().err  # the own message, not that of choices


def test_the_log_tells_certificates_checkpoints_and_sweeps(folder, capsys):
    assert cli.main(["sample", "ar1", "--set", "a=0.5", "--set", "sigma=1", "--samples", "9", "-v"]) == cli.OK
    assert "certificate probability: rests on lipschitz given" in capsys.readouterr().err
    kept = [*CHEAP, "--checkpoint", "kept", "--verbose"]
    for order, told in (("forward", "goes on after step 10"), ("backward", "was there")):
        run = [*kept[:-2], f"kept-{order}", "-v", "--order", order]
        assert cli.main(run) == cli.OK
        assert told not in capsys.readouterr().err
        assert cli.main(run) == cli.OK
        assert told in capsys.readouterr().err
    assert cli.main(["sweep", "phase.toml", "-v"]) == cli.OK
    assert "2 of 2 cells are open, engine serial" in capsys.readouterr().err
