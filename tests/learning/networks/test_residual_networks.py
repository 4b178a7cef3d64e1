"""Residual networks: sizes from the literature, what they are at the start, and batch normalisation in both modes."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch", reason="residual networks need the extra learn")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.networks.residual import ResidualBlock, ResidualNetwork  # noqa: E402
from polygeom.learning.tangent import empirical_ntk, jacobian, linearize  # noqa: E402
from polygeom.learning.tangent.functional import (  # noqa: E402
    reset_statistics,
    weight_function,
)
from polygeom.learning.training import TrainingSettings, train  # noqa: E402
from polygeom.learning.training.loop import DivergenceError  # noqa: E402

# Published counts for images of 224 × 224 points and 1000 classes (torchvision; 200 layers: timm). Here the first
# convolution is 3 × 3 instead of 7 × 7, and the dense map has ten outputs.
IMAGENET = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808, 200: 64_673_832}


def points(count: int, *shape: int, seed: int = 0):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def small(activation: str = "relu", *, depth: int = 18, preactivation: bool = False, outputs: int = 1):
    module = ResidualNetwork(
        depth, activation=activation, width=2, outputs=outputs, input_shape=(8, 8), preactivation=preactivation, rng=1
    )
    return module.double()


def moved(module: nn.Module, amount: float = 0.2, *, passes: int = 10) -> nn.Module:
    """Other weights, with statistics of some data at them, in evaluation mode: no branch vanishes."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for value in module.parameters():
            value += amount * torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value)
        module.train()
        for seed in range(passes):
            module(points(20, 8, 8, seed=100 + seed))
    return module.eval()


def count(depth: int, width: int, **options) -> int:
    return sum(p.numel() for p in ResidualNetwork(depth, width=width, **options).parameters())


@pytest.mark.parametrize("depth", [pytest.param(n, marks=pytest.mark.slow if n > 101 else ()) for n in IMAGENET])
def test_parameter_counts_are_the_published_ones(depth: int) -> None:
    """They are quadratic in the width: three narrow networks give those of width 64."""
    features = 2048 if depth >= 50 else 512
    expected = IMAGENET[depth] - (49 - 9) * 3 * 64 - (features + 1) * 990
    one, two, three = (count(depth, width, outputs=10) for width in (1, 2, 3))
    assert one + 63 * (two - one) + 63 * 62 // 2 * (three - 2 * two + one) == expected
    before = [count(depth, width, outputs=10, preactivation=True) for width in (2, 3)]
    assert all(0.8 < a / b < 1 for a, b in zip(before, (two, three), strict=True))  # no normalisation on shortcuts


@pytest.mark.slow
def test_full_width_and_its_initialisation() -> None:
    module = ResidualNetwork(18, outputs=1)
    assert sum(p.numel() for p in module.parameters()) == 11_169_345
    stem = module.stem[0].weight.detach()
    assert float(stem.square().mean() * 27) == pytest.approx(1, abs=0.1)
    assert float(stem.abs().max()) <= 2.3 / 27**0.5
    assert 11_169_345 + 9 * 513 == 11_173_962 == IMAGENET[18] - 7680 - 513 * 990


@pytest.mark.thorough
@pytest.mark.parametrize("depth", IMAGENET)
def test_the_depth_counts_layers_with_weights(depth: int) -> None:
    module = ResidualNetwork(depth, width=1)
    branches = [part for block in module.blocks for part in block.branch if isinstance(part, nn.Conv2d)]
    assert len(branches) + 2 == depth


def by_hand(module: ResidualNetwork, x):
    """The network of 18 layers written out with torch's functions, in evaluation mode."""
    w = {**dict(module.named_parameters()), **dict(module.named_buffers())}

    def norm(x, name):
        mean, var = w[f"{name}.running_mean"], w[f"{name}.running_var"]
        unit = (x - mean[:, None, None]) / torch.sqrt(var + 1e-5)[:, None, None]
        return unit * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]

    h = norm(functional.conv2d(x[:, None], w["stem.0.weight"], padding=1), "stem.1").relu()
    for number in range(8):
        name, stride = f"blocks.{number}", 2 if number in (2, 4, 6) else 1
        b = norm(functional.conv2d(h, w[f"{name}.branch.0.weight"], stride=stride, padding=1), f"{name}.branch.1")
        b = norm(functional.conv2d(b.relu(), w[f"{name}.branch.3.weight"], padding=1), f"{name}.branch.4")
        if stride == 2:
            h = norm(functional.conv2d(h, w[f"{name}.shortcut.0.weight"], stride=2), f"{name}.shortcut.1")
        h = (h + b).relu()
    return h.mean(dim=(2, 3)) @ w["head.weight"].T + w["head.bias"]


