"""Activations by name, and further duals in closed form: GELU, powers of the rectifier, sine and cosine.

All follow from integration by parts for normal variables and from Price's theorem, by which the derivative of
``E[σ(u) σ(v)]`` by ``c`` is ``E[σ'(u) σ'(v)]``; the arc-cosine kernels are those of Cho and Saul (2009).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.checks import is_integer
from polygeom.errors import PolygeomError
from polygeom.learning.kernels.angles import Angles
from polygeom.learning.kernels.duals import Activation, Erf, LeakyReLU, PolynomialActivation

MOST_RECTIFIED = 3
"""The highest power of the rectifier whose dual is written out here."""


@dataclass(frozen=True)
class GELU:
    """``z Φ(z)`` with the normal distribution function ``Φ``.

    With ``D = (1+a)(1+b) - c²``,

        ``E = c (1/4 + arcsin(c / √((1+a)(1+b))) / 2π) + (ab - c² + c²/(1+a) + c²/(1+b)) / (2π √D)``

    (integration by parts, twice; derived here, checked by quadrature).

    Examples
    --------
    >>> one = torch.tensor(1.0, dtype=torch.float64)
    >>> round(GELU().dual(one, one, 0 * one).item() * 4 * math.pi, 12)  # E[z Φ(z)]² = 1 / 4π
    1.0
    """

    def __call__(self, z: Tensor) -> Tensor:
        return torch.nn.functional.gelu(z)

    def dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        share, density = _both_positive(a, b, c)
        return c * share + density * (a * b - c * c + c * c / (1 + a) + c * c / (1 + b))

    def derivative_dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        share, density = _both_positive(a, b, c)
        rest = a * b - c * c + c * c / (1 + a) + c * c / (1 + b)
        slope = 2 * (1 / (1 + a) + 1 / (1 + b) - 1) + 1 + rest / ((1 + a) * (1 + b) - c * c)
        return share + c * density * slope


def _both_positive(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """``E[Φ(u) Φ(v)]`` and ``E[φ(u) φ(v)]``, with the normal density ``φ``."""
    size = (1 + a) * (1 + b)
    share = 0.25 + torch.arcsin(c / torch.sqrt(size)) / (2 * math.pi)
    return share, 1 / (2 * math.pi * torch.sqrt(size - c * c))


@dataclass(frozen=True)
class RectifiedPower:
    """``max(z, 0) ** degree``, a network of arc-cosine kernels of that order; the rectifier for degree 1.

    Parameters
    ----------
    degree:
        1, 2 or 3.

    Examples
    --------
    >>> one = torch.tensor(1.0, dtype=torch.float64)
    >>> [round(RectifiedPower(n).dual(one, one, one).item(), 12) for n in (1, 2, 3)]  # half the moments 1, 3, 15
    [0.5, 1.5, 7.5]
    """

    degree: int = 2

    def __post_init__(self) -> None:
        if not is_integer(self.degree) or not 1 <= self.degree <= MOST_RECTIFIED:
            raise PolygeomError(f"degree must be 1, 2 or 3, got {self.degree!r}; write RectifiedPower(2)")

    def __call__(self, z: Tensor) -> Tensor:
        return z.clamp_min(0) ** self.degree

    def dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return _arc_cosine(self.degree, a, b, c)

    def derivative_dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return self.degree**2 * _arc_cosine(self.degree - 1, a, b, c)


def _arc_cosine(order: int, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """``E[max(u, 0)ⁿ max(v, 0)ⁿ] = (ab)^{n/2} J_n(θ) / 2π``."""
    angles = Angles.of_covariances(a, b, c)
    cosine, rest = angles.cosine, math.pi * angles.step  # π - θ
    sine = torch.sqrt((angles.gap * angles.opposite).clamp_min(0))
    if order == 0:
        shape = rest
    elif order == 1:
        shape = sine + rest * cosine
    elif order == 2:
        shape = 3 * sine * cosine + rest * (1 + 2 * cosine**2)
    else:
        shape = 15 * sine - 11 * sine**3 + rest * (9 * cosine + 6 * cosine**3)
    return (angles.left * angles.right) ** order * shape / (2 * math.pi)


@dataclass(frozen=True)
class Sine:
    """``sin(frequency · z + phase)``: ``E = e^{-ω²(a+b)/2} (e^{ω²c} - cos(2 phase) e^{-ω²c}) / 2``.

    Examples
    --------
    >>> one = torch.tensor(1.0, dtype=torch.float64)
    >>> round(Sine(30.0).dual(one, one, one).item(), 12)
    0.5
    """

    frequency: float = 1.0
    phase: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.frequency) and math.isfinite(self.phase)):
            raise PolygeomError(f"frequency and phase must be finite, got {self.frequency} and {self.phase}")

    def __call__(self, z: Tensor) -> Tensor:
        return torch.sin(self.frequency * z + self.phase)

    def dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        near, far = self._waves(a, b, c)
        return (near - math.cos(2 * self.phase) * far) / 2

    def derivative_dual(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        near, far = self._waves(a, b, c)
        return self.frequency**2 * (near + math.cos(2 * self.phase) * far) / 2

    def _waves(self, a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """``E cos ω(u - v)`` and ``E cos ω(u + v)``."""
        square = self.frequency**2
        return torch.exp(-square * ((a + b) / 2 - c)), torch.exp(-square * ((a + b) / 2 + c))


NAMED: dict[str, Activation] = {
    "linear": PolynomialActivation((0.0, 1.0)),
    "relu": LeakyReLU(),
    "relu2": RectifiedPower(2),
    "relu3": RectifiedPower(3),
    "gelu": GELU(),
    "erf": Erf(),
    "sin": Sine(),
    "square": PolynomialActivation((0.0, 0.0, 1.0)),
    "cube": PolynomialActivation((0.0, 0.0, 0.0, 1.0)),
}
"""Activations by name; all others are written as objects of this room."""


def as_activation(activation: Any) -> Activation:
    """An activation with its dual, by name or as an object, or an error that says what to write instead.

    Raises
    ------
    PolygeomError
        For an unknown name, and for anything without a dual.

    Examples
    --------
    >>> as_activation("relu")
    LeakyReLU(slope=0.0)
    """
    if isinstance(activation, str) and activation in NAMED:
        return NAMED[activation]
    if isinstance(activation, type) or not all(
        callable(getattr(activation, name, None)) for name in ("dual", "derivative_dual", "__call__")
    ):
        raise PolygeomError(
            f"activation must be a name among {', '.join(NAMED)}, or an object that knows its dual, got "
            f"{activation!r}; write LeakyReLU(0.1), Monomial(4), or Numeric(torch.tanh)"
        )
    found: Activation = activation
    return found


__all__ = ["MOST_RECTIFIED", "NAMED", "GELU", "RectifiedPower", "Sine", "as_activation"]
