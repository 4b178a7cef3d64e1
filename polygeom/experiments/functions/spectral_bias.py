"""Which frequency is learned when: spherical harmonics under gradient descent, for Π-nets of several degrees."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.experiments.images import DigitOptions
from polygeom.experiments.study import NO_DATA, Case, Needs, Study, option
from polygeom.experiments.style import COLOURS, DASHES, subplots
from polygeom.experiments.weights import keep_weights

if TYPE_CHECKING:
    import numpy
    import pandas

    from polygeom.learning.kernels.algebra import Kernel

MODELS = ("ccp", "product")


_MNIST = Needs("source", ("mnist",))


@dataclass(frozen=True)
class Options(DigitOptions):
    """The target, and how it is learned."""

    source: str = option(
        "sphere", "Inputs: uniform, or images on a sphere.", choices=("sphere", "digits", "mnist"),
        needs=NO_DATA,
    )  # fmt: skip
    samples: int = option(1000, "Number of inputs.")
    dimension: int = option(3, "The inputs are on the unit sphere of this many dimensions.")
    frequencies: tuple[int, ...] = option((1, 3, 4), "Degrees of the harmonics.")
    amplitude: float = option(1.0, "Root mean square of each harmonic in the target (for images, beside labels +-1).")
    model: str = option("ccp", "Kind of network; all have ReLU and no biases.", choices=MODELS)
    width: int = option(512, "Hidden width of the real networks.", needs=Needs("network"))
    steps: int = option(400, "Steps of gradient descent.", needs=Needs("network"))
    horizon: float = option(1e6, "Last moment of gradient flow, in steps.", needs=Needs("flow"))
    rate: float = option(0.5, "Learning rate times K(1).")
    published_variant: bool = option(
        False, "Harmonics of order (d-1)/2, not normalised; the learning rate is --rate itself; f(0) is not subtracted."
    )


@dataclass(frozen=True)
class Config(Options):
    """The target, the networks, and whether the limit of infinite width or a real network learns it."""

    degrees: tuple[int, ...] = option((1, 3, 6), "Degrees; 1 is the plain network with one hidden layer.")
    flow: bool = option(True, "The limit of infinite width: gradient flow with the tangent kernel.")
    network: bool = option(True, "Real networks, by gradient descent.")


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    """A degree, in the limit or by a real network."""

    way: str
    degree: int


PRESETS = {
    "quick": Config(),
    "small": Config(samples=100, width=128, steps=60, frequencies=(1, 2), degrees=(1, 2)),
    "published": Config(
        dimension=10, frequencies=(1, 3, 4, 5, 8, 12), amplitude=0.1, degrees=(3, 6, 9), flow=False, width=32768,
        steps=30_000, rate=0.0016, published_variant=True,
    ),
    "flow": Config(dimension=10, degrees=(1, 3, 6, 9), frequencies=(1, 3, 4, 5), network=False),
    "network": Config(width=2048, steps=800),
    "digits": Config(source="digits", dimension=10, network=False, frequencies=(1, 2, 3, 4), amplitude=0.5),
    "mnist": Config(source="mnist", dimension=10, network=False, frequencies=(1, 2, 3, 4), amplitude=0.5),
}  # fmt: skip
REPEATS = {"quick": 1, "flow": 3, "digits": 3, "mnist": 3}


def cases(config: Config) -> list[Piece]:
    """One for each degree, in the limit and for real networks."""
    ways = [way for way in ("flow", "network") if getattr(config, way)]
    if not ways:
        raise PolygeomError("flow and network are both off; write --flow or --network")
    without = {"flow": ("width", "steps"), "network": ("horizon",)}
    return [Piece.of(config, *without[way], way=way, degree=degree) for way in ways for degree in config.degrees]


def harmonic(t: numpy.ndarray, degree: int, dimension: int, *, published: bool = False) -> numpy.ndarray:
    r"""The zonal harmonic ``\sqrt{N(d,k)} C_k^{(a)}(t) / C_k^{(a)}(1)``, ``a = (d-2)/2``, of root mean square 1.

    ``N(d, k)`` is the dimension of the space of harmonics of degree ``k`` on the unit sphere of ``R^d``; the mean is
    over ``t = <x, z>`` with ``x`` uniform on that sphere. With ``published`` it is ``C_k^{((d-1)/2)}(t)``, a mixture of
    the degrees ``k, k-2, …`` on this sphere.

    Examples
    --------
    >>> import numpy
    >>> harmonic(numpy.array([0.5, 1.0]), 1, 3)
    array([0.8660254 , 1.73205081])
    """
    from scipy.special import eval_gegenbauer

    if dimension < 3 or degree < 1:
        raise PolygeomError(f"dimension must be at least 3 and frequencies at least 1, got {dimension} and {degree}")
    if published:
        return eval_gegenbauer(degree, (dimension - 1) / 2, t)  # type: ignore[no-any-return]
    from polygeom.learning.kernels.sphere import multiplicities

    order = (dimension - 2) / 2
    size = math.sqrt(multiplicities(dimension, degree)[degree]) / eval_gegenbauer(degree, order, 1.0)
    return size * eval_gegenbauer(degree, order, t)  # type: ignore[no-any-return]


def problem(config: Options, seed: int) -> tuple[numpy.ndarray, numpy.ndarray, dict[str, numpy.ndarray]]:
    """Inputs ``(N, d)`` on the sphere, the target ``(N,)``, and its parts by name: labels, and one per frequency."""
    import numpy as np

    generator = np.random.default_rng(seed)
    components = {}
    on_sphere = config.source == "sphere" and config.data is None
    if on_sphere:
        x = generator.standard_normal((config.samples, config.dimension))
    else:
        x, components["labels"] = _images(config, generator)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for frequency in config.frequencies:
        z = generator.standard_normal(config.dimension)
        wave = harmonic(x @ (z / np.linalg.norm(z)), frequency, config.dimension, published=config.published_variant)
        if not on_sphere:
            wave /= np.sqrt(np.mean(wave**2))
        components[f"k={frequency}"] = config.amplitude * wave
    return x, sum(components.values(), np.zeros(len(x))), components


def _images(config: Options, generator: numpy.random.Generator) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Leading principal components of images, and labels: 1 for digits up to 4, otherwise -1."""
    import numpy as np

    data = config.digits()
    if config.samples > len(data.labels):
        raise PolygeomError(f"samples must be at most {len(data.labels)}, the number of images, got {config.samples}")
    chosen = generator.permutation(len(data.labels))[: config.samples]
    flat = data.inputs[chosen].reshape(len(chosen), -1).astype(float)
    flat -= flat.mean(axis=0)
    scores = np.linalg.svd(flat, full_matrices=False)[0][:, : config.dimension]  # whitened
    return scores, np.where(data.labels[chosen] <= 4, 1.0, -1.0)


