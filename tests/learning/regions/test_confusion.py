# ruff: noqa: E402  torch is an extra: without it the file is skipped before anything else is imported
from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import time

import numpy as np
from torch import nn

from polygeom.errors import PolygeomError
from polygeom.learning.regions import gradient_confusion
from polygeom.learning.regions.confusion import gradient_products
from polygeom.network import ccp, convolutional, lightning_attention, mlp, ncp, product_network

torch.set_num_threads(1)


def two_backward_passes(module: nn.Module, x, y, pairs, loss=nn.functional.mse_loss) -> tuple[np.ndarray, np.ndarray]:
    """Inner products and norms from whole gradients, one pair at a time."""
    module.eval()
    inner, norms = [], []
    for pair in pairs:
        flat = []
        for i in pair:
            gradients = torch.autograd.grad(
                loss(module(x[i : i + 1]), y[i : i + 1]), list(module.parameters()), allow_unused=True
            )
            flat.append(
                torch.cat(
                    [
                        (torch.zeros_like(p) if g is None else g).flatten()
                        for g, p in zip(gradients, module.parameters(), strict=True)
                    ]
                )
            )
        inner.append(float(flat[0] @ flat[1]))
        norms.append([float(f.norm()) for f in flat])
    return np.array(inner), np.array(norms)


def agrees(module: nn.Module, x, y, loss="mse", reference=nn.functional.mse_loss, tolerance: float = 1e-9) -> None:
    pairs = np.random.default_rng(0).integers(0, len(x), (25, 2))
    pairs[0] = 3, 3
    found = gradient_products(module, x, y, pairs, loss=loss)
    inner, norms = two_backward_passes(module, x, y, pairs, reference)
    assert np.abs(found.inner - inner).max() <= tolerance * max(1.0, np.abs(inner).max())
    assert np.allclose(found.norms, norms, rtol=1e-6)
    expected = np.divide(inner, norms.prod(axis=1), out=np.zeros_like(inner), where=norms.prod(axis=1) > 0)
    assert np.abs(found.cosines - expected).max() < 1e-6
    assert found.bound == pytest.approx(max(0.0, -inner.min()), abs=tolerance * np.abs(inner).max())


def dense(bias: bool = True, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(2, 16, bias=bias), activation(), nn.Linear(16, 9, bias=bias), activation(), nn.Linear(9, 3, bias=bias)
    ).double()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.GELU])
def test_dense_networks_agree_with_autograd(bias: bool, activation: type[nn.Module]) -> None:
    x, y = torch.randn(12, 2, dtype=torch.float64), torch.randn(12, 3, dtype=torch.float64)
    agrees(dense(bias, activation), x, y)


def test_activations_in_place_do_not_disturb() -> None:
    x, y = torch.randn(12, 2, dtype=torch.float64), torch.randn(12, 3, dtype=torch.float64)
    module = dense()
    module[1], module[3] = nn.ReLU(inplace=True), nn.ReLU(inplace=True)
    agrees(module, x, y)


NETWORKS = [
    mlp((2, 5, 4, 2), 2, bias=True),
    mlp((2, 4, 4, 4, 2), 3, bias=True, tied=True),
    mlp((2, 5, 2), activation=(0, 1, "1/2")),
    ccp(2, 6, 4, 2, bias=True),
    ccp(2, 6, 3, 2, bias="output", skip=False),
    ncp(2, 5, 3, 2),
    product_network(2, 5, 3, 2),
    convolutional(5, (3, 2), 2),
    lightning_attention(2, 3, 2, 2),
]


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_polynomial_networks_agree_with_autograd(network) -> None:
    module = network.to_torch(rng=3)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.startswith("b"):
                parameter.normal_(generator=torch.Generator().manual_seed(1))
    x = torch.randn(10, *network.input_shape, dtype=torch.float64)
    agrees(module, x, torch.randn(10, *network.output_shape, dtype=torch.float64))


class Odd(nn.Module):
    """Scales, normalisation, a weight used twice and transposed, a weight unused, a frozen one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first, self.again, self.last = nn.Linear(3, 8), nn.Linear(8, 8), nn.Linear(8, 2)
        self.norm = nn.LayerNorm(8)
        self.scale, self.unused = nn.Parameter(torch.rand(8)), nn.Parameter(torch.rand(2))
        self.late_bias = nn.Parameter(torch.rand(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(x)) * self.scale
        x = self.norm(torch.tanh(self.again(x)) + self.late_bias)
        x = torch.relu(self.again(x) + x) @ self.again.weight.T
        return self.last(nn.functional.dropout(x, training=self.training))


def test_parameters_used_in_odd_ways_agree_with_autograd() -> None:
    x, y = torch.randn(9, 3, dtype=torch.float64), torch.randn(9, 2, dtype=torch.float64)
    agrees(Odd().double(), x, y)


class Late(nn.Module):
    """A product that is used both before and after its bias is added."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.bias, self.last = nn.Linear(3, 6, bias=False), nn.Parameter(torch.rand(6)), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        product = self.first(x)
        return self.last(torch.relu(product + self.bias) * product)


