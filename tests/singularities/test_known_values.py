"""Learning coefficients that can be checked by hand, each with its derivation in one line."""

from __future__ import annotations

from fractions import Fraction

import pytest

from polygeom.singularities import learning_coefficient

HAND = [
    # generic weights: half the dimension
    ("[3,2,1] r=2", None, "5/2", 1, "quadrics of rank 2 in 3 variables: 5 dimensions"),
    ("[2,2,1] r=3", None, "2", 1, "all 4 binary cubics"),
    ("[3,3,1] r=2", None, "3", 1, "all 6 quadrics"),
    ("[2,3,1] r=2", None, "3/2", 1, "all 3 binary quadrics, although there are 9 weights"),
    ("[4,2] r=2", None, "4", 1, "a matrix of 8 entries"),
    # one dead neuron: v w^r modulo the tangent space of the others
    ("[3,2,1] r=2", "dead 2", "2", 2, "3/2 + v²|w⊥|⁴ in a plane: 1/2 from v and 2/4 from w⊥ meet"),
    ("[3,3,1] r=2", "dead 3", "11/4", 1, "5/2 + v²w⊥⁴: 1/4 from w⊥"),
    ("[2,3,1] r=2", "dead 3", "3/2", 1, "the other two neurons fill"),
    ("[2,2,1] r=3", "dead 2", "5/4", 1, "1 + v²b⁴(9a² + b²): 1/4 from b"),
    ("[4,2,1] r=2", "dead 1", "5/2", 1, "2 + v²|w⊥|⁴ in 3 dimensions: 1/2 from v, 3/4 from w⊥"),
    ("[2,2,1] r=4", "dead 2", "5/4", 2, "1 + v²b⁴(…): 1/4 from b and 2/8 from the origin of w meet"),
    ("[3,2,1] r=3", "dead 2", "2", 3, "3/2 + 1/2 from v, 2/4 from b, 3/6 from w: all three meet"),
    ("[2,2,2] r=2", "dead 2", "2", 3, "3/2 + ideal σ(b², ζab), measure σdσ: b, (b,ζ), (b,a) give 1/2 three times"),
    # whole networks at zero, one neuron: v w^r
    ("[1,1,1] r=2", "dead 1", "1/4", 1, "K = v²w⁴"),
    ("[2,1,1] r=2", "dead 1", "1/2", 2, "v²|w|⁴: 1/2 from v, 2/4 from w"),
    ("[3,1,2] r=2", "dead 1", "3/4", 1, "|v|²|w|⁴: 2/2 from v, 3/4 from w"),
    ("[2,1,2] r=3", "dead 1", "1/3", 1, "|v|²|w|⁶: 2/6 from w"),
    ("[1,2,1] r=2", "dead 1,2", "1/2", 2, "vw² + v'w'²: 1/4 + 1/4 meets the hypersurface's own 1/2"),
    # deaf: w^r with v ≠ 0
    ("[2,2,1] r=3", "deaf 2", "5/4", 1, "1 + (ab², b³): 1/4 from b"),
    ("[3,2,1] r=2", "deaf 2", "2", 1, "3/2 + |w⊥|⁴ in a plane: 2/4"),
    ("[3,2,3] r=2", "deaf 1,2", "3/2", 1, "outputs keep the neurons apart: |w|⁴ + |w'|⁴ in 3 + 3 dimensions, 6/4"),
    # silent: v with w in general position
    ("[3,2,1] r=2", "silent 2", "2", 1, "3/2 + v²: one coordinate more"),
    ("[3,3,2] r=3", "silent 2", "5", 1, "dimension 8 of two neurons, and two coordinates v: 10/2"),
    ("[3,3,1] r=2", "silent 1,2,3", "3/2", 1, "v_1 w_1² + v_2 w_2² + v_3 w_3² with independent squares: 3 coordinates"),
    # copies: differences δ count twice
    ("[2,2,1] r=3", "duplicate 1=2", "5/4", 1, "1 + δ⁴ in one dimension"),
    ("[3,2,1] r=2", "duplicate 1=2", "2", 1, "3/2 + |δ⊥|⁴ in a plane"),
    ("[4,2,1] r=3", "collinear 1=2", "11/4", 1, "2 + |δ|⁴ in 3 dimensions"),
    ("[3,2,1] r=2", "cancel 1=2", "3/2", 1, "s w² + 2 w·δ: 1 + 2 coordinates, the direction of w is free"),
    # linear networks
    ("[1,1,1] r=1", "rank 0", "1/2", 2, "K = a²b²"),
    ("[1,1,1,1] r=1", "rank 0", "1/2", 3, "K = a²b²c²"),
    ("[2,2,2] r=1", "rank 2", "2", 1, "an open set of matrices"),
    ("[2,2,2] r=1", "rank 1", "2", 2, "3/2 for the matrices of rank 1, and a²b² of what is left"),
    ("[2,1,3] r=1", "rank 0", "1", 1, "|a|²|b|²: 2/2 and 3/2"),
    ("[2,2,2] r=1", "rank 0", "3/2", 1, "arcs of divisors t^a: min(2, 1) + min(2, 3) over 2, the tie is none"),
    # deep: a dead neuron of the last hidden layer sees two inputs
    ("[2,2,2,1] r=2", "dead 2:1", "7/4", 1, "3/2 of [2,2,1,1], and v²w⊥⁴ of [2,2,1]: 1/4 from w⊥"),
]


