"""The empirical neural tangent kernel of any torch module, within a memory budget.

``J`` is the derivative of all outputs at all points by all weights, the kernel is ``K = J Jᵀ`` (arXiv 1806.07572).
Modules made of dense maps, convolutions, added biases and batch normalisations with fixed statistics, all networks of
`polygeom.network` and residual networks among them, are differentiated layer by layer
(`polygeom.learning.tangent.layerwise`); all others by a backward pass for each point. Which of them is taken changes
the time, not the numbers. What points and modules may be is said in `polygeom.learning.checks`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from polygeom.checks import choice
from polygeom.errors import BudgetError, PolygeomError
from polygeom.learning import checks
from polygeom.learning.kernels.algebra import Composable
from polygeom.learning.tangent.differentiable import differentiable_kernel
from polygeom.learning.tangent.functional import (
    DEFAULT_BUDGET,
    Parameters,
    WeightFunction,
    standalone,
    weight_function,
)
from polygeom.learning.tangent.layerwise import layerwise, layerwise_trial
from polygeom.learning.tangent.pieces import OUTPUTS, Features, gram, gram_diagonal
from polygeom.learning.tangent.pointwise import generic, single

METHODS = ("auto", "layerwise", "pointwise", "single")
_OVERHEAD = 4


def jacobian(
    module: nn.Module,
    inputs: Any,
    *,
    memory: int = DEFAULT_BUDGET,
    dtype: torch.dtype | None = torch.float64,
    method: str = "auto",
    parameters: Parameters = None,
    head: str | None = None,
) -> Tensor:
    """Derivatives of all outputs by all weights.

    Parameters
    ----------
    module:
        Its parameters that require gradients are the weights; it is not changed. Points must not influence each other,
        which is tried on two of them.
    inputs:
        Points ``(N, *input_shape)``, a tensor or an array; integers for modules that read integers.
    memory:
        Bytes for the result and everything on the way to it.
    dtype:
        Weights and points are brought to this precision first; float64 because ranks and eigenvalues are taken of the
        result. None keeps the module's own.
    method:
        ``"layerwise"``; ``"pointwise"``, a backward pass for each point and output, many points at once; ``"single"``,
        the same one point after the other. ``"auto"`` takes the first that applies. Where torch lacks a rule for many
        points at once (recurrent layers, PReLU), ``"pointwise"`` becomes ``"single"`` with a `FallbackWarning`.
    parameters:
        Which parameters are the weights (the last layer, LoRA): names, perhaps with ``*``, as ``"head.*"`` or
        ``["*.lora_A", "*.lora_B"]``, or a function from names to booleans; None for those that require gradients.
    head:
        For modules that return a dictionary of outputs: the name of one.

    Returns
    -------
    Shape ``(N, C, P)``: points, flattened outputs, weights in the order of ``module.named_parameters()``, row by row.

    Raises
    ------
    PolygeomError
        For modules that mix points (batch normalisation in training mode, means or attention over the points), random
        outputs (active dropout), and outputs that are not one tensor of floats ``(N, …)``.
    BudgetError
        When the Jacobian is larger than the budget; `tangent_operator` needs no Jacobian.

    Examples
    --------
    >>> module = nn.Linear(2, 1)
    >>> jacobian(module, torch.tensor([[3.0, 4.0]]))
    tensor([[[3., 4., 1.]]], dtype=torch.float64)
    """
    f = weight_function(module, dtype=dtype, parameters=parameters, head=head)
    inputs, shape = f.accept(inputs)
    way, size = _way(f, inputs, method, math.prod(shape), memory), math.prod(shape)
    itemsize = next(iter(f.weights.values())).element_size()
    needed = len(inputs) * size * f.parameter_count * itemsize
    least = needed + 2 * way.per_point + way.working
    if least > memory:
        raise BudgetError(
            f"memory must be at least {_bytes(least)} for a Jacobian of {len(inputs)} × {size} × "
            f"{f.parameter_count} numbers, got {_bytes(memory)}; write a larger one, fewer points, or use "
            "tangent_operator or empirical_ntk, which do not form it"
        )
    result = next(iter(f.weights.values())).new_zeros((len(inputs), size, f.parameter_count))
    starts = dict(zip(f.weights, _offsets(f), strict=True))
    for block in _blocks(len(inputs), way.step(memory - needed)):
        for factor in way.features(inputs[block]):
            first = starts[factor.name]
            result[block, :, first : first + f.weights[factor.name].numel()] = factor.jacobian().detach()
    return result


def empirical_ntk(
    module: nn.Module,
    inputs: Any,
    others: Any = None,
    *,
    outputs: str = "full",
    memory: int = DEFAULT_BUDGET,
    dtype: torch.dtype | None = torch.float64,
    method: str = "auto",
    parameters: Parameters = None,
    head: str | None = None,
    differentiable: bool = False,
) -> Tensor:
    """The empirical tangent kernel between points ``inputs`` and ``others``.

    Parameters
    ----------
    module, dtype, method, parameters, head:
        As for `jacobian`.
    inputs, others:
        Points ``(N, *input_shape)`` and ``(N', *input_shape)``; ``others`` is ``inputs`` if None.
    outputs:
        What to do with the ``C`` outputs; see the shapes below. ``"sum"`` is the kernel of the one function
        ``Σ_c f_c / √C``, an approximation at the price of one output that becomes exact at wide random
        initialisations (arXiv 2206.12543). It is exact, and equal to ``"trace"``, for ``C = 1``.
    memory:
        Bytes for the kernel and everything on the way to it; it decides how many points are taken at once.
    differentiable:
        Whether the result can be differentiated by the points, where these require gradients, and by all parameters of
        the module that do. All points are then taken at once, and ``method`` has no effect.

    Returns
    -------
    With ``K[n, n', c, c'] = ⟨∂f_c(x_n), ∂f_c'(y_n')⟩`` (over all weights):

    ========== ================== ===============================
    outputs    shape              entries
    ========== ================== ===============================
    full       ``(N, N', C, C)``  ``K[n, n', c, c']``
    diagonal   ``(N, N', C)``     ``K[n, n', c, c]``
    trace      ``(N, N')``        ``Σ_c K[n, n', c, c]``
    sum        ``(N, N')``        ``Σ_cc' K[n, n', c, c'] / C``
    ========== ================== ===============================

    `as_matrix` brings ``"full"`` to a square matrix in the order of ``jacobian(…).flatten(end_dim=1)``.

    Raises
    ------
    PolygeomError
        As for `jacobian`, and for unknown ``outputs`` or ``method``.
    BudgetError
        When kernel and one pair of points do not fit.

    Examples
    --------
    >>> module = nn.Linear(2, 3, bias=False)
    >>> inputs = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
    >>> empirical_ntk(module, inputs, outputs="trace")  # 3 x xᵀ: three outputs, each linear in its own weights
    tensor([[15.,  6.],
            [ 6.,  3.]], dtype=torch.float64)
    """
    choice("outputs", outputs, OUTPUTS)
    f = weight_function(module, dtype=dtype, parameters=parameters, head=head)
    given = (inputs, others)
    inputs, shape = f.accept(inputs)
    other, second = (inputs, shape) if others is None else f.accept(others, name="others")
    if second != shape:
        raise PolygeomError(f"inputs and others must have outputs of one shape, got {tuple(shape)} and {tuple(second)}")
    size = math.prod(shape)
    if differentiable:
        if method != "auto":
            raise PolygeomError(f"method has no effect with differentiable=True, got {method!r}; leave it out")
        return differentiable_kernel(f, given, outputs, memory, dtype)
    combinations = None if outputs != "sum" else torch.full((1, size), size**-0.5, dtype=torch.float64)
    way = _way(f, inputs, method, size, memory, combinations, (len(other), outputs == "full"))
    like = next(iter(f.weights.values()))
    tail = {"full": (size, size), "diagonal": (size,), "trace": (), "sum": ()}[outputs]
    entry = math.prod(tail) * like.element_size()
    needed = len(inputs) * len(other) * entry
    step = _block_size(memory - needed - way.working, way.per_point, entry)
    if step < 1:
        least = needed + way.working + 2 * way.per_point + _OVERHEAD * entry
        raise BudgetError(
            f"memory must be at least {_bytes(least)} for this kernel, got {_bytes(memory)}; write a "
            'larger one, fewer points, outputs="trace", or use tangent_operator, which does not form it'
        )
    result = like.new_empty((len(inputs), len(other), *tail) if step < max(len(inputs), len(other)) else 0)
    rule = "trace" if outputs == "sum" else outputs
    for rows in _blocks(len(inputs), step):
        left = way.features(inputs[rows])
        for columns in _blocks(len(other), step):
            if others is None and columns.start < rows.start:
                continue
            right = left if others is None and columns == rows else way.features(other[columns])
            block = gram(left, right, rule).detach()
            if len(block) == len(inputs) and block.shape[1] == len(other):
                return block
            result[rows, columns] = block
            if others is None and columns != rows:
                mirrored = block.transpose(0, 1)
                result[columns, rows] = mirrored.transpose(2, 3) if outputs == "full" else mirrored
    return result


@dataclass(frozen=True, eq=False)
class TangentKernel(Composable):
    """The tangent kernel of a module as a kernel on rows, for the kernel machines of `polygeom.learning.kernels`.

    Parameters
    ----------
    module:
        With one output, or several that share their kernel approximately (wide networks at initialisation). It is
        copied: the kernel, and what is made with it, stays that of the present weights.
    input_shape:
        The shape of one point; rows are brought to it. None for modules that take rows.
    memory, method, parameters, head:
        As for `empirical_ntk`. Values are computed in the precision of the rows.

    Notes
    -----
    The kernel is ``Σ_c K[·, ·, c, c] / C``, the mean over the outputs.

    Examples
    --------
    >>> from polygeom.learning.kernels import nystrom
    >>> x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> nystrom(TangentKernel(nn.Linear(3, 1)), x, 4, subsample=20).values.shape
    torch.Size([4])
    """

    module: nn.Module
    input_shape: tuple[int, ...] | None = None
    memory: int = DEFAULT_BUDGET
    method: str = "auto"
    parameters: Parameters = None
    head: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "module", standalone(self.module))

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        left, right = (self._points(rows, name) for rows, name in zip(checks.rows(x, y), "xy", strict=True))
        f = weight_function(self.module, dtype=left.dtype, parameters=self.parameters, head=self.head)
        size = math.prod(f.accept(left[:1])[1])
        trace = empirical_ntk(
            self.module,
            left,
            None if y is x else right,
            outputs="trace",
            memory=self.memory,
            dtype=left.dtype,
            method=self.method,
            parameters=self.parameters,
            head=self.head,
        )
        mean: Tensor = trace / size
        return mean

    def _points(self, rows: Tensor, name: str) -> Tensor:
        """Rows in the shape of points."""
        rows = checks.floats(rows, name, axes=2)
        if self.input_shape is None:
            return rows
        if rows.ndim != 2 or rows.shape[1] != math.prod(self.input_shape):
            raise PolygeomError(
                f"{name} must be rows of shape (N, {math.prod(self.input_shape)}) for input_shape "
                f"{self.input_shape}, got {tuple(rows.shape)}"
            )
        return rows.reshape(-1, *self.input_shape)


def as_matrix(kernel: Any) -> Tensor:
    """The ``"full"`` kernel ``(N, N', C, C')`` as a matrix ``(N · C, N' · C')``; points first, then outputs.

    Examples
    --------
    >>> as_matrix(torch.zeros(4, 5, 2, 2)).shape
    torch.Size([8, 10])
    """
    kernel = checks.tensor(kernel, "kernel")
    if kernel.ndim != 4 or not kernel.numel():
        raise PolygeomError(f"kernel must have shape (N, N', C, C'), got {tuple(kernel.shape)}; write outputs=\"full\"")
    rows, columns, c, d = kernel.shape
    matrix: Tensor = kernel.permute(0, 2, 1, 3).reshape(rows * c, columns * d)
    return matrix


def kernel_diagonal(
    module: nn.Module,
    inputs: Any,
    *,
    memory: int = DEFAULT_BUDGET,
    dtype: torch.dtype | None = torch.float64,
    method: str = "auto",
    parameters: Parameters = None,
    head: str | None = None,
) -> Tensor:
    """The diagonal ``K[n, n, c, c]`` of the kernel, shape ``(N, C)``; its sum is the trace. Linear in ``N``.

    Examples
    --------
    >>> kernel_diagonal(nn.Linear(2, 1, bias=False), torch.tensor([[3.0, 4.0]]))
    tensor([[25.]], dtype=torch.float64)
    """
    f = weight_function(module, dtype=dtype, parameters=parameters, head=head)
    inputs, shape = f.accept(inputs)
    way = _way(f, inputs, method, math.prod(shape), memory)
    blocks = _blocks(len(inputs), way.step(memory))
    return torch.cat([gram_diagonal(way.features(inputs[block])).detach() for block in blocks])


@dataclass(frozen=True, eq=False)
class _Way:
    """The way to derivatives, the bytes it holds for one point, those in between, and the number of outputs."""

    features: Features
    per_point: int
    working: int
    outputs: int

    def step(self, free: int) -> int:
        """How many points at once take no more than so many bytes, at least one."""
        return max(1, (free - self.working) // (2 * self.per_point))


def _way(
    f: WeightFunction,
    x: Tensor,
    method: str,
    size: int,
    memory: int,
    combinations: Tensor | None = None,
    pairs: tuple[int, bool] | None = None,
) -> _Way:
    """How derivatives of ``size`` outputs are taken; ``pairs`` says how many other points they meet, and if all outputs
    meet all outputs. None where they are wanted themselves."""
    choice("method", method, METHODS)
    trial = layerwise_trial(f, x) if method in ("auto", "layerwise") else None
    if method == "layerwise" and trial is None:
        raise PolygeomError(
            'method must be "pointwise" for this module: some weight acts other than by dense maps, convolutions, '
            'sums or normalisations, or points influence each other; write method="auto"'
        )
    size = size if combinations is None else len(combinations)
    if trial is not None:
        if not trial.factors:
            raise PolygeomError("module must use at least one of its weights; its outputs do not depend on any")
        others, full = (1, True) if pairs is None else pairs
        plan = trial.prepared(size, len(x), others, full, memory)
        held, working = trial.held(size, plan), trial.working_memory(size, plan)
        return _Way(layerwise(f, plan, combinations), _OVERHEAD * held, working, size)
    features = (single if method == "single" else generic(f, x))(f, combinations)
    itemsize = next(iter(f.weights.values())).element_size()
    return _Way(features, _OVERHEAD * size * f.parameter_count * itemsize, 0, size)


def _block_size(free: int, per_point: int, entry: int) -> int:
    """The largest ``b`` with ``2 b`` points of derivatives and a few ``b × b`` blocks of the kernel in free memory."""
    if free <= 0:
        return 0
    quadratic = _OVERHEAD * entry
    return int((math.sqrt(per_point**2 + quadratic * free) - per_point) / quadratic)


def _blocks(count: int, step: int) -> Iterator[slice]:
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))


def _offsets(f: WeightFunction) -> list[int]:
    offsets = [0]
    for weight in f.weights.values():
        offsets.append(offsets[-1] + weight.numel())
    return offsets[:-1]


def _bytes(count: int) -> str:
    return f"{count / 2**20:.0f} MiB" if count >= 2**20 else f"{count} bytes"


__all__ = ["METHODS", "OUTPUTS", "TangentKernel", "as_matrix", "empirical_ntk", "jacobian", "kernel_diagonal"]
