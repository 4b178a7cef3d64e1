"""Proved upper bounds for the dimension of a perceptron's neurovariety, each with the rule that proves it.

`upper_bound` searches all the rules below, recursively, for the smallest bound and returns it as a tree: a `Bound`
names its rule and carries the bounds of smaller architectures that it uses. `check` follows a tree without searching.

Notation: ``V(d_0..d_L; r_1..r_{L-1})`` is the neurovariety, dim its affine dimension, ``M(n, e) = C(n+e-1, e)``.

ambient
    dim ≤ d_L · M(d_0, D), the number of coefficients.
parameters
    dim ≤ P - Σ g_l over hidden layers, g_l = d_l for the scalings of hidden neurons (for r_l = 1 with d_l below
    both neighbours: g_l = d_l², all of GL(d_l)): orbits of a group that leaves the function unchanged.
idle layer
    A hidden layer with r_l = 1 that is not narrower than a neighbour can be removed (equality).
surplus
    A hidden layer with more neurons than its features can span, ``min(M(d_{k-1}, r_k), M(d_0, r_1 ⋯ r_k))``, can be
    narrowed to that width (equality).
cut
    dim ≤ dim(d_0..d_k) + dim(d_k..d_L) - d_k: compose the two parts; the scalings of layer k act on the pairs with
    orbits of dimension d_k (arXiv 1905.12207, arXiv 2605.09609). Where r_k = 1 and the d_k functions are linearly
    independent (`feature_span`), all of GL(d_k) acts and d_k² is subtracted.
lift
    dim ≤ dim(M(d_0, e), d_k, …, d_L), e = r_1 ⋯ r_{k-1}, k ≥ 2: pre-activations of layer k are linear in the
    monomials of degree e.
outputs
    d_L > w = d_{L-1}: dim ≤ (d_L - w) min(w, M(d_0, D)) + dim(d_0..w, w): outputs beyond the first w are linear
    combinations of w features.
inputs
    d_1 < d_0: dim ≤ d_1 (d_0 - d_1) + dim(d_1, d_1, …, d_L): functions of d_1 linear forms; the space they span is
    a point of a Grassmannian.
quadrics
    (d_0, s, 1; 2), s ≤ d_0: dim ≤ s d_0 - s(s-1)/2, quadratic forms of rank ≤ s.
Veronese
    (d_0, s, 1; r): the four defective cases of Alexander and Hirschowitz (J. Algebraic Geom. 4, 1995; list in
    Brambilla, Ottaviani, arXiv math/0701409).
Segre–Veronese
    (d_0, s, d_2; r): (3, 5, 2; 3) (London 1890), (4, 6, 5; 2) and (2k+2, 3k+2, 3; 2) (Ottaviani; see Abo,
    Brambilla, arXiv 0912.4342): one less than the count.
rotations
    d_L = 1, r_{L-1} = 2, s = d_{L-1} at most the span of layer L-2 (`feature_span`): dim ≤ dim(d_0..d_{L-1}) -
    s(s-1)/2. The output is Σ q_i² for the pre-activations q (scale each by a square root of its last weight); the
    orthogonal group O(s) mixes the q_i, stays in V(d_0..d_{L-1}) because their layer is linear, leaves the output
    unchanged, and acts with finite stabilisers when q_1..q_s are linearly independent, which they are for generic
    weights by the span condition.
hypersurface
    The features of layer k ≥ 1 (its activations) are forms of degree e = r_{i+1} ⋯ r_k in the features of a layer i <
    k (i = 0: the inputs). If d_k = n + 1 with n = d_i, they satisfy an equation of degree δ ≤ e^{n-1}: the image of a
    rational map from P^{n-1} to P^n by forms of degree e lies on a hypersurface of at most that degree (Bézout). For
    fixed features of layer k the pre-activations of layer j > k therefore lie in a space of dimension h = M(d_k, t) -
    M(d_k, t - δ), t = r_{k+1} ⋯ r_{j-1}. So dim ≤ dim(d_0..d_k) - d_k + dim(h, d_j, …, d_L); scaling the
    pre-activations of layer k does not change which functions its features reach. For r_k = 1 as in *cut*.

identifications
    d_0 + 2 ≤ d_1 < 2 d_0: there are points x ≠ y with ℓ_i(x)^{r_1} = ℓ_i(y)^{r_1} for all first-layer forms ℓ_i, and
    every polynomial in the features takes the same value at both. This gives c conditions on forms of degree r_1 t, c
    counted by a rank mod p (`polygeom.dimension.bounds.identifications`). For fixed first layer the pre-activations of
    layer j > 1 therefore lie in a space of dimension h = M(d_0, r_1 t) - c, t = r_2 ⋯ r_{j-1}, and dim ≤ d_1 (d_0 - 1)
    + dim(h, d_j, …, d_L).

span
    d_k < M = M(d_0, r_1 ⋯ r_k): dim ≤ d_k (M - d_k) + dim(d_k, d_{k+1}, …, d_L). What follows layer k depends only on
    the space that its features span, a point of a Grassmannian of subspaces of the forms of degree r_1 ⋯ r_k.
pencil
    (4, 8, d_2, …), r_1 = r_2 = 2: dim ≤ 15 + dim(34, d_3, …, d_L). Eight squares span the quadrics W apolar to a pencil
    of dual quadrics. In coordinates that make the pencil diagonal, W is spanned by the x_i x_j, i < j, and a plane of
    combinations Σ c_i x_i². Some g ≠ 0 in C^4 has Σ g_i c_i c'_i = 0 for all c, c' in the plane, three equations. So
    the functional Σ g_i coefficient(x_i^4) vanishes on W·W, which therefore lies in a hyperplane of the 35 quartics:
    those apolar to Σ g_i X_i^4. Sums of four fourth powers have dimension 16, such hyperplanes 15.

All these bounds are used with the bounds of their parts in place of dim.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from polygeom.dimension.bounds.identifications import conditions, possible_conditions
from polygeom.dimension.counts import (
    Degrees,
    Widths,
    capped_monomials,
    monomials,
    output_degree,
    parameter_count,
    without_idle_layers,
    without_surplus,
)

_LONGEST_TEXT = 300

DEFECTIVE_VERONESE = {(5, 7, 3): 34, (3, 5, 4): 14, (4, 9, 4): 34, (5, 14, 4): 69}
"""Alexander–Hirschowitz: (d_0, d_1, r) → affine dimension of sums of d_1 r-th powers, one less than counted."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An upper bound, the rule that proves it, and the bounds it rests on.

    Attributes
    ----------
    value:
        The bound.
    rule:
        A rule of the list in `polygeom.dimension.bounds.perceptrons`.
    widths, degrees:
        The architecture that is bounded.
    layer:
        The hidden layer at which the rule is applied; 0 where it has none.
    parts:
        Bounds of the smaller architectures that the rule uses, in the order of its statement.
    """

    value: int
    rule: str
    widths: Widths
    degrees: Degrees
    layer: int = 0
    parts: tuple[Bound, ...] = ()

    def __str__(self) -> str:
        """One line of at most a few hundred characters: ``rotations, from (4,5,3) ≤ 29 [Segre–Veronese]``."""
        text = f"{self.rule} at layer {self.layer}" if self.layer else self.rule
        if self.parts:
            text += ", from " + " and ".join(
                f"({','.join(map(str, part.widths))}) ≤ {part.value} [{part}]" for part in self.parts
            )
        return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `bound_from_dict` reads it back."""
        return {
            "value": self.value,
            "rule": self.rule,
            "widths": list(self.widths),
            "degrees": list(self.degrees),
            "layer": self.layer,
            "parts": [part.as_dict() for part in self.parts],
        }


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


