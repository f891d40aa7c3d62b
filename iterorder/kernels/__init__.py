"""Compiled code only. Imported on first use: Numba takes longer to import than the rest of iterorder together."""
