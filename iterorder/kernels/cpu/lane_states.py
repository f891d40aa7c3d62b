"""States of eight or more replicas, one in each lane of their vectors: what the steps of `kernels.bodies` work on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from iterorder.kernels.cpu import sums
from iterorder.kernels.cpu.lanes import madd
from iterorder.kernels.targets import jit_written_in

#: A `bodies.steps.States`.
LANE_STATES: Any = SimpleNamespace(
    inline=jit_written_in,
    dot=sums.dot,
    plus_multiple=sums.plus_multiple,
    multiple=sums.multiple,
    affine_image=sums.affine_image,
    madd=madd,
)
