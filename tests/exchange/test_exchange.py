"""Ideals written for other systems and read back: by us, and by way of the systems themselves."""

from __future__ import annotations

import json
import re
import time
import uuid
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from here import in_this_process

from polygeom.errors import PolygeomError
from polygeom.exchange.export import LANGUAGES, export
from polygeom.exchange.ideals import read_ideal, read_ideal_file
from polygeom.exchange.mrdi import read_mrdi
from polygeom.ideal import IdealResult, Neurovariety
from polygeom.ideal.search.elimination import eliminate

CASES = ["[3,2,1] r=2", "[2,2,2] r=3", "[4,2,1] r=2", "[2,1,2] r=2 bias"]


@cache
def ideal(text: str) -> IdealResult:
    return Neurovariety(text).ideal(max_degree=3)


@cache
def modulo(text: str) -> IdealResult:
    """By elimination over the field of 101 elements."""
    with in_this_process():
        return eliminate(text, modulus=101)


def polynomials(result: IdealResult) -> list[object]:
    return [g.polynomial for g in result.generators]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", CASES)
def test_every_language_is_read_back(language: str, text: str) -> None:
    result = ideal(text)
    written = export(result, language)
    assert list(read_ideal(written, text).polynomials) == polynomials(result)
    alone = read_ideal(written)
    assert [str(s) for s in alone.ring.symbols] == list(result.coordinates.names)
    assert [str(f) for f in alone.polynomials] == [str(f) for f in polynomials(result)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_prime_fields_are_read_back(language: str) -> None:
    result = modulo("[2,2,1] r=4")
    back = read_ideal(export(result, language), "[2,2,1] r=4")
    assert back.characteristic == 101
    assert [{m: int(c) % 101 for m, c in f.items()} for f in back.polynomials] == [
        {m: int(c) % 101 for m, c in f.items()} for f in polynomials(result)
    ]


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "msolve"])
def test_the_zero_ideal_is_read_back(language: str) -> None:
    assert read_ideal(export(ideal("[2,2,1] r=2"), language)).polynomials == ()


def test_long_equations_are_read_back() -> None:
    result = Neurovariety("[3,3,1] r=3").ideal(max_degree=4)
    (equation,) = polynomials(result)
    assert read_ideal(export(result, "m2")).polynomials == (equation,)


def test_mrdi_has_the_form_of_oscar() -> None:
    document = json.loads(export(ideal("[3,2,1] r=2"), "mrdi"))
    assert document["_ns"] == {"Oscar": ["https://github.com/oscar-system/Oscar.jl", "1.4.0"]}
    assert document["_type"]["name"] == "MPolyIdeal"
    identifier = document["_type"]["params"]
    assert str(uuid.UUID(identifier)) == identifier
    assert document["_refs"] == {
        identifier: {
            "_type": {"name": "MPolyRing", "params": {"_type": "QQField"}},
            "data": {"symbols": ["c1x200", "c1x110", "c1x101", "c1x020", "c1x011", "c1x002"]},
        }
    }
    (terms,) = document["data"]
    assert [["1", "0", "0", "1", "0", "1"], "-4"] in terms


def test_mrdi_of_a_prime_field_has_canonical_residues() -> None:
    document = json.loads(export(modulo("[2,1,1] r=2"), "mrdi"))
    (ring,) = document["_refs"].values()
    assert ring["_type"]["params"] == {"_type": {"name": "FiniteField", "_instance": "fpField"}, "data": "101"}
    square, product = (
        next(int(c) for exponents, c in document["data"][0] if exponents == wanted)
        for wanted in (["0", "2", "0"], ["1", "0", "1"])
    )
    assert 0 < square < 101
    assert 0 < product < 101
    assert (product + 4 * square) % 101 == 0


def test_negative_numbers_are_residues_as_well() -> None:
    result = replace(ideal("[2,1,1] r=2"), characteristic=101)
    (terms,) = json.loads(export(result, "mrdi"))["data"]
    assert [["1", "0", "1"], "97"] in terms


def test_rings_have_identifiers_of_their_own() -> None:
    texts = [export(ideal("[3,2,1] r=2"), "mrdi"), export(ideal("[4,2,1] r=2"), "mrdi")]
    texts.append(export(modulo("[3,2,1] r=2"), "mrdi"))
    assert len({json.loads(text)["_type"]["params"] for text in texts}) == 3
    assert export(ideal("[3,2,1] r=2"), "mrdi") == texts[0]


RING = {"_type": {"name": "MPolyRing", "params": {"_type": "QQField"}}, "data": {"symbols": ["x", "y"]}}


