"""A layer as a test: what every part of polygeom does with a small network in which it occurs."""

from __future__ import annotations

import pickle
import sys
from fractions import Fraction
from itertools import pairwise

import numpy as np

from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.proofs.certificate import certify
from polygeom.dimensions.proofs.jacobians import jacobian as recorded
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import read
from polygeom.dimensions.proofs.verification import verify
from polygeom.dimensions.ranks.confidence import heights
from polygeom.engines.dual_numbers import dual_jacobian
from polygeom.engines.exact import ExactEngine
from polygeom.engines.prime_field import PrimeFieldEngine, Tape
from polygeom.engines.symbolic import jacobian_rank
from polygeom.errors import CertificateError
from polygeom.modular import PrimeField
from polygeom.network import Network, parse
from polygeom.symmetry.gauge import scalings
from polygeom.testing import formulas
from polygeom.testing.zoo import Case, case

_P = 4194301


def check_layer(text: str, formula: formulas.Formula | None = None) -> None:
    """Whether a network with a new layer can be written, read, evaluated, differentiated, bounded and certified.

    Parameters
    ----------
    text:
        A small network with the layer, one that symbolic polynomials can hold, for example a program of three layers.
    formula:
        The value of the layer at one point by other means, as loops over indices: a function of the layer, its inputs
        without the axis of points, and its weights by local name. If None, the engines are compared with exact
        arithmetic in the layer's own words, which does not see a wrong formula.

    Raises
    ------
    AssertionError
        With what differs.

    Examples
    --------
    >>> check_layer("x=input(4); a=convolution(x,2); b=power(a,2); dense(b,1)")
    """
    network = parse(text)
    _check_texts(network)
    c = case(network, np.random.default_rng(0))
    expected = _expected(c, formula)
    _check_values(c, expected)
    _check_torch(c, expected)
    _check_derivatives(c)
    _check_symmetries(c, expected)
    _check_dimension(network)
    _check_record(c)


def _check_texts(network: Network) -> None:
    assert parse(network.text) == network, f"{network.text} reads back as another network"
    assert Network.from_json(network.to_json()) == network, "its JSON reads back as another network"
    kinds = {type(node.layer) for node in network.nodes}
    if all(getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind for kind in kinds):
        assert pickle.loads(pickle.dumps(network)) == network, "its pickle reads back as another network"
    assert hash(parse(network.text)) == hash(network)


def _expected(c: Case, formula: formulas.Formula | None) -> np.ndarray:
    engine = ExactEngine()
    weights = {name: engine.encode(w) for name, w in c.weights.items()}
    value: np.ndarray = c.network.evaluate(engine, weights, engine.encode(c.points))
    assert value.shape == (len(c.points), *c.network.output_shape), "shape() does not tell the shape of the value"
    if formula is not None:
        kinds = {node.layer.kind for node in c.network.nodes} - formulas.KNOWN
        known = dict.fromkeys(kinds, formula)
        with formulas.known(known):
            by_loops = formulas.evaluate(c.network, c.weights, c.points)
        assert value.tolist() == by_loops.tolist(), "the value is not that of the formula"
    return value


def _check_values(c: Case, expected: np.ndarray) -> None:
    field = PrimeField(_P)
    weights = {name: field.encode(w) for name, w in c.weights.items()}
    value = field.decode(c.network.evaluate(PrimeFieldEngine(field), weights, field.encode(c.points)))
    residues = [Fraction(v).numerator * pow(Fraction(v).denominator, -1, _P) % _P for v in expected.flat]
    assert [int(v) for v in value.flat] == residues, "the prime field disagrees with exact arithmetic"


def _check_torch(c: Case, expected: np.ndarray) -> None:
    try:
        import torch
    except ImportError:
        return
    module = c.network.to_torch(rng=1)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(torch.tensor(c.weights[name].astype(float)))
        value = module(torch.tensor(c.points.astype(float))).numpy()
    np.testing.assert_allclose(value, expected.astype(float), rtol=1e-12, atol=1e-12)


