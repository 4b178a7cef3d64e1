"""How weights act: for each function of torch that a layer calls, what it reads and what comes out.

All of them are affine in the weight and shared over positions: at point ``n`` a weight acts at ``T`` positions, perhaps
in ``G`` groups, as a matrix, ``v[g, :, t] = W[g] a[g, :, t]`` (dense maps, convolutions, projections of attention,
embeddings); entry by entry, ``v = w ⊙ a`` (scales of normalisations, slopes, gates); or as a summand. So the derivative
of an output by the weight is a sum over positions of products of what was read and of the derivative by what came out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from polygeom._dataclass import dataclass
from polygeom.learning.tangent.layers.convolutions import each, known_value, windows


class NotRecordable(Exception):
    """A weight acts on data in a way that has no layer-wise rule; the generic derivatives remain."""


@dataclass(frozen=True, eq=False)
class Action:
    """One function with weights, as it was called.

    Attributes
    ----------
    data, others:
        What the weights act on.
    outputs:
        What came out, in the graph of the outputs of the module.
    weight, bias:
        As the function got them.
    read:
        Gives what the weight acts on, positions last where ``channels_first`` and first elsewhere; integers for rows of
        an embedding. None where there is no rule.
    own:
        How many axes of ``outputs``, at its end, belong to the weight; the others are points and positions. With
        ``channels_first`` the axis after that of points belongs to it instead.
    groups:
        ``G``.
    scales:
        Whether the weight multiplies entry by entry.
    flipped:
        Whether the weight has the shape ``(k, m)`` instead of ``(m, k)``.
    loose:
        Whether weight or bias are broadcast to ``outputs`` in any way.
    constants:
        Tensors that must not depend on weights or data.
    """

    data: Tensor
    outputs: Tensor
    weight: Tensor | None = None
    bias: Tensor | None = None
    read: Callable[[], Tensor] | None = None
    own: int = 1
    channels_first: bool = False
    groups: int = 1
    scales: bool = False
    flipped: bool = False
    loose: bool = False
    constants: tuple[Tensor, ...] = ()
    others: tuple[Tensor, ...] = ()

    @property
    def is_matrix(self) -> bool:
        """Whether the weight acts as a matrix."""
        return not (self.scales or self.loose)

    def axes(self, points: int) -> tuple[int, ...]:
        """The axes of ``outputs`` that may be that of so many points; ``(-1,)`` if the first one is a multiple."""
        shape = self.outputs.shape
        first = shape[:1] if self.channels_first else shape[: len(shape) - self.own]
        found = tuple(axis for axis, size in enumerate(first) if size == points)
        return found or ((-1,) if shape and shape[0] % points == 0 else ())

    def arrange(self, values: Tensor, points: int, axis: int) -> Tensor:
        """Numbers ``(C, *outputs.shape)``, or by other channels, as ``(N, C, G, m, T)``."""
        count = len(values)
        if axis < 0:
            values, axis = values.reshape(count, points, -1, *values.shape[2:]), 0
            if self.channels_first:
                shape = (count, points, values.shape[2], self.groups, values.shape[3] // self.groups, -1)
                return values.reshape(shape).permute(1, 0, 3, 4, 2, 5).flatten(start_dim=4)
        if self.channels_first:
            return values.reshape(count, points, self.groups, values.shape[2] // self.groups, -1).transpose(0, 1)
        values = values.movedim(axis + 1, 1)
        size = math.prod(values.shape[values.ndim - self.own :])
        return values.reshape(count, points, 1, -1, size).permute(1, 0, 2, 4, 3)


_LARGE = 2**16
"""Numbers in a factor above which torch multiplies matrices one by one faster than several at once."""
Rule = Callable[..., Action]


def _dense(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Action:  # noqa: A002
    if input.ndim < 2 or weight.ndim != 2:
        raise NotRecordable("a dense map of one point alone")
    y = functional.linear(input, weight.detach(), None if bias is None else bias.detach())
    return Action(input, y, weight, bias, input.detach)


def _product(left: Tensor, right: Tensor) -> Action:
    if left.ndim < 2 or right.ndim != 2:
        raise NotRecordable("a product whose right factor is no matrix")
    return Action(left, torch.matmul(left, right.detach()), right, None, left.detach, flipped=True)


def _read_and_value(seen: Tensor, rows: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Windows as ``(N, G, k, T)``, and their products with ``(G, m, k)``; while they are near, where they are large."""
    points, size = len(seen), rows.shape[2]
    if groups > 1 or seen[0].numel() < _LARGE:
        read = seen.reshape(points, groups, size, -1)
        return read, torch.matmul(rows, read)
    read = seen.new_empty(seen.shape)
    flat = read.view(points, size, -1)
    value = seen.new_empty(points, 1, rows.shape[1], flat.shape[2])
    for number in range(points):
        read[number] = seen[number]
        torch.mm(rows[0], flat[number], out=value[number, 0])
    return flat.unsqueeze(1), value


