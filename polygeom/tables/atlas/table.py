"""The shipped table: what it contains, and how it is read."""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from polygeom._dataclass import dataclass
from polygeom.errors import MissingPackageError, PolygeomError
from polygeom.storage.reading import read_file, unpack_gzip

if TYPE_CHECKING:
    import pandas

BOX = {2: 10, 3: 7, 4: 6, 5: 4, 6: 4}
"""For each depth (number of weight matrices) the largest width: the atlas has all widths from 1 to this, everywhere."""

DEGREES = (2, 3, 4, 5)
"""The activation degrees, the same in every hidden layer."""

FILE = Path(__file__).with_name("atlas.csv.gz")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the atlas and the type that pandas gives it."""

    name: str
    kind: str
    meaning: str


COLUMNS = (
    Column("widths", "string", "[d_0,…,d_L], inputs first"),
    Column("activation", "Int64", "activation degree r"),
    Column("depth", "Int64", "number of weight matrices L"),
    Column("parameters", "Int64", "number of weights"),
    Column("ambient_dimension", "Int64", "number of coefficients of the outputs"),
    Column("expected_dimension", "Int64", "the smaller of that and parameters minus hidden neurons"),
    Column("dimension", "Int64", "affine dimension of the neurovariety; a lower bound where not proved"),
    Column("upper", "Int64", "proved upper bound"),
    Column("defect", "Int64", "expected dimension minus dimension"),
    Column("proved", "boolean", "whether the dimension meets the upper bound"),
    Column("bound", "string", "name of the rule that gives the upper bound"),
    Column("explanation", "string", "for defective rows the special rules of the bound's proof, or unexplained"),
    Column("identifiable", "boolean", "whether the weights are finitely identifiable; missing where not proved"),
    Column("filling", "boolean", "whether the dimension is the ambient one"),
    Column("minimal_filling", "boolean", "filling, and not so when any one hidden width is lowered"),
)
"""The columns of the file, in order. `load_atlas` adds ``network``, the text, as the first."""

NAMES = tuple(column.name for column in COLUMNS)
_MOST = 2**28


def architectures(box: dict[int, int] = BOX) -> Iterator[tuple[int, ...]]:
    """The widths of all architectures of a box, in the order of the table.

    >>> len(list(architectures({2: 2, 3: 1})))
    9
    """
    for depth in sorted(box):
        yield from product(range(1, box[depth] + 1), repeat=depth + 1)


def load_atlas(path: str | os.PathLike[str] | None = None) -> pandas.DataFrame:
    """The atlas as a pandas frame: one row for each architecture and activation degree.

    Parameters
    ----------
    path:
        A file that ``polygeom atlas --build`` wrote, CSV or Parquet; the one that comes with the package if None.

    Returns
    -------
    A frame with the columns ``network``, `COLUMNS`, and ``learning_coefficient`` at generic weights, which is half the
    dimension (`polygeom.learning_coefficient`) and takes no place in the file. All
    multilayer perceptrons with widths up to ``BOX[depth]`` and activation degrees `DEGREES`.

    Raises
    ------
    PolygeomError
        If the file cannot be read or is no atlas.

    Examples
    --------
    >>> atlas = load_atlas()
    >>> len(atlas) >= 50_000, float(atlas["proved"].mean()) >= 0.97
    (True, True)
    >>> row = atlas.set_index("network").loc["[5,5,5,1] r=2"]
    >>> int(row["dimension"]), int(row["defect"]), row["explanation"]
    (35, 10, 'rotations')
    """
    import pandas as pd

    from polygeom.tables.conditions import with_coefficient

    source = FILE if path is None else Path(path)
    if source.suffix == ".parquet":
        return with_coefficient(_read_parquet(source))
    data = read_file(source, "atlas", most=_MOST)
    try:
        data = unpack_gzip(data, "atlas", most=_MOST) if data.startswith(b"\x1f\x8b") else data
        kinds = {column.name: column.kind for column in COLUMNS}
        empty = {"identifiable": [""]}
        table = pd.read_csv(io.BytesIO(data), dtype=kinds, keep_default_na=False, na_values=empty)
    except (OSError, ValueError) as error:
        raise PolygeomError(f"atlas: cannot read {source}: {error}; write it with polygeom atlas --rebuild") from error
    if tuple(table.columns) != NAMES:
        raise PolygeomError(f"atlas: {source} has other columns than an atlas; write it with polygeom atlas --rebuild")
    table.insert(0, "network", table["widths"] + " r=" + table["activation"].astype("string"))
    return with_coefficient(table)


def _read_parquet(source: Path) -> pandas.DataFrame:
    """An atlas in Parquet; its texts stay in the arrays of pyarrow."""
    import pandas as pd

    try:
        table = importlib.import_module("pyarrow.parquet").read_table(source)
    except ImportError as error:
        raise MissingPackageError("an atlas in Parquet", "pyarrow") from error
    except (OSError, ValueError) as error:
        raise PolygeomError(f"atlas: cannot read {source}: {error}; write it with polygeom atlas --build") from error
    if tuple(table.column_names) != ("network", *NAMES):
        raise PolygeomError(f"atlas: {source} has other columns than an atlas; write it with polygeom atlas --build")
    kinds = {"int64": pd.Int64Dtype(), "string": pd.StringDtype("pyarrow"), "bool": pd.BooleanDtype()}
    frame: pandas.DataFrame = table.to_pandas(types_mapper=lambda kind: kinds.get(str(kind)))
    return frame
