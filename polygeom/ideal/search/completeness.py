"""Whether the equations found generate the whole ideal of a neurovariety, and its degree if they do."""

from __future__ import annotations

from collections.abc import Sequence

from polygeom._dataclass import dataclass
from polygeom.ideal.bundles.regularity import Cuts
from polygeom.ideal.grading.quotients import MOST_COLUMNS, TooLargeError
from polygeom.ideal.grading.spaces import Spaces
from polygeom.ideal.search.equations import Equation
from polygeom.ideal.search.sections import MOST_LENGTH, orbit_degrees, section, subset_sums
from polygeom.modular import PrimeField

MOST_SECTIONS = 40
"""Sections by points that are tried; a few suffice, since their permutation group is the full symmetric group."""
MOST_DEGREES = 40
"""Largest degree of the quotient ring of a section."""
MOST_BYTES = 2**32
"""What the check of an argument may need, estimated from above: an argument that nobody can check is no proof.

The checker was measured to need a ninth of the estimate (0.1 GB for ``[7,1,1] r=2``). What the bound refuses is slow:
the section of ``[8,1,1] r=2`` takes 9 s to find, 42 s and 1.1 GB to check.
"""


@dataclass(frozen=True)
class Completeness:
    """Why equations generate the whole ideal.

    Attributes
    ----------
    reason:
        The argument in one clause, after "complete because".
    degree:
        The degree of the neurovariety (of its cone, if it is not one itself).
    h_vector:
        The Hilbert series is ``Σ h_i t^i / (1 - t)^dimension``; some are negative if the ring is not Cohen–Macaulay.
    argument:
        ``"filling"``, ``"hypersurface"``, ``"section"`` or ``"regularity"``.
    seeds:
        For sections: the seed of the one of finite length, then those by points that decide.
    orbits:
        For sections: the orbit degrees of each of those by points.
    """

    reason: str
    degree: int
    h_vector: tuple[int, ...]
    argument: str
    seeds: tuple[int, ...] = ()
    orbits: tuple[tuple[int, ...], ...] = ()


def prove_complete(
    equations: Sequence[Equation],
    spaces: Spaces,
    dimension: int,
    field: PrimeField,
    hilbert: Sequence[int],
    seed: int,
    deadline: float | None = None,
) -> Completeness | None:
    """An argument that equations generate the ideal of the neurovariety, or None.

    Parameters
    ----------
    equations:
        Minimal generators of dominant weight, all of them proved to vanish, that generate every equation of the degrees
        looked at; of degree at least 2, in the coordinates of ``spaces``.
    spaces:
        The polynomial ring in linearly independent coordinates.
    dimension:
        A proved lower bound for the dimension of the neurovariety (of the cone over it, if it is not one).
    field:
        The prime field of the sections.
    hilbert:
        The Hilbert function of the neurovariety as far as known, to see early that there is no hope.
    seed:
        Seed of the sections.
    deadline:
        Time (of `time.monotonic`) at which to give up.

    Raises
    ------
    BudgetError
        If the deadline passes.
    """
    codimension = len(spaces.kept) - dimension
    if codimension == 0:
        linear = len(spaces.kept) < spaces.grading.size
        reason = "the network is filling: there is no equation"
        if linear:
            reason = "the linear equations define a space that the neurovariety fills"
        return Completeness(reason, 1, (1,), "filling")
    if not equations:
        return None
    if codimension == 1 and sum(spaces.grading.orbit_size(e.weight) for e in equations) == 1:
        degree = min(e.degree for e in equations)
        reason = (
            f"the neurovariety is a hypersurface and its equation of least degree, {degree}, generates a prime ideal"
        )
        return Completeness(reason, degree, (1,) * degree, "hypersurface")
    if codimension < 2:
        return None
    try:
        return _by_sections(equations, spaces, codimension, dimension, field, hilbert, seed, deadline)
    except TooLargeError:
        return None


