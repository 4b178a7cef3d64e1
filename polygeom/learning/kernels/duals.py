"""Dual activations: what a random wide layer makes of variances and covariances.

For ``(u, v)`` normal with variances ``a``, ``b`` and covariance ``c`` the dual of ``σ`` is ``E[σ(u) σ(v)]``, a function
of ``(a, b, c)``; its derivative by ``c`` is the dual of ``σ'`` (Price's theorem). All duals here act elementwise on
tensors that broadcast, and are positive semidefinite: they take covariance matrices to covariance matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.learning.kernels.angles import Angles
from polygeom.learning.kernels.kernels import root

_STEPS = (0.0193, 0.0141)
"""Of the quadratures that check an expansion: two that no frequency below 150 mistakes alike."""


class Activation(Protocol):
    """An activation with its dual."""

    def __call__(self, z: Tensor) -> Tensor:
        """``σ(z)``, elementwise."""

    def dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        """``E[σ(u) σ(v)]``."""

    def derivative_dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        """``E[σ'(u) σ'(v)]``."""


def normaliser(activation: Activation) -> float:
    """``1 / E[σ(z)²]`` for standard normal ``z``: the factor that keeps unit variance from layer to layer.

    Examples
    --------
    >>> normaliser(LeakyReLU()), normaliser(Monomial(3))
    (2.0, 0.06666666666666667)
    """
    one = torch.ones((), dtype=torch.float64)
    return 1 / float(activation.dual(one, one, one))


def arc_cosine(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``κ₀(ρ)``, ``κ₁(ρ)`` and ``ρ = c / √(ab)``, clipped to [-1, 1] (Cho and Saul 2009).

    ``κ₀ = (π - arccos ρ)/π`` and ``κ₁ = (ρ (π - arccos ρ) + √(1 - ρ²))/π``. Near ``ρ = ±1`` the angle has half the
    digits of ``c``; `polygeom.learning.kernels.angles.Angles.between` takes it from the points themselves.
    """
    angles = Angles.of_covariances(a, b, c)
    return angles.step, angles.ramp, angles.cosine


@dataclass(frozen=True)
class LeakyReLU:
    """``z`` for positive ``z``, ``slope · z`` for negative; the rectifier for slope 0.

    ``E = √(ab) [(1-s)² κ₁/2 + s ρ]``, of the derivative ``(1-s)² κ₀/2 + s``.

    Examples
    --------
    >>> one = torch.tensor(1.0, dtype=torch.float64)
    >>> LeakyReLU().dual(one, one, 0 * one).item() * 2 * math.pi  # E[relu(u)]² = 1 / 2π
    1.0
    """

    slope: float = 0.0

    def __call__(self, z: Tensor) -> Tensor:
        return torch.where(z > 0, z, self.slope * z)

    def dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        _, k1, rho = arc_cosine(a, b, c)
        return root(a) * root(b) * ((1 - self.slope) ** 2 / 2 * k1 + self.slope * rho)

    def derivative_dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return (1 - self.slope) ** 2 / 2 * arc_cosine(a, b, c)[0] + self.slope


