"""Degrees, Euclidean distance degrees and learning degrees, each by several routes, each saying how far it is a proof.

Routes
------
theorem
    A named theorem (`polygeom.ideal.theorems`). Proved.
equations
    For the degree: equations proved complete (`polygeom.ideal.completeness`), or a given h-vector. Proved. For critical
    points: their number over a prime field, for a random target (`polygeom.ideal.quotient`). Exact there, hence right
    over the rationals unless the target or the prime is special: probable.
monodromy
    Solutions found by following paths (`polygeom.ideal.monodromy`) and certified in ball arithmetic
    (`polygeom.ideal.balls`): a proved lower bound. For the degree the trace test gives numerical evidence that none is
    missing: probable. For critical points it has only stabilised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polygeom.dimension import dimension
from polygeom.errors import BudgetError, PolygeomError
from polygeom.ideal.balls import certified
from polygeom.ideal.coordinates import Coordinates
from polygeom.ideal.distance import critical_equations, form_matrix, loss_matrix
from polygeom.ideal.evidence import EQUATIONS, MONODROMY, THEOREM, Count, Evidence, Route, settle
from polygeom.ideal.monodromy import monodromy
from polygeom.ideal.quotient import quotient_dimension
from polygeom.ideal.search import interpolate
from polygeom.ideal.systems import Coefficients, CriticalPoints, Outputs, Sections
from polygeom.ideal.theorems import GENERIC, LOSS, Known, known_degree, known_distance_degree
from polygeom.modular import P22, PrimeField
from polygeom.network import Network, parse

SEARCH_TIMEOUT = 20.0
"""Seconds that the route over the equations may spend on finding them, unless told otherwise."""

Progress = Callable[[int, int], None]
"""Called after each loop of the monodromy with its number and the number of solutions so far."""


def degree(
    network: Network | str,
    *,
    method: str = "auto",
    h_vector: Sequence[int] | None = None,
    timeout: float = SEARCH_TIMEOUT,
    rng: int = 0,
    progress: Progress | None = None,
) -> Count:
    """The degree of the neurovariety: in how many points a generic linear space of complementary dimension meets it.

    Parameters
    ----------
    network:
        A `Network` or its text.
    method:
        ``"theorem"``, ``"equations"``, ``"monodromy"``; ``"auto"`` takes them in this order until one gives a likely
        value, ``"all"`` takes all and compares them.
    h_vector:
        Numerator of the Hilbert series over ``(1 - t)^dimension``, if it is known; its sum is the degree, and nothing
        else is computed by the route over the equations.
    timeout:
        Seconds for the search for equations.
    rng:
        Seed of all random choices.
    progress:
        Called after each loop of the monodromy.

    Raises
    ------
    PolygeomError
        If an argument is out of its range, or two routes contradict each other.

    Examples
    --------
    >>> print(degree("[5,3,1] r=2"))
    [5,3,1] r=2: degree 20 (proved)
      theorem: symmetric 5 x 5 matrices of rank at most 3 (Harris, Tu)
    """
    task = _Task.of(network, "degree", "", rng)
    routes = {
        THEOREM: lambda: task.theorem(known_degree(task.network, task.dimension)),
        EQUATIONS: lambda: task.by_equations(timeout) if h_vector is None else task.by_h_vector(h_vector),
        MONODROMY: lambda: task.by_sections(progress),
    }
    return task.settle(routes, method)


def ed_degree(
    network: Network | str,
    form: Any = GENERIC,
    *,
    method: str = "auto",
    timeout: float = SEARCH_TIMEOUT,
    rng: int = 0,
    progress: Progress | None = None,
) -> Count:
    """The Euclidean distance degree: complex critical points, at smooth points, of the distance to a generic target.

    Parameters
    ----------
    form:
        The quadratic form: ``"generic"``, ``"unit"``, ``"bombieri-weyl"``, or a symmetric matrix of exact numbers in
        the plain coefficients (`polygeom.ideal.Coordinates`).
    network, method, timeout, rng, progress:
        As for `degree`.

    Raises
    ------
    PolygeomError
        If an argument is out of its range, or two routes contradict each other.

    References
    ----------
    Draisma, Horobet, Ottaviani, Sturmfels, Thomas, "The Euclidean distance degree of an algebraic variety", arXiv
    1309.0049.

    Examples
    --------
    >>> print(ed_degree("[3,2,1] r=2", "bombieri-weyl"))
    [3,2,1] r=2: ED degree (bombieri-weyl) 3 (proved)
      theorem: symmetric 3 x 3 matrices of rank at most 2 under the Frobenius norm (Eckart, Young)
    >>> ed_degree("[3,2,1] r=2", method="equations").value
    13
    """
    name = form if isinstance(form, str) else "given matrix"
    task = _Task.of(network, "ED degree", name, rng)
    return task.settle(
        task.distance_routes(form_matrix(task.coordinates, form, task.generator), timeout, progress), method
    )


def learning_degree(
    network: Network | str,
    inputs: Any,
    *,
    method: str = "auto",
    timeout: float = SEARCH_TIMEOUT,
    rng: int = 0,
    progress: Progress | None = None,
) -> Count:
    """The learning degree at given inputs: complex critical points of the squared loss, for generic labels.

    It bounds how many functions training can converge to, whatever the labels: under the form ``I ⊗ M`` with the matrix
    ``M`` of moments of the inputs, the loss is the squared distance to the interpolating function.

    Parameters
    ----------
    inputs:
        ``(samples, n)`` numbers, at least as many in general position as one output has coefficients.
    network, method, timeout, rng, progress:
        As for `degree`.

    Raises
    ------
    PolygeomError
        If an argument is out of its range, the inputs are too few, or two routes contradict each other.

    References
    ----------
    Kubjas, Li, Wiesmann, "Geometry of polynomial neural networks", arXiv 2402.00949.

    Examples
    --------
    >>> learning_degree("[2,2,3] r=2", [[1, 0], [0, 1], [1, 1]]).value
    3
    """
    task = _Task.of(network, "learning degree", LOSS, rng)
    return task.settle(task.distance_routes(loss_matrix(task.coordinates, inputs), timeout, progress), method)


@dataclass(frozen=True)
class _Task:
    """One question, and the ways to answer it."""

    network: Network
    coordinates: Coordinates
    quantity: str
    form: str
    dimension: int
    proved_dimension: bool
    seed: int

    @classmethod
    def of(cls, network: Network | str, quantity: str, form: str, rng: int) -> _Task:
        network = parse(network) if isinstance(network, str) else network
        if not isinstance(rng, int) or isinstance(rng, bool) or rng < 0:
            raise PolygeomError(f"rng must be an integer from 0, got {rng!r:.40}; write rng=0")
        size = dimension(network, rng=rng)
        return cls(network, Coordinates(network), quantity, form, size.dimension, size.proved, rng)

    @property
    def generator(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def settle(self, routes: dict[str, Route], method: str) -> Count:
        about = {"quantity": self.quantity, "network": self.network.text, "form": self.form, "seed": self.seed}
        return settle(routes, method, about)

    def theorem(self, known: Known | None) -> Evidence | None:
        if known is None or not self.proved_dimension:
            return None
        return Evidence(THEOREM, known.value, known.value, known.value, True, known.reason)

    def by_h_vector(self, h_vector: Sequence[int]) -> Evidence:
        values = list(h_vector)
        if not values or values[0] != 1 or any(not isinstance(h, int) for h in values):
            raise PolygeomError(f"h_vector must be integers that begin with 1, got {values!r:.60}; write (1, 3, 6)")
        total = sum(values)
        return Evidence(EQUATIONS, total, total, total, True, f"the sum of the given h-vector {tuple(values)}")

    def by_equations(self, timeout: float) -> Evidence:
        argument = interpolate(self.network, timeout=timeout, rng=self.seed).completeness
        if argument is None:
            return self._incomplete(timeout)
        value = argument.degree
        return Evidence(EQUATIONS, value, value, value, True, f"complete because {argument.reason}")

    def _incomplete(self, timeout: float) -> Evidence:
        reason = f"no proof that the equations found within {timeout:g} s are complete"
        return Evidence(EQUATIONS, None, None, None, False, reason)

    def by_sections(self, progress: Progress | None) -> Evidence:
        rng = self.generator
        sections = Sections(Outputs.random(self.network, self.dimension, rng), rng)
        found = monodromy(sections, rng, progress=progress)
        lower = certified(sections, found.weights, found.parameters) if self.proved_dimension else None
        deviation = "not measured" if found.trace is None else f"{found.trace:.0e}"
        verdict = f"trace test {'' if found.complete else 'not '}passed (deviation {deviation})"
        reason = f"{found.count} points after {found.loops} loops, {_certificate(lower)}; {verdict}"
        return Evidence(MONODROMY, found.count, lower, None, found.complete, reason)

    def distance_routes(self, form: np.ndarray, timeout: float, progress: Progress | None) -> dict[str, Route]:
        known = known_distance_degree(self.network, self.dimension, self.form)
        return {
            THEOREM: lambda: self.theorem(known),
            EQUATIONS: lambda: self._by_critical_equations(form, timeout),
            MONODROMY: lambda: self._by_critical_points(form, progress),
        }

    def _by_critical_equations(self, form: np.ndarray, timeout: float) -> Evidence:
        result = interpolate(self.network, timeout=timeout, rng=self.seed).result
        if not result.complete:
            return self._incomplete(timeout)
        generators = [g.polynomial for g in result.generators]
        codimension = len(self.coordinates.entries) - self.dimension
        equations = critical_equations(generators, codimension, form, P22, self.generator) if generators else []
        try:
            value = quotient_dimension(equations, PrimeField(P22)) if equations else 1
        except BudgetError as error:
            return Evidence(EQUATIONS, None, None, None, False, f"over the field of {P22} elements: {error}")
        reason = f"exact over the field of {P22} elements for one random target"
        return Evidence(EQUATIONS, value, None, None, True, reason)

    def _by_critical_points(self, form: np.ndarray, progress: Progress | None) -> Evidence:
        rng = self.generator
        system = CriticalPoints(Coefficients(self.network, self.dimension, rng), form)
        found = monodromy(system, rng, progress=progress)
        lower = certified(system, found.weights, found.parameters) if self.proved_dimension else None
        loops = f"the last {found.idle} of {found.loops} loops found no more"
        return Evidence(
            MONODROMY, found.count, lower, None, False, f"{found.count} points, {_certificate(lower)}; {loops}"
        )


def _certificate(lower: int | None) -> str:
    return "none proved, since the dimension is not" if lower is None else f"{lower} of them proved in ball arithmetic"
