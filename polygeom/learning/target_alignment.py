"""How well a tangent kernel fits a target.

The raw alignment ``yᵀ K y / yᵀ y`` grows with the kernel itself, which training makes a hundred times larger; compare
states of a network by the alignment per trace, or by centred alignment. Alignment bounds the norm of the target in the
space of the kernel from below: ``yᵀ K y · yᵀ K⁻¹ y ≥ ‖y‖⁴`` (Cauchy–Schwarz), so a target of small norm needs a high
alignment (arXiv 2106.06770).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polygeom.errors import PolygeomError
from polygeom.learning.functional import DEFAULT_BUDGET
from polygeom.learning.operators import tangent_operator
from polygeom.learning.tangent_kernel import kernel_diagonal


def alignment(
    module: nn.Module,
    x: Tensor,
    targets: Tensor,
    *,
    per_trace: bool = False,
    batch: int = 256,
    dtype: torch.dtype | None = torch.float64,
    memory_budget: int = DEFAULT_BUDGET,
) -> Tensor:
    """``‖Jᵀ y‖² / ‖y‖²`` for every target ``y``, streamed over the points: neither ``J`` nor the kernel is formed.

    Parameters
    ----------
    module, x, dtype:
        As for `polygeom.learning.tangent_kernel.jacobian`.
    targets:
        ``(N, C)`` for one target, ``(T, N, C)`` for several; ``(N,)`` when the module has one output.
    per_trace:
        Whether to divide by the trace of the kernel, so that growth of the kernel as a whole does not count.
    batch, memory_budget:
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
    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    >>> alignment(nn.Linear(2, 1, bias=False), x, torch.tensor([0.0, 1.0]))
    tensor(4., dtype=torch.float64)
    """
    operator = tangent_operator(module, x, batch=batch, dtype=dtype)
    like = next(iter(operator.function.weights.values()))
    one = targets.ndim < 3
    shape = (len(operator.x), operator.outputs)
    if targets.numel() % (shape[0] * shape[1]) or (one and targets.numel() != shape[0] * shape[1]):
        raise PolygeomError(
            f"targets must have shape {shape} or (T, {shape[0]}, {shape[1]}), got {tuple(targets.shape)}"
        )
    stacked = targets.to(like).reshape(-1, *shape)
    lengths = stacked.square().sum(dim=(1, 2))
    if (lengths == 0).any():
        raise PolygeomError("targets must not be zero; leave out the target that vanishes at all points")
    found = torch.stack([operator.transpose(target).square().sum() for target in stacked]) / lengths
    if per_trace:
        found = found / kernel_diagonal(module, x, dtype=dtype, memory_budget=memory_budget).sum()
    return found[0] if one else found


def rayleigh(kernel: Tensor, targets: Tensor) -> Tensor:
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
    _square(kernel, targets)
    value: Tensor = (targets * (kernel @ targets)).sum(dim=0) / targets.square().sum(dim=0)
    return value


def centred_alignment(kernel: Tensor, targets: Tensor) -> Tensor:
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
    _square(kernel, targets)
    centred = kernel - kernel.mean(dim=0, keepdim=True)
    centred = centred - centred.mean(dim=1, keepdim=True)
    y = targets - targets.mean(dim=0, keepdim=True)
    lengths = y.square().sum(dim=0)
    if (lengths <= torch.finfo(y.dtype).eps * targets.square().sum(dim=0)).any():
        raise PolygeomError("targets must not be constant; centred alignment compares variations")
    value: Tensor = (y * (centred @ y)).sum(dim=0) / (lengths * torch.linalg.norm(centred))
    return value


def _square(kernel: Tensor, targets: Tensor) -> None:
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or targets.shape[:1] != kernel.shape[:1]:
        raise PolygeomError(
            f"kernel must have shape (M, M) and targets (M,) or (M, T), got {tuple(kernel.shape)} and "
            f"{tuple(targets.shape)}; as_matrix makes a matrix of a full kernel"
        )


__all__ = ["alignment", "centred_alignment", "rayleigh"]
