"""Parts of the critical locus on a chart, in words, and their dimensions in the space of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polygeom.singularities.critical.charts import Chart
from polygeom.singularities.critical.elimination import dimension_of


def piece(widths: Sequence[int], degrees: Sequence[int], chart: Chart, basis: Sequence[Any]) -> tuple[str, int]:
    """A Gröbner basis on a chart in words, and the dimension of all weights that have a point of it as normal form."""
    inside = dimension_of(basis, chart.variables)
    shown = [str(g) for g in basis if not any(a[0] for a in g)]
    names = "; ".join(
        f"W{k} = {[[_entry(e) for e in row] for row in m]}".replace("'", "") for k, m in enumerate(chart.matrices, 1)
    )
    text = f"up to linear changes {names}; {', '.join(shown) or 'all'}{' = 0' if shown else ''}"
    total = _orbit_dimension(widths, degrees, chart) - chart.variables + inside
    return text, total


def _entry(value: int) -> str:
    return str(value) if value < 2 else f"t{value - 2}"


def _orbit_dimension(widths: Sequence[int], degrees: Sequence[int], chart: Chart) -> int:
    """The dimension of all weights that have a point of the chart as normal form: a rank at random points mod p."""
    import flint

    p, rng = 2**31 - 1, np.random.default_rng(0)
    values = [int(v) for v in rng.integers(1, p, chart.variables)]
    matrices = [
        np.array([[e if e < 2 else values[e - 2] for e in row] for row in m], dtype=object) for m in chart.matrices
    ]
    tangents: list[list[np.ndarray]] = []

    def moved(k: int, change: np.ndarray) -> None:
        tangents.append([change if k == j else np.zeros_like(m) for j, m in enumerate(matrices)])

    for k, matrix in enumerate(chart.matrices):
        for j, row in enumerate(matrix):
            for i, entry in enumerate(row):
                if entry >= 2:
                    change = np.zeros_like(matrices[k])
                    change[j, i] = 1
                    moved(k, change)
    for k, (size, left) in ((0, (widths[0], False)), (len(matrices) - 1, (widths[-1], True))):
        for a in range(size):
            for b in range(size):
                unit = np.zeros((size, size), dtype=object)
                unit[a, b] = 1
                moved(k, unit @ matrices[k] if left else matrices[k] @ unit)
    for k in range(len(matrices) - 1):
        for j in range(widths[k + 1]):
            one, other = np.zeros_like(matrices[k]), np.zeros_like(matrices[k + 1])
            one[j], other[:, j] = matrices[k][j], -degrees[k] * matrices[k + 1][:, j]
            tangents.append(
                [one if i == k else other if i == k + 1 else np.zeros_like(m) for i, m in enumerate(matrices)]
            )
    flat = [[int(v) % p for part in tangent for v in part.ravel()] for tangent in tangents]
    return int(flint.nmod_mat(len(flat), len(flat[0]), [v for row in flat for v in row], p).rank())
