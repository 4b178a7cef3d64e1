"""Polynomial vector fields on the weights along which no function changes: found modulo a prime, proved by expansion.

A field ``v`` of low degree with ``dF(w) v(w) = 0`` for all w is tangent to every fibre. Ansatz spaces are small because
the torus of scalings grades them: a field falls apart into fields of one weight, ``m ∂_k`` having the weight of the
monomial m less that of ``w_k``. In every weight the linear equations at random weights are solved modulo a prime, the
solutions are lifted to the rationals, and those that are needed are proved: ``Σ_k v_k ∂F/∂w_k`` is expanded over the
rationals and is zero. A field is a tuple of terms ``(k, a, b, m)``: the component of weight k has the term ``a/b``
times the product of the weights whose numbers are in m.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from polygeom.dimensions.bounds.bound import Field
from polygeom.dimensions.bounds.expansion import expand
from polygeom.dimensions.ranks.tangent import jacobian, random_weights
from polygeom.errors import PolygeomError
from polygeom.modular import PrimeField
from polygeom.network import Network
from polygeom.symmetry.exponents import ScalingEngine

MOST_WEIGHTS = 36
MOST_DEGREE = 2
MOST_UNKNOWNS = 1500
"""Largest ansatz space of one weight."""
PRIME = 4194301


def fields(network: Network, rank: int) -> tuple[Field, ...]:
    """Proved fields of degree up to 2, independent at a point; as many as ``parameters - rank`` where they are found.

    Empty where fewer are found than the gauge has, or where the network is too large.
    """
    count = network.parameter_count
    if not 0 < count <= MOST_WEIGHTS or rank >= count:
        return ()
    try:
        chosen = list(itertools.islice(_independent(network, rank), count - rank))
        return tuple(chosen) if len(chosen) > network.gauge and _proved(network, chosen) else ()
    except PolygeomError:
        return ()


class _Samples:
    """Random weights with the row space of the Jacobian at each, modulo the prime."""

    def __init__(self, network: Network, rank: int) -> None:
        self._network, self._rank = network, rank
        self._field, self._rng = PrimeField(PRIME), np.random.default_rng(11)
        self._known: list[tuple[np.ndarray, np.ndarray]] = []

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        while len(self._known) <= number:
            network, field = self._network, self._field
            weights = random_weights(network, field, self._rng)
            count = network.parameter_count // network.output_dimension + 4
            points = field.random(self._rng, (count, *network.input_shape))
            rows = jacobian(network, field, weights, points).reshape(-1, network.parameter_count)
            mixed = field.matmul(field.random(self._rng, (self._rank, len(rows))), rows)
            flat = np.concatenate([field.decode(w).ravel() for w in weights.values()]) % PRIME
            self._known.append((flat.astype(np.int64), np.asarray(field.decode(mixed), dtype=np.int64) % PRIME))
        return self._known[number]


def _ansatz(network: Network) -> list[list[tuple[int, tuple[int, ...]]]]:
    """The terms ``m ∂_k`` by their weights under scalings, small spaces first."""
    columns = _gradings(network)
    groups: dict[tuple[Fraction | int, ...], list[tuple[int, tuple[int, ...]]]] = defaultdict(list)
    for degree in range(MOST_DEGREE + 1):
        for m in itertools.combinations_with_replacement(range(network.parameter_count), degree):
            total = [sum(es) for es in zip(*(columns[i] for i in m), strict=True)] if m else [0] * len(columns[0])
            for k, column in enumerate(columns):
                groups[tuple(a - b for a, b in zip(total, column, strict=True))].append((k, m))
    return sorted((g for g in groups.values() if len(g) <= MOST_UNKNOWNS), key=len)


def _gradings(network: Network) -> list[tuple[Fraction | int, ...]]:
    """For every weight its exponents under all scalings of weights that scale inputs and outputs.

    They carry functions to functions, linearly, and so fields along which no function changes to such fields.
    """
    engine, points = ScalingEngine(), np.empty((1, *network.input_shape), dtype=object)
    for position in np.ndindex(points.shape):
        points[position] = engine.unknown()
    network.evaluate(engine, network.weight_numbers, points)
    forms = [engine.system.reduce(engine.exponents.get(k, {})) for k in range(network.parameter_count)]
    unknowns = sorted({i for form in forms for i in form})
    return [tuple(form.get(i, 0) for i in unknowns) for form in forms]


def _independent(network: Network, rank: int) -> Iterator[Field]:
    """Candidates, each independent of those before it at a random point."""
    import flint

    samples, found = _Samples(network, rank), list[list[int]]()
    place, _ = samples[0]
    for unknowns in _ansatz(network):
        for field in _solutions(unknowns, samples, rank):
            row = _value(field, place, network.parameter_count)
            table = flint.nmod_mat(
                len(found) + 1, network.parameter_count, [c for r in [*found, row] for c in r], PRIME
            )
            if table.rank() > len(found):
                found.append(row)
                yield field


def _solutions(unknowns: list[tuple[int, tuple[int, ...]]], samples: _Samples, rank: int) -> Iterator[Field]:
    import flint

    size, number, before = len(unknowns), 0, -1
    blocks: list[np.ndarray] = []
    while True:
        for _ in range(-(-(size + 6) // max(1, rank)) + 1):  # more, as a sample may give few equations for these terms
            number += 1
            w, rows = samples[number]
            values = np.ones(size, dtype=np.int64)
            for j, (_, m) in enumerate(unknowns):
                for i in m:
                    values[j] = values[j] * int(w[i]) % PRIME
            blocks.append(rows[:, [k for k, _ in unknowns]] * values % PRIME)
        table = np.concatenate(blocks)
        kernel, nullity = flint.nmod_mat(len(table), size, table.ravel().tolist(), PRIME).nullspace()
        if not nullity:
            return
        if nullity == before:
            break
        before = nullity
    basis = [int(kernel[i, j]) for j in range(nullity) for i in range(size)]
    reduced = flint.nmod_mat(nullity, size, basis, PRIME).rref()[0]
    for r in range(nullity):
        entries = [(j, as_fraction(int(reduced[r, j]))) for j in range(size) if int(reduced[r, j])]
        if all(c is not None for _, c in entries):
            yield tuple(
                (unknowns[j][0], c.numerator, c.denominator, unknowns[j][1]) for j, c in entries if c is not None
            )


def as_fraction(residue: int) -> Fraction | None:
    """The fraction with numerator and denominator up to 1000 that reduces to a residue."""
    for denominator in range(1, 13):
        numerator = residue * denominator % PRIME
        numerator -= PRIME if numerator > PRIME // 2 else 0
        if abs(numerator) <= 1000:
            return Fraction(numerator, denominator)
    return None


def _value(field: Field, w: np.ndarray, count: int) -> list[int]:
    row = [0] * count
    for k, a, b, m in field:
        row[k] = (row[k] + a * pow(b, -1, PRIME) * math.prod(int(w[i]) for i in m)) % PRIME
    return row


def _proved(network: Network, chosen: list[Field]) -> bool:
    """Whether ``Σ_k v_k ∂F/∂w_k`` is the zero polynomial for every field and output."""
    import flint

    ring, w, outputs = expand(network)
    for output in outputs:
        slopes = [output.derivative(network.input_dimension + k) for k in range(network.parameter_count)]
        for field in chosen:
            total = ring.constant(0)
            for k, a, b, m in field:
                monomial = ring.constant(flint.fmpq(a, b))
                for i in m:
                    monomial = monomial * w[i]
                total = total + monomial * slopes[k]
            if len(total):
                return False
    return True
