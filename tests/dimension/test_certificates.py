"""Certificates hold what they claim, and no altered one passes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engines.zoo import ZOO

from polygeom.dimension import certify, dimension, read_certificate, upper_bound, verify, write_certificate
from polygeom.dimension.bounds import check
from polygeom.dimension.tangent import jacobian, random_weights
from polygeom.dimension.verification import dual_jacobian
from polygeom.errors import BudgetError, PolygeomError
from polygeom.modular import PrimeField
from polygeom.network import Network, parse

Certificate = dict[str, Any]
EXAMPLES = [
    "[3,3,3] r=2",
    "[2,5]",
    "[3,2,5] r=1",
    "[2,3,7] r=3",
    "[4,5,3,1] r=2",
    "[2,2,1] r=2 bias",
    "ccp(2,rank=2,degree=3)",
]


@pytest.mark.parametrize("text", [*EXAMPLES, "[7,7,7,7] r=3"])
def test_certificates_verify_after_a_trip_through_a_file(text: str, tmp_path: Path) -> None:
    write_certificate(certify(text), tmp_path / "c.json")
    outcome = verify(read_certificate(tmp_path / "c.json"))
    assert outcome.valid, outcome.checks
    assert all(line.startswith("ok") for line in outcome.checks)


def _set(*path: Any, value: Any) -> Callable[[Certificate], None]:
    def change(certificate: Certificate) -> None:
        place = certificate
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value(place[path[-1]]) if callable(value) else value

    return change


def _zero_weights(certificate: Certificate) -> None:
    certificate["lower"]["weights"]["W1"] = (0 * np.array(certificate["lower"]["weights"]["W1"])).tolist()


def _fewer_points(certificate: Certificate) -> None:
    certificate["lower"]["points"] = certificate["lower"]["points"][:2]


def _other_network(certificate: Certificate) -> None:
    certificate["network"] = "[3,3,3] r=3"


FALSE = {
    "rank": _set("lower", "rank", value=lambda r: r + 1),
    "weights": _zero_weights,
    "points": _fewer_points,
    "lower": _set("claim", "lower", value=lambda v: v + 1),
    "upper": _set("claim", "upper", value=lambda v: v - 1),
    "dimension": _set("claim", "dimension", value=lambda v: v + 1),
    "bound value": _set("upper", "value", value=lambda v: v - 1),
    "bound rule": _set("upper", "rule", value="ambient"),
    "bound of something else": _set("upper", "widths", value=[2, 3, 3]),
    "network": _other_network,
}


@pytest.mark.parametrize("change", FALSE.values(), ids=FALSE.keys())
def test_a_false_certificate_is_not_valid(change: Callable[[Certificate], None]) -> None:
    certificate = json.loads(json.dumps(certify("[3,3,3] r=2")))
    change(certificate)
    outcome = verify(certificate)
    assert not outcome.valid
    assert any(line.startswith("FALSE") for line in outcome.checks)


def test_an_unproved_claim_must_not_be_called_proved() -> None:
    certificate = certify("[3,3,3] r=2")
    certificate["claim"] = {"dimension": 14, "lower": 14, "upper": 15, "proved": True}
    assert not verify(certificate).valid
    certificate["claim"]["proved"] = False
    assert verify(certificate).valid


@pytest.mark.parametrize("change", [{"value": 28}, {"rule": "quadrics"}, {"rule": "ambient"}, {"widths": (4, 6, 3)}])
def test_a_bound_is_checked_down_to_its_leaves(change: dict[str, Any]) -> None:
    """A forged leaf makes the tree false, although every step above it is an instance of its rule."""
    tree = upper_bound((4, 5, 3, 1), (2, 2))
    (leaf,) = tree.parts
    forged = dataclasses.replace(leaf, **change)
    below = tree.value - leaf.value + forged.value
    assert check(tree)
    assert not check(dataclasses.replace(tree, value=below, parts=(forged,)))


MALFORMED = {
    "prime": (_set("lower", "prime", value=4194303), "must be an odd prime"),
    "even prime": (_set("lower", "prime", value=2), "must be an odd prime"),
    "shape": (_set("lower", "weights", "W1", value=[[1, 2], [3, 4]]), "must have shape (3, 3), got (2, 2)"),
    "point shape": (_set("lower", "points", value=[[1, 2]]), "points must have shape"),
    "text for numbers": (_set("lower", "points", value=[["a", "b", "c"]]), "missing or malformed"),
    "ragged": (_set("lower", "weights", "W1", value=[[1], [2, 3]]), "missing or malformed"),
    "huge": (_set("lower", "points", value=[[10**30, 1, 1]]), "missing or malformed"),
    "missing": (lambda c: c["lower"].pop("points"), "missing or malformed"),
    "format": (_set("format", value=2), "a newer format needs a newer polygeom"),
    "bound": (_set("upper", value=[]), "missing or malformed"),
}


@pytest.mark.parametrize(("change", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_certificate_is_refused(change: Callable[[Certificate], None], message: str) -> None:
    certificate = json.loads(json.dumps(certify("[3,3,3] r=2")))
    change(certificate)
    with pytest.raises(PolygeomError) as caught:
        verify(certificate)
    assert message in str(caught.value)


def test_what_is_too_large_for_an_explicit_jacobian_is_refused() -> None:
    with pytest.raises(BudgetError, match="GiB"):
        certify("[100,100,100,100] r=2")


def test_a_result_of_another_network_is_refused() -> None:
    with pytest.raises(PolygeomError, match="must belong to the network"):
        certify("[3,3,3] r=2", result=dimension("[2,2,1] r=2"))


def test_the_bound_of_a_certificate_is_the_one_reported() -> None:
    tree = certify("[5,5,5,1] r=2")["upper"]
    assert tree["value"] == 35 == upper_bound((5, 5, 5, 1), (2, 2)).value


@pytest.mark.parametrize("network", [n for n in ZOO if n.parameter_count], ids=str)
def test_dual_numbers_and_reverse_mode_give_one_jacobian(network: Network, rng: np.random.Generator) -> None:
    field = PrimeField(4194301)
    weights, points = random_weights(network, field, rng), field.random(rng, (3, *network.input_shape))
    reverse = field.decode(jacobian(network, field, weights, points))
    integers = {name: field.decode(w) for name, w in weights.items()}
    dual = dual_jacobian(network, field.p, integers, field.decode(points))
    assert np.array_equal(reverse.transpose(1, 0, 2).reshape(dual.shape), dual)


def test_parse_is_all_that_verification_takes_from_the_text() -> None:
    assert parse(certify("[2,2,1] r=2")["network"]) == parse("[2,2,1] r=2")
