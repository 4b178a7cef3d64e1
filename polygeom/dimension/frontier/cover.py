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


def find_gap(top: Sequence[int], filling: Sequence[Point], boxes: Sequence[Point]) -> Point | None:
    """A point of ``1 ≤ x ≤ top`` neither ``≥`` an element of ``filling`` nor ``≤`` a box; None if there is none.

    This is the independent check of `Uncovered`: coordinate by coordinate, with the lists restricted to what is still
    possible. Only the smallest value of each stretch on which these restrictions are constant is tried.

    >>> find_gap((3, 5), [(2, 3)], [(1, 5), (3, 2)]), find_gap((3, 5), [(2, 3)], [(1, 4), (3, 2)])
    (None, (1, 5))
    """
    depth = len(top)
    closed: set[tuple[int, frozenset[Point], frozenset[Point]]] = set()

    def search(k: int, above: frozenset[Point], under: frozenset[Point]) -> Point | None:
        if any(all(x == 1 for x in f) for f in above) or any(b == tuple(top[k:]) for b in under):
            return None
        if k == depth:
            return ()
        if (k, above, under) in closed:
            return None
        steps = {1, *(f[0] for f in above), *(b[0] + 1 for b in under if b[0] < top[k])}
        for value in sorted(steps):
            lower = _extreme({f[1:] for f in above if f[0] <= value}, lowest=True)
            upper = _extreme({b[1:] for b in under if b[0] >= value}, lowest=False)
            rest = search(k + 1, lower, upper)
            if rest is not None:
                return (value, *rest)
        closed.add((k, above, under))
        return None

    return search(0, _extreme(set(filling), lowest=True), _extreme(set(boxes), lowest=False))


def _extreme(points: set[Point], *, lowest: bool) -> frozenset[Point]:
    """The minimal points of a set, or the maximal ones."""
    kept: list[Point] = []
    for p in sorted(points, key=sum, reverse=not lowest):
        if not any(below(q, p) if lowest else below(p, q) for q in kept):
            kept.append(p)
    return frozenset(kept)
