"""Text for other systems, read back by the systems themselves where they are installed."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from programs import program

from polygeom.errors import PolygeomError
from polygeom.exchange.export import LANGUAGES, export, polynomial_text
from polygeom.ideal import IdealResult, Neurovariety
from polygeom.ideal.search.elimination import eliminate

SINGULAR = program("Singular")
MACAULAY2 = program("M2")
CASES = [("[3,2,1] r=2", 3), ("[2,2,2] r=3", 3), ("[2,2,1] r=4", 3), ("[4,2,1] r=2", 3)]


def ideal(text: str, degree: int) -> IdealResult:
    return Neurovariety(text).ideal(max_degree=degree)


def test_polynomials_as_text() -> None:
    ring = ideal("[2,2,1] r=4", 3).coordinates.ring
    a, b, *_ = ring.gens
    assert polynomial_text(a**2 * b - 3 * b + 1) == "c1x40^2*c1x31 - 3*c1x31 + 1"
    assert polynomial_text(-a + ring.domain(1) / 2, "**") == "-c1x40 + 1/2"
    assert polynomial_text(ring.zero) == "0"


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name not in ("mrdi", "msolve")])
def test_every_generator_and_coordinate_is_in_the_text(language: str) -> None:
    result = ideal("[4,2,1] r=2", 3)
    text = export(result, language)
    assert len(re.findall(r"^  ", text, re.MULTILINE)) == len(result.generators) == 10
    assert all(name in text for name in result.coordinates.names)
    assert text.isascii()


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(PolygeomError, match="one of m2, singular, oscar, sage, magma, msolve, mrdi"):
        export(ideal("[3,2,1] r=2", 3), "maple")


@pytest.mark.parametrize(
    ("language", "prime", "message"),
    [
        ("singular", 2147483659, "Singular reads characteristics below 2^31 only, got 2147483659"),
        ("m2", 4294967311, "Macaulay2 prints wrong residues above 2^32, got 4294967311"),
        ("msolve", 2147483659, "msolve computes modulo primes below 2^31 only, got 2147483659"),
        ("msolve", 32004, "the characteristic must be 0 or a prime, got 32004"),
        ("oscar", 32004, "the characteristic must be 0 or a prime, got 32004"),
    ],
)
def test_what_a_system_would_misread_is_refused_here(language: str, prime: int, message: str) -> None:
    with pytest.raises(PolygeomError, match=re.escape(message)):
        export(replace(ideal("[2,1,1] r=2", 2), characteristic=prime), language)
    assert export(replace(ideal("[2,1,1] r=2", 2), characteristic=2147483647), language)


def test_msolve_gets_integers_and_each_variable_once() -> None:
    ring = ideal("[2,1,1] r=2", 2).coordinates.ring
    a, b, _ = ring.gens
    result = ideal("[2,1,1] r=2", 2)
    halves = replace(result, generators=(replace(result.generators[0], polynomial=a**2 / 3 - b / 2 + 1),))
    assert export(halves, "msolve") == "c1x20,c1x11,c1x02\n0\n2*c1x20^2 - 3*c1x11 + 6\n"
    modular = replace(result, generators=(replace(result.generators[0], polynomial=-(a**2) + 7 * b),), characteristic=7)
    assert export(modular, "msolve") == "c1x20,c1x11,c1x02\n7\n6*c1x20^2\n"
    with pytest.raises(PolygeomError, match="no word for the zero ideal"):
        export(ideal("[2,2,1] r=2", 2), "msolve")


def test_the_zero_ideal_is_one_of_its_ring() -> None:
    text = export(ideal("[2,2,1] r=2", 2), "m2")
    assert "0_R" in text  # an ideal of ZZ otherwise


def run(command: list[str], program: str) -> str:
    done = subprocess.run(command, input=program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.oracle
@pytest.mark.skipif(SINGULAR is None, reason="Singular is not installed")
@pytest.mark.parametrize(("text", "degree"), CASES)
def test_singular_reads_the_ideal_and_finds_its_dimension(text: str, degree: int) -> None:
    result = ideal(text, degree)
    program = export(result, "singular") + "ideal G = std(I); print(dim(G)); print(mult(G)); print(size(minbase(G)));"
    numbers = [int(n) for n in run([str(SINGULAR), "-q", "--no-rc"], program).split()]
    variety = Neurovariety(text)
    assert numbers == [variety.dimension, variety.degree.value, len(result.generators)]


@pytest.mark.thorough
@pytest.mark.oracle
@pytest.mark.skipif(SINGULAR is None, reason="Singular is not installed")
@pytest.mark.parametrize("text", ["[3,2,1] r=2", pytest.param("[2,2,1] r=4", marks=pytest.mark.slow)])
def test_singular_calls_elimination_and_interpolation_equal(text: str) -> None:
    first = export(eliminate(text), "singular")
    second = export(ideal(text, 3), "singular").split("ideal I")[1]
    compare = "print(size(reduce(I, std(J)))); print(size(reduce(J, std(I))));"
    assert run([str(SINGULAR), "-q", "--no-rc"], f"{first}ideal J{second}{compare}").split() == ["0", "0"]


@pytest.mark.thorough
@pytest.mark.oracle
@pytest.mark.skipif(MACAULAY2 is None, reason="Macaulay2 is not installed")
@pytest.mark.parametrize(("text", "degree"), CASES)
def test_macaulay2_reads_the_ideal_and_finds_its_dimension(text: str, degree: int, tmp_path: Path) -> None:
    result = ideal(text, degree)
    script = tmp_path / "ideal.m2"
    script.write_text(export(result, "m2") + "<< dim I << endl << degree I << endl << numgens trim I << endl;\n")
    numbers = [int(n) for n in run([str(MACAULAY2), "--script", str(script)], "").split()]
    variety = Neurovariety(text)
    assert numbers == [variety.dimension, variety.degree.value, len(result.generators)]


def test_what_is_no_ideal_is_told_how_to_get_one() -> None:
    with pytest.raises(PolygeomError, match=r"must be an ideal, got Neurovariety; write Neurovariety\(…\)\.ideal\(\)"):
        export(Neurovariety("[3,2,1] r=2"), "m2")
