"""Convolutions: what they read, and derivatives by their input alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_batchedtensor
from torch.nn import functional

from polygeom._dataclass import dataclass
from polygeom.learning.tangent.layers.costs import gather_cost, pull_costs

Setting = Sequence[Sequence[int]]
"""Stride, padding and dilation, one number for each axis."""


_CHUNK = 2**17
"""Numbers of a copy that a processor keeps near."""
_COLUMNS = 1024
"""Of a matrix, from which on a product with it takes no longer for being narrow."""


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


@dataclass(frozen=True, eq=False)
class Known:
    """A convolution whose value was known, as it stands in a graph; see `pulled` for what it is made of."""

    images: Tensor
    weight: Tensor
    setting: Setting
    groups: int

    @property
    def arguments(self) -> tuple[Tensor, Tensor, Setting, int]:
        """Of `pulled`, after the derivatives."""
        return self.images, self.weight, self.setting, self.groups

    def gathers(self, points: int, outputs: int, positions: Sequence[int]) -> bool:
        """Whether `gathered` is a way to its derivatives, and the cheapest one for so many points and outputs."""
        stride, padding, dilation = self.setting
        sizes, window = self.images.shape[2:], self.weight.shape[2:]
        if len(sizes) != 2 or self.groups > 1 or any(s != 1 for s in stride):
            return False
        if any(p > d * (k - 1) for p, d, k in zip(padding, dilation, window, strict=True)):
            return False
        size = (sizes[0] + padding[0]) * (sizes[1] + padding[1])
        rows, channels = self.weight.shape[:2]
        counted = pull_costs(rows, channels, window.numel(), positions[0] * positions[1], points * outputs)
        return gather_cost(rows, channels, (window[0], window[1]), size, points, outputs) < min(counted.values())


def known_of(node: Any) -> Known | None:
    """The convolution of a node in a graph, if it is one."""
    if not isinstance(node, _Known._backward_cls):
        return None
    context: Any = node
    images, weight = context.saved_tensors
    return Known(images, weight, context.setting, context.groups)


def gathered(
    known: Known,
    g: Tensor,
    scale: Tensor | None = None,
    more: tuple[Tensor, Tensor | None] | None = None,
    rectified: Tensor | None = None,
) -> Tensor:
    """Derivatives by the images of a convolution without strides and groups, from products of large matrices.

    At input position ``(y, x)`` they are ``Σ_ij K[:, :, i, j]ᵀ g[:, y + p - i d, x + p - j d]``. Images of ``g`` lie
    one after the other, each with ``p`` zeros behind every row and ``p`` rows of zeros behind it, so that a step in
    ``y`` is one along memory: what ``i`` reads is a part of the same array, and only the steps in ``x`` are copied.

    Parameters
    ----------
    known:
        What `Known.gathers` accepts.
    g:
        Derivatives ``(C, N, m, H', W')`` of ``C`` outputs by the values.
    scale:
        ``(C or 1, N or 1, m, 1, 1)``, a factor of ``g``. If it alone has ``C`` outputs, ``g`` being ``(1, N, …)``, it
        is multiplied into the kernel, and ``g`` read once for all of them.
    more:
        Derivatives that are added, as values ``(C or 1, N, k, H, W)`` and their scale ``(C or 1, N or 1, k, 1, 1)``.
    rectified:
        Values ``(N, k, H, W)``: where they are not positive, the result is zero.

    Returns
    -------
    ``(C, N, k, H, W)``, in memory ``(N, k, C, H, W)``.
    """
    _, (top, left), (down, right) = known.setting
    (rows, channels, *window), (height, width) = known.weight.shape, known.images.shape[2:]
    images, points, _, *inner = g.shape
    spread = 1 if scale is None else len(scale)
    step = width + left  # from one row to the next
    size = (height + top) * step
    front = max(left, (down * (window[0] - 1) - top) * step)
    kernel = known.weight.permute(2, 1, 3, 0).unsqueeze(2)  # (i, k, 1, j, m)
    some = max(1, _CHUNK // (window[1] * rows * size), _COLUMNS // size)
    length = front + min(some, images) * size + max(top * step, right * (window[1] - 1) - left)
    lines = g.new_zeros(window[1], rows, length)
    found = g.new_empty(points, channels, max(images, spread), height, width)
    working = g.new_empty(channels * spread, min(some, images) * size)
    firsts = [front + (top - i * down) * step for i in range(window[0])]
    starts = range(0, images, some)
    source = g.permute(1, 2, 0, 3, 4)
    results = [found[:, :, start : start + some] if spread == 1 else found for start in starts]
    parts = [(source[:, :, start : start + some], result) for start, result in zip(starts, results, strict=True)]
    lasting = {}  # views of what is used again and again
    for count in {part.shape[2] for part, _ in parts}:
        # line j holds at u what lies at u + left - j right in the images
        own_lines = [
            line[:, at : at + count * size] for j, line in enumerate(lines) for at in [front + right * j - left]
        ]
        area = own_lines[0].view(rows, count, height + top, step)[:, :, : inner[0], : inner[1]]
        read = [lines.flatten(end_dim=1)[:, first : first + count * size] for first in firsts]
        out = working[:, : count * size]
        shaped = out.view(channels, -1, height + top, step)[:, :, :height, :width]
        lasting[count] = own_lines, area, read, out, shaped
    for point in range(points):
        own = kernel
        if scale is not None:
            own = own * scale[:, min(point, scale.shape[1] - 1), :, 0, 0].reshape(1, 1, spread, 1, rows)
        matrices = own.reshape(window[0], channels * spread, -1).unbind()
        kept = None if rectified is None else rectified[point].unsqueeze(1)
        for start, (part, result) in zip(starts, parts, strict=True):
            (line, *others), area, read, out, shaped = lasting[part.shape[2]]
            area.copy_(part[point])
            for other in others:
                other.copy_(line)
            torch.mm(matrices[0], read[0], out=out)
            for matrix, one in zip(matrices[1:], read[1:], strict=True):
                out.addmm_(matrix, one)
            if more is not None:
                _add(shaped, more, slice(start, start + shaped.shape[1]), point)
            if kept is None:
                result[point].copy_(shaped)
            else:
                torch.ops.aten.threshold_backward.grad_input(shaped, kept, 0, grad_input=result[point])
    return found.permute(2, 0, 1, 3, 4)


def _add(total: Tensor, more: tuple[Tensor, Tensor | None], outputs: slice, point: int) -> None:
    """Derivatives ``(C, N, …)`` of some outputs at one point, to ``(k, C, H, W)``."""
    values, scale = more
    values = values if len(values) == 1 else values[outputs]
    own = values[:, point].transpose(0, 1)
    if scale is None:
        total += own
    else:
        scale = scale if len(scale) == 1 else scale[outputs]
        total.addcmul_(own, scale[:, min(point, scale.shape[1] - 1)].transpose(0, 1))


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


__all__ = ["Known", "Setting", "each", "gathered", "known_of", "known_value", "pulled", "windows"]
