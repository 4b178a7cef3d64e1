#!/usr/bin/env bash
# A convolution with circular padding is one aten.pad in torch.export's graph; run_decompositions turns it into three
# writes into uninitialised memory (empty, slice, copy, slice_scatter): no operator of the core graph says that the map
# is linear in its input. (torch 2.13.0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy
cd "$folder"
OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torch import nn

module = nn.Sequential(nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular", bias=False)).double()
program = torch.export.export(module, (torch.randn(2, 1, 8, dtype=torch.float64),))
before = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
after = [str(node.target) for node in program.run_decompositions().graph.nodes if node.op == "call_function"]
print("exported:  ", before)
print("decomposed:", after)
assert before == ["aten.pad.default", "aten.conv1d.default"]
assert after[0].startswith("aten.empty")
assert after.count("aten.slice_scatter.default") == 3
PYTHON
