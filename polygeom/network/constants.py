"""Matrices that are not trained: rational, mostly zero, read by every engine in its own numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass


@dataclass(frozen=True, eq=False)
class Constants:
    """A sparse matrix of rational numbers.

    Attributes
    ----------
    shape:
        ``(m, n)``.
    entries:
        ``((row, column, value), …)`` without zeros, sorted.

    Examples
    --------
    >>> matrix = Constants.of([[1, 0], [Fraction(1, 2), 3]])
    >>> matrix.sums(np.array([10.0, 20.0]), lambda c: np.array([float(x) for x in c])).tolist()
    [10.0, 65.0]
    """

    shape: tuple[int, int]
    entries: tuple[tuple[int, int, Fraction], ...]

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]]) -> Constants:
        """The matrix with the given rows."""
        width = len(rows[0]) if rows else 0
        entries = tuple(
            (i, j, Fraction(int(c.numerator), int(c.denominator)))
            for i, row in enumerate(rows)
            for j, c in enumerate(row)
            if c
        )
        return cls((len(rows), width), entries)

    @cached_property
    def columns(self) -> np.ndarray:
        """Column of every entry."""
        return np.array([j for _, j, _ in self.entries], dtype=np.int64)

    @cached_property
    def values(self) -> tuple[Fraction, ...]:
        """Value of every entry."""
        return tuple(c for _, _, c in self.entries)

    @cached_property
    def transposed(self) -> Constants:
        """The transposed matrix."""
        m, n = self.shape
        return Constants((n, m), tuple(sorted((j, i, c) for i, j, c in self.entries)))

    @cached_property
    def _starts(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows that have entries, and where their entries begin."""
        rows = np.array([i for i, _, _ in self.entries], dtype=np.int64)
        used, starts = np.unique(rows, return_index=True)
        return used, starts

    def sums(
        self,
        x: np.ndarray,
        convert: Callable[[Sequence[Fraction]], np.ndarray],
        multiply: Callable[[np.ndarray, np.ndarray], np.ndarray] = np.multiply,
        zero: Any = 0,
    ) -> np.ndarray:
        """``y[…, i] = Σ_j matrix[i, j] x[…, j]`` over any numbers.

        Parameters
        ----------
        x:
            ``(…, n)``.
        convert:
            Turns the values of the entries into an array of numbers.
        multiply:
            The product of such arrays.
        zero:
            What an empty sum is.
        """
        y = np.empty((*x.shape[:-1], self.shape[0]), dtype=x.dtype)
        blank = np.empty((), dtype=x.dtype)
        blank[()] = zero  # numpy would look into elements that are sequences
        y[...] = blank
        used, starts = self._starts
        if len(used):
            y[..., used] = np.add.reduceat(multiply(x[..., self.columns], convert(self.values)), starts, axis=-1)
        return y

    def dense(self) -> np.ndarray:
        """All entries as an object array of fractions."""
        matrix = np.full(self.shape, Fraction(0), dtype=object)
        for i, j, c in self.entries:
            matrix[i, j] = c
        return matrix
