"""Columns that follow from a table of dimensions without computing a rank: one register for sweeps, tables, the atlas.

None of them loses a row: where one cannot be computed its cell stays blank, and the row's ``message`` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.supervision.child import plain
from polygeom.tables.conditions import with_coefficient, with_shape
from polygeom.tables.maps import with_explanation, with_fibres

_BOUND = "dimension is a lower bound, so this is one, too"


@dataclass(frozen=True, slots=True)
class Derived:
    """A column that a table does not have by itself: what it means, and from a table to one that has it.

    ``doubted`` tells that a value is a lower bound only where the dimension is one.
    """

    name: str
    meaning: str
    fill: Callable[[pandas.DataFrame], pandas.DataFrame]
    doubted: bool = False


DERIVED: dict[str, Derived] = {
    column.name: column
    for column in (
        Derived("depth", "number of weight matrices of a perceptron", with_shape),
        Derived("degree", "largest activation degree of a perceptron", with_shape),
        Derived("largest_width", "largest of its widths", with_shape),
        Derived("non_increasing", "whether its widths never grow", with_shape),
        Derived("unimodal", "whether its widths grow, then fall", with_shape),
        Derived(
            "learning_coefficient", "at generic weights: half the dimension (multiplicity 1)", with_coefficient, True
        ),
        Derived("explanation", "the special rules that prove the dimension of a defective network", with_explanation),
        Derived("fibre", "how many weights give the same function, as far as proved", with_fibres),
    )
}
"""The register, by name."""


def derived_names(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those of ``names`` that are not among the columns ``known`` but can be derived, each once.

    Raises
    ------
    PolygeomError
        For a name that is neither.
    """
    for name in names:
        if name not in known and name not in DERIVED:
            choices = ", ".join([*known, *(other for other in DERIVED if other not in known)])
            raise PolygeomError(f"--columns: {name!r:.60} is no column; write some of {choices}")
    return [name for name in dict.fromkeys(names) if name not in known]


def with_columns(table: pandas.DataFrame, names: Sequence[str]) -> pandas.DataFrame:
    """The table with columns of the register, after its own.

    Parameters
    ----------
    table:
        As `polygeom.tables.sweep` or `polygeom.tables.read_table` returns it.
    names:
        Keys of `DERIVED`. Nothing but bounds and shapes is computed, no ranks.

    Returns
    -------
    A table with as many rows. Where a row is not ``ok``, or its network is one that the column does not know, the cell
    is blank; where something fails, or the value is a lower bound because the dimension is one, ``message`` says so.

    Raises
    ------
    PolygeomError
        For a name that is not in the register.

    Examples
    --------
    >>> from polygeom.tables import sweep
    >>> table = with_columns(sweep(["[3,2,1] r=2"]), ["learning_coefficient"])
    >>> table["learning_coefficient"].tolist()
    [2.5]
    """
    for name in derived_names(names, ()):
        column = DERIVED[name]
        try:
            filled = column.fill(table)[name]
        except Exception:  # noqa: BLE001 - trouble with one row is that row's
            filled, table = _row_by_row(table, column)
        table = table.assign(**{name: filled})
        if column.doubted:
            table = _noted(table, table["proved"].eq(False).fillna(False) & filled.notna(), f"{name}: {_BOUND}")
    return table


def _row_by_row(table: pandas.DataFrame, column: Derived) -> tuple[pandas.Series, pandas.DataFrame]:
    cells = []
    for place in range(len(table)):
        row = table.iloc[[place]]
        try:
            cells.append(column.fill(row)[column.name].iloc[0])
        except Exception as problem:  # noqa: BLE001
            cells.append(None)
            chosen = pandas.Series(table.index == row.index[0], index=table.index)
            table = _noted(table, chosen, plain(f"{column.name}: {type(problem).__name__}: {problem}"))
    return pandas.Series(cells, index=table.index, dtype=object), table


def _noted(table: pandas.DataFrame, chosen: pandas.Series, note: str) -> pandas.DataFrame:
    """The table with a note in the ``message`` of chosen rows, after what it says already."""
    if "message" not in table.columns or not chosen.any():
        return table
    before = table["message"].fillna("").astype(str).tolist()
    told = [
        text if not wanted or note in text else f"{text}; {note}" if text else note
        for text, wanted in zip(before, chosen.tolist(), strict=True)
    ]
    return table.assign(message=pandas.array(told, dtype="string"))
