"""The dimension tables of the page *Formulas*: complete, what is computed today, and drawn from what the files say."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from here import of_the_repository

from polygeom.dimensions import dimension
from polygeom.errors import PolygeomError
from polygeom.network import parse
from polygeom.tables import families
from polygeom.tables.families import FAMILIES, Family, catalogue, main

FOLDER = of_the_repository("docs/dimensions")


def rows(family: Family, folder: Path = FOLDER) -> list[dict[str, str]]:
    with (folder / f"{family.name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_table_has_its_networks_and_their_dimensions(family: Family) -> None:
    found, cases = rows(family), list(family.cases())
    assert [(tuple(int(row[name]) for name in family.sizes), row["network"]) for row in found] == [
        (values, parse(text).text) for values, text in cases
    ]
    for row in found[:: len(found) // 5]:
        result = dimension(row["network"])
        assert (row["dimension"], row["upper"]) == (str(result.dimension), str(result.upper))
        assert row["status"] == ("proved" if result.proved else "probable")
        assert (row["parameters"], row["bound"]) == (str(result.parameters), result.bound)


def test_the_page_shows_every_number() -> None:
    page = catalogue(FOLDER)
    assert "| 2, 2, 3 | 10 | 17 | 17 | 20 | 26 | 26 |" in page
    for family in FAMILIES:
        assert f"### {family.title}" in page
        shown = sum(row["status"] == "proved" for row in rows(family))
        assert f"{shown} of {len(rows(family))} proved" in page


def test_what_is_not_proved_is_a_range(tmp_path: Path) -> None:
    for file in FOLDER.glob("*.csv"):
        text = file.read_text(encoding="utf-8")
        if file.name == "heads.csv":
            text = text.replace(",17,17,proved,", ",17,18,probable,", 1)
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    page = catalogue(tmp_path)
    assert "| 2, 2, 3 | 10 | 17..18 | 17 | 20 | 26 | 26 |" in page
    assert "107 of 108 proved" in page
    short = (FOLDER / "heads.csv").read_text(encoding="utf-8").splitlines(keepends=True)[:-1]
    for text in ("".join(short), (FOLDER / "kans.csv").read_text(encoding="utf-8"), ""):
        (tmp_path / "heads.csv").write_text(text, encoding="utf-8")
        with pytest.raises(PolygeomError, match=r"heads.csv must have the networks of the family heads"):
            catalogue(tmp_path)


def test_one_command_takes_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    executor = object()

    @contextmanager
    def cluster(address: str | None, workers: int) -> Iterator[tuple[object, int]]:
        asked.append((address, workers))
        yield executor, 7

    def sweep(texts: list[str], **how: object) -> None:
        asked.append((how["workers"], how["executor"]))
        raise PolygeomError("enough")

    monkeypatch.setattr(families, "dask_executor", cluster)
    monkeypatch.setattr(families, "sweep", sweep)
    with pytest.raises(PolygeomError, match="enough"):
        main([str(tmp_path), "--workers", "2", "--dask", "tcp://there:1"])
    assert asked == [("tcp://there:1", 2), (7, executor)]


@pytest.mark.slow
def test_one_command_writes_the_tables(tmp_path: Path) -> None:
    main([str(tmp_path), "--family", "gates"])
    assert rows(FAMILIES[3], tmp_path) == rows(FAMILIES[3])
    assert [file.name for file in tmp_path.iterdir()] == ["gates.csv"]
