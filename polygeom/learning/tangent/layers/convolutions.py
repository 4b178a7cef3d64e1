"""Convolutions: what they read, and derivatives by their input alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_batchedtensor
from torch.nn import functional

from polygeom.learning.tangent.layers.costs import pull_costs

Setting = Sequence[Sequence[int]]
"""Stride, padding and dilation, one number for each axis."""


def known_value(images: Tensor, value: Tensor, weight: Tensor, setting: Setting, groups: int) -> Tensor:
    """The value of a convolution that is known already, differentiable by the images."""
    found: Tensor = _Known.apply(images, value, weight, setting, groups)  # type: ignore[no-untyped-call]
    return found


class _Known(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, value: Tensor, weight: Tensor, setting: Setting, groups: int) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.setting, ctx.groups = setting, groups
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        images, weight = ctx.saved_tensors
        pull: Any = _Pulled.apply if is_batchedtensor(gradients[0]) else pulled
        return pull(gradients[0], images, weight, ctx.setting, ctx.groups), None, None, None, None


class _Pulled(torch.autograd.Function):
    """`pulled`, of many derivatives at once as one batch of images."""

    @staticmethod
    def forward(g: Tensor, images: Tensor, weight: Tensor, setting: Setting, groups: int) -> Tensor:
        return pulled(g, images, weight, setting, groups)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        return None

    @staticmethod
    def vmap(
        info: Any, in_dims: Any, g: Tensor, images: Tensor, weight: Tensor, setting: Setting, groups: int
    ) -> tuple[Tensor, int]:
        g = g.movedim(in_dims[0], 0)
        found = pulled(g.flatten(end_dim=1), images, weight, setting, groups)
        return found.reshape(*g.shape[:2], *found.shape[1:]), 0


def pulled(g: Tensor, images: Tensor, weight: Tensor, setting: Setting, groups: int, way: str | None = None) -> Tensor:
    """Derivatives by the images, from those by the value of a convolution.

    Parameters
    ----------
    g:
        ``(B, m, *positions)``, ``B`` a multiple of the number of images.
    images, weight, setting, groups:
        ``(N, k, *sizes)`` and ``(m, k / groups, *window)``, as the convolution got them.
    way:
        ``"apart"``, torch's own, a product of matrices for each image; ``"together"``, one for all of them, whose
        windows are added up afterwards. None for the one that costs less (`polygeom.learning.tangent.layers.costs`).

    Returns
    -------
    ``(B, k, *sizes)``.
    """
    stride, padding, dilation = setting
    window, positions = weight.shape[2:], g.shape[2:]
    if way is None:
        counted = pull_costs(len(weight), weight.shape[1], window.numel(), positions.numel(), len(g))
        way = "apart" if groups > 1 else min(counted, key=counted.__getitem__)
    if way == "apart":
        repeated = images if len(images) == len(g) else images[:1].expand(len(g), *images.shape[1:])
        found: Tensor = torch.ops.aten.convolution_backward(
            g, repeated, weight, None, stride, padding, dilation, False, [0] * len(stride), groups, [True, False, False]
        )[0]
        return found
    rows = g.transpose(0, 1).reshape(len(weight), -1)
    columns = torch.mm(weight.flatten(1).T, rows).view(images.shape[1], *window, len(g), *positions)
    sizes = [size + 2 * p for size, p in zip(images.shape[2:], padding, strict=True)]
    total = g.new_zeros(images.shape[1], len(g), *sizes)
    for place in itertools.product(*map(range, window)):
        starts = [at * d for at, d in zip(place, dilation, strict=True)]
        ends = [at + s * (n - 1) + 1 for at, s, n in zip(starts, stride, positions, strict=True)]
        own: Any = (slice(None), *place)
        area = tuple(slice(*one) for one in zip(starts, ends, stride, strict=True))
        total[(slice(None), slice(None), *area)] += columns[own]
    inner = tuple(slice(p, size - p) for p, size in zip(padding, sizes, strict=True))
    return total[(slice(None), slice(None), *inner)].transpose(0, 1)


def windows(images: Tensor, sizes: Sequence[int], stride: Any, padding: Any, dilation: Any) -> Tensor:
    """What a convolution reads, ``(N, channels, *sizes, *positions)``: any number of axes, strides and dilations.

    Examples
    --------
    >>> windows(torch.arange(4.0).reshape(1, 1, 4), (2,), 1, "same", 1)[0, 0]
    tensor([[0., 1., 2., 3.],
            [1., 2., 3., 0.]])
    """
    count = len(sizes)
    stride, dilation = each(stride, count), each(dilation, count)
    if padding == "same":
        pads = [(d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2) for k, d in zip(sizes, dilation, strict=True)]
    else:
        pads = [(p, p) for p in each(0 if padding == "valid" else padding, count)]
    if any(left or right for left, right in pads):
        images = functional.pad(images, [side for pair in reversed(pads) for side in pair])
    positions = [
        (size - d * (k - 1) - 1) // s + 1
        for size, k, d, s in zip(images.shape[2:], sizes, dilation, stride, strict=True)
    ]
    steps = images.stride()
    return images.as_strided(
        (*images.shape[:2], *sizes, *positions),
        (
            *steps[:2],
            *(d * step for d, step in zip(dilation, steps[2:], strict=True)),
            *(s * step for s, step in zip(stride, steps[2:], strict=True)),
        ),
    )


def each(value: Any, count: int) -> tuple[int, ...]:
    """One number for each axis."""
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    return values * count if len(values) == 1 else values


__all__ = ["Setting", "each", "known_value", "pulled", "windows"]
