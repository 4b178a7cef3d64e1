"""Explanations: their chain is the proof of the bound, and what no bound reaches is called unexplained."""

from __future__ import annotations

import pytest

from polygeom.dimensions.bounds.bound import RULES, Bound, Rule
from polygeom.dimensions.bounds.search import upper_bound
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.explain import explain, explain_known, steps
from polygeom.errors import FormatError, PolygeomError
from polygeom.network import parse


@pytest.mark.parametrize(
    ("network", "causes"),
    [
        ("[5,5,5,1] r=2", ("rotations",)),
        ("[2,3,4,5,4,6,3,1] r=2", ("rotations", "cut at layer 4")),
        ("[2,3,5,3,6,15,45,129,1] r=2", ("hypersurface at layer 3",)),
        ("[4,6,5] r=2", ("Segre–Veronese",)),
        ("[5,7,1] r=3", ("Veronese",)),
        ("[4,3,1] r=2", ("quadrics",)),
        ("[2,1,3,6] r=2", ("surplus",)),
    ],
)
def test_known_defects_are_explained(network: str, causes: tuple[str, ...]) -> None:
    found = explain(network)
    assert (found.verdict, found.causes, found.bound) == ("explained", causes, found.dimension)
    assert found.defect == found.expected_dimension - found.dimension > 0
    assert all(cause.split(" at ")[0] in str(found) for cause in causes)


def test_the_chain_is_the_tree_of_the_bound_in_reading_order() -> None:
    bound = upper_bound((2, 3, 4, 5, 4, 6, 3, 1), (2,) * 6)
    chain = list(steps(bound))

    def flat(node: Bound, level: int) -> list[tuple[int, str, int]]:
        return [(level, node.rule, node.value), *(entry for part in node.parts for entry in flat(part, level + 1))]

    assert [(step.level, step.rule, step.value) for step in chain] == flat(bound, 0)
    assert chain[0].widths == bound.widths


def test_a_dimension_below_every_bound_is_unexplained() -> None:
    network = parse("[5,5,5,1] r=2")
    found = explain_known(network, 34, 45)
    assert (found.verdict, found.bound) == ("unexplained", 35)
    assert "unexplained, the smallest bound is 35" in str(found)


def test_no_defect_is_said() -> None:
    assert explain("[3,3,3] r=2").verdict == "no defect"
    assert str(explain("[3,3,3] r=2")) == "[3,3,3] r=2: no defect, dimension 15 as expected"


def test_a_result_is_taken_over_without_computing_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    result = dimension("[5,5,5,1] r=2")
    monkeypatch.setattr("polygeom.dimensions.explain.dimension", None)
    assert explain(result).dimension == 35
    assert explain(result).as_dict()["causes"] == ["rotations"]


def test_every_rule_of_a_chain_is_told_by_the_register() -> None:
    found = explain("[2,3,4,5,4,6,3,1] r=2")
    assert [step.meaning for step in found.chain] == [RULES[step.rule].meaning for step in found.chain]
    assert {len(rule.statement) > 40 for rule in RULES.values()} == {True}


def test_a_rule_without_a_meaning_is_refused() -> None:
    with pytest.raises(PolygeomError, match="meaning is empty"):
        Rule("new", " ", "a statement", perceptrons=lambda *_: [])
    with pytest.raises(PolygeomError, match="bounds nothing"):
        Rule("new", "some reason", "a statement")


def test_other_input_is_refused() -> None:
    with pytest.raises(FormatError):
        explain("[5,5")
    with pytest.raises(PolygeomError, match="DimensionResult"):
        explain(5)  # type: ignore[arg-type]
