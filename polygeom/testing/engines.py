"""What an engine is, as tests: every primitive, and whole networks, against loops over indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network import Network
from polygeom.network.constants import Constants
from polygeom.testing import formulas
from polygeom.testing.zoo import ZOO, case, integers

Objects = np.ndarray


@dataclass(frozen=True)
class Subject:
    """An engine under test.

    Attributes
    ----------
    engine:
        The engine.
    encode:
        Makes a point value of an array of exact numbers, of shape ``(N, …)``.
    compare:
        Asserts that a point value is the given array of exact numbers.
    encode_weight, compare_weight:
        The same for weight values, which have no axis of points; like point values if None.
    single:
        Whether the engine knows one point only.
    numbers, weights:
        Make an array of a shape from a generator: points and weights on which the engine is tested; integers from -2
        to 2 if None.
    """

    engine: Any
    encode: Callable[[Objects], Any]
    compare: Callable[[Any, Objects], None]
    encode_weight: Callable[[Objects], Any] | None = None
    compare_weight: Callable[[Any, Objects], None] | None = None
    single: bool = False
    numbers: Callable[..., Objects] | None = None
    weights: Callable[..., Objects] | None = None

    def as_weight(self, values: Objects) -> Any:
        """A weight value of an array of exact numbers."""
        return (self.encode_weight or self.encode)(values)


class EngineConformance:
    """The interface of `polygeom.network.primitives`, primitive by primitive and on whole networks.

    A subclass says what is tested by `subject`; under pytest, name it ``TestMine``.

    Examples
    --------
    >>> from polygeom.engines.exact import ExactEngine
    >>> class MyEngine(EngineConformance):
    ...     def subject(self):
    ...         def compare(value, expected):
    ...             assert value.tolist() == expected.tolist()
    ...         engine = ExactEngine()
    ...         return Subject(engine, engine.encode, compare)
    >>> MyEngine().check_all()
    """

    networks: Sequence[Network] = ZOO
    """The networks on which the engine is tested."""
    seed = 0

    def subject(self) -> Subject:
        """The engine under test; a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} must define subject")

    def check_all(self) -> None:
        """Every test, one after the other, without pytest."""
        for name in dir(self):
            if name.startswith("test_"):
                getattr(self, name)()

    def _check(
        self, primitive: str, points: list[tuple[int, ...]], weights: list[tuple[int, ...]], *others: Any
    ) -> None:
        subject, rng = self.subject(), np.random.default_rng(self.seed)
        values = [(subject.numbers or integers)(rng, *shape) for shape in points]
        given = [(subject.weights or integers)(rng, *shape) for shape in weights]
        if subject.single and values:
            for k in range(len(values[0])):
                self._compare(subject, primitive, [v[k : k + 1] for v in values], given, *others)
        else:
            self._compare(subject, primitive, values, given, *others)

    def _compare(
        self, subject: Subject, primitive: str, values: list[Objects], given: list[Objects], *others: Any
    ) -> None:
        encoded, weights = [subject.encode(v) for v in values], [subject.as_weight(w) for w in given]
        result = getattr(subject.engine, primitive)(*encoded, *weights, *others)
        expected = getattr(formulas, primitive)(*values, *given, *others)
        compare = subject.compare if values else subject.compare_weight or subject.compare
        compare(result, expected)
        for value, before in zip(encoded, values, strict=True):
            subject.compare(value, before)  # a primitive changes none of its operands

    def test_linear(self) -> None:
        """Matrices times features, on one and more axes."""
        for shape in ((1, 1), (3, 2), (2, 3, 4), (2, 2, 1, 3)):
            for width in (1, 3):
                self._check("linear", [shape], [(width, shape[-1])])

    def test_bias(self) -> None:
        """Shifts of the last axis."""
        for shape in ((1, 1), (3, 2), (2, 3, 4)):
            self._check("bias", [shape], [(shape[-1],)])

    def test_elementwise(self) -> None:
        """Sums and Hadamard products."""
        for shape in ((1, 1), (3, 2), (2, 3, 4)):
            self._check("add", [shape, shape], [])
            self._check("multiply", [shape, shape], [])

    def test_power(self) -> None:
        """Powers, large ones too."""
        for exponent in (1, 2, 3, 4, 7, 20):
            self._check("power", [(2, 3)], [], exponent)

    def test_polynomial(self) -> None:
        """Polynomial activations with gaps, fractions and constants."""
        for coefficients in ((5,), (0, 1), (1, 0, 1), (0, "-1/2", 0, "3/7"), (-2, 0, 0, 0, 1)):
            self._check("polynomial", [(2, 2, 2)], [], tuple(Fraction(c) for c in coefficients))

    def test_inverse(self) -> None:
        """Inverses; an engine over polynomials refuses them in words."""
        subject = self.subject()
        if subject.numbers is not None:  # a value stands for many polynomials
            return
        values = integers(np.random.default_rng(self.seed), 1 if subject.single else 2, 2, 3)
        values[values == 0] = 3
        try:
            result = subject.engine.inverse(subject.encode(values))
        except PolygeomError as error:
            assert "no inverse" in str(error) or "rational functions" in str(error), error
            return
        subject.compare(result, formulas.inverse(values))

    def test_combine(self) -> None:
        """Constant matrices, with empty rows and fractions."""
        matrices: list[list[list[Any]]] = [[[1]], [[0, 0], [2, "-1/3"]], [[1, 0, 2], [0, 0, 0], ["5/7", 1, 1]]]
        for rows in matrices:
            matrix = Constants.of([[Fraction(c) for c in row] for row in rows])
            self._check("combine", [(3, len(rows[0]))], [], matrix)
            self._check("combine", [(2, 4, len(rows[0]))], [], matrix)

    def test_matmul(self) -> None:
        """Products of matrices that depend on the point."""
        for s, t, u in ((1, 1, 1), (2, 3, 4), (3, 1, 2)):
            self._check("matmul", [(3, s, t), (3, t, u)], [])

    def test_reindex(self) -> None:
        """Features in another order, repeated, left out, and zeros."""
        for index in ([0], [3, -1, 0], [[1, 1], [-1, 5]], [[[2]], [[-1]]]):
            self._check("reindex", [(3, 2, 3)], [], np.array(index))

    def test_arrange(self) -> None:
        """Weights in another order, repeated, left out, and zeros."""
        for index in ([0], [3, -1, 0], [[1, 1], [-1, 5]]):
            self._check("arrange", [], [(2, 3)], np.array(index))
            self._check("arrange", [], [(6,)], np.array(index))

    def test_networks(self) -> None:
        """Every network of `networks`."""
        for number, network in enumerate(self.networks):
            self.check_network(network, number)

    def check_network(self, network: Network, number: int = 0) -> None:
        """One network at small random weights and points."""
        subject, rng = self.subject(), np.random.default_rng([self.seed, number])
        c = case(network, rng)
        weights = {name: subject.as_weight(w) for name, w in c.weights.items()}
        for points in c.points[:, None] if subject.single else [c.points]:
            value = network.evaluate(subject.engine, weights, subject.encode(points))
            try:
                subject.compare(value, formulas.evaluate(network, c.weights, points))
            except AssertionError as error:
                raise AssertionError(f"{network}: {error}") from error
