"""Kernels that are compiled while somebody waits: seconds, and tens of them where the cache is empty."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event

#: What a page is told at once, before the answer that it waits for.
COMPILING = json.dumps({"kind": "compiling"})


class _Once(event.Listener):
    """Calls a function at the first start; kernels compile others inside of them."""

    def __init__(self, tell: Callable[[], object]) -> None:
        self._tell: Callable[[], object] | None = tell

    def on_start(self, event: object) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell()

    def on_end(self, event: object) -> None:
        """The answer itself says that it is over."""


@contextmanager
def told_of_compiling(tell: Callable[[], object]) -> Iterator[None]:
    """Call `tell`, in the thread that compiles, once where the block compiles a kernel that was not in the cache."""
    with event.install_listener("numba:compile", _Once(tell)):
        yield
