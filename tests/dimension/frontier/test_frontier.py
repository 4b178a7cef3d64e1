"""Minimal filling architectures: published lists, plain enumeration, interruption, and certificates that are false."""

from __future__ import annotations

import copy
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from dimension.frontier.weak_bounds import weaken

from polygeom import verify as verify_any
from polygeom.dimensions.bounds.bound import Bound
from polygeom.dimensions.bounds.search import upper_bound
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.counts import saturated_widths
from polygeom.dimensions.frontier import decision, search
from polygeom.dimensions.frontier.decision import Decider
from polygeom.dimensions.frontier.result import Frontier, minimal_fillings
from polygeom.dimensions.frontier.search import frontier
from polygeom.dimensions.proofs import frontier_check
from polygeom.dimensions.proofs.frontier_check import verify_frontier
from polygeom.errors import BudgetError, PolygeomError
from polygeom.modular import is_prime
from polygeom.network import mlp
from polygeom.storage.facts import FactFile

Widths = tuple[int, ...]

PUBLISHED = {
    2: [(2, 2, 1)],
    3: [(2, 2, 2, 1)],
    4: [(2, 3, 3, 2, 1)],
    5: [(2, 3, 3, 3, 2, 1)],
    6: [(2, 3, 3, 4, 4, 2, 1)],
}
"""r = 2, two inputs, one output: arXiv 2605.09609."""


def widths_of(found: Frontier) -> list[Widths]:
    return [architecture.widths for architecture in found.architectures]


@pytest.mark.parametrize("depth", PUBLISHED)
def test_published_lists_are_found_and_complete(depth: int) -> None:
    found = frontier(2, 1, 2, depth)
    assert (widths_of(found), found.complete, found.open) == (PUBLISHED[depth], True, ())
    assert found.ambient_dimension == 2 ** (depth - 1) + 1


@pytest.mark.thorough
def test_depth_seven_has_thirteen_architectures_one_of_them_not_unimodal() -> None:
    found = frontier(2, 1, 2, 7)
    assert (len(found.architectures), found.complete) == (13, True)
    assert [a.widths for a in found.architectures if not a.unimodal] == [(2, 3, 4, 5, 4, 6, 4, 1)]
    assert all(a.proved for a in found.architectures)
    assert found.ranks == 13, "one rank for each architecture found: bounds decide everything else"
    outcome = verify_frontier(found.certificate())
    assert outcome.valid, outcome.checks


@pytest.mark.slow
def test_depth_eight_is_complete() -> None:
    found = frontier(2, 1, 2, 8)
    assert (len(found.architectures), found.complete) == (128, True)
    assert verify_frontier(found.certificate()).valid


def enumerated(inputs: int, outputs: int, degrees: tuple[int, ...]) -> list[Widths]:
    """Minimal filling architectures by the rank of every architecture up to the saturated widths."""
    top = saturated_widths(inputs, degrees)
    hidden = itertools.product(*(range(1, s + 1) for s in top))
    every = [(inputs, *h, outputs) for h in hidden]
    filling = {d for d in every if dimension(mlp(d, degrees), error=1e-3).filling}

    def lowered(d: Widths) -> list[Widths]:
        return [(*d[:k], d[k] - 1, *d[k + 1 :]) for k in range(1, len(d) - 1)]

    return sorted(d for d in filling if not filling.intersection(lowered(d)))


@pytest.mark.parametrize(
    ("inputs", "outputs", "degrees"),
    [(2, 1, (2, 2, 2)), (3, 1, (2, 2)), (2, 2, (3, 2)), (2, 3, (2, 2)), (3, 2, (3,)), (1, 2, (2, 3)), (2, 2, (1, 2))],
)
def test_the_list_agrees_with_the_rank_of_every_architecture(
    inputs: int, outputs: int, degrees: tuple[int, ...]
) -> None:
    found = frontier(inputs, outputs, degrees, len(degrees) + 1)
    assert widths_of(found) == enumerated(inputs, outputs, degrees)
    assert found.complete
    assert verify_frontier(found.certificate()).valid


