"""The cache of compiled kernels only saves time: no state of the disk, and no version of Numba, may stop a run."""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
import time
import types
from pathlib import Path

import numba
import numpy as np
import pytest

from iterorder.forms import FINGERPRINT
from iterorder.kernels import disk_cache
from iterorder.kernels.targets import OPTIONS, jit
from iterorder.maps.fingerprint import fingerprint
from iterorder.maps.kept_functions import with_outside
from iterorder.maps.outside import read_outside

SOURCE = "def twice(x):\n    return 2.0 * x\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with one module, whose functions Numba would cache beside it, and nothing said so far."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    (tmp_path / "module.py").write_text(SOURCE)
    disk_cache._announce.cache_clear()
    disk_cache._warn.cache_clear()
    yield tmp_path
    disk_cache._announce.cache_clear()
    disk_cache._warn.cache_clear()


def in_new_process(folder):
    """The function as a process that starts now finds it: nothing is compiled yet."""
    disk_cache._announce.cache_clear()
    disk_cache._warn.cache_clear()
    spec = importlib.util.spec_from_file_location("module", folder / "module.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return disk_cache.compiled_lazily(module.twice, OPTIONS)


def files(folder, suffix):
    return sorted((folder / "__pycache__").glob(f"*{suffix}"))


def test_a_cached_kernel_is_read_without_a_word(folder, capfd):
    assert in_new_process(folder)(1.5) == 3.0
    assert capfd.readouterr().err.count("compiling for this processor") == 1
    assert len(files(folder, ".nbc")) == len(files(folder, ".nbi")) == 1
    assert in_new_process(folder)(1.5) == 3.0
    assert capfd.readouterr().err == ""


ENCLOSING = """
def twice(x):
    return 2.0 * x

def thrice(x):
    return 3.0 * x

def shifted(inner, by):
    def outer(x):
        return inner(x) + by
    return outer
"""


def test_a_kernel_that_encloses_another_is_found_again(folder, monkeypatch, capfd):
    """Numba's own key names an enclosed function anew in every process: such kernels were compiled in each."""
    (folder / "module.py").write_text(ENCLOSING)

    def enclosing(name, by, kept=disk_cache.compiled_lazily):
        spec = importlib.util.spec_from_file_location("module", folder / "module.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setitem(sys.modules, "module", module)
        disk_cache._announce.cache_clear()
        return kept(module.shifted(numba.njit(getattr(module, name)), by), OPTIONS)

    assert enclosing("twice", 1.0)(1.5) == 4.0
    assert "compiling" in capfd.readouterr().err
    assert enclosing("twice", 1.0)(1.5) == 4.0
    assert capfd.readouterr().err == ""
    assert (enclosing("thrice", 1.0)(1.5), enclosing("twice", 2.0)(1.5)) == (5.5, 5.0)  # and no other for it
    assert len(files(folder, ".nbc")) == 3
    # A constant of the enclosed function alone, which its code only numbers: the file tells.
    (folder / "module.py").write_text(ENCLOSING.replace("2.0 * x", "5.0 * x"))
    disk_cache._digest.cache_clear()
    disk_cache._stamp.cache_clear()
    assert enclosing("twice", 1.0)(1.5) == 8.5
    plain = [
        enclosing("twice", 1.0, lambda function, options: numba.njit(cache=True, **options)(function)) for _ in "ab"
    ]
    for function in plain:  # the control
        function(np.float32(1.5))
    assert [sum(function.stats.cache_hits.values()) for function in plain] == [0, 0]


def test_without_a_folder_to_write_to_kernels_are_compiled_and_that_is_said_once(folder, monkeypatch, capfd):
    (folder / "__pycache__").write_text("a file, in which no folder can be made, by root either")
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(RuntimeError, match="no locator"):  # the control: what Numba says by itself
        numba.njit(cache=True)(in_new_process(folder).py_func)
    capfd.readouterr()
    function = in_new_process(folder)
    assert (function(1.5), function(np.float32(2.0))) == (3.0, 4.0)
    again = disk_cache.compiled_lazily(function.py_func, OPTIONS)
    assert again(1.5) == 3.0
    said = capfd.readouterr().err
    assert said.count("compiled kernels are not kept (no folder for them can be written)") == 1
    assert said.count("set NUMBA_CACHE_DIR to a folder that can be written") == 1
    # What the message says helps.
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(folder / "kernels"))
    assert in_new_process(folder)(1.5) == 3.0
    assert "not kept" not in capfd.readouterr().err
    assert in_new_process(folder)(1.5) == 3.0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-9], lambda data: b"\x80\x05garbage"])
