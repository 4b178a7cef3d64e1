"""Small modules of every kind whose tangent kernels the tests compare, with shapes of their inputs."""

from __future__ import annotations

import copy
from functools import cache

import torch
from torch import Tensor, nn

from polygeom.learning.networks.residual import ResidualNetwork
from polygeom.network import ccp, convolutional, lightning_attention, mlp, ncp, parse, product_network


class Custom(nn.Module):
    """A parameter that acts by a function that no layer-wise rule covers."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([0.3, -1.2, 0.7]))
        self.dense = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(torch.sin(torch.einsum("i,ni->ni", self.scale, x)))


class Residual(nn.Module):
    """Changes in place, a shared layer, and a bias read twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.shared = nn.Linear(4, 4)
        self.last = nn.Linear(4, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu_(self.first(x))
        y = y + torch.tanh(self.shared(y))
        y = torch.tanh(self.shared(y)) + self.shared.bias
        y += 1
        return self.last(y)


def seeded(make, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().double()


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 5), nn.ReLU(inplace=True), nn.Linear(5, 4), nn.GELU(), nn.Linear(4, 2))


def convolutions() -> nn.Module:
    second = nn.Conv2d(2, 3, 3, stride=2, dilation=1, bias=False)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.GELU(), nn.AvgPool2d(2), second, nn.Flatten(), nn.Linear(3, 2)
    )


def frozen() -> nn.Module:
    """Only the last layer is trained."""
    module = perceptron()
    for parameter in list(module.parameters())[:-2]:
        parameter.requires_grad_(False)
    return module


def normalised() -> nn.Module:
    """Batch normalisation with statistics of some data, after a convolution and after a dense map; once in place."""
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(32, 3), nn.BatchNorm1d(3),
        nn.Tanh(), nn.BatchNorm1d(3, affine=False), nn.Linear(3, 2),
    )  # fmt: skip
    for part in module:
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) and part.affine:
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    module(torch.randn(20, 1, 6, 6))
    return module.eval()


def residual(activation: str, amount: float, *, preactivation: bool) -> nn.Module:
    """A small residual network in which no branch vanishes, with statistics of some data."""
    module = ResidualNetwork(
        18, width=2, outputs=2, activation=activation, input_shape=(8, 8), preactivation=preactivation, rng=1
    ).double()
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(20, 8, 8, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += amount * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        for _ in range(20):
            module(x)
    return module.eval()


BY_LAYERS = {
    "perceptron": (lambda: seeded(perceptron), (3,)),
    "convolutions": (lambda: seeded(convolutions), (1, 6, 6)),
    "residual": (lambda: seeded(Residual), (3,)),
    "last layer": (lambda: seeded(frozen), (3,)),
    "polynomial": (lambda: parse("[3,4,4,2] r=2 bias").to_torch(rng=1), (3,)),
    "coefficients": (lambda: mlp((3, 4, 2), activation=(0, 1, "1/2")).to_torch(rng=1), (3,)),
    "ccp": (lambda: ccp(3, 4, 3, 2).to_torch(rng=1), (3,)),
    "ncp": (lambda: ncp(3, 2, 3, 2).to_torch(rng=1), (3,)),
    "product": (lambda: product_network(3, 4, 2, 2).to_torch(rng=1), (3,)),
    "tied": (lambda: mlp((3, 4, 4, 4, 2), 2, bias=True, tied=True).to_torch(rng=1), (3,)),
    "polynomial convolutions": (lambda: convolutional(6, kernels=[2, 3], degrees=2).to_torch(rng=1), (6,)),
    "normalised": (lambda: seeded(normalised), (1, 6, 6)),
    "residual network": (lambda: residual("relu", 0.2, preactivation=False), (8, 8)),
    "polynomial residual network": (lambda: residual("x+x^2", 0.005, preactivation=True), (8, 8)),
    "attention": (lambda: lightning_attention(3, 2, 2, 2).to_torch(rng=1), None),
}
POINTWISE = {"custom": (lambda: seeded(Custom), (3,))}


@cache
def _made(name: str) -> nn.Module:
    return {**BY_LAYERS, **POINTWISE}[name][0]()


def case(name: str, count: int = 7) -> tuple[nn.Module, Tensor]:
    """A module of one's own, and points."""
    module, shape = copy.deepcopy(_made(name)), {**BY_LAYERS, **POINTWISE}[name][1]
    shape = module.network.input_shape if shape is None else shape
    return module, torch.randn((count, *shape), generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def jacobian_by_backward(module: nn.Module, x: Tensor) -> Tensor:
    """One backward pass for each point and output: ``(N, C, P)``."""
    weights = [p for p in module.parameters() if p.requires_grad]
    points = []
    for point in x:
        rows = []
        for value in module(point[None]).reshape(-1):
            gradients = torch.autograd.grad(value, weights, retain_graph=True, allow_unused=True)
            pairs = zip(gradients, weights, strict=True)
            rows.append(torch.cat([(torch.zeros_like(w) if g is None else g).reshape(-1) for g, w in pairs]))
        points.append(torch.stack(rows))
    return torch.stack(points)
