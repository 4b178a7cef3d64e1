"""What a frontier search answers: minimal filling architectures, what excludes all others, and what is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.answers import PROBABLE, PROVED, UNKNOWN, Answer
from polygeom.dimensions.bounds.bound import Bound
from polygeom.dimensions.counts import Degrees, Widths, ambient_dimension, saturated_widths
from polygeom.dimensions.frontier.cover import Point
from polygeom.network.shapes import is_unimodal

if TYPE_CHECKING:
    import networkx
    import pandas


@dataclass(frozen=True, slots=True)
class MinimalFilling:
    """An architecture that fills its ambient space while no architecture with one hidden width lowered does.

    Attributes
    ----------
    widths:
        All widths, inputs and outputs included.
    unimodal:
        Whether the widths rise and then fall.
    predecessors:
        For each hidden layer, the number of the excluded box that contains the architecture with this width lowered by
        one; None where the width is 1 already. Filling itself is always proved, by a rank.
    proved:
        Whether all those boxes are excluded by a theorem, so that minimality is proved.
    """

    widths: Widths
    unimodal: bool
    predecessors: tuple[int | None, ...]
    proved: bool


@dataclass(frozen=True, slots=True)
class ExcludedBox:
    """A set of architectures none of which is filling.

    Attributes
    ----------
    widths:
        Inputs, the largest hidden widths of the box (None where every width is meant), outputs.
    bound:
        The bound for the widest architecture of the box, smaller than the ambient dimension; None if only ranks say
        that it is not filling, which is probable and not proved.
    error_bound:
        0 if proved, else a bound for the probability that the widest architecture is filling after all.
    """

    widths: tuple[int | None, ...]
    bound: Bound | None
    error_bound: float = 0.0

    def __str__(self) -> str:
        """``(2,*,2,*,1): cut at layer 2, …``."""
        why = f"≤ {self.bound.value}, {self.bound}" if self.bound else f"probable, error ≤ {self.error_bound:.0e}"
        return f"{shape(self.widths)}: {why}"


def shape(widths: tuple[int | None, ...]) -> str:
    """``(2,*,3,1)``, with ``*`` for None.

    >>> shape((2, None, 3, 1))
    '(2,*,3,1)'
    """
    return "(" + ",".join("*" if w is None else str(w) for w in widths) + ")"


@dataclass(frozen=True, slots=True)
class Frontier(Answer):
    """All minimal filling architectures for given inputs, outputs, activation degrees and depth, as far as found.

    Attributes
    ----------
    inputs, outputs, degrees:
        The question: ``d_0``, ``d_L`` and ``(r_1, …, r_{L-1})``.
    architectures:
        The minimal filling architectures found, sorted. They are filling by proof, and minimal by proof where their
        ``proved`` says so.
    excluded:
        Boxes that contain no filling architecture.
    open:
        Architectures not yet decided, when the search was stopped: every further minimal filling architecture is at
        least one of them.
    ranks, bounds, elapsed:
        Exact dimensions and upper bounds computed; seconds.
    seed, version:
        What reproduces it.
    """

    inputs: int
    outputs: int
    degrees: Degrees
    architectures: tuple[MinimalFilling, ...]
    excluded: tuple[ExcludedBox, ...]
    open: tuple[Widths, ...]
    ranks: int
    bounds: int
    elapsed: float
    seed: int = 0
    version: str = __version__

    @property
    def network(self) -> str:
        """The question as text, hidden widths left open: ``(2,*,*,1) r=2``."""
        return self.question

    @property
    def status(self) -> str:
        """``"proved"`` when the list is complete, ``"probable"`` when ranks alone exclude a box, else ``"unknown"``."""
        return PROVED if self.complete else UNKNOWN if self.open else PROBABLE

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: the minimal filling architectures, and how far they are all."""
        return {
            "network": self.network,
            "status": self.status,
            "seed": self.seed,
            "version": self.version,
            "ambient_dimension": self.ambient_dimension,
            "architectures": [list(found.widths) for found in self.architectures],
            "complete": self.complete,
            "open": len(self.open),
            "reasons": self.reasons(),
            "ranks": self.ranks,
            "bounds": self.bounds,
            "elapsed": self.elapsed,
        }

    @property
    def ambient_dimension(self) -> int:
        """The number of coefficients, which is the dimension of filling architectures."""
        return ambient_dimension((self.inputs, self.outputs), self.degrees)

    @property
    def complete(self) -> bool:
        """Whether the list is proved to contain every minimal filling architecture and nothing else."""
        return not self.open and not self.unproved

    @property
    def unproved(self) -> tuple[ExcludedBox, ...]:
        """The excluded boxes for which only ranks speak."""
        return tuple(box for box in self.excluded if box.bound is None)

    @property
    def question(self) -> str:
        """``(2,*,*,1) r=2``."""
        r = self.degrees[:1] if len(set(self.degrees)) == 1 else self.degrees
        return f"{shape((self.inputs, *[None] * len(self.degrees), self.outputs))} r={','.join(map(str, r))}"

    def __str__(self) -> str:
        """A heading and one line for each architecture."""
        if self.open:
            sure = f"stopped with {len(self.open)} architectures undecided"
        elif self.unproved:
            sure = f"probably complete ({len(self.unproved)} of {len(self.excluded)} excluded boxes are not proved)"
        else:
            boxes = "1 box" if len(self.excluded) == 1 else f"{len(self.excluded)} boxes"
            sure = f"complete ({boxes} excluded by bounds)"
        count = len(self.architectures)
        noun = "architecture" if count == 1 else "architectures"
        lines = [f"{self.question}: {count} minimal filling {noun} of dimension {self.ambient_dimension}, {sure}"]
        for found in self.architectures:
            notes = [] if found.unimodal else ["not unimodal"]
            notes += [] if found.proved else ["minimality probable"]
            lines.append(f"  {shape(found.widths)}" + (f"  {', '.join(notes)}" if notes else ""))
        return "\n".join(lines)

    def reasons(self) -> dict[str, int]:
        """How many boxes each rule excludes, most frequent first; the removal of surplus neurons is passed over."""
        rules = Counter(leading_rule(box.bound) if box.bound else "probable" for box in self.excluded)
        return dict(rules.most_common())

    def table(self) -> pandas.DataFrame:
        """The architectures as a pandas frame: network, depth, parameters, unimodal, minimality proved."""
        import pandas as pd

        from polygeom.network import mlp

        networks = [mlp(found.widths, self.degrees) for found in self.architectures]
        return pd.DataFrame(
            {
                "network": pd.array([str(network) for network in networks], dtype="string"),
                "parameters": pd.array([network.parameter_count for network in networks], dtype="Int64"),
                "ambient_dimension": pd.array([self.ambient_dimension] * len(networks), dtype="Int64"),
                "unimodal": pd.array([found.unimodal for found in self.architectures], dtype="boolean"),
                "proved": pd.array([found.proved for found in self.architectures], dtype="boolean"),
            }
        )

    def poset(self) -> networkx.DiGraph:
        """The decided part of the poset of architectures near the frontier, ordered by hidden widths.

        Nodes are the minimal filling architectures (``filling=True``) and their predecessors (``filling=False``, with
        the ``box`` that excludes them), as tuples of widths. An edge from ``a`` to ``b`` says that ``b`` has one neuron
        more than ``a``, in hidden layer ``layer``.
        """
        import networkx as nx

        graph = nx.DiGraph(question=self.question, complete=self.complete)
        for found in self.architectures:
            graph.add_node(found.widths, filling=True, unimodal=found.unimodal)
            for layer, number in enumerate(found.predecessors, start=1):
                if number is not None:
                    below_it = lowered(found.widths, layer)
                    box = self.excluded[number]
                    graph.add_node(below_it, filling=False, proved=box.bound is not None, box=shape(box.widths))
                    graph.add_edge(below_it, found.widths, layer=layer)
        return graph

    def certificate(self) -> dict[str, Any]:
        """Plain data for JSON that `polygeom.dimensions.proofs.frontier_check.verify_frontier` re-checks."""
        from polygeom.dimensions.proofs.decoding import FORMAT, encode, typed
        from polygeom.dimensions.proofs.frontier_check import Architecture, Box, Claim, FrontierCertificate

        return encode(
            FrontierCertificate(
                kind="frontier",
                format=FORMAT,
                version=__version__,
                network=self.question,
                inputs=self.inputs,
                outputs=self.outputs,
                degrees=list(self.degrees),
                claim=Claim(self.complete, len(self.architectures)),
                architectures=typed(self.architectures, list[Architecture]),
                excluded=typed(self.excluded, list[Box]),
                open=[list(widths) for widths in self.open],
            )
        )