def test_a_damaged_file_is_replaced(folder, suffix, damage, capfd):
    assert in_new_process(folder)(1.5) == 3.0
    (file,) = files(folder, suffix)
    file.write_bytes(damage(file.read_bytes()))
    capfd.readouterr()
    assert in_new_process(folder)(1.5) == 3.0
    said = capfd.readouterr().err
    assert said.count("cannot be read (") == said.count("compiling for") == 1
    # The folder can be written: another one is no help.
    assert "compiles them anew, and writes them again" in said
    assert "NUMBA_CACHE_DIR" not in said
    assert in_new_process(folder)(1.5) == 3.0  # and is whole again
    assert capfd.readouterr().err == ""


def test_a_full_disk_is_said_once(folder, capsys):
    """No file may grow beyond zero bytes: what a full disk does, for this process alone."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    function = in_new_process(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        values = function(1.5), function(np.float32(2.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert values == (3.0, 4.0)
    assert not files(folder, ".nbc")
    said = capsys.readouterr().err
    assert said.count("cannot be kept in") == 1
    assert "File too large" in said


@pytest.mark.parametrize("attribute", ["_cache_file", "cache_path"])
def test_a_numba_with_another_cache_compiles_without_one(folder, attribute, monkeypatch, capfd):
    """The attributes that the cache needs are no part of what Numba promises."""
    from numba.core.caching import FunctionCache

    class Another(FunctionCache):
        def __getattribute__(self, name):
            if name == attribute:
                raise AttributeError(name)
            return super().__getattribute__(name)

    monkeypatch.setattr("numba.core.dispatcher.FunctionCache", Another)
    function = in_new_process(folder)
    assert (function(1.5), function(np.float32(2.0))) == (3.0, 4.0)
    said = capfd.readouterr().err
    assert said.count(f"the cache of Numba {numba.__version__} is not known") == 1
    # Without the stamp of the folder a cache would hand out kernels of an older package: none is used.
    assert not files(folder, ".nbc")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root becomes another user")
def test_a_user_without_a_home_runs_a_read_only_installation(tmp_path):
    """As in a container: user 65534, HOME=/nonexistent, files of root."""
    nobody = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/", "capture_output": True, "text": True}
    package = Path(disk_cache.__file__).parents[2]
    path = os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "HOME": "/nonexistent", "PYTHONPATH": path, "NUMBA_CACHE_DIR": ""}
    environment.pop("XDG_CACHE_HOME", None)
    try:
        subprocess.run([sys.executable, "-c", "import numba, iterorder"], env=environment, check=True, **nobody)
    except (PermissionError, subprocess.CalledProcessError):
        pytest.skip("another user cannot run this interpreter")
    script = "import iterorder as ito; print(ito.wasserstein_1d([0.0, 1.0], [1.0, 2.5]))"
    run = subprocess.run([sys.executable, "-c", script], env=environment, check=False, **nobody)
    assert (run.returncode, run.stdout) == (0, "1.25\n"), run.stderr
    assert run.stderr.count("set NUMBA_CACHE_DIR") == 1


def test_without_a_compiler_simulations_say_so():
    """NUMBA_DISABLE_JIT=1 is set for coverage and debuggers, often for all of a test run."""
    script = """
import iterorder as ito

def step(x, draw, params, out):
    out[0] = 0.5 * x[0] + draw[0]

for use in (
    lambda: ito.simulate(ito.gallery.barnsley_fern(), [0.0, 0.0], 10, seed=1),
    lambda: ito.CustomMaps(step, dim=1),
):
    try:
        use()
    except ito.BackendUnavailableError as error:
        print(error, error.reason)
print(ito.wasserstein_1d([0.0, 1.0], [1.0, 2.5]))
"""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run([sys.executable, "-c", script], env=environment, check=False, capture_output=True, text=True)
    *reasons, distance = run.stdout.splitlines()
    what = "NUMBA_DISABLE_JIT is set, and simulations need compiled kernels: unset it, or set it to 0"
    assert reasons == 2 * [f"backend is 'cpu': {what} compiler-disabled"]
    assert distance == "1.25", run.stderr


STEP = """
import math
import sys

import numba
import numpy as np

import iterorder as ito

FACTOR = {factor}

@numba.njit
def helper(x):
    return x * {inner}

def step(x, draw, params, out):
    out[0] = FACTOR * helper(x[0]) + draw[0] * params[0]{entry}

maps = ito.CustomMaps(step, dim=1, noise="normal", params=({given},))
states = ito.simulate(maps, [1.0], 10, n_replicas=3, seed=0, dtype="{dtype}").states[:, 0, 0]

def slope(z, target, params):
    return math.tanh(FACTOR * (z - target))

