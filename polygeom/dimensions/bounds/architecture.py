"""What the rules for perceptrons have in common: counts, spans of features, orbits and parts of an architecture.

Notation of all rules: ``V(d_0..d_L; r_1..r_{L-1})`` is the neurovariety, dim its affine dimension, ``M(n, e) =
C(n+e-1, e)``; the features of a layer are its activations.
"""

from __future__ import annotations

from collections.abc import Sequence

from polygeom.dimensions.bounds.bound import Case
from polygeom.dimensions.counts import Degrees, Widths, monomials, parameter_count

_DEEP = 16


def parameters_bound(widths: Widths, degrees: Degrees) -> int:
    """Parameters minus the dimension of the symmetry orbits; see the rule *parameters*."""
    gauge = 0
    for k, r in enumerate(degrees, start=1):
        d = widths[k]
        gauge += d * d if r == 1 and d < min(widths[k - 1], widths[k + 1]) else d
    return parameter_count(widths) - gauge


def feature_span(widths: Widths, degrees: Degrees) -> int:
    """A proved lower bound for the span of the last hidden layer's activations, at generic weights.

    The first layer's ``d_1`` generic linear forms have ``min(d_1, M(d_0, r_1))`` independent powers, because the
    Veronese variety spans its space. If a layer's activations span ``m`` dimensions, the ``r``-th powers of generic
    elements of that span generate the space of all products of ``r`` of them, whose dimension is at least ``r (m - 1)
    + 1`` (Hopf), so the next layer's span at least ``min(d_l, r (m - 1) + 1)``.

    >>> feature_span((4, 5, 3), (2,))
    5
    """
    if not degrees:
        return widths[0]
    span = min(widths[1], monomials(widths[0], degrees[0]))
    for width, r in zip(widths[2:], degrees[1:], strict=False):
        span = min(width, r * (span - 1) + 1)
    return span


def below(widths: Widths, degrees: Degrees, k: int) -> Case:
    """The network that computes the pre-activations of layer k."""
    return widths[: k + 1], degrees[: k - 1]


def orbit(widths: Widths, degrees: Degrees, k: int) -> int:
    """Dimension of the orbits of what layer k lets pass: its torus, or GL(d_k) where it has no activation."""
    mixed = degrees[k - 1] == 1 and widths[k] <= feature_span(*below(widths, degrees, k))
    return widths[k] ** 2 if mixed else widths[k]


def layers_to_try(widths: Widths) -> Sequence[int]:
    """All hidden layers of a shallow network, the eight narrowest of a deep one, the narrowest of a very deep one."""
    hidden = range(1, len(widths) - 1)
    if len(widths) <= _DEEP:
        return hidden
    return sorted(sorted(hidden, key=widths.__getitem__)[: 8 if len(widths) <= 2 * _DEEP else 1])
