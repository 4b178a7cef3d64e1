"""The search itself: independence of workers, seeds and primes; journals; budgets; other families; wrong requests."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from polygeom.dimensions import dimension
from polygeom.errors import BudgetError, PolygeomError
from polygeom.ideal import Neurovariety, interpolate
from polygeom.ideal.grading.spaces import Spaces
from polygeom.ideal.search import weightspace
from polygeom.ideal.search.completeness import differences, prove_complete, series
from polygeom.ideal.search.equations import generated
from polygeom.ideal.search.interpolation import Interpolation
from polygeom.ideal.search.records import record_of
from polygeom.ideal.search.remote import Workers, problem_text
from polygeom.ideal.search.search import _Runner
from polygeom.ideal.search.weightspace import Ground, Problem
from polygeom.modular import P22, P23, as_field, rank
from polygeom.storage.facts import FactFile


def generators(network: str, top: int, **options: object) -> set[str]:
    return {str(g.polynomial) for g in interpolate(network, top, **options).result.generators}  # type: ignore[arg-type]


@pytest.mark.parametrize("network", ["[2,2,2] r=3", "[2,1,2] r=2 bias"])
def test_seed_and_prime_do_not_matter(network: str) -> None:
    reference = generators(network, 3)
    assert generators(network, 3, rng=7) == reference
    assert generators(network, 3, prime=P23) == reference


@pytest.mark.slow
def test_the_number_of_workers_does_not_matter() -> None:
    one = interpolate("[2,2,2,2] r=2", 6, workers=1)
    two = interpolate("[2,2,2,2] r=2", 6, workers=2)
    assert one.result.as_dict() | {"elapsed": 0} == two.result.as_dict() | {"elapsed": 0}


def test_a_search_goes_on_from_its_journal(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.jsonl")
    first = interpolate("[2,2,2,1] r=3", 5, journal=path)
    assert first.result.degrees == {5: 2}
    with Path(path).open("a") as file:
        file.write('{"degree": 6, "spaces"')  # a process that died while writing
    seen: list[int] = []
    second = interpolate("[2,2,2,1] r=3", 6, journal=path, lift=5, progress=lambda report: seen.append(report.degree))
    assert seen == [6]
    assert second.result.degrees == {5: 2, 6: 21}
    assert [str(g.polynomial) for g in second.result.generators] == [str(g.polynomial) for g in first.result.generators]
    assert [fact["degree"] for fact in facts(Path(path))] == [1, 2, 3, 4, 5, 6]


def facts(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line.partition("\t")[0]) for line in path.read_text().splitlines()[1:]]
    return [line["data"] for line in lines if line["type"] == "row"]


def test_wrong_journals(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    interpolate("[2,2,2] r=3", 2, journal=str(path))
    with pytest.raises(PolygeomError, match="answers another question"):
        interpolate("[2,2,2] r=3", 2, journal=str(path), rng=1)
    lines = path.read_bytes().splitlines(keepends=True)
    for middle in (b"", b"nonsense\n", lines[1][:50] + b"\n"):
        damaged = lines[0] + middle + lines[2]
        path.write_bytes(damaged)
        with pytest.raises(PolygeomError, match="is damaged"):
            interpolate("[2,2,2] r=3", 2, journal=str(path))
        assert path.read_bytes() == damaged
    for other in (b"\xff\xfe\n", b"hello", b"{}\n"):
        path.write_bytes(other)
        with pytest.raises(PolygeomError, match="not a polygeom journal"):
            interpolate("[2,2,2] r=3", 2, journal=str(path))
        assert path.read_bytes() == other


def test_facts_that_are_no_degrees_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    interpolate("[2,2,2] r=3", 2, journal=str(path))
    question = json.loads(path.read_text().partition("\t")[0])["question"]
    for fact in ({"degree": 2}, {"degree": 1, "spaces": 7}, {}):
        path.unlink()
        with FactFile(path, question) as file:
            file.add(fact)
        with pytest.raises(PolygeomError, match="remove it to start again"):
            interpolate("[2,2,2] r=3", 2, journal=str(path))


def test_two_searches_do_not_write_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"

    def second(report: object) -> None:
        with pytest.raises(PolygeomError, match="another process is writing"):
            interpolate("[2,2,2] r=3", 2, journal=str(path))

    interpolate("[2,2,2] r=3", 2, journal=str(path), progress=second)
    interpolate("[2,2,2] r=3", 3, journal=str(path))  # free again
    assert [fact["degree"] for fact in facts(path)] == [1, 2, 3]


def test_a_search_that_goes_on_finds_its_journal_as_it_left_it(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    first = interpolate("[2,2,2,1] r=3", 2, journal=path)
    interpolate("[2,2,2,1] r=3", 3, resume=first)
    assert [fact["degree"] for fact in facts(Path(path))] == [1, 2, 3]
    interpolate("[2,2,2,1] r=3", 4, journal=path)
    with pytest.raises(PolygeomError, match="changed by another search since"):
        interpolate("[2,2,2,1] r=3", 4, resume=first)


def test_journals_in_folders_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "journal", tmp_path):
        with pytest.raises(PolygeomError, match="journal must be a file in a folder that exists"):
            interpolate("[2,2,2] r=3", 2, journal=str(path))


def test_new_equations_are_counted_without_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where random combinations of the known equations lose rank, all of them are taken."""
    honest = weightspace._free

    def unlucky(problem: Problem, weight: Any, monomials: Any, most: int | None) -> Any:
        found = honest(problem, weight, monomials, most)
        return found if most is None else np.arange(len(monomials))

    def found() -> list[Any]:
        search = Interpolation("[2,1,2] r=2 bias")
        steps = [(report.spaces, len(report.equations)) for report in [search.advance() for _ in range(3)]]
        assert len(search.seconds) == 4, "what the degrees took decides where the next is computed"
        return steps

    expected = found()
    monkeypatch.setattr(weightspace, "_free", unlucky)
    assert found() == expected


