"""Random weights to begin paths at: normal numbers, and scalings that make weights of a function short."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from polygeom.network import Network
from polygeom.symmetry.gauge import scalings

Array = np.ndarray


def complex_normal(rng: np.random.Generator, *shape: int) -> Array:
    """Independent standard complex normal numbers."""
    numbers: Array = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)
    return numbers


def normal(rng: np.random.Generator, real: bool, *shape: int) -> Array:
    """Independent standard normal numbers, real or complex."""
    return rng.standard_normal(shape).astype(complex) if real else complex_normal(rng, *shape)


@lru_cache(maxsize=64)
def _exponents(network: Network) -> Array:
    """`scalings` as floats: exact fractions take longer to solve for than weights to balance."""
    exponents: Array = scalings(network).astype(float)
    exponents.flags.writeable = False
    return exponents


def balanced(network: Network, w: Array, rounds: int = 60) -> Array:
    """Weights ``(B, P)`` of the same functions for which no scaling makes ``Σ |w_k|²`` smaller, nearly.

    The sum is a convex function of the logarithms of the scalings; Newton's method with bounded steps minimises it.
    """
    exponents = _exponents(network)
    w = w.copy()
    if not len(exponents):
        return w
    with np.errstate(all="ignore"):
        for _ in range(rounds):
            squares = np.abs(w) ** 2
            slope = squares @ exponents.T
            if (np.abs(slope) <= 1e-8 * (squares @ np.abs(exponents).T)).all():
                break
            curvature = 2 * (exponents * squares[:, None, :]) @ exponents.T
            least = 1e-12 * np.trace(curvature, axis1=1, axis2=2) + 1e-300
            step = -np.linalg.solve(curvature + least[:, None, None] * np.eye(len(exponents)), slope[..., None])[..., 0]
            step /= np.maximum(1.0, np.abs(step).max(axis=1, keepdims=True))
            w *= np.exp(step @ exponents)
    return w
