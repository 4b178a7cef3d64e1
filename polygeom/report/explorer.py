"""The atlas as one self-contained HTML file: filters, a sorted table, explanations, and maps over two widths.

The page holds all rows, compressed; its policy of contents forbids it to load anything, from anywhere.
"""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polygeom._version import __version__
from polygeom.dimensions.bounds import rules as _rules  # noqa: F401 - fills the register
from polygeom.dimensions.bounds.bound import RULES
from polygeom.tables.conjectures import need

if TYPE_CHECKING:
    import pandas

NUMBERS = {
    "activation": "activation",
    "depth": "depth",
    "parameters": "parameters",
    "ambient": "ambient_dimension",
    "expected": "expected_dimension",
    "dimension": "dimension",
    "defect": "defect",
    "identifiable": "identifiable",
}
"""Columns of the page, and of the table."""


def explorer_page(table: pandas.DataFrame) -> str:
    """The page as the text of an HTML file.

    Parameters
    ----------
    table:
        The atlas, or rows of it: a frame with the columns of `polygeom.load_atlas`.

    Raises
    ------
    PolygeomError
        If a column is missing.

    Examples
    --------
    >>> from polygeom import load_atlas
    >>> page = explorer_page(load_atlas().head(100))
    >>> "http" in page.replace("http-equiv", "")
    False
    """
    packed = gzip.compress(json.dumps(_contents(table), separators=(",", ":")).encode(), mtime=0)
    template = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    return template.replace("{{DATA}}", base64.b64encode(packed).decode())


def _contents(table: pandas.DataFrame) -> dict[str, Any]:
    """What the page knows: columns as lists, repeated texts once."""
    need(table, "widths", "filling", "minimal_filling", "bound", "explanation", "proved", *NUMBERS.values())
    explanations, explanation = _numbered(table["explanation"].fillna("").astype(str).tolist())
    bounds, bound = _numbered(table["bound"].astype(str).tolist())
    proved = int(table["proved"].sum())
    return {
        "about": f"{len(table):,} multilayer perceptrons with activation x^r, {proved:,} of the dimensions proved; "
        f"polygeom {__version__}.",
        "widths": [text.strip("[]") for text in table["widths"].tolist()],
        "filling": (table["filling"].astype(int) + table["minimal_filling"].astype(int)).tolist(),
        "threshold": _thresholds(table),
        "explanations": explanations,
        "explanation": explanation,
        "bounds": bounds,
        "bound": bound,
        "meanings": {name: rule.meaning for name, rule in RULES.items()},
    } | {name: table[column].astype(int).tolist() for name, column in NUMBERS.items()}


def _numbered(texts: list[str]) -> tuple[list[str], list[int]]:
    """The different texts in order of appearance, and which of them each is."""
    places: dict[str, int] = {}
    numbers = [places.setdefault(text, len(places)) for text in texts]
    return list(places), numbers


def _thresholds(table: pandas.DataFrame) -> list[int]:
    """The largest ``r`` of the table up to which the widths of a row are defective for all ``r`` from 2; 1 if none."""
    defective = {
        (widths, degree): defect > 0
        for widths, degree, defect in zip(table["widths"], table["activation"], table["defect"], strict=True)
    }
    found: dict[str, int] = {}
    for widths in table["widths"].unique():
        degree = 2
        while defective.get((widths, degree), False):
            degree += 1
        found[widths] = degree - 1
    return [found[widths] for widths in table["widths"]]
