"""Degrees, distance degrees and learning degrees: published numbers, and routes against each other."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from polygeom.dimensions import dimension
from polygeom.errors import PolygeomError
from polygeom.ideal import Neurovariety
from polygeom.ideal.counting.evidence import EQUATIONS, MONODROMY, THEOREM, Evidence, weigh
from polygeom.ideal.counting.invariants import degree, ed_degree, learning_degree
from polygeom.ideal.counting.theorems import known_degree, known_distance_degree
from polygeom.network import parse

ABOUT = {"quantity": "degree", "network": "[2,2,1] r=4", "form": "", "seed": 0}

# network, degree: classical ones, then those of which the Hilbert series is known from the equations
DEGREES = [
    ("[3,2,1] r=2", 3),
    ("[2,2,3] r=2", 3),
    ("[2,2,1] r=4", 3),
    ("[3,2,3] r=1", 3),
    ("[3,2,2,3] r=1", 3),
    ("[4,2,1] r=2", 10),
    ("[2,1,1,1] r=2,3", 6),
    ("[2,1,2] r=3", 6),
    ("convolutional(5,kernels=[3,2],degrees=2)", 12),
    ("[3,3,1] r=3", 4),
    ("[2,2,2] r=3", 6),
    ("[2,2,2,2] r=2", 15),
    ("[2,2,1] r=2 bias", 1),
]
SLOW_DEGREES = [
    ("[5,3,1] r=2", 20),
    ("[3,3,3] r=2", 30),
    ("[3,4,1] r=4", 35),
    ("[3,2,3] r=2", 81),
    ("[2,2,2,1] r=3", 70),
    ("convolutional(6,kernels=[2,2,2],degrees=[2,3])", 108),
    ("convolutional(7,kernels=[2,2,2],degrees=2,strides=[2,1,1])", 48),
]


def routes(count: Any) -> dict[str, int | None]:
    return {e.route: e.value for e in count.evidence}


@pytest.mark.parametrize(
    ("text", "value"),
    [*DEGREES, *(pytest.param(*row, marks=pytest.mark.slow) for row in SLOW_DEGREES)],
    ids=[row[0] for row in DEGREES + SLOW_DEGREES],
)
def test_every_point_of_a_section_is_found_and_proved(text: str, value: int) -> None:
    count = degree(text, method="monodromy")
    if count.lower < value:  # on some sections a point is too near to others for a proof; one section is enough
        count = degree(text, method="monodromy", rng=1)
    (found,) = count.evidence
    assert (count.value, count.lower, found.likely) == (value, value, True)
    assert count.status == "probable"  # nothing bounds the degree from above
    known = known_degree(parse(text), dimension(text).dimension)
    assert known is None or known.value == value


def test_all_routes_agree_on_the_degree() -> None:
    count = degree("[2,2,1] r=4", method="all")
    assert routes(count) == {THEOREM: 3, EQUATIONS: 3, MONODROMY: 3}
    assert (count.status, count.lower, count.upper, count.proved) == ("proved", 3, 3, True)


def test_a_theorem_is_enough() -> None:
    count = degree("[6,3,1] r=2")
    assert (count.value, count.status, list(routes(count))) == (112, "proved", [THEOREM])


def test_a_given_series_is_enough() -> None:
    count = degree("[3,3,3] r=2", h_vector=(1, 3, 6, 10, 6, 3, 1))
    assert (count.value, count.proved) == (30, True)


@pytest.mark.parametrize("h", [(), (2, 1), (1, 0.5)])
def test_a_series_that_is_none(h: tuple[Any, ...]) -> None:
    with pytest.raises(PolygeomError, match="h_vector must be integers that begin with 1"):
        degree("[3,3,3] r=2", h_vector=h, method="equations")


# network, form, number of critical points: Draisma et al., Cartwright and Sturmfels, Eckart and Young
DISTANCES = [
    ("[2,1,1] r=2", "generic", 4),
    ("[2,1,1] r=2", "bombieri-weyl", 2),
    ("[3,2,1] r=2", "generic", 13),
    ("[3,2,1] r=2", "bombieri-weyl", 3),
    ("[2,2,3] r=2", "unit", 3),
    ("[2,1,1] r=3", "generic", 7),
    ("[2,1,1] r=3", "bombieri-weyl", 3),
    ("[2,2,1] r=4", "bombieri-weyl", 7),
    ("[2,2,1] r=4", "generic", 13),
]


@pytest.mark.parametrize(("text", "form", "value"), DISTANCES)
def test_critical_points_over_a_prime_field(text: str, form: str, value: int) -> None:
    count = ed_degree(text, form, method="equations")
    assert (count.value, count.status) == (value, "probable")
    known = known_distance_degree(parse(text), dimension(text).dimension, form)
    assert known is None or known.value == value


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("text", "form", "value"),
    [pytest.param(*case, marks=pytest.mark.slow if case[0] == "[2,2,3] r=2" else ()) for case in DISTANCES],
)
def test_critical_points_by_monodromy(text: str, form: str, value: int) -> None:
    count = ed_degree(text, form, method="monodromy")
    assert (count.value, count.lower) == (value, value)
    assert count.status == "probable" or form != "generic"  # the trace is linear under a generic form


def test_rank_two_matrices_under_a_generic_form() -> None:
    assert ed_degree("[2,2,3] r=2", method="equations").value == 39


def test_rank_two_matrices_under_a_generic_form_by_monodromy() -> None:
    count = ed_degree("[2,2,3] r=2", method="monodromy")
    assert (count.value, count.lower) == (39, 39)


def test_the_loss_has_three_critical_functions() -> None:
    """Kubjas, Li, Wiesmann: the architecture (2,2,3) with squares, mean squared error."""
    inputs = [[1, 0], [0, 1], [1, 2], [0.5, 3]]
    count = learning_degree("[2,2,3] r=2", inputs, method="equations")
    assert (count.quantity, count.form, count.value) == ("learning degree", "loss", 3)
    assert learning_degree("[2,2,3] r=2", inputs).proved


def test_a_form_given_as_a_matrix_is_that_form() -> None:
    weyl = np.diag([Fraction(1), Fraction(1, 2), Fraction(1)])
    assert ed_degree("[2,1,1] r=2", weyl, method="equations").value == 2
    assert ed_degree("[2,1,1] r=2", np.eye(3), method="equations").value == 4


@pytest.mark.parametrize(
    ("form", "advice"),
    [
        ("euclid", "one of generic, unit, bombieri-weyl"),
        (np.eye(2), "3 rows and columns"),
        ([[1, 2, 0], [0, 1, 0], [0, 0, 1]], "symmetric and not singular"),
        ([[1, 1, 0], [1, 1, 0], [0, 0, 1]], "symmetric and not singular"),
        ([[1, 0, 0], [0, float("nan"), 0], [0, 0, 1]], "finite real numbers"),
        ([[1, 0, 0], [0, 1j, 0], [0, 0, 1]], "finite real numbers"),
    ],
)
def test_forms_that_cannot_be_used(form: Any, advice: str) -> None:
    with pytest.raises(PolygeomError, match=advice):
        ed_degree("[2,1,1] r=2", form)


@pytest.mark.parametrize(
    ("inputs", "advice"),
    [
        ([[1, 0, 0]], r"shape \(samples, 2\)"),
        ([["a", "b"]], "finite real numbers"),
    ],
)
def test_inputs_that_cannot_be_used(inputs: Any, advice: str) -> None:
    with pytest.raises(PolygeomError, match=advice):
        learning_degree("[2,2,3] r=2", inputs)


@pytest.mark.parametrize("options", [{"method": "guess"}, {"rng": -1}, {"rng": 1.5}])
def test_arguments_that_cannot_be_used(options: dict[str, Any]) -> None:
    with pytest.raises(PolygeomError, match=r"method must be|rng must be"):
        degree("[2,2,1] r=4", **options)


def test_a_neurovariety_answers_for_itself() -> None:
    variety = Neurovariety("[3,2,1] r=2", rng=3)
    assert (variety.degree.value, variety.degree.proved, variety.degree.seed) == (3, True, 3)
    assert variety.found is None  # a theorem was enough
    assert variety.ed_degree("bombieri-weyl").value == 3
    assert variety.ed_degree(method="equations").value == 13
    found = variety.found
    assert variety.learning_degree([*np.eye(3).tolist(), [1, 1, 0], [1, 0, 1], [0, 1, 1]]).value == 13
    assert variety.found is found  # the equations were found once
    (stratum,) = variety.singular_subnetworks()
    assert (stratum.dimension, stratum.singular) == (3, True)


def test_a_degree_that_neither_theorem_nor_equations_give() -> None:
    count = degree("[2,3,2] r=4", max_degree=2)
    assert (count.status, list(routes(count))) == ("probable", [EQUATIONS, MONODROMY])
    assert count.value == count.lower == 4
    assert count.evidence[0].reason == "no proof that the equations found within 20 s up to degree 2 are complete"


def test_the_degree_of_a_neurovariety_that_is_found_is_that_of_its_equations() -> None:
    variety = Neurovariety("[2,2,2] r=3")
    variety.degree = degree(variety, method="equations")
    assert str(variety.degree).splitlines()[1].startswith("  equations: h-vector 1, 2, 3; complete because")
    assert variety.degree.value == sum(variety.h_vector) == 6


def said(route: str, value: int | None, lower: int | None = None, upper: int | None = None, likely: bool = True) -> Any:
    return Evidence(route, value, lower, upper, likely, "so it is")


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ([], (None, 0, None, "unknown")),
        ([said(MONODROMY, 5, 4, likely=False)], (5, 4, None, "unknown")),
        ([said(MONODROMY, 5, 4)], (5, 4, None, "probable")),
        ([said(EQUATIONS, None, likely=False), said(MONODROMY, 5, 5)], (5, 5, None, "probable")),
        ([said(THEOREM, 5, 5, 5), said(MONODROMY, 4, 3, likely=False)], (5, 5, 5, "proved")),
        ([said(EQUATIONS, 6, None, 6), said(MONODROMY, 6, 6)], (6, 6, 6, "proved")),
    ],
)
def test_what_evidence_amounts_to(evidence: list[Evidence], expected: tuple[Any, ...]) -> None:
    count = weigh(evidence, ABOUT)
    assert (count.value, count.lower, count.upper, count.status) == expected
    assert count.as_dict()["evidence"] == [e for e in count.as_dict()["evidence"] if e["reason"] == "so it is"]


@pytest.mark.parametrize(
    "evidence",
    [
        [said(THEOREM, 5, 5, 5), said(MONODROMY, 6, 6)],
        [said(EQUATIONS, 5), said(MONODROMY, 6)],
        [said(EQUATIONS, 5), said(MONODROMY, 6, 6, likely=False)],
        [said(EQUATIONS, 7), said(THEOREM, 6, 6, 6)],
    ],
)
def test_contradictions_are_errors(evidence: list[Evidence]) -> None:
    with pytest.raises(PolygeomError, match="contradict each other"):
        weigh(evidence, ABOUT)
