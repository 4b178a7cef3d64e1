"""The Jacobian of a module as an operator: products with it and its transpose, without forming it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.checks import same_numbers
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning import targets as fitting
from polygeom.learning.tangent.functional import Parameters, WeightFunction, weight_function


@dataclass(frozen=True, eq=False)
class TangentOperator:
    """``J`` of shape ``(N · C, P)`` through its products; see `tangent_operator`.

    Attributes
    ----------
    function:
        The module as a function of its weights.
    x:
        The points ``(N, *input_shape)``.
    output_shape:
        Of the module at one point; ``C`` outputs in all.
    batch:
        Points taken at once.
    """

    function: WeightFunction
    x: Tensor
    output_shape: tuple[int, ...]
    batch: int

    @property
    def outputs(self) -> int:
        """``C``."""
        return math.prod(self.output_shape)

    @property
    def shape(self) -> tuple[int, int]:
        """``(N · C, P)``."""
        return len(self.x) * self.outputs, self.function.parameter_count

    def product(self, direction: Tensor) -> Tensor:
        """``J v`` for a displacement ``v`` of the weights, ``(P,)``; shape ``(N, C)``. One forward-mode pass.

        Where torch has no forward mode, two backward passes with a `polygeom.learning.checks.FallbackWarning`.
        """
        f = self.function
        direction = checks.tensor(direction, "direction")
        if direction.shape != (self.shape[1],):
            raise PolygeomError(f"direction must have shape ({self.shape[1]},), got {tuple(direction.shape)}")
        tangent = f.unflat(direction.to(self.like))
        pieces = [f.along(tangent, own)[1].detach().reshape(len(own), -1) for own in self._batches()]
        return torch.cat(pieces)

    def transpose(self, values: Tensor) -> Tensor:
        """``Jᵀ u`` for values ``u`` at all points and outputs, ``(N, C)`` or in the shape of the module's outputs.

        Shape ``(P,)``. Streamed over the points.
        """
        f, first, values = self.function, 0, self._values(values)
        total = torch.zeros(self.shape[1], dtype=values.dtype, device=values.device)
        for own in self._batches():
            weights = {name: weight.detach().requires_grad_() for name, weight in f.weights.items()}
            with torch.enable_grad():
                inner = (f(weights, own) * values[first : first + len(own)]).sum()
            gradients = torch.autograd.grad(inner, list(weights.values()), allow_unused=True)
            named = zip(weights.items(), gradients, strict=True)
            total += f.flat({name: torch.zeros_like(w) if g is None else g for (name, w), g in named})
            first += len(own)
        return total

    def kernel_product(self, values: Tensor) -> Tensor:
        """``K u = J (Jᵀ u)`` for ``u`` as for `transpose`; the same shape."""
        return self.product(self.transpose(values)).reshape(values.shape)

    @property
    def like(self) -> Tensor:
        """A weight, whose precision and device are those of all results."""
        return next(iter(self.function.weights.values()))

    def _batches(self) -> tuple[Tensor, ...]:
        return torch.split(self.x, self.batch)

    def _values(self, values: Tensor) -> Tensor:
        """Values ``(N, C)``."""
        flat, own = (len(self.x), self.outputs), (len(self.x), *self.output_shape)
        values = checks.tensor(values, "values")
        shape = own if same_numbers(values.shape, own) else flat
        return fitting.values(values, shape, self.like, name="values").reshape(flat)


def tangent_operator(
    module: nn.Module,
    inputs: Any,
    *,
    batch: int = 256,
    dtype: torch.dtype | None = torch.float64,
    parameters: Parameters = None,
    head: str | None = None,
) -> TangentOperator:
    """The Jacobian of ``module`` at points ``inputs`` as an operator; later changes of either do not matter.

    Parameters
    ----------
    module, parameters, head:
        As for `polygeom.learning.tangent.tangent_kernel.jacobian`.
    inputs:
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
    f = weight_function(module, dtype=dtype, keep=True, parameters=parameters, head=head)
    inputs, shape = f.accept(inputs)
    return TangentOperator(f, inputs.clone(), tuple(shape), batch)


__all__ = ["TangentOperator", "tangent_operator"]
