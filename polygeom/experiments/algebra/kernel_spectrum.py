"""Tangent kernels in spherical harmonics: finite width against infinite width, and what gradient descent learns when.

On the sphere, the tangent kernel of a polynomial network is a finite matrix over the spherical harmonics that the
architecture can express, computed exactly. At infinite width it is the same number on all harmonics of one degree, and
its rank is the number of monomials; at finite width its eigenvalues spread around these numbers and end where the
dimension of the neurovariety ends. Gradient descent learns low degrees first; a narrow network stops where its
neurovariety does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.experiments.study import Case, Study, option
from polygeom.experiments.style import BELOW, COLOURS, subplots
from polygeom.network import Network, parse

if TYPE_CHECKING:
    import pandas
    from torch import Tensor

    from polygeom.learning.functions.harmonics import HarmonicBasis


_NODES = 200
"""Of quadrature for kernels of infinite width, which are polynomials."""


@dataclass(frozen=True)
class Options:
    """Options of a case."""

    inputs: int = option(4, "Number of input variables.")
    degree: int = option(4, "Degree of the monomial activation.")
    depth: int = option(1, "Number of hidden layers; the degree of the network is degree ** depth.")
    steps: int = option(1000, "Steps of gradient descent.")
    rate: float = option(0.5, "Step size, in units of one over the largest eigenvalue of the initial kernel.")


@dataclass(frozen=True)
class Config(Options):
    """Options of the study."""

    widths: tuple[int, ...] = option((2, 4, 8, 16, 64, 256), "Hidden widths of the spectra.")
    trained: tuple[int, ...] = option((2, 8, 64, 256), "Hidden widths of the networks that are trained.")


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    """A spectrum, or a training."""

    part: str
    width: int


PRESETS = {
    "quick": Config(),
    "small": Config(inputs=3, degree=2, widths=(1, 2, 150), trained=(1, 60), steps=60),
    "published": Config(widths=(1, 2, 4, 8, 16, 32, 64, 256, 1024), trained=(2, 4, 8, 64, 512), steps=6000),
}
REPEATS = {"quick": 2, "published": 5}


def cases(config: Config) -> list[Piece]:
    """The spectrum of each width, and the training of some."""
    spectra = [Piece.of(config, "steps", "rate", part="spectrum", width=width) for width in config.widths]
    return spectra + [Piece.of(config, part="training", width=width) for width in config.trained]


def architecture(case: Piece) -> Network:
    """The network of one case."""
    hidden = ",".join([str(case.width)] * case.depth)
    return parse(f"[{case.inputs},{hidden},1] r={case.degree}")


def standard_weights(network: Network, seed: int) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Weights and relative learning rates as in the theory of infinite width.

    Every layer after the first is ``W / √(width · E[σ²])`` for a standard normal ``W``; training ``W`` at rate one is
    training the layer at rate ``1 / (width · E[σ²])``.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    weights, rates = {}, {}
    degrees = network.activation_degrees
    assert degrees is not None
    for number, (name, shape) in enumerate(network.parameters.items()):
        second_moment = math.prod(range(2 * degrees[number - 1] - 1, 0, -2)) if number else 1
        rates[name] = 1 / (shape[1] * second_moment) if number else 1.0
        weights[name] = torch.randn(shape, generator=generator, dtype=torch.float64) * math.sqrt(rates[name])
    return weights, rates


def limit(inputs: int, degree: int, depth: int) -> dict[int, float]:
    """Eigenvalues of the tangent kernel of infinite width on the unit sphere, by degree, relative to its trace."""
    from polygeom.learning.kernels.duals import Monomial
    from polygeom.learning.kernels.infinite_width import InfiniteWidth
    from polygeom.learning.kernels.sphere import multiplicities, sphere_eigenvalues

    top = degree**depth
    values = sphere_eigenvalues(InfiniteWidth(Monomial(degree), depth=depth), inputs, top, nodes=_NODES)
    total = float(values @ multiplicities(inputs, top))
    return {k: float(values[k]) / total for k in range(top % 2, top + 1, 2)}


def measure(case: Piece) -> list[dict[str, Any]]:
    """Rows of one spectrum, or of one training run."""
    from polygeom.dimensions import dimension

    network = architecture(case)
    shared = {
        "part": case.part,
        "network": network.text,
        "width": case.width,
        "dimension": dimension(network).dimension,
        "monomials": network.ambient_dimension,
    }
    rows = _spectrum(network, case) if case.part == "spectrum" else _training(network, case)
    return [shared | row for row in rows]


def _spectrum(network: Network, case: Piece) -> list[dict[str, Any]]:
    from polygeom.learning.functions.harmonics import tangent_spectrum

    weights, rates = standard_weights(network, case.seed)
    found = tangent_spectrum(network, weights, rates=rates)
    ideal = limit(case.inputs, case.degree, case.depth)
    ordered = sorted(_expanded(ideal, case.inputs), reverse=True)
    values = found.eigenvalues / float(found.eigenvalues.sum())
    return [
        {
            "index": index + 1,
            "value": float(value) if index < found.rank.rank else 0.0,
            "degree": int(found.degrees[share.argmax()]),
            "share": float(share.max()),
            "limit": ordered[index],
            "rank": found.rank.rank,
        }
        for index, (value, share) in enumerate(zip(values, found.shares, strict=True))
    ]


def _expanded(values: Mapping[int, float], inputs: int) -> list[float]:
    from polygeom.learning.kernels.sphere import multiplicities

    counts = multiplicities(inputs, max(values))
    return [value for k, value in values.items() for _ in range(int(counts[k]))]


def _training(network: Network, case: Piece) -> list[dict[str, Any]]:
    """Gradient descent on the mean square over the sphere; a step that raises the loss is taken back and halved.

    The target is the initial function plus one unit of energy in every degree, so that all degrees start at one.
    """
    import torch

    from polygeom.learning.functions.harmonics import harmonic_basis, tangent_spectrum

    basis = harmonic_basis(network)
    weights, rates = standard_weights(network, case.seed)
    target = basis.components(weights) + _unit_energies(basis, case.seed)
    top = float(tangent_spectrum(network, weights, rates=rates).eigenvalues[0])
    step_size, elapsed, before = case.rate / top, 0.0, math.inf
    previous, gradients = weights, dict.fromkeys(weights, torch.zeros(()))
    marks = {round(mark) for mark in np.geomspace(1, case.steps, 60).tolist()} | {0}
    rows: list[dict[str, Any]] = []
    for step in range(case.steps + 1):
        leaves = {name: w.detach().requires_grad_() for name, w in weights.items()}
        residual = basis.components(leaves) - target
        loss = residual.square().sum() / 2
        if float(loss.detach()) <= before:
            before, previous, elapsed = float(loss.detach()), weights, elapsed + (step_size if step else 0)
            found = torch.autograd.grad(loss, list(leaves.values()))
            gradients = dict(zip(leaves, found, strict=True))
            energies = basis.energies(residual)
        else:
            step_size /= 2
        if step in marks:
            rows += [
                {"index": step, "time": elapsed * top, "degree": degree, "value": energy}
                for degree, energy in energies.items()
            ]
        weights = {name: w - step_size * rates[name] * gradients[name] for name, w in previous.items()}
    return rows


def _unit_energies(basis: HarmonicBasis, seed: int) -> Tensor:
    """Random components ``(1, H)`` with unit energy in every degree."""
    import torch

    generator = torch.Generator().manual_seed(10_000 + seed)
    target = torch.randn((1, len(basis.degrees)), generator=generator, dtype=torch.float64)
    for degree in np.unique(basis.degrees):
        own = torch.from_numpy(basis.degrees == degree)
        target[:, own] /= torch.linalg.vector_norm(target[:, own])
    return target


def plot(table: pandas.DataFrame) -> Any:
    """Eigenvalues of growing width, ranks, and the energy that is left in each degree while training."""
    figure, (panels,) = subplots(1, 3, 3.3)
    spectra, training = (table[table["part"] == part] for part in ("spectrum", "training"))
    if len(spectra):
        _eigenvalues(panels[0], spectra)
        _ranks(panels[1], spectra)
    if len(training):
        _energies(panels[2], training)
    return figure


def _eigenvalues(axes: Any, table: pandas.DataFrame) -> None:
    import matplotlib

    widths = sorted(table["width"].unique())
    colours = matplotlib.colormaps["viridis_r"](np.linspace(0.1, 1, len(widths)))
    for colour, width in zip(colours, widths, strict=True):
        part = table[table["width"] == width]
        means = part[part["value"] > 0].groupby("index")["value"].median()
        means = means[means.index <= part["rank"].max()]
        axes.plot(means.index, means, color=colour, linewidth=1.3, label=f"width {width}")
        axes.plot(means.index[-1:], means.iloc[-1:], "o", color=colour, markersize=4)
    ideal = table.groupby("index")["limit"].first()
    axes.step(ideal.index, ideal, where="mid", color="black", linewidth=1.5, label="infinite width")
    axes.set(xlabel="eigenvalue number", ylabel="eigenvalue / trace", yscale="log", ylim=(ideal.min() / 300, 1.5))
    axes.legend(ncols=2, **BELOW)


def _ranks(axes: Any, table: pandas.DataFrame) -> None:
    found = table.groupby("width")[["rank", "dimension", "monomials"]].max()
    axes.plot(found.index, found["dimension"], color="0.7", linewidth=5, label="dimension of the neurovariety")
    axes.plot(found.index, found["rank"], "o", color=COLOURS[0], markersize=4, label="rank of the kernel")
    axes.axhline(found["monomials"].iloc[0], color="black", linewidth=1, label="monomials: infinite width")
    axes.set(xscale="log", xlabel="width", ylabel="rank", ylim=(0, 1.12 * float(found["monomials"].iloc[0])))
    axes.legend(**BELOW)


def _energies(axes: Any, table: pandas.DataFrame) -> None:
    """One colour for each degree; narrowest network dashed, widest solid, theory of infinite width dotted."""
    widths = sorted(table["width"].unique())
    table = table.assign(value=table["value"].clip(lower=1e-6))
    ideal = _limit_of(table)
    times = np.geomspace(0.1, float(table["time"].max()), 200)
    for number, degree in enumerate(sorted(table["degree"].unique())):
        colour = COLOURS[number]
        for width, style in ((widths[0], "--"), (widths[-1], "-")):
            part = table[(table["degree"] == degree) & (table["width"] == width)]
            curve = part.groupby("index")[["time", "value"]].median()
            axes.plot(curve["time"], curve["value"], style, color=colour, label=f"degree {degree}, width {width}")
        decay = np.exp(-2 * times * ideal[degree] / max(ideal.values()))
        axes.plot(times, decay.clip(1e-6), ":", color=colour, linewidth=1)
    axes.plot([], [], ":", color="0.4", linewidth=1, label="infinite width")
    axes.set(xscale="log", yscale="log", xlabel="time x largest initial eigenvalue", ylabel="energy left to learn")
    axes.set(xlim=(0.4, None), ylim=(1e-4, 2))
    axes.legend(**BELOW)


def _limit_of(table: pandas.DataFrame) -> dict[int, float]:
    """The eigenvalues of infinite width for the architecture of a table."""
    network = parse(str(table["network"].iloc[0]))
    widths, degrees = network.widths, network.activation_degrees
    assert widths is not None
    assert degrees is not None
    return limit(widths[0], degrees[0], len(degrees))


def half_times(table: pandas.DataFrame) -> pandas.DataFrame:
    """For each width and degree, the time at which half of the initial energy is left (median over seeds), or none."""
    import pandas

    rows = []
    for (width, degree), part in table[table["part"] == "training"].groupby(["width", "degree"]):
        times = []
        for _, run in part.groupby("seed"):
            below = run[run["value"] < run["value"].iloc[0] / 2]["time"]
            times.append(float(below.min()) if len(below) else math.inf)
        left = float(part[part["index"] == part["index"].max()]["value"].median())
        rows.append({"width": width, "degree": degree, "half_time": float(np.median(times)), "left": left})
    return pandas.DataFrame(rows)


def summarise(table: pandas.DataFrame) -> str:
    """Ranks against dimensions, distance from infinite width, and the order in which degrees are learned."""
    lines = []
    spectra = table[table["part"] == "spectrum"]
    for width, part in spectra.groupby("width"):
        distance = float(np.sqrt(((part["value"] - part["limit"]) ** 2).sum() / (part["limit"] ** 2).sum()))
        ranks = ", ".join(str(int(rank)) for rank in sorted(part["rank"].unique()))
        lines.append(
            f"width {width}: rank {ranks}, dimension {part['dimension'].iloc[0]}, monomials "
            f"{part['monomials'].iloc[0]}; relative distance of the spectrum from infinite width {distance:.3f}"
        )
    found = half_times(table)
    for width, part in found.groupby("width"):
        parts = [f"degree {r.degree}: half learned at {r.half_time:.3g}, left {r.left:.2g}" for r in part.itertuples()]
        lines.append(f"trained, width {width}: {'; '.join(parts)}")
    return "\n".join(lines)


STUDY = Study(
    "kernel-spectrum",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    repeats=REPEATS,
)
