"""The squared loss at given inputs: a distance in the space of outputs there.

The critical points of ``Σ_s |F(x_s) - y_s|²`` are counted on the closure of the set of all outputs at the samples, for
generic labels ``y``. Two numbers say what the samples see: the dimension of that closure, and whether it is everything.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.dimensions.ranks.tangent import jacobian
from polygeom.errors import PolygeomError
from polygeom.ideal.counting.distance import fraction
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.modular import P22, PrimeField, rank
from polygeom.network import Network

_TRIALS = 3


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs of a network, exactly.

    Attributes
    ----------
    network:
        The network.
    points:
        ``(N, n)`` fractions.
    """

    network: Network
    points: np.ndarray

    @classmethod
    def of(cls, network: Network, inputs: Any) -> Samples:
        """Inputs ``(samples, n)`` of any numbers; floats are taken as the dyadic fractions that they are.

        Raises
        ------
        PolygeomError
            If they have another shape, or are not finite numbers.

        Examples
        --------
        >>> from polygeom.network import parse
        >>> Samples.of(parse("[3,1,1] r=2"), [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 2, 3]]).dimension
        3
        """
        rows = np.atleast_2d(np.array(inputs, dtype=object))
        n = network.input_dimension
        if rows.ndim != 2 or rows.shape[1] != n:
            raise PolygeomError(f"inputs must have shape (samples, {n}), got {rows.shape}; write one row per sample")
        if not len(rows):
            raise PolygeomError(f"inputs must be at least one row of {n} numbers, got none")
        points = np.empty(rows.shape, dtype=object)
        for place in np.ndindex(rows.shape):
            points[place] = fraction(rows[place])
        return cls(network, points)

    @property
    def outputs(self) -> int:
        """Number of coordinates of all outputs together."""
        return len(self.points) * self.network.output_dimension

    @cached_property
    def dimension(self) -> int:
        """Of the closure of the set of outputs: the rank mod p at random weights, a proved lower bound."""
        field, rng = PrimeField(P22), np.random.default_rng(0)
        residues = [[int(c.numerator) * pow(int(c.denominator), -1, P22) % P22 for c in row] for row in self.points]
        points = field.encode(np.array(residues, dtype=object)).reshape(-1, *self.network.input_shape)
        best = 0
        for _ in range(_TRIALS):
            weights = {name: field.random(rng, shape) for name, shape in self.network.parameters.items()}
            rows = jacobian(self.network, field, weights, points)
            best = max(best, rank(np.ascontiguousarray(rows.reshape(-1, self.network.parameter_count)), field))
        return best

    @cached_property
    def table(self) -> np.ndarray:
        """``(N, M)`` fractions: the monomials of an output at the inputs."""
        monomials = Coordinates(self.network).monomials
        return np.array([[math.prod(map(pow, x, alpha)) for alpha in monomials] for x in self.points], dtype=object)

    @cached_property
    def determine(self) -> bool:
        """Whether the inputs tell all polynomials apart that have the degrees of an output."""
        import flint

        rows = [[flint.fmpq(c.numerator, c.denominator) for c in map(Fraction, row)] for row in self.table.tolist()]
        return bool(flint.fmpq_mat(rows).rank() == len(rows[0]))

    @property
    def form(self) -> np.ndarray:
        """The form ``I ⊗ M`` on plain coefficients, ``M`` the moments of the inputs: ``Σ_s |F(x_s)|²``."""
        moments = self.table.T @ self.table
        count, selection = self.network.output_dimension, Coordinates(self.network).selection
        form = np.full((len(moments) * count,) * 2, Fraction(0), dtype=object)
        for o in range(count):
            start = o * len(moments)
            form[start : start + len(moments), start : start + len(moments)] = moments
        selected: np.ndarray = form[np.ix_(selection, selection)]
        return selected

    @property
    def identity(self) -> np.ndarray:
        """The form on all outputs: the sum of their squares."""
        return np.eye(self.outputs)

    @property
    def floats(self) -> np.ndarray:
        """``(N, *input_shape)``: the nearest doubles."""
        return self.points.astype(float).reshape(-1, *self.network.input_shape)

    @property
    def exact(self) -> bool:
        """Whether these doubles are the inputs."""
        return all(Fraction(float(c)) == c for c in self.points.ravel())
