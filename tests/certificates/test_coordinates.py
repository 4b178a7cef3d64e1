"""The coordinates of an ideal are those that the checker finds: no other, none twice, none left out, in their order."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest
from certificates import coordinate_lies
from certificates.honest import GRAPHS, IDEALS, plain
from certificates.truths import TRUTHS, Data
from dimension.bounds.random_networks import networks

import polygeom
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.proofs.decoding import decode
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.monomials import coordinates
from polygeom.dimensions.proofs.programs import read
from polygeom.errors import CertificateError, PolygeomError
from polygeom.ideal import interpolate
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.proofs import verification
from polygeom.ideal.proofs.certificate import certify
from polygeom.ideal.proofs.claims import Claim, IdealCertificate
from polygeom.ideal.proofs.coefficients import Coefficients
from polygeom.ideal.proofs.spaces import Monomials, Space
from polygeom.network import parse


def conic(names: list[str], weights: list[list[int]], linear: list[Data], spaces: list[Any]) -> Data:
    """A certificate of ``[2,1,1] r=2`` without exchanges: the discriminant, and equations of others."""
    data = plain(certify(interpolate("[2,1,1] r=2")))
    data["coordinates"] = names
    data["grading"].update(weights=weights, outputs=0, inputs=0, exchanges=[])
    data.update(kept=[0, 1, 2], restricted=False)
    square = {"degree": 2, "weight": [2, 2, 2], "terms": [[[0, 2], "4"], [[1, 1], "-1"]]}
    data["equations"] = [*linear, square]
    quadrics = [[[2, 4, 0], 1, 1], [[2, 3, 1], 1, 1], [[2, 2, 2], 2, 1], [[2, 1, 3], 1, 1], [[2, 0, 4], 1, 1]]
    data["degrees"] = [{"degree": 1, "spaces": spaces}, {"degree": 2, "spaces": quadrics}]
    counts = {"1": len(linear), "2": 1} if linear else {"2": 1}
    data["claim"].update(counts=counts, hilbert_function=[1, 3, 5])
    return data


NAMES, WEIGHTS = ["c1x20", "c1x11", "c1x02"], [[1, 2, 0], [1, 1, 1], [1, 0, 2]]
SPACES = [[[1, 2, 0], 1, 1], [[1, 1, 1], 1, 1], [[1, 0, 2], 1, 1]]


def equal(weight: list[int], *terms: int) -> Data:
    return {"degree": 1, "weight": weight, "terms": [[[k], "-1" if n else "1"] for n, k in enumerate(terms)]}


OTHERS: dict[str, tuple[list[str], list[list[int]], list[Data], list[Any]]] = {
    "one that is always zero": (
        [*NAMES, "c1x30"],
        [*WEIGHTS, [1, 3, 0]],
        [equal([1, 3, 0], 3)],
        [[[1, 3, 0], 1, 0], *SPACES],
    ),
    "one twice": ([*NAMES, "c1x20"], [*WEIGHTS, [1, 2, 0]], [equal([1, 2, 0], 0, 3)], [[[1, 2, 0], 2, 1], *SPACES[1:]]),
    "in reverse": (NAMES[::-1], WEIGHTS[::-1], [], SPACES),
    "by another name": (["c1x2x0", *NAMES[1:]], WEIGHTS, [], SPACES),
    "of another output": (["c2x20", *NAMES[1:]], WEIGHTS, [], SPACES),
}


def test_without_exchanges_the_certificate_is_valid_too() -> None:
    assert polygeom.verify(conic(NAMES, WEIGHTS, [], SPACES)).valid


@pytest.mark.parametrize("which", OTHERS)
def test_no_other_coordinates(which: str) -> None:
    """With one more that is zero, or twice the same, the ideal would have a linear generator that it does not have."""
    with pytest.raises(CertificateError, match="names of the coordinates"):
        polygeom.verify(conic(*OTHERS[which]))


def listed(text: str) -> list[tuple[int, tuple[int, ...]]]:
    return [(i, alpha) for i, some in enumerate(coordinates(read(text), Budget())) for alpha in some]


def test_both_sides_have_the_same_coordinates(multiplier: int) -> None:
    """Also where inputs are read separately, so that some monomials of a degree are no coordinates."""
    texts = [t for t in (*TRUTHS, *IDEALS, *GRAPHS) if not t.startswith("map")]
    texts += ["x=input(2); a=convolution(x,1); power(a,2)", "ccp(2,rank=2,degree=3)", "[2,1,2] p=1,1,1"]
    drawn = [next(networks(random.Random(seed), 40, 60)) for seed in range(150 * multiplier)]
    fewer = 0
    for network in [*map(parse, texts), *drawn]:
        try:
            wanted = list(Coordinates(network).entries)
        except PolygeomError:
            continue
        assert listed(plain_text(network)) == wanted, network.text
        fewer += len({alpha for _, alpha in wanted}) * network.output_dimension > len(wanted)
    assert fewer > 2


def test_an_exchange_that_takes_a_coordinate_to_none_is_refused() -> None:
    """Each output of a convolution with a kernel of one reads its own input alone."""
    data = plain(certify(interpolate("x=input(2); a=convolution(x,1); power(a,2)", 2)))
    data["grading"].update(outputs=2, weights=[[1, 0], [0, 1], [0, 0]], exchanges=[[0]], cone=False)
    data.update(kept=[0, 1, 2], equations=[], restricted=False, completeness=None)
    data["degrees"] = [{"degree": 1, "spaces": [[[1, 0], 1, 1], [[0, 0], 1, 1]]}]
    none = {"completeness": None, "degree": None, "h_vector": None}
    data["claim"].update(complete_to=1, counts={}, hilbert_function=[1, 3], **none)
    assert not Coefficients(Claim(decode(data, IdealCertificate), Budget())).exchanged()


def test_no_linear_equation_is_left_among_the_coordinates_that_are_kept() -> None:
    """A coordinate that is zero, kept: its products with all others would be called generators of degree 2."""
    data = plain(certify(interpolate("x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,2); sum(x,c)", 2)))
    claim = Claim(decode(data, IdealCertificate), Budget())
    zero = data["coordinates"].index("c1x01")
    assert zero not in data["kept"]
    kept = data["kept"] = sorted([*data["kept"], zero])
    for k in kept:
        weight = [a + b for a, b in zip(claim.weights[k], claim.weights[zero], strict=True)]
        data["equations"].append({"degree": 2, "weight": weight, "terms": [[sorted([k, zero]), "1"]]})
    data["equations"].sort(key=lambda e: (e["degree"], [-w for w in e["weight"]]))
    table, values, spaces = Monomials(claim, kept), Coefficients(claim), []
    for weight in sorted(table.dominant_weights(2), reverse=True):
        space = Space(2, weight, table, claim)
        spaces.append([list(weight), len(space.monomials), space.value_rank(values, len(space.monomials))])
    data["degrees"][1]["spaces"] = spaces
    none = {"completeness": None, "degree": None, "h_vector": None}
    data["claim"].update(counts={"1": 4, "2": 6 + len(kept)}, **none)
    data["completeness"] = None
    found = polygeom.verify(data)
    assert not found.valid
    assert "linear equations express" in found.checks[-1]


def test_exchanges_permute_the_coordinates_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of equations in others would not be seen where minimality is checked."""
    data = plain(certify(interpolate("x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,2); sum(x,c)", 2)))
    claim = Claim(decode(data, IdealCertificate), Budget())
    order = list(range(claim.size))
    for other, holds in [(claim.kept[1], True), (next(k for k in order if k not in claim.kept), False)]:
        swapped = list(order)
        swapped[claim.kept[0]], swapped[other] = other, claim.kept[0]
        monkeypatch.setattr(claim, "exchanges", lambda swapped=swapped: [swapped])
        assert verification._Checker(claim, Budget())._kept() is holds


def answers(count: int) -> Counter[tuple[str, str]]:
    """What is said of lies about coordinates as the fuzzer makes them."""
    found: Counter[tuple[str, str]] = Counter()
    for number in range(count):
        data: Data = {}
        rng = random.Random(number)
        lie = rng.choice(coordinate_lies.LIES)
        lie(data, rng)
        try:
            outcome = polygeom.verify(data)
            said = "valid" if outcome.valid else outcome.checks[-1]
        except CertificateError as error:
            said = str(error)
        found[lie.__name__, next(word for word in ("valid", "names", "express", "every equation") if word in said)] += 1
    return found


@pytest.mark.thorough
def test_lies_about_coordinates_hang_on_one_step_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without that step they would be called valid: everything else in them fits."""
    for text in coordinate_lies.unfolded_ones():
        assert polygeom.verify(json.loads(text)).valid
    found = answers(40)
    assert found.keys() == {("another_coordinate", "names"), ("zero_kept", "express"), ("zero_kept", "every equation")}
    monkeypatch.setattr(verification._Checker, "_kept", lambda _: True)
    assert answers(40)["zero_kept", "valid"] > 10
