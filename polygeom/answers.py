"""What all answers of polygeom have in common: plain data, a few readable lines, a table in a notebook.

Three words say how sure an answer is, and mean the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any, ClassVar

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
    told: ClassVar[tuple[str, ...]] = ()
    """Properties that `as_dict` tells besides the fields."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: all fields, ``network``, ``seed``, ``version`` and ``status`` among it."""
        own: dict[str, Any] = plain(self)  # every answer is a dataclass
        return own | {name: plain(getattr(self, name)) for name in self.told}

    def _repr_html_(self) -> str:
        """A heading and a table of two columns, for notebooks."""
        import html  # here, since few ask for it

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


def plain(value: Any) -> Any:
    """A value of dataclasses, mappings, lists and tuples as dicts with text for keys, and lists; fractions as text.

    Examples
    --------
    >>> plain({2: (1, None)})
    {'2': [1, None]}
    """
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return str(value) if isinstance(value, Fraction) else value


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
