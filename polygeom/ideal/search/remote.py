"""Parts of a search in processes of their own, which end when the time is over, whatever they are doing.

A search looks at the clock between two weight spaces; inside one large matrix nobody does. So what may take long is
handed to supervised processes (`polygeom.supervision`) as soon as there are limits, while small degrees, which are over
before a process has started, stay here.
"""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, wait
from dataclasses import asdict, replace
from typing import Any

from polygeom.dimensions import DimensionResult, dimension
from polygeom.dimensions.compute import operations
from polygeom.errors import BudgetError, PolygeomError
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.grading.grading import Grading, Weight
from polygeom.ideal.grading.spaces import Spaces
from polygeom.ideal.search.batch import solve_spaces
from polygeom.ideal.search.completeness import Completeness, prove_complete
from polygeom.ideal.search.equations import Equation
from polygeom.ideal.search.records import equation_from, record_of_equation, record_of_space, space_from
from polygeom.ideal.search.weightspace import Ground, Problem, SpaceReport
from polygeom.modular import load_compiled
from polygeom.network import Network, parse
from polygeom.supervision import Call, Limits, LocalCrew, Status, run_alone
from polygeom.sweeps.crew import ExecutorCrew
from polygeom.sweeps.task import Task

TASKS = 8
"""Tasks for every worker and degree, if there are several workers."""
QUICK = 0.05
"""A degree is quick when the one before it took at most so many seconds of processor time, …"""
MOST_MONOMIALS = 100_000
"""… and the ring has at most so many monomials of that degree."""

BEGIN = 4
"""The degree before which several processes start: what ends sooner needs none."""

LONG = 1e9
"""Multiplications for the dimension from which on it has a process of its own: some tenths of a second."""

Solved = list[tuple[SpaceReport, list[Equation]]]


def is_quick(problem: Problem, before: float) -> bool:
    """Whether a degree takes less time than the start of a process, judging by its size and the seconds ``before``."""
    monomials = math.comb(len(problem.kept) + problem.degree - 1, problem.degree)
    return monomials <= MOST_MONOMIALS and before <= QUICK


