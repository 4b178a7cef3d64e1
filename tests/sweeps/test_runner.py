"""The loop of a sweep with a crew that does nothing by itself: what is handed out, when, and what is kept of it."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future
from types import SimpleNamespace
from typing import Any

import pytest

from polygeom.errors import PolygeomError
from polygeom.supervision import Limits, Outcome, Status
from polygeom.sweeps import Task, cluster, environment
from polygeom.sweeps.progress import Board, _duration
from polygeom.sweeps.records import answers, is_settled, make_record
from polygeom.sweeps.runner import Memory, Plan, Runner

LIMITS = Limits(2.0, 10**9)


class Crew:
    """Keeps the tasks that it is given, until a test ends them."""

    def __init__(self, capacity: int = 1) -> None:
        self.capacity = capacity
        self.tasks: list[Task] = []
        self.futures: list[Future[dict[str, Any]]] = []
        self.calls: list[str] = []
        self.refusal: RuntimeError | None = None

    def submit(self, task: Task) -> Future[dict[str, Any]]:
        if self.refusal is not None:
            raise self.refusal
        self.tasks.append(task)
        self.futures.append(Future())
        return self.futures[-1]

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")


def plans(count: int, together: str = "", seed: int = 0) -> list[Plan]:
    return [Plan(Task("math:sqrt", {"n": n}, seed), {"n": n}, "", together) for n in range(count)]


def never(stopping: bool = False) -> Any:
    """Interrupts that do not come, or have come."""
    return SimpleNamespace(stopping=lambda: stopping, at_once=contextlib.nullcontext)


def runner(crew: Crew, total: int | None = None, retry: Any = ()) -> Runner:
    return Runner(crew, Memory(), Board(total, False), LIMITS, retry)


def sizes(crew: Crew) -> list[int]:
    return [len(task.argument["arguments"]) if "arguments" in task.argument else 1 for task in crew.tasks]


@pytest.mark.parametrize(("capacity", "window"), [(1, 16), (4, 16), (5, 20)])
def test_so_many_tasks_are_handed_out_ahead(capacity: int, window: int) -> None:
    crew = Crew(capacity)
    one = runner(crew)
    left = iter(plans(50))
    assert one._fill(left, never(), [])
    assert one._fill(left, never(), [])
    assert len(crew.tasks) == window
    assert len(list(left)) == 50 - window
    crew.futures[0].set_result(Outcome(Status.OK, {}).as_dict())
    assert len(one._collect(0.0)) == 1
    assert one._fill(iter(plans(0)), never(), []) is False
    assert one._fill(iter(plans(60)[50:]), never(stopping=True), [])
    assert len(crew.tasks) == window


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([(63, 0)], [1] * 63),
        ([(64, 0)], [64]),
        ([(257, 0)], [256, 1]),
        ([(64, 0), (65, 1)], [64, 65]),
        ([(3, 0), (64, 1)], [1] * 3 + [64]),
    ],
)
def test_many_tasks_of_a_kind_are_done_together(groups: list[tuple[int, int]], expected: list[int]) -> None:
    crew = Crew(1000)
    one = runner(crew)
    every = [plan for count, seed in groups for plan in plans(count, "math:many", seed)]
    assert not one._fill(iter(every), never(), [])
    assert sizes(crew) == expected
    assert {task.target for task in crew.tasks if "arguments" in task.argument} <= {"math:many"}
    assert [task.seed for task in crew.tasks][-1] == groups[-1][1]


def test_what_was_done_together_is_told_one_by_one() -> None:
    crew = Crew(1000)
    one = runner(crew)
    one._fill(iter(plans(64, "math:many")), never(), [])
    results = [{"root": n} for n in range(64)]
    crew.futures[0].set_result(Outcome(Status.OK, {"results": results}, elapsed=6.4).as_dict())
    records = one._collect(0.0)
    assert [record["outcome"]["result"] for record in records] == results
    assert {record["outcome"]["elapsed"] for record in records} == {0.1}
    assert [record["facts"] for record in records] == [{"n": n} for n in range(64)]


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Status.OK, {"results": [{}] * 63}),
        Outcome(Status.OK, {"results": {}}),
        Outcome(Status.OK, {}),
        Outcome(Status.TIMEOUT, None, "late"),
    ],
)
def test_what_fails_together_is_done_one_by_one_and_all_later(outcome: Outcome) -> None:
    crew = Crew(1000)
    one = runner(crew)
    one._fill(iter(plans(64, "math:many")), never(), [])
    crew.futures[0].set_result(outcome.as_dict())
    assert one._collect(0.0) == []
    assert sizes(crew) == [64] + [1] * 64
    one._fill(iter(plans(130, "math:many")[64:]), never(), [])
    assert sizes(crew) == [64] + [1] * 130


def test_many_that_somebody_cancelled_are_cancelled() -> None:
    crew = Crew(1000)
    one = runner(crew)
    one._fill(iter(plans(64, "math:many")), never(), [])
    crew.futures[0].cancel()
    one._keep(one._collect(0.0))
    assert len(one.cancelled) == 64
    assert one._board.done == 0
    assert {record["outcome"]["status"] for record in one.cancelled.values()} == {"cancelled"}


def test_an_executor_that_fails_is_tried_three_times() -> None:
    crew = Crew()
    one = runner(crew)
    one._fill(iter(plans(1)), never(), [])
    for attempt in range(3):
        assert len(crew.futures) == attempt + 1
        crew.futures[-1].set_exception(ValueError("lost\nline"))
        records = one._collect(0.0)
    (record,) = records
    assert record["outcome"]["status"] == "crashed"
    assert record["outcome"]["message"] == "3 times: the executor failed: ValueError: lost line"


def test_a_broken_executor_is_told() -> None:
    crew = Crew()
    one = runner(crew)
    one._fill(iter(plans(1)), never(), [])
    crew.futures[0].set_exception(BrokenExecutor("gone"))
    with pytest.raises(PolygeomError, match=r"takes no more tasks \(BrokenExecutor: gone\)"):
        one.run(iter(()), never())
    crew = Crew()
    crew.refusal = RuntimeError("shut down")
    one = runner(crew)
    left = iter(plans(9))
    with pytest.raises(PolygeomError, match="shut down"):
        one.run(left, never())
    assert len(list(left)) == 8, "nothing more is asked for"


def test_a_stop_keeps_what_had_finished() -> None:
    crew = Crew()
    one = runner(crew)
    one._fill(iter(plans(3)), never(), [])
    crew.futures[1].set_result(Outcome(Status.OK, {}).as_dict())
    one.run(iter(()), never(stopping=True))
    assert crew.calls == ["stop"]
    assert [future.cancelled() for future in crew.futures] == [True, False, True]
    assert [one._store.get(key) is not None for key in one.order] == [False, True, False]
    assert sorted(one.cancelled) == sorted([one.order[0], one.order[2]])


def test_repeated_and_stored_tasks_are_counted() -> None:
    crew = Crew()
    one = runner(crew, total=4)
    first, second = plans(2)
    one._store.append([make_record(first.task, first.facts, LIMITS, Outcome(Status.OK, {}))])
    records: list[dict[str, Any]] = []
    for plan in (first, first, second, Plan(Task("math:pi"), {}, "no such network")):
        one._take(plan, records)
    assert (one._board.total, one._board.done, one._board.resumed) == (3, 1, 1)
    assert [task.argument for task in crew.tasks] == [{"n": 1}]
    assert [record["outcome"]["message"] for record in records] == ["no such network"]
    assert [record["outcome"]["status"] for record in records] == ["invalid"]
    again = runner(Crew(), total=None, retry=["ok"])
    again._store.append([make_record(first.task, first.facts, LIMITS, Outcome(Status.OK, {}))])
    again._take(first, [])
    again._take(first, [])
    assert (len(again._flying), again._board.total, again._board.done) == (1, None, 0)


def test_the_loop_waits_only_when_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Crew()
    one = runner(crew)
    waits: list[float] = []

    def collect(wait: float) -> list[dict[str, Any]]:
        waits.append(wait)
        for future in crew.futures:
            if wait and not future.done():
                future.set_result(Outcome(Status.OK, {}).as_dict())
                break
        return honest(0.0)

    honest = one._collect
    monkeypatch.setattr(one, "_collect", collect)
    bad = Plan(Task("math:pi"), {}, "no such network")
    one.run(iter([*plans(18), bad]), never())
    assert waits[:3] == [0.5] * 3, "a full window"
    assert waits[3] == 0.0, "the record of what cannot run is stored at once"
    assert set(waits[4:]) == {0.5}
    assert one._board.done == 19


def test_a_wake_is_no_result() -> None:
    one = runner(Crew())
    one.wake()
    one.wake()
    assert one._collect(60.0) == []
    with pytest.raises(queue.Empty):
        one._landed.get_nowait()


# Records


def stored(status: Status, timeout: float | None = 2.0, memory: int | None = 10**9) -> dict[str, Any]:
    result = {} if status is Status.OK else None
    return make_record(Task("math:pi"), {"a": 1}, Limits(timeout, memory), Outcome(status, result))


@pytest.mark.parametrize(
    ("status", "timeout", "memory", "settled"),
    [
        (Status.OK, 9.0, None, True),
        (Status.CRASHED, 9.0, None, True),
        (Status.TIMEOUT, 2.0, None, True),
        (Status.TIMEOUT, 1.0, None, True),
        (Status.TIMEOUT, 2.1, 10**9, False),
        (Status.TIMEOUT, None, 10**9, False),
        (Status.MEMORY, None, 10**9, True),
        (Status.MEMORY, 2.0, 10**9 + 1, False),
        (Status.MEMORY, 2.0, None, False),
    ],
)
def test_what_had_less_is_computed_again(
    status: Status, timeout: float | None, memory: int | None, settled: bool
) -> None:
    assert is_settled(stored(status), Limits(timeout, memory), ()) is settled
    assert not is_settled(stored(status), Limits(timeout, memory), [str(status)])
    assert is_settled(stored(status, None, None), Limits(timeout, memory), ())


def changes() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in {
        "message": {"outcome": {"message": 7}},
        "elapsed": {"outcome": {"elapsed": "x"}},
        "result": {"outcome": {"result": None}},
        "status": {"outcome": {"status": "better"}},
        "timeout": {"limits": {"timeout": "x"}},
        "memory": {"limits": {"memory": "x"}},
        "fact": {"facts": {"a": 2}},
        "task": {"task": {"seed": 1}},
    }.items():
        record = stored(Status.OK)
        for key, change in part.items():
            record[key] = record[key] | change
        yield name, record
    yield "version", stored(Status.OK) | {"version": None}
    yield "no version", {key: value for key, value in stored(Status.OK).items() if key != "version"}
    failed = stored(Status.CRASHED)
    yield "result of a failure", failed | {"outcome": failed["outcome"] | {"result": {}}}


@pytest.mark.parametrize("record", [record for _, record in changes()], ids=[name for name, _ in changes()])
def test_rows_that_were_edited_answer_nothing(record: dict[str, Any]) -> None:
    task = Task("math:pi")
    for whole in (stored(Status.OK), stored(Status.CRASHED), stored(Status.OK, None, None)):
        assert answers(whole, task, {"a": 1, "b": 2})
        assert answers(whole, task, {"b": 2})
    assert not answers(record, task, {"a": 1, "b": 2})


def test_a_result_that_does_not_fit_is_a_crash() -> None:
    def check(result: Any) -> str:
        return "wrong" if result.get("a") else ""

    task = Task("math:pi")
    bad = make_record(task, {}, LIMITS, Outcome(Status.OK, {"a": 1}, elapsed=3.0, deaths=2), check)
    assert bad["outcome"]["status"] == "crashed"
    assert bad["outcome"]["message"] == "the task returned what does not fit the table: wrong"
    assert (bad["outcome"]["elapsed"], bad["outcome"]["result"], bad["outcome"]["deaths"]) == (3.0, None, 0)
    assert bad["limits"] == {"timeout": 2.0, "memory": 10**9}
    good = make_record(task, {}, LIMITS, Outcome(Status.OK, {"a": 0}), check)
    assert good["outcome"]["status"] == "ok"
    assert answers(good, task, {}, check)
    edited = make_record(task, {}, LIMITS, Outcome(Status.OK, {"a": 1}))
    assert answers(edited, task, {})
    assert not answers(edited, task, {}, check)
    assert answers(bad, task, {}, check)


# Progress


def test_a_time_is_told_in_its_largest_unit() -> None:
    seconds = (0.4, 59.4, 60, 3599, 3600, 86399, 86400)
    told = ["0 s", "59 s", "1.0 min", "60.0 min", "1.0 h", "24.0 h", "1.0 d"]
    assert [_duration(one) for one in seconds] == told


def row(status: str) -> dict[str, Any]:
    return {"outcome": {"status": status}}


def test_the_time_to_go_is_that_of_new_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(10, False)
    assert board.line() == "sweep: 0 of 10 done, 10 left"
    monkeypatch.setattr("time.monotonic", lambda: board._start + 60)
    board.count(row("ok"), resumed=True)
    assert board.line() == "sweep: 1 of 10 done, 1 ok, 9 left"
    for _ in range(3):
        board.count(row("ok"))
    assert board.line() == "sweep: 4 of 10 done, 4 ok, 6 left, about 2.0 min to go"
    for _ in range(7):
        board.count(row("b"))
    assert board.line() == "sweep: 11 of 10 done, 7 b, 4 ok, 0 left"


@pytest.mark.parametrize(("show", "lines"), [(None, 1), (True, 1), (False, 0)])
def test_lines_come_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], show: bool | None, lines: int
) -> None:
    board = Board(2, show)
    start = board._start
    for seconds, expected in ((29.9, 0), (30.0, lines), (59.9, 0), (60.0, lines)):
        monkeypatch.setattr("time.monotonic", lambda seconds=seconds: start + seconds)
        board.refresh()
        assert capsys.readouterr().err.count("\n") == expected
    board.close()
    assert capsys.readouterr().err.count("\n") == lines
    Board(2, show).close()
    assert capsys.readouterr().err.count("\n") == (1 if show else 0), "a short one is told where it was asked for"


def test_a_scheduler_is_asked_at_its_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the address, or dask's own."""
    asked: list[tuple[tuple[str, int], float]] = []

    class Socket:
        def close(self) -> None: ...

    def connect(place: tuple[str, int], timeout: float) -> Socket:
        asked.append((place, timeout))
        return Socket()

    monkeypatch.setattr(cluster.socket, "create_connection", connect)
    for address in ("tcp://here:1234", "here:1", "tcp://here", "tls://there:9"):
        cluster._check_answer(address, 2.5)
    assert asked == [((name, port), 2.5) for name, port in (("here", 1234), ("here", 1), ("here", 8786), ("there", 9))]


def test_packages_that_are_missing_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "missing":
            raise environment.metadata.PackageNotFoundError
        return f"{name} 1"

    monkeypatch.setattr(environment.metadata, "version", version)
    monkeypatch.setattr(environment, "_PACKAGES", ("first", "missing", "last"))
    assert environment._versions.__wrapped__() == {"first": "first 1", "last": "last 1"}


def test_without_a_cluster_there_is_one_process_unless_more_are_asked_for() -> None:
    with cluster.dask_executor(None) as one, cluster.dask_executor(None, 3) as three:
        assert (one, three) == ((None, 1), (None, 3))
