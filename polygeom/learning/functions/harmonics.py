r"""The functions of a network and its tangent kernel in spherical harmonics, exactly.

On the unit sphere with its uniform law, polynomials split into harmonics of degree ``0, 1, 2, …``, mutually orthogonal
and preserved by rotations. A network's outputs are ``f = C m`` with scaled monomials ``m`` for which
``m(x) · m(x') = κ(⟨x, x'⟩)``, ``κ(t)`` the terms of ``(1 + t)^D`` of the degrees that occur. So the moment matrix
``S = E[m mᵀ]`` has the Funk–Hecke eigenvalues ``μ_ℓ`` of ``κ``, each on the harmonics of degree ``ℓ``, and with its
eigenvectors ``v_j``

.. math::

    y_j = v_j \cdot m / \sqrt{μ_{ℓ(j)}}, \qquad f = \sum_j b_j y_j, \quad b = C\,V \sqrt{μ}

is an expansion in orthonormal harmonics. Mean squares over the sphere are sums of squares of ``b``, and the tangent
kernel as an operator on functions is the finite matrix ``B Bᵀ``, ``B = √μ Vᵀ DC``. No sampling is involved.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.errors import BudgetError, PolygeomError
from polygeom.learning.functions.coefficient_map import (
    basis_factors,
    coefficient_jacobian,
    coefficients,
    monomial_values,
    monomials,
)
from polygeom.learning.thresholds.ranks import NumericalRank, numerical_rank
from polygeom.network import Network
from polygeom.network.builder import as_network

_MOST_MONOMIALS = 3000


@dataclass(frozen=True, eq=False)
class HarmonicBasis:
    """Orthonormal spherical harmonics in the scaled monomials of a network.

    Attributes
    ----------
    network:
        The network.
    degrees:
        Degree of each harmonic, ascending, shape ``(H,)``; only degrees that the monomials can express.
    matrix:
        Shape ``(M, H)``: coefficients ``c`` of a polynomial in scaled monomials become ``c @ matrix``.
    """

    network: Network
    degrees: np.ndarray
    matrix: Tensor

    def values(self, x: Tensor) -> Tensor:
        """The harmonics at points ``(N, *input_shape)`` of the unit sphere, shape ``(N, H)``."""
        return monomial_values(self.network, x) @ (self.matrix / self.matrix.square().sum(dim=0))

    def components(self, weights: Mapping[str, Tensor]) -> Tensor:
        """The outputs in harmonics, differentiable in the weights; shape ``(c, H)``."""
        return coefficients(self.network, weights, system="bombieri") @ self.matrix

    def jacobian(self, weights: Mapping[str, Tensor]) -> Tensor:
        """Derivatives of `components` by the weights, shape ``(c, H, P)``."""
        derivative = coefficient_jacobian(self.network, weights)
        parts = derivative.reshape(self.network.output_dimension, len(self.matrix), -1)
        return torch.einsum("cmp,mh->chp", parts, self.matrix)

    def energies(self, components: Tensor) -> dict[int, float]:
        """Sums of squares of components ``(…, H)`` by degree."""
        squares = components.detach().square()
        return {int(d): float(squares[..., self.degrees == d].sum()) for d in np.unique(self.degrees)}


@dataclass(frozen=True, eq=False)
class TangentSpectrum:
    """Eigenvalues of a tangent kernel on the sphere and what its eigenfunctions are made of.

    Attributes
    ----------
    degrees:
        The degrees of harmonics that the architecture can express.
    eigenvalues:
        Of the kernel as an operator on square-integrable functions, largest first, zeros included; shape ``(c · H,)``.
    shares:
        Share of each degree in each eigenfunction, shape ``(c · H, len(degrees))``; rows sum to one.
    traces:
        Sum of the kernel over the harmonics of each degree, shape ``(len(degrees),)``.
    rank:
        The rank, from singular values of the derivative (`polygeom.learning.thresholds.ranks.numerical_rank`).
    """

    degrees: np.ndarray
    eigenvalues: np.ndarray
    shares: np.ndarray
    traces: np.ndarray
    rank: NumericalRank


def harmonic_basis(network: Network | str) -> HarmonicBasis:
    """The harmonics on the unit sphere that the monomials of ``network`` express.

    Parameters
    ----------
    network:
        A `Network` or its text, with inputs in at least two dimensions.

    Raises
    ------
    PolygeomError
        For one input variable.
    BudgetError
        For more than a few thousand monomials.

    Examples
    --------
    >>> basis = harmonic_basis("[3,2,1] r=2")
    >>> basis.degrees.tolist()
    [0, 2, 2, 2, 2, 2]
    """
    return _basis(as_network(network))


@lru_cache(maxsize=32)
def _basis(network: Network) -> HarmonicBasis:
    size = network.input_dimension
    if size < 2:
        raise PolygeomError(f"network: spheres need at least 2 input variables, got {size}; write [2,...]")
    if network.ambient_dimension > _MOST_MONOMIALS * network.output_dimension:
        raise BudgetError(
            f"harmonic_basis: {network.ambient_dimension // network.output_dimension} monomials are more than "
            f"{_MOST_MONOMIALS}; write fewer inputs or a smaller degree"
        )
    exponents = np.array(monomials(network))
    factors = np.sqrt(basis_factors(network))
    moments = _moments(exponents) * factors[:, None] * factors[None, :]
    powers = {n: math.comb(network.degree, n) for low, high in network.degrees for n in range(low, high + 1)}
    eigenvalues = _zonal_eigenvalues(powers, size)
    values, vectors = np.linalg.eigh(moments)
    degrees, columns = [], []
    for degree, eigenvalue in eigenvalues.items():
        own = np.flatnonzero(abs(values - eigenvalue) < 1e-9 * eigenvalue)
        degrees += [degree] * len(own)
        columns.append(vectors[:, own] * math.sqrt(eigenvalue))
    return HarmonicBasis(network, np.array(degrees), torch.from_numpy(np.concatenate(columns, axis=1)))


def _moments(exponents: np.ndarray) -> np.ndarray:
    """``E[x^α x^β]`` over the uniform law on the unit sphere, for all pairs of rows."""
    total = exponents[:, None, :] + exponents[None, :, :]
    size = exponents.shape[1]
    highest = int(total.sum(axis=2).max())
    odd = np.array([math.prod(range(k - 1, 0, -2)) if k % 2 == 0 else 0 for k in range(highest + 1)], dtype=float)
    sphere = np.array([math.prod(size + 2 * i for i in range(k // 2)) for k in range(highest + 1)], dtype=float)
    found: np.ndarray = odd[total].prod(axis=2) / sphere[total.sum(axis=2)]
    return found


def _zonal_eigenvalues(powers: Mapping[int, int], size: int) -> dict[int, float]:
    """Funk–Hecke eigenvalues of ``Σ c_n t^n`` for coefficients by exponent, those that are not zero, by degree.

    ``t^n`` has on degree ``l ≤ n`` of the same parity the eigenvalue ``n! / (2^n ((n - l)/2)!) Γ(d/2) / Γ((n + l +
    d)/2)``.
    """

    def monomial(n: int, degree: int) -> float:
        if (n - degree) % 2 or degree > n:
            return 0.0
        powers_of_n = math.lgamma(n + 1) - n * math.log(2) - math.lgamma((n - degree) // 2 + 1)
        return math.exp(powers_of_n + math.lgamma(size / 2) - math.lgamma((n + degree + size) / 2))

    found = {k: sum(c * monomial(n, k) for n, c in powers.items()) for k in range(max(powers) + 1)}
    return {k: value for k, value in found.items() if value > 0}


def tangent_spectrum(
    network: Network | str, weights: Mapping[str, Tensor], *, rates: Mapping[str, float] | None = None
) -> TangentSpectrum:
    """The tangent kernel of ``network`` at ``weights`` as an operator on functions on the unit sphere, exactly.

    Parameters
    ----------
    network:
        A `Network` or its text.
    weights:
        A tensor for every name in ``network.parameters``.
    rates:
        Learning rates of weights relative to the others, by name; 1 where none is given. In the parametrisation of
        infinite-width theory, where a layer is ``W x / √width`` with unit-variance ``W``, the rate is ``1 / width``.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> weights = dict(parse("[3,2,1] r=2").to_torch(rng=1).named_parameters())
    >>> found = tangent_spectrum("[3,2,1] r=2", weights)
    >>> found.degrees.tolist(), len(found.eigenvalues), found.rank.rank
    ([0, 2], 6, 5)
    """
    basis = harmonic_basis(network)
    jacobian = basis.jacobian(weights)
    if rates:
        scale = [
            math.sqrt(rates.get(name, 1.0)) * torch.ones(math.prod(shape), dtype=jacobian.dtype)
            for name, shape in basis.network.parameters.items()
        ]
        jacobian = jacobian * torch.cat(scale)
    outputs = len(jacobian)
    flat = jacobian.reshape(outputs * len(basis.degrees), -1)
    vectors, singular, _ = np.linalg.svd(flat.detach().numpy(), full_matrices=True)
    eigenvalues = np.zeros(len(flat))
    eigenvalues[: len(singular)] = singular**2
    degrees = np.unique(basis.degrees)
    member = (np.tile(basis.degrees, outputs)[:, None] == degrees[None, :]).astype(float)
    return TangentSpectrum(
        degrees=degrees,
        eigenvalues=eigenvalues,
        shares=(vectors**2).T @ member,
        traces=(flat.detach().numpy() ** 2).sum(axis=1) @ member,
        rank=numerical_rank(flat.detach()),
    )


__all__ = ["HarmonicBasis", "TangentSpectrum", "harmonic_basis", "tangent_spectrum"]
