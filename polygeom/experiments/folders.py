"""The folder of a study: its configuration, table, arrays and figures."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polygeom.errors import PolygeomError
from polygeom.experiments.study import Study
from polygeom.storage import durable
from polygeom.storage.reading import read_text

if TYPE_CHECKING:
    import pandas

FORMATS: dict[str, dict[str, Any]] = {"png": {"dpi": 160}, "svg": {"metadata": {"Date": None, "Creator": None}}}
"""In which every figure is written."""
CONFIG = "config.json"
"""What the folder of a study says about how it was made."""
IDENTITY = ("study", "seed", "device")
"""What must agree, next to the options, for a folder to be gone on with; more repeats may be asked for."""


def folder(path: str | os.PathLike[str]) -> Path:
    """The folder, created if its parent exists.

    Raises
    ------
    PolygeomError
        When it cannot be created, or is a file.
    """
    found = Path(path)
    try:
        found.mkdir(exist_ok=True)
    except OSError as error:
        raise PolygeomError(
            f"out: cannot create the folder {os.fspath(path)!r}: {error.strerror}; name one in a folder that exists"
        ) from error
    return found


def claim_folder(target: Path, plan: Mapping[str, Any], *, overwrite: bool) -> None:
    """Write `CONFIG` to the folder of a run, of which it is the content.

    Raises
    ------
    PolygeomError
        When the folder has results of other options, and they may not be replaced.
    """
    file = target / CONFIG
    if file.exists() and not overwrite:
        found = read_config(file)
        old, new = ({**{name: of[name] for name in IDENTITY}, **of["config"]} for of in (found, plan))
        differing = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        if not differing and found["repeats"] > plan["repeats"]:
            differing, old["repeats"], new["repeats"] = ["repeats"], found["repeats"], plan["repeats"]
        if differing:
            told = ", ".join(f"{name} {old.get(name)!r} (now {new.get(name)!r})" for name in differing[:5])
            raise PolygeomError(
                f"out: {target} has results of other options: {told}; name another folder, or write --overwrite"
            )
    elif not overwrite and any(target.glob(f"{plan['study']}*")):
        raise PolygeomError(
            f"out: {target} has files of this study without {CONFIG}; name another folder, or write --overwrite"
        )
    durable.write_file(file, (json.dumps(plan, indent=2) + "\n").encode(), "out")


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of the `CONFIG` of an earlier run.

    Raises
    ------
    PolygeomError
        When it cannot be read, or is something else.
    """
    try:
        data = json.loads(read_text(path, "config"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise PolygeomError(f"config: {os.fspath(path)} is no JSON: {error}") from None
    wanted = {"study": str, "preset": str, "config": dict, "repeats": int, "seed": int, "device": str}
    for name, kind in wanted.items():
        if not isinstance(data, dict) or not isinstance(data.get(name), kind):
            raise PolygeomError(f"config: {os.fspath(path)} is not the {CONFIG} of a study: it lacks {name!r}")
    return dict(data)


def write_table(study: Study[Any, Any], table: pandas.DataFrame, target: Path) -> list[str]:
    """The table as CSV; rows with an array go into an archive of numpy instead, under the words in their columns."""
    import numpy as np

    written = [f"{study.name}.csv"]
    if study.arrays and "data" in table:
        with_array = table["data"].notna()
        rows = table[with_array]
        names = rows[["seed", *study.arrays]].astype(str).agg("/".join, axis=1)
        arrays: dict[str, Any] = {key: np.asarray(d) for key, d in zip(names, rows["data"], strict=True)}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        durable.write_file(target / f"{study.name}.npz", buffer.getvalue(), "out")
        table = table[~with_array].dropna(axis="columns", how="all")
        written.append(f"{study.name}.npz")
    durable.write_file(target / f"{study.name}.csv", table.to_csv(index=False).encode(), "out")
    return written


def draw_all(study: Study[Any, Any], table: pandas.DataFrame, target: Path) -> list[str]:
    """The figure of a study, and its further ones, each as PNG and SVG: their file names."""
    figures = {study.name: study.plot}
    figures |= {f"{study.name}-{label}": function for label, function in study.figures.items()}
    return [name for label, function in figures.items() for name in draw(function, table, target, label)]


def draw(plot: Callable[[Any], Any], table: pandas.DataFrame, target: Path, label: str) -> list[str]:
    """Save what a function draws, without a display, in the style of all figures: the names of its files."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    from polygeom.experiments.style import rc

    with mpl.rc_context(rc()):
        drawn = plot(table)
        figure = getattr(drawn, "figure", drawn)
        box = _arranged(figure)
        for kind, options in FORMATS.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, bbox_inches=box, format=kind, **options)
            durable.write_file(target / f"{label}.{kind}", buffer.getvalue(), "out")
        plt.close(figure)
    return [f"{label}.{kind}" for kind in FORMATS]


def _arranged(figure: Any) -> Any:
    """Arrange a figure once for all formats, which takes longer than drawing it: the box around it all, in inches."""
    import matplotlib as mpl

    figure.set_dpi(FORMATS["png"]["dpi"])
    figure.draw_without_rendering()
    figure.set_layout_engine(None)
    return figure.get_tightbbox().padded(mpl.rcParams["savefig.pad_inches"])
