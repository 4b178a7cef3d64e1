"""Equations as text for other systems: Macaulay2, Singular, OSCAR, Sage, and the ``.mrdi`` file format."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from polygeom.errors import PolygeomError
from polygeom.exchange.mrdi import write_mrdi
from polygeom.ideal.result import IdealResult

if TYPE_CHECKING:
    from sympy.polys.rings import PolyElement


def export(result: IdealResult, language: str) -> str:
    """The ring of the coordinates and the ideal of the generators, as text of another system.

    Parameters
    ----------
    result:
        Equations, over the rationals or a prime field.
    language:
        ``"m2"`` (Macaulay2), ``"singular"``, ``"oscar"``, ``"sage"``, or ``"mrdi"``: JSON of the ``.mrdi`` format
        (arXiv 2309.00465), as OSCAR 1.4 writes it.

    Returns
    -------
    Text that defines ``R`` and the ideal ``I``; comments name the network and how far the equations are complete.
    `polygeom.exchange.ideals.read_ideal` reads it back.

    Raises
    ------
    PolygeomError
        If the language is not one of these.

    Examples
    --------
    >>> from polygeom.ideal import Neurovariety
    >>> print(export(Neurovariety("[3,2,1] r=2").ideal(max_degree=3), "singular").splitlines()[2])
    ring R = 0, (c1x200,c1x110,c1x101,c1x020,c1x011,c1x002), dp;
    """
    if language not in LANGUAGES:
        raise PolygeomError(f"language must be one of {', '.join(LANGUAGES)}, got {language!r:.40}; write m2")
    return LANGUAGES[language](result)


def polynomial_text(polynomial: PolyElement, power: str = "^") -> str:
    """A polynomial as sums of products of powers, which every system here reads."""
    names = [str(symbol) for symbol in polynomial.ring.symbols]
    terms = []
    for exponents, c in polynomial.terms():
        factors = [n if e == 1 else f"{n}{power}{e}" for n, e in zip(names, exponents, strict=True) if e]
        c_text = str(c)
        if factors and c_text in ("1", "-1"):
            c_text = c_text[:-1]
        else:
            factors.insert(0, c_text)
            c_text = ""
        terms.append(c_text + "*".join(factors))
    return " + ".join(terms).replace("+ -", "- ") or "0"


def _lines(result: IdealResult, power: str = "^") -> list[str]:
    return [polynomial_text(g.polynomial, power) for g in result.generators] or ["0"]


def _comments(result: IdealResult, mark: str) -> list[str]:
    return [f"{mark} neurovariety of {result.coordinates.network}", f"{mark} {result.completeness}"]


def _joined(lines: list[str]) -> str:
    return ",\n  ".join(lines)


def _macaulay2(result: IdealResult) -> str:
    field = "QQ" if not result.characteristic else f"ZZ/{result.characteristic}"
    names = ",".join(result.coordinates.names)
    return "\n".join(
        [*_comments(result, "--"), f"R = {field}[{names}];", f"I = ideal(\n  {_joined(_lines(result))});", ""]
    )


def _singular(result: IdealResult) -> str:
    names = ",".join(result.coordinates.names)
    return "\n".join(
        [
            *_comments(result, "//"),
            f"ring R = {result.characteristic}, ({names}), dp;",
            f"ideal I =\n  {_joined(_lines(result))};",
            "",
        ]
    )


def _oscar(result: IdealResult) -> str:
    field = "QQ" if not result.characteristic else f"GF({result.characteristic})"
    names = result.coordinates.names
    quoted = ", ".join(f'"{name}"' for name in names)
    return "\n".join(
        [
            *_comments(result, "#"),
            "using Oscar",
            f"R, ({', '.join(names)},) = polynomial_ring({field}, [{quoted}])",
            f"I = ideal(R, [\n  {_joined(_lines(result))}])",
            "",
        ]
    )


def _sage(result: IdealResult) -> str:
    field = "QQ" if not result.characteristic else f"GF({result.characteristic})"
    names = ",".join(result.coordinates.names)
    return "\n".join(
        [
            *_comments(result, "#"),
            f'R = PolynomialRing({field}, "{names}", order="degrevlex")',
            "R.inject_variables(verbose=False)",
            f"I = R.ideal([\n  {_joined(_lines(result, '**'))}])",
            "",
        ]
    )


LANGUAGES: dict[str, Callable[[IdealResult], str]] = {
    "m2": _macaulay2,
    "singular": _singular,
    "oscar": _oscar,
    "sage": _sage,
    "mrdi": write_mrdi,
}
"""Writers by the name of their language."""
