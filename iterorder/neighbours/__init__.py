"""Questions of neighbouring fields as sweeps: their systems and measures, one idea a file.

A file has a measure, a function of maps and a seed that returns numbers, and a system where the library has none. The
tables below are all that a configuration can name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from iterorder.maps import RandomMaps
from iterorder.neighbours import (
    deep_linear,
    error_feedback,
    federated,
    gossip,
    linear_decay,
    opposing_signals,
    paired_reversal,
    second_moments,
    slow_diffusion,
    temperature,
    zeroth_order,
)
from iterorder.neighbours.notes import Entry

#: Systems by their names, to which a configuration puts ``neighbours.``.
SYSTEMS: Mapping[str, Callable[..., RandomMaps]] = MappingProxyType(
    {
        "compressed": error_feedback.compressed,
        "deep_linear": deep_linear.deep_linear,
        "gossip": gossip.gossip,
        "local_steps": federated.local_steps,
        "opposing_signals": opposing_signals.opposing_signals,
        "slow_walk": slow_diffusion.slow_walk,
        "stale_gradients": federated.stale_gradients,
        "zeroth_order": zeroth_order.zeroth_order,
    }
)
#: Measures by their names: the function, and for each number what it is, its units and dimensions.
MEASURES: Mapping[str, Entry] = MappingProxyType(
    {
        "flow_gap": deep_linear.MEASURE,
        "logarithmic_growth": slow_diffusion.MEASURE,
        "opposing_growth": opposing_signals.MEASURE,
        "order_sensitivity": paired_reversal.MEASURE,
        "schedule_risk": linear_decay.MEASURE,
        "second_moments": second_moments.MEASURE,
        "temperature_collapse": temperature.MEASURE,
    }
)

__all__ = ["MEASURES", "SYSTEMS"]
