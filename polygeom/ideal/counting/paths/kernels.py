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

from polygeom.ideal.counting.paths.derivatives import copy, factor, forward, norm, pulled, solve, system
from polygeom.modular._jit import entry, inner

START, PREDICT, CORRECT, POLISH, FRAMES, GIVEN = range(6)
VALUES, SLOPES, FRAME = range(3)
_LASTING = 20  # steps after which a frame is chosen anew


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


@inner
def _step(frame, value, w):
    """``w`` less the combination ``value`` of the frame; the relative size of the change."""
    for b in range(w.shape[0]):
        x = 0j
        for j in range(value.shape[0]):
            x += frame[b, j] * value[j]
        w[b] -= x
    return norm(value) / (norm(w) + 1e-300)


def _workspace(kind, registers, points, constants, parameters, m, k):
    """The arrays that the equations are evaluated in, with the points and constants in their places."""
    count = points.shape[1]
    second = k if kind == 1 else 0
    shapes = [
        *((parameters + len(constants),), (m,), (m,)),
        *((registers, count), (registers, count), (parameters, m), (parameters, count), (parameters, second)),
        *((k, parameters), (k, m), (k, m)),
        *((registers, k, count), (registers, second, count)),
    ]
    work = tuple(map(_zeros, shapes))
    work[0][parameters:] = constants
    work[3][: len(points)] = points
    work[3][-1] = 1
    return work


_WORK = "Tuple((" + ", ".join(["c16[::1]"] * 3 + ["c16[:,::1]"] * 8 + ["c16[:,:,::1]"] * 2) + "))"
_SYSTEM = "i8, i8[:,::1], i8[::1], i8, c16[:,::1], c16[:,::1], " + _WORK


def follow(
    kind, ops, constants, outputs, registers, inputs, points, a, s, w, start, end, gamma, aim, far, least, most, fulls
):  # fmt: skip
    """Follow ``B`` paths: end points ``(B, P)``, the ``t`` reached (1.0 at the end), and the number of steps.

    ``w``: ``(B, P)``; ``start``, ``end``: ``(B, ·)`` parameters; ``gamma``: ``(B,)``. ``aim``, ``far``: relative sizes
    of the first correction of a step that is aimed at, and at which it is repeated with half the size; ``least``: step
    at which a path is given up; ``most``: steps; ``fulls``: corrections of a step that take derivatives. The later ones
    need values alone, and the next tangent has the derivatives of the last correction that took them.
    """
    (batch, parameters), (k, m) = w.shape, a.shape
    work = _workspace(kind, registers, points, constants, parameters, m, k)
    ends, reached, numbers = w.copy(), np.zeros(batch), np.zeros(batch, dtype=np.int64)
    none = (_zeros(shape) for shape in ((0, 0), (0, 0, 0), (0, 0), (0, 0, 0), (0, 0, 0)))
    _run(START, kind, ops, outputs, inputs, a, s, work, *_room(parameters, k, start), start, end, gamma, aim, far,
         least, most, fulls, ends, reached, numbers, *none)  # fmt: skip
    return ends, reached, numbers


def linearised(kind, ops, constants, outputs, registers, inputs, points, a, s, w, frames, fresh, p):
    """At ``B`` weights: values ``(B, k)`` and derivatives ``(B, k, k)`` of the equations, outputs ``(B, m)`` and their
    derivatives ``(B, P, m)``. ``frames``, ``(B, P, k)``, are used, or filled in if ``fresh``."""
    (batch, parameters), (k, m) = w.shape, a.shape
    work = _workspace(kind, registers, points, constants, parameters, m, k)
    reached, numbers, gamma = np.zeros(batch), np.zeros(batch, dtype=np.int64), np.ones(batch, dtype=complex)
    found = tuple(_zeros(shape) for shape in ((batch, k), (batch, k, k), (batch, m), (batch, parameters, m)))
    _run(FRAMES if fresh else GIVEN, kind, ops, outputs, inputs, a, s, work, *_room(parameters, k, p), p, p, gamma, 1.0,
         1.0, 1.0, 1, 1, w.copy(), reached, numbers, *found, frames)  # fmt: skip
    return found


def _zeros(shape):
    return np.zeros(shape, dtype=complex)


def _room(parameters, k, start):
    """Five vectors of weights, two parameters, a frame, values, their derivatives, and the order of its rows."""
    shapes = (5, parameters), (2, start.shape[1]), (parameters, k), k, (k, k)
    return *(_zeros(shape) for shape in shapes), np.zeros(k, dtype=np.int64)


