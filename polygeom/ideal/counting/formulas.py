"""Closed formulas for degrees and generic Euclidean distance degrees, with their sources.

The *generic ED degree* of a projective variety is the sum of its polar degrees, the bidegrees of its conormal variety.
Where that variety is a bundle of products of projective spaces over a Grassmannian, the sum is an integral there, and
an integral is a sum over the points that a torus fixes (Bott's formula): an independent check of the other formulas.

References
----------
Draisma, Horobet, Ottaviani, Sturmfels, Thomas, "The Euclidean distance degree of an algebraic variety", arXiv
1309.0049. Nie, Ranestad, Sturmfels, "The algebraic degree of semidefinite programming", Math. Program. 122 (2010). von
Bothmer, Ranestad, "A general formula for the algebraic degree in semidefinite programming", Bull. London Math. Soc. 41
(2009). Friedland, Ottaviani, "The number of singular vector tuples and uniqueness of best rank-one approximation of
tensors", Found. Comput. Math. 14 (2014). Fulton, "Intersection theory", section 9.3 (double points). Ellingsrud,
Piene, Strømme, "On the variety of nets of quadrics defining twisted cubics", Lect. Notes Math. 1266 (1987).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache


def determinantal_degree(rows: int, columns: int, rank: int) -> int:
    """Degree of the variety of matrices of at most the given rank (Giambelli).

    Examples
    --------
    >>> [determinantal_degree(3, 3, rank) for rank in (1, 2)]
    [6, 3]
    """
    m, n = max(rows, columns), min(rows, columns)
    above = math.prod(math.comb(m + i, rank) for i in range(n - rank))
    return above // math.prod(math.comb(rank + i, rank) for i in range(n - rank))


def symmetric_degree(n: int, rank: int) -> int:
    """Degree of the variety of symmetric matrices of at most the given rank (Harris, Tu).

    Examples
    --------
    >>> [symmetric_degree(4, rank) for rank in (1, 2, 3)]
    [8, 10, 4]
    """
    above = math.prod(math.comb(n + i, n - rank - i) for i in range(n - rank))
    return above // math.prod(math.comb(2 * i + 1, i) for i in range(n - rank))


def symmetric_distance_degree(n: int, rank: int) -> int:
    """Generic ED degree of the symmetric ``n × n`` matrices of at most the given rank.

    The polar degrees are the algebraic degrees of semidefinite programming, ``δ(m) = Σ_I ψ_I ψ_{I^c}`` over subsets
    ``I`` of ``{1..n}`` with ``n - rank`` elements and sum ``m`` (von Bothmer, Ranestad). Their sum is over all ``I``.

    Examples
    --------
    >>> [symmetric_distance_degree(n, 2) for n in (3, 4, 5, 6)]
    [13, 122, 1042, 8683]
    """
    numbers = range(1, n + 1)
    return sum(
        _psi(chosen) * _psi(tuple(i for i in numbers if i not in chosen))
        for chosen in itertools.combinations(numbers, n - rank)
    )


@cache
def _psi(indices: tuple[int, ...]) -> int:
    """1 for none, powers of two for one, sums of binomials for two, and Pfaffians for more."""
    if len(indices) < 2:
        return 2 ** (indices[0] - 1) if indices else 1
    first, rest = indices[0], indices[1:]
    if len(indices) == 2:
        (j,) = rest
        return sum(math.comb(first + j - 2, k) for k in range(first, j))
    if len(indices) % 2:  # the Pfaffian with a further index 0 and entries ψ_i, expanded along it
        return sum((-1) ** k * _psi((i,)) * _psi(indices[:k] + indices[k + 1 :]) for k, i in enumerate(indices))
    return sum((-1) ** k * _psi((first, j)) * _psi(rest[:k] + rest[k + 1 :]) for k, j in enumerate(rest))


def segre_veronese_degree(dimensions: Sequence[int], degrees: Sequence[int]) -> int:
    """Degree of ``P^{n_1} × … × P^{n_k}`` embedded by ``O(d_1, …, d_k)``.

    Examples
    --------
    >>> segre_veronese_degree([1, 2], [1, 3])
    27
    """
    value = math.factorial(sum(dimensions))
    for n, d in zip(dimensions, degrees, strict=True):
        value = value // math.factorial(n) * d**n
    return value


def segre_veronese_distance_degree(dimensions: Sequence[int], degrees: Sequence[int]) -> int:
    """Generic ED degree of ``P^{n_1} × … × P^{n_k}`` embedded by ``O(d_1, …, d_k)``: from the Chern classes of a smooth
    variety, ``Σ_i (-1)^i (2^{n+1-i} - 1) deg c_i`` (arXiv 1309.0049, Theorem 5.8).

    Examples
    --------
    >>> [segre_veronese_distance_degree([1], [d]) for d in (2, 3, 4)], segre_veronese_distance_degree([1, 1], [2, 1])
    ([4, 7, 10], 14)
    """
    total = sum(dimensions)
    value = 0
    for chern in itertools.product(*(range(n + 1) for n in dimensions)):
        i = sum(chern)
        term = Fraction(math.factorial(total - i))
        for n, d, c in zip(dimensions, degrees, chern, strict=True):
            term *= Fraction(math.comb(n + 1, c) * d ** (n - c), math.factorial(n - c))
        value += (-1) ** i * (2 ** (total + 1 - i) - 1) * int(term)
    return value


def secant_degree(dimensions: Sequence[int], degrees: Sequence[int]) -> int:
    """Degree of the variety of secant lines of a Segre–Veronese variety, where a general point is on one of them.

    Half the number of double points of a projection of the ``n``-dimensional variety to ``P^{2n}``: ``d² - Σ_j C(2n+1,
    j) h^j s_{n-j}``, ``s`` the inverse of the total Chern class (double point formula).

    Examples
    --------
    >>> secant_degree([3], [3]), secant_degree([1, 2], [1, 3]), secant_degree([1], [6])
    (175, 192, 10)
    """
    n = sum(dimensions)
    correction = 0
    for segre in itertools.product(*(range(size + 1) for size in dimensions)):
        j = n - sum(segre)
        term = math.comb(2 * n + 1, j) * math.factorial(j)
        for size, d, i in zip(dimensions, degrees, segre, strict=True):
            term = term * (-1) ** i * math.comb(size + i, i) * d ** (size - i)
        for size, i in zip(dimensions, segre, strict=True):
            term //= math.factorial(size - i)
        correction += term
    return (segre_veronese_degree(dimensions, degrees) ** 2 - correction) // 2


def matrix_distance_degree(rows: int, columns: int, rank: int) -> int:
    """Generic ED degree of the matrices of at most the given rank, by localisation.

    Over the product of Grassmannians of ``rank``-dimensional spaces ``U``, ``W`` of columns and rows the conormal
    variety is the bundle ``P(U ⊗ W) × P(U^⊥ ⊗ W^⊥)``, and the sum of its bidegrees the integral of ``1 / (c(U ⊗ W)
    c(U^⊥ ⊗ W^⊥))``.

    Examples
    --------
    >>> matrix_distance_degree(3, 3, 2), matrix_distance_degree(2, 2, 1)
    (39, 6)
    """
    t, u = _weights(rows + columns)[:rows], _weights(rows + columns)[rows:]
    size = rank * (rows + columns - 2 * rank)
    total = Fraction(0)
    for inside, outside in _splits(t, rank):
        for inner, outer in _splits(u, rank):
            tangent = math.prod(b - a for a in inside for b in outside)
            tangent *= math.prod(b - a for a in inner for b in outer)
            roots = [a + b for a in inside for b in inner] + [-a - b for a in outside for b in outer]
            total += Fraction(_segre(roots, size)[size], tangent)
    return int(total)


def symmetric_distance_degree_by_localisation(n: int, rank: int) -> int:
    """`symmetric_distance_degree` as an integral over a Grassmannian: ``1 / (c(Sym² U) c(Sym² U^⊥))``.

    Examples
    --------
    >>> symmetric_distance_degree_by_localisation(4, 2)
    122
    """
    size = rank * (n - rank)
    total = Fraction(0)
    for inside, outside in _splits(_weights(n), rank):
        tangent = math.prod(b - a for a in inside for b in outside)
        pairs = itertools.combinations_with_replacement
        roots = [a + b for a, b in pairs(inside, 2)] + [-a - b for a, b in pairs(outside, 2)]
        total += Fraction(_segre(roots, size)[size], tangent)
    return int(total)


def pencil_degree(first: int, rest: int, outputs: int) -> int:
    """Degree of the bundle of ``outputs`` forms of degree ``rest`` in two powers of degree ``first`` of binary forms.

    The closure of the pencils ``⟨l^r, m^r⟩`` is a bundle E of rank two over the plane of quadrics ``q``: the forms of
    degree r that ``q`` annihilates, the kernel of a map onto ``O(1) ⊗ S^{r-2}``; so ``c(E) = (1 + h)^{1-r}``. Two
    independent binary forms are algebraically independent, hence ``S^R E`` is a bundle of forms of degree ``rR``, and
    its Segre class of degree two is the degree of its image times the number of pencils of a general element.

    Examples
    --------
    >>> pencil_degree(3, 3, 1), pencil_degree(2, 3, 1), pencil_degree(2, 2, 2), pencil_degree(3, 1, 2)
    (70, 15, 15, 6)
    """
    total, product = 1 - first, math.comb(first, 2)  # of the two roots of E
    squares = total * total - 2 * product
    once = sum(range(rest + 1)) * total
    twice = sum(i * i for i in range(rest + 1)) * squares + 2 * sum(i * (rest - i) for i in range(rest + 1)) * product
    return ((outputs * once) ** 2 + outputs * twice) // 2


def net_polar_degrees(outputs: int) -> list[int]:
    """Polar degrees of the functions of `[3,3,m] r=2`, ``m >= 3``, by localisation; their sum is the generic ED degree.

    A general function is an element of ``W ⊗ U``: ``W`` has dimension ``m``, and ``U`` is spanned by the squares of
    three linear forms; its annihilator ``P`` is the net of conics through three points. Such nets fill an open part
    of a smooth variety ``N`` of dimension 6, the nets of minors of 3 × 2 matrices of linear forms ``Q → P``, with the
    tangent spaces ``Hom(Q, P) ⊗ V* - End Q - End P + 1`` (Ellingsrud, Piene, Strømme). Let ``Z`` be the set of all
    ``(U, A, B)``, ``A`` in ``P(W ⊗ U)`` and ``B`` in ``P(W* ⊗ P)``, whose contraction vanishes on the tangent space
    in ``Hom(U, P*)``. It is the zero set of a section of the cotangent bundle twisted by ``O(1, 1)``, irreducible, of
    the expected dimension and generically reduced, and maps birationally to the conormal variety; the documentation
    of invariants has the proof.

    Returns
    -------
    ``6 m - 1`` numbers: at place ``i`` the points in general linear spaces of codimensions ``i`` and ``6 m - 2 - i``.
    The last one that is not zero is the degree, the first one the degree of the dual variety.

    Examples
    --------
    >>> net_polar_degrees(3)[:5], sum(net_polar_degrees(3))
    ([0, 0, 57, 342, 1116], 30529)
    """
    rank, size, total = 3 * outputs, 6, 6 * outputs - 2
    degrees = [Fraction(0)] * (total + 1)
    for tangent, inside, outside in net_fixed_points():
        chern = _chern([-t for t in tangent])
        left, right = (_segre(roots * outputs, size) for roots in (inside, outside))
        for i in range(total + 1):
            # the coefficients of h^a k^b in the top Chern class, h and k the hyperplane classes; h^(rank - 1 + j)
            # pushes forward to the Segre class of degree j
            for a in range(size + 1):
                for b in range(size + 1 - a):
                    j, k = i + a - rank + 1, total - i + b - rank + 1
                    if min(j, k) >= 0 and j + k + size - a - b == size:
                        part = math.comb(a + b, a) * chern[size - a - b] * left[j] * right[k]
                        degrees[i] += Fraction(part, math.prod(tangent))
    return [int(d) for d in degrees]


def net_fixed_points() -> Iterator[tuple[list[int], list[int], list[int]]]:
    """Characters of a torus at the 13 points of ``N`` that it fixes: of the tangent space, of ``U`` and of ``P``."""
    x = _weights(3)
    monomials = list(itertools.combinations_with_replacement(range(3), 2))
    for net in itertools.combinations(monomials, 3):
        multiples = [tuple(sorted((*m, k))) for m in net for k in range(3)]
        relations = [sum(x[i] for i in m) for m in multiples]
        for m in set(multiples):
            relations.remove(sum(x[i] for i in m))
        lines = [i for i in range(3) if all(i in m for m in net)]
        if lines:  # multiples of one form: of the three relations between these, two have that form as a factor
            (i,) = lines
            relations = [2 * x[i] + x[j] for j in range(3) if j != i]
        if len(relations) != 2:
            continue
        p, u = ([x[i] + x[j] for i, j in monomials if ((i, j) in net) is inside] for inside in (True, False))
        tangent = [a + v - b for a in p for b in relations for v in x]
        for space in (relations, p):
            for a, b in itertools.product(space, repeat=2):
                if (a, b) != (p[0], p[0]):
                    tangent.remove(a - b)
        yield tangent, [-a for a in u], p


def _weights(count: int) -> list[int]:
    """Different numbers: characters of a torus, in general position."""
    return [(7 * i * i + 3 * i + 1) % 10007 for i in range(1, count + 1)]


def _splits(weights: Sequence[int], size: int) -> Iterator[tuple[list[int], list[int]]]:
    for chosen in itertools.combinations(range(len(weights)), size):
        yield [weights[i] for i in chosen], [w for i, w in enumerate(weights) if i not in chosen]


def _chern(roots: Sequence[int]) -> list[int]:
    """The parts of all degrees of ``Π (1 + x)`` over the roots ``x``."""
    series = [1] + [0] * len(roots)
    for x in roots:
        for k in range(len(roots), 0, -1):
            series[k] += x * series[k - 1]
    return series


def _segre(roots: Sequence[int], degree: int) -> list[int]:
    """The parts up to a degree of ``Π 1 / (1 + x)`` over the roots ``x``."""
    series = [1] + [0] * degree
    for x in roots:
        for k in range(1, degree + 1):
            series[k] -= x * series[k - 1]
    return series
