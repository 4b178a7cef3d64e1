"""A table is taken at nobody's word: rows are computed again from what they carry, and proofs checked otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from polygeom.errors import PolygeomError
from polygeom.tables.dimensions import sweep
from polygeom.tables.table import write_table

if TYPE_CHECKING:
    import pandas

COMPARED = (
    *("dimension", "lower", "upper", "proved", "defect", "filling", "identifiable", "gauge"),
    *("expected_dimension", "ambient_dimension", "parameters"),
)
"""The columns that say something about the network; the others say how it was found."""
TARGET = "polygeom.dimensions.task:confirmed"


def recheck(
    table: pandas.DataFrame,
    *,
    sample: int | None = None,
    rng: int = 0,
    timeout: float | None = None,
    memory: int | str | None = None,
    workers: int = 1,
    out: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    executor: Executor | None = None,
) -> pandas.DataFrame:
    """Compute rows of a table again, each from its own seed, and list what differs.

    What is computed is also certified, and the certificate checked by `polygeom.verify`, which shares nothing with
    the code that computes: so neither a row that somebody has edited nor a fault of the computation passes.

    Parameters
    ----------
    table:
        As `read_any` returns it. Rows without a seed are computed from seed 0.
    sample:
        How many rows, drawn at random; None for all of them.
    rng:
        Seed of the sample.
    timeout, memory, workers, progress, executor:
        As for `polygeom.sweep`.
    out:
        File of the new table; with it the computation goes on where an earlier call stopped. Its column ``method``
        ends with ``certificate verified`` where the checker has confirmed both bounds; other rows were too large for
        it, or have layers that certificates do not know.

    Returns
    -------
    One row for every difference: ``network``, ``column``, ``theirs``, ``ours``, and ``proved``, whether ours proves
    that theirs is false; and for every network that was not finished, its status as the column and no value of ours.
    The new table is its attribute ``attrs["table"]``.

    Raises
    ------
    PolygeomError
        For a sample that is no positive number, and as `polygeom.sweep`.

    Examples
    --------
    >>> from polygeom.tables.table import frame
    >>> theirs = frame([{"network": "[2,3,1] r=2", "dimension": 4, "status": "ok"}])
    >>> recheck(theirs, progress=False)[["column", "theirs", "ours"]].values.tolist()
    [['dimension', '4', '3']]
    """
    import pandas as pd

    if sample is not None and (type(sample) is not int or sample < 1):
        raise PolygeomError(f"sample must be a positive number of rows, got {sample!r}; write sample=100")
    rows = table if sample is None or sample >= len(table) else table.sample(sample, random_state=rng).sort_index()
    computed = []
    for seed, group in _by_seed(rows).items():
        journal = None if out is None else f"{os.fspath(out)}.journal"
        limits: dict[str, Any] = {"timeout": timeout, "memory": memory, "workers": workers, "progress": progress}
        computed.append(sweep([*group], journal=journal, rng=seed, target=TARGET, executor=executor, **limits))
    ours = pd.concat(computed, ignore_index=True) if computed else table.head(0)
    if out is not None:
        write_table(ours, out)
    own = {(row["network"], row["seed"]): row for row in ours.to_dict("records")}
    differences = [
        found
        for theirs in rows.to_dict("records")
        for found in _differences(theirs, own[theirs["network"], _seed(theirs)])
    ]
    found = pd.DataFrame(differences, columns=["network", "column", "theirs", "ours", "proved"])
    found.attrs["table"] = ours
    return found


def _seed(row: Mapping[Any, Any]) -> int:
    import pandas as pd

    return 0 if pd.isna(row["seed"]) else int(row["seed"])


def _by_seed(rows: pandas.DataFrame) -> dict[int, dict[str, None]]:
    """The networks of each seed, each once, in the order of the rows."""
    groups: dict[int, dict[str, None]] = {}
    for row in rows.to_dict("records"):
        groups.setdefault(_seed(row), {})[row["network"]] = None
    return groups


def _differences(theirs: Mapping[Any, Any], own: Mapping[Any, Any]) -> Iterator[tuple[str, str, str, str, bool]]:
    import pandas as pd

    if own["status"] != "ok":
        yield theirs["network"], str(own["status"]), "", "", False
        return
    for name in COMPARED:
        # Theirs may know less than ours, such as the dimension alone.
        if not pd.isna(theirs[name]) and (pd.isna(own[name]) or theirs[name] != own[name]):
            yield theirs["network"], name, str(theirs[name]), str(own[name]), _is_false(name, theirs[name], own)


def _is_false(name: str, value: Any, own: Mapping[Any, Any]) -> bool:
    """Whether ours proves that this value of another table is false."""
    if name == "lower":
        return bool(value > own["upper"])
    if name == "upper":
        return bool(value < own["lower"])
    if name == "proved":
        return False
    if name == "dimension":
        return not own["lower"] <= value <= own["upper"] or bool(own["proved"])
    return name in ("gauge", "expected_dimension", "ambient_dimension", "parameters") or bool(own["proved"])


__all__ = ["COMPARED", "TARGET", "recheck"]
