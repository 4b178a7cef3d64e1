from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="kernels need the extra learn")

from torch import nn  # noqa: E402

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.kernels.infinite_width import InfiniteWidth  # noqa: E402
from polygeom.learning.kernels.machines import solve  # noqa: E402
from polygeom.learning.kernels.product_kernels import CoupledKernel, FirstLayerKernel, ProductKernel  # noqa: E402
from polygeom.learning.kernels.sphere import multiplicities, sphere_eigenvalues  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import empirical_ntk  # noqa: E402

KERNELS = {"product": ProductKernel, "coupled": CoupledKernel}


def normal(*shape: int, seed: int = 0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(*shape: int, seed: int = 0):
    x = normal(*shape, seed=seed)
    return x / x.norm(dim=1, keepdim=True)


class PiNet(nn.Module):
    """A wide Π-net in the parameterisation of the kernels."""

    def __init__(self, kind: str, degree: int, inputs: int, width: int, factor: str = "relu") -> None:
        super().__init__()
        self.kind, self.factor = kind, factor
        self.factors = nn.ParameterList(normal(width, inputs, seed=10 + n) for n in range(degree))
        self.last = nn.Parameter(normal(1, width, seed=1))

    def forward(self, x):
        value = None
        for w in self.factors:
            own = nn.functional.linear(x, w)
            own = torch.relu(own) if self.factor == "relu" else own
            skip = value if self.kind == "coupled" and value is not None else 0
            value = own if value is None else own * value + skip
        return nn.functional.linear(value, self.last) * math.sqrt(2 / self.last.shape[1])


@pytest.mark.parametrize("factor", ["relu", "identity"])
@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("kind", KERNELS)
def test_wide_networks_have_the_kernel(kind: str, degree: int, factor: str) -> None:
    x = unit(12, 5)
    exact = KERNELS[kind](degree, factor)(x, x)
    found = empirical_ntk(PiNet(kind, degree, 5, 100_000, factor), x, outputs="trace")
    assert (found - exact).norm() < 0.05 * exact.norm()


def test_values_on_the_diagonal() -> None:
    x = unit(1, 4)
    found = [CoupledKernel(n)(x, x).item() for n in (1, 3, 6, 9)]
    assert found == pytest.approx([2, 12.858, 197.84, 2907.9], rel=1e-4)
    torch.testing.assert_close(ProductKernel(1)(x, x), InfiniteWidth()(x, x))
    torch.testing.assert_close(CoupledKernel(1)(x, x), InfiniteWidth()(x, x))


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_what_product_kernels_learn_is_homogeneous(degree: int) -> None:
    x, y, v = normal(40, 3), normal(40, seed=1), normal(5, 3, seed=2)
    machine = solve(ProductKernel(degree), x, y, ridge=1e-6)
    torch.testing.assert_close(machine.predict(7 * v), 7**degree * machine.predict(v), rtol=1e-9, atol=0)


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_what_coupled_kernels_learn_is_a_polynomial_on_rays(degree: int) -> None:
    x, y, v = normal(40, 3), normal(40, seed=1), normal(1, 3, seed=2)
    machine = solve(CoupledKernel(degree), x, y, ridge=1e-6)
    t = np.linspace(0, 2, 25)
    values = machine.predict(torch.as_tensor(t)[:, None] * v).numpy()
    fit = np.polynomial.Polynomial.fit(t, values, degree)
    assert np.abs(fit(t) - values).max() < 1e-10 * np.abs(values).max()
    if degree > 1:
        rough = np.polynomial.Polynomial.fit(t, values, degree - 1)
        assert np.abs(rough(t) - values).max() > 1e-4 * np.abs(values).max()


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", KERNELS)
def test_with_biases_growth_tends_to_the_degree(kind: str, degree: int) -> None:
    x, y, v = normal(30, 3), normal(30, seed=1), normal(1, 3, seed=2)
    machine = solve(KERNELS[kind](degree, bias=True), x, y, ridge=1e-6)
    far = machine.predict(torch.tensor([[1e3], [1e4]], dtype=torch.float64) * v)
    assert float(torch.log10((far[1] / far[0]).abs())) == pytest.approx(degree, abs=0.02)


def test_identity_factors_learn_polynomials_everywhere() -> None:
    """A target of the degree of the kernel is recovered outside the data as well."""
    x, far = normal(120, 3), 10 * normal(20, 3, seed=1)

    def target(z):
        return z[:, 0] ** 2 * z[:, 1] - 2 * z[:, 2] + 1

    machine = solve(CoupledKernel(3, "identity", bias=True), x, target(x), cutoff=1e-13)
    assert (machine.predict(far) - target(far)).abs().max() < 1e-5 * target(far).abs().max()


def test_a_quadratic_form_is_extrapolated_from_the_sphere_by_degree_two_alone() -> None:
    x, form = unit(1000, 3), normal(3, 3, seed=5)
    far = 10 * unit(200, 3, seed=6)

    def target(z):
        return ((z @ form) * z).sum(dim=1)

    errors = {}
    for degree in (1, 2, 3):
        machine = solve(ProductKernel(degree), x, target(x), ridge=1e-10, condition=False)
        errors[degree] = float((machine.predict(far) - target(far)).norm() / target(far).norm())
    assert errors[2] < 5e-3
    assert errors[1] == pytest.approx(1 - 1 / 10, rel=0.01)  # 10 f instead of 100 f
    assert errors[3] == pytest.approx(10 - 1, rel=0.01)


@pytest.mark.parametrize("kernel", [FirstLayerKernel(), InfiniteWidth()], ids=["first layer", "both layers"])
def test_a_linear_function_is_recovered_from_an_orthogonal_frame(kernel) -> None:
    """The points ±e_i suffice (arXiv 2009.11848, Lemma 1)."""
    d = 5
    x = torch.cat([torch.eye(d), -torch.eye(d)]).double()
    weights = normal(d)
    machine = solve(kernel, x, x @ weights, cutoff=1e-13)
    far = 50 * normal(30, d, seed=4)
    assert (machine.predict(far) - far @ weights).abs().max() < 1e-10 * 50


@pytest.mark.parametrize("d", [3, 10])
def test_eigenvalues_on_the_sphere(d: int) -> None:
    one = sphere_eigenvalues(ProductKernel(1), d, 40)
    assert np.abs(one[3::2]).max() < 1e-12
    two = sphere_eigenvalues(ProductKernel(2), d, 40)
    x = torch.eye(d, dtype=torch.float64)[:1]
    assert two[3] / ProductKernel(2)(x, x).item() > 1e-4
    if d == 3:
        for kernel in (ProductKernel(2), ProductKernel(3), CoupledKernel(2), CoupledKernel(3)):
            values = sphere_eigenvalues(kernel, d, 40)
            k = np.arange(20, 41)
            kept = values[k] > 1e-14
            slope = np.polyfit(np.log(k[kept]), np.log(values[k][kept]), 1)[0]
            assert slope == pytest.approx(-d, abs=0.3)
            share = float(multiplicities(d, 40) @ values) / kernel(x, x).item()
            assert 0.98 < share < 1


@pytest.mark.thorough
def test_eigenvalues_are_those_of_a_matrix_on_many_points() -> None:
    x = unit(1500, 3, seed=3)
    values = torch.linalg.eigvalsh(CoupledKernel(2)(x, x) / len(x)).flip(0)[:9]
    mu, many = sphere_eigenvalues(CoupledKernel(2), 3, 10), multiplicities(3, 10)
    expected = np.sort(np.repeat(mu, many.astype(int)))[::-1][:9]
    np.testing.assert_allclose(values.numpy(), expected, rtol=0.12)


def test_harmonics_of_polynomial_kernels() -> None:
    """(x·x')² in R³: constants and harmonics of degree 2, with trace 1."""
    values = sphere_eigenvalues(lambda x, y: (x @ y.T) ** 2, 3, 4)
    np.testing.assert_allclose(values, [1 / 3, 0, 2 / 15, 0, 0], atol=1e-12)
    assert multiplicities(3, 4) @ values == pytest.approx(1)


def test_bad_arguments_are_explained() -> None:
    with pytest.raises(PolygeomError, match="degree must be at least 1"):
        ProductKernel(0)
    with pytest.raises(PolygeomError, match="factor must be one of relu, identity"):
        CoupledKernel(2, "tanh")
    with pytest.raises(PolygeomError, match="dimension must be at least 2"):
        sphere_eigenvalues(ProductKernel(1), 1, 3)
    with pytest.raises(PolygeomError, match="degree must be at least 0 and nodes"):
        sphere_eigenvalues(ProductKernel(1), 3, -1)
