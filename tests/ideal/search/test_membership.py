"""Substitution proves what vanishes and refuses what does not; normal forms of weights lose nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from polygeom.errors import BudgetError
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.grading.grading import Grading
from polygeom.ideal.search.equations import Equation
from polygeom.ideal.search.interpolation import Interpolation
from polygeom.ideal.search.lie import semi_invariant
from polygeom.ideal.search.lifting import lift_relations, primes_below
from polygeom.ideal.search.membership import Substitution, fixed_weights
from polygeom.modular import P22, PrimeField, as_field, is_prime, nullspace

CASES = [
    ("[3,2,1] r=2", 3),
    ("[3,2,3] r=1", 3),
    ("[2,2,3] r=2", 3),
    ("[3,3,1] r=3", 4),
    ("[3,3,3] r=2", 4),
    ("[2,2,2,2] r=2", 5),
    ("[2,1,2] r=2 bias", 2),
    ("ccp(2,rank=1,degree=2)", 3),
    ("lightning_attention(tokens=2,features=2,rank=1,outputs=1)", 2),
    ("x=input(2); a=dense(x,1); b=polynomial(a,[0,1/2,1]); c=dense(b,2); sum(x,c)", 2),
]


def equations_of(network: str, top: int) -> tuple[Interpolation, list[Equation]]:
    search = Interpolation(network)
    for _ in range(top):
        search.advance()
    return search, list(search.equations)


@pytest.mark.parametrize(("network", "top"), CASES, ids=[row[0] for row in CASES])
def test_equations_vanish_and_changed_ones_do_not(network: str, top: int) -> None:
    search, equations = equations_of(network, top)
    assert equations
    for equation in equations[:6]:
        sides = [semi_invariant(equation, search.grading, side) for side in (0, 1)]
        for outputs, inputs in {(False, False), (sides[0], False), (False, sides[1]), (sides[0], sides[1])}:
            assert Substitution(search.coordinates, outputs, inputs).vanishes(equation)
        assert equation.integers is not None
        changed = tuple(c + (k == 0) for k, c in enumerate(equation.integers))
        if len(changed) > 1:
            assert not Substitution(search.coordinates).vanishes(dataclasses.replace(equation, integers=changed))


def test_semi_invariants_are_proved_where_plain_substitution_is_too_large() -> None:
    search, (equation,) = equations_of("[2,4,4,5] r=2", 5)
    assert equation.proved
    with pytest.raises(BudgetError):
        Substitution(search.coordinates, most_products=10**6).vanishes(equation)


def test_semi_invariants_are_those_of_known_theory() -> None:
    for network, top, expected in [
        ("[3,2,3] r=1", 3, (True, True)),
        ("[3,3,1] r=3", 4, (True, True)),
        ("[2,2,3] r=2", 3, (True, True)),
        ("[4,2,1] r=2", 3, None),
    ]:
        search, equations = equations_of(network, top)
        if expected is not None:
            (equation,) = equations
            assert tuple(semi_invariant(equation, search.grading, side) for side in (0, 1)) == expected
        else:  # ten minors of a symmetric matrix; the weight of one of them is (2, 2, 2, 0)
            assert not any(semi_invariant(e, search.grading, 1) for e in equations)


def test_an_equation_of_another_weight_is_no_invariant() -> None:
    """One killed by all raising operators, but whose weight is not that of a power of the determinant."""
    grading = Grading.of(Coordinates("[2,2,2] r=1"))
    for weight, monomials in [((2, 0, 2, 0), [[0, 0]]), ((1, 0, 0, 1), [[1]]), ((0, 1, 1, 0), [[2]])]:
        highest = Equation(len(monomials[0]), weight, np.array(monomials), np.zeros(1), (1,))
        assert not semi_invariant(highest, grading, 0)
        assert not semi_invariant(highest, grading, 1)


def test_one_coordinate_alone_can_be_substituted() -> None:
    coordinates = Coordinates("[1,1,1] r=2")
    equation = Equation(2, (2, 4), np.array([[0, 0]]), np.zeros(1), (1,))
    assert not Substitution(coordinates).vanishes(equation)


def test_a_constant_weight_alone_is_no_invariant() -> None:
    grading = Grading.of(Coordinates("[2,2,1] r=2"))
    monomials = np.array([[0, 2], [1, 1]])  # a20 a02 and a11²: the discriminant is their difference
    invariant = Equation(2, (2, 2, 2), monomials, np.zeros(2), (1, -1))
    other = Equation(2, (2, 2, 2), monomials, np.zeros(2), (1, 1))
    assert semi_invariant(invariant, grading, 1)
    assert not semi_invariant(other, grading, 1)


@pytest.mark.parametrize("network", ["[2,3,1] r=2", "[3,3,3] r=2", "[2,2,2,1] r=3", "[2,2,2] r=2 bias"])
def test_as_many_weights_are_fixed_as_the_torus_has_dimensions(network: str) -> None:
    """For a network without biases: one scaling for each hidden neuron, input and output, but one acts trivially."""
    coordinates = Coordinates(network)
    widths = coordinates.network.widths
    fixed = fixed_weights(coordinates)
    assert set(fixed.values()) == {1}
    if widths is not None:
        assert len(fixed) == sum(widths) - 1


def test_the_matrix_of_the_outputs_becomes_the_identity() -> None:
    """Its rows make the outputs, below a bias as well."""
    for text in ("[1,2,2] r=2", "[1,2,2] r=2 bias"):
        coordinates = Coordinates(text)
        numbers = coordinates.network.weight_numbers
        fixed = fixed_weights(coordinates, outputs=True)
        assert [[fixed.get(int(k)) for k in row] for row in numbers["W2"]] == [[1, 0], [0, 1]]


def test_a_budget_is_kept() -> None:
    search, (equation,) = equations_of("[3,3,1] r=3", 4)
    with pytest.raises(BudgetError):
        Substitution(search.coordinates, most_products=10)
    substitution = Substitution(search.coordinates)
    substitution.most_products = 10
    with pytest.raises(BudgetError):
        substitution.vanishes(equation)


def test_lifting_finds_small_relations_and_gives_up_on_wild_ones() -> None:
    field = PrimeField(P22)

    def values(numbers: np.ndarray, prime: int, count: int) -> np.ndarray:
        """Points of the plane 5 a = 7 b + 10**30 c."""
        f = as_field(prime)
        rng = np.random.default_rng(prime)
        bc = f.random(rng, (2, count))
        a = f.matmul(f.encode([[7, 10**30]]), bc)
        return np.concatenate([f.reduce(a * f.scalar(pow(5, -1, prime))), bc])[numbers]

    relations = nullspace(values(np.arange(3), P22, 30).T, field)
    (vector,) = lift_relations(relations, P22, values)
    assert vector == (5, -7, -(10**30))
    with pytest.raises(BudgetError, match="not lifted"):
        lift_relations(relations, P22, values, deadline=0.0)


def test_primes_fall() -> None:
    primes = primes_below(100)
    first = [next(primes) for _ in range(5)]
    assert first == [97, 89, 83, 79, 73]
    assert all(map(is_prime, first))
