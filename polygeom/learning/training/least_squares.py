"""Levenberg–Marquardt for small exact problems: machine zero, where gradient descent crawls.

The steps are those of `polygeom.learning.training.damping`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning import targets as fitting
from polygeom.learning.tangent.functional import WeightFunction
from polygeom.learning.tangent.pointwise import generic
from polygeom.learning.training.damping import Damping, damped_step
from polygeom.learning.training.loop import DivergenceError, Metric, TrainingResult

_LEAST = 1e-15  # of the damping, relative to the largest diagonal entry: below it the equations are singular
_ATTEMPTS = 12  # dampings tried for one step, the last 2^66 times the first


def levenberg_marquardt(
    module: nn.Module,
    inputs: Any,
    targets: Any,
    *,
    steps: int = 500,
    tolerance: float = 0.0,
    damping: float = 1e-3,
    metrics: Mapping[str, Metric] | None = None,
    record_every: int = 1,
) -> TrainingResult:
    """Minimise the mean squared error of a module by damped Gauss–Newton steps, in place.

    Each step is accepted only when it lowers the loss; the damping follows the gain ratio. Nothing is
    drawn at random.

    Parameters
    ----------
    module:
        With float64 parameters; those with ``requires_grad`` are trained.
    inputs, targets:
        Shapes ``(N, *input_shape)`` and ``(N, *output_shape)``, axes of length 1 aside; see `polygeom.learning.checks`.
    steps:
        Most steps that lower the loss.
    tolerance:
        Stop when the loss is at most this.
    damping:
        Initial ``λ`` relative to the largest squared column (row, in dual form) of ``J``.
    metrics:
        Columns of the table, as for `polygeom.learning.training.train`.
    record_every:
        Steps between two rows.

    Returns
    -------
    The table has the columns ``step``, ``loss``, ``gradient`` (norm of the gradient of the loss), ``damping`` and the
    metrics. Status: ``"converged"`` when the tolerance is reached, the loss or the gradient is zero, or no step lowers
    the loss any more in floating point; ``"finished"`` after all steps.

    Raises
    ------
    PolygeomError
        When parameters are not float64, the targets do not have the shape of the outputs, or samples are mixed.
    DivergenceError
        When the loss is not finite at the initial weights.

    References
    ----------
    Madsen, Nielsen, Tingleff, Methods for Non-Linear Least Squares Problems (2004), Algorithm 3.16.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> x = torch.linspace(-1, 1, 20, dtype=torch.float64)[:, None]
    >>> module = parse("[1,2,1] r=2").to_torch(rng=1)
    >>> levenberg_marquardt(module, x, x**2).loss < 1e-28
    True
    """
    start, status = time.monotonic(), "finished"
    fit = _Fit(module, inputs, targets)
    rows: list[dict[str, float]] = []
    factor = math.nan
    for step in range(steps + 1):
        jacobian = fit.jacobian()
        gradient = jacobian.T @ fit.residuals
        size = float(jacobian.square().sum(dim=fit.summed_axis).max())
        factor = damping * size if step == 0 else max(factor, _LEAST * size)
        slope = 2 * float(gradient.norm()) / len(fit.residuals)
        row = {"step": step, "loss": fit.loss, "gradient": slope, "damping": factor}
        damped = None
        if fit.loss <= tolerance or slope == 0:
            status = "converged"
        elif step < steps:
            damped = fit.advance(jacobian, gradient, factor)
            status = "converged" if damped is None else status
        if damped is None or step % record_every == 0:
            with torch.no_grad():
                rows.append(row | {name: float(metric(module)) for name, metric in (metrics or {}).items()})
        if damped is None:
            break
        factor = damped
    import pandas

    return TrainingResult(pandas.DataFrame(rows), step, status, time.monotonic() - start)


class _Fit:
    """Residuals and their derivatives as functions of one vector of all trained weights."""

    def __init__(self, module: nn.Module, inputs: Any, targets: Any) -> None:
        self.weights = {
            name: value for name, value in checks.a_module(module).named_parameters() if value.requires_grad
        }
        if not self.weights or any(value.dtype != torch.float64 for value in self.weights.values()):
            raise PolygeomError("module must have parameters, all of float64, for least squares; write module.double()")
        checks.refuse_batch_statistics(module)
        to = next(iter(self.weights.values()))
        self.module = module
        self.inputs, shape = checks.accept(module, module, inputs, name="inputs", to=to)
        checks.refuse_recomputed(module, self.inputs)
        self.targets = fitting.values(fitting.as_many(targets, len(self.inputs)), (len(self.inputs), *shape), to)
        self._function = WeightFunction(module, {name: w.detach() for name, w in self.weights.items()}, {})
        self._rule = generic(self._function, self.inputs)
        self.residuals, self.loss = self._look()
        if not math.isfinite(self.loss):
            state = {name: value.detach().clone() for name, value in module.state_dict().items()}
            raise DivergenceError(0, state, 0.0)
        count = sum(value.numel() for value in self.weights.values())
        self.summed_axis = 0 if count <= len(self.residuals) else 1

    @torch.no_grad()
    def _look(self) -> tuple[Tensor, float]:
        residuals = (self.module(self.inputs) - self.targets).reshape(-1)
        return residuals, float(residuals.square().mean())

    def jacobian(self) -> Tensor:
        """Shape ``(n, P)``."""
        parts = {factor.name: factor.jacobian() for factor in self._rule(self._function, None)(self.inputs)}
        return torch.cat([parts[name].reshape(len(self.residuals), -1) for name in self.weights], dim=1)

    def advance(self, jacobian: Tensor, gradient: Tensor, factor: float) -> float | None:
        """Raise the damping until a step lowers the loss, and take it; the next damping, or None if no step does."""
        damping = Damping(torch.tensor([factor], dtype=torch.float64))
        for _ in range(_ATTEMPTS):
            used = damping.value.clone()
            step = damped_step(jacobian[None], self.residuals[None], gradient[None], used)
            drop = torch.tensor([self._try(step[0]) if step.any() else -1.0], dtype=torch.float64)
            if damping.judge(drop, step, gradient[None], used):
                return float(damping.value)
        return None

    @torch.no_grad()
    def _try(self, direction: Tensor) -> float:
        """By how much a step lowers the sum of squares; it is undone when it does not."""
        before = {name: value.clone() for name, value in self.weights.items()}
        parts = torch.split(direction, [value.numel() for value in self.weights.values()])
        for value, part in zip(self.weights.values(), parts, strict=True):
            value.add_(part.reshape(value.shape))
        residuals, loss = self._look()
        if loss < self.loss:
            drop = float(self.residuals.square().sum() - residuals.square().sum())
            self.residuals, self.loss = residuals, loss
            return max(drop, torch.finfo(torch.float64).tiny)
        for name, value in self.weights.items():
            value.copy_(before[name])
        return -1.0
