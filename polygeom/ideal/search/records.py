"""Reports and equations as plain data, for files and for other processes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.ideal.search.equations import Equation
from polygeom.ideal.search.weightspace import SpaceReport


@dataclass(frozen=True)
class DegreeReport:
    """What was found in one degree.

    Attributes
    ----------
    degree:
        The degree.
    spaces:
        Every weight space that was looked at, one for each orbit.
    equations:
        Minimal generators of dominant weight.
    variables:
        Number of coordinates in use.
    elapsed:
        Seconds of wall time.
    """

    degree: int
    spaces: tuple[SpaceReport, ...]
    equations: tuple[Equation, ...]
    variables: int
    elapsed: float

    @property
    def hilbert(self) -> int:
        """Dimension of the coordinate ring in this degree; weights that were not looked at have no equations."""
        monomials = math.comb(self.variables + self.degree - 1, self.degree)
        return monomials - sum(s.orbit * (s.monomials - s.rank) for s in self.spaces)

    @property
    def new(self) -> int:
        """Number of minimal generators."""
        return sum(s.orbit * s.new for s in self.spaces)


def record_of(report: DegreeReport) -> dict[str, Any]:
    """A report as plain data."""
    return {
        "degree": report.degree,
        "variables": report.variables,
        "elapsed": report.elapsed,
        "spaces": [record_of_space(s) for s in report.spaces],
        "equations": [record_of_equation(e) for e in report.equations],
    }


def report_from(record: Mapping[str, Any]) -> DegreeReport:
    """The report that `record_of` described."""
    degree = int(record["degree"])
    return DegreeReport(
        degree,
        tuple(space_from(s) for s in record["spaces"]),
        tuple(equation_from(degree, e) for e in record["equations"]),
        int(record["variables"]),
        float(record["elapsed"]),
    )


def record_of_space(space: SpaceReport) -> list[Any]:
    """The numbers of a weight space as plain data."""
    return [list(space.weight), space.orbit, space.monomials, space.lower, space.rank]


def space_from(record: Sequence[Any]) -> SpaceReport:
    """The weight space that `record_of_space` described."""
    weight, *numbers = record
    return SpaceReport(tuple(weight), *map(int, numbers))


def record_of_equation(equation: Equation) -> dict[str, Any]:
    """An equation as plain data, without its degree."""
    return {
        "weight": list(equation.weight),
        "monomials": equation.monomials.tolist(),
        "coefficients": equation.coefficients.astype(np.int64).tolist(),
        "integers": None if equation.integers is None else [str(c) for c in equation.integers],
        "proved": equation.proved,
    }


def equation_from(degree: int, record: Mapping[str, Any]) -> Equation:
    """The equation that `record_of_equation` described."""
    return Equation(
        degree,
        tuple(record["weight"]),
        np.array(record["monomials"], dtype=np.int64).reshape(-1, degree),
        np.array(record["coefficients"], dtype=np.float64),
        None if record["integers"] is None else tuple(map(int, record["integers"])),
        bool(record["proved"]),
    )
