"""Plots show the numbers of their tables; matplotlib is loaded when a plot is drawn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from polygeom.dimensions.frontier.search import frontier
from polygeom.errors import PolygeomError
from polygeom.report.plots import plot_defects, plot_frontier, plot_map
from polygeom.tables import defect_histogram, width_map
from polygeom.tables.atlas import load_atlas

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture
def ax() -> Iterator[Any]:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_bars_are_the_counts_of_the_histogram(ax: Any) -> None:
    atlas = load_atlas()
    assert plot_defects(atlas, ax=ax) is ax
    counts = defect_histogram(atlas)
    counts = counts[counts.index > 0]
    assert sorted(bar.get_height() for bar in ax.patches) == sorted(counts.to_numpy().ravel())
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [f"activation {r}" for r in (2, 3, 4, 5)]


@pytest.mark.thorough
def test_cells_of_a_map_are_labelled(ax: Any) -> None:
    atlas = load_atlas()
    plot_map(atlas, "[2,*,*,1]", 2, "filling", ax=ax)
    labels = [text.get_text() for text in ax.texts]
    cells = width_map(atlas, "[2,*,*,1]", 2, "filling").to_numpy().ravel()
    assert labels == ["yes" if cell else "no" for cell in cells]


@pytest.mark.thorough
def test_each_architecture_is_a_line_and_the_odd_one_stands_out(ax: Any) -> None:
    found = frontier(2, 1, 2, 7)
    plot_frontier(found, ax=ax)
    lines = [tuple(line.get_ydata()) for line in ax.get_lines()]
    assert sorted(lines) == [a.widths for a in found.architectures]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["unimodal", "not unimodal"]


def test_new_axes_are_made_when_none_are_given() -> None:
    import matplotlib.pyplot as plt

    axes = plot_frontier(frontier(2, 1, 2, 3))
    assert axes.get_title().startswith("minimal filling")
    plt.close(axes.figure)


def test_importing_the_plots_does_not_load_matplotlib() -> None:
    code = "import polygeom.report.plots, sys; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(PolygeomError, match=r"a plot needs matplotlib \(extra plot\)"):
        plot_frontier(frontier(2, 1, 2, 2))
