"""Functions as a user writes them: coefficients, a mapping, or polynomials as text, to plain coordinates."""

from __future__ import annotations

import ast
import math
import numbers
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.ideal.grading.coordinates import Coordinates

LONGEST = 100_000
"""Largest number of characters of a polynomial."""
LARGEST_POWER = 10_000
"""Largest exponent in a polynomial."""
MOST_PRODUCTS = 300_000
"""Largest number of products of two terms that expanding a polynomial may need."""

Number = Fraction | float
Sparse = dict[tuple[int, ...], Number]


def read_function(function: Any, coordinates: Coordinates) -> list[Number]:
    """The plain coordinates of a function given in one of several forms.

    Parameters
    ----------
    function:
        One of: a sequence of all coefficients in the order of the coordinates; a mapping from names of coordinates,
        or from pairs (output, exponents), to coefficients, the others being zero; one polynomial for each output in
        ``x1``, ``x2``, …, as a list of texts or sympy expressions, or as one text with semicolons.

    Returns
    -------
    Fractions where the input is exact, floats elsewhere.

    Raises
    ------
    PolygeomError
        If it does not describe outputs of the network.

    Examples
    --------
    >>> read_function("x1^2 - x1*x2/2", Coordinates("[2,3,1] r=2"))
    [Fraction(1, 1), Fraction(-1, 2), Fraction(0, 1)]
    """
    if isinstance(function, Mapping):
        return _from_mapping(function, coordinates)
    if isinstance(function, str):
        return _from_polynomials(function.split(";"), coordinates)
    parts = list(function) if isinstance(function, Sequence | np.ndarray) else [function]
    if any(isinstance(part, str) or getattr(part, "free_symbols", None) for part in parts):
        return _from_polynomials([str(part) for part in parts], coordinates)
    if len(parts) != len(coordinates.entries):
        raise PolygeomError(
            f"function must have {len(coordinates.entries)} coefficients, one for each of {coordinates.names[0]}, …, "
            f"{coordinates.names[-1]}, got {len(parts)}"
        )
    return [_number(c) for c in parts]


def _from_mapping(function: Mapping[Any, Any], coordinates: Coordinates) -> list[Number]:
    values: list[Number] = [Fraction(0)] * len(coordinates.entries)
    names = {name: k for k, name in enumerate(coordinates.names)}
    for key, value in function.items():
        if isinstance(key, str):
            if key not in names:
                shown = ", ".join(coordinates.names[:5])
                raise PolygeomError(f"there is no coordinate {key!r:.40}; write one of {shown}, …")
            values[names[key]] = _number(value)
        else:
            output, exponents = key
            values[coordinates.position(output, exponents)] = _number(value)
    return values


def _from_polynomials(parts: Sequence[str], coordinates: Coordinates) -> list[Number]:
    outputs = coordinates.network.output_dimension
    if len(parts) != outputs:
        raise PolygeomError(
            f"function must have one polynomial for each of {outputs} outputs, got {len(parts)}; separate them by "
            "semicolons or pass a list"
        )
    values: list[Number] = [Fraction(0)] * len(coordinates.entries)
    for output, part in enumerate(parts):
        for exponents, c in read_polynomial(part, coordinates.network.input_dimension).items():
            values[coordinates.position(output, exponents)] = c
    return values


