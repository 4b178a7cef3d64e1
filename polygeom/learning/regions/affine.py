"""The affine maps that a module applies on its way from inputs to outputs: what they read, what they give.

They are seen by the one watch over layers, `polygeom.learning.recording`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from polygeom._dataclass import dataclass
from polygeom.learning.recording import Layer, Recorder, by_position


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
        return by_position(outputs, outputs.ndim, self.channels_first)


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
    other = (recorder.names.keys() - names) | recorder.elsewhere
    return Recording(tuple(recorder.maps), frozenset(other), output, frozenset(recorder.chained))


class _Recorder(Recorder):
    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.names = dict.fromkeys(parameters)
        self.maps: list[AffineMap] = []
        self.elsewhere: set[str] = set()
        self.chained: set[int] = set()
        self._name_of = {id(parameter): name for name, parameter in parameters.items()}
        self._handed_on: dict[int, tuple[Tensor, int]] = {}

    def layer(self, layer: Layer) -> Tensor | None:
        if layer.windows is None or layer.weight is None or layer.statistics:
            return None
        names = (self._name_of.get(id(layer.weight)), self._name_of.get(id(layer.bias)))
        rows, read = layer.weight, layer.inputs
        if layer.channels_first:
            rows, read = rows.flatten(start_dim=1), layer.windows()
        else:
            self.elsewhere |= {self._name_of[id(read)]} if id(read) in self._name_of else set()
            self.chained |= {self._handed_on[id(read)][1]} if id(read) in self._handed_on else set()
        values = layer.outputs
        self.maps.append(AffineMap(*names, rows, layer.bias, read, values, values, layer.channels_first))
        return self._hand_on(values, len(self.maps) - 1)

    def added(self, value: Tensor, bias: Tensor, outputs: Tensor) -> Tensor | None:
        """``x + b`` where ``x`` is the value of a map that has no bias yet and ``b`` a parameter for it."""
        _, number = self._handed_on.get(id(value), (None, -1))
        if number < 0 or id(bias) not in self._name_of or self.maps[number].bias is not None:
            return None
        self.maps[number] = replace(self.maps[number], bias_name=self._name_of[id(bias)], bias=bias, values=outputs)
        return self._hand_on(outputs, number)

    def other(self, function: Any, arguments: Any, result: Any) -> None:
        used = {self._name_of[id(leaf)] for leaf in tree_leaves(arguments) if id(leaf) in self._name_of}
        if used and any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
            self.elsewhere |= used

    def _hand_on(self, value: Tensor, number: int) -> Tensor:
        copy = value.clone()
        self._handed_on[id(copy)] = (copy, number)
        return copy
