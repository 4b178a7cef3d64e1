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

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.ideal.equations import Equation
from polygeom.ideal.weightspace import SpaceReport

if TYPE_CHECKING:
    from polygeom.ideal.interpolation import DegreeReport

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
            reports = [_report(record) for record in records]
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
            file.write(json.dumps(_record(report)) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _record(report: DegreeReport) -> dict[str, Any]:
    return {
        "degree": report.degree,
        "variables": report.variables,
        "elapsed": report.elapsed,
        "spaces": [[list(s.weight), s.orbit, s.monomials, s.lower, s.rank] for s in report.spaces],
        "equations": [
            {
                "weight": list(e.weight),
                "monomials": e.monomials.tolist(),
                "coefficients": e.coefficients.astype(np.int64).tolist(),
                "integers": None if e.integers is None else [str(c) for c in e.integers],
                "proved": e.proved,
            }
            for e in report.equations
        ],
    }


def _report(record: Mapping[str, Any]) -> DegreeReport:
    from polygeom.ideal.interpolation import DegreeReport

    degree = int(record["degree"])
    spaces = tuple(SpaceReport(tuple(weight), *map(int, numbers)) for weight, *numbers in record["spaces"])
    equations = tuple(
        Equation(
            degree,
            tuple(e["weight"]),
            np.array(e["monomials"], dtype=np.int64).reshape(-1, degree),
            np.array(e["coefficients"], dtype=np.float64),
            None if e["integers"] is None else tuple(map(int, e["integers"])),
            bool(e["proved"]),
        )
        for e in record["equations"]
    )
    return DegreeReport(degree, spaces, equations, int(record["variables"]), float(record["elapsed"]))
