"""Every question that networks are asked is asked of maps: by functions, and by commands that read map files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas
import pytest

import polygeom
from polygeom import maps
from polygeom.cli import run
from polygeom.network.selection import architectures

TWISTED = "map(s,t: x=s^3, y=s^2*t, z=s*t^2, w=t^3)"
CIRCLE = "map(t: x=(-t^2+1)/(t^2+1), y=2*t/(t^2+1))"
CAYLEY = "map(a,b,c: 1/(a), 1/(b), 1/(c), -1/(a+b+c))"
SUMS = "map(a,b: a+b, a*b, a^2+b^2)"


@pytest.fixture
def twisted(tmp_path: Path) -> str:
    file = tmp_path / "twisted.m2"
    file.write_text("R = QQ[x,y,z,w]; S = QQ[s,t];\nf = map(S, R, {s^3, s^2*t, s*t^2, t^3})\n", encoding="ascii")
    return str(file)


def test_sweeps_take_maps_among_networks(tmp_path: Path) -> None:
    texts = [TWISTED, CIRCLE, CAYLEY, "[2,3,1] r=2"]
    table = polygeom.sweep(texts, progress=False, out=tmp_path / "maps.csv")
    assert table["network"].tolist() == texts
    assert table["dimension"].tolist() == [2, 1, 3, 3]
    assert table["proved"].tolist() == [True] * 4
    assert table["filling"].tolist() == [False, False, False, True]
    read = pandas.read_csv(tmp_path / "maps.csv")
    assert read["dimension"].tolist() == [2, 1, 3, 3]


def test_the_command_sweeps_maps_from_arguments_files_and_lists(twisted: str, tmp_path: Path, capsys: Any) -> None:
    listed, out = tmp_path / "maps.txt", tmp_path / "out.csv"
    listed.write_text(f"{CIRCLE}\n# a comment\n{SUMS}\n", encoding="ascii")
    arguments = ["sweep", "[2..3,1,1] r=2", "--from", str(listed), "--map", twisted, "--out", str(out), "--quiet"]
    assert run(arguments) == 0
    table = pandas.read_csv(out).set_index("network")
    assert table["dimension"].to_dict() == {"[2,1,1] r=2": 2, "[3,1,1] r=2": 3, TWISTED: 2, CIRCLE: 1, SUMS: 2}
    assert run(["sweep", "--map", str(tmp_path / "none.txt")]) == 2
    assert "cannot read" in capsys.readouterr().err
    assert run(["sweep"]) == 2
    assert "no family given" in capsys.readouterr().err


def test_a_power_in_a_formula_is_no_repetition_of_layers() -> None:
    program = 'x=input(1); formula(x,[s],["s^2*x1^3"])'
    assert architectures([TWISTED, program]).count() == 2
    assert architectures(["[2,2^1..2,1] r=2"]).count() == 2
    assert [str(n) for n in architectures(program)] == [str(polygeom.parse(program))]


@pytest.mark.parametrize(
    ("text", "form", "count", "source"),
    [
        (CIRCLE, "unit", 2, "arXiv 1309.0049, Section 1: two points of a circle"),
        ("map(s,t: s^2, s*t, t^2)", "generic", 4, "arXiv 1309.0049: a generic conic has four"),
        ("map(t: t, t^2)", "unit", 3, "a parabola has three normals through a point"),
    ],
)
def test_distance_degrees(text: str, form: str, count: int, source: str, capsys: Any) -> None:
    assert polygeom.ed_degree(text, form).value == count, source
    assert run(["degree", text, "--form", form, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == count


MEMBERS: list[tuple[str, list[int], bool]] = [
    (TWISTED, [1, 2, 4, 8], True),
    (TWISTED, [1, 2, 4, 9], False),
    (TWISTED, [0, 0, 0, 5], True),
    (TWISTED, [0, 1, 0, 0], False),
    (CAYLEY, [1, 1, 1, -3], False),
    (CAYLEY, [0, 0, 1, 1], True),  # in the closure alone
    (SUMS, [3, 2, 5], True),
    (SUMS, [3, 2, 6], False),
]


@pytest.mark.parametrize(("text", "point", "inside"), MEMBERS)
def test_membership(text: str, point: list[int], inside: bool) -> None:
    found = polygeom.Neurovariety(text).contains(point)
    assert (found.answer, found.status) == (inside, "proved")


def test_membership_and_explanation_by_command(twisted: str, capsys: Any) -> None:
    assert run(["contains", "--map", twisted, "1; 2; 4; 8"]) == 0
    assert run(["contains", "--map", twisted, "1; 2; 4; 9"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("yes (proved)")
    assert "no (proved): equation 2, of degree 2, has the value -1" in out
    assert run(["contains", "--map", twisted, "1; 2; 4"]) == 2
    assert "one polynomial for each of 4 outputs, got 3" in capsys.readouterr().err
    assert run(["explain", "--map", twisted]) == 0
    assert "no defect, dimension 2 as expected" in capsys.readouterr().out


def test_identifiability_coefficient_and_portrait_by_command(twisted: str, capsys: Any) -> None:
    assert run(["identifiability", "--map", twisted]) == 0
    assert "finitely identifiable (proved)" in capsys.readouterr().out
    assert run(["coefficient", "--map", twisted, "--quiet"]) == 0
    assert "learning coefficient 1, multiplicity 1 (proved)" in capsys.readouterr().out
    for command in ("identifiability", "coefficient"):
        assert run([command]) == 2
        assert "--map FILE" in capsys.readouterr().err
    assert run(["portrait", "--map", twisted, "--timeout", "20"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "which point of the map is meant, out of 2 parameters" in page
    assert not [
        word
        for word in ("function of the", "coefficients of the outputs", "Portrait of a polynomial network")
        if word in page
    ]


def test_explanations() -> None:
    """What symmetries explain is expected; the bound of a map is the smallest of these and its coordinates."""
    for text, dimension in ((SUMS, 2), (TWISTED, 2), ("map(a,b: a+b, (a+b)^2, (a+b)^3)", 1)):
        found = polygeom.explain(text)
        assert (found.verdict, found.dimension, found.bound, found.defect) == ("no defect", dimension, dimension, 0)
    symmetric = polygeom.explain(maps.veronese(3, 2, 2))  # the orthogonal group of the plane acts: 6 - 1
    assert (symmetric.verdict, symmetric.dimension, symmetric.bound) == ("no defect", 5, 5)


def test_certificates_by_command(twisted: str, tmp_path: Path, capsys: Any) -> None:
    size, equations = str(tmp_path / "size.json"), str(tmp_path / "equations.json")
    assert run(["dim", "--map", twisted, "--certificate", size]) == 0
    assert run(["ideal", "--map", twisted, "--certificate", equations, "--quiet"]) == 0
    capsys.readouterr()
    assert run(["verify", size, equations]) == 0
    data = json.loads(Path(equations).read_text(encoding="utf-8"))
    data["equations"][0]["terms"][0][1] = "7"
    Path(equations).write_text(json.dumps(data), encoding="utf-8")
    assert run(["verify", equations]) == 1
