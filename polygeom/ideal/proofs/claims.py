"""What the check of equations needs: the claims as data, the coefficients as polynomials, ranks, sections."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polygeom.engines.symbolic import coefficient_map
from polygeom.errors import PolygeomError
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.network import Network, parse

Monomial = tuple[int, ...]
Weight = tuple[int, ...]

PRIME = 2147483647  # products of residues fit int64; not a prime of the search
POINTS = 10
"""Points beyond the claimed rank at which monomials are evaluated."""
MOST_PRODUCTS = 20_000_000


@dataclass(frozen=True)
class Listed:
    """An equation of a certificate: terms ``(monomial, integer)``."""

    degree: int
    weight: Weight
    terms: tuple[tuple[Monomial, int], ...]


@dataclass(frozen=True)
class Claim:
    """The fields of a certificate, checked for their form only."""

    network: Network
    dimension: Mapping[str, Any]
    entries: tuple[tuple[int, Monomial], ...]
    weights: tuple[Weight, ...]
    outputs: int
    inputs: int
    cone: bool
    exchanges: tuple[Monomial, ...]
    kept: list[int]
    equations: tuple[Listed, ...]
    restricted: bool
    degrees: dict[int, dict[Weight, tuple[int, int]]]
    completeness: str | None
    prime: int
    subspaces: tuple[tuple[tuple[int, ...], ...], ...]
    complete_to: int
    counts: dict[int, int]
    hilbert_function: list[int]
    degree: int | None
    h_vector: list[int] | None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Claim:
        """The claims of a certificate; any exception means that it is malformed."""
        network, grading, claim = parse(data["network"]), data["grading"], data["claim"]
        entries = Coordinates(network).entries
        weights = tuple(tuple(map(int, w)) for w in grading["weights"])
        cone = bool(grading["cone"])
        argument = data["completeness"] or {}
        claims = cls(
            network,
            data["dimension"],
            entries,
            weights,
            int(grading["outputs"]),
            int(grading["inputs"]),
            cone,
            tuple(tuple(map(int, e)) for e in grading["exchanges"]),
            sorted({int(k) for k in data["kept"]}),
            tuple(_listed(e) for e in data["equations"]),
            bool(data["restricted"]),
            {
                int(d["degree"]): {tuple(map(int, w)): (int(size), int(rank)) for w, size, rank in d["spaces"]}
                for d in data["degrees"]
            },
            argument.get("argument"),
            int(argument.get("prime", PRIME)),
            tuple(tuple(tuple(map(int, row)) for row in s) for s in argument.get("subspaces", ())),
            int(claim["complete_to"]),
            {int(d): int(k) for d, k in claim["counts"].items()},
            [int(h) for h in claim["hilbert_function"]],
            claim["degree"],
            claim["h_vector"],
        )
        claims.check_form(claim)
        return claims

    def check_form(self, claim: Mapping[str, Any]) -> None:
        """Raise `PolygeomError` where numbers do not fit together."""
        size = len(self.entries) + (not self.cone)
        fits = len(self.weights) == size and len({len(w) for w in self.weights}) == 1
        fits &= all(0 <= k < size for k in self.kept)
        fits &= all(len(m) == e.degree and all(0 <= k < size for k in m) for e in self.equations for m, _ in e.terms)
        fits &= claim["completeness"] == self.completeness
        fits &= self.outputs in (0, self.network.output_dimension) and self.inputs in (0, self.network.input_dimension)
        if not fits:
            raise PolygeomError("certificate: weights, equations and coordinates do not fit together; write it again")

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Columns of the weights that are permuted."""
        return [(0, self.outputs), (self.outputs, self.outputs + self.inputs)]

    def is_dominant(self, weight: Weight) -> bool:
        """Whether a weight decreases within the blocks."""
        return all(weight[k] >= weight[k + 1] for a, b in self.blocks for k in range(a, b - 1))

    def constant_on_blocks(self, weight: Weight) -> bool:
        """Whether a weight is fixed by all exchanges."""
        return all(len(set(weight[a:b])) <= 1 for a, b in self.blocks)

    def orbit_size(self, weight: Weight) -> int:
        """Number of different rearrangements of a weight within the blocks."""
        size = 1
        for a, b in self.blocks:
            size *= math.factorial(b - a)
            for times in Counter(weight[a:b]).values():
                size //= math.factorial(times)
        return size

    def moved(self, outputs: Sequence[int], inputs: Sequence[int]) -> list[int]:
        """Where coordinates go when output ``i`` becomes ``outputs[i]`` and input ``j`` becomes ``inputs[j]``."""
        number = {entry: k for k, entry in enumerate(self.entries)}
        images = []
        for i, alpha in self.entries:
            beta = [0] * len(alpha)
            for j, e in enumerate(alpha):
                beta[inputs[j]] = e
            images.append(number[outputs[i], tuple(beta)])
        return images + [len(self.entries)] * (not self.cone)


