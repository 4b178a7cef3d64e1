"""Many networks in one text: ``[2..4,2|5,1] r=2..3`` stands for 3 · 2 · 2 networks.

Wherever a text of `polygeom.network.text.notation` has a positive integer, a range may stand: integers and stretches
``a..b``, joined by ``|``. The networks come in the order of counting: the last range moves first. Commas keep their
meaning, so that ``r=2,3`` is one network with two activation degrees and ``r=2|3`` are two networks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cached_property

from polygeom._dataclass import dataclass
from polygeom.errors import FormatError
from polygeom.network.builder import parse
from polygeom.network.grammar.scanner import Scanner, ascii_text
from polygeom.network.graph import Network
from polygeom.network.limits import LARGEST_WIDTH

_EXAMPLE = "write for example [2..4,2|5,1] r=2..3"
_START = re.compile(r"(?<![0-9A-Za-z_.])[0-9]+[ \t]*(?:\.\.|\|)")
_LOOSE = re.compile(r"\.\.+|\|")
_MOST_CHOICES = 100
_MOST_STRETCHES = 1000


@dataclass(frozen=True)
class Choice:
    """Integers in the order in which they were written: stretches ``(first, last)``, both ends included."""

    stretches: tuple[tuple[int, int], ...]

    @cached_property
    def count(self) -> int:
        """Number of integers."""
        return sum(last - first + 1 for first, last in self.stretches)

    def __getitem__(self, index: int) -> int:
        for first, last in self.stretches:
            if index <= last - first:
                return first + index
            index -= last - first + 1
        raise IndexError("choice index out of range")


@dataclass(frozen=True)
class Range:
    """The networks of a text with ranges, made one at a time.

    ``pieces`` are the parts of the text around the ranges ``choices``, one more of them. A network that does not exist,
    for instance with a filter longer than its input, is refused when it is reached, with its own text in the error;
    `texts` gives all texts without reading them.
    """

    pieces: tuple[str, ...]
    choices: tuple[Choice, ...]

    def count(self) -> int:
        """Number of networks, without making any."""
        return math.prod(choice.count for choice in self.choices)

    def text(self, index: int) -> str:
        """The text of network ``index``, counted from 0."""
        if not 0 <= index < self.count():
            raise IndexError(f"range: index must be from 0 to {self.count() - 1}, got {index}")
        parts = [self.pieces[-1]]
        for piece, choice in zip(reversed(self.pieces[:-1]), reversed(self.choices), strict=True):
            index, position = divmod(index, choice.count)
            parts += [str(choice[position]), piece]
        return "".join(reversed(parts))

    def texts(self) -> Iterator[str]:
        """The texts of all networks, in order."""
        return (self.text(index) for index in range(self.count()))

    def __iter__(self) -> Iterator[Network]:
        return map(parse, self.texts())

    def __getitem__(self, index: int) -> Network:
        return parse(self.text(index))


def expand(text: str) -> Range:
    """The networks that ``text`` stands for; a text without ranges stands for one.

    Parameters
    ----------
    text:
        As for `polygeom.network.parse`, with ranges in place of positive integers. JSON, maps and formulas have none.

    Raises
    ------
    FormatError
        When a range is malformed or empty; or when the first network is, and the error then
        shows the text of that one.

    Examples
    --------
    >>> networks = expand("[2..3,2|5,1] r=2")
    >>> networks.count()
    4
    >>> [str(network) for network in networks]
    ['[2,2,1] r=2', '[2,5,1] r=2', '[3,2,1] r=2', '[3,5,1] r=2']
    """
    text = ascii_text(text, "range", "[2..4,2|5,1] r=2..3")
    result = Range((text,), ()) if stands_alone(text) else _split(text)
    parse(result.text(0))
    return result


def stands_alone(text: str) -> bool:
    """Whether a text has no ranges and repetitions: JSON, and maps and formulas, whose ``^`` is a power."""
    return re.match(r"\s*(\{|map\b)", text) is not None or '"' in text


def _split(text: str) -> Range:
    pieces: list[str] = []
    choices: list[Choice] = []
    end = 0
    while match := _START.search(text, end):
        scanner = Scanner(text, match.start())
        if text[: match.start()].rstrip(" \t").endswith("-"):
            scanner.fail("a range of negative numbers", "write a range of positive integers, or each text by itself")
        if len(choices) == _MOST_CHOICES:
            scanner.fail(f"more than {_MOST_CHOICES} ranges", "write fewer, and several texts")
        _no_loose_ends(text, end, match.start())
        pieces.append(text[end : match.start()])
        choices.append(_read_choice(scanner))
        end = len(text[: scanner.position].rstrip())  # blanks after a range belong to the next piece
    _no_loose_ends(text, end, len(text))
    return Range((*pieces, text[end:]), tuple(choices))


def _read_choice(s: Scanner) -> Choice:
    stretches: list[tuple[int, int]] = []
    while True:
        start = s.position
        first = last = s.integer("range", 1, LARGEST_WIDTH, _EXAMPLE)
        if s.take(".."):
            last = s.integer("end of the range", 1, LARGEST_WIDTH, f"write the last number too, {first}..{first + 2}")
        if last < first:
            s.fail(f"the range {first}..{last} is empty", f"write {last}..{first}", start)
        if s.peek(".."):
            s.fail("a range with a step", "write its numbers, as in 2|4|6")
        stretches.append((first, last))
        if len(stretches) > _MOST_STRETCHES:
            s.fail(f"more than {_MOST_STRETCHES} parts in one range", "write a..b for numbers in a row")
        if not s.take("|"):
            return Choice(tuple(stretches))


def _no_loose_ends(text: str, start: int, end: int) -> None:
    loose = _LOOSE.search(text, start, end)
    if loose:
        hint = "write 2..4 with a number on both sides, or 2|5"
        raise FormatError(f"{loose.group()[:2]!r} without a number before it", text, loose.start(), hint)
