"""Networks at many weights at once, with first and second derivatives by chosen parameters: truncated Taylor
arithmetic.

A *jet* is a value together with its derivatives by ``k`` parameters, up to order 1 or 2. The numbers may be complex
floats (for tracking paths) or Python objects with ``+``, ``*`` and ``**`` such as complex balls (for proofs); nothing
here knows which. Unlike the other engines this one carries ``B`` weight vectors through the network together, so every
array has a leading batch axis that the layers do not see.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.network.constants import Constants

Array = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Jet:
    """A value and its derivatives; ``None`` stands for derivatives that vanish.

    Attributes
    ----------
    value:
        ``(B, *shape)``, where ``B`` may be 1 for what is the same in the whole batch.
    gradient:
        ``(B, k, *shape)``: derivatives by the ``k`` parameters.
    hessian:
        ``(B, k, k, *shape)``, symmetric in the parameters; only kept by an engine of order 2.
    """

    value: Array
    gradient: Array | None = None
    hessian: Array | None = None

    def map(self, linear: Callable[[Array], Array]) -> Jet:
        """The jet of a linear function of the value that treats leading axes like numpy's broadcasting."""
        gradient = None if self.gradient is None else linear(self.gradient)
        return Jet(linear(self.value), gradient, None if self.hessian is None else linear(self.hessian))


