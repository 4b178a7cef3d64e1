"""Closed formulas against each other, against localisation, and against what was counted."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from polygeom.dimensions import dimension
from polygeom.ideal.counting import formulas
from polygeom.ideal.counting.invariants import degree, ed_degree, learning_degree
from polygeom.ideal.counting.theorems import degree_bound, known_degree, known_distance_degree
from polygeom.network import parse

SYMMETRIC = {
    2: [4],
    3: [13, 13],
    4: [40, 122, 40],
    5: [121, 1042, 1042, 121],
    6: [364, 8683, 23544, 8683, 364],
    7: [1093, 72271, 510835, 510835, 72271, 1093],
}


@pytest.mark.parametrize("n", SYMMETRIC)
def test_symmetric_matrices_by_two_formulas(n: int) -> None:
    values = [formulas.symmetric_distance_degree(n, s) for s in range(1, n)]
    assert values == SYMMETRIC[n]
    assert values[0] == (3**n - 1) // 2 == formulas.segre_veronese_distance_degree([n - 1], [2])
    if n < 6:
        assert values == [formulas.symmetric_distance_degree_by_localisation(n, s) for s in range(1, n)]


def test_the_growth_in_the_number_of_inputs_is_exponential() -> None:
    values = [formulas.symmetric_distance_degree(n, 2) for n in range(3, 9)]
    ratios = [b / a for a, b in pairwise(values)]
    assert values[-1] == 605140
    assert all(8 < ratio < 10 for ratio in ratios)


@pytest.mark.parametrize("degree_", range(2, 9))
def test_rational_normal_curves(degree_: int) -> None:
    assert formulas.segre_veronese_distance_degree([1], [degree_]) == 3 * degree_ - 2
    network = parse(f"[2,1,1] r={degree_}")
    assert known_distance_degree(network, 2, "bombieri-weyl").value == degree_
    if degree_ > 3:
        assert formulas.secant_degree([1], [degree_]) == math.comb(degree_ - 1, 2)


@pytest.mark.parametrize(("m", "n"), [(2, 2), (2, 3), (3, 3), (3, 4)])
def test_matrices_of_rank_one_are_a_segre_variety(m: int, n: int) -> None:
    assert formulas.matrix_distance_degree(m, n, 1) == formulas.segre_veronese_distance_degree([m - 1, n - 1], [1, 1])
    assert formulas.matrix_distance_degree(m, n, m - 1) == formulas.matrix_distance_degree(m, n, 1) or m > 2


CONVOLUTIONS = [("3", "[2,2]", 2, 14), ("4", "[3,2]", 2, 79), ("4", "[2,3]", 2, 22), ("3", "[2,2]", 3, 22)]


@pytest.mark.parametrize(("n", "kernels", "r", "value"), CONVOLUTIONS)
def test_convolutional_networks_by_theorem_and_by_monodromy(n: str, kernels: str, r: int, value: int) -> None:
    text = f"convolutional({n},kernels={kernels},degrees={r})"
    theorem = ed_degree(text, method="theorem")
    assert (theorem.value, theorem.status) == (value, "proved")
    counted = ed_degree(text, method="monodromy")
    assert (counted.value, counted.lower, counted.status) == (value, value, "probable")


@pytest.mark.parametrize(
    ("text", "value"), [("[4,2,1] r=3", 175), ("[3,2,2] r=3", 192), ("[4,1,3,1] r=2", 64), ("[3,2,2] r=2", 15),
                        ("[3,2,3] r=2", 81), ("[3,2,1] r=3", 15), ("[2,2,2] r=3", 6)],
)  # fmt: skip
def test_degrees_by_theorem(text: str, value: int) -> None:
    count = degree(text)
    assert (count.value, count.status, count.evidence[0].route) == (value, "proved", "theorem")


@pytest.mark.parametrize("text", ["[3,2,1] r=3", "[2,2,2] r=3", "[3,2,2] r=2"])
def test_the_double_point_formula_counts_what_monodromy_counts(text: str) -> None:
    known = known_degree(parse(text), dimension(text).dimension).value
    count = degree(text, method="monodromy")
    assert count.value == count.lower == known


def test_no_form_has_more_critical_points_than_a_generic_one() -> None:
    count = ed_degree("[3,2,1] r=2", "unit", method="all")
    assert count.upper == 13
    assert count.proved  # all thirteen are found and proved to exist


def test_the_theorem_and_solutions_of_the_loss_meet() -> None:
    rng = np.random.default_rng(1)
    count = learning_degree("[3,1,1] r=2", rng.integers(-9, 9, (7, 3)).tolist(), method="all", timeout=20)
    assert (count.value, count.lower, count.upper, count.status) == (13, 13, 13, "proved")
    many = learning_degree("[10,1,1] r=2", rng.integers(-9, 9, (60, 10)).tolist())
    assert (many.value, many.upper, many.status) == (29524, 29524, "probable")


@pytest.mark.slow
def test_a_bound_that_is_met_is_a_proof() -> None:
    rows = np.random.default_rng(0).integers(-9, 9, (20, 5)).tolist()
    count = learning_degree("[5,1,1] r=2", rows, method="all", timeout=100)
    assert (count.value, count.lower, count.upper, count.status) == (121, 121, 121, "proved")


def test_inputs_fewer_than_the_coefficients() -> None:
    two = learning_degree("[2,1,1] r=2", [[1, 0], [1, 2]], method="equations")
    assert (two.value, two.status) == (4, "probable")
    four = learning_degree("[3,1,1] r=2", [[1, 0, 0], [1, 2, 0], [1, 3, 5], [2, 1, 7]], method="monodromy")
    assert (four.value, four.lower, four.status) == (13, 13, "probable")


def test_three_inputs_determine_an_attention_layer() -> None:
    inputs = np.random.default_rng(0).integers(-5, 5, (3, 4)).tolist()
    text = "lightning_attention(tokens=2,features=2,rank=2,outputs=1)"
    count = learning_degree(text, inputs, method="monodromy")
    assert (count.value, count.lower, count.status) == (14, 14, "probable")


def test_what_inputs_leave_undetermined_is_said() -> None:
    count = learning_degree("[2,2,3] r=2", [[1, 0], [0, 1]], method="monodromy")
    assert "leave 2 of 8 dimensions of functions undetermined" in count.evidence[0].reason
    assert count.status == "unknown"


def test_bounds_by_bundles_are_the_known_degrees() -> None:
    """Complete equations or theorems gave these; the plane bundle gives them again, and two that were counted."""
    for text, size, value in [
        ("[2,2,2,1] r=2,3", 6, 15), ("[2,2,2,2] r=2", 8, 15), ("[2,2,2] r=3", 6, 6), ("[2,2,2] r=4", 6, 15),
        ("[2,2,3] r=2", 8, 3), ("[2,2,2,1] r=3", 6, 70), ("[2,2,2,1] r=4,3", 6, 165),
    ]:  # fmt: skip
        bound = degree_bound(parse(text), size)
        assert bound is not None
        assert bound.value == value
    assert degree_bound(parse("[2,2,2,1] r=3"), 7) is None
    assert degree_bound(parse("[2,2,2,1] r=3 bias"), 6) is None
    assert degree_bound(parse("[3,2,2,1] r=3"), 6) is None


@pytest.mark.thorough
def test_bounds_by_bundles_are_met() -> None:
    for text, value in [("[2,2,2,1] r=3", 70), ("[2,2,3,1] r=2,4", 45)]:
        count = degree(text, method="all", max_degree=2)
        assert (count.value, count.lower, count.upper, count.status) == (value, value, value, "proved")
