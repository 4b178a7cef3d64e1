"""Tasks are data with stable keys; limits are read from what people write."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polygeom.errors import PolygeomError
from polygeom.supervision import Outcome, Status, parse_memory, parse_timeout
from polygeom.sweeps import Task
from polygeom.sweeps.task import resolve

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TASKS = st.builds(
    Task,
    st.just("package.module:function"),
    st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    st.integers(),
)


def test_the_key_of_a_known_task_never_changes() -> None:
    """A changed key would make every journal in the world compute again."""
    text = (
        '{"algorithm":1,"argument":{"network":"[2,3,1] r=2","options":{"error":1e-09}},"seed":5,'
        '"target":"polygeom.dimensions.task:run"}'
    )
    expected = hashlib.sha256(text.encode()).hexdigest()
    argument = {"network": "[2,3,1] r=2", "options": {"error": 1e-9}}
    assert Task("polygeom.dimensions.task:run", argument, 5).key == expected
    assert expected == "3d18888aa93505ef5a3a8fde807b15e4db783c4bb51309b76e7e9c6f61b78714"


@given(TASKS)
def test_tasks_survive_json_and_pickle(task: Task) -> None:
    again = Task.from_dict(json.loads(json.dumps(task.as_dict())))
    assert again == task
    assert again.key == task.key
    assert hash(again) == hash(task)
    assert pickle.loads(pickle.dumps(task)) == task


@pytest.mark.thorough
@given(TASKS, TASKS)
def test_different_tasks_have_different_keys(one: Task, other: Task) -> None:
    assert (one.key == other.key) == (
        json.dumps(one.as_dict(), sort_keys=True) == json.dumps(other.as_dict(), sort_keys=True)
    )


@pytest.mark.thorough
def test_the_key_does_not_depend_on_order_or_hash_seed() -> None:
    code = "from polygeom.sweeps import Task; print(Task('package:run', {'b': 1, 'a': 2}).key)"
    keys = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
        ).stdout.decode()
        for seed in ("1", "2")
    }
    assert keys == {Task("package:run", {"a": 2, "b": 1}).key + "\n"}


def test_a_new_algorithm_version_changes_the_key() -> None:
    assert Task("package:run", {}, algorithm=2).key != Task("package:run", {}).key


@pytest.mark.parametrize("name", ["dim", "", "a:b:c", "os.path", "os:", ":run", "a b:c", "../x:y", "os:a.b", 7])
def test_what_is_no_function_is_refused(name: str) -> None:
    with pytest.raises(PolygeomError, match="target must be a function as"):
        Task(name)


def test_targets_resolve() -> None:
    assert resolve("math:gcd")(4, 6) == 2


def test_outcomes_survive_json() -> None:
    outcome = Outcome(Status.TIMEOUT, None, "stopped", 1.5, 7, 2)
    assert Outcome.from_dict(json.loads(json.dumps(outcome.as_dict()))) == outcome


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (None, None),
        (10**9, 10**9),
        ("2GB", 2 * 10**9),
        ("2gb", 2 * 10**9),
        ("512 MiB", 512 * 2**20),
        ("1.5GiB", 3 * 2**29),
        ("1000000", 10**6),
        ("3T", 3 * 10**12),
        ("4096kib", 2**22),
    ],
)
def test_memory_is_read(text: str | int | None, size: int | None) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2XB",
        "GB",
        "-1",
        "2 G B",
        "1e9",
        "２GB",
        True,
        1.5,
        [1],
        "1IB",
        "0",
        0,
        -5,
        "10KB",
        "99999999999TB",
        999_999,
    ],
)
def test_memory_that_makes_no_sense_is_refused(text: object) -> None:
    with pytest.raises(PolygeomError, match="memory must be"):
        parse_memory(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0, -1, "5", True, float("nan"), float("inf"), [1], 10**10])
def test_timeouts_that_make_no_sense_are_refused(value: object) -> None:
    with pytest.raises(PolygeomError, match="timeout must be a positive number of seconds"):
        parse_timeout(value)  # type: ignore[arg-type]
    assert parse_timeout(2) == 2.0
    assert parse_timeout(None) is None
