"""Ideals from other systems: the files that `polygeom.exchange.export` writes, and what the systems print themselves.

Nothing in a file is run. The text of a system is a list of statements: one ring, polynomials that get names, one ideal.
Everything else, and every ring that is no polynomial ring over the rationals or a prime field, is refused by its name:
what is not understood could change what the polynomials mean. The readers are in `polygeom.exchange.readers`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.exchange.expressions import Ring, Terms
from polygeom.exchange.mrdi import read_mrdi
from polygeom.exchange.readers.macaulay2 import Macaulay2
from polygeom.exchange.readers.magma import Magma
from polygeom.exchange.readers.msolve import Msolve, is_msolve, is_solver_output
from polygeom.exchange.readers.oscar import Oscar
from polygeom.exchange.readers.plain import Plain
from polygeom.exchange.readers.reader import Reader
from polygeom.exchange.readers.sage import Sage
from polygeom.exchange.readers.singular import Singular
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.network import Network
from polygeom.storage.reading import read_text

if TYPE_CHECKING:
    from sympy.polys.rings import PolyElement, PolyRing

LONGEST = 200_000_000
"""Largest number of characters."""

READERS: Mapping[str, type[Reader]] = {
    "m2": Macaulay2,
    "singular": Singular,
    "oscar": Oscar,
    "sage": Sage,
    "magma": Magma,
    "msolve": Msolve,
    "plain": Plain,
}
"""Readers by the name of their language."""

_SAGE = (r"\bPolynomialRing\s*\(", r"\.<", r"^\s*\w+\s*=\s*(QQ|GF\s*\(\d+.*?\))\s*\[\s*['\"]", r"\w+\.ideal\s*\(")
_OSCAR = (
    r"\bpolynomial_ring\s*\(",
    r"\busing\s+(Oscar|Singular|AbstractAlgebra)",
    r"^\s*\w+\s*,\s*[\w(\[].*=\s*PolynomialRing",
)
_SIGNS: tuple[tuple[str, str], ...] = (
    ("magma", r":=.*(PolynomialRing|PolynomialAlgebra|ideal\s*<)|\bideal\s*<|\bquo\s*<"),
    ("oscar", "|".join(_OSCAR)),
    ("sage", "|".join((*_SAGE, "Multivariate Polynomial Ring"))),
    ("singular", r"^\s*(ring|qring)\b|^\s*(ideal|poly)\s+\w+\s*=|^\s*\w+\[\d+\]\s*="),
    ("m2", r"\b(QQ|ZZ|GF|RR|CC)\b|^\s*\w+\s*=\s*\w+\s*\[|\bideal\b|\bmatrix\b|\bmonomialIdeal\b|^\s*use\s"),
)
"""What tells a language, tried in this order."""


MOST_PARTS = 30_000
"""Commas, semicolons and lines of a text that is read; it takes about a millisecond for each generator."""


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
    language:
        The name of the language, as in `READERS`, or ``"mrdi"``.
    """

    ring: PolyRing
    polynomials: tuple[PolyElement, ...]
    characteristic: int = 0
    language: str = ""


