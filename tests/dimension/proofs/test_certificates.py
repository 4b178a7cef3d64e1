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
from hypothesis import given, settings
from hypothesis import strategies as st

from polygeom.dimension import certify, dimension, read_certificate, upper_bound, verify, write_certificate
from polygeom.dimension.bounds.perceptrons import check
from polygeom.dimension.proofs.verification import dual_jacobian
from polygeom.dimension.ranks.tangent import jacobian, random_weights
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
    "bound parts": _set("upper", "parts", value=lambda parts: [*parts, certify("[3,3] ")["upper"]]),
    "proved flag": _set("claim", "proved", value=False),
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
    certificate["claim"]["dimension"] = 15
    assert not verify(certificate).valid


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
    "composite": (_set("lower", "prime", value=4194303), "must be an odd prime"),
    "even prime": (_set("lower", "prime", value=2), "must be an odd prime"),
    "large prime": (_set("lower", "prime", value=2**31 - 1), "must be an odd prime below 2^26"),
    "prime as text": (_set("lower", "prime", value="4194301"), "prime in lower must be of type int"),
    "rank as float": (_set("lower", "rank", value=15.0), "rank in lower must be of type int"),
    "nan": (_set("claim", "upper", value=float("nan")), "upper in claim must be of type int"),
    "proved as number": (_set("claim", "proved", value=1), "proved in claim must be of type bool"),
    "shape": (_set("lower", "weights", "W1", value=[[1, 2], [3, 4]]), "must have shape (3, 3), got (2, 2)"),
    "point shape": (_set("lower", "points", value=[[1, 2]]), "points must have shape"),
    "no points": (_set("lower", "points", value=[]), "points must be an array of integers"),
    "text for numbers": (_set("lower", "points", value=[["a", "b", "c"]]), "points must be an array of integers"),
    "floats for numbers": (_set("lower", "points", value=[[1.5, 2, 3]]), "points must be an array of integers"),
    "booleans for numbers": (_set("lower", "points", value=[[True] * 3]), "points must be an array of integers"),
    "ragged": (_set("lower", "weights", "W1", value=[[1], [2, 3]]), "weights W1 must be an array of integers"),
    "huge": (_set("lower", "points", value=[[10**30, 1, 1]]), "points must be an array of integers"),
    "missing": (lambda c: c["lower"].pop("points"), "lower must have the fields rank, prime, weights, points"),
    "missing weight": (lambda c: c["lower"]["weights"].pop("W2"), "weights must be those of the network, W1, W2"),
    "extra weight": (_set("lower", "weights", "W3", value=[[1]]), "weights must be those of the network, W1, W2"),
    "extra claim": (_set("claim", "filling", value=True), "claim must have the fields dimension, lower"),
    "extra field": (_set("comment", value="true"), "must have the fields kind, format"),
    "format": (_set("format", value=2), "a newer format needs a newer polygeom"),
    "kind": (_set("kind", value="ideal"), "kind and format must be"),
    "bound": (_set("upper", value=[]), "upper in the file must be of type dict"),
    "bound without rule": (lambda c: c["upper"].pop("rule"), "upper must have the fields value, rule"),
    "bound part": (_set("upper", "parts", value=[1]), "upper must have the fields value, rule"),
    "bound widths": (_set("upper", "widths", value=[3.0, 3, 3]), "must be integers"),
    "network": (_set("network", value="[3,3,3]"), "r=2"),
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
    assert np.array_equal(reverse.reshape(dual.shape), dual)


def test_parse_is_all_that_verification_takes_from_the_text() -> None:
    assert parse(certify("[2,2,1] r=2")["network"]) == parse("[2,2,1] r=2")


def test_bounds_nested_without_end_are_refused() -> None:
    certificate = certify("[3,3,3] r=2")
    for _ in range(5000):
        certificate["upper"] = {**certificate["upper"], "parts": [certificate["upper"]]}
    with pytest.raises(PolygeomError, match="nested too deeply"):
        verify(certificate)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"kind": "dimension", "kind": "dimension"}', "a key occurs twice"),
        ('{"kind": "dimension", "rank": NaN}', "NaN is not a number"),
        ('{"kind": "dimension", "rank": -Infinity}', "-Infinity is not a number"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "has no field kind"),
        ("[3,3,3] r=2", "is not JSON"),
        ("", "is not JSON"),
        ("\x00", "is not JSON"),
        ('{"kind": 1' + "0" * 5000 + "}", "is not JSON"),
    ],
)
def test_files_that_are_no_certificates(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(PolygeomError) as caught:
        read_certificate(path)
    assert message in str(caught.value)


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "none.json", tmp_path, tmp_path / "binary"):
        with pytest.raises(PolygeomError, match="cannot read"):
            read_certificate(path)
    with pytest.raises(PolygeomError, match="cannot write"):
        write_certificate(certify("[2,1]"), tmp_path / "no folder" / "c.json")


def test_verification_uses_neither_the_kernels_nor_reverse_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = certify("[4,5,3,1] r=2")

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("verification must not come here")

    for place in ("polygeom.modular.elimination._eliminate", "polygeom.engines.prime_field.Tape.__init__"):
        monkeypatch.setattr(place, refuse)
    monkeypatch.setattr("polygeom.modular.PrimeField.matmul", refuse)
    assert verify(certificate).valid


PROBABLE = ["x=input(2,2); a=dense(x,3); b=power(a,2); dense(b,1)", "ncp(3,rank=3,degree=3,outputs=2)"]


@pytest.mark.parametrize("text", PROBABLE)
def test_a_probable_result_is_certified_as_such(text: str) -> None:
    certificate = certify(text)
    assert certificate["claim"]["proved"] is False
    assert verify(certificate).valid
    certificate["claim"].update(proved=True, upper=certificate["claim"]["lower"])
    assert not verify(certificate).valid


@given(st.data())
@settings(max_examples=60)
def test_no_change_of_one_number_passes_unless_it_claims_less(data: st.DataObject) -> None:
    original = certify("[4,5,3,1] r=2")
    certificate = json.loads(json.dumps(original))
    place, path = _some_number(certificate, data)
    change = data.draw(st.sampled_from([-2, -1, 1, 2]))
    place[path] += change
    try:
        outcome = verify(certificate)
    except PolygeomError:
        return
    if outcome.valid:
        assert certificate["claim"] == original["claim"]
        assert certificate["lower"]["rank"] <= certificate["claim"]["lower"]


def _some_number(certificate: Certificate, data: st.DataObject) -> tuple[Any, Any]:
    """A place in the certificate where an integer stands; never one of the claim, which other tests change."""
    places: list[tuple[Any, Any]] = []
    stack: list[Any] = [certificate["lower"], certificate["upper"]]
    while stack:
        part = stack.pop()
        for key in part if isinstance(part, dict) else range(len(part)):
            if type(part[key]) is int:
                places.append((part, key))
            elif isinstance(part[key], list | dict):
                stack.append(part[key])
    return data.draw(st.sampled_from(places))
