"""The empirical neural tangent kernel of any torch module, within a memory budget.

``J`` is the derivative of all outputs at all points by all weights, the kernel is ``K = J Jᵀ`` (arXiv 1806.07572).
Modules made of dense maps, convolutions, added biases and batch normalisations with fixed statistics, all networks of
`polygeom.network` and residual networks among them, are differentiated layer by layer
(`polygeom.learning.tangent.layers.layerwise`); all others by a backward pass for each point. Which of them is
taken changes the time, not the numbers. What points and modules may be is said in `polygeom.learning.checks`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.checks import choice
from polygeom.errors import BudgetError, PolygeomError
from polygeom.learning import checks
from polygeom.learning.kernels.algebra import Composable
from polygeom.learning.tangent.differentiable import differentiable_kernel
from polygeom.learning.tangent.few import FIRST, Seen, Size
from polygeom.learning.tangent.functional import (
    DEFAULT_BUDGET,
    Parameters,
    WeightFunction,
    standalone,
    weight_function,
)
from polygeom.learning.tangent.known import Together, WayOf, answer
from polygeom.learning.tangent.layers.pieces import OUTPUTS, Features, gram, gram_diagonal
from polygeom.learning.tangent.ways import METHODS, OVERHEAD, Way, blocks, unit_combination, way_of


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

    def work(way: Way, features: Features, points: list[Tensor], shape: torch.Size) -> Tensor:
        (x,), size, like = points, math.prod(shape), next(iter(f.weights.values()))
        needed = len(x) * size * f.parameter_count * like.element_size()
        least = needed + 2 * way.per_point + way.working
        if least > memory:
            raise BudgetError(
                f"memory must be at least {_bytes(least)} for a Jacobian of {len(x)} × {size} × "
                f"{f.parameter_count} numbers, got {_bytes(memory)}; write a larger one, fewer points, or use "
                "tangent_operator or empirical_ntk, which do not form it"
            )
        result = like.new_zeros((len(x), size, f.parameter_count))
        starts = dict(zip(f.weights, _offsets(f), strict=True))
        for block in blocks(len(x), way.step(memory - needed)):
            for factor in features(x[block]):
                first, own = starts.get(factor.name, 0), factor.jacobian().detach()
                result[block, :, first : first + own.shape[2]] = own
        return result

    return answer(
        f, [(inputs, "inputs")], ("jacobian", method, memory), _by(f, method, memory), work, _few(f, method, memory)
    )


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
    if differentiable:
        if method != "auto":
            raise PolygeomError(f"method has no effect with differentiable=True, got {method!r}; leave it out")
        return differentiable_kernel(f, (inputs, others), outputs, memory, dtype)

    def work(way: Way, features: Features, points: list[Tensor], shape: torch.Size) -> Tensor:
        return _kernel(way, features, points, math.prod(shape), outputs, memory)

    given = [(inputs, "inputs"), *([] if others is None else [(others, "others")])]
    return answer(
        f, given, (outputs, method, memory), _by(f, method, memory, outputs), work, _few(f, method, memory, outputs)
    )


def _kernel(way: Way, features: Features, points: list[Tensor], size: int, outputs: str, memory: int) -> Tensor:
    """Block by block, one triangle of blocks where there is one set of points."""
    inputs, other, same = points[0], points[-1], len(points) == 1
    count, others = inputs.shape[0], other.shape[0]
    tail = {"full": (size, size), "diagonal": (size,), "trace": (), "sum": ()}[outputs]
    entry = math.prod(tail) * way.like.element_size()
    needed = count * others * entry
    step = _block_size(memory - needed - way.working, way.per_point, entry)
    if step < 1:
        least = needed + way.working + 2 * way.per_point + OVERHEAD * entry
        raise BudgetError(
            f"memory must be at least {_bytes(least)} for this kernel, got {_bytes(memory)}; write a "
            'larger one, fewer points, outputs="trace", or use tangent_operator, which does not form it'
        )
    result = way.like.new_empty((count, others, *tail) if step < max(count, others) else 0)
    rule = "trace" if outputs == "sum" else outputs
    for rows in blocks(count, step):
        left = features(inputs[rows])
        for columns in blocks(others, step):
            if same and columns.start < rows.start:
                continue
            right = left if same and columns == rows else features(other[columns])
            block = gram(left, right, rule).detach()
            if block.shape[:2] == (count, others):
                return block
            result[rows, columns] = block
            if same and columns != rows:
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

    def work(way: Way, features: Features, points: list[Tensor], shape: torch.Size) -> Tensor:
        parts = [points[0][block] for block in blocks(len(points[0]), way.step(memory))]
        return torch.cat([gram_diagonal(features(part)).detach() for part in parts])

    return answer(
        f, [(inputs, "inputs")], ("own", method, memory), _by(f, method, memory), work, _few(f, method, memory)
    )


def _by(f: WeightFunction, method: str, memory: int, outputs: str | None = None) -> WayOf:
    """Finds the way to derivatives, for a kernel if ``outputs`` says of which kind."""

    def found(points: list[Tensor], shape: torch.Size, layers: bool) -> Way:
        size = math.prod(shape)
        pairs = None if outputs is None else (len(points[-1]), outputs == "full")
        combinations = unit_combination(size) if outputs == "sum" else None
        if not layers and method == "layerwise":
            raise PolygeomError(
                'method must be "pointwise" for this module: what it does depends on the number of points; write '
                'method="auto"'
            )
        return way_of(f, points[0], method if layers else "pointwise", size, memory, combinations, pairs)

    return found


def _few(f: WeightFunction, method: str, memory: int, outputs: str | None = None) -> Together | None:
    """Chooses all points together where that is quicker than layer by layer."""
    if method != "auto":
        return None
    like, parameters = next(iter(f.weights.values())).new_empty(0), f.parameter_count

    def found(size: Size, seen: Seen, points: list[Tensor], key: Any) -> Way | None:
        all_outputs = math.prod(size.outputs)
        taken = 1 if outputs == "sum" else all_outputs
        count = sum(map(len, points))
        held = OVERHEAD * taken * (parameters + 2 * size.numbers) * like.element_size()
        kernel = len(points[0]) * len(points[-1]) * (all_outputs if outputs == "full" else 1) * all_outputs
        if memory < 4 * held * count + 2 * OVERHEAD * kernel * like.element_size():
            return None
        together, layers = size.costs(count, taken, parameters)
        if together > layers * (1 if seen.layered.get(key) else FIRST):
            return None
        if together > layers:
            seen.layered.setdefault(key, True)
        mixture = unit_combination(all_outputs) if outputs == "sum" else None
        return Way(like, taken, held, 0, combinations=mixture)

    return found


def _block_size(free: int, per_point: int, entry: int) -> int:
    """The largest ``b`` with ``2 b`` points of derivatives and a few ``b × b`` blocks of the kernel in free memory."""
    if free <= 0:
        return 0
    quadratic = OVERHEAD * entry
    return int((math.sqrt(per_point**2 + quadratic * free) - per_point) / quadratic)


def _offsets(f: WeightFunction) -> list[int]:
    offsets = [0]
    for weight in f.weights.values():
        offsets.append(offsets[-1] + weight.numel())
    return offsets[:-1]


def _bytes(count: int) -> str:
    return f"{count / 2**20:.0f} MiB" if count >= 2**20 else f"{count} bytes"


__all__ = ["METHODS", "OUTPUTS", "TangentKernel", "as_matrix", "empirical_ntk", "jacobian", "kernel_diagonal"]
