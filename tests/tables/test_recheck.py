"""Rows that somebody has edited do not come back as proved: not from a journal, and not from a table unasked."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polygeom import PolygeomError
from polygeom.cli import run
from polygeom.dimensions.proofs.outcome import Verification
from polygeom.dimensions.task import VERIFIED, confirmed, describe
from polygeom.storage.lines import line, parse_line
from polygeom.sweeps import Task, read_journal
from polygeom.sweeps.records import answers
from polygeom.tables import read_table, recheck, sweep
from polygeom.tables.dimensions import check_result
from polygeom.tables.table import contradiction

NETWORKS = ["[3,2,1] r=2", "[2,2,1] r=2", "[4,2,1] r=2"]
ROW = {
    "dimension": 5, "lower": 5, "upper": 5, "proved": True, "parameters": 8, "gauge": 2, "ambient_dimension": 6,
    "expected_dimension": 6, "defect": 1, "filling": False, "identifiable": False, "error_bound": 0.0,
}  # fmt: skip


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the record of the first network in a journal, with a new checksum."""
    lines = []
    for text in path.read_bytes().splitlines():
        value = parse_line(text)
        assert value is not None
        if value.get("type") == "row" and value["data"]["task"]["argument"]["network"] == NETWORKS[0]:
            change(value["data"])
        lines.append(line(value))
    path.write_bytes(b"".join(lines))


def result(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda record: record["outcome"]["result"].update(values)


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "proved without equal bounds": result(upper=6, proved=True),
    "a lower bound above the dimension": result(lower=6),
    "dimension alone": result(dimension=6),
    "filling alone": result(filling=True),
    "defect alone": result(defect=0),
    "identifiable alone": result(identifiable=True),
    "an ambient dimension": lambda record: record["facts"].update(ambient_dimension=5),
    "the row of another network": lambda record: record["task"]["argument"].update(network="[3,3,1] r=2"),
    "another seed": lambda record: record["task"].update(seed=7),
    "a status without result": lambda record: record["outcome"].update(result=None),
    "a result without status": lambda record: record["outcome"].update(status="timeout"),
    "no outcome": lambda record: record.pop("outcome"),
    "text for limits": lambda record: record.update(limits="none"),
    "text for a number": result(dimension="5"),
    "a status that is none": lambda record: record["outcome"].update(status="proved"),
}


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept")
    sweep(NETWORKS, out=folder / "table.csv", progress=False)
    return folder


@pytest.mark.parametrize("name", EDITS)
def test_a_record_that_contradicts_what_is_known_does_not_count(swept: Path, name: str) -> None:
    record = read_journal(swept / "table.csv.journal")[0]
    task, facts = Task.from_dict(copy.deepcopy(record["task"])), describe(NETWORKS[0])
    assert answers(record, task, facts, check_result)
    EDITS[name](record)
    assert not answers(record, task, facts, check_result)


