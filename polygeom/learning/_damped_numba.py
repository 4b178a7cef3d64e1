"""The damped steps of many small least-squares problems, compiled: Jacobians of a fit stay in the cache meanwhile.

For each of ``A`` fits, with ``n`` residuals and ``P`` weights and ``q = min(n, P)``: ``n P`` multiplications for the
gradient, ``n P q / 2`` for half the normal matrix, ``q³ / 6`` for its factor, ``q² + n P`` for the step; ``q² + q``
numbers beside the operands. The twin that any tensor library can run is `polygeom.learning.training.damping`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from polygeom.modular._jit import entry

_LIBERTIES = {"contract", "reassoc", "nsz"}
"""Sums may be taken in another order; NaN and infinity keep their meaning."""


def _steps(
    jacobians: Any, residuals: Any, relative: Any, least: float, steps: Any, gradients: Any, squares: Any, damping: Any
) -> None:
    fits, rows, columns = jacobians.shape
    dual = rows <= columns
    size = min(rows, columns)
    normal = np.empty((size, size), dtype=jacobians.dtype)
    right = np.empty(size, dtype=jacobians.dtype)
    for fit in range(fits):
        jac, res, gradient, step = jacobians[fit], residuals[fit], gradients[fit], steps[fit]
        total = 0.0
        for p in range(columns):
            gradient[p] = 0
            step[p] = 0
        for i in range(rows):
            value = res[i]
            for p in range(columns):
                entry_ = jac[i, p]
                gradient[p] += np.conj(entry_) * value
                total += entry_.real * entry_.real + entry_.imag * entry_.imag
        squares[fit] = total
        own = relative[fit] * max(total / size, least)
        damping[fit] = own
        if dual:
            for i in range(rows):
                for k in range(i + 1):
                    inner = jac[i, 0] * np.conj(jac[k, 0])
                    for p in range(1, columns):
                        inner += jac[i, p] * np.conj(jac[k, p])
                    normal[i, k] = inner
                right[i] = res[i]
        else:
            for p in range(columns):
                for q in range(p + 1):
                    normal[p, q] = 0
                right[p] = gradient[p]
            for i in range(rows):
                for p in range(columns):
                    value = np.conj(jac[i, p])
                    for q in range(p + 1):
                        normal[p, q] += value * jac[i, q]
        usable = True
        for i in range(size):
            for k in range(i):
                inner = normal[i, k]
                for p in range(k):
                    inner -= normal[i, p] * np.conj(normal[k, p])
                normal[i, k] = inner / normal[k, k]
            pivot = normal[i, i].real + own
            for p in range(i):
                pivot -= normal[i, p].real * normal[i, p].real + normal[i, p].imag * normal[i, p].imag
            if not (pivot > 0.0 and pivot < np.inf):
                usable = False
                break
            normal[i, i] = np.sqrt(pivot)
        if not usable:
            continue
        for i in range(size):
            inner = right[i]
            for k in range(i):
                inner -= normal[i, k] * right[k]
            right[i] = inner / normal[i, i]
        for i in range(size - 1, -1, -1):
            right[i] /= normal[i, i]
            value = right[i]
            for k in range(i):
                right[k] -= np.conj(normal[i, k]) * value
        if dual:
            for i in range(rows):
                value = right[i]
                for p in range(columns):
                    step[p] -= np.conj(jac[i, p]) * value
        else:
            for p in range(columns):
                step[p] = -right[p]
        for p in range(columns):
            if not np.isfinite(step[p]):
                usable = False
        if not usable:
            for p in range(columns):
                step[p] = 0


@cache
def kernel(complex_numbers: bool) -> Any:
    """``steps(J, r, relative, least, steps, gradients, squares, damping)`` for one kind of numbers; the last four are
    written."""
    kind = "complex128" if complex_numbers else "float64"
    arrays = f"{kind}[:,:,::1], {kind}[:,::1], float64[::1], float64, {kind}[:,::1], {kind}[:,::1]"
    return entry(f"void({arrays}, float64[::1], float64[::1])", fastmath=_LIBERTIES)(_steps)


__all__ = ["kernel"]