def _listed(data: Mapping[str, Any]) -> Listed:
    terms = tuple((tuple(sorted(map(int, monomial))), int(c)) for monomial, c in data["terms"])
    return Listed(int(data["degree"]), tuple(map(int, data["weight"])), terms)


def orbit(equation: Listed, claim: Claim) -> Iterator[Listed]:
    """An equation with one copy for every different weight that permutations give it."""
    m, n = claim.network.output_dimension, claim.network.input_dimension
    firsts = itertools.permutations(range(m)) if claim.outputs else [tuple(range(m))]
    seen = set()
    for outputs, inputs in itertools.product(
        list(firsts), itertools.permutations(range(n)) if claim.inputs else [tuple(range(n))]
    ):
        weight = list(equation.weight)
        for i in range(claim.outputs):
            weight[outputs[i]] = equation.weight[i]
        for j in range(claim.inputs):
            weight[claim.outputs + inputs[j]] = equation.weight[claim.outputs + j]
        if tuple(weight) not in seen:
            seen.add(tuple(weight))
            move = claim.moved(outputs, inputs)
            terms = tuple((tuple(sorted(move[k] for k in monomial)), c) for monomial, c in equation.terms)
            yield Listed(equation.degree, tuple(weight), terms)


class Coefficients:
    """The coefficients of the outputs as polynomials in all weights of the network."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        known = coefficient_map(claim.network, most_products=MOST_PRODUCTS)
        count = claim.network.parameter_count
        polynomials: list[dict[Monomial, Any]] = [dict(known[e]) if e in known else {} for e in claim.entries]
        if not claim.cone:
            polynomials.append({(0,) * count: 1})
        self.polynomials = polynomials
        self._values: dict[int, np.ndarray] = {}

    def graded(self) -> bool:
        """Whether for every column some scaling of the weights scales the coordinates as it says."""
        import flint

        claim = self.claim
        shift = (0,) * len(claim.weights[0]) if claim.cone else claim.weights[-1]
        seen: dict[Monomial, Weight] = {}
        for polynomial, weight in zip(self.polynomials, claim.weights, strict=True):
            for exponents in polynomial:
                target = tuple(a - b for a, b in zip(weight, shift, strict=True))
                if seen.setdefault(exponents, target) != target:
                    return False
        if not seen:
            return True
        rank = flint.fmpz_mat([list(e) for e in seen]).rank()
        columns = list(zip(*seen.values(), strict=True))
        columns += [(1,) * len(seen)] if claim.cone else []  # the cone itself: all coordinates scale alike
        return all(
            flint.fmpz_mat([[*e, w] for e, w in zip(seen, column, strict=True)]).rank() == rank for column in columns
        )

    def exchanged(self) -> bool:
        """Whether the listed permutations of weights exchange neighbouring outputs and inputs, in all blocks."""
        claim = self.claim
        m, n = claim.network.output_dimension, claim.network.input_dimension
        wanted = [(0, i) for i in range(claim.outputs - 1)] + [(1, j) for j in range(claim.inputs - 1)]
        if len(wanted) != len(claim.exchanges) or not self._columns_are_those_of_blocks():
            return False
        for (side, k), order in zip(wanted, claim.exchanges, strict=True):
            if sorted(order) != list(range(claim.network.parameter_count)):
                return False
            outputs, inputs = list(range(m)), list(range(n))
            moved = (outputs, inputs)[side]
            moved[k], moved[k + 1] = moved[k + 1], moved[k]
            for old, new in enumerate(claim.moved(outputs, inputs)):
                image = {tuple(e[order[w]] for w in range(len(order))): c for e, c in self.polynomials[old].items()}
                if image != self.polynomials[new]:
                    return False
        return True

    def _columns_are_those_of_blocks(self) -> bool:
        """The block columns count outputs and exponents, and the others are the same for exchanged coordinates."""
        claim = self.claim
        width = claim.outputs + claim.inputs
        rest: dict[tuple[Any, Any], Weight] = {}
        for (i, alpha), weight in zip(claim.entries, claim.weights, strict=False):
            unit = [int(i == k) for k in range(claim.outputs)]
            if weight[:width] != (*unit, *(alpha if claim.inputs else ())):
                return False
            key = (None if claim.outputs else i, tuple(sorted(alpha)) if claim.inputs else alpha)
            if rest.setdefault(key, weight[width:]) != weight[width:]:
                return False
        return True

    def vanishes(self, equation: Listed) -> bool:
        """Whether an equation is zero after substitution, and homogeneous with the weight it claims."""
        import flint

        claim = self.claim
        for monomial, _ in equation.terms:
            weights = zip(*(claim.weights[k] for k in monomial), strict=True)
            if tuple(map(sum, weights)) != equation.weight:
                return False
        names = [f"w{k}" for k in range(claim.network.parameter_count)]
        context = flint.fmpq_mpoly_ctx.get(names, flint.Ordering.degrevlex)
        values = [
            context.from_dict({e: flint.fmpq(int(c.numerator), int(c.denominator)) for e, c in p.items()})
            for p in self.polynomials
        ]
        groups: dict[Monomial, Any] = defaultdict(lambda: context.constant(0))
        for monomial, c in equation.terms:
            groups[monomial] += c
        while True:  # sum over the last factor of all monomials until none is left
            if list(groups) == [()]:
                return not groups[()]
            shorter: dict[Monomial, Any] = defaultdict(lambda: context.constant(0))
            for monomial, value in groups.items():
                shorter[monomial[:-1]] += value * values[monomial[-1]]
            groups = shorter

    def modulo(self, prime: int, count: int) -> np.ndarray:
        """Values ``(count, coordinates)`` of the coordinates at random weights mod p < 2^31."""
        known = self._values.get(prime)
        if known is not None and len(known) >= count:
            return known[:count]
        rng = random.Random(prime)
        weights = np.array(
            [[rng.randrange(prime) for _ in range(self.claim.network.parameter_count)] for _ in range(count)],
            dtype=np.int64,
        ).reshape(count, -1)
        values = np.zeros((count, len(self.polynomials)), dtype=np.int64)
        for k, polynomial in enumerate(self.polynomials):
            for exponents, c in polynomial.items():
                residue = int(c.numerator) * pow(int(c.denominator), -1, prime) % prime
                term = np.full(count, residue, dtype=np.int64)
                for w, e in enumerate(exponents):
                    for _ in range(e):
                        term = term * weights[:, w] % prime
                values[:, k] = (values[:, k] + term) % prime
        self._values[prime] = values
        return values


@dataclass(frozen=True)
class Space:
    """One weight space of polynomials."""

    degree: int
    weight: Weight
    monomials: Sequence[Monomial]
    claim: Claim

    def value_rank(self, coefficients: Coefficients, rank: int) -> int:
        """Rank of the values of the monomials at a few more points than ``rank``, modulo a prime."""
        import flint

        points = coefficients.modulo(PRIME, rank + POINTS)
        columns = np.ones((len(self.monomials), len(points)), dtype=np.int64)
        for n, monomial in enumerate(self.monomials):
            for k in monomial:
                columns[n] = columns[n] * points[:, k] % PRIME
        if not columns.size:
            return 0
        return int(flint.nmod_mat(*columns.shape, columns.ravel().tolist(), PRIME).rank())

    def equation_rank(self) -> int:
        """Rank of the multiples of all equations in this weight, modulo a prime."""
        import flint

        number = {monomial: n for n, monomial in enumerate(self.monomials)}
        rows = []
        for equation in self.claim.equations:
            if equation.degree > self.degree or (equation.degree == 1 and self.degree > 1):
                continue
            for copy in orbit(equation, self.claim):
                rest = tuple(a - b for a, b in zip(self.weight, copy.weight, strict=True))
                for factor in _factors(self.degree - equation.degree, rest, self.claim):
                    row = [0] * len(number)
                    for monomial, c in copy.terms:
                        row[number[tuple(sorted((*monomial, *factor)))]] = c % PRIME
                    rows += row
        if not rows:
            return 0
        return int(flint.nmod_mat(len(rows) // len(number), len(number), rows, PRIME).rank())


def _factors(degree: int, weight: Weight, claim: Claim, start: int = 0) -> Iterator[Monomial]:
    """All monomials of a degree and weight in the coordinates that are kept."""
    if degree == 0:
        if not any(weight):
            yield ()
        return
    for position in range(start, len(claim.kept)):
        k = claim.kept[position]
        rest = tuple(a - b for a, b in zip(weight, claim.weights[k], strict=True))
        if min(rest, default=0) >= 0:
            for tail in _factors(degree - 1, rest, claim, position):
                yield (k, *tail)


def check_sections(claim: Claim, equations: Sequence[Listed], codimension: int) -> bool:
    """Whether the subspaces show that the equations define a Cohen-Macaulay ring of the degree of the neurovariety."""
    import flint

    from polygeom.ideal.proofs.sections import InverseSystem

    prime = 2 < claim.prime < 2**24 and flint.fmpz(claim.prime).is_prime()
    if claim.degree is None or claim.h_vector is None or len(claim.subspaces) < 2 or not prime:
        return False
    copies = [copy for equation in equations for copy in orbit(equation, claim)]
    first, *others = (InverseSystem(copies, subspace, claim) for subspace in claim.subspaces)
    h, length = claim.h_vector, claim.degree
    if first.variables != codimension or sum(h) != length or first.up_to(len(h)) != [*h, 0]:
        return False
    possible = set(range(1, length + 1))
    for points in others:
        degrees = points.factor_degrees(len(h), length)
        if points.variables != codimension + 1 or degrees is None:
            return False
        sums = {0}
        for d in degrees:
            sums |= {s + d for s in sums}
        possible &= sums
    return possible == {length}
