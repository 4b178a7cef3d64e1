"""Texts of networks as the checker reads them: altered at random they are refused, or mean what polygeom reads."""

from __future__ import annotations

import random
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from dimension.bounds.random_networks import networks

from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.proofs import programs
from polygeom.dimensions.proofs.jacobians import forward
from polygeom.dimensions.proofs.programs import read
from polygeom.dimensions.proofs.symmetries import PRIME
from polygeom.dimensions.proofs.texts import statements
from polygeom.engines.prime_field import PrimeFieldEngine
from polygeom.errors import BudgetError, CertificateError, PolygeomError
from polygeom.modular import P22, PrimeField
from polygeom.network import Network, parse
from polygeom.network.text.maps import map_formula

ALPHABET = "0123456789,;/[]()=-xrp "
OF_MAPS = "0123456789,/()+-*^=stxyab: "
OWN = [
    "[2,3,3,3,2] r=2 tied",
    "[2,3,3,2] r=2,3 bias",
    "[2,3,1] p=0,1/2,1 bias",
    "[2,3,2,1] p=0,1,1;0,0,-1/3,2",
    "[2,2,2,2,1] p=0,1,1;0,1;0,1,1",
    "[2,3,2,2,2] p=0,1,1;0,1;0,0,1 bias",
    "[2,3,2] p=0,1",
    "[2,3,2] p=0,2",
    "[2,3,2] p=1,1",
    "x0=input(4,2); x1=convolution(x0,2,1,3); x2=power(x1,2); flatten(x2)",
    "x0=input(2,2); x1=attention(x0,1,2); sum(x0,x1)",
    "x0=input(2); x1=dense(x0,2); x2=dense(x1,2,shares=x1); x3=polynomial(x2,[0,1/2,1]); product(x3,x2)",
    "x0=input(2); x1=dense(x0,2,pattern=[[0,-1],[-1,0]]); scale(x1)",
]


def altered(text: str, draw: random.Random, alphabet: str = ALPHABET) -> str:
    """A character in place of another, put in or left out; two exchanged; or a number one larger or smaller."""
    place, action = draw.randrange(len(text)), draw.randrange(5)
    if action == 0:
        return text[:place] + draw.choice(alphabet) + text[place + 1 :]
    if action == 1:
        return text[:place] + draw.choice(alphabet) + text[place:]
    if action == 2:
        return text[:place] + text[place + 1 :]
    if action == 3:
        other = draw.randrange(len(text))
        letters = list(text)
        letters[place], letters[other] = letters[other], letters[place]
        return "".join(letters)
    digits = [k for k, c in enumerate(text) if c.isdigit()]
    place = draw.choice(digits)
    return text[:place] + str(int(text[place]) + draw.choice([-1, 1])).lstrip("-") + text[place + 1 :]


def means_the_same(text: str, network: Network) -> bool:
    """Whether both have as many weights, the same shapes, and the same values where all weights are one number each."""
    program = read(text)
    if (program.weights, program.inputs, program.shapes[-1]) != (
        network.parameter_count,
        network.input_dimension,
        network.output_shape,
    ):
        return False
    field = PrimeField(P22)
    flat = np.random.default_rng(1).integers(1, 1000, size=program.weights)
    weights, start = {}, 0
    for name, shape in network.parameters.items():
        size = int(np.prod(shape))
        weights[name] = field.encode(flat[start : start + size].reshape(shape).astype(object))
        start += size
    point = np.random.default_rng(2).integers(1, 1000, size=(2, *network.input_shape))
    ours = network.evaluate(PrimeFieldEngine(field), weights, field.encode(point.astype(object)))
    theirs = forward(program, P22, flat, point.reshape(2, *program.shapes[0]))[-1] % P22
    return bool(np.array_equal(field.decode(ours) % P22, theirs.reshape(ours.shape)))


@pytest.mark.thorough
def test_altered_texts_are_refused_or_mean_the_same() -> None:
    drawn = networks(random.Random(3), 30, 20)
    texts = [*OWN, *(plain_text(next(drawn)) for _ in range(30))]
    accepted = refused = 0
    for text in texts:
        assert means_the_same(text, parse(text)), text
    for number in range(2500):
        draw = random.Random(number)
        text = altered(draw.choice(texts), draw)
        try:
            read(text)
        except (CertificateError, BudgetError):
            refused += 1
            continue
        accepted += 1
        try:
            network = parse(text)
        except PolygeomError as error:
            raise AssertionError(f"polygeom does not read {text}") from error
        assert means_the_same(text, network), text
    assert accepted > 100
    assert refused > 1000


