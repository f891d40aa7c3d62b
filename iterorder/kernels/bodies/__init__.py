"""The scalar mathematics of noise and maps, written once in plain Python and loaded for every target.

A body works on numbers, NumPy arrays, vectors of lanes or a thread's registers: it uses operators, other bodies and the
functions of `primitives`, which a target replaces by its own (`kernels.targets.load_bodies`).
"""
