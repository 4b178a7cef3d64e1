"""What the checker asks of steps about two cuts: forms and their number, the second cut, the space, the constant."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from polygeom.dimensions.bounds import spaces
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.bounds.rules.products import hypersurface
from polygeom.dimensions.proofs.graphs import cuts, products
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import Program, read
from polygeom.dimensions.proofs.rules import Step, monomials
from polygeom.errors import BudgetError
from polygeom.network import parse

Counts = dict[int, int]


def program(text: str) -> Program:
    return read(plain_text(parse(text)))


def part(text: str) -> Step:
    network = parse(text)
    if network.widths is not None and network.activation_degrees is not None:
        return Step(100, "x", list(network.widths), list(network.activation_degrees), 0, [])
    return Step(100, "x", [], [], 0, [], plain_text(network))


def step(constant: int, *parts: str, layer: int = 2, **more: Any) -> Step:
    made = [part(text) for text in parts]
    return structs.replace(Step(constant + 100 * len(made), "x", [], [], layer, made), **more)


def powers(n: int, m: int, r: int, second: str = "power(c,2)", outputs: int = 1) -> str:
    return f"x=input({n}); a=dense(x,{m}); b=power(a,{r}); c=dense(b,3); d={second}; dense(d,{outputs})"


def test_the_pencil_of_squares() -> None:
    def holds(one: Step, text: str = powers(4, 8, 2)) -> bool:
        return products._pencil(program(text), one, Budget())

    honest = step(15, "[34,1]")
    assert holds(honest)
    assert holds(step(16, "[34,1]"))
    for wrong in (
        step(14, "[34,1]"),
        *(step(15, "[34,1]", layer=k) for k in (0, 1, 3, 4, 5, 6)),
        *(step(15, f"[{width},1]") for width in (33, 35, 36, 10)),
        step(15, "[34,2]"),
        step(15),
        step(15, "[34,1]", "[34,1]"),
        step(15, "[2,34]", "[34,1]"),
    ):
        assert not holds(wrong), wrong
    for text in (powers(3, 8, 2), powers(5, 8, 2), powers(4, 7, 2), powers(4, 9, 2), powers(4, 8, 3), powers(4, 8, 1)):
        assert not holds(honest, text), text
    for second, widths in {"power(c,3)": [84], "power(c,1)": [10], "polynomial(c,[0,1,0,1])": [94, 84, 10, 34]}.items():
        assert not any(holds(step(15, f"[{width},1]"), powers(4, 8, 2, second)) for width in widths)
    sums = {"polynomial(c,[0,1,1])": 44, "polynomial(c,[0,0,1,1])": 34 + 84, "polynomial(c,[0,0,1,0,1])": 34 + 165}
    for second, space in sums.items():
        for other in (space - 1, space, space + 1):
            assert holds(step(15, f"[{other},1]"), powers(4, 8, 2, second)) is (other == space)
    constants = powers(4, 8, 2, "polynomial(c,[1,1,1])")
    assert holds(step(15, "[45,1]"), constants)
    assert holds(step(15, "x=input(44); a=dense(x,3); b=bias(a); dense(b,1)"), constants)
    assert not holds(step(15, "[44,1]"), constants)
    assert not holds(step(15, "x=input(45); a=dense(x,3); b=bias(a); dense(b,1)"), constants)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """What conditions are asked for; of the points identified nine are found to be independent."""
    calls: list[tuple[int, ...]] = []
    monkeypatch.setattr(products, "conditions", lambda *case: calls.append(case[:-1]) or 9)
    return calls


def test_points_that_are_identified(asked: list[tuple[int, ...]]) -> None:
    def holds(one: Step, text: str = powers(3, 5, 3, "power(c,3)")) -> bool:
        return products._identifications(program(text), one, Budget())

    least, pairs = 5 * 2, 15
    honest = step(least, "[35,1]")  # cubics in five powers are fewer than polynomials of degree nine less nine
    assert holds(honest)
    assert asked == [(3, 5, 3, 3, pairs)]
    assert holds(step(least + 1, "[35,1]"))
    for wrong in (
        step(least - 1, "[35,1]"),
        *(step(least, "[35,1]", layer=k) for k in (0, 1, 3, 4, 5)),
        *(step(least, f"[{width},1]") for width in (34, 36, 46, 55)),
        step(least),
        step(least, "[35,1]", "[35,1]"),
        step(least, "[3,35]", "[35,1]"),
    ):
        assert not holds(wrong), wrong
    for n, m, r, allowed in (
        (3, 4, 3, False), (3, 5, 3, True), (3, 6, 3, False), (4, 5, 2, False), (4, 6, 2, True), (4, 7, 2, True),
        (4, 8, 2, False), (3, 5, 1, False), (3, 5, 17, True), (3, 5, 18, False), (2, 4, 3, False),
    ):  # fmt: skip
        text = f"x=input({n}); a=dense(x,{m}); b=power(a,{r}); c=dense(b,2); dense(c,1)"
        asked.clear()
        assert holds(step(m * (n - 1), f"[{min(m, monomials(n, r))},1]", layer=2), text) is allowed, (n, m, r)
        assert not asked


@pytest.mark.parametrize(
    ("n", "m", "r", "counts", "space", "wanted"),
    [
        (3, 5, 3, {2: 30}, 28 - 9, [(3, 5, 3, 2, 15)]),
        (3, 5, 3, {2: 4}, 4, [(3, 5, 3, 2, 15)]),
        (3, 5, 3, {1: 5, 2: 30}, 5 + 19, [(3, 5, 3, 2, 15)]),
        (3, 5, 3, {1: 50, 3: 80}, 10 + 46, [(3, 5, 3, 3, 15)]),
        (3, 5, 3, {0: 1, 2: 30}, 1 + 19, [(3, 5, 3, 2, 15)]),
        (4, 6, 2, {2: 30}, 35 - 9, [(4, 6, 2, 2, 35)]),
        (4, 6, 2, {4: 165}, 165 - 9, [(4, 6, 2, 4, 90)]),
        (4, 6, 2, {2: 35, 3: 84}, 26 + 75, [(4, 6, 2, 2, 35), (4, 6, 2, 3, 70)]),
        (3, 5, 2, {2: 15}, 15, []),
        (3, 5, 5, {89: 10**6}, None, []),
        (3, 5, 5, {90: 10**6}, None, None),
    ],
)
def test_spaces_behind_identified_points(
    n: int, m: int, r: int, counts: Counts, space: int | None, wanted: list[tuple[int, ...]] | None,
    asked: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Of degree k there are no more than all of degree r k, less the conditions found, nor than ``counts``."""
    monkeypatch.setattr(products, "_between", lambda *_: counts)
    whole = program(powers(n, m, r))

    def holds(one: Step) -> bool:
        return products._identifications(whole, one, Budget())

    if wanted is None:
        with pytest.raises(BudgetError, match="the rule identifications"):
            holds(step(m * (n - 1), "[9,1]"))
        return
    if space is None:
        space = monomials(n, r * max(counts)) - 9
        assert space + 9 == 99_681
    assert not holds(step(m * (n - 1), "[2,1]"))
    assert asked[: len(wanted)] == wanted  # and again at later cuts
    for other in (space - 1, space, space + 1, space + 9):
        assert holds(step(m * (n - 1), f"[{other},1]")) is (other == space), other
    if 0 in counts:
        shifted = "x=input({}); a=dense(x,3); b=bias(a); dense(b,1)"
        assert holds(step(m * (n - 1), shifted.format(space - 1)))
        assert not holds(step(m * (n - 1), shifted.format(space)))


