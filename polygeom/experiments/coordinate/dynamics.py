"""What the studies of coordinate networks measure while a network trains, and how they name and draw it.

A network is named by its family and what it reads, each perhaps with a number: ``"relu:sin_cos5"`` reads sines and
cosines of 5 frequencies, ``"relu:fourier4"`` Fourier features of scale 4; ``"ccp6:centred"`` has degree 6;
``"gabor4:centred"`` and ``"siren30:centred"`` begin with this frequency. ``"siren:centred@1e-4"`` has a learning rate
of its own. Networks of the user's own (`polygeom.experiments.own`) read centred coordinates unless they say
otherwise: ``"my_lab.nets:wire:sin_cos5"``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from polygeom._dataclass import dataclass, field
from polygeom.engines.torch_module import NetworkModule
from polygeom.errors import PolygeomError
from polygeom.experiments.own import is_own, own_module
from polygeom.experiments.study import Case, Either, Needs, filled, mean_and_deviation, option
from polygeom.experiments.weights import keep_weights
from polygeom.learning.networks.coordinate import MODELS, GaborNetwork, coordinate_network
from polygeom.learning.networks.encodings import ENCODINGS, encode
from polygeom.learning.regions.confusion import gradient_products
from polygeom.learning.regions.hyperplanes import boundary_distances, spectral_norms
from polygeom.learning.regions.regions import Patterns, sign_patterns
from polygeom.learning.training.loop import DivergenceError, train
from polygeom.learning.training.settings import TrainingSettings

UNNUMBERED = Needs(
    "models", pattern=r"sin_cos(@|$)", words="a network that reads sin_cos without a number, such as relu:sin_cos"
)
"""When the option for the number of frequencies has an effect."""
ENCODED = Needs("models", pattern=r":(sin_cos|fourier)", words="a network that reads an encoding")
COORDINATES = Needs("models", pattern=r":(raw|centred)", words="a network that reads coordinates")
RAW = Needs("models", pattern=r":raw", words="a network that reads raw coordinates")
RATED = Needs("models", pattern=r"^[^@]*$", words="a network without a rate of its own")
DEEP = Needs("models", pattern=r"^(?!ccp)", words="a network with hidden layers")
"""Other conditions on the networks of a configuration."""
GRID = np.linspace(-1, 1, 201)
"""Where densities of cosines are given."""
_BANDWIDTH = 0.01
"""Least width of a bump of such a density."""
_OWN = re.compile(r"(?P<text>.+?)(:(?P<encoding>raw|centred|sin_cos|fourier)(?P<scale>\d*))?(@(?P<rate>[0-9.e-]+))?")
_NAME = re.compile(r"(?P<family>[a-z]+)(?P<number>\d*):(?P<encoding>[a-z_]+?)(?P<scale>\d*)(@(?P<rate>[0-9.e-]+))?")


@dataclass(frozen=True)
class Model:
    """A network and what it reads, by name."""

    family: str
    number: int | None
    encoding: str
    scale: int | None
    rate: float | None
    text: str = ""
    """Of a network of the user's own."""

    @classmethod
    def parse(cls, name: str) -> Model:
        """Read a name.

        Raises
        ------
        PolygeomError
            When it is no name of a network.

        Examples
        --------
        >>> Model.parse("ccp6:sin_cos4@1e-4")
        Model(family='ccp', number=6, encoding='sin_cos', scale=4, rate=0.0001, text='')
        """
        found = _NAME.fullmatch(name)
        own = _OWN.fullmatch(name)
        if (found is None or found["family"] not in MODELS) and own is not None and is_own(own["text"]):
            number = int(own["scale"]) if own["scale"] else None
            rate = float(own["rate"]) if own["rate"] else None
            return cls("own", None, own["encoding"] or "centred", number, rate, own["text"])
        if found is None or found["family"] not in MODELS or found["encoding"] not in ENCODINGS:
            raise PolygeomError(
                f"models: {name!r} must be one of {', '.join(MODELS)}, a number or none, a colon, "
                f"and one of {', '.join(ENCODINGS)}; write relu:sin_cos5, ccp6:centred or siren:centred@1e-4"
            )
        number, scale = (int(found[key]) if found[key] else None for key in ("number", "scale"))
        return cls(found["family"], number, found["encoding"], scale, float(found["rate"]) if found["rate"] else None)

    @property
    def degree(self) -> int:
        """Degree of a polynomial network, or of its activations."""
        return 3 if self.number is None else self.number

    def encode(self, shape: Sequence[int], case: NetworkCase) -> Tensor:
        """What it reads at all samples of a signal or image."""
        centred = self.encoding == "centred" or (self.encoding == "raw" and case.negative)
        return encode(
            self.encoding,
            shape,
            frequencies=case.L if self.scale is None else self.scale,
            features=case.features,
            scale=case.scale if self.scale is None else self.scale,
            rng=case.seed,
            low=-case.extent if centred else None,
            high=case.extent if centred else None,
        ).to(case.device)

    def build(self, inputs: int, outputs: int, case: NetworkCase, output: str = "linear") -> nn.Module:
        """The network with its initial weights."""
        if self.text:
            return own_module(self.text, (inputs,), outputs, case.seed).float().to(case.device)
        return coordinate_network(
            self.family,
            inputs,
            outputs,
            hidden=case.layers,
            width=case.neurons,
            degree=self.degree,
            frequency=None if self.number is None else float(self.number),
            output=output,
            rng=case.seed,
        ).to(case.device)


