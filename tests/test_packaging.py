"""What a release must hold: version, light import, documented names, license, no machine paths, complete figures."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import iterorder
from iterorder._version import __version__

ROOT = Path(__file__).resolve().parents[1]
FIGURES = sorted((ROOT / "figures").glob("*.png"))
FIGURE_LIMIT_BYTES = 400_000
# Each costs 0.1 s to 2 s at import and is not needed to name the library; loaded at first use.
SLOW_MODULES = {"numba", "llvmlite", "scipy", "matplotlib", "sklearn", "ot", "rich", "shtab"}
TARGETS = (
    "help",
    "reproduce",
    "figures",
    "test",
    "test-faults",
    "lint",
    "format",
    "docs",
    "benchmark",
    "machine-code",
    "test-gpu",
    "benchmark-gpu",
    "clean",
)
# Of the words of the standard text, so that neither line ends nor indentation count.
APACHE_2_SHA256 = "0ffddef9e48f8a09aed5caf2d44f7ba1c1be2d9b8e0a6f693b1635b2d5566645"

# The needles are put together here, so that this file does not contain what it forbids.
# An absolute path starts a word: a URL's or a relative path's inner folder has a letter, a dot or a slash before it.
MACHINE_PATH = re.compile(r"(?<![\w.~/}])/(?:" + "|".join(("home", "root", "tmp", "work")) + ")/")
REGISTRY_HOSTS = tuple(
    f"{name}.{domain}"
    for name, domain in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("pypi.nvidia", "com"),
        ("anaconda", "org"),
        ("download.pytorch", "org"),
        ("npmjs", "org"),
        ("crates", "io"),
    )
)


def test_version_is_the_installed_one():
    try:
        installed = importlib.metadata.version("iterorder")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("iterorder is not installed")
    assert __version__ == installed


def test_import_loads_no_slow_module():
    """A time limit would depend on the machine; the list of modules does not."""
    code = "import sys; before = set(sys.modules); import iterorder; print(*set(sys.modules) - before)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert "iterorder" in loaded
    assert not loaded & SLOW_MODULES


def test_public_names_are_listed_once():
    assert iterorder.__doc__
    assert len(iterorder.__all__) == len(set(iterorder.__all__))


@pytest.mark.parametrize("name", iterorder.__all__)
def test_public_name_resolves_and_is_documented(name):
    value = getattr(iterorder, name)
    if name.startswith("__"):
        return  # __version__ is a plain string
    # vars(): a class must not pass with its base's text, nor with the signature that dataclass puts in.
    doc = vars(value).get("__doc__") if inspect.isclass(value) else inspect.getdoc(value)
    assert doc
    assert not doc.startswith(f"{name}(")


def tracked_texts():
    """Yield path and content of every text file that git tracks."""
    try:
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    for name in listing.decode().split("\0"):
        content = (ROOT / name).read_bytes() if name and (ROOT / name).is_file() else b""
        if content and b"\0" not in content:
            yield name, content.decode("utf-8", errors="replace")


def test_no_file_names_a_machine_or_a_registry():
    found = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in tracked_texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if MACHINE_PATH.search(line) or any(host in line.lower() for host in REGISTRY_HOSTS)
    ]
    assert not found, "\n".join(found)


def test_machine_path_pattern_tells_absolute_paths_from_others():
    absolute = "/" + "home/x"
    for line in (absolute, f'open("{absolute}")', f"file={absolute}"):
        assert MACHINE_PATH.search(line)
    for line in (f"https://example.test{absolute}", f"docs{absolute}", f"..{absolute}", f"$HOME{absolute}"):
        assert not MACHINE_PATH.search(line)


@pytest.mark.parametrize("target", TARGETS)
def test_makefile_target_exists_with_its_help(target, makefile_targets):
    assert "## " in makefile_targets[target]


def test_license_is_apache_2():
    words = " ".join((ROOT / "LICENSE").read_text(encoding="utf-8").split())
    assert hashlib.sha256(words.encode()).hexdigest() == APACHE_2_SHA256
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert metadata["project"]["license"] == "Apache-2.0"


def test_oldest_versions_are_those_of_the_ranges():
    """What continuous integration installs as the oldest is the lower end of every range that its run installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["data"], *extras["transport"], *extras["sweep"], *extras["test"]]
    floors = dict(re.findall(r"^([\w-]+)>=([\d.]+)", "\n".join(wanted), re.MULTILINE))
    text = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8").partition("# ---")[0]
    listed = dict(re.findall(r"^([\w-]+)==([\d.]+)", text, re.MULTILINE))
    assert listed.keys() == floors.keys()
    for name, version in listed.items():
        assert version.split(".")[: floors[name].count(".") + 1] == floors[name].split("."), name
        assert set(version.split(".")[floors[name].count(".") + 1 :]) <= {"0"}, name


@pytest.mark.parametrize("picture", FIGURES, ids=lambda path: path.stem)
def test_figure_is_small_and_complete(picture):
    assert picture.stat().st_size < FIGURE_LIMIT_BYTES
    assert picture.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    sidecar = json.loads(picture.with_suffix(".json").read_text(encoding="utf-8"))
    assert {"parameters", "seed", "version", "data"} <= sidecar.keys()
    assert sidecar["data"], "the plotted numbers are missing"
