"""A zoo of torch modules: small ones of every kind that people bring, those that must be refused among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.learning.networks.activations import Sine
from polygeom.learning.networks.residual import ResidualNetwork
from polygeom.network import ccp, lightning_attention, mlp

POINTS = 4


class Called(nn.Module):
    """A module from parts and a function of the parts and the input."""

    def __init__(self, parts: Mapping[str, Any], function: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


class Hidden(torch.autograd.Function):
    """A product whose weight no layer-wise rule sees."""

    @staticmethod
    def forward(x: Tensor, w: Tensor) -> Tensor:
        return x * w

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor]:
        x, w = ctx.saved_tensors
        return gradients[0] * w, (gradients[0] * x).sum(dim=0)


@dataclass(frozen=True, eq=False)
class ModuleCase:
    """One module of the zoo.

    Attributes
    ----------
    name:
        What is special about it.
    make:
        Builds it; called with torch's generator seeded.
    shape:
        Of one point.
    refused:
        ``"always"`` if every function that takes points must refuse it: points are mixed, outputs random or no tensor;
        ``"training"`` if only evaluation mode makes it one with outputs at a point.
    vocabulary:
        Points are integers below this number; floats if None.
    """

    name: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...] = (3,)
    refused: str = ""
    vocabulary: int | None = None

    @cached_property
    def module(self) -> nn.Module:
        """The module, in float64."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.make().double()

    @cached_property
    def x(self) -> Tensor:
        """Its points ``(POINTS, …)``."""
        generator = torch.Generator().manual_seed(1)
        if self.vocabulary is not None:
            return torch.randint(self.vocabulary, (POINTS, *self.shape), generator=generator)
        return 0.8 * torch.rand((POINTS, *self.shape), generator=generator, dtype=torch.float64) - 0.3


def _perceptron(activation: Callable[[], nn.Module] = nn.ReLU, outputs: int = 2) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), activation(), nn.Linear(4, 3), activation(), nn.Linear(3, outputs))


def _normed(training: bool) -> nn.Module:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).double()
    nn.init.normal_(next(module[1].parameters()))
    module(torch.randn(20, 3, dtype=torch.float64))
    return module.train(training)


def _lora() -> nn.Module:
    base = nn.Linear(3, 4).requires_grad_(False)
    parts: dict[str, Any] = {"base": base, "a": nn.Parameter(torch.randn(1, 3)), "b": nn.Parameter(torch.randn(4, 1)),
             "out": nn.Linear(4, 2)}  # fmt: skip
    return Called(parts, lambda m, x: m.out(torch.tanh(m.base(x) + x @ (m.b @ m.a).T)))


def _recurrent(kind: Callable[..., nn.Module], batch_first: bool = True) -> nn.Module:
    parts = {"layer": kind(3, 2, batch_first=batch_first), "out": nn.Linear(2, 2)}
    return Called(parts, lambda m, x: m.out(m.layer(x)[0][:, -1]))


def _attention(weights: bool, batch_first: bool = True) -> nn.Module:
    parts = {"layer": nn.MultiheadAttention(4, 2, batch_first=batch_first), "out": nn.Linear(4, 2)}
    return Called(parts, lambda m, x: m.out(m.layer(x, x, x, need_weights=weights)[0].mean(1)))


def _frozen() -> nn.Module:
    module = _perceptron()
    module[0].requires_grad_(False)
    return module


def _scale(value: float = 0.7) -> nn.Module:
    parts: dict[str, Any] = {"dense": nn.Linear(3, 2), "scale": nn.Parameter(torch.tensor(value))}
    return Called(parts, lambda m, x: m.scale * torch.tanh(m.dense(x)) + m.scale)


def _dense(function: Callable[[Any, Tensor], Any], outputs: int = 3) -> nn.Module:
    return Called({"dense": nn.Linear(3, outputs), "act": nn.ReLU()}, function)


def _tied() -> nn.Module:
    shared = nn.Linear(3, 3)
    return nn.Sequential(shared, nn.Tanh(), shared, nn.ReLU(), nn.Linear(3, 2))


def _residual() -> nn.Module:
    module = ResidualNetwork(18, width=2, outputs=1, activation="relu", input_shape=(4, 4), rng=1).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, dtype=parameter.dtype))
    return module.eval()


def _embedding_bag() -> nn.Module:
    return nn.Sequential(nn.EmbeddingBag(6, 3), nn.Tanh(), nn.Linear(3, 2))


