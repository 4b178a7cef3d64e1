"""Kernels of rectifiers at nearly parallel rows against 60 digits; derivatives where rows repeat; numeric duals."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="kernels need the extra learn")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.kernels.duals import Erf, LeakyReLU, Monomial, Numeric, normaliser  # noqa: E402
from polygeom.learning.kernels.infinite_width import InfiniteWidth  # noqa: E402
from polygeom.learning.kernels.kernels import Dispersal, Gaussian, Laplacian, Normalised, Polynomial  # noqa: E402
from polygeom.learning.kernels.product_kernels import CoupledKernel, FirstLayerKernel, ProductKernel  # noqa: E402

mp = mpmath.mp.clone()
mp.dps = 60


def exact(x, y, kernel: InfiniteWidth):
    """The recursion of the module's docstring, in 60 digits."""
    slope, bias = mp.mpf(kernel.activation.slope), kernel.biases
    bias = bias if isinstance(bias, tuple) else (bias,) * (kernel.depth + 1)
    scale = 2 / (1 + slope**2)
    x, y = ([mp.mpf(float(v)) for v in row] for row in (x, y))
    a, b, c = (sum(s * t for s, t in zip(u, v, strict=True)) + bias[0] for u, v in ((x, x), (y, y), (x, y)))
    tangent = c
    for variance in bias[1:]:
        rho = c / mp.sqrt(a * b)
        theta = mp.acos(min(mp.mpf(1), max(mp.mpf(-1), rho)))
        step = (mp.pi - theta) / mp.pi
        ramp = (mp.sin(theta) + (mp.pi - theta) * mp.cos(theta)) / mp.pi
        slopes = scale * ((1 - slope) ** 2 * step / 2 + slope)
        c = scale * mp.sqrt(a * b) * ((1 - slope) ** 2 * ramp / 2 + slope * rho) + variance
        a, b = a + variance, b + variance
        tangent = c + tangent * slopes
    return float(c if kernel.kind == "nngp" else tangent)


