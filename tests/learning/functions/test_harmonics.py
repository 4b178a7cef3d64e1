"""Spherical harmonics: Monte Carlo, Laplacians, rotations, the Funk–Hecke formula by quadrature, infinite width."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="harmonics need the extra learn")

from polygeom.errors import BudgetError, PolygeomError  # noqa: E402
from polygeom.learning.functions.harmonics import _zonal_eigenvalues, harmonic_basis, tangent_spectrum  # noqa: E402
from polygeom.learning.kernels.sphere import multiplicities, sphere_eigenvalues  # noqa: E402
from polygeom.learning.thresholds.ranks import evaluation_jacobian, generic_weights, kernel_rank  # noqa: E402
from polygeom.network import parse  # noqa: E402

TEXTS = ["[3,2,1] r=2", "[4,3,1] r=3", "[3,3,3,1] r=2", "[3,3,2] r=2 bias", "ccp(3,rank=2,degree=3)", "[2,3,1] r=5"]


def sphere(count: int, size: int) -> torch.Tensor:
    x = torch.randn((count, size), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return x / x.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("text", TEXTS)
def test_harmonics_are_orthonormal_on_the_sphere(text: str) -> None:
    basis = harmonic_basis(text)
    size = basis.network.input_dimension
    values, counts = np.unique(basis.degrees, return_counts=True)
    assert counts.tolist() == multiplicities(size, basis.network.degree)[values].tolist()
    x = sphere(60_000, size)
    y = basis.values(x)
    gram = y.T @ y / len(x)
    torch.testing.assert_close(gram, torch.eye(len(gram), dtype=torch.float64), rtol=0, atol=0.08)


@pytest.mark.parametrize("text", TEXTS)
def test_mean_squares_are_sums_of_squares(text: str) -> None:
    network = parse(text)
    module = network.to_torch(rng=3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1)
        value = module(sphere(100_000, network.input_dimension)).square().sum(dim=1)
        components = harmonic_basis(network).components(dict(module.named_parameters()))
        x = sphere(50, network.input_dimension)
        expansion = harmonic_basis(network).values(x.reshape(-1, *network.input_shape)) @ components.T
        torch.testing.assert_close(module(x).reshape(len(x), -1), expansion, rtol=1e-9, atol=1e-10)
    error = float(value.std()) / math.sqrt(len(value))
    assert float(components.square().sum()) == pytest.approx(float(value.mean()), abs=5 * error)


@pytest.mark.parametrize(("degree", "size"), [(2, 3), (4, 4), (5, 3), (3, 2)])
def test_eigenvalues_by_quadrature(degree: int, size: int) -> None:
    for shift in (0, 1):
        found = _zonal_eigenvalues({n: math.comb(degree, n) for n in range(0 if shift else degree, degree + 1)}, size)

        def kernel(x: torch.Tensor, y: torch.Tensor, shift: int = shift) -> torch.Tensor:
            return (shift + x @ y.T) ** degree

        quadrature = sphere_eigenvalues(kernel, size, degree, nodes=80)
        for k, value in enumerate(quadrature):
            assert found.get(k, 0.0) == pytest.approx(value, rel=1e-9, abs=1e-14)


def test_degrees_are_eigenspaces_of_the_laplacian() -> None:
    """x1² - x2² is harmonic of degree two, |x|² is constant, and products of linear forms are mixtures."""
    basis = harmonic_basis("[2,2,1] r=2")
    weights = {"W1": torch.eye(2, dtype=torch.float64), "W2": torch.tensor([[1.0, -1.0]], dtype=torch.float64)}
    assert basis.energies(basis.components(weights)) == pytest.approx({0: 0.0, 2: 0.5}, abs=1e-12)
    weights["W2"] = torch.tensor([[1.0, 1.0]], dtype=torch.float64)
    assert basis.energies(basis.components(weights)) == pytest.approx({0: 1.0, 2: 0.0}, abs=1e-12)


def test_the_spectrum_is_that_of_a_large_kernel_matrix() -> None:
    network = parse("[3,3,2] r=2")
    weights = generic_weights(network, torch.Generator().manual_seed(0))
    found = tangent_spectrum(network, weights)
    x = sphere(3000, 3)
    jacobian = evaluation_jacobian(network, weights, x) / math.sqrt(len(x))
    values = torch.linalg.svdvals(jacobian).square().numpy()
    np.testing.assert_allclose(found.eigenvalues[:8], values[:8], rtol=0.1)
    assert found.eigenvalues.sum() == pytest.approx(found.traces.sum())
    np.testing.assert_allclose(found.shares.sum(axis=1), 1)
    np.testing.assert_allclose(found.eigenvalues @ found.shares, found.traces)


@pytest.mark.parametrize("text", ["[3,2,1] r=2", "[4,3,1] r=3", "[2,2,2,2,1] r=2", "[3,3,3] r=2"])
def test_the_rank_is_the_dimension(text: str) -> None:
    weights = generic_weights(parse(text), torch.Generator().manual_seed(1))
    found = tangent_spectrum(text, weights)
    assert found.rank.rank == kernel_rank(text).dimension
    assert found.rank.clear


def test_rates_scale_the_kernel() -> None:
    weights = generic_weights(parse("[3,2,1] r=2"), torch.Generator().manual_seed(1))
    parts = [tangent_spectrum("[3,2,1] r=2", weights, rates={a: 1.0, b: 0.0}) for a, b in (("W1", "W2"), ("W2", "W1"))]
    both = tangent_spectrum("[3,2,1] r=2", weights, rates={"W2": 4.0})
    np.testing.assert_allclose(parts[0].traces + 4 * parts[1].traces, both.traces)


def test_bad_arguments_are_explained() -> None:
    with pytest.raises(PolygeomError, match="spheres need at least 2 input variables, got 1"):
        harmonic_basis("[1,2,1] r=2")
    with pytest.raises(BudgetError, match="monomials are more than 3000"):
        harmonic_basis("[40,2,1] r=4")
