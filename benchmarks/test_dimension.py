"""The dimension engine against LAPACK, against its own plain route, and against how people compute dimensions today.

One thread, one process; what is compared runs in alternation. ``dgetrf n`` is LAPACK's factorisation of a random
``n × n`` float64 matrix.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import flint
import numpy as np
import pytest
import sympy_script
from scipy.linalg import lapack

from polygeom.dimensions import dimension
from polygeom.dimensions.bounds import identified_points, search
from polygeom.dimensions.compute import perceptron_trial
from polygeom.dimensions.ranks.tangent import generic_rank
from polygeom.dimensions.ranks.witness import STRUCTURED, generator
from polygeom.engines.symbolic import jacobian_rank
from polygeom.modular import P22, PrimeField, load_compiled
from polygeom.network import builder, mlp, parse

GENERATOR = np.random.default_rng(20240601)
FIELD = PrimeField(P22)
timed = pytest.mark.benchmark(timer=time.process_time)


@pytest.fixture(autouse=True)
def _compiled_outside_the_timer() -> None:
    assert load_compiled()
    dimension("[3,4,3,2] r=2")


def nothing() -> tuple[()]:
    return ()


def nothing_known() -> tuple[()]:
    """Forget bounds and networks of earlier rounds, so that each round is the first."""
    for cached in (search._upper_bound, identified_points.conditions, builder._parse_cached):
        cached.cache_clear()
    return ()


def proved(text: str, value: int) -> Callable[[], None]:
    """One computation from the text to the proved result; every round with another seed, so that nothing is reused."""

    def run() -> None:
        result = dimension(parse(text), rng=int(GENERATOR.integers(2**31)))
        assert (result.dimension, result.proved) == (value, True)

    return run


def structured(text: str, value: int) -> Callable[[], None]:
    """One structured generic point, even where a sparse one would settle the network faster."""
    network = parse(text)
    assert network.widths is not None
    assert network.activation_degrees is not None
    widths, degrees = network.widths, network.activation_degrees

    def run() -> None:
        seed = int(GENERATOR.integers(2**31))
        assert perceptron_trial(widths, degrees, 0, STRUCTURED, seed, value).rank.value == value

    return run


def plain(text: str, value: int) -> Callable[[], None]:
    """The rank of the full Jacobian at generic weights, by the route that uses no structure."""
    network = parse(text)

    def run() -> None:
        assert generic_rank(network, FIELD, generator(int(GENERATOR.integers(2**31)), 0), value).value == value

    return run


def factor(a: np.ndarray) -> None:
    lapack.dgetrf(a, overwrite_a=True)


def columns(n: int) -> Callable[[], tuple[np.ndarray]]:
    return lambda: (np.asfortranarray(FIELD.random(GENERATOR, (n, n))),)


PLAIN = [("[50,50,50] r=2", 4950, 1000, 1), ("[30,30,30,30,30] r=2", 3510, 4, 2), ("[20,20,20,20] r=3", 1160, 4, 5)]


@timed
@pytest.mark.parametrize(("text", "value", "at_least", "rounds"), PLAIN, ids=lambda x: x if isinstance(x, str) else "")
def test_plain_jacobian(compare, text: str, value: int, at_least: float, rounds: int) -> None:
    compare(
        plain(text, value), nothing, structured(text, value) if "50" not in text else proved(text, value), nothing,
        against="structured point", rounds=rounds, at_least=at_least,
    )  # fmt: skip


@timed
@pytest.mark.parametrize(("n", "at_most"), [(3000, 0.4), (1740, 1.7)])
def test_structured_point_of_five_layers_of_30(compare, n: int, at_most: float) -> None:
    """C = 1740 shared columns remain of 3600."""
    compare(
        structured("[30,30,30,30,30] r=2", 3510), nothing, factor, columns(n),
        against=f"dgetrf {n}", rounds=4, at_most=at_most,
    )  # fmt: skip


@timed
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_shrinking_outputs(compare) -> None:
    """[64,64,64,10]: no sparse point settles it; C = 7434 shared columns remain of 8832."""
    compare(
        structured("[64,64,64,10] r=2", 8704), nothing, factor, columns(7434),
        against="dgetrf 7434", rounds=2, at_most=1.3,
    )  # fmt: skip


@timed
@pytest.mark.parametrize(("text", "value"), [("[100,100,100,100] r=2", 29800), ("[500,500,500] r=2", 499500)])
def test_large_networks_are_proved(compare, text: str, value: int) -> None:
    """30,000 and 500,000 parameters: from the text to the proof."""
    compare(proved(text, value), nothing, factor, columns(1000), against="dgetrf 1000", rounds=3)


@timed
def test_survey_of_random_architectures(compare) -> None:
    """400 architectures of widths up to 12 and two to four layers, text to result: at least 1000 a second."""
    draw = random.Random(0)
    texts = [
        f"[{','.join(str(draw.randint(1, 12)) for _ in range(draw.randint(3, 5)))}] r={draw.randint(2, 3)}"
        for _ in range(400)
    ]

    def run() -> None:
        assert all(dimension(parse(text)).proved for text in texts)

    def one_millisecond_each() -> None:
        stop = time.process_time() + 0.4
        while time.process_time() < stop:
            pass

    compare(run, nothing_known, one_millisecond_each, nothing, against="1 ms each", rounds=5, at_most=1.0)


FLINT = [("[10,10,10,10] r=2", 280), ("[20,20,20] r=2", 780), ("[8,8,8,8] r=3", 176)]


@timed
@pytest.mark.parametrize(("text", "value"), FLINT, ids=[text for text, _ in FLINT])
def test_flint_on_the_plain_jacobian(compare, text: str, value: int) -> None:
    """FLINT's rank alone, the Jacobian given; ours includes making it."""
    from polygeom.dimensions.ranks.tangent import jacobian, random_weights

    network = parse(text)
    count = -(-value // network.output_dimension) + 2
    weights = random_weights(network, FIELD, GENERATOR)
    rows = FIELD.decode(jacobian(network, FIELD, weights, FIELD.random(GENERATOR, (count, network.input_dimension))))
    matrix = flint.nmod_mat(network.output_dimension * count, network.parameter_count, rows.ravel().tolist(), P22)

    def run() -> None:
        assert matrix.rank() == value

    compare(run, nothing, proved(text, value), nothing, against="polygeom", rounds=5)


@timed
@pytest.mark.parametrize("route", ["expressions", "sparse rings"])
@pytest.mark.parametrize("text", ["[3,3,3] r=2", "[2,2,2,2] r=2"])
def test_sympy(compare, text: str, route: str) -> None:
    """Coefficients as polynomials in the weights, their Jacobian at random integers, its rank over ℚ."""
    network = parse(text)
    value = dimension(network).dimension

    def run() -> None:
        if route == "expressions":
            assert sympy_script.dimension(network.widths, network.activation_degrees, GENERATOR) == value
        else:
            assert jacobian_rank(network, rng=1) == value

    compare(run, nothing, proved(text, value), nothing, against="polygeom", rounds=3)


SCRIPT = [("[3,3,3] r=2", 15, 300), ("[5,4,3,2] r=2", 31, 2000), ("[10,10,10] r=2", 190, 2000)]


@timed
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("text", "value", "at_least"), SCRIPT, ids=[text for text, *_ in SCRIPT])
def test_sage_script(compare, text: str, value: int, at_least: float) -> None:
    """The way of the published scripts, in Sage's types, mod two primes. Skipped where no Sage is installed."""
    sage = pytest.importorskip("sage_script")
    network = parse(text)

    def run() -> None:
        assert sage.dimension(network.widths, network.activation_degrees) == value

    once = proved(text, value)

    def hundred() -> None:
        for _ in range(100):
            once()

    compare(run, nothing, hundred, nothing, against="100 x polygeom", rounds=4, at_least=at_least / 100)


def test_settled_share() -> None:
    """Widths up to 6, up to three layers, r = 2 and 3: at most one architecture may stay unproved."""
    import itertools

    grid = [w for depth in (1, 2, 3) for w in itertools.product(range(1, 7), repeat=depth + 1)]
    open_cases = [(w, r) for w in grid for r in (2, 3) if not dimension(mlp(w, r)).proved]
    assert len(open_cases) <= 1
