"""Rational activations: the inverse, and quotients of polynomials. Networks with them compute rational functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network.layers.base import Layer, Shape, V
from polygeom.network.limits import LARGEST_POLYNOMIAL_DEGREE, rational, shown
from polygeom.network.primitives import Engine


@dataclass(frozen=True, slots=True)
class Inverse(Layer):
    """The activation ``x ↦ 1 / x``, elementwise."""

    kind: ClassVar[str] = "inverse"

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return engine.inverse(inputs[0])


@dataclass(frozen=True, slots=True)
class Rational(Layer):
    """A fixed rational activation ``x ↦ p(x) / q(x)``, elementwise; coefficients from the constant one on."""

    numerator: tuple[Fraction, ...]
    denominator: tuple[Fraction, ...]
    kind: ClassVar[str] = "rational"

    def __post_init__(self) -> None:
        for name in ("numerator", "denominator"):
            value = getattr(self, name)
            if not isinstance(value, list | tuple) or not 1 <= len(value) <= LARGEST_POLYNOMIAL_DEGREE + 1:
                raise PolygeomError(
                    f"rational: {name} must be a list of coefficients, got {shown(value)}; write [1,0,1]"
                )
            exact = tuple(rational(c) for c in value)
            if exact[-1] == 0:
                raise PolygeomError(f"rational: {name} must end in a coefficient that is not zero; write [1,0,1]")
            object.__setattr__(self, name, exact)

    @property
    def divisors(self) -> tuple[int, ...]:
        return tuple({c.denominator for c in self.constants})

    @property
    def constants(self) -> tuple[Fraction, ...]:
        return self.numerator + self.denominator

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        top = engine.polynomial(inputs[0], self.numerator)
        return engine.multiply(top, engine.inverse(engine.polynomial(inputs[0], self.denominator)))
