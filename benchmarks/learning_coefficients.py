"""Sampled learning coefficients against exact ones: polygeom next to devinterp, in one process, one thread.

``python benchmarks/learning_coefficients.py OUT.jsonl [SEED…]`` in an environment with polygeom and devinterp 2; then
``python benchmarks/learning_coefficients.py --table OUT.jsonl`` prints the tables of the page. Rows are appended as
they come, and those that are there are not computed again; ``--ours OUT.jsonl`` measures polygeom's part of them again.

Both sample the same networks at the same weights on the same inputs with an exact mean squared loss (no label noise)
and the same Gaussian prior. devinterp takes token sequences, so that a token is the number of an input here; its mean
counts every step, burn-in included, so that the mean after burn-in is used, which is nearer to the truth. It runs at
several rates with ``n_beta`` 1000, and as its first page says (rate 0.001, ``n_beta`` 30, four chains, 200 draws).

Effective samples are those of the loss, by Geyer's initial positive sequence over all chains after burn-in, and counted
alike for both. devinterp has one temperature. Of polygeom the *least* of the fitted temperatures is told, as if it had
one, too, and the sum of all, which is what its estimate is made of. Seconds are processor time of everything: warm-up,
other temperatures, files.
"""

from __future__ import annotations

import copy
import gc
import json
import logging
import math
import os
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
from polygeom.learning.functions.posterior import estimate_learning_coefficient, fitted
from polygeom.learning.functions.sampling import SamplerSettings, effective_samples, split_rhat
from polygeom.network import parse
from polygeom.singularities import learning_coefficient

CASES = (
    ("[3,2,1] r=2", "generic"), ("[3,2,1] r=2", "dead 1"), ("[2,2,1] r=3", "generic"), ("[2,2,1] r=3", "dead 1"),
    ("[3,3,1] r=2", "generic"), ("[3,3,1] r=2", "dead 1"), ("[2,3,1] r=2", "generic"), ("[2,2,2] r=2", "dead 1"),
    ("[2,2,2] r=2", "silent 1"), ("[2,2,2] r=2", "deaf 1"), ("[3,2,2] r=2", "duplicate 1=2"),
    ("[3,3,2] r=3", "generic"), ("[2,2,2,1] r=2", "generic"), ("[2,2,2] r=1", "rank 0"), ("[2,2,2] r=1", "rank 1"),
    ("[3,3,3] r=1", "rank 1"), ("[4,4,1] r=2", "generic"), ("[6,6,3] r=2", "generic"),
)  # fmt: skip
SAMPLES = 64
INVERSE_TEMPERATURE = 1000.0
CHAINS, DRAWS, BURN_IN = 4, 300, 60
RATES = (1e-5, 3e-5, 1e-4)  # at 3e-4 and above chains leave nearly everywhere
FIRST_PAGE = "as documented"
LEFT = 10.0
"""Chains whose estimate is so many times the exact value, or no number, have left: the rate is too large."""


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


def theirs(module: nn.Module, x: torch.Tensor, rate: float | None, seed: int) -> dict[str, float]:
    """devinterp's estimate after burn-in, and effective samples of its losses; settings of its first page for None."""
    from datasets import Dataset
    from devinterp.slt.llc import compute_llc
    from devinterp.slt.sampling import sample

    model = Tokens(copy.deepcopy(module), x).float()
    data = Dataset.from_dict({"input_ids": [[i, i] for i in range(len(x))]}).with_format("torch")
    chosen: dict[str, Any] = {"lr": 0.001, "n_beta": 30.0, "num_chains": 4, "num_draws": 200}
    if rate is not None:
        chosen = {
            "lr": rate, "n_beta": INVERSE_TEMPERATURE, "num_chains": CHAINS, "num_draws": DRAWS,
            "num_burnin_steps": BURN_IN, "batch_size": len(x), "localization": 1.0, "num_init_loss_batches": 1,
            "shuffle": False,
        }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        gc.collect()
        gc.freeze()  # devinterp collects garbage after each chain: what others have imported shall not slow it down
        started = time.process_time()
        found = sample(
            model, data, {}, **chosen, loss_fn=lambda m, ids: m(ids), device="cpu", output_path=f"{folder}/out",
            init_seed=100 + 1000 * seed,
        )  # fmt: skip
        seconds = time.process_time() - started
        gc.unfreeze()
        result = compute_llc(found)
        level = chosen["n_beta"]
        kept = level * np.asarray(result.loss_trace.values, dtype=float)[:, chosen.get("num_burnin_steps", 0) :]
    finite = bool(np.isfinite(kept).all())
    return {
        "value": float(kept.mean() - level * float(result.init_loss)),
        "with_burn_in": float(result.llc_mean),
        "effective": effective_samples(kept.T) if finite else 0.0,
        "rhat": split_rhat(kept.T) if finite else math.inf,
        "inverse_temperature": level,
        "seconds": seconds,
    }


