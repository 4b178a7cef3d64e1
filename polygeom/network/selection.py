"""Families of architectures: ranges with a range of depths, and filters on the shape and size of what they stand for.

``[2,2..4^1..3,1] r=2`` repeats the hidden stretch ``2..4`` once, twice and three times: an entry between the brackets
may be followed by ``^`` and a number, or a range of numbers, of layers. Everything else is as in
`polygeom.network.ranges`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise, product
from math import prod

from polygeom._dataclass import dataclass
from polygeom.checks import choice, integer
from polygeom.errors import FormatError, PolygeomError
from polygeom.network.builder import parse
from polygeom.network.graph import Network
from polygeom.network.limits import capped_monomials
from polygeom.network.ranges import Range, expand, stands_alone
from polygeom.network.shapes import SHAPES

MOST_LOOKED_AT = 20_000_000
"""Architectures that a selection with filters may have to look at."""

_REPEAT = re.compile(r"([^,\[\]^]*)\^[ \t]*([0-9]{1,4})(?:[ \t]*\.\.[ \t]*([0-9]{1,4}))?[ \t]*(?=[,\]])", re.ASCII)
_PLAIN = re.compile(r"\s*\[([0-9, \t]+)\]\s*r\s*=\s*([0-9]+(?:\s*,\s*[0-9]+)*)\s*", re.ASCII)
_MOST_DEPTHS = 1000
_MOST_LAYERS = 200


@dataclass(frozen=True)
class Selection:
    """The networks of several ranges that pass the filters, made one at a time; `architectures` makes it.

    Attributes
    ----------
    families:
        The ranges.
    shape, max_parameters, max_ambient:
        The filters; None where there is none.
    """

    families: tuple[Range, ...]
    shape: str | None = None
    max_parameters: int | None = None
    max_ambient: int | None = None

    @property
    def filtered(self) -> bool:
        """Whether there is any filter."""
        return (self.shape, self.max_parameters, self.max_ambient) != (None, None, None)

    def count(self) -> int:
        """Number of networks that pass. Without filters nothing is looked at; with filters every architecture is."""
        return self._count

    @cached_property
    def _count(self) -> int:
        if not self.filtered:
            return self._total
        return sum(1 for _ in self.texts())

    @property
    def _total(self) -> int:
        return sum(family.count() for family in self.families)

    def texts(self) -> Iterator[str]:
        """The texts of the networks that pass, in order."""
        if self.filtered and self._total > MOST_LOOKED_AT:
            raise PolygeomError(
                f"architectures: {self._total} are too many to filter, at most {MOST_LOOKED_AT}; write narrower ranges"
            )
        for family in self.families:
            yield from filter(self._passes, family.texts()) if self.filtered else family.texts()

    def __iter__(self) -> Iterator[Network]:
        return map(parse, self.texts())

    def _passes(self, text: str) -> bool:
        plain = _PLAIN.fullmatch(text)
        if plain is None:
            network = parse(text)
            widths = network.widths
            parameters, degree = network.parameter_count, network.degree
            inputs, outputs = network.input_dimension, network.output_dimension
        else:
            widths = tuple(int(w) for w in plain[1].split(","))
            degrees = [int(r) for r in plain[2].split(",")]
            parameters = sum(a * b for a, b in pairwise(widths))
            inputs, outputs = widths[0], widths[-1]
            degree = _power_product(degrees, len(widths) - 2)
        if self.shape is not None:
            if widths is None:
                raise PolygeomError(f"shape: {text} has no widths d_0, …, d_L; leave the filter out for this family")
            if not SHAPES[self.shape](widths):
                return False
        if self.max_parameters is not None and parameters > self.max_parameters:
            return False
        most = None if self.max_ambient is None else self.max_ambient // outputs
        return most is None or capped_monomials(inputs, degree, most + 1) <= most


def architectures(
    texts: str | Sequence[str],
    *,
    shape: str | None = None,
    max_parameters: int | None = None,
    max_ambient: int | None = None,
) -> Selection:
    """The networks that texts with ranges stand for and that pass all filters.

    Parameters
    ----------
    texts:
        One text, or several: ``"[2..4,2..5^1..3,1] r=2..3"``; see `polygeom.network.ranges.expand` and, for ``^``,
        the top of this page.
    shape:
        ``"non-increasing"`` (also called ``"pyramidal"``), ``"non-decreasing"``, ``"monotone"`` (either), or
        ``"unimodal"``; of all widths, inputs and outputs included.
    max_parameters:
        The largest number of weights.
    max_ambient:
        The largest ambient dimension: number of coefficients of the outputs, for networks without biases.

    Returns
    -------
    `Selection`: iterate over it for networks, ``texts()`` for their texts, ``count()`` for their number.

    Raises
    ------
    FormatError
        If a text is malformed.
    PolygeomError
        If a filter is out of its range.

    Examples
    --------
    >>> chosen = architectures("[2,2..3^1..2,1] r=2", shape="unimodal", max_parameters=15)
    >>> chosen.count(), list(chosen.texts())
    (5, ['[2,2,1] r=2', '[2,3,1] r=2', '[2,2,2,1] r=2', '[2,2,3,1] r=2', '[2,3,2,1] r=2'])
    """
    if shape is not None:
        choice("shape", shape, SHAPES)
    for name, value in (("max_parameters", max_parameters), ("max_ambient", max_ambient)):
        if value is not None:
            integer(name, value)
    given = [texts] if isinstance(texts, str) else list(texts)
    families = [expand(one) for text in given for one in expand_depths(text)]
    return Selection(tuple(families), shape, max_parameters, max_ambient)


def expand_depths(text: str) -> list[str]:
    """The texts without ``^`` that ``text`` stands for, in the order of counting.

    Raises
    ------
    FormatError
        If a repetition is malformed, empty, or makes more than 1,000 texts or 200 layers.

    Examples
    --------
    >>> expand_depths("[2,3..4^1..2,1] r=2")
    ['[2,3..4,1] r=2', '[2,3..4,3..4,1] r=2']
    """
    if "^" not in text or stands_alone(text):
        return [text]
    pieces: list[str] = []
    repeats: list[tuple[str, range]] = []
    end = 0
    for match in _REPEAT.finditer(text):
        first, last = int(match[2]), int(match[3] or match[2])
        if not match[1].strip():
            raise FormatError("nothing is repeated", text, match.start(2) - 1, "write for example 2..4^1..3")
        if not 0 < first <= last <= _MOST_LAYERS:
            hint = f"write numbers of layers from 1 to {_MOST_LAYERS}, the smaller first"
            raise FormatError("not a number of layers", text, match.start(2), hint)
        pieces.append(text[end : match.start()])
        repeats.append((match[1], range(first, last + 1)))
        end = match.end()
    rest = text[end:]
    if "^" in rest:
        hint = "write an entry, ^ and a number of layers, as in [2,3^2..4,1]"
        raise FormatError("a repetition without a number", text, end + rest.index("^"), hint)
    if prod(len(counts) for _, counts in repeats) > _MOST_DEPTHS:
        raise FormatError(f"more than {_MOST_DEPTHS} depths", text, text.index("^"), "write narrower ranges after ^")
    return [
        "".join(
            piece + ",".join([entry] * count) for piece, (entry, _), count in zip(pieces, repeats, chosen, strict=True)
        )
        + rest
        for chosen in product(*(counts for _, counts in repeats))
    ]


def _power_product(degrees: Sequence[int], layers: int) -> int:
    if len(degrees) == 1:
        return int(degrees[0] ** layers) if layers * degrees[0].bit_length() < 10_000 else 1 << 10_000
    total = 1
    for r in degrees:
        total = min(total * r, 1 << 10_000)
    return total
