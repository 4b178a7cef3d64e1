"""The steps of the checker of ideals one by one: each condition is asked for, whatever other steps would notice."""

from __future__ import annotations

import copy
import json
import math
from collections import Counter
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import pytest

from polygeom.dimensions.proofs.decoding import decode
from polygeom.dimensions.proofs.limits import Budget
from polygeom.ideal import interpolate
from polygeom.ideal.proofs.certificate import certify
from polygeom.ideal.proofs.claims import Claim, Filling, Hypersurface, IdealCertificate
from polygeom.ideal.proofs.verification import _Checker

Data = dict[str, Any]
LINEAR = "x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,2); sum(x,c)"


@lru_cache
def certificate(network: str, top: int | None = None) -> Data:
    return json.loads(json.dumps(certify(interpolate(network, top))))  # type: ignore[no-any-return]


def checker(data: Data) -> _Checker:
    budget = Budget()
    return _Checker(Claim(decode(data, IdealCertificate), budget), budget)


def bare(**claim: Any) -> _Checker:
    """A checker of a claim of which only this is known."""
    one = _Checker.__new__(_Checker)
    one.claim, one.budget = SimpleNamespace(**claim), Budget()  # type: ignore[assignment]
    return one


def test_the_claim_is_a_sentence() -> None:
    for (network, top), end in {
        ("[3,2,1] r=2", None): "[3,2,1] r=2: 1 of degree 3; they are all in all degrees, and the degree is 3",
        ("[2,1,2] r=2", 1): "[2,1,2] r=2: none; they are all up to degree 1",
        (LINEAR, 2): "4 of degree 1, 6 of degree 2; they are all in all degrees, and the degree is 4",
    }.items():
        sentence = checker(certificate(network, top)).statement()
        assert sentence.startswith("minimal generators of the ideal of ")
        assert sentence.endswith(end)


def complete(argument: object, codimension: int, degrees: list[int], orbit: int, degree: int, h: list[int]) -> bool:
    data = SimpleNamespace(completeness=argument, claim=SimpleNamespace(degree=degree, h_vector=h))
    proper = [SimpleNamespace(degree=d, weight=()) for d in degrees]
    return bare(data=data, codimension=codimension, proper=proper, orbit_size=lambda _: orbit)._complete()


def test_a_space_is_filled_by_nothing_less() -> None:
    assert complete(Filling(), 0, [], 1, 1, [1])
    for codimension, degrees, degree, h in (
        (1, [], 1, [1]),
        (-1, [], 1, [1]),
        (0, [2], 1, [1]),
        (0, [], 2, [1]),
        (0, [], 0, [1]),
        (0, [], 1, [1, 1]),
        (0, [], 1, [0]),
    ):
        assert complete(Filling(), codimension, degrees, 1, degree, h) is False


def test_a_hypersurface_has_one_equation_and_its_degree() -> None:
    assert complete(Hypersurface(), 1, [3], 1, 3, [1, 1, 1])
    for codimension, degrees, orbit, degree, h in (
        (0, [3], 1, 3, [1, 1, 1]),
        (2, [3], 1, 3, [1, 1, 1]),
        (1, [], 1, 3, [1, 1, 1]),
        (1, [3, 3], 1, 3, [1, 1, 1]),
        (1, [3], 2, 3, [1, 1, 1]),
        (1, [3], 0, 3, [1, 1, 1]),
        (1, [3], 1, 2, [1, 1, 1]),
        (1, [3], 1, 4, [1, 1, 1]),
        (1, [3], 1, 3, [1, 1]),
        (1, [3], 1, 3, [1, 1, 2]),
    ):
        assert complete(Hypersurface(), codimension, degrees, orbit, degree, h) is False
    assert complete(None, 1, [3], 1, 3, [1, 1, 1]) is False


def test_weights_are_left_out_only_up_to_the_least_degree_in_codimension_one() -> None:
    for codimension, degrees, may in (
        (1, [3, 3], True),
        (1, [], True),
        (0, [3], False),
        (2, [3], False),
        (1, [2, 3], False),
        (1, [2], False),
    ):
        claims = SimpleNamespace(claim=SimpleNamespace(complete_to=3))
        proper = [SimpleNamespace(degree=d) for d in degrees]
        assert bare(data=claims, codimension=codimension, proper=proper)._may_be_restricted() is may


def kept(weights: list[tuple[int, ...]], degrees: tuple[int, ...] = (2,), kept: list[int] | None = None) -> bool:
    def orbit_size(weight: tuple[int, ...]) -> int:
        return math.factorial(len(weight)) // math.prod(math.factorial(n) for n in Counter(weight).values())

    return bare(
        kept=list(range(len(weights))) if kept is None else kept,
        size=len(weights),
        weights=weights,
        exchanges=list,
        dominant=lambda weight: tuple(sorted(weight, reverse=True)),
        orbit_size=orbit_size,
        equations=[SimpleNamespace(degree=d) for d in degrees],
    )._kept()


def test_every_weight_of_an_orbit_is_kept_as_often() -> None:
    assert kept([(1, 0), (0, 1)])
    assert kept([(1, 0), (1, 0), (0, 1), (0, 1), (1, 1)])
    assert not kept([(1, 0), (0, 1), (0, 1), (1, 1)])
    assert not kept([(1, 0), (1, 0), (0, 1), (1, 1)])
    assert not kept([(1, 0), (1, 1)])
    assert not kept([(0, 1), (1, 1)])
    assert not kept([(2, 0), (2, 0), (1, 0), (0, 1)])
    assert not kept([(1, 0, 0), (0, 0, 1)])


def test_where_all_coordinates_are_kept_no_equation_is_linear() -> None:
    assert kept([(0, 0)], ())
    assert kept([(0, 0)], (2, 3))
    assert not kept([(0, 0)], (1,))
    assert not kept([(0, 0)], (1, 2))


@pytest.mark.parametrize("by", [1, -1])
def test_monomials_of_every_weight_are_counted(by: int) -> None:
    """Also where no equation depends on it."""
    data = copy.deepcopy(certificate("[2,1,2] r=2", 1))
    assert checker(data)._degree(1)
    for space in data["degrees"][0]["spaces"]:
        space[1] += by
        space[2] += min(by, 0)
        if space[1]:
            assert checker(data)._degree(1) is False
        space[1] -= by
        space[2] -= min(by, 0)


def test_more_monomials_than_there_are() -> None:
    data = copy.deepcopy(certificate(LINEAR, 2))
    assert checker(data)._summary()
    assert checker(data)._degree(2)
    for space in data["degrees"][1]["spaces"]:
        for more in ((1, 0), (1, 1), (-1, 0), (-1, -1)):
            size, rank = space[1] + more[0], space[2] + more[1]
            if 0 <= rank <= size and size:
                old, space[1:] = space[1:], [size, rank]
                assert checker(data)._degree(2) is False, space
                space[1:] = old


def test_numbers_of_generators_come_by_degree() -> None:
    data = copy.deepcopy(certificate(LINEAR, 2))
    data["claim"]["counts"] = dict(reversed(data["claim"]["counts"].items()))
    assert checker(data)._summary() is False


@pytest.mark.parametrize("name", ["filling", "section", None])
def test_the_argument_has_its_name(name: str | None) -> None:
    data = copy.deepcopy(certificate("[3,2,1] r=2"))
    assert checker(data)._summary()
    data["claim"]["completeness"] = name
    assert checker(data)._summary() is False
