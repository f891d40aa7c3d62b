"""Draws whose entry 0 is an index and whose other entries are floats, for one replica or for several."""

from __future__ import annotations

from types import SimpleNamespace

from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

from iterorder.kernels.mixed_draws import defined_for


class IndexAndFloats(types.Type):
    """The type of such a draw: that of its index, and that of the array whose entries 1 … are its floats."""

    def __init__(self, index, words):
        self.index, self.words = index, words
        super().__init__(f"IndexAndFloats({index}, {words})")


index_and_floats = defined_for(
    SimpleNamespace(
        types=types,
        models=models,
        register_model=register_model,
        infer_global=infer_global,
        AbstractTemplate=AbstractTemplate,
        signature=signature,
        lower=lower_builtin,
        struct_proxy=cgutils.create_struct_proxy,
    ),
    IndexAndFloats,
)
