"""Check the certificate of a frontier by a path of its own.

What is repeated differently: filling, by the plain Jacobian in int64 dual numbers at weights and points drawn here, its
rank by FLINT; the bounds, step by step, without searching for them; that nothing lies between the lists, coordinate by
coordinate instead of by dualisation. What is believed: that neurovarieties grow with hidden widths up to the saturated
ones, and the rules for upper bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polygeom.dimension.bounds.perceptrons import Bound, bound_from_dict, check
from polygeom.dimension.counts import Degrees, ambient_dimension, saturated_widths
from polygeom.dimension.frontier.cover import Point, below, find_gap
from polygeom.dimension.frontier.result import FORMAT, KIND, lowered, shape
from polygeom.dimension.proofs.verification import Verification, dual_jacobian, flint_rank
from polygeom.errors import PolygeomError
from polygeom.network import mlp

PRIME = 33554393
_WITNESSES = 4

Line = tuple[bool, str]


def verify_frontier(certificate: Mapping[str, Any], *, rng: int = 0) -> Verification:
    """Check every claim of a certificate made by `Frontier.certificate`.

    Parameters
    ----------
    certificate:
        Plain data, as read from JSON.
    rng:
        Seed of the weights and points at which filling is confirmed. Any choice that confirms it proves it.

    Raises
    ------
    PolygeomError
        If it is not a well-formed frontier certificate of a known format. A well-formed false one gives
        ``valid=False``.

    Examples
    --------
    >>> from polygeom.dimension.frontier.search import frontier
    >>> verify_frontier(frontier(2, 1, 2, 4).certificate()).valid
    True
    """
    if certificate.get("kind") != KIND or certificate.get("format") != FORMAT:
        raise PolygeomError(
            f"certificate: kind and format must be {KIND!r} and {FORMAT}, got {certificate.get('kind')!r} and "
            f"{certificate.get('format')!r}; a newer format needs a newer polygeom"
        )
    try:
        claims = _Claims(certificate)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise PolygeomError(f"certificate: a field is missing or malformed ({error!r}); write it again") from error
    outcomes = list(claims.outcomes(rng))
    return Verification(
        all(ok for ok, _ in outcomes), tuple(f"{'ok' if ok else 'FALSE'}: {text}" for ok, text in outcomes)
    )


class _Claims:
    """A certificate, read; raises on anything that has not the shape of one."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.inputs, self.outputs = int(data["inputs"]), int(data["outputs"])
        self.degrees: Degrees = tuple(int(r) for r in data["degrees"])
        if min(self.inputs, self.outputs, *self.degrees) < 1 or np.prod(self.degrees, dtype=object) > 10**6:
            raise ValueError("inputs, outputs and degrees must be positive and of reasonable size")
        self.top = saturated_widths(self.inputs, self.degrees)
        self.ambient = ambient_dimension((self.inputs, self.outputs), self.degrees)
        self.claim = {"complete": bool(data["claim"]["complete"]), "count": int(data["claim"]["count"])}
        self.filling = [self._point(entry["widths"]) for entry in data["architectures"]]
        self.reasons = [[None if n is None else int(n) for n in e["predecessors"]] for e in data["architectures"]]
        self.minimal = [bool(entry["proved"]) for entry in data["architectures"]]
        self.boxes = [self._point(entry["widths"]) for entry in data["excluded"]]
        self.bounds = [None if e["bound"] is None else bound_from_dict(e["bound"]) for e in data["excluded"]]
        self.open = [self._point(widths) for widths in data["open"]]

    def _point(self, widths: Sequence[int | None]) -> Point:
        if len(widths) != len(self.top) + 2 or (widths[0], widths[-1]) != (self.inputs, self.outputs):
            raise ValueError(f"{widths} are not widths of this question")
        point = tuple(s if w is None else int(w) for w, s in zip(widths[1:-1], self.top, strict=True))
        if not all(1 <= w <= s for w, s in zip(point, self.top, strict=True)):
            raise ValueError(f"{widths} are out of range")
        return point

    def outcomes(self, rng: int) -> Iterator[Line]:
        """Every check, as its outcome and a line."""
        fills = [i for i, p in enumerate(self.filling) if _fills((self.inputs, *p, self.outputs), self.degrees, rng)]
        yield self._all("architectures have the ambient rank", len(self.filling), fills, self.filling)
        yield self._all(
            "boxes are excluded by their bound", len(self.boxes), self._holding(), self.boxes, self._proved()
        )
        minimal = [i for i in range(len(self.filling)) if self._predecessors_hold(i)]
        yield self._all("architectures have excluded predecessors only", len(self.filling), minimal, self.filling)
        gap = find_gap(self.top, [*self.filling, *self.open], self.boxes)
        yield gap is None, "no architecture is left out" if gap is None else f"{self._text(gap)} is left out"
        yield self.claim["count"] == len(self.filling), f"the list has the claimed length {self.claim['count']}"
        whole = not self.open and all(bound is not None for bound in self.bounds)
        yield self.claim["complete"] == whole, f"called {'complete' if self.claim['complete'] else 'not complete'}"

    def _proved(self) -> list[int]:
        return [i for i, bound in enumerate(self.bounds) if bound is not None]

    def _holding(self) -> list[int]:
        return [i for i, bound in enumerate(self.bounds) if bound is not None and self._excludes(bound, self.boxes[i])]

    def _excludes(self, bound: Bound, box: Point) -> bool:
        asked = ((self.inputs, *box, self.outputs), self.degrees)
        return (bound.widths, bound.degrees) == asked and bound.value < self.ambient and check(bound)

    def _predecessors_hold(self, i: int) -> bool:
        widths = (self.inputs, *self.filling[i], self.outputs)
        if len(self.reasons[i]) != len(self.top):
            return False
        for layer, number in enumerate(self.reasons[i], start=1):
            target = lowered(widths, layer)[1:-1]
            if 0 in target:
                continue
            if number is None or not 0 <= number < len(self.boxes) or not below(target, self.boxes[number]):
                return False
            if self.minimal[i] and self.bounds[number] is None:
                return False
        return True

    def _all(self, what: str, count: int, good: list[int], points: list[Point], asked: list[int] | None = None) -> Line:
        wanted = range(count) if asked is None else asked
        bad = [i for i in wanted if i not in set(good)]
        first = f"; not {self._text(points[bad[0]])}" if bad else ""
        unproved = count - len(wanted)
        return not bad, f"{len(good)} of {count} {what}{first}" + (f"; {unproved} are not claimed" if unproved else "")

    def _text(self, point: Point) -> str:
        return shape((self.inputs, *point, self.outputs))


def _fills(widths: tuple[int, ...], degrees: Degrees, seed: int) -> bool:
    network = mlp(widths, degrees)
    ambient = ambient_dimension(widths, degrees)
    points_needed = -(-ambient // widths[-1])
    if network.parameter_count < ambient:
        return False
    for witness in range(_WITNESSES):
        draw = np.random.default_rng((seed, witness)).integers
        weights = {name: draw(0, PRIME, size=shape) for name, shape in network.parameters.items()}
        points = draw(0, PRIME, size=(points_needed, widths[0]))
        if flint_rank(dual_jacobian(network, PRIME, weights, points), PRIME) == ambient:
            return True
    return False
