"""Columns derived from a table: one register for sweeps, tables and the atlas, and no row is lost."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pandas
import pytest

from polygeom import learning_coefficient
from polygeom.cli import run
from polygeom.errors import PolygeomError
from polygeom.storage.durable import write_file
from polygeom.tables import columns as register
from polygeom.tables import read_table, sweep
from polygeom.tables.columns import DERIVED, with_columns
from polygeom.tables.dimensions import table_of_journal
from polygeom.tables.table import NAMES

NETWORKS = ["[3,2,1] r=2", "[2,3", "[2,2,2] r=3", "relu 3"]


def failing(table: pandas.DataFrame) -> pandas.DataFrame:
    """A column that cannot be told for one network."""
    if table["network"].eq("[2,2,2] r=3").any():
        raise ValueError("too\nlarge")
    return table.assign(fibre="told")


@pytest.mark.thorough
def test_a_sweep_writes_the_columns_asked_for_and_goes_on_with_others(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    table = sweep(NETWORKS, out=out, progress=False, columns=["learning_coefficient", "dimension", "depth"])
    assert list(table.columns) == [*NAMES, "learning_coefficient", "depth"]
    exact = [learning_coefficient(text).value for text in (NETWORKS[0], NETWORKS[2])]
    assert [Fraction(value) for value in table["learning_coefficient"].dropna()] == exact == [Fraction(5, 2), 3]
    assert table["status"].tolist() == ["ok", "invalid", "ok", "invalid"]
    assert all(table.loc[table["status"] != "ok", "message"])
    assert read_table(out)["learning_coefficient"].tolist() == ["2.5", "", "3.0", ""]
    before = (tmp_path / "t.csv.journal").read_bytes()
    again = sweep(NETWORKS, out=out, progress=False, columns=["fibre"])
    assert (tmp_path / "t.csv.journal").read_bytes().startswith(before)
    assert again["elapsed"].tolist() == table["elapsed"].tolist()  # nothing was computed a second time
    assert again["fibre"].tolist() == ["infinite", "", "1", ""] == read_table(out)["fibre"].tolist()
    assert list(table_of_journal(tmp_path / "t.csv.journal").columns) == list(NAMES)


def test_a_cell_that_cannot_be_told_is_blank_and_its_row_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DERIVED, "fibre", replace(DERIVED["fibre"], fill=failing))
    table = sweep(NETWORKS[::2], progress=False, columns=["fibre", "depth"])
    assert table["fibre"].isna().tolist() == [False, True]
    assert table["message"].tolist() == ["", "fibre: ValueError: too large"]
    assert table["dimension"].tolist() == [5, 6]
    assert table["depth"].tolist() == [2, 2]


def test_half_of_a_lower_bound_is_called_one() -> None:
    table = sweep(NETWORKS[:1], progress=False).assign(proved=pandas.array([False], dtype="boolean"))
    for _ in range(2):
        table = with_columns(table, ["learning_coefficient"])
    assert table["learning_coefficient"].tolist() == [2.5]
    assert table["message"].tolist() == [f"learning_coefficient: {register._BOUND}"]


def test_the_commands_share_the_register(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, names = str(tmp_path / "t.csv"), ",".join(["network", *DERIVED])
    assert run(["sweep", "[3,2,1] r=2", "--columns", names, "--out", out]) == 0
    swept = capsys.readouterr().out.splitlines()
    assert swept[0].split() == names.split(",")
    assert run(["table", out, "--columns", names]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == names.split(",")
    assert run(["sweep", "[3,2,1] r=2", "--out", out, "-q"]) == 0
    assert run(["table", out, "--columns", names]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == swept[:2]
    with pytest.raises(PolygeomError, match="'wrong' is no column"):
        sweep(NETWORKS, columns=["wrong"])


def test_rows_that_are_not_printed_are_counted_with_derived_columns_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "t.csv")
    assert run(["sweep", "[3,1|2,1] r=2", "--out", out, "-q"]) == 0
    for columns in ("network", "network,learning_coefficient"):
        assert run(["table", out, "--columns", columns, "--limit", "1"]) == 0
        assert "… and 1 more rows" in capsys.readouterr().out


def test_the_atlas_knows_them_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["atlas", "--where", "network = '[3,2,1] r=2'", "--columns", "network,learning_coefficient,fibre"]) == 0
    assert "[3,2,1] r=2  2.5                   infinite" in capsys.readouterr().out


def test_nobody_else_writes_the_table_while_columns_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "table.csv"

    def while_another_writes(table: pandas.DataFrame, names: list[str]) -> pandas.DataFrame:
        with pytest.raises(PolygeomError, match="another process is writing"):
            write_file(out, b"", "out")
        return with_columns(table, names)

    monkeypatch.setattr(register, "with_columns", while_another_writes)
    sweep(["[3,2,1] r=2"], out=out, columns=["depth"])
    assert out.read_text().splitlines()[0].endswith(",depth")
