"""The machine on which numbers of a GPU were measured: device, driver, versions and date."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from importlib import metadata

import iterorder as ito

QUERY = "name,driver_version,memory.total,clocks.max.sm,power.limit"


def machine() -> dict:
    """As plain values; `simulated` tells that no GPU was there, and that times mean nothing."""
    info = ito.backend_info()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "simulated": info["cuda"]["simulated"],
        "nvidia-smi": _told(["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader"]),
        "commit": _told(["git", "rev-parse", "HEAD"]),
        "changed": len((_told(["git", "status", "--porcelain"]) or "").splitlines()),  # files, since that commit
        "jax": _version("jax"),
        **info,
    }


def _told(command: list[str]) -> str | None:
    """What a command prints; None where it is not there or fails."""
    if shutil.which(command[0]) is None:
        return None
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return result.stdout.strip() if result.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
