"""Where weights meet data: the uses of every weight in one evaluation of a module.

A dense layer adds ``b ⊗ a`` to the derivative of an output, ``a`` its input and ``b`` the derivative of the output by
its value. Both are known for all points after one forward and one backward pass, so neither derivatives point by point
nor the Jacobian itself need be formed. This module watches the torch functions that a module calls and notes every
place where a weight acts on data by a dense map, a convolution, a sum, or the scale and shift of a batch normalisation
with fixed statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from polygeom.learning.tangent.functional import WeightFunction

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


@dataclass
class _Recorder(TorchFunctionMode):
    """Follows weights, constants and data through an evaluation and collects `Use`s."""

    weights: list[Tensor]
    constants: list[Tensor]
    points: Tensor
    uses: list[Use] = field(default_factory=list)
    nbytes: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self._kinds = {id(t): (_WEIGHT, t) for t in self.weights} | {id(t): (_CONSTANT, t) for t in self.constants}
        self._kinds[id(self.points)] = (_DATA, self.points)
        self._read: list[tuple[Tensor, int]] = []

    def kind(self, tensor: Tensor) -> str:
        """Of a tensor that was not met before: positions that a module keeps are constant, numbers count as data."""
        return self._kinds.get(id(tensor), (_DATA if tensor.is_floating_point() else _CONSTANT, tensor))[0]

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        kinds = {self.kind(t) for t in _tensors((args, kwargs))}
        if _WEIGHT in kinds and _DATA in kinds:
            result = self._meeting(function, args, kwargs)
            self.nbytes += 2 * sum(t.numel() * t.element_size() for t in _tensors(result))  # with the noted value
            return result
        result = function(*args, **kwargs)
        if _DATA in kinds:
            self.nbytes += sum(t.numel() * t.element_size() for t in _tensors(result))
            self._kinds |= {id(t): (_DATA, t) for t in _tensors(result) if not t.is_floating_point()}
        else:
            for tensor in _tensors(result):
                self._kinds[id(tensor)] = (_WEIGHT if _WEIGHT in kinds else _CONSTANT, tensor)
        return result

    def _meeting(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if function is functional.linear:
            return self._linear(*args, **kwargs)
        if function in (functional.conv2d, torch.conv2d):
            return self._convolution(*args, **kwargs)
        if function is functional.batch_norm:
            return self._batch_normalisation(*args, **kwargs)
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
            rows = self._keep(input).detach().reshape(len(input), -1, input.shape[-1])
            self._note(y, weight, lambda: rows, _positions_last)
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
            image, size = self._keep(input).detach(), weight.shape[2:]
            self._note(
                y, weight, lambda: functional.unfold(image, size, dilation, padding, stride).transpose(1, 2),
                _channels_last,
            )  # fmt: skip
        if bias is not None and self.kind(bias) == _WEIGHT:
            self._note(y, bias, None, _channels_last)
        return y.clone()

    def _batch_normalisation(
        self,
        input: Tensor,  # noqa: A002
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        statistics = [self.kind(s) for s in (running_mean, running_var) if s is not None]
        if training or statistics != [_CONSTANT, _CONSTANT] or self.kind(input) == _WEIGHT:
            raise NotRecordable("a batch normalisation whose statistics are not fixed")
        y = functional.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
        if weight is not None and self.kind(weight) == _WEIGHT:
            image = self._keep(input).detach()
            self._note(
                y, weight,
                lambda: _channels_last(functional.batch_norm(image, running_mean, running_var, eps=eps)[None])[0],
                _channels_last, scales=True,
            )  # fmt: skip
        if bias is not None and self.kind(bias) == _WEIGHT:
            self._note(y, bias, None, _channels_last)
        return y.clone()

    def _keep(self, tensor: Tensor) -> Tensor:
        self._read.append((tensor, tensor._version))
        return tensor

    def _note(
        self,
        y: Tensor,
        weight: Tensor,
        read: Callable[[], Tensor] | None,
        arrange: Callable[[Tensor], Tensor],
        *,
        scales: bool = False,
    ) -> None:
        """Modules receive a copy of ``y``, so that a later change in place cannot touch what was noted."""
        self.uses.append(Use(weight, read, y, arrange, scales))

    def check(self) -> None:
        if any(tensor._version != version for tensor, version in self._read):
            raise NotRecordable("the input of a layer is changed in place afterwards")


def _positions_last(b: Tensor) -> Tensor:
    """``(C, N, …, m)`` to ``(C, N, T, m)``."""
    return b.reshape(*b.shape[:2], -1, b.shape[-1])


def _channels_last(b: Tensor) -> Tensor:
    """``(C, N, m, …)`` to ``(C, N, T, m)``."""
    return b.reshape(*b.shape[:3], -1).transpose(2, 3)


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
    recorder = _Recorder(list(weights.values()), list(f.constants.values()), x)
    with torch.enable_grad(), recorder:
        y = f(weights, x)
    recorder.check()
    return Record(y, weights, recorder.uses, recorder.nbytes)


__all__ = ["NotRecordable", "Record", "Use", "record"]
