"""Every family is proved: the test set of upper bounds, each proof checked again, and told in one line."""

from __future__ import annotations

import pytest
from dimension.every_family import FAMILIES, biased, quadratic, texts

from polygeom import verify
from polygeom.dimensions import certify, dimension
from polygeom.dimensions.explain import explain

OPEN = {"skip": 1}
"""How many of the 24 networks of a family are not proved."""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_proved(family: str) -> None:
    results = {text: dimension(text) for text in dict.fromkeys(texts(family))}
    assert sum(not results[text].proved for text in texts(family)) == OPEN.get(family, 0)
    for result in results.values():
        line = str(explain(result))
        assert "\n" not in line
        assert len(line) < 2000


def test_sweeps_of_small_networks_are_proved() -> None:
    assert [text for text in quadratic()[::2] if not dimension(text).proved] == []
    assert [text for text in biased()[1::6] if not dimension(text).proved] == []


@pytest.mark.slow
def test_all_of_them_and_their_certificates() -> None:
    every = dict.fromkeys([*(text for family in FAMILIES for text in texts(family)), *biased(), *quadratic()])
    for text in every:
        result = dimension(text)
        outcome = verify(certify(text, result=result))
        assert outcome.valid, (text, outcome.checks)
        assert " if " not in outcome.claim
        assert outcome.claim.endswith(f"is {result.dimension}") == result.proved


KNOWN = {
    "[2,3,2,1] r=2 bias": 12,
    "[2,2,2,1] r=2 bias": 10,
    "[2,2,1] p=1,1,1": 5,
    "[3,3,1] p=1,1,1": 9,
    "[3,2,1] p=1,1,1": 7,
    "[5,3,2,4] r=1 bias": 18,
    "[5,2,4] r=1 bias": 18,
    "ncp(3,rank=2,degree=3)": 19,
}


@pytest.mark.parametrize("text", KNOWN)
def test_known_dimensions_are_proved(text: str) -> None:
    result = dimension(text)
    assert (result.dimension, result.proved) == (KNOWN[text], True)
