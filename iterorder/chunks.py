"""Temporary arrays of bounded size."""

from __future__ import annotations

from collections.abc import Iterator

#: Numbers in a temporary array (32 MiB): items are taken in chunks below this.
CHUNK_ENTRIES = 2**22


def chunks(count: int, entries_each: int) -> Iterator[slice]:
    """Slices of [0, count) whose arrays stay below `CHUNK_ENTRIES` numbers."""
    size = max(1, CHUNK_ENTRIES // max(1, entries_each))
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
