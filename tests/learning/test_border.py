"""Shapes, types and modules at the border of the learning room: right, or refused in words; never broadcast."""

# ruff: noqa: E402  torch is an extra: without it the file is skipped before anything else is imported
from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra learn")

import numpy as np
from torch import nn

from polygeom.dimensions.identifiability import identifiability
from polygeom.errors import PolygeomError
from polygeom.learning.checks import FallbackWarning
from polygeom.learning.kernels import InfiniteWidth, Laplacian, RandomFeatures, solve
from polygeom.learning.kernels.infinite_width import WidePerceptron
from polygeom.learning.kernels.machines import KernelMachine
from polygeom.learning.regions import (
    activation_patterns,
    boundary_distances,
    cell_inradii,
    cross_section,
    gradient_confusion,
    spectral_norm_product,
)
from polygeom.learning.regions.confusion import gradient_products
from polygeom.learning.tangent import alignment, empirical_ntk, jacobian, kernel_regression, linearize, tangent_operator
from polygeom.learning.thresholds import kernel_rank
from polygeom.learning.training import TrainingSettings, levenberg_marquardt, train
from polygeom.network import parse
from polygeom.testing.module_zoo import Called

ALL_PAIRS = np.stack(np.triu_indices(8, 1), axis=1)


def linear(inputs: int = 5, outputs: int = 1) -> nn.Module:
    torch.manual_seed(1)
    return nn.Linear(inputs, outputs)


def by_autograd(module: nn.Module, x, y, loss=nn.functional.mse_loss) -> torch.Tensor:
    """Gradients of the losses of single samples, ``(N, P)``."""
    rows = []
    for one, target in zip(x, y, strict=True):
        value = loss(module(one[None]), target[None])
        rows.append(torch.cat([g.reshape(-1) for g in torch.autograd.grad(value, list(module.parameters()))]))
    return torch.stack(rows)


def test_a_row_of_targets_is_a_column_of_outputs_in_confusion() -> None:
    """Broadcast to (N, N) the third cosine was -0.049; it is 0.049."""
    module = linear()
    x, y = torch.randn(8, 5), torch.randn(8)
    g = by_autograd(module, x, y[:, None])
    expected = nn.functional.cosine_similarity(g[ALL_PAIRS[:, 0]], g[ALL_PAIRS[:, 1]]).numpy()
    found = gradient_confusion(module, x, y, ALL_PAIRS)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(gradient_confusion(module, x, y[:, None], ALL_PAIRS), expected, atol=1e-5)
    assert found[2] == pytest.approx(expected[2], abs=1e-5)


def test_the_bound_and_signs_of_a_hidden_layer_are_those_of_single_samples() -> None:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(5, 32), nn.GELU(), nn.Linear(32, 1)).double()
    x, y = torch.randn(40, 5, dtype=torch.float64), 3 * torch.randn(40, dtype=torch.float64)
    pairs = np.stack(np.triu_indices(40, 1), axis=1)
    g = by_autograd(module, x, y[:, None])
    inner = (g @ g.T).numpy()[pairs[:, 0], pairs[:, 1]]
    found = gradient_products(module, x, y, pairs)
    assert (np.sign(found.inner) == np.sign(inner)).all()
    assert found.bound == pytest.approx(-inner.min(), rel=1e-10)


def test_training_on_a_row_of_targets_learns_the_function_and_not_the_mean() -> None:
    """Broadcast, the loss ended at the variance of the targets."""
    torch.manual_seed(0)
    x = torch.randn(60, 3, dtype=torch.float64)
    y = x @ torch.tensor([2.0, -3.0, 1.0], dtype=torch.float64) + 1
    settings = TrainingSettings(steps=300, optimiser="sgd", learning_rate=0.3)
    module = nn.Linear(3, 1).double()
    assert train(module, x, y, settings).loss < 1e-25
    assert train(nn.Linear(3, 1).double(), x.numpy(), y.tolist(), settings).loss < 1e-25
    assert levenberg_marquardt(nn.Linear(3, 1).double(), x, y).loss < 1e-25


