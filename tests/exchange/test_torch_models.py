"""Modules of torch become networks with the same outputs, and weights come back; what is not polynomial is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polygeom
from polygeom.errors import PolygeomError

torch = pytest.importorskip("torch", reason="needs the extra learn")
nn = torch.nn


class Square(nn.Module):
    def forward(self, x: Any) -> Any:
        return x**2


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Any) -> Any:
        h = self.a(x)
        return self.b(h * h + 0.5 * h - 1)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w, self.v = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)

    def forward(self, x: Any) -> Any:
        return x + self.v(self.w(x).pow(2))


class Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
        self.pool, self.second, self.last = nn.AvgPool2d(2), nn.Conv2d(2, 2, 2, groups=2), nn.Linear(8, 2)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x: Any) -> Any:
        h = self.pool(self.norm(self.first(x)).square())
        return self.last((self.second(h) ** 2).flatten(1))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(3, n, bias=False) for n in (2, 2, 3))

    def forward(self, x: Any) -> Any:
        return (self.q(x) @ self.k(x).transpose(-1, -2) / 3) @ self.v(x) + x


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.all, self.out = nn.Linear(4, 12), nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        points, tokens, width = x.shape
        q, k, v = (z.view(points, tokens, 2, 2).transpose(1, 2) for z in self.all(x).chunk(3, -1))
        return self.out(((q @ k.transpose(-1, -2)) @ v).transpose(1, 2).reshape(points, tokens, width))


class Quadratic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(2, 3, 3))

    def forward(self, x: Any) -> Any:
        return torch.einsum("oij,ni,nj->no", self.w, x, x)


class Learned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.s, self.c = nn.Parameter(torch.randn(3)), nn.Parameter(torch.randn(2, 1))
        self.register_buffer("mask", torch.tensor([1.0, 0.5, 2.0]))

    def forward(self, x: Any) -> Any:
        return torch.cat([(x * self.s).unsqueeze(1) * self.mask, x.unsqueeze(1) + self.c], dim=1).mean(dim=-1)


class Shifted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 2, bias=False)
        self.register_buffer("shift", torch.tensor([-1.0, 0.25, 1e-3]))
        self.register_buffer("mix", torch.tensor([[0.0, -1.5, 1.0], [2.0, 0.0, 0.5], [1.0, 1.0, 1.0]]))

    def forward(self, x: Any) -> Any:
        return self.last((x @ self.mix + self.shift) ** 2)


MODELS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "sequential": (nn.Sequential(nn.Linear(3, 4), Square(), nn.Linear(4, 1)), (3,)),
    "functional": (Functional(), (3,)),
    "residual": (Residual(), (3,)),
    "images": (Images(), (1, 8, 8)),
    "attention": (Attention(), (2, 3)),
    "heads": (Heads(), (3, 4)),
    "einsum": (Quadratic(), (3,)),
    "parameters": (Learned(), (3,)),
    "constants": (Shifted(), (3,)),
    "batch norm": (nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), (3,)),
    "rational": (nn.Sequential(nn.Linear(3, 2, bias=False), type("R", (nn.Module,), {"forward": lambda _, x: 1 / x})()),
                 (3,)),
}  # fmt: skip


def rank_by_autograd(module: Any, shape: tuple[int, ...]) -> int:
    """Rank of the derivatives of the module's outputs by its parameters at random points, by torch alone."""
    parameters = dict(module.named_parameters())
    points = torch.randn(60, *shape, dtype=torch.float64)
    outputs = lambda p: torch.func.functional_call(module, p, (points,)).reshape(-1)  # noqa: E731
    blocks = torch.func.jacrev(outputs)(parameters)
    rows = torch.cat([b.reshape(len(b), -1) for b in blocks.values()], dim=1).detach()
    return int(torch.linalg.matrix_rank(rows / rows.norm(dim=0), rtol=1e-9))


LIKE_OTHERS = {"functional", "attention", "batch norm"}
"""Models whose ways others take as well: constants, heads, images."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LIKE_OTHERS else []) for name in MODELS]
)
def test_models_go_in_and_weights_return_unchanged(name: str) -> None:
    module, shape = MODELS[name]
    imported = polygeom.from_torch(module, torch.zeros(2, *shape))
    network, weights = imported
    assert {n: w.shape for n, w in weights.items()} == dict(network.parameters)
    x = torch.randn(4, *shape, dtype=torch.float64)
    own = network.to_torch(initialisation="zero")
    own.set_weights(weights)
    reference = torch.nn.Module.double(__import__("copy").deepcopy(module)).eval()
    with torch.no_grad():
        expected = reference(x)
        assert torch.allclose(own(x).reshape(expected.shape), expected, rtol=1e-12, atol=1e-12)
    back = imported.parameters()
    for parameter, value in reference.named_parameters():
        assert np.allclose(back[parameter], value.detach().numpy(), rtol=1e-14, atol=0)
    moved = {n: w + 1 for n, w in weights.items()}
    for names, link in imported.links.items():
        for n, w in zip(names, link.forward(imported.parameters(moved)), strict=True):
            assert np.allclose(w, moved[n], rtol=1e-12, atol=1e-12)
    result = polygeom.dimension(network)
    assert result.dimension == rank_by_autograd(reference, shape)
    assert polygeom.parse(network.text) == network


BAD: dict[str, tuple[Any, tuple[int, ...], str]] = {
    "relu": (nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (3,), "operation relu .*; write a square"),
    "softmax": (nn.Softmax(-1), (3,), "leave it out: attention without softmax"),
    "layer norm": (nn.LayerNorm(3), (3,), "use BatchNorm"),
    "max pooling": (nn.MaxPool2d(2), (1, 4, 4), "use a mean, AvgPool2d"),
    "gelu": (nn.GELU(), (3,), "polynomial of low degree"),
    "root": (type("M", (nn.Module,), {"forward": lambda _, x: x**0.5})(), (3,), "write whole powers only"),
    "several": (type("M", (nn.Module,), {"forward": lambda _, x: (x, x)})(), (3,), "return one, concatenated"),
    "points": (type("M", (nn.Module,), {"forward": lambda _, x: x - x.flip(0)})(), (3,), "is not polynomial, or not"),
    "branch": (type("M", (nn.Module,), {"forward": lambda _, x: x if x.sum() > 0 else -x})(), (3,), "cannot trace it"),
    "constant": (type("M", (nn.Module,), {"forward": lambda _, x: torch.ones(1, 2)})(), (3,), "return one that does"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_polynomial_is_refused_with_its_line(name: str) -> None:
    module, shape, message = BAD[name]
    with pytest.raises(PolygeomError, match=message) as info:
        polygeom.from_torch(module, torch.zeros(1, *shape))
    assert "; " in str(info.value)


def test_the_source_line_of_a_refusal_is_the_users() -> None:
    class Mine(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.tanh(x)

    with pytest.raises(PolygeomError, match=r"torch.tanh\(x\)") as info:
        polygeom.from_torch(Mine(), torch.zeros(1, 3))
    assert __file__ in str(info.value)


def test_arguments() -> None:
    with pytest.raises(PolygeomError, match="write from_torch"):
        polygeom.from_torch(lambda x: x, torch.zeros(1, 3))  # type: ignore[arg-type]
    with pytest.raises(PolygeomError, match="axis of points first"):
        polygeom.from_torch(nn.Linear(3, 1), torch.zeros(3))
    imported = polygeom.from_torch(nn.Linear(3, 1), torch.zeros(1, 3))
    with pytest.raises(PolygeomError, match="weights must name exactly"):
        imported.parameters({})
