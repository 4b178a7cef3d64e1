"""Modules for data of a given shape: from the text of a network, a factory, or a module that is copied."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from polygeom.errors import PolygeomError
from polygeom.network import Network, parse


def make_module(
    given: str | Network | nn.Module | Callable[..., Any],
    shape: tuple[int, ...],
    outputs: int,
    rng: int,
    *,
    argument: str = "module",
) -> nn.Module:
    """A module that reads batches ``(N, *shape)`` and gives ``(N, outputs)``.

    Parameters
    ----------
    given:
        The text of a network, or a network, which read the flattened input; a function or class, which is given those
        of ``shape`` (of one input), ``inputs`` (their number), ``outputs`` and ``rng`` that it names as parameters, and
        is called with torch's seed set to ``rng``; or a module, of which this is a copy.
    shape, outputs:
        Of one sample.
    rng:
        Seed of the first weights.
    argument:
        How messages begin.

    Raises
    ------
    PolygeomError
        When it makes no module, or one of other inputs or outputs.

    Examples
    --------
    >>> make_module("[4,3,1] r=2", (2, 2), 1, 0)(torch.zeros(5, 2, 2, dtype=torch.float64)).shape
    torch.Size([5, 1])
    >>> make_module(lambda inputs, outputs: nn.Linear(inputs, outputs), (4,), 3, 0)
    Linear(in_features=4, out_features=3, bias=True)
    """
    if isinstance(given, str | Network):
        network = parse(given) if isinstance(given, str) else given
        if network.input_dimension != math.prod(shape):
            raise PolygeomError(f"{argument} has {network.input_dimension} inputs, the data has {math.prod(shape)}")
        module: nn.Module = nn.Sequential(nn.Flatten(), network.to_torch(rng=rng))
    elif isinstance(given, nn.Module):
        module = copy.deepcopy(given)
    elif callable(given):
        known = {"shape": shape, "inputs": math.prod(shape), "outputs": outputs, "rng": rng}
        module = _called(given, known, argument)
    else:
        raise PolygeomError(
            f"{argument} must be the text of a network, a module, or a function that makes one, got "
            f"{type(given).__name__}; write '[{math.prod(shape)},8,{outputs}] r=2'"
        )
    _check(module, shape, outputs, argument)
    return module


def _called(made: Callable[..., Any], known: dict[str, Any], argument: str) -> nn.Module:
    try:
        wanted = inspect.signature(made).parameters
    except (TypeError, ValueError):
        wanted = {}  # type: ignore[assignment]
    given = {name: value for name, value in known.items() if name in wanted}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(known["rng"])
        try:
            module = made(**given)
        except TypeError as error:
            raise PolygeomError(f"{argument} must need no arguments but {', '.join(known)}: {error}") from error
    if not isinstance(module, nn.Module):
        raise PolygeomError(f"{argument} must make a torch module, got {type(module).__name__}")
    return module


def _check(module: nn.Module, shape: tuple[int, ...], outputs: int, argument: str) -> None:
    weight = next((w for w in module.parameters() if w.is_floating_point()), torch.zeros(()))
    modes = {part: part.training for part in module.modules()}
    try:
        with torch.no_grad():
            value = module.eval()(torch.zeros((2, *shape), dtype=weight.dtype, device=weight.device))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        first = str(error).partition("\n")[0]
        raise PolygeomError(f"{argument} cannot read inputs of shape {('N', *shape)}: {first}") from error
    finally:
        for part, mode in modes.items():
            part.training = mode
    found = getattr(value, "shape", None)
    if found != (2, outputs):
        told = type(value).__name__ if found is None else tuple(found)
        raise PolygeomError(f"{argument} must give {outputs} outputs for each input, shape (2, {outputs}), got {told}")


__all__ = ["make_module"]
