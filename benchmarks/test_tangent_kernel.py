"""The layer-wise tangent kernel against per-point derivatives with ``torch.func``.

The references are written as in torch's tutorial on neural tangent kernels: the contraction of per-point Jacobians,
and products of kernel blocks with standard vectors. They take small blocks of points, because all Jacobians of the wide
network together would fill eight gigabytes.
"""

from __future__ import annotations

import math
import time

import pytest

torch = pytest.importorskip("torch", reason="tangent kernels need the extra learn")

from torch import nn  # noqa: E402
from torch.func import functional_call, jacrev, jvp, vjp, vmap  # noqa: E402

from polygeom.learning.networks.residual import ResidualNetwork  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import empirical_ntk, jacobian  # noqa: E402
from polygeom.network import ccp, mlp, ncp  # noqa: E402

BLOCK = 50
pytestmark = pytest.mark.benchmark(group="tangent kernel", timer=time.process_time)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def perceptron(width: int, outputs: int = 1) -> nn.Module:
    torch.manual_seed(0)
    layers = [
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
    ]
    return nn.Sequential(*layers, nn.Linear(width, outputs)).double()


def points(count: int, width: int):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def at_a_point(module: nn.Module):
    weights = {name: weight.detach() for name, weight in module.named_parameters()}

    def f(own, x):
        return functional_call(module, own, (x.unsqueeze(0),)).squeeze(0)

    return f, weights


def contraction(module: nn.Module, x, block: int = BLOCK):
    """vmap of jacrev, then inner products weight by weight."""
    f, weights = at_a_point(module)

    def derivatives(part):
        found = vmap(jacrev(f), (None, 0))(weights, part)
        return [value.flatten(2) for value in found.values()]

    blocks = [slice(start, start + block) for start in range(0, len(x), block)]
    outputs = f(weights, x[0]).shape[0]
    result = x.new_empty((len(x), len(x), outputs, outputs))
    for number, rows in enumerate(blocks):
        left = derivatives(x[rows])
        for columns in blocks[number:]:
            right = left if columns == rows else derivatives(x[columns])
            part = sum(torch.einsum("naf,mbf->nmab", a, b) for a, b in zip(left, right, strict=True))
            result[rows, columns] = part
            result[columns, rows] = part.permute(1, 0, 3, 2)
    return result


def vector_products(module: nn.Module, x):
    """A vjp and a jvp for every pair of points and every standard vector of the outputs."""
    f, weights = at_a_point(module)

    def pair(x1, x2):
        y, pull = vjp(lambda own: f(own, x1), weights)

        def column(direction):
            return jvp(lambda own: f(own, x2), (weights,), pull(direction))[1]

        return vmap(column)(torch.eye(y.shape[0], dtype=y.dtype))

    return vmap(vmap(pair, (None, 0)), (0, None))(x, x)


@pytest.mark.timeout(900)
def test_wide_perceptron_contraction(compare) -> None:
    """Four layers of width 512, a thousand points: the reference contracts 790 thousand derivatives per pair."""
    module, x = perceptron(512), points(1000, 512)
    compare(
        lambda m, p: empirical_ntk(m, p, outputs="trace"), lambda: (module, x),
        lambda m, p: contraction(m, p, 250), lambda: (module, x),
        against="torch.func contraction, 1000 points", rounds=1, at_most=0.1,
    )  # fmt: skip


def test_wide_perceptron_vector_products(compare) -> None:
    """Sixteen points only: this reference takes a forward and a backward pass for every pair."""
    module, x = perceptron(512), points(16, 512)
    compare(
        empirical_ntk, lambda: (module, x), vector_products, lambda: (module, x),
        against="torch.func vector products, 16 points", rounds=2, at_most=0.1,
    )  # fmt: skip


POLYNOMIAL = {
    "perceptron": lambda: mlp((64, 128, 128, 10), 2).to_torch(),
    "ccp": lambda: ccp(64, 128, 4, 10).to_torch(),
    "ncp": lambda: ncp(64, 128, 4, 10).to_torch(),
}


@pytest.mark.parametrize("family", POLYNOMIAL)
def test_polynomial_networks(compare, family: str) -> None:
    module, x = POLYNOMIAL[family](), points(100, 64)
    compare(
        empirical_ntk, lambda: (module, x), contraction, lambda: (module, x),
        against="torch.func contraction, 100 points, 10 outputs", rounds=2,
    )  # fmt: skip


RESIDUAL = {"8 × 8": (8, 8), "32 × 32": (3, 32, 32)}


def pointwise(module: nn.Module, x):
    return empirical_ntk(module, x, method="pointwise")


@pytest.mark.parametrize("reference", [contraction, pointwise], ids=["torch.func", "pointwise"])
@pytest.mark.parametrize("size", RESIDUAL)
def test_residual_networks(compare, size: str, reference) -> None:
    """Batch normalisation with fixed statistics: 18 layers of width 8, 176 thousand weights."""
    shape = RESIDUAL[size]
    module, count = ResidualNetwork(18, width=8, input_shape=shape).double().eval(), 100 if len(shape) == 2 else 50
    x = points(count, math.prod(shape)).reshape(count, *shape)
    compare(
        empirical_ntk, lambda: (module, x), reference, lambda: (module, x),
        against=f"{reference.__name__}, {count} images of {size}", rounds=4,
    )  # fmt: skip


def test_jacobian(compare) -> None:
    module, x = perceptron(100, 1), points(500, 100)

    def reference(m, p):
        f, weights = at_a_point(m)
        return torch.cat([v.flatten(2) for v in vmap(jacrev(f), (None, 0))(weights, p).values()], dim=2)

    compare(
        jacobian, lambda: (module, x), reference, lambda: (module, x),
        against="vmap of jacrev, 500 points", rounds=4,
    )  # fmt: skip


@pytest.mark.parametrize("reference", [contraction, vector_products])
def test_the_references_agree(reference) -> None:
    module, x = perceptron(32, 3), points(12, 32)
    torch.testing.assert_close(empirical_ntk(module, x), reference(module, x), rtol=0, atol=1e-10)


def test_the_wide_kernel_is_the_contraction() -> None:
    module, x = perceptron(512), points(60, 512)
    torch.testing.assert_close(empirical_ntk(module, x), contraction(module, x), rtol=0, atol=1e-10)
