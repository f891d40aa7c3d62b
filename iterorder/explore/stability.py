"""The diagram of stability: for each batch size the step size at which second moments lose it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from iterorder.errors import IterorderError
from iterorder.explore.systems import ROWS, Catalogue
from iterorder.explore.view import View
from iterorder.theory import stability_boundary

#: Step sizes looked at, and most rows of the diagram.
LOW, HIGH, MOST = 1e-3, 20.0, 6
#: Losses whose moments are exact: one boundary takes milliseconds there, not minutes.
EXACT = ("squared",)


def why_none(catalogue: Catalogue, view: View) -> str:
    """The reason why a view has no diagram; empty where it has one."""
    if catalogue.system(view.system).uses != ROWS:
        return "The diagram is drawn for linear models: choose one, or drop a table."
    if view.loss not in EXACT:
        return "The diagram is drawn for the squared loss, whose moments are exact."
    return ""


def diagram(catalogue: Catalogue, view: View) -> Generator[None, None, dict]:
    """The mean-square boundary of each batch size (None where none is found), or the reason why there is none.

    Yields between two batch sizes.
    """
    if reason := why_none(catalogue, view):
        return {"reason": reason}
    n = len(catalogue.maps(replace(view, batch_size=1)).targets)  # type: ignore[attr-defined]
    batches = [2**k for k in range(MOST) if 2**k <= n]
    boundaries = []
    for batch in batches:
        boundaries.append(_boundary(catalogue, replace(view, batch_size=batch)))
        yield
    return {"batch_sizes": batches, "boundaries": boundaries, "low": LOW, "high": HIGH}


def _boundary(catalogue: Catalogue, view: View) -> float | None:
    try:
        make_maps = lambda h: catalogue.maps(replace(view, step_size=h))  # noqa: E731
        return float(stability_boundary(make_maps, LOW, HIGH, backend="cpu"))
    except IterorderError:
        return None
