"""Equations as text for other systems: Macaulay2, Singular, OSCAR, Sage, Magma, msolve, and the ``.mrdi`` file format.

What a system cannot read is refused here and not there. Singular reads primes below 2^31; Macaulay2 prints wrong
residues above 2^32; msolve computes modulo primes below 2^31, takes ``x*x`` for ``x``, reads no fractions modulo a
prime, and has no word for the zero ideal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from polygeom.checks import choice
from polygeom.errors import PolygeomError
from polygeom.exchange.mrdi import write_mrdi
from polygeom.ideal.result import IdealResult
from polygeom.modular import is_prime

if TYPE_CHECKING:
    from sympy.polys.rings import PolyElement


def export(result: IdealResult, language: str) -> str:
    """The ring of the coordinates and the ideal of the generators, as text of another system.

    Parameters
    ----------
    result:
        Equations, over the rationals or a prime field.
    language:
        ``"m2"`` (Macaulay2), ``"singular"``, ``"oscar"``, ``"sage"``, ``"magma"``, ``"msolve"``, or ``"mrdi"``: JSON of
        the ``.mrdi`` format (arXiv 2309.00465), as OSCAR 1.4 writes it.

    Returns
    -------
    Text that defines ``R`` and the ideal ``I``; comments name the network and how far the equations are complete.
    `polygeom.exchange.ideals.read_ideal` reads it back.

    Raises
    ------
    PolygeomError
        If the language is not one of these, or the system would read something else.

    Examples
    --------
    >>> from polygeom.ideal import Neurovariety
    >>> print(export(Neurovariety("[3,2,1] r=2").ideal(max_degree=3), "singular").splitlines()[2])
    ring R = 0, (c1x200,c1x110,c1x101,c1x020,c1x011,c1x002), dp;
    """
    choice("language", language, LANGUAGES, "m2")
    if not hasattr(result, "characteristic"):
        raise PolygeomError(f"result must be an ideal, got {type(result).__name__}; write Neurovariety(…).ideal()")
    p, most = result.characteristic, LARGEST_PRIMES.get(language)
    if p and not is_prime(p):
        raise PolygeomError(f"the characteristic must be 0 or a prime, got {p}; compute modulo a prime")
    if most is not None and p >= most[0]:
        raise PolygeomError(f"{language}: {most[1]}, got {p}; compute modulo a smaller prime, or export to oscar")
    return LANGUAGES[language](result)


LARGEST_PRIMES = {
    "singular": (2**31, "Singular reads characteristics below 2^31 only"),
    "m2": (2**32, "Macaulay2 prints wrong residues above 2^32"),
    "msolve": (2**31, "msolve computes modulo primes below 2^31 only"),
}
"""For each system with a limit, the first number that is too large, and why."""


def polynomial_text(polynomial: PolyElement, power: str = "^") -> str:
    """A polynomial as sums of products of powers, which every system here reads."""
    names = [str(symbol) for symbol in polynomial.ring.symbols]
    terms = []
    for exponents, c in polynomial.terms():
        factors = [n if e == 1 else f"{n}{power}{e}" for n, e in zip(names, exponents, strict=True) if e]
        number = str(c)
        if factors and number in ("1", "-1"):
            terms.append(number[:-1] + "*".join(factors))
        else:
            terms.append("*".join([number, *factors]))
    return " + ".join(terms).replace("+ -", "- ") or "0"


def _lines(result: IdealResult, power: str = "^") -> list[str]:
    return [polynomial_text(g.polynomial, power) for g in result.generators] or ["0"]


def _joined(lines: list[str]) -> str:
    return ",\n  ".join(lines)


def _program(result: IdealResult, mark: str, *lines: str) -> str:
    """Lines of a program, under comments that say of what."""
    comments = (f"{mark} neurovariety of {result.coordinates.network}", f"{mark} {result.completeness}")
    return "\n".join([*comments, *lines, ""])


def _field(result: IdealResult, rationals: str = "QQ") -> str:
    return f"GF({result.characteristic})" if result.characteristic else rationals


def _macaulay2(result: IdealResult) -> str:
    field = "QQ" if not result.characteristic else f"ZZ/{result.characteristic}"
    names = ",".join(result.coordinates.names)
    lines = _lines(result) if result.generators else ["0_R"]  # 0 alone would make an ideal of the integers
    return _program(result, "--", f"R = {field}[{names}];", f"I = ideal(\n  {_joined(lines)});")


def _singular(result: IdealResult) -> str:
    ring = f"ring R = {result.characteristic}, ({','.join(result.coordinates.names)}), dp;"
    return _program(result, "//", ring, f"ideal I =\n  {_joined(_lines(result))};")


def _oscar(result: IdealResult) -> str:
    names = result.coordinates.names
    quoted = ", ".join(f'"{name}"' for name in names)
    ring = f"R, ({', '.join(names)},) = polynomial_ring({_field(result)}, [{quoted}])"
    return _program(result, "#", "using Oscar", ring, f"I = ideal(R, [\n  {_joined(_lines(result))}])")


def _sage(result: IdealResult) -> str:
    names = ",".join(result.coordinates.names)
    ring = f'R = PolynomialRing({_field(result)}, "{names}", order="degrevlex")'
    ideal = f"I = R.ideal([\n  {_joined(_lines(result, '**'))}])"
    return _program(result, "#", ring, "R.inject_variables(verbose=False)", ideal)


def _magma(result: IdealResult) -> str:
    names = result.coordinates.names
    ring = f'PolynomialRing({_field(result, "RationalField()")}, {len(names)}, "grevlex")'
    return _program(result, "//", f"R<{','.join(names)}> := {ring};", f"I := ideal<R |\n  {_joined(_lines(result))}>;")


def _msolve(result: IdealResult) -> str:
    if not result.generators:
        raise PolygeomError("msolve has no word for the zero ideal; export to another system")
    p = result.characteristic
    lines = [polynomial_text(_integral(g.polynomial, p)) for g in result.generators]
    return "\n".join([",".join(result.coordinates.names), str(p), ",\n".join(lines), ""])


def _integral(polynomial: PolyElement, p: int) -> PolyElement:
    """A multiple with integer coefficients; residues from 1 to p - 1 in a prime field."""
    cleared = polynomial.clear_denoms()[1]
    if not p:
        return cleared
    ring = cleared.ring
    return ring.from_dict({m: ring.domain(int(c) % p) for m, c in cleared.items() if int(c) % p})


LANGUAGES: dict[str, Callable[[IdealResult], str]] = {
    "m2": _macaulay2,
    "singular": _singular,
    "oscar": _oscar,
    "sage": _sage,
    "magma": _magma,
    "msolve": _msolve,
    "mrdi": write_mrdi,
}
"""Writers by the name of their language."""
