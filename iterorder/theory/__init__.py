"""What the theory says of a random-map system: contraction, exponents, stability, stationary moments, cycles."""

from iterorder.theory.brackets import lie_bracket
from iterorder.theory.lipschitz import estimate_lipschitz
from iterorder.theory.monotone import ergodic_intervals
from iterorder.theory.small_step import minimizer, small_step_covariance
from iterorder.theory.stability import stability_boundary
from iterorder.theory.theory import Theory, theory

__all__ = [
    "Theory",
    "ergodic_intervals",
    "estimate_lipschitz",
    "lie_bracket",
    "minimizer",
    "small_step_covariance",
    "stability_boundary",
    "theory",
]
