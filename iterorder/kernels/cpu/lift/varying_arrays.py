"""What bodies do with numbers of several lanes beside arithmetic: choose between them, and read or write arrays.

An index that differs from lane to lane is looked up in each lane. One that is out of range in some lane raises for all
of them, and whoever called repeats the step one replica at a time: only there is it known whose index it was.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin
from numba.np.arrayobj import populate_array

from iterorder.kernels.cpu.lanes import LANES, spread
from iterorder.kernels.cpu.lift.varying import Varying, converted, in_each_lane, lane_of, scalar_of, some_lane
from iterorder.kernels.cpu.loads import four_columns, joined, two_columns

#: Rows up to this length are read as a whole, into vectors.
LONGEST_ROW = 32


# --------------------------------------------------------------------------------------------------------- one of two


def _boolean(kind):
    return scalar_of(kind) == types.boolean


@intrinsic
def truth(typing_context, value):
    """Whether a number is not zero, in each lane."""
    lanes = value.lanes if isinstance(value, Varying) else None
    kind = scalar_of(value)
    if not isinstance(kind, (types.Boolean, types.Float, types.Integer)):
        return None

    def generate(context, builder, signature, arguments):
        number = arguments[0]
        if kind == types.boolean:
            return number
        zero = ir.Constant(number.type, [0] * lanes if lanes else 0)
        compare = builder.fcmp_unordered if isinstance(kind, types.Float) else builder.icmp_signed
        return compare("!=", number, zero)

    result = Varying(types.boolean, lanes) if lanes else types.boolean
    return result(Varying(kind, lanes) if lanes else kind), generate


def _joined(name):
    @intrinsic
    def join(typing_context, a, b):
        if not (_boolean(a) and _boolean(b)):
            return None
        lanes = next((kind.lanes for kind in (a, b) if isinstance(kind, Varying)), None)

        def generate(context, builder, signature, arguments):
            pair = [
                spread(builder, value, lanes) if lanes and not isinstance(kind, Varying) else value
                for value, kind in zip(arguments, (a, b), strict=True)
            ]
            return getattr(builder, name)(*pair)

        return (Varying(types.boolean, lanes) if lanes else types.boolean)(a, b), generate

    return join


#: Conditions that hold together, or of which one holds; both are evaluated.
both, either = _joined("and_"), _joined("or_")


@intrinsic
def opposite(typing_context, condition):
    """Where a condition does not hold."""
    if not _boolean(condition):
        return None
    return condition(condition), lambda context, builder, signature, arguments: builder.not_(arguments[0])


@intrinsic
def choose(typing_context, condition, yes, no):
    """One of two numbers, in each lane; of the type that a variable has which may hold either."""
    if not (_boolean(condition) and all(isinstance(k, (Varying, types.Number, types.Boolean)) for k in (yes, no))):
        return None
    result = typing_context.unify_pairs(types.unliteral(yes), types.unliteral(no))
    if result is None:
        return None
    if isinstance(condition, Varying) and not isinstance(result, Varying):
        result = Varying(result, condition.lanes)

    def generate(context, builder, signature, arguments):
        return builder.select(*arguments)

    if isinstance(result, Varying):
        condition = Varying(types.boolean, result.lanes)
    return result(condition, result, result), generate


# -------------------------------------------------------------------------------------------------------------- arrays


def array_of(dtype, lanes: int, *, writable: bool):
    """The type of an array of numbers of several lanes."""
    return types.Array(Varying(dtype, lanes), 1, "C", readonly=not writable)


@intrinsic(prefer_literal=True)
def new_array(typing_context, like, length, lanes):
    """An array of `length` numbers of `lanes` lanes (literals) on the stack, of the type of an array's numbers."""
    if not (isinstance(length, types.IntegerLiteral) and isinstance(lanes, types.IntegerLiteral)):
        return None
    kind = array_of(like.dtype, lanes.literal_value, writable=True)

    def generate(context, builder, signature, arguments):
        return on_stack(context, builder, kind, length.literal_value)[0]

    return kind(like, length, lanes), generate


