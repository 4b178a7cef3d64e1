"""Proof that an equation vanishes on the neurovariety: substitute the coefficients as polynomials in the weights.

A homogeneous equation need not be tried on all weights. Scalings of inputs, weights and outputs that carry the
network into itself multiply the value of the equation by a nonzero number, and on a dense set they bring as many
weights as the torus has dimensions to one. An equation that vanishes on what is left vanishes everywhere.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from polygeom.engines.exact import ExactEngine, Objects, has_fractions
from polygeom.errors import BudgetError
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.grading.grading import Integers, torus_exponents
from polygeom.ideal.search.equations import Equation
from polygeom.ideal.search.lifting import primitive
from polygeom.network import Network
from polygeom.network.grammar.expressions import Terms
from polygeom.network.layers import Bias, Dense, Sum
from polygeom.network.layers.formula import Formula
from polygeom.network.text.maps import map_formula
from polygeom.symmetry.exponents import LinearSystem

MOST_PRODUCTS = 200_000_000
"""Products of two terms that the proof of one equation may need unless the caller allows more: some seconds."""


class _Engine(ExactEngine):
    """Exact arithmetic on FLINT polynomials within a number of products of terms."""

    def __init__(self, context: Any, most_products: int) -> None:
        super().__init__(lambda c: context.constant(_number(c)))
        self.left = most_products

    def spend(self, products: int) -> None:
        """Count products of terms, and raise `BudgetError` when there were too many."""
        self.left -= products
        if self.left < 0:
            raise BudgetError("the substitution needs too many products of terms; allow more with most_products=…")

    def multiply(self, x: Objects, y: Objects) -> Objects:
        self.spend(sum(len(a) * len(b) for a, b in zip(x.flat, y.flat, strict=True)))
        return super().multiply(x, y)

    def power(self, x: Objects, exponent: int) -> Objects:
        self.spend(sum(math.comb(len(a) + min(exponent, 40), min(exponent, 40)) for a in x.flat if len(a) > 1))
        return super().power(x, exponent)

    def _dot(self, x: Objects, y: Objects) -> Objects:
        sizes = [np.array([len(a) for a in z.flat], dtype=np.float64).reshape(z.shape) for z in (x, y)]
        self.spend(int((sizes[0] @ sizes[1]).sum()))
        return super()._dot(x, y)


def _number(c: Fraction) -> Any:
    from flint import fmpq

    return c.numerator if c.denominator == 1 else fmpq(c.numerator, c.denominator)


class Substitution:
    """The coefficients of a network as polynomials in its weights, in a normal form of the weights.

    Parameters
    ----------
    coordinates:
        The coordinates of the network.
    outputs, inputs:
        Whether the equations to be tried are semi-invariants of GL(outputs), GL(inputs), see `fixed_weights`.
    most_products:
        Products of two terms that making the coefficients may need, and again the proof of each equation.

    Raises
    ------
    BudgetError
        If making them needs more.
    """

    def __init__(
        self,
        coordinates: Coordinates,
        outputs: bool = False,
        inputs: bool = False,
        most_products: int = MOST_PRODUCTS,
    ) -> None:
        self.coordinates, self.most_products = coordinates, most_products
        fixed = fixed_weights(coordinates, outputs, inputs)
        self.values = list(_coefficients(coordinates, fixed, most_products))
        self._terms = _single_terms(self.values)

    def vanishes(self, equation: Equation, deadline: float | None = None) -> bool:
        """Whether an equation over the integers is zero on the neurovariety; the answer is a proof.

        Raises
        ------
        BudgetError
            If the proof needs more products than allowed, or the deadline passes.
        """
        if self._terms is not None:
            return _cancels(equation, plain_integers(equation, self.coordinates), *self._terms)
        terms = sorted(zip(equation.monomials.tolist(), plain_integers(equation, self.coordinates), strict=True))
        budget = _Engine(self._context, self.most_products)
        return not self._value(terms, 0, budget, deadline)

    @property
    def _context(self) -> Any:
        return self.values[0].context()

    def _value(
        self, terms: Sequence[tuple[list[int], int]], depth: int, budget: _Engine, deadline: float | None
    ) -> Any:
        """The value of terms that share their first ``depth`` factors, without these, by Horner's rule."""
        if depth == len(terms[0][0]):
            return self._context.constant(sum(c for _, c in terms))
        total = self._context.constant(0)
        start = 0
        for stop in range(1, len(terms) + 1):
            if stop < len(terms) and terms[stop][0][depth] == terms[start][0][depth]:
                continue
            rest = self._value(terms[start:stop], depth + 1, budget, deadline)
            factor = self.values[terms[start][0][depth]]
            budget.spend(len(rest) * len(factor))
            if deadline is not None and time.monotonic() > deadline:
                raise BudgetError("the time was over during a proof; raise timeout=")
            total += factor * rest
            start = stop
        return total


