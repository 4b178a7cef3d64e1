from __future__ import annotations

import subprocess
import sys
import time

import pytest

torch = pytest.importorskip("torch", reason="tangent kernels need the extra learn")

from learning.tangent_models import BY_LAYERS, POINTWISE, case, jacobian_by_backward, perceptron, seeded  # noqa: E402
from torch import nn  # noqa: E402

from polygeom.errors import BudgetError, PolygeomError  # noqa: E402
from polygeom.learning.functions import core_matrix  # noqa: E402
from polygeom.learning.tangent import tangent_kernel  # noqa: E402
from polygeom.learning.tangent.functional import weight_function  # noqa: E402
from polygeom.learning.tangent.layers.recording import NotRecordable, record  # noqa: E402
from polygeom.learning.tangent.layers.trials import layerwise_trial  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import as_matrix, empirical_ntk, jacobian, kernel_diagonal  # noqa: E402
from polygeom.network import parse  # noqa: E402

ALL = [*BY_LAYERS, *POINTWISE]


def close(found, expected, relative: float = 1e-10) -> None:
    assert found.shape == expected.shape
    assert found.dtype == torch.float64
    assert (found - expected).abs().max() <= relative * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("name", ALL)
def test_the_jacobian_is_that_of_backward_passes(name: str) -> None:
    module, x = case(name)
    expected = jacobian_by_backward(module, x)
    close(jacobian(module, x), expected)
    close(jacobian(module, x, method="pointwise"), expected)


@pytest.mark.parametrize("name", ALL)
def test_kernels_are_products_of_jacobians(name: str) -> None:
    module, x = case(name)
    y = x[:4] * 1.3 - 0.1
    j, other = jacobian_by_backward(module, x), jacobian_by_backward(module, y)
    for second, right in ((None, j), (y, other)):
        full = torch.einsum("ncp,kdp->nkcd", j, right)
        close(empirical_ntk(module, x, second), full)
        close(empirical_ntk(module, x, second, outputs="diagonal"), torch.einsum("nkcc->nkc", full))
        close(empirical_ntk(module, x, second, outputs="trace"), torch.einsum("nkcc->nk", full))
        close(empirical_ntk(module, x, second, outputs="sum"), full.sum(dim=(2, 3)) / full.shape[2])
    close(kernel_diagonal(module, x), j.square().sum(dim=2))
    close(as_matrix(empirical_ntk(module, x)), j.flatten(end_dim=1) @ j.flatten(end_dim=1).T)


@pytest.mark.parametrize("name", ALL)
def test_the_layer_wise_rule_is_taken_where_it_holds(name: str) -> None:
    module, x = case(name)
    assert (layerwise_trial(weight_function(module), x) is not None) == (name in BY_LAYERS)


