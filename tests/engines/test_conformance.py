"""What an engine is: every engine passes the same checks against loops over indices.

An engine joins by one more entry of `SUBJECTS`: how integers become its values, and how a value is compared with the
exact result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from engines import by_loops
from engines.zoo import TEXTS, ZOO, Case, case, fractions, integers, is_rational

from polygeom.engines.exact import ExactEngine
from polygeom.engines.jets import Jet, JetEngine
from polygeom.engines.prime_field import PrimeFieldEngine, Tape
from polygeom.engines.symbolic import SymbolicEngine
from polygeom.errors import PolygeomError
from polygeom.modular import PrimeField
from polygeom.network import LAYERS, Network
from polygeom.network.constants import Constants

P = 4194301


@dataclass(frozen=True)
class Subject:
    """An engine under test: ``encode`` makes a value from integers, ``compare`` asserts what a value is exactly."""

    engine: Any
    encode: Callable[[np.ndarray], Any]
    compare: Callable[[Any, np.ndarray], None]


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
    from sympy import QQ
    from sympy.polys.rings import ring

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


def torch_subject() -> Subject:
    torch = pytest.importorskip("torch", reason="the torch engine needs the extra learn")
    from polygeom.engines.torch_engine import TorchEngine

    def encode(numbers: np.ndarray) -> Any:
        return torch.tensor(numbers.astype(float), dtype=torch.float64)

    def compare(value: Any, expected: np.ndarray) -> None:
        exact = expected.astype(float)
        assert value.dtype == torch.float64
        assert tuple(value.shape) == exact.shape
        size = max(1.0, float(np.abs(exact).max(initial=0)))
        np.testing.assert_allclose(value.numpy(), exact, rtol=0, atol=1e-12 * size)

    return Subject(TorchEngine(), encode, compare)


def jet_subject() -> Subject:
    return Subject(
        JetEngine(2, constant=Fraction),
        lambda numbers: Jet(fractions(numbers)[None]),
        lambda jet, expected: assert_equal(jet.value[0], fractions(expected)),
    )


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "exact": exact_subject,
    "symbolic": symbolic_subject,
    "prime_field": prime_field_subject,
    "tape": tape_subject,
    "torch": torch_subject,
    "jets": jet_subject,
}


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    return SUBJECTS[request.param]()


class TestEngine:
    """The interface of `polygeom.network.primitives`, primitive by primitive and on whole networks."""

    def check(self, subject: Subject, primitive: str, values: list[np.ndarray], *others: Any) -> None:
        encoded = [subject.encode(v) for v in values]
        result = getattr(subject.engine, primitive)(*encoded, *others)
        subject.compare(result, getattr(by_loops, primitive)(*values, *others))
        for before, after in zip(values, encoded, strict=True):
            subject.compare(after, before)  # a primitive changes none of its operands

    @pytest.mark.parametrize("shape", [(1, 1), (3, 2), (2, 3, 4), (2, 2, 1, 3)])
    def test_linear(self, subject: Subject, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        for width in (1, 3):
            self.check(subject, "linear", [integers(rng, *shape), integers(rng, width, shape[-1])])

    @pytest.mark.parametrize("shape", [(1, 1), (3, 2), (2, 3, 4)])
    def test_bias(self, subject: Subject, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        self.check(subject, "bias", [integers(rng, *shape), integers(rng, shape[-1])])

    @pytest.mark.parametrize("primitive", ["add", "multiply"])
    @pytest.mark.parametrize("shape", [(1, 1), (3, 2), (2, 3, 4)])
    def test_elementwise(
        self, subject: Subject, rng: np.random.Generator, primitive: str, shape: tuple[int, ...]
    ) -> None:
        self.check(subject, primitive, [integers(rng, *shape), integers(rng, *shape)])

    @pytest.mark.parametrize("exponent", [1, 2, 3, 4, 7, 20])
    def test_power(self, subject: Subject, rng: np.random.Generator, exponent: int) -> None:
        self.check(subject, "power", [integers(rng, 2, 3)], exponent)

    @pytest.mark.parametrize("coefficients", [(5,), (0, 1), (1, 0, 1), (0, "-1/2", 0, "3/7"), (-2, 0, 0, 0, 1)])
    def test_polynomial(self, subject: Subject, rng: np.random.Generator, coefficients: tuple[Any, ...]) -> None:
        self.check(subject, "polynomial", [integers(rng, 2, 2, 2)], tuple(map(Fraction, coefficients)))

    @pytest.mark.parametrize("shape", [(3, 2), (2, 3, 4)])
    def test_inverse(self, subject: Subject, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        values = integers(rng, *shape)
        values[values == 0] = 3
        if isinstance(subject.engine, SymbolicEngine):
            with pytest.raises(PolygeomError, match="polynomials have no inverses"):
                subject.engine.inverse(subject.encode(values))
        else:
            self.check(subject, "inverse", [values])

    @pytest.mark.parametrize("rows", [[[1]], [[0, 0], [2, "-1/3"]], [[1, 0, 2], [0, 0, 0], ["5/7", 1, 1]]])
    def test_combine(self, subject: Subject, rng: np.random.Generator, rows: Any) -> None:
        matrix = Constants.of([[Fraction(c) for c in row] for row in rows])
        for shape in ((3,), (2, 4)):
            self.check(subject, "combine", [integers(rng, *shape, len(rows[0]))], matrix)

    @pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 3, 4), (3, 1, 2)])
    def test_matmul(self, subject: Subject, rng: np.random.Generator, sizes: tuple[int, int, int]) -> None:
        s, t, u = sizes
        self.check(subject, "matmul", [integers(rng, 3, s, t), integers(rng, 3, t, u)])

    @pytest.mark.parametrize("index", [[0], [3, -1, 0], [[1, 1], [-1, 5]], [[[2]], [[-1]]]])
    def test_reindex(self, subject: Subject, rng: np.random.Generator, index: Any) -> None:
        self.check(subject, "reindex", [integers(rng, 3, 2, 3)], np.array(index))

    @pytest.mark.parametrize("index", [[0], [3, -1, 0], [[1, 1], [-1, 5]]])
    def test_arrange(self, subject: Subject, rng: np.random.Generator, index: Any) -> None:
        self.check(subject, "arrange", [integers(rng, 2, 3)], np.array(index))
        self.check(subject, "arrange", [integers(rng, 6)], np.array(index))

    @pytest.mark.parametrize("network", ZOO, ids=TEXTS)
    def test_network(self, subject: Subject, rng: np.random.Generator, network: Network) -> None:
        if is_rational(network) and isinstance(subject.engine, SymbolicEngine):
            pytest.skip("polynomials have no inverses")
        c = case(network, rng)
        weights = {name: subject.encode(w) for name, w in c.weights.items()}
        value = network.evaluate(subject.engine, weights, subject.encode(c.points))
        subject.compare(value, by_loops.evaluate(network, c.weights, c.points))


def test_the_zoo_exercises_every_layer_and_stays_small() -> None:
    assert {node.layer.kind for network in ZOO for node in network.nodes} == set(LAYERS)
    assert len(ZOO) >= 25
    for network in ZOO:
        weights = {name: np.full(shape, 2, dtype=object) for name, shape in network.parameters.items()}
        extreme = Case(network, weights, np.full((1, *network.input_shape), 2, dtype=object))
        assert max(abs(v) for v in by_loops.evaluate(network, extreme.weights, extreme.points).flat) < 2**53
