"""Angles between rows, and what rectified layers make of them, to full precision.

For nearly parallel rows ``ρ = x·y / (|x||y|)`` is so near to 1 that ``arccos ρ`` loses half of its digits: an error of
1e-16 in ``ρ`` is one of 1e-8 in the angle. Here an angle is kept as its two gaps ``1 - ρ`` and ``1 + ρ``, half the
squared distances of the normalised rows to each other and to each other's opposites, which are small where the angle or
its supplement is. Rectified layers are functions of gaps in which nothing cancels.

Kernels of rectifiers have a cusp, like ``|θ|``, where two rows are parallel. Derivatives there are the means of those
from both sides: the cusp counts as zero. Everywhere they are finite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from polygeom.learning.kernels.kernels import root, squared_distances

_NEAR = 1e-2


@dataclass(frozen=True, eq=False)
class Angles:
    """Angles ``θ`` between the rows of two sets, with the lengths of the rows.

    Attributes
    ----------
    left, right:
        Lengths, shapes ``(N, 1)`` and ``(1, N')``; their squares are the variances of a layer's outputs.
    gap, opposite:
        ``1 - cos θ`` and ``1 + cos θ``, shape ``(N, N')``.
    """

    left: Tensor
    right: Tensor
    gap: Tensor
    opposite: Tensor

    @classmethod
    def between(cls, x: Tensor, y: Tensor, bias: float = 0.0) -> Angles:
        """Those of rows ``(N, D)`` and ``(N', D)``, each extended by a coordinate ``√bias``; zero rows are orthogonal.

        Examples
        --------
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 1e-9]], dtype=torch.float64)
        >>> Angles.between(x, x).theta[0, 1].item()
        1e-09
        """
        if bias:
            x, y = (torch.cat([rows, rows.new_full((len(rows), 1), math.sqrt(bias))], dim=1) for rows in (x, y))
        (u, left), (v, right) = _unit(x), _unit(y)
        missing = (left == 0) | (right == 0).T
        gap, opposite = (squared_distances(u, w, near=_NEAR) / 2 for w in (v, -v))
        one = torch.ones_like(gap)
        return cls(left, right.T, torch.where(missing, one, gap), torch.where(missing, one, opposite))

    @classmethod
    def of_covariances(cls, a: Tensor, b: Tensor, c: Tensor) -> Angles:
        """Those of variances ``a``, ``b`` and covariances ``c``, to the precision that ``1 ± c / √(ab)`` has."""
        left, right = root(a), root(b)
        size = left * right
        rho = torch.where(size > 0, c / torch.where(size > 0, size, torch.ones_like(size)), torch.zeros_like(c))
        rho = rho.clamp(-1, 1)
        return cls(left, right, 1 - rho, 1 + rho)

    @property
    def cosine(self) -> Tensor:
        """``cos θ``."""
        return (self.opposite - self.gap) / 2

    @property
    def theta(self) -> Tensor:
        """``θ`` from 0 to π."""
        return 2 * torch.atan2(root(self.gap), root(self.opposite))

    @property
    def covariance(self) -> Tensor:
        """``|x||y| cos θ``."""
        return self.left * self.right * self.cosine

    @property
    def step(self) -> Tensor:
        """``κ₀ = (π - θ) / π``: twice the mean of the product of two steps (Cho and Saul 2009)."""
        return 2 / math.pi * torch.atan2(root(self.opposite), root(self.gap))

    @property
    def ramp(self) -> Tensor:
        """``κ₁ = (sin θ + (π - θ) cos θ) / π``: twice the mean of the product of two rectifiers of unit variance."""
        sine = root(self.gap) * root(self.opposite)
        return sine / math.pi + self.step * self.cosine

    def rectified(self, slope: float, scale: float, bias: float) -> Angles:
        """After a layer of leaky rectifiers of that ``slope``, a factor ``scale``, and a bias of variance ``bias``.

        ``1 - κ₁ = (1 - cos θ) - (sin θ - θ cos θ) / π``; a bias adds the same coordinate to both.
        """
        energy = (1 + slope * slope) / 2
        ramp, weight = self.ramp, (1 - slope) ** 2 / 2
        less = self.gap - (root(self.gap) * root(self.opposite) - self.theta * self.cosine) / math.pi  # 1 - κ₁
        gap = (weight * less + slope * self.gap) / energy
        opposite = (weight * (1 + ramp) + slope * self.opposite) / energy
        factor = math.sqrt(scale * energy)
        left, right = factor * self.left, factor * self.right
        if not bias:
            return Angles(left, right, gap, opposite)
        size = left * right
        above, beside = (root(side * side + bias) for side in (left, right))
        total = above * beside
        apart = bias * (left - right).square() / (total + bias + size)  # total - bias - size, without cancellation
        return Angles(above, beside, (apart + size * gap) / total, (2 * bias + apart + size * opposite) / total)


def _unit(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of length 1, and their lengths ``(N, 1)``; a zero row stays."""
    size = root(rows.square().sum(dim=1, keepdim=True))
    return rows / torch.where(size > 0, size, torch.ones_like(size)), size


__all__ = ["Angles"]
