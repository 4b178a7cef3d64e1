"""Functions that torch evaluates point by point where every point has its own weights, in terms of others.

`torch.func.vmap` makes one convolution of many groups of convolutions with many weights, and takes bilinear maps, bags
of embeddings and normalised weights one after the other. Matrix products say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from polygeom.learning.tangent.layers.composed import transposed_convolution
from polygeom.learning.tangent.layers.convolutions import each
from polygeom.learning.tangent.layers.rules import NotRecordable


def convolution(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor | None:
    """Windows of the input times the weight; None for groups, points without an axis of their own, padding by name."""
    axes = weight.ndim - 2
    if not has_windows(input, weight, padding=padding, groups=groups):
        return None
    stride, padding, dilation = (each(one, axes) for one in (stride, padding, dilation))
    kernel: tuple[int, ...] = tuple(weight.shape[2:])
    size = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(input.shape[2:], padding, dilation, kernel, stride, strict=True)
    ]
    if axes == 1:
        input, kernel = input.unsqueeze(2), (1, *kernel)  # noqa: A001
        stride, padding, dilation = (1, *stride), (0, *padding), (1, *dilation)
    columns = functional.unfold(input, kernel, dilation, padding, stride)
    product = torch.matmul(weight.flatten(1), columns)
    found = product.reshape(*product.shape[:2], *size)
    return found if bias is None else found + bias.reshape(-1, *(1,) * axes)


def has_windows(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> bool:
    """Whether `convolution` does that."""
    return input.ndim == weight.ndim and groups == 1 and not isinstance(padding, str)


def bilinear(one: Tensor, other: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``Σ_ij x_i W_oij y_j``, the outer product times the weight."""
    outer = (one.unsqueeze(-1) * other.unsqueeze(-2)).flatten(-2)
    return functional.linear(outer, weight.flatten(1), bias)


def embedding_bag(input: Tensor, weight: Tensor, *, mode: str = "mean", **options: Any) -> Tensor | None:  # noqa: A002
    """Means or sums of rows; None for largest entries and for bags with offsets, largest norms, shares or padding."""
    unusual = ("offsets", "max_norm", "per_sample_weights", "padding_idx")
    usual = not any(options.get(name) for name in ("scale_grad_by_freq", "sparse", "include_last_offset"))
    if not usual or any(options.get(name) is not None for name in unusual) or input.ndim != 2 or mode == "max":
        return None
    rows = functional.embedding(input, weight)
    return rows.mean(dim=1) if mode == "mean" else rows.sum(dim=1)


def transposed(*args: Any, **options: Any) -> Tensor | None:
    """Windows added up where they meet; None for groups and what `transposed_convolution` leaves out."""
    try:
        return transposed_convolution(*args, **options)
    except NotRecordable:
        return None


def weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """``g v / |v|``, the length along all axes but one."""
    if dim == -1:
        return g * v / v.square().sum().sqrt()
    axes = [axis for axis in range(v.ndim) if axis != dim % v.ndim]
    return g * v / v.square().sum(dim=axes, keepdim=True).sqrt()


SEPARATE: Mapping[Any, Callable[..., Tensor | None]] = {
    torch.conv1d: convolution,
    torch.conv2d: convolution,
    torch.conv_transpose2d: transposed,
    functional.bilinear: bilinear,
    functional.embedding_bag: embedding_bag,
    torch._weight_norm: weight_norm,
}
"""By function: the same, called with its arguments; None where there is nothing better."""

WINDOWS = (torch.conv1d, torch.conv2d)
"""Those of them that write windows."""


class Separate(TorchFunctionMode):
    """Evaluates functions by `SEPARATE`."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        own = SEPARATE.get(func)
        found = None if own is None else own(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {})) if found is None else found


__all__ = [
    "SEPARATE",
    "WINDOWS",
    "Separate",
    "bilinear",
    "convolution",
    "embedding_bag",
    "has_windows",
    "transposed",
    "weight_norm",
]
