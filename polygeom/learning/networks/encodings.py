"""What a coordinate network reads in place of a position: the position itself, or waves of it.

Positions are rows ``(N, D)``. The pixels of an image come row by row, with the coordinate ``x`` along a row first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from polygeom.checks import choice
from polygeom.errors import PolygeomError

ENCODINGS = ("raw", "centred", "sin_cos", "fourier")
"""The names that `encode` knows."""


def grid(
    shape: Sequence[int],
    *,
    low: float = 0.0,
    high: float = 1.0,
    endpoint: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Positions of the samples of a signal ``(T,)`` or of the pixels of an image ``(height, width)``.

    Parameters
    ----------
    shape:
        Of the signal or image; any number of axes.
    low, high:
        The interval of every coordinate.
    endpoint:
        Whether ``high`` itself is a coordinate: ``low + (high - low) i / (n - 1)`` instead of ``… i / n``.
    dtype:
        Of the positions; they are computed in float64.

    Returns
    -------
    ``(Π shape, D)``, the last axis of ``shape`` fastest and in the first column.

    Examples
    --------
    >>> grid((2, 2)).tolist()
    [[0.0, 0.0], [0.5, 0.0], [0.0, 0.5], [0.5, 0.5]]
    """
    axes = []
    for length in shape:
        steps = max(length - 1, 1) if endpoint else length
        axes.append(low + (high - low) * torch.arange(length, dtype=torch.float64) / steps)
    mesh = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([axis.flatten() for axis in reversed(mesh)], dim=1).to(dtype)


def sin_cos(positions: Tensor, frequencies: int) -> Tensor:
    """``sin(2^l π x), cos(2^l π x), sin(2^l π y), cos(2^l π y)`` for ``l = 0, …, L - 1``: ``(N, 2 D L)``.

    Parameters
    ----------
    positions:
        ``(N, D)``.
    frequencies:
        ``L ≥ 1``.

    References
    ----------
    Mildenhall et al., arXiv 2003.08934 (NeRF), equation 4.

    Examples
    --------
    >>> sin_cos(torch.tensor([[0.5, 0.0]]), 2).round().tolist()
    [[1.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0, 1.0]]
    """
    if frequencies < 1:
        raise PolygeomError(f"frequencies must be at least 1, got {frequencies}; write frequencies=5")
    scales = math.pi * 2.0 ** torch.arange(frequencies, dtype=torch.float64, device=positions.device)
    angles = scales[:, None] * positions.double()[:, None]
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(start_dim=1).to(positions.dtype)


def fourier_features(
    positions: Tensor, features: int = 256, *, scale: float = 14.0, rng: int | np.random.Generator = 0
) -> Tensor:
    """Random Fourier features ``[sin(2π B p), cos(2π B p)]`` with ``B`` of independent entries ``scale · N(0, 1)``.

    Parameters
    ----------
    positions:
        ``(N, D)``.
    features:
        Rows of ``B``; the result is ``(N, 2 features)``, all sines first.
    scale:
        Standard deviation of the frequencies, in cycles per unit.
    rng:
        Seed or generator of ``B``.

    References
    ----------
    Tancik et al., arXiv 2006.10739.

    Examples
    --------
    >>> fourier_features(torch.zeros(1, 2), 2).tolist()
    [[0.0, 0.0, 1.0, 1.0]]
    """
    if features < 1:
        raise PolygeomError(f"features must be at least 1, got {features}; write features=256")
    b = scale * np.random.default_rng(rng).standard_normal((features, positions.shape[1]))
    angles = 2 * math.pi * positions.double() @ torch.as_tensor(b, device=positions.device).T
    return torch.cat([angles.sin(), angles.cos()], dim=1).to(positions.dtype)


def encode(
    name: str,
    shape: Sequence[int],
    *,
    frequencies: int = 5,
    features: int = 256,
    scale: float = 14.0,
    low: float | None = None,
    high: float | None = None,
    rng: int | np.random.Generator = 0,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The encoded positions of a whole signal or image, with the grids of the literature.

    Parameters
    ----------
    name:
        ``"raw"``: positions on ``[0, 1)``; ``"centred"``: on ``[-1, 1)``; ``"sin_cos"``: `sin_cos` on ``[0, 1]``, the
        end included; ``"fourier"``: `fourier_features` on ``[0, 1)``. A signal of one axis never includes the end.
    shape:
        As for `grid`.
    frequencies:
        For ``"sin_cos"``.
    features, scale, rng:
        For ``"fourier"``.
    low, high:
        Another interval.
    dtype:
        Of the result.

    Raises
    ------
    PolygeomError
        For a name that is not in `ENCODINGS`.

    Examples
    --------
    >>> encode("sin_cos", (64, 64), frequencies=5).shape, encode("fourier", (64, 64)).shape
    (torch.Size([4096, 20]), torch.Size([4096, 512]))
    """
    choice("encoding", name, ENCODINGS, "sin_cos")
    bottom = (-1.0 if name == "centred" else 0.0) if low is None else low
    top = 1.0 if high is None else high
    closed = name == "sin_cos" and len(shape) > 1
    positions = grid(shape, low=bottom, high=top, endpoint=closed, dtype=torch.float64)
    if name == "sin_cos":
        positions = sin_cos(positions, frequencies)
    elif name == "fourier":
        positions = fourier_features(positions, features, scale=scale, rng=rng)
    return positions.to(dtype)


def reachable_frequencies(frequencies: int, degree: int) -> list[float]:
    """The frequencies, in cycles per unit, that a polynomial of an encoded position can contain, in one variable.

    A product of ``n`` sines and cosines is a sum of waves whose frequencies are the signed sums of theirs. A polynomial
    of degree ``N`` in the components of `sin_cos`, with frequencies ``2^l / 2``, therefore has the absolute values of
    signed sums of at most ``N`` of them and no others, whatever its coefficients. For a polynomial network this is a
    wall that no training can pass; a ReLU network has none.

    Parameters
    ----------
    frequencies:
        ``L``, as for `sin_cos`.
    degree:
        ``N ≥ 0``.

    Examples
    --------
    >>> reachable_frequencies(3, 1), reachable_frequencies(3, 2)
    ([0.0, 0.5, 1.0, 2.0], [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0])
    """
    if frequencies < 1 or degree < 0:
        raise PolygeomError(
            f"frequencies must be at least 1 and degree at least 0, got {frequencies} and {degree}; write 5 and 3"
        )
    steps, reached = [2**level for level in range(frequencies)], {0}
    for _ in range(degree):
        reached |= {abs(sum_so_far + sign * step) for sum_so_far in reached for step in steps for sign in (1, -1)}
    return [half / 2 for half in sorted(reached)]


def distance_matrix(x: Tensor) -> Tensor:
    """Euclidean distances of all pairs of encoded positions, ``(N, N)``.

    Examples
    --------
    >>> distance_matrix(torch.tensor([[0.0], [3.0]])).tolist()
    [[0.0, 3.0], [3.0, 0.0]]
    """
    return torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