def test_without_good_bounds_the_list_is_the_same_and_not_called_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    weaken(monkeypatch)
    found = frontier(2, 1, 2, 5)
    assert widths_of(found) == PUBLISHED[5]
    assert (found.complete, bool(found.unproved)) == (False, True)
    assert "probably complete" in str(found)
    monkeypatch.undo()
    certificate = found.certificate()
    certificate["excluded"] = [box for box in certificate["excluded"] if box["bound"] is None]
    assert not verify_frontier(certificate).valid, "the boxes that are left do not cover everything"


def test_the_poset_has_excluded_predecessors_only() -> None:
    found = frontier(2, 2, 2, 6)
    graph = found.poset()
    tops = [node for node, filling in graph.nodes(data="filling") if filling]
    assert sorted(tops) == widths_of(found)
    assert len(tops) == 4
    for above in tops:
        below = list(graph.predecessors(above))
        assert len(below) == 5
        assert all(sum(above) - sum(node) == 1 and not graph.nodes[node]["filling"] for node in below)
        assert not any(dimension(mlp(node, 2)).filling for node in below)
    assert graph.graph["complete"]


def test_the_table_and_the_text_name_every_architecture() -> None:
    found = frontier(2, 1, 2, 7)
    table = found.table()
    assert len(table) == 13
    assert (~table["unimodal"]).sum() == 1
    assert "[2,3,4,5,4,6,4,1] r=2" in set(table["network"])
    assert "(2,3,4,5,4,6,4,1)  not unimodal" in str(found)
    assert sum(found.reasons().values()) == len(found.excluded)


# --- interruption


def interrupted_after(count: int) -> Callable[[int, int, int], None]:
    left = [count]

    def stop(*_: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    return stop


def test_an_interrupted_search_goes_on_and_ends_with_the_same_certificate(tmp_path: Path) -> None:
    whole = frontier(2, 1, 2, 6).certificate()
    path = tmp_path / "search.jsonl"
    for _ in range(100):
        try:
            found = frontier(2, 1, 2, 6, journal=path, progress=interrupted_after(1))
        except KeyboardInterrupt:
            continue
        break
    assert found.certificate() == whole
    again = frontier(2, 1, 2, 6, journal=path)
    assert (again.certificate(), again.ranks) == (whole, 0)


def facts(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line.partition("\t")[0]) for line in path.read_text().splitlines()[1:]]
    return [line["data"] for line in lines if line["type"] == "row"]


def test_a_torn_line_is_cut_off_wherever_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "search.jsonl"
    whole = frontier(2, 1, 2, 5, journal=path).certificate()
    data, known = path.read_bytes(), facts(path)
    for size in range(0, len(data), 11):
        path.write_bytes(data[:size])
        assert frontier(2, 1, 2, 5, journal=path).certificate() == whole
        assert facts(path) == known


def test_a_long_torn_line_does_not_shine_through_later_ones(tmp_path: Path) -> None:
    path = tmp_path / "search.jsonl"
    whole = frontier(2, 1, 2, 5, journal=path).certificate()
    data, known = path.read_bytes(), facts(path)
    path.write_bytes(b"".join(data.splitlines(keepends=True)[:-2]) + b"{" * 500)
    assert frontier(2, 1, 2, 5, journal=path).certificate() == whole
    assert facts(path) == known


def test_a_state_file_of_another_search_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "search.jsonl"
    frontier(2, 1, 2, 4, journal=path)
    data = path.read_bytes()
    for other in [(2, 1, 2, 5), (2, 2, 2, 4), (2, 1, (2, 2, 3), 4)]:
        with pytest.raises(PolygeomError, match="answers another question"):
            frontier(*other, journal=path)
    path.write_bytes(b"not a state file")
    with pytest.raises(PolygeomError, match="not a polygeom journal"):
        frontier(2, 1, 2, 4, journal=path)
    assert path.read_bytes() == b"not a state file"
    assert data


