r"""Levenberg–Marquardt, written once and for many fits at a time: the damped step, and the rule for its damping.

With residuals ``r`` of ``n`` numbers, their Jacobian ``J`` of shape ``(n, P)`` and a damping ``λ > 0`` the step is

.. math::

    \delta = -(J^* J + \lambda I)^{-1} J^* r = -J^* (J J^* + \lambda I)^{-1} r,

solved in the first form (*primal*) when ``P < n`` and in the second (*dual*) otherwise; ``J*`` is the conjugate
transpose, so complex weights need nothing else. The damping follows the ratio of gained to expected decrease of
``|r|²`` (Nielsen 1999; Madsen, Nielsen, Tingleff, Methods for Non-Linear Least Squares Problems, 2004, Algorithm 3.16).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def damped_step(jacobian: Tensor, residuals: Tensor, gradient: Tensor, damping: Tensor) -> Tensor:
    """The steps ``δ`` of ``A`` fits, shape ``(A, P)``; zero where the equations are singular in floating point.

    Parameters
    ----------
    jacobian, residuals:
        ``J`` and ``r``, shapes ``(A, n, P)`` and ``(A, n)``.
    gradient:
        ``J* r``, shape ``(A, P)``.
    damping:
        ``λ``, shape ``(A,)``.

    Examples
    --------
    >>> one = torch.ones(1, 1, 1, dtype=torch.float64)
    >>> damped_step(one, 3 * one[0], 3 * one[0], one[0, 0])
    tensor([[-1.5000]], dtype=torch.float64)
    """
    dual = jacobian.shape[1] <= jacobian.shape[2]
    normal = jacobian @ jacobian.mH if dual else jacobian.mH @ jacobian
    normal.diagonal(dim1=1, dim2=2).add_(damping[:, None])
    factor, failed = torch.linalg.cholesky_ex(normal)
    solution = torch.cholesky_solve((residuals if dual else gradient).unsqueeze(2), factor)
    step = -(jacobian.mH @ solution if dual else solution).squeeze(2)
    usable = (failed == 0) & torch.isfinite(step).all(dim=1)
    return torch.where(usable[:, None], step, torch.zeros_like(step))


def relative_step(
    jacobian: Tensor, residuals: Tensor, relative: Tensor, compiled: Any = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Steps whose dampings are relative to the mean diagonal of the normal matrix that is solved.

    Parameters
    ----------
    jacobian, residuals:
        As for `damped_step`.
    relative:
        The dampings in that unit, ``(A,)``.
    compiled:
        The kernel of `polygeom.learning._damped_numba` for these numbers, which takes the same steps to rounding.

    Returns
    -------
    The steps and ``J* r``, shape ``(A, P)``; ``|J|²`` and the dampings themselves, shape ``(A,)``.

    Examples
    --------
    >>> one = torch.ones(1, 1, 1, dtype=torch.float64)
    >>> relative_step(2 * one, 8 * one[0], one[0, 0])[0].round(decimals=9).tolist()
    [[-2.0]]
    """
    least = torch.finfo(torch.float64).tiny
    if compiled is None:
        gradient = (jacobian.mH @ residuals.unsqueeze(2)).squeeze(2)
        flat = (torch.view_as_real(jacobian) if jacobian.is_complex() else jacobian).flatten(1)
        squares: Tensor = torch.linalg.vector_norm(flat, dim=1).square()
        damping = relative * (squares / min(jacobian.shape[1:])).clamp_min(least)
        return damped_step(jacobian, residuals, gradient, damping), gradient, squares, damping
    found = jacobian.new_empty(2, len(jacobian), jacobian.shape[2])
    reals = relative.new_empty(2, len(jacobian))
    given = (one.resolve_conj().contiguous().numpy() for one in (jacobian, residuals, relative))
    compiled(*given, least, *found.numpy(), *reals.numpy())
    return found[0], found[1], reals[0], reals[1]


class Damping:
    """The dampings of ``B`` fits; after every attempt at a step, `judge` says whether it is taken.

    Parameters
    ----------
    first:
        Shape ``(B,)``.
    least, most:
        Bounds, numbers or of the same shape.

    Attributes
    ----------
    value:
        The dampings ``(B,)``, in whatever unit ``first`` is.
    """

    def __init__(self, first: Tensor, *, least: Tensor | float = 0.0, most: Tensor | float = torch.inf) -> None:
        self.value, self._growth = first.clone(), torch.full_like(first, 2.0)
        self.least, self.most = torch.as_tensor(least, dtype=first.dtype), torch.as_tensor(most, dtype=first.dtype)

    def judge(
        self, drop: Tensor, step: Tensor, gradient: Tensor, damping: Tensor, index: Tensor | None = None
    ) -> Tensor:
        """Which steps lower ``|r|²`` and are to be taken, ``(A,)``; the dampings follow.

        Parameters
        ----------
        drop:
            By how much ``|r|²`` is lower after the steps, ``(A,)``; NaN counts as no decrease.
        step, gradient, damping:
            ``δ``, ``J* r`` and the ``λ`` that the steps were made with.
        index:
            Which fits these are; None for all of them, in order.
        """
        index = torch.arange(len(self.value)) if index is None else index
        # the decrease that the linear model expects: δ* (λ δ - J* r)
        expected = (step.conj() * (damping.unsqueeze(1) * step - gradient)).sum(dim=1).real
        better = torch.isfinite(drop) & (drop > 0)
        gain = (drop / expected.clamp_min(torch.finfo(drop.dtype).tiny)).clamp(0, 10)
        shrink = (1 - (2 * gain - 1) ** 3).clamp(1 / 3, 2.0)
        growth = self._growth[index]
        self.value[index] *= torch.where(better, shrink, growth)
        self.value = torch.minimum(torch.maximum(self.value, self.least), self.most)
        self._growth[index] = torch.where(better, torch.full_like(growth, 2.0), (2 * growth).clamp_max(1e9))
        return better


__all__ = ["Damping", "damped_step", "relative_step"]
