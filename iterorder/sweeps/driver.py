"""Works a sweep off: claims blocks of cells, hands them to an engine, and records what comes back."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from iterorder.errors import LedgerError
from iterorder.progress import Report
from iterorder.sweeps.cells import Cells, Outcome, Part, failed, fitted
from iterorder.sweeps.engines.base import Block, Engine
from iterorder.sweeps.ledger import LEASE, LOST, Ledger, owner_name

#: Cells in a block at most, and how much larger the next block may be than what has been seen.
MOST_CELLS, GROWTH = 5000, 4
#: Times of cells that the size of the next block is taken from.
REMEMBERED = 200
#: Seconds to wait for a block before the state of the sweep is looked at again.
POLL = 0.2
#: Workers that a single cell may cost before it is an error.
DEATHS = 3
#: Cells that are tried, spread over the grid, until one shows what a result is.
TRIED = 32


class Driver:
    """The work on one sweep by one client."""

    def __init__(
        self, ledger: Ledger, cells: Cells, engine: Engine, *, block_seconds: float, split: int | None
    ) -> None:
        self._ledger, self._cells, self._engine = ledger, cells, engine
        self._owner = owner_name()
        self._sizes = BlockSize(block_seconds)
        self._split = split
        self._layout = ledger.value("layout")
        self._waiting: deque[Block] = deque()
        self._suspects: deque[Block] = deque()
        self._in_flight, self._alone = 0, False
        self._deaths: Counter[int] = Counter()
        self._told = -math.inf
        self._parts: dict[int, dict[tuple[int, int], Outcome | None]] = {}

    def run(self, report: Report | None) -> None:
        """Until every cell has a result or an error; stops early by an exception, and keeps what is finished."""
        try:
            with renewed(self._ledger, self._owner):
                for cell in self._first_cells():
                    if self._layout is not None:
                        break
                    self._enqueue([cell])
                    self._until_idle(report)
                while self._fill() or self._in_flight or self._others_work():
                    self._turn(report)
        finally:
            with suppress(LedgerError):  # of a full disk the first error tells
                self._record(self._engine.salvage())
                self._ledger.release(self._owner)

    def _first_cells(self) -> Iterator[int]:
        """Open cells, spread over the grid, the first of which that succeeds says what a result looks like."""
        total = len(self._cells.grid)
        failures = self._ledger.errors()
        for cell in dict.fromkeys(k * total // TRIED for k in range(TRIED)):
            if cell not in failures:
                yield cell

    def _until_idle(self, report: Report | None) -> None:
        while self._waiting or self._suspects or self._in_flight:
            self._hand_out()
            self._turn(report)

    def _others_work(self) -> bool:
        """Whether cells are open that other clients hold; then wait until they are done, or their leases end."""
        if not self._ledger.anything_open():
            return False
        self._ledger.release_dead()
        time.sleep(POLL)
        return True

    def _turn(self, report: Report | None) -> None:
        for block, outcomes in self._engine.collect(POLL):
            self._in_flight -= 1
            to_blame, self._alone = self._alone or self._engine.blames_one, False
            if outcomes is None and not to_blame:
                self._suspects.append(block)
            elif outcomes is None:
                self._lost(block)
            elif block[0].replicas:
                self._part_done(block[0], outcomes[0])
            else:
                self._sizes.saw(outcomes)
                self._record(outcomes)
        now = time.monotonic()
        if report is not None and now - self._told >= POLL:  # counting reads all rows
            self._told = now
            counts = self._ledger.counts()
            report((counts.done + counts.failed) / counts.total)

    def _fill(self) -> bool:
        """Claim and hand out as many blocks as the engine takes; whether any was."""
        before = self._in_flight
        self._hand_out()
        while not self._alone and self._engine.room() > 0:
            wanted = self._sizes.cells(len(self._cells.grid), self._engine.least_seconds)
            claimed = self._ledger.claim(self._owner, wanted)
            if not claimed:
                break
            self._enqueue(claimed)
            self._hand_out()
        return self._in_flight > before

    def _hand_out(self) -> None:
        while not self._alone and self._waiting and self._engine.room() > 0:
            self._submit(self._waiting)
        if self._suspects and not self._waiting and not self._in_flight:  # alone: then one that is lost is to blame
            self._alone = True
            self._submit(self._suspects)

    def _submit(self, blocks: deque[Block]) -> None:
        self._engine.submit(blocks.popleft())
        self._in_flight += 1

    def _enqueue(self, cells: list[int]) -> None:
        """Blocks for some cells: one for all, but one for each part of a cell that is split."""
        whole = []
        for cell in cells:
            replicas = self._cells.replicas_of(cell) if self._split else 0
            if not self._split or replicas <= self._split:
                whole.append(Part(cell))
                continue
            kept = self._ledger.parts(cell)
            firsts = range(0, replicas, self._split)
            spans = [(first, min(self._split, replicas - first)) for first in firsts]
            self._parts[cell] = {span: kept.get(span) for span in spans}
            self._waiting += [(Part(cell, *span),) for span in spans if span not in kept]
            if all(span in kept for span in spans):
                self._join(cell)
        if whole:
            self._waiting.append(tuple(whole))

    def _part_done(self, part: Part, outcome: Outcome) -> None:
        parts = self._parts.get(part.cell)
        if parts is None:  # of a cell that has failed already
            return
        if outcome.error:
            del self._parts[part.cell]
            self._record([outcome])
            return
        self._ledger.record_part(outcome, part.first, part.replicas)
        parts[part.first, part.replicas] = outcome
        if all(found is not None for found in parts.values()):
            self._join(part.cell)

    def _join(self, cell: int) -> None:
        parts = self._parts.pop(cell)
        self._record([self._cells.joined(cell, [found for found in parts.values() if found is not None])])

    def _lost(self, block: Block) -> None:
        """A worker died of a block: each of its cells goes by itself, and is an error once it has cost too many."""
        again = self._waiting if self._engine.blames_one else self._suspects
        for part in block:
            self._deaths[part.cell] += 1
            if len(block) == 1 and self._deaths[part.cell] >= DEATHS:
                self._parts.pop(part.cell, None)
                message = f"{self._deaths[part.cell]} workers died that computed this cell: out of memory, perhaps"
                self._record([failed(part.cell, LOST, message)])
            else:
                again.append((part,))

    def _record(self, outcomes: list[Outcome]) -> None:
        if not outcomes:
            return
        for outcome in outcomes:
            if self._layout is None and not outcome.error:
                self._layout = self._ledger.set_once("layout", outcome.layout)
        layout = self._layout
        self._ledger.record(outcomes if layout is None else [fitted(outcome, layout) for outcome in outcomes])


class BlockSize:
    """How many cells make a task of a given time, from the times of those that were computed."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._times = seconds, deque[float](maxlen=REMEMBERED)
        self._allowed = 1

    def saw(self, outcomes: list[Outcome]) -> None:
        """Learn from a block."""
        self._times.extend(max(outcome.seconds, 1e-6) for outcome in outcomes[-REMEMBERED:])
        self._allowed = min(max(self._allowed, GROWTH * len(outcomes)), MOST_CELLS)

    def cells(self, total: int, least: float = 0.0) -> int:
        """The cells of the next block, of `least` seconds or more; the median, as the first cells compile."""
        if not self._times:
            return 1
        wanted = math.ceil(max(self._seconds, least) / statistics.median(self._times))
        return max(1, min(wanted, self._allowed, MOST_CELLS, total))


@contextmanager
def renewed(ledger: Ledger, owner: str) -> Iterator[None]:
    """Hold the leases of a client as long as it works, however long a cell takes."""
    ended = Event()

    def renew() -> None:
        while not ended.wait(LEASE / 3):
            with suppress(LedgerError):  # a full disk: the work itself will tell
                ledger.renew(owner)

    thread = Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
