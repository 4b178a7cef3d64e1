"""The border of this room: what every function that takes a module, points and targets accepts, and how it is read.

*Points* are tensors, NumPy arrays or nested lists of real numbers, shape ``(N, …)``. They are brought to the device and
the precision of the weights. Integers stay integers where the module reads integers (embeddings), and become floats
where it does not. *Outputs* are one tensor of real numbers, ``(N, …)``. *Targets* have the shape of the outputs, axes
of length 1 aside: ``(N,)`` and ``(N, 1)`` name the same numbers, and nothing else is ever broadcast. *Classes* are
integers ``0 … C - 1``, or one row of shares for each point (`polygeom.learning.targets`).

Anything else is refused in words.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from polygeom.errors import PolygeomError
from polygeom.learning.calls import parts, plain_attention, refuse_recomputed

_KINDS = "fiub"
_LOOKED_AT = 1000
"""Among so many points the one furthest from the first is found, to try whether they influence each other."""


class FallbackWarning(UserWarning):
    """Derivatives are right, but slower than usual: torch lacks a rule for something that the module does."""


def warn(message: str) -> None:
    """Issue a `FallbackWarning`."""
    warnings.warn(" ".join(message.split())[:300], FallbackWarning, stacklevel=4)


class _Unreadable(PolygeomError):
    """The module cannot be evaluated at these points."""


def tensor(value: Any, name: str) -> Tensor:
    """A tensor of real numbers from a tensor, a NumPy array, or nested lists; arrays are copied.

    Raises
    ------
    PolygeomError
        For anything that is not an array of real numbers.

    Examples
    --------
    >>> tensor(np.ones(2), "x")
    tensor([1., 1.], dtype=torch.float64)
    """
    if not isinstance(value, Tensor):
        try:
            array = np.asarray(value)
        except (ValueError, TypeError, RuntimeError) as error:
            raise PolygeomError(f"{name} must be an array of numbers, got {type(value).__name__}: {error}") from error
        if array.dtype.kind in "fiu" and array.dtype.itemsize > 8:
            array = array.astype(np.float64)
        if array.dtype.kind == "u" and array.dtype.itemsize > 1:
            array = array.astype(np.int64)
        if array.dtype.kind not in _KINDS:
            raise PolygeomError(
                f"{name} must be real numbers, got {type(value).__name__} of {array.dtype}; write a tensor or an array "
                "of floats"
            )
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C", copy=True))
    if value.layout is not torch.strided or value.is_quantized or value.is_nested:
        raise PolygeomError(f"{name} must be a dense tensor, got layout {value.layout}; write {name}.to_dense()")
    if value.is_complex():
        raise PolygeomError(f"{name} must be real, got {value.dtype}; write torch.view_as_real({name})")
    return value


def floats(value: Any, name: str, *, axes: int) -> Tensor:
    """A finite array with so many axes and at least one entry, integers as float64; what is a tensor keeps its graph.

    Raises
    ------
    PolygeomError
        For anything else.

    Examples
    --------
    >>> floats([[1, 2]], "matrix", axes=2)
    tensor([[1., 2.]], dtype=torch.float64)
    """
    found = tensor(value, name)
    if found.ndim != axes or not found.numel():
        raise PolygeomError(f"{name} must have {axes} axes and entries, got shape {tuple(found.shape)}")
    if not torch.isfinite(found).all():
        raise PolygeomError(f"{name} must be finite, got NaN or infinite entries; scale inputs or weights down")
    return found if found.is_floating_point() else found.double()


def points(x: Any, like: Tensor, *, name: str = "inputs", integers: bool = False) -> Tensor:
    """Points ``(N, …)`` on the device of ``like`` and in its precision; integers as int64 where they are kept.

    Raises
    ------
    PolygeomError
        For no points, entries that are not finite or not real, and anything that is not an array.

    Examples
    --------
    >>> points([[1, 2]], torch.ones(1, dtype=torch.float64))
    tensor([[1., 2.]], dtype=torch.float64)
    """
    x = tensor(x, name).detach()
    if not x.ndim or not x.numel():
        raise PolygeomError(
            f"{name} must be a tensor of at least one point (N, …), got shape {tuple(x.shape)}; add a leading axis"
        )
    if x.is_floating_point() and not torch.isfinite(x).all():
        raise PolygeomError(f"{name} must be finite, got NaN or infinite entries; leave those points out")
    dtype = torch.int64 if integers and not x.is_floating_point() else like.dtype
    x = x.clone() if x.is_inference() else x  # else torch takes no derivatives of what reads it
    ready: Tensor = x.to(device=like.device, dtype=dtype)
    return ready


def rows(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Two sets of rows for a kernel, ``(N, D)`` and ``(M, D)``, in the higher of their precisions.

    Integers become float64.

    Raises
    ------
    PolygeomError
        For anything that is not rows of equal length of finite numbers.

    Examples
    --------
    >>> [one.dtype for one in rows(np.ones((2, 3), dtype=np.float32), np.ones((1, 3)))]
    [torch.float64, torch.float64]
    """
    pair = [tensor(x, "x")] if y is x else [tensor(x, "x"), tensor(y, "y")]
    if any(one.ndim != 2 or one.shape[1] != pair[0].shape[1] for one in pair):
        shapes = " and ".join(str(tuple(one.shape)) for one in pair)
        raise PolygeomError(f"kernels take rows: shapes (N, D) and (M, D), got {shapes}; write x.reshape(len(x), -1)")
    if not all(torch.isfinite(one).all() for one in pair):
        raise PolygeomError("kernels take finite rows, got NaN or infinite entries; leave those rows out")
    pair = [one if one.is_floating_point() else one.double() for one in pair]
    dtype = torch.promote_types(pair[0].dtype, pair[-1].dtype)
    pair = [one.to(device=pair[0].device, dtype=dtype) for one in pair]
    return pair[0], pair[-1]


