"""Results as values, arguments that cannot be used, and laws that hold for every network."""

from __future__ import annotations

import dataclasses
import json
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polygeom
from polygeom.dimensions import compute as engine
from polygeom.dimensions import dimension
from polygeom.dimensions.bounds.bound import Bound
from polygeom.dimensions.compute import Trial
from polygeom.dimensions.ranks.witness import Rank, field_for, generator
from polygeom.errors import BudgetError, PolygeomError
from polygeom.modular import P22
from polygeom.network import mlp, parse

SMALL_WIDTHS = st.lists(st.integers(1, 4), min_size=2, max_size=5)


def test_the_function_is_at_the_top() -> None:
    assert polygeom.dimension("[3,3,3] r=2").dimension == dimension("[3,3,3] r=2").dimension == 15


def test_a_result_is_frozen_plain_and_complete() -> None:
    result = dimension("[4,5,3,1] r=2", rng=7)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.dimension = 27  # type: ignore[misc]
    data = json.loads(json.dumps(result.as_dict()))
    assert {field.name for field in dataclasses.fields(result)} == set(data)
    assert (data["seed"], data["network"], data["parameters"]) == (7, "[4,5,3,1] r=2", 38)
    assert str(result).startswith("[4,5,3,1] r=2: dimension 26 (proved)")


def test_the_same_seed_gives_the_same_record() -> None:
    records = [dimension("[3,4,2] r=3", rng=rng).as_dict() for rng in (5, 5, 6)]
    for record in records:
        record.pop("elapsed")
    assert records[0] == records[1]
    assert records[0]["dimension"] == records[2]["dimension"]


def test_a_generator_gives_a_seed_that_is_stored() -> None:
    result = dimension("[3,4,2] r=3", rng=np.random.default_rng(1))
    assert dimension("[3,4,2] r=3", rng=result.seed).points == result.points
    assert result.seed != dimension("[3,4,2] r=3", rng=np.random.default_rng(2)).seed


BAD: list[tuple[Any, dict[str, Any], str]] = [
    (17, {}, 'write "[3,3,3] r=2"'),
    (None, {}, 'write "[3,3,3] r=2"'),
    ([3, 3, 3], {}, 'write "[3,3,3] r=2"'),
    ("[3,3,3]", {}, "r=2"),
    ("[3,3,3] r=2", {"method": "fast"}, "write method='auto'"),
    ("[3,3,3] r=2", {"error": 0}, "error=1e-9"),
    ("[3,3,3] r=2", {"error": 2}, "error=1e-9"),
    ("[3,3,3] r=2", {"error": math.nan}, "error=1e-9"),
    ("[3,3,3] r=2", {"error": "1e-9"}, "error=1e-9"),
    ("[3,3,3] r=2", {"error": True}, "error=1e-9"),
    ("[3,3,3] r=2", {"error": 1e-9j}, "error=1e-9"),
    ("[3,3,3] r=2", {"rng": -1}, "rng=0"),
    ("[3,3,3] r=2", {"rng": 2**63}, "rng=0"),
    ("[3,3,3] r=2", {"rng": None}, "rng=0"),
    ("[3,3,3] r=2", {"rng": 1.5}, "rng=0"),
    ("[3,3,3] r=2", {"rng": True}, "rng=0"),
    ("[3,3,3] r=2", {"rng": "0"}, "rng=0"),
    ("[3,3,3] r=2", {"memory": 0}, "memory=2*10**9"),
    ("[3,3,3] r=2", {"memory": "2GB"}, "memory=2*10**9"),
    ("[3,3,3] r=2", {"memory": True}, "memory=2*10**9"),
    ("[3,3,3] r=2", {"memory": 1.5e9}, "memory=2*10**9"),
]


@pytest.mark.parametrize(("network", "options", "advice"), BAD, ids=str)
def test_arguments_that_cannot_be_used(network: Any, options: dict[str, Any], advice: str) -> None:
    with pytest.raises(PolygeomError) as caught:
        dimension(network, **options)
    assert advice in str(caught.value)


@pytest.mark.parametrize("method", ["auto", "generic"])
def test_memory_is_asked_for_before_it_is_taken(method: str) -> None:
    with pytest.raises(BudgetError, match=r"needs [0-9.]+ MB, allowed are 100.0 kB; write memory=[0-9]+ or more"):
        dimension("[40,40,40,1] r=2", method=method, memory=10**5)


