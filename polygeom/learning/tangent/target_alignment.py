"""How well a tangent kernel fits a target.

The raw alignment ``yᵀ K y / yᵀ y`` grows with the kernel itself, which training makes a hundred times larger; compare
states of a network by the alignment per trace, or by centred alignment. Alignment bounds the norm of the target in the
space of the kernel from below: ``yᵀ K y · yᵀ K⁻¹ y ≥ ‖y‖⁴`` (Cauchy–Schwarz), so a target of small norm needs a high
alignment (arXiv 2106.06770).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn

from polygeom.checks import same_numbers
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning.tangent.functional import DEFAULT_BUDGET
from polygeom.learning.tangent.operators import TangentOperator, tangent_operator
from polygeom.learning.tangent.tangent_kernel import jacobian, kernel_diagonal

_FEW = 2
"""Up to so many targets one backward pass for each is cheaper than Jacobians of all points."""


def alignment(
    module: nn.Module,
    inputs: Any,
    targets: Any,
    *,
    per_trace: bool = False,
    batch: int = 256,
    dtype: torch.dtype | None = torch.float64,
    memory: int = DEFAULT_BUDGET,
) -> Tensor:
    """``‖Jᵀ y‖² / ‖y‖²`` for every target ``y``, streamed over the points: neither ``J`` nor the kernel is formed.

    Parameters
    ----------
    module, inputs, dtype:
        As for `polygeom.learning.tangent.tangent_kernel.jacobian`.
    targets:
        ``(N, C)`` for one target, or in the shape of the module's outputs; a leading axis ``T`` for several; ``(N,)``
        and ``(T, N)`` when the module has one output.
    per_trace:
        Whether to divide by the trace of the kernel, so that growth of the kernel as a whole does not count.
    batch, memory:
        Points taken at once for ``Jᵀ y``, and bytes for the trace.

    Returns
    -------
    A number (shape ``()``) for one target, ``(T,)`` for several. For an eigenvector of the kernel it is the eigenvalue.

    Raises
    ------
    PolygeomError
        When the targets do not fit or one of them is zero.

    Examples
    --------
    >>> inputs = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    >>> alignment(nn.Linear(2, 1, bias=False), inputs, torch.tensor([0.0, 1.0]))
    tensor(4., dtype=torch.float64)
    """
    operator = tangent_operator(module, inputs, batch=batch, dtype=dtype)
    stacked, one = _stacked(operator, targets)
    found = _split(module, operator, stacked, len(operator.x), per_trace, memory)["all"]
    return found[0] if one else found


def split_alignment(
    module: nn.Module,
    x: Any,
    targets: Any,
    first: int,
    *,
    per_trace: bool = False,
    batch: int = 256,
    dtype: torch.dtype | None = torch.float64,
    memory: int = DEFAULT_BUDGET,
) -> dict[str, Tensor]:
    """`alignment` on the first points, on the others, and on all of them, from one pass over the points.

    Parameters
    ----------
    module, x, targets, per_trace, batch, dtype, memory:
        As for `alignment`. Many targets are taken at once, as many as the budget allows, by Jacobians of few points.
    first:
        How many points are the first part, those to train on for instance; all of them when there is only that part.

    Returns
    -------
    ``"train"``, ``"test"`` (not when ``first`` is ``N``) and ``"all"``, each of shape ``(T,)``.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    >>> found = split_alignment(nn.Linear(2, 1, bias=False), x, torch.tensor([1.0, 1.0]), 1)
    >>> [float(value) for value in found.values()]
    [1.0, 4.0, 2.5]
    """
    operator = tangent_operator(module, x, batch=batch, dtype=dtype)
    return _split(module, operator, _stacked(operator, targets)[0], first, per_trace, memory)


def _split(
    module: nn.Module, operator: TangentOperator, stacked: Tensor, first: int, per_trace: bool, memory: int
) -> dict[str, Tensor]:
    x = operator.x
    if not 1 <= first <= len(x):
        raise PolygeomError(f"first must be between 1 and {len(x)}, got {first}; write first={len(x)} for all points")
    parts = {"train": slice(0, first), "test": slice(first, None)} if first < len(x) else {"train": slice(None)}
    squares: dict[str, list[Tensor]] = {name: [] for name in (*parts, "all")}
    # Three vectors of the size of the weights are held for every target of a block.
    weight_bytes = 3 * operator.shape[1] * stacked.element_size()
    for block in torch.split(stacked, max(1, memory // (2 * weight_bytes))):
        pulled = {name: _pull_back(module, operator, part, block[:, part], memory // 2) for name, part in parts.items()}
        pulled["all"] = torch.stack(list(pulled.values())).sum(dim=0)
        for name, vectors in pulled.items():
            squares[name].append(vectors.square().sum(dim=1))
    lengths = {name: stacked[:, part].square().sum(dim=(1, 2)) for name, part in parts.items()}
    lengths["all"] = stacked.square().sum(dim=(1, 2))
    found = {name: torch.cat(values) / lengths[name] for name, values in squares.items()}
    if not per_trace:
        return found
    diagonal = kernel_diagonal(module, x, dtype=stacked.dtype, memory=memory)
    return {name: values / diagonal[parts.get(name, slice(None))].sum() for name, values in found.items()}


def _stacked(operator: TangentOperator, targets: Any) -> tuple[Tensor, bool]:
    """Targets ``(T, N, C)`` in the precision of the weights, and whether it was one alone."""
    targets = checks.tensor(targets, "targets").detach()
    flat, own = (len(operator.x), operator.outputs), (len(operator.x), *operator.output_shape)
    one = any(same_numbers(targets.shape, shape) for shape in (flat, own))
    each = tuple(targets.shape) if one else tuple(targets.shape[1:])
    if not any(same_numbers(each, shape) for shape in (flat, own)) or not targets.numel():
        raise PolygeomError(f"targets must have shape {flat} or (T, {flat[0]}, {flat[1]}), got {tuple(targets.shape)}")
    stacked = targets.to(operator.like).reshape(-1, *flat)
    if not torch.isfinite(stacked).all():
        raise PolygeomError("targets must be finite, got NaN or infinite entries; leave those points out")
    if (stacked == 0).all(dim=2).all(dim=1).any():
        raise PolygeomError("targets must not be zero; leave out the target that vanishes at all points")
    return stacked, one


def _pull_back(module: nn.Module, operator: TangentOperator, part: slice, targets: Tensor, budget: int) -> Tensor:
    """``Jᵀ y``, ``(T, P)``, for targets ``(T, n, C)`` on a part of the points."""
    x = operator.x[part]
    if len(targets) <= _FEW:
        own = dataclasses.replace(operator, x=x)
        return torch.stack([own.transpose(target) for target in targets])
    size = operator.shape[1]
    points = min(operator.batch, max(1, budget // (4 * operator.outputs * size * targets.element_size())))
    total = targets.new_zeros(len(targets), size)
    for some, values in zip(torch.split(x, points), torch.split(targets, points, dim=1), strict=True):
        rows = jacobian(module, some, memory=budget, dtype=targets.dtype)
        total.addmm_(values.flatten(start_dim=1), rows.flatten(end_dim=1))
    return total


def rayleigh(kernel: Any, targets: Any) -> Tensor:
    """``yᵀ K y / yᵀ y`` with a kernel at hand.

    Parameters
    ----------
    kernel:
        ``(M, M)``, symmetric.
    targets:
        ``(M,)``, or ``(M, T)``: one target for each column.

    Returns
    -------
    Shape ``()`` or ``(T,)``.

    Examples
    --------
    >>> rayleigh(torch.diag(torch.tensor([1.0, 4.0])), torch.eye(2))
    tensor([1., 4.])
    """
    kernel, targets = _square(kernel, targets)
    if (targets == 0).all(dim=0).any():
        raise PolygeomError("targets must not be zero; leave out the target that vanishes at all points")
    value: Tensor = (targets * (kernel @ targets)).sum(dim=0) / targets.square().sum(dim=0)
    return value


def centred_alignment(kernel: Any, targets: Any) -> Tensor:
    """Centred kernel alignment ``⟨K_c, y_c y_cᵀ⟩ / (‖K_c‖ ‖y_c y_cᵀ‖)`` with the linear kernel of the targets.

    ``K_c = H K H`` with ``H = I - 1 1ᵀ/M``; the value lies in [0, 1] for positive semidefinite kernels, and scaling or
    shifting the kernel changes nothing (arXiv 1203.0550).

    Parameters
    ----------
    kernel:
        ``(M, M)``.
    targets:
        ``(M,)`` or ``(M, T)``, one target for each column.

    Returns
    -------
    Shape ``()`` or ``(T,)``.

    Raises
    ------
    PolygeomError
        When shapes do not fit or a target is constant.

    Examples
    --------
    >>> y = torch.tensor([1.0, -1.0, 1.0, -1.0])
    >>> centred_alignment(torch.outer(y, y) + 3, y)
    tensor(1.)
    """
    kernel, targets = _square(kernel, targets)
    centred = kernel - kernel.mean(dim=0, keepdim=True)
    centred = centred - centred.mean(dim=1, keepdim=True)
    y = targets - targets.mean(dim=0, keepdim=True)
    lengths = y.square().sum(dim=0)
    if (lengths <= torch.finfo(y.dtype).eps * targets.square().sum(dim=0)).any():
        raise PolygeomError("targets must not be constant; centred alignment compares variations")
    value: Tensor = (y * (centred @ y)).sum(dim=0) / (lengths * torch.linalg.norm(centred))
    return value


def _square(kernel: Any, targets: Any) -> tuple[Tensor, Tensor]:
    """A kernel matrix and targets in its precision."""
    kernel, targets = checks.tensor(kernel, "kernel"), checks.tensor(targets, "targets")
    square = kernel.ndim == 2 and kernel.shape[0] == kernel.shape[1] and kernel.is_floating_point()
    fits = targets.ndim in (1, 2) and targets.shape[:1] == kernel.shape[:1] and targets.numel()
    if not (square and fits):
        raise PolygeomError(
            f"kernel must have shape (M, M), floats, and targets (M,) or (M, T), got {tuple(kernel.shape)} of "
            f"{kernel.dtype} and {tuple(targets.shape)}; as_matrix makes a matrix of a full kernel"
        )
    return kernel, targets.to(kernel)


__all__ = ["alignment", "centred_alignment", "rayleigh", "split_alignment"]
