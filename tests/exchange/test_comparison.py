"""Ideals of files against those of networks: the same, contained, different; and round trips through the programs."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from programs import needs, output

from polygeom.cli import run
from polygeom.errors import PolygeomError
from polygeom.exchange.comparison import Comparison, compare
from polygeom.exchange.export import LANGUAGES, export
from polygeom.exchange.ideals import Equations, read_ideal
from polygeom.ideal import Neurovariety
from polygeom.ideal.search.search import Search

CASES = ["[3,2,1] r=2", "[2,2,2] r=3", "[4,2,1] r=2", "[2,1,2] r=2 bias"]


@cache
def search(network: str) -> Search:
    return Neurovariety(network).search()


def compared(text: str, network: str) -> Comparison:
    return compare(read_ideal(text, network), search(network))


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_exported_ideal_is_the_same(language: str) -> None:
    text = export(search("[4,2,1] r=2").result, language)
    found = compared(text, "[4,2,1] r=2")
    assert (found.relation, found.status) == ("same", "proved")


@pytest.mark.parametrize("network", [*CASES, "[3,3,3] r=2", "[2,2,2,2] r=2", "[2,2,1] r=2"])
def test_other_generators_of_the_same_ideal(network: str) -> None:
    """Sums of generators and multiples of those of lower degree generate the same ideal."""
    equations = read_ideal(export(search(network).result, "singular"), network)
    polynomials = list(equations.polynomials)
    mixed = [f + 2 * g if set(map(sum, f)) == set(map(sum, g)) else f for f, g in zip(polynomials, polynomials[1:])]  # noqa: B905, RUF007
    more = [*mixed, *polynomials[-1:], *(equations.ring.gens[0] * f for f in polynomials[:1])]
    found = compare(replace(equations, polynomials=tuple(more)), search(network))
    assert (found.relation, found.status) == ("same", "proved")


def test_fewer_generators_are_contained() -> None:
    network = "[4,2,1] r=2"
    equations = read_ideal(export(search(network).result, "m2"), network)
    found = compare(replace(equations, polynomials=equations.polynomials[:-1]), search(network))
    assert (found.relation, found.status, found.strict) == ("contained", "proved", True)
    assert "10 equations of degree 3 are needed, these are 9" in found.reason
    doubled = (*equations.polynomials[:-1], equations.polynomials[0] - equations.polynomials[1])
    found = compare(replace(equations, polynomials=doubled), search(network))
    assert (found.relation, found.status, found.strict) == ("contained", "probable", True)
    assert "they span 9 of the 10 equations of degree 3" in found.reason
    squares = tuple(f**2 for f in equations.polynomials)
    assert compare(replace(equations, polynomials=squares), search(network)).relation == "contained"


def test_one_wrong_sign_is_different() -> None:
    network = "[3,2,1] r=2"
    (f,) = read_ideal(export(search(network).result, "sage"), network).polynomials
    monomial, c = next(iter(f.terms()))
    wrong = f - 2 * f.ring.from_dict({monomial: c})
    found = compare(Equations(f.ring, (f, wrong)), search(network))
    assert (found.relation, found.status, found.outside) == ("different", "proved", (2,))
    assert found.as_dict()["outside"] == [2]


def test_a_prime_field_is_probable() -> None:
    text = "kk = ZZ/32003\nR = kk[c1x20,c1x11,c1x02]\nI = ideal(16002*c1x11^2-2*c1x20*c1x02)"
    found = compared(text, "[2,1,1] r=2")
    assert (found.relation, found.status, found.characteristic) == ("same", "probable", 32003)
    assert compared(text.replace("16002", "16001"), "[2,1,1] r=2").relation == "different"
    with pytest.raises(PolygeomError, match="must be below 33554432"):
        compared(text.replace("32003", "2147483647"), "[2,1,1] r=2")


def test_what_is_not_known_is_not_said() -> None:
    short = Neurovariety("[2,2,2,1] r=3").search(max_degree=5)
    equations = read_ideal(export(short.result, "m2"), "[2,2,2,1] r=3")
    found = compare(equations, short)
    assert (found.relation, found.strict) == ("contained", None)
    assert "unknown" in found.reason
    other = read_ideal("R = QQ[x]; I = ideal(x)")
    with pytest.raises(PolygeomError, match="in the coordinates of the network"):
        compare(other, short)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ideal.m2"
    path.write_text(export(search("[3,2,1] r=2").result, "m2"))
    assert run(["ideal", "[3,2,1] r=2", "--compare", str(path)]) == 0
    assert capsys.readouterr().out.startswith("[3,2,1] r=2: the same ideal (proved)")
    path.write_text("c1x200")
    assert run(["ideal", "[3,2,1] r=2", "--compare", str(path), "--json", "--timeout", "60"]) == 1
    assert json.loads(capsys.readouterr().out)["relation"] == "different"
    path.write_text("c1x200 c1x110")
    assert run(["ideal", "[3,2,1] r=2", "--compare", str(path)]) == 2
    assert "blanks may not stand inside" in capsys.readouterr().err
    assert run(["ideal", "[3,2,1] r=2", "--compare", str(path), "--export", "m2"]) == 2
    assert "--compare only compares" in capsys.readouterr().err


@pytest.mark.oracle
@needs("Singular", "Singular")
@pytest.mark.parametrize("network", CASES)
def test_round_trip_through_singular(network: str) -> None:
    text = export(search(network).result, "singular")
    header = text.split("ideal I")[0]
    plain, standard = output("Singular", ["-q", "--no-rc"], f'{text} I; print("===="); std(I); quit;').split("====\n")
    assert compared(plain, network).relation == "same"
    assert compared(f"{header}{standard.replace('_[', 'J[')}", network).relation == "same"


@pytest.mark.thorough
@pytest.mark.oracle
@needs("M2", "Macaulay2")
@pytest.mark.parametrize("network", CASES)
def test_round_trip_through_macaulay2(network: str, tmp_path: Path) -> None:
    script = tmp_path / "ideal.m2"
    text = export(search(network).result, "m2")
    script.write_text(f'{text}print toString I; print "===="; print ("ideal " | toString gens gb I);\n')
    printed, basis = output("M2", ["--script", str(script)]).split("====\n")
    assert compared(printed, network).relation == "same"
    assert compared(basis, network).relation == "same"


@pytest.mark.thorough
@pytest.mark.oracle
@needs("msolve", "msolve")
@pytest.mark.parametrize("network", CASES)
@pytest.mark.parametrize("prime", [0, 65521])
def test_round_trip_through_msolve(network: str, prime: int, tmp_path: Path) -> None:
    path = tmp_path / "ideal.ms"
    path.write_text(export(replace(search(network).result, characteristic=prime), "msolve"))
    found = compared(output("msolve", ["-g", "2", "-f", str(path)]), network)
    assert (found.relation, found.characteristic) == ("same", prime)


@pytest.mark.thorough
@pytest.mark.oracle
@needs("M2", "Macaulay2")
def test_the_zero_ideal_in_macaulay2(tmp_path: Path) -> None:
    script = tmp_path / "zero.m2"
    script.write_text(export(search("[2,2,1] r=2").result, "m2") + "print(ring I === R); print dim I;")
    assert output("M2", ["--script", str(script)]).split() == ["true", "3"]
