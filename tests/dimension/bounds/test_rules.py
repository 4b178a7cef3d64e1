"""Every rule by the shipped cases: against true dimensions, in the register's page, explanations and certificates."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
from msgspec import structs

from polygeom.dimensions.bounds.architecture import feature_span
from polygeom.dimensions.bounds.bound import RULES, Bound, Instance, Rule, register
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.bounds.search import part_bound, proved_bound
from polygeom.dimensions.proofs.decoding import typed
from polygeom.dimensions.proofs.graphs.bounds import bound_holds
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import read
from polygeom.dimensions.proofs.rules import Step
from polygeom.errors import PolygeomError
from polygeom.network import mlp, parse
from polygeom.testing import check_rule

CASES = {
    "parameters": [((2, 3, 1), (2,)), ((3, 2, 3), (1,))],
    "ambient": [((2, 4, 1), (2,)), "[2,3,1] r=2 bias"],
    "quadrics": [((3, 2, 1), (2,))],
    "Veronese": [((3, 5, 1), (4,))],
    "Segre–Veronese": [((3, 5, 2), (3,))],
    "idle layer": [((2, 3, 2, 1), (1, 2))],
    "surplus": [((2, 4, 2), (2,))],
    "inputs": [((3, 2, 2), (2,))],
    "outputs": [((2, 2, 3), (2,))],
    "rotations": [((3, 3, 2, 1), (2, 2))],
    "cut": [((2, 2, 2, 1), (2, 2))],
    "lift": [((2, 2, 2, 1), (2, 2))],
    "span": [((2, 2, 2, 1), (2, 2))],
    "hypersurface": [((2, 3, 2, 2), (2, 2))],
    "symmetries": ["convolutional(4,kernels=[2,2],degrees=2)"],
    "one token": ["lightning_attention(tokens=1,features=2,rank=1,outputs=2)"],
    "homogenised": ["[2,2,1] r=2 bias"],
    "completed square": ["[2,2,2] p=0,1,1 bias", "[1,2,2] p=1,1,1/2 bias", "[1,2,1,1] p=1,1,1/2;0,0,0,1 bias"],
    "monomials": ["x=input(2); x2=power(x,2); a=dense(x,1); b=dense(x2,1); s=sum(a,b); power(s,2)"],
    "linear span": ["x=input(2,2); a=attention(x,1,1); b=attention(x,1,1); sum(a,b)"],
    "vector fields": [
        "[2,2,1] p=1,1,1",
        "x=input(3); a=dense(x,1); b=power(a,2); c=dense(b,3); d=sum(x,c); dense(d,2)",
    ],
    "quadratic function": [
        "x=input(3,2); a=dense(x,1); b=dense(x,1); c=product(a,b); dense(c,1)",
        "x=input(4); a=dense(x,1); b=dense(x,1); c=product(a,b); dense(c,1)",
        "[3,2,1] p=1,1,1",
        "[3,2,1] p=0,1,1 bias",
        "[3,2,1] p=1,0,1",
        "[3,2,1] r=2 bias",
        "x=input(3); a=dense(x,2); b=bias(a); c=power(b,2); dense(c,1)",
        "x=input(3); a=dense(x,2); b=bias(a); c=polynomial(b,[1,2,1]); dense(c,1)",
        "x=input(3); a=dense(x,2); b=bias(a); c=polynomial(b,[1,1,1]); dense(c,1)",
        "x=input(3); a=dense(x,2); c=polynomial(a,[1,1,1]); d=dense(c,1); bias(d)",
        "x=input(2,2); a=dense(x,1); b=dense(x,1); c=product(a,b); dense(c,1)",
    ],
    "heads of full rank": [
        "x=input(2,2); a=attention(x,2,1); sum(a,a)",
        "x=input(2,2); a=attention(x,2,1); b=attention(x,2,1); sum(a,b)",
        "x=input(2,3); a=attention(x,3,1); b=attention(x,3,1); sum(a,b)",
    ],
    "equations": [
        "x=input(2); a=dense(x,3); b=power(a,3); c=sum(b,a); dense(c,2)",
        "x=input(3); a=dense(x,1); b=dense(x,1); c=product(a,b); dense(c,2)",
        "x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,2); sum(x,c)",
    ],
    "graph hypersurface": [
        "x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,2); d=dense(b,2); e=product(c,d); dense(e,1)",
        "x=input(2); a=dense(x,3); b=power(a,2); u=dense(b,3); c=dense(u,2); d=dense(u,2); e=product(c,d); dense(e,1)",
        (
            "x=input(1); a=dense(x,2); b=polynomial(a,[0,1,1]); u=dense(b,2); c=dense(u,2); d=polynomial(c,[0,1,1]); "
            "dense(d,1)"
        ),
        (
            "x=input(1); a=dense(x,2); b=polynomial(a,[0,1,1]); c=dense(b,2); u=bias(c); d=dense(u,3); "
            "e=polynomial(d,[1,1,1]); dense(e,1)"
        ),
    ],
    "graph cut": [
        "[2,2,2,1] p=0,1,1",
        "[2,2,1] r=2 bias",
        "[2,2,2] r=1 bias",
        "x=input(2); a=dense(x,2); b=power(a,2); c=sum(b,a); dense(c,1)",
        "x=input(2); a=dense(x,2); b=dense(x,2); c=product(a,b); u=dense(c,2); v=dense(c,2); product(u,v)",
    ],
    "graph span": [
        "x=input(2); a=dense(x,2); b=dense(x,2); c=product(a,b); u=dense(c,2); v=dense(c,2); product(u,v)",
        "[2,2,2,1] r=2 bias",
        "[2,1,2] p=1,1,1",
    ],
    "graph lift": [
        "[2,3,1] p=0,1,1",
        "[1,3,2,1] r=2 bias",
        "x=input(1); a=dense(x,3); b=power(a,2); c=dense(b,2); scale(c)",
    ],
    "cells": [
        "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); sum(x,c)",
        "x=input(2); a=dense(x,2); b=dense(a,2); c=dense(x,2); d=dense(c,2); product(b,d)",
    ],
    "one token at a time": ["x=input(2,2); a=dense(x,2); b=power(a,2); c=bias(b); sum(c,x)"],
    "graph outputs": ["[1,1,3] r=2 bias", "x=input(2); a=dense(x,2); b=power(a,2); c=sum(b,a); dense(c,3)"],
    "graph surplus": [
        "[1,3,1] p=0,1,1",
        "[1,4,1] r=2 bias",
        "x=input(2); a=dense(x,4); b=power(a,2); c=dense(b,2); sum(x,c)",
    ],
    "shifted square": ["[2,2,1] p=1,1,1", "[2,1,2] p=0,1,2", "x=input(1); a=polynomial(x,[1,1,1]); dense(a,2)"],
}
TOO_LARGE = {"pencil", "identifications", "graph pencil", "graph identifications"}
"""The smallest networks to which these apply are too large for symbolic polynomials.

