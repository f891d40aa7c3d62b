"""The iterates of one unit: forward, backward from a state, or along a sliding window."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from iterorder.lengths import euclidean_norm
from iterorder.networks.batches import Batches
from iterorder.networks.folder import Folder, prefixed, without_prefix
from iterorder.networks.model import State, StepModel, advancing, n_replicas_of, on_host, steps_at_once
from iterorder.networks.pace import CHECKPOINT_SECONDS, OutOfTime, Pace
from iterorder.networks.plan import MOST_ROWS, Unit


class Found(NamedTuple):
    """What a unit found: observables {name: (runs, owned)}, moves (runs, owned), positions (runs, owned, P) or None."""

    observables: dict[str, np.ndarray]
    moves: np.ndarray
    positions: np.ndarray | None

    def arrays(self) -> dict[str, np.ndarray]:
        """For a file."""
        kept = {} if self.positions is None else {"positions": self.positions}
        return {**prefixed("observable", self.observables), "moves": self.moves, **kept}

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> Found:
        """From a file."""
        return cls(without_prefix("observable", arrays), arrays["moves"], arrays.get("positions"))


@dataclass(eq=False)
class Walk:
    """A run's model, noise and saved steps; `found` computes one unit.

    Attributes
    ----------
    borders : dict
        States of one replica by (run, n): the forward iterates from which blocks begin.
    """

    model: StepModel
    batches: Batches
    seed: int
    saves: np.ndarray
    anchor: int
    width: int
    keep_states: bool
    pace: Pace
    folder: Folder | None = None
    report: Callable[[float], object] | None = None
    borders: dict[tuple[int, int], State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.advance = advancing(self.model, self.seed)

    def found(self, unit: Unit) -> Found:
        """The iterates that a unit owns."""
        way = {"forward": self._forward, "backward": self._backward, "sliding": self._sliding}
        return way[unit.kind](unit)

    # ------------------------------------------------------------------------------------------------- what all need

    def _start_and_sequence(self, run: int) -> tuple[int, int]:
        return divmod(run, self.batches.n_sequences)

    def _starts(self, runs: tuple[int, ...]) -> State:
        """θ_0 of each run."""
        numbers = [self._start_and_sequence(run)[0] for run in runs]
        if len(set(numbers)) == 1:
            return self.model.start(len(runs), seed=self.seed, start=numbers[0])
        state = self.model.start(1, seed=self.seed, start=numbers[0])
        for number in numbers[1:]:
            state = self.model.join(state, self.model.start(1, seed=self.seed, start=number))
        return state

    def _origin(self, run: int, n: int) -> State:
        """The forward iterate from which a block begins, its own copy."""
        if n == 0:
            return self._starts((run,))
        state = self.borders.get((run, n))
        if state is None:
            assert self.folder is not None
            arrays = self.folder.read(border_name(run, n))
            assert arrays is not None
            return self._placed(without_prefix("state", arrays))
        return self.model.take(state, [0])

    def _placed(self, arrays: dict[str, np.ndarray]) -> State:
        place = getattr(self.model, "placed", None)
        return dict(arrays) if place is None else place(arrays)

    def _advanced(self, state: State, k: int, end: int, met: int | np.ndarray) -> tuple[State, int]:
        """A state after steps from k on towards `end`, which is not taken, and how many: those of one call.

        `met` are the sequences whose batches the replicas meet, one for all or one for each.
        """
        count = min(abs(end - k), steps_at_once(self.model, n_replicas_of(state), self.batches.law.batch_size))
        if count <= 1:
            return self.advance(state, self.batches.at(k)[met], k, met), 1
        steps = k + np.sign(end - k) * np.arange(count)
        items = np.empty((count, *self.batches.at(k)[met].shape), np.int64)
        for row, step in zip(items, steps.tolist(), strict=True):
            row[...] = self.batches.at(step)[met]  # a copy: what is held keeps no table of batches
        return self.model.advance_many(state, items, steps), count  # type: ignore[attr-defined]

    def _tick(self, steps: int, keep: _Kept | None = None, half_done: Callable[[], dict] | None = None) -> None:
        """After a step of so many replicas: count it, tell it, and stop or keep what is half done if it is time."""
        self.pace.add(steps)
        if self.report is not None:
            self.report(self.pace.share)
        over = self.pace.is_over
        if keep is not None and half_done is not None and (over or keep.is_due()):
            keep.write(half_done())
        if over:
            raise OutOfTime

    def _moves_wanted(self, unit: Unit) -> bool:
        return bool((np.diff(self.saves[unit.rows]) == 1).any())

    def _of_rows(self, unit: Unit, state: State) -> Found:
        """Of a state whose replicas are the iterates of the unit, in the order of the saved steps."""
        owned = unit.last - unit.first
        positions = None
        if self.keep_states or self._moves_wanted(unit):
            positions = self.model.position(state)
        seen = self.model.observe(state)
        observables = {name: np.asarray(values)[None, :owned] for name, values in seen.items()}
        moves = np.full((1, owned), np.nan)
        if positions is not None:
            n = self.saves[unit.rows]
            next_to = np.flatnonzero(np.diff(n) == 1)
            for first in range(0, len(next_to), MOST_ROWS):  # in float64: some at a time, of what may be thousands
                some = next_to[first : first + MOST_ROWS]
                moves[0, some] = distance(positions[some + 1], positions[some])
        return Found(
            observables, moves, positions[None, :owned] if self.keep_states and positions is not None else None
        )

    # --------------------------------------------------------------------------------------------------- three ways

    def _backward(self, unit: Unit) -> Found:
        """Align on the batch: all live iterates meet the same one, and a new one begins whenever n − 1 is reached.

        The replicas stand in falling order of n, so that the new one comes last.
        """
        run, low = unit.runs[0], self.anchor
        sequence = self._start_and_sequence(run)[1]
        todo = self.saves[unit.rows][::-1].tolist()
        origin = self._origin(run, low)
        keep = _Kept(self.folder, unit)
        state, k = None, todo[0] - 1
        if (kept := keep.read()) is not None:
            k, state = int(kept["cursor"]), self._placed(without_prefix("state", kept))
            self.pace.add(sum(max(0, n - 1 - k) for n in todo))
        live = 0 if state is None else n_replicas_of(state)
        while k >= low:
            while live < len(todo) and todo[live] == k + 1:
                state = origin_copy(self.model, origin) if state is None else self.model.join(state, origin)
                live += 1
            assert state is not None
            state, count = self._advanced(state, k, todo[live] - 1 if live < len(todo) else low - 1, sequence)
            k -= count
            self._tick(live * count, keep, partial(_half_done, state, k))
        while live < len(todo):  # of no step at all
            state = origin_copy(self.model, origin) if state is None else self.model.join(state, origin)
            live += 1
        assert state is not None
        return self._of_rows(unit, self.model.take(state, np.arange(live)[::-1]))

    def _forward(self, unit: Unit) -> Found:
        """All runs of the unit side by side; what is saved is observed on the way."""
        saved = self.saves[unit.rows].tolist()
        sequences = np.array([self._start_and_sequence(run)[1] for run in unit.runs])
        met = sequences[0] if len(set(sequences.tolist())) == 1 else sequences
        keep, log = _Kept(self.folder, unit), _Log(self, unit)
        state, k = self._starts(unit.runs), 0
        if (kept := keep.read()) is not None:
            k, state = int(kept["cursor"]), self._placed(without_prefix("state", kept))
            log.restore(without_prefix("log", kept))
            self.pace.add(k * len(unit.runs))
        elif 0 in saved:
            log.record(state, 0)
        for n in saved:
            while k < n:
                state, count = self._advanced(state, k, n, met)
                k += count
                if k == n:
                    log.record(state, n)
                self._tick(len(unit.runs) * count, keep, partial(_half_done, state, k, log))
        return log.found()

    def _sliding(self, unit: Unit) -> Found:
        """Forward to n − width for each n, then the last maps of all of them backward side by side."""
        run, model = unit.runs[0], self.model
        sequence = self._start_and_sequence(run)[1]
        rows = self.saves[unit.rows]
        bases = np.maximum(rows - self.width, 0)
        single, state, k = self._origin(run, int(bases[0])), None, int(bases[0])
        for base in bases.tolist():
            while k < base:
                single, count = self._advanced(single, k, base, sequence)
                k += count
                self._tick(count)
            state = origin_copy(model, single) if state is None else model.join(single, state)
        assert state is not None
        falling, done = rows[::-1], None
        for back in range(1, self.width + 1):
            active = int((falling >= back).sum())
            if active < n_replicas_of(state):  # those of fewer steps than the window is wide have met all
                ready = model.take(state, np.arange(active, n_replicas_of(state)))
                done = ready if done is None else model.join(ready, done)
                if not active:
                    state = None
                    break
                state = model.take(state, np.arange(active))
            steps = falling[:active] - back
            items = self.batches.of(sequence, steps)
            state = self.advance(state, items, steps, sequence)
            self._tick(active)
        if state is None:
            state = done
        elif done is not None:
            state = model.join(state, done)
        assert state is not None
        return self._of_rows(unit, model.take(state, np.arange(len(rows))[::-1]))

    def lay_borders(self, wanted: dict[int, list[int]]) -> None:
        """The forward iterates from which blocks begin, for each run the wanted steps in rising order."""
        for run, steps in wanted.items():
            sequence = self._start_and_sequence(run)[1]
            there = [n for n in steps if self.folder is not None and self.folder.read(border_name(run, n)) is not None]
            missing = [n for n in steps if n not in there and n > 0]
            if not missing:
                continue
            k = max((n for n in there if n < missing[0]), default=0)
            state = self._origin(run, k)
            for n in missing:
                while k < n:
                    state, count = self._advanced(state, k, n, sequence)
                    k += count
                    self._tick(count)
                if self.folder is None:
                    self.borders[run, n] = self.model.take(state, [0])
                else:
                    self.folder.write(border_name(run, n), _of_state(state))


class _Kept:
    """What is half done of a unit, on disk."""

    def __init__(self, folder: Folder | None, unit: Unit) -> None:
        self.folder, self.name = folder, f"half-{unit.number:05d}"
        self.next = time.monotonic() + CHECKPOINT_SECONDS

    def is_due(self) -> bool:
        return self.folder is not None and time.monotonic() >= self.next

    def read(self) -> dict[str, np.ndarray] | None:
        return None if self.folder is None else self.folder.read(self.name)

    def write(self, arrays: dict[str, np.ndarray]) -> None:
        if self.folder is not None:
            self.folder.write(self.name, arrays)
            self.next = time.monotonic() + CHECKPOINT_SECONDS


class _Log:
    """What a forward unit has seen so far."""

    def __init__(self, walk: Walk, unit: Unit) -> None:
        self.walk, self.unit = walk, unit
        self.n = walk.saves[unit.rows]
        self.seen: dict[str, np.ndarray] = {}
        self.moves = np.full((len(unit.runs), len(self.n)), np.nan)
        self.positions: np.ndarray | None = None
        self.before: np.ndarray | None = None
        self.count = 0

    def record(self, state: State, n: int) -> None:
        i, runs = self.count, len(self.unit.runs)
        for name, values in self.walk.model.observe(state).items():
            self.seen.setdefault(name, np.full((runs, len(self.n)), np.nan))[:, i] = np.asarray(values)
        after_neighbour = i > 0 and self.n[i] == self.n[i - 1] + 1
        before_neighbour = i + 1 < len(self.n) and self.n[i + 1] == self.n[i] + 1
        if self.walk.keep_states or after_neighbour or before_neighbour:
            here = self.walk.model.position(state)
            if after_neighbour and self.before is not None:
                self.moves[:, i - 1] = distance(here, self.before)
            self.before = here if before_neighbour else None
            if self.walk.keep_states:
                if self.positions is None:
                    self.positions = np.zeros((runs, len(self.n), here.shape[1]), here.dtype)
                self.positions[:, i] = here
        self.count += 1

    def arrays(self) -> dict[str, np.ndarray]:
        found = {**prefixed("seen", self.seen), "moves": self.moves, "count": np.array(self.count)}
        for name in ("positions", "before"):
            if (array := getattr(self, name)) is not None:
                found[name] = array
        return found

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.seen, self.moves, self.count = without_prefix("seen", arrays), arrays["moves"], int(arrays["count"])
        self.positions, self.before = arrays.get("positions"), arrays.get("before")

    def found(self) -> Found:
        owned = self.unit.last - self.unit.first
        positions = None if self.positions is None else self.positions[:, :owned]
        return Found({name: seen[:, :owned] for name, seen in self.seen.items()}, self.moves[:, :owned], positions)


def origin_copy(model: StepModel, origin: State) -> State:
    """A state of one replica that a step may write to."""
    return model.take(origin, [0])


def distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Euclidean distances of the rows, in float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.atleast_1d(euclidean_norm(first.astype(np.float64) - second))


def border_name(run: int, n: int) -> str:
    """The name of the file of a forward iterate."""
    return f"border-{run:05d}-{n:09d}"


def _half_done(state: State, cursor: int, log: _Log | None = None) -> dict[str, np.ndarray]:
    """What a unit needs to go on from here."""
    seen = {} if log is None else prefixed("log", log.arrays())
    return {"cursor": np.array(cursor), **_of_state(state), **seen}


def _of_state(state: State) -> dict[str, np.ndarray]:
    return prefixed("state", {name: on_host(array) for name, array in state.items()})
