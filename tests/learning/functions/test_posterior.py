"""Sampled learning coefficients against exact ones, and the parts of the sampler against what they must be."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="learning needs the extra learn")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.checks import FallbackWarning  # noqa: E402
from polygeom.learning.functions import estimate_learning_coefficient  # noqa: E402
from polygeom.learning.functions.bayes import bayes_generalisation  # noqa: E402
from polygeom.learning.functions.perceptrons import perceptron_outputs, representative_points  # noqa: E402
from polygeom.learning.functions.posterior import local_reach, module_energy, summarise  # noqa: E402
from polygeom.learning.functions.sampling import SamplerSettings, effective_samples, sample_energies, split_rhat  # noqa: E402
from polygeom.network import parse  # noqa: E402
from polygeom.testing.module_zoo import Called, Hidden  # noqa: E402

FEW = SamplerSettings(chains=8, draws=120, warmup=70, leapfrog=4)


def _gaussian(power: int, size: int) -> object:
    return lambda weights: weights[:, :size].abs().pow(power).sum(dim=1)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("power", "size", "value", "sampler"), [(2, 3, 1.5, "hmc"), (4, 2, 0.5, "hmc"), (2, 2, 1.0, "mala")]
)
def test_known_integrals(power: int, size: int, value: float, sampler: str) -> None:
    """``Σ |w_i|^p`` has ``b E[K] → size / p``, exactly for large b."""
    settings = SamplerSettings(sampler, chains=8, draws=250 if sampler == "mala" else 120, warmup=60)
    trace, accepted, swaps = sample_energies(_gaussian(power, size), torch.zeros(1, size + 1).double(), settings, rng=2)
    found = summarise(trace[:, 0], accepted[0], swaps[0], settings, multiplicity=1, rng=2, elapsed=0.0)
    assert abs(found.value - value) < max(4 * found.error, 0.02)
    assert found.rhat.max() < 1.1


@pytest.mark.slow
def test_the_log_log_correction_is_fitted() -> None:
    """``a²b²``: without the multiplicity the estimate is below 1/2 by 1 / log b, with it it is not."""
    product = lambda weights: (weights[:, 0] * weights[:, 1]).square()  # noqa: E731
    many = dataclasses.replace(FEW, draws=2000)
    trace, accepted, swaps = sample_energies(product, torch.zeros(1, 2).double(), many, rng=1)
    told = [
        summarise(trace[:, 0], accepted[0], swaps[0], many, multiplicity=m, rng=1, elapsed=0.0) for m in (1, 2, None)
    ]
    assert told[0].value < 0.45 < told[1].value < 0.56
    assert told[2].slope > 0
    assert abs(told[2].value - 0.5) < 4 * told[2].error


@pytest.mark.thorough
def test_a_subnetwork_and_another_module() -> None:
    module = parse("[2,2,1] r=2").to_torch(rng=3)
    x = torch.randn(12, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = estimate_learning_coefficient(module, x, settings=FEW, multiplicity=1, rng=5)
    assert abs(found.value - 1.5) < max(4 * found.error, 0.1)
    again = estimate_learning_coefficient(module, x, settings=FEW, multiplicity=1, rng=5)
    assert again.value == found.value
    plain = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Tanh())  # 3 weights, regular: 3/2
    other = estimate_learning_coefficient(plain, x, settings=FEW, multiplicity=1)
    assert abs(other.value - 1.5) < max(4 * other.error, 0.1)


@pytest.mark.thorough
def test_stochastic_gradients_are_near() -> None:
    module = torch.nn.Linear(2, 1, bias=False)
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    settings = SamplerSettings("sgld", chains=8, draws=200, warmup=60, batch=20, betas=(4.0, 16.0, 64.0))
    found = estimate_learning_coefficient(module, x, settings=settings, multiplicity=1)
    assert abs(found.levels[-1] - 1.0) < 0.3


def test_a_perceptron_is_evaluated_as_its_module() -> None:
    for text in ("[2,3,2] r=3", "[2,2,2,1] r=2", "[2,2] r=2"):
        network = parse(text)
        module = network.to_torch(rng=1)
        x = torch.randn(9, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        fast, _, centre = module_energy(module, x, None, None)
        slow, _, other = module_energy(module, x, module(x).detach(), None)
        weights = centre + 0.1 * torch.randn(4, len(centre), generator=torch.Generator().manual_seed(1)).double()
        assert torch.equal(centre, other)
        torch.testing.assert_close(fast(weights), slow(weights))
        moving = weights.requires_grad_()
        (slope,) = torch.autograd.grad(slow(moving).sum(), moving)
        loss, written_out = fast.slopes(weights.detach())
        torch.testing.assert_close(loss, slow(weights).detach())
        torch.testing.assert_close(written_out, slope)


def test_as_many_points_as_monomials_stand_for_all_inputs() -> None:
    network, generator = parse("[2,2,2] r=3"), torch.Generator().manual_seed(0)
    x = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    z, mixing = representative_points(network, x)
    assert mixing is not None
    assert len(z) == 4  # cubic forms in two variables
    first, second = torch.randn(2, 1, 8, generator=generator, dtype=torch.float64)
    far = perceptron_outputs(network, first, x) - perceptron_outputs(network, second, x)
    near = perceptron_outputs(network, first, z) - perceptron_outputs(network, second, z)
    torch.testing.assert_close((near @ mixing.T).square().sum(), far.square().sum())
    repeated = x[:2].repeat(10, 1)  # two directions do not tell cubic forms apart
    assert representative_points(network, repeated)[1] is None


def test_a_share_keeps_what_lives_alive_and_leaves_zeros_free() -> None:
    module = torch.nn.Linear(2, 2)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 2.0]]))
        module.bias.copy_(torch.tensor([0.0, 1.0]))
    settings = dataclasses.replace(FEW, share=0.1)
    bounds = local_reach(module, settings)
    assert bounds is not None
    length = 0.1 * 12.5**0.5
    assert bounds[0].tolist() == pytest.approx([length, length, math.inf, 0.2, math.inf, 0.1])
    nearer = local_reach(module, dataclasses.replace(settings, reach=0.3))
    assert nearer is not None
    assert nearer[0].tolist() == pytest.approx([0.3, 0.3, 0.3, 0.2, 0.3, 0.1])
    assert local_reach(module, FEW) is None


def test_effective_samples_of_an_autoregression() -> None:
    rng, rho = np.random.default_rng(0), 0.8
    trace = np.zeros((4000, 4))
    for t in range(1, len(trace)):
        trace[t] = rho * trace[t - 1] + rng.normal(size=4)
    wanted = trace.size * (1 - rho) / (1 + rho)
    assert 0.8 * wanted < effective_samples(trace) < 1.25 * wanted
    assert split_rhat(trace) < 1.02
    assert split_rhat(trace + np.arange(4)) > 1.1


@pytest.mark.thorough
def test_generalisation_tends_to_the_coefficient_and_not_to_half_the_weights() -> None:
    (found,) = bayes_generalisation("[2,2,1] r=2", (400,), datasets=40)  # λ = 3/2, six weights
    chance = (1.5 / 40) ** 0.5  # half a χ² of three degrees, mean of 40
    assert abs(found.scaled_error - 1.5) < 4 * chance
    assert found.scaled_error + 3 * chance < 3


@pytest.mark.slow
def test_generalisation_counts_directions_of_small_curvature() -> None:
    """One direction has 1.5e-4 of the steepest curvature: chains that do not move along it tell 1.2 for 3/2."""
    found = bayes_generalisation("[2,2,1] r=2", (800, 3200), datasets=200)
    assert all(abs(one.scaled_error - 1.5) < 3 * (1.5 / 200) ** 0.5 for one in found)


@pytest.mark.parametrize(
    "settings",
    [
        {"sampler": "gibbs"},
        {"betas": (10.0,)},
        {"betas": (10.0, 5.0)},
        {"betas": (0.5, 5.0)},
        {"chains": 1},
        {"spread": 0.0},
        {"share": -1.0},
        {"batch": 3},
        {"draws": math.inf},
    ],
)
def test_refusals(settings: dict[str, object]) -> None:
    with pytest.raises(PolygeomError):
        SamplerSettings(**settings)


def test_modules_that_torch_cannot_batch_are_tried_one_after_another() -> None:
    """A function without a rule for many weights; the loss is the same as that of a product."""
    torch.manual_seed(0)
    parts = {"dense": torch.nn.Linear(3, 2), "scale": torch.nn.Parameter(torch.ones(2))}
    x = torch.randn(3, 3)
    hidden = Called(parts, lambda m, x: Hidden.apply(m.dense(x), m.scale))
    slow, _, centre = module_energy(hidden, x, None, None)
    fast, _, _ = module_energy(Called(parts, lambda m, x: m.dense(x) * m.scale), x, None, None)
    weights = centre + 0.1 * torch.randn(2, len(centre), generator=torch.Generator().manual_seed(1)).double()
    with pytest.warns(FallbackWarning, match="one after another"):
        alone = slow.slopes(weights)
    for one, other in zip(alone, fast.slopes(weights), strict=True):
        torch.testing.assert_close(one, other)


def test_a_transformer_block_in_evaluation_mode_has_derivatives_at_many_weights() -> None:
    """Its fused rule has none, and is not taken."""
    torch.manual_seed(0)
    block = torch.nn.TransformerEncoderLayer(4, 2, 2, dropout=0.0, batch_first=True).eval()
    x = torch.randn(3, 2, 4)
    one, _, centre = module_energy(block, x, None, None)
    other, _, _ = module_energy(block.train(), x, None, None)
    weights = centre + 0.1 * torch.randn(2, len(centre), generator=torch.Generator().manual_seed(1)).double()
    block.eval()
    for left, right in zip(one.slopes(weights), other.slopes(weights), strict=True):
        torch.testing.assert_close(left, right)


@pytest.mark.thorough
def test_convolutions_and_integers_are_read() -> None:
    convolution = torch.nn.Sequential(torch.nn.Conv1d(1, 1, 2), torch.nn.Flatten())  # 3 weights, regular: 3/2
    found = estimate_learning_coefficient(convolution, np.random.default_rng(0).normal(size=(9, 1, 3)), settings=FEW)
    assert abs(found.levels[-1] - 1.5) < max(4 * found.level_errors[-1], 0.15)
    table = torch.nn.Sequential(torch.nn.Embedding(3, 1), torch.nn.Flatten())  # 3 numbers: 3/2
    found = estimate_learning_coefficient(table, torch.tensor([[0], [1], [2]]), settings=FEW)
    assert abs(found.levels[-1] - 1.5) < max(4 * found.level_errors[-1], 0.15)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout()), "dropout '1' is active"),
        (torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)), "statistics of the batch"),
        (torch.nn.LSTM(2, 1, batch_first=True), "one tensor"),
    ],
)
def test_modules_without_definite_outputs_are_refused(module: torch.nn.Module, words: str) -> None:
    shape = (4, 3, 2) if isinstance(module, torch.nn.LSTM) else (4, 2)
    with pytest.raises(PolygeomError, match=words):
        estimate_learning_coefficient(module, torch.ones(shape))


def test_a_module_without_weights_is_refused() -> None:
    with pytest.raises(PolygeomError, match="weights"):
        estimate_learning_coefficient(torch.nn.Identity(), torch.ones(2, 1))
