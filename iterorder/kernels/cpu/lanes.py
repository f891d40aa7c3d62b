"""Vectors as values in compiled code: `Vector` holds a fixed number of lanes of one type, with the usual operators.

A body that is written for numbers, such as `philox`, also takes vectors, and then does the same in every lane. The
number of lanes is part of the type; the compiler splits a vector that is longer than the processor's registers, and
keeps the parts in flight together. No operation here looks across lanes, so the bits of a lane never depend on the
others. Nothing in this file can be called from Python.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

#: Lanes worked on together: one AVX-512 register of float64.
LANES = 8


class Vector(types.Type):
    """The type of `lanes` values of the scalar type `dtype`."""

    def __init__(self, dtype, lanes):
        self.dtype, self.lanes = dtype, lanes
        super().__init__(f"Vector({dtype}, {lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, data_models, kind):
        super().__init__(data_models, kind, llvm_type(kind))


def llvm_type(kind: Vector) -> ir.VectorType:
    if isinstance(kind.dtype, types.Float):
        element = ir.DoubleType() if kind.dtype.bitwidth == 64 else ir.FloatType()
    else:
        element = ir.IntType(1 if kind.dtype == types.boolean else kind.dtype.bitwidth)
    return ir.VectorType(element, kind.lanes)


def is_float(kind) -> bool:
    """Whether a Numba type is a float or a vector of floats."""
    return isinstance(kind.dtype if isinstance(kind, Vector) else kind, types.Float)


# ------------------------------------------------------------------------------------------------ emitted instructions


def constant(kind: Vector, value):
    """The vector with `value` in every lane."""
    return ir.Constant(llvm_type(kind), [value] * kind.lanes)


def shuffle(builder, a, b, lanes):
    """Lanes of a (0, 1, …) and b (from len(a) on), in the order given."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes)))


def spread(builder, scalar, lanes: int):
    """The vector with a number in every lane."""
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    return shuffle(builder, first, undefined, [0] * lanes)


def multiply_add(builder, a, b, c):
    """a·b + c of numbers or vectors, by LLVM's fmuladd."""
    kind = a.type
    name = "llvm.fmuladd." + (f"v{kind.count}" if isinstance(kind, ir.VectorType) else "")
    element = kind.element if isinstance(kind, ir.VectorType) else kind
    name += "f64" if isinstance(element, ir.DoubleType) else "f32"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
    return builder.call(function, [a, b, c])


def row_pointer(context, builder, array_type, array, row, column=None):
    """Pointer to an element of a two-dimensional C array: a slice would cost an atomic reference count."""
    view = context.make_array(array_type)(context, builder, array)
    position = builder.mul(row, builder.extract_value(view.shape, 1))
    if column is not None:
        position = builder.add(position, column)
    return builder.gep(view.data, [position])


def align_stack(builder) -> None:
    """Put the stack of a function with vectors on a 64-byte boundary.

    LLVM decides on that before it knows which vectors have no register: by itself it lays most across two cache lines.
    """
    attributes = builder.function.attributes
    attributes.add("nounwind")  # true of compiled functions, and alone the other is not written
    attributes.alignstack = 64


@intrinsic
def with_aligned_stack(typing_context):
    """`align_stack` for a function that itself neither loads nor stores a vector: what is inlined brings nothing."""

    def generate(context, builder, signature, arguments):
        align_stack(builder)
        return context.get_dummy_value()

    return types.void(), generate


def load_from(builder, pointer, lanes: int, position: int = 0):
    """The vector that begins `position` elements behind a pointer; needs the alignment of one element only."""
    align_stack(builder)
    element = pointer.type.pointee
    if position:
        pointer = builder.gep(pointer, [ir.Constant(ir.IntType(64), position)])
    size = 4 if isinstance(element, ir.FloatType) else 8
    return builder.load(builder.bitcast(pointer, ir.VectorType(element, lanes).as_pointer()), align=size)


