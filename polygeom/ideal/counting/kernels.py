"""Compiled evaluation of programs with first and second derivatives, and compiled path following.

Notation: ``P`` weights, ``R`` registers at ``N`` points, ``m = O N`` outputs (entry ``o N + n``), ``k`` equations.
Two kinds of systems share the code, with a parameter ``p``:

sections (kind 0)
    ``A y(w) = p`` with ``A`` of shape ``(k, m)``, ``p`` of shape ``(k,)``.
critical points (kind 1)
    ``Tᵀ J(w)ᵀ (S y(w) - p) = 0`` with symmetric ``S`` of shape ``(m, m)``, ``p`` of shape ``(m,)``; here ``A`` only
    chooses the frame.

The frame ``T``, ``(P, k)``, is an orthonormal basis of the conjugate row space of ``A J``: the directions across the
fibre of weights with the same function. The derivative is ``A J T``, or ``Tᵀ (Jᵀ S J + Σ μ H) T`` with ``μ = S y - p``.

Parameters move along ``p(s) = start + s (end - start)``, with ``s = t / (t + γ (1 - t))``: for complex ``γ`` an arc
in the complex line through both ends, so that different ``γ`` give different paths between the same points.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# (numba infers types from calls)

from __future__ import annotations

import numpy as np

from polygeom.modular._jit import entry, inner


@inner
def _raised(x, e):
    """``x ** e`` for an integer ``e ≥ 0``."""
    result = 1.0 + 0.0j
    while e > 0:
        if e & 1:
            result = result * x
        x = x * x
        e >>= 1
    return result


@inner
def _forward(ops, constants, w, v):
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
                v[d, n] = _raised(v[a, n], b)
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
def _backward(ops, constants, inputs, w, v, adjoint, slopes, at):
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
                adjoint[a, n] += b * _raised(v[a, n], b - 1) * adjoint[d, n]
        elif op < 8:
            for n in range(count):
                adjoint[a, n] += constants[b] * adjoint[d, n]
        elif op < 10:
            for n in range(count):
                slopes[b, at + n] += adjoint[d, n]


@inner
def _jacobian(ops, constants, outputs, inputs, w, v, adjoint, slopes):
    """``slopes[b, o N + n]``: the derivative of output ``o`` at point ``n`` by weight ``b``; ``v`` is known."""
    count = v.shape[1]
    slopes[:] = 0
    for o in range(outputs.shape[0]):
        adjoint[:] = 0
        for n in range(count):
            adjoint[outputs[o], n] = 1
        _backward(ops, constants, inputs, w, v, adjoint, slopes, o * count)


@inner
def _curvature(ops, constants, outputs, inputs, w, v, mu, frame, adjoint, moved, bent, curved):
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
                x = b * _raised(v[a, n], b - 1)
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
                x = b * _raised(v[a, n], b - 1)
                y = 0j
                if b > 1:
                    y = b * (b - 1) * _raised(v[a, n], b - 2) * adjoint[d, n]
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


@inner
def _load(points, v):
    """The points into the input registers, and zero into the one after them."""
    v[points.shape[0]] = 0
    for a in range(points.shape[0]):
        for n in range(points.shape[1]):
            v[a, n] = points[a, n]


@inner
def _times(x, y, z):
    """``z[i, j] = Σ x[i, c] y[j, c]``."""
    for i in range(x.shape[0]):
        for j in range(y.shape[0]):
            total = 0j
            for c in range(x.shape[1]):
                total += x[i, c] * y[j, c]
            z[i, j] = total


@inner
def _frame(rows, frame):
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
def _size(w):
    total = 0.0
    for b in range(w.shape[0]):
        total += w[b].real ** 2 + w[b].imag ** 2
    return np.sqrt(total)


@inner
def _solve(matrix, right):
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
def _system(kind, ops, constants, outputs, inputs, a, s, w, frame, fresh, p, value, matrix, work):
    """Equations and their derivative in the frame, which is chosen here if ``fresh``."""
    v, adjoint, slopes, moved, bent, curved, y, mu, rows, lines, forms = work
    count, k = v.shape[1], value.shape[0]
    _forward(ops, constants, w, v)
    for o in range(outputs.shape[0]):
        for n in range(count):
            y[o * count + n] = v[outputs[o], n]
    _jacobian(ops, constants, outputs, inputs, w, v, adjoint, slopes)
    if fresh or kind == 0:
        _times(a, slopes, rows)
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
            _frame(rows, frame)
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
        _frame(rows, frame)
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
    _times(lines, s, forms)
    _times(forms, lines, matrix)
    _curvature(ops, constants, outputs, inputs, w, v, mu, frame, adjoint, moved, bent, curved)
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
def _workspace(kind, registers, count, parameters, m, k):
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


TANGENT, PREDICT, CORRECT, REJECT, POLISH = range(5)


@inner
def _predict(have, h, last, here, tangent, before, slope_before, frame, value, trial):
    """The cubic through the last two points with their tangents, continued; a straight line from the first point."""
    if not have:
        for b in range(here.shape[0]):
            trial[b] = here[b] + h * tangent[b]
        return
    q = h / last
    for b in range(here.shape[0]):
        chord = (here[b] - before[b]) / last
        second = 2 * tangent[b] + slope_before[b] - 3 * chord
        third = tangent[b] + slope_before[b] - 2 * chord
        trial[b] = h * (tangent[b] + q * second + q * q * third)
    # along the fibre nothing would correct the extrapolation, which is unstable there
    for i in range(value.shape[0]):
        x = 0j
        for b in range(here.shape[0]):
            x += frame[b, i].conjugate() * trial[b]
        value[i] = x
    for b in range(here.shape[0]):
        x = here[b]
        for i in range(value.shape[0]):
            x += frame[b, i] * value[i]
        trial[b] = x


@entry(
    "Tuple((c16[:,::1], f8[::1], i8[::1]))(i8, i8[:,::1], c16[::1], i8[::1], i8, i8, c16[:,::1], c16[:,::1],"
    " c16[:,::1], c16[:,::1], c16[:,::1], c16[:,::1], c16[::1], f8, f8, f8, i8)"
)
def follow(kind, ops, constants, outputs, registers, inputs, points, a, s, w, start, end, gamma, aim, far, least, most):
    """Follow ``B`` paths: end points ``(B, P)``, the ``t`` reached (1.0 at the end), and the number of steps.

    ``w``: ``(B, P)``; ``start``, ``end``: ``(B, ·)`` parameters; ``gamma``: ``(B,)``. ``aim``, ``far``: relative sizes
    of the first correction of a step that is aimed at, and at which it is repeated with half the size; ``least``: step
    at which a path is given up; ``most``: steps.
    """
    batch, parameters = w.shape
    k, m = a.shape
    work = _workspace(kind, registers, points.shape[1], parameters, m, k)
    _load(points, work[0])
    frame = np.zeros((parameters, k), np.complex128)
    value, matrix = np.zeros(k, np.complex128), np.zeros((k, k), np.complex128)
    p = np.zeros(start.shape[1], np.complex128)
    here, tangent = np.zeros(parameters, np.complex128), np.zeros(parameters, np.complex128)
    before, slope_before = np.zeros(parameters, np.complex128), np.zeros(parameters, np.complex128)
    trial = np.zeros(parameters, np.complex128)
    ends, reached = w.copy(), np.zeros(batch)
    numbers = np.zeros(batch, np.int64)
    for path in range(batch):
        here[:] = w[path]
        g = gamma[path]
        t, h, last, new = 0.0, 0.02, 0.0, 0.0
        have = False
        mode, age, correction, first = TANGENT, 0, 0, 0.0
        for _ in range(5 * most):
            if mode == CORRECT:
                at, place = trial, new / (new + g * (1.0 - new))
            else:
                at, place = here, t / (t + g * (1.0 - t))
            for c in range(p.shape[0]):
                p[c] = start[path, c] + place * (end[path, c] - start[path, c])
            fresh = mode == POLISH or (mode == TANGENT and age == 0)
            _system(kind, ops, constants, outputs, inputs, a, s, at, frame, fresh, p, value, matrix, work)
            if mode == TANGENT:
                bottom = t + g * (1.0 - t)
                speed = g / (bottom * bottom)
                if kind == 0:
                    for i in range(k):
                        value[i] = speed * (end[path, i] - start[path, i])
                else:
                    lines = work[9]
                    for i in range(k):
                        x = 0j
                        for c in range(m):
                            x += lines[i, c] * (end[path, c] - start[path, c])
                        value[i] = speed * x
            regular = _solve(matrix, value)
            if mode == TANGENT:
                if not regular:
                    break
                for b in range(parameters):
                    x = 0j
                    for j in range(k):
                        x += frame[b, j] * value[j]
                    tangent[b] = x
                age = age + 1 if age < 20 else 0
                mode = PREDICT
            elif regular:
                size = _size(value) / (_size(at) + 1e-300)
                for b in range(parameters):
                    x = 0j
                    for j in range(k):
                        x += frame[b, j] * value[j]
                    at[b] -= x
                if mode == POLISH:
                    if size < 1e-10:
                        reached[path] = t
                        if size < 1e-13 or correction > 2:
                            break
                    elif correction > 3:
                        break
                    correction += 1
                    continue
                if correction == 0:
                    first = size
                correction += 1
                if size < 1e-5:
                    before[:] = here
                    slope_before[:] = tangent
                    here[:] = trial
                    have, last, t = True, h, new
                    numbers[path] += 1
                    mode = TANGENT
                    if t >= 1.0:
                        mode, correction = POLISH, 0
                    growth = (aim / (first + 1e-300)) ** 0.25
                    h *= min(2.0, max(0.5, growth))
                    if h > 0.2:
                        h = 0.2
                elif correction == 3 or not size < far:
                    mode = REJECT
            else:
                if mode == POLISH:
                    break
                mode = REJECT
            if mode == REJECT:
                h *= 0.5
                if h < least:
                    break
                numbers[path] += 1
                if age > 1:
                    mode, age = TANGENT, 0
                else:
                    mode = PREDICT
            if mode == PREDICT:
                if h > 1.0 - t:
                    h = 1.0 - t
                new = t + h if h < 1.0 - t else 1.0
                mode, correction = CORRECT, 0
                _predict(have, h, last, here, tangent, before, slope_before, frame, value, trial)
        ends[path] = here
    return ends, reached, numbers


@entry(
    "Tuple((c16[:,::1], c16[:,:,::1], c16[:,::1], c16[:,:,::1]))(i8, i8[:,::1], c16[::1], i8[::1], i8, i8, c16[:,::1],"
    " c16[:,::1], c16[:,::1], c16[:,::1], c16[:,:,::1], b1, c16[:,::1])"
)
def linearised(kind, ops, constants, outputs, registers, inputs, points, a, s, w, frames, fresh, p):
    """At ``B`` weights: values ``(B, k)`` and derivatives ``(B, k, k)`` of the equations, outputs ``(B, m)`` and their
    derivatives ``(B, P, m)``. ``frames``, ``(B, P, k)``, are used, or filled in if ``fresh``."""
    batch, parameters = w.shape
    k, m = a.shape
    work = _workspace(kind, registers, points.shape[1], parameters, m, k)
    _load(points, work[0])
    values, matrices = np.zeros((batch, k), np.complex128), np.zeros((batch, k, k), np.complex128)
    images, slopes = np.zeros((batch, m), np.complex128), np.zeros((batch, parameters, m), np.complex128)
    for i in range(batch):
        _system(kind, ops, constants, outputs, inputs, a, s, w[i], frames[i], fresh, p[i], values[i], matrices[i], work)
        images[i] = work[6]
        slopes[i] = work[2]
    return values, matrices, images, slopes


@entry("c16[:,::1](i8[:,::1], c16[::1], i8[::1], i8, c16[:,::1], c16[:,::1])")
def values_of(ops, constants, outputs, registers, points, w):
    """Outputs ``(B, m)`` at ``B`` weights."""
    count = points.shape[1]
    v = np.zeros((registers, count), np.complex128)
    _load(points, v)
    images = np.zeros((w.shape[0], outputs.shape[0] * count), np.complex128)
    for i in range(w.shape[0]):
        _forward(ops, constants, w[i], v)
        for o in range(outputs.shape[0]):
            for n in range(count):
                images[i, o * count + n] = v[outputs[o], n]
    return images
