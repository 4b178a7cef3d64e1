"""Derivatives at few points: all of a small module in one evaluation and one backward pass, without looking at layers.

Kernels of small modules at few points cost the calls of functions, not their arithmetic. So every point gets weights of
its own, equal in value, and one evaluation of the module at all of these (`torch.func.vmap`, a point at a time) is
differentiated by torch as ever: what comes out are the derivatives point by point. A value belongs to its point alone
by construction. Whether the module also gives it among others, which kernels promise to try, is seen from one
evaluation of all points in another order, at every call. That torch's rules for many points give the right derivatives
is seen from a plain backward pass of it, once for each pair of graphs of the two evaluations. Hooks are no nodes of a
graph, and values at many points have none; so that the plain evaluation registers none is seen at every call.

What does not fit raises `Unfit`: then `polygeom.learning.tangent.known` goes the other ways, and finds the words.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor
from torch._functorch.vmap import (  # type: ignore[attr-defined]
    _add_batch_dim,
    _remove_batch_dim,
    lazy_load_decompositions,
    vmap_increment_nesting,
)
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from polygeom._dataclass import dataclass, field
from polygeom.errors import BudgetError
from polygeom.learning import checks
from polygeom.learning.calls import FILTERS, parts
from polygeom.learning.tangent.apart import SEPARATE, WINDOWS, Separate, has_windows
from polygeom.learning.tangent.functional import WeightFunction
from polygeom.learning.tangent.layers.pieces import Factor, Features

WHOLE = ""
"""The name of a factor that is the derivative by all weights together, in their order."""
_LOOPED = {
    torch.conv1d: 24, torch.conv2d: 24, torch.conv3d: 24,
    torch.conv_transpose1d: 24, torch.conv_transpose2d: 24, torch.conv_transpose3d: 24,
    functional.bilinear: 1000, functional.embedding_bag: 1000, torch._weight_norm: 1000,
}  # fmt: skip
"""What torch evaluates point by point where weights differ, and what that costs, in microseconds about or too much."""
_CALL, _LAYER, _MODE, _FAST = 150, 220, 40, 100
"""Microseconds of a function with its backward pass together and layer by layer, more that `Separate` takes, and the
numbers that are written, read and multiplied in one of them."""
_ATTENTION = (
    functional.multi_head_attention_forward, functional.scaled_dot_product_attention,
    torch._transformer_encoder_layer_fwd, torch._native_multi_head_attention,
)  # fmt: skip
_COPIED = 2**18
"""Numbers in derivatives and values together that cost less than the calls of functions."""
_FEW = 2**16
"""Numbers in points, and in derivatives of one output, of which all are evaluated to see what one takes."""
FIRST = 4
"""So much more may points together cost than layers that were not looked at before."""


class Unfit(Exception):
    """Derivatives at many points at once are not to be had here."""


@dataclass(frozen=True)
class Size:
    """Of one evaluation at one point.

    Attributes
    ----------
    outputs:
        The shape of what comes out.
    calls:
        How many functions of torch are called.
    numbers:
        That come out of these.
    looped, separable:
        What functions cost that are evaluated point by point, in microseconds about; and those of them that `Separate`
        does at once.
    attention:
        Whether attention is among the functions.
    """

    outputs: torch.Size
    calls: int
    numbers: int
    looped: int
    separable: int
    attention: bool

    def separate(self, points: int) -> bool:
        """Whether functions are better done by `Separate`."""
        return points * self.separable > _MODE * self.calls

    def copied(self, points: int, outputs: int, parameters: int) -> bool:
        """Whether an evaluation for every output costs less than several backward passes as one."""
        more, looped = points * (outputs - 1), self.looped + (0 if self.separate(points) else self.separable)
        return more * looped <= _MODE * self.calls and more * outputs * (parameters + self.numbers) <= _COPIED

    def costs(self, points: int, outputs: int, parameters: int) -> tuple[int, int]:
        """What derivatives of so many outputs cost together and layer by layer, in microseconds about.

        Layers cost more for every function that is called, and less for every number that comes out.
        """
        loops = self.looped * points + min(_MODE * self.calls, self.separable * points)
        together = _CALL * self.calls + loops + points * outputs * (parameters + self.numbers) // _FAST
        return together, _LAYER * self.calls + points * outputs * self.numbers // _FAST


class _Counter(TorchFunctionMode):
    """Counts functions and what comes out of them."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = self.numbers = self.looped = self.separable = 0
        self.attention = False

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.attention |= func in _ATTENTION
        if isinstance(result, Tensor):
            self.calls += 1
            self.numbers += result.numel()
            cost = _LOOPED.get(func, 0)
            windows = cost and func in WINDOWS and has_windows(*args, **(kwargs or {}))
            if windows:
                self.numbers += result.numel() * args[1].numel() // args[1].shape[0] ** 2
            if windows or (func in SEPARATE and func not in WINDOWS):
                self.separable += cost
            else:
                self.looped += cost
        return result


