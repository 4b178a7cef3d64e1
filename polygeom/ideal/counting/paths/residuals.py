"""The equations at given weights with far more digits than a double has: a second interpreter of programs, in balls.

What is left of the equations at a good approximation is a small difference of large numbers. Computed in doubles its
error is many times the value; here it is enclosed (Arb, arXiv 1611.02831).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from polygeom.ideal.counting.paths.program import CONSTANT, FACTOR, POWER, PRODUCT, SHIFT, WEIGHT
from polygeom.ideal.counting.paths.systems import Array, Coefficients, CriticalPoints, System

_BITS = 160
_LARGEST = 60_000
"""Products above which one evaluation would take a second."""


def enclosed(system: System, w: Array, frames: Array, parameters: Array) -> tuple[Array, Array]:
    """The equations at weights ``(B, P)`` in frames ``(B, P, k)``.

    All numbers are taken exactly as they stand, and the form as it is meant.

    Returns
    -------
    ``(B, k)`` values and bounds for their errors; infinite bounds where the program is too long.
    """
    import flint

    values = np.zeros((len(w), len(system.matrix)), dtype=complex)
    errors = np.full(values.shape, np.inf)
    program = system.outputs.program
    if len(program.operations) * system.outputs.packed.shape[1] > _LARGEST:
        return values, errors
    precision, flint.ctx.prec = flint.ctx.prec, _BITS
    try:
        right = system.right(parameters)
        exact = _Exact(system, right)
        for i, (row, frame) in enumerate(zip(w, frames, strict=True)):
            for j, ball in enumerate(exact.equations(row, frame)):
                values[i, j] = complex(ball.mid())
                errors[i, j] = float((ball - flint.acb(values[i, j])).abs_upper()) * (1 + 1e-9) + 1e-300
    finally:
        flint.ctx.prec = precision
    return values, errors


class _Exact:
    def __init__(self, system: System, right: Array) -> None:
        self.kind, self.program = system.kind, system.outputs.program
        self.points = _balls(system.outputs.packed)
        self.constants = _balls(self.program.constants)
        self.matrix = _balls(system.matrix) if self.kind == 0 else None
        exact = isinstance(system, CriticalPoints) and form_error(system) is not None
        self.form = system.meant[0] if exact else _balls(system.form)  # type: ignore[attr-defined]
        self.right = _balls(right)

    def equations(self, w: Array, frame: Array) -> list[Any]:
        import flint

        weights = _balls(w)
        registers = self._forward(weights)
        y = np.concatenate([registers[o] for o in self.program.outputs.tolist()])
        if self.matrix is not None:
            return list(self.matrix @ y - self.right)
        mu = (self.form @ y - self.right).reshape(len(self.program.outputs), -1)
        slopes = self._backward(weights, registers, mu)
        directions = _balls(frame)
        zero = flint.acb(0)
        return [sum((t * g for t, g in zip(column, slopes, strict=True)), zero) for column in directions.T]

    def _forward(self, w: Array) -> list[Any]:
        count = self.points.shape[1]
        zero = _balls(np.zeros(count))
        v: list[Any] = [*self.points, zero, *[None] * (self.program.registers - len(self.points) - 1)]
        for operation, d, a, b in self.program.operations.tolist():
            kind = operation & ~1
            if kind == WEIGHT:
                term = v[a] * w[b]
            elif kind == PRODUCT:
                term = v[a] * v[b]
            elif kind == POWER:
                term = v[a] ** b
            elif kind == FACTOR:
                term = v[a] * self.constants[b]
            else:
                term = zero + (w[b] if kind == SHIFT else self.constants[b])
            v[d] = term if operation == kind else v[d] + term
        return v

    def _backward(self, w: Array, v: list[Any], mu: Array) -> list[Any]:
        import flint

        zero = flint.acb(0)
        adjoint: list[Any] = [0 * x for x in v]
        for o, row in zip(self.program.outputs.tolist(), mu, strict=True):
            adjoint[o] = adjoint[o] + row
        slopes: list[Any] = [zero] * len(w)
        for operation, d, a, b in self.program.operations[::-1].tolist():
            kind, x = operation & ~1, adjoint[d]
            if kind == WEIGHT:
                slopes[b] = slopes[b] + (x * v[a]).sum()
                if a >= self.program.inputs:
                    adjoint[a] = adjoint[a] + x * w[b]
            elif kind == PRODUCT:
                first, second = v[a], v[b]
                adjoint[a] = adjoint[a] + x * second
                adjoint[b] = adjoint[b] + x * first
            elif kind == POWER:
                adjoint[a] = adjoint[a] + x * (b * v[a] ** (b - 1))
            elif kind == FACTOR:
                adjoint[a] = adjoint[a] + x * self.constants[b]
            elif kind == SHIFT:
                slopes[b] = slopes[b] + x.sum()
            else:
                assert kind == CONSTANT
        return slopes


def form_error(system: CriticalPoints) -> Array | None:
    """Bounds ``(m, m)`` for the error of the form on outputs, where the given form on coefficients matters exactly.

    None where the form is exact as it stands: on outputs themselves, or when any form will do.
    """
    if not isinstance(system.outputs, Coefficients) or system.any_form:
        return None
    if system.meant is None:
        system.meant = _meant(system, system.outputs)
    bounds: Array = system.meant[1]
    return bounds


def _meant(system: CriticalPoints, outputs: Coefficients) -> tuple[Array, Array]:
    """Enclosure of the form on outputs that is meant, and how far the doubles are from it.

    With the matrix ``E`` of monomials at the points, the form on outputs should be ``Rᵀ Q R`` for a left inverse
    ``R = (E* E)⁻¹ E*``.
    """
    import flint

    precision, flint.ctx.prec = flint.ctx.prec, 200
    try:
        points = [[flint.acb(complex(x)) for x in row] for row in outputs.points.reshape(len(outputs.points), -1)]
        table = flint.acb_mat([[_monomial(x, alpha) for alpha in outputs.exponents.tolist()] for x in points])
        adjoint = table.conjugate().transpose()
        inverse = (adjoint * table).inv() * adjoint
        count, n = outputs.network.output_dimension, len(outputs.exponents)
        form = np.full((count * n, count * n), Fraction(0), dtype=object)
        form[np.ix_(outputs.selection, outputs.selection)] = system.exact_form
        error = np.zeros((outputs.size, outputs.size))
        meant = np.empty((outputs.size, outputs.size), dtype=object)
        size = len(outputs.points)
        for a in range(count):
            for b in range(count):
                part = flint.acb_mat([[_constant(form[a * n + i, b * n + j]) for j in range(n)] for i in range(n)])
                exact = inverse.transpose() * part * inverse
                for i in range(size):
                    for j in range(size):
                        meant[a * size + i, b * size + j] = exact[i, j]
                        off = exact[i, j] - flint.acb(complex(system.form[a * size + i, b * size + j]))
                        error[a * size + i, b * size + j] = float(abs(off).abs_upper()) * (1 + 1e-9) + 1e-300
        return meant, error
    finally:
        flint.ctx.prec = precision


def _monomial(point: list[Any], exponents: list[int]) -> Any:
    import flint

    value = flint.acb(1)
    for x, e in zip(point, exponents, strict=True):
        value *= x**e
    return value


def _constant(c: Any) -> Any:
    import flint

    c = Fraction(c)
    return flint.acb(flint.fmpq(c.numerator, c.denominator))


def _balls(numbers: Array) -> Array:
    """Doubles as exact complex balls."""
    import flint

    result = np.empty(numbers.shape, dtype=object)
    for place in np.ndindex(numbers.shape):
        result[place] = flint.acb(complex(numbers[place]))
    return result
