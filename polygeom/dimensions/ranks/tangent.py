"""The tangent space of any network's neurovariety at given weights: the Jacobian weights → outputs at points, mod p.

This is the general route, by reverse mode over the layers' primitives; it knows nothing of the architecture. For
multilayer perceptrons `polygeom.dimensions.ranks.blocks` computes the same rank faster.

Why points and not coefficients: the outputs at ``N`` generic points are a linear image of the coefficients, and once
one more generic point adds nothing to the rank, none does, so the rank at the points is the rank of the coefficients'
Jacobian.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from polygeom.dimensions.counts import Degrees
from polygeom.dimensions.ranks.budget import require_memory
from polygeom.dimensions.ranks.witness import Rank
from polygeom.engines.prime_field import Tape
from polygeom.errors import PoleError, PolygeomError
from polygeom.modular import PrimeField, rank, rank_stable
from polygeom.network import Network
from polygeom.network.text.maps import map_formula

Array = np.ndarray

TAIL = 3
_MOST_POLES = 64
"""Random points at which a denominator may vanish, one after another, before it is taken to vanish everywhere."""


def jacobian(network: Network, field: PrimeField, weights: dict[str, Array], points: Array) -> Array:
    """Derivatives of every output at every point by every weight.

    Parameters
    ----------
    network:
        Any network.
    field:
        The prime field.
    weights:
        Residues by name, as in ``network.parameters``.
    points:
        Residues ``(N, *input_shape)``.

    Returns
    -------
    Residues ``(N, output_dimension, parameter_count)``; weights in the order of ``network.parameters``, each row-major.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> field = PrimeField(101)
    >>> weights = {"W1": np.array([[3.0]]), "W2": np.array([[5.0]])}
    >>> jacobian(parse("[1,1,1] r=2"), field, weights, np.array([[2.0]])) % 101
    array([[[19., 36.]]])
    """
    if map_formula(network) is not None:
        return np.repeat(_jacobian_of_map(network, field, weights), len(points), axis=0)
    tape = Tape(field)
    leaves = {name: tape.leaf(value) for name, value in weights.items()}
    output = network.evaluate(tape, leaves, tape.leaf(points))
    rows = np.empty((len(points), network.output_dimension, network.parameter_count))
    for o in range(network.output_dimension):
        seed = np.zeros((len(points), network.output_dimension))
        seed[:, o] = 1.0
        gradients = tape.gradients(output, seed.reshape(output.value.shape), leaves)
        start = 0
        for name, shape in network.parameters.items():
            size = math.prod(shape)
            rows[:, o, start : start + size] = gradients[name].reshape(len(points), size)
            start += size
    return rows


def _jacobian_of_map(network: Network, field: PrimeField, weights: dict[str, Array]) -> Array:
    """Derivatives ``(1, M, P)`` of the coordinates of a map: one pass, with as many equal points as coordinates."""
    tape, outputs = Tape(field), network.output_dimension
    leaves = {name: tape.leaf(value) for name, value in weights.items()}
    output = network.evaluate(tape, leaves, tape.leaf(np.zeros((outputs, 1))))
    gradients = tape.gradients(output, np.eye(outputs), leaves)
    return np.concatenate([gradients[name] for name in network.parameters] or [np.zeros((outputs, 0))], axis=1)[None]


def random_weights(network: Network, field: PrimeField, rng: np.random.Generator) -> dict[str, Array]:
    """Independent uniform residues for every weight."""
    return {name: field.random(rng, shape) for name, shape in network.parameters.items()}


def generic_rank(
    network: Network,
    field: PrimeField,
    rng: np.random.Generator,
    target: int,
    *,
    extra: int = 0,
    memory: int | None = None,
) -> Rank:
    """Rank of the Jacobian at random weights and points.

    Parameters
    ----------
    target:
        A proved upper bound for the rank; it sizes the number of points, and the elimination notices a rank above it.
    extra, memory:
        As for `polygeom.dimensions.ranks.blocks.block_rank`.
    """
    outputs = network.output_dimension
    if map_formula(network) is not None:
        require_memory(memory, 16 * outputs * max(1, network.parameter_count))
        rows = _at_a_value(lambda: jacobian(network, field, random_weights(network, field, rng), np.zeros((1, 1))))[0]
        return Rank(rank(rows, field, overwrite=True) if rows.size else 0, True, 1, 0)
    count = -(-target // outputs) + extra
    features = sum(math.prod(shape) for shape in network.shapes)
    require_memory(memory, 8 * (count + TAIL) * (2 * outputs * network.parameter_count + 4 * features))

    def attempt() -> Array:
        weights = random_weights(network, field, rng)
        return jacobian(network, field, weights, field.random(rng, (count + TAIL, *network.input_shape)))

    rows = _at_a_value(attempt).reshape(outputs * (count + TAIL), -1)
    value, stable = rank_stable(rows, outputs * count, field, limit=target + 1, overwrite=True)
    return Rank(value, stable, count)


def _at_a_value(attempt: Callable[[], Array]) -> Array:
    """The outcome of an attempt at random numbers, repeated while it meets poles of rational functions."""
    for _ in range(_MOST_POLES):
        try:
            return attempt()
        except PoleError:
            continue
    raise PolygeomError("network: a denominator vanishes identically modulo a prime; write one that is not zero")


def activation_degrees(network: Network) -> Degrees:
    """Integers that a prime must not divide: exponents of activations and denominators of their coefficients."""
    return tuple(d for node in network.nodes for d in node.layer.divisors)
