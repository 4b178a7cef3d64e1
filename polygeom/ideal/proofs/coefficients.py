"""The coordinates of a network as polynomials in its weights, expanded by FLINT, and what is read off them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.maps import Map, polynomials
from polygeom.dimensions.proofs.programs import Program, Step, read
from polygeom.errors import CertificateError
from polygeom.ideal.proofs.claims import Claim, Equation, Monomial

Array = np.ndarray
Polynomial = dict[Monomial, Any]

PRIME = 2147483647
"""Products of residues fit int64."""


class Coefficients:
    """The coefficients of the outputs as polynomials in all weights of the network.

    Those of a map with denominators are multiplied by a common one, which takes the place of the homogenising
    coordinate: a homogeneous equation vanishes on the products if and only if it vanishes on the map.
    """

    def __init__(self, claim: Claim) -> None:
        self.claim, self.budget = claim, claim.budget
        known = expand(claim.data.network, claim.budget)
        missing = known.keys() - set(claim.entries)
        if missing:
            raise CertificateError(f"certificate: the coordinate of {min(missing)} is missing; write it again")
        self.polynomials: list[Polynomial] = [known.get(entry, {}) for entry in claim.entries]
        self.denominator = common_denominator(claim.data.network, claim.budget)
        if not claim.cone:
            self.polynomials.append(self.denominator)
        self._values: Array | None = None

    def graded(self) -> bool:
        """Whether the scalings listed act on the coordinates with the weights listed, and on a cone by factors.

        The first row of a cone's scalings scales all coordinates alike and leaves 1 alone. For each column there is a
        row ``(n, m, e_1, e_2, …)``, n > 0: the weights ``w_k t^e_k`` of the network scale every monomial of a
        coordinate of weight v by t^(n v - m).
        """
        claim, rows = self.claim, self.claim.data.grading.scalings
        columns = [[*column] for column in zip(*claim.weights, strict=True)]
        if claim.cone:
            columns.insert(0, [1] * claim.size)
        if len(rows) != len(columns) or any(len(row) != 2 + claim.program.weights or row[0] < 1 for row in rows):
            return False
        if claim.cone:
            shift, exponent = rows[0][1], rows[0][2:]
            if any(sum(a * b for a, b in zip(e, exponent, strict=True)) != -shift for e in self.denominator):
                return False
        exponents = [e for p in self.polynomials for e in p]
        table = np.array(exponents, dtype=object).reshape(len(exponents), claim.program.weights)
        owner = [k for k, p in enumerate(self.polynomials) for _ in p]
        self.budget.step("the scalings", 100.0 * table.size * len(rows), 100.0 * table.size)
        for (n, m, *exponent), column in zip(rows, columns, strict=True):
            wanted = [n * column[k] - m for k in owner]
            if (table @ np.array(exponent, dtype=object)).tolist() != wanted:
                return False
        return True

    def exchanged(self) -> bool:
        """Whether the listed permutations of weights exchange neighbouring outputs and inputs, in all blocks."""
        claim = self.claim
        m, n = claim.program.outputs, claim.program.inputs
        wanted = [(0, i) for i in range(claim.outputs - 1)] + [(1, j) for j in range(claim.inputs - 1)]
        exchanges = claim.data.grading.exchanges
        if len(wanted) != len(exchanges) or not self._columns_are_those_of_blocks():
            return False
        everything = list(range(claim.program.weights))
        for (side, k), order in zip(wanted, exchanges, strict=True):
            self.budget.step("the exchanges", 20.0 * len(order) * sum(map(len, self.polynomials)))
            if sorted(order) != everything:
                return False
            outputs, inputs = list(range(m)), list(range(n))
            moved = (outputs, inputs)[side]
            moved[k], moved[k + 1] = moved[k + 1], moved[k]
            try:
                places = claim.moved(outputs, inputs)
            except KeyError:  # the image of a coordinate is none
                return False
            for old, new in enumerate(places):
                image = {tuple([e[w] for w in order]): c for e, c in self.polynomials[old].items()}
                if image != self.polynomials[new]:
                    return False
        return True

    def _columns_are_those_of_blocks(self) -> bool:
        """The block columns count outputs and exponents, and the others are the same for exchanged coordinates."""
        claim = self.claim
        width = claim.outputs + claim.inputs
        rest: dict[tuple[Any, Any], Monomial] = {}
        for (i, alpha), weight in zip(claim.entries, claim.weights, strict=False):
            unit = [int(i == k) for k in range(claim.outputs)]
            if weight[:width] != (*unit, *(alpha if claim.inputs else ())):
                return False
            key = (None if claim.outputs else i, tuple(sorted(alpha)) if claim.inputs else alpha)
            if rest.setdefault(key, weight[width:]) != weight[width:]:
                return False
        return claim.cone or claim.constant_on_blocks(claim.weights[-1])

    def vanishes(self, equation: Equation) -> bool:
        """Whether an equation is homogeneous of its weight, and zero after substitution."""
        for monomial, _ in equation.terms:
            weights = zip(*(self.claim.weights[k] for k in monomial), strict=True)
            if tuple(map(sum, weights)) != equation.weight:
                return False
        context, values = self._flint
        groups: dict[Monomial, Any] = defaultdict(lambda: context.constant(0))
        for monomial, c in equation.terms:
            groups[monomial] += c
        for _ in range(equation.degree):  # sum over the last factor of all monomials
            shorter: dict[Monomial, Any] = defaultdict(lambda: context.constant(0))
            for monomial, value in groups.items():
                factor = values[monomial[-1]]
                self.budget.step("the substitution", 20.0 * len(value) * len(factor), 200.0 * len(value) * len(factor))
                shorter[monomial[:-1]] += value * factor
            groups = shorter
        return not groups[()]

    @cached_property
    def _flint(self) -> tuple[Any, list[Any]]:
        import flint

        names = [f"w{k}" for k in range(self.claim.program.weights)] or ["w"]
        context = flint.fmpq_mpoly_ctx.get(names, flint.Ordering.degrevlex)
        pad = (0,) * (len(names) - self.claim.program.weights)
        polynomials = [
            context.from_dict({(*e, *pad): flint.fmpq(int(c.numerator), int(c.denominator)) for e, c in p.items()})
            for p in self.polynomials
        ]
        return context, polynomials

    def modulo(self, count: int) -> Array:
        """Values ``(count, coordinates)`` of the coordinates at random weights modulo `PRIME`."""
        known = self._values
        if known is not None and len(known) >= count:
            return known[:count]
        count = max(count, 0 if known is None else 2 * len(known))
        terms, weights = sum(map(len, self.polynomials)), self.claim.program.weights
        self.budget.step(
            "the values of the coordinates", 5.0 * count * terms * (1 + weights), 24.0 * count * self.claim.size
        )
        rng = random.Random(PRIME)
        draws = [[rng.randrange(PRIME) for _ in range(weights)] for _ in range(count)]
        points = np.array(draws, dtype=np.int64).reshape(count, -1)
        top = max((max(e, default=0) for p in self.polynomials for e in p), default=0)
        powers = [np.ones_like(points)]
        for _ in range(top):
            powers.append(powers[-1] * points % PRIME)
        values = np.zeros((count, self.claim.size), dtype=np.int64)
        for k, polynomial in enumerate(self.polynomials):
            for exponents, c in polynomial.items():
                term = np.full(count, int(c.numerator) * pow(int(c.denominator), -1, PRIME) % PRIME, dtype=np.int64)
                for w, e in enumerate(exponents):
                    if e:
                        term = term * powers[e][:, w] % PRIME
                values[:, k] = (values[:, k] + term) % PRIME
        self._values = values
        return values


def expand(text: str, budget: Budget) -> dict[tuple[int, Monomial], Polynomial]:
    """The coefficients of the outputs that are not zero, by output and exponents, as polynomials in the weights.

    Raises
    ------
    BudgetError
        If the products of terms do not fit into the budget.
    """
    return _expansion(text, budget)[0]


def common_denominator(text: str, budget: Budget) -> Polynomial:
    """What the coefficients that `expand` gives are to be divided by: 1, but for a map with denominators."""
    return _expansion(text, budget)[1]


Expansion = tuple[dict[tuple[int, Monomial], Polynomial], Polynomial]


def _expansion(text: str, budget: Budget) -> Expansion:
    known = _known(text)
    if not known:
        program = read(text)
        known.append(_expand(program, budget) if program.formulas is None else _expand_map(program.formulas, budget))
    return known[0]


@lru_cache(maxsize=16)
def _known(text: str) -> list[Expansion]:
    return []


def _expand_map(formulas: Map, budget: Budget) -> Expansion:
    context, quotients = polynomials(formulas)
    size = len(formulas.parameters)
    common = context.constant(1)
    for _, bottom in quotients:
        budget.step("the common denominator", 1000.0 * len(common) * len(bottom))
        common = common * (bottom / common.gcd(bottom))
    found: dict[tuple[int, Monomial], Polynomial] = {}
    for i, (top, bottom) in enumerate(quotients):
        factor = common / bottom
        budget.step("the coordinates of the map", 40.0 * len(top) * len(factor), 100.0 * len(top) * len(factor))
        found[i, (0,)] = _plain(top * factor, size)
    return {entry: polynomial for entry, polynomial in found.items() if polynomial}, _plain(common, size)


def _plain(polynomial: Any, size: int) -> Polynomial:
    return {tuple(map(int, e))[:size]: c for e, c in polynomial.to_dict().items()}


def _expand(program: Program, budget: Budget) -> Expansion:
    import flint

    n = program.inputs
    names = [f"x{j}" for j in range(n)] + [f"w{k}" for k in range(program.weights)]
    context = flint.fmpq_mpoly_ctx.get(names, flint.Ordering.degrevlex)
    gens = np.empty(len(names), dtype=object)
    gens[:] = context.gens()
    values = [gens[:n].reshape(program.shapes[0])]
    arithmetic = _Arithmetic(gens[n:], context, budget)
    for step in program.steps:
        values.append(arithmetic.value(step, *(values[i] for i in step.reads)))
    found: dict[tuple[int, Monomial], Polynomial] = {}
    for i, polynomial in enumerate(values[-1].ravel()):
        for exponents, c in polynomial.to_dict().items():
            exponents = tuple(map(int, exponents))
            found.setdefault((i, exponents[:n]), {})[exponents[n:]] = c
    return found, {(0,) * program.weights: flint.fmpq(1)}


class _Arithmetic:
    """The steps of a program on arrays of FLINT polynomials; counts products of terms before they are made."""

    def __init__(self, weights: Array, context: Any, budget: Budget) -> None:
        self._weights, self._context, self._budget = weights, context, budget
        self._terms = 0

    def value(self, step: Step, *reads: Array) -> Array:
        method: Callable[..., Array] = getattr(self, f"_{step.word}")
        return method(step, *reads)

    def _times(self, a: Any, b: Any) -> Any:
        products = len(a) * len(b)
        self._terms += products
        self._budget.step("the coefficients of the network", 40.0 * products, 100.0 * self._terms)
        return a * b

    def _linear(self, step: Step, x: Array) -> Array:
        m, n = step.data.shape
        flat = x.reshape(-1, n)
        out = np.empty((len(flat), m), dtype=object)
        for k, row in enumerate(flat):
            for i in range(m):
                terms = [self._times(self._weights[w], row[j]) for j, w in enumerate(step.data[i]) if w >= 0]
                out[k, i] = sum(terms, self._context.constant(0))
        return out.reshape(*x.shape[:-1], m)

    def _bias(self, step: Step, x: Array) -> Array:
        out: Array = x + self._weights[step.data]
        return out

    def _gather(self, step: Step, x: Array) -> Array:
        out: Array = x.ravel()[step.data]
        return out

    def _add(self, step: Step, x: Array, y: Array) -> Array:
        out: Array = x + y
        return out

    def _multiply(self, step: Step, x: Array, y: Array) -> Array:
        out: Array = np.frompyfunc(self._times, 2, 1)(x, y)
        return out

    def _matmul(self, step: Step, x: Array, y: Array) -> Array:
        out = np.empty((x.shape[0], y.shape[1]), dtype=object)
        for i in range(x.shape[0]):
            for k in range(y.shape[1]):
                out[i, k] = sum(
                    (self._times(a, b) for a, b in zip(x[i], y[:, k], strict=True)), self._context.constant(0)
                )
        return out

    def _power(self, step: Step, x: Array) -> Array:
        out: Array = np.frompyfunc(lambda a: self._one_power(a, step.data), 1, 1)(x)
        return out

    def _one_power(self, a: Any, exponent: int) -> Any:
        if len(a) <= 1 and exponent < 2**30:
            return a**exponent
        out = a
        for _ in range(exponent - 1):
            out = self._times(out, a)
        return out

    def _polynomial(self, step: Step, x: Array) -> Array:
        import flint

        def value(a: Any) -> Any:
            out = self._context.constant(0)
            for c in reversed(step.data):
                out = self._times(out, a) + flint.fmpq(c.numerator, c.denominator)
            return out

        out: Array = np.frompyfunc(value, 1, 1)(x)
        return out
