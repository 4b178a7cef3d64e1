"""What the checker of frontiers says of one architecture: whether it fills, its predecessors, the order of the list."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from polygeom.dimensions.proofs.frontier_check import _Claims
from polygeom.dimensions.proofs.limits import Budget


@pytest.mark.parametrize(("width", "fills"), [(1, False), (2, False), (3, True), (4, True)])
def test_quadratic_forms_in_three_variables_need_three_squares(width: int, fills: bool) -> None:
    """One square has too few weights, two have enough and do not fill."""
    claims: Any = SimpleNamespace(data=SimpleNamespace(inputs=3, outputs=1), degrees=(2,), ambient=6, budget=Budget())
    assert _Claims.fills(claims, (width,), 0) is fills


def test_architectures_are_written_out_and_in_order() -> None:
    def increasing(widths: list[list[int | None]], points: list[tuple[int, ...]]) -> bool:
        listed: Any = SimpleNamespace(architectures=[SimpleNamespace(widths=one) for one in widths])
        claims: Any = SimpleNamespace(data=listed, filling=points)
        return _Claims.increasing(claims)

    assert increasing([[3, 2, 1], [3, 3, 1]], [(2,), (3,)])
    assert increasing([], [])
    assert not increasing([[3, 3, 1], [3, 2, 1]], [(3,), (2,)])
    assert not increasing([[3, 3, 1], [3, 3, 1]], [(3,), (3,)])
    assert not increasing([[3, 2, 1], [3, None, 1]], [(2,), (3,)])


@pytest.mark.parametrize(
    ("point", "numbers", "proved", "holds"),
    [
        ((1,), [None], True, True),
        ((1,), [0], True, False),
        ((2,), [None], True, False),
        ((2,), [0], True, True),
        ((2,), [0], False, False),
        ((2,), [1], False, True),
        ((2,), [1], True, False),
        ((2,), [2], True, False),
        ((4,), [0], True, False),
        ((2,), [0, 0], True, False),
        ((2,), [], True, False),
        ((2, 2), [1, 0], False, True),
        ((2, 2), [1, 0], True, False),
        ((2, 2), [0, 1], True, False),
        ((2, 2), [0, 0], True, True),
        ((1, 2), [None, 0], True, True),
        ((1, 2), [None, 1], True, False),
    ],
)
def test_predecessors_lie_in_their_boxes(
    point: tuple[int, ...], numbers: list[int | None], proved: bool, holds: bool
) -> None:
    """In box 0, which has a bound, or in box 1, which has none; below width 1 there is nothing."""
    boxes = [(2,) * len(point), (2,) * len(point)]
    listed: Any = SimpleNamespace(
        architectures=[SimpleNamespace(predecessors=numbers, proved=proved)],
        excluded=[SimpleNamespace(bound="given"), SimpleNamespace(bound=None)],
    )
    claims: Any = SimpleNamespace(data=listed, filling=[point], boxes=boxes, budget=Budget())
    assert _Claims.predecessors_hold(claims, 0) is holds
