"""What a page consists of, as plain data: facts with their standing, paragraphs, and figures as numbers to be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Any

from polygeom._dataclass import dataclass

PROVED = "proved"
PROBABLE = "probable"
OBSERVED = "observed"
COUNTED = ""
"""Standing of a fact that is a definition or a count and needs no proof."""
UNFINISHED = "Not finished in the time that was given; write a larger --timeout."
"""The lead of a section without an answer."""


@dataclass(frozen=True)
class Fact:
    """One statement.

    Parameters
    ----------
    label, value:
        What, and how much.
    standing:
        `PROVED`: a theorem or a checked computation; `PROBABLE`: with a proved error probability; `OBSERVED`: measured
        in floating point or by training; `COUNTED`.
    note:
        Why, or a source.
    """

    label: str
    value: str
    standing: str = COUNTED
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """Numbers to be drawn by `polygeom.report.figures`.

    Parameters
    ----------
    kind:
        Name of the drawing function.
    data:
        Its arguments, as JSON values.
    caption:
        What the figure shows and how to read it.
    """

    kind: str
    data: Mapping[str, Any]
    caption: str


@dataclass(frozen=True)
class Section:
    """A headline with facts, equations ``formulas`` (= 0), paragraphs and figures; ``lead`` answers its question."""

    title: str
    lead: str = ""
    facts: tuple[Fact, ...] = ()
    paragraphs: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = field(default=())
    formulas: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)
