"""The grading of a network's ideal, computed from the symmetries of the network.

A scaling of the weights, the inputs and the outputs that carries the network into itself scales every coefficient of
the outputs and maps the neurovariety to itself, so its ideal is spanned by equations that are homogeneous for it. All
such scalings together form a torus: give the inputs unknown exponents ``u``, evaluate the network over exponents
(`polygeom.symmetry.exponents`) and read off the exponents ``v`` of the outputs; then ``c[i, α]`` has weight ``v_i - u ·
α``. The solutions ``(v, u)`` form a lattice, and its directions are the columns of the grading.

Where the last maps are full dense layers, the group GL(outputs) acts on the neurovariety, and where the inputs are
read by full dense layers, GL(inputs) acts. The columns of such a block are the numbers ``ν_i`` of factors from output
``i``, and the exponents ``β_j`` of input ``j``. Weights that differ by permutations within a block have isomorphic
spaces of equations: one *dominant* (decreasing) weight stands for its orbit.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from polygeom._dataclass import dataclass
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.grading.places import Places
from polygeom.network import Network
from polygeom.network.layers import Bias, Dense, Sum
from polygeom.symmetry.exponents import Form, LinearSystem, ScalingEngine

MOST_KEPT = 5000
"""Largest orbit of a weight whose permutations are kept in memory."""

Weight = tuple[int, ...]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Grading:
    """The weights of the coordinates of a network.

    Attributes
    ----------
    coordinates:
        The coordinates that are graded.
    table:
        For every coordinate its weight, nonnegative integers. If the neurovariety is not a cone, a last row stands for
        the homogenising coordinate, which is one on the neurovariety.
    outputs, inputs:
        Sizes of the leading blocks of columns on which permutations act, 0 where the group GL does not.
    cone:
        Whether scaling all outputs maps the neurovariety to itself, so that its ideal is homogeneous.

    Examples
    --------
    >>> grading = Grading.of(Coordinates("[2,3,2] r=2"))
    >>> grading.outputs, grading.inputs, grading.table[:3]
    (2, 2, ((1, 0, 2, 0), (1, 0, 1, 1), (1, 0, 0, 2)))
    """

    coordinates: Coordinates
    table: tuple[Weight, ...]
    outputs: int
    inputs: int
    cone: bool

    @classmethod
    def of(cls, coordinates: Coordinates) -> Grading:
        """The grading computed from the network."""
        network = coordinates.network
        outputs = network.output_dimension if mixes_outputs(network) else 0
        inputs = network.input_dimension if mixes_inputs(network) else 0
        directions = _directions(network)
        cone = _contains(directions, [1] * network.output_dimension + [0] * network.input_dimension)
        columns = [[int(output == i) for output, _ in coordinates.entries] for i in range(outputs)]
        columns += [[alpha[j] for _, alpha in coordinates.entries] for j in range(inputs)]
        remaining = _remaining(directions, network, outputs, inputs)
        columns += [_column(coordinates, direction, cone) for direction in remaining]
        if not cone:
            columns = [_lifted(column) for column in columns]
        rows = len(coordinates.entries) + (not cone)
        table = tuple(zip(*columns, strict=True)) if columns else ((),) * rows
        return cls(coordinates, table, outputs, inputs, cone)

    @property
    def size(self) -> int:
        """Number of coordinates, the homogenising one included."""
        return len(self.table)

    @cached_property
    def weights(self) -> Integers:
        """`table` as an array ``(size, columns)``."""
        return np.array(self.table, dtype=np.int64).reshape(self.size, -1)

    @property
    def rigid(self) -> bool:
        """Whether there are no blocks, so that every weight is dominant and its own orbit."""
        return self.outputs == self.inputs == 0

    @property
    def _blocks(self) -> list[slice]:
        ends = [0, self.outputs, self.outputs + self.inputs]
        return [slice(a, b) for a, b in itertools.pairwise(ends)]

    def dominant(self, weight: Sequence[int]) -> Weight:
        """The weight of its orbit that decreases within both blocks."""
        rest = tuple(weight[self.outputs + self.inputs :])
        return tuple(itertools.chain(*(sorted(weight[block], reverse=True) for block in self._blocks), rest))

    def orbit_size(self, weight: Sequence[int]) -> int:
        """Number of weights that permutations within the blocks make of one."""
        size = 1
        if self.rigid:
            return size
        for block in self._blocks:
            part = weight[block]
            size *= math.factorial(len(part)) // math.prod(map(math.factorial, Counter(part).values()))
        return size

    def copies(self, weight: Weight) -> Iterable[tuple[Weight, Integers]]:
        """Every weight of the orbit of a dominant one, with a permutation of the coordinates that carries it there.

        They come one by one; small orbits are kept.
        """
        if self.rigid:
            return [(weight, self._still)]
        known = self._copies.get(weight)
        if known is not None:
            return known
        if self.orbit_size(weight) > MOST_KEPT:
            return self._orbit(weight)
        self._copies[weight] = list(self._orbit(weight))
        return self._copies[weight]

    def _orbit(self, weight: Weight) -> Iterator[tuple[Weight, Integers]]:
        rest = weight[self.outputs + self.inputs :]
        outputs, inputs = self._blocks
        for first, p in _arrangements(weight[outputs]):
            for second, q in _arrangements(weight[inputs]):
                yield (*first, *second, *rest), self._permutation(p, q)

    def move(self, weight: Weight) -> tuple[Weight, Integers]:
        """The dominant weight of an orbit, and a permutation of the coordinates that carries it to ``weight``."""
        orders = [sorted(range(len(part)), key=lambda k: (-part[k], k)) for part in (weight[b] for b in self._blocks)]
        return self.dominant(weight), self._permutation(*orders)

    @cached_property
    def _still(self) -> Integers:
        return np.arange(self.size)

    @cached_property
    def _copies(self) -> dict[Weight, Sequence[tuple[Weight, Integers]]]:
        return {}

    @cached_property
    def _places(self) -> Places:
        return Places(self.coordinates)

    def _permutation(self, outputs: Sequence[int], inputs: Sequence[int]) -> Integers:
        """Where coordinates go when block entry ``k`` moves to position ``outputs[k]``, ``inputs[k]``."""
        moved = np.arange(self.size)
        found = self._places.moved(outputs if self.outputs else None, inputs if self.inputs else None)
        moved[: len(found)] = found
        return moved

    def dominant_weights(self, degree: int, kept: Sequence[int]) -> list[Weight]:
        """All dominant weights of monomials of a degree in the coordinates ``kept``, in decreasing order."""
        current: set[Weight] = {(0,) * self.weights.shape[1]}
        steps = {self.table[k] for k in kept}
        for _ in range(degree):
            current = {self.dominant([*map(sum, zip(w, step, strict=True))]) for w in current for step in steps}
        return sorted(current, reverse=True)


def _arrangements(values: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Every rearrangement of the values once, with the position to which each of them goes.

    One step for each arrangement, not for each permutation: a weight with few different entries has few arrangements.
    """
    sources: dict[int, list[int]] = {}
    for k, value in enumerate(values):
        sources.setdefault(value, []).append(k)
    moved = [0] * len(values)

    def place(position: int, left: dict[int, int]) -> Iterator[tuple[int, ...]]:
        if position == len(values):
            yield tuple(moved)
        for value, count in left.items():
            if count:
                moved[position] = value
                yield from place(position + 1, {**left, value: count - 1})

    for arrangement in place(0, {value: len(sources[value]) for value in sorted(sources)}):
        order = [0] * len(values)
        queues = {value: iter(numbers) for value, numbers in sources.items()}
        for target, value in enumerate(arrangement):
            order[next(queues[value])] = target
        yield arrangement, tuple(order)


