"""What a certificate of an ideal must look like before anything is computed, and how its coordinates are moved."""

from __future__ import annotations

import copy
import itertools
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from polygeom.dimensions.proofs.decoding import decode
from polygeom.dimensions.proofs.limits import Budget
from polygeom.errors import CertificateError
from polygeom.ideal import interpolate
from polygeom.ideal.proofs.certificate import certify
from polygeom.ideal.proofs.claims import Claim, IdealCertificate, _arrangements, _names

Data = dict[str, Any]


@pytest.fixture(scope="module")
def nine() -> Data:
    """Quartics in nine coordinates, with two blocks of three."""
    return json.loads(json.dumps(certify(interpolate("[2,2,2] r=3"))))  # type: ignore[no-any-return]


def claim_of(data: Data) -> Claim:
    return Claim(decode(data, IdealCertificate), Budget())


def swap(values: list[Any], a: int, b: int) -> None:
    values[a], values[b] = values[b], values[a]


def last_space_twice(data: Data) -> None:
    spaces = data["degrees"][2]["spaces"]
    spaces.append(copy.deepcopy(spaces[-1]))


def a_higher_rank(data: Data) -> None:
    space = data["degrees"][2]["spaces"][0]
    space[2] = space[1] + 1


def rising(data: Data) -> None:
    data["equations"][0]["weight"][:2] = sorted(data["equations"][0]["weight"][:2])
    data["equations"][0]["weight"][0] -= 1


def scaled(data: Data) -> None:
    for term in data["equations"][0]["terms"]:
        term[1] = str(2 * int(term[1]))


def negated(data: Data) -> None:
    for term in data["equations"][0]["terms"]:
        term[1] = str(-int(term[1]))


def twice(data: Data) -> None:
    terms = data["equations"][0]["terms"]
    terms.insert(1, copy.deepcopy(terms[0]))


def weights_of(data: Data) -> Iterator[list[int]]:
    yield from data["grading"]["weights"]
    yield from (space[0] for degree in data["degrees"] for space in degree["spaces"])
    yield from (equation["weight"] for equation in data["equations"])


def an_output_behind_the_inputs(data: Data) -> None:
    """All weights decrease in blocks of one output and two inputs."""
    for weight in weights_of(data):
        weight.insert(3, weight.pop(1))
    data["grading"]["outputs"] = 1


def blocks_that_are_too_long(data: Data) -> None:
    """The weights are too short by one number."""
    for weight in weights_of(data):
        del weight[3:]


def put(path: list[Any], value: Callable[[Any], Any]) -> Callable[[Data], None]:
    def change(data: Data) -> None:
        at: Any = data
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value(at[path[-1]])

    return change


