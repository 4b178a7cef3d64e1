"""The built documentation without a network: a real browser searches it and draws its formulas."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BUILT = Path(__file__).parent.parent / "docs" / "_build" / "html"
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

DONE = "(document.querySelector('#search-results .search-summary')?.innerText ?? '').length > 20"


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """A page in Chromium, offline; in the end nothing but files has been asked for."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra browser")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    if not (BUILT / "searchindex.js").exists():
        pytest.skip("the documentation is not built; sphinx-build docs docs/_build/html")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)
        shown = context.new_page()
        asked: list[str] = []
        problems: list[str] = []
        shown.on("request", lambda request: asked.append(request.url))
        shown.on("pageerror", lambda error: problems.append(str(error)))
        yield shown
        assert len(asked) > 10
        assert [address for address in asked if not address.startswith(("file:", "data:"))] == []
        # A script may not read files, so what is found has no excerpts.
        assert [problem for problem in problems if "Failed to fetch" not in problem] == []
        browser.close()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("frontier", "frontier.html"),
        ("learning degree", "invariants.html"),
        ("ModuleRegressor", "network_in_sklearn.html"),
    ],
)
def test_search_finds_pages(page: Any, words: str, wanted: str) -> None:
    page.goto((BUILT / "index.html").as_uri())
    page.fill("input[name=q]", words)
    page.press("input[name=q]", "Enter")
    page.wait_for_function(DONE)
    links = page.eval_on_selector_all("#search-results li a", "found => found.map(one => one.href)")
    places = [link for link in links if re.search(rf"/{wanted}(\?|#|$)", link)]
    assert places, links
    page.goto(places[0])
    assert words.lower() in page.inner_text("article").lower()


def test_a_word_that_is_nowhere_finds_nothing(page: Any) -> None:
    page.goto((BUILT / "search.html").as_uri() + "?q=zyzzyva")
    page.wait_for_function(DONE)
    assert page.locator("#search-results li a").count() == 0


def test_formulas_are_drawn(page: Any) -> None:
    """A fraction has its parts one above the other, and no formula is left as the text of TeX."""
    page.goto((BUILT / "learning_coefficients.html").as_uri())
    sizes = page.eval_on_selector_all("math", "all => all.map(one => one.getBoundingClientRect().width)")
    assert len(sizes) > 20
    assert min(sizes) > 2
    text = page.inner_text("article")
    assert re.findall(r"\\(?:frac|mathbb|lambda|le|binom)\b|\$[^$\n]+\$", text) == []
    page.goto((BUILT / "dimension.html").as_uri())
    parts = page.eval_on_selector_all(
        "mfrac", "all => all.map(one => [...one.children].map(part => part.getBoundingClientRect().top))"
    )
    assert all(above < below for above, below in parts)
