"""How sure a probable dimension is: the heights, the bound for one trial, and how often trials really fail."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polygeom.dimensions import dimension
from polygeom.dimensions.compute import MOST_TRIALS, generic_trials, perceptron_trials, proved_bound
from polygeom.dimensions.ranks import blocks as _blocks
from polygeom.dimensions.ranks.confidence import PRIMES_OF_22_BITS, Height, heights, trial_failure
from polygeom.dimensions.ranks.tangent import TAIL, generic_rank
from polygeom.dimensions.ranks.witness import Rank
from polygeom.engines.symbolic import jacobian_rank, outputs
from polygeom.modular import PrimeField, is_prime
from polygeom.network import Network, parse
from polygeom.testing.zoo import ZOO

LONG_SUMS = [
    "x=input(2,1); attention(x,200,1)",  # sums over the rank, which is no width
    "x=input(2,8); a=convolution(x,2,channels=1); flatten(a)",  # over windows longer than any width
    "x=input(1); a=dense(x,1); b=polynomial(a,[0,1/1000]); s=sum(x,b); power(s,2)",  # denominators that meet
    "x=input(1); a=dense(x,1); b=polynomial(a,[1/7,1/1000]); c=bias(b); d=power(c,3); polynomial(d,[0,0,5/3])",
]


@pytest.mark.thorough
@pytest.mark.parametrize("network", [*ZOO, *map(parse, LONG_SUMS)], ids=lambda n: str(n)[:60])
def test_heights_bound_the_degrees_and_the_norm_of_every_derivative(network: Network) -> None:
    height, inputs = heights(network), network.input_dimension
    for output in outputs(network).flat:
        for weight in output.ring.gens[inputs:]:
            derivative = output.diff(weight)
            assert all(sum(exponents[:inputs]) <= height.inputs for exponents in derivative)
            assert all(sum(exponents[inputs:]) <= height.weights for exponents in derivative)
            denominator = math.lcm(*(int(c.denominator) for c in derivative.values()))
            total = sum(abs(Fraction(int(c.numerator), int(c.denominator))) for c in derivative.values())
            assert not total or math.log2(total * denominator) <= height.norm + 1e-9


@pytest.mark.parametrize(
    ("text", "weights", "inputs"),
    [("[3,3,3] r=2", 2, 2), ("[10,10,10,10] r=2", 6, 4), ("[20,20,20,20] r=3", 12, 9), ("[2,2,2,2] r=2,3", 9, 6)],
)
def test_degrees_of_a_perceptron_are_geometric_sums(text: str, weights: int, inputs: int) -> None:
    """e = r_{L-1} + r_{L-1} r_{L-2} + …, δ = r_1 ⋯ r_{L-1}."""
    height = heights(parse(text))
    assert (height.weights, height.inputs) == (weights, inputs)


def test_the_pool_of_primes_is_counted() -> None:
    sieve = np.ones(2**22, dtype=bool)
    for q in range(2, 2**11):
        if sieve[q]:
            sieve[q * q :: q] = False
    assert int(sieve[2**21 :].sum()) == PRIMES_OF_22_BITS


HEIGHTS = st.builds(Height, st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0, 1e6), st.floats(0, 1e3))


@given(HEIGHTS, st.integers(1, 10**6), st.integers(2**21, 2**22), st.integers(1, 4), st.integers(1, 50))
def test_the_bound_for_a_trial_grows_with_what_can_go_wrong(h: Height, upper: int, p: int, tail: int, n: int) -> None:
    failure = trial_failure(h, upper, p, tail, n)
    assert 0 < failure <= 1
    assert trial_failure(h, upper + 1, p, tail, n) >= failure
    assert trial_failure(h, upper, p // 2, tail, n) >= failure
    assert trial_failure(h, upper, p, tail, n + 1) >= failure
    assert trial_failure(h, upper, p, tail + 1, n) <= failure
    for worse in (
        Height(h.weights + 1, h.inputs, h.norm),
        Height(h.weights, h.inputs + 1, h.norm),
        Height(h.weights, h.inputs, h.norm + 1),
    ):
        assert trial_failure(worse, upper, p, tail, n) >= failure


def test_no_statement_is_made_where_points_cannot_separate_forms() -> None:
    assert trial_failure(Height(1, 101, 0.0), 5, 101, 3, 1) == 1.0
    assert trial_failure(Height(1, 100, 0.0), 5, 101, 3, 1) <= 1.0
    assert trial_failure(Height(1, 1, 0.0), 0, 101, 3, 1) == 0.0


PERCEPTRONS = [("[3,3,3] r=2", 101), ("[3,3,2,2] r=2", 211), ("[2,2,2,2] r=3", 401)]


@pytest.mark.parametrize(
    ("text", "p", "route"),
    [(text, p, route) for text, p in PERCEPTRONS for route in ("blocks", "generic")]
    + [("ccp(2,rank=2,degree=3)", 101, "generic")],
)
def test_trials_fail_more_seldom_than_their_bound(
    text: str, p: int, route: str, rng: np.random.Generator, multiplier: int
) -> None:
    """At small primes failures are frequent enough to be counted; a failure is a stable rank below the dimension."""
    network = parse(text)
    target, field = proved_bound(network).value, PrimeField(p)
    rounds, failures, stages = 400 * multiplier, 0, 1
    for _ in range(rounds):
        rank = _stable_rank(network, field, rng, target, route)
        failures += rank.value < target
        stages = max(stages, rank.stages)
    bound = trial_failure(heights(network), target, p, TAIL, stages)
    assert 0 < failures / rounds <= bound + 3 * math.sqrt(bound * (1 - bound) / rounds)


def _stable_rank(network: Network, field: PrimeField, rng: np.random.Generator, target: int, route: str) -> Rank:
    extra = 0
    while True:
        if route == "generic":
            rank = generic_rank(network, field, rng, target, extra=extra)
        else:
            rank = _block_rank(network.widths, network.activation_degrees, field, rng, target, extra)
        if rank.stable or rank.value == target:
            return rank
        extra = max(4, 2 * extra)


def _block_rank(
    widths: Any, degrees: Any, field: PrimeField, rng: np.random.Generator, target: int, extra: int
) -> Rank:
    from polygeom.dimensions.ranks.witness import structured_weights

    if len(widths) == 3:
        return _blocks.single_block_rank(widths, degrees, field, rng, extra=extra)
    weights = structured_weights(widths, field, rng)
    partition = _blocks.structured_partition(widths)
    return _blocks.block_rank(widths, degrees, weights, partition, field, rng, target, extra=extra)


PROBABLE = [
    "x=input(3); a=dense(x,4); b=power(a,4); c=sum(b,a); dense(c,1)",
    "ncp(3,rank=2,degree=3,outputs=2)",
]


@pytest.mark.thorough
@pytest.mark.parametrize("text", PROBABLE)
def test_probable_results_are_right_and_say_how_sure_they_are(text: str) -> None:
    network = parse(text)
    result = dimension(network)
    assert result.dimension == result.lower == jacobian_rank(network, rng=2)
    assert result.lower < result.upper
    assert (result.proved, result.status) == (False, "probable")
    assert result.trials == len(set(result.primes)) - 1 == len(result.primes) - 1
    assert all(is_prime(p) and 2**21 < p < 2**22 for p in result.primes)
    one = [trial_failure(heights(network), result.upper, p, TAIL, 1) for p in result.primes[1:]]
    assert result.error_bound == pytest.approx(math.prod(one))
    assert result.error_bound <= 1e-9
    assert math.prod(one[:-1]) > 1e-9  # not a trial more than asked for
    assert result.defect == result.expected_dimension - result.dimension
    assert f"probable, error ≤ {result.error_bound:.0e}, between {result.lower} and {result.upper}" in str(result)


def test_more_certainty_costs_more_trials() -> None:
    trials = [dimension(PROBABLE[0], error=error).trials for error in (1, 1e-3, 1e-6, 1e-12, 1e-100)]
    assert trials == sorted(trials)
    assert trials[0] == 1
    assert trials[-1] == MOST_TRIALS


def test_trials_are_combined_by_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    """One prime at which the activation is linear must not hide what another one shows."""
    result = dimension("x=input(2); a=dense(x,3); b=polynomial(a,[0,1,4194301]); c=sum(b,a); dense(c,1)")
    assert (result.dimension, result.proved, len(result.primes)) == (5, True, 2)
    found = iter([5, 3, 5, 4, 2])
    monkeypatch.setattr("polygeom.dimensions.compute.generic_rank", lambda *_, **__: Rank(next(found, 1), True, 5, 1))
    result = dimension(PROBABLE[0], error=1e-12)
    assert (result.dimension, result.proved, result.points) == (5, False, 5)
    assert result.trials >= 2


@pytest.mark.thorough
def test_degrees_beyond_the_prime_leave_a_bound_from_below_only() -> None:
    text = "x=input(3); y=power(x,3000); z=power(y,3000); a=dense(z,4); b=power(a,4); c=sum(b,a); dense(c,1)"
    result = dimension(text)
    assert parse(text).degree > max(result.primes)
    assert (result.lower, result.proved, result.error_bound) == (15, False, 1.0)
    assert result.trials == 2


def test_a_prime_in_a_denominator_is_not_used() -> None:
    result = dimension("x=input(2); a=dense(x,3); b=polynomial(a,[0,1,1/4194301]); c=sum(b,a); dense(c,1)")
    assert (result.dimension, result.proved) == (5, True)
    assert 4194301 not in result.primes


@pytest.mark.parametrize("text", ["[4,5,3,1] r=2", "[3,4,2] r=3", "[2,4,4,3] r=2"])
def test_two_primes_agree(text: str) -> None:
    network = parse(text)
    target = proved_bound(network).value
    for trials in (generic_trials(network, target, 1, None), perceptron_trials(network, target, 1, None)):
        first, second, third = (next(trials) for _ in range(3))
        assert len({first.prime, second.prime, third.prime}) == 3
        assert {first.rank.value, second.rank.value, third.rank.value} == {target}


def test_every_stage_may_miss_and_every_weight_may_be_unlucky() -> None:
    """The three parts, each alone: a stage adds (inputs/p)^tail, and so on."""
    p, h = 2**21 + 7, Height(3, 5, 10.0)
    one = trial_failure(h, 7, p, 1, 1)
    assert trial_failure(h, 7, p, 1, 4) - one == pytest.approx(3 * 5 / p)
    assert trial_failure(h, 7, p, 2, 4) - trial_failure(h, 7, p, 2, 1) == pytest.approx(3 * (5 / p) ** 2, rel=1e-3)
    assert trial_failure(Height(4, 5, 10.0), 7, p, 1, 1) - one == pytest.approx(7 / p)
    assert trial_failure(Height(3, 5, 31.0), 7, p, 1, 1) - one == pytest.approx(7 * 21 / 21 / PRIMES_OF_22_BITS)
