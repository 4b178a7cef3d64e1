"""Every field of a step, at the root of a proof and below it: what does not belong there makes the proof none."""

from __future__ import annotations

from typing import Any

import pytest
from dimension.bounds.test_rules import CASES
from msgspec import structs

from polygeom.dimensions.bounds.bound import RULES, Bound, Instance, Rule
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.bounds.search import part_bound, proved_bound
from polygeom.dimensions.proofs import certificate, maps, rules
from polygeom.dimensions.proofs.decoding import typed
from polygeom.dimensions.proofs.graphs import bounds
from polygeom.dimensions.proofs.graphs.bounds import bound_holds
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import read
from polygeom.dimensions.proofs.rules import Step
from polygeom.errors import CertificateError
from polygeom.network import parse

LEAF = Step(4, "parameters", [2, 2], [], 0, [])
SKIP = "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); sum(x,c)"
FILLED: dict[str, Any] = {
    "network": "x0=input(2); bias(x0)",
    "widths": [2, 2],
    "degrees": [2],
    "layer": 1,
    "parts": [LEAF],
    "fields": [[(0, 1, 1, [0])]],
    "equations": [[(1, 1, [0])]],
}


def proof(text: str) -> Step:
    return typed(proved_bound(parse(text)), Step)


def holds(text: str, step: Step) -> bool:
    return bound_holds(read(plain_text(parse(text))), step, Budget(60, 2**30))


def filled(step: Step, *names: str) -> list[Step]:
    return [structs.replace(step, **{name: FILLED[name]}) for name in names]


@pytest.mark.parametrize(
    "text", ["map(s,t: s^2, s*t)", "map(s,t: s*t, s^2*t^2, 1/(s*t))", "[2,2,1] r=2 bias", "[2,3,1] r=2"]
)
def test_a_root_without_parts(text: str) -> None:
    step = proof(text)
    perceptron = bool(step.widths)
    assert holds(text, step)
    assert holds(text, structs.replace(step, value=step.value + 1)) is text.startswith("map")
    assert not holds(text, structs.replace(step, value=step.value - 1))
    wrong = filled(step, *(FILLED.keys() - ({"widths", "degrees"} if perceptron else set())))
    if perceptron:
        wrong += [structs.replace(step, widths=widths) for widths in ([], [2, 2, 1], [2, 4, 1], [2, 3, 2])]
        wrong += [structs.replace(step, degrees=degrees) for degrees in ([], [1], [3], [2, 2])]
    for one in wrong:
        assert not holds(text, one), one


def test_maps_have_two_rules() -> None:
    """By name: a coordinate less for *ambient* and a parameter less for *symmetries* are refused."""
    values = {
        "map(s,t: s^2, s*t, s^2*t)": {"ambient": 3, "symmetries": 2},
        "map(s,t: s*t, 2)": {"ambient": 1, "symmetries": 1},
    }
    for text, least in values.items():
        for name in {*RULES, "", "a", "zz"}:
            for value in range(4):
                step = Step(value, name, [], [], 0, [])
                assert holds(text, step) is (name in least and value >= least[name]), (text, step)


def test_scalings_of_maps_suffice_where_they_are_as_many_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    program = read("map(s,t: s*t, 2)")
    monkeypatch.setattr(maps, "_affine", lambda *_: pytest.fail("asked for more"))
    assert bound_holds(program, Step(1, "symmetries", [], [], 0, []), Budget())


