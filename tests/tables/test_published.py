"""The two files of the published batch runs, as the notebooks that read them see them."""

from __future__ import annotations

import ast
from pathlib import Path

import pandas as pd
import pytest

from polygeom.errors import PolygeomError
from polygeom.tables import write_published_format
from polygeom.tables.published import published_paths, read_published_format
from polygeom.tables.table import frame

OK = {"status": "ok", "ambient_dimension": 10, "expected_dimension": 9, "dimension": 8, "defect": 1, "elapsed": 0.125}
ROWS = [
    {**OK, "network": "[2,3,1] r=2", "widths": "[2,3,1]", "activation": "2", "parameters": 9},
    {**OK, "network": "[2,3,3,1] r=2,3", "widths": "[2,3,3,1]", "activation": "2,3", "parameters": 18},
    {**OK, "network": "[2,3]", "widths": "[2,3]", "activation": "", "parameters": 6},
    {"network": "[9,9,9] r=3", "widths": "[9,9,9]", "activation": "3", "parameters": 162, "status": "timeout"},
    {"network": "[9,9,8] r=3", "widths": "[9,9,8]", "activation": "3", "parameters": 153, "status": "crashed"},
    {"network": "nonsense", "status": "invalid"},
]


def test_the_bytes_of_the_files(tmp_path: Path) -> None:
    results, unfinished = write_published_format(frame(ROWS), tmp_path / "run")
    assert results.read_text() == (
        "Widths,Activation,Ambient Dimension,Expected Dimension,Dimension,Defect,Time Taken (seconds)\n"
        '"[2, 3, 1]",2,10,9,8,1,0.125\n'
        '"[2, 3, 3, 1]","[2, 3]",10,9,8,1,0.125\n'
        '"[2, 3]",1,10,9,8,1,0.125\n'
    )
    assert unfinished.read_text() == 'Widths,Activation\n"[9, 9, 9]",3\n"[9, 9, 8]",3\n'
    assert (results.name, unfinished.name) == ("run.csv", "run_timeouts.csv")
    assert published_paths(tmp_path / "run") == (results, unfinished)


def test_notebooks_read_them_unchanged(tmp_path: Path) -> None:
    results, unfinished = write_published_format(frame([ROWS[0], ROWS[3]]), tmp_path / "run.v1")
    table = pd.read_csv(results)
    assert table.columns.tolist() == [
        "Widths",
        "Activation",
        "Ambient Dimension",
        "Expected Dimension",
        "Dimension",
        "Defect",
        "Time Taken (seconds)",
    ]
    assert table["Widths"].map(ast.literal_eval).tolist() == [[2, 3, 1]]
    assert table["Activation"].dtype == "int64"
    assert (table["Expected Dimension"] - table["Dimension"] == table["Defect"]).all()
    assert pd.read_csv(unfinished)["Widths"].map(ast.literal_eval).tolist() == [[9, 9, 9]]


def test_they_come_back_as_a_table(tmp_path: Path) -> None:
    results, unfinished = write_published_format(frame(ROWS[:4]), tmp_path / "run")
    expected = frame(ROWS[:4])
    pd.testing.assert_frame_equal(read_published_format(tmp_path / "run"), expected)
    pd.testing.assert_frame_equal(read_published_format(results), expected)
    unfinished.unlink()
    assert len(read_published_format(results)) == 3


def test_spaces_after_commas_are_read(tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text(
        "Widths, Activation, Ambient Dimension, Expected Dimension, Dimension, Defect, Time Taken (seconds)\n"
        '"[2, 3, 1]", 2, 3, 3, 3, 0, 1.5\n\n'
    )
    row = read_published_format(tmp_path / "theirs").loc[0]
    assert (row["network"], row["dimension"], row["elapsed"], row["status"]) == ("[2,3,1] r=2", 3, 1.5, "ok")


def test_networks_without_widths_are_refused(tmp_path: Path) -> None:
    table = frame([*ROWS, {**OK, "network": "[2,3,1] r=2 bias"}])
    with pytest.raises(PolygeomError, match="got \\[2,3,1\\] r=2 bias; filter the table"):
        write_published_format(table, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


HEADER = "Widths,Activation,Ambient Dimension,Expected Dimension,Dimension,Defect,Time Taken (seconds)\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line must be Widths,Activation,"),
        ("a,b\n", "first line must be"),
        (HEADER + '"[2,3,1]",2\n', "line 2: 2 cells instead of 7"),
        (HEADER + '"[2,x,1]",2,1,1,1,0,1\n', "line 2: Widths must be written as"),
        (HEADER + '"__import__(1)",2,1,1,1,0,1\n', "Widths must be written as"),
        (HEADER + '"[2,3,1]",two,1,1,1,0,1\n', "line 2: Activation must be written as"),
        (HEADER + '"[2,3,3,3,1]","[2,2]",1,1,1,0,1\n', "5 widths need 3 activation degrees or one"),
        (HEADER + '"[2]",2,1,1,1,0,1\n', "1 widths need"),
        (HEADER + '"[2,3,1]",2,1,1,one,0,1\n', "line 2: dimension must be an integer or empty, got 'one'"),
        (HEADER + '"[2,3,1]",2,1,1,1.5,0,1\n', "line 2: dimension must be an integer"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(PolygeomError, match=message):
        read_published_format(tmp_path / "x")


def test_a_cell_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(HEADER + '"' + "x" * 200_000)
    with pytest.raises(PolygeomError, match="field larger than field limit"):
        read_published_format(tmp_path / "x")


def test_files_in_no_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PolygeomError, match="cannot read"):
        read_published_format(tmp_path / "x")
    with pytest.raises(PolygeomError, match="folder that exists"):
        write_published_format(frame([ROWS[0]]), tmp_path / "no" / "such")
