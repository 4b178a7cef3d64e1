"""The systems whose solutions are counted: sections of a neurovariety, and critical points of distances to it.

Both are affine-linear in their parameters and come with one solution for free: choose the weights, then the parameters.
That is what monodromy needs. Their solutions form one orbit of the monodromy group, since weights and parameters
together form an irreducible variety: an affine-linear bundle over the space of weights.

A solution is known up to weights that give the same function. So at each step of a path only the directions across
these fibres count (`polygeom.ideal.counting.paths.kernels`), and no choice of coordinates on the weights has to be good
everywhere. Along such a path ``Σ e_k |w_k|²`` stays what it is for every scaling with exponents ``e`` that leaves the
function unchanged; hence weights that are balanced at the start stay balanced.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from types import ModuleType

import numpy as np

from polygeom.ideal.counting.paths.program import program
from polygeom.ideal.counting.paths.route import Route
from polygeom.ideal.counting.paths.starts import balanced, complex_normal, normal
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.network import Network

Array = np.ndarray
Marks = Callable[[Array], Array]
"""Numbers ``(B, q)`` by which solutions ``(B, P)`` are told apart."""

_DRAWS = 20
_WELL = 30.0
_FULL = 1e-9
MOST_MONOMIALS = 400
"""Up to so many coefficients of an output, sections are generic in the coefficients; beyond, in outputs at points."""


class Outputs:
    """The outputs of a network at points: linear coordinates in which a neurovariety is looked at.

    At ``k + 1`` generic points they tell generic points of a ``k``-dimensional neurovariety apart, and keep its degree:
    among the functions that agree with a given one, each further generic point leaves a set of smaller dimension.

    Parameters
    ----------
    network:
        Any network.
    dimension:
        Of the closure of the set of these outputs, for all weights.
    points:
        ``(N, *input_shape)``.
    exact:
        Whether they are meant as they stand, or as the nearest doubles to the points that are meant.
    """

    def __init__(self, network: Network, dimension: int, points: Array, *, exact: bool = True) -> None:
        self.network, self.dimension, self.points = network, dimension, points
        self.program = program(network)
        self.exact = exact and self.program.exact
        self.packed = np.ascontiguousarray(points.reshape(len(points), -1).T, dtype=complex)
        self.route = Route(self.size - dimension)

    @property
    def size(self) -> int:
        """Number ``m`` of coordinates."""
        return self.network.output_dimension * len(self.points)

    @property
    def real(self) -> bool:
        """Whether conjugate weights have conjugate images."""
        return not (np.imag(self.points).any() or self.program.constants.imag.any())

    @classmethod
    def random(cls, network: Network, dimension: int, rng: np.random.Generator) -> Outputs:
        """At few generic points; the coefficients where there are not many."""
        monomials = len(Coordinates(network).monomials)
        if monomials <= MOST_MONOMIALS:
            return Coefficients(network, dimension, rng)
        points = _sphere(rng, min(2 * dimension + 10, monomials), network.input_dimension)
        return cls(network, dimension, points.reshape(-1, *network.input_shape))

    def start(self, rng: np.random.Generator, real: bool = False) -> Array:
        """Random weights ``(1, P)``, balanced."""
        return balanced(self.network, normal(rng, real, 1, self.network.parameter_count))

    def even_start(self, rng: np.random.Generator, count: int = 1) -> Array:
        """Random weights ``(count, P)`` with features of equal mean squares, then balanced, so that all neurons count.

        High powers of normal weights let few of them dominate the function.
        """
        widths, degrees = self.network.widths, self.network.activation_degrees
        if widths is None or degrees is None:
            return balanced(self.network, normal(rng, False, count, self.network.parameter_count))
        parts, values = [], self.packed
        for k in range(len(widths) - 1):
            matrix = complex_normal(rng, count, widths[k + 1], widths[k])
            powers = (matrix @ values) ** (degrees[k] if k < len(degrees) else 1)
            sizes = np.sqrt(np.square(np.abs(powers)).mean(axis=2, keepdims=True))
            parts.append((matrix / sizes ** (1 / degrees[k] if k < len(degrees) else 1)).reshape(count, -1))
            values = powers / sizes
        return balanced(self.network, np.concatenate(parts, axis=1))

    def raw(self, w: Array) -> Array:
        """Outputs at the points, ``(B, m)``: entry ``o N + n`` is output ``o`` at point ``n``."""
        operations, constants, outputs, registers, _ = self.program.lowered
        w = np.ascontiguousarray(w, dtype=complex)
        one = operations, constants, outputs, registers
        values: Array = self.kernels(1, len(w)).values_of(*one, self.packed, w)
        return values

    def kernels(self, evaluations: int, rows: int) -> ModuleType:
        """What evaluates so many times at ``rows`` weights: compiled kernels, or their twin while there is little."""
        entries = rows * self.packed.shape[1] * self.dimension
        return self.route.kernels(evaluations, len(self.program.operations), entries)

    def image(self, w: Array) -> Array:
        """Coordinates of points of the neurovariety, a row for each of ``(B, P)`` weights."""
        return self.read(self.raw(w))

    def read(self, raw: Array) -> Array:
        """The coordinates as linear functions of the outputs at the points, in the last axis."""
        return raw

    def marks(self, rng: np.random.Generator) -> Marks:
        """Three random linear functions of the image, by which functions are told apart."""
        size = self.image(np.ones((1, self.network.parameter_count), dtype=complex)).shape[1]
        functionals = complex_normal(rng, size, 3)

        def marks(w: Array) -> Array:
            found: Array = self.image(w) @ functionals
            return found

        return marks

    def combinations(self, rng: np.random.Generator, count: int) -> Array:
        """``(count, m)``: generic linear forms in the outputs at the points."""
        rows: Array = complex_normal(rng, count, self.size) / np.sqrt(self.size)
        return rows


class Coefficients(Outputs):
    """The coefficients of the outputs by evaluation: outputs at points, times a fixed matrix.

    They come in the order of `polygeom.ideal.grading.coordinates.Coordinates` and *normalised*: the coefficient of
    ``x^α`` divided by the square root of the multinomial coefficient (of the homogenised output, where there are lower
    degrees). Linear forms with independent normal entries in these coordinates are distributed invariantly under
    unitary changes of the inputs, so that no solution of a generic section is much smaller than the others.

    Parameters
    ----------
    network, dimension:
        As for `Outputs`.
    rng:
        Source of the points; of several draws the best conditioned is kept.
    excess:
        How many times as many points as monomials: more cost more, and are better conditioned.
    real:
        Whether the points are real, so that real weights have real outputs.
    """

    def __init__(
        self, network: Network, dimension: int, rng: np.random.Generator, *, excess: int = 1, real: bool = False
    ) -> None:
        coordinates = Coordinates(network)
        self.exponents = exponents = np.array(coordinates.monomials)
        count, top = len(exponents), int(exponents.sum(axis=1).max())
        slack = top - exponents.sum(axis=1)
        multinomials = [math.factorial(top) // math.prod(map(math.factorial, (*a, s)))
                        for a, s in zip(exponents.tolist(), slack.tolist(), strict=True)]  # fmt: skip
        roots = np.sqrt(np.array(multinomials, dtype=float))
        self.selection = coordinates.selection
        self.scales = np.tile(roots, network.output_dimension)[self.selection]
        best: tuple[float, Array, Array] | None = None
        for draw in range(_DRAWS):
            points = excess * count if draw < _DRAWS // 2 else max(2, excess) * count
            weights, inputs = np.ones(points, dtype=complex), _sphere(rng, points, network.input_dimension, real)
            if slack.any():
                homogeneous = _sphere(rng, points, network.input_dimension + 1, real)
                weights, inputs = homogeneous[:, 0] ** top, homogeneous[:, 1:] / homogeneous[:, :1]
            table = np.prod(inputs[:, None, :] ** exponents, axis=2) * roots * weights[:, None]
            condition = float(np.linalg.cond(table))
            if best is None or condition < best[0]:
                best = condition, inputs, np.linalg.pinv(table) * weights
            if best[0] < _WELL:
                break
        assert best is not None
        _, inputs, inverse = best
        super().__init__(network, dimension, inputs.reshape(len(inputs), *network.input_shape))
        self.readout = np.kron(np.eye(network.output_dimension), inverse)[self.selection]
        self.route = Route(len(self.readout) - dimension)

    @property
    def real(self) -> bool:
        return not self.program.constants.imag.any()

    def read(self, raw: Array) -> Array:
        coefficients: Array = raw @ self.readout.T
        return coefficients

    def combinations(self, rng: np.random.Generator, count: int) -> Array:
        rows: Array = complex_normal(rng, count, len(self.readout)) @ self.readout / np.sqrt(len(self.readout))
        return rows


def _sphere(rng: np.random.Generator, count: int, size: int, real: bool = False) -> Array:
    """Random inputs ``(count, n)`` of length ``√n``."""
    points = rng.standard_normal((count, size)) if real else complex_normal(rng, count, size)
    sphere: Array = points * np.sqrt(size) / np.linalg.norm(points, axis=1, keepdims=True)
    return sphere


class System:
    """``k`` equations on weights, affine-linear in parameters, as the compiled kernels read them.

    Attributes
    ----------
    outputs:
        Where the network is evaluated.
    kind:
        0 for sections, 1 for critical points.
    matrix:
        ``(k, m)``: the equations of a section; for critical points generic linear forms that choose the frame.
    form:
        ``(m, m)``: the quadratic form on outputs, empty for sections.
    real, even:
        Whether conjugates of solutions at real parameters are solutions; whether starts are `Outputs.even_start`.
    """

    kind: int
    real = False
    even = False

    def __init__(self, outputs: Outputs, matrix: Array, form: Array) -> None:
        self.outputs = outputs
        self.matrix, self.form = np.ascontiguousarray(matrix), np.ascontiguousarray(form, dtype=complex)

    def image(self, w: Array) -> Array:
        """What the trace test adds up: linear coordinates of the functions, not determined by the parameter."""
        return self.outputs.image(w)

    def right(self, parameters: Array) -> Array:
        """The vectors in the equations of the kernels for parameters ``(…, ·)``."""
        return parameters

    def linearised(self, w: Array, parameters: Array, frames: Array | None = None) -> tuple[Array, ...]:
        """Equations ``(B, k)``, derivatives ``(B, k, k)``, outputs ``(B, m)``, their derivatives ``(B, P, m)``, and
        frames ``(B, P, k)``: those given, or new ones."""
        w = np.ascontiguousarray(w, dtype=complex)
        fresh = frames is None
        if frames is None:
            frames = np.zeros((*w.shape, len(self.matrix)), dtype=complex)
        frames = np.ascontiguousarray(frames, dtype=complex)
        right = self.right(parameters)
        p = np.array(np.broadcast_to(right, (len(w), right.shape[-1])), dtype=complex, order="C")
        found = self.outputs.kernels(3, len(w)).linearised(*self.packed, w, frames, fresh, p)
        return (*found, frames)

    @property
    def packed(self) -> tuple[object, ...]:
        """The arguments that all kernels begin with."""
        return (self.kind, *self.outputs.program.lowered, self.outputs.packed, self.matrix, self.form)

    def proper(self, w: Array) -> Array:
        """Mask ``(B,)`` of weights at which the derivative has full rank, as far as floats can tell."""
        if self.kind == 0:  # regular is what Newton's method converges to
            return np.ones(len(w), dtype=bool)
        size = self.outputs.dimension
        slopes = System.linearised(_Plain(self.outputs, self.matrix), w, np.zeros(len(self.matrix), dtype=complex))[3]
        singular = np.linalg.svd(np.nan_to_num(self.outputs.read(slopes)), compute_uv=False)
        full: Array = singular[:, size - 1] > _FULL * singular[:, 0]
        return full

    def move(self, base: Array, rng: np.random.Generator, *, real: bool = False) -> Array:
        """A random parameter of the size of ``base``."""
        return np.asarray(np.linalg.norm(base) / np.sqrt(len(base)) * normal(rng, real, len(base)))

    def start(self, rng: np.random.Generator, *, real: bool = False) -> tuple[Array, Array]:
        """A random solution ``(1, P)`` and the parameter that has it, both real if asked for."""
        return self.beside(self.weights(rng, real), rng, real)

    def beside(self, w: Array, rng: np.random.Generator, real: bool = False) -> tuple[Array, Array]:
        """Weights ``(1, P)`` and a random parameter for which they are a solution."""
        raise NotImplementedError

    def weights(self, rng: np.random.Generator, real: bool = False) -> Array:
        """Random weights ``(1, P)`` for `start`."""
        return self.outputs.even_start(rng) if self.even else self.outputs.start(rng, real)

    def conditions(self, w: Array, parameters: Array) -> Array:
        """The condition numbers ``(B,)`` of the derivatives at weights ``(B, P)``; infinite where one is not finite."""
        matrices = self.linearised(w, parameters)[1]
        finite = np.isfinite(matrices).all(axis=(1, 2))
        conditions = np.linalg.cond(np.where(finite[:, None, None], matrices, 0.0))
        found: Array = np.where(finite & ~np.isnan(conditions), conditions, np.inf)
        return found


class Sections(System):
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

    kind = 0

    def __init__(self, outputs: Outputs, rng: np.random.Generator) -> None:
        super().__init__(outputs, outputs.combinations(rng, outputs.dimension), np.zeros((0, 0)))

    def beside(self, w: Array, rng: np.random.Generator, real: bool = False) -> tuple[Array, Array]:
        """The only one."""
        return w, self.matrix @ self.outputs.raw(w)[0]


class _Plain(System):
    kind = 0

    def __init__(self, outputs: Outputs, matrix: Array) -> None:
        super().__init__(outputs, matrix, np.zeros((0, 0)))


class CriticalPoints(System):
    """Critical points of ``w ↦ Q(c(w) - u)`` for a quadratic form ``Q``: ``J(w)ᵀ Q (c(w) - u) = 0``.

    The parameter is the target ``u``. At weights where the rank of ``J`` drops the equations have solutions that are
    not critical points on the neurovariety; `proper` tells them apart.

    Parameters
    ----------
    outputs:
        `Coefficients` of the network, where ``c`` are the normalised coefficients; or `Outputs` at given points, where
        ``c`` are the outputs themselves.
    form:
        Symmetric matrix of ``Q``, in the *plain* coefficients (an object array of fractions) or in the outputs.
    any_form:
        Whether any form near the given one will do, because it stands for a generic one; otherwise proofs of solutions
        take account of its rounding.
    """

    kind = 1
    outputs: Outputs

    def __init__(self, outputs: Outputs, form: Array, *, any_form: bool = False) -> None:
        self.exact_form, self.any_form = form, any_form
        self.meant: tuple[Array, Array] | None = None  # exact entries of the form on outputs, see residuals
        if isinstance(outputs, Coefficients):
            self.distance = outputs.scales[:, None] * form.astype(float) * outputs.scales
            read = outputs.readout
        else:
            self.distance, read = form.astype(float), np.eye(outputs.size)
        self.pull = read.T @ self.distance
        symmetric = self.pull @ read
        matrix = outputs.combinations(np.random.default_rng(outputs.size), outputs.dimension)
        super().__init__(outputs, matrix, (symmetric + symmetric.T) / 2)
        self.real = outputs.real

    def right(self, parameters: Array) -> Array:
        vectors: Array = parameters @ self.pull.T
        return vectors

    @cached_property
    def well_conditioned(self) -> CriticalPoints:
        """The same form read from outputs at more points: slower, and better for proofs."""
        if not isinstance(self.outputs, Coefficients):
            return self
        outputs = self.outputs
        more = Coefficients(outputs.network, outputs.dimension, np.random.default_rng(outputs.size), excess=3)
        return CriticalPoints(more, self.exact_form, any_form=self.any_form)

    def beside(self, w: Array, rng: np.random.Generator, real: bool = False) -> tuple[Array, Array]:
        """Weights and a target for which they are critical: their point plus a vector normal to the tangent space."""
        value = self.outputs.image(w)[0]
        slopes = self.linearised(w, np.zeros(len(value)))[3][0]
        conditions = slopes @ self.pull
        offset = normal(rng, real, len(value)) * np.linalg.norm(value) / np.sqrt(len(value))
        tangential, *_ = np.linalg.lstsq(conditions, conditions @ offset, rcond=1e-12)
        return w, (value + offset - tangential).real + 0j if real else value + offset - tangential
