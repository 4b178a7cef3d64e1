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
from collections.abc import Iterator, Sequence

import numpy as np

from polygeom.dimensions.proofs.jacobians import independent_rows, is_odd_prime, nullspace, product
from polygeom.dimensions.proofs.limits import Budget
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


class Families:
    """Families of functionals, one for each variable, that may be the contractions of one functional.

    Such families commute: the contraction of one member by the variable of another is that of the other by its own.
    Where every functional is a contraction by the last variable, the last member leaves to each of the others the
    kernel of that contraction, and the families commute as far as the last variable goes. Otherwise all are possible.
    They have ``size`` coordinates: those of the last member, if it leads, then those in the kernel of the others.

    Parameters
    ----------
    contractions:
        Of the functionals, ``(variables, functionals, functionals of a degree less)``.
    lower:
        Places at which functionals of a degree less are determined if their contraction by the last variable is zero.
    p:
        The prime.
    budget:
        Asked before large steps.
    """

    def __init__(self, contractions: np.ndarray, lower: np.ndarray, p: int, budget: Budget) -> None:
        import flint

        k, h, below = contractions.shape
        self._p, self._contractions, self._lower, self._budget = p, contractions, lower, budget
        budget.rank("the sections", h, below)
        budget.step("the sections", 0.2 * k * h * below**2, 40.0 * k * h * (h + below))
        pivots, self.free, factors = independent_rows(contractions[-1], p)
        if len(pivots) < below:
            self._own, self._kernel, self._lower = k, np.eye(h, dtype=np.int64), np.arange(below)
            self._follows = np.zeros((k, 0, h), dtype=np.int64)
        else:
            table = flint.fmpz_mat(below, below, contractions[-1][pivots].ravel().tolist())
            inverse = np.array([int(x) for x in flint.nmod_mat(table, p).inv().entries()], dtype=np.int64)
            self._follows = np.zeros((k, h, h), dtype=np.int64)
            self._follows[:, :, pivots] = product(contractions, inverse.reshape(below, below), p)
            self._follows[-1] = np.eye(h, dtype=np.int64)
            self._own, self._kernel = k - 1, np.zeros((h - below, h), dtype=np.int64)
            self._kernel[:, pivots] = -factors % p
            self._kernel[np.arange(h - below), self.free] = 1
        self._lead = self._follows.shape[1]
        self.size = self._lead + self._own * len(self._kernel)

    def commuting(self, given: int) -> Iterator[np.ndarray]:
        """Conditions that the members of two variables commute, for all pairs; there are ``given`` others."""
        k = len(self._contractions)
        self._ask(k * (k - 1) // 2, self._contractions.shape[2], given)
        for x, y in itertools.combinations(np.eye(k, dtype=np.int64), 2):
            yield self._commute(x, y, self._contractions)

    def some_commuting(self, enough: int, given: int) -> Iterator[np.ndarray]:
        """Linear combinations of these conditions, with the given ones ``enough``: linear forms in place of variables.

        What the forms fail to commute by is in the kernel of the last contraction, if that of a degree less led.
        """
        k, each = len(self._contractions), len(self._lower)
        pairs = -(-(enough - given) // each) if each and enough > given else 0
        self._ask(pairs, each, given)
        draw = np.random.default_rng([k, self.size])
        for x, y in draw.integers(0, self._p, (pairs, 2, k)):
            yield self._commute(x, y, self._contractions[:, :, self._lower])

    def _ask(self, pairs: int, each: int, given: int) -> None:
        k, h = self._contractions.shape[:2]
        self._budget.rank("the sections", 1 + given + pairs * each, self.size)
        self._budget.step("the sections", 2.0 * pairs * k * h * (h + each))

    def _commute(self, x: np.ndarray, y: np.ndarray, contractions: np.ndarray) -> np.ndarray:
        """The condition on the coordinates of a family for two linear forms."""
        p = self._p
        by_x, by_y = (np.tensordot(z, contractions, 1) % p for z in (x, y))  # at most 1000 of 2^48
        lead_x, lead_y = (np.tensordot(z, self._follows, 1) % p for z in (x, y))
        lead = product(lead_y, by_x, p) - product(lead_x, by_y, p)
        own_x, own_y = (product(self._kernel, by, p).T for by in (by_x, by_y))
        own = (y[: self._own, None, None] * own_x - x[: self._own, None, None] * own_y) % p
        return np.hstack([lead.T % p, own.transpose(1, 0, 2).reshape(len(lead.T), -1)])

    def conditions(self, rows: np.ndarray) -> np.ndarray:
        """Conditions ``(conditions, variables, functionals)`` on the members, in the coordinates of families."""
        lead = np.zeros((len(rows), self._lead), dtype=np.int64)
        for row, follows in zip(rows.transpose(1, 0, 2), self._follows, strict=True):
            lead += product(row, follows.T, self._p)
        own = [product(rows[:, i], self._kernel.T, self._p) for i in range(self._own)]
        return np.hstack([lead % self._p, *own])

    def members(self, basis: np.ndarray) -> np.ndarray:
        """Members ``(variables, columns, functionals)`` of the families whose coordinates are columns."""
        lead = basis[: self._lead].T
        out = np.array([product(lead, follows, self._p) for follows in self._follows])
        for i, part in enumerate(basis[self._lead :].reshape(self._own, len(self._kernel), basis.shape[1])):
            out[i] += product(part.T, self._kernel, self._p)
        return out % self._p


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
        self._values, self.contractions, self._free = (np.ones(0, dtype=np.int64) for _ in range(3))
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
        return product(table, values, self.p)

    def up_to(self, expected: Sequence[int]) -> list[int]:
        """Dimensions of the quotient ring from degree 0 on, as long as they are as expected, and the first other."""
        while len(self.dimensions) < len(expected) and self.dimensions == list(expected[: len(self.dimensions)]):
            self._advance(expected[len(self.dimensions)])
        return self.dimensions

    def _advance(self, expected: int) -> None:
        """Go up one degree: all functionals below the equations of least degree, those that vanish on these, families.

        Some linear combinations of the conditions on families are tried first; they can only leave more functionals,
        and if they leave as many as ``expected``, all conditions would leave no fewer than a proof needs.
        """
        k, degree = self.variables, len(self.dimensions)
        least = min(self._equations, default=degree + 1)
        if degree < least:
            self.dimensions.append(math.comb(k + degree - 1, degree))
            return
        forms = self._equations.get(degree, np.zeros((0, 0), dtype=np.int64))
        if degree == least:
            self._begin(forms, expected)
            return
        families = Families(self.contractions, self._free, self.p, self._budget)
        self._budget.step("the sections", 0, 16.0 * math.comb(k + degree - 1, degree) * self.dimensions[-1])
        rows = [families.conditions(self._conditions(forms))] if len(forms) else []
        rows.append(np.zeros((1, families.size), dtype=np.int64))
        height = max(0, families.size - expected) + 40
        some = np.concatenate([*rows, *families.some_commuting(height, len(forms))])
        basis = nullspace(some if len(some) <= 2 * height else self._mixed(some, height), self.p)
        if basis.shape[1] != expected:
            basis = nullspace(np.concatenate([*rows, *families.commuting(len(forms))]), self.p)
        self.dimensions.append(basis.shape[1])
        if basis.shape[1] == expected:
            self.contractions, self._free = families.members(basis), families.free
            if degree < max(self._equations):
                self._extend(degree)

    def _begin(self, forms: np.ndarray, expected: int) -> None:
        """The functionals on the monomials of the least degree that vanish on the equations of this degree."""
        degree, monomials = len(self.dimensions), forms.shape[1]
        self.dimensions.append(monomials - len(forms))  # or more
        if self.dimensions[-1] > expected:
            return
        self._budget.rank("the sections", len(forms), monomials)
        values = nullspace(forms, self.p).T
        self.dimensions[-1] = len(values)
        if len(values) == expected:
            shift = self._shift(degree - 1)
            self._budget.step("the sections", 0, 16.0 * shift.size * expected)
            self._values, self.contractions = values, values[:, shift].transpose(1, 0, 2)
            self._free = np.setdiff1d(np.arange(shift.shape[1]), self._shift(degree - 2)[-1])

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
            rows[:, i] = product(forms[:, self._shift(degree - 1)[i, tails]], self._values[:, tails].T, self.p)
        return rows

    def _mixed(self, matrix: np.ndarray, height: int) -> np.ndarray:
        draw = np.random.default_rng(len(matrix))
        mixed = np.zeros((height, matrix.shape[1]), dtype=np.int64)
        for _ in range(3):
            for first in range(0, len(matrix), height):  # the rows of a part go to different places
                part = matrix[first : first + height]
                places, factors = draw.permutation(height)[: len(part)], draw.integers(0, self.p, (len(part), 1))
                mixed[places] = (mixed[places] + factors * part) % self.p
        return mixed

    def _extend(self, degree: int) -> None:
        """Values of the new functionals on monomials: those of a contraction on the rest of the monomial."""
        values = np.zeros((self.dimensions[-1], self._shift(degree - 1).max() + 1), dtype=np.int64)
        for i in reversed(range(self.variables)):  # the contraction by the first variable counts, as in conditions
            values[:, self._shift(degree - 1)[i]] = self.contractions[i] @ self._values % self.p  # 2000 of 2^48
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
        self._budget.rank("the sections", 4 * length, length)
        u, w = (flint.nmod_mat(length, length, self.contractions[i].ravel().tolist(), self.p) for i in (-1, 0))
        if u.rank() < length:
            return None
        factors = u.solve(w).charpoly().factor()[1]
        if any(times > 1 for _, times in factors):
            return None
        return [int(f.degree()) for f, _ in factors]
