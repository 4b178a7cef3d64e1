"""Conditions such as ``defect > 0`` on the rows of a table, read by a small grammar; nothing is evaluated as Python."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pandas

from polygeom.errors import FormatError, PolygeomError

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONDITION = re.compile(r"\s*([A-Za-z_]+)\s*(<=|>=|!=|==|=|<|>)\s*(.+?)\s*", re.ASCII)
_TRUTHS = {"yes": True, "true": True, "no": False, "false": False}


def with_shape(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table with columns read off the widths of multilayer perceptrons; missing for other networks.

    ``depth`` (number of weight matrices), ``degree`` (largest activation degree), ``largest_width``, ``non_increasing``
    (d_0 ≥ d_1 ≥ … ≥ d_L) and ``unimodal`` (widths rise, then fall).
    """
    pairs = zip(table["widths"], table["activation"], strict=True)
    shapes = [_shape(widths, activation) for widths, activation in pairs]
    columns = ("depth", "degree", "largest_width", "non_increasing", "unimodal")
    kinds = ("Int64", "Int64", "Int64", "boolean", "boolean")
    added = {
        name: pandas.Series([None if s is None else s[i] for s in shapes], index=table.index, dtype=kind)
        for i, (name, kind) in enumerate(zip(columns, kinds, strict=True))
    }
    return table.assign(**added)


def with_coefficient(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table with ``learning_coefficient`` at generic weights: half the dimension (`polygeom.learning_coefficient`).

    Missing where the dimension is, a lower bound where the dimension is one.
    """
    return table.assign(learning_coefficient=table["dimension"].astype("Float64") / 2)


def _shape(widths: str, activation: str) -> tuple[int, int, int, bool, bool] | None:
    if not re.fullmatch(r"\[[0-9]+(, ?[0-9]+)*\]", widths):
        return None
    d = [int(w) for w in widths.strip("[]").split(",")]
    degrees = [int(r) for r in activation.split(",")] if activation else [1]
    steps = [b - a for a, b in pairwise(d)]
    falling = [step < 0 for step in steps if step]
    return len(steps), max(degrees), max(d), all(step <= 0 for step in steps), falling == sorted(falling)


def select(table: pandas.DataFrame, condition: str) -> pandas.Series:
    """Which rows satisfy ``condition``; rows where a compared value is missing do not.

    Parameters
    ----------
    table:
        Any table.
    condition:
        ``COLUMN OPERATOR VALUE``: operators = != < <= > >=; the value is a number, yes, no, another column, or text.

    Returns
    -------
    A boolean series with the table's index.

    Raises
    ------
    FormatError
        If the condition is not of this form.
    PolygeomError
        If the column does not exist or cannot be compared with the value.

    Examples
    --------
    >>> frame = pandas.DataFrame({"defect": [0, 2], "proved": [True, True]})
    >>> select(frame, "defect > 0").tolist(), select(frame, "proved = yes").tolist()
    ([False, True], [True, True])
    """
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise FormatError("not a condition", condition, 0, 'write COLUMN OPERATOR VALUE, for example "defect > 0"')
    column, symbol, text = match.groups()
    if column not in table.columns:
        raise PolygeomError(f"condition: {column!r} is no column; write one of {', '.join(map(str, table.columns))}")
    values = table[column]
    other = _value(table, values, text)
    try:
        outcome = _OPERATORS[symbol](values, other)
    except TypeError as error:
        raise PolygeomError(
            f"condition: {column} cannot be compared with {text!r}; write a value of its kind"
        ) from error
    known = values.notna() & (other.notna() if isinstance(other, pandas.Series) else True)
    selected: pandas.Series = outcome.fillna(False).astype(bool) & known
    return selected


def _value(table: pandas.DataFrame, values: pandas.Series, text: str) -> Any:
    if text in table.columns:
        return table[text]
    if pandas.api.types.is_bool_dtype(values):
        if text.lower() not in _TRUTHS:
            raise PolygeomError(f"condition: {values.name} is yes or no, got {text!r}; write {values.name} = yes")
        return _TRUTHS[text.lower()]
    if pandas.api.types.is_numeric_dtype(values):
        if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?(e-?[0-9]{1,3})?", text):
            raise PolygeomError(f"condition: {values.name} is a number, got {text!r}; write {values.name} > 0")
        return float(text) if re.search(r"[.e]", text) else int(text)
    return text.strip("\"'")


def sorted_by(table: pandas.DataFrame, columns: Sequence[str]) -> pandas.DataFrame:
    """The table sorted by ``columns``, the first most important; ``-column`` puts the largest first."""
    names = [column.removeprefix("-") for column in columns]
    for name in names:
        if name not in table.columns:
            raise PolygeomError(f"sort: {name!r} is no column; write one of {', '.join(map(str, table.columns))}")
    if not names:
        return table
    return table.sort_values(names, ascending=[not c.startswith("-") for c in columns], kind="stable")
