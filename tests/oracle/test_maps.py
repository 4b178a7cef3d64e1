"""Equations of maps are those that Macaulay2 and Singular find: equal ideals over Q."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from programs import program

import polygeom
from polygeom import maps
from polygeom.network import Network

SINGULAR, MACAULAY2 = program("Singular"), program("M2")

pytestmark = pytest.mark.oracle

MAPS: dict[str, tuple[Network, int]] = {
    "toric": (maps.toric([[1, 1, 1, 1, 1], [0, 1, 2, 3, 5]]), 4),
    "toric, Lawrence lifting": (maps.toric([[1, 1, 1, 0, 0, 0], [0, 1, 2, 0, 0, 0], [1, 0, 0, 1, 0, 0],
                                            [0, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]]), 4),
    "Grassmannian (2,5)": (maps.grassmannian(2, 5), 2),
    "Grassmannian (2,6)": (maps.grassmannian(2, 6), 2),
    "Grassmannian (3,6)": (maps.grassmannian(3, 6), 2),
    "scroll": (maps.rational_normal_scroll(1, 3), 2),
    "phylogenetic tree": (maps.tree_model([(0, 1), (0, 2), (0, 5), (5, 3), (5, 4)]), 2),
    "rational cubic": (maps.from_text("1/a, 1/b, 1/c, -1/(a+b+c)"), 3),
    "Whitney umbrella": (maps.from_text("u*v, u, v^2"), 3),
    "quartic": (maps.from_text("s^4, s^3*t, s*t^3, t^4"), 3),
}  # fmt: skip
LARGE = "Grassmannian (3,6)"
CASES = [pytest.param(name, marks=pytest.mark.slow) if name == LARGE else name for name in MAPS]


def graph(network: Network) -> tuple[int, int, list[str], str]:
    """Parameters, coordinates, generators of the graph's ideal in ``w…`` and ``c…``, and what to saturate by."""
    formula = network.nodes[1].layer
    renamed = {name: f"w{k}" for k, name in enumerate(formula.weights)}  # type: ignore[attr-defined]

    def text(part: str) -> str:
        return re.sub(r"[A-Za-z_]\w*", lambda m: renamed[m[0]], part)

    generators, bottoms = [], []
    for k, coordinate in enumerate(formula.coordinates):  # type: ignore[attr-defined]
        top, slash, bottom = coordinate.partition("/(")
        generators.append(f"c{k}*({text(bottom[:-1]) if slash else '1'})-({text(top)})")
        bottoms.append(f"({text(bottom[:-1])})" if slash else "1")
    return len(renamed), len(generators), generators, "*".join(dict.fromkeys(bottoms))


def ours(network: Network, top: int) -> str:
    variety = polygeom.Neurovariety(network)
    names = {name: f"c{k}" for k, name in enumerate(variety.coordinates.names)}
    texts = [str(g) for g in variety.equations(top)]
    return ",".join(re.sub(r"[A-Za-z_]\w*", lambda m: names[m[0]], t).replace("**", "^") for t in texts) or "0"


@pytest.mark.skipif(SINGULAR is None, reason="Singular is not installed")
@pytest.mark.parametrize("name", CASES)
def test_singular_finds_the_same_ideal(name: str) -> None:
    network, top = MAPS[name]
    parameters, coordinates, generators, bottom = graph(network)
    names = [*(f"w{k}" for k in range(parameters)), "z"]
    lines = [
        f"ring r = 0,({','.join(names)},{','.join(f'c{k}' for k in range(coordinates))}),dp;",
        f"ideal g = {','.join(generators)},1-z*({bottom});",
        f"ideal e = std(eliminate(g, {'*'.join(names)}));",
        f"ideal o = {ours(network, top)};",
        "ideal s = std(o); print(size(reduce(e,s))); print(size(reduce(o,e))); quit;",
    ]
    assert SINGULAR is not None
    done = subprocess.run([str(SINGULAR), "-q"], input="\n".join(lines), capture_output=True, text=True, timeout=100)
    assert done.stdout.split() == ["0", "0"], done.stdout + done.stderr


@pytest.mark.thorough
@pytest.mark.skipif(MACAULAY2 is None, reason="Macaulay2 is not installed")
@pytest.mark.parametrize("name", [case for case in CASES if case != "rational cubic"])
def test_macaulay2_finds_the_same_ideal(name: str, tmp_path: Path) -> None:
    network, top = MAPS[name]
    parameters, coordinates, generators, _ = graph(network)
    images = [re.sub(r"^c\d+\*\(1\)-", "", g) for g in generators]
    script = tmp_path / "kernel.m2"
    script.write_text(
        f"S = QQ[{','.join(f'w{k}' for k in range(parameters))}]\n"
        f"R = QQ[{','.join(f'c{k}' for k in range(coordinates))}]\n"
        f"I = kernel map(S, R, {{{','.join(images)}}})\nO = ideal({ours(network, top)})\nprint(I == O)\n",
        encoding="ascii",
    )
    done = subprocess.run([str(MACAULAY2), "--script", str(script)], capture_output=True, text=True, timeout=100)
    assert done.stdout.split() == ["true"], done.stdout + done.stderr
