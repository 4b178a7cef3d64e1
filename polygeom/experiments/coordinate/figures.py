"""The figures of the studies of coordinate networks, from their tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polygeom.experiments import style
from polygeom.experiments.coordinate.dynamics import GRID
from polygeom.experiments.style import SMALLEST, WIDTH, few_ticks

MAP = "nipy_spectral"
_LOWEST = 1e-2
"""Densities below are tails of the estimate's Gaussian kernels."""
Palette = dict[str, dict[str, Any]]
"""Colour and dashes of each network."""


def comparison(table: Any, edges: Sequence[float]) -> Any:
    """Quality over the epochs, quality of held-out pixels, and the learned share of each band of frequencies."""
    import matplotlib.pyplot as plt

    images, models = _names(table, "image"), _names(table, "model")
    height = max(2.2, 0.16 * len(models) + 0.75)
    figure = plt.figure(figsize=(WIDTH, height * len(images)))
    palette = style.lines(models)
    for number, image in enumerate(images):
        # Placed by hand: names of curves stand between the first panel and the second.
        bottom, tall = 1 - (number + 1 - 0.5 / height) / len(images), (1 - 0.8 / height) / len(images)
        left, middle, right = (
            figure.add_axes((x, bottom, w, tall)) for x, w in ((0.07, 0.19), (0.6, 0.15), (0.785, 0.155))
        )
        marks = _marks(table, image=image)
        curves(left, marks, "psnr", models, palette)
        left.set(xlabel="epoch", ylabel="PSNR of trained pixels in dB", ylim=(0, None))
        left.set_title(_short(image), loc="left", fontweight="bold")
        style.end_labels(left, ends(marks, "psnr", models, palette))
        _dots(middle, marks, models, palette)
        _bands(right, marks, models, edges)
    return figure


def ends(marks: Any, column: str, models: Sequence[str], palette: Palette) -> list[tuple[float, float, str, Any]]:
    """Where the curve of each network ends, for its name."""
    found = []
    for model in models:
        rows = marks[(marks["model"] == model) & marks[column].notna()]
        if len(rows):
            mean = rows.groupby("epoch")[column].mean()
            found.append((float(mean.index[-1]), float(mean.iloc[-1]), model, palette[model]["color"]))
    return found


def curves(axes: Any, marks: Any, column: str, models: Sequence[str], palette: Palette, **more: Any) -> None:
    """Means over the seeds, with bands of one standard deviation."""
    for model in models:
        rows = marks[(marks["model"] == model) & marks[column].notna()] if column in marks else marks[:0]
        if not len(rows):
            continue
        grouped = rows.groupby("epoch")[column]
        mean, deviation = grouped.mean(), grouped.std().fillna(0)
        axes.plot(mean.index, mean, label=model, **palette[model] | more)
        colour = palette[model]["color"]
        axes.fill_between(mean.index, mean - deviation, mean + deviation, color=colour, alpha=0.2, linewidth=0)
    axes.set_xlabel("epoch")


def _dots(axes: Any, marks: Any, models: Sequence[str], palette: Palette) -> None:
    """Final quality of trained pixels (rings) and of held-out ones (dots), with the spread over the seeds.

    A tick shows where no polynomial can do better.
    """
    last = marks[marks["epoch"] == marks.groupby(["seed", "model"])["epoch"].transform("max")]
    for position, model in enumerate(models):
        rows = last[last["model"] == model]
        for column, filled in (("psnr", False), ("psnr_held_out", True)):
            if column in rows and rows[column].notna().any():
                colour = palette[model]["color"]
                spread = rows[column].std() if len(rows) > 1 else 0.0
                axes.errorbar(
                    rows[column].mean(), position, xerr=spread, fmt="o", ms=4, color=colour, elinewidth=1,
                    mfc=colour if filled else "white",
                )  # fmt: skip
        if "psnr_best_polynomial" in rows and np.isfinite(best := rows["psnr_best_polynomial"].mean()):
            axes.plot([best] * 2, [position - 0.4, position + 0.4], color="black", linewidth=1)
    axes.set_yticks(range(len(models)), models)
    axes.set_ylim(len(models) - 0.4, -0.6)
    axes.grid(axis="y", alpha=0.4)
    axes.set(xlabel="PSNR in dB")
    axes.set_title("\u25cb trained  \u25cf held out", fontsize=SMALLEST)


