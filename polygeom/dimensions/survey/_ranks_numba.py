"""Ranks of the Jacobians of many small perceptrons at structured weights, compiled, without Python for any of them.

The twin of `polygeom.dimensions.compute.perceptron_trial` at trial 0: the same prime, the same weights and points,
drawn from the same stream, so that it finds the same ranks; `polygeom.dimensions.ranks.blocks` says which columns are
private and shared. Points that only judge stability are drawn and not evaluated.

Matrices are stored transposed, a row for each weight and the points along it: every inner loop runs over points.
Elimination takes the rows one by one: row c is reduced, a nonzero entry of it is moved to the last column that is left,
and a multiple of the row is subtracted from every row below, which makes that column zero: it is left out from then on.

Overflow bound: a row receives one product of reduced numbers for each pivot and is reduced when its turn comes, so it
holds at most 1 + k products, k H² + 2H ≤ 2^53 for k pivots, with H = (p+3)/2: k ≤ 2047 for p < 2^22
(``PrimeField.max_products``); `MOST_COLUMNS` is below. Sums over neurons are shorter. Cost of a network with c private
and C shared columns, N points, m outputs: about ``Σ_m N c (c + 2C) + m (N - c) C²`` multiplications, half of them
saved by the columns that fall away; memory ``8 (c + C) N + 8 C m (N - c)`` bytes, within the second-level cache.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from polygeom.dimensions.survey._bounds_numba import capped
from polygeom.modular._elimination_numba import inverse_of
from polygeom.modular._jit import entry, inner

MOST_COLUMNS = 2000
"""Weights of a network, so that no entry collects more than 2047 products."""


@inner
def _eliminate(a, pivots, rows, columns, goal, p):
    """Use the first ``pivots`` rows of a[:rows, :columns]; the rank found, at most ``goal``.

    What is left of the other rows stands, not reduced, in their first ``columns - rank`` columns.
    """
    inverse = 1.0 / p
    found, left = 0, columns
    for c in range(pivots):
        if left == 0 or found == goal:
            break
        line = a[c]
        place = -1
        for k in range(left):
            x = line[k] - p * np.rint(line[k] * inverse)
            line[k] = x
            if x != 0.0:
                place = k
        if place < 0:
            continue
        left -= 1
        scale = inverse_of(line[place], p)
        line[place] = line[left]
        for k in range(left):
            x = line[k] * scale
            line[k] = x - p * np.rint(x * inverse)
        for i in range(c + 1, rows):
            other = a[i]
            x = other[place]
            factor = x - p * np.rint(x * inverse)
            other[place] = other[left]
            if factor != 0.0:
                for k in range(left):
                    other[k] -= factor * line[k]
        found += 1
    return found


@inner
def _weights(stream, start, w, count, outputs, weights):
    """The structured weights of each layer into ``weights[layer, neuron, input]``; where the stream goes on."""
    at = start
    for layer in range(1, count):
        for j in range(w[layer]):
            for i in range(w[layer - 1]):
                weights[layer, j, i] = stream[at] if i > 0 else 1.0
                at += 1
    last = count - 1
    for j in range(w[last]):
        for i in range(outputs):
            weights[last, j, i] = 1.0 if i == j else 0.0
    return at


@inner
def _forward(stream, start, w, r, hidden, points, weights, act, slope, p):
    """Activations and slopes z^(r-1) of the inputs and the hidden layers at the points."""
    inverse = 1.0 / p
    n = w[0]
    for k in range(points):
        for i in range(n):
            act[0, i, k] = stream[start + k * n + i]
    for layer in range(1, hidden + 1):
        for j in range(w[layer]):
            z, d, x = act[layer, j], slope[layer, j], act[layer - 1]
            for k in range(points):
                z[k] = 0.0
            for i in range(w[layer - 1]):
                factor = weights[layer, j, i]
                line = x[i]
                for k in range(points):
                    z[k] += factor * line[k]
            for k in range(points):
                y = z[k] - p * np.rint(z[k] * inverse)
                z[k] = y
                d[k] = y
            bit = 1
            while 2 * bit <= r - 1:
                bit *= 2
            while bit > 1:  # the bits of r - 1 from the second on
                bit //= 2
                for k in range(points):
                    y = d[k] * d[k]
                    d[k] = y - p * np.rint(y * inverse)
                if (r - 1) & bit:
                    for k in range(points):
                        y = d[k] * z[k]
                        d[k] = y - p * np.rint(y * inverse)
            for k in range(points):
                y = d[k] * z[k]
                z[k] = y - p * np.rint(y * inverse)


@inner
def _backward(w, hidden, output, points, weights, slope, delta, p):
    """Derivatives of one output by the pre-activations of every hidden layer."""
    inverse = 1.0 / p
    for layer in range(hidden, 0, -1):
        for j in range(w[layer]):
            y, d = delta[layer, j], slope[layer, j]
            if layer == hidden:
                factor = weights[layer + 1, output, j]
                for k in range(points):
                    x = factor * d[k]
                    y[k] = x - p * np.rint(x * inverse)
            else:
                for k in range(points):
                    y[k] = 0.0
                for i in range(w[layer + 1]):
                    factor = weights[layer + 1, i, j]
                    line = delta[layer + 1, i]
                    for k in range(points):
                        y[k] += factor * line[k]
                for k in range(points):
                    x = y[k] - p * np.rint(y[k] * inverse)
                    x *= d[k]
                    y[k] = x - p * np.rint(x * inverse)


@inner
def _columns(a, row, delta, act, n, points, p):
    """The weights of one neuron but the first: its derivative times its inputs; the next free row."""
    inverse = 1.0 / p
    for i in range(1, n):
        line, x = a[row], act[i]
        for k in range(points):
            y = delta[k] * x[k]
            line[k] = y - p * np.rint(y * inverse)
        row += 1
    return row


@inner
def _sizes(w, hidden):
    """Private and shared columns of a core."""
    outputs, last = w[hidden + 1], w[hidden]
    shared = (last - outputs) * (w[hidden - 1] - 1)
    for layer in range(1, hidden):
        shared += (w[layer - 1] - 1) * w[layer]
    return last + w[hidden - 1] - 1, shared


@inner
def _degree(r, hidden):
    """min(r^hidden, 2^30)."""
    degree = 1
    for _ in range(hidden):
        degree = min(degree * r, 1 << 30)
    return degree


@inner
def _points(w, r, hidden, target):
    """How many points suffice generically, as `polygeom.dimensions.ranks.blocks` counts them."""
    outputs = w[hidden + 1]
    degree = _degree(r, hidden)
    if hidden == 1 and outputs == w[1]:
        return capped(w[0], degree, w[1] + w[0] - 1)
    private, shared = _sizes(w, hidden)
    forms = capped(w[0], degree, private + target)
    own = min(private, forms)
    rest = max(0, min(shared, target - outputs * own))
    if outputs == 1:
        return min(own + rest, forms)
    return min(max(own, -(-(outputs * own + rest) // outputs)), forms)


@inner
def _fill(a, output, w, hidden, outputs, delta, act, points, p):
    """The columns of one output: last activations, its own neuron, then the shared neurons; how many there are."""
    last = w[hidden]
    for j in range(last):
        line, x = a[j], act[hidden, j]
        for k in range(points):
            line[k] = x[k]
    row = last
    for layer in range(hidden + 1):  # 0 stands for the output's own neuron
        at = layer if layer > 0 else hidden
        first = output if layer == 0 else outputs if layer == hidden else 0
        stop = output + 1 if layer == 0 else w[layer]
        for j in range(first, stop):
            row = _columns(a, row, delta[at, j], act[at - 1], w[at - 1], points, p)
    return row


@inner
def _rank(stream, start, w, r, hidden, points, goal, kind, weights, act, slope, delta, a, rest, p):
    """The rank of a core, and the place where the stream goes on after its weights.

    ``kind`` 0 asks for all outputs at structured weights, 1 for one of as many outputs as hidden neurons, 2 for the
    last activations alone.
    """
    outputs = w[hidden + 1]
    at = _weights(stream, start, w, hidden + 2, outputs, weights)
    if kind == 1:
        at = start + w[1] * w[0]  # the last matrix is the identity and is not drawn
    _forward(stream, at, w, r, hidden, points, weights, act, slope, p)
    private, shared = _sizes(w, hidden)
    if kind == 2:
        private, shared = w[hidden], 0
    total, width = 0, 0
    blocks = outputs if kind == 0 else 1
    for o in range(blocks + 1):
        if o < blocks:
            if kind != 2:
                _backward(w, hidden, o, points, weights, slope, delta, p)
            _fill(a, o, w, hidden, outputs, delta, act, points, p)
            found = _eliminate(a, private, private + shared, points, private, p)
            left = points - found
            for c in range(shared):
                for k in range(left):
                    x = a[private + c, k]
                    rest[c, width + k] = x - p * np.rint(x / p)
            width += left
        else:
            found = _eliminate(rest, shared, shared, width, max(0, goal - total) + 1, p)
        total += found
    return w[1] * total if kind == 1 else total, at


@entry("void(int64[:, ::1], int64[::1], int64[::1], int64, int64[:, ::1])")
def plan_cores(cores, degrees, goals, extra, out):
    """For each core the points it needs, its private and shared columns, and the numbers of the stream it reads."""
    hidden = cores.shape[1] - 2
    for number in range(cores.shape[0]):
        w = cores[number]
        points = _points(w, degrees[number], hidden, goals[number]) + extra
        out[number, 0] = points
        out[number, 1], out[number, 2] = _sizes(w, hidden)
        weights = 0
        for layer in range(1, hidden + 2):
            weights += w[layer] * w[layer - 1]
        out[number, 3] = 2 * (weights + (max(points, w[hidden] + extra) + 3) * w[0])


@entry(
    "void(int64[:, ::1], int64[::1], int64[::1], boolean[::1], int64[:, ::1], float64[::1], float64, int64, int64,"
    " int64[:, ::1])"
)
def core_ranks(cores, degrees, goals, wanted, plans, stream, p, tail, extra, out):
    """Ranks of perceptrons of one depth into ``out``: rank, points, and of the features where they are wanted.

    ``cores`` have no more outputs than neurons in the last hidden layer, and no more inputs than in the first
    (`polygeom.dimensions.compute.perceptron_trial`). ``extra`` points are taken beyond those that suffice generically.
    """
    hidden = cores.shape[1] - 2
    widest, most, columns, shared, rests = 1, 1, 1, 1, 1
    for number in range(cores.shape[0]):
        w = cores[number]
        for layer in range(hidden + 2):
            widest = max(widest, w[layer])
        points, own, other = plans[number, 0], plans[number, 1], plans[number, 2]
        most = max(most, points, w[hidden] + extra)
        columns, shared = max(columns, own + other), max(shared, other)
        rests = max(rests, w[hidden + 1] * points)
    weights = np.empty((hidden + 2, widest, widest))
    act, slope = np.empty((hidden + 1, widest, most)), np.empty((hidden + 1, widest, most))
    delta = np.empty((hidden + 1, widest, most))
    a, rest = np.empty((columns, most)), np.empty((shared, rests))
    for number in range(cores.shape[0]):
        w, r, points = cores[number], degrees[number], plans[number, 0]
        start, kind = 0, 1 if hidden == 1 and w[2] == w[1] else 0
        for _ in range(2 if wanted[number] else 1):
            value, at = _rank(
                stream, start, w, r, hidden, points, goals[number], kind, weights, act, slope, delta, a, rest, p
            )
            column = 2 if kind == 2 else 0
            out[number, column], out[number, column + 1] = value, points
            start, kind = at + (points + tail) * w[0], 2
            points = capped(w[0], _degree(r, hidden), w[hidden]) + extra
