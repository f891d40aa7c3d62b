"""Kernels for a GPU, or for the simulator of one: loops, draws, memory and launches. The mathematics is `bodies`."""
