"""The systems whose solutions are counted: sections of a neurovariety, and critical points of distances to it.

Both are affine-linear in their parameters and come with one solution for free: choose the weights, then the parameters.
That is what monodromy needs. Their solutions form one orbit of the monodromy group, since weights and parameters
together form an irreducible variety: an affine-linear bundle over the space of weights.
"""

from __future__ import annotations

import numpy as np

from polygeom.engines.jets import Jet, JetEngine
from polygeom.ideal.chart import Chart
from polygeom.ideal.counting.tracking import Array
from polygeom.ideal.grading.coordinates import Coordinates, multinomial
from polygeom.network import Network

_DRAWS = 40
_FULL = 1e-6
_FIRST, _SECOND = JetEngine(1), JetEngine(2)


def complex_normal(rng: np.random.Generator, *shape: int) -> Array:
    """Independent standard complex normal numbers."""
    numbers: Array = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)
    return numbers


class Outputs:
    """The outputs of a network at generic points: linear coordinates in which a neurovariety is looked at.

    At ``k + 1`` points they tell generic points of a ``k``-dimensional neurovariety apart, and keep its degree: among
    the functions that agree with a given one, each further generic point leaves a set of smaller dimension.

    Parameters
    ----------
    network:
        Any network.
    dimension:
        Of its neurovariety.
    points:
        ``(N, *input_shape)``.
    """

    def __init__(self, network: Network, dimension: int, points: Array) -> None:
        self.network, self.dimension, self.points = network, dimension, points
        everything = tuple(range(network.parameter_count))
        self.everything = Chart(network, (), everything, dimension, proved=True)

    @classmethod
    def random(cls, network: Network, dimension: int, rng: np.random.Generator) -> Outputs:
        """At as few points as will do."""
        count = min(dimension + 1, len(Coordinates(network).monomials))
        return cls(network, dimension, _sphere(rng, count, network).reshape(count, *network.input_shape))

    def jet(self, w: Array, engine: JetEngine, *, derivatives: bool = True) -> Jet:
        """Coordinates ``(B, m)`` at weights ``(B, P)``, and derivatives by all weights."""
        return self.everything.outputs(w, self.points, engine, derivatives=derivatives)

    def frame(self, w: Array) -> Array:
        """``(B, P, k)``: orthonormal directions orthogonal to the fibre through each row of ``w``."""
        jet = self.jet(w, _FIRST)
        assert jet.gradient is not None
        left, _, _ = np.linalg.svd(np.nan_to_num(jet.gradient), full_matrices=False)
        return left[:, :, : self.dimension].conj()

    def start(self, rng: np.random.Generator) -> Array:
        """Random weights ``(1, P)``."""
        return complex_normal(rng, 1, self.network.parameter_count)

    def image(self, w: Array) -> Array:
        """Coordinates ``(B, m)``: points of the neurovariety."""
        return self.jet(w, _FIRST, derivatives=False).value


class Coefficients(Outputs):
    """The coefficients of the outputs by evaluation: outputs at as many points as there are, times a fixed matrix.

    They come in the order of `polygeom.ideal.Coordinates` and *normalised*: the coefficient of ``x^α`` divided by the
    square root of the multinomial coefficient, so that a generic function has entries of similar size.

    Parameters
    ----------
    network, dimension:
        As for `Outputs`.
    rng:
        Source of the points; of several draws the best conditioned is kept.
    """

    def __init__(self, network: Network, dimension: int, rng: np.random.Generator) -> None:
        coordinates = Coordinates(network)
        self.scales = np.sqrt(np.array(coordinates.factors, dtype=float))
        self.exponents = exponents = np.array(coordinates.monomials)
        roots = np.sqrt(np.array([multinomial(alpha) for alpha in coordinates.monomials], dtype=float))
        draws = []
        for _ in range(_DRAWS):
            points = _sphere(rng, len(exponents), network)
            table = np.prod(points[:, None, :] ** exponents, axis=2) * roots
            draws.append((float(np.linalg.cond(table)), points, table))
        _, points, table = min(draws, key=lambda draw: draw[0])
        super().__init__(network, dimension, points.reshape(len(points), *network.input_shape))
        self.readout = np.kron(np.eye(network.output_dimension), np.linalg.inv(table))[coordinates.selection]

    def jet(self, w: Array, engine: JetEngine, *, derivatives: bool = True) -> Jet:
        return self.raw(w, engine, derivatives=derivatives).map(lambda part: part @ self.readout.T)

    def raw(self, w: Array, engine: JetEngine, *, derivatives: bool = True) -> Jet:
        """Outputs at the points, ``(B, m)``; times the transpose of `readout` they are the coefficients."""
        return super().jet(w, engine, derivatives=derivatives)


def _sphere(rng: np.random.Generator, count: int, network: Network) -> Array:
    """Random inputs ``(count, n)`` of length ``√n``."""
    points = complex_normal(rng, count, network.input_dimension)
    sphere: Array = points * np.sqrt(points.shape[1]) / np.linalg.norm(points, axis=1, keepdims=True)
    return sphere


