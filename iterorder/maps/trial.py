"""Trial runs of a user's map in plain Python: most mistakes are found here, with Python's own messages."""

from __future__ import annotations

import dis
import inspect
import traceback
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from iterorder.errors import MapCompilationError
from iterorder.forms import is_compiled
from iterorder.maps.outside import MUTABLE, Outside, is_settled, read_outside
from iterorder.roles import STEP, Role
from iterorder.shown import a_kind

#: A NaN that no calculation produces: what is still there after a run was not written.
UNWRITTEN = np.array([0x7FF8DEADBEEF0001], np.uint64).view(np.float64)[0]


def _name_of(step: Callable, what: str = "step") -> str:
    """What the user calls the function; a lambda has no name of its own."""
    name = getattr(step, "__name__", what)
    return name if name.isidentifier() else what


def check_body(function: Callable, role: Role = STEP) -> Outside:
    """Refuse what is no plain function of the arguments of its role, raises, or reads mutable things from outside.

    Returns what it reads from there.
    """
    what, wanted, called = role.name, role.arguments, role.called
    if not isinstance(function, types.FunctionType):
        raise MapCompilationError(f"{what} is {a_kind(function)}: give a plain Python function {what}({wanted})")
    names, count = tuple(inspect.signature(function).parameters), wanted.count(",") + 1
    if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function) or len(names) != count:
        words = {3: "three", 4: "four"}[count]
        raise MapCompilationError.of(
            function,
            f"takes ({', '.join(names)})",
            f"write a plain function of {words} arguments: {_name_of(function, what)}({wanted})",
            called=called,
        )
    for instruction in dis.get_instructions(function):
        if refused := _refused(instruction, function, role):
            raise MapCompilationError.of(function, *refused, _line_of(function, instruction), called)
    if "random" in (*function.__code__.co_names, *function.__code__.co_freevars):
        raise MapCompilationError.of(
            function,
            "draws random numbers itself",
            role.no_noise,
            called=called,
        )
    outside = read_outside(function)
    for name, value in outside.held(MUTABLE):
        raise MapCompilationError.of(
            function,
            f"reads the {type(value).__name__} {name!r} from outside, whose later changes it would not see",
            f"give it in params: {role.owner}({_name_of(function, what)}, ..., params=({name},)), and read "
            f"{names[2]}[0]",
            called=called,
        )
    _check_helpers(function, outside, called)
    return outside


def _check_helpers(step: Callable, outside: Outside, called: str) -> None:
    """Refuse functions that read something from outside and that cannot be compiled anew with it."""
    for name, inner in outside.inner.items():
        value = outside.values[name]
        if isinstance(value, types.ModuleType) or is_compiled(value):
            _check_helpers(step, inner, called)
            continue
        read = [repr(item) for item, value in inner.values.items() if not is_settled(value)]
        if read:
            raise MapCompilationError.of(
                step,
                f"calls {name!r}, which reads {', '.join(read)} from outside, whose later changes it would not see",
                f"decorate the function {name} with @numba.njit, or give it what it reads as an argument, from params",
                called=called,
            )


def _line_of(step: Callable, instruction: dis.Instruction) -> int | None:
    """Where an instruction stands; what a handler begins with belongs to the line before it."""
    lines = [(offset, line) for offset, _, line in step.__code__.co_lines() if line is not None]
    return next((line for offset, line in reversed(lines) if offset <= instruction.offset), None)


def _refused(instruction: dis.Instruction, step: Callable, role: Role) -> tuple[str, str] | None:
    """What is wrong with an instruction, and what to write instead; None where nothing is."""
    name = instruction.opname
    if name in ("RAISE_VARARGS", "LOAD_ASSERTION_ERROR") or (
        name == "LOAD_COMMON_CONSTANT" and instruction.argrepr == "AssertionError"
    ):
        return "raises an exception, which compiled code cannot hand back", role.no_number
    if name == "PUSH_EXC_INFO":
        return (
            "has a try or a with block, and compiled code raises nothing that it could catch: x/0 is inf or NaN",
            "test beforehand, with if, what would raise",
        )
    if name in ("IMPORT_NAME", "IMPORT_FROM"):
        return (
            f"imports {instruction.argval!r} inside, which compiled code cannot",
            "write the import above the function, at the top of the file",
        )
    outer = name in ("STORE_GLOBAL", "DELETE_GLOBAL")
    if outer or (name in ("STORE_DEREF", "DELETE_DEREF") and instruction.argval in step.__code__.co_freevars):
        return f"changes the {'global' if outer else 'nonlocal'} variable {instruction.argval!r}", role.no_memory
    if name in ("LOAD_GLOBAL", "LOAD_NAME") and instruction.argval == "print" and "print" not in step.__globals__:
        return "prints, in every step of every replica", role.no_print
    return None


class TrialRun(NamedTuple):
    """A state, a draw, and what the function wrote in plain Python."""

    x: np.ndarray
    draw: Any
    out: np.ndarray


def try_body(step: Callable, dim: int, draws: list, params: tuple) -> list[TrialRun]:
    """Run the function on some states: every entry of out written, nothing else touched, nothing returned.

    Returns the runs in which nothing was raised.
    """
    rng, runs = np.random.default_rng(0), []
    for draw in draws:
        x, out = rng.normal(size=dim), np.full(dim, UNWRITTEN)
        x.setflags(write=False)
        try:
            with np.errstate(all="ignore"):
                returned = step(x, draw, params, out)
        except ArithmeticError:
            continue  # compiled code gives inf or NaN there
        except Exception as error:
            if "math domain error" in str(error):
                continue
            raise _of_trial(step, error, len(params)) from error
        if returned is not None:
            raise MapCompilationError.of(
                step, f"returns {a_kind(returned)}", "write the new state into out and return nothing"
            )
        if out.shape != (dim,):
            raise MapCompilationError.of(
                step, f"gives out the shape {out.shape}", f"write its {dim} entries: out[k] = …"
            )
        missing = np.flatnonzero(out.view(np.uint64) == np.array(UNWRITTEN).view(np.uint64))
        if missing.size:
            raise MapCompilationError.of(
                step,
                f"does not write out[{missing[0]}]" + (f" ({missing.size} entries of {dim})" if dim > 1 else ""),
                "write every entry of out, in every branch",
            )
        runs.append(TrialRun(x, draw, out))
    return runs


def _of_trial(step: Callable, error: Exception, n_params: int) -> MapCompilationError:
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == step.__code__.co_filename
    ]
    line = frames[-1].lineno if frames else None
    message = str(error).splitlines()[0] if str(error) else ""
    if "read-only" in message:
        return MapCompilationError.of(
            step, "writes to x, draw or params", "only out may be written: copy what you change", line
        )
    if type(error).__module__.partition(".")[0] == "numba":  # of a function that the step calls
        from iterorder.kernels.cpu.explain import reason_and_hint

        reason, hint = reason_and_hint(error)
        return MapCompilationError.of(step, f"calls a function that cannot be compiled: {reason}", hint, line)
    names = ", ".join(inspect.signature(step).parameters)
    hint = f"run it by hand: {_name_of(step)}({names}) with NumPy arrays of the sizes given"
    if "with a sequence" in message:
        hint = "x, draw and params are arrays: write x[0] for the first coordinate, and out[k] for each"
    if isinstance(error, IndexError):
        hint = "out and x have dim entries, draw has noise_dim (one more with 'index+normal'), params what you gave: "
        hint += f"{n_params} numbers" if n_params else "nothing, so give params="
    return MapCompilationError.of(step, f"fails in plain Python: {type(error).__name__}: {message}", hint, line)
