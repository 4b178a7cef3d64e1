"""Polar degrees one at a time: a second way to the generic ED degree of `[3,3,3] r=2`, which is their sum."""

from __future__ import annotations

import numpy as np
import pytest
from ideal.counting.conormal import DIMENSION, SIZE, MixedSections, polar_degree

from polygeom.ideal.counting.formulas import net_polar_degrees
from polygeom.ideal.counting.paths.starts import complex_normal
from polygeom.ideal.counting.paths.systems import Outputs
from polygeom.network import parse


def test_the_pairs_are_functions_with_their_normals() -> None:
    """The images of the first half are functions of the network, and the second half is orthogonal to the tangents."""
    rng = np.random.default_rng(0)
    system = MixedSections(14, rng)
    w, base = system.start(rng)
    _, _, images, slopes, _ = system.linearised(w, base)
    functions, normal = slopes[0][:, :SIZE], images[0, SIZE:]
    assert np.linalg.matrix_rank(slopes[0], tol=1e-9) == DIMENSION
    assert np.linalg.matrix_rank(functions, tol=1e-9) == 15
    assert np.abs(functions @ normal).max() < 1e-12 * np.abs(normal).max() * np.abs(functions).max()
    point = complex_normal(rng, 1, 3)
    a, lines = w[0, :9].reshape(3, 3), w[0, 9:18].reshape(3, 3)
    outputs = Outputs(parse("[3,3,3] r=2"), 15, point).raw(np.concatenate([lines.ravel(), a.T.ravel()])[None])[0]
    x, y, z = point[0]
    monomials = np.array([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z])
    np.testing.assert_allclose(images[0, :SIZE].reshape(3, 6) @ monomials, outputs, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("conditions", "value", "side"), [(14, 30, 0), (2, 57, 1), (13, 180, 0), (13, 180, 1), (3, 342, 0), (12, 684, 0)]
)
def test_polar_degrees_counted_and_by_the_formula(conditions: int, value: int, side: int) -> None:
    """The degree of the neurovariety, 30 by its complete equations, that of its dual variety, and three between."""
    found, *traces = polar_degree(conditions, 0)
    assert found.count == value == net_polar_degrees(3)[conditions]
    trace = traces[side]
    assert trace is not None
    assert trace.ratio < 1e-6 < 1 < trace.without
