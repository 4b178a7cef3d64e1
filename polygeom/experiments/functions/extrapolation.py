"""What networks with Hadamard products compute outside the region they were trained in, next to ReLU networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from polygeom._dataclass import dataclass
from polygeom.datasets.functions import TARGETS
from polygeom.datasets.regions import SHAPES, SIGNS
from polygeom.experiments.own import is_own
from polygeom.experiments.study import Case, Needs, Study, filled, mean_and_deviation, option
from polygeom.experiments.style import COLOURS, SMALLEST, subplots
from polygeom.experiments.weights import keep_weights

if TYPE_CHECKING:
    import numpy
    import pandas
    from torch import nn

    from polygeom.datasets.sampling import FunctionData

MODELS = (
    *("ccp", "ccp-relu", "product", "product-relu", "ncp", "ncp-relu", "pooled", "pooled-relu"),
    *("mlp", "mlp-tanh", "mlp-sin"),
)
_ROUNDING = 1e-8
"""Relative errors below are those of arithmetic, not of learning."""
EDGES = (0.0, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0)
"""Of the bands of distance, relative to the size of the training region."""


_PRODUCTS = Needs("models", pattern=r"^(?!mlp)", words="a network with products")
_PERCEPTRON = Needs("models", pattern=r"^mlp", words="a perceptron")


@dataclass(frozen=True)
class Options:
    """A target, where it is seen and where it is asked for, and how networks learn it."""

    target: str = option("cubic", "Function to learn.", choices=TARGETS)
    inputs: int = option(1, "Number of input coordinates.")
    terms: int = option(
        5,
        "Random terms of periodic targets, hidden units of targets act….",
        needs=Needs("target", pattern=r"^(periodic|act)", words="a periodic target or a network act…"),
    )
    coefficient_range: float = option(
        1.0,
        "Bound of the target's random coefficients.",
        needs=Needs(
            "target", pattern=r"^(linear|linear_plain|quadratic|mix|periodic.*|act.*)$", words="random coefficients"
        ),
    )
    offset_range: float = option(
        1.0, "Bound of the random offset of linear targets.", needs=Needs("target", ("linear",))
    )
    train_shape: str = option("cube", "Region of the training inputs.", choices=SHAPES)
    test_shape: str = option("cube", "Region of the test inputs.", choices=SHAPES)
    train_radius: float = option(2.5, "Size of the training region (times pi for periodic targets).")
    test_radius: float = option(5.0, "Size of the test region.")
    train: int = option(1000, "Training samples.")
    test: int = option(1000, "Test samples.")
    sign: str = option("no", "Restriction of the training inputs.", choices=SIGNS)
    fixed: int = option(
        1,
        "How many coordinates the restriction is about.",
        needs=Needs("sign", pattern=r"^(?!no$)", words="a restriction"),
    )
    noise: float = option(0.0, "Variance of the noise on training labels.")
    width: int = option(16, "Hidden width of the networks with products.", needs=_PRODUCTS)
    bias: bool = option(
        True,
        "Biases in CCP and NCP networks.",
        needs=Needs("models", pattern=r"^(ccp|ncp)", words="a CCP or NCP network"),
    )
    initialisation: str = option(
        "uniform", "Initial weights.", choices=("uniform", "kaiming", "variance2", "standard", "normal", "unit")
    )
    optimiser: str = option("adam", "Optimiser.", choices=("adam", "adamw", "sgd", "adadelta"))
    learning_rate: float = option(3e-3, "Learning rate of networks with products.", needs=_PRODUCTS)
    weight_decay: float = option(0.0, "Weight decay.")
    batch_size: int | None = option(None, "Samples of a step of networks with products; none for all.", needs=_PRODUCTS)
    steps: int = option(2000, "Steps of training.")
    schedule: str = option("constant", "Schedule of the learning rate.", choices=("constant", "linear", "step"))
    step_size: int = option(1000, "Steps between two drops, for the schedule step.", needs=Needs("schedule", ("step",)))
    mlp_width: int = option(128, "Hidden width of the perceptrons.", needs=_PERCEPTRON)
    mlp_layers: int = option(4, "Affine maps of the perceptrons.", needs=_PERCEPTRON)
    mlp_bias: bool = option(True, "Biases in the perceptrons.", needs=_PERCEPTRON)
    mlp_learning_rate: float = option(1e-3, "Learning rate of the perceptrons.", needs=_PERCEPTRON)
    mlp_batch_size: int | None = option(128, "Samples of a step of the perceptrons; none for all.", needs=_PERCEPTRON)
    directions: int = option(0, "Rays on which the degree far outside is measured; 0 for none.")
    ray_degrees: tuple[int, ...] = option(
        (1, 2, 3), "Degrees of the polynomials fitted along rays.", needs=Needs("directions")
    )


@dataclass(frozen=True)
class Config(Options):
    """A target, where it is seen and where it is asked for, and the networks that learn it."""

    models: tuple[str, ...] = option(("ccp", "ncp", "ccp-relu", "mlp"), "Networks.", choices=MODELS, own=True)
    degrees: tuple[int, ...] = option((3,), "Degrees of the networks with products.", needs=_PRODUCTS)


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    """A network of one degree."""

    model: str
    degree: int


_PUBLISHED = Config(
    models=("ccp",), width=1, train=200_000, learning_rate=1e-4, weight_decay=1e-3, batch_size=512, steps=15_600
)
_COSINE = Config(
    target="cos2x", degrees=(10,), train_radius=2.356194490192345, test_radius=4.71238898038469, models=("ccp", "mlp"),
    initialisation="unit", learning_rate=1e-3, steps=4000, schedule="linear",
)  # fmt: skip
PRESETS = {
    "quick": Config(),
    "small": Config(models=("ccp", "mlp"), train=100, test=200, steps=300, mlp_width=16),
    "published": _PUBLISHED,
    "cosine": _COSINE,
    "cosine-published": replace(
        _PUBLISHED, target="cos2x", degrees=(10,), train_radius=_COSINE.train_radius, test_radius=_COSINE.test_radius
    ),
    "quadratic": Config(
        target="square", inputs=2, train_shape="sector", test_shape="sector", train_radius=2.0, test_radius=5.0,
        models=("product", "product-relu", "mlp"), degrees=(2,), width=128, directions=100,
    ),
    "quadratic-quarter": Config(
        target="square", inputs=2, train_shape="sector", test_shape="sector", train_radius=2.0, test_radius=5.0,
        sign="2p", models=("product", "product-relu", "mlp"), degrees=(2,), width=128, directions=100,
    ),
    "linear": Config(
        target="linear", inputs=8, coefficient_range=10.0, train_radius=5.0, test_radius=50.0, models=("mlp",),
        directions=100, train=4000,
    ),
    "linear-one-sided": Config(
        target="linear", inputs=8, coefficient_range=10.0, train_radius=5.0, test_radius=50.0, models=("mlp",),
        directions=100, train=4000, sign="p", fixed=8,
    ),
}  # fmt: skip
REPEATS = {"quick": 1, "published": 1}


def cases(config: Config) -> list[Piece]:
    """One for each network, and for each degree of those that have one."""
    return [
        Piece.of(config, model=model, degree=degree)
        for model in config.models
        for degree in ((0,) if model.startswith("mlp") or is_own(model) else config.degrees)
    ]


def measure(case: Piece) -> list[dict[str, Any]]:
    """Train one network and compare it with the target: rows with ``quantity``, ``at`` and ``value``."""
    import torch

    from polygeom.datasets.sampling import FunctionSettings, function_data
    from polygeom.learning.training.loop import train
    from polygeom.learning.training.settings import TrainingSettings

    seed, device = case.seed, case.device
    data = function_data(filled(FunctionSettings, case))
    perceptron = case.model.startswith("mlp")
    outputs = data.labels["train"].shape[1]
    module = make_model(case, outputs).to(device)
    own = {"learning_rate": case.mlp_learning_rate, "batch_size": case.mlp_batch_size} if perceptron else {}
    settings = filled(TrainingSettings, case, record_every=max(case.steps // 10, 1), **own)
    inputs, labels = (torch.tensor(part["train"], device=device) for part in (data.inputs, data.labels))
    result = train(module, inputs, labels, settings, rng=seed)
    keep_weights(module)

    @torch.no_grad()
    def predict(x: numpy.ndarray) -> numpy.ndarray:
        value: numpy.ndarray = module(torch.tensor(x, device=device)).cpu().numpy()
        return value

    module.eval()
    names = {"model": case.model, "degree": case.degree, "parameters": sum(p.numel() for p in module.parameters())}
    found = [("loss", None, result.loss), *_errors(predict, data), *_rays(predict, case)]
    return [{**names, "quantity": quantity, "at": at, "value": value} for quantity, at, value in found]


def make_model(case: Piece, outputs: int = 1) -> nn.Module:
    """The network of a case, in float64."""
    from polygeom.learning.networks.hadamard import Perceptron, PooledHadamardNetwork, hadamard_network
    from polygeom.learning.networks.initialisation import initialise

    if is_own(case.model):
        from polygeom.experiments.own import own_module

        return own_module(case.model, (case.inputs,), outputs, case.seed).double()
    kind, _, activation = case.model.partition("-")
    if kind == "mlp":
        scale = case.mlp_width**-0.5 if case.initialisation == "variance2" else 1.0
        look: dict[str, Any] = {"activation": activation or "relu", "bias": case.mlp_bias, "hidden_scale": scale}
        perceptron = Perceptron(case.inputs, case.mlp_width, case.mlp_layers, outputs, **look).double()
        return initialise(perceptron, "uniform" if case.initialisation == "unit" else case.initialisation, case.seed)
    own = activation or "identity"
    general = "normal" if case.initialisation == "unit" else case.initialisation  # where nothing can be calibrated
    if kind == "pooled":
        pooled = PooledHadamardNetwork(case.inputs, case.width, case.degree, outputs, activation=own)
        return initialise(pooled.double(), general, case.seed)
    how: dict[str, Any] = {"initialisation": general if activation else case.initialisation, "rng": case.seed}
    return hadamard_network(kind, case.inputs, case.width, case.degree, outputs, activation=own, bias=case.bias, **how)


_Found = tuple[str, float | None, float]


def _errors(predict: Any, data: FunctionData) -> list[_Found]:
    """Errors inside and outside the training region, by distance, and for one input the curve itself."""
    import numpy as np

    from polygeom.datasets.functions import range_unit
    from polygeom.learning.functions.extrapolation import errors_by_distance, median_percentage_error, relative_error

    x, truth = data.inputs["test"], data.labels["test"]
    prediction = predict(x)
    size = data.settings.train_radius * range_unit(data.settings.target)
    size = size**0.5 if data.settings.train_shape == "sector" else size
    length = np.abs(x).max(axis=1) if data.settings.train_shape == "cube" else np.linalg.norm(x, axis=1)
    outside = length > size
    found: list[_Found] = []
    for name, chosen in (("inside", ~outside), ("outside", outside)):
        if chosen.any():
            scale = float(truth[chosen].std()) or 1.0
            found.append((f"error {name}", None, relative_error(prediction[chosen], truth[chosen], scale)))
            found.append((f"mape {name}", None, median_percentage_error(prediction[chosen], truth[chosen])))
    bands = errors_by_distance(prediction, truth, length / size, EDGES)
    found += [("error by distance", edge, value) for edge, value in bands.items()]
    if data.settings.inputs == 1:
        curve = np.linspace(x.min(), x.max(), 101)
        for name, values in (("truth", data.target(curve[:, None])), ("curve", predict(curve[:, None]))):
            found += [(name, float(at), float(value)) for at, value in zip(curve, values[:, 0], strict=True)]
        found += [("size", None, size)]
    return found


def _rays(predict: Any, case: Piece) -> list[_Found]:
    """The median R² of polynomials fitted along rays outside the region of the training data."""
    if not case.directions:
        return []
    import numpy as np

    from polygeom.learning.functions.extrapolation import directional_r2

    radius, length = case.train_radius, 10 * case.test_radius
    if case.train_shape == "sector":
        radius, length = radius**0.5, 10.0
    how: dict[str, Any] = {"shape": "cube" if case.train_shape == "cube" else "ball", "directions": case.directions}
    how |= {"radius": radius, "length": length, "degrees": case.ray_degrees, "rng": case.seed}
    r2 = directional_r2(lambda x: predict(x)[:, 0], case.inputs, **how)
    return [("ray R2", float(d), float(np.median(row))) for d, row in zip(case.ray_degrees, r2, strict=True)]


def summarise(table: pandas.DataFrame) -> str:
    """Errors inside and outside for every network, mean ± deviation over the repeats."""
    chosen = table[table["quantity"].isin(["error inside", "error outside", "mape outside", "ray R2"])]
    means = mean_and_deviation(chosen, ["model", "degree", "quantity", "at"], ["value"]).to_dict("records")
    lines = ["root mean square error over the standard deviation of the truth, mean ± deviation over the seeds:"]
    for name in dict.fromkeys(_name(row["model"], row["degree"]) for row in means):
        own = [row for row in means if _name(row["model"], row["degree"]) == name]
        lines.append(f"  {name}: " + ", ".join(_cell(row) for row in own))
    return "\n".join(lines)


def _cell(row: Mapping[Any, Any]) -> str:
    degree = f" (degree {row['at']:.0f})" if row["quantity"] == "ray R2" else ""
    deviation = f" ± {row['value_std']:.1g}" if row["repeats"] > 1 else ""
    return f"{row['quantity']}{degree} {row['value_mean']:.3g}{deviation}"


def _name(model: str, degree: int) -> str:
    return model if model.startswith("mlp") else f"{model} degree {degree}"


def plot(table: pandas.DataFrame) -> Any:
    """Left: the curves of the first seed (for one input). Right: error by distance from the training region."""
    curves = table[table["quantity"].isin(["truth", "curve"]) & (table["seed"] == table["seed"].min())]
    columns = 1 if curves.empty else 2
    figure, axes = subplots(1, columns, 2.9)
    groups = list(dict.fromkeys(zip(table["model"], table["degree"], strict=True)))
    colours = {group: COLOURS[i % len(COLOURS)] for i, group in enumerate(groups)}
    if not curves.empty:
        _draw_curves(axes[0, 0], table, curves, colours)
    _draw_errors(axes[0, -1], table[table["quantity"] == "error by distance"], colours)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def _draw_curves(ax: Any, table: pandas.DataFrame, curves: pandas.DataFrame, colours: dict[Any, str]) -> None:
    truth = curves[curves["quantity"] == "truth"].drop_duplicates("at")
    size = float(table.loc[table["quantity"] == "size", "value"].iloc[0])
    ax.axvspan(-size, size, color="0.93", zorder=0)
    ax.plot(truth["at"], truth["value"], color="black", linewidth=5, alpha=0.25, label="truth")
    for (model, degree), colour in colours.items():
        part = curves[(curves["quantity"] == "curve") & (curves["model"] == model) & (curves["degree"] == degree)]
        ax.plot(part["at"], part["value"], color=colour, label=_name(model, degree), linewidth=1.5)
    low, high = truth["value"].min(), truth["value"].max()
    ax.set_ylim(low - 0.3 * (high - low), high + 0.3 * (high - low))
    ax.set_xlabel("x (shaded: training interval)")
    ax.set_ylabel("value")


def _draw_errors(ax: Any, errors: pandas.DataFrame, colours: dict[Any, str]) -> None:
    """Curves; those that are the target up to rounding are told in words, and leave the scale to the others."""
    exact = []
    for (model, degree), colour in colours.items():
        part = errors[(errors["model"] == model) & (errors["degree"] == degree)]
        by_band = part.groupby("at")["value"]
        mean = by_band.mean()
        if len(mean) and mean.max() < _ROUNDING:
            exact.append((f"{_name(model, degree)}: below {mean.max():.0e}", colour))
            continue
        ax.plot(mean.index, mean, marker="o", markersize=4, color=colour, label=_name(model, degree))
        ax.fill_between(mean.index, by_band.min(), by_band.max(), color=colour, alpha=0.15, linewidth=0)
    ax.axvline(1.0, color="0.7", linestyle=":")
    ax.set_yscale("log")
    ax.set_xlabel("distance / size of the training region")
    ax.set_ylabel("error / deviation of the truth")
    for number, (text, colour) in enumerate(exact):
        look = {"transform": ax.transAxes, "color": colour, "ha": "right", "fontsize": SMALLEST}
        ax.text(0.97, 0.04 + 0.09 * number, f"{text} \u2193", **look)


STUDY = Study(
    "extrapolation",
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
