"""Certificates: what a third party needs to re-check the equations of a neurovariety without searching for them.

A certificate is a JSON object:

``network``, ``dimension``
    text of the network; a certificate of its dimension (`polygeom.dimensions.proofs.certificate`);
``grading``
    weights of the coordinates, scalings of the network's weights that act with them, and for every exchange of two
    neighbouring outputs or inputs a permutation of the network's weights that has the same effect;
``equations``
    minimal generators of dominant weight, as lists of terms (numbers of coordinates, integer);
``degrees``
    for every degree that is called complete, every dominant weight with the dimension of its space of polynomials and
    the rank that bounds the equations from above;
``completeness``
    the argument that no equation is missing in any degree, if there is one: linear subspaces for sections;
``claim``
    what follows: proved degree, numbers of generators, dimension, degree, h-vector.

`certify` writes one; `polygeom.certificates` checks it with code of its own. ``docs/certificates.md`` says what each
field means.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, cast

import numpy as np

from polygeom._version import __version__
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.proofs.certificate import certified
from polygeom.dimensions.proofs.decoding import FORMAT, encode
from polygeom.dimensions.proofs.limits import Budget
from polygeom.errors import PolygeomError
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.grading.spaces import Spaces
from polygeom.ideal.proofs.claims import (
    Argument,
    Claims,
    Filling,
    Grading,
    Hypersurface,
    IdealCertificate,
    Listed,
    Listing,
    Sections,
)
from polygeom.ideal.proofs.coefficients import common_denominator, expand
from polygeom.ideal.search.completeness import Completeness
from polygeom.ideal.search.equations import Equation
from polygeom.ideal.search.membership import plain_integers
from polygeom.ideal.search.search import Search, interpolate, proved_degree
from polygeom.ideal.search.sections import embedding
from polygeom.modular import as_field
from polygeom.network import Network
from polygeom.network.layers import Bias, Dense


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
    if argument is not None and argument.argument == "regularity":
        argument = None  # the checker does not know this argument: the certificate says how far the degrees are proved
    certificate = IdealCertificate(
        kind="ideal",
        format=FORMAT,
        version=__version__,
        network=plain_text(coordinates.network),
        coordinates=list(coordinates.names),
        dimension=certified(coordinates.network, found.dimension),
        grading=Grading(
            weights=[list(w) for w in interpolation.grading.table],
            outputs=interpolation.grading.outputs,
            inputs=interpolation.grading.inputs,
            cone=interpolation.grading.cone,
            scalings=_scalings(found),
            exchanges=[list(e) for e in _exchanges(found)],
        ),
        kept=list(interpolation.kept),
        equations=[_listed(e, coordinates) for report in reports for e in _sorted(report.equations)],
        restricted=interpolation.only is not None,
        degrees=[
            Listing(r.degree, sorted(((list(s.weight), s.monomials, s.rank) for s in r.spaces), reverse=True))
            for r in reports
        ],
        completeness=None if argument is None else _argument(argument, found),
        claim=Claims(
            complete_to=complete_to,
            completeness=None if argument is None else cast("Argument", argument.argument),
            counts={str(r.degree): r.new for r in reports if r.new},
            hilbert_function=list(interpolation.hilbert_function[: complete_to + 1]),
            degree=None if argument is None else argument.degree,
            h_vector=None if argument is None else list(argument.h_vector),
        ),
    )
    return encode(certificate)


def _argument(argument: Completeness, found: Search) -> Filling | Hypersurface | Sections:
    """The data of an argument for completeness: for sections the linear subspaces."""
    if argument.argument != "section":
        return Filling() if argument.argument == "filling" else Hypersurface()
    interpolation = found.interpolation
    spaces = Spaces(interpolation.grading, interpolation.kept)
    field = as_field(interpolation.prime)
    n = found.dimension.lower + (not interpolation.grading.cone)
    codimension = len(interpolation.kept) - n
    first, *others = argument.seeds
    subspaces = [(codimension, first), *((codimension + 1, seed) for seed in others)]
    factors = field.encode([*interpolation.coordinates.factors, *[1] * (not interpolation.grading.cone)])
    return Sections(
        prime=interpolation.prime,
        subspaces=[
            field.decode(field.multiply(embedding(spaces, k, field, seed), factors[None, :])).tolist()
            for k, seed in subspaces
        ],
    )


def _sorted(equations: Sequence[Equation]) -> list[Equation]:
    return sorted(equations, key=lambda e: e.weight, reverse=True)


def _listed(equation: Equation, coordinates: Coordinates) -> Listed:
    """The one form of an equation: increasing monomials, coprime coefficients, the first of them positive."""
    terms: Counter[tuple[int, ...]] = Counter()
    for monomial, c in zip(equation.monomials.tolist(), plain_integers(equation, coordinates), strict=True):
        terms[tuple(sorted(monomial))] += c
    listed = sorted((m, c) for m, c in terms.items() if c)
    sign = 1 if listed[0][1] > 0 else -1
    common = math.gcd(*(c for _, c in listed))
    terms_of_it = [(list(m), str(sign * c // common)) for m, c in listed]
    return Listed(equation.degree, list(equation.weight), terms_of_it)


def _scalings(found: Search) -> list[list[int]]:
    """Rows ``(n, m, e_1, e_2, …)``: the weights ``w_k t^e_k`` scale coordinates of weight v by t^(n v - m).

    One row for every column of the grading, and before them one with v = 1 if the neurovariety is a cone. Coordinates
    of a map are multiplied by a common denominator, which is scaled like a coordinate of weight 0 on a cone, and is the
    homogenising one otherwise.
    """
    grading, network = found.interpolation.grading, found.interpolation.coordinates.network
    known = expand(plain_text(network), Budget())
    rows: dict[tuple[int, ...], int] = {}  # exponents of one monomial → coordinate
    for k, entry in enumerate(grading.coordinates.entries):
        for exponents in known.get(entry, ()):
            rows.setdefault((*exponents, 1), k)
    below = {(*exponents, 1): grading.size for exponents in common_denominator(plain_text(network), Budget())}
    if not grading.cone:
        rows |= dict.fromkeys(below, grading.size - 1)
    columns = [[row[c] for row in grading.table] for c in range(len(grading.table[0]))]
    width = network.parameter_count + 1
    scalings = [_solution(rows | below, [1] * grading.size + [0], width)] if grading.cone else []
    return [*scalings, *(_solution(rows, column, width) for column in columns)]


def _solution(rows: Mapping[tuple[int, ...], int], column: Sequence[int], width: int) -> list[int]:
    """Integers ``(n, m, e)``, ``width`` of them after n, such that ``e · exponents + m = n · column`` for all rows."""
    import flint

    table = [[*row, column[k]] for row, k in rows.items()]
    reduced, rank = flint.fmpq_mat(len(table), width + 1, [flint.fmpq(x) for row in table for x in row]).rref()
    values = [Fraction(0)] * width
    for r in range(rank):
        pivot = next(c for c in range(width + 1) if reduced[r, c] != 0)
        if pivot == width:
            raise PolygeomError("certificate: a column of the grading is no scaling; this is an error of polygeom")
        values[pivot] = Fraction(int(reduced[r, width].p), int(reduced[r, width].q))
    n = math.lcm(*(v.denominator for v in values))
    *exponents, shift = (int(v * n) for v in values)
    return [n, shift, *exponents]


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
    for name, numbers in network.weight_numbers.items():
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
