"""Formulas as text: quotients of polynomials with rational coefficients in named variables, read, reduced and written.

The grammar is the one all computer algebra systems share: ``+ - * / ^`` (or ``**``), parentheses, integers, names.
``1/2*s^3 - (s+t)^2/(1+t)`` is a quotient; products must be written out, ``2*s`` and not ``2s``. A quotient is kept in
lowest terms, so that equal formulas have one canonical text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network.grammar.scanner import Scanner
from polygeom.network.limits import LARGEST_COEFFICIENT, LARGEST_DEGREE, shown

Terms = tuple[tuple[tuple[int, ...], int], ...]
"""A polynomial with integer coefficients: ``((exponents, coefficient), …)`` without zeros, lexicographically
decreasing."""

MOST_PRODUCTS = 5_000_000
"""Products of two terms that expanding one formula may need."""
MOST_TERMS = 100_000
"""Largest number of terms of one formula, numerator and denominator together."""
_DEEPEST = 100
_EXAMPLE = "write for example s^2*t - 1/2*t^3"


class Expression(str):
    """A formula as text."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Quotient:
    """A quotient of polynomials with integer coefficients, in lowest terms.

    Attributes
    ----------
    variables:
        The names that exponents belong to.
    numerator, denominator:
        Coprime; all coefficients of both have no common factor, and the denominator's first one is positive.
    """

    variables: tuple[str, ...]
    numerator: Terms
    denominator: Terms

    @property
    def constant(self) -> int | None:
        """The denominator if it is a number."""
        if len(self.denominator) == 1 and not any(self.denominator[0][0]):
            return self.denominator[0][1]
        return None

    def __str__(self) -> str:
        number = self.constant
        if number is not None:
            return _text(self.variables, self.numerator, number)
        top, bottom = _text(self.variables, self.numerator, 1), _text(self.variables, self.denominator, 1)
        return f"({top})/({bottom})" if len(self.numerator) != 1 else f"{top}/({bottom})"


def _text(variables: Sequence[str], terms: Terms, divisor: int) -> str:
    """The sum of ``terms``, divided by a number."""
    parts = []
    for exponents, c in terms:
        factors = [n if e == 1 else f"{n}^{e}" for n, e in zip(variables, exponents, strict=True) if e]
        common = math.gcd(c, divisor)
        top, bottom = abs(c) // common, divisor // common
        number = str(top) if bottom == 1 else f"{top}/{bottom}"
        if not factors or number != "1":
            factors.insert(0, number)
        parts.append(("-" if c < 0 else "+") + "*".join(factors))
    return "".join(parts).removeprefix("+") or "0"


@lru_cache(maxsize=4096)
def read_quotient(text: str, variables: tuple[str, ...]) -> Quotient:
    """The quotient that ``text`` describes, in the given variables.

    Raises
    ------
    FormatError
        When the text does not follow the grammar or names another variable; it carries the position.
    BudgetError
        When it would expand to too many terms.

    Examples
    --------
    >>> str(read_quotient("(s+t)^2/(s^2-t^2)", ("s", "t")))
    '(s+t)/(s-t)'
    """
    reader = Reader(Scanner(text), variables)
    value = reader.sum()
    if not reader.scanner.ended:
        reader.unexpected()
    return reader.quotient(value)


def names_in(text: str) -> tuple[str, ...]:
    """The names of a text in the order in which they first occur.

    >>> names_in("s^2*t, t^3")
    ('s', 't')
    """
    scanner, names = Scanner(text), dict[str, None]()
    while not scanner.ended:
        word = scanner.word()
        if word is not None and not scanner.peek("("):
            names[word] = None
        elif word is not None:
            continue
        else:
            scanner.position += 1
            scanner.skip()
    return tuple(names)


