"""In which order rules are preferred, which of them cost time, and to which depths they apply."""

from __future__ import annotations

import itertools

import pytest

from polygeom.dimensions.bounds import bound
from polygeom.dimensions.bounds.bound import RULES, Rule, rules_about

QUICK = [
    *("parameters", "ambient", "Segre–Veronese", "Veronese", "quadrics", "symmetries", "one token", "homogenised"),
    *("completed square", "quadratic function", "heads of full rank", "idle layer", "surplus", "inputs", "outputs"),
    *("rotations", "cut", "lift", "hypersurface", "span", "pencil"),
]
COSTLY = [
    *("one token at a time", "identifications", "linear span", "monomials", "graph cut", "graph span", "graph lift"),
    *("cells", "graph outputs", "graph surplus", "shifted square", "graph hypersurface", "graph identifications"),
    *("graph pencil", "vector fields", "equations"),
]


def ours() -> list[Rule]:
    """Without rules that other tests have added."""
    return [rule for rule in RULES.values() if rule.name in QUICK or rule.name in COSTLY]


def test_rules_are_preferred_in_this_order() -> None:
    """Of two reasons for the same bound the first is told."""
    assert [rule.name for rule in ours() if not rule.costly] == QUICK
    assert [rule.name for rule in ours() if rule.costly] == COSTLY
    assert [rule.name for rule in ours() if rule.last] == ["vector fields", "equations"]
    assert [rule.name for rule in ours() if rule.equality] == ["one token at a time", "idle layer", "surplus"]
    assert [rule.name for rule in ours() if rule.counts] == ["parameters", "ambient", "symmetries"]
    orders = [rule.order for rule in ours()]
    assert orders == sorted(orders)
    assert orders[0] < orders[1] < orders[2]


# the shallowest networks at which each rule says something
SHALLOWEST = {
    "parameters": ((1, 1), ()),
    "ambient": ((1, 1), ()),
    "idle layer": ((1, 1, 1), (1,)),
    "quadrics": ((1, 1, 1), (2,)),
    "Veronese": ((3, 5, 1), (4,)),
    "Segre–Veronese": ((3, 5, 2), (3,)),
    "outputs": ((1, 1, 2), (1,)),
    "surplus": ((1, 2, 1), (1,)),
    "inputs": ((2, 1, 1), (1,)),
    "span": ((2, 1, 1), (1,)),
    "rotations": ((2, 2, 1), (2,)),
    "cut": ((1, 1, 1, 1), (1, 1)),
    "lift": ((1, 1, 1, 1), (1, 1)),
    "hypersurface": ((2, 3, 1, 1), (1, 1)),
    "pencil": ((4, 8, 35, 22), (2, 2)),
    "identifications": ((3, 5, 30, 1), (3, 6)),
}


def test_every_rule_is_asked_from_its_shallowest_network_on() -> None:
    perceptrons = [rule for rule in ours() if rule.perceptrons is not None]
    assert {rule.name for rule in perceptrons} == SHALLOWEST.keys()
    for rule in perceptrons:
        widths, degrees = SHALLOWEST[rule.name]
        assert rule.perceptrons is not None
        assert next(iter(rule.perceptrons(widths, degrees, 10**9)), None) is not None, rule.name
        assert rule in rules_about(len(degrees))
        assert (rule in rules_about(len(degrees) + 1)) == (rule.name not in ("quadrics", "Veronese", "Segre–Veronese"))


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_rule_that_is_not_asked_has_nothing_to_say(depth: int) -> None:
    others = [rule for rule in ours() if rule.perceptrons is not None and rule not in rules_about(depth)]
    assert bool(others)
    for rule in others:
        assert rule.perceptrons is not None
        for widths in itertools.product((1, 2, 3), repeat=depth + 2):
            for degrees in itertools.product((1, 2, 3), repeat=depth):
                assert next(iter(rule.perceptrons(widths, degrees, 10**9)), None) is None, (rule.name, widths, degrees)


def test_depths_have_two_ends() -> None:
    assert [bound._reaches((1, 3), depth) for depth in range(5)] == [False, True, True, True, False]
    assert [bound._reaches((2, None), depth) for depth in (1, 2, 10**9)] == [False, True, True]
