"""Degrees, Euclidean distance degrees and learning degrees, each by several routes, each saying how far it is a proof.

Routes
------
theorem
    A named theorem (`polygeom.ideal.counting.theorems`). Proved.
equations
    For the degree: equations proved complete (`polygeom.ideal.search.completeness`), or a given h-vector. Proved. For
    critical points: their number over a prime field, for a random target (`polygeom.ideal.counting.quotient`). Exact
    there, hence right over the rationals unless the target or the prime is special: probable.
monodromy
    Solutions found by following paths (`polygeom.ideal.counting.monodromy`) and certified in ball arithmetic
    (`polygeom.ideal.counting.balls`): a proved lower bound. For the degree the trace test gives numerical evidence that
    none is missing: probable. For critical points it has only stabilised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polygeom.errors import BudgetError, PolygeomError
from polygeom.ideal.counting.balls import certified
from polygeom.ideal.counting.distance import critical_equations, form_matrix, loss_matrix
from polygeom.ideal.counting.evidence import EQUATIONS, MONODROMY, THEOREM, Count, Evidence, Route, settle
from polygeom.ideal.counting.monodromy import Solutions, monodromy
from polygeom.ideal.counting.quotient import quotient_dimension
from polygeom.ideal.counting.systems import Coefficients, CriticalPoints, Outputs, Sections
from polygeom.ideal.counting.theorems import GENERIC, LOSS, Known, known_degree, known_distance_degree
from polygeom.ideal.neurovariety import Neurovariety
from polygeom.ideal.search.search import Search
from polygeom.modular import P22, PrimeField
from polygeom.network import Network

Source = Network | Neurovariety | str
"""What is counted on. A `Neurovariety` keeps the equations that are found, and lends those it has."""

SEARCH_TIMEOUT = 20.0
"""Seconds that the route over the equations may spend on finding them, unless told otherwise."""

Progress = Callable[[int, int], None]
"""Called after each loop of the monodromy with its number and the number of solutions so far."""


def degree(
    network: Source,
    *,
    method: str = "auto",
    h_vector: Sequence[int] | None = None,
    timeout: float = SEARCH_TIMEOUT,
    max_degree: int | None = None,
    rng: int | None = None,
    progress: Progress | None = None,
) -> Count:
    """The degree of the neurovariety: in how many points a generic linear space of complementary dimension meets it.

    Parameters
    ----------
    network:
        A `Network`, its text, or a `Neurovariety`.
    method:
        ``"theorem"``, ``"equations"``, ``"monodromy"``; ``"auto"`` takes them in this order until one gives a likely
        value, ``"all"`` takes all and compares them.
    h_vector:
        Numerator of the Hilbert series over ``(1 - t)^dimension``, if it is known; its sum is the degree, and nothing
        else is computed by the route over the equations.
    timeout, max_degree:
        Seconds for the search for equations, and the last degree in which they are sought.
    rng:
        Seed of all random choices; that of the neurovariety, or 0, if None.
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
    task = _Task.of(network, "degree", "", rng, timeout, max_degree)
    routes = {
        THEOREM: lambda: task.theorem(known_degree(task.variety.network, task.dimension)),
        EQUATIONS: lambda: task.by_equations() if h_vector is None else task.by_h_vector(h_vector),
        MONODROMY: lambda: task.by_sections(progress),
    }
    return task.settle(routes, method)


def ed_degree(
    network: Source,
    form: Any = GENERIC,
    *,
    method: str = "auto",
    timeout: float = SEARCH_TIMEOUT,
    max_degree: int | None = None,
    rng: int | None = None,
    progress: Progress | None = None,
) -> Count:
    """The Euclidean distance degree: complex critical points, at smooth points, of the distance to a generic target.

    Parameters
    ----------
    form:
        The quadratic form: ``"generic"``, ``"unit"``, ``"bombieri-weyl"``, or a symmetric matrix of exact numbers in
        the plain coefficients (`polygeom.ideal.Coordinates`).
    network, method, timeout, max_degree, rng, progress:
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
    task = _Task.of(network, "ED degree", name, rng, timeout, max_degree)
    matrix = form_matrix(task.variety.coordinates, form, task.generator)
    return task.settle(task.distance_routes(matrix, progress), method)


def learning_degree(
    network: Source,
    inputs: Any,
    *,
    method: str = "auto",
    timeout: float = SEARCH_TIMEOUT,
    max_degree: int | None = None,
    rng: int | None = None,
    progress: Progress | None = None,
) -> Count:
    """The learning degree at given inputs: complex critical points of the squared loss, for generic labels.

    It bounds how many functions training can converge to, whatever the labels: under the form ``I ⊗ M`` with the matrix
    ``M`` of moments of the inputs, the loss is the squared distance to the interpolating function.

    Parameters
    ----------
    inputs:
        ``(samples, n)`` numbers, at least as many in general position as one output has coefficients.
    network, method, timeout, max_degree, rng, progress:
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
    task = _Task.of(network, "learning degree", LOSS, rng, timeout, max_degree)
    return task.settle(task.distance_routes(loss_matrix(task.variety.coordinates, inputs), progress), method)


