"""Where results come from: versions, processor and commit, kept beside them."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from datetime import UTC, datetime

from iterorder._version import __version__

PACKAGES = ("numpy", "numba", "scipy")


def provenance() -> dict[str, str]:
    """What is known of this machine and the code: texts by names."""
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "version": __version__,
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "processor": processor(),
        "system": platform.platform(terse=True),
        "commit": commit(),
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def processor() -> str:
    """The processor that kernels are compiled for."""
    from llvmlite import binding

    return f"{platform.machine()} {binding.get_host_cpu_name()}"


def commit() -> str:
    """The commit of the folder that this process runs in, with a + where files have changed; empty outside of one."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
        changed = subprocess.run(["git", "diff", "--quiet", "HEAD"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip() + ("+" if changed.returncode else "")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
