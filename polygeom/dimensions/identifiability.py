"""Are the weights determined by the function, and from which activation degree on is the dimension the expected one?

*Finitely identifiable*: a generic function of the network has finitely many weights up to the continuous symmetries of
the network (`polygeom.symmetry.gauge`); equivalently, the dimension is the number of weights minus `Network.gauge`.
For a perceptron with activation degrees of at least 2 the symmetries are the scalings of hidden neurons, and that is
the notion of arXiv 2506.17093, Prop. 10. Where a layer has no activation, all of GL acts on it: ``[3,2,3] r=1``
computes the matrices of rank at most 2, of dimension 8 = 12 - 4, and is identifiable up to GL(2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.answers import PROBABLE, PROVED, Answer
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.counts import (
    Widths,
    ambient_dimension,
    expected_dimension,
    output_degree,
    parameter_count,
)
from polygeom.dimensions.fibres import known_fibre
from polygeom.dimensions.theorems import FINKEL, USEVICH, identifying_theorems
from polygeom.errors import PolygeomError
from polygeom.network import Network, mlp
from polygeom.network.builder import as_network
from polygeom.network.limits import capped_monomials


@dataclass(frozen=True, slots=True)
class Identifiability(Answer):
    """Whether a network is globally, finitely or not identifiable, and why.

    Attributes
    ----------
    network:
        Its canonical text.
    identifiable:
        The answer; where `proved` is False it is probably no: no rank reaches the number of free weights, and no bound
        excludes it.
    proved:
        Whether the answer is a theorem, or a rank that no bound can exceed.
    reason:
        The theorem, or ``"rank"``, or the upper bound that is too small.
    dimension:
        The dimension of the neurovariety (a lower bound where not proved).
    free:
        The number of weights that the symmetries leave free (parameters less ``gauge``); identifiable means that the
        dimension is this number.
    fibre, fibre_reason:
        How many weights, up to scalings and permutations, give a generic function, where a theorem says so.
    seed, version:
        What reproduces it.
    """

    network: str
    identifiable: bool
    proved: bool
    reason: str
    dimension: int
    free: int
    fibre: int | None = None
    fibre_reason: str = ""
    seed: int = 0
    version: str = __version__
    told = ("status", "level")

    @property
    def status(self) -> str:
        """``"proved"`` or ``"probable"``."""
        return PROVED if self.proved else PROBABLE

    @property
    def level(self) -> str:
        """``"globally"``, ``"finitely"`` or ``"not"``: globally only where a theorem says that it is one weight.

        Where no theorem counts the weights, `polygeom.fibre` does.
        """
        return "not" if not self.identifiable else "globally" if self.fibre == 1 else "finitely"

    def __str__(self) -> str:
        """One line for a reader."""
        word = "not finitely identifiable" if self.level == "not" else f"{self.level} identifiable"
        counts = f"dimension {self.dimension}, {self.free} weights up to symmetries"
        theorem = f"; {self.fibre} up to scalings and permutations: {self.fibre_reason}" if self.fibre_reason else ""
        return f"{self.network}: {word} ({self.status}): {self.reason}; {counts}{theorem}"


def identifiability(network: Network | str, *, error: float = 1e-9, rng: int = 0) -> Identifiability:
    """Whether ``network`` is finitely identifiable: by a theorem where one applies, else by its dimension.

    Parameters
    ----------
    network:
        A `Network` or its text.
    error, rng:
        As for `polygeom.dimensions.dimension`, for networks to which no theorem applies.

    Raises
    ------
    FormatError
        If the text is not a network.

    Examples
    --------
    >>> print(identifiability("[4,3,2] r=2"))
    [4,3,2] r=2: globally identifiable (proved): non-increasing widths, arXiv 2506.17093 Corollary 16; dimension 15, \
