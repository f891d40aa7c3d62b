"""Which way to the backward iterates is the cheapest."""

from __future__ import annotations

import numpy as np

from iterorder.forms import Form, Stateful
from iterorder.kernels.cpu.lanes import LANES


def algorithm(form: Form, saves: np.ndarray, n_replicas: int) -> str:
    """The cheapest way to the backward iterates after `saves` steps: "incremental", "sweep" or "each".

    Carrying the linear part of affine maps takes max(n) steps of about d² numbers (d³ against d² for full matrices),
    and rounds differently: this choice never depends on the number of replicas. Each by itself takes Σn maps, with
    replicas side by side in the lanes of a vector; the sweep has the saved iterates of one replica there, reads the
    data once, and goes on with one of those that have met. Those two give the same bits.
    """
    maps_applied = work("each", form, saves)
    carried = form.is_affine and not isinstance(form, Stateful)
    if carried and maps_applied > work("incremental", form, saves):
        return "incremental"
    each = -(-n_replicas // LANES) * maps_applied
    sweep = n_replicas * sum(saves[::-LANES].tolist())
    return "sweep" if len(saves) >= LANES or sweep < each else "each"


def work(chosen: str, form: Form, saves: np.ndarray) -> int:
    """Maps that an algorithm applies for each replica, in the time of one; in Python's integers, for n may be 2⁶²."""
    return (form.dim + 2) * int(saves[-1]) if chosen == "incremental" else sum(saves.tolist())