def _bands(axes: Any, marks: Any, models: Sequence[str], edges: Sequence[float]) -> None:
    columns = [f"band_{number}" for number in range(1, len(edges) + 1) if f"band_{number}" in marks]
    columns = [name for name in columns if marks[name].notna().any()]
    last = marks[marks["epoch"] == marks.groupby(["seed", "model"])["epoch"].transform("max")]
    shares = last.groupby("model", sort=False)[columns].mean().reindex(models)
    drawn = axes.imshow(np.clip(shares, 0, 1), **style.SHARES)
    axes.set_yticks([])
    axes.set_ylim(len(models) - 0.4, -0.6)
    axes.set_xticks(np.arange(len(columns) + 1) - 0.5, [*(f"{edge:g}" for edge in edges), "…"][: len(columns) + 1])
    axes.set_xlabel("cycles per image")
    axes.set_title("share of power learned", fontsize=SMALLEST)
    axes.spines[:].set_visible(False)
    bar = axes.inset_axes((1.05, 0, 0.07, 1))
    axes.figure.colorbar(drawn, cax=bar, ticks=[0, 0.5, 1])


def spectrum(table: Any) -> Any:
    """The learned share of each band of frequencies over the epochs: one picture for each image and network."""
    images, models = _names(table, "image"), _names(table, "model")
    bands = [name for name in table if name.startswith("band_") and table[name].notna().any()]
    figure, cells = _panels(images, len(models), 1.15)
    for image, row in cells.items():
        for cell, model in zip(row, models, strict=True):
            shares = _marks(table, image=image, model=model).groupby("epoch")[bands].mean()
            ends = (shares.index[0], shares.index[-1], 0.5, len(bands) + 0.5)
            drawn = cell.imshow(np.clip(shares.to_numpy().T, 0, 1), origin="lower", extent=ends, **style.SHARES)
            cell.set_title(_two_lines(model), fontsize=SMALLEST)
            few_ticks(cell)
    figure.supxlabel("epoch", fontsize=8)
    figure.supylabel("band of frequencies", fontsize=8)
    bar = figure.colorbar(drawn, ax=list(figure.axes), shrink=0.5, aspect=25, pad=0.02, ticks=[0, 0.5, 1])
    bar.set_label("share learned")
    return figure


