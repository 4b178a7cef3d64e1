"""Fits of many networks at once against another checkout: ``python benchmarks/fleets.py OLD [--out FILE]``.

Alternately in processes of their own, three times each; processor seconds per attempted step of a fit, medians, one
thread. Loading and compiling come before the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

CASES = {
    "[3,4,1] r=2": (300, 10, "float64"),
    "[2,3,3,1] r=2": (300, 12, "float64"),
    "[5,8,1] r=2": (300, 30, "float64"),
    "[4,6,2] r=3": (200, 20, "float64"),
    "[3,3,3] r=2 bias": (200, 12, "float64"),
    "[2,2,1] r=4": (500, 8, "complex128"),
    "[6,10,1] r=2": (100, 60, "float64"),
    "[10,20,1] r=2": (20, 100, "float64"),
}
"""Networks, fits, points, numbers."""

CHILD = """
import json, sys, time, torch
torch.set_num_threads(1)
try:
    from polygeom.learning.training.fleet import fit_fleet, random_starts
except ImportError:
    from polygeom.learning.fleet import fit_fleet, random_starts
from polygeom.network import parse
found = {}
for text, (fits, points, kind) in json.loads(sys.argv[1]).items():
    network, generator = parse(text), torch.Generator().manual_seed(1)
    x = torch.randn(fits, points, *network.input_shape, generator=generator, dtype=torch.float64)
    y = torch.randn(fits, points, *network.output_shape, generator=generator, dtype=torch.float64)
    starts = random_starts(network, fits, rng=2, dtype=getattr(torch, kind))
    times = []
    for _ in range(3):
        start = time.process_time()
        fleet = fit_fleet(network, x, y, starts, steps=60)
        times.append(time.process_time() - start)
    found[text] = [min(times[1:]) / int(fleet.steps.sum()), float(fleet.losses.median())]
print(json.dumps(found))
"""


def run(checkout: Path) -> dict[str, list[float]]:
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(CASES)], env=environment, cwd=checkout, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Fits of many networks at once against another checkout.")
    parser.add_argument("old", type=Path)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    sides: dict[str, list[dict[str, list[float]]]] = {"old": [], "new": []}
    for _ in range(3):
        sides["old"].append(run(chosen.old.resolve()))
        sides["new"].append(run(Path(__file__).parent.parent.resolve()))
    rows = {}
    print("| network | fits | numbers | old, µs a step | now | ratio | median losses |\n" + "| --- " * 7 + "|")
    for text, (fits, _, kind) in CASES.items():
        old, new = (1e6 * statistics.median(one[text][0] for one in sides[side]) for side in ("old", "new"))
        ends = [sides[side][0][text][1] for side in ("old", "new")]
        rows[text] = {"old": old, "new": new, "losses": ends}
        print(f"| {text} | {fits} | {kind} | {old:.1f} | {new:.1f} | {old / new:.1f} | {ends[0]:.9g}, {ends[1]:.9g} |")
    if chosen.out:
        chosen.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
