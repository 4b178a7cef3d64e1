"""Check the certificate of a frontier by a path of its own.

What is repeated differently: filling, by the Jacobian at weights and points drawn here, its rank by FLINT; the bounds,
step by step, without searching for them; that nothing lies between the lists, from above. What is
believed: that neurovarieties grow with hidden widths up to the saturated ones, and the rules for upper bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from polygeom.dimensions.proofs.decoding import LARGEST, Natural, Positive, Record, Text, Version, decode
from polygeom.dimensions.proofs.jacobians import jacobian, rank
from polygeom.dimensions.proofs.limits import MEMORY, SECONDS, Budget
from polygeom.dimensions.proofs.outcome import Verification, run
from polygeom.dimensions.proofs.programs import read
from polygeom.dimensions.proofs.rules import Step, holds, monomials, product
from polygeom.errors import CertificateError

PRIME = 33554393
_WITNESSES = 4
MOST_LISTED = 200_000
_GAP = "the search for what is left out"
_TUPLE = 32
"""Bytes, and elementary steps, of an entry of a tuple of Python."""

Point = tuple[int, ...]
Width = Annotated[int, Meta(ge=1, le=10**6)]
Widths = Annotated[list[Width | None], Meta(max_length=200)]
Several = Meta(max_length=MOST_LISTED)


class Claim(Record, frozen=True):
    """How many architectures there are, and whether the list is complete."""

    complete: bool
    count: Natural


class Architecture(Record, frozen=True):
    """A minimal filling architecture; for each hidden layer the number of the box below it; minimality proved."""

    widths: Widths
    predecessors: Annotated[list[Natural | None], Meta(max_length=200)]
    proved: bool


class Box(Record, frozen=True):
    """Largest widths of architectures that are not filling, null for any width, and why, if it is proved."""

    widths: Widths
    bound: Step | None


class FrontierCertificate(Record, frozen=True):
    """All fields of the certificate of a frontier; see ``docs/certificates.md``."""

    kind: Literal["frontier"]
    format: Literal[2]
    version: Version
    network: Text
    inputs: Width
    outputs: Width
    degrees: Annotated[list[Width], Meta(min_length=1, max_length=200)]
    claim: Claim
    architectures: Annotated[list[Architecture], Several]
    excluded: Annotated[list[Box], Several]
    open: Annotated[list[Annotated[list[Positive], Meta(max_length=200)]], Several]


def verify_frontier(
    certificate: Mapping[str, Any], *, timeout: float = SECONDS, memory: int = MEMORY, rng: int = 0
) -> Verification:
    """Check every claim of a certificate made by `Frontier.certificate`.

    Parameters
    ----------
    certificate:
        Plain data, as read from JSON.
    timeout, memory:
        Seconds and bytes that the check may use.
    rng:
        Seed of the weights and points at which filling is confirmed. Any choice that confirms it proves it.

    Raises
    ------
    CertificateError
        If it is not a certificate of a frontier. A certificate that is false gives ``valid=False``.
    BudgetError
        If the check does not fit into the limits.

    Examples
    --------
    >>> from polygeom.dimensions.frontier.search import frontier
    >>> verify_frontier(frontier(2, 1, 2, 4).certificate()).valid
    True
    """
    return check(decode(certificate, FrontierCertificate), Budget(timeout, memory), rng)


def check(certificate: FrontierCertificate, budget: Budget, rng: int = 0) -> Verification:
    """Check a decoded certificate."""
    claims = _Claims(certificate, budget)
    count, whole = len(claims.filling), claims.whole
    text = f"{count} architectures {certificate.network} are filling and minimal"
    text += ", and there are no others" if whole else "; there may be others"
    return run(
        text,
        [
            (lambda: certificate.network == claims.question, f"the question is {claims.question}"),
            (lambda: certificate.claim.count == count, f"the list has the claimed length {certificate.claim.count}"),
            (lambda: certificate.claim.complete is whole, f"called {'complete' if whole else 'not complete'}"),
            (lambda: claims.increasing(), "no architecture is listed twice"),
            (
                lambda: all(map(claims.predecessors_hold, range(count))),
                f"{count} architectures have predecessors in boxes",
            ),
            (lambda: claims.gap() is None, "no architecture is left out"),
            (
                lambda: all(map(claims.excludes, range(len(claims.boxes)))),
                f"{len(claims.boxes)} boxes are excluded by their bounds, as far as these are given",
            ),
            (lambda: all(claims.fills(point, rng) for point in claims.filling), f"{count} architectures fill"),
        ],
        certificate.network,
        certificate.version,
    )


class _Claims:
    """A certificate with widths as points; raises `CertificateError` on widths that are none of the question."""

    def __init__(self, data: FrontierCertificate, budget: Budget) -> None:
        self.data, self.budget = data, budget
        self.degrees = tuple(data.degrees)
        self.top = tuple(monomials(data.inputs, product(self.degrees[: k + 1])) for k in range(len(self.degrees)))
        self.ambient = data.outputs * monomials(data.inputs, product(self.degrees))
        if max(*self.top, self.ambient) > LARGEST:
            budget.step("the ambient dimension", float("inf"))
        self.filling = [self._point(entry.widths) for entry in data.architectures]
        self.boxes = [self._point(entry.widths) for entry in data.excluded]
        self.open = [self._point(widths) for widths in data.open]

    def _point(self, widths: Sequence[int | None]) -> Point:
        ends = (self.data.inputs, self.data.outputs)
        if len(widths) == len(self.top) + 2 and (widths[0], widths[-1]) == ends:
            point = tuple(s if w is None else w for w, s in zip(widths[1:-1], self.top, strict=True))
            if all(w <= s for w, s in zip(point, self.top, strict=True)):
                return point
        raise CertificateError(f"certificate: {widths!s:.60} are not widths of {self.question}; write it again")

    @property
    def question(self) -> str:
        """``(2,*,*,1) r=2``."""
        r = self.degrees[:1] if len(set(self.degrees)) == 1 else self.degrees
        stars = ",*" * len(self.degrees)
        return f"({self.data.inputs}{stars},{self.data.outputs}) r={','.join(map(str, r))}"

    @property
    def whole(self) -> bool:
        """Whether nothing is open and every box has a bound."""
        return not self.open and all(box.bound is not None for box in self.data.excluded)

    def increasing(self) -> bool:
        """Whether the architectures are in increasing order, so that none is listed twice, with all widths written."""
        written = all(None not in entry.widths for entry in self.data.architectures)
        return written and all(a < b for a, b in zip(self.filling, self.filling[1:], strict=False))

    def predecessors_hold(self, i: int) -> bool:
        """Whether each architecture with one neuron less lies in its box, and minimality is called what it is."""
        entry, point = self.data.architectures[i], self.filling[i]
        if len(entry.predecessors) != len(point):
            return False
        proved = True
        for k, number in enumerate(entry.predecessors):
            self.budget.step("the predecessors")
            target = (*point[:k], point[k] - 1, *point[k + 1 :])
            if number is None:
                if target[k] > 0:
                    return False
                continue
            if target[k] == 0 or number >= len(self.boxes) or not _below(target, self.boxes[number]):
                return False
            proved = proved and self.data.excluded[number].bound is not None
        return proved is entry.proved

    def excludes(self, i: int) -> bool:
        """Whether the bound of a box, if there is one, is a true one for its widest architecture, and too small."""
        bound = self.data.excluded[i].bound
        if bound is None:
            return True
        asked = ((self.data.inputs, *self.boxes[i], self.data.outputs), self.degrees)
        return bound.case == asked and bound.value < self.ambient and holds(bound, self.budget)

    def gap(self) -> Point | None:
        """An architecture that is neither above a listed or open one nor in a box; None if there is none."""
        return find_gap(self.top, [*self.filling, *self.open], self.boxes, self.budget.step)

    def fills(self, point: Point, seed: int) -> bool:
        """Whether some weights show that an architecture has the ambient dimension."""
        widths = (self.data.inputs, *point, self.data.outputs)
        text = f"[{','.join(map(str, widths))}] r={','.join(map(str, self.degrees))}"
        program = read(text)
        count = -(-self.ambient // program.outputs)
        if program.weights < self.ambient:
            return False
        for witness in range(_WITNESSES):
            self.budget.rank("the rank of an architecture", count * program.outputs, program.weights)
            draw = np.random.default_rng((seed, witness)).integers
            weights, points = draw(0, PRIME, size=program.weights), draw(0, PRIME, size=(count, program.inputs))
            if rank(jacobian(program, PRIME, weights, points, self.budget), PRIME) == self.ambient:
                return True
        return False


def _below(a: Sequence[int], b: Sequence[int]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True))


def find_gap(
    top: Sequence[int],
    filling: Sequence[Point],
    boxes: Sequence[Point],
    step: Callable[..., None] = lambda what, operations=0, size=0: None,
) -> Point | None:
    """A point of ``1 ≤ x ≤ top`` neither ``≥`` an element of ``filling`` nor ``≤`` a box; None if there is none.

    From above: the largest points that are ``≥`` none of the elements taken so far are lowered below the next element,
    one coordinate at a time; those in a box are done with. No order of the elements leaves out a point; that of their
    sums keeps few at a time. There can be exponentially many: ``step`` is called with the operations and bytes of what
    comes next, as `Budget.step`, and may raise.

    >>> find_gap((3, 5), [(2, 3)], [(1, 5), (3, 2)]), find_gap((3, 5), [(2, 3)], [(1, 4), (3, 2)])
    (None, (1, 5))
    """
    depth, held = len(top), _Held(boxes, step)
    kind = np.int32 if max(top) < 2**31 else np.int64
    left: np.ndarray = np.array([top] if not held.somewhere(tuple(top)) else [], kind).reshape(-1, depth).T
    for element in sorted(filling, key=lambda one: (sum(one), one)):
        count = left.shape[1]
        step(_GAP, 2 * depth * count, 24 * depth * count)
        if not count:
            return None
        short = np.zeros(count, np.int32)
        for line, edge in zip(left, element, strict=True):
            short += line < edge
        above, beside = left[:, short == 0], left[:, short == 1]
        parts = [left[:, short > 0]]
        for k, edge in enumerate(element):
            if edge > 1 and above.shape[1]:
                parts.append(_lowered(above, k, edge - 1, beside[:, beside[k] == edge - 1], held, step))
        left = np.concatenate(parts, axis=1)
    return tuple(left[:, 0].tolist()) if left.shape[1] else None


def _lowered(
    above: np.ndarray, k: int, value: int, beside: np.ndarray, held: _Held, step: Callable[..., None]
) -> np.ndarray:
    """Columns ``≥ f`` with coordinate k lowered to ``value = f_k - 1``: those in no box and below no other point.

    A point q ``≥`` a lowered one that is not ``≥ f`` has ``q_j ≥ f_j`` for all j but k, so ``q_k = f_k - 1``: it is one
    of the columns ``beside``, or lowered in k itself.
    """
    depth, count = above.shape
    step(_GAP, (_TUPLE + held.words) * depth * count, _TUPLE * depth * count)
    moved = above.copy()
    moved[k] = value
    free = [point for point in set(map(tuple, moved.T.tolist())) if not held.somewhere(point)]
    moved = np.array(free, above.dtype).reshape(-1, depth).T
    rivals = np.concatenate([beside, moved], axis=1)
    step(_GAP, depth * len(free) * rivals.shape[1], 8 * depth * rivals.shape[1])
    largest = [int((rivals >= point[:, None]).all(axis=0).sum()) == 1 for point in moved.T]
    found: np.ndarray = moved[:, np.array(largest, bool)]
    return found


class _Held:
    """The boxes as sets of numbers, written as bits: for each coordinate and value those that reach it."""

    def __init__(self, boxes: Sequence[Point], step: Callable[..., None]) -> None:
        self._columns, self._count, self._step = list(zip(*boxes, strict=True)), len(boxes), step
        self.words = len(boxes) // 64
        """Machine words of one set."""
        self._sets: dict[tuple[int, int], int] = {}

    def somewhere(self, point: Point) -> bool:
        """Whether a box contains the point."""
        common = -1
        for k, value in enumerate(point):
            if (k, value) not in self._sets:
                self._step(_GAP, self._count, (len(self._sets) + 1) * self._count / 8)
                digits = "".join("1" if b >= value else "0" for b in self._columns[k]) if self._columns else ""
                self._sets[k, value] = int(digits or "0", 2)
            common &= self._sets[k, value]
        return bool(common)