def store_to(builder, vector, pointer, position: int = 0):
    """Write a vector `position` elements behind a pointer."""
    align_stack(builder)
    if position:
        pointer = builder.gep(pointer, [ir.Constant(ir.IntType(64), position)])
    size = 4 if isinstance(vector.type.element, ir.FloatType) else 8
    builder.store(vector, builder.bitcast(pointer, vector.type.as_pointer()), align=size)


# ----------------------------------------------------------------------------------------------------------- operators

# Integers are unsigned: >> shifts zeros in.
_OPERATORS = {
    operator.add: ("add", "fadd"),
    operator.sub: ("sub", "fsub"),
    operator.mul: ("mul", "fmul"),
    operator.truediv: (None, "fdiv"),
    operator.and_: ("and_", None),
    operator.or_: ("or_", None),
    operator.xor: ("xor", None),
    operator.lshift: ("shl", None),
    operator.rshift: ("lshr", None),
}
_COMPARISONS = {operator.lt: "<", operator.gt: ">", operator.ge: ">=", operator.eq: "==", operator.ne: "!="}


def _register(function, lower, of_comparison):
    """Teach the compiler an operator on two vectors, or on a vector and a number, which then stands in every lane."""

    @infer_global(function)
    class _Typing(AbstractTemplate):
        def generic(self, args, kws):
            a, b = args
            if not (isinstance(a, Vector) or isinstance(b, Vector)):
                return None
            kind = a if isinstance(a, Vector) else b
            result = Vector(types.boolean, kind.lanes) if of_comparison else kind
            return signature(result, *(k if isinstance(k, Vector) else kind.dtype for k in args))

    def generate(context, builder, signature, arguments):
        kind = next(k for k in signature.args if isinstance(k, Vector))
        operands = [
            value if isinstance(k, Vector) else spread(builder, value, kind.lanes)
            for value, k in zip(arguments, signature.args, strict=True)
        ]
        return lower(builder, is_float(kind), *operands)

    for pattern in ((Vector, Vector), (Vector, types.Any), (types.Any, Vector)):
        lower_builtin(function, *pattern)(generate)


def _arithmetic(names):
    return lambda builder, floats, a, b: getattr(builder, names[floats])(a, b)


def _comparison(symbol):
    def lower(builder, floats, a, b):
        # An unordered comparison is false, but for "not equal".
        if not floats:
            return builder.icmp_unsigned(symbol, a, b)
        return builder.fcmp_unordered(symbol, a, b) if symbol == "!=" else builder.fcmp_ordered(symbol, a, b)

    return lower


for _function, _names in _OPERATORS.items():
    _register(_function, _arithmetic(_names), of_comparison=False)
for _function, _symbol in _COMPARISONS.items():
    _register(_function, _comparison(_symbol), of_comparison=True)


# --------------------------------------------------------------------------------------------- functions on any numbers


@intrinsic
def madd(typing_context, a, b, c):
    """a·b + c, one rounding where the processor multiplies and adds in one instruction, two where it does not.

    The choice (LLVM's `fmuladd`) depends on the processor alone, never on the surrounding code. Numbers among vectors
    stand in every lane.
    """
    kind = next((k for k in (a, b, c) if isinstance(k, Vector)), a)
    if not is_float(kind):
        return None
    element = kind.dtype if isinstance(kind, Vector) else kind

    def generate(context, builder, signature, arguments):
        operands = [
            spread(builder, value, kind.lanes) if isinstance(kind, Vector) and not isinstance(k, Vector) else value
            for value, k in zip(arguments, signature.args, strict=True)
        ]
        return multiply_add(builder, *operands)

    return kind(*(k if isinstance(k, Vector) else element for k in (a, b, c))), generate


@intrinsic
def where(typing_context, condition, yes, no):
    """`yes` in the lanes where the condition holds, `no` elsewhere; also for numbers."""
    if yes != no:
        return None

    def generate(context, builder, signature, arguments):
        return builder.select(*arguments)

    return yes(condition, yes, no), generate


@intrinsic
def sqrt(typing_context, x):
    """The rounded square root of a float64, of each lane."""

    def generate(context, builder, signature, arguments):
        kind = arguments[0].type
        name = "llvm.sqrt." + (f"v{kind.count}f64" if isinstance(kind, ir.VectorType) else "f64")
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), name)
        return builder.call(function, arguments)

    return x(x), generate


