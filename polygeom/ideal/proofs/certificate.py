"""Certificates: what a third party needs to re-check the equations of a neurovariety without searching for them.

A certificate is a JSON object:

``network``, ``dimension``
    text of the network; a certificate of its dimension (`polygeom.dimension.proofs.certificate`);
``grading``
    weights of the coordinates, and for every exchange of two neighbouring outputs or inputs a permutation of the
    network's weights that has the same effect;
``equations``
    minimal generators of dominant weight, as lists of terms (numbers of coordinates, integer);
``degrees``
    for every degree that is called complete, every dominant weight with the dimension of its space of polynomials and
    the rank that bounds the equations from above;
``completeness``
    the argument that no equation is missing in any degree, if there is one: linear subspaces for sections;
``claim``
    what follows: proved degree, numbers of generators, dimension, degree, h-vector.

`certify` writes one; `polygeom.ideal.proofs.verification.verify` checks it with code of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from polygeom._version import __version__
from polygeom.dimension.proofs.certificate import certify as certify_dimension
from polygeom.errors import PolygeomError
from polygeom.ideal.grading.spaces import Spaces
from polygeom.ideal.search.completeness import Completeness
from polygeom.ideal.search.membership import plain_integers
from polygeom.ideal.search.search import Search, interpolate, proved_degree
from polygeom.ideal.search.sections import embedding
from polygeom.modular import as_field
from polygeom.network import Network
from polygeom.network.layers import Bias, Dense
from polygeom.symmetry.exponents import numbered_weights

KIND = "ideal"
FORMAT = 1


def certify(search: Search | Network | str) -> dict[str, Any]:
    """A certificate for the equations of a neurovariety as plain data for JSON.

    Parameters
    ----------
    search:
        What `polygeom.ideal.search.search.interpolate` returned; a network or its text stands for a search with its
        defaults.

    Raises
    ------
    PolygeomError
        If nothing is proved.

    Examples
    --------
    >>> certify("[3,2,1] r=2")["claim"]["completeness"]
    'hypersurface'
    """
    found = search if isinstance(search, Search) else interpolate(search)
    interpolation, coordinates = found.interpolation, found.interpolation.coordinates
    complete_to = proved_degree(interpolation.reports)
    if complete_to == 0:
        raise PolygeomError("search has no proved degree; raise its timeout= or lift=")
    reports = interpolation.reports[:complete_to]
    argument = found.completeness
    return {
        "kind": KIND,
        "format": FORMAT,
        "version": __version__,
        "network": coordinates.network.text,
        "coordinates": list(coordinates.names),
        "dimension": certify_dimension(coordinates.network, result=found.dimension),
        "grading": {
            "weights": [list(w) for w in interpolation.grading.table],
            "outputs": interpolation.grading.outputs,
            "inputs": interpolation.grading.inputs,
            "cone": interpolation.grading.cone,
            "exchanges": [list(e) for e in _exchanges(found)],
        },
        "kept": list(interpolation.kept),
        "equations": [
            {
                "degree": e.degree,
                "weight": list(e.weight),
                "terms": [
                    [monomial, str(c)]
                    for monomial, c in zip(e.monomials.tolist(), plain_integers(e, coordinates), strict=True)
                ],
            }
            for report in reports
            for e in report.equations
        ],
        "restricted": interpolation.only is not None,
        "degrees": [
            {"degree": r.degree, "spaces": [[list(s.weight), s.monomials, s.rank] for s in r.spaces]} for r in reports
        ],
        "completeness": None if argument is None else _argument(argument, found),
        "claim": {
            "complete_to": complete_to,
            "completeness": None if argument is None else argument.argument,
            "counts": {str(r.degree): r.new for r in reports if r.new},
            "hilbert_function": list(interpolation.hilbert_function[: complete_to + 1]),
            "degree": None if argument is None else argument.degree,
            "h_vector": None if argument is None else list(argument.h_vector),
        },
    }


def _argument(argument: Completeness, found: Search) -> dict[str, Any]:
    """The data of an argument for completeness: for sections the linear subspaces."""
    interpolation = found.interpolation
    data: dict[str, Any] = {"argument": argument.argument, "prime": interpolation.prime}
    if argument.argument == "section":
        spaces = Spaces(interpolation.grading, interpolation.kept)
        field = as_field(interpolation.prime)
        n = found.dimension.lower + (not interpolation.grading.cone)
        codimension = len(interpolation.kept) - n
        first, *others = argument.seeds
        subspaces = [(codimension, first), *((codimension + 1, seed) for seed in others)]
        factors = field.encode([*interpolation.coordinates.factors, *[1] * (not interpolation.grading.cone)])
        data["subspaces"] = [
            field.decode(field.multiply(embedding(spaces, k, field, seed), factors[None, :])).tolist()
            for k, seed in subspaces
        ]
    return data


def _exchanges(found: Search) -> Iterator[list[int]]:
    """For neighbouring outputs, then inputs of the blocks, the permutation of the weights that exchanges them."""
    grading = found.interpolation.grading
    network = grading.coordinates.network
    for i, j in pairwise(range(grading.outputs)):
        yield _exchange(network, _last_weights(network), 0, i, j)
    for i, j in pairwise(range(grading.inputs)):
        yield _exchange(network, _first_weights(network), -1, i, j)


def _exchange(network: Network, names: set[str], axis: int, i: int, j: int) -> list[int]:
    """Numbers of the weights after exchanging rows or columns ``i`` and ``j`` of the named arrays."""
    moved = {}
    for name, numbers in numbered_weights(network).items():
        order = np.arange(numbers.shape[axis])
        if name in names:
            order[[i, j]] = order[[j, i]]
        moved[name] = np.take(numbers, order, axis=axis)
    return [int(k) for name in network.parameters for k in moved[name].ravel()]


def _first_weights(network: Network) -> set[str]:
    return {
        name for n, node in enumerate(network.nodes) if 0 in node.inputs for name in network.weight_names[n].values()
    }


def _last_weights(network: Network) -> set[str]:
    """Weights of the layers whose sum, with biases, is the output."""
    names: set[str] = set()
    pending = [len(network.nodes) - 1]
    while pending:
        number = pending.pop()
        node = network.nodes[number]
        if isinstance(node.layer, Dense | Bias):
            names.update(network.weight_names[number].values())
        if not isinstance(node.layer, Dense):
            pending += node.inputs
    return names
