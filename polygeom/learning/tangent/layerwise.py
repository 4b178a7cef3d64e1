"""Tangent kernels layer by layer: derivatives of all outputs from one backward pass through the values of layers.

Where a weight matrix acts once, ``v = W a``, the derivative of output ``c`` at point ``n`` is the rank-one matrix
``b_nc ⊗ a_n`` with ``b_nc = ∂f_c/∂v``. Its inner products factor, so the tangent kernel of a dense network is

    K[n, c; n', c'] = Σ_l ⟨a_n, a_n'⟩_l ⟨b_nc, b_n'c'⟩_l

at the cost of the activations instead of the weights: ``N² d`` instead of ``N² d²`` operations for each layer of width
``d``. A weight that acts at many positions (convolutions, tokens) is a sum of such terms, and what is cheapest there is
counted (`polygeom.learning.tangent.costs`). Scales and shifts have few entries, so their derivatives are formed, and
so are those of weights that act through another tensor (weight normalisation, slices), still without a backward pass
for each point. The ``C`` backward passes are one (`torch.func.vmap` over it) for as many points as keep the values of
a layer in the cache of the processor.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from polygeom.errors import BudgetError
from polygeom.learning.tangent.costs import contraction_cost, pieces_cost
from polygeom.learning.tangent.functional import WeightFunction
from polygeom.learning.tangent.pieces import Factor, Features, Piece, present
from polygeom.learning.tangent.recording import NotRecordable, Record, Use, point_axes, record

_TOLERANCE = 1e-3
_CACHED = 2**22
"""Bytes of the derivatives by one layer's values that a processor keeps near: so much is taken at once."""
_SMALL = 256
"""Entries of a computed tensor whose Jacobian is formed: a number of it costs less than a pass through its graph."""


@dataclass(frozen=True)
class Plan:
    """How derivatives are taken layer by layer.

    Attributes
    ----------
    axes:
        Of the points, for every function that uses weights.
    batched:
        Whether the backward passes of several outputs are one.
    formed:
        Names of the weights whose derivatives are formed; None for all.
    points, rows:
        Points and outputs taken at once.
    """

    axes: tuple[int, ...]
    batched: bool
    formed: frozenset[str] | None = None
    points: int = 2
    rows: int = 1


def layerwise(f: WeightFunction, plan: Plan, combinations: Tensor | None = None) -> Features:
    """Derivatives of the outputs, or of ``combinations`` ``(C', C)`` of them, from recorded uses of the weights.

    The returned function raises `NotRecordable` where the module has no layer-wise rule.
    """

    def features(x: Tensor) -> list[Factor]:
        formed: dict[str, Tensor] = {}
        blocks = [slice(start, start + plan.points) for start in range(0, len(x), plan.points)]
        parts = []
        for block in blocks:
            place = None if len(blocks) == 1 else _Place(formed, len(x), block)
            parts.append(_factors(record(f, x[block], plan.axes), combinations, plan, place))
        return parts[0] if len(parts) == 1 else _together(parts, formed)

    return features


@dataclass(frozen=True, eq=False)
class _Place:
    """Where the formed derivatives of some of ``points`` points belong: slices of one tensor for each weight."""

    formed: dict[str, Tensor]
    points: int
    block: slice

    def of(self, name: str, outputs: int, size: int, like: Tensor) -> Tensor:
        """Shape ``(n, C, size)``."""
        if name not in self.formed:
            self.formed[name] = like.new_empty(self.points, outputs, size)
        return self.formed[name][self.block]


