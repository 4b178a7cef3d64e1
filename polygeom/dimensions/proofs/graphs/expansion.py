"""The outputs of a program as polynomials in inputs and weights, expanded by FLINT, with derivatives along a field."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from polygeom.dimensions.proofs.jacobians import rank
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import Program, Step
from polygeom.dimensions.proofs.rules import Equation, Field
from polygeom.dimensions.proofs.symmetries import PRIME

MOST_TERMS = 200_000
"""Largest number of terms of one product, before like terms are collected."""


class Expansion:
    """Values of a program, entry by entry, as polynomials over the rationals; variables are inputs, then weights."""

    def __init__(self, program: Program, budget: Budget) -> None:
        import flint

        names = [f"x{i}" for i in range(program.inputs)] + [f"w{k}" for k in range(program.weights)]
        self._context = flint.fmpq_mpoly_ctx.get(names, flint.Ordering.lex)
        self._rational, self._budget, self.program = flint.fmpq, budget, program
        variables = list(self._context.gens())
        self.inputs, self.weights = variables[: program.inputs], variables[program.inputs :]
        self.zero = self._context.constant(0)

    def constant(self, numerator: int, denominator: int = 1) -> Any:
        """A constant."""
        return self._context.constant(self._rational(numerator, denominator))

    def times(self, a: Any, b: Any) -> Any:
        """A product, if it is not too long."""
        terms = float(len(a)) * len(b)
        self._budget.step("the expansion of the outputs", 300 * terms if terms <= MOST_TERMS else float("inf"))
        return a * b

    def power(self, a: Any, exponent: int) -> Any:
        """A power."""
        out = self.constant(1)
        for bit in bin(exponent)[2:]:
            out = self.times(out, out)
            if bit == "1":
                out = self.times(out, a)
        return out

    def total(self, parts: Iterable[Any]) -> Any:
        """A sum."""
        out = self.zero
        for part in parts:
            out = out + part
        return out

    def of_weights(self, terms: dict[tuple[int, ...], Any]) -> Any:
        """A polynomial in the weights from its coefficients by exponents."""
        return self._context.from_dict({(0,) * self.program.inputs + e: c for e, c in terms.items()})

    def outputs(self) -> list[Any]:
        """The outputs."""
        values: list[list[Any]] = [list(self.inputs)]
        for step, shape in zip(self.program.steps, self.program.shapes[1:], strict=True):
            values.append(_STEPS[step.word](self, step, shape, [values[i] for i in step.reads]))
        return values[-1]

    def polynomial(self, a: Any, step: Step) -> Any:
        """An activation, by Horner's rule."""
        out = self.zero
        for c in reversed(step.data):
            out = self.times(out, a) + self.constant(c.numerator, c.denominator)
        return out

    def linear(self, x: list[Any], step: Step) -> list[Any]:
        """Rows of weights times the last axis."""
        n = step.data.shape[1]
        return [
            self.total(self.times(self.weights[int(k)], x[place + j]) for j, k in enumerate(row) if k >= 0)
            for place in range(0, len(x), n)
            for row in step.data
        ]

    def matmul(self, x: list[Any], y: list[Any], step: Step, shape: tuple[int, ...]) -> list[Any]:
        """A product of matrices."""
        (s, u), t = shape, self.program.shapes[step.reads[0]][-1]
        return [
            self.total(self.times(x[i * t + j], y[j * u + k]) for j in range(t)) for i in range(s) for k in range(u)
        ]


_STEPS: dict[str, Callable[[Expansion, Step, tuple[int, ...], list[list[Any]]], list[Any]]] = {
    "linear": lambda e, s, shape, v: e.linear(v[0], s),
    "bias": lambda e, s, shape, v: [a + e.weights[int(s.data[i % shape[-1]])] for i, a in enumerate(v[0])],
    "gather": lambda e, s, shape, v: [v[0][i] for i in s.data.ravel().tolist()],
    "add": lambda e, s, shape, v: [a + b for a, b in zip(*v, strict=True)],
    "multiply": lambda e, s, shape, v: [e.times(a, b) for a, b in zip(*v, strict=True)],
    "matmul": lambda e, s, shape, v: e.matmul(v[0], v[1], s, shape),
    "power": lambda e, s, shape, v: [e.power(a, s.data) for a in v[0]],
    "polynomial": lambda e, s, shape, v: [e.polynomial(a, s) for a in v[0]],
}


