"""The trace test: numerical evidence that no solution is missing.

For a linear section
    As the section moves parallel to itself, the sum of all its points moves along a line: it is an affine-linear
    function of the right-hand side. The sum of a proper part is not, since monodromy carries it to another part.
For critical points of a distance
    The sum ``τ(u)`` of all critical points is a single-valued algebraic function of the target, hence rational, and
    ``τ(λ u) = λ τ(u)`` on a cone. Where no critical point goes to infinity at a finite target it is a polynomial, hence
    linear. That is so whenever the quadric of isotropic vectors is transversal to the neurovariety, as it is for a
    generic form: a critical point that goes to infinity has an isotropic limit to which its tangent space is
    orthogonal. For special forms the sum may have poles, and then the test fails although nothing is missing; passed,
    it says the same as for sections.

So the second difference of the sum over three collinear parameters vanishes for all solutions, and not for some of
them. Every linear functional is judged by itself: the second difference of the sum must be far smaller than that of
*every single* solution, so that none of the size of those found can be missing unnoticed.

References
----------
Sommese, Verschelde, Wampler, "Symmetric functions applied to decomposing solution sets of polynomial systems", SIAM J.
Numer. Anal. 40 (2002). Leykin, Rodriguez, Sottile, "Trace test", arXiv 1608.00540.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.ideal.counting.paths.starts import complex_normal
from polygeom.ideal.counting.paths.systems import Array
from polygeom.ideal.counting.paths.tracking import CAREFUL, QUICK, Steps, Tracker

STRAIGHT = 1e-4
"""Ratio below which the test is passed. All solutions give about 1e-10, all but one at least 1."""
_FUNCTIONALS = 8
_LINEAR = 1e-5


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace test.

    Attributes
    ----------
    ratio:
        Largest ratio, over functionals, of the second difference of the sum to the smallest of a single solution.
    without:
        Smallest ratio that leaving out any single solution would have given.
    count:
        Solutions in the sum.
    """

    ratio: float
    without: float
    count: int

    @property
    def passed(self) -> bool:
        """Whether the sum is straight, and would not be without any one of the solutions."""
        return self.ratio < STRAIGHT


def second_differences(images: tuple[Array, Array, Array], place: complex) -> Array:
    """Of three functions at the parameters 0, 1 and ``place``: zero for affine-linear ones; rows as in the images."""
    at_zero, at_one, at_place = images
    weights = 1 / place, 1 / (1 - place), 1 / (place * (place - 1))
    difference: Array = weights[0] * at_zero + weights[1] * at_one + weights[2] * at_place
    return difference


def trace_test(
    tracker: Tracker,
    w: Array,
    w_away: Array,
    base: Array,
    away: Array,
    rng: np.random.Generator,
    marks: Callable[[Array], Array],
    attempt: int = 0,
) -> Trace | None:
    """Test whether solutions at ``base``, and as many at ``away``, are all.

    Parameters
    ----------
    tracker:
        For the system; its deadline holds.
    w, w_away:
        ``(N, P)``: the solutions that are known at both parameters; each row of one goes with the same of the other.
    base, away:
        The parameters.
    rng:
        Source of the third parameter, of paths and functionals.
    marks:
        Tells solutions apart.
    attempt:
        With each attempt the paths are followed more carefully.

    Returns
    -------
    `Trace`, or None where the numbers of solutions at the three parameters differ: then some are missing, or paths were
    lost.
    """
    if len(w) != len(w_away) or not len(w):
        return None
    place = complex(0.5 + rng.uniform(-0.2, 0.2) + 1j * rng.choice([-1, 1]) * rng.uniform(0.4, 0.8))
    third = base + place * (away - base)
    steps = (QUICK, Steps(), CAREFUL)[min(attempt, 2)]
    ends = _bijection(tracker, w, base, third, marks, steps)
    if ends is None:
        return None
    image = tracker.system.image
    return straightness((image(w), image(w_away), image(ends)), place, rng)


def straightness(images: tuple[Array, Array, Array], place: complex, rng: np.random.Generator) -> Trace:
    """The test itself, for images ``(N, m)`` of all solutions at the parameters 0, 1 and ``place`` of a line.

    Each row of one goes with the same of the others.
    """
    functionals = complex_normal(rng, images[0].shape[1], _FUNCTIONALS)
    values = tuple(each @ functionals for each in images)
    single = second_differences(values, place)
    total = second_differences(tuple(v.sum(axis=0) for v in values), place)
    least = np.abs(single).min(axis=0) + 1e-300
    if len(single) == 1:  # all of a linear space: there is no other point to compare with, so the own size serves
        least = np.maximum(least, _LINEAR * np.abs(values[0][0]))
    without = np.abs(total - single) / least
    return Trace(float((np.abs(total) / least).max()), float(without.max(axis=1).min()), len(single))


def _bijection(
    tracker: Tracker, w: Array, start: Array, end: Array, marks: Callable[[Array], Array], steps: Steps
) -> Array | None:
    """Different solutions at the end, one for each at the start; None when paths are lost or meet."""
    for careful in (steps, CAREFUL):
        ends, arrived = tracker.follow(w, start, end, 1.0, careful)
        if arrived.all() and _different(marks(ends)):
            return ends
        if careful == CAREFUL:
            break
    return None


def _different(marks: Array) -> bool:
    from scipy.spatial import cKDTree

    scale = np.abs(marks).max(axis=1, keepdims=True) + 1e-300
    plane = np.concatenate([marks.real, marks.imag], axis=1)
    distance, _ = cKDTree(plane).query(plane, k=2) if len(plane) > 1 else (np.full((1, 2), np.inf), None)
    return bool((distance[:, 1] > 1e-7 * scale[:, 0]).all())