@pytest.mark.parametrize(
    "fact",
    [
        {"filling": [1, 1, 1]},
        {"excluded": [3, 5, 9], "proved": True},
        {"excluded": [3, 5], "proved": True},
        {"excluded": ["a", 5, 9], "proved": True},
        {},
    ],
)
def test_a_fact_that_cannot_be_right_is_refused(fact: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "search.jsonl"
    frontier(2, 1, 2, 4, journal=path)
    question, known = json.loads(path.read_text().partition("\t")[0])["question"], facts(path)
    path.unlink()
    with FactFile(path, question) as file:
        for one in [*known[:1], fact, *known[1:]]:
            file.add(one)
    damaged = path.read_bytes()
    with pytest.raises(PolygeomError, match="does not belong"):
        frontier(2, 1, 2, 4, journal=path)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("line", [b"{broken\n", b"[" * 3000 + b"\n", b"{}\n"])
def test_a_damaged_line_is_refused(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "search.jsonl"
    frontier(2, 1, 2, 4, journal=path)
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:2], line, *lines[2:]])
    path.write_bytes(damaged)
    with pytest.raises(PolygeomError, match=r"line 3 of .* is damaged"):
        frontier(2, 1, 2, 4, journal=path)
    assert path.read_bytes() == damaged


def test_two_searches_cannot_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "search.jsonl"

    def second(*_: int) -> None:
        with pytest.raises(PolygeomError, match="another process is writing"):
            frontier(2, 1, 2, 4, journal=path)

    assert frontier(2, 1, 2, 4, journal=path, progress=second).complete


def test_a_full_disk_loses_nothing_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "search.jsonl"
    real, left = os.write, [4]

    def failing(descriptor: int, data: bytes) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[: None if left[0] else 5])

    monkeypatch.setattr(os, "write", failing)
    monkeypatch.setattr("polygeom.dimensions.frontier.search.KEPT_EVERY", 0.0)
    with pytest.raises(PolygeomError, match="what it holds is safe"):
        frontier(2, 1, 2, 6, journal=path)
    monkeypatch.undo()
    assert len(path.read_bytes().splitlines()) == 3
    assert frontier(2, 1, 2, 6, journal=path).certificate() == frontier(2, 1, 2, 6).certificate()


def test_a_search_that_runs_out_of_time_says_what_is_undecided() -> None:
    found = frontier(2, 1, 2, 8, timeout=1e-9)
    assert (found.complete, found.open, found.architectures) == (False, ((2, 1, 1, 1, 1, 1, 1, 1, 1),), ())
    assert "1 architectures undecided" in str(found)
    assert verify_frontier(found.certificate()).valid


def test_bad_arguments_are_refused_with_advice(tmp_path: Path) -> None:
    for arguments, message in [
        ((0, 1, 2, 3), "inputs must be"),
        ((2, 0, 2, 3), "outputs must be"),
        ((2, 1, 2, 1), "depth must be"),
        ((2, 1, [2, 2, 2], 3), "one for each of the 2 hidden layers"),
        ((2, 1, 0, 3), "degree must be"),
    ]:
        with pytest.raises(PolygeomError, match=message):
            frontier(*arguments)  # type: ignore[arg-type]
    with pytest.raises(BudgetError, match="ambient dimension"):
        frontier(9, 9, 5, 9)
    with pytest.raises(PolygeomError, match="timeout must be a positive number"):
        frontier(2, 1, 2, 3, timeout=0)
    with pytest.raises(PolygeomError, match="folder that exists"):
        frontier(2, 1, 2, 3, journal=tmp_path / "no" / "folder.jsonl")


# --- certificates


@pytest.fixture(scope="module")
def certificate() -> dict[str, Any]:
    return json.loads(json.dumps(frontier(2, 1, 2, 7).certificate()))


