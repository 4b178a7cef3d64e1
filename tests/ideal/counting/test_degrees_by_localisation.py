"""Degrees of neurovarieties of networks with one hidden layer and three inputs, by intersection theory.

If r ≥ s - 1, every scheme of s points of the plane imposes independent conditions on forms of degree r, so the spans
of r-th powers of s linear forms make a bundle S of rank s on the Hilbert scheme of s points, dual to the tautological
bundle of O(r), and the neurovariety of [3,s,m] r is the image of the projective bundle of S^m. Where s points are
determined by a general function, its degree is the Segre class of S^m, an integral that is a sum over the torus-fixed
points (Bott's formula; Ellingsrud, Strømme, On the homology of the Hilbert scheme of points in the plane, 1987).
Nothing of this uses equations, ranks or primes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import pytest

from polygeom.ideal import Neurovariety

Partition = tuple[int, ...]


def partitions(size: int, largest: int | None = None) -> Iterator[Partition]:
    if size == 0:
        yield ()
        return
    for first in range(min(size, size if largest is None else largest), 0, -1):
        for rest in partitions(size - first, first):
            yield (first, *rest)


def fixed_points(s: int) -> Iterator[tuple[Partition, ...]]:
    """Three partitions with s boxes together: monomial ideals at the three fixed points of the plane."""
    for sizes in itertools.product(range(s + 1), repeat=3):
        if sum(sizes) == s:
            yield from itertools.product(*(list(partitions(k)) for k in sizes))


def segre(roots: list[Fraction], copies: int, degree: int) -> Fraction:
    """The part of this degree of ``∏ (1 - x)^(-copies)``."""
    series = [Fraction(1)] + [Fraction(0)] * degree
    for root in roots:
        for _ in range(copies):
            for k in range(1, degree + 1):
                series[k] += root * series[k - 1]
    return series[degree]


def degree_by_localisation(s: int, m: int, r: int) -> Fraction:
    weights = [Fraction(0), Fraction(1), Fraction(137)]
    total = Fraction(0)
    for triple in fixed_points(s):
        tangent, roots = Fraction(1), []
        for i, partition in enumerate(triple):
            a, b = (weights[j] - weights[i] for j in range(3) if j != i)
            columns = [sum(row > c for row in partition) for c in range(partition[0])] if partition else []
            for y, row in enumerate(partition):
                for x in range(row):
                    arm, leg = row - x - 1, columns[x] - y - 1
                    tangent *= ((leg + 1) * b - arm * a) * ((arm + 1) * a - leg * b)
                    roots.append(-r * weights[i] - x * a - y * b)
        total += segre(roots, m, 2 * s) / tangent
    return total


@pytest.mark.parametrize(
    ("s", "m", "r", "degree"),
    [
        (1, 1, 2, 4),
        (2, 1, 3, 15),
        (2, 2, 2, 15),
        pytest.param(2, 3, 2, 81, marks=pytest.mark.slow),
        (3, 1, 3, 4),
        (3, 3, 2, 30),
        pytest.param(3, 1, 4, 112, marks=pytest.mark.slow),
        (4, 1, 4, 35),
    ],
)
def test_the_integral_is_the_proved_degree(s: int, m: int, r: int, degree: int) -> None:
    assert degree_by_localisation(s, m, r) == degree
    assert Neurovariety(f"[3,{s},{m}] r={r}").search(timeout=280).completeness.degree == degree


def test_the_integral_vanishes_where_the_fibres_are_positive_dimensional() -> None:
    """A quadratic form of rank two is a sum of two squares in infinitely many ways."""
    assert degree_by_localisation(2, 1, 2) == 0
