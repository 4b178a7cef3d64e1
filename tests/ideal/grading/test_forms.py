"""Forms as columns over monomials, against sympy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import sympy

from polygeom.ideal.grading import forms as module
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.grading.forms import Forms, restrict
from polygeom.ideal.grading.grading import Grading
from polygeom.ideal.grading.spaces import Spaces
from polygeom.modular import as_field
from polygeom.network import parse


@pytest.mark.parametrize(("variables", "degree"), [(1, 5), (2, 3), (3, 4), (5, 2), (4, 1), (3, 41)])
def test_monomials_products_and_splits(variables: int, degree: int) -> None:
    forms = Forms(variables)
    known = list(itertools.combinations_with_replacement(range(variables), degree))
    assert list(map(tuple, forms.monomials(degree).tolist())) == known
    assert forms.count(degree) == len(known)
    above = {m: n for n, m in enumerate(itertools.combinations_with_replacement(range(variables), degree + 1))}
    expected = [[above[tuple(sorted((*m, i)))] for m in known] for i in range(variables)]
    assert forms.products(degree).tolist() == expected
    below = {m: n for n, m in enumerate(itertools.combinations_with_replacement(range(variables), degree - 1))}
    heads, tails = forms.split(degree)
    assert [(h, t) for h, t in zip(heads.tolist(), tails.tolist(), strict=True)] == [
        (m[0], below[m[1:]]) for m in known
    ]


@pytest.mark.parametrize("chunk", [1 << 21, 8])
def test_restriction_is_substitution(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    field = as_field(101)
    rng = np.random.default_rng(2)
    subspace = field.random(rng, (3, 5))
    monomials = rng.integers(0, 5, size=(12, 3))
    coefficients = field.random(rng, 12)
    owners = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2])
    found = restrict(owners, monomials, coefficients, subspace, Forms(3), field)
    x = sympy.symbols("x0:3")
    linear = [sum(int(c) * v for c, v in zip(column, x, strict=True)) for column in subspace.T.tolist()]
    for k in range(3):
        total = sum(
            int(c) * sympy.Mul(*(linear[j] for j in m))
            for c, m, owner in zip(coefficients.tolist(), monomials.tolist(), owners.tolist(), strict=True)
            if owner == k
        )
        polynomial = sympy.Poly(total, *x, modulus=101)
        expected = [polynomial.coeff_monomial(sympy.Mul(*(x[i] for i in m))) for m in Forms(3).monomials(3).tolist()]
        assert [(a - int(b)) % 101 for a, b in zip(expected, found[k].tolist(), strict=True)] == [0] * len(expected)


@pytest.mark.parametrize(
    "text", ["map(s,t: s^3, s^2*t, s*t^2, t^3)", "map(a,b,c: a, b, c, a+b)", "map(s: s, s^2)", "map(: 1, 2)"]
)
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_listing_all_monomials_is_listing_each_weight(text: str, degree: int) -> None:
    grading = Grading.of(Coordinates(parse(text)))
    kept = range(grading.size)
    spaces, each = Spaces(grading, kept), Spaces(grading, kept)
    listed = spaces.listed(degree)
    assert listed is not None
    assert spaces.dominant_weights(degree) == grading.dominant_weights(degree, list(kept))
    assert list(listed) == spaces.dominant_weights(degree)
    for weight, monomials in listed.items():
        assert monomials.tolist() == each.monomials(degree, weight).tolist()
    assert len(spaces.monomials(degree, tuple(99 for _ in grading.table[0]))) == (
        0 if grading.table[0] else len(listed[()])
    )


def test_weights_that_permutations_carry_into_each_other_are_not_listed() -> None:
    grading = Grading.of(Coordinates(parse("[2,3,2] r=2")))
    assert not grading.rigid
    assert Spaces(grading, range(grading.size)).listed(2) is None
