"""What decides one architecture of a frontier search: a bound that excludes it and a box around it, or its rank.

A decision depends on the question and the architecture alone, so that it can be made by any process, before its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from polygeom.dimensions.bounds.bound import Bound
from polygeom.dimensions.bounds.search import upper_bound
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.counts import Degrees, ambient_dimension, saturated_widths, without_surplus
from polygeom.dimensions.frontier.cover import Point
from polygeom.dimensions.survey.batch import tables
from polygeom.dimensions.survey.bounds import BoundTable
from polygeom.network import mlp

ALGORITHM = 1


class Decider:
    """Decides architectures of one question.

    Parameters
    ----------
    inputs, outputs, degrees:
        The question.
    options:
        ``error``, ``rng``, ``memory`` as for `polygeom.dimensions.dimension`.
    """

    def __init__(self, inputs: int, outputs: int, degrees: Degrees, options: Mapping[str, Any]) -> None:
        self.inputs, self.outputs, self.degrees = inputs, outputs, degrees
        self.options = dict(options)
        self.ambient = ambient_dimension((inputs, outputs), degrees)
        self.top = saturated_widths(inputs, degrees)
        self.ranks = self.bounds = 0
        uniform = len(set(degrees)) == 1 and degrees[0] >= 2
        self._tables = tables() if uniform else None

    def decide(self, point: Point) -> dict[str, Any]:
        """The fact that is learnt of an architecture: that it fills, or a box around it that is excluded."""
        if self.excludes(point):
            return {"excluded": list(self._enlarged(point, self.excludes)), "proved": True}
        if self._rank_fills(point):
            return {"filling": list(point)}
        box = self._enlarged(point, lambda p: self.excludes(p) or not self._rank_fills(p))
        if self.excludes(box):
            return {"excluded": list(box), "proved": True}
        return {"excluded": list(box), "proved": False, "error": self._error_bound(box)}

    def excludes(self, point: Point) -> bool:
        """Whether a bound is below the ambient dimension."""
        self.bounds += 1
        if self._tables is None:
            return self._searched(point).value < self.ambient
        return any(0 <= self._value(table, point) < self.ambient for table in self._tables)

    def bound(self, point: Point) -> Bound:
        """A quick bound where that excludes the point, else the best one."""
        if self._tables is None:
            return self._searched(point)
        for table in self._tables:
            if 0 <= self._value(table, point) < self.ambient:
                return table.tree((self.inputs, *point, self.outputs), self.degrees[0])
        return self._searched(point)

    def _value(self, table: BoundTable, point: Point) -> int:
        table.trim()
        widths = np.array([(self.inputs, *point, self.outputs)])
        return int(table.find(widths, self.degrees[0])[0, 0]) if widths.shape[1] <= 14 else -1

    def _searched(self, point: Point) -> Bound:
        widths = (self.inputs, *point, self.outputs)
        quick = upper_bound(widths, self.degrees, thorough=False)
        return quick if quick.value < self.ambient else upper_bound(widths, self.degrees)

    def _enlarged(self, point: Point, excluded: Callable[[Point], bool]) -> Point:
        """Raise one coordinate after the other as far as the architecture stays excluded."""
        box = list(point)
        for k, most in enumerate(self.top):

            def at(value: int, k: int = k) -> bool:
                return excluded((*box[:k], value, *box[k + 1 :]))

            box[k] = most if box[k] < most and at(most) else _largest(box[k], most, at)
        return tuple(box)

    def _widths(self, point: Point) -> tuple[int, ...]:
        return without_surplus((self.inputs, *point, self.outputs), self.degrees)

    def _rank_fills(self, point: Point) -> bool:
        self.ranks += 1
        return dimension(mlp(self._widths(point), self.degrees), **self.options).filling

    def _error_bound(self, point: Point) -> float:
        return dimension(mlp(self._widths(point), self.degrees), **self.options).error_bound


def _largest(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The largest ``value < high`` with ``holds(value)``, given ``holds(low)``: by doubling steps, then by halving."""
    step = 1
    while low + step < high and holds(low + step):
        low += step
        step *= 2
    high = min(high, low + step)
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


@lru_cache(maxsize=4)
def _decider(inputs: int, outputs: int, degrees: Degrees, options: tuple[tuple[str, Any], ...]) -> Decider:
    return Decider(inputs, outputs, degrees, dict(options))


def run(task: dict[str, Any]) -> dict[str, Any]:
    """The decisions of ``{"points", "inputs", "outputs", "degrees", "options"}`` as a task.

    The answer has ``"facts"``, and how many ``"ranks"`` and ``"bounds"`` each took.
    """
    asked = task["argument"]
    options = tuple(sorted(asked["options"].items()))
    decider = _decider(asked["inputs"], asked["outputs"], tuple(asked["degrees"]), options)
    facts = []
    for point in asked["points"]:
        ranks, bounds = decider.ranks, decider.bounds
        fact = decider.decide(tuple(point))
        facts.append({"fact": fact, "ranks": decider.ranks - ranks, "bounds": decider.bounds - bounds})
    return {"facts": facts}