@pytest.mark.parametrize(("network", "at", "value", "multiplicity", "why"), HAND)
def test_by_hand(network: str, at: str | None, value: str, multiplicity: int, why: str) -> None:
    found = learning_coefficient(network, at)
    assert (found.value, found.multiplicity, found.proved) == (Fraction(value), multiplicity, True), why
    assert found.lower == found.upper == found.value


def test_neither_parameters_nor_a_tangent_space_left_in() -> None:
    """Half the weights would be 4; without the reduction modulo the tangent space v²|w|⁴ in 3 dimensions gives 3/2."""
    found = learning_coefficient("[3,2,1] r=2", "dead 2")
    assert found.value not in (Fraction(found.parameters, 2), Fraction(3, 2) + Fraction(3, 4), Fraction(3, 2))
    assert learning_coefficient("[4,2,1] r=2", "dead 1").value == 2 + Fraction(1, 2)


def test_larger_than_half_the_dimension_over_the_real_numbers() -> None:
    """``w_1² + w_2² + w_3²`` has one dimension of functions and λ = 3/4; with another sign it is a cone, λ = 1/2."""
    same = {"W1": [[0], [0], [0]], "W2": [[1, 2, 3]]}
    assert learning_coefficient("[1,3,1] r=2", same).value == Fraction(3, 4)
    assert learning_coefficient("[1,3,1] r=2").value == Fraction(1, 2)
    other = {"W1": [[0], [0], [0]], "W2": [[1, 2, -3]]}
    assert learning_coefficient("[1,3,1] r=2", other).value == Fraction(1, 2)


@pytest.mark.parametrize("at", ["dead 1,2", "duplicate 1=2; dead 3", "silent 1; deaf 2"])
def test_bounds_where_no_theorem_is(at: str) -> None:
    found = learning_coefficient("[4,4,1] r=3", at)
    assert found.status == "unknown"
    assert found.value is None
    assert Fraction(found.rank, 2) <= found.lower < found.upper <= Fraction(found.parameters, 2)


def test_more_singular_is_smaller() -> None:
    """Nearby weights with the same function have no smaller coefficient: dead is a limit of the other kinds."""
    for network in ("[3,3,1] r=2", "[2,2,1] r=3", "[3,3,2] r=3", "[3,4,1] r=4", "[3,3,2,1] r=2"):
        dead = learning_coefficient(network, "dead 1")
        assert dead.value is not None
        for kind in ("silent 1", "deaf 1"):
            assert dead.value <= learning_coefficient(network, kind).lower
        assert dead.value <= Fraction(learning_coefficient(network).value or 0)