def test_random_combinations_of_many_multiples_span_what_all_of_them_span() -> None:
    search = Interpolation("[4,2,1] r=2")
    for _ in range(3):
        search.advance()
    spaces, field, weight = Spaces(search.grading, search.kept), as_field(P22), (6, 3, 3, 3, 3)
    keys = spaces.keys(spaces.monomials(6, weight))
    cubics = [e for e in search.equations if e.degree > 1]
    every = generated(cubics, 6, weight, keys, spaces, field, None)
    found = rank(every.copy(), field)
    few = generated(cubics, 6, weight, keys, spaces, field, found)
    assert found == rank(few.copy(), field) == rank(np.concatenate([every, few]), field)
    assert len(few) < len(every)


def test_the_limit_of_memory_is_one_for_two_matrices() -> None:
    problem = Problem(Interpolation("[2,1,1] r=2").ground, np.arange(3), 2, (), memory=16 * 100)
    problem.check_memory(10, 10)
    replace(problem, memory=None).check_memory(10**6, 10**6)
    with pytest.raises(BudgetError, match="matrices of 10 by 11, 1760 bytes"):
        problem.check_memory(10, 11)


def test_quiet_degrees_end_a_search_without_an_end() -> None:
    """Three times the largest degree of an equation; nothing ends it where there is none, or where it is linear."""

    def goes_on(*new: bool, most: int | None = None) -> bool:
        reports = [SimpleNamespace(degree=degree, new=found) for degree, found in enumerate(new, start=1)]
        runner = SimpleNamespace(search=SimpleNamespace(degree=len(new), reports=reports))
        return _Runner._further(runner, most)  # type: ignore[arg-type]

    assert goes_on(*[False] * 9)
    assert goes_on(True, *[False] * 9)
    assert goes_on(False, True, False, False, False)
    assert not goes_on(False, True, False, False, False, False)
    assert goes_on(False, False, True, *[False] * 5)
    assert not goes_on(False, False, True, *[False] * 6)
    assert goes_on(False, True, *[False] * 6, most=9)
    assert not goes_on(True, most=1)


@pytest.mark.thorough
def test_time_runs_out() -> None:
    started = time.monotonic()
    result = interpolate("[3,4,3] r=3", timeout=2).result
    assert time.monotonic() - started < 15
    assert result.ended == "timeout"
    assert "raise timeout=" in result.message
    assert result.completeness.startswith("unknown beyond degree")


@pytest.mark.thorough
def test_time_runs_out_inside_one_matrix() -> None:
    """One weight space with 8994 monomials, whose matrix takes a minute."""
    search = Interpolation("[3,3,3] r=2")
    for _ in range(4):
        search.advance()
    workers = Workers(1)
    started = time.monotonic()
    problem = Problem(search.ground, search.kept, 10, search.equations, deadline=started + 3.0)
    with pytest.raises(BudgetError, match="the time was over in degree 10"):
        workers.solve(problem, [(4, 3, 3, 7, 7, 6)])
    assert time.monotonic() - started < 4.5
    workers.close()


