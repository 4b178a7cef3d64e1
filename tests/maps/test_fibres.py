"""How many parameters of a map lie over a generic point: fibres whose size is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import polygeom
from polygeom import maps
from polygeom.cli import run
from polygeom.errors import PolygeomError
from polygeom.network import Network

FINITE: list[tuple[str, Network, int]] = [
    ("cubes: third roots of unity", maps.rational_normal_curve(3), 3),
    ("squares: a sign", maps.veronese(2, 2), 2),
    ("two signs", maps.from_text("s^2, t^2"), 4),
    ("sums of two cubes: roots of unity, and the order", maps.veronese(2, 3, 2), 18),
    ("symmetric functions: orders", maps.from_text("a+b+c, a*b+b*c+a*c, a*b*c"), 6),
    ("Whitney umbrella: generically one", maps.from_text("x=u*v, y=u, z=v^2"), 1),
    ("circle: one", maps.from_text("(1-t^2)/(1+t^2), 2*t/(1+t^2)"), 1),
    ("t + 1/t: two", maps.from_text("t+1/t"), 2),
    ("inverse matrices: one", maps.gaussian_graphical_model(3, [(1, 2), (2, 3)]), 1),
    ("toric: the index of a lattice", maps.toric([[2, 1, 1], [0, 1, 3]]), 2),
    ("a power of a monomial map", maps.toric([[3, 0], [0, 5]]), 15),
]


@pytest.mark.parametrize(("network", "count"), [case[1:] for case in FINITE], ids=[case[0] for case in FINITE])
def test_finite_fibres(network: Network, count: int) -> None:
    found = polygeom.fibre(network)
    assert (found.value, found.infinite, found.status) == (count, False, "probable")
    assert found.level == ("globally" if count == 1 else "finitely")


@pytest.mark.parametrize("network", [maps.grassmannian(2, 4), maps.segre([2, 2]), maps.from_text("a+b, (a+b)^2")])
def test_infinite_fibres(network: Network) -> None:
    found = polygeom.fibre(network)
    assert (found.value, found.infinite, found.status, found.level) == (None, True, "proved", "not")


def test_the_command_and_what_is_refused(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "map.txt").write_text("a+b, a*b")
    assert run(["fibre", "--map", str(tmp_path / "map.txt")]) == 0
    assert "2 parameters (probable) over a generic point" in capsys.readouterr().out
    assert run(["fibre", "--json", "map(a: a^5)"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == 5
    with pytest.raises(PolygeomError, match="method must be 'auto' for a map"):
        polygeom.fibre("map(a: a^2)", method="monodromy")
    many = polygeom.fibre(maps.from_text(", ".join(f"a{k}^7" for k in range(9))), timeout=20)
    assert (many.value, many.status) == (None, "unknown")
    assert "more than 6000 monomials" in str(many)