@entry(
    f"void(i8, {_SYSTEM}, c16[:,::1], c16[:,::1], c16[:,::1], c16[::1], c16[:,::1], i8[::1],"
    " c16[:,::1], c16[:,::1], c16[::1], f8, f8, f8, i8, i8, c16[:,::1], f8[::1], i8[::1],"
    " c16[:,::1], c16[:,:,::1], c16[:,::1], c16[:,:,::1], c16[:,:,::1])"
)
def _run(
    job, kind, ops, outputs, inputs, a, s, work, vectors, right, frame, value, matrix, order,
    start, end, gamma, aim, far, least, most, fulls, ends, reached, numbers, values, matrices, images, slopes, frames,
):  # fmt: skip
    """See `follow` (job `START`) and `linearised`: one function, and arrays made outside, since compiling is slow."""
    parameters, k = frame.shape
    here, tangent, before, slope_before, trial = vectors[0], vectors[1], vectors[2], vectors[3], vectors[4]
    p, speed = right[0], right[1]
    for path in range(ends.shape[0]):
        copy(ends[path], here)
        copy(here, trial)
        g = gamma[path]
        t, h, last, new = 0.0, 0.02, 0.0, 0.0
        have = False
        mode, age, correction, predicted, size = job, 0, 0, 0.0, 0.0
        if job == GIVEN:
            for b in range(parameters):
                copy(frames[path, b], frame[b])
        for _ in range(8 * most):
            if mode == PREDICT:
                if h < least or numbers[path] >= most:
                    break
                new = t + h if h < 1.0 - t else 1.0
                _predict(have, new - t, last, here, tangent, before, slope_before, frame, value, trial)
                numbers[path] += 1
                age += 1
                mode, correction = CORRECT, 0
            bottom = new + g * (1.0 - new)
            for c in range(p.shape[0]):
                p[c] = start[path, c] + new / bottom * (end[path, c] - start[path, c])
            full = correction < fulls or mode == POLISH
            first = FRAME if mode != CORRECT or (correction == 0 and age >= _LASTING) else VALUES
            if mode == GIVEN:
                first = SLOPES
            if first == FRAME:
                age = 0
            system(kind, ops, outputs, inputs, a, s, trial, frame, first, full, p, value, matrix, work)
            if mode >= FRAMES:
                copy(value, values[path])
                copy(work[1], images[path])
                for b in range(parameters):
                    copy(work[5][b], slopes[path, b])
                    copy(frame[b], frames[path, b])
                for i in range(k):
                    copy(matrix[i], matrices[path, i])
                break
            regular = factor(matrix, order) if full else True
            earlier = size
            if regular:
                solve(matrix, order, value)
                size = _step(frame, value, trial)
            else:
                size = np.inf
            if mode == START and not size < far:
                break
            if mode == POLISH:
                if size < 1e-10:
                    reached[path] = 1.0
                    copy(trial, here)
                    if size < 1e-13 or correction > 2:
                        break
                elif correction > 3 or not size < far:
                    break
                correction += 1
                continue
            if mode == CORRECT:
                if correction == 0:
                    predicted = size
                if not (size < far and (correction == 0 or size < 0.3 * earlier)):
                    h = 0.5 * (new - t)
                    mode, age = PREDICT, _LASTING
                    continue
                correction += 1
                if size > 1e-5:
                    if correction == 4:
                        h = 0.5 * (new - t)
                        mode, age = PREDICT, _LASTING
                    continue
                copy(here, before)
                copy(tangent, slope_before)
                have, last, t = True, new - t, new
                h = min(0.2, last * min(2.0, max(0.5, (aim / (predicted + 1e-300)) ** 0.25)))
            copy(trial, here)
            if t >= 1.0:
                mode, correction = POLISH, 0
                continue
            for c in range(p.shape[0]):
                speed[c] = g / (bottom * bottom) * (end[path, c] - start[path, c])
            if kind == 0:
                copy(speed, value)
            else:
                pulled(ops, work[0], outputs, inputs, work[3], speed, frame, work[4], work[6], value)
            solve(matrix, order, value)
            for b in range(parameters):
                x = 0j
                for j in range(k):
                    x += frame[b, j] * value[j]
                tangent[b] = x
            mode = PREDICT
        copy(here, ends[path])


def values_of(ops, constants, outputs, registers, points, w):
    """Outputs ``(B, m)`` at ``B`` weights."""
    work = _workspace(0, registers, points, constants, w.shape[1], 0, 0)
    images = _zeros((len(w), len(outputs) * points.shape[1]))
    _values(ops, outputs, work[0], work[3], w, images)
    return images


@entry("void(i8[:,::1], i8[::1], c16[::1], c16[:,::1], c16[:,::1], c16[:,::1])")
def _values(ops, outputs, c, v, w, images):
    count = v.shape[1]
    for i in range(w.shape[0]):
        copy(w[i], c)
        forward(ops, c, v)
        for o in range(outputs.shape[0]):
            for n in range(count):
                images[i, o * count + n] = v[outputs[o], n]