PAIRED = [
    "x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,2); d=dense(b,2); e=product(c,d); dense(e,1)",
    "x=input(2); a=dense(x,3); b=power(a,2); u=dense(b,3); c=dense(u,2); d=dense(u,2); e=product(c,d); dense(e,1)",
    "x=input(1); a=dense(x,2); b=polynomial(a,[0,1,1]); u=dense(b,2); c=dense(u,2); polynomial(c,[0,1,1])",
    "x=input(1); a=dense(x,2); b=polynomial(a,[0,1,1]); c=dense(b,2); u=bias(c); d=dense(u,3); power(d,4)",
    "x=input(1); a=dense(x,2); b=polynomial(a,[1,1,1]); c=dense(b,2); d=dense(c,3); polynomial(d,[0,1,0,1])",
    "x=input(1); a=dense(x,2); b=polynomial(a,[0,1,1]); c=dense(b,2); d=dense(c,3); polynomial(d,[1,1,0,1])",
    "x=input(2); a=dense(x,3); b=power(a,3); c=dense(b,2); d=dense(c,3); e=power(d,3); f=dense(e,2); power(f,2)",
    "x=input(3); a=dense(x,4); b=bias(a); c=power(b,2); d=dense(c,2); e=power(d,9); dense(e,1)",
    "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,3); d=power(c,2); e=dense(d,2); f=power(e,3); dense(f,1)",
    "x=input(1); a=dense(x,3); b=power(a,2); c=dense(b,2); power(c,4)",
    "x=input(2); a=dense(x,3); b=power(a,2); c=dense(x,3); d=product(b,c); e=dense(d,2); f=power(e,4); dense(f,1)",
]


