"""Operators and functions of `Varying` numbers, with the types and the roundings that Numba gives single numbers."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaNotImplementedError
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin

from iterorder.kernels.cpu.lanes import spread
from iterorder.kernels.cpu.lift.varying import Varying, in_each_lane, lane_of, lanes_of, scalar_of, some_lane


def _named(name):
    return lambda builder, values: getattr(builder, name)(*values)


def _intrinsic(name):
    """One of LLVM's functions, of vectors."""

    def emit(builder, values):
        kind = values[0].type
        full = f"llvm.{name}.v{kind.count}{kind.element.intrinsic_name}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * len(values)), full)
        return builder.call(function, values)

    return emit


def _ordered(symbol):
    return lambda builder, values: builder.fcmp_ordered(symbol, *values)


def _negative(builder, values):
    kind = values[0].type
    return builder.fsub(ir.Constant(kind, [-0.0] * kind.count), values[0])


def _signed(symbol):
    return lambda builder, values: builder.icmp_signed(symbol, *values)


def _extreme(comparison):
    """As Numba's `min` and `max`: a later number replaces an earlier one where the comparison holds."""

    def emit(builder, values):
        chosen = values[0]
        for value in values[1:]:
            chosen = builder.select(comparison(builder, (value, chosen)), value, chosen)
        return chosen

    return emit


#: Of floats, the instructions that Numba emits for single numbers.
OF_FLOATS: dict[Callable, Callable] = {
    operator.add: _named("fadd"),
    operator.sub: _named("fsub"),
    operator.mul: _named("fmul"),
    operator.truediv: _named("fdiv"),
    operator.neg: _negative,
    operator.pos: lambda builder, values: values[0],
    operator.lt: _ordered("<"),
    operator.le: _ordered("<="),
    operator.gt: _ordered(">"),
    operator.ge: _ordered(">="),
    operator.eq: _ordered("=="),
    operator.ne: lambda builder, values: builder.fcmp_unordered("!=", *values),
    abs: _intrinsic("fabs"),
    math.fabs: _intrinsic("fabs"),
    math.sqrt: _intrinsic("sqrt"),
    math.copysign: _intrinsic("copysign"),
    math.isnan: lambda builder, values: builder.fcmp_unordered("uno", values[0], values[0]),
    min: _extreme(_ordered("<")),
    max: _extreme(_ordered(">")),
}
#: Of signed integers of 64 bits.
OF_INTEGERS: dict[Callable, Callable] = {
    operator.add: _named("add"),
    operator.sub: _named("sub"),
    operator.mul: _named("mul"),
    operator.and_: _named("and_"),
    operator.or_: _named("or_"),
    operator.xor: _named("xor"),
    operator.lt: _signed("<"),
    operator.le: _signed("<="),
    operator.gt: _signed(">"),
    operator.ge: _signed(">="),
    operator.eq: _signed("=="),
    operator.ne: _signed("!="),
    min: _extreme(_signed("<")),
    max: _extreme(_signed(">")),
}
#: Of truth values.
OF_BOOLEANS: dict[Callable, Callable] = {
    operator.and_: _named("and_"),
    operator.or_: _named("or_"),
    operator.xor: _named("xor"),
    operator.not_: lambda builder, values: builder.not_(values[0]),
}
IN_PLACE: dict[Callable, Callable] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
    operator.ifloordiv: operator.floordiv,
    operator.imod: operator.mod,
    operator.ipow: operator.pow,
    operator.iand: operator.and_,
    operator.ior: operator.or_,
    operator.ixor: operator.xor,
}
#: To an integer of 64 bits.
ROUNDING: dict[Callable, Callable] = {
    math.floor: _intrinsic("floor"),
    math.ceil: _intrinsic("ceil"),
    math.trunc: _intrinsic("trunc"),
}
MATHEMATICS = """exp exp2 expm1 log log1p log2 log10 sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh erf
erfc gamma lgamma degrees radians isinf isfinite atan2 hypot pow fmod"""
NUMPY = """exp exp2 expm1 log log1p log2 log10 sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh arctanh
sqrt cbrt square absolute fabs sign floor ceil trunc rint minimum maximum fmin fmax arctan2 hypot power copysign isnan
isinf isfinite logaddexp"""
OTHERS = (operator.floordiv, operator.mod, operator.pow, operator.lshift, operator.rshift, operator.invert)
#: The largest power that Numba writes out.
LARGEST_POWER = 0x10000


def vector_code(function, kinds):
    """What emits one vector instruction (or a few) for scalars of these types; None where there is nothing."""
    if all(isinstance(kind, types.Float) for kind in kinds):
        return OF_FLOATS.get(function) or ROUNDING.get(function)
    if all(kind == types.int64 for kind in kinds):
        return OF_INTEGERS.get(function)
    if all(kind == types.boolean for kind in kinds):
        return OF_BOOLEANS.get(function)
    return None