@dataclass(frozen=True)
class Training:
    """How networks are trained."""

    epochs: int = option(100, "Passes over the samples.")
    batch_size: int | None = option(256, "Samples of one step; none for all.")
    learning_rate: float = option(1e-3, "Of Adam.", needs=RATED)
    order: str = option(
        "fixed", "Order of the samples; fixed: shuffled once.", choices=("fixed", "reshuffle"),
        needs=Needs("batch_size"),
    )  # fmt: skip
    every: int = option(20, "Epochs between two marks.")
    print_loss: bool = option(False, "Print the loss at every mark.")

    def settings(self, samples: int, rate: float | None = None) -> tuple[TrainingSettings, int]:
        """Settings of a training by epochs, and the number of steps in an epoch; ``rate`` is of the network itself."""
        whole = self.batch_size is None or self.batch_size >= samples
        steps_per_epoch = 1 if self.batch_size is None or whole else -(-samples // self.batch_size)
        own: dict[str, Any] = {} if rate is None else {"learning_rate": rate}
        own |= {"steps": self.epochs * steps_per_epoch, "record_every": max(1, self.every) * steps_per_epoch}
        return filled(TrainingSettings, self, batch_size=None if whole else self.batch_size, **own), steps_per_epoch


@dataclass(frozen=True)
class Sizes:
    """How large networks are."""

    neurons: int = option(128, "Units of a hidden layer; rank of a ccp network.")
    layers: int = option(2, "Hidden layers.", needs=DEEP)


@dataclass(frozen=True)
class CoordinateOptions:
    """What networks read that read coordinates."""

    negative: bool = option(False, "Raw coordinates on [-1, 1) instead of [0, 1).", needs=RAW)


@dataclass(frozen=True)
class Reading(CoordinateOptions):
    """What networks read, encodings included."""

    extent: float = option(
        1.0,
        "Centred coordinates lie on [-extent, extent).",
        needs=Either(
            Needs("models", pattern=r":centred", words="a network that reads centred coordinates"), Needs("negative")
        ),
    )
    L: int = option(5, "Frequencies of a sin_cos encoding that does not say how many.", needs=UNNUMBERED)
    features: int = option(
        256,
        "Rows of the matrix of random Fourier features.",
        needs=Needs("models", pattern=r":fourier", words="a network that reads random Fourier features"),
    )
    scale: float = option(
        14.0,
        "Deviation of the frequencies of random Fourier features.",
        needs=Needs("models", pattern=r":fourier(@|$)", words="fourier without a number"),
    )


@dataclass(frozen=True)
class Selection:
    """Which networks are trained."""

    models: tuple[str, ...] = option(
        ("relu:raw", "relu:sin_cos5"),
        "Family and what it reads: relu:sin_cos5, ccp6:centred, siren:centred@1e-4.",
        own=True,
    )
    train_encoding: bool = option(True, "Train the networks that read an encoding.", needs=ENCODED)
    train_coordinates: bool = option(True, "Train the networks that read coordinates.", needs=COORDINATES)

    def chosen(self) -> list[str]:
        """The names that are to be trained: with encodings, on coordinates, or both; all are checked."""
        kept = []
        for name in self.models:
            encoded = Model.parse(name).encoding in ("sin_cos", "fourier")
            if self.train_encoding if encoded else self.train_coordinates:
                kept.append(name)
        if not kept:
            raise PolygeomError("models: none is left to train; leave out no-train-encoding or no-train-coordinates")
        return kept


@dataclass(frozen=True, kw_only=True)
class TrainingCase(Training, Case):
    """The training of one network."""

    model: str


@dataclass(frozen=True, kw_only=True)
class NetworkCase(Reading, Sizes, TrainingCase):
    """The training of one coordinate network."""


@dataclass
class Probe:
    """Measures a network at the marks of its training; given to `polygeom.learning.training.loop.train` as a metric.

    Attributes
    ----------
    inputs, targets:
        All samples, those held out included.
    hamming, confusion:
        Pairs of samples by name, for Hamming distances and for gradient confusion.
    what:
        Which of ``act_patterns``, ``dead_neurons``, ``param_norms`` and ``boundary`` besides.
    loss:
        Of the gradients, as for `polygeom.learning.regions.confusion.gradient_products`.
    extra:
        Further numbers of a network.
    rows:
        One dict for each call.
    """

    inputs: Tensor
    targets: Tensor
    hamming: Mapping[str, np.ndarray] = field(default_factory=dict)
    confusion: Mapping[str, np.ndarray] = field(default_factory=dict)
    what: frozenset[str] = frozenset()
    loss: str = "mse"
    extra: Callable[[nn.Module], dict[str, float]] | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, module: nn.Module) -> float:
        self.rows.append(self.row(module))
        return 0.0

    def row(self, module: nn.Module) -> dict[str, Any]:
        """All that is asked, at the present weights."""
        row: dict[str, Any] = {} if self.extra is None else dict(self.extra(module))
        if self.hamming or self.what & {"act_patterns", "dead_neurons"}:
            row |= self._signs(module, sign_patterns(module, self.inputs))
        for name in self.confusion:
            row |= confusion_summary(name, self.cosines(module, name))
        if "param_norms" in self.what:
            norms = list(spectral_norms(module).values())
            row |= {f"norm_{number}": norm for number, norm in enumerate(norms, 1)}
            row["norm_product"] = float(np.prod(norms))
        if "boundary" in self.what:
            distances = boundary_distances(module, self.inputs).min(axis=1)
            row |= {"boundary": float(distances.mean()), "boundary_std": float(distances.std())}
        return row

    def cosines(self, module: nn.Module, name: str) -> np.ndarray:
        """Gradient confusion of the pairs called ``name``."""
        pairs = self.confusion[name]
        return gradient_products(module, self.inputs, self.targets, pairs, loss=self.loss).cosines

    def densities(self, module: nn.Module) -> dict[str, list[float]]:
        """Densities of the gradient confusion, on `GRID`."""
        return {f"confusion_{name}": density(self.cosines(module, name)) for name in self.confusion}

    def _signs(self, module: nn.Module, patterns: Patterns) -> dict[str, Any]:
        row: dict[str, Any] = {"units": patterns.units}
        if "act_patterns" in self.what:
            row["regions"] = patterns.count
        if "dead_neurons" in self.what and has_regions(module):
            row["dead"] = patterns.dead
        for name, pairs in self.hamming.items():
            layers = patterns.hamming_by_layer(pairs)
            total = layers.sum(axis=1)
            row |= {f"hamming_{name}": float(total.mean()), f"hamming_{name}_std": float(total.std())}
            row |= {f"hamming_{name}_{number}": float(mean) for number, mean in enumerate(layers.mean(axis=0), 1)}
        return row


