"""Counting by monodromy in two checkouts: processor seconds, alternately, in one run.

    git worktree add OLD 4b4ec16
    python benchmarks/monodromy.py OLD [--seeds N] [--first SEED]

For every seed the count is made in a fresh process of either version in turn; kernels are compiled and loaded outside
the clock by a small count. ``4b4ec16`` is the version in which layers of numpy followed a path.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

CASES = {
    'ed_degree("[4,2,1] r=2")': ('ed_degree("[4,2,1] r=2", method="monodromy", rng={seed})', 122),
    'degree("[2,2,2,1] r=3")': ('degree("[2,2,2,1] r=3", method="monodromy", rng={seed})', 70),
}
PROGRAM = """
import time
from polygeom.ideal import degree, ed_degree
degree("[2,2,1] r=4", method="monodromy"), ed_degree("[2,1,1] r=3", method="monodromy")
began = time.process_time()
count = {call}
print("found", count.value, count.lower, count.status, time.process_time() - began)
"""


def run(checkout: Path, call: str) -> tuple[float, int, int, str]:
    """Seconds, value, proved value, status."""
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-c", PROGRAM.format(call=call)]  # -P: not the folder that it is started in
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    _, value, lower, status, seconds = output.split()
    return float(seconds), int(value), int(lower), status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first of the seeds")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    here = Path(__file__).resolve().parent.parent
    print("| count | seed | before | now | ratio |\n| --- | --- | --- | --- | --- |")
    for name, (call, right) in CASES.items():
        if options.only not in name:
            continue
        ratios, totals = [], [0.0, 0.0]
        for seed in range(options.first, options.first + options.seeds):
            seconds, cells = [], []
            for checkout in (options.old, here):
                spent, value, lower, status = run(checkout, call.format(seed=seed))
                seconds.append(spent)
                cells.append(
                    f"{spent:.2f}" + ("" if value == lower == right else f" ({value}, {lower} proved, {status})")
                )
            ratios.append(seconds[0] / seconds[1])
            totals = [a + b for a, b in zip(totals, seconds, strict=True)]
            print(f"| `{name}` | {seed} | {cells[0]} | {cells[1]} | {ratios[-1]:.0f} |", flush=True)
        print(f"| `{name}` | all | {totals[0]:.1f} | {totals[1]:.2f} | {totals[0] / totals[1]:.0f}, median "
              f"{statistics.median(ratios):.0f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
