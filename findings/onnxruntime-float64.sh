#!/usr/bin/env bash
# onnxruntime runs Gemm and Pow in float64 on the CPU but has no float64 convolution: a polynomial network with a
# convolution can be compared exactly with torch only after a cast to float32. (onnxruntime 1.32.0, torch 2.13.0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy
cd "$folder"
OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import io

import numpy as np
import onnxruntime
import torch
from torch import nn


class Squares(nn.Module):
    def __init__(self, first):
        super().__init__()
        self.first = first

    def forward(self, x):
        return self.first(x) ** 2


def difference(module, x):
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(module, (x,), dynamo=True, verbose=False).save("model.onnx")
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    (value,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    return np.abs(value - module(x).detach().numpy()).max()


torch.manual_seed(0)
dense = Squares(nn.Linear(3, 4)).double()
convolution = Squares(nn.Conv1d(1, 2, 3))
print("Linear, float64:", difference(dense, torch.randn(5, 3, dtype=torch.float64)))
print("Conv1d, float32:", difference(convolution, torch.randn(5, 1, 8)))
try:
    difference(convolution.double(), torch.randn(5, 1, 8, dtype=torch.float64))
except Exception as error:
    print("Conv1d, float64:", type(error).__name__, str(error)[:100])
    assert "NOT_IMPLEMENTED" in str(error)
    assert "Conv" in str(error)
else:
    raise SystemExit("a float64 convolution runs now")
PYTHON