def outputs(value: Any, count: int) -> Tensor:
    """What a module has returned for ``count`` points, if it is one tensor of real numbers ``(N, …)``.

    Raises
    ------
    PolygeomError
        Otherwise.
    """
    if not isinstance(value, Tensor):
        raise PolygeomError(
            f"module must return one tensor of outputs (N, …), got {_described(value)}; {_remedy(value)}"
        )
    if value.is_complex():
        raise PolygeomError(
            f"module must return real outputs, got {value.dtype}; return torch.view_as_real(…) of them, real and "
            "imaginary part"
        )
    if not value.is_floating_point():
        raise PolygeomError(f"module must return floats, which have derivatives, got {value.dtype}; return its logits")
    if value.shape[:1] != (count,) or not value.numel():
        raise PolygeomError(
            f"module must map points (N, …) to one tensor of outputs (N, …), got {tuple(value.shape)} for N = "
            f"{count}; wrap it in a module that returns such outputs"
        )
    return value


def _remedy(value: Any) -> str:
    wrap = "wrap it in a module that returns one of them, or torch.cat of all"
    if isinstance(value, dict) and value:
        return f"write head={next(iter(value))!r} where there is such an argument, or {wrap}"
    return wrap


def _described(value: Any) -> str:
    if isinstance(value, dict):
        return f"a dictionary of {', '.join(map(str, value))}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return type(value).__name__


def a_module(value: Any) -> nn.Module:
    """The module; words on what to write where it is a network, its text or anything else."""
    if isinstance(value, nn.Module):
        return value
    if isinstance(value, str):
        raise PolygeomError(f"module must be a torch module, got {value!r}; write polygeom.parse({value!r}).to_torch()")
    raise PolygeomError(f"module must be a torch module, got {type(value).__name__}; write network.to_torch()")


def like(module: nn.Module, x: Any = None) -> Tensor:
    """A tensor in the precision and on the device of a module: its first weight or buffer of floats.

    Raises
    ------
    PolygeomError
        For complex weights, and where neither the module nor ``x`` has floats.
    """
    for held in (*a_module(module).parameters(), *module.buffers()):
        real(held)
        if held.is_floating_point():
            return held
    return x if isinstance(x, Tensor) and x.is_floating_point() else torch.zeros(())


def real(weight: Tensor) -> None:
    """Refuse complex weights."""
    if weight.is_complex():
        raise PolygeomError(f"module must have real weights, got {weight.dtype}; write real and imaginary parts")


def evaluate(call: Callable[[Tensor], Any], x: Tensor) -> Any:
    """``call(x)``; what torch says about points of a wrong shape or type becomes a `PolygeomError`."""
    try:
        return call(x)
    except (torch.cuda.OutOfMemoryError, PolygeomError):
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, AssertionError) as error:
        text = str(error).strip().splitlines()
        raise _Unreadable(
            f"module cannot be evaluated at points of shape {('N', *x.shape[1:])} and {x.dtype}: "
            f"{type(error).__name__}: {text[0] if text else ''}; write points of the shape that it reads".replace(
                "'N'", "N"
            )
        ) from error


