"""How all figures of studies look: one width, one size of text, colours that everybody can tell apart, direct labels.

A figure is as wide as the text of a page, `WIDTH` inches, so that nothing is scaled down in print: no text is smaller
than `SMALLEST` points there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

WIDTH = 6.75
"""Inches: the text of a page, or two columns of a journal."""
SMALLEST = 7.0
"""Points of the smallest text."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Of Okabe and Ito (2008), told apart with every kind of colour vision; yellow is too pale for lines."""
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (3, 1, 1, 1, 1, 1)))
BELOW: dict[str, Any] = {
    "loc": "upper center",
    "bbox_to_anchor": (0.5, -0.2),
    "handlelength": 1.6,
    "columnspacing": 1.0,
}
"""Where the legend of a panel stands: not over what it names."""


SHARES: dict[str, Any] = {"aspect": "auto", "vmin": 0, "vmax": 1, "cmap": "viridis"}
"""How pictures of shares from 0 to 1 are drawn."""


def rc() -> Any:
    """Settings of matplotlib for a figure of a study."""
    from cycler import cycler

    return {
        "figure.figsize": (WIDTH, 2.8),
        "font.size": 8.0,
        "axes.titlesize": 8.0,
        "axes.labelsize": 8.0,
        "xtick.labelsize": SMALLEST,
        "ytick.labelsize": SMALLEST,
        "legend.fontsize": SMALLEST,
        "legend.title_fontsize": SMALLEST,
        "lines.linewidth": 1.3,
        "axes.linewidth": 0.6,
        "grid.linewidth": 0.4,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "axes.prop_cycle": cycler(color=COLOURS),
        "svg.fonttype": "none",
        "svg.hashsalt": "polygeom",
    }


def subplots(rows: int, columns: int, height: float, *, width: float = WIDTH, **shared: Any) -> tuple[Any, Any]:
    """A figure of so many inches, and its panels in an array of shape ``(rows, columns)``."""
    import matplotlib.pyplot as plt

    size = (width, height)
    figure, panels = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **shared)
    return figure, panels


def lines(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and dashes of each network: one colour for a family, the word before the first digit or colon."""
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(name.partition(":")[0].rstrip("0123456789"), []).append(name)
    found = {}
    for number, members in enumerate(families.values()):
        for place, name in enumerate(members):
            dash = DASHES[place % len(DASHES)]
            found[name] = {"color": shade(COLOURS[number % len(COLOURS)], place, len(members)), "linestyle": dash}
    return found


def shade(colour: str, place: int, count: int) -> tuple[float, float, float]:
    """One of several shades of a colour, from itself to a paler one."""
    from matplotlib.colors import to_rgb

    share = 0.0 if count < 2 else 0.4 * place / (count - 1)
    red, green, blue = (value + share * (1 - value) for value in to_rgb(colour))
    return red, green, blue


def legend(axes: Any, **options: Any) -> None:
    """The legend of a panel, where anything is named: an option may have left out all that it would name."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**options)


def end_labels(axes: Any, ends: Sequence[tuple[float, float, str, Any]], *, gap: float = 1.15) -> None:
    """Names of curves at their right ends, moved apart where they would meet, each with a line to its curve.

    Parameters
    ----------
    axes:
        Its limits and scales must be final.
    ends:
        For each curve the coordinates of its end, its name and its colour.
    gap:
        Distance of two names, in heights of the text.
    """
    from matplotlib.colors import to_rgb

    if not ends:
        return
    height = axes.bbox.height / axes.figure.dpi * 72
    step = gap * SMALLEST / max(height, 1.0)
    places = [_fraction(axes, x, y) for x, y, _, _ in ends]
    order = sorted(range(len(ends)), key=lambda i: places[i][1])
    at = _apart([places[i][1] for i in order], step)
    for i, y in zip(order, at, strict=True):
        _, _, name, colour = ends[i]
        ink = tuple(0.75 * value for value in to_rgb(colour))  # words need more contrast than lines
        axes.annotate(
            name, places[i], (1.06, y), xycoords="axes fraction", textcoords="axes fraction", fontsize=SMALLEST,
            color=ink, va="center", ha="left", annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": colour, "linewidth": 0.5, "relpos": (0, 0.5), "shrinkA": 0, "shrinkB": 0
            },
        )  # fmt: skip


def _fraction(axes: Any, x: float, y: float) -> tuple[float, float]:
    found = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))
    return float(found[0]), min(1.0, max(0.0, float(found[1])))


def _apart(places: list[float], step: float) -> list[float]:
    """Increasing places with at least ``step`` between them, as near as possible to those given, around their middle.

    Examples
    --------
    >>> _apart([0.5, 0.5, 0.9], 0.1)
    [0.45, 0.55, 0.9]
    """
    blocks: list[list[float]] = []  # sum of places without steps, count
    for number, place in enumerate(places):
        blocks.append([place - number * step, 1.0])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            last = blocks.pop()
            blocks[-1] = [blocks[-1][0] + last[0], blocks[-1][1] + last[1]]
    found: list[float] = []
    for total, count in blocks:
        found += [total / count + (len(found) + k) * step for k in range(int(count))]
    return [round(value, 6) for value in found]


def few_ticks(axes: Any, count: int = 3) -> None:
    """At most so many labelled ticks on each axis, without colliding labels of a logarithmic one."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            low, high = sorted(axis.get_view_interval())
            decades = math.log10(high / low) if low > 0 else 1.0
            axis.set_major_locator(LogLocator(subs=(1.0,) if decades >= 1.2 else (1.0, 2.0, 5.0), numticks=count + 1))
            axis.set_minor_formatter(NullFormatter())
        else:
            axis.set_major_locator(MaxNLocator(count))


__all__ = [
    "BELOW",
    "COLOURS",
    "DASHES",
    "SHARES",
    "SMALLEST",
    "WIDTH",
    "end_labels",
    "few_ticks",
    "lines",
    "rc",
    "shade",
    "subplots",
]
