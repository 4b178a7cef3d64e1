#!/usr/bin/env bash
# What two libraries make of a network whose layer is used twice, x -> c'A(Ax)^2 with 12 weights. nngeometry counts 21 when the
# two uses are two modules of one weight; when they are one module its Fisher matrix has rank 12, where the gradients have rank
# 6. BackPACK gives for two modules of one weight the sample gradients of the first use alone, so that their sum is not the
# gradient beside them. None of the three says a word; the same network with two weights is right in both.
# (nngeometry 0.4, BackPACK 1.7.1, torch 2.13.0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 nngeometry==0.4 backpack-for-pytorch==1.7.1 numpy
cd "$folder"
OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from backpack import backpack, extend
from backpack.extensions import BatchGrad
from nngeometry.metrics import FIM
from nngeometry.object import PMatDense
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
n = 40
x, y = torch.randn(n, 3), torch.randn(n, 1)


class Square(nn.Module):
    def forward(self, h):
        return h**2


def network(uses):
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    if uses == "two modules of one weight":
        second.weight = first.weight
    if uses == "one module":
        second = first
    return nn.Sequential(first, Square(), second, nn.Linear(3, 1, bias=False))


def gradients(net):
    rows = [torch.autograd.grad(net(x[i : i + 1]).sum(), list(net.parameters())) for i in range(n)]
    return torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])


fisher = {}
for uses in ("two weights", "two modules of one weight", "one module"):
    net = network(uses)
    true = gradients(net)
    matrix = FIM(net, DataLoader(TensorDataset(x, y), batch_size=10), PMatDense, variant="regression").to_torch()
    ranks = int(torch.linalg.matrix_rank(matrix)), int(torch.linalg.matrix_rank(true))
    fisher[uses] = matrix.shape[0], true.shape[1], *ranks
    print(f"nngeometry, {uses}: {matrix.shape[0]} parameters (true {true.shape[1]}), rank {ranks[0]} (true {ranks[1]})")
    if uses == "two weights":
        assert (matrix - true.T @ true / n).abs().max() < 1e-12 * matrix.abs().max()
assert fisher == {
    "two weights": (21, 21, 6, 6),
    "two modules of one weight": (21, 12, 6, 6),
    "one module": (12, 12, 12, 6),
}

for uses in ("two weights", "two modules of one weight"):
    net, loss = extend(network(uses)), extend(nn.MSELoss(reduction="sum"))
    with backpack(BatchGrad()):
        loss(net(x), y).backward()
    weight = net[0].weight
    gap = float((weight.grad_batch.sum(0) - weight.grad).norm() / weight.grad.norm())
    print(f"BackPACK, {uses}: sum of the sample gradients differs from the gradient by {gap:.1e} of it")
    assert (gap < 1e-12) == (uses == "two weights")
residual = 2 * (net(x) - y).detach()
cut = x @ weight.T
by_first = (residual * (2 * cut * (net[3].weight @ weight))).detach()[:, :, None] * x[:, None, :]
distance = float((weight.grad_batch - by_first).norm() / by_first.norm())
print(f"distance of its sample gradients to those of the first use: {distance:.1e}")
assert distance < 1e-12
PYTHON