@pytest.mark.thorough
def test_memory_is_enforced_whatever_needs_it() -> None:
    search = Interpolation("[3,3,3] r=2")
    for _ in range(4):
        search.advance()
    workers = Workers(1)
    problem = Problem(search.ground, search.kept, 8, search.equations, memory=2 * 10**6)
    unchecked = replace(problem, memory=None)
    with pytest.raises(BudgetError, match="raise memory="):
        workers.solve(problem, [(3, 3, 2, 6, 5, 5)])
    with pytest.raises(BudgetError, match="needed more than 2000000 bytes in degree 8; raise memory="):
        workers.run(
            "solve", [{"problem": problem_text(unchecked), "weights": [(3, 3, 2, 6, 5, 5)]}], 8, None, 2 * 10**6
        )
    workers.close()


@pytest.mark.thorough
def test_a_process_gives_the_same_numbers() -> None:
    here, there = Interpolation("[2,2,2] r=3"), Interpolation("[2,2,2] r=3", workers=2)
    with here, there:
        for _ in range(4):
            one, other = here.advance(), there.advance()
            assert record_of(one) | {"elapsed": 0} == record_of(other) | {"elapsed": 0}
        assert here.equations


def test_completeness_is_proved_in_a_process_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    here = interpolate("[2,2,2] r=3").completeness
    monkeypatch.setattr("polygeom.ideal.search.search.SHORT", -1.0)
    assert interpolate("[2,2,2] r=3").completeness == here


def test_time_runs_out_while_completeness_is_proved() -> None:
    search = Interpolation("[2,2,2] r=3")
    for _ in range(3):
        search.advance()
    proper = [e for e in search.equations if e.degree > 1]
    for prove in (search.crew.complete, completeness_here):
        with pytest.raises(BudgetError, match="the time was over"):
            prove(search.ground, search.kept, proper, 6, search.hilbert_function, time.monotonic() - 1, None)
    search.close()


def completeness_here(
    ground: Ground, kept: Any, equations: Any, dimension: int, hilbert: Any, deadline: float, memory: None
) -> object:
    spaces = Spaces(ground.grading, kept)
    return prove_complete(equations, spaces, dimension, ground.field, hilbert, ground.seed, deadline)


def test_memory_runs_out() -> None:
    result = interpolate("[3,3,3] r=2", 6, memory=10**5, lift=0).result
    assert result.ended == "memory"
    assert "raise memory=" in result.message


def test_unlifted_equations_prove_nothing() -> None:
    result = interpolate("[3,2,1] r=3", 4, lift=0).result
    assert result.degrees == {3: 20}
    assert (result.generators, result.complete_to) == ((), 2)


def test_wrong_arguments() -> None:
    for options, message in [
        ({"max_degree": 0}, "max_degree must be an integer of at least 1"),
        ({"max_degree": 2.5}, "max_degree must be"),
        ({"timeout": -1}, "timeout must be a positive number"),
        ({"memory": 0}, "memory must be an integer of at least 1"),
        ({"workers": 0}, "workers must be an integer of at least 1"),
        ({"rng": -1}, "seed must be an integer of at least 0"),
        ({"prime": 4}, "must be an odd prime"),
        ({"prime": 3}, "prime must exceed the degree"),
    ]:
        with pytest.raises(PolygeomError, match=message):
            interpolate("[2,3,2] r=4", **{"max_degree": 2, **options})  # type: ignore[arg-type]
    with pytest.raises(PolygeomError, match=r"divides a .*denominator"):
        interpolate("[2,1,1] p=0,1/101,1", 2, prime=101)
    with pytest.raises(BudgetError, match="coefficients"):
        interpolate("[40,3,1] r=5", 2)


