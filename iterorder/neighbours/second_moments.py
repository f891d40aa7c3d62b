"""What second moments are multiplied by in a step, and nothing else of the theory: exact, without a simulation."""

from __future__ import annotations

from typing import Any

from iterorder.maps.base import RandomMaps
from iterorder.neighbours.notes import Entry, note
from iterorder.theory.families import analyse


def second_moments(maps: RandomMaps, seed: int) -> dict[str, Any]:
    """The spectral radius of C → E[A C Aᵀ], as ``mean_square_radius`` of `iterorder.theory`."""
    return {"mean_square_radius": analyse(maps, seed=seed, effort="quick", backend="cpu").mean_square_radius()}


MEASURE = Entry(
    second_moments,
    {
        "mean_square_radius": note("spectral radius of C → E[A C Aᵀ]"),
        "mean_square_radius_error": note("standard error, 0 where exact"),
    },
)
