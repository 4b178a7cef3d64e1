"""What makes a training this training and no other: fingerprints of data, modules, losses, and a probe of what they do.

Text and numbers that are equal in every run of the same script, so that they can be stored with a checkpoint and
compared. What a fingerprint cannot see, such as a function that a ``forward`` method calls, the probe sees: outputs and
loss of the module at the weights in question.
"""

from __future__ import annotations

import functools
import hashlib
import math
import types
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size)
_PROBE_TOLERANCE = {torch.float64: 1e-9, torch.complex128: 1e-9}
_LOOSE_TOLERANCE = 1e-3


def fingerprint(*tensors: Tensor) -> str:
    """A digest of values, shapes and types; the device does not count.

    Examples
    --------
    >>> [fingerprint(torch.zeros(2)) == fingerprint(other) for other in (torch.zeros(2), torch.ones(2))]
    [True, False]
    """
    digest = hashlib.sha256()
    for tensor in tensors:
        own = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
        digest.update(f"{own.dtype} {tuple(own.shape)};".encode())
        digest.update(own.reshape(-1).view(torch.uint8).numpy().data if own.numel() else b"")
    return digest.hexdigest()


def state_fingerprint(module: nn.Module) -> str:
    """The `fingerprint` of all weights and buffers, with their names."""
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    names = hashlib.sha256("\n".join(name for name, _ in named).encode()).hexdigest()
    return f"{names}{fingerprint(*(value for _, value in named))}"


def structure(module: nn.Module, depth: int = 8) -> str:
    """A digest of the tree of parts, their classes and plain settings, and which weights are shared and trained."""
    first: dict[int, str] = {}
    lines = []
    for name, part in module.named_modules(remove_duplicate=False):
        settings = {key: describe(value, depth) for key, value in vars(part).items() if _counts(key)}
        lines.append(f"{name} {_name(type(part))} {part.extra_repr()} {sorted(settings.items())}")
    for name, weight in module.named_parameters(remove_duplicate=False):
        owner = first.setdefault(id(weight), name)
        lines.append(f"{name} {owner} {tuple(weight.shape)} {weight.dtype} {weight.requires_grad}")
    for name, buffer in module.named_buffers(remove_duplicate=False):
        lines.append(f"{name} {tuple(buffer.shape)} {buffer.dtype}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _counts(key: str) -> bool:
    """Attributes that are settings: not torch's own bookkeeping, and not the mode, which training sets itself."""
    return not key.startswith("_") and key != "training"


def describe(value: Any, depth: int = 8) -> str:
    """The same text for the same value in every run: plain data as it is, functions by their code and what they hold.

    Examples
    --------
    >>> describe((1, "a")), describe(lambda x: x + 1) == describe(lambda x: x + 2)
    ("(1, 'a')", False)
    """
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, Tensor):
        return fingerprint(value)
    if depth == 0:  # data or functions that contain themselves
        return type(value).__qualname__
    inner = functools.partial(describe, depth=depth - 1)
    if isinstance(value, nn.Module):
        return f"{_name(type(value))}({structure(value, depth - 1)}, {state_fingerprint(value)})"
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(f"{inner(k)}: {inner(v)}" for k, v in value.items())) + "}"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(map(inner, value)) + ")"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(inner, value))) + "}"
    if isinstance(value, functools.partial):
        return f"partial({inner(value.func)}, {inner(value.args)}, {inner(value.keywords)})"
    if isinstance(value, types.MethodType):
        return f"{inner(value.__func__)} of {inner(value.__self__)}"
    if isinstance(value, types.FunctionType):
        return _function(value, inner)
    return _name(value) if hasattr(value, "__qualname__") else _name(type(value))


def _name(value: Any) -> str:
    return f"{getattr(value, '__module__', '')}.{value.__qualname__}"


def _function(function: types.FunctionType, inner: Callable[[Any], str]) -> str:
    held = [cell.cell_contents for cell in function.__closure__ or () if not _is_empty(cell)]
    parts = [_code(function.__code__), *map(inner, held), inner(function.__defaults__), inner(function.__kwdefaults__)]
    return f"{_name(function)}({', '.join(parts)})"


def _code(code: types.CodeType) -> str:
    constants = [_code(one) if isinstance(one, types.CodeType) else describe(one) for one in code.co_consts]
    text = f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_freevars} {constants}"
    return hashlib.sha256(text.encode()).hexdigest()


def _is_empty(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return True
    return False


@torch.no_grad()
def probe(module: nn.Module, value: Callable[[], Iterable[Tensor]]) -> list[float]:
    """A few numbers that ``value()``, outputs and loss, comes to in evaluation mode; mode and buffers stay as they are.

    Random numbers are drawn from a fixed seed.
    """
    buffers = [buffer.clone() for buffer in module.buffers()]
    modes = {part: part.training for part in module.modules()}
    try:
        module.eval()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return [number for tensor in value() for number in _moments(tensor)]
    finally:
        for part, mode in modes.items():
            part.training = mode
        for buffer, before in zip(module.buffers(), buffers, strict=True):
            buffer.copy_(before)


def _moments(tensor: Tensor) -> list[float]:
    """Norm, and inner product with a vector in general position: what changes when any entry does."""
    flat = tensor.detach().cpu().resolve_conj().reshape(-1)
    flat = torch.view_as_real(flat).reshape(-1) if flat.is_complex() else flat
    flat = flat.double()
    weights = torch.cos(torch.arange(1, len(flat) + 1, dtype=torch.float64).square())
    return [float(torch.linalg.vector_norm(flat)), float(flat @ weights)]


def same_probe(first: Iterable[float], second: Iterable[float], dtype: torch.dtype) -> bool:
    """Whether two probes agree up to the rounding of ``dtype``; numbers that are not finite agree with each other."""
    one, two = list(first), list(second)
    scale = max((abs(v) for v in (*one, *two) if math.isfinite(v)), default=0.0)
    tolerance = _PROBE_TOLERANCE.get(dtype, _LOOSE_TOLERANCE)
    return len(one) == len(two) and all(
        math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance * scale) or not (math.isfinite(a) or math.isfinite(b))
        for a, b in zip(one, two, strict=True)
    )


__all__ = ["describe", "fingerprint", "probe", "same_probe", "state_fingerprint", "structure"]
