"""Derivatives point by point: for every module, where no rule for its layers is known."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from polygeom.errors import BudgetError
from polygeom.learning import checks
from polygeom.learning.tangent.functional import WeightFunction
from polygeom.learning.tangent.layers.pieces import Factor, Features

_TOLERANCE = 1e-3


def pointwise(f: WeightFunction, combinations: Tensor | None = None) -> Features:
    """The same derivatives by a backward pass for each point and output, many at once (``vmap`` of ``jacrev``)."""

    def combined(weights: dict[str, Tensor], point: Tensor) -> Tensor:
        y = f.point(weights, point)
        return y if combinations is None else combinations.to(y) @ y

    def features(x: Tensor) -> list[Factor]:
        with checks.plain_attention():
            derivatives = torch.func.vmap(torch.func.jacrev(combined), in_dims=(None, 0))(f.weights, x)
        return [Factor(name, explicit=_flat(value.detach(), 2)) for name, value in derivatives.items()]

    return features


def single(f: WeightFunction, combinations: Tensor | None = None) -> Features:
    """The same derivatives for every module, one point after the other: what has no rule for ``vmap`` works as well."""

    def features(x: Tensor) -> list[Factor]:
        with checks.plain_attention(), torch.enable_grad():
            points = [_by_backward(f, point, combinations) for point in torch.split(x, 1)]
        return [Factor(name, explicit=torch.stack([own[name] for own in points])) for name in f.weights]

    return features


def _by_backward(f: WeightFunction, point: Tensor, combinations: Tensor | None) -> dict[str, Tensor]:
    """Derivatives ``(C, size)`` by every weight at one point."""
    weights = {name: weight.detach().requires_grad_() for name, weight in f.weights.items()}
    y = f(weights, point)[0]
    y = y if combinations is None else combinations.to(y) @ y
    rows = [
        torch.autograd.grad(value, list(weights.values()), retain_graph=True, allow_unused=True)
        if value.requires_grad else [None] * len(weights)
        for value in y
    ]  # fmt: skip
    return {
        name: torch.stack([(torch.zeros_like(weight) if g is None else g).reshape(-1) for g in own])
        for (name, weight), own in zip(weights.items(), zip(*rows, strict=True), strict=True)
    }


def generic(f: WeightFunction, x: Tensor) -> Callable[[WeightFunction, Tensor | None], Features]:
    """`pointwise` where torch has all rules for it, tried on two points; else `single`, with a `FallbackWarning`."""
    x = x[:2]
    try:
        batched = {factor.name: factor.jacobian() for factor in pointwise(f)(x)}
        reason = "the rules that torch has for a batch of points give other numbers"
    except BudgetError:  # a limit of time or memory, no rule that is missing
        raise
    except Exception as error:  # noqa: BLE001  whatever torch's batching rules stumble over
        batched, reason = {}, f"{type(error).__name__}: {error}"
    for name, expected in ((factor.name, factor.jacobian()) for factor in single(f)(x) if batched):
        if (batched[name] - expected).norm() > _TOLERANCE * expected.norm():
            batched = {}
            break
    if batched:
        return pointwise
    checks.warn(f"module has no derivatives for many points at once, they are taken point by point: {reason}")
    return single


def _flat(values: Tensor, axes: int) -> Tensor:
    """All axes after the first ``axes`` as one, also where there are none."""
    return values.reshape(*values.shape[:axes], -1)


__all__ = ["generic", "pointwise", "single"]
