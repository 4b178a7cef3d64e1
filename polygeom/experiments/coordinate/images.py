"""Images: what ReLU, SIREN, Gabor and polynomial coordinate networks learn, and what their gradients do.

Random, generated or given images are fitted pixel by pixel. At marks of the training the study measures how well
trained and held-out pixels are known, which frequencies have been learned, how many activation regions the pixels fill,
Hamming distances and gradient confusion of neighbouring and of distant pixels, dead units and spectral norms (Lazzari,
Liu, arXiv 2301.05816). For polynomial networks and SIREN, regions are sign regions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.datasets.images import make_image
from polygeom.errors import PolygeomError
from polygeom.experiments.coordinate import figures as figures
from polygeom.experiments.coordinate.dynamics import (
    Model,
    NetworkCase,
    Probe,
    Reading,
    Selection,
    Sizes,
    Training,
    fit,
    has_regions,
    table_rows,
    told_losses,
)
from polygeom.experiments.study import Either, Needs, Study, like, mean_and_deviation, option
from polygeom.learning.functions.spectra import OCTAVES, learned_by_band, psnr
from polygeom.learning.networks.encodings import grid
from polygeom.learning.regions.hyperplanes import cell_inradii, hyperplane_cosines, mean_off_diagonal, weight_matrices
from polygeom.learning.regions.pairs import patch_pairs, quadrant_pairs
from polygeom.learning.regions.regions import sign_patterns
from polygeom.learning.regions.sections import cross_section

EVERYTHING = (
    "relu:raw",
    "relu:centred",
    "relu:sin_cos5",
    "relu:fourier14",
    "relu:fourier4",
    "siren:centred@1e-4",
    "gabor16:centred",
    "gabor4:centred",
    "ccp3:centred",
    "ccp6:centred",
    "ccp9:centred",
    "ccp3:sin_cos5",
)
"""The networks of the comparison."""
_FLAGS = ("act_patterns", "dead_neurons", "param_norms", "boundary")


_LOCAL = Either(Needs("mean_hamming_in_region"), Needs("confusion_in_region"))
_GLOBAL = Either(Needs("mean_hamming_between_region"), Needs("confusion_between_region"))
_SLICED = (Needs("models", pattern=r":sin_cos", words="a network that reads sin_cos"), Needs("frequency_slice"))


@dataclass(frozen=True)
class Options(Reading, Sizes, Training):
    """Options of a case; their names follow the published scripts where these have one."""

    size: int = option(32, "Images are size × size pixels.")
    held_out: float = option(0.1, "Share of the pixels, at random, that are not trained.")
    epochs: int = like(Training, "epochs", 150)
    every: int = like(Training, "every", 25)
    patches: int = option(100, "Random patches for local pairs.", needs=_LOCAL)
    patch_size: int = option(3, "Side of a patch in pixels.", needs=_LOCAL)
    patch_pairs: int | None = option(None, "Random pairs of a patch; none for all.", needs=_LOCAL)
    pairs: int = option(10_000, "Random pairs from opposite corners.", needs=_GLOBAL)
    act_patterns: bool = option(True, "Count the regions of the pixels.")
    dead_neurons: bool = option(True, "Count dead units.")
    param_norms: bool = option(True, "Spectral norms and their product.")
    boundary: bool = option(True, "Distances to the boundaries of regions.")
    mean_hamming_in_region: bool = option(True, "Hamming distances of local pairs.")
    mean_hamming_between_region: bool = option(True, "Hamming distances of pairs from opposite corners.")
    confusion_in_region: bool = option(True, "Gradient confusion of local pairs.")
    confusion_between_region: bool = option(True, "Gradient confusion of pairs from opposite corners.")
    visualize_regions: bool = option(True, "Maps of the regions, and of single units, at the end.")
    neuron_maps: tuple[int, ...] = option(
        (0, 9, 100), "Hidden units whose maps are drawn.", needs=Needs("visualize_regions")
    )
    hyperplanes: bool = option(True, "Angles of the hidden weight rows, at the start and at the end.")
    frequency_slice: tuple[str, ...] = option(
        ("low", "high"),
        "Planes of the encoding to cut.",
        choices=("low", "high"),
        needs=Needs("models", pattern=r":sin_cos", words="a network that reads sin_cos"),
    )
    first_layer: bool = option(False, "Cross-sections of the regions of the first layer alone.", needs=_SLICED)
    resolution: int = option(128, "Points along the side of a cross-section.", needs=_SLICED)
    inradius: int = option(
        10,
        "Random points whose first-layer cells are measured; 0 for none.",
        needs=Needs("models", pattern=r"^relu", words="a rectified network"),
    )


@dataclass(frozen=True)
class Config(Selection, Options):
    """The options."""

    images: tuple[str, ...] = option(("random", "scene"), "random, scene, clouds, or paths of image files.")
    models: tuple[str, ...] = like(Selection, "models", EVERYTHING)


@dataclass(frozen=True, kw_only=True)
class Piece(Options, NetworkCase):
    """A network on an image."""

    image: str


_PUBLISHED = Config(
    images=("random",), size=64, held_out=0.0, models=("relu:raw", "relu:sin_cos5"), epochs=5000, every=100
)
PRESETS = {
    "quick": Config(
        images=("scene",), epochs=100,
        models=("relu:raw", "relu:centred", "relu:sin_cos5", "siren:centred@1e-4", "ccp3:centred", "ccp3:sin_cos5"),
    ),
    "page": Config(),
    "small": Config(
        images=("scene",), models=("relu:raw", "relu:sin_cos5", "ccp3:centred"), size=16, neurons=16, epochs=8, every=4,
        patches=10, pairs=50, resolution=8, inradius=1, neuron_maps=(0, 3),
    ),
    "comparison": Config(images=("random", "scene", "clouds"), size=64, epochs=300, every=25),
    "published": _PUBLISHED,
}  # fmt: skip
REPEATS = {"comparison": 3}
ARRAYS = ("image", "model", "array")


def cases(config: Config) -> list[Piece]:
    """One for each image and network."""
    if not 0 <= config.held_out < 1:
        raise PolygeomError(f"held_out must be at least 0 and less than 1, got {config.held_out}; write held_out=0.1")
    return [Piece.of(config, image=image, model=name) for image in config.images for name in config.chosen()]


def measure(case: Piece) -> list[dict[str, Any]]:
    """Rows of the marks, then rows with arrays: densities, maps, cross-sections."""
    model, size, seed, device = Model.parse(case.model), case.size, case.seed, case.device
    image = make_image(case.image, size, rng=seed)
    inputs = model.encode((size, size), case)
    targets = torch.as_tensor(image.reshape(size * size, 3), dtype=inputs.dtype, device=device)
    trained = np.random.default_rng(seed).permutation(size * size)[round(case.held_out * size * size) :]
    held = np.setdiff1d(np.arange(size * size), trained)
    network = model.build(inputs.shape[1], 3, case)
    probe = _probe(case, inputs, targets, _quality(inputs, image, trained, held))
    start = {"angles": _angles(network)} if case.hyperplanes else {}
    pixels = torch.as_tensor(trained, device=device)
    marks = fit(network, inputs[pixels], targets[pixels], case, probe, model.rate)
    marks[0] |= start
    marks[-1] |= _final(case, model, network, inputs)
    marks[-1]["psnr_best_polynomial"] = _best_polynomial(model, inputs, image, held)
    names = {"image": case.image, "model": case.model}
    kind = {"kind": "activation" if has_regions(network) else "sign"}
    return table_rows(names, [kind | row for row in marks], _arrays(case, model, network, probe, image))


def _probe(case: Piece, inputs: Tensor, targets: Tensor, extra: Any) -> Probe:
    size, seed = case.size, case.seed
    pairs = {
        "local": patch_pairs(size, size, patches=case.patches, size=case.patch_size, pairs=case.patch_pairs, rng=seed),
        "global": quadrant_pairs(size, size, case.pairs, rng=seed),
    }
    where = {"local": "in_region", "global": "between_region"}
    hamming = {name: found for name, found in pairs.items() if getattr(case, f"mean_hamming_{where[name]}")}
    confusion = {name: found for name, found in pairs.items() if getattr(case, f"confusion_{where[name]}")}
    return Probe(inputs, targets, hamming, confusion, frozenset(f for f in _FLAGS if getattr(case, f)), extra=extra)


def _quality(inputs: Tensor, image: np.ndarray, trained: np.ndarray, held: np.ndarray) -> Any:
    """The numbers that compare the network's image with the true one."""
    flat = image.reshape(-1, image.shape[2])

    def numbers(network: nn.Module) -> dict[str, float]:
        values = network(inputs).detach().double().cpu().numpy()
        row = {"psnr": psnr(values[trained], flat[trained])}
        if len(held):
            row["psnr_held_out"] = psnr(values[held], flat[held])
        learned = learned_by_band(values.reshape(image.shape), image)
        return row | {f"band_{number}": share for number, share in enumerate(learned, 1)}

    return numbers


