"""The tangent kernel as a differentiable function of points and weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from polygeom.errors import BudgetError
from polygeom.learning import checks
from polygeom.learning.tangent.functional import WeightFunction


def differentiable_kernel(
    f: WeightFunction, points: tuple[Any, Any], outputs: str, memory: int, dtype: torch.dtype | None
) -> Tensor:
    """The kernel from whole Jacobians that keep their graph; shapes as for `polygeom.learning.tangent.empirical_ntk`.

    Parameters
    ----------
    f:
        The module, at its present weights: those of the result's graph are the module's own.
    points:
        ``x`` and ``y``, which is ``x`` if None.
    outputs, memory, dtype:
        As there.

    Raises
    ------
    BudgetError
        When the Jacobians do not fit.
    """

    def own(tensor: Tensor) -> Tensor:
        return tensor if dtype is None or not tensor.is_floating_point() else tensor.to(dtype)

    module = f.module
    chosen = {name: own(p) for name, p in module.named_parameters() if name in f.weights}
    rest = {name: own(p) for name, p in module.named_parameters() if name not in f.weights}
    rest |= {name: own(buffer.detach()) for name, buffer in module.named_buffers()}
    g = WeightFunction(module, chosen, rest, f.head)
    to = next(iter(chosen.values()))

    def rows(given: Any, name: str) -> Tensor:
        ready = f.prepare(given, name=name)
        graph = isinstance(given, Tensor) and given.is_floating_point()
        x = given.to(device=to.device, dtype=to.dtype) if graph else ready
        size = len(g.point(chosen, ready[0].detach()))
        needed = 4 * len(x) * size * g.parameter_count * to.element_size()
        if needed > memory:
            raise BudgetError(
                f"memory must be at least {needed} bytes for a differentiable kernel at {len(x)} points, got {memory}; "
                "write a larger one, or differentiable=False"
            )
        with checks.plain_attention():
            found = torch.func.vmap(torch.func.jacrev(g.point), in_dims=(None, 0))(chosen, x)
        return torch.cat([part.reshape(len(x), size, -1) for part in found.values()], dim=2)

    left = rows(points[0], "inputs")
    right = left if points[1] is None else rows(points[1], "others")
    if outputs == "sum":
        left, right = (part.sum(dim=1, keepdim=True) * part.shape[1] ** -0.5 for part in (left, right))
    rule = {"full": "ncp,mdp->nmcd", "diagonal": "ncp,mcp->nmc", "trace": "ncp,mcp->nm", "sum": "ncp,mcp->nm"}[outputs]
    return torch.einsum(rule, left, right)


__all__ = ["differentiable_kernel"]
