"""Derivatives by weights that act on images, from derivatives by the images in the order of memory that they have.

A convolution has at point ``n`` the derivative ``Σ_t g[c, m, t] a[k, t]`` by its weight: one product of matrices with
all outputs ``c`` and channels ``m`` as rows. Scales and shifts of channels sum over positions as well. Where the
derivatives are a product ``scale · values`` along the channels (`polygeom.learning.tangent.layers.backward.Cotangent`),
the sums are over ``values``, and once for all outputs if these share them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from polygeom.learning.tangent.layers.backward import Cotangent
from polygeom.learning.tangent.layers.recording import Use


@torch.no_grad()
def on_images(use: Use, g: Cotangent, sums: dict[int, Tensor], out: Tensor | None = None) -> Tensor | None:
    """Derivatives by a weight, ``(N, C, size)``, or None where another way is needed.

    Parameters
    ----------
    use:
        How the weight acts.
    g:
        Derivatives by what came out.
    sums:
        Sums that several uses share; filled.
    out:
        Where derivatives by a matrix are written.
    """
    lines = g.values.permute(1, 2, 0, *range(3, g.values.ndim))  # (N, m, C or 1, H, W)
    own = use.action
    plain = g.values.ndim == 5 and own.channels_first and own.groups == 1 and use.axis == 0 and not use.flipped
    if not plain or own.loose or not (g.scale is not None or lines.is_contiguous()):
        return None
    points, rows, count = lines.shape[:3]
    flat = lines.reshape(points, rows * count, -1)
    if use.is_matrix:
        read = use.read()[:, 0]
        found = torch.bmm(flat, read.transpose(1, 2)).view(points, rows, count, -1).transpose(1, 2)
        scale = g.values.new_ones(1, 1, 1, 1) if g.scale is None else g.scale[..., 0].transpose(0, 1)
        outputs = max(count, scale.shape[1])
        out = found.new_empty(points, outputs, found.shape[2] * found.shape[3]) if out is None else out
        torch.mul(found, scale, out=out.view(points, outputs, *found.shape[2:]))
        return out
    key = id(use.outputs)
    if key not in sums:
        read = flat.new_ones(points, rows, 2, flat.shape[2])  # few rows first: torch.bmm is quicker so
        if own.scales and own.read is not None:
            read[:, :, 0] = own.read().reshape(points, rows, -1)
        sums[key] = torch.matmul(read, lines.reshape(points, rows, count, -1).transpose(2, 3)).permute(2, 0, 3, 1)
    found = sums[key][1 if use.shifts else 0]
    return found if g.scale is None else found * g.scale[..., 0, 0].transpose(0, 1)


__all__ = ["on_images"]