def test_losses_of_ones_own_are_not_broadcast_either() -> None:
    x, y = torch.randn(6, 5), torch.randn(6)
    with pytest.raises(PolygeomError, match=r"loss must not broadcast .* \(6, 1\) and \(6,\)"):
        train(linear(), x, y, TrainingSettings(steps=1), loss=lambda out, t: (out - t).square().mean())
    with pytest.raises(PolygeomError, match="must not broadcast"):
        gradient_confusion(linear(), x, y, [[0, 1]], loss=lambda out, t: (out - t).square().mean(dim=1))


@pytest.mark.parametrize("shape", [(), (2, 3), (1,)])
def test_linearised_modules_keep_the_shape_of_outputs(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    tail = nn.Flatten(0) if not shape else nn.Unflatten(1, shape)
    module = nn.Sequential(nn.Linear(3, int(np.prod(shape))), tail).double()
    x = torch.randn(4, 3, dtype=torch.float64)
    model = linearize(module)
    assert model(x).shape == module(x).shape == (4, *shape)
    torch.testing.assert_close(model(x), module(x))
    j = jacobian(module, x)
    operator, u = tangent_operator(module, x), torch.randn(4, *shape, dtype=torch.float64)
    expected = torch.einsum("nc,ncp->p", u.reshape(4, -1), j)
    torch.testing.assert_close(operator.transpose(u), expected)
    torch.testing.assert_close(operator.transpose(u.reshape(4, -1)), expected)
    assert operator.kernel_product(u).shape == u.shape
    torch.testing.assert_close(alignment(module, x, u), expected.square().sum() / u.square().sum())
    assert gradient_products(module, x, u, [[0, 1]]).inner.shape == (1,)


def test_targets_of_another_shape_are_refused_not_reshaped() -> None:
    module, x = linear(5, 2), torch.randn(8, 5)
    with pytest.raises(PolygeomError, match=r"targets must have shape \(8, 2\)"):
        alignment(module, x, torch.randn(2, 8))
    kernel = torch.eye(3, dtype=torch.float64)
    with pytest.raises(PolygeomError, match=r"start must have shape \(3, 2\)"):
        kernel_regression(kernel, torch.randn(3, 2), start=torch.randn(2, 3))
    with pytest.raises(PolygeomError, match=r"targets must have shape \(8, 2\)"):
        train(module, x, torch.randn(8), TrainingSettings(steps=1))
    with pytest.raises(PolygeomError, match="classes from 0 to 1, got -100 to 1"):
        train(module, x, torch.tensor([-100] + [1] * 7), TrainingSettings(steps=1), loss="cross_entropy")
    with pytest.raises(PolygeomError, match="C ≥ 2 logits"):
        train(linear(), x, torch.zeros(8, dtype=torch.int64), TrainingSettings(steps=1), loss="cross_entropy")


def test_classes_come_as_columns_one_hot_rows_or_small_integers() -> None:
    module, x = linear(5, 3), torch.randn(8, 5)
    labels = torch.arange(8) % 3
    expected = gradient_products(module, x, labels, ALL_PAIRS, loss="cross_entropy").inner
    one_hot = nn.functional.one_hot(labels, 3)
    for given in (labels[:, None], labels.numpy().astype(np.uint8), one_hot, one_hot.float(), labels.tolist()):
        found = gradient_products(module, x, given, ALL_PAIRS, loss="cross_entropy").inner
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_errors_of_kernel_machines_by_labels_of_every_kind() -> None:
    x = torch.randn(30, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = (x[:, 0] > 0).long()
    one_hot = nn.functional.one_hot(labels, 2).double()
    machine = solve(Laplacian(), x, one_hot)
    wrong = labels.clone()
    wrong[:3] = 1 - wrong[:3]
    for given in (wrong, wrong[:, None], nn.functional.one_hot(wrong, 2), wrong.numpy(), wrong.double()):
        assert machine.error(x, given) == pytest.approx(0.1)
    for machine, given in (
        (solve(Laplacian(), x, labels.double()), wrong),
        (solve(Laplacian(), x, labels.double()[:, None]), wrong.bool()),
        (solve(Laplacian(), x, 2.0 * labels - 1), 2 * wrong - 1),
    ):
        assert machine.error(x, given) == pytest.approx(0.1)
        assert machine.mse(x, machine.predict(x).reshape(-1)) == 0
        assert machine.mse(x, machine.predict(x).reshape(-1, 1)) == 0
    with pytest.raises(PolygeomError, match="labels are all 1"):
        KernelMachine(Laplacian(), x, labels.double(), "lu").error(x, torch.ones(30))


def test_arrays_integers_and_other_precisions_are_read_alike_everywhere() -> None:
    torch.manual_seed(3)
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)).double()
    x = torch.randint(-3, 4, (6, 3))
    y = torch.randint(-3, 4, (6,))
    calls = {
        "jacobian": lambda a, b: jacobian(module, a),
        "kernel": lambda a, b: empirical_ntk(module, a),
        "confusion": lambda a, b: torch.as_tensor(gradient_confusion(module, a, b, [[0, 1], [2, 5]])),
        "operator": lambda a, b: tangent_operator(module, a).transpose(b),
        "linearised": lambda a, b: linearize(module)(a).detach(),
        "alignment": lambda a, b: alignment(module, a, b),
        "patterns": lambda a, b: torch.as_tensor(activation_patterns(module, a).hamming([[0, 1], [2, 3]])),
        "distances": lambda a, b: torch.as_tensor(boundary_distances(module, a)),
        "kernel machine": lambda a, b: solve(Laplacian(), a, b, ridge=1.0).weights.double(),
    }
    for name, call in calls.items():
        expected = call(x.double(), y.double())
        for given in ((x, y), (x.numpy(), y.numpy()), (x.float(), y.float()), (x.tolist(), y.numpy().astype(np.int16))):
            torch.testing.assert_close(call(*given), expected, rtol=1e-5, atol=1e-5, msg=name)


