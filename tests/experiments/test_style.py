"""Figures of studies: as wide as a page, text of seven points at least, colours that everybody can tell apart."""

from __future__ import annotations

import ast
import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from here import of_the_repository

pytest.importorskip("torch", reason="studies need the extra learn")
pytest.importorskip("sklearn", reason="studies need the extra learn")
matplotlib = pytest.importorskip("matplotlib", reason="figures need the extra plot")

from polygeom.experiments import style  # noqa: E402
from polygeom.experiments.algebra import preferred_strata  # noqa: E402
from polygeom.experiments.coordinate import figures, grid, waves  # noqa: E402
from polygeom.experiments.folders import draw  # noqa: E402
from polygeom.experiments.functions import extrapolation  # noqa: E402

ROOT = Path(__file__).parents[2]
PICTURES = sorted(file for folder in ("docs", "docs/studies", "paper") for file in (ROOT / folder).glob("*.png"))
SOURCES = sorted(Path(style.__file__).parent.rglob("*.py"))
MODELS = ("relu:raw", "relu:sin_cos5", "siren:centred", "gabor4:centred", "ccp3:centred")


def marks() -> pandas.DataFrame:
    columns = {"units": 64.0, "regions": 50.0, "dead": 3.0, "norm_product": 10.0, "boundary": 0.01, "array": None}
    rows = [
        {"seed": seed, "image": "scene", "model": model, "epoch": float(epoch), "psnr": 70.0 + number + epoch + seed,
         "psnr_held_out": 10.0 + seed, "band_1": 1.0, "band_2": 0.5, "error": 2.0**-epoch, "amplitude_5": 1.0,
         "amplitude_10": 0.2, "hamming_local": 3.0 + epoch, **columns}
        for seed, (number, model), epoch in itertools.product((0, 1), enumerate(MODELS), (0, 1, 2))
    ]  # fmt: skip
    return pandas.DataFrame(rows)


def curves() -> pandas.DataFrame:
    rows = []
    for model, error in (("ccp", 1e-16), ("mlp", 1e-2)):
        own = {"seed": 0, "model": model, "degree": 3}
        rows += [own | {"quantity": "error by distance", "at": at, "value": error * at} for at in (1.0, 1.5, 2.0)]
        rows += [own | {"quantity": kind, "at": x, "value": x} for kind in ("truth", "curve") for x in (-1.0, 1.0)]
    return pandas.DataFrame([*rows, {"seed": 0, "model": "ccp", "degree": 3, "quantity": "size", "value": 0.5}])


def arrays() -> pandas.DataFrame:
    grid_points = figures.GRID
    peaked = np.exp(-((grid_points / 0.02) ** 2)) * 28
    kept = {
        "target": np.ones((4, 4, 3)), "image": np.ones((4, 4, 3)), "regions": np.arange(16).reshape(4, 4),
        "unit_9": np.eye(4, dtype=int), "confusion_local": np.full(len(grid_points), 0.5), "confusion_global": peaked,
    }  # fmt: skip
    rows = [
        {"seed": 0, "image": image, "model": model, "array": name, "data": data.tolist(), "epoch": None}
        for image, model, (name, data) in itertools.product(("random", "scene"), MODELS, kept.items())
    ]
    return pandas.DataFrame(rows)


def strata() -> pandas.DataFrame:
    rows = [
        {"gradient": gradient, "scale": scale, "step": 0.01, "stratum": kind, "loss": 0.0, "generic": 1.0,
         "coefficient": 0.5, "network": "[2,2,1] r=3"}
        for gradient, scale, kind in itertools.product(
            ("noisy", "exact", "langevin"), (0.2, 1.0), ("dead", "deaf", "generic"))
    ]  # fmt: skip
    return pandas.DataFrame(rows)


DRAWN = {
    "pictures": (figures.pictures, arrays),
    "regions": (figures.regions, arrays),
    "confusion": (figures.confusion, arrays),
    "spectrum": (figures.spectrum, marks),
    "preferred-strata": (preferred_strata.plot, strata),
    "grid": (grid.plot, marks),
    "waves": (waves.plot, marks),
    "dynamics": (figures.dynamics, marks),
    "extrapolation": (extrapolation.plot, curves),
}


