"""Tables and results as matplotlib Axes. matplotlib (the ``plot`` extra) is imported when a function is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polygeom.errors import MissingPackageError

if TYPE_CHECKING:
    import pandas

    from polygeom.dimensions.frontier.result import Frontier


_LIGHT = 0.6
"""Where viridis is light enough for black letters."""


def plot_defects(table: pandas.DataFrame, by: str = "activation", *, ax: Any = None) -> Any:
    """Bars: how many architectures have which positive defect, one group of bars for each value of ``by``.

    Parameters
    ----------
    table:
        A table of a sweep, or the atlas.
    by:
        The column whose values are told apart.
    ax:
        Axes to draw into; new ones if None.

    Returns
    -------
    The Axes.
    """
    from polygeom.tables import defect_histogram

    axes = _axes(ax)
    counts = defect_histogram(table, by)
    counts = counts[counts.index > 0]
    groups = len(counts.columns)
    for position, name in enumerate(counts.columns):
        shift = (position - (groups - 1) / 2) * 0.8 / max(groups, 1)
        axes.bar(counts.index + shift, counts[name], width=0.8 / max(groups, 1), label=f"{by} {name}")
    axes.set_xlabel("defect")
    axes.set_ylabel("architectures")
    axes.set_yscale("log")
    if groups:
        axes.legend()
    return axes


def plot_map(table: pandas.DataFrame, pattern: str, degree: int | str, value: str = "defect", *, ax: Any = None) -> Any:
    """A map of one column over two widths, the others fixed: cells coloured and labelled by their value.

    Parameters
    ----------
    table, pattern, degree, value:
        As for `polygeom.tables.width_map`.
    ax:
        Axes to draw into; new ones if None.

    Returns
    -------
    The Axes.
    """
    from polygeom.tables import width_map

    axes = _axes(ax)
    cells = width_map(table, pattern, degree, value)
    numbers = cells.astype("Float64").to_numpy(dtype=float, na_value=float("nan"))
    image = axes.imshow(numbers, origin="lower", aspect="auto", cmap="viridis")
    axes.set_xticks(range(len(cells.columns)), cells.columns)
    axes.set_yticks(range(len(cells.index)), cells.index)
    for i, row in enumerate(cells.to_numpy()):
        for j, cell in enumerate(row):
            light = image.norm(numbers[i, j]) > _LIGHT
            axes.text(j, i, _label(cell), ha="center", va="center", color="black" if light else "white")
    axes.set_xlabel(str(cells.columns.name))
    axes.set_ylabel(str(cells.index.name))
    axes.set_title(f"{value} of {pattern} r={degree}")
    return axes


def plot_frontier(frontier: Frontier, *, ax: Any = None) -> Any:
    """Minimal filling architectures as lines of widths over layers; those that are not unimodal stand out.

    Parameters
    ----------
    frontier:
        A result of `polygeom.frontier`.
    ax:
        Axes to draw into; new ones if None.

    Returns
    -------
    The Axes.
    """
    axes = _axes(ax)
    seen: set[bool] = set()
    for found in sorted(frontier.architectures, key=lambda found: not found.unimodal):
        label = None if found.unimodal in seen else "unimodal" if found.unimodal else "not unimodal"
        seen.add(found.unimodal)
        style = {"color": "0.6", "linewidth": 1} if found.unimodal else {"color": "C3", "linewidth": 2}
        axes.plot(range(len(found.widths)), found.widths, marker="o", markersize=3, label=label, **style)
    axes.set_xlabel("layer")
    axes.set_ylabel("width")
    axes.set_title(f"minimal filling architectures {frontier.question}")
    if seen:
        axes.legend()
    return axes


def _label(cell: object) -> str:
    import pandas

    if pandas.isna(cell):  # type: ignore[call-overload]
        return ""
    return {"True": "yes", "False": "no"}.get(str(cell), str(cell))


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingPackageError("a plot", "matplotlib") from error
    return plt.subplots()[1]