15 weights up to symmetries; 1 up to scalings and permutations: Kruskal's theorem for every pair of layers, arXiv \
2506.17093 Theorem 11
    >>> identifiability("[4,8,1] r=4").level, identifiability("[4,8,1] r=4").fibre
    ('finitely', 2)
    >>> identifiability("[2,2,4,1] r=2").identifiable
    False
    """
    network = as_network(network).unscaled
    free = network.parameter_count - network.gauge
    if network.widths is not None and network.activation_degrees is not None:
        widths, degrees = network.widths, network.activation_degrees
        coefficients = widths[-1] * capped_monomials(widths[0], output_degree(degrees), free)
        if free <= coefficients and (theorem := next(identifying_theorems(widths, degrees), None)):
            return Identifiability(network.text, True, True, theorem, free, free, *_fibre(network), seed=rng)
    result = dimension(network, error=error, rng=rng)
    if result.identifiable:
        return Identifiability(network.text, True, True, "rank", result.dimension, free, *_fibre(network), seed=rng)
    reason = result.bound if result.identifiable is False else "no rank reaches the number of weights"
    return Identifiability(network.text, False, result.identifiable is False, reason, result.dimension, free, seed=rng)


def _fibre(network: Network) -> tuple[int | None, str]:
    known = known_fibre(network)
    return (None, "") if known is None or known.value is None else (known.value, known.reason)


@dataclass(frozen=True, slots=True)
class Threshold(Answer):
    """For which activation degrees an architecture does not have the expected dimension. Complete: all r ≥ 2.

    Attributes
    ----------
    widths:
        The architecture.
    defects:
        For each ``r`` computed one by one: ``(r, dimension, expected dimension, proved)``; ``r = 2, …, computed_to``.
    computed_to:
        The last ``r`` that was computed; beyond it the theorem named in `reason` applies.
    defective_from:
        Every ``r`` from this one on is defective (only with a hidden layer of width 1); None if there is no such.
    reason:
        The theorem for large ``r``.
    seed, version:
        What reproduces it.
    """

    widths: Widths
    defects: tuple[tuple[int, int, int, bool], ...]
    computed_to: int
    defective_from: int | None
    reason: str
    seed: int = 0
    version: str = __version__

    @property
    def network(self) -> str:
        """The architecture as text, its degree left open: ``[2,3,1]``."""
        return f"[{','.join(map(str, self.widths))}]"

    @property
    def status(self) -> str:
        """``"proved"`` or ``"probable"``."""
        return PROVED if self.proved else PROBABLE

    @property
    def defective(self) -> tuple[int, ...]:
        """The computed ``r`` with a positive defect; not always an interval. See also `defective_from`."""
        return tuple(r for r, found, expected, _ in self.defects if found < expected)

    @property
    def threshold(self) -> int | None:
        """The least ``r_0 ≥ 1`` such that no ``r > r_0`` is defective (arXiv 2408.04569); None if there is none."""
        return None if self.defective_from is not None else max(self.defective, default=1)

    @property
    def proved(self) -> bool:
        """Whether every dimension below the range of the theorem is proved, so that the whole answer is."""
        return all(proved for *_, proved in self.defects)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "network": self.network,
            "status": self.status,
            "seed": self.seed,
            "version": self.version,
            "widths": list(self.widths),
            "threshold": self.threshold,
            "defective": list(self.defective),
            "defective_from": self.defective_from,
            "proved": self.proved,
            "reason": self.reason,
            "computed": [
                {"degree": r, "dimension": found, "expected_dimension": expected, "proved": proved}
                for r, found, expected, proved in self.defects
            ],
        }

    def __str__(self) -> str:
        """One line for a reader."""
        head = f"({','.join(map(str, self.widths))}): "
        some = f"defective for r = {', '.join(map(str, self.defective))}" if self.defective else ""
        if self.defective_from is not None:
            every = f"defective for every r ≥ {self.defective_from}"
            some = f"{some} and " if some else ""
            return f"{head}no activation degree threshold ({self.status}): {some}{every}, {self.reason}"
        fine = f"of expected dimension for every {'other ' if some else ''}r ≥ 2"
        return (
            f"{head}activation degree threshold {self.threshold} ({self.status}): {some + ', ' if some else ''}{fine}"
        )


def threshold(widths: Sequence[int], *, error: float = 1e-9, rng: int = 0) -> Threshold:
    """The activation degrees ``r ≥ 2`` for which an architecture is defective, all of them.

    Parameters
    ----------
    widths:
        ``(d_0, …, d_L)``, the same activation degree in every hidden layer.
    error, rng:
        As for `polygeom.dimensions.dimension`.

    Returns
    -------
    `Threshold`. For ``r ≥ 2d - 1``, d the largest hidden width, and widths of at least 2 before the last, the dimension
    is the expected one (arXiv 2506.17093, Corollary 17); smaller ``r`` are computed one by one. If a hidden layer has
    width 1, the network computes powers of one function ``q`` times constants, and its dimension is that of the network
    that ends with ``q``, plus ``d_L - 1``.

    Raises
    ------
    PolygeomError
        If ``widths`` are not positive integers, at least two of them.

    Examples
    --------
    >>> print(threshold((2, 2, 4, 1)))
    (2,2,4,1): activation degree threshold 6 (proved): defective for r = 3, 4, 5, 6, of expected dimension for every \
other r ≥ 2
    """
    d = _checked(widths)
    hidden = d[1:-1]
    if not hidden or d[0] == 1 or len(set(d)) == 1:
        reason = "no activation" if not hidden else "one input" if d[0] == 1 else f"equal widths, {FINKEL}"
        return Threshold(d, (), 1, None, reason, rng)
    narrow = hidden.index(1) + 1 if 1 in hidden else None
    begin = d if narrow is None else d[: narrow + 1]
    last = max(2 * max(begin[1:-1], default=1) - 2, 1)
    rows = []
    for r in range(2, last + 1):
        found = dimension(mlp(d, r), error=error, rng=rng)
        rows.append((r, found.dimension, expected_dimension(d, (r,) * len(hidden)), found.proved))
    if narrow is None:
        return Threshold(d, tuple(rows), last, None, f"for r > {last}: {USEVICH} Corollary 17", rng)
    forever = _defective_from(d, begin, last + 1)
    reason = f"a layer of width 1 and, for r > {last}, {USEVICH} Corollary 17"
    return Threshold(d, tuple(rows), last, forever, reason, rng)


def _defective_from(widths: Widths, begin: Widths, first: int) -> int | None:
    """The least ``r ≥ first`` from which on every degree is defective, for a network with a layer of width 1."""
    free = parameter_count(widths) - sum(widths[1:-1])
    small = parameter_count(begin) - sum(begin[1:-1]) + widths[-1] - 1
    if small == free:
        return None
    r = max(first, 2)
    while ambient_dimension(widths, (r,) * (len(widths) - 2)) <= small:
        r += 1
    return r


def _checked(widths: object) -> Widths:
    d = () if isinstance(widths, str) or not isinstance(widths, Iterable) else tuple(widths)
    if len(d) < 2 or not all(isinstance(w, int) and not isinstance(w, bool) and w >= 1 for w in d):
        told = list(d) or repr(widths)
        raise PolygeomError(f"widths must be at least 2 positive integers, got {told}; write threshold([2,2,4,1])")
    return d