def mixes_outputs(network: Network) -> bool:
    """Whether GL(outputs) acts: the outputs are sums of full dense layers, with or without biases, of their own.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> mixes_outputs(parse("[2,3,3] r=2")), mixes_outputs(parse("convolutional(4,kernels=[2,2],degrees=2)"))
    (True, False)
    """
    if len(network.output_shape) != 1:
        return False
    made, pending = set(), [len(network.nodes) - 1]
    while pending:
        number = pending.pop()
        layer = network.nodes[number].layer
        if number in made:
            continue
        made.add(number)
        if isinstance(layer, Bias | Sum):
            pending += network.nodes[number].inputs
        elif not isinstance(layer, Dense) or layer.pattern is not None:
            return False
    own = all(made >= _readers(network, n) for n in made)
    return own and all(made >= _sharers(network, n) for n in made)


def mixes_inputs(network: Network) -> bool:
    """Whether GL(inputs) acts: the inputs are read by full dense layers only, whose weights read nothing else."""
    readers = _readers(network, 0)
    if len(network.input_shape) != 1 or not readers:
        return False
    layers = [network.nodes[n].layer for n in readers]
    return all(isinstance(layer, Dense) and layer.pattern is None for layer in layers) and all(
        readers >= _sharers(network, n) for n in readers
    )


