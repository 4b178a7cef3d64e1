"""What the checker takes for a step about a perceptron, and what not: each hypothesis of each rule fails somewhere.

Around a case of a rule stand those with one width or one degree more or less, and a layer more or less. Everything that
the rule says of one of them is put to all the others, with other constants, layers and parts: a step is accepted where
the search, which has its own statement of the rule, says just that of just this case.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cache

import pytest

from polygeom.dimensions.bounds.architecture import below, orbit
from polygeom.dimensions.bounds.bound import RULES
from polygeom.dimensions.counts import Degrees, Widths
from polygeom.dimensions.proofs import rules
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.rules import Case, Step

Said = tuple[int, tuple[Case, ...], int]
"""Constant, parts, layer."""

CASES: dict[str, list[Case]] = {
    "parameters": [((3, 2, 4, 3, 1), (1, 2, 1)), ((2, 1, 2), (1,)), ((3, 2), ())],
    "ambient": [((2, 2, 2, 2), (2, 3)), ((3, 2), ())],
    "quadrics": [((3, 2, 1), (2,)), ((3, 3, 1), (2,)), ((2, 1, 1), (2,))],
    "Veronese": [((5, 7, 1), (3,)), ((3, 5, 1), (4,)), ((4, 9, 1), (4,)), ((5, 14, 1), (4,))],
    "Segre–Veronese": [((4, 5, 3), (2,)), ((6, 8, 3), (2,)), ((3, 5, 2), (3,)), ((4, 6, 5), (2,)), ((2, 2, 3), (2,))],
    "idle layer": [((2, 3, 2, 1), (1, 2)), ((3, 2, 2, 2, 3), (1, 1, 1)), ((2, 2, 4, 2), (2, 1)), ((1, 1, 2), (1,))],
    "surplus": [((2, 4, 2), (2,)), ((2, 3, 9, 4), (2, 2)), ((2, 4, 7, 6, 1), (2, 1, 2)), ((1, 2, 2, 1), (2, 2))],
    "inputs": [((3, 2, 2), (2,)), ((4, 1, 3, 1), (2, 2)), ((3, 2), ())],
    "outputs": [((2, 2, 3), (2,)), ((2, 4, 6), (2,)), ((1, 3, 2, 4), (2, 2)), ((2, 3), ())],
    "rotations": [((3, 3, 2, 1), (2, 2)), ((2, 3, 1), (2,)), ((1, 2, 3, 1), (2, 2)), ((2, 1, 1), (2,)), ((2, 1), ())],
    "cut": [((2, 2, 2, 1), (2, 2)), ((2, 3, 2, 3, 1), (2, 1, 2)), ((2, 4, 3, 4, 2), (1, 2, 1)), ((2, 2, 1), (1,))],
    "lift": [((2, 2, 2, 1), (2, 2)), ((1, 2, 3, 2, 1), (2, 1, 3))],
    "span": [((2, 2, 2, 1), (2, 2)), ((2, 3, 2), (2,)), ((1, 2, 3, 2), (3, 1))],
    "hypersurface": [((2, 3, 2, 2), (2, 2)), ((3, 4, 5, 3, 2), (2, 2, 8)), ((2, 3, 3, 2, 1), (1, 2, 2)),
                     ((2, 2, 3, 4, 1), (2, 2, 2))],
    "pencil": [((4, 8, 35, 1), (2, 2)), ((4, 8, 9, 2, 1), (2, 2, 2)), ((4, 8, 1), (2,))],
}  # fmt: skip


def around(case: Case) -> Iterator[Case]:
    widths, degrees = case
    yield case
    for step in (-1, 1):
        for k, width in enumerate(widths):
            if width + step:
                yield (*widths[:k], width + step, *widths[k + 1 :]), degrees
        for k, r in enumerate(degrees):
            if r + step:
                yield widths, (*degrees[:k], r + step, *degrees[k + 1 :])
    if degrees:
        yield (widths[0], *widths[2:]), degrees[1:]
        yield widths[:-1], degrees[:-1]
    yield (*widths, 1), (*degrees, 2)
    yield (widths[0], *widths), (2, *degrees)


@cache
def says(rule: str, widths: Widths, degrees: Degrees) -> frozenset[Said]:
    found = {tuple(one[:3]) for one in RULES[rule].perceptrons(widths, degrees, 10**9)}  # type: ignore[misc]
    if rule == "cut" and len(widths) == 3:  # of no use to the search
        found.add((-orbit(widths, degrees, 1), (below(widths, degrees, 1), (widths[1:], degrees[1:])), 1))
    if rule == "surplus" and not found:  # nor is this: the case by itself
        found.add((0, ((widths, degrees),), 0))
    return frozenset(found)


def altered(said: Said, layers: int) -> Iterator[Said]:
    constant, parts, layer = said
    yield from ((constant + step, parts, layer) for step in (-1, 1))
    yield from ((constant, parts, other) for other in range(max(1, layers)) if other != layer)
    yield from ((constant, other, layer) for other in (parts[:-1], parts[::-1], (*parts, *parts), ()))
    for k, (widths, degrees) in enumerate(parts):
        for place in range(len(widths)):
            changed = (*widths[:place], widths[place] + 1, *widths[place + 1 :]), degrees
            yield constant, (*parts[:k], changed, *parts[k + 1 :]), layer
        for place in range(len(degrees)):
            changed = widths, (*degrees[:place], degrees[place] + 1, *degrees[place + 1 :])
            yield constant, (*parts[:k], changed, *parts[k + 1 :]), layer
        yield constant, (*parts[:k], (widths[:-1], degrees[:-1]), *parts[k + 1 :]), layer


def as_step(rule: str, case: Case, said: Said) -> Step:
    constant, parts, layer = said
    made = [Step(1000, "ambient", list(widths), list(degrees), 0, []) for widths, degrees in parts]
    return Step(constant + 1000 * len(parts), rule, list(case[0]), list(case[1]), layer, made)


def careless(rule: str, widths: Widths, degrees: Degrees) -> Iterator[Said]:
    """What the rule would say if it had no hypotheses; where its numbers make no sense, it may raise."""
    layers, last = range(1, len(widths) - 1), len(widths) - 1
    if rule in ("ambient", "parameters", "quadrics", "Veronese", "Segre–Veronese"):
        yield from ((constant, (), 0) for constant in range(140))
    elif rule in ("idle layer", "surplus"):
        yield 0, ((widths, degrees),), 0
        yield from ((0, ((widths[:k] + widths[k + 1 :], degrees[: k - 1] + degrees[k:]),), 0) for k in layers)
        for k in layers:
            yield from ((0, (((*widths[:k], w, *widths[k + 1 :]), degrees),), 0) for w in range(1, widths[k]))
    elif rule == "inputs":
        yield widths[1] * (widths[0] - widths[1]), (((widths[1], *widths[1:]), degrees),), 0
    elif rule == "outputs":
        w = widths[-2]
        yield from ((c * (widths[-1] - w), (((*widths[:-1], w), degrees),), 0) for c in range(1, 9))
    elif rule == "rotations":
        s = widths[-2]
        yield -(s * (s - 1) // 2), ((widths[:-1], degrees[:-1]),), 0
    elif rule == "cut":
        yield from ((-c, (below(widths, degrees, k), (widths[k:], degrees[k:])), k) for k in layers for c in range(20))
    elif rule == "lift":
        for k in layers:
            yield from ((0, (((space, *widths[k:]), degrees[k - 1 :]),), k) for space in range(1, 9))
    elif rule == "span":
        yield from ((c, ((widths[k:], degrees[k:]),), k) for k in layers for c in range(-20, 20))
    elif rule == "pencil":
        yield from ((15, (((34, *widths[j:]), degrees[j - 1 :]),), k) for k in (0, 1, 2) for j in range(2, last + 1))
    else:
        for k, i in itertools.product(layers, range(last)):
            relation = math.prod(degrees[i:k]) ** max(1, widths[k] - 2)
            for j in range(k + 1, last + 1):
                space = max(
                    1, monomials(widths[k], t := math.prod(degrees[k : j - 1])) - monomials(widths[k], t - relation)
                )
                for c in {widths[k], widths[k] ** 2}:
                    yield -c, (below(widths, degrees, k), ((space, *widths[j:]), degrees[j - 1 :])), k


def monomials(variables: int, degree: int) -> int:
    return math.comb(variables + degree - 1, degree) if degree >= 0 else 0


@pytest.mark.parametrize("rule", CASES)
def test_every_hypothesis_is_asked_for(rule: str) -> None:
    for base in CASES[rule]:
        family = list(dict.fromkeys(around(base)))
        proposed = set().union(*(says(rule, *case) for case in family))
        for case in family:
            layers, right = len(case[0]) - 1, says(rule, *case)
            assert len(right) == len({(parts, layer) for _, parts, layer in right})
            more = [wrong for said in right for wrong in altered(said, layers)]
            for said in {*proposed, *more, *careless(rule, *case)}:
                if said[2] < max(1, layers):
                    accepted = rules._RULES[rule](as_step(rule, case, said), Budget())
                    assert accepted == (said in right), (case, said)


def test_numbers_beyond_all_are_refused() -> None:
    """Where there are more monomials than the checker counts to, no number of them is taken."""
    largest = rules.LARGEST
    assert rules.monomials(3, largest - 1) > largest
    assert rules.monomials(largest, 1) == largest
    assert rules.product((2**31, 2**31)) == largest
    assert rules.product((2**31, 2**31, 2)) > largest
    for r, holds in ((40, True), (2**40, False), (largest, False)):
        case, t = ((2, 3, 2, 1), (1, r)), r
        for space in {rules.monomials(3, t) - rules.monomials(3, t - 1), 1, t + 1, largest}:
            parts = (((2, 3), ()), ((space, 1), ()))
            accepted = rules._hypersurface(as_step("hypersurface", case, (-3, parts, 1)), Budget())
            assert accepted is (holds and space == t + 1), (r, space)
