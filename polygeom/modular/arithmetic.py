"""Numbers mod p as balanced float64 residues, so that matrix products run at the speed of floating-point BLAS.

Every entry is an integer of magnitude at most H = (p+3)/2. A sum of k products of entries, added to an entry, stays an
exact integer in float64 in any order of summation, with or without fused multiply-add, as long as k H^2 + 2H <= 2^53;
``PrimeField.max_products`` is the largest such k. (One H is the entry itself, the other keeps p rint(x/p) exact in the
reduction that follows.) Algorithms with other partial results (Strassen's, emulated products) are not exact.
"""

from __future__ import annotations

from functools import lru_cache
from numbers import Rational
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polygeom._dataclass import dataclass, field
from polygeom.errors import PolygeomError
from polygeom.modular import _backend
from polygeom.modular.primes import LARGEST_BITS, P22, P23, is_prime, random_prime

__all__ = ["P22", "P23", "PrimeField", "Residues", "as_field", "is_prime", "random_prime"]

Residues = NDArray[np.float64]
EXACT = 2**53
"""Integers up to this magnitude are exact in float64, and so is every sum whose partial sums stay below it."""


@dataclass(frozen=True)
class PrimeField:
    """The integers mod an odd prime p < 2^26, stored as balanced residues in float64 arrays.

    Parameters
    ----------
    p:
        An odd prime, 3 <= p < 2^26.

    Attributes
    ----------
    half:
        H = (p+3)//2, the largest magnitude a reduced entry can have. Nearly all have magnitude at most (p-1)/2; the
        reduction of numbers near 2^53 may round a half-way quotient either way.
    max_products:
        The number of products that may be added to an entry before it must be reduced: the largest k with
        k H^2 + 2H <= 2^53.

    Raises
    ------
    PolygeomError
        If ``p`` is not an odd prime below 2^26.

    Examples
    --------
    >>> field = PrimeField(7)
    >>> field.decode(field.matmul(field.encode([[2, 3]]), field.encode([[5], [6]])))
    array([[0]])
    """

    p: int
    half: int = field(init=False, repr=False, compare=False)
    max_products: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        p = self.p
        integer = isinstance(p, int | np.integer)
        if not integer or not 3 <= p < 2**LARGEST_BITS or not is_prime(int(p)):
            raise PolygeomError(f"p must be an odd prime below 2**{LARGEST_BITS}, got {p!r}; write p={P22}")
        half = (int(p) + 3) // 2
        products = (EXACT - 2 * half) // (half * half)
        assert products >= 1
        assert products * half * half + 2 * half <= EXACT
        object.__setattr__(self, "p", int(p))
        object.__setattr__(self, "half", half)
        object.__setattr__(self, "max_products", products)

    def reduce(self, x: Residues) -> Residues:
        """Balanced residues of an array of integers of magnitude at most 2^53 - H, as a new C-contiguous array."""
        out = np.array(x, dtype=np.float64, order="C", ndmin=1)
        _backend.elementwise().reduce_inplace(out, float(self.p))
        return out.reshape(np.shape(x))

    def reduce_inplace(self, x: Residues) -> None:
        """Reduce a float64 array of integers of magnitude at most 2^53 - H where it lies."""
        if x.flags.c_contiguous:
            _backend.elementwise().reduce_inplace(x, float(self.p))
        else:
            x[...] = self.reduce(x)

    def matmul(self, a: Residues, b: Residues) -> Residues:
        """Matrix product with the shape rules of ``np.matmul`` (batches, vectors), reduced.

        Inner dimensions beyond ``max_products`` are split, so any length is exact.
        """
        inner, step = a.shape[-1], self.max_products
        if inner <= step:
            return self._reduced(np.matmul(a, b))
        out: Residues | None = None
        for start in range(0, inner, step):
            stop = start + step
            part = np.matmul(a[..., start:stop], b[start:stop] if b.ndim == 1 else b[..., start:stop, :])
            out = self._reduced(part if out is None else part + out)
        assert out is not None
        return out

    def multiply(self, a: Residues, b: Residues) -> Residues:
        """Entrywise product with numpy broadcasting, reduced."""
        if a.shape == b.shape and a.flags.carray and b.flags.carray:
            product: Residues = _backend.elementwise().multiply(a, b, float(self.p))
            return product
        return self._reduced(np.multiply(a, b, order="C"))

    def add(self, a: Residues, b: Residues) -> Residues:
        """Entrywise sum with numpy broadcasting, reduced."""
        return self._reduced(np.add(a, b, order="C"))

    def subtract(self, a: Residues, b: Residues) -> Residues:
        """Entrywise difference with numpy broadcasting, reduced."""
        return self._reduced(np.subtract(a, b, order="C"))

    def power(self, a: Residues, exponent: int) -> Residues:
        """Entrywise power, exponent >= 0, by squaring with a reduction after every product; a^0 = 1 also for a = 0."""
        if exponent < 0:
            raise PolygeomError(f"exponent must be at least 0, got {exponent}; use inverse() first")
        if exponent == 0:
            return np.ones(a.shape)
        base = a if a.flags.carray else np.array(a, order="C")
        result: Residues = _backend.elementwise().power(base, exponent, float(self.p))
        return result.reshape(a.shape)

    def scalar(self, c: Rational | int) -> float:
        """Balanced residue of an integer or a fraction of any size.

        Raises
        ------
        PolygeomError
            If p divides the denominator.
        """
        numerator, denominator = int(c.numerator), int(c.denominator)
        if denominator % self.p == 0:
            raise PolygeomError(f"the denominator of c must not be divisible by {self.p}, got {c}; use another prime")
        residue = numerator * pow(denominator, -1, self.p) % self.p
        return float(residue - self.p if residue > self.p // 2 else residue)

    def inverse(self, a: Residues) -> Residues:
        """Entrywise inverse, a^(p-2).

        Raises
        ------
        PolygeomError
            If an entry is zero mod p.
        """
        if not np.all(self.reduce(a)):
            raise PolygeomError(f"a must have no entry divisible by {self.p}, got a zero; zero has no inverse")
        return self.power(a, self.p - 2)

    def encode(self, integers: ArrayLike) -> Residues:
        """Balanced residues of integers or fractions of any size (array or nested lists), as a new C-contiguous array.

        Floating-point input must hold integers of magnitude at most 2^53 - H, where float64 is still exact.

        Raises
        ------
        PolygeomError
            If an entry is not such a number, or has a denominator divisible by p.
        """
        # lists go through objects: numpy would turn a list with entries beyond 2^63 into rounded floats
        array = integers if isinstance(integers, np.ndarray) else np.array(integers, dtype=object)
        if array.dtype.kind in "bi":
            residues = np.remainder(array.astype(np.int64), self.p).astype(np.float64)
        elif array.dtype.kind == "u":
            residues = np.remainder(array.astype(np.uint64), np.uint64(self.p)).astype(np.float64)
        elif array.dtype.kind == "f":
            residues = self._checked_integers(array)
        elif array.dtype.kind == "O":
            flat = [self._residue(entry) for entry in array.reshape(-1)]
            residues = np.array(flat, dtype=np.float64).reshape(array.shape)
        else:
            raise PolygeomError(f"integers must be numbers, got an array of type {array.dtype}; pass integers")
        return self.reduce(residues)

    def _checked_integers(self, array: NDArray[Any]) -> Residues:
        values = array.astype(np.float64)
        bound = EXACT - self.half
        if not np.all(np.abs(values) <= bound) or np.any(values != np.rint(values)):
            raise PolygeomError(
                f"floating-point entries must be integers of magnitude at most {bound}, got others; pass integers"
            )
        return values

    def _residue(self, entry: Any) -> float:
        if isinstance(entry, Rational):
            return self.scalar(entry)
        if isinstance(entry, float) and entry.is_integer():
            return float(int(entry) % self.p)
        try:
            return float(int(entry.__index__()) % self.p)
        except AttributeError:
            raise PolygeomError(f"entries must be integers or fractions, got {entry!r}; pass integers") from None

    def decode(self, a: Residues) -> NDArray[np.int64]:
        """The residues as integers in [0, p)."""
        return np.remainder(np.asarray(a).astype(np.int64), self.p)

    def random(self, rng: int | np.random.Generator, shape: int | tuple[int, ...]) -> Residues:
        """Independent uniform residues; ``rng`` is a seed, or a Generator, which is advanced."""
        middle = self.p // 2
        return np.random.default_rng(rng).integers(-middle, middle + 1, size=shape).astype(np.float64)

    def outer_columns(self, d: Residues, f: Residues, out: Residues, row: int, column: int, skip: int = 0) -> None:
        """Write rowwise products of two matrices into a rectangle of a third.

        out[row+k, column + j*w + i-skip] = d[k, j] * f[k, i] mod p for skip <= i < f.shape[1], w = f.shape[1] - skip:
        the Jacobian of the weights between two layers, from backpropagated derivatives d and features f at each point.

        Parameters
        ----------
        d, f:
            Balanced residues (points, j) and (points, i).
        out:
            C-contiguous array with at least row + points rows and column + j*w columns.
        """
        points, width = d.shape[0], d.shape[1] * (f.shape[1] - skip)
        if not (0 <= row <= out.shape[0] - points and 0 <= column <= out.shape[1] - width and 0 <= skip <= f.shape[1]):
            raise PolygeomError(
                f"out must have {points} rows from {row}, {width} columns from {column}; got {out.shape}"
            )
        d, f = (x if x.flags.writeable else x.copy() for x in (d, f))  # compiled kernels take no read-only arrays
        _backend.elementwise().outer_columns(d, f, out, row, column, skip, float(self.p))

    def _reduced(self, x: Any) -> Residues:
        """Reduce a fresh result in place; numpy returns scalars for products of vectors."""
        out: Residues = np.asarray(x)
        if out.ndim == 0:
            return self.reduce(out)
        if not out.flags.c_contiguous:
            out = np.ascontiguousarray(out)
        _backend.elementwise().reduce_inplace(out, float(self.p))
        return out


@lru_cache(maxsize=1024)
def _cached_field(p: int) -> PrimeField:
    return PrimeField(p)


def as_field(p: int | PrimeField) -> PrimeField:
    """The field of a prime, from a cache, so that repeated small calls do not test primality again."""
    return p if isinstance(p, PrimeField) else _cached_field(p)
