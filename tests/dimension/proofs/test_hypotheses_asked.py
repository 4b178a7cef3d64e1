"""What the checker asks of a step about identifications, of the pencil, of a witness and of a claim."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from polygeom.dimensions.proofs import rules, verification
from polygeom.dimensions.proofs.certificate import certified
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import read
from polygeom.dimensions.proofs.rules import Step
from polygeom.dimensions.proofs.verification import Claim, Witness
from polygeom.errors import CertificateError


def identifications(widths: list[int], degrees: list[int], space: int, **more: Any) -> Step:
    below = Step(15, "ambient", widths[:2], [], 0, [])
    above = Step(space * widths[-1], "ambient", [space, *widths[3:]], degrees[2:], 0, [])
    value = below.value + above.value - widths[1]
    return structs.replace(Step(value, "identifications", widths, degrees, 1, [below, above]), **more)


def test_points_identified_ask_for_their_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between n + 2 and 2 n - 1 forms, powers, two parts, and as many conditions as the space lacks."""
    asked: list[tuple[int, ...]] = []
    monkeypatch.setattr(rules, "conditions", lambda *case: asked.append(case[:-1]) or 15)
    honest = identifications([3, 5, 60, 2], [3, 3], 40)

    def holds(step: Step) -> bool:
        return rules._identifications(step, Budget())

    assert holds(honest)
    assert asked == [(3, 5, 3, 3, 15)]
    assert holds(identifications([3, 5, 60, 2], [3, 3], 41))
    assert not holds(identifications([3, 5, 60, 2], [3, 3], 39))
    asked.clear()
    assert holds(identifications([3, 5, 60, 2], [3, 3], 55)), "all there are"
    assert holds(identifications([3, 5, 60, 2], [3, 3], 56))
    assert asked == []
    monkeypatch.setattr(rules, "conditions", lambda *_: 0)
    assert not holds(identifications([3, 5, 60, 2], [3, 3], 54)), "one condition, and none is found"
    monkeypatch.setattr(rules, "conditions", lambda *case: asked.append(case[:-1]) or 15)
    deep = identifications([3, 5, 60, 4, 2], [3, 3, 2], 40)
    assert holds(deep)
    first, second = honest.parts
    for wrong in (
        structs.replace(honest, layer=0),
        structs.replace(honest, layer=2),
        structs.replace(honest, value=honest.value - 1),
        structs.replace(honest, value=honest.value + 1),
        structs.replace(honest, parts=[first]),
        structs.replace(honest, parts=[*honest.parts, second]),
        structs.replace(honest, parts=[second, first]),
        structs.replace(honest, parts=[first, structs.replace(second, widths=[40])]),
        structs.replace(deep, parts=[deep.parts[0], structs.replace(deep.parts[1], widths=[40, 60, 4, 2])]),
        structs.replace(  # the powers themselves are no products of them
            honest, parts=[first, Step(second.value, "ambient", [40, 60, 2], [3], 0, [])]
        ),
        identifications([3, 4, 60, 2], [3, 3], 40),
        identifications([3, 6, 60, 2], [3, 3], 40),
        identifications([3, 5, 60, 2], [1, 3], 9),
        structs.replace(identifications([3, 5, 60, 2], [3, 3], 40), widths=[3, 5, 60], degrees=[3]),
    ):
        assert not holds(wrong), wrong
    assert holds(identifications([4, 7, 60, 2], [2, 1], 10))
    assert holds(identifications([4, 6, 60, 2], [2, 1], 10))


def test_numbers_of_conditions_are_limited() -> None:
    calls: list[float] = []

    class Counted(Budget):
        def step(self, what: str, operations: float = 0, size: float = 0) -> None:
            calls.append(operations)

        def rank(self, what: str, rows: int, columns: int) -> None:
            """Not asked here."""

    for widths, degrees, refused in (
        ([2, 4, 9, 1], [3, 3], None),
        ([3, 5, 9, 1], [2, 222], False),
        ([3, 5, 9, 1], [2, 223], True),
        ([3, 5, 9, 1], [17, 1], False),
        ([3, 5, 9, 1], [18, 1], True),
        ([4, 6, 9, 1], [10, 1], False),
    ):
        calls.clear()
        space = rules.monomials(widths[0], degrees[0] * degrees[1])
        found = rules._identifications(identifications(widths, degrees, space), Counted())
        assert found is (refused is not None)
        assert calls == ([float("inf")] if refused else []), (widths, degrees)


