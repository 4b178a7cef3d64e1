"""Ideals from other systems: the files that `polygeom.exchange.export` writes, and what the systems print themselves.

Nothing in a file is run. A ring is recognised by its declaration, generators are sums of products of powers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polygeom.errors import PolygeomError
from polygeom.exchange.mrdi import Terms, read_mrdi
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.modular import is_prime
from polygeom.network import Network

if TYPE_CHECKING:
    from sympy.polys.rings import PolyElement, PolyRing

LONGEST = 200_000_000
"""Largest number of characters."""
LARGEST_POWER = 100_000

_COMMENTS = re.compile(r"(--|//(?=\D)|#)[^\n]*")
_NAME = r"[A-Za-z]\w*"
_RINGS = (
    # Singular, Macaulay2, Sage, OSCAR: the field, and the names
    re.compile(rf"\bring\s+{_NAME}\s*=\s*(?P<field>[^,]+),\s*\((?P<names>[^)]*)\)"),
    re.compile(rf"^\s*{_NAME}\s*=\s*(?P<field>QQ|ZZ\s*/\s*\d+)\s*\[(?P<names>[^\]]*)\]", re.MULTILINE),
    re.compile(r'\bPolynomialRing\(\s*(?P<field>QQ|GF\(\d+\))\s*,\s*"(?P<names>[^"]*)"'),
    re.compile(r"\bpolynomial_ring\(\s*(?P<field>QQ|GF\(\d+\))\s*,\s*\[(?P<names>[^\]]*)\]"),
)
_IDEALS = (
    re.compile(rf"\bideal\s+{_NAME}\s*=(?P<body>[^;]*)"),
    re.compile(rf"\bideal\s*\(\s*(?:{_NAME}\s*,\s*)?\[(?P<body>[^\]]*)\]"),
    re.compile(r"\bideal\s*\((?P<body>[^()]*)\)"),
)
_TERM = re.compile(r"[+-]?[^+-]+")
_NUMBER = re.compile(r"(\d+)(?://?(\d+))?")
_POWER = re.compile(rf"({_NAME})(?:(?:\^|\*\*)(\d+))?")


@dataclass(frozen=True, slots=True)
class Equations:
    """Polynomials from elsewhere.

    Attributes
    ----------
    ring:
        Over Q; coefficients of a prime field are represented by integers of least absolute value.
    polynomials:
        In this ring.
    characteristic:
        0, or the prime of the field.
    """

    ring: PolyRing
    polynomials: tuple[PolyElement, ...]
    characteristic: int = 0


def read_ideal(text: str, network: Network | str | None = None) -> Equations:
    """Generators of an ideal, as another system, or polygeom, has written it.

    Parameters
    ----------
    text:
        A ring and an ideal declared in Singular, Macaulay2, Sage or OSCAR, a document of the ``.mrdi`` format, or
        expanded polynomials separated by commas or lines.
    network:
        The network whose plain coordinates the variables are; needed if the text declares no ring. The variables may
        come in any order.

    Raises
    ------
    PolygeomError
        If the text cannot be read, or its variables are not the coordinates of the network.

    Examples
    --------
    >>> read_ideal("ring r = 0, (x,y), dp; ideal I = 1/2*x^2 - y, 3*x*y;").polynomials
    (1/2*x**2 - y, 3*x*y)
    >>> read_ideal("c1x11^2-4*c1x20*c1x02", "[2,1,1] r=2").polynomials
    (c1x11**2 - 4*c1x20*c1x02,)
    """
    if len(text) > LONGEST:
        raise PolygeomError(f"text may have {LONGEST} characters, got {len(text)}; split it")
    coordinates = None if network is None else Coordinates(network)  # type: ignore[arg-type]
    if text.lstrip().startswith("{"):
        names, characteristic, generators = read_mrdi(text)
        _check_ring(names, characteristic)
    else:
        names, characteristic, generators = _read_text(text, coordinates)
    ring = _ring(names) if coordinates is None else coordinates.ring
    known = {name: k for k, name in enumerate(map(str, ring.symbols))}
    if unknown := [name for name in names if name not in known]:
        raise PolygeomError(f"{unknown[0]!r:.40} is no coordinate of {network}; write {ring.symbols[0]}, …")
    order = [known[name] for name in names]
    polynomials = tuple(_polynomial(terms, ring, order, characteristic) for terms in generators)
    return Equations(ring, polynomials, characteristic)


def read_ideal_file(path: str | Path, network: Network | str | None = None) -> Equations:
    """`read_ideal` of a file.

    Raises
    ------
    PolygeomError
        Also if it cannot be opened or is no text.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise PolygeomError(f"cannot read {path}: {error.strerror}; write the path of a text file") from error
    except UnicodeDecodeError as error:
        raise PolygeomError(f"{path} is no text in UTF-8 ({error.reason}); export the ideal as text") from error
    return read_ideal(text, network)


