from __future__ import annotations

import importlib.util
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import polygeom
from polygeom.cli import run
from polygeom.errors import PolygeomError
from polygeom.report import portrait
from polygeom.report.algebra import explanation_section
from polygeom.report.composition import Portrait
from polygeom.report.page import PROVED, Fact, Section
from polygeom.report.terminal import WIDTH

TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not TORCH, reason="training needs the extra learn")


def section(page: Portrait, title: str) -> Section:
    return next(s for s in page.sections if s.title.startswith(title))


def fact(page: Portrait, title: str, label: str) -> Fact:
    return next(f for f in section(page, title).facts if f.label == label)


@pytest.fixture(scope="module")
def algebra() -> Portrait:
    return portrait("[5,5,5,1] r=2", training=False)


@pytest.fixture(scope="module")
def trained() -> Portrait:
    return portrait("[2,2,3] r=2", timeout=120)


def test_the_facts_are_those_of_the_dimension_engine(algebra: Portrait) -> None:
    result = polygeom.dimension("[5,5,5,1] r=2")
    for label, value in [
        ("dimension", result.dimension),
        ("weights", result.parameters),
        ("of these redundant", result.gauge),
        ("expected dimension", result.expected_dimension),
        ("coefficients of the outputs", result.ambient_dimension),
        ("defect", result.defect),
    ]:
        assert fact(algebra, "How big", label).value == str(value)
    assert fact(algebra, "How big", "dimension").standing == PROVED
    assert fact(algebra, "How big", "filling").value == "no"


def test_a_defect_is_explained_by_its_chain(algebra: Portrait) -> None:
    chain = section(algebra, "Why this size").facts
    assert [f.value for f in chain] == ["≤ 35", "≤ 45"]
    assert "rotations" in chain[0].note
    assert "below the expected" in section(algebra, "Why this size").lead


def test_a_network_of_the_expected_size_misses_nothing() -> None:
    found = explanation_section(polygeom.dimension("[3,3,3] r=2"))
    assert (found.lead, found.facts) == ("Nothing is missing: the dimension is the expected one.", ())


def test_equations_are_found_where_they_are_cheap() -> None:
    page = portrait("[2,2,1] r=4", training=False)
    equations = section(page, "Which equations")
    assert equations.lead == "Minimal generators: 1 of degree 3, and these generate the ideal."
    assert "c1x22**3" in equations.formulas[0]
    assert fact(page, "Which equations", "degree").value == "3"


def test_filling_networks_have_no_equations() -> None:
    assert section(portrait("[2,3,2] r=2", training=False), "Which equations").lead.startswith("None")


@pytest.mark.parametrize(
    "text",
    ["[3,2]", "[2,2,1] r=2 bias", "ccp(2,rank=2,degree=3)", "lightning_attention(tokens=2,features=2,rank=1,outputs=2)",
     "[40,40,40,10] r=3"],
)  # fmt: skip
def test_every_family_has_a_page(text: str) -> None:
    page = portrait(text, training=False)
    assert len(page.sections) == 6
    assert page.network in page.to_text()


@pytest.mark.thorough
@needs_torch
def test_rank_and_dimension_stand_side_by_side(trained: Portrait) -> None:
    kernel = section(trained, "What can move")
    assert [f.value for f in kernel.facts] == ["8", "8"]
    spectrum = kernel.figures[0].data
    assert spectrum["dimension"] == 8
    assert spectrum["values"][7] > 1e-6 > 1e-20 > spectrum["values"][8]


@pytest.mark.thorough
@needs_torch
def test_random_targets_are_never_fitted_beyond_the_dimension(trained: Portrait) -> None:
    data = section(trained, "How many samples").figures[0].data
    assert data["dimension"] == 8
    beyond = [row for place, row in zip(data["places"], data["errors"], strict=True) if place > 8]
    within = [row for place, row in zip(data["places"], data["errors"], strict=True) if place <= 6]
    assert beyond
    assert all(error > 1e-8 for row in beyond for error in row)
    assert any(error < 1e-20 for row in within for error in row)
    assert fact(trained, "How many samples", "no fit beyond the dimension").value == "as it must be"
    assert fact(trained, "How many samples", "capacity").value == "6"


