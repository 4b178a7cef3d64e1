"""Dimension tables of families of layers: attention heads, transformer blocks, polynomial KANs, gates, residual stacks.

``python -m polygeom.tables.families FOLDER`` writes one CSV file for each, which the page *Formulas* shows. It goes on
where it was stopped.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.storage.durable import write_file
from polygeom.storage.reading import read_text
from polygeom.sweeps.cluster import dask_executor
from polygeom.tables.dimensions import sweep

if TYPE_CHECKING:
    import pandas

SHOWN = ("parameters", "ambient_dimension", "expected_dimension", "dimension", "upper", "status", "bound", "network")


@dataclass(frozen=True, slots=True)
class Family:
    """Networks of one kind.

    Attributes
    ----------
    name:
        The name of its file.
    sizes:
        The columns that say which network it is, each with its values.
    text:
        The network of a choice of values.
    title:
        What the networks are.
    """

    name: str
    sizes: dict[str, Sequence[int]]
    text: Callable[..., str]
    title: str

    def cases(self) -> Iterator[tuple[tuple[int, ...], str]]:
        """The values of a network, and its text."""
        for values in itertools.product(*self.sizes.values()):
            yield values, self.text(*values)


def _heads(heads: int, rank: int, features: int, outputs: int, tokens: int) -> str:
    lines = [f"h{k}=attention(x,{rank},{outputs})" for k in range(heads)]
    total = f"; sum({','.join(f'h{k}' for k in range(heads))})" if heads > 1 else ""
    return f"x=input({tokens},{features}); " + "; ".join(lines) + total


def _block(rank: int, features: int, hidden: int, degree: int) -> str:
    return (
        f"x=input(2,{features}); a=attention(x,{rank},{features}); s=sum(x,a); m=dense(s,{hidden}); "
        f"p=power(m,{degree}); q=dense(p,{features}); sum(s,q)"
    )


def _kan(inputs: int, hidden: int, outputs: int, degree: int) -> str:
    def layer(value: str, prefix: str, width: int) -> str:
        powers = [f"{prefix}p{k}=power({value},{k})" for k in range(2, degree + 1)]
        edges = [f"{prefix}e1=dense({value},{width})"]
        edges += [f"{prefix}e{k}=dense({prefix}p{k},{width})" for k in range(2, degree + 1)]
        return "; ".join([*powers, *edges, f"{prefix}=sum({','.join(f'{prefix}e{k}' for k in range(1, degree + 1))})"])

    return f"x=input({inputs}); {layer('x', 'y', hidden)}; {layer('y', 'z', outputs)}"


def _gates(inputs: int, hidden: int, outputs: int) -> str:
    return f"x=input({inputs}); a=dense(x,{hidden}); b=dense(x,{hidden}); c=product(a,b); dense(c,{outputs})"


def _stack(inputs: int, first: int, second: int, degree: int) -> str:
    return (
        f"x=input({inputs}); a=dense(x,{first}); b=power(a,{degree}); c=dense(b,{inputs}); s=sum(x,c); "
        f"d=dense(s,{second}); e=power(d,{degree}); f=dense(e,{inputs}); sum(s,f)"
    )


FAMILIES = (
    Family(
        "heads",
        {"heads": (1, 2, 3), "rank": (1, 2), "features": (1, 2, 3), "outputs": (1, 2), "tokens": (1, 2, 3)},
        _heads,
        "Sums of heads of lightning attention",
    ),
    Family(
        "blocks",
        {"rank": (1, 2), "features": (1, 2, 3), "hidden": (1, 2, 3), "degree": (2, 3)},
        _block,
        "Transformer blocks: attention and a perceptron, each with the identity beside it, on two tokens",
    ),
    Family(
        "kans",
        {"inputs": (1, 2, 3), "hidden": (1, 2, 3, 4), "outputs": (1, 2), "degree": (2, 3)},
        _kan,
        "Polynomial KANs: two layers whose edges are polynomials of this degree without constant term",
    ),
    Family(
        "gates",
        {"inputs": (1, 2, 3, 4), "hidden": (1, 2, 3, 4), "outputs": (1, 2, 3)},
        _gates,
        "Gated units: products of two linear layers, and a readout",
    ),
    Family(
        "stacks",
        {"inputs": (1, 2, 3), "first": (1, 2, 3), "second": (1, 2, 3), "degree": (2, 3)},
        _stack,
        "Residual stacks: two blocks with a hidden width each",
    ),
)


def table(
    family: Family, journal: Path | None = None, workers: int = 1, executor: Executor | None = None
) -> pandas.DataFrame:
    """The dimensions of a family, one row for each network; ``status`` is proved, probable, or why there is none.

    ``journal``, ``workers`` and ``executor`` are as for `polygeom.sweep`.
    """
    import pandas

    cases = list(family.cases())
    texts = [text for _, text in cases]
    found = sweep(texts, timeout=120, memory="4GB", journal=journal, workers=workers, executor=executor)
    verdict = found["proved"].map({True: "proved", False: "probable"})
    found["status"] = verdict.where(found["status"] == "ok", found["status"])
    sizes = pandas.DataFrame([values for values, _ in cases], columns=list(family.sizes))
    return pandas.concat([sizes, found[list(SHOWN)].reset_index(drop=True)], axis=1)


def catalogue(folder: Path) -> str:
    """The tables of a folder in Markdown: the last two sizes go across, a range ``lower..upper`` is not proved.

    Raises
    ------
    PolygeomError
        If a table is missing or has not the networks of its family.
    """
    lines: list[str] = []
    for family in FAMILIES:
        rows = _read(family, folder / f"{family.name}.csv")
        *down, across, last = family.sizes
        columns = list(itertools.product(family.sizes[across], family.sizes[last]))
        proved = sum(row["status"] == "proved" for row in rows.values())
        lines += ["", f"### {family.title}", "", f"{proved} of {len(rows)} proved.", ""]
        lines.append(f"| {', '.join(down)} \\ {across}, {last} | " + " | ".join(f"{a}, {b}" for a, b in columns) + " |")
        lines.append("| --- " * (1 + len(columns)) + "|")
        for values in itertools.product(*(family.sizes[name] for name in down)):
            cells = [_cell(rows[(*values, *column)]) for column in columns]
            lines.append(f"| {', '.join(map(str, values))} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _read(family: Family, path: Path) -> dict[tuple[int, ...], dict[str, str]]:
    """The rows of a table by their sizes."""
    text = read_text(path, "table")
    rows = {tuple(row.get(name, "") for name in family.sizes): row for row in csv.DictReader(io.StringIO(text))}
    wanted = {tuple(map(str, values)): values for values, _ in family.cases()}
    if list(rows) != list(wanted):
        raise PolygeomError(
            f"table: {path.name} must have the networks of the family {family.name}; write it again with "
            "python -m polygeom.tables.families"
        )
    return {wanted[key]: row for key, row in rows.items()}


def _cell(row: dict[str, str]) -> str:
    if row["status"] == "proved":
        return row["dimension"]
    return f"{row['dimension']}..{row['upper']}" if row["status"] == "probable" else row["status"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the tables of all families, or of some."""
    parser = argparse.ArgumentParser(
        prog="python -m polygeom.tables.families", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="where NAME.csv of every family goes")
    parser.add_argument("--family", choices=[f.name for f in FAMILIES], action="append", help="only these")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="networks at the same time")
    parser.add_argument("--dask", metavar="ADDRESS", help="run on a dask cluster: its scheduler, or local")
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    with dask_executor(given.dask, given.workers) as (executor, workers):
        for family in FAMILIES:
            if given.family is None or family.name in given.family:
                journal = given.folder / f"{family.name}.journal"
                text = table(family, journal, workers, executor).to_csv(index=False, lineterminator="\n")
                write_file(given.folder / f"{family.name}.csv", text.encode(), "table")
                journal.unlink()


if __name__ == "__main__":
    main()
