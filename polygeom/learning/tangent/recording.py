"""Where weights meet data: the uses of every weight in one evaluation of a module.

A dense layer adds ``b ⊗ a`` to the derivative of an output, ``a`` its input and ``b`` the derivative of the output by
its value. Both are known for all points after one forward and one backward pass, so neither derivatives point by point
nor the Jacobian itself need be formed. This module watches the torch functions that a module calls and notes every
place where a weight acts on data by a dense map, a convolution, a sum, or the scale and shift of a batch normalisation
with fixed statistics (`polygeom.learning.recording`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from polygeom.learning.recording import Layer, Recorder, by_position
from polygeom.learning.tangent.functional import WeightFunction

_WEIGHT, _CONSTANT, _DATA = "weight", "constant", "data"


class NotRecordable(Exception):
    """A weight acts on data in a way that has no layer-wise rule; the generic derivatives remain."""


@dataclass(frozen=True, eq=False)
class Use:
    """One action of a weight on data at ``N`` points and ``T`` positions each.

    Attributes
    ----------
    weight:
        The acting tensor: a weight, or computed from weights alone.
    read:
        Gives what the weight acts on, ``(N, T, k)``, when it is needed: the windows of a convolution take more memory
        than its input. None where the weight is added.
    outputs:
        The value that came out, part of the graph of the outputs.
    arrange:
        Brings derivatives by ``outputs``, shape ``(…, *outputs.shape)``, to ``(…, N, T, m)``.
    scales:
        Whether the weight multiplies entry by entry, with ``k = m``, instead of as a matrix.
    """

    weight: Tensor
    read: Callable[[], Tensor] | None
    outputs: Tensor
    arrange: Callable[[Tensor], Tensor]
    scales: bool = False


class _Recorder(Recorder):
    """Follows weights, constants and data through an evaluation and collects `Use`s."""

    def __init__(self, weights: Iterable[Tensor], constants: Iterable[Tensor], points: Tensor) -> None:
        super().__init__()
        self.uses: list[Use] = []
        self.nbytes = 0
        self._kinds = {id(t): (_WEIGHT, t) for t in weights} | {id(t): (_CONSTANT, t) for t in constants}
        self._kinds[id(points)] = (_DATA, points)
        self._read: list[tuple[Tensor, int]] = []

    def kind(self, tensor: Tensor) -> str:
        """Of a tensor that was not met before: positions that a module keeps are constant, numbers count as data."""
        return self._kinds.get(id(tensor), (_DATA if tensor.is_floating_point() else _CONSTANT, tensor))[0]

    def layer(self, layer: Layer) -> Tensor | None:
        weight, bias = (
            one if one is not None and self.kind(one) == _WEIGHT else None for one in (layer.weight, layer.bias)
        )
        rest = [one for one in (layer.weight, layer.bias, *layer.statistics) if one is not None]
        if (weight is None and bias is None) or _DATA not in map(self.kind, [layer.inputs, *rest]):
            return None
        fixed = all(self.kind(one) == _CONSTANT for one in layer.statistics)
        if layer.windows is None or self.kind(layer.inputs) == _WEIGHT or not fixed:
            raise NotRecordable(
                "a batch normalisation whose statistics are not fixed"
                if layer.statistics
                else "a layer in groups, with named padding, of one point alone, or whose input is a weight"
            )
        if weight is not None:
            self._read.append((layer.inputs, layer.inputs._version))
            self.uses.append(Use(weight, layer.windows, layer.outputs, layer.by_position, bool(layer.statistics)))
        if bias is not None:
            self.uses.append(Use(bias, None, layer.outputs, layer.by_position))
        return self._hand_on(layer.outputs)

    def added(self, value: Tensor, bias: Tensor, outputs: Tensor) -> Tensor | None:
        if self.kind(bias) != _WEIGHT or self.kind(value) != _DATA or value.ndim < 2:
            return None
        self.uses.append(Use(bias, None, outputs, partial(by_position, axes=outputs.ndim)))
        return self._hand_on(outputs)

    def other(self, function: Any, arguments: Any, result: Any) -> None:
        kinds = {self.kind(t) for t in _tensors(arguments)}
        if {_WEIGHT, _DATA} <= kinds:
            if next(_tensors(result), None) is not None:
                raise NotRecordable(f"{getattr(function, '__name__', function)} of a weight and data")
        elif _DATA in kinds:
            self.nbytes += sum(t.numel() * t.element_size() for t in _tensors(result))
            self._kinds |= {id(t): (_DATA, t) for t in _tensors(result) if not t.is_floating_point()}
        else:
            for tensor in _tensors(result):
                self._kinds[id(tensor)] = (_WEIGHT if _WEIGHT in kinds else _CONSTANT, tensor)

    def _hand_on(self, outputs: Tensor) -> Tensor:
        self.nbytes += 2 * outputs.numel() * outputs.element_size()
        return outputs.clone()

    def check(self) -> None:
        if any(tensor._version != version for tensor, version in self._read):
            raise NotRecordable("the input of a layer is changed in place afterwards")


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _tensors(entry)


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
    nbytes:
        What the values of all functions take together.
    """

    outputs: Tensor
    weights: dict[str, Tensor]
    uses: list[Use]
    nbytes: int


def record(f: WeightFunction, x: Tensor) -> Record:
    """Evaluate and note every use of a weight.

    Raises
    ------
    NotRecordable
        When a weight meets data in a function without a rule.
    """
    weights = {name: weight.detach().requires_grad_() for name, weight in f.weights.items()}
    recorder = _Recorder(weights.values(), f.constants.values(), x)
    with torch.enable_grad(), recorder:
        y = f(weights, x)
    recorder.check()
    return Record(y, weights, recorder.uses, recorder.nbytes)


__all__ = ["NotRecordable", "Record", "Use", "record"]
