"""One thread of BLAS in each product: the products of small networks are too small for more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_blas_thread(model) -> Iterator[None]:
    """Of models whose units run side by side: more threads in each product make it slower, eight times where seen."""
    if not getattr(model, "side_by_side", False):
        yield
        return
    import scipy.linalg.blas  # noqa: F401 - its library must be loaded to be told
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
