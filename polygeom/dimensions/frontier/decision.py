"""What decides one architecture of a frontier search: a bound that excludes it and a box around it, or its rank.

A decision depends on the question and the architecture alone. Ranks take most of the time of a long search, and any
process can compute them: `run` is that as a task.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom.dimensions.bounds.bound import Bound
from polygeom.dimensions.bounds.search import upper_bound
from polygeom.dimensions.compute import COSTLY, dimension, operations, perceptron_trial
from polygeom.dimensions.counts import (
    Degrees,
    ambient_dimension,
    saturated_widths,
    without_idle_layers,
    without_surplus,
)
from polygeom.dimensions.frontier.cover import Point
from polygeom.dimensions.ranks.witness import STRUCTURED
from polygeom.modular import load_compiled
from polygeom.network import mlp

if TYPE_CHECKING:
    from polygeom.dimensions.survey.bounds import BoundTable

ALGORITHM = 2

MANY = 500_000
"""Architectures with hidden widths up to the saturated ones from which on compiled bounds are loaded: most of a second.
Smaller questions need some tens to hundreds of bounds, which the plain search finds sooner."""


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
        self._seed, self._memory = options.get("rng", 0), options.get("memory")
        self.ambient = ambient_dimension((inputs, outputs), degrees)
        self.top = saturated_widths(inputs, degrees)
        self.ranks = self.bounds = 0
        self._tables = _tables(degrees, self.top)

    def decide(self, point: Point) -> dict[str, Any]:
        """The fact that is learnt of an architecture: that it fills, or a box around it that is excluded."""
        if self.excludes(point):
            return self.excluded(point)
        return {"filling": list(point)} if self.fills(point) else self.probably_excluded(point)

    def excluded(self, point: Point) -> dict[str, Any]:
        """A box around an architecture that a bound excludes."""
        return {"excluded": list(self._enlarged(point, self.excludes)), "proved": True}

    def probably_excluded(self, point: Point) -> dict[str, Any]:
        """A box around an architecture whose rank is too small."""
        box = self._enlarged(point, lambda p: self.excludes(p) or not self.fills(p))
        if self.excludes(box):
            return {"excluded": list(box), "proved": True}
        return {"excluded": list(box), "proved": False, "error": self._error_bound(box)}

    def excludes(self, point: Point) -> bool:
        """Whether a bound is below the ambient dimension."""
        self.bounds += 1
        if self._tables is None:
            return self._searched(point).value < self.ambient
        return 0 <= self._value(self._tables[1], point) < self.ambient  # never above the value of the quick table

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
        return int(table.find(widths, self.degrees[0], rough=True)[0, 0]) if widths.shape[1] <= 14 else -1

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

    def fills(self, point: Point) -> bool:
        """Whether a rank is the ambient dimension: that of the first trial, where no bound excludes the point."""
        self.ranks += 1
        widths, degrees = without_idle_layers(self._widths(point), self.degrees)
        if degrees and operations(widths) < COSTLY:
            trial = perceptron_trial(widths, degrees, 0, STRUCTURED, self._seed, self.ambient, self._memory)
            if trial.rank.value == self.ambient:
                return True
        return dimension(mlp(self._widths(point), self.degrees), **self.options).filling

    def _error_bound(self, point: Point) -> float:
        return dimension(mlp(self._widths(point), self.degrees), **self.options).error_bound


def _tables(degrees: Degrees, top: Point) -> tuple[BoundTable, BoundTable] | None:
    """The compiled tables of quick and of thorough bounds, where they know the question and are worth loading."""
    if len(set(degrees)) != 1 or degrees[0] < 2 or math.prod(top) < MANY:
        return None
    from polygeom.dimensions.survey.batch import tables

    return tables()


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


def prepare() -> None:
    """Load the compiled kernels, before the time of a task begins."""
    load_compiled()


def run(task: dict[str, Any]) -> dict[str, Any]:
    """Which of ``{"points", "inputs", "outputs", "degrees", "options"}`` have the ambient dimension as rank, as a task.

    The answer has ``"fills"`` and the number of ``"ranks"`` that it took.
    """
    asked = task["argument"]
    decider = Decider(asked["inputs"], asked["outputs"], tuple(asked["degrees"]), asked["options"])
    return {"fills": [decider.fills(tuple(point)) for point in asked["points"]], "ranks": decider.ranks}
