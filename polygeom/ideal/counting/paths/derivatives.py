"""Compiled evaluation of programs with first and second derivatives.

Notation: ``P`` weights, ``R`` registers at ``N`` points, ``m = O N`` outputs (entry ``o N + n``), ``k`` equations. A
program has three instructions, see `polygeom.ideal.counting.paths.program.Program.lowered`; ``c`` are its coefficients:
the weights, then the constants. The systems are described in `polygeom.ideal.counting.paths.kernels`, into whose
functions all of this is compiled: numba's cache looks for changes in that file alone, so delete the cached kernels
after a change here.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# (numba infers types from calls)

from __future__ import annotations

import numpy as np

from polygeom.modular._jit import inner


@inner
def copy(x, y):
    """``x`` into the beginning of ``y``; assignments to slices are compiled for long."""
    for i in range(x.shape[0]):
        y[i] = x[i]


@inner
def clear(x):
    """Zeros, in an array of two axes."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] = 0


@inner
def raised(x, e):
    """``x ** e`` for an integer ``e``."""
    result = 1.0 + 0.0j
    if e < 0:
        x = 1.0 / x
        e = -e
    while e > 0:
        if e & 1:
            result = result * x
        x = x * x
        e >>= 1
    return result


@inner
def forward(ops, c, v):
    """Values of all registers, ``(R, N)``, from those of the inputs."""
    count = v.shape[1]
    for i in range(ops.shape[0]):
        op, d, a, b = ops[i, 0], ops[i, 1], ops[i, 2], ops[i, 3]
        for n in range(count):
            if op < 2:
                x = c[b] * v[a, n]
            elif op < 4:
                x = v[a, n] * v[b, n]
            else:
                x = raised(v[a, n], b)
            v[d, n] = v[d, n] + x if op & 1 else x


@inner
def backward(ops, c, inputs, v, adjoint, slopes, at):
    """Adjoints of all registers; ``slopes[b, at + n]`` takes the derivative by weight ``b`` at point ``n``."""
    count, parameters = v.shape[1], slopes.shape[0]
    for i in range(ops.shape[0] - 1, -1, -1):
        op, d, a, b = ops[i, 0], ops[i, 1], ops[i, 2], ops[i, 3]
        for n in range(count):
            x = adjoint[d, n]
            if op < 2:
                if b < parameters:
                    slopes[b, at + n] += x * v[a, n]
                if a >= inputs:
                    adjoint[a, n] += c[b] * x
            elif op < 4:
                y = v[a, n]
                adjoint[a, n] += x * v[b, n]
                adjoint[b, n] += x * y
            else:
                adjoint[a, n] += b * raised(v[a, n], b - 1) * x


@inner
def jacobian(ops, c, outputs, inputs, v, adjoint, slopes):
    """``slopes[b, o N + n]``: the derivative of output ``o`` at point ``n`` by weight ``b``; ``v`` is known."""
    count = v.shape[1]
    clear(slopes)
    for o in range(outputs.shape[0]):
        clear(adjoint)
        for n in range(count):
            adjoint[outputs[o], n] = 1
        backward(ops, c, inputs, v, adjoint, slopes, o * count)


@inner
def pulled(ops, c, outputs, inputs, v, mu, frame, adjoint, sums, value):
    """``value[j]``: the derivative of ``Σ mu y`` in direction ``j`` of the frame; ``sums`` is ``(P, N)`` workspace."""
    count = v.shape[1]
    clear(adjoint)
    clear(sums)
    for o in range(outputs.shape[0]):
        for n in range(count):
            adjoint[outputs[o], n] += mu[o * count + n]
    backward(ops, c, inputs, v, adjoint, sums, 0)
    for j in range(value.shape[0]):
        value[j] = 0
    for b in range(sums.shape[0]):
        x = 0j
        for n in range(count):
            x += sums[b, n]
        for j in range(value.shape[0]):
            value[j] += x * frame[b, j]


@inner
def along(ops, c, inputs, v, frame, moved):
    """``moved[d, j, n]``: the derivative of register ``d`` in direction ``j`` of the frame."""
    count, parameters, directions = v.shape[1], frame.shape[0], frame.shape[1]
    for i in range(ops.shape[0]):
        op, d, a, b = ops[i, 0], ops[i, 1], ops[i, 2], ops[i, 3]
        for j in range(directions):
            t = frame[b, j] if op < 2 and b < parameters else 0j
            for n in range(count):
                if op < 2:
                    x = t * v[a, n]
                    if a >= inputs:
                        x += c[b] * moved[a, j, n]
                elif op < 4:
                    x = v[a, n] * moved[b, j, n] + moved[a, j, n] * v[b, n]
                else:
                    x = b * raised(v[a, n], b - 1) * moved[a, j, n]
                moved[d, j, n] = moved[d, j, n] + x if op & 1 else x


