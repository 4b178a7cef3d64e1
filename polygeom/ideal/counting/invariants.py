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
    Solutions found by following paths (`polygeom.ideal.counting.paths.monodromy`) and proved to exist
    (`polygeom.ideal.counting.paths.proofs`): a proved lower bound. The trace test
    (`polygeom.ideal.counting.paths.trace`) gives numerical evidence that none is missing: probable.

Every route keeps to the time, within about a second, and what it has proved until then stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

from polygeom.ideal.counting.distance import form_matrix
from polygeom.ideal.counting.evidence import EQUATIONS, MONODROMY, THEOREM, Count, Evidence
from polygeom.ideal.counting.paths.systems import CriticalPoints, Outputs
from polygeom.ideal.counting.samples import Samples
from polygeom.ideal.counting.task import Progress, Source, Task
from polygeom.ideal.counting.theorems import GENERIC, LOSS, known_learning_degree


def degree(
    network: Source,
    *,
    method: str = "auto",
    h_vector: Sequence[int] | None = None,
    timeout: float | None = None,
    max_degree: int | None = None,
    rng: int | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
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
    timeout:
        Seconds for everything; what is proved until then is returned. Without it the route over the equations takes at
        most 20 seconds, and the monodromy ends when the trace test is passed or after a number of loops.
    max_degree:
        The last degree in which equations are sought.
    rng:
        Seed of all random choices; that of the neurovariety, or 0, if None.
    progress:
        Called by the monodromy with the number of paths and of solutions so far.
    workers:
        Processes that follow paths and look for equations; the answer does not depend on it, unless the time was up.
        Those of the neurovariety, or 1, if None.
    executor:
        Where they run, if not on this machine: any `concurrent.futures.Executor`, such as that of a dask cluster.

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
    task = Task.of(network, "degree", "", rng, timeout, max_degree, progress, workers, executor)
    routes = {
        THEOREM: task.degree_by_theorem,
        EQUATIONS: lambda: task.degree_by_equations() if h_vector is None else task.by_h_vector(h_vector),
        MONODROMY: task.degree_by_monodromy,
    }
    return task.settle(routes, method)


def ed_degree(
    network: Source,
    form: Any = GENERIC,
    *,
    method: str = "auto",
    timeout: float | None = None,
    max_degree: int | None = None,
    rng: int | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
) -> Count:
    """The Euclidean distance degree: complex critical points, at smooth points, of the distance to a generic target.

    Parameters
    ----------
    form:
        The quadratic form: ``"generic"``, ``"unit"``, ``"bombieri-weyl"``, or a symmetric matrix of exact numbers in
        the plain coefficients (`polygeom.ideal.grading.coordinates.Coordinates`).
    network, method, timeout, max_degree, rng, progress, workers, executor:
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
    task = Task.of(network, "ED degree", name, rng, timeout, max_degree, progress, workers, executor)
    matrix = form_matrix(task.variety.coordinates, form, task.generator)
    routes = {
        THEOREM: task.distance_by_theorem,
        EQUATIONS: lambda: task.critical_by_equations(matrix),
        MONODROMY: lambda: task.critical_by_monodromy(matrix),
    }
    return task.settle(routes, method)


def learning_degree(
    network: Source,
    inputs: Any,
    *,
    method: str = "auto",
    timeout: float | None = None,
    max_degree: int | None = None,
    rng: int | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
) -> Count:
    """The learning degree at given inputs: complex critical points of the squared loss, for generic labels.

    It bounds how many functions training can converge to, whatever the labels: the loss is a squared distance in the
    space of outputs at the inputs, or of coefficients under the form ``I ⊗ M`` with the moments ``M`` of the inputs.

    Parameters
    ----------
    inputs:
        ``(samples, n)`` numbers. Where they do not determine a function of the network up to finitely many, critical
        points are counted by their outputs at the inputs, and the answer says what is undetermined.
    network, method, timeout, max_degree, rng, progress, workers, executor:
        As for `degree`.

    Raises
    ------
    PolygeomError
        If an argument is out of its range, or two routes contradict each other.

    References
    ----------
    Kubjas, Li, Wiesmann, "Geometry of polynomial neural networks", arXiv 2402.00949.

    Examples
    --------
    >>> learning_degree("[2,2,3] r=2", [[1, 0], [0, 1], [1, 1]]).value
    3
    """
    task = Task.of(network, "learning degree", LOSS, rng, timeout, max_degree, progress, workers, executor)
    samples = Samples.of(task.network, inputs)
    routes = {
        THEOREM: lambda: _learning_by_theorem(task, samples),
        EQUATIONS: lambda: _learning_by_equations(task, samples),
        MONODROMY: lambda: _learning_by_monodromy(task, samples),
    }
    return task.settle(routes, method)


def _learning_by_theorem(task: Task, samples: Samples) -> Evidence | None:
    """A theorem, exact or for generic inputs; a bound where the inputs tell all polynomials apart."""
    if samples.dimension < task.dimension:
        return None
    if task.dimension < task.network.ambient_dimension:
        generic = known_learning_degree(task.network, task.dimension, len(samples.points))
        if generic is not None:
            return task.bound_by_theorem(generic, likely=True)
    return task.distance_by_theorem() if samples.determine else None


def _learning_by_equations(task: Task, samples: Samples) -> Evidence | None:
    """Critical points in the coefficients; the form may be degenerate where the functions are still determined."""
    return None if samples.dimension < task.dimension else task.critical_by_equations(samples.form)


def _learning_by_monodromy(task: Task, samples: Samples) -> Evidence:
    """Critical points in the space of outputs at the samples."""
    if not task.network.parameter_count:
        return task.single()
    rng, size = task.generator, samples.dimension
    system = CriticalPoints(Outputs(task.network, size, samples.floats, exact=samples.exact), samples.identity)
    functions = Outputs.random(task.network, task.dimension, rng)
    marks = functions.marks(rng) if size == task.dimension else None
    found = task.solve(system, rng, marks=marks)
    free = task.dimension - size
    notes = []
    if free:
        notes.append(
            f"counted by their outputs at the inputs, which leave {free} of {task.dimension} dimensions of functions "
            "undetermined"
        )
    if (every := size == samples.outputs) and size:
        notes.append("generic labels are fitted exactly; critical functions that do not fit them are not searched for")
    return task.evidence(system, found, dominant=every, note="".join(f"; {note}" for note in notes))
