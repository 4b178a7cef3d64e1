"""Tables condensed: defect histograms, maps over two widths, explanations as a column."""

from __future__ import annotations

import re

import pandas

from polygeom.errors import FormatError, PolygeomError
from polygeom.tables.conjectures import architecture, architectures_of, need

_PATTERN = re.compile(r"\s*\[\s*([0-9]+|\*)(\s*,\s*([0-9]+|\*))+\s*\]\s*", re.ASCII)


def defect_histogram(table: pandas.DataFrame, by: str = "activation") -> pandas.DataFrame:
    """How many rows have which defect, for each value of a column.

    Parameters
    ----------
    table:
        A table with the columns ``defect`` and ``by``; rows without a defect are left out.

    Returns
    -------
    A frame of counts: one row for each defect that occurs, one column for each value of ``by``.

    Raises
    ------
    PolygeomError
        If a column is missing.

    Examples
    --------
    >>> frame = pandas.DataFrame({"activation": [2, 2, 3], "defect": [0, 1, 0]})
    >>> defect_histogram(frame).to_dict()
    {2: {0: 1, 1: 1}, 3: {0: 1, 1: 0}}
    """
    need(table, "defect", by)
    known = table[table["defect"].notna()]
    return pandas.crosstab(known["defect"].astype(int), known[by])


def width_map(table: pandas.DataFrame, pattern: str, degree: int | str, value: str = "filling") -> pandas.DataFrame:
    """One column of a table as a map over two widths, the others fixed.

    Parameters
    ----------
    table:
        A table with the columns ``widths``, ``activation`` and ``value``.
    pattern:
        Widths with ``*`` for the two that vary, such as ``"[2,*,*,1]"``.
    degree:
        The activation degree, or degrees ``"2,3"``.
    value:
        The column shown: ``"filling"``, ``"defect"``, ``"dimension"``, …

    Returns
    -------
    A frame: index the first varying width, columns the second, cells the value; missing where the table has no row.

    Raises
    ------
    FormatError
        If the pattern is not of this form.
    PolygeomError
        If a column is missing, or the table has no row of this kind.

    Examples
    --------
    >>> from polygeom.tables.atlas import load_atlas
    >>> width_map(load_atlas(), "[2,*,*,1]", 2, "dimension").loc[1:3, 1:3].values.tolist()
    [[2, 2, 2], [3, 5, 5], [3, 5, 5]]
    """
    if not _PATTERN.fullmatch(pattern) or pattern.count("*") != 2:
        raise FormatError("not widths with two stars", pattern, 0, "write for example [2,*,*,1]")
    need(table, "widths", "activation", value)
    wanted = [None if part.strip() == "*" else int(part) for part in pattern.strip(" []").split(",")]
    cells: dict[tuple[int, int], object] = {}
    asked = architecture("[" + ",".join("1" for _ in wanted) + "]", degree)
    for found, cell in zip(architectures_of(table), table[value].tolist(), strict=True):
        if found is None or asked is None or len(found[0]) != len(wanted) or found[1] != asked[1]:
            continue
        if all(w is None or w == d for w, d in zip(wanted, found[0], strict=True)):
            first, second = (d for w, d in zip(wanted, found[0], strict=True) if w is None)
            cells[first, second] = cell
    if not cells:
        raise PolygeomError(f"width_map: the table has no row {pattern} r={degree}")
    frame = pandas.Series(cells).unstack()
    return frame.rename_axis(index=f"width {wanted.index(None)}", columns=f"width {_last_star(wanted)}")


def _last_star(wanted: list[int | None]) -> int:
    return max(i for i, w in enumerate(wanted) if w is None)


def with_explanation(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table with a column ``explanation``: for each defective row the special rules that prove its dimension.

    The cell is empty where there is no defect or no dimension, and ``unexplained`` where no bound reaches the computed
    dimension. Only bounds are computed, no ranks.
    """
    from polygeom.dimensions.explain import explain_known
    from polygeom.network import parse

    need(table, "network", "dimension", "expected_dimension")

    def cell(network: str, found: object, expected: object) -> str:
        if pandas.isna(found) or pandas.isna(expected) or int(found) >= int(expected):  # type: ignore[call-overload]
            return ""
        reason = explain_known(parse(network), int(found), int(expected))  # type: ignore[call-overload]
        if reason.verdict != "explained":
            return reason.verdict
        return ", ".join(reason.causes) or reason.chain[0].rule

    columns = (table[name].tolist() for name in ("network", "dimension", "expected_dimension"))
    cells = [cell(str(network), found, expected) for network, found, expected in zip(*columns, strict=True)]
    return table.assign(explanation=pandas.array(cells, dtype="string"))


def with_fibres(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table with a column ``fibre``: what is proved about the number of weights over a generic function.

    Weights are counted up to scalings and permutations of neurons, for the networks that `polygeom.fibre` counts on; of
    others only ``finite`` and ``infinite`` are said. A number is a theorem (`polygeom.dimensions.fibres`); ``at least
    2`` and ``finite`` are weaker; ``infinite`` means that the symmetries do not make up the whole fibre. The cell is
    empty where nothing is proved. No rank is computed and nothing is solved.
    """
    from polygeom.dimensions.fibres import known_fibre
    from polygeom.network import parse

    need(table, "network", "identifiable", "proved")

    def cell(network: str, identifiable: object, proved: object) -> str:
        if pandas.isna(identifiable) or pandas.isna(proved):  # type: ignore[call-overload]
            return ""
        if not identifiable:
            return "infinite" if proved else ""
        known = known_fibre(parse(network))
        if known is None:
            return "finite"
        return f"at least {known.lower}" if known.value is None else str(known.value)

    columns = (table[name].tolist() for name in ("network", "identifiable", "proved"))
    cells = [cell(str(network), one, proved) for network, one, proved in zip(*columns, strict=True)]
    return table.assign(fibre=pandas.array(cells, dtype="string"))
