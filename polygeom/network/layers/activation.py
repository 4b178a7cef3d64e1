"""Activations: fixed polynomials, entry by entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network.layers.base import Layer, Shape, V
from polygeom.network.limits import LARGEST_DEGREE, LARGEST_POLYNOMIAL_DEGREE, positive, rational, shown
from polygeom.network.primitives import Engine


@dataclass(frozen=True, slots=True)
class Power(Layer):
    """The monomial activation ``x ↦ x ** degree``, elementwise."""

    degree: int
    kind: ClassVar[str] = "power"

    def __post_init__(self) -> None:
        positive("power", "degree", self.degree, LARGEST_DEGREE)

    @property
    def divisors(self) -> tuple[int, ...]:
        return (self.degree,)

    @property
    def mixes_through(self) -> bool:
        return self.degree == 1

    def rows(self, *inputs: Shape) -> tuple[str, ...] | None:
        return () if self.degree == 1 else None

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return engine.power(inputs[0], self.degree)


@dataclass(frozen=True, slots=True)
class Polynomial(Layer):
    """A fixed polynomial activation ``x ↦ Σ_k coefficients[k] x ** k`` with rational coefficients, elementwise."""

    coefficients: tuple[Fraction, ...]
    kind: ClassVar[str] = "polynomial"

    def __post_init__(self) -> None:
        if not isinstance(self.coefficients, list | tuple):
            raise PolygeomError(
                f"polynomial: coefficients must be a list, got {shown(self.coefficients)}; write [0,1,1] for x + x^2"
            )
        exact = tuple(rational(c) for c in self.coefficients)
        object.__setattr__(self, "coefficients", exact)
        if len(exact) < 2 or exact[-1] == 0:
            raise PolygeomError(
                "polynomial: coefficients must reach a nonzero leading one of degree at least 1, constant term first, "
                f"got {', '.join(map(str, exact)):.60}; write 0,1,1 for x + x^2"
            )
        if len(exact) > LARGEST_POLYNOMIAL_DEGREE + 1:
            raise PolygeomError(
                f"polynomial: the degree must be at most {LARGEST_POLYNOMIAL_DEGREE}, got {len(exact) - 1}; "
                "write fewer coefficients, or a monomial activation r=… of higher degree"
            )

    @property
    def symbols(self) -> int:
        return 2 * len(self.coefficients)

    @property
    def divisors(self) -> tuple[int, ...]:
        return tuple(c.denominator for c in self.coefficients)

    @property
    def constants(self) -> tuple[Fraction, ...]:
        return self.coefficients

    @property
    def monomial(self) -> Power | None:
        """The monomial activation that this is, if it is one: ``0,0,1`` is the square, ``0,1`` the identity."""
        *lower, leading = self.coefficients
        return Power(len(lower)) if leading == 1 and not any(lower) else None

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return engine.polynomial(inputs[0], self.coefficients)
