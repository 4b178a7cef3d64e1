"""Does noisy gradient training prefer subnetworks of small learning coefficient?

Students with one hidden neuron more than their teacher can represent it in many ways: the spare neuron may be dead,
silent, deaf or a copy of another one, each with its own learning coefficient. Many students are trained by stochastic
gradient descent on noisy samples, with several step sizes and sizes of the first weights, and without noise. Where do
they end?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom.experiments.study import Case, Row, Study, option
from polygeom.experiments.style import COLOURS, SMALLEST, WIDTH
from polygeom.network import Network, parse

if TYPE_CHECKING:
    import pandas
    from torch import Tensor

NETWORKS = (
    "[2,2,1] r=3", "[3,2,1] r=2", "[3,3,1] r=2", "[3,2,1] r=3", "[2,2,2] r=2", "[2,2,2] r=3",
    "[3,2,2] r=2", "[3,3,2] r=3", "[3,3,3] r=2", "[4,3,1] r=2", "[4,2,2] r=2", "[2,3,1] r=4",
)  # fmt: skip
SGD, EXACT = "noisy", "exact"
_NEAR = 0.15
"""A weight vector below this share of the root mean square of the live ones counts as zero, an angle as none."""


@dataclass(frozen=True)
class Options:
    """How students are trained."""

    steps: tuple[float, ...] = option((0.003, 0.01, 0.03), "Step sizes.")
    scales: tuple[float, ...] = option((0.2, 1.0), "Factors of the first weights.")
    noise: float = option(0.5, "Standard deviation of the noise of the labels.")
    batch: int = option(8, "Fresh samples in each step.")
    updates: int = option(3000, "Number of steps.")
    runs: int = option(16, "Students for each setting.")


@dataclass(frozen=True)
class Config(Options):
    """Options of the study."""

    networks: tuple[str, ...] = option(NETWORKS[:4], "Students with one hidden layer; teachers have a neuron less.")


@dataclass(frozen=True, kw_only=True)
class School(Options, Case):
    """All students of one shape."""

    network: str


PRESETS = {"quick": Config(updates=1500, runs=8), "published": Config(networks=NETWORKS, updates=6000)}


def cases(config: Config) -> list[School]:
    """One case for each network: all its students train side by side."""
    return [School.of(config, network=text) for text in config.networks]


def measure(case: School) -> list[Row]:
    """A row for each student: where it has come to."""
    import torch

    from polygeom.learning.functions.posterior import perceptron_outputs
    from polygeom.singularities import learning_coefficient

    network, seed = parse(case.network), case.seed
    assert network.widths is not None
    inputs, _, outputs = network.widths
    generator = torch.Generator().manual_seed(seed)
    settings = [(step, scale, kind) for step in case.steps for scale in case.scales for kind in (SGD, EXACT)]
    labels = [one for one in settings for _ in range(case.runs)]
    step = torch.tensor([one[0] for one in labels]).double()[:, None]
    scale = torch.tensor([one[1] for one in labels]).double()[:, None]
    noisy = torch.tensor([one[2] == SGD for one in labels])
    truth = _teachers(network, len(labels), generator)
    weights = scale * _first(network, len(labels), generator)
    fixed = torch.randn((len(labels), 64, inputs), generator=generator, dtype=torch.float64)
    for _ in range(case.updates):
        x = torch.randn((len(labels), case.batch, inputs), generator=generator, dtype=torch.float64)
        error = case.noise * torch.randn((len(labels), outputs, case.batch), generator=generator, dtype=torch.float64)
        slope = torch.where(
            noisy[:, None],
            _slope(network, weights, truth, x, case.noise * error),
            _slope(network, weights, truth, fixed, 0.0),
        )
        size = slope.norm(dim=1, keepdim=True)
        weights = weights - step * slope * (10 / size.clamp(min=10))  # heavy tails of high powers
    test = torch.randn((256, inputs), generator=generator, dtype=torch.float64)
    difference = perceptron_outputs(network, weights, test) - perceptron_outputs(network, truth, test)
    losses = difference.square().sum(dim=1).mean(dim=1) / 2
    ranks = _ranks(network, weights, test[:40])
    known: dict[str, float] = {}
    rows = []
    for k, (size, start, kind) in enumerate(labels):
        at, distance = nearest(network, weights[k].numpy())
        if at not in known:
            found = learning_coefficient(network, None if at == "generic" else at, rng=seed)
            known[at] = float(found.lower if found.value is None else found.value)
        rows.append(
            {
                "network": network.text,
                "step": size,
                "scale": start,
                "gradient": kind,
                "loss": float(losses[k]),
                "rank": int(ranks[k]),
                "stratum": at.split()[0],
                "distance": distance,
                "coefficient": known[at],
                "generic": known.setdefault("generic", float(learning_coefficient(network, rng=seed).lower)),
            }
        )
    return rows


def _first(network: Network, count: int, generator: Any) -> Tensor:
    """Normal weights ``(count, P)``, rows of length about one."""
    import torch

    parts = [
        torch.randn((count, rows * columns), generator=generator, dtype=torch.float64) / columns**0.5
        for rows, columns in network.parameters.values()
    ]
    return torch.cat(parts, dim=1)


def _teachers(network: Network, count: int, generator: Any) -> Tensor:
    """Weights ``(count, P)`` with the last neuron dead; rows of length one, outgoing weights of size one."""
    import torch

    assert network.widths is not None
    inputs, hidden, outputs = network.widths
    w = torch.randn((count, hidden, inputs), generator=generator, dtype=torch.float64)
    v = torch.randn((count, outputs, hidden), generator=generator, dtype=torch.float64)
    w, v = w / w.norm(dim=2, keepdim=True), v / v.norm(dim=1, keepdim=True)
    w[:, -1], v[:, :, -1] = 0, 0
    return torch.cat([w.flatten(1), v.flatten(1)], dim=1)


def _slope(network: Network, weights: Tensor, truth: Tensor, x: Tensor, error: Tensor | float) -> Tensor:
    import torch

    from polygeom.learning.functions.posterior import perceptron_outputs

    moving = weights.detach().requires_grad_()
    residual = perceptron_outputs(network, moving, x) - perceptron_outputs(network, truth, x) - error
    (slope,) = torch.autograd.grad(residual.square().sum(dim=1).mean(dim=1).sum() / 2, moving)
    return slope


def _ranks(network: Network, weights: Tensor, x: Tensor) -> np.ndarray:
    """How many singular values of the derivative of the outputs exceed a hundredth of the largest."""
    import torch

    from polygeom.learning.functions.posterior import perceptron_outputs

    def outputs(flat: Tensor) -> Tensor:
        return perceptron_outputs(network, flat[None], x).flatten()

    values = torch.linalg.svdvals(torch.func.vmap(torch.func.jacrev(outputs))(weights))
    counts: np.ndarray = (values > 0.01 * values[:, :1]).sum(dim=1).numpy()
    return counts


def nearest(network: Network, flat: np.ndarray) -> tuple[str, float]:
    """The most singular stratum within the tolerance, for the neuron that is nearest to it, and the relative distance.

    >>> nearest(parse("[2,2,1] r=3"), np.array([1.0, 0.0, 0.0, 0.01, 1.0, 0.02]))[0]
    'dead 1'
    """
    assert network.widths is not None
    inputs, hidden, _ = network.widths
    w, v = flat[: hidden * inputs].reshape(hidden, inputs), flat[hidden * inputs :].reshape(-1, hidden)
    size, loud = np.linalg.norm(w, axis=1), np.linalg.norm(v, axis=0)
    typical = np.sqrt((np.sort(size)[1:] ** 2).mean()), np.sqrt((np.sort(loud)[1:] ** 2).mean())
    incoming, outgoing = size / max(typical[0], 1e-12), loud / max(typical[1], 1e-12)
    unit = w / np.maximum(size, 1e-12)[:, None]
    sines = [np.sqrt(max(0.0, 1 - (unit[i] @ unit[j]) ** 2)) for i in range(hidden) for j in range(i)]
    distances = {
        "dead 1": float(np.maximum(incoming, outgoing).min()),
        "deaf 1": float(incoming.min()),
        "silent 1": float(outgoing.min()),
        "duplicate 1=2": float(min(sines)),
    }
    for at, distance in distances.items():
        if distance < _NEAR:
            return at, distance
    return "generic", min(distances.values())


def shares(table: pandas.DataFrame, by: list[str]) -> pandas.DataFrame:
    """For students that have learned: the share that ends at each stratum, and how far below generic on average."""
    part = table[table["loss"] < 0.05].copy()
    part["lowered"] = part["generic"] - part["coefficient"]
    counts = part.groupby([*by, "stratum"], sort=False).size().unstack(fill_value=0)
    result = counts.div(counts.sum(axis=1), axis=0)
    result["runs"] = counts.sum(axis=1)
    result["lowered"] = part.groupby(by, sort=False)["lowered"].mean()
    return result


def plot(table: pandas.DataFrame) -> Any:
    """Where students end, by gradient, step and first weights."""
    import matplotlib.pyplot as plt

    found = shares(table, ["gradient", "scale", "step"])
    kinds = [name for name in ("dead", "deaf", "silent", "duplicate", "generic") if name in found.columns]
    figure, axes = plt.subplots(figsize=(WIDTH, 2.9), layout="constrained")
    bottom = np.zeros(len(found))
    places = np.arange(len(found))
    for number, kind in enumerate(kinds):
        axes.bar(places, found[kind], bottom=bottom, color=COLOURS[number], label=kind, width=0.8)
        for place, low, share in zip(places.tolist(), bottom, found[kind], strict=True):
            if share > 0.06:
                ink = "black" if number in (2, 3, 4) else "white"
                axes.text(
                    place, low + share / 2, f"{share:.2f}", ha="center", va="center", color=ink, fontsize=SMALLEST
                )
        bottom += found[kind].to_numpy()
    axes.set_xticks(places, [f"{g}\nscale {s:g}\nstep {e:g}" for g, s, e in found.index])
    axes.set_ylabel("share of students that have learned")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def summarise(table: pandas.DataFrame) -> str:
    """Shares of ends and how far the learning coefficient lies below the generic one."""
    lines = [f"{len(table)} students, {int((table['loss'] < 0.05).sum())} with a loss below 0.05"]
    for by in (["gradient"], ["gradient", "scale"], ["gradient", "step"]):
        for index, row in shares(table, by).iterrows():
            name = ", ".join(map(str, index if isinstance(index, tuple) else (index,)))
            told = ", ".join(f"{kind} {row[kind]:.2f}" for kind in row.index if kind not in ("runs", "lowered"))
            lines.append(
                f"{', '.join(by)} = {name}: {told}; {row['lowered']:.3f} below generic ({row['runs']:.0f} runs)"
            )
    return "\n".join(lines)


STUDY = Study(
    "preferred-strata",
    config=Config,
    case=School,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
)
