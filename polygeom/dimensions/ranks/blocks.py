"""The rank of the Jacobian of a multilayer perceptron at given weights, with the block structure used.

Rows are (output, point), columns are weights. At weights where a hidden neuron influences one output only, its
incoming weights meet that output's rows only. So for each output ``o`` the matrix has *private* columns (the last
layer's row ``o``, and incoming weights of neurons that reach ``o`` alone) and *shared* ones. Private columns are
eliminated output by output; what is left of the shared ones in all outputs' remaining rows is one smaller matrix.
Cost: with c private columns and C shared, Σ_o (2/3) c³ + 2 c² C, then (2/3) C³ floating-point operations; memory 8·(m
(N - c) C + N (c + C)) bytes.

One incoming weight of each hidden neuron is left out (the scaling of the neuron makes its column redundant, by Euler's
relation ``Σ_j w_ij ∂F/∂w_ij = r Σ_k w'_ki ∂F/∂w'_ki``), and columns are not multiplied by r, a unit mod p and in ℚ.
This is the private fast path of `polygeom.dimensions.ranks.tangent`, which computes the same rank plainly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.dimensions.counts import Degrees, Widths, output_degree, parameter_count
from polygeom.dimensions.ranks.budget import require_memory
from polygeom.dimensions.ranks.witness import Rank, structured_weights
from polygeom.modular import PrimeField, eliminate_columns_stable, rank_stable
from polygeom.network.limits import capped_monomials

Array = np.ndarray

TAIL = 3
"""Points that are evaluated but may not be pivots: they show whether more points would raise the rank."""


@dataclass(frozen=True, slots=True)
class Group:
    """Hidden neurons of one layer whose columns stand together, and the incoming weight that is left out of each."""

    layer: int
    neurons: slice | list[int]
    dropped: int


@dataclass(frozen=True, slots=True)
class Partition:
    """Private groups of each output and the shared groups."""

    private: list[list[Group]]
    shared: list[Group]


def structured_partition(widths: Sequence[int]) -> Partition:
    """The partition at structured weights: neuron ``o`` of the last hidden layer belongs to output ``o``."""
    depth, outputs = len(widths) - 1, widths[-1]
    shared = [Group(layer, slice(0, widths[layer]), 0) for layer in range(1, depth - 1)]
    if widths[depth - 1] > outputs:
        shared.append(Group(depth - 1, slice(outputs, widths[depth - 1]), 0))
    return Partition([[Group(depth - 1, slice(o, o + 1), 0)] for o in range(outputs)], shared)


def sparse_partition(weights: Sequence[Array]) -> Partition:
    """The partition at arbitrary weights: each neuron's reach is the set of outputs joined to it by nonzero weights."""
    outputs = len(weights[-1])
    reach = [1 << o for o in range(outputs)]
    members: dict[tuple[int, int, int], list[int]] = {}
    for layer in range(len(weights) - 1, 0, -1):
        nonzero = weights[layer] != 0
        reach = [_union(reach[j] for j in np.flatnonzero(nonzero[:, i])) for i in range(nonzero.shape[1])]
        dropped = np.argmax(weights[layer - 1] != 0, axis=1)
        for neuron, outs in enumerate(reach):
            if outs:
                owner = -1 if outs & (outs - 1) else outs.bit_length() - 1
                members.setdefault((owner, layer, int(dropped[neuron])), []).append(neuron)
    private: list[list[Group]] = [[] for _ in range(outputs)]
    shared: list[Group] = []
    for (owner, layer, dropped_weight), neurons in members.items():
        (shared if owner < 0 else private[owner]).append(Group(layer, neurons, dropped_weight))
    return Partition(private, shared)


def _union(sets: Iterable[int]) -> int:
    return reduce(or_, sets, 0)


