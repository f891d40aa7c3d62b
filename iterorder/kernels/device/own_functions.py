"""Functions that users wrote, for a device: an index out of range ends a call, and touches no memory.

Their `exp`, `log`, `tanh`, `sin` and `cos` are the package's; other functions are those of the device's library, within
the units in the last place that its vendor states. What they call that numba.njit made is compiled for the device too.
The processor has compiled and tried a function when its maps were made; a device may still refuse it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from iterorder.errors import BackendUnavailableError, MapCompilationError
from iterorder.forms import is_compiled
from iterorder.kernels.bodies.mathematics import LARGEST_ANGLE
from iterorder.kernels.cpu.explain import explained
from iterorder.kernels.device import compilers
from iterorder.kernels.device.compilers import SIMULATED, checks_of_indices, cuda, device_function, vocabulary
from iterorder.kernels.rebound import of_library, rebound, with_names
from iterorder.roles import STEP, Role, of_loss

NAN = np.float64(np.nan)


def attempted(function: Callable) -> Callable:
    """``(x, draw, params, out)``: whether the function came to its end."""
    return _attempted(for_device(function, STEP))


def number_of(function: Callable) -> Callable:
    """``(z, target, params)``: what the function returns, as float64; NaN where it did not come to its end."""
    return _number_of(for_device(function, of_loss("slope")))


# ------------------------------------------------------------------------------------------------ what a function reads


def _alike() -> Callable:
    """A float64 as the type that Numba's own function has of a number."""
    if SIMULATED:
        return lambda value, like: np.float32(value) if isinstance(like, np.float32) else value
    compiler = vocabulary()
    types = compiler.types

    @compiler.intrinsic
    def alike(typing_context, value, like):
        kind = types.float32 if like == types.float32 else types.float64

        def generate(context, builder, signature, arguments):
            return context.cast(builder, arguments[0], types.float64, kind)

        return kind(value, like), generate

    return alike


alike = _alike()


def _of_numbers(own: Callable) -> Callable:
    @device_function
    def function(x):
        return alike(own(np.float64(x)), x)

    return function


def _of_angles(own: Callable, library: Callable) -> Callable:
    """Of large ones, that of the device's library."""

    @device_function
    def function(x):
        return alike(own(np.float64(x)), x) if abs(x) <= LARGEST_ANGLE else alike(library(np.float64(x)), x)

    return function


@device_function
def _library_sin(x):
    return math.sin(x)


@device_function
def _library_cos(x):
    return math.cos(x)


OWN = {name: _of_numbers(getattr(compilers.mathematics, name)) for name in ("exp", "log", "tanh")} | {
    "sin": _of_angles(compilers.mathematics.sin, _library_sin),
    "cos": _of_angles(compilers.mathematics.cos, _library_cos),
}
if SIMULATED:  # Python raises where compiled code gives NaN
    OWN["sqrt"] = np.sqrt


def _for_device(value, names: tuple[str, ...]):
    """What stands on a device for a value that a function reads from outside."""
    if is_compiled(value):
        # The processor's code is what the simulator calls: it has the bits of other functions of a library.
        return value if SIMULATED else _compiled(rebound(value.py_func, _for_device))
    if isinstance(value, ModuleType) and value is not math and value is not np:
        helpers = {name: _for_device(item, names) for name, item in vars(value).items() if name in names}
        return with_names(value, helpers)
    return of_library(value, names, OWN)


# ------------------------------------------------------------------------------------------------------------ compiling


@lru_cache(maxsize=256)
def for_device(function: Any, role: Role) -> Any:
    """The function as device code calls it."""
    made = rebound(function, _for_device)
    if SIMULATED:
        constants = tuple(np.float64(c) if isinstance(c, float) else c for c in made.__code__.co_consts)
        made.__code__ = made.__code__.replace(co_consts=constants)  # as Numba counts, not as NumPy: no weak numbers
        return made
    if not compilers.CHECKS:
        reason = "this version of numba-cuda does not check indices, and functions of users need it: use backend='cpu'"
        raise BackendUnavailableError(f"backend is 'cuda': {reason}", "no-checks")
    return _refusing(function, role)


def _compiled(function: FunctionType):
    return cuda.jit(device=True)(function)


def _refusing(function: FunctionType, role: Role):
    """What is compiled when a kernel is, with checks of indices, or is a `MapCompilationError`."""
    made = _compiled(rebound(function, _for_device))
    plain = made.compile_device

    def compile_device(kinds, return_type=None):
        def compiles(another: FunctionType):
            return _compiled(rebound(another, _for_device)).compile_device(kinds)

        try:
            with checks_of_indices():
                return plain(kinds, return_type)
        except MapCompilationError:
            raise
        except Exception as error:  # numba-cuda raises many kinds
            raise explained(function, error, compiles, role, "for a GPU", "or use backend='cpu'") from error

    made.compile_device = compile_device
    return made


def _simulated_calls() -> tuple[Callable, Callable]:
    failures = (IndexError, ArithmeticError, ValueError)  # what compiled code answers with NaN

    def attempted_by(function):
        def attempt(x, draw, params, out):
            try:
                function(x, draw, params, out)
            except failures:
                return False
            return True

        return attempt

    def number_by(function):
        def number(z, target, params):
            try:
                return np.float64(function(z, target, params))
            except failures:
                return NAN

        return number

    return attempted_by, number_by


def _compiled_calls() -> tuple[Callable, Callable]:
    compiler = vocabulary()
    types = compiler.types

    def called(context, builder, compiled, arguments):
        """The status of a call that may end early, and its value."""
        context.active_code_library.add_linking_library(compiled.library)
        return context.call_internal_no_propagate(builder, compiled.fndesc, compiled.signature, arguments)

    def attempted_by(function):
        @compiler.intrinsic
        def attempt(typing_context, x, draw, params, out):
            compiled = function.compile_device((x, draw, params, out))

            def generate(context, builder, signature, arguments):
                status, _ = called(context, builder, compiled, arguments)
                return status.is_ok

            return types.boolean(x, draw, params, out), generate

        return attempt

    def number_by(function):
        @compiler.intrinsic
        def number(typing_context, z, target, params):
            compiled = function.compile_device((z, target, params))

            def generate(context, builder, signature, arguments):
                status, value = called(context, builder, compiled, arguments)
                value = context.cast(builder, value, compiled.signature.return_type, types.float64)
                return builder.select(status.is_ok, value, context.get_constant(types.float64, math.nan))

            return types.float64(z, target, params), generate

        return number

    return attempted_by, number_by


_attempted, _number_of = _simulated_calls() if SIMULATED else _compiled_calls()
