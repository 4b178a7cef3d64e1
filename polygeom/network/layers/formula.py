"""The layer that is given by formulas: any polynomials, or quotients of such, in its inputs and its weights."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import FormatError, PolygeomError
from polygeom.network.constants import Constants
from polygeom.network.grammar.expressions import Expression, Quotient, Terms, names_in, read_quotient
from polygeom.network.layers.base import Layer, Shape, V
from polygeom.network.limits import MOST_SYMBOLS, shown
from polygeom.network.primitives import Engine

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_FEATURE = re.compile(r"x([1-9][0-9]{0,5})")


@dataclass(frozen=True, slots=True)
class Formula(Layer):
    """Formulas in the features ``x1, x2, …`` of a point, all its axes in one, and in weights with names of their own.

    Without features it computes one point for each choice of the weights: a polynomial or rational *map*, see
    `polygeom.maps`.

    Parameters
    ----------
    weights:
        Names of the weights.
    coordinates:
        The formulas, as text in the grammar of `polygeom.network.grammar.expressions`; they are kept in canonical form.
    names:
        Names of the values, for equations between them; ``y1, y2, …`` if empty.

    Examples
    --------
    >>> Formula(("s", "t"), ("s*(s+t)", "t/2")).coordinates
    ('s^2+s*t', '1/2*t')
    """

    weights: tuple[str, ...]
    coordinates: tuple[Expression, ...]
    names: tuple[str, ...] = ()
    kind: ClassVar[str] = "formula"

    def __post_init__(self) -> None:
        for name in ("weights", "coordinates", "names"):
            value = getattr(self, name)
            if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
                raise PolygeomError(f"formula: {name} must be a list of texts, got {shown(value)}; write ['s', 't']")
            object.__setattr__(self, name, tuple(map(str, value)))
        _check_names("weights", self.weights)
        _check_names("names", self.names)
        if not self.coordinates:
            raise PolygeomError("formula: coordinates must be at least one formula, got none; write s^2, s*t")
        if self.names and len(self.names) != len(self.coordinates):
            raise PolygeomError(
                f"formula: names must be {len(self.coordinates)}, one for each formula, got {len(self.names)}; "
                "name all of them or none"
            )
        read = [_read(text, self.weights, number) for number, text in enumerate(self.coordinates, start=1)]
        object.__setattr__(self, "coordinates", tuple(Expression(str(quotient)) for quotient in read))
        if self.symbols > MOST_SYMBOLS:
            raise PolygeomError(
                f"formula: its numbers and names must be at most {3 * MOST_SYMBOLS}, got {3 * self.symbols}; "
                "write a smaller map, or one of several layers"
            )

    @property
    def symbols(self) -> int:
        return 1 + sum(map(_tokens, self.coordinates)) // 3 + (len(self.weights) + len(self.names)) // 3

    @property
    def divisors(self) -> tuple[int, ...]:
        return self.compiled.divisors

    @property
    def constants(self) -> tuple[Fraction, ...]:
        return self.compiled.constants

    @property
    def compiled(self) -> Compiled:
        """The formulas as tables, see `Compiled`."""
        return _compiled(self)

    @property
    def is_map(self) -> bool:
        """Whether no feature of the input enters."""
        return not self.compiled.features

    def shape(self, *inputs: Shape) -> Shape:
        size, features = math.prod(inputs[0]), self.compiled.features
        if features and features[-1] >= size:
            raise PolygeomError(
                f"formula: x{features[-1] + 1} is used but the input has {size} features; write x1 to x{size}"
            )
        return (len(self.coordinates),)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"w": (len(self.weights),)} if self.weights else {}

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return self.compiled.evaluate(engine, inputs[0], weights["w"] if self.weights else None)


def formulas(weights: Sequence[str], coordinates: Sequence[str], names: Sequence[str] = ()) -> Formula:
    """The layer of formulas given as texts."""
    return Formula(tuple(weights), tuple(map(Expression, coordinates)), tuple(names))


def _tokens(text: str) -> int:
    return len(re.findall(r"\w+", text))


def _check_names(field: str, names: tuple[str, ...]) -> None:
    for name in names:
        if not _WORD.fullmatch(name):
            raise PolygeomError(
                f"formula: {field} must be names of at most 40 letters, digits and _, got {shown(name)}; write s or t1"
            )
    if len(set(names)) != len(names):
        twice = next(name for k, name in enumerate(names) if name in names[:k])
        raise PolygeomError(f"formula: {field} must differ, got {twice!r} twice; write another name")


def _read(text: str, weights: tuple[str, ...], number: int) -> Quotient:
    try:
        own = _variables(text, weights)
        return read_quotient(text, own)
    except FormatError as error:
        raise FormatError(f"formula {number}: {error.problem}", error.text, error.position, error.hint) from None


def _variables(text: str, weights: tuple[str, ...]) -> tuple[str, ...]:
    """The weights, then the features that occur, by number."""
    found = {name for name in names_in(text) if name not in weights and _FEATURE.fullmatch(name)}
    return (*weights, *sorted(found, key=_position))


def _position(feature: str) -> int:
    return int(feature[1:]) - 1


@dataclass(frozen=True, eq=False)
class Compiled:
    """Formulas as tables that every engine reads.

    Attributes
    ----------
    weights:
        Number of weights.
    features:
        Positions of the features that occur, increasing. The variables are the weights, then these.
    quotients:
        The formulas, over all variables.
    """

    weights: int
    features: tuple[int, ...]
    quotients: tuple[Quotient, ...]

    @cached_property
    def monomials(self) -> tuple[tuple[int, ...], ...]:
        """All monomials of numerators and denominators, once each."""
        terms = (term for q in self.quotients for part in (q.numerator, _proper(q)) for term, _ in part)
        return tuple(dict.fromkeys(terms)) or ((0,) * self._size,)

    @property
    def _size(self) -> int:
        return self.weights + len(self.features)

    @cached_property
    def denominators(self) -> tuple[Terms, ...]:
        """The different denominators that are not numbers."""
        return tuple(dict.fromkeys(part for q in self.quotients if (part := _proper(q))))

    @cached_property
    def common_denominator(self) -> Quotient:
        """A common multiple of all denominators, as a polynomial."""
        names = self.quotients[0].variables
        text = "*".join(f"({Quotient(names, part, _one(self._size))})" for part in self.denominators) or "1"
        number = math.lcm(*(q.constant or 1 for q in self.quotients))
        return read_quotient(f"{number}*{text}", names)

    @cached_property
    def _numerator_matrix(self) -> Constants:
        position = {monomial: k for k, monomial in enumerate(self.monomials)}
        entries = [
            (i, position[term], Fraction(c, q.constant or 1))
            for i, q in enumerate(self.quotients)
            for term, c in q.numerator
        ]
        return Constants((len(self.quotients), len(self.monomials)), tuple(sorted(entries)))

    @cached_property
    def _denominator_matrix(self) -> Constants:
        position = {monomial: k for k, monomial in enumerate(self.monomials)}
        entries = [(i, position[term], Fraction(c)) for i, part in enumerate(self.denominators) for term, c in part]
        return Constants((len(self.denominators), len(self.monomials)), tuple(sorted(entries)))

    @cached_property
    def _divisors(self) -> np.ndarray:
        """For every formula the number of its denominator, -1 for a number."""
        position = {part: k for k, part in enumerate(self.denominators)}
        return np.array([position.get(_proper(q), -1) for q in self.quotients])

    @cached_property
    def _factors(self) -> list[dict[int, np.ndarray]]:
        """For the first, second, … variable of every monomial: exponent → position of the variable, -1 for others."""
        supports = [[(j, e) for j, e in enumerate(monomial) if e] for monomial in self.monomials]
        slots: list[dict[int, np.ndarray]] = []
        for k in range(max(map(len, supports), default=0)):
            own: dict[int, np.ndarray] = {}
            for row, support in enumerate(supports):
                if k < len(support):
                    j, e = support[k]
                    own.setdefault(e, np.full(len(supports), -1))[row] = j
            slots.append(own)
        return slots

    @cached_property
    def divisors(self) -> tuple[int, ...]:
        """Numbers that a prime must not divide: exponents, and denominators of coefficients."""
        exponents = {e for monomial in self.monomials for e in monomial if e > 1}
        return tuple(sorted(exponents | {q.constant or 1 for q in self.quotients}))

    @property
    def constants(self) -> tuple[Fraction, ...]:
        """The coefficients of the numerators."""
        return self._numerator_matrix.values

    def evaluate(self, engine: Engine[V], x: V, w: Any) -> V:
        """The values of the formulas at points ``x`` and weights ``w``."""
        index = np.array([-1] * self.weights + list(self.features) or [-1])
        variables = engine.reindex(x, index)
        if self.weights:  # an engine may have None for every weight
            own = np.array([*range(self.weights), *[-1] * len(self.features)])
            variables = engine.bias(variables, engine.arrange(w, own))
        monomials = self._monomial_values(engine, variables)
        values = engine.combine(monomials, self._numerator_matrix)
        if not self.denominators:
            return values
        inverses = engine.inverse(engine.combine(monomials, self._denominator_matrix))
        divided = self._divisors
        factors = engine.reindex(inverses, divided)
        if (divided < 0).any():
            factors = engine.add(factors, self._ones(engine, variables, divided < 0))
        return engine.multiply(values, factors)

    def _monomial_values(self, engine: Engine[V], variables: V) -> V:
        powers: dict[int, V] = {1: variables}
        value: V | None = None
        for slot in self._factors:
            factor: V | None = None
            free = np.ones(len(self.monomials), dtype=bool)
            for e, index in slot.items():
                if e not in powers:
                    powers[e] = engine.power(variables, e)
                part = engine.reindex(powers[e], index)
                factor = part if factor is None else engine.add(factor, part)
                free &= index < 0
            assert factor is not None
            if free.any():
                factor = engine.add(factor, self._ones(engine, variables, free))
            value = factor if value is None else engine.multiply(value, factor)
        if value is None:
            return self._ones(engine, variables, np.ones(len(self.monomials), dtype=bool))
        return value

    def _ones(self, engine: Engine[V], variables: V, mask: np.ndarray) -> V:
        """Ones where the mask holds, zeros elsewhere."""
        one = engine.polynomial(engine.reindex(variables, np.array([0])), (Fraction(1),))
        return engine.reindex(one, np.where(mask, 0, -1))


def _proper(quotient: Quotient) -> Terms:
    """The denominator of a quotient if it is not a number."""
    return () if quotient.constant is not None else quotient.denominator


def _one(size: int) -> Terms:
    return (((0,) * size, 1),)


@lru_cache(maxsize=512)
def _compiled(formula: Formula) -> Compiled:
    used = {name for text in formula.coordinates for name in _variables(text, formula.weights)} - set(formula.weights)
    features = sorted(used, key=_position)
    variables = (*formula.weights, *features)
    quotients = tuple(read_quotient(text, variables) for text in formula.coordinates)
    return Compiled(len(formula.weights), tuple(map(_position, features)), quotients)
