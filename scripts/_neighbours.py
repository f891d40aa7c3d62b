"""What the figures of the presets share: the preset's sweep in this process, and files that keep its text."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from iterorder.plotting import save_figure
from iterorder.presets import preset_path
from iterorder.progress import Report
from iterorder.sweeps.configuration import read_configuration
from iterorder.sweeps.from_file import run_configuration


def swept(name: str, report: Report | None = None) -> xr.Dataset:
    """The results of a preset: all of its cells, which take seconds, for any effort."""
    with tempfile.TemporaryDirectory() as temporary:
        found = run_configuration(
            read_configuration(preset_path(name)), Path(temporary) / name, progress=report or False
        )
        if found.failed:
            raise RuntimeError(f"{name}: {found.failed[0].message}")
        return found.to_xarray().load()


def saved(figure: Figure, folder: str | Path, name: str, effort: str, data: Mapping[str, object]) -> list[Path]:
    """The three files of a preset's figure, whose sidecar has the preset."""
    configuration = read_configuration(preset_path(name))
    parameters = {"effort": effort, "configuration": configuration.text}
    return save_figure(
        figure, folder, f"neighbours_{name}", parameters=parameters, seed=configuration.file.seed, data=data
    )


def columns(table: xr.Dataset) -> dict[str, np.ndarray]:
    """The axes and the numbers of a sweep by their names, for a sidecar."""
    numbers = {str(name): values.values for name, values in table.data_vars.items() if name != "done"}
    return {str(name): axis.values for name, axis in table.coords.items()} | numbers
