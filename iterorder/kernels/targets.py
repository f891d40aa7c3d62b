"""The one place that knows compilers.

Kernels are compiled without any `fastmath` flag (`jit_any_order` is for sums that ask for it): every rounding is the
one that the source says, so a result depends on neither the vector width, nor the number of lanes, nor the kernel that
a body was inlined into, and NaN checks work. Where a multiply and an add may become one rounding, the source says so
with `lanes.madd`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, ModuleType

from numba import config, typeof, types
from numba.core.codegen import get_host_cpu_features
from numba.core.cpu import CPUTargetOptions
from numba.core.registry import CPUDispatcher
from numba.extending import intrinsic

from iterorder.errors import BackendUnavailableError
from iterorder.kernels.bodies import exponential, normals, philox
from iterorder.kernels.bodies import primitives as plain
from iterorder.kernels.disk_cache import compiled_lazily, is_kept

#: Without the interpreter lock, IEEE division (no exception on x/0).
OPTIONS = {"nogil": True, "error_model": "numpy"}
#: What of Numba's wrappers kernels do without, half of the time to compile them: that for C, counts of references to
#: arrays, which a kernel neither makes nor keeps, and, where kernels alone call a function, the wrapper for Python.
#: Those that Numba has of these options, of which it promises none.
_BARE = {
    name: value
    for name, value in (("no_cfunc_wrapper", True), ("_nrt", False), ("no_cpython_wrapper", True))
    if hasattr(CPUTargetOptions, name)
}
_ENTRY = {name: value for name, value in _BARE.items() if name != "no_cpython_wrapper"}


class _ForKernels(CPUDispatcher):
    """A compiled function without a wrapper for Python, which would call nothing."""

    def __call__(self, *arguments, **named):
        raise TypeError(f"{self.py_func.__name__} is compiled for kernels: call it from a function of jit_entry")


def jit(function):
    """Compile for the CPU, with `OPTIONS`, cached on disk: what kernels call, by name or at its address."""
    return _for_kernels(function, OPTIONS)


def jit_inline(function):
    """Like `jit`, and always inlined by LLVM: for bodies inside a loop over lanes, which it must see to vectorise."""
    return _for_kernels(function, OPTIONS | {"forceinline": True})


def jit_written_in(function):
    """Like `jit`, as if its text stood where it is called: a step is scheduled together with its loads."""
    return _for_kernels(function, OPTIONS | {"inline": "always"})


def jit_entry(function):
    """Like `jit`, for what Python calls."""
    return compiled_lazily(function, OPTIONS | _ENTRY)


def jit_allocating(function):
    """Like `jit`, for what makes arrays."""
    return compiled_lazily(function, OPTIONS)


def jit_any_order(function):
    """Like `jit`, for sums of nonnegative terms: in any order, with any fusing of a product and an addition.

    Within a relative n·eps of the sum of n terms.
    """
    return _for_kernels(function, OPTIONS | {"fastmath": {"reassoc", "contract"}})


def _for_kernels(function, options: dict):
    dispatcher = compiled_lazily(function, options | _BARE)
    if "no_cpython_wrapper" in _BARE and isinstance(dispatcher, CPUDispatcher):
        dispatcher.__class__ = _ForKernels
    return dispatcher


def processor_features() -> frozenset[str]:
    """What the processor that Numba compiles for can do, by LLVM's names: this one, or that of NUMBA_CPU_FEATURES.

    Nothing is known of NUMBA_CPU_NAME=generic, and of a NUMBA_CPU_NAME alone Numba uses what this processor can do.
    """
    said = config.CPU_FEATURES
    features = get_host_cpu_features() if said is None else said
    return frozenset(feature[1:] for feature in features.split(",") if feature.startswith("+"))


def check_compiler() -> None:
    """Refuse to go on where Numba was told to compile nothing: kernels are reached by their addresses."""
    if config.DISABLE_JIT:
        what = "NUMBA_DISABLE_JIT is set, and simulations need compiled kernels: unset it, or set it to 0"
        raise BackendUnavailableError(f"backend is 'cpu': {what}", "compiler-disabled")


def load_bodies(
    inline: Callable, primitives: ModuleType, modules: tuple[ModuleType, ...] = (philox, normals, exponential)
) -> dict[str, Callable]:
    """The bodies of `kernels.bodies` for a target, by their names: the same code with other primitives.

    Parameters
    ----------
    inline : function
        What the target makes of a body.
    primitives : module
        Has the functions of `bodies.primitives` by the same names.
    modules : tuple of modules
        Whose bodies call each other, and no others.
    """
    names = {name: getattr(primitives, name) for name in vars(plain) if isinstance(vars(plain)[name], FunctionType)}
    spaces = [vars(module) | names for module in modules]
    loaded = {}
    for space in spaces:
        for name, function in list(space.items()):
            if isinstance(function, FunctionType) and function.__module__ == space["__name__"]:
                loaded[name] = inline(FunctionType(function.__code__, space, name))
    for space in spaces:  # bodies call each other
        space.update(loaded)
    return loaded


def is_compiled_for(dispatcher, *arguments) -> bool:
    """Whether a function of `jit` is compiled for arguments of the types of these, in this process or on disk."""
    check_compiler()
    return is_kept(dispatcher, tuple(typeof(argument) for argument in arguments))


def overload_of(dispatcher, *arguments):
    """The compiled function for arguments of the types of these; compiled now if need be."""
    check_compiler()
    signature = tuple(typeof(argument) for argument in arguments)
    dispatcher.compile(signature)
    return dispatcher.overloads[signature]


def entry_of(dispatcher, *arguments):
    """What calls the compiled function without a look-up of types, for arguments of exactly the types of these."""
    return overload_of(dispatcher, *arguments).entry_point


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