def leading_rule(bound: Bound) -> str:
    """The first rule of a bound that is not an equality between networks with the same functions."""
    while bound.rule in ("surplus", "idle layer"):
        bound = bound.parts[0]
    return bound.rule


def lowered(widths: Widths, layer: int) -> Widths:
    """The widths with one neuron less in hidden layer ``layer``."""
    return (*widths[:layer], widths[layer] - 1, *widths[layer + 1 :])


def minimal_fillings(
    inputs: int, outputs: int, points: Sequence[Point], boxes: Sequence[Point], proved: Sequence[bool]
) -> list[MinimalFilling]:
    """The records of filling architectures all of whose predecessors lie in excluded boxes, proved ones first."""
    order = sorted(range(len(boxes)), key=lambda i: not proved[i])
    above = _Above([boxes[i] for i in order])
    found = []
    for point in points:
        numbers = tuple(n if n is None else order[n] for n in above.below(point))
        sure = all(n is None or proved[n] for n in numbers)
        widths = (inputs, *point, outputs)
        found.append(MinimalFilling(widths, is_unimodal(widths), numbers, sure))
    return found


class _Above:
    """Which corners are nowhere below a point: a set of numbers, held as bits, for each coordinate and value."""

    def __init__(self, corners: Sequence[Point]) -> None:
        self._count = len(corners)
        self._columns = np.array(corners, np.int32).T
        self._sets: dict[tuple[int, int], int] = {}

    def below(self, point: Point) -> list[int | None]:
        """For each coordinate the first corner above the point with that coordinate lowered; None at the value 1."""
        numbers: list[int | None] = []
        before = (1 << self._count) - 1
        after = [before]
        for k in reversed(range(1, len(point))):
            after.append(after[-1] & self._at_least(k, point[k]))
        for k, value in enumerate(point):
            if value == 1:
                numbers.append(None)
            else:
                those = before & after[-1 - k] & self._at_least(k, value - 1)
                if not those:
                    raise AssertionError(f"{point} lowered at {k} lies in no excluded box; please report")
                numbers.append((those & -those).bit_length() - 1)
            before &= self._at_least(k, value)
        return numbers

    def _at_least(self, k: int, value: int) -> int:
        found = self._sets.get((k, value))
        if found is None:
            bits = np.packbits(self._columns[k] >= value, bitorder="little") if self._count else b""
            found = self._sets[k, value] = int.from_bytes(bytes(bits), "little")
        return found


def box_widths(inputs: int, outputs: int, degrees: Degrees, box: Point) -> tuple[int | None, ...]:
    """A box with None in place of saturated widths, inputs and outputs added."""
    top = saturated_widths(inputs, degrees)
    return (inputs, *(None if w >= s else w for w, s in zip(box, top, strict=True)), outputs)