class _Features:
    """Activations and slopes ``z^(r-1)`` of every layer at all points; derivatives of one output at a time."""

    def __init__(self, weights: Sequence[Array], degrees: Degrees, points: Array, field: PrimeField) -> None:
        self.weights, self.field = weights, field
        self.activations, self.slopes = [points], [np.empty(0)]
        for w, r in zip(weights, degrees, strict=False):
            z = field.matmul(self.activations[-1], np.ascontiguousarray(w.T))
            slope = z if r == 2 else field.power(z, r - 1)
            self.slopes.append(slope)
            self.activations.append(field.multiply(slope, z) if r > 1 else z)
        self._ordered: dict[tuple[int, int], Array] = {}

    def into(self, layer: int, first: int) -> Array:
        """Inputs of a layer at all points, column ``first`` moved to the front."""
        x = self.activations[layer - 1]
        if first == 0:
            return x
        if (layer, first) not in self._ordered:
            columns = (x[:, first : first + 1], x[:, :first], x[:, first + 1 :])
            self._ordered[layer, first] = np.concatenate(columns, axis=1)
        return self._ordered[layer, first]

    def backward(self, output: int, lowest: int) -> dict[int, Array]:
        """Derivative of one output by the pre-activations of the layers from the last hidden one down to ``lowest``."""
        layer = len(self.weights) - 1
        delta = self.field.multiply(self.slopes[layer], self.weights[layer][output])
        deltas = {layer: delta}
        while layer > lowest:
            layer -= 1
            delta = self.field.multiply(self.field.matmul(delta, self.weights[layer]), self.slopes[layer])
            deltas[layer] = delta
        return deltas


def _columns(groups: Sequence[Group], widths: Widths) -> int:
    return sum((widths[g.layer - 1] - 1) * _size(g) for g in groups)


def _size(group: Group) -> int:
    return group.neurons.stop - group.neurons.start if isinstance(group.neurons, slice) else len(group.neurons)


def _feature_columns(widths: Widths, partition: Partition) -> int:
    """Columns that `_Features` keeps for each point: inputs, slopes and derivatives, and inputs in another order."""
    moved = {(g.layer, g.dropped) for groups in (*partition.private, partition.shared) for g in groups if g.dropped}
    return 3 * sum(widths) + sum(widths[layer - 1] for layer, _ in moved)


