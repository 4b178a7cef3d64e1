"""Tangent kernels of infinitely wide Π-nets in closed form, with rectified or identity factors.

Let ``u = w·x``, ``v = w·x'`` with ``w`` standard normal, ``h₁ = E[σ(u) σ(v)]``, ``h₀ = E[σ'(u) σ'(v)]`` and
``e(x) = E[σ(u)]``. The kernels are

- product network ``f = √(s/m) Σ_j a_j Π_n σ(w_nj·x)``:
  ``K = s [h₁^N + N ⟨x, x'⟩ h₀ h₁^(N-1)]``;
- coupled decomposition with skips, ``x_1 = σ(U_1 x)``, ``x_n = σ(U_n x) * x_{n-1} + x_{n-1}``,
  ``f = √(s/m) a·x_N``: with ``q = 1 + e(x) + e(x') + h₁``,
  ``K = s [h₁ q^(N-1) + ⟨x, x'⟩ h₀ q^(N-1) + (N-1) ⟨x, x'⟩ h₀ h₁ q^(N-2)]``.

Both follow from independence of the factors: every weight enters one factor, whose contribution ``h₁`` its derivative
replaces by ``⟨x, x'⟩ h₀``. The first is that of arXiv 2209.07736; the second is derived here. All weights are standard
normal and trained.

What follows exactly: a bias-free product kernel is homogeneous, ``K(t x, ·) = t^N K(x, ·)``, and so is every function
it learns; along every ray from 0 a bias-free coupled kernel is a polynomial of degree ``N``. With biases (``x``
extended by 1) this holds in the limit of large ``t`` alone. With identity factors every learned function is a
polynomial of degree ``N`` everywhere.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.checks import choice
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning.kernels.algebra import Composable
from polygeom.learning.kernels.angles import Angles

FACTORS = ("relu", "identity")


@dataclass(frozen=True)
class _PiKernel(Composable):
    """What both kernels share.

    Parameters
    ----------
    degree:
        ``N ≥ 1``, the number of factors.
    factor:
        ``"relu"`` or ``"identity"``, the function ``σ`` of every factor.
    bias:
        Whether every factor has a bias: points are extended by a coordinate 1.
    scale:
        ``s``.
    """

    degree: int
    factor: str = "relu"
    bias: bool = False
    scale: float = 2.0

    def __post_init__(self) -> None:
        if self.degree < 1:
            raise PolygeomError(f"degree must be at least 1, the number of factors, got {self.degree}")
        choice("factor", self.factor, FACTORS, "relu")

    def _moments(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """``h₁``, ``⟨x, x'⟩ h₀``, ``e(x)`` and ``e(x')``, the last two of shapes ``(N, 1)`` and ``(1, N')``."""
        x, y = checks.rows(x, y)
        product = x @ y.T + float(self.bias)
        if self.factor == "identity":
            return product, product, torch.zeros_like(x[:, :1]), torch.zeros_like(y[:, :1]).T
        angles = Angles.between(x, y, float(self.bias))
        left, right, mean = angles.left, angles.right, math.sqrt(2 * math.pi)
        return left * right * angles.ramp / 2, product * angles.step / 2, left / mean, right / mean


@dataclass(frozen=True)
class ProductKernel(_PiKernel):
    """The tangent kernel of an infinitely wide product network; see the module for formula and properties.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    >>> ProductKernel(1)(x, x).item(), ProductKernel(2)(3 * x, x).item() / ProductKernel(2)(x, x).item()
    (2.0, 9.0)
    """

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        h1, slope, _, _ = self._moments(x, y)
        return self.scale * (h1**self.degree + self.degree * slope * h1 ** (self.degree - 1))


@dataclass(frozen=True)
class CoupledKernel(_PiKernel):
    """The tangent kernel of an infinitely wide coupled decomposition with skip connections; see the module.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    >>> [round(CoupledKernel(n)(x, x).item(), 3) for n in (1, 3)]
    [2.0, 12.858]
    """

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        h1, slope, left, right = self._moments(x, y)
        q = 1 + left + right + h1
        value = (h1 + slope) * q ** (self.degree - 1)
        if self.degree > 1:
            value = value + (self.degree - 1) * slope * h1 * q ** (self.degree - 2)
        return self.scale * value


@dataclass(frozen=True)
class FirstLayerKernel(Composable):
    """``⟨x, x'⟩ κ₀ / 2``: a rectified network of two layers, the first alone trained (arXiv 2009.11848)."""

    bias: bool = False

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        slope: Tensor = _PiKernel(1, bias=self.bias)._moments(x, y)[1]
        return slope


__all__ = ["FACTORS", "CoupledKernel", "FirstLayerKernel", "ProductKernel"]
