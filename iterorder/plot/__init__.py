"""Pictures of systems and runs: attractors and animations; results draw themselves by their ``plot``."""

from iterorder.plot.animation import animate
from iterorder.plot.attractors import attractor

__all__ = ["animate", "attractor"]


def __dir__() -> list[str]:
    return __all__