def ours(module: nn.Module, x: torch.Tensor, multiplicity: int | None, seed: int) -> dict[str, float]:
    """polygeom's estimate with its log-log correction."""
    settings = SamplerSettings(chains=64, draws=400, warmup=150, leapfrog=4, share=0.3)
    started = time.process_time()
    found = estimate_learning_coefficient(module, x, settings=settings, multiplicity=multiplicity, rng=seed)
    seconds = time.process_time() - started
    effective = fitted(np.asarray(found.effective))
    return {
        "value": found.value,
        "error": found.error,
        "effective": float(effective.min()),
        "effective_sum": float(effective.sum()),
        "rhat": float(fitted(found.rhat).max()),
        "seconds": seconds,
    }


def prepared(text: str, at: str) -> tuple[nn.Module, torch.Tensor]:
    """A module at well-conditioned weights of a stratum, and inputs."""
    network, exact = parse(text), learning_coefficient(text, None if at == "generic" else at)
    module = network.to_torch(initialisation="zero")
    torch.nn.utils.vector_to_parameters(conditioned(network, at, exact.rank, 0), module.parameters())
    x = torch.randn((SAMPLES, network.input_dimension), generator=torch.Generator().manual_seed(1)).double()
    return module, x


def measure(text: str, at: str, seed: int) -> dict[str, Any]:
    """A row of the benchmark."""
    network, exact = parse(text), learning_coefficient(text, None if at == "generic" else at)
    module, x = prepared(text, at)
    assert exact.value is not None
    row = {
        "network": text, "at": at, "seed": seed, "parameters": network.parameter_count, "exact": float(exact.value),
        "multiplicity": exact.multiplicity, "polygeom": ours(module, x, exact.multiplicity, seed),
    }  # fmt: skip
    for rate in RATES:
        row[f"{rate:g}"] = theirs(module, x, rate, seed)
    row[FIRST_PAGE] = theirs(module, x, None, seed)
    return row


def usable(row: dict[str, Any], name: str) -> bool:
    """Whether chains have stayed."""
    value = row[name]["value"]
    return bool(math.isfinite(value)) and abs(value) <= LEFT * row["exact"]


