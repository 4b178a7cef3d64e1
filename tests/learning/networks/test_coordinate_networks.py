# ruff: noqa: E402  torch is an extra: without it the file is skipped before anything else is imported
from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import math

import numpy as np
from torch import nn

from polygeom.errors import PolygeomError
from polygeom.learning.functions.spectra import amplitude_ratios, learned_by_band, psnr
from polygeom.learning.networks.coordinate import MODELS, GaborNetwork, coordinate_network, relu_network, siren
from polygeom.learning.regions import activation_patterns, sign_patterns
from polygeom.learning.regions.confusion import gradient_products

torch.set_num_threads(1)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_maps_positions_to_colours_and_depends_on_its_seed_alone(model: str) -> None:
    x = 2 * torch.rand(50, 2) - 1
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first, again, other = (coordinate_network(model, 2, 3, width=16, rng=seed) for seed in (5, 5, 6))
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.no_grad():
        assert first(x).shape == (50, 3)
        assert torch.equal(first(x), again(x))
        assert not torch.equal(first(x), other(x))
        assert first(x).dtype == torch.float32
        assert coordinate_network(model, 2, 3, width=16, dtype=torch.float64)(x.double()).dtype == torch.float64


@pytest.mark.parametrize("model", ["relu", "siren", "gabor"])
def test_a_sigmoid_output_lies_between_0_and_1(model: str) -> None:
    network = coordinate_network(model, 2, 3, width=16, output="sigmoid")
    values = network(100 * torch.randn(20, 2)).detach()
    assert 0 <= values.min() <= values.max() <= 1


@pytest.mark.parametrize("model", ["ccp", "monomial"])
@pytest.mark.parametrize("degree", [2, 3])
def test_polynomial_models_are_polynomials_of_their_degree(model: str, degree: int) -> None:
    """Along a line the differences of one order higher than the degree vanish."""
    network = coordinate_network(model, 2, 1, width=8, hidden=2, degree=degree, dtype=torch.float64)
    total = degree if model == "ccp" else degree**2
    assert network.network.degree == total
    line = torch.linspace(-1, 1, total + 2, dtype=torch.float64)[:, None] * torch.tensor([[0.6, 0.8]])
    values = network(line.double()).detach().numpy()[:, 0]
    assert abs(np.diff(values, total + 1)).max() < 1e-9 * 2**total * abs(values).max()
    assert abs(np.diff(values, total)).max() > 1e-9


def test_hidden_layers_and_units_are_as_many_as_asked() -> None:
    x = torch.rand(10, 2)
    assert activation_patterns(relu_network(2, 3, hidden=4, width=9), x).widths == (9,) * 4
    assert sign_patterns(siren(2, 3, hidden=3, width=9), x).widths == (9,) * 3
    assert sign_patterns(GaborNetwork(2, 3, hidden=3, width=8), x).widths == (8,) * 3
    assert sign_patterns(coordinate_network("ccp", 2, 3, width=9, degree=6), x).widths == (9,) * 6


def test_a_siren_keeps_the_size_of_its_pre_activations() -> None:
    network = siren(2, 3, hidden=5, width=512)
    x = 2 * torch.rand(2000, 2) - 1
    with torch.no_grad():
        for number, part in enumerate(network[:-1]):
            if isinstance(part, nn.Linear) and number:
                assert float((30 * x @ part.weight.T).std()) == pytest.approx(1.0, abs=0.1)
            x = part(x)


def test_gabor_features_are_waves_in_gaussian_windows() -> None:
    network = GaborNetwork(2, 3, width=8, rng=2).double()
    x = torch.randn(20, 2, dtype=torch.float64)
    w, b = network.waves.weight.detach().numpy(), network.waves.bias.detach().numpy()
    mu, gamma = network.centres.detach().numpy(), network.sharpness.detach().numpy()
    expected = np.array(
        [
            [
                (math.sin if k < 4 else math.cos)(w[k] @ p + b[k])
                * math.exp(-(gamma[k] ** 2) * sum((p - mu[k]) ** 2) / 2)
                for k in range(8)
            ]
            for p in x.numpy()
        ]
    )
    assert np.allclose(network.features(x).detach().numpy(), expected)


def test_the_confusion_of_a_gabor_network_counts_all_its_parameters() -> None:
    network = GaborNetwork(2, 1, width=8).double()
    x, y = torch.randn(6, 2, dtype=torch.float64), torch.randn(6, 1, dtype=torch.float64)
    found = gradient_products(network, x, y, [[0, 1]]).inner[0]
    first, second = (
        torch.cat(
            [
                g.flatten()
                for g in torch.autograd.grad((network(x[i : i + 1]) - y[i]).square().mean(), network.parameters())
            ]
        )
        for i in (0, 1)
    )
    assert found == pytest.approx(float(first @ second), rel=1e-9)


def test_refusals() -> None:
    with pytest.raises(PolygeomError, match="model must be one of relu, siren"):
        coordinate_network("mfn", 2, 3)
    with pytest.raises(PolygeomError, match="output must be one of linear, sigmoid"):
        coordinate_network("relu", 2, 3, output="tanh")
    with pytest.raises(PolygeomError, match="width must be even"):
        GaborNetwork(2, 3, width=7)


def test_learned_power_by_band_adds_up_and_knows_the_bands(rng: np.random.Generator) -> None:
    target = rng.normal(size=(32, 32, 3))
    smooth = np.fft.ifft2(
        np.fft.fft2(target, axes=(0, 1))
        * (np.hypot(*np.meshgrid(np.fft.fftfreq(32, 1 / 32), np.fft.fftfreq(32, 1 / 32))) < 4)[..., None],
        axes=(0, 1),
    ).real
    assert learned_by_band(smooth, target, (0, 2, 4, 8)) == pytest.approx([1, 1, 0, 0], abs=1e-12)
    assert learned_by_band(2 * target, target, (0,)) == pytest.approx([0])
    values = rng.normal(size=target.shape)
    assert learned_by_band(values, target, (0,))[0] == pytest.approx(
        1 - ((values - target) ** 2).sum() / (target**2).sum()
    )
    with pytest.raises(PolygeomError, match="edges must increase"):
        learned_by_band(values, target, (2, 1))


def test_psnr_and_amplitudes() -> None:
    assert psnr(np.zeros(4), np.full(4, 0.01)) == pytest.approx(40)
    assert psnr(np.ones(4), np.ones(4)) == math.inf
    t = np.arange(100) / 100
    target = np.sin(2 * np.pi * 3 * t) + np.sin(2 * np.pi * 9 * t + 1)
    assert amplitude_ratios(0.25 * target, target, [3, 9]) == pytest.approx([0.25, 0.25])