def test_the_network_of_18_layers_written_out() -> None:
    module, x = moved(small(outputs=3)), points(4, 8, 8)
    torch.testing.assert_close(module(x), by_hand(module, x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("preactivation", [False, True])
@pytest.mark.parametrize("depth", [18, 50])
def test_every_block_begins_as_its_shortcut(depth: int, preactivation: bool) -> None:
    module = small(depth=depth, preactivation=preactivation).eval()
    blocks = [block for block in module.blocks if isinstance(block, ResidualBlock)]
    assert len(blocks) == {18: 8, 50: 16}[depth]
    h = points(2, 2, 8, 8)
    for block in blocks:
        after = block(h)
        torch.testing.assert_close(after, block.exit(block.shortcut(h)), rtol=0, atol=0)
        h = after


def test_a_polynomial_network_with_preactivation_is_a_quadric_at_the_start() -> None:
    """Third differences along rays vanish; they do not once the branches contribute."""
    module, x = small("x^2", preactivation=True).eval(), points(3, 8, 8)
    values = torch.stack([module(t * x) for t in (0.0, 0.3, 0.6, 0.9)])
    third = values[3] - 3 * values[2] + 3 * values[1] - values[0]
    assert third.abs().max() < 1e-10 * values.abs().max()
    moved(module, 0.02)
    values = torch.stack([module(t * x) for t in (0.0, 0.3, 0.6, 0.9)])
    third = values[3] - 3 * values[2] + 3 * values[1] - values[0]
    assert third.abs().max() > 0.01 * values.abs().max()


def test_seeds_decide_and_torch_is_left_alone() -> None:
    state = torch.get_rng_state()
    first, again, other = (ResidualNetwork(18, width=2, rng=seed) for seed in (1, 1, 2))
    assert torch.equal(state, torch.get_rng_state())
    values = [module.eval()(points(2, 3, 32, 32).float()) for module in (first, again, other)]
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])


def test_normalisation_has_the_published_constants() -> None:
    """Momentum 0.9 in flax is 0.1 in torch; running statistics begin at mean 0, variance 1."""
    for part in ResidualNetwork(18, width=2).modules():
        if isinstance(part, nn.BatchNorm2d):
            assert (part.momentum, part.eps) == (0.1, 1e-5)
            assert not part.running_mean.any()
            assert (part.running_var == 1).all()


@pytest.mark.parametrize(
    ("activation", "preactivation", "amount"), [("relu", False, 0.2), ("gelu", False, 0.2), ("x+x^2", True, 0.02)]
)
def test_the_linearised_network_is_the_tangent_with_frozen_statistics(
    activation: str, preactivation: bool, amount: float
) -> None:
    module, x = moved(small(activation, preactivation=preactivation), amount), points(5, 8, 8)
    j = jacobian(module, x)[:, 0]
    d = 0.1 * points(j.shape[1])
    linear, free = linearize(module), linearize(module, bias=False)
    start = module(x).detach()
    linear.displace(d)
    free.displace(d)
    wanted = start[:, 0] + j @ d
    assert (linear(x)[:, 0] - wanted).abs().max() <= 1e-10 * wanted.abs().max()
    assert (free(x)[:, 0] - j @ d).abs().max() <= 1e-10 * wanted.abs().max()
    moved(module)  # later changes, of weights and statistics, do not matter
    linear.train()
    assert (linear(x)[:, 0] - wanted).abs().max() <= 1e-10 * wanted.abs().max()
    assert (linear(x[:2])[:, 0] - wanted[:2]).abs().max() <= 1e-10 * wanted.abs().max()  # whatever else is in the batch


def test_training_mode_is_refused_where_points_would_influence_each_other() -> None:
    module = small()
    assert module.training
    for tool in (lambda: empirical_ntk(module, points(2, 8, 8)), lambda: linearize(module)):
        with pytest.raises(PolygeomError, match=r"batch normalisation 'stem\.1' uses the statistics of the batch"):
            tool()