def _points_needed(widths: Widths, degrees: Degrees, private: Sequence[int], shared: int, target: int) -> int:
    """Points that suffice generically: every output has rows for its private columns and a share of the others."""
    outputs = widths[-1]
    most = max(private) + target
    forms = capped_monomials(widths[0], output_degree(degrees), most)
    own = [min(c, forms) for c in private]
    rest = max(0, min(shared, target - sum(own)))
    return min(max(*own, -(-(sum(own) + rest) // outputs)), forms) if outputs > 1 else min(own[0] + rest, forms)


class _Rows:
    """Rows gathered from several blocks in one array, made as large as they are expected to need."""

    def __init__(self, rows: int, columns: int) -> None:
        self.size, self._shape, self._used = rows * columns, (rows, columns), 0
        self._rows = np.empty((0, columns))

    @property
    def array(self) -> Array:
        """The rows so far."""
        return self._rows[: self._used]

    def append(self, *blocks: Array) -> int:
        """Copy rows to the end; returns how many there are then."""
        for block in blocks:
            end = self._used + len(block)
            if end > len(self._rows):
                room = np.empty((max(end, self._shape[0]), self._shape[1]))
                room[: self._used] = self.array
                self._rows = room
            self._rows[self._used : end] = block
            self._used = end
        return self._used


def block_rank(
    widths: Widths,
    degrees: Degrees,
    weights: Sequence[Array],
    partition: Partition,
    field: PrimeField,
    rng: np.random.Generator,
    target: int,
    *,
    extra: int = 0,
    memory: int | None = None,
) -> Rank:
    """Rank of the Jacobian at ``weights`` at random points.

    Parameters
    ----------
    widths, degrees:
        The architecture, with ``d_L ≤ d_{L-1}`` and at least one hidden layer.
    weights:
        Residue arrays ``(d_l, d_{l-1})``.
    partition:
        As from `structured_partition` or `sparse_partition` of these weights.
    target:
        A proved upper bound for the rank; it sizes the number of points and lets the elimination stop.
    extra:
        More points than suffice generically.
    memory:
        Bytes that may be allocated.

    Returns
    -------
    The rank, which is a lower bound for the dimension; it is exact for these weights if ``stable`` (probably, see
    `polygeom.dimensions.ranks.confidence`).
    """
    outputs = widths[-1]
    private = [widths[-2] + _columns(groups, widths) for groups in partition.private]
    shared = _columns(partition.shared, widths)
    count = _points_needed(widths, degrees, private, shared, target) + extra
    rest = _Rows(sum(max(0, count - c) for c in private) + outputs * TAIL, shared)
    own = (count + TAIL) * (2 * (max(private) + shared) + _feature_columns(widths, partition))
    require_memory(memory, 8 * (own + 2 * rest.size + 2 * parameter_count(widths)))
    features = _Features(weights, degrees, field.random(rng, (count + TAIL, widths[0])), field)
    lowest = min(group.layer for groups in (*partition.private, partition.shared) for group in groups)
    total, stable = 0, True
    tails: list[Array] = []
    block = np.empty((0, 0))
    for o in range(outputs):
        if block.shape[1] != private[o] + shared:
            block = np.empty((count + TAIL, private[o] + shared))
        _fill(block, features, (*partition.private[o], *partition.shared), features.backward(o, lowest))
        found, settled = eliminate_columns_stable(block, private[o], count, field)
        total, stable = total + found, stable and settled
        rest.append(block[found:count, private[o] :])
        tails.append(block[count:, private[o] :].copy())
    if not shared:
        return Rank(total, stable, count, outputs)
    rows = rest.append(*tails) - outputs * TAIL
    found, settled = rank_stable(rest.array, rows, field, limit=max(0, target - total) + 1, overwrite=True)
    return Rank(total + found, stable and settled, count, outputs + 1)


def _fill(block: Array, features: _Features, groups: Sequence[Group], deltas: dict[int, Array]) -> None:
    """Columns of one output at all points: the last hidden activations, then the incoming weights of each group."""
    last = features.activations[-1]
    column = last.shape[1]
    block[:, :column] = last
    for group in groups:
        delta = np.ascontiguousarray(deltas[group.layer][:, group.neurons])
        inputs = features.into(group.layer, group.dropped)
        features.field.outer_columns(delta, inputs, block, 0, column, 1)
        column += delta.shape[1] * (inputs.shape[1] - 1)


def single_block_rank(
    widths: Widths,
    degrees: Degrees,
    field: PrimeField,
    rng: np.random.Generator,
    *,
    extra: int = 0,
    memory: int | None = None,
) -> Rank:
    """One hidden layer and ``d_2 = d_1`` outputs: ``d_1`` times the rank of one output's block.

    At ``W_2 = I`` there are no shared columns, and exchanging hidden neurons together with outputs carries the generic
    block of one output to that of any other. The rank of one computed block bounds the generic one from below.
    """
    columns = widths[1] + widths[0] - 1
    count = capped_monomials(widths[0], degrees[0], columns) + extra
    require_memory(memory, 8 * ((count + TAIL) * (2 * columns + 3 * sum(widths)) + 2 * widths[1] * widths[0]))
    weight = field.random(rng, (widths[1], widths[0]))
    weight[:, 0] = 1.0
    features = _Features([weight], degrees, field.random(rng, (count + TAIL, widths[0])), field)
    block = np.empty((count + TAIL, columns))
    block[:, : widths[1]] = features.activations[1]
    slope = np.ascontiguousarray(features.slopes[1][:, :1])
    field.outer_columns(slope, features.activations[0], block, 0, widths[1], 1)
    value, stable = rank_stable(block, count, field, overwrite=True)
    return Rank(widths[1] * value, stable, count)


def feature_rank(
    widths: Widths, degrees: Degrees, field: PrimeField, rng: np.random.Generator, *, extra: int = 0
) -> Rank:
    """Rank of the last hidden layer's activations at random weights: what each output beyond its width adds."""
    weights = structured_weights(widths, field, rng)
    count = capped_monomials(widths[0], output_degree(degrees), widths[-2]) + extra
    points = field.random(rng, (count + TAIL, widths[0]))
    activations = _Features(weights, degrees, points, field).activations[-1]
    value, stable = rank_stable(activations, count, field, overwrite=True)
    return Rank(value, stable, count)