class Workers:
    """Supervised processes for the parts of a search.

    Parameters
    ----------
    count:
        How many.
    executor:
        Where they run, if not on this machine: any `concurrent.futures.Executor`.
    """

    def __init__(self, count: int, executor: Executor | None = None) -> None:
        self.count, self.executor = count, executor
        self._crew = LocalCrew(count, Limits()) if executor is None else None

    def begin(self, ground: Ground) -> None:
        """Start the processes: they load libraries and the network while this one computes."""
        if self._crew is not None:
            for _ in range(self.count):
                self._crew.submit(Call(f"{__name__}:work", {"name": "begin", "argument": _ground_record(ground)}))

    def solve(self, problem: Problem, weights: Sequence[Weight]) -> Solved:
        """`solve_spaces` in the processes, in the order of the weights.

        Raises
        ------
        BudgetError
            If the deadline passes, which ends the processes, or the memory does not suffice.
        """
        # weight spaces are largest where the entries of a weight are alike; the largest begin
        ordered = sorted(weights, key=lambda weight: sum(w * w for w in weight))
        parts = [weights] if self.count == 1 else [ordered[k :: TASKS * self.count] for k in range(TASKS * self.count)]
        # other machines have clocks of their own
        text = problem_text(problem if self.executor is None else replace(problem, deadline=None))
        arguments = [{"problem": text, "weights": [list(w) for w in part]} for part in parts if part]
        spaces: dict[Weight, SpaceReport] = {}
        equations: dict[Weight, list[Equation]] = {w: [] for w in weights}
        for answer in self.run("solve", arguments, problem.degree, problem.deadline, problem.memory):
            for space in map(space_from, answer["spaces"]):
                spaces[space.weight] = space
            for record in answer["equations"]:
                equation = equation_from(problem.degree, record)
                equations[equation.weight].append(equation)
        return [(spaces[w], equations[w]) for w in weights]

    def complete(
        self,
        ground: Ground,
        kept: Sequence[int],
        equations: Sequence[Equation],
        dimension: int,
        hilbert: Sequence[int],
        deadline: float | None,
        memory: int | None,
    ) -> Completeness | None:
        """`polygeom.ideal.search.completeness.prove_complete` in a process."""
        argument = {
            "ground": _ground_record(ground),
            "kept": list(kept),
            "equations": _equation_records(equations),
            "dimension": dimension,
            "hilbert": list(hilbert),
        }
        (answer,) = self.run("complete", [argument], len(hilbert) - 1, deadline, memory)
        found = answer["completeness"]
        return None if found is None else completeness_from(found)

    def run(
        self, name: str, arguments: Sequence[dict[str, Any]], degree: int, deadline: float | None, memory: int | None
    ) -> list[dict[str, Any]]:
        """One of the functions of this module in the processes, once for each argument, within the limits."""
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if self._crew is None:
            assert self.executor is not None
            return self._run_elsewhere(name, arguments, degree, left, memory)
        calls = [Call(f"{__name__}:work", {"name": name, "argument": argument}) for argument in arguments]
        futures = [self._crew.submit(call, Limits(None, memory)) for call in calls]
        try:
            pending = wait(futures, left, FIRST_EXCEPTION).not_done
        except BaseException:
            self._restart()
            raise
        if pending:
            self._restart()
            raise BudgetError(_late(degree))
        return [_answer(future, degree) for future in futures]

    def _run_elsewhere(
        self, name: str, arguments: Sequence[dict[str, Any]], degree: int, left: float | None, memory: int | None
    ) -> list[dict[str, Any]]:
        """`run` through the executor; its workers have clocks of their own, and keep the time by their supervisors."""
        assert self.executor is not None
        crew = ExecutorCrew(self.executor, self.count, Limits(left, memory))
        futures: list[Future[dict[str, Any]]] = []
        try:
            tasks = [Task(f"{__name__}:elsewhere", {"name": name, "argument": argument}) for argument in arguments]
            futures.extend(map(crew.submit, tasks))
            pending = wait(futures, left, FIRST_EXCEPTION).not_done
            if pending:
                raise BudgetError(_late(degree))
            return [_answer(future, degree) for future in futures]
        finally:
            for future in futures:
                future.cancel()
            crew.stop()
            crew.close()

    def _restart(self) -> None:
        """End the processes, whatever they do; the next call starts new ones."""
        assert self._crew is not None
        self._crew.stop()
        self._crew.close()
        self._crew = LocalCrew(self.count, Limits())

    def close(self) -> None:
        """End the processes."""
        if self._crew is not None:
            self._crew.stop()
            self._crew.close()


def dimension_until(network: Network, rng: int, deadline: float | None) -> DimensionResult:
    """The dimension of a network, in a process of its own if it may take long and there is a deadline.

    Raises
    ------
    BudgetError
        If the deadline passes.
    """
    size = network.parameter_count
    costly = operations(network.widths) if network.widths is not None and len(network.widths) > 2 else float(size) ** 3
    if deadline is None or costly < LONG:
        return dimension(network, rng=rng)
    argument = {"argument": {"network": network.text}, "seed": rng}
    outcome = run_alone(Call("polygeom.dimensions.task:run", argument), Limits(max(0.01, deadline - time.monotonic())))
    if outcome.status is Status.OK and outcome.result is not None:
        return DimensionResult.from_dict(outcome.result)
    if outcome.status is Status.TIMEOUT:
        raise BudgetError("the time was over while the dimension was computed; raise timeout=")
    raise BudgetError(f"dimension: {outcome.message}")


def _late(degree: int) -> str:
    return f"the time was over in degree {degree}; raise timeout= or lower max_degree="


def _answer(future: Future[dict[str, Any]], degree: int) -> dict[str, Any]:
    outcome = future.result()
    match outcome["status"]:
        case "ok":
            return dict(outcome["result"])
        case "timeout":
            raise BudgetError(_late(degree))
        case "memory":
            message = outcome["message"].removeprefix("BudgetError: ")
            advice = "" if ";" in message else f" in degree {degree}; raise memory= or lower max_degree="
            raise BudgetError(message + advice)
        case status:
            raise PolygeomError(
                f"a process that looked for equations of degree {degree} {status}: {outcome['message']}"
            )


