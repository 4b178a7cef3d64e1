"""The finished degrees of a search in a file, one JSON line each, so that it can be taken up again.

The first line says which search it is. A last line that was cut off is dropped; anything else that cannot be read is an
error, since a damaged file is no basis for a proof.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polygeom.errors import PolygeomError
from polygeom.ideal.search.records import record_of, report_from

if TYPE_CHECKING:
    from polygeom.ideal.search.records import DegreeReport

KIND = "ideal-journal"


class Journal:
    """A file of finished degrees.

    Parameters
    ----------
    path:
        The file; made with the first degree if it does not exist.
    header:
        What identifies the search: network, prime and seed.

    Raises
    ------
    PolygeomError
        If the file belongs to another search or is damaged.
    """

    def __init__(self, path: str, header: Mapping[str, Any]) -> None:
        self.path, self.header = Path(path), {"kind": KIND, **header}

    def read(self) -> list[DegreeReport]:
        """The degrees in the file, in order."""
        if not self.path.exists() or not self.path.stat().st_size:
            return []
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        try:
            header, *records = [json.loads(line) for line in whole.decode("utf-8").splitlines()]
            reports = [report_from(record) for record in records]
        except (ValueError, KeyError, TypeError) as error:
            raise PolygeomError(f"journal {self.path} is damaged ({error!r:.80}); remove it to start again") from None
        if header != self.header:
            raise PolygeomError(
                f"journal {self.path} belongs to another search, {header!r:.200}; write another file name"
            )
        if [r.degree for r in reports] != list(range(1, len(reports) + 1)):
            raise PolygeomError(f"journal {self.path} is damaged (degrees are missing); remove it to start again")
        if len(whole) < len(data):
            os.truncate(self.path, len(whole))
        return reports

    def append(self, report: DegreeReport) -> None:
        """Add a finished degree."""
        new = not self.path.exists() or not self.path.stat().st_size
        with self.path.open("a", encoding="utf-8") as file:
            if new:
                file.write(json.dumps(self.header) + "\n")
            file.write(json.dumps(record_of(report)) + "\n")
            file.flush()
            os.fsync(file.fileno())