@pytest.mark.parametrize(
    ("name", "outputs"),
    [*((name, "full") for name in ("perceptron", "tied", "custom", "normalised"))]
    + [("convolutions", outputs) for outputs in tangent_kernel.OUTPUTS],
)
def test_the_budget_changes_nothing(name: str, outputs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = case(name, count=7)
    whole = empirical_ntk(module, x, outputs=outputs)
    monkeypatch.setattr(tangent_kernel, "_block_size", lambda *_: 3)
    close(empirical_ntk(module, x, outputs=outputs), whole, 1e-12)
    monkeypatch.setattr(tangent_kernel, "_block_size", lambda *_: 2)
    close(empirical_ntk(module, x, x[:5], outputs=outputs), whole[:, :5], 1e-12)


def test_a_network_and_its_core_matrix_have_one_kernel() -> None:
    module = parse("[3,4,2] r=3").to_torch(rng=2)
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    core = core_matrix(module.network, dict(module.named_parameters()))
    close(empirical_ntk(module, x), core.kernel(x).detach())


MEMORY = """
import resource, sys, torch
from torch import nn
from polygeom.learning.networks.residual import ResidualNetwork
from polygeom.learning.tangent.tangent_kernel import empirical_ntk, jacobian
torch.set_num_threads(1)
budget, kind = int(sys.argv[1]), sys.argv[2]
if kind == "residual":
    module, x = ResidualNetwork(18, width=2).double().eval(), torch.randn(80, 3, 32, 32, dtype=torch.float64)
    empirical_ntk(module, x[:1], outputs="trace")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    empirical_ntk(module, x, outputs="trace", memory=budget)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
    sys.exit()
wide = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)).double()
def points(count): return torch.randn(count, 64, dtype=torch.float64)
method = "pointwise" if kind == "pointwise" else "auto"
empirical_ntk(wide, points(3), outputs="trace", method=method)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
empirical_ntk(wide, points(600 if method == "auto" else 30), outputs="trace", method=method, memory=budget)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is that of Linux")
@pytest.mark.parametrize(
    ("kind", "budget"),
    [
        ("layerwise", 2**26),
        pytest.param("residual", 2**26, marks=pytest.mark.slow),
        pytest.param("residual", 2**27, marks=pytest.mark.slow),
        pytest.param("layerwise", 2**28, marks=pytest.mark.slow),
        pytest.param("pointwise", 2**27, marks=pytest.mark.slow),
    ],
)
def test_memory_stays_within_the_budget(kind: str, budget: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(budget), kind], capture_output=True, text=True, timeout=120, check=True
    )
    assert int(done.stdout) <= budget + 2**24


def test_what_does_not_fit_is_refused() -> None:
    module, x = case("perceptron", count=50)
    with pytest.raises(BudgetError, match=r"memory must be at least .* for a Jacobian of 50 × 2 × 54"):
        jacobian(module, x, memory=10_000)
    with pytest.raises(BudgetError, match=r"memory must be at least .* for this kernel, got 10000 bytes"):
        empirical_ntk(module, x, memory=10_000)


@pytest.mark.slow
def test_a_kernel_of_the_digits_takes_seconds() -> None:
    """1797 points and 16 701 weights: the published size with the Jacobian formed and multiplied."""
    module = seeded(
        lambda: nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 1))
    )
    x = torch.randn(1797, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start = time.process_time()
    j = jacobian(module, x)[:, 0]
    gram = j @ j.T
    assert time.process_time() - start < 30
    close(empirical_ntk(module, x, outputs="trace"), gram)


def test_precision_and_device_are_those_asked_for() -> None:
    module = seeded(perceptron).float()
    x = torch.randn(4, 3)
    assert empirical_ntk(module, x, dtype=None).dtype == torch.float32
    assert empirical_ntk(module, x).dtype == torch.float64
    assert next(module.parameters()).dtype == torch.float32
    assert all(p.grad is None for p in module.parameters())


def test_outputs_may_have_any_shape() -> None:
    module = nn.Sequential(nn.Linear(3, 6), nn.Unflatten(1, (2, 3))).double()
    x = torch.randn(4, 3, dtype=torch.float64)
    assert empirical_ntk(module, x).shape == (4, 4, 6, 6)
    assert jacobian(nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)).double(), x).shape == (4, 1, 4)


class Mixing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(3, 3)

    def forward(self, x):
        return self.dense(x - x.mean(dim=0))


class Hidden(torch.autograd.Function):
    @staticmethod
    def forward(x, w):
        return x * w

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g * w, (g * x).sum(dim=0)


class Unseen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense, self.scale = nn.Linear(3, 3), nn.Parameter(torch.ones(3))

    def forward(self, x):
        return Hidden.apply(self.dense(x), self.scale)


class BatchStatistics(nn.Module):
    """Normalises by its batch in any mode, out of sight of who looks for modules of that kind."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.scale = nn.Linear(3, 3), nn.Parameter(torch.ones(3))
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("variance", torch.ones(3))

    def forward(self, x):
        return nn.functional.batch_norm(self.dense(x), self.mean, self.variance, self.scale, None, training=True)


def test_only_fixed_statistics_have_a_rule() -> None:
    with pytest.raises(NotRecordable, match="statistics are not fixed"):
        record(weight_function(seeded(BatchStatistics)), torch.randn(5, 3, dtype=torch.float64))


@pytest.mark.parametrize("make", [Mixing, Unseen])
def test_modules_that_only_seem_dense_are_found_out(make) -> None:
    module = seeded(make)
    x = torch.randn(5, 3, dtype=torch.float64)
    assert layerwise_trial(weight_function(module), x) is None
    with pytest.raises(PolygeomError, match=r'method must be "pointwise"|must treat every point on its own'):
        empirical_ntk(module, x, method="layerwise")


def test_bad_arguments_are_explained() -> None:
    module, x = case("perceptron")
    with pytest.raises(
        PolygeomError, match=r"batch normalisation '1' uses the statistics of the batch; call module\.eval"
    ):
        empirical_ntk(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), x)
    with pytest.raises(PolygeomError, match=r"dropout '1' is active"):
        jacobian(nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)), x)
    with pytest.raises(PolygeomError, match="outputs must be one of full, trace, diagonal, sum, got 'mean'"):
        empirical_ntk(module, x, outputs="mean")
    with pytest.raises(PolygeomError, match="method must be one of"):
        empirical_ntk(module, x, method="fast")
    with pytest.raises(PolygeomError, match="must have a parameter that requires gradients"):
        jacobian(nn.ReLU(), x)
    with pytest.raises(PolygeomError, match="inputs must be a tensor of at least one point"):
        jacobian(module, x[:0])
    with pytest.raises(PolygeomError, match=r"kernel must have shape \(N, N', C, C'\)"):
        as_matrix(torch.zeros(3, 3))
    with pytest.raises(PolygeomError, match="one tensor of outputs"):
        jacobian(nn.Sequential(nn.Linear(3, 2), nn.Flatten(0)), x)
    module.register_parameter("idle", nn.Parameter(torch.zeros(2)))
    assert jacobian(module, x)[:, :, :2].abs().max() == 0


class RunningSum(torch.nn.Linear):
    """The first point knows of no other; later ones do."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).cumsum(dim=0)


def test_points_that_know_of_earlier_ones_are_refused() -> None:
    with pytest.raises(PolygeomError, match="must treat every point on its own"):
        empirical_ntk(RunningSum(2, 1), torch.ones(3, 2))
