"""Tables of other people: read by naming columns, computed again, differences listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from polygeom.cli import main
from polygeom.errors import PolygeomError
from polygeom.tables import read_any, recheck, sweep, write_published_format
from polygeom.tables.foreign import read_columns

MFA = """h,exponent,architecture,num_parameters,dimension_computed,ambient
2,2,"[2, 2, 1]",6,3,3
3,2,"[2, 2, 2, 1]",10,5,5
2,2,"[3, 3, 1]",12,6,6
3,2,"[2, 3, 3, 2, 1]",23,9,9
2,3,"[2, 2, 1]",6,3,4
"""
COLUMNS = "widths=architecture,degrees=exponent,dimension=dimension_computed,parameters=num_parameters"
"""The shape of the public tables of minimal filling architectures, the last row with a wrong dimension."""


def run(*arguments: str) -> int:
    try:
        return int(main([*arguments]) or 0)
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.fixture
def mfa(tmp_path: Path) -> Path:
    path = tmp_path / "mfa.csv"
    path.write_text(MFA, encoding="utf-8")
    return path


def test_any_csv_is_read_by_its_columns(mfa: Path) -> None:
    table = read_any(mfa, read_columns(COLUMNS))
    assert table["network"].tolist()[:2] == ["[2,2,1] r=2", "[2,2,2,1] r=2"]
    assert table["dimension"].tolist() == [3, 5, 6, 9, 3]
    assert table["widths"].tolist()[3] == "[2,3,3,2,1]"


@pytest.mark.thorough
def test_rows_that_differ_are_listed(mfa: Path, tmp_path: Path) -> None:
    out = tmp_path / "ours.csv"
    table = read_any(mfa, read_columns(COLUMNS))
    found = recheck(table, out=out, timeout=60, progress=False)
    assert found[["network", "column", "theirs", "ours"]].to_numpy().tolist() == [
        ["[2,2,1] r=3", "dimension", "3", "4"]
    ]
    assert found["proved"].tolist() == [True]
    again = recheck(table, out=out, timeout=60, progress=False)
    assert again.equals(found)


def test_the_command_reads_rechecks_and_reports(mfa: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("table", str(mfa), "--columns", COLUMNS, "--recheck", "--timeout", "60") == 1
    assert "[2,2,1] r=3: dimension is 3 here, 4 computed (proved)" in capsys.readouterr().out


def test_the_published_format_is_read_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_published_format(sweep(["[2,3,1] r=2", "[3,3,1] r=2"], progress=False), tmp_path / "batch")
    assert run("table", str(tmp_path / "batch.csv")) == 0
    assert "[3,3,1] r=2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("columns", "change", "message"),
    [
        ("widths=architecture", "", "write widths=architecture,degrees=exponent"),
        ("widths=arch,degrees=exponent", "", "there is no column 'arch'; write one of h, exponent"),
        ("width=architecture", "", "is not OURS=THEIRS"),
        ("widths", "", "is not OURS=THEIRS"),
        (COLUMNS, "2,2,[2],6,3,3\n", "line 7: widths must be at least two integers"),
        (COLUMNS, '2,2,"[2,2,1]",6,x,3\n', "line 7: dimension must be"),
        (COLUMNS, "2,2\n", "line 7: 2 cells instead of 6"),
        (COLUMNS, '2,,"[2,2,1]",6,3,3\n', "line 7"),
    ],
)
def test_malformed_tables_are_refused_with_their_line(mfa: Path, columns: str, change: str, message: str) -> None:
    mfa.write_text(MFA + change, encoding="utf-8")
    with pytest.raises(PolygeomError, match=message):
        read_any(mfa, read_columns(columns))
