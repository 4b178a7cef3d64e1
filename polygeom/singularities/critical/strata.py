"""Candidates for components: subnetworks of a perceptron, and layers of small rank; their dimensions and points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, pairwise, permutations, product
from math import prod

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.singularities.ranks import Matrix, exact_rank

_SIZE = 40
_MOST_ORDERS = 3000


@dataclass(frozen=True, slots=True)
class Subnetwork:
    """Weights of a smaller network inside a perceptron; layers are counted from 1, neurons from 1.

    Attributes
    ----------
    deaf, silent:
        Hidden neurons ``(layer, place)`` without incoming weights, and those without outgoing ones.
    parallel:
        Classes of neurons of a layer whose incoming weights are proportional.
    """

    deaf: tuple[tuple[int, int], ...] = ()
    silent: tuple[tuple[int, int], ...] = ()
    parallel: tuple[tuple[int, tuple[int, ...]], ...] = ()

    def joined(self, other: Subnetwork) -> Subnetwork:
        """Both at once."""
        classes = [(layer, set(places)) for layer, places in self.parallel]
        for layer, places in other.parallel:
            mine = [c for c in classes if c[0] == layer and c[1] & set(places)]
            classes = [c for c in classes if c not in mine] + [(layer, set(places).union(*(c[1] for c in mine)))]
        deaf = {*self.deaf, *other.deaf}
        alive = [(layer, tuple(sorted(p for p in places if (layer, p) not in deaf))) for layer, places in classes]
        return Subnetwork(
            tuple(sorted(deaf)),
            tuple(sorted({*self.silent, *other.silent})),
            tuple(sorted(one for one in alive if len(one[1]) > 1)),
        )

    def masks(self, widths: Sequence[int]) -> list[np.ndarray]:
        """For each matrix, which entries need not be zero."""
        masks = [np.ones((widths[k + 1], widths[k]), bool) for k in range(len(widths) - 1)]
        for layer, place in self.deaf:
            masks[layer - 1][place - 1] = False
        for layer, place in self.silent:
            masks[layer][:, place - 1] = False
        return masks

    def dimension(self, widths: Sequence[int]) -> int:
        """Of the weights of this kind, an irreducible variety."""
        masks = self.masks(widths)
        total = int(sum(mask.sum() for mask in masks))
        for layer, places in self.parallel:
            alive = [masks[layer - 1][p - 1] for p in places if masks[layer - 1][p - 1].any()]
            total -= sum(int(mask.sum()) - 1 for mask in alive[1:])
        return total

    def contains(self, other: Subnetwork, widths: Sequence[int]) -> bool:
        """Whether these weights contain ``other``, after a permutation of the neurons of each layer."""
        deaf, silent = other.idle(widths)
        orders = [list(permutations(range(1, w + 1))) for w in widths[1:-1]]
        if prod(map(len, orders)) > _MOST_ORDERS:
            orders = [each[:1] for each in orders]
        return any(self._contains(other, deaf, silent, order) for order in product(*orders))

    def _contains(
        self,
        other: Subnetwork,
        deaf: set[tuple[int, int]],
        silent: set[tuple[int, int]],
        order: tuple[tuple[int, ...], ...],
    ) -> bool:
        def moved(layer: int, place: int) -> tuple[int, int]:
            return layer, order[layer - 1][place - 1]

        if not all(moved(*one) in deaf for one in self.deaf) or not all(moved(*one) in silent for one in self.silent):
            return False
        for layer, places in self.parallel:
            alive = {moved(layer, p)[1] for p in places if moved(layer, p) not in deaf}
            if len(alive) > 1 and not any(layer == k and alive <= set(members) for k, members in other.parallel):
                return False
        return True

    def idle(self, widths: Sequence[int]) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
        """Neurons without incoming, and without outgoing weights, those included that other neurons imply."""
        masks = self.masks(widths)
        deaf = {(k + 1, j + 1) for k, mask in enumerate(masks[:-1]) for j in range(len(mask)) if not mask[j].any()}
        silent = {(k, i + 1) for k, mask in enumerate(masks) if k for i in range(mask.shape[1]) if not mask[:, i].any()}
        return deaf, silent

    def weights(self, widths: Sequence[int], rng: np.random.Generator) -> list[np.ndarray]:
        """Random integer weights of this kind."""
        matrices = [drawn(rng, mask.shape) * mask for mask in self.masks(widths)]
        for layer, places in self.parallel:
            alive = [p for p in places if matrices[layer - 1][p - 1].any()]
            for p in alive[1:]:
                matrices[layer - 1][p - 1] = matrices[layer - 1][alive[0] - 1] * int(drawn(rng, (1,))[0])
        return matrices

    def __str__(self) -> str:
        """In words."""
        parts = [f"neuron {p} of layer {k} without incoming weights" for k, p in self.deaf]
        parts += [f"neuron {p} of layer {k} without outgoing weights" for k, p in self.silent]
        parts += [
            f"neurons {', '.join(map(str, places))} of layer {k} with parallel incoming weights"
            for k, places in self.parallel
        ]
        return " and ".join(parts)


def single_subnetworks(widths: Sequence[int]) -> Iterator[Subnetwork]:
    """The largest subnetworks, one for each kind and layer: all others lie in these or their permutations."""
    for layer in range(1, len(widths) - 1):
        yield Subnetwork(deaf=((layer, 1),))
        yield Subnetwork(silent=((layer, 1),))
        if widths[layer] > 1 and widths[layer - 1] > 1:
            yield Subnetwork(parallel=((layer, (1, 2)),))


def all_singles(widths: Sequence[int]) -> list[Subnetwork]:
    """Every single defect of every neuron and pair."""
    found = []
    for layer in range(1, len(widths) - 1):
        for place in range(1, widths[layer] + 1):
            found += [Subnetwork(deaf=((layer, place),)), Subnetwork(silent=((layer, place),))]
        if widths[layer - 1] > 1:
            found += [Subnetwork(parallel=((layer, pair),)) for pair in combinations(range(1, widths[layer] + 1), 2)]
    return found


def is_subnetwork(matrices: Sequence[np.ndarray]) -> bool:
    """Whether a hidden neuron has no incoming or no outgoing weights, or two have parallel incoming ones."""
    for incoming, outgoing in pairwise(matrices):
        if not incoming.any(axis=1).all() or not outgoing.any(axis=0).all():
            return True
        rows: Matrix = [[Fraction(int(v)) for v in row] for row in incoming]
        if any(exact_rank([one, other]) < 2 for one, other in combinations(rows, 2)):
            return True
    return False


def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Integers that are not zero, as Python integers."""
    values: np.ndarray = rng.integers(1, _SIZE, shape) * rng.choice((-1, 1), shape)
    return values.astype(object)