@inner
def bend(ops, c, outputs, inputs, v, mu, frame, moved, adjoint, bent, curved):
    """``curved[b, j]``: the second derivative of ``Σ mu y`` by weight ``b`` and in direction ``j`` of the frame.

    ``moved`` and ``bent``, ``(R, k, N)``, are derivatives of registers and adjoints in the directions of the frame.
    """
    count, parameters, directions = v.shape[1], frame.shape[0], frame.shape[1]
    clear(curved)
    clear(adjoint)
    for i in range(bent.shape[0]):
        for j in range(bent.shape[1]):
            for n in range(count):
                bent[i, j, n] = 0
    for o in range(outputs.shape[0]):
        for n in range(count):
            adjoint[outputs[o], n] += mu[o * count + n]
    for i in range(ops.shape[0] - 1, -1, -1):
        op, d, a, b = ops[i, 0], ops[i, 1], ops[i, 2], ops[i, 3]
        if op < 2:
            for j in range(directions):
                t = frame[b, j] if b < parameters else 0j
                x = 0j
                for n in range(count):
                    x += bent[d, j, n] * v[a, n]
                if a >= inputs:
                    for n in range(count):
                        x += adjoint[d, n] * moved[a, j, n]
                        bent[a, j, n] += c[b] * bent[d, j, n] + t * adjoint[d, n]
                if b < parameters:
                    curved[b, j] += x
            for n in range(count):
                adjoint[a, n] += c[b] * adjoint[d, n]
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
        else:
            for n in range(count):
                x = b * raised(v[a, n], b - 1)
                y = b * (b - 1) * raised(v[a, n], b - 2) * adjoint[d, n]
                for j in range(directions):
                    bent[a, j, n] += x * bent[d, j, n] + y * moved[a, j, n]
                adjoint[a, n] += x * adjoint[d, n]


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
        for j in range(2 * i):
            x = 0j
            for b in range(size):
                x += rows[j % i, b].conjugate() * rows[i, b]
            for b in range(size):
                rows[i, b] -= x * rows[j % i, b]
        length = 1.0 / (norm(rows[i]) + 1e-300)
        for b in range(size):
            rows[i, b] *= length
            frame[b, i] = rows[i, b].conjugate()


@inner
def norm(w):
    """Euclidean length."""
    total = 0.0
    for b in range(w.shape[0]):
        total += w[b].real ** 2 + w[b].imag ** 2
    return np.sqrt(total)


@inner
def factor(matrix, order):
    """Triangular factors with row pivots, in place; False where the matrix is singular."""
    k = matrix.shape[0]
    for c in range(k):
        best, at = -1.0, c
        for i in range(c, k):
            x = abs(matrix[i, c].real) + abs(matrix[i, c].imag)
            if x > best:
                best, at = x, i
        order[c] = at
        if not best > 1e-280:
            return False
        if at != c:
            for j in range(k):
                matrix[c, j], matrix[at, j] = matrix[at, j], matrix[c, j]
        pivot = 1.0 / matrix[c, c]
        for i in range(c + 1, k):
            x = matrix[i, c] * pivot
            matrix[i, c] = x
            for j in range(c + 1, k):
                matrix[i, j] -= x * matrix[c, j]
    return True


@inner
def solve(matrix, order, right):
    """Solve with the factors, in place."""
    k = right.shape[0]
    for c in range(k):
        at = order[c]
        right[c], right[at] = right[at], right[c]
    for i in range(1, k):
        x = right[i]
        for j in range(i):
            x -= matrix[i, j] * right[j]
        right[i] = x
    for i in range(k - 1, -1, -1):
        x = right[i]
        for j in range(i + 1, k):
            x -= matrix[i, j] * right[j]
        right[i] = x / matrix[i, i]


@inner
def system(kind, ops, outputs, inputs, a, s, w, frame, order, full, p, value, matrix, work):
    """Values of the equations, and their derivatives in the frame if ``full``.

    ``order`` says whether the derivatives of the outputs are wanted (1), and the frame that they give (2).
    """
    c, y, mu, v, adjoint, slopes, sums, curved, rows, lines, forms, moved, bent = work
    count, k = v.shape[1], value.shape[0]
    for b in range(w.shape[0]):
        c[b] = w[b]
    forward(ops, c, v)
    for o in range(outputs.shape[0]):
        for n in range(count):
            y[o * count + n] = v[outputs[o], n]
    if order > 0:
        jacobian(ops, c, outputs, inputs, v, adjoint, slopes)
    if order > 1:
        times(a, slopes, rows)
        span(rows, frame)
    matrix_of_equations = a if kind == 0 else s
    for i in range(p.shape[0]):
        x = -p[i]
        for j in range(y.shape[0]):
            x += matrix_of_equations[i, j] * y[j]
        if kind == 0:
            value[i] = x
        else:
            mu[i] = x
    if full:
        along(ops, c, inputs, v, frame, moved)
        for j in range(k):
            for o in range(outputs.shape[0]):
                for n in range(count):
                    lines[j, o * count + n] = moved[outputs[o], j, n]
        if kind == 0:
            times(a, lines, matrix)
        else:
            times(lines, s, forms)
            times(forms, lines, matrix)
            bend(ops, c, outputs, inputs, v, mu, frame, moved, adjoint, bent, curved)
            for b in range(w.shape[0]):
                for i in range(k):
                    for j in range(k):
                        matrix[i, j] += frame[b, i] * curved[b, j]
    if kind == 1:
        pulled(ops, c, outputs, inputs, v, mu, frame, adjoint, sums, value)
