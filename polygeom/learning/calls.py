"""A module at other weights than its own, and what belongs to all threads of a process meanwhile.

A module that is evaluated at other weights holds them until it is done. So two threads that ask for derivatives of one
module, or of modules with a part in common, take turns (`alone`). A thread that calls such a module itself is not seen.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from polygeom.errors import PolygeomError

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


FILTERS = threading.RLock()
"""To be held where filters of warnings are changed."""


class _Held:
    """Parts of modules by the threads that change them."""

    def __init__(self) -> None:
        self.free = threading.Condition()
        self.by_thread: dict[int, list[set[int]]] = {}

    def others(self, own: set[int], me: int) -> bool:
        """Whether another thread has one of them."""
        return any(not one.isdisjoint(own) for who, sets in self.by_thread.items() if who != me for one in sets)


_HELD = _Held()


def _forget() -> None:
    """Other threads do not live on in a forked process."""
    _HELD.free, _HELD.by_thread = threading.Condition(), {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@contextmanager
def alone(module: nn.Module) -> Iterator[list[tuple[str, nn.Module]]]:
    """Wait until no other thread has put weights into a part of a module, and keep others off; gives its `parts`."""
    found, me, held = parts(module), threading.get_ident(), _HELD
    own = {id(part) for _, part in found}
    with held.free:
        while held.others(own, me):
            held.free.wait()
        held.by_thread.setdefault(me, []).append(own)
    try:
        yield found
    finally:
        with held.free:
            held.by_thread[me].pop()
            if not held.by_thread[me]:
                del held.by_thread[me]
            held.free.notify_all()


def call_with(module: nn.Module, tensors: Mapping[str, Tensor], x: Tensor) -> Any:
    """What a module gives at ``x`` with other tensors in place of its parameters and buffers, by name.

    Other than in `torch.func.functional_call` a submodule counts once, a tensor under all names in other submodules.
    """
    first: dict[int, str] = {}
    places: list[tuple[dict[str, Any], str, Any, Tensor]] = []
    with alone(module) as found:
        for prefix, part in found:
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


def refuse_recomputed(call: Callable[[Tensor], Any], x: Tensor) -> None:
    """Refuse reentrant checkpoints, which have derivatives in ``backward`` alone, and at a module's own weights.

    They are seen in the graph of the first point. Points that are integers are not looked at.
    """
    if not x.is_floating_point():
        return
    import torch

    with torch.enable_grad():
        y = call(x[:1].detach().requires_grad_())
    nodes: set[Any] = {y.grad_fn} - {None} if isinstance(y, torch.Tensor) else set()
    seen = set(nodes)
    while nodes:
        node = nodes.pop()
        if type(node).__name__ == "CheckpointFunctionBackward":
            raise PolygeomError(
                "module must have derivatives by weights of which it does not know, and torch's reentrant checkpoints "
                "have none; write torch.utils.checkpoint.checkpoint(…, use_reentrant=False)"
            )
        nodes |= {one for one, _ in node.next_functions if one is not None and one not in seen}
        seen |= nodes


_FORMULAS: list[Any] = []
"""What takes back the settings of torch, once for each call of `plain_attention` that has not ended."""
_FORMULAS_LOCK = threading.RLock()


@contextmanager
def plain_attention() -> Iterator[None]:
    """Attention by its formula, which has all derivatives; the fused rules have no forward mode and no second ones.

    These are settings of the process: the first thread that needs them makes them, and the last one takes them back.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with _FORMULAS_LOCK:
        if not _FORMULAS:
            settings = ExitStack()
            settings.callback(torch.backends.mha.set_fastpath_enabled, torch.backends.mha.get_fastpath_enabled())
            torch.backends.mha.set_fastpath_enabled(False)
            settings.enter_context(sdpa_kernel(SDPBackend.MATH))
            _FORMULAS.append(settings)
        else:
            _FORMULAS.append(None)
    try:
        yield
    finally:
        with _FORMULAS_LOCK:
            if len(_FORMULAS) > 1:
                _FORMULAS.pop()
            else:
                _FORMULAS.pop().close()


__all__ = ["FILTERS", "alone", "call_with", "parts", "plain_attention", "refuse_recomputed"]
