"""Random points of a neurovariety over a prime field, as coefficients of the outputs.

The network is evaluated at fixed inputs for many random weights at once; the coefficients follow from the values by one
matrix product, with the inverse of the matrix of monomials at those inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from polygeom.engines.prime_field import PrimeFieldEngine
from polygeom.errors import PoleError, PolygeomError
from polygeom.ideal.grading.coordinates import Coordinates, multinomial
from polygeom.modular import InconsistentError, PrimeField, Residues, as_field, rank, solve

CHUNK = 256
"""Points made at a time; each chunk has a random generator of its own, so that the first points never change."""
MOST_NUMBERS = 1 << 21
"""Largest number of values (weights times inputs times outputs) evaluated at a time."""
_MOST_POLES = 64


class SampleEngine(PrimeFieldEngine):
    """The primitives with many weights at once: every value has a leading axis of samples.

    Point values have shape ``(S, N, *shape)`` and weight values ``(S, *shape)``.
    """

    def linear(self, x: Residues, w: Residues) -> Residues:
        rows = x.reshape(len(x), -1, x.shape[-1])
        y = self.field.matmul(rows, np.ascontiguousarray(w.transpose(0, 2, 1)))
        return y.reshape(*x.shape[:-1], w.shape[1])

    def bias(self, x: Residues, b: Residues) -> Residues:
        return self.field.add(x, b.reshape(len(b), *[1] * (x.ndim - 2), -1))

    def reindex(self, x: Residues, index: np.ndarray) -> Residues:
        y = super().reindex(x.reshape(-1, *x.shape[2:]), index)
        return y.reshape(*x.shape[:2], *index.shape)

    def arrange(self, w: Residues, index: np.ndarray) -> Residues:
        return super().reindex(w, index)


class Points:
    """Points of the neurovariety of a network mod p: the first ``n`` are the same however many are asked for.

    Parameters
    ----------
    coordinates:
        The coordinates of the network.
    prime:
        A prime above the degree of the outputs that divides no denominator of an activation.
    seed:
        Together with the prime it determines the points.
    """

    def __init__(self, coordinates: Coordinates, prime: int, seed: int) -> None:
        network = coordinates.network
        self.coordinates, self.seed = coordinates, seed
        self.field: PrimeField = as_field(prime)
        if prime <= network.degree:
            raise PolygeomError(f"prime must exceed the degree {network.degree} of the outputs, got {prime}")
        if any(d % prime == 0 for node in network.nodes for d in node.layer.divisors):
            raise PolygeomError(f"prime {prime} divides a degree or a denominator of {network}; use another prime")
        self._made: list[Residues] = []

    def first(self, count: int) -> Residues:
        """The divided coordinates of the first points: ``(count, coordinates + 1)``, a last column of ones."""
        while len(self._made) * CHUNK < count:
            self._made.append(self._chunk(len(self._made)))
        points = np.concatenate(self._made) if len(self._made) > 1 else self._made[0]
        self._made = [points[k : k + CHUNK] for k in range(0, len(points), CHUNK)]
        return points[:count]

    def _chunk(self, number: int) -> Residues:
        rng = np.random.default_rng([self.seed, self.field.p, number])
        for _ in range(_MOST_POLES):
            try:
                return self._drawn(rng)
            except PoleError:
                continue
        raise InconsistentError(f"denominators vanish mod {self.field.p} wherever they are tried; use a larger prime")

    def _drawn(self, rng: np.random.Generator) -> Residues:
        network, inputs = self.coordinates.network, self._inputs
        weights = {name: self.field.random(rng, (CHUNK, *shape)) for name, shape in network.parameters.items()}
        size = len(inputs) * max(map(math.prod, network.shapes))
        step = max(1, min(CHUNK, MOST_NUMBERS // size))
        engine = SampleEngine(self.field)
        rows = []
        for start in range(0, CHUNK, step):
            part = {name: w[start : start + step] for name, w in weights.items()}
            x = np.broadcast_to(inputs, (len(next(iter(part.values()))), *inputs.shape)) if part else inputs[None]
            values = network.evaluate(engine, part, np.ascontiguousarray(x))
            flat = values.reshape(*values.shape[:2], -1).transpose(0, 2, 1)
            coefficients = self.field.matmul(np.ascontiguousarray(flat), self._interpolation)
            rows.append(coefficients.reshape(len(coefficients), -1)[:, self.coordinates.selection])
        points = np.concatenate(rows)
        return np.concatenate([points, np.ones((len(points), 1))], axis=1)

    @cached_property
    def _basis(self) -> tuple[Residues, Residues]:
        """Inputs at which monomials take independent values, and the matrix from values to divided coordinates."""
        exponents = self.coordinates.monomials
        factors = list(map(multinomial, exponents))
        shape = self.coordinates.network.input_shape
        rng = np.random.default_rng([self.seed, self.field.p])
        identity = np.eye(len(exponents))
        for _ in range(20):
            x = self.field.random(rng, (len(exponents), math.prod(shape)))
            columns = [
                self._monomial(x, alpha) * self.field.scalar(c) for alpha, c in zip(exponents, factors, strict=True)
            ]
            matrix = self.field.reduce(np.stack(columns, axis=1))
            if rank(matrix, self.field) == len(exponents):
                inverse = solve(matrix, identity, self.field)
                return x.reshape(-1, *shape), np.ascontiguousarray(inverse.T)
        raise InconsistentError(f"no inputs mod {self.field.p} tell the monomials apart; use a larger prime")

    @property
    def _inputs(self) -> Residues:
        return self._basis[0]

    @property
    def _interpolation(self) -> Residues:
        return self._basis[1]

    def _monomial(self, x: Residues, exponents: Sequence[int]) -> Residues:
        value = np.ones(len(x))
        for j, e in enumerate(exponents):
            if e:
                value = self.field.multiply(value, self.field.power(np.ascontiguousarray(x[:, j]), e))
        return value
