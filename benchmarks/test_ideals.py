"""Equations by interpolation against elimination in sympy, Singular and Macaulay2.

Ours is the whole way from the text of a network to the minimal generators over Q, each proved to vanish, and the proof
that none is missing; every round has another seed. The others eliminate, sympy over Q and with as many weights fixed as
possible, Singular and Macaulay2 over a prime field, in processes of their own, whose processor time is counted. What is
not installed is skipped.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import algebra_systems
import numpy as np
import pytest
from algebra_systems import GFAN, LIMIT, MACAULAY2, SINGULAR, cpu_seconds

from polygeom.ideal import interpolate
from polygeom.ideal.search.elimination import run as eliminate_here
from polygeom.modular import load_compiled

GENERATOR = np.random.default_rng(20240601)
needs = {
    "sympy": [],
    "Singular": [pytest.mark.skipif(SINGULAR is None, reason="Singular is not installed")],
    "Macaulay2": [pytest.mark.skipif(MACAULAY2 is None, reason="Macaulay2 is not installed")],
}


@pytest.fixture(autouse=True)
def _compiled_outside_the_timer() -> None:
    assert load_compiled()
    interpolate("[2,2,1] r=4")


def nothing() -> tuple[()]:
    return ()


def ours(text: str, count: int) -> Callable[[], None]:
    def run() -> None:
        result = interpolate(text, rng=int(GENERATOR.integers(2**31))).result
        assert len(result.generators) == count
        assert all(g.proved_member for g in result.generators)
        assert result.complete

    return run


def in_sympy(text: str, algorithm: str, order: str) -> int:
    options = {"modulus": None, "gauge": True, "algorithm": algorithm, "order": order}
    return len(eliminate_here({"network": text, "options": options})["generators"])


# network, number of generators, algorithm, order, the factor asked for where sympy needs more than a second
SYMPY = [
    ("[3,2,1] r=2", 1, "f5b", "lex", None),
    ("[2,2,1] r=4", 1, "f5b", "lex", None),
    ("[2,2,3] r=2", 1, "f5b", "lex", 100),
    ("[3,2,1] r=2", 1, "buchberger", "grevlex", None),
    ("[2,2,1] r=4", 1, "buchberger", "grevlex", 100),
]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize(("text", "count", "algorithm", "order", "at_least"), SYMPY)
def test_sympy(compare, text: str, count: int, algorithm: str, order: str, at_least: float | None) -> None:
    def run() -> None:
        assert in_sympy(text, algorithm, order) == count

    compare(run, nothing, ours(text, count), nothing, against="polygeom", rounds=2, at_least=at_least)


# network, number of generators; the factor that is asked for in Singular
SYSTEMS = [
    ("[3,2,1] r=2", 1, None),
    ("[2,2,3] r=2", 1, None),
    ("[2,2,1] r=4", 1, None),
    ("[4,2,1] r=2", 10, None),
    ("[2,2,2] r=3", 4, None),
    ("[3,2,1] r=3", 20, None),
    ("[3,2,2] r=2", 20, None),
    ("[4,3,1] r=2", 1, None),
    ("[3,2,3] r=2", 94, None),
    ("[5,3,1] r=2", 15, 100),
]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.benchmark(timer=cpu_seconds)
@pytest.mark.parametrize(("text", "count", "at_least"), SYSTEMS, ids=[row[0] for row in SYSTEMS])
@pytest.mark.parametrize("system", [pytest.param(name, marks=needs[name]) for name in ("Singular", "Macaulay2")])
def test_elimination(compare, system: str, text: str, count: int, at_least: float | None) -> None:
    eliminate = getattr(algebra_systems, f"in_{system.lower()}")

    def run() -> None:
        assert eliminate(text, 600) == count

    compare(run, nothing, ours(text, count), nothing, against="polygeom", rounds=2, at_least=at_least)


# network, number of generators: none of the systems finishes within 120 seconds
OUT_OF_REACH = [("[3,3,1] r=3", 1), ("[2,2,2,2] r=2", 6), ("[3,3,3] r=2", 9)]


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize(("text", "count"), OUT_OF_REACH, ids=[row[0] for row in OUT_OF_REACH])
def test_out_of_reach_of_elimination(compare, text: str, count: int) -> None:
    def one_second() -> None:
        stop = time.process_time() + 1.0
        while time.process_time() < stop:
            pass

    compare(ours(text, count), nothing, one_second, nothing, against="1 second", rounds=3, at_most=1.0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("text", [row[0] for row in OUT_OF_REACH])
@pytest.mark.parametrize("system", [pytest.param(name, marks=needs[name]) for name in ("Singular", "Macaulay2")])
def test_elimination_does_not_finish(system: str, text: str) -> None:
    assert getattr(algebra_systems, f"in_{system.lower()}")(text, LIMIT) is None


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(MACAULAY2 is None or GFAN is None, reason="Macaulay2 or gfan is not installed")
@pytest.mark.benchmark(timer=cpu_seconds)
@pytest.mark.parametrize(("text", "count", "degree"), [("[3,2,1] r=2", 1, 3), ("[3,3,3] r=2", 9, 4)])
def test_components_of_the_kernel(compare, text: str, count: int, degree: int) -> None:
    """The strongest peer: Macaulay2's MultigradedImplicitization, in the same multigrading, without completeness."""

    def run() -> None:
        assert algebra_systems.in_components(text, degree, 600) == count

    compare(run, nothing, ours(text, count), nothing, against="polygeom", rounds=2, at_least=None)