def test_parts_are_followed_to_their_leaves() -> None:
    """Of a network that is no perceptron, by widths and by a text, on every level; and each part."""
    text = "[2,2,2,1] r=2 bias"
    step = proof(text)
    first, second = step.parts
    assert first.widths
    assert second.network
    assert second.parts
    assert holds(text, step)

    def with_parts(*parts: Step) -> Step:
        return structs.replace(
            step, value=step.value + sum(p.value for p in parts) - sum(p.value for p in step.parts), parts=list(parts)
        )

    less = structs.replace
    lower = less(first, value=first.value - 1)
    deep = [
        less(
            second,
            parts=[less(part, value=part.value - 1) if part is one else part for part in second.parts],
            value=second.value - 1,
        )
        for one in second.parts
    ]
    assert holds(text, with_parts(less(first, rule="ambient"), second)), "matrices are all of them"
    for wrong in (
        with_parts(lower, second),
        with_parts(first, less(second, value=second.value - 1)),
        *(with_parts(first, one) for one in deep),
        *(
            with_parts(one, second)
            for one in filled(first, "network", "degrees", "layer", "parts", "fields", "equations")
        ),
        *(with_parts(first, one) for one in filled(second, "widths", "degrees", "fields", "equations")),
        *(
            with_parts(first, less(second, parts=[one, second.parts[1]]))
            for one in filled(second.parts[0], "widths", "degrees", "layer", "parts", "fields", "equations")
        ),
        with_parts(first),
        with_parts(second, first),
        with_parts(first, second, first),
        *filled(step, "network", "widths", "degrees", "fields", "equations"),
    ):
        assert not holds(text, wrong), wrong


def test_steps_below_a_perceptron_have_nothing_else() -> None:
    honest = Step(6, "surplus", [2, 3, 1], [2], 0, [Step(6, "parameters", [2, 3, 1], [2], 0, [])])
    assert rules.holds(honest, Budget())
    for name in ("network", "fields", "equations"):
        for wrong in (*filled(honest, name), structs.replace(honest, parts=filled(honest.parts[0], name))):
            assert not rules.holds(wrong, Budget())
    for widths, degrees, layer, formed in (
        ([2, 3, 1], [2], 0, True), ([2, 3, 1], [2], 1, True), ([2, 3, 1], [2], 2, False), ([2, 3], [], 0, True),
        ([2, 3], [], 1, False), ([2, 3, 1], [2, 2], 0, False), ([2, 3, 1], [], 0, False), ([2], [], 0, False),
        ([], [], 0, False),
    ):  # fmt: skip
        assert rules._well_formed(Step(1, "ambient", widths, degrees, layer, [])) is formed, (widths, degrees, layer)


