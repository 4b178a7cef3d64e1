"""Parts of a network that is no perceptron: what stands before a value and after it, and which maps they absorb.

Cut at a value ``v`` that every path from the input to the output meets, a network is the composition ``F = g ∘ f`` of
the network *below*, which computes ``v``, and the network *above*, which reads it. Where they share no weights, ``f``
and ``g`` range over their neurovarieties independently of each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from polygeom.dimensions.bounds.bound import Case
from polygeom.dimensions.counts import parameter_count
from polygeom.dimensions.ranks.tangent import generic_rank, random_weights
from polygeom.engines.prime_field import PrimeFieldEngine
from polygeom.errors import PoleError, PolygeomError
from polygeom.modular import P22, PrimeField, rank
from polygeom.network import Bias, Dense, Input, Layer, Network, mlp
from polygeom.network.ambient.monomials import monomial_space
from polygeom.network.layers import Shape
from polygeom.network.nodes import Node
from polygeom.network.text import programs
from polygeom.symmetry.mixings import FreeWeights, linear_groups, readers

MOST_NODES = 40
"""Largest number of nodes of a network that is cut in all ways."""
MOST_WEIGHTS = 1500
"""Largest number of weights of a network whose parts are searched, and of a part whose rank is asked for before."""


def plain_text(network: Network) -> str:
    """The text of a perceptron or a map, or the program of another network: each says what it computes.

    >>> from polygeom.network import parse
    >>> plain_text(parse("ccp(2,rank=1,degree=2)"))
    'x0=input(2); x1=dense(x0,1); x2=dense(x0,1); x3=product(x1,x2); x4=sum(x3,x1); dense(x4,1)'
    """
    return network.text if network.text.startswith(("[", "map(")) else programs.write(network.nodes)


def size(network: Network) -> tuple[int, int]:
    """What gets smaller from a network to those that bound it, so that the search ends."""
    return len(network.nodes), network.parameter_count


def ancestors(network: Network, v: int) -> set[int]:
    """The nodes that a node needs, itself among them."""
    found, pending = {v}, [v]
    while pending:
        for i in network.nodes[pending.pop()].inputs:
            if i not in found:
                found.add(i)
                pending.append(i)
    return found


@lru_cache(maxsize=4096)
def cuts(network: Network) -> tuple[int, ...]:
    """The nodes that every path from the input to the output meets, between them, with no weights shared across."""
    return tuple(v for v in range(1, len(network.nodes) - 1) if _is_cut(network, v))


def _is_cut(network: Network, v: int) -> bool:
    before = ancestors(network, v)
    for number, node in enumerate(network.nodes):
        if number not in before and any(i in before and i != v for i in node.inputs):
            return False
        if node.shares is not None and (node.shares in before) != (number in before):
            return False
    return True


def region(
    network: Network, members: Sequence[int], entry: int, first: Sequence[Layer] = (), dims: Shape = ()
) -> Network:
    """The nodes ``members``, in their order, as a network that reads the value ``entry`` through the layers ``first``.

    The input has the shape of the value, or ``dims``.
    """
    nodes = [Node(Input(dims or network.shapes[entry]))]
    for layer in first:
        nodes.append(Node(layer, (len(nodes) - 1,)))
    place = {entry: len(nodes) - 1}
    for number in members:
        node = network.nodes[number]
        place[number] = len(nodes)
        owner = None if node.shares is None else place[node.shares]
        nodes.append(Node(node.layer, tuple(place[i] for i in node.inputs), owner))
    return Network(tuple(nodes))


@lru_cache(maxsize=4096)
def below(network: Network, v: int) -> Network:
    """The network that computes a value."""
    return region(network, sorted(ancestors(network, v) - {0}), 0)


@lru_cache(maxsize=1 << 13)
def above(network: Network, v: int, first: tuple[Layer, ...] = (), dims: Shape = ()) -> Network:
    """The network that reads the value at a cut, through further layers."""
    before = ancestors(network, v)
    return region(network, [n for n in range(len(network.nodes)) if n not in before], v, first, dims)


def mixes_output(network: Network) -> bool:
    """Whether every invertible matrix on the last axis of the output turns functions of the network into such."""
    group, read_by, weights = linear_groups(network), readers(network), FreeWeights(network)
    members = [n for n, root in enumerate(group) if root == group[-1]]
    if 0 in members:
        return False
    outside = {n for m in members for n in read_by[m] if not network.nodes[n].layer.mixes_through}
    return None not in [*map(weights.before, members)] and None not in [*map(weights.after, outside)]


def shifts_output(network: Network) -> bool:
    """Whether every constant vector may be added to the output: it ends with a bias of its own."""
    return isinstance(network.nodes[-1].layer, Bias) and FreeWeights(network).own(len(network.nodes) - 1)


def absorbs_mixing(network: Network) -> bool:
    """Whether the network may read its input through any matrix on the last axis: only full matrices read it."""
    weights = FreeWeights(network)
    first = readers(network)[0]
    return all(not network.nodes[n].layer.mixes_through and weights.after(n) is not None for n in first)


def absorbs_shift(network: Network) -> bool:
    """Whether a constant vector may be added to the input as well: a bias stands behind every matrix that reads it."""
    read_by, weights = readers(network), FreeWeights(network)

    def bias(n: int) -> bool:
        return isinstance(network.nodes[n].layer, Bias) and weights.own(n)

    return absorbs_mixing(network) and all(
        isinstance(network.nodes[n].layer, Dense) and len(read_by[n]) == 1 and bias(read_by[n][0]) for n in read_by[0]
    )


def outer(network: Network, v: int, shift: bool, dims: Shape = ()) -> Network:
    """The network above a cut, so changed that it absorbs matrices, and shifts if asked, at its input."""
    plain = above(network, v)
    if absorbs_shift(plain) if shift else absorbs_mixing(plain):
        return above(network, v, dims=dims) if dims else plain
    m = network.shapes[v][-1]
    return above(network, v, (Dense(m), Bias()) if shift else (Dense(m),), dims)


@lru_cache(maxsize=4096)
def independent(network: Network, constant: bool) -> bool:
    """Whether the features of the output, and the constant 1 if asked, are linearly independent functions.

    True is proved: values modulo a prime at chosen weights and points span a space of that dimension.
    """
    field, rng = PrimeField(P22), np.random.default_rng(3)
    m = network.output_shape[-1]
    points = field.random(rng, (m + 4, *network.input_shape))
    try:
        values = network.evaluate(PrimeFieldEngine(field), random_weights(network, field, rng), points)
    except (PoleError, ArithmeticError):
        return False
    rows = np.asarray(values, dtype=float).reshape(-1, m)
    if constant:
        rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    return rank(rows, field) == m + constant


@lru_cache(maxsize=1 << 14)
def rank_of(part: Network | Case) -> int:
    """The rank of the Jacobian of a small network at random weights, a lower bound for its dimension; else 0."""
    if not isinstance(part, Network):
        if parameter_count(part[0]) > MOST_WEIGHTS:
            return 0
        part = mlp(*part)
    if not 0 < part.parameter_count <= MOST_WEIGHTS:
        return 0
    field, extra = PrimeField(P22), 0
    while True:
        try:
            found = generic_rank(part, field, np.random.default_rng(1), part.parameter_count, extra=extra)
        except PolygeomError:
            return 0
        if found.stable:
            return found.value
        extra = 2 * extra + 3


@lru_cache(maxsize=4096)
def monomials_of(network: Network) -> tuple[int, bool] | None:
    """How many monomials the features of the output have together, and whether 1 is one of them."""
    space = monomial_space(network)
    if space is None:
        return None
    every = {monomial for k in range(len(space.spans)) for monomial in space.monomials(k)}
    return len(every), (0,) * network.input_dimension in every


def narrowed(network: Network, widths: dict[int, int]) -> Network:
    """The network with other widths of some of its dense layers."""
    return Network(
        tuple(
            Node(Dense(widths[n]), node.inputs, node.shares) if n in widths else node
            for n, node in enumerate(network.nodes)
        )
    )


def cells(network: Network) -> Iterator[tuple[int, list[int]]]:
    """The largest parts with one value that they read and one value that is read, which do not overlap.

    Each as the value that it reads and its nodes, the last of which is the one that is read. They have weights, and
    share none with the rest. The whole network is no such part.
    """
    taken: set[int] = set()
    for entry, members in sorted(_closed_parts(network), key=lambda part: -len(part[1])):
        if taken.isdisjoint(members):
            taken |= set(members)
            yield entry, members


def _closed_parts(network: Network) -> Iterator[tuple[int, list[int]]]:
    read_by, last = readers(network), len(network.nodes) - 1
    owners = [node.shares if node.shares is not None else n for n, node in enumerate(network.nodes)]
    above_of = [ancestors(network, v) for v in range(last + 1)]
    for v in range(1, last + 1):
        for entry in above_of[v] - {v}:
            members = [n for n in sorted(above_of[v]) if n > entry and entry in above_of[n]]
            inside = set(members)
            if (entry, v) == (0, last) or len(members) < 2:
                continue
            reads_inside = all(i in inside or i == entry for n in members for i in network.nodes[n].inputs)
            read_inside = all(n == v or inside.issuperset(read_by[n]) for n in members)
            shared = any((owners[n] in inside) != (n in inside) for n in range(last + 1))
            if reads_inside and read_inside and not shared and any(network.weight_names[n] for n in members):
                yield entry, members
