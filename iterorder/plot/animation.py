"""A trajectory in motion: the cloud of its replicas, a picture for each saved step."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.device_arrays import to_numpy
from iterorder.errors import BackendUnavailableError, InvalidInputError, NotWrittenError
from iterorder.files import as_path, check_writable, replacing
from iterorder.plot.axes import component, draw_exact, letter
from iterorder.plotting import house_style, order_color
from iterorder.progress import Progress, as_progress, reported
from iterorder.shown import a_kind
from iterorder.trajectory import Trajectory
from iterorder.types import FloatArray, PathLike
from iterorder.validation import MAX_STEPS, as_int

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Bins of a histogram; the share of states that the axes hold on either side, so that strays do not shrink the picture.
BINS, INSIDE = 60, 0.001
#: Dots an inch.
RESOLUTION = 120


def animate(
    trajectory: Trajectory, path: PathLike, *, fps: int = 20, every: int = 1, progress: Progress = False
) -> Path:
    """Write an animation of the states, a frame for each saved step.

    On the line a histogram beside the exact law, where that is known; in the plane and beyond the first two
    coordinates. The axes stay where they are.

    Parameters
    ----------
    trajectory : Trajectory
        With at least two saved steps.
    path : str or path-like
        Ends in ``.gif`` (written by Pillow) or ``.mp4`` (by ffmpeg, which must be installed, or told to matplotlib by
        its setting ``animation.ffmpeg_path``). It is written under another name and renamed when it is whole.
    fps : int ≥ 1
        Frames a second.
    every : int ≥ 1
        Draw every so many saved steps, and the last.
    progress : bool or function
        As in `iterorder.simulate`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidInputError
        If there is nothing that moves, or the file is of another kind or in no folder.
    NotWrittenError
        If the system refuses the file, or ffmpeg ends before it is done.
    BackendUnavailableError
        For ``.mp4`` without ffmpeg.

    Examples
    --------
    >>> import tempfile
    >>> import iterorder as ito
    >>> run = ito.simulate(ito.gallery.ar1(0.9, 1.0), [5.0], 4, n_replicas=200, save_steps="all", seed=0)
    >>> ito.plot.animate(run, Path(tempfile.mkdtemp()) / "settling.gif").suffix
    '.gif'
    """
    from matplotlib import rc_context, rcParams
    from matplotlib.figure import Figure

    if not isinstance(trajectory, Trajectory):
        raise InvalidInputError(f"trajectory is {a_kind(trajectory)}: give what simulate returns")
    path, rate = as_path(path), as_int("fps", fps, low=1, high=120)
    stride, saved = as_int("every", every, low=1, high=MAX_STEPS), len(trajectory.save_steps)
    if saved < 2:
        raise InvalidInputError("the trajectory has one saved step: give save_steps='all' to simulate")
    frames = np.unique([*range(0, saved, stride), saved - 1]).tolist()
    writer = _writer(path, rate)
    # The style of the house sets all else anew, and where ffmpeg is belongs to the machine.
    encoder: Any = {name: rcParams[name] for name in ("animation.ffmpeg_path", "animation.ffmpeg_args")}
    with house_style(), rc_context(encoder), reported(as_progress(progress), "animation") as report:
        figure = Figure(figsize=(4.0, 3.4), dpi=RESOLUTION)
        figure.set_layout_engine("constrained", h_pad=0.1, w_pad=0.1)
        axes = figure.subplots()
        show = _shown(axes, trajectory)
        _set_title(axes, trajectory, frames[-1])  # the widest: n grows
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # from here on the axes stay where they are
        with _film(writer, figure, path):
            for done, k in enumerate(frames):
                show(k)
                _set_title(axes, trajectory, k)
                writer.grab_frame()
                if report is not None:
                    report((done + 1) / len(frames))
    return path


def _set_title(ax: Axes, run: Trajectory, k: int) -> None:
    ax.set_title(f"{run.order}, $n = {int(run.save_steps[k])}$", loc="left")


@contextmanager
def _film(writer: Any, figure: Figure, path: Path) -> Iterator[None]:
    """A block that grabs frames; another process writes them, whose words it has said on standard error."""
    check_writable(path)
    with replacing(path, path.suffix) as temporary:
        try:
            with writer.saving(figure, str(temporary), RESOLUTION):
                yield
        except (subprocess.CalledProcessError, BrokenPipeError) as error:
            status = f" with status {error.returncode}" if isinstance(error, subprocess.CalledProcessError) else ""
            raise NotWrittenError(f"{path} cannot be written: ffmpeg ended{status} before it was done") from error


def _writer(path: Path, fps: int) -> Any:
    """Matplotlib's, for the kind of file."""
    from matplotlib.animation import FFMpegWriter, PillowWriter

    if path.suffix == ".gif":
        return PillowWriter(fps=fps)
    if path.suffix != ".mp4":
        raise InvalidInputError(f"path {path} ends in {path.suffix!r}: give a name that ends in .gif or .mp4")
    if not FFMpegWriter.isAvailable():
        setting = "matplotlib.rcParams['animation.ffmpeg_path']"
        raise BackendUnavailableError(
            f"{path.name} is written by ffmpeg, which is not installed: give a .gif, install it, or set {setting} to "
            "where it is",
            "ffmpeg",
        )
    return FFMpegWriter(fps=fps)


