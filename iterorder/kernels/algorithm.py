"""When all backward iterates of affine maps are cheaper to carry along than to compose one by one."""

from __future__ import annotations

import numpy as np

from iterorder.forms import Form, Stateful


def is_carried(form: Form, saves: np.ndarray) -> bool:
    """Whether to carry their linear part from step to step: "incremental".

    That takes max(n) steps of about d² numbers (d³ against d² for full matrices) in place of Σn maps, and rounds
    differently: the choice depends on the form and the saved steps alone, on every backend.
    """
    carried = form.is_affine and not isinstance(form, Stateful)
    return carried and work("each", form, saves) > work("incremental", form, saves)


def work(chosen: str, form: Form, saves: np.ndarray) -> int:
    """Maps that an algorithm applies for each replica, in the time of one; in Python's integers, for n may be 2⁶²."""
    return (form.dim + 2) * int(saves[-1]) if chosen == "incremental" else sum(saves.tolist())
