"""What all answers of polygeom have in common: plain data, a few readable lines, a table in a notebook.

Three words say how sure an answer is, and mean the same everywhere.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

PROVED = "proved"
"""A theorem, given the correctness of this program."""
PROBABLE = "probable"
"""Supported by computations that could be wrong, with a bound on the probability or a reason."""
UNKNOWN = "unknown"
"""Nothing was settled; what is known, such as bounds, is told."""
STATUSES = (PROVED, PROBABLE, UNKNOWN)

_LONGEST = 400


class Answer:
    """Base of the results of public functions: frozen dataclasses.

    An answer names its ``network`` (or the question, where there is none), the ``seed`` and the ``version`` that
    reproduce it and its ``status``; `as_dict` gives all of it as plain data for JSON, and ``print`` a few lines.
    """

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, ``network``, ``seed``, ``version`` and ``status`` among it."""
        raise TypeError(f"{type(self).__name__} must define as_dict")

    def _repr_html_(self) -> str:
        """A heading and a table of two columns, for notebooks."""
        heading = html.escape(str(self).partition("\n")[0])
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name.replace('_', ' '))}</th>"
            f"<td style='text-align:left'>{html.escape(_shown(value))}</td></tr>"
            for name, value in self.as_dict().items()
            if value not in (None, "", [], {}, ())
        )
        return f"<p><b>{heading}</b></p><table>{rows}</table>"

    def _repr_latex_(self) -> str:
        """The same as a formula, for notebooks that become papers."""
        rows = [
            rf"\text{{{_escaped(name.replace('_', ' '))}}} & \text{{{_escaped(_shown(value))}}}"
            for name, value in self.as_dict().items()
            if value not in (None, "", [], {}, ())
        ]
        return r"$$\begin{array}{ll} " + r" \\ ".join(rows) + r" \end{array}$$"


_SPECIAL = str.maketrans({letter: f"\\{letter}" for letter in "#$%&_{}"} | {"\\": r"\backslash ", "^": r"\wedge "})


def _escaped(text: str) -> str:
    """Words as LaTeX shows them as they are."""
    return text.translate(_SPECIAL)


def _shown(value: Any) -> str:
    """A value of plain data in one cell, cut where it is long."""
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, Mapping):
        text = ", ".join(f"{key}: {_shown(entry)}" for key, entry in value.items())
    elif isinstance(value, list | tuple):
        text = ", ".join(map(_shown, value[:50])) + (f", … ({len(value)} in all)" if len(value) > 50 else "")
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
