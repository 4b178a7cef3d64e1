"""Every family is proved: the test set of upper bounds, each proof checked again, and told in one line."""

from __future__ import annotations

import pytest
from dimension.every_family import FAMILIES, biased, quadratic, texts

from polygeom import verify
from polygeom.dimensions import certify, dimension
from polygeom.dimensions.explain import explain
from polygeom.dimensions.result import DimensionResult


def is_told_in_one_line(result: DimensionResult) -> None:
    """With the network, its dimension, and either that it is as expected or the rules that bound it."""
    explanation = explain(result)
    line = str(explanation)
    assert "\n" not in line
    assert len(line) < 2000
    assert line.startswith(f"{result.network}: ")
    assert f"dimension {result.dimension}" in line
    if explanation.verdict == "no defect":
        assert line.endswith("as expected")
    else:
        assert explanation.verdict == "explained"
        assert f"{result.defect} below the expected {result.expected_dimension}" in line
        assert all(cause.split(" at ")[0] in line for cause in explanation.causes)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_proved(family: str) -> None:
    results = {text: dimension(text) for text in dict.fromkeys(texts(family))}
    assert [text for text, result in results.items() if not result.proved] == []
    for result in results.values():
        is_told_in_one_line(result)


@pytest.mark.thorough
def test_sweeps_of_small_networks_are_proved() -> None:
    for text in (*quadratic(), *biased()):
        result = dimension(text)
        assert result.proved, text
        is_told_in_one_line(result)


@pytest.mark.slow
def test_all_of_them_and_their_certificates() -> None:
    every = dict.fromkeys([*(text for family in FAMILIES for text in texts(family)), *biased(), *quadratic()])
    for text in every:
        result = dimension(text)
        is_told_in_one_line(result)
        outcome = verify(certify(text, result=result))
        assert outcome.valid, (text, outcome.checks)
        assert " if " not in outcome.claim
        assert outcome.claim.endswith(f"is {result.dimension}") == result.proved
        assert result.proved, text


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
