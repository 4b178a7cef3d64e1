"""Limits of a check and the form of what it reads, at their borders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

import polygeom
from polygeom.dimensions import certify
from polygeom.dimensions.bounds.bound import RULES, Instance, Rule
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.proofs import decoding, limits, outcome, rules
from polygeom.dimensions.proofs.decoding import decode, encode, loads, read, typed
from polygeom.dimensions.proofs.graphs.bounds import added, bound_holds
from polygeom.dimensions.proofs.jacobians import is_odd_prime
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import read as read_program
from polygeom.dimensions.proofs.rules import Step
from polygeom.dimensions.proofs.verification import Claim, DimensionCertificate
from polygeom.errors import BudgetError, CertificateError, PolygeomError
from polygeom.network import parse


def test_a_step_fits_up_to_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 1000.0)
    budget = Budget(5, 2**20)
    assert (budget.seconds, budget.memory) == (5, 2**20)
    budget.step("it", 5 * limits.PER_SECOND, 2**20)
    with pytest.raises(BudgetError, match="it needs about 3 MiB, more than the limit of 1 MiB; allow more with memory"):
        budget.step("it", 0, 3 * 2**20)
    with pytest.raises(BudgetError, match="more than the limit"):
        budget.step("it", 0, 2**20 + 1)
    with pytest.raises(BudgetError, match="it does not fit into the limit of 5 s; allow more with timeout"):
        budget.step("it", 5.01 * limits.PER_SECOND)
    monkeypatch.setattr("time.monotonic", lambda: 1005.1)
    with pytest.raises(BudgetError, match="5 s"):
        budget.step("it")
    for wrong in ({"memory": 0}, {"memory": 1.5}, {"memory": True}, {"seconds": 0}):
        with pytest.raises(PolygeomError, match="must be a positive number"):
            Budget(**wrong)  # type: ignore[arg-type]
    assert Budget(1, 1).memory == 1
    assert (Budget().seconds, Budget().memory) == (600, 2**32)


def test_a_rank_is_announced_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones go through lists to FLINT, large ones through copies in floating point."""
    asked: list[tuple[float, float]] = []
    monkeypatch.setattr(Budget, "step", lambda _, what, operations=0, size=0: asked.append((operations, size)))
    for rows, columns in ((10, 20), (20, 10), (255, 1000), (256, 1000)):
        Budget().rank("it", rows, columns)
    small, same, below, large = asked
    assert small == same == (0.2 * 10 * 200, 48 * 200)
    assert below == (0.2 * 255 * 255_000, 48 * 255_000)
    assert large == ((0.04 * 256 + 50) * 256_000, 32 * 256_000)


def test_files_are_read_up_to_a_tenth_of_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.json"
    text = '{"kind": "poem"}'
    for size, memory in ((2**16, 1), (2**17, 10 * 2**17)):
        path.write_text(text + " " * (size - len(text)))
        assert read(path, memory) == {"kind": "poem"}
        path.write_text(text + " " * (size + 1 - len(text)))
        with pytest.raises(BudgetError, match=f"has more than {size} bytes; allow more with memory"):
            read(path, memory)
    monkeypatch.setattr(decoding, "MOST_BYTES", 2**17)
    with pytest.raises(BudgetError, match=f"more than {2**17} bytes"):
        read(path, 2**40)
    with pytest.raises(CertificateError, match="cannot read"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is not JSON"),
        ('{"kind": "a", "kind": "b"}', "a key occurs twice"),
        ('{"kind": "a", "x": 1.0}', "1.0 is not an integer"),
        ('{"kind": "a", "x": NaN}', "NaN is not an integer"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "the text has no field kind"),
        ("{}", "has no field kind"),
        ('{"kind": 1}', "has no field kind"),
    ],
)
def test_what_is_no_certificate_is_told_so(text: str, message: str) -> None:
    with pytest.raises(CertificateError, match=message):
        loads(text)