def test_errors_within_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a part is not, is refused; what is no certificate, is said."""
    for raised in (ValueError, IndexError, KeyError, TypeError, OverflowError, CertificateError):

        def check(*_: object, raised: type[Exception] = raised) -> bool:
            raise raised("certificate: odd")

        monkeypatch.setitem(bounds.GRAPH_RULES, "odd", check)
        step = Step(1, "odd", [], [], 0, [])
        if raised is CertificateError:
            with pytest.raises(CertificateError):
                holds(SKIP, step)
        else:
            assert not holds(SKIP, step)


def test_homogenised_has_its_part_and_its_value() -> None:
    text = "[2,2,1] r=2 bias"
    part = Step(9, "ambient", [3, 3, 1], [2], 0, [])
    honest = Step(9, "homogenised", [], [], 0, [structs.replace(part, value=6)])
    honest = structs.replace(honest, value=6)
    assert holds(text, honest)
    (part,) = honest.parts
    for wrong in (
        structs.replace(honest, value=5),
        structs.replace(honest, value=7),
        structs.replace(honest, layer=1),
        structs.replace(honest, parts=[]),
        structs.replace(honest, parts=[part, part]),
        structs.replace(honest, parts=[structs.replace(part, widths=[3, 4, 1])]),
        structs.replace(honest, parts=[structs.replace(part, widths=[3, 2, 1])]),
        structs.replace(honest, parts=[Step(3, "ambient", [2, 2, 1], [2], 0, [])], value=3),
        structs.replace(honest, parts=[Step(10, "ambient", [3, 3, 1], [3], 0, [])], value=10),
    ):
        assert not holds(text, wrong), wrong


def test_rules_from_elsewhere_have_parts_of_every_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A perceptron as widths and degrees or as a network, and another network."""
    network, other = parse(SKIP), parse("x=input(2); bias(x)")
    parts = (parse("[2,2,2] r=2"), ((2, 2), ()), other)
    magic = Rule("wand", "by magic", "A statement.", networks=lambda one: [Instance(0), Instance(1, parts)])
    monkeypatch.setitem(RULES, "wand", magic)
    made = [Step(6, "parameters", [2, 2, 2], [2], 0, []), LEAF, Step(2, "ambient", [], [], 0, [], plain_text(other))]
    honest = Step(13, "wand", [], [], 0, made)
    assert network.widths is None
    assert holds(SKIP, honest)
    assert holds(SKIP, Step(0, "wand", [], [], 0, []))
    for wrong in (
        structs.replace(honest, parts=[made[0], made[0], made[2]], value=15),
        structs.replace(honest, parts=[made[1], made[1], made[2]], value=11),
        structs.replace(honest, parts=[made[0], made[1], made[1]], value=15),
        structs.replace(honest, parts=[made[2], made[1], made[2]], value=9),
        structs.replace(honest, parts=made[:2], value=11),
        structs.replace(honest, value=12),
        *filled(honest, "fields", "equations", "degrees", "layer"),
    ):
        assert not holds(SKIP, wrong), wrong
    perceptrons = Rule(
        "magic", "it is", "It is so.", perceptrons=lambda *_: [Instance(3, (((2, 2), ()),), 1), Instance(9)]
    )
    monkeypatch.setitem(RULES, "magic", perceptrons)
    honest = Step(7, "magic", [2, 2, 1], [2], 1, [LEAF])
    assert rules.holds(honest, Budget())
    assert rules.holds(Step(9, "magic", [2, 2, 1], [2], 0, []), Budget())
    for wrong in (
        structs.replace(honest, value=6), structs.replace(honest, value=8), structs.replace(honest, layer=0),
        structs.replace(honest, parts=[], value=3), structs.replace(honest, rule="other magic"),
        structs.replace(honest, parts=[Step(6, "parameters", [2, 3], [], 0, [])], value=9),
    ):  # fmt: skip
        assert not rules.holds(wrong, Budget()), wrong
    limits: list[int] = []
    monkeypatch.setitem(
        RULES, "magic", Rule("magic", "it is", "It is so.", perceptrons=lambda w, d, most: limits.append(most) or [])
    )
    assert not rules.holds(honest, Budget())
    assert limits == [honest.value + 1]
    monkeypatch.setitem(RULES, "magic", magic)
    assert not rules.holds(honest, Budget())


def test_what_is_not_proved_is_not_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, proved in ((3, True), (4, False), (5, False)):
        monkeypatch.setattr(certificate, "proved_bound", lambda *_, v=value, **__: Bound(v, "ambient", (2, 2, 1), (2,)))
        claim = certificate.certified("[2,2,1] r=2", None).claim
        assert (claim.lower, claim.upper, claim.proved) == (3, value, proved)


@pytest.mark.parametrize("rule", sorted(name for name in CASES if RULES[name].networks is not None))
def test_roots_carry_what_their_rule_asks_for(rule: str) -> None:
    """With one field more, a part more or less, or another place, no step at the root is one."""
    text = next(case for case in CASES[rule] if isinstance(case, str))
    network = parse(text)
    one = min(RULES[rule].networks(network), key=lambda instance: len(instance.parts))  # type: ignore[misc,arg-type]
    parts = tuple(part_bound(part, True) for part in one.parts)
    value = one.constant + sum(part.value for part in parts)
    honest = typed(Bound(value, rule, (), (), one.layer, parts, "", one.fields, one.equations), Step)
    assert holds(text, honest)
    own = {"vector fields": "fields", "equations": "equations"}.get(rule, "")
    for wrong in (
        *filled(honest, *(FILLED.keys() - {"layer", "parts", own})),
        structs.replace(honest, layer=0 if one.layer else 1),
        structs.replace(honest, parts=[*honest.parts, LEAF]),
        structs.replace(honest, parts=[*honest.parts, LEAF], value=value + LEAF.value),
        structs.replace(honest, value=value - 1),
        structs.replace(honest, rule="no rule"),
    ):
        assert not holds(text, wrong), wrong