def fields_rank(program: Program, fields: Sequence[Field], budget: Budget) -> int:
    """The rank at chosen weights of vector fields along which no output changes; -1 if one of them changes some.

    ``Σ_k v_k ∂F/∂w_k`` is expanded for every field v and every output F.
    """
    if any(i >= program.weights for field in fields for k, _, _, m in field for i in (k, *m)):
        return -1
    ring, n = Expansion(program, budget), program.inputs
    for output in ring.outputs():
        slopes = {k: output.derivative(n + k) for k in range(program.weights)}
        for field in fields:
            total = ring.zero
            for k, a, b, m in field:
                term = ring.constant(a, b)
                for i in m:
                    term = ring.times(term, ring.weights[i])
                total = total + ring.times(term, slopes[k])
            if len(total):
                return -1
    draw = random.Random(program.weights)
    values = [draw.randrange(1, PRIME) for _ in range(program.weights)]
    rows = np.zeros((len(fields), program.weights), dtype=np.int64)
    for row, field in zip(rows, fields, strict=True):
        for k, a, b, m in field:
            value = a * pow(b, -1, PRIME) % PRIME
            for i in m:
                value = value * values[i] % PRIME
            row[k] = (int(row[k]) + value) % PRIME
    return rank(rows, PRIME)


def dimension_by_equations(program: Program, equations: Sequence[Equation], budget: Budget) -> int:
    """How many coefficients of the outputs vary, less the rank at a point of equations between them; -1 if one fails.

    The coefficients are numbered by output, then by the exponents of their monomials. As polynomials in the weights
    they are put into every equation.
    """
    ring, n = Expansion(program, budget), program.inputs
    found: dict[tuple[int, tuple[int, ...]], dict[tuple[int, ...], Any]] = {}
    for number, output in enumerate(ring.outputs()):
        for exponents, c in output.to_dict().items():
            found.setdefault((number, tuple(exponents[:n])), {})[tuple(exponents[n:])] = c
    entries = [found[key] for key in sorted(found) if any(map(any, found[key]))]
    if any(i >= len(entries) for equation in equations for *_, m in equation for i in m):
        return -1
    values = [ring.of_weights(entry) for entry in entries]
    for equation in equations:
        total = ring.zero
        for a, b, m in equation:
            term = ring.constant(a, b)
            for i in m:
                term = ring.times(term, values[i])
            total = total + term
        if len(total):
            return -1
    draw = random.Random(program.weights)
    weights = [draw.randrange(1, PRIME) for _ in range(program.weights)]
    point = [_residue(entry, weights) for entry in entries]
    rows = np.zeros((len(equations), len(entries)), dtype=np.int64)
    for row, equation in zip(rows, equations, strict=True):
        for a, b, m in equation:
            for place, i in enumerate(m):
                value = a * pow(b, -1, PRIME) % PRIME
                for j in [*m[:place], *m[place + 1 :]]:
                    value = value * point[j] % PRIME
                row[i] = (int(row[i]) + value) % PRIME
    return len(entries) - rank(rows, PRIME)


def _residue(terms: dict[tuple[int, ...], Any], weights: Sequence[int]) -> int:
    total = 0
    for exponents, c in terms.items():
        value = int(c.p) * pow(int(c.q), -1, PRIME) % PRIME
        for w, e in zip(weights, exponents, strict=True):
            value = value * pow(w, e, PRIME) % PRIME
        total += value
    return total % PRIME


def linear_span(program: Program, budget: Budget) -> int:
    """How many coefficients of the outputs are linearly independent as polynomials in the weights, constants aside."""
    import flint

    n, columns, rows = program.inputs, dict[tuple[int, ...], int](), dict[tuple[int, tuple[int, ...]], dict[int, Any]]()
    for number, output in enumerate(Expansion(program, budget).outputs()):
        for exponents, c in output.to_dict().items():
            if any(exponents[n:]):
                column = columns.setdefault(tuple(exponents[n:]), len(columns))
                rows.setdefault((number, tuple(exponents[:n])), {})[column] = c
    budget.rank("the linear span of the coefficients", len(rows), len(columns))
    matrix = flint.fmpq_mat(len(rows), len(columns))
    for i, row in enumerate(rows.values()):
        for j, c in row.items():
            matrix[i, j] = c
    return int(matrix.rank())
