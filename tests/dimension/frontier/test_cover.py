"""Boxes and what they leave out, against plain enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from polygeom.dimensions.frontier.cover import Point, Uncovered, below
from polygeom.dimensions.proofs.frontier_check import find_gap


def points(top: Point) -> list[Point]:
    return list(itertools.product(*(range(1, t + 1) for t in top)))


def minimal(some: list[Point]) -> set[Point]:
    return {p for p in some if not any(q != p and below(q, p) for q in some)}


def random_boxes(rng: np.random.Generator, top: Point, count: int) -> list[Point]:
    return [tuple(int(rng.integers(1, t + 1)) for t in top) for _ in range(count)]


@pytest.mark.parametrize("top", [(4,), (5, 4), (3, 4, 5), (2, 3, 3, 3)])
@pytest.mark.parametrize("count", [0, 1, 3, 8])
def test_uncovered_points_are_the_minimal_ones_outside_all_boxes(
    top: Point, count: int, rng: np.random.Generator, multiplier: int
) -> None:
    for _ in range(10 * multiplier):
        boxes = random_boxes(rng, top, count)
        cover = Uncovered(top)
        for box in boxes:
            cover.add(box)
        assert cover.points == minimal([p for p in points(top) if not any(below(p, b) for b in boxes)])


def test_wide_boxes_and_small_blocks_leave_the_same_points(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    top, far = (3, 4, 5), 10_000  # widths beyond 2^15: one that is not 1 stands for `far` of them
    boxes = random_boxes(rng, top, 8)
    near, wide = Uncovered(top), Uncovered(tuple(far * t for t in top))
    monkeypatch.setattr("polygeom.dimensions.frontier.cover.BLOCK", 4)
    for box in boxes:
        near.add(box)
        wide.add(tuple(far * b for b in box))
    assert wide.points == {tuple(far * (w - 1) + 1 for w in p) for p in near.points}
    assert near.points == minimal([p for p in points(top) if not any(below(p, b) for b in boxes)])


@pytest.mark.parametrize("top", [(4,), (5, 4), (3, 4, 5), (2, 3, 3, 3)])
def test_a_gap_is_found_exactly_when_there_is_one(top: Point, rng: np.random.Generator, multiplier: int) -> None:
    seen = set()
    for _ in range(60 * multiplier):
        boxes = random_boxes(rng, top, int(rng.integers(0, 5)))
        cover = Uncovered(top)
        for box in boxes:
            cover.add(box)
        filling = [p for p in sorted(cover.points) if rng.random() < 0.8]
        left = [p for p in points(top) if not any(below(f, p) for f in filling) and not any(below(p, b) for b in boxes)]
        gap = find_gap(top, filling, boxes)
        assert (gap in left) if left else gap is None
        seen.add(bool(left))
    assert seen == {True, False}


def test_one_box_over_everything_leaves_nothing() -> None:
    cover = Uncovered((3, 3))
    cover.add((3, 3))
    assert cover.points == set()
    assert find_gap((3, 3), [], [(3, 3)]) is None
    assert find_gap((3, 3), [], []) == (3, 3)