`test_bounds` and `test_products` check them.
"""


@pytest.mark.parametrize("name", CASES)
def test_a_rule(name: str) -> None:
    check_rule(name, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_the_checker_takes_no_smaller_constant(name: str) -> None:
    """With the same parts at the same place: a step of less than the least constant of the rule is refused."""
    for case in CASES[name]:
        network, rule = mlp(*case) if isinstance(case, tuple) else parse(case), RULES[name]
        instances = rule.perceptrons(*case, 10**9) if isinstance(case, tuple) else rule.networks(network)
        least: dict[tuple[object, ...], Instance] = {}
        for one in instances:
            known = least.setdefault((one.layer, one.parts), one)
            least[one.layer, one.parts] = min(one, known, key=lambda instance: instance.constant)
        program = read(plain_text(network))
        widths, degrees = network.widths or (), network.activation_degrees or ()
        for constant, parts, layer, fields, equations in [*least.values()][:4]:
            bounds = tuple(part_bound(part, True) for part in parts)
            value = constant + sum(bound.value for bound in bounds)
            step = typed(Bound(value, name, widths, degrees, layer, bounds, "", fields, equations), Step)
            assert bound_holds(program, step, Budget(60, 2**30))
            assert not bound_holds(program, structs.replace(step, value=value - 1), Budget(60, 2**30))


def test_every_rule_of_ours_has_a_case() -> None:
    ours = {
        name for name, rule in RULES.items() if (rule.networks or rule.perceptrons).__module__.startswith("polygeom.")
    }
    assert ours == {*CASES, *TOO_LARGE}


def test_the_register_is_in_the_order_of_preference() -> None:
    assert all((a.order, a.name) < (b.order, b.name) for a, b in itertools.pairwise(RULES.values()))


@pytest.fixture
def added() -> None:
    before = dict(RULES)
    yield
    RULES.clear()
    RULES.update(before)


@pytest.mark.usefixtures("added")
def test_a_false_rule_is_seen() -> None:
    def one_less(widths: tuple[int, ...], degrees: tuple[int, ...], limit: int) -> list[Instance]:
        return [Instance(sum(a * b for a, b in itertools.pairwise(widths)) - sum(widths[1:-1]) - 1)]

    register(Rule("one less", "wishful thinking", "A statement.", perceptrons=one_less))
    with pytest.raises(AssertionError, match="says dim ≤ 5, but it is 6"):
        check_rule("one less", [((2, 2, 2), (2,))])


@pytest.mark.usefixtures("added")
def test_a_rule_of_the_same_name_is_refused() -> None:
    with pytest.raises(PolygeomError, match="there is a rule of this name"):
        register(Rule("cut", "another cut", "Another statement.", perceptrons=lambda *_: []))


def test_squares_are_completed_only_between_biases() -> None:
    assert proved_bound(parse("[2,2,2] p=0,1,1 bias")).rule == "completed square"
    without_last = "x=input(2); a=dense(x,2); b=bias(a); c=polynomial(b,[0,1,1]); dense(c,2)"
    cubic = "[2,2,2] p=0,1,1,1 bias"
    for text in ("[2,2,2] p=0,1,1", without_last, cubic):
        assert list(RULES["completed square"].networks(parse(text))) == []


def test_values_are_lifted_with_a_shift_and_without() -> None:
    """Where 1 is among the monomials, a shift takes its place."""
    network = parse("x=input(1); a=dense(x,2); b=bias(a); c=power(b,2); d=dense(c,4); e=power(d,2); dense(e,1)")
    parts = [i.parts[0].text for i in RULES["graph lift"].networks(network) if i.layer == 3]
    shifted = "x0=input(2); x1=dense(x0,2); x2=bias(x1); x3=dense(x2,4); x4=power(x3,2); dense(x4,1)"
    assert parts == ["[3,4,1] r=2", shifted]


@pytest.mark.parametrize(
    ("widths", "degrees", "span"),
    [((2, 2, 9, 1), (2, 3), 4), ((3, 9, 30, 1), (2, 2), 11), ((2, 5, 6, 9, 1), (3, 2, 2), 9)],
)
def test_spans_of_features_grow_by_hopf(widths: tuple[int, ...], degrees: tuple[int, ...], span: int) -> None:
    """min(d, r (m - 1) + 1), from the powers of the forms on."""
    assert feature_span(widths, degrees) == span


def test_rules_about_perceptrons_lie_where_they_are_loaded_at_once() -> None:
    """The other rooms of rules are read when a network of another kind comes, or somebody looks at all rules."""
    ours = [
        rule.perceptrons for rule in RULES.values() if rule.perceptrons and rule.perceptrons.__module__[:4] == "poly"
    ]
    assert {rule.__module__.split(".")[4] for rule in ours} == {"closed", "reductions", "spaces"}
    code = (
        "import polygeom; from polygeom.dimensions.bounds.bound import RULES; polygeom.dimension('[3,2,1] r=2')\n"
        "few = len(dict.keys(RULES)); print(few, len(RULES), 'graph cut' in RULES, len(dict.keys(RULES)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [str(len(ours)), str(len(RULES)), "True", str(len(RULES))]
