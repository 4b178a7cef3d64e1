"""One question about a number of solutions, the time for it, and the routes that answer it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np

from polygeom import checks
from polygeom._dataclass import dataclass, field
from polygeom.checks import integer
from polygeom.errors import BudgetError, PolygeomError
from polygeom.ideal.counting.distance import critical_equations
from polygeom.ideal.counting.evidence import EQUATIONS, MONODROMY, THEOREM, Count, Evidence, Route, settle
from polygeom.ideal.counting.newton import newton_degree
from polygeom.ideal.counting.paths.monodromy import Solutions, monodromy
from polygeom.ideal.counting.paths.sharing import PathCrew
from polygeom.ideal.counting.paths.systems import Coefficients, CriticalPoints, Outputs, Sections, System
from polygeom.ideal.counting.paths.tracking import shortened
from polygeom.ideal.counting.quotient import MOST_MONOMIALS, quotient_dimension
from polygeom.ideal.counting.theorems import GENERIC, Known, degree_bound, known_degree, known_distance_degree
from polygeom.ideal.workspace import Workspace

if TYPE_CHECKING:
    from polygeom.ideal.search.search import Search

from polygeom.modular import P22, PrimeField
from polygeom.network import Network

SEARCH_TIMEOUT = 20.0
"""Seconds that the route over the equations may take where no time is given."""
_PROOF_SHARE = 0.15
"""Part of the time that is left to the proofs of what was found."""
_SECTIONS, _ROUNDS = 4, 10
"""Sections that are tried one after the other, and rounds of loops for each."""

Source = Network | Workspace | str
"""What is counted on. A `Neurovariety` keeps the equations that are found, and lends those it has."""
Progress = Callable[[int, int], None]
"""Called now and then by the monodromy with the number of paths and the number of solutions so far."""


@dataclass(frozen=True)
class Task:
    """One question, and the ways to answer it.

    Attributes
    ----------
    variety:
        Network, dimension and equations.
    quantity, form:
        Names in the answer.
    seed:
        Of all random choices.
    timeout:
        Seconds for everything, None for no limit but those of the single routes.
    max_degree:
        Last degree in which equations are sought.
    progress:
        See `Progress`.
    workers, executor:
        Who follows paths, see `polygeom.ideal.counting.paths.sharing`; None for those of the variety.
    started:
        `time.monotonic` at the beginning.
    """

    variety: Workspace
    quantity: str
    form: str
    seed: int
    timeout: float | None
    max_degree: int | None
    progress: Progress | None = None
    workers: int | None = None
    executor: Executor | None = None
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def of(
        cls,
        source: Source,
        quantity: str,
        form: str,
        rng: int | None,
        timeout: float | None,
        max_degree: int | None,
        progress: Progress | None,
        workers: int | None = None,
        executor: Executor | None = None,
    ) -> Task:
        """The arguments of a public function, checked."""
        workers = None if workers is None else integer("workers", workers)
        rng = None if rng is None else integer("rng", rng, least=0)
        timeout = None if timeout is None else checks.seconds(timeout)
        started = time.monotonic()
        if not isinstance(source, Workspace):
            source = Workspace(source, rng=rng or 0, workers=workers or 1, executor=executor)
        seed = source.rng if rng is None else rng
        return cls(source, quantity, form, seed, timeout, max_degree, progress, workers, executor, started)

    @property
    def network(self) -> Network:
        """That of the question."""
        return self.variety.network

    @property
    def generator(self) -> np.random.Generator:
        """A new one for each route, so that routes do not depend on each other."""
        return np.random.default_rng(self.seed)

    @property
    def dimension(self) -> int:
        """Of the neurovariety."""
        return self.variety.dimension

    def left(self) -> float | None:
        """Seconds that are left, None without a limit."""
        return None if self.timeout is None else max(0.0, self.timeout - (time.monotonic() - self.started))

    def make_ready(self) -> None:
        """Load what follows paths; the first time ever that compiles for half a minute, which no timeout counts.

        Without a timeout it is loaded when there is enough to follow (`polygeom.ideal.counting.paths.route`).
        """
        if self.timeout is None:
            return
        before = time.monotonic()
        from polygeom.ideal.counting.paths import kernels

        del kernels
        object.__setattr__(self, "started", self.started + time.monotonic() - before)

    def settle(self, routes: dict[str, Route], method: str) -> Count:
        """Take the routes that a method names, and weigh what they say."""

        def following() -> Evidence | None:
            self.make_ready()
            return routes[MONODROMY]()

        about = {"quantity": self.quantity, "network": self.network.text, "form": self.form, "seed": self.seed}
        return settle({**routes, MONODROMY: following}, method, about)

    # theorems

    def degree_by_theorem(self) -> Evidence | None:
        """A theorem about the degree, or a bound: by a bundle, or by Newton polytopes."""
        if (known := known_degree(self.network, self.dimension)) is not None:
            return self._theorem(known)
        proved = self.variety.dimension_result.proved
        if (bound := degree_bound(self.network, self.dimension)) is not None and proved:
            return Evidence(THEOREM, None, None, bound.value, False, f"at most {bound.value}: {bound.reason}")
        left = self.left()
        until = math.inf if left is None else time.monotonic() + left / 3
        if (found := newton_degree(self.network, self.dimension, until)) is None:
            return None
        volume, exact = found
        if exact:
            return self._theorem(Known(volume, "volume of the exponents' hull (Bernstein, Kushnirenko)"))
        if not proved:
            return None
        reason = f"at most {volume}, the volume of the Newton polytope (Bernstein, Kushnirenko)"
        return Evidence(THEOREM, None, None, volume, False, reason)

    def distance_by_theorem(self) -> Evidence | None:
        """A theorem about this form, or that for a generic form as a bound: a solution at which the equations are
        regular persists when the form moves a little, so no form has more of them than a generic one."""
        if (known := known_distance_degree(self.network, self.dimension, self.form)) is not None:
            return self._theorem(known)
        return self.bound_by_theorem(known_distance_degree(self.network, self.dimension, GENERIC))

    def bound_by_theorem(self, generic: Known | None, likely: bool = False) -> Evidence | None:
        """A theorem about generic data as an upper bound for the given ones, which they probably attain or not."""
        if generic is None or not self.variety.dimension_result.proved:
            return None
        reason = f"at most {generic.value}, the number for generic ones: {generic.reason}"
        return Evidence(THEOREM, generic.value if likely else None, None, generic.value, likely, reason)

    def _theorem(self, known: Known | None) -> Evidence | None:
        if known is None or not self.variety.dimension_result.proved:
            return None
        return Evidence(THEOREM, known.value, known.value, known.value, True, known.reason)

    # equations

    def by_h_vector(self, h_vector: Sequence[int]) -> Evidence:
        """The degree from a given series."""
        values = list(h_vector)
        if not values or values[0] != 1 or any(not isinstance(h, int) for h in values):
            raise PolygeomError(f"h_vector must be integers that begin with 1, got {values!r:.60}; write (1, 3, 6)")
        total = sum(values)
        return Evidence(EQUATIONS, total, total, total, True, f"the sum of the given h-vector {tuple(values)}")

    def degree_by_equations(self) -> Evidence:
        """The degree from equations that are proved complete."""
        seconds = self._search_time()
        argument = self._search(seconds).completeness
        if argument is None:
            return self._incomplete(seconds)
        value = argument.degree
        reason = f"h-vector {', '.join(map(str, argument.h_vector))}; complete because {argument.reason}"
        return Evidence(EQUATIONS, value, value, value, True, reason)

    def critical_by_equations(self, form: np.ndarray) -> Evidence:
        """Critical points over a prime field."""
        seconds = self._search_time()
        until = time.monotonic() + seconds
        result = self._search(seconds).result
        if not result.complete:
            return self._incomplete(seconds)
        generators = [g.polynomial for g in result.generators]
        codimension = len(self.variety.coordinates.entries) - self.dimension
        variables = len(self.variety.coordinates.entries) + codimension
        largest = max((g.degree for g in result.generators), default=1)
        if math.comb(variables + largest, largest) > MOST_MONOMIALS:
            reason = f"{variables} unknowns are too many to count critical points by elimination"
            return Evidence(EQUATIONS, None, None, None, False, reason)
        equations = critical_equations(generators, codimension, form, P22, self.generator) if generators else []
        try:
            value = quotient_dimension(equations, PrimeField(P22), until=until) if equations else 1
        except BudgetError as error:
            return Evidence(EQUATIONS, None, None, None, False, f"over the field of {P22} elements: {error}")
        reason = f"exact over the field of {P22} elements for one random target"
        return Evidence(EQUATIONS, value, None, None, True, reason)

    def _search_time(self) -> float:
        """A part of the time that is left, so that something remains for the monodromy."""
        left = self.left()
        return SEARCH_TIMEOUT if left is None else max(0.01, left / 3)

    def _search(self, seconds: float) -> Search:
        return self.variety.search(self.max_degree, timeout=seconds)

    def _incomplete(self, seconds: float) -> Evidence:
        limits = f"within {seconds:.3g} s" + ("" if self.max_degree is None else f" up to degree {self.max_degree}")
        return Evidence(EQUATIONS, None, None, None, False, f"no proof that the equations found {limits} are complete")

    # monodromy

    def single(self) -> Evidence:
        """A network without weights."""
        return Evidence(MONODROMY, 1, 1, 1, True, "the network computes one function only")

    def degree_by_monodromy(self) -> Evidence:
        """Points of a section, with the trace test."""
        if not self.network.parameter_count:
            return self.single()
        rng = self.generator
        best: tuple[Sections, Solutions] | None = None
        for _ in range(_SECTIONS):
            # a section near one that is not general has points that few loops reach; another one has not
            system = Sections(Outputs.random(self.network, self.dimension, rng), rng)
            found = self.solve(system, rng, rounds=_ROUNDS)
            if best is None or (found.complete, found.count) > (best[1].complete, best[1].count):
                best = system, found
            if found.complete or found.stopped in ("time", "most"):
                break
        assert best is not None
        return self.evidence(*best)

    def critical_by_monodromy(self, form: np.ndarray) -> Evidence:
        """Critical points, with the trace test."""
        if not self.network.parameter_count:
            return self.single()
        rng = self.generator
        system = CriticalPoints(Coefficients(self.network, self.dimension, rng), form, any_form=self.form == GENERIC)
        return self._by_monodromy(system, rng)

    def solve(self, system: System, rng: np.random.Generator, **options: object) -> Solutions:
        """Solutions within the time that is left, of which a part remains for proofs."""
        left = self.left()
        until = None if left is None else time.monotonic() + (1 - _PROOF_SHARE) * left
        with PathCrew(self.workers or self.variety.workers, self.executor or self.variety.executor) as crew:
            return monodromy(
                system,
                rng,
                until=until,
                crew=crew,
                progress=self.progress,
                **options,  # type: ignore[arg-type]
            )

    def _by_monodromy(self, system: System, rng: np.random.Generator) -> Evidence:
        return self.evidence(system, self.solve(system, rng))

    def evidence(self, system: System, found: Solutions, *, dominant: bool = False, note: str = "") -> Evidence:
        """What solutions show: a bound proved in ball arithmetic, and evidence that none is missing.

        ``dominant`` says that there may be solutions in other components than that of the ones found.
        """
        from polygeom.ideal.counting.paths.proofs import certified, proved

        lower: int | None = None
        if self.variety.dimension_result.proved:
            left = self.left()
            until = None if left is None else time.monotonic() + left + 0.5
            proofs = proved(system, found.weights, found.parameters, until=until)
            lower, rest = len(proofs.different), ~proofs.mask
            if rest.any() and len(rest) == found.count:
                weights = found.weights.copy()
                weights[rest] = shortened(system, weights[rest], found.parameters)
                lower = max(lower, certified(system, weights, found.parameters, until=until))
        proof = "none proved, since the dimension is not" if lower is None else f"{lower} of them proved to exist"
        if found.trace is None:
            verdict = "trace test not made"
        else:
            passed = "passed" if found.trace.passed else "not passed"
            verdict = f"trace test {passed} (deviation {found.trace.ratio:.0e} of the smallest point's)"
        ends = {"time": "; the time was up", "lost": "; every path was lost", "most": "; too many solutions"}
        reason = (
            f"{found.count} points, {proof}; {verdict}; {found.loops} loops, {found.paths} paths, "
            f"{found.lost:.1%} of them lost{ends.get(found.stopped, '')}{note}"
        )
        return Evidence(MONODROMY, found.count, lower, None, found.complete and not dominant, reason)
