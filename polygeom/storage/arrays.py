"""Arrays in one ``.npz`` file together with the record of what made them, read back bit for bit."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polygeom.errors import FormatError
from polygeom.storage.durable import write_file
from polygeom.storage.reading import check_archive

_RECORD = "record"
UNREADABLE = (
    *(ValueError, KeyError, TypeError, AttributeError, EOFError, OSError, MemoryError, NotImplementedError),
    *(SyntaxError, RecursionError, zipfile.BadZipFile, zlib.error),
)
"""What numpy raises for an archive whose bytes are not those that were written."""


def write_archive(path: Path, kind: str, arrays: Mapping[str, np.ndarray], record: Mapping[str, object]) -> None:
    """Replace the file by these arrays; a crash leaves the old file or the new one.

    ``numpy.load`` reads it as well: the arrays by their names, ``record`` as JSON text.
    """
    text = json.dumps({"format": kind, **record}, sort_keys=True)
    buffer = io.BytesIO()
    np.savez(buffer, **{**arrays, _RECORD: np.array(text)})  # type: ignore[arg-type]
    write_file(path, buffer.getvalue(), "path")


def read_archive(path: Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the record in a file that `write_archive` wrote with the same ``kind``.

    Raises
    ------
    FormatError
        For other files.
    """
    check_archive(path, "path")
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            record = json.loads(str(data[_RECORD]))
            arrays = {name: data[name] for name in data.files if name != _RECORD}
    except UNREADABLE as error:
        raise FormatError(f"this file is no {kind}", str(path), 0, "name a file that polygeom has saved") from error
    if record.pop("format", None) != kind:
        raise FormatError(f"this file is no {kind}", str(path), 0, "name a file that polygeom has saved as one")
    return arrays, record


__all__ = ["read_archive", "write_archive"]
