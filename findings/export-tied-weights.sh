#!/usr/bin/env bash
# A weight that two Linears share: torch.export lists it twice; the module made from the program has it once, but after
# torch.export.save and load the module has two separate parameters, 18 weights in place of 9. (torch 2.13.0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy
cd "$folder"
OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import io

import torch
from torch import nn


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3, bias=False)
        self.b = nn.Linear(3, 3, bias=False)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(self.a(x) ** 2)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


tied = Tied().double()
program = torch.export.export(tied, (torch.randn(5, 3, dtype=torch.float64),))
file = io.BytesIO()
torch.export.save(program, file)
file.seek(0)
loaded = torch.export.load(file)
print("weights of the module:", count(tied), "| parameters listed:", program.graph_signature.parameters)
print("weights of program.module():", count(program.module()), "| after save and load:", count(loaded.module()))
assert count(tied) == count(program.module()) == 9
assert tuple(program.graph_signature.parameters) == ("a.weight", "b.weight")
assert count(loaded.module()) == 18
PYTHON
