"""The Jacobian of a module as an operator: products with it and its transpose, without forming it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from polygeom.errors import PolygeomError
from polygeom.learning.tangent.functional import WeightFunction, weight_function


@dataclass(frozen=True, eq=False)
class TangentOperator:
    """``J`` of shape ``(N · C, P)`` through its products; see `tangent_operator`.

    Attributes
    ----------
    function:
        The module as a function of its weights.
    x:
        The points ``(N, *input_shape)``.
    outputs:
        ``C``.
    batch:
        Points taken at once.
    """

    function: WeightFunction
    x: Tensor
    outputs: int
    batch: int

    @property
    def shape(self) -> tuple[int, int]:
        """``(N · C, P)``."""
        return len(self.x) * self.outputs, self.function.parameter_count

    def product(self, direction: Tensor) -> Tensor:
        """``J v`` for a displacement ``v`` of the weights, ``(P,)``; shape ``(N, C)``. One forward-mode pass."""
        self._check("direction", direction, (self.shape[1],))
        f, tangent = self.function, self.function.unflat(direction)
        pieces = [torch.func.jvp(lambda w, own=own: f(w, own), (f.weights,), (tangent,))[1] for own in self._batches()]
        return torch.cat([piece.detach() for piece in pieces])

    def transpose(self, values: Tensor) -> Tensor:
        """``Jᵀ u`` for values ``u`` at all points and outputs, ``(N, C)``; shape ``(P,)``. Streamed over the points."""
        self._check("values", values, (len(self.x), self.outputs))
        f, first = self.function, 0
        total = torch.zeros(self.shape[1], dtype=values.dtype, device=values.device)
        for own in self._batches():
            weights = {name: weight.detach().requires_grad_() for name, weight in f.weights.items()}
            inner = (f(weights, own) * values[first : first + len(own)]).sum()
            gradients = torch.autograd.grad(inner, list(weights.values()), allow_unused=True)
            named = zip(weights.items(), gradients, strict=True)
            total += f.flat({name: torch.zeros_like(w) if g is None else g for (name, w), g in named})
            first += len(own)
        return total

    def kernel_product(self, values: Tensor) -> Tensor:
        """``K u = J (Jᵀ u)`` for ``u`` of shape ``(N, C)``; the same shape."""
        return self.product(self.transpose(values))

    def _batches(self) -> tuple[Tensor, ...]:
        return torch.split(self.x, self.batch)

    def _check(self, name: str, value: Tensor, shape: tuple[int, ...]) -> None:
        if value.shape != shape:
            raise PolygeomError(f"{name} must have shape {shape}, got {tuple(value.shape)}")


def tangent_operator(
    module: nn.Module, x: Tensor, *, batch: int = 256, dtype: torch.dtype | None = torch.float64
) -> TangentOperator:
    """The Jacobian of ``module`` at points ``x`` as an operator; later changes of either do not matter.

    Parameters
    ----------
    module:
        As for `polygeom.learning.tangent.tangent_kernel.jacobian`.
    x:
        Points ``(N, *input_shape)``.
    batch:
        Points taken at once; memory is that of one training step on such a batch.

    Examples
    --------
    >>> operator = tangent_operator(nn.Linear(2, 1), torch.tensor([[3.0, 4.0], [1.0, 0.0]]))
    >>> operator.shape, operator.product(torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64))[:, 0]
    ((2, 3), tensor([5., 3.], dtype=torch.float64))
    """
    if batch < 1:
        raise PolygeomError(f"batch must be at least 1, got {batch}; write batch=256")
    f = weight_function(module, dtype=dtype, keep=True)
    x = f.prepare(x).clone()
    with torch.no_grad():
        outputs = f(f.weights, x[:1]).shape[1]
    return TangentOperator(f, x, outputs, batch)


__all__ = ["TangentOperator", "tangent_operator"]
