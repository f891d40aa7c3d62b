"""`TrainingRun`: what was observed along a run of training, and its file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder._version import __version__
from iterorder.archive import loaded, write_result
from iterorder.drawn import drawn_by
from iterorder.errors import InvalidInputError
from iterorder.files import as_path
from iterorder.labelled import frame
from iterorder.networks.folder import is_of_a_run, prefixed, without_prefix
from iterorder.networks.late import LateTraining, late_training
from iterorder.optional import imported
from iterorder.orders import Order, Window, as_order
from iterorder.shown import ShownByFacts, span
from iterorder.types import BoolArray, DTypeLike, FloatArray, IntArray, PathLike
from iterorder.validation import as_choice, as_seed

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes

SCHEMA = "iterorder.training/1"
#: The file of a run in its folder.
RESULT = "result.npz"


@dataclass(frozen=True, eq=False, repr=False)
class TrainingRun(ShownByFacts):
    """What `train` saw at the saved steps.

    Attributes
    ----------
    save_steps : ndarray of int64, shape (n_saved,)
        With ``pairs`` each step that was asked for and the next one.
    observables : dict of str to ndarray, shape (n_starts, n_sequences, n_saved)
        What the model observes of each iterate; NaN where it was not computed or is not finite.
    gradients : ndarray of int64, shape (n_saved,)
        Gradient steps that one start and sequence needs for all saved iterates up to this one.
    moves : ndarray, shape (n_starts, n_sequences, n_saved)
        ‖θ_(n+1) − θ_n‖ of the parameters, where n and n + 1 are both saved; NaN elsewhere.
    states : ndarray, shape (n_starts, n_sequences, n_saved, n_parameters), or None
        The parameters, where they were to be kept.
    done : ndarray of bool, shape (n_starts, n_sequences, n_saved)
        Which iterates were computed: all, unless the time was over.
    order, seed, digest, device
        Of the run; the digest is that of everything that changes its numbers.
    forecast : str
        What two forward runs said before a backward run (`coupled_starts`); empty where nothing was asked.
    """

    save_steps: IntArray
    observables: dict[str, FloatArray]
    gradients: IntArray
    moves: FloatArray
    states: FloatArray | None
    done: BoolArray
    order: Order
    seed: int
    digest: str
    device: str
    forecast: str = ""

    def _facts(self) -> dict[str, str]:
        starts, sequences, _ = self.moves.shape
        facts = {
            "save_steps": span(self.save_steps),
            "order": repr(self.order),
            "starts": str(starts),
            "sequences": str(sequences),
            "observables": ", ".join(self.observables),
            "seed": str(self.seed),
            "device": repr(self.device),
        }
        if not self.complete:
            facts["done"] = f"{int(self.done.sum())} of {self.done.size}"
        return facts

    @property
    def complete(self) -> bool:
        """Whether every iterate was computed."""
        return bool(self.done.all())

    @property
    def has_neighbours(self) -> bool:
        """Whether a step is saved beside the next one, so that there are moves."""
        return bool((np.diff(self.save_steps) == 1).any())

    @property
    def reached(self) -> str:
        """How far a run is that is not complete, for legends; empty for one that is."""
        if self.complete:
            return ""
        columns = self.done.all(axis=(0, 1))
        last = int(columns.argmin())  # the first step that is missing
        if last and not self.done[..., last:].any():
            return f"to n = {self.save_steps[last - 1]:,}"
        return f"{self.done.mean():.0%} done"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> FloatArray:
        """None of the arrays here is the run: NumPy is told so, as it would make an array of one object."""
        raise InvalidInputError(
            f"a TrainingRun holds several arrays: give one of its observables ({', '.join(self.observables)}), such as "
            f"run.observables[{next(iter(self.observables))!r}]"
        )

    def late(self, observable: str = "loss") -> LateTraining:
        """The last third of the steps in a few numbers: level, spreads within and between sequences, and move.

        Parameters
        ----------
        observable : str
            One of `observables`.

        Returns
        -------
        LateTraining
            Over all starts and sequences of the run.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> from iterorder.networks import MLP, train
        >>> model = MLP(rng.normal(size=(50, 4)), rng.integers(0, 3, 50), hidden=(8,), step_size=0.1)
        >>> run = train(model, batch_size=4, n_steps=30, save_steps="all", n_sequences=3, seed=1)
        >>> late = run.late()
        >>> late.steps[0].item(), late.within.shape, late.between > 0
        (21, (1, 3), True)
        """
        values = self.observables[as_choice("observable", observable, tuple(self.observables))]
        return late_training(self.save_steps, values, self.moves, self.done)

    def to_xarray(self) -> xarray.Dataset:
        """The same data with named axes (start, sequence, step).

        Raises
        ------
        BackendUnavailableError
            If xarray is not installed.
        """
        xarray = imported("xarray", extra="store", use="to_xarray")
        axes = ("start", "sequence", "step")
        content: dict[str, Any] = {name: (axes, values) for name, values in self.observables.items()}
        content |= {"move": (axes, self.moves), "done": (axes, self.done)}
        variables = content | {"gradients": (("step",), self.gradients)}
        if self.states is not None:
            variables["states"] = ((*axes, "parameter"), self.states)
        attributes = {name: str(getattr(self, name)) for name in ("order", "seed", "digest", "device", "forecast")}
        return xarray.Dataset(variables, {"step": self.save_steps}, {**attributes, "version": __version__})

    def to_dataframe(self) -> pandas.DataFrame:
        """The curves as a table of pandas: a row for each start, sequence and saved step; states are left out.

        Raises
        ------
        BackendUnavailableError
            If pandas is not installed.
        """
        curves = {**self.observables, "move": self.moves, "done": self.done}
        starts, sequences, _ = self.moves.shape
        index = {"start": np.arange(starts), "sequence": np.arange(sequences), "step": self.save_steps}
        return frame({name: values.ravel() for name, values in curves.items()}, index)

    def save(self, path: PathLike) -> None:
        """Write everything to one .npz file (no pickle): first under a temporary name, then renamed.

        Parameters
        ----------
        path : str or path-like
            An existing file is replaced.
        """
        header = {
            "schema": SCHEMA,
            "order": self.order if isinstance(self.order, str) else dataclasses.asdict(self.order),
            **{name: getattr(self, name) for name in ("seed", "digest", "device", "forecast")},
        }
        arrays = {name: getattr(self, name) for name in ("save_steps", "gradients", "moves", "done")}
        arrays |= {} if self.states is None else {"states": self.states}
        write_result(path, header, arrays | prefixed("observable", self.observables), shown="run.states")

    @classmethod
    def load(cls, path: PathLike) -> TrainingRun:
        """Read a run that `save` wrote, as `iterorder.load` does.

        Raises
        ------
        FileNotFoundError
            If there is no such file; of a run that was killed, the message says how to get it.
        InvalidInputError
            If the file is cut or holds something else.
        """
        return loaded(check_written(as_path(path)), {SCHEMA: cls._of_parts})

    @classmethod
    def _of_parts(cls, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> TrainingRun:
        order = header["order"] if isinstance(header["order"], str) else Window(**header["order"])
        shape, saves = arrays["done"].shape, arrays["save_steps"]
        observables = without_prefix("observable", arrays)
        wanted = {"moves": arrays["moves"], **observables}
        for name, array in wanted.items():
            if len(shape) != 3 or array.shape != shape or shape[2] != len(saves):
                raise ValueError(f"{name} has shape {array.shape} beside {shape} and {len(saves)} saved steps")
        return cls(
            saves,
            observables,
            arrays["gradients"],
            arrays["moves"],
            arrays.get("states"),
            arrays["done"],
            as_order(order),
            as_seed(header["seed"]),
            str(header["digest"]),
            str(header["device"]),
            str(header["forecast"]),
        )

    def plot(self, ax: Axes | None = None, *, observable: str = "loss") -> Axes:
        """One observable over the step, a line for each start and sequence.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            New ones by pyplot if there are none.
        observable : str
            One of `observables`, or "move" for ‖θ_(n+1) − θ_n‖.

        Returns
        -------
        matplotlib Axes
            Those that were drawn on.

        Notes
        -----
        A smooth curve is no evidence that the network settles: look at "move" beside it. Of a run that is not
        complete the axis ends at the last saved step all the same, and its label says how far the curve is.
        """
        return drawn_by("trainings", self, ax, observable=observable)


def check_written(path: Path) -> Path:
    """The path of a result; where a run was killed before it wrote one, an error that tells how to get it."""
    if not path.exists() and is_of_a_run(path.parent):
        raise FileNotFoundError(
            f"{path} is not there, and its folder is that of a run that was killed before it wrote {RESULT}: call "
            f"train with the same arguments, folder={str(path.parent)!r} and max_seconds=0, which writes it"
        )
    return path


def runs_in(folder: Path) -> list[tuple[str, TrainingRun]]:
    """The runs that `train` has left in a folder and in those one below, each with the name of its folder."""
    files = [folder / RESULT, *sorted(folder.glob(f"[!.]*/{RESULT}"))]  # hidden folders are others' business
    return [(path.parent.name, TrainingRun.load(path)) for path in files if path.is_file()]