def has_regions(module: nn.Module) -> bool:
    """Whether sign regions are activation regions: ReLU networks, on encoded positions or not."""
    kinked = any(isinstance(part, nn.ReLU) for part in module.modules())
    return kinked and not isinstance(module, NetworkModule | GaborNetwork)


def confusion_summary(name: str, cosines: np.ndarray) -> dict[str, float]:
    """Mean, deviation and least value of cosines, and the share below -1/2."""
    return {
        f"confusion_{name}": float(cosines.mean()),
        f"confusion_{name}_std": float(cosines.std()),
        f"confusion_{name}_min": float(cosines.min()),
        f"confusion_{name}_opposed": float((cosines < -0.5).mean()),
    }


def density(values: np.ndarray, grid: np.ndarray = GRID) -> list[float]:
    """Gaussian kernel density estimate with the bandwidth of Scott's rule, at least 0.01.

    Examples
    --------
    >>> bool(abs(np.trapezoid(density(np.random.default_rng(0).uniform(-0.5, 0.5, 2000)), GRID) - 1) < 0.01)
    True
    """
    from scipy.stats import gaussian_kde, norm

    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    if spread < 1e-6:  # no estimate of a covariance can be inverted
        found = norm.pdf(grid, float(values.mean()), _BANDWIDTH)
    else:
        found = gaussian_kde(values, max(len(values) ** -0.2, _BANDWIDTH / spread))(grid)
    estimate: list[float] = found.round(5).tolist()
    return estimate


