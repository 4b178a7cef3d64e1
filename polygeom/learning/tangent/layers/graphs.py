"""What an evaluation did, told without its numbers: two evaluations of one graph are one function of weights and data.

A graph lists every function of torch that was called, in order, with its plain arguments by value and its tensors by
where they came from: the how-manyth weight, constant or result. Numbers that were read out of tensors (``item``, the
condition of an ``if``) stand in it by value, and so do buffers that are no floats, and small tensors from elsewhere
without a derivative (attributes that are no buffers). An evaluation that no function mode sees as a whole has no graph:
other tensors from elsewhere (results of autograd functions and compiled code), and arguments that are no plain values.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

_PLAIN = {
    int, bool, str, type(None), type(Ellipsis), torch.Size,
    torch.dtype, torch.device, torch.layout, torch.memory_format,
}  # fmt: skip
_LISTED = 1024
"""Entries of a constant that a graph holds."""

Told = tuple[Any, ...]
"""A graph; equal for equal evaluations."""


class Teller:
    """Writes the graph of one evaluation while it runs.

    Parameters
    ----------
    leaves:
        Weights, constants and, last, points, in their order.
    """

    def __init__(self, leaves: Iterable[Tensor]) -> None:
        self._numbers: dict[int, tuple[int, weakref.ref[Tensor], bool]] = {}
        self._count = 0
        self._unread: dict[int, Tensor] = {}
        self._alive: list[Tensor] = []
        self._closed = True
        self._steps: list[Any] = []
        for leaf in leaves:
            number = self._new(leaf)
            self._steps.append((leaf.shape, leaf.stride(), leaf.dtype, leaf.device, leaf.requires_grad))
            if not leaf.is_floating_point():
                self._unread[number] = leaf
        self._unread.pop(self._count - 1, None)

    def called(self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Before a function is evaluated."""
        if self._closed:
            self._steps.append((function, self._told(args), self._told(kwargs) if kwargs else None))

    def gave(self, result: Any) -> Any:
        """After it was: its result, as it is."""
        if self._closed:
            self._steps.append(self._kept(result))
        return result

    def graph(self, outputs: Tensor) -> Told | None:
        """All of it, or None where something was not seen."""
        number = self._number(outputs)
        return (*self._steps, number) if self._closed and number is not None else None

    def _new(self, tensor: Tensor) -> int:
        self._numbers[id(tensor)] = self._count, weakref.ref(tensor), tensor.requires_grad
        self._count += 1
        return self._count - 1

    def _number(self, tensor: Tensor) -> int | None:
        """None for what was not met, or has got another derivative out of sight (by an autograd function)."""
        number, known, differentiable = self._numbers.get(id(tensor), (None, None, None))
        return number if known is not None and known() is tensor and differentiable == tensor.requires_grad else None

    def _told(self, value: Any) -> Any:
        """A tensor as its number, anything else with its type: numbers of tensors are the only bare integers."""
        if isinstance(value, Tensor):
            number = self._number(value)
            if number is None:
                number = self._new(value)
                self._alive.append(value)
                self._read(number, value)
            elif number in self._unread:
                self._read(number, self._unread.pop(number))
            return number
        return self._plain(value, self._told)

    def _kept(self, result: Any) -> Any:
        if isinstance(result, Tensor):
            number = self._number(result)
            number = self._new(result) if number is None else number
            return number, result.shape, result.dtype, result.requires_grad
        return self._plain(result, self._kept)

    def _plain(self, value: Any, inside: Callable[[Any], Any]) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return kind, value
        if kind is float:
            return kind, value.hex()  # -0.0 is not 0.0, and NaN is NaN
        if isinstance(value, list | tuple):
            return (kind, *map(inside, value))
        if isinstance(value, dict):
            return (kind, *((key, inside(one)) for key, one in value.items()))
        if kind is slice:
            return (kind, *map(inside, (value.start, value.stop, value.step)))
        self._closed = False
        return None

    def _read(self, number: int, constant: Tensor) -> None:
        """The entries of a constant, once."""
        listed = constant.numel() <= _LISTED and constant.layout is torch.strided
        if not listed or constant.requires_grad or is_functorch_wrapped_tensor(constant):
            self._closed = False
        else:
            entries = constant.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
            self._steps.append((number, constant.shape, constant.stride(), constant.dtype, constant.device, entries))


__all__ = ["Teller", "Told"]
