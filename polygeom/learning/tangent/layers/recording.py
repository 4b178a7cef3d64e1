"""Where weights meet data: the uses of every weight in one evaluation of a module.

A dense layer adds ``b ⊗ a`` to the derivative of an output, ``a`` its input and ``b`` the derivative of the output by
its value. Both are known for all points after one forward and one backward pass, so neither derivatives point by point
nor the Jacobian itself need be formed. This module watches the torch functions that a module calls and notes every
place where a weight acts on data by one of the rules of `polygeom.learning.tangent.layers.rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from polygeom._dataclass import dataclass
from polygeom.learning.tangent.functional import WeightFunction
from polygeom.learning.tangent.layers.composed import COMPOSED
from polygeom.learning.tangent.layers.graphs import Teller, Told
from polygeom.learning.tangent.layers.rules import PAIRED, RULES, Action, NotRecordable

_WEIGHT, _CONSTANT, _DATA = "weight", "constant", "data"


@dataclass(frozen=True, eq=False)
class Use:
    """One action of a weight on data at ``N`` points, ``G`` groups and ``T`` positions each.

    Attributes
    ----------
    weight:
        The acting tensor: a weight, or computed from weights alone.
    action:
        The function that was called.
    shifts:
        Whether the weight is its summand.
    points:
        ``N``.
    axis:
        Of the points, in the outputs; -1 if points and positions are one axis, points first.
    flipped:
        Whether the weight has the shape ``(k, m)`` instead of ``(m, k)``.
    """

    weight: Tensor
    action: Action
    shifts: bool
    points: int
    axis: int
    flipped: bool = False

    @property
    def outputs(self) -> Tensor:
        """The value that came out, part of the graph of the outputs of the module."""
        return self.action.outputs

    @property
    def is_matrix(self) -> bool:
        """Whether derivatives by the weight are sums of outer products."""
        return not self.shifts and self.action.is_matrix

    def back(self, values: Tensor) -> Tensor:
        """Derivatives ``(C, *outputs.shape)`` by the outputs as ``(N, C, G, m, T)``."""
        return self.action.arrange(values, self.points, self.axis)

    def read(self) -> Tensor:
        """What the weight acts on, ``(N, G, k, T)``, or rows ``(N, 1, T)`` of an embedding."""
        if self.action.read is None:
            raise NotRecordable("a weight that reads nothing")
        found = self.action.read()
        if not found.is_floating_point():
            rows = found.reshape(self.points, -1, *found.shape[1:]) if self.axis < 0 else found.movedim(self.axis, 0)
            return rows.reshape(self.points, 1, -1)
        if not self.action.channels_first:
            return self.action.arrange(found.unsqueeze(0), self.points, self.axis)[:, 0]
        groups, positions = self.action.groups, self.outputs.shape[2:].numel()
        if len(found) == self.points and found.ndim == 4 and found.shape[1] == groups and found.shape[3] == positions:
            return found
        split = found.reshape(self.points, -1, groups, found[0].numel() // (groups * positions), positions)
        return split.permute(0, 2, 3, 1, 4).flatten(start_dim=3)

    def summed(self, values: Tensor) -> Tensor:
        """Derivatives ``(C, *outputs.shape)`` by outputs as ones by a weight that is no matrix, ``(N, C, size)``."""
        if self.action.loose:
            return self._broadcast(values)
        back = self.back(values)
        if self.shifts:
            return back.sum(dim=4).flatten(start_dim=2)
        read = self.read().transpose(1, 2)  # (N, m, 1, T), one group
        return torch.matmul(back[:, :, 0].transpose(1, 2), read.transpose(2, 3))[..., 0].transpose(1, 2)

    def _broadcast(self, values: Tensor) -> Tensor:
        if not self.shifts and self.action.read is not None:
            values = values * self.action.read()
        shape = [1] * (self.outputs.ndim - self.weight.ndim) + list(self.weight.shape)
        if self.axis < 0 or shape.pop(self.axis) != 1:
            raise NotRecordable("a weight for every point")
        values = values.movedim(self.axis + 1, 1)
        gone = [axis + 2 for axis, size in enumerate(shape) if size == 1]
        summed = values.sum(dim=gone) if gone else values
        return summed.reshape(len(values), self.points, -1).transpose(0, 1)


class _Recorder(TorchFunctionMode):
    """Follows weights, constants and data through an evaluation and collects `Use`s.

    What weights gave is handed on to the module as a copy, so that an activation in place cannot change it.
    """

    def __init__(
        self, weights: Iterable[Tensor], constants: Iterable[Tensor], points: Tensor, axes: Sequence[int] | None
    ) -> None:
        super().__init__()
        self.actions: list[Action] = []
        self.uses: list[Use] = []
        self.nbytes = 0
        self._points, self._axes = len(points), axes
        weights, constants = list(weights), list(constants)
        self.teller = Teller([*weights, *constants, points])
        self._kinds = {id(t): (_WEIGHT, t) for t in weights} | {id(t): (_CONSTANT, t) for t in constants}
        self._leaves = set(self._kinds)
        self._kinds[id(points)] = (_DATA, points)
        self._turned: dict[int, Tensor] = {}
        self._reshaped: dict[int, Tensor] = {}
        self._read: list[tuple[Tensor, int]] = []

    def kind(self, tensor: Tensor) -> str:
        """Of a tensor that was not met before: positions that a module keeps are constant, numbers count as data."""
        known = self._kinds.get(id(tensor))
        return known[0] if known is not None else _DATA if tensor.is_floating_point() else _CONSTANT

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        kinds = {self.kind(t) for t in _tensors(args)}
        if kwargs:
            kinds |= {self.kind(t) for t in _tensors(kwargs.values())}
        meeting = _WEIGHT in kinds and _DATA in kinds
        if meeting and func in COMPOSED:
            with self:
                return COMPOSED[func](*args, **kwargs)
        self.teller.called(func, args, kwargs)
        return self.teller.gave(self._evaluated(func, args, kwargs, kinds, meeting))

    def _evaluated(
        self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], kinds: set[str], meeting: bool
    ) -> Any:
        if meeting and func in RULES:
            return self._note(RULES[func](*args, **kwargs))
        result = func(*args, **kwargs)
        if meeting and func in PAIRED and len(args) == 2 and not kwargs and all(isinstance(t, Tensor) for t in args):
            return self._note(PAIRED[func](result, *args, weight_first=self.kind(args[0]) == _WEIGHT))
        self._follow(func, args, kinds, result)
        return result

    def _note(self, action: Action) -> Tensor:
        if any(self.kind(one) == _WEIGHT for one in (action.data, *action.others)):
            raise NotRecordable("a layer whose input is a weight")
        if any(self.kind(one) != _CONSTANT for one in action.constants):
            raise NotRecordable("a batch normalisation whose statistics are not fixed")
        axis = self._axis(action)
        self.actions.append(action)
        for tensor, shifts in ((action.weight, False), (action.bias, True)):
            if tensor is not None and self.kind(tensor) == _WEIGHT:
                turned = self._turned.get(id(tensor))
                flipped = action.flipped != (turned is not None)
                own = tensor if turned is None else turned
                if tensor is action.weight and action.is_matrix:
                    own = self._reshaped.get(id(tensor), own)
                self.uses.append(Use(own, action, shifts, self._points, axis, flipped))
        if action.read is not None:
            self._read += [(one, one._version) for one in (action.data, *action.others)]
        self.nbytes += 3 * action.outputs.numel() * action.outputs.element_size()
        if not action.outputs.requires_grad:  # nothing before it has derivatives
            action.outputs.requires_grad_()
        return action.outputs.clone()

    def _axis(self, action: Action) -> int:
        found = action.axes(self._points)
        if not found:
            raise NotRecordable("a layer that does not keep points apart")
        if self._axes is None:
            return found[0]
        number = len(self.actions)
        if number >= len(self._axes) or self._axes[number] not in found:
            raise NotRecordable("layers whose shapes depend on the number of points")
        return self._axes[number]

    def _follow(self, function: Any, args: Sequence[Any], kinds: set[str], result: Any) -> None:
        found = _tensors((result,))
        if not found:
            return
        if _DATA in kinds:
            if _WEIGHT in kinds:
                raise NotRecordable(f"{getattr(function, '__name__', function)} of a weight and data")
            self.nbytes += sum(t.numel() * t.element_size() for t in found)
            self._kinds |= {id(t): (_DATA, t) for t in found if not t.is_floating_point()}
            return
        for tensor in found:
            self._kinds[id(tensor)] = (_WEIGHT if _WEIGHT in kinds else _CONSTANT, tensor)
            if args and isinstance(args[0], Tensor) and id(args[0]) in self._leaves:
                if _turned(args[0], tensor):
                    self._turned[id(tensor)] = args[0]
                elif _reshaped(args[0], tensor):
                    self._reshaped[id(tensor)] = args[0]

    def check(self) -> None:
        if any(tensor._version != version for tensor, version in self._read):
            raise NotRecordable("the input of a layer is changed in place afterwards")


def _turned(one: Tensor, other: Tensor) -> bool:
    """Whether two matrices are transposes of each other in memory."""
    same = one.ndim == other.ndim == 2 and one.data_ptr() == other.data_ptr()
    return same and one.shape == other.shape[::-1] and one.stride() == other.stride()[::-1] and min(one.shape) > 1


def _reshaped(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same entries in memory, in the same order."""
    same = one.data_ptr() == other.data_ptr() and one.numel() == other.numel()
    return same and one.is_contiguous() and other.is_contiguous()


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    found = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors(value)
        elif isinstance(value, dict):
            found += _tensors(value.values())
    return found


