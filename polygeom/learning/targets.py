"""Targets and losses as every function of this room reads them; see `polygeom.learning.checks` for the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from polygeom.checks import same_numbers
from polygeom.errors import PolygeomError
from polygeom.learning.checks import tensor


def values(given: Any, shape: Sequence[int], to: Tensor, *, name: str = "targets") -> Tensor:
    """Real numbers for outputs of ``shape``: of this shape, axes of length 1 aside, in the precision of ``to``.

    Raises
    ------
    PolygeomError
        When the shapes do not name the same numbers, or one is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> values(np.ones(3), (3, 1), torch.zeros(())).shape
    torch.Size([3, 1])
    """
    found = tensor(given, name).detach()
    if not same_numbers(found.shape, shape):
        hint = "; write loss='cross_entropy' for classes" if len(shape) > 1 and found.shape == shape[:1] else ""
        raise PolygeomError(
            f"{name} must have shape {tuple(shape)}, that of the outputs (axes of length 1 aside), got "
            f"{tuple(found.shape)}{hint or '; nothing is broadcast'}"
        )
    if not torch.isfinite(found).all():
        raise PolygeomError(f"{name} must be finite, got NaN or infinite entries; leave those points out")
    return found.to(device=to.device, dtype=to.dtype).reshape(tuple(shape))


def classes(given: Any, shape: Sequence[int], to: Tensor, *, name: str = "targets") -> Tensor:
    """Classes for logits of ``shape`` ``(N, C, …)``: int64 of shape ``(N, …)``, or shares of the shape of the logits.

    Raises
    ------
    PolygeomError
        For logits of fewer than two classes, classes that are no integers from 0 to ``C - 1``, and other shapes.

    Examples
    --------
    >>> import numpy as np
    >>> classes(np.array([[1], [0]]), (2, 3), torch.zeros(()))
    tensor([1, 0])
    """
    if len(shape) < 2 or shape[1] < 2:
        raise PolygeomError(
            f"loss='cross_entropy' needs outputs (N, C, …) with C ≥ 2 logits, got {tuple(shape)}; write two outputs, "
            "or loss='mse'"
        )
    found = tensor(given, name).detach()
    positions = (shape[0], *shape[2:])
    if found.shape == torch.Size(shape):
        if not torch.isfinite(found).all() or (found < 0).any():
            raise PolygeomError(f"{name} must be shares of the classes, finite and not negative, got others")
        return found.to(device=to.device, dtype=to.dtype)
    if not same_numbers(found.shape, positions):
        raise PolygeomError(
            f"{name} must be classes of shape {positions} or shares of shape {tuple(shape)}, got {tuple(found.shape)}"
        )
    if found.is_floating_point():
        raise PolygeomError(f"{name} must be integers, the numbers of classes, got {found.dtype}; write {name}.long()")
    found = found.to(device=to.device, dtype=torch.int64).reshape(positions)
    if found.min() < 0 or found.max() >= shape[1]:
        raise PolygeomError(
            f"{name} must be classes from 0 to {shape[1] - 1}, got {int(found.min())} to {int(found.max())}; number "
            "the classes from 0, and leave out points to be ignored"
        )
    return found


def as_many(given: Any, count: int, *, name: str = "targets", of: str = "inputs") -> Tensor:
    """Targets as a tensor with one entry for each of ``count`` points, for losses of one's own.

    Raises
    ------
    PolygeomError
        When they are not as many.
    """
    found = tensor(given, name).detach()
    if not found.ndim or len(found) != count:
        raise PolygeomError(
            f"{name} must be as many as {of}, got {len(found) if found.ndim else 'a single number'} and {count}; write "
            "one for each"
        )
    return found


def own_loss(loss: Callable[[Any, Tensor], Tensor], found: Any, targets: Tensor) -> Tensor:
    """A loss of one's own, watched once: columns ``(N, 1)`` and rows ``(N,)`` must not be broadcast to ``(N, N)``.

    Raises
    ------
    PolygeomError
        When the loss does this, or cannot be evaluated.
    """
    try:
        with _Watch(len(targets)):
            return loss(found, targets)
    except (torch.cuda.OutOfMemoryError, PolygeomError):
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise PolygeomError(
            f"loss cannot be evaluated at outputs of shape {tuple(getattr(found, 'shape', ()))} and targets of shape "
            f"{tuple(targets.shape)}, {targets.dtype}: {type(error).__name__}: {error}"
        ) from error


class Watched:
    """A loss of one's own whose first evaluation goes through `own_loss`."""

    def __init__(self, loss: Callable[[Any, Tensor], Tensor]) -> None:
        self.loss, self._seen = loss, False

    def __call__(self, found: Any, targets: Tensor) -> Tensor:
        if self._seen:
            return self.loss(found, targets)
        self._seen = True
        return own_loss(self.loss, found, targets)


class _Watch(TorchFunctionMode):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        shapes = [tuple(arg.shape) for arg in args if isinstance(arg, Tensor)]
        if self.count > 1 and len(shapes) == 2:
            short, long = sorted(shapes, key=len)
            if short == (self.count,) and long[:1] == (self.count,) and long[1:] and set(long[1:]) == {1}:
                name = getattr(func, "__name__", "a function")
                raise PolygeomError(
                    f"loss must not broadcast outputs against targets, but {name} meets shapes {shapes[0]} and "
                    f"{shapes[1]}; give targets the shape of the outputs"
                )
        return func(*args, **(kwargs or {}))


__all__ = ["Watched", "as_many", "classes", "own_loss", "values"]
