"""The shipped atlas: complete over its box, proved, and equal to what is computed again."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

import polygeom
from polygeom.errors import PolygeomError
from polygeom.tables.atlas.build import (
    atlas_row,
    build_atlas,
    differing_rows,
    predecessors,
    write_atlas,
    write_parquet,
)
from polygeom.tables.atlas.table import BOX, COLUMNS, DEGREES, FILE, NAMES, architectures, load_atlas


@pytest.fixture(scope="module")
def atlas() -> pandas.DataFrame:
    return polygeom.load_atlas()


@pytest.mark.thorough
def test_every_architecture_of_the_box_is_there_once(atlas: pandas.DataFrame) -> None:
    expected = [(f"[{','.join(map(str, d))}]", r) for d in architectures() for r in DEGREES]
    assert list(zip(atlas["widths"], atlas["activation"], strict=True)) == expected
    assert len(atlas) == sum(4 * BOX[depth] ** (depth + 1) for depth in BOX) >= 50_000
    assert (atlas["depth"].min(), atlas["depth"].max()) == (2, 6)


def test_nearly_all_rows_are_proved(atlas: pandas.DataFrame) -> None:
    share = float(atlas["proved"].mean())
    print(f"share of rows proved: {share:.4%}")
    assert share >= 0.97
    assert (atlas.loc[atlas["proved"], "upper"] == atlas.loc[atlas["proved"], "dimension"]).all()


def test_the_file_is_small_and_has_types(atlas: pandas.DataFrame) -> None:
    assert FILE.stat().st_size < 3_000_000
    assert [str(atlas[column.name].dtype) for column in COLUMNS] == [column.kind for column in COLUMNS]


def test_a_random_sample_is_computed_again(atlas: pandas.DataFrame, multiplier: int) -> None:
    sample = atlas.sample(150 * multiplier, random_state=None if multiplier > 1 else 7)
    assert differing_rows(sample) == []


def test_a_wrong_row_would_be_seen(atlas: pandas.DataFrame) -> None:
    row = atlas[atlas["widths"] == "[2,2,2,1]"].head(1)
    assert differing_rows(row) == []
    for name, value in [("dimension", 4), ("minimal_filling", False), ("bound", "cut"), ("identifiable", True)]:
        wrong = differing_rows(row.assign(**{name: value}))
        assert len(wrong) == 1
        assert name in wrong[0]


def test_columns_follow_from_each_other(atlas: pandas.DataFrame) -> None:
    assert (atlas["expected_dimension"] - atlas["dimension"] == atlas["defect"]).all()
    assert (atlas["defect"] >= 0).all()
    assert ((atlas["dimension"] == atlas["ambient_dimension"]) == atlas["filling"]).all()
    assert ((atlas["explanation"] != "") == (atlas["defect"] > 0)).all()
    filling = set(atlas.loc[atlas["filling"], "network"])
    minimal = set(atlas.loc[atlas["minimal_filling"], "network"])
    assert {"[2,2,2,1] r=2", "[2,3,3,2,1] r=2", "[2,3,3,3,2,1] r=2", "[2,3,3,4,4,2,1] r=2"} <= minimal <= filling


def test_minimal_filling_agrees_with_the_search(atlas: pandas.DataFrame) -> None:
    for inputs, outputs, degree, depth in [(2, 1, 2, 4), (3, 1, 2, 3), (2, 2, 2, 4), (2, 3, 3, 2), (2, 1, 3, 3)]:
        found = [a.widths for a in polygeom.frontier(inputs, outputs, degree, depth).architectures]
        assert all(max(widths) <= BOX[depth] for widths in found)
        rows = atlas[(atlas["depth"] == depth) & (atlas["activation"] == degree) & atlas["minimal_filling"]]
        ends = rows["widths"].str.startswith(f"[{inputs},") & rows["widths"].str.endswith(f",{outputs}]")
        assert rows.loc[ends, "widths"].tolist() == [f"[{','.join(map(str, widths))}]" for widths in found]


@pytest.mark.thorough
def test_a_small_box_is_built_the_same_with_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polygeom.tables.atlas.build.CHUNK", 10)
    journal = tmp_path / "journal"
    for workers, kept in ((1, None), (2, journal)):
        columns = build_atlas({2: 3, 3: 2}, (2, 3), workers=workers, journal=kept)
        assert write_atlas(columns, tmp_path / f"{workers}.csv.gz") == 2 * (27 + 16)
    assert journal.read_bytes().count(b'"type":"row"') == 5
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:4]))  # two parts are left
    again = build_atlas({2: 3, 3: 2}, (2, 3), journal=journal)
    assert all((again[name] == columns[name]).all() for name in NAMES)
    assert journal.read_bytes().count(b'"type":"row"') == 5
    assert (tmp_path / "1.csv.gz").read_bytes() == (tmp_path / "2.csv.gz").read_bytes()
    built = load_atlas(tmp_path / "1.csv.gz")
    shipped = load_atlas()
    both = built.merge(shipped, on=list(shipped.columns))
    assert len(both) == len(built) == 86


@pytest.mark.thorough
def test_rows_are_those_of_one_by_one() -> None:
    box = {2: 6, 3: 3, 4: 2}
    columns = build_atlas(box, (2, 3))
    rows = [atlas_row(widths, r) for widths in architectures(box) for r in (2, 3)]
    for name in NAMES[:-1]:
        assert columns[name].tolist() == [row[name] for row in rows], name


@pytest.mark.slow
def test_the_shipped_table_is_built_again_byte_by_byte(tmp_path: Path) -> None:
    write_atlas(build_atlas(workers=2), tmp_path / "atlas.csv.gz")
    assert (tmp_path / "atlas.csv.gz").read_bytes() == FILE.read_bytes()


def test_a_table_in_parquet_is_the_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra parquet")
    columns = build_atlas({2: 3}, (2, 3))
    write_atlas(columns, tmp_path / "a.csv.gz")
    write_parquet(columns, tmp_path / "a.parquet")
    one, other = load_atlas(tmp_path / "a.csv.gz"), load_atlas(tmp_path / "a.parquet")
    assert list(one.columns) == list(other.columns)
    assert [one[name].tolist() for name in one.columns] == [other[name].tolist() for name in one.columns]
    (tmp_path / "b.parquet").write_bytes(b"no table")
    with pytest.raises(PolygeomError, match="cannot read"):
        load_atlas(tmp_path / "b.parquet")


def test_what_is_no_atlas_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("widths,activation\n")
    for name in ("a.csv", "missing.csv.gz"):
        with pytest.raises(PolygeomError, match="atlas"):
            load_atlas(tmp_path / name)
    assert NAMES[0] == "widths"


def test_predecessors_have_one_neuron_less() -> None:
    assert list(predecessors((2, 3, 2, 1))) == [(2, 2, 2, 1), (2, 3, 1, 1)]


def test_the_learning_coefficient_is_half_the_dimension_of_every_row(atlas: pandas.DataFrame) -> None:
    row = atlas.set_index("network").loc["[3,2,1] r=2"]
    assert float(row["learning_coefficient"]) == float(polygeom.learning_coefficient("[3,2,1] r=2").value or 0) == 2.5
    assert (atlas["learning_coefficient"] * 2 == atlas["dimension"]).all()
    assert (atlas["learning_coefficient"] <= atlas["parameters"] / 2).all()
