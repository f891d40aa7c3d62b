"""Calls of compiled functions that may raise and are told whether they did: less to compile than a `try` block."""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic


@intrinsic
def succeeds(typing_context, body, x, draw, params, out):
    """Call a compiled body; whether it came to its end: an index out of range raises, and touches no memory."""
    arguments = (x, draw, params, out)
    found = body.get_call_type(typing_context, arguments, {})

    def generate(context, builder, signature, values):
        compiled = body.dispatcher.get_compile_result(found)
        context.active_code_library.add_linking_library(compiled.library)
        values = [context.cast(builder, *item) for item in zip(values[1:], arguments, found.args, strict=True)]
        status, _ = context.call_internal_no_propagate(builder, compiled.fndesc, found, values)
        return status.is_ok

    return types.boolean(body, *arguments), generate
