"""Second routes for the rows on other systems."""

from __future__ import annotations

import io
from pathlib import Path

import flint
import numpy as np
import pandas
import pytest
import sympy
from programs import needs, output

from polygeom.dimensions.special import rank_at
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.network import parse
from polygeom.tables import read_table, write_table
from polygeom.tables.table import frame


@pytest.mark.parametrize(("text", "rank"), [("[5,7,1] r=3", 34), ("[5,8,1] r=3", 35), ("[5,14,1] r=4", 69)])
def test_a_copied_list(text: str, rank: int) -> None:
    generator = np.random.default_rng(0)
    weights = {n: generator.integers(1, 30, s) for n, s in parse(text).parameters.items()}
    assert rank_at(text, weights).rank == rank


def test_blank_cells(tmp_path: object) -> None:
    large = 2**53 + 1
    rows = [
        {"network": "[2,3,1] r=2", "ambient_dimension": large, "status": "ok"},
        {"network": "[2,2,1] r=2", "status": "timeout"},
    ]
    path = f"{tmp_path}/t.csv"
    write_table(frame(rows), path)
    assert read_table(path).ambient_dimension[0] == large
    assert int(pandas.read_csv(path).ambient_dimension[0]) != large
    typed = pandas.read_csv(io.StringIO(f"b\n{large}\n\n"), dtype={"b": "Int64"}, skip_blank_lines=False)
    assert typed.b[0] == large
    huge = pandas.read_csv(io.StringIO(f"b\n{10**30}\n\n"), skip_blank_lines=False).b[0]
    assert type(huge) is (int if int(pandas.__version__.split(".")[0]) >= 3 else str)


def test_names_that_are_prefixes() -> None:
    for text, system in (("[10,1,1] r=2", "tensor"), ("[12,1,1] r=1", "tensor"), ("[2,1,1] r=12", "plain")):
        names = Coordinates(text).names_in(system)
        assert not any(a != b and b.startswith(a) for a in names for b in names)


def test_one_polynomial_three_prints() -> None:
    x = sympy.symbols("x")
    printed = [sympy.Poly(x**2 - 2 * x, x, domain=field) for field in (sympy.GF(5), sympy.GF(5, symmetric=False))]
    assert len({str(p.as_expr()) for p in printed}) == 2
    assert {tuple(int(c) % 5 for c in p.all_coeffs()) for p in printed} == {(1, 3, 0)}
    assert [int(c) for c in flint.nmod_poly([0, -2, 1], 5)] == [0, 3, 1]


@pytest.mark.oracle
@needs("Singular", "Singular")
def test_one_polynomial_three_prints_by_singular() -> None:
    printed = output("Singular", ["-q"], "ring r=5,x,dp; x2-2x; 3x; ring s=32004,x,dp; 32003x+2x; quit;\n").split()
    assert printed[:2] == ["x2-2x", "-2x"]
    assert printed[-1] == "2x"  # it has taken 32003 for 32004, and says so


@pytest.mark.oracle
@pytest.mark.slow
@needs("M2", "Macaulay2")
@needs("gfan", "gfan, which MultigradedImplicitization calls,")
def test_peer_for_nine_quartics(tmp_path: Path) -> None:
    script = tmp_path / "quartics.m2"
    script.write_text("""
needsPackage "MultigradedImplicitization"
R = QQ[a_1..a_9,b_1..b_9]
S = R[x,y,z]
l = apply(3, i -> (a_(3*i+1)*x + a_(3*i+2)*y + a_(3*i+3)*z)^2)
f = apply(3, i -> b_(3*i+1)*l#0 + b_(3*i+2)*l#1 + b_(3*i+3)*l#2)
m = {x^2,x*y,x*z,y^2,y*z,z^2}
c = flatten apply(f, g -> apply(m, n -> lift(coefficient(n, g), R)))
F = map(R, QQ[t_1..t_18], c)
G = componentsOfKernel(4, F)
print(#flatten values G)
exit 0
""")
    assert output("M2", ["--script", str(script)]).split()[-1] == "9"


def test_targets_are_a_column() -> None:
    """The line of the table on the page of ideals: all pairs are compared where targets are no column."""
    torch = pytest.importorskip("torch", reason="the extra learn")
    outputs, targets = torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 2.0])
    with pytest.warns(UserWarning, match="target size"):
        assert torch.nn.functional.mse_loss(outputs, targets) == 0.5
    assert torch.nn.functional.mse_loss(outputs, targets[:, None]) == 0
