"""Closed forms of duals against a two-dimensional quadrature, names of activations, convolutional kernels."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch", reason="the extra learn")

import numpy as np  # noqa: E402
from torch import nn  # noqa: E402

from polygeom.errors import BudgetError, PolygeomError  # noqa: E402
from polygeom.learning.kernels import InfiniteWidth, LeakyReLU  # noqa: E402
from polygeom.learning.kernels.closed_forms import GELU, NAMED, RectifiedPower, Sine, as_activation  # noqa: E402
from polygeom.learning.kernels.convolutional import ConvolutionalKernel  # noqa: E402
from polygeom.learning.tangent import empirical_ntk  # noqa: E402

TRIPLES = [(1.0, 1.0, 0.3), (2.0, 0.5, -0.8), (0.7, 3.0, 1.2), (1.0, 4.0, 0.0)]


def mean_of_product(f, a: float, b: float, c: float) -> float:
    """``E[f(u) f(v)]`` by trapezoidal rules, split where a function may have a corner."""
    z = np.linspace(-9, 9, 1801)
    weight = np.exp(-z * z / 2) * (z[1] - z[0]) / np.sqrt(2 * np.pi)
    u = torch.from_numpy(np.sqrt(a) * z)[:, None]
    v = torch.from_numpy(c / np.sqrt(a) * z[:, None] + np.sqrt(b - c * c / a) * z)
    return float(weight @ (f(u) * f(v)).numpy() @ weight)


def derivative(f):
    def slope(z: torch.Tensor) -> torch.Tensor:
        inner = z.clone().requires_grad_()
        return torch.autograd.grad(f(inner).sum(), inner)[0]

    return slope


@pytest.mark.parametrize(
    "activation",
    [GELU(), RectifiedPower(2), pytest.param(RectifiedPower(3), marks=pytest.mark.thorough), Sine(1.5, 0.4)],
    ids=repr,
)
def test_closed_forms_are_the_mean(activation) -> None:
    for a, b, c in TRIPLES:
        given = [torch.tensor(value, dtype=torch.float64) for value in (a, b, c)]
        assert activation.dual(*given).item() == pytest.approx(mean_of_product(activation, a, b, c), rel=1e-4, abs=1e-9)
        slopes = mean_of_product(derivative(activation), a, b, c)
        assert activation.derivative_dual(*given).item() == pytest.approx(slopes, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("activation", [*NAMED.values(), Sine(2.0, 1.0)], ids=repr)
def test_the_derivative_of_the_dual_is_the_dual_of_the_derivative(activation) -> None:
    """Price's theorem, by autograd: exact to rounding."""
    a, b = torch.tensor([1.3, 0.4], dtype=torch.float64), torch.tensor([0.8, 2.0], dtype=torch.float64)
    c = torch.tensor([0.5, -0.6], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(activation.dual(a, b, c).sum(), c)
    assert (slope - activation.derivative_dual(a, b, c.detach())).abs().max() < 1e-12


def test_activations_have_names() -> None:
    x = torch.eye(3, dtype=torch.float64)
    assert torch.equal(InfiniteWidth("relu")(x, x), InfiniteWidth(LeakyReLU())(x, x))
    one = torch.ones((), dtype=torch.float64)
    assert RectifiedPower(1).dual(one, one, one / 3).item() == pytest.approx(
        LeakyReLU().dual(one, one, one / 3).item(), rel=1e-14
    )
    with pytest.raises(PolygeomError, match=r"name among linear, relu, .*got 'softplus'; write"):
        as_activation("softplus")
    with pytest.raises(PolygeomError, match="degree must be 1, 2 or 3"):
        RectifiedPower(4)


class Images(nn.Module):
    """The finite network whose limit the kernel is."""

    def __init__(self, kernel: ConvolutionalKernel, width: int, rng: torch.Generator) -> None:
        super().__init__()
        self.kernel = kernel
        sizes = [kernel.image[0]] + [width] * kernel.depth
        self.filters = nn.ParameterList(
            torch.randn(m, n, kernel.filter, kernel.filter, generator=rng, dtype=torch.float64)
            for n, m in itertools.pairwise(sizes)
        )
        pixels = 1 if kernel.readout == "mean" else kernel.image[1] * kernel.image[2]
        self.last = nn.Parameter(torch.randn(1, width * pixels, generator=rng, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kernel, half = self.kernel, self.kernel.filter // 2
        x = x.reshape(-1, *kernel.image)
        for number, weights in enumerate(self.filters):
            x = nn.functional.pad(x, (half,) * 4, mode="circular" if kernel.padding == "circular" else "constant")
            x = nn.functional.conv2d(x, weights / kernel.filter / (x.shape[1] ** 0.5 if number else 1))
            x = 2**0.5 * x.clamp_min(0)
        x = x.mean(dim=(2, 3)) if kernel.readout == "mean" else x.flatten(1)
        return x @ self.last.T / x.shape[1] ** 0.5


@pytest.mark.parametrize(("padding", "readout"), [("circular", "mean"), ("zero", "mean"), ("zero", "pixels")])
def test_wide_convolutional_networks_have_this_kernel(padding: str, readout: str) -> None:
    rng = torch.Generator().manual_seed(5)
    kernel = ConvolutionalKernel((2, 3, 4), depth=2, padding=padding, readout=readout)
    x = torch.randn(3, 24, generator=rng, dtype=torch.float64)
    found = torch.stack([empirical_ntk(Images(kernel, 120, rng), x)[:, :, 0, 0] for _ in range(8)])
    error = found.std(dim=0) / len(found) ** 0.5
    assert ((found.mean(dim=0) - kernel(x, x)).abs() < 4 * error).all()
    assert (error < 0.08 * kernel(x, x).abs().max()).all()


def test_images_of_one_pixel_are_vectors() -> None:
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for kind, activation in itertools.product(("ntk", "nngp"), ("gelu", "relu", "square")):
        kernel = ConvolutionalKernel((3, 1, 1), activation, depth=3, filter=1, kind=kind)
        assert (kernel(x, x) - InfiniteWidth(activation, depth=3, kind=kind)(x, x)).abs().max() < 1e-7


def test_blocks_of_pairs_are_the_whole() -> None:
    x = torch.randn(5, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    whole = ConvolutionalKernel((1, 3, 4), depth=2)
    for budget in (12 * 144 * 8, 7 * 12 * 144 * 8):
        parts = ConvolutionalKernel((1, 3, 4), depth=2, memory=budget)
        assert torch.allclose(parts(x, x[:3]), whole(x, x[:3]), rtol=1e-13)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ConvolutionalKernel((3, 4)), PolygeomError, "image must be"),
        (lambda: ConvolutionalKernel((1, 4, 4), filter=2), PolygeomError, "filter must be odd"),
        (lambda: ConvolutionalKernel((1, 2, 4), filter=7), PolygeomError, "filter must reach at most once"),
        (lambda: ConvolutionalKernel((1, 4, 4), depth=0), PolygeomError, "depth must be at least 1"),
        (lambda: ConvolutionalKernel((1, 4, 4), padding="same"), PolygeomError, "padding must be"),
        (lambda: ConvolutionalKernel((1, 4, 4))(torch.ones(2, 15), torch.ones(2, 15)), PolygeomError, "length 16"),
        (
            lambda: ConvolutionalKernel((1, 4, 4), memory=100)(torch.ones(2, 16), torch.ones(2, 16)),
            BudgetError,
            "one pair of images takes",
        ),
    ],
)
def test_errors_in_words(call, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