def honest() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(certify("[2,2,1] r=2")))
    return data


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 1}, "format must be 2, got 1"),
        ({"format": None}, "format must be 2, got None"),
        ({"x": 1.5}, "float is neither text, integer"),
        ({"x": (1,)}, "tuple is neither"),
        ({"x": {1: 2}}, "keys must be text"),
        ({"x": 2**62}, "an integer beyond 2\\^62"),
        ({"x": -(2**62)}, "an integer beyond 2\\^62"),
        ({"x": 2**62 - 1}, "unknown field"),
        ({"x": [True, {"y": ["z", None]}]}, "unknown field"),
        ({"x": nested(600)}, "nested too deeply"),
        ({"x": nested(598)}, "unknown field"),
        ({"network": ""}, "network"),
        ({"version": "0.1 0"}, "version"),
        ({"claim": {"lower": 3, "upper": -1, "proved": True, "dimension": 3}}, "claim.upper"),
    ],
)
def test_other_forms_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(CertificateError, match=message):
        decode(honest() | change, DimensionCertificate)


def test_what_is_written_is_what_is_read() -> None:
    certificate = decode(honest(), DimensionCertificate)
    assert encode(certificate) == honest()
    assert typed([(1, 2)], list[tuple[int, int]]) == [(1, 2)]
    with pytest.raises(CertificateError, match="the checker would not read it"):
        typed(-1, decoding.Natural)
    with pytest.raises(CertificateError):
        encode(
            DimensionCertificate("dimension", 2, "0.1", "", Claim(1, 2, True, 1), certificate.lower, certificate.upper)
        )
    assert Step(1, "x", [2, 1], [], 0, []).case == ((2, 1), ())


def test_the_first_step_that_fails_is_the_last() -> None:
    asked: list[int] = []

    def step(number: int, holds: bool) -> tuple[Any, str]:
        return lambda: (asked.append(number), holds)[1], f"step {number}"

    found = outcome.run("a claim", [step(1, True), step(2, False), step(3, True)], "net", "0.1")
    assert (found.valid, found.checks, asked) == (False, ("ok: step 1", "FALSE: step 2"), [1, 2])
    assert (found.status, found.seed, found.network, found.version) == ("unknown", None, "net", "0.1")
    assert str(found) == "NOT VALID: a claim\n  ok: step 1\n  FALSE: step 2"
    found = outcome.run("a claim", [step(1, True)], "net", "0.1")
    assert (found.valid, found.status, str(found)) == (True, "proved", "valid: a claim\n  ok: step 1")


def test_seeds_are_zero_unless_one_asks_for_another() -> None:
    assert certify("[2,2,1] r=2") == certify("[2,2,1] r=2", rng=0) != certify("[2,2,1] r=2", rng=1)
    assert polygeom.verify(certify("[2,2,1] r=2", rng=1)).valid


def test_an_added_rule_for_any_network_is_believed_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it states itself: with its constant, its layer and its parts, and of this network alone."""
    network = parse("x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); sum(x,c)")
    part = parse("[2,2,2] r=2")
    magic = Rule(
        "magic", "by magic", "A statement.", networks=lambda one: [Instance(1, (part,), 2)] if one == network else []
    )
    monkeypatch.setitem(RULES, "magic", magic)
    case = Step(6, "parameters", [2, 2, 2], [2], 0, [])
    step = Step(7, "magic", [], [], 2, [case])
    program, budget = read_program(plain_text(network)), Budget()
    assert bound_holds(program, step, budget)
    assert added(step) == ["magic"]
    for wrong in (
        structs.replace(step, value=6),
        structs.replace(step, value=8),
        structs.replace(step, layer=1),
        structs.replace(step, parts=[]),
        structs.replace(step, rule="more magic"),
        structs.replace(step, parts=[structs.replace(case, widths=[2, 3, 2], value=6)]),
    ):
        assert not bound_holds(program, wrong, budget)
    assert not bound_holds(read_program("[2,2,1] r=2 bias"), step, budget)
    monkeypatch.setitem(RULES, "magic", Rule("magic", "by magic", "A statement.", perceptrons=lambda *_: []))
    assert not bound_holds(program, step, budget)


def test_roots_of_unity_have_their_order() -> None:
    for r in (2, 3, 4, 6):
        p = next(q for q in range(1 + r * 10, 10**4, r) if is_odd_prime(q))
        orders = {w: next(d for d in range(1, p) if pow(w, d, p) == 1) for w in range(1, p)}
        assert {w for w, d in orders.items() if d == r} == {
            w for w in orders if pow(w, r, p) == 1 and rules._order(w, r, p)
        }
    assert [n for n in range(60) if is_odd_prime(n)] == [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]
    assert not is_odd_prime(2**26 + 15)