def solve(argument: Mapping[str, Any]) -> dict[str, Any]:
    """In the worker: `solve_spaces`."""
    solved = solve_spaces(_problem(argument["problem"]), [tuple(w) for w in argument["weights"]])
    return {
        "spaces": [record_of_space(space) for space, _ in solved],
        "equations": [record_of_equation(e) for _, equations in solved for e in equations],
    }


def begin(argument: Sequence[Any]) -> dict[str, Any]:
    """In the worker: load what a search needs."""
    load_compiled()
    _ground(*argument)
    return {}


def work(order: Mapping[str, Any]) -> dict[str, Any]:
    """In the worker: `begin`, `solve` or `complete`. One function, since a worker that is to run another one starts
    anew.
    """
    functions: dict[str, Callable[[Any], dict[str, Any]]] = {"begin": begin, "solve": solve, "complete": complete}
    return functions[order["name"]](order["argument"])


def elsewhere(task: Mapping[str, Any]) -> dict[str, Any]:
    """In a worker of an executor: `work`."""
    return work(task["argument"])


def complete(argument: Mapping[str, Any]) -> dict[str, Any]:
    """In the worker: `prove_complete`."""
    ground = _ground(*argument["ground"])
    found = prove_complete(
        _equations_from(argument["equations"]),
        Spaces(ground.grading, argument["kept"]),
        argument["dimension"],
        ground.field,
        argument["hilbert"],
        ground.seed,
    )
    return {"completeness": None if found is None else asdict(found)}


def completeness_from(record: Mapping[str, Any]) -> Completeness:
    """The argument whose ``asdict`` went through JSON."""
    orbits = tuple(tuple(degrees) for degrees in record["orbits"])
    return Completeness(
        record["reason"],
        record["degree"],
        tuple(record["h_vector"]),
        record["argument"],
        tuple(record["seeds"]),
        orbits,
    )


@functools.lru_cache(maxsize=1)
def _ground(network: str, prime: int, seed: int) -> Ground:
    return Ground(Grading.of(Coordinates(parse(network))), prime, seed)


def _ground_record(ground: Ground) -> list[Any]:
    return [ground.grading.coordinates.network.text, ground.prime, ground.seed]


def _equation_records(equations: Sequence[Equation]) -> list[Any]:
    return [[e.degree, record_of_equation(e)] for e in equations]


def _equations_from(records: Sequence[Any]) -> tuple[Equation, ...]:
    return tuple(equation_from(degree, record) for degree, record in records)


def problem_text(problem: Problem) -> str:
    """What all tasks of a degree share, as one text, which the processes read once."""
    return json.dumps(_problem_record(problem), separators=(",", ":"))


@functools.lru_cache(maxsize=1)
def _problem(text: str) -> Problem:
    return _problem_from(json.loads(text))


def _problem_record(problem: Problem) -> dict[str, Any]:
    return {
        "ground": _ground_record(problem.ground),
        "kept": list(problem.kept),
        "degree": problem.degree,
        "equations": _equation_records([replace(e, integers=None) for e in problem.equations]),  # residues are enough
        "floors": [[list(weight), rank] for weight, rank in problem.floors.items()],
        "lift": problem.lift,
        "deadline": problem.deadline,
        "memory": problem.memory,
        "invariant": problem.invariant,
    }


def _problem_from(record: Mapping[str, Any]) -> Problem:
    return Problem(
        ground=_ground(*record["ground"]),
        kept=tuple(record["kept"]),
        degree=record["degree"],
        equations=_equations_from(record["equations"]),
        floors={tuple(weight): rank for weight, rank in record["floors"]},
        lift=record["lift"],
        deadline=record["deadline"],
        memory=record["memory"],
        invariant=record["invariant"],
    )
