"""Thresholds of many architectures are those of one by one; the shipped table, and the formula by cutting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from polygeom.cli import run
from polygeom.dimensions.identifiability import threshold
from polygeom.dimensions.survey.thresholds import cut_thresholds, thresholds
from polygeom.errors import PolygeomError
from polygeom.tables.atlas.thresholds import architectures, build_thresholds, load_thresholds


def sample(count: int, widest: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).integers(2, widest + 1, (count, 5))
    rows[:, -1] = np.random.default_rng(seed + 1).integers(1, widest + 1, count)
    return rows


def test_thresholds_are_those_of_one_by_one() -> None:
    rows = np.concatenate([sample(12, 5, 1), [[2, 2, 4, 1, 1], [3, 3, 3, 3, 3], [2, 3, 4, 5, 5]]])
    rows = rows[(rows[:, 1:-1] > 1).all(axis=1)]
    found = thresholds(rows)
    for widths, value, defective, proved in zip(
        rows.tolist(), found.threshold, found.defective, found.proved, strict=True
    ):
        alone = threshold(widths)
        assert (value, tuple(np.flatnonzero(defective)), proved) == (alone.threshold, alone.defective, alone.proved)
    assert len(set(found.threshold.tolist())) >= 3


def test_the_shipped_table_is_whole_proved_and_computed_again() -> None:
    table = load_thresholds()
    expected = [f"[{','.join(map(str, w))}]" for L in (2, 3, 4) for w in architectures(L, 10, 0, 9**L * 10).tolist()]
    assert table["widths"].tolist() == expected
    assert len(table) == 73_710
    assert table["proved"].all()
    for row in table.sample(6, random_state=3).to_dict("records"):
        alone = threshold([int(w) for w in row["widths"].strip("[]").split(",")])
        assert (row["threshold"], row["defective"]) == (alone.threshold, " ".join(map(str, alone.defective)))


def test_cutting_gives_no_threshold_too_large_and_most_of_them() -> None:
    table = load_thresholds()
    assert (table["cut"] <= table["threshold"]).all()
    assert (table["cut"] == table["threshold"]).sum() == 72_046
    assert table.loc[table["cut"] != table["threshold"], "threshold"].max() == 5
    rows = np.array([[int(w) for w in text.strip("[]").split(",")] for text in table["widths"].tail(500)])
    assert cut_thresholds(rows, 19).tolist() == table["cut"].tail(500).tolist()


@pytest.mark.slow
def test_the_shipped_table_is_built_again_byte_by_byte(tmp_path: Path) -> None:
    from polygeom.tables.atlas.thresholds import FILE

    assert build_thresholds(tmp_path / "all.csv.gz", workers=2) == 73_710
    assert (tmp_path / "all.csv.gz").read_bytes() == FILE.read_bytes()


def test_a_table_is_built_and_asked_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.csv.gz"
    assert build_thresholds(path, widest=3, deepest=3) == 2 * 2 * 3 + 8 * 3
    table = load_thresholds()
    some = load_thresholds(path)
    assert some.merge(table, on=list(table.columns)).shape == some.shape
    assert run(["threshold", "--where", "threshold > 16", "--limit", "1"]) == 0
    assert "90 architectures" in capsys.readouterr().out
    for wrong in (
        ["--all", "10"],
        ["--all", "3:3"],
        ["--workers", "2", "[2,3,1]"],
        ["--where", "cut > 1", "[2,3,1]"],
        [],
    ):
        assert run(["threshold", *wrong]) == 2
    (tmp_path / "b.csv").write_text("widths\n")
    for name in ("b.csv", "missing"):
        with pytest.raises(PolygeomError, match="thresholds"):
            load_thresholds(tmp_path / name)
