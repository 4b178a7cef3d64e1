"""A module at other weights than its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


def parts(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """``module.named_modules()``, which for large modules takes longer than their small layers."""
    found: list[tuple[str, nn.Module]] = []
    seen = set()

    def visit(part: nn.Module, name: str) -> None:
        if part in seen:
            return
        seen.add(part)
        found.append((name, part))
        for own, inner in part._modules.items():
            if inner is not None:
                visit(inner, f"{name}.{own}" if name else own)

    visit(module, "")
    return found


def call_with(module: nn.Module, tensors: Mapping[str, Tensor], x: Tensor) -> Any:
    """What a module gives at ``x`` with other tensors in place of its parameters and buffers, by name.

    Other than in `torch.func.functional_call` a submodule counts once, a tensor under all names in other submodules.
    """
    first: dict[int, str] = {}
    places: list[tuple[dict[str, Any], str, Any, Tensor]] = []
    for prefix, part in parts(module):
        holders: tuple[dict[str, Any], ...] = (part._parameters, part._buffers)
        for held in holders:
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


__all__ = ["call_with", "parts"]
