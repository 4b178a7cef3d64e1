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

from polygeom.ideal.counting.paths.derivatives import forward, load, norm, solve, system, workspace
from polygeom.modular._jit import entry, inner

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
    work = workspace(kind, registers, points.shape[1], parameters, m, k)
    load(points, work[0])
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
            system(kind, ops, constants, outputs, inputs, a, s, at, frame, fresh, p, value, matrix, work)
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
            regular = solve(matrix, value)
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
                size = norm(value) / (norm(at) + 1e-300)
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
    work = workspace(kind, registers, points.shape[1], parameters, m, k)
    load(points, work[0])
    values, matrices = np.zeros((batch, k), np.complex128), np.zeros((batch, k, k), np.complex128)
    images, slopes = np.zeros((batch, m), np.complex128), np.zeros((batch, parameters, m), np.complex128)
    for i in range(batch):
        system(kind, ops, constants, outputs, inputs, a, s, w[i], frames[i], fresh, p[i], values[i], matrices[i], work)
        images[i] = work[6]
        slopes[i] = work[2]
    return values, matrices, images, slopes


@entry("c16[:,::1](i8[:,::1], c16[::1], i8[::1], i8, c16[:,::1], c16[:,::1])")
def values_of(ops, constants, outputs, registers, points, w):
    """Outputs ``(B, m)`` at ``B`` weights."""
    count = points.shape[1]
    v = np.zeros((registers, count), np.complex128)
    load(points, v)
    images = np.zeros((w.shape[0], outputs.shape[0] * count), np.complex128)
    for i in range(w.shape[0]):
        forward(ops, constants, w[i], v)
        for o in range(outputs.shape[0]):
            for n in range(count):
                images[i, o * count + n] = v[outputs[o], n]
    return images
