"""Weights of a polynomial network by name: what functions of them accept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from polygeom.errors import PolygeomError
from polygeom.learning.checks import tensor


def named(weights: Any, shapes: Mapping[str, tuple[int, ...]], name: str = "weights") -> dict[str, Tensor]:
    """Finite weights by name, in the order and of the shapes that a network gives; they keep their graph.

    Raises
    ------
    PolygeomError
        For other names, other shapes, different precisions, and anything that is not real numbers.

    Examples
    --------
    >>> named({"W1": [[1, 2]]}, {"W1": (1, 2)})
    {'W1': tensor([[1., 2.]], dtype=torch.float64)}
    """
    if not isinstance(weights, Mapping) or set(weights) != set(shapes):
        got = ", ".join(map(str, weights)) if isinstance(weights, Mapping) else type(weights).__name__
        raise PolygeomError(f"{name} must name exactly {', '.join(shapes) or 'nothing'}, got {got:.80}")
    found = {}
    for key, shape in shapes.items():
        value = tensor(weights[key], f"{name}[{key!r}]")
        if tuple(value.shape) != tuple(shape):
            raise PolygeomError(f"{name}[{key!r}] must have shape {tuple(shape)}, got {tuple(value.shape)}")
        if value.numel() and not torch.isfinite(value).all():
            raise PolygeomError(f"{name}[{key!r}] must be finite, got NaN or infinite entries")
        found[key] = value if value.is_floating_point() else value.double()
    if len({value.dtype for value in found.values()}) > 1:
        raise PolygeomError(f"{name} must have one precision, got {', '.join(str(v.dtype) for v in found.values())}")
    return found