def drop_architecture(data: dict[str, Any]) -> None:
    del data["architectures"][5]
    data["claim"]["count"] -= 1


def drop_box(data: dict[str, Any]) -> None:
    del data["excluded"][-1]


def widen_box(data: dict[str, Any]) -> None:
    box = next(b for b in data["excluded"] if b["widths"][4] is not None and b["widths"][4] > 3)
    box["widths"][4] += 1
    box["bound"]["widths"][4] += 1


def lower_bound_value(data: dict[str, Any]) -> None:
    data["excluded"][3]["bound"]["value"] -= 1


def too_large_bound(data: dict[str, Any]) -> None:
    widths = [2, 3, 5, 9, 17, 33, 65, 1]
    data["excluded"][3]["bound"] = Bound(65, "ambient", tuple(widths), (2,) * 6).as_dict()
    data["excluded"][3]["widths"] = [2, *[None] * 6, 1]


def bound_of_another_box(data: dict[str, Any]) -> None:
    data["excluded"][3]["bound"] = data["excluded"][2]["bound"]


def wrong_predecessor(data: dict[str, Any]) -> None:
    entry = data["architectures"][0]
    entry["predecessors"][2] = (entry["predecessors"][2] + 1) % len(data["excluded"])


def missing_predecessor(data: dict[str, Any]) -> None:
    data["architectures"][0]["predecessors"][2] = None


def not_filling(data: dict[str, Any]) -> None:
    data["architectures"][0]["widths"][3] -= 1


def not_minimal(data: dict[str, Any]) -> None:
    data["architectures"][0]["widths"][3] += 1


def unproved_box(data: dict[str, Any]) -> None:
    data["excluded"][0]["bound"] = None


def wrong_count(data: dict[str, Any]) -> None:
    data["claim"]["count"] = 12


def listed_twice(data: dict[str, Any]) -> None:
    data["architectures"].insert(1, copy.deepcopy(data["architectures"][0]))
    data["claim"]["count"] += 1


def in_another_order(data: dict[str, Any]) -> None:
    data["architectures"].reverse()


def another_heading(data: dict[str, Any]) -> None:
    data["network"] = "(9,*,9) r=9"


def called_unproved(data: dict[str, Any]) -> None:
    data["architectures"][0]["proved"] = False


def open_and_complete(data: dict[str, Any]) -> None:
    data["open"] = [[2, 3, 3, 3, 3, 3, 3, 1]]


FORGERIES = [
    drop_architecture, drop_box, widen_box, lower_bound_value, too_large_bound, bound_of_another_box, wrong_predecessor,
    missing_predecessor, not_filling, not_minimal, unproved_box, wrong_count, open_and_complete, listed_twice,
    in_another_order, another_heading,
    called_unproved,
]  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda f: f.__name__)
def test_a_false_certificate_is_found_out(
    forge: Callable[[dict[str, Any]], None], certificate: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if forge is not not_filling:  # the ranks are the slow part, and right in every other forgery
        monkeypatch.setattr(frontier_check._Claims, "fills", lambda *_: True)
    data = copy.deepcopy(certificate)
    assert verify_frontier(data).valid
    forge(data)
    outcome = verify_frontier(data)
    assert not outcome.valid
    assert any(line.startswith("FALSE") for line in outcome.checks)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("degrees"),
        lambda d: d.update(format=1),
        lambda d: d.update(inputs=2.7),
        lambda d: d["claim"].update(count=1.9),
        lambda d: d["excluded"][0].update(error_bound=0),
        lambda d: d.update(inputs=0),
        lambda d: d["excluded"][0].update(widths=[2, 3]),
        lambda d: d["excluded"][0].update(widths=[2, 99, 1, 1, 1, 1, 1, 1]),
        lambda d: d.update(architectures=3),
        lambda d: d.update(degrees=[10**9] * 6),
    ],
)
def test_what_is_no_certificate_is_refused(spoil: Callable[[dict[str, Any]], Any], certificate: dict[str, Any]) -> None:
    data = copy.deepcopy(certificate)
    spoil(data)
    with pytest.raises(PolygeomError, match="certificate"):
        verify_frontier(data)


