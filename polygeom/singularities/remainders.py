"""What one degenerate neuron leaves modulo the tangent space of the live subnetwork, and its threshold.

One hidden layer with ``n`` inputs, ``c`` outputs, activation ``x ↦ x^r`` and ``g`` live neurons ``v_i ⊗ w_i^r`` with
linearly independent ``w_i``, which a linear change of the inputs makes ``x_1, …, x_g``. Modulo the tangent space
``R^c ⊗ x_i^r + v_i ⊗ x_i^{r-1} R^n`` the coefficients of ``x^α`` remain: all of them where ``α_i ≤ r - 2`` for every
live ``i``; those transverse to ``v_i`` for ``x_i^{r-1} x_j``. Higher terms of the live functions are multiples of these
by functions that vanish, because the torus that scales the inputs acts on everything (*Learning coefficients* has the
proof). So the remainder is a monomial ideal:

- a dead neuron ``v ⊗ w^r``: ``v w^α``; a deaf one: ``w^α``;
- a copy of neuron 1, its incoming weights differing by ``δ``: ``δ_a δ_b``; a silent copy: ``v δ^β``.

For several outputs ``v`` is put into polar coordinates: ``σ`` is its length, ``ζ`` its part transverse to ``v_1``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from polygeom._dataclass import dataclass
from polygeom.singularities.defects import COPY, DEAD, DEAF, SHADOW, Defect, general_position, parallel
from polygeom.singularities.polyhedra import Exponents, monomial_threshold
from polygeom.singularities.ranks import Matrix, doubly_vanishing, independent, monomials, only_double_points
from polygeom.singularities.threshold import Threshold, coordinates

TORUS = "monomial remainder modulo the tangent space of independent live neurons"
POINTS = "the forms that vanish doubly at the live neurons cut out nothing else"


@dataclass(frozen=True, slots=True)
class Remainder:
    """What a defect leaves: its threshold, the number of coefficients that are not tangent, and why."""

    threshold: Threshold
    conditions: int
    reason: str


def remainder(defect: Defect, rows: Matrix, outgoing: Matrix, degree: int, origin: int) -> Remainder | None:
    """What one defect leaves modulo the tangent space; None where no theorem here applies.

    Parameters
    ----------
    defect:
        One of the kinds dead, deaf, copy, silent copy.
    rows, outgoing:
        Incoming weights ``(g, n)`` and outgoing weights ``(g, c)`` of the live neurons of its layer.
    degree:
        ``r ≥ 2``.
    origin:
        The live neuron that a copy copies, an index of ``rows``.
    """
    outputs = len(defect.outgoing[0]) if defect.outgoing else len(outgoing[0]) if outgoing else 0
    inputs = len(rows[0]) if rows else 0
    if defect.kind == COPY and (defect.members > 2 or parallel(*map(list, defect.outgoing)) is None):
        return None
    if not rows:
        return None
    if independent(rows) and _positions(outgoing, outputs, degree):
        first = _first(defect, outgoing, origin)
        if degree == 2 and outputs > 2 and first is None and not independent([*outgoing, [*defect.outgoing[0]]]):
            return None
        chart = _Chart(inputs, len(rows), outputs, degree, first is not None)
        return Remainder(chart.threshold(defect.kind), chart.conditions, TORUS)
    if outputs == 1 and only_double_points(rows, degree):
        return Remainder(_double(defect.kind, inputs, degree), len(doubly_vanishing(rows, degree)), POINTS)
    return None


def _positions(outgoing: Matrix, outputs: int, degree: int) -> bool:
    """Outgoing weights in the position that the monomial ideals need."""
    if outputs == 1:
        return all(any(v) for v in outgoing)
    return general_position(outgoing) and (degree > 2 or outputs == 2 or len(outgoing) <= 2)


def _first(defect: Defect, outgoing: Matrix, origin: int) -> int | None:
    """The live neuron whose outgoing weights those of the defect may approach: number 1 of the chart."""
    if defect.kind in (COPY, SHADOW):
        return origin
    if defect.kind == DEAD:
        return 0
    found = [i for i, v in enumerate(outgoing) if parallel(v, list(defect.outgoing[0])) is not None]
    return found[0] if found else None


class _Chart:
    """The monomial ideals for live neurons ``x_1, …, x_g``; neuron 1 is the one that ``v`` is nearly parallel to.

    Variables: ``σ``, ``ζ_1, …, ζ_{c-1}``, then ``w_1, …, w_n`` or ``δ_2, …, δ_n`` in places ``1, …, n``.
    """

    def __init__(self, inputs: int, live: int, outputs: int, degree: int, near: bool) -> None:
        self.inputs, self.live, self.outputs, self.degree, self.near = inputs, live, outputs, degree, near

    def threshold(self, kind: str) -> Threshold:
        """That of a kind of defect."""
        scaled, shifted = kind in (DEAD, SHADOW), kind in (COPY, SHADOW)
        found = set()
        for front, alpha in self._remaining():
            if shifted:  # the coordinate along the copied neuron is 1, and what is linear in δ needs ζ
                alpha = (0, *alpha[1:])
                if not any(front) and sum(alpha) < 2:
                    continue
            found.add((int(scaled), *front, *alpha))
        if not found:
            return coordinates(0)
        used = [i for i in range(1 + self.outputs - 1 + self.inputs) if any(one[i] for one in found)]
        measure = [self.outputs if i == 0 else 1 for i in used]
        return monomial_threshold([tuple(one[i] for i in used) for one in found], measure)

    @property
    def conditions(self) -> int:
        """How many coefficients are not tangent to the live functions, outputs counted."""
        n, g, c = self.inputs, self.live, self.outputs
        steep = (c - 1) * (g * (n - g) if self.degree == 2 else g * (n - 1))
        inner = sum(max(a[:g], default=0) <= self.degree - 2 for a in monomials(n, self.degree))
        return c * inner + steep + (max(c - 2, 0) * math.comb(g, 2) if self.degree == 2 else 0)

    def _remaining(self) -> Iterator[tuple[Exponents, Exponents]]:
        """Exponents of ``ζ`` and of the monomials whose coefficients are not tangent."""
        plain = (0,) * (self.outputs - 1)
        for alpha in monomials(self.inputs, self.degree):
            steep = [i for i in range(self.live) if alpha[i] >= self.degree - 1]
            if not steep:
                yield plain, alpha
            elif self.outputs == 1 or max(alpha) == self.degree:
                continue
            elif len(steep) > 1:  # of degree 2, two live neurons: transverse to both of their outgoing weights
                for k in range(1, self.outputs - 1):
                    yield tuple(int(i == k and self.near) for i in range(self.outputs - 1)), alpha
            elif steep[0] == 0 and self.near:
                for k in range(self.outputs - 1):
                    yield tuple(int(i == k) for i in range(self.outputs - 1)), alpha
            else:
                yield plain, alpha


def _double(kind: str, inputs: int, degree: int) -> Threshold:
    """Near a live direction the remainder is ``ρ^r v (y_2, …, y_n)²`` in polar coordinates of ``w``."""
    scaled, polar = kind in (DEAD, SHADOW), kind in (DEAD, DEAF)
    head: tuple[int, ...] = ((1,) if scaled else ()) + ((degree,) if polar else ())
    measure = ([1] if scaled else []) + ([inputs] if polar else []) + [1] * (inputs - 1)
    if inputs == 1:
        return coordinates(0)
    return monomial_threshold([(*head, *alpha) for alpha in monomials(inputs - 1, 2)], measure)


def alone(defect: Defect, inputs: int, outputs: int, degree: int) -> Threshold | None:
    """The threshold of one neuron without live ones beside it, at zero: ``v ⊗ w^r`` with ``v`` or ``w`` zero."""
    deaf = Threshold(Fraction(inputs, 2 * degree))
    if defect.kind == DEAD:
        return coordinates(outputs).product(deaf)
    return deaf if defect.kind == DEAF else None


def ceiling(defect: Defect, inputs: int, outputs: int, degree: int) -> Fraction:
    """An upper bound for what a defect adds: its contribution lies in an ideal of this threshold."""
    half = Fraction(1, 2)
    if defect.kind == DEAD:
        return min(outputs * half, Fraction(inputs, 2 * degree))
    if defect.kind == DEAF:
        return Fraction(inputs, 2 * degree)
    if defect.kind in (COPY, SHADOW):
        close = (inputs - 1) * (
            half / 2 if (outputs == 1 and defect.members == 2) or (defect.kind == SHADOW and outputs == 1) else half
        )
        return close if defect.kind == COPY else min(outputs * half, close)
    if defect.kind == "cancelling":
        return (outputs + (defect.members - 1) * (inputs - 1)) * half
    return outputs * half


def flat_directions(defect: Defect, inputs: int, outputs: int) -> int:
    """Dimension of the weights of the defect that compute the same: a manifold through the given ones."""
    return {
        DEAD: max(inputs, outputs),
        DEAF: outputs,
        COPY: outputs + 1,
        SHADOW: max(outputs + 1, inputs),
        "cancelling": (defect.members - 1) * outputs + defect.members + inputs - 1,
    }.get(defect.kind, inputs)


def all_deaf(vectors: Sequence[Sequence[Fraction]], inputs: int, degree: int) -> Threshold | None:
    """All neurons of the one hidden layer deaf: ``Σ v_j ⊗ w_j^r`` at ``w = 0``, where the ``v_j`` keep its terms apart.

    Either they are linearly independent, or there is one output, they have one sign and the degree is even.
    """
    one_sign = len(vectors[0]) == 1 and len({v[0] > 0 for v in vectors}) == 1 and degree % 2 == 0
    if one_sign or independent([list(v) for v in vectors]):
        return Threshold(Fraction(len(vectors) * inputs, 2 * degree))
    return None