def measure(case: Piece) -> list[dict[str, Any]]:
    """How much of each component is left at which moment, and when half of it is."""
    import numpy as np
    import torch

    from polygeom.learning.kernels.product_kernels import CoupledKernel, ProductKernel

    x, target, components = problem(case, case.seed)
    kernel = (CoupledKernel if case.model == "ccp" else ProductKernel)(case.degree)
    one = torch.eye(case.dimension, dtype=torch.float64)[:1]
    height = 1.0 if case.published_variant else kernel(one, one).item()
    projector = np.linalg.pinv(np.stack(list(components.values()), axis=1))
    if case.way == "flow":
        found = _flow(case, kernel, height, x, target, projector)
    else:
        found = _descent(case, height, x, target, projector)
    own = {"way": case.way, "degree": case.degree}
    rows = [
        {**own, "component": name, "quantity": "left", "at": float(t), "value": float(value)}
        for t, left in zip(*found, strict=True)
        for name, value in zip(components, left, strict=True)
    ]
    halves = half_times(*found)
    return rows + [
        {**own, "component": name, "quantity": "half-time", "at": None, "value": half}
        for name, half in zip(components, halves, strict=True)
    ]


def half_times(moments: numpy.ndarray, left: numpy.ndarray) -> list[float]:
    """When each column of ``left`` first falls to half of its beginning, interpolated; infinite if it never does."""
    import numpy as np

    found = []
    for column in (left / left[0]).T:
        below = np.nonzero(column <= 0.5)[0]
        if not len(below) or below[0] == 0:
            found.append(math.inf)
            continue
        i = below[0]
        share = (column[i - 1] - 0.5) / (column[i - 1] - column[i])
        found.append(float(moments[i - 1] + share * (moments[i] - moments[i - 1])))
    return found


