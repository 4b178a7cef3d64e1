"""No altered certificate is called valid unless what it says is true; every one is answered, soon and in words."""

from __future__ import annotations

import copy
import os
import random
import resource
import time
from collections import Counter

import pytest
from certificates.alterations import alter
from certificates.honest import honest
from certificates.truths import TRUTHS, Data, computed_dimension, is_cone, survey, true

import polygeom
from polygeom.dimensions.proofs.graphs.steps import GRAPH_RULES
from polygeom.errors import PolygeomError

FAST = 20_000
SLOW = int(os.environ.get("POLYGEOM_ALTERATIONS", "1000000"))
SECONDS, BYTES = 2.0, 200 * 10**6


def verdict(data: Data) -> bool | None:
    """Whether it is called valid; None if it is refused. Any exception but ours is an error of the test."""
    try:
        return polygeom.verify(data, timeout=SECONDS, memory=BYTES).valid
    except PolygeomError:
        return None


def test_the_honest_ones_are_valid_and_true() -> None:
    kinds = Counter((data["kind"], "map" if data["network"].startswith("map(") else "network") for data in honest())
    assert kinds == {
        ("dimension", "network"): 45, ("dimension", "map"): 5, ("ideal", "network"): 12, ("ideal", "map"): 9,
        ("frontier", "network"): 2,
    }  # fmt: skip
    rules = {data["upper"]["rule"] for data in honest() if data["kind"] == "dimension"}
    assert GRAPH_RULES.keys() - rules == {"graph pencil", "graph identifications"}  # their smallest networks are large
    for data in honest():
        assert verdict(data) is True
        assert true(data)


def test_a_field_that_says_nothing_is_empty() -> None:
    """The layer of a rule that is not about a layer."""
    rules = set()
    for data in honest():
        if data["kind"] == "dimension" and data["upper"]["layer"] == 0:
            rules.add(data["upper"]["rule"])
            altered = copy.deepcopy(data)
            altered["upper"]["layer"] = 1
            assert not verdict(altered), data["network"]
    assert len(rules) > 12


@pytest.mark.parametrize("text", TRUTHS)
def test_the_oracle_computes_what_the_literature_says(text: str) -> None:
    truth = TRUTHS[text]
    top = max(truth.counts, default=1)
    hilbert, counts = survey(text, truth.cone, top)
    assert hilbert == truth.hilbert(top)
    assert {d: n for d, n in counts.items() if n} == truth.counts
    assert (computed_dimension(text), is_cone(text)) == (truth.dimension, truth.cone)


def run(count: int, seed: int) -> dict[str, int]:
    found = {"valid": 0, "not valid": 0, "refused": 0}
    slowest = 0.0
    for number in range(100):
        verdict(alter(random.Random(f"first {number}")))  # loads libraries, which is not the memory of a check
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        data = alter(random.Random(f"{seed} {number}"))
        started = time.process_time()
        answer = verdict(data)
        slowest = max(slowest, time.process_time() - started)
        assert answer is not True or true(data), f"seed {seed}, number {number}: {str(data)[:500]}"
        found["valid" if answer else "refused" if answer is None else "not valid"] += 1
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert slowest < SECONDS, f"{slowest:.1f} s"
    assert grown < BYTES, f"{grown} bytes"
    return found


def test_twenty_thousand_alterations() -> None:
    found = run(FAST, 0)
    assert all(found.values()), found


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_a_million_alterations() -> None:
    """POLYGEOM_ALTERATIONS sets another number."""
    print(run(SLOW, 1))
