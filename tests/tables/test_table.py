"""What is written is what is read, by our reader and by others; what is not a table is refused with the place."""

from __future__ import annotations

import contextlib
import csv
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polygeom.errors import PolygeomError
from polygeom.tables import read_table, write_table
from polygeom.tables.table import COLUMNS, NAMES, TIMINGS, check_values, frame, write_rows

ROW = {
    "network": "[2,3,1] r=2",
    "widths": "[2,3,1]",
    "activation": "2",
    "parameters": 9,
    "ambient_dimension": 3,
    "expected_dimension": 3,
    "dimension": 3,
    "lower": 3,
    "upper": 3,
    "proved": True,
    "bound": "ambient",
    "defect": 0,
    "filling": True,
    "identifiable": False,
    "gauge": 3,
    "status": "ok",
    "message": "",
    "error_bound": 0.0,
    "trials": 1,
    "primes": "4194301 8388593",
    "seed": 0,
    "points": 4,
    "method": "generic",
    "version": "0.1.0",
    "elapsed": 0.25,
}
FAILED = {
    "network": "x",
    "status": "timeout",
    "message": "stopped after 1 s",
    "seed": 0,
    "version": "0.1.0",
    "elapsed": 1.0,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


def test_the_columns_of_schema_1() -> None:
    """A change here is a new schema."""
    assert ",".join(NAMES) == (
        "network,widths,activation,parameters,ambient_dimension,expected_dimension,dimension,lower,upper,proved,bound,defect,"
        "filling,identifiable,gauge,status,message,error_bound,trials,primes,seed,points,method,version,elapsed"
    )
    assert set(ROW) == set(NAMES)
    assert all(column.meaning for column in COLUMNS)


def test_a_table_comes_back_with_its_types(path: Path) -> None:
    table = frame([ROW, FAILED])
    write_table(table, path)
    again = read_table(path)
    pd.testing.assert_frame_equal(again, table)
    types = {"text": "string", "integer": "Int64", "number": "Float64", "truth": "boolean"}
    assert [str(dtype) for dtype in again.dtypes] == [types[column.kind] for column in COLUMNS]
    assert again["dimension"].tolist() == [3, pd.NA]
    assert again["message"].tolist() == ["", "stopped after 1 s"]


def test_rows_and_frames_are_written_alike(path: Path, tmp_path: Path) -> None:
    write_rows([ROW, FAILED], path)
    write_table(frame([ROW, FAILED]), tmp_path / "other.csv")
    assert path.read_bytes() == (tmp_path / "other.csv").read_bytes()
    write_table(read_table(path), tmp_path / "again.csv")
    assert path.read_bytes() == (tmp_path / "again.csv").read_bytes()


def test_the_stable_table_has_no_timings(path: Path) -> None:
    write_table(frame([ROW]), path, timings=False)
    assert path.read_text().splitlines()[0].split(",") == [name for name in NAMES if name not in TIMINGS]


def test_plain_pandas_and_csv_read_it(path: Path) -> None:
    write_rows([ROW, FAILED], path)
    assert pd.read_csv(path).columns.tolist() == list(NAMES)
    with path.open(newline="") as file:
        assert next(csv.DictReader(file))["widths"] == "[2,3,1]"


def test_an_empty_table_keeps_its_types(path: Path) -> None:
    write_table(frame([]), path)
    pd.testing.assert_frame_equal(read_table(path), frame([]))


def test_huge_integers_stay_exact(path: Path) -> None:
    table = frame([{**ROW, "ambient_dimension": 2**63, "filling": False}, FAILED])
    write_table(table, path)
    again = read_table(path)
    assert again["ambient_dimension"].tolist() == [2**63, pd.NA]
    assert again["ambient_dimension"].dtype == object
    assert str(frame([{**ROW, "ambient_dimension": 2**63 - 1}])["ambient_dimension"].dtype) == "Int64"


NASTY = [
    "=cmd()",
    "+1",
    "-1",
    "@x",
    "\tx",
    "\rx",
    "'=x",
    "''-x",
    "'x",
    "'",
    "",
    "NA",
    "nan",
    "a,b",
    'a"b',
    "a\nb",
    "ü",
    " x ",
]


@pytest.mark.parametrize("text", NASTY)
def test_text_comes_back_as_it_was_and_is_no_formula(path: Path, text: str) -> None:
    write_table(frame([{**ROW, "message": text, "bound": text}]), path)
    assert read_table(path).loc[0, ["message", "bound"]].tolist() == [text, text]
    with path.open(newline="") as file:
        cell = next(csv.DictReader(file))["message"]
    assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r"}


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    "integer": st.none() | st.integers() | st.integers(-5, 5),
    "number": st.none() | st.floats(allow_nan=False),
    "truth": st.none() | st.booleans(),
}


