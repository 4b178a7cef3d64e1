"""Functions of torch in terms of others, in which their weights are seen as the matrices that they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from polygeom.learning.tangent.layers.rules import NotRecordable


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    *others: Any,
    **options: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attention of several heads by its formula, with the arguments that torch gives its function for it.

    So its projections are seen as the dense maps that they are.
    """
    unusual = (bias_k, bias_v, *(options.get(name) for name in ("static_k", "static_v", "key_padding_mask")))
    active = dropout_p and options.get("training", True)
    if others or any(one is not None for one in unusual) or add_zero_attn or active or query.ndim != 3:
        raise NotRecordable("attention with further keys, padding, dropout, or of one point alone")
    if query is key and key is value and in_proj_weight is not None:
        q, k, v = functional.linear(query, in_proj_weight, in_proj_bias).chunk(3, dim=-1)
    else:
        weights = (
            in_proj_weight.chunk(3) if in_proj_weight is not None else [options[f"{x}_proj_weight"] for x in "qkv"]
        )
        biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
        q, k, v = (functional.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))
    length, points, width = q.shape
    q, k, v = (x.reshape(len(x), points, num_heads, -1).permute(1, 2, 0, 3) for x in (q, k, v))
    scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5)
    attn_mask = options.get("attn_mask")
    if attn_mask is not None:
        shaped = attn_mask if attn_mask.ndim == 2 else attn_mask.reshape(points, num_heads, *attn_mask.shape[1:])
        scores = scores.masked_fill(shaped, -math.inf) if shaped.dtype == torch.bool else scores + shaped
    shares = scores.softmax(dim=-1)
    together = (shares @ v).permute(2, 0, 1, 3).reshape(length, points, width)
    found = functional.linear(together, out_proj_weight, out_proj_bias)
    if not options.get("need_weights", True):
        return found, None
    return found, shares.mean(dim=1) if options.get("average_attn_weights", True) else shares


def embedding_bag(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Means or sums of the rows of an embedding."""
    unusual = (offsets, max_norm, per_sample_weights, padding_idx)
    if input.ndim != 2 or mode not in ("mean", "sum") or scale_grad_by_freq or any(one is not None for one in unusual):
        raise NotRecordable("bags of an embedding with largest entries, offsets or shares")
    rows = functional.embedding(input, weight)
    return rows.mean(dim=1) if mode == "mean" else rows.sum(dim=1)


def transposed_convolution(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Windows from the channels at every position, added up where they meet."""
    if input.ndim != 4 or groups != 1:
        raise NotRecordable("a transposed convolution in groups, of one point alone, or along other than two axes")
    stride, padding, more, dilation = (
        tuple(one) if isinstance(one, list | tuple) else (one, one)
        for one in (stride, padding, output_padding, dilation)
    )
    if any(q >= s for q, s in zip(more, stride, strict=True)):
        raise NotRecordable("a transposed convolution whose output is wider than its windows reach")
    sizes, kernel = input.shape[2:], weight.shape[2:]
    size = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + q + 1
        for n, s, p, d, k, q in zip(sizes, stride, padding, dilation, kernel, more, strict=True)
    )
    columns = torch.matmul(input.flatten(2).transpose(1, 2), weight.flatten(1))
    found = functional.fold(columns.transpose(1, 2), size, kernel, dilation, padding, stride)
    return found if bias is None else (found.movedim(1, -1) + bias).movedim(-1, 1)


COMPOSED: Mapping[Any, Callable[..., Any]] = {
    functional.multi_head_attention_forward: attention,
    functional.embedding_bag: embedding_bag,
    torch.conv_transpose2d: transposed_convolution,
}
"""By function: the same, called with its arguments."""

__all__ = ["COMPOSED", "attention", "embedding_bag", "transposed_convolution"]
