"""What is installed here, and what can compute: for a bug report, and before a long run."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from iterorder import resources
from iterorder._version import __version__
from iterorder.errors import BackendUnavailableError
from iterorder.html import notebook_html

#: Packages by the names under which they are shown; the first distribution that is installed counts.
PACKAGES = {
    "numpy": ("numpy",),
    "numba": ("numba",),
    "llvmlite": ("llvmlite",),
    "scipy": ("scipy",),
    "matplotlib": ("matplotlib",),
    "rich": ("rich",),
    "scikit-learn": ("scikit-learn",),
    "POT": ("POT",),
    "xarray": ("xarray",),
    "zarr": ("zarr",),
    "torch": ("torch",),
    "cupy": ("cupy-cuda13x", "cupy-cuda12x", "cupy"),
    "numba-cuda": ("numba-cuda",),
    "cuda-bindings": ("cuda-bindings",),
    "libnvvm": ("nvidia-nvvm", "nvidia-cuda-nvcc-cu12"),
    "nvjitlink": ("nvidia-nvjitlink", "nvidia-nvjitlink-cu12"),
}
#: Of the features of a processor, by LLVM's names, those by which kernels differ or people tell them apart.
FEATURES = ("avx512f", "avx2", "avx", "fma", "neon", "sve")
GIGABYTE = 1e9


class BackendInfo(dict[str, Any]):
    """What is installed and what can compute: a dictionary of plain values, which prints as a short text.

    The keys are those that `backend_info` describes; ``json.dumps`` takes it.
    """

    def __repr__(self) -> str:
        return "\n".join(f"{name:<{_WIDTH}}{text}".rstrip() for name, text in _lines(self))

    def _repr_html_(self) -> str:
        return notebook_html("iterorder.backend_info()", _lines(self))


def backend_info() -> BackendInfo:
    """What is installed, and which backends can compute here.

    Nothing is compiled and no GPU is set to work. The first call may take a second, as it imports Numba and CuPy.

    Returns
    -------
    BackendInfo
        A dictionary with the keys

        - ``"iterorder"``, ``"python"``, ``"system"``: versions, str;
        - ``"packages"``: version by name, None where it is not installed;
        - ``"processor"``: ``"name"`` (as LLVM calls it), ``"features"`` (those of interest), ``"profile"`` (of the
          kernels: "AVX512" or "NARROW");
        - ``"threads"``, and ``"memory"`` in bytes: what this process may use, within a container's limits;
        - ``"cpu"`` and ``"cuda"``: ``"usable"``, and where it is not ``"reason"`` (a word of
          `BackendUnavailableError`), ``"message"`` and ``"remedy"`` (a line for the shell; None for the cpu). "cuda"
          also has ``"simulated"``, ``"driver"`` (the newest CUDA that it runs, such as "13.0", or None) and
          ``"devices"``: a list of ``"name"``, ``"memory"`` in bytes and ``"compute_capability"``.

    See Also
    --------
    BackendUnavailableError : what ``backend="cuda"`` raises, with the same reason.

    Examples
    --------
    >>> import iterorder as ito
    >>> info = ito.backend_info()
    >>> info["cpu"]["usable"], sorted(info["processor"])
    (True, ['features', 'name', 'profile'])
    """
    return BackendInfo(
        iterorder=__version__,
        python=platform.python_version(),
        system=platform.platform(),
        packages={name: _version(distributions) for name, distributions in PACKAGES.items()},
        processor=_processor(),
        threads=resources.threads(),
        memory=resources.memory(),
        cpu=_cpu(),
        cuda=_cuda(),
    )


def _version(distributions: tuple[str, ...]) -> str | None:
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _processor() -> dict[str, Any]:
    from llvmlite import binding
    from numba import config

    from iterorder.kernels.cpu.profile import AVX512, PROFILE
    from iterorder.kernels.targets import processor_features

    known = processor_features()
    return {
        "name": config.CPU_NAME or binding.get_host_cpu_name(),
        "features": [feature for feature in FEATURES if feature in known],
        "profile": "AVX512" if PROFILE == AVX512 else "NARROW",
    }


def _answer(reason: str | None = None, message: str | None = None, remedy: str | None = None) -> dict[str, Any]:
    return {"usable": reason is None, "reason": reason, "message": message, "remedy": remedy}


def _cpu() -> dict[str, Any]:
    from iterorder.kernels.targets import check_compiler

    try:
        check_compiler()
    except BackendUnavailableError as error:
        return _answer(error.reason, str(error))
    return _answer()


def _cuda() -> dict[str, Any]:
    from iterorder.kernels.device import availability

    driver, devices = availability.driver_and_devices()
    return {
        **_answer(*(availability.obstacle() or ())),
        "simulated": availability.is_simulated(),
        "driver": driver,
        "devices": [device._asdict() for device in devices],
    }


# ------------------------------------------------------------------------------------------------------------- as text

_WIDTH = 12


def _lines(info: BackendInfo) -> list[tuple[str, str]]:
    """Names and texts of the lines; a line that goes on has no name."""
    packages = info["packages"]
    there = [f"{name} {version}" for name, version in packages.items() if version]
    missing = [name for name, version in packages.items() if not version]
    processor, cuda = info["processor"], info["cuda"]
    return [
        ("iterorder", f"{info['iterorder']}, Python {info['python']}, {info['system']}"),
        ("packages", ", ".join(there)),
        *([("", f"not installed: {', '.join(missing)}")] if missing else []),
        ("processor", f"{processor['name']} ({' '.join(processor['features'])}), profile {processor['profile']}"),
        ("threads", str(info["threads"])),
        ("memory", f"{info['memory'] / GIGABYTE:.1f} GB"),
        *_answered("cpu", info["cpu"], "usable"),
        *_answered("cuda", cuda, "usable, in the simulator" if cuda["simulated"] else "usable"),
        *([("", f"the driver runs CUDA up to {cuda['driver']}")] if cuda["driver"] else []),
        *(("", _device(device)) for device in cuda["devices"]),
    ]


def _answered(name: str, answer: dict[str, Any], usable: str) -> list[tuple[str, str]]:
    if answer["usable"]:
        return [(name, usable)]
    remedy = [("", answer["remedy"])] if answer["remedy"] else []
    return [(name, f"not usable, {answer['reason']}: {answer['message']}"), *remedy]


def _device(device: dict[str, Any]) -> str:
    size = f"{device['memory'] / GIGABYTE:.1f} GB"
    return f"{device['name']}, {size}, compute capability {device['compute_capability']}"
