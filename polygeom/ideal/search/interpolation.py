"""Equations degree by degree: linear algebra mod p in every weight space, minimal generators lifted to the integers.

In one weight space the monomials are evaluated at random points of the neurovariety mod p; the relations among the
values are the equations of that weight. What multiples of equations of lower degree account for is computed first and
divided out, so that the relations that remain are minimal generators.

Two numbers bound the equations over Q from both sides whatever the random choices: the rank of the values mod p is at
most the rank over Q, so it bounds them from above, and multiples of proved equations bound them from below, by their
rank mod p. Where the bounds meet, nothing is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from polygeom._version import __version__
from polygeom.checks import integer
from polygeom.ideal.grading.characters import highest_weights
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.grading.grading import Grading, Weight
from polygeom.ideal.search.batch import solve_spaces
from polygeom.ideal.search.equations import Equation
from polygeom.ideal.search.journal import Journal
from polygeom.ideal.search.lie import lowered
from polygeom.ideal.search.records import DegreeReport
from polygeom.ideal.search.remote import BEGIN, Solved, Workers, is_quick
from polygeom.ideal.search.weightspace import Ground, Problem, SpaceReport
from polygeom.modular import P22, PrimeField
from polygeom.network import Network
from polygeom.sweeps.crew import check_executor

BY_GROUP = 7
"""Degree from which on the group of two inputs carries equations from one weight to the next."""


class Interpolation:
    """A search for equations that goes up degree by degree and can be interrupted between two degrees.

    Parameters
    ----------
    network:
        A `Network` or its text.
    prime:
        The prime of the linear algebra; it must exceed the degree of the outputs.
    seed:
        Seed of the random points.
    workers:
        Processes that share the weight spaces; the numbers do not depend on it.
    journal:
        File that keeps every finished degree; if it exists, its degrees are taken over. One search at a time writes it.
    lift:
        Largest degree whose equations are lifted to the integers; None for all.
    memory:
        Bytes that each process may use, beyond what it uses at rest.
    only:
        Which weights to look at, given the degree and the weight, when the others are known to be empty.
    executor:
        What runs the processes instead of this machine, ``workers`` at the same time.
    invariant:
        Whether every equation of least degree is known to be one that GL(outputs) only scales.

    Examples
    --------
    >>> search = Interpolation("[3,2,1] r=2")
    >>> [search.advance().new for _ in range(4)]
    [0, 0, 1, 0]
    """

    def __init__(
        self,
        network: Network | str,
        *,
        prime: int = P22,
        seed: int = 0,
        workers: int = 1,
        journal: str | None = None,
        lift: int | None = None,
        memory: int | None = None,
        only: Callable[[int, Weight], bool] | None = None,
        invariant: bool = False,
        executor: Executor | None = None,
    ) -> None:
        seed = integer("seed", seed, least=0)
        self.coordinates = Coordinates(network)  # type: ignore[arg-type]
        self.grading = Grading.of(self.coordinates)
        self.prime, self.seed, self.only, self.invariant = int(prime), seed, only, invariant
        self.configure(workers=workers, lift=lift, memory=memory, executor=executor)
        self.reports: list[DegreeReport] = []
        self.ground = Ground(self.grading, self.prime, self.seed)
        self.seconds = [0.0]
        """What each degree took, from 0: processor time if it was computed here."""
        self._crew: Workers | None = None
        self._journal = None if journal is None else Journal(journal, self._header())
        if self._journal is not None:
            self.reports += self._journal.reports
            self.seconds += [report.elapsed for report in self.reports]

    def configure(
        self, *, workers: int, lift: int | None, memory: int | None, executor: Executor | None = None
    ) -> None:
        """Change how the next degrees are computed; the numbers that come out do not depend on it."""
        workers = integer("workers", workers)
        memory = None if memory is None else integer("memory", memory)
        check_executor(executor)
        self.workers, self.lift, self.memory, self.executor = workers, lift, memory, executor

    def _header(self) -> dict[str, Any]:
        network = self.coordinates.network.text
        return {"version": __version__, "network": network, "prime": self.prime, "seed": self.seed}

    @property
    def degree(self) -> int:
        """The last finished degree."""
        return len(self.reports)

    @property
    def equations(self) -> tuple[Equation, ...]:
        """The minimal generators of dominant weight so far."""
        return tuple(e for report in self.reports for e in report.equations)

    @property
    def kept(self) -> tuple[int, ...]:
        """Coordinates that are linearly independent on the neurovariety and span the others."""
        dropped = set()
        for equation in self.reports[0].equations if self.reports else ():
            for _, move in self.grading.copies(equation.weight):
                dropped.add(int(move[_dropped(equation, self.grading)]))
        return tuple(k for k in range(self.grading.size) if k not in dropped)

    @property
    def hilbert_function(self) -> tuple[int, ...]:
        """Dimensions of the homogeneous parts of the coordinate ring, from degree 0."""
        return (1, *(report.hilbert for report in self.reports))

    def advance(self, deadline: float | None = None) -> DegreeReport:
        """Compute the next degree.

        Parameters
        ----------
        deadline:
            Time (of `time.monotonic`) at which to stop.

        Raises
        ------
        BudgetError
            If the deadline passes or the memory does not suffice; finished degrees are kept.
        """
        started = time.monotonic()
        degree = self.degree + 1
        kept = self.kept
        floors = {s.weight: s.rank for s in self.reports[-1].spaces} if self.reports else {}
        problem = Problem(
            ground=self.ground,
            kept=kept,
            degree=degree,
            equations=tuple(e for e in self.equations if e.degree > 1),
            floors=floors,
            lift=self.lift is None or degree <= self.lift,
            deadline=deadline,
            memory=self.memory,
            invariant=self.invariant,
        )
        weights = problem.spaces.dominant_weights(degree)
        if self.only is not None:
            weights = [w for w in weights if self.only(degree, w)]
        if degree == BEGIN and self.workers > 1 and self.executor is None:
            self.crew.begin(self.ground)
            _ = self.coordinates.ring  # loads sympy, which the result needs, while they start
        limited = deadline is not None or self.memory is not None
        by_group = self._by_group(problem)
        if by_group:
            problem = replace(problem, lift=False)
        alone = self.workers == 1 and self.executor is None and not limited
        here = alone or is_quick(problem, self.seconds[-1])
        solve = solve_spaces if here else self.crew.solve
        before = time.process_time()
        results = list(solve(problem, weights))
        if by_group:
            tops = highest_weights({space.weight: space.new for space, _ in results}, self.grading) or {}
            again = solve(replace(problem, lift=True), list(tops)) if tops else []
            results = list(
                carried_down(results, {space.weight: found for space, found in again}, self.grading, problem.field)
            )
        self.seconds.append(time.process_time() - before if here else time.monotonic() - started)
        report = DegreeReport(
            degree,
            tuple(space for space, _ in results),
            tuple(equation for _, equations in results for equation in equations),
            len(kept),
            time.monotonic() - started,
        )
        self.reports.append(report)
        if self._journal is not None:
            self._journal.append(report)
        return report

    def _by_group(self, problem: Problem) -> bool:
        """Whether only equations of highest weight are lifted: those below have far longer coefficients than what the
        group makes of the former."""
        grading = self.grading
        binary = grading.inputs == 2 and grading.outputs < 2
        return binary and problem.lift and problem.degree >= BY_GROUP and self.only is None and grading.cone

    @property
    def crew(self) -> Workers:
        """Processes for what may take long: as many as workers, started when they are needed."""
        if self._crew is None or (self._crew.count, self._crew.executor) != (self.workers, self.executor):
            if self._crew is not None:
                self._crew.close()
            self._crew = Workers(self.workers, self.executor)
        return self._crew

    def close(self) -> None:
        """End the worker processes, and let others write the journal; the search can go on all the same."""
        if self._journal is not None:
            self._journal.close()
        if self._crew is not None:
            self._crew.close()
            self._crew = None

    def __enter__(self) -> Interpolation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def carried_down(
    results: Solved, lifted: Mapping[Weight, Sequence[Equation]], grading: Grading, field: PrimeField
) -> Iterator[tuple[SpaceReport, list[Equation]]]:
    """Minimal generators of all weights from those at which irreducible representations begin, for two inputs.

    Modulo equations of lower degree the generators of a degree are a representation of SL(2). Lowering is injective on
    its spaces of dominant weight, and onto the next one where no irreducible part begins; so it carries bases to bases.
    """
    above: list[Equation] = []
    for space, found in sorted(results, key=lambda result: result[0].weight, reverse=True):
        above = [lowered(e, grading, field) for e in above if e.integers is not None]
        if space.weight in lifted:
            above = list(lifted[space.weight])
        elif len(above) != space.new or (above and above[0].weight != space.weight):
            above = found  # as one further up could not be lifted
        yield space, above


def _dropped(equation: Equation, grading: Grading) -> int:
    """The coordinate that a linear equation expresses by the others; never the homogenising one."""
    numbers = equation.monomials[:, 0].tolist()
    proper = [k for k in numbers if grading.cone or k != grading.size - 1]
    return int(proper[-1])
