"""Rules about polynomials in the values at a cut, where they alone reach the rank, and not on the other side of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec import convert

from polygeom import verify
from polygeom.dimensions import certify, dimension
from polygeom.dimensions.bounds import equations
from polygeom.dimensions.bounds.bound import RULES, Bound, Equation
from polygeom.dimensions.bounds.graphs import plain_text, rank_of
from polygeom.dimensions.bounds.search import part_bound
from polygeom.dimensions.proofs.graphs.bounds import bound_holds
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import read
from polygeom.dimensions.proofs.rules import Step
from polygeom.network import parse

CUBES = "x=input(3); a=dense(x,5); b=power(a,3); c=dense(b,8); d=dense(b,8); e=product(c,d); "
SQUARES = "x=input(4); a=dense(x,8); b=power(a,2); c=dense(b,34); d=dense(b,34); e=product(c,d); "
REACHED = {
    # rule, network, dimension, ambient dimension
    "a surface in space": ("graph hypersurface", "[2,3,6,12,1] p=0,1,1", 39, 44),
    "Steiner's surface": (
        "graph hypersurface",
        ("x=input(3); a=dense(x,4); b=power(a,2); c=dense(b,6); d=dense(b,6); e=product(c,d); f=dense(e,12); "
        "g=power(f,2); dense(g,1)"),
        42, 45,
    ),
    "five cubes": ("graph identifications", CUBES + "f=dense(e,16); g=power(f,3); dense(g,1)", 185, 190),
    "eight squares": ("graph pencil", SQUARES + "dense(e,16)", 559, 560),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "text", "value", "ambient"), REACHED.values(), ids=REACHED.keys())
def test_a_rule_alone_reaches_the_rank(
    rule: str, text: str, value: int, ambient: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = parse(text)
    result = dimension(text)
    assert (result.dimension, result.proved, result.ambient_dimension) == (value, True, ambient)
    assert result.bound.startswith(rule)
    assert verify(certify(text, result=result)).valid
    others = {name: other for name, other in RULES.items() if name != rule and not other.last}
    monkeypatch.setattr("polygeom.dimensions.bounds.search.RULES", others)
    best = min(
        instance.constant + sum(map(rank_of, instance.parts))
        for other in others.values()
        if other.networks is not None
        for instance in other.networks(network)
    )
    assert best > value


FROM_ONE = "x=input(2); a=dense(x,3); b=polynomial(a,[1,1,1]); c=dense(b,6); d=polynomial(c,[0,1,1]); e=dense(d,12); "
FROM_ZERO = FROM_ONE.replace("[0,1,1]", "[-]").replace("[1,1,1]", "[0,1,1]").replace("[-]", "[1,1,1]")
SHIFTED = "x=input(1); a=dense(x,2); b=polynomial(a,[0,1,1]); c=dense(b,2); u=bias(c); d=dense(u,2); "
TWO_WAYS = "x=input(3); a=dense(x,2); p=dense(x,3); q=power(p,2); h=dense(a,3); k=power(h,2); "
FORGED = {
    # rule, network, node, constant, parts that it would bound by
    "a surface of degree 3": (
        "graph hypersurface", "[2,3,6,12,1] p=0,1,1", 2, 0,
        ["x=input(2); a=dense(x,3); polynomial(a,[0,1,1])", "[32,1]"],
    ),
    "a line in place of a conic": (
        "graph hypersurface",
        "x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,2); d=dense(b,2); e=product(c,d); dense(e,1)", 2, -3,
        ["x=input(2); a=dense(x,3); power(a,2)", "[3,1]"],
    ),
    "another part below": ("graph hypersurface", "[2,3,6,12,1] p=0,1,1", 2, 0, ["[2,1]", "[33,1]"]),
    "an equation with a constant": (
        "graph hypersurface", "[2,3,6,12,1] p=1,1,1", 2, 0,
        ["x=input(2); a=dense(x,3); polynomial(a,[1,1,1])", "[33,1]"],
    ),
    "an equation that is not homogeneous": (
        "graph hypersurface", "[2,3,6,12,1] p=0,1,1", 2, 0,
        ["x=input(2); a=dense(x,3); polynomial(a,[0,1,1])", "[24,1]"],
    ),
    "no constants at the first cut alone": (
        "graph hypersurface", FROM_ZERO + "f=polynomial(e,[0,1,1]); dense(f,1)", 2, 0,
        ["x=input(2); a=dense(x,3); polynomial(a,[0,1,1])", "[33,1]"],
    ),
    "no constants at the second cut alone": (
        "graph hypersurface",
        FROM_ONE + "f=polynomial(e,[0,1,1]); dense(f,1)", 2, 0,
        ["x=input(2); a=dense(x,3); polynomial(a,[1,1,1])", "[33,1]"],
    ),
    "as many values as variables": (
        "graph hypersurface",
        "x=input(3); a=dense(x,3); b=power(a,2); c=dense(b,2); d=dense(b,2); e=product(c,d); dense(e,1)", 2, -3,
        ["x=input(3); a=dense(x,3); power(a,2)", "[5,1]"],
    ),
    "more values than variables, by two": (
        "graph hypersurface",
        "x=input(2); a=dense(x,4); b=power(a,2); c=dense(b,2); d=dense(b,2); e=product(c,d); dense(e,1)", 2, -4,
        ["x=input(2); a=dense(x,4); power(a,2)", "[5,1]"],
    ),
    "mixing of powers": (
        "graph hypersurface",
        "x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,2); d=dense(b,2); e=product(c,d); dense(e,1)", 2, -9,
        ["x=input(2); a=dense(x,3); power(a,2)", "[5,1]"],
    ),
    "scalings of values that nothing makes": (
        "graph hypersurface", "[2,3,6,12,1] p=0,1,1", 2, -3,
        ["x=input(2); a=dense(x,3); polynomial(a,[0,1,1])", "[33,1]"],
    ),
    "mixing of dependent values": (
        "graph hypersurface",
        "x=input(2); a=dense(x,2); b=power(a,2); u=dense(b,3); c=dense(u,2); d=dense(u,2); e=product(c,d); dense(e,1)",
        3, -9, ["[2,2,3] r=2", "[3,1]"],
    ),
    "mixing that makes new monomials": (
        "graph hypersurface",
        ("x=input(2); a=dense(x,3); b=power(a,2); u=dense(b,3); c=power(u,2); d=dense(c,4); "
        "e=polynomial(d,[0,1,0,0,0,0,1]); dense(e,1)"), 3, -9, ["[2,3,3] r=2", "[28,1]"],
    ),
    "a shift that changes the span": (
        "graph hypersurface",
        SHIFTED + "e=dense(u,2); f=product(d,e); g=dense(f,3); h=polynomial(g,[0,1,1,1]); dense(h,1)", 4, -6,
        ["x=input(1); a=dense(x,2); b=polynomial(a,[0,1,1]); c=dense(b,2); bias(c)", "[13,1]"],
    ),
    "a shift that nothing makes": (
        "graph hypersurface",
        ("x=input(1); a=dense(x,2); b=polynomial(a,[0,1,1]); u=dense(b,2); d=dense(u,3); e=polynomial(d,[1,1,1]); "
        "dense(e,1)"), 3, -6, ["[1,2,2] p=0,1,1", "[5,1]"],
    ),
    "an earlier value that is no cut": (
        "graph hypersurface",
        TWO_WAYS + "b=sum(q,k); c=dense(b,2); d=dense(b,2); e=product(c,d); dense(e,1)", 6, 0,
        [TWO_WAYS + "sum(q,k)", "[5,1]"],
    ),
    "more conditions": ("graph identifications", CUBES + "f=dense(e,16); g=power(f,3); dense(g,1)", 2, 10, ["[174,1]"]),
    "forms without a factor": (
        "graph identifications", CUBES + "f=dense(e,16); g=power(f,3); dense(g,1)", 2, 9, ["[175,1]"]
    ),
    "cubic polynomials": (
        "graph identifications",
        CUBES.replace("power(a,3)", "polynomial(a,[0,1,0,1])") + "f=dense(e,16); g=power(f,3); dense(g,1)", 2, 10,
        ["[175,1]"],
    ),
    "six forms in three variables": (
        "graph identifications", CUBES.replace("dense(x,5)", "dense(x,6)") + "f=dense(e,16); g=power(f,3); dense(g,1)",
        2, 12, ["[175,1]"],
    ),
    "two quartics": ("graph pencil", SQUARES + "dense(e,16)", 2, 15, ["[33,16]"]),
    "a smaller family": ("graph pencil", SQUARES + "dense(e,16)", 2, 14, ["[34,16]"]),
    "nine squares": ("graph pencil", SQUARES.replace("dense(x,8)", "dense(x,9)") + "dense(e,16)", 2, 15, ["[34,16]"]),
    "squares with a linear term": (
        "graph pencil", SQUARES.replace("power(a,2)", "polynomial(a,[0,1,1])") + "dense(e,16)", 2, 15, ["[34,16]"],
    ),
    "cubes": ("graph pencil", SQUARES.replace("power(a,2)", "power(a,3)") + "dense(e,16)", 2, 15, ["[34,16]"]),
    "five variables": ("graph pencil", SQUARES.replace("input(4)", "input(5)") + "dense(e,16)", 2, 15, ["[34,16]"]),
    "no products": ("graph pencil", SQUARES.replace("product", "sum") + "dense(e,16)", 2, 15, ["[9,16]"]),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "text", "layer", "constant", "parts"), FORGED.values(), ids=FORGED.keys())
def test_a_rule_is_silent(rule: str, text: str, layer: int, constant: int, parts: list[str]) -> None:
    network, wanted = parse(text), [parse(part) for part in parts]
    for instance in RULES[rule].networks(network):
        same = (instance.layer, list(instance.parts)) == (layer, wanted)
        assert not (same and instance.constant <= constant), instance
    bounds = tuple(part_bound(parse(part), True) for part in parts)
    value = max(0, constant + sum(bound.value for bound in bounds))
    step = convert(Bound(value, rule, (), (), layer, bounds).as_dict(), Step)
    assert not bound_holds(read(plain_text(network)), step, Budget(60, 2**30))


def test_biases_are_one_more_variable() -> None:
    """Eight squares of affine forms in three variables: products of two of them miss a polynomial of degree 4."""
    network = parse(
        SQUARES.replace("input(4)", "input(3)").replace("b=power(a,2)", "s=bias(a); b=power(s,2)") + "dense(e,16)"
    )
    (instance,) = RULES["graph pencil"].networks(network)
    assert (instance.constant, instance.parts) == (15, (parse("[34,16]"),))
    assert rank_of(network) == 559


SKIP = "x=input(2); a=dense(x,3); b=power(a,3); c=sum(b,a); dense(c,2)"


def test_equations_are_not_believed() -> None:
    network = parse(SKIP)
    (instance,) = RULES["equations"].networks(network)
    (equation,) = instance.equations
    program = read(plain_text(network))

    def holds(value: int, *given: object) -> bool:
        bound = Bound(value, "equations", (), (), equations=given)  # type: ignore[arg-type]
        return bound_holds(program, convert(bound.as_dict(), Step), Budget(60, 2**30))

    (a, b, m), *rest = equation
    assert instance.constant == 11
    assert holds(11, equation)
    assert holds(12, equation)
    assert not holds(10, equation)
    assert not holds(10, equation, equation)
    assert not holds(10, equation, tuple((2 * a, b, m) for a, b, m in equation))
    assert not holds(11, ((a + 1, b, m), *rest))
    assert not holds(11, tuple(rest))
    assert not holds(11, ((a, b, (*m[1:], 99)), *rest))
    assert not holds(11)
    assert not holds(12)
    assert not holds(11, ((0, 1, ()),))
    assert not holds(11, ((1, 1, ()),))


@pytest.mark.parametrize(
    ("text", "rank"),
    [
        ("x=input(3); a=dense(x,1); b=dense(x,1); c=product(a,b); dense(c,2)", 6),
        ("x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,2); sum(x,c)", 3),
        (SKIP, 11),
    ],
)
def test_equations_have_independent_differentials(text: str, rank: int) -> None:
    """However many are asked for, there are not more than the codimension."""
    coordinates, found = equations.equations(parse(text), 0)
    assert coordinates - len(found) == rank


def test_equations_that_do_not_vanish_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> Iterator[Equation]:
        yield ((1, 1, (0, 1)),)

    monkeypatch.setattr(equations, "_independent", wrong)
    assert equations.equations(parse(SKIP), 11) == (12, ())
    assert list(RULES["equations"].networks(parse(SKIP))) == []


def test_equations_belong_to_their_rule() -> None:
    network = parse(SKIP)
    (instance,) = RULES["equations"].networks(network)
    for rule, value in (("ambient", 12), ("symmetries", 12)):
        for given, holds in (((), True), (instance.equations, False)):
            step = convert(Bound(value, rule, (), (), equations=given).as_dict(), Step)
            assert bound_holds(read(plain_text(network)), step, Budget(60, 2**30)) is holds
