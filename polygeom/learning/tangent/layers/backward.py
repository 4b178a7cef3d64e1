"""Derivatives of all outputs by the values of layers, node by node through the graph of an evaluation of torch.

`torch.autograd.grad` under ``vmap`` writes the derivatives of every output by every value on the way, most of them only
to be multiplied by a mask or a scale. Here such derivatives are products `Cotangent` of two tensors that broadcast:

- a batch normalisation with fixed statistics multiplies channels, so that its scale goes into the next product of
  matrices instead of a pass over memory;
- between the last convolution and the outputs there are often only rectifiers, sums and a mean over the positions, and
  the derivative of output ``c`` is ``scale[c, channel] · mask[channel, position]``: one backward pass instead of ``C``
  through what follows.

This is how derivatives are written down, read off the nodes that were met, never a guess from numbers. What a node does
is known for a few kinds of them; all others are called as they are, for all outputs at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from polygeom._dataclass import dataclass
from polygeom.learning.tangent.layers.convolutions import gathered, known_of, pulled

Node = Any
"""Of the graph of torch."""


class Unwalkable(Exception):
    """A graph that only torch can walk."""


@dataclass(frozen=True, eq=False)
class Cotangent:
    """Derivatives of ``C`` outputs by a value ``(N, …)``: ``values * scale``.

    Attributes
    ----------
    values:
        ``(C, N, …)``, or ``(1, N, …)``.
    scale:
        ``(C or 1, N or 1, channels, 1, …)``; None for 1.
    own:
        Whether nobody else holds ``values``, so that more may be added to them.
    """

    values: Tensor
    scale: Tensor | None = None
    own: bool = False

    @property
    def outputs(self) -> int:
        """``C``."""
        return max(len(self.values), 1 if self.scale is None else len(self.scale))

    def full(self) -> Tensor:
        """The derivatives, ``(C, N, …)``."""
        return self.values if self.scale is None else self.values * self.scale

    def scaled(self, factor: Tensor) -> Cotangent:
        """Multiplied along the channels, ``(1, 1, channels, 1, …)``."""
        return Cotangent(self.values, factor if self.scale is None else self.scale * factor)


@torch.no_grad()
def derivatives(y: Tensor, rows: Tensor, wanted: Sequence[Tensor]) -> dict[int, Cotangent]:
    """Of ``rows @ y`` by the wanted values, summed over the points.

    Parameters
    ----------
    y:
        Outputs ``(N, outputs)``.
    rows:
        ``(C, outputs)``.
    wanted:
        Values ``(N, …)`` in the graph of ``y``.

    Returns
    -------
    By ``id``; those that ``y`` does not depend on are left out.

    Raises
    ------
    Unwalkable
        Where nodes are not those of functions of torch.
    """
    edges = {(edge.node, edge.output_nr): id(value) for value in wanted for edge in [get_gradient_edge(value)]}
    waiting = _waiting(y.grad_fn, {node for node, _ in edges})
    pending: dict[Node, list[Cotangent | None]] = {}
    found: dict[int, Cotangent] = {}
    done: set[Node] = set()

    def arrived(node: Node, number: int, more: Cotangent) -> None:
        shape = tuple(node._input_metadata[number].shape)
        if more.values.shape[1:] != shape:
            more = Cotangent(_reduced(more.full(), shape))
        own = pending.setdefault(node, [None] * len(node._input_metadata))
        before = own[number]
        own[number] = more if before is None else _sum(before, more)

    def _ahead(node: Node, given: Sequence[Cotangent | None]) -> Sequence[Cotangent | None] | None:
        """Through a convolution and, while the numbers are near, the rectifier before it."""
        known, g = known_of(node), given[0]
        if known is None or g is None:
            return None
        if not known.gathers(g.values.shape[1], g.outputs, g.values.shape[3:]):
            return None
        if g.scale is not None and len(g.scale) > 1 and len(g.values) > 1:
            g = Cotangent(g.full())
        behind, place = node.next_functions[0]
        if waiting[behind] > 1 or behind.name() != "ReluBackward0" or (behind, place) in edges:
            return [Cotangent(gathered(known, g.values, g.scale), own=True)]
        (more,) = pending.pop(behind, [None])
        before = None if more is None else (more.values, more.scale)
        done.add(behind)
        return [Cotangent(gathered(known, g.values, g.scale, before, behind._saved_result))]

    start = rows.unsqueeze(1).expand(len(rows), *y.shape)
    arrived(y.grad_fn, y.output_nr, Cotangent(start))
    ready: list[Node] = [y.grad_fn] if y.grad_fn in waiting else []
    while ready:
        node = ready.pop()
        given = [None if one is None else replace(one, own=False) for one in pending.pop(node, ())]
        for number, one in enumerate(given):
            if one is not None and (node, number) in edges:
                found[edges[node, number]] = one
        ahead = [(number, *edge) for number, edge in enumerate(node.next_functions) if edge[0] in waiting]
        if ahead and any(one is not None for one in given):
            passed = given if node in done else _ahead(node, given) or _passed(node, given)
            for number, behind, place in ahead:
                if passed[number] is not None:
                    arrived(behind, place, passed[number])
        for _, behind, _ in ahead:
            waiting[behind] -= 1
            if not waiting[behind]:
                ready.append(behind)
    return found


def _waiting(start: Node, wanted: set[Node]) -> dict[Node, int]:
    """The nodes on the way to wanted ones, and by how many edges each of them is met."""
    leads: dict[Node, bool] = {}
    stack = [start]
    while stack:
        node = stack[-1]
        behind = [one for one, _ in node.next_functions if one is not None]
        new = [one for one in behind if one not in leads]
        if node not in leads:
            leads[node] = False
            stack += new
            continue
        stack.pop()
        leads[node] = node in wanted or any(leads[one] for one in behind)
    found = {node: 0 for node, on_the_way in leads.items() if on_the_way}
    for node in found:
        for behind, _ in node.next_functions:
            if behind in found:
                found[behind] += 1
    return found


def _reduced(values: Tensor, shape: Sequence[int]) -> Tensor:
    """What was broadcast in an evaluation, summed; torch leaves it to those who call its nodes."""
    if len(shape) == values.ndim - 1 and all(a == b or b == 1 for a, b in zip(values.shape[1:], shape, strict=True)):
        gone = [axis + 1 for axis, size in enumerate(shape) if size != values.shape[axis + 1]]
        return values.sum(dim=gone, keepdim=True)
    return torch.stack([value.sum_to_size(*shape) for value in values])


def _sum(one: Cotangent, other: Cotangent) -> Cotangent:
    if not one.own:
        one, other = other, one
    if not one.own or len(one.values) < other.outputs:
        return Cotangent(one.full() + other.full())
    if other.scale is None:
        one.values.add_(other.values)
    else:
        one.values.addcmul_(other.values, other.scale)
    return one


def _passed(node: Node, given: Sequence[Cotangent | None]) -> Sequence[Cotangent | None]:
    """What a node makes of the derivatives by its results: those by its arguments."""
    known = known_of(node)
    if known is not None and given[0] is not None:
        full = given[0].full()
        flat = pulled(full.flatten(end_dim=1), *known.arguments)
        return [Cotangent(flat.reshape(*full.shape[:2], *flat.shape[1:]), own=True)]
    name = node.name()
    rule = _RULES.get(name)
    if rule is not None and len(given) == 1 and given[0] is not None:
        found = rule(node, given[0])
        if found is not None:
            return found
    if isinstance(node, torch.autograd.function.BackwardCFunction) or name in _APART:
        raise Unwalkable(name)
    return _called(node, given)


def _called(node: Node, given: Sequence[Cotangent | None]) -> Sequence[Cotangent | None]:
    """By the node itself, for all outputs at once."""
    full = [None if one is None else one.full() for one in given]
    count = max(len(one) for one in full if one is not None)
    places: list[int] = []

    def call(*some: Tensor) -> tuple[Tensor, ...]:
        left = iter(some)
        found = node(*(None if one is None else next(left) for one in full))
        found = found if isinstance(found, tuple) else (found,)
        places[:] = [number for number, one in enumerate(found) if one is not None]
        return tuple(found[number] for number in places)

    values = torch.func.vmap(call)(*(one.expand(count, *one.shape[1:]) for one in full if one is not None))
    passed: list[Cotangent | None] = [None] * len(node.next_functions)
    for number, value in zip(places, values, strict=True):
        passed[number] = Cotangent(value)
    return passed


def _same(node: Node, g: Cotangent) -> Sequence[Cotangent | None] | None:
    return [g] * len(node.next_functions)


def _added(node: Node, g: Cotangent) -> Sequence[Cotangent | None] | None:
    return [g, g] if node._saved_alpha == 1 else None


def _rectified(node: Node, g: Cotangent) -> Sequence[Cotangent | None] | None:
    kept, values = node._saved_result.unsqueeze(0), g.values
    if values.ndim != 5:
        return [replace(g, values=torch.ops.aten.threshold_backward(values, kept, 0))]
    outputs, points, channels, *sizes = values.shape
    out = values.new_empty(points, channels, outputs, *sizes).permute(2, 0, 1, 3, 4)
    torch.ops.aten.threshold_backward.grad_input(values, kept.expand_as(values), 0, grad_input=out)
    return [replace(g, values=out)]


def _scaled(node: Node, g: Cotangent) -> Sequence[Cotangent | None] | None:
    """A batch normalisation: its input times one number for each channel."""
    edges, gain = node.next_functions, node._saved_tensor2
    shape = g.values.shape[2:]
    plain = node._saved_value == 1 and edges[0][0] is edges[2][0] is None
    if not plain or gain is None or gain.shape != (shape[0], *(1,) * (len(shape) - 1)):
        return None
    return [None, g.scaled(gain.expand(1, 1, *gain.shape)), None]


def _averaged(node: Node, g: Cotangent) -> Sequence[Cotangent | None] | None:
    """A mean over all positions."""
    sizes = node._saved_self.shape[2:]
    whole = node._saved_kernel_size == tuple(sizes) and not any(node._saved_padding)
    if not whole or node._saved_divisor_override is not None or g.values.shape[3:] != (1, 1):
        return None
    return [_spread(g.full(), sizes)]


def _mean(node: Node, g: Cotangent) -> Sequence[Cotangent | None] | None:
    sizes = node._saved_self_sym_sizes
    over = {dim if dim < 2**63 else dim - 2**64 for dim in node._saved_dim or ()}
    if len(sizes) != 4 or {dim % 4 for dim in over} != {2, 3}:
        return None
    full = g.full()
    return [_spread(full.reshape(*full.shape[:3], 1, 1), sizes[2:])]


def _spread(mean: Tensor, sizes: Sequence[int]) -> Cotangent:
    ones = mean.new_ones(1).expand(1, *mean.shape[1:3], *sizes)
    return Cotangent(ones, mean / (sizes[0] * sizes[1]))


_RULES: Mapping[str, Callable[[Node, Cotangent], Sequence[Cotangent | None] | None]] = {
    "CloneBackward0": _same,
    "AddBackward0": _added,
    "ReluBackward0": _rectified,
    "AddcmulBackward0": _scaled,
    "AvgPool2DBackward0": _averaged,
    "MeanBackward1": _mean,
}
"""By the name of a node; None where it is not the simple case."""
_APART = ("CopySlices", "struct torch::autograd::CopySlices")
"""Nodes that only torch can call."""

__all__ = ["Cotangent", "Unwalkable", "derivatives"]
