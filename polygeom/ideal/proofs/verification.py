"""Check the certificate of an ideal by a path of its own: FLINT for the coefficients, for ranks and polynomials.

Nothing of the search is used: not its reading of networks, its evaluation, its linear algebra, its lists of monomials,
its substitutions or its sections. The steps, each with what it rests on, are in ``docs/certificates.md``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from polygeom.dimensions.proofs.decoding import decode
from polygeom.dimensions.proofs.jacobians import rank
from polygeom.dimensions.proofs.limits import MEMORY, SECONDS, Budget
from polygeom.dimensions.proofs.outcome import Line, Verification, run
from polygeom.dimensions.proofs.verification import check as check_dimension
from polygeom.ideal.proofs.claims import Claim, Filling, Hypersurface, IdealCertificate
from polygeom.ideal.proofs.coefficients import PRIME, Coefficients
from polygeom.ideal.proofs.sections import sections_hold
from polygeom.ideal.proofs.spaces import Monomials, Space


def verify(certificate: Mapping[str, Any], *, timeout: float = SECONDS, memory: int = MEMORY) -> Verification:
    """Check every claim of a certificate made by `polygeom.ideal.proofs.certificate.certify`.

    Parameters
    ----------
    certificate:
        Plain data, as read from JSON.
    timeout, memory:
        Seconds and bytes that the check may use.

    Raises
    ------
    CertificateError
        If it is not a certificate of an ideal. A certificate that is false gives ``valid=False``.
    BudgetError
        If the check does not fit into the limits.

    Examples
    --------
    >>> from polygeom.ideal.proofs.certificate import certify
    >>> verify(certify("[2,2,1] r=4")).valid
    True
    """
    return check(decode(certificate, IdealCertificate), Budget(timeout, memory))


def check(certificate: IdealCertificate, budget: Budget) -> Verification:
    """Check a decoded certificate."""
    checker = _Checker(Claim(certificate, budget), budget)
    return run(checker.statement(), checker.steps(), certificate.network, certificate.version)


class _Checker:
    """The checks of one certificate, each a function that says whether a claim holds, in an order that they rest on."""

    def __init__(self, claim: Claim, budget: Budget) -> None:
        self.claim, self.budget = claim, budget
        self._monomials = {True: Monomials(claim, [*range(claim.size)]), False: Monomials(claim, claim.kept)}

    @property
    def coefficients(self) -> Coefficients:
        """The coordinates as polynomials, expanded when they are first needed."""
        if not hasattr(self, "_coefficients"):
            self._coefficients = Coefficients(self.claim)
        return self._coefficients

    def statement(self) -> str:
        """The claim as a sentence."""
        claims = self.claim.data.claim
        counts = ", ".join(f"{n} of degree {d}" for d, n in claims.counts.items()) or "none"
        end = f"up to degree {claims.complete_to}"
        if claims.completeness is not None:
            end = f"in all degrees, and the degree is {claims.degree}"
        return f"minimal generators of the ideal of {self.claim.data.network}: {counts}; they are all {end}"

    def steps(self) -> list[Line]:
        claim = self.claim
        steps: list[tuple[Callable[[], bool], str]] = [
            (self._summary, "numbers of generators, Hilbert function and argument fit to the lists"),
            (self._dimension, "the dimension is certified for the same network"),
            (lambda: self.coefficients.graded(), f"{len(claim.weights[0])} scalings act with the weights listed"),
            (lambda: self.coefficients.exchanged(), f"{len(claim.data.grading.exchanges)} exchanges act"),
            (self._kept, f"linear equations express {claim.size - len(claim.kept)} coordinates by the others"),
            (self._vanish, f"{len(claim.equations)} equations vanish on the neurovariety, by substitution"),
        ]
        steps += [
            (lambda d=d: self._degree(d), f"degree {d}: every equation comes from those listed, none of which is spare")  # type: ignore[misc]
            for d in claim.spaces
        ]
        if claim.data.completeness is not None:
            steps.append((self._complete, f"complete in all degrees, by the argument {claim.data.claim.completeness}"))
        return steps

    def _dimension(self) -> bool:
        dimension = self.claim.data.dimension
        return dimension.network == self.claim.data.network and check_dimension(dimension, self.budget).valid

    def _kept(self) -> bool:
        """The linear equations, with their copies, are as many as the coordinates that are not kept, and express these.

        So there is none among those that are kept, and the ring of these is where later degrees live. Exchanges permute
        those that are kept, so copies of equations stay among them.
        """
        claim, kept = self.claim, set(self.claim.kept)
        if any(move[k] not in kept for move in claim.exchanges() for k in kept):
            return False
        weights = Counter(claim.weights[k] for k in claim.kept)
        orbits = {w: claim.dominant(w) for w in weights}
        if any(weights[w] != weights[orbits[w]] for w in weights):
            return False
        met = Counter(orbits.values())
        if any(met[w] != claim.orbit_size(w) for w in met):
            return False
        others = {k: n for n, k in enumerate(k for k in range(claim.size) if k not in kept)}
        if not others:
            return all(e.degree > 1 for e in claim.equations)
        rows = []
        for equation in claim.equations:
            if equation.degree == 1:
                for _, move in claim.copies(equation):
                    row = np.zeros(len(others), dtype=np.int64)
                    for (k,), c in equation.terms:
                        if move[k] in others:
                            row[others[move[k]]] = c % PRIME
                    rows.append(row)
                    self.budget.step("the linear equations", 10.0 * len(others), 16.0 * len(rows) * len(others))
        self.budget.rank("the linear equations", len(rows), len(others))
        return len(rows) == len(others) and rank(np.array(rows), PRIME) == len(others)

    def _vanish(self) -> bool:
        return all(self.coefficients.vanishes(equation) for equation in self.claim.equations)

    def _degree(self, degree: int) -> bool:
        """In every weight the ranks of values and of multiples of the equations add up to the number of monomials."""
        claim = self.claim
        spaces, monomials = claim.spaces[degree], self._monomials[degree == 1]
        weights = monomials.dominant_weights(degree)
        if claim.data.restricted and degree > 1:
            weights = {w for w in weights if claim.constant_on_blocks(w)}
        if weights != spaces.keys():
            return False
        for weight, (size, values) in spaces.items():
            space = Space(degree, weight, monomials, claim)
            if len(space.monomials) != size:
                return False
            if space.value_rank(self.coefficients, values) < values:
                return False
            if not space.generated(size - values) or not space.minimal(size - values):
                return False
        return True

    def _summary(self) -> bool:
        claim, claims = self.claim, self.claim.data.claim
        counts: Counter[int] = Counter()
        for e in claim.equations:
            counts[e.degree] += claim.orbit_size(e.weight)
        hilbert = [1]
        for degree, spaces in claim.spaces.items():
            n = claim.size if degree == 1 else len(claim.kept)
            missing = sum(claim.orbit_size(w) * (size - values) for w, (size, values) in spaces.items())
            hilbert.append(math.comb(n + degree - 1, degree) - missing)
        argument = claim.data.completeness
        names = {Filling: "filling", Hypersurface: "hypersurface", type(None): None}
        answers = {claims.degree is None, claims.h_vector is None, argument is None}
        return (
            {str(d): n for d, n in sorted(counts.items())} == claims.counts
            and list(claims.counts) == [str(d) for d in sorted(counts)]
            and max(counts, default=0) <= claims.complete_to
            and hilbert == claims.hilbert_function
            and claims.completeness == names.get(type(argument), "section")
            and len(answers) == 1
            and (not claim.data.restricted or self._may_be_restricted())
        )

    def _may_be_restricted(self) -> bool:
        """Whether weights that exchanges move need not be looked at.

        In codimension one the equations of least degree are the multiples of one, of which exchanges make multiples:
        its weight is fixed. Nothing follows for the degrees after that.
        """
        claim = self.claim
        last = claim.data.claim.complete_to
        return claim.codimension == 1 and all(e.degree == last for e in claim.proper)

    def _complete(self) -> bool:
        claim, claims = self.claim, self.claim.data.claim
        argument = claim.data.completeness
        if isinstance(argument, Filling):
            return claim.codimension == 0 and not claim.proper and (claims.degree, claims.h_vector) == (1, [1])
        if isinstance(argument, Hypersurface):
            if claim.codimension != 1 or len(claim.proper) != 1:
                return False
            (equation,) = claim.proper
            degree = equation.degree
            return claim.orbit_size(equation.weight) == 1 and (claims.degree, claims.h_vector) == (degree, [1] * degree)
        return argument is not None and sections_hold(claim, argument)
