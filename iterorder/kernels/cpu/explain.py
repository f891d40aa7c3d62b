"""Why a user's map did not compile: the line, one sentence, and what to do, from what the compiler says."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import FunctionType

from numba.core import ir, types

from iterorder.errors import MapCompilationError
from iterorder.kernels.cpu.failing_line import failing_line
from iterorder.roles import STEP, Role
from iterorder.shown import a_kind

#: The sentence that says most among Numba's lines, the first that is found.
REASONS = (
    r"Untyped global name '.*?': .*",
    r"Cannot determine Numba type of .*",
    r"Unknown attribute .*",
    r"Cannot unify .*",
    r"No implementation of function .*",
    r"Use of unsupported NumPy function .*",
    r"Cannot modify readonly array.*",
    r".*not supported.*",
    r".*[Uu]nsupported.*",
)
HINTS = (
    (
        r"Untyped global name '(\w+)'[^\n]*function",
        "decorate the function {0} with @numba.njit, or write it here",
    ),
    (r"Untyped global name '(\w+)'", "give what you need of {0} in params"),
    (r"getitem[^\n]*Tuple", "parameters of different types need constant indices: params[0], not params[k]"),
    (r"\bnp_clip\b|np\.clip\b", "np.clip is for arrays: of numbers, write min(max(value, low), high)"),
    (r"convert string to float", "compiled code has no text: keep numbers as numbers"),
    (r"modify readonly array", "{role.no_writing}"),
    (r"Cannot unify", "a variable changes its type, often from an integer to a float: begin with 0.0"),
    (r"random", "draw nothing yourself: {role.no_noise}"),
    (r"Unknown attribute|unsupported", "use numbers, loops, math.… and NumPy functions of numbers"),
)
#: The call that has no implementation stands alone, a line below the sentence that says so.
MISSING = r"No implementation of function .* found for signature:\s*>>> (.*)"
#: A module with the place of its file, which says nothing here.
MODULE = r"of type Module\(<module '([\w.]+)'.*>\)"
#: What the compiler calls operators on values.
OPERATORS = ("arrayexpr", "binop", "inplace_binop", "unary")


def explained(
    step: FunctionType,
    error: Exception,
    compiles: Callable[[FunctionType], object],
    role: Role = STEP,
    target: str = "",
    otherwise: str = "",
) -> MapCompilationError:
    """The error of a function that cannot be compiled; `compiles` tries another version of its function.

    `target` says for what it cannot, where it can for the processor, and `otherwise` what to do without.
    """

    def fails(function: FunctionType) -> bool:
        try:
            compiles(function)
        except Exception:  # Numba raises many kinds
            return True
        return False

    reason, hint = reason_and_hint(error, role)
    line = _line(step, _plain_text(error))
    if line in (None, step.__code__.co_firstlineno):  # Numba names the function where it knows no better
        line = failing_line(step, fails)
    failed = " ".join(["cannot be compiled", *([target] if target else [])])
    advice = "; ".join([hint, *([otherwise] if otherwise else [])])
    return MapCompilationError.of(step, f"{failed}: {reason}", advice, line, role.called)


def reason_and_hint(error: Exception, role: Role = STEP) -> tuple[str, str]:
    """The sentence of the compiler that says most, and what to do."""
    text = _plain_text(error)
    found = next((match for pattern in REASONS if (match := re.search(pattern, text))), None)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reason = found.group(0).strip() if found else (lines[0] if lines else f"{a_kind(error)} without a reason")
    if reason.startswith("No implementation") and (call := missing_call(error)):
        reason = f"No implementation of {call}"
    reason = re.sub(MODULE, r"of module \1", reason)
    for pattern, advice in HINTS:
        if match := re.search(pattern, text):
            return reason, advice.format(*match.groups(), role=role)
    return reason, "use numbers, loops, branches, math.… and NumPy functions of numbers"


def missing_call(error: Exception) -> str:
    """The call that the compiler has no implementation of, with the types of its arguments; else nothing."""
    found = re.search(MISSING, _plain_text(error))
    return found.group(1).strip() if found else ""


def _plain_text(error: Exception) -> str:
    """What an error says, without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", str(error))


def makes_arrays(body) -> bool:
    """Whether what the compiler made of a function takes memory."""
    return any("NRT_MemInfo_alloc" in code or "NRT_Allocate" in code for code in body.inspect_llvm().values())


def allocates(step: FunctionType, body, compiles: Callable, role: Role = STEP) -> MapCompilationError:
    """The error of what makes arrays; `body` is what the compiler made of it, as `compiles` does of others."""

    def fails(function: FunctionType) -> bool:
        try:
            return makes_arrays(compiles(function))
        except Exception:  # Numba raises many kinds
            return False

    line = _line_of_array(body)
    hint = role.no_array if line is None else role.no_arithmetic
    line = line or failing_line(step, fails)
    return MapCompilationError.of(step, "allocates memory in every step", hint, line, role.called)


def _line_of_array(body) -> int | None:
    """The first line on which an operator makes an array, from the types that the compiler found."""
    for result in body.overloads.values():
        annotation = result.type_annotation
        for block in annotation.blocks.values():
            for statement in block.find_insts(ir.Assign):
                kind = annotation.typemap.get(statement.target.name)
                operation = getattr(statement.value, "op", None)
                if isinstance(kind, types.Array) and operation in OPERATORS:
                    return statement.loc.line
    return None


def _line(step: FunctionType, text: str) -> int | None:
    """The line that the compiler names last in the file of the map."""
    name = re.escape(step.__code__.co_filename)
    short = re.escape(step.__code__.co_filename.rsplit("/", 1)[-1])
    lines = re.findall(rf'File "[^"]*{short}", line (\d+)', text) or re.findall(rf"{name} \((\d+)\)", text)
    return int(lines[-1]) if lines else None
