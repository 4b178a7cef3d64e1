"""Portraits of maps and models, two of them side by side, and equations as formulas."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import polygeom
from polygeom.cli import run
from polygeom.errors import PolygeomError
from polygeom.report import portrait
from polygeom.report.comparison import Comparison
from polygeom.report.formulas import mathml

CUBIC = "x=s^3, y=s^2*t, z=s*t^2, w=t^3"


def test_a_map_from_a_file_has_a_portrait(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cubic.txt").write_text("parameters: s, t\n" + CUBIC.replace(", ", "\n") + "\n")
    assert run(["portrait", "--map", str(tmp_path / "cubic.txt")]) == 0
    told = capsys.readouterr().out
    assert "y**2 - x*z = 0" in told
    assert "dimension 2" in told
    with pytest.raises(PolygeomError, match="is a map without inputs"):
        portrait(f"map(s,t: {CUBIC})", training=True)


@pytest.mark.slow
def test_a_module_has_a_portrait() -> None:
    torch = pytest.importorskip("torch")
    network = polygeom.from_torch(torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False)), torch.zeros(1, 2)).network
    assert portrait(network, training=False).sections[1].facts[0].value == "2"


def test_a_comparison_has_what_each_page_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = [portrait(text, training=False) for text in ("[3,2,1] r=2", "[3,3,1] r=2")]
    rows = {(title, label): (one, other) for title, label, one, other in Comparison(pages[0], pages[1]).rows()}
    for place, page in enumerate(pages):
        for section in page.sections:
            for fact in section.facts:
                assert rows[section.title, fact.label][place].startswith(fact.value)
    assert rows["How big is it?", "dimension"] == ("5", "6")
    arguments = ["portrait", "[3,2,1] r=2", "--compare", "[3,3,1] r=2", "--no-training"]
    assert run([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["second"]["network"] == "[3,3,1] r=2"
    assert run(["portrait", "--no-training", "--json", "--compare=[3,3,1] r=2", "[3,2,1] r=2"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [told[place]["network"] for place in ("first", "second")] == ["[3,3,1] r=2", "[3,2,1] r=2"]
    assert run(arguments) == 0
    told = capsys.readouterr().out
    assert " * [3,3,1] r=2: Its neurovariety has dimension 6" in told
    assert " * dimension: 5   |   6\n   expected dimension: 6   |   6\n" in re.sub(
        r" \* (weights|of these).*\n", "", told
    )
    page = Comparison(pages[0], pages[1]).to_html()
    assert '<tr class="differs"><td>dimension</td><td>5</td><td>6</td></tr>' in page
    assert "http" not in page


def test_equations_are_formulas() -> None:
    text = "2*c1x22**3 - 9*c1x31*c1x22*(a + b_2)"
    tree = ElementTree.fromstring(mathml(text))
    assert "".join(tree.itertext()) == "2c1x223−9c1x31c1x22(a+b2)"
    assert [element.tag for element in tree][:3] == ["mn", "msup", "mo"]
    pytest.importorskip("matplotlib", reason="pages with figures need the extra plot")
    page = portrait("[2,2,1] r=4", training=False).to_html()
    assert page.count("<math") == 1
    assert "<msup><msub><mi>c</mi><mi>1x22</mi></msub><mn>3</mn></msup>" in page
