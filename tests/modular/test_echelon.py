"""Echelon forms, nullspaces and linear systems obey their laws and agree with FLINT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matrices import P26, families, flint_echelon, flint_rank, python_echelon, scrambled

from polygeom.errors import BudgetError, PolygeomError
from polygeom.modular import P22, P23, InconsistentError, PrimeField, echelon_form, nullspace, pivot_columns, solve
from polygeom.modular._backend import Method

PRIMES = [3, 7, 101, 32003, P22, P26]
METHODS: tuple[Method, ...] = ("numpy", "numba")
both_methods = pytest.mark.parametrize("method", METHODS)


@both_methods
@pytest.mark.parametrize("p", PRIMES)
def test_echelon_forms_are_those_of_flint(p: int, method: Method, rng: np.random.Generator, multiplier: int) -> None:
    field = PrimeField(p)
    for largest in (5, 40, 100) * multiplier:
        for name, a in families(field, rng, largest):
            form = echelon_form(a, p, method=method)
            expected = flint_echelon(a, p)
            assert form.matrix.shape == (form.rank, a.shape[1]) == expected.shape, name
            assert np.array_equal(field.decode(form.matrix), expected), name
            assert form.pivots == tuple(int(np.flatnonzero(row)[0]) for row in expected)
            assert pivot_columns(a, p, method=method) == form.pivots
            assert np.all(np.abs(form.matrix) <= field.half)


@both_methods
@pytest.mark.parametrize("p", PRIMES)
def test_nullspaces(p: int, method: Method, rng: np.random.Generator, multiplier: int) -> None:
    field = PrimeField(p)
    for largest in (5, 40, 100) * multiplier:
        for name, a in families(field, rng, largest):
            basis = nullspace(a, p, method=method)
            free = sorted({*range(a.shape[1])} - {*echelon_form(a, p, method=method).pivots})
            assert basis.shape == (a.shape[1] - flint_rank(a, p), a.shape[1]), name
            assert np.array_equal(basis[:, free], np.eye(len(free)))
            assert not field.matmul(a, basis.T).any(), name
            assert np.all(np.abs(basis) <= field.half)


@both_methods
@pytest.mark.parametrize("p", PRIMES)
def test_solving(p: int, method: Method, rng: np.random.Generator, multiplier: int) -> None:
    field = PrimeField(p)
    for largest in (5, 60) * multiplier:
        for name, a in families(field, rng, largest):
            b = field.matmul(a, field.random(rng, (a.shape[1], 3)))
            x = solve(a, b, p, method=method)
            assert x.shape == (a.shape[1], 3)
            assert np.array_equal(field.decode(field.matmul(a, x)), field.decode(b)), name
            pivots = echelon_form(a, p, method=method).pivots
            assert not np.delete(x, pivots, axis=0).any()
            assert np.array_equal(solve(a, b[:, 0], p, method=method), x[:, 0])


@both_methods
@pytest.mark.parametrize("p", PRIMES)
def test_systems_without_solution(p: int, method: Method, rng: np.random.Generator, multiplier: int) -> None:
    field = PrimeField(p)
    for _ in range(10 * multiplier):
        m, n = (int(size) for size in rng.integers(2, 80, size=2))
        r = int(rng.integers(0, min(m - 1, n) + 1))
        a = scrambled(field, rng, (m, n), r)
        # a linear form that vanishes on the columns of a, but not on b
        form = nullspace(a.T, p, method=method)[0]
        b = field.random(rng, m)
        b[np.flatnonzero(form)[0]] += 1.0 - (field.matmul(form, b) != 0)
        b = field.reduce(b)
        assert field.matmul(form, b) != 0
        with pytest.raises(InconsistentError, match=f"a x = b has no solution mod {p}"):
            solve(a, b, p, method=method)
        with pytest.raises(InconsistentError):
            solve(a, np.stack([a[:, 0], b], axis=1), p, method=method)


@both_methods
@given(data=st.data())
def test_small_matrices_against_python_integers(method: Method, data: st.DataObject) -> None:
    p = data.draw(st.sampled_from([3, 5, 7, 101, P22]))
    m, n = data.draw(st.integers(0, 6)), data.draw(st.integers(0, 6))
    entries = st.integers(-2, 2) | st.integers(-(10**9), 10**9)
    a = np.array(data.draw(st.lists(entries, min_size=m * n, max_size=m * n)), dtype=object).reshape(m, n)
    form = echelon_form(a, p, method=method)
    rows, pivots = python_echelon(a, p)
    assert form.pivots == tuple(pivots)
    assert PrimeField(p).decode(form.matrix).tolist() == rows


@both_methods
def test_large_echelon_form(method: Method, rng: np.random.Generator) -> None:
    field = PrimeField(P23)
    left, right = field.random(rng, (650, 600)), field.random(rng, (600, 700))
    a = field.matmul(left, right)
    form = echelon_form(a, P23, method=method)
    assert form.rank == 600
    assert np.array_equal(field.decode(field.matmul(a[:, list(form.pivots)], form.matrix)), field.decode(a))


def test_the_result_is_frozen() -> None:
    form = echelon_form(np.eye(2), 7)
    with pytest.raises(ValueError, match="read-only"):
        form.matrix[0, 0] = 2.0
    with pytest.raises(AttributeError):
        form.rank = 3  # type: ignore[misc]


def test_arguments_stay_as_they_are(rng: np.random.Generator) -> None:
    a = PrimeField(7).random(rng, (5, 5))
    b = a[:, 0].copy()
    before = a.copy()
    echelon_form(a, 7)
    nullspace(a, 7)
    solve(a, b, 7)
    assert np.array_equal(a, before)
    assert np.array_equal(b, before[:, 0])


@pytest.mark.parametrize("b", [np.ones(2), np.ones((3, 2, 2)), 1, np.ones((2, 3))], ids=str)
def test_right_sides_must_fit(b: object) -> None:
    with pytest.raises(PolygeomError, match=r"b must have one entry or row per row of a \(3\), got shape"):
        solve(np.eye(3), b, 7)  # type: ignore[arg-type]


def test_no_right_side_at_all() -> None:
    assert solve(np.eye(3), np.zeros((3, 0)), 7).shape == (3, 0)
    assert solve(np.zeros((0, 3)), np.zeros(0), 7).tolist() == [0, 0, 0]


@pytest.mark.parametrize("function", [echelon_form, nullspace])
def test_matrices_only(function: object) -> None:
    for bad in (3, np.ones(3), np.ones((2, 2, 2))):
        with pytest.raises(PolygeomError, match="a must be a matrix"):
            function(bad, 7)  # type: ignore[operator]


def test_memory_limits() -> None:
    a = np.eye(10)
    for call in (
        lambda limit: echelon_form(a, 7, memory=limit),
        lambda limit: nullspace(a, 7, memory=limit),
        lambda limit: solve(a, a[0], 7, memory=limit),
    ):
        call(10**5)
        with pytest.raises(BudgetError, match="bytes of working memory, allowed are 700"):
            call(700)
