"""The weight spaces of a degree together: what is small is done at once for all of them, what is not one by one."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from polygeom.errors import BudgetError
from polygeom.ideal.grading.grading import Weight
from polygeom.ideal.grading.spaces import Monomials
from polygeom.ideal.search.equations import Equation
from polygeom.ideal.search.weightspace import SURPLUS, Problem, SpaceReport, equations_of, guessed, solve_space
from polygeom.modular import Residues
from polygeom.modular.batches import nullspaces

SMALL = 24
"""Monomials up to which a weight space is done together with others of its size."""
BATCH = 1 << 19
"""Values of monomials worked on at a time."""

Solved = tuple[SpaceReport, list[Equation]]


def solve_spaces(problem: Problem, weights: Sequence[Weight]) -> list[Solved]:
    """`solve_space` for several weights, with the same outcome.

    Raises
    ------
    BudgetError
        If the deadline or the memory does not suffice for the dimensions.
    """
    together = dict(_together(problem, weights))
    return [together.get(weight) or solve_space(problem, weight) for weight in weights]


def _together(problem: Problem, weights: Sequence[Weight]) -> Iterator[tuple[Weight, Solved]]:
    """The small weight spaces, but those that hold multiples of equations of lower degree.

    A product of coordinates is no equation, for no coordinate that is kept is one and the coordinate ring is a domain.
    """
    listed = problem.spaces.listed(problem.degree)
    if listed is None:
        return
    sizes: dict[int, list[tuple[Weight, Monomials]]] = defaultdict(list)
    for weight in weights:
        size = len(listed[weight])
        if size == 1 and problem.degree > 1:
            yield weight, (_report(problem, weight, 1, 0), [])
        elif size <= SMALL:
            sizes[size].append((weight, listed[weight]))
    for size, members in sizes.items():
        step = max(1, BATCH // (size * (size + SURPLUS)))
        for start in range(0, len(members), step):
            if problem.deadline is not None and time.monotonic() > problem.deadline:
                raise BudgetError(f"the time was over in degree {problem.degree}; raise timeout= or lower max_degree=")
            yield from _of_one_size(problem, members[start : start + step])


def _of_one_size(problem: Problem, members: Sequence[tuple[Weight, Monomials]]) -> Iterator[tuple[Weight, Solved]]:
    bases = nullspaces(_values(problem, np.stack([monomials for _, monomials in members])), problem.field)
    found = list(zip(members, bases, strict=True))
    if problem.equations:  # multiples of these account for some relations, which is not seen here
        found = [(member, basis) for member, basis in found if not len(basis)]
    guesses = guessed(problem, np.concatenate([basis for _, basis in found])) if found else []
    start = 0
    for (weight, monomials), relations in found:
        own = guesses[start : start + len(relations)]
        start += len(relations)
        report = _report(problem, weight, len(monomials), len(relations))
        yield weight, (report, equations_of(problem, weight, monomials, relations, own))


def _values(problem: Problem, monomials: Monomials) -> Residues:
    """Values ``(batch, points, monomials)`` of monomials ``(batch, monomials, degree)`` at random points."""
    points = problem.ground.values(problem.ground.prime, monomials.shape[1] + SURPLUS)
    values = points[monomials[:, :, 0]]
    for k in range(1, problem.degree):
        values = problem.field.multiply(values, points[monomials[:, :, k]])
    return values.transpose(0, 2, 1)


def _report(problem: Problem, weight: Weight, monomials: int, relations: int) -> SpaceReport:
    return SpaceReport(weight, problem.grading.orbit_size(weight), monomials, 0, monomials - relations)
