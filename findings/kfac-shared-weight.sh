#!/usr/bin/env bash
# curvlinops' KFAC of a network in which two Linear modules share one weight takes the statistics of the second module
# alone, without a word: the block equals the Kronecker factors of the second use to 1e-15. (curvlinops 3.0.1, torch 2.13.0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 curvlinops-for-pytorch==3.0.1 numpy
cd "$folder"
OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from curvlinops import FisherType, KFACLinearOperator
from torch import nn


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3, bias=False)
        self.b = nn.Linear(3, 3, bias=False)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(self.a(x) ** 2).sum(1, keepdim=True)


torch.manual_seed(0)
n = 20
x, y = torch.randn(n, 3, dtype=torch.float64), torch.randn(n, 1, dtype=torch.float64)
tied = Tied().double()
operator = KFACLinearOperator(
    tied, nn.MSELoss(), list(tied.parameters()), [(x, y)], fisher_type=FisherType.TYPE2, check_deterministic=False
)
matrix = operator @ torch.eye(9, dtype=torch.float64)
weight = tied.a.weight.detach()
hidden = x @ weight.T


def factors(inputs, gradients):
    return torch.kron(2 * gradients.T @ gradients / n, inputs.T @ inputs / n)


first = factors(x, 2 * hidden * weight.sum(0))
second = factors(hidden**2, torch.ones(n, 3, dtype=torch.float64))
for name, block in (("first use", first), ("second use", second), ("both", first + second)):
    print(f"distance to {name}: {float((matrix - block).norm() / block.norm()):.1e}")
assert (matrix - second).norm() < 1e-12 * second.norm()
assert (matrix - first).norm() > 0.1 * first.norm()
assert (matrix - first - second).norm() > 0.1 * (first + second).norm()
PYTHON
