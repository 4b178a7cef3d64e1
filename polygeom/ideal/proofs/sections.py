"""Sections of equations by linear subspaces, re-checked by inverse systems and FLINT.

The functionals on forms of degree e that vanish on the ideal of some equations are those whose contractions by every
variable vanish on the ideal in degree e - 1 and that vanish on the equations of degree e; a family of functionals of
degree e - 1 comes from contractions if it commutes (Macaulay's inverse systems). Their number is the dimension of the
quotient ring, and contractions are the transposes of the multiplications by variables.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from polygeom.ideal.proofs.claims import Claim, Listed, Monomial

MOST_DIMENSIONS = 2000
"""Largest number of functionals of one degree."""


class InverseSystem:
    """The functionals that vanish on equations restricted to a linear subspace mod p.

    Parameters
    ----------
    equations:
        With all their copies under permutations.
    subspace:
        The coordinates as linear forms in new variables: one row for each variable.
    claim:
        The certificate.
    """

    def __init__(self, equations: Sequence[Listed], subspace: Sequence[Sequence[int]], claim: Claim) -> None:
        import flint

        self.p, self.variables = claim.prime, len(subspace)
        names = [f"y{i}" for i in range(self.variables)]
        self._ring = flint.nmod_mpoly_ctx.get(names, modulus=self.p, ordering=flint.Ordering.degrevlex)
        generators, kept = self._ring.gens(), set(claim.kept)
        zero = self._ring.constant(0)
        self._forms = [
            sum((row[k] * y for row, y in zip(subspace, generators, strict=True)), zero) if k in kept else zero
            for k in range(len(claim.weights))
        ]
        self._equations = [(e.degree, self._restrict(e)) for e in equations]
        self._monomials: list[Monomial] = [(0,) * self.variables]
        self._values = np.ones((1, 1), dtype=np.int64)
        self.contractions: list[np.ndarray] = []
        self.dimensions = [1]

    def _restrict(self, equation: Listed) -> dict[Monomial, int]:
        groups: dict[Monomial, Any] = defaultdict(lambda: self._ring.constant(0))
        for monomial, c in equation.terms:
            groups[monomial] += c % self.p
        for _ in range(equation.degree):
            shorter: dict[Monomial, Any] = defaultdict(lambda: self._ring.constant(0))
            for monomial, value in groups.items():
                shorter[monomial[:-1]] += value * self._forms[monomial[-1]]
            groups = shorter
        return {tuple(map(int, e)): int(c) for e, c in groups[()].to_dict().items()}

    def up_to(self, degree: int) -> list[int]:
        """Dimensions of the quotient ring from degree 0 on; they stop early where they are zero or too many."""
        while len(self.dimensions) <= degree and 0 < self.dimensions[-1] <= MOST_DIMENSIONS:
            self._advance()
        return self.dimensions

    def _advance(self) -> None:
        """Go up one degree: families of functionals that commute and vanish on the equations."""
        import flint

        k, h, degree = self.variables, self.dimensions[-1], len(self.dimensions)
        rows = [np.zeros((1, k, h), dtype=np.int64)]
        if self.contractions:
            last = self.contractions[-1]
            for i, j in itertools.combinations(range(k), 2):
                commuting = np.zeros((last.shape[2], k, h), dtype=np.int64)
                commuting[:, i], commuting[:, j] = last[j].T, -last[i].T
                rows.append(commuting)
        number = {e: n for n, e in enumerate(self._monomials)}
        for d, form in self._equations:
            if d == degree:
                row = np.zeros((1, k, h), dtype=np.int64)
                for e, c in form.items():
                    head = next(i for i in range(k) if e[i])
                    tail = (*e[:head], e[head] - 1, *e[head + 1 :])
                    row[0, head] = (row[0, head] + c * self._values[:, number[tail]]) % self.p
                rows.append(row)
        matrix = np.concatenate(rows).reshape(-1, k * h) % self.p
        basis, nullity = flint.nmod_mat(*matrix.shape, matrix.ravel().tolist(), self.p).nullspace()
        table = np.array([int(x) for x in basis.entries()], dtype=np.int64).reshape(k * h, -1)[:, :nullity]
        self.contractions.append(table.T.reshape(nullity, k, h).transpose(1, 0, 2).copy())
        self.dimensions.append(nullity)
        self._extend(degree, number)

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

    def factor_degrees(self, degree: int, length: int) -> list[int] | None:
        """Degrees of the irreducible factors of the multiplication by a quotient of two variables, if all differ.

        None if the contractions from ``degree`` to the degree below are not square of size ``length``, the one by the
        last variable is not invertible, or there are multiple factors.
        """
        import flint

        if self.up_to(degree)[degree - 1 :] != [length, length]:
            return None
        last = self.contractions[-1]
        u, w = (flint.nmod_mat(length, length, last[i].ravel().tolist(), self.p) for i in (-1, 0))
        if u.rank() < length:
            return None
        factors = u.solve(w).charpoly().factor()[1]
        if any(times > 1 for _, times in factors):
            return None
        return [int(f.degree()) for f, _ in factors]
