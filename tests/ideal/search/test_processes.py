"""What a search hands to processes, with a crew that works in this one: the same numbers, limits, errors in words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from polygeom.dimensions import dimension
from polygeom.errors import BudgetError, PolygeomError
from polygeom.ideal import interpolate
from polygeom.ideal.grading.spaces import Spaces
from polygeom.ideal.search import remote, search
from polygeom.ideal.search.batch import solve_spaces
from polygeom.ideal.search.completeness import prove_complete
from polygeom.ideal.search.interpolation import Interpolation
from polygeom.ideal.search.records import record_of_equation, record_of_space
from polygeom.ideal.search.remote import Workers
from polygeom.ideal.search.search import _Runner
from polygeom.ideal.search.weightspace import Problem
from polygeom.network import parse
from polygeom.supervision import Limits, Outcome, Status


class Crew:
    """Does at once what it is given, through JSON; or never."""

    def __init__(self, count: int = 1, limits: Limits | None = None, *, idle: bool = False) -> None:
        self.count, self.idle = count, idle
        self.targets: list[str] = []
        self.limits: list[Limits] = []
        self.ended: list[str] = []

    def submit(self, call: Any, limits: Limits) -> Future[dict[str, Any]]:
        self.targets.append(call.target)
        self.limits.append(limits)
        future: Future[dict[str, Any]] = Future()
        if not self.idle:
            function: Callable[[Any], Any] = getattr(remote, call.target.partition(":")[2])
            result = json.loads(json.dumps(function(json.loads(json.dumps(call.as_dict())))))
            future.set_result(Outcome(Status.OK, result).as_dict())
        return future

    def stop(self) -> None:
        self.ended.append("stop")

    def close(self) -> None:
        self.ended.append("close")


@pytest.fixture
def crews(monkeypatch: pytest.MonkeyPatch) -> list[Crew]:
    made: list[Crew] = []
    monkeypatch.setattr(remote, "LocalCrew", lambda count, limits: (made.append(Crew(count)), made[-1])[1])
    return made


def third_degree(network: str) -> tuple[Interpolation, Problem]:
    one = Interpolation(network)
    for _ in range(2):
        one.advance()
    equations = tuple(e for e in one.equations if e.degree > 1)
    return one, Problem(one.ground, one.kept, 3, equations, {s.weight: s.rank for s in one.reports[-1].spaces})


@pytest.mark.parametrize("count", [1, 2, 3])
def test_weights_are_shared_and_come_back_in_order(crews: list[Crew], count: int) -> None:
    _, problem = third_degree("[2,1,2] r=3")
    problem = replace(problem, memory=10**9, deadline=time.monotonic() + 1000)
    weights = problem.spaces.dominant_weights(3)
    workers = Workers(count)
    found = workers.solve(problem, weights)
    assert len(crews[0].targets) == min(len(weights), 1 if count == 1 else 8 * count)
    assert set(crews[0].limits) == {Limits(None, 10**9)}
    expected = solve_spaces(problem, weights)
    assert [record_of_space(space) for space, _ in found] == [record_of_space(space) for space, _ in expected]
    plain = [[record_of_equation(e) for e in equations] for _, equations in found]
    assert plain == [[record_of_equation(e) for e in equations] for _, equations in expected]
    assert any(plain) or problem.equations
    workers.close()
    assert crews[0].ended == ["stop", "close"]


def test_a_problem_is_the_same_on_the_other_side() -> None:
    _, problem = third_degree("[2,1,2] r=3")
    assert problem.equations
    problem = replace(problem, lift=False, deadline=7.5, memory=10**9)
    other = remote._problem_from(json.loads(json.dumps(remote._problem_record(problem))))
    for name in ("kept", "degree", "floors", "lift", "deadline", "memory"):
        assert getattr(other, name) == getattr(problem, name), name
    residues = [replace(e, integers=None) for e in problem.equations]  # whose integers may be megabytes
    assert [record_of_equation(e) for e in other.equations] == [record_of_equation(e) for e in residues]
    assert [e.degree for e in other.equations] == [e.degree for e in problem.equations]
    assert (other.ground.prime, other.ground.seed) == (problem.ground.prime, problem.ground.seed)


def test_completeness_is_the_same_on_the_other_side(crews: list[Crew]) -> None:
    one, _ = third_degree("[2,2,2] r=3")
    one.advance()
    proper = [e for e in one.equations if e.degree > 1]
    workers = Workers(1)
    for n, proved in ((6, True), (7, False)):
        arguments = (one.ground, one.kept, proper, n, one.hilbert_function)
        found = workers.complete(*arguments, None, 10**9)
        spaces = Spaces(one.grading, one.kept)
        assert found == prove_complete(proper, spaces, n, one.ground.field, one.hilbert_function, one.ground.seed)
        assert (found is not None) is proved
    crews[0].idle = True
    with pytest.raises(BudgetError, match="the time was over in degree 3; raise timeout="):
        workers.complete(one.ground, one.kept, proper, 6, one.hilbert_function, time.monotonic() + 0.02, None)
    assert crews[0].ended == ["stop", "close"], "what is late is ended"
    assert workers.complete(one.ground, one.kept, proper, 6, one.hilbert_function, None, None) is not None
    assert [crew.count for crew in crews] == [1, 1]


def test_an_interruption_ends_the_processes(crews: list[Crew], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> Any:
        raise KeyboardInterrupt

    workers = Workers(2)
    monkeypatch.setattr(remote, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        workers.run("solve", [], 3, None, None)
    assert [crew.ended for crew in crews] == [["stop", "close"], []]


@pytest.mark.parametrize(
    ("outcome", "error", "message"),
    [
        (
            Outcome(Status.MEMORY, None, "needed more than 5 bytes"),
            BudgetError,
            "^needed more than 5 bytes in degree 3; ",
        ),
        (Outcome(Status.MEMORY, None, "BudgetError: late; raise timeout="), BudgetError, "^late; raise timeout=$"),
        (Outcome(Status.CRASHED, None, "SIGSEGV"), PolygeomError, "equations of degree 3 crashed: SIGSEGV$"),
    ],
)
def test_what_went_wrong_elsewhere_is_told_here(outcome: Outcome, error: type[Exception], message: str) -> None:
    future: Future[dict[str, Any]] = Future()
    future.set_result(outcome.as_dict())
    with pytest.raises(error, match=message):
        remote._answer(future, 3)


def test_a_degree_is_quick_up_to_a_size_and_a_time() -> None:
    def quick(degree: int, before: float) -> bool:
        return remote.is_quick(SimpleNamespace(kept=(0, 1), degree=degree), before)  # type: ignore[arg-type]

    assert quick(99_999, remote.QUICK)
    assert not quick(100_000, remote.QUICK)
    assert not quick(3, remote.QUICK * 1.01)


def test_a_large_dimension_has_a_process_where_there_is_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    network = parse("[2,2,1] r=2")
    known = dimension(network, rng=3)
    outcomes = [Outcome(Status.OK, known.as_dict())]
    asked: list[tuple[Any, Limits]] = []
    work = {"[2,2,1] r=2": remote.LONG}

    def alone(call: Any, limits: Limits) -> Outcome:
        asked.append((call.as_dict(), limits))
        return outcomes[-1]

    monkeypatch.setattr(remote, "run_alone", alone)
    monkeypatch.setattr(remote, "operations", lambda widths: work[f"[{','.join(map(str, widths))}] r=2"])
    assert remote.dimension_until(network, 3, None).dimension == 3
    assert remote.dimension_until(parse("[2,1] r=2"), 3, time.monotonic() + 100).dimension == 2
    assert remote.dimension_until(parse("ccp(2,rank=1,degree=2)"), 3, time.monotonic() + 100).lower > 0
    assert asked == []
    assert remote.dimension_until(network, 3, time.monotonic() + 100).dimension == 3
    ((argument, limits),) = asked
    assert argument == {"argument": {"network": "[2,2,1] r=2"}, "seed": 3}
    assert limits.timeout is not None
    assert 90 < limits.timeout <= 100
    for late, message in (
        (Outcome(Status.TIMEOUT), "the time was over while the dimension was computed"),
        (Outcome(Status.CRASHED, None, "words"), "dimension: words"),
    ):
        outcomes.append(late)
        with pytest.raises(BudgetError, match=message):
            remote.dimension_until(network, 3, time.monotonic() - 1)
    assert asked[-1][1].timeout == 0.01
    work["[2,2,1] r=2"] = remote.LONG - 1
    assert remote.dimension_until(network, 3, time.monotonic() + 100).dimension == 3
    assert len(asked) == 3


# Where the argument for completeness is made


def attempt(monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[list[str], _Runner]:
    """Who is asked by a runner that may be limited, after so many seconds, with so many copies of equations."""
    given = {"deadline": None, "memory": None, "seconds": [0.0], "copies": 1, "degrees": [1, 2, 2], "proved": True}
    given |= options
    asked: list[str] = []
    monkeypatch.setattr(search, "prove_complete", lambda proper, *_: asked.append(f"here {len(proper)}"))
    monkeypatch.setattr(search, "Spaces", lambda *_: None)
    equations = [SimpleNamespace(degree=d, weight=(), proved=given["proved"]) for d in given["degrees"]]
    one: Any = SimpleNamespace(
        equations=equations,
        reports=[None],
        hilbert_function=(1, 2),
        memory=given["memory"],
        seconds=given["seconds"],
        grading=SimpleNamespace(orbit_size=lambda _: given["copies"], cone=True),
        crew=SimpleNamespace(complete=lambda ground, kept, proper, *_: asked.append(f"there {len(proper)}")),
        ground=SimpleNamespace(field=None),
        only=lambda *_: True,
        kept=(0,),
        seed=0,
    )
    runner = _Runner(one, SimpleNamespace(lower=1), given["deadline"], None)  # type: ignore[arg-type]
    runner._try_to_complete()
    return asked, runner


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({}, "here"),
        ({"seconds": [9.0], "copies": 10**4}, "here"),
        ({"deadline": 1e9}, "here"),
        ({"deadline": 1e9, "seconds": [0.0, 0.25, 0.25], "copies": 250}, "here"),
        ({"deadline": 1e9, "seconds": [0.0, 0.25, 0.3]}, "there"),
        ({"deadline": 1e9, "copies": 251}, "there"),
        ({"memory": 10**9, "copies": 251}, "there"),
        ({"memory": 10**9}, "here"),
    ],
)
def test_long_arguments_are_made_in_a_process_where_there_are_limits(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], where: str
) -> None:
    asked, runner = attempt(monkeypatch, **options)
    assert asked == [f"{where} 2"], "linear equations are not asked about"
    runner._try_to_complete()
    assert len(asked) == 1, "nothing new"
    runner.search.equations += runner.search.equations[-1:]  # type: ignore[misc]
    runner._try_to_complete()
    assert len(asked) == 2


def test_equations_without_proof_are_no_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    assert attempt(monkeypatch, proved=False)[0] == []
    assert attempt(monkeypatch, degrees=[])[0] == ["here 0"]


@pytest.mark.parametrize(
    ("options", "seconds"),
    [({}, 900), ({"timeout": 700}, 700), ({"max_degree": 2, "timeout": 500}, 500), ({"max_degree": 2}, None)],
)
def test_a_search_without_any_limit_gets_one(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], seconds: float | None
) -> None:
    found: list[float | None] = []

    class Stop(Exception):
        pass

    def runner(one: object, size: object, deadline: float | None, progress: object) -> None:
        found.append(None if deadline is None else deadline - time.monotonic())
        raise Stop

    monkeypatch.setattr(search, "_Runner", runner)
    monkeypatch.setattr(search, "DEFAULT_TIMEOUT", 900)
    with pytest.raises(Stop):
        interpolate("[2,2,1] r=2", **options)
    if seconds is None:
        assert found == [None]
    else:
        assert found[0] is not None
        assert seconds - 100 < found[0] <= seconds


def test_a_search_that_is_stopped_says_whether_by_time_or_memory() -> None:
    def fail(_: object) -> Any:
        raise BudgetError("too much")

    one: Any = SimpleNamespace(degree=3, reports=[], equations=(), advance=fail)
    for deadline, status in ((None, "memory"), (time.monotonic() + 100, "memory"), (time.monotonic() - 1, "timeout")):
        runner = _Runner(one, SimpleNamespace(lower=1), deadline, None)  # type: ignore[arg-type]
        assert runner.run(9) == (status, "too much")
    assert _Runner(one, SimpleNamespace(lower=1), None, None).run(3) == ("ok", "")  # type: ignore[arg-type]


def test_a_search_that_was_complete_looks_at_no_further_degree(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that is not is asked about after every degree."""
    asked: list[int] = []

    def complete(runner: Any) -> None:
        asked.append(runner.search.degree)
        runner.completeness = runner.search.degree == 5 or None

    def advance(_: object) -> str:
        one.degree += 1
        return f"degree {one.degree}"

    monkeypatch.setattr(_Runner, "_try_to_complete", complete)
    told: list[Any] = []
    one = SimpleNamespace(degree=5, reports=[], advance=advance)
    assert _Runner(one, SimpleNamespace(lower=1), None, told.append).run(9) == ("ok", "")  # type: ignore[arg-type]
    assert (asked, told) == ([5], [])
    one.degree = 3
    assert _Runner(one, SimpleNamespace(lower=1), None, told.append).run(9) == ("ok", "")  # type: ignore[arg-type]
    assert (asked, told) == ([5, 3, 4, 5], ["degree 4", "degree 5"])