def dynamics(table: Any) -> Any:
    """Regions, Hamming distances, confusion, dead units, spectral norms and distances to boundaries over the epochs."""
    wanted = [
        ("regions", "regions of the pixels"),
        ("hamming_local", "local Hamming / units"),
        ("hamming_global", "global Hamming / units"),
        ("dead", "dead units"),
        ("confusion_local_opposed", "local cosines < -1/2"),
        ("confusion_global_std", "spread of global cosines"),
        ("norm_product", "product of norms"),
        ("boundary", "distance to a boundary"),
    ]
    there = [(name, label) for name, label in wanted if name in table and table[name].notna().any()]
    images, models = _names(table, "image"), _names(table, "model")
    rows_each, columns = -(-max(1, len(there)) // 4), min(4, max(1, len(there)))
    shape = (len(images) * rows_each, columns)
    figure, axes = style.subplots(*shape, 1.55 * shape[0] + 0.8, sharex=True)
    palette = style.lines(models)
    for number, image in enumerate(images):
        cells = axes[number * rows_each : (number + 1) * rows_each].reshape(-1)
        for cell in cells[len(there) :]:
            cell.axis("off")
        for cell, (name, label) in zip(cells, there, strict=False):
            marks = _marks(table, image=image)
            if name in ("hamming_local", "hamming_global"):
                marks = marks.assign(**{name: marks[name] / marks["units"]})
            curves(cell, marks, name, models, palette)
            cell.set_xlabel("")
            if name in ("norm_product", "boundary"):
                cell.set_yscale("log")
            cell.set_title(label, fontsize=SMALLEST)
            few_ticks(cell)
        cells[0].set_ylabel(_short(image), fontweight="bold")
    for cell in axes[-1]:
        cell.set_xlabel("epoch")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def confusion(table: Any) -> Any:
    """Densities of the gradient confusion of local and of global pairs, on a logarithmic scale: no peak is cut."""
    images, models = _names(table, "image"), _names(table, "model")
    kinds = [kind for kind in _names(table, "array") if kind.startswith("confusion_")]
    shape = (len(images), max(1, len(kinds)))
    figure, axes = style.subplots(*shape, 1.9 * shape[0] + 0.7, sharex=True, sharey=True)
    palette = style.lines(models)
    for row, image in zip(axes, images, strict=True):
        for cell, kind in zip(row, kinds, strict=False):
            densities(cell, table[(table["image"] == image) & (table["array"] == kind)], models, palette)
            cell.set_title(f"{_short(image)}: {kind.removeprefix('confusion_')} pairs")
        row[0].set_ylabel("density")
    for cell in axes[-1]:
        cell.set_xlabel("cosine of two gradients")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def densities(axes: Any, rows: Any, models: Sequence[str], palette: Palette) -> None:
    """Mean density over the seeds, for each network."""
    for model in models:
        found = [np.asarray(data) for data in rows[rows["model"] == model]["data"]]
        if found:
            mean = np.mean(found, axis=0)
            axes.plot(GRID, np.where(mean < _LOWEST, np.nan, mean), label=model, **palette[model])
    axes.set(xlim=(-1, 1), xticks=(-1, -0.5, 0, 0.5, 1), yscale="log")


def regions(table: Any) -> Any:
    """Every pixel in the colour of its region, and where single units are on: the first image and seed."""
    names = [name for name in _names(table, "array") if name == "regions" or name.startswith("unit_")]
    return _maps(table, names)


def sections(table: Any) -> Any:
    """Regions on planes of the encoding."""
    return _maps(table, [name for name in _names(table, "array") if name.startswith("section_")])


def pictures(table: Any) -> Any:
    """What the networks draw, for every image of the first seed, after the image itself."""
    images, models = _names(table, "image"), _names(table, "model")
    figure, cells = _panels(images, len(models) + 1, 1.2, across=7)
    for image, row in cells.items():
        target = _array(table, image, models[0], "target")
        learned = [(_two_lines(model), _array(table, image, model, "image")) for model in models]
        drawn = [("the image\n", target), *learned]
        for cell, (title, data) in zip(row, drawn, strict=True):
            if data is not None:
                cell.imshow(np.clip(data, 0, 1))
            _bare(cell, title)
    return figure


def _panels(images: Sequence[str], count: int, height: float, *, across: int = 6) -> tuple[Any, dict[str, list[Any]]]:
    """``count`` panels for each image, in as many lines as the width of a page asks for."""
    across = min(across, count)
    down = -(-count // across)
    figure, axes = style.subplots(
        down * len(images), across, height * down * len(images) + 0.3, sharex=True, sharey=True
    )
    found = {}
    for number, image in enumerate(images):
        block = axes[number * down : (number + 1) * down]
        block[0, 0].set_ylabel(_short(image), fontweight="bold")
        for cell in block.flat[count:]:
            cell.axis("off")
        found[image] = list(block.flat[:count])
    return figure, found


def _maps(table: Any, names: Sequence[str]) -> Any:
    """One line for each network, beside each other in two halves if there are many: its name, then its maps."""
    image = _names(table, "image")[0]
    models = [m for m in _names(table, "model") if any(_array(table, image, m, name) is not None for name in names)]
    wide = 2 if len(models) > 4 else 1
    across, down = max(1, len(names)), max(1, -(-len(models) // wide))
    side = min(1.3, (WIDTH - 0.8 * wide) / (across * wide))
    figure, axes = style.subplots(
        down, across * wide, (side + 0.16) * down + 0.3, width=min(WIDTH, (side * across + 0.8) * wide)
    )
    for cell in axes.flat:
        cell.axis("off")
    for number, model in enumerate(models):
        row = axes[number % down, number // down * across :]
        for cell, name in zip(row, names, strict=False):
            data = _array(table, image, model, name)
            if data is None:
                continue
            cell.axis("on")
            if name.startswith("unit_"):
                cell.imshow(data, cmap="gray_r", vmin=0, vmax=1)
            else:
                shuffled = np.random.default_rng(0).permutation(int(data.max()) + 1)
                cell.imshow(shuffled[data], cmap=MAP, interpolation="nearest")
            _bare(cell, name.replace("_", " ") if number % down == 0 else "")
            if not name.startswith("unit_"):
                cell.set_xlabel(f"{len(np.unique(data))}", fontsize=SMALLEST, labelpad=1)
        if len(names):
            row[0].set_ylabel(_two_lines(model), fontsize=SMALLEST, rotation=0, ha="right", va="center")
    return figure


def _two_lines(model: str) -> str:
    family, colon, reads = model.partition(":")
    return f"{family}\n{reads}" if colon else f"{model}\n"


def _bare(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=SMALLEST, pad=2)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)


def _array(table: Any, image: str, model: str, name: str) -> Any:
    rows = table[(table["image"] == image) & (table["model"] == model) & (table["array"] == name)]
    return np.asarray(rows["data"].iloc[0]) if len(rows) else None


def _marks(table: Any, **keys: str) -> Any:
    rows = table[table["epoch"].notna()]
    for column, value in keys.items():
        rows = rows[rows[column] == value]
    return rows


def _names(table: Any, column: str) -> list[str]:
    return list(dict.fromkeys(table[column].dropna()))


def _short(image: str) -> str:
    return image.replace("\\", "/").rpartition("/")[2]