def _check_derivatives(c: Case) -> None:
    """Reverse mode against differences: exactly, from values at enough weights."""
    field = PrimeField(_P)
    tape = Tape(field)
    leaves = {name: tape.leaf(field.encode(w)) for name, w in c.weights.items()}
    value = c.network.evaluate(tape, leaves, tape.leaf(field.encode(c.points)))
    gradients = tape.gradients(value, np.ones(value.value.shape), leaves)
    for name, w in c.weights.items():
        total = field.decode(gradients[name]).astype(object).reshape(len(c.points), -1)
        for k in range(w.size):
            assert [int(t) for t in total[:, k]] == _slope(c, name, k), f"the derivative by {name} is wrong"


def _slope(c: Case, name: str, k: int) -> list[int]:
    """The derivative of the sum of outputs by one weight: its polynomial through enough values, exactly."""
    rows = []
    for t in range(heights(c.network).weights + 3):  # one more than a polynomial of that degree needs
        moved = c.weights[name].copy()
        moved.reshape(-1)[k] += t
        engine = ExactEngine()
        weights = {n: engine.encode(moved if n == name else w) for n, w in c.weights.items()}
        outputs = c.network.evaluate(engine, weights, engine.encode(c.points))
        rows.append(outputs.reshape(len(c.points), -1).sum(axis=1))
    slopes = []
    for point in range(len(c.points)):
        values = [Fraction(row[point]) for row in rows]
        slope, sign = Fraction(0), 1
        for order in range(1, len(values)):  # f'(0) = Σ (-1)^(n-1) Δ^n f(0) / n
            values = [b - a for a, b in pairwise(values)]
            slope, sign = slope + sign * values[0] / order, -sign
        assert all(v == 0 for v in values), "a weight enters with a degree that is higher than expected"
        slopes.append(slope.numerator * pow(slope.denominator, -1, _P) % _P)
    return slopes


def _check_symmetries(c: Case, expected: np.ndarray) -> None:
    """Scalings leave the function unchanged at every weight; the gauge leaves room for the true dimension."""
    engine, network = ExactEngine(), c.network
    for row in scalings(network):
        factors, start, weights = [Fraction(2) ** int(e) for e in row], 0, {}
        for name, w in c.weights.items():
            part = np.array(factors[start : start + w.size], dtype=object).reshape(w.shape)
            weights[name], start = engine.encode(w * part), start + w.size
        value = network.evaluate(engine, weights, engine.encode(c.points))
        assert value.tolist() == expected.tolist(), "a scaling that is called a symmetry changes the function"


def _check_dimension(network: Network) -> None:
    truth = jacobian_rank(network)
    found = dimension(network)
    assert found.dimension == truth, f"the dimension is {truth} over the rationals, found {found.dimension}"
    assert found.lower <= truth <= found.upper, f"proved bounds {found.lower} to {found.upper} exclude {truth}"
    assert network.parameter_count - network.gauge >= truth, f"gauge {network.gauge} is too large"
    if not _readable(network):
        return
    outcome = verify(certify(network))
    assert outcome.valid, f"its certificate does not hold: {outcome}"


def _readable(network: Network) -> bool:
    """Whether the check of certificates has the steps that the layers take; it has no zeros to fill in, for example."""
    try:
        read(plain_text(network))
    except CertificateError:
        return False
    return True


def _check_record(c: Case) -> None:
    """The steps that the check of certificates sees have the derivatives of the network."""
    if not _readable(c.network):
        return
    p = PrimeField(_P).p
    weights = {name: w.astype(np.int64) for name, w in c.weights.items()}
    flat = np.concatenate([np.zeros(0, dtype=np.int64), *(w.ravel() % p for w in weights.values())])
    points = c.points.astype(np.int64)
    expected = dual_jacobian(c.network, p, weights, points)
    seen = recorded(read(plain_text(c.network)), p, flat, points.reshape(len(points), -1) % p, Budget(600, 2**32))
    outputs_first = seen.reshape(c.network.output_dimension, len(points), -1)
    seen = outputs_first.transpose(1, 0, 2).reshape(expected.shape)
    assert (seen % p).tolist() == (expected % p).tolist(), "certificates are checked for another function"