def on_stack(context, builder, kind, length):
    """An array and a pointer to its first vector."""
    element = context.get_value_type(kind.dtype)
    space = cgutils.alloca_once(builder, ir.ArrayType(element, length))
    array = context.make_array(kind)(context, builder)
    first = builder.bitcast(space, array.data.type)
    size = context.get_constant(types.intp, kind.dtype.lanes * kind.dtype.dtype.bitwidth // 8)
    shape = [context.get_constant(types.intp, length)]
    populate_array(array, data=first, shape=shape, strides=[size], itemsize=size, meminfo=None)
    return array._getvalue(), first


@intrinsic
def unwritable(typing_context, array):
    """The same array, for a body that may not write to it."""
    kind = types.Array(array.dtype, 1, "C", readonly=True)
    return kind(array), lambda context, builder, signature, arguments: arguments[0]


def _positions(context, builder, index, length):
    """Indices from the front; an index out of range in some lane raises."""
    lanes = index.type.count
    zero, many = ir.Constant(index.type, [0] * lanes), spread(builder, length, lanes)
    negative = builder.icmp_signed("<", index, zero)
    positions = builder.select(negative, builder.add(index, many), index)
    outside = builder.not_(builder.icmp_unsigned("<", positions, many))
    with cgutils.if_unlikely(builder, some_lane(builder, outside)):
        context.call_conv.return_user_exc(builder, IndexError, ("index is out of bounds",))
    return positions


def _offsets(context, builder, kind, array, indices, kinds):
    """For each lane, the bytes from the beginning of an array to the entry at its indices."""
    view = context.make_array(kind)(context, builder, array)
    shapes, strides = (cgutils.unpack_tuple(builder, values, kind.ndim) for values in (view.shape, view.strides))
    lanes = _lanes_of(kinds)
    total = ir.Constant(ir.VectorType(ir.IntType(64), lanes), [0] * lanes)
    for index, source, length, stride in zip(indices, kinds, shapes, strides, strict=False):
        if isinstance(source, Varying):
            vector = converted(context, builder, index, source.dtype, types.int64, lanes)
        else:
            vector = spread(builder, context.cast(builder, index, source, types.int64), lanes)
        positions = _positions(context, builder, vector, length)
        total = builder.add(total, builder.mul(positions, spread(builder, stride, lanes)))
    return total, builder.bitcast(view.data, ir.IntType(8).as_pointer())


def _pointers(builder, offsets, base, kind):
    places = [builder.gep(base, [lane_of(builder, offsets, lane)]) for lane in range(offsets.type.count)]
    return [builder.bitcast(place, kind.as_pointer()) for place in places]


def _lanes_of(kinds) -> int:
    """Lanes of the types among these that have some."""
    return next(kind.lanes for kind in kinds if isinstance(kind, Varying))


def _is_index(kind):
    return isinstance(scalar_of(kind), types.Integer)


def _indices(array, index):
    """The types of the indices of one entry, of which some differ between lanes; None for all else."""
    kinds = tuple(index) if isinstance(index, types.BaseTuple) else (index,)
    if not isinstance(array, types.Array) or len(kinds) != array.ndim or not all(map(_is_index, kinds)):
        return None
    return kinds if any(isinstance(kind, Varying) for kind in kinds) else None


@infer_global(operator.getitem)
class _Entry(AbstractTemplate):
    def generic(self, args, kws):
        if len(args) != 2 or (kinds := _indices(*args)) is None:
            return None
        dtype = args[0].dtype
        return signature(dtype if isinstance(dtype, Varying) else Varying(dtype, _lanes_of(kinds)), *args)


@infer_global(operator.setitem)
class _Place(AbstractTemplate):
    def generic(self, args, kws):
        array, index, value = args
        if _indices(array, index) is None or not array.mutable or not isinstance(array.dtype, Varying):
            return None
        return (
            signature(types.none, array, index, array.dtype) if self.context.can_convert(value, array.dtype) else None
        )


def _lane_pointers(context, builder, signature, arguments):
    """Where the entry of each lane stands; an array of vectors has one entry in every lane."""
    array, index = signature.args[:2]
    kinds = _indices(array, index)
    many = isinstance(index, types.BaseTuple)
    indices = cgutils.unpack_tuple(builder, arguments[1], len(kinds)) if many else (arguments[1],)
    offsets, base = _offsets(context, builder, array, arguments[0], indices, kinds)
    if isinstance(array.dtype, Varying):
        size = array.dtype.dtype.bitwidth // 8
        lanes = ir.Constant(offsets.type, [size * lane for lane in range(offsets.type.count)])
        offsets = builder.add(offsets, lanes)
    return _pointers(builder, offsets, base, context.get_value_type(scalar_of(array.dtype)))


def _get(context, builder, signature, arguments):
    pointers = _lane_pointers(context, builder, signature, arguments)
    kind = context.get_value_type(signature.return_type)
    return in_each_lane(builder, kind, lambda lane: builder.load(pointers[lane]))


def _set(context, builder, signature, arguments):
    pointers = _lane_pointers(context, builder, signature, arguments)
    for lane, pointer in enumerate(pointers):
        builder.store(lane_of(builder, arguments[2], lane), pointer)
    return context.get_dummy_value()


lower_builtin(operator.getitem, types.Array, Varying)(_get)
lower_builtin(operator.setitem, types.Array, Varying, Varying)(_set)


@intrinsic
def entry_of(typing_context, table, indices):
    """table[i, j, …], where indices may differ between lanes."""
    kinds = _indices(table, indices)
    if kinds is None:
        found = typing_context.resolve_getitem(table, indices)

        def generate(context, builder, signature, arguments):
            return context.get_function(operator.getitem, found)(builder, arguments)

        return found, generate
    return Varying(table.dtype, _lanes_of(kinds))(table, indices), _get


@intrinsic(prefer_literal=True)
def row_of(typing_context, table, index, length):
    """table[index], of `length` (literal) numbers, as an array of vectors: whole rows are loaded and transposed.

    The array is overwritten where the same place of the source is reached again.
    """
    if not (isinstance(table, types.Array) and table.ndim == 2 and table.layout == "C" and _is_index(index)):
        return None
    if not (isinstance(index, Varying) and isinstance(length, types.IntegerLiteral)):
        return None
    kind, count = array_of(table.dtype, index.lanes, writable=False), length.literal_value

    def generate(context, builder, signature, arguments):
        offsets, base = _offsets(context, builder, table, arguments[0], (arguments[1],), (index,))
        rows = _pointers(builder, offsets, base, context.get_value_type(table.dtype))
        array, first = on_stack(context, builder, kind, count)
        for k, vector in enumerate(_columns(builder, rows, count)):
            builder.store(vector, builder.gep(first, [ir.Constant(ir.IntType(64), k)]))
        return array

    return kind(table, index, length), generate


def _columns(builder, rows, count):
    """The first `count` numbers of some rows, number by number; nothing behind them is read."""
    if count == 1:
        kind = ir.VectorType(rows[0].type.pointee, len(rows))
        return [in_each_lane(builder, kind, lambda lane: builder.load(rows[lane]))]
    columns: list = []
    while len(columns) < count:
        size = 2 if count < 4 or count - len(columns) <= 2 else 4
        first = min(len(columns), count - size)  # the last block may begin again with some that are there
        read = two_columns if size == 2 else four_columns
        groups = [read(builder, rows[i : i + LANES], first) for i in range(0, len(rows), LANES)]
        columns[first:] = [joined(builder, vectors) for vectors in zip(*groups, strict=True)]
    return columns
