"""A torch module as a function of its weights: what tangent kernels, linearised models and mixed derivatives share."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from polygeom.errors import PolygeomError

DEFAULT_BUDGET = 2**30
"""Bytes that a computation of this room may hold at once unless told otherwise: one gibibyte."""


@dataclass(frozen=True, eq=False)
class WeightFunction:
    """``f(w, x)``: the outputs of a module at points ``x`` for any weights ``w``, flattened to ``(N, C)``.

    Attributes
    ----------
    module:
        The module; it is not changed.
    weights:
        Copies of the parameters that require gradients, by name: the point at which derivatives are taken.
    constants:
        Buffers and parameters that do not require gradients.
    """

    module: nn.Module
    weights: dict[str, Tensor]
    constants: dict[str, Tensor]

    def __call__(self, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Outputs ``(N, C)`` at points ``(N, *input_shape)``."""
        value = torch.func.functional_call(self.module, {**self.constants, **weights}, (x,))
        if not isinstance(value, Tensor) or value.shape[:1] != x.shape[:1]:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise PolygeomError(
                f"module must map points (N, …) to one tensor of outputs (N, …), got {shape} for N = {len(x)}; "
                "wrap it in a module that returns such outputs"
            )
        return value.reshape(len(value), -1)

    def point(self, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Outputs ``(C,)`` at one point, for ``torch.func.vmap``."""
        return self(weights, x.unsqueeze(0)).squeeze(0)

    def prepare(self, x: Tensor) -> Tensor:
        """The points in the precision and on the device of the weights."""
        if not isinstance(x, Tensor) or not x.ndim or not len(x):
            raise PolygeomError("x must be a tensor of at least one point, shape (N, …); add a leading axis")
        like = next(iter(self.weights.values()))
        return x.detach().to(dtype=like.dtype if x.is_floating_point() else x.dtype, device=like.device)

    @property
    def parameter_count(self) -> int:
        """``P``, the number of weights."""
        return sum(weight.numel() for weight in self.weights.values())

    def flat(self, weights: Mapping[str, Tensor]) -> Tensor:
        """One vector ``(P,)`` of weights or displacements given by name, in the order of `weights`."""
        return torch.cat([weights[name].reshape(-1) for name in self.weights])

    def unflat(self, vector: Tensor) -> dict[str, Tensor]:
        """The inverse of `flat`."""
        pieces = torch.split(vector, [weight.numel() for weight in self.weights.values()])
        return {name: piece.reshape(w.shape) for piece, (name, w) in zip(pieces, self.weights.items(), strict=True)}


def weight_function(
    module: nn.Module, *, dtype: torch.dtype | None = torch.float64, keep: bool = False
) -> WeightFunction:
    """`WeightFunction` of a module at its present weights.

    Parameters
    ----------
    module:
        Every point must be treated on its own: batch normalisation in evaluation mode (fixed statistics), no dropout.
    dtype:
        Precision of weights and buffers in the function; None keeps the module's.
    keep:
        Whether the function outlives the call: then it has a copy of the module, which later changes do not reach.

    Raises
    ------
    PolygeomError
        When points would influence each other, outputs would be random, or nothing can be trained.

    Examples
    --------
    >>> f = weight_function(nn.Linear(3, 2))
    >>> f.parameter_count, f(f.weights, torch.ones(4, 3, dtype=torch.float64)).shape
    (8, torch.Size([4, 2]))
    """
    for name, part in module.named_modules():
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

    def own(tensor: Tensor) -> Tensor:
        wanted = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
        return tensor.detach().to(wanted, copy=True)

    weights = {name: own(p) for name, p in module.named_parameters() if p.requires_grad}
    if not weights:
        raise PolygeomError("module must have a parameter that requires gradients; call module.requires_grad_(True)")
    constants = {name: own(p) for name, p in module.named_parameters() if not p.requires_grad}
    constants.update({name: own(buffer) for name, buffer in module.named_buffers()})
    return WeightFunction(standalone(module) if keep else module, weights, constants)


def standalone(module: nn.Module) -> nn.Module:
    """A copy that shares no weight, buffer, part or mode with the module.

    Raises
    ------
    PolygeomError
        When the module cannot be copied.

    Examples
    --------
    >>> module = nn.Sequential(nn.Linear(2, 1))
    >>> mine = standalone(module)
    >>> module[0] = nn.Linear(2, 7)
    >>> mine
    Sequential(
      (0): Linear(in_features=2, out_features=1, bias=True)
    )
    """
    computed = [value for part in module.modules() for value in vars(part).values() if isinstance(value, Tensor)]
    # what hooks have computed from weights, such as those of weight_norm; torch refuses to copy it
    memo: dict[int, Any] = {id(value): value.detach().clone() for value in computed if not value.is_leaf}
    try:
        return copy.deepcopy(module, memo)
    except Exception as error:  # anything that a part may hold
        raise PolygeomError(
            f"module must be a module that copy.deepcopy can copy, got {type(error).__name__}: {error}; keep what "
            "cannot be copied (open files, locks) out of the module"
        ) from error


def reset_statistics(module: nn.Module) -> nn.Module:
    """Bring the running statistics of batch normalisation back to initialisation, in place: mean 0, variance 1.

    Weights, and the scales and shifts of the normalisation, stay. So linearisations at trained weights are compared
    with those at the start in arXiv 2106.06770: what training learned about the inputs' moments is no advantage.

    Examples
    --------
    >>> norm = nn.BatchNorm1d(2, momentum=0.5)
    >>> _ = norm(torch.tensor([[0.0, 2.0], [2.0, 4.0]]))
    >>> norm.running_mean
    tensor([0.5000, 1.5000])
    >>> reset_statistics(norm).running_mean
    tensor([0., 0.])
    """
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.reset_running_stats()
    return module


__all__ = ["DEFAULT_BUDGET", "WeightFunction", "reset_statistics", "standalone", "weight_function"]