def _together(parts: Sequence[list[Factor]], formed: Mapping[str, Tensor]) -> list[Factor]:
    """Factors of several blocks of points as those of one; what was one tensor stays one."""
    known: dict[tuple[int, ...], Tensor] = {}

    def joined(tensors: Sequence[Tensor]) -> Tensor:
        key = tuple(map(id, tensors))
        if key not in known:
            known[key] = torch.cat(list(tensors))
        return known[key]

    found = []
    for own in zip(*parts, strict=True):
        if own[0].explicit is not None:
            found.append(replace(own[0], explicit=formed[own[0].name]))
            continue
        pieces = []
        for same in zip(*(factor.pieces for factor in own), strict=True):
            read = None if same[0].read is None else joined([present(piece.read) for piece in same])
            pieces.append(replace(same[0], read=read, back=joined([piece.back for piece in same])))
        found.append(replace(own[0], pieces=tuple(pieces)))
    return found


def _factors(seen: Record, combinations: Tensor | None, plan: Plan, place: _Place | None = None) -> list[Factor]:
    values = _derivatives(seen.outputs, seen.uses, combinations, plan)
    backs: dict[int, Tensor] = {}
    names = {id(weight): name for name, weight in seen.weights.items()}
    own: dict[str, list[Use]] = {name: [] for name in seen.weights}
    formed: dict[str, list[Tensor]] = {name: [] for name in seen.weights}

    def derivative(use: Use) -> Tensor:
        return piece(use).jacobian() if use.is_matrix else use.summed(values[id(use.outputs)])

    def piece(use: Use) -> Piece:
        if id(use.outputs) not in backs:
            backs[id(use.outputs)] = use.back(values[id(use.outputs)])
        read = None if use.shifts else use.read()
        columns = 1 if read is None else read.shape[2] if read.is_floating_point() else len(use.weight)
        return Piece(read, backs[id(use.outputs)], columns, use.flipped)

    def formed_factor(name: str, uses: list[Use]) -> list[Factor]:
        if not (uses or formed[name]):
            return []
        outputs = len(next(iter(values.values())))
        out = None if place is None else place.of(name, outputs, seen.weights[name].numel(), seen.outputs)
        if len(uses) == 1 and not formed[name] and uses[0].is_matrix:
            return [Factor(name, explicit=piece(uses[0]).jacobian(out))]
        terms = [*formed[name], *map(derivative, uses)]
        total = sum(terms[1:], start=terms[0])
        return [Factor(name, explicit=total if out is None else out.copy_(total))]

    for use in seen.uses:
        if id(use.weight) in names:
            own[names[id(use.weight)]].append(use)
        elif use.weight.grad_fn is not None:
            found = derivative(use)
            for name, one in _pulled(use.weight, seen.weights, found.flatten(end_dim=1)):
                formed[name].append(one.reshape(*found.shape[:2], -1))
    factors = []
    for name, uses in own.items():
        if formed[name] or not (plan.formed is not None and name not in plan.formed):
            factors += formed_factor(name, uses)
        elif uses:
            factors.append(Factor(name, tuple(map(piece, uses))))
    return factors


def _pulled(tensor: Tensor, weights: Mapping[str, Tensor], rows: Tensor) -> list[tuple[str, Tensor]]:
    """Derivatives by a tensor, as rows, as ones by the weights that it is computed from.

    Where rows are more than the entries of the tensor, and these few, its own Jacobian is formed once instead.
    """
    size = tensor.numel()
    own = size <= _SMALL and size < len(rows)
    given = torch.eye(size, dtype=rows.dtype, device=rows.device) if own else rows
    pulled = torch.autograd.grad(
        tensor, list(weights.values()), given.reshape(-1, *tensor.shape), retain_graph=True, is_grads_batched=True,
        allow_unused=True,
    )  # fmt: skip
    found = [(name, one.reshape(len(given), -1)) for name, one in zip(weights, pulled, strict=True) if one is not None]
    return [(name, rows @ one) for name, one in found] if own else found


