"""The one place that knows compilers.

Kernels are compiled without any `fastmath` flag: every rounding is the one that the source says, so a result depends on
neither the vector width, nor the number of lanes, nor the kernel that a body was inlined into, and NaN checks work.
Where a multiply and an add may become one rounding, the source says so with `lanes.madd`.
"""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path

from numba import njit, typeof, types
from numba.extending import intrinsic

from iterorder import noise

# Numba's cache notices a change of the file that a kernel stands in, but not of the files that it calls. All kernels
# therefore carry the contents of the whole folder: after an update of any file every cached kernel is compiled anew.
# The contents and not the times, so that a cache that a workflow has kept fits a fresh installation of the same files.
_FOLDER = Path(__file__).parent
_FOLDER_STAMP = tuple(
    (file.name, hashlib.sha256(file.read_bytes()).hexdigest())
    for file in sorted([*_FOLDER.rglob("*.py"), Path(noise.__file__)])
)


#: Without the interpreter lock, IEEE division (no exception on x/0).
OPTIONS = {"nogil": True, "error_model": "numpy"}


def _compiled(function, **options):
    dispatcher = njit(cache=True, **OPTIONS, **options)(function)
    cache_file = dispatcher._cache._cache_file
    # Numba's own stamp is a time in some versions; of a file in the folder it says nothing more.
    own = () if Path(function.__code__.co_filename).parent == _FOLDER else cache_file._source_stamp
    cache_file._source_stamp = (own, _FOLDER_STAMP)
    # Called where the cache has nothing: what follows takes seconds, and the user should know why.
    compile_now = dispatcher._compiler.compile
    dispatcher._compiler.compile = lambda *arguments: _announce() or compile_now(*arguments)
    return dispatcher


@cache
def _announce() -> None:
    """Say once that this process compiles."""
    print("iterorder: compiling for this processor (once, where the cache can be written)", file=sys.stderr, flush=True)


def jit(function):
    """Compile for the CPU, with `OPTIONS`, cached on disk."""
    return _compiled(function)


def jit_inline(function):
    """Like `jit`, and always inlined by LLVM: for bodies inside a loop over lanes, which it must see to vectorise."""
    return _compiled(function, forceinline=True)


def overload_of(dispatcher, *arguments):
    """The compiled function for arguments of the types of these; compiled now if need be."""
    signature = tuple(typeof(argument) for argument in arguments)
    dispatcher.compile(signature)
    return dispatcher.overloads[signature]


def address_of(dispatcher, *arguments) -> int:
    """Where the compiled function for arguments of the types of these begins, for `call_at`."""
    compiled = overload_of(dispatcher, *arguments)
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


@intrinsic
def call_at(typing_context, address, arguments):
    """Call the function at an address with a tuple of arguments of exactly the types that it was compiled for.

    A kernel that takes its step as an address is compiled once for all maps, and a new map compiles its step alone.
    The function returns nothing and raises nothing.
    """
    kinds = tuple(arguments)

    def generate(context, builder, signature, values):
        convention = context.call_conv
        function_type = convention.get_function_type(types.none, kinds)
        function = builder.inttoptr(values[0], function_type.as_pointer())
        items = [builder.extract_value(values[1], k) for k in range(len(kinds))]
        convention.call_function(builder, function, types.none, kinds, items)
        return context.get_dummy_value()

    return types.void(types.intp, arguments), generate
