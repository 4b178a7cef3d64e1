"""Tangent kernels against ``torch.func``: modules of usual sizes, and every module of the zoo of the tests.

    python benchmarks/tangent_kernels.py usual --out tangent_kernels.json    # adds to the file
    python benchmarks/tangent_kernels.py zoo --out tangent_kernels.json
    python benchmarks/tangent_kernels.py table --out tangent_kernels.json

All outputs, float64, one thread, processor seconds, alternating in one process. The peers are the two methods of
torch's tutorial on neural tangent kernels: contraction of the Jacobians that ``vmap`` of ``jacrev`` gives, and products
of kernel blocks with standard vectors by ``vjp`` and ``jvp``. Where attention is involved, they get it by its formula,
for which torch has all rules. A method that torch has no rules for is not counted. First calls are those for copies of
the module that were never asked, on either side.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import resource
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, jacrev, jvp, vjp, vmap

from polygeom.learning.checks import plain_attention
from polygeom.learning.networks.residual import ResidualNetwork
from polygeom.learning.tangent.tangent_kernel import empirical_ntk
from polygeom.testing.module_zoo import ZOO

Pair = tuple[Any, dict[str, torch.Tensor]]


class Block(nn.Module):
    """Two normalised 3 × 3 convolutions around which the input goes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        parts = [nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2)]
        self.branch = nn.Sequential(parts[0], nn.BatchNorm2d(channels), nn.ReLU(), parts[1], nn.BatchNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.branch(x))


class Encoder(nn.Module):
    """A transformer block, and a linear map of the mean over the tokens."""

    def __init__(self, width: int = 64, heads: int = 4) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(width, heads, 4 * width, batch_first=True)
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = self.head(self.block(x).mean(dim=1))
        return value


def residual() -> nn.Module:
    first = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*first, Block(16), Block(16), nn.AvgPool2d(32), nn.Flatten(), nn.Linear(16, 10))


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


USUAL = {
    "residual net, 16 channels, two blocks, 32 x 32": (residual, (3, 32, 32), 32, 4),
    "ResNet18, 64 channels, 32 x 32": (lambda: ResidualNetwork(18, outputs=10), (3, 32, 32), 2, 0),
    "LeNet, 28 x 28": (lenet, (1, 28, 28), 100, 8),
    "transformer block, 32 tokens of width 64": (Encoder, (32, 64), 64, 4),
    "transformer block, 32 tokens of width 64, 20 points": (Encoder, (32, 64), 20, 4),
    "transformer block, 16 tokens of width 256": (lambda: Encoder(256, 8), (16, 256), 16, 0),
    "transformer block, 16 tokens of width 768": (lambda: Encoder(768, 12), (16, 768), 4, 0),
}
"""By name: the module, the shape of a point, the number of points, and that for vector products (0: left out)."""
ZOO_POINTS = {5: (21, 5), 20: (21, 0), 100: (15, 0), 500: (5, 0)}
"""By number of points: rounds, and the number of points for vector products."""


