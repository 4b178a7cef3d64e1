"""Sweeps of dimensions: the rows say what `dimension` says, and networks that fail still say what they are."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from polygeom.dimensions import dimension
from polygeom.dimensions.task import describe
from polygeom.errors import PolygeomError
from polygeom.network import mlp, parse
from polygeom.tables import read_table, sweep, write_published_format
from polygeom.tables.published import read_published_format
from polygeom.tables.table import TIMINGS

TEXTS = ["[2,3,1] r=2", "[5,5,5,1] r=2", "[2,3,2,1] r=2,3", "[2,3,1] r=2 bias", "ccp(3, rank=2, degree=3)"]


def test_rows_say_what_dimension_says(tmp_path: Path) -> None:
    table = sweep(TEXTS, timeout=60, memory="1GB", rng=5, out=tmp_path / "table.csv")
    for text, row in zip(TEXTS, table.to_dict("records"), strict=True):
        result = dimension(text, rng=5).as_dict()
        assert row["status"] == "ok"
        for name in set(result) & set(row) - {*TIMINGS, "status", "primes"}:
            assert row[name] == result[name] or (result[name] is None and str(row[name]) == "<NA>"), name
        assert row["primes"].split() == [str(prime) for prime in result["primes"]]
    assert table["dimension"].tolist()[:2] == [3, 35]
    assert table["widths"].tolist() == ["[2,3,1]", "[5,5,5,1]", "[2,3,2,1]", "", ""]
    assert table["activation"].tolist() == ["2", "2", "2,3", "", ""]
    assert read_table(tmp_path / "table.csv")["dimension"].tolist() == table["dimension"].tolist()


def test_networks_are_known_by_their_canonical_text(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    sweep([" [2, 3,1]  r = 2"], journal=journal)
    before = journal.read_bytes().count(b'"type":"row"')
    table = sweep(["[2,3,1] r=2", mlp([2, 3, 1], 2), parse("[2,3,1] r=2")], journal=journal)
    assert table["network"].tolist() == ["[2,3,1] r=2"] * 3
    assert journal.read_bytes().count(b'"type":"row"') == before == 1


def test_text_that_is_no_network_is_a_row_with_the_place() -> None:
    row = sweep(["[2,3,1"]).loc[0]
    assert row["status"] == "invalid"
    assert "position 6" in row["message"]


@pytest.mark.thorough
def test_a_network_out_of_time_says_what_it_is(tmp_path: Path) -> None:
    start = time.monotonic()
    table = sweep(["[60,90,120,50] r=2", "[2,3,1] r=2"], timeout=1)
    assert time.monotonic() - start < 12
    row = table.loc[0]
    assert (row["status"], row["message"]) == ("timeout", "stopped after 1 s")
    known = row[["widths", "activation", "parameters", "expected_dimension", "gauge"]].tolist()
    assert known == ["[60,90,120,50]", "2", 22_200, 21_990, 210]
    assert row[["dimension", "lower", "upper", "defect"]].isna().all()
    write_published_format(table, tmp_path / "run")
    again = read_published_format(tmp_path / "run")
    assert again[["network", "status"]].to_numpy().tolist() == [
        ["[2,3,1] r=2", "ok"],
        ["[60,90,120,50] r=2", "timeout"],
    ]


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_known_beforehand_agrees_with_the_result(text: str) -> None:
    facts, result = describe(text), dimension(text).as_dict()
    for name in set(facts) & set(result):
        assert facts[name] == result[name], name


def test_enormous_networks_are_described_at_once() -> None:
    start = time.process_time()
    facts = describe("[1000000,1000000,5] r=1000000")
    assert facts["parameters"] == 1_000_005_000_000
    assert "ambient_dimension" not in facts
    describe("[" + ",".join(["3"] * 3000) + "] r=2")
    assert time.process_time() - start < 1
    with pytest.raises(PolygeomError):
        describe("")


SMALL = [f"[{a},{b},{c},1] r=2" for a in range(1, 5) for b in range(1, 5) for c in range(1, 6)]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("together", ["polygeom.dimensions.survey.task:run", "workloads:boom"])
def test_many_small_networks_done_together_have_the_same_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, together: str
) -> None:
    """Also where doing them together fails: then each is computed alone."""
    texts = [*SMALL, "[2,3", "[2,3,1] r=2 bias", SMALL[0]]
    alone = sweep(texts, out=tmp_path / "alone.csv")
    monkeypatch.setattr("polygeom.tables.dimensions.MANY", 1)
    monkeypatch.setattr("polygeom.tables.dimensions.TOGETHER", together)
    many = sweep(texts, out=tmp_path / "many.csv", timeout=60)
    assert many.drop(columns=list(TIMINGS)).equals(alone.drop(columns=list(TIMINGS)))
    assert many["status"].eq("ok").sum() == len(texts) - 1
    again = sweep(texts, out=tmp_path / "many.csv", timeout=60)
    assert again.equals(many), "from the journal, with the same times"
