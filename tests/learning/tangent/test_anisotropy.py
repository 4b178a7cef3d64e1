from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="directions need the extra learn")

from learning.tangent_models import seeded  # noqa: E402
from torch import nn  # noqa: E402

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.experiments.tangent.networks import Model  # noqa: E402
from polygeom.learning.tangent.anisotropy import VanishingError, anisotropy_directions, separable_along  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import empirical_ntk  # noqa: E402
from polygeom.learning.tangent.target_alignment import rayleigh  # noqa: E402
from polygeom.network import parse  # noqa: E402


def lenet(activation: str = "gelu", side: int = 8) -> nn.Module:
    return Model.parse(f"lenet:{activation}").build((side, side), 0)


@pytest.mark.thorough
def test_the_mixed_derivative_is_that_of_autograd() -> None:
    """Squared singular values are eigenvalues of Mᵀ M, with M from two backward passes."""
    module = lenet()
    x = torch.zeros(1, 8, 8, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(module(x).sum(), x, create_graph=True)
    weights = list(module.parameters())
    rows = []
    for entry in gradient.reshape(-1):
        parts = torch.autograd.grad(entry, weights, retain_graph=True, allow_unused=True)
        pairs = zip(parts, weights, strict=True)
        rows.append(torch.cat([(torch.zeros_like(w) if p is None else p).reshape(-1) for p, w in pairs]))
    values = np.linalg.svd(torch.stack(rows).numpy(), compute_uv=False)
    found = anisotropy_directions(module, (8, 8))
    np.testing.assert_allclose(found.singular_values, values, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(64), atol=1e-10)


@pytest.mark.thorough
@pytest.mark.parametrize("sigma", [pytest.param(0.0, marks=pytest.mark.slow), 0.5])
def test_both_methods_agree(sigma: float) -> None:
    dense = anisotropy_directions(lenet(), (8, 8), sigma=sigma, samples=10)
    free = anisotropy_directions(lenet(), (8, 8), sigma=sigma, samples=10, method="matrix-free", count=20)
    np.testing.assert_allclose(free.singular_values, dense.singular_values[:20], rtol=1e-6)
    cosines = np.abs(np.sum(free.directions[:5] * dense.directions[:5], axis=1))
    assert cosines.min() >= 0.999


@pytest.mark.thorough
def test_directions_order_linear_targets_by_alignment() -> None:
    """α(v·x) = σ² ‖M v‖² for normal inputs, by Stein's lemma: here up to sampling."""
    module = seeded(lambda: nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1)))
    found = anisotropy_directions(module, (6,), sigma=0.8, samples=4000)
    x = 0.8 * torch.randn(4000, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    kernel = empirical_ntk(module, x, outputs="trace") / len(x)
    measured = rayleigh(kernel, x @ torch.as_tensor(found.directions.T.copy()))
    np.testing.assert_allclose(measured.numpy(), 0.64 * found.singular_values**2, rtol=0.25)


@pytest.mark.parametrize(
    ("text", "sigma", "vanishes"),
    [
        ("[4,5,1] r=2", 0.0, True), ("[4,5,1] r=3", 0.0, True), ("[4,5,1] r=2", 1.0, True),
        ("[4,5,5,1] r=2", 1.0, True), ("[4,5,1] r=3", 1.0, False), ("[4,5,1] r=1", 0.0, False),
    ],
)  # fmt: skip
def test_a_derivative_that_vanishes_by_symmetry_is_refused(text: str, sigma: float, vanishes: bool) -> None:
    module = parse(text).to_torch(rng=1)
    if vanishes:
        with pytest.raises(VanishingError, match="no direction is preferred"):
            anisotropy_directions(module, (4,), sigma=sigma, samples=20)
    else:
        assert anisotropy_directions(module, (4,), sigma=sigma, samples=20).singular_values[0] > 1e-3


def test_unpaired_samples_of_an_even_network_give_noise() -> None:
    """The pitfall itself: an estimate without the negatives does not vanish, and means nothing."""
    module = parse("[4,5,1] r=2").to_torch(rng=1)
    few, many = (
        anisotropy_directions(module, (4,), sigma=1.0, samples=n, paired=False).singular_values[0] for n in (20, 5000)
    )
    assert many < few / 5


def test_a_bias_brings_directions_back() -> None:
    module = parse("[4,5,1] r=2 bias").to_torch(rng=1)
    with torch.no_grad():
        module.get_parameter("b1").fill_(0.5)
    assert anisotropy_directions(module, (4,)).singular_values[0] > 0.1


def test_data_are_separable_along_one_direction_alone() -> None:
    v = np.random.default_rng(0).standard_normal(20)
    inputs, labels = separable_along(v, 500, epsilon=0.6, sigma=2.0, rng=3)
    unit = v / np.linalg.norm(v)
    along = inputs @ unit
    np.testing.assert_allclose(along * (2 * labels - 1), 0.3, atol=1e-12)
    noise = inputs - np.outer(along, unit)
    assert np.abs(noise @ unit).max() < 1e-6
    assert noise.std() == pytest.approx(2 * np.sqrt(19 / 20), rel=0.05)
    assert 0.4 < labels.mean() < 0.6


def test_bad_arguments_are_explained() -> None:
    module = lenet()
    with pytest.raises(PolygeomError, match="method must be one of dense, matrix-free"):
        anisotropy_directions(module, (8, 8), method="fast")
    with pytest.raises(PolygeomError, match="count must be between 1 and 63"):
        anisotropy_directions(module, (8, 8), method="matrix-free", count=64)
    with pytest.raises(PolygeomError, match="sigma must be at least 0"):
        anisotropy_directions(module, (8, 8), sigma=-1)
    with pytest.raises(PolygeomError, match="module must have one output"):
        anisotropy_directions(parse("[4,2] r=1").to_torch(), (4,))
