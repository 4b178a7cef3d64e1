"""Every public answer keeps the same contract: plain data, a few readable lines, a table in a notebook."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import polygeom
from polygeom.answers import STATUSES, Answer
from polygeom.exchange.comparison import compare
from polygeom.exchange.ideals import read_ideal

ANSWERS: dict[str, Callable[[], Answer]] = {
    "dimension": lambda: polygeom.dimension("[2,3,1] r=2", rng=3),
    "explain": lambda: polygeom.explain("[5,5,5,1] r=2", rng=3),
    "threshold": lambda: polygeom.threshold([2, 2, 4, 1], rng=3),
    "frontier": lambda: polygeom.frontier(2, 1, 2, 3, rng=3),
    "degree": lambda: polygeom.degree("[2,2,1] r=4", rng=3),
    "fibre": lambda: polygeom.fibre("[2,2,1] r=4", rng=3),
    "ideal": lambda: polygeom.Neurovariety("[3,2,1] r=2", rng=3).ideal(),
    "identifiability": lambda: polygeom.identifiability("[2,2,1] r=4", rng=3),
    "inclusion": lambda: polygeom.Neurovariety("[2,1,1] r=2", rng=3).contains("x1^2"),
    "comparison": lambda: compare(
        read_ideal("c1x200", "[3,2,1] r=2"), polygeom.Neurovariety("[3,2,1] r=2").search(), rng=3
    ),
}
"""One of every kind."""


@pytest.fixture(scope="module", params=ANSWERS)
def answer(request: pytest.FixtureRequest) -> Answer:
    return ANSWERS[request.param]()


def test_plain_data_says_what_was_asked_and_what_reproduces_it(answer: Answer) -> None:
    data = json.loads(json.dumps(answer.as_dict(), allow_nan=False))
    assert "[" in data["network"] or "(" in data["network"]
    assert data["seed"] == 3
    assert data["version"] == polygeom.__version__
    assert data["status"] in STATUSES


def test_print_gives_a_few_lines(answer: Answer) -> None:
    lines = str(answer).splitlines()
    assert 1 <= len(lines) <= 20
    assert max(map(len, lines)) <= 300
    yes_or_no = lines[0].startswith(("yes ", "no ", "unknown"))
    assert str(answer.as_dict()["network"]) in lines[0] or "(2,2,4,1)" in lines[0] or yes_or_no


def test_a_notebook_shows_a_table(answer: Answer) -> None:
    page = answer._repr_html_()
    assert page.startswith("<p><b>")
    assert page.count("<tr>") == page.count("</tr>") >= 4
    assert "<script" not in page


def test_a_verification_is_an_answer_that_draws_nothing() -> None:
    found = polygeom.verify(polygeom.dimensions.certify("[2,2,1] r=2"))
    assert isinstance(found, Answer)
    data = json.loads(json.dumps(found.as_dict()))
    assert (data["network"], data["version"], data["seed"]) == ("[2,2,1] r=2", polygeom.__version__, None)
    assert (data["status"], data["valid"]) == ("proved", True)
    assert str(found).startswith("valid: the dimension of [2,2,1] r=2 is 3\n  ok: ")
    assert found._repr_html_().count("<tr>") >= 5
    false = polygeom.dimensions.certify("[2,2,1] r=2")
    false["claim"]["dimension"] = 2
    assert (polygeom.verify(false).status, polygeom.verify(false).valid) == ("unknown", False)


def test_equations_show_as_formulas() -> None:
    ideal = polygeom.Neurovariety("[2,2,1] r=3").ideal()
    formula = polygeom.Neurovariety("[3,2,1] r=2").ideal()._repr_latex_()  # type: ignore[attr-defined]
    assert formula.startswith(r"$$\begin{aligned} & ")
    assert formula.count("= 0") == 1
    assert r"\text{no equations}" in ideal._repr_latex_()


def test_text_is_escaped_in_a_notebook() -> None:
    class Strange(Answer):
        def as_dict(self) -> dict[str, object]:
            return {"network": "<b>&"}

        def __str__(self) -> str:
            return "<i>"

    page = Strange()._repr_html_()
    assert "&lt;b&gt;&amp;" in page
    assert "&lt;i&gt;" in page
