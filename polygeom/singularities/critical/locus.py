"""`critical_locus`: the components of the weights at which the Jacobian of weights ↦ functions loses rank."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.answers import PROBABLE, PROVED, UNKNOWN, Answer
from polygeom.checks import seed as as_seed
from polygeom.dimensions import dimension
from polygeom.errors import BudgetError, PolygeomError
from polygeom.network import Network
from polygeom.network.builder import as_network
from polygeom.singularities.critical.charts import Chart, charts
from polygeom.singularities.critical.elimination import (
    critical_points,
    in_context,
    irreducible,
    jacobian_rows,
    minors,
    pairs_apart,
    polynomial_context,
    weights_as_polynomials,
)
from polygeom.singularities.critical.pieces import piece
from polygeom.singularities.critical.strata import (
    Subnetwork,
    all_singles,
    in_words,
    is_subnetwork,
    of_profile,
    profile_dimension,
    profiles,
    single_subnetworks,
)
from polygeom.singularities.ranks import rank_at
from polygeom.singularities.strata import exact

MOST_STRATA = 400
MOST_CHOICES = 500


@dataclass(frozen=True, slots=True)
class Component:
    """Weights at which the Jacobian loses rank.

    Attributes
    ----------
    kind:
        ``"subnetwork"``; ``"rank"``, weights of a layer of smaller rank; ``"other"``, given by equations.
    text:
        In words; for ``"other"`` a chart and its equations.
    dimension:
        In the space of weights.
    rank:
        Of the Jacobian at its random points, modulo a random prime; None for ``"other"``.
    weights:
        Integer weights on it, one matrix a layer; for ``"rank"`` the rank of their Jacobian was also computed over the
        rationals, and is too small. Empty for ``"other"``.
    """

    kind: str
    text: str
    dimension: int
    rank: int | None
    weights: tuple[tuple[tuple[int, ...], ...], ...] = ()


@dataclass(frozen=True, slots=True)
class CriticalLocus(Answer):
    """Where the Jacobian of weights ↦ functions has less than its generic rank.

    Attributes
    ----------
    network:
        Its text.
    rank:
        The generic one: the dimension of the neurovariety.
    only_subnetworks:
        Whether all critical weights have a hidden neuron without incoming or without outgoing weights, or two with
        parallel incoming ones; None if it was not decided.
    status:
        ``"proved"``, ``"probable"`` where the generic rank is, ``"unknown"``.
    components:
        Up to permutations of neurons. Those outside subnetworks are complete if ``only_subnetworks`` is decided; of
        the subnetworks the largest on which the rank drops everywhere.
    charts:
        How many normal forms were searched.
    reason:
        What decided, or what was missing.
    """

    network: str
    rank: int
    only_subnetworks: bool | None
    status: str
    components: tuple[Component, ...]
    charts: int
    reason: str
    seed: int = 0
    version: str = __version__

    def __str__(self) -> str:
        """A headline and a line for each component."""
        words = {True: "only subnetworks are critical", False: "not only subnetworks are critical", None: "undecided"}
        lines = [f"{self.network}: {words[self.only_subnetworks]} ({self.status}); generic rank {self.rank}"]
        lines.append(f"  {self.reason}")
        others = [c for c in self.components if c.kind == "other"]
        largest = max((c.dimension for c in others), default=0)
        for one in self.components:
            told = "" if one.rank is None else f", rank {one.rank}"
            if one.kind != "other" or one.dimension == largest:
                lines.append(f"  {one.kind}, dimension {one.dimension}{told}: {one.text}")
        if smaller := sum(c.dimension < largest for c in others):
            lines.append(f"  {smaller} more pieces of smaller dimension, which may lie in the closure of these")
        return "\n".join(lines)


def critical_locus(
    network: Network | str, *, timeout: float | None = None, rng: int | np.random.Generator = 0
) -> CriticalLocus:
    """Where the Jacobian of weights ↦ functions has less than its generic rank, and whether at subnetworks alone.

    A weight outside every subnetwork is brought to one of finitely many normal forms (`charts`) by changes that leave
    the rank as it is. There the minors are computed; a Gröbner basis over the rationals decides whether they have a
    common complex zero.

    Parameters
    ----------
    network:
        A perceptron with monomial activations of degree at least 2, without biases, small: about 12 to 20 weights.
    timeout:
        Seconds after which no further normal form is begun; the answer is then undecided.
    rng:
        Seed of the random weights of components.

    Returns
    -------
    `CriticalLocus`. That only subnetworks are critical, and that others are, is proved whenever the generic rank is.

    Raises
    ------
    FormatError
        If the text is not a network.
    PolygeomError
        For other networks.

    References
    ----------
    The question is that of arXiv 2606.28464 (for large activation degrees only subnetworks) and of arXiv 2606.18440
    (rank-deficient layers and inactive neurons).

    Examples
    --------
    >>> critical_locus("[3,3,1] r=5").only_subnetworks
    True
    >>> found = critical_locus("[3,3,1] r=4")
    >>> [(c.text, c.dimension, c.rank) for c in found.components if c.kind == "rank"]
    [('weights into layer 1 of rank 2', 11, 8)]
    """
    network = as_network(network)
    widths, degrees = network.widths, network.activation_degrees
    if widths is None or degrees is None or len(widths) < 3 or any(r < 2 for r in degrees):
        raise PolygeomError(
            f"network must be a perceptron with hidden layers and monomial activations of degree at least 2, got "
            f"{network}; write for example [3,3,1] r=3"
        )
    number = as_seed(rng)
    end = None if timeout is None else time.monotonic() + timeout
    size = dimension(network, rng=number)
    source = np.random.default_rng((number, 7))
    layers = _Layers(network, widths, degrees, size.lower, number)
    families, found = _families(layers, source)
    found += _subnetworks(layers, families, source)
    try:
        others, count = _others(layers, families, end)
        found += others
        only: bool | None = not any(c.kind != "subnetwork" for c in found)
        reason = f"minors on {count} normal forms, Gröbner bases over the rationals"
        if not count:
            reason = "all weights are subnetworks: parallel incoming weights in a layer after a single feature"
    except BudgetError as problem:
        only = False if any(c.kind == "rank" for c in found) else None
        count, reason = 0, str(problem)
    status = UNKNOWN if only is None else PROVED if size.proved else PROBABLE
    order = sorted(found, key=lambda c: (c.kind, -c.dimension, c.text))
    return CriticalLocus(network.text, size.dimension, only, status, tuple(order), count, reason, number)


@dataclass(frozen=True, slots=True)
class _Layers:
    network: Network
    widths: tuple[int, ...]
    degrees: tuple[int, ...]
    rank: int
    seed: int

    def at(self, matrices: Sequence[np.ndarray]) -> int:
        names = self.network.parameters
        weights = {name: exact(m) for name, m in zip(names, matrices, strict=True)}
        return rank_at(self.network, weights, self.rank, self.seed)


def rational_rank(widths: Sequence[int], degrees: Sequence[int], matrices: Sequence[np.ndarray]) -> int:
    """The rank over the rationals of the Jacobian of weights ↦ coefficients at integer weights, by FLINT."""
    import flint

    context = polynomial_context(widths[0])
    entries = [[[context.constant(int(v)) for v in row] for row in m] for m in matrices]
    rows = jacobian_rows(entries, degrees, list(context.gens()), 0)
    columns = {c: j for j, c in enumerate({c for row in rows for c in row})}
    if not columns:
        return 0
    flat = [[0] * len(columns) for _ in rows]
    for i, row in enumerate(rows):
        for c, value in row.items():
            flat[i][columns[c]] = value.coefficient(0)
    return int(flint.fmpz_mat(flat).rank())


def _families(layers: _Layers, rng: np.random.Generator) -> tuple[list[tuple[int, ...]], list[Component]]:
    """The largest varieties of matrices of small ranks outside subnetworks where the rank drops, shown by a point."""
    kept: list[tuple[int, ...]] = []
    found = []
    widths = layers.widths
    for ranks in sorted(profiles(widths), key=lambda p: -profile_dimension(widths, p)):
        if any(_below(ranks, other) for other in kept):
            continue
        matrices = of_profile(widths, ranks, rng)
        if is_subnetwork(matrices) or (rank := layers.at(matrices)) >= layers.rank:
            continue
        if rational_rank(widths, layers.degrees, matrices) >= layers.rank:
            continue
        kept.append(ranks)
        size = profile_dimension(widths, ranks)
        found.append(Component("rank", in_words(widths, ranks), size, rank, _plain(matrices)))
    return kept, found


def _below(one: Sequence[int], other: Sequence[int]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))


def _subnetworks(layers: _Layers, families: Sequence[tuple[int, ...]], rng: np.random.Generator) -> list[Component]:
    """The largest subnetworks on which the rank drops everywhere, up to permutations, outside the families."""
    widths = layers.widths
    found: list[Component] = []
    kept: list[Subnetwork] = []
    level = list(single_subnetworks(widths))
    singles = all_singles(widths)
    seen: set[tuple[Any, ...]] = set()
    looked = 0
    while level and looked < MOST_STRATA:
        following: list[Subnetwork] = []
        for one in level:
            if (shape := _shape(one)) in seen or any(big.contains(one, widths) for big in kept):
                continue
            seen.add(shape)
            looked += 1
            matrices = one.weights(widths, rng)
            ranks = [_rank(m) for m in matrices]
            if any(_below(ranks, family) for family in families):
                continue
            if (rank := layers.at(matrices)) < layers.rank:
                kept.append(one)
                found.append(Component("subnetwork", str(one), one.dimension(widths), rank, _plain(matrices)))
            else:
                following += [bigger for other in singles if (bigger := one.joined(other)) != one]
        level = following
    largest = [not any(big is not one and big.contains(one, widths) for big in kept) for one in kept]
    return [component for component, keep in zip(found, largest, strict=True) if keep]


def _plain(matrices: Sequence[np.ndarray]) -> tuple[tuple[tuple[int, ...], ...], ...]:
    return tuple(tuple(tuple(map(int, row)) for row in m) for m in matrices)


def _shape(one: Subnetwork) -> tuple[Any, ...]:
    """The same for subnetworks that differ by a permutation of neurons (and for few others)."""
    names: dict[tuple[int, int], list[str]] = {}
    for kind, places in (("d", one.deaf), ("s", one.silent)):
        for place in places:
            names.setdefault(place, []).append(kind)
    for layer, members in one.parallel:
        for p in members:
            names.setdefault((layer, p), []).append(f"p{len(members)}")
    return tuple(sorted((layer, *kinds) for (layer, _), kinds in names.items()))


def _rank(matrix: np.ndarray) -> int:
    import flint

    return int(flint.fmpz_mat([[int(v) for v in row] for row in matrix]).rank())


def _others(layers: _Layers, families: Sequence[tuple[int, ...]], end: float | None) -> tuple[list[Component], int]:
    """What is critical on charts outside the families: nothing, or components given by equations."""
    found: dict[tuple[Any, ...], Component] = {}
    count = 0
    for chart in charts(layers.widths, layers.degrees):
        if end is not None and time.monotonic() > end:
            raise BudgetError(f"critical: the time was over after {count} normal forms; allow more")
        count += 1
        for component in _on_chart(layers, families, chart):
            found.setdefault((component.dimension, component.text.partition("; ")[2]), component)
    return list(found.values()), count


def _on_chart(layers: _Layers, families: Sequence[tuple[int, ...]], chart: Chart) -> list[Component]:
    matrices, inputs = weights_as_polynomials(chart, layers.widths[0])
    rows = jacobian_rows(matrices, layers.degrees, inputs, chart.variables)
    apart = [*pairs_apart(chart, matrices, chart.variables)]
    apart += [options for f in families if (options := _outside(f, chart, matrices)) is not None]
    if prod(map(len, apart)) > MOST_CHOICES:
        raise BudgetError(f"critical: {prod(map(len, apart))} choices of minors, at most {MOST_CHOICES} are looked at")
    found = []
    for chosen in product(*apart):
        units = frozenset(name for f in chosen for name in irreducible(f))
        for basis in critical_points(rows, layers.rank, [], units, chart.variables):
            text, size = piece(layers.widths, layers.degrees, chart, basis)
            found.append(Component("other", text, size, None))
    return found


def _outside(family: tuple[int, ...], chart: Chart, matrices: Sequence[Sequence[Any]]) -> list[Any] | None:
    """Polynomials of which one is not zero outside a family; None if the whole chart is outside."""
    if chart.ranks[0] > family[0] or chart.ranks[1] > family[-1]:
        return None
    context = polynomial_context(max(chart.variables, 1))
    options: list[Any] = []
    for matrix, rank in zip(matrices[1:-1], family[1:-1], strict=True):
        rows = [
            {i: in_context(v, context, chart.variables) for i, v in enumerate(row) if not v.is_zero()} for row in matrix
        ]
        if rank < min(len(matrix), len(matrix[0])):
            found = minors(rows, rank + 1)
            if found is None:
                return None
            options += found
    return options
