"""The bodies of `kernels.bodies`, compiled for numbers and for vectors of lanes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from iterorder.kernels.bodies import comparisons as plain_comparisons
from iterorder.kernels.bodies import mathematics as plain
from iterorder.kernels.cpu import lane_conversions, lanes
from iterorder.kernels.targets import jit_inline, load_bodies

#: What bodies are made of, by the names of `bodies.primitives`.
_primitives: Any = SimpleNamespace(**(vars(lanes) | vars(lane_conversions)))

_loaded = load_bodies(jit_inline, _primitives)
philox, below, feistel_round = _loaded["philox"], _loaded["below"], _loaded["feistel_round"]
uniform, log, normal_pair, exp = (_loaded[name] for name in ("uniform", "log", "normal_pair", "exp"))

#: What users mean by exp, log, tanh, sin and cos: right for all arguments.
mathematics = SimpleNamespace(**load_bodies(jit_inline, _primitives, (plain,)))

#: Python's min, max and abs, of which an argument may be a vector.
comparisons = SimpleNamespace(**load_bodies(jit_inline, _primitives, (plain_comparisons,)))