def test_what_is_no_array_of_points_is_refused_alike_everywhere() -> None:
    torch.manual_seed(3)
    module, y = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)), torch.zeros(2, 1)
    calls = (
        lambda x: jacobian(module, x),
        lambda x: empirical_ntk(module, x),
        lambda x: tangent_operator(module, x),
        lambda x: linearize(module)(x),
        lambda x: alignment(module, x, y),
        lambda x: gradient_confusion(module, x, y, [[0, 1]]),
        lambda x: train(module, x, y, TrainingSettings(steps=1)),
        lambda x: activation_patterns(module, x),
        lambda x: boundary_distances(module, x),
        lambda x: cell_inradii(module, x),
    )
    wrong = ("text", None, torch.ones(2, 3) * 1j, torch.full((2, 3), float("nan")), torch.zeros(0, 3),
             torch.tensor(1.0), torch.ones(2, 4), {"a": 1}, np.array([["a"]]))  # fmt: skip
    for x in wrong:
        for call in calls:
            with pytest.raises(PolygeomError):
                call(x)


def test_modules_that_mix_points_are_refused_by_every_function() -> None:
    module = Called({"dense": nn.Linear(3, 2)}, lambda m, x: m.dense(x - x.mean(0)))
    x, y = torch.randn(5, 3), torch.randn(5, 2)
    for call in (
        lambda: jacobian(module, x),
        lambda: empirical_ntk(module, x),
        lambda: tangent_operator(module, x),
        lambda: linearize(module)(x),
        lambda: alignment(module, x, y),
        lambda: gradient_confusion(module, x, y, [[0, 1]]),
        lambda: gradient_confusion(module, x, y, [[0, 1]], loss=lambda out, t: (out - t).square().sum(dim=1)),
        lambda: boundary_distances(module, x),
    ):
        with pytest.raises(PolygeomError, match=r"must treat every point on its own|a loss"):
            call()


