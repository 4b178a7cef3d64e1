"""Tangent kernels layer by layer: derivatives of all outputs from one backward pass through the values of layers.

Where a weight matrix acts once, ``v = W a``, the derivative of output ``c`` at point ``n`` is the rank-one matrix
``b_nc ⊗ a_n`` with ``b_nc = ∂f_c/∂v``. Its inner products factor, so the tangent kernel of a dense network is

    K[n, c; n', c'] = Σ_l ⟨a_n, a_n'⟩_l ⟨b_nc, b_n'c'⟩_l

at the cost of the activations instead of the weights: ``N² d`` instead of ``N² d²`` operations for each layer of width
``d``. A weight that acts at many positions (convolutions, tokens) is a sum of such terms, and what is cheapest there is
counted (`polygeom.learning.tangent.layers.costs`). Scales and shifts have few entries, so their derivatives are formed,
and so are those of weights that act through another tensor (weight normalisation, slices), still without a backward
pass for each point. The ``C`` backward passes are one (`torch.func.vmap` over it) for as many points as keep the values
of a layer in the cache of the processor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.errors import BudgetError
from polygeom.learning.tangent.functional import WeightFunction
from polygeom.learning.tangent.layers.backward import Cotangent, derivatives
from polygeom.learning.tangent.layers.convolutions import known_of
from polygeom.learning.tangent.layers.images import on_images
from polygeom.learning.tangent.layers.pieces import Factor, Features, Piece, present
from polygeom.learning.tangent.layers.recording import NotRecordable, Record, Use, record

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
    copies:
        How often every point is evaluated: once for each output where that is quicker than several backward passes.
    """

    axes: tuple[int, ...]
    batched: bool
    formed: frozenset[str] | None = None
    points: int = 2
    rows: int = 1
    copies: int = 1


Watch = Callable[[Tensor, Record, list[Factor]], None]
"""Sees some points, their evaluation and what it gave."""


def layerwise(
    f: WeightFunction, plan: Plan, combinations: Tensor | None = None, watch: Watch | None = None
) -> Features:
    """Derivatives of the outputs, or of ``combinations`` ``(C', C)`` of them, from recorded uses of the weights.

    The returned function raises `NotRecordable` where the module has no layer-wise rule.
    """

    def features(x: Tensor) -> list[Factor]:
        formed: dict[str, Tensor] = {}
        blocks = [slice(start, start + plan.points) for start in range(0, len(x), plan.points)]
        parts = []
        for block in blocks:
            place = None if len(blocks) == 1 else _Place(formed, len(x), block)
            own = x[block]
            seen, taken = _recorded(f, own, plan)
            parts.append(factors_of(seen, combinations, taken, place))
            if watch is not None:
                watch(own, seen, parts[-1])
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


def _recorded(f: WeightFunction, x: Tensor, plan: Plan) -> tuple[Record, Plan]:
    """An evaluation, and the plan without copies where the module does not take so many points."""
    if plan.copies > 1:
        try:
            return record(f, repeated(x, plan), plan.axes), plan
        except BudgetError:  # a limit of time or memory
            raise
        except Exception:  # noqa: BLE001  whatever a module has against other numbers of points
            plan = replace(plan, copies=1)
    return record(f, x, plan.axes), plan


def repeated(x: Tensor, plan: Plan) -> Tensor:
    """The points, as often as the plan wants them."""
    return x if plan.copies == 1 else x.repeat(plan.copies, *(1,) * (x.ndim - 1))