# ------------------------------------------------------------------------------------------------- making and storing


@intrinsic(prefer_literal=True)
def splat(typing_context, value, lanes):
    """A number in `lanes` lanes: a literal, or a vector that has as many."""
    if not isinstance(lanes, (types.IntegerLiteral, Vector)):
        return None
    kind = Vector(types.unliteral(value), lanes.lanes if isinstance(lanes, Vector) else lanes.literal_value)

    def generate(context, builder, signature, arguments):
        align_stack(builder)
        return spread(builder, arguments[0], kind.lanes)

    return kind(kind.dtype, lanes), generate


@intrinsic(prefer_literal=True)
def counting(typing_context, start, stride, lanes):
    """start, start + stride, … in `lanes` (literal) lanes, as uint64."""
    if not isinstance(lanes, types.IntegerLiteral):
        return None
    kind = Vector(types.uint64, lanes.literal_value)

    def generate(context, builder, signature, arguments):
        align_stack(builder)
        first, step = (spread(builder, argument, kind.lanes) for argument in arguments[:2])
        numbers = ir.Constant(llvm_type(kind), list(range(kind.lanes)))
        return builder.add(first, builder.mul(numbers, step))

    return kind(types.uint64, types.uint64, lanes), generate


@intrinsic
def load(typing_context, array, row, column, like):
    """array[row, column : column + lanes], with as many lanes as the vector `like` has."""
    if not (isinstance(array, types.Array) and array.ndim == 2 and isinstance(like, Vector)):
        return None
    kind = Vector(array.dtype, like.lanes)

    def generate(context, builder, signature, arguments):
        pointer = row_pointer(context, builder, array, *arguments[:3])
        return load_from(builder, pointer, kind.lanes)

    return kind(array, types.intp, types.intp, like), generate


@intrinsic
def store(typing_context, vector, array, row, column):
    """array[row, column : column + lanes] ← vector."""
    if not (isinstance(array, types.Array) and array.ndim == 2 and isinstance(vector, Vector)):
        return None

    def generate(context, builder, signature, arguments):
        store_to(builder, arguments[0], row_pointer(context, builder, array, *arguments[1:]))
        return context.get_dummy_value()

    return types.void(vector, array, types.intp, types.intp), generate


@intrinsic
def element(typing_context, array, row, column):
    """array[row, column], without the test whether an index is negative; integers come as intp."""
    if not (isinstance(array, types.Array) and array.ndim == 2):
        return None
    result = types.intp if isinstance(array.dtype, types.Integer) else array.dtype

    def generate(context, builder, signature, arguments):
        value = builder.load(row_pointer(context, builder, array, *arguments))
        return context.cast(builder, value, array.dtype, result)

    return result(array, types.intp, types.intp), generate


@intrinsic
def unrelated(typing_context, number):
    """The same integer, which the compiler takes for another one: an empty piece of assembly, no instruction.

    A row that is read once more through an unrelated index comes from the first-level cache, as an operand; kept in
    registers from the first time, it would push the state out of them.
    """
    if not isinstance(number, types.Integer):
        return None

    def generate(context, builder, signature, arguments):
        kind = arguments[0].type
        return builder.asm(ir.FunctionType(kind, [kind]), "", "=r,0", arguments, side_effect=False)

    return number(number), generate


@intrinsic
def any_lane(typing_context, condition):
    """Whether a condition holds in some lane."""
    if not isinstance(condition, Vector) or condition.dtype != types.boolean:
        return None

    def generate(context, builder, signature, arguments):
        mask = ir.IntType(condition.lanes)
        bits = builder.bitcast(arguments[0], mask)
        return builder.icmp_unsigned("!=", bits, ir.Constant(mask, 0))

    return types.boolean(condition), generate


@intrinsic
def lane_of(typing_context, vector, lane):
    """The number in one lane."""
    if not isinstance(vector, Vector):
        return None

    def generate(context, builder, signature, arguments):
        return builder.extract_element(*arguments)

    return vector.dtype(vector, types.intp), generate
