"""Elimination in sympy: small ideals exactly, agreement with interpolation, and budgets that hold."""

from __future__ import annotations

import time

import psutil
import pytest
from sympy import QQ, symbols
from sympy.polys.rings import ring

from polygeom.dimensions import dimension
from polygeom.errors import PolygeomError
from polygeom.ideal import Neurovariety
from polygeom.ideal.search.elimination import eliminate, gauge_weights, graph, minimal_generators
from polygeom.network import parse


@pytest.mark.thorough
def test_rank_two_symmetric_matrices_have_one_determinant() -> None:
    """(3,2,1) r=2: the coefficients of a quadratic form, with 2 c_ij off the diagonal."""
    result = eliminate("[3,2,1] r=2")
    (equation,) = (g.polynomial for g in result.generators)
    a, b, c, d, e, f = result.coordinates.ring.gens  # x², xy, xz, y², yz, z²
    determinant = 4 * a * d * f - a * e**2 - b**2 * f + b * c * e - c**2 * d
    assert equation in (determinant, -determinant)
    assert result.complete
    assert result.generators[0].proved_member


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("text", ["[2,2,1] r=4", "[3,2,1] r=2", "[2,1,2] r=2"])
def test_elimination_and_interpolation_give_one_ideal(text: str) -> None:
    """Each method's generators lie in the ideal of the other's."""
    eliminated = [g.polynomial for g in eliminate(text).generators]
    interpolated = list(Neurovariety(text).equations(max_degree=4))
    assert len(eliminated) == len(interpolated)
    for ours, others in ((eliminated, interpolated), (interpolated, eliminated)):
        for g in ours:
            assert len(minimal_generators([*others, g], others[0].ring)) == len(others)


@pytest.mark.usefixtures("here")
def test_without_gauge_the_ideal_is_the_same() -> None:
    with_gauge, without = (eliminate("[2,1,2] r=2", gauge=gauge) for gauge in (True, False))
    assert [g.polynomial for g in with_gauge.generators] == [g.polynomial for g in without.generators]


@pytest.mark.usefixtures("here")
def test_modulo_a_prime_the_degrees_are_those_over_the_rationals() -> None:
    result = eliminate("[2,2,1] r=4", modulus=32003)
    assert (result.degrees, result.characteristic, result.primes) == ({3: 1}, 32003, (32003,))
    assert not result.generators[0].proved_member


@pytest.mark.usefixtures("here")
def test_a_filling_network_has_no_equations() -> None:
    result = eliminate("[2,2,1] r=2")
    assert (result.generators, result.complete) == ((), True)


@pytest.mark.parametrize("text", ["[3,3,3] r=2", "[2,3,2] r=2", "ccp(2,rank=1,degree=2)", "[2,1,1] r=2 bias"])
def test_the_gauge_leaves_as_many_weights_as_dimensions(text: str) -> None:
    network = parse(text)
    assert graph(network, None, gauge=True)[2] == dimension(network).dimension
    assert graph(network, None, gauge=False)[2] == network.parameter_count


def test_without_a_proved_dimension_the_gauge_sets_one_weight_of_each_hidden_neuron(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("polygeom.ideal.search.elimination.MOST_CANDIDATES", 0)
    assert gauge_weights(parse("[2,3,2] r=2")) == {"W1_1_1": 1, "W1_2_1": 1, "W1_3_1": 1}
    deep = ["W1_1_1", "W1_2_1", "W2_1_1", "W2_2_1", "W2_3_1"]
    assert gauge_weights(parse("[2,2,3,1] r=2")) == dict.fromkeys(deep, 1)
    assert gauge_weights(parse("ccp(2,rank=1,degree=2)")) == {}


OTHER = ["ccp(2,rank=1,degree=2)", "convolutional(3,kernels=[2,2],degrees=2)", "[2,1,1] r=2 bias"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("text", OTHER)
def test_other_families_are_eliminated_as_well(text: str) -> None:
    result, searched = eliminate(text), Neurovariety(text).ideal(max_degree=4)
    assert result.complete
    ring = result.coordinates.ring
    ours, theirs = ([g.polynomial for g in r.generators] for r in (result, searched))
    assert result.degrees == searched.degrees
    for g in theirs:
        assert len(minimal_generators([*ours, g], ring)) == len(ours)


@pytest.mark.thorough
@pytest.mark.usefixtures("here")
def test_the_order_does_not_matter_for_the_ideal() -> None:
    one, other = (eliminate("[2,2,1] r=4", order=order) for order in ("grevlex", "lex"))
    assert [g.polynomial for g in one.generators] == [g.polynomial for g in other.generators]


@pytest.mark.thorough
def test_progress_comes_every_second_and_may_interrupt() -> None:
    seen = []

    def interrupt(seconds: float) -> None:
        seen.append(seconds)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        eliminate("[3,3,3] r=2", progress=interrupt)
    assert 1 < seen[0] < seen[1] < 20


def test_superfluous_equations_are_left_out() -> None:
    r, x, y, z = ring(symbols("x y z"), QQ)
    assert minimal_generators([x * y, x**2 * y + z**3 * 0, x * y * z + y**2, y**2], r) == [x * y, y**2]


@pytest.mark.thorough
def test_time_is_enforced_and_not_finished_is_a_result() -> None:
    before = set(psutil.Process().children(recursive=True))
    started = time.monotonic()
    result = eliminate("[3,3,3] r=2", timeout=5.0)
    assert 5.0 < time.monotonic() - started < 7.0
    assert set(psutil.Process().children(recursive=True)) <= before
    assert (result.ended, result.generators, result.completeness) == ("timeout", (), "unknown")
    assert "allow more, or use interpolation" in result.message


@pytest.mark.thorough
def test_memory_is_enforced() -> None:
    result = eliminate("[3,3,3] r=2", timeout=60, memory=20 * 2**20)
    assert result.ended == "memory"


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"modulus": 32004}, "modulus=32003"),
        ({"modulus": 2}, "exceed the degree 2"),
        ({"modulus": 32003.0}, "modulus=32003"),
        ({"algorithm": "f4"}, "one of buchberger, f5b"),
        ({"order": "deglex"}, "one of grevlex, lex"),
        ({"timeout": 0}, "timeout must be a positive number"),
        ({"memory": 10}, "memory must be at least 1MB"),
    ],
)
def test_arguments_that_cannot_be_used(options: dict[str, object], advice: str) -> None:
    with pytest.raises(PolygeomError, match=advice):
        eliminate("[2,2,1] r=2", **options)  # type: ignore[arg-type]


@pytest.mark.usefixtures("here")
def test_fractions_among_coefficients() -> None:
    """a^2/2, ab, b^2/2: the square of the second is four times the product of the others."""
    result = eliminate("x=input(2); a=dense(x,1); polynomial(a,[0,0,1/2])")
    (equation,) = (g.polynomial for g in result.generators)
    first, second, third = result.coordinates.ring.gens
    assert equation in (second**2 - 4 * first * third, 4 * first * third - second**2)
