"""The certificate of an ideal as typed data, and what follows from it by counting: coordinates, orbits, copies."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, Literal

from msgspec import Meta

from polygeom._dataclass import dataclass
from polygeom.dimensions.proofs.decoding import Natural, Positive, Record, Text, Version
from polygeom.dimensions.proofs.jacobians import LARGEST_PRIME
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.monomials import MOST_COORDINATES, coordinates
from polygeom.dimensions.proofs.programs import Program, read
from polygeom.dimensions.proofs.verification import DimensionCertificate
from polygeom.errors import CertificateError

Monomial = tuple[int, ...]
Weight = tuple[int, ...]
Terms = tuple[tuple[Monomial, int], ...]

MOST_DEGREE = 60
MOST_ITEMS = 1_000_000

Degree = Annotated[int, Meta(ge=1, le=MOST_DEGREE)]
Small = Annotated[int, Meta(ge=0, le=10**6)]
Integer = Annotated[int, Meta(ge=-(2**50), le=2**50)]
Coordinate = Annotated[int, Meta(ge=0, lt=MOST_COORDINATES)]
Weights = Annotated[list[Small], Meta(max_length=200)]
Coefficient = Annotated[str, Meta(pattern=r"^-?[1-9][0-9]*\Z", max_length=4000)]
Residue = Annotated[int, Meta(ge=0, lt=LARGEST_PRIME)]
Argument = Literal["filling", "hypersurface", "section"]


class Grading(Record, frozen=True):
    """Weights of the coordinates; scalings of the network's weights that act so; permutations that exchange."""

    weights: Annotated[list[Weights], Meta(min_length=1, max_length=MOST_COORDINATES + 1)]
    outputs: Small
    inputs: Small
    cone: bool
    scalings: Annotated[list[Annotated[list[Integer], Meta(max_length=MOST_ITEMS)]], Meta(max_length=201)]
    exchanges: Annotated[list[Annotated[list[Natural], Meta(max_length=MOST_ITEMS)]], Meta(max_length=400)]


class Listed(Record, frozen=True):
    """An equation: homogeneous, of dominant weight, with terms ``(coordinates, coefficient)``."""

    degree: Degree
    weight: Weights
    terms: Annotated[
        list[tuple[Annotated[list[Coordinate], Meta(max_length=MOST_DEGREE)], Coefficient]],
        Meta(min_length=1, max_length=MOST_ITEMS),
    ]


class Listing(Record, frozen=True):
    """The dominant weights of a degree, each with its number of monomials and the rank of their values."""

    degree: Degree
    spaces: Annotated[list[tuple[Weights, Positive, Natural]], Meta(max_length=MOST_ITEMS)]


class Filling(Record, frozen=True, tag_field="argument", tag="filling"):
    """There is no proper equation, since the dimension is the number of coordinates."""


class Hypersurface(Record, frozen=True, tag_field="argument", tag="hypersurface"):
    """The only equation of least degree generates a prime ideal."""


class Sections(Record, frozen=True, tag_field="argument", tag="section"):
    """Linear subspaces modulo a prime, as in `polygeom.ideal.proofs.sections`."""

    prime: Annotated[int, Meta(ge=3, lt=2**24)]
    subspaces: Annotated[
        list[Annotated[list[Annotated[list[Residue], Meta(max_length=MOST_COORDINATES + 1)]], Meta(max_length=1000)]],
        Meta(min_length=2, max_length=100),
    ]


class Claims(Record, frozen=True):
    """What the certificate says about the ideal."""

    complete_to: Degree
    completeness: Argument | None
    counts: Annotated[dict[str, Positive], Meta(max_length=MOST_DEGREE)]
    hilbert_function: Annotated[list[Natural], Meta(max_length=MOST_DEGREE + 1)]
    degree: Positive | None
    h_vector: Annotated[list[Natural], Meta(min_length=1, max_length=10_000)] | None


class IdealCertificate(Record, frozen=True):
    """All fields of the certificate of an ideal; see ``docs/certificates.md``."""

    kind: Literal["ideal"]
    format: Literal[2]
    version: Version
    network: Text
    coordinates: Annotated[list[Annotated[str, Meta(max_length=2000)]], Meta(max_length=MOST_COORDINATES)]
    dimension: DimensionCertificate
    grading: Grading
    kept: Annotated[list[Coordinate], Meta(max_length=MOST_COORDINATES + 1)]
    equations: Annotated[list[Listed], Meta(max_length=MOST_ITEMS)]
    restricted: bool
    degrees: Annotated[list[Listing], Meta(min_length=1, max_length=MOST_DEGREE)]
    completeness: Filling | Hypersurface | Sections | None
    claim: Claims


@dataclass(frozen=True, eq=False)
class Equation:
    """An equation with integer coefficients."""

    degree: int
    weight: Weight
    terms: Terms


