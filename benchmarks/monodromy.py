"""Counting by monodromy in two checkouts: processor seconds, alternately, in one run; and with two workers.

    git worktree add OLD 4b4ec16
    python benchmarks/monodromy.py OLD [--seeds N] [--first SEED] [--only TEXT] [--out FILE]
    python benchmarks/monodromy.py --workers [--out FILE]

For every seed the count is made in a fresh process of either version in turn, with at most ``--timeout`` seconds;
kernels are compiled and loaded outside the clock by a small count. ``4b4ec16`` is the version in which layers of numpy
followed a path. ``--workers`` counts what takes longer with one worker and with two: seconds by the clock, and of all
processes. ``--out`` adds the rows to a file, from which ``--table`` prints the tables again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]

CASES = {
    'ed_degree("[4,2,1] r=2")': 122,
    'degree("[2,2,2,1] r=3")': 70,
    'degree("[3,2,3] r=2")': 81,
    'degree("[3,3,3] r=2")': 30,
    'degree("[5,3,1] r=2")': 20,
    'degree("[2,2,2,2] r=2")': 15,
    'ed_degree("[3,2,1] r=2")': 13,
    'ed_degree("convolutional(4,kernels=[3,2],degrees=2)")': 79,
    'ed_degree("convolutional(3,kernels=[2,2],degrees=3)")': 22,
}
"""Counts with the numbers that are right."""
LONG = ('degree("[3,2,4] r=2")', 'degree("[3,2,5] r=2")')

PROGRAM = """
import json, resource, time
from polygeom.ideal import degree, ed_degree

def spent():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)

degree("[2,2,1] r=4", method="monodromy"), ed_degree("[2,1,1] r=3", method="monodromy")
began, clock = spent(), time.monotonic()
count = {call}
row = {{"value": count.value, "proved": count.lower, "status": count.status}}
print(json.dumps(row | {{"cpu": round(spent() - began, 3), "wall": round(time.monotonic() - clock, 3)}}))
"""


def run(checkout: Path, name: str, **options: Any) -> Row:
    """What one count in a fresh process gives, with its seconds."""
    more = "".join(f", {key}={value!r}" for key, value in options.items())
    call = f'{name[:-1]}, method="monodromy"{more})'
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-c", PROGRAM.format(call=call)]  # -P: not the folder that it is started in
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    found: Row = json.loads(output)
    return found


def against(old: Path, seeds: range, only: str, timeout: float) -> Iterator[Row]:
    """A row for each count and seed."""
    here = Path(__file__).resolve().parent.parent
    for name in CASES:
        for seed in seeds if only in name else ():
            limits = {"rng": seed, "timeout": timeout}
            before = run(old, name, **limits)
            yield {"count": name, "seed": seed, "before": before, "now": run(here, name, **limits)}


def with_workers(seeds: range, only: str) -> Iterator[Row]:
    """A row for each long count, seed and number of workers."""
    here = Path(__file__).resolve().parent.parent
    for name in LONG:
        for seed in seeds if only in name else ():
            for workers in (1, 2):
                yield {"count": name, "seed": seed, "workers": workers, **run(here, name, rng=seed, workers=workers)}


def told(rows: list[Row]) -> str:
    """Both tables in Markdown, seed by seed. A count that is not right says what it found, and has no ratio."""
    lines = ["| count | right | before | now | ratio |", "| --- | --- | --- | --- | --- |"]
    for name, right in CASES.items():
        own = [row for row in rows if row["count"] == name and "before" in row]
        if not own:
            continue
        cells = []
        for side in ("before", "now"):
            wrong = [row[side]["value"] for row in own if row[side]["value"] != right]
            remark = f" (found {', '.join(map(str, wrong))})" if wrong else ""
            cells.append(" ".join(f"{row[side]['cpu']:.2f}" for row in own) + remark)
        both = [row for row in own if row["before"]["value"] == row["now"]["value"] == right]
        ratios = [round(row["before"]["cpu"] / row["now"]["cpu"]) for row in both]
        lines.append(f"| `{name}` | {right} | {cells[0]} | {cells[1]} | {' '.join(map(str, ratios))} |")
    lines += ["", "| count | seed | workers | by the clock | of all processes | found |", "| --- " * 6 + "|"]
    lines += [
        f"| `{r['count']}` | {r['seed']} | {r['workers']} | {r['wall']:.1f} | {r['cpu']:.1f} | {r['value']} |"
        for r in rows
        if "workers" in r
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first of the seeds")
    parser.add_argument("--only", default="", help="counts whose text has this")
    parser.add_argument("--timeout", type=float, default=120.0)
    parser.add_argument("--workers", action="store_true", help="one worker against two")
    parser.add_argument("--out", type=Path, help="where rows are added")
    parser.add_argument("--table", type=Path, help="print what a file has")
    options = parser.parse_args()
    if options.table is not None:
        print(told(json.loads(options.table.read_text(encoding="utf-8"))))
        return
    seeds = range(options.first, options.first + options.seeds)
    made = [with_workers(seeds, options.only)] if options.workers else []
    made += [against(options.old, seeds, options.only, options.timeout)] if options.old is not None else []
    rows = json.loads(options.out.read_text(encoding="utf-8")) if options.out and options.out.exists() else []
    for source in made:
        for row in source:
            rows.append(row)
            print(json.dumps(row), flush=True)
            if options.out is not None:
                options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(told(rows))


if __name__ == "__main__":
    main()
