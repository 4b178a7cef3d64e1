#!/usr/bin/env bash
# torch.export with Dim.AUTO for the number of samples and an example of one sample gives a program for exactly one
# sample: no error, one line in the log, and the first larger batch fails. With two samples the same call is general, and
# a named Dim refuses the single sample at once. (torch 2.13.0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy
cd "$folder"
OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import torch
from torch import nn


class Squares(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 4)
        self.outer = nn.Linear(4, 1)

    def forward(self, x):
        return self.outer(self.inner(x) ** 2)


def works(samples, dimension, batch):
    try:
        program = torch.export.export(Squares(), (torch.randn(samples, 3),), dynamic_shapes=({0: dimension},))
    except Exception as error:
        return f"refused at export: {type(error).__name__}"
    try:
        return tuple(program.module()(torch.randn(batch, 3)).shape)
    except Exception as error:
        return f"exported, then {type(error).__name__}: {error}"[:80]


found = {
    (samples, name): works(samples, dimension, 5)
    for samples in (1, 2)
    for name, dimension in (("AUTO", torch.export.Dim.AUTO), ("named", torch.export.Dim("n")))
}
for (samples, name), outcome in found.items():
    print(f"example of {samples}, Dim {name}, then 5 samples: {outcome}")
assert found[1, "AUTO"].startswith("exported, then")
assert found[1, "named"].startswith("refused")
assert found[2, "AUTO"] == found[2, "named"] == (5, 1)
PYTHON
