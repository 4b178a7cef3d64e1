"""``learning_coefficient(network, at=…)``: exact where a theorem applies, proved bounds elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.answers import PROBABLE, PROVED, UNKNOWN
from polygeom.checks import seed as as_seed
from polygeom.dimensions import DimensionResult, dimension
from polygeom.network import Network, mlp
from polygeom.network.builder import as_network
from polygeom.singularities.defects import CANCELLING, DEAF, SILENT, Anatomy, Defect, anatomy
from polygeom.singularities.explicit import explicit_threshold
from polygeom.singularities.linear import AOYAGI, aoyagi, two_layers_at
from polygeom.singularities.ranks import Matrix, Weights, exact_rank, rank_at, relaxed_rank
from polygeom.singularities.remainders import all_deaf, alone, ceiling, flat_directions, remainder
from polygeom.singularities.result import LearningCoefficient
from polygeom.singularities.strata import Stratum, given
from polygeom.singularities.threshold import Threshold, coordinates

CONSTANT_RANK = "the derivative has its generic rank, so the loss is a sum of squares of that many coordinates"
SMOOTH = "the rank and a manifold of weights with the same function are complementary, so the loss is a sum of squares"


@dataclass(frozen=True, slots=True)
class _Finding:
    """What was found: a threshold, or an upper bound, and why; ``floor`` where more than the rank is known."""

    threshold: Threshold | None
    upper: Fraction
    reason: str
    live: tuple[int, ...] = ()
    floor: Fraction = Fraction(0)


def learning_coefficient(
    network: Network | str, at: str | Mapping[str, Any] | None = None, *, rng: int | np.random.Generator = 0
) -> LearningCoefficient:
    """The learning coefficient (real log canonical threshold) of a network at weights, exactly or between bounds.

    The mean squared error to the function at these weights, ``K(w)``, on inputs that tell all polynomials of the
    network apart, has ``∫ K(w)^z dw`` over a small ball around them with largest pole ``-λ``, of order ``m``. Bayesian
    generalisation and free energy of singular models are governed by ``λ``.

    Parameters
    ----------
    network:
        A `Network` or its text.
    at:
        Where. None: generic weights. Text, for perceptrons: ``"dead 1,3"``, neurons whose incoming and outgoing weights
        are zero; ``"silent 2"``, outgoing weights alone; ``"deaf 2"``, incoming ones alone; ``"duplicate 1=2"``,
        ``"collinear 1=2"``, ``"cancel 1=2"`` (opposite outgoing weights); several with ``;`` between them; ``2:3`` is
        neuron 3 of hidden layer 2. ``"rank 1"`` for linear networks. The other weights are random integers. Or a
        mapping with an array of exact numbers for every weight; floats count as the fractions that they are.
    rng:
        Seed of the random weights, primes and points.

    Returns
    -------
    `LearningCoefficient`. ``lower`` and ``upper`` are always proved (``probable`` only where the dimension of the
    network is).

    Raises
    ------
    FormatError
        If the text is not a network.
    PolygeomError
        If there are no such neurons, or weights do not fit.

    References
    ----------
    Watanabe, *Algebraic Geometry and Statistical Learning Theory* (2009).

    Examples
    --------
    >>> generic = learning_coefficient("[3,2,1] r=2")
    >>> generic.value, generic.multiplicity, generic.parameters
    (Fraction(5, 2), 1, 8)
    >>> dead = learning_coefficient("[3,2,1] r=2", at="dead 2")
    >>> dead.value, dead.multiplicity, dead.proved
    (Fraction(2, 1), 2, True)
    """
    network = as_network(network)
    number = as_seed(rng)
    size = dimension(network, rng=number)
    if at is None:
        return _generic(network, size, number)
    if isinstance(at, Mapping):
        weights, where = given(network, at), "given weights"
    else:
        stratum = Stratum.parse(at)
        weights, where = stratum.weights(network, np.random.default_rng((number, 4))), stratum.text
    rank = rank_at(network, weights, size.upper, number)
    finding = _at(network, weights, size, rank, number)
    if finding.threshold is None and (found := explicit_threshold(network, weights)) is not None:
        if found.exact is not None:
            finding = replace(finding, threshold=found.exact, reason=found.reason)
        elif found.upper.value < finding.upper:
            finding = replace(finding, upper=found.upper.value, reason=f"{finding.reason}; {found.reason}")
    return _answer(network, where, finding, rank, number)


def _generic(network: Network, size: DimensionResult, seed: int) -> LearningCoefficient:
    half = Fraction(1, 2)
    return LearningCoefficient(
        network=network.text,
        at="generic weights",
        value=size.dimension * half,
        multiplicity=1,
        lower=size.lower * half,
        upper=size.upper * half,
        status=PROVED if size.proved else PROBABLE,
        rank=size.lower,
        parameters=network.parameter_count,
        live=network.widths or (),
        reason=f"half the dimension {size.dimension}: {CONSTANT_RANK}",
        seed=seed,
    )


def _answer(network: Network, where: str, finding: _Finding, rank: int, seed: int) -> LearningCoefficient:
    known = finding.threshold
    lower = max(Fraction(rank, 2), finding.floor) if known is None else known.value
    return LearningCoefficient(
        network=network.text,
        at=where,
        value=None if known is None else known.value,
        multiplicity=None if known is None else known.multiplicity,
        lower=lower,
        upper=finding.upper if known is None else known.value,
        status=UNKNOWN if known is None else PROVED,
        rank=rank,
        parameters=network.parameter_count,
        live=finding.live,
        reason=finding.reason,
        seed=seed,
    )


def _at(network: Network, weights: Weights, size: DimensionResult, rank: int, seed: int) -> _Finding:
    if rank == size.upper:
        return _Finding(coordinates(rank), Fraction(rank, 2), CONSTANT_RANK, network.widths or ())
    anything = _Finding(None, Fraction(network.parameter_count, 2), "the rank below, the number of weights above")
    widths, degrees = network.widths, network.activation_degrees
    if widths is None or degrees is None:
        return anything
    matrices: list[Matrix] = [array.tolist() for array in weights.values()]
    if set(degrees) == {1}:
        return _linear(widths, matrices)
    body = anatomy(matrices, degrees)
    if 0 in body.widths:
        return _zero(network, matrices, body, rank)
    live = mlp(body.widths, list(degrees)) if len(set(degrees)) > 1 else mlp(body.widths, degrees[0])
    found = rank_at(live, _named(live, body.matrices), live.parameter_count, seed)
    if found != live.parameter_count - live.gauge and found != dimension(live, rng=seed).upper:
        return anything
    return _live(network, body, live, found, rank, seed)


def _named(network: Network, matrices: list[Matrix]) -> dict[str, np.ndarray]:
    return {name: np.array(matrix, object) for name, matrix in zip(network.parameters, matrices, strict=True)}


def _linear(widths: tuple[int, ...], matrices: list[Matrix]) -> _Finding:
    """Linear networks: the most singular weights of a rank at any depth, all weights with two layers."""
    ranks = [exact_rank(matrix) for matrix in matrices]
    whole = np.array(matrices[0], object)
    for matrix in matrices[1:]:
        whole = np.array(matrix, object) @ whole
    rank = exact_rank(whole.tolist())
    best = aoyagi(widths, rank)
    if len(matrices) == 2:
        inputs, hidden, outputs = widths
        here = two_layers_at(inputs, hidden, outputs, ranks[0], ranks[1], rank)
        same = "" if here != best else f", as {AOYAGI} says"
        return _Finding(here, here.value, f"ranks {ranks[0]}, {ranks[1]}, of the product {rank}{same}", widths)
    if set(ranks) == {rank}:
        return _Finding(best, best.value, f"{AOYAGI}, rank {rank} in every layer", widths)
    upper = Fraction(sum(a * b for a, b in pairwise(widths)), 2)
    return _Finding(None, upper, f"{AOYAGI} for the most singular weights of rank {rank} below", widths, best.value)


def _zero(network: Network, matrices: list[Matrix], body: Anatomy, rank: int) -> _Finding:
    """The zero function: a whole layer is dead."""
    widths, degrees = network.widths, network.activation_degrees
    assert widths is not None and degrees is not None
    sizes = [
        Fraction(widths[k] * widths[k + 1], 2 * int(np.prod(degrees[k:], dtype=object)))
        for k, matrix in enumerate(matrices)
        if not any(map(any, matrix))
    ]
    upper = min(sizes, default=Fraction(network.parameter_count, 2))
    if upper == Fraction(rank, 2) and not any(map(any, matrices[-1])):
        return _Finding(coordinates(rank), upper, f"the last layer is zero: {SMOOTH}")
    if len(widths) == 3:
        flat = sum(flat_directions(one, widths[0], widths[2]) for one in body.defects)
        if rank + flat == network.parameter_count:
            return _Finding(coordinates(rank), Fraction(rank, 2), f"the zero function: {SMOOTH}")
        known = None
        if widths[1] == 1:
            known = alone(body.defects[0], widths[0], widths[2], degrees[0])
        elif all(one.kind == DEAF for one in body.defects):
            known = all_deaf([one.outgoing[0] for one in body.defects], widths[0], degrees[0])
        if known is not None:
            return _Finding(known, known.value, "the zero function, a quasihomogeneous remainder without tangent space")
    return _Finding(None, upper, "the zero function; the number of weights of a layer, over the degree, bounds it")


def _live(network: Network, body: Anatomy, live: Network, tangent: int, rank: int, seed: int) -> _Finding:
    """A live subnetwork of constant rank ``tangent``, and degenerate neurons."""
    widths, degrees = network.widths, network.activation_degrees
    assert widths is not None and degrees is not None
    half, layers = Fraction(1, 2), {one.layer for one in body.defects}
    upper = tangent * half + sum(
        (
            ceiling(one, widths[one.layer - 1], body.widths[one.layer + 1], degrees[one.layer - 1])
            for one in body.defects
        ),
        Fraction(0),
    )
    floor = Fraction(rank, 2)
    told = f"live subnetwork [{','.join(map(str, body.widths))}] of rank {tangent}"
    if len(layers) == 1:
        layer = layers.pop()
        flat = sum(flat_directions(one, widths[layer - 1], widths[layer + 1]) for one in body.defects)
        if rank + live.parameter_count - tangent + flat == network.parameter_count:
            return _Finding(coordinates(rank), rank * half, f"{SMOOTH}; {told}", body.widths)
        found = [_one(one, body, widths, degrees, tangent, seed) for one in body.defects]
        known = [one for one in found if one is not None]
        if len(body.defects) == 1 and known:
            threshold, reason = known[0]
            return _Finding(threshold, threshold.value, f"{told}; {reason}", body.widths)
        floor = max((one[0].value for one in known), default=floor)
    kinds = ", ".join(one.kind for one in body.defects)
    reason = f"{told}; {kinds}: the rank or one of them alone below, ideals that contain the loss above"
    return _Finding(None, upper, reason, body.widths, floor)


def _one(
    defect: Defect, body: Anatomy, widths: tuple[int, ...], degrees: tuple[int, ...], tangent: int, seed: int
) -> tuple[Threshold, str] | None:
    """The theorems for one degenerate neuron in a network that is otherwise its live subnetwork.

    Beside other defects it is a lower bound: what is left of them on a linear subspace of the weights. Restriction does
    not raise complex thresholds, which are not above the real ones, and those found here are the same over both.
    """
    layer = defect.layer
    if defect.kind in (SILENT, CANCELLING) or degrees[layer - 1] < 2:
        return None
    rows = body.matrices[layer - 1]
    outgoing = [list(column) for column in zip(*body.matrices[layer], strict=True)]
    found = remainder(defect, rows, outgoing, degrees[layer - 1], body.origin(defect))
    if found is None:
        return None
    reason = found.reason
    if len(widths) > 3:
        if relaxed_rank(body.matrices, degrees, layer, seed) != tangent + found.conditions:
            return None
        reason += f"; the rest of the network tells them apart around hidden layer {layer}"
    return coordinates(tangent).sum(found.threshold), reason
