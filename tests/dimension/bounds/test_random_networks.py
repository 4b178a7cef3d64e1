"""No rule for networks of any kind says less than an independent rank: random networks of all families.

In every inequality the ranks of the parts stand in place of their dimensions: sharper than comparing bounds. The truth
is a rank of derivatives by dual numbers, taken by FLINT, which share no line with the ranks of the parts.
"""

from __future__ import annotations

import random
from collections import Counter

import flint
import numpy as np
import pytest
from dimension.bounds.random_networks import network as random_network

from polygeom.dimensions.bounds.bound import RULES
from polygeom.dimensions.bounds.graphs import rank_of
from polygeom.engines.dual_numbers import dual_jacobian
from polygeom.network import Network

P = 2**26 - 5


def true_rank(network: Network, seed: int) -> int:
    rng = np.random.default_rng(seed)
    weights = {name: rng.integers(0, P, size=shape) for name, shape in network.parameters.items()}
    count = -(-network.parameter_count // network.output_dimension) + 2
    points = rng.integers(0, P, size=(count, *network.input_shape))
    rows = dual_jacobian(network, P, weights, points).reshape(-1, network.parameter_count)
    return int(flint.nmod_mat(*rows.shape, [int(c) for c in rows.ravel()], P).rank())


def check(first: int, count: int) -> Counter[str]:
    """Check the networks of ``count`` seeds; how many inequalities of each rule there were."""
    seen: Counter[str] = Counter()
    for seed in range(first, first + count):
        network = random_network(random.Random(seed))
        if network.widths is not None:
            continue
        truth = true_rank(network, seed)
        for rule in RULES.values():
            if rule.last or rule.networks is None:
                continue  # what the last rules say is expanded, and tested by itself
            for instance in rule.networks(network):
                ranks = list(map(rank_of, instance.parts))
                if 0 in ranks:  # a part of too many weights
                    continue
                said = instance.constant + sum(ranks)
                assert said >= truth, f"seed {seed}: {rule.name} says dim ≤ {said}, but it is {truth}: {network}"
                assert said == truth or not rule.equality, f"seed {seed}: {rule.name} is no equality: {network}"
                seen[rule.name] += 1
    return seen


def test_no_rule_says_less_than_a_rank() -> None:
    """120 networks, as 2,000 take a minute; the slow test has 20,000."""
    seen = check(0, 120)
    assert {"graph cut", "graph span", "graph lift", "cells", "monomials"} <= seen.keys()


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_no_rule_says_less_than_a_rank_of_many(part: int) -> None:
    check(1000 + 1000 * part, 1000)