def _angles(network: nn.Module) -> float:
    """Mean cosine of the weight rows of the second hidden layer, or of the first where there is no other."""
    rows = [len(w) for w in list(weight_matrices(network).values())[:-1]]
    cosines = hyperplane_cosines(network)
    start = rows[0] if len(rows) > 1 else 0
    block = slice(start, start + rows[min(1, len(rows) - 1)])
    return mean_off_diagonal(cosines[block, block])


def _final(case: Piece, model: Model, network: nn.Module, inputs: Tensor) -> dict[str, float]:
    """What is measured once, at the end."""
    row: dict[str, float] = {}
    if case.hyperplanes:
        row["angles"] = _angles(network)
    if case.inradius and has_regions(network):
        generator = np.random.default_rng(case.seed)
        points = generator.uniform(-1, 1, (case.inradius, inputs.shape[1]))
        radii = cell_inradii(network, torch.as_tensor(points, dtype=inputs.dtype, device=inputs.device))
        row["inradius"] = float(radii.mean())
    for name, section in _sections(case, model, network, inputs).items():
        row[name] = section.count
    return row


def _sections(case: Piece, model: Model, network: nn.Module, inputs: Tensor) -> dict[str, Any]:
    """Planes of the two lowest and of the two highest components of an encoding."""
    if model.encoding != "sin_cos" or inputs.shape[1] < 4:
        return {}
    origin, layers = torch.zeros_like(inputs[0]), [0] if case.first_layer else None
    axes = {"low": (0, 1), "high": (-2, -1)}
    return {
        f"section_{name}": cross_section(network, origin, axes[name], resolution=case.resolution, layers=layers)
        for name in case.frequency_slice
    }


