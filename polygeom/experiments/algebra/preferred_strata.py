"""Does noisy gradient training prefer subnetworks of small learning coefficient?

Students with one hidden neuron more than their teacher can represent it in many ways: the spare neuron may be dead,
silent, deaf or a copy of another one, each with its own learning coefficient. Many students are trained by stochastic
gradient descent on noisy samples, without noise, and without noise of the samples but with isotropic noise of the
weights (Langevin, whose stationary law is the one that learning coefficients are about), with several step sizes and
sizes of the first weights. Where do they end? Students of one number start from the same weights with the same teacher
whatever the setting, so that settings are compared in pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.experiments.study import Case, Row, Study, option
from polygeom.experiments.style import COLOURS, subplots
from polygeom.network import Network, parse

if TYPE_CHECKING:
    import pandas
    from torch import Tensor

NETWORKS = (
    "[2,2,1] r=3", "[3,2,1] r=2", "[3,3,1] r=2", "[3,2,1] r=3", "[2,2,2] r=2", "[2,2,2] r=3",
    "[3,2,2] r=2", "[3,3,2] r=3", "[3,3,3] r=2", "[4,3,1] r=2", "[4,2,2] r=2", "[2,3,1] r=4",
)  # fmt: skip
NOISY, EXACT, LANGEVIN = GRADIENTS = ("noisy", "exact", "langevin")
LEARNED = 0.05
"""Students with a loss below this have learned."""
FEWEST = 9
"""Architectures with fewer pairs of students that have learned are not counted in a mean over architectures."""
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
    temperature: float = option(0.001, "Of the Langevin students, in units of the loss.")


@dataclass(frozen=True)
class Config(Options):
    """Options of the study."""

    networks: tuple[str, ...] = option(NETWORKS[:4], "Students with one hidden layer; teachers have a neuron less.")


@dataclass(frozen=True, kw_only=True)
class School(Options, Case):
    """All students of one shape."""

    network: str


PRESETS = {
    "quick": Config(updates=1500, runs=8),
    "small": Config(networks=NETWORKS[:1], steps=(0.03,), scales=(1.0,), updates=400, runs=12),
    "published": Config(networks=NETWORKS, scales=(0.2, 0.5, 1.0), updates=6000),
}


def cases(config: Config) -> list[School]:
    """One case for each network: all its students train side by side."""
    return [School.of(config, network=text) for text in config.networks]


def measure(case: School) -> list[Row]:
    """A row for each student: where it has come to."""
    import torch

    from polygeom.learning.functions.perceptrons import perceptron_outputs
    from polygeom.singularities import learning_coefficient

    network, seed = parse(case.network), case.seed
    assert network.widths is not None
    generator = torch.Generator().manual_seed(seed)
    settings = [(kind, step, scale) for kind in GRADIENTS for step in case.steps for scale in case.scales]
    times = len(settings)
    truth = _teachers(network, case.runs, generator).repeat(times, 1)
    first = _first(network, case.runs, generator).repeat(times, 1)
    labels = [(*one, run) for one in settings for run in range(case.runs)]
    weights = _trained(case, network, truth, first, labels, generator)
    inputs = network.widths[0]
    test = torch.randn((256, inputs), generator=generator, dtype=torch.float64)
    difference = perceptron_outputs(network, weights, test) - perceptron_outputs(network, truth, test)
    losses = difference.square().sum(dim=1).mean(dim=1) / 2
    ranks = _ranks(network, weights, test[:40])
    known: dict[str, float] = {}
    rows = []
    for k, (kind, size, start, run) in enumerate(labels):
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
                "run": run,
                "loss": float(losses[k]),
                "rank": int(ranks[k]),
                "stratum": at.split()[0],
                "distance": distance,
                "coefficient": known[at],
                "generic": known.setdefault("generic", float(learning_coefficient(network, rng=seed).lower)),
            }
        )
    return rows


def _trained(
    case: School, network: Network, truth: Tensor, first: Tensor, labels: list[tuple[str, float, float, int]],
    generator: Any,
) -> Tensor:  # fmt: skip
    """Weights ``(S, P)`` of all students after training; one third of them for each of `GRADIENTS`, in this order."""
    import torch

    assert network.widths is not None
    inputs, _, outputs = network.widths
    count, third = len(labels), len(labels) // len(GRADIENTS)
    step = torch.tensor([one[1] for one in labels]).double()[:, None]
    weights = torch.tensor([one[2] for one in labels]).double()[:, None] * first
    fixed = torch.randn((case.runs, 64, inputs), generator=generator, dtype=torch.float64)
    fixed = fixed.repeat((count - third) // case.runs, 1, 1)
    jump = torch.zeros_like(step)
    jump[2 * third :] = (2 * case.temperature * step[2 * third :]).sqrt()
    for _ in range(case.updates):
        x = torch.randn((third, case.batch, inputs), generator=generator, dtype=torch.float64)
        error = case.noise * torch.randn((third, outputs, case.batch), generator=generator, dtype=torch.float64)
        noisy = _slope(network, weights[:third], truth[:third], x, error)
        exact = _slope(network, weights[third:], truth[third:], fixed, 0.0)
        slope = torch.cat([noisy, exact])
        size = slope.norm(dim=1, keepdim=True)
        weights = weights - step * slope * (10 / size.clamp(min=10))  # heavy tails of high powers
        weights[2 * third :] += jump[2 * third :] * _normal(weights[2 * third :].shape, generator)
    return weights


def _normal(shape: Sequence[int], generator: Any) -> Tensor:
    import torch

    return torch.randn(tuple(shape), generator=generator, dtype=torch.float64)


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

    from polygeom.learning.functions.perceptrons import perceptron_outputs

    moving = weights.detach().requires_grad_()
    residual = perceptron_outputs(network, moving, x) - perceptron_outputs(network, truth, x) - error
    (slope,) = torch.autograd.grad(residual.square().sum(dim=1).mean(dim=1).sum() / 2, moving)
    return slope


def _ranks(network: Network, weights: Tensor, x: Tensor) -> np.ndarray:
    """How many singular values of the derivative of the outputs exceed a hundredth of the largest."""
    import torch

    from polygeom.learning.functions.perceptrons import perceptron_outputs

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
    part = learned(table)
    counts = part.groupby([*by, "stratum"], sort=False).size().unstack(fill_value=0)
    result = counts.div(counts.sum(axis=1), axis=0)
    result["runs"] = counts.sum(axis=1)
    result["lowered"] = part.groupby(by, sort=False)["lowered"].mean()
    return result


def learned(table: pandas.DataFrame) -> pandas.DataFrame:
    """The students that have learned, with ``lowered``: by how much the coefficient lies below the generic one."""
    part = table[table["loss"] < LEARNED].copy()
    part["lowered"] = part["generic"] - part["coefficient"]
    return part


def pairs(table: pandas.DataFrame, by: list[str], first: str = NOISY, second: str = EXACT) -> pandas.DataFrame:
    """What one gradient lowers the coefficient more than another, over pairs of students that have both learned.

    Rows are architectures and values of the columns ``by``: ``difference`` in the mean, and ``pairs``.
    """
    part = learned(table)
    same = ["network", "step", "scale", "run"]
    sides = [part[part["gradient"] == kind].set_index(same)["lowered"] for kind in (first, second)]
    change = (sides[0] - sides[1]).dropna().rename("difference").reset_index()
    found = change.groupby(["network", *by], sort=False)["difference"].agg(["mean", "size"])
    return found.rename(columns={"mean": "difference", "size": "pairs"}).reset_index()


def _spread(values: pandas.Series) -> str:
    error = values.std(ddof=1) / max(len(values), 1) ** 0.5
    return f"{values.mean():+.3f} ± {error:.3f}, above 0 on {int((values > 0).sum())} of {len(values)} architectures"


def plot(table: pandas.DataFrame) -> Any:
    """Where students end, by gradient, step and first weights; below, noise against none on each architecture."""
    scales = sorted(table["scale"].unique())
    found = shares(table, ["scale", "gradient", "step"])
    kinds = [name for name in ("dead", "deaf", "silent", "duplicate", "generic") if name in found.columns]
    figure, axes = subplots(2, len(scales), 5.2)
    means = learned(table).groupby(["scale", "network", "gradient"])["lowered"].mean().unstack()
    top = 1.05 * float(means.max().max())
    for (above, below), scale in zip(axes.T, scales, strict=True):
        rows = found.loc[scale]
        bottom, places = np.zeros(len(rows)), np.arange(len(rows))
        for number, kind in enumerate(kinds):
            above.bar(places, rows[kind], bottom=bottom, color=COLOURS[number], label=kind, width=0.8)
            bottom += rows[kind].to_numpy()
        above.set_xticks(places, [f"{kind} {step:g}" for kind, step in rows.index], rotation=90)
        above.set_title(f"first weights of factor {scale:g}")
        level = means.loc[scale] if scale in means.index.get_level_values(0) else means.iloc[:0]
        for kind, marker, colour in ((NOISY, "o", COLOURS[0]), (LANGEVIN, "x", COLOURS[1])):
            if {kind, EXACT} <= set(level.columns):
                below.plot(level[EXACT], level[kind], marker, color=colour, label=kind, markersize=4)
        below.axline((0, 0), slope=1, color="0.6", linewidth=1, zorder=0)
        below.set(xlim=(-0.02 * top, top), ylim=(-0.02 * top, top), xlabel="below generic, exact gradient")
    axes[0, 0].set_ylabel("share of students that have learned")
    axes[1, 0].set_ylabel("below generic, with noise")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    figure.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def summarise(table: pandas.DataFrame) -> str:
    """Shares of ends, how far the coefficient lies below the generic one, and what noise changes, in pairs."""
    part = learned(table)
    lines = [f"{len(table)} students, {len(part)} with a loss below {LEARNED}"]
    for by in (["gradient"], ["gradient", "scale"], ["gradient", "step"]):
        for index, row in shares(table, by).iterrows():
            name = ", ".join(map(str, index if isinstance(index, tuple) else (index,)))
            told = ", ".join(f"{kind} {row[kind]:.2f}" for kind in row.index if kind not in ("runs", "lowered"))
            lines.append(
                f"{', '.join(by)} = {name}: {told}; {row['lowered']:.3f} below generic ({row['runs']:.0f} runs)"
            )
    for kind in (NOISY, LANGEVIN):
        for by in ([], ["scale"], ["step"]):
            found = pairs(table, by, kind)
            for index, rows in found.groupby(by, sort=True) if by else [((), found)]:
                where = ", ".join(f"{name} {value:g}" for name, value in zip(by, index, strict=True))
                kept = rows[rows["pairs"] >= FEWEST]
                lines.append(f"{kind} lowers more than exact{where and ' at '}{where}: {_spread(kept['difference'])}")
    for stratum, rows in part.groupby("stratum", sort=False):
        lines.append(
            f"{stratum}: rank {rows['rank'].mean():.2f}, coefficient {rows['coefficient'].mean():.2f}, "
            f"loss {rows['loss'].median():.1e} in the median, {len(rows)} runs"
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