def _ring(names: Sequence[str]) -> PolyRing:
    from sympy import QQ, grevlex
    from sympy.polys.rings import PolyRing

    return PolyRing(names, QQ, grevlex)


def _check_ring(names: Sequence[str], characteristic: int) -> None:
    if not names or len(set(names)) != len(names) or not all(re.fullmatch(_NAME, name) for name in names):
        raise PolygeomError(
            f"the ring has the variables {names!r:.60}; different names of letters and digits are needed"
        )
    if characteristic and not is_prime(characteristic):
        raise PolygeomError(f"the characteristic must be 0 or a prime, got {characteristic}; use QQ or a prime field")


def _polynomial(terms: Terms, ring: PolyRing, order: Sequence[int], p: int) -> PolyElement:
    result: dict[tuple[int, ...], Any] = {}
    for exponents, c in terms.items():
        moved = [0] * len(ring.symbols)
        for k, e in zip(order, exponents, strict=True):
            moved[k] = e
        value = _residue(c, p) if p else c
        if value:
            result[tuple(moved)] = ring.domain(value.numerator) / ring.domain(value.denominator)
    return ring.from_dict(result)


def _residue(c: Fraction, p: int) -> Fraction:
    if c.denominator % p == 0:
        raise PolygeomError(f"the coefficient {c} has no value modulo {p}; use another prime")
    value = c.numerator * pow(c.denominator, -1, p) % p
    return Fraction(value - p if value > p // 2 else value)


def _read_text(text: str, coordinates: Coordinates | None) -> tuple[tuple[str, ...], int, list[Terms]]:
    text = _COMMENTS.sub("", text)
    ring = next((found for pattern in _RINGS if (found := pattern.search(text))), None)
    body = next((found["body"] for pattern in _IDEALS if (found := pattern.search(text))), None)
    if ring is not None:
        names = tuple(re.findall(_NAME, ring["names"]))
        digits = re.search(r"\d+", ring["field"])
        characteristic = 0 if digits is None else int(digits[0])
        _check_ring(names, characteristic)
        if body is None:
            raise PolygeomError("the text declares a ring but no ideal; write ideal I = …")
    elif coordinates is not None:
        names, characteristic = coordinates.names, 0
    else:
        raise PolygeomError("the text declares no ring; say which network's coordinates the variables are: network=")
    numbers = {name: k for k, name in enumerate(names)}
    generators = [_terms(part, numbers) for part in _parts(text if body is None else body)]
    return names, characteristic, [g for g in generators if g]


def _parts(body: str) -> Iterator[str]:
    """Polynomials: separated by commas, or in a text without commas by lines that do not end in an operator."""
    if "," not in body:
        body = re.sub(r"(?<![+\-*^/\s])[^\S\n]*\n(?=\s*[\w])", ",", body.strip())
    for part in body.split(","):
        plain = re.sub(r"\s+", "", part)
        if plain:
            yield plain


def _terms(text: str, numbers: dict[str, int]) -> Terms:
    if "".join(found := _TERM.findall(text)) != text:
        raise PolygeomError(f"{text!r:.60} is no expanded polynomial; write sums of products such as 2*x^2*y")
    terms: Terms = {}
    for term in found:
        exponents, c = [0] * len(numbers), Fraction(-1 if term[0] == "-" else 1)
        for factor in re.split(r"(?<!\*)\*(?!\*)", term.lstrip("+-")):
            if number := _NUMBER.fullmatch(factor):
                if number[2] is not None and int(number[2]) == 0:
                    raise PolygeomError(f"the coefficient {factor} divides by zero")
                c *= Fraction(int(number[1]), int(number[2] or 1))
            elif (power := _POWER.fullmatch(factor)) and power[1] in numbers:
                exponents[numbers[power[1]]] += _exponent(power[2])
            else:
                raise PolygeomError(
                    f"{factor!r:.40} in {text!r:.60} is neither a number nor a power of a variable of the ring; "
                    "write sums of products such as 2*x^2*y"
                )
        key = tuple(exponents)
        terms[key] = terms.get(key, Fraction(0)) + c
    return {key: value for key, value in terms.items() if value}


def _exponent(text: str | None) -> int:
    exponent = int(text or 1) if len(text or "") < 10 else LARGEST_POWER + 1
    if exponent > LARGEST_POWER:
        raise PolygeomError(f"an exponent may be {LARGEST_POWER} at most, got {text!r:.20}")
    return exponent
