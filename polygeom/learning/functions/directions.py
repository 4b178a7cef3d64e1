"""Directions in which a loss is steep or flat at its minimum: where chains start, and how they move along each.

Weights with the same function are a valley, thousand times narrower than long at low temperature. Chains that start
anywhere in the prior take long to find it; chains that all start at the centre agree with each other long before they
have left it; and steps that fit across the valley lead nowhere along it. The second derivative at the centre tells the
directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from polygeom._dataclass import dataclass

LARGEST = 300
"""Most weights for which the second derivative is formed; above, all directions are alike."""
LEAST = 0.01
"""Directions count as at least this share of the steepest one: away from the centre they turn."""
_STEP = 1e-5
"""Third and higher derivatives enter with the square of this."""


@dataclass(frozen=True)
class Directions:
    """Eigenvectors of the second derivative of ``K`` at the centres of ``G`` groups.

    Attributes
    ----------
    rows:
        ``(G, P, P)``, orthonormal; None where all directions are alike.
    curvature:
        Second derivatives along them, not negative, ``(G, 1, 1, P)``.
    least:
        Directions count as at least this share of the steepest one.
    """

    rows: Tensor | None
    curvature: Tensor
    least: float

    def far(self, beta: Tensor, most: Tensor, noise: Tensor) -> Tensor:
        """From normal noise ``(G, L, C, P)``: as wide as the posterior across the valley, ``most`` along it."""
        wide = most[:, None, None, None]
        steps = noise * (beta[..., None] * self.curvature + wide**-2).rsqrt()
        return steps if self.rows is None else _times(steps, self.rows)

    def scales(self, beta: Tensor, flat: Tensor) -> Tensor:
        """How wide the posterior about is along each direction, ``(G, L, 1, P)``: as far as the prior where it is flat.

        Parameters
        ----------
        beta:
            Inverse temperatures ``(G, L, C)``, alike for all chains of a level.
        flat:
            Second derivatives of minus the logarithm of the prior by the weights, ``(G, 1, 1, P)``.
        """
        top = self.curvature.amax(dim=-1, keepdim=True)
        least = self.least * torch.where(top > 0, top, 1.0)
        if self.rows is None:
            return (beta[:, :, :1, None] + flat).rsqrt()
        along = torch.bmm(flat.flatten(1, 2), self.rows.square().transpose(1, 2))[:, None]
        return (beta[:, :, :1, None] * self.curvature.clamp(min=least) + along).rsqrt()

    def back(self, steps: Tensor) -> Tensor:
        """Steps by weights from steps along the directions, ``(G, L, C, P)``."""
        return steps if self.rows is None else _times(steps, self.rows)

    def along(self, slopes: Tensor) -> Tensor:
        """The transpose of `back`."""
        return slopes if self.rows is None else _times(slopes, self.rows.transpose(1, 2))


def _times(rows: Tensor, matrices: Tensor) -> Tensor:
    return torch.bmm(rows.flatten(1, 2), matrices).reshape(rows.shape)


def directions_at(slopes: Callable[[Tensor], Tensor], centre: Tensor, least: float = LEAST) -> Directions:
    """The directions at ``centre`` ``(G, L, C, P)`` from slopes of ``K``, ``(G, L, C, P) → (G, L, C, P)``.

    Central differences of the slopes: rows of one batch look in different directions, so that this costs two
    evaluations for every ``L · C`` weights.
    """
    groups, levels, chains, size = centre.shape
    if size > LARGEST:
        return Directions(None, torch.zeros(groups, 1, 1, size, dtype=torch.float64), least)
    rows, units = levels * chains, torch.eye(size, dtype=torch.float64)
    second = torch.zeros(groups, size, size, dtype=torch.float64)
    for part in range(math.ceil(size / rows)):
        chosen = torch.arange(part * rows, (part + 1) * rows)
        steps = _STEP * units[chosen % size].reshape(levels, chains, size)
        change = (slopes(centre + steps) - slopes(centre - steps)) / (2 * _STEP)
        kept = chosen[chosen < size]
        second[:, kept] = change.flatten(1, 2)[:, : len(kept)]
    second = torch.nan_to_num(second, posinf=0.0, neginf=0.0)
    values, vectors = torch.linalg.eigh((second + second.transpose(1, 2)) / 2)
    return Directions(vectors.transpose(1, 2).contiguous(), values.clamp(min=0)[:, None, None], least)
