"""Where inputs come from: cubes, balls, spheres, sectors of a disc, bases; with missing directions."""

from __future__ import annotations

import math

import numpy as np

from polygeom.checks import choice
from polygeom.errors import PolygeomError

SHAPES = ("cube", "ball", "sphere", "sector", "basis")
SIGNS = ("no", "p", "2p", "n", "z")
FROZEN = 0.1
"""The value of the first coordinate with sign ``"z"``."""


def sample_region(
    shape: str,
    count: int,
    inputs: int,
    radius: float,
    *,
    sign: str = "no",
    fixed: int = 1,
    rng: int | np.random.Generator = 0,
) -> np.ndarray:
    """Points of a region.

    Parameters
    ----------
    shape:
        ``"cube"``: uniform in ``[-radius, radius]^d``. ``"ball"``: a uniform direction times a length uniform in
        ``[0, radius]``. ``"sphere"``: uniform at distance ``radius``. ``"sector"``: uniform in a sector of the disc of
        radius ``sqrt(radius)`` in the plane: of the whole disc (sign ``"no"``), its upper half (``"p"``) or its first
        quarter (``"2p"``). ``"basis"``: ``±radius`` times the rows of a random orthogonal matrix, over and over.
    count, inputs:
        How many points of how many coordinates.
    radius:
        See above.
    sign:
        For the other shapes: ``"no"`` restriction; ``"p"`` and ``"n"``: the first ``fixed`` coordinates are at least
        (at most) 0; ``"2p"``: all are at least 0; ``"z"``: the first coordinate is 0.1.
    fixed:
        See above.
    rng:
        Seed.

    Returns
    -------
    Shape ``(count, inputs)``.

    Raises
    ------
    PolygeomError
        For unknown shapes and signs, numbers out of range, a sector outside the plane, and a basis with a sign.

    References
    ----------
    Xu et al., arXiv 2009.11848; Wu et al., arXiv 2209.07736.

    Examples
    --------
    >>> points = sample_region("cube", 100, 2, 3.0, sign="p", rng=1)
    >>> bool((points[:, 0] >= 0).all()), bool((abs(points) <= 3).all())
    (True, True)
    """
    _check(shape, count, inputs, radius, sign, fixed)
    generator = np.random.default_rng(rng)
    if shape == "sector":
        length = math.sqrt(radius) * np.sqrt(generator.uniform(0, 1, count))
        angle = generator.uniform(0, {"no": 2 * math.pi, "p": math.pi, "2p": math.pi / 2}[sign], count)
        return np.stack([length * np.cos(angle), length * np.sin(angle)], axis=1)
    if shape == "basis":
        basis = np.linalg.qr(generator.standard_normal((inputs, inputs)))[0]
        both = radius * np.concatenate([basis, -basis])
        return np.resize(both, (count, inputs))
    if shape == "cube":
        points = generator.uniform(-radius, radius, (count, inputs))
    else:
        directions = generator.standard_normal((count, inputs))
        lengths = radius * (generator.uniform(0, 1, (count, 1)) if shape == "ball" else np.ones((count, 1)))
        points = lengths * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    if sign == "z":
        points[:, 0] = FROZEN
    elif sign != "no":
        some = slice(None) if sign == "2p" else slice(fixed)
        points[:, some] = (-1 if sign == "n" else 1) * np.abs(points[:, some])
    return points


def _check(shape: str, count: int, inputs: int, radius: float, sign: str, fixed: int) -> None:
    choice("shape", shape, SHAPES, "cube")
    choice("sign", sign, SIGNS, "no")
    if count < 1 or inputs < 1 or not 0 < radius < math.inf:
        raise PolygeomError(f"count, inputs and radius must be positive, got {count}, {inputs}, {radius}")
    if not 0 <= fixed <= inputs:
        raise PolygeomError(f"fixed must be a number of coordinates from 0 to {inputs}, got {fixed}")
    if shape == "sector" and (inputs != 2 or sign not in ("no", "p", "2p")):
        raise PolygeomError(f"a sector needs inputs=2 and sign no, p or 2p; got inputs={inputs}, sign={sign!r}")
    if shape == "basis" and sign != "no":
        raise PolygeomError(f"a basis has no sign, got {sign!r}; write sign='no'")
