"""Which way to the backward iterates is the cheapest."""

from __future__ import annotations

import numpy as np

from iterorder.forms import Form
from iterorder.kernels.algorithm import is_carried, work
from iterorder.kernels.cpu.lanes import LANES


def algorithm(form: Form, saves: np.ndarray, n_replicas: int) -> str:
    """The cheapest way to the backward iterates after `saves` steps: "incremental", "sweep" or "each".

    Each by itself takes Σn maps, with replicas side by side in the lanes of a vector; the sweep has the saved iterates
    of one replica there, reads the data once, and goes on with one of those that have met. Those two give the same
    bits.
    """
    if is_carried(form, saves):
        return "incremental"
    each = -(-n_replicas // LANES) * work("each", form, saves)
    sweep = n_replicas * sum(saves[::-LANES].tolist())
    return "sweep" if len(saves) >= LANES or sweep < each else "each"