SLOW = ("pictures", "spectrum", "preferred-strata", "dynamics")


@pytest.mark.thorough
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in DRAWN])
def test_a_figure_fits_on_a_page(name: str, tmp_path: Path) -> None:
    plot, table = DRAWN[name]
    seen: list[Any] = []

    def kept(data: Any) -> Any:
        seen.append(plot(data))
        return seen[0]

    assert draw(kept, table(), tmp_path, name) == [f"{name}.png", f"{name}.svg"]
    (figure,) = seen
    assert figure.get_figwidth() <= style.WIDTH
    texts = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text().strip()]
    assert len(texts) > 10
    assert min(text.get_fontsize() for text in texts) >= style.SMALLEST
    words = {text.get_text() for text in texts}
    if name in ("grid", "waves"):
        assert set(MODELS) <= words
    if name == "grid":
        assert figure.axes[0].get_ylim()[1] > 76  # nothing is cut off
    if name == "preferred-strata":
        assert {"dead", "deaf", "generic", "noisy", "langevin"} <= words
    if name == "confusion":
        assert figure.axes[1].get_ylim()[1] > 28
    if name == "regions":
        assert {"16", "unit 9", "ccp3\ncentred"} <= words
    if name == "extrapolation":
        assert "ccp degree 3: below 2e-16 ↓" in words
        assert min(figure.axes[1].get_ylim()) > 1e-4
    assert "<text" in (tmp_path / f"{name}.svg").read_text(encoding="utf-8")


def test_pictures_of_the_pages_are_of_this_style() -> None:
    """As wide as a page at 160 dots an inch, but for what is cut off or stands over at the margins."""
    of_the_repository("docs/studies")
    wide = {}
    for file in PICTURES:
        data = file.read_bytes()
        place = data.find(b"pHYs")
        dots = struct.unpack(">I", data[place + 4 : place + 8])[0] * 0.0254 if place > 0 else 0
        wide[file.name] = (struct.unpack(">I", data[16:20])[0] / 160, round(dots))
    assert len(wide) > 30
    assert [name for name, found in wide.items() if found[1] != 160 or found[0] > style.WIDTH + 0.3] == []


def test_no_study_has_a_style_of_its_own() -> None:
    """Figures are as wide as a page, and sizes of text are those of the style or at least as large."""
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("subplots"):
                widths = [ast.unparse(one.value) for one in node.keywords if one.arg == "width"]
                assert all("WIDTH" in said for said in widths), (file.name, widths)
            if not isinstance(node, ast.keyword):
                continue
            said = ast.unparse(node.value)
            if node.arg == "figsize":
                assert "WIDTH" in said or file.name == "style.py", (file.name, said)
            if node.arg in ("fontsize", "labelsize"):
                assert "SMALLEST" in said or (said.isdecimal() and float(said) >= style.SMALLEST), (file.name, said)


@pytest.mark.thorough
def test_the_same_figure_has_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        draw(extrapolation.plot, curves(), tmp_path / folder, "x")
    assert (tmp_path / "a" / "x.svg").read_bytes() == (tmp_path / "b" / "x.svg").read_bytes()


# What a red-blind and a green-blind eye makes of linear RGB (Viénot, Brettel, Mollon 1999).
BLIND = {
    "protan": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    "deutan": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
}


@pytest.mark.parametrize("kind", ["all", *BLIND])
def test_colours_are_told_apart_by_every_kind_of_vision(kind: str) -> None:
    matrix = np.array(BLIND.get(kind, np.eye(3)))
    seen = [
        (matrix @ np.array(matplotlib.colors.to_rgb(colour)) ** 2.2).clip(0, 1) ** (1 / 2.2) for colour in style.COLOURS
    ]
    assert min(np.abs(one - other).max() for one, other in itertools.combinations(seen, 2)) > 0.1


def test_members_of_a_family_differ_in_shade_and_dashes() -> None:
    found = style.lines(["relu:raw", "relu:centred", "ccp3:raw", "ccp6:raw"])
    assert len({str(value) for value in found.values()}) == 4
    assert found["relu:raw"]["linestyle"] == found["ccp3:raw"]["linestyle"] != found["relu:centred"]["linestyle"]