def test_verify_knows_frontiers() -> None:
    assert verify_any(frontier(2, 1, 2, 3).certificate()).valid
    assert is_prime(frontier_check.PRIME)


def test_minimality_that_rests_on_an_unproved_box_is_not_proved() -> None:
    """The proved of two boxes is named where both contain the predecessor; one unproved one that is needed is told."""
    (found,) = minimal_fillings(2, 1, [(2, 3)], [(1, 9), (1, 9), (9, 2)], [False, True, False])
    assert (found.predecessors, found.proved) == ((1, 2), False)
    assert minimal_fillings(2, 1, [(2, 3)], [(1, 9), (9, 2)], [True, True])[0].proved
    assert minimal_fillings(2, 1, [(1, 1)], [], [])[0].proved


@pytest.mark.thorough
def test_the_search_with_workers_gives_the_same_certificate() -> None:
    def certificate(**options: Any) -> dict[str, Any]:
        return frontier(2, 2, 2, 6, **options).certificate()

    with ThreadPoolExecutor(1) as pool:
        expected = certificate(executor=pool)
    assert certificate() == expected
    with pytest.raises(PolygeomError, match="workers must be"):
        frontier(2, 1, 2, 3, workers=0)


@pytest.mark.parametrize("question", [(2, 1, 2, 6), (2, 2, 2, 5), (3, 2, 2, 4), (2, 1, 3, 4), (2, 1, (2, 3, 2), 4)])
def test_compiled_bounds_give_the_same_certificate_and_small_questions_do_without(
    question: tuple[int, int, int | Sequence[int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    class Spy(Decider):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self._tables is not None)

    monkeypatch.setattr(search, "Decider", Spy)
    found = [frontier(*question)]
    for many in (1, 2**99):
        monkeypatch.setattr(decision, "MANY", many)
        found.append(frontier(*question))
    assert made == [False, isinstance(question[2], int), False]
    plain, compiled, again = (json.dumps([one.certificate(), one.ranks, one.bounds]) for one in found)
    assert plain == compiled == again


@pytest.mark.parametrize("many", [1, 2**99])
def test_costly_rules_are_asked_on_both_routes(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of (3,5,*,*,1) r=3 the rule *identifications* alone says that it does not fill; (3,6,*,*,1) fills."""
    monkeypatch.setattr(decision, "MANY", many)
    decider = Decider(3, 1, (3, 3, 3), {})
    assert upper_bound((3, 5, 35, 406, 1), (3, 3, 3), thorough=False).value == decider.ambient == 406
    assert decider.excludes((5, 55, 406))
    assert not decider.excludes((6, 55, 406))
    assert decider.bound((5, 55, 406)).parts[0].rule == "identifications"
    assert decider._enlarged((5, 20, 20), decider.excludes) == (5, 55, 406)


def test_compiled_bounds_are_loaded_from_depth_seven_on() -> None:
    def loaded(inputs: int, outputs: int, degree: int, depth: int) -> bool:
        return Decider(inputs, outputs, (degree,) * (depth - 1), {})._tables is not None

    assert [loaded(2, 1, 2, depth) for depth in (5, 6, 7, 8)] == [False, False, True, True]
    assert [loaded(3, 1, 2, depth) for depth in (4, 5)] == [False, True]
    assert [loaded(2, 1, 3, depth) for depth in (5, 6)] == [False, True]


def test_a_small_search_loads_neither_compiled_kernels_nor_workers() -> None:
    code = (
        "import sys; from polygeom.dimensions.frontier.search import frontier; frontier(2, 1, 2, 4)\n"
        "heavy = {'numba', 'scipy', 'concurrent.futures', 'subprocess', 'polygeom.sweeps', 'polygeom.storage'}\n"
        "print(heavy & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
