"""Measure how the time of a survey grows with the number of networks, or draw what was measured.

``python benchmarks/performance.py measure`` writes docs/performance.json, with the environment;
``python benchmarks/performance.py draw`` makes docs/performance.png of it.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

STORED = Path(__file__).parent.parent / "docs" / "performance.json"
NUMBERS, FEW = (100, 300, 1000, 3000, 9000), 300


def measure() -> dict[str, Any]:
    """Processor seconds for networks with three hidden layers, widths up to 6, r = 2; and the rate of dgemm."""
    from polygeom.dimensions import dimension
    from polygeom.dimensions.survey import batch
    from polygeom.network import mlp
    from polygeom.sweeps.environment import environment

    every = np.array(list(itertools.product(range(1, 7), repeat=5)) * 2)
    every = every[np.random.default_rng(0).permutation(len(every))]
    batch.survey([[2, 3, 3, 1]], 2)
    dimension("[3,4,3,2] r=2")
    together, alone = [], []
    for number in NUMBERS:
        batch.tables.cache_clear()
        batch.tables()
        start = time.process_time()
        list(batch.survey(every[:number], 2).results())
        together.append([number, time.process_time() - start])
        if number <= FEW:
            start = time.process_time()
            for widths in every[:number].tolist():
                dimension(mlp(tuple(widths), 2))
            alone.append([number, time.process_time() - start])
    a = np.ones((1000, 1000))
    start = time.process_time()
    a @ a
    rate = 2e9 / (time.process_time() - start)
    return {"environment": environment(), "survey": together, "one by one": alone, "dgemm": rate, "flops": flops(every)}


def flops(rows: np.ndarray) -> float:
    """About the operations of one network's ranks: two for each multiplication that the kernel's page counts."""
    w = np.minimum(rows[:, 0], rows[:, 1])
    m = np.minimum(rows[:, -1], rows[:, -2])
    own = rows[:, -2] + rows[:, -3] - 1
    shared = (w - 1) * rows[:, 1] + (rows[:, 1] - 1) * rows[:, 2] + (rows[:, -2] - m) * (rows[:, -3] - 1)
    points = own + shared / m
    return float((m * points * own * (own + 2 * shared) + m * (points - own) * shared**2).mean())


def plot(data: dict[str, Any]) -> Any:
    """Time against the number of networks, with the time that dgemm would need for as many operations."""
    import matplotlib.pyplot as plt

    from polygeom.experiments.style import COLOURS, WIDTH

    figure, axes = plt.subplots(figsize=(0.8 * WIDTH, 3), layout="constrained")
    limit = [(number, data["flops"] * number / data["dgemm"]) for number in NUMBERS]
    curves = [
        ("one by one", data["one by one"], COLOURS[1], "s-"),
        ("survey", data["survey"], COLOURS[0], "o-"),
        ("arithmetic alone,\nat the rate of dgemm", limit, COLOURS[6], "--"),
    ]
    for name, points, colour, look in curves:
        axes.loglog(*zip(*points, strict=True), look, color=colour, markersize=4)
        axes.annotate(name, points[-1], (7, 0), textcoords="offset points", va="center", color=colour)
    axes.set_xlabel("networks")
    axes.set_ylabel("processor seconds")
    return figure


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        STORED.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    elif sys.argv[1:] == ["draw"]:
        from polygeom.experiments.folders import draw

        draw(plot, json.loads(STORED.read_text(encoding="utf-8")), STORED.parent, STORED.stem)
        STORED.with_suffix(".svg").unlink()  # pages show the other one
    else:
        sys.exit("write: python benchmarks/performance.py measure, or draw")