class Sections:
    """The neurovariety cut by ``k`` affine-linear equations: ``A y(w) = b``, ``y`` the outputs.

    The parameter is ``b``, ``(k,)``: the section moves parallel to itself. That is enough for monodromy, since ``A``
    makes the irreducible neurovariety a covering of the space of all ``b``, up to what has smaller dimension.

    Parameters
    ----------
    outputs:
        Of the network at generic points, or its coefficients.
    rng:
        Source of the generic matrix ``A``, ``(k, m)``.
    """

    def __init__(self, outputs: Outputs, rng: np.random.Generator) -> None:
        self.outputs = outputs
        self.frame = outputs.frame
        count = outputs.network.output_dimension * len(outputs.points)
        self.matrix = complex_normal(rng, outputs.dimension, count) / np.sqrt(count)

    def along(self, w: Array, frame: Array, start: Array, end: Array, t: Array) -> tuple[Array, Array, Array]:
        """As `polygeom.ideal.counting.tracking.System` says."""
        jet = self.outputs.jet(w, _FIRST)
        assert jet.gradient is not None
        value = jet.value @ self.matrix.T - start - t[:, None] * (end - start)
        matrix = self.matrix @ np.swapaxes(jet.gradient, 1, 2) @ frame
        return value, matrix, np.broadcast_to(start - end, value.shape)

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """A random solution ``(1, P)`` and the parameter that has it."""
        w = self.outputs.start(rng)
        return w, self.matrix @ self.outputs.image(w)[0]

    def move(self, base: Array, rng: np.random.Generator) -> Array:
        """A random parameter of the size of ``base``."""
        moved: Array = np.linalg.norm(base) / np.sqrt(len(base)) * complex_normal(rng, len(base))
        return moved


class CriticalPoints:
    """Critical points of ``w ↦ Q(c(w) - u)`` for a quadratic form ``Q``: ``J(w)ᵀ Q (c(w) - u) = 0``.

    The parameter is the target ``u``, ``(m,)``. At weights where the rank of ``J`` drops the equations have solutions
    that are not critical points on the neurovariety; `proper` tells them apart.

    Parameters
    ----------
    coefficients:
        Of the network.
    form:
        Symmetric ``(m, m)`` matrix of ``Q`` in the *plain* coefficients, an object array of fractions.
    """

    def __init__(self, coefficients: Coefficients, form: Array) -> None:
        self.outputs: Coefficients = coefficients
        self.frame = coefficients.frame
        self.exact_form = form
        self.form = coefficients.scales[:, None] * form.astype(float) * coefficients.scales

    def along(self, w: Array, frame: Array, start: Array, end: Array, t: Array) -> tuple[Array, Array, Array]:
        """As `polygeom.ideal.counting.tracking.System` says."""
        raw = self.outputs.raw(w, _SECOND)
        assert raw.gradient is not None
        assert raw.hessian is not None
        readout, transposed = self.outputs.readout, np.swapaxes(frame, 1, 2)
        gradient = transposed @ raw.gradient @ readout.T
        weighted = gradient @ self.form
        residual = raw.value @ readout.T - start - t[:, None] * (end - start)
        bent = (raw.hessian @ (residual @ self.form @ readout)[:, None, :, None])[..., 0]
        value = (weighted @ residual[..., None])[..., 0]
        matrix = weighted @ np.swapaxes(gradient, 1, 2) + transposed @ bent @ frame
        return value, matrix, -(weighted @ (end - start)[..., None])[..., 0]

    def proper(self, w: Array, target: Array) -> Array:
        """Mask ``(B,)`` of weights at which the rank of ``J`` is full, as far as floats can tell."""
        jet = self.outputs.jet(w, _FIRST)
        assert jet.gradient is not None
        singular = np.linalg.svd(jet.gradient, compute_uv=False)[:, self.outputs.dimension - 1]
        full: Array = singular * np.linalg.norm(w, axis=1) > _FULL * np.linalg.norm(target)
        return full

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """A random solution ``(1, P)`` and a target that has it: the point plus a vector normal to the tangent
        space."""
        w = self.outputs.start(rng)
        jet = self.outputs.jet(w, _FIRST)
        assert jet.gradient is not None
        conditions = jet.gradient[0] @ self.form
        offset = complex_normal(rng, jet.value.shape[1]) * np.linalg.norm(jet.value) / np.sqrt(jet.value.shape[1])
        tangential, *_ = np.linalg.lstsq(conditions, conditions @ offset, rcond=None)
        return w, jet.value[0] + offset - tangential

    def move(self, base: Array, rng: np.random.Generator) -> Array:
        """A random target of the size of ``base``."""
        moved: Array = np.linalg.norm(base) / np.sqrt(len(base)) * complex_normal(rng, len(base))
        return moved