def test_equations_between_the_values_at_a_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the search counts them, and where a degree or a number of variables is too large, none."""
    smaller = 0
    for text in PAIRED:
        network, whole = parse(text), program(text)
        for pair in spaces.pairs(network):
            first, counts = cuts.Cut(whole, pair.first), pair.degrees
            wide = {k: monomials(first.shape[0], k) for k in counts}
            for given in (counts, wide, {max(counts) + 1: 10**6}, {**wide, max(counts) + 2: 10**6}):
                left = products._left(first, given, Budget())
                assert left == hypersurface._space(network, pair._replace(degrees=given)), (text, given)
                smaller += left < sum(given.values())
    assert smaller > 20
    first, counts = cuts.Cut(program(PAIRED[0]), 2), {2: 6}
    for most, left in ((3, 5), (2, 6)):
        monkeypatch.setattr(products, "MOST_DEGREE", most)
        assert products._left(first, counts, Budget()) == left
    monkeypatch.setattr(products, "MOST_DEGREE", 4)
    assert products._left(first, {4: 15}, Budget()) == 9
    assert products._left(first, {5: 21}, Budget()) == 21


def test_an_equation_needs_both_parts() -> None:
    text = PAIRED[1]
    whole = program(text)

    def holds(*parts: str, constant: int = 0, layer: int = 3) -> bool:
        return products._hypersurface(whole, step(constant, *parts, layer=layer), Budget())

    lower, upper = "x=input(2); a=dense(x,3); b=power(a,2); dense(b,3)", "[5,1]"
    assert holds(lower, upper)
    assert holds(lower, upper, constant=-9)
    assert not holds(lower, upper, constant=-10)
    for wrong in ((lower,), (upper,), (upper, lower), (lower, lower), (upper, upper), (lower, upper, upper), (),
                  (lower, "[6,1]"), (lower, "[4,1]"), ("x=input(2); a=dense(x,3); power(a,2)", upper)):  # fmt: skip
        assert not holds(*wrong)
    for layer in (0, 1, 4, 5, 6, 7, 8):
        assert not holds(lower, upper, layer=layer)


def test_second_cuts_stand_behind_the_first_at_vectors() -> None:
    """None behind matrices, none at matrices, none at the output and none beside the first."""

    def found(text: str, v: int) -> list[int]:
        first = cuts.Cut(program(text), v)
        return [second.v for second, _ in products._later(first, Budget())] if first.holds else []

    chain = "x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,2); power(c,2)"
    assert [found(chain, v) for v in range(5)] == [[], [2, 3], [3], [], []]
    matrices = "x=input(2,3); a=dense(x,2); b=power(a,2); c=flatten(b); d=dense(c,2); power(d,2)"
    assert [found(matrices, v) for v in range(6)] == [[], [], [], [4], [], []]
    beside = "x=input(2); a=dense(x,2); b=power(a,2); c=dense(x,2); d=sum(b,c); e=dense(d,2); power(e,2)"
    assert [found(beside, v) for v in range(7)] == [[], [], [], [], [5], [], []]


@pytest.mark.parametrize(
    ("first", "biases", "second", "behind", "layer", "least"),
    [
        ("[0,1,1]", "u=bias(c)", "[1,1,1]", "[5,1]", 4, -6),
        ("[0,1,1]", "t=bias(c); u=bias(t,shares=t)", "[1,1,1]", "[5,1]", 5, -2),
        ("[0,1,1]", "t=bias(c); u=bias(t)", "[1,1,1]", "[5,1]", 5, -6),
        ("[0,1,1]", "u=bias(c)", "[1,0,1]", "[4,1]", 4, -4),
        ("[0,1,1]", "u=dense(c,2)", "[1,1,1]", "[5,1]", 4, -4),
        ("[1,1]", "u=bias(c)", "[1,1,1]", "[3,1]", 4, -4),
    ],
)
def test_shifts_at_the_first_cut(first: str, biases: str, second: str, behind: str, layer: int, least: int) -> None:
    """An own bias last, all degrees behind it, and values independent of 1: then shifts count beside matrices."""
    lower = f"x=input(1); a=dense(x,2); b=polynomial(a,{first}); c=dense(b,2); {biases}"
    whole = program(f"{lower}; d=dense(u,3); e=polynomial(d,{second}); dense(e,1)")
    below = lower.rpartition("u=")[0] + lower.rpartition("u=")[2]
    for constant in range(-8, 1):
        accepted = products._hypersurface(whole, step(constant, below, behind, layer=layer), Budget())
        assert accepted is (constant >= least), constant
