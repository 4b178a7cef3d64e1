#!/usr/bin/env bash
# torch.onnx.export stores two parameters of equal value once, although they are two, with dynamo=True and False: the file of
# a network at an initialisation with equal layers has half of its weights, and training what is read from it ties them.
# (torch 2.13.0, onnx 1.23.2, onnxscript 0.7.2)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 numpy
cd "$folder"
OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import io

import onnx
import torch
from onnx import numpy_helper
from torch import nn


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3, bias=False)
        self.b = nn.Linear(3, 3, bias=False)
        nn.init.eye_(self.a.weight)
        nn.init.eye_(self.b.weight)

    def forward(self, x):
        return self.b(self.a(x) ** 2)


def stored(module, dynamo):
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(module, (torch.randn(5, 3),), "model.onnx", dynamo=dynamo, verbose=False)
    arrays = [numpy_helper.to_array(entry) for entry in onnx.load("model.onnx").graph.initializer]
    return sum(array.size for array in arrays if array.ndim == 2)


torch.manual_seed(0)
equal, different = Two(), Two()
with torch.no_grad():
    different.b.weight += 0.5
assert sum(p.numel() for p in equal.parameters()) == 18
for name, module in (("equal", equal), ("different", different)):
    for dynamo in (False, True):
        print(f"layers of {name} weights, dynamo={dynamo}: {stored(module, dynamo)} of 18 weights in the file")
assert stored(equal, False) == stored(equal, True) == 9
assert stored(different, False) == stored(different, True) == 18
PYTHON
