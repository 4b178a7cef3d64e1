"""Which rows of a table contradict a conjecture, and columns that follow from other rows."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas

from polygeom._dataclass import dataclass
from polygeom.checks import choice
from polygeom.dimensions.counts import Degrees, Widths
from polygeom.errors import PolygeomError
from polygeom.network.shapes import is_non_increasing, is_unimodal

_WIDTHS = re.compile(r"\[[0-9]+(, ?[0-9]+)+\]", re.ASCII)


def architecture(widths: object, activation: object) -> tuple[Widths, Degrees] | None:
    """Widths and degrees from the cells ``[2,3,1]`` and ``2`` or ``2,3``; None for other networks.

    >>> architecture("[2,3,3,1]", "2,3"), architecture("[2,3,3,1]", 2), architecture("", "")
    (((2, 3, 3, 1), (2, 3)), ((2, 3, 3, 1), (2, 2)), None)
    """
    if not _WIDTHS.fullmatch(str(widths)):
        return None
    d = tuple(int(w) for w in str(widths).strip("[]").split(","))
    r = tuple(int(x) for x in str(activation).split(",") if x.strip())
    degrees = r * (len(d) - 2) if len(r) == 1 else r
    return (d, degrees) if len(degrees) == len(d) - 2 else None


def architectures_of(table: pandas.DataFrame) -> list[tuple[Widths, Degrees] | None]:
    """Widths and degrees of every row; None for networks that are not plain multilayer perceptrons."""
    return [architecture(w, a) for w, a in zip(table["widths"].tolist(), table["activation"].tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class Conjecture:
    """A statement about multilayer perceptrons that a table can contradict.

    Attributes
    ----------
    statement:
        In words.
    source:
        Where it was stated, and what is known.
    applies:
        Whether it speaks about an architecture.
    column:
        It says that this column is zero or False.
    """

    statement: str
    source: str
    applies: Callable[[Widths, Degrees], bool]
    column: str


CONJECTURES = {
    "non-increasing": Conjecture(
        "non-increasing widths, all at least 2: the expected dimension for every r ≥ 2",
        "arXiv 1905.12207; a theorem since arXiv 2506.17093, Corollary 16",
        lambda d, r: is_non_increasing(d) and d[-1] > 1 and min(r, default=1) > 1,
        "defect",
    ),
    "non-increasing to one output": Conjecture(
        "non-increasing widths, hidden ones at least 2, one output: the expected dimension for every r ≥ 2",
        "true for r ≥ 3 in the last hidden layer (arXiv 2506.17093, Corollary 16), false for r = 2",
        lambda d, r: is_non_increasing(d) and d[-1] == 1 and min(d[:-1]) > 1 and min(r, default=1) > 1,
        "defect",
    ),
    "equal widths": Conjecture(
        "equal widths: the expected dimension for every r ≥ 2",
        "a theorem, arXiv 2408.04569",
        lambda d, r: len(set(d)) == 1 and len(set(r)) == 1 and min(r) > 1,
        "defect",
    ),
    "asymptotic degree": Conjecture(
        "widths of at least 2 before the last and r_l ≥ 2 d_l - 1: the expected dimension",
        "arXiv 1905.12207 for large r; a theorem with this bound, arXiv 2506.17093, Corollary 17",
        lambda d, r: min(d[:-1]) > 1 and all(e >= 2 * w - 1 for w, e in zip(d[1:], r, strict=False)),
        "defect",
    ),
    "unimodal": Conjecture(
        "minimal filling architectures are unimodal",
        "arXiv 1905.12207; false, arXiv 2605.09609",
        lambda d, r: not is_unimodal(d),
        "minimal_filling",
    ),
}
"""Conjectures by name. Some are theorems by now: a row that contradicts one of those shows an error in the table."""


def contradictions(table: pandas.DataFrame, conjecture: str, *, proved_only: bool = True) -> pandas.DataFrame:
    """The rows that contradict a conjecture.

    Parameters
    ----------
    table:
        A table of a sweep, or the atlas. For ``"unimodal"`` the column ``minimal_filling`` is added by
        `with_minimal_filling` if it is missing.
    conjecture:
        A name of `CONJECTURES`.
    proved_only:
        Leave out rows whose dimension is only probable: the dimension may be larger, and the defect smaller.

    Raises
    ------
    PolygeomError
        If the name is unknown or a column is missing.

    Examples
    --------
    >>> frame = pandas.DataFrame({"widths": ["[5,5,5,1]", "[3,3,3]"], "activation": ["2", "2"],
    ...     "defect": [10, 0], "proved": [True, True]})
    >>> contradictions(frame, "non-increasing to one output")["widths"].tolist()
    ['[5,5,5,1]']
    """
    choice("conjecture", conjecture, CONJECTURES)
    table = _prepared(table, CONJECTURES[conjecture])
    return _verdict(table, architectures_of(table), CONJECTURES[conjecture], proved_only)[1]


def survey(table: pandas.DataFrame, *, proved_only: bool = True) -> pandas.DataFrame:
    """For each conjecture how many rows it speaks about, and how many of these contradict it.

    The conjecture on unimodality speaks about minimal filling architectures; it is left out where the table cannot tell
    which these are.
    """
    found = architectures_of(table)
    rows = []
    for name, conjecture in CONJECTURES.items():
        if conjecture.column == "minimal_filling" and "filling" not in table.columns:
            continue
        about, against = _verdict(_prepared(table, conjecture), found, conjecture, proved_only)
        rows.append({"conjecture": name, "statement": conjecture.statement, "rows": about, "against": len(against)})
    return pandas.DataFrame(rows)


def _prepared(table: pandas.DataFrame, conjecture: Conjecture) -> pandas.DataFrame:
    if conjecture.column == "minimal_filling" and "minimal_filling" not in table.columns:
        table = with_minimal_filling(table)
    need(table, "widths", "activation", "proved", conjecture.column)
    return table


def _verdict(
    table: pandas.DataFrame, found: list[tuple[Widths, Degrees] | None], conjecture: Conjecture, proved_only: bool
) -> tuple[int, pandas.DataFrame]:
    """How many rows the conjecture speaks about, and those that contradict it."""
    known = table[conjecture.column].notna()
    if proved_only:
        known &= table["proved"].fillna(False).astype(bool)
    positive = known & (table[conjecture.column].astype("Int64").fillna(0) > 0)
    speaks = positive if conjecture.column == "minimal_filling" else _where(found, conjecture, known)
    return int(speaks.sum()), table[_where(found, conjecture, positive)]


def _where(found: list[tuple[Widths, Degrees] | None], conjecture: Conjecture, among: pandas.Series) -> pandas.Series:
    """Which of the rows ``among`` are architectures that the conjecture applies to."""
    answers = [w and a is not None and conjecture.applies(*a) for w, a in zip(among.tolist(), found, strict=True)]
    return pandas.Series(answers, index=among.index, dtype=bool)


def with_minimal_filling(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table with a column ``minimal_filling``, from the filling of the architectures one neuron below in the table.

    Missing where the row is filling, no architecture below it in the table is, and one of them is not in the table.
    """
    need(table, "widths", "activation", "filling")
    found = architectures_of(table)
    filling = [None if pandas.isna(x) else bool(x) for x in table["filling"]]
    known = dict(zip(found, filling, strict=True))

    def minimal(row: tuple[Widths, Degrees] | None, fills: bool | None) -> bool | None:
        if row is None or not fills:
            return None if row is None else fills
        widths, degrees = row
        lower = [(*widths[:k], widths[k] - 1, *widths[k + 1 :]) for k in range(1, len(widths) - 1) if widths[k] > 1]
        answers = [known.get((below, degrees)) for below in lower]
        return False if True in answers else None if None in answers else True

    values = [minimal(row, fills) for row, fills in zip(found, filling, strict=True)]
    return table.assign(minimal_filling=pandas.array(values, dtype="boolean"))


def need(table: pandas.DataFrame, *names: str) -> None:
    """Refuse a table that lacks one of the columns."""
    if missing := [name for name in names if name not in table.columns]:
        raise PolygeomError(f"table: the columns {', '.join(missing)} are missing; use a table of a sweep or the atlas")
