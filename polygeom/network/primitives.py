"""The few primitives an engine supplies; every layer of every network is written in them, once.

A network is evaluated by handing it an engine: arithmetic over a prime field, over symbolic polynomials, over floats,
or a bookkeeping "arithmetic" such as the degrees of the polynomials involved. An engine knows nothing of networks.

Two kinds of values meet in a primitive. A *point value* ``x`` has shape ``(N, *shape)``: the same feature at ``N``
inputs at once. A *weight value* ``w`` has no leading axis: all inputs share it. ``V`` below stands for whatever the
engine uses for both. The conformance test runs one class of checks over every engine, so that this page and that test
are the definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol, TypeVar

import numpy as np

from polygeom.network.constants import Constants

V = TypeVar("V")

Index = np.ndarray
"""An integer array of positions into a flattened value; -1 stands for the constant zero."""


class Engine(Protocol[V]):
    """Arithmetic on values ``V``; shapes are those of the mathematics, whatever ``V`` stores."""

    def linear(self, x: V, w: V) -> V:
        """``y[k, …, i] = Σ_j w[i, j] x[k, …, j]`` for ``x: (N, …, n)`` and ``w: (m, n)``; shape ``(N, …, m)``."""

    def bias(self, x: V, b: V) -> V:
        """``x[k, …, i] + b[i]`` for ``x: (N, …, n)`` and ``b: (n,)``."""

    def add(self, x: V, y: V) -> V:
        """``x + y`` for two point values of equal shape."""

    def multiply(self, x: V, y: V) -> V:
        """The Hadamard product ``x * y`` of two point values of equal shape."""

    def power(self, x: V, exponent: int) -> V:
        """``x ** exponent`` elementwise, ``exponent ≥ 1``."""

    def polynomial(self, x: V, coefficients: Sequence[Fraction]) -> V:
        """``Σ_k coefficients[k] x ** k`` elementwise, at least one coefficient."""

    def inverse(self, x: V) -> V:
        """``1 / x`` elementwise, where no entry is zero.

        Raises
        ------
        PoleError
            If an entry is zero, in arithmetic that has no infinity.
        PolygeomError
            If the values are polynomials, which have no inverses.
        """

    def combine(self, x: V, matrix: Constants) -> V:
        """``y[k, …, i] = Σ_j matrix[i, j] x[k, …, j]`` for a constant ``(m, n)`` matrix; shape ``(N, …, m)``."""

    def matmul(self, x: V, y: V) -> V:
        """``z[k] = x[k] @ y[k]`` for ``x: (N, s, t)`` and ``y: (N, t, u)``; shape ``(N, s, u)``."""

    def reindex(self, x: V, index: Index) -> V:
        """``y[k, …] = x[k].ravel()[index]``; shape ``(N, *index.shape)``; -1 gives zero."""

    def arrange(self, w: V, index: Index) -> V:
        """``w.ravel()[index]`` for a weight value; shape ``index.shape``; -1 gives zero."""
