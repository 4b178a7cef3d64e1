"""Scalings, exchanges and equations of a certificate: each refusal of the checker, function by function."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.proofs.decoding import decode
from polygeom.dimensions.proofs.jacobians import forward
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import read
from polygeom.errors import CertificateError
from polygeom.ideal import interpolate
from polygeom.ideal.proofs.certificate import certify
from polygeom.ideal.proofs.claims import Claim, Equation, IdealCertificate
from polygeom.ideal.proofs.coefficients import Coefficients, _expand, _expand_map
from polygeom.network import parse

Data = dict[str, Any]
NETWORKS = ("[2,1,2] r=2", "[3,1,3] r=2", "[2,1,2] r=2 bias", "[1,1] r=1")
"""Two cones, one of them with three outputs and inputs; what is none; a single coordinate."""


@lru_cache
def certificate(network: str) -> Data:
    return json.loads(json.dumps(certify(interpolate(network, 2))))  # type: ignore[no-any-return]


def coefficients(data: Data) -> Coefficients:
    return Coefficients(Claim(decode(data, IdealCertificate), Budget()))


@pytest.fixture(params=NETWORKS)
def data(request: pytest.FixtureRequest) -> Data:
    return copy.deepcopy(certificate(request.param))


def changed(values: list[Any], change: Callable[[Any], Any]) -> Iterator[None]:
    """One value after the other, each put back."""
    for place, value in enumerate(values):
        values[place] = change(value)
        yield
        values[place] = value


SCALINGS: dict[str, Callable[[list[int]], list[int]]] = {
    "nothing": lambda row: [0] * len(row),
    "the other direction": lambda row: [-x for x in row],
    "a weight more": lambda row: [*row, 0],
    "a weight less": lambda row: row[:-1],
    "another multiple": lambda row: [row[0] + 1, *row[1:]],
    "another shift": lambda row: [row[0], row[1] + 1, *row[2:]],
    "another power of a weight": lambda row: [*row[:-1], row[-1] + 1],
}


@pytest.mark.parametrize("name", SCALINGS)
def test_what_is_no_scaling_is_refused(data: Data, name: str) -> None:
    assert coefficients(data).graded()
    for _ in changed(data["grading"]["scalings"], SCALINGS[name]):
        assert coefficients(data).graded() is False


def test_scalings_are_as_many_as_columns(data: Data) -> None:
    rows = data["grading"]["scalings"]
    rows.append(rows[-1])
    assert coefficients(data).graded() is False
    del rows[-2:]
    assert coefficients(data).graded() is False


EXCHANGES: dict[str, Callable[[list[int]], list[int]]] = {
    "nothing is exchanged": lambda order: sorted(order),
    "the first twice": lambda order: [order[0], *order[:-1]],
    "the last twice": lambda order: [k if k else max(order) for k in order],
    "the least twice": lambda order: [min(k, max(order) - 1) for k in order],
    "a weight less": lambda order: [k for k in order if k != max(order)],
    "a weight more": lambda order: [*order, len(order)],
}


@pytest.mark.parametrize("name", EXCHANGES)
@pytest.mark.parametrize("network", NETWORKS[:3])
def test_what_exchanges_nothing_is_refused(network: str, name: str) -> None:
    data = copy.deepcopy(certificate(network))
    assert coefficients(data).exchanged()
    assert data["grading"]["exchanges"]
    for _ in changed(data["grading"]["exchanges"], EXCHANGES[name]):
        assert coefficients(data).exchanged() is False


@pytest.mark.parametrize("network", NETWORKS[:3])
def test_exchanges_are_those_of_neighbours(network: str) -> None:
    data = copy.deepcopy(certificate(network))
    orders = data["grading"]["exchanges"]
    orders.append(orders[-1])
    assert coefficients(data).exchanged() is False
    del orders[-2:]
    assert coefficients(data).exchanged() is False


@pytest.mark.parametrize("by", [1, -1])
@pytest.mark.parametrize("network", NETWORKS[:3])
def test_columns_of_blocks_count_outputs_and_exponents(network: str, by: int) -> None:
    """And the others are the same for coordinates that are exchanged."""
    one = coefficients(copy.deepcopy(certificate(network)))
    weights = one.claim.weights
    own = one.claim.outputs + one.claim.inputs
    for place in (0, len(one.claim.entries) // 2, len(one.claim.entries) - 1):
        weight = weights[place]
        for column in range(own):
            weights[place] = tuple(w + by * (k == column) for k, w in enumerate(weight))
            assert one._columns_are_those_of_blocks() is False
        weights[place] = (*weight, 1)
        assert one._columns_are_those_of_blocks() is False
        weights[place] = weight
        assert one._columns_are_those_of_blocks()
    alike = [(*weight, 1) for weight in weights]
    weights[:] = alike
    assert one._columns_are_those_of_blocks()
    for place in (0, len(one.claim.entries) - 1):
        weights[place] = (*alike[place][:-1], 1 + by)
        assert one._columns_are_those_of_blocks() is False
        weights[place] = alike[place]


def test_scalings_of_a_cone_leave_the_denominator() -> None:
    """Each of its terms: s / (s + t) would be a cone if scaling s alone left s + t."""
    data = copy.deepcopy(certificate("map(s,t: x=s/(s+t))"))
    assert coefficients(data).graded()
    data["grading"] |= {"cone": True, "weights": [[0]], "scalings": [[1, 0, 1, 0], [1, 0, 0, 0]]}
    data["kept"] = [0]
    data["degrees"] = [{"degree": 1, "spaces": [[[0], 1, 1]]}]
    data["claim"]["complete_to"] = 1
    assert coefficients(data).graded() is False


PROGRAMS = [
    "x=input(2,3); a=dense(x,2); b=bias(a); c=power(b,2); d=polynomial(c,[1,1/2,3]); scale(d)",
    "x=input(2,2); a=attention(x,1,2); sum(x,a)",
    "x=input(2,2); a=dense(x,2); b=dense(x,2); c=product(a,b); flatten(c)",
    "x=input(3); a=dense(x,2); b=power(a,3); c=sum(b,a); dense(c,2)",
    "convolutional(4,kernels=[2,2],degrees=2)",
    "x=input(3); a=convolution(x,2); power(a,2)",
]
P = 2**21 - 9


@pytest.mark.parametrize("text", PROGRAMS)
def test_coefficients_give_the_values_of_the_program(text: str) -> None:
    text = plain_text(parse(text))
    program, budget, draw = read(text), Budget(), random.Random(3)
    point = [draw.randrange(P) for _ in range(program.inputs)]
    weights = [draw.randrange(P) for _ in range(program.weights)]
    values = [0] * program.outputs
    for (i, alpha), polynomial in _expand(program, budget)[0].items():
        for exponents, c in polynomial.items():
            bases = zip([*point, *weights], [*alpha, *exponents], strict=True)
            term = math.prod(pow(base, e, P) for base, e in bases)
            values[i] += term * int(c.numerator) * pow(int(c.denominator), -1, P)
    x = np.array(point, dtype=np.int64).reshape(1, *program.shapes[0])
    there = forward(program, P, np.array(weights, dtype=np.int64), x)[-1].ravel().tolist()
    assert [value % P for value in values] == [value % P for value in there]


def test_a_coordinate_that_is_missing_is_told() -> None:
    one = coefficients(certificate("[2,1,2] r=2"))
    one.claim.entries = one.claim.entries[1:]
    with pytest.raises(CertificateError, match=r"the coordinate of \(0, \(2, 0\)\) is missing"):
        Coefficients(one.claim)


@pytest.mark.parametrize("refused", ["the common denominator", "the coordinates of the map"])
def test_products_of_quotients_have_a_limit(monkeypatch: pytest.MonkeyPatch, refused: str) -> None:
    asked: list[str] = []
    budget = Budget()
    monkeypatch.setattr(budget, "step", lambda what, operations=0, size=0: asked.append(what))
    formulas = read("map(s,t: x=s/(s+t), y=1/(s-t))").formulas
    assert formulas is not None
    _, common = _expand_map(formulas, budget)
    assert asked.count(refused) == 2
    assert set(common) == {(2, 0), (0, 2)}


@pytest.mark.parametrize("by", [1, -1])
def test_an_equation_has_its_weight(by: int) -> None:
    one = coefficients(certificate("[2,1,2] r=2"))
    for equation in one.claim.equations:
        assert one.vanishes(equation)
        for column in range(len(equation.weight)):
            weight = tuple(w + by * (k == column) for k, w in enumerate(equation.weight))
            assert not one.vanishes(Equation(equation.degree, weight, equation.terms))
        (first, c), *rest = equation.terms
        assert not one.vanishes(Equation(equation.degree, equation.weight, ((first, c + by), *rest)))
