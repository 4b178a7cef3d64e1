"""Compiled evaluation of programs with first and second derivatives.

Notation: ``P`` weights, ``R`` registers at ``N`` points, ``m = O N`` outputs (entry ``o N + n``), ``k`` equations. The
systems are described in `polygeom.ideal.counting.paths.kernels`, into whose functions all of this is compiled: numba's
cache looks for changes in that file alone, so delete the cached kernels after a change here.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# (numba infers types from calls)

from __future__ import annotations

import numpy as np

from polygeom.modular._jit import inner


@inner
def raised(x, e):
    """``x ** e`` for an integer ``e ≥ 0``."""
    result = 1.0 + 0.0j
    while e > 0:
        if e & 1:
            result = result * x
        x = x * x
        e >>= 1
    return result


@inner
def forward(ops, constants, w, v):
    """Values of all registers, ``(R, N)``, from those of the inputs."""
    count = v.shape[1]
    for i in range(ops.shape[0]):
        op, d, a, b = ops[i, 0], ops[i, 1], ops[i, 2], ops[i, 3]
        if op == 0:
            for n in range(count):
                v[d, n] = w[b] * v[a, n]
        elif op == 1:
            for n in range(count):
                v[d, n] += w[b] * v[a, n]
        elif op == 2:
            for n in range(count):
                v[d, n] = v[a, n] * v[b, n]
        elif op == 3:
            for n in range(count):
                v[d, n] += v[a, n] * v[b, n]
        elif op == 4:
            for n in range(count):
                v[d, n] = raised(v[a, n], b)
        elif op == 12:
            for n in range(count):
                v[d, n] = 1.0 / v[a, n]
        else:
            for n in range(count):
                if op < 8:
                    x = constants[b] * v[a, n]
                elif op < 10:
                    x = w[b]
                else:
                    x = constants[b]
                v[d, n] = x if op & 1 == 0 else v[d, n] + x


@inner
def backward(ops, constants, inputs, w, v, adjoint, slopes, at):
    """Adjoints of all registers; ``slopes[b, at + n]`` takes the derivative by weight ``b`` at point ``n``."""
    count = v.shape[1]
    for i in range(ops.shape[0] - 1, -1, -1):
        op, d, a, b = ops[i, 0], ops[i, 1], ops[i, 2], ops[i, 3]
        if op < 2:
            for n in range(count):
                slopes[b, at + n] += adjoint[d, n] * v[a, n]
            if a >= inputs:
                for n in range(count):
                    adjoint[a, n] += w[b] * adjoint[d, n]
        elif op < 4:
            for n in range(count):
                x = adjoint[d, n]
                y = v[a, n]
                adjoint[a, n] += x * v[b, n]
                adjoint[b, n] += x * y
        elif op == 4:
            for n in range(count):
                adjoint[a, n] += b * raised(v[a, n], b - 1) * adjoint[d, n]
        elif op < 8:
            for n in range(count):
                adjoint[a, n] += constants[b] * adjoint[d, n]
        elif op < 10:
            for n in range(count):
                slopes[b, at + n] += adjoint[d, n]
        elif op == 12:
            for n in range(count):
                adjoint[a, n] -= v[d, n] * v[d, n] * adjoint[d, n]


@inner
def jacobian(ops, constants, outputs, inputs, w, v, adjoint, slopes):
    """``slopes[b, o N + n]``: the derivative of output ``o`` at point ``n`` by weight ``b``; ``v`` is known."""
    count = v.shape[1]
    slopes[:] = 0
    for o in range(outputs.shape[0]):
        adjoint[:] = 0
        for n in range(count):
            adjoint[outputs[o], n] = 1
        backward(ops, constants, inputs, w, v, adjoint, slopes, o * count)


@inner
def curvature(ops, constants, outputs, inputs, w, v, mu, frame, adjoint, moved, bent, curved):
    """``curved[b, j]``: the second derivative of ``Σ mu y`` by weight ``b`` and in direction ``j`` of the frame.

    ``moved`` and ``bent``, ``(R, k, N)``, are derivatives of registers and adjoints in the directions of the frame.
    """
    count, directions = v.shape[1], frame.shape[1]
    curved[:] = 0
    moved[: inputs + 1] = 0
    for i in range(ops.shape[0]):
        op, d, a, b = ops[i, 0], ops[i, 1], ops[i, 2], ops[i, 3]
        if op & 1 == 0:
            for j in range(directions):
                for n in range(count):
                    moved[d, j, n] = 0
        if op < 2:
            for j in range(directions):
                t = frame[b, j]
                for n in range(count):
                    moved[d, j, n] += t * v[a, n]
            if a >= inputs:
                for j in range(directions):
                    for n in range(count):
                        moved[d, j, n] += w[b] * moved[a, j, n]
        elif op < 4:
            for j in range(directions):
                for n in range(count):
                    moved[d, j, n] += v[a, n] * moved[b, j, n] + moved[a, j, n] * v[b, n]
        elif op == 4:
            for n in range(count):
                x = b * raised(v[a, n], b - 1)
                for j in range(directions):
                    moved[d, j, n] += x * moved[a, j, n]
        elif op < 8:
            for j in range(directions):
                for n in range(count):
                    moved[d, j, n] += constants[b] * moved[a, j, n]
        elif op < 10:
            for j in range(directions):
                for n in range(count):
                    moved[d, j, n] += frame[b, j]
        elif op == 12:
            for j in range(directions):
                for n in range(count):
                    moved[d, j, n] -= v[d, n] * v[d, n] * moved[a, j, n]
    adjoint[:] = 0
    bent[:] = 0
    for o in range(outputs.shape[0]):
        for n in range(count):
            adjoint[outputs[o], n] += mu[o * count + n]
    for i in range(ops.shape[0] - 1, -1, -1):
        op, d, a, b = ops[i, 0], ops[i, 1], ops[i, 2], ops[i, 3]
        if op < 2:
            for j in range(directions):
                x = 0j
                for n in range(count):
                    x += bent[d, j, n] * v[a, n]
                curved[b, j] += x
            if a >= inputs:
                for j in range(directions):
                    x = 0j
                    for n in range(count):
                        x += adjoint[d, n] * moved[a, j, n]
                        bent[a, j, n] += w[b] * bent[d, j, n] + frame[b, j] * adjoint[d, n]
                    curved[b, j] += x
                for n in range(count):
                    adjoint[a, n] += w[b] * adjoint[d, n]
        elif op < 4:
            for j in range(directions):
                for n in range(count):
                    x, y = bent[d, j, n], adjoint[d, n]
                    p, q = v[a, n], v[b, n]
                    p1, q1 = moved[a, j, n], moved[b, j, n]
                    bent[a, j, n] += x * q + y * q1
                    bent[b, j, n] += x * p + y * p1
            for n in range(count):
                y = adjoint[d, n]
                p, q = v[a, n], v[b, n]
                adjoint[a, n] += y * q
                adjoint[b, n] += y * p
        elif op == 4:
            for n in range(count):
                x = b * raised(v[a, n], b - 1)
                y = 0j
                if b > 1:
                    y = b * (b - 1) * raised(v[a, n], b - 2) * adjoint[d, n]
                for j in range(directions):
                    bent[a, j, n] += x * bent[d, j, n] + y * moved[a, j, n]
                adjoint[a, n] += x * adjoint[d, n]
        elif op < 8:
            for n in range(count):
                adjoint[a, n] += constants[b] * adjoint[d, n]
            for j in range(directions):
                for n in range(count):
                    bent[a, j, n] += constants[b] * bent[d, j, n]
        elif op < 10:
            for j in range(directions):
                x = 0j
                for n in range(count):
                    x += bent[d, j, n]
                curved[b, j] += x
        elif op == 12:
            for n in range(count):
                x = v[d, n] * v[d, n]
                y = 2 * x * v[d, n] * adjoint[d, n]
                for j in range(directions):
                    bent[a, j, n] += y * moved[a, j, n] - x * bent[d, j, n]
                adjoint[a, n] -= x * adjoint[d, n]


@inner
def load(points, v):
    """The points into the input registers, and zero into the one after them."""
    v[points.shape[0]] = 0
    for a in range(points.shape[0]):
        for n in range(points.shape[1]):
            v[a, n] = points[a, n]


@inner
def times(x, y, z):
    """``z[i, j] = Σ x[i, c] y[j, c]``."""
    for i in range(x.shape[0]):
        for j in range(y.shape[0]):
            total = 0j
            for c in range(x.shape[1]):
                total += x[i, c] * y[j, c]
            z[i, j] = total


@inner
def span(rows, frame):
    """Orthonormal basis of the span of the conjugate rows, by Gram–Schmidt twice; ``rows`` is overwritten."""
    k, size = rows.shape
    for i in range(k):
        for _ in range(2):
            for j in range(i):
                x = 0j
                for b in range(size):
                    x += rows[j, b].conjugate() * rows[i, b]
                for b in range(size):
                    rows[i, b] -= x * rows[j, b]
        norm = 0.0
        for b in range(size):
            norm += rows[i, b].real ** 2 + rows[i, b].imag ** 2
        norm = 1.0 / (np.sqrt(norm) + 1e-300)
        for b in range(size):
            rows[i, b] *= norm
    for i in range(k):
        for b in range(size):
            frame[b, i] = rows[i, b].conjugate()


@inner
def norm(w):
    """Euclidean length."""
    total = 0.0
    for b in range(w.shape[0]):
        total += w[b].real ** 2 + w[b].imag ** 2
    return np.sqrt(total)


@inner
def solve(matrix, right):
    """Gaussian elimination with row pivots, in place; False where the matrix is singular."""
    k = right.shape[0]
    for c in range(k):
        best, at = -1.0, c
        for i in range(c, k):
            x = abs(matrix[i, c].real) + abs(matrix[i, c].imag)
            if x > best:
                best, at = x, i
        if not best > 1e-280:
            return False
        if at != c:
            for j in range(c, k):
                matrix[c, j], matrix[at, j] = matrix[at, j], matrix[c, j]
            right[c], right[at] = right[at], right[c]
        pivot = 1.0 / matrix[c, c]
        for i in range(c + 1, k):
            x = matrix[i, c] * pivot
            if x != 0:
                for j in range(c + 1, k):
                    matrix[i, j] -= x * matrix[c, j]
                right[i] -= x * right[c]
    for i in range(k - 1, -1, -1):
        x = right[i]
        for j in range(i + 1, k):
            x -= matrix[i, j] * right[j]
        right[i] = x / matrix[i, i]
    return True


@inner
def system(kind, ops, constants, outputs, inputs, a, s, w, frame, fresh, p, value, matrix, work):
    """Equations and their derivative in the frame, which is chosen here if ``fresh``."""
    v, adjoint, slopes, moved, bent, curved, y, mu, rows, lines, forms = work
    count, k = v.shape[1], value.shape[0]
    forward(ops, constants, w, v)
    for o in range(outputs.shape[0]):
        for n in range(count):
            y[o * count + n] = v[outputs[o], n]
    jacobian(ops, constants, outputs, inputs, w, v, adjoint, slopes)
    if fresh or kind == 0:
        times(a, slopes, rows)
    if kind == 0:
        for i in range(k):
            x = -p[i]
            for c in range(y.shape[0]):
                x += a[i, c] * y[c]
            value[i] = x
        if fresh:
            # the rows are needed once more after the frame is made of them
            for i in range(k):
                for b in range(w.shape[0]):
                    curved[b, i] = rows[i, b]
            span(rows, frame)
            for i in range(k):
                for b in range(w.shape[0]):
                    rows[i, b] = curved[b, i]
        for i in range(k):
            for j in range(k):
                x = 0j
                for b in range(w.shape[0]):
                    x += rows[i, b] * frame[b, j]
                matrix[i, j] = x
        return
    if fresh:
        span(rows, frame)
    for c in range(y.shape[0]):
        x = -p[c]
        for i in range(y.shape[0]):
            x += s[c, i] * y[i]
        mu[c] = x
    for j in range(k):
        for c in range(y.shape[0]):
            lines[j, c] = 0
        for b in range(w.shape[0]):
            x = frame[b, j]
            for c in range(y.shape[0]):
                lines[j, c] += x * slopes[b, c]
    times(lines, s, forms)
    times(forms, lines, matrix)
    curvature(ops, constants, outputs, inputs, w, v, mu, frame, adjoint, moved, bent, curved)
    for i in range(k):
        x = 0j
        for c in range(y.shape[0]):
            x += lines[i, c] * mu[c]
        value[i] = x
        for j in range(k):
            x = 0j
            for b in range(w.shape[0]):
                x += frame[b, i] * curved[b, j]
            matrix[i, j] += x


@inner
def workspace(kind, registers, count, parameters, m, k):
    """The arrays that `system` works in."""
    second = k if kind == 1 else 0
    return (
        np.zeros((registers, count), np.complex128),
        np.zeros((registers, count), np.complex128),
        np.zeros((parameters, m), np.complex128),
        np.zeros((registers, second, count), np.complex128),
        np.zeros((registers, second, count), np.complex128),
        np.zeros((parameters, k), np.complex128),
        np.zeros(m, np.complex128),
        np.zeros(m, np.complex128),
        np.zeros((k, parameters), np.complex128),
        np.zeros((k, m), np.complex128),
        np.zeros((k, m), np.complex128),
    )
