"""How far a run is: shares of the whole plan, and where they are shown."""

from __future__ import annotations

import io
import sys
import types

import numpy as np
import pytest

import iterorder as ito
from iterorder import progress
from iterorder.cli.status import StatusLine
from tests.systems import SYSTEMS

ORDERS = ["forward", "backward", ito.Window(50), ito.Window(start=300), ito.Window(start=0), ito.Window(start=10**6)]


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("name", ["linear d=10 ridge", "logistic d=5"])
def test_shares_are_of_the_whole_run_and_change_nothing(name, order):
    """They rise from 0 to 1, once: an anchored run used to count back from its first part to the second."""
    maps, shares = SYSTEMS[name], []
    run = {"order": order, "n_replicas": 40, "seed": 1, "save_steps": np.arange(0, 601, 100)}
    quiet = ito.simulate(maps, np.zeros(maps.dim), 600, **run)
    told = ito.simulate(maps, np.zeros(maps.dim), 600, **run, progress=shares.append)
    np.testing.assert_array_equal(quiet.states, told.states)
    assert shares == sorted(set(shares))
    assert shares[-1] == 1.0
    assert all(isinstance(share, float) and 0.0 <= share <= 1.0 for share in shares)


def test_an_exception_of_the_function_ends_the_run():
    def stop(share):
        raise LookupError(share)

    with pytest.raises(LookupError):
        ito.simulate(SYSTEMS["fern"], [0.0, 0.0], 10**12, seed=1, progress=stop)


@pytest.mark.parametrize("wrong", ["yes", 1, 0.5, [True]])
def test_other_values_are_refused(wrong):
    with pytest.raises(ito.InvalidInputError, match="progress is"):
        ito.simulate(SYSTEMS["fern"], [0.0, 0.0], 10, seed=1, progress=wrong)


def test_nothing_is_shown_unasked_nor_on_standard_output(capsys):
    maps = SYSTEMS["fern"]
    ito.simulate(maps, [0.0, 0.0], 10, seed=1)
    capsys.readouterr()  # the line that tells of a compilation
    ito.simulate(maps, [0.0, 0.0], 100, seed=1)
    assert capsys.readouterr() == ("", "")
    ito.simulate(maps, [0.0, 0.0], 100, seed=1, progress=True)
    assert capsys.readouterr().out == ""


class Clock:
    """Time that passes when told."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(progress, "time", types.SimpleNamespace(monotonic=lambda: self.now))


def test_a_log_gets_few_lines(capsys, monkeypatch):
    """One in ten seconds, then the more rarely the longer it takes, and one at the end; none of a short run."""
    clock = Clock(monkeypatch)
    with progress.reported(True, "forward") as report:
        for second in range(3600):
            clock.now = float(second)
            report(second / 3600)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "forward: 0% after 0:10, about 59:50 left"
    assert lines[-1] == "forward: 100% after 59:59"
    assert len(lines) < 30
    with progress.reported(True, "short") as report:
        clock.now += 9.0
        report(0.5)
    assert capsys.readouterr().err == ""


def test_a_compilation_does_not_count_in_the_time_left(capsys, monkeypatch):
    clock = Clock(monkeypatch)
    with progress.reported(True, "rates") as report:
        for clock.now, share in ((16.0, 0.01), (30.0, 0.15), (100.0, 0.85)):
            report(share)
    told = ["rates: 1% after 0:16", "rates: 15% after 0:30, about 1:25 left", "rates: 85% after 1:40, about 0:15 left"]
    assert capsys.readouterr().err.splitlines()[:3] == told


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.reported(True, "forward") as report:
        report(0.5)
    assert "forward" in terminal.getvalue()
    assert terminal.getvalue().count("\n") <= 2


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


class Full(io.StringIO):
    def write(self, text):
        raise OSError("no space left on device")


class Bare:
    """What a window's log offers in the place of a stream."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("stream", [lambda: None, closed, Full, Bare], ids=["none", "closed", "full", "bare"])
def test_no_state_of_standard_error_stops_a_run(stream, monkeypatch):
    """A process without a console has none, a service may have closed it, the disk of a log may be full."""
    quiet = ito.simulate(SYSTEMS["fern"], [0.0, 0.0], 100, seed=1).states
    monkeypatch.setattr(progress, "FIRST_LINE", 0.0)
    monkeypatch.setattr(sys, "stderr", given := stream())
    told = ito.simulate(SYSTEMS["fern"], [0.0, 0.0], 100, seed=1, progress=True)
    with StatusLine() as status:
        status.next = 0.0
        status.show("C1", 0, 1, 0)
    np.testing.assert_array_equal(quiet, told.states)
    if isinstance(given, Bare):  # the control: a line is written where it can be
        assert "forward: 100% after 0:00" in given.text
        assert "checking C1" in given.text


def test_a_notebook_gets_the_browsers_bar(capsys, monkeypatch):
    """Without ipywidgets, which are not everywhere."""
    pages = []
    handle = types.SimpleNamespace(update=pages.append)
    kernel = types.SimpleNamespace(kernel=object())
    display = types.SimpleNamespace(HTML=str, display=lambda page, display_id: pages.append(page) or handle)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: kernel, display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    with progress.reported(True, "forward") as report:
        report(0.5)
        report(0.5001)  # too soon to be drawn
    assert ["0%" in pages[0], "50%" in pages[1], "100%" in pages[2], len(pages)] == [True, True, True, 3]
    assert capsys.readouterr() == ("", "")


def test_parts_of_a_plan():
    told = []
    with progress.reported(told.append, "") as report:
        progress.part(report, 0.0, 0.25)(1.0)
        second = progress.part(report, 0.25, 1.0)
        second(0.5)
        report(0.3)  # behind what was told
    assert told == [0.25, 0.625, 1.0]
    assert progress.part(None, 0.0, 1.0) is None
