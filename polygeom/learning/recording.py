"""Where weights meet data: the uses of every weight in one evaluation of a module.

A dense layer adds ``b ⊗ a`` to the derivative of an output, ``a`` its input and ``b`` the derivative of the output by
its value. Both are known for all points after one forward and one backward pass, so neither derivatives point by point
nor the Jacobian itself need be formed. This module watches the torch functions that a module calls and notes every
place where a weight acts on data by a dense map, a convolution or a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from polygeom.learning.functional import WeightFunction

_ADDITIONS = (torch.add, torch.Tensor.add, torch.Tensor.__add__, torch.Tensor.__radd__)
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
    inputs:
        ``(N, T, k)``, or None where the weight is added.
    outputs:
        The value that came out, part of the graph of the outputs.
    arrange:
        Brings derivatives by ``outputs``, shape ``(…, *outputs.shape)``, to ``(…, N, T, m)``.
    """

    weight: Tensor
    inputs: Tensor | None
    outputs: Tensor
    arrange: Callable[[Tensor], Tensor]


@dataclass
class _Recorder(TorchFunctionMode):
    """Follows weights, constants and data through an evaluation and collects `Use`s."""

    weights: list[Tensor]
    constants: list[Tensor]
    uses: list[Use] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._kinds = {id(t): (_WEIGHT, t) for t in self.weights} | {id(t): (_CONSTANT, t) for t in self.constants}
        self._read: list[tuple[Tensor, int]] = []

    def kind(self, tensor: Tensor) -> str:
        return self._kinds.get(id(tensor), (_DATA, tensor))[0]

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        kinds = {self.kind(t) for t in _tensors((args, kwargs))}
        if _WEIGHT in kinds and _DATA in kinds:
            return self._meeting(function, args, kwargs)
        result = function(*args, **kwargs)
        if _DATA not in kinds:
            for tensor in _tensors(result):
                self._kinds[id(tensor)] = (_WEIGHT if _WEIGHT in kinds else _CONSTANT, tensor)
        return result

    def _meeting(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if function is functional.linear:
            return self._linear(*args, **kwargs)
        if function in (functional.conv2d, torch.conv2d):
            return self._convolution(*args, **kwargs)
        if function in _ADDITIONS and len(args) == 2 and not kwargs:
            x, b = args if self.kind(args[1]) == _WEIGHT else args[::-1]
            if b.ndim == 1 and x.ndim >= 2 and x.shape[-1] == len(b):
                y = x + b
                self._note(y, b, None, _positions_last)
                return y.clone()
        result = function(*args, **kwargs)
        if next(_tensors(result), None) is not None:
            raise NotRecordable(f"{getattr(function, '__name__', function)} of a weight and data")
        return result

    def _linear(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:  # noqa: A002
        if self.kind(input) == _WEIGHT or input.ndim < 2:
            raise NotRecordable("a dense map whose input is a weight, or of one point alone")
        y = functional.linear(input, weight, bias)
        if self.kind(weight) == _WEIGHT:
            self._note(y, weight, self._keep(input).reshape(len(input), -1, input.shape[-1]), _positions_last)
        if bias is not None and self.kind(bias) == _WEIGHT:
            self._note(y, bias, None, _positions_last)
        return y.clone()

    def _convolution(
        self,
        input: Tensor,  # noqa: A002
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        if self.kind(input) == _WEIGHT or groups != 1 or isinstance(padding, str) or input.ndim != 4:
            raise NotRecordable("a convolution in groups, with named padding or of one point alone")
        y = functional.conv2d(input, weight, bias, stride, padding, dilation)
        if self.kind(weight) == _WEIGHT:
            windows = functional.unfold(self._keep(input).detach(), weight.shape[2:], dilation, padding, stride)
            self._note(y, weight, windows.transpose(1, 2), _channels_last)
        if bias is not None and self.kind(bias) == _WEIGHT:
            self._note(y, bias, None, _channels_last)
        return y.clone()

    def _keep(self, tensor: Tensor) -> Tensor:
        self._read.append((tensor, tensor._version))
        return tensor

    def _note(self, y: Tensor, weight: Tensor, inputs: Tensor | None, arrange: Callable[[Tensor], Tensor]) -> None:
        """Modules receive a copy of ``y``, so that a later change in place cannot touch what was noted."""
        self.uses.append(Use(weight, None if inputs is None else inputs.detach(), y, arrange))

    def check(self) -> None:
        if any(tensor._version != version for tensor, version in self._read):
            raise NotRecordable("the input of a layer is changed in place afterwards")


def _positions_last(b: Tensor) -> Tensor:
    """``(C, N, …, m)`` to ``(C, N, T, m)``."""
    return b.reshape(*b.shape[:2], -1, b.shape[-1])


def _channels_last(b: Tensor) -> Tensor:
    """``(C, N, m, height, width)`` to ``(C, N, T, m)``."""
    return b.flatten(start_dim=3).transpose(2, 3)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _tensors(entry)


def record(f: WeightFunction, x: Tensor) -> tuple[Tensor, dict[str, Tensor], list[Use]]:
    """Outputs ``(N, C)``, the weights of their graph, and every use of a weight.

    Raises
    ------
    NotRecordable
        When a weight meets data in a function without a rule.
    """
    weights = {name: weight.detach().requires_grad_() for name, weight in f.weights.items()}
    recorder = _Recorder(list(weights.values()), list(f.constants.values()))
    with torch.enable_grad(), recorder:
        y = f(weights, x)
    recorder.check()
    return y, weights, recorder.uses


__all__ = ["NotRecordable", "Use", "record"]
