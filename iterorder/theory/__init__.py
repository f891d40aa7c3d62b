"""What the theory says of a random-map system: contraction, exponents, stability, stationary moments, cycles."""

from iterorder.theory.theory import Theory, theory

__all__ = ["Theory", "theory"]