def test_a_product_used_without_its_bias_agrees_with_autograd() -> None:
    x, y = torch.randn(9, 3, dtype=torch.float64), torch.randn(9, 2, dtype=torch.float64)
    agrees(Late().double(), x, y)


def test_frozen_parameters_do_not_count() -> None:
    module = dense()
    for parameter in module[2].parameters():
        parameter.requires_grad_(False)
    x, y = torch.randn(6, 2, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)
    found = gradient_products(module, x, y, np.array([[0, 1]])).inner[0]
    trained = [p for p in module.parameters() if p.requires_grad]
    first, second = (
        torch.cat([g.flatten() for g in torch.autograd.grad(nn.functional.mse_loss(module(x[i]), y[i]), trained)])
        for i in (0, 1)
    )
    assert found == pytest.approx(float(first @ second), rel=1e-12)


def test_tokens_and_convolutions_agree_with_autograd() -> None:
    torch.manual_seed(3)
    x, y = torch.randn(8, 4, 3, dtype=torch.float64), torch.randn(8, 2, dtype=torch.float64)
    tokens = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 5), nn.Flatten(), nn.Linear(20, 2)).double()
    agrees(tokens, x, y)
    images = torch.randn(8, 2, 6, 6, dtype=torch.float64)
    convolution = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2)
    ).double()
    agrees(convolution, images, y)
    plain = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 3, (1, 2), dilation=2),
        nn.Flatten(),
    ).double()
    agrees(plain, images, torch.randn(8, 9, dtype=torch.float64))
    grouped = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2, padding="same"), nn.ReLU(), nn.Flatten()).double()
    agrees(grouped, images, torch.randn(8, 144, dtype=torch.float64))


def test_convolutions_need_no_gradients_of_single_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.func.vmap", None)
    module = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    x, y = torch.randn(4, 1, 4, 4), torch.randn(4, 2)
    assert gradient_confusion(module, x, y, [[0, 0]])[0] == pytest.approx(1, abs=1e-6)


def test_cross_entropy_and_losses_of_ones_own() -> None:
    x, labels = torch.randn(12, 2, dtype=torch.float64), torch.arange(12) % 3
    agrees(dense(), x, labels, "cross_entropy", nn.functional.cross_entropy)
    y = torch.randn(12, 3, dtype=torch.float64)
    agrees(dense(), x, y, lambda out, t: (out - t).abs().sum(dim=1), lambda out, t: (out - t).abs().sum())


def test_blocks_do_not_change_the_result() -> None:
    x, y = torch.randn(20, 3, dtype=torch.float64), torch.randn(20, 2, dtype=torch.float64)
    pairs = np.random.default_rng(1).integers(0, 20, (100, 2))
    whole = gradient_products(Odd().double(), x, y, pairs)
    blocks = gradient_products(Odd().double(), x, y, pairs, memory=1000)
    assert np.allclose(whole.inner, blocks.inner, rtol=1e-12)


def test_the_result_is_the_same_where_gradients_are_switched_off() -> None:
    x, y = torch.randn(6, 3, dtype=torch.float64), torch.randn(6, 2, dtype=torch.float64)
    expected = gradient_confusion(Odd().double(), x, y, [[0, 1], [2, 3]])
    with torch.no_grad():
        assert (gradient_confusion(Odd().double(), x, y, [[0, 1], [2, 3]]) == expected).all()


def test_vanishing_gradients_have_cosine_zero() -> None:
    module = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    x = torch.tensor([[1.0], [2.0]])
    assert gradient_confusion(module, x, module(x).detach(), [[0, 1], [0, 0]]).tolist() == [0.0, 0.0]


def test_refusals() -> None:
    x, y = torch.randn(4, 2, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    with pytest.raises(PolygeomError, match="between 0 and 3"):
        gradient_confusion(dense(), x, y, [[0, 4]])
    with pytest.raises(PolygeomError, match="mse, cross_entropy"):
        gradient_confusion(dense(), x, y, [[0, 1]], loss="mae")
    with pytest.raises(PolygeomError, match="one number for each of the 2 samples"):
        gradient_confusion(dense(), x, y, [[0, 1]], loss=nn.functional.mse_loss)
    with pytest.raises(PolygeomError, match="as many as inputs"):
        gradient_confusion(dense(), x, y[:3], [[0, 1]])


def test_ten_thousand_pairs_take_less_than_a_second_and_equal_autograd_to_1e_minus_5() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 3))
    x, y = torch.rand(4096, 2), torch.rand(4096, 3)
    pairs = np.random.default_rng(0).integers(0, 4096, (10_000, 2))
    start = time.process_time()
    found = gradient_confusion(module, x, y, pairs)
    assert time.process_time() - start < 1
    inner, norms = two_backward_passes(module, x, y, pairs[:200])
    assert np.abs(found[:200] - inner / norms.prod(axis=1)).max() < 1e-5
