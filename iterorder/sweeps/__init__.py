"""Sweeps: a measure over a grid of systems, on one process or a cluster, with one file as the truth."""

from iterorder.sweeps.entry import sweep
from iterorder.sweeps.measures import ByReplicas
from iterorder.sweeps.registered import MEASURES
from iterorder.sweeps.results import FailedCell, Sweep, open_sweep

__all__ = ["MEASURES", "ByReplicas", "FailedCell", "Sweep", "open_sweep", "sweep"]
