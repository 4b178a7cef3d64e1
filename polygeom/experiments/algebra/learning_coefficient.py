"""Learning coefficients estimated by sampling, over the exact ones.

For each network and each kind of subnetwork weights are drawn, their exact learning coefficient is computed, and it is
estimated from samples around them that know nothing of the algebra. Half the number of weights, which a regular model
would have, is told next to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.experiments.study import Case, Row, Study, option
from polygeom.experiments.style import COLOURS, subplots
from polygeom.network import Network, mlp, parse

if TYPE_CHECKING:
    import pandas
    from torch import Tensor

    from polygeom.learning.functions.sampling import Energy

STRATA = ("generic", "dead 1", "silent 1", "deaf 1", "duplicate 1=2", "cancel 1=2")
COLD = 2
"""Levels of the ladder that are left out, the warm ones: priors are local here."""
POINTS = 24
"""Most inputs: that many values times outputs are more than the weights of any network here."""
DRAWS = 8
TOGETHER = 64
"""Strata in one batch."""
APART = 1.2
"""R-hat beyond which a stratum is sampled again, longer; rows where it stays above are told apart."""
ATTEMPTS = ((1, 1, 0), (2, 1, 0), (10, 3, 3), (20, 3, 0))
"""Multiples of the warm-up and of the draws, and by how many levels the ladder is colder, attempt by attempt."""
SMALL = ("[3,2,1] r=2", "[2,2,1] r=3", "[3,3,1] r=2", "[2,3,1] r=2", "[2,2,2] r=2", "[2,2,2] r=1", "[2,2,2,1] r=2")
_SHALLOW = tuple(
    f"[{d},{h},{c}] r={r}"
    for shapes, degrees in (
        (product((2, 3), (2, 3), (1, 2)), (2, 3, 4, 5)),
        (product((2, 3, 4), (1,), (1, 2, 3)), (2, 3, 4, 5)),
        (product((2, 3), (4,), (1,)), (2, 3, 4, 5)),
        (product((4,), (2, 3), (1, 2)), (2, 3)),
    )
    for d, h, c in shapes
    for r in degrees
)
_DEEP = tuple(f"[{d},2,2,{c}] r={r}" for d, c, r in product((2, 3), (1, 2), (2, 3)))
_LINEAR = tuple(
    f"[{','.join(map(str, widths))}] r=1"
    for largest, layers in ((4, 3), (3, 4), (2, 5), (2, 6))
    for widths in product(range(1, largest + 1), repeat=layers)
)


@dataclass(frozen=True)
class Options:
    """How it is sampled."""

    sampler: str = option("hmc", "How chains move.", choices=("hmc", "mala", "sgld"))
    chains: int = option(6, "Replicas of the ladder of temperatures.")
    draws: int = option(120, "Moves that count.")
    warmup: int = option(150, "Moves in which steps are tuned.")
    leapfrog: int = option(7, "Largest number of leapfrog steps of a move.")
    reach: float = option(0.3, "Weights that are not zero may change by this share of the size of their row, at most.")


@dataclass(frozen=True)
class Config(Options):
    """What is sampled, and how."""

    networks: tuple[str, ...] = option(SMALL, "Networks, perceptrons without biases.")
    strata: tuple[str, ...] = option(STRATA, "Subnetworks; linear networks have all ranks instead.")


@dataclass(frozen=True, kw_only=True)
class Group(Options, Case):
    """Strata of networks of equal depth and degrees, one batch of chains."""

    texts: tuple[str, ...]
    at: tuple[str, ...]


PRESETS = {
    "quick": Config(draws=100, warmup=120),
    "small": Config(networks=("[1,1,1] r=2", "[2,2,1] r=2"), strata=("generic", "dead 1"), draws=60, warmup=40),
    "published": Config(networks=_SHALLOW + _DEEP + _LINEAR),
}


def cases(config: Config) -> list[Group]:
    """Networks of equal depth and degrees together, `TOGETHER` strata a case: they are one batch of chains."""
    alike: dict[tuple[int, tuple[int, ...]], list[tuple[str, str]]] = {}
    for text in config.networks:
        network = parse(text)
        assert network.widths is not None
        key = len(network.widths), network.activation_degrees or ()
        alike.setdefault(key, []).extend((network.text, at) for at in strata(network, config.strata))
    chunks = [group[k : k + TOGETHER] for group in alike.values() for k in range(0, len(group), TOGETHER)]
    return [Group.of(config, texts=tuple(n for n, _ in chunk), at=tuple(at for _, at in chunk)) for chunk in chunks]


def strata(network: Network, kinds: tuple[str, ...]) -> list[str]:
    """The strata of a network out of the kinds asked for: in each hidden layer, where it is wide enough."""
    assert network.widths is not None
    if set(network.activation_degrees or ()) == {1}:
        return [f"rank {rank}" for rank in range(min(network.widths) + 1)]
    found = []
    for layer, width in enumerate(network.widths[1:-1], start=1):
        for kind in kinds:
            if kind == "generic":
                found += [kind] if layer == 1 else []
            elif width >= (2 if "=" in kind else 1):
                word, place = kind.split()
                found.append(f"{word} {'='.join(f'{layer}:{one}' for one in place.split('='))}" if layer > 1 else kind)
    return found


def conditioned(network: Network, at: str, rank: int, seed: int) -> Tensor:
    """Weights of a stratum as floats ``(P,)``, the best conditioned of `DRAWS`: asymptotics begin early there.

    Incoming rows have length one, outgoing weights size one. Good is a large ``rank``-th singular value of the
    derivative of the outputs.
    """
    import torch

    from polygeom.engines.torch_engine import TorchEngine
    from polygeom.singularities.strata import Stratum

    rng, stratum = np.random.default_rng((seed, 4)), Stratum.parse("" if at == "generic" else at)
    drawn = torch.stack([torch.tensor(_normalised(stratum.weights(network, rng))) for _ in range(DRAWS)])
    if not rank:
        return drawn[0]
    x, shapes = points(network, seed), network.parameters
    sizes = [int(np.prod(shape)) for shape in shapes.values()]

    def outputs(flat: Tensor) -> Tensor:
        pieces = (piece.reshape(shape) for piece, shape in zip(torch.split(flat, sizes), shapes.values(), strict=True))
        value: Tensor = network.evaluate(TorchEngine(), dict(zip(shapes, pieces, strict=True)), x)
        return value.flatten()

    values = torch.linalg.svdvals(torch.func.vmap(torch.func.jacrev(outputs))(drawn))
    return drawn[int(values[:, rank - 1].argmax())]


def _normalised(weights: Mapping[str, np.ndarray]) -> np.ndarray:
    parts, last = [], list(weights)[-1]
    for name, exact in weights.items():
        value = exact.astype(float)
        size = np.abs(value).max(axis=0) if name == last else np.sqrt((value**2).sum(axis=1, keepdims=True))
        parts.append((value / np.where(size > 0, size, 1)).ravel())
    return np.concatenate(parts)


def measure(case: Group) -> list[Row]:
    """A row for each network and stratum of a case: exact value or bounds, and estimate."""
    import time

    from polygeom.learning.functions.posterior import CoefficientEstimate, fitted, summarise
    from polygeom.learning.functions.sampling import LADDER, SamplerSettings, sample_energies
    from polygeom.singularities import learning_coefficient

    seed, pairs = case.seed, list(zip(map(parse, case.texts), case.at, strict=True))
    known = [learning_coefficient(network, None if at == "generic" else at, rng=seed) for network, at in pairs]
    weights = [conditioned(network, at, one.rank, seed) for (network, at), one in zip(pairs, known, strict=True)]
    batch = Batch.of([network for network, _ in pairs], weights, seed)
    reach = batch.reach(case.reach)
    names = ("sampler", "chains", "draws", "warmup", "leapfrog")
    base = SamplerSettings(betas=LADDER[COLD:], **{name: getattr(case, name) for name in names})

    def sampled(chosen: list[int], number: int) -> list[CoefficientEstimate]:
        warmer, more, colder = ATTEMPTS[number]
        ladder = [beta * 4.0**colder for beta in base.betas]
        settings = replace(base, betas=ladder, warmup=warmer * base.warmup, draws=more * base.draws)
        rng = seed + number
        started, some = time.process_time(), batch.part(chosen)
        trace, accepted, swaps = sample_energies(some.energy(), some.centres, settings, rng=rng, reach=reach[chosen])
        elapsed = (time.process_time() - started) / len(chosen)
        orders = [known[one].multiplicity or 1 for one in chosen]
        return [
            summarise(trace[:, k], accepted[k], swaps[k], settings, multiplicity=order, rng=rng, elapsed=elapsed)
            for k, order in enumerate(orders)
        ]

    late, attempts = list(range(len(known))), dict.fromkeys(range(len(known)), 0)
    estimates: dict[int, CoefficientEstimate] = {}
    for number in range(len(ATTEMPTS)):
        if late:
            estimates |= dict(zip(late, sampled(late, number), strict=True))
            attempts |= dict.fromkeys(late, number + 1)
            late = [k for k in late if fitted(estimates[k].rhat).max() > APART]
    return [
        {
            "network": network.text,
            "at": at,
            "parameters": network.parameter_count,
            "rank": exact.rank,
            "exact": "" if exact.value is None else str(exact.value),
            "multiplicity": exact.multiplicity,
            "lower": float(exact.lower),
            "upper": float(exact.upper),
            "sampler": case.sampler,
            "value": estimates[k].value,
            "error": estimates[k].error,
            "drift": estimates[k].drift,
            "coldest": float(estimates[k].levels[-1]),
            "effective": float(fitted(estimates[k].effective).sum()),
            "rhat": float(fitted(estimates[k].rhat).max()),
            "attempt": attempts[k],
            "cpu_seconds": estimates[k].seconds,
        }
        for k, ((network, at), exact) in enumerate(zip(pairs, known, strict=True))
    ]


@dataclass(frozen=True, eq=False)
class Batch:
    """Perceptrons of equal depth and degrees in the widest of their shapes; weights that are not theirs are masked.

    Attributes
    ----------
    network:
        With the largest of all widths.
    centres, masks:
        ``(G, P)``.
    x:
        Inputs ``(N, d_0)`` that tell all functions apart.
    """

    network: Network
    centres: Tensor
    masks: Tensor
    x: Tensor

    @classmethod
    def of(cls, networks: list[Network], weights: list[Tensor], seed: int) -> Batch:
        """From networks and flat weights of each."""
        import torch

        widths = [max(column) for column in zip(*(network.widths or () for network in networks), strict=True)]
        degrees = networks[0].activation_degrees or ()
        wide = mlp(widths, list(degrees) if len(set(degrees)) > 1 else degrees[0])
        centres, masks = [], []
        for network, flat in zip(networks, weights, strict=True):
            shapes = list(network.parameters.values())
            pieces = torch.split(flat, [int(np.prod(shape)) for shape in shapes])
            rows = []
            for piece, shape, full in zip(pieces, shapes, wide.parameters.values(), strict=True):
                for value in (piece.reshape(shape), torch.ones(shape, dtype=torch.float64)):
                    padded = torch.zeros(full, dtype=torch.float64)
                    padded[: shape[0], : shape[1]] = value
                    rows.append(padded.flatten())
            centres.append(torch.cat(rows[0::2]))
            masks.append(torch.cat(rows[1::2]))
        count = max(len(points(network, seed)) for network in networks)
        x = torch.randn((count, widths[0]), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return cls(wide, torch.stack(centres), torch.stack(masks), x)

    def reach(self, share: float) -> Tensor:
        """By how much each weight may change, ``(G, P)``: zeros freely, so that all that is singular here is sampled.

        Others stay so near that no neuron dies that lives here: a prior that reaches more singular weights of the same
        function measures those. Incoming rows count for hidden neurons, outgoing columns for the last layer.
        """
        import torch

        shapes, found = list(self.network.parameters.values()), []
        pieces = torch.split(self.centres, [int(np.prod(shape)) for shape in shapes], dim=1)
        for layer, (piece, shape) in enumerate(zip(pieces, shapes, strict=True), start=1):
            weights, axis = piece.reshape(-1, *shape), 1 if layer == len(shapes) else 2
            count = (weights != 0).sum(dim=axis, keepdim=True).clamp(min=1)
            size = (weights.square().sum(dim=axis, keepdim=True) / count).sqrt().expand_as(weights)
            found.append(torch.where(weights != 0, share * size, math.inf).flatten(1))
        return torch.cat(found, dim=1)

    def part(self, chosen: list[int]) -> Batch:
        """Some of them."""
        return Batch(self.network, self.centres[chosen], self.masks[chosen], self.x)

    def energy(self) -> Energy:
        """``K`` at weights ``(G · n, P)``."""
        from polygeom.learning.functions.perceptrons import PerceptronEnergy

        return PerceptronEnergy(self.network, self.centres, self.x, self.masks)


def points(network: Network, seed: int) -> Tensor:
    """Inputs that tell all functions of a network apart: a few more normal points than there are coefficients."""
    import torch

    count = min((network.ambient_dimension or POINTS) // network.output_dimension + 1, POINTS)
    return torch.randn(
        (count, network.input_dimension), generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64
    )


def compared(table: pandas.DataFrame) -> pandas.DataFrame:
    """The rows with an exact value, with ``ratio`` (estimated over exact), ``difference`` and ``deviations``."""
    part = table[table["exact"].fillna("").astype(str) != ""].copy()
    part["converged"] = part["rhat"] <= APART
    part["truth"] = [float(Fraction(str(text))) for text in part["exact"]]
    part["difference"] = part["value"] - part["truth"]
    part["deviations"] = part["difference"] / part["error"].clip(lower=1e-9)
    part["ratio"] = part["value"] / part["truth"].where(part["truth"] > 0)
    return part


def plot(table: pandas.DataFrame) -> Any:
    """Estimates over exact values, and half the number of weights over exact values."""
    part = compared(table)
    part = part[part["converged"]]
    figure, ((left, right),) = subplots(1, 2, 3.2)
    kind = part["at"].str.split().str[0]
    for number, (name, rows) in enumerate(part.groupby(kind, sort=False)):
        look = {"marker": "os^vDPX"[number % 7], "color": COLOURS[number % len(COLOURS)], "linestyle": "none"}
        left.errorbar(
            rows["truth"], rows["value"], rows["error"], markersize=2.5, elinewidth=0.6, label=name, alpha=0.8, **look
        )
        right.plot(rows["truth"], rows["parameters"] / 2, markersize=2.5, alpha=0.8, **look)
    top = float(part["truth"].max()) * 1.08
    for axes, label in ((left, "estimated"), (right, "half the number of weights")):
        axes.axline((0, 0), slope=1, color="0.6", linewidth=1, zorder=0)
        axes.set(xlabel="exact learning coefficient", ylabel=label, xlim=(0, top))
    left.set_ylim(0, top)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=7)
    return figure


def summarise(table: pandas.DataFrame) -> str:
    """Bias and spread against the exact values, kind by kind, and what half the number of weights would say."""
    every = compared(table)
    part = every[every["converged"]]
    lines = [f"{len(table)} networks and strata, {len(every)} with an exact value, {len(part)} of these converged"]
    for name, rows in part.groupby(part["at"].str.split().str[0], sort=False):
        off = int((rows["deviations"].abs() > 3).sum())
        wrong = (rows["parameters"] / 2 - rows["truth"]).mean()
        lines.append(
            f"{name}: {len(rows)}; estimate less exact {rows['difference'].mean():+.3f} in the mean, "
            f"spread {rows['difference'].std():.3f}; {off} more than 3 standard errors away; "
            f"half the weights {wrong:+.2f}"
        )
    inside = table[table["exact"].fillna("").astype(str) == ""]
    if len(inside):
        kept = (inside["value"] + 3 * inside["error"] >= inside["lower"]) & (
            inside["value"] - 3 * inside["error"] <= inside["upper"]
        )
        lines.append(f"{int(kept.sum())} of {len(inside)} others within 3 standard errors of the proved bounds")
    speed = table["effective"].sum() / table["cpu_seconds"].sum()
    lines.append(f"{speed:.0f} effective samples a second of processor time")
    return "\n".join(lines)


STUDY = Study(
    "learning-coefficient",
    config=Config,
    case=Group,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
)
