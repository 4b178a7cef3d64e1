#!/usr/bin/env bash
# torch.onnx.export keeps the name and the layout of a Linear's weight on rows, but on sequences it stores the
# transposed matrix under an invented name; of a Bilinear the tensor is stored rearranged as a matrix. Counting or
# reading weights by their names in such a file misses them. (torch 2.13.0, onnx 1.23.2, onnxscript 0.7.2)
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


def stored(module, x):
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(module, (x,), dynamo=True, verbose=False).save("model.onnx")
    return {entry.name: numpy_helper.to_array(entry) for entry in onnx.load("model.onnx").graph.initializer}


torch.manual_seed(0)
linear = nn.Sequential(nn.Linear(3, 4)).double()
rows = stored(linear, torch.randn(5, 3, dtype=torch.float64))
tokens = stored(linear, torch.randn(5, 7, 3, dtype=torch.float64))
print("Linear(3, 4) on rows:     ", {name: array.shape for name, array in rows.items()})
print("Linear(3, 4) on sequences:", {name: array.shape for name, array in tokens.items()})
weight = linear[0].weight.detach().numpy()
assert (rows["0.weight"] == weight).all()
assert "0.weight" not in tokens
assert any(array.shape == (3, 4) and (array == weight.T).all() for array in tokens.values())


class Form(nn.Module):
    def __init__(self):
        super().__init__()
        self.form = nn.Bilinear(3, 3, 2)

    def forward(self, x):
        return self.form(x, x)


form = Form().double()
bilinear = stored(form, torch.randn(5, 3, dtype=torch.float64))
print("Bilinear(3, 3, 2) on rows:", {name: array.shape for name, array in bilinear.items()})
assert tuple(form.form.weight.shape) == (2, 3, 3)
assert "form.weight" not in bilinear
assert any(array.shape == (3, 6) for array in bilinear.values())
PYTHON
