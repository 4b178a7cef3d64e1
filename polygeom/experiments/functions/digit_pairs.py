"""Adding two digits from their images, for pairs of digits never seen together in training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from polygeom._dataclass import dataclass
from polygeom.experiments.images import DigitOptions
from polygeom.experiments.own import is_own
from polygeom.experiments.study import SGD, Case, Needs, Study, filled, mean_and_deviation, option
from polygeom.experiments.style import COLOURS, subplots
from polygeom.experiments.weights import keep_weights

if TYPE_CHECKING:
    import numpy
    import pandas

MODELS = ("mlp", "pooled", "pooled-relu", "ccp", "ccp-relu", "ncp")
RULES = ("round", "floor or ceil", "leeway")


_MNIST = Needs("source", ("mnist",))
_POOLED = Needs("models", ("pooled", "pooled-relu"))


@dataclass(frozen=True)
class Options(DigitOptions):
    """Which images, and how networks are trained."""

    images: int | None = option(None, "Take only the first so many images; none for all.")
    train: int = option(10_000, "Training samples.")
    test: int = option(2_000, "Test samples of seen, and of unseen pairs.")
    unseen: int = option(10, "Ordered pairs of digits, of 100, kept for the test.")
    mlp_layers: int = option(5, "Affine maps of the perceptron.", needs=Needs("models", ("mlp",)))
    width: int = option(128, "Hidden width.")
    inner_bias: bool = option(True, "Biases of the hidden maps of pooled networks.", needs=_POOLED)
    last_bias: bool = option(True, "Bias of their output.", needs=_POOLED)
    batch_norm: bool = option(
        False,
        "Normalise before activations (perceptron and pooled networks).",
        needs=Needs("models", ("mlp", "pooled", "pooled-relu")),
    )
    optimiser: str = option("adam", "Optimiser.", choices=("adam", "adamw", "sgd", "adadelta"))
    learning_rate: float = option(1e-3, "Learning rate.")
    momentum: float = option(0.0, "Momentum of sgd.", needs=SGD)
    nesterov: bool = option(False, "Nesterov's momentum.", needs=SGD)
    weight_decay: float = option(1e-5, "Weight decay.")
    batch_size: int = option(128, "Samples of a step.")
    steps: int = option(2000, "Steps of training.")
    schedule: str = option("linear", "Schedule of the learning rate.", choices=("constant", "linear"))


@dataclass(frozen=True)
class Config(Options):
    """Which networks, on which images, and how they are trained."""

    models: tuple[str, ...] = option(("mlp", "pooled-relu", "ccp"), "Networks.", choices=MODELS, own=True)
    degrees: tuple[int, ...] = option(
        (2, 3),
        "Degrees of CCP and NCP networks.",
        needs=Needs("models", ("ccp", "ccp-relu", "ncp")),
    )
    pooled_degree: int = option(4, "Degree of the networks with pooled skips.", needs=_POOLED)


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    """A network of one degree."""

    model: str
    degree: int


PRESETS = {
    "quick": Config(),
    "small": Config(models=("mlp", "ccp"), degrees=(2,), train=1000, test=200, width=32, steps=300),
    "published": Config(
        source="mnist", models=("mlp", "pooled", "pooled-relu"), width=256, train=60_000, steps=46_900, optimiser="sgd",
        learning_rate=1e-4, momentum=0.9, nesterov=True, schedule="constant",
    ),
}  # fmt: skip
PRESETS["mnist"] = replace(PRESETS["quick"], source="mnist", images=10_000)
REPEATS = {"published": 3, "mnist": 3}


def cases(config: Config) -> list[Piece]:
    """One for each network and degree."""
    degrees = {"mlp": (0,), "pooled": (config.pooled_degree,), "pooled-relu": (config.pooled_degree,)}
    return [
        Piece.of(config, model=model, degree=degree)
        for model in config.models
        for degree in ((0,) if is_own(model) else degrees.get(model, config.degrees))
    ]


def accuracies(prediction: numpy.ndarray, sums: numpy.ndarray) -> dict[str, float]:
    """Percentages by the three rules: the rounded prediction is the sum; one of its two neighbours is; it is off by at
    most one.

    Examples
    --------
    >>> import numpy
    >>> accuracies(numpy.array([3.4, 5.6, 8.6]), numpy.array([3.0, 5.0, 10.0]))
    {'round': 33.3..., 'floor or ceil': 66.6..., 'leeway': 100.0}
    """
    import numpy as np

    rounded = np.rint(prediction)
    beside = (np.floor(prediction) == sums) | (np.ceil(prediction) == sums)
    hits = (rounded == sums, beside, np.abs(rounded - sums) <= 1)
    return {rule: float(100 * hit.mean()) for rule, hit in zip(RULES, hits, strict=True)}


def measure(case: Piece) -> list[dict[str, Any]]:
    """Train one network; its accuracies on seen and unseen pairs, and those of the median sum."""
    import numpy as np
    import torch

    from polygeom.datasets.digit_pairs import digit_pairs
    from polygeom.learning.training.loop import train
    from polygeom.learning.training.settings import TrainingSettings

    seed = case.seed
    images = case.digits()
    images = images if case.images is None else images.take(slice(case.images))
    data = digit_pairs(images, train=case.train, test=case.test, unseen=case.unseen, rng=seed)
    kind: dict[str, Any] = {"dtype": torch.float32, "device": case.device}
    module = _model(case, data["train"].inputs.shape[1]).to(**kind)
    sgd_alone = () if case.optimiser == "sgd" else ("momentum", "nesterov")
    settings = filled(TrainingSettings, case, *sgd_alone, record_every=max(case.steps // 10, 1))
    # Centred sums keep the first steps of networks of high degree small; the mean is added to the predictions.
    mean = float(data["train"].sums.mean())
    x, y = (torch.tensor(array, **kind) for array in (data["train"].inputs, data["train"].sums - mean))
    train(module, x, y, settings, rng=seed)
    keep_weights(module)
    module.eval()
    rows = []
    for pairs in ("seen", "unseen"):
        with torch.no_grad():
            prediction = module(torch.tensor(data[pairs].inputs, **kind)).double().cpu().numpy() + mean
        prediction = prediction.reshape(data[pairs].sums.shape)
        found = accuracies(prediction, data[pairs].sums)
        constant = accuracies(np.full_like(prediction, np.median(data["train"].sums)), data[pairs].sums)
        for rule in RULES:
            own = {"model": case.model, "degree": case.degree, "pairs": pairs, "rule": rule}
            rows.append({**own, "accuracy": found[rule], "constant": constant[rule]})
    return rows


def _model(case: Piece, inputs: int) -> Any:
    from polygeom.learning.networks.hadamard import Perceptron, PooledHadamardNetwork, hadamard_network
    from polygeom.learning.networks.initialisation import initialise

    if is_own(case.model):
        from polygeom.experiments.own import own_module

        return own_module(case.model, (inputs,), 1, case.seed)
    kind, _, activation = case.model.partition("-")
    if kind == "mlp":
        perceptron = Perceptron(inputs, case.width, case.mlp_layers, batch_norm=case.batch_norm)
        return initialise(perceptron, "uniform", case.seed)
    if kind == "pooled":
        biases = {"inner_bias": case.inner_bias, "last_bias": case.last_bias, "batch_norm": case.batch_norm}
        pooled = PooledHadamardNetwork(inputs, case.width, case.degree, activation=activation or "identity", **biases)
        return initialise(pooled, "uniform", case.seed)
    return hadamard_network(kind, inputs, case.width, case.degree, activation=activation or "identity", rng=case.seed)


def summarise(table: pandas.DataFrame) -> str:
    """Percentages for every network, mean ± deviation over the seeds."""
    means = mean_and_deviation(table, ["model", "degree", "pairs", "rule"], ["accuracy", "constant"]).to_dict("records")
    lines = [f"percent right ({', '.join(RULES)}), mean ± deviation over the seeds:"]
    for key in dict.fromkeys((row["model"], row["degree"], row["pairs"]) for row in means):
        own = [row for row in means if (row["model"], row["degree"], row["pairs"]) == key]
        cells = [
            f"{row['accuracy_mean']:.1f}" + (f" ± {row['accuracy_std']:.1f}" if row["repeats"] > 1 else "")
            for row in own
        ]
        lines.append(f"  {_name(key[0], key[1])}, {key[2]} pairs: " + ", ".join(cells))
    constant = [row["constant_mean"] for row in means[3:6]]
    return "\n".join(
        [*lines, "  median of the training sums, unseen pairs: " + ", ".join(f"{value:.1f}" for value in constant)]
    )


def _name(model: str, degree: int) -> str:
    return f"{model} degree {degree}" if degree else model


def plot(table: pandas.DataFrame) -> Any:
    """Bars for each rule on seen and unseen pairs, with the range over the seeds."""
    figure, (axes,) = subplots(1, 2, 2.7, sharey=True)
    groups = list(dict.fromkeys(zip(table["model"], table["degree"], strict=True)))
    for ax, pairs in zip(axes, ("seen", "unseen"), strict=True):
        part = table[table["pairs"] == pairs]
        for i, (model, degree) in enumerate(groups):
            own = part[(part["model"] == model) & (part["degree"] == degree)].groupby("rule", sort=False)["accuracy"]
            at = [j + (i - (len(groups) - 1) / 2) * 0.8 / len(groups) for j in range(len(RULES))]
            error = [own.mean() - own.min(), own.max() - own.mean()]
            look = {"color": COLOURS[i % 7], "capsize": 2, "error_kw": {"lw": 0.8}, "label": _name(model, degree)}
            ax.bar(at, own.mean(), 0.8 / len(groups), yerr=error, **look)
        for j, rule in enumerate(RULES):
            level = part.loc[part["rule"] == rule, "constant"].mean()
            ax.plot([j - 0.4, j + 0.4], [level, level], color="black", linestyle=":", linewidth=1.2)
        ax.set_xticks(range(len(RULES)), RULES)
        ax.set_title(f"{pairs} pairs of digits (dotted: a constant)")
    axes[0].set_ylabel("percent right")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


STUDY = Study(
    "digit-pairs",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    repeats=REPEATS,
    any_device=True,
    trains=True,
)