WRONG: dict[str, tuple[Callable[[Data], None], str]] = {
    "names exchanged": (lambda data: swap(data["coordinates"], 0, 1), "the names of the coordinates"),
    "a name less": (lambda data: data["coordinates"].pop(), "the names of the coordinates"),
    "a weight less": (lambda data: data["grading"]["weights"].pop(), "the number of coordinates"),
    "a weight more": (lambda data: data["grading"]["weights"].append([1, 0, 3, 0]), "the number of coordinates"),
    "a longer weight": (lambda data: data["grading"]["weights"][3].append(0), "the length of a weight"),
    "a longer weight of a space": (lambda data: data["degrees"][1]["spaces"][0][0].append(0), "the length of a weight"),
    "a shorter weight of an equation": (lambda data: data["equations"][0]["weight"].pop(), "the length of a weight"),
    "a rising weight": (rising, "the order within a weight"),
    "a rising weight of a space": (
        lambda data: data["degrees"][0]["spaces"][0][0].__setitem__(slice(0, 2), [0, 1]),
        "the order within a weight",
    ),
    "fewer outputs": (put(["grading", "outputs"], lambda n: n - 1), "the (blocks|order within a weight)"),
    "fewer inputs": (put(["grading", "inputs"], lambda n: n - 1), "the blocks"),
    "an output less": (an_output_behind_the_inputs, "the blocks"),
    "short weights": (blocks_that_are_too_long, "the blocks"),
    "kept in another order": (lambda data: swap(data["kept"], 0, 1), "kept"),
    "kept twice": (lambda data: data["kept"].insert(1, data["kept"][0]), "kept"),
    "kept beyond the end": (lambda data: data["kept"].append(data["kept"][-1] + 1), "kept"),
    "nothing kept": (lambda data: data["kept"].clear(), "the form of an equation"),
    "a degree twice": (lambda data: data["degrees"].insert(1, copy.deepcopy(data["degrees"][1])), "degrees"),
    "the last degree twice": (lambda data: data["degrees"].append(copy.deepcopy(data["degrees"][-1])), "degrees"),
    "a degree less": (lambda data: data["degrees"].pop(), "degrees"),
    "a degree left out": (lambda data: data["degrees"].pop(0), "degrees"),
    "degrees exchanged": (lambda data: swap(data["degrees"], 0, 1), "degrees"),
    "a last degree less": (put(["claim", "complete_to"], lambda n: n - 1), "degrees"),
    "spaces exchanged": (lambda data: swap(data["degrees"][2]["spaces"], 0, 1), "the order of the spaces"),
    "a space twice": (last_space_twice, "a space that is listed twice"),
    "a rank above the number": (a_higher_rank, "a rank"),
    "a multiple": (scaled, "the form of an equation"),
    "its negative": (negated, "the form of an equation"),
    "a term twice": (twice, "the form of an equation"),
    "terms exchanged": (lambda data: swap(data["equations"][0]["terms"], 0, 1), "the form of an equation"),
    "a falling monomial": (
        lambda data: data["equations"][0]["terms"][0][0].sort(reverse=True),
        "the form of an equation",
    ),
    "a last monomial that falls": (
        lambda data: data["equations"][0]["terms"][-1][0].sort(reverse=True),
        "the form of an equation",
    ),
    "a shorter monomial": (lambda data: data["equations"][0]["terms"][-1][0].pop(), "the form of an equation"),
    "a coordinate that is not kept": (lambda data: data["kept"].pop(0), "the form of an equation"),
}


@pytest.mark.parametrize("name", WRONG)
def test_another_form_is_refused(nine: Data, name: str) -> None:
    change, message = WRONG[name]
    data = copy.deepcopy(nine)
    claim_of(data)
    change(data)
    assert data != nine
    with pytest.raises(CertificateError, match=f"certificate: {message} does not fit"):
        claim_of(data)


def test_equations_are_in_order() -> None:
    """By degree, then by weight; those of one weight as they are listed."""
    data = json.loads(json.dumps(certify(interpolate("[2,1,2] r=2 bias", 2))))
    refused = 0
    for place in range(len(data["equations"]) - 1):
        other = copy.deepcopy(data)
        swap(other["equations"], place, place + 1)
        one, two = (tuple(e["weight"]) for e in other["equations"][place : place + 2])
        if one == two:
            claim_of(other)
            continue
        refused += 1
        with pytest.raises(CertificateError, match="the order of the equations"):
            claim_of(other)
    assert refused > 1


def test_orbits_of_weights(nine: Data) -> None:
    claim = claim_of(nine)
    assert claim.blocks == [(0, 2), (2, 4)]
    tail = (5,) * (len(claim.weights[0]) - 4)
    for weight, size in (((1, 1, 2, 2), 1), ((2, 1, 2, 2), 2), ((2, 1, 3, 0), 4), ((0, 0, 1, 0), 2)):
        assert claim.orbit_size((*weight, *tail)) == size
        assert claim.constant_on_blocks((*weight, *tail)) == (size == 1)
        assert claim.is_dominant((*weight, *tail))
    assert not claim.is_dominant((1, 2, 0, 0, *tail))
    assert not claim.is_dominant((0, 0, 1, 2, *tail))
    assert claim.dominant((1, 2, 3, 4, *tail)) == (2, 1, 4, 3, *tail)
    assert claim.codimension == len(claim.kept) - claim.data.dimension.claim.lower


