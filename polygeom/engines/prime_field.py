"""Networks over the field of ``p`` elements: values at many points at once, with forward and reverse derivatives.

Two engines, both over arrays of balanced residues (`polygeom.modular.PrimeField`):

`PrimeFieldEngine`
    plain values; point values are arrays ``(N, *shape)``, weight values arrays ``shape``.
`Tape`
    values that remember how they were made, for derivatives with respect to all weights at every point: reverse mode by
    `Tape.gradients`, forward mode by `Tape.tangent`. The derivative belongs to the primitives; layers know nothing of
    it.

Derivatives are those of polynomials with rational coefficients, reduced mod ``p``; they are right for every prime that
does not divide a denominator of an activation polynomial.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from polygeom._dataclass import dataclass, field
from polygeom.errors import PoleError
from polygeom.modular import PrimeField
from polygeom.network.constants import Constants

Array = np.ndarray


class PrimeFieldEngine:
    """The primitives of `polygeom.network.primitives` on arrays of balanced residues.

    Parameters
    ----------
    field:
        The prime field.
    """

    def __init__(self, field: PrimeField) -> None:
        self.field = field

    def linear(self, x: Array, w: Array) -> Array:
        return self.field.matmul(x, np.ascontiguousarray(w.T))

    def bias(self, x: Array, b: Array) -> Array:
        return self.field.add(x, b)

    def add(self, x: Array, y: Array) -> Array:
        return self.field.add(x, y)

    def multiply(self, x: Array, y: Array) -> Array:
        return self.field.multiply(x, y)

    def power(self, x: Array, exponent: int) -> Array:
        return self.field.power(x, exponent)

    def polynomial(self, x: Array, coefficients: Sequence[Fraction]) -> Array:
        scalars = [self.field.scalar(c) for c in coefficients]
        value = np.full_like(x, scalars[-1])
        for c in reversed(scalars[:-1]):
            value = self.field.reduce(self.field.multiply(value, x) + c)
        return value

    def inverse(self, x: Array) -> Array:
        if not np.all(x):
            raise PoleError(f"a denominator vanishes mod {self.field.p} at these weights; take another rng=")
        return self.field.power(x, self.field.p - 2)

    def combine(self, x: Array, matrix: Constants) -> Array:
        return self.field.reduce(matrix.sums(x, self._residues, self.field.multiply))

    def _residues(self, values: Sequence[Fraction]) -> Array:
        return np.array([self.field.scalar(c) for c in values])

    def matmul(self, x: Array, y: Array) -> Array:
        return self.field.matmul(x, y)

    def reindex(self, x: Array, index: Array) -> Array:
        flat = x.reshape(len(x), -1)
        return np.where(index < 0, 0.0, flat[:, np.maximum(index, 0)])

    def arrange(self, w: Array, index: Array) -> Array:
        return np.where(index < 0, 0.0, w.ravel()[np.maximum(index, 0)])


Pullback = Callable[[Array], Array]
"""From the derivative of something by an operation's output to its derivative by one operand, shape kept."""
Pushforward = Callable[[Array], Array]
"""From a direction of one operand to the direction of the output."""


@dataclass(eq=False, slots=True)
class Traced:
    """A value on the tape: the residues, and for each operand the derivative both ways.

    Weight values are traced *per point*: their derivatives carry the axis of points that the value itself lacks.
    """

    value: Array
    operands: tuple[tuple[Traced, Pullback, Pushforward], ...] = field(default=())


