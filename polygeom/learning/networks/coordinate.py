"""Networks that read a position, or an encoding of it, and give a value: ReLU, SIREN, Gabor and polynomial ones."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from polygeom.checks import choice
from polygeom.errors import PolygeomError
from polygeom.learning.networks.activations import Sine
from polygeom.network import ccp, mlp

MODELS = ("relu", "siren", "gabor", "ccp", "monomial")
"""The names that `coordinate_network` knows."""
OUTPUTS = ("linear", "sigmoid")


def relu_network(
    inputs: int, outputs: int, *, hidden: int = 2, width: int = 128, output: str = "linear", rng: int = 0
) -> nn.Sequential:
    """Dense layers with ReLU between them, initialised as torch does.

    Parameters
    ----------
    inputs, outputs:
        Numbers of features.
    hidden, width:
        How many hidden layers, of how many units.
    output:
        ``"linear"`` or ``"sigmoid"``.
    rng:
        Seed of the initial weights.

    Examples
    --------
    >>> len(relu_network(2, 3, hidden=4, width=16))
    9
    """

    def build() -> list[nn.Module]:
        widths = [inputs] + [width] * hidden
        layers: list[nn.Module] = []
        for number in range(hidden):
            layers += [nn.Linear(widths[number], widths[number + 1]), nn.ReLU()]
        return [*layers, nn.Linear(widths[-1], outputs)]

    return _finished(build, output, rng)


def siren(
    inputs: int,
    outputs: int,
    *,
    hidden: int = 2,
    width: int = 128,
    first_frequency: float = 30.0,
    hidden_frequency: float = 30.0,
    output: str = "linear",
    rng: int = 0,
) -> nn.Sequential:
    """Dense layers with ``sin(ω x)`` between them; positions should lie in ``[-1, 1]``.

    Weights are uniform, up to ``1 / fan-in`` in the first layer and up to ``sqrt(6 / fan-in) / ω`` in the others, which
    keeps the distribution of pre-activations from layer to layer.

    Parameters
    ----------
    inputs, outputs, hidden, width, output, rng:
        As for `relu_network`.
    first_frequency, hidden_frequency:
        ``ω`` in the first and in the other hidden layers.

    References
    ----------
    Sitzmann et al., arXiv 2006.09661.

    Examples
    --------
    >>> siren(2, 3, hidden=1, width=4)[1]
    Sine(frequency=30)
    """

    def build() -> list[nn.Module]:
        layers: list[nn.Module] = []
        for number in range(hidden + 1):
            fan_in = width if number else inputs
            dense = nn.Linear(fan_in, width if number < hidden else outputs)
            reach = math.sqrt(6 / fan_in) / hidden_frequency if number else 1 / fan_in
            nn.init.uniform_(dense.weight, -reach, reach)
            layers += [dense, Sine(hidden_frequency if number else first_frequency)]
        return layers[:-1]

    return _finished(build, output, rng)


class GaborNetwork(nn.Module):
    """Learned Gabor features, then dense layers with ReLU; positions should lie in ``[-1, 1]``.

    Half of the ``width`` features are ``sin(w · p + b) exp(-γ² |p - μ|² / 2)``, the others have a cosine. The first
    dense layer has a skip connection and a layer normalisation.

    Parameters
    ----------
    inputs, outputs, hidden, width, output, rng:
        As for `relu_network`; ``width`` must be even.
    frequency:
        The entries of ``w`` are uniform on ``[-π frequency, π frequency]``.

    References
    ----------
    The network of the code that accompanies Lazzari, Liu, arXiv 2301.05816, which has ``frequency=16``.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        hidden: int = 2,
        width: int = 128,
        frequency: float = 16.0,
        output: str = "linear",
        rng: int = 0,
    ) -> None:
        super().__init__()
        if width % 2 or hidden < 1:
            raise PolygeomError(
                f"width must be even and hidden at least 1, got {width} and {hidden}; write width=128, hidden=2"
            )

        def build() -> list[nn.Module]:
            self.centres = nn.Parameter(2 * torch.rand(width, inputs) - 1)
            self.sharpness = nn.Parameter(0.1 + 0.9 * torch.rand(width))
            self.waves = nn.Linear(inputs, width)
            nn.init.uniform_(self.waves.weight, -frequency * math.pi, frequency * math.pi)
            nn.init.uniform_(self.waves.bias, -math.pi, math.pi)
            self.first, self.norm = nn.Linear(width, width), nn.LayerNorm(width)
            rest = list(relu_network(width, outputs, hidden=hidden - 1, width=width, rng=rng + 1))
            for dense in (self.first, *(part for part in rest if isinstance(part, nn.Linear))):
                nn.init.xavier_uniform_(dense.weight)
            return rest

        self.activation = nn.ReLU()
        self.rest = _finished(build, output, rng)

    def features(self, x: Tensor) -> Tensor:
        """The Gabor features ``(N, width)`` of positions ``(N, inputs)``."""
        squares = torch.cdist(x, self.centres, compute_mode="donot_use_mm_for_euclid_dist").square()
        sines, cosines = self.waves(x).chunk(2, dim=-1)
        waves = torch.cat([sines.sin(), cosines.cos()], dim=-1)
        return waves * torch.exp(-squares * self.sharpness.square() / 2)

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        value: Tensor = self.rest(self.norm(self.activation(self.first(features)) + features))
        return value


