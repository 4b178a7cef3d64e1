"""The affine maps that a module applies on its way from inputs to outputs: what they read, what they give.

A dense layer is recorded where it happens, at ``torch.nn.functional.linear``, so the modules of torch, modules with
functional activations and polynomial networks (`polygeom.engines.torch_module.NetworkModule`) are all seen alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

_ADDITIONS = (torch.Tensor.add, torch.add, torch.Tensor.__add__, torch.Tensor.__radd__)


@dataclass(frozen=True, eq=False)
class AffineMap:
    """One application of ``y = a Wᵀ + b`` to a batch; of a two-dimensional convolution, to every patch of the images.

    Attributes
    ----------
    weight_name, bias_name:
        Names of the parameters ``W`` and ``b`` in the module; None for a tensor that is no parameter, or no bias.
    weight, bias:
        ``W`` of shape ``(m, k)`` and ``b`` of shape ``(m,)``, or None. A filter of a convolution is one row.
    inputs:
        ``a``, of shape ``(N, …, k)``; the patches of a convolution.
    products, values:
        ``a Wᵀ`` and ``a Wᵀ + b``, of shape ``(N, …, m)``; one and the same tensor when the bias was added at once. Of a
        convolution they are images ``(N, m, height, width)``.
    channels_first:
        Whether this is a convolution.
    """

    weight_name: str | None
    bias_name: str | None
    weight: Tensor
    bias: Tensor | None
    inputs: Tensor
    products: Tensor
    values: Tensor
    channels_first: bool = False

    def tokens(self, outputs: Tensor) -> Tensor:
        """A tensor shaped like `values` as ``(N, T, m)``, ``T`` the number of places where the map is applied."""
        if self.channels_first:
            return outputs.flatten(start_dim=2).transpose(1, 2)
        return outputs.reshape(len(outputs), -1, outputs.shape[-1])


@dataclass(frozen=True, eq=False)
class Recording:
    """What `record` saw.

    Attributes
    ----------
    maps:
        The affine maps in the order in which they were applied; the last one usually gives the output.
    other:
        Names of the parameters that were used in any other way, or not at all.
    output:
        The output of the module.
    chained:
        Numbers of the maps whose values another map reads as they are.
    """

    maps: tuple[AffineMap, ...]
    other: frozenset[str]
    output: Tensor
    chained: frozenset[int] = frozenset()

    @property
    def hidden(self) -> tuple[AffineMap, ...]:
        """The maps whose values enter something that is not affine: all but the last one and the `chained` ones."""
        return tuple(m for number, m in enumerate(self.maps[:-1]) if number not in self.chained)


def record(module: nn.Module, x: Tensor) -> Recording:
    """Evaluate a module and record the affine maps on the way.

    Parameters
    ----------
    module:
        Any module; it is evaluated as it is, in training or evaluation mode.
    x:
        Inputs ``(N, …)``.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> [(m.weight_name, tuple(m.values.shape)) for m in record(module, torch.ones(5, 2)).maps]
    [('0.weight', (5, 3)), ('2.weight', (5, 1))]
    """
    recorder = _Recorder(dict(module.named_parameters()))
    with recorder:
        output = module(x)
    names = {name for m in recorder.maps for name in (m.weight_name, m.bias_name) if name is not None}
    other = (recorder.names.keys() - names) | recorder.other
    return Recording(tuple(recorder.maps), frozenset(other), output, frozenset(recorder.chained))


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Every submodule in evaluation mode (dropout off, batch statistics frozen), and back as it was afterwards."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


class _Recorder(TorchFunctionMode):
    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.names = dict.fromkeys(parameters)
        self.maps: list[AffineMap] = []
        self.other: set[str] = set()
        self.chained: set[int] = set()
        self._name_of = {id(parameter): name for name, parameter in parameters.items()}
        self._handed_on: dict[int, tuple[Tensor, int]] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func is nn.functional.linear:
            return self._linear(result, *args, **kwargs)
        if func is torch.conv2d and (patches := _patches(*args, **kwargs)) is not None:
            return self._convolution(result, patches, *args[1:3], **_only(kwargs, "weight", "bias"))
        if func in _ADDITIONS and (added := self._bias(result, *args)) is not None:
            return added
        used = {self._name_of[id(leaf)] for leaf in tree_leaves((args, kwargs)) if id(leaf) in self._name_of}
        if used and any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
            self.other |= used
        return result

    def _linear(self, result: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:  # noqa: A002
        if id(input) in self._name_of:
            self.other.add(self._name_of[id(input)])
        if id(input) in self._handed_on:
            self.chained.add(self._handed_on[id(input)][1])
        names = (self._name_of.get(id(weight)), self._name_of.get(id(bias)))
        self.maps.append(AffineMap(*names, weight, bias, input, result, result))
        return self._hand_on(result, len(self.maps) - 1)

    def _convolution(self, result: Tensor, patches: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        names = (self._name_of.get(id(weight)), self._name_of.get(id(bias)))
        rows = weight.flatten(start_dim=1)
        self.maps.append(AffineMap(*names, rows, bias, patches, result, result, channels_first=True))
        return self._hand_on(result, len(self.maps) - 1)

    def _bias(self, result: Tensor, *terms: Any) -> Tensor | None:
        """``x + b`` where ``x`` is the value of a map that has no bias yet and ``b`` a parameter for it."""
        for value, bias in (terms[:2], terms[1::-1]):
            _, number = self._handed_on.get(id(value), (None, -1))
            if number < 0 or id(bias) not in self._name_of or self.maps[number].bias is not None:
                continue
            if bias.shape == value.shape[-1:]:
                self.maps[number] = replace(
                    self.maps[number], bias_name=self._name_of[id(bias)], bias=bias, values=result
                )
                return self._hand_on(result, number)
        return None

    def _hand_on(self, value: Tensor, number: int) -> Tensor:
        """A copy for the module to work with: an activation in place must not change what was recorded."""
        copy = value.clone()
        self._handed_on[id(copy)] = (copy, number)
        return copy


def _only(words: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: words[name] for name in names if name in words}


def _patches(
    input: Tensor,  # noqa: A002 - torch's own word
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor | None:
    """What every output of a convolution reads, ``(N, T, k)``; None where its filters are not rows of one matrix."""
    if groups != 1 or input.ndim != 4 or isinstance(padding, str):
        return None
    with torch.no_grad():
        columns = nn.functional.unfold(input.detach(), weight.shape[2:], dilation, padding, stride)
        return columns.transpose(1, 2)
