"""What is degenerate at given weights of a perceptron: the live subnetwork, and the neurons that it does not need."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from polygeom._dataclass import dataclass
from polygeom.singularities.ranks import Matrix, independent

Vector = list[Fraction]
DEAD, SILENT, DEAF, SHADOW, COPY, CANCELLING = "dead", "silent", "deaf", "silent copy", "copy", "cancelling"


@dataclass(frozen=True, slots=True)
class Defect:
    """Neurons of a hidden layer that the live subnetwork does not need.

    Attributes
    ----------
    kind:
        ``"dead"`` (both weights zero), ``"silent"`` (outgoing zero, the direction of incoming ones its own), ``"deaf"``
        (incoming zero), ``"silent copy"`` (outgoing zero, incoming parallel to those of a live neuron), ``"copy"``
        (incoming parallel to live ones, merged with them), ``"cancelling"`` (parallel, outgoing weights that add up to
        zero: ``members`` of them).
    layer, place:
        The hidden layer, and the neuron in it, both counted from 0 for places and 1 for layers.
    origin:
        For copies: the place of its live neuron in the live layer.
    outgoing:
        For deaf ones: the outgoing weights; for copies: the outgoing weights of both, scaled to equal incoming ones.
    members:
        How many neurons.
    """

    kind: str
    layer: int
    place: int
    origin: int = -1
    outgoing: tuple[tuple[Fraction, ...], ...] = ()
    members: int = 1


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The live matrices of a perceptron, first layer first, its defects, and the places of live neurons by layer."""

    matrices: list[Matrix]
    defects: tuple[Defect, ...]
    kept: tuple[tuple[int, ...], ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Those of the live subnetwork; a hidden width may be zero."""
        return tuple(map(len, self.kept))

    def origin(self, defect: Defect) -> int:
        """The place of the neuron that a copy copies among the live ones of its layer; 0 for other defects."""
        return self.kept[defect.layer].index(defect.origin) if defect.origin >= 0 else 0


def parallel(one: Sequence[Fraction], other: Sequence[Fraction]) -> Fraction | None:
    """The factor ``t`` with ``other = t · one`` for vectors that are not zero; None if there is none.

    >>> parallel([Fraction(1), Fraction(2)], [Fraction(2), Fraction(4)])
    Fraction(2, 1)
    """
    place = next(i for i, value in enumerate(one) if value)
    factor = other[place] / one[place]
    return factor if factor and all(b == factor * a for a, b in zip(one, other, strict=True)) else None


def anatomy(matrices: Sequence[Matrix], degrees: Sequence[int]) -> Anatomy:
    """Take a perceptron at given weights apart, layer by layer from the last hidden one.

    A neuron counts by its weights to neurons that are still there, from the output backwards and then forwards, until
    nothing changes.
    """
    layers = [[list(row) for row in matrix] for matrix in matrices]
    kept = [list(range(len(matrices[0][0]))), *(list(range(len(m))) for m in matrices)]
    defects: list[Defect] = []
    changed = True
    while changed:
        changed = False
        for k in range(len(layers) - 1, 0, -1):
            found = _layer(layers, kept, k, degrees[k - 1])
            defects += found
            changed |= bool(found)
    live = [[[row[j] for j in kept[k]] for i, row in enumerate(m) if i in kept[k + 1]] for k, m in enumerate(layers)]
    return Anatomy(live, tuple(defects), tuple(map(tuple, kept)))


def _layer(layers: list[Matrix], kept: list[list[int]], k: int, degree: int) -> list[Defect]:
    """The defects of hidden layer ``k``; takes them out of ``kept``, merging copies in place."""
    incoming = {j: [layers[k - 1][j][i] for i in kept[k - 1]] for j in kept[k]}
    outgoing = {j: [layers[k][i][j] for i in kept[k + 1]] for j in kept[k]}
    found, classes = list[Defect](), list[list[int]]()
    for j in list(kept[k]):
        if not any(incoming[j]):
            kind = DEAF if any(outgoing[j]) else DEAD
            found.append(Defect(kind, k, j, outgoing=(tuple(outgoing[j]),)))
            kept[k].remove(j)
            continue
        for members in classes:
            if parallel(incoming[members[0]], incoming[j]) is not None:
                members.append(j)
                break
        else:
            classes.append([j])
    if degree == 1:
        classes = [[j] for members in classes for j in members]
    silent = []
    for members in classes:
        factors = {j: (parallel(incoming[members[0]], incoming[j]) or Fraction(1)) ** degree for j in members}
        scaled = {j: [v * factors[j] for v in outgoing[j]] for j in members}
        loud = [j for j in members if any(scaled[j])]
        total = [sum(column, Fraction(0)) for column in zip(*scaled.values(), strict=True)]
        first = next(iter(loud), members[0])
        for j in members:
            if j != first or not any(total):
                kept[k].remove(j)
        if not loud:
            silent += members
            continue
        if not any(total):
            found.append(Defect(CANCELLING, k, first, members=len(loud)))
        quiet = [j for j in members if not any(scaled[j])]
        if any(total):
            for i, value in zip(kept[k + 1], total, strict=True):
                layers[k][i][first] = value / factors[first]
        copies = [j for j in loud if j != first] if any(total) else []
        found += [Defect(COPY, k, j, first, (tuple(scaled[first]), tuple(scaled[j])), len(loud)) for j in copies]
        found += [Defect(SHADOW if any(total) else SILENT, k, j, first) for j in quiet]
    found += [Defect(SILENT, k, j) for j in silent]
    return found


def general_position(vectors: Sequence[Sequence[Fraction]]) -> bool:
    """Whether no two vectors are parallel and none is zero."""
    return all(independent([list(one), list(other)]) for i, one in enumerate(vectors) for other in vectors[:i]) and all(
        any(vector) for vector in vectors
    )