def _best_polynomial(model: Model, inputs: Tensor, image: np.ndarray, held: np.ndarray) -> float | None:
    """What any polynomial of the network's degree can reach at most on the trained pixels."""
    if model.family != "ccp" or model.encoding not in ("raw", "centred"):
        return None
    size = image.shape[0]
    x, y = grid((size, size), low=-1.0, dtype=torch.float64).numpy().T
    legendre = [np.polynomial.legendre.Legendre.basis(k) for k in range(model.degree + 1)]
    basis = np.stack(
        [legendre[i](x) * legendre[j - i](y) for j in range(model.degree + 1) for i in range(j + 1)], axis=1
    )
    trained, flat = np.setdiff1d(np.arange(size * size), held), image.reshape(size * size, -1)
    best = np.linalg.lstsq(basis[trained], flat[trained], rcond=None)[0]
    return psnr(basis[trained] @ best, flat[trained])


def _arrays(case: Piece, model: Model, network: nn.Module, probe: Probe, image: np.ndarray) -> dict[str, Any]:
    """Densities, maps and cross-sections of the trained network, and what it draws."""
    arrays: dict[str, Any] = dict(probe.densities(network))
    shape = image.shape[:2]
    with torch.no_grad():
        arrays["image"] = network(probe.inputs).reshape(image.shape).double().cpu().numpy().round(4)
    arrays["target"] = image.round(4)
    if case.visualize_regions:
        patterns = sign_patterns(network, probe.inputs)
        arrays["regions"] = patterns.regions.reshape(shape)
        bits = np.concatenate([patterns.layer(i) for i in range(len(patterns.widths))], axis=1)
        for unit in case.neuron_maps:
            if unit < bits.shape[1]:
                arrays[f"unit_{unit}"] = bits[:, unit].reshape(shape).astype(int)
    sections = _sections(case, model, network, probe.inputs)
    return arrays | {name: section.regions for name, section in sections.items()}


def plot(table: Any) -> Any:
    """Quality over the epochs and frequencies learned at the end, one row for each image."""
    return figures.comparison(table, OCTAVES)


FIGURES = {
    "spectrum": figures.spectrum,
    "confusion": figures.confusion,
    "dynamics": figures.dynamics,
    "regions": figures.regions,
    "sections": figures.sections,
    "pictures": figures.pictures,
}
"""Densities, curves and maps, each in a file of its own."""


def last_rows(table: Any) -> Any:
    """The rows of the last mark of every network."""
    marks = table[table["epoch"].notna()]
    return marks.loc[marks.groupby(["seed", "image", "model"], sort=False)["epoch"].idxmax()]


def summarise(table: Any) -> str:
    """The comparison at the last mark, one line for each network."""
    columns = {
        "psnr": "PSNR",
        "psnr_held_out": "held out",
        "psnr_best_polynomial": "best polynomial",
        "band_1": "low band",
        "band_5": "high band",
        "regions": "regions",
        "dead": "dead",
        "hamming_local": "local H",
        "hamming_global": "global H",
        "confusion_local": "local cos",
        "confusion_local_opposed": "opposed",
        "norm_product": "norms",
    }
    last = last_rows(table)
    there = [name for name in columns if name in last and last[name].notna().any()]
    means = mean_and_deviation(last, ["image", "model"], there)
    lines = [" ".join([f"{'image':8} {'model':22}", *(f"{columns[name]:>9.9}" for name in there)])]
    for _, row in means.iterrows():
        cells = [_cell(row[f"{name}_mean"]) for name in there]
        lines.append(" ".join([f"{str(row['image'])[-8:]:8} {row['model']:22}", *(f"{cell:>9}" for cell in cells)]))
    return "\n".join([*lines, *told_losses(table)])


def _cell(value: float) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4g}"


STUDY = Study(
    "coordinate",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    repeats=REPEATS,
    any_device=True,
    figures=FIGURES,
    arrays=ARRAYS,
    trains=True,
)