REFUSED = """
[2]
[2,3,1]
[2,1] r=2
[2,3,1] r=2,2
[2,3,1] r=0
[2,0,1] r=2
[02,3,1] r=2
[2,3,1] r=1000001
[2,3,1] r=2 p=0,1
[2,3,1] p=1
[2,3,1] p=1,0
[2,3,1] p=0,2/4
[2,3,1] p=0,-0,1
[2,3,1] p=0,01
[2,3,1]  r=2
[2,3,1] r=2 tied bias
[2,3,1] r=2,
[2,3,2,1] r=2,2,2
[2,3,1] p=0,1/1
x0=input(2); dense(x1,2)
x0=input(2); dense(x0,0)
x0=input(2)
x0=input(0); dense(x0,1)
x0=input(02); dense(x0,1)
x0=input(2); dense(x0,02)
x0=input(2); dense(x00,2)
x0=input(2); dense(x0,2,)
x0=input(2); x2=dense(x0,2); dense(x2,1)
x0=input(2); x1=dense(x0,2)
x0=input(2); x1=dense(x0,2); dense(x0,1)
x0=input(2); x1=input(2); sum(x0,x1)
x0=input(2); sum(x0)
x0=input(2); x1=dense(x0,3); sum(x0,x1)
x0=input(2); power(x0,0)
x0=input(2); power(x0,1000001)
x0=input(2); polynomial(x0,[0,1)
x0=input(2,2); dense(x0)
x0=input(2); convolution(x0,3)
x0=input(2); convolution(x0,1,0)
x0=input(2); convolution(x0,0)
x0=input(2,2,2); convolution(x0,1)
x0=input(2); attention(x0,1,1)
x0=input(2,2); attention(x0,0,1)
x0=input(2,2); attention(x0,1,0)
x0=input(1,1,1,1,1); dense(x0,1)
x0=input(2); poem(x0)
x0=input(2); x1=dense(x0,2); x2=dense(x1,3); x3=dense(x2,3); dense(x3,x1)
x0=input(2); x1=dense(x0,2); x2=dense(x1,2); x3=sum(x2,x1); product(x3,2)
x0=input(2); x1=dense(x0,2); x2=dense(x1,2); product(x2,x1,1)
x0=input(2); x1=dense(x0,2); dense(x1,2,x0)
x0=input(2); x1=bias(x0); x2=bias(x1); bias(x2,x1)
x0=input(2); dense(2)
x0=input(2); x1=bias(x0); flatten(x1,x0)
x0=input(2); dense(x0,2,shares=x0)
x0=input(2); x1=dense(x0,2); dense(x1,3,shares=x1)
x0=input(2); x1=dense(x0,2); scale(x1,shares=x1)
x0=input(2); x1=dense(x0,2); dense(x1,2,shares=x1,shares=x1)
x0=input(2); x1=dense(x0,2); dense(x1,2,shares=1)
x0=input(2); x1=power(x0,2); power(x1,2,shares=x1)
x0=input(2); dense(x0,2,pattern=[[0,-1],[-1,09])
x0=input(2); dense(x0,2,pattern=[[0,00],[-1,1]])
x0=input(2); dense(x0,2,pattern=[[0,2],[-1,3]])
x0=input(2); dense(x0,2,pattern=[[0,1]])
map(s: x=s^2
map(s,t: s/(+t), t)
map(s: +s)
""".strip().splitlines()


