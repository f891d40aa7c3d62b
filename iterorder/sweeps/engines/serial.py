"""The engine that is this process."""

from __future__ import annotations

from collections import deque

from iterorder.sweeps.cells import Cells, Outcome
from iterorder.sweeps.engines.base import Block, Finished


class Serial:
    """One block at a time; kernels use all cores."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._blocks: deque[Block] = deque()
        self._outcomes: list[Outcome] = []

    @property
    def least_seconds(self) -> float:
        """Any: a task costs next to nothing."""
        return 0.0

    @property
    def blames_one(self) -> bool:
        """A block is never lost."""
        return True

    def room(self) -> int:
        """One block."""
        return 1 - len(self._blocks)

    def submit(self, block: Block) -> None:
        """Keep a block until it is collected."""
        self._blocks.append(block)

    def collect(self, timeout: float) -> list[Finished]:
        """Compute a block."""
        if not self._blocks:
            return []
        block = self._blocks[0]
        for part in block[len(self._outcomes) :]:
            self._outcomes.append(self._cells.compute(part))
        self._blocks.popleft()
        outcomes, self._outcomes = self._outcomes, []
        return [Finished(block, outcomes)]

    def salvage(self) -> list[Outcome]:
        """The cells of the block that were computed before an interruption; parts of a cell are none."""
        block = self._blocks[0] if self._blocks else ()
        return [outcome for part, outcome in zip(block, self._outcomes, strict=False) if not part.replicas]

    def close(self) -> None:
        """Nothing is left to stop."""
        self._blocks.clear()
