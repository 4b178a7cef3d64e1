"""The table of minimal filling architectures by depth."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from here import of_the_repository

from polygeom.dimensions.frontier.search import frontier
from polygeom.errors import PolygeomError
from polygeom.tables import frontiers
from polygeom.tables.frontiers import COLUMNS, main, read, row, shown


@pytest.fixture
def tenfold(monkeypatch: pytest.MonkeyPatch) -> None:
    """One question, of which every depth takes ten times as long as the one before: 1, 10, 100, 1000 seconds."""
    ticks = itertools.chain.from_iterable((0.0, 10.0**k) for k in itertools.count())
    monkeypatch.setattr(frontiers, "QUESTIONS", ((2, 1, 2),))
    monkeypatch.setattr(frontiers.time, "process_time", lambda: next(ticks))


@pytest.mark.usefixtures("tenfold")
def test_the_table_goes_as_deep_as_the_time_allows_and_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    main([str(path), "--minutes", "8"])
    first = read(path)
    assert [key[3] for key in first] == [2, 3, 4], "depth 5 would take 100 (17 / 9)^2.5 = 490 seconds"
    assert first[2, 1, 2, 4] == {
        "inputs": 2,
        "outputs": 1,
        "degree": 2,
        "depth": 4,
        "ambient_dimension": 9,
        "architectures": 1,
        "not_unimodal": 0,
        "boxes": 3,
        "complete": True,
        "ranks": 1,
        "bounds": 18,
        "seconds": 100.0,
    }
    main([str(path), "--minutes", "9"])
    more = read(path)
    assert [key[3] for key in more] == [2, 3, 4, 5]
    monkeypatch.setattr(frontiers, "frontier", lambda *_, **__: pytest.fail("computed again"))
    main([str(path), "--minutes", "9"])
    assert read(path) == more


def test_a_list_that_is_stopped_has_no_row() -> None:
    assert list(frontiers.rows(2, 1, 2, 1e-9, {})) == []


def test_what_is_no_table_of_frontiers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    good = ",".join(COLUMNS) + "\n2,1,2,2,3,1,0,1,True,1,10,0.01\n"
    path.write_text(good)
    assert read(path)[2, 1, 2, 2]["complete"] is True
    for text in ("a,b\n1,2\n", good.replace("True", "yes"), good.replace("0.01", "soon"), good.replace(",10", "")):
        path.write_text(text)
        with pytest.raises(PolygeomError, match="no table of frontiers"):
            read(path)


@pytest.mark.thorough
def test_the_table_of_the_page_is_computed_again() -> None:
    """Every row that took at most half a second, but for the time."""
    table = read(of_the_repository("docs/frontiers.csv"))
    assert {key[:3] for key in table} == set(frontiers.QUESTIONS)
    quick = {key: one for key, one in table.items() if one["seconds"] <= 0.5}
    assert len(quick) > 20
    for key, one in quick.items():
        again = row(frontier(*key), one["seconds"])
        assert again == one


def test_the_page_shows_numbers_and_shares(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    lines = [
        "2,1,2,7,65,13,1,21,True,13,239,0.3",
        "2,1,2,8,129,1280,0,124,True,128,1802,0.5",
        "2,2,2,7,130,4,2,4,True,4,57,0.3",
    ]
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    assert shown(read(path)).splitlines() == [
        "| inputs, outputs, $r$ | $L = 7$ | $L = 8$ |",
        "| --- | --- | --- |",
        "| 2, 1, 2 | 13 (8 %) | 1,280 |",
        "| 2, 2, 2 | 4 (50 %) |  |",
    ]
