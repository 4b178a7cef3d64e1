"""Spectra of rotation-invariant kernels on the unit sphere, by the Funk–Hecke formula.

A kernel ``κ(⟨x, x'⟩)`` on the sphere ``S^(d-1)`` with its uniform law has the spherical harmonics as eigenfunctions.
All harmonics of degree ``k`` share the eigenvalue

    μ_k = c_d ∫_{-1}^{1} κ(t) P_k(t) (1 - t²)^((d-3)/2) dt,   c_d = Γ(d/2) / (√π Γ((d-1)/2))

with ``P_k`` the Gegenbauer polynomial of index ``(d-2)/2``, scaled to ``P_k(1) = 1``. Multiplicities times eigenvalues
sum to ``κ(1)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from polygeom.errors import PolygeomError
from polygeom.learning.kernels.kernels import a_kernel

Array = np.ndarray


def zonal(kernel: Callable[[Tensor, Tensor], Tensor], dimension: int) -> Callable[[Array], Array]:
    """A kernel on rows as a function ``κ(t)`` of the inner product of two points of the unit sphere in R^dimension.

    Examples
    --------
    >>> zonal(lambda x, y: (x @ y.T) ** 2, 3)(np.array([0.0, 0.5]))
    array([0.  , 0.25])
    """
    if dimension < 2:
        raise PolygeomError(f"dimension must be at least 2, got {dimension}")

    def value(t: Array) -> Array:
        points = torch.zeros((len(t), dimension), dtype=torch.float64)
        points[:, 0] = torch.as_tensor(t)
        points[:, 1] = torch.as_tensor(np.sqrt(np.maximum(0, 1 - t * t)))
        pole = torch.zeros((1, dimension), dtype=torch.float64)
        pole[0, 0] = 1
        found: Array = a_kernel(kernel)(points, pole)[:, 0].numpy()
        return found

    return value


def sphere_eigenvalues(
    kernel: Callable[[Tensor, Tensor], Tensor], dimension: int, degree: int, *, nodes: int = 400
) -> Array:
    """Eigenvalues ``μ_0, …, μ_degree`` of a rotation-invariant kernel on the unit sphere of R^dimension.

    Parameters
    ----------
    kernel:
        On rows, as in `polygeom.learning.kernels.product_kernels` and `polygeom.learning.kernels.infinite_width`.
    dimension:
        ``d ≥ 2``.
    degree:
        The highest degree of spherical harmonics.
    nodes:
        Of Gauss–Legendre quadrature in the angle, in which kernels of rectifiers are smooth.

    Examples
    --------
    >>> sphere_eigenvalues(lambda x, y: x @ y.T, 3, 2).round(12) + 0.0  # linear functions: three times 1/3
    array([0.        , 0.33333333, 0.        ])
    """
    if degree < 0 or nodes < 2:
        raise PolygeomError(f"degree must be at least 0 and nodes at least 2, got {degree} and {nodes}")
    points, weights = np.polynomial.legendre.leggauss(nodes)
    angle = (points + 1) * (math.pi / 2)
    t = np.cos(angle)
    density = weights * (math.pi / 2) * np.sin(angle) ** (dimension - 2)
    density /= density.sum()
    values: Array = (zonal(kernel, dimension)(t) * density) @ _gegenbauer(t, dimension, degree)
    return values


def multiplicities(dimension: int, degree: int) -> Array:
    """Numbers of independent spherical harmonics of degrees ``0, …, degree`` in R^dimension.

    Examples
    --------
    >>> multiplicities(3, 4)
    array([1., 3., 5., 7., 9.])
    """

    def homogeneous(k: int) -> int:
        return math.comb(k + dimension - 1, dimension - 1) if k >= 0 else 0

    return np.array([homogeneous(k) - homogeneous(k - 2) for k in range(degree + 1)], dtype=np.float64)


def _gegenbauer(t: Array, dimension: int, degree: int) -> Array:
    """``P_k(t)`` with ``P_k(1) = 1``, shape ``(len(t), degree + 1)``, by their three-term recursion."""
    values = np.ones((len(t), degree + 1))
    if degree:
        values[:, 1] = t
    for k in range(1, degree):
        ahead = (2 * k + dimension - 2) * t * values[:, k] - k * values[:, k - 1]
        values[:, k + 1] = ahead / (k + dimension - 2)
    return values


__all__ = ["multiplicities", "sphere_eigenvalues", "zonal"]
