"""Perceptrons whose dimension is a theorem, whatever their size: no rank has to be computed.

Every rule here is an equality. Some carry a network to a smaller one of which the dimension is known:

idle layer, surplus
    as in `polygeom.dimensions.bounds.rules.reductions`.
a layer of width 1
    ``F_o = c_o q^R`` with ``q`` in ``V(d_0..d_k)``, ``d_k = 1``, and any constants ``c``; scaling ``q`` scales the
    constants. So dim = dim(d_0..d_k) + d_L - 1.
fewer forms than inputs
    ``d_1 < d_0``, ``r_1 ≥ 2``: dim = d_1 (d_0 - d_1) + dim(d_1, d_1, …, d_L). A generic function depends on all of the
    ``d_1`` linear forms, as ``(Σ_j ℓ_j^{r_1})^{r_2 ⋯}`` does, so it determines the space that they span, a point of a
    Grassmannian.
more outputs than features
    ``d_L > w = d_{L-1}``, and the ``w`` features are linearly independent (`feature_span`): dim = dim(d_0..w, w) + (d_L
    - w) w. The first ``w`` outputs span the features, and the others lie in their span.

The others end the chain: linear maps, matrices of bounded rank, one input, quadratic forms of bounded rank, sums of
powers (Alexander, Hirschowitz), and the theorems of `identifying_theorems`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from polygeom.dimensions.bounds.architecture import feature_span
from polygeom.dimensions.bounds.rules.closed.veronese import DEFECTIVE
from polygeom.dimensions.counts import (
    Degrees,
    Widths,
    output_degree,
    parameter_count,
    without_idle_layers,
    without_surplus,
)
from polygeom.network.limits import capped_monomials

USEVICH = "arXiv 2506.17093"
FINKEL = "arXiv 2408.04569"
HIRSCHOWITZ = "Alexander and Hirschowitz"

Known = tuple[int, str]
"""A dimension and the theorems it follows from."""


def exact_dimension(widths: Widths, degrees: Degrees) -> Known | None:
    """The dimension of a perceptron where the theorems listed above give it, with their names; else None.

    Examples
    --------
    >>> exact_dimension((20000, 2, 1), (2,))
    (39999, 'quadratic forms of bounded rank')
    >>> exact_dimension((300, 300, 10), (2,))
    (92700, 'non-increasing widths, arXiv 2506.17093 Corollary 16')
    >>> exact_dimension((5, 5, 5, 1), (2, 2)) is None
    True
    """
    while (smaller := _without_idle_and_surplus(widths, degrees)) != (widths, degrees):
        widths, degrees = smaller
    return _final(widths, degrees) or _reduced(widths, degrees)


def _without_idle_and_surplus(widths: Widths, degrees: Degrees) -> tuple[Widths, Degrees]:
    shorter = without_idle_layers(widths, degrees)
    return without_surplus(*shorter), shorter[1]


def _final(widths: Widths, degrees: Degrees) -> Known | None:
    n, s, m = widths[0], widths[1], widths[-1]
    if not degrees:
        return n * m, "linear maps"
    if n == 1:
        return m, "one input"
    if degrees == (1,):
        return s * (n + m - s), "matrices of bounded rank"
    if len(widths) == 3 and m == 1:
        if degrees[0] == 2:
            return (s * n - s * (s - 1) // 2 if s < n else n * (n + 1) // 2), "quadratic forms of bounded rank"
        count = capped_monomials(n, degrees[0], s * n)  # at most s n
        return DEFECTIVE.get((n, s, degrees[0]), count), HIRSCHOWITZ
    free = parameter_count(widths) - sum(widths[1:-1])
    coefficients = m * capped_monomials(n, output_degree(degrees), free)
    if free <= coefficients:
        return next(((free, theorem) for theorem in identifying_theorems(widths, degrees)), None)
    return next(((coefficients, theorem) for theorem in _expected_theorems(widths, degrees)), None)


def _reduced(widths: Widths, degrees: Degrees) -> Known | None:
    s, m, w = widths[1], widths[-1], widths[-2]
    if 1 in widths[1:-1]:
        k = widths.index(1, 1)
        return _plus(m - 1, "a layer of width 1", exact_dimension(widths[: k + 1], degrees[: k - 1]))
    fewer, constant = fewer_inputs(widths, degrees)
    if constant:
        return _plus(constant, f"functions of {s} linear forms", exact_dimension(fewer, degrees))
    if m > w and feature_span(widths, degrees) == w:
        return _plus((m - w) * w, f"outputs in the span of {w} features", exact_dimension((*widths[:-1], w), degrees))
    return None


def fewer_inputs(widths: Widths, degrees: Degrees) -> tuple[Widths, int]:
    """By the rule *fewer forms than inputs* a network whose dimension is less by the constant that comes with it.

    >>> fewer_inputs((20000, 2, 1), (2,)), fewer_inputs((2, 3, 1), (2,))
    (((2, 2, 1), 39996), ((2, 3, 1), 0))
    """
    n, s = widths[:2]
    return ((s, *widths[1:]), s * (n - s)) if s < n and degrees and degrees[0] > 1 else (widths, 0)


def _plus(constant: int, reason: str, part: Known | None) -> Known | None:
    return None if part is None else (constant + part[0], f"{reason}; {part[1]}")


def identifying_theorems(widths: Widths, degrees: Degrees) -> Iterator[str]:
    """The theorems that give the dimension ``parameters - hidden neurons``, if the ambient dimension is not smaller.

    >>> list(identifying_theorems((3, 3, 3), (2,)))[:2]
    ['equal widths, arXiv 2408.04569', 'non-increasing widths, arXiv 2506.17093 Corollary 16']
    """
    if not degrees:
        yield "linear map"
        return
    if min(degrees) < 2:
        return
    yield from _expected_theorems(widths, degrees)
    if min(widths[:-1]) < 2:
        return
    if all(a >= b for a, b in pairwise(widths[:-1])) and (widths[-1] > 1 or degrees[-1] > 2):
        yield f"non-increasing widths, {USEVICH} Corollary 16"
    if all(_pair_identifiable(widths, layer, r) for layer, r in enumerate(degrees, start=1)):
        yield f"localisation to pairs of layers, {USEVICH} Theorem 11"


def _expected_theorems(widths: Widths, degrees: Degrees) -> Iterator[str]:
    """Those that give the expected dimension, be it that or the ambient one."""
    if min(degrees) < 2:
        return
    if len(set(widths)) == 1 and len(set(degrees)) == 1:
        yield f"equal widths, {FINKEL}"
    if min(widths[:-1]) >= 2 and all(r >= 2 * d - 1 for d, r in zip(widths[1:], degrees, strict=False)):
        yield f"activation degrees of at least 2d - 1, {USEVICH} Corollary 17"


def _pair_identifiable(widths: Widths, layer: int, r: int) -> bool:
    """Proposition 12: ``(n, d, m)`` with ``n`` the narrowest width so far and ``r (min(n,d) - 1) ≥ 2d - min(d,m)``."""
    n, d, m = min(widths[:layer]), widths[layer], widths[layer + 1]
    return r * (min(n, d) - 1) >= 2 * d - min(d, m)