def learned(module: nn.Module, steps: int = 6, **options):
    x = points(40, 8, 8)
    y = (x.mean(dim=(1, 2)) > 0).double()[:, None]
    settings = TrainingSettings(
        steps=steps, optimiser="sgd", learning_rate=0.02, batch_size=10, record_every=3, order="sequential"
    )
    return train(module, x, y, settings, **options)


def statistics(module: nn.Module) -> list:
    return [b.clone() for b in module.buffers()]


def test_training_learns_running_statistics_and_metrics_use_them() -> None:
    """Rows belong to a state that the same number of steps without any look leaves behind, statistics included."""
    module = small().eval()
    start = copy.deepcopy(module.state_dict())
    x0, seen = points(3, 8, 8, seed=9), []

    def look(own: nn.Module) -> float:
        assert not own.training
        seen.append(statistics(own))
        return float(own(x0).sum())

    result = learned(module, metrics={"value": look})
    assert not module.training  # the mode it came in
    assert result.table["value"].iloc[-1] == float(module(x0).sum().detach())
    for one, other in zip(seen[0], [b for n, b in start.items() if "running" in n or "num" in n], strict=True):
        assert torch.equal(one, other)
    for one, other in zip(seen[-1], statistics(module), strict=True):
        assert torch.equal(one, other)
    again = small()
    again.load_state_dict(start)
    rows = points(40, 8, 8)
    optimiser = torch.optim.SGD(again.parameters(), lr=0.02)
    for step in range(6):
        chosen = torch.arange(10) + 10 * (step % 4)
        loss = functional.mse_loss(again(rows[chosen]), (rows.mean(dim=(1, 2)) > 0).double()[chosen, None])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, again.state_dict()[name], rtol=1e-10, atol=1e-12)
    assert again.training
    assert int(module.stem[1].num_batches_tracked) == 6


def test_linearised_networks_train_without_touching_statistics() -> None:
    module = moved(small())
    before, weights = statistics(module), copy.deepcopy(list(module.parameters()))
    linear = linearize(module)
    constants = {name: value.clone() for name, value in linear.base.state_dict().items()}
    learned(linear)
    assert any(p.abs().max() > 0 for p in linear.displacement)
    assert all(torch.equal(a, b) for a, b in zip(before, statistics(module), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(weights, module.parameters(), strict=True))
    assert all(torch.equal(value, linear.base.state_dict()[name]) for name, value in constants.items())


def test_a_network_that_diverges_comes_back_to_its_mode_and_last_statistics() -> None:
    module = small().eval()
    x, y = points(20, 8, 8), torch.full((20, 1), 1e200, dtype=torch.float64)
    with pytest.raises(DivergenceError) as caught:
        train(module, x, y, TrainingSettings(steps=5, optimiser="sgd", learning_rate=1e200))
    assert not module.training
    assert not caught.value.state["stem.1.running_mean"].any() or caught.value.step > 0


def test_statistics_are_reset_and_weights_are_not() -> None:
    module = moved(small(), 0.5)
    weights = copy.deepcopy(list(module.parameters()))
    assert reset_statistics(module) is module
    fresh = dict(small().named_buffers())
    assert all(torch.equal(value, fresh[name]) for name, value in module.named_buffers())
    assert all(torch.equal(a, b) for a, b in zip(weights, module.parameters(), strict=True))
    assert weight_function(module).parameter_count == sum(p.numel() for p in weights)


def test_bad_arguments_are_explained() -> None:
    with pytest.raises(PolygeomError, match="depth must be one of 18, 34, 50, 101, 152, 200, got 20"):
        ResidualNetwork(20)
    with pytest.raises(PolygeomError, match=r"input_shape \(channels, height, width\)"):
        ResidualNetwork(18, input_shape=(64,))
    with pytest.raises(PolygeomError, match="activation must be one of"):
        ResidualNetwork(18, width=2, activation="swish")
    with pytest.raises(PolygeomError, match="so that no batch of one remains"):
        small()(points(1, 8, 8))
    assert small()(points(1, 16, 8)).shape == (1, 1)
    assert small().eval()(points(1, 8, 8)).shape == (1, 1)
