"""Dimensions by published formulas, for whole ranges of sizes: every case is a rank that meets a proved bound."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

import polygeom
from polygeom.network import Network
from polygeom.network.layers.convolutions.group import is_group
from polygeom.network.models import group_convolutional, group_table

Table = Sequence[Sequence[int]]


def product(a: Table, b: Table) -> Table:
    """The direct product of two groups."""
    m = len(b)
    size = range(len(a) * m)
    return [[a[i // m][j // m] * m + b[i % m][j % m] for j in size] for i in size]


def quaternions() -> Table:
    """The group of ±1, ±i, ±j, ±k."""
    units = {("i", "j"): "k", ("j", "k"): "i", ("k", "i"): "j"}

    def times(a: str, b: str) -> tuple[int, str]:
        if "1" in (a, b):
            return 1, a if b == "1" else b
        if a == b:
            return -1, "1"
        return (1, units[a, b]) if (a, b) in units else (-1, units[b, a])

    elements = [(sign, unit) for sign in (1, -1) for unit in "1ijk"]
    return [[elements.index((s * t * times(a, b)[0], times(a, b)[1])) for t, b in elements] for s, a in elements]


C2, C4 = group_table("C2"), group_table("C4")
GROUPS: dict[str, tuple[Table, bool]] = {
    **{f"C{n}": (group_table(f"C{n}"), True) for n in range(1, 9)},
    "C2 x C2": (product(C2, C2), True),
    "S3": (group_table("S3"), False),
    "C4 x C2": (product(C4, C2), True),
    "C2 x C2 x C2": (product(product(C2, C2), C2), True),
    "D4": (group_table("D4"), False),
    "Q8": (quaternions(), False),
}
"""All fourteen groups of at most eight elements, and which are commutative."""


def test_the_groups_are_groups_and_all_different() -> None:
    kinds = set()
    for table, commutative in GROUPS.values():
        n = len(table)
        assert is_group(table)
        assert all(table[i][j] == table[j][i] for i in range(n) for j in range(n)) == commutative
        orders = []
        for g in range(n):
            power, order = g, 1
            while power:
                power, order = table[power][g], order + 1
            orders.append(order)
        kinds.add((commutative, tuple(sorted(orders))))
    assert len(kinds) == len(GROUPS) == 14


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize(("layers", "degree"), [(2, 2), (3, 2), (2, 3)])
def test_group_convolutions(name: str, layers: int, degree: int) -> None:
    """arXiv 2603.29566: L (|G| - 1) + 1 for every group."""
    table, _ = GROUPS[name]
    result = polygeom.dimension(Network(group_convolutional(table, layers=layers, degree=degree)))
    assert (result.dimension, result.proved) == (layers * (len(table) - 1) + 1, True)


@pytest.mark.parametrize("layers", [2, 3])
@pytest.mark.parametrize(("features", "rank"), [(2, 1), (2, 2), (3, 1), (3, 2), (3, 3)])
def test_deep_lightning_attention(layers: int, features: int, rank: int) -> None:
    """arXiv 2408.17221: l a (2 d - a) + d^2 - l."""
    text = f"lightning_attention(tokens=2,features={features},rank={rank},outputs={features},layers={layers})"
    result = polygeom.dimension(text)
    expected = layers * rank * (2 * features - rank) + features**2 - layers
    assert (result.dimension, result.proved) == (expected, True)


@pytest.mark.parametrize("inputs", [2, 3])
@pytest.mark.parametrize("hidden", [2, 3, 4])
@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_shallow_rational_networks(inputs: int, hidden: int, outputs: int) -> None:
    """d1 d0 + d1 m - d1 + 1: all weights but one scaling for each of the hidden neurons, and the common one left."""
    result = polygeom.dimension(f"rational_mlp([{inputs},{hidden},{outputs}])")
    expected = hidden * inputs + hidden * outputs - hidden + 1
    assert (result.dimension, result.proved) == (expected, True)


@pytest.mark.parametrize(
    ("kernels", "degree"), [("[2,2]", 2), ("[3,2]", 2), ("[2,3]", 3), ("[2,2,2]", 2)]
)  # fmt: skip
def test_convolutions_of_images(kernels: str, degree: int) -> None:
    """arXiv 2410.00722, for kernels in the plane: the sum of their sizes minus a scaling for each activation."""
    sizes = [int(k) for k in kernels.strip("[]").split(",")]
    side = sum(sizes) - len(sizes) + 1
    channels = ",".join("1" for _ in sizes)
    text = f"convolutional2d({side},{side},kernels={kernels},channels=[{channels}],degrees={degree})"
    result = polygeom.dimension(text)
    assert (result.dimension, result.proved) == (sum(k * k for k in sizes) - len(sizes) + 1, True)
