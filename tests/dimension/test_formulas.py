"""The formulas that polygeom knows: every case is computed, and each hypothesis matters."""

from __future__ import annotations

import re

import pytest

from polygeom import verify
from polygeom.dimensions import certify, dimension
from polygeom.dimensions.bounds.bound import RULES
from polygeom.dimensions.formulas import FORMULAS, Formula, catalogue
from polygeom.dimensions.residual import residual_dimension
from polygeom.engines.symbolic import jacobian_rank
from polygeom.network import parse


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.name)
def test_every_case_of_a_formula(formula: Formula) -> None:
    cases = list(formula.cases())
    assert len(cases) >= 3
    for text, value in cases:
        result = dimension(text, method="generic")
        assert result.dimension == value, text
        assert result.proved or not formula.proof, text


LARGER = {
    "[20,15,1] r=2 bias": 211,
    "[20,15,1] p=1,1,1": 210,
    "x=input(20); a=dense(x,6); b=dense(x,6); c=product(a,b); dense(c,1)": 174,
    "x=input(2,8); a=attention(x,8,1); b=attention(x,8,1); c=attention(x,8,1); sum(a,b,c)": 183,
}


@pytest.mark.parametrize(("text", "value"), LARGER.items())
def test_larger_networks_are_proved_by_the_rule_of_their_formula(text: str, value: int) -> None:
    result = dimension(text)
    assert (result.dimension, result.proved) == (value, True)
    assert result.bound in {"quadratic function", "heads of full rank"}
    assert verify(certify(text, result=result)).valid


def test_the_rules_that_formulas_name_exist() -> None:
    named = {name for formula in FORMULAS for name in re.findall(r"\*([^*]+)\*", formula.used)}
    assert named
    assert named <= RULES.keys()
    assert all(formula.used for formula in FORMULAS if formula.proof)


def test_the_page_has_every_formula() -> None:
    page = catalogue()
    for formula in FORMULAS:
        assert f"| {formula.name} |" in page
        assert f"## {formula.name}" in page
    assert page.count("conjecture |") == sum(not formula.proof for formula in FORMULAS) >= 1


BLOCK = "x=input(2); a=dense(x,{}); b=power(a,2); c=dense(b,2); s=sum(x,c); d=dense(s,{}); e=power(d,2); f=dense(e,2); "


def test_the_theorem_on_residual_stacks_is_the_symbolic_rank() -> None:
    for widths in ((2, 2), (1, 2), (3, 3)):
        network = parse(BLOCK.format(*widths) + "sum(s,f)")
        known = residual_dimension(network)
        assert known is not None
        assert known[0] == jacobian_rank(network)


NOT_COVERED = {
    "a narrow second block": BLOCK.format(2, 1) + "sum(s,f)",
    "a linear block": "x=input(2); a=dense(x,2); b=dense(a,2); sum(x,b)",
    "the input again": BLOCK.format(2, 2) + "sum(s,f,x)",
    "no identity": "x=input(2); a=dense(x,2); b=power(a,2); dense(b,2)",
    "tied blocks": "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); s=sum(x,c); d=dense(s,2,shares=a); "
    "e=power(d,2); f=dense(e,2); sum(s,f)",
    "one token": "x=input(1,2); a=attention(x,1,2); sum(x,a)",
    "a narrow second attention": "x=input(2,2); a=attention(x,1,2); s=sum(x,a); b=attention(s,1,2); sum(s,b)",
    "a bias": "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); d=bias(c); sum(x,d)",
    "another branch": "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); d=sum(x,c); e=sum(d,a); dense(e,2)",
}


@pytest.mark.parametrize("text", NOT_COVERED.values(), ids=NOT_COVERED.keys())
def test_what_the_theorem_does_not_cover(text: str) -> None:
    assert residual_dimension(parse(text)) is None


def test_large_stacks_are_proved_without_a_rank() -> None:
    lines, x = ["x0=input(64)"], 0
    for _ in range(20):
        k = len(lines)
        lines += [f"x{k}=dense(x{x},64)", f"x{k + 1}=power(x{k},2)", f"x{k + 2}=dense(x{k + 1},64)"]
        lines.append(f"x{k + 3}=sum(x{x},x{k + 2})")
        x = k + 3
    lines[-1] = lines[-1].split("=", 1)[1]
    result = dimension("; ".join(lines))
    assert (result.dimension, result.proved) == (20 * (2 * 64 * 64 - 64), True)
