"""Names for the coefficients of a network's outputs: the coordinates in which equations are written.

Three systems of coordinates describe the same outputs ``F_1, …, F_m``; they differ by constant factors only.

``"plain"``
    ``c[i, α]``, the coefficient of ``x^α`` in ``F_i``.
``"divided"``
    ``a[i, α] = c[i, α] / multinomial(|α|; α)``: powers of linear forms have monomials as divided coordinates.
``"tensor"``
    ``t[i, j_1 … j_D]``, the entries of the symmetric tensor of the degree-``D`` part of ``F_i``. The entry at indices
    ``j_1 ≤ … ≤ j_D`` in which index ``k`` occurs ``α_k`` times is ``a[i, α]``, so the system is the divided one with
    another name for each coordinate.

Names consist of a letter, the number of the output, ``x`` and the exponents: ``c1x200`` is the coefficient of ``x_1^2``
in the first output, for three variables; with a degree of ten or more, ``c1x10x0x0``; with ten inputs or more, tensor
names are ``t1x01x10``. They are identifiers in Python, Macaulay2, Singular, Julia and Sage. Outputs and indices count
from 1 in names and from 0 in Python. The coordinates of a map have the names that it gives them, or ``y1, y2, …``.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.checks import choice
from polygeom.errors import BudgetError, PolygeomError
from polygeom.network import Network, parse
from polygeom.network.text.maps import map_formula

if TYPE_CHECKING:
    from sympy.polys.rings import PolyElement, PolyRing

SYSTEMS = ("plain", "divided", "tensor")
MOST_COORDINATES = 20_000
"""Largest number of coefficients for which equations are sought."""

Exponents = tuple[int, ...]


def multinomial(exponents: Sequence[int]) -> int:
    """The number of words in which letter ``k`` occurs ``exponents[k]`` times."""
    return math.factorial(sum(exponents)) // math.prod(map(math.factorial, exponents))


@dataclass(frozen=True)
class Coordinates:
    """The coordinates of the space of coefficients of a network, in a fixed order.

    The order is by output, then by falling degree, then lexicographically by exponents, largest first; every degree in
    ``network.degrees`` occurs, whatever its coefficients turn out to be.

    Raises
    ------
    BudgetError
        When there are more than ``MOST_COORDINATES`` of them.

    Examples
    --------
    >>> coordinates = Coordinates(parse("[2,3,1] r=2"))
    >>> coordinates.entries, coordinates.names
    (((0, (2, 0)), (0, (1, 1)), (0, (0, 2))), ('c1x20', 'c1x11', 'c1x02'))
    """

    network: Network

    def __post_init__(self) -> None:
        if isinstance(self.network, str):
            object.__setattr__(self, "network", parse(self.network))
        if not isinstance(self.network, Network):
            raise PolygeomError(f'network must be a Network or text, got {self.network!r:.40}; write "[3,3,3] r=2"')
        size = self.network.ambient_dimension
        size = size if size > MOST_COORDINATES else max(size, self.network.ambient.size)
        if size > MOST_COORDINATES:
            raise BudgetError(
                f"network has {size} coefficients; equations are sought for at most "
                f"{MOST_COORDINATES}, write a smaller network"
            )

    @cached_property
    def monomials(self) -> tuple[Exponents, ...]:
        """The exponent vectors that some output has, in order."""
        if map_formula(self.network) is not None:  # a coordinate that is zero is a coordinate
            return ((0,),)
        ambient = self.network.ambient
        kinds = {span: output for output, span in enumerate(ambient.spans)}
        if len(kinds) == 1:
            return ambient.monomials(0)
        union = set(itertools.chain.from_iterable(map(ambient.monomials, kinds.values())))
        return tuple(sorted(union, key=lambda alpha: (sum(alpha), alpha), reverse=True))

    @cached_property
    def entries(self) -> tuple[tuple[int, Exponents], ...]:
        """Output (from 0) and exponent vector of every coordinate."""
        outputs = range(self.network.output_dimension)
        if map_formula(self.network) is not None:
            return tuple((i, (0,)) for i in outputs)
        ambient = self.network.ambient
        return tuple((i, alpha) for i in outputs for alpha in ambient.monomials(i))

    @cached_property
    def selection(self) -> np.ndarray:
        """For every coordinate its position among all pairs of an output and one of `monomials`."""
        number = {alpha: k for k, alpha in enumerate(self.monomials)}
        return np.array([i * len(number) + number[alpha] for i, alpha in self.entries], dtype=np.int64)

    @cached_property
    def factors(self) -> tuple[int, ...]:
        """The multinomial coefficient of every coordinate: ``c = factor · a``."""
        return tuple(multinomial(alpha) for _, alpha in self.entries)

    @cached_property
    def undivided(self) -> bool:
        """Whether plain and divided coordinates are the same."""
        return set(self.factors) <= {1}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the plain coordinates."""
        return self.names_in("plain")

    def names_in(self, system: str) -> tuple[str, ...]:
        """Names of the coordinates of a system: ``"plain"``, ``"divided"`` or ``"tensor"``.

        Examples
        --------
        >>> Coordinates(parse("[2,3,1] r=2")).names_in("tensor")
        ('t1x11', 't1x12', 't1x22')
        """
        _check_system(system)
        formula = map_formula(self.network)
        if formula is not None:
            return formula.names or tuple(f"y{i + 1}" for i in range(len(self.entries)))
        labels = {alpha: _indices(alpha) if system == "tensor" else alpha for alpha in self.monomials}
        largest = max((entry for label in labels.values() for entry in label), default=0)
        between, length = ("x", len(str(largest))) if largest > 9 else ("", 1)
        letter = {"plain": "c", "divided": "a", "tensor": "t"}[system]
        # No name is the beginning of another: gfan reads the first that fits.
        width = length if system == "tensor" else 1
        texts = {alpha: between.join(f"{entry:0{width}}" for entry in label) for alpha, label in labels.items()}
        return tuple(f"{letter}{i + 1}x{texts[alpha]}" for i, alpha in self.entries)

    @cached_property
    def ring(self) -> PolyRing:
        """The polynomial ring over Q in the plain coordinates, graded reverse lexicographic."""
        return self.ring_in("plain")

    def ring_in(self, system: str) -> PolyRing:
        """The polynomial ring over Q in the coordinates of a system."""
        from sympy import QQ, grevlex
        from sympy.polys.rings import PolyRing

        return PolyRing(self.names_in(system), QQ, grevlex)

    def position(self, output: int, exponents: Sequence[int]) -> int:
        """The number of the coordinate ``c[output, exponents]``."""
        try:
            return self._positions[output, tuple(exponents)]
        except KeyError:
            raise PolygeomError(
                f"there is no coefficient of x^{tuple(exponents)} in output {output}; outputs count from 0 and "
                f"exponents have {self.network.input_dimension} entries of total degree in {self.network.degrees}"
            ) from None

    @cached_property
    def _positions(self) -> Mapping[tuple[int, Exponents], int]:
        return {entry: k for k, entry in enumerate(self.entries)}

    def convert(self, values: Sequence[Any], source: str, target: str) -> list[Any]:
        """Values of all coordinates in another system; exact for integers and fractions.

        Examples
        --------
        >>> Coordinates(parse("[2,3,1] r=2")).convert([1, 4, 4], "plain", "divided")
        [Fraction(1, 1), Fraction(2, 1), Fraction(4, 1)]
        """
        _check_system(source)
        _check_system(target)
        if len(values) != len(self.entries):
            raise PolygeomError(
                f"values must be {len(self.entries)} numbers, one for each coordinate, got {len(values)}"
            )
        if (source == "plain") == (target == "plain"):
            return list(values)
        if target == "plain":
            return [value * factor for value, factor in zip(values, self.factors, strict=True)]
        return [_quotient(value, factor) for value, factor in zip(values, self.factors, strict=True)]

    def rewrite(self, polynomial: PolyElement, source: str, target: str) -> PolyElement:
        """The same equation in the coordinates of another system, an element of `ring_in` of ``target``.

        Examples
        --------
        >>> coordinates = Coordinates(parse("[2,1,1] r=2"))
        >>> c20, c11, c02 = coordinates.ring.gens
        >>> coordinates.rewrite(c11**2 - 4 * c20 * c02, "plain", "tensor")
        4*t1x12**2 - 4*t1x11*t1x22
        """
        _check_system(source)
        _check_system(target)
        ring = self.ring_in(target)
        if (source == "plain") == (target == "plain"):
            scales: list[Any] = [1] * len(self.entries)
        elif source == "plain":  # c = factor · a
            scales = list(self.factors)
        else:
            scales = [Fraction(1, factor) for factor in self.factors]
        terms = {}
        for exponents, coefficient in polynomial.terms():
            scale = math.prod((scales[k] ** e for k, e in enumerate(exponents) if e), start=Fraction(1))
            terms[exponents] = coefficient * ring.domain(scale.numerator) / ring.domain(scale.denominator)
        return ring.from_dict(terms)

    def tensor(self, values: Sequence[Any]) -> np.ndarray:
        """The symmetric tensors of the outputs, from plain coordinates, for outputs of one degree ``D``.

        Returns
        -------
        Object array of shape ``(outputs, n, …, n)`` with ``D`` axes of length ``n``, the number of inputs.

        Raises
        ------
        PolygeomError
            When the outputs have more than one degree.
        """
        degree = self.network.degree
        if self.network.degrees != ((degree, degree),):
            raise PolygeomError("network: outputs of several degrees have no single tensor; read divided coordinates")
        n, m = self.network.input_dimension, self.network.output_dimension
        divided = self.convert(values, "plain", "divided")
        tensor = np.empty((m, *[n] * degree), dtype=object)
        for index in np.ndindex(*tensor.shape):
            counts = Counter(index[1:])
            tensor[index] = divided[self.position(index[0], tuple(counts[k] for k in range(n)))]
        return tensor


def _check_system(system: str) -> None:
    choice("system", system, SYSTEMS, "plain")


def _indices(exponents: Exponents) -> tuple[int, ...]:
    return tuple(k + 1 for k, times in enumerate(exponents) for _ in range(times))


def _quotient(value: Any, factor: int) -> Any:
    return Fraction(value) / factor if isinstance(value, int | Fraction) else value / factor