# network, last degree, minimal generators, degree and h-vector if complete; nobody has published the last five
FAMILIES = [
    ("[2,1,2] r=2 bias", 3, {2: 19}, (9, (1, 6, 2))),
    ("[1,1,1] r=3 bias", 4, {2: 1}, (2, (1, 1))),
    ("[2,2,2,1] r=2,3", 6, {}, None),
    ("ccp(2,rank=1,degree=2)", 4, {3: 1}, (3, (1, 1, 1))),
    ("product_network(3,rank=1,degree=2)", 4, {3: 1}, (3, (1, 1, 1))),
    ("convolutional(4,kernels=[2,2],degrees=2)", 4, {1: 15, 2: 1, 3: 3}, None),
    ("lightning_attention(tokens=2,features=2,rank=1,outputs=1)", 4, {1: 14, 2: 3}, (3, (1, 2))),
    ("x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,2); sum(x,c)", 3, {1: 4, 2: 6}, (4, (1, 3))),
]


@pytest.mark.parametrize(("network", "top", "counts", "complete"), FAMILIES, ids=[row[0] for row in FAMILIES])
def test_other_families(
    network: str, top: int, counts: dict[int, int], complete: tuple[int, tuple[int, ...]] | None
) -> None:
    search = interpolate(network, top)
    assert search.result.degrees == counts
    assert all(g.proved_member for g in search.result.generators)
    if complete is None:
        assert search.completeness is None
        assert search.result.complete_to == top
    else:
        assert search.completeness is not None
        assert (search.completeness.degree, search.completeness.h_vector) == complete


@pytest.mark.slow
def test_a_hypersurface_of_degree_fifteen() -> None:
    """Binary sextics that are sums of two cubes of quadrics: the invariant of degree 15."""
    variety = Neurovariety("[2,2,2,1] r=2,3")
    (equation,) = variety.equations(timeout=120)
    assert variety.degree.value == 15
    assert sum(equation.monoms()[0]) == 15
    assert len(equation) == 1370


@pytest.mark.thorough
def test_the_hilbert_function_has_the_growth_of_the_dimension() -> None:
    """The Hilbert function becomes a polynomial of degree dimension - 1, for the dimension of the other room."""
    for network, top in [("[2,2,2,2] r=2", 7), ("[3,2,2] r=2", 5), ("ccp(2,rank=1,degree=2)", 6)]:
        search = Interpolation(network, lift=0)
        for _ in range(top):
            search.advance()
        n = dimension(network).dimension
        h = differences(search.hilbert_function, n)
        assert min(h) >= 0
        assert h[-1] == 0
        assert series(h, n, top + 1) == search.hilbert_function
        assert sum(h) > 0


def test_neurovarieties_are_lazy_and_go_on() -> None:
    variety = Neurovariety("[2,2,2,1] r=3")
    assert variety.found is None
    assert variety.hilbert_function(3) == 220
    assert variety.found is not None
    assert variety.found.interpolation.degree == 3
    assert len(variety.equations(5)) == 2
    assert variety.equations(4) == ()
    assert variety.hilbert_function(5) == 2000
    assert Neurovariety("[3,3,3] r=2").hilbert_function(40) == series((1, 3, 6, 10, 6, 3, 1), 15, 41)[40]
    with pytest.raises(PolygeomError, match="method must be one of"):
        variety.ideal("guess")
    with pytest.raises(PolygeomError, match="degree must be an integer"):
        variety.hilbert_function(-1)


def test_journals_are_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    interpolate("[3,2,1] r=2", 3, journal=str(path))
    header, degrees = json.loads(path.read_text().partition("\t")[0]), facts(path)
    assert header["question"]["network"] == "[3,2,1] r=2"
    assert [d["degree"] for d in degrees] == [1, 2, 3]
    assert degrees[2]["equations"][0]["proved"] is True


@pytest.mark.thorough
def test_an_executor_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weight spaces and the argument for completeness through any executor; nothing is left running."""
    monkeypatch.setattr("polygeom.ideal.search.interpolation.is_quick", lambda *_: False)
    monkeypatch.setattr("polygeom.ideal.search.search.MANY", 1)
    with ThreadPoolExecutor(2) as executor:
        there = interpolate("[2,2,2] r=3", timeout=60, workers=2, executor=executor)
        there.interpolation.configure(workers=2, lift=None, memory=None, executor=executor)
        with pytest.raises(BudgetError, match="the time was over in degree"):
            there.interpolation.advance(time.monotonic() - 1)
    here = interpolate("[2,2,2] r=3", 5)
    assert there.result.generators == here.result.generators
    assert there.result.completeness == here.result.completeness != "unknown beyond degree 5"
    known = zip(there.interpolation.reports, here.interpolation.reports, strict=False)
    assert all(a.spaces == b.spaces for a, b in known)