def test_steps_that_only_repeat_or_say_too_little() -> None:
    """The pencil needs its four variables and eight squares, quadrics behind them, and its constant."""
    pencil = Step(15 + 34, "pencil", [4, 8, 35, 1], [2, 2], 1, [Step(34, "ambient", [34, 1], [], 0, [])])
    assert rules._pencil(pencil, Budget())
    for wrong in (
        structs.replace(pencil, layer=0),
        structs.replace(pencil, layer=2),
        structs.replace(pencil, value=48),
        structs.replace(pencil, widths=[4, 9, 35, 1]),
        structs.replace(pencil, widths=[3, 8, 35, 1]),
        structs.replace(pencil, degrees=[2, 3]),
        structs.replace(pencil, degrees=[3, 2]),
        structs.replace(pencil, parts=[]),
        structs.replace(pencil, parts=[*pencil.parts, *pencil.parts]),
        structs.replace(pencil, widths=[4, 8, 35], degrees=[2]),
    ):
        assert not rules._pencil(wrong, Budget()), wrong


def test_residues_lie_below_their_prime() -> None:
    program = read("[2,1]")

    def refused(*witness: Any) -> bool:
        try:
            verification._check_form(program, Witness(1, *witness))
        except CertificateError:
            return True
        return False

    assert not refused(5, [4, 0], [[4, 4]])
    assert not refused(5, [4, 0], [])
    for wrong in (
        (5, [5, 0], [[4, 4]]),
        (5, [4, 0], [[4, 5]]),
        (5, [4, 0], [[4, 5], [0, 0]]),
        (5, [4, 0], [[0, 0], [5, 4]]),
        (5, [0, 5], [[0, 0]]),
        (5, [4], [[4, 4]]),
        (5, [4, 0, 0], [[4, 4]]),
        (5, [4, 0], [[4]]),
        (5, [4, 0], [[4, 4], [4]]),
        (9, [4, 0], [[4, 4]]),
    ):
        assert refused(*wrong), wrong
    program = read("map(s: s)")
    assert not refused(5, [4], [[0]])
    for wrong in ((5, [4], [[1]]), (5, [4], []), (5, [4], [[0], [0]])):
        assert refused(*wrong)


@pytest.mark.parametrize(
    ("text", "rank", "weights", "points"),
    [
        ("[2,3,1] r=2", 3, [*range(1, 10)], [[1, 2], [3, 4], [5, 7], [2, 9], [6, 1]]),
        ("[2,2]", 4, [1, 2, 3, 4], [[1, 2], [3, 4], [5, 7]]),
        ("map(s,t: s*t, s^2*t^2, 1/(s*t))", 1, [2, 3], [[0]]),
        ("map(s,t: s, t^2/(s), s*t)", 2, [2, 3], [[0]]),
        ("map(s,t: s, 1/3*t)", 2, [2, 3], [[0]]),
    ],
)
def test_ranks_of_witnesses(text: str, rank: int, weights: list[int], points: list[list[int]]) -> None:
    """What is claimed is at most the rank; for a map, a prime must not divide a denominator."""
    program = read(text)
    for claimed in range(6):
        witness = Witness(claimed, 101, weights, points)
        assert verification._rank_holds(program, witness, Budget()) is (claimed <= rank), claimed
    if "1/3" in text:
        assert not verification._rank_holds(program, Witness(1, 3, [2, 1], points), Budget())


def test_claims_fit_to_the_proofs() -> None:
    """A claim that would say less than its proofs is none either."""
    honest = certified("[2,2,1] r=2", None)
    assert verification.check(honest, Budget()).valid
    for claim, words in (
        (Claim(2, 3, 3, True), "dimension 2"),
        (Claim(4, 3, 3, True), "dimension 4"),
        (Claim(3, 3, 3, False), "called probable"),
        (Claim(3, 3, 4, True), "called proved"),
        (Claim(2, 2, 3, False), "lower bound 2"),
        (Claim(4, 4, 3, False), "lower bound 4"),
        (Claim(3, 3, 4, False), "upper bound 4"),
        (Claim(3, 3, 2, False), "upper bound 2"),
    ):
        found = verification.check(structs.replace(honest, claim=claim), Budget())
        assert not found.valid
        assert found.checks[-1].startswith(f"FALSE: {words}"), claim
    false = structs.replace(honest.upper, value=2)
    crossed = structs.replace(honest, claim=Claim(3, 3, 2, False), upper=false)
    assert verification.check(crossed, Budget()).checks[-1] == "FALSE: the bounds do not cross"
