"""Sampled learning coefficients against exact ones: polygeom next to devinterp, in one process, one thread.

``python benchmarks/learning_coefficients.py [OUT.json]`` in an environment with polygeom and devinterp 2. Both sample
the same networks at the same weights on the same inputs with an exact mean squared loss (no label noise). devinterp
takes token sequences, so that a token is the number of an input here; its mean counts every step, burn-in included; the
mean after burn-in is told, too. Seconds are processor time.
"""

from __future__ import annotations

import copy
import json
import logging
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from polygeom.experiments.algebra.learning_coefficient import conditioned
from polygeom.learning.functions.posterior import estimate_learning_coefficient
from polygeom.learning.functions.sampling import SamplerSettings, effective_samples
from polygeom.network import parse
from polygeom.singularities import learning_coefficient

CASES = (
    ("[3,2,1] r=2", None),
    ("[3,2,1] r=2", "dead 1"),
    ("[2,2,1] r=3", None),
    ("[2,2,1] r=3", "dead 1"),
    ("[3,3,1] r=2", "dead 1"),
    ("[2,2,2] r=2", "dead 1"),
    ("[2,2,2] r=1", "rank 0"),
    ("[2,2,2] r=1", "rank 1"),
)
SAMPLES = 64
INVERSE_TEMPERATURE = 1000.0
CHAINS, DRAWS, BURN_IN = 2, 150, 60
RATES = (1e-4, 5e-4)


class Tokens(nn.Module):
    """A network on inputs that are told by their number; ``forward`` returns squared errors."""

    def __init__(self, module: nn.Module, x: torch.Tensor) -> None:
        super().__init__()
        self.module = module
        self.register_buffer("x", x)
        with torch.no_grad():
            self.register_buffer("y", module(x).clone())

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        rows = input_ids[:, 0]
        return (self.module(self.x[rows]) - self.y[rows]).square().sum(dim=1, keepdim=True) / 2


def theirs(module: nn.Module, x: torch.Tensor, rate: float) -> dict[str, float]:
    """devinterp's estimate, with and without its burn-in, and effective samples of its losses."""
    from datasets import Dataset
    from devinterp.slt.llc import compute_llc
    from devinterp.slt.sampling import sample

    model = Tokens(copy.deepcopy(module), x).float()
    data = Dataset.from_dict({"input_ids": [[i, i] for i in range(len(x))]}).with_format("torch")
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        found = sample(
            model, data, {}, lr=rate, n_beta=INVERSE_TEMPERATURE, num_chains=CHAINS, num_draws=DRAWS,
            num_burnin_steps=BURN_IN, batch_size=len(x), localization=1.0, num_init_loss_batches=1, batches_per_draw=1,
            loss_fn=lambda m, ids: m(ids), device="cpu", output_path=f"{folder}/out", shuffle=False,
        )  # fmt: skip
        seconds = time.process_time() - started
        result = compute_llc(found)
        trace = INVERSE_TEMPERATURE * np.asarray(result.loss_trace.values, dtype=float)
    kept = trace[:, BURN_IN:]
    return {
        "value": float(result.llc_mean),
        "after_burn_in": float(kept.mean() - INVERSE_TEMPERATURE * float(result.init_loss)),
        "effective": effective_samples(kept.T),
        "seconds": seconds,
    }


def ours(module: nn.Module, x: torch.Tensor, multiplicity: int | None, chains: int = 16) -> dict[str, float]:
    """polygeom's estimate with its log-log correction; samples at all temperatures count."""
    settings = SamplerSettings(chains=chains, draws=DRAWS, warmup=3 * BURN_IN, leapfrog=6)
    started = time.process_time()
    found = estimate_learning_coefficient(module, x, settings=settings, multiplicity=multiplicity)
    seconds = time.process_time() - started
    cold = np.asarray(found.effective)[len(found.betas) // 2 :]
    return {"value": found.value, "error": found.error, "effective": float(cold.sum()), "seconds": seconds}


def main() -> None:
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = []
    for text, at in CASES:
        network, exact = parse(text), learning_coefficient(text, at)
        module = network.to_torch(initialisation="zero")
        flat, start = conditioned(network, "generic" if at is None else at, exact.rank, 0), 0
        with torch.no_grad():
            for p in module.parameters():
                p.copy_(flat[start : start + p.numel()].reshape(p.shape))
                start += p.numel()
        x = torch.randn((SAMPLES, network.input_dimension), generator=torch.Generator().manual_seed(1)).double()
        assert exact.value is not None
        row = {
            "network": text,
            "at": at or "generic",
            "exact": float(exact.value),
            "ours": ours(module, x, exact.multiplicity),
        }
        for rate in RATES:
            row[f"devinterp {rate:g}"] = theirs(module, x, rate)
        rows.append(row)
        told = [
            f"{name} {part['value']:.3f} ({part['effective'] / part['seconds']:.1f} ESS/s)"
            for name, part in row.items()
            if isinstance(part, dict)
        ]
        print(text, row["at"], f"exact {row['exact']:g};", "; ".join(told), flush=True)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
