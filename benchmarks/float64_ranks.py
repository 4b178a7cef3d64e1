"""How often `numpy.linalg.matrix_rank` is right, over depth and degree: ``python benchmarks/float64_ranks.py OUT.png``.

Jacobians of ``[2,3,…,3,1]`` in double precision at normal weights and points against exact dimensions; conditions too.
"""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch

from polygeom import dimension, parse
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


def main() -> None:
    torch.set_num_threads(1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.4), layout="constrained")
    for degree, deepest in ((2, 6), (3, 4), (4, 3)):
        depths = list(range(1, deepest + 1))
        found = [measured(f"[2,{','.join(['3'] * depth)},1] r={degree}") for depth in depths]
        print(degree, found, flush=True)
        left.plot(depths, [100 * share for share, _ in found], "o-", label=f"r = {degree}")
        right.semilogy(depths, [condition for _, condition in found], "o-")
    left.set(xlabel="hidden layers", ylabel="right ranks, per cent", ylim=(-4, 104))
    right.axhline(2**52, color="0.6", linewidth=1)  # beyond, a measured condition is rounding
    right.set(xlabel="hidden layers", ylabel="median condition of the Jacobian", ylim=(1, 2**52))
    left.legend(frameon=False)
    figure.savefig(sys.argv[1], dpi=100)


if __name__ == "__main__":
    main()
