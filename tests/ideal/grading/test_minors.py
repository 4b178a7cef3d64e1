"""Semi-invariants of GL(outputs): standard products of minors, and hypersurfaces found in them."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest

from polygeom.ideal import Neurovariety
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.grading.grading import Grading
from polygeom.ideal.grading.minors import Minors
from polygeom.ideal.grading.spaces import Spaces, evaluate
from polygeom.ideal.search import weightspace
from polygeom.ideal.search.lie import semi_invariant
from polygeom.ideal.search.membership import fixed_weights
from polygeom.ideal.search.search import interpolate
from polygeom.modular import P22, PrimeField, as_field, rank
from polygeom.network import parse

CHOW = (
    "x=input(2); a=dense(x,1); b=power(a,4); m=dense(x,2); c=power(m,3); n=dense(x,2); g=product(c,n); "
    "u=dense(b,3); v=dense(g,3); sum(u,v)"
)
"""Three binary quartics whose span contains a fourth power: planes that meet the rational normal curve of degree 4."""


def minors_of(text: str) -> tuple[Minors, Grading]:
    grading = Grading.of(Coordinates(parse(text)))
    minors = Minors.of(grading, range(grading.size))
    assert minors is not None
    return minors, grading


@pytest.mark.parametrize(("text", "steps"), [("[2,3,2] r=3", 3), ("[2,3,3] r=3", 2), ("[3,4,2] r=2", 2)])
def test_standard_products_are_a_basis(text: str, steps: int) -> None:
    """As many as Weyl's formula gives, summed over weights; independent at random matrices; counts of monomials."""
    minors, grading = minors_of(text)
    rows, columns = minors.table.shape
    degree, field = rows * steps, as_field(P22)
    spaces = Spaces(grading, range(grading.size))
    total = 0
    points = field.random(np.random.default_rng(1), (grading.size, 300))
    for weight in spaces.grading.dominant_weights(degree, range(grading.size)):
        assert minors.count(degree, weight) == len(spaces.monomials(degree, weight))
        if len(set(weight[:rows])) == 1:
            chains = minors.standard(degree, weight)
            inputs = weight[rows:]
            total += len(chains) * len(set(itertools.permutations(inputs)))
            if chains:
                assert rank(minors.values(chains, points, field), field) == len(chains)
    # the dimension of the space of SL-invariants of this degree: rectangular tableaux, by hook lengths
    hooks = math.prod(steps - j + rows - i - 1 for i in range(rows) for j in range(steps))
    contents = math.prod(columns + j - i for i in range(rows) for j in range(steps))
    assert total == contents // hooks


def test_expansion_has_the_values_of_the_products() -> None:
    minors, grading = minors_of("[2,3,3] r=3")
    weight = (2, 2, 2, 9, 9)
    chains = minors.standard(6, weight)
    integers = [3 * k - 5 for k in range(len(chains))]
    monomials, coefficients = minors.expand(chains, integers)
    assert all(coefficients)
    field, spaces = as_field(P22), Spaces(grading, range(grading.size))
    points = field.random(np.random.default_rng(2), (grading.size, 20))
    expanded = field.matmul(field.encode([coefficients]), evaluate(monomials, points, spaces, field))
    combined = field.matmul(field.encode([integers]), minors.values(chains, points, field))
    assert np.array_equal(expanded, combined)


def test_where_minors_are_no_help() -> None:
    for text in ("[3,2,1] r=2", "convolutional(4,kernels=[2,2],degrees=2)", "[1,2,3] r=2"):
        grading = Grading.of(Coordinates(parse(text)))
        assert Minors.of(grading, range(grading.size)) is None


CUBIC = (
    "x=input(2); a=dense(x,1); b=power(a,3); m=dense(x,1); c=power(m,2); n=dense(x,1); g=product(c,n); u=dense(b,2); "
    "v=dense(g,2); sum(u,v)"
)
"""Pencils of binary cubics that contain a cube: lines that meet the twisted cubic."""


@pytest.mark.parametrize("text", ["[2,2,3] r=2", CUBIC])
def test_the_same_equation_as_among_all_monomials(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = interpolate(text, 8)
    monkeypatch.setattr(weightspace.Minors, "of", classmethod(lambda *_: None))
    slow = interpolate(text, 8)
    assert fast.result.generators == slow.result.generators
    assert fast.result.hilbert_function == slow.result.hilbert_function
    assert fast.result.completeness == slow.result.completeness


@pytest.mark.thorough
def test_the_form_of_a_curve_has_degree_twelve() -> None:
    """Chow's form of a curve of degree 4 has degree 4 in the minors; 8,730 terms, where the space has 22,370."""
    variety = Neurovariety(CHOW)
    (equation,) = variety.equations(timeout=60)
    search = variety.search()
    assert (len(search.interpolation.kept), search.result.degrees, len(equation)) == (15, {12: 1}, 8730)
    assert search.result.generators[0].proved_member
    assert variety.degree.value == 12
    (found,) = search.interpolation.equations
    assert all(semi_invariant(found, search.interpolation.grading, side) for side in (0, 1))
    # by another route: three quartics with a common fourth power in their span, and three others, as integers
    inside = [[1, 8, 24, 32, 16], [2, 0, -1, 3, 1], [0, 5, 1, -2, 7]]  # (x + 2 y)^4, and any two
    mixed = [[a + 3 * b - c for a, b, c in zip(*inside, strict=True)], inside[1], inside[2]]
    outside = [[1, 0, 0, 0, 1], [0, 1, 0, 2, 0], [3, 0, 1, 0, 0]]
    values = [sum(int(c) * math.prod(k**e for k, e in zip(itertools.chain(*rows), m, strict=True) if e)
                  for m, c in equation.terms()) for rows in (inside, mixed, outside)]  # fmt: skip
    assert values[:2] == [0, 0]
    assert values[2]


def test_matrices_that_make_the_outputs_together_become_the_identity() -> None:
    """Those of all summands, one beside the other, and those of all layers that read the inputs."""
    network = parse(CHOW)
    numbers = network.weight_numbers
    fixed = fixed_weights(Coordinates(network), True, True)
    first, second = (numbers[network.weight_names[n]["W"]] for n in (7, 8))
    assert [[fixed[int(k)] for k in row] for row in np.hstack([first, second])] == np.eye(3).tolist()
    readers = np.vstack([numbers[network.weight_names[n]["W"]] for n in (1, 3)])
    assert [[fixed[int(k)] for k in row] for row in readers[:2]] == np.eye(2).tolist()


def test_a_weight_without_products_of_minors_has_no_equation() -> None:
    """Of three outputs: in degree 3 most weights are of none of the products, and one is that of the determinant."""
    result = interpolate("ccp(1,rank=2,degree=3,outputs=3)", 3).result
    assert [generator.degree for generator in result.generators] == [3]


def test_an_equation_in_minors_modulo_a_prime_has_the_terms_that_are_not_zero() -> None:
    monomials = np.array([[0, 1], [0, 2], [1, 1], [2, 2]])
    minors = SimpleNamespace(expand=lambda chains, numbers: (monomials, [0, 1, 202, -1]))
    problem = SimpleNamespace(field=PrimeField(101), degree=2)
    found = weightspace._of_minors(problem, minors, (1, 1), [], np.array([3.0]), None)  # type: ignore[arg-type]
    assert found.monomials.tolist() == [[0, 2], [2, 2]]
    assert problem.field.decode(found.coefficients).tolist() == [1, 100]
