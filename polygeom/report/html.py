"""A page as one self-contained HTML file: no scripts, no fonts, no pictures from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from polygeom.report.figures import svg
from polygeom.report.formulas import mathml
from polygeom.report.page import Fact, Figure, Section

STYLE = """
:root { --ink: #1d2733; --quiet: #5b6672; --line: #e3e7ec; --accent: #c2410c; --paper: #ffffff; --ground: #f5f6f8; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 50rem; margin: 2rem auto; padding: 2.5rem 3rem 2rem; background: var(--paper);
  border: 1px solid var(--line); border-radius: 6px; }
header { border-bottom: 2px solid var(--ink); margin-bottom: 1.5rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h1 code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 1.55rem; }
header p { margin: 0 0 1.1rem; color: var(--quiet); }
section { margin: 0 0 2rem; }
h2 { font-size: 1.12rem; margin: 0 0 .25rem; }
.lead { margin: 0 0 .7rem; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 .8rem; font-size: .93rem; }
td { padding: .32rem .8rem .32rem 0; border-top: 1px solid var(--line); vertical-align: baseline; }
tr:last-child td { border-bottom: 1px solid var(--line); }
td:first-child { color: var(--quiet); width: 32%; }
td.value { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.note { color: var(--quiet); display: block; font-size: .86rem; }
.standing { font-size: .74rem; letter-spacing: .03em; padding: .08rem .45rem; border-radius: 3px; margin-left: .5rem;
  white-space: nowrap; border: 1px solid currentColor; }
.proved { color: #166534; } .probable { color: #8a5a00; } .observed { color: #1d5f8a; }
figure { margin: .8rem 0 .4rem; break-inside: avoid; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { color: var(--quiet); font-size: .86rem; margin-top: .25rem; }
p.more { margin: .5rem 0; overflow-wrap: anywhere; }
footer { color: var(--quiet); font-size: .82rem; border-top: 1px solid var(--line); padding-top: .9rem; }
@media (max-width: 40rem) { main { margin: 0; padding: 1.4rem 1.1rem; border: 0; border-radius: 0; } }
@media print {
  @page { margin: 16mm 15mm; }
  body { background: none; font-size: 10.5pt; }
  main { border: 0; margin: 0; padding: 0; max-width: none; }
  section { margin-bottom: 1.1rem; }
  h2, .lead { break-after: avoid; }
  tr, figure { break-inside: avoid; }
  figure svg { width: 82%; margin: 0 auto; }
}
"""


def html_page(title: str, subtitle: str, sections: Iterable[Section], footer: str) -> str:
    """The page as the text of an HTML file.

    Parameters
    ----------
    title:
        Set as code: the text of a network.
    subtitle, footer:
        Plain text above and below the sections.
    sections:
        In order.
    """
    body = "\n".join(_section(section) for section in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<header>
<h1><code>{escape(title)}</code></h1>
<p>{escape(subtitle)}</p>
</header>
{body}
<footer>{escape(footer)}</footer>
</main>
</body>
</html>
"""


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>"]
    if section.lead:
        parts.append(f'<p class="lead">{escape(section.lead)}</p>')
    if section.facts:
        parts.append("<table>" + "".join(_row(fact) for fact in section.facts) + "</table>")
    parts += [mathml(f"{formula} = 0") for formula in section.formulas]
    parts += [f'<p class="more">{escape(text)}</p>' for text in section.paragraphs]
    parts += [_figure(figure) for figure in section.figures]
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _row(fact: Fact) -> str:
    standing = f'<span class="standing {fact.standing}">{fact.standing}</span>' if fact.standing else ""
    note = f'<span class="note">{escape(fact.note)}</span>' if fact.note else ""
    return f'<tr><td>{escape(fact.label)}</td><td class="value">{escape(fact.value)}{standing}{note}</td></tr>'


def _figure(figure: Figure) -> str:
    drawing = svg(figure).replace("<svg ", f'<svg role="img" aria-label="{escape(figure.caption)}" ', 1)
    return f"<figure>{drawing}<figcaption>{escape(figure.caption)}</figcaption></figure>"