def accept(
    module: nn.Module,
    call: Callable[[Tensor], Any],
    x: Any,
    *,
    name: str = "inputs",
    to: Tensor | None = None,
    separate: bool = True,
    first: int | None = 1,
) -> tuple[Tensor, torch.Size]:
    """Points as the module reads them, and the shape of its outputs at one point: what every function begins with.

    Parameters
    ----------
    module, call:
        The module, and how it is evaluated (with which weights, in which mode).
    x:
        Points, as described above.
    name:
        Of the argument, for messages.
    to:
        The precision and device to bring points to, those of the module if None.
    separate:
        Whether points must be treated each on its own, which is tried on two of them.
    first:
        How many points to evaluate at, None for all: a mini-batch for modules that need one.

    Raises
    ------
    PolygeomError
        For points or outputs that are none, and for modules that mix points or draw at random.
    """
    given = tensor(x, name)
    wanted = like(module, given) if to is None else to
    if given.is_floating_point():
        return _tried(call, points(given, wanted, name=name), separate, first)
    kept = reads_integers(module)
    try:
        return _tried(call, points(given, wanted, name=name, integers=kept), separate, first)
    except _Unreadable as error:
        try:
            return _tried(call, points(given, wanted, name=name, integers=not kept), separate, first)
        except PolygeomError:
            raise error from None


def reads_integers(module: nn.Module) -> bool:
    """Whether a module has embeddings, which take integers as they are."""
    return any(isinstance(part, nn.Embedding | nn.EmbeddingBag) for part in module.modules())


def _tried(call: Callable[[Tensor], Any], x: Tensor, separate: bool, first: int | None) -> tuple[Tensor, torch.Size]:
    with torch.no_grad():
        found = outputs(evaluate(call, x[:first]), len(x[:first]))
        if not torch.isfinite(found).all():
            raise PolygeomError("module must have finite outputs, got some that are not; scale inputs or weights down")
        if separate:
            alone = found[0] if first == 1 else None
            independent(lambda rows: outputs(evaluate(call, x[rows]), len(rows)), x, alone)
    return x, found.shape[1:]


def independent(values: Callable[[Tensor], Tensor], x: Tensor, first: Tensor | None = None) -> None:
    """Refuse where points influence each other, or values change from call to call: tried on two different points.

    Parameters
    ----------
    values:
        Gives the values ``(n, …)`` at some positions ``(n,)`` of the points.
    x:
        The points.
    first:
        The value of the first point alone, if it is known.
    """
    step = -(-len(x) // _LOOKED_AT)
    far = step * int((x[::step] - x[:1]).reshape(len(x[::step]), -1).abs().amax(dim=1).argmax())
    rows = torch.tensor([0, far, 0], device=x.device)  # neither sorted, nor sorted backwards
    together = values(rows[:2])
    alone = [values(rows[:1])[0] if first is None else first, values(rows[1:2])[0]]
    again = [values(rows[:2]) for _ in range(3)]
    if not all(close(together, other) for other in again):
        raise PolygeomError(
            "module must have definite outputs, but they change from call to call (dropout or noise as a function, or "
            "statistics that move); call module.eval(), or write it without"
        )
    for found in (together, values(rows)):
        if any(not close(one, alone[number % 2]) for number, one in enumerate(found)):
            raise mixed()


def mixed() -> PolygeomError:
    """What is said where points influence each other."""
    return PolygeomError(
        "module must treat every point on its own, but its outputs at a point depend on the other points (the "
        "first axis is that of points: means over it, attention or recurrence along it); write batch_first=True, "
        "or a module without"
    )


def close(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal but for rounding, next to the largest of their entries."""
    if one.shape != other.shape:
        return False
    return bool(
        (
            (one - other).abs()
            <= torch.finfo(one.dtype).eps ** 0.5 * torch.maximum(one.abs().amax(), other.abs().amax())
        ).all()
    )


def refuse_batch_statistics(module: nn.Module) -> None:
    """Refuse modules with batch normalisation by the batch, or with active dropout, by the name of the submodule."""
    for name, part in parts(a_module(module)):
        if isinstance(part, _BatchNorm) and (part.training or part.running_mean is None):
            raise PolygeomError(
                f"module must treat every point on its own, but batch normalisation {name or type(part).__name__!r} "
                "uses the statistics of the batch; call module.eval() (with track_running_stats=True)"
            )
        if isinstance(part, nn.modules.dropout._DropoutNd) and part.training and part.p:
            raise PolygeomError(
                f"module must have definite outputs, but dropout {name or type(part).__name__!r} is active; "
                "call module.eval()"
            )


__all__ = [
    "FallbackWarning",
    "accept",
    "close",
    "evaluate",
    "floats",
    "independent",
    "like",
    "mixed",
    "outputs",
    "plain_attention",
    "points",
    "reads_integers",
    "real",
    "refuse_batch_statistics",
    "refuse_recomputed",
    "rows",
    "tensor",
    "warn",
]
