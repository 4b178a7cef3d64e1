"""Layers as they are called: a watch over the functions of torch for who asks what a module does to its data.

A dense map, a convolution, an added bias and a batch normalisation are seen where they happen, at the functions of
torch, so modules, functional calls and polynomial networks (`polygeom.engines.torch_module.NetworkModule`) are all seen
alike. What is noted of them is said by who records: regions the affine maps between inputs and outputs
(`polygeom.learning.regions.affine`). Tangent kernels, which know many more functions, have their own watch
(`polygeom.learning.tangent.layers.recording`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from polygeom._dataclass import dataclass

_ADDITIONS = (torch.add, torch.Tensor.add, torch.Tensor.__add__, torch.Tensor.__radd__)


@dataclass(frozen=True, eq=False)
class Layer:
    """One application of weights to data at ``N`` points and ``T`` positions each: ``y = a Wᵀ + b``.

    Attributes
    ----------
    inputs, outputs:
        What the function read and gave: ``(N, …, k)`` and ``(N, …, m)``, or images ``(N, k, …)`` and ``(N, m, …)``.
    weight, bias:
        As the function got them.
    windows:
        Gives ``a``, ``(N, T, k)``: the windows of a convolution take more memory than its input. None where there is
        no such form (groups, named padding, one point alone, statistics of the batch).
    channels_first:
        Whether inputs and outputs are images.
    statistics:
        Mean and variance of a batch normalisation. Its weight multiplies entry by entry, with ``k = m``.
    """

    inputs: Tensor
    outputs: Tensor
    weight: Tensor | None
    bias: Tensor | None
    windows: Callable[[], Tensor] | None
    channels_first: bool = False
    statistics: tuple[Tensor, ...] = ()

    def by_position(self, values: Tensor) -> Tensor:
        """A tensor ``(…, *outputs.shape)`` as ``(…, N, T, m)``."""
        return by_position(values, self.outputs.ndim, self.channels_first)


def by_position(values: Tensor, axes: int, channels_first: bool = False) -> Tensor:
    """The last ``axes`` axes of a tensor, those of a layer's outputs, as ``(N, T, m)``.

    Examples
    --------
    >>> by_position(torch.zeros(5, 2, 3, 8, 8), 4, True).shape, by_position(torch.zeros(2, 3), 2).shape
    (torch.Size([5, 2, 64, 3]), torch.Size([2, 1, 3]))
    """
    points = values.shape[: values.ndim - axes + 1]
    if channels_first:
        return values.reshape(*points, values.shape[len(points)], -1).transpose(-1, -2)
    return values.reshape(*points, -1, values.shape[-1])


class Recorder(TorchFunctionMode):
    """Watches one evaluation; a subclass notes what it wants.

    What it notes it hands on to the module as a copy, so that an activation in place cannot change it.
    """

    def layer(self, layer: Layer) -> Tensor | None:
        """A layer was applied: the copy that the module goes on with, or None where it is not noted."""
        raise NotImplementedError

    def added(self, value: Tensor, bias: Tensor, outputs: Tensor) -> Tensor | None:
        """A vector was added along the last axis of a value: the same."""
        raise NotImplementedError

    def other(self, function: Any, arguments: Any, result: Any) -> None:
        """Anything else was called, or what was not noted."""
        raise NotImplementedError

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        noted = None
        if func in _LAYERS:
            noted = self.layer(_LAYERS[func](result, *args, **kwargs))
        elif func in _ADDITIONS and len(args) == 2 and not kwargs and all(isinstance(one, Tensor) for one in args):
            for value, bias in (args, args[::-1]):
                if noted is None and bias.shape == value.shape[-1:]:
                    noted = self.added(value, bias, result)
        if noted is not None:
            return noted
        self.other(func, (args, kwargs), result)
        return result


def _dense(outputs: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Layer:  # noqa: A002
    def windows() -> Tensor:
        return input.detach().reshape(len(input), -1, input.shape[-1])

    return Layer(input, outputs, weight, bias, windows if input.ndim > 1 else None)


def _convolution(
    outputs: Tensor,
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Layer:
    def windows() -> Tensor:
        return functional.unfold(input.detach(), weight.shape[2:], dilation, padding, stride).transpose(1, 2)

    plain = groups == 1 and input.ndim == 4 and not isinstance(padding, str)
    return Layer(input, outputs, weight, bias, windows if plain else None, channels_first=True)


def _normalisation(
    outputs: Tensor,
    input: Tensor,  # noqa: A002
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Layer:
    def windows() -> Tensor:
        normed = functional.batch_norm(input.detach(), running_mean, running_var, eps=eps)
        return by_position(normed, normed.ndim, channels_first=True)

    statistics = tuple(one for one in (running_mean, running_var) if one is not None)
    fixed = windows if len(statistics) == 2 and not training else None
    return Layer(input, outputs, weight, bias, fixed, channels_first=True, statistics=statistics)


_LAYERS: dict[Any, Callable[..., Layer]] = {
    functional.linear: _dense,
    torch.conv2d: _convolution,
    functional.batch_norm: _normalisation,
}


def evaluation_mode(module: nn.Module) -> AbstractContextManager[None]:
    """Every submodule in evaluation mode (dropout off, batch statistics frozen), and back as it was afterwards."""
    return training_mode(module, training=False)


@contextmanager
def training_mode(module: nn.Module, *, training: bool = True) -> Iterator[None]:
    """Every submodule in training mode, or in evaluation mode, and back as it was afterwards."""
    modes = {part: part.training for part in module.modules()}
    module.train(training)
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


__all__ = ["Layer", "Recorder", "by_position", "evaluation_mode", "training_mode"]
