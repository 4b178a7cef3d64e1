"""Kernels of infinitely wide perceptrons: Gaussian processes at initialisation (NNGP) and tangent kernels (NTK).

A perceptron with standard normal weights and the factor ``√(scale / width)`` after every hidden layer has, in the limit
of infinite widths, the covariance and tangent kernel of the recursion (arXiv 1806.07572)

    Σ₁ = x·x' + b₁,  Σ_{l+1} = scale · E[σ(u) σ(v)] + b_{l+1}      (u, v) of covariance Σ_l
    Θ₁ = Σ₁,         Θ_{l+1} = Σ_{l+1} + Θ_l · scale · E[σ'(u) σ'(v)]

with ``b_l`` the variances of the biases. Training the last layer alone leads to regression with ``Σ``, training all
layers to regression with ``Θ``. For the activation ``z ** r`` both are polynomials of degree ``r^depth``: on any points
their rank is at most the number of monomials, where a finite network's is the dimension of its neurovariety.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.checks import choice, is_integer, seed
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning.kernels.algebra import Composable
from polygeom.learning.kernels.angles import Angles
from polygeom.learning.kernels.closed_forms import as_activation
from polygeom.learning.kernels.duals import Activation, LeakyReLU, normaliser

KINDS = ("ntk", "nngp")
_RELU = LeakyReLU()


@dataclass(frozen=True)
class InfiniteWidth(Composable):
    """The NTK or NNGP kernel of an infinitely wide perceptron, a kernel on rows like those of `polygeom.learning`.

    Parameters
    ----------
    activation:
        A name (``"relu"``, ``"gelu"``, ``"erf"``, …: `polygeom.learning.kernels.closed_forms.NAMED`), or an object
        that knows its dual.
    depth:
        Number of hidden layers, at least 0.
    kind:
        ``"ntk"`` or ``"nngp"``.
    biases:
        Variances of the biases of the ``depth + 1`` layers; one number for all of them.
    scale:
        The factor of every hidden layer; None for the one that keeps unit variance (2 for the rectifier).

    Raises
    ------
    PolygeomError
        For negative depth or variances, unknown kinds, or a wrong number of biases.

    Examples
    --------
    >>> x = torch.eye(2, dtype=torch.float64)
    >>> InfiniteWidth(LeakyReLU())(x, x).round(decimals=4)  # 2 on the diagonal, 1/π beside it
    tensor([[2.0000, 0.3183],
            [0.3183, 2.0000]], dtype=torch.float64)
    """

    activation: Activation | str = _RELU
    depth: int = 1
    kind: str = "ntk"
    biases: float | tuple[float, ...] = 0.0
    scale: float | None = None

    def __post_init__(self) -> None:
        choice("kind", self.kind, KINDS, "ntk")
        as_activation(self.activation)
        if not is_integer(self.depth) or self.depth < 0:
            raise PolygeomError(f"depth must be at least 0, the number of hidden layers, got {self.depth}")
        variances(self.biases, self.depth + 1)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Values ``(N, N')`` for rows ``(N, D)`` and ``(N', D)``.

        Derivatives by the rows are finite. Where a kernel of a rectifier has a cusp, at rows that are parallel (with
        their bias), they are the mean of both sides.
        """
        x, y = checks.rows(x, y)
        activation = as_activation(self.activation)
        if isinstance(activation, LeakyReLU):
            return self._rectified(x, y, activation.slope)
        bias = variances(self.biases, self.depth + 1)
        scale = normaliser(activation) if self.scale is None else self.scale
        a, b = (rows.square().sum(dim=1) + bias[0] for rows in (x, y))
        covariance = x @ y.T + bias[0]
        tangent = covariance
        for variance in bias[1:]:
            left, right = a[:, None], b[None, :]
            slope = scale * activation.derivative_dual(left, right, covariance)
            covariance = scale * activation.dual(left, right, covariance) + variance
            tangent = covariance + tangent * slope
            a, b = (scale * activation.dual(v, v, v) + variance for v in (a, b))
        return covariance if self.kind == "nngp" else tangent

    def _rectified(self, x: Tensor, y: Tensor, slope: float) -> Tensor:
        """The recursion in angles, which keeps all digits at nearly parallel rows; see `Angles`."""
        bias = variances(self.biases, self.depth + 1)
        scale = 2 / (1 + slope * slope) if self.scale is None else self.scale
        angles = Angles.between(x, y, bias[0])
        tangent = angles.covariance
        for variance in bias[1:]:
            steps = (angles.step * (scale * (1 - slope) ** 2 / 2)).add_(scale * slope)
            angles = angles.rectified(slope, scale, variance)
            tangent = torch.addcmul(angles.covariance, tangent, steps)
        return angles.covariance if self.kind == "nngp" else tangent


class WidePerceptron(nn.Module):
    """The finite network whose limit `InfiniteWidth` is: standard normal weights, factors ``√(scale / width)``.

    Parameters
    ----------
    widths:
        ``(d_0, …, d_L)``, inputs, hidden widths, outputs.
    activation, biases, scale:
        As for `InfiniteWidth`; a layer whose bias has variance 0 has none.
    rng:
        Seed of the weights.
    dtype:
        Of the weights.

    Examples
    --------
    >>> net = WidePerceptron((3, 1000, 1), biases=(1.0, 0.0), rng=1)
    >>> net(torch.ones(2, 3, dtype=torch.float64)).shape, sum(p.numel() for p in net.parameters())
    (torch.Size([2, 1]), 5000)
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: Activation | str | None = None,
        *,
        biases: float | tuple[float, ...] = 0.0,
        scale: float | None = None,
        rng: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        if len(widths) < 2 or not all(is_integer(width) and width > 0 for width in widths):
            raise PolygeomError(f"widths must be at least two positive numbers, got {list(widths)}; write (3, 1000, 1)")
        self.activation: Activation = LeakyReLU() if activation is None else as_activation(activation)
        self.scale = normaliser(self.activation) if scale is None else scale
        self.deviations = [math.sqrt(v) for v in variances(biases, len(widths) - 1)]
        generator = torch.Generator().manual_seed(seed(rng))

        def normal(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype))

        pairs = itertools.pairwise(widths)
        self.matrices = nn.ParameterList(normal(m, n) for n, m in pairs)
        self.offsets = nn.ParameterList(
            normal(m if deviation else 0) for m, deviation in zip(widths[1:], self.deviations, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Values ``(N, d_L)`` at rows ``(N, d_0)``."""
        layers = zip(self.matrices, self.offsets, self.deviations, strict=True)
        for number, (matrix, offset, deviation) in enumerate(layers):
            if number:
                x = self.activation(x) * math.sqrt(self.scale / x.shape[1])
            x = nn.functional.linear(x, matrix, deviation * offset if deviation else None)
        return x


def variances(biases: float | tuple[float, ...], layers: int) -> tuple[float, ...]:
    """One variance for each layer."""
    found = biases if isinstance(biases, tuple) else (float(biases),) * layers
    if len(found) != layers or min(found) < 0:
        raise PolygeomError(
            f"biases must be one variance, or {layers} of them, not negative, got {biases}; write biases=0.0"
        )
    return found


__all__ = ["KINDS", "InfiniteWidth", "WidePerceptron"]