# What the search for bounds holds for a moment beside the ranks: names and parts of graphs, no arrays of their size.
SEARCH = {"ccp(6,rank=9,degree=4,outputs=3,bias=True)": 8_000_000}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("[30,30,30,10] r=2", "auto"),
        ("[16,16,16,16] r=2", "auto"),
        ("[24,24,12,24] r=2", "auto"),
        ("[200,200,200] r=2", "auto"),
        ("[5,50,50,1] r=3", "auto"),
        ("[10,10,10,20] r=2", "generic"),
        ("x=input(30); a=dense(x,30); b=power(a,2); dense(b,4)", "generic"),
        ("ccp(6,rank=9,degree=4,outputs=3,bias=True)", "auto"),
    ],
)
def test_no_more_memory_is_taken_than_was_asked_for(text: str, method: str) -> None:
    """The least memory that is not refused is enough, and not many times too much."""
    dimension("[3,3,3] r=2")  # what is loaded once does not count
    memory = 1
    for _ in range(20):
        tracemalloc.start()
        try:
            dimension(text, method=method, memory=memory)
            break
        except BudgetError as refusal:
            memory = int(str(refusal).split("memory=")[1].split()[0])
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert peak <= 1.1 * memory + SEARCH.get(text, 300_000)
    assert 1.1 * memory + 300_000 <= 6 * peak + 10**6


def test_counts_of_thousands_of_digits_are_left_out() -> None:
    result = dimension("[900,1,1] r=1000000")
    assert (result.dimension, result.proved, result.filling) == (900, True, False)
    assert result.ambient_dimension is None
    assert json.loads(json.dumps(result.as_dict()))["ambient_dimension"] is None
    assert "ambient huge" in str(result)


@given(SMALL_WIDTHS, st.integers(2, 3), st.data())
@settings(max_examples=40)
def test_another_neuron_never_lowers_the_dimension(widths: list[int], r: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, len(widths) - 1))
    wider = [*widths[:k], widths[k] + 1, *widths[k + 1 :]]
    assert dimension(mlp(widths, r)).dimension <= dimension(mlp(wider, r)).dimension


@given(SMALL_WIDTHS, st.integers(2, 3), st.integers(0, 2**60))
@settings(max_examples=40)
def test_the_dimension_does_not_depend_on_the_seed(widths: list[int], r: int, seed: int) -> None:
    assert dimension(mlp(widths, r), rng=seed).dimension == dimension(mlp(widths, r)).dimension


@given(st.lists(st.integers(1, 3), min_size=3, max_size=5), st.data())
@settings(max_examples=40)
def test_layers_of_mixed_degrees_agree_with_the_generic_route(widths: list[int], data: st.DataObject) -> None:
    hidden = len(widths) - 2
    degrees = data.draw(st.lists(st.integers(1, 3), min_size=hidden, max_size=hidden))
    network = mlp(widths, degrees)
    assert dimension(network).dimension == dimension(network, method="generic").dimension


@pytest.mark.parametrize("text", ["[2,2,1] r=999999", "[1,1,1,1] r=2000,3000", "[2,2,2,1] r=3000,3000"])
def test_output_degrees_near_and_above_the_prime(text: str) -> None:
    """The lower bound needs no relation between degree and prime."""
    network = parse(text)
    result = dimension(network)
    assert result.lower <= result.upper
    assert all(d % p for d in network.activation_degrees or () for p in result.primes)
    if not result.proved:
        assert result.error_bound > 0


def test_a_prime_that_divides_a_degree_is_not_used() -> None:
    """It would annihilate the derivatives."""
    assert field_for(generator(0, 0), 0, (2,)).p == P22
    for trial in (0, 1):
        field = field_for(generator(0, trial), trial, (2, P22, 3 * P22))
        assert field.p != P22


def test_a_result_that_is_not_proved_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the upper bound raised by one, the same ranks must be called probable, with trials and an error bound."""
    monkeypatch.setattr(engine, "proved_bound", lambda network, **_: Bound(16, "raised", (), ()))
    result = dimension("[3,3,3] r=2", error=1e-6)
    assert (result.dimension, result.lower, result.upper) == (15, 15, 16)
    assert (result.proved, result.status) == (False, "probable")
    assert 0 < result.error_bound <= 1e-6
    assert result.trials >= 2
    assert len(result.primes) == result.trials + 1
    assert result.identifiable is True
    looser = dimension("[3,3,3] r=2", error=0.5)
    assert looser.trials < result.trials
    assert looser.error_bound <= 0.5


def test_the_best_of_several_trials_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unlucky trial costs nothing: 13, 15, 14 is 15, whichever came first."""
    ranks = iter([13, 15, 14])
    attempts = (Trial(i, "generic tangent", P22, Rank(r, True, 5)) for i, r in enumerate(ranks))
    monkeypatch.setattr(engine, "proved_bound", lambda network, **_: Bound(16, "raised", (), ()))
    monkeypatch.setattr(engine, "perceptron_trials", lambda *arguments: attempts)
    result = dimension("[3,3,3] r=2")
    assert (result.dimension, result.lower, result.witness) == (15, 15, 1)


def test_a_rank_above_a_proved_bound_is_never_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "proved_bound", lambda network, **_: Bound(14, "lowered", (), ()))
    with pytest.raises(AssertionError, match="please report"):
        dimension("[3,3,3] r=2", method="generic")