def at_a_point(module: nn.Module) -> Pair:
    weights = {name: weight.detach() for name, weight in module.named_parameters() if weight.requires_grad}
    rest = {name: weight.detach() for name, weight in module.named_parameters() if not weight.requires_grad}
    rest |= dict(module.named_buffers())

    def f(own: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = functional_call(module, {**own, **rest}, (x.unsqueeze(0),)).reshape(-1)
        return value

    return f, weights


def contraction(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    f, weights = at_a_point(module)
    found = [value.flatten(2) for value in vmap(jacrev(f), (None, 0))(weights, x).values()]
    total: torch.Tensor = sum(torch.einsum("naf,mbf->nmab", own, own) for own in found)
    return total


def products(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    f, weights = at_a_point(module)

    def pair(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        y, pull = vjp(lambda own: f(own, one), weights)
        units = torch.eye(y.shape[0], dtype=y.dtype)
        return vmap(lambda unit: jvp(lambda own: f(own, other), (weights,), pull(unit))[1])(units)

    return vmap(vmap(pair, (None, 0)), (0, None))(x, x)


def seconds(call: Any) -> tuple[float, Any]:
    start = time.process_time()
    value = call()
    return time.process_time() - start, value


def compare(module: nn.Module, x: torch.Tensor, rounds: int, few: int, memory: int) -> dict[str, Any]:
    """Medians over ``rounds`` after two that are not counted, in which polygeom looks at the module.

    Products are taken at ``few`` points and scaled by their pairs.
    """
    ways = {"polygeom": lambda: empirical_ntk(module, x, memory=memory), "contraction": lambda: contraction(module, x)}
    if few:
        ways["products"] = lambda: products(module, x[:few])
    times: dict[str, list[float]] = {name: [] for name in ways}
    kernels = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(rounds + 2):
            for name in list(ways):
                try:
                    with plain_attention():
                        spent, kernels[name] = seconds(ways[name])
                except Exception:  # no rule
                    if name == "polygeom":
                        raise
                    del ways[name], times[name]
                    continue
                if number > 1:
                    times[name].append(spent)
    found = {name: statistics.median(own) for name, own in times.items()}
    if "products" in found:
        found["products"] *= (len(x) / few) ** 2
    peers = [found[name] for name in ("contraction", "products") if name in found]
    error = max(
        [
            float((kernels[name] - kernels["polygeom"][: len(kernels[name]), : len(kernels[name])]).abs().max())
            for name in found
            if name != "polygeom"
        ],
        default=0.0,
    ) / float(kernels["polygeom"].abs().max())
    return {
        "points": len(x),
        "seconds": found,
        "ratio": min(peers) / found["polygeom"] if peers else None,
        "error": error,
    }


def first_calls(module: nn.Module, x: torch.Tensor, rounds: int, memory: int) -> dict[str, float]:
    """Medians of the first calls for copies of a module, against the contraction, where torch has rules for that."""
    ways = {
        "polygeom": lambda own: empirical_ntk(own, x, memory=memory),
        "contraction": lambda own: contraction(own, x),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            own = copy.deepcopy(module)
            with plain_attention():
                times[name].append(seconds(lambda own=own, way=way: way(own))[0])
    return {name: statistics.median(own) for name, own in times.items()}


def usual(only: str) -> dict[str, Any]:
    rows = {}
    for name, (make, shape, count, few) in USUAL.items():
        if only not in name:
            continue
        torch.manual_seed(0)
        module = make().double()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter += 0.02 * torch.randn_like(parameter)
        x = torch.randn(count, *shape, dtype=torch.float64)
        memory = 2**32 if "ResNet18" in name or "transformer" in name else 2**30
        rows[name] = compare(module.eval(), x, 3, few, memory) | {"memory": memory}
        rows[name]["peak MiB so far"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(name, rows[name], flush=True)
    return rows


def zoo(only: str) -> dict[str, Any]:
    rows = {}
    for case in ZOO:
        if case.refused or only not in case.name:
            continue
        for count, (rounds, few) in ZOO_POINTS.items():
            generator = torch.Generator().manual_seed(1)
            shape = (count, *case.shape)
            x = (
                torch.rand(shape, generator=generator, dtype=torch.float64)
                if case.vocabulary is None
                else torch.randint(case.vocabulary, shape, generator=generator)
            )
            row = compare(case.module, x, rounds, few, 2**30)
            if row["ratio"] is None:  # torch has no rule
                break
            if "contraction" in row["seconds"]:
                row["first"] = first_calls(case.module, x, rounds, 2**30)
                row["ratio of first"] = row["first"]["contraction"] / row["first"]["polygeom"]
            rows[f"{case.name}, {count}"] = row
            print(case.name, count, row["ratio"], row.get("ratio of first"), row["error"], flush=True)
    return rows


def table(found: dict[str, Any]) -> None:
    for kind in ("usual", "zoo"):
        print("| module | points | polygeom | contraction | products | faster |\n| --- | --- | --- | --- | --- | --- |")
        for name, row in found.get(kind, {}).items():
            times = [
                f"{row['seconds'][way]:.3g}" if way in row["seconds"] else "–"
                for way in ("polygeom", "contraction", "products")
            ]
            ratio = "no rule" if row["ratio"] is None else f"{row['ratio']:.2f}"
            print(f"| {name} | {row['points']} | {' | '.join(times)} | {ratio} |")
    for count in ZOO_POINTS:
        ratios = [row["ratio"] for row in found.get("zoo", {}).values() if row["points"] == count and row["ratio"]]
        if ratios:
            slower = [name for name, row in found["zoo"].items() if row["points"] == count and row["ratio"] < 1]
            print(f"{count} points: least {min(ratios):.2f}, median {statistics.median(ratios):.2f}, of {len(ratios)}")
            print(f"  slower: {slower}")
        firsts = [
            row["ratio of first"] for row in found.get("zoo", {}).values()
            if row["points"] == count and "ratio of first" in row
        ]  # fmt: skip
        if firsts:
            print(f"  first calls: least {min(firsts):.2f}, median {statistics.median(firsts):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=("usual", "zoo", "table"))
    parser.add_argument("--out", type=Path, default=Path("tangent_kernels.json"))
    parser.add_argument("--only", default="", help="part of a name")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)  # forward mode has no rule for it
    found = json.loads(chosen.out.read_text()) if chosen.out.exists() else {}
    if chosen.kind == "table":
        table(found)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = (usual if chosen.kind == "usual" else zoo)(chosen.only)
    found[chosen.kind] = found.get(chosen.kind, {}) | rows
    found["environment"] = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.processor() or platform.machine(),
    }
    chosen.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
