"""How often `numpy.linalg.matrix_rank` is right, over depth and degree: ``python benchmarks/float64_ranks.py docs``.

It draws docs/surprises.png: Jacobians of ``[2,3,…,3,1]`` in double precision at normal weights and points against exact
dimensions; conditions too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from polygeom import dimension, parse
from polygeom.experiments.folders import draw
from polygeom.learning.thresholds.ranks import evaluation_jacobian

DRAWS = 40


def measured(text: str) -> tuple[float, float]:
    """The share of right ranks, and the median condition."""
    network, exact = parse(text), dimension(text).dimension
    generator, right, conditions = torch.Generator().manual_seed(0), 0, []
    for _ in range(DRAWS):
        shapes = network.parameters.items()
        weights = {n: torch.randn(s, generator=generator, dtype=torch.float64) for n, s in shapes}
        x = torch.randn((2 * exact + 5, 2), generator=generator, dtype=torch.float64)
        jacobian = evaluation_jacobian(network, weights, x).numpy()
        right += int(np.linalg.matrix_rank(jacobian)) == exact
        values = np.linalg.svd(jacobian, compute_uv=False)
        conditions.append(values[0] / values[exact - 1])
    return right / DRAWS, float(np.median(conditions))


def plot(found: dict[int, list[tuple[float, float]]]) -> Any:
    """Shares and conditions over the number of hidden layers, one curve for each degree."""
    import matplotlib.pyplot as plt

    from polygeom.experiments.style import COLOURS, WIDTH

    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.6), layout="constrained")
    places = ((3.42, 75), (2.7, 40), (1.7, 68))  # of names, beside their curves
    for (degree, values), colour, marker, place in zip(found.items(), COLOURS, "os^", places, strict=False):
        depths = range(1, len(values) + 1)
        left.plot(depths, [100 * share for share, _ in values], f"{marker}-", color=colour, markersize=4)
        side: Any = {"color": colour, "ha": "right" if degree == 4 else "left"}
        left.annotate(f"r = {degree}", place, **side)
        right.semilogy(depths, [condition for _, condition in values], f"{marker}-", color=colour, markersize=4)
        last = max(depth for depth in depths if values[depth - 1][1] < 2**52)
        shift = (-6, 0) if degree == 4 else (6, -9)
        right.annotate(f"r = {degree}", (last, values[last - 1][1]), shift, textcoords="offset points", **side)
    left.set(xlabel="hidden layers", ylabel="right ranks, per cent", ylim=(-4, 104))
    # beyond 1 / 2^-52 a measured condition is rounding
    right.set(xlabel="hidden layers", ylabel="median condition of the Jacobian", ylim=(1, 2**52), xlim=left.get_xlim())
    return figure


def main() -> None:
    torch.set_num_threads(1)
    found = {}
    for degree, deepest in ((2, 6), (3, 4), (4, 3)):
        found[degree] = [measured(f"[2,{','.join(['3'] * depth)},1] r={degree}") for depth in range(1, deepest + 1)]
        print(degree, found[degree], flush=True)
    folder = Path(sys.argv[1])
    draw(plot, found, folder, "surprises")
    (folder / "surprises.svg").unlink()  # pages show the other one


if __name__ == "__main__":
    main()
