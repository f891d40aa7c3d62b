"""What is written is whole or not there, and what cannot be written is told with its path and the reason."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest

import iterorder as ito
from iterorder import cli
from iterorder.errors import InvalidInputError, NotWrittenError
from iterorder.files import check_writable, make_folder, replacing, whole_file, write_json
from iterorder.gate import baseline
from iterorder.networks import TrainingRun
from iterorder.plotting import save_figure

FULL = Path("/dev/full")
#: A folder in which nobody makes files, whoever asks.
NOWHERE = Path("/proc/self/fdinfo")

pytestmark = pytest.mark.skipif(not NOWHERE.is_dir(), reason="no folder that takes no file")


def trajectory() -> ito.Trajectory:
    return ito.simulate(ito.gallery.sierpinski(), [0.0, 0.0], 5, seed=0, save_steps="all")


def training() -> TrainingRun:
    one = np.ones((1, 1, 1))
    return TrainingRun(np.ones(1, int), {"loss": one}, np.ones(1, int), one, None, one > 0, "forward", 0, "", "cpu")


def figure(path) -> None:
    from matplotlib.figure import Figure

    save_figure(Figure(), path.parent, path.name, parameters={}, seed=0, data={})


#: All that writes a result to a path.
WRITERS = {
    "trajectory": lambda path: trajectory().save(path),
    "training": lambda path: training().save(path),
    "baseline": lambda path: baseline.save(path, [], seed=0, effort="quick"),
    "json": lambda path: write_json(path, {}),
    "film": lambda path: ito.plot.animate(trajectory(), path.with_suffix(".gif")),
    "figure": figure,
}


@pytest.mark.parametrize("write", [pytest.param(write, id=name) for name, write in WRITERS.items()])
def test_no_writer_lets_an_error_of_the_system_out(write, tmp_path):
    """In a folder that takes no file, below a file, under a name that is too long; an OSError all the same."""
    with pytest.raises(NotWrittenError, match=r"/proc/.* cannot be written \(.*\): give a path") as caught:
        write(NOWHERE / "a.npz")
    assert isinstance(caught.value, OSError)
    assert caught.value.errno in (errno.ENOENT, errno.EACCES, errno.EPERM)
    (tmp_path / "file").write_text("")
    with pytest.raises(ito.IterorderError, match=r"file is a file|is in .*, which is no folder|cannot be written"):
        write(tmp_path / "file" / "a.npz")
    write(tmp_path / "a.npz")  # the control


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
@pytest.mark.parametrize("name", ["trajectory", "training", "baseline", "json"])
def test_a_full_disk_is_told_with_what_to_do(name):
    with pytest.raises(NotWrittenError, match=r"/dev/full cannot be written \(No space left on device\): make room"):
        WRITERS[name](FULL)


def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotWrittenError, match="make room") as caught:
        write_json(path, {"new": 2})
    assert caught.value.errno == errno.ENOSPC
    assert "old" in path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_errors_of_the_block_pass_as_they_are(tmp_path):
    for error in (KeyError("x"), KeyboardInterrupt(), BrokenPipeError(), InvalidInputError("y")):
        with pytest.raises(type(error)) as caught, whole_file(tmp_path / "a"):
            raise error
        assert caught.value is error
    assert not list(tmp_path.iterdir())


def test_names_that_no_file_can_have(tmp_path):
    with pytest.raises(NotWrittenError, match="shorter name"):
        write_json(tmp_path / ("a" * 300), {})
    with pytest.raises(InvalidInputError, match="null"):
        trajectory().save("a\0b")
    with pytest.raises(InvalidInputError, match="is a folder"):
        write_json(tmp_path, {})


def test_a_try_leaves_nothing(tmp_path):
    check_writable(tmp_path / "a")
    assert not list(tmp_path.iterdir())
    with pytest.raises(NotWrittenError, match=r"^--out /proc/self/fdinfo/a cannot be written"):
        check_writable(NOWHERE / "a", "--out")
    check_writable(Path(os.devnull))
    assert Path(os.devnull).is_char_device()


def test_folders_are_made_unless_a_file_is_in_the_way(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "c").write_text("")
    with pytest.raises(InvalidInputError, match=r"checkpoint .*c is a file"):
        make_folder(tmp_path / "c", "checkpoint")
    with pytest.raises(NotWrittenError, match="cannot be written"):
        make_folder(tmp_path / "c" / "d")


def test_what_replaces_a_file_has_the_rights_of_new_ones_and_the_suffix_that_is_asked_for(tmp_path):
    path = tmp_path / "a.gif"
    with replacing(path, ".gif") as temporary:
        assert temporary.suffix == ".gif"
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"x")
    assert path.read_bytes() == b"x"
    write_json(tmp_path / "b", {})
    plainly = tmp_path / "c"
    plainly.write_text("")
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == stat.S_IMODE(plainly.stat().st_mode)


@pytest.mark.parametrize(
    "command",
    [
        "simulate sierpinski --steps 5 --out",
        "simulate sierpinski --steps 5 --json",
        "sample sierpinski --samples 5 --out",
        "check C1 --json",
        "doctor --json",
    ],
)
def test_commands_refuse_before_they_work(command, capsys):
    """A path in a folder that says it can be written to, and takes no file."""
    path = str(NOWHERE / "a.npz")
    assert cli.main([*command.split(), path]) == cli.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert f"iterorder: {command.split()[-1]} {path} cannot be written (" in told.err


def test_a_file_that_cannot_be_read_is_told_without_a_number(tmp_path, capsys):
    assert cli.main(["report", str(tmp_path / "nothing")]) == cli.USAGE
    assert "Errno" not in capsys.readouterr().err