@dataclass(frozen=True)
class _Task:
    """One question, and the ways to answer it."""

    variety: Neurovariety
    quantity: str
    form: str
    seed: int
    timeout: float
    max_degree: int | None

    @classmethod
    def of(
        cls, source: Source, quantity: str, form: str, rng: int | None, timeout: float, max_degree: int | None
    ) -> _Task:
        if rng is not None and (not isinstance(rng, int) or isinstance(rng, bool) or rng < 0):
            raise PolygeomError(f"rng must be an integer from 0, got {rng!r:.40}; write rng=0")
        if not isinstance(source, Neurovariety):
            source = Neurovariety(source, rng=rng or 0)
        return cls(source, quantity, form, source.rng if rng is None else rng, timeout, max_degree)

    @property
    def generator(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    @property
    def dimension(self) -> int:
        return self.variety.dimension.dimension

    def search(self) -> Search:
        """The equations, as far as the limits go."""
        return self.variety.search(self.max_degree, timeout=self.timeout)

    def settle(self, routes: dict[str, Route], method: str) -> Count:
        network = self.variety.network.text
        about = {"quantity": self.quantity, "network": network, "form": self.form, "seed": self.seed}
        return settle(routes, method, about)

    def theorem(self, known: Known | None) -> Evidence | None:
        if known is None or not self.variety.dimension.proved:
            return None
        return Evidence(THEOREM, known.value, known.value, known.value, True, known.reason)

    def by_h_vector(self, h_vector: Sequence[int]) -> Evidence:
        values = list(h_vector)
        if not values or values[0] != 1 or any(not isinstance(h, int) for h in values):
            raise PolygeomError(f"h_vector must be integers that begin with 1, got {values!r:.60}; write (1, 3, 6)")
        total = sum(values)
        return Evidence(EQUATIONS, total, total, total, True, f"the sum of the given h-vector {tuple(values)}")

    def by_equations(self) -> Evidence:
        argument = self.search().completeness
        if argument is None:
            return self._incomplete()
        value = argument.degree
        reason = f"h-vector {', '.join(map(str, argument.h_vector))}; complete because {argument.reason}"
        return Evidence(EQUATIONS, value, value, value, True, reason)

    def _incomplete(self) -> Evidence:
        limits = f"within {self.timeout:g} s" + ("" if self.max_degree is None else f" up to degree {self.max_degree}")
        return Evidence(EQUATIONS, None, None, None, False, f"no proof that the equations found {limits} are complete")

    def _single(self) -> Evidence:
        return Evidence(MONODROMY, 1, 1, 1, True, "the network computes one function only")

    def by_sections(self, progress: Progress | None) -> Evidence:
        if not self.variety.network.parameter_count:
            return self._single()
        rng = self.generator
        sections = Sections(Outputs.random(self.variety.network, self.dimension, rng), rng)
        found = monodromy(sections, rng, progress=progress)
        lower = self._certified(sections, found)
        deviation = "not measured" if found.trace is None else f"{found.trace:.0e}"
        verdict = f"trace test {'' if found.complete else 'not '}passed (deviation {deviation})"
        reason = f"{found.count} points after {found.loops} loops, {_certificate(lower)}; {verdict}"
        return Evidence(MONODROMY, found.count, lower, None, found.complete, reason)

    def _certified(self, system: Sections | CriticalPoints, found: Solutions) -> int | None:
        """A proved number of solutions; none if the dimension is not proved."""
        if not self.variety.dimension.proved:
            return None
        return certified(system, found.weights, found.parameters)

    def distance_routes(self, form: np.ndarray, progress: Progress | None) -> dict[str, Route]:
        known = known_distance_degree(self.variety.network, self.dimension, self.form)
        return {
            THEOREM: lambda: self.theorem(known),
            EQUATIONS: lambda: self._by_critical_equations(form),
            MONODROMY: lambda: self._by_critical_points(form, progress),
        }

    def _by_critical_equations(self, form: np.ndarray) -> Evidence:
        result = self.search().result
        if not result.complete:
            return self._incomplete()
        generators = [g.polynomial for g in result.generators]
        codimension = len(self.variety.coordinates.entries) - self.dimension
        equations = critical_equations(generators, codimension, form, P22, self.generator) if generators else []
        try:
            value = quotient_dimension(equations, PrimeField(P22)) if equations else 1
        except BudgetError as error:
            return Evidence(EQUATIONS, None, None, None, False, f"over the field of {P22} elements: {error}")
        reason = f"exact over the field of {P22} elements for one random target"
        return Evidence(EQUATIONS, value, None, None, True, reason)

    def _by_critical_points(self, form: np.ndarray, progress: Progress | None) -> Evidence:
        if not self.variety.network.parameter_count:
            return self._single()
        rng = self.generator
        system = CriticalPoints(Coefficients(self.variety.network, self.dimension, rng), form)
        found = monodromy(system, rng, progress=progress)
        lower = self._certified(system, found)
        loops = f"the last {found.idle} of {found.loops} loops found no more"
        reason = f"{found.count} points, {_certificate(lower)}; {loops}"
        return Evidence(MONODROMY, found.count, lower, None, False, reason)


def _certificate(lower: int | None) -> str:
    return "none proved, since the dimension is not" if lower is None else f"{lower} of them proved in ball arithmetic"