def _derivatives(y: Tensor, uses: Sequence[Use], combinations: Tensor | None, plan: Plan) -> dict[int, Tensor]:
    """``(C, *outputs.shape)`` for all outputs of uses; points are independent: their sum is differentiated."""
    rows = torch.eye(y.shape[1], dtype=y.dtype, device=y.device) if combinations is None else combinations.to(y)
    distinct = list({id(use.outputs): use.outputs for use in uses}.values())

    def one(row: Tensor) -> tuple[Tensor, ...]:
        found = torch.autograd.grad(y, distinct, row.expand_as(y), retain_graph=True, allow_unused=True)
        return tuple(torch.zeros_like(v) if g is None else g for g, v in zip(found, distinct, strict=True))

    if plan.batched:
        stacked = [torch.func.vmap(one)(some) for some in torch.split(rows, plan.rows)]
        found = [torch.cat(own) if len(own) > 1 else own[0] for own in zip(*stacked, strict=True)]
    else:
        found = [torch.stack(own) for own in zip(*map(one, rows), strict=True)]
    return {id(value): own for value, own in zip(distinct, found, strict=True)}


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
        one = replace(self.plan, formed=frozenset(formed), points=1, rows=rows)
        fitting = memory // (4 * self.working_memory(outputs, one))
        return replace(one, points=max(1, min(_CACHED // (largest * outputs), fitting)))

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
        return plan.points * -(-(self.seen.nbytes + 2 * windows + (2 * outputs + 1) * distinct) // self.points)


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
    except NotRecordable:
        return None


def _compared(f: WeightFunction, x: Tensor, seen: Record, axes: tuple[int, ...]) -> Trial | None:
    size = seen.outputs.shape[1]
    mixture = torch.linspace(1.0, 2.0, size, dtype=torch.float64).to(next(iter(f.weights.values()))).unsqueeze(0)
    plan = Plan(axes, size > 1, frozenset(name for name in f.weights if _must_be_formed(name, seen)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = _factors(seen, mixture, plan)
    except (BudgetError, NotRecordable):
        raise
    except Exception:  # noqa: BLE001  whatever torch's rules for several backward passes at once stumble over
        plan = replace(plan, batched=False)
        found = _factors(seen, mixture, plan)
    factors = {factor.name: factor for factor in found}
    for number in range(len(x)):
        weights = {name: weight.detach().requires_grad_() for name, weight in f.weights.items()}
        with torch.enable_grad():  # also where the caller needs no derivatives
            value = (f(weights, x[number : number + 1]) @ mixture[0]).sum()
        wanted = torch.autograd.grad(value, list(weights.values()), allow_unused=True)
        for (name, weight), gradient in zip(weights.items(), wanted, strict=True):
            expected = torch.zeros_like(weight) if gradient is None else gradient
            own = _at(factors[name], number) if name in factors else torch.zeros_like(weight)
            if (own.reshape(-1) - expected.reshape(-1)).norm() > _TOLERANCE * expected.norm():
                return None
    sizes = {name: weight.numel() for name, weight in f.weights.items()}
    return Trial(len(x), size, found, seen, plan, sizes)


def _must_be_formed(name: str, seen: Record) -> bool:
    """Whether a weight does not only act as one matrix, not its transpose as well, or as a summand at one position."""
    uses = [use for use in seen.uses if use.weight is seen.weights[name]]
    one_way = len({use.flipped for use in uses}) <= 1
    return not (one_way and (all(use.is_matrix for use in uses) or all(_shifts_once(use) for use in uses)))


def _shifts_once(use: Use) -> bool:
    return use.shifts and not use.action.loose and use.outputs.numel() == use.points * use.weight.numel()


def _at(factor: Factor, number: int) -> Tensor:
    """The derivatives at one point."""
    if factor.explicit is not None:
        return factor.explicit[number]
    one = slice(number, number + 1)
    pieces = (replace(p, back=p.back[one], read=None if p.read is None else p.read[one]) for p in factor.pieces)
    return Factor(factor.name, tuple(pieces)).jacobian()[0]


__all__ = ["Plan", "Trial", "layerwise", "layerwise_trial"]
