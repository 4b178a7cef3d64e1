#!/usr/bin/env bash
# torch.onnx.export folds a batch normalisation in evaluation mode into the Linear before it and keeps the Linear's name:
# what the file calls a.weight is not the module's a.weight. (torch 2.13.0, onnx 1.23.2, onnxscript 0.7.2)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 numpy
cd "$folder"
OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import io

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3)
        self.n = nn.BatchNorm1d(3)

    def forward(self, x):
        return self.n(self.a(x)) ** 2


torch.manual_seed(0)
net = Net().double()
net(3 * torch.randn(50, 3, dtype=torch.float64) + 1)  # running statistics
net.eval()
with contextlib.redirect_stdout(io.StringIO()):
    torch.onnx.export(net, (torch.randn(5, 3, dtype=torch.float64),), dynamo=True, verbose=False).save("model.onnx")
graph = onnx.load("model.onnx").graph
arrays = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
own = net.a.weight.detach().numpy()
scale = (net.n.weight / (net.n.running_var + net.n.eps).sqrt()).detach().numpy()
print("operators:", [node.op_type for node in graph.node], "initializers:", list(arrays))
print("difference of the two tensors called a.weight:", np.abs(arrays["a.weight"] - own).max())
assert [node.op_type for node in graph.node] == ["Gemm", "Pow"]
assert np.abs(arrays["a.weight"] - own).max() > 1e-3
assert np.abs(arrays["a.weight"] - scale[:, None] * own).max() < 1e-14
PYTHON
