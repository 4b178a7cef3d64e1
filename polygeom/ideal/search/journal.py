"""The finished degrees of a search in a file of facts, so that it can be taken up again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polygeom.errors import PolygeomError
from polygeom.ideal.search.records import record_of, report_from
from polygeom.storage.facts import FactFile

if TYPE_CHECKING:
    from polygeom.ideal.search.records import DegreeReport

KIND = "ideal search"


class Journal:
    """A file of finished degrees, locked while it is open.

    Parameters
    ----------
    path:
        The file; made if it does not exist. Its folder must exist.
    search:
        What identifies the search: network, prime and seed.

    Raises
    ------
    PolygeomError
        If the file cannot be used, another process writes it, it belongs to another search, or it is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], search: Mapping[str, Any]) -> None:
        self.path, self._question = Path(path), {"kind": KIND, **search}
        self._file: FactFile | None = None
        self.reports = self._open()
        """The degrees in the file when it was opened, in order."""

    def _open(self) -> list[DegreeReport]:
        file = FactFile(self.path, self._question)
        try:
            reports = [report_from(fact) for fact in file.facts]
            if [r.degree for r in reports] != list(range(1, len(reports) + 1)):
                raise KeyError("degrees are missing")
        except (ValueError, KeyError, TypeError) as error:
            file.close()
            raise PolygeomError(f"journal {self.path} is damaged ({error!r:.80}); remove it to start again") from None
        self._file = file
        return reports

    def append(self, report: DegreeReport) -> None:
        """Add a finished degree, the one after the last in the file; it is on the disk when this returns.

        Raises
        ------
        PolygeomError
            If the file cannot be written, or has been written by another search since it was closed.
        """
        if self._file is None and len(self._open()) != report.degree - 1:
            self.close()
            raise PolygeomError(
                f"journal {self.path} has been changed by another search since; start the search anew from this file"
            )
        assert self._file is not None
        self._file.add(record_of(report))

    def close(self) -> None:
        """Let others write the file; the next `append` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None
