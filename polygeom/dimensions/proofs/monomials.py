"""Which monomials the outputs of a program may have, followed one by one, and which coefficients weights enter."""

from __future__ import annotations

import math
from collections.abc import Iterable

from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import Program, Step

Monomials = dict[tuple[int, ...], bool]
"""The monomials of an entry, each with whether a weight enters its coefficient."""


def coefficients_that_vary(program: Program, budget: Budget) -> int:
    """At most how many coefficients of the outputs depend on the weights."""
    return sum(sum(entry.values()) for entry in occurring(program, budget))


def occurring(program: Program, budget: Budget) -> list[Monomials]:
    """The monomials that each output may have."""
    n = program.inputs
    unit = [tuple(int(i == j) for j in range(n)) for i in range(n)]
    entries: list[list[Monomials]] = [[{unit[j]: False} for j in range(n)]]
    for step, shape in zip(program.steps, program.shapes[1:], strict=True):
        parts = [entries[i] for i in step.reads]
        entries.append(_monomials(step, shape, parts, n, program, budget))
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
