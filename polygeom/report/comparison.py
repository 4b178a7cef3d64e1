"""Two portraits side by side: the same questions, two answers."""

from __future__ import annotations

from html import escape
from textwrap import wrap
from typing import Any

from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.report.composition import Portrait
from polygeom.report.terminal import WIDTH

_TITLE = "Two polynomial networks compared."


@dataclass(frozen=True)
class Comparison:
    """Two portraits, question by question.

    Attributes
    ----------
    first, second:
        Of the two networks.

    Examples
    --------
    >>> from polygeom.report import portrait
    >>> pages = (portrait(text, training=False) for text in ("[3,2,1] r=2", "[3,3,1] r=2"))
    >>> [row for row in Comparison(*pages).rows() if row[1] == "dimension"]
    [('How big is it?', 'dimension', '5', '6')]
    """

    first: Portrait
    second: Portrait

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Section, what is asked, and both answers; one that a page does not have is empty."""
        found: dict[tuple[str, str], list[str]] = {}
        for place, page in enumerate((self.first, self.second)):
            for section in page.sections:
                if section.lead:
                    found.setdefault((section.title, ""), ["", ""])[place] = section.lead
                for fact in section.facts:
                    text = f"{fact.value} ({fact.standing})" if fact.standing not in ("", "proved") else fact.value
                    found.setdefault((section.title, fact.label), ["", ""])[place] = text
        order = list(dict.fromkeys(title for title, _ in found))
        rows = [(title, label, one, other) for (title, label), (one, other) in found.items()]
        return sorted(rows, key=lambda row: order.index(row[0]))

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: both pages."""
        return {"first": self.first.as_dict(), "second": self.second.as_dict(), "version": __version__}

    def to_text(self) -> str:
        """The table for a terminal; a star marks what differs."""
        lines = [f"{self.first.network}   and   {self.second.network}", _TITLE, ""]
        title = None
        for section, label, one, other in self.rows():
            if section != title:
                lines += ["", section]
                title = section
            mark = "*" if one != other else " "
            if label:
                lines.append(f" {mark} {label}: {one or '–'}   |   {other or '–'}")
            elif one == other:
                lines += wrap(one, WIDTH, initial_indent="   ", subsequent_indent="   ")
            else:
                for page, lead in ((self.first, one), (self.second, other)):
                    start = f" {mark} {page.network}: "
                    lines += wrap(lead or "–", WIDTH, initial_indent=start, subsequent_indent="     ")
        return "\n".join(lines) + "\n"

    def to_html(self) -> str:
        """The table as one HTML file without references to anything outside."""
        from polygeom.report.html import STYLE

        body = []
        title = None
        for section, label, one, other in self.rows():
            if section != title:
                body.append(f'<tr><th colspan="3"><h2>{escape(section)}</h2></th></tr>')
                title = section
            differs = ' class="differs"' if one != other else ""
            cells = "".join(f"<td>{escape(text)}</td>" for text in (label, one, other))
            body.append(f"<tr{differs}>{cells}</tr>")
        names = [f"<code>{escape(page.network)}</code>" for page in (self.first, self.second)]
        return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(self.first.network)} and {escape(self.second.network)}</title>
<style>{STYLE}
.differs td {{ font-weight: 600 }} td {{ vertical-align: top; padding-right: 1rem }}</style>
</head>
<body><main>
<header><h1>{names[0]} and {names[1]}</h1><p>{_TITLE} What differs is bold.</p></header>
<table><tr><td></td><td>{names[0]}</td><td>{names[1]}</td></tr>
{chr(10).join(body)}
</table>
<footer>polygeom {__version__}, seed {self.first.seed}. Dimensions are affine.</footer>
</main></body>
</html>
"""


__all__ = ["Comparison"]