def profiles(widths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The ranks that the matrices may have, but for the largest; each profile is an irreducible variety of weights."""
    most = [min(pair) for pair in pairwise(widths)]
    for ranks in product(*(range(1, m + 1) for m in most)):
        if list(ranks) != most:
            yield ranks


def of_profile(widths: Sequence[int], ranks: Sequence[int], rng: np.random.Generator) -> list[np.ndarray]:
    """Random integer weights whose matrices have these ranks."""
    return [
        drawn(rng, (widths[k + 1], widths[k]))
        if rank == min(widths[k : k + 2])
        else drawn(rng, (widths[k + 1], rank)) @ drawn(rng, (rank, widths[k]))
        for k, rank in enumerate(ranks)
    ]


def profile_dimension(widths: Sequence[int], ranks: Sequence[int]) -> int:
    """Of the weights whose matrices have at most these ranks."""
    return sum(rank * (widths[k] + widths[k + 1] - rank) for k, rank in enumerate(ranks))


def in_words(widths: Sequence[int], ranks: Sequence[int]) -> str:
    """Which matrices have which rank, but for those of full rank."""
    small = [(k, rank) for k, rank in enumerate(ranks, start=1) if rank < min(widths[k - 1 : k + 1])]
    return " and ".join(f"weights into layer {k} of rank {rank}" for k, rank in small)
