"""Visual analogies (VAEC): trained on one region of features, how far does the relation carry?

Networks of `polygeom.learning.networks.analogy` learn analogies between squares (`polygeom.datasets.vaec`) in region 0
and are tested in all six regions. What is compared: plain
and polynomial encoders, and kinds of normalisation.

Sources: Webb et al., arXiv 2007.05059; Wu, Zhu, Liu, Chrysos, Cevher, "Extrapolation and spectral bias of neural nets
with Hadamard product: a polynomial net study", arXiv 2209.07736.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.datasets import vaec
from polygeom.experiments.study import Case, Study, filled, mean_and_deviation, option
from polygeom.experiments.style import COLOURS, SMALLEST, subplots
from polygeom.experiments.weights import keep_weights
from polygeom.learning.networks.analogy import (
    ENCODERS,
    AnalogyNetwork,
    ConvolutionalEncoder,
    SequenceScorer,
    choices_correct,
)
from polygeom.learning.networks.normalisation import KINDS, Normalisation
from polygeom.learning.training.loop import train
from polygeom.learning.training.settings import TrainingSettings

if TYPE_CHECKING:
    import pandas

RECURRENT = "layer-recurrent"
"""No normalisation of the codes; layer normalisation inside the LSTM."""
_LINES = ["regime", "normalisation", "encoder", "region"]
_LABELS = {"none": "no normalisation"}
_CANDIDATES = 7
_TOGETHER = 640


@dataclass(frozen=True)
class Options:
    """What to train and how."""

    regimes: tuple[str, ...] = option(vaec.REGIMES, "How the regions to test in differ.", choices=vaec.REGIMES)
    resolution: int = option(32, "Side of the images in pixels, a multiple of 16.")
    maps: int = option(16, "Channels of every convolution.")
    features: int = option(96, "Size of the code of an image, and of the dense layers.")
    hidden: int = option(96, "Size of the state of the LSTM.")
    steps: int = option(1500, "Updates of the weights.")
    batch_size: int = option(32, "Problems of one update, and of one batch when statistics of batches are used.")
    learning_rate: float = option(1e-3, "Of Adam.")
    tested: int = option(3000, "Problems of each region to test on, of 19 040 in random order.")


@dataclass(frozen=True)
class Config(Options):
    """What to train and how; every combination of encoder and normalisation is one case."""

    encoders: tuple[str, ...] = option(("plain", "polynomial"), "Kinds of encoder.", choices=ENCODERS)
    normalisations: tuple[str, ...] = option(
        ("context",), "Kinds of normalisation of the codes.", choices=(*KINDS, RECURRENT)
    )


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    """An encoder with a normalisation."""

    normalisation: str
    encoder: str


PRESETS = {
    "quick": Config(normalisations=("context", "none"), resolution=16, steps=110, tested=600),
    "small": Config(regimes=("scale",), resolution=16, maps=4, features=12, hidden=8, steps=10, tested=40),
    "reduced": Config(normalisations=("context", "none")),
    "published": Config(
        resolution=128, maps=32, features=256, hidden=256, steps=10_000, learning_rate=5e-4, tested=19_040
    ),
}


def cases(config: Config) -> list[Piece]:
    """One for each normalisation and encoder."""
    return [
        Piece.of(config, normalisation=normalisation, encoder=encoder)
        for normalisation in config.normalisations
        for encoder in config.encoders
    ]


def measure(case: Piece) -> list[dict[str, Any]]:
    """Train on region 0, which both regimes have in common; one row for each regime and region.

    Returns
    -------
    Rows with the per cent of right choices: ``accuracy``, and by the feature that varies ``x``, ``y``, ``size``,
    ``brightness``; and ``loss``, the mean of the last tenth of the training.
    """
    seed, device = case.seed, case.device
    problems = vaec.analogies(case.regimes[0], 0, rng=seed)
    solver = _Solver(_network(case).initialise(seed), case.resolution).to(device)
    solver.show(problems)
    settings = filled(TrainingSettings, case, record_every=max(1, case.steps // 10))
    numbers = _numbers(problems).to(device)
    targets = torch.zeros(len(numbers), dtype=torch.long, device=device)
    torch.manual_seed(seed)  # for dropout
    trained = train(solver, numbers, targets, settings, loss="cross_entropy", rng=seed)
    keep_weights(solver)
    tests = [vaec.analogies(name, region, rng=seed) for name in case.regimes for region in range(vaec.REGIONS)]
    return [_row(case, test, trained.loss, solver.correct(test, case.tested, case.batch_size)) for test in tests]


def _row(case: Piece, test: vaec.Analogies, loss: float, correct: np.ndarray) -> dict[str, Any]:
    row: dict[str, Any] = {"regime": test.regime, "normalisation": case.normalisation, "encoder": case.encoder}
    row |= {"region": test.region, "accuracy": 100 * correct.mean()}
    shown = test.feature[: len(correct)]
    row |= {name: 100 * correct[shown == k].mean() for k, name in enumerate(vaec.FEATURES) if (shown == k).any()}
    return row | {"loss": loss}


def _network(case: Piece) -> AnalogyNetwork:
    features, recurrent = case.features, case.normalisation == RECURRENT
    kind = "none" if recurrent else case.normalisation
    shape = (_CANDIDATES, 4) if kind == "running" else None
    return AnalogyNetwork(
        ConvolutionalEncoder(case.encoder, case.resolution, maps=case.maps, features=features),
        Normalisation(kind, features, shape=shape),
        SequenceScorer(features, case.hidden, layer_norm=recurrent),
    )


def _numbers(problems: vaec.Analogies) -> Tensor:
    """``(P, 10)``: numbers of the objects ``A``, ``B``, ``C`` and of the seven candidates, the right one first."""
    order = np.concatenate([problems.terms[:, :3], problems.candidates], axis=1)
    return torch.from_numpy(np.take_along_axis(problems.numbers, order, axis=1))


class _Solver(nn.Module):
    """A network on numbers of objects: all 2401 images of a region are rendered once, and an object that occurs several
    times in a batch is encoded once.
    """

    images: Tensor

    def __init__(self, network: AnalogyNetwork, resolution: int) -> None:
        super().__init__()
        self.network, self.resolution = network, resolution
        self.register_buffer("images", torch.empty(0), persistent=False)

    def show(self, problems: vaec.Analogies) -> None:
        """Take the images of the region of some problems."""
        rendered = vaec.render(vaec.region_objects(problems.regime, problems.region), self.resolution) / 255
        self.images = torch.from_numpy(rendered).to(self.images.device)

    def forward(self, numbers: Tensor) -> Tensor:
        """Scores ``(N, 7)`` of problems ``(N, 10)``."""
        used, place = torch.unique(numbers, return_inverse=True)
        return self.network.score(self.network.encoder(self.images[used])[place])

    @torch.no_grad()
    def correct(self, problems: vaec.Analogies, tested: int, batch_size: int) -> np.ndarray:
        """Which of the first ``tested`` problems are solved."""
        self.eval()
        self.show(problems)
        codes = torch.cat([self.network.encoder(part) for part in torch.split(self.images, _TOGETHER)])
        parts = torch.split(_numbers(problems)[:tested].to(codes.device), batch_size)
        return torch.cat([choices_correct(self.network.score(codes[part])) for part in parts]).cpu().numpy()


def plot(table: pandas.DataFrame) -> Any:
    """Accuracy by region, a panel for each regime: mean, and standard deviation over the seeds as bars."""
    regimes = list(table["regime"].unique())
    figure, panels = subplots(1, len(regimes), 2.9, sharey=True)
    for axes, regime in zip(panels[0], regimes, strict=True):
        _panel(axes, mean_and_deviation(table[table["regime"] == regime], _LINES, ["accuracy"]))
        axes.set_title(f"{regime} regime")
    panels[0, 0].set_ylabel("right choices in %")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _panel(axes: Any, means: pandas.DataFrame) -> None:
    kinds = list(means["normalisation"].unique())
    for number, (names, line) in enumerate(means.groupby(["normalisation", "encoder"], sort=False)):
        normalisation, encoder = map(str, names)
        axes.errorbar(
            line["region"] + 0.05 * (number - 1.5),  # bars beside each other
            line["accuracy_mean"],
            yerr=line["accuracy_std"].fillna(0),
            color=COLOURS[kinds.index(normalisation)],
            linestyle="-" if encoder == ENCODERS[0] else "--",
            marker="o" if encoder == ENCODERS[0] else "s",
            markersize=3,
            capsize=2,
            elinewidth=0.8,
            label=f"{_LABELS.get(normalisation, normalisation)}, {encoder}",
        )
    axes.axhline(100 / _CANDIDATES, color="0.6", linestyle=":", linewidth=1)
    beside = axes.get_yaxis_transform()
    axes.text(1.01, 100 / _CANDIDATES, "chance", color="0.3", fontsize=SMALLEST, va="center", transform=beside)
    axes.set(xlabel="region (0 is trained on)", xticks=range(vaec.REGIONS), ylim=(0, 102))


def summarise(table: pandas.DataFrame) -> str:
    """Mean ± standard deviation by region, one line for each network."""
    means = mean_and_deviation(table, _LINES, ["accuracy"])
    lines = ["Right choices in %, regions 0 (trained on) to 5; chance is 14.3."]
    for names, line in means.groupby(_LINES[:-1], sort=False):
        spread = [
            f"{mean:.1f}" + ("" if repeats == 1 else f" ± {std:.1f}")
            for mean, std, repeats in zip(line["accuracy_mean"], line["accuracy_std"], line["repeats"], strict=True)
        ]
        lines.append(f"{', '.join(map(str, names))}: {'  '.join(spread)}")
    return "\n".join(lines)


STUDY = Study(
    "visual-analogy",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    any_device=True,
    trains=True,
)
