"""What the library is held against: hand-written C, JAX, NumPy, SciPy and POT."""