class Tape:
    """The primitives on `Traced` values, and derivatives of what they computed.

    Parameters
    ----------
    field:
        The prime field.

    Examples
    --------
    >>> import numpy as np
    >>> from polygeom.modular import PrimeField
    >>> from polygeom.network import parse
    >>> tape, network = Tape(PrimeField(101)), parse("[1,1,1] r=2")
    >>> weights = {"W1": tape.leaf(np.array([[3.0]])), "W2": tape.leaf(np.array([[5.0]]))}
    >>> y = network.evaluate(tape, weights, tape.leaf(np.array([[2.0]])))     # 5 (3 x)^2 at x = 2
    >>> gradients = tape.gradients(y, np.array([[1.0]]), weights)
    >>> float(y.value[0, 0] % 101), float(gradients["W1"][0, 0, 0] % 101), float(gradients["W2"][0, 0, 0])
    (79.0, 19.0, 36.0)
    """

    def __init__(self, field: PrimeField) -> None:
        self.field = field
        self._plain = PrimeFieldEngine(field)

    def leaf(self, value: Array) -> Traced:
        """A value that the derivatives may refer to."""
        return Traced(value)

    def linear(self, x: Traced, w: Traced) -> Traced:
        f, xv, wv = self.field, x.value, w.value

        def to_weight(d: Array) -> Array:
            n = len(d)
            rows = d.reshape(n, -1, d.shape[-1])
            return f.matmul(np.ascontiguousarray(rows.transpose(0, 2, 1)), xv.reshape(n, -1, xv.shape[-1]))

        def from_weight(v: Array) -> Array:
            n = len(xv)
            y = f.matmul(xv.reshape(n, -1, xv.shape[-1]), np.ascontiguousarray(v.transpose(0, 2, 1)))
            return y.reshape(*xv.shape[:-1], wv.shape[0])

        return Traced(
            self._plain.linear(xv, wv),
            (
                (x, lambda d: f.matmul(d, wv), lambda v: self._plain.linear(v, wv)),
                (w, to_weight, from_weight),
            ),
        )

    def bias(self, x: Traced, b: Traced) -> Traced:
        f, shape = self.field, x.value.shape

        def to_bias(d: Array) -> Array:
            return f.reduce(d.reshape(len(d), -1, d.shape[-1]).sum(axis=1))

        def from_bias(v: Array) -> Array:
            return np.broadcast_to(v.reshape(len(v), *[1] * (len(shape) - 2), shape[-1]), shape)

        return Traced(self._plain.bias(x.value, b.value), ((x, _same, _same), (b, to_bias, from_bias)))

    def add(self, x: Traced, y: Traced) -> Traced:
        return Traced(self._plain.add(x.value, y.value), ((x, _same, _same), (y, _same, _same)))

    def _diagonal(self, value: Array, *factors: tuple[Traced, Array]) -> Traced:
        """An elementwise operation with the given partial derivatives."""
        multiply = self.field.multiply

        def scale_by(partial: Array) -> Callable[[Array], Array]:
            return lambda d: multiply(d, partial)

        return Traced(value, tuple((x, scale_by(partial), scale_by(partial)) for x, partial in factors))

    def multiply(self, x: Traced, y: Traced) -> Traced:
        return self._diagonal(self._plain.multiply(x.value, y.value), (x, y.value), (y, x.value))

    def power(self, x: Traced, exponent: int) -> Traced:
        f = self.field
        below = f.power(x.value, exponent - 1) if exponent > 1 else np.ones_like(x.value)
        partial = f.reduce(below * f.scalar(exponent))
        return self._diagonal(f.multiply(below, x.value), (x, partial))

    def polynomial(self, x: Traced, coefficients: Sequence[Fraction]) -> Traced:
        slope = [k * c for k, c in enumerate(coefficients)][1:]
        partial = self._plain.polynomial(x.value, slope or [Fraction(0)])
        return self._diagonal(self._plain.polynomial(x.value, coefficients), (x, partial))

    def inverse(self, x: Traced) -> Traced:
        value = self._plain.inverse(x.value)
        return self._diagonal(value, (x, -self.field.multiply(value, value)))

    def combine(self, x: Traced, matrix: Constants) -> Traced:
        def pull(d: Array) -> Array:
            return self._plain.combine(d, matrix.transposed)

        return Traced(self._plain.combine(x.value, matrix), ((x, pull, lambda v: self._plain.combine(v, matrix)),))

    def matmul(self, x: Traced, y: Traced) -> Traced:
        f, xv, yv = self.field, x.value, y.value
        xt, yt = (np.ascontiguousarray(v.transpose(0, 2, 1)) for v in (xv, yv))
        return Traced(
            f.matmul(xv, yv),
            (
                (x, lambda d: f.matmul(d, yt), lambda v: f.matmul(v, yv)),
                (y, lambda d: f.matmul(xt, d), lambda v: f.matmul(xv, v)),
            ),
        )

    def reindex(self, x: Traced, index: Array) -> Traced:
        shape = x.value.shape
        return Traced(
            self._plain.reindex(x.value, index),
            ((x, lambda d: self._scatter(d, index, shape[1:]), lambda v: self._plain.reindex(v, index)),),
        )

    def arrange(self, w: Traced, index: Array) -> Traced:
        shape = w.value.shape
        return Traced(
            self._plain.arrange(w.value, index),
            ((w, lambda d: self._scatter(d, index, shape), lambda v: self._plain.reindex(v, index)),),
        )

    def _scatter(self, d: Array, index: Array, shape: tuple[int, ...]) -> Array:
        """The transpose of reindexing: sums of the entries of ``d`` that came from each position."""
        out = np.zeros((len(d), int(np.prod(shape))))
        used = index.ravel() >= 0
        np.add.at(out.T, index.ravel()[used], d.reshape(len(d), -1)[:, used].T)
        return self.field.reduce(out).reshape(len(d), *shape)

    def gradients(self, output: Traced, cotangent: Array, weights: Mapping[str, Traced]) -> dict[str, Array]:
        """Reverse mode: at each point, the derivative of ``Σ cotangent · output`` by every weight.

        Parameters
        ----------
        output:
            Point value of shape ``(N, *shape)`` made on this tape.
        cotangent:
            Residues of the same shape.
        weights:
            The leaves to differentiate by.

        Returns
        -------
        For every name an array ``(N, *weight shape)``.
        """
        points = len(output.value)
        sums: dict[int, Array] = {id(output): cotangent}
        for node in reversed(_ordered(output)):
            d = sums.get(id(node))
            if d is None or not node.operands:
                continue
            for operand, pull, _ in node.operands:
                part = pull(d)
                known = sums.get(id(operand))
                sums[id(operand)] = part if known is None else self.field.add(known, part)
            del sums[id(node)]
        return {
            name: sums[id(w)] if id(w) in sums else np.zeros((points, *w.value.shape)) for name, w in weights.items()
        }

    def tangent(self, output: Traced, directions: Mapping[str, tuple[Traced, Array]]) -> Array:
        """Forward mode: the derivative of the output along one direction of the weights.

        ``directions`` gives for each weight name the leaf and a direction of the leaf's shape; weights not named stay
        fixed. Returns residues of the output's shape.
        """
        points = len(output.value)
        moved: dict[int, Array] = {id(w): np.broadcast_to(v, (points, *v.shape)) for w, v in directions.values()}
        for node in _ordered(output):
            for operand, _, push in node.operands:
                v = moved.get(id(operand))
                if v is not None:
                    part = push(v)
                    known = moved.get(id(node))
                    moved[id(node)] = part if known is None else self.field.add(known, part)
        return moved.get(id(output), np.zeros_like(output.value))


def _same(d: Array) -> Array:
    return d


def _ordered(output: Traced) -> list[Traced]:
    """All values that ``output`` depends on, operands first."""
    seen: set[int] = set()
    order: list[Traced] = []
    stack: list[tuple[Traced, bool]] = [(output, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack += [(operand, False) for operand, _, _ in node.operands]
    return order