@dataclass(frozen=True)
class PolynomialActivation:
    """``Σ_i coefficients[i] zⁱ``, constant term first.

    ``E = Σ_j (cʲ / j!) q_j(a) q_j(b)`` with ``q_j(t) = Σ_k coefficients[j + 2k] (j + 2k)! / (2ᵏ k!) tᵏ``: exact for all
    variances.

    Examples
    --------
    >>> a, b, c = torch.tensor([2.0, 3.0, 1.0], dtype=torch.float64)
    >>> PolynomialActivation((0, 0, 1)).dual(a, b, c).item()  # 2 c² + a b
    8.0
    """

    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.coefficients:
            raise PolygeomError("coefficients must not be empty; write (0, 1, 1) for z + z²")

    def __call__(self, z: Tensor) -> Tensor:
        value = torch.full_like(z, float(self.coefficients[-1]))
        for c in reversed(self.coefficients[:-1]):
            value = value * z + float(c)
        return value

    def dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        total = 0 * (a * b * c)
        for j in range(len(self.coefficients)):
            total = total + c**j / math.factorial(j) * self._moment(j, a) * self._moment(j, b)
        return total

    def derivative_dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        derivative = tuple(i * value for i, value in enumerate(self.coefficients))[1:]
        return PolynomialActivation(derivative or (0.0,)).dual(a, b, c)

    def _moment(self, j: int, t: Tensor) -> Tensor:
        """``E[p⁽ʲ⁾(√t z)]``."""
        total = torch.zeros_like(t)
        for k in range((len(self.coefficients) - 1 - j) // 2 + 1):
            factor = math.factorial(j + 2 * k) / (2**k * math.factorial(k))
            total = total + self.coefficients[j + 2 * k] * factor * t**k
        return total


def Monomial(degree: int) -> PolynomialActivation:
    """``z ** degree``, for any degree: the activation of the networks of `polygeom.network.mlp`.

    Examples
    --------
    >>> Monomial(2).coefficients
    (0.0, 0.0, 1.0)
    """
    if degree < 0:
        raise PolygeomError(f"degree must be at least 0, got {degree}")
    return PolynomialActivation((0.0,) * degree + (1.0,))


def Hermite(coefficients: tuple[float, ...]) -> PolynomialActivation:
    """``Σ_n coefficients[n] h_n(z)`` in the Hermite polynomials that are orthonormal for the standard normal law.

    At unit variances its dual is the power series ``Σ_n coefficients[n]² ρⁿ``.

    Examples
    --------
    >>> one = torch.tensor(1.0, dtype=torch.float64)
    >>> round(Hermite((0.5, 2.0, 1.0)).dual(one, one, one / 2).item(), 12)  # 0.25 + 4/2 + 1/4
    2.5
    """
    scaled = [value / math.sqrt(math.factorial(n)) for n, value in enumerate(coefficients)]
    return PolynomialActivation(tuple(float(c) for c in np.polynomial.hermite_e.herme2poly(scaled)))


@dataclass(frozen=True)
class Erf:
    """The error function, a sigmoid with a closed form (Williams 1997): ``(2/π) arcsin(2c / √((1+2a)(1+2b)))``."""

    def __call__(self, z: Tensor) -> Tensor:
        return torch.erf(z)

    def dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return 2 / math.pi * torch.arcsin(2 * c / torch.sqrt((1 + 2 * a) * (1 + 2 * b)))

    def derivative_dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return 4 / math.pi / torch.sqrt((1 + 2 * a) * (1 + 2 * b) - 4 * c * c)


@dataclass(frozen=True)
class Numeric:
    """Any activation, by the Hermite expansion ``σ(√a z) = Σ_n α_n(a) h_n(z)``: ``E = Σ_n α_n(a) α_n(b) ρⁿ``.

    Parameters
    ----------
    function:
        Elementwise on tensors.
    terms:
        Of the expansion, at most 200. Truncation keeps the dual positive semidefinite.
    tolerance:
        The share of ``E σ²``, or of ``E σ'²`` for the dual of the derivative, that the expansion may miss.

    Raises
    ------
    PolygeomError
        Where the expansion misses more, by a quadrature of ``σ²`` and ``σ'²`` with nodes of its own: the function
        oscillates too fast at these variances, has corners, or grows too fast.

    Notes
    -----
    Exact to rounding for polynomials of degree below ``terms``. For functions analytic at distance less than ``d`` from
    the real line the error falls like ``exp(-2 d √(2 terms / a))`` with the larger variance ``a``: 1e-12 for tanh at
    variances up to 2. For functions with corners the terms decrease slowly: write the closed form where there is one.
    """

    function: Callable[[Tensor], Tensor]
    terms: int = 120
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if not 1 <= self.terms <= 200:
            raise PolygeomError(f"terms must be between 1 and 200, got {self.terms}; write terms=120")
        if not 0 < self.tolerance < 1:
            raise PolygeomError(f"tolerance must be between 0 and 1, got {self.tolerance}; write tolerance=1e-6")

    def __call__(self, z: Tensor) -> Tensor:
        return self.function(z)

    def dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return self._series(a, b, c, slope=False)

    def derivative_dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        total, size = self._series(a, b, c, slope=True), root(a) * root(b)
        return torch.where(size > 0, total / torch.where(size > 0, size, torch.ones_like(size)), self._at_zero(total))

    def _series(self, a: Tensor, b: Tensor, c: Tensor, *, slope: bool) -> Tensor:
        """The sum of the products of the coefficients, as powers of the correlation; its derivative for the slope."""
        rho = _correlation(a, b, c)
        left, right = self._expansion(a), self._expansion(b)
        self._check((a, left), (b, right), slope=slope)
        total = 0 * (a * b * c)
        for n in range(self.terms - 1, slope - 1, -1):
            total = total * rho + (n if slope else 1) * left[n] * right[n]
        return total

    def _at_zero(self, like: Tensor) -> Tensor:
        """``σ'(0)²``, what the dual of the derivative is where both variances are zero."""
        (slope,) = self._slopes(torch.zeros(1).to(like))
        square: Tensor = (slope * slope).expand_as(like)
        return square

    def _expansion(self, variance: Tensor) -> Tensor:
        """``α_n(variance)``, shape ``(terms, *variance.shape)``."""
        points, basis = _quadrature(self.terms)
        z = torch.as_tensor(points).to(variance)
        values = self.function(root(variance)[..., None] * z)
        return torch.movedim(values @ torch.as_tensor(basis).to(variance), -1, 0)

    @torch.no_grad()
    def _check(self, *sides: tuple[Tensor, Tensor], slope: bool) -> None:
        """Compare what each expansion holds with the energy of the function, or of its derivative."""
        orders = torch.arange(self.terms, dtype=torch.float64)
        for variance, expansion in sides:
            weights = orders if slope else torch.ones_like(orders)
            held = torch.einsum("n,n...->...", weights, expansion.detach().double().cpu().square()).reshape(-1)
            sizes = variance.detach().double().cpu().reshape(-1)
            held = held / sizes.clamp_min(torch.finfo(torch.float64).tiny) if slope else held
            held, sizes = held[sizes > 0], sizes[sizes > 0]
            found = [self._energy(sizes, step, slope=slope) for step in _STEPS]
            allowed = self.tolerance * found[0].abs() + torch.finfo(variance.dtype).eps ** 2
            # in single precision, the expansion itself holds no more than its rounding
            allowed = allowed + 1e2 * torch.finfo(variance.dtype).eps * found[0].abs()
            wrong = ~((found[0] - found[1]).abs() <= allowed) | ~((held - found[0]).abs() <= allowed)
            wrong |= ~(self._outside(sizes) <= allowed)
            if wrong.any():
                k = int(wrong.nonzero()[0])
                missed = float((held[k] - found[0][k]).abs() / found[0][k].abs())
                raise PolygeomError(
                    f"Numeric: {self.terms} terms miss a share {missed:.1e} of E σ{'′' if slope else ''}² = "
                    f"{float(found[0][k]):.6g} (by another quadrature {float(found[1][k]):.6g}) at variance "
                    f"{float(sizes[k]):.3g}; write more terms (at most 200), tolerance={min(0.9, 2 * missed):.0e}, "
                    "smaller inputs, or an activation with a closed form"
                )

    def _outside(self, variances: Tensor) -> Tensor:
        """The integrand of ``E σ(√a z)²`` at the ends of the quadratures, times their length."""
        ends = self.function(variances.sqrt()[:, None] * torch.tensor([-14.0, 14.0], dtype=torch.float64))
        return 28 * math.exp(-98) / math.sqrt(2 * math.pi) * ends.square().sum(dim=1)

    def _energy(self, variances: Tensor, step: float, *, slope: bool) -> Tensor:
        """``E σ(√a z)²``, or that of the derivative, by the trapezoidal rule with a step of its own."""
        count = round(28 / step)
        z = torch.linspace(-14, 14, count + 1, dtype=torch.float64)
        weights = 28 / count * torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        parts = []
        for some in torch.split(variances, 256):
            inner = some.sqrt()[:, None] * z
            values = self._slopes(inner) if slope else self.function(inner)
            parts.append(values.square() @ weights)
        return torch.cat(parts) if parts else variances.new_zeros(0)

    def _slopes(self, z: Tensor) -> Tensor:
        with torch.enable_grad():
            inner = z.detach().requires_grad_()
            value = self.function(inner)
            if not value.requires_grad:
                return torch.zeros_like(z)
            (slope,) = torch.autograd.grad(value.sum(), inner)
        return slope


@lru_cache(maxsize=8)
def _quadrature(terms: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes, and weights times orthonormal Hermite polynomials at them, ``(nodes, terms)``.

    The trapezoidal rule, which converges exponentially for analytic functions that decay at both ends. Against the
    normal density ``|h_n| ≤ 1.1 exp(z²/4)`` leaves ``exp(-z²/4)``, 1e-22 at 14; ``h_n`` oscillates with frequencies up
    to about ``√n + 7``, far below the ``2π / 0.1`` that a step of 0.1 would mistake for a constant.
    """
    points = np.linspace(-14, 14, 281)
    basis = np.empty((len(points), terms))
    basis[:, 0] = 1
    if terms > 1:
        basis[:, 1] = points
    for n in range(1, terms - 1):
        basis[:, n + 1] = (points * basis[:, n] - math.sqrt(n) * basis[:, n - 1]) / math.sqrt(n + 1)
    weights = 0.1 * np.exp(-points * points / 2) / math.sqrt(2 * math.pi)
    return points, weights[:, None] * basis


def _correlation(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """``c / √(ab)``, and 0 where a variance is zero."""
    size = root(a) * root(b)
    return torch.where(size > 0, c / torch.where(size > 0, size, torch.ones_like(size)), 0 * c).clamp(-1, 1)


__all__ = [
    "Activation",
    "Erf",
    "Hermite",
    "LeakyReLU",
    "Monomial",
    "Numeric",
    "PolynomialActivation",
    "arc_cosine",
    "normaliser",
]
