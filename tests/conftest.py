"""Settings that every test shares: the plot backend, the hypothesis profiles, the targets of the Makefile."""

from __future__ import annotations

import gc
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# In the environment, so that the commands that tests start draw without a display too.
os.environ["MPLBACKEND"] = "Agg"

# No deadline: the first call of a kernel compiles it, which takes seconds.
settings.register_profile("local", deadline=None)
# The same examples at every run, so that a red run can be repeated.
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def _backends() -> list:
    """The processor; besides it a GPU where ITERORDER_TEST_GPU=1 asks for one, or its simulator where that runs."""
    if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        return ["cpu", pytest.param("cuda", id="simulator")]
    return ["cpu", "cuda"] if os.environ.get("ITERORDER_TEST_GPU") == "1" else ["cpu"]


@pytest.fixture(scope="session", params=_backends())
def backend(request) -> str:
    """Every backend that runs here: the contract of maps, orders, cuts and splits holds on each."""
    return request.param


@pytest.fixture(scope="session")
def makefile_targets() -> dict[str, str]:
    """Every named target of the Makefile with the rest of its line (prerequisites and help text)."""
    makefile = Path(__file__).resolve().parents[1] / "Makefile"
    return dict(re.findall(r"^([a-z][\w-]*):(?!=)(.*)$", makefile.read_text(encoding="utf-8"), re.MULTILINE))


def pytest_collection_finish() -> None:
    """What is imported and collected stays: to look for garbage among it takes a tenth of the time of compiling."""
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


@pytest.fixture(autouse=True)
def _figures_are_closed():
    """Pyplot keeps every figure, and warns from the twentieth on."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, for tests of the explorer's page."""
    from tests.chromium import PROGRAM, Chromium

    if PROGRAM is None:
        pytest.skip("no Chromium on the path")
    made = Chromium()
    yield made
    made.close()


@pytest.fixture(scope="session")
def server():
    """`iterorder explore` in a process."""
    from tests.explore_server import Server

    made = Server()
    yield made
    made.stop()