def tables(rows: list[dict[str, Any]]) -> str:
    """The tables of the page: means over seeds."""
    names = [f"{rate:g}" for rate in RATES]
    lines = [
        "| network | at | weights | exact | polygeom | ESS/s, least (all) | "
        + " | ".join([*(f"rate {name}" for name in names), FIRST_PAGE])
        + " | best ESS/s | ratio |",
        "| --- " * (8 + len(names) + 1) + "|",
    ]
    ratios, ratios_all = [], []
    errors: dict[str, list[float]] = {}
    closer: dict[str, int] = dict.fromkeys([*names, FIRST_PAGE, "best rate"], 0)
    places = list(dict.fromkeys((row["network"], row["at"]) for row in rows))
    for network, at in places:
        some = [row for row in rows if (row["network"], row["at"]) == (network, at)]
        exact, own = some[0]["exact"], [row["polygeom"] for row in some]
        speed = float(np.mean([one["effective"] / one["seconds"] for one in own]))
        every = float(np.mean([one["effective_sum"] / one["seconds"] for one in own]))
        bias = {"polygeom": abs(float(np.mean([one["value"] for one in own])) - exact)}
        told, speeds = [], []
        for name in [*names, FIRST_PAGE]:
            if not all(name in row for row in some):
                told.append("")
                continue
            if not all(usable(row, name) for row in some):
                told.append("diverges")
                continue
            value = float(np.mean([row[name]["value"] for row in some]))
            rate = float(np.mean([row[name]["effective"] / row[name]["seconds"] for row in some]))
            rhat = max(row[name]["rhat"] for row in some)
            bias[name] = abs(value - exact)
            told.append(f"{value:.2f} ({rate:.0f}/s{', R-hat ' + format(rhat, '.1f') if rhat > 1.2 else ''})")
            if name != FIRST_PAGE:
                speeds.append(rate)
        usual = [bias[name] for name in names if name in bias]
        if usual:
            bias["best rate"] = min(usual)
        for name, size in bias.items():
            errors.setdefault(name, []).append(size)
            if name in closer and size < bias["polygeom"]:
                closer[name] += 1
        value, error = (float(np.mean([one[key] for one in own])) for key in ("value", "error"))
        rhat = max(one["rhat"] for one in own)
        late = f", R-hat {rhat:.1f}" if rhat > 1.2 else ""
        ratio = f"{speed / max(speeds):.0f} ({every / max(speeds):.0f})" if speeds else ""
        if speeds:
            ratios.append(speed / max(speeds))
            ratios_all.append(every / max(speeds))
        lines.append(
            f"| `{network}` | {at} | {some[0]['parameters']} | {exact:g} | {value:.2f} ± {error:.2f}{late} | "
            f"{speed:.0f} ({every:.0f}) | {' | '.join(told)} | {max(speeds, default=0):.0f} | {ratio} |"
        )
    lines.append("")
    lines.append(
        f"{len(places)} cases, {len(rows)} rows. Ratio of effective samples a second to the fastest rate that stays: "
        f"least {min(ratios):.1f}, median {np.median(ratios):.0f}; all temperatures: {min(ratios_all):.1f}, "
        f"{np.median(ratios_all):.0f}"
    )
    for name, sizes in errors.items():
        nearer = f", closer than polygeom {closer[name]} times" if name in closer else ""
        lines.append(f"{name}: mean |bias| {np.mean(sizes):.3f} over {len(sizes)} cases{nearer}")
    cpu = np.mean([row["polygeom"]["seconds"] for row in rows])
    other = np.mean([row[name]["seconds"] for row in rows for name in names])
    lines.append(f"processor seconds of one estimate: polygeom {cpu:.1f}, devinterp {other:.1f}")
    return "\n".join(lines)


def main() -> None:
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    os.environ["TQDM_DISABLE"] = "1"
    show, show_ours = sys.argv[1] == "--table", sys.argv[1] == "--ours"
    path = Path(sys.argv[2] if show or show_ours else sys.argv[1])
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    if show:
        print(tables(rows))
        return
    if show_ours:
        for row in rows:
            row["polygeom"] = ours(*prepared(row["network"], row["at"]), row["multiplicity"], row["seed"])
            print(row["network"], row["at"], row["exact"], row["polygeom"], flush=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return
    done = {(row["network"], row["at"], row["seed"]) for row in rows}
    for seed in map(int, sys.argv[2:] or ["0"]):
        for text, at in CASES:
            if (text, at, seed) in done:
                continue
            row = measure(text, at, seed)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            told = [
                f"{name} {part['value']:.3f} ({part['effective'] / part['seconds']:.0f}/s, {part['seconds']:.1f} s)"
                for name, part in row.items()
                if isinstance(part, dict)
            ]
            print(text, at, f"exact {row['exact']:g};", "; ".join(told), flush=True)


if __name__ == "__main__":
    main()