def test_it_is_computed_again(swept: Path, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_bytes((swept / "table.csv.journal").read_bytes())
    edit(journal, EDITS["a lower bound above the dimension"])
    table = sweep(NETWORKS, journal=journal, progress=False)
    honest = read_table(swept / "table.csv").drop(columns=["elapsed"])
    assert table.drop(columns=["elapsed"]).to_csv() == honest.to_csv()


@pytest.mark.thorough
def test_a_consistent_lie_is_found_by_recheck(swept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dimension 6 of 6, "proved", everything changed that fits: no reader can see it, so somebody must compute."""
    journal, out = tmp_path / "t.csv.journal", tmp_path / "t.csv"
    journal.write_bytes((swept / "table.csv.journal").read_bytes())
    edit(journal, result(dimension=6, lower=6, upper=6, defect=0, filling=True, identifiable=True))
    edit(journal, lambda record: record["facts"].update(gauge=2))
    table = sweep(NETWORKS, out=out, progress=False)
    assert table["dimension"].tolist()[0] == 6
    found = recheck(read_table(out), progress=False)
    assert set(found["network"]) == {NETWORKS[0]}
    assert {"dimension", "lower", "filling", "defect"} <= set(found[found["proved"]]["column"])
    assert run(["table", str(out), "--recheck", "3"]) == 1
    told = capsys.readouterr().out
    assert "[3,2,1] r=2: dimension is 6 here, 5 computed (proved)" in told
    assert f"3 of 3 rows computed again, 3 confirmed by the checker, {len(found)} differences" in told


def test_honest_rows_are_confirmed_by_the_checker(swept: Path, tmp_path: Path) -> None:
    out = tmp_path / "again.csv"
    found = recheck(read_table(swept / "table.csv"), out=out, progress=False)
    assert not len(found)
    assert read_table(out)["method"].str.endswith(VERIFIED).all()


def test_a_sample_is_drawn_and_computed_from_its_own_seeds(swept: Path) -> None:
    table = read_table(swept / "table.csv")
    table["seed"] = 5
    found = recheck(table, sample=1, rng=2, progress=False)
    assert not len(found)
    ours, drawn = found.attrs["table"], table.sample(1, random_state=2)
    assert (ours["seed"].tolist(), ours["network"].tolist()) == ([5], drawn["network"].tolist())


def test_what_has_no_effect_is_refused(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = read_table(swept / "table.csv")
    for sample in (0, -1, True, 1.5):
        with pytest.raises(PolygeomError, match="sample must be a positive number of rows"):
            recheck(table, sample=sample)  # type: ignore[arg-type]
    for arguments, message in (
        (["--recheck", "some"], "--recheck takes a number of rows"),
        (["--recheck", "0"], "--recheck takes a number of rows"),
        (["--seed", "1"], "--seed has an effect with --recheck only"),
        (["--workers", "2"], "--workers has an effect with --recheck only"),
    ):
        assert run(["table", str(swept / "table.csv"), *arguments]) == 2
        assert message in capsys.readouterr().err


def test_a_bound_that_the_checker_does_not_confirm_is_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    task = {"argument": {"network": NETWORKS[0], "options": {}}, "seed": 0}
    row = confirmed(task)
    assert row["method"].endswith(VERIFIED)
    monkeypatch.setattr("polygeom.dimensions.task.run", lambda task: {**row, "lower": 4, "upper": 4, "dimension": 4})
    assert not confirmed(task)["method"].endswith(VERIFIED * 2)  # from 4 to 5 is what the checker confirms
    monkeypatch.setattr("polygeom.dimensions.proofs.verification.check", lambda *_: Verification(False, (), "x"))
    with pytest.raises(RuntimeError, match="the checker does not confirm the bounds 4, 4"):
        confirmed(task)


@pytest.mark.parametrize(
    "change",
    [
        {"lower": 6}, {"proved": False}, {"upper": 6}, {"dimension": 4}, {"dimension": 6}, {"filling": True},
        {"defect": 0}, {"identifiable": True}, {"error_bound": 0.1}, {"ambient_dimension": 4},
    ],
)  # fmt: skip
def test_a_table_with_a_row_that_contradicts_itself_is_refused(
    swept: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    assert contradiction(ROW) == ""
    assert contradiction(ROW | change)
    assert contradiction(dict.fromkeys(ROW)) == ""
    text = (swept / "table.csv").read_text().splitlines()
    names = text[0].split(",")
    assert json.loads(json.dumps(ROW)) == ROW
    table = read_table(swept / "table.csv")
    name, value = next(iter(change.items()))
    at = table.index[table["network"] == NETWORKS[0]].item()
    cells = table.astype(object).loc[at].to_dict() | {name: value}
    text[1 + at] = ",".join(f'"{"" if str(cells[n]) == "<NA>" else cells[n]}"' for n in names)
    edited = tmp_path / "edited.csv"
    edited.write_text("\n".join(text))
    with pytest.raises(PolygeomError, match=f"line {2 + at}: "):
        read_table(edited)
