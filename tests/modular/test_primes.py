from __future__ import annotations

import flint
import numpy as np
import pytest
from scipy.stats import kstest

from polygeom.errors import PolygeomError
from polygeom.modular import P22, P23, is_prime, random_prime


def test_primality_up_to_a_bound_is_the_sieve() -> None:
    bound = 20000
    sieve = np.ones(bound, bool)
    sieve[:2] = False
    for q in range(2, 142):
        sieve[q * q :: q] = False
    assert [n for n in range(-5, bound) if is_prime(n)] == np.flatnonzero(sieve).tolist()


@pytest.mark.parametrize(
    "n",
    [
        2047,
        1373653,
        25326001,
        3215031751,
        2152302898747,
        3474749660383,
        341550071728321,
        3825123056546413051,
        561,
        6601,
    ],
)
def test_strong_pseudoprimes_and_carmichael_numbers_are_composite(n: int) -> None:
    assert not is_prime(n)


def test_primality_agrees_with_flint_on_large_numbers(rng: np.random.Generator) -> None:
    for n in rng.integers(1, 2**62, size=300).tolist():
        assert is_prime(n) == flint.fmpz(n).is_prime()


def test_the_default_primes_are_the_largest_of_their_size() -> None:
    for prime, bits in ((P22, 22), (P23, 23)):
        assert is_prime(prime)
        assert not any(is_prime(n) for n in range(prime + 1, 2**bits))


def test_beyond_the_proved_range_is_refused() -> None:
    with pytest.raises(PolygeomError, match="n must be below 318665857834031151167461"):
        is_prime(318665857834031151167461)


@pytest.mark.parametrize("bits", [3, 8, 22, 23, 26])
def test_random_primes_have_their_size_and_replay(bits: int) -> None:
    drawn = [random_prime(seed, bits) for seed in range(20)]
    assert all(is_prime(p) and p.bit_length() == bits for p in drawn)
    assert drawn == [random_prime(np.random.default_rng(seed), bits) for seed in range(20)]


def test_random_primes_are_spread_over_their_range(rng: np.random.Generator) -> None:
    drawn = [random_prime(rng) for _ in range(400)]
    assert kstest(drawn, "uniform", args=(2**21, 2**21)).pvalue > 1e-4
    assert len(set(drawn)) > 380


def test_every_small_prime_is_drawn() -> None:
    rng = np.random.default_rng(0)
    assert {random_prime(rng, 5) for _ in range(200)} == {17, 19, 23, 29, 31}


@pytest.mark.parametrize("bits", [2, 27])
def test_other_sizes_are_refused(bits: int) -> None:
    with pytest.raises(PolygeomError, match=f"bits must be from 3 to 26, got {bits}"):
        random_prime(0, bits)
