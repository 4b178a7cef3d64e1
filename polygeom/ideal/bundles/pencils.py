"""The bundle of forms in two powers of binary linear forms, its sections, and their values at random points mod p.

The closure of the pencils ``⟨l^r, m^r⟩`` is a bundle E of rank two over the plane of quadrics ``q = l m``: the forms
of degree r that ``q`` annihilates, the kernel of ``W → O(1) ⊗ S^{r-2}``, where W are all forms of degree r. Tuples of
forms of degree R in two such powers make up ``F = (S^R E)^m``. Independent binary forms are algebraically independent
in every characteristic, so F is a bundle of m-tuples of forms of degree rR, and the networks with two hidden neurons
first whose dimension is that of F have its image as neurovariety.

For a prime ``p > rR`` the Koszul resolution of ``S^R E*`` by ``O(-j) ⊗ Λ^j(k^{r-1}) ⊗ S^{R-j} W*`` holds mod p as over
the rationals, so ``H^1(F*) = 0``, and ``H^0(F*)`` consists of linear functions on ``(S^R W)^m``. On the projective
bundle X of lines in F, ``H^i(O(2 - i)) = 0`` for all ``i > 0`` (``i = 2`` is ``H^2`` of ``O`` on the plane, and the
twists -1, -2, … of larger i, up to the rank less one, have no direct images): ``M = ⊕ H^0(X, O(t))`` is 2-regular,
whatever p is, and its Hilbert function is the Euler characteristic of ``S^t F*`` on the plane.

That the vanishing on X makes M 2-regular needs coordinates without a common zero on X, no more: the Koszul complex of
sheaves of the coordinates V is exact, and ``Tor_i(M, k)`` in degree d is the kernel of ``H^1(K(d-i-1)) → H^1(O(d-i-1))
⊗ Λ^{i+1} V``, where K has the resolution ``… → Λ^{i+3} V ⊗ O(-2) → Λ^{i+2} V ⊗ O(-1) → K``; for ``d > i + 2`` all
``H^j(O(d-i-1-j))``, j > 0, are zero. So X may be contracted on the way to the image, as it is along the pencils that
contain one power, and a general element may be in several fibres.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.modular import PrimeField, Residues
from polygeom.network import Network


@dataclass(frozen=True)
class Pencils:
    """The bundle of ``outputs`` forms of degree ``rest`` in two powers of degree ``first`` of binary linear forms.

    Examples
    --------
    >>> bundle = Pencils(3, 3, 1)
    >>> bundle.dimension, [bundle.sections(t) for t in range(5)]
    (6, [1, 20, 160, 680, 2065])
    """

    first: int
    rest: int
    outputs: int

    @property
    def rank(self) -> int:
        """Rank of the bundle F."""
        return self.outputs * (self.rest + 1)

    @property
    def dimension(self) -> int:
        """Dimension of F as a variety, hence of its image if a general element is in finitely many fibres."""
        return 2 + self.rank

    @property
    def coordinates(self) -> list[tuple[int, int]]:
        """Output and exponent of the second variable, for every coordinate of the image."""
        return list(itertools.product(range(self.outputs), range(self.first * self.rest + 1)))

    def sections(self, degree: int) -> int:
        """Dimension of ``H^0(S^t F*)``, by Hirzebruch–Riemann–Roch on the plane: ``rank + 3/2 ch_1 + ch_2``."""
        n, t = self.rank, degree
        if t == 0:
            return 1
        total, product = self.first - 1, math.comb(self.first, 2)  # Chern classes of E*
        squares = total * total - 2 * product
        steps = range(self.rest + 1)
        once = self.outputs * sum(steps) * total  # of the Chern roots of F*: their sum, and the sum of their squares
        twice = self.outputs * (
            sum(i * i for i in steps) * squares + 2 * sum(i * (self.rest - i) for i in steps) * product
        )
        # a root occurs k times in a monomial of degree t: sums over the monomials of k, of k k' for two roots, of k²
        linear, mixed = math.comb(n + t - 1, n), math.comb(n + t - 1, n + 1)
        square = math.comb(n + t, n + 1) + mixed
        squared = square * twice + mixed * (once * once - twice)  # sum of the squares of the roots of S^t F*
        return math.comb(n + t - 1, t) + (3 * linear * once + squared) // 2

    def functions(self) -> list[tuple[int, tuple[int, ...]]]:
        """Names of linear functions that span ``H^0(F*)``: an output, and a monomial of degree R in the r + 1
        coefficients of a form of degree r."""
        monomials = itertools.combinations_with_replacement(range(self.first + 1), self.rest)
        return list(itertools.product(range(self.outputs), monomials))

    def values(self, count: int, field: PrimeField, rng: np.random.Generator) -> Residues:
        """Values ``(functions, count)`` of these functions at random elements of F.

        An element is ``Σ_j F_ij u^{R-j} v^j`` with ``u = l^r``, ``v = m^r``, as a form of degree R on the dual of W.
        """
        powers = [self._power(field, rng, count) for _ in range(2)]
        row: dict[tuple[int, ...], Residues] = {(): np.ones((1, count))}
        for _ in range(self.rest):  # rows: coefficients of u^{R-j} v^j
            row = dict(_times(row, powers, field))
        numbers = rng.integers(0, field.p, (self.outputs, self.rest + 1, count))
        coefficients = field.encode(numbers)
        values = []
        for output, monomial in self.functions():
            products = field.multiply(row[monomial], coefficients[output])
            values.append(field.reduce(products.sum(axis=0)))
        return np.array(values)

    def _power(self, field: PrimeField, rng: np.random.Generator, count: int) -> Residues:
        """Coefficients ``(r + 1, count)`` of the power of a random linear form."""
        a, b = field.encode(rng.integers(0, field.p, (2, count)))
        r = self.first
        return np.array(
            [
                field.multiply(
                    field.multiply(field.power(a, r - i), field.power(b, i)),
                    np.full(count, field.scalar(math.comb(r, i))),
                )
                for i in range(r + 1)
            ]
        )


def pencils_around(network: Network) -> Pencils | None:
    """The bundle whose image contains the neurovariety of a network that begins with two hidden neurons.

    Whatever follows two hidden neurons with binary inputs, the outputs are forms in two powers.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> pencils_around(parse("[2,2,2,1] r=3")), pencils_around(parse("[3,2,1] r=2"))
    (Pencils(first=3, rest=3, outputs=1), None)
    """
    widths, degrees = network.widths, network.activation_degrees
    if widths is None or degrees is None or len(widths) < 3 or widths[:2] != (2, 2) or min(degrees) < 2:
        return None
    return Pencils(degrees[0], math.prod(degrees[1:]), network.output_dimension)


def pencils_of(network: Network, dimension: int) -> Pencils | None:
    """The bundle whose image is the neurovariety of a network of this (proved) dimension, if there is one.

    The image is irreducible: where the neurovariety has the dimension of the bundle, it is all of it.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> pencils_of(parse("[2,2,2,1] r=3"), 6), pencils_of(parse("[2,2,1] r=4"), 4)
    (Pencils(first=3, rest=3, outputs=1), Pencils(first=4, rest=1, outputs=1))
    """
    bundle = pencils_around(network)
    return bundle if bundle is not None and bundle.dimension == dimension else None


def _times(
    row: dict[tuple[int, ...], Residues], powers: list[Residues], field: PrimeField
) -> Iterator[tuple[tuple[int, ...], Residues]]:
    """All ``u^{k-j} v^j`` from those of degree one less, as polynomials: monomial to ``(k + 1, count)``."""
    u, v = powers
    found: dict[tuple[int, ...], Residues] = {}
    for monomial, values in row.items():
        for i in range(len(u)):
            key = tuple(sorted((*monomial, i)))
            more = np.zeros((len(values) + 1, values.shape[1]))
            more[:-1] = field.multiply(values, np.broadcast_to(u[i], values.shape).copy())
            # the last power of v comes from that below it alone, the others from multiplication by u
            more[-1] = field.multiply(values[-1].copy(), v[i].copy())
            found[key] = field.add(found[key], more) if key in found else more
    yield from found.items()