@dataclass(frozen=True, eq=False)
class Plain:
    """Outputs ``(n, C)`` of one evaluation of all points ``x``, backwards, and the weights of its graph.

    The last point comes before and after them once more: so they are neither sorted nor the same from the other end,
    and no rotation of them is.
    """

    x: Tensor
    weights: dict[str, Tensor]
    value: Tensor

    def at(self, x: Tensor) -> bool:
        """Whether these are the points."""
        return self.x.data_ptr() == x.data_ptr() and self.x.shape == x.shape and self.x.stride() == x.stride()


def plain(f: WeightFunction, x: Tensor, *, watch: AbstractContextManager[Any] | None = None) -> Plain:
    """It may raise whatever the module does, and `Unfit` for hooks."""
    weights = {name: weight.detach().requires_grad_() for name, weight in f.weights.items()}
    order, hooks = torch.cat([x[-1:], x.flip(0), x[-1:]]), RemovableHandle.next_id
    with torch.enable_grad(), watch or nullcontext():
        value = f.outputs(weights, order)
    if RemovableHandle.next_id != hooks:
        raise Unfit("hooks, which change derivatives out of sight")
    if value.grad_fn is None:
        raise Unfit("outputs without derivatives")
    return Plain(x, weights, value)


def size_of(f: WeightFunction, x: Tensor) -> tuple[Size, Plain | None]:
    """What an evaluation at a point takes; and the evaluation of all points that shows it, unless there are many."""
    counter, one, found = _Counter(), x[:1], None
    if max(x.numel(), x.shape[0] * f.parameter_count) <= _FEW:
        found = plain(f, x, watch=counter)
        y, count = found.value, x.shape[0] + 2
    else:
        with torch.no_grad(), counter:
            y, count = f.outputs(f.weights, one), 1
    size = Size(
        y.shape[1:], counter.calls, counter.numbers // count, counter.looped, counter.separable, counter.attention
    )
    return size, found


@dataclass(eq=False)
class Seen:
    """What was seen of a module.

    Attributes
    ----------
    graphs:
        Backward passes whose derivatives were compared with plain ones, by the shapes of points and result.
    sizes:
        Of evaluations, by the shape of a point; None where points together were no way. They decide what is taken, so
        that it does no harm if they are those of another evaluation.
    layered:
        By what was asked: whether derivatives layer by layer are to be had.
    """

    graphs: dict[Any, set[tuple[Any, ...]]] = field(default_factory=dict)
    sizes: dict[Any, Size | None] = field(default_factory=dict)
    layered: dict[Any, bool] = field(default_factory=dict)


def few(seen: Seen, size: Size, known: Sequence[Plain] = ()) -> Callable[[WeightFunction, Tensor | None], Features]:
    """Derivatives of a module of which ``seen`` is known, with evaluations of a size; factors are one, `WHOLE`.

    Evaluations that are ``known`` are not made again.
    """

    def rule(f: WeightFunction, combinations: Tensor | None = None) -> Features:
        def features(x: Tensor) -> list[Factor]:
            try:
                with checks.plain_attention() if size.attention else nullcontext():
                    return [Factor(WHOLE, explicit=_derivatives(f, combinations, x, seen, size, known))]
            except (BudgetError, Unfit):
                raise
            except Exception as error:  # whatever torch's rules for many points stumble over
                raise Unfit(str(error)) from error

        return features

    return rule


def _derivatives(
    f: WeightFunction, combinations: Tensor | None, x: Tensor, seen: Seen, size: Size, evaluated: Sequence[Plain]
) -> Tensor:
    """``(N, C', P)``, of the outputs or of ``combinations`` ``(C', C)`` of them.

    Points are evaluated once for each row of the result where that costs less than several backward passes as one.
    """
    count, like = x.shape[0], next(iter(f.weights.values()))
    if combinations is None:
        rows = torch.eye(size.outputs.numel(), dtype=like.dtype, device=like.device)
    else:
        rows = combinations.to(like)
    copies = len(rows) if size.copied(count, len(rows), f.parameter_count) else 1
    weights = {
        name: weight.expand(copies * count, *weight.shape).requires_grad_() for name, weight in f.weights.items()
    }
    key = (x.shape, x.dtype, len(rows), tuple(weights))
    first = key not in seen.graphs
    with FILTERS if first else nullcontext(), warnings.catch_warnings() if first else nullcontext():
        if first:
            warnings.filterwarnings("error", message="There is a performance drop")
        with Separate() if size.separate(copies * count) else nullcontext():
            y = _apart(f, weights, x.repeat(copies, *(1,) * (x.ndim - 1)) if copies > 1 else x)
        if y.grad_fn is None or y.shape[1] != rows.shape[1]:
            raise Unfit("outputs without derivatives, or others than before")
        found = _pulled(y, list(weights.values()), rows, copies)
    own = next((one for one in evaluated if one.at(x)), None)
    if own is None:
        own = plain(f, x)
    elif _keeps_points(f.module):  # what is left in a module is that of an evaluation
        with torch.no_grad():
            f(f.weights, x[:1])
    graphs = graph_of(y), graph_of(own.value)
    known = graphs in seen.graphs.get(key, ())
    _compare(own, y.detach()[:count], found, None if known else rows)
    if not known:
        seen.graphs.setdefault(key, set()).add(graphs)
    return found


