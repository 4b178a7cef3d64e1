"""Polynomials as every algebra system writes them: sums, products, powers, numbers, names, parentheses."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction

from polygeom._dataclass import dataclass, field
from polygeom.exchange.scanner import DECIMAL, NAME, NUMBER, STRING, Scanner

Terms = dict[tuple[int, ...], Fraction]
"""Coefficients by exponents."""

LARGEST_POWER = 100_000
"""Largest exponent of a variable or a parenthesis."""
MOST_PRODUCTS = 5_000_000
"""Products of two terms that expanding the parentheses of one text may need."""


@dataclass(frozen=True)
class Ring:
    """A polynomial ring over the rationals, characteristic 0, or a prime field.

    Attributes
    ----------
    names:
        Of the variables, as identifiers: `canonical` of what the text has.
    characteristic:
        0 or a prime.
    """

    names: tuple[str, ...]
    characteristic: int = 0
    numbers: Mapping[str, int] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", {name: k for k, name in enumerate(self.names)})


def canonical(name: str) -> str:
    """One name for the ways to write an indexed variable.

    Examples
    --------
    >>> [canonical(name) for name in ("x_1", "x(1)", "x[1]", "p_(0,0)", "c1x20")]
    ['x_1', 'x_1', 'x_1', 'p_0_0', 'c1x20']
    """
    return re.sub(r"_?[(\[]|,", "_", name).rstrip(")]")


def indexed(scanner: Scanner) -> str:
    """A name, with the indices that follow it without a blank: ``x``, ``x_1``, ``x(1)``, ``x[1]``, ``p_(0,0)``."""
    name = scanner.name()
    shape = [(scanner.ahead(k).text, scanner.ahead(k).start == scanner.ahead(k - 1).stop) for k in (1, 2)]
    if scanner.sees("_") and scanner.touches() and shape[0] == ("(", True):
        scanner.read()
    elif not (scanner.touches() and (scanner.sees("(") or scanner.sees("[")) and scanner.ahead().kind == NUMBER):
        return name
    closing = {"(": ")", "[": "]"}[scanner.read().text]
    indices = [scanner.number()]
    while scanner.accepts(","):
        indices.append(scanner.number())
    scanner.expects(closing)
    return canonical(f"{name}({','.join(map(str, indices))})")


class Expressions:
    """Reads polynomials.

    Parameters
    ----------
    scanner:
        Where they stand.
    ring:
        Their ring.
    known:
        Polynomials that have names.
    """

    def __init__(self, scanner: Scanner, ring: Ring, known: Mapping[str, Terms]) -> None:
        self.scanner, self.ring, self.known = scanner, ring, known
        self._left = MOST_PRODUCTS
        self._one = (0,) * len(ring.names)

    def polynomial(self) -> Terms:
        """A sum of products, expanded; zero has no terms."""
        total: Terms = {}
        negative = self._sign()
        while True:
            for key, c in self._product().items():
                total[key] = total.get(key, Fraction(0)) + (-c if negative else c)
            if not (self.scanner.sees("+") or self.scanner.sees("-")):
                return {key: c for key, c in total.items() if c}
            negative = self._sign()

    def _sign(self) -> bool:
        """Read signs; whether they make a minus."""
        negative = False
        while self.scanner.sees("+") or self.scanner.sees("-"):
            negative ^= self.scanner.read().text == "-"
        return negative

    def _product(self) -> Terms:
        value = self._power()
        while True:
            if self.scanner.accepts("*"):
                value = self._times(value, self._power())
            elif self.scanner.accepts("/") or self.scanner.accepts("//"):
                divisor = self._power()
                if set(divisor) - {self._one}:
                    self.scanner.refuse("a division by a polynomial", "write numbers only below a fraction bar")
                if not divisor:
                    self.scanner.refuse("a number divides by zero")
                value = {key: c / divisor[self._one] for key, c in value.items()}
            else:
                return value

    def _power(self) -> Terms:
        base = self._atom()
        if not (self.scanner.accepts("^") or self.scanner.accepts("**")):
            return base
        closing = self.scanner.accepts("(")
        exponent = self.scanner.number()
        if closing:
            self.scanner.expects(")")
        if exponent > LARGEST_POWER:
            self.scanner.refuse(f"the exponent {exponent} is above {LARGEST_POWER}")
        if len(base) == 1:
            ((key, c),) = base.items()
            return {tuple(e * exponent for e in key): c**exponent if c not in (1, -1) else c ** (exponent % 2)}
        if exponent * len(base) * _terms_of_power(base, exponent) > 2 * MOST_PRODUCTS:
            self.scanner.refuse(f"expanding needs more than {MOST_PRODUCTS} products", "write expanded polynomials")
        result = {self._one: Fraction(1)}
        for _ in range(exponent):
            result = self._times(result, base)
        return result

    def _times(self, a: Terms, b: Terms) -> Terms:
        self._left -= len(a) * len(b) if min(len(a), len(b)) > 1 else 0
        if self._left < 0:
            self.scanner.refuse(f"expanding needs more than {MOST_PRODUCTS} products", "write expanded polynomials")
        total: Terms = {}
        for e, c in a.items():
            for f, d in b.items():
                key = tuple(i + j for i, j in zip(e, f, strict=True))
                total[key] = total.get(key, Fraction(0)) + c * d
        return {key: c for key, c in total.items() if c}

    def _atom(self) -> Terms:
        scanner = self.scanner
        word = scanner.here
        if scanner.accepts("("):
            value = self.polynomial()
            scanner.expects(")")
            return value
        if scanner.accepts("-"):
            return {key: -c for key, c in self._power().items()}
        if word.kind == NUMBER:
            integer = scanner.number()
            if scanner.here.kind == NAME and scanner.touches():
                scanner.refuse(
                    f"{word.text}{scanner.here.text} is no product", f"write {word.text}*{scanner.here.text}"
                )
            if scanner.sees("_") and scanner.touches() and scanner.ahead().kind == NAME:  # 0_R, in Macaulay2
                scanner.read()
                scanner.read()
            return {self._one: Fraction(integer)} if integer else {}
        if word.kind == NAME:
            name = indexed(scanner)
            number = self.ring.numbers.get(name)
            if number is not None:
                return {tuple(int(k == number) for k in range(len(self._one))): Fraction(1)}
            if name in self.known:
                return self.known[name]
            scanner.refuse(f"{name!r:.40} is no variable of the ring", f"its variables are {_some(self.ring.names)}")
        if word.kind in (DECIMAL, STRING):
            scanner.refuse(f"the {word.kind} {word.text!r:.40} in a polynomial", "write integers and fractions")
        return scanner.refuse(f"expected a number or a variable, found {scanner.shown()}")


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]}, {names[1]}, …, {names[-1]}"


def name_range(first: str, last: str) -> Iterator[str]:
    """The names from one to another: ``a..d``, ``x_1..x_3``, ``x1..x3``, ``p_0_0..p_1_1`` (the last index runs first).

    Raises
    ------
    ValueError
        If there is no such range.

    Examples
    --------
    >>> list(name_range("a", "d")), list(name_range("p_0_0", "p_1_1"))
    (['a', 'b', 'c', 'd'], ['p_0_0', 'p_0_1', 'p_1_0', 'p_1_1'])
    """
    if len(first) == len(last) == 1 and first.isalpha() and last.isalpha() and first <= last:
        yield from map(chr, range(ord(first), ord(last) + 1))
        return
    stems = [re.fullmatch(r"(.*?)((?:_\d+)+|\d+)", name) for name in (first, last)]
    if None in stems:
        raise ValueError(f"{first}..{last} is no range of names")
    (stem, low), (other, high) = ((m[1], m[2]) for m in stems if m is not None)
    between = "_" if low.startswith("_") else ""
    begin, end = ([int(k) for k in text.strip("_").split("_")] for text in (low, high))
    if stem != other or len(begin) != len(end) or any(a > b for a, b in zip(begin, end, strict=True)):
        raise ValueError(f"{first}..{last} is no range of names")
    count = 1
    for a, b in zip(begin, end, strict=True):
        count *= b - a + 1
    if count > MOST_NAMES:
        raise ValueError(f"{first}..{last} are {count} variables, more than {MOST_NAMES}")
    index = list(begin)
    for _ in range(count):
        yield stem + between + between.join(map(str, index))
        for k in reversed(range(len(index))):
            index[k] += 1
            if index[k] <= end[k]:
                break
            index[k] = begin[k]


MOST_NAMES = 20_000
"""Variables of one ring."""


def _terms_of_power(base: Terms, exponent: int) -> int:
    """A bound for the number of terms of a power: products of terms, and monomials in the box of its degrees."""
    products = math.comb(exponent + len(base) - 1, len(base) - 1)
    box: int = math.prod(exponent * max(degrees) + 1 for degrees in zip(*base, strict=True))
    return min(products, box)