class JetEngine:
    """The primitives of `polygeom.network.primitives` on jets.

    Parameters
    ----------
    order:
        1 for values and gradients, 2 for Hessians too.
    constant:
        Turns a `Fraction` into a number; by default into a float.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> parameters = np.array([[3.0, 5.0]])                                    # one weight vector: W1 = 3, W2 = 5
    >>> seeds = np.eye(2)[None, :, :]
    >>> weights = {name: Jet(parameters[:, [[i]]], seeds[:, :, [[i]]]) for i, name in enumerate(("W1", "W2"))}
    >>> y = parse("[1,1,1] r=2").evaluate(JetEngine(), weights, Jet(np.array([[[2.0]]])))      # 5 (3 x)^2 at x = 2
    >>> float(y.value[0, 0, 0]), y.gradient[0, :, 0, 0].tolist()
    (180.0, [120.0, 36.0])
    """

    def __init__(self, order: int = 1, constant: Callable[[Fraction], Any] = float) -> None:
        self.order, self._constant = order, constant

    def linear(self, x: Jet, w: Jet) -> Jet:
        return self._bilinear(x, w.map(lambda part: np.swapaxes(part, -1, -2)), _flat_product)

    def bias(self, x: Jet, b: Jet) -> Jet:
        lead = x.value.ndim - b.value.ndim
        return self.add(x, b.map(lambda part: part.reshape(*part.shape[:-1], *([1] * lead), part.shape[-1])))

    def add(self, x: Jet, y: Jet) -> Jet:
        return Jet(x.value + y.value, _sum(x.gradient, y.gradient), _sum(x.hessian, y.hessian))

    def multiply(self, x: Jet, y: Jet) -> Jet:
        return self._bilinear(x, y, np.multiply)

    def power(self, x: Jet, exponent: int) -> Jet:
        slope = exponent * x.value ** (exponent - 1) if exponent > 1 else np.ones_like(x.value)
        curvature = exponent * (exponent - 1) * x.value ** (exponent - 2) if exponent > 2 else None
        if exponent == 2:
            curvature = 2 * np.ones_like(x.value)
        return self._composed(x, x.value**exponent, slope, curvature)

    def polynomial(self, x: Jet, coefficients: Sequence[Fraction]) -> Jet:
        value, slope, curvature = (self._horner(x.value, coefficients, order) for order in range(3))
        return self._composed(x, value, slope, curvature)

    def inverse(self, x: Jet) -> Jet:
        value = self._constant(Fraction(1)) / x.value
        slope = -value * value
        return self._composed(x, value, slope, -2 * slope * value)

    def combine(self, x: Jet, matrix: Constants) -> Jet:
        def constants(values: Sequence[Fraction]) -> Array:
            numbers = [self._constant(c) for c in values]
            array = np.empty(len(numbers), dtype=object if x.value.dtype == object else None)
            array[:] = numbers
            return array

        return x.map(lambda part: matrix.sums(part, constants))

    def matmul(self, x: Jet, y: Jet) -> Jet:
        return self._bilinear(x, y, np.matmul)

    def reindex(self, x: Jet, index: Array) -> Jet:
        shape = x.value.shape[2:]
        return self._gathered(x, len(shape), index)

    def arrange(self, w: Jet, index: Array) -> Jet:
        return self._gathered(w, w.value.ndim - 1, index)

    def _bilinear(self, x: Jet, y: Jet, product: Callable[[Array, Array], Array]) -> Jet:
        """The product rule, for a product that treats leading axes like numpy's broadcasting."""
        value = product(x.value, y.value)
        gradient = _sum(
            None if x.gradient is None else product(x.gradient, y.value[:, None]),
            None if y.gradient is None else product(x.value[:, None], y.gradient),
        )
        if self.order < 2:
            return Jet(value, gradient)
        hessian = _sum(
            None if x.hessian is None else product(x.hessian, y.value[:, None, None]),
            None if y.hessian is None else product(x.value[:, None, None], y.hessian),
        )
        if x.gradient is not None and y.gradient is not None:
            mixed = product(x.gradient[:, :, None], y.gradient[:, None])
            hessian = _sum(hessian, mixed + np.swapaxes(mixed, 1, 2))
        return Jet(value, gradient, hessian)

    def _composed(self, x: Jet, value: Array, slope: Array, curvature: Array | None) -> Jet:
        """The chain rule for an elementwise function with the given derivatives at ``x``."""
        if x.gradient is None:
            return Jet(value)
        gradient = slope[:, None] * x.gradient
        if self.order < 2:
            return Jet(value, gradient)
        hessian = None if x.hessian is None else slope[:, None, None] * x.hessian
        if curvature is not None:
            outer = x.gradient[:, :, None] * x.gradient[:, None]
            hessian = _sum(hessian, curvature[:, None, None] * outer)
        return Jet(value, gradient, hessian)

    def _horner(self, x: Array, coefficients: Sequence[Fraction], order: int) -> Array:
        """The derivative of the given order of ``Σ coefficients[k] x ** k``."""
        derived = [c * math.perm(k, order) for k, c in enumerate(coefficients)][order:] or [Fraction(0)]
        constants = [self._constant(Fraction(c)) for c in derived]
        value: Array = np.ones_like(x) * constants[-1]
        for c in reversed(constants[:-1]):
            value = value * x + c
        return value

    def _gathered(self, x: Jet, axes: int, index: Array) -> Jet:
        return x.map(lambda part: _gather(part, axes, index))


def _sum(x: Array | None, y: Array | None) -> Array | None:
    if x is None or y is None:
        return y if x is None else x
    total: Array = x + y
    return total


def _flat_product(x: Array, w: Array) -> Array:
    """``x @ w`` for ``w`` with two matrix axes, where ``x`` may have more axes of points than one."""
    lead = w.ndim - 2
    rows = x.reshape(*x.shape[:lead], -1, x.shape[-1])
    y: Array = np.matmul(rows, w)
    return y.reshape(*y.shape[:lead], *x.shape[lead:-1], w.shape[-1])


def _gather(part: Array, axes: int, index: Array) -> Array:
    """Take the entries ``index`` of the last ``axes`` axes, flattened; -1 gives zero."""
    lead = part.shape[: part.ndim - axes]
    flat = part.reshape(*lead, -1)
    padded = np.concatenate([flat, flat[..., :1] * 0], axis=-1)
    taken: Array = padded[..., index]
    return taken
