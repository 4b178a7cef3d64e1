r"""Regression on random features: networks of which only the last layer is trained, and their limit of infinite width.

A hidden layer of ``k`` random units, ``φ(x) = sqrt(c / k) σ(V x + b)`` with standard normal ``V`` and ``b``, never
trained, followed by the least-norm linear fit to ``n`` samples. For generic data the fit interpolates as soon as
``k ≥ n``; at ``k = n`` the features are nearly dependent, and the test error peaks: double descent (arXiv 1812.11118).
For ``k → ∞`` the kernel ``φ(x)·φ(y)`` tends to its mean, at rate ``k^{-1/2}``, and the fit to that of a kernel machine.

A power ``σ(z) = z^r`` has features in the finite-dimensional space of polynomials of degree ``r``: its rank, and so the
number of samples it can interpolate, stays at the number of monomials, however large ``k`` is.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import torch
from torch import Tensor

from polygeom.errors import PolygeomError
from polygeom.learning.kernel_machines import MEMORY_BUDGET, block_rows, targets
from polygeom.learning.kernels import Gaussian, Kernel, blocks

_POWER = re.compile(r"x\^([1-9]\d?)")


@dataclass(frozen=True)
class RandomFeatures:
    """A kind of random feature.

    Parameters
    ----------
    kind:
        ``"fourier"``: ``exp(i V x / h) / sqrt(k)``, complex (Rahimi and Recht 2007). ``"relu"``:
        ``sqrt(2/k) max(V x + b, 0)``. ``"x^r"`` for a number ``r``: ``(V x + b)^r / sqrt((2r - 1)!! k)``.
    bias:
        Whether there is ``b``; not for ``"fourier"``.
    bandwidth:
        ``h``, for ``"fourier"`` alone.

    Examples
    --------
    >>> RandomFeatures("x^2").limit()
    WideLimit(power=2, bias=False, tangent=False)
    """

    kind: str
    bias: bool = False
    bandwidth: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ("fourier", "relu") and not _POWER.fullmatch(self.kind):
            raise PolygeomError(f'kind must be "fourier", "relu" or "x^r" with a number r, got {self.kind!r}')
        if self.kind == "fourier" and self.bias:
            raise PolygeomError('features of kind "fourier" have no bias; write bias=False')
        if not 0 < self.bandwidth < math.inf:
            raise PolygeomError(f"bandwidth must be positive and finite, got {self.bandwidth}; write bandwidth=1.0")

    @property
    def power(self) -> int:
        """``r`` of ``"x^r"``; 0 for the other kinds."""
        found = _POWER.fullmatch(self.kind)
        return int(found[1]) if found else 0

    def __call__(self, x: Tensor, directions: Tensor, biases: Tensor | None = None) -> Tensor:
        """Features of rows ``(N, D)`` along ``directions`` ``(k, D)`` with ``biases`` ``(k,)``; shape ``(N, k)``."""
        if self.bias != (biases is not None):
            raise PolygeomError(f"biases must be {'given' if self.bias else 'None'} for {self}")
        inner = x @ directions.T if biases is None else torch.addmm(biases, x, directions.T)
        width = len(directions)
        if self.kind == "fourier":
            return torch.polar(torch.full_like(inner, width**-0.5), inner / self.bandwidth)
        if self.kind == "relu":
            return inner.clamp_min_(0).mul_(math.sqrt(2 / width))
        return inner.pow_(self.power).mul_((_double_factorial(self.power) * width) ** -0.5)

    def limit(self, *, tangent: bool = False) -> Kernel:
        """The mean of ``φ(x)·φ(y)``; with ``tangent``, the tangent kernel of the network with all layers trained.

        Raises
        ------
        PolygeomError
            For the tangent kernel of ``"fourier"``.
        """
        if self.kind != "fourier":
            return WideLimit(self.power, self.bias, tangent)
        if tangent:
            raise PolygeomError('features of kind "fourier" are not trained; write tangent=False')
        return Gaussian(self.bandwidth)


@dataclass(frozen=True)
class WideLimit:
    """The kernel of a network with one infinitely wide hidden layer, normal weights, ReLU or ``x^r``.

    With ``a = |x|²``, ``b = |y|²``, ``c = x·y`` (all plus one, with biases) and ``ρ = c / sqrt(ab)``: for ReLU the
    arc-cosine kernel ``sqrt(ab) (ρ (π - arccos ρ) + sqrt(1 - ρ²)) / π`` (Cho and Saul 2009); for powers the sum over
    ``j = r, r - 2, …`` of ``r!² c^j (ab)^m / (j! (2^m m!)²)``, ``m = (r - j)/2``, divided by ``(2r - 1)!!``. Both are
    ``|x|^{2r}`` on the diagonal. The tangent kernel (arXiv 1806.07572) adds ``c`` times the same for the derivative.

    Parameters
    ----------
    power:
        ``r``, or 0 for ReLU.
    bias:
        Whether the hidden layer has biases, drawn as its weights.
    tangent:
        Whether the hidden layer is trained too.
    """

    power: int
    bias: bool = False
    tangent: bool = False

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        shift = 1.0 if self.bias else 0.0
        a, b = x.square().sum(1, keepdim=True) + shift, y.square().sum(1) + shift
        c = x @ y.T + shift
        if self.power:
            value = _power_mean(self.power, a * b, c) / _double_factorial(self.power)
            slope = self.power**2 * _power_mean(self.power - 1, a * b, c) / _double_factorial(self.power)
        else:
            lengths = (a * b).sqrt()
            cosine = (c / torch.where(lengths > 0, lengths, 1.0)).clamp(-1, 1)
            slope = 1 - cosine.arccos() / math.pi
            value = lengths * (cosine * slope + (1 - cosine.square()).sqrt() / math.pi)
        return value + c * slope if self.tangent else value


@dataclass(frozen=True, eq=False)
class RandomFeatureModel:
    """A least-norm fit on random features.

    Attributes
    ----------
    features:
        Their kind.
    directions, biases:
        ``V`` and ``b``, shapes ``(k, D)`` and ``(k,)`` or None.
    weights:
        Of the last layer, shape ``(k, C)``.
    rank:
        Of the features of the training rows, with the cutoff of the fit.
    """

    features: RandomFeatures
    directions: Tensor
    biases: Tensor | None
    weights: Tensor
    rank: int

    def predict(self, x: Tensor, *, memory_budget: int = MEMORY_BUDGET) -> Tensor:
        """Values at rows ``(M, D)``, shape ``(M, C)``; complex for ``"fourier"``, in blocks that fit into memory."""
        rows = block_rows(len(self.directions), self.weights.element_size(), memory_budget)
        parts = [self.features(block, self.directions, self.biases) @ self.weights for block in blocks(x, rows)]
        return torch.cat(parts)


def fit_random_features(
    features: RandomFeatures,
    x: Tensor,
    y: Tensor,
    directions: Tensor,
    biases: Tensor | None = None,
    *,
    cutoff: float = 1e-12,
) -> RandomFeatureModel:
    """The weights of least norm among those that minimise the squared error, by singular values.

    Normal equations would square the condition number, which near ``k = n`` is large already.

    Parameters
    ----------
    features:
        Their kind.
    x, y:
        Shapes ``(N, D)`` and ``(N, C)``.
    directions, biases:
        Shapes ``(k, D)`` and ``(k,)``.
    cutoff:
        Singular values up to ``cutoff`` times the largest count as zero.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> x, v = (torch.randn(size, 3, generator=generator, dtype=torch.float64) for size in (20, 30))
    >>> model = fit_random_features(RandomFeatures("relu"), x, x[:, :1] ** 2, v)
    >>> model.rank, bool((model.predict(x) - x[:, :1] ** 2).abs().max() < 1e-10)
    (20, True)
    """
    y = targets(x, y)
    if y.ndim != 2:
        raise PolygeomError(f"y must have shape ({len(x)}, C), got {tuple(y.shape)}; write y[:, None]")
    left, values, right = torch.linalg.svd(features(x, directions, biases), full_matrices=False)
    rank = int((values > cutoff * values[0]).sum())
    inverse = (left[:, :rank].mH @ y.to(left)) / values[:rank, None]
    return RandomFeatureModel(features, directions, biases, right[:rank].mH @ inverse, rank)


def _double_factorial(power: int) -> int:
    """``(2r - 1)!!``, the mean of ``z^{2r}`` for standard normal ``z``."""
    return math.prod(range(1, 2 * power, 2))


def _power_mean(power: int, ab: Tensor, c: Tensor) -> Tensor:
    """The mean of ``u^r v^r`` for normal ``u, v`` of variances ``a, b`` and covariance ``c``."""
    total = torch.zeros_like(c)
    for pairs in range(power // 2 + 1):
        left = power - 2 * pairs
        factor = math.factorial(power) ** 2 / (math.factorial(left) * (2**pairs * math.factorial(pairs)) ** 2)
        total += factor * c**left * ab**pairs
    return total