class Claim:
    """A decoded certificate with its coordinates and equations; raises `CertificateError` where they do not fit."""

    def __init__(self, data: IdealCertificate, budget: Budget) -> None:
        self.data, self.budget = data, budget
        size = sum(1 + len(e.terms) for e in data.equations) + sum(len(s.spaces) for s in data.degrees)
        budget.step("the list of equations and spaces", 2000 * size)
        self.program: Program = read(data.network)
        self.cone, self.outputs, self.inputs = data.grading.cone, data.grading.outputs, data.grading.inputs
        if self.program.formulas is not None:  # a map: one coordinate for each formula
            self.entries: tuple[tuple[int, Monomial], ...] = tuple((i, (0,)) for i in range(self.program.outputs))
        else:
            self.entries = tuple((i, m) for i, some in enumerate(coordinates(self.program, budget)) for m in some)
        self.size = len(self.entries) + (not self.cone)
        self.weights = [tuple(w) for w in data.grading.weights]
        self.equations = [_equation(e) for e in data.equations]
        self.kept = data.kept
        self.spaces = {s.degree: {tuple(w): (n, rank) for w, n, rank in s.spaces} for s in data.degrees}
        self._check_form()

    def _check_form(self) -> None:
        """Raise where numbers do not fit together or are not in the one order that is allowed."""
        data, width, kept = self.data, len(self.weights[0]), set(self.kept)
        weights = [w for s in data.degrees for w, _, _ in s.spaces] + [e.weight for e in data.equations]
        fits = [
            (self._names() == data.coordinates, "the names of the coordinates"),
            (len(self.weights) == self.size, "the number of coordinates"),
            (all(len(w) == width for w in [*self.weights, *weights]), "the length of a weight"),
            (all(self.is_dominant(w) for w in weights), "the order within a weight"),
            (self.outputs in (0, self.program.outputs) and self.inputs in (0, self.program.inputs), "the blocks"),
            (self.outputs + self.inputs <= (width if self.program.formulas is None else 0), "the blocks"),
            (self.kept == sorted(kept) and (not kept or self.kept[-1] < self.size), "kept"),
            (
                list(self.spaces) == [*range(1, data.claim.complete_to + 1)] == [s.degree for s in data.degrees],
                "degrees",
            ),
            (all(s.spaces == sorted(s.spaces, reverse=True) for s in data.degrees), "the order of the spaces"),
            (all(len(self.spaces[s.degree]) == len(s.spaces) for s in data.degrees), "a space that is listed twice"),
            (all(rank <= n for s in data.degrees for _, n, rank in s.spaces), "a rank"),
            (all(_is_canonical(e, kept, self.size) for e in self.equations), "the form of an equation"),
            (data.equations == _ordered(data.equations), "the order of the equations"),
        ]
        wrong = next((what for fit, what in fits if not fit), None)
        if wrong is not None:
            raise CertificateError(f"certificate: {wrong} does not fit to the network; write the certificate again")

    def _names(self) -> list[str]:
        formulas = self.program.formulas
        return [*_names(self.entries)] if formulas is None else [*formulas.names]

    @property
    def cone_dimension(self) -> int:
        """The lower bound for the dimension of the neurovariety, or of the cone over it if it is not one."""
        return self.data.dimension.claim.lower + (not self.cone)

    @property
    def codimension(self) -> int:
        """At most what the codimension in the coordinates that are kept is."""
        return len(self.kept) - self.cone_dimension

    @property
    def proper(self) -> list[Equation]:
        """The equations that are not linear."""
        return [e for e in self.equations if e.degree > 1]

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Columns of the weights that are permuted."""
        return [(0, self.outputs), (self.outputs, self.outputs + self.inputs)]

    def is_dominant(self, weight: Sequence[int]) -> bool:
        """Whether a weight decreases within the blocks."""
        return all(weight[k] >= weight[k + 1] for a, b in self.blocks for k in range(a, min(b, len(weight)) - 1))

    def dominant(self, weight: Weight) -> Weight:
        """The weight of the orbit that decreases within the blocks."""
        m, n = self.blocks[1]
        return (*sorted(weight[:m], reverse=True), *sorted(weight[m:n], reverse=True), *weight[n:])

    def constant_on_blocks(self, weight: Weight) -> bool:
        """Whether a weight is fixed by all exchanges."""
        return all(len(set(weight[a:b])) <= 1 for a, b in self.blocks)

    def orbit_size(self, weight: Sequence[int]) -> int:
        """Number of different rearrangements of a weight within the blocks."""
        size = 1
        for a, b in self.blocks:
            size *= math.factorial(b - a)
            for times in Counter(weight[a:b]).values():
                size //= math.factorial(times)
        return size

    def copies(self, equation: Equation, most: Weight | None = None) -> Iterator[tuple[Weight, list[int]]]:
        """Every rearrangement of a weight, as far as it is at most ``most``, with where the coordinates go to."""
        (a, b), (_, c) = self.blocks
        tops = (None, None) if most is None else (most[a:b], most[b:c])
        firsts = list(_arrangements(equation.weight[a:b], tops[0]))
        for inputs, second in _arrangements(equation.weight[b:c], tops[1]):
            for outputs, first in firsts:
                weight = (*first, *second, *equation.weight[c:])
                if most is None or all(x <= y for x, y in zip(weight, most, strict=True)):
                    self.budget.step("the copies of an equation")
                    yield weight, self.moved(outputs, inputs)

    def exchanges(self) -> Iterator[list[int]]:
        """Where coordinates go when two neighbouring outputs or inputs of a block are exchanged."""
        for side, size in enumerate((self.outputs, self.inputs)):
            for k in range(size - 1):
                order = [*range(size)]
                order[k], order[k + 1] = k + 1, k
                yield self.moved(order if side == 0 else [], order if side else [])

    def moved(self, outputs: Sequence[int], inputs: Sequence[int]) -> list[int]:
        """Where coordinates go when output ``i`` becomes ``outputs[i]`` and input ``j`` becomes ``inputs[j]``.

        Empty sequences leave outputs or inputs where they are.
        """
        key = (tuple(outputs), tuple(inputs))
        known = self._moved.get(key)
        if known is None:
            exponents, places, numbers = self._places
            inner = [places[j] for j in inputs] if inputs else places
            outer = [i * places[-1] for i in (outputs or range(self.program.outputs))]
            known = [
                numbers[outer[i] + sum([e * inner[j] for j, e in some])]
                for (i, _), some in zip(self.entries, exponents, strict=True)
            ]
            known += [len(self.entries)] * (not self.cone)
            if len(self._moved) < 10_000:
                self._moved[key] = known
        return known

    @cached_property
    def _moved(self) -> dict[tuple[Monomial, Monomial], list[int]]:
        return {}

    @cached_property
    def _places(self) -> tuple[list[list[tuple[int, int]]], list[int], dict[int, int]]:
        """Coordinates as integers whose digits are their exponents and, in front, the output.

        The exponents that are not 0 with their input; what a digit of an input counts, and at the end one of the
        output; the number of the coordinate of every integer.
        """
        exponents = [[(j, e) for j, e in enumerate(alpha) if e] for _, alpha in self.entries]
        base = 1 + max((e for some in exponents for _, e in some), default=0)
        places = [base**j for j in range(max((len(alpha) for _, alpha in self.entries), default=0) + 1)]
        integers = [
            i * places[-1] + sum(e * places[j] for j, e in some)
            for (i, _), some in zip(self.entries, exponents, strict=True)
        ]
        return exponents, places, {integer: k for k, integer in enumerate(integers)}


def _arrangements(values: Sequence[int], most: Sequence[int] | None) -> Iterator[tuple[list[int], Monomial]]:
    """Every rearrangement of the values once that is at most ``most``: where each goes, and what results."""
    size = len(values)
    left = Counter(values)
    chosen: list[int] = []

    def search() -> Iterator[tuple[list[int], Monomial]]:
        if len(chosen) == size:
            free = {v: [k for k in range(size) if chosen[k] == v] for v in set(values)}
            yield [free[v].pop(0) for v in values], tuple(chosen)
            return
        top = None if most is None else most[len(chosen)]
        for value in sorted(left):
            if left[value] and (top is None or value <= top):
                left[value] -= 1
                chosen.append(value)
                yield from search()
                chosen.pop()
                left[value] += 1

    return search()


def _names(entries: Sequence[tuple[int, Monomial]]) -> Iterator[str]:
    between = "x" if any(e > 9 for _, alpha in entries for e in alpha) else ""
    for i, alpha in entries:
        yield f"c{i + 1}x{between.join(map(str, alpha))}"


def _equation(data: Listed) -> Equation:
    return Equation(data.degree, tuple(data.weight), tuple((tuple(m), int(c)) for m, c in data.terms))


def _is_canonical(equation: Equation, kept: set[int], size: int) -> bool:
    """Whether terms are increasing monomials in allowed coordinates, with coprime coefficients, the first positive."""
    monomials = [m for m, _ in equation.terms]
    allowed = range(size) if equation.degree == 1 else kept
    return (
        all(len(m) == equation.degree and all(a <= b for a, b in itertools.pairwise(m)) for m in monomials)
        and all(a < b for a, b in itertools.pairwise(monomials))
        and all(k in allowed for m in monomials for k in m)
        and equation.terms[0][1] > 0
        and math.gcd(*(c for _, c in equation.terms)) == 1
    )


def _ordered(equations: Sequence[Listed]) -> list[Listed]:
    """The equations by degree, then weight, largest first, then as they are listed."""
    return sorted(equations, key=lambda e: (e.degree, [-w for w in e.weight]))
