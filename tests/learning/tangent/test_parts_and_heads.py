"""Tangent kernels of some parameters, of one head of several, and as differentiable functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from polygeom.errors import BudgetError, PolygeomError  # noqa: E402
from polygeom.learning.tangent import TangentKernel, empirical_ntk, jacobian, kernel_diagonal, tangent_operator  # noqa: E402


class LoRA(nn.Module):
    """A frozen dense map with a trained correction of rank two."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(3, 4).requires_grad_(False)
        self.lora_A, self.lora_B = nn.Parameter(torch.randn(2, 3)), nn.Parameter(torch.randn(4, 2))

    def forward(self, x: Any) -> Any:
        return self.frozen(x) + x @ self.lora_A.T @ self.lora_B.T


class Heads(nn.Module):
    """A trunk with two outputs by name."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.a, self.b = nn.Linear(3, 5), nn.Linear(5, 2), nn.Linear(5, 1)

    def forward(self, x: Any) -> Any:
        h = self.trunk(x).tanh()
        return {"a": self.a(h), "b": self.b(h)}


def points(count: int = 4) -> Any:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def seeded(kind: Any) -> Any:
    torch.manual_seed(0)
    return kind().double()


def test_the_last_layer_is_a_linear_model_on_its_features() -> None:
    module = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    x = points()
    features = torch.cat([module[:2](x), torch.ones(4, 1)], dim=1).detach()
    assert torch.allclose(empirical_ntk(module, x, parameters="2.*")[:, :, 0, 0], features @ features.T, rtol=1e-12)
    whole = jacobian(module, x)
    own = jacobian(module, x, parameters=lambda name: name.startswith("2"))
    assert torch.allclose(own, whole[:, :, 20:], rtol=1e-14, atol=1e-15)
    parts = [empirical_ntk(module, x, parameters=part, outputs="trace") for part in ("0.*", ["2.weight", "2.bias"])]
    assert torch.allclose(sum(parts), empirical_ntk(module, x, outputs="trace"), rtol=1e-12)
    assert torch.allclose(kernel_diagonal(module, x, parameters="0.*")[:, 0], parts[0].diagonal(), rtol=1e-12)
    assert torch.allclose(TangentKernel(module, parameters="0.*")(x, x), parts[0], rtol=1e-12)
    operator = tangent_operator(module, x, parameters="0.*")
    assert operator.shape == (4, 20)
    assert torch.allclose(operator.product(torch.ones(20))[:, 0], whole[:, 0, :20].sum(1), rtol=1e-12)


def test_lora_has_its_formula() -> None:
    """``K = x·x' B Bᵀ + (A x)·(A x') I``: of A, then of B."""
    module, x = seeded(LoRA), points()
    a, b = module.lora_A.detach(), module.lora_B.detach()
    expected = torch.einsum("nm,cd->nmcd", x @ x.T, b @ b.T)
    expected = expected + torch.einsum("nm,cd->nmcd", x @ a.T @ a @ x.T, torch.eye(4))
    assert torch.allclose(empirical_ntk(module, x, parameters="lora_*"), expected, rtol=1e-12)
    assert torch.allclose(empirical_ntk(module, x), expected, rtol=1e-12)  # what requires gradients


@pytest.mark.parametrize("method", ["auto", "pointwise", "single"])
def test_heads_by_name_are_those_of_modules_with_one(method: str) -> None:
    module, x = seeded(Heads), points()
    for head in ("a", "b"):
        alone = nn.Sequential(module.trunk, nn.Tanh(), getattr(module, head))
        assert torch.allclose(empirical_ntk(module, x, head=head, method=method), empirical_ntk(alone, x), rtol=1e-12)


@pytest.mark.parametrize("outputs", ["full", "diagonal", "trace", "sum"])
def test_a_differentiable_kernel_is_the_kernel_with_its_derivatives(outputs: str) -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x, y = points(3).requires_grad_(), points(5)[3:]
    found = empirical_ntk(module, x, y, outputs=outputs, differentiable=True)
    assert torch.allclose(found, empirical_ntk(module, x, y, outputs=outputs), rtol=1e-12)
    found.square().sum().backward()

    def value(part: Any, direction: Any, step: float) -> float:
        with torch.no_grad():
            part += step * direction
            number = float(empirical_ntk(module, x.detach(), y, outputs=outputs).square().sum())
            part -= step * direction
        return number

    for part in (x, module[0].weight, module[2].bias, module[2].weight):
        direction = torch.randn(part.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        slope = (value(part, direction, 1e-5) - value(part, direction, -1e-5)) / 2e-5
        own = 0.0 if part.grad is None else float((part.grad * direction).sum())
        assert own == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_weights_that_are_not_in_the_kernel_still_have_derivatives() -> None:
    module, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), points(3)
    kernel = empirical_ntk(module, x, parameters="2.*", differentiable=True, outputs="trace", dtype=None)
    kernel.sum().backward()
    assert float(module[0].weight.grad.abs().sum()) > 0
    plain = empirical_ntk(module, np.asarray(x), parameters="2.*", outputs="trace", dtype=None)
    assert torch.allclose(kernel, plain, rtol=1e-5)


@pytest.mark.parametrize("method", ["auto", "layerwise", "pointwise", "single"])
def test_the_kernel_is_the_same_without_recording_of_derivatives(method: str) -> None:
    module, x = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2)).double(), points()
    expected = empirical_ntk(module, x)
    with torch.no_grad():
        assert torch.allclose(empirical_ntk(module, x, method=method), expected, rtol=1e-12)
        assert torch.allclose(kernel_diagonal(module, x), torch.einsum("nncc->nc", expected), rtol=1e-12)
        assert tangent_operator(module, x).product(torch.ones(14)).shape == (4, 2)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (Heads, {"head": "c"}, "head must be one of a, b, got 'c'"),
        (Heads, {}, "a dictionary of a, b; write head='a' where"),
        (LoRA, {"head": "a"}, "returns no dictionary"),
        (LoRA, {"parameters": "gone.*"}, "'gone.*' is no parameter, there are lora_A, lora_B, frozen.weight"),
        (LoRA, {"parameters": [torch.ones(2)]}, r"names or patterns of names, got a Tensor; write \['lora_A'\]"),
        (LoRA, {"parameters": torch.ones(2)}, "must be names or patterns of names, got a Tensor"),
        (LoRA, {"parameters": lambda _: False}, "must choose at least one"),
        (LoRA, {"differentiable": True, "method": "single"}, "method has no effect with differentiable=True"),
    ],
)
def test_what_there_is_not(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(PolygeomError, match=message):
        empirical_ntk(seeded(kind), points(), **options)


def test_a_budget_holds_for_differentiable_kernels() -> None:
    with pytest.raises(BudgetError, match="for a differentiable kernel at 4 points"):
        empirical_ntk(seeded(LoRA), points(), differentiable=True, memory=1000)
