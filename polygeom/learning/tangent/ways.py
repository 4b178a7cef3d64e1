"""The way to derivatives of a module: layer by layer where recorded uses explain them, point by point elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.checks import choice
from polygeom.errors import PolygeomError
from polygeom.learning.tangent.functional import WeightFunction
from polygeom.learning.tangent.layers.layerwise import Plan, Watch, layerwise
from polygeom.learning.tangent.layers.pieces import Features
from polygeom.learning.tangent.layers.trials import layerwise_trial, sound
from polygeom.learning.tangent.pointwise import generic, single

METHODS = ("auto", "layerwise", "pointwise", "single")
OVERHEAD = 4


@dataclass(frozen=True, eq=False)
class Way:
    """How derivatives are taken, of a module at any weights.

    Attributes
    ----------
    outputs:
        How many outputs are differentiated.
    per_point, working:
        Bytes that are held for one point, and those in between.
    plan:
        Of derivatives layer by layer.
    rule:
        The other ones, where there is no plan.
    combinations:
        Of the outputs, ``(C', C)``; None for all of them.
    like:
        An empty tensor in the precision and on the device of the weights.
    """

    like: Tensor
    outputs: int
    per_point: int
    working: int
    plan: Plan | None = None
    rule: Callable[[WeightFunction, Tensor | None], Features] | None = None
    combinations: Tensor | None = None

    def features(self, f: WeightFunction, watch: Watch | None = None) -> Features:
        """Derivatives at some points; ``watch`` sees every evaluation that is recorded."""
        if self.plan is not None:
            return layerwise(f, self.plan, self.combinations, watch)
        return (self.rule or single)(f, self.combinations)

    def step(self, free: int) -> int:
        """How many points at once take no more than so many bytes, at least one."""
        return max(1, (free - self.working) // (2 * self.per_point))


def way_of(
    f: WeightFunction,
    x: Tensor,
    method: str,
    size: int,
    memory: int,
    combinations: Tensor | None = None,
    pairs: tuple[int, bool] | None = None,
) -> Way:
    """How derivatives of ``size`` outputs are taken; ``pairs`` says how many other points they meet, and if all outputs
    meet all outputs. None where they are wanted themselves."""
    choice("method", method, METHODS)
    trial = layerwise_trial(f, x) if method in ("auto", "layerwise") else None
    if method == "layerwise" and trial is None:
        raise PolygeomError(
            'method must be "pointwise" for this module: some weight acts other than by dense maps, convolutions, '
            'sums or normalisations, or points influence each other; write method="auto"'
        )
    size, like = size if combinations is None else len(combinations), next(iter(f.weights.values())).new_empty(0)
    if trial is not None:
        if not trial.factors:
            raise PolygeomError("module must use at least one of its weights; its outputs do not depend on any")
        others, full = (1, True) if pairs is None else pairs
        plan = sound(f, x, trial.prepared(size, len(x), others, full, memory), combinations)
        held, working = trial.held(size, plan), trial.working_memory(size, plan)
        return Way(like, size, OVERHEAD * held, working, plan=plan, combinations=combinations)
    rule = single if method == "single" else generic(f, x)
    return Way(
        like, size, OVERHEAD * size * f.parameter_count * like.element_size(), 0, rule=rule, combinations=combinations
    )


def blocks(count: int, step: int) -> Iterator[slice]:
    """So many points, ``step`` at a time."""
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))


def unit_combination(size: int) -> Tensor:
    """``Σ_c f_c / √C``."""
    return torch.full((1, size), size**-0.5, dtype=torch.float64)


__all__ = ["METHODS", "OVERHEAD", "Way", "blocks", "unit_combination", "way_of"]