def test_a_layer_in_two_places_is_left_as_it_was() -> None:
    shared = nn.Linear(3, 3)
    module = nn.Sequential(shared, nn.Tanh(), shared).double()
    weight = shared.weight
    jacobian(module, torch.randn(2, 3), method="pointwise")
    linearize(module)(torch.randn(2, 3))
    assert module[0].weight is weight
    assert module[2].weight is weight


def test_slower_rules_say_so() -> None:
    torch.manual_seed(0)
    recurrent = Called({"layer": nn.LSTM(3, 2, batch_first=True)}, lambda m, x: m.layer(x)[0][:, -1])
    x = torch.randn(3, 4, 3, dtype=torch.float64)
    with pytest.warns(FallbackWarning, match="point by point"):
        slow = jacobian(recurrent, x)
    torch.testing.assert_close(jacobian(recurrent, x, method="single"), slow)
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    with pytest.warns(FallbackWarning, match="two backward passes"):
        linearize(normed)(x[:, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernel_rank(nn.Linear(2, 1)), "network must be a Network or its text, got Linear"),
        (lambda: kernel_rank(parse("[2,3,1] r=2").to_torch()), "write network=module.network"),
        (lambda: InfiniteWidth("tanh"), r"got 'tanh'; write LeakyReLU"),
        (lambda: InfiniteWidth(torch.relu), "write LeakyReLU"),
        (lambda: WidePerceptron((2, 3, 1), nn.ReLU()), "write LeakyReLU"),
        (lambda: identifiability([2, 3, 1]), r"write '\[2,3,1\] r=2'"),
        (lambda: parse("[2,1] r=2").to_torch(rng="seed"), "rng must be an integer"),
        (lambda: parse("[2,1] r=2").to_torch(rng=-1), "rng must be an integer"),
        (lambda: cross_section(linear(), torch.zeros(5), torch.tensor([0, 7])), "axes must be two different numbers"),
        (lambda: cross_section(linear(), torch.zeros(5), 3), "axes must be two different numbers"),
        (lambda: RandomFeatures("tanh"), "write LeakyReLU"),
    ],
)
def test_arguments_of_another_kind_are_answered_in_words(call, message: str) -> None:
    with pytest.raises(PolygeomError, match=message):
        call()


def test_generators_are_seeds_and_tensors_are_axes() -> None:
    network = parse("[2,3,1] r=2")
    for make in (lambda: np.random.default_rng(3), lambda: torch.Generator().manual_seed(3)):
        first, again, generator = network.to_torch(rng=make()), network.to_torch(rng=make()), make()
        one, two = network.to_torch(rng=generator), network.to_torch(rng=generator)
        assert torch.equal(first.W1, again.W1)
        assert torch.equal(first.W1, one.W1)
        assert not torch.equal(one.W1, two.W1)
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    expected = cross_section(module, torch.zeros(4), (-2, 1), resolution=9).regions
    for axes in (torch.tensor([-2, 1]), np.array([2, 1]), [2, 1]):
        assert (cross_section(module, np.zeros(4), axes, resolution=9).regions == expected).all()