def _flow(
    case: Piece, kernel: Kernel, height: float, x: numpy.ndarray, target: numpy.ndarray, projector: Any
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Gradient flow ``r(t) = exp(-c K t / n) r(0)``, in the time of gradient descent on the mean squared error."""
    import numpy as np
    import torch

    points = torch.tensor(x)
    values, vectors = np.linalg.eigh(kernel(points, points).numpy())
    start = vectors.T @ target
    moments = np.concatenate([[0.0], np.geomspace(0.1, case.horizon, 1000)])
    speed = 2 * case.rate / (height * len(x))
    decay = np.exp(-np.outer(moments, np.maximum(values, 0)) * speed)
    return moments, (decay * start) @ (projector @ vectors).T


def _descent(case: Piece, height: float, x: Any, target: Any, projector: Any) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Gradient descent on a real network; the table of a training, with the coefficients of the residual."""
    import numpy as np
    import torch

    from polygeom.learning.networks.hadamard import hadamard_network
    from polygeom.learning.training.loop import train
    from polygeom.learning.training.settings import TrainingSettings

    kind: dict[str, Any] = {"dtype": torch.float32, "device": case.device}
    module = hadamard_network(
        case.model, case.dimension, case.width, case.degree, activation="relu", bias=False, initialisation="standard",
        rng=case.seed, **kind,
    )  # fmt: skip
    points, wanted = torch.tensor(x, **kind), torch.tensor(target[:, None], **kind)
    if not case.published_variant:
        with torch.no_grad():
            wanted = wanted + module(points)  # the residual is then that of f - f(0)
    back = torch.tensor(projector, **kind)
    left: list[Any] = []

    def note(module: Any) -> float:
        left.append((back @ (wanted - module(points))[:, 0]).double().cpu().numpy())
        return 0.0

    settings = TrainingSettings(
        case.steps, optimiser="sgd", learning_rate=case.rate / height, record_every=max(case.steps // 100, 1)
    )
    table = train(module, points, wanted, settings, metrics={"noted": note}).table
    keep_weights(module)
    return table["step"].to_numpy(dtype=float), np.array(left)


def summarise(table: pandas.DataFrame) -> str:
    """Half-times, the median over the seeds, for every degree and component; and what the networks leave in the end."""
    lines = ["time until half of a component is learned, in steps of gradient descent (median over the seeds):"]
    for way in dict.fromkeys(table["way"]):
        own = table[table["way"] == way]
        halves = own[own["quantity"] == "half-time"].fillna({"value": math.inf})
        ends = own[(own["quantity"] == "left")]
        ends = ends[ends["at"] == ends["at"].max()]
        for degree in dict.fromkeys(own["degree"]):
            cells = []
            for name in dict.fromkeys(own["component"]):
                half = halves.loc[(halves["degree"] == degree) & (halves["component"] == name), "value"].median()
                end = ends.loc[(ends["degree"] == degree) & (ends["component"] == name), "value"].mean()
                cells.append(f"{name} {half:.4g}" + (f" ({end:.3f} left)" if way == "network" else ""))
            lines.append(f"  {way}, degree {degree}: " + ", ".join(cells))
    return "\n".join(lines)


def plot(table: pandas.DataFrame) -> Any:
    """One panel for each degree, in one row for the flow and one for networks: what is left of each component."""
    ways, degrees = (list(dict.fromkeys(table[name])) for name in ("way", "degree"))
    figure, axes = subplots(len(ways), len(degrees), 1.9 * len(ways) + 0.4, sharey=True)
    left = table[table["quantity"] == "left"]
    for row, way in zip(axes, ways, strict=True):
        for ax, degree in zip(row, degrees, strict=True):
            own = left[(left["way"] == way) & (left["degree"] == degree)]
            for i, name in enumerate(dict.fromkeys(own["component"])):
                one = own[own["component"] == name].groupby("at")["value"]
                mean = one.mean()
                ax.plot(mean.index, mean, color=COLOURS[i % 7], linestyle=DASHES[i % 5], label=name)
                ax.fill_between(mean.index, one.min(), one.max(), color=COLOURS[i % 7], alpha=0.15, linewidth=0)
            ax.set_xscale("symlog" if way == "network" else "log", **({"linthresh": 10} if way == "network" else {}))
            ax.set_ylim(-0.1, 1.15)
            ax.set_title(f"{'infinite width' if way == 'flow' else 'network'}, degree {degree}")
            ax.set_xlabel("steps")
        row[0].set_ylabel("share left to learn")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


STUDY = Study(
    "spectral-bias",
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
