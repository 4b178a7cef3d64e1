"""BLAS's dgemm inside compiled code, on rectangles of a row-major matrix, in place.

The address of dgemm is an ordinary argument: a constant baked into the code would keep numba from caching it. np.dot is
no substitute, it needs contiguous operands and cannot accumulate.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from polygeom.modular._jit import inner

_SCALARS = (types.int32,) * 3 + (types.float64,)
_SIGNATURE = types.void(
    types.intp, *_SCALARS, types.intp, types.int32, types.intp, types.int32, types.float64, types.intp, types.int32
)


@intrinsic
def _dgemm(typing, address, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):  # type: ignore[no-untyped-def]
    """Call Fortran's dgemm('N', 'N', ...), every argument by reference; the matrices come as addresses."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        pointer = ir.IntType(8).as_pointer()
        function = builder.inttoptr(arguments[0], ir.FunctionType(ir.VoidType(), [pointer] * 13).as_pointer())
        no_transpose = cgutils.alloca_once_value(builder, ir.Constant(ir.IntType(8), ord("N")))
        references = [no_transpose, no_transpose]
        for argument, kind in zip(arguments[1:], signature.args[1:], strict=True):
            if kind == types.intp:
                references.append(builder.inttoptr(argument, pointer))
            else:
                references.append(builder.bitcast(cgutils.alloca_once_value(builder, argument), pointer))
        builder.call(function, references)
        return context.get_dummy_value()

    return _SIGNATURE, generate


@inner
def subtract_product(dgemm, a, row, col, m, n, pivot, k):  # type: ignore[no-untyped-def]
    """a[row:row+m, col:col+n] -= a[row:row+m, pivot:pivot+k] @ a[pivot:pivot+k, col:col+n], not reduced.

    A row-major matrix is the transpose of a column-major one, so the factors are swapped. LP64 interface: each
    dimension must be below 2^31.
    """
    if m <= 0 or n <= 0 or k <= 0:
        return
    stride = a.shape[1]
    start = a.ctypes.data
    left = start + 8 * (row * stride + pivot)
    right = start + 8 * (pivot * stride + col)
    target = start + 8 * (row * stride + col)
    ld = types.int32(stride)
    _dgemm(dgemm, types.int32(n), types.int32(m), types.int32(k), -1.0, right, ld, left, ld, 1.0, target, ld)