def _number(value: Any) -> Number:
    """An exact number, or a float."""
    if isinstance(value, bool | np.bool_):
        raise PolygeomError(f"coefficients must be numbers, got {value!r}; write 0 or 1")
    if isinstance(value, numbers.Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if getattr(value, "is_Rational", False):
        return Fraction(int(value.p), int(value.q))
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise PolygeomError(f"coefficients must be real numbers, got {value!r:.40}; write 1/2 or 0.5") from None
    if not math.isfinite(number):
        raise PolygeomError(f"coefficients must be finite, got {number}; write a number")
    return number


def read_polynomial(text: str, variables: int) -> Sparse:
    """A polynomial in ``x1, x2, …`` with integer, fractional or decimal coefficients, by exponents.

    Sums, products, quotients by numbers, and powers (``^`` or ``**``) may be nested with parentheses.

    Raises
    ------
    PolygeomError
        If it is anything else, or too large.

    Examples
    --------
    >>> read_polynomial("(x1 + x2)^2 / 2", 2)
    {(2, 0): Fraction(1, 2), (1, 1): Fraction(1, 1), (0, 2): Fraction(1, 2)}
    """
    if len(text) > LONGEST:
        raise PolygeomError(f"a polynomial may have {LONGEST} characters, got {len(text)}; pass its coefficients")
    try:
        tree = ast.parse(text.strip().replace("^", "**"), mode="eval")
        return _Reader(variables).read(tree.body)
    except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
        if isinstance(error, PolygeomError):
            raise
        raise PolygeomError(f"{text.strip()!r:.60} is not a polynomial; write x1^2 - 2*x1*x2") from None


class _Reader:
    """Evaluates a syntax tree of sums, products and powers; nothing else is looked up or called."""

    def __init__(self, variables: int) -> None:
        self.variables, self._left = variables, MOST_PRODUCTS

    def read(self, node: ast.expr) -> Sparse:
        """The polynomial of a subtree, without zero terms."""
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self._constant(_number(value))
            case ast.Name(id=name) if re.fullmatch(r"x[1-9][0-9]{0,8}", name) and int(name[1:]) <= self.variables:
                return {tuple(int(j == int(name[1:]) - 1) for j in range(self.variables)): Fraction(1)}
            case ast.Name(id=name):
                known = "x1" if self.variables == 1 else f"x1, …, x{self.variables}"
                raise PolygeomError(f"{name!r:.40} is not a variable; write {known}")
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                factor = Fraction(-1 if isinstance(sign, ast.USub) else 1)
                return {e: factor * c for e, c in self.read(operand).items()}
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self._power(self.read(left), right)
            case ast.BinOp(left=left, op=op, right=right):
                return self._combined(self.read(left), op, self.read(right))
        raise PolygeomError("a polynomial has numbers, variables, + - * / ^ and parentheses only; write x1^2 - 2*x1*x2")

    def _constant(self, value: Number) -> Sparse:
        return {(0,) * self.variables: value} if value else {}

    def _combined(self, a: Sparse, op: ast.operator, b: Sparse) -> Sparse:
        if isinstance(op, ast.Add | ast.Sub):
            sign = 1 if isinstance(op, ast.Add) else -1
            total = dict(a)
            for e, c in b.items():
                total[e] = total.get(e, Fraction(0)) + sign * c
            return {e: c for e, c in total.items() if c}
        if isinstance(op, ast.Mult):
            return self._product(a, b)
        if isinstance(op, ast.Div) and set(b) == {(0,) * self.variables}:
            divisor = b[(0,) * self.variables]
            return {e: c / divisor for e, c in a.items()}
        raise PolygeomError("a polynomial may be divided by a number other than zero only; write x1/2")

    def _product(self, a: Sparse, b: Sparse) -> Sparse:
        self._left -= len(a) * len(b)
        if self._left < 0:
            raise PolygeomError(f"expanding needs more than {MOST_PRODUCTS} products of terms; pass the coefficients")
        total: Sparse = {}
        for e, c in a.items():
            for f, d in b.items():
                g = tuple(i + j for i, j in zip(e, f, strict=True))
                total[g] = total.get(g, Fraction(0)) + c * d
        return {e: c for e, c in total.items() if c}

    def _power(self, base: Sparse, exponent: ast.expr) -> Sparse:
        if not isinstance(exponent, ast.Constant) or type(exponent.value) is not int:
            raise PolygeomError("an exponent must be an integer from 0; write x1^2")
        if exponent.value > LARGEST_POWER:
            raise PolygeomError(f"an exponent may be {LARGEST_POWER} at most, got {exponent.value}")
        result = self._constant(Fraction(1))
        for _ in range(exponent.value):
            result = self._product(result, base)
        return result
