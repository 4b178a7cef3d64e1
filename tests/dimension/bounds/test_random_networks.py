"""No rule says less than an independent rank: random networks of all families.

In every inequality the dimensions of the parts are ranks, too: sharper than comparing bounds. All ranks are those of
derivatives by dual numbers, taken by FLINT, which share no line with what `polygeom.dimensions` computes.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

import pytest
from dimension.bounds.random_networks import networks, true_rank

from polygeom.dimensions.bounds.bound import RULES, Instance, Rule
from polygeom.network import Network, mlp

BY_PARTS = {"graph cut", "graph span", "graph lift", "graph outputs", "graph surplus", "cells", "shifted square"}
EXPANDED = {"monomials", "linear span", "vector fields", "equations"}


def instances(network: Network, few: int) -> Iterator[tuple[Rule, Instance]]:
    """Every inequality for a network; those of the last rules where weights, ``few`` at most, leave them something."""
    gap = network.parameter_count <= few and true_rank(network) < network.parameter_count - network.gauge
    for rule in RULES.values():
        found: Iterable[Instance] = ()
        if network.widths is not None and network.activation_degrees is not None and rule.perceptrons is not None:
            found = rule.perceptrons(network.widths, network.activation_degrees, network.parameter_count)
        elif network.widths is None and rule.networks is not None and (gap or not rule.last):
            found = rule.networks(network)
        yield from ((rule, instance) for instance in found)


def check(given: Iterable[Network], few: int, most: int) -> Counter[str]:
    """Compare every rule with ranks; how many inequalities of each there were.

    The last rules are asked about networks of up to ``few`` weights; of parts with more than ``most`` no rank is taken.
    """
    seen: Counter[str] = Counter()
    for network in given:
        truth = true_rank(network)
        for rule, instance in instances(network, few):
            parts = [part if isinstance(part, Network) else mlp(*part) for part in instance.parts]
            if not all(0 < part.parameter_count <= most for part in parts):
                continue
            said = instance.constant + sum(map(true_rank, parts))
            assert said >= truth, f"{rule.name} says dim ≤ {said}, but it is {truth}: {network}"
            assert said == truth or not rule.equality, f"{rule.name} is no equality: {network}"
            seen[rule.name] += 1
    return seen


def test_no_rule_says_less_than_a_rank() -> None:
    seen = check(islice(networks(random.Random(18), 9, 8), 2000), few=5, most=40)
    assert seen.keys() >= BY_PARTS | EXPANDED


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_rule_says_less_than_a_rank_of_twenty_thousand() -> None:
    check(islice(networks(random.Random(19), 26, 24), 20_000), few=5, most=100)
