"""Draws of an index and of floats, for a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iterorder.forms import IndexAndNormals
from iterorder.kernels.device.compilers import SIMULATED, vocabulary
from iterorder.kernels.mixed_draws import defined_for


def _simulated() -> Callable:
    def mixed(index, words):
        words[0] = index
        return IndexAndNormals(words)

    return mixed


def _compiled() -> Callable:
    compiler = vocabulary()
    Type: Any = compiler.types.Type

    class IndexAndFloats(Type):
        """The type of such a draw: that of its index, and that of the array whose entries 1 … are its floats."""

        def __init__(self, index, words):
            self.index, self.words = index, words
            super().__init__(f"IndexAndFloats({index}, {words})")

    index_and_floats = defined_for(compiler, IndexAndFloats)

    @compiler.intrinsic
    def mixed(typing_context, index, words):
        kind = IndexAndFloats(compiler.types.int64, words)

        def generate(context, builder, signature, arguments):
            whole = context.cast(builder, arguments[0], index, kind.index)
            return index_and_floats(context, builder, kind, whole, arguments[1])

        return kind(index, words), generate

    return mixed


#: ``mixed(index, words)``: a draw whose entry 0 is the index, and whose others are those of the array.
mixed = _simulated() if SIMULATED else _compiled()