def _convolution(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Action:
    if input.ndim != weight.ndim:
        raise NotRecordable("a convolution of one point alone")

    with torch.no_grad():
        seen = windows(input, weight.shape[2:], stride, padding, dilation)
        places = seen.shape[2 + len(weight.shape[2:]) :]
        read, value = _read_and_value(seen, weight.reshape(groups, -1, weight[0].numel()), groups)
        value = value.reshape(len(input), len(weight), *places)
        if bias is not None:
            value += bias.reshape(-1, *(1,) * len(places))
    y = value
    if input.requires_grad and padding == "same":
        function = (torch.conv1d, torch.conv2d, torch.conv3d)[len(places) - 1]
        y = function(input, weight.detach(), None if bias is None else bias.detach(), stride, padding, dilation, groups)
    elif input.requires_grad:
        setting = [list(each(one, len(places))) for one in (stride, 0 if padding == "valid" else padding, dilation)]
        y = known_value(input, value, weight.detach(), setting, groups)
    return Action(input, y, weight, bias, lambda: read, channels_first=True, groups=groups)


def _normed(z: Tensor, data: Tensor, weight: Tensor | None, bias: Tensor | None, own: int, **more: Any) -> Action:
    """A scale and a shift after a normalisation without them."""

    def along(vector: Tensor) -> Tensor:
        return vector.detach().reshape(-1, *(1,) * (z.ndim - 2)) if more.get("channels_first") else vector.detach()

    y = z if weight is None else z * along(weight)
    y = y if bias is None else y + along(bias)
    return Action(data, y, weight, bias, z.detach, own, scales=True, **more)


def _batch_norm(
    input: Tensor,  # noqa: A002
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Action:
    if running_mean is None or running_var is None or training:
        raise NotRecordable("a batch normalisation whose statistics are not fixed")
    shape = (-1, *(1,) * (input.ndim - 2))
    scale = (running_var + eps).rsqrt()
    gain = scale if weight is None else scale * weight.detach()
    shift = -running_mean * gain if bias is None else bias.detach() - running_mean * gain

    def read() -> Tensor:
        return (input.detach() - running_mean.reshape(shape)) * scale.reshape(shape)

    y = torch.addcmul(shift.reshape(shape), input, gain.reshape(shape))
    own = (running_mean, running_var)
    return Action(input, y, weight, bias, read, channels_first=True, scales=True, constants=own)


def _layer_norm(
    input: Tensor,  # noqa: A002
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Action:
    z = functional.layer_norm(input, normalized_shape, eps=eps)
    return _normed(z, input, weight, bias, len(normalized_shape))


def _rms_norm(
    input: Tensor,  # noqa: A002
    normalized_shape: Any,
    weight: Any = None,
    eps: float | None = None,
) -> Action:
    z = functional.rms_norm(input, normalized_shape, eps=eps)
    return _normed(z, input, weight, None, len(normalized_shape))


def _group_norm(
    input: Tensor,  # noqa: A002
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Action:
    z = functional.group_norm(input, num_groups, eps=eps)
    return _normed(z, input, weight, bias, 1, channels_first=True)


def _instance_norm(
    input: Tensor,  # noqa: A002
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Action:
    if running_mean is not None or running_var is not None or weight is None:
        raise NotRecordable("an instance normalisation with running statistics")
    z = functional.instance_norm(input, eps=eps)
    return _normed(z, input, weight, bias, 1, channels_first=True)


def _prelu(input: Tensor, weight: Tensor) -> Action:  # noqa: A002
    outputs = torch.prelu(input, weight.detach())
    if weight.numel() == 1 or input.ndim < 2:
        return Action(input, outputs, weight, None, lambda: input.detach().clamp(max=0), own=0, loose=True)
    return Action(input, outputs, weight, None, lambda: input.detach().clamp(max=0), channels_first=True, scales=True)


def _embedding(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Action:
    if max_norm is not None or scale_grad_by_freq:
        raise NotRecordable("an embedding that changes its weights or scales its derivatives")
    blank = None if padding_idx is None else padding_idx % len(weight)

    def read() -> Tensor:
        return input if blank is None else torch.where(input == blank, -1, input)

    outputs = functional.embedding(input, weight.detach(), padding_idx)
    return Action(input, outputs, weight, None, read, flipped=True)


def _bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Action:
    """A dense map of all products of two entries."""
    if input1.ndim < 2:
        raise NotRecordable("a bilinear map of one point alone")
    outputs = functional.bilinear(input1, input2, weight.detach(), None if bias is None else bias.detach())

    def read() -> Tensor:
        return (input1.detach().unsqueeze(-1) * input2.detach().unsqueeze(-2)).flatten(start_dim=-2)

    return Action(input1, outputs, weight, bias, read, others=(input2,))


def _multiplied(outputs: Tensor, one: Tensor, other: Tensor, weight_first: bool) -> Action:
    weight, data = (one, other) if weight_first else (other, one)
    return Action(data, outputs, weight, None, data.detach, own=0, loose=True)


def _added(outputs: Tensor, one: Tensor, other: Tensor, weight_first: bool) -> Action:
    weight, data = (one, other) if weight_first else (other, one)
    if data.ndim >= 2 and weight.shape == data.shape[-1:]:
        return Action(data, outputs, None, weight)
    return Action(data, outputs, None, weight, own=0, loose=True)


RULES: Mapping[Any, Rule] = {
    functional.linear: _dense,
    torch.matmul: _product,
    torch.Tensor.matmul: _product,
    torch.Tensor.__matmul__: _product,
    torch.conv1d: _convolution,
    torch.conv2d: _convolution,
    torch.conv3d: _convolution,
    functional.bilinear: _bilinear,
    functional.batch_norm: _batch_norm,
    functional.layer_norm: _layer_norm,
    functional.rms_norm: _rms_norm,
    functional.group_norm: _group_norm,
    functional.instance_norm: _instance_norm,
    torch.prelu: _prelu,
    functional.embedding: _embedding,
}
"""By function: the rule, called with its arguments; it evaluates the function itself."""

PAIRED: Mapping[Any, Callable[..., Action]] = {
    **dict.fromkeys((torch.add, torch.Tensor.add, torch.Tensor.__add__, torch.Tensor.__radd__), _added),
    **dict.fromkeys((torch.mul, torch.Tensor.mul, torch.Tensor.__mul__, torch.Tensor.__rmul__), _multiplied),
}
"""Sums and products of two tensors, entry by entry: called with the result, both, and whether the weight is first."""


__all__ = ["PAIRED", "RULES", "Action", "NotRecordable"]
