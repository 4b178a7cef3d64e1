"""Certificates: what a third party needs to re-check a dimension without repeating the search for it.

A certificate is a JSON object of explicit integers:

``network``
    text of the network;
``lower``
    a prime, all weights in one list and points, as residues, such that the Jacobian of (weights → outputs at the
    points) has at least the claimed rank mod the prime. A nonzero minor mod p is nonzero over ℤ, so the rank proves
    ``dim ≥ rank`` whatever the choice;
``upper``
    the tree of bounds, each an instance of a rule of `polygeom.dimensions.bounds.rules`;
``claim``
    dimension, lower, upper, proved.

`certify` writes one; `polygeom.certificates` checks it. ``docs/certificates.md`` says what each field means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polygeom._version import __version__
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.bounds.search import proved_bound
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.counts import without_idle_layers
from polygeom.dimensions.proofs.decoding import FORMAT, MOST_TEXT, encode, typed
from polygeom.dimensions.proofs.programs import LAYERS, read
from polygeom.dimensions.proofs.rules import Step
from polygeom.dimensions.proofs.verification import Claim, DimensionCertificate, Witness
from polygeom.dimensions.ranks.tangent import activation_degrees, jacobian, random_weights
from polygeom.dimensions.ranks.witness import SPARSE, field_for, generator, sparse_weights, structured_weights
from polygeom.dimensions.result import DimensionResult
from polygeom.errors import BudgetError, CertificateError, PolygeomError
from polygeom.modular import PrimeField, rank
from polygeom.network import Network
from polygeom.network.builder import as_network
from polygeom.network.text.maps import map_formula
from polygeom.storage.durable import write_file

Array = np.ndarray

_MOST_BYTES = 2 * 2**30


def certify(network: Network | str, *, result: DimensionResult | None = None, rng: int = 0) -> dict[str, Any]:
    """A certificate for the dimension of ``network`` as plain data for JSON.

    Parameters
    ----------
    network:
        A `Network` or its text.
    result:
        A result of `polygeom.dimensions.dimension` for it; computed if None.
    rng:
        Seed of the witness.

    Raises
    ------
    BudgetError
        If the plain Jacobian of the witness would exceed 2 GiB; the dimension itself may still be computable.

    Examples
    --------
    >>> certify("[3,3,3] r=2")["claim"]
    {'dimension': 15, 'lower': 15, 'upper': 15, 'proved': True}
    """
    return encode(certified(network, result, rng))


def certified(network: Network | str, result: DimensionResult | None, rng: int = 0) -> DimensionCertificate:
    """The certificate that `certify` gives, as the type that its checker reads."""
    network = as_network(network).unscaled
    foreign = sorted({node.layer.kind for node in network.nodes} - LAYERS.keys())
    if foreign and map_formula(network) is None:
        _check_readable(network, foreign)
    if len(plain_text(network)) > MOST_TEXT:
        raise PolygeomError(
            f"certificate: the text of the network has more than {MOST_TEXT} characters, which the independent check "
            "does not read; keep the result itself, its text, seed and primes repeat it"
        )
    result = dimension(network, rng=rng) if result is None else result
    if result.network != network.text:
        raise PolygeomError(f"result must belong to the network {network}, got one of {result.network}")
    field, weights, points = _witness(network, result, rng)
    bound = proved_bound(network, thorough=False)
    if bound.value > result.upper:
        bound = proved_bound(network)
    return DimensionCertificate(
        kind="dimension",
        format=FORMAT,
        version=__version__,
        network=plain_text(network),
        claim=Claim(result.lower, result.lower, bound.value, result.lower == bound.value),
        lower=Witness(
            rank=result.lower,
            prime=field.p,
            weights=[int(w) for name in network.parameters for w in field.decode(weights[name]).ravel() % field.p],
            points=(field.decode(points).reshape(len(points), -1) % field.p).astype(np.int64).tolist(),
        ),
        upper=typed(bound, Step),
    )


def write_certificate(certificate: Mapping[str, Any], path: str | Path) -> None:
    """Write a certificate as JSON text.

    Raises
    ------
    PolygeomError
        If the file cannot be written.
    """
    write_file(path, (json.dumps(certificate, separators=(",", ":")) + "\n").encode("ascii"), "certificate")


def _check_readable(network: Network, foreign: list[str]) -> None:
    try:
        read(plain_text(network))
    except CertificateError:
        raise PolygeomError(
            f"certificate: the independent check does not read layers of the kinds {', '.join(foreign)} yet; "
            "keep the result itself, its text, seed and primes repeat it"
        ) from None


def _witness(network: Network, result: DimensionResult, seed: int) -> tuple[PrimeField, dict[str, Array], Array]:
    """Weights and points at which the plain Jacobian has the rank ``result.lower``; checked before it is returned."""
    outputs = network.output_dimension
    count = max(1, -(-result.lower // outputs))
    for number in range(64):
        needed = 16 * outputs * count * network.parameter_count
        if needed > _MOST_BYTES:
            raise BudgetError(
                f"certificate: the plain Jacobian needs {needed / 2**30:.1f} GiB, "
                f"at most {_MOST_BYTES / 2**30:.0f} GiB are allowed; certify a smaller network"
            )
        rng = generator(seed, number)
        field = field_for(rng, number, activation_degrees(network))
        weights = _special_weights(network, result.method, field, rng)
        points = _points(network, field, rng, count)
        rows = jacobian(network, field, weights, points)
        if rank(rows.reshape(outputs * len(points), -1), field, overwrite=True) >= result.lower:
            return field, weights, points
        count += max(4, count // 2)
    raise PolygeomError(f"certificate: no witness of rank {result.lower} found for {network}; try another rng")


def _points(network: Network, field: PrimeField, rng: np.random.Generator, count: int) -> Array:
    """Random points; for a map, which has no inputs, the one that stands for all."""
    if map_formula(network) is not None:
        return np.zeros((1, 1))
    return field.random(rng, (count, *network.input_shape))


def _special_weights(network: Network, method: str, field: PrimeField, rng: np.random.Generator) -> dict[str, Array]:
    """Structured or sparse weights where the result used them, surplus outputs zero; generic weights otherwise."""
    widths, degrees = network.widths, network.activation_degrees
    if widths is None or degrees is None or without_idle_layers(widths, degrees)[0] != widths or len(widths) == 2:
        return random_weights(network, field, rng)
    outputs = min(widths[-1], widths[-2])
    draw = sparse_weights if method == SPARSE else structured_weights
    drawn = draw((*widths[:-1], outputs), field, rng)
    drawn[-1] = np.concatenate([drawn[-1], np.zeros((widths[-1] - outputs, widths[-2]))])
    return dict(zip(network.parameters, drawn, strict=True))
