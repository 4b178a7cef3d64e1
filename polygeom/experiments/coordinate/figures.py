"""The figures of the studies of coordinate networks, from their tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polygeom.experiments.coordinate.dynamics import GRID

MAP = "nipy_spectral"
_DB = 60.0


def comparison(table: Any, edges: Sequence[float]) -> Any:
    """Quality over the epochs, quality of held-out pixels, and the learned share of each band of frequencies."""
    import matplotlib.pyplot as plt

    images, models = _names(table, "image"), _names(table, "model")
    figure, axes = plt.subplots(len(images), 3, figsize=(15, 3.6 * len(images)), squeeze=False, layout="constrained")
    palette = colours(models)
    for row, image in zip(axes, images, strict=True):
        marks = _marks(table, image=image)
        curves(row[0], marks, "psnr", models, palette)
        row[0].set(ylabel=f"{_short(image)}: PSNR in dB, trained pixels", xlabel="epoch", ylim=(0, _DB))
        _bars(row[1], marks, models, palette)
        _bands(row[2], marks, models, edges)
    return figure


def curves(axes: Any, marks: Any, column: str, models: Sequence[str], palette: dict[str, Any], **style: Any) -> None:
    """Means over the seeds, with bands of one standard deviation."""
    for model in models:
        rows = marks[(marks["model"] == model) & marks[column].notna()] if column in marks else marks[:0]
        if not len(rows):
            continue
        grouped = rows.groupby("epoch")[column]
        mean, deviation = grouped.mean(), grouped.std().fillna(0)
        axes.plot(mean.index, mean, color=palette[model], label=model, **style)
        axes.fill_between(mean.index, mean - deviation, mean + deviation, color=palette[model], alpha=0.2, linewidth=0)
    axes.set_xlabel("epoch")


def _bars(axes: Any, marks: Any, models: Sequence[str], palette: dict[str, Any]) -> None:
    """Final quality of trained pixels (pale) and of held-out ones (full); a tick where no polynomial can do better."""
    last = marks[marks["epoch"] == marks.groupby(["seed", "model"])["epoch"].transform("max")]
    means = last.groupby("model", sort=False).mean(numeric_only=True)
    for position, model in enumerate(models):
        if model not in means.index:
            continue
        row = means.loc[model]
        axes.barh(position, row["psnr"], color=palette[model], alpha=0.35)
        if "psnr_held_out" in row:
            axes.barh(position, row["psnr_held_out"], color=palette[model], height=0.45)
        if "psnr_best_polynomial" in row and np.isfinite(row["psnr_best_polynomial"]):
            axes.plot([row["psnr_best_polynomial"]] * 2, [position - 0.45, position + 0.45], color="black")
    axes.set_yticks(range(len(models)), models, fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="PSNR in dB: trained pixels (pale), held out (full)", xlim=(0, _DB))


def _bands(axes: Any, marks: Any, models: Sequence[str], edges: Sequence[float]) -> None:
    columns = [f"band_{number}" for number in range(1, len(edges) + 1) if f"band_{number}" in marks]
    columns = [name for name in columns if marks[name].notna().any()]
    last = marks[marks["epoch"] == marks.groupby(["seed", "model"])["epoch"].transform("max")]
    shares = last.groupby("model", sort=False)[columns].mean().reindex(models)
    drawn = axes.imshow(np.clip(shares, 0, 1), aspect="auto", vmin=0, vmax=1, cmap="viridis")
    axes.set_yticks(range(len(models)), models, fontsize=8)
    ends = [*(f"{edge:g}" for edge in edges[1:]), "…"]
    labels = [f"{edge:g}–{end}" for edge, end in zip(edges, ends, strict=True)]
    axes.set_xticks(range(len(columns)), labels[: len(columns)], fontsize=8)
    axes.set_xlabel("frequency in cycles per image: share of the power learned")
    axes.spines[:].set_visible(False)
    axes.figure.colorbar(drawn, ax=axes)


def spectrum(table: Any) -> Any:
    """The learned share of each band of frequencies over the epochs: one picture for each image and network."""
    import matplotlib.pyplot as plt

    images, models = _names(table, "image"), _names(table, "model")
    bands = [name for name in table if name.startswith("band_") and table[name].notna().any()]
    size = (1.5 * len(models) + 1, 1.9 * len(images) + 0.3)
    figure, axes = plt.subplots(
        len(images), len(models), figsize=size, squeeze=False, sharex=True, sharey=True, layout="constrained"
    )
    for row, image in zip(axes, images, strict=True):
        for cell, model in zip(row, models, strict=True):
            shares = _marks(table, image=image, model=model).groupby("epoch")[bands].mean()
            ends = (shares.index[0], shares.index[-1], 0.5, len(bands) + 0.5)
            shown = np.clip(shares.to_numpy().T, 0, 1)
            drawn = cell.imshow(shown, origin="lower", aspect="auto", vmin=0, vmax=1, cmap="viridis", extent=ends)
            cell.set_title(model, fontsize=7)
            cell.tick_params(labelsize=7)
        row[0].set_ylabel(f"{_short(image)}: band", fontsize=8)
    for cell in axes[-1]:
        cell.set_xlabel("epoch", fontsize=7)
    figure.colorbar(drawn, ax=list(axes.flat), label="share learned")
    return figure


def dynamics(table: Any) -> Any:
    """Regions, Hamming distances, confusion, dead units, spectral norms and distances to boundaries over the epochs."""
    import matplotlib.pyplot as plt

    wanted = [
        ("regions", "regions of the pixels"),
        ("hamming_local", "local Hamming distance / units"),
        ("hamming_global", "global Hamming distance / units"),
        ("dead", "dead units"),
        ("confusion_local_opposed", "local pairs with cosine < -1/2"),
        ("confusion_global_std", "deviation of global cosines"),
        ("norm_product", "product of spectral norms"),
        ("boundary", "mean distance to a boundary"),
    ]
    there = [(name, label) for name, label in wanted if name in table and table[name].notna().any()]
    images, models = _names(table, "image"), _names(table, "model")
    shape = (len(images), max(1, len(there)))
    size = (2.5 * shape[1], 2.4 * shape[0] + 0.8)
    figure, axes = plt.subplots(*shape, figsize=size, squeeze=False, layout="constrained")
    palette = colours(models)
    for row, image in zip(axes, images, strict=True):
        for cell, (name, label) in zip(row, there, strict=False):
            marks = _marks(table, image=image)
            if name in ("hamming_local", "hamming_global"):
                marks = marks.assign(**{name: marks[name] / marks["units"]})
            curves(cell, marks, name, models, palette)
            if name in ("norm_product", "boundary"):
                cell.set_yscale("log")
            cell.set_title(label, fontsize=8)
            cell.tick_params(labelsize=7)
        row[0].set_ylabel(_short(image))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)
    return figure


def confusion(table: Any) -> Any:
    """Densities of the gradient confusion of local and of global pairs."""
    import matplotlib.pyplot as plt

    images, models = _names(table, "image"), _names(table, "model")
    kinds = [kind for kind in _names(table, "array") if kind.startswith("confusion_")]
    shape = (len(images), max(1, len(kinds)))
    figure, axes = plt.subplots(
        *shape, figsize=(6 * shape[1], 3.2 * shape[0]), squeeze=False, sharex=True, layout="constrained"
    )
    palette = colours(models)
    for row, image in zip(axes, images, strict=True):
        for cell, kind in zip(row, kinds, strict=False):
            densities(cell, table[(table["image"] == image) & (table["array"] == kind)], models, palette)
            cell.set_title(f"{_short(image)}: {kind.removeprefix('confusion_')} pairs", fontsize=9)
    for cell in axes[-1]:
        cell.set_xlabel("cosine of two gradients")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)
    return figure


def densities(axes: Any, rows: Any, models: Sequence[str], palette: dict[str, Any]) -> None:
    """Mean density over the seeds, for each network."""
    highest = 0.0
    for model in models:
        found = [np.asarray(data) for data in rows[rows["model"] == model]["data"]]
        if found:
            mean = np.mean(found, axis=0)
            highest = max(highest, min(float(mean.max()), 8.0))
            axes.plot(GRID, mean, color=palette[model], label=model)
            axes.fill_between(GRID, mean, color=palette[model], alpha=0.08, linewidth=0)
    axes.set(xlim=(-1, 1), ylim=(0, 1.05 * highest or 1), ylabel="density")


def regions(table: Any) -> Any:
    """Every pixel in the colour of its region, and where single units are on: the first image and seed."""
    names = [name for name in _names(table, "array") if name == "regions" or name.startswith("unit_")]
    return _maps(table, names)


def sections(table: Any) -> Any:
    """Regions on planes of the encoding."""
    return _maps(table, [name for name in _names(table, "array") if name.startswith("section_")])


def pictures(table: Any) -> Any:
    """What the networks draw, for every image of the first seed, after the image itself."""
    import matplotlib.pyplot as plt

    images, models = _names(table, "image"), _names(table, "model")
    size = (1.6 * (len(models) + 1), 1.9 * len(images))
    figure, axes = plt.subplots(len(images), len(models) + 1, figsize=size, squeeze=False, layout="constrained")
    for row, image in zip(axes, images, strict=True):
        target = _array(table, image, models[0], "target")
        for cell, (title, data) in zip(
            row,
            [("image", target), *((model, _array(table, image, model, "image")) for model in models)],
            strict=True,
        ):
            if data is not None:
                cell.imshow(np.clip(data, 0, 1))
            _bare(cell, title)
    return figure


def _maps(table: Any, names: Sequence[str]) -> Any:
    import matplotlib.pyplot as plt

    image = _names(table, "image")[0]
    models = [m for m in _names(table, "model") if any(_array(table, image, m, name) is not None for name in names)]
    rows, columns = max(1, len(names)), max(1, len(models))
    figure, axes = plt.subplots(rows, columns, figsize=(1.9 * columns, 2.1 * rows), squeeze=False, layout="constrained")
    for row, name in zip(axes, names, strict=False):
        for cell, model in zip(row, models, strict=True):
            data = _array(table, image, model, name)
            if data is not None:
                count = len(np.unique(data))
                if name.startswith("unit_"):
                    cell.imshow(data, cmap="gray_r", vmin=0, vmax=1)
                else:
                    shuffled = np.random.default_rng(0).permutation(int(data.max()) + 1)
                    cell.imshow(shuffled[data], cmap=MAP, interpolation="nearest")
                _bare(cell, f"{model}\n{name.replace('_', ' ')}" + ("" if name.startswith("unit_") else f": {count}"))
            else:
                cell.axis("off")
    return figure


def _bare(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=7)
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


def colours(models: Sequence[str]) -> dict[str, Any]:
    """A colour for each network."""
    import matplotlib as mpl

    name, size = ("tab10", 10) if len(models) <= 10 else ("tab20", 20)
    return {model: mpl.colormaps[name](number % size) for number, model in enumerate(models)}


def _short(image: str) -> str:
    return image.replace("\\", "/").rpartition("/")[2]
