"""Geometry of a search over boxes of widths: what is not yet excluded, and whether two lists leave a gap.

A point is a tuple of positive integers, the hidden widths of an architecture. A *box* is a tuple ``b`` that stands for
all points ``≤ b``; coordinate ``s_k`` (the saturated width) in a box means "any width".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Point = tuple[int, ...]


def below(a: Sequence[int], b: Sequence[int]) -> bool:
    """``a ≤ b`` in every coordinate."""
    return all(x <= y for x, y in zip(a, b, strict=True))


def _inside(columns: np.ndarray, box: Sequence[int] | np.ndarray) -> np.ndarray:
    """Which of the points, columns ``(coordinates, N)``, are ``≤ box``: coordinate by coordinate, which is quicker."""
    found: np.ndarray = columns[0] <= box[0]
    for line, edge in zip(columns[1:], box[1:], strict=True):
        found &= line <= edge
    return found


class Uncovered:
    """The minimal points that no box of a growing list covers.

    If the list covers everything but an upward closed set, these are the minimal elements of that set. Adding a box
    replaces each minimal point inside it by its neighbours just outside (Berge's algorithm for dual antichains). A box
    costs comparisons of all points with it, and of the new points with those that have a coordinate in common.

    >>> cover = Uncovered((3, 5))
    >>> cover.add((1, 5)), cover.add((3, 2))
    ([(2, 1)], [(2, 3)])
    >>> sorted(cover.points)
    [(2, 3)]
    """

    def __init__(self, top: Sequence[int]) -> None:
        self.top = tuple(top)
        self.points: set[Point] = {(1,) * len(self.top)}
        self._columns = np.ones((len(self.top), 1), np.int32)
        """The points as columns of an array, in any order; those from ``_count`` on are room for more."""
        self._count = 1

    def add(self, box: Point) -> list[Point]:
        """Cover all points ``≤ box``; the points that are minimal now and were not before."""
        inside = self._taken(np.flatnonzero(_inside(self._columns[:, : self._count], box)))
        self.points.difference_update(map(tuple, inside.tolist()))
        found = [
            self._stepped_out(inside, k, edge + 1) for k, edge in enumerate(box) if edge < self.top[k]
        ]  # points moved in different coordinates are never comparable
        fresh = np.concatenate([np.zeros((0, len(self.top)), np.int32), *found])
        self._store(fresh)
        new: list[Point] = list(map(tuple, fresh.tolist()))
        self.points.update(new)
        return new

    def _stepped_out(self, inside: np.ndarray, k: int, value: int) -> np.ndarray:
        """The points of ``inside`` moved to ``value`` in coordinate ``k``, as far as they are minimal.

        A point below a moved one and not below the original has exactly this value there.
        """
        moved = inside.copy()
        moved[:, k] = value
        moved = np.unique(moved, axis=0) if len(moved) > 1 else moved
        rivals = self._columns[:, np.flatnonzero(self._columns[k, : self._count] == value)]
        rivals = np.concatenate([rivals, moved.T], axis=1)
        minimal = [int(_inside(rivals, point).sum()) == 1 for point in moved]  # the point itself
        chosen: np.ndarray = moved[np.array(minimal, bool)]
        return chosen

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
            room = np.empty((len(self.top), 2 * count), np.int32)
            room[:, : self._count] = self._columns[:, : self._count]
            self._columns = room
        self._columns[:, self._count : count] = fresh.T
        self._count = count
