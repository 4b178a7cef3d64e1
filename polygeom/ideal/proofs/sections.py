"""Sections of equations by linear subspaces, re-checked by inverse systems and FLINT.

The functionals on forms of degree e that vanish on the ideal of some equations are those whose contractions by every
variable vanish on the ideal in degree e - 1 and that vanish on the equations of degree e; a family of functionals of
degree e - 1 comes from contractions if it commutes (Macaulay's inverse systems). Their number is the dimension of the
quotient ring, and contractions are the transposes of the multiplications by variables.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from polygeom.dimensions.proofs.jacobians import dot, is_odd_prime
from polygeom.ideal.proofs.claims import Claim, Monomial, Sections, Terms

MOST_DIMENSIONS = 2000
"""Largest number of functionals of one degree; sums of as many products of residues stay below 2^63."""


def sections_hold(claim: Claim, argument: Sections) -> bool:
    """Whether the subspaces show that the equations define a Cohen-Macaulay ring of the degree of the neurovariety.

    The steps are those of ``docs/certificates.md``. The section by as many variables as the codimension has finite
    length, and those by one variable more are by points whose orbits leave only one degree.
    """
    degree, h = claim.data.claim.degree, claim.data.claim.h_vector
    codimension = claim.codimension
    widths = [len(subspace) for subspace in argument.subspaces]
    if degree is None or h is None or codimension < 2 or not is_odd_prime(argument.prime):
        return False
    if widths != [codimension] + [codimension + 1] * (len(widths) - 1) or sum(h) != degree or 0 in h:
        return False
    if max(h) > MOST_DIMENSIONS or any(len(row) != claim.size for space in argument.subspaces for row in space):
        return False
    if any(x >= argument.prime for space in argument.subspaces for row in space for x in row):
        return False
    copies = [(e.degree, _moved(e.terms, move)) for e in claim.proper for _, move in claim.copies(e)]
    first, *others = (InverseSystem(copies, space, argument.prime, claim) for space in argument.subspaces)
    if first.up_to([*h, 0]) != [*h, 0]:
        return False
    possible = set(range(1, degree + 1))
    for points in others:
        degrees = points.factor_degrees(h, degree)
        if degrees is None:
            return False
        sums = {0}
        for d in degrees:
            sums |= {s + d for s in sums}
        possible &= sums
    return possible == {degree}


def _moved(terms: Terms, move: Sequence[int]) -> Terms:
    return tuple((tuple(sorted([move[k] for k in m])), c) for m, c in terms)


class InverseSystem:
    """The functionals that vanish on equations restricted to a linear subspace mod p.

    Parameters
    ----------
    equations:
        Degree and terms, with all their copies under permutations; those with coordinates that are not kept are passed
        over, which only makes the scheme larger.
    subspace:
        The coordinates as linear forms in new variables: one row for each variable.
    prime:
        An odd prime below 2^24.
    claim:
        The certificate.
    """

    def __init__(
        self, equations: Sequence[tuple[int, Terms]], subspace: Sequence[Sequence[int]], prime: int, claim: Claim
    ) -> None:
        import flint

        self.p, self.variables, self._budget = prime, len(subspace), claim.budget
        names = [f"y{i}" for i in range(self.variables)]
        self._ring = flint.nmod_mpoly_ctx.get(names, modulus=self.p, ordering=flint.Ordering.degrevlex)
        generators, kept = self._ring.gens(), set(claim.kept)
        zero = self._ring.constant(0)
        self._forms = [
            sum((row[k] * y for row, y in zip(subspace, generators, strict=True)), zero) if k in kept else zero
            for k in range(len(claim.weights))
        ]
        kept_only = [(d, terms) for d, terms in equations if all(k in kept for m, _ in terms for k in m)]
        self._equations = [(d, self._restrict(d, terms)) for d, terms in kept_only]
        self._monomials: list[Monomial] = [(0,) * self.variables]
        self._values = np.ones((1, 1), dtype=np.int64)
        self.contractions: list[np.ndarray] = []
        self.dimensions = [1]

    def _restrict(self, degree: int, terms: Terms) -> dict[Monomial, int]:
        groups: dict[Monomial, Any] = defaultdict(lambda: self._ring.constant(0))
        for monomial, c in terms:
            groups[monomial] += c % self.p
        for _ in range(degree):
            shorter: dict[Monomial, Any] = defaultdict(lambda: self._ring.constant(0))
            for monomial, value in groups.items():
                self._budget.step("the sections", 20.0 * len(value) * self.variables)
                shorter[monomial[:-1]] += value * self._forms[monomial[-1]]
            groups = shorter
        return {tuple(map(int, e)): int(c) for e, c in groups[()].to_dict().items()}

    def up_to(self, expected: Sequence[int]) -> list[int]:
        """Dimensions of the quotient ring from degree 0 on, as long as they are as expected, and the first other."""
        while len(self.dimensions) < len(expected) and self.dimensions == list(expected[: len(self.dimensions)]):
            self._advance(expected[len(self.dimensions)])
        return self.dimensions

    def _advance(self, expected: int) -> None:
        """Go up one degree: families of functionals that commute and vanish on the equations.

        If there are many conditions, random combinations of them are tried first; they can only leave more functionals,
        and if they leave as many as ``expected``, all conditions would leave no fewer than a proof needs.
        """

        k, h, degree = self.variables, self.dimensions[-1], len(self.dimensions)
        now = sum(d == degree for d, _ in self._equations)
        before = self.contractions[-1].shape[2] * k * (k - 1) // 2 if self.contractions else 0
        self._budget.rank("the sections", 1 + now + before, k * h)
        self._budget.step("the sections", 0, 16.0 * math.comb(k + degree - 1, degree) * h)
        rows = [np.zeros((1, k, h), dtype=np.int64)]
        if self.contractions:
            last = self.contractions[-1]
            for i, j in itertools.combinations(range(k), 2):
                commuting = np.zeros((last.shape[2], k, h), dtype=np.int64)
                commuting[:, i], commuting[:, j] = last[j].T, -last[i].T
                rows.append(commuting)
        number = {e: n for n, e in enumerate(self._monomials)}
        rows.append(self._conditions([form for d, form in self._equations if d == degree], number))
        matrix = np.concatenate(rows).reshape(-1, k * h) % self.p
        height = max(0, k * h - expected) + 40
        if len(matrix) > 2 * height:
            basis, nullity = self._nullspace(self._mixed(matrix, height))
        if len(matrix) <= 2 * height or nullity != expected:
            basis, nullity = self._nullspace(matrix)
        self.contractions.append(basis.T.reshape(nullity, k, h).transpose(1, 0, 2).copy())
        self.dimensions.append(nullity)
        self._extend(degree, number)

    def _conditions(self, forms: Sequence[dict[Monomial, int]], number: dict[Monomial, int]) -> np.ndarray:
        """What makes families of functionals vanish on forms: the first variable of each monomial is contracted."""
        k, h = self.variables, self.dimensions[-1]
        rows = np.zeros((len(forms), k, h), dtype=np.int64)
        by_head: dict[int, list[Monomial]] = defaultdict(list)
        for e in set[Monomial]().union(*forms):
            by_head[next(i for i in range(k) if e[i])].append(e)
        for head, monomials in by_head.items():
            tails = [number[(*e[:head], e[head] - 1, *e[head + 1 :])] for e in monomials]
            table = np.array([[form.get(e, 0) for e in monomials] for form in forms], dtype=np.int64)
            rows[:, head] = dot(table, self._values[:, tails].T, self.p)
        return rows

    def _nullspace(self, matrix: np.ndarray) -> tuple[np.ndarray, int]:
        """A basis as columns, and how many there are."""
        import flint

        table = flint.fmpz_mat(matrix.shape[0], matrix.shape[1], matrix.ravel().tolist())
        basis, nullity = flint.nmod_mat(table, self.p).nullspace()
        columns = [[int(basis[i, j]) for j in range(nullity)] for i in range(matrix.shape[1])]
        return np.array(columns, dtype=np.int64).reshape(matrix.shape[1], nullity), int(nullity)

    def _mixed(self, matrix: np.ndarray, height: int) -> np.ndarray:
        draw = np.random.default_rng(len(matrix))
        mixed = np.zeros((height, matrix.shape[1]), dtype=np.int64)
        for _ in range(3):
            for first in range(0, len(matrix), height):  # the rows of a part go to different places
                part = matrix[first : first + height]
                places, factors = draw.permutation(height)[: len(part)], draw.integers(0, self.p, (len(part), 1))
                mixed[places] += factors * part  # below 2^48, fewer than 2^12 of them
        return mixed % self.p

    def _extend(self, degree: int, number: dict[Monomial, int]) -> None:
        """Values of the new functionals on monomials: those of a contraction on the rest of the monomial."""
        words = itertools.combinations_with_replacement(range(self.variables), degree)
        monomials = [tuple(word.count(i) for i in range(self.variables)) for word in words]
        values = np.zeros((self.dimensions[-1], len(monomials)), dtype=np.int64)
        products = [c @ self._values % self.p for c in self.contractions[-1]]  # sums of 2000 products below 2^48
        for n, e in enumerate(monomials):
            head = next(i for i in range(self.variables) if e[i])
            values[:, n] = products[head][:, number[(*e[:head], e[head] - 1, *e[head + 1 :])]]
        self._monomials, self._values = monomials, values

    def factor_degrees(self, h: Sequence[int], length: int) -> list[int] | None:
        """Degrees of the irreducible factors of the multiplication by a quotient of two variables, if all differ.

        None if the dimensions do not reach ``length`` in the last degree of ``h`` and stay there, the contraction by
        the last variable is not invertible, or there are multiple factors.
        """
        import flint

        sums = [*itertools.accumulate(h)]
        if length > MOST_DIMENSIONS or self.up_to([*sums, length]) != [*sums, length]:
            return None
        last = self.contractions[len(h) - 1]
        self._budget.rank("the sections", 4 * length, length)
        u, w = (flint.nmod_mat(length, length, last[i].ravel().tolist(), self.p) for i in (-1, 0))
        if u.rank() < length:
            return None
        factors = u.solve(w).charpoly().factor()[1]
        if any(times > 1 for _, times in factors):
            return None
        return [int(f.degree()) for f, _ in factors]
