"""A module at other weights than its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


def call_with(module: nn.Module, tensors: Mapping[str, Tensor], x: Tensor) -> Any:
    """What a module gives at ``x`` with other tensors in place of its parameters and buffers, by name.

    Other than in `torch.func.functional_call` a submodule counts once, a tensor under all names in other submodules.
    """
    first: dict[int, str] = {}
    places = []
    for prefix, part in module.named_modules():
        for held in (part._parameters, part._buffers):
            for name, own in held.items():
                if own is not None:
                    known = first.setdefault(id(own), f"{prefix}.{name}" if prefix else name)
                    if known in tensors:
                        places.append((held, name, own, tensors[known]))
    try:
        for held, name, _, other in places:
            held[name] = other
        return module(x)
    finally:
        for held, name, own, _ in places:
            held[name] = own


__all__ = ["call_with"]