def test_a_search_has_one_crew_until_it_shall_have_another() -> None:
    """With more workers, with fewer, or elsewhere."""
    search = Interpolation("[2,1,2] r=3")
    known = search.crew
    assert search.crew is known
    for workers, executor in ((3, None), (1, None), (1, object()), (2, None)):
        search.workers, search.executor = workers, executor  # type: ignore[assignment]
        assert search.crew is not known
        known = search.crew
        assert (known.count, known.executor) == (workers, executor)
        assert search.crew is known
    search.close()


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("", "the time was over when 2 of 6 equations were written out; raise timeout="),
        ("no memory", "no memory; the time was over when 2 of 6 equations were written out"),
    ],
)
def test_equations_that_were_not_written_out_are_told(monkeypatch: pytest.MonkeyPatch, message: str, told: str) -> None:
    """And what had ended the search before."""
    found = interpolate("[2,1,2] r=2", 2)
    generators = found.result.generators
    assert len(generators) == 6
    runner = _Runner(found.interpolation, found.dimension, None, None)
    whole = runner.result("memory", message, 1.0)
    assert (whole.ended, whole.message, whole.generators) == ("memory", message, generators)
    monkeypatch.setattr(search, "generators_of", lambda *_: generators[:2])
    cut = runner.result("memory", message, 1.0)
    assert (cut.ended, cut.message, cut.generators) == ("timeout", told, generators[:2])
