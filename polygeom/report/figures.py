"""The figures of a page, drawn from plain data with matplotlib (the ``plot`` extra)."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from polygeom.errors import MissingPackageError, PolygeomError
from polygeom.report.page import Figure

INK, QUIET, ACCENT, SECOND = "#1d2733", "#8a94a0", "#c2410c", "#1d6fa5"
_SIZES = {"network": (6.4, 2.3), "sizes": (6.4, 1.6)}
_MOST_NEURONS = 12


def draw(figure: Figure, axes: Any) -> Any:
    """Draw ``figure`` into matplotlib Axes and return them.

    Raises
    ------
    PolygeomError
        When there is no drawing of this kind.
    """
    if figure.kind not in _DRAWINGS:
        raise PolygeomError(f"figure: no kind {figure.kind!r}; write one of {', '.join(_DRAWINGS)}")
    _DRAWINGS[figure.kind](axes, figure.data)
    return axes


def svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element that needs nothing from outside: letters are paths, and there is no header.

    Raises
    ------
    PolygeomError
        When matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise MissingPackageError("a figure", "matplotlib") from error
    style: Any = {
        "axes.edgecolor": QUIET,
        "axes.labelcolor": INK,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "font.size": 9.0,
        "legend.frameon": False,
        "svg.fonttype": "path",
        "svg.hashsalt": "polygeom",
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    }
    with matplotlib.rc_context(style):
        canvas = Canvas(figsize=_SIZES.get(figure.kind, (6.4, 3.1)), layout="constrained")
        draw(figure, canvas.subplots())
        text = io.StringIO()
        canvas.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    element = text.getvalue()[text.getvalue().index("<svg") :]
    return re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)


def _network(axes: Any, data: Mapping[str, Any]) -> None:
    """Neurons of a perceptron as dots, layer by layer, with all connections; many neurons are abbreviated."""
    widths: Sequence[int] = data["widths"]
    places = [_column(width) for width in widths]
    top = max(map(max, places))
    centred = {"textcoords": "offset points", "ha": "center"}
    for layer, (left, right) in enumerate(pairwise(places)):
        for a in left:
            for b in right:
                axes.plot([layer, layer + 1], [a, b], color=QUIET, linewidth=0.5, zorder=1)
    for layer, (heights, width) in enumerate(zip(places, widths, strict=True)):
        hidden = 0 < layer < len(widths) - 1
        colour = ACCENT if hidden else INK
        axes.scatter([layer] * len(heights), heights, s=70, color="white", edgecolor=colour, linewidth=1.4, zorder=2)
        if width > _MOST_NEURONS:
            axes.text(layer, 0, "⋮", ha="center", va="center", zorder=3)
        note = f"$x^{{{data['degrees'][layer - 1]}}}$" if hidden else ("inputs" if layer == 0 else "outputs")
        axes.annotate(str(width), (layer, max(heights)), (0, 8), **centred, va="bottom", fontweight="bold")
        axes.annotate(note, (layer, min(heights)), (0, -8), **centred, va="top", color=colour)
    axes.set(xlim=(-0.3, len(widths) - 0.7), ylim=(-top - 0.9, top + 0.9))
    axes.axis("off")


def _column(width: int) -> list[float]:
    shown = min(width, _MOST_NEURONS)
    return [k - (shown - 1) / 2 for k in range(shown)]


def _sizes(axes: Any, data: Mapping[str, Any]) -> None:
    """Bars of the counts, the dimension coloured."""
    labels, values = list(data["sizes"]), [float(v) for v in data["sizes"].values()]
    colours = [ACCENT if label == "dimension" else "#cbd2da" for label in labels]
    axes.barh(labels, values, color=colours, height=0.62)
    for row, value in enumerate(values):
        axes.text(value, row, f" {data['sizes'][labels[row]]}", va="center", ha="left")
    if max(values) > 50 * max(min(values), 1):
        axes.set_xscale("log")
    axes.invert_yaxis()
    axes.margins(x=0.08)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0, labelbottom=False)


def _spectrum(axes: Any, data: Mapping[str, Any]) -> None:
    """Eigenvalues on a logarithmic axis; the dimension as a vertical line."""
    values = [max(float(v), 1e-40) for v in data["values"]]
    floor = max(values) * 1e-34
    shown = [max(v, floor) for v in values]
    places = range(1, len(shown) + 1)
    kept = [k <= data["dimension"] for k in places]
    for keep, colour in ((True, ACCENT), (False, QUIET)):
        chosen = [(k, v) for k, v, own in zip(places, shown, kept, strict=True) if own == keep]
        axes.plot([k for k, _ in chosen], [v for _, v in chosen], "o", color=colour, markersize=4)
    _mark(axes, data["dimension"] + 0.5, f"dimension {data['dimension']}", ACCENT)
    axes.set_yscale("log")
    _whole_numbers(axes)
    axes.set_xlabel("index")
    axes.set_ylabel("eigenvalue")


def _threshold(axes: Any, data: Mapping[str, Any]) -> None:
    """Training error against the number of conditions, dots for runs and a line for medians."""
    _runs(axes, data, data["floor"])
    _mark(axes, data["dimension"] + 0.5, f"dimension {data['dimension']}", ACCENT)
    if data["parameters"] != data["dimension"]:
        _mark(axes, data["parameters"] + 0.5, f"weights {data['parameters']}", QUIET, line=1)
    _whole_numbers(axes)
    axes.set_xlabel(data["label"])
    axes.set_ylabel(data["measure"])


def _runs(axes: Any, data: Mapping[str, Any], floor: float) -> None:
    errors = [[max(float(e), floor) for e in row] for row in data["errors"]]
    for place, row in zip(data["places"], errors, strict=True):
        axes.plot([place] * len(row), row, "o", color=SECOND, markersize=3, alpha=0.45)
    medians = [sorted(row)[len(row) // 2] for row in errors]
    axes.plot(data["places"], medians, color=SECOND, linewidth=1.6)
    axes.set_yscale("log")
    low = min(min(row) for row in errors)
    high = max(max(row) for row in errors)
    span = max(math.log10(high / low), 1.0)
    axes.set_ylim(low * 10 ** (-0.06 * span), high * 10 ** (0.3 * span))


def _whole_numbers(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _mark(axes: Any, place: float, text: str, colour: str, line: int = 0) -> None:
    axes.axvline(place, color=colour, linewidth=1.1, linestyle="--")
    where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top"}
    axes.annotate(text, (place, 1.0), xytext=(3, -2 - 11 * line), color=colour, **where)


def _generalisation(axes: Any, data: Mapping[str, Any]) -> None:
    """Scaled errors with their deviations over the number of samples, and two horizontal lines."""
    axes.errorbar(data["samples"], data["values"], data["errors"], fmt="o-", color=SECOND, markersize=4, linewidth=1.4)
    axes.axhline(data["coefficient"], color=ACCENT, linewidth=1.2)
    axes.axhline(data["regular"], color=QUIET, linewidth=1.2, linestyle="--")
    for height, text, colour in (("coefficient", "λ", ACCENT), ("regular", "half the weights", QUIET)):
        axes.annotate(
            text, (data["samples"][-1], data[height]), (0, 4), textcoords="offset points", ha="right", color=colour
        )
    axes.set_xscale("log")
    axes.set_ylim(0, 1.15 * max(data["regular"], *data["values"]))
    axes.set_xlabel("samples n")
    axes.set_ylabel("n × error")


_DRAWINGS: Mapping[str, Callable[[Any, Mapping[str, Any]], None]] = {
    "network": _network,
    "sizes": _sizes,
    "spectrum": _spectrum,
    "threshold": _threshold,
    "generalisation": _generalisation,
}