def _single_terms(values: Sequence[Any]) -> tuple[Integers, list[Any]] | None:
    """Exponents ``(values, weights)`` and coefficients if every value is one term; None otherwise."""
    if any(len(value) != 1 for value in values):
        return None
    terms = [next(iter(value.to_dict().items())) for value in values]
    return np.array([tuple(map(int, e)) for e, _ in terms], dtype=np.int64), [c for _, c in terms]


def _cancels(equation: Equation, integers: Sequence[int], exponents: Integers, coefficients: Sequence[Any]) -> bool:
    """Whether an equation vanishes at values that are single terms: no polynomial needs to be made."""
    totals: dict[tuple[int, ...], Any] = {}
    sums = exponents[equation.monomials].sum(axis=1).tolist()
    for key, c, monomial in zip(map(tuple, sums), integers, equation.monomials.tolist(), strict=True):
        totals[key] = totals.get(key, 0) + math.prod((coefficients[k] for k in monomial), start=c)
    return not any(totals.values())


def plain_integers(equation: Equation, coordinates: Coordinates) -> list[int]:
    """The coefficients of an equation in plain coordinates, coprime integers."""
    assert equation.integers is not None
    if coordinates.undivided:
        return primitive(equation.integers)
    factors = (*coordinates.factors, 1)
    divisors = [math.prod(factors[k] for k in monomial) for monomial in equation.monomials.tolist()]
    common = math.lcm(*set(divisors))
    return primitive([c * (common // divisor) for c, divisor in zip(equation.integers, divisors, strict=True)])


def _coefficients(coordinates: Coordinates, fixed: Mapping[int, int], most_products: int) -> Iterator[Any]:
    """The plain coordinates, and a last one for the homogenising coordinate, as FLINT polynomials."""
    import flint

    network = coordinates.network
    formula = map_formula(network)
    if formula is not None:
        yield from _numerators(formula, fixed, most_products)
        return
    fractions = has_fractions(network)
    inputs = network.input_dimension
    free = [k for k in range(network.parameter_count) if k not in fixed]
    names = [f"x{j}" for j in range(inputs)] + [f"w{k}" for k in free]
    ring = flint.fmpq_mpoly_ctx if fractions else flint.fmpz_mpoly_ctx
    joint = ring.get(names, flint.Ordering.degrevlex)
    engine = _Engine(joint, most_products)
    generators = joint.gens()
    numbers = np.empty(network.parameter_count, dtype=object)
    for k in range(network.parameter_count):
        numbers[k] = joint.constant(fixed[k]) if k in fixed else generators[inputs + free.index(k)]
    weights = {name: numbers[own] for name, own in network.weight_numbers.items()}
    point = np.empty((1, inputs), dtype=object)
    point[0] = generators[:inputs]
    outputs = network.evaluate(engine, weights, point.reshape(1, *network.input_shape))[0]
    context = ring.get(names[inputs:] or ["unused"], flint.Ordering.degrevlex)
    padding = () if names[inputs:] else (0,)
    parts: dict[tuple[int, tuple[int, ...]], dict[tuple[int, ...], Any]] = {}
    for number, polynomial in enumerate(outputs.flat):
        for exponents, c in polynomial.to_dict().items():
            exponents = tuple(map(int, exponents))
            parts.setdefault((number, exponents[:inputs]), {})[(*exponents[inputs:], *padding)] = c
    for entry in coordinates.entries:
        yield context.from_dict(parts.get(entry, {}))
    yield context.constant(1)


def _numerators(formula: Formula, fixed: Mapping[int, int], most_products: int) -> Iterator[Any]:
    """The coordinates of a map times a common denominator, then this denominator, in the weights that are not fixed.

    A homogeneous equation vanishes at the former exactly if it vanishes on the map; the denominator stands for the
    homogenising coordinate.
    """
    import flint

    compiled = formula.compiled
    free = [k for k in range(compiled.weights) if k not in fixed]
    context = flint.fmpz_mpoly_ctx.get([f"w{k}" for k in free] or ["unused"], flint.Ordering.degrevlex)
    budget = _Engine(context, most_products)

    def polynomial(terms: Terms) -> Any:
        collected: dict[tuple[int, ...], int] = {}
        for exponents, c in terms:
            value = c * math.prod(fixed[k] ** exponents[k] for k in fixed)
            key = tuple(exponents[k] for k in free) or (0,)
            collected[key] = collected.get(key, 0) + value
        return context.from_dict({key: c for key, c in collected.items() if c})

    parts = [(polynomial(q.numerator), polynomial(q.denominator)) for q in compiled.quotients]
    common = context.constant(1)
    for _, bottom in parts:
        budget.spend(len(common) * len(bottom))
        common = common * (bottom / common.gcd(bottom))
    for top, bottom in parts:
        budget.spend(len(top) * len(common))
        yield top * (common / bottom)
    yield common


def fixed_weights(coordinates: Coordinates, outputs: bool = False, inputs: bool = False) -> dict[int, int]:
    """Weights that symmetries of the network bring to zero or one on a dense set, by their numbers.

    Scalings alone bring as many weights to one as their torus has dimensions, here from the first layer on. For an
    equation that GL(outputs) or GL(inputs) only scales, a largest square block of the last or first matrix becomes
    the identity, and what the group has left over brings the rows or columns outside the block to zero where there
    are any.

    Parameters
    ----------
    outputs, inputs:
        Whether that group acts and only scales the equation.

    Examples
    --------
    >>> fixed_weights(Coordinates("[2,3,1] r=2"))
    {0: 1, 1: 1, 2: 1, 4: 1, 6: 1}
    >>> fixed_weights(Coordinates("[2,2,1] r=2"), inputs=True)
    {0: 1, 1: 0, 2: 0, 3: 1, 4: 1, 5: 1}
    """
    network = coordinates.network
    fixed: dict[int, int] = {}
    first, last = _first_matrices(network), _last_matrices(network)
    if inputs and first:
        fixed.update(_identity(_stacked(network, first)))
    if outputs and last and not (inputs and set(last) & set(first)):
        fixed.update(_identity(_stacked(network, last, True)))
    system = LinearSystem()
    forms = torus_exponents(network)
    for k, value in fixed.items():
        if value:
            system.require(forms[k])
    for k, form in enumerate(forms):
        if k not in fixed and system.require(form):
            fixed[k] = 1
    return fixed


def _identity(matrix: Integers) -> dict[int, int]:
    """A normal form of a generic matrix ``(h, n)`` under column operations: identity above, zero beside it."""
    side = min(matrix.shape)
    return {int(matrix[i, j]): int(i == j) for i in range(side) for j in range(matrix.shape[1])}


def _stacked(network: Network, names: Sequence[str], transposed: bool = False) -> Integers:
    """The weights of matrices on which a group acts together, one below the other."""
    numbers = network.weight_numbers
    return np.concatenate([numbers[name].T if transposed else numbers[name] for name in names])


def _first_matrices(network: Network) -> list[str]:
    """The names of the full matrices that read the inputs, if no others do and none is used twice."""
    readers = [number for number, node in enumerate(network.nodes) if 0 in node.inputs]
    return _full_matrices(network, readers)


def _last_matrices(network: Network) -> list[str]:
    """The names of the full matrices whose rows make the outputs, below biases and sums, if none is used twice."""
    pending, made = [len(network.nodes) - 1], []
    while pending:
        number = pending.pop(0)
        node = network.nodes[number]
        if isinstance(node.layer, Bias | Sum):
            pending += node.inputs
        else:
            made.append(number)
    return _full_matrices(network, made)


def _full_matrices(network: Network, numbers: Sequence[int]) -> list[str]:
    layers = [network.nodes[number].layer for number in numbers]
    shared = {n for k, node in enumerate(network.nodes) if node.shares is not None for n in (k, node.shares)}
    own = len(set(numbers)) == len(numbers) and not shared.intersection(numbers)
    full = all(isinstance(layer, Dense) and layer.pattern is None for layer in layers)
    return [network.weight_names[number]["W"] for number in numbers] if own and full else []
