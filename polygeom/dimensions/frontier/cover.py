"""Geometry of a search over boxes of widths: what is not yet excluded, and whether two lists leave a gap.

A point is a tuple of positive integers, the hidden widths of an architecture. A *box* is a tuple ``b`` that stands for
all points ``≤ b``; coordinate ``s_k`` (the saturated width) in a box means "any width".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Point = tuple[int, ...]

BLOCK = 1 << 20
"""Pairs of points compared at a time."""


def below(a: Sequence[int], b: Sequence[int]) -> bool:
    """``a ≤ b`` in every coordinate."""
    return all(x <= y for x, y in zip(a, b, strict=True))


class Uncovered:
    """The minimal points that no box of a growing list covers.

    If the list covers everything but an upward closed set, these are the minimal elements of that set. Adding a box
    replaces each minimal point inside it by its neighbours just outside (Berge's algorithm for dual antichains). A box
    costs a comparison of all points with it, coordinate by coordinate, and little else: a point that could keep a
    neighbour from being minimal is above the box in one coordinate alone, by one.

    >>> cover = Uncovered((3, 5))
    >>> cover.add((1, 5)), cover.add((3, 2))
    ([(2, 1)], [(2, 3)])
    >>> sorted(cover.points)
    [(2, 3)]
    """

    def __init__(self, top: Sequence[int]) -> None:
        self.top = tuple(top)
        self.points: set[Point] = {(1,) * len(self.top)}
        self._kind: type = (
            np.int16 if max(self.top, default=1) < 2**15 else np.int64
        )  # short columns are compared sooner
        self._columns = np.ones((len(self.top), 1), self._kind)
        """The points as columns of an array, in any order; those from ``_count`` on are room for more."""
        self._count = 1

    def add(self, box: Point) -> list[Point]:
        """Cover all points ``≤ box``; the points that are minimal now and were not before."""
        above = np.zeros(self._count, np.int8)
        for line, edge in zip(self._columns, box, strict=True):
            above += line[: self._count] > edge
        beside = self._columns[:, np.flatnonzero(above == 1)].T
        inside = self._taken(np.flatnonzero(above == 0))
        self.points.difference_update(map(tuple, inside.tolist()))
        found = [
            _stepped_out(inside, beside, k, edge + 1) for k, edge in enumerate(box) if edge < self.top[k]
        ]  # points moved in different coordinates are never comparable
        fresh = np.concatenate([np.zeros((0, len(self.top)), self._kind), *found])
        self._store(fresh)
        new: list[Point] = list(map(tuple, fresh.tolist()))
        self.points.update(new)
        return new

    def _taken(self, places: np.ndarray) -> np.ndarray:
        """Take points out, as rows; the last points move to the free places."""
        rows: np.ndarray = self._columns[:, places].T
        left = self._count - len(places)
        holes, last = places[places < left], np.setdiff1d(np.arange(left, self._count), places, assume_unique=True)
        self._columns[:, holes] = self._columns[:, last]
        self._count = left
        return rows

    def _store(self, fresh: np.ndarray) -> None:
        count = self._count + len(fresh)
        if count > self._columns.shape[1]:
            room: np.ndarray = np.empty((len(self.top), 2 * count), self._kind)
            room[:, : self._count] = self._columns[:, : self._count]
            self._columns = room
        self._columns[:, self._count : count] = fresh.T
        self._count = count


def _stepped_out(inside: np.ndarray, beside: np.ndarray, k: int, value: int) -> np.ndarray:
    """The points of ``inside`` moved to ``value`` in coordinate ``k``, as far as they are minimal.

    A point below a moved one and not below the original has exactly this value there, and is in the box otherwise.
    """
    moved = inside.copy()
    moved[:, k] = value
    if len(moved) > 1:
        whole = moved.view(np.dtype((np.void, moved.dtype.itemsize * moved.shape[1]))).ravel()
        moved = moved[np.unique(whole, return_index=True)[1]]
    rivals = np.concatenate([beside[beside[:, k] == value], moved]).T.copy()
    step = max(1, BLOCK // max(1, rivals.shape[1]))
    counts = [_below_each(rivals, moved[start : start + step]) for start in range(0, len(moved), step)]
    chosen: np.ndarray = moved[np.concatenate([np.zeros(0, int), *counts]) == 1]  # the point itself
    return chosen


def _below_each(rivals: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How many of the rivals, columns ``(coordinates, N)``, are ``≤`` each point, a row."""
    found = np.ones((len(points), rivals.shape[1]), bool)
    for line, edges in zip(rivals, points.T, strict=True):
        found &= line <= edges[:, None]
    counts: np.ndarray = found.sum(axis=1)
    return counts