@pytest.mark.thorough
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.fixed_dictionaries({column.name: VALUES[column.kind] for column in COLUMNS}), max_size=3))
def test_every_table_comes_back(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    path = tmp_path / "any.csv"
    assert [check_values(row) for row in rows] == [""] * len(rows)
    table = frame(rows)
    write_table(table, path)
    pd.testing.assert_frame_equal(read_table(path), table)


def test_further_columns_are_kept(path: Path) -> None:
    table = frame([ROW, FAILED])
    table["remark"] = ["interesting", "=dull"]
    write_table(table, path)
    assert read_table(path)["remark"].tolist() == ["interesting", "=dull"]
    assert path.read_text().splitlines()[0].endswith(",elapsed,remark")


def test_tables_from_spreadsheets_are_read(path: Path) -> None:
    """A byte order mark, other line ends, capital truth values, columns in another order."""
    names = list(reversed(NAMES))
    row = {**ROW, "proved": "TRUE", "filling": "true", "identifiable": "FALSE"}
    text = "\r\n".join([",".join(names), ",".join(f'"{row[name]}"' for name in names), ""])
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    pd.testing.assert_frame_equal(read_table(path), frame([ROW]))


def broken(**cells: str) -> str:
    values = {**dict.fromkeys(NAMES, ""), **cells}
    return ",".join(NAMES) + "\n" + ",".join(values[name] for name in NAMES) + "\n"


BAD = {
    "missing column": ("network,widths\n", "the columns activation, parameters"),
    "empty": ("", "is empty"),
    "repeated column": (",".join(NAMES) + ",widths\n", "the columns widths occur more than once"),
    "short line": (",".join(NAMES) + "\nx,y\n", "line 2: 2 cells, but the header names 25 columns"),
    "integer": (broken(dimension="three"), "line 2: dimension must be an integer or empty, got 'three'"),
    "float for integer": (broken(dimension="3.0"), "dimension must be an integer"),
    "full-width digits": (broken(dimension="２"), "dimension must be an integer"),
    "too many digits": (broken(dimension="9" * 5000), "dimension must be an integer"),
    "truth": (broken(proved="maybe"), "proved must be True or False or empty, got 'maybe'"),
    "number": (broken(elapsed="soon"), "elapsed must be a number or empty, got 'soon'"),
    "number with underscore": (broken(elapsed="1_0"), "elapsed must be a number"),
    "not a number": (broken(elapsed="nan"), "elapsed must be a number"),
    "long field": (broken(message="x" * 140_000), "field larger than field limit"),
    "open quote": (broken(message='"x'), "line 2: 17 cells|line 3: 17 cells"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_a_table_is_refused_with_the_place(path: Path, name: str) -> None:
    text, message = BAD[name]
    path.write_text(text)
    with pytest.raises(PolygeomError, match=message):
        read_table(path)


def test_files_that_cannot_be_read_or_written_are_refused(tmp_path: Path, path: Path) -> None:
    with pytest.raises(PolygeomError, match="cannot read"):
        read_table(tmp_path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PolygeomError, match="not text in UTF-8"):
        read_table(path)
    with pytest.raises(PolygeomError, match="must be a file in a folder that exists"):
        write_rows([ROW], tmp_path / "no" / "such.csv")
    with pytest.raises(PolygeomError, match="use a table that sweep returned"):
        write_table(pd.DataFrame({"a": [1]}), path)


@pytest.mark.parametrize("data", [b"a," * 500_000, b"\0" * 10**6, b'"' * 10**6, b",\n" * 300_000, b"[" * 10**6])
def test_a_megabyte_of_rubbish_is_refused_quickly(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    start = time.process_time()
    with pytest.raises(PolygeomError):
        read_table(path)
    assert time.process_time() - start < 1.0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: ",".join(NAMES).encode() + b"\n" + text.encode())
)
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(data)
    with contextlib.suppress(PolygeomError):
        read_table(path)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"dimension": "3"}, "dimension must be an integer, got '3'"),
        ({"dimension": 3.0}, "dimension must be an integer"),
        ({"dimension": True}, "dimension must be an integer"),
        ({"proved": 1}, "proved must be True or False"),
        ({"bound": 1}, "bound must be text"),
        ({"elapsed": "1"}, "elapsed must be a number"),
        ({"elapsed": True}, "elapsed must be a number"),
        ({"elapsed": 1, "dimension": None, "other": object()}, "^$"),
    ],
)
def test_values_that_do_not_fit_are_noticed(row: dict[str, Any], problem: str) -> None:
    import re

    assert re.match(problem, check_values(row))