def upper_bound(widths: Widths, degrees: Degrees, *, thorough: bool = True) -> Bound:
    """The smallest upper bound that the rules of this module give for ``dim V(widths; degrees)``, with its proof tree.

    Without ``thorough`` the rule *identifications*, which may take seconds, is left out; the others take milliseconds.

    >>> print(upper_bound((5, 5, 5, 1), (2, 2)).value, upper_bound((4, 5, 3, 1), (2, 2)))
    35 rotations, from (4,5,3) ≤ 29 [Segre–Veronese]
    """
    return _upper_bound(widths, degrees, thorough)


@lru_cache(maxsize=1 << 16)
def _upper_bound(widths: Widths, degrees: Degrees, thorough: bool) -> Bound:
    closed, recursive = _closed_forms(widths, degrees), _smallest_recursive(widths, degrees, thorough)
    return recursive if recursive is not None and recursive.value < closed.value else closed


def _closed_forms(widths: Widths, degrees: Degrees) -> Bound:
    count = parameters_bound(widths, degrees)
    rules = [Bound(count, "parameters", widths, degrees)]
    coefficients = widths[-1] * capped_monomials(widths[0], output_degree(degrees), count)
    if coefficients < count:
        rules.append(Bound(coefficients, "ambient", widths, degrees))
    if len(widths) == 3:
        known = two_layer_theorem(widths, degrees[0])
        if known is not None:
            rules.append(Bound(known[0], known[1], widths, degrees))
    return min(rules, key=lambda bound: bound.value)


