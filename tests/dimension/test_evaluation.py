"""Ranks of evaluation: theorems on their shape, floats as a second opinion, and bottlenecks where counting fails."""

from __future__ import annotations

import numpy as np
import pytest

import polygeom
from polygeom.dimensions.evaluation import evaluation_ranks
from polygeom.errors import PolygeomError
from polygeom.network import Network
from polygeom.testing.zoo import ZOO

TRAINABLE = [network for network in ZOO if network.parameter_count]


@pytest.mark.parametrize("network", TRAINABLE, ids=str)
def test_shape_of_the_ranks(network: Network) -> None:
    found = evaluation_ranks(network)
    steps = np.diff(found.ranks)
    assert found.ranks[0] == 0
    assert found.ranks[-1] == found.dimension == polygeom.dimension(network).dimension
    assert (steps > 0).all()
    assert (np.diff(steps) <= 0).all()
    assert (steps <= found.outputs).all()
    assert found.capacity <= found.dimension / found.outputs <= found.determining
    if found.outputs == 1:
        assert found.capacity == found.determining == found.dimension


@pytest.mark.parametrize(
    ("text", "ranks", "capacity", "determining"),
    [
        ("[2,2,3] r=2", (0, 3, 6, 8), 2, 3),
        # 3 × 3 matrices of rank at most 2: columns of rank 2 at any three points
        ("[3,2,3] r=1", (0, 3, 6, 8), 2, 3),
        # all three outputs are multiples of one form: a vector, then one number for each further point
        ("[5,1,3] r=2", (0, 3, 4, 5, 6, 7), 1, 5),
        ("[5,2,4] r=2", (0, 4, 8, 10, 12, 14, 16), 2, 6),
        ("lightning_attention(tokens=2,features=3,rank=1,outputs=3)", (0, 4, 8, 11, 13), 0, 4),
    ],
)
def test_bottlenecks(text: str, ranks: tuple[int, ...], capacity: int, determining: int) -> None:
    found = evaluation_ranks(text)
    assert (found.ranks, found.capacity, found.determining) == (ranks, capacity, determining)


def test_fewer_points_on_request() -> None:
    found = evaluation_ranks("[4,3,1] r=2", points=4)
    assert (found.ranks, found.capacity) == ((0, 1, 2, 3, 4), 4)
    with pytest.raises(PolygeomError, match="determining: 4 points are too few; leave out points"):
        _ = found.determining
    assert evaluation_ranks("[4,3,1] r=2", points=0).capacity == 0
    with pytest.raises(PolygeomError, match="points must be at least 0, got -1"):
        evaluation_ranks("[4,3,1] r=2", points=-1)


def test_floats_see_the_same_ranks() -> None:
    pytest.importorskip("torch")
    from polygeom.learning.thresholds.ranks import kernel_rank

    for text in ("[2,2,3] r=2", "[5,2,4] r=2", "[3,3,3] r=2", "ccp(3,rank=2,degree=2,outputs=2)"):
        found = evaluation_ranks(text)
        floats = [kernel_rank(text, points=n).rank for n in range(1, len(found.ranks))]
        assert (0, *floats) == found.ranks
