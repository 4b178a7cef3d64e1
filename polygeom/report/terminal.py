"""A page as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from polygeom.report.page import Fact, Figure, Section

WIDTH = 100
_WIDEST_LABEL = 40
_BARS = "▁▂▃▄▅▆▇█"


def text_page(title: str, subtitle: str, sections: Iterable[Section], footer: str) -> str:
    """The page in lines of at most `WIDTH` characters (formulas are not broken); figures become one line each."""
    lines = [title, "=" * min(len(title), WIDTH), *_wrapped(subtitle, ""), ""]
    for section in sections:
        lines += [section.title, "-" * len(section.title)]
        lines += _wrapped(section.lead, "") if section.lead else []
        width = min(_WIDEST_LABEL, max((len(fact.label) for fact in section.facts), default=0))
        for fact in section.facts:
            lines += _fact(fact, width)
        for formula in section.formulas:
            lines += _wrapped(f"{formula} = 0", "  ")
        for paragraph in section.paragraphs:
            lines += _wrapped(paragraph, "  ")
        for figure in section.figures:
            lines += _sketch(figure)
        lines.append("")
    return "\n".join([*lines, *_wrapped(footer, "")]) + "\n"


def _wrapped(text: str, indent: str, first: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _fact(fact: Fact, width: int) -> list[str]:
    standing = f"  ({fact.standing})" if fact.standing else ""
    if len(fact.label) > width:  # a label that is a sentence stands above what it asks for
        head = "      "
        lines = [*_wrapped(fact.label, "  "), *_wrapped(f"{fact.value}{standing}", head)]
    else:
        head = f"  {fact.label.ljust(width)}  "
        lines = _wrapped(f"{fact.value}{standing}", " " * len(head), head)
    if fact.note:
        lines += _wrapped(fact.note, " " * len(head))
    return lines


def _sketch(figure: Figure) -> Iterator[str]:
    """One line for the figures that are a curve; the others are for paper."""
    if figure.kind == "threshold":
        errors = [sorted(row)[len(row) // 2] for row in figure.data["errors"]]
        places = figure.data["places"]
        yield f"  {figure.data['measure']}, {figure.data['label']} {places[0]} … {places[-1]}: {_bars(errors)}"
    elif figure.kind == "spectrum":
        yield f"  eigenvalues: {_bars(figure.data['values'][: WIDTH // 2])}"


def _bars(values: Iterable[float]) -> str:
    """Values as a row of blocks, on a logarithmic scale."""
    import math

    logs = [math.log10(max(float(v), 1e-34)) for v in values]
    low, high = min(logs), max(logs)
    span = (high - low) or 1.0
    return "".join(_BARS[round((v - low) / span * (len(_BARS) - 1))] for v in logs)