@pytest.mark.thorough
@needs_torch
def test_the_truth_is_found_from_enough_samples_on(trained: Portrait) -> None:
    data = section(trained, "When does it find").figures[0].data
    few = [min(row) for place, row in zip(data["places"], data["errors"], strict=True) if place < 8]
    many = [sorted(row)[1] for place, row in zip(data["places"], data["errors"], strict=True) if place >= 12]
    assert few
    assert all(error > 1e-6 for error in few)
    assert any(error < 1e-12 for error in many)


@pytest.mark.thorough
@needs_torch
def test_the_same_seed_gives_the_same_page(trained: Portrait) -> None:
    assert portrait("[2,2,3] r=2", timeout=120).as_dict() == trained.as_dict()


class Tags(HTMLParser):
    """Collects what an HTML file refers to, and whether its tags are balanced."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data")]
        if tag not in ("meta", "br", "hr", "img", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_one_file_that_refers_to_nothing_outside(algebra: Portrait) -> None:
    pytest.importorskip("matplotlib")
    text = algebra.to_html()
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.names.isdisjoint({"script", "link", "iframe", "img", "object"})
    assert all(reference.startswith("#") for reference in tags.references)
    assert not re.search(r"@import|url\((?!#)", text)
    assert set(re.findall(r"https?://[^\"\s<]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert text.count("<svg") == sum(len(s.figures) for s in algebra.sections) == 2
    assert "@media print" in text


def test_text_is_escaped() -> None:
    pytest.importorskip("matplotlib")
    from polygeom.report.html import html_page

    text = html_page("a<b>", "x & y", [Section("1 < 2", "", (Fact("<i>", "a&b"),))], "")
    assert "<b>" not in text
    assert "&lt;i&gt;" in text
    assert "x &amp; y" in text


def test_the_terminal_page_is_narrow(algebra: Portrait) -> None:
    lines = algebra.to_text().splitlines()
    assert lines[0] == "[5,5,5,1] r=2"
    assert max(map(len, lines)) <= WIDTH


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "page.html"
    assert run(["portrait", "[3,2,1] r=2", "--no-training", "--html", str(file)]) == 0
    captured = capsys.readouterr()
    assert "How big is it?" in captured.out
    assert "written to" in captured.err
    assert file.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert run(["portrait", "[3,2,1] r=2", "--no-training", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["network"] == "[3,2,1] r=2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["[3,2,1 r=2"], "[3,2,1 r=2"),
        (["[3,2,1] r=2", "--html", "/nonexistent/page.html"], "there is no such folder"),
        (["[3,2,1] r=2", "--timeout", "0"], "timeout must be a positive number"),
        (["[3,2,1] r=2", "--no-training", "--html", "/"], "--html must be a file"),
    ],
)
def test_bad_input_is_explained(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    if "--html" in arguments:
        pytest.importorskip("matplotlib")
    assert run(["portrait", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_training_without_torch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polygeom.report.composition.find_spec", lambda name: None)
    with pytest.raises(PolygeomError, match=r"training=False.* needs torch \(extra learn\)"):
        portrait("[3,2,1] r=2", training=True)
    titles = {section.title for section in portrait("[3,2,1] r=2").sections}
    assert "How fast does it generalise?" in titles
    assert not titles & {"What can move? The tangent kernel", "How many samples can it fit?"}


@needs_torch
def test_an_experiment_that_the_time_cuts_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    from polygeom.report import experiments

    network = polygeom.parse("[2,3,1] r=2")
    result = polygeom.dimension(network)
    monkeypatch.setattr(experiments, "_best_loss", lambda network, x, *_: 0.0 if len(x) < 4 else 1.0)
    monkeypatch.setattr(experiments, "_far_error", lambda *_: 1.0)
    now = iter(range(1000))
    monkeypatch.setattr(experiments.time, "monotonic", lambda: next(now))
    for section in (experiments.interpolation_section, experiments.recovery_section):
        assert section(network, result, 0, next(now)).lead == experiments.UNFINISHED
    whole = experiments.interpolation_section(network, result, 0, 1e9)
    assert [fact.value for fact in whole.facts] == ["3", "as it must be", "3"]
    part = experiments.interpolation_section(network, result, 0, next(now) + 7.5)
    told = "no more than 2 were tried in the time that was given"
    assert [fact.value for fact in part.facts] == ["3", "not tried", f"2 ({told})"]
    assert f"it fits up to 2 conditions exactly ({told}); its dimension is 3" in part.lead
    assert told in experiments.recovery_section(network, result, 0, next(now) + 7.5).lead
