"""Dimensions that are theorems: equal to ranks wherever these are quick, and at once where they are not."""

from __future__ import annotations

import itertools
import time

import pytest

from polygeom.dimensions import dimension
from polygeom.dimensions.bounds.search import upper_bound
from polygeom.dimensions.compute import COSTLY, operations
from polygeom.dimensions.identifiability import identifiability
from polygeom.dimensions.ranks.budget import machine_memory, require_memory
from polygeom.dimensions.theorems import exact_dimension, fewer_inputs
from polygeom.errors import BudgetError
from polygeom.network import mlp

SHALLOW = [(w, (r,)) for w in itertools.product(range(1, 5), repeat=3) for r in (1, 2, 3)]
DEEP = [(w, d) for w in itertools.product((1, 2, 3), repeat=4) for d in ((2, 2), (1, 2), (2, 1), (3, 2))]


@pytest.mark.parametrize("cases", [SHALLOW, DEEP], ids=["shallow", "deep"])
def test_theorems_and_ranks_agree(cases: list) -> None:
    known = {case: found[0] for case in cases if (found := exact_dimension(*case)) is not None}
    assert len(known) > 0.8 * len(cases)
    assert known == {(w, d): dimension(mlp(w, d), method="generic").dimension for w, d in known}
    assert known == {(w, d): upper_bound(w, d).value for w, d in known}


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("[1000000,2,1] r=2", 1999999, "structured point"),  # functions of two linear forms: a rank for (2,2,1)
        ("[20000,2,1] r=2", 39999, "structured point"),
        ("[120,120,10] r=2", 15480, "theorem: non-increasing widths, arXiv 2506.17093 Corollary 16"),
        ("[300,300,10] r=2", 92700, "theorem: non-increasing widths, arXiv 2506.17093 Corollary 16"),
        ("[1000000,1000000,1] r=2", 500000500000, "theorem: quadratic forms of bounded rank"),
        ("[1000000,1000000,1] r=3", 10**12, "theorem: Alexander and Hirschowitz"),
        ("[500,400,300] r=1", 150000, "theorem: linear maps"),
        ("[300,300,300,300] r=3", 269400, "theorem: equal widths, arXiv 2408.04569"),
    ],
)
def test_large_networks_take_no_time(text: str, value: int, reason: str) -> None:
    started = time.process_time()
    result = dimension(text)
    assert time.process_time() - started < 2
    assert (result.dimension, result.proved, result.method) == (value, True, reason)
    assert identifiability(text).dimension == value


def test_fewer_forms_than_inputs_keep_the_rank_small() -> None:
    assert fewer_inputs((20000, 5, 3, 1), (2, 2)) == ((5, 5, 3, 1), 99975)
    assert operations((5, 5, 3, 1)) < COSTLY
    big, small = dimension("[20000,5,3,1] r=2"), dimension("[5,5,3,1] r=2")
    assert (big.dimension, big.proved) == (small.dimension + 99975, True)
    # an idle first activation: its forms need not be independent of each other in what follows
    assert fewer_inputs((4, 2, 3), (1,)) == ((4, 2, 3), 0)


@pytest.mark.parametrize("text", ["[1000,1000,1000,1000,1] r=2", "[1000000,1000000,1000000,1000000,1] r=2"])
def test_what_no_theorem_knows_and_no_memory_holds_is_refused_in_words(text: str) -> None:
    with pytest.raises(BudgetError, match="this machine has"):
        dimension(text)


def test_memory_without_a_limit_is_that_of_the_machine() -> None:
    require_memory(None, machine_memory())
    with pytest.raises(BudgetError, match="write a smaller network"):
        require_memory(None, machine_memory() + 1)


def test_memory_that_runs_out_all_the_same_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("polygeom.dimensions.compute._best", fail)
    with pytest.raises(BudgetError, match="not enough"):
        dimension("[2,2,1] r=2")


@pytest.mark.parametrize(
    ("text", "free", "identifiable"),
    [
        ("[3,2,3] r=1", 8, True),
        ("[3,2,3] r=1 bias", 11, True),
        ("[2,3,2] r=1", 4, True),
        ("[3,2,3] p=0,1", 8, True),
        ("[4,2,3,2] r=1,2", 13, False),
        ("[2,2,1] r=2", 4, False),
        ("[3,3,3] r=2", 15, True),
    ],
)
def test_one_definition_of_identifiability(text: str, free: int, identifiable: bool) -> None:
    result, answer = dimension(text), identifiability(text)
    assert answer.free == result.parameters - result.gauge == free
    assert answer.identifiable is result.identifiable is identifiable is (result.dimension == free)


def test_monomials_written_as_polynomials_are_recognised() -> None:
    plain, written = dimension("[5,5,5,1] r=2"), dimension("[5,5,5,1] p=0,0,1")
    assert (written.dimension, written.proved, written.network) == (35, True, plain.network)
