"""Degrees and Euclidean distance degrees that are known: determinantal, Veronese and convolutional cases.

Every function takes a network and the *proved* dimension of its neurovariety, and answers with a number and the theorem
it rests on, or None. A neurovariety is recognised by an inclusion and a dimension: an irreducible variety that contains
it and has its dimension is equal to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from polygeom.network import Convolution, Input, Network, Power

UNIT, WEYL, LOSS, GENERIC = "unit", "bombieri-weyl", "loss", "generic"


@dataclass(frozen=True, slots=True)
class Known:
    """A number with the theorem that gives it."""

    value: int
    reason: str


def known_degree(network: Network, dimension: int) -> Known | None:
    """The degree of the neurovariety, where a theorem gives it.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> known_degree(parse("[5,3,1] r=2"), 12)
    Known(value=20, reason='symmetric 5 x 5 matrices of rank at most 3 (Harris, Tu)')
    """
    if dimension == network.ambient_dimension:
        return Known(1, "the network is filling: the neurovariety is the whole space")
    if (size := _determinantal(network, dimension)) is not None:
        rows, columns, rank = size
        value = determinantal_degree(rows, columns, rank)
        return Known(value, f"{rows} x {columns} matrices of rank at most {rank} (Giambelli)")
    if (symmetric := _symmetric(network)) is not None:
        n, rank = symmetric
        return Known(symmetric_degree(n, rank), f"symmetric {n} x {n} matrices of rank at most {rank} (Harris, Tu)")
    if (rational := _rational_normal(network)) is not None:
        r, s = rational
        return Known(math.comb(r - s + 1, s), f"secants through {s} points of the rational normal curve of degree {r}")
    if (veronese := _veronese(network)) is not None:
        n, m, degree = veronese
        value = math.comb(n + m - 2, n - 1) * degree ** (n - 1)
        return Known(value, f"Segre-Veronese variety of P^{m - 1} x P^{n - 1}, O(1,{degree})")
    return _convolutional(network, dimension)


def known_distance_degree(network: Network, dimension: int, form: str) -> Known | None:
    """The number of critical points of the distance to a generic function, where a theorem gives it.

    Parameters
    ----------
    network, dimension:
        As above.
    form:
        ``"generic"``, ``"unit"``, ``"bombieri-weyl"`` or ``"loss"``.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> known_distance_degree(parse("[2,2,3] r=2"), 8, "loss")
    Known(value=3, reason='3 x 3 matrices of rank at most 2 under a form I x M (Eckart, Young)')
    """
    if dimension == network.ambient_dimension:
        return Known(1, "the network is filling: the only critical point is the target")
    if form != GENERIC and (size := _determinantal(network, dimension)) is not None:
        rows, columns, rank = size
        value = math.comb(min(rows, columns), rank)
        return Known(value, f"{rows} x {columns} matrices of rank at most {rank} under a form I x M (Eckart, Young)")
    if form == WEYL and (symmetric := _symmetric(network)) is not None:
        n, rank = symmetric
        reason = f"symmetric {n} x {n} matrices of rank at most {rank} under the Frobenius norm (Eckart, Young)"
        return Known(math.comb(n, rank), reason)
    if (veronese := _veronese(network)) is not None and veronese[1] == 1:
        n, _, degree = veronese
        if form == GENERIC:
            value = ((2 * degree - 1) ** n - (degree - 1) ** n) // degree
            return Known(value, f"Veronese variety of degree {degree} (Draisma, Horobet, Ottaviani, Sturmfels, Thomas)")
        if form == WEYL:
            value = sum((degree - 1) ** i for i in range(n))
            return Known(value, f"eigenvectors of a symmetric tensor of order {degree} (Cartwright, Sturmfels)")
    return None


def determinantal_degree(rows: int, columns: int, rank: int) -> int:
    """Degree of the variety of matrices of at most the given rank.

    Examples
    --------
    >>> [determinantal_degree(3, 3, rank) for rank in (1, 2)]
    [6, 3]
    """
    m, n = max(rows, columns), min(rows, columns)
    above = math.prod(math.comb(m + i, rank) for i in range(n - rank))
    return above // math.prod(math.comb(rank + i, rank) for i in range(n - rank))


def symmetric_degree(n: int, rank: int) -> int:
    """Degree of the variety of symmetric matrices of at most the given rank.

    Examples
    --------
    >>> [symmetric_degree(4, rank) for rank in (1, 2, 3)]
    [8, 10, 4]
    """
    above = math.prod(math.comb(n + i, n - rank - i) for i in range(n - rank))
    return above // math.prod(math.comb(2 * i + 1, i) for i in range(n - rank))


def _determinantal(network: Network, dimension: int) -> tuple[int, int, int] | None:
    """Rows, columns and rank, when the neurovariety is a determinantal one: outputs by monomials, through a bottleneck.

    The outputs of a perceptron are linear combinations of the last ``d_{L-1}`` features, and in a linear network those
    of every layer: the matrix of coefficients has at most that rank. Such matrices form an irreducible variety.
    """
    if network.widths is None or network.activation_degrees is None:
        return None
    linear = all(r == 1 for r in network.activation_degrees)
    rank = min(network.widths) if linear else network.widths[-2]
    rows = network.output_dimension
    columns = network.ambient_dimension // rows
    if rank >= min(rows, columns) or dimension != rank * (rows + columns - rank):
        return None
    return rows, columns, rank


def _symmetric(network: Network) -> tuple[int, int] | None:
    """Size and rank, when the network is a sum of squares of linear forms."""
    if network.widths is None or len(network.widths) != 3 or network.activation_degrees != (2,):
        return None
    n, rank, outputs = network.widths
    return (n, rank) if outputs == 1 and rank < n else None


def _rational_normal(network: Network) -> tuple[int, int] | None:
    """Degree ``r`` and number ``s`` of powers, for sums of powers of binary linear forms that do not fill the space."""
    if network.widths is None or len(network.widths) != 3 or network.activation_degrees is None:
        return None
    n, s, outputs = network.widths
    (r,) = network.activation_degrees
    return (r, s) if (n, outputs) == (2, 1) and 2 * s < r + 1 else None


def _veronese(network: Network) -> tuple[int, int, int] | None:
    """Inputs, outputs and degree, when all hidden layers have width one."""
    if network.widths is None or len(network.widths) < 3 or set(network.widths[1:-1]) != {1}:
        return None
    return network.input_dimension, network.output_dimension, network.degree


def _convolutional(network: Network, dimension: int) -> Known | None:
    """One channel, monomials between the layers: a morphism of projective spaces, generically one to one."""
    layers = [node.layer for node in network.nodes]
    chain = all(node.inputs == (k,) and node.shares is None for k, node in enumerate(network.nodes[1:]))
    kinds = [Input, *[Convolution, Power] * (len(layers) // 2)][: len(layers)]
    if len(network.input_shape) != 1 or not chain or [type(layer) for layer in layers] != kinds or len(layers) % 2:
        return None
    sizes = [layer.size - 1 for layer in layers if isinstance(layer, Convolution) and layer.channels == 1]
    powers = [layer.degree for layer in layers if isinstance(layer, Power)]
    if len(sizes) != len(powers) + 1 or min(powers, default=2) < 2 or dimension != sum(sizes) + 1:
        return None
    value = math.factorial(sum(sizes))
    for k, size in enumerate(sizes):
        value = value // math.factorial(size) * math.prod(powers[k:]) ** size
    return Known(value, "convolutional network with monomial activations (Shahverdi, Marchetti, Kohn)")
