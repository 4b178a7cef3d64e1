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
from typing import Any, ClassVar

import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning.kernels.algebra import Kernel
from polygeom.learning.kernels.closed_forms import as_activation
from polygeom.learning.kernels.duals import Activation, normaliser
from polygeom.learning.kernels.infinite_width import InfiniteWidth
from polygeom.learning.kernels.kernels import Gaussian, blocks
from polygeom.learning.kernels.machines import MEMORY_BUDGET, block_rows, data_rows, row_points, samples


@dataclass(frozen=True)
class RandomFeatures:
    """Hidden units ``sqrt(c / k) σ(V x + b)``, ``c`` such that they have mean square one on unit vectors without bias.

    Parameters
    ----------
    activation:
        ``σ``, by name or as an object that knows its dual, as for `InfiniteWidth`.
    bias:
        Whether there is ``b``, standard normal.

    Examples
    --------
    >>> from polygeom.learning.kernels import Monomial
    >>> RandomFeatures(Monomial(2)).limit(tangent=True).kind
    'ntk'
    """

    activation: Activation | str
    bias: bool = False

    def __post_init__(self) -> None:
        as_activation(self.activation)

    def __call__(self, x: Tensor, directions: Tensor, biases: Tensor | None = None) -> Tensor:
        """Features of rows ``(N, D)`` along ``directions`` ``(k, D)`` with ``biases`` ``(k,)``; shape ``(N, k)``."""
        if self.bias != (biases is not None):
            raise PolygeomError(f"biases must be {'given' if self.bias else 'None'} for {self}")
        x = data_rows(x)
        directions, biases = _drawn(directions, biases, x)
        inner = x @ directions.T if biases is None else torch.addmm(biases, x, directions.T)
        activation = as_activation(self.activation)
        return activation(inner) * math.sqrt(normaliser(activation) / len(directions))

    def limit(self, *, tangent: bool = False) -> Kernel:
        """The mean of ``φ(x)·φ(y)``; with ``tangent``, the tangent kernel of the network with all layers trained."""
        variances = (1.0, 0.0) if self.bias else 0.0
        return InfiniteWidth(self.activation, kind="ntk" if tangent else "nngp", biases=variances)


@dataclass(frozen=True)
class FourierFeatures:
    """Hidden units ``exp(i V x / h) / sqrt(k)``, complex; their limit is the Gaussian kernel (Rahimi and Recht 2007).

    Parameters
    ----------
    bandwidth:
        ``h``.

    Examples
    --------
    >>> FourierFeatures(0.5).limit()
    Gaussian(bandwidth=0.5)
    """

    bandwidth: float = 1.0
    bias: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.bandwidth < math.inf:
            raise PolygeomError(f"bandwidth must be positive and finite, got {self.bandwidth}; write bandwidth=1.0")

    def __call__(self, x: Tensor, directions: Tensor, biases: Tensor | None = None) -> Tensor:
        """Features of rows ``(N, D)`` along ``directions`` ``(k, D)``; complex, shape ``(N, k)``."""
        if biases is not None:
            raise PolygeomError(f"biases must be None for {self}")
        x = data_rows(x)
        directions, _ = _drawn(directions, None, x)
        angles = x @ directions.T / self.bandwidth
        return torch.polar(torch.full_like(angles, len(directions) ** -0.5), angles)

    def limit(self) -> Kernel:
        """The Gaussian kernel of the same bandwidth, the mean of ``φ(x)·φ(y)``."""
        return Gaussian(self.bandwidth)


def _drawn(directions: Any, biases: Any, x: Tensor) -> tuple[Tensor, Tensor | None]:
    """Directions ``(k, D)`` and biases ``(k,)`` in the precision of rows ``(N, D)``."""
    directions = row_points(directions, x, "directions")
    if biases is None:
        return directions, None
    biases = checks.tensor(biases, "biases").to(directions)
    if biases.shape != directions.shape[:1]:
        raise PolygeomError(f"biases must have shape ({len(directions)},), got {tuple(biases.shape)}")
    return directions, biases


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

    features: RandomFeatures | FourierFeatures
    directions: Tensor
    biases: Tensor | None
    weights: Tensor
    rank: int

    def predict(self, x: Tensor, *, memory: int = MEMORY_BUDGET) -> Tensor:
        """Values at rows ``(M, D)``, shape ``(M, C)``; in blocks that fit into memory."""
        x = row_points(x, self.directions)
        rows = block_rows(len(self.directions), self.weights.element_size(), memory)
        parts = [self.features(block, self.directions, self.biases) @ self.weights for block in blocks(x, rows)]
        return torch.cat(parts)


def fit_random_features(
    features: RandomFeatures | FourierFeatures,
    inputs: Tensor,
    targets: Tensor,
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
    inputs, targets:
        Shapes ``(N, D)`` and ``(N, C)``.
    directions, biases:
        Shapes ``(k, D)`` and ``(k,)``.
    cutoff:
        Singular values up to ``cutoff`` times the largest count as zero.

    Examples
    --------
    >>> from polygeom.learning.kernels import LeakyReLU
    >>> generator = torch.Generator().manual_seed(0)
    >>> inputs, v = (torch.randn(size, 3, generator=generator, dtype=torch.float64) for size in (20, 30))
    >>> model = fit_random_features(RandomFeatures(LeakyReLU()), inputs, inputs[:, :1] ** 2, v)
    >>> model.rank, bool((model.predict(inputs) - inputs[:, :1] ** 2).abs().max() < 1e-10)
    (20, True)
    """
    inputs, targets = samples(inputs, targets)
    directions, biases = _drawn(directions, biases, inputs)
    if targets.ndim != 2:
        raise PolygeomError(
            f"targets must have shape ({len(inputs)}, C), got {tuple(targets.shape)}; write targets[:, None]"
        )
    left, values, right = torch.linalg.svd(features(inputs, directions, biases), full_matrices=False)
    rank = int((values > cutoff * values[0]).sum())
    inverse = (left[:, :rank].mH @ targets.to(left)) / values[:rank, None]
    return RandomFeatureModel(features, directions, biases, right[:rank].mH @ inverse, rank)
