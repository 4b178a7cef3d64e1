"""Quadratic forms on functions, and the equations of the critical points of the distance in coordinates.

All forms are symmetric matrices of fractions in the plain coefficients
(`polygeom.ideal.grading.coordinates.Coordinates`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.ideal.counting.quotient import Polynomial
from polygeom.ideal.counting.theorems import GENERIC, UNIT, WEYL
from polygeom.ideal.grading.coordinates import Coordinates

if TYPE_CHECKING:
    from sympy.polys.rings import PolyElement

FORMS = (GENERIC, UNIT, WEYL)
_LARGEST = 9


def form_matrix(coordinates: Coordinates, form: Any, rng: np.random.Generator) -> np.ndarray:
    """The matrix of a form by its name, or a given matrix checked.

    Parameters
    ----------
    coordinates:
        Of the network.
    form:
        ``"generic"`` (random, positive definite), ``"unit"`` (sum of the squares of the coefficients),
        ``"bombieri-weyl"`` (sum of the squares of the entries of the symmetric tensors), or a symmetric matrix.

    Raises
    ------
    PolygeomError
        For another name, or a matrix that is not symmetric, not of this size, or singular.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> form_matrix(Coordinates("[2,2,1] r=2"), "bombieri-weyl", rng).diagonal().tolist()
    [Fraction(1, 1), Fraction(1, 2), Fraction(1, 1)]
    """
    size = len(coordinates.entries)
    if not isinstance(form, str):
        return _checked(form, size)
    if form == UNIT:
        return _diagonal([Fraction(1)] * size)
    if form == WEYL:
        return _diagonal([Fraction(1, factor) for factor in coordinates.factors])
    if form == GENERIC:
        roots = [math.isqrt(4 * factor) for factor in coordinates.factors]
        entries = rng.integers(-_LARGEST, _LARGEST + 1, size=(size, 2 * size)).astype(object)
        rows = np.array([[Fraction(2 * int(c), root) for c in row] for row, root in zip(entries, roots, strict=True)])
        product: np.ndarray = rows @ rows.T
        return product
    raise PolygeomError(f"form must be one of {', '.join(FORMS)}, or a symmetric matrix, got {form!r:.40}")


def _diagonal(entries: Sequence[Fraction]) -> np.ndarray:
    form = np.full((len(entries), len(entries)), Fraction(0), dtype=object)
    form[range(len(entries)), range(len(entries))] = entries
    return form


def _checked(form: Any, size: int) -> np.ndarray:
    matrix = np.array(form, dtype=object)
    if matrix.shape != (size, size):
        raise PolygeomError(f"form must be a matrix of {size} rows and columns, got shape {matrix.shape}")
    exact = np.array([[fraction(c) for c in row] for row in matrix], dtype=object)
    if (exact != exact.T).any() or _singular(exact):
        raise PolygeomError("form must be symmetric and not singular; write for example the identity matrix")
    return exact


def _fraction(c: Any) -> Fraction:
    return fraction(c)


def fraction(c: Any) -> Fraction:
    """A number exactly; floats are dyadic fractions."""
    try:
        return Fraction(c.item() if isinstance(c, np.generic) else c)
    except (TypeError, ValueError, OverflowError):
        raise PolygeomError(f"entries must be finite real numbers, got {c!r:.40}; write 1/2 or 0.5") from None


def _singular(matrix: np.ndarray) -> bool:
    import flint

    rows = [[flint.fmpq(c.numerator, c.denominator) for c in map(Fraction, row)] for row in matrix.tolist()]
    return bool(flint.fmpq_mat(rows).rank() < len(rows))


def critical_equations(
    generators: Sequence[PolyElement], codimension: int, form: np.ndarray, p: int, rng: np.random.Generator
) -> list[Polynomial]:
    """Equations mod p in coefficients and multipliers, whose solutions are the critical points for a random target.

    At a critical point ``c`` the covector ``Q (c - u)`` is a combination of the differentials of the equations of the
    neurovariety. Where it is smooth, ``codimension`` random combinations of its equations have independent
    differentials that span all of them; so the solutions ``(c, λ)`` of ``f(c) = 0`` for every equation and ``Q (c - u)
    = Σ λ_j dh_j(c)`` are the critical points. For a generic target none lies where the differentials become dependent,
    singular points included.

    Parameters
    ----------
    generators:
        Homogeneous generators of the ideal, in the plain coordinates, over the rationals.
    codimension:
        Of the neurovariety.
    form:
        Matrix of the quadratic form.
    p:
        The prime.
    """
    ring = generators[0].ring
    top = max(max(map(sum, f)) for f in generators)
    linear = [sum((int(c) * x for c, x in zip(rng.integers(1, p, ring.ngens), ring.gens, strict=True)), ring.zero)
              for _ in range(2)]  # fmt: skip
    raised = [f * (linear[k % 2] ** (top - max(map(sum, f)))) for k, f in enumerate(generators)]
    combinations = [
        sum((int(c) * f for c, f in zip(rng.integers(1, p, len(raised)), raised, strict=True)), ring.zero)
        for _ in range(codimension)
    ]
    target = [int(u) for u in rng.integers(1, p, ring.ngens)]
    equations: list[Polynomial] = [_modular({(*m, *[0] * codimension): c for m, c in f.items()}, p) for f in generators]
    for i in range(ring.ngens):
        row = [Fraction(c) for c in form[i]]
        terms: dict[tuple[int, ...], Any] = {(0,) * (ring.ngens + codimension): -sum(map(_times, row, target))}
        for j, c in enumerate(row):
            if c:
                terms[tuple(int(k == j) for k in range(ring.ngens + codimension))] = c
        for j, h in enumerate(combinations):
            for m, c in h.diff(i).items():
                terms[(*m, *(int(k == j) for k in range(codimension)))] = -c
        equations.append(_modular(terms, p))
    return equations


def _times(a: Fraction, b: int) -> Fraction:
    return a * b


def _modular(terms: dict[tuple[int, ...], Any], p: int) -> Polynomial:
    return {m: int(c.numerator) * pow(int(c.denominator), -1, p) % p for m, c in terms.items()}
