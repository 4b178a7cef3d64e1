r"""EigenPro: kernel regression by stochastic gradient descent with the leading eigenfunctions damped.

Gradient descent for ``Σ |f(x_i) - y_i|²`` in the space of the kernel converges along each eigenfunction in proportion
to its eigenvalue, and the largest one limits the step. EigenPro (arXiv 1703.10622, 1806.06144) multiplies gradients by

.. math::

    P = I - \sum_{j<q} \Big(1 - (\tau/\lambda_j)^\alpha\Big)\, \psi_j \otimes \psi_j, \qquad \tau = \lambda_q,

with the leading eigenpairs of a subsample of ``s`` rows, ``ψ_j`` of length one in the kernel's space. The solution is
the same, but the largest eigenvalue falls from ``λ_1`` to ``λ_1^{1-α} τ^α``, and much larger batches are useful.

**The step.** Batches of ``m`` are stable for steps up to about ``2 m / (β + (m - 1) λ')``, with ``λ'`` the largest
eigenvalue that is left and ``β`` the largest value on the diagonal of the damped kernel,

.. math::

    \beta = \max_x \Big[k(x, x) - \sum_j \big(1 - (\tau/\lambda_j)^\alpha\big)\, \psi_j(x)^2\Big].

Published code of the second version uses ``max_i (1 - Σ_j u_ij²)`` with the unit eigenvectors ``u_j`` instead, which
misses factors and is 10 to 20 times too large on images, so that steps are that much too small;
``legacy_step=True`` reproduces it. Here the maximum runs over all rows, which costs as much as part of one epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import pandas
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.checks import seed
from polygeom.errors import BudgetError, PolygeomError
from polygeom.learning.kernels.algebra import Kernel
from polygeom.learning.kernels.kernels import blocks, diagonal, gram
from polygeom.learning.kernels.machines import MEMORY_BUDGET, KernelMachine, block_rows, data_rows, draw, samples

Metric = Callable[[KernelMachine], float]

_SMALL_SAMPLE, _LARGE_SAMPLE, _MANY_ROWS = 2000, 12_000, 100_000
_LEAST_TOP = 5
_DIVERGING = 4.0
_MOST_HALVINGS = 10


class StepError(PolygeomError):
    """Iterations that grew without bound, whatever the step."""


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """What damps the leading eigenfunctions, and the steps that follow from it.

    Attributes
    ----------
    centres:
        The subsample, shape ``(s, D)``.
    indices:
        Which rows it is.
    values, vectors:
        The ``q - 1`` leading eigenpairs of ``K(S, S) / s`` that are damped; shapes ``(q - 1,)`` and ``(s, q - 1)``.
    level:
        ``τ``, the eigenvalue after them.
    alpha:
        The exponent ``α`` of damping.
    beta:
        ``β``, the largest value on the damped diagonal, by either rule.
    top:
        ``λ'``, the largest eigenvalue left.
    """

    kernel: Kernel
    centres: Tensor
    indices: Tensor
    values: Tensor
    vectors: Tensor
    level: float
    alpha: float
    beta: float
    top: float

    @property
    def damping(self) -> Tensor:
        """``1 - (τ/λ_j)^α``, shape ``(q - 1,)``."""
        return 1 - (self.level / self.values) ** self.alpha

    @property
    def critical_batch(self) -> int:
        """The batch size beyond which larger batches bring no larger steps per sample."""
        return int(self.beta / self.top + 1)

    def step(self, batch: int) -> float:
        """The step for a mean gradient over ``batch`` samples."""
        if batch < self.beta / self.top + 1:
            return batch / self.beta
        return 0.99 * 2 * batch / (self.beta + (batch - 1) * self.top)

    def correction(self, values: Tensor, residual: Tensor) -> Tensor:
        """What a batch adds to the weights of the subsample: ``U diag(damping / (s λ)) Uᵀ K(S, B) g``.

        Parameters
        ----------
        values:
            ``K(B, S)``, shape ``(m, s)``.
        residual:
            ``g``, shape ``(m, C)``.
        """
        scale = self.damping / (self.values * len(self.centres))
        return self.vectors @ (scale[:, None] * (self.vectors.T @ (values.T @ residual)))

    def damped_diagonal(self, x: Tensor, values: Tensor | None = None) -> Tensor:
        """``k(x, x) - Σ_j damping_j ψ_j(x)²`` at rows ``x``, shape ``(N,)``; ``values`` are ``k(x, centres)``."""
        functions = (self.kernel(x, self.centres) if values is None else values) @ self.vectors
        weight = self.damping / (self.values * len(self.centres))
        return diagonal(self.kernel, x) - functions.square() @ weight


def precondition(
    kernel: Kernel,
    x: Tensor,
    *,
    subsample: int | None = None,
    top: int | None = None,
    alpha: float = 0.95,
    largest_batch: int | None = None,
    legacy_step: bool = False,
    memory: int = MEMORY_BUDGET,
    rng: int | torch.Generator = 0,
    kept: Tensor | None = None,
) -> Preconditioner:
    """The leading eigenpairs of a subsample and the steps they allow; arguments as for `eigenpro`.

    ``kept`` is the whole matrix of kernel values, if it is known.

    Raises
    ------
    PolygeomError
        For sizes out of range.
    """
    x = data_rows(x)
    size = subsample or min(len(x), _SMALL_SAMPLE if len(x) < _MANY_ROWS else _LARGE_SAMPLE)
    if not 3 <= size <= len(x):
        raise PolygeomError(f"subsample must be between 3 and the number of rows, {len(x)}, got {size}")
    if not 0 < alpha <= 1:
        raise PolygeomError(f"alpha must be in (0, 1], got {alpha}; write alpha=0.95")
    indices = draw(len(x), size, rng)
    centres = x[indices.to(x.device)]
    values, vectors = torch.linalg.eigh((gram(kernel, centres) if kept is None else kept[indices][:, indices]) / size)
    values, vectors = values.flip(0), vectors.flip(1)
    positive = int((values > torch.finfo(x.dtype).eps * size * values[0]).sum())
    if top is None:
        limit = size if largest_batch is None else min(max(size / 5, largest_batch), size)
        top = max(int((values[:positive] ** -alpha < limit).sum()) - 1, _LEAST_TOP)
        top = min(top, positive)
    if not 1 <= top <= positive:
        raise PolygeomError(f"top must be between 1 and the numerical rank of the subsample, {positive}, got {top}")
    level = float(values[top - 1])
    left = float(values[0]) * (level / float(values[0])) ** alpha
    made = Preconditioner(
        kernel, centres, indices, values[: top - 1], vectors[:, : top - 1], level, alpha, math.nan, left
    )
    if legacy_step:
        beta = float((1 - made.vectors.square().sum(1)).max())
    else:
        step = block_rows(size, x.element_size(), memory)
        known = [None] * -(-len(x) // step) if kept is None else [part[:, indices] for part in blocks(kept, step)]
        beta = max(
            float(made.damped_diagonal(block, part).max()) for block, part in zip(blocks(x, step), known, strict=True)
        )
    return replace(made, beta=beta)


def eigenpro(
    kernel: Kernel,
    inputs: Tensor,
    targets: Tensor,
    *,
    epochs: int = 30,
    subsample: int | None = None,
    top: int | None = None,
    alpha: float = 0.95,
    batch_size: int | None = None,
    legacy_step: bool = False,
    step_factor: float = 1.0,
    tolerance: float = 0.0,
    metrics: Mapping[str, Metric] | None = None,
    record_every: int = 1,
    stop: Callable[[Mapping[str, float]], bool] | None = None,
    memory: int = MEMORY_BUDGET,
    rng: int = 0,
) -> KernelMachine:
    """Kernel regression by EigenPro; in the limit of many epochs the same as `polygeom.learning.kernels.solve`.

    Parameters
    ----------
    kernel:
        See `polygeom.learning.kernels.kernels`.
    inputs, targets:
        Shapes ``(N, D)`` and ``(N,)`` or ``(N, C)``; computation is on the device and in the precision of ``inputs``.
    epochs:
        Passes over the data, each in a new random order.
    subsample:
        Rows that eigenvectors are computed from; 2000 if None (12,000 for 100,000 rows or more), or all.
    top:
        ``q``: one more than the number of damped eigenvectors. If None, as many as have ``λ_j^-α`` below the batch that
        memory allows, at least 5.
    alpha:
        The exponent of damping.
    batch_size:
        The critical one, as far as memory allows, if None.
    legacy_step:
        Use the published constant instead of the largest value on the damped diagonal.
    step_factor:
        Multiply all steps.
    tolerance:
        Stop after an epoch with a smaller mean squared error.
    metrics:
        Further columns of the table: a name, and what to compute from the machine at that time.
    record_every:
        Epochs between rows of the table; the last has one in any case.
    stop:
        Called with each row of the table; True ends the descent there.
    memory:
        Bytes for kernel values. The whole matrix is kept when it fits, which saves computing it in every epoch.
    rng:
        Seed of subsample and order; a generator of its own, no global state.

    Returns
    -------
    A machine with method ``"eigenpro"`` and a table with columns ``epoch``, ``train_mse`` (the mean over the epoch's
    batches, each before its own update), ``step`` (per sample), ``batch``, ``seconds`` and the metrics.

    Raises
    ------
    StepError
        When errors grow even after halving the step ten times. A single overshoot goes back to the
        weights before the best epoch and halves the step, which the table shows.
    BudgetError
        When one row of kernel values does not fit.

    References
    ----------
    Ma and Belkin, arXiv 1703.10622 and 1806.06144.

    Examples
    --------
    >>> from polygeom.learning.kernels import Laplacian, eigenpro
    >>> inputs = torch.randn(100, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    >>> machine = eigenpro(Laplacian(), inputs, inputs[:, 0], epochs=20)
    >>> machine.mse(inputs, inputs[:, 0]) < 1e-4
    True
    """
    inputs, targets = samples(inputs, targets)
    inputs = inputs.clone()
    if epochs < 1 or record_every < 1 or not step_factor > 0:
        raise PolygeomError(
            f"epochs and record_every must be at least 1 and step_factor positive, got {epochs}, {record_every}, "
            f"{step_factor}"
        )
    generator = torch.Generator().manual_seed(seed(rng))
    source = _Values(kernel, inputs, memory)
    damped = precondition(
        kernel,
        inputs,
        subsample=subsample,
        top=top,
        alpha=alpha,
        largest_batch=source.largest_batch,
        legacy_step=legacy_step,
        memory=memory,
        rng=generator,
        kept=source.kept,
    )
    batch = batch_size or min(damped.critical_batch, source.largest_batch, len(inputs))
    if not 1 <= batch <= source.largest_batch:
        raise BudgetError(f"batch_size must be between 1 and {source.largest_batch}, what memory allows, got {batch}")
    descent = _Descent(
        source, targets.reshape(len(targets), -1), damped, batch, step_factor * damped.step(batch) / batch
    )
    rows, start = [], time.perf_counter()
    for epoch in range(1, epochs + 1):
        mse = descent.epoch(generator)
        last = epoch == epochs or mse < tolerance
        if last or epoch % record_every == 0:
            machine = KernelMachine(kernel, inputs, descent.weights.reshape(targets.shape).clone(), "eigenpro")
            row = {"epoch": epoch, "train_mse": mse, "step": descent.step, "batch": batch}
            seconds = time.perf_counter() - start
            rows.append(row | {"seconds": seconds} | {name: one(machine) for name, one in (metrics or {}).items()})
            last = last or (stop is not None and stop(rows[-1]))
        if last:
            break
    return replace(machine, table=pandas.DataFrame(rows))


class _Values:
    """Rows of the kernel matrix: kept when all of them fit, computed again otherwise."""

    def __init__(self, kernel: Kernel, x: Tensor, memory: int) -> None:
        self.kernel, self.x = kernel, x
        size = len(x) ** 2 * x.element_size()
        self.kept = gram(kernel, x) if 3 * size <= memory else None
        self.largest_batch = min(len(x), block_rows(len(x), x.element_size(), memory))
        self._place = x.new_empty(0)

    def __call__(self, batch: Tensor) -> Tensor:
        """At some rows, until the next call: they are written to one place, which costs less than fresh memory."""
        if self.kept is None:
            return self.kernel(self.x[batch], self.x)
        if len(batch) > len(self._place):
            self._place = self.kept.new_empty(len(batch), len(self.x))
        return torch.index_select(self.kept, 0, batch, out=self._place[: len(batch)])


class _Descent:
    """The weights, changed one epoch after the other."""

    def __init__(self, source: _Values, y: Tensor, damped: Preconditioner, batch: int, step: float) -> None:
        self.source, self.y, self.damped, self.batch, self.step = source, y, damped, batch, step
        self.weights = torch.zeros_like(y)
        self.halvings = 0
        self.best = (_DIVERGING * float(y.square().mean()), torch.zeros_like(y))
        self.bound = self.best[0]

    def epoch(self, generator: torch.Generator) -> float:
        """One epoch; the mean squared error met on the way. Overshooting goes back and halves the step."""
        start = self.weights.clone()
        while not (mse := self._pass(generator)) <= self.bound:
            start = self.best[1]
            self.weights, self.step, self.halvings = start.clone(), self.step / 2, self.halvings + 1
            if self.halvings > _MOST_HALVINGS:
                raise StepError(
                    f"EigenPro diverges even with a step of {self.step:.1e} per sample; is the kernel positive "
                    "definite? Write a smaller step_factor, or solve(kernel, x, y)"
                )
        self.best = min(self.best, (mse, start), key=lambda pair: pair[0])
        return mse

    def _pass(self, generator: torch.Generator) -> float:
        total = 0.0
        sample = self.damped.indices.to(self.y.device)
        for batch in blocks(torch.randperm(len(self.y), generator=generator).to(self.y.device), self.batch):
            values = self.source(batch)
            residual = values @ self.weights - self.y[batch]
            total += float(residual.square().sum())
            if not math.isfinite(total):
                return math.inf
            self.weights[batch] -= self.step * residual
            self.weights[sample] += self.step * self.damped.correction(values[:, sample], residual)
        return total / self.y.numel()