rows = np.arange(6.0).reshape(3, 2)
losses = ito.LinearModelSGD(rows, [1.0, 2.0, 3.0], 0.1, loss=ito.Loss(slope))
states = np.append(states, ito.simulate(losses, [0.0, 0.0], 10, seed=0, dtype="{dtype}").states)
print(states.tolist())
"""


@pytest.fixture
def run(tmp_path):
    """A script with a step and a slope of its own in a process of its own: what it prints, and whether it compiles."""

    def in_process(factor, inner="0.5", given="1.0", dtype="float64", shift=""):
        entry = "[0]" if "np" in given else ""
        script = STEP.format(factor=factor, inner=inner, given=given, dtype=dtype, entry=entry)
        (tmp_path / "script.py").write_text(shift + script)
        run = subprocess.run([sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, check=True)
        return run.stdout, "compiling for this processor" in run.stderr

    return in_process


def test_kernels_of_users_functions_are_found_again(run):
    """By what the functions compute: not by their file, and never for another number, helper or type."""
    number = 0.5 + time.time_ns() % 10**9 * 1e-12  # of which no kernel is kept
    first, compiled = run(number)
    assert compiled  # the control
    assert run(number) == (first, False)
    assert run(number, shift="# another line\n\n") == (first, False)
    for other in (
        run(number + 1e-9),
        run(number, inner="0.25"),
        run(number, dtype="float32"),
        run(number, given="np.ones(3)"),
    ):
        assert other[1]
    assert run(number + 1e-9)[0] != first
    # The value of a parameter is no part of the code.
    assert not run(number, given="2.0")[1]


RECURSIVE = '''
import sys
import iterorder as ito
from iterorder.kernels.cpu.lift import own_functions, rewrite
from iterorder.maps import kept_functions

if {shared_names}:
    for module in (own_functions, rewrite, kept_functions):
        module.name_apart = lambda function: None
for factor in {factors}:
    space = dict(__name__="__main__")
    exec(f"""
import numba
@numba.njit
def power(n):
    return 1.0 if n < 1 else {{factor}} * power(n - 1)
def step(x, draw, params, out):
    out[0] = power(params[0])
""", space)
    maps = ito.CustomMaps(space["step"], dim=1, params=(2,))
    print(ito.simulate(maps, [0.0], 1, seed=0).states[0, 0, 0] == factor**2)
'''


def test_functions_of_one_name_from_disk_are_not_taken_for_each_other():
    """Compiled functions are called by their names, and processes count those that share one from the same start."""
    number = time.time_ns() % 10**9 * 1e-12

    def run(shared_names, *factors):
        script = RECURSIVE.format(shared_names=shared_names, factors=factors)
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    for shared_names, a, b in ((False, 0.5 + number, 0.25 + number), (True, 0.5 - number, 0.25 - number)):
        for factors in ((a,), (b,)):
            assert run(shared_names, *factors).stdout == "True\n"
        both = run(shared_names, a, b)
        if shared_names:  # the control
            assert "gives another number when compiled" in both.stderr
        else:
            assert both.stdout == "True\nTrue\n", both.stderr


def test_a_step_that_reads_what_nobody_knows_is_compiled_in_each_process(run):
    """A function of an installed package may call anything, which can change under the same name."""

    def step(x, draw, params, out):
        out[0] = x[0]

    outside = read_outside(step)
    assert len(fingerprint(step, outside)) == 64
    outside.values["other"] = object()
    assert fingerprint(step, outside) == ""
    made = with_outside(step, read_outside(step))
    setattr(made, FINGERPRINT, "")

    def enclosing():
        def kernel(x):
            return made

        return kernel

    assert not isinstance(jit(enclosing())._cache, disk_cache._Forgiving)
    setattr(made, FINGERPRINT, "some digest")
    assert isinstance(jit(enclosing())._cache, disk_cache._Forgiving)


def test_only_the_latest_kernels_of_users_are_kept(folder, monkeypatch):
    monkeypatch.setattr(disk_cache, "MOST_OWN", 3)
    spec = importlib.util.spec_from_file_location("module", folder / "module.py")
    module = importlib.util.module_from_spec(spec)
    (folder / "module.py").write_text(ENCLOSING)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "module", module)

    def call(name):
        inner = types.FunctionType(module.twice.__code__, {"__name__": "math"}, "twice")
        setattr(inner, FINGERPRINT, name)
        function = disk_cache.compiled_lazily(module.shifted(numba.njit(inner), 1.0), OPTIONS)
        assert function(1.5) == 4.0
        return sum(function.stats.cache_hits.values())

    assert [call(name) for name in "abcd"] == [0] * 4
    assert len(files(folder, ".nbi")) == len(files(folder, ".nbc")) == 3
    assert call("b") == 1  # and is the latest now
    assert call("a") == 0
    assert [call(name) for name in "bcd"] == [1, 0, 0]  # c made room for a, and d for c