class Blocked(nn.Module):
    """A layer with something between the dense map and its activation."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.a, self.b, self.out = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.act, self.batch, self.layer = nn.ReLU(), nn.BatchNorm1d(4), nn.LayerNorm(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = {
            "plain": lambda: self.a(x),
            "batch": lambda: self.batch(self.a(x)),
            "sum": lambda: x + self.a(x),
            "scaled": lambda: 0.5 * self.a(x) - 0.3,
            "dense": lambda: self.b(self.a(x)),
            "layer": lambda: self.layer(self.a(x)),
            "around": lambda: x + self.b(torch.relu(self.a(x))),
        }[self.kind]()
        return self.out(self.act(z))


def blocked(kind: str) -> nn.Module:
    torch.manual_seed(2)
    module = Blocked(kind).double()
    for _ in range(20):
        module(2 * torch.randn(64, 4, dtype=torch.float64) + 1)
    return module.eval()


@pytest.mark.parametrize("kind", ["plain", "batch", "sum", "scaled", "dense"])
def test_no_move_by_less_than_the_distance_changes_the_pattern(kind: str) -> None:
    """Measured to the hyperplane of the dense map alone, up to a quarter of the moves did."""
    module = blocked(kind)
    x = torch.randn(4000, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    distances = torch.as_tensor(boundary_distances(module, x))
    assert distances.shape == (4000, 1)
    towards = torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    here = activation_patterns(module, x).words
    moved = x + 0.95 * distances * nn.functional.normalize(towards, dim=1)
    assert (activation_patterns(module, moved).words == here).all()
    rows = torch.func.vmap(torch.func.jacrev(lambda p: read(module, p[None])[0]))(x[:200])
    z = read(module, x[:200])
    nearest = (z.abs() / rows.norm(dim=2)).argmin(dim=1)
    index = torch.arange(200)
    normal = -torch.sign(z[index, nearest])[:, None] * nn.functional.normalize(rows[index, nearest], dim=1)
    beyond = x[:200] + 1.001 * distances[:200] * normal.detach()
    assert (activation_patterns(module, beyond).words != here[:200]).any(axis=1).all()


def read(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    seen = []
    handle = module.act.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    module(x)
    handle.remove()
    return seen[0]


@pytest.mark.parametrize("kind", ["batch", "sum", "scaled", "dense"])
def test_inradii_are_those_of_the_folded_layer(kind: str) -> None:
    """The same cell as that of one dense layer with the folded weights."""
    module = blocked(kind)
    weight = torch.func.jacrev(lambda p: read(module, p[None])[0])(torch.zeros(4, dtype=torch.float64)).detach()
    folded = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    with torch.no_grad():
        folded[0].weight.copy_(weight)
        folded[0].bias.copy_(read(module, torch.zeros(1, 4, dtype=torch.float64))[0])
    x = 2 * torch.rand(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 1
    np.testing.assert_allclose(cell_inradii(module, x), cell_inradii(folded, x), atol=1e-9)


def test_what_is_not_affine_before_an_activation_is_refused() -> None:
    x = torch.zeros(3, 4)
    with pytest.raises(PolygeomError, match=r"before activation 1 .* stands layer_norm"):
        boundary_distances(blocked("layer"), x)
    with pytest.raises(PolygeomError, match="skip connection around an activation"):
        boundary_distances(blocked("around"), x)
    with pytest.raises(PolygeomError, match="layer_norm"):
        cell_inradii(blocked("layer"), x)
    smooth = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))
    assert cell_inradii(smooth, x).shape == (3,)
    with pytest.raises(PolygeomError, match=r"piecewise affine up to activation 2 .* tanh"):
        cell_inradii(smooth, x, depth=2)


def test_products_of_norms_bound_slopes_or_are_refused() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(2, 2, bias=False)
            nn.init.eye_(self.a.weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.relu(self.a(x))

    with pytest.raises(PolygeomError, match="a skip connection adds"):
        spectral_norm_product(Skip())
    torch.manual_seed(0)
    chain = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 2, 2, stride=2, groups=2),
        nn.Flatten(), nn.Linear(18, 3), nn.LeakyReLU(3.0), nn.Linear(3, 2),
    ).double().eval()  # fmt: skip
    with torch.no_grad():
        chain[1].weight.fill_(-3.0)
        chain[1].running_var.fill_(0.25)
    x = torch.randn(6, 1, 6, 6, dtype=torch.float64)
    slopes = torch.func.vmap(torch.func.jacrev(lambda p: chain(p[None])[0]))(x).flatten(start_dim=2).detach()
    bound = spectral_norm_product(chain)
    assert float(torch.linalg.matrix_norm(slopes, 2).max()) <= bound
    without = spectral_norm_product(nn.Sequential(*[part for n, part in enumerate(chain) if n != 1]))
    assert bound == pytest.approx(without * 3 / (0.25 + 1e-5) ** 0.5)
