"""Whether recorded uses explain the derivatives of a module, and what the ways to its kernel would cost."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.errors import BudgetError
from polygeom.learning.calls import FILTERS
from polygeom.learning.tangent.functional import WeightFunction
from polygeom.learning.tangent.layers.convolutions import known_of
from polygeom.learning.tangent.layers.costs import contraction_cost, pieces_cost
from polygeom.learning.tangent.layers.layerwise import Plan, at_point, factors_of, layerwise
from polygeom.learning.tangent.layers.pieces import Factor
from polygeom.learning.tangent.layers.recording import NotRecordable, Record, Use, point_axes, record

_TOLERANCE = 1e-3
_CACHED = 2**22
"""Bytes of the derivatives by one layer's values that a processor keeps near: so much is taken at once."""
_TOGETHER = 2**24
"""And at points that are evaluated together where convolutions are gone through one point after the other."""
_SHORT = 2**16
"""Numbers in all values of all layers below which evaluations cost no more than the calls of the functions."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What differentiating one combination of the outputs at ``points`` points layer by layer has shown.

    Attributes
    ----------
    points, outputs:
        How many points, and the number of outputs ``C``.
    factors:
        The derivatives of the combination, none formed that need not be.
    seen:
        The evaluation.
    plan:
        How derivatives are taken.
    sizes:
        Of all weights, by name.
    """

    points: int
    outputs: int
    factors: list[Factor]
    seen: Record
    plan: Plan
    sizes: Mapping[str, int]

    def prepared(self, outputs: int, points: int, others: int, full: bool, memory: int) -> Plan:
        """The plan for a kernel of so many outputs between so many points: of two ways the cheaper one.

        A quarter of the memory at most is for what is taken at once, where that is enough for one point.
        """
        formed = {
            factor.name
            for factor in self.factors
            if factor.explicit is not None or self._is_formed(factor, outputs, points, others, full)
        }
        kept = {
            id(piece.back)
            for factor in self.factors
            if factor.name not in formed and not factor.shift
            for piece in factor.pieces
        }
        # the Gram matrix of b that a bias needs is there where the weight beside it is not formed
        formed |= {
            factor.name
            for factor in self.factors
            if factor.shift and not any(id(piece.back) in kept for piece in factor.pieces)
        }
        largest = max(_nbytes(use.outputs) for use in self.seen.uses) // self.points
        rows = min(outputs, max(1, _CACHED // largest))
        short = outputs > 1 and outputs * points * self.seen.nbytes <= 8 * self.points * _SHORT and self.plan.batched
        one = replace(self.plan, formed=frozenset(formed), points=1, rows=rows, copies=outputs if short else 1)
        fitting = memory // (4 * self.working_memory(outputs, one))
        near = _TOGETHER if any(known_of(use.outputs.grad_fn) for use in self.seen.uses) else _CACHED
        return replace(one, points=max(1, min(near // (largest * outputs), fitting)))

    def _is_formed(self, factor: Factor, outputs: int, points: int, others: int, full: bool) -> bool:
        if any(piece.read is None for piece in factor.pieces):
            return not factor.once
        sizes, size = [piece.sizes for piece in factor.pieces], self.sizes[factor.name]
        return contraction_cost(sizes, size, points, others, outputs, full) <= pieces_cost(
            sizes, points, others, outputs, full
        )

    def held(self, outputs: int, plan: Plan) -> int:
        """Bytes of the derivatives of so many outputs at one point."""
        total = 0
        for factor in self.factors:
            if plan.formed is None or factor.name in plan.formed:
                total += outputs * self.sizes[factor.name] * self.seen.outputs.element_size() * self.points
                continue
            total += sum(outputs * _nbytes(piece.back) for piece in factor.pieces)
            total += sum(_nbytes(piece.read) for piece in factor.pieces if piece.read is not None)
        return -(-total // self.points)

    def working_memory(self, outputs: int, plan: Plan) -> int:
        """Bytes taken on the way there: all values, and derivatives of so many outputs by them."""
        uses = self.seen.uses
        windows = max(
            (_nbytes(p.read) for factor in self.factors for p in factor.pieces if p.read is not None), default=0
        )
        distinct = sum(_nbytes(value) for value in {id(use.outputs): use.outputs for use in uses}.values())
        return plan.points * -(
            -(plan.copies * (self.seen.nbytes + 2 * windows) + (2 * outputs + 1) * distinct) // self.points
        )


def _nbytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def layerwise_trial(f: WeightFunction, x: Tensor) -> Trial | None:
    """A trial on two points where recorded uses explain the derivatives of ``f``, None where they do not.

    It is compared with automatic differentiation, which also finds weights that act unseen (inside autograd functions)
    and points that influence each other.
    """
    x = x[:2]
    try:
        seen = record(f, x)
        axes = point_axes(f, x, seen)
        if axes != tuple(action.axes(len(x))[0] for action in seen.actions):
            seen = record(f, x, axes)
        return _compared(f, x, seen, axes)
    except BudgetError:  # a limit of time or memory
        raise
    except Exception:  # noqa: BLE001  no rule, or whatever a module has against being watched (transforms, recomputing)
        return None


def sound(f: WeightFunction, x: Tensor, plan: Plan, combinations: Tensor | None) -> Plan:
    """A plan without copies where those of one point influence each other: alone, it shows nothing of that."""
    if plan.copies == 1:
        return plan
    try:
        found = layerwise(f, plan, combinations)(x[:1])
        like = next(iter(f.weights.values()))
        mixture = torch.eye(plan.copies).to(like) if combinations is None else combinations.to(like)
        shares = torch.linspace(1.0, 2.0, len(mixture)).to(like)
        fits = agrees(f, x, found, [0], shares @ mixture, shares)
    except NotRecordable:
        fits = False
    return plan if fits else replace(plan, copies=1)


def _compared(f: WeightFunction, x: Tensor, seen: Record, axes: tuple[int, ...]) -> Trial | None:
    size = seen.outputs.shape[1]
    mixture = torch.linspace(1.0, 2.0, size, dtype=torch.float64).to(next(iter(f.weights.values()))).unsqueeze(0)
    plan = Plan(axes, size > 1, frozenset(name for name in f.weights if _must_be_formed(name, seen)))
    try:
        with FILTERS, warnings.catch_warnings():
            warnings.simplefilter("error")
            found = factors_of(seen, mixture, plan)
    except (BudgetError, NotRecordable):
        raise
    except Exception:  # noqa: BLE001  whatever torch's rules for several backward passes at once stumble over
        plan = replace(plan, batched=False)
        found = factors_of(seen, mixture, plan)
    if not agrees(f, x, found, range(len(x)), mixture[0]):
        return None
    sizes = {name: weight.numel() for name, weight in f.weights.items()}
    return Trial(len(x), size, found, seen, plan, sizes)


def agrees(
    f: WeightFunction,
    x: Tensor,
    found: Sequence[Factor],
    numbers: Iterable[int],
    mixture: Tensor,
    shares: Tensor | None = None,
) -> bool:
    """Whether derivatives are those that automatic differentiation has at some points alone.

    Parameters
    ----------
    f, x, found:
        The module, points, and the derivatives there; with ``shares`` ``(C',)`` so much of each of them, else of one.
    numbers:
        Of the points that are looked at.
    mixture:
        What they are together: a combination ``(C,)`` of the outputs.
    """
    factors = {factor.name: factor for factor in found}
    for number in numbers:
        weights = {name: weight.detach().requires_grad_() for name, weight in f.weights.items()}
        with torch.enable_grad():  # also where the caller needs no derivatives
            value = (f(weights, x[number : number + 1]) @ mixture).sum()
        wanted = torch.autograd.grad(value, list(weights.values()), allow_unused=True)
        # a derivative that is zero comes out as rounding errors of the others
        floor = 64 * torch.finfo(value.dtype).eps * max((float(g.norm()) for g in wanted if g is not None), default=0.0)
        for (name, weight), gradient in zip(weights.items(), wanted, strict=True):
            expected = torch.zeros_like(weight) if gradient is None else gradient
            own = torch.zeros_like(weight)
            if name in factors:
                own = at_point(factors[name], number)
                own = own if shares is None else shares @ own
            if (own.reshape(-1) - expected.reshape(-1)).norm() > _TOLERANCE * expected.norm() + floor:
                return False
    return True


def _must_be_formed(name: str, seen: Record) -> bool:
    """Whether a weight does not only act as one matrix, not its transpose as well, or as a summand at one position."""
    uses = [use for use in seen.uses if use.weight is seen.weights[name]]
    one_way = len({use.flipped for use in uses}) <= 1
    return not (one_way and (all(use.is_matrix for use in uses) or all(_shifts_once(use) for use in uses)))


def _shifts_once(use: Use) -> bool:
    return use.shifts and not use.action.loose and use.outputs.numel() == use.points * use.weight.numel()


__all__ = ["Trial", "agrees", "layerwise_trial", "sound"]
