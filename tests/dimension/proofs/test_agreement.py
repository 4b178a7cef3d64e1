"""Both statements of every rule, that of the search and that of the checker, allow the same steps and no others."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest
from dimension.bounds.test_rules import CASES
from msgspec import structs

from polygeom.dimensions.bounds.bound import RULES, Bound, Instance
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.bounds.search import part_bound
from polygeom.dimensions.proofs import rules
from polygeom.dimensions.proofs.decoding import typed
from polygeom.dimensions.proofs.graphs.bounds import bound_holds
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import read
from polygeom.dimensions.proofs.rules import Case, Step
from polygeom.network import mlp, parse

pytestmark = pytest.mark.thorough

PERCEPTRONS = [name for name in rules.NAMES if name != "identifications"]
LARGE: list[Case] = [
    ((4, 8, 35, 22), (2, 2)),
    ((4, 8, 36, 22), (2, 2)),
    ((4, 8, 35, 22), (2, 3)),
    ((4, 8, 35, 22), (3, 2)),
    ((4, 7, 35, 22), (2, 2)),
    ((4, 8, 35), (2,)),
    ((4, 8, 35, 20, 2), (2, 2, 1)),
    ((2, 3, 2, 2), (2, 2)),
    ((2, 3, 4, 2), (2, 2)),
    ((3, 4, 3, 2, 2), (2, 2, 2)),
    ((2, 3, 3, 6, 6, 3), (2, 2, 2, 2)),
    ((2, 4, 3, 7, 4, 2), (3, 1, 3, 3)),
    ((3, 5, 2), (3,)),
    ((3, 5, 2, 1), (3, 1)),
    ((4, 6, 5), (2,)),
    ((4, 5, 3), (2,)),
    ((6, 8, 3), (2,)),
    ((5, 7, 3), (2,)),
    ((2, 2, 3), (2,)),
    ((6, 9, 3), (2,)),
    ((5, 7, 1), (3,)),
    ((3, 5, 1), (4,)),
    ((4, 9, 1), (4,)),
    ((5, 14, 1), (4,)),
    ((5, 14, 2), (4,)),
    ((5, 14, 1), (3,)),
    ((3, 2, 1), (2,)),
    ((4, 4, 1), (2,)),
    ((2, 3, 1), (2,)),
    ((3, 2, 1), (3,)),
    ((3, 3, 2, 1), (2, 2)),
    ((3, 3, 2, 1), (2, 3)),
    ((3, 3, 2, 2), (2, 2)),
    ((2, 3, 4, 1), (1, 2)),
]


def cases() -> Iterator[Case]:
    draw = random.Random(5)
    for hidden in range(4):
        for _ in range(2 + 2 * hidden):
            yield tuple(draw.randint(1, 5) for _ in range(hidden + 2)), tuple(draw.randint(1, 3) for _ in range(hidden))
    yield from LARGE


def instances(name: str, case: Case) -> list[Instance]:
    rule = RULES[name]
    assert rule.perceptrons is not None
    return [one for one in rule.perceptrons(*case, 10**9) if one.constant >= -60]


def neighbours(case: Case) -> Iterator[Case]:
    widths, degrees = case
    yield case
    for k, change in itertools.product(range(len(widths)), (-1, 1)):
        if widths[k] + change > 0:
            yield (*widths[:k], widths[k] + change, *widths[k + 1 :]), degrees
    for k in range(len(degrees)):
        yield widths, (*degrees[:k], degrees[k] % 3 + 1, *degrees[k + 1 :])


def leaf(case: Case, value: int) -> Step:
    return Step(value, "x", list(case[0]), list(case[1]), 0, [])


def candidates(case: Case) -> set[tuple[int, tuple[Case, ...], int]]:
    """What some rule says about this perceptron, and what it says about another, and both with one number changed."""
    own, *others = ({one[:3] for name in PERCEPTRONS for one in instances(name, other)} for other in neighbours(case))
    found: set[Any] = own.union(*others)
    for constant, parts, layer in own:
        found |= {(constant - 1, parts, layer), (constant + 1, parts, layer)}
        found |= {(constant, parts, layer + 1), (constant, parts, 0), (constant, parts[:-1], layer)}
        found.add((constant, (*parts, *parts[-1:]), layer))
    return found


def without_hypotheses(case: Case) -> Iterator[tuple[int, tuple[Case, ...], int]]:
    """What the rules for one hidden layer would say if they asked for nothing."""
    (n, s, *_, m), r = case[0], case[1][0]
    yield min(m * math.comb(n + r - 1, r), s * (n + m - 1)) - 1, (), 0
    yield s * n - s * (s - 1) // 2, (), 0
    for value in (34, 14, 69):
        yield value, (), 0


def test_closed_rules_ask_for_their_cases() -> None:
    budget = Budget(60, 2**30)
    names = ("Segre–Veronese", "Veronese", "quadrics")
    near = {other for case in LARGE if len(case[1]) == 1 for one in neighbours(case) for other in neighbours(one)}
    for case in sorted(near):
        for constant, parts, layer in without_hypotheses(case):
            for name in names:
                step = Step(constant, name, list(case[0]), list(case[1]), layer, [])
                allowed = (constant, parts, layer) in {one[:3] for one in instances(name, case)}
                assert rules._instance(step, budget) == allowed, (name, case, constant)
                assert not rules._instance(structs.replace(step, layer=1), budget)


def test_perceptrons() -> None:
    """The rule *identifications*, which takes a rank, has tests of its own."""
    budget, accepted = Budget(60, 2**30), dict.fromkeys(PERCEPTRONS, 0)
    for case in cases():
        listed = {name: {one[:3] for one in instances(name, case)} for name in PERCEPTRONS}
        for constant, parts, layer in candidates(case):
            below = [leaf(part, 100) for part in parts]
            value = constant + 100 * len(parts)
            for name in PERCEPTRONS:
                if name == "surplus" and parts == (case,):
                    continue  # that nothing is left out is no step of the search, and true
                step = Step(value, name, list(case[0]), list(case[1]), layer, below)
                allowed = (constant, parts, layer) in listed[name]
                held = rules._well_formed(step) and rules._instance(step, budget)
                assert held == allowed, (name, case, constant, parts, layer)
                accepted[name] += held
    assert min(accepted.values()) > 0, accepted


def altered(step: Step) -> Iterator[tuple[str, Step]]:
    """The same step in another form: parts, layer, and what belongs to other rules."""
    total = step.value
    for k, part in enumerate(step.parts):
        less = structs.replace(part, value=0, rule="ambient", parts=[], layer=0)
        parts = [*step.parts[:k], less, *step.parts[k + 1 :]]
        yield "a part that claims nothing is left", structs.replace(step, parts=parts, value=total - part.value)
    if step.parts:
        yield "a part less", structs.replace(step, parts=step.parts[:-1], value=total - step.parts[-1].value)
        yield "no part", structs.replace(step, parts=[])
    again = step.parts[-1] if step.parts else structs.replace(step, parts=[], layer=0, rule="ambient")
    yield "a part more", structs.replace(step, parts=[*step.parts, again], value=total + again.value)
    for layer in (0, 1, step.layer + 1):
        if layer != step.layer:
            yield "layer", structs.replace(step, layer=layer)
    yield "degrees", structs.replace(step, degrees=[*step.degrees, 2])
    yield "widths", structs.replace(step, widths=[*step.widths, 2])
    yield "network", structs.replace(step, network="x=input(1); dense(x,1)")
    if step.rule != "vector fields":
        yield "fields", structs.replace(step, fields=[[(0, 1, 1, [0])]])
    if step.rule != "equations":
        yield "equations", structs.replace(step, equations=[[(1, 1, [0])]])


@pytest.mark.parametrize("name", [name for name in CASES if RULES[name].networks is not None])
def test_networks(name: str) -> None:
    """A step with a part too many or too few, at another layer, or with what belongs to another rule is refused."""
    for case in CASES[name]:
        network, rule = mlp(*case) if isinstance(case, tuple) else parse(case), RULES[name]
        if rule.networks is None or isinstance(case, tuple):
            continue
        program, every = read(plain_text(network)), list(rule.networks(network))
        known = {(one.layer, one.parts) for one in every}
        for constant, parts, layer, fields, equations in every[:2]:
            bounds = tuple(part_bound(part, True) for part in parts)
            value = constant + sum(bound.value for bound in bounds)
            step = typed(Bound(value, name, (), (), layer, bounds, "", fields, equations), Step)
            assert bound_holds(program, step, Budget(60, 2**30))
            for what, other in altered(step):
                if (what == "layer" and (other.layer, parts) in known) or (what == "no part" and (layer, ()) in known):
                    continue
                assert not bound_holds(program, other, Budget(60, 2**30)), (name, case, what, other.layer)
