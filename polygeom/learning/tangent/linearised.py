"""Networks replaced by their tangents at given weights, trained or solved for infinite time.

``f_lin(x; w) = f(x; w0) + J(x; w0) (w - w0)`` has the tangent kernel of ``f`` at ``w0`` throughout training. Gradient
descent on the mean square error of ``n`` training points moves its values along ``exp(-t K / n)`` and ends at kernel
regression of what ``f`` itself leaves over: ``f(x) + K(x, X) K(X, X)⁻¹ (y - f(X))`` (arXiv 1902.06720).
"""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning import targets as fitting
from polygeom.learning.kernels.conditions import check_condition
from polygeom.learning.tangent.functional import WeightFunction, weight_function


class LinearisedModule(nn.Module):
    """A module's tangent at its present weights, a module whose weights are the displacement, trained like any other.

    Parameters
    ----------
    module:
        What to linearise; copied, later changes of weights, parts or modes do not matter. Batch normalisation must be
        in evaluation mode; its statistics are frozen.
    bias:
        Whether to keep the constant ``f(x; w0)``; without it the model is linear in ``w - w0`` and starts at zero.
    dtype:
        Precision of weights and values; None keeps the module's.

    Attributes
    ----------
    base:
        The copy of the module, with the weights ``w0``; not trained. It is part of ``state_dict()``, and goes along
        with ``.to()`` and ``.float()``.
    displacement:
        ``w - w0``, one tensor for each weight of the module that is trained.

    Notes
    -----
    A forward pass is one forward-mode derivative, about twice a pass of the module; where torch has no forward mode for
    something in the module, two backward passes with a `polygeom.learning.checks.FallbackWarning`. Where the Jacobian
    of all points fits into memory, a plain linear model on its rows (``jacobian(module, x)``) is the same model and
    much faster.

    Examples
    --------
    >>> module = nn.Linear(2, 1)
    >>> x = torch.ones(3, 2, dtype=torch.float64)
    >>> torch.equal(LinearisedModule(module)(x), module.double()(x))
    True
    """

    def __init__(self, module: nn.Module, *, bias: bool = True, dtype: torch.dtype | None = torch.float64) -> None:
        super().__init__()
        f = weight_function(module, dtype=dtype, keep=True)
        self.base = f.module.requires_grad_(False)
        self.bias = bias
        self.displacement = nn.ParameterList(torch.zeros_like(w) for w in f.weights.values())
        self._names = tuple(f.weights)
        self._reads: str | None = None
        if dtype is not None:
            _bring_to(self.base, dtype)

    @property
    def function(self) -> WeightFunction:
        """The module as a function of the weights that are displaced, at ``w0``."""
        return WeightFunction(self.base, {name: self.base.get_parameter(name) for name in self._names}, {})

    def forward(self, x: Any) -> Tensor:
        """Values ``(N, *output_shape)`` at points ``(N, *input_shape)``, in the shape of the module's own outputs.

        Points are read as `polygeom.learning.checks` says; whether they influence each other is tried first.
        """
        f = self.function
        if self._reads is None:
            ready = f.prepare(x)
            self._reads = "floats" if ready.is_floating_point() else "integers"
        else:
            ready = checks.points(x, next(iter(f.weights.values())), integers=self._reads == "integers")
        if isinstance(x, Tensor) and x.requires_grad:
            ready = x.to(ready)  # the same numbers, with their history
        value, change = f.along(dict(zip(f.weights, self.displacement, strict=True)), ready)
        return value + change if self.bias else change

    def train(self, mode: bool = True) -> Self:
        """Set the mode of this module; what it linearises stays in evaluation mode."""
        self.training = mode
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Whether the displacement is trained; the weights at the origin never are."""
        self.displacement.requires_grad_(requires_grad)
        return self

    def weights(self) -> dict[str, Tensor]:
        """``w``, the weights at the origin plus the displacement."""
        pairs = zip(self.function.weights.items(), self.displacement, strict=True)
        return {name: origin.detach() + moved.detach() for (name, origin), moved in pairs}

    @torch.no_grad()
    def displace(self, vector: Tensor) -> None:
        """Set ``w - w0`` to a vector ``(P,)`` in the order of ``module.named_parameters()``."""
        for parameter, value in zip(self.displacement, self.function.unflat(vector).values(), strict=True):
            parameter.copy_(value)


@torch.no_grad()
def _bring_to(module: nn.Module, dtype: torch.dtype) -> None:
    """Change the precision of what is real; ``module.to(dtype)`` would drop imaginary parts."""
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            tensor.data = tensor.data.to(dtype)


def linearize(module: nn.Module, *, bias: bool = True, dtype: torch.dtype | None = torch.float64) -> LinearisedModule:
    """`LinearisedModule` of a module at its present weights."""
    return LinearisedModule(module, bias=bias, dtype=dtype)


@dataclass(frozen=True, eq=False)
class KernelSolution:
    """Where training of a linearised model leads; see `kernel_regression`.

    Attributes
    ----------
    coefficients:
        ``α = (K + ridge)⁻¹ (y - f0)``, shape ``(n, C)``.
    condition:
        Condition number of the kernel matrix that was solved with: relative errors of the data are amplified by up to
        this number.
    residual:
        Largest error on the training values.
    """

    coefficients: Tensor
    condition: float
    residual: float

    def predict(self, kernel: Tensor, start: Tensor | None = None) -> Tensor:
        """Values at new points from ``K(x, X)``, ``(m, n)``, and ``f0(x)`` where the model does not start at zero."""
        kernel = checks.tensor(kernel, "kernel").to(self.coefficients)
        if kernel.ndim != 2 or kernel.shape[1] != len(self.coefficients):
            raise PolygeomError(f"kernel must have shape (m, {len(self.coefficients)}), got {tuple(kernel.shape)}")
        value = kernel @ self.coefficients
        return value if start is None else value + fitting.values(start, value.shape, value, name="start")


def kernel_regression(
    kernel: Tensor, targets: Tensor, *, start: Tensor | None = None, ridge: float = 0.0
) -> KernelSolution:
    """The limit of gradient descent on the mean square error of a model with a constant kernel.

    Parameters
    ----------
    kernel:
        ``K(X, X)``, ``(n, n)``, symmetric positive definite; shared by all outputs.
    targets:
        ``(n,)`` or ``(n, C)``.
    start:
        Values of the model before training, the shape of the targets; zero if None.
    ridge:
        Added to the diagonal of the kernel.

    Raises
    ------
    PolygeomError
        When shapes do not fit, or the matrix is singular in its precision, where the answer would depend on how small
        eigenvalues are cut off.

    Examples
    --------
    >>> kernel = torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    >>> solution = kernel_regression(kernel, torch.tensor([3.0, 3.0], dtype=torch.float64))
    >>> solution.predict(kernel).round(decimals=9)[:, 0], round(solution.condition, 9)
    (tensor([3., 3.], dtype=torch.float64), 3.0)
    """
    kernel = checks.floats(kernel, "kernel", axes=2)
    residual = _residual(kernel, targets, start)
    matrix = kernel + ridge * torch.eye(len(kernel), dtype=kernel.dtype, device=kernel.device)
    values = torch.linalg.eigvalsh(matrix)
    if values[0] <= 0:
        raise PolygeomError(
            f"kernel must be positive definite, got eigenvalues {float(values[0]):.1e} to {float(values[-1]):.1e}; "
            "write a positive ridge, or leave out points that repeat"
        )
    condition = float(values[-1] / values[0])
    check_condition(matrix, condition, "write a positive ridge, or leave out points that repeat")
    coefficients = torch.cholesky_solve(residual, torch.linalg.cholesky(matrix))
    error = (kernel @ coefficients - residual).abs().max()
    return KernelSolution(coefficients, condition, float(error))


def gradient_flow(
    kernel: Tensor, targets: Tensor, times: Tensor, *, start: Tensor | None = None, test_kernel: Tensor | None = None
) -> Tensor:
    """Values of a model with a constant kernel after training for given times, less ``start`` at those points.

    The flow is that of the mean square error over ``n`` points and ``C`` outputs, halved:
    ``d f(X)/dt = -K (f(X) - y) / n``. A step of gradient descent of size ``η`` is a time ``η``.

    Parameters
    ----------
    kernel, targets, start:
        As for `kernel_regression`; the kernel may be singular.
    times:
        ``(T,)``, not negative.
    test_kernel:
        ``K(x, X)``, ``(m, n)``, for values at ``m`` other points; training points if None.

    Returns
    -------
    Shape ``(T, m, C)``, or ``(T, n, C)``; add ``f0`` of the points.

    Examples
    --------
    >>> one = torch.eye(1, dtype=torch.float64)
    >>> gradient_flow(one, one, torch.tensor([0, 50.0]))[:, 0, 0]
    tensor([0., 1.], dtype=torch.float64)
    """
    kernel = checks.floats(kernel, "kernel", axes=2)
    residual = _residual(kernel, targets, start)
    times = checks.points(times, kernel, name="times")
    if times.ndim != 1 or times.min() < 0:
        raise PolygeomError(f"times must be numbers of at least 0, shape (T,), got shape {tuple(times.shape)}")
    values, vectors = torch.linalg.eigh(kernel)
    values = values.clamp_min(0)
    rates = values * times.to(kernel)[:, None] / len(kernel)
    small = rates < torch.finfo(values.dtype).eps  # where (1 - exp(-λ t / n)) / λ is t / n
    gains = -torch.expm1(-rates) / torch.where(values > 0, values, torch.ones_like(values))
    gains = torch.where(small, times.to(kernel)[:, None] / len(kernel), gains)
    coefficients = vectors @ (gains[:, :, None] * (vectors.T @ residual))
    if test_kernel is None:
        test_kernel = kernel
    if test_kernel.ndim != 2 or test_kernel.shape[1] != len(kernel):
        raise PolygeomError(f"test_kernel must have shape (m, {len(kernel)}), got {tuple(test_kernel.shape)}")
    flow: Tensor = test_kernel.to(kernel) @ coefficients
    return flow


def _residual(kernel: Tensor, targets: Tensor, start: Tensor | None) -> Tensor:
    if kernel.shape[0] != kernel.shape[1]:
        raise PolygeomError(f"kernel must have shape (n, n), got {tuple(kernel.shape)}")
    y = fitting.as_many(targets, len(kernel), of="rows of the kernel")
    if y.ndim > 2:
        raise PolygeomError(f"targets must have shape ({len(kernel)},) or ({len(kernel)}, C), got {tuple(y.shape)}")
    y = fitting.values(y, (len(y), y[0].numel()), kernel)
    return y if start is None else y - fitting.values(start, y.shape, kernel, name="start")


__all__ = ["KernelSolution", "LinearisedModule", "gradient_flow", "kernel_regression", "linearize"]
