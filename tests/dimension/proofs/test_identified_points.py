"""How the checker counts conditions at identified points: roots, pairs of points, values, and the space they leave."""

from __future__ import annotations

import itertools
import math
from typing import Any

import flint
import numpy as np
import pytest

from polygeom.dimensions.proofs import rules
from polygeom.dimensions.proofs.jacobians import is_odd_prime
from polygeom.dimensions.proofs.limits import Budget

P = 33554393


def span_of_products(n: int, m: int, r: int, t: int) -> int:
    """Dimension of the products of t of the r-th powers of m random linear forms, by values at points."""
    draw = np.random.default_rng(1)
    forms, points = draw.integers(1, P, size=(m, n)), draw.integers(1, P, size=(rules.monomials(m, t) + 3, n))
    values = [[pow(int(x), r, P) for x in row] for row in points @ forms.T % P]
    words = list(itertools.combinations_with_replacement(range(m), t))
    table = [math.prod(row[i] for i in word) % P for row in values for word in words]
    return int(flint.nmod_mat(len(values), len(words), table, P).rank())


@pytest.mark.parametrize(
    ("n", "m", "r", "t", "pairs"),
    [
        (3, 5, 3, 2, 15),
        (3, 5, 3, 3, 15),
        (4, 6, 2, 2, 50),
        (4, 6, 2, 3, 70),
        (4, 7, 2, 2, 0),
        (4, 6, 2, 1, 30),
    ],
)
def test_conditions_are_those_that_products_satisfy(n: int, m: int, r: int, t: int, pairs: int) -> None:
    """Never more than the space lacks, and as many where there are enough pairs, however many are asked for."""
    lacks = rules.monomials(n, r * t) - span_of_products(n, m, r, t)
    there = min(lacks, pairs)
    for asked in (1, there, there + 20):
        if asked > 0:
            found = rules.conditions(n, m, r, t, asked, Budget())
            assert min(asked, there) <= found <= lacks, asked


def test_enough_pairs_are_drawn_and_not_many_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten more than asked for; more only where these do not suffice, as many as there may be conditions."""
    sizes: list[int] = []
    ranks: dict[str, Any] = {"of": lambda rows: min(rows, 12)}
    monkeypatch.setattr(rules, "rank", lambda rows, p: sizes.append(len(rows)) or ranks["of"](len(rows)))
    for asked, taken in ((5, [20]), (10, [20]), (12, [30]), (13, [30, 40, 50, 60, 70, 80])):
        sizes.clear()
        assert rules.conditions(4, 6, 2, 2, asked, Budget()) == 12
        assert sizes == taken
    ranks["of"] = lambda _: 0
    for asked, taken in ((1, [20, 30, 40, 50]), (2, [20, 30, 40, 50]), (10, [20, 30, 40, 50, 60, 70])):
        sizes.clear()
        assert rules.conditions(4, 6, 2, 2, asked, Budget()) == 0
        assert sizes == taken
    sizes.clear()
    assert rules.conditions(4, 7, 2, 2, 3, Budget()) == 0
    assert not sizes


def test_points_that_the_powers_do_not_tell_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two points of a pair every form has a root of unity as factor; all roots of the order occur."""
    seen: dict[int, set[int]] = {}
    plain = rules._pair

    def pair(forms: np.ndarray, factors: list[int], p: int, draw: np.random.Generator) -> list[int]:
        found = plain(forms, factors, p, draw)
        n = forms.shape[1]
        x, y = np.array(found[:n], dtype=object), np.array(found[n:], dtype=object)
        big = forms.astype(object)
        assert is_odd_prime(p)
        assert p > 2**20
        assert list(big @ x % p) == [w * int(v) % p for w, v in zip(factors, big @ y, strict=True)]
        assert any(x) or r > 4, "where roots of unity have relations, some pairs are special"
        assert any((x - y) % p) or r > 4
        seen.setdefault(p, set()).update(factors)
        return found

    monkeypatch.setattr(rules, "_pair", pair)
    for n, m, r in ((3, 5, 3), (4, 6, 2), (3, 5, 4), (3, 5, 6)):
        seen.clear()
        rules.conditions(n, m, r, 1, 1, Budget())
        ((p, factors),) = seen.items()
        assert p % r == 1
        assert len(factors) == r
        assert {pow(w, r, p) for w in factors} == {1}


def test_pairs_of_points_of_special_forms() -> None:
    draw = np.random.default_rng(3)
    doubled = np.array([[1, 0], [1, 0], [0, 1]])
    assert rules._pair(doubled, [1, 1, 1], 101, draw) == [0] * 4, "two dimensions of pairs where one is expected"
    x0, x1, y0, y1 = rules._pair(np.array([[1, 2], [3, 1], [1, 1]]), [1, P - 1, 1], P, draw)
    assert (x0 + 2 * x1 - y0 - 2 * y1) % P == (3 * x0 + x1 + 3 * y0 + y1) % P == (x0 + x1 - y0 - y1) % P == 0
    assert any((x0, x1, y0, y1))


@pytest.mark.parametrize(("r", "m"), [(2, 1), (2, 4), (3, 3), (4, 3), (5, 3), (6, 2)])
def test_choices_of_roots(r: int, m: int) -> None:
    """The first is 1; of two choices that are inverse to each other there is one."""
    found = list(rules.choices(r, m))
    every = {(0, *rest) for rest in itertools.product(range(r), repeat=m - 1)}
    inverse = {one: tuple(-e % r for e in one) for one in every}
    assert len(found) == len(set(found))
    assert set(found) <= every
    assert all((one in found) + (inverse[one] in found) == 1 + (one == inverse[one]) for one in every)


def test_values_of_monomials() -> None:
    point, p = [2, 3, 5], 101
    for degree in (0, 1, 3):
        words = list(itertools.combinations_with_replacement(range(3), degree))
        assert rules._values(point, words, p) == [math.prod(point[i] for i in word) % p for word in words]
