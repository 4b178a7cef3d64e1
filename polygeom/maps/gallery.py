"""Classical parametrisations by name: curves, scrolls, tensors, Grassmannians, models of statistics and vision."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterable, Sequence

from polygeom.errors import PolygeomError
from polygeom.maps.build import from_text, minors
from polygeom.network import Network
from polygeom.network.ambient.degrees import exponent_vectors
from polygeom.network.limits import shown


def _pairs(edges: object) -> list[tuple[int, int]]:
    """Edges as pairs of integers."""
    given = list(edges) if isinstance(edges, Iterable) and not isinstance(edges, str) else []
    whole = all(isinstance(e, Sequence) and len(e) == 2 and all(hasattr(end, "__index__") for end in e) for e in given)
    if not whole or (not given and edges not in ([], (), set())):
        raise PolygeomError(f"edges must be pairs of integers, got {shown(edges)}; write [(1, 2), (2, 3)]")
    return [(one, other) for one, other in given]


def _positive(name: str, value: object, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise PolygeomError(f"{name} must be an integer from {least}, got {shown(value)}; write {name}={least}")
    return value


def rational_normal_curve(degree: int) -> Network:
    """The cone over the rational normal curve: all monomials of one degree in two parameters.

    Examples
    --------
    >>> print(rational_normal_curve(3))
    map(s,t: s^3, s^2*t, s*t^2, t^3)
    """
    _positive("degree", degree)
    return from_text(", ".join(f"s^{degree - k}*t^{k}" for k in range(degree + 1)), "s t")


def rational_normal_scroll(*degrees: int) -> Network:
    """The cone over the scroll that joins rational normal curves of the given degrees; of degree their sum.

    Examples
    --------
    >>> print(rational_normal_scroll(1, 2))
    map(s,t,u1,u2: s*u1, t*u1, s^2*u2, s*t*u2, t^2*u2)
    """
    for degree in degrees:
        _positive("degrees", degree)
    if not degrees:
        raise PolygeomError("degrees must be at least one, got none; write rational_normal_scroll(1, 2)")
    scales = [f"u{i}" for i in range(1, len(degrees) + 1)]
    coordinates = [
        f"{u}*s^{degree - k}*t^{k}" for u, degree in zip(scales, degrees, strict=True) for k in range(degree + 1)
    ]
    return from_text(", ".join(coordinates), ["s", "t", *scales])


def segre(sizes: Sequence[int], rank: int = 1) -> Network:
    """Tensors of the given format and rank: sums of ``rank`` products of vectors, secants of a Segre variety.

    The entry at ``(1, 2, 1)`` is named ``t121``, and summand 3 has the vectors ``a1_3, a2_3, …``, ``b1_3, …``.

    Examples
    --------
    >>> print(segre([2, 2]))
    map(a1_1,a2_1,b1_1,b2_1: t11=a1_1*b1_1, t12=a1_1*b2_1, t21=a2_1*b1_1, t22=a2_1*b2_1)
    """
    if not isinstance(sizes, Sequence) or not 1 <= len(sizes) <= 20:
        told = len(sizes) if isinstance(sizes, Sequence) else shown(sizes)
        raise PolygeomError(f"sizes must be 1 to 20 integers, got {told}; write segre([2, 2, 2])")
    for size in sizes:
        _positive("sizes", size)
    _positive("rank", rank)
    letters = string.ascii_lowercase[: len(sizes)]
    names = [
        f"{c}{i}_{r}" for c, n in zip(letters, sizes, strict=True) for r in range(1, rank + 1) for i in range(1, n + 1)
    ]
    between = "_" if max(sizes) > 9 else ""
    entries = []
    for index in itertools.product(*(range(1, n + 1) for n in sizes)):
        terms = ["*".join(f"{c}{i}_{r}" for c, i in zip(letters, index, strict=True)) for r in range(1, rank + 1)]
        entries.append(f"t{between.join(map(str, index))}={' + '.join(terms)}")
    return from_text(", ".join(entries), names)


def veronese(variables: int, degree: int, rank: int = 1) -> Network:
    """Symmetric tensors of the given rank: sums of ``rank`` powers of linear forms, secants of a Veronese variety.

    The coordinates are the entries of the tensor, ``v21`` that of ``x1^2*x2``.

    Examples
    --------
    >>> print(veronese(2, 2))
    map(a1_1,a2_1: v20=a1_1^2, v11=a1_1*a2_1, v02=a2_1^2)
    """
    _positive("variables", variables)
    _positive("degree", degree)
    _positive("rank", rank)
    names = [f"a{i}_{r}" for r in range(1, rank + 1) for i in range(1, variables + 1)]
    between = "_" if degree > 9 else ""
    entries = []
    for alpha in exponent_vectors(variables, degree):
        terms = ["*".join(f"a{i}_{r}^{e}" for i, e in enumerate(alpha, 1) if e) for r in range(1, rank + 1)]
        entries.append(f"v{between.join(map(str, alpha))}={' + '.join(terms)}")
    return from_text(", ".join(entries), names)


def grassmannian(k: int, n: int) -> Network:
    """The cone over the Grassmannian of ``k``-dimensional subspaces of an ``n``-dimensional space: Plücker coordinates.

    Examples
    --------
    >>> grassmannian(2, 5).output_dimension
    10
    """
    _positive("k", k)
    _positive("n", n, k)
    return minors([[f"{string.ascii_lowercase[i % 26]}{j}" for j in range(1, n + 1)] for i in range(k)], k)


def essential_matrices() -> Network:
    """The essential matrices of computer vision: ``[t]× R`` with a vector ``t`` and the rotation of a quaternion.

    Examples
    --------
    >>> essential_matrices().parameter_count
    7
    """
    rotation = [
        ["a^2+b^2-c^2-d^2", "2*b*c-2*a*d", "2*b*d+2*a*c"],
        ["2*b*c+2*a*d", "a^2-b^2+c^2-d^2", "2*c*d-2*a*b"],
        ["2*b*d-2*a*c", "2*c*d+2*a*b", "a^2-b^2-c^2+d^2"],
    ]
    cross = [["0", "-z", "y"], ["z", "0", "-x"], ["-y", "x", "0"]]
    entries = [
        f"e{i + 1}{j + 1}=" + " + ".join(f"({cross[i][k]})*({rotation[k][j]})" for k in range(3))
        for i in range(3)
        for j in range(3)
    ]
    return from_text(", ".join(entries), "x y z a b c d")


def gaussian_graphical_model(nodes: int, edges: Sequence[tuple[int, int]]) -> Network:
    """Covariance matrices ``K⁻¹`` of a Gaussian graphical model: ``K`` is zero where the graph has no edge.

    Parameters
    ----------
    nodes:
        Number of variables, numbered from 1.
    edges:
        Pairs of them.

    Examples
    --------
    >>> print(gaussian_graphical_model(2, [(1, 2)]).text[:60])
    map(k11,k12,k22: s11=k22/(k11*k22-k12^2), s12=-k12/(k11*k22-
    """
    _positive("nodes", nodes)
    pairs = {(min(e), max(e)) for e in _pairs(edges)}
    for i, j in pairs:
        if not 1 <= i < j <= nodes:
            raise PolygeomError(f"edges must be pairs of different nodes from 1 to {nodes}, got {(i, j)}; write (1, 2)")

    def entry(i: int, j: int) -> str:
        i, j = min(i, j), max(i, j)
        return f"k{i}{j}" if i == j or (i, j) in pairs else "0"

    own = [f"k{i}{j}" for i in range(1, nodes + 1) for j in range(i, nodes + 1) if i == j or (i, j) in pairs]
    everything = range(1, nodes + 1)
    whole = _determinant_text(entry, tuple(everything), tuple(everything))
    coordinates = []
    for i in everything:
        for j in range(i, nodes + 1):
            rows = tuple(k for k in everything if k != i)
            columns = tuple(k for k in everything if k != j)
            sign = "-" if (i + j) % 2 else ""
            coordinates.append(f"s{i}{j}={sign}({_determinant_text(entry, rows, columns)})/({whole})")
    return from_text(", ".join(coordinates), own)


def _determinant_text(entry: object, rows: tuple[int, ...], columns: tuple[int, ...]) -> str:
    assert callable(entry)
    if not rows:
        return "1"
    terms = []
    for k, column in enumerate(columns):
        c = entry(rows[0], column)
        if c != "0":
            rest = _determinant_text(entry, rows[1:], columns[:k] + columns[k + 1 :])
            if rest != "0":
                terms.append(f"{'-' if k % 2 else '+'}{c}*({rest})")
    return "".join(terms).removeprefix("+") or "0"


def tree_model(edges: Sequence[tuple[int, int]]) -> Network:
    """The binary symmetric model of evolution on a tree (Cavender, Farris, Neyman).

    A letter 0 or 1 is uniform at the root and travels along the edges; along edge ``e`` it stays, with weight ``a_e``,
    or changes, with weight ``b_e``. The coordinates are the probabilities of the patterns at the leaves, ``p0010``.

    Parameters
    ----------
    edges:
        Pairs (parent, child) of numbers; the leaves are the nodes without children, in increasing order.

    Examples
    --------
    >>> print(tree_model([(0, 1), (0, 2)]))
    map(a1,b1,a2,b2: p00=a1*a2+b1*b2, p01=a1*b2+b1*a2, p10=a1*b2+b1*a2, p11=a1*a2+b1*b2)
    """
    pairs = _pairs(edges)
    parents, children = {a for a, _ in pairs}, [b for _, b in pairs]
    roots = parents - set(children)
    if len(roots) != 1 or len(set(children)) != len(children):
        raise PolygeomError(f"edges must form a tree with one root, got {shown(edges)}; write [(0, 1), (0, 2), (0, 3)]")
    inner = sorted(parents)
    leaves = sorted(set(children) - parents)
    own = [f"{c}{e}" for e in range(1, len(pairs) + 1) for c in "ab"]
    coordinates = []
    for pattern in itertools.product((0, 1), repeat=len(leaves)):
        states = dict(zip(leaves, pattern, strict=True))
        terms = []
        for hidden in itertools.product((0, 1), repeat=len(inner)):
            states |= dict(zip(inner, hidden, strict=True))
            factors = [f"{'a' if states[p] == states[c] else 'b'}{e}" for e, (p, c) in enumerate(pairs, 1)]
            terms.append("*".join(factors))
        coordinates.append(f"p{''.join(map(str, pattern))}={'+'.join(terms)}")
    return from_text(", ".join(coordinates), own)
