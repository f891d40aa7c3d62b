"""House style of the figures: sizes, one colour for each order everywhere, and files that tell how they were made."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder._version import __version__
from iterorder.errors import InvalidInputError
from iterorder.files import make_folder, whole_file
from iterorder.orders import Order, Window, as_order
from iterorder.shown import a_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, distinguishable with every common colour blindness.
ORDER_COLORS = {
    "forward": "#0072B2",
    "backward": "#D55E00",
    "sliding": "#CC79A7",
    "anchored": "#009E73",
    "theory": "#000000",
    "floor": "#999999",
    "average": "#56B4E9",
    "decay": "#E69F00",
    "coupling": "#6A51A3",
}

#: Widths in inches of one and of two columns of a paper.
COLUMN, PAGE = 3.4, 7.0

STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "mathtext.fontset": "cm",
    "figure.constrained_layout.use": True,
    "savefig.dpi": 220,
    "pdf.fonttype": 42,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw and save inside this: sizes and fonts of the house, whatever the user's own settings are."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        settings: Any = STYLE  # Matplotlib's own annotations list every key from 3.11 on, and none before
        mpl.rcParams.update(settings)
        yield


def panel_title(axes: Axes, letter: str, text: str, system: str | None = None) -> None:
    """What is seen in a panel, flush left above it, after its letter: (a) backward settles; below it the system."""
    axes.set_title(f"({letter}) {text}" + (f"\n{system}" if system else ""), loc="left")


def order_color(order: Order) -> str:
    """The colour of an order, the same in every figure."""
    order = as_order(order)
    if isinstance(order, Window):
        return ORDER_COLORS["sliding" if order.width is not None else "anchored"]
    return ORDER_COLORS[order]


def save_figure(
    figure: Figure, folder, name: str, *, parameters: Mapping, seed: int, data: Mapping[str, object]
) -> list[Path]:
    """Write a figure as PNG and PDF with a JSON sidecar.

    Parameters
    ----------
    figure : matplotlib Figure
        What is written.
    folder : path-like
        Made if it does not exist.
    name : str
        Stem of the three files.
    parameters : mapping
        What the figure was drawn from: systems, sizes, effort.
    seed : int
        That of everything that was simulated for it.
    data : mapping of str to array_like
        The plotted numbers; written with six significant digits. What is NaN, infinite or masked is null there.

    Returns
    -------
    list of Path
        The three files.

    Raises
    ------
    InvalidInputError
        If parameters or data hold what is neither numbers nor text, before any file is written.
    """
    folder = make_folder(Path(folder))
    sidecar = {"figure": name, "version": __version__, "seed": seed, "parameters": _without_nan(parameters)}
    numbers = {key: _plain(value) for key, value in data.items()}
    text = json.dumps({**sidecar, "data": numbers}, default=_plain, allow_nan=False)
    files = [folder / f"{name}.{kind}" for kind in ("png", "pdf", "json")]
    for path in files:
        with whole_file(path) as file:
            if path.suffix == ".json":
                file.write(f"{text}\n".encode())
            elif path.suffix == ".pdf":
                # Without dates the same numbers give the same files.
                with _quiet_fonts():
                    figure.savefig(file, format="pdf", metadata={"CreationDate": None})
            else:
                _write_png(figure, file)
    return files


def _write_png(figure: Figure, file) -> None:
    """The picture without the channel of transparency, which is the same everywhere and a tenth of the file."""
    from io import BytesIO

    from PIL import Image

    drawn = BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": None})
    with Image.open(drawn) as image:
        image.convert("RGB").save(file, format="png", dpi=image.info.get("dpi"))


@contextmanager
def _quiet_fonts() -> Iterator[None]:
    """Without fontTools' warning that the dates inside Computer Modern's files are old, once for each font and file."""
    log = logging.getLogger("fontTools")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _without_nan(value):
    """Parameters as they are, but for floats that JSON does not have: null for NaN and infinities."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value):
    """Numbers and arrays as JSON: six significant digits; NaN, infinities and what is masked as null."""
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        value = np.ma.filled(value.astype(float), np.nan)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and not _is_numeric(value):
        return [_plain(item) for item in value]
    array = np.asarray(value)
    if array.dtype.kind in "iub":
        return array.tolist()
    if array.dtype.kind == "f":
        rounded = [float(f"{number:.6g}") if np.isfinite(number) else None for number in array.ravel()]
        return rounded[0] if array.ndim == 0 else _nest(rounded, array.shape)
    if array.dtype.kind in "UO" and array.ndim > 0:
        return [_plain(item) for item in array]
    raise InvalidInputError(
        f"{a_kind(value)} of dtype {array.dtype} cannot be written beside a figure: give real numbers, "
        "text, and arrays, lists or mappings of them"
    )


def _is_numeric(values) -> bool:
    """Whether all of a list are real numbers, or lists of one length of them: an array."""
    try:
        return np.asarray(list(values)).dtype.kind in "iubf"
    except ValueError:  # rows of unequal length
        return False


def _nest(flat: list, shape: tuple[int, ...]) -> list:
    if len(shape) == 1:
        return flat
    size = len(flat) // shape[0] if shape[0] else 0
    return [_nest(flat[i * size : (i + 1) * size], shape[1:]) for i in range(shape[0])]