def parameters_bound(widths: Widths, degrees: Degrees) -> int:
    """Rule *parameters*: parameters minus the dimension of the symmetry orbits."""
    gauge = 0
    for k, r in enumerate(degrees, start=1):
        d = widths[k]
        gauge += d * d if r == 1 and d < min(widths[k - 1], widths[k + 1]) else d
    return parameter_count(widths) - gauge


def two_layer_theorem(widths: Widths, r: int) -> tuple[int, str] | None:
    """Rules *quadrics*, *Veronese* and *Segre–Veronese*: the bound and its name, or None where no theorem is listed."""
    n, s, m = widths
    if m == 1 and r == 2 and s <= n:
        return s * n - s * (s - 1) // 2, "quadrics"
    if m == 1 and (n, s, r) in DEFECTIVE_VERONESE:
        return DEFECTIVE_VERONESE[n, s, r], "Veronese"
    ottaviani = r == 2 and m == 3 and n >= 4 and n % 2 == 0 and s == 3 * (n // 2 - 1) + 2
    if ottaviani or (n, s, m, r) in {(3, 5, 2, 3), (4, 6, 5, 2)}:
        return min(m * monomials(n, r), s * (n + m - 1)) - 1, "Segre–Veronese"
    return None


def _smallest_recursive(widths: Widths, degrees: Degrees, thorough: bool) -> Bound | None:
    best: Bound | None = None
    for rule, layer, constant, parts in recursive_rules(widths, degrees, thorough=thorough):
        bounds = tuple(_upper_bound(w, r, thorough) for w, r in parts)
        value = constant + sum(b.value for b in bounds)
        if best is None or value < best.value:
            best = Bound(value, rule, widths, degrees, layer, bounds)
    return best


Reduction = tuple[str, int, int, tuple[tuple[Widths, Degrees], ...]]


def recursive_rules(widths: Widths, degrees: Degrees, *, thorough: bool = True) -> Iterator[Reduction]:
    """Every way in which a rule bounds this architecture by smaller ones: rule, layer, constant and the smaller ones.

    Each says ``dim V(widths; degrees) ≤ constant + Σ dim V(part)``.
    """
    shorter = without_idle_layers(widths, degrees)
    if shorter[0] != widths:
        yield "idle layer", 0, 0, (shorter,)
        return
    narrower = without_surplus(widths, degrees)
    if narrower != widths:
        yield "surplus", 0, 0, ((narrower, degrees),)
        return
    last = len(widths) - 1
    if last < 2:
        return
    if widths[1] < widths[0]:
        yield "inputs", 0, widths[1] * (widths[0] - widths[1]), ((widths[1:2] + widths[1:], degrees),)
    if widths[-1] > widths[-2]:
        w = widths[-2]
        features = capped_monomials(widths[0], output_degree(degrees), w)
        yield "outputs", 0, (widths[-1] - w) * features, (((*widths[:-1], w), degrees),)
    if widths[-1] == 1 and degrees[-1] == 2 and 2 <= widths[-2] <= feature_span(widths[:-1], degrees[:-1]):
        s = widths[-2]
        yield "rotations", 0, -(s * (s - 1) // 2), ((widths[:-1], degrees[:-1]),)
    limit = parameters_bound(widths, degrees)  # a part at least as large bounds nothing
    for k in _layers_to_try(widths):
        if last > 2:
            yield "cut", k, -_orbit(widths, degrees, k), (_below(widths, degrees, k), (widths[k:], degrees[k:]))
        if k >= 2:
            space = capped_monomials(widths[0], output_degree(degrees[: k - 1]), limit)
            if space < limit:
                yield "lift", k, 0, (((space, *widths[k:]), degrees[k - 1 :]),)
    yield from _hypersurface_rules(widths, degrees, limit)
    yield from _span_rules(widths, degrees, limit)
    if thorough:
        yield from _identification_rules(widths, degrees, limit)


def _below(widths: Widths, degrees: Degrees, k: int) -> tuple[Widths, Degrees]:
    """The network that computes the pre-activations of layer k."""
    return widths[: k + 1], degrees[: k - 1]


def _orbit(widths: Widths, degrees: Degrees, k: int) -> int:
    """Dimension of the orbits of what layer k lets pass: its torus, or GL(d_k) where it has no activation."""
    mixed = degrees[k - 1] == 1 and widths[k] <= feature_span(*_below(widths, degrees, k))
    return widths[k] ** 2 if mixed else widths[k]


_DEEP = 16
_MOST_VARIABLES = 64
"""Beyond it the equation of rule *hypersurface* has too large a degree to matter."""


def _layers_to_try(widths: Widths) -> Sequence[int]:
    """All hidden layers of a shallow network, the eight narrowest of a deep one, the narrowest of a very deep one."""
    hidden = range(1, len(widths) - 1)
    if len(widths) <= _DEEP:
        return hidden
    return sorted(sorted(hidden, key=widths.__getitem__)[: 8 if len(widths) <= 2 * _DEEP else 1])


def _hypersurface_rules(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Reduction]:
    for k in _layers_to_try(widths):
        relation = _relation_degree(widths, degrees, k, limit)
        if relation == limit:
            continue
        t = 1
        for j in range(k + 2, len(widths)):
            t *= degrees[j - 2]
            if t >= limit:
                break
            space = monomials(widths[k], t) - monomials(widths[k], t - relation) if t >= relation else limit
            if space < limit:
                parts = (_below(widths, degrees, k), ((space, *widths[j:]), degrees[j - 1 :]))
                yield "hypersurface", k, -_orbit(widths, degrees, k), parts


def _relation_degree(widths: Widths, degrees: Degrees, k: int, limit: int) -> int:
    """The degree of an equation between the features of layer k; ``limit`` if the rule gives none below it."""
    n, product = widths[k] - 1, 1
    if 2 <= n <= _MOST_VARIABLES:
        for i in reversed(range(k)):
            product *= degrees[i]
            if product >= limit:
                break
            if widths[i] == n:
                relation: int = product ** (n - 1)
                return min(relation, limit)
    return limit


def _identification_rules(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Reduction]:
    n, m, r = widths[0], widths[1], degrees[0]
    if not n + 2 <= m < 2 * n:
        return
    for j in range(3, len(widths)):
        t = output_degree(degrees[1 : j - 1])
        if not 2 <= t < limit:
            continue
        most = possible_conditions(n, m, r, t)
        useful = capped_monomials(m, t, limit)
        if most and monomials(n, r * t) - most < useful:
            space = monomials(n, r * t) - conditions(n, m, r, t)
            if space < useful:
                yield "identifications", 1, -m, (((n, m), ()), ((space, *widths[j:]), degrees[j - 1 :]))


def _span_rules(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Reduction]:
    for k in range(1, len(widths) - 1):
        m = widths[k]
        space = capped_monomials(widths[0], output_degree(degrees[:k]), limit + m)
        if m < space and m * (space - m) < limit:
            yield "span", k, m * (space - m), ((widths[k:], degrees[k:]),)
    if widths[:2] == (4, 8) and degrees[:2] == (2, 2):
        yield "pencil", 1, 15, (((34, *widths[3:]), degrees[2:]),)


def check(bound: Bound) -> bool:
    """Whether every step of the tree is an instance of its rule, by arithmetic alone (no search).

    >>> check(upper_bound((5, 5, 5, 1), (2, 2)))
    True
    """
    widths, degrees = bound.widths, bound.degrees
    if len(widths) != len(degrees) + 2 or min(widths + degrees) < 1:
        return False
    if bound.parts:
        parts = tuple((part.widths, part.degrees) for part in bound.parts)
        constant = bound.value - sum(part.value for part in bound.parts)
        step = (bound.rule, bound.layer, constant, parts)
        return any(step == rule for rule in recursive_rules(widths, degrees)) and all(map(check, bound.parts))
    if bound.rule == "parameters":
        return bound.value == parameters_bound(widths, degrees)
    if bound.rule == "ambient":
        most = bound.value // widths[-1] + 1
        return bound.value == widths[-1] * capped_monomials(widths[0], output_degree(degrees), most)
    return len(widths) == 3 and (bound.value, bound.rule) == two_layer_theorem(widths, degrees[0])


def bound_from_dict(data: dict[str, Any]) -> Bound:
    """Read what `Bound.as_dict` wrote."""
    return Bound(
        int(data["value"]),
        str(data["rule"]),
        tuple(map(int, data["widths"])),
        tuple(map(int, data["degrees"])),
        int(data["layer"]),
        tuple(bound_from_dict(part) for part in data["parts"]),
    )
