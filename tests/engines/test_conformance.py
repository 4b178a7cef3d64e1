"""What an engine is: every engine passes the same checks (`polygeom.testing.EngineConformance`) against loops.

An engine joins by one more entry of `SUBJECTS`: how numbers become its values, and how a value is compared with the
exact result.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from network.added_layers import ADDED
from sympy import QQ
from sympy.polys.rings import ring

import polygeom
from polygeom.dimensions.ranks.confidence import Height, HeightEngine
from polygeom.engines.dual_numbers import DualEngine
from polygeom.engines.exact import ExactEngine
from polygeom.engines.jets import Jet, JetEngine
from polygeom.engines.prime_field import PrimeFieldEngine, Tape
from polygeom.engines.symbolic import SymbolicEngine
from polygeom.ideal.grading.points import SampleEngine
from polygeom.ideal.search import membership
from polygeom.modular import PrimeField
from polygeom.network import Network, parse
from polygeom.network.ambient.degrees import TotalDegrees, _merge
from polygeom.network.ambient.spans import Span, _SpanEngine
from polygeom.network.layers import LAYERS
from polygeom.symmetry.gauge import scalings
from polygeom.testing import EngineConformance, Subject
from polygeom.testing import formulas as by_loops
from polygeom.testing.zoo import TEXTS, ZOO, Case, case, fractions

P = 4194301


def modulo(values: np.ndarray, p: int = P) -> np.ndarray:
    """Fractions as residues ``0, …, p-1``."""
    return np.vectorize(lambda c: c.numerator * pow(c.denominator, -1, p) % p, otypes=[object])(fractions(values))


def assert_equal(value: np.ndarray, expected: np.ndarray) -> None:
    assert value.shape == expected.shape
    assert value.tolist() == expected.tolist()


def exact_subject() -> Subject:
    engine = ExactEngine()
    return Subject(engine, engine.encode, lambda value, expected: assert_equal(value, fractions(expected)))


def symbolic_subject() -> Subject:
    r, *_ = ring("x,y", QQ)
    engine = SymbolicEngine(r)

    def constants(values: np.ndarray) -> np.ndarray:
        return by_loops.filled(
            values.shape, lambda p: r(QQ(Fraction(values[p]).numerator, Fraction(values[p]).denominator))
        )

    return Subject(engine, engine.encode, lambda value, expected: assert_equal(value, constants(expected)))


def prime_field_subject() -> Subject:
    field = PrimeField(P)

    def compare(value: np.ndarray, expected: np.ndarray) -> None:
        assert_equal(field.decode(value).astype(object), modulo(expected))

    return Subject(PrimeFieldEngine(field), field.encode, compare)


def tape_subject() -> Subject:
    field, plain = PrimeField(P), prime_field_subject()
    tape = Tape(field)
    return Subject(
        tape,
        lambda numbers: tape.leaf(field.encode(numbers)),
        lambda value, expected: plain.compare(value.value, expected),
    )


def near(value: Any, expected: np.ndarray) -> None:
    """A float64 tensor up to rounding."""
    exact = expected.astype(float)
    assert str(value.dtype) == "torch.float64"
    assert tuple(value.shape) == exact.shape
    size = max(1.0, float(np.abs(exact).max(initial=0)))
    np.testing.assert_allclose(value.numpy(), exact, rtol=0, atol=1e-12 * size)


def torch_subject() -> Subject:
    torch = pytest.importorskip("torch", reason="the torch engine needs the extra learn")
    from polygeom.engines.torch_engine import TorchEngine

    def encode(numbers: np.ndarray) -> Any:
        return torch.tensor(numbers.astype(float), dtype=torch.float64)

    return Subject(TorchEngine(), encode, near)


def jet_subject() -> Subject:
    return Subject(
        JetEngine(2, constant=Fraction),
        lambda numbers: Jet(fractions(numbers)[None]),
        lambda jet, expected: assert_equal(jet.value[0], fractions(expected)),
    )


def flint_subject() -> Subject:
    import flint

    context = flint.fmpq_mpoly_ctx.get(["x", "y"], flint.Ordering.degrevlex)
    engine = membership._Engine(context, 10**6)

    def compare(value: np.ndarray, expected: np.ndarray) -> None:
        constants = [context.constant(flint.fmpq(c.numerator, c.denominator)) for c in fractions(expected).flat]
        assert value.shape == expected.shape
        assert list(value.flat) == constants

    return Subject(engine, engine.encode, compare)


def sample_subject() -> Subject:
    """Two samples of weights at once; the second is the negative of the first, so that a mixture would be seen."""
    field, plain = PrimeField(P), prime_field_subject()

    def compare(value: np.ndarray, expected: np.ndarray) -> None:
        assert len(value) == 2
        for sample in value:
            plain.compare(sample, expected)

    return Subject(SampleEngine(field), lambda numbers: np.stack([field.encode(numbers)] * 2), compare)


def coefficient_subject() -> Subject:
    torch = pytest.importorskip("torch", reason="the torch engine needs the extra learn")
    from polygeom.engines.torch_coefficients import CoefficientEngine

    def encode(numbers: np.ndarray) -> Any:
        return {0: torch.tensor(numbers.astype(float)).unsqueeze(-1)}

    def compare(value: Any, expected: np.ndarray) -> None:
        assert set(value) == {0}
        near(value[0].squeeze(-1), expected)

    weight = torch_subject()
    return Subject(CoefficientEngine(2), encode, compare, weight.encode, weight.compare, single=True)


def dual_subject() -> Subject:
    """A direction of derivative that no number depends on."""

    def compare(value: np.ndarray, expected: np.ndarray) -> None:
        assert_equal(value[..., 0].astype(object), modulo(expected))
        assert not value[..., 1].any()

    def encode(numbers: np.ndarray) -> np.ndarray:
        values = numbers.astype(np.int64) % P
        return np.stack([values, np.zeros_like(values)], axis=-1)

    return Subject(DualEngine(P), encode, compare)


R, X, W = ring("x,w", QQ)


def polynomials(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Polynomials in an input and a weight, with fractions, of low degree; some are zero."""
    terms = [R(0), R(1), X, W, 2 * X * W - 1, X**2 + W / 3, -W]
    return by_loops.filled(shape, lambda _: terms[rng.integers(len(terms))])


