"""The square systems whose solutions are counted: sections of a neurovariety, and critical points of distances to it.

Both live on a `polygeom.ideal.chart.Chart`, so their unknowns are its ``k`` free weights, ``k`` the dimension of the
neurovariety. Both are affine-linear in their parameters and come with one solution for free: choose the weights, then the
parameters. That is what monodromy needs.
"""

from __future__ import annotations

import numpy as np

from polygeom.engines.jets import JetEngine
from polygeom.ideal.chart import Chart
from polygeom.ideal.tracking import Array


def complex_normal(rng: np.random.Generator, *shape: int) -> Array:
    """Independent standard complex normal numbers."""
    numbers: Array = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)
    return numbers


def sample_points(chart: Chart, rng: np.random.Generator) -> Array:
    """As many generic complex inputs as one output has coefficients: outputs at them are coordinates of the function."""
    network = chart.network
    count = network.ambient_dimension // network.output_dimension
    return complex_normal(rng, count, *network.input_shape)


class Sections:
    """The neurovariety cut by ``k`` affine-linear equations: ``A y(w) = b``, ``y`` the outputs at sample points.

    The parameter is ``b``, ``(k,)``: the section moves parallel to itself. That is enough for monodromy, since ``A`` makes
    the irreducible neurovariety a covering of the space of all ``b``, up to what has smaller dimension.

    Parameters
    ----------
    chart:
        Where the weights come from.
    points:
        ``(N, *input_shape)``: sample points.
    rng:
        Source of the generic matrix ``A``, ``(k, output_dimension * N)``.
    """

    def __init__(self, chart: Chart, points: Array, rng: np.random.Generator) -> None:
        self.chart, self.points = chart, points
        self.unknowns = len(chart.free)
        self.coordinates = chart.network.output_dimension * len(points)
        self.matrix = complex_normal(rng, self.unknowns, self.coordinates) / np.sqrt(self.coordinates)
        self._engine = JetEngine()

    def along(self, w: Array, start: Array, end: Array, t: Array) -> tuple[Array, Array, Array]:
        """As `polygeom.ideal.tracking.System` says."""
        jet = self.chart.outputs(w, self.points, self._engine)
        assert jet.gradient is not None
        value = jet.value @ self.matrix.T - start - t[:, None] * (end - start)
        return value, self.matrix @ np.swapaxes(jet.gradient, 1, 2), np.broadcast_to(start - end, value.shape)

    def image(self, w: Array) -> Array:
        """Outputs at the sample points, ``(B, m)``: the points of the neurovariety."""
        return self.chart.outputs(w, self.points, self._engine, derivatives=False).value

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """A random solution ``(1, k)`` and the parameter that has it."""
        w = complex_normal(rng, 1, self.unknowns)
        return w, self.matrix @ self.image(w)[0]

    def move(self, base: Array, rng: np.random.Generator) -> Array:
        """A random parameter of the size of ``base``."""
        return np.linalg.norm(base) / np.sqrt(self.unknowns) * complex_normal(rng, self.unknowns)


class CriticalPoints:
    """Critical points of ``w ↦ Q(y(w) - u)`` for a quadratic form ``Q``: ``J(w)ᵀ Q (y(w) - u) = 0``.

    Parameters
    ----------
    chart, points:
        As for `Sections`.
    form:
        Symmetric ``(m, m)`` matrix of ``Q`` in the coordinates ``y``.

    The parameter is the target ``u``, ``(m,)``. At weights where the rank of ``J`` drops the equations have solutions that
    are not critical points on the neurovariety; `proper` tells them apart.
    """

    def __init__(self, chart: Chart, points: Array, form: Array) -> None:
        self.chart, self.points, self.form = chart, points, form
        self.unknowns = len(chart.free)
        self.coordinates = chart.network.output_dimension * len(points)
        self._first, self._second = JetEngine(1), JetEngine(2)

    def along(self, w: Array, start: Array, end: Array, t: Array) -> tuple[Array, Array, Array]:
        """As `polygeom.ideal.tracking.System` says."""
        jet = self.chart.outputs(w, self.points, self._second)
        assert jet.gradient is not None
        assert jet.hessian is not None
        residual = (jet.value - start - t[:, None] * (end - start)) @ self.form
        weighted = jet.gradient @ self.form
        value = (jet.gradient @ residual[..., None])[..., 0]
        matrix = weighted @ np.swapaxes(jet.gradient, 1, 2) + (jet.hessian @ residual[:, None, :, None])[..., 0]
        return value, matrix, -(weighted @ (end - start)[..., None])[..., 0]

    def image(self, w: Array) -> Array:
        """Outputs at the sample points, ``(B, m)``."""
        return self.chart.outputs(w, self.points, self._first, derivatives=False).value

    def proper(self, w: Array) -> Array:
        """Mask ``(B,)`` of weights at which the rank of ``J`` is full, as far as floats can tell."""
        jet = self.chart.outputs(w, self.points, self._first)
        assert jet.gradient is not None
        singular = np.linalg.svd(jet.gradient, compute_uv=False)
        full: Array = singular[:, -1] > 1e-8 * singular[:, 0]
        return full

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """A random solution ``(1, k)`` and a target that has it: the point plus a vector normal to the tangent space."""
        w = complex_normal(rng, 1, self.unknowns)
        jet = self.chart.outputs(w, self.points, self._first)
        assert jet.gradient is not None
        conditions = jet.gradient[0] @ self.form
        offset = complex_normal(rng, self.coordinates) * np.linalg.norm(jet.value) / np.sqrt(self.coordinates)
        tangential, *_ = np.linalg.lstsq(conditions, conditions @ offset, rcond=None)
        return w, jet.value[0] + offset - tangential

    def move(self, base: Array, rng: np.random.Generator) -> Array:
        """A random target of the size of ``base``."""
        scale = np.linalg.norm(base) / np.sqrt(len(base))
        return scale * complex_normal(rng, len(base))
