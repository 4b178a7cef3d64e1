"""A network as a straight-line program: numbered instructions on registers, recorded once, for compiled evaluation.

Recording is one more engine (`polygeom.engines.interface`): it evaluates the network over *names of registers* and
writes down what it would compute. A register holds one feature at ``N`` points; weights are operands. So whatever can
be evaluated over an engine can be tracked, and the compiled kernels (`polygeom.ideal.counting.paths.kernels`) know
three instructions instead of layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.network import Network
from polygeom.network.constants import Constants

WEIGHT, PRODUCT, POWER, FACTOR, SHIFT, CONSTANT, INVERSE = range(0, 14, 2)
"""``w[b] v[a]``, ``v[a] v[b]``, ``v[a] ** b``, ``c[b] v[a]``, ``w[b]``, ``c[b]``, ``1 / v[a]``; one more adds to the
register instead of setting it."""


@dataclass(frozen=True, eq=False)
class Program:
    """A recorded network.

    Attributes
    ----------
    operations:
        ``(n, 4)`` int64, rows ``(operation, target, a, b)``.
    constants:
        ``(c,)`` complex: what `FACTOR` and `CONSTANT` refer to; doubles that were rounded from fractions.
    exact:
        Whether every constant is the fraction that was meant.
    outputs:
        ``(O,)`` registers of the outputs.
    registers, inputs, weights:
        Their numbers; the first `inputs` registers are the entries of a point.
    rational:
        Whether anything is divided.
    roundings:
        An upper bound for the number of roundings that any product of an output takes part in, when the program, or its
        first or second derivative, is evaluated in floating-point numbers in any order.
    """

    operations: np.ndarray
    constants: np.ndarray
    exact: bool
    outputs: np.ndarray
    registers: int
    inputs: int
    weights: int
    rational: bool
    roundings: int

    @cached_property
    def lowered(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, int]:
        """The same with three instructions, ``c[b] v[a]``, ``v[a] v[b]`` and ``v[a] ** b``, as the kernels read it.

        ``c`` are the weights and after them the constants, with 1 as the first; one more register holds 1. Returns
        operations, constants, outputs, and the numbers of registers and inputs.
        """
        weights, one = self.weights, self.registers
        rows = []
        for operation, target, a, b in self.operations.tolist():
            kind, more = operation & ~1, operation & 1
            if kind == INVERSE:
                kind, b = POWER, -1
            if kind == POWER and b in (0, 1):
                kind, a, b = FACTOR, (one, a)[b], -1
            if kind in (WEIGHT, SHIFT):
                row = 0, (a, one)[kind == SHIFT], b
            elif kind in (FACTOR, CONSTANT):
                row = 0, (a, one)[kind == CONSTANT], weights + 1 + b
            else:
                row = (2 if kind == PRODUCT else 4), a, b
            rows.append((row[0] + more, target, *row[1:]))
        operations = np.array(rows, dtype=np.int64).reshape(-1, 4)
        return operations, np.append(1.0 + 0j, self.constants), self.outputs, self.registers + 1, self.inputs


@lru_cache(maxsize=64)
def program(network: Network) -> Program:
    """The straight-line program of a network.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> one = program(parse("[2,1,1] r=3"))
    >>> one.operations.tolist()
    [[0, 3, 0, 0], [1, 3, 1, 1], [4, 4, 3, 3], [0, 5, 4, 2]]
    """
    recorder = _Recorder(network.input_dimension)
    point = np.arange(network.input_dimension).reshape(1, *network.input_shape)
    outputs = np.asarray(network.evaluate(recorder, network.weight_numbers, point)).reshape(-1)
    return recorder.finish(outputs, network.parameter_count)


_NONE = -1


class _Recorder:
    """Engine whose point values are arrays of register numbers, ``(1, *shape)``; -1 is the constant zero."""

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.count = inputs + 1  # the register after the inputs stays zero
        self.rows: list[tuple[int, int, int, int]] = []
        self.constants: list[Fraction] = []

    def finish(self, outputs: np.ndarray, weights: int) -> Program:
        operations = np.array(self.rows, dtype=np.int64).reshape(-1, 4)
        constants = np.array([float(c) for c in self.constants] or [0.0], dtype=complex)
        exact = all(Fraction(float(c)) == c for c in self.constants)
        outputs = np.where(outputs == _NONE, self.inputs, outputs).astype(np.int64)
        rational = any(row[0] == INVERSE for row in self.rows)
        roundings = 0 if rational else _roundings(self.rows, self.count)
        return Program(operations, constants, exact, outputs, self.count, self.inputs, weights, rational, roundings)

    def _sum(self, terms: Iterator[tuple[int, int, int]]) -> int:
        """A new register for a sum of ``(operation, a, b)``; none if there is no term."""
        target = _NONE
        for operation, a, b in terms:
            if target == _NONE:
                target, self.count = self.count, self.count + 1
                self.rows.append((operation, target, a, b))
            else:
                self.rows.append((operation + 1, target, a, b))
        return target

    def _number(self, constant: Fraction) -> int:
        self.constants.append(constant)
        return len(self.constants) - 1

    def linear(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        rows = x.reshape(-1, x.shape[-1])
        y = [
            self._sum((WEIGHT, int(a), int(b)) for a, b in zip(row, entries, strict=True) if a >= 0 and b >= 0)
            for row in rows
            for entries in w
        ]
        return np.array(y, dtype=np.int64).reshape(*x.shape[:-1], len(w))

    def bias(self, x: np.ndarray, b: np.ndarray) -> np.ndarray:
        one = self._number(Fraction(1))
        return self._each(x, np.broadcast_to(b, x.shape), lambda v, w: [(FACTOR, v, one), (SHIFT, 0, w)])

    def add(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        one = self._number(Fraction(1))
        return self._each(x, y, lambda v, w: [(FACTOR, v, one), (FACTOR, w, one)])

    def multiply(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self._each(x, y, lambda v, w: [(PRODUCT, v, w)] if v >= 0 and w >= 0 else [])

    def power(self, x: np.ndarray, exponent: int) -> np.ndarray:
        return self._each(x, x, lambda v, _: [(POWER, v, exponent)])

    def polynomial(self, x: np.ndarray, coefficients: Sequence[Fraction]) -> np.ndarray:
        numbers = [(k, self._number(Fraction(c))) for k, c in enumerate(coefficients) if c]
        return self._each(x, x, lambda v, _: [term for k, c in numbers for term in self._monomial(v, k, c)])

    def _monomial(self, v: int, k: int, c: int) -> Iterator[tuple[int, int, int]]:
        if k == 0:
            yield CONSTANT, 0, c
        elif v >= 0:
            raised = v if k == 1 else self._sum(iter([(POWER, v, k)]))
            yield FACTOR, raised, c

    def inverse(self, x: np.ndarray) -> np.ndarray:
        return self._each(x, x, lambda v, _: [(INVERSE, v, 0)])

    def combine(self, x: np.ndarray, matrix: Constants) -> np.ndarray:
        rows = x.reshape(-1, x.shape[-1])
        table: list[list[tuple[int, int]]] = [[] for _ in range(matrix.shape[0])]
        for i, j, c in matrix.entries:
            table[i].append((j, self._number(c)))
        y = [
            self._sum((FACTOR, int(row[j]), number) for j, number in terms if row[j] >= 0)
            for row in rows
            for terms in table
        ]
        return np.array(y, dtype=np.int64).reshape(*x.shape[:-1], len(table))

    def matmul(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        z = [
            self._sum((PRODUCT, int(a), int(b)) for a, b in zip(row, column, strict=True) if a >= 0 and b >= 0)
            for row in x[0]
            for column in y[0].T
        ]
        return np.array(z, dtype=np.int64).reshape(1, x.shape[1], y.shape[2])

    def reindex(self, x: np.ndarray, index: np.ndarray) -> np.ndarray:
        return self.arrange(x[0], index)[None]

    def arrange(self, w: np.ndarray, index: np.ndarray) -> np.ndarray:
        entries: np.ndarray = np.append(w.ravel(), _NONE)[index]
        return entries

    def _each(self, x: np.ndarray, y: np.ndarray, terms: object) -> np.ndarray:
        assert callable(terms)
        pairs = zip(x.ravel().tolist(), y.ravel().tolist(), strict=True)
        made = [
            # terms of zero registers vanish; shifts and constants have none
            self._sum(t for t in terms(v, w) if t[0] in (SHIFT, CONSTANT) or t[1] >= 0)
            for v, w in pairs
        ]
        return np.array(made, dtype=np.int64).reshape(x.shape)


def _roundings(rows: Sequence[tuple[int, int, int, int]], registers: int) -> int:
    """Roundings on the way to any output or derivative.

    Inputs and constants count as rounded once. A value takes part in at most as many as it has operations below it;
    each derivative replaces one factor by the derivative of that factor, at no more than twice the operations, and adds
    once more for every weight and register.
    """
    count = [1] * registers
    for operation, target, a, b in rows:
        kind = operation & ~1
        if kind == PRODUCT:
            made = count[a] + count[b] + 1
        elif kind == POWER:
            made = b * (count[a] + 1)
        else:
            made = {WEIGHT: count[a] + 1, FACTOR: count[a] + 2, SHIFT: 0, CONSTANT: 1}[kind]
        count[target] = made if operation == kind else max(count[target], made) + 1
    return 3 * (max(count) + len(rows) + registers)