def _by_sections(
    equations: Sequence[Equation],
    spaces: Spaces,
    codimension: int,
    dimension: int,
    field: PrimeField,
    hilbert: Sequence[int],
    seed: int,
    deadline: float | None,
) -> Completeness | None:
    expected = differences(hilbert, dimension)
    copies = sum(spaces.grading.orbit_size(e.weight) for e in equations)
    if min(expected) < 0 or copies < codimension:
        return None
    # a product of degree e + 1 has at most e + 1 divisors in the basis of degree e
    if any(codimension * h > MOST_COLUMNS * (e + 1) for e, h in enumerate(expected)):
        return None
    ring = section(equations, spaces, codimension, field, seed, MOST_DEGREES, expected, finite=True, deadline=deadline)
    h = ring.hilbert[:-1]
    length = sum(h)
    if ring.hilbert[-1] or length > MOST_LENGTH or series(h, dimension, len(hilbert)) != tuple(hilbert):
        return None
    # contractions by all pairs of the variables of a section by points commute, as far as the checker has to ask
    if 24 * length**2 * codimension * (codimension + 1) ** 2 > MOST_BYTES:
        return None
    possible = set(range(1, length + 1))
    seeds, orbits = [seed], []
    for number in range(1, MOST_SECTIONS + 1):
        points = section(equations, spaces, codimension + 1, field, seed + number, len(h), pure=True, deadline=deadline)
        degrees = orbit_degrees(points, field, length, seed + number)
        if degrees is None:
            continue
        smaller = possible & subset_sums(degrees)
        if smaller != possible:
            possible = smaller
            seeds.append(seed + number)
            orbits.append(degrees)
        if possible == {length}:
            reason = (
                f"the equations define a Cohen-Macaulay ring of degree {length}, and sections mod {field.p} show that "
                f"the neurovariety has degree {length}"
            )
            return Completeness(reason, length, h, "section", tuple(seeds), tuple(orbits))
    return None


def prove_bounded(cuts: Cuts, hilbert: Sequence[int], deadline: float | None = None) -> Completeness | None:
    """The argument that no generator can have a degree beyond those looked at, or None.

    Parameters
    ----------
    cuts:
        The sections on the bundle whose image the neurovariety is.
    hilbert:
        The Hilbert function of the neurovariety mod p, in degrees in which proved equations generate everything.
    deadline:
        Time (of `time.monotonic`) at which to give up.

    Raises
    ------
    BudgetError
        If the deadline passes.
    """
    try:
        bound = cuts.bound(hilbert, deadline)
    except TooLargeError:
        return None
    if bound is None or bound.generators >= len(hilbert):
        return None
    h = list(differences(bound.hilbert, cuts.bundle.dimension))
    while not h[-1]:
        h.pop()
    reason = (
        f"the coordinate ring has regularity at most {bound.regularity}, by sections of a bundle over P^2 mod "
        f"{cuts.field.p}, so no generator has a degree beyond {bound.generators}"
    )
    return Completeness(reason, sum(h), tuple(h), "regularity")


def series(h_vector: Sequence[int], dimension: int, count: int) -> tuple[int, ...]:
    """The first coefficients of ``Σ h_i t^i / (1 - t)^dimension``.

    Examples
    --------
    >>> series((1, 1, 1), 2, 5)
    (1, 3, 6, 9, 12)
    """
    values = [*h_vector, *[0] * count][:count]
    for _ in range(dimension):
        for k in range(1, count):
            values[k] += values[k - 1]
    return tuple(values)


def differences(hilbert: Sequence[int], dimension: int) -> tuple[int, ...]:
    """The numerator of the Hilbert series as far as the Hilbert function is known: the inverse of `series`.

    Examples
    --------
    >>> differences((1, 3, 6, 9, 12), 2)
    (1, 1, 1, 0, 0)
    """
    values = list(hilbert)
    for _ in range(dimension):
        values = [b - a for a, b in zip([0, *values], values, strict=False)]
    return tuple(values)