def _shown(ax: Axes, run: Trajectory) -> Callable[[int], None]:
    """What shows a saved step on axes that stay where they are."""
    states = to_numpy(run.states)
    finite = states[np.isfinite(states).all(axis=2)]
    if finite.size == 0:
        raise InvalidInputError("there is no finite state to draw: every replica has diverged")
    low, high = np.quantile(finite[:, :2], [INSIDE, 1.0 - INSIDE], axis=0)
    room = np.maximum(0.05 * (high - low), 1e-9 + 1e-9 * np.abs(high))
    low, high = low - room, high + room
    return (_histograms if states.shape[2] == 1 else _points)(ax, run, states, low, high)


def _histograms(
    ax: Axes, run: Trajectory, states: FloatArray, low: FloatArray, high: FloatArray
) -> Callable[[int], None]:
    edges = np.linspace(low[0], high[0], BINS + 1)
    width, count = edges[1] - edges[0], states.shape[0]
    heights = np.array([np.histogram(states[:, k, 0], edges)[0] for k in range(states.shape[1])]) / (count * width)
    bars = ax.stairs(heights[0], edges, fill=True, color=order_color(run.order), alpha=0.5)
    # A start in one point would leave the rest of the picture flat: the later half of the steps is not cut.
    most = float(heights[len(heights) // 2 :].max())
    if run.maps is not None and (exact := draw_exact(ax, run.maps.law, edges)) is not None:
        most = max(most, float(exact.max()))
        ax.legend(loc="upper right")
    ax.set(xlim=(edges[0], edges[-1]), ylim=(0.0, 1.1 * most))
    ax.set(xlabel=component(f"{letter(run.order)}_n", 0, 1, run.maps), ylabel="density")
    return lambda k: bars.set_data(heights[k])


def _points(ax: Axes, run: Trajectory, states: FloatArray, low: FloatArray, high: FloatArray) -> Callable[[int], None]:
    size = float(np.clip(3000.0 / len(states), 0.4, 12.0))
    x, y = states[:, 0, :2].T
    dots = ax.scatter(x, y, s=size, color=order_color(run.order), alpha=0.6, linewidths=0.0)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.set_aspect("equal", adjustable="box")
    symbol = f"{letter(run.order)}_n"
    ax.set(**{f"{axis}label": component(symbol, k, states.shape[2], run.maps) for k, axis in enumerate("xy")})
    return lambda k: dots.set_offsets(states[:, k, :2])
