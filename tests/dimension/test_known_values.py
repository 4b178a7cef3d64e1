"""Dimensions that are theorems or published, each with its source."""

from __future__ import annotations

import pytest

from polygeom.dimensions import dimension

PUBLISHED = [
    ("[3,3,3] r=2", 15, "arXiv 2402.00949, Example 4.4 (affine)"),
    (
        "[5,5,5,1] r=2",
        35,
        "25 + 15 - 5: the two last layers reach every quadratic form; arXiv 1905.12207 code reports less",
    ),
    ("[4,10,10,1] r=2", 35, "filling: all quartics in 4 variables; too few sample points give 20"),
    ("[2,3,4,5,4,6,4,1] r=2", 65, "filling and minimal, not unimodal; arXiv 2605.09609"),
    ("[3,2,1] r=2", 5, "symmetric 3 x 3 matrices of rank 2"),
    ("[2,2,3] r=2", 8, "3 x 3 matrices of rank at most 2"),
]


@pytest.mark.parametrize(("network", "value", "source"), PUBLISHED, ids=lambda x: str(x)[:24])
def test_published_dimension_is_found_and_proved(network: str, value: int, source: str) -> None:
    result = dimension(network)
    assert (result.dimension, result.proved) == (value, True), source