def fit(
    module: nn.Module, inputs: Tensor, targets: Tensor, case: TrainingCase, probe: Probe, rate: float | None = None
) -> list[dict[str, Any]]:
    """Train and measure: one row for each mark, with ``epoch``, ``loss``, ``status`` and what the probe says.

    A network that diverges keeps the rows it had and has the status ``"diverged"``. With ``print_loss`` rows are marked
    for `told_losses`. ``rate`` is a learning rate of its own.

    Raises
    ------
    PolygeomError
        When it diverges before the first mark.
    """
    settings, steps_per_epoch = case.settings(len(inputs), rate)
    status, losses = "finished", []

    def listen(row: Mapping[str, float]) -> bool:
        losses.append((int(row["step"]), float(row["loss"])))
        return False

    try:
        train(module, inputs, targets, settings, loss=probe.loss, metrics={"probe": probe}, stop=listen, rng=case.seed)
    except DivergenceError as error:
        module.load_state_dict(error.state)
        status = "diverged"
    keep_weights(module)
    if not losses:
        raise PolygeomError(f"{case.model} diverged at once; write a lower learning_rate, or {case.model}@1e-4")
    told = {"told": True} if case.print_loss else {}
    return [
        {"epoch": step / steps_per_epoch, "loss": loss, "status": status} | told | row
        for (step, loss), row in zip(losses, probe.rows, strict=False)
    ]


def table_rows(
    names: dict[str, Any], marks: Sequence[dict[str, Any]], arrays: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The rows of one network: one for each mark of its training, and one for each array."""
    return [names | row for row in marks] + [
        names | {"array": name, "data": np.asarray(data).tolist()} for name, data in arrays.items()
    ]


def told_means(rows: Any, keys: Mapping[str, int], names: Sequence[str], width: int) -> list[str]:
    """A heading and one line for each network: the ``keys``, padded to their widths, and the means of some columns."""
    lines = [" ".join([*(f"{key:{size}}" for key, size in keys.items()), *(f"{name:>{width}}" for name in names)])]
    for _, row in mean_and_deviation(rows, list(keys), names).iterrows():
        told = [f"{row[key]:{size}}" for key, size in keys.items()]
        lines.append(" ".join([*told, *(f"{row[f'{name}_mean']:>{width}.4g}" for name in names)]))
    return lines


def told_losses(table: Any) -> list[str]:
    """One line for each mark of the networks whose losses are to be printed."""
    if "told" not in table:
        return []
    rows = table[table["told"] == True]  # noqa: E712 - the column has missing values
    named = rows[["seed", "image", "model", "epoch", "loss"]].itertuples()
    return [f"{row.image} {row.model} seed {row.seed} epoch {row.epoch:g}: loss {row.loss:.6g}" for row in named]
