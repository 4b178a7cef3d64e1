"""Measurements of a trained network against the loops they replace.

The network has two hidden layers of 128 units and reads the 4,096 pixels of an image. Gradient confusion of 10,000
pairs is compared with two backward passes for each of 100 of them; the count of activation regions with a set of rows.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from polygeom.learning.regions import activation_patterns, gradient_confusion  # noqa: E402
from polygeom.network import ccp  # noqa: E402

torch.set_num_threads(1)
PAIRS = np.random.default_rng(0).integers(0, 4096, (10_000, 2))
FEW = 100


def network(kind: str) -> nn.Module:
    torch.manual_seed(0)
    if kind == "polynomial":
        return ccp(2, 128, 3, 3, bias=True).to_torch(dtype=torch.float32)
    return nn.Sequential(nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 3))


def two_backward_passes(module: nn.Module, x: Tensor, y: Tensor, pairs: np.ndarray) -> None:
    parameters = list(module.parameters())
    for pair in pairs:
        first, second = (
            torch.cat(
                [g.flatten() for g in torch.autograd.grad((module(x[i : i + 1]) - y[i]).square().mean(), parameters)]
            )
            for i in pair
        )
        nn.functional.cosine_similarity(first, second, dim=0).item()


@pytest.mark.benchmark(group="gradient confusion", timer=time.process_time)
@pytest.mark.parametrize("kind", ["relu", "polynomial"])
def test_confusion_of_10000_pairs(compare, kind: str) -> None:
    module, x, y = network(kind), torch.rand(4096, 2), torch.rand(4096, 3)
    compare(
        gradient_confusion, lambda: (module, x, y, PAIRS),
        two_backward_passes, lambda: (module, x, y, PAIRS[:FEW]),
        against=f"backward passes, {FEW} pairs", rounds=5, at_most=1.5,
    )  # fmt: skip


def set_of_rows(module: nn.Sequential, x: Tensor) -> int:
    with torch.no_grad():
        first = torch.relu(module[0](x))
        second = torch.relu(module[2](first))
    return len({tuple(row) for row in (torch.cat([first, second], dim=1) > 0).tolist()})


@pytest.mark.benchmark(group="regions", timer=time.process_time)
def test_regions_of_4096_inputs(compare) -> None:
    module, x = network("relu"), torch.rand(4096, 2)
    assert activation_patterns(module, x).count == set_of_rows(module, x)
    compare(
        lambda *given: activation_patterns(*given).count, lambda: (module, x),
        set_of_rows, lambda: (module, x),
        against="set of rows", rounds=10, at_most=0.5,
    )  # fmt: skip