@dataclass(frozen=True, eq=False)
class Record:
    """One evaluation.

    Attributes
    ----------
    outputs:
        ``(N, C)``.
    weights:
        Those of their graph, by name.
    uses:
        Every use of a weight, in order.
    actions:
        The functions that used them.
    nbytes:
        What the values of all functions take together.
    graph:
        What was done, see `polygeom.learning.tangent.layers.graphs`; None where not all of it was seen.
    """

    outputs: Tensor
    weights: dict[str, Tensor]
    uses: list[Use]
    actions: list[Action]
    nbytes: int
    graph: Told | None


def record(f: WeightFunction, x: Tensor, axes: Sequence[int] | None = None) -> Record:
    """Evaluate and note every use of a weight.

    Parameters
    ----------
    f, x:
        The module and points ``(N, …)``.
    axes:
        Which axis is that of the points, for each function that uses weights; see `point_axes`. The first one of length
        ``N`` if None.

    Raises
    ------
    NotRecordable
        When a weight meets data in a function without a rule.
    """
    weights = {name: weight.detach().requires_grad_() for name, weight in f.weights.items()}
    recorder = _Recorder(weights.values(), f.constants.values(), x, axes)
    with torch.enable_grad():
        with recorder:
            value = f.value(weights, x)
        y = f.read(value, len(x))
        graph, y = recorder.teller.graph(y), y.reshape(len(x), -1)
    recorder.check()
    return Record(y, weights, recorder.uses, recorder.actions, recorder.nbytes, graph)


def point_axes(f: WeightFunction, x: Tensor, seen: Record) -> tuple[int, ...]:
    """The axis of the points for every function of a record at points ``x``, by another number of points if need be.

    Raises
    ------
    NotRecordable
        When the two evaluations do not fit together.
    """
    found = [action.axes(len(x)) for action in seen.actions]
    if all(len(axes) == 1 for axes in found):
        return tuple(axes[0] for axes in found)
    again = record(f, torch.cat([x, x[:1]])).actions
    if len(again) != len(found):
        raise NotRecordable("layers that depend on the number of points")
    both = [[a for a in axes if a in other.axes(len(x) + 1)] for axes, other in zip(found, again, strict=True)]
    if any(len(axes) != 1 for axes in both):
        raise NotRecordable("a layer that does not keep points apart")
    return tuple(axes[0] for axes in both)


__all__ = ["NotRecordable", "Record", "Use", "point_axes", "record"]
