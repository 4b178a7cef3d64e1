"""What is said to be a copy is one: later changes of modules, weights, modes and points reach nothing that was made."""

from __future__ import annotations

import copy
import io
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.kernels.kernels import Laplacian  # noqa: E402
from polygeom.learning.kernels.machines import nystrom, solve  # noqa: E402
from polygeom.learning.kernels.preconditioning import eigenpro  # noqa: E402
from polygeom.learning.tangent.functional import standalone  # noqa: E402
from polygeom.learning.tangent.linearised import linearize  # noqa: E402
from polygeom.learning.tangent.operators import tangent_operator  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import TangentKernel, jacobian  # noqa: E402
from polygeom.learning.training.loop import train  # noqa: E402
from polygeom.learning.training.settings import TrainingSettings  # noqa: E402
from polygeom.network import parse  # noqa: E402


def net(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Tanh(), nn.Linear(4, 1))
        module.double()(torch.randn(20, 3, dtype=torch.float64))
    return module.eval()


def points(count: int = 6, seed: int = 1):
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def change(module: nn.Module, x) -> None:
    """Everything that may happen to a module and to points later."""
    module.train()
    with torch.no_grad():
        for value in [*module.parameters(), *module.buffers(), x]:
            value.mul_(3).add_(1)
    module[1] = nn.ReLU()
    module[0].register_parameter("bias", None)


def product(module: nn.Module, x):
    operator = tangent_operator(module, x)
    return lambda at: operator.product(torch.ones(operator.shape[1], dtype=x.dtype))


def transpose(module: nn.Module, x):
    operator = tangent_operator(module, x)
    return lambda at: operator.transpose(torch.ones(len(x), 1).to(x))


def kernel(module: nn.Module, x):
    made = TangentKernel(module)
    return lambda at: made(at, at)


MADE = {
    "linearised": lambda m, x: displaced(m),
    "operator": product,
    "transpose": transpose,
    "kernel": kernel,
    "kernel machine": lambda m, x: solve(TangentKernel(m), x, x[:, 0], ridge=1e-3).predict,
    "laplacian machine": lambda m, x: solve(Laplacian(), x, x[:, 0]).predict,
    "eigenpro": lambda m, x: eigenpro(Laplacian(), x, x[:, 0], epochs=2, top=2).predict,
    "eigenfunctions": lambda m, x: nystrom(TangentKernel(m), x, 2),
}


def displaced(module: nn.Module):
    model = linearize(module)
    model.displace(torch.linspace(-1, 1, sum(p.numel() for p in module.parameters()), dtype=torch.float64))
    return model


@pytest.mark.parametrize("name", MADE)
def test_later_changes_do_not_matter(name: str) -> None:
    module, x, at = net(), points(), points(4, seed=2)
    made = MADE[name](module, x)
    before = made(at).detach().clone()
    change(module, x)
    assert torch.equal(made(at), before)


def test_what_is_made_leaves_the_module_as_it_was() -> None:
    module, x = net(), points()
    expected = copy.deepcopy(module)
    model = displaced(module)
    train(model, x, x[:, :1], TrainingSettings(steps=3))
    model.float().train().requires_grad_(True)
    for own, theirs in zip(module.parameters(), expected.parameters(), strict=True):
        assert torch.equal(own, theirs)
        assert own.requires_grad
        assert own.grad is None
    assert [part.training for part in module.modules()] == [False] * 6


def test_the_state_of_a_linearised_module_holds_the_weights_at_the_origin() -> None:
    x, model = points(), displaced(net())
    other = linearize(net(5))
    assert not torch.allclose(other(x), model(x))
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    assert torch.equal(other(x), model(x))
    assert torch.equal(copy.deepcopy(model)(x), model(x))


def test_a_linearised_module_changes_its_precision_as_a_whole() -> None:
    module, x = net(), points()
    expected = displaced(module)(x)
    for model in (displaced(module).float(), displaced(module).to(torch.float32), displaced(module).to("cpu").float()):
        value = model(x.float())
        assert value.dtype == torch.float32
        torch.testing.assert_close(value.double(), expected, rtol=1e-4, atol=1e-4)
        assert torch.equal(model(x), value)
    torch.testing.assert_close(displaced(module).float().double()(x), expected, rtol=1e-5, atol=1e-5)


def test_only_the_displacement_of_a_linearised_module_is_trained() -> None:
    module, x = net(), points()
    model = linearize(module)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert trained == [f"displacement.{i}" for i in range(6)]
    assert [name for name, p in model.requires_grad_().named_parameters() if p.requires_grad] == trained
    start = {name: value.clone() for name, value in model.base.state_dict().items()}
    nn.Sequential(model).train()
    first = model(x)
    assert torch.equal(first, module(x))
    train(model, x, x[:, :1], TrainingSettings(steps=5, learning_rate=0.1))
    assert all(torch.equal(value, start[name]) for name, value in model.base.state_dict().items())
    assert not torch.equal(model(x), first)


def test_a_linearised_module_can_be_differentiated_by_its_inputs() -> None:
    module, x = net(), points(2)
    model = displaced(module)
    d = torch.cat([p.detach().reshape(-1) for p in model.displacement])

    def by_jacobian(x):
        return module(x) + torch.func.jvp(
            lambda *w: torch.func.functional_call(module, dict(zip(names, w, strict=True)), (x,)), weights, moved
        )[1]  # fmt: skip

    names, weights = zip(*[(n, p.detach()) for n, p in module.named_parameters()], strict=True)
    moved = tuple(p.detach() for p in model.displacement)
    own, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    (a,) = torch.autograd.grad(model(own).sum(), own)
    (b,) = torch.autograd.grad(by_jacobian(theirs).sum(), theirs)
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(model(x)[:, 0], module(x)[:, 0] + jacobian(module, x)[:, 0] @ d)


def test_tied_weights_stay_tied_in_the_copy() -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    module[2].weight = module[0].weight
    module.double()
    model, x = linearize(module), points()
    model.displace(0.1 * torch.ones(sum(p.numel() for p in module.parameters()), dtype=torch.float64))
    expected = model(x)
    torch.testing.assert_close(model.float().double()(x), expected, rtol=1e-5, atol=1e-6)
    assert sum(p.numel() for p in model.base.parameters()) == 9 + 3 + 3


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_modules_with_computed_attributes_are_copied_too() -> None:
    module = nn.Sequential(torch.nn.utils.weight_norm(nn.Linear(3, 2)), nn.Tanh()).double()
    x = points()
    expected = module(x)
    mine = standalone(module)
    change(module, x.clone())
    assert torch.equal(mine(x), expected)


def test_what_cannot_be_copied_is_refused() -> None:
    module = nn.Linear(3, 1)
    with (
        Path(__file__).open() as module.file,
        pytest.raises(PolygeomError, match=r"copy.deepcopy can copy, got TypeError"),
    ):
        linearize(module)


def test_networks_are_not_rebuilt_by_copies() -> None:
    module = parse("[3,4,1] r=2").to_torch()
    assert copy.deepcopy(module).network is module.network
