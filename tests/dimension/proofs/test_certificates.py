"""Certificates hold what they claim, and no altered one passes."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polygeom.certificates import read_certificate
from polygeom.dimensions import certify, dimension, upper_bound
from polygeom.dimensions.bounds.bound import RULES, Bound, Instance, Rule, register
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.bounds.search import check, network_bounds, reductions
from polygeom.dimensions.proofs import jacobians
from polygeom.dimensions.proofs.certificate import certified, write_certificate
from polygeom.dimensions.proofs.decoding import decode, encode, typed
from polygeom.dimensions.proofs.graphs.bounds import bound_holds
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.monomials import coefficients_that_vary
from polygeom.dimensions.proofs.programs import LAYERS, read
from polygeom.dimensions.proofs.rules import Step, holds
from polygeom.dimensions.proofs.symmetries import degree_set, gauge
from polygeom.dimensions.proofs.verification import Claim, DimensionCertificate, verify
from polygeom.dimensions.ranks.tangent import jacobian, random_weights
from polygeom.engines.dual_numbers import dual_jacobian
from polygeom.engines.symbolic import coefficient_map
from polygeom.errors import BudgetError, CertificateError, PolygeomError
from polygeom.modular import PrimeField
from polygeom.network import Network
from polygeom.network.ambient.degrees import TotalDegrees
from polygeom.testing.zoo import ZOO

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

READ = [n for n in ZOO if {node.layer.kind for node in n.nodes} <= LAYERS.keys()]
"""Networks of layers that the checker reads by itself."""


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
    certificate["lower"]["weights"][:9] = [0] * 9


def _fewer_points(certificate: Certificate) -> None:
    certificate["lower"]["points"] = certificate["lower"]["points"][:2]


def _other_network(certificate: Certificate) -> None:
    certificate["network"] = "[3,3,3] r=3"


FALSE = {
    "rank": _set("lower", "rank", value=lambda r: r + 1),
    "weights": _zero_weights,
    "points": _fewer_points,
    "no points": _set("lower", "points", value=[]),
    "lower": _set("claim", "lower", value=lambda v: v + 1),
    "upper": _set("claim", "upper", value=lambda v: v - 1),
    "dimension": _set("claim", "dimension", value=lambda v: v + 1),
    "bound value": _set("upper", "value", value=lambda v: v - 1),
    "bound rule": _set("upper", "rule", value="ambient"),
    "unknown rule": _set("upper", "rule", value="magic"),
    "bound layer": _set("upper", "layer", value=1),
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
    certificate["lower"]["rank"] = 14
    certificate["claim"] = {"dimension": 14, "lower": 14, "upper": 15, "proved": True}
    assert not verify(certificate).valid
    certificate["claim"]["proved"] = False
    outcome = verify(certificate)
    assert outcome.valid
    assert outcome.claim == "the dimension of [3,3,3] r=2 is from 14 to 15"
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
    "composite": (_set("lower", "prime", value=4194303), "prime must be odd and prime"),
    "even prime": (_set("lower", "prime", value=2), "Expected `int` >= 3"),
    "large prime": (_set("lower", "prime", value=2**31 - 1), "lower.prime"),
    "prime as text": (_set("lower", "prime", value="4194301"), "Expected `int`, got `str`"),
    "rank as float": (_set("lower", "rank", value=15.0), "float is neither"),
    "nan": (_set("claim", "upper", value=float("nan")), "float is neither"),
    "proved as number": (_set("claim", "proved", value=1), "Expected `bool`, got `int`"),
    "rank as truth": (_set("lower", "rank", value=True), "Expected `int`, got `bool`"),
    "too few weights": (_set("lower", "weights", value=lambda w: w[1:]), "with 18 weights"),
    "point shape": (_set("lower", "points", value=[[1, 2]]), "points of 3 numbers"),
    "text for numbers": (_set("lower", "points", value=[["a", "b", "c"]]), "Expected `int`, got `str`"),
    "floats for numbers": (_set("lower", "points", value=[[1.5, 2, 3]]), "float is neither"),
    "booleans for numbers": (_set("lower", "points", value=[[True] * 3]), "Expected `int`, got `bool`"),
    "nested": (_set("lower", "weights", value=lambda w: [w[:9], w[9:]]), "Expected `int`, got `array`"),
    "huge": (_set("lower", "points", value=[[10**30, 1, 1]]), "beyond 2^62"),
    "not a residue": (_set("lower", "points", value=[[4194301, 1, 1]]), "residues below"),
    "no residue among the weights": (_set("lower", "weights", 0, value=4194301), "residues below"),
    "negative": (_set("lower", "weights", 0, value=-1), "Expected `int` >= 0"),
    "missing": (lambda c: c["lower"].pop("points"), "missing required field `points`"),
    "extra claim": (_set("claim", "filling", value=True), "unknown field `filling`"),
    "extra field": (_set("comment", value="true"), "unknown field `comment`"),
    "format": (_set("format", value=1), "format must be 2"),
    "newer format": (_set("format", value=3), "a newer format needs a newer polygeom"),
    "kind": (_set("kind", value="ideal"), "Invalid enum value 'ideal'"),
    "version": (_set("version", value="1\x1b[2J"), "version"),
    "bound": (_set("upper", value=[]), "Expected `object`, got `array`"),
    "bound without rule": (lambda c: c["upper"].pop("rule"), "missing required field `rule`"),
    "unknown rule": (_set("upper", "rule", value="magic\n"), "upper.rule"),
    "bound part": (_set("upper", "parts", value=[1]), "Expected `object`, got `int`"),
    "bound widths": (_set("upper", "widths", value=[3.0, 3, 3]), "float is neither"),
    "tuple": (_set("upper", "widths", value=(3, 3, 3)), "tuple is neither"),
    "network": (_set("network", value="[3,3,3]"), "not one as polygeom writes it"),
    "network in other words": (_set("network", value="[3, 3,3] r=2"), "not one as polygeom writes it"),
    "network with escapes": (_set("network", value="[3,3,3] r=2\n\x1b[31mvalid"), "network"),
}


@pytest.mark.parametrize(("change", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_certificate_is_refused(change: Callable[[Certificate], None], message: str) -> None:
    certificate = json.loads(json.dumps(certify("[3,3,3] r=2")))
    change(certificate)
    with pytest.raises(CertificateError) as caught:
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


@pytest.mark.parametrize("network", [n for n in READ if n.parameter_count], ids=str)
def test_the_checker_reads_networks_and_takes_derivatives_by_itself(network: Network, rng: np.random.Generator) -> None:
    p, program = 4194301, read(plain_text(network))
    weights = {name: rng.integers(0, p, size=shape) for name, shape in network.parameters.items()}
    points = rng.integers(0, p, size=(3, *network.input_shape))
    flat = np.concatenate([w.ravel() for w in weights.values()])
    own = jacobians.jacobian(program, p, flat, points.reshape(3, -1), Budget())
    dual = dual_jacobian(network, p, weights, points).reshape(3, network.output_dimension, -1)
    assert np.array_equal(own, dual.transpose(1, 0, 2).reshape(own.shape))
    assert program.shapes[-1] == network.output_shape
    assert (program.widths, program.degrees) == (network.widths, network.activation_degrees or ())


@pytest.mark.parametrize("network", READ, ids=str)
def test_the_checker_finds_symmetries_and_coefficients_by_itself(network: Network) -> None:
    program = read(plain_text(network))
    assert gauge(program, Budget()) == network.gauge
    assert degree_set(program, Budget()) == [d for low, high in network.degrees for d in range(low, high + 1)]
    for bound in network_bounds(network):
        costly = RULES[bound.rule].costly
        for change in (-1, 0, 1):
            if bound.value + change >= 0 and not (costly and change == -1):  # these are checked against what is true
                step = msgspec.convert({**bound.as_dict(), "value": bound.value + change}, Step)
                weaker = change == 1 and (bound.rule == "symmetries" or costly)
                every = network.output_dimension * TotalDegrees(network.input_dimension).count(network.degrees)
                if bound.rule == "ambient":
                    weaker = coefficients_that_vary(program, Budget()) <= step.value < every
                assert bound_holds(program, step, Budget()) == (change == 0 or weaker)


@pytest.mark.parametrize("network", [n for n in READ if n.degree <= 4], ids=str)
def test_the_checker_counts_the_coefficients_that_weights_enter(network: Network) -> None:
    varying = [c for c in coefficient_map(network).values() if any(map(any, c.monoms()))]
    assert coefficients_that_vary(read(plain_text(network)), Budget()) == len(varying)


WIDER = [
    ((3, 5, 20, 20, 1), (3, 3, 2)), ((4, 8, 35, 22), (2, 2)), ((3, 5, 14, 2), (2, 2)), ((3, 4, 9, 9, 1), (2, 2, 2)),
    ((5, 7, 1), (3,)), ((6, 8, 3), (2,)), ((2, 3, 9, 2), (2, 2)), ((3, 4, 2, 1), (1, 2)), ((9, 4, 4, 2), (2, 3)),
    ((4, 3, 5, 3, 4), (1, 2, 1)), ((3, 4, 5, 5, 5, 1), (2, 2, 2, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("widths", "degrees"), WIDER)
def test_every_rule_is_an_inequality_that_the_checker_knows(widths: tuple[int, ...], degrees: tuple[int, ...]) -> None:
    """Each way to bound is accepted as it is, and not by one less."""
    for rule, layer, constant, parts in reductions(widths, degrees):
        bounds = tuple(upper_bound(*part) for part in parts)
        value = constant + sum(bound.value for bound in bounds)
        for less in (0, 1):
            if value - less >= 0:
                tree = Bound(value - less, rule, widths, degrees, layer, bounds).as_dict()
                assert holds(msgspec.convert(tree, Step), Budget()) == (less == 0), (rule, layer)


@pytest.mark.parametrize("rule", ["lift", "hypersurface", "identifications"])
def test_spaces_are_not_smaller_than_their_rules_say(rule: str) -> None:
    found = 0
    for widths, degrees in WIDER:
        for name, layer, constant, parts in reductions(widths, degrees):
            if name == rule:
                found += 1
                (space, *rest), r = parts[-1]
                bounds = [*(upper_bound(*part) for part in parts[:-1]), upper_bound((space - 1, *rest), r)]
                value = constant + sum(bound.value for bound in bounds)
                tree = Bound(value, rule, widths, degrees, layer, tuple(bounds)).as_dict()
                assert not holds(msgspec.convert(tree, Step), Budget())
    assert found


def test_a_rule_from_elsewhere_is_believed_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polygeom.dimensions.bounds.bound.RULES", dict(RULES))
    certificate = certify("[3,3,3] r=2")
    certificate["upper"].update(rule="magic", parts=[])
    assert not verify(certificate).valid
    register(Rule("magic", "it is", "It is so.", perceptrons=lambda widths, degrees, limit: [Instance(15)]))
    outcome = verify(certificate)
    assert outcome.valid
    assert outcome.claim.endswith("if the rule magic is true")


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
        ('{"kind": "dimension", "rank": NaN}', "NaN is not an integer"),
        ('{"kind": "dimension", "rank": -Infinity}', "-Infinity is not an integer"),
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
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(CertificateError, match="cannot read"):
            read_certificate(path)
    with pytest.raises(CertificateError, match="not JSON"):
        read_certificate(tmp_path / "binary")
    with pytest.raises(PolygeomError, match="there is no such folder"):
        write_certificate(certify("[2,1]"), tmp_path / "no folder" / "c.json")


def test_verification_uses_nothing_that_found_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = certify("[4,5,3,1] r=2")

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("verification must not come here")

    for place in (
        "polygeom.modular.elimination._eliminate",
        "polygeom.engines.prime_field.Tape.__init__",
        "polygeom.modular.PrimeField.matmul",
        "polygeom.network.Network.__post_init__",
        "polygeom.dimensions.bounds.search._instances",
    ):
        monkeypatch.setattr(place, refuse)
    assert verify(certificate).valid


PROBABLE = [
    "ncp(3,rank=2,degree=3,outputs=2)",
    "x=input(3); a=dense(x,4); b=power(a,4); c=sum(b,a); dense(c,1)",
]


@pytest.mark.thorough
@pytest.mark.parametrize("text", PROBABLE)
def test_a_probable_result_is_certified_as_such(text: str) -> None:
    certificate = certify(text)
    assert certificate["claim"]["proved"] is False
    assert verify(certificate).valid
    assert not verify(copy.deepcopy(certificate) | {"claim": {**certificate["claim"], "proved": True}}).valid
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
        assert certificate["lower"]["rank"] == certificate["claim"]["lower"]


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


def test_nothing_is_written_that_would_not_be_read() -> None:
    certificate = certified("[2,2,1] r=2", None)
    assert decode(encode(certificate), DimensionCertificate) == certificate
    large = msgspec.structs.replace(certificate, claim=Claim(2**63, 4, 4, proved=True))
    with pytest.raises(CertificateError, match="beyond 2"):
        encode(large)
    with pytest.raises(CertificateError, match="the checker would not read it"):
        typed(Bound(-1, "ambient", (2, 2, 1), (2,)), Step)


@pytest.mark.parametrize(
    ("widths", "r", "value"), [([5, 7], 3, 34), ([3, 5], 4, 14), ([4, 9], 4, 34), ([5, 14], 4, 69)]
)
def test_the_exceptions_of_alexander_and_hirschowitz_are_these_alone(widths: list[int], r: int, value: int) -> None:
    def step(n: int, s: int, degree: int, bound: int) -> bool:
        return holds(Step(bound, "Veronese", [n, s, 1], [degree], 0, []), Budget())

    n, s = widths
    assert step(n, s, r, value)
    assert not step(n, s, r, value - 1)
    assert not any(step(n + a, s + b, r + c, 10**6) for a, b, c in [(1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, -1)])


@pytest.mark.parametrize(
    "text", ["[2,2,2,2,1] p=0,1,1;0,1;0,1,1", "[2,3,2,2,2] p=0,1,1;0,1;0,0,1 bias", "[2,3,2] p=0,1"]
)
def test_an_activation_that_changes_nothing_is_no_statement(text: str) -> None:
    """The checker counted it, and called proofs about later layers false."""
    outcome = verify(json.loads(json.dumps(certify(text))))
    assert outcome.valid, outcome.checks
