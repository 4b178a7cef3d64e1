#!/usr/bin/env bash
# torch 2.13.0: `vmap` of `jacrev` of PReLU by its weight. The Jacobian of every sample by itself is right; all samples
# at once raise an error, except when there are as many samples as features, or one: then the numbers are wrong and
# nothing is said.
#
#   one by one      d/da prelu(x_n)_c = min(x_nc, 0)
#   3 samples of 3  every sample gets the diagonal, min(x_cc, 0):  WRONG, silently
#   2 samples of 3  RuntimeError: The size of tensor a (2) must match the size of tensor b (3)
#
# `vmap` of `grad` of a sum is right, so gradients per sample of a loss are not affected; Jacobians are, and with them
# empirical tangent kernels of networks with nn.PReLU.
# Exits with 0 while torch behaves so, with 1 when it no longer does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --index-url https://download.pytorch.org/whl/cpu torch==2.13.0 2>/dev/null ||
  "$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import torch
from torch.func import grad, jacrev, vmap
from torch.nn.functional import prelu

print("torch", torch.__version__)
weight = torch.tensor([0.25])


def jacobians(x):
    together = vmap(jacrev(lambda w, point: prelu(point, w)), in_dims=(None, 0))(weight, x)
    return together[..., 0]


x = torch.tensor([[-1.0, 2.0, -3.0], [4.0, -5.0, 6.0], [-7.0, -8.0, 9.0]])
alone = torch.stack([jacrev(lambda w, point=point: prelu(point, w))(weight)[..., 0] for point in x])
found = jacobians(x)
print("one by one:", alone.tolist())
print("together:  ", found.tolist())
wrong = torch.equal(alone, x.clamp(max=0)) and not torch.equal(found, alone)
try:
    jacobians(x[:2])
    message = ""
except RuntimeError as error:
    message = str(error)
print("2 samples of 3 features:", message)
sums = vmap(grad(lambda w, point: prelu(point, w).sum()), in_dims=(None, 0))(weight, x)
print("gradients of sums are right:", torch.equal(sums[:, 0], alone.sum(dim=1)))
sys.exit(0 if wrong and "must match the size" in message else 1)
PYTHON