def coordinate_network(
    model: str,
    inputs: int,
    outputs: int,
    *,
    hidden: int = 2,
    width: int = 128,
    degree: int = 3,
    frequency: float | None = None,
    output: str = "linear",
    rng: int = 0,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """A network by name.

    Parameters
    ----------
    model:
        ``"relu"``, ``"siren"``, ``"gabor"``; or polynomial: ``"ccp"``, a Π-net of rank ``width``
        (`polygeom.network.ccp`), and ``"monomial"``, a perceptron with activation ``x ** degree``
        (`polygeom.network.mlp`), both with biases.
    inputs, outputs:
        Numbers of features.
    hidden, width:
        How many hidden layers (of no meaning for ``"ccp"``), of how many units.
    degree:
        Of a ``"ccp"`` network, or of the activations of a ``"monomial"`` one, whose own degree is ``degree ** hidden``.
    frequency:
        The first frequency of ``"siren"`` (30 if None), or the frequencies of ``"gabor"`` (16 if None).
    output:
        ``"linear"`` or ``"sigmoid"``; polynomial networks have a linear output in any case, or they would be none.
    rng:
        Seed of the initial weights.
    dtype:
        Of the weights.

    Raises
    ------
    PolygeomError
        For a model or an output that there is not.

    Examples
    --------
    >>> coordinate_network("ccp", 2, 3, width=64, degree=6).network.degree
    6
    """
    if model not in MODELS or output not in OUTPUTS:
        wrong = ("model", MODELS, model) if model not in MODELS else ("output", OUTPUTS, output)
        raise PolygeomError(f"{wrong[0]} must be one of {', '.join(wrong[1])}, got {wrong[2]!r}; write {wrong[1][0]!r}")
    if model == "ccp":
        return ccp(inputs, width, degree, outputs, bias=True).to_torch(dtype=dtype, rng=rng)
    if model == "monomial":
        widths = [inputs, *[width] * hidden, outputs]
        return mlp(widths, degree, bias=True).to_torch(dtype=dtype, rng=rng)
    builders: dict[str, Callable[..., nn.Module]] = {"relu": relu_network, "siren": siren, "gabor": GaborNetwork}
    words = {"siren": "first_frequency", "gabor": "frequency"}
    own = {} if frequency is None or model not in words else {words[model]: frequency}
    return builders[model](inputs, outputs, hidden=hidden, width=width, output=output, rng=rng, **own).to(dtype)


def _finished(build: Callable[[], list[nn.Module]], output: str, rng: int) -> nn.Sequential:
    """The layers with their output activation, drawn from the seed without touching torch's own generator."""
    choice("output", output, OUTPUTS, "linear")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng)
        layers = build()
    return nn.Sequential(*layers, *([nn.Sigmoid()] if output == "sigmoid" else []))
