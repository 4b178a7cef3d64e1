"""Weights drawn anew from a seed, for modules of any kind."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from polygeom.errors import PolygeomError

INITIALISATIONS = ("torch", "A", "B", "normal", "unit", "truncated")
_TRUNCATED_DEVIATION = 0.87962566
"""The standard deviation of normal numbers cut off at ±2."""


@torch.no_grad()
def initialise(module: nn.Module, option: str, rng: int = 0) -> nn.Module:
    """Draw the weights of a module anew, in place, and return it.

    Parameters
    ----------
    module:
        Parameters with at least two axes are weights, with fan-in their size over the first axis; others are biases and
        belong to the weight before them. Parameters of normalisations are left alone.
    option:
        ``"torch"``: weights and biases uniform in ``± fan_in ** -0.5``, torch's default for linear maps.
        ``"A"``: weights normal of variance ``2 / fan_out``; ``"B"``: of variance 2; biases as before.
        ``"normal"``: everything standard normal. ``"unit"``: weights normal of variance ``1 / fan_in``, biases zero.
        ``"truncated"``: the same with normal numbers cut off at two deviations before they are scaled, flax's default.
    rng:
        Seed.

    Raises
    ------
    PolygeomError
        For another option.

    Examples
    --------
    >>> module = initialise(nn.Linear(10_000, 3), "truncated", rng=1)
    >>> round(float(module.weight.detach().std()), 3), float(module.bias.detach().norm())
    (0.01, 0.0)
    """
    if option not in INITIALISATIONS:
        raise PolygeomError(f"initialisation must be one of {', '.join(INITIALISATIONS)}, got {option!r}")
    generator = torch.Generator().manual_seed(rng)
    normed = {id(p) for part in module.modules() if isinstance(part, _BatchNorm) for p in part.parameters()}
    fan_in = 1.0
    for parameter in module.parameters():
        if id(parameter) in normed:
            continue
        shape, weight = parameter.shape, parameter.ndim > 1
        if weight:
            fan_in = math.prod(shape[1:])
        fan_out = shape[0] * math.prod(shape[2:])
        if option == "normal" or (weight and option in "AB") or (weight and option == "unit"):
            size = {"A": (2 / fan_out) ** 0.5, "B": 2**0.5, "normal": 1.0, "unit": fan_in**-0.5}[option]
            drawn = size * torch.randn(shape, generator=generator, dtype=torch.float64)
        elif option == "truncated":
            drawn = torch.empty(shape, dtype=torch.float64)
            nn.init.trunc_normal_(drawn, a=-2.0, b=2.0, generator=generator)
            drawn = drawn / (_TRUNCATED_DEVIATION * math.sqrt(fan_in)) if weight else 0 * drawn
        elif option == "unit":
            drawn = torch.zeros(shape, dtype=torch.float64)
        else:
            drawn = (2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1) * fan_in**-0.5
        parameter.copy_(drawn)
    return module