class Reader:
    """Expressions at a scanner, as pairs (numerator, denominator) of FLINT polynomials.

    Parameters
    ----------
    scanner:
        Where to read.
    variables:
        The names that may occur.
    """

    def __init__(self, scanner: Scanner, variables: tuple[str, ...]) -> None:
        import flint

        self.scanner, self.variables = scanner, variables
        self._context = flint.fmpz_mpoly_ctx.get(list(variables) or ["unused"], flint.Ordering.lex)
        self._generators = dict(zip(variables, self._context.gens(), strict=False))
        self._one = self._context.constant(1)
        self._left = MOST_PRODUCTS
        self._depth = 0

    def sum(self) -> Any:
        """An expression, up to whatever cannot continue one."""
        s = self.scanner
        negative = s.take("-")
        if not negative and s.peek("+"):
            s.fail("a plus sign without a first term", _EXAMPLE)
        total = self._product()
        total = self.negative(total) if negative else total
        while True:
            if s.take("+"):
                total = self.plus(total, self._product())
            elif s.take("-"):
                total = self.plus(total, self.negative(self._product()))
            else:
                return total

    def unexpected(self) -> None:
        """Complain about what stands where an operator should."""
        s = self.scanner
        here = s.text[s.position : s.position + 1]
        if here == "(" or here.isalnum() or here == "_":
            s.fail(f"expected an operator, found {s.here}", "write every product with *, as in 2*s*(t+1)")
        s.fail(f"expected an operator, found {s.here}", _EXAMPLE)

    def _product(self) -> Any:
        s = self.scanner
        value = self._power()
        while True:
            position = s.position
            if s.peek("**"):
                s.fail("a power of a power", "write parentheses, (s^2)^3")
            if s.take("*"):
                value = self.product(value, self._power())
            elif s.take("/"):
                other = self._power()
                if not other[0]:
                    s.fail("a division by zero", "write a denominator that is not zero", position)
                value = self.product(value, (other[1], other[0]))
            else:
                return value

    def _power(self) -> Any:
        s = self.scanner
        value = self._atom()
        start = s.position
        if not (s.take("^") or s.take("**")):
            return value
        closing = s.take("(")
        negative = s.take("-")
        exponent = s.integer("exponent", 0, LARGEST_DEGREE, "write a whole exponent, s^3")
        if closing:
            s.expect(")", "write s^(3)")
        if s.peek("^"):
            s.fail("a power of a power", "write parentheses, (s^2)^3")
        if negative:
            if not value[0]:
                s.fail("a negative power of zero", "write a base that is not zero", start)
            value = (value[1], value[0])
        with s.at(start):
            self._spend(sum(self._size_of_power(part, exponent) for part in value))
            top = max(self._degree(part) for part in value)
            if top * exponent > LARGEST_DEGREE:
                raise PolygeomError(f"formula: the degree must be at most {LARGEST_DEGREE}; write smaller exponents")
        return value[0] ** exponent, value[1] ** exponent

    def _atom(self) -> Any:
        s = self.scanner
        start = s.position
        if s.take("("):
            self._depth += 1
            if self._depth > _DEEPEST:
                s.fail(f"parentheses more than {_DEEPEST} deep", "write the expression with fewer", start)
            value = self.sum()
            s.expect(")", "write a closing parenthesis")
            self._depth -= 1
            return value
        word = s.word()
        if word is not None:
            if word not in self._generators:
                if s.peek("("):
                    s.fail(f"the function {word!r}", "write polynomials and quotients of polynomials only", start)
                known = ", ".join(self.variables[:8]) or "none"
                s.fail(f"no parameter is named {shown(word)}", f"write one of {known}", start)
            return self._generators[word], self._one
        if not s.text[s.position : s.position + 1].isdigit():
            s.fail(f"expected a number, a name or (, found {s.here}", _EXAMPLE)
        number = s.integer("number", 0, LARGEST_COEFFICIENT, "write 2*s for a product and 1/2 for one half")
        return self._context.constant(number), self._one

    def negative(self, value: Any) -> Any:
        """Minus a pair."""
        return -value[0], value[1]

    def plus(self, x: Any, y: Any) -> Any:
        """The sum of two pairs."""
        if x[1] == y[1]:
            return x[0] + y[0], x[1]
        self._count(x[0], y[1])
        self._count(y[0], x[1])
        self._count(x[1], y[1])
        return x[0] * y[1] + y[0] * x[1], x[1] * y[1]

    def product(self, x: Any, y: Any) -> Any:
        """The product of two pairs."""
        self._count(x[0], y[0])
        self._count(x[1], y[1])
        return x[0] * y[0], x[1] * y[1]

    def _count(self, x: Any, y: Any) -> None:
        with self.scanner.at(self.scanner.position):
            self._spend(len(x) * len(y))
            if self._degree(x) + self._degree(y) > LARGEST_DEGREE:
                raise PolygeomError(f"formula: the degree must be at most {LARGEST_DEGREE}; write smaller exponents")

    def _spend(self, products: int) -> None:
        self._left -= products
        if self._left < 0:
            raise PolygeomError(f"formula: more than {MOST_PRODUCTS} products of terms; write a smaller formula")

    @staticmethod
    def _degree(polynomial: Any) -> int:
        return int(polynomial.total_degree()) if polynomial else 0

    @staticmethod
    def _size_of_power(polynomial: Any, exponent: int) -> int:
        terms = len(polynomial)
        if terms < 2 or exponent < 2:
            return terms
        if exponent > 10_000:
            return MOST_PRODUCTS + 1
        return math.comb(terms + exponent - 1, min(exponent, terms - 1))

    def quotient(self, value: Any) -> Quotient:
        """A pair in lowest terms."""
        top, bottom = value
        if not top:
            bottom = self._one
        elif not bottom.is_constant():
            common = top.gcd(bottom)
            top, bottom = top / common, bottom / common
        if bottom.is_constant():
            common = math.gcd(*(int(c) for c in top.coeffs()), int(bottom.coeffs()[0]))
        else:
            common = math.gcd(*(int(c) for c in (*top.coeffs(), *bottom.coeffs())))
        sign = -1 if bottom.coeffs()[0] < 0 else 1
        parts = [_terms(part, common * sign, len(self.variables)) for part in (top, bottom)]
        if sum(map(len, parts)) > MOST_TERMS:
            self.scanner.fail(f"more than {MOST_TERMS} terms", "write a smaller formula", 0)
        return Quotient(self.variables, parts[0], parts[1])


def _terms(polynomial: Any, divisor: int, size: int) -> Terms:
    pairs = ((tuple(map(int, exponents))[:size], int(c) // divisor) for exponents, c in polynomial.to_dict().items())
    return tuple(sorted(pairs, reverse=True))
