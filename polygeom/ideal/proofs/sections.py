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

import numpy as np

from polygeom.dimensions.proofs.jacobians import dot, is_odd_prime, nullspace
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
        self.p, self.variables, self._budget, kept = prime, len(subspace), claim.budget, set(claim.kept)
        self._forms = np.array(subspace, dtype=np.int64).T
        self._shifts: list[np.ndarray] = []
        by_degree: dict[int, list[Terms]] = defaultdict(list)
        for d, terms in equations:
            if all(k in kept for m, _ in terms for k in m):
                by_degree[d].append(terms)
        self._equations = {d: self._restrict(d, several) for d, several in by_degree.items()}
        self._values = np.ones((1, 1), dtype=np.int64)
        self.contractions: list[np.ndarray] = []
        self.dimensions = [1]

    def _shift(self, degree: int) -> np.ndarray:
        """Numbers ``(variables, monomials)`` of the products of variables with the monomials of a degree."""
        while len(self._shifts) <= degree:
            words = itertools.combinations_with_replacement(range(self.variables), len(self._shifts) + 1)
            number = {word: n for n, word in enumerate(words)}
            fewer = list(itertools.combinations_with_replacement(range(self.variables), len(self._shifts)))
            places = [[number[tuple(sorted((*word, i)))] for word in fewer] for i in range(self.variables)]
            self._shifts.append(np.array(places, dtype=np.int64))
        return self._shifts[degree]

    def _restrict(self, degree: int, equations: Sequence[Terms]) -> np.ndarray:
        """Coefficients ``(equations, monomials of the degree)`` of equations in which linear forms are put."""
        k, size = self.variables, 0
        columns = {m: n for n, m in enumerate(dict.fromkeys(m for terms in equations for m, _ in terms))}
        starts: dict[Monomial, int] = {(): 0}
        values = np.ones((1, 1), dtype=np.int64)
        for length in range(1, degree + 1):
            words = list(dict.fromkeys(m[:length] for m in columns))
            size = math.comb(k + length - 1, length)
            self._budget.step("the sections", 10.0 * k * len(words) * size, 32.0 * len(words) * size)
            before = values[[starts[word[:-1]] for word in words]]
            forms, shift = self._forms[[word[-1] for word in words]], self._shift(length - 1)
            values = np.zeros((len(words), size), dtype=np.int64)
            for i in range(k):
                values[:, shift[i]] += forms[:, i, None] * before % self.p
            values %= self.p
            starts = {word: n for n, word in enumerate(words)}
        table = np.zeros((len(equations), len(columns)), dtype=np.int64)
        for n, terms in enumerate(equations):
            for m, c in terms:
                table[n, columns[m]] = c % self.p
        self._budget.step("the sections", 10.0 * table.size * size, 16.0 * len(table) * size)
        return dot(table, values, self.p)

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
        forms = self._equations.get(degree)
        now = 0 if forms is None else len(forms)
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
        if forms is not None:
            rows.append(self._conditions(forms))
        matrix = np.concatenate(rows).reshape(-1, k * h) % self.p
        height = max(0, k * h - expected) + 40
        if len(matrix) > 2 * height:
            basis = nullspace(self._mixed(matrix, height), self.p)
        if len(matrix) <= 2 * height or basis.shape[1] != expected:
            basis = nullspace(matrix, self.p)
        self.contractions.append(basis.T.reshape(-1, k, h).transpose(1, 0, 2).copy())
        self.dimensions.append(basis.shape[1])
        self._extend(degree)

    def _heads(self, degree: int) -> list[np.ndarray]:
        """For each variable the monomials of a degree in which it is the first; without it, those one degree lower."""
        words = itertools.combinations_with_replacement(range(self.variables), degree)
        first = np.array([word[0] for word in words])
        return [np.flatnonzero(first == i) for i in range(self.variables)]

    def _conditions(self, forms: np.ndarray) -> np.ndarray:
        """What makes families of functionals vanish on forms: the first variable of each monomial is contracted."""
        degree = len(self.dimensions)
        rows = np.zeros((len(forms), self.variables, self.dimensions[-1]), dtype=np.int64)
        for i, chosen in enumerate(self._heads(degree)):
            tails = np.flatnonzero(np.isin(self._shift(degree - 1)[i], chosen))
            rows[:, i] = dot(forms[:, self._shift(degree - 1)[i, tails]], self._values[:, tails].T, self.p)
        return rows

    def _mixed(self, matrix: np.ndarray, height: int) -> np.ndarray:
        draw = np.random.default_rng(len(matrix))
        mixed = np.zeros((height, matrix.shape[1]), dtype=np.int64)
        for _ in range(3):
            for first in range(0, len(matrix), height):  # the rows of a part go to different places
                part = matrix[first : first + height]
                places, factors = draw.permutation(height)[: len(part)], draw.integers(0, self.p, (len(part), 1))
                mixed[places] += factors * part  # below 2^48, fewer than 2^12 of them
        return mixed % self.p

    def _extend(self, degree: int) -> None:
        """Values of the new functionals on monomials: those of a contraction on the rest of the monomial."""
        values = np.zeros((self.dimensions[-1], self._shift(degree - 1).max() + 1), dtype=np.int64)
        for i in reversed(range(self.variables)):  # the contraction by the first variable counts, as in conditions
            values[:, self._shift(degree - 1)[i]] = self.contractions[-1][i] @ self._values % self.p  # 2000 of 2^48
        self._values = values

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
