"""Planes through the space of inputs, cut into regions."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning.regions.regions import sign_patterns

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Section:
    """A plane through the space of inputs, cut into regions.

    Attributes
    ----------
    regions:
        Number of the region of every point, ``(R, R)``: rows along the second axis, columns along the first.
    positions:
        The ``R`` coordinates along either axis.
    count:
        Number of different regions met.
    """

    regions: np.ndarray
    positions: np.ndarray
    count: int


def cross_section(
    module: nn.Module,
    origin: Any,
    axes: Any = (0, 1),
    *,
    resolution: int = 128,
    low: float = -1.0,
    high: float = 1.0,
    layers: Sequence[int] | None = None,
) -> Section:
    """The sign regions on the plane ``origin + u e_i + v e_j``, with ``u, v`` on a grid of ``[low, high)``.

    Parameters
    ----------
    module:
        Any network that reads vectors.
    origin:
        A point ``(D,)``; zeros for a plane through the origin. Its components ``axes`` are replaced.
    axes:
        ``(i, j)``; negative ones count from the end, so ``(-2, -1)`` is the plane of the last two components, the
        highest frequencies of an encoding.
    resolution:
        ``R`` points along either axis.
    layers:
        Numbers of the layers to look at, ``[0]`` for the first one alone; all if None.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    >>> cross_section(module, torch.zeros(4), (-2, -1), resolution=16).regions.shape
    (16, 16)
    """
    if resolution < 1 or not low < high:
        raise PolygeomError(
            f"resolution must be at least 1 and low < high, got {resolution}, {low}, {high}; "
            "write resolution=128, low=-1, high=1"
        )
    centre = checks.points(origin, checks.like(module), name="origin")
    if centre.ndim != 1:
        raise PolygeomError(f"origin must be one point, shape (D,), got {tuple(centre.shape)}; write torch.zeros(D)")
    first, second = _axes(axes, len(centre))
    steps = torch.arange(resolution, dtype=centre.dtype, device=centre.device)
    positions = low + (high - low) * steps / resolution
    points = centre.repeat(resolution * resolution, 1)
    points[:, first] = positions.repeat(resolution)
    points[:, second] = positions.repeat_interleave(resolution)
    patterns = sign_patterns(module, points)
    if layers is not None:
        patterns = patterns.select(layers)
    return Section(patterns.regions.reshape(resolution, resolution), positions.cpu().numpy(), patterns.count)


def _axes(axes: Any, dimension: int) -> tuple[int, int]:
    """Two different axes from any pair of integers, a tensor or an array among them."""
    try:
        chosen = [index(axis) for axis in axes]
    except TypeError:
        chosen = []
    if (
        len(chosen) != 2
        or not all(-dimension <= axis < dimension for axis in chosen)
        or ((chosen[0] - chosen[1]) % dimension == 0)
    ):
        raise PolygeomError(
            f"axes must be two different numbers from {-dimension} to {dimension - 1}, got {axes!r}; write axes=(0, 1)"
        )
    return chosen[0], chosen[1]