def _readers(network: Network, number: int) -> set[int]:
    return {n for n, node in enumerate(network.nodes) if number in node.inputs}


def _sharers(network: Network, number: int) -> set[int]:
    """Nodes that use the weights of a node, itself included."""
    shared = network.nodes[number].shares
    owner = number if shared is None else shared
    return {owner} | {n for n, node in enumerate(network.nodes) if node.shares == owner}


def _torus(network: Network) -> tuple[list[Form], list[Form], list[Form]]:
    """Exponents of outputs, inputs and weights in free unknowns: all scalings that carry the network to itself."""
    engine = ScalingEngine()
    points = np.empty((1, *network.input_shape), dtype=object)
    for position in np.ndindex(points.shape):
        points[position] = engine.unknown()
    inputs = list(points.flat)
    values = network.evaluate(engine, network.weight_numbers, points)
    outputs = [engine.unknown() if form is None else form for form in values.flat]
    weights = [
        engine.exponents[k] if k in engine.exponents else engine.unknown() for k in range(network.parameter_count)
    ]
    reduced = [[engine.system.reduce(form) for form in forms] for forms in (outputs, inputs, weights)]
    return reduced[0], reduced[1], reduced[2]


def torus_exponents(network: Network) -> list[Form]:
    """The exponent of every weight for all scalings of weights, inputs and outputs that carry the network to itself."""
    return _torus(network)[2]


def _directions(network: Network) -> list[list[Fraction]]:
    """A basis of the exponents ``(v, u)`` of outputs and inputs that scalings of the weights make up for."""
    outputs, inputs, _ = _torus(network)
    forms = [*outputs, *inputs]
    unknowns = sorted({i for form in forms for i in form})
    return _echelon([[Fraction(form.get(i, 0)) for form in forms] for i in unknowns])


def _echelon(rows: Sequence[Sequence[Fraction]]) -> list[list[Fraction]]:
    """Reduced row echelon form without zero rows."""
    import flint

    if not rows or not rows[0]:
        return []
    matrix = flint.fmpq_mat(len(rows), len(rows[0]), [flint.fmpq(c.numerator, c.denominator) for r in rows for c in r])
    reduced, rank = matrix.rref()
    return [
        [Fraction(int(c.p), int(c.q)) for c in (reduced[i, j] for j in range(reduced.ncols()))] for i in range(rank)
    ]


def _contains(directions: Sequence[Sequence[Fraction]], vector: Sequence[int]) -> bool:
    system = LinearSystem()
    for direction in directions:
        system.require({k: c for k, c in enumerate(direction) if c})
    return not system.reduce({k: c for k, c in enumerate(vector) if c})


def _remaining(
    directions: Sequence[Sequence[Fraction]], network: Network, outputs: int, inputs: int
) -> list[list[Fraction]]:
    """A basis of the directions modulo those of the blocks."""
    m = network.output_dimension
    skipped = {*range(outputs), *range(m, m + inputs)}
    return _echelon([[Fraction(0) if k in skipped else c for k, c in enumerate(row)] for row in directions])


def _column(coordinates: Coordinates, direction: Sequence[Fraction], cone: bool) -> list[int]:
    """Weights of the coordinates for one direction, as coprime integers; shifted to start at 0 on a cone."""
    m = coordinates.network.output_dimension
    u = direction[m:]
    column = [direction[i] - sum(x * a for x, a in zip(u, alpha, strict=True)) for i, alpha in coordinates.entries]
    scale = math.lcm(*(c.denominator for c in column))
    integers = [int(c * scale) for c in column]
    if cone:
        low = min(integers)
        integers = [c - low for c in integers]
    common = math.gcd(*integers) or 1
    return [c // common for c in integers]


def _lifted(column: list[int]) -> list[int]:
    """The column with the homogenising coordinate of weight zero, shifted to start at 0."""
    low = min(0, *column)
    return [*(c - low for c in column), -low]