def factors_of(seen: Record, combinations: Tensor | None, plan: Plan, place: _Place | None = None) -> list[Factor]:
    """Derivatives of the outputs, or of combinations of them, from one evaluation."""
    copies = plan.copies
    if not seen.uses:
        if seen.outputs.requires_grad:
            raise NotRecordable("weights that act unseen")
        return []

    def by_output(found: Tensor) -> Tensor:
        """One output at ``C N`` points as ``C`` outputs at ``N``."""
        if copies == 1:
            return found
        return found.reshape(copies, -1, *found.shape[2:]).transpose(0, 1)

    values = _derivatives(seen, combinations, plan)
    backs: dict[int, Tensor] = {}
    sums: dict[int, Tensor] = {}
    names = {id(weight): name for name, weight in seen.weights.items()}
    own: dict[str, list[Use]] = {name: [] for name in seen.weights}
    formed: dict[str, list[Tensor]] = {name: [] for name in seen.weights}

    def derivative(use: Use, out: Tensor | None = None) -> Tensor:
        g = values[id(use.outputs)]
        found = on_images(use, g, sums, out) if copies == 1 else None
        if found is None:
            found = piece(use).jacobian(out) if use.is_matrix else by_output(use.summed(g.full()))
        return found

    def piece(use: Use) -> Piece:
        if id(use.outputs) not in backs:
            backs[id(use.outputs)] = by_output(use.back(values[id(use.outputs)].full()))
        read = None if use.shifts else use.read()
        read = read if read is None or copies == 1 else read[: len(read) // copies]
        columns = 1 if read is None else read.shape[2] if read.is_floating_point() else len(use.weight)
        return Piece(read, backs[id(use.outputs)], columns, use.flipped)

    def formed_factor(name: str, uses: list[Use]) -> list[Factor]:
        if not (uses or formed[name]):
            return []
        outputs = max(copies, seen.outputs.shape[1] if combinations is None else len(combinations))
        out = None if place is None else place.of(name, outputs, seen.weights[name].numel(), seen.outputs)
        if len(uses) == 1 and not formed[name] and uses[0].is_matrix:
            return [Factor(name, explicit=derivative(uses[0], out))]
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


def _derivatives(seen: Record, combinations: Tensor | None, plan: Plan) -> dict[int, Cotangent]:
    """Of all outputs by the outputs of all uses; points are independent: their sum is differentiated."""
    y = seen.outputs
    rows = torch.eye(y.shape[1], dtype=y.dtype, device=y.device) if combinations is None else combinations.to(y)
    distinct = list({id(use.outputs): use.outputs for use in seen.uses}.values())
    if plan.copies == 1 and plan.batched and seen.graph is not None and any(known_of(v.grad_fn) for v in distinct):
        try:
            found = derivatives(y, rows, distinct)
        except BudgetError:  # a limit of time or memory
            raise
        except Exception:  # noqa: BLE001  a node that only torch can call, or without a rule for several outputs
            found = {}
        if found:
            return {id(v): found.get(id(v)) or Cotangent(v.new_zeros(len(rows), *v.shape)) for v in distinct}
    return _by_torch(y, rows, distinct, plan)


def _by_torch(y: Tensor, rows: Tensor, distinct: Sequence[Tensor], plan: Plan) -> dict[int, Cotangent]:
    if plan.copies > 1:
        rows = rows.repeat_interleave(len(y) // plan.copies, dim=0).unsqueeze(0)

    def one(row: Tensor) -> tuple[Tensor, ...]:
        found = torch.autograd.grad(y, distinct, row.expand_as(y), retain_graph=True, allow_unused=True)
        return tuple(torch.zeros_like(v) if g is None else g for g, v in zip(found, distinct, strict=True))

    if len(rows) == 1:
        found = [own.unsqueeze(0) for own in one(rows[0])]
    elif plan.batched:
        stacked = [torch.func.vmap(one)(some) for some in torch.split(rows, plan.rows)]
        found = [torch.cat(own) if len(own) > 1 else own[0] for own in zip(*stacked, strict=True)]
    else:
        found = [torch.stack(own) for own in zip(*map(one, rows), strict=True)]
    return {id(value): Cotangent(own) for value, own in zip(distinct, found, strict=True)}


def at_point(factor: Factor, number: int) -> Tensor:
    """The derivatives ``(C, size)`` at one point."""
    if factor.explicit is not None:
        return factor.explicit[number]
    one = slice(number, number + 1)
    pieces = (replace(p, back=p.back[one], read=None if p.read is None else p.read[one]) for p in factor.pieces)
    return Factor(factor.name, tuple(pieces)).jacobian()[0]


__all__ = ["Plan", "Watch", "at_point", "factors_of", "layerwise", "repeated"]
