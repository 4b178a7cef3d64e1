"""Networks that models of practice are made of: images, groups, graphs, heads and blocks, edges, rational functions.

Like `polygeom.network.families`, functions from a few numbers to nodes; as text they are read as calls and written as
programs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from polygeom.errors import PolygeomError
from polygeom.network.arguments import activation_layers, exact_count, exact_counts, exact_widths
from polygeom.network.layers import (
    Attention,
    Concatenate,
    Convolution2d,
    Dense,
    Edges,
    Fixed,
    Formula,
    GroupConvolution,
    Sum,
)
from polygeom.network.layers.formula import formulas
from polygeom.network.limits import shown
from polygeom.network.nodes import Nodes, Wiring

Table = tuple[tuple[int, ...], ...]


def convolutional2d(
    height: int,
    width: int,
    kernels: Sequence[int],
    channels: Sequence[int],
    degrees: int | Sequence[int] | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
) -> Nodes:
    """A convolutional network on images of one channel, square filters, its last layer linear.

    Parameters
    ----------
    height, width:
        Of the images.
    kernels, channels:
        For every layer the side and the number of its filters.
    degrees:
        Degrees of the monomial activations between layers, or one for all.
    stride, padding:
        Of every layer.

    Raises
    ------
    PolygeomError
        When the filters do not fit, or the lists differ in length.
    """
    sizes, counts = exact_counts("kernels", kernels), exact_counts("channels", channels)
    if len(sizes) != len(counts) or not sizes:
        raise PolygeomError(
            f"channels must be as many as kernels, got {len(counts)} and {len(sizes)}; "
            "write kernels=[3,2], channels=[4,1]"
        )
    activations = activation_layers(len(sizes) - 1, degrees, None)
    b = Wiring((exact_count("height", height), exact_count("width", width)))
    x = b.input
    for number, (size, count) in enumerate(zip(sizes, counts, strict=True)):
        x = b.add(Convolution2d((size, size), count, stride, padding), x)
        if number < len(activations) and (layer := activations[number]) is not None:
            x = b.add(layer, x)
    return b.nodes(x)


def group_convolutional(group: str | Sequence[Sequence[int]], layers: int, degree: int, *, channels: int = 1) -> Nodes:
    """A convolutional network over a finite group, monomial activations between its layers.

    Parameters
    ----------
    group:
        ``"C6"`` (cyclic), ``"D4"`` (dihedral, of 8 elements), ``"S3"`` (symmetric), or a table of products with neutral
        element 0.
    layers:
        Their number.
    degree:
        Of the activations.
    channels:
        Of hidden layers; input and output have one.

    References
    ----------
    arXiv 2603.29566: with one channel the dimension is ``L (|G| - 1) + 1`` for every group.

    Examples
    --------
    >>> from polygeom.network import Network
    >>> network = group_convolutional("C3", layers=2, degree=2)
    >>> network.parameter_count - network.gauge
    5
    """
    table = group_table(group)
    layers, channels = exact_count("layers", layers), exact_count("channels", channels)
    activations = activation_layers(layers - 1, degree, None)
    b = Wiring(len(table))
    x = b.input
    for number in range(layers):
        x = b.add(GroupConvolution(table, 1 if number == layers - 1 else channels), x)
        if number < len(activations) and (layer := activations[number]) is not None:
            x = b.add(layer, x)
    return b.nodes(x)


def group_table(group: str | Sequence[Sequence[int]]) -> Table:
    """The table of products of a group given by its name or its table.

    >>> group_table("C2")
    ((0, 1), (1, 0))
    """
    if not isinstance(group, str):
        return tuple(map(tuple, group))
    kind, number = group[:1], group[1:]
    if kind not in "CDS" or not number.isdigit() or not 1 <= int(number) <= (5 if kind == "S" else 100):
        raise PolygeomError(f"group must be C1 to C100, D1 to D100, S1 to S5 or a table, got {shown(group)}; write C3")
    n = int(number)
    elements: list[tuple[int, ...]]
    if kind == "C":
        elements = [tuple((k + s) % n for k in range(n)) for s in range(n)]
    elif kind == "D":
        turns = range(max(n, 1))
        elements = [(*((k + s) % n for k in turns), *(n + (k + s) % n for k in turns)) for s in turns]
        elements += [(*(n + (s - k) % n for k in turns), *((s - k) % n for k in turns)) for s in turns]
    else:
        elements = list(itertools.permutations(range(n)))
    number_of = {e: k for k, e in enumerate(elements)}
    return tuple(tuple(number_of[tuple(g[k] for k in h)] for h in elements) for g in elements)


def multihead_attention(tokens: int, features: int, rank: int, heads: int, outputs: int) -> Nodes:
    """Lightning attention with several heads: the sum of ``heads`` maps ``X ↦ V X Xᵀ Kᵀ Q X``.

    Heads beside each other, mixed by an output matrix, are the same functions: the matrix is part of every ``V``.

    Examples
    --------
    >>> from polygeom.network import Network
    >>> multihead_attention(2, 3, 1, heads=2, outputs=3).parameter_count
    30
    """
    b = Wiring((exact_count("tokens", tokens), exact_count("features", features)))
    return b.nodes(_heads(b, b.input, rank, heads, outputs))


def _heads(b: Wiring, x: int, rank: int, heads: int, outputs: int) -> int:
    rank, outputs = exact_count("rank", rank), exact_count("outputs", outputs)
    made = [b.add(Attention(rank, outputs), x) for _ in range(exact_count("heads", heads))]
    return made[0] if len(made) == 1 else b.add(Sum(), *made)


def transformer_block(tokens: int, features: int, rank: int, heads: int, hidden: int, degree: int = 2) -> Nodes:
    """A block without normalisation: ``y = x + attention(x)``, ``z = y + W_2 (W_1 y) ** degree``, token by token.

    Parameters
    ----------
    tokens, features:
        Shape of input and output.
    rank, heads:
        Of the attention, see `multihead_attention`.
    hidden, degree:
        Width and activation degree of the perceptron.
    """
    activations = activation_layers(1, degree, None)
    b = Wiring((exact_count("tokens", tokens), exact_count("features", features)))
    y = b.add(Sum(), b.input, _heads(b, b.input, rank, heads, features))
    h = b.add(Dense(exact_count("hidden", hidden)), y)
    if activations[0] is not None:
        h = b.add(activations[0], h)
    return b.nodes(b.add(Sum(), y, b.add(Dense(features), h)))


def graph_network(adjacency: Sequence[Sequence[Any]], widths: Sequence[int], degrees: int | Sequence[int]) -> Nodes:
    """A graph network ``X ↦ A X Wᵀ`` with activations between its layers; ``A`` is fixed.

    Parameters
    ----------
    adjacency:
        A square matrix of integers or fractions, for example an adjacency matrix, perhaps normalised.
    widths:
        Features of the nodes: ``(d_0, …, d_L)``.
    degrees:
        Of the activations, ``L - 1`` or one for all.

    Examples
    --------
    >>> from polygeom.network import Network
    >>> path = [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    >>> graph_network(path, (2, 2, 1), 2).output_shape
    (3, 1)
    """
    widths = exact_widths(widths)
    activations = activation_layers(len(widths) - 2, degrees, None)
    matrix = Fixed(tuple(tuple(row) for row in adjacency), "tokens")
    b = Wiring((len(matrix.matrix), widths[0]))
    x = b.input
    for number, width in enumerate(widths[1:]):
        x = b.add(Dense(width), b.add(matrix, x))
        if number < len(activations) and (layer := activations[number]) is not None:
            x = b.add(layer, x)
    return b.nodes(x)


def kan(widths: Sequence[int], degree: int) -> Nodes:
    """A polynomial Kolmogorov–Arnold network: every edge carries a trained polynomial of at most this degree, without
    constant term.

    Examples
    --------
    >>> from polygeom.network import Network
    >>> kan((2, 2, 1), 3).parameter_count
    18
    """
    widths = exact_widths(widths)
    b = Wiring(widths[0])
    x = b.input
    for width in widths[1:]:
        x = b.add(Edges(width, exact_count("degree", degree)), x)
    return b.nodes(x)


def rational_mlp(widths: Sequence[int]) -> Nodes:
    """A shallow rational network ``x ↦ C (1 / (B x))`` as numerators and common denominator ``(P_1, …, P_m, Q)``.

    ``Q`` is the product of the ``d_1`` linear forms of ``B``, and ``P_k = Σ_i c_ki Π_{j ≠ i} b_j x``.

    Parameters
    ----------
    widths:
        ``(d_0, d_1, m)``.

    Examples
    --------
    >>> from polygeom.network import Network
    >>> rational_mlp((2, 2, 1)).ambient_dimension
    5
    """
    widths = exact_widths(widths)
    if len(widths) != 3 or widths[1] > 40:
        raise PolygeomError(f"widths must be three, the middle one at most 40, got {shown(widths)}; write [2,2,1]")
    inputs, hidden, outputs = widths
    b = Wiring(inputs)
    forms = b.add(Dense(hidden), b.input)
    names = [f"x{i}" for i in range(1, hidden + 1)]
    others = formulas((), ["*".join(names[:i] + names[i + 1 :]) or "1" for i in range(hidden)])
    numerators = b.add(Dense(outputs), b.add(others, forms))
    return b.nodes(b.add(Concatenate(), numerators, b.add(_product(names), forms)))


def _product(names: Sequence[str]) -> Formula:
    return formulas((), ["*".join(names)])