def pairs(dtype):
    """Rows at angles from 1 to 1e-16 and their supplements, of different lengths."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(5, generator=generator, dtype=torch.float64)
    across = torch.randn(5, generator=generator, dtype=torch.float64)
    for angle in [1.0, 0.3, 0.1, 0.03, *(10.0**-k for k in range(2, 17, 2))]:
        for factor in (1.0, 3.0, -1.0, -0.7):
            yield x.to(dtype), (factor * (x + angle * across)).to(dtype)


@pytest.mark.parametrize("slope", [0.0, 0.3, -0.5])
@pytest.mark.parametrize("biases", [0.0, 0.5])
@pytest.mark.parametrize("kind", ["ntk", "nngp"])
@pytest.mark.parametrize("depth", [1, 3])
def test_rectifiers_keep_all_digits_at_nearly_parallel_rows(depth: int, kind: str, biases: float, slope: float) -> None:
    kernel = InfiniteWidth(LeakyReLU(slope), depth, kind, biases)
    for dtype, tolerance in ((torch.float64, 1e-14), (torch.float32, 3e-6)):
        x, y = (torch.stack(rows) for rows in zip(*pairs(dtype), strict=True))
        found = kernel(x, y).diagonal().double()
        expected = torch.tensor([exact(*rows, kernel) for rows in zip(x, y, strict=True)], dtype=torch.float64)
        size = torch.sqrt(kernel(x, x).diagonal().double() * kernel(y, y).diagonal().double())
        wrong = (found - expected).abs() / size
        assert wrong.max() <= tolerance, (int(wrong.argmax()), float(wrong.max()))


def test_product_kernels_keep_all_digits_too() -> None:
    for x, y in pairs(torch.float64):
        a, b = ([mp.mpf(float(v)) for v in row] for row in (x, y))
        inner = sum(s * t for s, t in zip(a, b, strict=True))
        theta = mp.acos(inner / mp.sqrt(sum(s * s for s in a) * sum(t * t for t in b)))
        expected = float(inner * (mp.pi - theta) / (2 * mp.pi))
        found = float(FirstLayerKernel()(x[None], y[None]))
        assert abs(found - expected) <= 2e-15 * float(x.norm() * y.norm())


KERNELS = {
    "gaussian": Gaussian(2.0),
    "laplacian": Laplacian(2.0),
    **{f"dispersal {g}": Dispersal(g, 2.0) for g in (0.5, 1.0, 1.5, 2.0)},
    "polynomial": Polynomial(3, 0.5),
    "normalised": Normalised(Polynomial(3, 0.5)),
    **{f"ntk {depth}": InfiniteWidth(depth=depth) for depth in (1, 2)},
    "ntk with biases": InfiniteWidth(depth=2, biases=0.3),
    "nngp": InfiniteWidth(depth=2, kind="nngp"),
    "leaky": InfiniteWidth(LeakyReLU(0.3)),
    "power": InfiniteWidth(Monomial(2), biases=0.3),
    "erf": InfiniteWidth(Erf(), depth=2),
    "tanh": InfiniteWidth(Numeric(torch.tanh), biases=0.1),
    "product": ProductKernel(2),
    "coupled": CoupledKernel(3, bias=True),
    "first layer": FirstLayerKernel(),
}


@pytest.mark.parametrize("name", KERNELS)
def test_derivatives_are_finite_where_rows_repeat_and_the_mean_of_both_sides(name: str) -> None:
    kernel = KERNELS[name]
    x = 0.5 * torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.stack([x[0], -x[1], 2 * x[2], x[3] + 1])  # equal, opposite, parallel, elsewhere
    own = x.clone().requires_grad_()
    direction = torch.tensor([0.3, -1.0, 0.7], dtype=torch.float64)
    step = 1e-5
    for row in range(4):
        (gradient,) = torch.autograd.grad(kernel(own, y)[row, row], own)
        assert torch.isfinite(gradient).all()
        ahead, behind = (float(kernel((x + sign * step * direction), y)[row, row]) for sign in (1, -1))
        assert float(gradient[row] @ direction) == pytest.approx((ahead - behind) / (2 * step), rel=1e-5, abs=1e-6)
    same = x[[0, 1, 1, 2]].requires_grad_()
    (gradient,) = torch.autograd.grad(kernel(same, same).sum(), same)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", KERNELS)
def test_derivatives_at_a_zero_row_are_finite(name: str) -> None:
    x = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.5, -0.3]], dtype=torch.float64, requires_grad=True)
    kernel = KERNELS[name]
    values = kernel(x, x)
    assert torch.isfinite(values).all()
    (gradient,) = torch.autograd.grad(values.sum(), x)
    assert torch.isfinite(gradient).all()


MISSED = [lambda z: torch.sin(30 * z), lambda z: torch.cos(100 * z), torch.relu, torch.sign]


@pytest.mark.parametrize("function", MISSED)
def test_numeric_duals_that_miss_are_refused(function) -> None:
    one = torch.ones((), dtype=torch.float64)
    for call in (Numeric(function).dual, Numeric(function).derivative_dual):
        with pytest.raises(PolygeomError, match=r"terms miss a share .* of E σ"):
            call(one, one, one / 2)
    with pytest.raises(PolygeomError, match="terms miss a share"):
        normaliser(Numeric(function))
    with pytest.raises(PolygeomError, match="terms miss a share"):
        InfiniteWidth(Numeric(function))(one.reshape(1, 1), one.reshape(1, 1))


def test_numeric_duals_of_what_grows_too_fast_are_refused() -> None:
    one = torch.ones((), dtype=torch.float64)
    for function in (lambda z: torch.exp(z * z / 3), lambda z: torch.exp(13 * z)):
        with pytest.raises(PolygeomError, match="miss a share"):
            Numeric(function).dual(one, one, one)


def test_numeric_duals_that_hold_are_right() -> None:
    """E sin(k u) sin(k v) = exp(-k² (a + b) / 2) sinh(k² c), and sine of frequency 5 needs all terms."""
    a, b, c = (torch.tensor(v, dtype=torch.float64) for v in (1.0, 0.8, 0.75))
    for k in (1.0, 3.0, 5.0):
        found = float(Numeric(lambda z, k=k: torch.sin(k * z)).dual(a, b, c))
        assert found == pytest.approx(math.exp(-k * k * 0.9) * math.sinh(k * k * 0.75), rel=1e-9, abs=1e-12)
    single = Numeric(torch.tanh).dual(*(v.float() for v in (a, b, c)))
    assert float(single) == pytest.approx(float(Numeric(torch.tanh).dual(a, b, c)), rel=1e-5)
    loose = Numeric(torch.relu, tolerance=1e-2).dual(a, b, c)
    assert float(loose) == pytest.approx(float(LeakyReLU().dual(a, b, c)), rel=1e-3)
    assert np.isclose(float(Numeric(torch.tanh).derivative_dual(0 * a, 0 * a, 0 * a)), 1)


@pytest.mark.parametrize("name", KERNELS)
def test_values_do_not_depend_on_who_asks_for_derivatives(name: str) -> None:
    """Constants take a shorter way to powers and angles than rows that derivatives are taken by, in any mode."""
    kernel = KERNELS[name]
    x = 0.5 * torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.stack([x[0], -x[1], 2 * x[2], 0 * x[3]])
    direction = torch.ones_like(x)
    own = x.clone().requires_grad_()
    values = kernel(own, y)
    (gradient,) = torch.autograd.grad(values.sum(), own)
    assert torch.allclose(kernel(x, y), values, rtol=1e-13, atol=1e-13)
    if name == "tanh":
        return  # its expansion looks at numbers, which transforms do not show
    found, tangent = torch.func.jvp(lambda rows: kernel(rows, y), (x,), (direction,))
    assert torch.allclose(found, values, rtol=1e-13, atol=1e-13)
    assert tangent.sum().item() == pytest.approx((gradient * direction).sum().item(), rel=1e-9)
    assert torch.allclose(torch.func.grad(lambda rows: kernel(rows, y).sum())(x), gradient, rtol=1e-12, atol=1e-12)