def variables(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Weights, as polynomials."""
    return by_loops.filled(shape, lambda _: W)


NO_WEIGHTS: dict[str, Any] = {
    "encode_weight": lambda _: None,  # these engines do not look at weights
    "compare_weight": lambda *_: None,
    "numbers": polynomials,
    "weights": variables,
}


def span_subject() -> Subject:
    """For every entry the degrees of its monomials, and of those whose coefficients contain a weight."""

    def span(p: Any) -> Span:
        every = _merge((m[0], m[0]) for m in R(p))
        return Span(every, _merge((m[0], m[0]) for m in R(p) if m[1]))

    def encode(values: np.ndarray) -> Any:
        return by_loops.filled(values.shape, lambda position: span(values[position]))

    def contains(larger: Any, smaller: Any) -> bool:
        return all(any(a <= low and high <= b for a, b in larger) for low, high in smaller)

    def compare(value: Any, expected: np.ndarray) -> None:
        assert value.shape == expected.shape
        for found, p in zip(value.flat, expected.flat, strict=True):
            assert contains(found.every, span(p).every)
            assert contains(found.free, span(p).free)

    def weights(values: np.ndarray) -> np.ndarray:
        return np.ones(values.shape, dtype=bool)

    return Subject(
        _SpanEngine(TotalDegrees(1)), encode, compare, weights, lambda *_: None, True, polynomials, variables
    )


def height_subject() -> Subject:
    """Heights stand for every polynomial below them; a weight is a single variable."""

    def compare(value: Height, expected: np.ndarray) -> None:
        scale = Fraction(round(2**value.scale))
        for p in map(R, expected.flat):
            assert all(m[0] <= value.inputs and m[1] <= value.weights for m in p)
            coefficients = [Fraction(int(c.numerator), int(c.denominator)) * scale for c in p.values()]
            assert all(c.denominator == 1 for c in coefficients)
            assert sum(map(abs, coefficients)) <= 2**value.norm * (1 + 1e-12)

    def encode(values: np.ndarray) -> Height:
        parts = [
            Height(
                max((m[1] for m in p), default=0),
                max((m[0] for m in p), default=0),
                math.log2(3 * max(1, sum(abs(Fraction(int(c.numerator), int(c.denominator))) for c in p.values()))),
                math.log2(3),
            )
            for p in values.flat
        ]
        return Height(*(max(getattr(part, name) for part in parts) for name in ("weights", "inputs", "norm", "scale")))

    return Subject(
        HeightEngine(4), encode, compare, lambda _: None, lambda *_: None, numbers=polynomials, weights=variables
    )


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "ExactEngine": exact_subject,
    "SymbolicEngine": symbolic_subject,
    "_Engine": flint_subject,
    "PrimeFieldEngine": prime_field_subject,
    "SampleEngine": sample_subject,
    "Tape": tape_subject,
    "DualEngine": dual_subject,
    "TorchEngine": torch_subject,
    "CoefficientEngine": coefficient_subject,
    "JetEngine": jet_subject,
    "_SpanEngine": span_subject,
    "HeightEngine": height_subject,
}
PRIMITIVES = [name for name in dir(EngineConformance) if name.startswith("test_") and name != "test_networks"]
BOOKKEEPING = {"_SpanEngine", "HeightEngine"}
"""Engines whose values stand for many polynomials; whole networks are compared in their own tests."""


def conformance(name: str) -> EngineConformance:
    class Mine(EngineConformance):
        def subject(self) -> Subject:
            return SUBJECTS[name]()

    return Mine()


@pytest.mark.parametrize("engine", SUBJECTS)
@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_primitives(engine: str, primitive: str) -> None:
    getattr(conformance(engine), primitive)()


@pytest.mark.parametrize("engine", sorted({*SUBJECTS} - BOOKKEEPING))
def test_networks(engine: str) -> None:
    conformance(engine).test_networks()


@pytest.mark.parametrize("network", ZOO, ids=TEXTS)
def test_the_exponents_of_the_scaling_engine_are_those_of_symmetries(network: Network) -> None:
    """`ScalingEngine` has unknown exponents for values, so it is tested by what its solutions promise."""
    c, engine = case(network, np.random.default_rng(0), points=2), ExactEngine()
    expected = by_loops.evaluate(network, c.weights, c.points)
    for row in scalings(network):
        numbers, start = {}, 0
        for name, w in c.weights.items():
            exponents = row[start : start + w.size].reshape(w.shape)
            numbers[name] = engine.encode(w * np.vectorize(lambda e: Fraction(3) ** int(e), otypes=[object])(exponents))
            start += w.size
        assert network.evaluate(engine, numbers, engine.encode(c.points)).tolist() == expected.tolist()


OTHERS = {
    "_Recorder": "writes steps down and computes nothing; certificates of added layers test it",
    "_Bounded": "ExactEngine that refuses long products; the rule of vector fields tests it",
    "_EntryEngine": "the common part of _SpanEngine and _ReadingEngine",
    "_ReadingEngine": "tested by the groups of inputs that it finds",
    "ScalingEngine": "tested by the symmetries that it finds",
    "_Uses": "TorchEngine that divides outputs on the way, so that its values differ by design",
}


def test_every_class_with_the_primitives_is_tested_here() -> None:
    texts = [file.read_text(encoding="utf-8") for file in Path(polygeom.__file__).parent.rglob("*.py")]
    trees = [ast.parse(text) for text in texts if "reindex" in text or "Engine)" in text]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    methods = {one.name: {f.name for f in one.body if isinstance(f, ast.FunctionDef)} for one in classes}
    found = {name for name, own in methods.items() if {"linear", "reindex"} <= own} - {"Engine"}
    for _ in range(3):
        found |= {one.name for one in classes if any(isinstance(b, ast.Name) and b.id in found for b in one.bases)}
    assert found == {*SUBJECTS, *OTHERS}


def test_a_wrong_engine_is_found() -> None:
    """The tests can fail: each primitive, broken, is seen by the test of its name or by a network."""
    wrong = {
        "linear": lambda x, w: ExactEngine().linear(x, w) + 1,
        "bias": lambda x, b: x,
        "add": lambda x, y: x - y,
        "multiply": lambda x, y: x,
        "power": lambda x, exponent: ExactEngine().power(x, exponent + 1),
        "polynomial": lambda x, coefficients: ExactEngine().polynomial(x, coefficients[::-1]),
        "inverse": lambda x: x,
        "combine": lambda x, matrix: 2 * ExactEngine().combine(x, matrix),
        "matmul": lambda x, y: ExactEngine().matmul(x, 2 * y),
        "reindex": lambda x, index: ExactEngine().reindex(x, np.maximum(index, 0)),
        "arrange": lambda w, index: ExactEngine().arrange(w, np.maximum(index, 0)),
    }
    for name, function in wrong.items():
        broken = ExactEngine()
        setattr(broken, name, function)

        class Broken(EngineConformance):
            def subject(self, engine: ExactEngine = broken) -> Subject:
                return Subject(engine, ExactEngine().encode, exact_subject().compare)

        test = "elementwise" if name in ("add", "multiply") else name
        with pytest.raises(AssertionError):
            getattr(Broken(), f"test_{test}")()


def test_the_zoo_exercises_every_layer_and_stays_small() -> None:
    ours = {kind for kind, layer in LAYERS.items() if layer.__module__.startswith("polygeom.")}
    rational = {"inverse", "rational"}  # not over polynomials; see tests/network/test_models.py
    assert {node.layer.kind for network in [*ZOO, *map(parse, ADDED)] for node in network.nodes} == ours - rational
    assert len(ZOO) >= 25
    for network in ZOO:
        weights = {name: np.full(shape, 2, dtype=object) for name, shape in network.parameters.items()}
        extreme = Case(network, weights, np.full((1, *network.input_shape), 2, dtype=object))
        assert max(abs(v) for v in by_loops.evaluate(network, extreme.weights, extreme.points).flat) < 2**53
