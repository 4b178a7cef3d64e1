"""How far training goes: norms of weights and gradients, distances between weights and between kernels.

A network whose weights hardly move is its linearisation; these numbers say whether it is. `weight_norm` and
`gradient_norm` are metrics for `polygeom.learning.training.loop.train`; the distances compare two moments, for one of
which `weights_of` keeps a copy of the weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from polygeom.errors import PolygeomError
from polygeom.learning import checks


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the weights that are trained, by name.

    Examples
    --------
    >>> list(weights_of(nn.Linear(2, 1)))
    ['weight', 'bias']
    """
    return {name: w.detach().clone() for name, w in module.named_parameters() if w.requires_grad}


def weight_norm(module: nn.Module) -> float:
    """Euclidean norm of all weights that are trained, as one vector.

    Examples
    --------
    >>> weight_norm(nn.Bilinear(3, 4, 1, bias=False).requires_grad_(False))  # nothing is trained
    0.0
    """
    return _norm([w for w in module.parameters() if w.requires_grad])


def gradient_norm(module: nn.Module) -> float:
    """Euclidean norm of the gradient that the last ``backward()`` has left in the weights.

    As a metric of a training it is that of the loss on the present batch, which is all samples without mini-batches.

    Raises
    ------
    PolygeomError
        When there is no gradient.

    Examples
    --------
    >>> module = nn.Linear(2, 1, bias=False)
    >>> module(torch.tensor([3.0, 4.0])).sum().backward()
    >>> gradient_norm(module)
    5.0
    """
    gradients = [w.grad for w in module.parameters() if w.grad is not None]
    if not gradients:
        raise PolygeomError("module must hold a gradient; call backward() on a loss, or use this as a metric of train")
    return _norm(gradients)


def clip_weight_norm(module: nn.Module, most: float) -> None:
    """Project the weights that are trained, as one vector, onto the ball of radius ``most`` around zero, in place.

    Examples
    --------
    >>> module = nn.Linear(2, 1)
    >>> clip_weight_norm(module, 0.1)
    >>> round(weight_norm(module), 6)
    0.1
    """
    norm = weight_norm(module)
    if norm > most:
        with torch.no_grad():
            for w in module.parameters():
                if w.requires_grad:
                    w.mul_(most / norm)


def squared_weight_distance(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    """``‖v - w‖²`` of two sets of weights with the same names, symmetries not considered.

    `polygeom.learning.thresholds.weight_matching.weight_distance` is the distance up to symmetry.

    Raises
    ------
    PolygeomError
        When names or shapes differ.

    Examples
    --------
    >>> squared_weight_distance({"w": torch.zeros(2)}, {"w": torch.tensor([3.0, 4.0])})
    25.0
    """
    first, second = _same(first, second)
    return _norm([first[name] - second[name] for name in first]) ** 2


def weight_cosine_distance(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    """``1 - ⟨v, w⟩ / (‖v‖ ‖w‖)`` of two sets of weights with the same names: 0 for equal directions, 1 for orthogonal.

    Raises
    ------
    PolygeomError
        When names or shapes differ, or all weights of one are zero.

    Examples
    --------
    >>> weight_cosine_distance({"w": torch.tensor([1.0, 0.0])}, {"w": torch.tensor([0.0, 2.0])})
    1.0
    """
    first, second = _same(first, second)
    inner = math.fsum(float((first[name] * second[name]).sum()) for name in first)
    return _cosine_distance(inner, _norm(first.values()), _norm(second.values()))


def kernel_cosine_distance(first: Tensor, second: Tensor) -> float:
    """``1 - ⟨K, L⟩ / (‖K‖ ‖L‖)`` of two kernel matrices of the same shape: how far a kernel has turned.

    Growth of the kernel as a whole does not count. For positive semidefinite kernels the value lies in [0, 1].

    Raises
    ------
    PolygeomError
        When shapes differ, or a kernel is zero.

    Examples
    --------
    >>> kernel_cosine_distance(torch.eye(4), 5 * torch.eye(4))
    0.0
    >>> round(kernel_cosine_distance(torch.eye(2), torch.ones(2, 2)), 4)  # 1 - 2 / (√2 · 2)
    0.2929
    """
    first, second = (pair["kernel"] for pair in _same({"kernel": first}, {"kernel": second}))
    return _cosine_distance(float((first * second).sum()), _norm([first]), _norm([second]))


def _norm(tensors: Iterable[Tensor]) -> float:
    return math.hypot(*(float(torch.linalg.vector_norm(one.detach())) for one in tensors))


def _cosine_distance(inner: float, first: float, second: float) -> float:
    if not first or not second:
        raise PolygeomError("neither of the two may be zero; the angle with zero is not defined")
    return 1 - inner / (first * second)


def _same(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Both in double precision, with the same names and shapes."""
    pair = [
        {name: checks.tensor(value, name).detach().double() for name, value in one.items()} for one in (first, second)
    ]
    shapes = [{name: tuple(value.shape) for name, value in one.items()} for one in pair]
    if shapes[0] != shapes[1]:
        raise PolygeomError(f"both must have the same shapes, got {shapes[0]} and {shapes[1]}")
    return pair[0], pair[1]


__all__ = [
    "clip_weight_norm",
    "gradient_norm",
    "kernel_cosine_distance",
    "squared_weight_distance",
    "weight_cosine_distance",
    "weight_norm",
    "weights_of",
]
