"""The atlas as a page: what it says is what the table says, and a real browser filters, clicks and walks through it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from polygeom import load_atlas
from polygeom.cli import run
from polygeom.errors import PolygeomError
from polygeom.report.explorer import _thresholds, explorer_page

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


def test_it_loads_nothing_from_anywhere() -> None:
    page = explorer_page(load_atlas().head(50))
    assert "default-src 'none'" in page
    assert [word for word in ("http:", "https:", "src=", "@import", "url(", "fetch(") if word in page] == []


def test_thresholds_are_the_longest_run_of_defects_from_two() -> None:
    table = load_atlas()
    table = table[table["widths"].isin(["[3,3,3]", "[2,2,2,1]", "[2,1,3,1]", "[4,5,1]"])]
    found = dict(zip(table["widths"], _thresholds(table), strict=True))
    for widths, rows in table.groupby("widths"):
        defective = {int(row["activation"]): row["defect"] > 0 for _, row in rows.iterrows()}
        run = 1
        while defective.get(run + 1):
            run += 1
        assert found[widths] == run
    assert len(set(found.values())) > 1


def test_a_table_without_its_columns_is_refused() -> None:
    with pytest.raises(PolygeomError, match="defect"):
        explorer_page(load_atlas().drop(columns="defect"))


def test_the_command_writes_the_rows_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "atlas.html"
    assert run(["atlas", "--where", "parameters < 12", "--html", str(file)]) == 0
    assert "open it in a browser" in capsys.readouterr().err
    assert 10_000 < file.stat().st_size < 200_000
    assert run(["atlas", "--where", "parameters < 12", "--html", str(tmp_path / "no" / "atlas.html")]) != 0
    assert "must be a file in a folder that exists" in capsys.readouterr().err


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """The page of all networks up to depth 3 in Chromium, with the addresses that it asked for."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra browser")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    table = load_atlas()
    table = table[(table["depth"] <= 3) & (table["activation"] <= 3)]
    file = tmp_path_factory.mktemp("explorer") / "atlas.html"
    file.write_text(explorer_page(table), encoding="utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        shown = browser.new_page(viewport={"width": 1100, "height": 900})
        asked: list[str] = []
        problems: list[str] = []
        shown.on("request", lambda request: asked.append(request.url))
        shown.on("pageerror", lambda error: problems.append(str(error)))
        shown.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        shown.goto(file.as_uri())
        shown.wait_for_selector("body[data-ready=yes]")
        yield shown
        assert set(asked) == {file.as_uri()}
        assert problems == []
        browser.close()


@pytest.fixture
def fresh(page):
    page.reload()
    page.wait_for_selector("body[data-ready=yes]")
    return page


def count(page) -> int:
    return int(page.inner_text("#count").split()[0].replace(",", ""))


@pytest.mark.thorough
def test_filters_keep_what_the_table_has(page) -> None:
    table = load_atlas()
    table = table[(table["depth"] <= 3) & (table["activation"] <= 3)]
    assert count(page) == len(table)
    page.fill("#widths", "3,*,2..4,1")
    shape = table["widths"].str.fullmatch(r"\[3,\d+,[2-4],1\]")
    assert count(page) == int(shape.sum()) > 0
    page.select_option("#activation", "2")
    page.fill("#defect", "3")
    kept = table[shape & (table["activation"] == 2) & (table["defect"] >= 3)]
    assert count(page) == len(kept) > 0
    assert page.locator("#rows tr").first.inner_text().split("\t")[0] in set(kept["network"])
    page.select_option("#filling", "2")
    assert count(page) == int(kept["minimal_filling"].sum())
    page.select_option("#filling", "")
    page.select_option("#rule", "surplus")
    assert count(page) == int(kept["explanation"].str.contains("surplus").sum()) > 0
    page.fill("#widths", "3,x,1")
    assert "not a width: “x”" in page.inner_text("#error")


def test_a_click_explains_a_row_and_the_keyboard_does_too(fresh) -> None:
    fresh.fill("#widths", "3,3,3")
    fresh.select_option("#activation", "2")
    fresh.locator("#rows tr").first.click()
    text = fresh.inner_text("#detail")
    row = load_atlas().set_index("network").loc["[3,3,3] r=2"]
    assert f"dimension {row['dimension']} in a space of {row['ambient_dimension']}" in text
    assert 'polygeom explain "[3,3,3] r=2"' in text
    fresh.keyboard.press("Escape")
    assert not fresh.is_visible("#detail")
    fresh.keyboard.press("/")
    fresh.keyboard.press("Control+A")
    fresh.keyboard.type("2,*,1")
    fresh.locator("#rows tr").first.focus()
    fresh.keyboard.press("ArrowDown")
    fresh.keyboard.press("Enter")
    assert "[2,2,1] r=2: dimension 3 in a space of 3" in fresh.inner_text("#detail")


def test_heads_sort_and_pages_turn(fresh) -> None:
    fresh.click("#head button:text-is('defect')")
    first = fresh.locator("#rows tr").first.inner_text().split("\t")
    table = load_atlas()
    assert int(first[6]) == table[(table["depth"] <= 3) & (table["activation"] <= 3)]["defect"].max()
    fresh.click("#next")
    assert fresh.inner_text("#page").startswith("page 2 of")
    assert int(fresh.locator("#rows tr").first.inner_text().split("\t")[6]) <= int(first[6])


@pytest.mark.thorough
def test_the_map_shows_a_column_over_two_widths(fresh) -> None:
    fresh.fill("#pattern", "3,*,*,1")
    table = load_atlas().set_index("network")
    for one, other in ((1, 2), (3, 3), (2, 7)):
        row = fresh.locator("#map tr").nth(one)
        assert int(row.locator("td").nth(other - 1).inner_text()) == table.loc[f"[3,{one},{other},1] r=2", "defect"]
    fresh.locator("#map td").first.click()
    assert "[3,1,1,1] r=2" in fresh.inner_text("#detail")
    fresh.fill("#pattern", "3,*,1")
    assert "exactly two stars" in fresh.inner_text("#maperror")


@pytest.mark.thorough
def test_it_fits_a_phone_and_a_sheet_of_paper(fresh) -> None:
    fresh.set_viewport_size({"width": 360, "height": 700})
    assert fresh.evaluate("document.documentElement.scrollWidth") <= 360
    fresh.set_viewport_size({"width": 1100, "height": 900})
    fresh.emulate_media(media="print")
    assert not fresh.is_visible("#filters")
    assert fresh.is_visible("#table")
    fresh.emulate_media(media="screen")
