"""What is asked of `train`, checked; what it takes of memory, and where its pieces begin."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np

from iterorder import resources
from iterorder.device_arrays import shown_bytes
from iterorder.errors import InvalidInputError
from iterorder.log import say
from iterorder.networks.model import StepModel, as_model, load_of, sampling_of
from iterorder.networks.plan import Unit, anchor_of, calls_of, planned, rows_for, steps_of, width_of
from iterorder.noise import MAX_REPLICAS
from iterorder.orders import FORWARD, Order, Window, as_order
from iterorder.progress import Progress
from iterorder.request import as_save_steps
from iterorder.sampling import Sampling
from iterorder.validation import as_int, as_seed

SCHEMA = "iterorder.training/1"


@dataclasses.dataclass(frozen=True, eq=False)
class Request:
    """A checked request: the arguments of `train` that change the numbers."""

    model: StepModel
    law: Sampling
    n_steps: int
    order: Order
    saves: np.ndarray
    n_starts: int
    n_sequences: int
    seed: int
    keep_states: bool

    @property
    def n_runs(self) -> int:
        """Starts times sequences."""
        return self.n_starts * self.n_sequences

    def units(self) -> list[Unit]:
        """The pieces of the run."""
        return planned(self.order, self.saves, self.n_runs, *load_of(self.model))

    def description(self) -> dict:
        """What the folder says of its run."""
        saves = hashlib.sha256(self.saves.tobytes()).hexdigest()[:16]
        return {
            "model": self.model.digest(),
            "batch_size": self.law.batch_size,
            "sampling": self.law.kind,
            "order": str(self.order),
            "n_steps": self.n_steps,
            "save_steps": f"{len(self.saves)} steps, {saves}",
            "n_starts": self.n_starts,
            "n_sequences": self.n_sequences,
            "seed": self.seed,
            "keep_states": self.keep_states,
            "rows": rows_for(*load_of(self.model)),
        }

    @property
    def digest(self) -> str:
        """Of everything that changes the numbers, the size of a block included."""
        return hashlib.sha256(json.dumps([SCHEMA, self.description()]).encode()).hexdigest()


def checked(
    *, model, batch_size, sampling, n_steps, order, save_steps, pairs, n_starts, n_sequences, seed, keep_states
) -> Request:
    """The arguments of `train`, or an error that names the first that cannot be used."""
    model, order = as_model(model), as_order(order)
    n_steps = as_int("n_steps", n_steps, low=0, high=2**40)
    saves = as_save_steps(save_steps, n_steps)
    if pairs:
        saves = np.union1d(saves, saves[saves < n_steps] + 1)
    n_starts = as_int("n_starts", n_starts, low=1, high=2**20)
    n_sequences = as_int("n_sequences", n_sequences, low=1, high=min(MAX_REPLICAS, 2**20))
    law = sampling_of(model, batch_size, sampling)
    return Request(model, law, n_steps, order, saves, n_starts, n_sequences, as_seed(seed), bool(keep_states))


def workers_of(request: Request, units: int) -> int:
    """Threads: each runs a unit of its own with one thread of BLAS."""
    return max(1, min(resources.threads(), units)) if getattr(request.model, "side_by_side", False) else 1


@dataclasses.dataclass(frozen=True)
class Demand:
    """What a run takes.

    Attributes
    ----------
    states, results, borders : int
        Bytes of the states side by side, of what is kept of all iterates, and of states between pieces.
    rows : int
        States side by side in one piece.
    pieces, steps : int
        Pieces of the run, and its gradient steps.
    """

    states: int
    results: int
    borders: int
    rows: int
    pieces: int
    steps: int

    @property
    def total(self) -> int:
        """All bytes."""
        return self.states + self.results + self.borders


def effort_of(request: Request) -> int:
    """What the time goes with: gradient steps, or calls where a model carries many iterates at the price of few."""
    each, many = load_of(request.model)
    if not many:
        return demand_of(request).steps
    if request.order == FORWARD:
        return -(-request.n_runs // rows_for(each, many)) * int(request.saves[-1])
    single = dataclasses.replace(request, n_starts=1, n_sequences=1)
    return request.n_runs * sum(calls_of(unit, request.order, request.saves) for unit in single.units())


def demand_of(request: Request) -> Demand:
    """What the run takes, from the pieces of a single one: all starts and sequences have such pieces."""
    each, count = request.model.bytes_per_replica(), request.n_runs
    units = dataclasses.replace(request, n_starts=1, n_sequences=1).units()
    steps = count * sum(steps_of(unit, request.order, request.saves) for unit in units)
    if request.order == FORWARD:  # here runs go side by side
        rows = min(rows_for(*load_of(request.model)), count)
        pieces = -(-count // rows)
    else:
        rows = max(unit.last - unit.first + unit.extra if unit.kind != "forward" else 1 for unit in units)
        pieces = count * len(units)
    kept = 8 * count * len(request.saves) * 4
    if request.keep_states:
        kept += count * len(request.saves) * each
    borders = each * count * sum(len(steps) for steps in borders_of(request, units).values())
    return Demand(rows * each * workers_of(request, pieces), kept, borders, rows, pieces, steps)


def check_memory(request: Request, memory, progress: Progress) -> None:
    """Say what the run takes, and refuse what does not fit, before it begins."""
    if isinstance(memory, str):
        raise InvalidInputError(f"memory is {memory!r}: give a number of bytes, such as {2**30} for 1 GiB")
    there = resources.memory() if memory is None else as_int("memory", memory, low=0, high=2**60)
    demand = demand_of(request)
    states, kept, borders = map(shown_bytes, (demand.states, demand.results, demand.borders))
    total = shown_bytes(demand.total)
    if demand.total > there:
        parts = f"{demand.rows} states side by side {states}, results {kept}, states between pieces {borders}"
        fewer = "fewer save_steps" if request.n_sequences == 1 else "fewer save_steps or n_sequences"
        advice = f"give keep_states=False or {fewer}" if request.keep_states else f"give {fewer}"
        if demand.states > demand.results + demand.borders:
            advice = "take a smaller model" + (
                ", or float32" if getattr(request.model, "dtype", None) == np.float64 else ""
            )
        raise InvalidInputError(
            f"the run needs {total} of memory ({parts}), and there are {shown_bytes(there)}: {advice}, or raise memory"
        )
    if progress is True:
        pieces = "1 piece" if demand.pieces == 1 else f"{demand.pieces:,} pieces"
        say(f"{request.order} order: {demand.steps:,} gradient steps in {pieces}, {total} of memory")


def borders_of(request: Request, units: list[Unit]) -> dict[int, list[int]]:
    """For each run the steps whose forward iterates blocks begin from."""
    if not isinstance(request.order, Window):
        return {}
    wanted: dict[int, set[int]] = {}
    for unit in units:
        if unit.kind == "forward":
            continue
        width = width_of(request.order)
        n = max(0, int(request.saves[unit.first]) - width) if width else anchor_of(request.order)
        wanted.setdefault(unit.runs[0], set()).add(n)
    return {run: sorted(steps - {0}) for run, steps in wanted.items()}
