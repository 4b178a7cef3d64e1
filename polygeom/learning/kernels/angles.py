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
from functools import cached_property

import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.learning.kernels.kernels import from_differences, root, small

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
        cosine = u @ v.T
        gap, opposite = 1 - cosine, cosine.add_(1)
        u, v = u / math.sqrt(2), v / math.sqrt(2)
        gap, opposite = (from_differences(part, small(part, _NEAR), u, w) for part, w in ((gap, v), (opposite, -v)))
        return cls(left, right.T, gap, opposite)

    @classmethod
    def of_covariances(cls, a: Tensor, b: Tensor, c: Tensor) -> Angles:
        """Those of variances ``a``, ``b`` and covariances ``c``, to the precision that ``1 ± c / √(ab)`` has."""
        left, right = root(a), root(b)
        size = left * right
        rho = torch.where(size > 0, c / torch.where(size > 0, size, torch.ones_like(size)), torch.zeros_like(c))
        rho = rho.clamp(-1, 1)
        return cls(left, right, 1 - rho, 1 + rho)

    @cached_property
    def cosine(self) -> Tensor:
        """``cos θ``."""
        return 1 - self.gap

    @cached_property
    def sine(self) -> Tensor:
        """``sin θ``."""
        return root(self._square)

    @cached_property
    def theta(self) -> Tensor:
        """``θ`` from 0 to π."""
        return self._angle(self.cosine.clamp(_NEAR - 1, 1 - _NEAR).acos_(), 2, self.gap, self.opposite)

    @cached_property
    def step(self) -> Tensor:
        """``κ₀ = (π - θ) / π``: twice the mean of the product of two steps (Cho and Saul 2009)."""
        return self._angle((self.theta / -math.pi).add_(1), 2 / math.pi, self.opposite, self.gap)

    @property
    def covariance(self) -> Tensor:
        """``|x||y| cos θ``."""
        return (self.left * self.cosine).mul_(self.right)

    @property
    def ramp(self) -> Tensor:
        """``κ₁ = (sin θ + (π - θ) cos θ) / π``: twice the mean of the product of two rectifiers of unit variance."""
        return torch.addcmul(self.sine / math.pi, self.step, self.cosine)

    @cached_property
    def _square(self) -> Tensor:
        """``sin² θ``."""
        return self.gap * self.opposite

    @cached_property
    def _near(self) -> Tensor:
        """Where the rows are so nearly parallel that the cosine does not tell their angle."""
        return small(self._square, _NEAR * (2 - _NEAR))

    def _angle(self, plain: Tensor, factor: float, above: Tensor, below: Tensor) -> Tensor:
        """A multiple of the angle of half tangent ``√above / √below``: ``plain``, and anew where rows are parallel."""
        plain = plain.contiguous()
        if len(self._near):
            over, under = (root(side.reshape(-1)[self._near]) for side in (above, below))
            plain.view(-1)[self._near] = factor * torch.atan2(over, under)
        return plain

    def rectified(self, slope: float, scale: float, bias: float) -> Angles:
        """After a layer of leaky rectifiers of that ``slope``, a factor ``scale``, and a bias of variance ``bias``.

        The cosine grows by ``κ₁ - cos θ = (sin θ - θ cos θ) / π`` for the rectifier, by a share of it for a leaky one;
        a bias adds the same coordinate to both.
        """
        energy = (1 + slope * slope) / 2
        growth = torch.addcmul(self.sine, self.theta, self.cosine, value=-1)
        growth.mul_((1 - slope) ** 2 / (2 * energy * math.pi))
        gap, opposite = (self.gap - growth).clamp_min_(0), self.opposite + growth
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
    return rows / torch.where(size > 0, size, torch.full_like(size, math.inf)), size


__all__ = ["Angles"]
