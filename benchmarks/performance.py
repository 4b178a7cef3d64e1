"""Measure how times grow with weights, networks and points, next to matrix products, or draw what was measured.

``python benchmarks/performance.py measure`` writes docs/performance.json, with the environment;
``python benchmarks/performance.py draw`` makes docs/performance.png of it.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

STORED = Path(__file__).parent.parent / "docs" / "performance.json"
WIDTHS = (3, 5, 8, 12, 18, 26, 38)
NUMBERS, FEW = (100, 300, 1000, 3000, 9000), 300
POINTS = (100, 200, 400, 800, 1600, 3200)
DENSE = (64, 256, 256, 10)
"""Widths of the rectified network whose tangent kernel is taken."""
Curve = list[tuple[int, float]]


def measure() -> dict[str, Any]:
    """Processor seconds of every curve, and the rate of dgemm before, between and after."""
    from polygeom.sweeps.environment import environment

    rates = [rate()]
    found: dict[str, Any] = {"environment": environment()}
    for name, part in (("weights", weights), ("networks", networks), ("points", points)):
        found[name] = part()
        rates.append(rate())
    return found | {"dgemm": max(rates), "rates": rates}


def rate() -> float:
    """Operations a second of a product of matrices of size 1000, the best of five."""
    a = np.ones((1000, 1000))
    return 2e9 / min(seconds(lambda: a @ a) for _ in range(5))


def seconds(work: Callable[[], object], least: float = 0.0) -> float:
    """Processor seconds of a call, the mean of as many as take ``least`` seconds together."""
    start, times = time.process_time(), 0
    while True:
        work()
        times += 1
        if (passed := time.process_time() - start) >= least:
            return passed / times


def weights() -> dict[str, Any]:
    """One dimension, of ``[k,k,k,k] r=2``, against its number of weights; the limit is LU of a square matrix."""
    from polygeom.dimensions import dimension
    from polygeom.modular._backend import load_compiled
    from polygeom.network import mlp

    load_compiled()
    curves: dict[str, Curve] = {"by structure": [], "generic": []}
    for k in WIDTHS:
        network = mlp((k, k, k, k), 2)
        for name, method in (("by structure", "auto"), ("generic", "generic")):
            found = dimension(network, method=method)  # once before it is timed
            assert not found.method.startswith("theorem")
            took = seconds(lambda network=network, method=method: dimension(network, method=method), 0.05)
            curves[name].append((network.parameter_count, took))
    return {"curves": curves, "flops": [(p, 2 / 3 * p**3) for p, _ in curves["by structure"]]}


def networks() -> dict[str, Any]:
    """Networks with three hidden layers, widths up to 6, r = 2: all of them together, and one by one."""
    from polygeom.dimensions import dimension
    from polygeom.dimensions.survey import batch
    from polygeom.network import mlp

    every = np.array(list(itertools.product(range(1, 7), repeat=5)) * 2)
    every = every[np.random.default_rng(0).permutation(len(every))]
    batch.survey([[2, 3, 3, 1]], 2)
    dimension("[3,4,3,2] r=2")
    together: Curve = []
    alone: Curve = []
    for number in NUMBERS:
        batch.tables.cache_clear()
        batch.tables()
        together.append((number, seconds(lambda n=number: list(batch.survey(every[:n], 2).results()))))
        if number <= FEW:
            some = [mlp(tuple(widths), 2) for widths in every[:number].tolist()]
            alone.append((number, seconds(lambda some=some: [dimension(one) for one in some])))
    mean = flops(every)
    return {"curves": {"survey": together, "one by one": alone}, "flops": [(n, n * mean) for n in NUMBERS]}


def flops(rows: np.ndarray) -> float:
    """About the operations of one network's ranks: two for each multiplication that the kernel's page counts."""
    w = np.minimum(rows[:, 0], rows[:, 1])
    m = np.minimum(rows[:, -1], rows[:, -2])
    own = rows[:, -2] + rows[:, -3] - 1
    shared = (w - 1) * rows[:, 1] + (rows[:, 1] - 1) * rows[:, 2] + (rows[:, -2] - m) * (rows[:, -3] - 1)
    points = own + shared / m
    return float((m * points * own * (own + 2 * shared) + m * (points - own) * shared**2).mean())


def points() -> dict[str, Any]:
    """A tangent kernel on points, its outputs summed, and the exact solution of a kernel machine on them."""
    import torch

    from polygeom.learning.kernels import Laplacian, solve
    from polygeom.learning.tangent.tangent_kernel import empirical_ntk

    torch.set_num_threads(1)
    layers: list[torch.nn.Module] = []
    for before, after in itertools.pairwise(DENSE):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    module = torch.nn.Sequential(*layers[:-1]).double()
    x = torch.randn(max(POINTS), DENSE[0], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.sign(x[:, :1])

    def kernel(n: int) -> object:
        return empirical_ntk(module, x[:n], outputs="trace")

    def machine(n: int) -> object:
        return solve(Laplacian(8.0), x[:n], y[:n], condition=False)

    curves: dict[str, Curve] = {"tangent kernel": [], "kernel machine": []}
    for name, work in (("tangent kernel", kernel), ("kernel machine", machine)):
        work(POINTS[0])
        curves[name] = [(n, seconds(lambda n=n, work=work: work(n), 0.05)) for n in POINTS]
    hidden, outputs = sum(DENSE[1:-1]), DENSE[-1]
    grams = DENSE[0] + hidden + outputs * hidden  # numbers of an image, in the Gram matrices of all layers
    limits = {
        "tangent kernel": [(n, 2.0 * n**2 * grams) for n in POINTS],
        "kernel machine": [(n, 2.0 * n**2 * DENSE[0] + n**3 / 3) for n in POINTS],
    }
    return {"curves": curves, "flops": limits}


LOOK = {
    "by structure": (0, "o-"),
    "generic": (1, "s-"),
    "survey": (0, "o-"),
    "one by one": (1, "s-"),
    "tangent kernel": (0, "o-"),
    "kernel machine": (1, "s-"),
}
AXES = {"weights": "weights of one network", "networks": "networks", "points": "points"}


def plot(data: dict[str, Any]) -> Any:
    """One panel for each number that grows, with the time that dgemm would need for as many operations, dashed."""
    import matplotlib.pyplot as plt

    from polygeom.experiments.style import BELOW, COLOURS, WIDTH

    figure, panels = plt.subplots(1, 3, figsize=(WIDTH, 2.9), sharey=True, layout="constrained")
    for axes, (part, label) in zip(panels, AXES.items(), strict=True):
        found = data[part]
        for name, curve in found["curves"].items():
            colour, look = LOOK[name]
            axes.loglog(*zip(*curve, strict=True), look, color=COLOURS[colour], markersize=3.5, label=name)
        several = found["flops"] if isinstance(found["flops"], dict) else {"": found["flops"]}
        for name, operations in several.items():
            colour = COLOURS[LOOK[name][0]] if name else COLOURS[6]
            limit = [(size, count / data["dgemm"]) for size, count in operations]
            axes.loglog(
                *zip(*limit, strict=True), "--", color=colour, linewidth=1, label=LIMIT[part] if not name else None
            )
        if len(several) > 1:
            axes.loglog([], [], "--", color="0.4", linewidth=1, label=LIMIT[part])
        axes.set(xlabel=label, ylim=(1e-4, None))
        axes.legend(**BELOW)
    panels[0].set_ylabel("processor seconds")
    return figure


LIMIT = {
    "weights": "LU at the rate of dgemm",
    "networks": "arithmetic at the rate of dgemm",
    "points": "arithmetic at the rate of dgemm",
}


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        STORED.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    elif sys.argv[1:] == ["draw"]:
        from polygeom.experiments.folders import draw

        draw(plot, json.loads(STORED.read_text(encoding="utf-8")), STORED.parent, STORED.stem)
        STORED.with_suffix(".svg").unlink()  # pages show the other one
    else:
        sys.exit("write: python benchmarks/performance.py measure, or draw")
