"""A bound for the degrees of the equations of the image of a bundle of pencils, by cutting down to points.

Notation: S the polynomial ring in the coordinates, ``R = S / I`` the coordinate ring of the image, ``M ⊇ R`` the module
of sections, ``Q = M / R``. The sequence ``0 → R → M → Q → 0`` and ``reg M ≤ 2`` give ``reg R ≤ max(2, reg Q + 1)``, and
I is generated in degrees ``≤ reg R + 1``. Q has the presentation of M without the generator 1.

For a module N with generators and relations of degree at most d, a linear form h, ``N' = N / hN``, ``T = (0 :_N h)``:
the exact sequence ``Tor_2(N', k) → T(-1) ⊗ k → Tor_1(N, k)`` (change of rings, the first over S / h) shows that T is
generated in degrees ``≤ max(reg N' + 1, d - 1)``. So if ``T_e = 0`` for one e at least so large, T vanishes from e on,
and then local cohomology gives ``reg N ≤ max(reg N', e - 1)``, which is e - 1. No form has to be regular
or generic for that, and ``dim T_e = dim N_e - dim N_{e+1} + dim N'_{e+1}`` are numbers. Cutting with one form after the
other, down to a module over the field, bounds ``reg Q`` (Bayer and Stillman, A criterion for detecting m-regularity,
1987).

All this is done mod p. Equations over the rationals whose reductions generate the ideal mod p are complete: the Hilbert
function of what they define over the rationals is at most that mod p, and that of R over the rationals at least.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.ideal.bundles.pencils import Pencils
from polygeom.ideal.bundles.pieces import Module
from polygeom.ideal.bundles.presentation import sections
from polygeom.modular import PrimeField


@dataclass(frozen=True)
class Bound:
    """What is known of all degrees.

    Attributes
    ----------
    quotient:
        A bound for the regularity of sections modulo polynomials, -1 if there are no further sections.
    hilbert:
        The Hilbert function of the coordinate ring as far as it was asked for.
    """

    quotient: int
    hilbert: tuple[int, ...]

    @property
    def regularity(self) -> int:
        """A bound for the regularity of the coordinate ring."""
        return max(2, self.quotient + 1)

    @property
    def generators(self) -> int:
        """The largest degree that a minimal generator of the ideal may have."""
        return self.regularity + 1


class Cuts:
    """The module of sections modulo polynomials, and what is left of it after one linear form, two, and so on.

    The first two forms are the first and the last coordinate, which keep the weights; the others are random.

    Parameters
    ----------
    bundle:
        The bundle.
    field:
        The prime field of the linear algebra, its characteristic above the degree of the outputs.
    seed:
        Seed of points and of linear forms.
    """

    def __init__(self, bundle: Pencils, field: PrimeField, seed: int = 0) -> None:
        self.bundle, self.field = bundle, field
        self._modules: list[Module] = []
        found = sections(bundle, field, seed)
        if found is None:
            return
        cut = found.without(0)
        rng = np.random.default_rng(seed)
        self._modules.append(Module(cut, field))
        self._last = cut.last
        for number in range(len(cut.variables)):
            others = len(cut.variables) - 1
            images = [0] * others if number < 2 else rng.integers(1, field.p, others).tolist()
            cut = cut.cut(0 if number == 0 else others, images, field)
            self._modules.append(Module(cut, field))

    def bound(self, hilbert: Sequence[int], deadline: float | None = None) -> Bound | None:
        """The regularity, if the Hilbert function of the coordinate ring is known far enough.

        Parameters
        ----------
        hilbert:
            The Hilbert function of the coordinate ring mod p, from degree 0.
        deadline:
            Time (of `time.monotonic`) at which to stop.

        Returns
        -------
        Bound | None
            None if more degrees are needed, there is no presentation, or values contradict those that follow.

        Raises
        ------
        BudgetError
            If the deadline passes.
        """
        if not self._modules:
            return None
        top = len(hilbert) - 1
        regularity = max((degree for degree, _ in self._modules[-1].presentation.generators), default=-1)
        ends: list[int] = []
        for number in reversed(range(len(self._modules) - 1)):
            end = max(regularity + 1, self._last - 1)
            while end < top and self._annihilated(number, end, hilbert, deadline):
                end += 1
            if end >= top:
                return None
            ends.append(end)
            regularity = end - 1  # not below that of the quotient, since end is beyond it
        found = Bound(regularity, tuple(hilbert))
        extended = self._extended(hilbert, ends[::-1], found.regularity + self.bundle.dimension)
        if any(known != value for known, value in zip(hilbert, extended, strict=False)):
            return None
        return Bound(regularity, extended)

    def _annihilated(self, number: int, degree: int, hilbert: Sequence[int], deadline: float | None) -> int:
        """Dimension of the elements of a degree that the next form annihilates."""
        here, there = (self._dimension(number, degree + k, hilbert, deadline) for k in range(2))
        return here - there + self._dimension(number + 1, degree + 1, hilbert, deadline)

    def _dimension(self, number: int, degree: int, hilbert: Sequence[int], deadline: float | None) -> int:
        """Dimension of a piece of a module; the first of them is as good as known."""
        if number == 0:
            return self.bundle.sections(degree) - hilbert[degree]
        return self._modules[number].dimension(degree, deadline)

    def _extended(self, hilbert: Sequence[int], ends: Sequence[int], top: int) -> tuple[int, ...]:
        """The Hilbert function of the coordinate ring to a degree: from its end on, a form is injective on a module."""
        above = [self._modules[-1].dimension(degree) for degree in range(top + 1)]
        for number in reversed(range(len(ends))):
            values = [self._dimension(number, degree, hilbert, None) for degree in range(ends[number] + 1)]
            while len(values) <= top:
                values.append(values[-1] + above[len(values)])
            above = values
        return tuple(self.bundle.sections(degree) - quotient for degree, quotient in enumerate(above))
