"""``interpolate(network)``: equations by linear algebra, proofs, and an argument that nothing is missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor

import numpy as np

from polygeom import checks
from polygeom._dataclass import dataclass
from polygeom.checks import integer
from polygeom.dimensions import DimensionResult
from polygeom.errors import BudgetError
from polygeom.ideal.bundles.pencils import pencils_of
from polygeom.ideal.bundles.regularity import Cuts
from polygeom.ideal.grading.characters import highest_weights
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.grading.grading import Weight
from polygeom.ideal.grading.spaces import Spaces
from polygeom.ideal.result import Generator, IdealResult
from polygeom.ideal.search.completeness import Completeness, prove_bounded, prove_complete, series
from polygeom.ideal.search.equations import Equation
from polygeom.ideal.search.interpolation import Interpolation
from polygeom.ideal.search.membership import plain_integers
from polygeom.ideal.search.records import DegreeReport
from polygeom.ideal.search.remote import dimension_until
from polygeom.modular import P22
from polygeom.network import Network
from polygeom.supervision import Status

DEFAULT_TIMEOUT = 60.0
"""Seconds after which a search without any limit of its own stops."""

SHORT = 0.5
"""Seconds of search after which the argument for completeness has a process of its own, too, if there are limits."""
MANY = 500
"""Equations from which on it has one."""

MOST_VARIABLES = 2000
"""Coordinates up to which their polynomial ring is made before the search."""

WRITING = 0.5
"""Seconds after the end that writing out what was found may take."""

PATIENCE = 10.0
"""Seconds of search from which on a bound for the degrees is looked for in degrees that have generators, too."""

QUIET = 3
"""Without a last degree, a search ends when it is this many times the largest degree of a generator."""

Progress = Callable[[DegreeReport], None]


@dataclass(frozen=True, eq=False)
class Search:
    """A finished search: the result, and what certificates and further questions need.

    Attributes
    ----------
    result:
        What was found.
    dimension:
        The dimension of the neurovariety.
    interpolation:
        The degrees, and the equations mod p.
    completeness:
        The argument for completeness, if there is one.
    """

    result: IdealResult
    dimension: DimensionResult
    interpolation: Interpolation
    completeness: Completeness | None

    def hilbert_function(self, degree: int) -> int | None:
        """Dimension of the coordinate ring in a degree, None if it is not known."""
        if self.completeness is not None:
            interpolation = self.interpolation
            n = self.dimension.lower + (not interpolation.grading.cone)
            return series(self.completeness.h_vector, n, degree + 1)[degree]
        known = self.result.hilbert_function
        return known[degree] if degree < len(known) else None

    def representations(self) -> dict[int, dict[Weight, int] | None]:
        """Degree → highest weights of the minimal generators with multiplicities."""
        grading = self.interpolation.grading
        return {
            report.degree: highest_weights({s.weight: s.new for s in report.spaces}, grading)
            for report in self.interpolation.reports
            if report.new
        }


def interpolate(
    network: Network | str,
    max_degree: int | None = None,
    *,
    timeout: float | None = None,
    memory: int | None = None,
    workers: int = 1,
    executor: Executor | None = None,
    rng: int = 0,
    prime: int = P22,
    journal: str | None = None,
    lift: int | None = None,
    progress: Progress | None = None,
    resume: Search | None = None,
) -> Search:
    """Search for the equations of a neurovariety, degree by degree.

    Parameters
    ----------
    network:
        A `Network` or its text.
    max_degree:
        Last degree to look at. Without it the search ends when the equations are proved complete, or when there were no
        new ones up to `QUIET` times the largest degree of a generator, or by the timeout.
    timeout:
        Seconds; `DEFAULT_TIMEOUT` if there is no ``max_degree`` either.
    memory:
        Bytes that each process may use, beyond what it uses at rest.
    workers:
        Processes; the numbers do not depend on it.
    executor:
        What runs them instead of this machine: any `concurrent.futures.Executor`, such as that of a dask cluster.
    rng:
        Seed of all random points, stored with the result.
    prime:
        Prime of the linear algebra.
    journal:
        File in which finished degrees are kept; a search with the same file goes on where it ended.
    lift:
        Largest degree whose equations are written over Q; None for all.
    progress:
        Called with every finished `DegreeReport`.

    Returns
    -------
    `Search`. In its ``result`` every generator says whether it is proved to vanish; up to
    ``complete_to`` it is proved that the generators generate all equations, and ``completeness`` says whether that is
    so in all degrees, and why.

    Raises
    ------
    PolygeomError
        If an argument is out of its range, or the journal cannot be used: its folder is missing, another process writes
        it, it belongs to another search or is damaged.

    Examples
    --------
    >>> result = interpolate("[3,2,1] r=2").result
    >>> len(result.generators), result.generators[0].degree, result.generators[0].proved_member
    (1, 3, True)
    >>> result.completeness
    'complete because the neurovariety is a hypersurface and its equation of least degree, 3, generates a prime ideal'
    """
    started = time.monotonic()
    max_degree = None if max_degree is None else integer("max_degree", max_degree)
    timeout = None if timeout is None else checks.seconds(timeout)
    seconds = DEFAULT_TIMEOUT if timeout is None and max_degree is None else timeout
    deadline = None if seconds is None else started + seconds
    if resume is None:
        search = Interpolation(
            network,
            prime=prime,
            seed=rng,
            workers=workers,
            journal=journal,
            lift=lift,
            memory=memory,
            executor=executor,
        )
        size = None
    else:
        search, size = resume.interpolation, resume.dimension
        search.configure(workers=workers, lift=lift, memory=memory, executor=executor)
    with search:
        if deadline is not None and search.grading.size <= MOST_VARIABLES:
            _ = search.coordinates.ring  # loads sympy and makes all its variables, before the end and not after it
        size = dimension_until(search.coordinates.network, rng, deadline) if size is None else size
        runner = _Runner(search, size, deadline, progress)
        ended, message = runner.run(max_degree)
    result = runner.result(ended, message, time.monotonic() - started)
    return Search(result, size, search, runner.completeness)


class _Runner:
    """The course of a search: degrees, and after each of them the question whether it is the last one needed."""

    def __init__(
        self, search: Interpolation, size: DimensionResult, deadline: float | None, progress: Progress | None
    ) -> None:
        self.search, self.size, self.deadline, self.progress = search, size, deadline, progress
        self.completeness: Completeness | None = None
        self._tried = -1
        self._cuts: Cuts | None = None

    @property
    def cone_dimension(self) -> int:
        """A proved lower bound for the dimension of the neurovariety, or of the cone over it if it is not one."""
        return self.size.lower + (not self.search.grading.cone)

    def run(self, max_degree: int | None) -> tuple[str, str]:
        """Go up until the equations are complete or a limit is met; status and message."""
        try:
            self._try_to_complete()
            while self.completeness is None and self._further(max_degree):
                if self.search.degree == 1:
                    self._restrict_to_invariants()
                report = self.search.advance(self.deadline)
                if self.progress is not None:
                    self.progress(report)
                self._try_to_complete()
        except BudgetError as error:
            late = self.deadline is not None and time.monotonic() > self.deadline
            return (Status.TIMEOUT if late else Status.MEMORY), str(error)
        return Status.OK, ""

    def _further(self, max_degree: int | None) -> bool:
        """Whether another degree is to be looked at."""
        degree = self.search.degree
        if max_degree is not None:
            return degree < max_degree
        last = max((report.degree for report in self.search.reports if report.new), default=0)
        return last < 2 or degree < QUIET * last

    def _restrict_to_invariants(self) -> None:
        """GL carries the equation of a hypersurface to a multiple of itself, so its weight is constant on blocks."""
        grading = self.search.grading
        if self.size.proved and len(self.search.kept) - self.cone_dimension == 1:
            blocks = [slice(0, grading.outputs), slice(grading.outputs, grading.outputs + grading.inputs)]
            self.search.only = lambda degree, weight: all(len(set(weight[block])) <= 1 for block in blocks)
            self.search.invariant = True

    def _try_to_complete(self) -> None:
        search = self.search
        equations = search.equations
        if not search.reports or not all(e.proved for e in equations):
            return
        if len(equations) != self._tried:
            self._tried = len(equations)
            self._try_sections(equations)
        if self.completeness is None:
            self._try_regularity()

    def _try_regularity(self) -> None:
        """Whether the degrees looked at are all that can have generators, where the neurovariety is the image of a
        bundle; tried when the last degree had none, or the search was longer than the attempt is."""
        search = self.search
        last = search.reports[-1]
        if not search.equations or search.only is not None or (last.new and sum(search.seconds) < PATIENCE):
            return
        if self._cuts is None:
            bundle = pencils_of(search.coordinates.network, self.size.lower)
            if bundle is None or len(search.kept) < search.grading.size:
                return
            self._cuts = Cuts(bundle, search.ground.field, search.seed)
        self.completeness = prove_bounded(self._cuts, search.hilbert_function, self.deadline)

    def _try_sections(self, equations: Sequence[Equation]) -> None:
        """An argument by the equations alone."""
        search = self.search
        proper = [e for e in equations if e.degree > 1]
        hilbert, dimension = search.hilbert_function, self.cone_dimension
        limited = self.deadline is not None or search.memory is not None
        copies = sum(search.grading.orbit_size(e.weight) for e in proper)
        if limited and (sum(search.seconds) > SHORT or copies > MANY):
            self.completeness = search.crew.complete(
                search.ground, search.kept, proper, dimension, hilbert, self.deadline, search.memory
            )
        else:
            spaces = Spaces(search.grading, search.kept)
            self.completeness = prove_complete(
                proper, spaces, dimension, search.ground.field, hilbert, search.seed, self.deadline
            )

    def result(self, ended: str, message: str, elapsed: float) -> IdealResult:
        """The findings as plain data."""
        search = self.search
        complete_to = proved_degree(search.reports)
        if self.completeness is not None:
            completeness = f"complete because {self.completeness.reason}"
        else:
            completeness = f"unknown beyond degree {complete_to}"
        until = None if self.deadline is None else max(self.deadline, time.monotonic()) + WRITING
        generators = tuple(generators_of(search.coordinates, search, until))
        lifted = sum(search.grading.orbit_size(e.weight) for e in search.equations if e.integers is not None)
        if len(generators) < lifted:
            ended, cut = (
                Status.TIMEOUT,
                f"the time was over when {len(generators)} of {lifted} equations were written out",
            )
            message = f"{message}; {cut}" if message else f"{cut}; raise timeout="
        return IdealResult(
            coordinates=search.coordinates,
            generators=generators,
            complete_to=complete_to,
            completeness=completeness,
            method="interpolation",
            ended=ended,
            hilbert_function=search.hilbert_function,
            counts=tuple((r.degree, r.new) for r in search.reports if r.new),
            seeds=(search.seed,),
            primes=(search.prime,),
            elapsed=elapsed,
            message=message,
        )


def proved_degree(reports: Sequence[DegreeReport]) -> int:
    """The degree up to which proved equations generate everything."""
    proved = 0
    for report in reports:
        if not all(e.proved for e in report.equations):
            break
        proved = report.degree
    return proved


def generators_of(coordinates: Coordinates, search: Interpolation, until: float | None = None) -> Iterator[Generator]:
    """All minimal generators that were lifted, written in plain coordinates; not all when the time ``until`` comes."""
    ring = coordinates.ring
    size = len(coordinates.entries)
    for equation in search.equations:
        if equation.integers is None:
            continue
        coefficients = [ring.domain(c) for c in plain_integers(equation, coordinates)]
        rows = np.arange(len(coefficients))[:, None]
        for weight, move in search.grading.copies(equation.weight):
            if until is not None and time.monotonic() > until:
                return
            exponents = np.zeros((len(coefficients), size + 1), dtype=np.int64)  # the last for the homogenising one
            np.add.at(exponents, (rows, move[equation.monomials]), 1)
            monomials = map(tuple, exponents[:, :size].tolist())
            polynomial = ring.from_dict(dict(zip(monomials, coefficients, strict=True)))
            if polynomial.LC < 0:
                polynomial = -polynomial
            proof = _proof(equation, weight)
            yield Generator(polynomial, equation.degree, weight, equation.proved, proof)


def _proof(equation: Equation, weight: Weight) -> str:
    if not equation.proved:
        return ""
    return "substitution" if weight == equation.weight else "substitution, after permuting inputs and outputs"