def _lower(function, context, builder, signature, arguments):
    """The operation in all lanes; its arguments have the types that Numba asks of single numbers."""
    if context.fastmath:  # roundings that nobody said: a vector may get others than a number
        raise NumbaNotImplementedError("vectors of lanes in a function with fastmath")
    function = IN_PLACE.get(function, function)
    lanes = signature.return_type.lanes
    exponent = _written_exponent(function, signature)
    if (
        exponent is not None
        and 0 <= exponent <= LARGEST_POWER
        and isinstance(scalar_of(signature.args[0]), types.Float)
    ):
        return _power(builder, arguments[0], exponent)
    kinds, result = [scalar_of(kind) for kind in signature.args], scalar_of(signature.return_type)
    emit = vector_code(function, kinds) if exponent is None else None
    if emit is None:
        return _lane_after_lane(function, context, builder, signature, arguments)
    vectors = [
        value if isinstance(kind, Varying) else spread(builder, value, lanes)
        for value, kind in zip(arguments, signature.args, strict=True)
    ]
    if function is operator.truediv and context.error_model.raise_on_fp_zero_division:
        zero = builder.fcmp_unordered("==", vectors[1], ir.Constant(vectors[1].type, [0.0] * lanes))
        with cgutils.if_unlikely(builder, some_lane(builder, zero)):
            context.error_model.fp_zero_division(builder, ("division by zero",))
    value = emit(builder, vectors)
    if function in ROUNDING:
        value = builder.fptosi(value, ir.VectorType(context.get_value_type(result), lanes))
    return value


def _written_exponent(function, signature) -> int | None:
    """The exponent of a power, where it is a number in the text."""
    power = signature.args[-1]
    return power.literal_value if function is operator.pow and isinstance(power, types.IntegerLiteral) else None


def _power(builder, number, exponent):
    """Products in the order in which Numba takes them for one number."""
    result = None
    while exponent:
        if exponent & 1:
            result = number if result is None else builder.fmul(result, number)
        exponent >>= 1
        if exponent:
            number = builder.fmul(number, number)
    return ir.Constant(number.type, [1.0] * number.type.count) if result is None else result


def _lane_after_lane(function, context, builder, signature, arguments):
    """The code of single numbers, once for each lane."""
    kinds = [kind.dtype if isinstance(kind, Varying) else kind for kind in signature.args]
    result = signature.return_type
    known = context.typing_context.resolve_value_type(function)
    code = context.get_function(known, type(signature)(result.dtype, tuple(kinds), None))

    def one(lane):
        values = [
            lane_of(builder, value, lane) if isinstance(kind, Varying) else value
            for value, kind in zip(arguments, signature.args, strict=True)
        ]
        return code(builder, values)

    return in_each_lane(builder, ir.VectorType(context.get_value_type(result.dtype), result.lanes), one)


def _plain_signature(typing_context, function, kinds):
    """The signature that Numba finds for single numbers."""
    if function not in (min, max):
        return typing_context.resolve_function_type(function, tuple(kinds), {})
    kind = typing_context.unify_types(*kinds)  # Numba asks for a tuple there
    known = isinstance(kind, types.Float) or kind == types.int64
    return signature(kind, *[kind] * len(kinds)) if known else None


def _register(function, arities):
    """Teach the compiler a function of lanes, or of lanes and numbers, that it knows of numbers."""

    class _Typing(AbstractTemplate):
        key = function
        prefer_literal = function in (operator.pow, operator.ipow)

        def generic(self, args, kws):
            lanes = lanes_of(args)
            if lanes is None or kws or not all(isinstance(k, (Varying, types.Number, types.Boolean)) for k in args):
                return None
            plain = [k if isinstance(k, types.IntegerLiteral) else scalar_of(k) for k in args]
            if not self.prefer_literal:
                plain = [types.unliteral(k) for k in plain]
            found = _plain_signature(self.context, function, plain)
            if found is None or not isinstance(found.return_type, (types.Number, types.Boolean)):
                return None
            kinds = zip(args, found.args, strict=True)
            return signature(
                Varying(found.return_type, lanes),
                *(Varying(k, lanes) if isinstance(a, Varying) else k for a, k in kinds),
            )

    infer_global(function, types.Function(_Typing))

    def generate(context, builder, signature, arguments):
        return _lower(function, context, builder, signature, arguments)

    for arity in arities:
        for pattern in itertools.product((Varying, types.Any), repeat=arity):
            if Varying in pattern:
                lower_builtin(function, *pattern)(generate)


def _arities(function) -> tuple[int, ...]:
    if function in (min, max):
        return 2, 3, 4
    return (1,) if function in (operator.neg, operator.pos, operator.not_, operator.invert) else (1, 2)


_FUNCTIONS: list[Callable] = [*OF_FLOATS, *OF_INTEGERS, *OF_BOOLEANS, *IN_PLACE, *ROUNDING, *OTHERS]
_FUNCTIONS += [int, float, round, pow, *(getattr(math, name) for name in MATHEMATICS.split())]
_FUNCTIONS += [getattr(np, name) for name in NUMPY.split()]
# Not `bool`: a branch on numbers that differ must not compile.
for _function in dict.fromkeys(_FUNCTIONS):
    _register(_function, _arities(_function))
