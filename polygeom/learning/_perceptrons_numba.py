"""Attempts at damped steps for many perceptrons at once, compiled: from weights and data to steps and new residuals.

Fits go side by side through every operation, `LANES` at a time as the last axis of all arrays, so that inner loops are
long however small the networks are, and the Jacobians of those few stay in the cache.

For each fit, with ``n = N c`` residuals, ``P`` weights and ``q = min(n, P)``: one multiplication for a weight and point
and about ``n P`` for the Jacobian, written out as in `polygeom.engines.torch_perceptron`; ``n P`` for the gradient,
``n P q / 2`` for half the normal matrix, ``q³ / 6`` for its factor, ``q² + n P`` for the step. The twin that any tensor
library can run is there and in `polygeom.learning.training.damping`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from polygeom.modular._jit import entry, inner

LANES = 32
_LIBERTIES = {"contract", "reassoc", "nsz"}
"""Sums may be taken in another order; NaN and infinity keep their meaning."""


@inner
def _forward(widths: Any, degrees: Any, biased: Any, w: Any, units: Any, slopes: Any) -> None:
    """All units at one point from its inputs, and the slopes of the activations; ``(units, lanes)``."""
    lanes = w.shape[1]
    read, write, at = 0, widths[0], 0
    for layer in range(len(degrees) + 1):
        rows, columns = widths[layer + 1], widths[layer]
        for j in range(rows):
            if biased:
                for s in range(lanes):
                    units[write + j, s] = w[at + rows * columns + j, s]
            else:
                for s in range(lanes):
                    units[write + j, s] = 0
            for k in range(columns):
                for s in range(lanes):
                    units[write + j, s] += w[at + j * columns + k, s] * units[read + k, s]
            if layer < len(degrees):
                for s in range(lanes):
                    z = units[write + j, s]
                    slopes[write + j, s] = 1
                    if degrees[layer] > 1:
                        lower = z
                        for _ in range(degrees[layer] - 2):
                            lower *= z
                        slopes[write + j, s] = degrees[layer] * lower
                        units[write + j, s] = lower * z
        at += rows * columns + (rows if biased else 0)
        read, write = write, write + rows


@inner
def _point(
    widths: Any, degrees: Any, biased: Any, places: Any, w: Any, units: Any, slopes: Any, back: Any, rows: Any
) -> None:
    """Rows of the Jacobian at one point, ``(outputs, columns, lanes)``, zero before, after `_forward`."""
    lanes, layers = w.shape[1], len(degrees) + 1
    outputs = widths[layers]
    at, read = 0, 0
    for layer in range(layers - 1):
        at += widths[layer + 1] * (widths[layer] + (1 if biased else 0))
        read += widths[layer]
    columns = widths[layers - 1]
    for o in range(outputs):
        for k in range(columns):
            place = places[at + o * columns + k]
            if place >= 0:
                for s in range(lanes):
                    rows[o, place, s] = units[read + k, s]
            for s in range(lanes):
                back[0, o, k, s] = w[at + o * columns + k, s]
        if biased:
            place = places[at + outputs * columns + o]
            if place >= 0:
                for s in range(lanes):
                    rows[o, place, s] = 1
    now = 0
    for layer in range(layers - 2, -1, -1):
        high, low = widths[layer + 1], widths[layer]
        at -= high * (low + (1 if biased else 0))
        write, read = read, read - low
        for o in range(outputs):
            for k in range(low):
                for s in range(lanes):
                    back[1 - now, o, k, s] = 0
            for j in range(high):
                for s in range(lanes):
                    back[now, o, j, s] *= slopes[write + j, s]
                for k in range(low):
                    place = places[at + j * low + k]
                    if place >= 0:
                        for s in range(lanes):
                            rows[o, place, s] = back[now, o, j, s] * units[read + k, s]
                    if layer:
                        for s in range(lanes):
                            back[1 - now, o, k, s] += back[now, o, j, s] * w[at + j * low + k, s]
                if biased:
                    place = places[at + high * low + j]
                    if place >= 0:
                        for s in range(lanes):
                            rows[o, place, s] = back[now, o, j, s]
        now = 1 - now


@inner
def _normal(terms: Any, normal: Any) -> None:
    """Half of ``T* T``, ``(size, size, lanes)``, for ``(terms, size, lanes)``; four terms at a time."""
    count, size, lanes = terms.shape
    for a in range(size):
        for b in range(a + 1):
            for s in range(lanes):
                normal[a, b, s] = 0
    for t in range(0, count - 3, 4):
        for a in range(size):
            for b in range(a + 1):
                for s in range(lanes):
                    normal[a, b, s] += (
                        np.conj(terms[t, a, s]) * terms[t, b, s]
                        + np.conj(terms[t + 1, a, s]) * terms[t + 1, b, s]
                        + np.conj(terms[t + 2, a, s]) * terms[t + 2, b, s]
                        + np.conj(terms[t + 3, a, s]) * terms[t + 3, b, s]
                    )
    for t in range(count - count % 4, count):
        for a in range(size):
            for b in range(a + 1):
                for s in range(lanes):
                    normal[a, b, s] += np.conj(terms[t, a, s]) * terms[t, b, s]


@inner
def _solved(normal: Any, damping: Any, right: Any, inverse: Any, usable: Any) -> None:
    """``(N + λ)⁻¹ right`` in place of ``right``, ``(size, lanes)``, by Cholesky; lanes where it fails are marked."""
    size, lanes = right.shape
    for i in range(size):
        for k in range(i):
            for p in range(0, k - 1, 2):
                for s in range(lanes):
                    normal[i, k, s] -= normal[i, p, s] * np.conj(normal[k, p, s]) + normal[i, p + 1, s] * np.conj(
                        normal[k, p + 1, s]
                    )
            if k % 2:
                for s in range(lanes):
                    normal[i, k, s] -= normal[i, k - 1, s] * np.conj(normal[k, k - 1, s])
            for s in range(lanes):
                normal[i, k, s] *= inverse[k, s]
            for s in range(lanes):
                part = normal[i, k, s]
                normal[i, i, s] -= part.real * part.real + part.imag * part.imag
        for s in range(lanes):
            pivot = normal[i, i, s].real + damping[s]
            if not (pivot > 0.0 and pivot < np.inf):
                usable[s] = False
                pivot = 1.0
            inverse[i, s] = 1 / np.sqrt(pivot)
    for i in range(size):
        for k in range(i):
            for s in range(lanes):
                right[i, s] -= normal[i, k, s] * right[k, s]
        for s in range(lanes):
            right[i, s] *= inverse[i, s]
    for i in range(size - 1, -1, -1):
        for s in range(lanes):
            right[i, s] *= inverse[i, s]
        for k in range(i):
            for s in range(lanes):
                right[k, s] -= np.conj(normal[i, k, s]) * right[i, s]


@inner
def _change(
    jac: Any, res: Any, gradient: Any, damping: Any, room: Any, normal: Any, inverse: Any, change: Any, usable: Any
) -> None:
    """The damped steps, ``(columns, lanes)``; zero where the equations are singular in floating point."""
    residuals, columns, lanes = jac.shape
    dual = residuals <= columns
    terms, right = jac, gradient.copy()
    if dual:
        terms, right = room, res.copy()
        for i in range(residuals):
            for p in range(columns):
                for s in range(lanes):
                    terms[p, i, s] = np.conj(jac[i, p, s])
    _normal(terms, normal)
    _solved(normal, damping, right, inverse, usable)
    for p in range(columns):
        for s in range(lanes):
            change[p, s] = 0
        for i in range(residuals if dual else 0):
            for s in range(lanes):
                change[p, s] -= terms[p, i, s] * right[i, s]
        for s in range(lanes):
            if not dual:
                change[p, s] = -right[p, s]
            if not np.isfinite(change[p, s]):
                usable[s] = False
    for p in range(columns):
        for s in range(lanes):
            if not usable[s]:
                change[p, s] = 0


def _attempts(
    widths: Any, degrees: Any, biased: Any, places: Any, weights: Any, x: Any, y: Any, relative: Any, least: float,
    most: int, steps: Any, gradients: Any, squares: Any, damping: Any, trials: Any,
) -> None:  # fmt: skip
    fits, points, inputs = x.shape
    outputs, columns = widths[-1], steps.shape[1]
    residuals, top = points * outputs, widths.sum() - outputs
    size = min(residuals, columns)
    blocks = -(-fits // most)
    lanes = -(-fits // blocks)
    w = np.empty((weights.shape[1], lanes), dtype=weights.dtype)
    units = np.empty((top + outputs, lanes), dtype=weights.dtype)
    slopes = np.empty_like(units)
    back = np.empty((2, outputs, widths.max(), lanes), dtype=weights.dtype)
    jac = np.zeros((residuals, columns, lanes), dtype=weights.dtype)
    room = np.empty((columns, residuals if residuals <= columns else 0, lanes), dtype=weights.dtype)
    res = np.empty((residuals, lanes), dtype=weights.dtype)
    gradient = np.empty((columns, lanes), dtype=weights.dtype)
    change = np.empty_like(gradient)
    normal = np.empty((size, size, lanes), dtype=weights.dtype)
    inverse, own, usable = np.empty((size, lanes)), np.empty(lanes), np.empty(lanes, dtype=np.bool_)
    for block in range(blocks):
        first = min(block * lanes, fits - lanes)  # the last block may repeat some of the one before
        gradient[:] = 0
        own[:] = 0
        usable[:] = True
        for p in range(len(w)):
            for s in range(lanes):
                w[p, s] = weights[first + s, p]
        for turn in range(2):  # before the step, and after it
            for n in range(points):
                for k in range(inputs):
                    for s in range(lanes):
                        units[k, s] = x[first + s, n, k]
                _forward(widths, degrees, biased, w, units, slopes)
                for o in range(outputs):
                    for s in range(lanes):
                        res[n * outputs + o, s] = units[top + o, s] - y[first + s, n * outputs + o]
                if turn == 0:
                    rows = jac[n * outputs : (n + 1) * outputs]
                    _point(widths, degrees, biased, places, w, units, slopes, back, rows)
            if turn == 1:
                break
            for i in range(residuals):
                for p in range(columns):
                    for s in range(lanes):
                        part = jac[i, p, s]
                        gradient[p, s] += np.conj(part) * res[i, s]
                        own[s] += part.real * part.real + part.imag * part.imag
            for s in range(lanes):
                squares[first + s] = own[s]
                own[s] = relative[first + s] * max(own[s] / size, least)
                damping[first + s] = own[s]
            _change(jac, res, gradient, own, room, normal, inverse, change, usable)
            for p in range(len(places)):
                if places[p] >= 0:
                    for s in range(lanes):
                        w[p, s] += change[places[p], s]
        for s in range(lanes):
            for p in range(columns):
                steps[first + s, p] = change[p, s]
                gradients[first + s, p] = gradient[p, s]
            for i in range(residuals):
                trials[first + s, i] = res[i, s]


@cache
def kernel(complex_numbers: bool) -> Any:
    """``attempts(widths, degrees, biased, places, weights, x, y, relative, least, lanes, steps, gradients, squares,
    damping, trials)`` for one kind of numbers; the last five are written.

    ``places`` are the columns of the weights in the steps, -1 for weights that are held; ``trials`` the residuals at
    the new weights.
    """
    kind = "complex128" if complex_numbers else "float64"
    plain = "int64[::1], int64[::1], boolean, int64[::1]"
    arrays = f"{kind}[:,::1], {kind}[:,:,::1], {kind}[:,::1], float64[::1], float64, int64"
    written = f"{kind}[:,::1], {kind}[:,::1], float64[::1], float64[::1], {kind}[:,::1]"
    return entry(f"void({plain}, {arrays}, {written})", fastmath=_LIBERTIES)(_attempts)


__all__ = ["LANES", "kernel"]
