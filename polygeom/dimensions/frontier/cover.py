"""Geometry of a search over boxes of widths: what is not yet excluded, and whether two lists leave a gap.

A point is a tuple of positive integers, the hidden widths of an architecture. A *box* is a tuple ``b`` that stands for
all points ``≤ b``; coordinate ``s_k`` (the saturated width) in a box means "any width".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Point = tuple[int, ...]


def below(a: Sequence[int], b: Sequence[int]) -> bool:
    """``a ≤ b`` in every coordinate."""
    return all(x <= y for x, y in zip(a, b, strict=True))


class Uncovered:
    """The minimal points that no box of a growing list covers.

    If the list covers everything but an upward closed set, these are the minimal elements of that set. Adding a box
    replaces each minimal point inside it by its neighbours just outside (Berge's algorithm for dual antichains).

    >>> cover = Uncovered((3, 5))
    >>> cover.add((1, 5)); cover.add((3, 2))
    >>> sorted(cover.points)
    [(2, 3)]
    """

    def __init__(self, top: Sequence[int]) -> None:
        self.top = tuple(top)
        self.points: set[Point] = {(1,) * len(self.top)}

    def add(self, box: Point) -> None:
        """Cover all points ``≤ box``."""
        inside = [p for p in self.points if below(p, box)]
        self.points.difference_update(inside)
        for k, edge in enumerate(box):
            if edge < self.top[k]:
                self._step_out(inside, k, edge + 1)

    def _step_out(self, inside: Iterable[Point], k: int, value: int) -> None:
        """Add the points of ``inside`` moved to ``value`` in coordinate ``k``, as far as they are minimal.

        A point below a moved one and not below the original has exactly this value there; two points moved in
        different coordinates are never comparable.
        """
        moved = {(*p[:k], value, *p[k + 1 :]) for p in inside}
        rivals = [p for p in self.points if p[k] == value] + list(moved)
        self.points.update(q for q in moved if not any(p != q and below(p, q) for p in rivals))
