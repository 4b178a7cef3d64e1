from __future__ import annotations

from fractions import Fraction
from math import gcd, isqrt, prod

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from polygeom.errors import PolygeomError
from polygeom.modular import (
    P22,
    P23,
    LiftError,
    PrimeField,
    crt,
    lift,
    nullspace,
    random_prime,
    rational_reconstruction,
)

PRIMES = [P22, P23, 2097143, 32003, 101, 7]


@given(st.integers(), st.permutations(PRIMES), st.integers(1, 6))
def test_chinese_remainders_come_back(value: int, primes: list[int], count: int) -> None:
    primes = primes[:count]
    modulus = prod(primes)
    assert crt([value % p for p in primes], primes) == value % modulus
    assert crt([value % p - p for p in primes], primes) == value % modulus


def test_chinese_remainders_of_nothing_are_zero() -> None:
    assert crt([], []) == 0


def test_chinese_remainders_need_matching_coprime_lists() -> None:
    with pytest.raises(PolygeomError, match=r"residues must be as many as primes \(2\), got 1"):
        crt([1], [5, 7])
    with pytest.raises(PolygeomError, match=r"primes must be distinct primes, got \[5, 7, 5\]"):
        crt([1, 2, 3], [5, 7, 5])


@given(st.integers(0, 2**40), st.integers(1, 2**40), st.booleans())
def test_fractions_come_back(n: int, d: int, negative: bool) -> None:
    fraction = Fraction(-n if negative else n, d)
    modulus = P22 * P23 * 2097143 * 2097169
    assume(gcd(fraction.denominator, modulus) == 1)
    residue = fraction.numerator * pow(fraction.denominator, -1, modulus) % modulus
    bounds = {"numerator": 2**40, "denominator": 2**40}
    assert rational_reconstruction(residue, modulus, **bounds) == fraction
    assert rational_reconstruction(residue - modulus, modulus, **bounds) == fraction


@pytest.mark.parametrize("m", [3, 5, 7, 11, 101, 143])
def test_reconstruction_finds_exactly_the_fractions_there_are(m: int) -> None:
    bound = isqrt((m - 1) // 2)
    pairs = [(n, d) for d in range(1, bound + 1) if gcd(d, m) == 1 for n in range(-bound, bound + 1) if gcd(n, d) == 1]
    table = {n * pow(d, -1, m) % m: Fraction(n, d) for n, d in pairs}
    assert len(table) == len(pairs)
    for a in range(m):
        if a in table:
            assert rational_reconstruction(a, m) == table[a]
        else:
            with pytest.raises(LiftError, match=f"no fraction with numerator up to {bound}"):
                rational_reconstruction(a, m)


def test_integers_need_no_denominator() -> None:
    assert rational_reconstruction(96, 101, numerator=50, denominator=1) == -5


@pytest.mark.parametrize(
    ("m", "numerator", "denominator"), [(101, 51, 1), (101, 10, 6), (1, 0, 1), (101, -1, 1), (101, 5, 0), (0, 0, 1)]
)
def test_bounds_that_leave_a_choice_are_refused(m: int, numerator: int, denominator: int) -> None:
    with pytest.raises(PolygeomError, match=r"bounds must satisfy 2\*numerator\*denominator < m"):
        rational_reconstruction(1, m, numerator=numerator, denominator=denominator)


@pytest.mark.thorough
@given(st.lists(st.fractions(-1000, 1000, max_denominator=1000), max_size=5), st.integers(0, 10**6))
def test_vectors_come_back(vector: list[Fraction], seed: int) -> None:
    rng = np.random.default_rng(seed)
    primes = {random_prime(rng) for _ in range(3)}
    assume(len(primes) == 3)
    assert lift({p: PrimeField(p).encode(vector) for p in primes}) == vector
    assert lift({p: PrimeField(p).decode(PrimeField(p).encode(vector)) for p in primes}) == vector


def test_too_few_primes_are_noticed(rng: np.random.Generator) -> None:
    """Vectors beyond the reach of the primes are refused, not turned into other fractions that fit."""
    for _ in range(200):
        vector = [Fraction(int(n), int(d)) for n, d in rng.integers(2**30, 2**31, size=(2, 2))]
        residues = {p: PrimeField(p).encode(vector) for p in (P22, P23)}
        with pytest.raises(LiftError, match="no fraction"):
            lift(residues)
        large = {random_prime(rng, 26): None for _ in range(7)}
        assert lift({p: PrimeField(p).encode(vector) for p in large}) == vector


def test_a_wrong_residue_is_noticed() -> None:
    vector = [Fraction(1, 3), Fraction(-7, 12), Fraction(5)]
    residues = {p: PrimeField(p).encode(vector) for p in (P22, P23, 2097143)}
    residues[P23][1] += 1.0
    with pytest.raises(LiftError):
        lift(residues)


def test_a_kernel_over_the_rationals() -> None:
    a = [[3, 1, 4, 1], [5, 9, 2, 6], [5, 3, 5, 8]]
    (vector,) = [lift({p: nullspace(a, p)[0] for p in (P22, P23, 32003)})]
    assert vector[3] == 1
    assert all(sum(x * y for x, y in zip(row, vector, strict=True)) == 0 for row in a)


def test_what_lift_needs() -> None:
    with pytest.raises(PolygeomError, match="at least two primes"):
        lift({7: [1]})
    with pytest.raises(PolygeomError, match="the vectors must have one length"):
        lift({7: [1], 11: [1, 2]})
    with pytest.raises(PolygeomError, match="the vectors must have one length"):
        lift({7: [[1]], 11: [[1]]})
    with pytest.raises(PolygeomError, match="p must be an odd prime"):
        lift({7: [1], 9: [1]})
    assert lift({7: [], 11: []}) == []