@pytest.mark.parametrize(
    ("kind", "ring"),
    [
        ({"name": "MPolyIdeal", "params": "r"}, RING),
        ({"name": "Vector", "params": {"name": "MPolyRingElem", "params": "r"}}, RING),
        (  # as versions before 1.4 write it
            {"name": "MPolyIdeal", "params": "r"},
            {"_type": "MPolyRing", "data": {"base_ring": {"_type": "QQField"}, "symbols": ["x", "y"]}},
        ),
    ],
)
def test_other_documents_that_hold_polynomials(kind: object, ring: object) -> None:
    document = {"_type": kind, "_refs": {"r": ring}, "data": [[[["1", "0"], "1//2"], [["0", "2"], "-3"]]]}
    assert [str(f) for f in read_ideal(json.dumps(document)).polynomials] == ["-3*y**2 + 1/2*x"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_type": {"name": "Polyhedron", "params": "r"}}, "the type 'Polyhedron' is no ideal"),
        ({"_type": "QQField"}, "the type 'QQField' is no ideal"),
        ({"_refs": {}}, "no ideal in the .mrdi format"),
        ({"_refs": {"r": RING | {"_type": {"name": "PolyRing", "params": {"_type": "QQField"}}}}}, "polynomial ring"),
        ({"_refs": {"r": RING | {"_type": {"name": "MPolyRing", "params": {"_type": "AcbField"}}}}}, "prime field"),
        ({"_refs": {"r": RING | {"data": {"symbols": ["x", "x"]}}}}, "different names"),
        ({"data": [[[["1"], "1"]]]}, "2 numbers from 0"),
        ({"data": [[[["-1", "0"], "1"]]]}, "2 numbers from 0"),
        ({"data": [[[["1", "0"], "one"]]]}, "no ideal in the .mrdi format"),
        ({"data": [[[["1", "0"], "1//0"]]]}, "no ideal in the .mrdi format"),
        ({"data": 7}, "no ideal in the .mrdi format"),
    ],
)
def test_broken_documents(change: dict[str, object], message: str) -> None:
    document = {"_type": {"name": "MPolyIdeal", "params": "r"}, "_refs": {"r": RING}, "data": []} | change
    with pytest.raises(PolygeomError, match=re.escape(message)):
        read_ideal(json.dumps(document))


@pytest.mark.parametrize("text", ["{", '{"_type": ', "{}", "[" * 100_000, '{"a":' * 100_000])
def test_documents_cut_short(text: str) -> None:
    with pytest.raises(PolygeomError):
        read_mrdi(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x^2", "declares no ring"),
        ("ring r = 0, (x,y), dp;", "there is no ideal"),
        ("ring r = 4, (x,y), dp; ideal I = x;", "0 or a prime"),
        ("ring r = 0, (x,x), dp; ideal I = x;", "different names"),
        ("ring r = 0, (x,y), dp; ideal I = z;", "'z' is no variable of the ring; its variables are x, y"),
        ("ring r = 0, (x,y), dp; ideal I = x+;", "expected a number or a variable, found ';'"),
        ("ring r = 0, (x,y), dp; ideal I = x/0;", "divides by zero"),
        ("ring r = 0, (x,y), dp; ideal I = 1/0*x;", "divides by zero"),
        ("ring r = 0, (x,y), dp; ideal I = x/y;", "a division by a polynomial"),
        ("ring r = 7, (x,y), dp; ideal I = 1/7*x;", "no value modulo 7"),
        ("ring r = 0, (x,y), dp; ideal I = x^99999999999999;", "is above 100000"),
        ("ring r = 0, (x,y), dp; ideal I = (x+y+1)^99999;", "expanding needs more than"),
        ("ring r = 0, (x,y), dp; ideal I = __import__('os');", "expected a number or a variable, found '_'"),
    ],
)
def test_texts_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(PolygeomError, match=re.escape(message)):
        read_ideal(text)


def test_variables_must_be_coordinates_of_the_network() -> None:
    with pytest.raises(PolygeomError, match="is no coordinate of"):
        read_ideal("ring r = 0, (x,y), dp; ideal I = x;", "[2,1,1] r=2")


def test_variables_may_come_in_any_order() -> None:
    (f,) = read_ideal("R = QQ[c1x02,c1x20,c1x11]; I = ideal(c1x11^2-4*c1x20*c1x02)", "[2,1,1] r=2").polynomials
    assert [f] == polynomials(ideal("[2,1,1] r=2")) or [-f] == polynomials(ideal("[2,1,1] r=2"))


def test_a_text_of_120000_generators_is_refused_at_once() -> None:
    text = f"ring R = 0, (x, y), dp; ideal I = {','.join(['x^2*y'] * 120_000)};"
    start = time.process_time()
    with pytest.raises(PolygeomError, match="an ideal may have 30000 generators and lines, this text has 1200"):
        read_ideal(text)
    assert time.process_time() - start < 0.5


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "ideal.m2"
    path.write_text(export(ideal("[3,2,1] r=2"), "m2"))
    assert list(read_ideal_file(path).polynomials) == polynomials(ideal("[3,2,1] r=2"))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolygeomError, match="not text in UTF-8"):
        read_ideal_file(path)
    with pytest.raises(PolygeomError, match="cannot read"):
        read_ideal_file(tmp_path / "nothing.m2")
