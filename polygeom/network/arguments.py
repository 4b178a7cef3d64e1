"""Checks of the arguments of the families: plain integers and layers come out, or an error that says what to write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from operator import index
from typing import Any

from polygeom.checks import is_integer
from polygeom.errors import PolygeomError
from polygeom.network.layers import Layer, Polynomial, Power
from polygeom.network.limits import LARGEST_POLYNOMIAL_DEGREE, LARGEST_WIDTH, shown

Coefficients = Sequence[int | str | Fraction]
"""Coefficients of a polynomial activation, constant term first."""


def exact_count(name: str, value: Any, most: int = LARGEST_WIDTH) -> int:
    """``value`` as an int from 1 to ``most``."""
    if not is_integer(value) or not 1 <= index(value) <= most:
        raise PolygeomError(f"{name} must be an integer from 1 to {most}, got {shown(value)}; write {name}=2")
    return index(value)


def exact_counts(name: str, values: Any) -> tuple[int, ...]:
    """``values`` as a tuple of ints from 1 on."""
    if not isinstance(values, Iterable) or isinstance(values, str):
        raise PolygeomError(f"{name} must be a list of integers, got {shown(values)}; write {name}=[3,2]")
    return tuple(exact_count(name, value) for value in values)


def exact_flag(name: str, value: Any) -> bool:
    """``value`` if it is True or False."""
    if not isinstance(value, bool):
        raise PolygeomError(f"{name} must be True or False, got {shown(value)}; write {name}=True or leave it out")
    return value


def exact_widths(widths: Any) -> tuple[int, ...]:
    """Widths of a multilayer perceptron: at least two positive integers."""
    if not isinstance(widths, Iterable) or isinstance(widths, str):
        raise PolygeomError(f"widths must be a sequence of integers, got {shown(widths)}; write [2,3,1]")
    exact = tuple(widths)
    if len(exact) < 2:
        raise PolygeomError(f"widths must have at least 2 entries, got {shown(list(exact))}; write [3,1]")
    for d in exact:
        if not is_integer(d) or not 1 <= index(d) <= LARGEST_WIDTH:
            raise PolygeomError(f"widths must be integers from 1 to {LARGEST_WIDTH}, got {shown(d)}; write [2,3,1]")
    return tuple(map(index, exact))


def activation_layers(hidden: int, degrees: Any, activation: Any) -> list[Layer | None]:
    """The activation after each of ``hidden`` layers, None where the degree is 1, from one of the two arguments."""
    if degrees is not None and activation is not None:
        raise PolygeomError("activation: both degrees and activation are given; write degrees=2 or activation=[0,1,1]")
    if degrees is None and activation is None and hidden > 0:
        raise PolygeomError(
            f"degrees: {hidden} hidden layer(s) need an activation; write degrees=2, or activation=[0,1,1] for x + x^2"
        )
    if activation is not None:
        return _one_each("activation", hidden, *_polynomials(activation))
    if degrees is None:
        return []
    single = is_integer(degrees)
    exact = (exact_count("degrees", degrees),) if single else exact_counts("degrees", degrees)
    return _one_each("degrees", hidden, [None if r == 1 else Power(r) for r in exact], single)


def _polynomials(activation: Any) -> tuple[list[Layer | None], bool]:
    """The activations of a list of coefficients, or of a list of such lists, and whether it was one for all layers."""
    if not isinstance(activation, Iterable) or isinstance(activation, str):
        raise PolygeomError(f"activation must be a list of coefficients, got {shown(activation)}; write [0,1,1]")
    given = list(activation)
    if given and all(isinstance(c, list | tuple) for c in given):
        return [_activation(Polynomial(tuple(c))) for c in given], False
    return [_activation(Polynomial(tuple(given)))], True


def _activation(polynomial: Polynomial) -> Layer | None:
    """The activation in canonical form: a power if it is one, None for the identity."""
    power = polynomial.monomial
    return polynomial if power is None else None if power.degree == 1 else power


def activation_arguments(activations: Sequence[Layer | None]) -> dict[str, list[Any]]:
    """The argument of a family, ``activation`` or ``degrees``, that gives these activations; None is the identity."""
    degrees = [a.degree if isinstance(a, Power) else 1 for a in activations]
    if any(isinstance(a, Polynomial) for a in activations) and max(degrees) <= LARGEST_POLYNOMIAL_DEGREE:
        powers = [(*[Fraction(0)] * r, Fraction(1)) for r in degrees]
        lists = [a.coefficients if isinstance(a, Polynomial) else p for a, p in zip(activations, powers, strict=True)]
        return {"activation": lists}
    return {"degrees": degrees} if degrees else {}


def _one_each(name: str, hidden: int, layers: Sequence[Layer | None], single: bool) -> list[Layer | None]:
    if single:
        return list(layers) * hidden
    if len(layers) != hidden:
        raise PolygeomError(
            f"{name}: {hidden} hidden layer(s) need as many activations or one for all, got {len(layers)}; "
            f"write one entry for each layer but the last"
        )
    return list(layers)
