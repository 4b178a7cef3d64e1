"""Check a certificate of equations by a path of its own: sympy for the coefficients, FLINT for ranks and polynomials.

Nothing of the search is used: not its evaluation, its linear algebra, its lists of monomials, its substitutions or its
sections. Shared are reading the network and the definition of its layers, which `polygeom.engines.symbolic` expands.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from polygeom.dimension.proofs.verification import Verification
from polygeom.dimension.proofs.verification import verify as verify_dimension
from polygeom.errors import BudgetError, PolygeomError
from polygeom.ideal.proofs.certificate import FORMAT, KIND
from polygeom.ideal.proofs.claims import Claim, Coefficients, Space, check_sections, orbit

MOST_MONOMIALS = 3000
"""Largest weight space that is checked unless the caller allows more: some ten seconds."""


def verify(certificate: Mapping[str, Any], *, most_monomials: int = MOST_MONOMIALS) -> Verification:
    """Check every claim of a certificate made by `polygeom.ideal.proofs.certificate.certify`.

    Parameters
    ----------
    certificate:
        The JSON object.
    most_monomials:
        Largest dimension of a weight space whose ranks are computed; a claim that needs a larger one is not valid.

    Raises
    ------
    PolygeomError
        If it is not a well-formed certificate of a known format. A well-formed false one gives ``valid=False``.
    BudgetError
        If the coefficients of the network are too large to be written out.

    Examples
    --------
    >>> from polygeom.ideal.proofs.certificate import certify
    >>> verify(certify("[2,2,1] r=4")).valid
    True
    """
    if certificate.get("kind") != KIND or certificate.get("format") != FORMAT:
        raise PolygeomError(
            f"certificate: kind and format must be {KIND!r} and {FORMAT}, got {certificate.get('kind')!r} and "
            f"{certificate.get('format')!r}; a newer format needs a newer polygeom"
        )
    try:
        claim = Claim.read(certificate)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        if isinstance(error, PolygeomError):
            raise
        raise PolygeomError(f"certificate: a field is missing or malformed ({error!r:.80}); write it again") from None
    dimension = verify_dimension(claim.dimension)
    checker = _Checker(claim, most_monomials)
    outcomes = [
        (dimension.valid and claim.dimension["network"] == claim.network.text, "certificate of the dimension"),
        *((step(), text) for step, text in checker.steps()),
    ]
    return Verification(
        all(ok for ok, _ in outcomes), tuple(f"{'ok' if ok else 'FALSE'}: {text}" for ok, text in outcomes)
    )


class _Checker:
    """The checks of one certificate, each a function that says whether a claim holds."""

    def __init__(self, claim: Claim, most_monomials: int) -> None:
        self.claim, self.most = claim, most_monomials
        self.coefficients = Coefficients(claim)
        self.cone_dimension = int(claim.dimension["claim"]["lower"]) + (not claim.cone)

    def steps(self) -> list[tuple[Callable[[], bool], str]]:
        claim = self.claim
        steps: list[tuple[Callable[[], bool], str]] = [
            (self.coefficients.graded, f"{len(claim.weights[0])} scalings act with the weights listed"),
            (self.coefficients.exchanged, f"{len(claim.exchanges)} exchanges of outputs or inputs act"),
            (self._kept, f"linear equations express {len(claim.weights) - len(claim.kept)} coordinates by the others"),
            (self._vanish, f"{len(claim.equations)} equations vanish on the neurovariety, by substitution"),
        ]
        steps += [
            (lambda d=d: self._degree(d), f"degree {d}: every equation comes from those listed")  # type: ignore[misc]
            for d in sorted(claim.degrees)
        ]
        steps.append((self._summary, "numbers of generators and Hilbert function follow"))
        if claim.completeness is not None:
            steps.append((self._complete, f"complete in all degrees, by the argument {claim.completeness!r}"))
        return steps

    def _kept(self) -> bool:
        """The linear equations, with their copies, are independent on the coordinates that are not kept."""
        import flint

        others = [k for k in range(len(self.claim.weights)) if k not in self.claim.kept]
        if not others:
            return all(e.degree > 1 for e in self.claim.equations)
        rows = [
            [dict(e.terms).get((k,), 0) for k in others]
            for equation in self.claim.equations
            if equation.degree == 1
            for e in orbit(equation, self.claim)
        ]
        return bool(rows) and flint.fmpz_mat(rows).rank() == len(others)

    def _vanish(self) -> bool:
        return all(self.coefficients.vanishes(equation) for equation in self.claim.equations)

    def _degree(self, degree: int) -> bool:
        """In every weight the ranks of values and of multiples of the equations add up to the number of monomials."""
        claim = self.claim
        spaces = claim.degrees[degree]
        variables = list(range(len(claim.weights))) if degree == 1 else claim.kept
        lists = _monomials_by_weight(degree, variables, claim)
        if claim.restricted and degree > 1:
            lists = {w: m for w, m in lists.items() if claim.constant_on_blocks(w)}
            if len(claim.kept) - self.cone_dimension != 1:
                return False
        if {w: len(m) for w, m in lists.items()} != {w: n for w, (n, _) in spaces.items()}:
            return False
        for weight, monomials in lists.items():
            if len(monomials) > self.most:
                raise BudgetError(
                    f"certificate: weight {weight} in degree {degree} has {len(monomials)} monomials, more than "
                    f"{self.most}; raise most_monomials="
                )
            space = Space(degree, weight, monomials, claim)
            rank = spaces[weight][1]
            if space.value_rank(self.coefficients, rank) < rank or space.equation_rank() < len(monomials) - rank:
                return False
        return True

    def _summary(self) -> bool:
        claim = self.claim
        counts: Counter[int] = Counter()
        for e in claim.equations:
            counts[e.degree] += claim.orbit_size(e.weight)
        hilbert = [1]
        for degree, spaces in sorted(claim.degrees.items()):
            n = len(claim.weights) if degree == 1 else len(claim.kept)
            missing = sum(claim.orbit_size(w) * (size - rank) for w, (size, rank) in spaces.items())
            hilbert.append(math.comb(n + degree - 1, degree) - missing)
        degrees = list(range(1, claim.complete_to + 1))
        return dict(counts) == claim.counts and hilbert == claim.hilbert_function and sorted(claim.degrees) == degrees

    def _complete(self) -> bool:
        claim = self.claim
        codimension = len(claim.kept) - self.cone_dimension
        proper = [e for e in claim.equations if e.degree > 1]
        if claim.completeness == "filling":
            return codimension == 0 and not proper and (claim.degree, claim.h_vector) == (1, [1])
        if claim.completeness == "hypersurface":
            least = min((e.degree for e in proper), default=0)
            return (
                codimension == 1
                and len(proper) == 1
                and claim.orbit_size(proper[0].weight) == 1
                and (claim.degree, claim.h_vector) == (least, [1] * least)
            )
        return claim.completeness == "section" and check_sections(claim, proper, codimension)


def _monomials_by_weight(
    degree: int, variables: Sequence[int], claim: Claim
) -> dict[tuple[int, ...], list[tuple[int, ...]]]:
    """All monomials of a degree by their weights, as far as these are dominant."""
    width = len(claim.weights[0])
    layers: list[dict[tuple[int, ...], list[tuple[int, ...]]]] = [{} for _ in range(degree + 1)]
    layers[0][(0,) * width] = [()]
    for k in variables:
        step = claim.weights[k]
        for d in range(1, degree + 1):  # upwards, so that a coordinate may be used again
            for weight, monomials in list(layers[d - 1].items()):
                if monomials:
                    moved = tuple(a + b for a, b in zip(weight, step, strict=True))
                    fresh = [(*m, k) for m in monomials]
                    known = layers[d].setdefault(moved, [])
                    known += fresh
    return {w: m for w, m in layers[degree].items() if claim.is_dominant(w)}
