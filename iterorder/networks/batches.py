"""The batches of a run: whole tables of the package's noise, drawn by the compiled draws."""

from __future__ import annotations

import threading

import numpy as np

from iterorder.sampling import Sampling

#: Items of a table that is held (8 MiB): so many steps of all sequences are drawn at once.
TABLE_ITEMS = 2**21


class Batches:
    """The items of any step of some sequences, shape (n_sequences, batch_size).

    A table of steps that follow each other is drawn when a step outside of the last one is asked for. One by one, a
    draw takes longer than the step of a small network.
    """

    def __init__(self, law: Sampling, seed: int, n_sequences: int, n_steps: int) -> None:
        from iterorder.kernels.cpu.item_tables import ALIGNMENT

        self.law, self.seed, self.n_sequences = law, seed, n_sequences
        rows = max(1, TABLE_ITEMS // (n_sequences * law.batch_size) // ALIGNMENT) * ALIGNMENT
        self.rows = min(rows, -(-n_steps // ALIGNMENT) * ALIGNMENT) or ALIGNMENT
        self._tables: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of the tables that are held."""
        return 2 * self.rows * self.n_sequences * self.law.batch_size * np.dtype(np.int32).itemsize

    def at(self, step: int) -> np.ndarray:
        """The items of one step in every sequence."""
        number, row = divmod(step, self.rows)
        table = self._tables.get(number)
        return (self._drawn(number) if table is None else table)[row]

    def of(self, sequence: int, steps: np.ndarray) -> np.ndarray:
        """The items of several steps of one sequence, shape (steps, batch_size)."""
        return np.stack([self.at(step)[sequence] for step in steps.tolist()])

    def _drawn(self, number: int) -> np.ndarray:
        from iterorder.kernels.cpu.item_tables import item_table

        with self._lock:
            if number not in self._tables:
                # Two are kept: blocks that run side by side are near each other most of the time.
                for old in list(self._tables)[:-1]:
                    del self._tables[old]
                table = item_table(self.law, self.seed, 0, self.n_sequences, number * self.rows, self.rows)
                self._tables[number] = table
            return self._tables[number]