def read_ideal(text: str, network: Network | str | None = None, *, language: str | None = None) -> Equations:
    """Generators of an ideal, as another system, or polygeom, has written it.

    Parameters
    ----------
    text:
        A ring and an ideal in the words of Macaulay2, Singular, Sage, OSCAR, Magma or msolve, what these print, a
        document of the ``.mrdi`` format (an ideal, a polynomial, a vector of polynomials), or polynomials separated by
        commas or lines. Indexed variables ``x_1``, ``x(1)``, ``x[1]`` are called ``x_1``.
    network:
        The network whose plain coordinates the variables are; needed if the text declares no ring. The variables may
        come in any order.
    language:
        One of `READERS` or ``"mrdi"``; recognised if None.

    Raises
    ------
    PolygeomError
        For anything in the text that is not understood, by its name and line; if the ring is none over the rationals or
        a prime field; if its variables are not the coordinates of the network.

    Examples
    --------
    >>> read_ideal("ring r = 0, (x,y), dp; ideal I = 1/2*x^2 - y, 3*x*y;").polynomials
    (1/2*x**2 - y, 3*x*y)
    >>> read_ideal("kk = ZZ/101; R = kk[x_1..x_3]; I = ideal(x_1*x_3-x_2^2)").ring.symbols
    (x_1, x_2, x_3)
    >>> read_ideal("c1x11^2-4*c1x20*c1x02", "[2,1,1] r=2").polynomials
    (c1x11**2 - 4*c1x20*c1x02,)
    """
    if len(text) > LONGEST:
        raise PolygeomError(f"text may have {LONGEST} characters, got {len(text)}; split it")
    if language is not None and language not in (*READERS, "mrdi"):
        raise PolygeomError(f"language must be one of {', '.join(READERS)}, mrdi, got {language!r:.40}; write 'm2'")
    coordinates = None if network is None else Coordinates(network)  # type: ignore[arg-type]
    language = recognise(text) if language is None else language
    parts = sum(map(text.count, ",;\n"))
    if language != "mrdi" and parts > MOST_PARTS:
        raise PolygeomError(f"an ideal may have {MOST_PARTS} generators and lines, this text has {parts}; write fewer")
    ring, generators = _read(text, language, coordinates)
    target = _ring(ring.names) if coordinates is None else coordinates.ring
    known = {name: k for k, name in enumerate(map(str, target.symbols))}
    if unknown := [name for name in ring.names if name not in known]:
        raise PolygeomError(f"{unknown[0]!r:.40} is no coordinate of {network}; write {target.symbols[0]}, …")
    order = [known[name] for name in ring.names]
    polynomials = (_polynomial(terms, target, order, ring.characteristic) for terms in generators)
    return Equations(target, tuple(f for f in polynomials if f), ring.characteristic, language)


def recognise(text: str) -> str:
    """The language of a text: one of `READERS`, or ``"mrdi"``.

    Examples
    --------
    >>> recognise("R.<x,y> = QQ[]\\nI = R.ideal(x)"), recognise("x,y\\n0\\nx^2-y"), recognise("x^2 - y")
    ('sage', 'msolve', 'plain')
    """
    if text.lstrip().startswith("{"):
        return "mrdi"
    if is_solver_output(text):
        raise PolygeomError(
            "msolve: these are solutions and not an ideal; write the input file, or print a basis with -g 2"
        )
    if is_msolve(text):
        return "msolve"
    return next((name for name, sign in _SIGNS if re.search(sign, text, re.MULTILINE)), "plain")


def read_ideal_file(
    path: str | Path, network: Network | str | None = None, *, language: str | None = None
) -> Equations:
    """`read_ideal` of a file.

    Raises
    ------
    PolygeomError
        Also if it cannot be opened or is no text.
    """
    return read_ideal(read_text(path, "ideal"), network, language=language)


def _read(text: str, language: str, coordinates: Coordinates | None) -> tuple[Ring, Sequence[Terms]]:
    if language == "mrdi":
        names, characteristic, generators = read_mrdi(text)
        return Ring(names, characteristic), generators
    reader = READERS[language]
    if language != "msolve" and (lines := _exponent_lines(text)):
        raise PolygeomError(
            f"{reader.system}, line {lines}: the exponents stand on a line of their own (two-dimensional print); print "
            "toString I in Macaulay2"
        )
    found = reader(text, None if coordinates is None else Ring(coordinates.names)).read()
    return found.ring, found.generators


def _exponent_lines(text: str) -> int | None:
    """The number of the first line of exponents above a line of polynomials."""
    lines = text.splitlines()
    for number, (line, below) in enumerate(pairwise(lines), start=1):
        if re.fullmatch(r"\s*\d[\d\s]*", line) and re.search(r"[A-Za-z)]", below):
            return number
    return None


def _ring(names: Sequence[str]) -> PolyRing:
    from sympy import QQ, Symbol, grevlex
    from sympy.polys.rings import PolyRing

    return PolyRing([Symbol(name) for name in names], QQ, grevlex)


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