def test_copies_of_an_equation_are_its_rearrangements(nine: Data) -> None:
    claim = claim_of(nine)
    names = nine["coordinates"]
    for equation in claim.equations:
        copies = list(claim.copies(equation))
        assert len({weight for weight, _ in copies}) == len(copies) == claim.orbit_size(equation.weight)
        for weight, move in copies:
            moved = [tuple(map(sum, zip(*(claim.weights[move[k]] for k in m), strict=True))) for m, _ in equation.terms]
            assert set(moved) == {weight}
            some = list(claim.copies(equation, weight))
            assert weight in {w for w, _ in some}
            assert all(a <= b for w, _ in some for a, b in zip(w, weight, strict=True))
    first, second = list(claim.exchanges())
    assert [names[k] for k in first] == [f"c{3 - int(name[1])}{name[2:]}" for name in names]
    assert [names[k] for k in second] == [f"{name[:3]}{name[4]}{name[3]}" for name in names]
    assert claim.moved([], []) == list(range(claim.size))


def test_copies_below_a_weight_are_all_of_those() -> None:
    """Three outputs and two inputs: each block has a limit of its own."""
    claim = claim_of(json.loads(json.dumps(certify(interpolate("[2,1,3] r=2", 2)))))
    assert claim.blocks == [(0, 3), (3, 5)]
    for equation in claim.equations:
        copies = [weight for weight, _ in claim.copies(equation)]
        for weight in copies:
            for most in (weight, (9, 9, 9, *weight[3:]), (*weight[:3], 9, 9, *weight[5:])):
                below = {w for w in copies if all(a <= b for a, b in zip(w, most, strict=True))}
                assert {w for w, _ in claim.copies(equation, most)} == below


@pytest.mark.parametrize("values", [(), (1,), (1, 1), (2, 1), (0, 2, 1), (1, 1, 0), (1, 0, 1, 2)])
def test_every_arrangement_comes_once(values: tuple[int, ...]) -> None:
    found = list(_arrangements(values, None))
    assert sorted(one for _, one in found) == sorted(set(itertools.permutations(values)))
    for places, one in found:
        assert sorted(places) == list(range(len(values)))
        assert [one[place] for place in places] == list(values)
    for most in itertools.product((0, 1, 2), repeat=len(values)):
        below = {one for _, one in _arrangements(values, most)}
        assert below == {one for _, one in found if all(a <= b for a, b in zip(one, most, strict=True))}


def test_names_are_told_apart() -> None:
    """Exponents of two digits are separated."""
    assert list(_names([(0, (9, 0)), (1, (0, 1))])) == ["c1x90", "c2x01"]
    assert list(_names([(0, (10, 0)), (0, (1, 9))])) == ["c1x10x0", "c1x1x9"]


def test_moves_follow_outputs_and_inputs() -> None:
    claim = claim_of(json.loads(json.dumps(certify(interpolate("[3,1,2] r=2", 1)))))
    entries = list(claim.entries)
    for outputs in itertools.permutations(range(2)):
        for inputs in itertools.permutations(range(3)):
            moved = claim.moved(outputs, inputs)
            for (i, alpha), place in zip(entries, moved, strict=True):
                there = [0] * 3
                for j, e in enumerate(alpha):
                    there[inputs[j]] = e
                assert entries[place] == (outputs[i], tuple(there))
    neighbours = [claim.moved([1, 0], []), claim.moved([], [1, 0, 2]), claim.moved([], [0, 2, 1])]
    assert list(claim.exchanges()) == neighbours
    assert len(claim._moved) == math.factorial(3) * 2 + 3
    assert claim.moved([1, 0], [1, 2, 0]) is claim.moved([1, 0], [1, 2, 0])
