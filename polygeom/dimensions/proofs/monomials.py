"""Which monomials the outputs of a program may have, followed one by one, and which coefficients weights enter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator

from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import Program, Step

MOST_COORDINATES = 20_000
MOST_GROUPS = 16
MOST_MULTIDEGREES = 400
"""Largest set of multidegrees of a value; with more, coordinates are told by total degrees."""

Monomials = dict[tuple[int, ...], bool]
"""The monomials of an entry, each with whether a weight enters its coefficient."""


def coefficients_that_vary(program: Program, budget: Budget) -> int:
    """At most how many coefficients of the outputs depend on the weights."""
    return sum(sum(entry.values()) for entry in occurring(program, budget))


def occurring(program: Program, budget: Budget) -> list[Monomials]:
    """The monomials that each output may have."""
    return _followed(program, [(j,) for j in range(program.inputs)], budget)


def coordinates(program: Program, budget: Budget) -> list[list[tuple[int, ...]]]:
    """For each output the monomials whose coefficients are coordinates, by falling degree, then lexicographically.

    They are all of some multidegrees: those that may occur, in the groups of inputs that are read separately.
    """
    groups = separate_inputs(program)
    entries = _followed(program, groups, budget, MOST_MULTIDEGREES)
    if not entries:
        groups = [tuple(range(program.inputs))]
        entries = _followed(program, groups, budget)
    counts = {each: math.prod(map(_count, groups, each)) for entry in entries for each in entry}
    total = sum(counts[each] for entry in entries for each in entry)
    budget.step("the coordinates", 10.0 * total if total <= MOST_COORDINATES else math.inf)
    known: dict[frozenset[tuple[int, ...]], list[tuple[int, ...]]] = {}
    for entry in map(frozenset, entries):
        if entry not in known:
            found = [alpha for each in entry for alpha in _of_multidegree(groups, each, program.inputs)]
            known[entry] = sorted(found, key=lambda alpha: (sum(alpha), alpha), reverse=True)
    return [known[frozenset(entry)] for entry in entries]


def _count(group: tuple[int, ...], degree: int) -> int:
    return math.comb(len(group) + degree - 1, degree) if degree <= MOST_COORDINATES else MOST_COORDINATES + 1


def _of_multidegree(groups: list[tuple[int, ...]], each: tuple[int, ...], n: int) -> Iterator[tuple[int, ...]]:
    words = [itertools.combinations_with_replacement(group, d) for group, d in zip(groups, each, strict=True)]
    for word in map(itertools.chain.from_iterable, itertools.product(*words)):
        times = [0] * n
        for j in word:
            times[j] += 1
        yield tuple(times)


def separate_inputs(program: Program) -> list[tuple[int, ...]]:
    """Groups of inputs of which linear forms enter products and outputs; all together if such groups overlap.

    Those of which none enters are groups of their own.
    """
    n = program.inputs
    forms: set[frozenset[int]] = set()
    none: frozenset[int] = frozenset()
    values: list[list[frozenset[int]]] = [[frozenset([j]) for j in range(n)]]
    for step in program.steps:
        x, y = values[step.reads[0]], values[step.reads[-1]]
        if step.word == "linear":
            size = step.data.shape[1]
            places = [x[k : k + size] for k in range(0, len(x), size)]
            read = [[j for j in range(size) if row[j] >= 0] for row in step.data]
            value = [none.union(*(place[j] for j in own)) for place in places for own in read]
        elif step.word == "gather":
            value = [x[i] for i in step.data.ravel()]
        elif step.word == "add":
            value = [a | b for a, b in zip(x, y, strict=True)]
        elif step.word == "bias" or (step.word == "power" and step.data == 1):
            value = x
        elif step.word == "polynomial":
            forms.update(x if any(step.data[2:]) else [])
            value = x if any(step.data[1:2]) else [none] * len(x)
        else:
            forms.update(x, y)
            value = [none] * math.prod(program.shapes[len(values)])
        values.append(value)
    forms = (forms | set(values[-1])) - {none}
    union = none.union(*forms)
    if len(forms) > 1 and sum(map(len, forms)) == len(union) and len(forms) + n - len(union) <= MOST_GROUPS:
        return sorted(tuple(sorted(form)) for form in (*forms, *(frozenset([j]) for j in range(n) if j not in union)))
    return [tuple(range(n))]


def _followed(
    program: Program, groups: list[tuple[int, ...]], budget: Budget, most: float = math.inf
) -> list[Monomials]:
    """The multidegrees of the outputs; none at all if one value may have more than ``most``."""
    n = len(groups)
    unit = {j: tuple(int(k == i) for k in range(n)) for i, group in enumerate(groups) for j in group}
    entries: list[list[Monomials]] = [[{unit[j]: False} for j in range(program.inputs)]]
    for step, shape in zip(program.steps, program.shapes[1:], strict=True):
        parts = [entries[i] for i in step.reads]
        entries.append(_monomials(step, shape, parts, n, program, budget))
        if max(map(len, entries[-1])) > most:
            return []
    return entries[-1]


def _union(parts: Iterable[Monomials]) -> Monomials:
    total: Monomials = {}
    for part in parts:
        for monomial, weighted in part.items():
            total[monomial] = weighted or total.get(monomial, False)
    return total


def _product(a: Monomials, b: Monomials, budget: Budget) -> Monomials:
    budget.step("the monomials of the outputs", 100.0 * len(a) * len(b))
    total: Monomials = {}
    for x, first in a.items():
        for y, second in b.items():
            monomial = tuple(map(sum, zip(x, y, strict=True)))
            total[monomial] = first or second or total.get(monomial, False)
    return total


def _raised(a: Monomials, exponent: int, n: int, budget: Budget) -> Monomials:
    result: Monomials = {(0,) * n: False}
    for bit in bin(exponent)[2:]:
        result = _product(result, result, budget)
        if bit == "1":
            result = _product(result, a, budget)
    return result


def _monomials(
    step: Step, shape: tuple[int, ...], parts: list[list[Monomials]], n: int, program: Program, budget: Budget
) -> list[Monomials]:
    """The monomials of the entries of one value."""
    x = parts[0]
    budget.step("the monomials of the outputs", 100.0 * math.prod(shape))
    if step.word == "gather":
        return [x[i] for i in step.data.ravel()]
    if step.word == "bias":
        return [_union((a, {(0,) * n: True})) for a in x]
    if step.word == "add":
        return [_union(pair) for pair in zip(x, parts[1], strict=True)]
    if step.word == "multiply":
        return [_product(a, b, budget) for a, b in zip(x, parts[1], strict=True)]
    if step.word == "power":
        return [_raised(a, step.data, n, budget) for a in x]
    if step.word == "polynomial":
        terms = [k for k, c in enumerate(step.data) if c]
        return [_union(_raised(a, k, n, budget) for k in terms) for a in x]
    if step.word == "matmul":
        t = program.shapes[step.reads[0]][-1]
        (s, u), y = shape, parts[1]
        return [
            _union(_product(x[i * t + j], y[j * u + k], budget) for j in range(t)) for i in range(s) for k in range(u)
        ]
    m, size = step.data.shape
    return [
        {alpha: True for j in range(size) if step.data[i, j] >= 0 for alpha in x[place * size + j]}
        for place in range(len(x) // size)
        for i in range(m)
    ]
