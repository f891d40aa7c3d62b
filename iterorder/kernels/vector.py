"""Vector primitives: exp, dot and axpy with a fixed order of roundings, so that every kernel gets the same bits."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from iterorder.kernels.targets import jit_inline, madd

#: Rows are padded to whole vectors of this size: eight doubles or sixteen floats. LLVM splits them where the
#: processor's registers are shorter; the partial sums of `dot` stay the same.
VECTOR_BYTES = 64

LOG2E = 1.4426950408889634
# log 2 in two parts; the first has 32 trailing zero bits, so that n·LN2_HIGH is exact for |n| < 2¹¹.
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# Adding 1.5·2⁵² rounds to an integer, which then stands in the low bits of the sum.
ROUND = 6755399441055744.0


@jit_inline
def exp(x):
    """e^x to about an ulp; arguments are cut to [−708, 709], NaN stays NaN.

    x = n·log 2 + r with |r| ≤ log(2)/2, a Taylor series of degree 13 in r (first neglected term 4e−18), and n put into
    the exponent. Branch-free, so that a loop over lanes vectorises; there is no vector exp in LLVM for Numba to call.
    """
    x = -708.0 if x < -708.0 else x
    x = 709.0 if x > 709.0 else x
    shifted = madd(x, LOG2E, ROUND)
    n = shifted - ROUND
    r = madd(n, -LN2_LOW, madd(n, -LN2_HIGH, x))
    r2 = r * r
    r4 = r2 * r2
    t0 = r + 1.0
    t2 = madd(r, 1.0 / 6.0, 1.0 / 2.0)
    t4 = madd(r, 1.0 / 120.0, 1.0 / 24.0)
    t6 = madd(r, 1.0 / 5040.0, 1.0 / 720.0)
    t8 = madd(r, 1.0 / 362880.0, 1.0 / 40320.0)
    t10 = madd(r, 1.0 / 39916800.0, 1.0 / 3628800.0)
    t12 = madd(r, 1.0 / 6227020800.0, 1.0 / 479001600.0)
    series = madd(r4, madd(r4, madd(r4, t12, madd(r2, t10, t8)), madd(r2, t6, t4)), madd(r2, t2, t0))
    exponent = (np.float64(shifted).view(np.int64) + np.int64(1023)) << np.int64(52)
    return series * np.int64(exponent).view(np.float64)


class _Rows:
    """Emits instructions on whole vectors along the rows of two-dimensional arrays of one float type.

    Rows are addressed inside the instruction: a slice would cost an atomic reference count for every map.
    """

    def __init__(self, context, builder, dtype, lanes=None):
        self.context, self.builder = context, builder
        self.lanes = lanes or VECTOR_BYTES * 8 // dtype.bitwidth
        self.align = dtype.bitwidth // 8
        self.element = ir.DoubleType() if dtype.bitwidth == 64 else ir.FloatType()
        self.vector = ir.VectorType(self.element, self.lanes)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fmuladd.v{self.lanes}f{dtype.bitwidth}"
        self._fmuladd = cgutils.get_or_insert_function(builder.module, kind, name)

    def row(self, array_type, array, index):
        """Pointer to the first number of a row."""
        view = self.context.make_array(array_type)(self.context, self.builder, array)
        width = self.builder.extract_value(view.shape, 1)
        return self.builder.gep(view.data, [self.builder.mul(index, width)])

    def load(self, row, position):
        return self.builder.load(self._pointer(row, position), align=self.align)

    def store(self, value, row, position):
        self.builder.store(value, self._pointer(row, position), align=self.align)

    def _pointer(self, row, position):
        return self.builder.bitcast(self.builder.gep(row, [position]), self.vector.as_pointer())

    def madd(self, a, b, c):
        return self.builder.call(self._fmuladd, [a, b, c])

    def splat(self, scalar):
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, first, [0] * self.lanes)

    def shuffle(self, a, b, lanes):
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))

    def sum(self, vector):
        """Halves added until one number is left: ((s0+s4)+(s2+s6)) + ((s1+s5)+(s3+s7)) for eight lanes."""
        width = self.lanes
        while width > 1:
            width //= 2
            low = self.shuffle(vector, vector, list(range(width)))
            high = self.shuffle(vector, vector, list(range(width, 2 * width)))
            vector = self.builder.fadd(low, high)
        return self.builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))

    def transpose(self, rows):
        """Eight vectors of eight: three rounds of exchanges, of neighbours, of pairs and of halves."""
        for distance in (1, 2, 4):
            low = [lane if lane & distance == 0 else lane - distance + 8 for lane in range(8)]
            high = [lane + distance if lane & distance == 0 else lane + 8 for lane in range(8)]
            exchanged = list(rows)
            for i in range(8):
                if i & distance == 0:
                    exchanged[i] = self.shuffle(rows[i], rows[i + distance], low)
                    exchanged[i + distance] = self.shuffle(rows[i], rows[i + distance], high)
            rows = exchanged
        return rows

    def positions(self, size):
        step = ir.Constant(size.type, self.lanes)
        return cgutils.for_range_slice(self.builder, ir.Constant(size.type, 0), size, step, intp=size.type)


def _are_tables(*kinds):
    return all(isinstance(k, types.Array) and k.ndim == 2 and k.layout == "C" for k in kinds)


def _as_intp(context, builder, values, kinds):
    return [context.cast(builder, value, kind, types.intp) for value, kind in zip(values, kinds, strict=True)]


@intrinsic
def dot(typing_context, table, item, offset, x, lane, size):
    """Sum over k < size of table[item, offset+k]·x[lane, k], size a multiple of the vector: partial sums, then a tree.

    The order is written out in instructions because the compiler may not, and must not, reorder a sum by itself.
    """
    if not _are_tables(table, x) or table.dtype != x.dtype:
        return None

    def generate(context, builder, signature, arguments):
        rows = _Rows(context, builder, x.dtype)
        integers = [arguments[k] for k in (1, 2, 4, 5)]
        item_, offset_, lane_, size_ = _as_intp(context, builder, integers, (item, offset, lane, size))
        row = builder.gep(rows.row(table, arguments[0], item_), [offset_])
        state = rows.row(x, arguments[3], lane_)
        sums = cgutils.alloca_once_value(builder, ir.Constant(rows.vector, [0.0] * rows.lanes))
        builder.store(ir.Constant(rows.vector, [0.0] * rows.lanes), sums)
        with rows.positions(size_) as (position, _):
            product = rows.madd(rows.load(row, position), rows.load(state, position), builder.load(sums))
            builder.store(product, sums)
        return rows.sum(builder.load(sums))

    return x.dtype(table, item, offset, x, lane, size), generate


@intrinsic
def shrink_and_move(typing_context, x, lane, shrink, move, table, item, size):
    """x[lane] ← shrink·x[lane] + move·table[item] over the first `size` numbers, in place."""
    if not _are_tables(table, x) or not table.dtype == x.dtype == shrink == move:
        return None

    def generate(context, builder, signature, arguments):
        rows = _Rows(context, builder, x.dtype)
        integers = [arguments[k] for k in (1, 5, 6)]
        lane_, item_, size_ = _as_intp(context, builder, integers, (lane, item, size))
        state, row = rows.row(x, arguments[0], lane_), rows.row(table, arguments[4], item_)
        shrinks, moves = rows.splat(arguments[2]), rows.splat(arguments[3])
        with rows.positions(size_) as (position, _):
            shrunk = builder.fmul(shrinks, rows.load(state, position))
            rows.store(rows.madd(moves, rows.load(row, position), shrunk), state, position)
        return context.get_dummy_value()

    return types.void(x, lane, shrink, move, table, item, size), generate


@intrinsic
def gather_columns(typing_context, table, index, draw, lane, columns):
    """columns[k, lane+i] ← table[index[draw, lane+i], k] for eight lanes i and all k: transposed in registers.

    `index` has three axes, of which `draw` counts the first two together. Both widths are multiples of eight. Eight
    vector loads, 24 exchanges and eight stores replace 64 scalar copies.
    """
    if not _are_tables(table, columns) or table.dtype != columns.dtype or index.ndim != 3:
        return None

    def generate(context, builder, signature, arguments):
        rows = _Rows(context, builder, table.dtype, lanes=8)
        draw_, lane_ = _as_intp(context, builder, arguments[2:4], (draw, lane))
        view = context.make_array(index)(context, builder, arguments[1])
        first = builder.mul(draw_, builder.extract_value(view.shape, 2))
        draws = builder.gep(view.data, [builder.add(first, lane_)])
        sources = []
        for i in range(8):
            item = builder.zext(builder.load(builder.gep(draws, [ir.Constant(lane_.type, i)])), lane_.type)
            sources.append(rows.row(table, arguments[0], item))
        width = builder.extract_value(context.make_array(table)(context, builder, arguments[0]).shape, 1)
        with rows.positions(width) as (position, _):
            for i, column in enumerate(rows.transpose([rows.load(source, position) for source in sources])):
                target = rows.row(columns, arguments[4], builder.add(position, ir.Constant(position.type, i)))
                rows.store(column, target, lane_)
        return context.get_dummy_value()

    return types.void(table, index, draw, lane, columns), generate
