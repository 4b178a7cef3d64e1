"""Weights drawn anew from a seed, for modules of any kind."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from polygeom.checks import seed
from polygeom.engines.initialisation import INITIALISATIONS, check_initialisation, draw
from polygeom.engines.torch_module import NetworkModule
from polygeom.errors import PolygeomError
from polygeom.learning.networks.normalisation import Normalisation

_NORMALISATIONS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm, Normalisation)


@torch.no_grad()
def initialise(module: nn.Module, initialisation: str, rng: Any = 0) -> nn.Module:
    """Draw the weights of a module anew, in place, and return it.

    Parameters
    ----------
    module:
        Every part may state the fan-in of its own parameters in a mapping ``fan_in`` from their names, 0 for biases, as
        networks of polygeom do. Elsewhere parameters with at least two axes are weights, with fan-in their size over
        the first axis; those with ``bias`` in their name are biases and belong to the weight before them. All others
        are left alone, and parameters of normalisations.
    initialisation:
        A key of `polygeom.engines.initialisation.INITIALISATIONS`; ``"unit"`` for networks of polygeom alone.
    rng:
        Seed, or a generator of NumPy or torch.

    Raises
    ------
    PolygeomError
        For another initialisation.

    Examples
    --------
    >>> module = initialise(nn.Linear(10_000, 3), "truncated", rng=1)
    >>> round(float(module.weight.detach().std()), 3), float(module.bias.detach().norm())
    (0.01, 0.0)
    """
    check_initialisation(initialisation)
    if initialisation == "unit":
        if not isinstance(module, NetworkModule):
            raise PolygeomError(
                f"initialisation 'unit' scales the maps of networks of polygeom, got {type(module).__name__}; "
                "write initialisation='normal'"
            )
        module._initialise(initialisation, seed(rng))
        return module
    generator = torch.Generator().manual_seed(seed(rng))
    before = 1
    for parameter, fan_in in _drawn(module):
        shape = parameter.shape
        fan_out = math.prod(shape[:1]) * math.prod(shape[2:])
        drawn = draw(initialisation, shape, fan_in or before, fan_out, generator, bias=not fan_in)
        before = fan_in or before
        parameter.copy_(drawn)
    return module


def _drawn(module: nn.Module) -> Iterator[tuple[nn.Parameter, int]]:
    """Parameters that are drawn, each once, with their fan-in; 0 for biases."""
    seen: set[int] = set()
    for part in module.modules():
        if isinstance(part, _NORMALISATIONS):
            seen |= {id(parameter) for parameter in part.parameters(recurse=False)}
    for part in module.modules():
        stated = getattr(part, "fan_in", None)
        stated = stated if isinstance(stated, Mapping) else {}
        for name, parameter in part.named_parameters(recurse=False):
            if id(parameter) in seen:
                continue
            seen.add(id(parameter))
            if name in stated:
                yield parameter, stated[name]
            elif parameter.ndim > 1:
                yield parameter, math.prod(parameter.shape[1:])
            elif "bias" in name:
                yield parameter, 0


__all__ = ["INITIALISATIONS", "initialise"]