ZOO = (
    ModuleCase("perceptron", _perceptron),
    ModuleCase("gelu", lambda: _perceptron(nn.GELU)),
    ModuleCase("one output", lambda: _perceptron(nn.Tanh, 1)),
    ModuleCase("outputs (N,)", lambda: nn.Sequential(*_perceptron(nn.ReLU, 1), nn.Flatten(0))),
    ModuleCase("outputs (N, 2, 3)", lambda: nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Unflatten(1, (2, 3)))),
    ModuleCase("in place", lambda: _perceptron(lambda: nn.ReLU(inplace=True))),
    ModuleCase("sine", lambda: nn.Sequential(nn.Linear(3, 4), Sine(3.0), nn.Linear(4, 2))),
    ModuleCase("frozen layer", _frozen),
    ModuleCase("0-dim parameter", _scale),
    ModuleCase("PReLU", lambda: _perceptron(nn.PReLU)),
    ModuleCase("convolution", lambda: nn.Sequential(
        nn.Conv2d(1, 2, 2, padding=1), nn.ReLU(), nn.Conv2d(2, 1, 2, stride=2), nn.Flatten(), nn.Linear(4, 2)
    ), (1, 3, 3)),
    ModuleCase("groups", lambda: nn.Sequential(
        nn.Conv2d(2, 4, 2, groups=2, padding="same"), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)
    ), (2, 2, 2)),
    ModuleCase("convolution 1-D", lambda: nn.Sequential(
        nn.Conv1d(2, 3, 2), nn.Tanh(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(3, 2)
    ), (2, 3)),
    ModuleCase("transposed convolution", lambda: nn.Sequential(
        nn.ConvTranspose2d(1, 2, 2), nn.ReLU(), nn.AvgPool2d(3), nn.Flatten(), nn.Linear(2, 2)
    ), (1, 2, 2)),
    ModuleCase("batch norm, fixed", lambda: _normed(False)),
    ModuleCase("layer norm", lambda: nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2))),
    ModuleCase("group norm", lambda: nn.Sequential(nn.Linear(3, 4), nn.GroupNorm(2, 4), nn.ReLU(), nn.Linear(4, 2))),
    ModuleCase("instance norm", lambda: nn.Sequential(
        nn.Conv1d(2, 2, 2), nn.InstanceNorm1d(2, affine=True), nn.Tanh(), nn.Flatten(), nn.Linear(4, 2)
    ), (2, 3)),
    ModuleCase("dropout, off", lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(), nn.Linear(4, 2)).eval()),
    ModuleCase("attention", lambda: _attention(True), (3, 4)),
    ModuleCase("fused attention", lambda: _attention(False), (3, 4)),
    ModuleCase("encoder layer", lambda: nn.Sequential(
        nn.TransformerEncoderLayer(4, 2, 3, batch_first=True), nn.Flatten(), nn.Linear(8, 2)
    ).eval(), (2, 4)),
    ModuleCase("embedding", lambda: nn.Sequential(nn.Embedding(6, 2), nn.Flatten(), nn.ReLU(), nn.Linear(6, 2)), (3,),
               vocabulary=6),
    ModuleCase("embedding bag", _embedding_bag, (3,), vocabulary=6),
    ModuleCase("tied layers", _tied),
    ModuleCase("LoRA", _lora),
    ModuleCase("LSTM", lambda: _recurrent(nn.LSTM), (3, 3)),
    ModuleCase("GRU", lambda: _recurrent(nn.GRU), (3, 3)),
    ModuleCase("autoencoder W, Wᵀ", lambda: Called(
        {"w": nn.Parameter(torch.randn(2, 3))}, lambda m, x: torch.tanh(x @ m.w.T) @ m.w
    )),
    ModuleCase("weight norm", lambda: nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.ReLU(), nn.Linear(4, 2)
    )),
    ModuleCase("spectral norm", lambda: nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)), nn.ReLU(), nn.Linear(4, 2)
    ).eval()),
    ModuleCase("skip", lambda: _dense(lambda m, x: m.act(m.dense(x) + x).square())),
    ModuleCase("skip around", lambda: _dense(lambda m, x: x + m.act(m.dense(x)))),
    ModuleCase("scaled and shifted", lambda: _dense(lambda m, x: (m.act(0.5 * m.dense(x) + 0.3)).square())),
    ModuleCase("gate", lambda: _dense(lambda m, x: m.dense(x) * torch.sigmoid(m.dense(x)))),
    ModuleCase("autograd function", lambda: Called(
        {"dense": nn.Linear(3, 3), "scale": nn.Parameter(torch.ones(3) / 2)},
        lambda m, x: Hidden.apply(m.dense(x), m.scale),  # type: ignore[no-untyped-call]
    )),
    ModuleCase("bilinear", lambda: Called({"layer": nn.Bilinear(3, 3, 2)}, lambda m, x: m.layer(x, x))),
    ModuleCase("residual network", _residual, (4, 4)),
    ModuleCase("polynomial network", lambda: mlp((3, 4, 2), 2, bias=True).to_torch(rng=1)),
    ModuleCase("polynomial, coupled", lambda: ccp(3, 4, 3, 2).to_torch(rng=1)),
    ModuleCase("polynomial attention", lambda: lightning_attention(3, 2, 2, 2).to_torch(rng=1), (3, 2)),
    ModuleCase("batch norm, training", lambda: _normed(True), refused="training"),
    ModuleCase("dropout, on", lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(), nn.Linear(4, 2)),
               refused="training"),
    ModuleCase("noise", lambda: _dense(lambda m, x: nn.functional.dropout(m.act(m.dense(x)))), refused="always"),
    ModuleCase("mixing: means", lambda: _dense(lambda m, x: m.act(m.dense(x - x.mean(0)))), refused="always"),
    ModuleCase("mixing: sums", lambda: _dense(lambda m, x: m.act(m.dense(x).cumsum(0))), refused="always"),
    ModuleCase("mixing: attention", lambda: _attention(True, False), (3, 4), refused="always"),
    ModuleCase("mixing: LSTM", lambda: _recurrent(nn.LSTM, False), (3, 3), refused="always"),
    ModuleCase("tuple of heads", lambda: _dense(lambda m, x: (m.dense(x), x)), refused="always"),
    ModuleCase("dictionary of heads", lambda: _dense(lambda m, x: {"a": m.dense(x), "b": x}), refused="always"),
    ModuleCase("complex outputs", lambda: _dense(lambda m, x: torch.complex(m.dense(x), x)), refused="always"),
    ModuleCase("classes", lambda: _dense(lambda m, x: m.dense(x).argmax(dim=1)), refused="always"),
    ModuleCase("a sum over points", lambda: _dense(lambda m, x: m.dense(x).sum(0)), refused="always"),
)  # fmt: skip
"""The modules, those that must be refused last."""