@pytest.mark.parametrize("text", [*REFUSED, "", "[2,3,1] r=2\n"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(CertificateError, match="is not one as polygeom writes it"):
        read(text)


def test_statements_of_texts() -> None:
    assert statements("[2,3,1] p=0,-1/2,1 bias") == [
        ("input", (), [2], {}),
        ("dense", (0,), [3], {}),
        ("bias", (1,), [], {}),
        ("polynomial", (2,), [[Fraction(0), Fraction(-1, 2), Fraction(1)]], {}),
        ("dense", (3,), [1], {}),
        ("bias", (4,), [], {}),
    ]
    tied = statements("[2,2,2,2,2] r=2 bias tied")
    assert [named for *_, named in tied] == [{}, {}, {}, {}, {}, {}, {}, {"shares": 4}, {"shares": 5}, {}, {}, {}]
    assert statements("[2,2,1] r=1") == [("input", (), [2], {}), ("dense", (0,), [2], {}), ("dense", (1,), [1], {})]
    (*_, last) = statements("x0=input(2); x1=dense(x0,2); dense(x1,2,shares=x1,pattern=[[0,-1],[1,2]])")
    assert last == ("dense", (1,), [2], {"shares": 1, "pattern": [[0, -1], [1, 2]]})


def test_programs_have_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    size = read("[2,3,1] r=2").entries
    for most, fits in ((size, True), (size - 1, False)):
        read.cache_clear()
        monkeypatch.setattr(programs, "MOST_ENTRIES", most)
        if fits:
            assert read("[2,3,1] r=2").entries == size
        else:
            with pytest.raises(BudgetError, match=f"more than {most} entries"):
                read("[2,3,1] r=2")
    read.cache_clear()


@pytest.mark.parametrize(
    ("text", "widths", "degrees"),
    [
        ("[2,3,1] r=2", (2, 3, 1), (2,)),
        ("[2,3,2,1] r=1,2", (2, 3, 2, 1), (1, 2)),
        ("x0=input(2); x1=dense(x0,3); dense(x1,1)", (2, 3, 1), (1,)),
        ("[2,3,1] r=2 bias", None, ()),
        ("x0=input(2); x1=power(x0,2); dense(x1,1)", None, ()),
        ("x0=input(2); x1=dense(x0,3); power(x1,2)", None, ()),
        ("x0=input(2); x1=dense(x0,3); x2=power(x1,2); x3=power(x2,2); dense(x3,1)", None, ()),
        ("x0=input(2,2); dense(x0,3)", None, ()),
        ("[2,2,2,2,2] r=2 tied", None, ()),
    ],
)
def test_perceptrons_are_recognised(text: str, widths: tuple[int, ...] | None, degrees: tuple[int, ...]) -> None:
    program = read(text)
    assert (program.widths, program.degrees) == (widths, degrees)
    assert PRIME > 2**24


MAPS = [
    "map(s,t: s^2, -1/2*s*t, s/(s+t))",
    "map(s,t: x=s^2, y=s*t, z=t^2, w=s*t/(s+t))",
    "map(s: a=0, b=1/3, c=1/2*s^2, d=s)",
    "map(s,t: x=(s+t^2)/(1+s), y=2*s-3*t)",
    "map(: 1, 2/3)",
    "map(a,b,c: a*b^2*c, (a-b)/(c+1/2*a))",
]


@pytest.mark.thorough
def test_altered_texts_of_maps_are_refused_or_mean_the_same() -> None:
    accepted = refused = 0
    for number in range(1500):
        draw = random.Random(number)
        text = altered(draw.choice(MAPS), draw, OF_MAPS)
        try:
            own = read(text).formulas
        except (CertificateError, BudgetError):
            refused += 1
            continue
        if own is None:
            continue
        accepted += 1
        network = parse(text)
        formula = map_formula(network)
        assert formula is not None
        assert network.parameter_count == len(own.parameters)
        assert len(formula.compiled.quotients) == len(own.quotients)
        point = [draw.randrange(1, PRIME) for _ in own.parameters]
        for theirs, (top, bottom) in zip(formula.compiled.quotients, own.quotients, strict=True):
            values = [
                value(terms, point) for terms in (theirs.numerator, bottom.items(), theirs.denominator, top.items())
            ]
            assert (values[0] * values[1] - values[2] * values[3]) % PRIME == 0, text
    assert accepted > 200
    assert refused > 500


def value(terms: Iterable[tuple[tuple[int, ...], Any]], point: list[int]) -> int:
    total = 0
    for exponents, c in terms:
        term = int(c.numerator) * pow(int(c.denominator), -1, PRIME)
        for base, e in zip(point, exponents, strict=True):
            term = term * pow(base, e, PRIME) % PRIME
        total += term
    return total % PRIME


@pytest.mark.parametrize(
    "text",
    [
        "x0=input(2); x1=dense(x0,2); x2=input(x1); dense(x2,1)",
        "x0=input(2); x1=input(2); sum(x0,x1)",
        "x0=input(2); x1=dense(x0,2); sum(x1)",
        "x0=input(2); x1=dense(x0,2); x2=bias(x1); bias(x2,shares=x1)",
        "x0=input(2); x1=dense(x0,2); x2=power(x1,2); power(x2,2,shares=x2)",
        "x0=input(2); dense(x0,2,pattern=[[0,3],[1,0]])",
        "x0=input(2); dense(x0,2,pattern=[[0,1],[1,-2]])",
        "x0=input(2); dense(x0,2,pattern=[[0,1,1],[1,0,0]])",
        "x0=input(2); dense(x0,1,pattern=[[0,1],[1,0]])",
    ],
)
def test_statements_that_are_none(text: str) -> None:
    with pytest.raises(CertificateError):
        read(text)


@pytest.mark.parametrize("pattern", ["[[0,1],[1,0]]", "[[0,-1],[-1,0]]", "[[-1,0],[1,2]]", "[[0,0],[0,0]]"])
def test_patterns_number_their_weights(pattern: str) -> None:
    program = read(f"x0=input(2); dense(x0,2,pattern={pattern})")
    places = [int(k) for k in pattern.replace("[", "").replace("]", "").split(",")]
    assert program.steps[0].data.ravel().tolist() == places
    assert program.weights == max(places) + 1


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("[2]", False), ("[2,3]", True), ("[2,3] r=2", False), ("[2,3] p=0,1,1", False), ("[2,3,1]", False),
        ("[2,3,1] r=2", True), ("[2,3,1] r=2,2", False), ("[2,3,1,1] r=2", True), ("[2,3,1,1] r=2,3", True),
        ("[2,3,1,1] r=2,3,2", False), ("[2,3,1,1,1] r=2,3", False), ("[2,3,1] p=1,0,-1", True),
        ("[2,3,1] p=1,0,0", False), ("[2,3,1] p=1", False), ("[2,3,1] p=0,1/2", True), ("[1000001,1]", False),
        ("[1,1000001,1] r=2", False), ("[1,1000000,1] r=2", True), ("[2,0,1] r=2", False),
    ],
)  # fmt: skip
def test_perceptrons_that_are_read(text: str, fits: bool) -> None:
    """As many activations as hidden layers, or one for all; widths up to a million."""
    if fits:
        assert statements(text)[0][0] == "input"
    else:
        with pytest.raises(ValueError):
            statements(text)
