"""The ideals of small networks: numbers and degrees of minimal generators, Hilbert functions, completeness."""

from __future__ import annotations

import math
from functools import cache

import pytest

from polygeom.ideal import interpolate
from polygeom.ideal.grading.characters import representation_dimension
from polygeom.ideal.search.completeness import series
from polygeom.ideal.search.search import Search

# network, minimal generators by degree, degree of the neurovariety, numerator of the Hilbert series
COMPLETE = [
    ("[3,2,1] r=2", {3: 1}, 3, (1, 1, 1)),
    ("[2,2,3] r=2", {3: 1}, 3, (1, 1, 1)),
    ("[2,2,1] r=4", {3: 1}, 3, (1, 1, 1)),
    ("[4,2,1] r=2", {3: 10}, 10, (1, 3, 6)),
    ("[2,2,2] r=3", {3: 4}, 6, (1, 2, 3)),
    ("[3,2,1] r=3", {3: 20}, 15, (1, 4, 10)),
    ("[3,2,2] r=2", {3: 20}, 15, (1, 4, 10)),
    ("[4,3,1] r=2", {4: 1}, 4, (1, 1, 1, 1)),
    ("[3,2,3] r=2", {3: 94}, 81, (1, 8, 36, 26, 10)),
    ("[5,3,1] r=2", {4: 15}, 20, (1, 3, 6, 10)),
    ("[3,3,1] r=3", {4: 1}, 4, (1, 1, 1, 1)),
    ("[2,2,2,2] r=2", {5: 6}, 15, (1, 2, 3, 4, 5)),
    ("[3,3,3] r=2", {4: 9}, 30, (1, 3, 6, 10, 6, 3, 1)),
    ("[3,4,1] r=4", {5: 21}, 35, (1, 3, 6, 10, 15)),
    ("[3,5,1] r=4", {6: 1}, 6, (1, 1, 1, 1, 1, 1)),
    ("[3,3,1] r=4", {4: 105}, 112, (1, 6, 21, 56, 21, 6, 1)),
]


LONG = {"[3,3,1] r=4"}


@cache
def found(network: str, top: int) -> Search:
    """A search that several tests look at."""
    return interpolate(network, top)


@pytest.mark.parametrize(
    ("network", "counts", "degree", "h"),
    [pytest.param(*row, id=row[0], marks=[pytest.mark.slow] if row[0] in LONG else []) for row in COMPLETE],
)
def test_minimal_generators_and_completeness(
    network: str, counts: dict[int, int], degree: int, h: tuple[int, ...]
) -> None:
    search = found(network, 7)
    result = search.result
    assert result.degrees == counts
    assert result.complete
    assert all(g.proved_member for g in result.generators)
    assert len(result.generators) == sum(counts.values())
    assert search.completeness is not None
    assert (search.completeness.degree, search.completeness.h_vector) == (degree, h)
    assert result.hilbert_function == series(h, search.dimension.dimension, len(result.hilbert_function))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("network", "top"), [("[3,3,3] r=2", 6), ("[2,2,2,2] r=2", 7), ("[3,2,3] r=2", 5), ("[2,2,2,1] r=3", 7)]
)
def test_hilbert_functions_beyond_the_generators(network: str, top: int) -> None:
    """The search by weight spaces, which does not use the argument for completeness, agrees with it in more degrees."""
    from polygeom.ideal.search.interpolation import Interpolation

    search = Interpolation(network, lift=0)
    for _ in range(top):
        search.advance()
    expected = {
        "[3,3,3] r=2": series((1, 3, 6, 10, 6, 3, 1), 15, top + 1),
        "[2,2,2,2] r=2": series((1, 2, 3, 4, 5), 8, top + 1),
        "[3,2,3] r=2": series((1, 8, 36, 26, 10), 10, top + 1),
        "[2,2,2,1] r=3": (1, 10, 55, 220, 715, 2000, 4964, 11030),
    }[network]
    assert search.hilbert_function == expected
    for report in search.reports:  # the weight spaces fill the space of all polynomials
        size = search.grading.size
        assert sum(s.orbit * s.monomials for s in report.spaces) == math.comb(size + report.degree - 1, report.degree)


@pytest.mark.thorough
def test_a_case_without_small_degree_bound() -> None:
    result = interpolate("[2,2,2,1] r=3", 7, lift=6).result
    assert result.degrees == {5: 2, 6: 21, 7: 104}
    assert (result.complete_to, result.completeness) == (6, "unknown beyond degree 6")
    assert len(result.generators) == 23


@pytest.mark.slow
def test_a_case_without_small_degree_bound_further_up() -> None:
    assert interpolate("[2,2,2,1] r=3", 10, lift=0).result.degrees == {5: 2, 6: 21, 7: 104, 8: 33, 9: 72, 10: 96}


@pytest.mark.parametrize(
    ("network", "highest"),
    [
        ("[3,3,3] r=2", {(2, 1, 1, 3, 3, 2): 1}),
        ("[3,3,1] r=3", {(4, 4, 4, 4): 1}),
        ("[2,2,2,2] r=2", {(3, 2, 11, 9): 1}),
        (
            "[3,2,3] r=2",
            {
                (3, 0, 0, 2, 2, 2): 1,
                (2, 1, 0, 3, 2, 1): 1,
                (1, 1, 1, 4, 1, 1): 1,
                (1, 1, 1, 3, 3, 0): 1,
            },
        ),
    ],
)
def test_generators_form_representations(network: str, highest: dict[tuple[int, ...], int]) -> None:
    search = found(network, 7)
    ((degree, highest_found),) = search.representations().items()
    assert highest_found == highest
    m = search.interpolation.grading.outputs
    dimensions = [
        times * representation_dimension(w[:m]) * representation_dimension(w[m:]) for w, times in highest_found.items()
    ]
    assert sum(dimensions) == search.result.degrees[degree]