def _apart(f: WeightFunction, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Outputs ``(N, C)`` of every point alone, each with its own weights ``(N, …)``.

    This is `torch.func.vmap` of `WeightFunction.point` without its handling of nested arguments, which takes as long as
    the evaluation of a small module.
    """
    lazy_load_decompositions()
    with torch.enable_grad(), vmap_increment_nesting(x.shape[0], "error") as level:
        own = {name: _add_batch_dim(weight, 0, level) for name, weight in weights.items()}
        y = f.point(own, _add_batch_dim(x, 0, level))
        found: Tensor = _remove_batch_dim(y, level, x.shape[0], 0)
    return found


def _pulled(y: Tensor, weights: Sequence[Tensor], rows: Tensor, copies: int) -> Tensor:
    """Derivatives of ``rows`` ``(C', C)`` of the outputs, ``(N, C', P)``, in one backward pass."""
    size, points = rows.shape[0], y.shape[0] // copies
    if copies == size:
        given = rows.expand(points, *rows.shape).transpose(0, 1).reshape(y.shape)
    else:
        given = rows.unsqueeze(1).expand(size, *y.shape)
    pulled = torch.autograd.grad(y, weights, given, is_grads_batched=copies < size, allow_unused=True)
    flat = [
        y.new_zeros(size, points, w[0].numel()) if own is None else own.reshape(size, points, -1)
        for own, w in zip(pulled, weights, strict=True)
    ]
    return torch.cat(flat, dim=2).transpose(0, 1)


def _keeps_points(module: nn.Module) -> bool:
    """Whether an attribute is a tensor of an evaluation of points apart."""
    return any(
        isinstance(value, Tensor) and is_functorch_wrapped_tensor(value)
        for _, part in parts(module)
        for value in vars(part).values()
    )


def _compare(own: Plain, y: Tensor, found: Tensor, rows: Tensor | None) -> None:
    """Values, and derivatives of ``rows`` if given, with those of one evaluation of all points."""
    value, weights = own.value.reshape(own.value.shape[0], -1), own.weights
    if not _close(value.detach(), torch.cat([y[-1:], y.flip(0), y[-1:]])):
        raise Unfit("points that influence each other, or outputs that change")
    if rows is None:
        return
    shares = torch.linspace(1.0, 2.0, len(value) * len(rows), dtype=y.dtype, device=y.device).view(len(value), -1)
    pulled = torch.autograd.grad(value, list(weights.values()), shares @ rows, allow_unused=True)
    expected = torch.cat([
        torch.zeros_like(w).reshape(-1) if own is None else own.reshape(-1)
        for own, w in zip(pulled, weights.values(), strict=True)
    ])  # fmt: skip
    by_point = shares[1:-1].flip(0)
    by_point[-1] += shares[0] + shares[-1]
    if not _close(by_point.reshape(-1) @ found.reshape(by_point.numel(), -1), expected):
        raise Unfit("derivatives that differ")


def _close(one: Tensor, other: Tensor) -> bool:
    """As `polygeom.learning.checks.close`, with fewer functions, for what is finite."""
    furthest, largest = (torch.linalg.vector_norm(x, torch.inf) for x in (one - other, other))
    limit: float = torch.finfo(one.dtype).eps ** 0.5 * float(largest)
    return float(furthest) <= limit < torch.inf


def graph_of(y: Tensor) -> tuple[Any, ...]:
    """The functions of a backward pass and how they are connected; equal for equal evaluations.

    Examples
    --------
    >>> x = torch.ones(2, requires_grad=True)
    >>> graph_of(x.sin()) == graph_of(2 * x.sin()), graph_of(x.sin()) == graph_of((3 + x).sin())
    (False, False)
    >>> graph_of(x.sin()) == graph_of((x + 0).detach().requires_grad_().sin())
    True
    """
    waiting: list[Any] = [y.grad_fn]
    number, told = {y.grad_fn: 0}, list[Any]()
    for node in waiting:
        told.append(type(node))
        for one, position in node.next_functions:
            known = number.get(one, -1) if one is not None else -2
            if known == -1:
                known = number[one] = len(waiting)
                waiting.append(one)
            told += known, position
    return tuple(told)


_LOCK = Lock()
_SEEN: WeakKeyDictionary[nn.Module, Seen] = WeakKeyDictionary()


def seen_of(module: nn.Module) -> Seen:
    """What was seen of a module, kept as long as it."""
    with _LOCK:
        return _SEEN.setdefault(module, Seen())


__all__ = ["FIRST", "WHOLE", "Plain", "Seen", "Size", "Unfit", "few", "graph_of", "plain", "seen_of", "size_of"]
